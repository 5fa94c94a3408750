"""Time: periods and their length are read right, or refused by name."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from helpers import refuses, split_at
from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm.baselines import SeasonalNaiveRegressor, make_linear_mmm
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.preprocessing import GeometricAdstock
from skmmm.scenarios import make_future_frame

# --- time ---------------------------------------------------------------------------


def test_duplicate_row(X, y, fast):
    message = (
        "Two rows for region 'region_3', time 2021-01-11. Aggregate them to one row "
        "per region and period."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X.iloc[[*range(len(X)), 5]], [*y, 1.0])


def test_regions_whose_column_is_not_named(X, y, fast):
    message = (
        "Two rows for time 2021-01-04. If they are of several regions, name their "
        "column (region=...). Aggregate them to one row per region and period."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {"region": None}).fit(
            X.drop(columns="region"), y
        )


def test_time_missing_in_a_row(X, y, fast):
    X.loc[5, "week"] = pd.NaT
    message = "The time column 'week' is missing in row 5. Every row needs a period."
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_time_that_is_no_date(X, y, fast):
    X["week"] = X["week"].astype(str).astype(object)
    X.loc[5, "week"] = "the week after"
    message = (
        "The time column 'week' has 'the week after' in row 5, which is not a date. "
        "Use datetimes, Periods, ISO strings (2021-01-04) or integers."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_mixed_frequency(X, y, fast):
    X["week"] += pd.to_timedelta((X["week"] > "2021-03-01").astype(int), unit="D")
    message = (
        "Mixed frequency in the time column 'week': periods are mostly 7 days apart, "
        "but 2021-03-09 follows 2021-03-01 after 8 days in region 'region_1'. Use one "
        "row per day, week, two or four weeks, month or quarter."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_time_with_a_typing_error(X, y, fast):
    last = X["week"].max()
    X["week"] = X["week"].where(X["week"] < last, pd.Timestamp("3022-03-04"))
    message = (
        "The time column 'week' jumps from 2022-02-14 to 3022-03-04, 52180 periods "
        "later. Correct the time, or leave out one side of the gap."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_every_third_week(X, y, fast):
    third = X["week"].dt.day_of_year % 21 == 4
    third &= X["week"].dt.year == 2021
    message = (
        "The time column 'week' has periods 21 days apart. Use one row per day, "
        "week, two or four weeks, month or quarter."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[third], y[third])


def test_week_off_the_grid_at_prediction(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    later = X.assign(week=X["week"] + pd.Timedelta(days=3))
    message = (
        "The time column 'week' has 2021-01-07 00:00:00 in row 0, which is not on the "
        "week grid of the training data (it starts at 2021-01-04)."
    )
    with refuses(message):
        model.predict(later)


NUMBERS = {
    "days of spreadsheets": (44200, 7, "unit='D', origin='1899-12-30'"),
    "daily, of spreadsheets": (44200, 1, "unit='D', origin='1899-12-30'"),
    "days since 1970": (18631, 7, "unit='D', origin='1970-01-01'"),
    "seconds": (1609718400, 604800, "unit='s'"),
    "milliseconds": (1609718400000, 604800000, "unit='ms'"),
    "daily nanoseconds": (1609718400 * 10**9, 86400 * 10**9, "unit='ns'"),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_are_dates(kind):
    first, step, conversion = NUMBERS[kind]
    column = pd.Series(first + step * np.arange(60))
    said = re.escape(f"such as {first}, which are ") + ".*" + re.escape(conversion)
    for numbers in (column, column.astype(float)):
        with pytest.raises(ValueError, match=said):
            infer_calendar(numbers, "week")
    advice = dict(item.split("=") for item in conversion.replace("'", "").split(", "))
    dates = pd.to_datetime(column, **advice)
    assert infer_calendar(dates, "week").unit == ("week" if step % 7 == 0 else "day")


def test_two_digit_years_and_weeks():
    numbers = pd.Series([*range(2101, 2153), *range(2201, 2210)])
    with pytest.raises(ValueError, match="2152 followed by 2201, a year and a week"):
        infer_calendar(numbers, "week")


@pytest.mark.parametrize("missing", ["", "NaT"])
def test_time_missing_in_text(missing):
    message = "The time column 'week' is missing in row 1. Every row needs a period."
    with refuses(message):
        infer_calendar(pd.Series(["2021-01-04", missing, "2021-01-11"]), "week")


def test_integers_after_dates(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    message = (
        "The time column 'week' holds integers, but the model was fitted on dates."
    )
    with refuses(message):
        model.predict(X.assign(week=np.arange(len(X))))


def test_dates_after_integers(X, y, fast):
    number = (X["week"] - X["week"].min()).dt.days // 7
    model = DeepCausalMMMRegressor(**fast).fit(X.assign(week=number), y)
    message = (
        "The time column 'week' holds dates, but the model was fitted on integers."
    )
    with refuses(message):
        model.predict(X)


def test_single_period(X, y, fast):
    first = X["week"] == X["week"].min()
    message = (
        "The time column 'week' has a single period (2021-01-04 00:00:00; "
        "n_samples=3). At least two are needed to know their length; use time=None for "
        "rows without an order."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[first], y[first])


def test_fewer_periods_than_lags(X, y, fast):
    message = (
        "X has 60 periods, but max_lag=60 needs at least 61. Lower max_lag or add "
        "history."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {"max_lag": 60}).fit(X, y)
    model = DeepCausalMMMRegressor(**fast | {"max_lag": 59}).fit(X, y)
    assert np.isfinite(model.predict(X)).all()


WEEKS = pd.date_range("2021-01-04", periods=60, freq="7D")
DAYS = pd.date_range("2021-01-04", periods=420)
MONTHS = pd.date_range("2021-01-01", periods=24, freq="MS")


def read_calendar(**regions):
    """Return the calendar of regions with these times, and their periods."""
    times = pd.Series(np.concatenate([*map(np.asarray, regions.values())]))
    region = np.repeat(list(regions), [*map(len, regions.values())])
    calendar = infer_calendar(times, "week", region)
    return calendar, calendar.ordinals(times, "week")


def test_weeks_that_begin_on_different_weekdays(X, y, fast):
    later = pd.to_timedelta(2 * (X["region"] == "region_2"), unit="D")
    X["week"] += later
    message = (
        "Weeks begin on different weekdays in the time column 'week': Monday in "
        "regions 'region_1', 'region_3'; Wednesday in region 'region_2'. Move them to "
        "one weekday. If the dates are first days of weeks, the nearest Monday is "
        "(pd.to_datetime(X['week']) + pd.Timedelta(days=3)).dt.to_period('W').dt."
        "start_time."
    )
    linear = make_linear_mmm(
        media=["media_1"], region="region", time="week", season_order=1
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)
    for model in (
        linear,
        linear.named_steps["season"],
        SeasonalNaiveRegressor(region="region", time="week"),
    ):
        with refuses(message):
            model.fit(X, y)
    with refuses(message):
        next(PanelTimeSeriesSplit(region="region", time="week").split(X))
    with refuses(message):
        make_future_frame(
            X[["region", "week", "media_1"]],
            4,
            media=["media_1"],
            region="region",
            time="week",
        )
    advised = pd.to_datetime(X["week"]) + pd.Timedelta(days=3)
    advised = advised.dt.to_period("W").dt.start_time
    assert (advised == X["week"] - later).all()


@pytest.mark.parametrize("seed", range(24))
def test_calendar_of_any_weekdays_is_right_or_refused(seed):
    rng = np.random.RandomState(seed)
    first, kept = rng.randint(7, size=3), rng.uniform(0.7, 1.0, 3)
    if seed % 4 == 0:  # otherwise nearly all are refused
        first[:] = first[0]
    weeks = [np.flatnonzero(rng.uniform(size=60) < k) for k in kept]
    dates = {
        name: WEEKS[week] + pd.Timedelta(days=int(day))
        for name, week, day in zip("ABC", weeks, first, strict=True)
    }
    if len(set(first)) > 1:
        with pytest.raises(ValueError, match="'A'") as raised:
            read_calendar(**dates)
        assert all(repr(name) in str(raised.value) for name in "BC")
        return
    calendar, period = read_calendar(**dates)
    assert calendar.unit == "week"
    assert_array_equal(period, np.concatenate(weeks) - min(map(np.min, weeks)))


MIXED = {
    "weeks, then days": {"A": [*WEEKS, *(DAYS[:100] + pd.Timedelta(days=420))]},
    "days, then weeks": {"A": [*DAYS[:100], *(WEEKS + pd.Timedelta(days=100))]},
    "days here, weeks there": {"A": DAYS, "B": WEEKS},
    "few days here, weeks there": {"A": DAYS[:20], "B": WEEKS},
    "months, then days": {"A": [*MONTHS, *(DAYS[:100] + pd.Timedelta(days=727))]},
    "days here, months there": {"A": DAYS, "B": MONTHS},
    "weeks here, fortnights there": {"A": WEEKS, "B": WEEKS[::2]},
    "weeks here, months there": {"A": WEEKS, "B": MONTHS},
    "months here, quarters there": {"A": MONTHS, "B": MONTHS[::3]},
    "four weeks, then weeks": {"A": [*WEEKS[:40:4], *WEEKS[40:]]},
    "numbers and every third": {"A": range(60), "B": range(0, 60, 3)},
}


@pytest.mark.parametrize("kind", MIXED)
def test_mixed_lengths_of_periods_name_both(kind):
    regions = MIXED[kind]
    with pytest.raises(ValueError, match="Mixed frequency") as raised:
        read_calendar(**regions)
    assert all(f"in region {name!r}" in str(raised.value) for name in regions)


def test_mixed_frequency_names_the_date_of_the_change():
    times = pd.Series(MIXED["weeks, then days"]["A"])
    message = (
        "Mixed frequency in the time column 'week': periods are 7 days apart from "
        "2021-01-04 to 2022-02-28, but 1 day apart from 2022-02-28 to 2022-03-01. Use "
        "rows of one length in all regions and at all times."
    )
    with refuses(message):
        infer_calendar(times, "week")


def test_numbers_that_do_not_meet():
    message = (
        "The periods of the time column 'week' are 2 apart, but do not meet: from 0 in "
        "region 'A'; from 1 in region 'B'. Number them alike in all regions."
    )
    with refuses(message):
        read_calendar(A=range(0, 60, 2), B=range(1, 61, 2))


def test_first_and_last_days_are_of_the_same_months():
    ends = pd.date_range("2021-01-31", periods=24, freq="ME")
    calendar, period = read_calendar(A=MONTHS, B=ends, C=MONTHS[3:4])
    assert calendar.unit == "month"
    assert_array_equal(period, [*range(24), *range(24), 3])


def test_no_rows_to_split():
    with refuses("X has no rows, so the time column 'week' is empty."):
        next(PanelTimeSeriesSplit(time="week").split(pd.DataFrame({"week": []})))


def test_regions_with_gaps_and_with_one_row():
    calendar, period = read_calendar(A=WEEKS, B=WEEKS[7:8], C=WEEKS[[3, 4, 20, 41]])
    assert calendar.unit == "week"
    assert_array_equal(period[60:], [7, 3, 4, 20, 41])
    with refuses(
        "No region has two periods in the time column 'week', so their length is "
        "unknown. Use more periods, or time=None for rows without an order."
    ):
        read_calendar(A=WEEKS[:1], B=WEEKS[1:2])


def test_business_days():
    message = (
        "The daily rows of the time column 'week' never are on a Saturday or Sunday in "
        "region 'B'. Coming periods would have these days: aggregate to weeks, or add "
        "rows for them (of spend and KPI zero, if nothing happens then)."
    )
    with refuses(message):
        read_calendar(A=DAYS, B=DAYS[DAYS.day_of_week < 5])


def test_rows_to_predict_keep_the_length_of_a_period(X, y, fast):
    train, test, y_train, _ = split_at(X, y, 36)
    model = DeepCausalMMMRegressor(**fast).fit(train, y_train)
    rare = (test["region"] == "region_2") & (
        test["week"].dt.isocalendar().week % 2 == 1
    )
    message = "Mixed frequency in the time column 'week': periods are 14 days apart"
    with pytest.raises(ValueError, match=message):
        model.predict(test[~rare])
    adstock = GeometricAdstock(columns=["media_1"], region="region", time="week")
    with pytest.raises(ValueError, match=message):
        adstock.fit(train).transform(test[~rare])
