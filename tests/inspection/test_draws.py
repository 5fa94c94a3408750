"""Intervals hold what they promise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skmmm.inspection._intervals import (
    bounds,
    graded_probabilities,
    mixture_quantiles,
    tail_probability,
)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("n_draws", [4, 8, 32])
def test_bounds_of_few_draws_hold_every_level(n_draws, level):
    draws = np.random.default_rng(0).normal(size=(n_draws, 20_000))
    low, high = bounds(draws, (1.0 - level) / 2, draws.mean(axis=0))
    held = (stats.norm.cdf(high) - stats.norm.cdf(low)).mean()
    assert held == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_bounds_of_skewed_draws_reach_further_up_than_down(level):
    skewed = stats.lognorm(0.6)
    draws = skewed.rvs((32, 4000), random_state=np.random.default_rng(0))
    low, high = bounds(draws, (1.0 - level) / 2, np.median(draws, axis=0), least=0.0)
    held = (skewed.cdf(high) - skewed.cdf(low)).mean()
    assert held == pytest.approx(level, abs=0.02)
    assert skewed.sf(high).mean() < 2.5 * (1.0 - level)


def test_a_higher_level_has_a_wider_interval():
    draws = np.random.default_rng(1).gamma(0.5, size=(9, 200))
    ends = [bounds(draws, tail, draws.mean(axis=0)) for tail in np.geomspace(0.4, 1e-5)]
    lows, highs = np.stack(ends, axis=1)
    assert (np.diff(lows, axis=0) <= 0).all()
    assert (np.diff(highs, axis=0) >= 0).all()


def test_bounds_stay_where_the_quantity_can_be():
    draws = np.random.default_rng(1).beta(0.5, 0.5, size=(5, 200))
    low, high = bounds(draws, 1e-3, draws.mean(axis=0), least=0.0, most=1.0)
    assert (low >= 0.0).all()
    assert (high <= 1.0).all()
    assert (low <= draws.min(axis=0)).all()
    assert (bounds(draws, 1e-3, draws.mean(axis=0))[0] < 0.0).any()


def test_one_draw_is_no_interval():
    with pytest.raises(ValueError, match="at least two draws"):
        bounds(np.ones((1, 3)), 0.05, np.ones(3))


@pytest.mark.parametrize("tail", [0.25, 0.05, 0.005, 0.0005])
def test_quantiles_of_a_mixture(tail):
    rng = np.random.default_rng(2)
    mean, sd = rng.normal(size=(32, 5)), rng.uniform(0.2, 2.0, size=(32, 5))
    probability, weight = graded_probabilities(tail)
    assert weight.sum() == pytest.approx(1.0)
    samples = mean + sd * stats.norm.ppf(probability)[:, None, None]
    weight = np.repeat(weight, 32) / 32
    ends = mixture_quantiles(samples.reshape(-1, 5), weight, [tail, 1.0 - tail])
    below = stats.norm.cdf((ends[:, None] - mean) / sd).mean(axis=1)
    assert_allclose(below[0], tail, rtol=0.2)
    assert_allclose(1.0 - below[1], tail, rtol=0.2)


@pytest.mark.parametrize("level", [1 - 4e-16, 1.0, 0.0, float("nan"), "a", None])
def test_levels_that_nobody_can_hold(level):
    with pytest.raises(ValueError, match="confidence_level"):
        tail_probability(level)
