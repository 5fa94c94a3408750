"""The best plans for several budgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import OptimizeResult
from sklearn.utils import Bunch

from skmmm._planning.problem import ALIKE, Problem
from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Array, Column, Columns, MediaCost, Table
from skmmm.allocation._levers import Levers, LeversGiven
from skmmm.allocation._optimize import optimize_budget
from skmmm.allocation._prices import PriceElasticity, PriceLevel
from skmmm.allocation._question import (
    DEFAULT_BOUNDS,
    Bounds,
    Constraints,
    Fixed,
    MoneyBounds,
    Risk,
    read_question,
)
from skmmm.allocation._results import PlanResults
from skmmm.inspection._protocol import Effect

_N_BUDGETS = 11  # of a path


@documented_by(optimize_budget)
def budget_path(
    estimator: Any,
    budgets: npt.ArrayLike | None = None,
    *,
    X: Table | None = None,
    horizon: int | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
    money_bounds: MoneyBounds = None,
    fixed: Fixed = None,
    constraints: Constraints = None,
    risk: Risk = None,
    effect: Effect = "direct",
    allow_extrapolation: bool = False,
    price_level: PriceLevel = None,
    price_elasticity: PriceElasticity = None,
    levers: LeversGiven = None,
    confidence_level: float = 0.9,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
) -> Bunch:
    """Find the best plan for each of several budgets.

    Each is the plan by channel that `optimize_budget` finds for that budget. Where
    channels act side by side their curves are computed once for all budgets.

    Parameters
    ----------
    budgets : array-like of shape (n_budgets,), default=None
        Total spend over the rows of X, in the units of `optimize_budget`, with what
        levers cost beyond today. None: eleven from half to one and a half times what X
        spends, as far as bounds and observed data allow; one if nothing may move.

    Returns
    -------
    result : Bunch
        - ``table``: DataFrame with a row per budget, in rising order: ``budget``,
          ``outcome``, ``outcome_low`` and ``outcome_high`` (KPI that the plan causes),
          ``as_today`` (KPI if every channel is scaled alike to that budget, also
          beyond bounds and data; with levers as they are) and ``mroi`` (KPI units per
          unit of money of the budget from this row to the next; the last row repeats).
          Outcomes of budgets for which there is no plan are nan.
        - ``plans``: list of OptimizeResult, one per row, as of `optimize_budget`.
        - ``current_budget``, ``current_outcome``: what X spends and what that causes.

    Raises
    ------
    ValueError
        As of `optimize_budget`, or if a budget is no positive number.

    Examples
    --------
    >>> from skmmm.allocation import budget_path
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> data = make_mmm_panel(1, 30, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> now = data.X[data.media].to_numpy().sum()
    >>> path = budget_path(model.fit(data.X, data.y), [now, 1.1 * now], X=data.X)
    >>> bool((path.table["outcome"] >= path.table["as_today"]).all())
    True
    """
    results = read_question(
        estimator,
        X,
        horizon,
        risk=risk,
        effect=effect,
        confidence_level=confidence_level,
        media=media,
        region=region,
        time=time,
        media_cost=media_cost,
        budget=None,
        bounds=bounds,
        money_bounds=money_bounds,
        fixed=fixed,
        constraints=constraints,
        target_roi=None,
        target_mroi=None,
        allow_extrapolation=allow_extrapolation,
        price_level=price_level,
        price_elasticity=price_elasticity,
        levers=levers,
    )
    current = results.problem.current.sum()
    given = budgets
    if budgets is None:
        given = _around(results.problem, results.levers)
    totals = np.unique(np.asarray(given, dtype=np.float64))
    if not (np.isfinite(totals) & (totals > 0)).all():
        raise ValueError(f"budgets must be positive numbers, got {totals.tolist()}.")
    results.tabulate()
    plans = [results.for_budget(budget).best() for budget in totals]
    return Bunch(
        table=_path_table(results, totals, plans),
        plans=plans,
        current_budget=float(current),
        current_outcome=float(results.current.outcome),
    )


def _around(problem: Problem, levers: Levers | None) -> Array:
    """Return budgets around today's that bounds allow."""
    current = problem.current.sum()
    least, most = (problem.current * problem.low).sum(), problem.current @ problem.high
    if levers is not None:
        low, high = np.sort(levers.lines.spent, axis=0).sum(axis=1)
        least, most = least + low, most + high
    ends = np.clip([0.5 * current, 1.5 * current], least, most)
    half = (_N_BUDGETS + 1) // 2
    middle = np.clip(current, *ends)  # today's is one of them where it may be
    if ends[1] - ends[0] <= ALIKE * current:
        return np.array([middle])
    return np.append(
        np.linspace(ends[0], middle, half), np.linspace(middle, ends[1], half)[1:]
    )


def _path_table(
    results: PlanResults, budgets: Array, plans: list[OptimizeResult]
) -> pd.DataFrame:
    """Return what each budget causes, planned and scaled."""
    found = np.array([plan.success for plan in plans])
    outcomes = {
        name: np.where(found, [plan[name] for plan in plans], np.nan)
        for name in ("outcome", "outcome_low", "outcome_high")
    }
    scaled = [results.scaled_outcome(budget) for budget in budgets]
    table = pd.DataFrame({"budget": budgets, **outcomes, "as_today": scaled})
    between = np.diff(table["outcome"]) / np.diff(budgets)
    last = between[-1:] if len(between) else [np.nan]
    return table.assign(mroi=np.append(between, last))
