"""Periods: weeks, days or months read from dates, Periods, ISO strings or integers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

# From one season to the next; for days a multiple of seven, so that weekdays meet.
_SEASON_LENGTH = {"week": 52, "day": 364, "month": 12, "integer": 52}
PERIODS_PER_YEAR = {"week": 365.25 / 7, "day": 365.25, "month": 12.0}


@dataclass(frozen=True)
class Calendar:
    """A regular sequence of periods; ordinal 0 is the first training period.

    Attributes
    ----------
    unit : {"week", "day", "month", "integer"}
        Length of one period. Integers count periods of unknown length.
    origin : int
        First training period, in days (week, day) or months since 1970, or the
        integer itself.
    step : int
        Distance between neighbouring periods in the same units.
    """

    unit: str
    origin: int
    step: int
    periods_per_year: float | None = None

    @property
    def year(self):
        """Periods in a year; integers are taken as weeks."""
        if self.periods_per_year is not None:
            return float(self.periods_per_year)
        return PERIODS_PER_YEAR.get(self.unit, PERIODS_PER_YEAR["week"])

    @property
    def season_length(self):
        """Whole periods from one season to the next; whole weeks of days."""
        if self.periods_per_year is None:
            return _SEASON_LENGTH[self.unit]
        whole = 7 if self.unit == "day" and self.year >= 7 else 1
        return whole * max(round(self.year / whole), 1)

    def ordinals(self, column, label):
        """Return the period of every row, counted from the first training period."""
        stamps = _stamps(column, label)
        units = _in_units(stamps, self.unit, label)
        ordinal, off = np.divmod(units - self.origin, self.step)
        bad = np.flatnonzero(off)
        if len(bad):
            raise ValueError(
                f"The time column {label!r} has {column.iloc[bad[0]]} in row {bad[0]}, "
                f"which is not on the {self.unit} grid of the training data (it starts "
                f"at {self.label(0)})."
            )
        return ordinal

    def fourier(self, ordinals, n_harmonics):
        """Return yearly sines and cosines, and weekly ones for daily data.

        The phase is fixed by the date, so that later periods continue the season.

        Returns
        -------
        terms : ndarray of shape (n_terms, n_periods)
            Two per harmonic; daily data add three harmonics of the week.
        """
        # Counted from a fixed day, so that two calendars agree on the phase.
        time = self.origin / self.step + np.asarray(ordinals, dtype=np.float64)
        angles = [2 * np.pi * k * time / cycle for cycle, k in self._waves(n_harmonics)]
        terms = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        return np.array(terms).reshape(len(terms), len(time))

    def smoothness(self, n_harmonics):
        """Return how large each term of `fourier` is expected to be, shape (n_terms,).

        The k-th harmonic of the year falls with ``k ** -2``, the amplitude at which
        a season is as smooth as a spline; weekdays are as rough as they like.
        """
        sizes = [
            1.0 if cycle == 7.0 else k**-2.0 for cycle, k in self._waves(n_harmonics)
        ]
        return np.repeat(sizes, 2)

    def _waves(self, n_harmonics):
        """Return length of the cycle, in periods, and order of every harmonic."""
        waves = [(self.year, k) for k in range(1, n_harmonics + 1)]
        if self.unit == "day" and n_harmonics:
            waves += [(7.0, k) for k in (1, 2, 3)]
        return waves

    def value(self, ordinal):
        """Return the start of a period as a timestamp, or the integer."""
        if self.unit == "integer":
            return int(self.origin + self.step * ordinal)
        return pd.Timestamp(self.label(ordinal))

    def label(self, ordinal):
        """Return the period as people write it, e.g. ``2021-01-04``."""
        units = int(self.origin + self.step * ordinal)
        if self.unit == "integer":
            return str(units)
        if self.unit == "month":
            return str(np.datetime64(units, "M"))
        return str(np.datetime64(units, "D"))


def infer_calendar(column, label, periods_per_year=None):
    """Read the period length from the distances between the distinct times.

    Parameters
    ----------
    column : Series
        Datetimes, Periods, ISO strings or integers.
    label : str or int
        Name of the column, for messages.
    periods_per_year : float, default=None
        None: what the period length says.

    Returns
    -------
    calendar : Calendar

    Raises
    ------
    ValueError
        If times cannot be parsed, are missing, are all equal, or follow no regular
        weekly, daily or monthly grid.
    """
    stamps = _stamps(column, label)
    distinct = np.unique(stamps)
    if len(distinct) < 2:
        raise ValueError(
            f"The time column {label!r} has a single period ({column.iloc[0]}; "
            f"n_samples={len(column)}). At least two are needed to know their length; "
            "use time=None for rows without an order."
        )
    find = (
        _integer_calendar if np.issubdtype(stamps.dtype, np.integer) else _date_calendar
    )
    unit, origin, step = find(distinct, label)
    _check_span(distinct, unit, step, label)
    return Calendar(unit, int(origin), int(step), periods_per_year)


def _check_span(distinct, unit, step, label):
    """Raise if one time is so far off that it must be a typing error."""
    gaps = np.diff(distinct)
    if unit != "integer":
        days = {"week": 7, "day": 1, "month": 30}[unit]
        gaps = gaps / np.timedelta64(days, "D")
    else:
        gaps = gaps / step
    if gaps.max() > 100 * max(len(distinct), 10):
        far = int(np.argmax(gaps))
        raise ValueError(
            f"The time column {label!r} jumps from {str(distinct[far])[:10]} to "
            f"{str(distinct[far + 1])[:10]}, {gaps[far]:.0f} periods later. Correct "
            "the time, or leave out one side of the gap."
        )


def _integer_calendar(distinct, label):
    gaps = np.diff(distinct)
    _check_no_written_dates(distinct, gaps, label)
    step = gaps.min()
    bad = np.flatnonzero(gaps % step)
    if len(bad):
        raise ValueError(
            f"Mixed frequency in the time column {label!r}: periods are {step} apart, "
            f"but {distinct[bad[0] + 1]} follows {distinct[bad[0]]}."
        )
    return "integer", distinct[0], step


def _check_no_written_dates(distinct, gaps, label):
    """Raise for 20211231 and 202152, whose successors are not one more."""
    if 19000101 <= distinct[0] and distinct[-1] <= 21001231:
        text = pd.Series(distinct.astype(str))
        days = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
        if days.notna().all():
            raise ValueError(
                f"The time column {label!r} holds integers such as {distinct[0]}, "
                "which are dates written as YYYYMMDD. Convert them: "
                "pd.to_datetime(column, format='%Y%m%d')."
            )
    if 190001 <= distinct[0] and distinct[-1] <= 210053:
        turn = np.diff(distinct // 100) == 1
        within = (distinct % 100 >= 1) & (distinct % 100 <= 53)
        if within.all() and (gaps[turn] > 40).any():
            first = int(np.flatnonzero(turn)[0])
            raise ValueError(
                f"The time column {label!r} holds integers such as {distinct[first]} "
                f"followed by {distinct[first + 1]}, a year and a week or month, which "
                "are not evenly spaced. Convert them to dates, or number the periods."
            )


def _date_calendar(distinct, label):
    days = distinct.astype("datetime64[D]").astype(np.int64)
    gaps = np.diff(days)
    if gaps.min() == 0:
        raise ValueError(
            f"The time column {label!r} has two times within one day "
            f"({distinct[np.argmin(gaps)]}); hourly data are not supported, aggregate "
            "to days or weeks."
        )
    if gaps.min() == 7 and not (gaps % 7).any():
        return "week", days[0], 7
    months = distinct.astype("datetime64[M]").astype(np.int64)
    if 28 <= gaps.min() <= 31 and (np.diff(months) > 0).all() and _same_day(distinct):
        return "month", months[0], 1
    if gaps.min() == 1 and np.median(gaps) == 1:
        return "day", days[0], 1
    usual = int(np.median(gaps))
    if (gaps == usual).all():
        raise ValueError(
            f"The time column {label!r} has periods {usual} days apart. Use one row "
            "per week, day or month."
        )
    odd = int(np.flatnonzero(gaps != usual)[0])
    raise ValueError(
        f"Mixed frequency in the time column {label!r}: periods are mostly {usual} "
        f"days apart, but {str(distinct[odd + 1])[:10]} follows "
        f"{str(distinct[odd])[:10]} after {gaps[odd]} days. Use one row per week, day "
        "or month."
    )


def _same_day(distinct):
    """Say whether all dates are the same day of the month, or all its last day."""
    days = distinct.astype("datetime64[D]")
    first = days.astype("datetime64[M]").astype("datetime64[D]")
    is_last = (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")
    return len(np.unique(days - first)) == 1 or bool(is_last.all())


def _in_units(stamps, unit, label):
    kinds = ("integers", "dates")
    given = kinds[np.issubdtype(stamps.dtype, np.datetime64)]
    fitted = kinds[unit != "integer"]
    if given != fitted:
        raise ValueError(
            f"The time column {label!r} holds {given}, but the model was fitted on "
            f"{fitted}."
        )
    if unit == "integer":
        return stamps
    code = "datetime64[M]" if unit == "month" else "datetime64[D]"
    return stamps.astype(code).astype(np.int64)


def _stamps(column, label):
    """Return int64 for integers, datetime64 for everything that is a date."""
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"The time column {label!r} is missing in row {missing[0]}. Every row "
            "needs a period."
        )
    if isinstance(column.dtype, pd.PeriodDtype):
        return column.dt.to_timestamp().to_numpy()
    if is_bool_dtype(column.dtype):
        raise ValueError(f"The time column {label!r} holds booleans, not periods.")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object and all(isinstance(v, int | float) for v in column):
        column = column.astype(np.float64)
    if is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if is_numeric_dtype(column.dtype):
        return _whole_numbers(column.to_numpy(dtype=np.float64), label)
    return _dates(column, label)


def _whole_numbers(values, label):
    bad = np.flatnonzero(~(np.isfinite(values) & (values == np.round(values))))
    if len(bad):
        raise ValueError(
            f"The time column {label!r} has {values[bad[0]]} in row {bad[0]}; numbers "
            "must be whole periods."
        )
    return values.astype(np.int64)


def _dates(column, label):
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601"))
    except (TypeError, ValueError) as error:
        bad = _first_unparsable(column)
        raise ValueError(
            f"The time column {label!r} has {column.iloc[bad]!r} in row {bad}, which "
            "is not a date. Use datetimes, Periods, ISO strings (2021-01-04) or "
            "integers."
        ) from error
    return stamps.tz_localize(None).to_numpy()


def _first_unparsable(column):
    for i, value in enumerate(column):
        try:
            pd.to_datetime(pd.Series([value]), format="ISO8601")
        except (TypeError, ValueError):
            return i
    return 0
