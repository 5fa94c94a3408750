"""Budgets that learn: plan, spend, take in what came of it, and plan again."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmmm._unwrapping import unwrap
from skmmm._utils.labels import shown
from skmmm._utils.typing import Seed, Table
from skmmm.allocation._plan import BudgetPlan
from skmmm.allocation._question import (
    DEFAULT_BOUNDS,
    Bounds,
    Constraints,
    Fixed,
    MoneyBounds,
    read_question,
)
from skmmm.allocation._results import PlanResults
from skmmm.allocation._words import infeasible

Explore: TypeAlias = Literal["thompson", "greedy", "none"]


class BudgetPolicy:
    """TODO."""

    def __init__(
        self,
        model: Any,
        *,
        explore: Explore = "thompson",
        n_groups: int | None = None,
        bounds: Bounds = DEFAULT_BOUNDS,
        money_bounds: MoneyBounds = None,
        fixed: Fixed = None,
        constraints: Constraints = None,
        allow_extrapolation: bool = False,
        random_state: Seed = None,
    ):
        if explore not in get_args(Explore):
            raise ValueError(
                f"explore={shown(explore)} must be one of {list(get_args(Explore))}."
            )
        _check_n_groups(n_groups)
        self.model, self.explore, self.n_groups = _copy_of(model), explore, n_groups
        limits = {
            "bounds": bounds,
            "money_bounds": money_bounds,
            "fixed": fixed,
            "constraints": constraints,
            "allow_extrapolation": allow_extrapolation,
        }
        self._limits = copy.deepcopy(limits)  # lists of the user may change
        self._rng = check_random_state(random_state)
        self._first: pd.Series | None = None  # multiples of the first plan

    def propose(
        self,
        horizon: int | None = None,
        budget: float | None = None,
        *,
        X: Table | None = None,
    ) -> BudgetPlan:
        """TODO."""
        if (X is None) == (horizon is None):
            raise ValueError("Give horizon, a number of coming periods, or X.")
        results = self._ask(X, horizon, budget)
        reason = infeasible(results.problem, responds=False)
        if reason is not None:
            raise ValueError(reason)
        if self.explore == "thompson":
            plan = self._draw(results)
        elif self.explore == "greedy" or self._first is None:
            plan = results.best()
        else:
            plan = results.chosen(self._as_first(results), 0, "as in the first plan")
        if not plan.success:
            raise ValueError(plan.message)
        if self._first is None:
            self._first = plan.allocation["factor"]
        return plan

    def update(self, X_new: Table, y_new: npt.ArrayLike) -> Self:
        """TODO."""
        model = copy.copy(self.model)  # plans remember who made them
        self.model = model.partial_fit(X_new, y_new)
        return self

    def _ask(self, X: Table | None, horizon: int | None, budget: float | None) -> Any:
        """Return the `PlanResults` of a plan by region for the coming rows."""
        return read_question(
            self.model,
            X,
            horizon,
            by="region",
            risk=None,
            effect="direct",
            confidence_level=0.9,
            media=None,
            region=None,
            time=None,
            media_cost=None,
            budget=budget,
            target_roi=None,
            target_mroi=None,
            **self._limits,
        )

    def _draw(self, results: PlanResults) -> BudgetPlan:
        """Return the plan in which every group of regions believes a draw."""
        groups = self._shuffle(results)
        plan = results.best_for(np.eye(results.n_draws)[groups["draw"]])
        plan["groups"] = groups
        return plan

    def _shuffle(self, results: PlanResults) -> pd.DataFrame:
        """Return group and draw of each region, at random."""
        n_draws, regions = results.n_draws, results.problem.groups
        if not n_draws:
            raise ValueError(
                "explore='thompson' plans under posterior draws, and the model has "
                "none. Fit it with n_draws=64, or use explore='greedy'."
            )
        n_groups = len(regions) if self.n_groups is None else self.n_groups
        if n_groups > len(regions):
            raise ValueError(
                f"n_groups={n_groups} groups need as many regions, and the rows to "
                f"plan have {len(regions)}. Lower n_groups, or name the region column "
                "when fitting the model."
            )
        group = np.empty(len(regions), dtype=np.int64)
        order = self._rng.permutation(len(regions))
        for number, members in enumerate(np.array_split(order, n_groups)):
            group[members] = number
        draws = self._rng.choice(n_draws, n_groups, replace=n_groups > n_draws)
        index = pd.Index(regions, name="region")
        return pd.DataFrame({"group": group, "draw": draws[group]}, index=index)

    def _as_first(self, results: PlanResults) -> np.ndarray:
        """Return the multiples of the first plan, scaled alike to cost the budget."""
        problem = results.problem
        cells = results.counterfactual.cells_index("region")
        assert self._first is not None
        plan = self._first.reindex(cells).to_numpy()
        if np.isnan(plan).any():
            channel, region = cells[np.isnan(plan)][0]
            raise ValueError(
                f"The first plan has nothing on {channel!r} in region {region!r}, "
                "which X spends on. Leave the region out, or start a new policy."
            )
        return plan * problem.budget / (plan @ problem.current)


def _check_n_groups(n_groups: Any) -> None:
    """Raise unless it is a number of groups, or None."""
    is_count = isinstance(n_groups, Integral) and not isinstance(n_groups, bool)
    if n_groups is not None and (not is_count or int(n_groups) < 1):
        raise ValueError(
            f"n_groups must be None or an integer from 1, got {shown(n_groups)}."
        )


def _copy_of(model: Any) -> Any:
    """Return a copy of a fitted model that takes in rows, or raise."""
    inside = unwrap(model)
    if inside.steps or not hasattr(inside.model, "_coming_periods"):
        raise TypeError(
            "BudgetPolicy goes on with a model of its own, and needs a "
            f"DeepCausalMMMRegressor without steps before it; got {shown(model)}."
        )
    if not hasattr(inside.model, "partial_fit"):
        raise TypeError(
            f"{type(inside.model).__name__} has no partial_fit with which a policy "
            "takes in what came: make one BudgetPolicy per fitted DeepCausalMMMRegressor."
        )
    check_is_fitted(inside.model)
    return copy.copy(inside.model)
