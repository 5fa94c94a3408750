"""What experiments told a model, in a table and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import logsumexp, ndtri_exp
from scipy.stats import norm

from skmmm._data.calendar import Calendar
from skmmm._data.experiments import CONFLICT, Experiment
from skmmm._data.periods import one_of
from skmmm._utils.typing import Array
from skmmm.inspection._placement import DISPUTED

if TYPE_CHECKING:
    from skmmm._model.contrasts import ReportedExperiments

SETTLED = 0.5  # share of the doubt that an experiment removes which answers an alarm
_HARDLY = 0.1  # share of the doubt that is hardly worth a word
_WIDTH = 3.29  # of a 90 % interval, in standard deviations
_CLOSE = 1.5  # factor up to which an estimate is close to what a mistake would make it
# Periods that a report may take for its own by mistake, in one of the data.
_SHORTER = {
    "week": {"day": 7},
    "two weeks": {"week": 2, "day": 14},
    "four weeks": {"week": 4, "day": 28},
    "quarter": {"month": 3},
}
_FEWEST = 3  # regions or periods: half of an effect is no sign of an average over two


@dataclass(frozen=True, eq=False)
class Told:
    """What a model said of Q experiments before and after it learned from them.

    Attributes
    ----------
    before, after : ndarray of shape (n_draws, Q)
        In the units of each measure.
    doubt_removed : ndarray of shape (Q,)
        Share of the variance of what the channels of each cause that it removes by
        itself; nan without draws.
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
    z = np.full(len(rows), np.nan)  # the point alone says nothing of its uncertainty
    if len(told.before) > 1:
        z = _surprise((estimate - told.before) / error)
    conflict = np.abs(z) > CONFLICT
    size = [
        before[q] / one.estimate
        if one.measure == "cost_per_outcome"
        else one.estimate / before[q]
        for q, one in enumerate(rows)
    ]
    mistakes = [
        _likely_mistake(one, ratio, calendar.unit)
        for one, ratio in zip(rows, size, strict=True)
    ]
    said = zip(names, z, size, told.doubt_removed, conflict, mistakes, strict=True)
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

    Expected is the mixture over draws, or a normal of its mean and variance, whichever
    is less surprised; errors are standardised, (E, Q).
    """
    size = np.log(len(errors))
    below, above = (
        logsumexp(log(errors), axis=0) - size for log in (norm.logcdf, norm.logsf)
    )
    mixture = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
    # Beyond all draws the mixture knows no tails but those of the measurement.
    normal = errors.mean(axis=0) / np.sqrt(1.0 + errors.var(axis=0))
    return np.where(np.abs(normal) < np.abs(mixture), normal, mixture)


def _likely_mistake(one: Experiment, size: float, unit: str) -> str:
    """Say which usual mistake makes an effect `size` times that of the model, or "".

    Averages for totals, per region, per period or both, and the wrong sign.
    """
    if one.measure != "outcome":
        return ""
    if 1 / _CLOSE < -size < _CLOSE:
        return (
            "It is close to the opposite of what they say: an estimate is the KPI with "
            "the change less the KPI without, below zero if a channel that works goes "
            "dark"
        )
    if not size > 0:  # nor nan
        return ""
    n_regions, n_periods = len(one.regions), one.stop - one.start + one.cooldown
    times = {one_of(unit): n_periods}
    times |= {name: n * n_periods for name, n in _SHORTER.get(unit, {}).items()}
    counts = times | {"region": n_regions}
    if n_regions > 1:
        counts |= {f"region and {name}": n_regions * n for name, n in times.items()}
    # What the estimate would be by that of the model if it was multiplied.
    off = {name: abs(np.log(size * n)) for name, n in counts.items() if n >= _FEWEST}
    nearest = min(off, key=off.__getitem__, default=None)
    if nearest is None or off[nearest] > np.log(_CLOSE):
        return ""
    return (
        f"It is close to what they say per {nearest}: an estimate is a total over "
        f"regions and periods, {counts[nearest]} times an average"
    )


def _finding(
    names: str, z: float, size: float, removed: float, conflict: bool, mistake: str
) -> str:
    """Say in one sentence what an experiment did to the model.

    `size` is the effect that it found by that of the model before.
    """
    if conflict:
        effect = "an effect of the other sign"
        if size > 0:
            effect = "a larger effect" if size > 1 else "a smaller effect"
        wrong = (
            f"The experiment on {names} found {effect} than the rows say, {abs(z):.1f} "
            "standard deviations away: one of the two is wrong."
        )
        if mistake:
            return f"{wrong} {mistake}."
        return (
            f"{wrong} Check the sign and units of the estimate (a total; below zero if "
            "a channel that works goes dark), the test's control regions, and what "
            "else moved with the spend."
        )
    agrees = f"The experiment on {names} agrees with the rows"
    if np.isnan(removed):
        return (
            f"The experiment on {names} found {size:.2g} times the effect that the "
            "rows say at the point; without draws nothing is said of their doubt."
        )
    if removed < _HARDLY:
        return f"{agrees}, and adds little to what they say of {names} in total."
    return (
        f"{agrees}, and removes {removed:.0%} of the doubt about what {names} caused: "
        "of the variance that rows alone leave."
    )


def alarms_after(
    alarms: np.ndarray, reported: ReportedExperiments, table: pd.DataFrame
) -> np.ndarray:
    """Return alarms, (n_media,) of str, after experiments.

    One on a channel alone that agrees with the rows and settles its effect answers the
    alarm of the channel; one that contradicts them rings one where none rang. Rows of
    channels that rang one had little to say and may be contradicted: there, one rings
    only if the model after all tests does not say what this one measured.
    """
    rang, alarms = alarms != "", alarms.copy()
    answers = (table["doubt_removed"] >= SETTLED) & ~table["conflict"]
    for one, answer in zip(reported.rows, answers, strict=True):
        if answer and len(one.channels) == 1:
            alarms[one.channels] = ""
    errors = np.array([np.hypot(one.std_error, one.bias_sd) for one in reported.rows])
    missed = (table["estimate"] - table["after"]).abs() > CONFLICT * errors
    for one, conflict, miss in zip(
        reported.rows, table["conflict"], missed, strict=True
    ):
        if conflict and (miss or not rang[one.channels].any()):
            disputed = [c for c in one.channels if alarms[c] == ""]
            alarms[disputed] = DISPUTED
    return alarms
