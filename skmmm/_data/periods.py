"""Units of time: what one is called, how long it is, how its periods are counted."""

from dataclasses import dataclass

import numpy as np

_YEAR = 365.25  # days


@dataclass(frozen=True)
class Unit:
    """A length of periods.

    Attributes
    ----------
    plural : str
        Several of them, in words.
    counted_in : {"day", "business day", "month", "integer"}
        What `start` and `step` of a calendar count.
    step : int
        Length of a period in that, of retail months a week; integers have their own.
    days : float
        Length of a period, about.
    per_year : float
    season : int
        Whole periods from one season to the next; of days, whole weeks.
    quarter : int
        Whole periods in a quarter, as far as they fit.
    week : int, default=1
        Periods after which weekdays meet again, 1 where they are not told apart.
    """

    plural: str
    counted_in: str
    step: int
    days: float
    per_year: float
    season: int
    quarter: int
    week: int = 1


UNITS = {
    "day": Unit("days", "day", 1, 1, _YEAR, 364, 91, week=7),
    "business day": Unit(
        "business days", "business day", 1, 1.4, _YEAR * 5 / 7, 260, 65, week=5
    ),
    "week": Unit("weeks", "day", 7, 7, _YEAR / 7, 52, 13),
    "two weeks": Unit("two-week periods", "day", 14, 14, _YEAR / 14, 26, 6),
    "four weeks": Unit("four-week periods", "day", 28, 28, _YEAR / 28, 13, 3),
    "month": Unit("months", "month", 1, 30, 12.0, 12, 3),
    "retail month": Unit("retail months", "day", 7, 30, 12.0, 12, 3),
    "quarter": Unit("quarters", "month", 3, 91, 4.0, 4, 1),
    # Taken as weeks where a year matters.
    "integer": Unit("periods", "integer", 1, 7, _YEAR / 7, 52, 13),
}


def one_of(unit):
    """Return a period in words: "week", "four-week period", "period" for integers."""
    if unit == "integer":
        return "period"
    return f"{grid_of(unit)} period" if unit.endswith("weeks") else unit


def several(unit):
    """Return periods in words: "weeks", "four-week periods"."""
    return UNITS[unit].plural if unit in UNITS else f"{unit}s"


def grid_of(unit):
    """Return what goes before "grid" in words: "week", "four-week"."""
    return unit.replace(" weeks", "-week")


def count(stamps, counted_in):
    """Return how many days, business days or months since 1970 times are.

    Parameters
    ----------
    stamps : ndarray of shape (n,), datetime64
    counted_in : {"day", "business day", "month"}
        Saturdays and Sundays count as the Friday before.

    Returns
    -------
    counts : ndarray of shape (n,), int64
    """
    if counted_in == "month":
        return stamps.astype("datetime64[M]").astype(np.int64)
    days = stamps.astype("datetime64[D]").astype(np.int64)
    if counted_in == "day":
        return days
    week, weekday = np.divmod(days + 3, 7)  # 1970 began on a Thursday
    return 5 * week + np.minimum(weekday, 4) - 3


def is_weekend(stamps):
    """Return which times are on a Saturday or Sunday, shape (n,)."""
    return (stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7 > 4


def is_month_end(stamps):
    """Return which times are on the last day of a month, shape (n,)."""
    days = stamps.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    return (days + 1).astype("datetime64[M]") != month


def first_day(counts, counted_in):
    """Return the first day of each period from its count, datetime64[D]."""
    counts = np.asarray(counts, dtype=np.int64)
    if counted_in == "month":
        return counts.astype("datetime64[M]").astype("datetime64[D]")
    if counted_in == "business day":
        week, weekday = np.divmod(counts + 3, 5)
        counts = 7 * week + weekday - 3
    return counts.astype("datetime64[D]")
