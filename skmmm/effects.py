"""A table that was read once, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._unwrapping import bare, unwrap
from skmmm._utils.bound import BoundTable
from skmmm._utils.docs import documented_by
from skmmm._utils.labels import called, counted
from skmmm._utils.typing import Column, Columns, MediaCost, Seed, Table
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import Counterfactual, Effect
from skmmm.scenarios import compare_scenarios
from skmmm.scenarios._compare import check_scenarios

__all__ = ["Effects", "effects_of"]

_KNOWN = ("estimator", "X", "media", "region", "time", "media_cost")


@documented_by(inspection.channel_summary, inspection.contributions)
def effects_of(
    estimator: Any,
    X: Table | None = None,
    *,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
    n_permutations: int = 256,
    random_state: Seed = 0,
) -> Effects:
    """Read a table once, and return the object that answers questions about it.

    Returns
    -------
    effects : Effects
        With `contributions`, `channel_summary`, `channel_groups`, `control_summary`,
        `response_curve`, `marginal_roi`, `payback`, `brand_effects`, `optimize_budget`,
        `budget_path` and `compare_scenarios`. It also stands for X in the functions of
        these names and in the methods of `DeepCausalMMMRegressor`.

    Raises
    ------
    ValueError
        If X is not what the estimator can read, or columns are given that it knows.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.effects import effects_of
    >>> data = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> effects = effects_of(model.fit(data.X, data.y), data.X)
    >>> list(effects.channel_summary().index)
    ['media_1', 'media_2']
    >>> plan = effects.optimize_budget()
    >>> bool(plan.outcome >= plan.current_outcome)
    True
    """
    check_is_fitted(estimator)
    given = media, region, time, media_cost, n_permutations, random_state
    return Effects(estimator, X, counterfactual_of(estimator, X, "direct", *given))


class Effects(BoundTable):
    """The rows of a table and all questions about them; made by `effects_of`.

    It also stands for X in the functions of :mod:`skmmm.inspection`,
    :mod:`skmmm.allocation` and :mod:`skmmm.scenarios`, and in the methods of
    `DeepCausalMMMRegressor`: the table is not read again.

    Parameters
    ----------
    estimator : object
    X : DataFrame, array-like or None
    counterfactual : Counterfactual
        Of direct effects.
    """

    def __init__(self, estimator: Any, X: Table | None, counterfactual: Counterfactual):
        self.estimator = estimator
        self._X = X
        self._counterfactuals: dict[str, Counterfactual] = {"direct": counterfactual}
        self._fitted = self._fitted_state()

    def __repr__(self):
        channels = ", ".join(map(called, self.counterfactual().labels))
        name = type(self.estimator).__name__
        return f"Effects of {name} on {counted(len(self), 'row')}: {channels}"

    @property
    def frame(self) -> pd.DataFrame:
        """The rows, a DataFrame of shape (n_rows, n_columns)."""
        return self.counterfactual().frame

    def counterfactual(self, effect: Effect = "direct") -> Counterfactual:
        """Return the `Counterfactual` of the rows."""
        if effect not in self._counterfactuals:
            found = self._counterfactuals["direct"].for_effect(effect)
            self._counterfactuals[effect] = found
        return self._counterfactuals[effect]

    def check_read_by(self, estimator: Any) -> None:
        """Raise if another estimator has read the rows."""
        if bare(estimator) is not bare(self.estimator):
            raise ValueError(
                f"X was read by another {type(self.estimator).__name__}: call "
                "effects_of(estimator, X) with this estimator."
            )
        if not _same(self._fitted_state(), self._fitted):
            raise ValueError(
                f"X was read before {type(self.estimator).__name__} was fitted again: "
                "call effects_of(estimator, X) once more."
            )

    def _fitted_state(self):
        """Return what changes when the estimator, or a step of it, is fitted again."""
        inside = unwrap(self.estimator)
        if not inside.steps and hasattr(inside.model, "_model"):
            return inside.model._model
        if not inside.steps and hasattr(inside.model, "_counterfactual_by_group"):
            return inside.model.estimators_
        return np.asarray(self.estimator.predict(self._X))

    @documented_by(inspection.contributions)
    def contributions(self, *, effect: Effect = "direct") -> pd.DataFrame:
        """Split the prediction into baseline, controls and channels."""
        return inspection.contributions(self.estimator, self, effect=effect)

    @documented_by(inspection.channel_summary, without=_KNOWN)
    def channel_summary(self, **options: Any) -> pd.DataFrame:
        """Summarise what each channel caused, and what one more unit would cause."""
        return inspection.channel_summary(self.estimator, self, **options)

    @documented_by(inspection.channel_groups, without=_KNOWN)
    def channel_groups(self, **options: Any) -> pd.DataFrame:
        """Return groups of channels whose total is known although its split is not."""
        return inspection.channel_groups(self.estimator, self, **options)

    @documented_by(inspection.control_summary)
    def control_summary(self, **options: Any) -> pd.DataFrame:
        """Summarise what one more unit of each control does to the KPI."""
        return inspection.control_summary(self.estimator, self, **options)

    @documented_by(inspection.payback, without=_KNOWN)
    def payback(self, **options: Any) -> pd.DataFrame:
        """Return how many periods pass until the effect of a unit of spend arrived."""
        return inspection.payback(self.estimator, self, **options)

    @documented_by(inspection.brand_effects, without=_KNOWN)
    def brand_effects(self, **options: Any) -> pd.DataFrame:
        """Return what brand channels contribute at once, late, and what is to come."""
        return inspection.brand_effects(self.estimator, self, **options)

    @documented_by(inspection.marginal_roi, without=_KNOWN)
    def marginal_roi(self, **options: Any) -> pd.DataFrame:
        """Return what the next unit of spend on each channel would earn."""
        return inspection.marginal_roi(self.estimator, self, **options)

    @documented_by(inspection.response_curve, without=_KNOWN)
    def response_curve(self, channel: Column, **options: Any) -> Bunch:
        """Return what a channel would have caused at other levels of its spend."""
        return inspection.response_curve(self.estimator, channel, self, **options)

    @documented_by(allocation.optimize_budget, without=(*_KNOWN, "horizon"))
    def optimize_budget(
        self, budget: float | None = None, **options: Any
    ) -> allocation.BudgetPlan:
        """Find the spend that causes most."""
        _refuse_horizon(options)
        return allocation.optimize_budget(self.estimator, budget, X=self, **options)

    @documented_by(allocation.budget_path, without=(*_KNOWN, "horizon"))
    def budget_path(
        self, budgets: npt.ArrayLike | None = None, **options: Any
    ) -> Bunch:
        """Find the best plan for each of several budgets."""
        _refuse_horizon(options)
        return allocation.budget_path(self.estimator, budgets, X=self, **options)

    @documented_by(compare_scenarios, without=_KNOWN)
    def compare_scenarios(
        self, scenarios: Mapping[str, Table], **options: Any
    ) -> pd.DataFrame:
        """Compare tables with this one, which comes first and is called "as it is"."""
        check_scenarios(scenarios)
        if "as it is" in scenarios:
            raise ValueError("'as it is' is the name of this table: take another one.")
        tables = {"as it is": self, **scenarios}
        return compare_scenarios(self.estimator, tables, **options)


def _refuse_horizon(options: dict[str, Any]) -> None:
    if options.get("horizon") is not None:
        raise ValueError(
            "horizon is about coming periods, but this table was read: call "
            "optimize_budget(horizon=...) of the estimator."
        )


def _same(state, other):
    """Return whether two states of an estimator are the same fit."""
    both = isinstance(state, np.ndarray) and isinstance(other, np.ndarray)
    return np.array_equal(state, other) if both else state is other
