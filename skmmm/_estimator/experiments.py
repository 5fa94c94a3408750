"""What experiments told a model, in a table and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from skmmm._data.calendar import Calendar
from skmmm._utils.typing import Array

if TYPE_CHECKING:
    from skmmm._model.contrasts import ReportedExperiments

_CONFLICT = 2.0  # standard deviations from which a measurement contradicts the model
_SETTLED = 0.5  # share of the doubt that an experiment removes which answers an alarm
_WIDTH = 3.29  # of a 90 % interval, in standard deviations


@dataclass(frozen=True, eq=False)
class Told:
    """What a model said of Q experiments before and after it learned from them.

    Attributes
    ----------
    before, after : ndarray of shape (n_draws, Q)
        In the units of each measure.
    doubt_removed : ndarray of shape (Q,)
        Share of the variance of what the channels of each cause; nan without draws.
    """

    before: Array
    after: Array
    doubt_removed: Array


def experiment_table(
    reported: ReportedExperiments, told: Told, media: list, calendar: Calendar
) -> pd.DataFrame:
    """Return `experiments_`.

    Parameters
    ----------
    reported : ReportedExperiments
    told : Told
    media : list
        Labels of the channels, in the order of the model.
    calendar : Calendar
    """
    rows = reported.rows
    names = ["; ".join(str(media[m]) for m in one.channels) for one in rows]
    estimate = np.array([one.estimate for one in rows])
    error = np.array([np.hypot(one.std_error, one.bias_sd) for one in rows])
    (before, before_sd), (after, after_sd) = map(_summary, (told.before, told.after))
    z = _surprise((estimate - told.before) / error)
    conflict = np.abs(z) > _CONFLICT
    said = zip(names, z, told.doubt_removed, conflict, strict=True)
    return pd.DataFrame(
        {
            "media": names,
            "start": [calendar.value(one.start) for one in rows],
            "end": [calendar.value(one.stop - 1) for one in rows],
            "n_regions": [len(one.regions) for one in rows],
            "measure": [one.measure for one in rows],
            "estimate": estimate,
            "std_error": error,
            "before": before,
            "before_sd": before_sd,
            "after": after,
            "after_sd": after_sd,
            "z": z,
            "doubt_removed": told.doubt_removed,
            "conflict": conflict,
            "finding": [_finding(*one) for one in said],
        }
    )


def _summary(values: Array) -> tuple[Array, Array]:
    """Return median and sd of values, both (Q,); the sd is that of a 90 % interval."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
    if len(values) == 1:
        return middle, np.full_like(middle, np.nan)
    return middle, (high - low) / _WIDTH


def _surprise(errors: Array) -> Array:
    """Return the normal quantile at which measurements are of what was expected, (Q,).

    Expected is the mixture over draws; its errors are standardised, (E, Q).
    """
    below, above = norm.cdf(errors).mean(axis=0), norm.sf(errors).mean(axis=0)
    return np.where(below < above, norm.ppf(below), -norm.ppf(above))


def _finding(names: str, z: float, removed: float, conflict: bool) -> str:
    """Say in one sentence what an experiment did to the model."""
    if conflict:
        side = "more" if z > 0 else "less"
        return (
            f"The experiment on {names} measured {abs(z):.1f} standard deviations "
            f"{side} than the rows say: one of the two is wrong. Check the test's "
            "control regions, and what moved with the spend in the data."
        )
    if np.isnan(removed):
        return f"The experiment on {names} agrees with the rows."
    if removed < 0.1:
        return (
            f"The experiment on {names} agrees with the rows, and is too uncertain to "
            "add to them."
        )
    return (
        f"The experiment on {names} agrees with the rows, and removes {removed:.0%} of "
        "the doubt about what they cause."
    )


def settled(reported: ReportedExperiments, told: Told, n_media: int) -> np.ndarray:
    """Return whether experiments on a channel alone settle its effect, (n_media,)."""
    found = np.zeros(n_media, dtype=bool)
    for one, removed in zip(reported.rows, told.doubt_removed, strict=True):
        if len(one.channels) == 1:
            found[one.channels[0]] |= removed >= _SETTLED
    return found
