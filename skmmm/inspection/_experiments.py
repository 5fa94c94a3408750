"""What predictions of any estimator say of experiments in the rows of X."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skmmm._data.calendar import infer_calendar
from skmmm._data.changes import in_units, other_spend, worth_of
from skmmm._data.checks import region_values
from skmmm._data.experiment_grid import ExperimentGrid, grid_of_rows
from skmmm._data.experiments import Experiment
from skmmm._data.tables import region_codes
from skmmm._unwrapping import unwrap
from skmmm._utils.typing import Array

if TYPE_CHECKING:
    from skmmm.inspection._predictions import PredictedCounterfactual


@dataclass(frozen=True, eq=False)
class ExperimentsInRows:
    """Experiments on the rows of X, for an estimator of which only predictions count.

    Attributes
    ----------
    found : PredictedCounterfactual
    grid : ExperimentGrid
    code, period : ndarray of shape (n_rows,), int
        Cell of each row on the grid; -1 for regions that are not on it.
    """

    found: PredictedCounterfactual
    grid: ExperimentGrid
    code: np.ndarray
    period: np.ndarray

    @cached_property
    def _predicted(self) -> Array:
        return self.found.predicted()

    def value(self, one: Experiment) -> tuple[float, float, float]:
        """Return what the estimator says of one, what it measured, and its error."""
        n_missing = int((self.grid.cells(one) & ~self.grid.inside).sum())
        if n_missing:
            raise ValueError(
                f"{one.name}: X has no row for {n_missing} of the regions and periods "
                "that it is about, so that predictions do not sum to what it measured. "
                "Complete the rows, or leave it out."
            )
        counted = np.isin(self.code, one.regions) & (self.period >= one.start)
        acts = counted & (self.period < one.stop)
        counted &= self.period < one.stop + one.cooldown
        other, money = self._other_spend(one, acts)
        frame = self.found.frame.copy()
        for channel, spend in zip(one.channels, other.T, strict=True):
            label = self.found.labels[channel]
            changed = frame[label].to_numpy(dtype=np.float64, copy=True)
            changed[acts] = spend
            frame[label] = changed
        brought = self._predicted - self.found.predicted_from(frame)
        sign = 1.0 if one.treated else -1.0
        unit, measured, errors = in_units(one, sign * money)
        value = sign * brought[counted].sum() / unit
        return value, measured, float(np.hypot(*errors))

    def _other_spend(self, one: Experiment, acts: np.ndarray) -> tuple[Array, float]:
        """Return the spend that X does not show, and what it shows more in money.

        The first is of shape (n_acting, n_channels), in units of X.
        """
        units = self.found.units[:, one.channels]
        region = np.searchsorted(one.regions, self.code[acts])
        cell = region, slice(None), self.period[acts] - one.start
        shape = len(one.regions), len(one.channels), one.stop - one.start
        typical = self._typical(one, units)
        shown = np.zeros(shape)
        shown[cell] = units[acts] / typical[region]
        worth = typical * worth_of(one, self.found.media_cost)
        other = other_spend(one, shown, worth)
        money = ((shown - other) * worth[..., None]).sum()
        return other[cell] * typical[region], float(money)

    def _typical(self, one: Experiment, units: Array) -> Array:
        """Return mean spend of a region where there is any, (R', n_channels)."""
        typical = np.zeros((len(one.regions), len(one.channels)))
        for r, region in enumerate(one.regions):
            own = units[self.code == region]
            n_spent = (own > 0).sum(axis=0)
            np.divide(own.sum(axis=0), n_spent, out=typical[r], where=n_spent > 0)
        if np.isfinite(one.spend_change) and typical.size > 1 and not typical.all():
            raise ValueError(
                f"{one.name} says its change in money, and these rows show no spend of "
                "its media in some of its regions, so that nothing says how the money "
                "is divided among them. Write one row per region and channel."
            )
        return np.where(typical > 0, typical, 1.0)


def experiments_in_rows(found: PredictedCounterfactual) -> ExperimentsInRows:
    """Return the grid of the rows of X.

    Regions and periods are those that the estimator has learned, or one of its steps,
    so that a part of its training rows can be placed on them, too.
    """
    if found.time is None:
        raise ValueError(
            "Experiments have a start and an end, but nothing says which column is the "
            "time: pass time=... with its name."
        )
    inside, frame = unwrap(found.estimator), found.frame
    values = np.full(len(frame), "all")
    if found.region is not None:
        values = region_values(frame, found.region)
    learned = None if found.region is None else inside.learned("regions_")
    known = learned is not None or found.region is None
    regions = np.unique(values) if learned is None else learned
    calendar = inside.learned("_calendar")
    if calendar is None:
        given = None if found.region is None else values
        calendar = infer_calendar(frame[found.time], found.time, given)
    code = region_codes(values, regions)
    period = calendar.ordinals(frame[found.time], found.time)
    grid = grid_of_rows(
        list(found.labels), regions, calendar, code, period, all_regions=known
    )
    return ExperimentsInRows(found, grid, code, period - grid.first)
