"""Spend and controls of coming periods, as they are planned."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from skmmm._data.checks import as_frame, region_values
from skmmm._data.tables import region_codes
from skmmm._utils.typing import Array, Column
from skmmm.scenarios._past import Past

# A pattern, values by column, or a table of coming periods.
Plan: TypeAlias = str | Mapping[Any, Any] | pd.DataFrame | None

_PATTERNS = ("last_year", "last_periods")


def planned_spend(spend: Plan, past: Past) -> dict[Column, Array]:
    """Return the spend of every channel: label to ndarray of shape (R, P)."""
    given = _read_plan(spend, past, past.columns.media, "spend", "channel")
    planned = {}
    for label, values in given.items():
        _check_not_negative(values, label, past)
        if values.ndim == 1:
            values = _divide(values, label, past)
        planned[label] = values
    return planned


def planned_controls(control_values: Plan, past: Past) -> dict[Column, Array]:
    """Return the values of every control: label to ndarray of shape (R, P)."""
    given = {} if control_values is None else control_values
    given = _read_plan(given, past, past.columns.controls, "control_values", "control")
    return {c: np.broadcast_to(values, past.shape) for c, values in given.items()}


def _read_plan(
    given: Any, past: Past, labels: Sequence, name: str, role: str
) -> dict[Column, Array]:
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


def _read_values(value: Any, past: Past, label: Column, name: str) -> Array:
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
            f"{name} has shape {values.shape}, but there are {past.n_periods} coming "
            "periods: give one number for each. For regions that differ, give a Series "
            "indexed by region and period."
        )
    return values


def _repeat(pattern: str, past: Past, label: Column, name: str) -> Array:
    """Return a column of X as it was in the periods to repeat, shape (R, P)."""
    source = _source(pattern, past, name)
    region, column = np.nonzero(past.lacks(filled=True)[:, source])
    if len(region):
        where = past.where(region[0], source[column[0]])
        other = "last_periods" if pattern == "last_year" else "last_year"
        raise ValueError(
            f"{name}={pattern!r} repeats {where}, but X has no row for it. Repeat "
            f"others, as in make_future_frame({past.n_periods}, spend={other!r}), plan "
            "numbers, or add the row to X."
        )
    return past.grid(label, filled=True)[:, source]


def repeated(plan: Plan, past: Past) -> np.ndarray:
    """Return the periods of X that a plan repeats, ascending."""
    given = plan.values() if isinstance(plan, Mapping) else [plan]
    found = [_source(one, past, "") for one in given if isinstance(one, str)]
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *found]))


def _source(pattern: str, past: Past, name: str) -> np.ndarray:
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


def _read_table(plan: pd.DataFrame, past: Past, name: str) -> dict[Column, Array]:
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


def _as_numbers(values: Any, name: str) -> Array:
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


def _divide(total: Array, label: Column, past: Past) -> Array:
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
