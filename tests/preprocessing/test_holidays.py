"""Holidays: shares of days, one column each or all in one, of countries or a table."""

import builtins
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from helpers import refuses
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.preprocessing import HolidayEncoder
from skmmm.preprocessing._holiday_dates import dates_of_country
from skmmm.scenarios import make_future_frame

DATES = pd.DataFrame(
    {
        "date": ["2021-04-02", "2021-04-05", "2021-12-25", "2021-12-26", "2022-04-15"],
        "name": ["Easter", "Easter", "Christmas", "Christmas", "Easter"],
    }
)


def table(freq, n_periods=60, first="2021-01-04"):
    return pd.DataFrame({"time": pd.date_range(first, periods=n_periods, freq=freq)})


def by_hand(first, stop, days, lead=0, lag=0):
    """Return the share of the days from `first` until before `stop` that count."""
    near = {
        pd.Timestamp(d) + pd.Timedelta(days=k)
        for d in days
        for k in range(-lead, lag + 1)
    }
    period = pd.date_range(first, stop, inclusive="left")
    return np.mean([day in near for day in period])


@pytest.mark.parametrize(
    ("freq", "first", "n_periods"),
    [
        ("D", "2021-01-04", 480),
        ("7D", "2021-01-04", 70),
        ("14D", "2021-01-04", 40),
        ("28D", "2021-01-04", 20),
        ("MS", "2021-01-01", 20),
        ("QS", "2021-01-01", 8),
    ],
)
@pytest.mark.parametrize(("lead", "lag"), [(0, 0), (3, 0), (0, 5), (10, 9)])
def test_share_of_the_days_of_a_period(freq, first, n_periods, lead, lag):
    X = table(freq, n_periods, first)
    encoder = HolidayEncoder(time="time", dates=DATES, lead=lead, lag=lag)
    shares = encoder.fit_transform(X)
    assert list(shares) == ["time", "holiday_Christmas", "holiday_Easter"]
    assert encoder.holidays_ == ["Christmas", "Easter"]
    edges = pd.date_range(first, periods=n_periods + 1, freq=freq)
    days = dict(iter(DATES.groupby("name")["date"]))
    for name, of in days.items():
        expected = [by_hand(a, b, of, lead, lag) for a, b in pairwise(edges)]
        assert_allclose(shares[f"holiday_{name}"], expected)
    pooled = encoder.set_params(pooled=True).fit_transform(X)
    assert list(pooled) == ["time", "holiday"]
    expected = [by_hand(a, b, DATES["date"], lead, lag) for a, b in pairwise(edges)]
    assert_allclose(pooled["holiday"], expected)


def test_business_days_are_holidays_or_not():
    X = pd.DataFrame({"time": pd.bdate_range("2021-01-04", periods=330)})
    shares = HolidayEncoder(time="time", dates=DATES, pooled=True).fit_transform(X)
    # 25 and 26 December 2021 are a weekend.
    found = X["time"][shares["holiday"] == 1.0].dt.strftime("%Y-%m-%d")
    assert list(found) == ["2021-04-02", "2021-04-05"]
    assert set(shares["holiday"]) == {0.0, 1.0}
    lag = HolidayEncoder(time="time", dates=DATES, pooled=True, lag=1).fit_transform(X)
    assert lag["holiday"].sum() == 4  # Tuesday after Easter, Monday after Christmas


def test_periods_dated_by_their_last_day():
    starts = HolidayEncoder(time="time", dates=DATES).fit_transform(
        table("QS", 8, "2021-01-01")
    )
    ends = HolidayEncoder(time="time", dates=DATES).fit_transform(
        table("QE", 8, "2021-01-01")
    )
    assert_array_equal(starts.iloc[:, 1:], ends.iloc[:, 1:])
    months = [table(freq, 14, "2021-01-01") for freq in ("MS", "ME")]
    first, last = (
        HolidayEncoder(time="time", dates=DATES).fit_transform(X).iloc[:, 1:]
        for X in months
    )
    assert_array_equal(first, last)


def test_retail_months_have_their_own_length():
    weeks = np.cumsum([0, *[4, 5, 4] * 6])
    X = pd.DataFrame(
        {"time": pd.Timestamp("2021-01-03") + pd.to_timedelta(7 * weeks, unit="D")}
    )
    shares = HolidayEncoder(time="time", dates=DATES).fit_transform(X)
    expected = [
        by_hand(a, b, ["2021-04-02", "2021-04-05", "2022-04-15"])
        for a, b in pairwise(X["time"])
    ]
    assert_allclose(shares["holiday_Easter"][:-1], expected)


def test_later_rows_have_the_columns_of_fit():
    X = table("7D", 104)
    encoder = HolidayEncoder(time="time", dates=DATES).fit(X[:20])
    assert encoder.holidays_ == ["Easter"]
    later = encoder.transform(X[20:])
    assert list(later) == ["time", "holiday_Easter"]
    assert later["holiday_Easter"].sum() == pytest.approx(1 / 7)
    assert list(encoder.get_feature_names_out()) == list(later)
    encoder = HolidayEncoder(time="time", dates=DATES, names=["Christmas"]).fit(X[:20])
    assert encoder.transform(X)["holiday_Christmas"].sum() == pytest.approx(2 / 7)
    pooled = clone(encoder).set_params(pooled=True).fit(X[:20]).transform(X)
    assert pooled["holiday"].sum() == pytest.approx(2 / 7)


def test_regions_with_their_own_dates():
    dates = DATES.assign(region=["north"] * 3 + ["south"] * 2)
    X = pd.concat(
        [table("7D", 104).assign(region=name) for name in ("south", "north", "west")]
    ).sample(frac=1.0, random_state=0)
    encoder = HolidayEncoder(time="time", region="region", dates=dates)
    shares = encoder.fit_transform(X).groupby("region").sum(numeric_only=True)
    assert_allclose(7 * shares["holiday_Easter"], [2, 1, 0])
    assert_allclose(7 * shares["holiday_Christmas"], [1, 1, 0])


def test_dates_of_many_kinds():
    X = table("7D")
    expected = HolidayEncoder(time="time", dates=DATES).fit_transform(X)
    for dates in (
        DATES.assign(date=pd.to_datetime(DATES["date"])),
        DATES.assign(date=pd.to_datetime(DATES["date"]).dt.date),
        DATES.assign(date=pd.to_datetime(DATES["date"]) + pd.Timedelta(hours=9)),
        DATES.sample(frac=1.0, random_state=0),
        pd.concat([DATES, DATES]),
    ):
        got = HolidayEncoder(time="time", dates=dates).fit_transform(X)
        assert_frame_equal(got, expected)


def test_pickle_clone_and_arrays():
    X = table("7D")
    encoder = HolidayEncoder(time="time", dates=DATES, lead=2).fit(X)
    again = pickle.loads(pickle.dumps(encoder))
    assert_frame_equal(again.transform(X), encoder.transform(X))
    assert_frame_equal(clone(encoder).fit_transform(X), encoder.transform(X))
    values = X.assign(tv=1.0).to_numpy(dtype=object)
    got = HolidayEncoder(time=0, dates=DATES, lead=2).fit_transform(values)
    assert_allclose(got[:, 2:].astype(float), encoder.transform(X).iloc[:, 1:])


# --- what is refused ----------------------------------------------------------------


def test_nothing_to_encode():
    with pytest.raises(ValueError, match="set country, as 'DE', or dates, a DataFrame"):
        HolidayEncoder(time="time").fit(table("7D"))
    with refuses(
        "The time column 'time' holds integers, but holidays need dates. Convert it "
        "with pd.to_datetime."
    ):
        HolidayEncoder(time="time", dates=DATES).fit(pd.DataFrame({"time": range(9)}))
    encoder = HolidayEncoder(time="time", dates=DATES)
    with pytest.raises(
        ValueError, match="2021-01-04 to 2021-01-18, so there is no col"
    ):
        encoder.fit(table("7D", 3))
    assert (
        encoder.set_params(pooled=True).fit_transform(table("7D", 3)).holiday == 0
    ).all()
    with pytest.raises(ValueError, match="already has a column 'holiday_Easter'"):
        HolidayEncoder(time="time", dates=DATES).fit(
            table("7D").assign(**{"holiday_Easter": 0.0})
        )


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (
            DATES.drop(columns="name"),
            "has no column 'name'. It needs 'date' and 'name'",
        ),
        (DATES.rename(columns={"date": "day"}), "no column 'date'.*has 'day', 'name'"),
        (
            DATES.assign(date=DATES["date"].where(DATES.index != 2)),
            "has no date in row 2. Fill it in",
        ),
        (DATES.assign(name=[*"abc", None, "e"]), "has no name in row 3"),
        (
            DATES.replace("2021-12-25", "Xmas"),
            "has 'Xmas' in row 2, which is not a date",
        ),
        (DATES.assign(region="north"), "has a column 'region', but .* region=None"),
        (DATES[:0], "The table of dates has no rows"),
    ],
)
def test_tables_of_dates_that_are_refused(dates, message):
    with pytest.raises(ValueError, match=message):
        HolidayEncoder(time="time", dates=dates).fit(table("7D"))


def test_dates_that_are_no_table():
    with pytest.raises(TypeError, match=r"dates must be a DataFrame .* got list"):
        HolidayEncoder(time="time", dates=["2021-12-25"]).fit(table("7D"))


def test_holidays_without_the_column_of_dates_are_a_mistake():
    with pytest.raises(ValueError, match="name the column of X that holds the dates"):
        HolidayEncoder(country="DE").fit(pd.DataFrame({"week": ["2021-01-04"]}))


def test_dates_of_a_region_that_is_not_there():
    weeks = pd.date_range("2021-11-22", periods=6, freq="7D").repeat(2)
    X = pd.DataFrame({"week": weeks, "city": ["North", "South"] * 6})
    dates = pd.DataFrame({"date": ["2021-12-25"], "name": ["Fair"], "region": ["Nort"]})
    encoder = HolidayEncoder(region="city", time="week", dates=dates)
    with pytest.raises(ValueError, match=r"'Nort', which X has not.*mean 'North'"):
        encoder.fit(X)


def test_no_name_of_a_holiday_is_a_note_about_a_day(package):
    ends = np.array(["2020-01-01", "2023-12-31"], dtype="datetime64[D]").astype(int)
    names = [
        name
        for code in ("CN", "RU", "HU", "TH", "US", "GB", "DE", "JP", "KR", "UA")
        for name in dates_of_country(code, *ends.tolist())
    ]
    assert not [name for name in names if "(observed" in name or "/20" in name]
    assert not [name for name in names if "(in lieu" in name or "(substitut" in name]


def test_unknown_names():
    message = (
        "names has 'Christmass', which is no holiday of X, 2021-01-04 to 2022-02-21. "
        "Did you mean 'Christmas'? Known: ['Christmas', 'Easter']."
    )
    with refuses(message):
        HolidayEncoder(time="time", dates=DATES, names=["Christmass"]).fit(table("7D"))


def test_dates_that_end_before_the_rows_do():
    X = table("7D", 160)
    encoder = HolidayEncoder(time="time", dates=DATES).fit(X[:70])
    encoder.transform(X[:110])
    message = (
        r"no day of 'Easter' after 2022-04-15, but X goes to 2024-01-22. If they return"
    )
    with pytest.warns(UserWarning, match=message):
        encoder.transform(X)


def test_without_the_package(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "holidays":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'skmmm\[holidays\]'"):
        HolidayEncoder(time="time", country="DE").fit(table("7D"))


# --- countries ----------------------------------------------------------------------


@pytest.fixture
def package():
    return pytest.importorskip("holidays")


def test_holidays_of_a_country(package):
    X = table("D", 730, "2021-01-01")
    encoder = HolidayEncoder(time="time", country="DE").fit(X)
    assert "Good Friday" in encoder.holidays_
    assert "Epiphany" not in encoder.holidays_
    shares = encoder.transform(X).set_index("time")
    assert shares.loc["2022-04-15", "holiday_Good Friday"] == 1.0
    assert shares["holiday_Good Friday"].sum() == 2
    bavarian = HolidayEncoder(time="time", country="DE-BY").fit(X)
    assert {*bavarian.holidays_} > {*encoder.holidays_}
    assert "Epiphany" in bavarian.holidays_


def test_names_are_those_of_any_machine(package, monkeypatch):
    X = table("7D", 60)
    names = HolidayEncoder(time="time", country="DE").fit(X).holidays_
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert HolidayEncoder(time="time", country="DE").fit(X).holidays_ == names


def test_holidays_kept_on_another_day_are_the_same(package):
    X = table("D", 365, "2021-01-01")
    shares = HolidayEncoder(time="time", country="US").fit_transform(X)
    assert not [name for name in shares if "observed" in name]
    # Independence Day was a Sunday.
    kept = shares.loc[shares["holiday_Independence Day"] == 1.0, "time"]
    assert list(kept.dt.strftime("%m-%d")) == ["07-04", "07-05"]


def test_countries_by_column_or_region(package):
    X = pd.concat(
        [
            table("7D", 104).assign(region=r, country=c)
            for r, c in (("b", "DE"), ("a", "US"))
        ]
    ).sample(frac=1.0, random_state=0)
    options = {"time": "time", "region": "region", "pooled": True}
    column = HolidayEncoder(country="country", **options).fit_transform(X)
    codes = {"a": "US", "b": "DE", "c": "FR"}
    assert_frame_equal(
        column, HolidayEncoder(country=codes, **options).fit_transform(X)
    )
    for region, code in (("a", "US"), ("b", "DE")):
        alone = HolidayEncoder(time="time", country=code, pooled=True).fit_transform(
            X[X["region"] == region]
        )
        assert_frame_equal(column[column["region"] == region], alone)
    each = HolidayEncoder(country="country", time="time", region="region").fit(X)
    assert {"Thanksgiving Day", "German Unity Day"} <= {*each.holidays_}
    sums = each.transform(X).groupby("region")["holiday_Thanksgiving Day"].sum()
    assert_allclose(sums, [2 / 7, 0])


def test_own_dates_beside_those_of_a_country(package):
    dates = pd.DataFrame({"date": ["2021-11-26"], "name": ["Black Friday"]})
    encoder = HolidayEncoder(time="time", country="DE", dates=dates).fit(table("7D"))
    assert {"Black Friday", "Christmas Day"} <= {*encoder.holidays_}


@pytest.mark.parametrize(
    ("country", "message"),
    [
        ("XX", "country, which is no column of X: 'XX' is no code of a country"),
        ("de", "'de' is no code .* 'DE-BY' for a part of a country.* mean 'DE'"),
        ("DE-XX", "'DE-XX' is no part of DE whose holidays are known. DE has 'BB', 'B"),
        (
            {"a": "DE"},
            "country has no code for the region 'b' of X. It has those of 'a'",
        ),
        ({"a": "DE", "b": "QQ"}, "country, region 'b', time .*'QQ' is no code"),
        ("code", "The column 'code' has no country for region 'b', time 2021-01-11"),
        ("wrong", "The column 'wrong', region 'a', time 2021-01-04: 'QQ' is no code"),
    ],
)
def test_countries_that_are_refused(package, country, message):
    X = pd.concat([table("7D").assign(region=r) for r in "ab"], ignore_index=True)
    X["code"] = np.where(X.index == 61, None, "DE")
    X["wrong"] = "QQ"
    with pytest.raises(ValueError, match=message):
        HolidayEncoder(time="time", region="region", country=country).fit(X)
    with pytest.raises(ValueError, match="region=None"):
        HolidayEncoder(time="time", country={"a": "DE"}).fit(X[:60])


def test_years_without_known_holidays(package):
    with pytest.raises(
        ValueError, match=r"'DE' are known from 19.. to .* goes from 1985"
    ):
        HolidayEncoder(time="time", country="DE").fit(table("7D", 60, "1985-01-07"))


# --- models -------------------------------------------------------------------------


def test_holidays_are_controls_of_models_and_of_coming_periods():
    world = make_mmm_panel(2, 104, n_media=2, n_controls=1, random_state=0)
    weeks = np.sort(world.X["week"].unique())
    coming = weeks[-1] + pd.Timedelta(weeks=7)
    dates = pd.DataFrame({"date": [weeks[20], weeks[72], coming], "name": "Sale"})
    roles = {"media": world.media, "region": "region", "time": "week"}
    encoder = HolidayEncoder(time="week", region="region", dates=dates, pooled=True)
    y = world.y * (1 + 0.5 * world.X["week"].isin(dates["date"]))
    network = DeepCausalMMMRegressor(
        controls=["price", "holiday"], media_cost=1.0, max_lag=2, max_iter=5, n_draws=0,
        graph=None, random_state=0, **roles,
    )  # fmt: skip
    linear = make_linear_mmm(controls=["price", "holiday"], **roles)
    future = make_future_frame(
        world.X, 10, controls=["price"], control_values="last_year", **roles
    )
    for model in (linear, network):
        pipeline = make_pipeline(clone(encoder), model).fit(world.X, y)
        predicted = pipeline.predict(future)
        assert np.isfinite(predicted).all()
    linear = make_pipeline(clone(encoder), linear).fit(world.X, y)
    by_week = pd.Series(linear.predict(future)).groupby(future["week"]).sum()
    assert by_week.idxmax() == coming
