"""Experiments that could be run next: read, checked, and placed on the grid."""

from dataclasses import replace

import numpy as np
import pandas as pd

from skmmm._data.experiments import is_empty, read_rows

_REQUIRED = ("media", "std_error")
_OWN = ("n_periods", "cost")
_SHARED = (
    *("start", "end", "regions", "change", "spend_change", "measure", "cooldown"),
    *("bias_sd", "observed", "spend", "note"),
)
# Of a table that `design_experiment` returns; its money is that of an average window.
_OF_DESIGN = (
    *("n_regions", "mde", "mde_lift", "effect", "power", "kpi_at_risk", "share"),
    *("spend_change", "mde_roi", "r2", "imbalance", "reason"),
)
_MEASURES = ("outcome", "roi")


def read_designs(designs, *, media, regions, calendar, spend):
    """Return what each row of a table would test, and what it costs beside spend.

    Parameters
    ----------
    designs : DataFrame
        As the parameter of `recommend_experiment`.
    media, regions, calendar
        As of `read_experiments`.
    spend : ndarray of shape (n_regions, n_periods, n_media)
        Of the training rows.

    Returns
    -------
    rows : list of Experiment
        Estimates are zero. A design of `n_periods` lies in the last ones; if its
        channels spend nothing there, in the latest in which they spend as on average.
    cost : ndarray of shape (n_designs,)

    Raises
    ------
    ValueError
        If a row cannot be understood; it is named, with what to do.
    """
    if not isinstance(designs, pd.DataFrame):
        raise ValueError(
            f"designs must be a pandas DataFrame, got {type(designs).__name__}."
        )
    table = designs
    if set(_OF_DESIGN) <= set(designs):
        table = designs.drop(columns=list(_OF_DESIGN))
    _check_columns(table)
    cost = np.array([_cost(i, value) for i, value in enumerate(_cells(table, "cost"))])
    n_seen = spend.shape[1]
    placed = _placed(table, calendar, n_seen).assign(estimate=0.0)
    try:
        rows = read_rows(placed, media, regions, calendar, n_seen)
    except ValueError as error:
        raise ValueError(str(error).replace("experiment ", "design ")) from None
    for position, one in enumerate(rows):
        if one.measure not in _MEASURES:
            raise ValueError(
                f"design {position} measures {one.measure}. Say its std_error in KPI "
                "units (measure 'outcome') or as a return ('roi')."
            )
    last = [not is_empty(n_periods) for n_periods in _cells(table, "n_periods")]
    rows = [
        _in_flight(one, spend) if moves else one
        for one, moves in zip(rows, last, strict=True)
    ]
    return rows, cost


def _in_flight(one, spend):
    """Return a design in the latest window in which its channels spend."""
    length, n_starts = one.stop - one.start, one.start + 1
    own = spend[np.ix_(one.regions, range(spend.shape[1]), one.channels)]
    total = np.append(0.0, own.sum(axis=(0, 2)).cumsum())
    windows = total[length : length + n_starts] - total[:n_starts]
    if windows[-1] > 0 or not windows.any():
        return one
    start = int(np.flatnonzero(windows >= windows.mean())[-1])
    return replace(one, start=start, stop=start + length)


def _check_columns(designs):
    """Raise if a column is missing, or means nothing here."""
    for column in _REQUIRED:
        if column not in designs:
            raise ValueError(
                f"designs has no column {column!r}. It needs {list(_REQUIRED)}, change "
                "or spend_change, and n_periods or start and end."
            )
    if "estimate" in designs:
        raise ValueError(
            "designs has a column 'estimate', which a test has that was run: give that "
            "to the parameter experiments of the model. Drop the column here."
        )
    known = (*_REQUIRED, *_OWN, *_SHARED)
    unknown = [c for c in designs if c not in known]
    if unknown:
        raise ValueError(
            f"designs has a column {unknown[0]!r} that is none of {list(known)}. Drop "
            "or rename it."
        )
    if not len(designs):
        raise ValueError("designs has no rows. Use None for tests of every channel.")


def _cells(table, column):
    """Return the cells of a column, None for those of one that is not there."""
    return list(table[column]) if column in table else [None] * len(table)


def _cost(position, value):
    """Return a cost, 0 where the cell is empty."""
    if is_empty(value):
        return 0.0
    try:
        cost = float(value)
    except (TypeError, ValueError):
        cost = np.nan
    if not 0 <= cost < np.inf:
        raise ValueError(
            f"design {position} has a cost of {value!r}. Write money, 0 or more, "
            "beside the spend that it moves."
        )
    return cost


def _placed(table, calendar, grid_length):
    """Return the table with a start and an end in every row."""
    starts, ends, lengths, cooldowns = (
        _cells(table, column) for column in ("start", "end", "n_periods", "cooldown")
    )
    for i, n_periods in enumerate(lengths):
        if is_empty(n_periods):
            continue
        if not (is_empty(starts[i]) and is_empty(ends[i])):
            raise ValueError(
                f"design {i} has n_periods and a start or end. Leave one of them out."
            )
        rest = 0 if is_empty(cooldowns[i]) else cooldowns[i]
        starts[i], ends[i] = _last_periods(i, n_periods, rest, calendar, grid_length)
    for i, window in enumerate(zip(starts, ends, strict=True)):
        if any(map(is_empty, window)):
            raise ValueError(
                f"design {i} does not say when it runs. Fill in n_periods, or start "
                "and end."
            )
    table = table.drop(columns=[c for c in _OWN if c in table])
    return table.assign(start=starts, end=ends)


def _last_periods(position, n_periods, cooldown, calendar, grid_length):
    """Return first and last period of a window at the end of the training rows."""
    try:
        first = grid_length - int(n_periods) - int(cooldown)
        whole = int(n_periods) == n_periods >= 1
    except (TypeError, ValueError):
        first, whole = 0, False
    if not whole or first < 0:
        raise ValueError(
            f"design {position} has n_periods of {n_periods!r}. Write a number of "
            f"periods; with its cooldown, at most the {grid_length} of the training "
            "rows."
        )
    return calendar.value(first), calendar.value(first + int(n_periods) - 1)
