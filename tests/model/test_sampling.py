"""Draws from the posterior: right where the answer is known, and repeatable."""

import inspect
import math
import weakref

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from network_problems import gradient_of, make_problem
from skmmm import DeepCausalMMMRegressor
from skmmm._model import coordinates, hmc
from skmmm._model.coordinates import Coordinates
from skmmm._model.inputs import Inputs
from skmmm._model.laplace import (
    LaplaceApproximation,
    all_ties,
    information,
    with_spreads_held,
)
from skmmm._model.likelihood import Loss, Target, log_likelihood, log_prior
from skmmm._model.network import OutcomeNetwork
from skmmm._model.posterior import Posterior
from skmmm._model.priors import Sizes, channel_priors
from skmmm._model.rows import mean_effects

# Huber's density with bounds that no error reaches is Gaussian.
GAUSS = Loss("huber", 30.0)
HELD = 1e12  # information about a parameter that is to stay where it is


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def entries(network, wanted):
    """Return which shared entries belong to the priors that `wanted` names."""
    return np.concatenate(
        [np.full(p.size, bool(wanted(p.name))) for p in network.shared_priors]
    )


def flat(shared, regional):
    return torch.cat([shared, regional.flatten(1)], dim=1)


def sampled(network, inputs, target, loss, n_draws, seed=0):
    """Return draws, (n_draws, n), and their mean as distances from the network."""
    draws, mean, *_ = hmc.sample(
        network, inputs, target, loss, n_draws, generator(seed)
    )
    assert not draws.shared.requires_grad
    return (
        flat(twin.shared - network.shared, twin.regional - network.regional).numpy()
        for twin in (draws, mean)
    )


# --- a posterior that is known ------------------------------------------------------


def gaussian_problem(n_regions=2, n_periods=25):
    """Return a linear model of known noise at its mode, with all that `sample` takes.

    Rows without order and media: intercept, controls and season, shared and regional.
    """
    seeded = generator(3)

    def randn(*shape):
        return torch.randn(*shape, generator=seeded, dtype=torch.float64)

    n_controls, n_season = 2, 2
    sizes = Sizes(n_regions, 0, n_controls, n_season, 0, 0)
    nothing, none = np.full((2, 0), np.nan), np.zeros(0, dtype=bool)
    network = OutcomeNetwork(
        sizes,
        adstock="geometric",
        free_sign=torch.zeros(0, dtype=torch.bool),
        channel_priors=channel_priors(
            np.zeros(0),
            none,
            *(nothing, nothing, nothing),
            none,
            *(np.zeros(0), np.zeros(0)),
            none,
            "geometric",
        ),
        level=False,
    )
    inputs = Inputs(
        media=torch.zeros(n_regions, 0, n_periods, dtype=torch.float64),
        high=torch.ones(n_regions, 0, 1, dtype=torch.float64),
        intensity=torch.zeros(n_regions, 0, dtype=torch.float64),
        known=torch.ones(n_regions, n_periods, dtype=torch.float64),
        controls=randn(n_regions, n_controls, n_periods),
        season=randn(n_season, n_periods),
        trend=torch.linspace(-0.5, 0.5, n_periods, dtype=torch.float64),
        states=torch.zeros(n_regions, 0, n_periods, dtype=torch.float64),
        demand=torch.zeros(n_regions, 0, n_periods, dtype=torch.float64),
    )
    y = 1.0 + 0.2 * randn(n_regions, n_periods)
    ones = torch.ones_like(y)
    target = Target(y, ones, ones, ones / ones.sum())
    known = noise_held(
        network,
        with_spreads_held(network, information(network, inputs, target, GAUSS)),
    )
    move_to_mode(network, inputs, target, LaplaceApproximation(known))
    return network, inputs, target, known


def noise_held(network, known):
    """Return the information of one who knows the noise for sure."""
    shared, regional = known.shared.clone(), known.regional.clone()
    for matrix, priors in (
        (shared, network.shared_priors),
        (regional, network.regional_priors),
    ):
        for prior, where in priors.positions():
            if prior.name == "noise_log":
                matrix.diagonal(dim1=-2, dim2=-1)[..., where] += HELD
    return type(known)(**{**vars(known), "shared": shared, "regional": regional})


def move_to_mode(network, inputs, target, approximation):
    """Move a linear network to the mode: one Newton step."""

    def posterior(twin):
        value = log_likelihood(twin, inputs, target, GAUSS)
        return (value + log_prior(twin, inputs, target)).sum()

    gradient = gradient_of(posterior, network)
    # The covariance is the root times its transpose.
    shared, regional = approximation.unwhiten(*approximation.unwhiten_vjp(*gradient))
    network.shared += shared
    network.regional += regional


@pytest.fixture(scope="module")
def gaussian():
    """Problem, draws and the covariance that they ought to have."""
    network, inputs, target, known = gaussian_problem()
    n_shared, (n_regions, n_regional) = len(known.shared), known.regional.shape[:2]
    precision = np.eye(n_shared + n_regions * n_regional)
    precision[:n_shared, :n_shared] += known.shared.numpy()
    for r in range(n_regions):
        own = slice(n_shared + r * n_regional, n_shared + (r + 1) * n_regional)
        precision[own, own] += known.regional[r].numpy()
        precision[own, :n_shared] = known.cross[r]
        precision[:n_shared, own] = known.cross[r].T
    return network, inputs, target, known, np.linalg.inv(precision)


@pytest.mark.parametrize("too_wide", [0.5, 2.0])
def test_draws_have_mean_and_covariance_of_a_gaussian_posterior(
    gaussian, too_wide, monkeypatch
):
    # Enough transitions to forget the start: how many it takes is another question.
    monkeypatch.setattr(hmc, "N_AFTER", 20)
    network, inputs, target, known, covariance = gaussian

    def other_width(*_, overwrite):
        approximation = LaplaceApproximation(known)
        approximation.shared_root = approximation.shared_root * too_wide
        approximation.root = approximation.root / too_wide
        approximation.with_shared = lambda *_: approximation
        return approximation

    # Chains start elsewhere than where the posterior is, and spreads are known.
    monkeypatch.setattr(coordinates, "LaplaceApproximation", other_width)
    monkeypatch.setattr(
        "skmmm._model.posterior.draw_spreads", lambda _network, *parts: parts[:2]
    )
    n_draws = 2000  # chains as well, independent of each other
    monkeypatch.setattr(hmc, "N_MOVES", 0)  # which would let the noise go
    draws, _ = sampled(network, inputs, target, GAUSS, n_draws)
    free = covariance.diagonal() > 10.0 / HELD
    assert free.sum() == 15  # shared and twice regional: intercept, controls, season
    sd = covariance.diagonal()[free] ** 0.5
    draws = draws[:, free] / sd
    # Five standard errors of a mean, a correlation and a variance.
    assert_allclose(draws.mean(axis=0), 0.0, atol=5 / n_draws**0.5)
    expected = covariance[np.ix_(free, free)] / np.outer(sd, sd)
    atol = 5 * (2 / n_draws) ** 0.5
    assert_allclose(np.cov(draws.T), expected, atol=atol)


def test_without_data_draws_of_spreads_are_those_of_the_prior(gaussian, monkeypatch):
    monkeypatch.setattr(hmc, "N_MOVES", 0)
    network, inputs, target, *_ = gaussian
    nothing = torch.zeros_like(target.y)
    target = Target(nothing, nothing, nothing, target.share)
    network = network.at(
        torch.zeros_like(network.shared), torch.zeros_like(network.regional)
    )
    n_draws = 1000
    draws, _ = sampled(network, inputs, target, GAUSS, n_draws)
    spreads = entries(network, lambda name: name.endswith("_spread_log"))
    found = draws[:, : len(spreads)][:, spreads]
    assert found.shape[1] >= 3
    assert_allclose(found.mean(axis=0), 0.0, atol=5 / n_draws**0.5)
    assert_allclose(found.std(axis=0), 1.0, atol=5 / (2 * n_draws) ** 0.5)
    # Deviations are in units of them.
    assert_allclose(draws.std(axis=0), 1.0, atol=5 / (2 * n_draws) ** 0.5)


def test_newton_step_reaches_the_mode(gaussian):
    network, inputs, target, known, covariance = gaussian
    around = Coordinates(network, known, all_ties(network, inputs, target))
    posterior = Posterior(around, inputs, target, GAUSS)
    here = posterior.at(torch.zeros(1, len(covariance), dtype=torch.float64))
    # As exact as the finite differences behind the information; in units of the sd.
    assert_allclose(here.gradient, 0.0, atol=1e-3)


# --- leapfrog -----------------------------------------------------------------------


class Recorder:
    """A posterior that remembers where it was asked, to recover the momentum."""

    def __init__(self, posterior):
        self.posterior, self.seen = posterior, []

    def gradient(self, place):
        found = self.posterior.gradient(place)
        self.seen.append((place, found[0]))
        return found

    def density(self, place):
        return self.posterior.density(place)

    def momentum(self, step):
        """Return the momentum at the end of the last transition."""
        (before, _), (last, gradient) = self.seen[-2:]
        return (last - before) / step + 0.5 * step * gradient


def always(n_chains):
    """Return the luck with which every proposal is accepted."""
    return torch.zeros(n_chains, dtype=torch.float64)


def energy(state, momentum):
    return 0.5 * momentum.square().sum(dim=1) - state.density


@pytest.fixture
def trajectory(national):
    """Posterior of a real fit, where four chains start, and their momentum."""
    network, inputs, target, loss = national
    known = information(network, inputs, target, loss)
    around = Coordinates(network, known, all_ties(network, inputs, target))
    posterior = Posterior(around, inputs, target, loss)
    n_chains, size = 4, network.shared.numel() + network.regional.numel()
    place, momentum = torch.randn(
        2, n_chains, size, generator=generator(), dtype=torch.float64
    )
    # Near the mode, so that no chain has to be refused.
    return Recorder(posterior), posterior.at(0.3 * place), momentum


def test_leapfrog_is_reversible(trajectory):
    posterior, start, momentum = trajectory
    how = 0.05, hmc.N_STEPS, always(len(momentum))
    end, _ = hmc._transition(posterior, start, momentum, *how)
    assert (end.position != start.position).all()
    back = -posterior.momentum(how[0])
    again, _ = hmc._transition(posterior, end, back, *how)
    assert_allclose(again.position, start.position, atol=1e-10)
    assert_allclose(again.density, start.density, rtol=1e-10)


def test_leapfrog_conserves_energy_as_steps_shrink(trajectory):
    posterior, start, momentum = trajectory
    changes = []
    for step in (0.02, 0.01, 0.005):
        luck = always(len(momentum))
        end, _ = hmc._transition(posterior, start, momentum, step, hmc.N_STEPS, luck)
        after = energy(end, posterior.momentum(step))
        changes.append((after - energy(start, momentum)).abs().max().item())
    # The error of a step falls with its third power.
    assert changes[1] < changes[0] / 4
    assert changes[2] < changes[1] / 4
    assert changes[2] < 1e-3


@pytest.mark.parametrize("adstock", ["geometric", "gru"])
def test_state_with_new_spreads_is_that_of_its_place(adstock):
    network, inputs, target = make_problem(adstock)
    known = information(network, inputs, target, GAUSS)
    around = Coordinates(network, known, all_ties(network, inputs, target))
    posterior = Posterior(around, inputs, target, GAUSS)
    state = posterior.state(
        network.shared.expand(3, -1), network.regional.expand(3, -1, -1)
    )
    new = posterior.with_new_spreads(state, generator())
    assert (new.position != state.position).any(dim=1).all()
    there = posterior.at(new.position)
    assert_allclose(new.density, there.density, rtol=1e-10)
    for found, expected in zip(new[2:], there[2:], strict=True):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_refused_chains_stay_where_they_are(trajectory):
    posterior, start, momentum = trajectory
    luck = torch.ones(len(momentum), dtype=torch.float64)
    luck[0] = 0.0
    end, change = hmc._transition(posterior, start, momentum, 0.05, hmc.N_STEPS, luck)
    assert (hmc._acceptance(change) < 1.0).any()
    assert (end.position[0] != start.position[0]).all()
    for after, before in zip(end, start, strict=True):
        assert_array_equal(after[1:], before[1:])


def test_a_step_into_the_void_is_refused(trajectory):
    posterior, start, momentum = trajectory
    end, change = hmc._transition(
        posterior,
        start,
        momentum,
        1e6,
        hmc.N_STEPS,
        torch.full((len(momentum),), 1e-300),
    )
    assert (hmc._acceptance(change) == 0.0).all()
    assert_array_equal(end.position, start.position)


@pytest.mark.parametrize("start", [0.05, 0.4, 1.0])
def test_step_size_finds_the_acceptance_aimed_at(start):
    for _ in range(1 + hmc.N_MOVES):
        size = hmc._StepSize(start)
        for _ in range(hmc.N_WARMUP):
            size.learn(math.exp(-size.now))  # made up; it falls with size
        start = size.now  # which the next begins with
    assert math.exp(-size.now) == pytest.approx(hmc._ACCEPT, abs=0.15)


# --- a real fit ---------------------------------------------------------------------


def test_step_sizes_are_handed_on_and_trajectories_fill_their_steps(
    national, monkeypatch
):
    """Where chains make few transitions, each is longer."""
    starts, ends, lengths = [], [], []

    class Noted(hmc._StepSize):
        def __init__(self, start):
            super().__init__(start)
            starts.append(start)

        def learn(self, accepted):
            super().learn(accepted)
            if self._count == hmc.N_WARMUP:
                ends.append(self.now)

    def transition(*args):
        lengths.append(args[4])
        return original(*args)

    original = hmc._transition
    monkeypatch.setattr(hmc, "_StepSize", Noted)
    monkeypatch.setattr(hmc, "_transition", transition)
    hmc.sample(*national, 2, generator())
    assert len(starts) == 1 + hmc.N_MOVES
    assert starts[1:] == ends[:-1]
    n_few = len(lengths)
    assert lengths == [hmc.N_ALL_STEPS // n_few] * n_few
    del lengths[:]
    monkeypatch.setattr(hmc, "N_AFTER", 8 * hmc.N_AFTER)
    hmc.sample(*national, 2, generator())
    assert set(lengths) == {hmc.N_STEPS}


def caught(world, **parameters):
    """Fit a regressor and return what it hands to `sample`, without the number."""
    handed = {}

    def catch(*args):
        handed.update(inspect.signature(hmc.sample).bind(*args).arguments)
        return hmc.sample(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skmmm._estimator.fitting.sample", catch)
        # The draws of this fit are of no use.
        for name in ("N_WARMUP", "N_AFTER", "N_STEPS", "N_ALL_STEPS"):
            patch.setattr(hmc, name, 1)
        patch.setattr(hmc, "N_MOVES", 0)
        DeepCausalMMMRegressor(
            region="region",
            time="week",
            controls=world.controls,
            max_lag=5,
            n_draws=2,
            random_state=0,
            **parameters,
        ).fit(world.X, world.y)
    names = ("network", "inputs", "target", "loss")
    return tuple(handed[name] for name in names)


@pytest.fixture(scope="module")
def national(series):
    """What `sample` gets from the fit of one series."""
    return caught(series, n_hidden=2)


@pytest.fixture(scope="module")
def regional(panel):
    """What `sample` gets from the fit of three regions."""
    return caught(panel, max_iter=60)


@pytest.mark.parametrize("problem", ["national", "regional"])
def test_chains_move_and_few_moves_are_lost(problem, request, monkeypatch):
    accepted = []

    def transition(*args):
        state, change = original(*args)
        accepted.append(hmc._acceptance(change).mean().item())
        return state, change

    original = hmc._transition
    monkeypatch.setattr(hmc, "_transition", transition)
    monkeypatch.setattr(hmc, "N_AFTER", 8)  # for a mean that is no accident
    hmc.sample(*request.getfixturevalue(problem), 8, generator())
    assert 0.5 < np.mean(accepted[-hmc.N_AFTER :]) < 0.97


@pytest.mark.parametrize("problem", ["national", "regional"])
def test_draws_of_a_real_fit(problem, request):
    network, inputs, target, loss = request.getfixturevalue(problem)
    n_draws = 8
    drawn, mean, *_ = hmc.sample(network, inputs, target, loss, n_draws, generator())
    assert drawn.shared.shape == (n_draws, network.shared.shape[1])
    assert drawn.regional.shape == (n_draws, *network.regional.shape[1:])
    assert mean.shared.shape == network.shared.shape
    assert mean.regional.shape == network.regional.shape
    assert not drawn.shared.requires_grad

    density = log_likelihood(drawn, inputs, target, loss)
    density = density + log_prior(drawn, inputs, target)
    assert torch.isfinite(density).all()

    # Nothing stays where it is.
    assert (flat(drawn.shared, drawn.regional).std(dim=0) > 1e-3).all()


@pytest.mark.usefixtures("fast")
def test_network_stays_at_the_mode(national):
    network, inputs, target, loss = national
    before = network.shared.clone(), network.regional.clone()
    hmc.sample(network, inputs, target, loss, 2, generator())
    assert_array_equal(network.shared, before[0])
    assert_array_equal(network.regional, before[1])


@pytest.mark.usefixtures("fast")
def test_draws_repeat_bit_by_bit(national):
    first, second, other = (
        next(sampled(*national, 5, seed=seed)) for seed in (1, 1, 2)
    )
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("n_draws", [1, 7, 8, 19])
def test_any_number_of_draws(national, monkeypatch, n_draws):
    # As few chains as may be, so that they give several draws each.
    monkeypatch.setattr(hmc, "_CELLS", 1)
    monkeypatch.setattr(hmc, "N_MOVES", 0)
    draws, _ = sampled(*national, n_draws)
    assert len(draws) == n_draws
    assert np.isfinite(draws).all()
    # A chain says the same again where it was refused, which is the exception.
    assert len(np.unique(draws, axis=0)) > 0.5 * n_draws


# Where `national` is sampled for long; parameters along which chains are quick.
QUICK = [
    *("noise_log", "control", "trend", "effect_mean", "effect", "level_gain_logit"),
    "half_saturation_log",
]
N_CHAINS = 96


@pytest.fixture(scope="module")
def short_and_long(national):
    """Draws as they are made, and after five times as many last transitions."""
    short, *_ = hmc.sample(*national, N_CHAINS, generator(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmc, "N_AFTER", 5 * hmc.N_AFTER)
        long, *_ = hmc.sample(*national, N_CHAINS, generator(2))
    return [(twin.shared - national[0].shared).numpy() for twin in (short, long)]


def agree(national, short_and_long, name):
    """Check centre and spread of a parameter, whatever its tails, within its error."""
    where = entries(national[0], name.__eq__)
    short, long = (draws[:, where] for draws in short_and_long)
    low, centre, high = np.quantile([short, long], [0.16, 0.5, 0.84], axis=1)
    spread = (high - low) / 2
    # Of normal draws, about four standard errors of the difference of two medians
    # (1.25 of the mean's), and of two log spreads (.98).
    atol = 4 * (2 / N_CHAINS) ** 0.5
    assert_allclose(*centre / spread[1], atol=1.25 * atol)
    assert_allclose(*np.log(spread), atol=0.98 * atol)


@pytest.mark.parametrize("name", QUICK)
def test_more_transitions_change_nothing(national, short_and_long, name):
    agree(national, short_and_long, name)


def test_places_that_are_all_draws_are_kept_once(national, monkeypatch):
    monkeypatch.setattr(hmc, "_CELLS", 1)
    monkeypatch.setattr(hmc, "N_MOVES", 0)
    n_all = hmc._MIN_CHAINS * hmc.N_AFTER
    draws, _, trace, _ = hmc.sample(*national, n_all, generator())
    assert draws is trace.places
    few, _, same, _ = hmc.sample(*national, n_all - 1, generator())
    assert_array_equal(few.shared, draws.shared[:-1])
    assert len(same.places.shared) == n_all
    inputs, target = national[1:3]
    assert_array_equal(trace.effects, mean_effects(draws, inputs, target.share))


def test_information_is_gone_when_chains_move(national, monkeypatch):
    """It is larger than all else that is known of a region."""
    made = []

    def told(*args):
        found = information(*args)
        made.append(weakref.ref(found))
        return found

    def gradient(posterior, position):
        assert made
        assert all(one() is None for one in made)
        return original(posterior, position)

    original = Posterior.gradient
    monkeypatch.setattr(Posterior, "gradient", gradient)
    for place in ("hmc", "posterior"):
        monkeypatch.setattr(f"skmmm._model.{place}.information", told)
    monkeypatch.setattr(hmc, "N_WARMUP", 1)
    hmc.sample(*national, 2, generator())
    assert len(made) == 1 + hmc.N_MOVES
