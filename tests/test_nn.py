"""The mathematics of the network, as functions of tensors."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from skmmm._nn.carryover import (
    carry,
    carry_known,
    delayed_kernel,
    free_kernel,
    geometric_kernel,
    linear_scan,
    recurrent_carry,
    weibull_kernel,
)
from skmmm._nn.inputs import context_groups
from skmmm._nn.level import innovations, smooth_level
from skmmm._nn.likelihood import (
    Loss,
    Target,
    effective_regions,
    errors,
    log_likelihood,
    log_prior,
)
from skmmm._nn.network import Context, Inputs, OutcomeNetwork
from skmmm._nn.posterior import (
    Information,
    draw_around_mode,
    information,
    jacobian,
    row_precision,
)
from skmmm._nn.priors import Sizes, positions
from skmmm._nn.saturation import hill
from skmmm._nn.training import penalised_posterior

ADSTOCKS = ["geometric", "delayed", "weibull", "free", "gru"]
LOSSES = [
    Loss("huber", 0.5),
    Loss("huber", 1.345),
    Loss("huber", 3.0),
    Loss("student_t", 2.0),
    Loss("student_t", 4.0),
    Loss("student_t", 30.0),
]
# Huber's density with bounds that no error reaches is Gaussian.
GAUSS = Loss("huber", 30.0)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads only wait for each other on tensors as small as these."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


# --- kernels ------------------------------------------------------------------------


def kernels(rng, max_lag):
    """Return each kernel for two draws of three channels, with a plain definition."""
    decay = rng.uniform(0.02, 0.98, (2, 3))
    delay = rng.uniform(0.0, 5.0, (2, 3))
    shape, scale = rng.uniform(0.5, 4.0, (2, 2, 3))
    steps = rng.normal(size=(2, 3, max_lag))

    def at(weight):
        return np.array([weight(lag) for lag in range(max_lag + 1)]).transpose(1, 2, 0)

    return {
        "geometric": (
            geometric_kernel(tensor(decay), max_lag),
            at(lambda lag: decay**lag),
        ),
        "delayed": (
            delayed_kernel(tensor(decay), tensor(delay), max_lag),
            at(lambda lag: decay ** ((lag - delay) ** 2)),
        ),
        "weibull": (
            weibull_kernel(tensor(shape), tensor(scale), max_lag),
            at(lambda lag: stats.weibull_min.pdf(lag + 0.5, shape, scale=scale)),
        ),
        "free": (
            free_kernel(tensor(steps)),
            at(lambda lag: np.exp(steps[..., :lag].sum(axis=-1))),
        ),
    }


@pytest.mark.parametrize("max_lag", [0, 1, 13])
@pytest.mark.parametrize("name", ["geometric", "delayed", "weibull", "free"])
def test_kernel(rng, name, max_lag):
    kernel, weight = kernels(rng, max_lag)[name]
    assert kernel.shape == (2, 3, max_lag + 1)
    assert_allclose(kernel.sum(dim=-1), 1.0, rtol=1e-14)
    assert_allclose(kernel, weight / weight.sum(axis=-1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize(
    "kernel",
    [
        geometric_kernel(tensor([1e-300, 1 - 1e-16]), 8),
        delayed_kernel(tensor([1e-300, 1 - 1e-16]), tensor([7.3, 0.0]), 8),
        weibull_kernel(tensor([0.01, 50.0]), tensor([1e-3, 500.0]), 8),
        free_kernel(tensor([[300.0] * 8, [-300.0] * 8])),
    ],
)
def test_kernel_at_its_limits(kernel):
    assert torch.isfinite(kernel).all()
    assert_allclose(kernel.sum(dim=-1), 1.0, rtol=1e-14)


def loop_carry(media, kernel, known=None):
    """Carry over cell by cell, averaging over known lags."""
    n_draws, n_media, n_lags = kernel.shape
    n_regions, _, n_history = media.shape
    known = np.ones((n_regions, n_history)) if known is None else known
    out = np.empty((n_draws, n_regions, n_media, n_history - n_lags + 1))
    for e, r, m, t in np.ndindex(*out.shape):
        past = slice(t, t + n_lags)
        weight = kernel[e, m, ::-1] * known[r, past]
        out[e, r, m, t] = (weight * media[r, m, past]).sum() / weight.sum()
    return out


def test_carry(rng):
    media = rng.exponential(size=(3, 2, 17))
    kernel = rng.dirichlet(np.ones(5), size=(4, 2))
    got = carry(tensor(media), tensor(kernel))
    assert_allclose(got, loop_carry(media, kernel), rtol=1e-12)
    everything = torch.ones(3, 17, dtype=torch.float64)
    assert_array_equal(carry_known(tensor(media), everything, tensor(kernel)), got)


def test_carry_over_masked_cells(rng):
    known = (rng.uniform(size=(3, 17)) > 0.3).astype(float)
    known[0] = 1.0
    known[:, 4:9] = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    media = rng.exponential(size=(3, 2, 17)) * known[:, None]
    kernel = rng.dirichlet(np.ones(5), size=(4, 2))
    got = carry_known(tensor(media), tensor(known), tensor(kernel))
    seen = np.array([[known[r, t : t + 5].any() for t in range(13)] for r in range(3)])
    expected = loop_carry(media, kernel, np.where(known, known, 1e-12))
    cells = np.broadcast_to(seen[:, None], expected.shape[1:])
    assert_allclose(got.numpy()[:, cells], expected[:, cells], rtol=1e-9)


def test_masked_cells_keep_steady_spend_steady():
    known = torch.ones(1, 20, dtype=torch.float64)
    known[0, 10:12] = 0.0
    kernel = geometric_kernel(tensor([[0.6]]), 5)
    carried = carry_known(7.0 * known[:, None], known, kernel)
    assert_allclose(carried, 7.0, rtol=1e-12)


# --- recurrences --------------------------------------------------------------------


@pytest.mark.parametrize("n_periods", [1, 2, 3, 8, 33])
def test_linear_scan(rng, n_periods):
    keep = rng.uniform(0.0, 1.0, (2, 3, n_periods))
    add = rng.normal(size=(2, 3, n_periods))
    state, expected = np.zeros((2, 3)), []
    for t in range(n_periods):
        state = keep[..., t] * state + add[..., t]
        expected.append(state)
    got = linear_scan(tensor(keep), tensor(add))
    assert_allclose(got, np.stack(expected, axis=-1), rtol=1e-12, atol=1e-14)


def test_linear_scan_broadcasts(rng):
    keep, add = tensor(rng.uniform(size=(4, 1, 1))), tensor(rng.normal(size=(3, 9)))
    full = linear_scan(keep.expand(4, 3, 9), add.expand(4, 3, 9))
    assert_array_equal(linear_scan(keep, add), full)


def test_recurrent_carry(rng):
    media = rng.exponential(size=(3, 2, 15))
    known = (rng.uniform(size=(3, 15)) > 0.2).astype(float)
    media *= known[:, None]
    gates = rng.uniform(0.05, 0.95, (4, 5, 2))
    keep, refresh, mix, late_keep = gates[:, :, None]  # (E, 1, M)
    expected = np.empty((5, 3, 2, 15))
    state = late = np.zeros((5, 3, 2))
    for t in range(15):
        x = media[None, ..., t]
        seen = known[None, :, None, t]
        forget = keep + refresh * (1 - keep) * x / (1 + x)
        state = np.where(seen, forget * state + (1 - keep) * x, state)
        late = late_keep * late + (1 - late_keep) * state
        expected[..., t] = (1 - mix) * state + mix * late
    got = recurrent_carry(tensor(media), tensor(known), *tensor(gates))
    assert_allclose(got, expected, rtol=1e-12)


def test_recurrent_carry_increases_with_spend_of_every_period(rng):
    media = tensor(rng.exponential(size=(1, 1, 12))).requires_grad_()
    gates = tensor(rng.uniform(0.05, 0.95, (4, 1, 1)))
    carried = recurrent_carry(media, torch.ones(1, 12, dtype=torch.float64), *gates)
    for t in range(12):
        (slope,) = torch.autograd.grad(carried[..., t].sum(), media, retain_graph=True)
        assert (slope[..., : t + 1] > 0).all()
        assert (slope[..., t + 1 :] == 0).all()


# --- saturation ---------------------------------------------------------------------


def test_hill(rng):
    x = rng.exponential(size=50)
    half, slope = 0.7, 1.6
    got = hill(tensor(x), tensor(np.log(half)), tensor(slope))
    assert_allclose(got, x**slope / (x**slope + half**slope), rtol=1e-10)
    middle = hill(tensor(half), tensor(np.log(half)), tensor(slope))
    assert middle == pytest.approx(0.5)


@pytest.mark.parametrize("slope", [0.4, 1.0, 3.0])
def test_hill_at_no_and_much_spend(slope):
    x = tensor([0.0, 1e-300, 1e-30, 1e30, 1e300]).requires_grad_()
    response = hill(x, tensor(0.0), tensor(slope))
    assert response[0] < 1e-18
    assert (response.diff() >= 0).all()
    assert response[-1].item() == pytest.approx(1.0)
    response.sum().backward()
    assert torch.isfinite(x.grad).all()


# --- level --------------------------------------------------------------------------


def dense_level(residual, observed, persistence, noise, shock):
    """Return mean and covariance of a level given residuals, by dense matrices."""
    times = np.arange(len(residual))
    prior = persistence ** np.abs(times[:, None] - times) * shock / (1 - persistence**2)
    seen = np.flatnonzero(observed)
    among = prior[np.ix_(seen, seen)] + noise * np.eye(len(seen))
    pull = np.linalg.solve(among, prior[seen]).T
    return pull @ residual[seen], prior - pull @ prior[seen]


def steady(gain, persistence, scale=1.0):
    """Return the variances of noise and shock, from the steady-state Kalman gain."""
    # P = persistence^2 (1 - gain) P + shock and gain = P / (P + noise), P + noise = 1.
    before = gain * scale**2
    return scale**2 - before, before - persistence**2 * (1 - gain) * before


def test_level_given_all_residuals(rng):
    gain, persistence = np.array([0.3, 0.8]), np.array([0.95, 0.6])
    scale = rng.uniform(0.5, 2.0, (2, 3))
    residual = rng.normal(size=(2, 3, 12))
    observed = (rng.uniform(size=(3, 12)) > 0.3).astype(float)
    observed[1, :3] = observed[2, -2:] = 0.0
    level = smooth_level(
        tensor(residual), tensor(observed), *map(tensor, (gain, persistence, scale))
    )
    # Four periods before and five after the window, of which nothing was seen.
    beyond = torch.arange(-4, 17)
    mean, variance = level.at(beyond)
    for e, r in np.ndindex(2, 3):
        noise, shock = steady(gain[e], persistence[e], scale[e, r])
        expected, covariance = dense_level(
            np.pad(residual[e, r], (4, 5)),
            np.pad(observed[r], (4, 5)),
            persistence[e],
            noise,
            shock,
        )
        assert_allclose(mean[e, r], expected, atol=1e-10)
        assert_allclose(variance[e, r], np.diag(covariance), atol=1e-10)


def test_innovations_are_those_of_the_filter_once_settled(rng):
    gain, persistence = 0.35, 0.9
    noise, shock = steady(gain, persistence)
    residual = rng.normal(size=60)
    got = innovations(
        tensor(residual)[None, None],
        torch.ones(1, 60, dtype=torch.float64),
        tensor([gain]),
        tensor([persistence]),
    )[0, 0]
    for t in range(48, 60):
        past = np.arange(60) < t
        mean, covariance = dense_level(residual, past, persistence, noise, shock)
        assert got[t].item() == pytest.approx(residual[t] - mean[t], abs=1e-8)
        assert covariance[t, t] + noise == pytest.approx(1.0, abs=1e-8)


def test_innovations_skip_masked_cells(rng):
    gain, persistence = rng.uniform(0.1, 0.9, (2, 2))
    residual = rng.normal(size=(2, 3, 12))
    observed = (rng.uniform(size=(3, 12)) > 0.3).astype(float)
    level, expected = np.zeros((2, 3)), np.empty_like(residual)
    for t in range(12):
        level = persistence[:, None] * level
        expected[..., t] = residual[..., t] - level
        level = level + gain[:, None] * observed[:, t] * expected[..., t]
    got = innovations(
        tensor(residual), tensor(observed), tensor(gain), tensor(persistence)
    )
    assert_allclose(got, expected, atol=1e-12)
    # Whatever stands in a masked cell does not matter elsewhere.
    wild = np.where(observed, residual, 1e6)
    again = innovations(
        tensor(wild), tensor(observed), tensor(gain), tensor(persistence)
    )
    seen = np.broadcast_to(observed == 1, got.shape)
    assert_allclose(again.numpy()[seen], expected[seen], atol=1e-9)


def test_level_of_a_region_never_seen(rng):
    scale = tensor(rng.uniform(0.5, 2.0, (1, 3)))
    level = smooth_level(
        tensor(rng.normal(size=(1, 3, 12))),
        torch.ones(3, 12, dtype=torch.float64),
        tensor([0.3]),
        tensor([0.95]),
        scale,
    ).extended(2)
    mean, variance = level.at(torch.arange(20))
    assert_array_equal(mean[:, 3:], 0.0)
    long_run = level.shock[0, :3].mean() / (1 - 0.95**2)
    assert_allclose(variance[:, 3:], long_run, rtol=1e-9)


# --- loss ---------------------------------------------------------------------------


def density(loss):
    return lambda error: math.exp(-loss(tensor(error)).item())


def area(loss, low, high):
    delta = loss.shape if loss.kind == "huber" else 3.0
    knots = [low, *(k for k in (-delta, 0.0, delta) if low < k < high), high]
    pieces = itertools.pairwise(knots)
    return sum(integrate.quad(density(loss), *piece)[0] for piece in pieces)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_density_integrates_to_one(loss):
    assert area(loss, -np.inf, np.inf) == pytest.approx(1.0, rel=1e-7)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_quantiles_invert_the_distribution(loss):
    probability = np.array([0.001, 0.05, 0.2, 0.4, 0.5, 0.7, 0.95, 0.999])
    quantiles = loss.quantiles(probability)
    assert (np.diff(quantiles) > 0).all()
    assert_allclose(quantiles[4], 0.0, atol=1e-12)
    reached = [area(loss, -np.inf, quantile) for quantile in quantiles]
    assert_allclose(reached, probability, rtol=1e-6)


def test_known_densities():
    error = torch.linspace(-6.0, 6.0, 25, dtype=torch.float64)
    student = Loss("student_t", 5.0)(error)
    assert_allclose(student, -stats.t.logpdf(error, 5.0), rtol=1e-12)
    assert_allclose(GAUSS(error), -stats.norm.logpdf(error), rtol=1e-12)
    probability = np.array([0.01, 0.3, 0.9])
    quantiles = GAUSS.quantiles(probability)
    assert_allclose(quantiles, stats.norm.ppf(probability), rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_weight_is_the_slope_over_the_error(loss):
    error = tensor([-5.0, -0.7, 0.1, 1.2, 9.0]).requires_grad_()
    (slope,) = torch.autograd.grad(loss(error).sum(), error)
    assert_allclose(loss.weight(error.detach()), slope / error.detach(), rtol=1e-12)


# --- network ------------------------------------------------------------------------

R, T, M, K, S, H, LAG = 3, 14, 2, 2, 2, 2, 3


def make_problem(adstock="geometric", *, n_regions=R, level=True, seed=0):
    """Return a network at random parameters with inputs and a target."""
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    sizes = Sizes(
        n_regions=n_regions,
        n_media=M,
        n_controls=K,
        n_season=S,
        n_hidden=H if level else 0,
        max_lag=LAG if level else 0,
    )
    context = None
    if level:
        groups = context_groups(S, K)
        context = Context(n_regions, H, groups=groups, generator=generator)
    network = OutcomeNetwork(
        sizes,
        adstock=adstock,
        free_sign=torch.tensor([False, True]),
        unit=0.5,
        level=level,
        context=context,
    )
    observed = torch.ones(n_regions, T, dtype=torch.float64)
    observed[0, 5] = observed[-1, 9:11] = 0.0
    known = torch.nn.functional.pad(observed, (sizes.max_lag, 0), value=1.0)
    controls = randn(n_regions, K, T)
    season, trend = randn(S, T), torch.linspace(-0.5, 0.5, T, dtype=torch.float64)
    calendar = torch.cat([season, trend[None]]).expand(n_regions, -1, -1)
    inputs = Inputs(
        media=randn(n_regions, M, sizes.max_lag + T).exp() * known[:, None],
        known=known,
        controls=controls,
        season=season,
        trend=trend,
        context=torch.cat([calendar, controls], dim=1),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * randn(*parameter.shape))
    network.centre_context(inputs, observed)
    y = (1.0 + 0.2 * randn(n_regions, T)) * observed
    return network, inputs, Target(y, observed)


def entries_of(network, name):
    """Return the slice of a shared parameter."""
    (where,) = (w for p, w in positions(network.shared_priors) if p.name == name)
    return where


def test_parts_add_up():
    network, inputs, _ = make_problem()
    parts = network(inputs)
    assert parts.media.shape == (1, R, M, T)
    assert parts.controls.shape == (1, R, K, T)
    expected = parts.baseline + parts.controls.sum(dim=2) + parts.media.sum(dim=2)
    assert_array_equal(parts.total.detach(), expected.detach())


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_effect_is_that_of_a_channels_own_spend(adstock):
    network, inputs, _ = make_problem(adstock)
    media = inputs.media.clone().requires_grad_()
    moved = Inputs(**{**vars(inputs), "media": media})
    effects = network(moved).media[0]  # (R, M, T)
    for m in range(M):
        (slope,) = torch.autograd.grad(effects[:, m].sum(), media, retain_graph=True)
        assert (slope[:, 1 - m] == 0).all()
        if m == 0:  # the second may have any sign
            assert (effects[:, m] >= 0).all()
            assert (slope[:, m][inputs.known == 1] >= 0).all()
    silent = Inputs(**{**vars(inputs), "media": torch.zeros_like(inputs.media)})
    assert_allclose(network(silent).media.detach(), 0.0, atol=1e-12)


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_impulse_response_sums_to_one(adstock):
    network, _, _ = make_problem(adstock)
    response = network.impulse_response(network.values()).detach()
    assert response.shape == (1, M, LAG + 1)
    assert (response >= 0).all()
    assert_allclose(response.sum(dim=-1), 1.0, rtol=1e-12)


def test_hidden_state_is_centred_over_training():
    network, inputs, target = make_problem()
    hidden = network.hidden(inputs).detach() * target.observed[:, None]
    assert_allclose(hidden.sum(dim=2), 0.0, atol=1e-12)


def test_regions_never_seen_deviate_from_none():
    network, _, _ = make_problem()
    values = network.extended(2).values()
    own = network.values()
    for name in ("intercept", "noise_log", "season", "half_saturation_log"):
        alone = values[name][:, R:].detach()
        average = network.at(network.shared, 0.0 * network.regional).values()[name]
        assert_allclose(alone, average[:, :2], rtol=1e-12)
        assert_array_equal(values[name][:, :R].detach(), own[name].detach())


# --- likelihood ---------------------------------------------------------------------


def test_likelihood_of_a_common_shock():
    # With Gaussian noise the shock can be integrated out by dense matrices.
    network, inputs, target = make_problem()
    values = {name: value.detach() for name, value in network.values().items()}
    error = errors(network, inputs, target)[0].detach().numpy()
    noise = np.exp(values["noise_log"][0].numpy())
    common = np.exp(values["common_log"].item())
    expected = 0.0
    for t in range(T):
        seen = target.observed[:, t].numpy() == 1
        covariance = np.diag(noise[seen] ** 2) + common**2
        normal = stats.multivariate_normal(np.zeros(seen.sum()), covariance)
        # The density of the mean brings a constant of its own.
        expected += normal.logpdf(error[seen, t]) - 0.5 * np.log(2 * np.pi)
    got = log_likelihood(network, inputs, target, GAUSS)
    assert got.item() == pytest.approx(expected, rel=1e-10)


def test_log_prior():
    network, _, _ = make_problem()
    z = torch.cat([network.shared.ravel(), network.regional.ravel()]).detach()
    constant = 0.5 * len(z) * np.log(2 * np.pi)
    expected = stats.norm.logpdf(z).sum() + constant
    assert log_prior(network).item() == pytest.approx(expected)


def slope_along(function, network, direction, step=1e-6):
    """Return the derivative of a function of the parameters by differences."""
    parameters = [p for p in network.parameters() if p.numel()]
    start = parameters_to_vector(parameters).detach().clone()
    values = []
    for sign in (1.0, -1.0):
        vector_to_parameters(start + sign * step * direction, parameters)
        values.append(function().item())
    vector_to_parameters(start, parameters)
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("n_regions", [1, R])
@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_gradient(adstock, loss, n_regions):
    network, inputs, target = make_problem(adstock, n_regions=n_regions)
    parameters = [p for p in network.parameters() if p.numel()]
    known = {"context_baseline_spread_log": tensor([3.0, 7.0])}
    generator = torch.Generator().manual_seed(1)

    def posterior():
        return penalised_posterior(network, inputs, target, loss, known)

    for function in (
        posterior,
        lambda: log_likelihood(network, inputs, target, loss).sum(),
    ):
        network.zero_grad()
        function().backward()
        gradient = parameters_to_vector(
            [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        )
        for _ in range(2):
            direction = torch.randn(
                len(gradient), generator=generator, dtype=torch.float64
            )
            expected = slope_along(function, network, direction)
            assert (gradient @ direction).item() == pytest.approx(expected, rel=1e-4)


def test_draws_are_independent_of_each_other():
    network, inputs, target = make_problem()
    shared = torch.cat([network.shared, network.shared + 0.3]).detach()
    regional = torch.cat([network.regional, network.regional - 0.2]).detach()
    both = log_likelihood(network.at(shared, regional), inputs, target, LOSSES[1])
    for draw in range(2):
        one = network.at(shared[draw : draw + 1], regional[draw : draw + 1])
        alone = log_likelihood(one, inputs, target, LOSSES[1])
        assert both[draw].item() == pytest.approx(alone.item(), rel=1e-12)


# --- how many regions are independent -----------------------------------------------


def share_of_independent(y):
    n_regions, n_periods = y.shape
    sizes = Sizes(n_regions, 0, 0, 0, 0, 0)
    network = OutcomeNetwork(
        sizes,
        adstock="geometric",
        free_sign=torch.zeros(0, dtype=torch.bool),
        unit=0.5,
        level=True,
        context=None,
    )
    # A level that stands still, so that errors are those of y.
    network.shared.data[:, entries_of(network, "level_gain_logit")] = -10.0
    nothing = torch.zeros(n_regions, 0, n_periods, dtype=torch.float64)
    time = torch.linspace(-0.5, 0.5, n_periods, dtype=torch.float64)
    ones = torch.ones(n_regions, n_periods, dtype=torch.float64)
    inputs = Inputs(nothing, ones, nothing, nothing[0], time, nothing)
    return effective_regions(network, inputs, Target(tensor(y), ones))


def test_independent_regions_count_fully(rng):
    y = 1.0 + 0.1 * rng.normal(size=(20, 150))
    assert share_of_independent(y) == pytest.approx(1.0, abs=0.1)
    # A shock that all have in common is modelled, so it does not count against them.
    y = y + 0.1 * rng.normal(size=150)
    assert share_of_independent(y) == pytest.approx(1.0, abs=0.1)


def test_common_shock_among_regions_of_different_noise(rng):
    noise = np.geomspace(0.03, 0.3, 50)[:, None] * rng.normal(size=(50, 150))
    assert share_of_independent(1.0 + noise) == pytest.approx(1.0, abs=0.1)
    y = 1.0 + noise + 0.1 * rng.normal(size=150)
    assert share_of_independent(y) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("n_groups", [2, 3, 5])
def test_identical_regions_count_once(rng, n_groups):
    # The mean over regions is taken out: n groups leave n - 1 of R - 1 contrasts.
    groups = rng.normal(size=(n_groups, 400))
    y = 1.0 + 0.1 * np.repeat(groups, 30 // n_groups, axis=0)
    expected = (n_groups - 1) / 29
    assert share_of_independent(y) == pytest.approx(expected, rel=0.1)


# --- posterior ----------------------------------------------------------------------


def answer_by_differences(network, inputs, target, part, entry, step=1e-5):
    """Return how errors answer to one entry, in all regions at once, (R, T)."""
    answer = []
    for sign in (1.0, -1.0):
        points = {
            name: getattr(network, name).detach().clone()
            for name in ("shared", "regional")
        }
        points[part][..., entry] += sign * step
        answer.append(errors(network.at(**points), inputs, target)[0])
    return ((answer[0] - answer[1]) / (2 * step) * target.observed).detach()


@pytest.mark.parametrize("level", [True, False])
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_jacobian(adstock, level):
    network, inputs, target = make_problem(adstock, level=level)
    for part in ("shared", "regional"):
        priors = getattr(network, f"{part}_priors")
        for prior, where in positions(priors):
            got = jacobian(network, inputs, target, part, prior, where)
            assert got.shape == (prior.size, R, T)
            for answer, entry in zip(got, range(where.start, where.stop), strict=True):
                if prior.acts == "scale":
                    assert (answer == 0).all()
                    continue
                expected = answer_by_differences(network, inputs, target, part, entry)
                assert_allclose(answer, expected, atol=1e-6, err_msg=prior.name)


def full_jacobian(network, inputs, target):
    """Return the answers of all cells to all shared and regional parameters."""
    return [
        torch.cat(
            [
                jacobian(network, inputs, target, part, prior, where)
                for prior, where in positions(getattr(network, f"{part}_priors"))
            ]
        ).numpy()
        for part in ("shared", "regional")
    ]


def test_information_of_gaussian_noise():
    network, inputs, target = make_problem()
    shared, regional = full_jacobian(network, inputs, target)
    values = {name: value.detach() for name, value in network.values().items()}
    noise = np.exp(values["noise_log"][0].numpy())
    common = np.exp(values["common_log"].item())
    got = information(network, inputs, target, GAUSS)
    expected = 0.0
    for t in range(T):
        seen = target.observed[:, t].numpy() == 1
        covariance = np.diag(noise[seen] ** 2) + common**2
        answer = shared[:, seen, t]
        expected = expected + answer @ np.linalg.solve(covariance, answer.T)
    assert_allclose(got.shared, expected, atol=1e-8 * np.abs(expected).max())
    # Given the common shock, regions stand alone.
    weighted = regional / noise[None, :, None] ** 2
    expected = np.einsum("krt,jrt->rkj", weighted, regional)
    assert_allclose(got.regional, expected, atol=1e-8 * np.abs(expected).max())
    expected = np.einsum("krt,prt->rkp", weighted, shared)
    assert_allclose(got.cross, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.xfail(reason="only the shared block knows of the common shock")
def test_data_never_unsettle_the_prior():
    # Information is positive, so what is left of it for the shared parameters, once
    # the regional ones are free, adds to the prior's precision of one.
    network, inputs, target = make_problem()
    network.shared.data[:, entries_of(network, "common_log")] = 3.0
    known = information(network, inputs, target, GAUSS)
    own = known.regional + torch.eye(known.regional.shape[1], dtype=torch.float64)
    pull = torch.linalg.solve(own, known.cross)
    left = known.shared - torch.einsum("rkp,rkq->pq", known.cross, pull)
    assert torch.linalg.eigvalsh((left + left.T) / 2)[0] > -1e-6


@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
def test_outliers_and_weights_in_the_information(loss):
    network, inputs, target = make_problem(n_regions=1)
    noise = torch.exp(network.values()["noise_log"]).item()
    error = errors(network, inputs, target)[0].detach()
    weight = torch.rand(1, T, generator=torch.Generator().manual_seed(0)).double()
    heavy = Target(target.y, target.weight * weight)
    got = row_precision(network, inputs, heavy, loss)
    expected = heavy.weight * loss.weight(error / noise) / noise**2
    assert_allclose(got, expected, rtol=1e-10)


def test_draws_have_the_covariance_of_the_information():
    # A random arrow of two shared and three times two regional parameters.
    generator = torch.Generator().manual_seed(0)
    n_shared, n_regional = 2, 2
    size = n_shared + R * n_regional
    information_matrix = np.zeros((size, size))
    blocks = []
    for r in range(R):
        answer = torch.randn(
            9, n_shared + n_regional, generator=generator, dtype=torch.float64
        )
        blocks.append(answer.T @ answer)
        own = n_shared + n_regional * r + np.arange(n_regional)
        where = np.ix_([*range(n_shared), *own], [*range(n_shared), *own])
        information_matrix[where] += blocks[-1].numpy()
    blocks = torch.stack(blocks)
    known = Information(
        shared=blocks[:, :n_shared, :n_shared].sum(dim=0),
        cross=blocks[:, n_shared:, :n_shared],
        regional=blocks[:, n_shared:, n_shared:],
    )

    n_draws = 200_000
    shared, regional = draw_around_mode(known, n_draws, generator)
    assert shared.shape == (n_draws, n_shared)
    assert regional.shape == (n_draws, R, n_regional)
    draws = torch.cat([shared, regional.flatten(1)], dim=1).numpy()
    expected = np.linalg.inv(information_matrix + np.eye(size))
    sd = np.sqrt(np.diag(expected))
    # Five standard errors of a mean and of a correlation.
    assert_allclose(draws.mean(axis=0) / sd, 0.0, atol=5 / n_draws**0.5)
    covariance = np.cov(draws.T) / np.outer(sd, sd)
    assert_allclose(covariance, expected / np.outer(sd, sd), atol=8 / n_draws**0.5)
