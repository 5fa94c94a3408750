"""The panel of a geo test: KPI by period and region, every cell observed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import (
    check_no_duplicates,
    check_target,
    did_you_mean,
    in_words,
    plain_label,
    region_values,
    resolve_column,
)
from skmmm._data.periods import one_of
from skmmm._data.tables import row_namer
from skmmm._data.times import read_times


def read_kpi(frame, y, region, time, exclude=()):
    """Return the KPI by period and region.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        One row per region and period.
    y : array-like of shape (n_rows,)
    region, time : str or int
        Name or position of the column; `region=None` is one series.
    exclude : sequence of region labels
        That may have gaps.

    Returns
    -------
    kpi : DataFrame of shape (n_periods, n_regions)
        Indexed by period, 0 the first; columns are the sorted regions.
    calendar : Calendar
    """
    time = resolve_column(frame, time, "time")
    values = np.zeros(len(frame), dtype=int)
    if region is not None:
        region = resolve_column(frame, region, "region")
        values = region_values(frame, region)
    where = row_namer(frame, region, time)
    kpi = check_target(column_or_1d(y, warn=True), len(frame), where)
    calendar = infer_calendar(frame[time], time, None if region is None else values)
    period = calendar.ordinals(frame[time], time)
    regions, code = np.unique(values, return_inverse=True)
    check_no_duplicates(code, period, where)
    grid = np.full((period.max() + 1, len(regions)), np.nan)
    grid[period, code] = kpi
    panel = pd.DataFrame(grid, columns=[plain_label(name) for name in regions])
    excluded = find_regions(exclude, panel.columns, "exclude")
    _check_balanced(panel.drop(columns=excluded), calendar)
    return panel, calendar


def _check_balanced(panel, calendar):
    if not panel.shape[1]:
        raise ValueError("exclude names all regions of X; leave some in.")
    missing = np.argwhere(panel.isna().to_numpy())
    if len(missing):
        period, column = missing[0]
        raise ValueError(
            f"Region {panel.columns[column]!r} has no row for {calendar.label(period)}."
            " A geo test needs a row for every region and period: add the row (0 if "
            "nothing was sold), or name the region in exclude."
        )
    silent = panel.columns[(panel == 0).all()]
    if len(silent):
        raise ValueError(
            f"The KPI of region {silent[0]!r} is 0 in all periods. Name it in exclude."
        )


def find_regions(labels, known, role):
    """Return the labels of regions as they stand in the panel, or raise.

    A single text is one region.
    """
    if isinstance(labels, str):
        labels = [labels]
    known = list(known)
    as_text = bool(known) and isinstance(known[0], str)
    found = [str(label) if as_text else plain_label(label) for label in labels]
    for label in found:
        if label not in known:
            raise ValueError(
                f"{role} names the region {label!r}, which is not in X. "
                f"Regions: {in_words(known)}.{did_you_mean(label, known)}"
            )
        if found.count(label) > 1:
            raise ValueError(f"{role} names the region {label!r} twice.")
    return found


def find_cells(treated, known):
    """Return the treated regions of every cell; one cell is called "treated"."""
    cells = dict(treated) if isinstance(treated, Mapping) else {"treated": treated}
    found = {cell: find_regions(cells[cell], known, "treated") for cell in cells}
    if not found:
        raise ValueError("treated has no cell; name the regions of the test.")
    for cell, regions in found.items():
        if not regions:
            raise ValueError(f"The cell {cell!r} of treated has no region.")
    everyone = [label for regions in found.values() for label in regions]
    for label in everyone:
        if everyone.count(label) > 1:
            raise ValueError(
                f"The region {label!r} is in two cells of treated; a region has one "
                "treatment."
            )
    return found


def find_period(value, role, calendar, n_periods, time):
    """Return the ordinal of a period of the data, or raise.

    The end of a test may be any day of its last period.
    """
    read = calendar.period_of if role == "end" else calendar.ordinals
    try:
        stamp = read_times(pd.Series([value]), role)
        ordinal = int(read(pd.Series(stamp), time)[0])
    except (TypeError, ValueError) as error:
        is_number = calendar.unit == "integer"
        step = calendar.step if is_number else one_of(calendar.unit)
        raise ValueError(
            f"{role}={value!r} is not a period of the time column {time!r}, which goes "
            f"from {calendar.label(0)} to {calendar.label(n_periods - 1)} in steps of "
            f"one {step}."
        ) from error
    if not 0 <= ordinal < n_periods:
        raise ValueError(
            f"{role}={value!r} is outside the data: the time column {time!r} goes from "
            f"{calendar.label(0)} to {calendar.label(n_periods - 1)}."
        )
    return ordinal


def check_share(lift, role):
    """Raise if a lift is more than the whole KPI, as one in percent is."""
    if abs(lift) > 1:
        raise ValueError(
            f"{role}={lift:g} is more than the whole KPI. It is a share: write "
            f"{lift / 100:g} for {lift:g} %."
        )
