"""Coming periods are laid out as planned."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from future_tables import COPY, ROLES, SERIES, future, series, two_regions
from skmmm.scenarios import make_future_frame


@pytest.fixture
def X():
    return two_regions()


# The table of coming periods.


def test_coming_rows_are_laid_out_like_the_known_ones(X):
    coming = future(X, 3)
    assert list(coming.columns) == list(X.columns)
    assert_array_equal(coming.dtypes, X.dtypes)
    assert list(coming["region"]) == ["A", "B"] * 3
    weeks = pd.date_range("2022-02-28", periods=3, freq="7D")
    assert_array_equal(coming["week"], weeks.repeat(2))
    assert_array_equal(coming.index, np.arange(6))


def test_last_year_is_52_weeks_before(X):
    coming = future(X, 3)
    assert_allclose(coming["tv"], [108, 1108, 109, 1109, 110, 1110])
    assert list(coming["promo"]) == [True, True, False, False, True, True]
    assert_allclose(coming["price"], [11, 12, 11.125, 12.125, 11.25, 12.25])


def test_beyond_a_year_the_last_one_repeats(X):
    coming = future(X, 60)
    tv = coming.loc[coming["region"] == "A", "tv"].to_numpy()
    assert_allclose(tv, [*np.arange(108.0, 160.0), *np.arange(108.0, 116.0)])


def test_last_periods_repeat_in_order(X):
    coming = future(X, 3, spend="last_periods", control_values="last_periods")
    assert_allclose(coming["tv"], [157, 1157, 158, 1158, 159, 1159])
    assert list(coming["promo"]) == [False, False, True, True, False, False]


def test_rows_in_any_order(X):
    plan = {"tv": 50.0, "search": "last_periods"}
    expected = future(X, spend=plan)
    shuffled = X.sample(frac=1.0, random_state=0)
    pd.testing.assert_frame_equal(future(shuffled, spend=plan), expected)


@pytest.mark.parametrize(
    ("known", "coming"),
    [
        pytest.param(
            pd.date_range("2021-01-04", periods=60, freq="7D"),
            pd.date_range("2022-02-28", periods=2, freq="7D"),
            id="weeks",
        ),
        pytest.param(
            pd.date_range("2020-11-20", periods=30, freq="D"),
            pd.date_range("2020-12-20", periods=2, freq="D"),
            id="days",
        ),
        pytest.param(
            pd.date_range("2020-01-01", periods=13, freq="MS"),
            pd.to_datetime(["2021-02-01", "2021-03-01"]),
            id="months",
        ),
        pytest.param(
            pd.date_range("2020-01-31", periods=13, freq="ME"),
            pd.to_datetime(["2021-02-28", "2021-03-31"]),
            id="ends of months",
        ),
        pytest.param(
            pd.to_datetime(["2020-12-15", "2021-01-15"]),
            pd.to_datetime(["2021-02-15", "2021-03-15"]),
            id="fifteenth of months",
        ),
        pytest.param(
            pd.to_datetime(["2020-12-30", "2021-01-30"]),
            pd.to_datetime(["2021-02-28", "2021-03-30"]),
            id="no 30th of February",
        ),
        pytest.param(
            pd.date_range("2021-03-06 12:00", periods=8, freq="7D", tz="Europe/Berlin"),
            pd.date_range("2021-05-01 12:00", periods=2, freq="7D", tz="Europe/Berlin"),
            id="noon in a time zone",
        ),
        pytest.param(
            pd.period_range("2021-01-04", periods=5, freq="W-SUN"),
            pd.period_range("2021-02-08", periods=2, freq="W-SUN"),
            id="Periods of weeks",
        ),
        pytest.param(
            pd.period_range("2020-11", periods=2, freq="M"),
            pd.period_range("2021-01", periods=2, freq="M"),
            id="Periods of months",
        ),
        pytest.param(
            ["2020-12-21", "2020-12-28"], ["2021-01-04", "2021-01-11"], id="ISO weeks"
        ),
        pytest.param(["2020-11", "2020-12"], ["2021-01", "2021-02"], id="ISO months"),
        pytest.param(["20201230", "20201231"], ["20210101", "20210102"], id="basic"),
        pytest.param(
            ["2020-12-21T00:00:00", "2020-12-28T00:00:00"],
            ["2021-01-04T00:00:00", "2021-01-11T00:00:00"],
            id="ISO with a time",
        ),
        pytest.param(
            [date(2020, 12, 21), date(2020, 12, 28)],
            [date(2021, 1, 4), date(2021, 1, 11)],
            id="dates",
        ),
        pytest.param([1, 3, 5], [7, 9], id="integers with a step"),
        pytest.param(
            np.array([1, 2], np.float32), np.array([3, 4], np.float32), id="floats"
        ),
        pytest.param(np.array([-2, -1], np.int8), np.array([0, 1], np.int8), id="int8"),
    ],
)
def test_time_goes_on_as_it_is_written(known, coming):
    X = series(known)
    expected = pd.Series(coming, name="t")
    for table in (X, X[::-1]):
        made = make_future_frame(table, 2, **SERIES, spend="last_periods")
        pd.testing.assert_series_equal(made["t"], expected.astype(X["t"].dtype))
        assert_allclose(made["tv"], X["tv"].tail(2))


def test_integers_that_outgrow_their_dtype():
    X = series(np.array([126, 127], np.int8))
    made = make_future_frame(X, 2, **SERIES, spend="last_periods")
    assert list(made["t"]) == [128, 129]


def test_categorical_times_become_their_categories():
    X = series(pd.Categorical(["2020-12-21", "2020-12-28"]))
    made = make_future_frame(X, 1, **SERIES, spend="last_periods")
    assert list(made["t"]) == ["2021-01-04"]


@pytest.mark.parametrize(
    ("times", "season"),
    [
        (pd.date_range("2020-01-01", periods=400, freq="D"), 364),
        (pd.date_range("2020-01-01", periods=30, freq="MS"), 12),
        (pd.period_range("2020-01", periods=30, freq="M"), 12),
        (np.arange(60), 52),
    ],
)
def test_length_of_the_year(times, season):
    made = make_future_frame(series(times), 2, **SERIES)
    first = len(times) - season
    assert_allclose(made["tv"], [first, first + 1])
    short = series(times[-season:])
    assert_allclose(make_future_frame(short, 2, **SERIES)["tv"], [0, 1])
    with pytest.raises(ValueError, match=f"needs {season} periods of history, but"):
        make_future_frame(short[1:], 1, **SERIES)


def test_polars_and_arrays_are_read(X):
    pl = pytest.importorskip("polars")
    expected = future(X)
    from_polars = future(pl.from_pandas(X))
    pd.testing.assert_frame_equal(from_polars, expected, check_dtype=False)
    positions = {"media": [2, 4], "controls": [3, 5], "region": 1, "time": 0}
    made = future(X.to_numpy(dtype=object), **positions)
    assert_array_equal(made[2], expected["tv"])
    assert_array_equal(made[0], expected["week"])


def test_media_default_to_all_other_columns(X):
    pd.testing.assert_frame_equal(future(X, media=None), future(X))


def test_regions_of_any_kind(X):
    kind = pd.CategoricalDtype(["B", "A"])
    made = future(X.astype({"region": kind}))
    assert made["region"].dtype == kind
    assert list(made["region"]) == ["A", "B"] * 3
    made = future(X.astype({"region": object}))
    assert list(made["region"]) == ["A", "B"] * 3
    numbered = X.assign(region=X["region"].map({"A": 7, "B": 3}))
    assert list(future(numbered)["region"]) == [3, 7] * 3


# Plans.


def test_a_planned_number_is_divided_as_last_year(X):
    made = future(X, spend={"tv": "last_year", "search": 40})
    assert list(made["search"]) == [10, 30] * 3
    assert made["search"].dtype == X["search"].dtype
    assert_allclose(made["tv"], future(X)["tv"])
    last_season = X[X["week"] >= "2021-03-01"]
    part = last_season[last_season["region"] == "B"]["tv"].sum()
    made = future(X, spend={"tv": 1.0, "search": 0})
    assert_allclose(made["tv"][1::2], part / last_season["tv"].sum())
    assert not made["search"].any()


def test_integers_become_floats_rather_than_rounded(X):
    made = future(X, spend={"tv": 1.0, "search": 10})
    assert list(made["search"]) == [2.5, 7.5] * 3
    made = future(X, control_values={"price": 10.0, "promo": 0.5})
    assert list(made["promo"]) == [0.5] * 6


def test_a_region_that_started_late_is_no_small_one(X):
    late = X[(X["region"] == "A") | (X["week"] >= "2022-01-03")]
    made = future(late, spend={"tv": 1.0, "search": 40}, control_values="last_periods")
    assert list(made["search"]) == [10, 30] * 3


def test_one_number_per_period(X):
    values = {"price": [8, 9, 10], "promo": np.array([True, False, True])}
    made = future(X, spend={"tv": 1.0, "search": (4, 8, 12)}, control_values=values)
    assert list(made["search"]) == [1, 3, 2, 6, 3, 9]
    assert list(made["price"]) == [8, 8, 9, 9, 10, 10]
    assert list(made["promo"]) == [True, True, False, False, True, True]
    assert made["promo"].dtype == bool


def plan_by_period():
    return pd.DataFrame(
        {
            "week": ["2022-03-14", "2022-02-28", "2022-03-07"],
            "search": [12, 4, 8],
            "tv": [0.0, 0.0, 0.0],
        }
    )


def test_tables_by_period(X):
    plan = plan_by_period()
    dates = pd.to_datetime(plan["week"])
    for table in (
        plan,
        plan.set_index("week"),
        plan.set_index(dates.rename(None)).drop(columns="week"),
        plan.set_index(pd.PeriodIndex(dates, freq="W")).drop(columns="week"),
    ):
        made = future(X, spend=table)
        assert list(made["search"]) == [1, 3, 2, 6, 3, 9]
    controls = pd.DataFrame({"week": dates, "price": [3, 1, 2], "promo": 0})
    made = future(X, control_values=controls)
    assert list(made["price"]) == [1, 1, 2, 2, 3, 3]


def test_tables_by_region_and_period(X):
    plan = future(X)[["tv", "week", "search", "region"]]
    plan["search"] = np.arange(6)
    shuffled = plan.sample(frac=1.0, random_state=0)
    for table in (
        shuffled,
        shuffled.set_index(["region", "week"]),
        shuffled.set_index("region"),
    ):
        made = future(X, spend=table)
        assert list(made["search"]) == list(range(6))
    price = shuffled.set_index(["week", "region"])["search"]
    made = future(X, control_values={"price": price, "promo": 0})
    assert list(made["price"]) == list(range(6))


def test_tables_of_one_series():
    X = series([1, 2, 3])
    plan = pd.DataFrame({"tv": [7.0, 6.0]}, index=pd.Index([5, 4], name="t"))
    for spend in (plan, {"tv": plan["tv"]}, {"tv": [6.0, 7.0]}):
        made = make_future_frame(X, 2, **SERIES, spend=spend)
        assert list(made["tv"]) == [6.0, 7.0]


def test_one_region_may_begin_to_spend():
    X = series([1, 2, 3]).assign(tv=0.0)
    assert list(make_future_frame(X, 2, **SERIES, spend={"tv": 5})["tv"]) == [5, 5]


def test_polars_plan(X):
    pl = pytest.importorskip("polars")
    made = future(X, spend=pl.from_pandas(plan_by_period()))
    assert list(made["search"]) == [1, 3, 2, 6, 3, 9]


def test_ended_regions_are_left_out_with_a_warning(X):
    ended = X[(X["region"] == "A") | (X["week"] < "2022-01-03")]
    with pytest.warns(UserWarning, match=r"\['B'\] \('B' ends 2021-12-27\)") as caught:
        made = make_future_frame(ended, 3, **ROLES, **COPY)
    assert caught[0].filename == __file__
    assert list(made["region"]) == ["A"] * 3
    with pytest.warns(UserWarning, match="^1 region has no row .* is left out"):
        made = future(ended, spend={"tv": 5.0, "search": 1})
    assert list(made["tv"]) == [5.0] * 3


# What a plan must not leave open.


@pytest.mark.parametrize("periods", [0, -1, 2.0, True, "4", None])
def test_number_of_periods(X, periods):
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        future(X, periods)


def test_time_is_needed(X):
    with pytest.raises(ValueError, match="needs a time column"):
        future(X, time=None)


def test_every_column_has_a_role(X):
    with pytest.raises(ValueError, match=r"without a role: \['sales'\]"):
        future(X.assign(sales=1.0))


def test_an_empty_table(X):
    with pytest.raises(ValueError, match="X has no rows"):
        future(X[:0])


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("tv", np.nan, "contains NaN: column 'tv' at region 'A', time 2021-01-04"),
        ("tv", -1.0, "'tv' is -1 at region 'A', time 2021-01-04"),
        ("price", np.inf, "contains infinity: column 'price'"),
        ("region", "B", "Two rows for region 'B', time 2021-01-04"),
    ],
)
def test_known_rows_are_checked(X, label, value, message):
    X.loc[1, label] = value
    with pytest.raises(ValueError, match=message):
        future(X)


@pytest.mark.parametrize("values", [None, {}, {"promo": 0}])
def test_controls_are_never_filled(X, values):
    match = "control_values does not say what control 'price' will be.*'last_year'"
    with pytest.raises(ValueError, match=match):
        future(X, control_values=values)


def test_short_history(X):
    recent = X[X["week"] >= "2021-06-01"]
    match = r"spend\['search'\]='last_year' needs 52 .* X has 38.*Use 'last_periods'"
    with pytest.raises(ValueError, match=match):
        future(recent)
    match = r"control_values\['price'\]='last_year' needs 52 .* has 38.*'last_periods'"
    with pytest.raises(ValueError, match=match):
        future(recent, spend="last_periods")
    match = "'last_periods' repeats the last 39 periods, but X has 38. Ask for fewer"
    with pytest.raises(ValueError, match=match):
        future(recent, 39, spend="last_periods")
    made = future(recent, 38, spend="last_periods", control_values="last_periods")
    assert_array_equal(made["tv"][1::2], recent["tv"][::2])


@pytest.mark.parametrize(
    ("spend", "message"),
    [
        ("next_year", r"spend\['search'\]='next_year' must be one of \['last_year'"),
        ({"tv": "all", "search": 1}, r"spend\['tv'\]='all' must be one of"),
        (1000.0, "a mapping from the columns to values, or a DataFrame, not float"),
        (None, "or a DataFrame, not NoneType"),
        ({"tv": 1}, "spend does not say what channel 'search' will be"),
        ({"tv": 1, "search": 1, "price": 1}, "spend has 'price', which is no channel"),
        ({"tv": 1, "search": -2}, "'search' is -2 at week 2022-02-28. Spend cannot be"),
        ({"tv": 1, "search": [1, 2, np.nan]}, "'search' is nan at week 2022-03-14"),
        ({"tv": 1, "search": np.inf}, "'search' is inf at week 2022-02-28. Plan"),
        ({"tv": 1, "search": [1, 2]}, r"has shape \(2,\), but there are 3 coming"),
        ({"tv": 1, "search": np.ones((2, 3))}, r"has shape \(2, 3\), but"),
        ({"tv": 1, "search": ["1", "2", "3"]}, r"spend\['search'\] must be numbers"),
        ({"tv": 1, "search": [1, "b", 2.0]}, r"spend\['search'\] must be numbers"),
        ({"tv": 1, "search": None}, "'search' is nan at week 2022-02-28"),
        ({"tv": 1, "search": {"a": 1}}, r"spend\['search'\] must be numbers"),
        ({"tv": 1, "search": pd.Series([1, 2, 3])}, "has no periods: add 'week' as a"),
    ],
)
def test_plans_that_are_refused(X, spend, message):
    with pytest.raises(ValueError, match=message):
        future(X, spend=spend)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="week"), "has no periods: add 'week' as a column"),
        (
            lambda t: t[1:],
            "has 0 rows for week 2022-03-14. It needs one for each coming",
        ),
        (lambda t: pd.concat([t, t[:1]]), "has 2 rows for week 2022-03-14"),
        (
            lambda t: t.assign(week=["2022-03-14", "2022-02-28", "2022-03-21"]),
            "has week 2022-03-21, but the coming periods are 2022-02-28 to 2022-03-14",
        ),
        (
            lambda t: t.assign(week=["2022-03-14", "2022-02-28", "2022-02-21"]),
            "has week 2022-02-21, but the coming periods",
        ),
        (lambda t: t.assign(week=["2022-03-15"] * 3), "is not on the week grid"),
        (lambda t: t.drop(columns="tv"), "does not say what channel 'tv' will be"),
        (lambda t: t.assign(radio=1), "spend has 'radio', which is no channel"),
        (lambda t: t.assign(tv=[1, 2, None]), "'tv' is nan at week 2022-03-07"),
        (lambda t: t.assign(tv=[1, -2, 3]), "'tv' is -2 at week 2022-02-28"),
        (lambda t: t.assign(tv="a"), r"spend\['tv'\] must be numbers"),
        (lambda t: t.assign(region="A"), "has 0 rows for region 'B', week 2022-02-28"),
        (lambda t: t.assign(region="C"), r"region 'C', which is not .*\['A', 'B'\]"),
    ],
)
def test_planned_tables_that_are_refused(X, change, message):
    with pytest.raises(ValueError, match=message):
        future(X, spend=change(plan_by_period()))


def test_negative_spend_names_the_region(X):
    plan = future(X)[["region", "week", "tv", "search"]]
    plan.loc[3, "tv"] = -1.0
    match = "'tv' is -1 at region 'B', week 2022-03-07"
    with pytest.raises(ValueError, match=match):
        future(X, spend=plan)


def test_spend_that_cannot_be_divided(X):
    silent = X.assign(tv=np.where(X["week"] < "2021-03-01", 5.0, 0.0))
    match = "'tv' cannot be divided between regions.* in the last 52 periods"
    with pytest.raises(ValueError, match=match):
        future(silent, spend={"tv": 5.0, "search": 1})
    assert not future(silent, spend={"tv": 0.0, "search": 1})["tv"].any()


def test_dates_written_in_no_known_way():
    X = series(["2021-1-4", "2021-1-11"])
    with pytest.raises(ValueError, match="has '2021-1-4', a way to write dates that"):
        make_future_frame(X, 1, **SERIES, spend="last_periods")


# The length of the season.


def test_a_season_may_be_told(X):
    roles = {"media": ["tv", "search"], "controls": "price", "region": "region"}
    step = X.groupby("region").cumcount()
    numbered = X.assign(step=step).drop(columns=["week", "promo"])
    known = numbered["step"].max() + 1
    for season in (4, 12, 13, 13.2, 26):
        made = make_future_frame(
            numbered, 3, **roles, time="step", periods_per_year=season, **COPY
        )
        before = numbered["step"].isin(known - round(season) + np.arange(3))
        expected = numbered[before].sort_values(["step", "region"])
        assert_array_equal(made["tv"], expected["tv"])
        assert_array_equal(made["price"], expected["price"])
        assert list(made["step"].unique()) == list(known + np.arange(3))
    for wrong in (1, 0, -13, np.nan, np.inf, "13", True):
        with pytest.raises(ValueError, match=r"periods_per_year=.* must be a number"):
            make_future_frame(
                numbered, 3, **roles, time="step", periods_per_year=wrong, **COPY
            )


def test_seasons_of_days_are_whole_weeks():
    days = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=400)})
    days["tv"] = np.arange(400.0)
    for year, season in ((None, 364), (365.25, 364), (30, 28), (91, 91), (5, 5)):
        made = make_future_frame(days, 2, media="tv", time="day", periods_per_year=year)
        assert list(made["tv"]) == [400.0 - season, 401.0 - season]


def test_the_season_of_the_model_counts(fitted, panel):
    step = panel.X["week"].rank(method="dense").astype(int)
    X = panel.X.assign(week=step)
    model = clone(fitted).set_params(
        periods_per_year=13, n_draws=0, max_iter=3, graph=None
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, panel.y)
    made = model.make_future_frame(5, **COPY)
    expected = X[step.isin(60 - 13 + 1 + np.arange(5))].sort_values(["week", "region"])
    assert_allclose(made[panel.media], expected[panel.media])
    plan = model.optimize_budget(horizon=5)
    spend = expected[panel.media].sum()[model.media_]
    assert_allclose(plan.allocation["current_spend"], spend)


def test_columns_that_the_model_does_not_use_need_not_come_back(fitted, panel):
    X = panel.X.assign(kpi=panel.y, note="seen")[["note", *panel.X.columns, "kpi"]]
    model = clone(fitted).set_params(
        media=panel.media, n_draws=2, max_iter=3, graph=None
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, panel.y)
    coming = model.make_future_frame(13, **COPY)
    assert list(coming.columns) == list(panel.X.columns)
    plan = model.optimize_budget(horizon=13)
    assert list(plan.X.columns) == list(coming.columns)
    table = model.compare_scenarios({"as planned": plan.X, "as it was": coming})
    assert_allclose(table["kpi"], [model.predict(f).sum() for f in (plan.X, coming)])
    assert_array_equal(model.predict(panel.X), model.predict(X))
    assert_array_equal(model.predict(panel.X[panel.X.columns[::-1]]), model.predict(X))
    assert list(model.optimize_budget(X=X).X.columns) == list(X.columns)
    for lacking in (panel.X.drop(columns="media_1"), panel.X.assign(other=1.0)):
        with pytest.raises(ValueError, match="feature names"):
            model.predict(lacking)
