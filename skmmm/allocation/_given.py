"""Response curves from elsewhere, of which plans are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import (
    check_non_negative_media,
    did_you_mean,
    labels_of,
    numeric_block,
)
from skmmm._data.tables import read_table, row_namer
from skmmm._utils.curves import hill
from skmmm._utils.labels import called, first_few, listed
from skmmm._utils.typing import Array, Table
from skmmm._utils.warnings import warn_user
from skmmm.allocation._words import in_money
from skmmm.inspection._predictions import PredictedCounterfactual
from skmmm.inspection._protocol import By

_ROUNDING = 1.0 + 1e-9  # times the end of a curve: what is not yet beyond
_COLUMNS = ("maximum", "half_saturation", "slope", "observed_until")


class GivenCurves(RegressorMixin, BaseEstimator):
    """Response curves from elsewhere, as an estimator to plan and inspect.

    What is predicted is what spend causes, along a Hill curve per channel:

    .. math::

        \\sum_c m_c \\frac{x_c^{s_c}}{x_c^{s_c} + k_c^{s_c}}

    `optimize_budget`, `budget_path`, `channel_summary`, `response_curve` and displays
    take it like any other estimator. The curves count as known: there are no draws, so
    that a plan has no interval and no ``probability_better``, and `risk` changes
    nothing. Nor does it know of verdicts, alarms, carry-over beyond the curves, or
    channels that drive each other.

    Parameters
    ----------
    curves : DataFrame indexed by channel
        Columns, others being left aside:

        - ``maximum``: what is approached, in KPI units;
        - ``half_saturation``: spend at which half of it is reached, in money;
        - ``slope``: up to 1 the curve is concave, above 1 S-shaped;
        - ``observed_until``: spend up to which the curve is known, in money. Plans stay
          below it, or today's spend, without ``allow_extrapolation=True``; other
          questions about more warn. Where nobody says, write today's spend.

        :func:`~skmmm.inspection.fit_hill` makes them of points. Spend and KPI are of
        the time and place of the curves, such as all weeks and regions of a year.

    Attributes
    ----------
    media_ : list
        Channels, in the order of X.
    maximum_, half_saturation_, slope_, observed_until_ : ndarray of shape (n_media,)
        Of these channels.

    See Also
    --------
    skmmm.inspection.fit_hill : Fit the curves to points.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.allocation import GivenCurves, optimize_budget
    >>> curves = pd.DataFrame(
    ...     {
    ...         "maximum": [9e6, 4e6],
    ...         "half_saturation": [2e6, 5e5],
    ...         "slope": [1.0, 1.0],
    ...         "observed_until": [3e6, 2e6],
    ...     },
    ...     index=["tv", "search"],
    ... )
    >>> today = pd.DataFrame({"tv": [1e6], "search": [1e6]})
    >>> plan = optimize_budget(GivenCurves(curves).fit(today), 2e6)
    >>> plan.allocation["spend"].round(-5)
    channel
    tv        1400000.0
    search     600000.0
    Name: spend, dtype: float64
    """

    def __init__(self, curves: pd.DataFrame):
        self.curves = curves

    def fit(self, X: Table, y: npt.ArrayLike | None = None) -> Self:
        """Remember what is spent today.

        Parameters
        ----------
        X : DataFrame of shape (1, n_media)
            Spend of every channel with a curve, in money: what plans without X start
            from.
        y : None
            Not read.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a channel has no curve, a curve has no channel, or a number is missing or
            out of range.

        Warns
        -----
        UserWarning
            If more is spent than ``observed_until``.
        """
        frame = read_table(self, X, reset=True)
        labels = labels_of(frame)
        values = _read_curves(self.curves, labels)
        self.media_ = labels
        self.maximum_, self.half_saturation_, self.slope_, self.observed_until_ = values
        self._today = _one_row(frame)
        self._warn_beyond(self._spend(frame))
        return self

    def predict(self, X: Table) -> Array:
        """Return what spend causes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_media)
            Each row by itself spends all that the curves are about.

        Returns
        -------
        caused : ndarray of shape (n_rows,)
            In KPI units.

        Warns
        -----
        UserWarning
            If more is spent than ``observed_until``.
        """
        check_is_fitted(self)
        spend = self._spend(read_table(self, X, reset=False))
        self._warn_beyond(spend)
        return self._caused(spend)

    def _caused(self, spend):
        """Return what spend, (n_rows, n_media), causes."""
        return hill(spend, self.half_saturation_, self.slope_) @ self.maximum_

    def _warn_beyond(self, spend):
        """Warn of channels that spend more than their curve is known for."""
        most = spend.max(axis=0, initial=0.0)
        beyond = np.flatnonzero(most > _ROUNDING * self.observed_until_)
        if len(beyond):
            said = [
                f"{called(self.media_[m])} {in_money(most[m])} (known up to "
                f"{in_money(self.observed_until_[m])})"
                for m in beyond
            ]
            warn_user(
                f"Spend beyond observed_until: {first_few(said)}. What the curve says "
                "there is extrapolated. Spend less, or raise observed_until if it is "
                "known further."
            )

    def _spend(self, frame):
        """Return spend, (n_rows, n_media), or raise if it is none."""
        where = row_namer(frame)
        spend = numeric_block(frame, self.media_, where)
        check_non_negative_media(spend, self.media_, where, type(self).__name__)
        return spend

    def _counterfactual(self, X=None, media_scale=None):
        """Return the `Counterfactual` of one row, None: today's."""
        rows = self._today
        if X is not None:
            rows = read_table(self, X, reset=False)
            self._warn_beyond(self._spend(rows))
        return CurvesCounterfactual(
            estimator=self,
            X=_one_row(rows),
            frame=rows,
            labels=self.media_,
            region=None,
            time=None,
            media_cost=np.ones(len(self.media_)),
            n_permutations=0,
            random_state=0,
        )


@dataclass(frozen=True, eq=False)
class CurvesCounterfactual(PredictedCounterfactual):
    """The counterfactual of given curves, which say where they end."""

    def groups(self, by: By) -> tuple[np.ndarray, list]:
        if by in ("region", "period"):
            raise ValueError(
                f"by={by!r} splits channels, and GivenCurves has one curve for all of "
                "a channel. Give each part a curve and a column of its own, called "
                "'tv Berlin' for instance."
            )
        return super().groups(by)

    def predicted_from(self, frame: pd.DataFrame) -> Array:
        """Return the prediction for the rows with other values, (n_rows,).

        Without a word on where curves end: whoever asks for a curve or a plan is told.
        """
        return self.estimator._caused(self.estimator._spend(frame))

    def observed_at(self, share: float, by: By = None) -> Array:
        """Return the multiple at which a curve ends; it begins at nothing."""
        end = self.estimator.observed_until_ if share > 0.5 else 0.0
        spend = self.spend_in(by).T
        return np.broadcast_to(end, len(self.labels))[:, None] / np.where(
            spend > 0, spend, np.nan
        )


def _one_row(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame, or raise if it has several rows."""
    if len(frame) != 1:
        raise ValueError(
            f"GivenCurves take one row, the spend of all that the curves are about; X "
            f"has {len(frame)}. Sum them: X.sum().to_frame().T."
        )
    return frame


def _read_curves(curves: Any, labels: list) -> Array:
    """Return the numbers of curves for channels, (4, n_media)."""
    if not isinstance(curves, pd.DataFrame):
        raise TypeError(
            f"curves must be a DataFrame indexed by channel, not a "
            f"{type(curves).__name__}."
        )
    missing = [name for name in _COLUMNS if name not in curves]
    if missing:
        unknown = "observed_until" in missing
        raise ValueError(
            f"curves lacks the columns {missing}."
            + (" Where nobody knows observed_until, write today's spend." * unknown)
        )
    twice = curves.index[curves.index.duplicated()]
    if len(twice):
        raise ValueError(f"curves has two rows of channel {twice[0]!r}; keep one.")
    known = list(curves.index)
    without = [label for label in labels if label not in known]
    if without:
        raise ValueError(
            f"X has columns without a curve, {listed(without)}: leave them out, or give"
            f" their curves.{did_you_mean(without[0], known)}"
        )
    unspent = [label for label in known if label not in labels]
    if unspent:
        raise ValueError(
            f"curves has channels that are no columns of X, {listed(unspent)}: add "
            "their spend, or leave them out."
        )
    values = numeric_block(
        curves.loc[labels], _COLUMNS, lambda i: f"channel {labels[i]!r}"
    )
    wrong = np.argwhere(~(values > 0))
    if len(wrong):
        i, j = wrong[0]
        raise ValueError(
            f"{_COLUMNS[j]} of channel {labels[i]!r} must be above zero, got "
            f"{values[i, j]:g}."
        )
    return values.T
