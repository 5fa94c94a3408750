"""The first look at the data: sums, ranges, gaps and what moves together."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skmmm import DeepCausalMMMRegressor
from skmmm.plotting import InputDataDisplay

pytestmark = pytest.mark.usefixtures("pyplot")


@pytest.fixture
def roles(panel):
    return {
        "media": panel.media,
        "controls": panel.controls,
        "region": "region",
        "time": "week",
    }


def _rows(display, column):
    return display.series.xs(column, level="column")


def test_holds_sums_of_money_and_ranges_of_controls(panel, roles):
    display = InputDataDisplay.from_frame(panel.X, panel.y, **roles)
    week = panel.X["week"]
    lines = dict(zip([n for _, n in display._columns()], display.lines_, strict=True))
    for name in panel.media:
        expected = panel.X[name].groupby(week).sum()
        assert_allclose(lines[name].get_ydata(), expected, rtol=1e-12)
    assert_allclose(display.lines_[0].get_ydata(), panel.y.groupby(week).sum())
    prices = panel.X["price"].groupby(week)
    assert_allclose(lines["price"].get_ydata(), prices.mean())
    rows = _rows(display, "price")
    assert_allclose(rows["low"], prices.min())
    assert_allclose(rows["high"], prices.max())
    assert display.findings()[0] == "No row is missing."
    assert sum(map(len, display.gaps_)) == 0
    assert [band is not None for band in display.bands_] == [False] * 4 + [True] * 2


def test_correlations_are_within_regions(panel, roles):
    X = panel.X.assign(twin=5.0 - 2.0 * panel.X["price"])
    X.loc[X["region"] == X["region"].iloc[0], "twin"] += 1000.0
    roles["controls"] = [*panel.controls, "twin"]
    display = InputDataDisplay.from_frame(X, panel.y, **roles)
    columns = [*panel.media, *roles["controls"]]
    centred = X[columns] - X[columns].groupby(X["region"]).transform("mean")
    expected = centred.corr().loc[display.correlation.index, display.correlation.index]
    assert_allclose(display.correlation, expected, atol=1e-12)
    assert_allclose(display.image_.get_array()[4, 3], expected.iloc[4, 3])
    (pair,) = display.alike().itertuples(index=False)
    assert {pair.first, pair.second} == {"price", "twin"}
    assert pair.correlation == pytest.approx(-1.0)
    assert "price and twin move together: r = -1.00." in display.findings()
    assert "price and twin" in display.note_.get_text()


def test_what_is_missing_is_a_gap_and_is_said(panel, roles):
    weeks = np.sort(panel.X["week"].unique())
    first = panel.X["region"].iloc[0]
    gone = panel.X["week"].isin(weeks[[20, 21]])
    gone |= (panel.X["region"] == first) & (panel.X["week"] == weeks[40])
    X, y = panel.X[~gone].copy(), panel.y[~gone]
    at = (X["week"] == weeks[5]).to_numpy()
    X.loc[at, "media_1"] = np.nan
    display = InputDataDisplay.from_frame(X, y, **roles)
    total = display.lines_[0].get_ydata()
    assert len(total) == len(weeks)
    assert np.flatnonzero(np.isnan(total)).tolist() == [20, 21]
    media = dict(zip([n for _, n in display._columns()], display.lines_, strict=True))
    assert np.flatnonzero(np.isnan(media["media_1"].get_ydata())).tolist() == [
        5,
        20,
        21,
    ]
    assert [len(shades) for shades in display.gaps_[:3]] == [2, 3, 2]
    all_gone, some_gone = display.gaps_[0]
    assert all_gone.get_width() == pytest.approx(14.0)  # days
    assert all_gone.get_facecolor() != some_gone.get_facecolor()
    assert display.missing_rows.tolist() == [3, 2, 2]
    said = display.findings()
    day = str(weeks[20])[:10]
    assert f"2 weeks without any row, the first {day}." in said
    assert f"1 row of single regions missing, most of {first}." in said
    assert "media_1: 3 values missing." in said
    known = _rows(display, "sales")["known"]
    assert_allclose(known.iloc[[19, 20, 40]], [1.0, 0.0, 2 / 3])


def test_values_are_counted_where_rows_are(panel, roles):
    first = panel.X["region"].iloc[0]
    weeks = np.sort(panel.X["week"].unique())
    gone = (panel.X["region"] == first) & panel.X["week"].isin(weeks[[30, 31]])
    X, y = panel.X[~gone].reset_index(drop=True), panel.y[~gone].to_numpy(copy=True)
    X.loc[[1, 2, 5, 7], "media_1"] = np.nan  # other rows than those of the KPI
    y[[10, 11, 12]] = np.nan
    y[(X["week"] == weeks[3]).to_numpy()] = np.nan
    display = InputDataDisplay.from_frame(X, pd.Series(y, name="sales"), **roles)
    assert display.findings()[:3] == [
        f"2 rows of single regions missing, most of {first}.",
        f"sales: {np.isnan(y).sum()} values missing.",
        "media_1: 4 values missing.",
    ]


def test_columns_are_compared_where_both_have_values(panel, roles):
    X = panel.X.assign(late=2.0 * panel.X["media_1"], early=panel.X["media_2"])
    X.loc[: len(X) // 2, "late"] = np.nan
    X.loc[len(X) // 2 - 4 :, "early"] = np.nan
    roles["controls"] = [*panel.controls, "late", "early"]
    display = InputDataDisplay.from_frame(X, panel.y, **roles)
    alike = display.correlation
    assert alike.loc["late", "media_1"] == pytest.approx(1.0)
    assert alike.loc["media_2", "early"] == pytest.approx(1.0)
    assert_allclose(alike, alike.T)
    assert np.isnan(alike.loc["late", "early"])
    both = X[X["late"].notna()]
    within = both[["late", "price"]]
    within = within - within.groupby(both["region"]).transform("mean")
    assert alike.loc["late", "price"] == pytest.approx(within.corr().iloc[0, 1])
    said = display.findings()[-1]
    assert (
        said
        == "late and early cannot be compared: fewer than 10 rows have both values."
    )
    few = X[["week", "region", "late", "early"]]
    roles = {"time": "week", "region": "region"}
    said = InputDataDisplay.from_frame(few, panel.y, **roles).findings()
    assert not any("beyond" in sentence for sentence in said)


def test_few_of_many_missing_are_pale(panel, roles):
    parts = [panel.X.assign(region=f"{i}") for i in range(24)]
    rows = [part[panel.X["region"] == panel.X["region"].iloc[0]] for part in parts]
    X = pd.concat(rows, ignore_index=True)
    weeks = X["week"].unique()
    last = X["region"].astype(int) >= 12
    gone = (X["region"] == "3") | (last & (X["week"] == weeks[9]))
    gone &= X["week"] != weeks[0]
    display = InputDataDisplay.from_frame(X[~gone], np.ones((~gone).sum()), **roles)
    opacity = [shade.get_alpha() for shade in display.gaps_[0]]
    assert opacity == [0.2, 1.0, 0.2]


def test_one_column_has_no_correlation(series):
    X = series.X[["week", "media_1"]]
    display = InputDataDisplay.from_frame(X, series.y, time="week")
    assert display.image_ is display.correlation_ax_ is None
    assert display.findings() == ["No row is missing."]


def test_one_series_and_a_still_column(series):
    X = series.X.drop(columns="region").assign(still=7.3)
    display = InputDataDisplay.from_frame(
        X, series.y, media=series.media, controls=["price", "still"], time="week"
    )
    assert all(band is None for band in display.bands_)
    assert "still never moves." in display.findings()
    assert_allclose(display.lines_[1].get_ydata(), X["media_1"])


def test_reads_the_roles_of_a_model_before_and_after_its_fit(fitted, panel, roles):
    expected = InputDataDisplay.from_frame(panel.X, panel.y.rename(None), **roles)
    before = DeepCausalMMMRegressor(**roles)
    shown = InputDataDisplay.from_estimator(before, panel.X, panel.y.rename(None))
    pd.testing.assert_frame_equal(shown.series, expected.series)
    after = InputDataDisplay.from_estimator(fitted)
    assert_allclose(after.series, expected.series, rtol=1e-6)
    assert_allclose(after.correlation, expected.correlation, atol=1e-6)


def test_columns_of_money_and_frequency_are_no_media(panel, roles):
    X = panel.X.assign(seen=2.0, paid=3.0)
    model = DeepCausalMMMRegressor(
        **roles | {"media": None},
        frequency={"media_1": "seen"},
        media_cost={"media_2": "paid"},
    )
    shown = InputDataDisplay.from_estimator(model, X, panel.y)
    assert [name for role, name in shown._columns() if role == "media"] == panel.media


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"media": ["tv"]}, "'tv'"),
        ({"time": None}, "pass time="),
        ({"controls": ["event"]}, "Column 'event' is not numeric"),
        ({"region": None}, "Two rows for"),
    ],
)
def test_says_what_cannot_be_shown(panel, roles, change, message):
    with pytest.raises(ValueError, match=message):
        InputDataDisplay.from_frame(
            panel.X.assign(event="fair"), panel.y, **roles | change
        )


def test_says_what_a_model_does_not_keep(panel):
    with pytest.raises(ValueError, match="Ridge keeps no training rows"):
        InputDataDisplay.from_estimator(Ridge())
    with pytest.raises(ValueError, match="Pass X and y together"):
        InputDataDisplay.from_estimator(Ridge(), panel.X)
