"""Policies spend the budget, learn from what came, and leave the model as it was."""

from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.allocation import BudgetPolicy, optimize_budget
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import MarketEnvironment

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(rings an alarm|something has changed|below its prior)"
)


@pytest.fixture(scope="module")
def market():
    return MarketEnvironment(
        4, 2, n_history=60, n_future=24, max_lag=4, noise=0.02, random_state=1
    )


@pytest.fixture(scope="module")
def model(market, arguments):
    arguments = arguments | {"n_draws": 8, "graph": None, "media_cost": 1.0}
    arguments |= {"random_state": 1}
    return DeepCausalMMMRegressor(**arguments).fit(*market.history())


@pytest.fixture
def limits(market):
    """Every channel may move, whatever a fit of few iterations warns of."""
    return {"bounds": dict.fromkeys(market.media, (0.5, 2.0))}


def total(market, X):
    return X[market.media].to_numpy().sum()


@pytest.mark.parametrize("explore", ["greedy", "thompson", "none"])
def test_the_regions_spend_the_budget_together(market, model, limits, explore):
    X = market.coming(4)
    policy = BudgetPolicy(model, explore=explore, random_state=0, **limits)
    for budget in (None, 0.8 * total(market, X), 1.3 * total(market, X)):
        plan = policy.propose(X=X, budget=budget)
        spent = total(market, X) if budget is None else budget
        assert total(market, plan.X) == pytest.approx(spent, rel=1e-9)
        assert plan.allocation["spend"].sum() == pytest.approx(spent, rel=1e-9)


def test_greedy_is_the_best_plan_by_region(market, model, limits):
    X = market.coming(4)
    plan = BudgetPolicy(model, **limits).propose(X=X)
    best = optimize_budget(model, X=X, by="region", **limits)
    assert_frame_equal(plan.X, best.X)
    assert_frame_equal(plan.allocation, best.allocation)
    assert plan.message == best.message
    assert "groups" not in plan


def test_a_group_has_the_plan_that_is_best_under_its_draw(market, model, limits):
    X = market.coming(4)
    policy = BudgetPolicy(
        model, explore="thompson", n_groups=1, random_state=3, **limits
    )
    plan = policy.propose(X=X)
    (draw,) = plan.groups["draw"].unique()
    believed = model.effects(plan.X).counterfactual()

    def caused(multiples):
        multiples = np.asarray(multiples).reshape(2, 4)
        return believed.outcome(multiples, "region", draws=True)[draw]

    # Moving money between any two cells that may move brings nothing under the draw.
    spend = plan.allocation["spend"].to_numpy()
    at = plan.allocation["factor"].to_numpy()
    best = caused(np.ones(8))
    n_tried = 0
    for source in range(8):
        for target in range(8):
            moved = 0.01 * min(spend[source], spend[target])
            factor = np.ones(8)
            factor[source] -= moved / spend[source]
            factor[target] += moved / spend[target]
            held = at[source] < 0.51 or plan.x[target] * factor[target] > 2.0
            reasons = plan.allocation["reason"].iloc[[source, target]]
            if source == target or held or reasons.str.contains("beyond").any():
                continue
            n_tried += 1
            assert caused(factor) < best * (1.0 + 1e-6)
    assert n_tried > 4


def test_regions_of_a_group_share_a_draw_and_groups_change(market, model, limits):
    X = market.coming(4)
    policy = BudgetPolicy(
        model, explore="thompson", n_groups=2, random_state=0, **limits
    )
    plans = [policy.propose(X=X) for _ in range(4)]
    for plan in plans:
        by_group = plan.groups.groupby("group")["draw"]
        assert_array_equal(by_group.nunique(), 1)
        assert_array_equal(by_group.size(), 2)
        assert plan.groups["draw"].nunique() == 2
        assert plan.groups.index.to_list() == market.regions
        assert plan.success
    assert len({tuple(plan.groups["group"]) for plan in plans}) > 1
    assert len({plan.X[market.media[0]].sum() for plan in plans}) > 1
    again = BudgetPolicy(
        model, explore="thompson", n_groups=2, random_state=0, **limits
    ).propose(X=X)
    assert_frame_equal(again.X, plans[0].X)
    assert_frame_equal(again.groups, plans[0].groups)


def test_what_regions_do_depends_on_their_own_draw(market, model, limits):
    """Each region's effects are taken from the draw that `groups` names."""
    X = market.coming(4)
    policy = BudgetPolicy(model, **limits)
    results = policy._ask(X, None, None, **policy._limits)
    draws = np.array([0, 3, 5, 7])
    mixed = results.best_for(np.eye(8)[draws])
    planned = model.effects(mixed.X).counterfactual().effects("region", draws=True)
    returns = planned.mroi[draws, np.arange(4)]  # (R, M)
    inside = mixed.allocation["reason"].str.startswith("equal marginal return")
    inside = inside.to_numpy().reshape(2, 4).T
    assert inside.sum() > 1
    assert_allclose(returns[inside], returns[inside].mean(), rtol=0.02)


def evenly(market):
    """Coming rows in which every region has some spend on every channel."""
    X = market.coming(4)
    return X.assign(**{m: X[m] + 0.2 * X[m].mean() for m in market.media})


def shares(market, X):
    money = X.groupby("region")[market.media].sum()
    return money / money.to_numpy().sum()


@pytest.fixture
def static(market, model, limits):
    """A market, a policy and the shares that were spent in its first four weeks."""
    market, policy = copy(market), BudgetPolicy(model, explore="none", **limits)
    first = policy.propose(X=evenly(market)).X
    policy.update(*market.step(first))
    return market, policy, shares(market, first)


def test_the_static_plan_keeps_its_shares(static):
    market, policy, first = static
    X = evenly(market)
    X["media_1"] *= np.where(X["region"] == "region_2", 1.4, 0.9)
    for budget in (None, 1.1 * total(market, X)):
        plan = policy.propose(X=X, budget=budget)
        assert_allclose(shares(market, plan.X), first)
        assert total(market, plan.X) == pytest.approx(budget or total(market, X))
    fewer = X[X["region"] != "region_1"]
    rest = first.drop("region_1")
    assert_allclose(
        shares(market, policy.propose(X=fewer).X), rest / rest.to_numpy().sum()
    )


def test_the_static_plan_of_its_own_rows_is_these(static):
    """Of a year, the horizon repeats what was spent: that must not compound."""
    market, policy, first = static
    for _ in range(2):
        X = evenly(market)
        own = policy.propose(X=X).X
        again = policy.propose(X=own)
        assert_allclose(again.x, 1.0)
        assert_allclose(shares(market, again.X), first)
        policy.update(*market.step(own))


def test_other_questions_and_rounds_leave_the_static_plan(market, model, limits):
    market, policy = copy(market), BudgetPolicy(model, explore="none", **limits)
    X = evenly(market)
    before = policy.propose(X=X)
    policy.propose(X=X, budget=1.4 * total(market, X))
    policy.propose(X=X[X["region"] != "region_1"])
    policy.explore = "thompson"
    policy.propose(X=X)
    policy.explore = "none"
    assert_frame_equal(policy.propose(X=X).X, before.X)
    dark, kpi = copy(market).step(X.assign(**dict.fromkeys(market.media, 0.0)))
    assert copy(policy).update(dark, kpi)._first is None
    policy.update(*market.step(before.X))
    X = evenly(market)
    policy.explore = "greedy"
    policy.update(*market.step(policy.propose(X=X, budget=0.8 * total(market, X)).X))
    policy.explore = "none"
    plan = policy.propose(X=evenly(market))
    assert_allclose(shares(market, plan.X), shares(market, before.X))


def test_the_static_plan_refuses_cells_without_a_share_or_spend(market, model, limits):
    market, policy = copy(market), BudgetPolicy(model, explore="none", **limits)
    X = evenly(market)
    X.loc[X["region"] == "region_2", "media_1"] = 0.0
    policy.update(*market.step(policy.propose(X=X).X))
    X = evenly(market)
    keeps = "explore='none' keeps the shares of the first rows of update: on "
    with refuses_from(f"{keeps}'media_1' in region 'region_2' these spend nothing"):
        policy.propose(X=X)
    X.loc[X["region"] == "region_2", "media_1"] = 0.0
    plan = policy.propose(X=X)
    assert plan.X.loc[X["region"] == "region_2", "media_1"].sum() == 0.0
    row = plan.allocation.loc[("media_1", "region_2")]
    assert (row["factor"], row["reason"]) == (1.0, "no spend to scale")
    X.loc[X["region"] == "region_3", "media_2"] = 0.0
    with refuses_from(f"{keeps}'media_2' in region 'region_3' these spend something"):
        policy.propose(X=X)


def test_updates_are_those_of_partial_fit_and_leave_the_model(market, model, limits):
    market = copy(market)
    before = model.contributions()
    policy = BudgetPolicy(model, **limits)
    first = policy.propose(X=market.coming(4))
    X_new, y_new = market.step(first.X)
    assert policy.update(X_new, y_new) is policy
    assert_frame_equal(model.contributions(), before)
    refreshed = copy(model).partial_fit(X_new, y_new)
    assert_frame_equal(policy.model.contributions(), refreshed.contributions())
    assert first.model is not policy.model
    later = policy.propose(horizon=4)
    assert later.X["week"].min() == market.coming(1)["week"].iloc[0]
    review = first.review(X_new, y_new)
    assert review.actual == pytest.approx(y_new.sum())
    learned = policy.model
    with refuses_from("X has a row for"):
        policy.update(X_new, y_new)
    assert policy.model is learned


def test_plans_with_groups_are_stored(market, model, limits, tmp_path):
    plan = BudgetPolicy(model, explore="thompson", random_state=0, **limits).propose(
        X=market.coming(4)
    )
    plan.save(tmp_path / "wave.plan.skmmm")
    loaded = DeepCausalMMMRegressor.load_plan(tmp_path / "wave.plan.skmmm")
    assert_frame_equal(loaded.groups, plan.groups)


def test_a_series_is_one_group(series, arguments):
    arguments = arguments | {"graph": None, "region": None}
    X = series.X.drop(columns="region")
    model = DeepCausalMMMRegressor(**arguments).fit(X, series.y)
    bounds = dict.fromkeys(series.media, (0.5, 2.0))
    policy = BudgetPolicy(model, explore="thompson", bounds=bounds, random_state=0)
    plan = policy.propose(horizon=4)
    assert len(plan.groups) == 1
    policy = BudgetPolicy(model, explore="thompson", n_groups=2, bounds=bounds)
    with refuses_from("n_groups=2 groups need as many regions, and the rows to plan"):
        policy.propose(horizon=4)


# --- what it refuses ------------------------------------------------------------------


def test_arguments_that_make_no_sense(market, model):
    with refuses("explore='ucb' must be one of ['greedy', 'thompson', 'none']."):
        BudgetPolicy(model, explore="ucb")
    for n_groups in (0, 1.5, True, "two"):
        with refuses_from("n_groups must be None or an integer from 1"):
            BudgetPolicy(model, n_groups=n_groups)
    policy = BudgetPolicy(model)
    policy.explore = "ucb"
    with refuses_from("explore='ucb'"):
        policy.propose(horizon=4)
    policy.explore = "greedy"
    for given in ({}, {"horizon": 4, "X": market.coming(4)}):
        with refuses("Give either horizon, a number of coming periods, or X."):
            policy.propose(**given)
    with refuses_from("No plan: the budget asks for 1"):
        policy.propose(X=market.coming(4), budget=1e12)
    with refuses_from("bounds names 'radio'"):
        BudgetPolicy(model, bounds={"radio": (1, 2)}).propose(horizon=4)


def test_models_that_cannot_learn(market, model, arguments):
    X, y = market.history()
    with pytest.raises(NotFittedError):
        BudgetPolicy(DeepCausalMMMRegressor(**arguments))
    linear = make_linear_mmm(media=market.media, region="region", time="week")
    stepped = make_pipeline(FunctionTransformer(), model)
    for other in (linear.fit(X, y), stepped):
        with pytest.raises(TypeError, match="needs a DeepCausalMMMRegressor without"):
            BudgetPolicy(other)
    with pytest.raises(TypeError, match="GroupedRegressor has no partial_fit"):
        BudgetPolicy(GroupedRegressor(model, by="region"))
    without = copy(model)
    without._model = type(model._model)(**vars(model._model) | {"draws": None})
    with refuses_from("explore='thompson' plans under posterior draws, and the model"):
        BudgetPolicy(without, explore="thompson").propose(horizon=4)
