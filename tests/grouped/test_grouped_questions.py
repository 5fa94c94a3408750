"""Questions about all groups: sums, one budget, pictures, scenarios."""

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from grouped_tables import CELLS, LINEAR, MEDIA, QUICK, one_world, own_rows, paired
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.allocation import budget_path, optimize_budget
from skmmm.baselines import make_linear_mmm
from skmmm.effects import effects_of
from skmmm.graph import StructuralVAR
from skmmm.inspection import channel_summary, response_curve
from skmmm.inspection._pooled import PooledChannels
from skmmm.inspection._side_by_side import GroupedCounterfactual, _with_all_lags
from skmmm.plotting import (
    BudgetPlanDisplay,
    ContributionSharesDisplay,
    ReturnsDisplay,
    SaturationDisplay,
    SpendShareDisplay,
    WaterfallDisplay,
)
from skmmm.report import make_report
from skmmm.scenarios import compare_scenarios

pytestmark = pytest.mark.usefixtures("short_chains")


def test_sums_over_groups(table, grouped, monkeypatch):
    X, _ = table
    judged(monkeypatch, [KNOWN] * 6)
    each, brand = grouped.channel_summary(X), grouped.channel_summary(X, by="brand")
    everything = grouped.channel_summary(X, by=None)
    assert each.index.names == ["brand", "market", "channel"]
    assert brand.index.names == ["brand", "channel"]
    assert everything.index.tolist() == MEDIA
    for name in ("spend", "contribution"):
        sums = each[name].groupby(["brand", "channel"]).sum()
        assert_allclose(brand[name], sums[brand.index])
        assert_allclose(everything[name], each[name].groupby("channel").sum())
    predicted = pd.Series(grouped.predict(X)).groupby(X["brand"].to_numpy()).sum()
    share = brand["contribution"] / predicted.loc[brand.index.get_level_values(0)].array
    assert_allclose(brand["share"], share)
    assert_allclose(everything["roi"], everything["contribution"] / everything["spend"])
    # A brand in one market is that market.
    names = ["contribution_low", "roi_high", "mroi", "mroi_low", "share"]
    assert_allclose(brand.loc["b", names], each.loc[("b", "n"), names])
    # What data told groups is independent: sums are known better than bounds added up.
    width = (each["contribution_high"] - each["contribution_low"]).loc["a"]
    width = width.groupby("channel").sum()
    summed = (brand["contribution_high"] - brand["contribution_low"]).loc["a"]
    assert (summed < width).all()
    for by in ("week", "region"):
        with pytest.raises(
            ValueError, match=f"by='{by}' is none .* For regions or per"
        ):
            grouped.channel_summary(X, by=by)


KNOWN = "data-driven"


def judged(monkeypatch, verdicts):
    """Let channels of all groups, media_1 and media_2 of each cell, have verdicts."""
    alarms = np.full(len(verdicts), "")
    found = {"verdict": np.array(verdicts, dtype=object), "alarm": alarms}
    monkeypatch.setattr(GroupedCounterfactual, "judgements", lambda self: found)


@pytest.mark.parametrize("n_known", [0, 1, 3])
def test_bounds_are_of_sums_of_draws(table, grouped, monkeypatch, n_known):
    X, _ = table
    judged(monkeypatch, [KNOWN] * 2 * n_known + ["prior-driven"] * 2 * (3 - n_known))
    draws = 0.0
    for i, key in enumerate(CELLS):
        known = grouped.estimators_[key]._counterfactual(own_rows(X, key)[1])
        own = known.effects(draws=True).contribution[:, 0]
        # What the data did not tell is wrong alike in all groups.
        draws = draws + (paired(key, own) if i < n_known else np.sort(own, axis=0))
    found = grouped.channel_summary(X, by=None, confidence_level=0.5)
    low, high = np.quantile(draws, [0.25, 0.75], axis=0, method="weibull")
    assert_allclose(found["contribution_low"], np.minimum(low, found["contribution"]))
    assert_allclose(found["contribution_high"], np.maximum(high, found["contribution"]))


def test_one_draw_of_a_sum_is_one_draw_of_each_group(table, grouped, monkeypatch):
    judged(monkeypatch, ["prior-driven"] * 6)
    known = effects_of(grouped, table[0]).counterfactual()
    drawn = known.effects(draws=True)
    found = PooledChannels(known, []).effects(None, draws=True)
    for i in range(2):
        order = np.argsort(drawn.contribution[:, 0, i::2], axis=0)
        gain = np.take_along_axis(drawn.gain[:, 0, i::2], order, axis=0).sum(axis=1)
        assert_allclose(found.gain[:, 0, i], gain)


def test_verdicts_on_sums(table, grouped, monkeypatch):
    X, _ = table
    caused = grouped.channel_summary(X)["contribution"].to_numpy().reshape(3, 2)
    share = caused / caused.sum(axis=0)

    def told(*verdicts, by=None):
        judged(monkeypatch, [v for v in verdicts for _ in MEDIA])
        return grouped.channel_summary(X, by=by)

    found = told(KNOWN, KNOWN, "prior-driven")
    assert "alarm" not in found
    assert_allclose(found["data_driven"], share[:2].sum(axis=0))
    assert found["verdict"].tolist() == ["prior-driven"] * 2  # of a tenth and more
    found = told(KNOWN, "not identified", "prior-driven")
    assert_allclose(found["data_driven"], share[0])
    assert found["verdict"].tolist() == ["not identified"] * 2
    found = told(KNOWN, "not identified", KNOWN, by="brand")
    assert_allclose(found.loc["b", "data_driven"], 1.0)
    assert found.loc["b", "verdict"].tolist() == [KNOWN] * 2
    found = told(KNOWN, KNOWN, None)
    assert found[["data_driven", "verdict"]].isna().all(axis=None)
    monkeypatch.setattr("skmmm.inspection._pooled._MOST", share[:2].sum(axis=0).min())
    assert KNOWN in told(KNOWN, KNOWN, "not identified")["verdict"].tolist()


def test_all_grouping_columns_are_single_groups(table, grouped, linear):
    X, _ = table
    each = grouped.channel_summary(X)
    named = grouped.channel_summary(X, by=["brand", "market"])
    pd.testing.assert_frame_equal(named, each)
    turned = grouped.channel_summary(X, by=["market", "brand"])
    assert turned.index.names == ["market", "brand", "channel"]
    pd.testing.assert_frame_equal(turned.swaplevel(0, 1), each)
    assert {"verdict", "alarm"} <= set(turned)
    assert "verdict" not in linear.channel_summary(X, by=None)


def test_payback_of_groups_is_that_of_their_models(table, grouped):
    X, _ = table
    found = grouped.payback(X)
    assert found.index.names == ["brand", "market", "channel"]
    for key in CELLS:
        own = grouped.estimators_[key].payback()
        pd.testing.assert_frame_equal(found.loc[key], own)


def test_lags_that_a_group_has_not_are_nan():
    joined = _with_all_lags([np.ones((4, 2, 3)), np.ones((4, 1, 5))])
    assert joined.shape == (4, 3, 5)
    assert_array_equal(np.isnan(joined).sum(axis=-1), [[2, 2, 0]] * 4)


def test_draws_of_groups_are_independent(short_chains):
    X, y = one_world(0)
    both = pd.concat([X.assign(brand=1), X.assign(brand=2)], ignore_index=True)
    one = clone(QUICK).set_params(n_draws=64)
    model = GroupedRegressor(one, "brand").fit(both, np.append(y, y))
    alone = model.estimators_[1]._draws_of_prediction(X).sum(axis=1)
    known = effects_of(model, both).counterfactual()
    caused = known.effects(draws=True).contribution[:, 0, ::2]  # media_1 of both
    predicted = model._draws_of_prediction(both)
    totals = predicted[:, :60].sum(axis=1), predicted[:, 60:].sum(axis=1)
    for first, second in (caused.T, totals):
        assert_allclose(np.sort(first), np.sort(second), rtol=1e-12)  # the same seed
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
        ratio = np.std(first + second) / np.std(first)
        assert ratio == pytest.approx(np.sqrt(2), rel=0.15)
    assert_allclose(np.sort(totals[0]), np.sort(alone), rtol=1e-12)
    # The same order of draws in all that is asked, and whatever groups X has.
    shape = (len(known.labels), 1)
    summed = known.effects(draws=True).contribution.sum(axis=(1, 2))
    assert_allclose(known.outcome(np.ones(shape), draws=True), summed, rtol=1e-6)
    assert_allclose(known.contributions(draws=True).sum(axis=(1, 2)), summed, rtol=1e-6)
    later = effects_of(model, both[60:]).counterfactual().effects(draws=True)
    assert_array_equal(later.contribution[:, 0, 0], caused[:, 1])
    curve = known.curve(0, np.array([1.0]), draws=True).ravel()
    assert_allclose(curve, caused[:, 0], rtol=1e-6)


def test_slopes_of_flights_are_those_of_paired_draws(table, grouped):
    known = effects_of(grouped, table[0]).counterfactual()
    flights = known.flights(draws=True)
    plan = np.ones((len(known.labels), len(known.groups("period")[1])))
    weight = np.arange(8.0)
    total, slope = flights(plan, lambda outcome: weight)
    assert_allclose(total, known.outcome(draws=True), rtol=1e-6)
    step = 1e-5 * np.random.default_rng(0).normal(size=plan.shape)
    ahead, behind = (flights(plan + d, np.ones_like)[0] for d in (step, -step))
    change = weight @ (ahead - behind) / 2
    assert change == pytest.approx((slope * step).sum(), rel=1e-3)


def caused(model, rows):
    """Return what all spend causes, from predictions with and without it."""
    nothing = rows.assign(**dict.fromkeys(MEDIA, 0.0))
    return model.predict(rows).sum() - model.predict(nothing).sum()


def test_one_budget(table, grouped):
    X, _ = table
    budget = 1.1 * X[MEDIA].to_numpy().sum()
    plan = grouped.optimize_budget(budget, X=X, bounds=(0.7, 1.5))
    assert plan.success
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-6)
    assert plan.allocation["factor"].between(0.7, 1.5).all()
    assert_array_equal(plan.X.index, X.index)
    others = [name for name in X if name not in MEDIA]
    pd.testing.assert_frame_equal(plan.X[others], X[others])
    outcome, separate = 0.0, 0.0
    for key in CELLS:
        mask, rows = own_rows(X, key)
        planned = plan.X[mask].drop(columns=["brand", "market"])
        spend = plan.allocation.loc[key, "spend"].to_numpy()
        assert_allclose(planned[MEDIA].sum().to_numpy(), spend)
        alone = grouped.estimators_[key]
        outcome += optimize_budget(
            alone, spend.sum(), X=planned, bounds=(1, 1)
        ).current_outcome
        separate += optimize_budget(
            alone, 1.1 * rows[MEDIA].to_numpy().sum(), X=rows, bounds=(0.7, 1.5)
        ).outcome
    assert plan.outcome == pytest.approx(outcome, rel=1e-6)
    assert plan.outcome >= separate * (1 - 1e-6)
    assert plan.outcome > plan.current_outcome


def test_outcome_is_what_predictions_say(table, linear):
    X, _ = table
    plan = linear.optimize_budget(X=X)
    assert plan.outcome == pytest.approx(caused(linear, plan.X), rel=1e-6)
    assert plan.current_outcome == pytest.approx(caused(linear, X), rel=1e-6)


def test_same_groups_get_the_same_plan(short_chains):
    X, y = one_world(0)
    both = pd.concat([X.assign(brand=1), X.assign(brand=2)])
    model = GroupedRegressor(QUICK, "brand").fit(both, np.append(y, y))
    plan = model.optimize_budget()
    assert_allclose(plan.x[:2], plan.x[2:], atol=2e-3)
    alone = model.estimators_[1].optimize_budget()
    assert plan.outcome == pytest.approx(2 * alone.outcome, rel=1e-4)


def test_limits_of_a_plan(table, grouped):
    X, _ = table
    one, other = ("a", "n", "media_1"), ("b", "n", "media_2")
    now = grouped.channel_summary(X)["spend"]
    plan = grouped.optimize_budget(
        X=X,
        bounds={one: (0.9, 1.1), None: (0.5, 1.5)},
        money_bounds={other: (0.8 * now[other], 0.8 * now[other])},
        constraints=[(("a", "s", "media_2"), None, now["a", "s", "media_2"])],
        fixed=[("a", "s", "media_1")],
    )
    factor = plan.allocation["factor"]
    assert 0.9 - 1e-9 <= factor[one] <= 1.1 + 1e-9
    assert factor[other] == pytest.approx(0.8)
    assert factor["a", "s", "media_1"] == 1.0
    assert factor["a", "s", "media_2"] <= 1.0 + 1e-9
    for wrong in ("media_1", ("a", "media_1"), ("a", "n", "tv")):
        unknown = (
            r"not one of the media columns of the groups, 6 tuples such as "
            r"\('a', 'n', 'media_1'\)\.$"
        )
        with pytest.raises(ValueError, match=unknown):
            grouped.optimize_budget(bounds={wrong: (1, 1)})
        with pytest.raises(ValueError, match=unknown):
            grouped.response_curve(wrong)
    with pytest.raises(ValueError, match=r"mean \('a', 's', 'media_2'\)\?$"):
        grouped.optimize_budget(fixed=[("a", "S", "media2")])


def test_channels_of_failed_groups(table):
    X, y = table
    bad = X.assign(media_1=X["media_1"].where(X["market"] == "n"))
    model = GroupedRegressor(LINEAR, ["brand", "market"], error_score=np.nan)
    lost = ("a", "s", "media_2")
    with pytest.warns(FitFailedWarning):
        model.fit(bad, y)
    asked = [
        lambda: model.response_curve(lost, X),
        lambda: response_curve(model, lost, X),
        lambda: model.optimize_budget(X=X, bounds={lost: (1, 1)}),
    ]
    for ask in asked:
        with (
            pytest.warns(UserWarning, match="Left out"),
            pytest.raises(ValueError, match=r"'media_2'.*fit of its group failed"),
        ):
            ask()


def test_plans_of_coming_periods_and_money(table, grouped):
    plan = grouped.optimize_budget(horizon=4, risk=("sd", 0.5))
    assert len(plan.X) == 4 * len(CELLS)
    assert list(plan.X) == list(table[0])
    assert len(grouped.predict(plan.X)) == 12
    path = budget_path(grouped, X=plan.X)
    assert path.table["outcome"].is_monotonic_increasing
    assert set(plan.worth_testing().index) == set(plan.allocation.index)


def test_costs(table, linear):
    X, _ = table
    cost = {"media_1": 2.0, "media_2": 0.5}
    found = linear.channel_summary(X, media_cost=cost)
    rows = own_rows(X, ("a", "s"))[1]
    alone = channel_summary(linear.estimators_["a", "s"], rows, media_cost=cost)
    pd.testing.assert_frame_equal(found.loc[("a", "s")], alone)
    plan = linear.optimize_budget(X=X, media_cost={"media_1": 2.0})
    assert (plan.allocation["factor"].loc[:, :, "media_2"] == 1.0).all()
    assert plan.allocation["spend"].loc[:, :, "media_2"].isna().all()


def test_plans_name_what_data_do_not_tell(table, grouped, linear, monkeypatch):
    X = table[0]
    assert "verdict" not in linear.optimize_budget(X=X).allocation
    told = ["data-driven", "not identified"]
    monkeypatch.setattr(
        DeepCausalMMMRegressor, "_verdicts", lambda self: np.array(told, dtype=object)
    )
    plan = grouped.optimize_budget(X=X)
    channel = plan.allocation.index.get_level_values("channel")
    assert list(plan.allocation["verdict"]) == [told[c == "media_2"] for c in channel]
    factor = plan.allocation["factor"]
    moved = factor.index[(channel == "media_2") & (abs(factor - 1.0) > 0.01)]
    assert len(moved)
    assert "bring (not identified), and draws do not, either" in plan.message
    assert f"fixed={list(moved)} keeps" in plan.message


def test_plans_by_period(table, grouped):
    X = table[0]
    some = X[X["week"] >= X["week"].sort_values().unique()[-4]]
    plan = grouped.optimize_budget(X=some, by="period")
    assert plan.allocation["spend"].sum() == pytest.approx(
        some[MEDIA].to_numpy().sum(), rel=1e-6
    )
    assert plan.outcome > plan.current_outcome
    assert plan.allocation.index.names == ["brand", "market", "channel", "period"]


def test_plans_by_region(table):
    X, y = table
    linear = make_linear_mmm(media=MEDIA, region="market", time="week")
    model = GroupedRegressor(linear, "brand").fit(X, y)
    one = ("a", "media_1")
    plan = model.optimize_budget(
        X=X, by="region", bounds={one: (0.5, 1.0), (one, "n"): (0.9, 1.1)}
    )
    assert plan.allocation["spend"].sum() == pytest.approx(X[MEDIA].to_numpy().sum())
    factor = plan.allocation["factor"]
    assert 0.9 - 1e-9 <= factor["a", "media_1", "n"] <= 1.1 + 1e-9
    assert 0.5 - 1e-9 <= factor["a", "media_1", "s"] <= 1.0 + 1e-9
    # The brand is not in this market.
    assert (plan.allocation["reason"].loc["b", :, "s"] == "no spend to scale").all()


def test_total_effects(table):
    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params(deep=False))
    model.set_params(graph=StructuralVAR(max_lag=1, n_bootstraps=4), max_iter=5)
    model.set_params(n_draws=2, media_cost={"media_1": 1.0})
    found = GroupedRegressor(model, ["brand", "market"]).fit(X, y)
    total = found.channel_summary(X, effect="total")
    alone = found.estimators_["a", "s"].channel_summary(
        own_rows(X, ("a", "s"))[1], effect="total"
    )
    pd.testing.assert_frame_equal(total.loc[("a", "s")], alone, rtol=1e-12)
    plan = found.optimize_budget(X=X, effect="total")
    assert plan.outcome >= plan.current_outcome
    assert (plan.allocation["factor"].loc[:, :, "media_2"] == 1.0).all()


def test_nothing_is_rows_times_channels(table, grouped, monkeypatch):
    def refuse(self, **options):
        raise AssertionError("an array of all rows and all channels")

    monkeypatch.setattr(GroupedCounterfactual, "_in_blocks", refuse)
    grouped.optimize_budget(risk=("cvar", 0.5))
    grouped.optimize_budget(target_roi=1.0)
    grouped.channel_summary(table[0], by="brand")
    grouped.response_curve(("a", "n", "media_1"))
    grouped.contributions()


def test_read_once(table, grouped):
    X, _ = table
    effects = effects_of(grouped, X)
    pd.testing.assert_frame_equal(
        effects.channel_summary(), channel_summary(grouped, X)
    )
    now = effects.response_curve(("b", "n", "media_1")).current_spend
    assert now == pytest.approx(X.loc[X["brand"] == "b", "media_1"].sum())
    again = response_curve(grouped, ("b", "n", "media_1"), effects)
    assert again.current_spend == now


def test_experiments_are_asked_of_one_group(grouped):
    with pytest.raises(ValueError, match=r"estimators_\[\('a', 'n'\)\]"):
        effects_of(grouped).counterfactual().experiment_grid  # noqa: B018


@pytest.mark.parametrize(
    "display",
    [ContributionSharesDisplay, ReturnsDisplay, SpendShareDisplay, WaterfallDisplay],
)
def test_pictures_name_group_and_channel(table, grouped, pyplot, display):
    shown = display.from_estimator(grouped, table[0])
    names = [label.get_text() for label in shown.ax_.get_yticklabels()]
    assert "a / n / media_1" in names


def test_pictures_of_plans(table, grouped, pyplot):
    X = table[0]
    shown = BudgetPlanDisplay.from_estimator(grouped, X=X)
    assert len(shown.texts_) == 6
    some = X[X["week"] >= X["week"].sort_values().unique()[-2]]
    shown = BudgetPlanDisplay.from_estimator(grouped, X=some, by="period")
    assert shown.image_.get_array().shape == (6, 2)
    assert shown.ax_.get_yticklabels()[0].get_text() == "a / n / media_1"


def test_scenarios(table, grouped):
    X = table[0]
    more = X.assign(media_1=1.1 * X["media_1"])
    found = compare_scenarios(grouped, {"now": X, "more": more}, media=MEDIA)
    assert found.loc["now", "kpi"] == pytest.approx(grouped.predict(X).sum())

    def total(key, rows):
        model = grouped.estimators_[key]
        return model._draws_of_prediction(own_rows(rows, key)[1]).sum(axis=1)

    draws = sum(paired(key, total(key, more) - total(key, X)) for key in CELLS)
    assert found.loc["more", "probability_better"] == (draws > 0).mean()


def test_one_group_has_a_report_pictures_and_a_file(table, grouped, pyplot, tmp_path):
    X, y = table
    joblib.dump(grouped, tmp_path / "groups.joblib")
    restored = joblib.load(tmp_path / "groups.joblib")
    assert_array_equal(restored.predict(X), grouped.predict(X))
    mask, rows = own_rows(X, ("b", "n"))
    alone = restored.estimators_["b", "n"]
    alone.save(tmp_path / "b-n.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "b-n.skmmm")
    assert_array_equal(loaded.predict(rows), grouped.predict(X)[mask])
    assert len(SaturationDisplay.from_estimator(alone).axes_) == 2
    path = make_report(alone, rows, y[mask], tmp_path / "b-n.html")
    assert "media_2" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["categorical", "polars", "dates"])
def test_kinds_of_tables(table, linear, kind):
    X, y = table
    if kind == "categorical":
        X = X.astype({"brand": "category", "market": "category"})
    elif kind == "dates":
        X = X.assign(brand=X["brand"].map({"a": "2020-01-01", "b": "2021-01-01"}))
        X["brand"] = pd.to_datetime(X["brand"])
    else:
        X = pytest.importorskip("polars").from_pandas(X)
    model = GroupedRegressor(LINEAR, ["brand", "market"]).fit(X, y)
    assert_allclose(model.predict(X), linear.predict(table[0]))
    summary = model.channel_summary(X, by="brand")
    assert_allclose(summary, linear.channel_summary(table[0], by="brand"))
    if kind == "dates":  # values of their own kind, also in rows that are made
        quick = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0})
        model = GroupedRegressor(quick, ["brand", "market"]).fit(X, y)
        # The group is said, and spend begins after the weeks that are repeated.
        with pytest.warns(UserWarning, match=r"\['media_1'\]: .* \(In brand .*groups"):
            coming = model.optimize_budget(horizon=2, bounds=(1, 1)).X
        assert_array_equal(coming["brand"].unique(), np.sort(X["brand"].unique()))


def test_plans_say_what_a_cut_channel_drives_in_its_group(table, grouped, monkeypatch):
    X = table[0]
    one, other = grouped.estimators_["a", "n"], grouped.estimators_["b", "n"]
    drives = np.array([[0.0, 0.6], [0.0, 0.0]])
    monkeypatch.setattr(one, "causal_graph_", drives, raising=False)
    spent = X.loc[(X["brand"] == "a") & (X["market"] == "n"), MEDIA[0]].sum()
    cut = {("a", "n", MEDIA[0]): 0.5 * spent}
    plan = grouped.optimize_budget(X=X, fixed=cut)
    said = (
        "By the channel graph a / n / media_1 drives a / n / media_2: what cutting it"
    )
    assert said in plan.message
    monkeypatch.delattr(one, "causal_graph_")
    monkeypatch.setattr(other, "causal_graph_", 0.0 * drives, raising=False)
    assert "channel graph" not in grouped.optimize_budget(X=X, fixed=cut).message
