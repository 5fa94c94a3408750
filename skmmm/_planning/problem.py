"""What may be planned: cells of spend, their limits, and what is to be reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

from skmmm._utils.labels import shown

# From outcomes of the draws, (E,), to their weights, and to what is maximised.
Weigh: TypeAlias = Callable[[np.ndarray], np.ndarray]
Worth: TypeAlias = Callable[[np.ndarray], float]
DEFAULT_BOUNDS = (0.5, 2.0)
GROUPS = {"channel": None, "region": "region", "period": "period"}
ALIKE = 1e-6  # relative: what counts as the same spend
MOST_MULTIPLE = 100.0  # of current spend; beyond, bounds must be meant as money


@dataclass(frozen=True, eq=False)
class Problem:
    """Cells of spend (C), flattened from channels and their groups.

    Attributes
    ----------
    labels : list of length M
        Channels.
    groups : list of length G
        Names of regions or periods; [None] if whole channels are planned.
    current : ndarray of shape (C,)
        Spend today, in money.
    low, high : ndarray of shape (C,)
        Bounds of the multiples of current spend.
    until : ndarray of shape (C,)
        Multiples up to which spend was observed.
    refused : ndarray of shape (C,), bool
        Whether `high` is where data end.
    limits : list of length n_rows
        What constraints on groups of channels are called.
    rows : ndarray of shape (n_rows, C)
        Of constraints on groups of channels: money per unit of the multiples.
    least, most : ndarray of shape (n_rows,)
    leader : ndarray of shape (C,), int
        Cell whose multiple each cell takes; itself if it moves on its own.
    kept : ndarray of shape (C,) of str
        Why a cell keeps its spend unless it is bounded by name, "" if it may move.
    budget : float or None
        What is to be spent in all; with a target, at most.
    target_roi, target_mroi : float or None
    """

    labels: list
    groups: list
    current: np.ndarray
    low: np.ndarray
    high: np.ndarray
    until: np.ndarray
    refused: np.ndarray
    limits: list
    rows: np.ndarray
    least: np.ndarray
    most: np.ndarray
    leader: np.ndarray
    kept: np.ndarray
    budget: float | None
    target_roi: float | None
    target_mroi: float | None

    @property
    def shape(self):
        """Number of channels and groups."""
        return len(self.labels), len(self.groups)

    @property
    def free(self):
        """Which cells may move, shape (C,)."""
        return self.low < self.high

    def company(self, cell):
        """Return the labels of the channels that move with a cell, without its own."""
        cells = np.flatnonzero(self.leader == self.leader[cell])
        return [self.labels[c // len(self.groups)] for c in cells if c != cell]

    @property
    def has_target(self):
        """Whether a return decides how much is spent."""
        return self.target_roi is not None or self.target_mroi is not None


def make_problem(
    counterfactual: Any,
    by: str,
    *,
    costless: list,
    budget: float | None = None,
    bounds: Any,
    money_bounds: Any,
    fixed: Any,
    constraints: Any,
    target_roi: float | None = None,
    target_mroi: float | None = None,
    allow_extrapolation: bool,
) -> Problem:
    """Read the limits of a plan, as the user gives them to `optimize_budget`.

    `costless` are channels without a cost beside others that have one.

    Raises
    ------
    ValueError
        If a channel, region or period is unknown, a number is none, or bounds lie
        beyond what was observed.
    """
    if not counterfactual.labels:
        raise ValueError("There are no media columns, so there is nothing to plan.")
    names = counterfactual.groups(GROUPS[by])[1]
    labels, shape = counterfactual.labels, (len(counterfactual.labels), len(names))
    current = np.ascontiguousarray(counterfactual.spend_in(GROUPS[by]).T)
    keys = _Keys(counterfactual, names, by, costless)
    low, high = _read_bounds(bounds, keys, shape)
    groups = _read_money_bounds(money_bounds, keys, current, low, high)
    _read_fixed(fixed, keys, current, low, high)
    _check_bounded_once(bounds, money_bounds, fixed, keys, shape)
    named = _named(keys, shape, bounds, money_bounds, fixed)
    kept = _keep(counterfactual.doubted(), named, current, low, high)
    until = counterfactual.observed_until(GROUPS[by])
    until = np.where(np.isfinite(until), until, 1.0)
    idle = current == 0
    low[idle] = high[idle] = 1.0
    refused = np.zeros(shape, dtype=bool)
    if not allow_extrapolation:
        refused = _end_with_data(low, high, until, keys)
    _check_finite(high, keys)
    leader = _join(counterfactual, named, current, low, high, refused)
    targets = _read_targets(target_roi=target_roi, target_mroi=target_mroi)
    groups += _read_constraints(constraints, keys)
    rows = [(weights[:, None] * current).ravel() for _, weights, _, _ in groups]
    return Problem(
        labels=labels,
        groups=names,
        current=current.ravel(),
        low=low.ravel(),
        high=high.ravel(),
        until=until.ravel(),
        refused=refused.ravel(),
        limits=[name for name, _, _, _ in groups],
        rows=np.array(rows).reshape(len(rows), current.size),
        least=np.array([least for _, _, least, _ in groups], dtype=np.float64),
        most=np.array([most for _, _, _, most in groups], dtype=np.float64),
        leader=leader.ravel(),
        kept=kept.ravel(),
        budget=_read_budget(budget, targets, current),
        target_roi=targets.get("target_roi"),
        target_mroi=targets.get("target_mroi"),
    )


def _read_budget(budget, targets, current):
    """Return what is to be spent in all, None if a target decides."""
    if budget is None:
        return None if targets else current.sum()
    return _positive("budget", budget)


def check_budget(budget: Any) -> None:
    """Raise if rows are given in place of a budget, before any are read."""
    if hasattr(budget, "__len__") and not isinstance(budget, str):
        raise ValueError(
            f"budget is a number, got a {type(budget).__name__}; pass rows as X=..."
        )


def _end_with_data(low, high, until, keys):
    """Lower upper bounds to where data end, in place; return which ones."""
    end = np.maximum(until, 1.0)
    refused = (high > end) & (low < high)
    beyond = refused & (low > end)
    if beyond.any():
        m, g = np.argwhere(beyond)[0]
        raise ValueError(
            f"bounds of {keys.name(m, g)} ask for at least {low[m, g]:.3g} times "
            f"its spend, but data end at {until[m, g]:.3g} times. Lower them, or "
            "set allow_extrapolation=True."
        )
    high[refused] = end[refused]
    return refused


def _named(keys, shape, bounds, money_bounds, fixed):
    """Return which cells are bounded by name, or their channel is, of a shape."""
    given = [*_by_name(bounds), *(money_bounds or ()), *(fixed or ())]
    named = np.zeros(shape, dtype=bool)
    for key in given:
        named[keys.cells(key, "bounds")] = True
    return named


def _keep(doubted, named, current, low, high):
    """Set bounds of doubted channels to current spend, in place, but of `named` cells.

    Returns why each cell is kept, "" if it is not.
    """
    doubted = np.asarray(doubted, dtype=object)[:, None]
    kept = np.where(named | (current == 0), "", doubted)
    low[kept != ""] = high[kept != ""] = 1.0
    return kept


def _join(counterfactual, named, current, low, high, refused):
    """Let channels of which only the sum is known move as one, bounds in place.

    Except groups with a channel in `named`. Returns the leader of every cell.
    """
    leader = np.arange(current.size).reshape(current.shape)
    for group in counterfactual.known_together():
        if named[group].any():
            continue
        for g in range(current.shape[1]):
            cells = group[current[group, g] > 0], g
            if not len(cells[0]):
                continue
            first = cells[0][np.argmin(high[cells])]
            low[cells], high[cells] = low[cells].max(), high[first, g]
            refused[cells] = refused[first, g]
            leader[cells] = leader[cells[0][0], g]
    return leader


def _check_finite(high, keys):
    if not np.isfinite(high).all():
        m, g = np.argwhere(~np.isfinite(high))[0]
        raise ValueError(
            f"The upper bound of {keys.name(m, g)} is infinite, which needs "
            "allow_extrapolation=False so that data set the limit."
        )


def _read_targets(**targets):
    """Return the target that is given, by name."""
    targets = {k: _positive(k, v) for k, v in targets.items() if v is not None}
    if len(targets) > 1:
        raise ValueError("Give target_roi or target_mroi, not both.")
    return targets


def readable(groups: list) -> list:
    """Return regions or periods as a user may write them."""
    return [
        group.astype("datetime64[us]").item()
        if isinstance(group, np.datetime64)
        else group
        for group in groups
    ]


def position_of(key: Any, groups: list, said: str, by: str) -> int:
    """Return the position of a region or period among `readable` ones, or raise.

    `said` is how the message begins.
    """
    for g, group in enumerate(groups):
        # Dates may be written as text.
        if group == key or str(group) in (str(key), f"{key} 00:00:00"):
            return g
    raise ValueError(f"{said}, but X has no {by} {key!r}; the first is {groups[0]!r}.")


class _Keys:
    """Finds the cells that a key of the user names."""

    def __init__(self, counterfactual, groups, by, costless):
        self.labels, self.columns = counterfactual.labels, counterfactual.names
        self.check_channel = counterfactual.check_channel
        self.groups = readable(groups)
        self.by, self.costless = by, costless
        self.tuples = isinstance(self.labels[0], tuple)

    def channel(self, key, role):
        """Return the position of a channel among the media."""
        label = key
        position = isinstance(key, Integral) and key not in self.labels
        if position and -len(self.columns) <= key < len(self.columns):
            label = self.columns[key]
        self.check_channel(label, role, key)
        return self.labels.index(label)

    def is_cell(self, key):
        """Return whether a key names a cell; channels may be tuples themselves."""
        whole = key in self.labels or (self.by == "channel" and self.tuples)
        return isinstance(key, tuple) and not whole

    def cells(self, key, role):
        """Return channel and groups that a key names, an index of cells."""
        if not self.is_cell(key):
            return self.channel(key, role), tuple(range(len(self.groups)))
        if self.by == "channel" or len(key) != 2:
            raise ValueError(
                f"{role} names {key!r}; with by={self.by!r} cells are named by "
                + ("channel." if self.by == "channel" else f"(channel, {self.by}).")
            )
        m = self.channel(key[0], role)
        return m, (position_of(key[1], self.groups, f"{role} names {key!r}", self.by),)

    def check_paid(self, m, role):
        """Raise if a channel without a cost is to be planned."""
        if self.labels[m] in self.costless:
            raise ValueError(
                f"{role} limits {self.labels[m]!r}, which has no cost beside channels "
                "that have one, so that no money is planned for it. Give it a "
                "media_cost, or leave it out."
            )

    def name(self, m, *groups):
        """Return how a cell, or a channel in several groups, is called in messages."""
        if self.by == "channel" or len(groups) != 1:
            return repr(self.labels[m])
        return f"{self.labels[m]!r} in {self.by} {self.groups[groups[0]]}"

    def each(self, role, given, read):
        """Return what a mapping says of cells: their index to what is read.

        Raises
        ------
        ValueError
            If two keys say different things of the same cells, or one is of a channel
            without a cost.
        """
        said: dict[tuple, Any] = {}
        for key, value in given.items():
            (m, groups), value = self.cells(key, role), read(key, value)
            self.check_paid(m, role)
            if said.setdefault((m, groups), value) != value:
                raise ValueError(
                    f"{role} of {self.name(m, *groups)} is given twice, as "
                    f"{said[m, groups]!r} and as {value!r}. Leave one out."
                )
        return said


def _read_bounds(bounds, keys, shape):
    """Return lower and upper multiples of every cell, each of a shape."""
    general = bounds
    if isinstance(bounds, Mapping):
        general = bounds.get(None, DEFAULT_BOUNDS)
    low, high = (np.full(shape, end) for end in _multiples("bounds", general))

    def read(key, pair):
        return _multiples(f"bounds of {key!r}", pair)

    named = _by_name(bounds)
    # Cells after channels, so that the narrower key counts.
    for narrow in (False, True):
        part = {k: v for k, v in named.items() if keys.is_cell(k) == narrow}
        for where, pair in keys.each("bounds", part, read).items():
            low[where], high[where] = pair
    return low, high


def _by_name(limits):
    """Return limits that are given by channel or cell, without those of all others."""
    given = limits if isinstance(limits, Mapping) else {}
    return {key: pair for key, pair in given.items() if key is not None}


def _pair(role, pair, unit):
    ends = list(pair) if isinstance(pair, tuple | list | np.ndarray) else []
    if len(ends) != 2 or not all(_is_number(end) for end in ends):
        raise ValueError(
            f"{role} must be two numbers (low, high), {unit}, got {shown(pair)}."
        )
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError(f"{role} must hold 0 <= low <= high, got {tuple(ends)!r}.")
    return float(ends[0]), float(ends[1])


def _multiples(role, pair):
    """Return two multiples of current spend, none so high that it must be money."""
    low, high = _pair(role, pair, "multiples of current spend")
    largest = max(end for end in (low, high, 0.0) if end < np.inf)
    if largest > MOST_MULTIPLE:
        raise ValueError(
            f"{role} ask for {largest:,.6g} times current spend. If they are money, "
            "pass them as money_bounds={channel: (least, most)}."
        )
    return low, high


def _read_money_bounds(money_bounds, keys, current, low, high):
    """Bound cells by money, in place; return limits on channels of several cells."""
    if money_bounds is None:
        return []
    if not isinstance(money_bounds, Mapping):
        raise ValueError(
            "money_bounds must map channels to (least, most) in money, got "
            f"{shown(money_bounds)}."
        )

    def read(key, pair):
        return _pair(f"money_bounds of {key!r}", pair, "in money")

    limits = []
    for where, (least, most) in keys.each("money_bounds", money_bounds, read).items():
        role = f"money_bounds of {keys.name(where[0], *where[1])}"
        now = current[where]
        if now.sum() == 0:
            raise ValueError(
                f"{role} cannot be kept: it spends no money in X, so that there is no "
                "pattern to scale. Give it spend in X."
            )
        if now.size == 1:
            low[where], high[where] = least / now.sum(), most / now.sum()
        else:
            weights = (np.arange(len(current)) == where[0]).astype(np.float64)
            limits.append((role, weights, least, most))
    return limits


def _check_bounded_once(bounds, money_bounds, fixed, keys, shape):
    """Raise if what one argument says of a channel or cell has no effect."""
    settled = [("fixed", _mask(keys.cells(key, "fixed"), shape)) for key in fixed or ()]
    for key in money_bounds or ():
        mask = _mask(keys.cells(key, "money_bounds"), shape)
        if mask.sum() == 1:
            settled.append(("money_bounds", mask))
    for name, given in (("bounds", bounds), ("money_bounds", money_bounds)):
        for key in _by_name(given):
            named = keys.cells(key, name)
            for other, mask in settled:
                if other != name and mask[named].all():
                    raise ValueError(
                        f"{name} and {other} both limit {key!r}. Leave it out of one "
                        "of them."
                    )


def _mask(where, shape):
    mask = np.zeros(shape, dtype=bool)
    mask[where] = True
    return mask


def _read_fixed(fixed, keys, current, low, high):
    """Lock cells, in place."""
    if fixed is None:
        return
    if isinstance(fixed, str):
        raise ValueError(f"fixed must be a list or a mapping, got {fixed!r}.")
    if not isinstance(fixed, Mapping):
        for key in fixed:
            where = keys.cells(key, "fixed")
            low[where] = high[where] = 1.0
        return
    said = keys.each("fixed", fixed, _fixed_money)
    _check_not_beside_cells(said, keys)
    for where, money in said.items():
        now = current[where].sum()
        if now == 0 and money > 0:
            raise ValueError(
                f"fixed asks to spend {money!r} on {keys.name(where[0], *where[1])}, "
                "which spends nothing in X, so that there is no pattern to scale. Give "
                "it spend in X."
            )
        low[where] = high[where] = money / now if now else 1.0


def _fixed_money(key, money):
    if not _is_number(money) or not 0 <= money < np.inf:
        raise ValueError(
            f"fixed spend of {key!r} must be a number from 0 up, got {money!r}."
        )
    return money


def _check_not_beside_cells(said, keys):
    """Raise if a channel is fixed as a whole and in one of its cells."""
    whole = {m for m, groups in said if len(groups) == len(keys.groups)}
    for m, groups in said:
        if m in whole and len(groups) < len(keys.groups):
            raise ValueError(
                f"fixed sets {keys.name(m)} as a whole and {keys.name(m, *groups)}. "
                "Leave one out."
            )


def _read_constraints(constraints, keys):
    """Return name, weights by channel, least and most of every group constraint."""
    if constraints is None:
        return []
    if isinstance(constraints, Mapping | str):
        raise ValueError(
            "constraints must be a list of (channels, least, most), with money from "
            "least to most (None: no limit) for these channels together."
        )
    read = []
    for i, constraint in enumerate(constraints):
        if not isinstance(constraint, tuple | list) or len(constraint) != 3:
            raise ValueError(
                f"constraint {i} must be (channels, least, most), got "
                f"{shown(constraint)}."
            )
        channels, least, most = constraint
        alone = isinstance(channels, str) or not hasattr(channels, "__iter__")
        if alone or (isinstance(channels, tuple) and channels in keys.labels):
            channels = [channels]
        weights = _weights(f"constraint {i}", channels, keys)
        ends = -np.inf if least is None else least, np.inf if most is None else most
        if not all(_is_number(end) for end in ends) or ends[0] > ends[1]:
            raise ValueError(
                f"constraint {i} must hold least <= most, got {least!r} and {most!r}."
            )
        read.append((f"constraint {i}", weights, *ends))
    return read


def _weights(role, channels, keys):
    """Return the weights of a group of channels in a constraint, (n_media,)."""
    said: dict[int, Any] = {}
    for key in channels:
        weight = channels[key] if isinstance(channels, Mapping) else 1.0
        if not _is_number(weight) or np.isinf(weight):
            raise ValueError(
                f"{role} weighs {key!r} with {weight!r}; weights must be finite "
                "numbers."
            )
        m = keys.channel(key, role)
        keys.check_paid(m, role)
        if said.setdefault(m, weight) != weight:
            raise ValueError(f"{role} weighs {keys.name(m)} twice. Leave one out.")
    weights = np.zeros(len(keys.labels))
    weights[list(said)] = list(said.values())
    return weights


def read_risk(risk: Any) -> tuple[Weigh, Worth]:
    """Return the functions from outcomes to weights and to what is maximised.

    Weights are the gradient of what is maximised. Without a risk there is one outcome,
    at the point.
    """
    if risk is None:
        return (lambda outcome: np.full(len(outcome), 1 / len(outcome))), np.mean
    kind, amount = risk if isinstance(risk, tuple | list) and len(risk) == 2 else (0, 0)
    if kind not in ("cvar", "sd") or not _is_number(amount):
        raise ValueError(
            "risk must be None (the mode), ('cvar', share), the mean of "
            f"that share of the worst draws, or ('sd', k), got {shown(risk)}."
        )
    if kind == "cvar":
        if not 0 < amount <= 1:
            raise ValueError(
                f"The share of ('cvar', share) is {amount!r}, not in (0, 1]."
            )

        def weigh(outcome):
            # The k-th worst counts in full, the last one in part.
            worst = np.clip(amount * len(outcome) - np.arange(len(outcome)), 0.0, 1.0)
            weight = np.empty(len(outcome))
            weight[np.argsort(outcome, kind="stable")] = worst
            return weight / weight.sum()

        return weigh, lambda outcome: weigh(outcome) @ outcome
    if amount < 0 or np.isinf(amount):
        raise ValueError(f"The k of ('sd', k) is {amount!r}; it must be 0 or more.")

    def weigh_sd(outcome):
        deviation = outcome - outcome.mean()
        size = np.sqrt((deviation**2).mean())
        return (1.0 - amount * deviation / max(size, 1e-300)) / len(outcome)

    return weigh_sd, lambda outcome: outcome.mean() - amount * outcome.std()


def _positive(name, value):
    if not _is_number(value) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be a positive number, got {shown(value)}.")
    return float(value)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and value == value
