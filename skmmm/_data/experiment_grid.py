"""Where the rows of a table are that experiments are about."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skmmm._data.experiments import read_experiments, with_regions_of


@dataclass(frozen=True, eq=False)
class ExperimentGrid:
    """Regions and periods on which experiments are placed, and which have rows.

    Attributes
    ----------
    media : list
        Labels that experiments may name.
    regions : ndarray of shape (R,)
    calendar : Calendar or None
        Without one no experiment can be read.
    first : int
        Ordinal of the first period of the grid.
    inside : ndarray of shape (R, T), bool
        Cells that have a row.
    all_regions : bool
        Whether there are no others; else experiments may name some that have no rows.
    """

    media: list
    regions: np.ndarray
    calendar: Any
    first: int
    inside: np.ndarray
    all_regions: bool = True

    def read(self, experiments):
        """Return the experiments of a table, with windows in periods of the grid."""
        regions = self.regions
        if not self.all_regions:
            regions = with_regions_of(experiments, regions)
        rows = read_experiments(
            experiments, media=self.media, regions=regions, calendar=self.calendar
        )
        return [self._placed(one) for one in rows]

    def _placed(self, one):
        placed = replace(one, start=one.start - self.first, stop=one.stop - self.first)
        # Where X has rows, they show what was spent.
        return replace(placed, spend=np.nan) if self.holds(placed) else placed

    def window(self, one):
        """Return first and last period of an experiment, with cooldown, in words."""
        last = one.stop + one.cooldown - 1
        first, last = (self.calendar.label(self.first + p) for p in (one.start, last))
        return f"{first} to {last}"

    def cells(self, one):
        """Return which cells an experiment is about, with cooldown, (R, T) of bool."""
        found = np.zeros(self.inside.shape, dtype=bool)
        window = slice(max(one.start, 0), max(one.stop + one.cooldown, 0))
        found[one.regions, window] = True
        return found

    def covers(self, one):
        """Return whether all periods of an experiment are on the grid."""
        return one.start >= 0 and one.stop + one.cooldown <= self.inside.shape[1]

    def holds(self, one):
        """Return whether each of its regions, and each of its periods, has a row."""
        if not self.covers(one) or one.regions[-1] >= len(self.regions):
            return False
        block = self.inside[one.regions, one.start : one.stop + one.cooldown]
        return bool(block.any(axis=0).all() and block.any(axis=1).all())


def grid_of_rows(media, regions, calendar, code, period, *, all_regions=True):
    """Return the `ExperimentGrid` of rows.

    Parameters
    ----------
    media : list
    regions : ndarray of shape (R,)
    calendar : Calendar
    code, period : ndarray of shape (n_rows,), int
        Position of the region, -1 if it is not among `regions`, and ordinal.
    all_regions : bool
        As the attribute.
    """
    first = int(period.min())
    inside = np.zeros((len(regions), int(period.max()) - first + 1), dtype=bool)
    known = code >= 0
    inside[code[known], period[known] - first] = True
    return ExperimentGrid(media, regions, calendar, first, inside, all_regions)
