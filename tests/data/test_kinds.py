"""The same panel in other kinds of time, numbers and tables gives the same model."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm.datasets import make_mmm_panel


@pytest.fixture(scope="module")
def plain(panel, quick):
    """A model of `X` and `y`; not to be changed."""
    return DeepCausalMMMRegressor(**quick).fit(panel.X, panel.y)


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
def of_whole_numbers(panel, quick):
    """What a model of such a panel predicts."""
    X = whole(panel.X)
    return DeepCausalMMMRegressor(**quick).fit(X, panel.y).predict(X)


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
