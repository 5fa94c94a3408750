"""Spend that follows past sales is found; honest spend is left alone."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

from skmmm.inspection._endogeneity import follows_kpi

N_PERIODS = 120
CHASER, FLIGHTS = 0, 1


def make_shops(seed, *, n_regions=1, n_periods=N_PERIODS, sensitivity=0.8, lag=1):
    """Sales with hidden demand; channel 0 follows them, 1 runs flights, 2 the year.

    The chaser's budget follows last week's sales against the ten weeks before. All
    three channels cause sales, the flights with a carry-over.

    Returns
    -------
    arguments : dict
        Of `follows_kpi`.
    """
    rng = np.random.default_rng(seed)
    weeks = np.arange(n_periods)
    shape = (n_regions, n_periods)
    year = 2 * np.pi * weeks / 52.18
    season = np.array([wave(k * year) for k in (1, 2) for wave in (np.sin, np.cos)])
    price = rng.normal(size=shape)
    demand = lfilter([1.0], [1.0, -0.8], rng.normal(0.0, 0.06, shape), axis=1)
    wobble = rng.lognormal(0.0, [0.05, 0.2, 0.2], (*shape, 3))
    flights = (weeks + rng.integers(0, 9, (n_regions, 1))) % 9 < 4
    media = wobble * [60.0, 40.0, 30.0]
    media[..., FLIGHTS] *= flights
    media[..., 2] *= 1.5 + np.sin(year)
    carried = lfilter([0.4], [1.0, -0.6], media[..., FLIGHTS], axis=1)
    sales = 1_000 * (1 + demand + 0.1 * np.cos(year)) - 20 * price
    sales += 300 * np.tanh(carried / 40) + 2 * media[..., 2]
    sales += rng.normal(0.0, 20.0, shape)
    for t in range(n_periods):
        if t >= lag and sensitivity:
            usual = sales[:, max(0, t - lag - 9) : t - lag + 1].mean(axis=1)
            factor = 1 + sensitivity * (sales[:, t - lag] / usual - 1)
            media[:, t, CHASER] *= np.clip(factor, 0.5, 3.0)
        sales[:, t] += 4 * media[:, t, CHASER]
    return {
        "media": media,
        "kpi": sales,
        "observed": np.ones(shape, dtype=bool),
        "controls": price[..., None],
        "season": season,
    }


def assert_same(result, expected, rtol=1e-6):
    for name in ("statistic", "p_value", "partial_r2", "flagged"):
        assert_allclose(getattr(result, name), getattr(expected, name), rtol=rtol)


def assert_no_verdict(result, channels=slice(None)):
    assert np.isnan(result.p_value[channels]).all()
    assert np.isnan(result.partial_r2[channels]).all()
    assert not result.flagged[channels].any()


@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("n_regions", [1, 5])
def test_finds_the_channel_that_follows_sales(n_regions, lag):
    make = partial(make_shops, n_regions=n_regions, sensitivity=1.5, lag=lag)
    flagged = np.array([follows_kpi(**make(seed)).flagged for seed in range(12)])
    assert flagged[:, CHASER].mean() > 0.9
    assert flagged[:, 1:].mean() < 0.05


@pytest.mark.parametrize("n_regions", [1, 5])
def test_leaves_honest_channels_alone(n_regions):
    make = partial(make_shops, n_regions=n_regions, sensitivity=0.0)
    results = [follows_kpi(**make(seed)) for seed in range(20)]
    assert np.mean([result.flagged for result in results]) < 0.04
    # Nearly uniform p-values: a tenth below 0.1, with room for chance.
    assert np.mean([result.p_value < 0.1 for result in results]) < 0.25


def test_repeats_itself():
    assert_same(follows_kpi(**make_shops(0)), follows_kpi(**make_shops(0)), rtol=0)


def test_ignores_units_of_spend_and_kpi():
    shops = make_shops(0, n_regions=3)
    expected = follows_kpi(**shops)
    shops["media"] = shops["media"] * [1e-3, 1.0, 1e6]
    shops["kpi"] = shops["kpi"] * 1e5
    shops["controls"] = shops["controls"] * 1e4
    assert_same(follows_kpi(**shops), expected)


def test_ignores_order_of_regions_and_channels():
    shops = make_shops(0, n_regions=4)
    expected = follows_kpi(**shops)
    regions, channels = [2, 0, 3, 1], [2, 0, 1]
    for name in ("media", "kpi", "observed", "controls"):
        shops[name] = shops[name][regions]
    shops["media"] = shops["media"][..., channels]
    result = follows_kpi(**shops)
    assert_allclose(result.p_value, expected.p_value[channels], rtol=1e-6)
    assert_array_equal(result.flagged, expected.flagged[channels])


@pytest.mark.parametrize("what", ["nan", "mask"])
def test_does_not_look_at_masked_cells(what):
    shops = make_shops(0, n_regions=3)
    hidden = np.random.default_rng(0).random(shops["observed"].shape) < 0.02
    hidden[2, :30] = True
    shops["observed"] = ~hidden
    expected = follows_kpi(**shops)
    assert expected.flagged[CHASER]
    if what == "nan":
        shops["observed"] = np.ones_like(hidden)
        shops["kpi"][hidden] = np.nan
    else:
        shops["observed"] = (~hidden).astype(float)
        shops["kpi"][hidden] = 1e9
    shops["media"][hidden] = np.nan
    shops["controls"][hidden] = np.nan
    assert_same(follows_kpi(**shops), expected, rtol=0)


@pytest.mark.parametrize("n_periods", [1, 2, 5, 9, 39])
def test_no_verdict_from_a_short_panel(n_periods):
    assert_no_verdict(follows_kpi(**make_shops(0, n_periods=n_periods)))


def test_verdict_from_forty_periods():
    assert np.isfinite(follows_kpi(**make_shops(0, n_periods=40)).p_value).all()


@pytest.mark.parametrize("spend", [0.0, 7.0, "rare"])
@pytest.mark.parametrize("n_regions", [1, 3])
def test_no_verdict_about_a_channel_that_hardly_spends_or_varies(spend, n_regions):
    shops = make_shops(0, n_regions=n_regions)
    expected = follows_kpi(**shops)
    shops["media"][..., 2] = 0.0 if spend == "rare" else spend
    if spend == "rare":
        shops["media"][:, 20:80:10, 2] = 100.0
    result = follows_kpi(**shops)
    assert_no_verdict(result, 2)
    assert_array_equal(result.flagged[:2], expected.flagged[:2])


def test_a_budget_that_is_the_season_is_not_suspected():
    for seed in range(10):
        shops = make_shops(seed, sensitivity=0.0)
        shops["media"][..., 2] = 50 + 30 * shops["season"][0]
        assert not follows_kpi(**shops).flagged[2]


def test_constant_kpi_gives_no_verdict():
    shops = make_shops(0)
    for constant in (0.0, 5.0):
        shops["kpi"] = np.full_like(shops["kpi"], constant)
        assert_no_verdict(follows_kpi(**shops))


def test_without_controls_season_or_observed_cells():
    shops = make_shops(0)
    shops["controls"] = np.zeros((1, N_PERIODS, 0))
    shops["season"] = np.zeros((0, N_PERIODS))
    assert follows_kpi(**shops).flagged[CHASER]
    shops["observed"][:] = False
    assert_no_verdict(follows_kpi(**shops))


def test_more_terms_than_periods():
    shops = make_shops(0)
    noise = np.random.default_rng(0).normal(size=(1, N_PERIODS, 80))
    shops["controls"] = np.concatenate([shops["controls"], noise], axis=-1)
    assert not follows_kpi(**shops).flagged[1:].any()


def test_thresholds_are_arguments():
    shops = make_shops(0)
    result = follows_kpi(**shops)
    assert not follows_kpi(**shops, alpha=0.0).flagged.any()
    assert not follows_kpi(**shops, material=1.0).flagged.any()
    everything = follows_kpi(**shops, alpha=1.1, material=0.0)
    assert everything.flagged.all()
    assert_same(follows_kpi(**shops), result, rtol=0)
