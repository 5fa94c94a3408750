"""A plan that can be stored, compared with what came, and asked for a better one."""

from __future__ import annotations

import copy
from os import PathLike
from typing import Any

import numpy.typing as npt
import pandas as pd
from scipy.optimize import OptimizeResult

from skmmm._utils.typing import MediaCost, Table
from skmmm.allocation._asked import Question
from skmmm.allocation._information import Knowledge
from skmmm.allocation._review import PlanReview, review_plan
from skmmm.allocation._storage import write_plan

_METHODS = ("model", "review", "save", "settings", "worth_testing")


class BudgetPlan(OptimizeResult):
    """What `optimize_budget` returns, as a record.

    The items are those that :func:`optimize_budget` describes; they are also
    attributes. A plan can be stored with the model that made it (`save`, and
    `DeepCausalMMMRegressor.load_plan`), and compared with what came of it (`review`).
    Made by :func:`optimize_budget` only.

    Attributes
    ----------
    settings : dict
        With which arguments it was asked for.
    model : object
        The estimator that made it, as it was fitted then.
    """

    def __init__(self, question: Question, results: Any, **found: Any):
        super().__init__(found)
        # Items of the dict are what is shown.
        object.__setattr__(self, "_question", question)
        object.__setattr__(self, "_results", results)

    def __copy__(self) -> BudgetPlan:
        return BudgetPlan(self._question, self._results, **self)

    def __deepcopy__(self, memo: dict) -> BudgetPlan:
        found = copy.deepcopy(dict(self), memo)
        return BudgetPlan(self._question, self._results, **found)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_METHODS]

    def __reduce__(self) -> Any:
        # Written without the model.
        return OptimizeResult, (dict(self),)

    @property
    def settings(self) -> dict[str, Any]:
        """With which arguments the plan was asked for."""
        return copy.deepcopy(self._question.settings)

    @property
    def model(self) -> Any:
        """The estimator that made the plan, as it was fitted then."""
        return self._question.estimator

    def save(self, path: str | PathLike[str]) -> None:
        """Write the plan, and the model that made it, to one file.

        It holds the planned rows with the controls that were assumed, the allocation,
        the settings and the fitted model, as arrays and JSON: all that `review` needs.
        `DeepCausalMMMRegressor.load_plan` reads it, in versions that read the model
        in it; ``allocation`` and ``X`` as CSV last longer. Pickled, a plan is a plain
        ``OptimizeResult``.

        Parameters
        ----------
        path : str or path-like
            Conventionally ends in ``.plan.skmmm``.

        Raises
        ------
        OSError
            If the file cannot be written; one that was there is left as it was.
        ValueError
            If the plan is not one of `DeepCausalMMMRegressor`, or holds what cannot be
            stored as data.
        """
        write_plan(path, self._question, self)

    def review(
        self,
        X_actual: Table,
        y_actual: npt.ArrayLike,
        *,
        model: Any = None,
        media_cost: MediaCost | dict[Any, Any] = None,
        confidence_level: float = 0.9,
    ) -> PlanReview:
        """Say why the KPI is not what the plan expected.

        Actual minus expected KPI, over the rows of the plan, is split into parts that
        add up:

        - *delivery*, channel by channel: what the model expects of the spend that was
          delivered, minus what it expects of the planned spend, at the planned
          controls. Channels act side by side, so that there is no order in which they
          would have to be switched. For plans of total effects delivery is credited to
          the channel in which spend originates;
        - *confounding*: what the model expects along with the spend that was delivered,
          and does not count as its effect: hidden demand of which budgets tell, and in
          draws what only moves with a channel;
        - *controls*, control by control: controls were other than assumed;
        - *drift*: what channels and baseline do more or less because controls move
          them;
        - *response*, channel by channel, and *level* (baseline and controls): what
          `model` expects of actual spend and controls, minus what the model of the plan
          expects of them. Zero without `model`;
        - *unexplained*: the rest.

        Parameters
        ----------
        X_actual : DataFrame or array-like of shape (n_rows, n_columns)
            Spend and controls as they came, in the columns of the fit. Rows of the plan
            that are not there are left out of all sums and named in ``message``; what
            they carry over into others is that of the plan.
        y_actual : array-like of shape (n_rows,)
            The KPI.
        model : DeepCausalMMMRegressor, default=None
            Fitted again, with the same channels and controls, on data that may hold
            these rows. None: the model of the plan.
        media_cost : float or mapping, default=None
            What a unit of the media columns cost in fact: numbers, or names of columns
            of X_actual with the money that was spent. Splits the money into price and
            volume (``money``), for channels of which the model knows a cost. None: the
            columns of money that the `media_cost` of the fit names, where X_actual has
            them.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        review : PlanReview

        Raises
        ------
        ValueError
            If X_actual lacks a column or has rows that are not in the plan, the KPI is
            not finite, `model` is one of other channels or controls, or the plan is not
            one of `DeepCausalMMMRegressor` with a time column.

        Examples
        --------
        >>> from skmmm import DeepCausalMMMRegressor
        >>> from skmmm.datasets import make_mmm_panel
        >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
        >>> past, X = world.X[:91], world.X[91:]
        >>> model = DeepCausalMMMRegressor(
        ...     media=world.media, controls=world.controls, region="region",
        ...     time="week", n_draws=8, random_state=0,
        ... ).fit(past, world.y[:91])
        >>> plan = model.optimize_budget(X=X, bounds=(0.8, 1.2))
        >>> review = plan.review(X, world.y[91:])
        >>> parts = review.summary["kpi"].iloc[:-1]
        >>> bool(abs(parts.sum() - review.actual) < 1e-6 * review.actual)
        True
        """
        return review_plan(
            self._question,
            self,
            X_actual,
            y_actual,
            model=model,
            media_cost=media_cost,
            confidence_level=confidence_level,
        )

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
            constraints, if there are fewer than four draws, or if it was loaded.
        """
        if self._results is None:
            raise ValueError(
                "A plan that was loaded does not know what others would have caused: "
                "ask optimize_budget once more."
            )
        return Knowledge(self._results).of_channels()
