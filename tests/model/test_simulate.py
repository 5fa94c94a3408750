"""A simulated KPI is what the likelihood expects of its draw."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import GAUSS, POOLED, R, T, make_problem
from skmmm._model import simulate
from skmmm._model.level import innovation_scale, smooth_level
from skmmm._model.likelihood import (
    Loss,
    Target,
    error_precision,
    log_prior,
    split_common,
    whiten,
)
from skmmm._model.priors import EFFECT_DF

N = 20_000


@pytest.fixture
def random():
    return np.random.RandomState(0)


def repeated(network, n_draws=N):
    """Return a network with the same draw again and again."""
    return network.at(
        network.shared.expand(n_draws, -1), network.regional.expand(n_draws, -1, -1)
    )


def weighted(target):
    """Return the target with rows of unequal precision."""
    precision = target.precision * torch.linspace(0.3, 3.0, T, dtype=torch.float64)
    return Target(target.y, target.count, precision, target.share)


def test_moments_of_level_and_noise(random):
    network, _, target = make_problem()
    target = Target(target.y, target.count, torch.ones(R, T).double(), target.share)
    values = network.values()
    found = simulate.residuals(repeated(network), target, GAUSS, random).numpy()
    gain, persistence = (v.item() for v in network.level_parameters(values))
    scale = innovation_scale(values, R)[0].numpy()
    common = np.exp(2 * values["common_log"].item())
    # One surprise, and the share of those before it that has not faded.
    faded = persistence ** (2 * np.arange(T))
    share = 1 + gain**2 * (np.cumsum(faded) - 1)
    error = 5 * scale[:, None] * np.sqrt(share / N)
    assert np.all(np.abs(found.mean(axis=0)) < error)
    assert_allclose(found.var(axis=0), scale[:, None] ** 2 * share, rtol=0.06)
    together = (found[:, 0] * found[:, 1]).mean(axis=0)
    spread = 6 * scale[0] * scale[1] * share / np.sqrt(N)
    assert np.all(np.abs(together - common * share) < spread)


def test_the_level_in_the_long_run(random):
    # The steady state of the filter, in which level and noise are described.
    network, _, target = make_problem(n_regions=1)
    values = network.values()
    gain = torch.tensor([0.4]).double()
    persistence = torch.tensor([0.7]).double()
    network.level_parameters = lambda values: (gain, persistence)
    many = repeated(network)
    many.level_parameters = lambda values: (gain.expand(N), persistence.expand(N))
    ones = torch.ones(1, T).double()
    target = Target(target.y, ones, ones, target.share)
    found = simulate.residuals(many, target, GAUSS, random)
    scale = innovation_scale(values, 1)
    level = smooth_level(found[:1], ones, gain, persistence, scale)
    shock = level.shock.item()
    noise = (1 - 0.4) * scale.item() ** 2
    assert found[:, 0, -1].var().item() == pytest.approx(
        shock / (1 - 0.7**2) + noise, rel=0.05
    )
    neighbours = (found[:, 0, -1] * found[:, 0, -2]).mean().item()
    assert neighbours == pytest.approx(0.7 * shock / (1 - 0.7**2), rel=0.1)


def test_errors_have_the_size_that_the_likelihood_expects(random):
    network, _, target = make_problem()
    target, many = weighted(target), repeated(network, 4000)
    values = many.values()
    residual = simulate.residuals(many, target, GAUSS, random)
    error = whiten(many, residual, target, values)
    mean, variance, _ = split_common(many, error, target, values)
    seen = target.observed.amax(dim=0) > 0
    sizes = (mean.square() / variance).mean(dim=0)[seen]
    assert_allclose(sizes, 1.0, atol=0.15)
    precision = error_precision(many, target, values)
    own = (error - mean[:, None]).square() * precision
    own = own * torch.exp(-2 * values["noise_log"])[..., None]
    # The mean takes one region's worth of variance out of all.
    assert_allclose(
        own.sum(dim=1).mean(dim=0), target.observed.sum(dim=0) - 1, rtol=0.1
    )


@pytest.mark.parametrize("loss", [Loss("huber", 1.345), Loss("student_t", 4.0)])
def test_noise_has_the_tails_of_the_loss(loss, random):
    network, _, target = make_problem(n_regions=1, level=False)
    values = network.values()
    found = simulate.residuals(repeated(network, 4000), target, loss, random)
    error = (found * torch.exp(-values["noise_log"])[..., None]).numpy()[:, 0]
    error = error[:, target.observed[0].numpy() > 0]
    for share in (0.001, 0.05, 0.5, 0.95):
        below = (error < loss.quantiles(np.array(share))).mean()
        assert below == pytest.approx(share, abs=5 * np.sqrt(share / error.size))


def test_masked_cells_have_no_noise(random):
    network, _, target = make_problem(n_regions=1, level=False)
    found = simulate.residuals(network, target, GAUSS, random)
    assert_allclose(found == 0.0, target.observed[None] == 0.0)


@pytest.mark.parametrize("adstock", ["geometric", "gru"])
def test_draws_are_those_of_the_log_prior(adstock, random):
    network, inputs, target = make_problem(adstock)
    drawn = simulate.prior_draws(network, inputs, target, 2000, random)
    # What has the prior: the mean effect of the channel that is not pooled.
    away = drawn.surprises(inputs, target.share).numpy()
    assert_allclose([away.mean(), away.std()], [0.0, 1.0], atol=0.1)
    if adstock == "geometric":
        # The density of the draws is that of the prior: its terms have their means.
        n_effects = sum(POOLED)
        n_others = drawn.shared.shape[1] + drawn.regional[0].numel() - n_effects
        squares = random.standard_normal((200_000, n_effects)) ** 2
        ratio = random.chisquare(EFFECT_DF, 200_000) / EFFECT_DF
        size = np.log1p(squares.sum(axis=1) / ratio / EFFECT_DF).mean()
        expected = -0.5 * n_others - 0.5 * (EFFECT_DF + n_effects) * size
        found = log_prior(drawn, inputs, target).mean().item()
        assert found == pytest.approx(expected, abs=0.4)
