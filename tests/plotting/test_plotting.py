"""Pictures: what they hold, what they draw, where they draw it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import LastValueRegressor, make_linear_mmm
from skmmm.effects import effects_of
from skmmm.plotting import (
    ContributionsDisplay,
    FitDisplay,
    HoldoutDisplay,
    ResponseCurvesDisplay,
    ReturnsDisplay,
)
from skmmm.plotting._style import (
    CHANNEL_COLORS,
    channel_colors,
    format_number,
    shorten,
)

pytestmark = pytest.mark.usefixtures("pyplot", "short_chains")


@pytest.fixture(scope="module")
def split(panel):
    """Positions of the rows before the last ten weeks, and of those in them."""
    start = np.unique(panel.X["week"])[-10]
    return panel.X["week"] < start, panel.X["week"] >= start


@pytest.fixture(scope="module")
def held_out(panel, split, fitted):
    """A model that has not seen the last ten weeks."""
    past, _ = split
    model = clone(fitted).set_params(max_iter=30, graph=None)
    return model.fit(panel.X[past], panel.y[past])


def fit_display(model, panel, split, **options):
    past, later = split
    return FitDisplay.from_estimator(
        model,
        panel.X[past],
        panel.y[past],
        X_test=panel.X[later],
        y_test=panel.y[later],
        **options,
    )


def curve(sign=1.0, *, bounds=True):
    spend = np.linspace(0.0, 200.0, 21)
    incremental = sign * spend / (spend + 50.0)
    spread = 0.2 * np.abs(incremental) if bounds else np.nan * spend
    return Bunch(
        spend=spend,
        incremental=incremental,
        low=incremental - spread,
        high=incremental + spread,
        current_spend=100.0,
        current_incremental=sign * 100.0 / 150.0,
        half_saturation_spend=50.0,
        observed_from=25.0,
        observed_until=150.0,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.01234, "0.0123"),
        (12.0, "12"),
        (1234.0, "1.23 k"),
        (999_600.0, "1 M"),
        (-2_500_000.0, "-2.5 M"),
        (3e9, "3 bn"),
        (4e12, "4 tn"),
        (np.inf, "inf"),
    ],
)
def test_numbers_are_short(value, text):
    assert format_number(value).replace("\u2009", " ") == text


def test_numbers_keep_zeros_on_request():
    assert format_number(2.0, trim=False) == "2.00"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["tv", "radio"], ["tv", "radio"]),
        (["television ads", "radio"], ["televisio…", "radio"]),
        (["a_long_name_1", "a_long_name_2"], ["a_lon…me_1", "a_lon…me_2"]),
        (
            ["a" * 10 + "X" + "a" * 9, "a" * 10 + "Y" + "a" * 9],
            ["1: aaaaaa…", "2: aaaaaa…"],
        ),
        (["two\nlines", 3], ["two lines", "3"]),
    ],
)
def test_short_names_stay_different(names, short):
    assert shorten(names, 10) == short
    assert all(len(name) <= 10 for name in short)


def test_fit_adds_up_regions(held_out, panel, split):
    display = fit_display(held_out, panel, split)
    past, later = split
    series = display.series
    assert list(series["holdout"]) == [False] * 50 + [True] * 10
    assert_allclose(series["observed"], panel.y.groupby(panel.X["week"]).sum())
    prediction = np.concatenate(
        [held_out.predict(panel.X[rows]) for rows in (past, later)]
    )
    total = pd.Series(prediction).groupby(panel.X["week"].to_numpy()).sum()
    assert_allclose(series["predicted"], total)


def test_fit_draws_no_band_for_a_sum(held_out, panel, split):
    display = fit_display(held_out, panel, split)
    assert display.series[["low", "high"]].isna().all(axis=None)
    assert display.bands_ == []
    assert display.ax_.get_ylabel() == "sales per week, 3 regions"


def test_fit_of_one_region_has_its_interval(held_out, panel, split):
    region = panel.X["region"].iloc[0]
    display = fit_display(held_out, panel, split, region=region, confidence_level=0.5)
    later = panel.X[split[1]]
    later = later[later["region"] == region]
    bounds = display.series.loc[display.series["holdout"], ["low", "high"]]
    assert_allclose(bounds, held_out.predict_interval(later, 0.5))
    assert len(display.bands_) == 2
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["observed", "fitted", "holdout forecast", "50% interval"]
    assert display.ax_.get_ylabel() == f"sales per week, region {region}"


def test_fit_of_a_single_series_has_an_interval(series, fast):
    model = DeepCausalMMMRegressor(**fast).fit(series.X, series.y)
    display = FitDisplay.from_estimator(model, series.X, series.y)
    assert len(display.bands_) == 1
    assert display.holdout_ is None
    assert display.forecast_ is None


def test_fit_without_draws_has_no_band(series, fast):
    model = DeepCausalMMMRegressor(**{**fast, "n_draws": 0}).fit(series.X, series.y)
    assert FitDisplay.from_estimator(model, series.X, series.y).bands_ == []


def test_fit_marks_the_holdout(held_out, panel, split):
    display = fit_display(held_out, panel, split)
    times = display.series.index[display.series["holdout"]]
    assert len(display.fitted_.get_xdata()) == 50
    assert list(display.forecast_.get_xdata()) == list(times.to_numpy())
    left, _ = display.holdout_.get_corners()[0]
    assert left < display.ax_.convert_xunits(times[0].to_datetime64())


def test_fit_of_baselines(panel, split):
    past, _ = split
    naive = LastValueRegressor(region="region", time="week")
    linear = make_linear_mmm(media=panel.media, region="region", time="week")
    for model in (naive, linear):
        model.fit(panel.X[past], panel.y[past])
        display = fit_display(model, panel, split)
        assert np.isfinite(display.series["predicted"]).all()


def test_fit_of_integer_periods_and_arrays(fast):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(40), rng.gamma(2.0, size=(40, 2))])
    arguments = {"max_lag": 3, "n_draws": 0, "max_iter": 5, "random_state": 0}
    model = DeepCausalMMMRegressor(time=0, **arguments).fit(X, X[:, 1] + 5.0)
    display = FitDisplay.from_estimator(model, X, X[:, 1] + 5.0)
    assert display.ax_.get_ylabel() == "KPI per period"
    assert list(display.series.index[:2]) == [0, 1]


def test_fit_refuses_what_it_cannot_draw(held_out, panel, split):
    past, later = split
    X, y = panel.X, panel.y
    with pytest.raises(ValueError, match="Pass X_test and y_test together"):
        FitDisplay.from_estimator(held_out, X, y, X_test=X)
    with pytest.raises(ValueError, match="must come after X"):
        FitDisplay.from_estimator(
            held_out, X[later], y[later], X_test=X[past], y_test=y[past]
        )
    with pytest.raises(ValueError, match="region='Atlantis' is not in the data"):
        FitDisplay.from_estimator(held_out, X, y, region="Atlantis")
    model = LastValueRegressor(region="region").fit(X, y)
    with pytest.raises(ValueError, match="needs an estimator with a time column"):
        FitDisplay.from_estimator(model, X, y)


@pytest.mark.parametrize("given", [True, False])
def test_contributions_add_up(fitted, panel, given):
    display = ContributionsDisplay.from_estimator(
        fitted, panel.X if given else None, kpi_name="sales"
    )
    table = display.contributions
    assert list(table.columns) == ["baseline and controls", *panel.media]
    week = panel.X["week"].to_numpy()
    total = pd.Series(fitted.predict(panel.X)).groupby(week).sum()
    assert_allclose(table.sum(axis=1), total)
    assert list(table.index) == list(total.index)
    assert display.total_ is None
    assert display.ax_.get_ylim()[0] == 0.0
    assert display.ax_.get_ylabel() == "sales per week"


def test_contributions_below_zero_hang_from_zero():
    values = {"baseline": [4.0, -1.0, 3.0], "up": [1.0, 2.0, 3.0], "down": [-2.0] * 3}
    table = pd.DataFrame(values, index=[1, 2, 3])
    display = ContributionsDisplay(contributions=table).plot()
    assert {name: len(areas) for name, areas in display.areas_.items()} == {
        "baseline": 2,
        "up": 1,
        "down": 2,
    }
    assert list(display.total_.get_ydata()) == [3.0, -1.0, 4.0]
    below = display.areas_["down"][1].get_paths()[0].vertices[:, 1]
    assert below.min() == -3.0


def test_contributions_of_many_channels_are_grouped():
    names = ["baseline", *(f"channel_{i}" for i in range(12))]
    table = pd.DataFrame(np.arange(26.0).reshape(2, 13), columns=names)
    display = ContributionsDisplay(contributions=table).plot(max_channels=4)
    assert list(display.areas_) == [
        "baseline",
        "channel_11",
        "channel_10",
        "channel_9",
        "9 other channels",
    ]
    top = display.areas_["9 other channels"][0].get_paths()[0].vertices[:, 1]
    assert top.max() == table.loc[1].sum()


def test_curves_of_a_model(fitted, panel):
    display = ResponseCurvesDisplay.from_estimator(fitted, kpi_name="sales")
    order = fitted.channel_summary()["contribution"].sort_values(ascending=False)
    assert list(display.curves) == list(order.index)
    assert [ax.get_title(loc="left") for ax in display.axes_] == list(order.index)
    for channel, point in zip(display.curves, display.points_, strict=True):
        assert_allclose(point.get_xdata(), panel.X[channel].sum())
    assert all(band is not None for band in display.bands_)


def test_curves_are_dashed_outside_the_data(pyplot):
    display = ResponseCurvesDisplay(curves={"tv": curve()}).plot()
    within, beyond, below = display.lines_[0]
    assert within.get_linestyle() == "-"
    assert (within.get_xdata().min(), within.get_xdata().max()) == (25.0, 150.0)
    assert below.get_linestyle() == "--"
    assert (below.get_xdata().min(), below.get_xdata().max()) == (0.0, 25.0)
    assert_allclose(below.get_ydata()[-1], within.get_ydata()[0])
    assert beyond.get_linestyle() == "--"
    assert beyond.get_xdata().min() == 150.0
    assert list(display.points_[0].get_xdata()) == [100.0]
    assert set(display.halves_[0].get_xdata()) == {50.0}
    dark = curve() | {"observed_from": 0.0, "observed_until": 300.0}
    display = ResponseCurvesDisplay(curves={"tv": Bunch(**dark)}).plot()
    within, *others = display.lines_[0]
    assert (within.get_xdata().min(), within.get_xdata().max()) == (0.0, 200.0)
    assert others == [None, None]


def test_curves_of_chosen_channels(fitted, panel):
    display = ResponseCurvesDisplay.from_estimator(
        fitted, panel.X, channels=panel.media[1:2]
    )
    assert list(display.curves) == panel.media[1:2]


def test_curves_with_bounds_or_without_upwards_or_downwards():
    curves = {"a": curve(), "b": curve(-1.0), "c": curve(bounds=False)}
    display = ResponseCurvesDisplay(curves=curves).plot(n_columns=2)
    assert display.axes_[0].get_ylim()[0] == 0.0
    assert display.axes_[1].get_ylim()[0] < -0.8
    assert display.bands_[2] is None


def test_no_interval_is_cut():
    wide = curve()
    wide.high = 1000.0 * wide.incremental
    display = ResponseCurvesDisplay(curves={"tv": wide}).plot()
    assert display.axes_[0].get_ylim()[1] >= wide.high.max()
    summary = pd.DataFrame(
        {"roi": [1.0, 1.2], "roi_low": [-3.0, 0.0], "roi_high": [2.0, 500.0]},
        index=["tv", "radio"],
    )
    left, right = ReturnsDisplay(summary=summary).plot().ax_.get_xlim()
    assert left <= -3.0
    assert right >= 500.0


def test_curves_are_dense_where_they_bend(fitted):
    display = ResponseCurvesDisplay.from_estimator(fitted)
    for found in display.curves.values():
        share = np.asarray(found.spend) / found.current_spend
        assert share[0] == 0.0
        assert share[-1] == pytest.approx(2.0)
        assert (share < 0.02).sum() >= 8
        assert np.diff(share).max() < 0.16


def test_a_channel_has_one_colour_wherever_it_is_drawn():
    from matplotlib.colors import to_rgba

    colors = channel_colors(60)
    assert colors[:7] == list(CHANNEL_COLORS)
    assert len(set(colors)) == 60
    names = ["baseline", *(f"channel_{i}" for i in range(9))]
    table = pd.DataFrame(np.arange(20.0).reshape(2, 10), columns=names)
    display = ContributionsDisplay(contributions=table).plot(max_channels=4)
    for name, areas in list(display.areas_.items())[1:-1]:
        expected = to_rgba(colors[names.index(name) - 1])
        assert_allclose(areas[0].get_facecolor()[0], expected)


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_equal_pictures_are_equal_files(tmp_path, ending):
    display = ResponseCurvesDisplay(curves={"tv": curve()})
    first, second = (
        display.save(tmp_path / f"{i}.{ending}") and (tmp_path / f"{i}.{ending}")
        for i in range(2)
    )
    assert first.read_bytes() == second.read_bytes()


def test_returns_are_sorted(fitted):
    display = ReturnsDisplay.from_estimator(fitted)
    roi = fitted.channel_summary()["roi"].sort_values()
    assert_allclose(display.points_["roi"].get_xdata(), roi)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == list(roi.index)
    assert "KPI per unit of X" in display.ax_.get_xlabel()


def test_returns_that_the_data_do_not_tell_are_hollow():
    summary = pd.DataFrame({"roi": [3.0, 1.0, 2.0]}, index=["tv", "radio", "search"])
    summary = summary.assign(roi_low=0.5, roi_high=4.0)
    plain = ReturnsDisplay(summary=summary).plot()
    assert plain.hollow_[0].get_xdata().size == 0
    verdicts = ["data-driven", "not identified", "prior-driven"]
    display = ReturnsDisplay(summary=summary.assign(verdict=verdicts)).plot()
    assert_allclose(display.hollow_[0].get_xdata(), [1.0, 2.0])
    assert "hollow: not data-driven" in display.ax_.get_title(loc="left")
    assert "hollow" not in plain.ax_.get_title(loc="left")


def test_marginal_returns(fitted, tmp_path):
    display = ReturnsDisplay.from_estimator(fitted, returns="mroi")
    display.save(tmp_path / "mroi.svg", log_scale=True)
    assert display.ax_.get_xlabel().startswith("marginal ROI")
    assert display.ax_.get_xscale() == "log"
    with pytest.raises(ValueError, match="must be 'roi', 'mroi' or 'both'"):
        ReturnsDisplay.from_estimator(fitted, returns="share")


@pytest.mark.parametrize(
    ("roi", "low", "scale", "left"),
    [
        (2.0, 0.5, "linear", 0.0),
        (50.0, 0.5, "log", 0.5 / 1.5),
        (50.0, 0.0, "linear", 0.0),
        (50.0, -1.0, "linear", -3.8),
    ],
)
def test_returns_over_decades_get_a_log_scale(roi, low, scale, left):
    # The last channel has no spend, and a name that is no mathematics.
    summary = pd.DataFrame(
        {
            "roi": [1.0, roi, np.nan],
            "roi_low": [low, 0.9 * roi, np.nan],
            "roi_high": [1.5, 1.1 * roi, np.nan],
        },
        index=["tv", "radio", "_$cost_$"],
    )
    display = ReturnsDisplay(summary=summary).plot()
    assert display.ax_.get_xscale() == scale
    assert_allclose(display.ax_.get_xlim()[0], left)
    display.figure_.canvas.draw()


def test_pictures_fit_into_subplots(fitted, held_out, panel, split, pyplot):
    figure, axes = pyplot.subplots(2, 2, layout="constrained")
    displays = [
        fit_display(held_out, panel, split, ax=axes[0, 0]),
        ContributionsDisplay.from_estimator(fitted, ax=axes[0, 1]),
        ResponseCurvesDisplay.from_estimator(fitted, ax=axes[1, 0]),
        ReturnsDisplay.from_estimator(fitted, ax=axes[1, 1]),
    ]
    assert all(display.figure_ is figure for display in displays)
    assert len(pyplot.get_fignums()) == 1
    figure.canvas.draw()
    for panel_ax in displays[2].axes_:
        assert panel_ax.get_position().x1 < axes[1, 1].get_position().x0
        assert panel_ax.get_position().y1 < axes[0, 0].get_position().y0


@pytest.mark.parametrize("n_curves", [1, 4, 13])
def test_saving_needs_no_window(tmp_path, pyplot, n_curves):
    name = "impressions_{}_with_a_name_longer_than_its_panel_" + "x" * 80
    curves = {name.format(i): curve() for i in range(n_curves)}
    path = tmp_path / "curves.png"
    display = ResponseCurvesDisplay(curves=curves).save(path, dpi=50)
    assert path.stat().st_size > 1000
    assert display.figure_.get_size_inches()[0] == pytest.approx(6.4)
    assert pyplot.get_fignums() == []


def test_fit_of_a_table_that_was_read(held_out, panel):
    X, y = panel.X, panel.y
    linear = make_linear_mmm(media=panel.media, region="region", time="week").fit(X, y)
    for model in (held_out, make_pipeline("passthrough", held_out), linear):
        read = effects_of(model, X)
        for region in (None, X["region"].iloc[0]):
            found = FitDisplay.from_estimator(model, read, y, region=region)
            expected = FitDisplay.from_estimator(model, X, y, region=region)
            pd.testing.assert_frame_equal(found.series, expected.series)
        found = HoldoutDisplay.from_estimator(model, read, y)
        expected = HoldoutDisplay.from_estimator(model, X, y)
        pd.testing.assert_frame_equal(found.rows, expected.rows)
    with pytest.raises(ValueError, match="X was read by another"):
        FitDisplay.from_estimator(held_out, read, y)
