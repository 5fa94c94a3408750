"""Columns of times: dates, Periods, ISO strings or integers, read into numbers."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_integer_dtype,
    is_numeric_dtype,
    is_string_dtype,
)

# An ISO time of day, and the distance of its clock from UTC.
_OFFSET = re.compile(r"(?<=\d)(T\d\d|[T ]\d\d:?\d\d\S*?)\s?(Z|[+-]\d\d(:?\d\d)?)$")
# Whole numbers that count days since a date: first and last of the years in which
# they are taken for that, and the date.
_DAY_NUMBERS = (
    (14610, 25568, "1970-01-01"),  # 2010 to 2039
    (29221, 73050, "1899-12-30"),  # 1980 to 2099, of spreadsheets
)
_YEARS = 315532800, 4102444800  # 1980 to 2099, in seconds since 1970
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read_times(column, label):
    """Return the time of every row.

    Parameters
    ----------
    column : Series
        Datetimes, Periods, ISO strings or whole numbers. Of times in a time zone, what
        the clock there shows counts.
    label : str or int
        Name of the column, for messages.

    Returns
    -------
    times : ndarray of shape (n_rows,)
        int64 for numbers, datetime64 for everything that is a date.
    """
    _check_none_missing(column, label)
    if isinstance(column.dtype, pd.PeriodDtype):
        return column.dt.to_timestamp().to_numpy()
    if is_bool_dtype(column.dtype):
        raise ValueError(f"The time column {label!r} holds booleans, not periods.")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object and all(isinstance(v, int | float) for v in column):
        column = column.astype(np.float64)
    if is_integer_dtype(column.dtype) and column.max() <= np.iinfo(np.int64).max:
        return column.to_numpy(dtype=np.int64)
    if is_numeric_dtype(column.dtype):
        return _whole_numbers(column.to_numpy(dtype=np.float64), label)
    return _dates(column, label)


def _check_none_missing(column, label):
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"The time column {label!r} is missing in row {missing[0]}. Every row "
            "needs a period."
        )


def _whole_numbers(values, label):
    bad = np.flatnonzero(~(np.isfinite(values) & (values == np.round(values))))
    if len(bad):
        raise ValueError(
            f"The time column {label!r} has {values[bad[0]]} in row {bad[0]}; numbers "
            "must be whole periods."
        )
    largest = np.abs(values).max(initial=0.0)
    if largest >= 2.0**63:
        raise ValueError(
            f"The time column {label!r} has {largest:g}, which counts no periods."
        )
    return values.astype(np.int64)


def _dates(column, label):
    if is_string_dtype(column.dtype):  # of objects as well
        column = column.map(_on_its_clock)
    try:
        stamps = pd.Series(pd.to_datetime(column, format="ISO8601"))
    except (TypeError, ValueError) as error:
        bad = _first_unparsable(column)
        raise ValueError(
            f"The time column {label!r} has {column.iloc[bad]!r} in row {bad}, which "
            "is not a date. Use datetimes, Periods, ISO strings (2021-01-04) or "
            "integers."
        ) from error
    _check_none_missing(stamps, label)  # "" and "NaT" are text until here
    return stamps.dt.tz_localize(None).to_numpy()


def _on_its_clock(value):
    """Take the offset from UTC off a time, which may change within a column."""
    if isinstance(value, str):
        return _OFFSET.sub(r"\1", value)
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def _first_unparsable(column):
    for i, value in enumerate(column):
        try:
            pd.to_datetime(pd.Series([value]), format="ISO8601")
        except (TypeError, ValueError):
            return i
    return 0


def check_no_written_dates(distinct, label):
    """Raise if whole numbers are dates in disguise, which are not evenly spaced.

    Parameters
    ----------
    distinct : ndarray of shape (n_distinct,), int64
        Sorted.
    label : str or int
        Name of the column.
    """
    gaps = np.diff(distinct)
    for what, conversion in (
        _days_written_out(distinct),
        _count_of_days(distinct, gaps),
        _count_of_seconds(distinct, gaps),
    ):
        if what:
            raise ValueError(
                f"The time column {label!r} holds integers such as {distinct[0]}, "
                f"which are {what}. Convert them: {conversion}."
            )
    _check_no_year_and_week(distinct, gaps, label)


def _days_written_out(distinct):
    if not 19000101 <= distinct[0] <= distinct[-1] <= 21001231:
        return "", ""
    text = pd.Series(distinct.astype(str))
    days = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    if days.isna().any():
        return "", ""
    return "dates written as YYYYMMDD", "pd.to_datetime(column, format='%Y%m%d')"


def _count_of_days(distinct, gaps):
    for first, last, origin in _DAY_NUMBERS:
        if first <= distinct[0] <= distinct[-1] <= last and (
            gaps.min() == 1 or gaps.min() % 7 == 0 or 28 <= gaps.min() <= 31
        ):
            conversion = f"pd.to_datetime(column, unit='D', origin='{origin}')"
            return f"days counted from {origin}", conversion
    return "", ""


def _count_of_seconds(distinct, gaps):
    for unit, factor in _PER_SECOND.items():
        first, last = (factor * year for year in _YEARS)
        if (
            first <= distinct[0] <= distinct[-1] <= last
            and not (gaps % (3600 * factor)).any()
        ):
            return (
                f"times in {unit} since 1970",
                f"pd.to_datetime(column, unit={unit!r})",
            )
    return "", ""


def _check_no_year_and_week(distinct, gaps, label):
    """Raise for 202152 and 2152, whose successors are 202201 and 2201."""
    turn = np.diff(distinct // 100) == 1
    within = (distinct % 100 >= 1) & (distinct % 100 <= 53)
    if within.all() and (gaps[turn] > 40).any():
        first = int(np.flatnonzero(turn)[0])
        raise ValueError(
            f"The time column {label!r} holds integers such as {distinct[first]} "
            f"followed by {distinct[first + 1]}, a year and a week or month, which "
            "are not evenly spaced. Convert them to dates, or number the periods."
        )
    if within.all() and 190001 <= distinct[0] <= distinct[-1] <= 210053:
        raise ValueError(
            f"The time column {label!r} holds integers such as {distinct[0]}, a year "
            "and a week or month, which are not evenly spaced from one year to the "
            "next. Convert them to dates, or number the periods."
        )
