"""Pictures of channels of which reach and frequency are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmmm import DeepCausalMMMRegressor, plotting

pytestmark = pytest.mark.usefixtures("pyplot", "short_chains")


@pytest.fixture(scope="module")
def seen(panel, short_chains):
    """A model of one channel with a frequency, one with a cost, and one with none."""
    rng = np.random.default_rng(0)
    X = panel.X.assign(seen=1.0 + rng.gamma(2.0, 1.0, len(panel.X)).round(1))
    return DeepCausalMMMRegressor(
        media=panel.media,
        frequency={"media_1": "seen"},
        media_cost={"media_2": 2.0},
        region="region",
        time="week",
        max_lag=3,
        n_draws=8,
        max_iter=20,
        graph=None,
        random_state=0,
    ).fit(X, panel.y)


def test_holds_the_curve_and_its_optimum(seen):
    display = plotting.FrequencyDisplay.from_estimator(seen)
    expected = seen.optimal_frequency().loc["media_1"]
    grid, caused = display.lines_[0].get_data()
    assert grid[np.argmax(caused)] == pytest.approx(expected["optimum"])
    assert caused.max() == pytest.approx(expected["contribution"] + expected["gain"])
    assert display.best_[0].get_xdata()[0] == expected["optimum"]
    assert display.now_[0].get_xdata()[0] == expected["frequency"]
    shade = display.ranges_[0]
    assert_allclose(
        [shade.get_x(), shade.get_x() + shade.get_width()],
        expected[["optimum_low", "optimum_high"]].astype(float),
    )
    assert display.notes_[0].get_text() == expected["verdict"]
    points = display.points
    assert (points["low"] <= points["contribution"]).all()
    assert (points["contribution"] <= points["high"]).all()
    one = seen.optimal_frequency(grid=[grid[3]]).loc["media_1"]
    assert caused[3] == pytest.approx(one["contribution"] + one["gain"])


def test_axes_call_spend_what_it_is(seen, fitted):
    curves = plotting.ResponseCurvesDisplay.from_estimator(
        seen, channels=["media_1", "media_2", "media_3"]
    )
    told = [panel.get_xlabel() for panel in curves.axes_]
    assert told == ["reach", "spend", "units of X"]
    saturation = plotting.SaturationDisplay.from_estimator(
        seen, channels=["media_2", "media_1"]
    )
    told = [panel.get_xlabel() for panel in saturation.axes_]
    assert told == ["spend after carry-over,\nper row", "frequency of a row"]
    plan = plotting.BudgetPlanDisplay.from_estimator(seen)
    assert plan.ax_.get_xlabel() == "spend"
    texts = [text.get_text().replace("\n", " ") for text in plan.texts_]
    assert texts.count("no cost: as today") == 2
    alike = plotting.ResponseCurvesDisplay.from_estimator(fitted)
    assert alike.units is None
    assert {panel.get_xlabel() for panel in alike.axes_} == {"spend, units of X"}


def test_one_reach_channel_alone_is_reach(seen):
    display = plotting.ResponseCurvesDisplay.from_estimator(seen, channels=["media_1"])
    assert display.axes_[0].get_xlabel() == "reach"


def test_asks_for_a_frequency(seen, fitted):
    with pytest.raises(ValueError, match="has no channel with a frequency"):
        plotting.FrequencyDisplay.from_estimator(fitted)
    with pytest.raises(ValueError, match="channels names 'media_2'"):
        plotting.FrequencyDisplay.from_estimator(seen, channels=["media_2"])
    for show in (plotting.FrequencyDisplay, plotting.SaturationDisplay):
        with pytest.raises(ValueError, match="list of channels, got 'media_1'"):
            show.from_estimator(seen, channels="media_1")
        shown = show.from_estimator(seen, channels=["media_1", "media_1"])
        assert shown._channels() == ["media_1"]
