"""The table of coming periods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skmmm._data.checks import Columns as Roles
from skmmm._data.checks import (
    as_frame,
    check_labels,
    check_not_empty,
    labels_of,
    resolve_columns,
)
from skmmm._data.costs import is_number
from skmmm._data.periods import UNITS
from skmmm._unwrapping import rows_of
from skmmm._utils.labels import listed, shown
from skmmm._utils.typing import Array, Column, Columns, Table
from skmmm._utils.warnings import warn_user
from skmmm.scenarios._gaps import by_weekday
from skmmm.scenarios._past import Past, read_past
from skmmm.scenarios._planned import Plan, planned_controls, planned_spend, repeated

NO_TIME = (
    "make_future_frame needs a time column: rows without an order have no coming "
    "periods."
)

_MOST_NAMED = 10  # rows in a warning

# Ways to write a period as text; a later one only if the earlier do not fit.
_TEXT_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m",
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
)


def make_future_frame(
    X: Table,
    periods: int,
    *,
    media: Columns,
    controls: Columns = None,
    region: Column | None = None,
    time: Column,
    spend: Plan = "last_year",
    control_values: Plan = None,
    periods_per_year: float | None = None,
) -> pd.DataFrame:
    """Make the table of the periods that follow X, with spend as planned.

    There is one row for each coming period and each region that has a row in the last
    period of X. Nothing is filled in that the plan does not say, but for short gaps in
    what it repeats.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        One row per region and period, in any order; usually the training table. Every
        column must have a role. A Polars frame, an array or `Effects` are read too.
    periods : int
        Number of coming periods (weeks, days, months or what else X has).
    media : list of str or int, str, int, callable or None
        Media columns, by name or position. None: every column not named otherwise.
    controls : list of str or int, str, int, callable or None, default=None
        Control columns.
    region : str, int or None, default=None
        Column with the region. None: one series.
    time : str or int
        Column with the period: datetimes, Periods, ISO strings or integers.
    spend : str, mapping or DataFrame, default="last_year"
        Spend per period, in the units of the media columns of X.

        - "last_year": what each region spent one season before (52 weeks, 364 days, 260
          business days, 12 months, 4 quarters; 52 periods of integers; or
          `periods_per_year`). Beyond one season, the last season repeats. Where a
          region has no row for up to a twelfth of a season in a row, the mean of its
          nearest rows before and after is repeated (of days, those of the same
          weekday); columns in which regions never differ are as in other regions.
        - "last_periods": the last `periods` periods of X, repeated in order.
        - A mapping from every channel to "last_year", "last_periods", a number, an
          array-like with one number per coming period, or a Series that is indexed like
          a DataFrame below. Numbers are spend of all regions together; regions get the
          shares that they had of the channel's mean spend in the last season of X (in
          all of X, if it is shorter).
        - A DataFrame with a column per channel and the coming periods as a column, or
          an index level, called like `time` (an index of dates or Periods may be
          without a name). Each period occurs once, with spend of all regions together;
          or, if there is also a column or an index level called like `region`, once per
          region, with the spend of the region.
    control_values : str, mapping, DataFrame or None, default=None
        Values of the controls, as `spend`; but a number is the value in every region.
        Required if there are controls.
    periods_per_year : float or None, default=None
        Length of the season, in periods: 13 for integers that count periods of four
        weeks, 4 for those that count quarters. Rounded, of days to whole weeks. None:
        read from the dates; integers are taken as weeks.

    Returns
    -------
    future : DataFrame of shape (n_regions * periods, n_columns)
        The columns of X in their order, sorted by period, then region. Columns have the
        dtype of X, except that values it cannot hold (half a unit in a column of
        integers) become floats, and categorical times and objects what they hold.

    Warns
    -----
    UserWarning
        If regions of X have no row in its last period (they have ended and are left
        out; if they only report late, add their rows), for short gaps that are filled
        to be repeated, or if channels began only after what is repeated and so have no
        spend in the coming periods.

    Raises
    ------
    ValueError
        If a column has no role, if X does not reach back far enough or has no row for
        longer than such a gap whose spend or control is to be repeated, if a plan does
        not cover every channel (or control), coming period and region exactly once, or
        if spend is negative or a value no finite number.

    See Also
    --------
    compare_scenarios : Compare what a model predicts for such tables.

    Examples
    --------
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.scenarios import make_future_frame
    >>> data = load_mmm_example()
    >>> columns = {"media": data.media, "controls": data.controls}
    >>> columns |= {"region": "region", "time": "week"}
    >>> controls = {"price": 20.0, "holiday": "last_year"}
    >>> future = make_future_frame(data.X, 13, **columns, control_values=controls)
    >>> future.shape
    (156, 10)
    >>> plan = dict.fromkeys(data.media, "last_year") | {"tv": 60_000}
    >>> more = make_future_frame(
    ...     data.X, 13, **columns, spend=plan, control_values=controls
    ... )
    >>> more.groupby("week")["tv"].sum().round().unique()
    array([60000.])
    """
    frame = as_frame(rows_of(X)).infer_objects()
    check_not_empty(frame)
    check_labels(frame)
    if time is None:
        raise ValueError(NO_TIME)
    columns = resolve_columns(
        frame, media=media, controls=controls, region=region, time=time
    )
    return coming_frame(
        frame,
        periods,
        columns=columns,
        spend=spend,
        control_values=control_values,
        periods_per_year=periods_per_year,
    )


def coming_frame(
    frame: pd.DataFrame,
    periods: int,
    *,
    columns: Roles,
    spend: Plan,
    control_values: Plan,
    periods_per_year: float | None,
) -> pd.DataFrame:
    """Make the table of coming periods from a frame whose columns have roles."""
    _check_roles(frame, columns)
    periods = _check_periods(periods)
    past = read_past(frame, columns, periods, _check_year(periods_per_year))
    values = planned_spend(spend, past) | planned_controls(control_values, past)
    _warn_filled(past, repeated(spend, past), repeated(control_values, past))
    _warn_new(past, spend)
    return _lay_out(values, past)


def _warn_new(past: Past, spend: Plan) -> None:
    """Warn of channels without spend to come because they began after what repeats."""
    new = []
    for label in past.columns.media:
        plan = spend.get(label) if isinstance(spend, Mapping) else spend
        source = repeated(plan, past)
        spent = np.flatnonzero(past.grid(label).any(axis=0))
        if len(source) and len(spent) and source[-1] < spent[0]:
            new.append(label)
    if new:
        warn_user(
            f"No spend in the coming periods for {listed(new)}: what is repeated lies "
            "before their first spend. Plan them otherwise, as in make_future_frame("
            f"{past.n_periods}, spend='last_periods'), or with numbers or a DataFrame "
            "as spend, and pass the table as X."
        )


def _warn_filled(past: Past, *sources: np.ndarray) -> None:
    """Warn of rows that X lacks and that were filled to be repeated."""
    source = np.unique(np.concatenate(sources))
    region, column = np.nonzero(past.lacks()[:, source])
    cells = zip(region[:_MOST_NAMED], source[column[:_MOST_NAMED]], strict=True)
    names = [past.where(r, t) for r, t in cells]
    if not names:
        return
    more = len(region) - len(names)
    rows = "rows of its weekday" if by_weekday(past.calendar) else "rows"
    own, shared = "", ""
    if past.columns.region is not None:
        own = " in its region"
        shared = "; columns in which regions never differ are as in others"
    warn_user(
        f"X has no row for {'; '.join(names)}{f'; and {more} more' if more else ''}, "
        "which the coming periods repeat. In place of each stands the mean of the "
        f"nearest {rows} before and after{own}{shared}. Add what is known of them to X."
    )


def _check_periods(periods: Any) -> int:
    if isinstance(periods, bool) or not isinstance(periods, Integral) or periods < 1:
        raise ValueError(
            f"periods must be an integer of at least 1, got {shown(periods)}."
        )
    return int(periods)


def _check_year(periods_per_year: Any) -> float | None:
    if periods_per_year is None:
        return None
    if not is_number(periods_per_year) or periods_per_year <= 1:
        raise ValueError(
            f"periods_per_year={periods_per_year!r} must be a number above 1, or None."
        )
    return float(periods_per_year)


def _check_roles(frame: pd.DataFrame, columns: Roles) -> None:
    """Raise if a column of X is none of media, controls, region and time."""
    named = {*columns.media, *columns.controls, columns.region, columns.time}
    others = [label for label in labels_of(frame) if label not in named]
    if others:
        raise ValueError(
            f"X has columns without a role: {others}. What they will be in coming "
            "periods is unknown. Name those that a model reads under controls, and "
            "drop the others (the KPI, for example) from X."
        )


def _lay_out(values: dict[Any, Array], past: Past) -> pd.DataFrame:
    """Return the rows of the coming periods, in the columns of X."""
    n_regions, n_periods = past.shape
    future = {}
    for label in past.frame.columns:
        column = past.frame[label]
        if label == past.columns.time:
            times = _coming_times(column, past)
            future[label] = times.repeat(n_regions).array
        elif label == past.columns.region:
            future[label] = column.iloc[np.tile(past.rows, n_periods)].array
        else:
            future[label] = _like(values[label].T.ravel(), column.dtype)
    return pd.DataFrame(future)


def _like(values, dtype):
    """Return values with a dtype if it can hold them, up to rounding of floats."""
    values = pd.Series(values)
    if pd.api.types.is_float_dtype(dtype):
        return values.astype(dtype).array
    try:
        same = values.astype(dtype)
    except (TypeError, ValueError):  # no whole numbers
        return values.array
    return same.array if (same.astype(values.dtype) == values).all() else values.array


def _coming_times(column: pd.Series, past: Past) -> pd.Series:
    """Return the coming periods as X writes them, a Series of shape (P,)."""
    calendar, label = past.calendar, past.columns.time
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    values = [calendar.value(past.n_known + p) for p in range(past.n_periods)]
    if calendar.unit == "integer":
        return pd.Series(_like(values, column.dtype))
    starts = pd.DatetimeIndex(values)
    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.Series(starts.to_period(column.dtype.freq))
    stamps = pd.to_datetime(column, format="ISO8601")
    zone = stamps.dt.tz
    coming = pd.Series(_from_starts(starts, stamps.dt.tz_localize(None), calendar))
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return coming.dt.tz_localize(zone).astype(column.dtype)
    if isinstance(column.iloc[0], date) and not isinstance(column.iloc[0], datetime):
        return coming.dt.date.astype(object)
    return _as_text(coming, stamps, column, label)


def _from_starts(starts, stamps, calendar):
    """Return the coming times of day and, where months count, days of the month."""
    last = stamps.max()
    starts = starts + (last - last.normalize())
    if UNITS[calendar.unit].counted_in != "month":
        return starts
    # Month ends are the 31st, where there is one.
    day = np.minimum(stamps.dt.day.max(), starts.days_in_month)
    return starts + pd.to_timedelta(day - 1, unit="D")


def _as_text(coming, stamps, column, label):
    """Return times in the format in which all of a column are written."""
    for written in _TEXT_FORMATS:
        if (stamps.dt.strftime(written) == column).all():
            return coming.dt.strftime(written).astype(column.dtype)
    raise ValueError(
        f"The time column {label!r} has {column.iloc[0]!r}, a way to write dates that "
        "cannot be continued. Convert it: pd.to_datetime(column)."
    )
