"""Plans that aim at returns, mind risk, or go by period."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from known_curves import MEDIA, WIDE, Known, best_by_roots, steady
from skmmm._planning.problem import read_risk
from skmmm.allocation import optimize_budget

pytestmark = pytest.mark.usefixtures("short_chains")


# --- targets -------------------------------------------------------------------------


def test_target_roi_is_what_all_spend_returns(X):
    _, earned, spent = best_by_roots(X, 1.0)
    today = earned.sum() / spent.sum()
    target = 0.9 * today
    arguments = {"X": X, "bounds": WIDE, "allow_extrapolation": True}
    plan = optimize_budget(Known().fit(), target_roi=target, **arguments)
    assert plan.success
    assert plan.outcome / plan.allocation["spend"].sum() == pytest.approx(
        target, rel=1e-4
    )
    # Of plans with that spend it is the best.
    budget = plan.allocation["spend"].sum()
    same = optimize_budget(Known().fit(), budget, **arguments)
    assert plan.outcome == pytest.approx(same.outcome, rel=1e-4)
    assert budget > spent.sum()
    # A budget is a limit then, not to be spent.
    limited = optimize_budget(
        Known().fit(), 0.9 * budget, target_roi=target, **arguments
    )
    assert limited.allocation["spend"].sum() == pytest.approx(0.9 * budget, rel=1e-5)
    assert limited.outcome / (0.9 * budget) > target


def test_target_mroi_is_what_the_last_unit_returns(X):
    _, earned, spent = best_by_roots(X, 1.0)
    target = 0.45 * earned.sum() / spent.sum()
    multiples = (earned / (2.0 * spent * target)) ** 2
    bounds = {"tv": (0.2, 6.0), "search": (0.2, 6.0), "radio": (0.5, 0.6)}
    limits = np.array([bounds[m][1] for m in MEDIA])
    least = np.array([bounds[m][0] for m in MEDIA])
    plan = optimize_budget(
        Known().fit(), X=X, target_mroi=target, bounds=bounds, allow_extrapolation=True
    )
    assert_allclose(plan.x, np.clip(multiples, least, limits), rtol=5e-3)
    free = (plan.x > least + 0.01) & (plan.x < limits - 0.01)
    assert free.sum() == 2
    assert_allclose(plan.allocation["mroi"][free], target, rtol=0.01)
    assert plan.success


def test_target_that_no_plan_reaches(X):
    plan = optimize_budget(Known().fit(), X=X, target_roi=1e6)
    assert not plan.success
    assert plan.message.startswith("No plan:")
    assert "target_roi" in plan.message
    assert_allclose(plan.x, 1.0)
    assert set(plan.allocation["reason"]) == {"as today"}
    plan = optimize_budget(Known().fit(), X=X, target_mroi=1e6)
    assert not plan.success
    assert plan.message.startswith("The target is not reached")


# --- risk ----------------------------------------------------------------------------


@pytest.mark.parametrize("risk", [None, ("cvar", 0.3), ("cvar", 1.0), ("sd", 1.5)])
def test_weights_are_the_gradient_of_what_is_maximised(risk):
    weigh, worth = read_risk(risk)
    outcome = np.random.default_rng(0).normal(10.0, 3.0, 17)
    assert_allclose(weigh(outcome), approx_fprime(outcome, worth, 1e-6), atol=1e-6)


def test_worth_by_hand():
    outcome = np.array([4.0, 1.0, 3.0, 2.0])
    assert read_risk(("cvar", 0.5))[1](outcome) == pytest.approx(1.5)
    assert read_risk(("cvar", 0.375))[1](outcome) == pytest.approx(
        (1.0 + 0.5 * 2) / 1.5
    )
    assert read_risk(("sd", 2.0))[1](outcome) == pytest.approx(
        2.5 - 2.0 * np.sqrt(1.25)
    )


# --- periods -------------------------------------------------------------------------


def test_bursts_pass_a_threshold_that_even_spend_does_not():
    def s_shaped(x, channel):
        power = (x / 2.0) ** 4
        return 100.0 * power / (1.0 + power)

    X = steady(tv=1.0).assign(week=pd.date_range("2024-01-01", periods=12, freq="7D"))
    plan = optimize_budget(
        Known(s_shaped, media=["tv"], time="week").fit(),
        X=X,
        by="period",
        bounds=(0.0, 4.0),
        allow_extrapolation=True,
    )
    assert plan.allocation.index.names == ["channel", "period"]
    assert plan.allocation["spend"].sum() == pytest.approx(12.0, rel=1e-3)
    assert plan.current_outcome == pytest.approx(12 * s_shaped(1.0, "tv"))
    # The best is to spend where the average return is highest.
    spend = np.linspace(0.1, 4.0, 1000)
    bound = 12.0 * (s_shaped(spend, "tv") / spend).max()
    assert 0.95 * bound < plan.outcome <= bound * (1 + 1e-6)
    predicted = Known(s_shaped, media=["tv"]).fit().predict(plan.X)
    assert predicted.sum() - 12_000.0 == pytest.approx(plan.outcome)


def test_gradient_by_period(fitted):
    what_if = fitted._counterfactual()
    _, names = what_if.groups("period")
    rng = np.random.default_rng(0)
    plan = rng.uniform(0.5, 2.0, (3, len(names)))
    for draws in (False, True):
        asked = what_if.flights(draws=draws)
        n_draws = len(asked(plan, np.ones_like)[0])
        weight = rng.uniform(0.0, 1.0, n_draws)
        _, gradient = asked(plan, lambda outcome, weight=weight: weight)
        for cell in [(0, 0), (1, 30), (2, len(names) - 1), (0, 57)]:
            more, less = plan.copy(), plan.copy()
            more[cell] += 1e-4
            less[cell] -= 1e-4
            slope = (asked(more, np.ones_like)[0] - asked(less, np.ones_like)[0]) / 2e-4
            assert gradient[cell] == pytest.approx(slope @ weight, rel=1e-5)


def test_periods_of_the_regressor(panel, fitted):
    last = panel.X[panel.X["week"] > np.sort(panel.X["week"].unique())[-9]]
    plan = fitted.optimize_budget(X=last, by="period")
    assert plan.success, plan.message
    budget = last[panel.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-3)
    assert plan.outcome > plan.current_outcome
    assert plan.probability_better > 0.5
    assert plan.allocation["contribution"].sum() == pytest.approx(plan.outcome)
    assert (plan.x >= 0.5).all()
    assert (plan.x <= 2.0).all()
