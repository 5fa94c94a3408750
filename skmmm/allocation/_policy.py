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

Explore: TypeAlias = Literal["greedy", "thompson", "none"]
_NO_LIMITS: dict[str, Any] = {
    "bounds": DEFAULT_BOUNDS,
    "money_bounds": None,
    "fixed": None,
    "constraints": None,
    "allow_extrapolation": True,
}


class BudgetPolicy:
    """Budgets that learn: plan, spend, take in what came of it, and plan again.

    Each round is a plan by region for the coming rows (`propose`), and the rows of what
    was then spent and sold (`update`), which a copy of the model takes in by
    `partial_fit`. Where effects may change, set `effect_drift` of the model before.

    Parameters
    ----------
    model : DeepCausalMMMRegressor
        Fitted; a search around it counts as the model that it found. It stays as it is.
    explore : {"greedy", "thompson", "none"}, default="greedy"
        What is proposed. "greedy": the best plan at the point of the model as it is by
        now. "thompson": regions are put into groups at random, anew each time, and
        every group gets the plan that would be best if one posterior draw was the truth
        [1]_: groups that differ are the experiment. "none": "greedy" until the first
        `update`, and then for ever the shares of the budget that its rows spent on
        each channel in each region.
    n_groups : int or None, default=None
        Number of groups for "thompson", of about as many regions each. None: two, or
        one where there is one region.
    bounds, money_bounds, fixed, constraints, allow_extrapolation
        Of every plan by region, as in :func:`optimize_budget`; multiples are of the
        spend of the coming rows. "none" keeps them until the first `update`.
    random_state : int, RandomState instance or None, default=None
        Of groups and draws.

    Attributes
    ----------
    model : DeepCausalMMMRegressor
        With all rows so far. One that was fitted again to them may take its place.
    explore, n_groups
        May be set anew between rounds.

    See Also
    --------
    skmmm.experiments.recommend_experiment : Which test would pay most.
    skmmm.datasets.MarketEnvironment : A market in which to try a policy.

    Notes
    -----
    With "thompson", one programme maximises the sum over regions, each under its draw,
    within one budget. A plan under a draw misses, on average over draws, about twice
    what the best plan of the posterior mean misses, and that is the price of what the
    groups tell; the user guide says what came of it in simulated markets.

    Channels that `fit` warns of keep their spend here as well. After rows that surprise
    the model these are all channels, and plans stand still until it is fitted again, or
    channels are named in `bounds`.

    References
    ----------
    .. [1] Thompson (1933). On the likelihood that one unknown probability exceeds
       another in view of the evidence of two samples. Biometrika 25.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.allocation import BudgetPolicy
    >>> from skmmm.datasets import MarketEnvironment
    >>> market = MarketEnvironment(2, 2, n_history=60, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=market.media, controls=market.controls, region="region", time="week",
    ...     media_cost=1.0, graph=None, n_draws=8, random_state=0,
    ... ).fit(*market.history())
    >>> policy = BudgetPolicy(model, explore="thompson", random_state=0)
    >>> for _ in range(2):
    ...     plan = policy.propose(X=market.coming(4))
    ...     policy = policy.update(*market.step(plan.X))
    >>> plan.groups.index.to_list()
    ['region_1', 'region_2']
    >>> len(policy.model.contributions()), len(model.contributions())
    (136, 120)
    """

    def __init__(
        self,
        model: Any,
        *,
        explore: Explore = "greedy",
        n_groups: int | None = None,
        bounds: Bounds = DEFAULT_BOUNDS,
        money_bounds: MoneyBounds = None,
        fixed: Fixed = None,
        constraints: Constraints = None,
        allow_extrapolation: bool = False,
        random_state: Seed = None,
    ):
        _check_exploring(explore, n_groups)
        self.model, self.explore, self.n_groups = _copy_of(model), explore, n_groups
        limits: dict[str, Any] = {
            "bounds": bounds,
            "money_bounds": money_bounds,
            "fixed": fixed,
            "constraints": constraints,
            "allow_extrapolation": allow_extrapolation,
        }
        self._limits = copy.deepcopy(limits)  # lists of the user may change
        self._rng = check_random_state(random_state)
        self._first: pd.Series | None = None  # money that was spent first, by cell

    def propose(
        self,
        horizon: int | None = None,
        budget: float | None = None,
        *,
        X: Table | None = None,
    ) -> BudgetPlan:
        """Return what to spend next, by region.

        The policy stays as it is, apart from the random numbers that "thompson" takes.

        Parameters
        ----------
        horizon : int, default=None
            So many coming periods, after all rows so far, with spend and controls as in
            :func:`optimize_budget`. Or give X.
        budget : float, default=None
            What all regions and channels spend together, in money where the cost of
            channels is known, else in the units of X. None: what the rows spend.
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            The coming rows, with the spend that is scaled and their controls.

        Returns
        -------
        plan : BudgetPlan
            As of :func:`optimize_budget` with ``by="region"``: ``X``, the rows to
            spend, ``allocation``, and ``outcome``, what all spend is expected to cause
            at the point. With "thompson" also ``groups``, DataFrame indexed by region
            with ``group`` and ``draw``, positions from 0; then ``outcome`` may be below
            ``current_outcome``.

        Raises
        ------
        ValueError
            If no plan keeps budget and limits, there are fewer regions than groups,
            "thompson" has no draws, "none" meets a channel and region that have spend
            in the first rows of `update` or in the coming ones only, and for what
            :func:`optimize_budget` raises.
        """
        _check_exploring(self.explore, self.n_groups)
        if (X is None) == (horizon is None):
            raise ValueError("Give either horizon, a number of coming periods, or X.")
        results = self._ask(X, horizon, budget, **self._limits)
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
        return plan

    def update(self, X_new: Table, y_new: npt.ArrayLike) -> Self:
        """Take in what was spent, and what came of it.

        The first rows that spend anything also settle the shares of "none".

        Parameters
        ----------
        X_new : DataFrame or array-like of shape (n_rows, n_columns)
            Rows of later periods, as they came: other spend than proposed is no harm.
        y_new : array-like of shape (n_rows,)
            KPI.

        Returns
        -------
        self : BudgetPolicy

        Raises
        ------
        ValueError
            For what `partial_fit` raises; the policy is then as it was.
        """
        model = copy.copy(self.model)  # plans remember who made them
        model = model.partial_fit(X_new, y_new)
        if self._first is None:
            self._first = self._spent(X_new)
        self.model = model
        return self

    def _spent(self, X: Table) -> pd.Series | None:
        """Return the money of rows by channel and region, None if they have none."""
        spent = self._ask(X, None, None, **_NO_LIMITS)
        money = spent.problem.current
        cells = spent.counterfactual.cells_index("region")
        return pd.Series(money, index=cells) if money.any() else None

    def _ask(
        self,
        X: Table | None,
        horizon: int | None,
        budget: float | None,
        **limits: Any,
    ) -> PlanResults:
        """Return the `PlanResults` of a plan by region for the coming rows."""
        return read_question(
            self.model,
            X,
            horizon,
            by="region",
            budget=budget,
            target_roi=None,
            target_mroi=None,
            **limits,
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
        n_groups = min(2, len(regions)) if self.n_groups is None else self.n_groups
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
        """Return the multiples with which cells have their shares of the budget."""
        problem = results.problem
        cells = results.counterfactual.cells_index("region")
        assert self._first is not None
        money, now = self._first.reindex(cells).fillna(0.0).to_numpy(), problem.current
        _check_same_cells(cells, money > 0.0, now > 0.0)
        plan = np.ones(len(now))
        spends = now > 0.0
        share = money[spends] / money.sum()
        plan[spends] = share * problem.budget / now[spends]
        return plan


def _check_same_cells(cells: pd.Index, first: np.ndarray, now: np.ndarray) -> None:
    """Raise if cells have spend in the first or in the coming rows only."""
    for odd, why in (
        (now & ~first, "nothing, and the coming rows do"),
        (
            first & ~now,
            "something, and the coming rows have nothing that can be scaled",
        ),
    ):
        if odd.any():
            channel, region = cells[odd][0]
            raise ValueError(
                f"explore='none' keeps the shares of the first rows of update: on "
                f"{channel!r} in region {region!r} these spend {why}. Change X, leave "
                "the region out, or start a new policy."
            )


def _check_exploring(explore: Any, n_groups: Any) -> None:
    """Raise unless both say how to explore; they may be set between rounds."""
    if explore not in get_args(Explore):
        raise ValueError(
            f"explore={shown(explore)} must be one of {list(get_args(Explore))}."
        )
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
            "takes in what came: make a BudgetPolicy of each of its models."
        )
    check_is_fitted(inside.model)
    return copy.copy(inside.model)
