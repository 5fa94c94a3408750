"""Forecasts that repeat past values."""

from __future__ import annotations

from numbers import Integral
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import check_no_duplicates, check_target, resolve_column
from skmmm._data.tables import read_table, row_namer
from skmmm._utils.docs import shared_docs
from skmmm._utils.sklearn import Interval, StrOptions
from skmmm._utils.typing import Array, Column, Table
from skmmm.preprocessing._base import COLUMN, FEATURES, codes_of, learn_regions

_PARAMETERS = """
region : str or int, default=None
    Name or position of the region column. None: one series.
unseen_region : {"error", "average"}, default="error"
    What to do in `predict` with a region that `fit` did not see: raise, or predict
    the mean over regions of their last values.
"""
_ATTRIBUTES = """
last_value_ : ndarray of shape (n_regions,)
    In KPI units, one entry if `region` is None.
regions_ : ndarray of shape (n_regions,) or None
    Regions in sorted order; None if `region` is None.
"""


class _NaiveRegressor(RegressorMixin, BaseEstimator):
    """Remembers the KPI of the training rows; ignores every other column of X.

    Subclasses write `_forecast(frame, code)`, and `_remember(y, code, period)` if the
    last value of each region is not all they need.
    """

    _parameter_constraints = {
        "region": COLUMN,
        "time": COLUMN,
        "unseen_region": [StrOptions({"error", "average"})],
    }

    def fit(self, X: Table, y: npt.ArrayLike) -> Self:
        """Remember the KPI.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table, rows in any order.
        y : array-like of shape (n_samples,)
            KPI.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a column is not there, or two rows are about the same region and period.
        """
        self._validate_params()
        frame = read_table(self, X, y, reset=True)
        kpi = check_target(column_or_1d(y, warn=True), len(frame), "row {}".format)
        region, time = self._label(frame, "region"), self._label(frame, "time")
        self.regions_, code = learn_regions(frame, region)
        if time is None:
            self.last_value_ = np.bincount(code, kpi) / np.bincount(code)
            self._remember(kpi, code, None)
            return self
        values = None if self.regions_ is None else self.regions_[code]
        self._calendar = infer_calendar(frame[time], time, values)
        period = self._calendar.ordinals(frame[time], time)
        check_no_duplicates(code, period, row_namer(frame, region, time))
        # Later rows overwrite earlier ones.
        order = np.argsort(period)
        self.last_value_ = np.empty(code.max() + 1)
        self.last_value_[code[order]] = kpi[order]
        self._remember(kpi, code, period)
        return self

    def predict(self, X: Table) -> Array:
        """Predict the KPI from past values of the same region.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table with the columns seen in `fit`, rows in any order.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            In KPI units.

        Raises
        ------
        ValueError
            If `unseen_region` is "error" and `fit` did not see a region of `X`.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        otherwise = "unseen_region='average'" if self.unseen_region == "error" else None
        region = self._label(frame, "region")
        code = codes_of(frame, region, self.regions_, otherwise=otherwise)
        return self._forecast(frame, code)

    def _remember(self, y, code, period):
        """Keep more than the last value; `period` is None without a time column."""

    def _label(self, frame, role):
        key = getattr(self, role)
        return None if key is None else resolve_column(frame, key, role)

    def _last(self, code):
        """Return the last value of each row's region; code -1 picks the average."""
        return np.append(self.last_value_, self.last_value_.mean())[code]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The features are not read.
        tags.regressor_tags.poor_score = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


@shared_docs(_PARAMETERS, attributes=_ATTRIBUTES + FEATURES)
class LastValueRegressor(_NaiveRegressor):
    """Predict the last KPI of each region seen in training.

    The naive forecast that any MMM has to beat over the next weeks [1]_. Takes the
    same X and y as the other models; columns other than region and time are ignored.

    Parameters
    ----------
    time : str or int, default=None
        Name or position of the time column. None: rows have no order, so that no row
        is the last, and the mean of the region's training rows is predicted.

    See Also
    --------
    SeasonalNaiveRegressor : Predict the value of a year before.
    skmmm.metrics.rolling_skill : Compare models with a naive forecast.

    References
    ----------
    .. [1] Hyndman, R. J. and Athanasopoulos, G. (2021). Forecasting: principles and
       practice, 3rd edition, section 5.2. OTexts.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.baselines import LastValueRegressor
    >>> X = pd.DataFrame({"region": ["A", "B", "A", "B"], "week": [2, 2, 1, 1]})
    >>> model = LastValueRegressor(region="region", time="week")
    >>> model = model.fit(X, [12.0, 70.0, 10.0, 90.0])
    >>> model.predict(pd.DataFrame({"region": ["B", "A"], "week": [3, 3]}))
    array([70., 12.])
    """

    def __init__(
        self,
        *,
        region: Column | None = None,
        time: Column | None = None,
        unseen_region: Literal["error", "average"] = "error",
    ):
        self.region = region
        self.time = time
        self.unseen_region = unseen_region

    def _forecast(self, frame, code):
        return self._last(code)


@shared_docs(_PARAMETERS, attributes=_ATTRIBUTES + FEATURES)
class SeasonalNaiveRegressor(_NaiveRegressor):
    """Predict the KPI of the same region one year before.

    For horizons beyond a year, the last year of training repeats [1]_. Where the
    training data have no row one year before, the region's last value is predicted.
    Takes the same X and y as the other models; columns other than region and time are
    ignored.

    Parameters
    ----------
    time : str or int, default=None
        Name or position of the time column: days, weeks, months or other periods, as
        dates, Periods, ISO strings or integers. None: rows have no order, and the mean
        of the region's training rows is predicted.
    season_length : int, default=None
        Periods from one season to the next. None: 52 weeks, 364 days (so that weekdays
        meet) or 12 months; integers count weeks.

    Attributes
    ----------
    season_length_ : int or None
        Periods from one season to the next; None if `time` is None.

    See Also
    --------
    LastValueRegressor : Predict the last value.

    References
    ----------
    .. [1] Hyndman, R. J. and Athanasopoulos, G. (2021). Forecasting: principles and
       practice, 3rd edition, section 5.2. OTexts.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.baselines import SeasonalNaiveRegressor
    >>> month = pd.date_range("2023-01-01", periods=14, freq="MS")
    >>> X = pd.DataFrame({"month": month})
    >>> model = SeasonalNaiveRegressor(time="month").fit(X[:12], range(12))
    >>> model.predict(X[12:])
    array([0., 1.])
    """

    _parameter_constraints = {
        **_NaiveRegressor._parameter_constraints,
        "season_length": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        region: Column | None = None,
        time: Column | None = None,
        season_length: int | None = None,
        unseen_region: Literal["error", "average"] = "error",
    ):
        self.region = region
        self.time = time
        self.season_length = season_length
        self.unseen_region = unseen_region

    def _remember(self, y, code, period):
        self.season_length_ = None
        if period is None:
            return
        self.season_length_ = self.season_length or self._calendar.season_length
        self._kpi = np.full((code.max() + 1, period.max() + 1), np.nan)
        self._kpi[code, period] = y

    def _forecast(self, frame, code):
        last = self._last(code)
        if self.time is None:
            return last
        time = resolve_column(frame, self.time, "time")
        period = self._calendar.ordinals(frame[time], time)
        n_periods = self._kpi.shape[1]
        # As many years back as it takes to reach the training data, at least one.
        beyond = np.maximum(period - n_periods, 0)
        source = period - self.season_length_ * (1 + beyond // self.season_length_)
        inside = (source >= 0) & (code >= 0)
        past = np.full(len(frame), np.nan)
        past[inside] = self._kpi[code[inside], source[inside]]
        return np.where(np.isnan(past), last, past)
