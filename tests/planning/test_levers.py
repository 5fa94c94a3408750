"""Controls that plans decide: the best level, its money, and what is refused."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from helpers import refuses_from as refuses
from skmmm import DeepCausalMMMRegressor, GroupedRegressor, plotting
from skmmm._estimator.counterfactual import ModelCounterfactual
from skmmm.allocation import Lever, budget_path, optimize_budget
from skmmm.allocation._levers import _check_sign
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import control_summary
from skmmm.inspection._protocol import Counterfactual
from skmmm.scenarios import compare_scenarios

WIDE = (11.5, 14.5)  # of the price, which is 13.2 on average


def lever(model, times, ends=WIDE):
    """A price whose last unit of money earns so many times what media do."""
    plan = model.optimize_budget()
    mroi = plan.allocation["mroi"].median()
    return Lever(*ends, model.control_summary()["effect"]["price"] / mroi / times)


def brought(model, X, now, controls=("price", "holiday")):
    """What controls of rows contribute beyond those of others."""
    then, before = (model.contributions(one)[list(controls)] for one in (X, now))
    return (then - before).sum()


# --- the best plan -------------------------------------------------------------------


@pytest.mark.parametrize("times", [0.97, 1.03])
def test_no_level_on_a_grid_is_better(fitted, panel, times):
    price = lever(fitted, times)
    plan = fitted.optimize_budget(levers={"price": price})
    assert plan.success, plan.message
    row = plan.levers.loc["price"]
    assert row["reason"] == "equal marginal return"
    budget = panel.X[panel.media].to_numpy().sum()
    best = []
    for level in row["level"] + np.linspace(-0.15, 0.15, 7):
        more = level - row["current"]
        rest = fitted.optimize_budget(budget - len(panel.X) * price.cost * more)
        factor = level / row["current"]
        X = panel.X.assign(price=factor * panel.X["price"])
        best.append(rest.outcome + brought(fitted, X, panel.X)["price"])
    assert plan.outcome >= max(best) - 1e-7 * plan.outcome
    assert plan.outcome > best[0]
    assert plan.outcome > best[-1]


def test_an_inner_lever_earns_what_the_last_unit_of_media_does(fitted):
    plan = fitted.optimize_budget(levers={"price": lever(fitted, 1.02)})
    assert_allclose(
        plan.allocation["mroi"], plan.levers["kpi_per_money"]["price"], 0.01
    )


@pytest.mark.parametrize("held", ["bounds", "constraint"])
def test_a_lever_that_takes_what_is_left(fitted, panel, held):
    """Where no channel can give or take money, nothing says that returns are equal."""
    now = panel.X[panel.media].sum()
    bounds, constraints = (0.9, 1.0), None
    left = 180 * 0.5 * 1000.0
    if held == "bounds":
        total = now.sum()
    else:
        total, bounds = 0.95 * now.sum(), dict.fromkeys(panel.media, (0.5, 1.5))
        constraints = [(panel.media, total, total)]
    price = Lever(12.5, 14.0, 1000.0)  # dear, and harmful: only to spend the budget
    at_low = 180 * 1000.0 * (12.5 - panel.X["price"].mean())
    plan = fitted.optimize_budget(
        total + at_low + left,
        levers={"price": price},
        bounds=bounds,
        constraints=constraints,
    )
    assert plan.success, plan.message
    row = plan.levers.loc["price"]
    assert row["level"] == pytest.approx(13.0)
    assert row["reason"] == "budget spent"
    assert not plan.allocation["reason"].str.startswith("equal marginal").any()


def test_money_and_outcome_add_up(knowing, panel):
    levers = {"price": lever(knowing, 1.05), "holiday": Lever(0, 1, 2000)}
    budget = 1.05 * panel.X[panel.media].to_numpy().sum()
    plan = knowing.optimize_budget(budget, levers=levers)
    table = plan.levers
    spent = plan.allocation["spend"].sum() + table["cost"].sum()
    assert spent == pytest.approx(budget, rel=1e-9)
    for name, own in levers.items():
        moved = (plan.X[name] - panel.X[name]).sum()
        assert table["cost"][name] == pytest.approx(own.cost * moved, abs=1e-6)
        assert table["level"][name] == pytest.approx(plan.X[name].mean())
        assert table["current"][name] == pytest.approx(panel.X[name].mean())
    assert_allclose(table["contribution"], brought(knowing, plan.X, panel.X), atol=1e-3)
    in_all = plan.allocation["contribution"].sum() + table["contribution"].sum()
    assert plan.outcome == pytest.approx(in_all)
    assert (table["contribution_low"] <= table["contribution"]).all()
    assert (table["contribution"] <= table["contribution_high"]).all()
    assert plan.outcome_low <= plan.outcome <= plan.outcome_high
    assert "media and levers together cause" in plan.message
    assert "Levers: price from 13.2 to " in plan.message
    money = plan.allocation["spend"].sum() / (budget / 1.05) - 1.0
    taken = f"{abs(money):.1%} {'more' if money > 0 else 'less'} than"
    assert f", on 5.0% more money (media take {taken} today);" in plan.message


@pytest.mark.parametrize("cost", [-2000.0, 0.0, 2000.0])
def test_messages_say_what_media_take_beside_levers(fitted, panel, cost):
    given = {"price": Lever(12.9, 12.9, cost)}
    plan = fitted.optimize_budget(levers=given)
    spent = plan.allocation["spend"].sum() / panel.X[panel.media].to_numpy().sum()
    if cost == 0.0:
        assert ", on the same spend" in plan.message
        return
    assert (spent > 1.0) == (cost > 0)  # a lower level frees what it cost
    taken = f"{abs(spent - 1.0):.1%} {'more' if spent > 1.0 else 'less'} than today"
    assert f", on the same money (media take {taken})" in plan.message


def test_media_are_planned_as_for_the_rest_of_the_budget(fitted, panel):
    plan = fitted.optimize_budget(levers={"price": lever(fitted, 3.0, (12.8, 14.0))})
    rest = panel.X[panel.media].to_numpy().sum() - plan.levers["cost"].sum()
    alone = fitted.optimize_budget(rest)
    columns = ["spend", "contribution", "factor", "reason"]
    same = alone.allocation[columns]
    pd.testing.assert_frame_equal(plan.allocation[columns], same, rtol=1e-9)


@pytest.mark.parametrize(
    ("times", "level", "reason"),
    [(3.0, 12.9, "at lower bound"), (0.3, 13.5, "at upper bound")],
)
def test_a_lever_that_earns_more_or_less_goes_to_its_end(fitted, times, level, reason):
    plan = fitted.optimize_budget(levers={"price": lever(fitted, times, (12.9, 13.5))})
    assert plan.levers["level"]["price"] == pytest.approx(level)
    assert plan.levers["reason"]["price"] == reason
    assert plan.outcome > fitted.optimize_budget().outcome


@pytest.mark.parametrize("cost", [0.0, 500.0])
def test_a_lever_that_costs_nothing_goes_to_its_best_end(fitted, cost):
    """A lower price sells more; at a cost above zero it frees money as well."""
    plan = fitted.optimize_budget(levers={"price": Lever(13.0, 14.0, cost)})
    row = plan.levers.loc["price"]
    assert row["level"] == pytest.approx(13.0)
    assert row["cost"] == pytest.approx(180 * cost * (13.0 - row["current"]))
    assert np.isnan(row["kpi_per_money"]) if cost == 0.0 else row["kpi_per_money"] < 0


def test_constraints_and_fixed_channels_hold_beside_levers(fitted, panel):
    now = panel.X[panel.media].sum()
    plan = fitted.optimize_budget(
        levers={"price": lever(fitted, 3.0)},
        fixed=["media_1"],
        constraints=[
            (["media_2", "media_3"], 0.95 * now[["media_2", "media_3"]].sum(), None)
        ],
    )
    spend = plan.allocation["spend"]
    assert spend["media_1"] == pytest.approx(now["media_1"])
    pair = spend[["media_2", "media_3"]].sum()
    assert pair == pytest.approx(0.95 * now[["media_2", "media_3"]].sum())
    assert plan.levers["cost"].sum() == pytest.approx(now.sum() - spend.sum())


def test_a_level_can_be_set(fitted, panel):
    plan = fitted.optimize_budget(levers={"price": Lever(13, 13, -5000)})
    row = plan.levers.loc["price"]
    assert row["level"] == pytest.approx(13.0)
    assert row["reason"] == "fixed"
    assert row["cost"] == pytest.approx(180 * 5000 * (row["current"] - 13.0))
    spent = plan.allocation["spend"].sum() + row["cost"]
    assert spent == pytest.approx(panel.X[panel.media].to_numpy().sum())
    assert len(plan.worth_testing()) == 3


def test_coming_periods(fitted):
    price = lever(fitted, 3.0, (12.5, 14.0))
    plan = fitted.optimize_budget(horizon=6, levers={"price": price})
    same = fitted.optimize_budget(X=fitted._coming_periods(6), levers={"price": price})
    pd.testing.assert_frame_equal(plan.levers, same.levers)
    assert len(plan.X) == 18
    later = fitted._coming_periods(6)
    assert_allclose(plan.X["price"] / later["price"], plan.levers["change"].iloc[0] + 1)


def test_nothing_to_gain_leaves_levers_as_they_are(fitted):
    levers = {"price": lever(fitted, 3.0)}
    plan = fitted.optimize_budget(levers=levers, fixed=fitted.media_)
    assert plan.success
    assert plan.levers["reason"].tolist() == ["as today"]
    assert plan.levers[["change", "cost", "contribution"]].eq(0.0).all(axis=None)
    assert plan.message.endswith("Levers stay as they are.")
    assert plan.outcome == plan.current_outcome


def test_without_levers_there_is_no_table(fitted):
    plan = fitted.optimize_budget()
    assert "levers" not in plan
    assert plan.settings["levers"] is None


def test_no_plan_can_spend_so_much(fitted):
    plan = fitted.optimize_budget(1e9, levers={"price": Lever(13.0, 14.0, -100.0)})
    assert not plan.success
    assert plan.message.startswith("No plan: the budget is 1,000,000,000, but within")
    assert plan.levers["reason"].tolist() == ["as today"]


# --- what was observed ---------------------------------------------------------------


def test_levels_end_with_data(fitted, panel):
    price = lever(fitted, 3.0, (1.0, 14.0))
    plan = fitted.optimize_budget(levers={"price": price})
    row = plan.levers.loc["price"]
    assert row["reason"] == "where observed values end"
    assert panel.X["price"].min() < row["level"] < panel.X["price"].quantile(0.1)
    further = fitted.optimize_budget(
        levers={"price": replace(price, low=10.5)}, allow_extrapolation=True
    )
    assert further.levers["level"]["price"] == pytest.approx(10.5)
    with refuses("levers of 'price' ask for 2 to 3, but data reach from 11."):
        fitted.optimize_budget(levers={"price": Lever(2.0, 3.0, -1.0)})


def test_as_many_events_as_there_were(knowing, panel):
    """Rows with an event have one, in training as well: more is beyond data."""
    plan = knowing.optimize_budget(levers={"holiday": Lever(0, 1, 1)})
    row = plan.levers.loc["holiday"]
    assert row["level"] == pytest.approx(panel.X["holiday"].mean())
    assert row["reason"] == "where observed values end"
    dear = knowing.optimize_budget(levers={"holiday": Lever(0, 1, 1e5)})
    assert dear.levers["level"]["holiday"] == 0.0


def test_a_level_keeps_the_sign_of_the_values(knowing, panel):
    def ask(sign, *ends):
        return knowing.optimize_budget(
            X=panel.X.assign(holiday=sign * panel.X["holiday"]),
            levers={"holiday": Lever(*ends, 1.0)},
            allow_extrapolation=True,
        )

    assert ask(1.0, 0.0, 0.1).levers["level"]["holiday"] >= 0.0
    with refuses(
        "levers of 'holiday' ask for -1 to 0.1, but its values are above zero, and "
        "scaling them must not change their sign. Give low >= 0."
    ):
        ask(1.0, -1.0, 0.1)
    # Within data the end is that of data, whatever is asked for.
    plan = knowing.optimize_budget(levers={"holiday": Lever(-1.0, 0.0, 1e5)})
    assert plan.levers["level"]["holiday"] == 0.0
    below = SimpleNamespace(labels=["discount"], values=np.array([[-2.0], [0.0]]))
    _check_sign(below, 0, np.array([-3.0, 0.0]))
    with refuses("levers of 'discount' ask for -3 to 1, but its values are below"):
        _check_sign(below, 0, np.array([-3.0, 1.0]))


# --- what is refused -----------------------------------------------------------------


def test_a_lever_is_checked():
    with refuses("cost of a Lever must be a finite number, got inf."):
        Lever(0.0, 1.0, np.inf)
    with refuses("low of a Lever must be a finite number, got '0'."):
        Lever("0", 1.0, 1.0)
    with refuses("A Lever must hold low <= high, got 2.0 and 1.0."):
        Lever(2.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("levers", "message"),
    [
        ({}, "levers must map controls to Lever(low, high, cost), got {}."),
        ([Lever(0, 1, 1)], "levers must map controls to Lever(low, high, cost), got ["),
        ({"price": (0, 1, 1)}, "levers of 'price' must be a skmmm.allocation.Lever("),
        ({"media_1": Lever(0, 1, 1)}, "levers name 'media_1', which is no control."),
        ({"prize": Lever(0, 1, 1)}, "levers='prize' is not a column of X."),
    ],
)
def test_other_levers_are_refused(fitted, levers, message):
    with refuses(message):
        fitted.optimize_budget(levers=levers)


@pytest.mark.parametrize(
    "asked",
    [
        {"by": "region"},
        {"effect": "total"},
        {"risk": ("cvar", 0.5)},
        {"target_roi": 2.0},
        {"target_mroi": 2.0},
    ],
)
def test_questions_that_do_not_go_with_levers(fitted, asked):
    (name,) = asked
    with refuses(f"levers are for plans with {name}="):
        fitted.optimize_budget(levers={"price": Lever(*WIDE, -1.0)}, **asked)


def test_a_control_is_named_by_position_and_once(fitted, panel):
    position = list(panel.X).index("price")
    found, same = (
        fitted.optimize_budget(levers={key: Lever(*WIDE, -1000.0)}).levers
        for key in ("price", position)
    )
    pd.testing.assert_frame_equal(found, same)
    with refuses(f"levers of {position} are given twice. Leave one out."):
        one = Lever(*WIDE, -1.0)
        fitted.optimize_budget(levers={"price": one, position: one})


def test_what_the_data_do_not_tell_is_no_lever(fitted, monkeypatch):
    said = ModelCounterfactual.control_effects
    untold = np.array(["not identified"] * 2)
    monkeypatch.setattr(
        ModelCounterfactual,
        "control_effects",
        lambda table: replace(said(table), verdict=untold),
    )
    row = control_summary(fitted).loc["price"]
    with refuses(
        "levers name 'price', but the data do not tell what it does: one more unit "
        f"changes the KPI of a row by {row['effect_low']:.4g} to "
        f"{row['effect_high']:.4g} (90 % interval; not identified, see control_"
    ):
        fitted.optimize_budget(levers={"price": Lever(*WIDE, -1.0)})


def test_few_draws_and_other_estimators(panel, fast):
    with pytest.warns(ConvergenceWarning):
        model = DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    with refuses("levers name 'price', but whether data tell what it does takes at l"):
        model.optimize_budget(levers={"price": Lever(*WIDE, -1.0)})
    keys = {"media": panel.media, "region": "region", "time": "week"}
    linear = make_linear_mmm(**keys).fit(panel.X, panel.y)
    with refuses("What controls do is said by a DeepCausalMMMRegressor"):
        optimize_budget(linear, X=panel.X, levers={"price": Lever(*WIDE, -1.0)})
    assert Counterfactual.control_effects(None) is None


def test_values_that_cannot_be_scaled(fitted, panel):
    for values, why in (
        (0.0, "is zero in all rows of X"),
        (
            panel.X["price"] - 13.2,
            "has values of both signs in X and the training rows",
        ),
    ):
        with refuses(
            f"levers scale the values of a control in the rows of X, but 'price' {why}"
        ):
            fitted.optimize_budget(
                X=panel.X.assign(price=values), levers={"price": Lever(*WIDE, -1.0)}
            )


def test_groups_say_where_levers_are_planned(panel):
    keys = {"media": panel.media, "time": "week"}
    model = GroupedRegressor(make_linear_mmm(**keys), by="region")
    model.fit(panel.X, panel.y)
    levers = {"price": Lever(*WIDE, -1.0)}
    for ask in (model.optimize_budget, partial(optimize_budget, model)):
        with refuses("levers are for the plan of one model, and these are groups"):
            ask(X=panel.X, levers=levers)


# --- several budgets, scenarios, pictures ---------------------------------------------


def test_a_path_has_the_plan_of_each_budget(fitted, panel):
    levers = {"price": lever(fitted, 1.02)}
    now = panel.X[panel.media].to_numpy().sum()
    path = budget_path(fitted, [0.9 * now, now, 1.2 * now], levers=levers)
    for budget, plan in zip(path.table["budget"], path.plans, strict=True):
        alone = fitted.optimize_budget(budget, levers=levers)
        assert plan.outcome == alone.outcome
        pd.testing.assert_frame_equal(plan.levers, alone.levers)
    assert (path.table["outcome"] > path.table["as_today"]).all()
    with refuses("levers are for plans with risk="):
        budget_path(fitted, levers=levers, risk=("cvar", 0.5))


def test_a_path_goes_as_far_as_media_and_levers_can(fitted, panel):
    now = panel.X[panel.media].to_numpy().sum()
    dear = Lever(13.0, 14.0, 0.1 * now / len(panel.X))
    level = panel.X["price"].mean()
    bounds = dict.fromkeys(panel.media, (0.9, 1.1))
    budgets = budget_path(fitted, levers={"price": dear}, bounds=bounds).table["budget"]
    ends = [0.9 + 0.1 * (13.0 - level), 1.1 + 0.1 * (14.0 - level)]
    assert_allclose(budgets.iloc[[0, -1]] / now, ends)


def test_scenarios_count_the_money_of_levers(knowing, panel):
    levers = {"price": Lever(12.5, 14.0, -500.0), "holiday": Lever(0, 1, 2000.0)}
    plan = knowing.optimize_budget(levers=levers)
    scenarios = {"today": panel.X, "plan": plan.X.sample(frac=1.0, random_state=0)}
    table = compare_scenarios(knowing, scenarios, levers=levers)
    own = knowing.compare_scenarios(scenarios, levers=levers)
    pd.testing.assert_frame_equal(own, table)
    assert table["spend"]["today"] == pytest.approx(panel.X[panel.media].sum().sum())
    assert table["difference_spend"]["plan"] == 0.0  # the budget is that of today
    media = compare_scenarios(knowing, scenarios)["difference_spend"]["plan"]
    assert media == pytest.approx(-plan.levers["cost"].sum())
    back = compare_scenarios(knowing, scenarios, levers=levers, baseline="plan")
    more = knowing.optimize_budget(
        1e5 + panel.X[panel.media].sum().sum(), levers=levers
    )
    told = compare_scenarios(knowing, {"a": panel.X, "b": more.X}, levers=levers)
    assert told["difference_spend"]["b"] == pytest.approx(1e5)
    assert back["difference_spend"]["today"] == 0.0


def test_levers_of_scenarios_are_checked(fitted, panel):
    def ask(levers, **tables):
        return fitted.compare_scenarios({"now": panel.X} | tables, levers=levers)

    one = Lever(0.0, 1.0, 1.0)
    with refuses("levers must map controls to Lever(low, high, cost), got {}."):
        ask({})
    with refuses("levers name 'media_1', which is no control"):
        ask({"media_1": one})
    with refuses("levers='prize' is not a column of X."):
        ask({"prize": one})
    position = list(panel.X).index("price")
    with refuses(f"levers of {position} are given twice. Leave one out."):
        ask({"price": one, position: one})


def test_levers_of_scenarios_are_controls_of_the_model(fast, panel):
    tables = {"now": panel.X.assign(people=1e5), "later": panel.X.assign(people=2e5)}
    asked = {"population": "people", "n_draws": 0}
    model = DeepCausalMMMRegressor(**fast | asked).fit(tables["now"], panel.y)
    with refuses(
        "levers name 'people', which is no control. Controls: ['price', 'holiday']."
    ):
        model.compare_scenarios(tables, levers={"people": Lever(0.0, 1.0, 1.0)})


def test_pictures_show_the_money_of_levers(fitted, panel, pyplot):
    price = lever(fitted, 3.0, (12.9, 13.5))
    plan = fitted.optimize_budget(levers={"price": price})
    display = plotting.BudgetPlanDisplay.from_plan(plan)
    assert display.planned_.get_xdata()[0] == plan.levers["cost"]["price"]
    assert display.today_.get_xdata()[0] == 0.0
    assert display.texts_[0].get_text() == "13.2 to 12.9, at lower bound"
    assert len(display.texts_) == 4
    free = fitted.optimize_budget(levers={"price": replace(price, cost=500.0)})
    assert free.levers["cost"]["price"] < 0
    display = plotting.BudgetPlanDisplay.from_plan(free)
    assert display.ax_.get_xlim()[0] < free.levers["cost"]["price"]
    asked = {"levers": {"price": price}}
    display = plotting.BudgetPathDisplay.from_estimator(fitted, [5e6], **asked)
    assert "levers" in display.path.plans[0]
    tables = {"today": panel.X, "plan": plan.X}
    display = plotting.ScenariosDisplay.from_estimator(fitted, tables, **asked)
    assert display.texts_[0].get_text().startswith("same spend")


# --- records -------------------------------------------------------------------------


def test_a_plan_with_levers_is_a_record(fitted, panel, tmp_path):
    plan = fitted.optimize_budget(levers={"price": lever(fitted, 3.0, (12.5, 14.0))})
    plan.save(tmp_path / "a.plan.skmmm")
    loaded = DeepCausalMMMRegressor.load_plan(tmp_path / "a.plan.skmmm")
    pd.testing.assert_frame_equal(loaded.levers, plan.levers)
    assert loaded.settings == plan.settings
    assert Lever(**loaded.settings["levers"]["price"]).low == 12.5
    as_planned = loaded.review(plan.X, fitted.predict(plan.X))
    assert as_planned.actual == pytest.approx(as_planned.expected)
    as_before = loaded.review(
        plan.X.assign(price=panel.X["price"]), fitted.predict(panel.X)
    )
    missed = as_before.summary["kpi"]["controls", "price"]
    assert missed == pytest.approx(-plan.levers["contribution"]["price"])


def test_message_names_rows_beyond_all_that_was_seen(fitted, panel):
    plan = fitted.optimize_budget(levers={"price": lever(fitted, 0.3, (9.0, 13.5))})
    highest, seen = (one["price"].max() for one in (plan.X, panel.X))
    assert highest > seen
    assert "Single rows then have more than any row had: " in plan.message
    assert f" {highest:.4g} (seen: {seen:.4g})." in plan.message
    lower = fitted.optimize_budget(levers={"price": lever(fitted, 3.0, (9.0, 13.5))})
    assert lower.X["price"].max() < seen
    assert "Single rows" not in lower.message
