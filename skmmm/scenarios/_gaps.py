"""Short gaps in the past, filled so that it can be repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skmmm._data.calendar import Calendar
from skmmm._data.panel import Panel
from skmmm._utils.typing import Array

_LONGEST = 12  # gaps in a year: what is filled is no longer than such a part of it


def without_short_gaps(panel: Panel, calendar: Calendar) -> Panel:
    """Fill short gaps between rows of a region.

    In each cell stands the mean of the nearest rows of the region before and after, in
    days of the same weekday; columns in which regions never differ are as in others.
    """
    gap = _short_gaps(panel.observed, max(calendar.season_length // _LONGEST, 1))
    before, after = _nearest_alike(
        panel.observed, calendar.week if by_weekday(calendar) else 1
    )
    n_periods = panel.shape[1]
    region, column = np.nonzero(gap & ((before >= 0) | (after < n_periods)))
    earlier, later = before[region, column], after[region, column]
    earlier, later = (
        np.where(earlier >= 0, earlier, later),
        np.where(later < n_periods, later, earlier),
    )

    def filled(grid: Array) -> Array:
        values = 0.5 * (grid[region, earlier] + grid[region, later])
        shared, known = _shared_by_regions(grid, panel.observed)
        values = np.where(known[column], shared[column], values)
        whole = grid.copy()
        whole[region, column] = values
        return whole

    observed = panel.observed.copy()
    observed[region, column] = True
    media, controls = filled(panel.media), filled(panel.controls)
    return replace(panel, media=media, controls=controls, observed=observed)


def by_weekday(calendar: Calendar) -> bool:
    """Return whether periods are days, of which those of one weekday are alike."""
    return 1 < calendar.week <= calendar.season_length


def _short_gaps(observed: np.ndarray, longest: int) -> np.ndarray:
    """Return which cells are in gaps of at most so many periods, (R, T)."""
    before, after = _nearest(observed)
    between = (before >= 0) & (after < observed.shape[1])
    return ~observed & between & (after - before - 1 <= longest)


def _nearest_alike(observed: np.ndarray, cycle: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest rows in the same phase of a cycle, as `_nearest`."""
    n_periods = observed.shape[1]
    before, after = np.empty((2, *observed.shape), dtype=np.int64)
    for phase in range(min(cycle, n_periods)):
        earlier, later = _nearest(observed[:, phase::cycle])
        before[:, phase::cycle] = np.where(earlier >= 0, earlier * cycle + phase, -1)
        after[:, phase::cycle] = np.minimum(later * cycle + phase, n_periods)
    return before, after


def _nearest(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last row up to each cell, else -1, and the next, else T, (R, T)."""
    n_periods = observed.shape[1]
    column = np.arange(n_periods)
    before = np.maximum.accumulate(np.where(observed, column, -1), axis=1)
    later = np.where(observed, column, n_periods)[:, ::-1]
    return before, np.minimum.accumulate(later, axis=1)[:, ::-1]


def _shared_by_regions(grid: Array, observed: np.ndarray) -> tuple[Array, np.ndarray]:
    """Return the value of all regions by period, and where there is one, (T, K)."""
    seen = observed[..., None]
    highest = np.where(seen, grid, -np.inf).max(axis=0)
    lowest = np.where(seen, grid, np.inf).min(axis=0)
    present: np.ndarray = np.logical_or.reduce(observed, axis=0)
    alike = np.all(highest[present] == lowest[present], axis=0)
    return highest, present[:, None] & alike
