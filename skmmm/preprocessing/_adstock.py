"""Spend carried over to later periods."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import softmax, xlogy

from skmmm._data.calendar import check_continuation, infer_calendar
from skmmm._data.checks import check_no_duplicates, numeric_block, region_values
from skmmm._data.panel import continue_panel, make_panel, missing_periods
from skmmm._data.tables import find_columns, row_namer
from skmmm._utils.docs import shared_docs
from skmmm._utils.sklearn import Interval, StrOptions
from skmmm._utils.typing import Column, Columns
from skmmm.preprocessing._base import (
    COLUMN,
    COLUMNS,
    FEATURES,
    POSITIVE,
    PerColumn,
    TableTransformer,
    codes_of,
    learn_regions,
    per_column,
    replace,
)

_PARAMETERS = """
max_lag : int, default=13
    Last period in which spend acts, counted from the period of spending.
columns : list of str or int, callable, or None, default=None
    Names or positions of the columns to carry over, or a function of X that
    returns them. None takes every numeric column of a frame (booleans are not), or
    every column of an array, apart from `region` and `time`. Negative values are
    allowed.
region : str or int, default=None
    Name or position of the region column. None: one series.
time : str or int, default=None
    Name or position of the time column: days, weeks, months or other periods, as
    dates, Periods, ISO strings or integers. None: rows have no order, so nothing
    carries over and values stay as they are.
gap : {"error", "mask"}, default="error"
    What to do in `transform` with whole periods missing between the training data
    and X: raise, or treat their spend as unknown.
"""
_ATTRIBUTES = """
kernel_ : ndarray of shape (n_columns, max_lag + 1)
    Weights, first entry lag 0; rows sum to one.
columns_ : list
    Labels of the columns.
regions_ : ndarray of shape (n_regions,) or None
    Regions seen in `fit`, sorted; None if `region` is None.
period_ : str or None
    Length of a period, as in `DeepCausalMMMRegressor`; None if `time` is None.
"""
Gap: TypeAlias = Literal["error", "mask"]


class _Adstock(TableTransformer):
    """Replace spend by a weighted mean of present and past spend.

    Subclasses write `_kernel(labels)`, of shape (n_columns, max_lag + 1).
    """

    _parameter_constraints = {
        "max_lag": [Interval(Integral, 0, None, closed="left")],
        "columns": COLUMNS,
        "region": COLUMN,
        "time": COLUMN,
        "gap": [StrOptions({"error", "mask"})],
    }

    def _learn(self, frame):
        labels, region, time = find_columns(
            frame, self.columns, region=self.region, time=self.time
        )
        media = numeric_block(frame, labels, row_namer(frame, region, time))
        self.columns_ = labels
        self.kernel_ = self._kernel(labels)
        self.regions_, code = learn_regions(frame, region)
        self.period_ = None
        if time is not None:
            values = None if self.regions_ is None else self.regions_[code]
            self._calendar = infer_calendar(frame[time], time, values)
            self.period_ = self._calendar.unit
            self._history = self._panel(frame, media, region, time)

    def _panel(self, frame, media, region, time):
        """Arrange rows by region and period; new regions come after `regions_`."""
        code, n_regions = self._codes(frame, region)
        period = self._calendar.ordinals(frame[time], time)
        check_no_duplicates(code, period, row_namer(frame, region, time))
        return make_panel(
            code, period, media, np.empty((len(media), 0)), n_regions=n_regions
        )

    def _codes(self, frame, region):
        code = codes_of(frame, region, self.regions_)
        if self.regions_ is None:
            return code, 1
        new = code < 0
        names, later = np.unique(region_values(frame, region)[new], return_inverse=True)
        code[new] = len(self.regions_) + later
        return code, len(self.regions_) + len(names)

    def _apply(self, frame):
        _, region, time = find_columns(frame, [], region=self.region, time=self.time)
        media = numeric_block(frame, self.columns_, row_namer(frame, region, time))
        if time is not None and self.columns_:
            media = self._carry_over(self._panel(frame, media, region, time))
        return replace(frame, self.columns_, media)

    def _carry_over(self, panel):
        """Return adstock of the rows of `panel`, shape (n_samples, n_columns)."""
        missing = missing_periods(self._history, panel)
        if len(missing) and self.gap == "error":
            raise ValueError(
                f"X has no row for {self._calendar.label(missing[0])}, which lies "
                f"between the training data (until "
                f"{self._calendar.label(self._history.periods[-1])}) and the last row "
                "of X, so that carry-over from it is unknown. Add the missing periods "
                "to X, or set gap='mask' to average over the known ones."
            )
        joint = continue_panel(self._history, panel)
        if self.gap == "error":
            check_continuation(joint, self._calendar, self.time, self.regions_)
        media, known = joint.history(self.max_lag)
        return joint.rows(_carry_known(media, known, self.kernel_).swapaxes(0, 1)).T


def _carry_known(media, known, kernel):
    """Convolve media with one kernel per column, averaging over the known lags.

    `media` is (n_regions, n_columns, max_lag + n_periods), zero where not `known`,
    (n_regions, max_lag + n_periods); `kernel` is (n_columns, max_lag + 1), lag 0 first.
    """
    adstock = _convolve(media, kernel)
    gaps = ~known.all(axis=1)
    if gaps.any():
        share = _convolve(known[gaps, None].astype(np.float64), kernel)
        adstock[gaps] /= np.maximum(share, 1e-9)
    return adstock


def _convolve(media, kernel):
    max_lag = kernel.shape[1] - 1
    n_periods = media.shape[2] - max_lag
    adstock = np.zeros((len(media), len(kernel), n_periods))
    for lag in range(max_lag + 1):
        start = max_lag - lag
        adstock += kernel[:, lag, None] * media[..., start : start + n_periods]
    return adstock


@shared_docs(_PARAMETERS, attributes=_ATTRIBUTES + FEATURES)
class GeometricAdstock(_Adstock):
    """Carry spend over to later periods with weights that fall geometrically.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad w_l = d^l / \\sum_k d^k

    with decay :math:`d` and :math:`L` the `max_lag` [1]_. The weights sum to one, so
    that steady spend keeps its level and its units.

    Parameters
    ----------
    decay : float, array-like of shape (n_columns,) or dict, default=0.5
        Share of the effect that remains after one period, in [0, 1): one number, or
        one per column, or a dict of column to number.

    Attributes
    ----------
    decay_ : ndarray of shape (n_columns,)
        Decay of each column.

    See Also
    --------
    DelayedAdstock : Weights with a later peak.
    WeibullAdstock : Weights of either form.
    HillSaturation : The step that usually follows.

    Notes
    -----
    The past of a row is read from X itself and, where X has no row, from the rows of
    `fit`: transforming the weeks after training continues from the spend before them,
    and values of X for training weeks replace those of `fit`. Before the first row of a
    region nothing was spent; a region that `fit` did not see has no earlier rows. Where
    a region has no row between two of its rows, its spend is unknown, and the weighted
    mean is taken over the known lags.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 1-2.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import GeometricAdstock
    >>> week = pd.date_range("2024-01-01", periods=4, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [7.0, 0.0, 0.0, 0.0]})
    >>> adstock = GeometricAdstock(decay=0.5, max_lag=2, time="week").fit(X[:2])
    >>> adstock.transform(X[:2])
            week   tv
    0 2024-01-01  4.0
    1 2024-01-08  2.0
    >>> adstock.transform(X[2:])
            week   tv
    2 2024-01-15  1.0
    3 2024-01-22  0.0
    """

    _parameter_constraints = {
        "decay": [Interval(Real, 0, 1, closed="left"), "array-like", dict],
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        decay: PerColumn = 0.5,
        max_lag: int = 13,
        columns: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        gap: Gap = "error",
    ):
        self.decay = decay
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.decay_ = per_column(
            self.decay, labels, "decay", above=0.0, below=1.0, closed=True
        )
        # xlogy: 0 * log(0) is 0, the weight of lag 0 when nothing remains.
        return softmax(xlogy(np.arange(self.max_lag + 1), self.decay_[:, None]), axis=1)


@shared_docs(_PARAMETERS, attributes=_ATTRIBUTES + FEATURES)
class DelayedAdstock(_Adstock):
    """Carry spend over with weights that peak some periods after the spending.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad
        w_l = d^{(l - \\theta)^2} / \\sum_k d^{(k - \\theta)^2}

    with decay :math:`d`, delay :math:`\\theta` and :math:`L` the `max_lag` [1]_. The
    weights sum to one, so that steady spend keeps its level and its units.

    Parameters
    ----------
    decay : float, array-like of shape (n_columns,) or dict, default=0.5
        In (0, 1); the closer to 1, the wider the peak. One number, or one per column,
        or a dict of column to number.
    delay : float, array-like of shape (n_columns,) or dict, default=1.0
        Periods from spending to the peak, non-negative, given like `decay`.

    Attributes
    ----------
    decay_, delay_ : ndarray of shape (n_columns,)
        Parameters of each column.

    See Also
    --------
    GeometricAdstock : Weights that fall from the start; its notes say what is taken as
        the past of a row.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import DelayedAdstock
    >>> week = pd.date_range("2024-01-01", periods=3, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [8.0, 0.0, 0.0]})
    >>> DelayedAdstock(delay=1.0, max_lag=2, time="week").fit_transform(X)
            week   tv
    0 2024-01-01  2.0
    1 2024-01-08  4.0
    2 2024-01-15  2.0
    """

    _parameter_constraints = {
        "decay": [Interval(Real, 0, 1, closed="neither"), "array-like", dict],
        "delay": [Interval(Real, 0, None, closed="left"), "array-like", dict],
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        decay: PerColumn = 0.5,
        delay: PerColumn = 1.0,
        max_lag: int = 13,
        columns: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        gap: Gap = "error",
    ):
        self.decay = decay
        self.delay = delay
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.decay_ = per_column(self.decay, labels, "decay", above=0.0, below=1.0)
        self.delay_ = per_column(self.delay, labels, "delay", above=0.0, closed=True)
        distance = (np.arange(self.max_lag + 1) - self.delay_[:, None]) ** 2
        return softmax(distance * np.log(self.decay_)[:, None], axis=1)


@shared_docs(_PARAMETERS, attributes=_ATTRIBUTES + FEATURES)
class WeibullAdstock(_Adstock):
    """Carry spend over with weights proportional to a Weibull density.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad
        w_l \\propto u_l^{k - 1} e^{-u_l^k}, \\qquad u_l = (l + 1/2) / \\lambda

    with shape :math:`k`, scale :math:`\\lambda` and :math:`L` the `max_lag` [1]_. The
    density is taken at the middle of each period. The weights sum to one, so that
    steady spend keeps its level and its units.

    Parameters
    ----------
    shape : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive. Up to 1 the weights fall from the start, above 1 they peak later. One
        number, or one per column, or a dict of column to number.
    scale : float, array-like of shape (n_columns,) or dict, default=2.0
        Positive, in periods, given like `shape`: the larger, the longer spend acts.

    Attributes
    ----------
    shape_, scale_ : ndarray of shape (n_columns,)
        Parameters of each column.

    See Also
    --------
    GeometricAdstock : Weights that fall geometrically; its notes say what is taken as
        the past of a row.

    References
    ----------
    .. [1] Robyn, "Adstock: Weibull PDF". Meta Marketing Science (2021).

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import WeibullAdstock
    >>> week = pd.date_range("2024-01-01", periods=3, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [8.0, 0.0, 0.0]})
    >>> adstock = WeibullAdstock(shape=2.0, max_lag=2, time="week")
    >>> adstock.fit_transform(X)["tv"].round(1).tolist()
    [2.0, 3.7, 2.3]
    """

    _parameter_constraints = {
        "shape": POSITIVE,
        "scale": POSITIVE,
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        shape: PerColumn = 1.0,
        scale: PerColumn = 2.0,
        max_lag: int = 13,
        columns: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        gap: Gap = "error",
    ):
        self.shape = shape
        self.scale = scale
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.shape_ = per_column(self.shape, labels, "shape", above=0.0)
        self.scale_ = per_column(self.scale, labels, "scale", above=0.0)
        reach = (np.arange(self.max_lag + 1) + 0.5) / self.scale_[:, None]
        shape = self.shape_[:, None]
        return softmax((shape - 1.0) * np.log(reach) - reach**shape, axis=1)
