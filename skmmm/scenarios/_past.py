"""The table from which coming periods are planned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmmm._data.calendar import Calendar, infer_calendar
from skmmm._data.checks import (
    Columns,
    check_no_duplicates,
    check_non_negative_media,
    numeric_block,
    region_values,
)
from skmmm._data.panel import Panel, make_panel
from skmmm._data.tables import row_namer
from skmmm._utils.labels import counted
from skmmm._utils.typing import Array, Column
from skmmm._utils.warnings import warn_user
from skmmm.scenarios._gaps import without_short_gaps


@dataclass(frozen=True, eq=False)
class Past:
    """The rows of X, and the regions (R) and coming periods (P) to plan.

    Attributes
    ----------
    frame : DataFrame
    columns : Columns
    calendar : Calendar
    panel : Panel
        All rows of the frame, T periods.
    whole : Panel
        The same, with short gaps of regions filled.
    rows : ndarray of shape (n_regions,)
        Row of each coming region in the last period.
    going : ndarray of shape (n_regions,)
        Position in the panel of each region that continues.
    regions : ndarray of shape (n_regions,)
        Names of the coming regions.
    n_periods : int
        Number of coming periods.
    """

    frame: pd.DataFrame
    columns: Columns
    calendar: Calendar
    panel: Panel
    whole: Panel
    rows: np.ndarray
    going: np.ndarray
    regions: np.ndarray
    n_periods: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of regions and of coming periods."""
        return len(self.going), self.n_periods

    @property
    def n_known(self) -> int:
        """Number of periods from the first to the last of X."""
        return self.panel.shape[1]

    @property
    def season(self) -> int:
        """Periods in a year."""
        return self.calendar.season_length

    def grid(self, label: Column, *, filled: bool = False) -> Array:
        """Return a column of X on the grid of coming regions, shape (R, T)."""
        panel = self.whole if filled else self.panel
        labels = (*self.columns.media, *self.columns.controls)
        values = np.concatenate([panel.media, panel.controls], axis=2)
        return values[self.going][..., labels.index(label)]

    def lacks(self, *, filled: bool = False) -> np.ndarray:
        """Return where X has no row for a coming region, shape (R, T)."""
        panel = self.whole if filled else self.panel
        return ~panel.observed[self.going]

    def where(self, region: int, period: int) -> str:
        """Say which region and which period, counted from the first of X."""
        time = f"{self.columns.time} {self.calendar.label(period)}"
        if self.columns.region is None:
            return time
        return f"region {self.regions[region].item()!r}, {time}"


def read_past(
    frame: pd.DataFrame,
    columns: Columns,
    periods: int,
    periods_per_year: float | None,
) -> Past:
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
    return Past(
        frame=frame,
        columns=columns,
        calendar=calendar,
        panel=panel,
        whole=without_short_gaps(panel, calendar),
        rows=last,
        going=going,
        regions=regions[going],
        n_periods=periods,
    )


def _warn_ended(panel: Panel, regions: np.ndarray, calendar: Calendar) -> None:
    """Warn of regions without a row in the last period."""
    ended = np.flatnonzero(~panel.observed[:, -1])
    if len(ended):
        has, are = ("has", "is") if len(ended) == 1 else ("have", "are")
        first = ended[0]
        seen = np.flatnonzero(panel.observed[first])[-1]
        warn_user(
            f"{counted(len(ended), 'region')} {has} no row in the last period of X, "
            f"{calendar.label(panel.shape[1] - 1)}, and {are} left out: "
            f"{regions[ended].tolist()} ({regions[first].item()!r} ends "
            f"{calendar.label(seen)}). If rows only come late, add them."
        )
