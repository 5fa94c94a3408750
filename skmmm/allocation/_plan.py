"""A plan that can be asked what would make a better one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.optimize import OptimizeResult

from skmmm.allocation._information import Knowledge

if TYPE_CHECKING:
    from skmmm.allocation._results import PlanResults


class BudgetPlan(OptimizeResult):
    """What `optimize_budget` returns."""

    def __init__(self, results: PlanResults, **found: Any):
        super().__init__(found)
        # Items of the dict are what is shown.
        object.__setattr__(self, "_results", results)

    def __copy__(self) -> BudgetPlan:
        return BudgetPlan(self._results, **self)

    def __deepcopy__(self, memo: dict) -> BudgetPlan:
        return BudgetPlan(self._results, **copy.deepcopy(dict(self), memo))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), "worth_testing"]

    def __reduce__(self) -> Any:
        # Written without the model.
        return OptimizeResult, (dict(self),)

    def worth_testing(self) -> pd.DataFrame:
        """Return what it would be worth to know what each channel causes.

        Known is then what a channel causes at today's spend; a test of another change
        also tells of the curve. :func:`~skmmm.experiments.recommend_experiment` says
        what a certain test brings and costs. Computed when it is asked for.

        Returns
        -------
        table : DataFrame indexed by channel, best first
            - ``plan_value``: KPI that a plan would earn more, on average over draws, if
              the effect of the channel was known (expected value of partial perfect
              information);
            - ``plan_value_error``: its Monte Carlo standard error;
            - ``reason``, a sentence.

        Raises
        ------
        ValueError
            If the plan is by region or period, for total effects, for a target or with
            constraints, or if there are fewer than four draws.
        """
        return Knowledge(self._results).of_channels()
