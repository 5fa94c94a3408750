"""What `fit` says about rows, before anything is learned from them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmmm._data.faults import (
    isolated_values,
    kpi_outliers,
    on_stuck,
    on_twins,
    stuck_cells,
)
from skmmm._data.panel import make_panel
from skmmm.datasets import make_mmm_panel

WEEKS = SimpleNamespace(label=lambda period: f"week {period}")


def panel_of(y, region=None, spend=1.0):
    region = np.zeros(len(y), dtype=int) if region is None else region
    return make_panel(
        region,
        np.concatenate([np.arange(n) for n in np.bincount(region)]),
        np.broadcast_to(spend, len(y))[:, None] * np.ones((1, 2)),
        np.zeros((len(y), 0)),
        n_regions=region.max() + 1,
        y=y,
        weight=np.ones(len(y)),
    )


def learned(y, region=None, *, ordered=True, spend=1.0):
    """Return which rows count, and what was said."""
    panel = panel_of(y, region, spend)
    names = np.array(["north", "south", "west"])[: len(panel.y)]
    stuck = stuck_cells(panel, 52 if ordered else None)
    said = on_stuck(stuck, panel, names, WEEKS if ordered else None)
    return ~panel.rows(stuck), said


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
    assert f"(week {start} to week {stop - 1})" in said
    assert f"in {stop - start} rows" in said


@pytest.mark.parametrize("seed", range(20))
def test_a_closed_region_may_have_a_remainder_if_nothing_is_spent(seed):
    rng = np.random.default_rng(seed)
    y, spend = 1000.0 * rng.lognormal(0.0, 0.1, 60), np.ones(60)
    start = rng.integers(0, 45)
    closed = slice(start, start + rng.integers(8, 16))
    y[closed] *= 0.01
    assert learned(y)[0].all()  # who knows why
    spend[closed] = 0.0
    assert_array_equal(learned(y, spend=spend)[0], spend > 0)


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
    weeks = np.arange(156)
    off_season = np.where(weeks % 52 < rng.integers(8, 45), 0.0, noisy(rng, 156))
    sold_out = np.minimum(noisy(rng, 156), np.where(weeks % 52 < 12, 900.0, 2000.0))
    resort = noisy(rng, 156) * np.where(weeks % 52 < rng.integers(8, 40), 1.0, 0.01)
    growth = 100.0 * 1.08 ** np.arange(104) * np.exp(0.1 * rng.normal(size=104))
    two_speeds = 1000.0 + np.cumsum(np.repeat([1.0, 300.0], 52) * rng.random(104))
    launch = noisy(rng) * np.repeat([0.01, 1.0], [rng.integers(10, 50), 60])[:60]
    steady_growth = np.cumsum(100.0 + rng.normal(size=60))
    small_world = make_mmm_panel(1, 60, n_media=2, random_state=seed).y.to_numpy()
    mistyped = noisy(rng)
    mistyped[7] *= 1e3
    thousands = noisy(rng) * np.where(rng.random(60) < 0.3, 1e3, 1.0)
    for y in (
        *(quarterly, off_season, sold_out, resort, steady_growth, growth, two_speeds),
        *(launch, small_world, mistyped, thousands),
    ):
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


@pytest.mark.parametrize("seed", range(20))
def test_peaks_of_every_season_are_right(seed):
    rng = np.random.default_rng(seed)
    weeks = np.arange(156)
    y = noisy(rng, 156) * np.where(weeks % 52 < rng.integers(2, 10), 20.0, 1.0)
    assert not kpi_outliers(panel_of(y), 52).any()
    mistyped = rng.integers(12, 30)
    y[mistyped] *= 1e3
    assert_array_equal(np.flatnonzero(kpi_outliers(panel_of(y), 52)[0]), [mistyped])


@pytest.mark.parametrize("seed", range(20))
def test_a_mistyped_week_of_spend_is_isolated(seed):
    rng = np.random.default_rng(seed)
    counts = np.ones((1, 156), dtype=bool)
    spend = 1000.0 * rng.lognormal(0.0, 0.6, (1, 156))
    flights = spend * np.where(np.arange(156) // 6 % 4 == 0, 20.0, 1.0)
    sponsor = spend * np.where(np.arange(156) % 52 == 20, 300.0, 1.0)
    launch = np.where(np.arange(156) < 3, 100.0, 1.0) * spend
    gaps = np.where(rng.random((1, 156)) < 0.7, 0.0, spend)
    for right in (spend, flights, sponsor, launch, gaps, np.sign(gaps)):
        assert not isolated_values(right, counts, 52).any()
    week = rng.integers(156)
    for wrong in (spend, flights, gaps):
        wrong[0, week] = 1e6
        assert_array_equal(np.argwhere(isolated_values(wrong, counts, 52)), [[0, week]])


def test_a_region_closed_for_years_is_no_season():
    rng = np.random.default_rng(0)
    y = noisy(rng, 260)
    y[100:215] = 0.0
    counts, said = learned(y)
    assert_array_equal(np.flatnonzero(~counts), np.arange(100, 215))
    assert "in 115 rows" in said


@pytest.mark.parametrize("season_length", [1, 2, 4])
def test_short_seasons_hide_no_closed_region(season_length):
    y = noisy(np.random.default_rng(0))
    y[20:40] = 0.0
    assert stuck_cells(panel_of(y), season_length).sum() == 20


def test_a_drift_too_small_to_see_is_left_alone():
    counts, said = learned(1e6 + 0.5 * np.arange(60.0))
    assert counts.all()
    assert not said


def test_columns_that_are_the_same_are_named_together():
    rng = np.random.default_rng(0)
    spend = rng.gamma(2.0, 1e5, size=(60, 5))
    spend[:, 3] = 0.25 * spend[:, 0]  # in another unit
    spend[:, 4] = spend[:, 1] * (1.0 + 1e-6 * rng.normal(size=60))  # nearly
    columns = SimpleNamespace(media=["tv", "radio", "search", "grps", "online"])

    def said(media, frequency=None):
        panel = panel_of(noisy(rng))
        grid = None if frequency is None else frequency[None]
        return on_twins(replace(panel, media=media[None], frequency=grid), columns)

    (told,) = said(spend)
    assert told.startswith("'tv', 'grps': the same values")
    often = np.ones_like(spend)
    often[:, 3] = rng.uniform(1.0, 2.0, 60)
    assert said(spend, often) == []
    still = np.ones_like(spend)  # of which another remark tells
    still[:, 2] = 0.0
    assert said(still) == []
