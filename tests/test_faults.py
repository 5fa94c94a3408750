"""What `fit` says about rows, before anything is learned from them."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmmm._faults import without_stuck_rows
from skmmm.datasets import make_mmm_panel

WEEKS = SimpleNamespace(label=lambda period: f"week {period}")


def learned(y, region=None, *, ordered=True):
    """Return which rows count, and what was said."""
    region = np.zeros(len(y), dtype=int) if region is None else region
    period = np.concatenate([np.arange(n) for n in np.bincount(region)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        weight = without_stuck_rows(
            *(y, np.ones(len(y)), region, period if ordered else None),
            *(np.array(["north", "south", "west"]), WEEKS if ordered else None),
        )
    return weight > 0, " ".join(str(warning.message) for warning in caught)


def noisy(rng, n=60):
    return 1000.0 + 50.0 * rng.normal(size=n)


@pytest.mark.parametrize("seed", range(20))
def test_a_stretch_in_which_a_region_was_closed_is_named(seed):
    rng = np.random.default_rng(seed)
    y = noisy(rng)
    start = rng.choice([0, rng.integers(1, 50), 45])
    stop = min(start + rng.integers(8, 16), 60)
    level = rng.choice([0.0, 3.0, 700.0])
    wobble = rng.choice([0.0, 1e-6]) * rng.normal(size=stop - start)
    y[start:stop] = level * (1.0 + wobble)
    counts, said = learned(y)
    assert_array_equal(np.flatnonzero(~counts), np.arange(start, stop))
    assert f"(region north, week {start} to week {stop - 1})" in said
    assert f"these {stop - start} rows" in said


@pytest.mark.parametrize("seed", range(20))
def test_a_region_that_stands_still_is_named(seed):
    rng = np.random.default_rng(seed)
    y = np.concatenate([noisy(rng), noisy(rng), noisy(rng)])
    wobble = rng.choice([0.0, 1e-6, 1e-4])
    y[60:120] = 500.0 * (1.0 + wobble * rng.normal(size=60))
    region = np.repeat([0, 1, 2], 60)
    for ordered in (True, False):
        counts, said = learned(y, region, ordered=ordered)
        assert_array_equal(np.flatnonzero(~counts), np.arange(60, 120))
        assert "region south" in said


@pytest.mark.parametrize("seed", range(20))
def test_kpis_that_often_stand_still_are_left_alone(seed):
    rng = np.random.default_rng(seed)
    rare = rng.poisson(0.3, 60).astype(float)
    quarterly = np.repeat(noisy(rng, 8), 13)
    off_season = np.tile(np.repeat([0.0, 1.0], 9), 5) * noisy(rng, 90)
    steady_growth = np.cumsum(100.0 + rng.normal(size=60))
    small_world = make_mmm_panel(1, 60, n_media=2, random_state=seed).y.to_numpy()
    mistyped = noisy(rng)
    mistyped[7] *= 1e3
    for y in (quarterly, off_season, steady_growth, small_world, mistyped):
        counts, said = learned(y)
        assert counts.all()
        assert not said
    # Seven rows are too few to tell; so are stretches without an order of time.
    few = noisy(rng)
    few[20:27] = 0.0
    assert learned(few)[0].all()
    few[20:35] = 0.0
    assert learned(few, ordered=False)[0].all()
    assert learned(rare)[0].mean() > 0.5


def test_rare_sales_are_seldom_taken_for_a_stuck_kpi():
    rng = np.random.default_rng(0)
    taken = sum(
        not learned(rng.poisson(mean, 60).astype(float))[0].all()
        for mean in (0.2, 0.5, 1.0, 3.0)
        for _ in range(100)
    )
    assert taken <= 8
