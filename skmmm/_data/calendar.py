"""Periods: days, weeks, months and others, read from dates, ISO strings or integers."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from skmmm._data.periods import (
    UNITS,
    count,
    first_day,
    grid_of,
    is_month_end,
    is_weekend,
    several,
)
from skmmm._data.retail import RetailMonths, read_retail_months
from skmmm._data.times import check_no_written_dates, read_times

# In the order of the days since 1970.
_WEEKDAYS = (
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
)
# Daily rows over fewer days may miss a day of the week by chance.
_SPAN_OF_WEEKDAYS = 28
_DAYS_OF_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Calendar:
    """A regular sequence of periods; ordinal 0 is the first training period.

    Attributes
    ----------
    unit : str
        Length of one period, a key of `UNITS`. Integers count periods of unknown
        length.
    origin : int
        First training period, in days, business days or months since 1970, as its unit
        is counted, or the integer itself.
    step : int
        Distance between neighbouring periods in the same units; of retail months, a
        week.
    periods_per_year : float, default=None
        None: what the unit says.
    months : RetailMonths, default=None
        None for other units.
    """

    unit: str
    origin: int
    step: int
    periods_per_year: float | None = None
    months: RetailMonths | None = None

    @property
    def year(self):
        """Periods in a year; integers are taken as weeks."""
        if self.periods_per_year is not None:
            return float(self.periods_per_year)
        return UNITS[self.unit].per_year

    @property
    def week(self):
        """Periods after which weekdays meet again, 1 where they are not told apart."""
        return UNITS[self.unit].week

    @property
    def season_length(self):
        """Whole periods from one season to the next; whole weeks of days."""
        if self.periods_per_year is None:
            return UNITS[self.unit].season
        whole = self.week if self.year >= self.week else 1
        return whole * max(round(self.year / whole), 1)

    def ordinals(self, column, label):
        """Return the period of every row, counted from the first training period."""
        stamps = read_times(column, label)
        units = _in_units(stamps, self.unit, label)
        ordinal, off = np.divmod(units - self.origin, self.step)
        off = off != 0
        if self.months is not None:
            ordinal, between = self.months.month_that_begins(ordinal)
            off |= between
        if self.unit == "business day":
            off |= is_weekend(stamps)
        bad = np.flatnonzero(off)
        if len(bad):
            raise ValueError(
                f"The time column {label!r} has {column.iloc[bad[0]]} in row {bad[0]}, "
                f"which is not on the {grid_of(self.unit)} grid of the training data "
                f"(it starts at {self.label(0)})."
            )
        return ordinal

    def period_of(self, column, label):
        """Return the period that holds the time of every row: any of its days."""
        units = _in_units(read_times(column, label), self.unit, label)
        steps = (units - self.origin) // self.step
        return steps if self.months is None else self.months.month_of(steps)

    def days(self, column, label):
        """Return the first day of the period of every row, and how many days it has.

        Quarters may be dated by their last day, other periods by their first; of months
        any day will do.

        Returns
        -------
        first : ndarray of shape (n_rows,), int
            In days since 1970.
        n_days : ndarray of shape (n_rows,), int
        """
        ordinal, stamps = self.ordinals(column, label), read_times(column, label)
        if self.months is not None:
            n_weeks = self.months.start(ordinal + 1) - self.months.start(ordinal)
            return count(stamps, "day"), 7 * n_weeks
        if UNITS[self.unit].counted_in != "month":
            return count(stamps, "day"), np.full(len(stamps), self.step)
        month = count(stamps, "month")
        if self.unit == "quarter":
            month = np.where(is_month_end(stamps), month - self.step + 1, month)
        first, stop = (
            first_day(m, "month").astype(np.int64) for m in (month, month + self.step)
        )
        return first, stop - first

    def since_1970(self, ordinals):
        """Return periods counted from a fixed day, not from the first training row.

        Two calendars of the same periods agree on it, up to whole periods.
        """
        start = self.origin / self.step
        if self.unit == "quarter":
            # Of four periods, waves must not fall between.
            start = np.floor(start)
        if self.months is not None:
            # By the day on which the months of five weeks begin.
            place = self.months.weeks.index(5)
            day = self.origin + self.step * self.months.start(place)
            start = np.round(day / _DAYS_OF_MONTH) - place
        return start + ordinals

    def fourier(self, ordinals, n_harmonics):
        """Return yearly sines and cosines, and weekly ones for daily data.

        The phase is fixed by the date, so that later periods continue the season.

        Returns
        -------
        terms : ndarray of shape (n_terms, n_periods)
            Two per harmonic, of quarters three in all; daily data add three harmonics
            of the week, business days two.
        """
        time = self.since_1970(np.asarray(ordinals, dtype=np.float64))
        terms = [
            wave(2 * np.pi * k * time / cycle)
            for cycle, k, wave in self._waves(n_harmonics)
        ]
        return np.array(terms).reshape(len(terms), len(time))

    def season(self, ordinals, n_harmonics):
        """Return the terms of `fourier` in their expected size, (n_terms, T)."""
        terms = self.fourier(ordinals, n_harmonics)
        return terms * self.smoothness(n_harmonics)[:, None]

    def smoothness(self, n_harmonics):
        """Return how large each term of `fourier` is expected to be, shape (n_terms,).

        The k-th harmonic of the year falls with ``k ** -2``, the amplitude at which
        a season is as smooth as a spline; weekdays are as rough as they like.
        """
        sizes = [
            1.0 if cycle == self.week else k**-2.0
            for cycle, k, _ in self._waves(n_harmonics)
        ]
        return np.array(sizes, dtype=np.float64)

    def _waves(self, n_harmonics):
        """Return cycle in periods, order, and sine or cosine of every harmonic."""
        waves = [(self.year, k) for k in range(1, n_harmonics + 1)]
        if self.week > 1 and n_harmonics:
            waves += [(float(self.week), k) for k in range(1, self.week // 2 + 1)]
        both = [(*wave, f) for wave in waves for f in (np.sin, np.cos)]
        if self.unit == "quarter":  # a season of four has no more
            both = both[:2] + both[3:4]
        return both

    def value(self, ordinal):
        """Return the start of a period as a timestamp, or the integer."""
        if self.unit == "integer":
            return int(self.origin + self.step * ordinal)
        return pd.Timestamp(self.label(ordinal))

    def label(self, ordinal):
        """Return the period as people write it, e.g. ``2021-01-04``."""
        if self.unit == "integer":
            return str(self.value(ordinal))
        if self.months is not None:
            ordinal = self.months.start(ordinal)
        units = int(self.origin + self.step * ordinal)
        counted_in = UNITS[self.unit].counted_in
        if counted_in == "month":
            return str(np.datetime64(units, "M"))
        return str(first_day(np.array([units]), counted_in)[0])


def infer_calendar(column, label, region=None, periods_per_year=None):
    """Read the period length from the distances between neighbouring times.

    Neighbours are times of the same region: those of two regions may differ although
    both have weeks.

    Parameters
    ----------
    column : Series of shape (n_rows,)
        Datetimes, Periods, ISO strings or integers.
    label : str or int
        Name of the column, for messages.
    region : ndarray of shape (n_rows,), default=None
        Region of every row; None: one series.
    periods_per_year : float, default=None
        None: what the period length says.

    Returns
    -------
    calendar : Calendar

    Raises
    ------
    ValueError
        If times cannot be parsed, are missing, are all equal, or follow no regular
        grid, the same in all regions.
    """
    if not len(column):
        raise ValueError(f"X has no rows, so the time column {label!r} is empty.")
    series = _arrange(read_times(column, label), label, region)
    distinct = np.unique(series.stamp)
    if len(distinct) < 2:
        raise ValueError(
            f"The time column {label!r} has a single period ({column.iloc[0]}; "
            f"n_samples={len(column)}). At least two are needed to know their length; "
            "use time=None for rows without an order."
        )
    if not series.inside.any():
        raise ValueError(
            f"No region has two periods in the time column {label!r}, so their length "
            "is unknown. Use more periods, or time=None for rows without an order."
        )
    begin = partial(Calendar, periods_per_year=periods_per_year)
    if np.issubdtype(series.stamp.dtype, np.integer):
        check_no_written_dates(distinct, label)
        step = int(_integer_step(series))
        _check_span(distinct, step, label)
        calendar = begin("integer", int(distinct[0]), step)
    else:
        unit, months = _date_unit(series)
        _check_span(distinct, np.timedelta64(round(24 * UNITS[unit].days), "h"), label)
        first = int(count(distinct[:1], UNITS[unit].counted_in)[0])
        calendar = begin(unit, first, UNITS[unit].step, months=months)
    _check_one_grid(series, calendar)
    period = calendar.ordinals(pd.Series(series.stamp), label)
    _check_rhythm(series.code, period, calendar, label, series.names)
    if calendar.week > 1:
        _check_weekdays(series, calendar)
    return calendar


@dataclass(frozen=True, eq=False)
class _Series:
    """Distinct times of each region, sorted by region and time.

    Attributes
    ----------
    stamp : ndarray of shape (n,), int64 or datetime64
    code : ndarray of shape (n,), int
        Position of the region in `names`.
    names : list of regions, or None
    label : str or int
        Name of the time column.
    """

    stamp: np.ndarray
    code: np.ndarray
    names: list | None
    label: object

    @property
    def inside(self):
        """Whether a time and the next are of one region, shape (n - 1,)."""
        return np.diff(self.code) == 0

    def gaps(self, units):
        """Return distances between neighbours, and where the first of them is."""
        return np.diff(units)[self.inside], np.flatnonzero(self.inside)

    def of(self, *codes):
        """Say which regions, nothing for one series."""
        return _of(self.names, *codes)

    def date(self, i):
        """Return a time as people write it."""
        return str(self.stamp[i])[:10]


def _of(names, *codes):
    """Say which regions, nothing without names."""
    if names is None:
        return ""
    said = [repr(names[code]) for code in codes]
    more = f" and {len(said) - 3} more" if len(said) > 3 else ""
    return f" in region{'s' if len(said) > 1 else ''} {', '.join(said[:3])}{more}"


def _arrange(stamp, label, region):
    names, code = None, np.zeros(len(stamp), dtype=np.int64)
    if region is not None:
        found, code = np.unique(region, return_inverse=True)
        names = found.tolist()
    order = np.lexsort((stamp, code))
    stamp, code = stamp[order], code[order]
    new = np.ones(len(stamp), dtype=bool)
    new[1:] = (stamp[1:] != stamp[:-1]) | (code[1:] != code[:-1])
    return _Series(stamp[new], code[new], names, label)


def _check_span(distinct, step, label):
    """Raise if one time is so far off that it must be a typing error."""
    gaps = np.diff(distinct) / step
    if gaps.max() > 100 * max(len(distinct), 10):
        far = int(np.argmax(gaps))
        raise ValueError(
            f"The time column {label!r} jumps from {str(distinct[far])[:10]} to "
            f"{str(distinct[far + 1])[:10]}, {gaps[far]:.0f} periods later. Correct "
            "the time, or leave out one side of the gap."
        )


def _integer_step(series):
    gaps, at = series.gaps(series.stamp)
    step = gaps.min()
    bad = at[np.flatnonzero(gaps % step)]
    if len(bad):
        first, usual = bad[0], at[np.argmin(gaps)]
        raise ValueError(
            f"Mixed frequency in the time column {series.label!r}: periods are {step} "
            f"apart{series.of(series.code[usual])}, but {series.stamp[first + 1]} "
            f"follows {series.stamp[first]}{series.of(series.code[first])}."
        )
    return step


def _date_unit(series):
    """Return the unit of dates, and the months of a retail calendar or None."""
    days = series.stamp.astype("datetime64[D]").astype(np.int64)
    gaps, at = series.gaps(days)
    shortest, usual = gaps.min(), int(np.median(gaps))
    if shortest == 0:
        raise ValueError(
            f"The time column {series.label!r} has two times within one day "
            f"({series.stamp[at[np.argmin(gaps)]]}); hourly data are not supported, "
            "aggregate to days or weeks."
        )
    if shortest == usual == 1:
        return "business day" if _are_business_days(days) else "day", None
    if 28 <= shortest <= 92 and _same_day(series, days)[at].all():
        months = series.gaps(series.stamp.astype("datetime64[M]").astype(np.int64))[0]
        if months.min() == 1:
            return "month", None
        if months.min() == 3 and not (months % 3).any():
            return "quarter", None
    for unit in ("week", "two weeks", "four weeks"):
        step = UNITS[unit].step
        if shortest == step and not (gaps % step).any():
            return unit, None
    months = read_retail_months(np.unique(days)) if shortest == 28 else None
    if months is not None:
        return "retail month", months
    if (gaps == usual).all():
        raise ValueError(
            f"The time column {series.label!r} has periods {usual} days apart. Use one "
            "row per day, week, two or four weeks, month or quarter."
        )
    raise _mixed(series, gaps, at)


def _are_business_days(days):
    """Say whether days of four weeks or more are all from Monday to Friday."""
    weekday = np.unique((days + 3) % 7)  # Monday is 0
    return np.ptp(days) >= _SPAN_OF_WEEKDAYS and np.array_equal(weekday, np.arange(5))


def _same_day(series, days):
    """Say which times are followed by the same day of a later month, or both end one.

    Returns
    -------
    same : ndarray of shape (n - 1,), bool
    """
    month = series.stamp.astype("datetime64[M]")
    day = days - month.astype("datetime64[D]").astype(np.int64)
    is_last = is_month_end(series.stamp)
    same = (np.diff(day) == 0) | (is_last[1:] & is_last[:-1])
    return same & (np.diff(month.astype(np.int64)) > 0)


def _mixed(series, gaps, at):
    """Return the error that says where the usual distance is not kept."""
    usual = int(np.median(gaps))
    odd = int(np.flatnonzero(gaps != usual)[0])
    code = series.code[at]
    # The usual distance as close by as there is one.
    regular = np.argmax((gaps == usual) * (1 + (code == code[odd])))
    elsewhere = "" if code[regular] == code[odd] else series.of(code[regular])
    return ValueError(
        f"Mixed frequency in the time column {series.label!r}: periods are mostly "
        f"{_days(usual)} apart{elsewhere}, but "
        f"{series.date(at[odd] + 1)} follows {series.date(at[odd])} after "
        f"{_days(gaps[odd])}{series.of(code[odd])}. Use one row per day, "
        "week, two or four weeks, month or quarter."
    )


def _days(n):
    return f"{n} day{'s' if n != 1 else ''}"


def _check_one_grid(series, calendar):
    """Raise if periods of one length begin at different times, region by region."""
    units = _in_units(series.stamp, calendar.unit, series.label)
    phase = units % calendar.step
    _, first = np.unique(phase, return_index=True)
    if len(first) == 1:
        return
    first = np.sort(first)
    if calendar.unit == "week":
        begin = [_WEEKDAYS[units[i] % 7] for i in first]
    elif calendar.unit == "integer":
        begin = [f"from {units[i]}" for i in first]
    else:
        begin = [f"from {series.date(i)}" for i in first]
    found = "; ".join(
        said + series.of(*np.unique(series.code[phase == phase[i]]))
        for i, said in zip(first, begin, strict=True)
    )
    if calendar.unit == "integer":
        raise ValueError(
            f"The periods of the time column {series.label!r} are {calendar.step} "
            f"apart, but do not meet: {found}. Number them alike in all regions."
        )
    if calendar.unit != "week":
        raise ValueError(
            f"The {several(calendar.unit)} of the time column {series.label!r} do not "
            f"meet: {found}. All regions need periods that begin together."
        )
    raise ValueError(
        f"Weeks begin on different weekdays in the time column {series.label!r}: "
        f"{found}. Move them to one weekday. If the dates are first days of weeks, the "
        f"nearest Monday is (pd.to_datetime(X[{series.label!r}]) + "
        "pd.Timedelta(days=3)).dt.to_period('W').dt.start_time."
    )


def _check_weekdays(series, calendar):
    """Raise if daily rows of a region leave out a day of the week, every week."""
    days = series.stamp.astype("datetime64[D]").astype(np.int64)
    present = np.zeros((series.code[-1] + 1, 7), dtype=bool)
    present[series.code, days % 7] = True
    if calendar.unit == "business day":
        present[:, [2, 3]] = True  # Saturdays and Sundays
    codes = np.arange(len(present))
    first = days[np.searchsorted(series.code, codes, "left")]
    last = days[np.searchsorted(series.code, codes, "right") - 1]
    lacks = ~present.all(axis=1) & (last - first >= _SPAN_OF_WEEKDAYS)
    if lacks.any():
        code = np.flatnonzero(lacks)[0]
        absent = [_WEEKDAYS[d] for d in (4, 5, 6, 0, 1, 2, 3) if not present[code, d]]
        raise ValueError(
            f"The daily rows of the time column {series.label!r} never are on a "
            f"{' or '.join(absent)}{series.of(code)}. Coming periods would have these "
            "days: aggregate to weeks, or add rows for them (of spend and KPI zero, if "
            "nothing happens then)."
        )


def check_continuation(panel, calendar, label, regions):
    """Raise if a region goes on in longer periods than those of training.

    Parameters
    ----------
    panel : Panel
        Training rows and later ones.
    calendar : Calendar
        Of the training rows.
    label : str or int
        Name of the time column.
    regions : ndarray of shape (n_regions,), or None
        Those of the training rows; None: one series.
    """
    code, column = np.nonzero(panel.observed)
    names = None
    if regions is not None:
        names = regions.tolist() + ["unseen"] * (panel.shape[0] - len(regions))
    _check_rhythm(code, panel.first_period + column, calendar, label, names)


def _check_rhythm(code, ordinal, calendar, label, names):
    """Raise if a region has longer periods than the calendar for a while.

    Scattered missing periods are none of that: what counts are at least three equal
    steps in a row, give or take a quarter, that leave out eight periods together.

    Parameters
    ----------
    code : ndarray of shape (n,), int
        Region of every row, increasing.
    ordinal : ndarray of shape (n,), int
        Period of every row, increasing within regions.
    calendar : Calendar
    label : str or int
        Name of the time column.
    names : list of regions, or None
        For messages.
    """
    inside = np.diff(code) == 0
    step = np.where(inside, np.diff(ordinal), 1)
    alike = np.minimum(step[1:], step[:-1]) >= 0.8 * np.maximum(step[1:], step[:-1])
    run = np.cumsum(~np.concatenate([[True], alike & inside[1:] & inside[:-1]]))
    long = (np.bincount(run) >= 3) & (np.bincount(run, step - 1) >= 8)
    if not long.any():
        return
    of_run = np.flatnonzero(run == np.argmax(long))
    single = np.flatnonzero(inside & (step == 1))
    # A step of one period: of the same region, behind the long ones, or elsewhere.
    near = (code[single] == code[of_run[0]]) * (1 + (single > of_run[-1]))
    usual = single[np.argmax(near)]

    def said(first, last, n):
        times = calendar.label(ordinal[first]), calendar.label(ordinal[last])
        pace = f"{_pace(calendar, n)} apart from {times[0]} to {times[1]}"
        return pace + _of(names, code[first])

    raise ValueError(
        f"Mixed frequency in the time column {label!r}: periods are "
        f"{said(of_run[0], of_run[-1] + 1, step[of_run].max())}, but "
        f"{said(usual, usual + 1, 1)}. Use rows of one length in all regions and at "
        "all times."
    )


def _pace(calendar, n):
    """Return n periods in words."""
    if calendar.unit == "integer":
        return str(n * calendar.step)
    if UNITS[calendar.unit].counted_in != "day" or calendar.months is not None:
        return f"{n} {calendar.unit if n == 1 else several(calendar.unit)}"
    return _days(n * calendar.step)


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
    return count(stamps, UNITS[unit].counted_in)
