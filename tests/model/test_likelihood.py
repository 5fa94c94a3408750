"""Likelihood and prior, their gradients, and how many regions count."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from network_problems import (
    GAUSS,
    LOSSES,
    POOLED,
    R,
    T,
    entries_of,
    gradient_of,
    make_channel_priors,
    make_problem,
    tensor,
)
from skmmm._model import ADSTOCKS
from skmmm._model.deviations import DeviationInformation
from skmmm._model.inputs import Inputs
from skmmm._model.laplace import information
from skmmm._model.likelihood import (
    Target,
    effective_regions,
    errors,
    log_density,
    log_likelihood,
    log_prior,
)
from skmmm._model.network import OutcomeNetwork
from skmmm._model.optimise import penalised_posterior
from skmmm._model.priors import (
    EFFECT_DF,
    Sizes,
)

# --- likelihood ---------------------------------------------------------------------


def test_likelihood_of_a_common_shock():
    # With Gaussian noise the shock can be integrated out by dense matrices.
    network, inputs, target = make_problem()
    values = {name: value for name, value in network.values().items()}
    error = errors(network, inputs, target)[0].numpy()
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
        shared, regional = network.shared[0], network.regional
        pooled = np.zeros(len(shared), dtype=bool)
        pooled[entries_of(network, "effect")] = POOLED
        together = stats.multivariate_t(np.zeros(sum(POOLED)), df=EFFECT_DF)
        # The last channel has a prior of its own, on the mean of what the KPI shows.
        own = entries_of(network, "effect").stop - 1
        others = ~pooled
        others[own] = False
        rest = [*shared[others], *regional.ravel()]
        effects = network.visible_media_effects(network.values(), inputs)[0, :, -1]
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
    """Return the derivative of a function of a network by differences."""
    values = [
        function(
            network.at(
                network.shared + sign * step * direction[0],
                network.regional + sign * step * direction[1],
            )
        ).item()
        for sign in (1.0, -1.0)
    ]
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("n_regions", [1, R])
@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_gradient(adstock, loss, n_regions):
    network, inputs, target = make_problem(adstock, n_regions=n_regions)
    known = information(network, inputs, target, loss)
    deviations = DeviationInformation(network, inputs, target, loss, known)
    generator = torch.Generator().manual_seed(1)

    def posterior(network):
        return penalised_posterior(network, inputs, target, loss, deviations)

    def likelihood(network):
        return log_likelihood(network, inputs, target, loss).sum()

    for function in (posterior, likelihood):
        gradient = gradient_of(function, network)
        for _ in range(2):
            direction = [
                torch.randn(part.shape, generator=generator, dtype=torch.float64)
                for part in gradient
            ]
            expected = slope_along(function, network, direction)
            found = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))
            assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("level", [True, False], ids=["level", "no order"])
@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
def test_density_of_rows_that_count_differently_has_derivatives(rng, loss, level):
    network, _, target = make_problem(level=level)
    count, precision = (rng.uniform(0.2, 2.0, (R, T)) for _ in range(2))
    count[0, 5] = precision[0, 5] = 0.0
    target = replace(target, count=tensor(count), precision=tensor(precision))
    values = network.values()
    del values["noise_log"]

    def density(error, noise_log, gain):
        own = values | {"noise_log": noise_log, "level_gain_logit": gain}
        return log_density(network, error, target, own, loss)

    free = rng.normal(size=(2, R, T)), 0.3 * rng.normal(size=(2, R)), rng.normal(size=2)
    assert torch.autograd.gradcheck(
        density, [tensor(part).requires_grad_() for part in free]
    )


def test_draws_are_independent_of_each_other():
    network, inputs, target = make_problem()
    shared = torch.cat([network.shared, network.shared + 0.3])
    regional = torch.cat([network.regional, network.regional - 0.2])
    both = log_likelihood(network.at(shared, regional), inputs, target, LOSSES[1])
    for draw in range(2):
        one = network.at(shared[draw : draw + 1], regional[draw : draw + 1])
        alone = log_likelihood(one, inputs, target, LOSSES[1])
        assert both[draw].item() == pytest.approx(alone.item(), rel=1e-12)


# --- how many regions are independent -----------------------------------------------


def independent_share(y):
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
    network.shared[:, entries_of(network, "level_gain_logit")] = -10.0
    nothing = torch.zeros(n_regions, 0, n_periods, dtype=torch.float64)
    time = torch.linspace(-0.5, 0.5, n_periods, dtype=torch.float64)
    ones = torch.ones(n_regions, n_periods, dtype=torch.float64)
    none = nothing, nothing, nothing[:, :, 0]
    inputs = Inputs(*none, ones, nothing, nothing[0], time, nothing, nothing)
    target = Target(tensor(y), ones, ones, ones / ones.sum())
    return effective_regions(network, inputs, target)


def test_independent_regions_count_fully(rng):
    y = 1.0 + 0.1 * rng.normal(size=(20, 150))
    assert independent_share(y) == pytest.approx(1.0, abs=0.1)
    # A shock that all have in common is modelled, so it does not count against them.
    y = y + 0.1 * rng.normal(size=150)
    assert independent_share(y) == pytest.approx(1.0, abs=0.1)


def test_common_shock_among_regions_of_different_noise(rng):
    noise = np.geomspace(0.03, 0.3, 50)[:, None] * rng.normal(size=(50, 150))
    assert independent_share(1.0 + noise) == pytest.approx(1.0, abs=0.1)
    y = 1.0 + noise + 0.1 * rng.normal(size=150)
    assert independent_share(y) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("n_groups", [2, 3, 5])
def test_identical_regions_count_once(rng, n_groups):
    # The mean over regions is taken out: n groups leave n - 1 of R - 1 contrasts.
    groups = rng.normal(size=(n_groups, 400))
    y = 1.0 + 0.1 * np.repeat(groups, 30 // n_groups, axis=0)
    expected = (n_groups - 1) / 29
    assert independent_share(y) == pytest.approx(expected, rel=0.1)
