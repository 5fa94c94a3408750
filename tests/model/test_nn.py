"""The mathematics of the network, as functions of tensors."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from skmmm._model.adstock import (
    carry,
    carry_known,
    delayed_kernel,
    free_kernel,
    geometric_kernel,
    linear_scan,
    recurrent_carry,
    weibull_kernel,
)
from skmmm._model.context import draw_context
from skmmm._model.laplace import (
    Information,
    LaplaceApproximation,
    Ties,
    _with_answers_of_spreads,
    information,
    jacobian,
    prior_ties,
    root_of,
    row_precision,
    spread_information,
    with_spreads,
    with_spreads_held,
)
from skmmm._model.level import innovations, smooth_level
from skmmm._model.likelihood import (
    Loss,
    Target,
    effective_regions,
    error_precision,
    errors,
    log_likelihood,
    log_prior,
)
from skmmm._model.network import Inputs, OutcomeNetwork, exp_linear
from skmmm._model.optimise import penalised_posterior
from skmmm._model.priors import (
    EFFECT_DF,
    NOISE_FLOOR,
    NOISE_RATIO,
    Sizes,
    channel_priors,
    positions,
)
from skmmm._model.saturation import hill

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


pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_carry_of_media_that_differ_between_draws(rng):
    media = tensor(rng.exponential(size=(4, 3, 2, 17)))
    known = tensor(rng.uniform(size=(3, 17)) > 0.3)
    kernel = tensor(rng.dirichlet(np.ones(5), size=(4, 2)))
    together = carry(media, kernel), carry_known(media, known, kernel)
    for e in range(4):
        one = slice(e, e + 1)
        assert_allclose(together[0][one], carry(media[e], kernel[one]), rtol=1e-12)
        alone = carry_known(media[e], known, kernel[one])
        assert_allclose(together[1][one], alone, rtol=1e-12)


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

R, T, M, K, S, H, LAG = 3, 14, 3, 2, 2, 2, 3
# Channels: positive, of any sign, and one whose effect is as the user says.
FREE_SIGN, POOLED = [False, True, False], [True, True, False]


def make_channel_priors(adstock, n_media=M):
    """Return priors of channels: money, impressions, and as the user says."""
    effect, carryover, half_saturation = np.full((3, 2, n_media), np.nan)
    if n_media == M:
        effect[:, -1] = np.log(0.1), 0.3
        carryover[:, -1] = -0.2, 0.4
        half_saturation[:, -1] = 0.1, 0.2
    expected = np.full(n_media, np.log(0.15))
    money, spiked = np.arange(n_media) == 0, np.arange(n_media) == 1
    return channel_priors(
        expected, money, effect, carryover, half_saturation, spiked, adstock
    )


def context_columns(season, trend, controls):
    """Return what the GRU reads, shape (R, S + 1 + K, T)."""
    calendar = torch.cat([season, trend[None]]).expand(len(controls), -1, -1)
    return torch.cat([calendar, controls], dim=1)


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
    network = OutcomeNetwork(
        sizes,
        adstock=adstock,
        free_sign=torch.tensor(FREE_SIGN),
        channel_priors=make_channel_priors(adstock),
        level=level,
    )
    observed = torch.ones(n_regions, T, dtype=torch.float64)
    observed[0, 5] = observed[-1, 9:11] = 0.0
    known = torch.nn.functional.pad(observed, (sizes.max_lag, 0), value=1.0)
    controls = randn(n_regions, K, T)
    season, trend = randn(S, T), torch.linspace(-0.5, 0.5, T, dtype=torch.float64)
    states = torch.zeros(n_regions, 0, T, dtype=torch.float64)
    if level:
        columns = context_columns(season, trend, controls)
        context = draw_context(H, S, K, n_regions, generator)
        states = context.centred(columns, observed).states(columns)
    media = randn(n_regions, M, sizes.max_lag + T).exp() * known[:, None]
    inputs = Inputs(
        media=media,
        high=0.4 * media.amax(dim=2, keepdim=True),
        known=known,
        controls=controls,
        season=season,
        trend=trend,
        states=states,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * randn(*parameter.shape))
    y = (1.0 + 0.2 * randn(n_regions, T)) * observed
    share = observed / observed.sum()
    return network, inputs, Target(y, observed, observed, share)


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
        others = [other for other in range(M) if other != m]
        assert (slope[:, others] == 0).all()
        if not FREE_SIGN[m]:
            assert (effects[:, m] >= 0).all()
            assert (slope[:, m][inputs.known == 1] >= 0).all()
    silent = Inputs(**{**vars(inputs), "media": torch.zeros_like(inputs.media)})
    assert_allclose(network(silent).media.detach(), 0.0, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_spikes_count_as_far_as_they_are_believed(share):
    network, inputs, _ = make_problem()
    values = network.values()
    values["spike_logit"] = torch.logit(tensor([[share] * M]))
    media, high = inputs.media.numpy(), inputs.high.numpy()
    believed = np.where(media > high, high * (media / high) ** share, media)
    # Only the second channel has spikes.
    believed = np.where(np.arange(M)[:, None] == 1, believed, media)
    assert np.allclose(believed, media) == (share == 1.0)
    expected = network.adstocked(values, tensor(believed), inputs.known)
    got = network.carried_over(values, inputs)
    assert_allclose(got.detach(), expected.detach(), rtol=1e-10)


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_impulse_response_sums_to_one(adstock):
    network, _, _ = make_problem(adstock)
    response = network.impulse_response(network.values()).detach()
    assert response.shape == (1, M, LAG + 1)
    assert (response >= 0).all()
    assert_allclose(response.sum(dim=-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("channel", range(M))
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_one_channel_alone_does_what_it_does_among_others(adstock, channel):
    network, inputs, _ = make_problem(adstock)
    together = network(inputs).media.detach()
    own = inputs.media[:, channel : channel + 1]
    alone = network.channel_effects([channel], inputs, own).detach()
    assert_allclose(alone[:, :, 0], together[:, :, channel], rtol=1e-12)
    twice = Inputs(**{**vars(inputs), "media": 2.0 * inputs.media})
    double = network.channel_effects([channel], inputs, 2.0 * own).detach()
    expected = network(twice).media[:, :, channel].detach()
    assert_allclose(double[:, :, 0], expected, rtol=1e-12)


def test_grown_is_exponential_below_zero_and_linear_above():
    below, above = torch.linspace(-9.0, 0.0, 19), torch.linspace(0.0, 9.0, 19)
    assert_allclose(exp_linear(below), torch.exp(below), rtol=1e-6)
    assert_allclose(exp_linear(above), 1.0 + above, rtol=1e-6)
    # Value and slope agree where the pieces meet.
    step = 1e-6
    ends = exp_linear(tensor([-step, 0.0, step]))
    assert_allclose(ends.diff() / step, 1.0, atol=step)
    at_zero = tensor(0.0).requires_grad_()
    (slope,) = torch.autograd.grad(exp_linear(at_zero), at_zero)
    assert torch.isfinite(slope)


# --- context ------------------------------------------------------------------------

N_UNITS = 4  # two that watch time alone, two that mix all columns


def make_context(n_regions=R, n_controls=K, seed=0):
    """Return drawn weights with columns and observed cells to read."""
    generator = torch.Generator().manual_seed(seed)
    context = draw_context(N_UNITS, S, n_controls, n_regions, generator)
    columns = torch.randn(
        n_regions, S + 1 + n_controls, T, generator=generator, dtype=torch.float64
    )
    observed = torch.ones(n_regions, T, dtype=torch.float64)
    observed[0, 5] = observed[-1, 9:11] = 0.0
    return context, columns, observed


def test_states_are_those_of_a_gated_unit():
    context, columns, _ = make_context()
    gate_weight, candidate_weight = context.weight.numpy()
    gate_bias, candidate_bias = context.bias.numpy()
    state, expected = np.zeros((R, N_UNITS)), []
    for seen in np.moveaxis(columns.numpy(), 2, 0):
        gate = 1.0 / (1.0 + np.exp(-(seen @ gate_weight.T + gate_bias)))
        candidate = np.tanh(seen @ candidate_weight.T + candidate_bias)
        state = (1.0 - gate) * state + gate * candidate
        expected.append(state)
    expected = np.stack(expected, axis=-1)
    assert_allclose(context.states(columns), expected, rtol=1e-10, atol=1e-14)


def test_states_have_mean_zero_over_observed_cells():
    context, columns, observed = make_context()
    before = context.states(columns)
    centred = context.centred(columns, observed)
    states = centred.states(columns)
    assert_allclose((states * observed[:, None]).sum(dim=2), 0.0, atol=1e-12)
    # Masked cells are moved as the others are, but do not count.
    moved = (before - states).numpy()
    assert_allclose(moved, np.broadcast_to(moved[..., :1], moved.shape), atol=1e-14)
    again = centred.centred(columns, observed)
    assert_allclose(again.mean, centred.mean, atol=1e-14)


def test_region_without_observed_cells_keeps_its_states():
    context, columns, observed = make_context()
    observed[1] = 0.0
    states = context.centred(columns, observed).states(columns)
    assert_array_equal(states[1], context.states(columns)[1])


def test_order_of_controls_does_not_matter_to_the_states():
    context, columns, _ = make_context(n_controls=3)
    order = [*range(S + 1), S + 3, S + 1, S + 2]
    got = context.states(columns[:, order])
    assert_allclose(got, context.states(columns), rtol=1e-12, atol=1e-14)


def test_every_other_unit_watches_time_alone():
    context, columns, _ = make_context()
    other = torch.randn_like(columns)
    other[:, S] = columns[:, S]
    same, changed = context.states(columns), context.states(other)
    assert_array_equal(same[:, ::2], changed[:, ::2])
    assert (same[:, 1::2] != changed[:, 1::2]).all()


def test_states_of_regions_beyond_training():
    context, columns, observed = make_context()
    context = context.centred(columns, observed)
    more = torch.cat([columns, columns[:2]])
    states = context.states(more)
    assert_array_equal(states[:R], context.states(columns))
    # The columns of the first region, less the mean of all.
    expected = states[0] + (context.mean[0] - context.mean.mean(dim=0))[:, None]
    assert_allclose(states[R], expected, atol=1e-14)


@pytest.mark.parametrize("n_controls", [0, K])
def test_context_repeats_with_its_generator(n_controls):
    first, second, other = (
        make_context(n_controls=n_controls, seed=seed)[0] for seed in (3, 3, 4)
    )
    assert_array_equal(first.weight, second.weight)
    assert_array_equal(first.bias, second.bias)
    assert not torch.equal(first.weight, other.weight)


# --- parameters ---------------------------------------------------------------------


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
    problems = [make_problem(seed=seed) for seed in (0, 1)]
    expected = []
    for network, inputs, target in problems:
        shared, regional = network.shared[0].detach(), network.regional.detach()
        pooled = np.zeros(len(shared), dtype=bool)
        pooled[entries_of(network, "effect")] = POOLED
        together = stats.multivariate_t(np.zeros(sum(POOLED)), df=EFFECT_DF)
        # The last channel has a prior of its own, on the mean of what is reported.
        own = entries_of(network, "effect").stop - 1
        others = ~pooled
        others[own] = False
        rest = [*shared[others], *regional.ravel()]
        effects = network(inputs).media[0, :, -1].detach()
        mean = np.log((effects * target.share).sum().item())
        expected.append(
            together.logpdf(shared[pooled])
            + stats.norm.logpdf(rest).sum()
            + stats.norm.logpdf(mean, np.log(0.1), 0.3)
        )
    got = [log_prior(*problem).item() for problem in problems]
    # Constants are left out.
    assert got[1] - got[0] == pytest.approx(expected[1] - expected[0], rel=1e-10)


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
        channel_priors=make_channel_priors("geometric", n_media=0),
        level=True,
    )
    # A level that stands still, so that errors are those of y.
    network.shared.data[:, entries_of(network, "level_gain_logit")] = -10.0
    nothing = torch.zeros(n_regions, 0, n_periods, dtype=torch.float64)
    time = torch.linspace(-0.5, 0.5, n_periods, dtype=torch.float64)
    ones = torch.ones(n_regions, n_periods, dtype=torch.float64)
    inputs = Inputs(nothing, nothing, ones, nothing, nothing[0], time, nothing)
    target = Target(tensor(y), ones, ones, ones / ones.sum())
    return effective_regions(network, inputs, target)


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


@pytest.mark.parametrize("n_regions", [1, R])
def test_answers_of_spreads(n_regions):
    network, inputs, target = make_problem(n_regions=n_regions)
    shared = full_jacobian(network, inputs, target)[0]
    spreads = [p.name for p in network.shared_priors if p.name.endswith("_spread_log")]
    assert spreads
    for name in spreads:
        (entry,) = range(*entries_of(network, name).indices(len(shared)))
        # What errors do when deviations grow; a scale of the noise moves none.
        expected = answer_by_differences(network, inputs, target, "shared", entry)
        assert_allclose(shared[entry], expected, atol=1e-6, err_msg=name)


def full_jacobian(network, inputs, target):
    """Return the answers of all cells to all shared and regional parameters."""
    shared, regional = (
        torch.cat(
            [
                network.shared.new_zeros(0, *target.y.shape),
                *(
                    jacobian(network, inputs, target, part, prior, where)
                    for prior, where in positions(priors)
                ),
            ]
        )
        for part, priors in (
            ("shared", network.shared_priors),
            ("regional", network.regional_priors),
        )
    )
    return _with_answers_of_spreads(network, shared, regional), regional


def dense_answers(network, inputs, target):
    """Return how all cells answer to all shared, regional and shock parameters.

    Returns
    -------
    answers : ndarray of shape (n_shared + R * n_regional + T, R, T)
    """
    shared, regional = full_jacobian(network, inputs, target)
    n_regions, n_regional = len(target.y), len(regional)
    own = torch.zeros(n_regions, n_regional, *target.y.shape, dtype=torch.float64)
    for r in range(n_regions):
        own[r, :, r] = regional[:, r]
    common = torch.exp(network.values()["common_log"].detach())
    shock = torch.eye(T, dtype=torch.float64)[:, None] * target.observed * common
    return torch.cat([shared, own.flatten(0, 1), shock]).numpy()


def dense(known):
    """Return an `Information` as one matrix of shared, regional and shock."""
    n_shared, (n_regions, n_regional) = len(known.shared), known.regional.shape[:2]
    n_own = n_shared + n_regions * n_regional
    matrix = np.zeros((n_own + len(known.shock),) * 2)
    matrix[:n_shared, :n_shared] = known.shared
    matrix[n_own:, n_own:] = np.diag(known.shock)
    matrix[:n_shared, n_own:] = known.shared_shock
    for r in range(n_regions):
        where = slice(n_shared + r * n_regional, n_shared + (r + 1) * n_regional)
        matrix[where, where] = known.regional[r]
        matrix[where, :n_shared] = known.cross[r]
        matrix[where, n_own:] = known.cross_shock[r]
        matrix[:n_shared, where] = known.cross[r].T
    upper = np.triu(np.ones_like(matrix), 1).astype(bool)
    upper[:, :n_own] = False
    matrix.T[upper] = matrix[upper]
    return matrix


def of_noise(network):
    """Return which entries of `dense` are scales of the noise."""
    parts = [
        np.concatenate(
            [np.full(prior.size, prior.name == "noise_log") for prior in priors]
        )
        for priors in (network.shared_priors, network.regional_priors)
    ]
    n_regions = network.sizes.n_regions
    return np.concatenate([parts[0], np.tile(parts[1], n_regions), np.full(T, False)])


def test_information_of_gaussian_noise():
    network, inputs, target = make_problem()
    answers = dense_answers(network, inputs, target)
    noise = torch.exp(network.values()["noise_log"][0]).detach().numpy()
    weighted = answers / noise[:, None] ** 2
    expected = np.einsum("prt,qrt->pq", answers, weighted)
    known = information(network, inputs, target, GAUSS)
    got = dense(known)
    # Errors say nothing about the scale of their noise; another test looks at it.
    other = ~of_noise(network)
    assert_allclose(
        got[np.ix_(other, other)],
        expected[np.ix_(other, other)],
        atol=1e-8 * np.abs(expected).max(),
    )
    assert_array_equal(got[np.ix_(other, ~other)], 0.0)


def test_information_without_shock():
    network, inputs, target = make_problem()
    shared = full_jacobian(network, inputs, target)[0].numpy()
    noise = torch.exp(network.values()["noise_log"][0]).detach().numpy()
    common = torch.exp(network.values()["common_log"]).item()
    expected = 0.0
    for t in range(T):
        seen = target.observed[:, t].numpy() == 1
        covariance = np.diag(noise[seen] ** 2) + common**2
        answer = shared[:, seen, t]
        expected = expected + answer @ np.linalg.solve(covariance, answer.T)
    known = information(network, inputs, target, GAUSS)
    left = known.without_shock()
    (entry,) = np.flatnonzero(of_noise(network)[: len(shared)])
    expected[entry, entry] = left[entry, entry]
    assert_allclose(left, expected, atol=1e-8 * np.abs(expected).max())


def test_information_about_the_scale_of_noise():
    # Fisher's information about a log scale is two for every row.
    network, inputs, target = make_problem()
    where = of_noise(network)
    noise_log = network.values()["noise_log"][0]
    parameters = list(network.parameters())
    answers = [
        torch.cat(
            [p.ravel() for p in torch.autograd.grad(n, parameters, retain_graph=True)]
        )
        for n in noise_log
    ]
    answers = torch.stack(answers, dim=1).numpy()[where[:-T]]
    rows = target.observed.sum(dim=1).numpy()
    got = dense(information(network, inputs, target, GAUSS))[np.ix_(where, where)]
    assert_allclose(got, 2.0 * (answers * rows) @ answers.T, rtol=1e-10)


@pytest.mark.parametrize("shock", [0.0, 3.0])
def test_data_never_unsettle_the_prior(shock):
    # Information is positive, so what is left of it for shared parameters and shocks,
    # once the regional ones are free, adds to the prior's precision of one.
    network, inputs, target = make_problem()
    network.shared.data[:, entries_of(network, "common_log")] = shock
    known = information(network, inputs, target, GAUSS)
    precision = dense(known) + np.eye(len(dense(known)))
    n_shared, n_regional = len(known.shared), known.regional[..., 0].numel()
    regional = np.zeros(len(precision), dtype=bool)
    regional[n_shared : n_shared + n_regional] = True
    cross = precision[np.ix_(~regional, regional)]
    pull = np.linalg.solve(precision[np.ix_(regional, regional)], cross.T)
    left = precision[np.ix_(~regional, ~regional)] - cross @ pull
    assert np.linalg.eigvalsh(left)[0] > 1.0 - 1e-8


@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
def test_outliers_and_weights_in_the_information(loss):
    network, inputs, target = make_problem(n_regions=1)
    noise = torch.exp(network.values()["noise_log"]).item()
    error = errors(network, inputs, target)[0].detach()
    weight = torch.rand(1, T, generator=torch.Generator().manual_seed(0)).double()
    heavy = replace(target, count=target.count * weight)
    got = row_precision(network, inputs, heavy, loss)
    expected = heavy.count * loss.weight(error / noise) / noise**2
    assert_allclose(got, expected, rtol=1e-10)


def test_the_noise_of_a_row_has_the_variance_over_its_precision():
    # Without a level errors are noise alone.
    network, inputs, target = make_problem(level=False)
    precision = 0.5 + torch.rand(R, T, generator=torch.Generator().manual_seed(0))
    uneven = replace(target, precision=target.precision * precision)
    noise = torch.exp(network.values()["noise_log"])[..., None] / precision.sqrt()
    error = errors(network, inputs, uneven)
    expected = stats.norm.logpdf(error.detach(), scale=noise.detach())
    got = log_likelihood(network, inputs, uneven, GAUSS)
    assert got.item() == pytest.approx((expected * target.count.numpy()).sum())


def test_equal_precision_is_the_usual_one():
    network, _, target = make_problem()
    values = network.values()
    assert_allclose(
        error_precision(network, target, values)[0].detach(), target.observed
    )


def test_an_imprecise_row_hardly_moves_the_level(rng):
    residual = tensor(rng.normal(0, 0.1, (1, 1, 30)))
    residual[..., 10] = 1e3
    precision = torch.ones(1, 30, dtype=torch.float64)
    precision[:, 10] = 1e-12
    gain, persistence = tensor([0.3]), tensor([0.95])
    found = innovations(residual, precision, gain, persistence)
    without = innovations(residual, (precision > 0.5).double(), gain, persistence)
    others = torch.arange(30) != 10
    assert_allclose(found[..., others], without[..., others], atol=1e-6)
    arguments = gain, persistence, torch.ones(1, 1, dtype=torch.float64)
    level = smooth_level(residual, precision, *arguments)
    unseen = smooth_level(residual, (precision > 0.5).double(), *arguments)
    assert_allclose(level.mean, unseen.mean, atol=1e-6)


def test_noise_has_a_floor():
    network = make_problem()[0]
    (shared,) = (
        w for p, w in positions(network.shared_priors) if p.name == "noise_log"
    )
    network.shared.data[:, shared] = -1e3
    (own,) = (w for p, w in positions(network.regional_priors) if p.name == "noise_log")
    network.regional.data[:, 0, own] = -1e4
    noise = torch.exp(network.values()["noise_log"][0]).detach()
    assert (noise >= 0.999 * NOISE_FLOOR * NOISE_RATIO).all()
    network.shared.data[:, shared] = 0.0
    noise = torch.exp(network.values()["noise_log"][0]).detach()
    assert noise[0].item() == pytest.approx(0.1 * NOISE_RATIO, rel=1e-3)


def random_information(n_shared=2, n_regional=3, n_shocks=0):
    """Return an arrow of information about made-up parameters.

    Nine cells per region answer to the shared and its own regional parameters; each
    shock hits one of the cells of every region.
    """
    generator = torch.Generator().manual_seed(0)
    n_cells = 9

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shared, regional = randn(R, n_shared, n_cells), randn(R, n_regional, n_cells)
    size = 1.5
    return Information(
        shared=torch.einsum("rpt,rqt->pq", shared, shared),
        cross=regional @ shared.transpose(1, 2),
        regional=regional @ regional.transpose(1, 2),
        shock=torch.full((n_shocks,), R * size**2, dtype=torch.float64),
        shared_shock=size * shared.sum(dim=0)[:, :n_shocks],
        cross_shock=size * regional[..., :n_shocks],
    )


def displacement(approximation):
    """Return the matrix that unwhitens standard normals."""
    n_shared, (n_regions, n_regional) = (
        len(approximation.shared_root),
        approximation.root.shape[:2],
    )
    size = n_shared + n_regions * n_regional
    basis = torch.eye(size, dtype=torch.float64)
    shared, regional = approximation.unwhiten(
        basis[:, :n_shared], basis[:, n_shared:].reshape(size, n_regions, n_regional)
    )
    return torch.cat([shared, regional.flatten(1)], dim=1).T.numpy()


def test_bell_has_the_covariance_of_the_information():
    known = random_information()
    root = displacement(LaplaceApproximation(known))
    precision = dense(known) + np.eye(len(root))
    assert_allclose(root @ root.T, np.linalg.inv(precision), atol=1e-12)


def test_ties_between_regions():
    known = random_information()
    generator = torch.Generator().manual_seed(2)
    shape = known.cross.shape
    ties = Ties(
        torch.randn(2, shape[2], generator=generator, dtype=torch.float64),
        torch.randn(2, *shape[:2], generator=generator, dtype=torch.float64),
        tensor([1.0, -0.2]),
    )
    flat = torch.cat([ties.shared, ties.regional.flatten(1)], dim=1).numpy()
    size = flat.shape[1]
    precision = dense(known) + np.eye(size) + flat.T * ties.sign.numpy() @ flat
    root = displacement(LaplaceApproximation(known, ties))
    assert_allclose(root @ root.T, np.linalg.inv(precision), atol=1e-12)


def test_prior_on_a_mean_effect_ties_regions():
    # The Gaussian approximation has the curvature of the prior where it is linear.
    network, inputs, target = make_problem()
    ties = prior_ties(network, inputs, target)
    parameters = list(network.parameters())
    (surprise,) = network.surprises(inputs, target.share)[0]
    slopes = torch.autograd.grad(surprise, parameters)
    assert_allclose(ties.shared[1], slopes[0][0])
    assert_allclose(ties.regional[1], slopes[1][0])
    own = np.zeros(len(ties.shared[0]))
    own[entries_of(network, "effect").stop - 1] = 1.0
    assert_allclose(ties.shared[0], own)
    assert_allclose(ties.sign, [-1.0, 1.0])


@pytest.mark.parametrize("size", [1e6, 1e12, 1e18])
def test_roots_of_precisions_that_rounding_has_spoilt(rng, size):
    rows = tensor(rng.normal(size=(3, 20)))
    one, other = torch.eye(20, dtype=torch.float64), size * rows.T @ rows
    matrices = torch.stack([one, one + other, other])
    roots = root_of(matrices)
    assert_allclose(roots[0], one)
    for root, matrix in zip(roots, matrices, strict=True):
        assert_allclose(root @ root.T, matrix, atol=1e-12 * size + 1.0 + 1e-9)
        inverse = torch.linalg.solve_triangular(root, one, upper=False)
        # No direction is less certain than the prior.
        assert torch.linalg.matrix_norm(inverse, 2) < 1.0 + 1e-3


def test_bell_integrates_shocks_out_of_shared_parameters():
    known = random_information(n_shocks=4)
    approximation = LaplaceApproximation(known)
    precision = dense(known) + np.eye(len(dense(known)))
    n_shared = len(known.shared)
    covariance = np.linalg.inv(precision)[:n_shared, :n_shared]
    root = displacement(approximation)
    assert_allclose(root[:n_shared] @ root[:n_shared].T, covariance, atol=1e-12)
    assert_allclose(
        approximation.shared_root @ approximation.shared_root.T, covariance, atol=1e-12
    )


def test_bell_draws_regions_given_the_shared_parameters():
    known = random_information(n_shocks=4)
    approximation = LaplaceApproximation(known)
    n_shared, n_regional = len(known.shared), known.regional.shape[1]
    root = displacement(approximation)
    for r in range(R):
        own = n_shared + r * n_regional + np.arange(n_regional)
        precision = known.regional[r].numpy() + np.eye(n_regional)
        given = root[np.ix_(own, own)]
        assert_allclose(given @ given.T, np.linalg.inv(precision), atol=1e-12)
        # Where the shared parameters move, the regional ones make up for it.
        pulled = root[own, :n_shared]
        expected = -np.linalg.solve(
            precision, known.cross[r] @ approximation.shared_root
        )
        assert_allclose(pulled, expected, atol=1e-12)
        others = np.setdiff1d(np.arange(n_shared, len(root)), own)
        assert_array_equal(root[np.ix_(own, others)], 0.0)


@pytest.mark.parametrize("n_shocks", [0, 4])
@pytest.mark.parametrize("n_regional", [0, 3])
def test_pulled_back_is_the_transpose_of_displaced(n_regional, n_shocks):
    approximation = LaplaceApproximation(
        random_information(n_regional=n_regional, n_shocks=n_shocks)
    )
    generator = torch.Generator().manual_seed(1)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n_draws, n_shared = 5, len(approximation.shared_root)
    normals, gradients = (
        (randn(n_draws, n_shared), randn(n_draws, R, n_regional)) for _ in range(2)
    )

    def inner(left, right):
        pairs = zip(left, right, strict=True)
        return sum((a * b).flatten(1).sum(dim=1) for a, b in pairs)

    assert_allclose(
        inner(approximation.unwhiten(*normals), gradients),
        inner(normals, approximation.unwhiten_vjp(*gradients)),
        rtol=1e-10,
    )


def test_spreads_that_are_held_do_not_move():
    network, inputs, target = make_problem()
    known = information(network, inputs, target, GAUSS)
    held = np.concatenate(
        [np.full(p.size, p.name.endswith("_spread_log")) for p in network.shared_priors]
    )
    sd = (
        LaplaceApproximation(with_spreads_held(network, known))
        .shared_root.square()
        .sum(dim=1)
        .sqrt()
    )
    # In prior standard deviations.
    assert (sd[held] < 2e-6).all()
    assert (sd[~held] > 1e-2).all()
    # Everything else is as if spreads were no parameters.
    precision = dense(known) + np.eye(len(dense(known)))
    free = np.ones(len(precision), dtype=bool)
    free[: len(held)] = ~held
    expected = np.linalg.inv(precision[np.ix_(free, free)]).diagonal() ** 0.5
    assert_allclose(sd[~held], expected[: (~held).sum()], rtol=1e-6)


def test_evidence_about_spreads():
    network, inputs, target = make_problem()
    known = information(network, inputs, target, GAUSS)
    told = spread_information(network, known)
    spreads = {n for n in network.values() if n.endswith("_spread_log")}
    assert set(told) == spreads
    more = with_spreads(network, known, told)
    added = (more.shared - known.shared).numpy()
    assert_allclose(added, np.diag(added.diagonal()), atol=1e-9)
    for prior, where in positions(network.shared_priors):
        if prior.name not in spreads:
            assert_array_equal(added[where, where], 0.0)
            continue
        # Half of -log(1 + s^2 I), summed over deviations, has by log s the expected
        # curvature 2 (s^2 I / (1 + s^2 I))^2 where deviations are as large as s says.
        variance = torch.exp(2.0 * network.values()[prior.name].detach())
        seen = variance * told[prior.name]
        expected = 2.0 * prior.scale**2 * (seen / (1.0 + seen)).square().sum()
        assert added[where, where].item() == pytest.approx(expected.item(), rel=1e-6)
