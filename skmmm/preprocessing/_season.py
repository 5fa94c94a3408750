"""Sines and cosines of the time of the year."""

from numbers import Integral, Real

import numpy as np

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import region_values, resolve_column
from skmmm._data.tables import find_columns
from skmmm._utils.docs import shared_docs
from skmmm._utils.sklearn import Interval
from skmmm._utils.typing import Column
from skmmm.preprocessing._base import COLUMN, FEATURES, ColumnMaker, check_new_names


@shared_docs("", attributes=FEATURES)
class FourierSeason(ColumnMaker):
    """Add sines and cosines of the time of the year as columns.

    The columns ``sin1``, ``cos1``, ``sin2``, ... come last; all other columns stay as
    they are. For daily data the columns ``weekday_sin1`` to ``weekday_cos3`` (business
    days: ``weekday_cos2``), which make any pattern over the days of the week, follow
    [1]_. The phase depends on the
    date only, so the columns of later rows continue those of the training rows.

    Parameters
    ----------
    region : str or int, default=None
        Name or position of the region column, within which the length of a period is
        read. None: one series, or regions with the same periods.
    time : str or int, default=None
        Name or position of the time column: days, weeks, months or other periods, as
        dates, Periods, ISO strings or integers. None: rows have no order and no column
        is added.
    order : int, default=2
        Number of harmonics, each a sine and a cosine; below half of the periods in a
        season. 0 adds none for the year. Quarters have two at most, and of the second
        only the cosine.
    period : float, default=None
        Length of the season, in periods of the data. None: one year, where integers
        count weeks, and for daily data the week as well.

    Attributes
    ----------
    period_ : str or None
        Length of a period of the data, as in `DeepCausalMMMRegressor`; None if `time`
        is None.

    References
    ----------
    .. [1] Hyndman, R. J. and Athanasopoulos, G. (2021). Forecasting: principles and
       practice, 3rd edition, section 7.4. OTexts.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import FourierSeason
    >>> month = pd.date_range("2024-01-01", periods=4, freq="MS")
    >>> X = pd.DataFrame({"month": month, "price": 9.9})
    >>> X = FourierSeason(time="month", order=1).fit_transform(X)
    >>> X.columns.tolist()
    ['month', 'price', 'sin1', 'cos1']
    >>> X[["sin1", "cos1"]].round(2)
       sin1  cos1
    0  0.00  1.00
    1  0.50  0.87
    2  0.87  0.50
    3  1.00  0.00
    """

    _parameter_constraints = {
        "region": COLUMN,
        "time": COLUMN,
        "order": [Interval(Integral, 0, None, closed="left")],
        "period": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        *,
        region: Column | None = None,
        time: Column | None = None,
        order: int = 2,
        period: float | None = None,
    ):
        self.region = region
        self.time = time
        self.order = order
        self.period = period

    def _learn(self, frame):
        self.period_ = None
        self._waves = []
        if self.time is None:
            return
        _, region, label = find_columns(frame, [], region=self.region, time=self.time)
        values = None if region is None else region_values(frame, region)
        self._calendar = infer_calendar(frame[label], label, values)
        self.period_ = self._calendar.unit
        length = self._calendar.year if self.period is None else self.period
        waves = [("", k, length) for k in range(1, self.order + 1)]
        self._waves = [(*wave, f) for wave in waves for f in ("sin", "cos")]
        if self.period_ == "quarter" and self.order == 2 == length / 2:
            del self._waves[2]  # zero in all quarters
        elif self.order >= length / 2:
            raise ValueError(
                f"order={self.order} is too high for a season of {length:g} periods: "
                "it must be below half of that."
            )
        week = self._calendar.week
        if self.period is None and week > 1:
            waves = [("weekday_", k, float(week)) for k in range(1, week // 2 + 1)]
            self._waves += [(*wave, f) for wave in waves for f in ("sin", "cos")]
        check_new_names(frame.columns, self._names(), "season column")

    def _names(self):
        return [f"{kind}{f}{k}" for kind, k, _, f in self._waves]

    def _apply(self, frame):
        columns = dict.fromkeys(frame.columns)
        if not self._waves:
            return columns
        label = resolve_column(frame, self.time, "time")
        ordinals = self._calendar.ordinals(frame[label], label)
        periods = self._calendar.since_1970(ordinals)
        for name, (_, k, length, f) in zip(self._names(), self._waves, strict=True):
            # Whole turns are taken off first: they would cost digits of the sine.
            angle = 2.0 * np.pi * (k * periods / length % 1.0)
            columns[name] = np.sin(angle) if f == "sin" else np.cos(angle)
        return columns

    def _names_out(self, names):
        return [*names, *self._names()]
