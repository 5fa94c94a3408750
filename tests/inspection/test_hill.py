"""Hill curves through given points: recovered, judged, or refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmmm.inspection import fit_hill, response_curve

PARAMETERS = ["maximum", "half_saturation", "slope"]
SHARES = np.linspace(0.0, 1.0, 21)


def curve(spend, maximum, half, slope):
    return maximum * spend**slope / (spend**slope + half**slope)


@pytest.mark.parametrize("unit", [(1e-3, 1e9), (1.0, 1.0), (1e9, 1e-3)])
@pytest.mark.parametrize("half", [0.06, 0.3, 0.9])
@pytest.mark.parametrize("slope", [0.5, 1.0, 2.5, 6.0])
def test_curves_are_recovered_in_any_unit(unit, half, slope):
    points = unit[0] * SHARES, unit[1] * curve(SHARES, 7.0, half, slope)
    found = fit_hill(*points, channel="tv").loc["tv"]
    expected = [7.0 * unit[1], half * unit[0], slope]
    assert_allclose(found[PARAMETERS].astype(float), expected, rtol=1e-6)
    assert found["observed_until"] == points[0].max()
    assert found["max_misfit"] < 1e-6
    assert found["note"] == ""


@pytest.mark.parametrize("slope", [0.7, 1.0, 3.0])
def test_noise_moves_a_curve_by_no_more_than_itself(slope):
    rng = np.random.RandomState(0)
    spend = np.linspace(0.0, 5e6, 200)
    true = curve(spend, 3e5, 1e6, slope)
    response = true + np.where(spend > 0, rng.normal(0.0, 0.03 * true.max(), 200), 0)
    found = fit_hill(spend, response, channel="tv").loc["tv"]
    assert_allclose(curve(spend, *found[PARAMETERS]), true, atol=0.02 * true.max())
    assert found["rms_misfit"] == pytest.approx(0.03, rel=0.2)
    assert found["rms_misfit"] < found["max_misfit"] < 0.15


def test_channels_are_fitted_one_by_one():
    table = pd.DataFrame(
        {
            "channel": np.repeat(["tv", "radio"], 21),
            "spend": np.concatenate([SHARES, 100.0 * SHARES]),
            "response": np.concatenate(
                [curve(SHARES, 2.0, 0.4, 1.0), curve(100.0 * SHARES, 9.0, 20.0, 2.0)]
            ),
        }
    ).sample(frac=1.0, random_state=0)
    table = table.sort_values("channel", ascending=False, kind="stable")
    found = fit_hill(table["spend"], table["response"], table["channel"])
    assert list(found.index) == ["tv", "radio"]
    assert found.index.name == "channel"
    assert_allclose(found[PARAMETERS], [[2.0, 0.4, 1.0], [9.0, 20.0, 2.0]], rtol=1e-6)
    alone = fit_hill(100.0 * SHARES, curve(100.0 * SHARES, 9.0, 20.0, 2.0), "radio")
    assert_allclose(alone[PARAMETERS].loc["radio"], found[PARAMETERS].loc["radio"])


def test_misfits_are_those_of_the_points():
    response = np.log1p(5.0 * SHARES)
    found = fit_hill(SHARES, response, "tv").loc["tv"]
    off = (curve(SHARES, *found[PARAMETERS]) - response) / response.max()
    assert_allclose(found["max_misfit"], np.abs(off).max())
    assert_allclose(found["rms_misfit"], np.sqrt(np.mean(off**2)))
    # No other curve nearby fits better.
    for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]):
        other = curve(SHARES, *(found[PARAMETERS].astype(float) * (1.0 + step)))
        assert np.sum((other - response) ** 2) > np.sum((off * response.max()) ** 2)


@pytest.mark.filterwarnings("ignore:fit_hill")
def test_curves_of_a_fitted_model(fitted, panel):
    for channel in panel.media:
        points = response_curve(fitted, channel)
        found = fit_hill(points.spend, points.incremental, channel)
        assert list(found.index) == [channel]
        assert found.loc[channel, "max_misfit"] < 0.02
        marginal = np.diff(curve(points.spend, *found.loc[channel, PARAMETERS]))
        assert_allclose(marginal, np.diff(points.incremental), rtol=0.1)


@pytest.mark.parametrize(
    ("response", "note"),
    [
        (curve(SHARES, 7.0, 3.0, 1.0), "half saturation beyond the data"),
        (SHARES, "no saturation in the data"),
        (np.sqrt(SHARES), "no saturation in the data"),
        (1.0 * (SHARES > 0), "half saturation below the data"),
        (1.0 * (SHARES > 0.5), "slope at the end of the search"),
    ],
)
def test_what_points_do_not_tell_is_said(response, note):
    with pytest.warns(UserWarning, match=rf"{note}, of \['tv'\]"):
        found = fit_hill(SHARES, response, "tv")
    assert found.loc["tv", "note"] == note


def test_a_baseline_without_a_point_at_zero_is_said():
    spend = np.linspace(1.0, 5.0, 9)
    response = 3.0 + curve(spend, 4.0, 2.0, 1.0)
    with pytest.warns(UserWarning, match=r"no points near zero spend, of \['tv'\]"):
        found = fit_hill(spend, response, "tv").loc["tv"]
    assert "no points near zero spend" in found["note"].split("; ")
    with pytest.raises(ValueError, match=r"without spend is \d+% of the largest"):
        fit_hill(np.append(0.0, spend), np.append(3.0, response), "tv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_hill(np.append(0.0, spend), np.append(0.0, response - 3.0), "tv")
        near = np.linspace(0.1, 5.0, 9)
        fit_hill(near, curve(near, 4.0, 2.0, 1.0), "tv")


def test_a_fall_at_the_end_is_said():
    spend = np.arange(6.0)
    response = np.array([0.0, 4.0, 7.0, 9.0, 8.5, 8.0])
    with pytest.warns(UserWarning, match=r"response falls at the end, of \['tv'\]"):
        found = fit_hill(spend, response, "tv").loc["tv"]
    assert found["note"] == "response falls at the end"
    level = response.copy()
    level[-2:] = 9.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_hill(spend, level, "tv")


def test_points_that_tell_all_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_hill(SHARES, curve(SHARES, 7.0, 0.99, 1.0), "tv")


@pytest.mark.parametrize(
    ("spend", "response", "message"),
    [
        ([0, 1, 2, 2, 3], [0, 1, 2, 2, 3], "'tv' has 3 levels of spend above zero"),
        ([1, 2, 3, 4], [4, 3, 2, 1], "'tv' falls with spend"),
        (np.r_[1:9], [1, 2, 3, 4, 4, 3, 2, 1], "'tv' falls with spend"),
        ([1, 2, 3, 4], [1, 1, 1, 1], "'tv' does not rise with spend"),
        ([1, 2, 3, 4], [-1, -2, -3, -4], "No response of channel 'tv'"),
        ([0, 1, 2, 3, 4], [5, 6, 7, 8, 8], "'tv' without spend is 62% of the largest"),
        ([-1, 1, 2, 3, 4], [0, 1, 2, 3, 4], "spend of channel 'tv' is negative: -1"),
        ([np.nan, 1, 2, 3, 4], [0, 1, 2, 3, 4], "spend contains NaN"),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, np.inf], "response contains infinity"),
        ([0, 1, 2, 3], [0, 1, 2, 3, 4], "inconsistent numbers of samples"),
        (np.ones((4, 2)), np.ones(4), "1d array"),
    ],
)
def test_points_of_no_curve_are_refused(spend, response, message):
    with pytest.raises(ValueError, match=message):
        fit_hill(spend, response, "tv")


def test_noise_of_single_points_without_spend_is_none_of_a_baseline():
    rng = np.random.RandomState(0)
    spend = np.repeat(SHARES, 8)
    true = curve(spend, 7.0, 0.3, 1.0)
    response = true + rng.normal(0.0, 0.05 * true.max(), len(spend))
    assert np.abs(response[spend == 0]).max() > 0.05 * response.max()
    found = fit_hill(spend, response, "tv").loc["tv"]
    assert_allclose(curve(spend, *found[PARAMETERS]), true, atol=0.05 * true.max())
    with pytest.raises(ValueError, match=r"is 2\d% of the largest on average"):
        fit_hill(spend, response + 0.3 * true.max(), "tv")


def test_points_without_a_channel_are_refused():
    with pytest.raises(ValueError, match="channel is missing in row 2"):
        fit_hill([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], ["a", "a", None, "a", "a"])
