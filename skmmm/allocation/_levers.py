"""Controls that a plan decides beside media, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from skmmm._data.checks import resolve_column
from skmmm._data.costs import is_number
from skmmm._planning.levers import Lines
from skmmm._planning.problem import Problem
from skmmm._utils.labels import called, first_few, shown
from skmmm._utils.typing import Array
from skmmm.allocation._words import CLOSE, in_money
from skmmm.inspection import control_summary
from skmmm.inspection._controls import effects_of_controls
from skmmm.inspection._intervals import bounds as quantiles
from skmmm.inspection._protocol import ControlEffects, Counterfactual
from skmmm.inspection._side_by_side import GroupedCounterfactual
from skmmm.inspection._support import RARE, support_factors
from skmmm.inspection._verdicts import MIN_DRAWS, VERDICTS


@dataclass(frozen=True)
class Lever:
    """A control that `optimize_budget` decides, between two levels.

    Parameters
    ----------
    low, high : float
        Least and most mean of the control over the planned rows, in its units.
    cost : float
        Money that one more unit of the control takes in every row; negative where a
        lower level takes money, as of a price that is cut.

    Raises
    ------
    ValueError
        If one of them is no finite number, or `low` is above `high`.

    Examples
    --------
    >>> from skmmm.allocation import Lever
    >>> Lever(4.5, 5.5, cost=-2000.0)
    Lever(low=4.5, high=5.5, cost=-2000.0)
    """

    low: float
    high: float
    cost: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not is_number(value) or math.isinf(value):
                raise ValueError(
                    f"{name} of a Lever must be a finite number, got {shown(value)}."
                )
        if self.low > self.high:
            raise ValueError(
                f"A Lever must hold low <= high, got {self.low!r} and {self.high!r}."
            )


LeversGiven: TypeAlias = Mapping[Any, Lever] | None
_GO_WITH_LEVERS = {
    "by": "channel",
    "effect": "direct",
    "risk": None,
    "target_roi": None,
    "target_mroi": None,
}


@dataclass(frozen=True, eq=False)
class Levers:
    """K controls of a plan; a level is the mean over the planned rows.

    Attributes
    ----------
    labels : list of length K
    current : ndarray of shape (K,)
        Levels in X.
    ends : ndarray of shape (2, K)
        Least and most level.
    of_data : ndarray of shape (2, K), bool
        Whether an end is where data end.
    earned : ndarray of shape (K,)
        KPI units per unit of the level, over all rows.
    drawn : ndarray of shape (E, K)
    spent : ndarray of shape (K,)
        Money per unit of the level, over all rows.
    farthest : ndarray of shape (2, K)
        From zero, the value of a row of X, and of a training row.
    """

    labels: list
    current: Array
    ends: Array
    of_data: np.ndarray
    earned: Array
    drawn: Array
    spent: Array
    farthest: Array

    @property
    def lines(self) -> Lines:
        """What both ends earn and cost beyond today."""
        beyond = self.ends - self.current
        earned = (beyond * self.earned)[:, None]
        return Lines(self.labels, earned, beyond * self.spent)

    @property
    def allow_today(self) -> bool:
        """Whether all levels may stay."""
        slack = CLOSE * np.abs(self.current)
        low, high = self.ends
        return bool(
            ((low <= self.current + slack) & (self.current - slack <= high)).all()
        )

    def at(self, share: Array, inside: str) -> Moved:
        """Return levers between their ends, 0 to 1, (K,); inside: why not at one."""
        low, high = self.ends
        reason = np.full(len(share), inside, dtype=object)
        for stops, name, by_data in (
            (share < CLOSE, "at lower bound", self.of_data[0]),
            (share > 1.0 - CLOSE, "at upper bound", self.of_data[1]),
        ):
            reason[stops] = name
            reason[stops & by_data] = "where observed values end"
        reason[(low == high) & ~self.of_data.any(axis=0)] = "fixed"
        return Moved(self, low + share * (high - low), reason)

    def as_today(self) -> Moved:
        """Return levers that stay as they are."""
        reason = np.full(len(self.current), "as today", dtype=object)
        return Moved(self, self.current, reason)

    def infeasible(self, problem: Problem) -> str | None:
        """Return why no plan can spend the budget, None if one can."""
        assert problem.budget is not None
        low, high = np.sort(self.lines.spent, axis=0).sum(axis=1)
        media = problem.current @ problem.low, problem.current @ problem.high
        if media[0] + low <= problem.budget <= media[1] + high:
            return None
        return (
            f"No plan: the budget is {in_money(problem.budget)}, but within the bounds "
            f"media take from {in_money(media[0])} to {in_money(media[1])}, and levers "
            f"from {in_money(low)} to {in_money(high)} more than today. Change the "
            "budget, or widen the bounds."
        )


@dataclass(frozen=True, eq=False)
class Moved:
    """Levers of a plan.

    Attributes
    ----------
    levers : Levers
    level, reason : ndarray of shape (K,)
        Where they stop, and why there.
    """

    levers: Levers
    level: Array
    reason: np.ndarray

    @property
    def _beyond(self):
        return self.level - self.levers.current

    @property
    def money(self) -> Array:
        """What levels cost more than today, (K,)."""
        return self._beyond * self.levers.spent + 0.0  # no -0.0

    @property
    def contribution(self) -> Array:
        """KPI that levels bring beyond today, (K,)."""
        return self._beyond * self.levers.earned + 0.0

    @property
    def drawn(self) -> Array:
        """The same by draw, (E, K)."""
        return self._beyond * self.levers.drawn + 0.0

    def in_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a plan with their controls scaled to levels."""
        rows = rows.copy()
        factors = self.level / self.levers.current
        for label, factor in zip(self.levers.labels, factors, strict=True):
            rows[label] = factor * rows[label].astype(np.float64)
        return rows

    def table(self, tail: float) -> pd.DataFrame:
        """Return what the plan says of each lever."""
        levers = self.levers
        low, high = quantiles(self.drawn, tail, self.contribution)
        with np.errstate(divide="ignore", invalid="ignore"):
            per_money = np.where(levers.spent, levers.earned / levers.spent, np.nan)
        return pd.DataFrame(
            {
                "level": self.level,
                "current": levers.current,
                "change": self.level / levers.current - 1.0,
                "cost": self.money,
                "contribution": self.contribution,
                "contribution_low": low,
                "contribution_high": high,
                "kpi_per_money": per_money,
                "reason": self.reason,
            },
            index=pd.Index(levers.labels, name="control"),
        )

    def in_words(self) -> str:
        """Return a sentence on what levers do."""
        said = [
            f"{called(label)} from {now:.4g} to {then:.4g} ({_taken(money)})"
            for label, now, then, money in zip(
                self.levers.labels,
                self.levers.current,
                self.level,
                self.money,
                strict=True,
            )
        ]
        return f" Levers: {first_few(said)}.{self._extremes_in_words()}"

    def _extremes_in_words(self) -> str:
        """Name levers of which single rows go beyond all that was seen."""
        planned, seen = self.levers.farthest
        planned = planned * self.level / self.levers.current
        beyond = np.flatnonzero(np.abs(planned) > (1.0 + CLOSE) * np.abs(seen))
        if not len(beyond):
            return ""
        said = [
            f"{called(self.levers.labels[k])} {planned[k]:.4g} (seen: {seen[k]:.4g})"
            for k in beyond
        ]
        return f" Single rows then have more than any row had: {first_few(said)}."


def _taken(money):
    """Return in words what a lever takes from the budget, or adds to it."""
    if money == 0:
        return "at no cost"
    verb = "takes" if money > 0 else "frees"
    return f"{verb} {in_money(abs(money))} of the budget"


def check_levers(levers: LeversGiven, asked: Mapping[str, Any]) -> None:
    """Raise if levers are none, or something is asked that does not go with them."""
    if levers is None:
        return
    check_are_levers(levers)
    for name, usual in _GO_WITH_LEVERS.items():
        if asked[name] != usual:
            raise ValueError(
                f"levers are for plans with {name}={usual!r}, got {asked[name]!r}. "
                "Leave out one of the two."
            )


def check_are_levers(levers: Any) -> None:
    """Raise unless these are levers by control."""
    if not isinstance(levers, Mapping) or not levers:
        raise ValueError(
            f"levers must map controls to Lever(low, high, cost), got {shown(levers)}."
        )
    for key, lever in levers.items():
        if not isinstance(lever, Lever):
            raise ValueError(
                f"levers of {key!r} must be a skmmm.allocation.Lever(low, high, cost), "
                f"got {shown(lever)}."
            )


def read_levers(
    estimator: Any,
    counterfactual: Counterfactual,
    given: LeversGiven,
    *,
    freely: bool,
) -> Levers | None:
    """Return the `Levers` that a user gives, None without; freely: beyond data too.

    Raises
    ------
    ValueError
        If a control is unknown, the data do not tell what it does, it has no values
        that can be scaled, it would change its sign, or leave what was observed. If the
        estimator holds groups.
    """
    if given is None:
        return None
    if isinstance(counterfactual, GroupedCounterfactual):
        raise ValueError(
            "levers are for the plan of one model, and these are groups, whose "
            "controls have effects of their own. Plan levers group by group, each "
            "with its own budget: estimators_[group].optimize_budget(levers=...)."
        )
    if not counterfactual.additive:
        raise ValueError(
            "levers share a budget with channels whose effects add up, and those of "
            "this model have synergies. Plan without levers, or fit with "
            "synergies=None."
        )
    found = effects_of_controls(estimator, counterfactual)
    read: dict[int, Lever] = {}
    for key, lever in given.items():
        k = _position(counterfactual, found, key)
        if k in read:
            raise ValueError(f"levers of {key!r} are given twice. Leave one out.")
        read[k] = lever
    order = list(read)
    for k in order:
        _check_told(estimator, found, k)
        _check_scalable(found, k)
    current = found.values.mean(axis=0)
    earned, drawn = found.caused_by(found.values / np.where(current, current, 1.0))
    assert drawn is not None
    ends = np.array([[float(read[k].low), read[k].high] for k in order]).T
    of_data = np.zeros(ends.shape, dtype=bool)
    if not freely:
        for i, k in enumerate(order):
            ends[:, i], of_data[:, i] = _within_data(found, k, ends[:, i])
    for i, k in enumerate(order):
        _check_sign(found, k, ends[:, i])
    cost = np.array([float(read[k].cost) for k in order])
    return Levers(
        labels=[found.labels[k] for k in order],
        current=current[order],
        ends=ends,
        of_data=of_data,
        earned=earned[order],
        drawn=drawn[:, order],
        spent=len(found.values) * cost,
        farthest=np.array(
            [_farthest(table)[order] for table in (found.values, found.seen)]
        ),
    )


def _farthest(values: Array) -> Array:
    """Return the value of each column that is farthest from zero."""
    where = np.abs(values).argmax(axis=0)
    return np.take_along_axis(values, where[None], axis=0)[0]


def _position(counterfactual: Counterfactual, found: ControlEffects, key: Any) -> int:
    """Return the position of a control that a user names."""
    label = resolve_column(counterfactual.frame, key, "levers")
    if label not in found.labels:
        raise ValueError(
            f"levers name {key!r}, which is no control. Controls: {found.labels}."
        )
    return found.labels.index(label)


def _check_told(estimator: Any, found: ControlEffects, k: int) -> None:
    """Raise if the data do not tell what a control does."""
    label, verdict = found.labels[k], found.verdict[k]
    if verdict == VERDICTS[0]:
        return
    if verdict is None:
        raise ValueError(
            f"levers name {label!r}, but whether data tell what it does takes at least "
            f"{MIN_DRAWS} draws: fit with a larger n_draws."
        )
    row = control_summary(estimator).loc[label]
    raise ValueError(
        f"levers name {label!r}, but the data do not tell what it does: one more unit "
        f"changes the KPI of a row by {row['effect_low']:.4g} to "
        f"{row['effect_high']:.4g} (90 % interval; {verdict}, see control_summary). "
        "Leave it out."
    )


def _check_scalable(found: ControlEffects, k: int) -> None:
    """Raise if a control has no pattern that can be scaled."""
    values = np.append(found.values[:, k], found.seen[:, k])
    if not found.values[:, k].any():
        why = "is zero in all rows of X"
    elif values.min() < 0 < values.max():
        why = "has values of both signs in X and the training rows"
    else:
        return
    raise ValueError(
        f"levers scale the values of a control in the rows of X, but "
        f"{found.labels[k]!r} {why}. Give it values of one sign, or leave it out."
    )


def _check_sign(found: ControlEffects, k: int, ends: Array) -> None:
    """Raise if a level has another sign than the values that are scaled to it."""
    above = found.values[:, k].max() > 0
    if (ends if above else -ends).min() >= 0:
        return
    side, limit = ("above", "low >= 0") if above else ("below", "high <= 0")
    raise ValueError(
        f"levers of {found.labels[k]!r} ask for {ends[0]:.4g} to {ends[1]:.4g}, but "
        f"its values are {side} zero, and scaling them must not change their sign. "
        f"Give {limit}."
    )


def _within_data(found: ControlEffects, k: int, ends: Array) -> tuple[Array, Array]:
    """Return ends of the level of a control within what was observed, and which are so.

    As for spend: where the average row has what one training row in a hundred had,
    below or above, in units of its region. Rows without any are left out, and a control
    that was zero in more than one row in a hundred may be. Today's level is allowed.
    """
    values, seen = np.abs(found.values[:, k]), np.abs(found.seen[:, k])
    on, was = values > 0, seen > 0
    least, most = (
        support_factors(
            seen[was, None],
            found.seen_region[was],
            values[on, None],
            found.region[on],
            np.zeros(on.sum(), dtype=np.int64),
            1,
            share,
        )[0, 0]
        for share in (RARE, 1.0 - RARE)
    )
    least = 0.0 if (~was).mean() > RARE else min(least, 1.0)
    current = found.values[:, k].mean()
    low, high = np.sort([least * current, max(most, 1.0) * current])
    if ends[0] > high or ends[1] < low:
        raise ValueError(
            f"levers of {found.labels[k]!r} ask for {ends[0]:.4g} to {ends[1]:.4g}, "
            f"but data reach from {low:.4g} to {high:.4g}. Change them, or set "
            "allow_extrapolation=True."
        )
    of_data = np.array([ends[0] < low, ends[1] > high])
    return np.clip(ends, low, high), of_data
