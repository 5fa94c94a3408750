"""A market that goes on under other budgets: its truth, its steps, its best split."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from helpers import refuses, refuses_from
from skmmm.datasets import MarketEnvironment, make_mmm_panel
from skmmm.datasets._split import best_split

SMALL = {"n_regions": 2, "n_media": 3, "n_history": 30, "n_future": 12, "max_lag": 4}


def make_market(**changed):
    return MarketEnvironment(**SMALL | {"random_state": 0} | changed)


@pytest.fixture
def market():
    return make_market()


def spends(market, n_periods, seed=0):
    shape = n_periods, len(market.regions), len(market.media)
    size = market.parameters["media_scale"].to_numpy()
    return size * np.random.default_rng(seed).uniform(0.0, 2.0, shape)


# --- the truth ------------------------------------------------------------------------


def test_without_drift_it_is_a_panel(market):
    panel = make_mmm_panel(2, 30 + 12 + 4, n_media=3, max_lag=4, random_state=0)
    X, y = market.history()
    assert_frame_equal(X, panel.X[:60])
    assert_series_equal(y, panel.y[:60])
    X, y = market.step(market.coming(12))
    assert_frame_equal(X, panel.X[60:84])
    assert_series_equal(y, panel.y[60:84])


def test_options_are_those_of_the_panel():
    names = {"media_names": ["tv", "radio", "search"], "noise": 0.0, "level": 0.1}
    market = make_market(**names, media_share=0.6)
    panel = make_mmm_panel(
        2, 46, n_media=3, max_lag=4, random_state=0, media_share=0.6, **names
    )
    assert market.media == names["media_names"]
    assert_allclose(market.history()[1], panel.expected[:60])
    with pytest.raises(TypeError, match="n_periods"):
        make_market(n_periods=50)


def test_drift_is_a_random_walk_from_the_end_of_history():
    market, still = (make_market(drift=drift, n_future=400) for drift in (0.1, 0.0))
    walk = np.log(market.parameters["drift"].to_numpy())
    assert_array_equal(walk[29], 0.0)
    assert np.diff(walk, axis=0).std() == pytest.approx(0.1, rel=0.1)
    change = market.history()[1] - still.history()[1]
    assert (change[:58].abs() > 0).any()
    assert_allclose(change[58:], 0.0, atol=1e-6)
    assert_frame_equal(market.history()[0], still.history()[0])


def test_drift_moves_the_response():
    market, still = (make_market(drift=drift) for drift in (0.1, 0.0))
    spend = spends(market, 1)
    factor = market.parameters["drift"].to_numpy()[30:35]
    ratio = market.true_response(spend) / still.true_response(spend)
    assert (ratio >= factor.min(axis=0)).all()
    assert (ratio <= factor.max(axis=0)).all()
    assert (ratio != 1.0).all()


# --- steps ----------------------------------------------------------------------------


def test_steps_are_one_long_step():
    spend = spends(make_market(), 12)
    together, single = make_market(drift=0.05), make_market(drift=0.05)
    X, y = together.step(spend)
    parts = [single.step(spend[a:b]) for a, b in ((0, 1), (1, 5), (5, 12))]
    assert_frame_equal(pd.concat([part[0] for part in parts]), X)
    assert_series_equal(pd.concat([part[1] for part in parts]), y)
    assert_series_equal(single.history()[1], together.history()[1])
    assert (single.n_passed, single.n_left) == (42, 0)


def test_rows_continue_the_history(market):
    before, y_before = market.history()
    X, y = market.step(spends(market, 3))
    assert list(X) == list(before)
    assert_frame_equal(market.history()[0], pd.concat([before, X]))
    assert_series_equal(market.history()[1], pd.concat([y_before, y]))
    assert_frame_equal(market.history(3)[0], X)
    gap = np.diff(np.unique(market.history()[0]["week"]))
    assert len(gap) == 32
    assert (gap == gap[0]).all()


def test_spend_is_carried_over_and_noise_stays(market):
    """What a first step adds later is what the written equation says."""
    other = copy.deepcopy(market)
    spend = spends(market, 1)
    more = spend.copy()
    more[0, 1, 2] *= 3.0
    market.step(spend)
    other.step(more)
    later = spends(market, 6, seed=1)
    difference = other.step(later)[1] - market.step(later)[1]
    difference = difference.to_numpy().reshape(6, 2)
    assert_allclose(difference[:, 0], 0.0, atol=1e-6)
    assert (difference[:4, 1] > 0.0).all()
    assert_allclose(difference[4:, 1], 0.0, atol=1e-6)
    p, channel, region = market.parameters, market.media[2], market.regions[1]
    scale = p["media_scale"].loc[region, channel]
    kernel = p["kernel"].loc[channel].to_numpy()
    half, slope = p["half_saturation"][channel], p["slope"][channel]
    size = p["scale"][region] * p["effect"].loc[region, channel]
    X = market.history()[0].query("region == @region")
    past = X[channel].to_numpy()[-11:] / scale  # the step is at position 4
    extra = np.zeros(11)
    extra[4] = (more - spend)[0, 1, 2] / scale
    for k in range(6):
        low, high = (
            (kernel[::-1] @ spent[k + 1 : k + 6] / half) ** slope
            for spent in (past, past + extra)
        )
        expected = size * (high / (1.0 + high) - low / (1.0 + low))
        assert_allclose(difference[k, 1], expected, atol=1e-6)


def test_same_seed_same_market():
    first, second, other = make_market(), make_market(), make_market(random_state=1)
    spend = spends(first, 5)
    assert_series_equal(first.step(spend)[1], second.step(spend)[1])
    assert not np.allclose(make_market().history()[1], other.history()[1])


def test_frames_and_arrays_say_the_same(market):
    spend = spends(market, 2)
    X = market.coming(2)
    X[market.media] = spend.reshape(4, 3)
    shuffled = X.sample(frac=1.0, random_state=0)
    expected = market.true_response(spend)
    assert_series_equal(market.true_response(shuffled), expected)
    assert_series_equal(market.true_response(X.drop(columns="price")), expected)
    assert_series_equal(market.true_response(spend[0]), market.true_response(spend[:1]))


def test_asking_changes_nothing(market):
    other = make_market()
    market.optimal(1e5, 3)
    market.regret(market.coming(3))
    X = market.coming(3)
    X[market.media] = 0.0
    assert_series_equal(market.step(other.coming(2))[1], other.step(other.coming(2))[1])


# --- the best split -------------------------------------------------------------------


def test_response_is_what_spend_adds_until_it_has_run_out():
    market, idle = (make_market(noise=0.3) for _ in range(2))
    spend = spends(market, 3)
    response = market.true_response(spend)
    usual = market.coming(12).iloc[6:]
    parts = []
    for world, own in ((market, spend), (idle, 0.0 * spend)):
        y = world.step(own)[1]
        parts.append(y.sum() + world.step(usual)[1].sum())
    assert response.sum() == pytest.approx(parts[0] - parts[1])
    assert (response > 0.0).all()


@pytest.mark.parametrize("saturation", ["hill", "exponential"])
@pytest.mark.parametrize("share", [0.1, 1.0, 5.0])
def test_no_random_split_is_better(saturation, share):
    market = make_market(drift=0.02, saturation=saturation, random_state=3)
    usual = market.coming(4)
    budget = share * usual[market.media].to_numpy().sum()
    best = market.optimal(budget, usual)
    assert best.spend.to_numpy().sum() == pytest.approx(budget)
    assert best.X[market.media].to_numpy().sum() == pytest.approx(budget)
    found = best.response.sum()
    assert found <= best.bound * (1 + 1e-5)
    assert_series_equal(best.response, market.true_response(best.X))
    course = usual[market.media].to_numpy().reshape(4, 6)
    course = course / course.sum(axis=0)
    for split in np.random.default_rng(0).dirichlet(np.full(6, 0.7), 200):
        spend = (budget * split * course).reshape(4, 2, 3)
        assert market.true_response(spend).sum() <= found


def test_regret_is_what_the_best_split_would_add(market):
    usual = market.coming(5)
    best = market.optimal(usual[market.media].to_numpy().sum(), usual)
    gain = best.response.sum() - market.true_response(usual).sum()
    assert market.regret(usual) == pytest.approx(gain)
    assert gain > 0.0
    assert abs(market.regret(best.X)) < 1e-3 * gain
    assert market.regret(np.zeros((5, 2, 3))) == 0.0


def test_steep_curves_are_bought_whole():
    """Two steps and a line: hulls alone would buy half a step."""
    for budget, expected, total in (
        (3.0, [0.0, 0.0, 3.0], 3.0),
        (6.0, [4.0, 0.0, 2.0], 10.0),
        (9.0, [4.0, 4.0, 1.0], 16.2),
    ):
        x = np.linspace(0.0, budget, int(100 * budget) + 1)
        step = np.where(x >= 4.0 - 1e-9, 8.0, 0.0)
        spent = np.stack([x, x, x], axis=1)
        earned = np.stack([step, 0.9 * step, x], axis=1)
        cells, bound = best_split(budget, spent, earned)
        assert_allclose(cells, expected, atol=1e-9)
        assert total <= bound + 1e-9
        cells, _ = best_split(budget, spent[:, :1], earned[:, :1])
        assert_allclose(cells, [budget])


# --- errors ---------------------------------------------------------------------------


def test_spend_that_cannot_be(market):
    spend = spends(market, 2)
    spend[1, 0, 2] = -1.0
    with refuses_from(
        "The spend on 'media_3' in region 'region_1', coming period 2, is -1.0"
    ):
        market.step(spend)
    with refuses_from("The spend on 'media_1' in region 'region_2', coming period 1"):
        market.step(market.coming(1).assign(media_1=[1.0, np.nan]))
    with refuses_from("spend is of shape (2, 3, 2), not (n_periods, 2, 3)"):
        market.step(np.ones((2, 3, 2)))
    with refuses("13 periods were asked for, but 12 are left."):
        market.step(np.ones((13, 2, 3)))
    assert market.n_left == 12


def test_rows_that_do_not_come(market):
    X = market.coming(2)
    with refuses_from("['tv'] are none of the channels ['media_1', 'media_2'"):
        market.step(X.assign(tv=1.0))
    with refuses("spend lacks the columns ['media_2']."):
        market.step(X.drop(columns="media_2"))
    with refuses("Spend in the columns ['media_1'] is text, not numbers."):
        market.step(X.assign(media_1="12,5"))
    with refuses("spend changes 'price', a control: leave it out."):
        market.step(X.assign(price=1.0))
    wrong = (
        market.history(2)[0],
        X.iloc[:-1],
        pd.concat([X, X]),
        X.assign(region="region_9"),
    )
    for rows in wrong:
        with refuses_from("spend must hold each of ['region_1', 'region_2'] once"):
            market.step(rows)


def test_questions_without_an_answer(market):
    with refuses("31 periods were asked for, but 30 have passed."):
        market.history(31)
    with refuses("0 periods were asked for, but 12 are left."):
        market.coming(0)
    with refuses("1.5 periods were asked for, but 12 are left."):
        market.coming(1.5)
    with refuses("budget=-1.0 must be a positive number."):
        market.optimal(-1.0)
    with refuses("13 periods were asked for, but 12 are left."):
        market.optimal(1.0)
    with pytest.raises(ValueError, match="'drift' parameter"):
        make_market(drift=-1.0)
