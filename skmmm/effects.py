"""A table that was read once, and everything that can be asked of it."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._data.tables import BoundTable
from skmmm._unwrapping import bare, unwrap
from skmmm.inspection._predictions import (
    PredictedCounterfactual,
    counterfactual_of,
)
from skmmm.scenarios import compare_scenarios

__all__ = ["Effects", "effects_of"]


def effects_of(
    estimator, X=None, *, media=None, region=None, time=None, media_cost=None
):
    """Read a table once, and return what can be asked of it.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`: :class:`~skmmm.DeepCausalMMMRegressor`, a linear MMM,
        any pipeline or search.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region, time : str or int, default=None
        Columns to split by. None: what the estimator says.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the columns. `DeepCausalMMMRegressor` knows its own.

    Returns
    -------
    effects : Effects

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
    roles = {"media": media, "region": region, "time": time, "media_cost": media_cost}
    return Effects(estimator, X, counterfactual_of(estimator, X, **roles))


class Effects(BoundTable):
    """What can be asked of the rows of a table; made by `effects_of`.

    It also stands for X in `contributions`, `channel_summary`, `marginal_roi` and
    `response_curve` of :mod:`skmmm.inspection`, in `optimize_budget` and `budget_path`,
    and in the methods of `DeepCausalMMMRegressor`: the table is not read again.
    Arguments that are not named here are those of the functions of the same name.

    Parameters
    ----------
    estimator : object
    X : DataFrame, array-like or None
    counterfactual : Counterfactual
        Of direct effects.
    """

    def __init__(self, estimator, X, counterfactual):
        self.estimator = estimator
        self._X = X
        self._counterfactuals = {"direct": counterfactual}
        self._fitted = self._fitted_state()

    def __repr__(self):
        channels = ", ".join(map(str, self.counterfactual().labels))
        name = type(self.estimator).__name__
        return f"Effects of {name} on {len(self):,} rows: {channels}"

    @property
    def frame(self):
        """The rows, a DataFrame of shape (n_rows, n_columns)."""
        return self.counterfactual().frame

    def counterfactual(self, effect="direct"):
        """Return the `Counterfactual` of the rows."""
        if effect not in self._counterfactuals:
            found = self._counterfactuals["direct"].for_effect(effect)
            self._counterfactuals[effect] = found
        return self._counterfactuals[effect]

    def check_read_by(self, estimator):
        """Raise if another estimator has read the rows."""
        if bare(estimator) is not bare(self.estimator):
            raise ValueError(
                f"X was read by another {type(self.estimator).__name__}: ask "
                "effects_of(estimator, X) of this estimator."
            )
        if not _same(self._fitted_state(), self._fitted):
            raise ValueError(
                f"X was read before {type(self.estimator).__name__} was fitted again: "
                "ask effects_of(estimator, X) once more."
            )

    def _fitted_state(self):
        """Return what changes when the estimator, or a step of it, is fitted again."""
        inside = unwrap(self.estimator)
        if not inside.steps and hasattr(inside.model, "_model"):
            return inside.model._model
        return np.asarray(self.estimator.predict(self._X))

    def contributions(self, *, effect="direct"):
        """Split the prediction, as :func:`skmmm.inspection.contributions`."""
        return inspection.contributions(self.estimator, self, effect=effect)

    def channel_summary(self, **options):
        """Summarise channels, as :func:`skmmm.inspection.channel_summary`."""
        return inspection.channel_summary(self.estimator, self, **options)

    def marginal_roi(self, **options):
        """Return next returns, as :func:`skmmm.inspection.marginal_roi`."""
        return inspection.marginal_roi(self.estimator, self, **options)

    def response_curve(self, channel, **options):
        """Return a curve, as :func:`skmmm.inspection.response_curve`."""
        return inspection.response_curve(self.estimator, channel, self, **options)

    def optimize_budget(self, budget=None, **options):
        """Return a plan, as :func:`skmmm.allocation.optimize_budget`."""
        if options.get("horizon") is not None:
            raise ValueError(
                "horizon is about coming periods, but this table was read: ask "
                "optimize_budget(horizon=...) of the estimator."
            )
        return allocation.optimize_budget(self.estimator, budget, X=self, **options)

    def budget_path(self, budgets=None, **options):
        """Return plans, as :func:`skmmm.allocation.budget_path`."""
        return allocation.budget_path(self.estimator, budgets, X=self, **options)

    def compare_scenarios(self, scenarios, **options):
        """Compare tables with this one, the baseline.

        Parameters
        ----------
        scenarios : mapping of str to DataFrame
            As of :func:`skmmm.scenarios.compare_scenarios`; "as it is" is this table.
        """
        if "as it is" in scenarios:
            raise ValueError("'as it is' is the name of this table: take another one.")
        tables = {"as it is": self.frame, **scenarios}
        asked = self.counterfactual()
        if isinstance(asked, PredictedCounterfactual):
            roles = {"media": asked.labels, "region": asked.region, "time": asked.time}
            options = roles | options
        return compare_scenarios(self.estimator, tables, **options)


def _same(state, other):
    """Return whether two states of an estimator are the same fit."""
    both = isinstance(state, np.ndarray) and isinstance(other, np.ndarray)
    return np.array_equal(state, other) if both else state is other
