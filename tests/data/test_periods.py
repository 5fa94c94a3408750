"""Fortnights, quarters, retail months, business days: read, continued, named, kept."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import refuses
from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm._data.periods import UNITS, one_of, several
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.preprocessing import FourierSeason
from skmmm.report import make_report
from skmmm.scenarios import make_future_frame


def retail(order, n_periods, first="2021-01-31", longer=()):
    """Return first days of retail months; those of a 53rd week are listed."""
    weeks = [order[i % 3] + (i in longer) for i in range(n_periods - 1)]
    return pd.Timestamp(first) + pd.to_timedelta(7 * np.cumsum([0, *weeks]), unit="D")


def dates(first, n_periods, freq):
    return pd.date_range(first, periods=n_periods, freq=freq)


KINDS = {
    "two weeks": dates("2021-01-04", 60, "14D"),
    "four weeks": dates("2021-01-04", 60, "28D"),
    "quarter": dates("2008-01-01", 60, "QS"),
    "quarter from February": dates("2008-02-01", 60, "QS-FEB"),
    "quarter by its last day": dates("2008-01-31", 60, "QE"),
    "retail month 4-4-5": retail((4, 4, 5), 60),
    "retail month 4-5-4": retail((4, 5, 4), 60, longer=[35]),
    "retail month 5-4-4": retail((5, 4, 4), 60, longer=[11]),
    "retail month within a quarter": retail((4, 4, 5), 60, longer=[11])[2:],
    "business day": pd.bdate_range("2021-01-06", periods=60),
    "business day of shops": pd.bdate_range("2021-01-06", periods=60).delete([1, 40]),
}


def read(times):
    calendar = infer_calendar(pd.Series(times), "time")
    return calendar, calendar.ordinals(pd.Series(times), "time")


@pytest.mark.parametrize("kind", KINDS)
def test_periods_are_counted_and_continued(kind):
    times = KINDS[kind]
    calendar, ordinal = read(times[:40])
    assert kind.startswith(calendar.unit)
    counted = pd.bdate_range(times[0], times[-1]).get_indexer(times)
    expected = counted if "business" in kind else np.arange(len(times))
    assert_array_equal(ordinal, expected[:40])
    later = calendar.ordinals(pd.Series(times[40:]), "time")
    assert_array_equal(later, expected[40:])
    first = [calendar.value(t) for t in expected]
    if "last day" in kind:
        times = times.to_period("M").to_timestamp()
    assert_array_equal(pd.DatetimeIndex(first), times)
    # Any day of a period is of that period; the Saturday is of the Friday.
    if kind != "quarter by its last day":
        ends = pd.Series(times[1:40] - pd.Timedelta(days=1))
        at = expected[:39] if "business" not in kind else expected[1:40] - 1
        assert_array_equal(calendar.period_of(ends, "time"), at)


@pytest.mark.parametrize(
    ("kind", "year", "season", "week"),
    [
        ("two weeks", 365.25 / 14, 26, 1),
        ("four weeks", 365.25 / 28, 13, 1),
        ("quarter", 4, 4, 1),
        ("retail month 4-4-5", 12, 12, 1),
        ("business day", 365.25 * 5 / 7, 260, 5),
    ],
)
def test_lengths_of_a_year_and_of_a_week(kind, year, season, week):
    calendar, _ = read(KINDS[kind])
    assert_allclose(calendar.year, year)
    assert calendar.season_length == season
    assert calendar.week == week
    assert season / calendar.year == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_season_returns_after_a_year_and_depends_on_the_date_only(kind):
    times = KINDS[kind]
    table = pd.DataFrame({"time": times})
    together = FourierSeason(time="time", order=1).fit_transform(table)
    for part in (table[:45], table[7:]):
        alone = FourierSeason(time="time", order=1).fit(part).transform(part)
        assert_allclose(alone.iloc[:, 1:], together.loc[part.index].iloc[:, 1:])
    calendar, ordinal = read(times)
    terms = calendar.fourier(ordinal, 1)
    assert_allclose(together.iloc[:, 1:].to_numpy().T, terms, atol=1e-9)
    assert calendar.smoothness(1).shape == (len(terms),)


def test_season_of_business_days_knows_the_weekday():
    table = pd.DataFrame({"day": pd.bdate_range("2021-03-01", periods=70)})
    waves = FourierSeason(time="day", order=0).fit_transform(table)
    design = np.column_stack([np.ones(70), waves.iloc[:, 1:]])
    assert design.shape[1] == 5
    friday = (table["day"].dt.day_of_week == 4).to_numpy(dtype=float)
    fit = design @ np.linalg.lstsq(design, friday, rcond=None)[0]
    assert_allclose(fit, friday, atol=1e-12)


@pytest.mark.parametrize("kind", [k for k in KINDS if k.startswith("quarter")])
def test_season_of_quarters_makes_any_pattern_of_four(kind):
    table = pd.DataFrame({"time": KINDS[kind]})
    waves = FourierSeason(time="time").fit_transform(table)
    assert list(waves) == ["time", "sin1", "cos1", "cos2"]
    design = np.column_stack([np.ones(60), waves.iloc[:, 1:]])
    assert np.linalg.cond(design) < 3
    calendar, ordinal = read(KINDS[kind])
    assert_allclose(calendar.fourier(ordinal, 3), design[:, 1:].T, atol=1e-9)
    with pytest.raises(ValueError, match="order=3 is too high for a season of 4"):
        FourierSeason(time="time", order=3).fit(table)


def test_a_53rd_week_after_training():
    times = retail((4, 5, 4), 60, longer=[47])
    calendar, _ = read(times[:40])
    assert_array_equal(calendar.ordinals(pd.Series(times[40:]), "t"), np.arange(40, 60))
    assert_array_equal(calendar.ordinals(pd.Series(times[55:56]), "t"), [55])
    early = pd.Series(times[:40]) + pd.Timedelta(days=7)
    with pytest.raises(ValueError, match="not on the retail month grid"):
        calendar.ordinals(early, "time")
    wrong = pd.Series([times[45] + pd.Timedelta(days=7), times[46]])
    with pytest.raises(ValueError, match="not on the retail month grid"):
        calendar.ordinals(wrong, "time")


def test_retail_months_with_gaps_and_regions():
    times = retail((4, 4, 5), 60, longer=[23])
    region = np.repeat(["A", "B"], 60)
    kept = np.random.RandomState(0).uniform(size=120) < 0.8
    rows = pd.Series(np.concatenate([times, times]))[kept]
    calendar = infer_calendar(rows, "time", region[kept])
    expected = np.tile(np.arange(60), 2)[kept]
    assert calendar.unit == "retail month"
    assert_array_equal(calendar.ordinals(rows, "time"), expected - expected.min())


@pytest.mark.parametrize(
    "times",
    [
        dates("2021-01-01", 60, "WOM-1MON"),  # first Mondays of months
        dates("2021-01-04", 30, "28D").append(retail((5, 4, 4), 30, "2024-01-01")),
        retail((4, 4, 5), 60, longer=[11, 23, 35]),
        retail((4, 4, 5), 60) + pd.to_timedelta(1 * (np.arange(60) == 30), unit="D"),
    ],
)
def test_other_months_of_whole_weeks_are_refused(times):
    with pytest.raises(ValueError, match="Mixed frequency"):
        read(times)


def test_days_of_less_than_four_weeks_are_days():
    assert read(pd.bdate_range("2021-01-04", periods=20))[0].unit == "day"
    assert read(pd.bdate_range("2021-01-04", periods=21))[0].unit == "business day"


def test_business_days_without_a_weekday():
    times = pd.bdate_range("2021-01-04", periods=90)
    message = "never are on a Friday, Saturday or Sunday"
    with pytest.raises(ValueError, match=message.replace(", ", " or ")):
        read(times[times.day_of_week != 4])
    days = {"A": times, "B": times[times.day_of_week != 2]}
    region = np.repeat(list(days), [*map(len, days.values())])
    rows = pd.Series(np.concatenate([*days.values()]))
    with pytest.raises(ValueError, match="never are on a Wednesday in region 'B'"):
        infer_calendar(rows, "time", region)


def test_weekend_after_business_days():
    calendar, _ = read(KINDS["business day"])
    message = (
        "The time column 'day' has 2021-05-01 00:00:00 in row 1, which is not on the "
        "business day grid of the training data (it starts at 2021-01-06)."
    )
    with refuses(message):
        calendar.ordinals(
            pd.Series(pd.to_datetime(["2021-04-30", "2021-05-01"])), "day"
        )


def test_periods_that_do_not_meet():
    message = (
        "The two-week periods of the time column 'time' do not meet: from 2021-01-04 "
        "in region 'A'; from 2021-01-11 in region 'B'. All regions need periods that "
        "begin together."
    )
    first = KINDS["two weeks"]
    rows = pd.Series(np.concatenate([first, first + pd.Timedelta(days=7)]))
    with refuses(message):
        infer_calendar(rows, "time", np.repeat(["A", "B"], 60))


@pytest.mark.parametrize("unit", UNITS)
def test_words(unit):
    assert several(unit) == f"{one_of(unit)}s"


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(2, 60, n_media=2, n_controls=1, random_state=0)


@pytest.mark.parametrize("kind", KINDS)
def test_linear_models_plans_and_splits(world, kind):
    times = KINDS[kind]
    X = world.X[world.X["week"].isin(world.X["week"].unique()[: len(times)])]
    X = X.assign(week=times.to_numpy()[X["week"].rank(method="dense").astype(int) - 1])
    y, past = world.y[X.index], X["week"] < times[-4]
    roles = {"media": world.media, "controls": world.controls}
    roles |= {"region": "region", "time": "week"}
    model = make_linear_mmm(**roles).fit(X[past], y[past])
    assert np.isfinite(model.predict(X[~past])).all()
    future = make_future_frame(
        X[past], 4, **roles, spend="last_periods", control_values="last_periods"
    )
    assert_array_equal(future["week"].unique(), times[-4:])
    splits = PanelTimeSeriesSplit(2, test_size=3, region="region", time="week").split(X)
    assert [len(test) for _, test in splits] == [6, 6]


@pytest.mark.parametrize(
    "kind", ["two weeks", "quarter", "retail month 4-5-4", "business day"]
)
def test_network_file_plan_and_report(world, kind, tmp_path):
    times = KINDS[kind]
    X = world.X.assign(week=times[world.X["week"].rank(method="dense").astype(int) - 1])
    past = X["week"] < times[-4]
    model = DeepCausalMMMRegressor(
        media=world.media, controls=world.controls, region="region", time="week",
        media_cost=1.0, max_lag=2, max_iter=5, n_draws=2, graph=None, random_state=0,
    ).fit(X[past], world.y[past])  # fmt: skip
    assert kind.startswith(model.period_)
    predicted = model.predict(X[~past])
    assert np.isfinite(predicted).all()
    model.save(tmp_path / "model.zip")
    again = DeepCausalMMMRegressor.load(tmp_path / "model.zip")
    assert_array_equal(again.predict(X[~past]), predicted)
    assert again.period_ == model.period_
    plan = model.optimize_budget(horizon=3)
    assert_array_equal(plan.X["week"].unique(), times[-4:-1])
    page = make_report(model, X[past], world.y[past], tmp_path / "report.html")
    said = f"between the first and the last {one_of(model.period_)}."
    assert said in page.read_text(encoding="utf-8")
