"""Periods: weeks, days or months read from dates, Periods, ISO strings or integers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmmm._data.times import check_no_written_dates, read_times

# From one season to the next; for days a multiple of seven, so that weekdays meet.
_SEASON_LENGTH = {"week": 52, "day": 364, "month": 12, "integer": 52}
PERIODS_PER_YEAR = {"week": 365.25 / 7, "day": 365.25, "month": 12.0}


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
        stamps = read_times(column, label)
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

    def period_of(self, column, label):
        """Return the period that holds the time of every row: any of its days."""
        units = _in_units(read_times(column, label), self.unit, label)
        return (units - self.origin) // self.step

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
        weekly, daily or monthly grid, the same in all regions.
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
    if np.issubdtype(series.stamp.dtype, np.integer):
        check_no_written_dates(distinct, label)
        unit, step = "integer", _integer_step(series)
    else:
        unit, step = _date_step(series)
    _check_span(distinct, unit, step, label)
    units = _in_units(series.stamp, unit, label)
    calendar = Calendar(unit, int(units.min()), int(step), periods_per_year)
    _check_one_grid(series, units, calendar)
    _check_rhythm(
        series.code, (units - units.min()) // step, calendar, label, series.names
    )
    if unit == "day":
        _check_weekdays(series, units)
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


def _date_step(series):
    """Return the unit of dates, and the step between them in it."""
    days = series.stamp.astype("datetime64[D]").astype(np.int64)
    gaps, at = series.gaps(days)
    if gaps.min() == 0:
        raise ValueError(
            f"The time column {series.label!r} has two times within one day "
            f"({series.stamp[at[np.argmin(gaps)]]}); hourly data are not supported, "
            "aggregate to days or weeks."
        )
    if gaps.min() == 7 and not (gaps % 7).any():
        return "week", 7
    if 28 <= gaps.min() <= 31 and _same_day(series, days)[at].all():
        return "month", 1
    usual = int(np.median(gaps))
    if gaps.min() == usual == 1:
        return "day", 1
    if (gaps == usual).all():
        raise ValueError(
            f"The time column {series.label!r} has periods {usual} days apart. Use one "
            "row per week, day or month."
        )
    raise _mixed(series, gaps, at)


def _same_day(series, days):
    """Say which times are followed by the same day of a later month, or both end one.

    Returns
    -------
    same : ndarray of shape (n - 1,), bool
    """
    month = series.stamp.astype("datetime64[M]")
    day = days - month.astype("datetime64[D]").astype(np.int64)
    is_last = (days + 1).astype("datetime64[D]").astype("datetime64[M]") != month
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
        f"{_days(gaps[odd])}{series.of(code[odd])}. Use one row per week, day or month."
    )


def _days(n):
    return f"{n} day{'s' if n != 1 else ''}"


def _check_one_grid(series, units, calendar):
    """Raise if periods of one length begin at different times, region by region."""
    phase = units % calendar.step
    _, first = np.unique(phase, return_index=True)
    if len(first) == 1:
        return
    begin = {i: f"from {units[i]}" for i in np.sort(first)}
    if calendar.unit == "week":
        begin = {i: _WEEKDAYS[units[i] % 7] for i in begin}
    found = "; ".join(
        said + series.of(*np.unique(series.code[phase == phase[i]]))
        for i, said in begin.items()
    )
    if calendar.unit == "integer":
        raise ValueError(
            f"The periods of the time column {series.label!r} are {calendar.step} "
            f"apart, but do not meet: {found}. Number them alike in all regions."
        )
    raise ValueError(
        f"Weeks begin on different weekdays in the time column {series.label!r}: "
        f"{found}. Move them to one weekday. If the dates are first days of weeks, the "
        f"nearest Monday is (pd.to_datetime(X[{series.label!r}]) + "
        "pd.Timedelta(days=3)).dt.to_period('W').dt.start_time."
    )


def _check_weekdays(series, days):
    """Raise if daily rows of a region leave out a day of the week, every week."""
    present = np.zeros((series.code[-1] + 1, 7), dtype=bool)
    present[series.code, days % 7] = True
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
    if calendar.unit == "month":
        return f"{n} month{'s' if n != 1 else ''}"
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
    code = "datetime64[M]" if unit == "month" else "datetime64[D]"
    return stamps.astype(code).astype(np.int64)
