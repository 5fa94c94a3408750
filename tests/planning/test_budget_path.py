"""Plans for several budgets are the plans of each, and never worse than scaling."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmmm.allocation import budget_path, optimize_budget
from skmmm.baselines import make_linear_mmm


@pytest.fixture(scope="module")
def linear(panel):
    model = make_linear_mmm(
        media=panel.media, controls=panel.controls, region="region", time="week"
    )
    return model.fit(panel.X, panel.y)


@pytest.fixture(scope="module")
def path(linear, panel):
    return budget_path(linear, X=panel.X)


def test_one_row_per_budget_in_rising_order(path):
    budgets = path.table["budget"].to_numpy()
    assert len(path.plans) == len(budgets) == 11
    assert (np.diff(budgets) > 0).all()
    assert budgets[0] < path.current_budget < budgets[-1]
    for budget, plan in zip(budgets, path.plans, strict=True):
        assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-3)


def test_no_budget_does_better_than_a_larger_one(path):
    assert (np.diff(path.table["outcome"]) > 0).all()
    assert (path.table["outcome"] >= path.table["as_today"] * (1 - 1e-9)).all()


def test_slopes_are_marginal_returns(path):
    table = path.table
    gained = (table["mroi"] * table["budget"].diff().shift(-1)).iloc[:-1]
    assert_allclose(gained, table["outcome"].diff().iloc[1:])


def test_each_is_the_plan_of_its_budget(fitted):
    today = fitted.channel_summary()["spend"].sum()
    found = budget_path(fitted, [0.8 * today, today])
    for budget, plan in zip(found.table["budget"], found.plans, strict=True):
        alone = optimize_budget(fitted, budget)
        assert_allclose(plan.x, alone.x)
        assert plan.outcome == alone.outcome
        assert plan.outcome_low == alone.outcome_low
    assert found.current_outcome == alone.current_outcome


def test_scaling_alike_is_what_it_says(linear, panel, path):
    budget = path.table["budget"].iloc[-1]
    scaled = panel.X.copy()
    scaled[panel.media] *= budget / path.current_budget
    empty = panel.X.assign(**dict.fromkeys(panel.media, 0.0))
    caused = (linear.predict(scaled) - linear.predict(empty)).sum()
    assert path.table["as_today"].iloc[-1] == pytest.approx(caused)


def test_a_budget_out_of_reach_has_no_outcome(linear, panel, path):
    found = budget_path(
        linear, [path.current_budget, 9 * path.current_budget], X=panel.X
    )
    assert found.table["outcome"].notna().tolist() == [True, False]
    assert "the bounds allow at most" in found.plans[1].message


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan, np.inf])
def test_budgets_must_be_positive_numbers(linear, panel, budget):
    with pytest.raises(ValueError, match="budgets must be positive numbers, got"):
        budget_path(linear, [budget], X=panel.X)
