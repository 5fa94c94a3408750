"""Plans of the regressor deliver what they promise, and agree with its summaries."""

from copy import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from helpers import refuses_from as refuses
from skmmm import DeepCausalMMMRegressor
from skmmm._data.panel import as_usual
from skmmm._estimator.counterfactual import ModelCounterfactual
from skmmm._planning.problem import read_risk
from skmmm.allocation import optimize_budget
from skmmm.allocation._words import in_words
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._intervals import bounds
from skmmm.scenarios import make_future_frame

pytestmark = pytest.mark.usefixtures("short_chains")


def test_media_without_a_cost_of_the_regressor(funnel):
    data, model = funnel
    model = clone(model).set_params(media_cost={"media_1": 2.0}, max_iter=10)
    with pytest.warns(ConvergenceWarning):
        model.fit(data.X, data.y)
    summary = model.channel_summary()
    assert summary.loc["media_2", ["roi", "mroi"]].isna().all()
    assert summary.loc["media_1", ["roi", "mroi"]].notna().all()
    for effect in ("direct", "total"):
        half = {"media_1": data.X["media_1"].sum()}  # a unit costs 2
        plan = model.optimize_budget(sum(half.values()), fixed=half, effect=effect)
        assert plan.success, plan.message
        assert plan.allocation.loc["media_2", "factor"] == 1.0
        assert plan.allocation["spend"].sum() == pytest.approx(half["media_1"])
        answers = effect == "total"
        assert (plan.X["media_2"].sum() < 0.99 * data.X["media_2"].sum()) == answers
        said = "own spend as today, responds to others" if answers else "as today"
        assert plan.allocation["reason"]["media_2"] == f"no cost: {said}"
        assert plan.message.endswith(f"Without a cost, {said}: ['media_2'].")


@pytest.mark.parametrize("paid", [["media_1"], ["media_2"], ["media_1", "media_2"]])
def test_returns_of_total_effects_are_per_unit_of_what_they_are_charged(funnel, paid):
    data, model = funnel
    model = clone(model).set_params(media_cost=dict.fromkeys(paid, 2.0), max_iter=10)
    with pytest.warns(ConvergenceWarning):
        model.fit(data.X, data.y)
    asked = {"effect": "total", "allow_extrapolation": True}
    half = {c: data.X[c].sum() for c in paid}
    plan = model.optimize_budget(sum(half.values()), fixed=half, **asked)
    table = plan.allocation
    roi = (table["contribution"] / table["origin_spend"]).loc[paid]
    assert_allclose(table["roi"].loc[paid], roi)
    assert_allclose(2.0 * plan.X[paid].sum(), table["spend"].loc[paid])
    assert table["origin_spend"].sum() == pytest.approx(table["spend"].sum())
    summary = model.channel_summary(plan.X, effect="total").loc[paid]
    assert_allclose(table["origin_spend"].loc[paid], summary["spend"])
    for name in ("roi", "mroi"):
        assert_allclose(table[name].loc[paid], summary[name])
    rest = table.drop(index=paid)[["spend", "origin_spend", "roi", "mroi"]]
    assert rest.isna().all(axis=None)
    assert "origin_spend" not in model.optimize_budget(fixed=paid).allocation


# --- plans of the regressor ----------------------------------------------------------


def test_regressor_delivers_what_it_promises(panel, fitted):
    X, before = panel.X.copy(), panel.X.copy()
    plan = fitted.optimize_budget(X=X)
    pd.testing.assert_frame_equal(X, before)
    assert plan.success
    budget = panel.X[panel.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-6)
    planned = X.assign(**{m: plan.X[m] for m in panel.media})
    gain = (fitted.predict(planned) - fitted.predict(X)).sum()
    assert gain == pytest.approx(plan.outcome - plan.current_outcome, rel=1e-6)
    assert plan.outcome_low < plan.outcome < plan.outcome_high
    summary = fitted.channel_summary(planned)
    assert_allclose(plan.allocation["contribution"], summary["contribution"])
    assert_allclose(plan.allocation["roi"], summary["roi"])
    # Better in so many draws, by what media cause: predictions also hold what moves
    # with spend and is no effect.
    planned_draws, today = (
        fitted._counterfactual(rows).outcome(draws=True) for rows in (planned, X)
    )
    assert plan.probability_better == pytest.approx((planned_draws > today).mean())
    gained = bounds(planned_draws - today, 0.05, gain)
    assert_allclose((plan.gain_low, plan.gain_high), gained, rtol=1e-6)
    # What plan and today have in common cancels.
    assert plan.gain_high - plan.gain_low < plan.outcome_high - plan.outcome_low
    # None is the training rows, and all of it repeats.
    again = fitted.optimize_budget()
    assert again.x.tobytes() == plan.x.tobytes()
    pd.testing.assert_frame_equal(again.allocation, plan.allocation)
    assert (again.message, again.outcome) == (plan.message, plan.outcome)


def test_no_worse_than_many_other_plans(panel, fitted):
    plan = fitted.optimize_budget(allow_extrapolation=True)
    what_if = fitted._counterfactual()
    spent = panel.X[panel.media].sum().to_numpy()
    assert what_if.outcome(plan.x[:, None])[0] == pytest.approx(plan.outcome)
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(60):
        other = rng.uniform(0.5, 2.0, 3)
        other[0] = (spent.sum() - other[1:] @ spent[1:]) / spent[0]
        if 0.5 <= other[0] <= 2.0:
            tried += 1
            assert what_if.outcome(other[:, None])[0] <= plan.outcome * (1 + 1e-7)
    assert tried > 10


def test_risk_of_the_regressor(panel, fitted):
    what_if = fitted._counterfactual()
    plans = {
        risk: fitted.optimize_budget(risk=risk, allow_extrapolation=True)
        for risk in (None, ("cvar", 0.25), ("sd", 2.0))
    }
    for risk, plan in plans.items():
        worth, draws = read_risk(risk)[1], risk is not None
        today = worth(what_if.outcome(draws=draws))
        assert plan.current_outcome == pytest.approx(today)
        reached = worth(what_if.outcome(plan.x[:, None], draws=draws))
        assert plan.outcome == pytest.approx(reached)
        for other in plans.values():
            rival = worth(what_if.outcome(other.x[:, None], draws=draws))
            assert reached >= rival * (1 - 1e-6)
    assert " by the mean of the worst 25% of draws," in plans["cvar", 0.25].message


@pytest.mark.parametrize(
    ("spent", "share", "message"),
    [
        (1.0, 0.9, "the gain is within the uncertainty of the model, and no reason to"),
        (1.0, 1.1, None),
        (0.7, 1.1, "the model does not know whether this is less than today."),
    ],
)
def test_draws_that_contradict_the_gain_are_told(
    panel, fitted, monkeypatch, spent, share, message
):
    """Draws are made to cause a share of what they cause today, whatever is planned."""
    outcome = ModelCounterfactual.outcome

    def other(self, multiples=None, by=None, *, draws=False):
        if not draws or multiples is None or (multiples == 1.0).all():
            return outcome(self, multiples, by, draws=draws)
        return share * outcome(self, draws=True)

    monkeypatch.setattr(ModelCounterfactual, "outcome", other)
    plan = fitted.optimize_budget(spent * panel.X[panel.media].sum().sum())
    assert plan.success
    assert plan.probability_better == (share > 1)
    _, doubt, said = plan.message.partition(" Fewer than half of the draws agree: ")
    assert bool(doubt) == (message is not None)
    assert said.startswith(message or "")
    assert "This is worse than today" not in plan.message
    assert ("Today's mix on that spend" in plan.message) == (spent < 1)


@pytest.mark.parametrize("gain", [0.057, -0.032])
def test_risk_is_one_measure_of_the_draws(gain):
    said = in_words(
        gain=gain,
        money=0.0,
        probability=0.38 if gain > 0 else 1.0,
        counted=" by the mean of the worst 20% of draws",
        worse=gain < 0,
        notes="",
    )
    word = "gain" if gain > 0 else "loss"
    assert said.endswith(f"draws agree: the {word} is one by that measure only.")


def test_regions_are_no_worse_than_channels(fitted):
    whole = fitted.optimize_budget()
    parts = fitted.optimize_budget(by="region")
    assert parts.success
    assert len(parts.allocation) == 9
    assert parts.outcome > whole.outcome


def test_target_roi_of_the_regressor(fitted):
    today = fitted.optimize_budget()
    spent = today.allocation["current_spend"].sum()
    target = 0.95 * today.current_outcome / spent
    plan = fitted.optimize_budget(target_roi=target, allow_extrapolation=True)
    assert plan.success
    returned = plan.outcome / plan.allocation["spend"].sum()
    assert returned == pytest.approx(target, rel=1e-4)


def test_carry_over_into_weeks_after_X_counts(panel, fitted):
    coming = fitted.make_future_frame(4, control_values="last_year")
    plan = fitted.optimize_budget(X=coming)
    assert plan.success
    longer = make_future_frame(
        panel.X,
        9,
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        control_values="last_year",
    )
    rows = longer["week"].isin(coming["week"])
    columns = panel.media + panel.controls
    last_year = panel.X[panel.X["week"] > np.unique(panel.X["week"])[-53]]
    mean = last_year.groupby("region")[columns].mean()
    after = mean.loc[longer.loc[~rows, "region"]].to_numpy()
    longer[columns] = longer[columns].astype(float)
    longer.loc[~rows, columns] = after

    def caused(frame):
        longer.loc[rows, panel.media] = frame[panel.media].to_numpy()
        return fitted.contributions(longer)[panel.media].sum().sum()

    nothing = caused(coming.assign(**dict.fromkeys(panel.media, 0.0)))
    assert plan.current_outcome == pytest.approx(caused(coming) - nothing, rel=1e-6)
    assert plan.outcome == pytest.approx(caused(plan.X) - nothing, rel=1e-6)


def test_horizon(fitted):
    plan = fitted.optimize_budget(horizon=4)
    coming = fitted.make_future_frame(4, control_values="last_year")
    other = fitted.optimize_budget(X=coming)
    assert_array_equal(plan.x, other.x)
    assert plan.outcome == other.outcome
    with refuses("Give X or horizon, not both."):
        fitted.optimize_budget(X=coming, horizon=4)
    with refuses("horizon must be an integer of at least 1, got True."):
        fitted.optimize_budget(horizon=True)


def test_regressor_knows_its_columns(panel, fitted):
    with refuses("DeepCausalMMMRegressor knows its columns and costs: leave out media"):
        optimize_budget(fitted, X=panel.X, media=panel.media)
    with refuses("by='period' plans direct effects only"):
        fitted.optimize_budget(by="period", effect="total")


@pytest.fixture(scope="module")
def funnel():
    """A regressor that knows that media_1 moves media_2; without draws."""
    graph = np.zeros((2, 2))
    graph[0, 1] = 0.8
    data = make_mmm_panel(2, 60, n_media=2, graph=graph, random_state=0)
    model = DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=data.controls,
        max_lag=4,
        n_draws=0,
        max_iter=40,
        random_state=0,
    )
    return data, model.fit(data.X, data.y)


def test_plan_without_draws(funnel):
    _, model = funnel
    plan = model.optimize_budget()
    assert np.isnan(
        [plan.outcome_low, plan.outcome_high, plan.probability_better]
    ).all()
    assert np.isnan([plan.gain_low, plan.gain_high]).all()
    assert plan.outcome >= plan.current_outcome
    assert "draws" not in plan.message


def test_direct_plans_say_what_a_cut_channel_drives(funnel):
    data, model = funnel
    spent = data.X[data.media].sum()
    said = "By the channel graph media_1 drives media_2: what cutting it changes there"
    cut = model.optimize_budget(fixed={"media_1": 0.5 * spent["media_1"]})
    assert f" {said} is not counted. Plan with effect='total'" in cut.message
    for name, share in (("media_1", 1.5), ("media_2", 0.5)):
        plan = model.optimize_budget(fixed={name: share * spent[name]})
        assert plan.allocation["change"][name] == pytest.approx(share - 1.0)
        assert ("channel graph" in plan.message) == (
            plan.allocation["change"]["media_1"] < -0.01
        )
    asked = {"fixed": {"media_1": 0.5 * spent["media_1"]}, "target_roi": 1e-6}
    assert said in model.optimize_budget(**asked).message
    counted = model.optimize_budget(effect="total", **asked)
    assert "channel graph" not in counted.message
    by_region = model.optimize_budget(by="region", bounds={"media_1": (0.5, 0.5)})
    assert said in by_region.message


def test_total_effects_are_planned_with_what_they_cost(funnel):
    data, model = funnel
    assert model._equations_of("total")[0].descendants()[0, 1]
    plan = model.optimize_budget(effect="total", allow_extrapolation=True)
    assert plan.success, plan.message
    assert plan.outcome >= plan.current_outcome
    # The planned rows hold what others answer; with them the KPI is as promised.
    planned = data.X.assign(**{m: plan.X[m] for m in data.media})
    gain = (model.predict(planned) - model.predict(data.X)).sum()
    assert gain == pytest.approx(plan.outcome - plan.current_outcome, rel=1e-6, abs=1.0)
    assert_allclose(plan.X[data.media].sum(), plan.allocation["spend"], rtol=1e-6)
    budget = data.X[data.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-3)
    own = data.X["media_2"].sum() * plan.x[1]
    if abs(plan.x[0] - 1.0) > 0.01:
        assert plan.allocation["spend"]["media_2"] != pytest.approx(own, rel=1e-3)


def test_total_effects_are_planned_to_the_end(funnel):
    data, model = funnel
    plan = model.optimize_budget(effect="total", allow_extrapolation=True)
    what_if = model.effects().counterfactual("total")
    budget = data.X[data.media].sum().sum()
    reached = []
    for first in np.linspace(0.5, 1.5, 11):

        def over(second, first=first):
            multiples = np.array([[first], [second]])
            return what_if.planned(multiples).spend.sum() - budget

        second = brentq(over, 0.01, 6.0)
        if 0.5 <= second <= 2.0:
            reached.append(what_if.outcome(np.array([[first], [second]]))[0])
    assert plan.outcome > max(reached) * (1 - 1e-3)


# --- plans, summaries and curves say the same ----------------------------------------


@pytest.fixture(scope="module")
def funnel_with_draws(funnel):
    data, model = funnel
    model = clone(model).set_params(n_draws=4, max_iter=20, random_state=1)
    return data, model.fit(data.X, data.y)


def check_agreement(model, X, multiples, effect, by=None):
    """What a plan says of its cells is what summary and curves say of its rows."""
    what_if = model.effects(X).counterfactual(effect)
    told = what_if.plan_effects(multiples, by)
    planned = what_if.planned_rows(multiples, by)
    summary = model.channel_summary(planned, by=by, effect=effect)
    assert_allclose(told.roi, summary["roi"], rtol=1e-6)
    assert_allclose(told.mroi, summary["mroi"], rtol=1e-6)
    assert told.contribution.sum() == pytest.approx(told.outcome, rel=1e-6)
    assert what_if.outcome(multiples, by)[0] == pytest.approx(told.outcome, rel=1e-6)
    cells = told.contribution.reshape(multiples.shape)
    for m, channel in enumerate(model.media_):
        if effect == "total" or not told.spend.reshape(cells.shape)[m].any():
            continue
        at_plan = model.response_curve(channel, planned, by=by)
        own = cells[m] if by else cells[m, 0]
        assert_allclose(at_plan.current_incremental, own, rtol=1e-6, atol=1e-9)
        if by is None:
            asked = multiples[m] * what_if.spend[:, m].sum()
            today = model.response_curve(channel, X, grid=asked)
            assert_allclose(today.incremental[0], own, rtol=1e-6)


@pytest.mark.parametrize("effect", ["direct", "total"])
@pytest.mark.parametrize("by", [None, "region"])
def test_plans_of_coming_weeks_agree_with_summaries(funnel_with_draws, effect, by):
    _, model = funnel_with_draws
    rng = np.random.default_rng(0)
    for n_weeks in (1, 2, 13):
        X = model.make_future_frame(n_weeks, control_values="last_year")
        multiples = rng.uniform(0.2, 2.0, (2, 1 if by is None else 2))
        for off in (None, 0, 1):
            plan = multiples.copy()
            if off is not None:
                plan[off] = 0.0
            check_agreement(model, X, plan, effect, by)


@pytest.mark.parametrize("effect", ["direct", "total"])
def test_plans_of_past_weeks_agree_with_summaries(funnel_with_draws, effect):
    data, model = funnel_with_draws
    weeks = np.unique(data.X["week"])
    for first, last in ((20, 23), (57, 60), (0, 60)):
        X = data.X[data.X["week"].isin(weeks[first:last])]
        plan = np.random.default_rng(first).uniform(0.0, 2.0, (2, 1))
        check_agreement(model, X, plan, effect)


def test_plans_by_period_agree_with_summaries(funnel_with_draws):
    _, model = funnel_with_draws
    rng = np.random.default_rng(0)
    for n_weeks in (1, 2, 6):
        X = model.make_future_frame(n_weeks, control_values="last_year")
        plan = rng.uniform(0.0, 2.0, (2, n_weeks))
        plan[0, 0] = 0.0
        what_if = model._counterfactual(X)
        told = what_if.plan_effects(plan, "period")
        summary = model.channel_summary(what_if.planned_rows(plan, "period"))
        caused = told.contribution.reshape(2, -1).sum(axis=1)
        assert_allclose(caused, summary["roi"].fillna(0) * summary["spend"], rtol=1e-6)
        assert told.outcome == pytest.approx(caused.sum(), rel=1e-6)


@pytest.mark.parametrize("effect", ["direct", "total"])
def test_best_plan_agrees_with_the_summary_of_its_rows(funnel_with_draws, effect):
    _, model = funnel_with_draws
    plan = model.optimize_budget(horizon=3, effect=effect)
    summary = model.channel_summary(plan.X, effect=effect)
    for name in ("roi", "mroi"):
        assert_allclose(plan.allocation[name], summary[name], rtol=1e-6)
    caused = (summary["roi"] * summary["spend"]).sum()
    assert plan.outcome == pytest.approx(caused, rel=1e-6)
    again = model.optimize_budget(X=plan.X, effect=effect)
    assert again.current_outcome == pytest.approx(plan.outcome, rel=1e-6)


def test_spend_after_X_does_not_depend_on_X(fitted, panel):
    """A region that training did not see goes on as the average region."""
    history = fitted._model.history
    media, _ = as_usual(history, 52)
    last = panel.X[panel.X["week"] > np.unique(panel.X["week"])[-53]]
    mean = last.groupby("region")[panel.media].mean()[list(fitted._columns.media)]
    assert_allclose(media, mean)
    X = fitted.make_future_frame(2, control_values="last_year")
    model = copy(fitted).set_params(unseen_region="average")
    new = X[X["region"] == "region_1"].assign(region="new")
    for frame in (X, new, X.assign(**dict.fromkeys(panel.media, 0.0))):
        grid = model._counterfactual(frame).panel
        after = grid.media[np.unique(grid.cell // grid.shape[1]), -1]
        usual = media.mean(axis=0)[None] if frame is new else media
        assert_allclose(after, usual)
