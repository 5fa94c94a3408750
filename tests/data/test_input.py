"""What the regressor accepts, what it refuses and in which words."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import cross_val_score

from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import why_not_learned
from skmmm.baselines import SeasonalNaiveRegressor, make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.preprocessing import GeometricAdstock
from skmmm.scenarios import make_future_frame

QUICK = {"n_draws": 0, "n_hidden": 0, "n_harmonics": 1, "max_iter": 6}


@pytest.fixture
def fast(fast):
    return fast | QUICK


@pytest.fixture(scope="module")
def plain(panel, arguments):
    """A model of `X` and `y`; not to be changed."""
    return DeepCausalMMMRegressor(**arguments | QUICK).fit(panel.X, panel.y)


@pytest.fixture
def X(panel):
    return panel.X.copy()


@pytest.fixture
def y(panel):
    return panel.y.copy()


def refuses(message):
    return pytest.raises(ValueError, match="^" + re.escape(message) + "$")


def split_at(X, y, n_weeks):
    early = X["week"] < np.sort(X["week"].unique())[n_weeks]
    return X[early], X[~early], y[early], y[~early]


# --- numbers that cannot be ---------------------------------------------------------

CELL = "column 'media_2' at region 'region_3', time 2021-01-11"


def test_negative_spend(X, y, fast):
    X.loc[5, "media_2"] = -3.5
    message = (
        "Negative values in data passed to DeepCausalMMMRegressor: column 'media_2' is "
        "-3.5 at region 'region_3', time 2021-01-11. Media must be spend or delivery, "
        "which cannot be negative; correct it, or list the column under controls."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)
    controls = ["media_2", "price", "holiday"]
    DeepCausalMMMRegressor(**fast | {"controls": controls}).fit(X, y)


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_spend_that_is_no_number(X, y, fast, value, kind):
    X.loc[5, "media_2"] = value
    message = (
        f"Input X contains {kind}: {CELL}. Fill or drop these rows before fitting."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_prediction_checks_the_same(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    message = f"Input X contains NaN: {CELL}. Fill or drop these rows before fitting."
    with refuses(message):
        model.predict(X.assign(media_2=X["media_2"].where(X.index != 5)))
    with pytest.raises(ValueError, match="Negative values in data"):
        model.predict(X.assign(media_2=-1.0))


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_kpi_that_is_no_number(X, y, fast, value, kind):
    y[5] = value
    message = (
        f"Input y contains {kind} at region 'region_3', time 2021-01-11. Drop these "
        "rows; missing region-weeks are masked."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_kpi_missing_in_a_nullable_column(X, y, fast):
    y = y.astype("Float64")
    y[5] = pd.NA
    with pytest.raises(ValueError, match="Input y contains NaN at region 'region_3'"):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_kpi_that_is_text(X, y, fast):
    with pytest.raises(ValueError, match=r"^y must be numeric, but .* many, .* text"):
        DeepCausalMMMRegressor(**fast).fit(X, ["many"] * len(X))


def test_kpi_of_wrong_length(X, y, fast):
    message = (
        "Found input variables with inconsistent numbers of samples: [180, 179]. X and "
        "y must have one entry per row."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y[:-1])


def test_no_kpi(X, fast):
    message = (
        "This DeepCausalMMMRegressor estimator requires y to be passed, but the target "
        "y is None."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, None)


def test_all_weights_zero(X, y, fast):
    message = "Sample weights must contain at least one non-zero number."
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=np.zeros(len(X)))


def test_negative_weights(X, y, fast):
    weight = np.ones(len(X))
    weight[3] = -1.0
    with pytest.raises(ValueError, match="Negative values in data passed to"):
        DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=weight)


# --- columns ------------------------------------------------------------------------

COLUMNS = "['region', 'week', 'media_1', 'media_2', 'media_3', 'price', 'holiday']"


@pytest.mark.parametrize("role", ["media", "controls", "region", "time"])
def test_unknown_column(X, y, fast, role):
    named = ["sunshine"] if role in ("media", "controls") else "sunshine"
    message = f"{role}='sunshine' is not a column of X. Columns: {COLUMNS}."
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {role: named}).fit(X, y)


def test_unknown_position(X, y, fast):
    message = "region=7 is not a column of X, which has 7 columns."
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {"region": 7}).fit(X, y)


def test_column_with_two_roles(X, y, fast):
    message = (
        "The column 'price' has two roles; name it only once among media, controls, "
        "region and time."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast, media=["media_1", "price"]).fit(X, y)


def test_column_named_twice(X, y, fast):
    with refuses("media names the column 'media_1' twice."):
        DeepCausalMMMRegressor(**fast, media=["media_1", "media_1"]).fit(X, y)


def test_two_columns_of_one_name(X, y, fast):
    X.columns = [*X.columns[:-1], "price"]
    with refuses("X has two columns called 'price'; rename one."):
        DeepCausalMMMRegressor(**fast | {"controls": ["price"]}).fit(X, y)


def test_column_called_baseline(X, y, fast):
    message = (
        "X has a column called 'baseline', which is the name of what is left in "
        "contributions; rename it."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X.rename(columns={"media_1": "baseline"}), y)


def test_column_of_text(X, y, fast):
    X["agency"] = "ours"
    message = (
        "Column 'agency' is not numeric (dtype str). Media and controls must be "
        "numbers; name the column as region or time, drop it, or convert it."
    ).replace("(dtype str)", f"(dtype {X['agency'].dtype})")
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_free_sign_of_a_control(X, y, fast):
    message = (
        "free_sign names 'price', which is not one of the media columns ['media_1', "
        "'media_2', 'media_3']."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast, free_sign=["media_1", "price"]).fit(X, y)


NO_SPEND = (
    "'media_2': no spend in any training row. The effect stays what was expected "
    "beforehand, at spend as usual in the other channels. Leave such channels out of "
    "media, or tell what is known of them with the parameter priors."
)
STEADY = (
    "'media_2': spend that hardly moves in any region. The effect cannot be told from "
    "the baseline. Leave such channels out of media, or tell what is known of them "
    "with the parameter priors."
)
STILL = (
    "'price': the same value in every training row. Such controls teach nothing and "
    "are left out: they contribute nothing, also where they move later."
)


def warns(message):
    return pytest.warns(UserWarning, match="^" + re.escape(message) + "$")


def test_channel_without_spend_stays_at_its_prior(X, y, fast):
    X, y = X[X["region"] == "region_1"], y[X["region"] == "region_1"]
    late = X["week"] >= "2021-12-13"
    started = X.assign(media_2=X["media_2"].where(late, 0.0))
    fast = fast | {"n_draws": 8, "graph": None}
    fast["priors"] = {"media_2": {"roi": (20.0, 30.0)}}
    with warns(NO_SPEND):
        model = DeepCausalMMMRegressor(**fast).fit(started[~late], y[~late])
    summary = model.channel_summary(started[late]).loc["media_2"]
    assert summary["verdict"] == "prior-driven"
    assert 10.0 < summary["roi"] < 60.0
    assert summary["roi_high"] > 1.3 * summary["roi_low"]
    past = model.channel_summary().loc["media_2"]
    assert past["contribution"] == past["contribution_high"] == 0.0


def test_channel_without_spend_has_the_typical_spend_of_the_others(X, y, fast):
    X["media_2"] = 0.0
    cost = {"media_1": 2.0, "media_2": 0.5}
    with warns(NO_SPEND):
        model = DeepCausalMMMRegressor(**fast, media_cost=cost, graph=None).fit(X, y)
    money = model._model.scales.media * [2.0, 0.5, 1.0]
    assert_allclose(money[:, 1], np.median(money[:, ::2], axis=1), rtol=1e-12)


def test_steady_channel_is_not_identified(X, y, fast):
    X, y = X[X["region"] == "region_1"], y[X["region"] == "region_1"]
    with warns(STEADY):
        model = DeepCausalMMMRegressor(**fast | {"n_draws": 8, "graph": None}).fit(
            X.assign(media_2=9999.9), y
        )
    assert model.channel_summary().loc["media_2", "verdict"] == "not identified"


@pytest.mark.parametrize("seed", range(20))
def test_what_cannot_be_learned_has_a_reason(seed):
    rng = np.random.RandomState(seed)
    size = 10.0 ** rng.uniform(-9, 9)
    media = rng.uniform(size=(3, 40, 6))
    media[..., 0] = 0.0
    media[..., 1] = size
    media[..., 2] = [[0.0], [size], [3.0 * size]]
    media[..., 3] = size * (1.0 + 0.003 * rng.normal(size=(3, 40)))
    media[..., 4] = size * (np.arange(40) == rng.randint(1, 40))
    counts = rng.uniform(size=(3, 40)) < 0.8
    counts[:, media[0, :, 4] > 0] = True
    media[..., :2][~counts] = 7.0 * size
    reason = why_not_learned(media, counts)
    assert reason.tolist() == ["zero", "steady", "steady", "steady", "", ""]


@pytest.mark.parametrize("value", [9.99, 0.0])
def test_constant_control_contributes_nothing(X, y, fast, value, tmp_path):
    moved = X.assign(price=value + (X["week"] > "2021-12-13"))
    with warns(STILL):
        model = DeepCausalMMMRegressor(**fast).fit(X.assign(price=value), y)
    contributions = model.contributions(moved)
    assert_allclose(contributions["price"], 0.0, atol=1e-9)
    assert_allclose(model.control_coef_[0], 0.0, atol=1e-6)
    assert_array_equal(model.predict(moved), model.predict(X.assign(price=value)))
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert_array_equal(loaded.predict(moved), model.predict(moved))
    linear = make_linear_mmm(
        media=["media_1"], controls=["price"], region="region", time="week"
    ).fit(X.assign(price=value), y)
    assert_allclose(linear.predict(moved), linear.predict(X.assign(price=value)))


def test_early_folds_have_scores(X, y, fast):
    late = X["week"] >= "2021-12-20"
    started = X.assign(
        media_2=X["media_2"].where(late, 0.0), price=X["price"].where(late, 9.99)
    )
    cv = PanelTimeSeriesSplit(2, test_size=5, region="region", time="week")
    model = DeepCausalMMMRegressor(**fast | {"graph": None})
    with pytest.warns(UserWarning, match="training row"):
        scores = cross_val_score(model, started, y, cv=cv, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("value", [5e-324, 1e-200, -3e-310])
def test_numbers_too_small_to_compute_with(X, y, fast, value):
    message = (
        f"Column 'price' is {value:g} at region 'region_3', time 2021-01-11, too small "
        "to compute with. Write 0 there, or express the column in smaller units."
    )
    with refuses(message):
        tiny = X["price"].where(X.index != 5, value)
        DeepCausalMMMRegressor(**fast).fit(X.assign(price=tiny), y)
    with refuses(
        f"The KPI is {value:g} at region 'region_3', time 2021-01-11, too small to "
        "compute with. Write 0 there, or express the KPI in smaller units."
    ):
        DeepCausalMMMRegressor(**fast).fit(X, y.where(X.index != 5, value))


def test_regions_of_several_values(X, y, fast):
    X["region"] = [(name, 1) for name in X["region"]]
    message = (
        "The region column 'region' has ('region_1', 1) in row 0, which is no single "
        "value. Write the region as one text, such as 'A, 1'."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_empty_frame(X, y, fast):
    message = (
        "Found array with 0 sample(s) (shape=(0, 7)) while a minimum of 1 is required. "
        "X has no rows."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[:0], y[:0])
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    with refuses(message):
        model.predict(X[:0])
    message = (
        "Found array with 0 feature(s) (shape=(180, 0)) while a minimum of 1 is "
        "required. X has no columns."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[[]], y)


def test_columns_by_position_and_by_callable(X, y, fast):
    by_name = DeepCausalMMMRegressor(**fast).fit(X, y).predict(X)

    def select(frame):
        return [c for c in frame if c.startswith("media")]

    for columns in (
        {"region": 0, "time": 1, "controls": [5, 6]},
        {"region": -7, "time": -6, "controls": [-2, -1], "media": [2, 3, 4]},
        {"media": select, "controls": ["holiday", "price"]},
    ):
        model = DeepCausalMMMRegressor(**fast | columns).fit(X, y)
        assert_array_equal(model.predict(X), by_name)


# --- regions ------------------------------------------------------------------------


def test_region_missing_in_a_row(X, y, fast):
    X.loc[5, "region"] = None
    message = (
        "The region column 'region' is missing in row 5. Every row needs a region."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_unseen_region(X, y, fast):
    seen = X["region"] != "region_2"
    model = DeepCausalMMMRegressor(**fast).fit(X[seen], y[seen])
    message = (
        "Region 'region_2' is not among the 2 regions of the training data. Use "
        "unseen_region='average' to predict it as an average region."
    )
    with refuses(message):
        model.predict(X)
    average = DeepCausalMMMRegressor(**fast, unseen_region="average")
    predicted = average.fit(X[seen], y[seen]).predict(X)
    assert_allclose(predicted[seen], model.predict(X[seen]), rtol=1e-12)
    # An average region: KPI of the size of the others.
    others = predicted[seen].reshape(60, 2).mean(axis=1)
    assert_allclose(predicted[~seen], others, rtol=0.3)
    # Which region comes first, and what it is called, is of no matter.
    other_name = X[~seen].assign(region="elsewhere")
    assert_allclose(average.predict(other_name), predicted[~seen], rtol=1e-12)


# --- time ---------------------------------------------------------------------------


def test_duplicate_row(X, y, fast):
    message = (
        "Two rows for region 'region_3', time 2021-01-11. Aggregate them to one row "
        "per region and period."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X.iloc[[*range(len(X)), 5]], [*y, 1.0])


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
        "row per week, day or month."
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


def test_fortnights(X, y, fast):
    even = X["week"].dt.day_of_year % 14 == 4
    even &= X["week"].dt.year == 2021
    message = (
        "The time column 'week' has periods 14 days apart. Use one row per week, day "
        "or month."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[even], y[even])


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


# --- gaps and overlaps --------------------------------------------------------------


def test_gap_between_training_and_prediction(X, y, fast):
    train, test, y_train, _ = split_at(X, y, 50)
    late = test[test["week"] >= "2022-01-03"]
    model = DeepCausalMMMRegressor(**fast).fit(train, y_train)
    assert np.isfinite(model.predict(test)).all()
    message = (
        "X has no row for 2 period(s) between it and the training data, the first is "
        "2021-12-20: carry-over through them is unknown. Add rows for them, or set "
        "gap='mask' to leave them out of the carry-over."
    )
    with refuses(message):
        model.predict(late)
    masked = DeepCausalMMMRegressor(**fast, gap="mask").fit(train, y_train)
    predicted = masked.predict(late)
    assert np.isfinite(predicted).all()
    assert not np.allclose(predicted, masked.predict(test)[-len(late) :], rtol=1e-9)


def test_gap_inside_the_rows_to_predict(X, y, fast):
    train, test, y_train, _ = split_at(X, y, 50)
    model = DeepCausalMMMRegressor(**fast).fit(train, y_train)
    with pytest.raises(ValueError, match=re.escape("no row for 1 period(s) between")):
        model.predict(test[test["week"] != "2022-01-03"])


def test_training_rows_predict_as_fitted(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    predicted = model.predict(X)
    assert_allclose(predicted, model.contributions().sum(axis=1), rtol=1e-9)
    # Any selection of them: what X leaves out is known from training.
    some = X.sample(40, random_state=0)
    assert_allclose(model.predict(some), predicted[some.index], rtol=1e-9)


def test_media_of_X_win_over_those_of_training(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    before = model.predict(X)
    week = X["week"] == X["week"].iloc[90]
    changed = X.assign(media_2=X["media_2"].where(~week, 0.0))
    assert X.loc[week, "media_2"].all()
    after = model.predict(changed)
    earlier = X["week"] < X["week"].iloc[90]
    assert_array_equal(after[earlier], before[earlier])
    assert (after[week] < before[week]).all()
    # The rows of other weeks alone do not know of the change.
    assert_array_equal(model.predict(changed[~week]), before[~week])


def test_missing_week_is_masked_not_zero(X, y, fast):
    hole = (X["region"] == "region_2") & (X["week"] == X["week"].iloc[90])
    masked = DeepCausalMMMRegressor(**fast).fit(X[~hole], y[~hole])
    zero = X.assign(**{c: X[c].where(~hole, 0.0) for c in X if "media" in c})
    weight = np.where(hole, 0.0, 1.0)
    filled = DeepCausalMMMRegressor(**fast).fit(zero, y, sample_weight=weight)
    after_masked, after_filled = masked.predict(X[~hole]), filled.predict(X[~hole])
    assert np.isfinite(after_masked).all()
    assert not np.allclose(after_masked, after_filled, rtol=1e-6)
    # Asked about the missing row, the model knows its media but had no KPI for it.
    row = masked.predict(X)[hole.to_numpy()]
    assert_allclose(row, y[hole], rtol=0.3)


# --- kinds of time ------------------------------------------------------------------


def numbered(X):
    """Weeks as integers."""
    return (X["week"] - X["week"].min()).dt.days // 7


def in_berlin(X):
    """Weeks that begin at midnight in Berlin, an offset that changes twice a year."""
    return X["week"].dt.tz_localize("Europe/Berlin")


def in_zones_of_their_own(X):
    zones = {"region_1": "Europe/Berlin", "region_2": "US/Pacific", "region_3": None}
    return pd.Series(
        [
            week.tz_localize(zones[region])
            for week, region in zip(X["week"], X["region"], strict=True)
        ],
        dtype=object,
    )


TIMES = {
    "ISO string with offset": (
        lambda X: pd.Series([week.isoformat() for week in in_berlin(X)]),
        "week",
    ),
    "text with offset": (lambda X: in_berlin(X).astype(str), "week"),
    "mixed zones": (in_zones_of_their_own, "week"),
    "Period objects": (
        lambda X: X["week"].dt.to_period("W-SUN").astype(object),
        "week",
    ),
    "datetime": (lambda X: X["week"], "week"),
    "period": (lambda X: X["week"].dt.to_period("W-SUN"), "week"),
    "date": (lambda X: X["week"].dt.date, "week"),
    "ISO string": (lambda X: X["week"].dt.strftime("%Y-%m-%d"), "week"),
    "category": (lambda X: X["week"].astype("category"), "week"),
    "tz-aware": (lambda X: X["week"].dt.tz_localize("Europe/Berlin"), "week"),
    "integer": (numbered, "integer"),
    "every second integer": (lambda X: 2 * numbered(X) + 101, "integer"),
    "whole float": (lambda X: numbered(X).astype(float), "integer"),
    "arrow timestamp": (lambda X: X["week"].astype("timestamp[us][pyarrow]"), "week"),
    "arrow date": (lambda X: X["week"].astype("date32[pyarrow]"), "week"),
    "datetime objects": (lambda X: X["week"].astype(object), "week"),
}


@pytest.mark.parametrize("kind", TIMES)
def test_kinds_of_time(X, y, fast, plain, kind):
    convert, unit = TIMES[kind]
    other = X.assign(week=convert(X))
    model = DeepCausalMMMRegressor(**fast).fit(other, y)
    assert model.period_ == unit
    predicted = model.predict(other)
    assert np.isfinite(predicted).all()
    if unit == "week":
        assert_array_equal(predicted, plain.predict(X))


@pytest.mark.parametrize(
    ("frequency", "unit"),
    [("MS", "month"), ("ME", "month"), ("D", "day"), ("W-SUN", "week")],
)
def test_length_of_a_period(fast, frequency, unit):
    panel = make_mmm_panel(
        2,
        40,
        n_media=2,
        n_controls=1,
        frequency=frequency,
        start="2020-01-31",
        random_state=0,
    )
    fast = fast | {"controls": ["price"]}
    early = panel.X["week"] < panel.X["week"].unique()[32]
    model = DeepCausalMMMRegressor(**fast).fit(panel.X[early], panel.y[early])
    assert model.period_ == unit
    predicted = model.predict(panel.X)
    assert np.isfinite(predicted).all()
    assert_allclose(predicted[early], panel.y[early], rtol=0.5)


def test_months_as_periods(fast):
    panel = make_mmm_panel(2, 40, n_media=2, frequency="MS", random_state=0)
    monthly = panel.X.assign(week=panel.X["week"].dt.to_period("M"))
    model = DeepCausalMMMRegressor(**fast).fit(monthly, panel.y)
    assert model.period_ == "month"
    assert np.isfinite(model.predict(monthly)).all()


# --- kinds of numbers and tables ----------------------------------------------------


@pytest.mark.parametrize("size", [1e12, 1e-9])
def test_currency_is_of_no_matter(X, y, fast, plain, panel, size):
    dear = X.assign(**{c: X[c] / X[c].max() * size for c in panel.media})
    model = DeepCausalMMMRegressor(**fast).fit(dear, y)
    assert_allclose(model.predict(dear), plain.predict(X), rtol=1e-6)


@pytest.mark.parametrize("size", [1e12, 1e-9])
def test_unit_of_the_kpi_is_of_no_matter(X, y, fast, plain, size):
    model = DeepCausalMMMRegressor(**fast).fit(X, y * size)
    assert_allclose(model.predict(X), plain.predict(X) * size, rtol=1e-6)


def whole(X):
    """A panel of whole numbers, which every kind of number can hold."""
    media = {c: X[c].round() for c in X if c.startswith("media")}
    return X.assign(**media, price=(100 * X["price"]).round())


@pytest.fixture(scope="module")
def of_whole_numbers(panel, arguments):
    """What a model of such a panel predicts."""
    X = whole(panel.X)
    return DeepCausalMMMRegressor(**arguments | QUICK).fit(X, panel.y).predict(X)


KINDS = {
    "float32": lambda X: X.astype(dict.fromkeys(X.columns[2:], np.float32)),
    "int64": lambda X: X.astype(dict.fromkeys(X.columns[2:], np.int64)),
    "int32": lambda X: X.astype(dict.fromkeys(X.columns[2:], np.int32)),
    "Int64": lambda X: X.astype(dict.fromkeys(X.columns[2:], "Int64")),
    "Float64": lambda X: X.astype(dict.fromkeys(X.columns[2:], "Float64")),
    "arrow": lambda X: X.astype(dict.fromkeys(X.columns[2:], "double[pyarrow]")),
    "object": lambda X: X.astype(dict.fromkeys(X.columns[2:], object)),
    "bool control": lambda X: X.astype({"holiday": bool}),
    "boolean control": lambda X: X.astype({"holiday": "boolean"}),
    "categorical region": lambda X: X.astype({"region": "category"}),
    "object region": lambda X: X.astype({"region": object}),
    "arrow region": lambda X: X.astype({"region": "string[pyarrow]"}),
    "other index": lambda X: X.set_axis(np.arange(len(X))[::-1] // 2, axis=0),
    "polars": lambda X: pl.DataFrame(X.to_dict("list")),
    "polars float32": lambda X: pl.DataFrame(X.to_dict("list")).with_columns(
        pl.col("media_1", "media_2", "media_3").cast(pl.Float32)
    ),
    "polars categorical": lambda X: pl.DataFrame(X.to_dict("list")).with_columns(
        pl.col("region").cast(pl.Categorical)
    ),
    "array of objects": lambda X: X.to_numpy(dtype=object),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_tables(X, y, fast, of_whole_numbers, kind):
    X = whole(X)
    other = KINDS[kind](X)
    columns = {}
    if isinstance(other, np.ndarray):
        columns = {"region": 0, "time": 1, "controls": [5, 6]}
    model = DeepCausalMMMRegressor(**fast | columns).fit(other, y)
    assert_allclose(model.predict(other), of_whole_numbers, rtol=1e-6)


def test_float32_that_rounds(X, y, fast, plain, panel):
    rounded = X.astype(dict.fromkeys([*panel.media, *panel.controls], np.float32))
    model = DeepCausalMMMRegressor(**fast).fit(rounded, y.astype(np.float32))
    predicted = model.predict(rounded)
    assert predicted.dtype == np.float64
    assert_allclose(predicted, plain.predict(X), rtol=1e-4)


@pytest.mark.parametrize(
    "convert",
    [np.asarray, list, pl.Series, lambda y: y.astype("Float64"), lambda y: y[::1]],
)
def test_kinds_of_kpi(X, y, fast, plain, convert):
    model = DeepCausalMMMRegressor(**fast).fit(X, convert(y))
    assert_array_equal(model.predict(X), plain.predict(X))


def test_integer_regions(X, y, fast, plain):
    number = X["region"].str[-1].astype(int) * 100
    model = DeepCausalMMMRegressor(**fast).fit(X.assign(region=number), y)
    assert_array_equal(model.regions_, [100, 200, 300])
    assert_array_equal(model.predict(X.assign(region=number)), plain.predict(X))


def test_columns_matched_by_name_in_fit_and_refused_in_other_order(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    message = "The feature names should match those that were passed during fit."
    with pytest.raises(ValueError, match=message):
        model.predict(X[X.columns[::-1]])
    with pytest.raises(ValueError, match=message):
        model.predict(X.drop(columns="price"))


@pytest.mark.parametrize("kind", ["datetime64[ns]", "timedelta64[ns]", "str"])
def test_kpi_of_dates_or_text(X, y, fast, kind):
    with pytest.raises(ValueError, match=r"^y must be numeric, but holds values"):
        DeepCausalMMMRegressor(**fast).fit(X, y.astype("int64").astype(kind))


def test_times_too_large_to_count(y):
    times = pd.Series(1e19 + 1e6 * np.arange(10))
    with pytest.raises(ValueError, match="which counts no periods"):
        infer_calendar(times, "week")
