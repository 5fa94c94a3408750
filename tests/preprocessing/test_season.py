"""Season: names, the calendar behind it, the same phase whatever fit saw."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from skmmm._data.calendar import infer_calendar
from skmmm.preprocessing import FourierSeason


@pytest.mark.parametrize(
    ("freq", "n_waves", "year"),
    [("W-MON", 4, 365.25 / 7), ("D", 10, 365.25), ("MS", 4, 12)],
)
def test_season_names_and_period(freq, n_waves, year):
    X = pd.DataFrame({"time": pd.date_range("2021-03-01", periods=20, freq=freq)})
    season = FourierSeason(time="time").fit(X)
    names = list(season.get_feature_names_out())
    assert names[:5] == ["time", "sin1", "cos1", "sin2", "cos2"]
    assert len(names) == 1 + n_waves
    waves = season.transform(X)
    assert list(waves.columns) == names
    turn = np.exp(2j * np.pi / year)
    wave = waves["cos1"] + 1j * waves["sin1"]
    assert_allclose(wave.iloc[1:].to_numpy(), turn * wave.iloc[:-1].to_numpy())


@pytest.mark.parametrize("freq", ["W-MON", "D", "MS"])
def test_season_agrees_with_the_calendar(freq):
    time = pd.Series(pd.date_range("2021-03-01", periods=60, freq=freq), name="time")
    calendar = infer_calendar(time, "time")
    waves = FourierSeason(time="time", order=3).fit_transform(time.to_frame())
    expected = calendar.fourier(calendar.ordinals(time, "time"), 3)
    assert_allclose(waves.iloc[:, 1:].to_numpy().T, expected, atol=1e-9)


def test_season_depends_on_the_date_only():
    X = pd.DataFrame({"week": pd.date_range("2021-03-01", periods=80, freq="W-MON")})
    together = FourierSeason(time="week").fit_transform(X)
    assert_frame_equal(FourierSeason(time="week").fit(X[:10]).transform(X), together)
    assert_frame_equal(FourierSeason(time="week").fit(X[60:]).transform(X), together)
    # Phase zero is the beginning of 1970, up to leap days the turn of every year.
    at_new_year = together["cos1"][X["week"].dt.strftime("%m-%d") == "01-03"]
    assert_allclose(at_new_year, 1.0, atol=0.01)


def test_season_of_days_knows_the_weekday():
    X = pd.DataFrame({"day": pd.date_range("2021-03-01", periods=70, freq="D")})
    waves = FourierSeason(time="day", order=0).fit_transform(X)
    columns = [c for c in waves if c.startswith("weekday_")]
    assert len(columns) == 6
    design = np.column_stack([np.ones(70), waves[columns]])
    is_friday = (X["day"].dt.day_of_week == 4).to_numpy(dtype=float)
    fit = design @ np.linalg.lstsq(design, is_friday, rcond=None)[0]
    assert_allclose(fit, is_friday, atol=1e-12)


def test_season_of_integers_with_period():
    X = np.column_stack([np.arange(10, 30), np.ones(20)])
    waves = FourierSeason(time=0, order=1, period=8).fit_transform(X)
    assert waves.shape == (20, 4)
    assert_allclose(waves[:, 2], np.sin(2 * np.pi * X[:, 0] / 8), atol=1e-14)


def test_season_refuses():
    X = pd.DataFrame({"month": pd.date_range("2021-03-01", periods=5, freq="MS")})
    with pytest.raises(ValueError, match="order=6 is too high for a season of 12"):
        FourierSeason(time="month", order=6).fit(X)
    with pytest.raises(ValueError, match="X already has a column 'cos1'"):
        FourierSeason(time="month").fit(X.assign(cos1=1.0))
