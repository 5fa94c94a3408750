"""Long rows <-> (region, period, feature) arrays, with mask, row order and history."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Panel:
    """A long table arranged on a grid of regions (R) and periods (T).

    Cells without a row are masked, not filled: `observed` is False there, their media
    count as unknown when carry-over passes through them, and nothing is fitted to
    them.

    Attributes
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
        In the currency (or delivery units) of X; 0 in masked cells.
    controls : ndarray of shape (n_regions, n_periods, n_controls)
        In the units of X; 0 in masked cells.
    observed : ndarray of shape (n_regions, n_periods), bool
        Whether X has a row for this region and period.
    first_period : int
        Ordinal of the first column of the grid; 0 is the first training period.
    cell : ndarray of shape (n_rows,)
        Position of every row of X in the flattened grid.
    y : ndarray of shape (n_regions, n_periods) or None
        KPI; 0 in masked cells.
    weight : ndarray of shape (n_regions, n_periods) or None
        Sample weight; 0 in masked cells.
    frequency : ndarray of shape (n_regions, n_periods, n_media) or None
        How often those reached saw a channel; 0 where nobody was, in masked cells and
        for channels without one. None if no channel has one.
    """

    media: np.ndarray
    controls: np.ndarray
    observed: np.ndarray
    first_period: int
    cell: np.ndarray
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    frequency: np.ndarray | None = None

    @property
    def shape(self):
        """Number of regions and periods."""
        return self.observed.shape

    @property
    def periods(self):
        """Ordinals of the columns of the grid, shape (n_periods,)."""
        return self.first_period + np.arange(self.observed.shape[1])

    def rows(self, grid):
        """Pick the values of X's rows from an array of shape (..., R, T)."""
        n_cells = grid.shape[-2] * grid.shape[-1]
        return grid.reshape(*grid.shape[:-2], n_cells)[..., self.cell]

    def history(self, max_lag):
        """Return media and mask with `max_lag` empty periods in front.

        Before a region's first row spend is taken as zero and known; in a masked cell
        between two rows, spend is unknown.

        Returns
        -------
        media : ndarray of shape (n_regions, n_media, max_lag + n_periods)
        known : ndarray of shape (n_regions, max_lag + n_periods), bool
        """
        started = np.logical_or.accumulate(self.observed, axis=1)
        continues = np.logical_or.accumulate(self.observed[:, ::-1], axis=1)[:, ::-1]
        known = self.observed | ~(started & continues)
        known = np.pad(known, ((0, 0), (max_lag, 0)), constant_values=True)
        media = np.pad(self.media.transpose(0, 2, 1), ((0, 0), (0, 0), (max_lag, 0)))
        return media, known


def make_panel(
    region,
    period,
    media,
    controls,
    *,
    n_regions,
    y=None,
    weight=None,
    frequency=None,
):
    """Arrange long rows on the grid.

    Parameters
    ----------
    region : ndarray of shape (n_rows,), int
        Region codes below `n_regions`.
    period : ndarray of shape (n_rows,), int
        Period ordinals; at most one row per region and period.
    media : ndarray of shape (n_rows, n_media)
    controls : ndarray of shape (n_rows, n_controls)
    y, weight : ndarray of shape (n_rows,), default=None
    frequency : ndarray of shape (n_rows, n_media), default=None

    Returns
    -------
    panel : Panel
    """
    first = int(period.min())
    shape = (n_regions, int(period.max()) - first + 1)
    cell = region * shape[1] + (period - first)

    def on_grid(rows):
        grid = np.zeros((shape[0] * shape[1], *rows.shape[1:]), dtype=rows.dtype)
        grid[cell] = rows
        return grid.reshape(*shape, *rows.shape[1:])

    return Panel(
        media=on_grid(media),
        controls=on_grid(controls),
        observed=on_grid(np.ones(len(cell), dtype=bool)),
        first_period=first,
        cell=cell,
        y=None if y is None else on_grid(y),
        weight=None if weight is None else on_grid(weight),
        frequency=None if frequency is None else on_grid(frequency),
    )


def exchangeable_periods(region, media, controls, y=None, weight=None):
    """Number the rows of each region 0, 1, ... in an order given by their content.

    With `time=None` rows have no order. Sorting them by their own values makes the
    fit independent of the order in which they arrive.
    """
    extra = [v for v in (weight, y) if v is not None]
    keys = [*extra, *controls.T[::-1], *media.T[::-1], region]
    order = np.lexsort(keys)
    counts = np.bincount(region)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    period = np.empty(len(region), dtype=np.int64)
    period[order] = np.arange(len(region)) - starts
    return period


def continue_panel(history, panel):
    """Lay the cells of `panel` over those of `history`, on a grid that spans both.

    Where both have a row, `panel` wins: what is asked about replaces what was seen.

    Returns
    -------
    joint : Panel
        Its `cell` are those of `panel`, its `y` and `weight` are None.
    """
    first = min(history.first_period, panel.first_period)
    last = max(history.periods[-1], panel.periods[-1])
    shape = (panel.shape[0], last - first + 1)
    parts, frequency = (history, panel), panel.frequency
    if frequency is not None:
        frequency = _spread(parts, "frequency", first, shape)
    return replace(
        panel,
        media=_spread(parts, "media", first, shape),
        controls=_spread(parts, "controls", first, shape),
        observed=_spread(parts, "observed", first, shape).astype(bool),
        first_period=first,
        cell=_cells_of(panel, first, shape[1]),
        y=None,
        weight=None,
        frequency=frequency,
    )


def append_panel(history, panel):
    """Return a panel with the rows of both; those of `panel` are later."""
    joint = continue_panel(history, panel)
    first, shape = joint.first_period, joint.shape
    cells = [_cells_of(part, first, shape[1]) for part in (history, panel)]
    return replace(
        joint,
        cell=np.concatenate(cells),
        y=_spread((history, panel), "y", first, shape),
        weight=_spread((history, panel), "weight", first, shape),
    )


def _spread(parts, name, first, shape):
    """Return the values of several panels on a grid that begins at a period."""
    grid = np.zeros((*shape, *getattr(parts[-1], name).shape[2:]))
    for part in parts:
        start = part.first_period - first
        inside = grid[: part.shape[0], start : start + part.shape[1]]
        inside[part.observed] = getattr(part, name)[part.observed]
    return grid


def _cells_of(panel, first, n_periods):
    """Return where the rows of a panel are on a grid that begins at a period."""
    region, column = np.divmod(panel.cell, panel.shape[1])
    return region * n_periods + column + panel.first_period - first


def as_usual(history, n_periods):
    """Return what a row of each region is on average at the end of training data.

    Parameters
    ----------
    history : Panel
        Training rows.
    n_periods : int
        At the end of the history, which count. All periods count for a region without
        a row in these.

    Returns
    -------
    media : ndarray of shape (n_regions, n_media)
    controls : ndarray of shape (n_regions, n_controls)
    """
    late = history.observed.copy()
    late[:, :-n_periods] = False
    counted = np.where(late.any(axis=1, keepdims=True), late, history.observed)
    n_rows = counted.sum(axis=1, keepdims=True)
    return tuple(
        np.where(counted[..., None], grid, 0.0).sum(axis=1) / n_rows
        for grid in (history.media, history.controls)
    )


def carried_on(panel, n_periods, media, controls):
    """Let every region of X go on for some periods after its last row.

    Parameters
    ----------
    panel : Panel
    n_periods : int
    media, controls : ndarray of shape (n_known, n_media) and (n_known, n_controls)
        Of each of these periods; regions beyond those known get the mean of these.

    Returns
    -------
    longer : Panel
        With the same rows. After the last row of a region its unobserved cells are
        filled; regions without rows stay as they are. No frequency is known there.
    """
    region, column = np.divmod(panel.cell, panel.shape[1])
    last = np.full(panel.shape[0], -1)
    np.maximum.at(last, region, column)
    observed = np.pad(panel.observed, [(0, 0), (0, n_periods)])
    after = np.arange(observed.shape[1]) - last[:, None]
    added = (after > 0) & (after <= n_periods) & (last >= 0)[:, None] & ~observed

    def filled(grid, usual):
        n_new = len(grid) - len(usual)
        new = np.broadcast_to(usual.mean(axis=0), (n_new, usual.shape[1]))
        usual = np.concatenate([usual, new])
        longer = np.pad(grid, [(0, 0), (0, n_periods), (0, 0)])
        return np.where(added[..., None], usual[:, None], longer)

    frequency = panel.frequency
    if frequency is not None:
        frequency = np.pad(frequency, [(0, 0), (0, n_periods), (0, 0)])
    return replace(
        panel,
        frequency=frequency,
        media=filled(panel.media, media),
        controls=filled(panel.controls, controls),
        observed=observed | added,
        cell=region * observed.shape[1] + column,
    )


def missing_periods(history, panel):
    """Return the ordinals between training and X that no region has a row for."""
    seen = panel.periods[panel.observed.any(axis=0)]
    after = np.arange(history.periods[-1] + 1, panel.periods[-1] + 1)
    before = np.arange(panel.first_period, history.first_period)
    return np.setdiff1d(np.concatenate([before, after]), seen)
