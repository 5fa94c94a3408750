"""Tables for coming periods, and what one plan of spend brings against another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from numbers import Integral
from warnings import warn

import numpy as np
import pandas as pd

from skmmm._data.calendar import Calendar, infer_calendar
from skmmm._data.checks import (
    Columns,
    as_frame,
    assign_roles,
    check_labels,
    check_no_duplicates,
    check_non_negative_media,
    check_not_empty,
    check_once,
    labels_of,
    numeric_block,
    region_values,
    resolve_column,
    resolve_columns,
    resolve_many,
)
from skmmm._data.costs import is_number
from skmmm._data.panel import Panel, make_panel
from skmmm._data.tables import region_codes, row_namer
from skmmm._unwrapping import unwrap
from skmmm.inspection._intervals import bounds, tail_probability

__all__ = ["compare_scenarios", "make_future_frame"]

_PATTERNS = ("last_year", "last_periods")
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
    X,
    periods,
    *,
    media,
    controls=None,
    region=None,
    time,
    spend="last_year",
    control_values=None,
    periods_per_year=None,
):
    """Make the table of the periods that follow X, with spend as planned.

    There is one row for each coming period and each region that has a row in the last
    period of X. What a model is to predict is then up to the plan: nothing is filled
    that was not asked for.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        One row per region and period, in any order; usually the training table. Every
        column must have a role. A Polars frame or an array is read too.

    periods : int
        Number of coming periods (weeks, days, months or steps of integers, as in X).

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

        - "last_year": what each region spent one season before (52 weeks, 364 days, 12
          months; 52 periods of integers; or `periods_per_year`). Beyond one season, the
          last season repeats.
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
        weeks, 4 for quarters. Rounded, of days to whole weeks. None: read from the
        dates; integers are taken as weeks.

    Returns
    -------
    future : DataFrame of shape (n_regions * periods, n_columns)
        The columns of X in their order, sorted by period, then region. Columns have the
        dtype of X, except that values it cannot hold (half a unit in a column of
        integers) become floats, and categorical times and objects what they hold.

    Warns
    -----
    UserWarning
        If regions of X have no row in its last period. They have ended and are left
        out; if they only report late, add their rows.

    Raises
    ------
    ValueError
        If a column has no role, if X does not reach back far enough or has no row for a
        region and period whose spend or control is to be repeated, if a plan does not
        cover every channel (or control), coming period and region exactly once, or if
        spend is negative or a value no finite number.

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
    frame = as_frame(X).infer_objects()
    check_not_empty(frame)
    check_labels(frame)
    if time is None:
        raise ValueError(
            "make_future_frame needs a time column: rows without an order have no "
            "coming periods."
        )
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


def coming_frame(frame, periods, *, columns, spend, control_values, periods_per_year):
    """Make the table of coming periods, as `make_future_frame`, by resolved columns.

    Parameters
    ----------
    frame : DataFrame
    columns : Columns
        Labels of the frame.
    periods, spend, control_values, periods_per_year
        As in `make_future_frame`.
    """
    _check_roles(frame, columns)
    periods = _check_periods(periods)
    past = _read_past(frame, columns, periods, _check_year(periods_per_year))
    values = _planned_spend(spend, past) | _planned_controls(control_values, past)
    return _lay_out(values, past)


def compare_scenarios(
    estimator,
    scenarios,
    *,
    baseline=None,
    confidence_level=0.9,
    media=None,
    region=None,
    time=None,
):
    """Compare the total KPI that a fitted model predicts for several tables.

    Differences come from common draws: each draw of the parameters predicts all
    scenarios, and what is uncertain about them alike cancels. An interval of a
    difference is therefore much narrower than the intervals of the totals suggest.

    Parameters
    ----------
    estimator : fitted estimator
        With `predict`. Bounds need draws as well, which
        :class:`~skmmm.DeepCausalMMMRegressor` has, alone, as the last step of a
        pipeline or as the best estimator of a search.

    scenarios : mapping of str to DataFrame
        Tables to predict, each with the same regions and periods, in any order and
        written alike: spend and controls may differ.

    baseline : str, default=None
        Scenario to compare with. None: the first.

    confidence_level : float in (0, 1), default=0.9

    media : list of str or int, str, int, callable or None, default=None
        Columns whose spend counts. None: those of the estimator, or of the last step of
        a pipeline.

    region, time : str, int or None, default=None
        Columns that must agree between scenarios. None: those of the estimator. Where
        it has none either, only the numbers of rows are compared.

    Returns
    -------
    comparison : DataFrame indexed by scenario
        In the order of `scenarios`, with the columns

        - ``kpi``: sum of `predict` over all rows, in KPI units, with ``kpi_low`` and
          ``kpi_high``;
        - ``difference``: ``kpi`` minus that of the baseline, with ``difference_low``
          and ``difference_high``;
        - ``probability_better``: share of draws in which the KPI is higher than in the
          baseline; ties count half, so that it is .5 for the baseline itself;
        - ``spend``: total of the media columns, in money if the model has a
          `media_cost`, else in the units of X; channels that `media_cost` does not name
          are not money and do not count. NaN if the model has costs, and steps before
          it change a media column: what a unit of X costs is unknown;
        - ``difference_spend``: ``spend`` minus that of the baseline;
        - ``marginal_roi``: ``difference / difference_spend``, KPI units gained
          per unit of spend added, or lost per unit saved. NaN where spend is equal, and
          where the total of a channel that is not money differs.

        Without draws ``kpi_low``, ``kpi_high``, ``difference_low``, ``difference_high``
        and ``probability_better`` are NaN.

    Raises
    ------
    ValueError
        If scenarios are not about the same regions and periods, `baseline` is none of
        them, or media columns are unknown, missing, negative or not finite.

    See Also
    --------
    make_future_frame : Make tables for coming periods.

    Notes
    -----
    Intervals are about the expected KPI: they hold doubt about the parameters and about
    the level so far, not what single periods will add by chance, so that observed
    totals scatter more widely. Points come from `predict`, at the mode, which need not
    be in the middle of the draws. What spend carries into periods after those of X is
    not counted: channels that act late look worse in short scenarios.

    Any estimator takes part in the bounds if it has a method
    ``_draws_of_prediction(X)`` that returns the expected KPI of every row under every
    draw, an ndarray of shape (n_draws, n_rows), with the same draws at each call; or
    None without draws.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.scenarios import compare_scenarios, make_future_frame
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> columns = {"media": world.media, "controls": world.controls}
    >>> columns |= {"region": "region", "time": "week"}
    >>> model = DeepCausalMMMRegressor(**columns, n_draws=8, random_state=0)
    >>> model = model.fit(world.X, world.y)
    >>> same = make_future_frame(world.X, 13, **columns, control_values="last_year")
    >>> more = same.assign(media_1=1.2 * same["media_1"])
    >>> table = compare_scenarios(model, {"as last year": same, "more": more})
    >>> bool(table.loc["more", ["difference", "difference_spend"]].gt(0).all())
    True
    """
    tail = tail_probability(confidence_level)
    base = _baseline_position(scenarios, baseline)
    inside = unwrap(estimator)
    tables = {name: inside.frame(X).infer_objects() for name, X in scenarios.items()}
    columns = _find_roles(inside, list(tables.values())[base], media, region, time)
    _check_comparable(tables, columns, base)
    units = np.array([_units(name, tables[name], columns) for name in tables])
    kpi = np.array([np.sum(estimator.predict(X)) for X in scenarios.values()])
    draws = _total_draws(inside, scenarios.values())
    table = _compare_kpi(kpi, draws, base, tail)
    cost = _costs(inside, scenarios.values(), columns.media)
    table |= _compare_spend(units, cost, base)
    table["marginal_roi"] = table["difference"] / table.pop("extra_spend")
    return pd.DataFrame(table, index=pd.Index(list(tables), name="scenario"))


@dataclass(frozen=True, eq=False)
class _Past:
    """What is known, and the regions (R) and coming periods (P) that are asked for.

    Attributes
    ----------
    frame : DataFrame
    columns : Columns
    calendar : Calendar
    panel : Panel
        All rows of the frame, T periods.
    rows : ndarray of shape (n_regions,)
        Row of each coming region in the last period.
    going : ndarray of shape (n_regions,)
        Position of each coming region in the panel.
    regions : ndarray of shape (n_regions,)
        Names of the coming regions.
    n_periods : int
        Number of coming periods.
    """

    frame: pd.DataFrame
    columns: Columns
    calendar: Calendar
    panel: Panel
    rows: np.ndarray
    going: np.ndarray
    regions: np.ndarray
    n_periods: int

    @property
    def shape(self):
        """Number of regions and of coming periods."""
        return len(self.going), self.n_periods

    @property
    def n_known(self):
        """Number of periods from the first to the last of X."""
        return self.panel.shape[1]

    @property
    def season(self):
        """Periods in a year."""
        return self.calendar.season_length

    def grid(self, label):
        """Return a column of X on the grid of coming regions, shape (R, T)."""
        labels = (*self.columns.media, *self.columns.controls)
        values = np.concatenate([self.panel.media, self.panel.controls], axis=2)
        return values[self.going][..., labels.index(label)]

    def where(self, region, period):
        """Say which region and which period, counted from the first of X."""
        time = f"{self.columns.time} {self.calendar.label(period)}"
        if self.columns.region is None:
            return time
        return f"region {self.regions[region].item()!r}, {time}"


def _check_periods(periods):
    if isinstance(periods, bool) or not isinstance(periods, Integral) or periods < 1:
        raise ValueError(f"periods={periods!r} must be an integer of at least 1.")
    return int(periods)


def _check_year(periods_per_year):
    if periods_per_year is None:
        return None
    if not is_number(periods_per_year) or periods_per_year <= 1:
        raise ValueError(
            f"periods_per_year={periods_per_year!r} must be a number above 1, or None."
        )
    return float(periods_per_year)


def _check_roles(frame, columns):
    """Raise if a column of X is none of media, controls, region and time."""
    named = {*columns.media, *columns.controls, columns.region, columns.time}
    others = [label for label in labels_of(frame) if label not in named]
    if others:
        raise ValueError(
            f"X has columns without a role: {others}. What they will be in coming "
            "periods is unknown. Name those that a model reads under controls, and "
            "drop the others (the KPI, for example) from X."
        )


def _read_past(frame, columns, periods, periods_per_year):
    """Check the rows of X and arrange them on the grid of regions and periods."""
    where = row_namer(frame, columns.region, columns.time)
    regions, code = np.array(["all"]), np.zeros(len(frame), dtype=np.int64)
    values = None
    if columns.region is not None:
        values = region_values(frame, columns.region)
        regions, code = np.unique(values, return_inverse=True)
    calendar = infer_calendar(
        frame[columns.time], columns.time, values, periods_per_year
    )
    period = calendar.ordinals(frame[columns.time], columns.time)
    check_no_duplicates(code, period, where)
    media = numeric_block(frame, columns.media, where)
    check_non_negative_media(media, columns.media, where, "make_future_frame")
    controls = numeric_block(frame, columns.controls, where)
    panel = make_panel(code, period, media, controls, n_regions=len(regions))
    _warn_ended(panel, regions, calendar)
    last = np.flatnonzero(period == period.max())
    last = last[np.argsort(code[last])]
    going = code[last]
    return _Past(frame, columns, calendar, panel, last, going, regions[going], periods)


def _warn_ended(panel, regions, calendar):
    """Warn of regions without a row in the last period."""
    ended = np.flatnonzero(~panel.observed[:, -1])
    if len(ended):
        first = ended[0]
        seen = np.flatnonzero(panel.observed[first])[-1]
        warn(
            f"{len(ended)} region(s) have no row in the last period of X, "
            f"{calendar.label(panel.shape[1] - 1)}, and are left out: "
            f"{regions[ended].tolist()} ({regions[first].item()!r} ends "
            f"{calendar.label(seen)}). If they only report late, add their rows.",
            UserWarning,
            stacklevel=5,
        )


def _planned_spend(spend, past):
    """Return the spend of every channel: label to ndarray of shape (R, P)."""
    given = _read_plan(spend, past, past.columns.media, "spend", "channel")
    planned = {}
    for label, values in given.items():
        _check_not_negative(values, label, past)
        if values.ndim == 1:
            values = _divide(values, label, past)
        planned[label] = values
    return planned


def _planned_controls(control_values, past):
    """Return the values of every control: label to ndarray of shape (R, P)."""
    given = {} if control_values is None else control_values
    given = _read_plan(given, past, past.columns.controls, "control_values", "control")
    return {c: np.broadcast_to(values, past.shape) for c, values in given.items()}


def _read_plan(given, past, labels, name, role):
    """Return what is planned per column: shape (P,) for all regions, or (R, P)."""
    if isinstance(given, str):
        given = dict.fromkeys(labels, given)
    if hasattr(given, "columns"):
        values = _read_table(as_frame(given), past, name)
        _check_complete(values, labels, name, role)
    elif isinstance(given, Mapping):
        _check_complete(given, labels, name, role)
        values = {
            label: _read_values(given[label], past, label, f"{name}[{label!r}]")
            for label in labels
        }
    else:
        raise ValueError(
            f"{name} must be one of {list(_PATTERNS)}, a mapping from the columns to "
            f"values, or a DataFrame, not {type(given).__name__}."
        )
    for label in labels:
        _check_finite(values[label], label, past, name)
    return values


def _check_complete(given, labels, name, role):
    """Raise if a plan lacks a column, or has one that is none of them."""
    for label in labels:
        if label not in given:
            raise ValueError(
                f"{name} does not say what {role} {label!r} will be. Give a number, "
                "one number per coming period, 'last_year' or 'last_periods', as in "
                f"{name}={{{label!r}: 'last_year', ...}}, or a DataFrame with all of "
                f"{list(labels)}."
            )
    unknown = [label for label in given if label not in labels]
    if unknown:
        raise ValueError(
            f"{name} has {unknown[0]!r}, which is no {role}. Those are {list(labels)}."
        )


def _read_values(value, past, label, name):
    """Return what a mapping says of one column: shape (P,), or (R, P)."""
    if isinstance(value, str):
        return _repeat(value, past, label, name)
    if isinstance(value, pd.Series):
        return _read_table(value.to_frame(label), past, name)[label]
    values = _as_numbers(value, name)
    if values.ndim == 0:
        return np.full(past.n_periods, values)
    if values.shape != (past.n_periods,):
        raise ValueError(
            f"{name} has shape {values.shape}, but {past.n_periods} periods are asked "
            "for: give one number for each. For regions that differ, give a Series "
            "indexed by region and period."
        )
    return values


def _repeat(pattern, past, label, name):
    """Return a column of X as it was in the periods to repeat, shape (R, P)."""
    source = _source(pattern, past, name)
    region, column = np.nonzero(~past.panel.observed[past.going][:, source])
    if len(region):
        where = past.where(region[0], source[column[0]])
        raise ValueError(
            f"{name}={pattern!r} repeats {where}, but X has no row for it. Add the row "
            "to X, or plan numbers."
        )
    return past.grid(label)[:, source]


def _source(pattern, past, name):
    """Return the periods of X that a pattern repeats, shape (P,)."""
    ahead = np.arange(past.n_periods)
    if pattern == "last_year":
        if past.n_known < past.season:
            raise ValueError(
                f"{name}='last_year' needs {past.season} periods of history, but X has "
                f"{past.n_known}. Use 'last_periods', or plan numbers."
            )
        return past.n_known - past.season + ahead % past.season
    if pattern == "last_periods":
        if past.n_known < past.n_periods:
            raise ValueError(
                f"{name}='last_periods' repeats the last {past.n_periods} periods, but "
                f"X has {past.n_known}. Ask for fewer, or plan numbers."
            )
        return past.n_known - past.n_periods + ahead
    raise ValueError(f"{name}={pattern!r} must be one of {list(_PATTERNS)}.")


def _read_table(plan, past, name):
    """Return the columns of a planned table: label to shape (P,), or (R, P)."""
    region, time = past.columns.region, past.columns.time
    plan = _keys_as_columns(plan, region, time)
    if time not in plan:
        raise ValueError(
            f"{name} has no periods: add {time!r} as a column or as an index level."
        )
    by_region = region is not None and region in plan
    period = _planned_periods(plan, past, name)
    code = _planned_regions(plan, past, name) if by_region else 0
    shape = past.shape if by_region else (past.n_periods,)
    cell = code * past.n_periods + period
    _check_once(cell, shape, past, name)
    order = np.argsort(cell)
    return {
        label: _as_numbers(plan[label], f"{name}[{label!r}]")[order].reshape(shape)
        for label in plan.columns
        if label not in (region, time)
    }


def _keys_as_columns(plan, region, time):
    """Move region and time from the index of a table into its columns."""
    nameless = plan.index.nlevels == 1 and plan.index.name is None
    if nameless and time not in plan and not isinstance(plan.index, pd.RangeIndex):
        plan = plan.rename_axis(time)
    # pandas would take names that are integers for positions of levels.
    names = list(plan.index.names)
    levels = plan.index.set_names([None] * len(names))
    found = {
        key: levels.get_level_values(names.index(key))
        for key in (region, time)
        if key is not None and key in names and key not in plan
    }
    plan = plan.reset_index(drop=True)
    for key, values in found.items():
        plan[key] = values
    return plan


def _planned_periods(plan, past, name):
    """Return which of the coming periods every row is about."""
    time = past.columns.time
    period = past.calendar.ordinals(plan[time], time) - past.n_known
    outside = np.flatnonzero((period < 0) | (period >= past.n_periods))
    if len(outside):
        odd, first, last = (
            past.calendar.label(past.n_known + p)
            for p in (period[outside[0]], 0, past.n_periods - 1)
        )
        raise ValueError(
            f"{name} has {time} {odd}, but the coming periods are {first} to {last}. "
            "Leave out the others."
        )
    return period


def _planned_regions(plan, past, name):
    """Return the position of every row's region among the coming regions."""
    values = region_values(plan, past.columns.region)
    if past.regions.dtype.kind == "U":
        values = values.astype(str)
    code = region_codes(values, past.regions)
    if (code < 0).any():
        raise ValueError(
            f"{name} has region {values[np.argmin(code)].item()!r}, which is not among "
            f"those of the last period of X: {past.regions.tolist()}."
        )
    return code


def _check_once(cell, shape, past, name):
    """Raise if a coming period (and region) has no row in a plan, or two."""
    count = np.bincount(cell, minlength=np.prod(shape))
    wrong = np.flatnonzero(count != 1)
    if len(wrong):
        raise ValueError(
            f"{name} has {count[wrong[0]]} rows for "
            f"{_cell_in_words(np.unravel_index(wrong[0], shape), past)}. It needs one "
            f"for each {'region and ' if len(shape) == 2 else ''}coming period."
        )


def _cell_in_words(cell, past):
    """Return a position in an array of shape (P,) or (R, P) in words."""
    period = past.n_known + cell[-1]
    if len(cell) == 1:
        return f"{past.columns.time} {past.calendar.label(period)}"
    return past.where(cell[0], period)


def _as_numbers(values, name):
    """Return an array of float64, or raise."""
    values = np.asarray(values)
    if values.dtype.kind not in "biufO":
        raise ValueError(f"{name} must be numbers, not of dtype {values.dtype}.")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}.") from error


def _check_finite(values, label, past, name):
    """Raise if a value of shape (P,) or (R, P) is missing or infinite."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"{name} of {label!r} is {values[tuple(bad[0])]} at "
            f"{_cell_in_words(bad[0], past)}. Plan every value."
        )


def _check_not_negative(values, label, past):
    """Raise if spend of shape (P,) or (R, P) is negative."""
    bad = np.argwhere(values < 0)
    if len(bad):
        raise ValueError(
            f"spend of {label!r} is {values[tuple(bad[0])]:g} at "
            f"{_cell_in_words(bad[0], past)}. Spend cannot be negative."
        )


def _divide(total, label, past):
    """Divide spend of all regions, shape (P,), as in the last season of X."""
    n_recent = min(past.season, past.n_known)
    spent = past.grid(label)[:, -n_recent:].sum(axis=1)
    # Per row, so that a region that started late is not taken for a small one.
    mean = spent / past.panel.observed[past.going, -n_recent:].sum(axis=1)
    if len(mean) == 1 or not total.any():
        return np.full(past.shape, total)
    if not mean.any():
        raise ValueError(
            f"spend of {label!r} cannot be divided between regions: none spent any in "
            f"the last {n_recent} periods. Plan it by region in a DataFrame."
        )
    return np.outer(mean / mean.sum(), total)


def _lay_out(values, past):
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


def _coming_times(column, past):
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
    """Return the coming times of day and, for months, days of the month."""
    last = stamps.max()
    starts = starts + (last - last.normalize())
    if calendar.unit != "month":
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


def _baseline_position(scenarios, baseline):
    """Return the position of the scenario to compare with."""
    if not isinstance(scenarios, Mapping) or not scenarios:
        raise ValueError(
            "scenarios must map names to tables, as in {'as last year': X_1, 'more tv':"
            f" X_2}}, not {scenarios!r:.100}."
        )
    names = list(scenarios)
    if baseline is None:
        return 0
    if baseline not in names:
        raise ValueError(f"baseline={baseline!r} is not one of the scenarios {names}.")
    return names.index(baseline)


def _find_roles(inside, table, media, region, time):
    """Return the columns of a scenario, from the arguments or from the model."""
    check_once(table)
    if media is None:
        media = inside.media(table)
        if media is None:
            raise ValueError(
                f"{type(inside.model).__name__} does not say which columns are media. "
                "Name them: compare_scenarios(..., media=[...])."
            )
    else:
        media = resolve_many(table, media, "media")
    region, time = (
        inside.role(table, role) if key is None else resolve_column(table, key, role)
        for role, key in (("region", region), ("time", time))
    )
    return assign_roles(media, (), region, time)


def _check_comparable(tables, columns, base):
    """Raise if scenarios are not about the same regions and periods."""
    names = list(tables)
    for name, table in tables.items():
        _check_columns(table, columns, name)
    rows = {name: _rows_in_words(table, columns) for name, table in tables.items()}
    expected = rows[names[base]].value_counts()
    for name in names:
        count = rows[name].value_counts()
        surplus = count.sub(expected, fill_value=0)
        odd = surplus.index[surplus != 0].sort_values()
        if len(odd):
            raise ValueError(
                f"Scenario {name!r} has {count.get(odd[0], 0)} rows for {odd[0]}, but "
                f"{names[base]!r} has {expected.get(odd[0], 0)} ({count.sum()} against "
                f"{expected.sum()} rows in all). Totals can be compared only over the "
                "same regions and periods."
            )


def _check_columns(table, columns, name):
    """Raise if a scenario has no rows or lacks a column."""
    check_not_empty(table)
    keys = [key for key in (columns.region, columns.time) if key is not None]
    for label in (*keys, *columns.media):
        if label not in table:
            raise ValueError(f"Scenario {name!r} has no column {label!r}.")


def _rows_in_words(table, columns):
    """Return the region and period of every row as text, as far as they are known."""
    words = [[]] * len(table)
    if columns.region is not None:
        regions = region_values(table, columns.region).tolist()
        words = [[f"region {region!r}"] for region in regions]
    if columns.time is not None:
        times = (str(t).removesuffix(" 00:00:00") for t in table[columns.time])
        words = [[*said, f"time {t}"] for said, t in zip(words, times, strict=True)]
    return pd.Series([", ".join(said) or "any region and time" for said in words])


def _units(name, table, columns):
    """Return the total of every media column, in its units, shape (n_media,)."""
    row = row_namer(table, columns.region, columns.time)

    def where(position):
        return f"scenario {name!r}, {row(position)}"

    media = numeric_block(table, columns.media, where)
    check_non_negative_media(media, columns.media, where, "compare_scenarios")
    return media.sum(axis=0)


def _costs(inside, tables, media):
    """Return what a unit of each column costs: 1 without costs, NaN if not money."""
    cost = getattr(inside.model, "media_cost_", None)
    if not cost:
        return np.ones(len(media))
    if any(inside.changed(X, media) for X in tables):
        # A cost is that of what the steps before the model return.
        return np.full(len(media), np.nan)
    return np.array([cost.get(label, np.nan) for label in media])


def _total_draws(inside, tables):
    """Return the total KPI under every draw, shape (n_scenarios, n_draws).

    Draws of NaN stand for none.
    """
    draws_of = getattr(inside.model, "_draws_of_prediction", None)
    totals = []
    for X in tables:
        draws = None if draws_of is None else draws_of(inside.rows(X))
        totals.append([np.nan] * 2 if draws is None else draws.sum(axis=1))
    return np.array(totals)


def _compare_kpi(kpi, draws, base, tail):
    """Return the columns on the KPI.

    Parameters
    ----------
    kpi : ndarray of shape (n_scenarios,)
    draws : ndarray of shape (n_scenarios, n_draws)
    base : int
        Position of the baseline.
    tail : float
        Probability below the lower bound, and above the upper.
    """
    low, high = bounds(draws.T, tail, kpi)
    difference = draws - draws[base]  # draw by draw, so that common doubt cancels
    more = kpi - kpi[base]
    difference_low, difference_high = bounds(difference.T, tail, more)
    return {
        "kpi": kpi,
        "kpi_low": low,
        "kpi_high": high,
        "difference": more,
        "difference_low": difference_low,
        "difference_high": difference_high,
        "probability_better": np.heaviside(difference, 0.5).mean(axis=1),
    }


def _compare_spend(units, cost, base):
    """Return the columns on spend, and by how much it pays to divide.

    Parameters
    ----------
    units : ndarray of shape (n_scenarios, n_media)
    cost : ndarray of shape (n_media,)
        NaN where a channel is not money.
    base : int
        Position of the baseline.
    """
    money = np.isfinite(cost)
    if not money.any():
        unknown = np.full(len(units), np.nan)
        return dict.fromkeys(("spend", "difference_spend", "extra_spend"), unknown)
    spend = units[:, money] @ cost[money]
    difference = np.where(_equal(spend, spend[base]), 0.0, spend - spend[base])
    others_equal = _equal(units, units[base])[:, ~money].all(axis=1)
    known = (difference != 0) & others_equal
    return {
        "spend": spend,
        "difference_spend": difference,
        "extra_spend": np.where(known, difference, np.nan),
    }


def _equal(a, b):
    """Say whether sums are equal up to rounding."""
    return np.isclose(a, b, rtol=1e-9, atol=0.0)
