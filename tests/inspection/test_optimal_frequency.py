"""How often people should see a channel."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import optimal_frequency
from skmmm.inspection._frequency import _row, _verdict

HALF, SLOPE = 3.0, 2.0
BEST = HALF * (SLOPE - 1.0) ** (1.0 / SLOPE)


def make_world(spread, n_weeks=80):
    """Return X and y of two regions; log frequency has this standard deviation."""
    rng = np.random.default_rng(1)
    shape = 2, n_weeks
    reach = rng.gamma(3.0, 300.0, shape) * (rng.random(shape) < 0.8)
    frequency = 4.0 * np.exp(spread * rng.normal(size=shape)).clip(0.25)
    heard = reach / 900.0 * frequency**SLOPE / (frequency**SLOPE + HALF**SLOPE)
    heard[:, 1:] += 0.6 * heard[:, :-1]
    y = 100.0 * (1.0 + 0.3 * heard + 0.02 * rng.normal(size=shape))
    X = pd.DataFrame(
        {
            "region": np.repeat(np.arange(2), n_weeks),
            "week": np.tile(np.arange(n_weeks), 2),
            "video": reach.ravel(),
            "often": frequency.ravel(),
        }
    )
    return X, y.ravel()


def fit(X, y, **others):
    options = {"max_lag": 2, "n_draws": 8, "max_iter": 60, "n_hidden": 0} | others
    return DeepCausalMMMRegressor(
        region="region",
        time="week",
        frequency={"video": "often"},
        graph=None,
        random_state=0,
        **options,
    ).fit(X, y)


@pytest.fixture(scope="module")
def world():
    return make_world(0.5)


@pytest.fixture(scope="module")
def model(world):
    return fit(*world)


def test_optimum_is_found(model):
    found = model.optimal_frequency().loc["video"]
    assert found["optimum_low"] <= BEST <= found["optimum_high"]
    assert abs(found["optimum"] - BEST) < 0.4
    assert found["verdict"] == "data-driven"
    assert found["gain_low"] <= found["gain"] <= found["gain_high"]
    assert 0.3 < found["variation"] < 0.7


def test_impressions_are_held(world):
    X, y = world
    model = fit(X, y, n_draws=0, max_iter=20)
    found = model.optimal_frequency(X, grid=[2.0, 3.0]).loc["video"]
    impressions = X["video"] * X["often"]
    assert_allclose(found["frequency"], impressions.sum() / X["video"].sum())
    totals = [
        model.contributions(X.assign(video=impressions / f, often=f))["video"].sum()
        for f in (2.0, 3.0)
    ]
    now = model.contributions(X)["video"].sum()
    assert found["optimum"] == [2.0, 3.0][np.argmax(totals)]
    assert_allclose(found["contribution"], now)
    assert_allclose(found["gain"], max(totals) - now)
    assert np.isnan(found["optimum_low"])
    assert found["verdict"] is None


def test_later_rows_count_what_they_cause_afterwards(model):
    future = model.make_future_frame(4, spend="last_periods")
    found = model.optimal_frequency(future)
    summary = model.channel_summary(future)
    drawn = model.effects(future).channel_summary()
    assert_allclose(summary["roi"], drawn["roi"])
    assert found.loc["video", "contribution"] > 0
    assert_allclose(
        found.loc["video", "contribution"],
        summary.loc["video", "roi"] * summary.loc["video", "spend"],
        rtol=0.1,  # mean over draws, and at their mean
    )


@pytest.mark.filterwarnings("ignore:The spend of")
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_steady_frequency_tells_nothing(spread):
    found = fit(*make_world(spread), max_iter=20).optimal_frequency().loc["video"]
    assert found["variation"] < 0.1
    assert found["verdict"] == "not identified"


@pytest.mark.parametrize("grid", [[], [0.5, 2.0], [2.0, np.nan], [np.inf]])
def test_grid_that_is_none(model, grid):
    with refuses(
        "grid must have frequencies of at least 1: who is reached sees it once."
    ):
        model.optimal_frequency(grid=grid)


def test_estimators_without_frequency(world):
    X, y = world
    plain = make_linear_mmm(media=["video"], region="region", time="week").fit(X, y)
    with refuses_from("Pipeline has no channel with a frequency: "):
        optimal_frequency(plain, X)


def test_alarm_takes_the_verdict(model):
    doubted = copy(model)
    doubted._alarms = ("one switch",)
    found = doubted.optimal_frequency().loc["video"]
    assert found["verdict"] == "not identified"


def test_prior_alone_is_no_finding(model):
    """Frequency varies, but the rows say too little: the draws are those before."""
    curve = model._counterfactual().frequency_curves(None)["video"]
    assert 0.4 < np.log(curve.expected_best).std() < 0.8
    assert _verdict(curve, "") == "data-driven"
    expected = replace(curve, best=curve.expected_best)
    assert _verdict(expected, "") == "not identified"
    assert _verdict(replace(curve, best=curve.best[:7]), "") is None


def test_rows_that_reach_nobody_have_no_optimum(world, model):
    X, _ = world
    found = model.optimal_frequency(X.assign(video=0.0)).loc["video"]
    assert found[["frequency", "optimum", "optimum_low", "gain_high"]].isna().all()
    assert found["contribution"] == 0.0


def test_draws_without_an_effect_have_the_optimum_of_their_curve(model):
    curve = model._counterfactual().frequency_curves(None)["video"]
    none = replace(curve, now=0.0 * curve.now, effects=0.0 * curve.effects)
    found = _row(none, 0.05, drawn=True)
    assert_allclose(found["optimum_high"], np.sort(curve.best)[-1], atol=0.2)
