"""Every display: what it holds is what the model says, and it draws anywhere."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

import skmmm.plotting
from skmmm import DeepCausalMMMRegressor, plotting
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.plotting._baseline import baseline_and_controls
from skmmm.plotting._diagnostics import autocorrelation, residuals_of
from skmmm.plotting._regions import media_by_region

pytestmark = pytest.mark.usefixtures("pyplot", "short_chains")

MAKERS = {
    "AdstockDisplay": lambda m, X, y, ax: plotting.AdstockDisplay.from_estimator(
        m, ax=ax
    ),
    "BaselineDisplay": lambda m, X, y, ax: plotting.BaselineDisplay.from_estimator(
        m, ax=ax
    ),
    "BudgetPathDisplay": lambda m, X, y, ax: plotting.BudgetPathDisplay.from_estimator(
        m, ax=ax
    ),
    "BudgetPlanDisplay": lambda m, X, y, ax: plotting.BudgetPlanDisplay.from_estimator(
        m, ax=ax
    ),
    "ChannelGraphDisplay": lambda m, X, y, ax: (
        plotting.ChannelGraphDisplay.from_estimator(m, ax=ax)
    ),
    "ChannelGraphHeatmapDisplay": lambda m, X, y, ax: (
        plotting.ChannelGraphHeatmapDisplay.from_estimator(m, ax=ax)
    ),
    "ContributionSharesDisplay": lambda m, X, y, ax: (
        plotting.ContributionSharesDisplay.from_estimator(m, ax=ax)
    ),
    "ContributionsDisplay": lambda m, X, y, ax: (
        plotting.ContributionsDisplay.from_estimator(m, ax=ax)
    ),
    "EffectivenessDisplay": lambda m, X, y, ax: (
        plotting.EffectivenessDisplay.from_estimator(m, ax=ax)
    ),
    "ExperimentsDisplay": lambda m, X, y, ax: (
        plotting.ExperimentsDisplay.from_estimator(m, ax=ax)
    ),
    "FitDisplay": lambda m, X, y, ax: plotting.FitDisplay.from_estimator(
        m, X, y, ax=ax
    ),
    "FrequencyDisplay": lambda m, X, y, ax: plotting.FrequencyDisplay(
        **_frequencies(m.media_)
    ).plot(ax=ax),
    "HiddenDemandDisplay": lambda m, X, y, ax: (
        plotting.HiddenDemandDisplay.from_estimator(m, ax=ax)
    ),
    "HoldoutDisplay": lambda m, X, y, ax: plotting.HoldoutDisplay.from_estimator(
        m, X, y, ax=ax
    ),
    "InputDataDisplay": lambda m, X, y, ax: plotting.InputDataDisplay.from_estimator(
        m, X, y, ax=ax
    ),
    "PaybackDisplay": lambda m, X, y, ax: plotting.PaybackDisplay.from_estimator(
        m, ax=ax
    ),
    "PlanReviewDisplay": lambda m, X, y, ax: plotting.PlanReviewDisplay.from_review(
        m.optimize_budget(X=X).review(_twice(X), y), ax=ax
    ),
    "RegionRankingDisplay": lambda m, X, y, ax: (
        plotting.RegionRankingDisplay.from_estimator(m, ax=ax)
    ),
    "ResidualsDisplay": lambda m, X, y, ax: plotting.ResidualsDisplay.from_estimator(
        m, X, y, ax=ax
    ),
    "ResponseCurvesDisplay": lambda m, X, y, ax: (
        plotting.ResponseCurvesDisplay.from_estimator(m, ax=ax)
    ),
    "ReturnsDisplay": lambda m, X, y, ax: plotting.ReturnsDisplay.from_estimator(
        m, returns="both", ax=ax
    ),
    "SaturationDisplay": lambda m, X, y, ax: plotting.SaturationDisplay.from_estimator(
        m, ax=ax
    ),
    "ScenariosDisplay": lambda m, X, y, ax: plotting.ScenariosDisplay.from_estimator(
        m, {"today": X, "twice": _twice(X)}, ax=ax
    ),
    "SkillDisplay": lambda m, X, y, ax: plotting.SkillDisplay.from_estimators(
        {"seasonal": SeasonalNaiveRegressor(region="region", time="week")},
        X,
        y,
        cv=PanelTimeSeriesSplit(2, test_size=4, time="week"),
        naive=LastValueRegressor(region="region", time="week"),
        ax=ax,
    ),
    "SpendShareDisplay": lambda m, X, y, ax: plotting.SpendShareDisplay.from_estimator(
        m, ax=ax
    ),
    "TrainingDisplay": lambda m, X, y, ax: plotting.TrainingDisplay.from_estimator(
        m, ax=ax
    ),
    "VerdictsDisplay": lambda m, X, y, ax: plotting.VerdictsDisplay.from_estimator(
        m, ax=ax
    ),
    "WaterfallDisplay": lambda m, X, y, ax: plotting.WaterfallDisplay.from_estimator(
        m, ax=ax
    ),
}


def _twice(X):
    spend = X.select_dtypes("number").columns.difference(["price", "holiday"])
    return X.assign(**{name: 2.0 * X[name] for name in spend})


def _frequencies(channels):
    """What `FrequencyDisplay` holds of channels that are best seen twice."""
    index = pd.MultiIndex.from_product(
        [channels, [1.0, 2.0, 3.0]], names=["channel", "frequency"]
    )
    points = pd.DataFrame({"contribution": [1.0, 3.0, 2.0] * len(channels)}, index)
    points = points.assign(low=points - 0.5, high=points + 0.5)
    names = ["frequency", "optimum", "optimum_low", "optimum_high"]
    optimum = pd.DataFrame([[2.5, 2.0, 1.5, 2.5]] * len(channels), channels, names)
    return {"points": points, "optimum": optimum.assign(verdict="data-driven")}


@pytest.fixture(scope="module")
def odd(panel, fitted):
    """A model whose names are long, alike, and try to be mathematics."""
    names = {
        name: f"_$x_{i}$ {'a very long name of a channel, ' * 4}{i}"
        for i, name in enumerate(panel.media)
    }
    X = panel.X.rename(columns=names)
    X["region"] = X["region"] + " $and$ the places around it, with all their people"
    model = clone(fitted).set_params(
        media=list(names.values()), media_cost=1.0, max_iter=20
    )
    return model.fit(X, panel.y), X, panel.y


def test_every_display_is_tried_here():
    assert sorted(MAKERS) == sorted(skmmm.plotting.__all__)
    assert len(MAKERS) >= 18


@pytest.mark.parametrize("name", MAKERS)
def test_draws_in_a_subplot_and_on_a_figure_of_its_own(name, odd, pyplot, tmp_path):
    figure, axes = pyplot.subplots(1, 2, layout="constrained")
    display = MAKERS[name](*odd, axes[1])
    assert type(display).__name__ == name
    assert display.figure_ is figure
    assert len(pyplot.get_fignums()) == 1
    figure.canvas.draw()
    left = axes[0].get_position().x1
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert any(titles)
    drawn = getattr(display, "axes_", [display.ax_])
    assert all(ax.get_position().x0 > left for ax in drawn)
    assert display.save(tmp_path / "picture.png", dpi=40) is display
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert len(pyplot.get_fignums()) == 1
    assert display.plot() is display  # a new figure
    assert len(pyplot.get_fignums()) == 2


@pytest.mark.parametrize("name", MAKERS)
def test_data_are_attributes_and_enough_to_draw_again(name, odd, pyplot):
    display = MAKERS[name](*odd, None)
    held = {k: v for k, v in vars(display).items() if not k.endswith("_")}
    held = {k: v for k, v in held.items() if not k.startswith("_")}
    again = type(display)(**held).plot()
    assert again.figure_ is not display.figure_
    assert set(vars(again)) == set(vars(display))


# --- what they hold ------------------------------------------------------------------


def test_waterfall_ends_at_the_prediction(fitted, panel):
    display = plotting.WaterfallDisplay.from_estimator(fitted, max_channels=2)
    total = fitted.predict(panel.X).sum()
    assert display.bars_[-1].get_width() == pytest.approx(total)
    assert list(display.parts.index[:3]) == ["base", "trend", "season"]
    assert display.parts.index[-1] == "2 other channels"
    assert display.parts.sum() == pytest.approx(total)


def test_waterfall_of_a_review_ends_at_the_gap(fitted, panel):
    review = fitted.optimize_budget().review(_twice(panel.X), panel.y)
    display = plotting.PlanReviewDisplay.from_review(review, max_channels=2)
    gap = panel.y.sum() - fitted.predict(fitted.optimize_budget().X).sum()
    assert display.bars_[-1].get_width() == pytest.approx(gap)
    assert display.parts["kpi"].sum() == pytest.approx(gap)
    names = list(display.parts.index)
    assert names[-1] == "unexplained"
    assert "delivery: 2 other channels" in names
    assert not [name for name in names if name.startswith(("response", "controls"))]
    assert "planned" in display.ax_.get_title(loc="left")


def test_waterfall_counts_events_from_none_and_trend_from_the_start(fitted, panel):
    parts = plotting.WaterfallDisplay.from_estimator(fitted).parts
    effect = fitted.contributions()["holiday"]
    region, without = panel.X["region"], panel.X["holiday"] == 0
    usual = effect[without].groupby(region[without]).first()
    assert parts["holiday"] == pytest.approx((effect - region.map(usual)).sum())
    assert parts["price"] == pytest.approx(0.0, abs=1e-6 * parts["base"])
    drawn = plotting.WaterfallDisplay(parts=parts).plot()
    told = [text.get_text() for text in drawn.ax_.texts]
    assert told[list(parts.index).index("price")] == "sums to 0"
    assert not [text for text in told if text.startswith("0")]
    trend = fitted.baseline_parts()["trend"]
    first = trend[panel.X["week"] == panel.X["week"].min()]
    start = first.groupby(region[first.index]).first()
    assert parts["trend"] == pytest.approx((trend - region.map(start)).sum())
    assert parts["season"] >= 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_waterfall_has_events_apart_and_adds_up_the_smaller(series):
    X = series.X.drop(columns="region")
    week = np.arange(len(X))
    size = {
        "event: fair (not none)": 6e4,
        "event: sale (not none)": -3e4,
        "Easter": 1.0,
    }
    for i, name in enumerate(size):
        X[name] = (week % 13 == 3 * i).astype(float)
    y = series.y + X[list(size)] @ np.array(list(size.values()))
    model = DeepCausalMMMRegressor(
        media=series.media,
        controls=list(size),
        time="week",
        n_draws=0,
        max_iter=60,
        graph=None,
        random_state=0,
    ).fit(X, y)
    parts = model.contributions()[list(size)]
    display = plotting.WaterfallDisplay.from_estimator(model)
    effects = {
        name: (parts[name] - parts[name][X[name] == 0].iloc[0]).sum() for name in size
    }
    assert_allclose(display.parts[list(size)], list(effects.values()))
    assert effects["event: fair (not none)"] > 0 > effects["event: sale (not none)"]
    share = effects["event: fair (not none)"] / display.parts.sum()
    assert any(t.get_text().endswith(f" · {share:.1%}") for t in display.ax_.texts)
    few = plotting.WaterfallDisplay.from_estimator(model, max_channels=2).parts
    rest = effects["event: sale (not none)"] + effects["Easter"]
    assert few["2 other controls"] == pytest.approx(rest)


def test_waterfall_of_a_series_without_time_has_a_base_and_channels(panel):
    model = DeepCausalMMMRegressor(
        media=panel.media, controls=panel.controls, n_draws=0, max_iter=5
    ).fit(panel.X[[*panel.media, *panel.controls]], panel.y)
    display = plotting.WaterfallDisplay.from_estimator(model)
    total = model.predict(panel.X[[*panel.media, *panel.controls]]).sum()
    assert display.parts.sum() == pytest.approx(total)
    assert set(panel.controls) < set(display.parts.index)


def test_shares_are_of_the_prediction(fitted, panel):
    display = plotting.ContributionSharesDisplay.from_estimator(fitted)
    summary = fitted.channel_summary()
    total = fitted.predict(panel.X).sum()
    assert_allclose(display.shares["share"], summary["contribution"] / total)
    assert_allclose(display.shares["low"], summary["contribution_low"] / total)
    assert display.intervals_ is not None


def test_baseline_over_time_adds_up(fitted, panel):
    display = plotting.BaselineDisplay.from_estimator(fitted)
    parts = fitted.contributions()
    expected = parts.drop(columns=panel.media).sum(axis=1).groupby(panel.X["week"])
    assert_allclose(display.baseline_.get_ydata(), expected.sum())
    assert set(panel.controls) < set(display.lines_)


def test_hidden_demand_by_channel_and_over_time(chased):
    display = plotting.HiddenDemandDisplay.from_estimator(chased)
    demand = chased.hidden_demand()
    assert "local" in display.bars_
    for scope, loading in demand.attrs["loading"].items():
        drawn = [bar.get_width() for bar in display.bars_[scope]]
        assert_allclose(drawn, list(loading.values())[::-1])
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == chased.media_[::-1]
    total = chased.baseline_parts()["hidden demand"]
    week = chased.effects().frame["week"].to_numpy()
    assert_allclose(display.line_.get_ydata(), total.groupby(week).sum())


def test_no_hidden_demand_is_a_sentence(fitted):
    assert not fitted.hidden_demand().attrs
    display = plotting.HiddenDemandDisplay.from_estimator(fitted)
    assert display.bars_ == {}
    assert display.line_ is None
    (text,) = display.ax_.texts
    assert text.get_text().startswith("Spend tells of no hidden demand")


def test_many_controls_are_added_up(fitted, panel):
    few = baseline_and_controls(fitted, max_controls=1)
    assert few.columns[-1] == "2 other controls"
    assert_allclose(few.sum(axis=1), baseline_and_controls(fitted).sum(axis=1))


def test_spend_shares_sum_to_one(fitted):
    display = plotting.SpendShareDisplay.from_estimator(fitted)
    assert sum(bar.get_width() for bar in display.spend_) == pytest.approx(1.0)
    assert sum(bar.get_width() for bar in display.effect_) == pytest.approx(1.0)


def test_returns_of_all_and_of_the_next_unit(odd):
    model, _, _ = odd
    display = plotting.ReturnsDisplay.from_estimator(model, returns="both")
    table = model.channel_summary().sort_values("roi")
    for kind in ("roi", "mroi"):
        assert_allclose(display.points_[kind].get_xdata(), table[kind])
        assert display.intervals_[kind] is not None
    assert "KPI per unit of spend" in display.ax_.get_xlabel()


def test_verdicts_say_how_sure_in_words_and_signs():
    summary = pd.DataFrame(
        {
            "roi": [1.0, 2.0, np.nan],
            "roi_low": [0.5, 1.0, np.nan],
            "roi_high": [1.5, 3.0, np.nan],
            "verdict": ["not identified", "data-driven", None],
            "alarm": ["reacts to the KPI of the same period", "", ""],
        },
        index=["search", "tv", "radio"],
    )
    display = plotting.VerdictsDisplay(summary=summary).plot()
    said = {name: [t.get_text() for t in row] for name, row in display.texts_.items()}
    assert list(said) == ["tv", "search", "radio"]  # the surest first
    alarm = "reacts to the KPI\nof the same period"
    search = ["✕ not identified", "1.00", "0.50 to 1.50", alarm]
    assert said["search"][1:] == search
    assert said["radio"][1:] == ["– no verdict", "–", "", ""]


def test_regions_hold_what_media_do_there(fitted, panel):
    table = media_by_region(fitted)
    parts = fitted.contributions()[panel.media].sum(axis=1)
    region = panel.X["region"].to_numpy()
    assert_allclose(table["contribution"], parts.groupby(region).sum())
    predicted = pd.Series(fitted.predict(panel.X)).groupby(region).sum()
    assert_allclose(table["share"], table["contribution"] / predicted.to_numpy())
    for name in ("share", "contribution", "roi"):
        assert (table[f"{name}_low"] < table[f"{name}_high"]).all()
    summary = fitted.channel_summary(by="region")
    caused = (summary["roi"] * summary["spend"]).groupby("region").sum()
    assert_allclose(table["roi"] * table["spend"], caused)


def test_many_regions_leave_a_gap():
    regions = pd.DataFrame({"share": np.linspace(0.1, 0.5, 50)}, index=range(50))
    display = plotting.RegionRankingDisplay(regions=regions).plot(max_regions=9)
    assert display.gap_.get_text() == "41 regions between"
    shown = display.points_.get_xdata()
    assert len(shown) == 9
    assert shown[0] == 0.1
    assert shown[-1] == 0.5
    with pytest.raises(ValueError, match="by='size' must be one of"):
        plotting.RegionRankingDisplay(regions=regions, by="size").plot()


def test_holdout_scores_are_of_the_holdout():
    index = pd.MultiIndex.from_product([["a", "b"], range(4)], names=["region", "time"])
    observed = pd.Series([1.0, 2.0, 3.0, 4.0, 101.0, 102.0, 103.0, 104.0], index)
    rows = pd.DataFrame(
        {"observed": observed, "predicted": observed, "holdout": [0, 0, 1, 1] * 2}
    ).astype({"holdout": bool})
    rows.loc[rows["holdout"], "predicted"] = [3.5, 3.5, 103.5, 103.5]
    display = plotting.HoldoutDisplay(rows=rows).plot()
    assert display.scores["r2_within"] == pytest.approx(0.0)
    assert display.scores["r2"] > 0.99
    assert len(display.forecast_.get_offsets()) == 4
    assert display.ax_.get_xscale() == "log"


def test_residuals_are_relative_to_their_region():
    index = pd.MultiIndex.from_product(
        [["small", "large"], range(6)], names=["region", "time"]
    )
    error = np.array([1.0, -1.0] * 3)
    rows = pd.DataFrame(
        {"observed": np.r_[error, 100 * error], "predicted": 0.0}, index
    )
    residuals = residuals_of(rows)
    assert_allclose(residuals["standardised"], np.r_[error, error])
    found = autocorrelation(residuals, n_lags=3)
    assert_allclose(found, [-1.0, 1.0, -1.0])
    gap = residuals.drop([("small", 2), ("large", 2)])
    assert autocorrelation(gap).index[0] == 1


def test_skill_is_that_of_rolling_skill(panel):
    keys = {"region": "region", "time": "week"}
    options = {
        "cv": PanelTimeSeriesSplit(3, test_size=4, time="week"),
        "naive": LastValueRegressor(**keys),
    }
    contenders = {"seasonal": SeasonalNaiveRegressor(**keys)}
    display = plotting.SkillDisplay.from_estimators(
        contenders, panel.X, panel.y, **options
    )
    expected = rolling_skill(contenders, panel.X, panel.y, **options)
    pd.testing.assert_frame_equal(display.scores, expected)
    assert len(display.points_) == 3


def test_adstock_and_saturation_hold_what_the_model_says(fitted):
    channels = fitted.media_[1:]
    adstock = plotting.AdstockDisplay.from_estimator(fitted, channels=channels)
    shares = [bar.get_height() for bar in adstock.bars_[0]]
    assert_allclose(shares, fitted.carryover_[1])
    saturation = plotting.SaturationDisplay.from_estimator(fitted, channels=channels)
    assert len(saturation.lines_) == 2
    for line, half in zip(saturation.lines_, saturation.halves_, strict=True):
        spend, share = line.get_data()
        if half is not None:  # within the panel
            assert np.interp(half.get_xdata()[0], spend, share) == pytest.approx(0.5)
        else:
            assert not share[0] < 0.5 < share[-1]
    with pytest.raises(ValueError, match="channels names 'tv', which is not one of"):
        plotting.AdstockDisplay.from_estimator(fitted, channels=["tv"])


def test_half_saturation_is_marked_where_the_panel_shows_it():
    spend = np.linspace(0.0, 10.0, 11)
    curves = {"tv": spend / (spend + 4.0), "radio": spend / (spend + 40.0)}
    table = pd.concat(
        {
            name: pd.DataFrame(
                {
                    "spend": spend,
                    "share": share,
                    "low": np.nan,
                    "high": np.nan,
                    "observed": spend / 10.0,
                }
            )
            for name, share in curves.items()
        },
        names=["channel", "point"],
    )
    display = plotting.SaturationDisplay(saturation=table).plot()
    shown, beyond = display.halves_
    assert shown.get_xdata()[0] == pytest.approx(4.0)
    assert beyond is None
    assert shown.get_label() == "half saturation"


def test_constant_effectiveness_is_said_in_words(fitted, panel):
    model = clone(fitted).set_params(
        time_varying=False, n_draws=0, max_iter=5, graph=None
    )
    model.fit(panel.X, panel.y)
    display = plotting.EffectivenessDisplay.from_estimator(model)
    assert "constant" in display.note_.get_text()
    assert all(band is None for band in display.bands_)


# --- plans ----------------------------------------------------------------------------


def test_plan_shows_today_plan_and_why(fitted):
    plan = fitted.optimize_budget()
    display = plotting.BudgetPlanDisplay.from_plan(plan)
    table = plan.allocation.sort_values("current_spend")
    assert_allclose(display.today_.get_xdata(), table["current_spend"])
    assert_allclose(display.planned_.get_xdata(), table["spend"])
    for text, row in zip(display.texts_, table.itertuples(), strict=True):
        assert text.get_text() == f"{row.change:+.0%}, {row.reason}"


def test_a_long_reason_is_written_on_two_lines(fitted, pyplot):
    table = fitted.optimize_budget().allocation
    why = "kept: rings an alarm (moves in groups of regions, as the KPI does)"
    table["reason"], table["change"] = why, 0.0
    display = plotting.BudgetPlanDisplay(allocation=table).plot()
    display.figure_.canvas.draw()
    for text in display.texts_:
        assert text.get_text().count("\n") == 1
        assert text.get_text().replace("\n", " ") == f"+0%, {why}"
        assert text.get_window_extent().x1 <= display.figure_.bbox.x1


@pytest.mark.parametrize("by", ["region", "period"])
def test_plans_by_region_or_period_are_changes(panel, by):
    index = pd.MultiIndex.from_product(
        [["tv", "radio"], ["a", "b", "c"]], names=["channel", by]
    )
    table = pd.DataFrame(
        {
            "spend": [1.0, 4.0, 3.0, 1.0, 2.0, 0.0],
            "current_spend": [1.0, 2.0, 6.0, 1.0, 1.0, 0.0],
            "change": [0.0, 1.0, -0.5, 0.0, 1.0, np.nan],
            "reason": "equal marginal return",
        },
        index,
    )
    display = plotting.BudgetPlanDisplay(allocation=table).plot()
    shown = display.image_.get_array()
    first = [-0.5, 1.0, 0.0] if by == "region" else [0.0, 1.0, -0.5]
    assert_allclose(shown[0], first)
    assert display.today_ is None


def test_path_marks_today(odd):
    model, _, _ = odd
    display = plotting.BudgetPathDisplay.from_estimator(model)
    spend = model.channel_summary()["spend"].sum()
    assert display.today_.get_xdata()[0] == pytest.approx(spend)
    assert display.band_ is not None
    assert display.ax_.get_xlabel() == "total spend"


def test_scenarios_are_differences(fitted, panel):
    display = plotting.ScenariosDisplay.from_estimator(
        fitted, {"today": panel.X, "twice": _twice(panel.X)}
    )
    assert list(display.comparison.index) == ["today", "twice"]
    gain = display.comparison.loc["twice", "difference"]
    assert list(display.points_.get_xdata()) == [gain, 0.0]  # the first on top
    assert re.match(
        r"spend \+.*, better in \d+% of draws", display.texts_[0].get_text()
    )
    assert display.texts_[1].get_text() == "same spend"


def test_effects_of_other_estimators_are_drawn_too(panel):
    model = make_linear_mmm(
        media=panel.media, controls=panel.controls, region="region", time="week"
    ).fit(panel.X, panel.y)
    for display in (
        plotting.WaterfallDisplay.from_estimator(model, panel.X),
        plotting.ReturnsDisplay.from_estimator(model, panel.X),
        plotting.ResponseCurvesDisplay.from_estimator(
            model, panel.X, channels=panel.media[:1]
        ),
        plotting.RegionRankingDisplay.from_estimator(model, panel.X),
    ):
        display.figure_.canvas.draw()


# --- names and costs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "controls"),
    [
        (["baseline and controls", "level", "total"], ["predicted", "all"]),
        (["prediction", "1 other channel", "trend"], ["season", "controls"]),
        (["base", "constant", "channel"], ["baseline drift", "observed"]),
    ],
)
def test_columns_called_like_our_labels_keep_their_numbers(panel, media, controls):
    names = [*media, *controls]
    X = panel.X.rename(
        columns=dict(zip([*panel.media, *panel.controls], names, strict=True))
    )
    model = DeepCausalMMMRegressor(
        media=media,
        controls=controls,
        region="region",
        time="week",
        max_lag=3,
        n_draws=0,
        max_iter=8,
        graph=None,
    ).fit(X, panel.y)
    sums = model.contributions().sum()
    area = plotting.ContributionsDisplay.from_estimator(model)
    assert_allclose(area.contributions[media].sum(), sums[media])
    assert len(area.plot(max_channels=2).areas_) == 3
    waterfall = plotting.WaterfallDisplay.from_estimator(model, max_channels=3)
    assert waterfall.parts.sum() == pytest.approx(model.predict(X).sum())
    assert_allclose(waterfall.parts[media], sums[media])
    labels = [label.get_text() for label in waterfall.ax_.get_yticklabels()]
    assert len(set(labels)) == len(labels)
    lines = plotting.BaselineDisplay.from_estimator(model).lines_
    own = model.contributions()[controls[0]].groupby(X["week"]).sum()
    assert_allclose(lines[controls[0]].get_ydata(), own)
