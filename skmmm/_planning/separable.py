"""The best plan where cells of spend act side by side.

The curve of every cell is tabulated and joined by a cubic spline. A linear programme
over the pieces of their concave envelopes finds the plan in which no piece elsewhere
would earn more: the best of all plans where curves are concave, else a bound on it.
Where the plan leaves a cell on the bridge over a dent of its curve, the cell is sent to
one side of that point, then to the other, until no side can hold a better plan (branch
and bound for separable programmes [1]_). The programme is solved again over finer
pieces around the best plan until that stands still. Where draws are weighed unequally,
each round takes the weights of the last.

Where channels interact, or respond to each other, the curves are tabulated anew around
each solution.

References
----------
.. [1] Falk, Soland (1969). An Algorithm for Separable Nonconvex Programming Problems.
   Management Science 15.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from heapq import heappop, heappush
from itertools import count, pairwise, starmap
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, linprog

from skmmm._planning.problem import Problem, Weigh, Worth

_SPACING = 0.1875  # of the multiples between nodes of the tables
_MOST_NODES = 49
_COARSE = 0.4  # nodes farther apart are for finding plans, not for reporting them
_FINE = 8  # pieces per round around the last solution
_SETTLED = 1e-4  # of the multiples
_MOST_ROUNDS = 40
_MOST_TABLES = 6
_STEP = 1e-3  # of the multiples: the last unit
_SMALLEST = 1e-3  # multiple from which spend can be scaled up again
_MOST_BRANCHES = 64  # to look for a better plan over dents of curves
_MOST_CELLS = 2048  # in all of these together; one dent counts for little among many
_NO_BETTER = 1e-8  # of what is maximised: less is no reason to look further


@dataclass(frozen=True, eq=False)
class Curves:
    """What cells earn and cost as functions of their multiples, around a plan.

    Attributes
    ----------
    base : ndarray of shape (C,)
        Multiples of that plan.
    outcome : ndarray of shape (E,)
        What it earns.
    spend : float
        What it costs.
    worth, cost : list of CubicSpline, one per channel
        Change of outcome, values of shape (G, E), and of spend, (G,), if a cell spends
        so many times what it does in that plan. Worth is a function of `delivered`.
    delivered : callable
        From times of spend to those of delivery, (..., C), in which curves are smooth.
    point : Curves or None
        The same at the point, where `target_roi` is to be met; None: these are.
    """

    base: np.ndarray
    outcome: np.ndarray
    spend: float
    worth: list
    cost: list
    delivered: Callable[[np.ndarray], np.ndarray]
    point: "Curves | None" = None

    def at(self, multiples):
        """Return changes of outcome, (N, C, E), and spend at multiples, (N, C)."""
        times = multiples / self.base
        both = (self.worth, self.delivered(times)), (self.cost, times)
        return tuple(
            np.concatenate(
                [
                    _each(*pair)
                    for pair in zip(
                        splines, np.split(points, len(splines), axis=1), strict=True
                    )
                ],
                axis=1,
            )
            for splines, points in both
        )

    def covers(self, multiples):
        """Return whether a plan, (C,), lies within the tables."""
        points = np.split(multiples / self.base, len(self.cost))
        return all(
            np.diff(spline.x).max() < _COARSE
            and spline.x[0] - _SETTLED <= one.min()
            and one.max() <= spline.x[-1] + _SETTLED
            for spline, one in zip(self.cost, points, strict=True)
        )

    def totals(self, multiples):
        """Return outcome (E,) and spend of a plan, (C,)."""
        worth, cost = self.at(multiples[None])
        return self.outcome + worth[0].sum(axis=0), self.spend + cost.sum()

    def mixed(self, weights):
        """Return the curves of a mean over draws, with weights by group, (G, E)."""
        mixed = [
            CubicSpline.construct_fast(
                np.einsum("pnge,ge->png", one.c, weights)[..., None], one.x
            )
            for one in self.worth
        ]
        outcome = np.array([self.outcome @ weights.mean(axis=0)])
        return replace(self, outcome=outcome, worth=mixed)

    def marginal(self, multiples, weigh):
        """Return what the last unit of spend earns in what is maximised, (C,)."""
        weight = weigh(self.totals(multiples)[0])
        step = _STEP * self.base
        worth, cost = self.at(np.stack([multiples, multiples + step]))
        cost = cost[1] - cost[0]
        return (worth[1] - worth[0]) @ weight / np.where(cost > 0, cost, np.nan)


def _each(spline, points):
    """Evaluate spline g of a family at column g of points, (N, G) -> (N, G, ...)."""
    piece = np.searchsorted(spline.x, points, "right") - 1
    piece = np.clip(piece, 0, len(spline.x) - 2)
    group = np.broadcast_to(np.arange(points.shape[1]), points.shape)
    step = points - spline.x[piece]
    step = step.reshape(step.shape + (1,) * (spline.c.ndim - 3))
    value = 0.0
    for power in spline.c:  # (n_pieces, G, ...)
        value = value * step + power[piece, group]
    return value


def tabulate(
    counterfactual: Any,
    problem: Problem,
    by: str | None,
    base: np.ndarray,
    outcome: np.ndarray | None = None,
    *,
    draws: bool,
) -> Curves:
    """Return the `Curves` around a plan, of which `base`, (C,), are the multiples.

    The counterfactual is the one under that plan, and `outcome`, (E,), what it earns.
    """

    def delivered(times):
        cells = times.reshape(*times.shape[:-1], *problem.shape)
        return counterfactual.delivered(cells).reshape(times.shape)

    low, high = problem.low / base, problem.high / base
    worth, cost, alone = [], [], np.zeros(())
    cells = np.arange(len(base)).reshape(problem.shape)
    for m, own in enumerate(cells):
        nodes = _nodes(low[own].min(), high[own].max())
        points = np.append(nodes, 1.0)
        earned = np.moveaxis(counterfactual.curve(m, points, by, draws=draws), 1, 2)
        spent = counterfactual.spend_curve(m, points, by)
        bought = delivered(np.repeat(nodes[:, None], len(base), axis=1))[:, own[0]]
        worth.append(CubicSpline(bought, earned[:-1] - earned[-1]))
        cost.append(CubicSpline(nodes, spent[:-1] - spent[-1]))
        alone = alone + earned[-1].sum(axis=0)
    if outcome is None and counterfactual.additive:
        outcome = alone
    elif outcome is None:
        outcome = counterfactual.outcome(draws=draws)
    point = None
    if draws and problem.target_roi is not None:
        point = tabulate(counterfactual, problem, by, base, draws=False)
    return Curves(
        base, outcome, counterfactual.total_spend, worth, cost, delivered, point
    )


def _nodes(low, high):
    """Return where curves are tabulated: closer towards zero, where they bend most."""
    if high - low < _SETTLED:
        low, high = 0.5 * low, high + _SPACING
    n_nodes = int(np.ceil((high - low) / _SPACING)) + 1
    roots = np.linspace(low**0.5, high**0.5, np.clip(n_nodes, 9, _MOST_NODES))
    return roots**2


def best_multiples(
    counterfactual: Any,
    problem: Problem,
    by: str | None,
    weigh: Weigh,
    worth: Worth,
    *,
    draws: bool,
    curves: Curves | None = None,
) -> tuple[np.ndarray | None, int, Curves]:
    """Return the best plan and how many programmes that took.

    Returns
    -------
    multiples : ndarray of shape (C,) or None
        None if the constraints contradict each other.
    n_rounds : int
    curves : Curves
        Exact for all plans that they cover if channels act side by side, else exact
        for the plan only. Those around today may be given if they are known.
    """
    start = np.clip(np.ones(len(problem.low)), problem.low, problem.high)
    if counterfactual.additive:
        if curves is None:
            curves = tabulate(
                counterfactual, problem, by, np.ones(len(start)), draws=draws
            )
        return *_climb(curves, problem, start, weigh, worth), curves
    best: tuple[float, np.ndarray, Curves] | None = None
    n_rounds, reach = 0, np.inf
    for _ in range(_MOST_TABLES):
        start = _on_budget(counterfactual, problem, by, np.maximum(start, _SMALLEST))
        planned = counterfactual.planned(start.reshape(problem.shape), by)
        outcome = planned.outcome(draws=draws)
        merit = _merit(problem, worth, outcome, planned.total_spend)
        if best is None or merit > best[0]:
            curves = tabulate(planned, problem, by, start, outcome, draws=draws)
            best, reach = (merit, start, curves), 2.0 * reach
        else:
            reach = np.abs(start - best[1]).max() / 4.0
        plan, n_more = _climb(best[2], problem, best[1], weigh, worth, reach)
        n_rounds += n_more
        if plan is None:
            if np.isinf(reach):
                return None, n_rounds, best[2]
            break
        if np.abs(plan - best[1]).max() < 10 * _SETTLED:
            break
        start = plan
    assert best is not None
    return best[1], n_rounds, best[2]


def _on_budget(counterfactual, problem, by, plan):
    """Return a plan scaled so that it costs the budget once all have responded."""
    if problem.budget is None:
        return plan
    low, high = np.maximum(problem.low, _SMALLEST), np.maximum(problem.high, _SMALLEST)

    @cache  # the ends are asked for twice
    def over(scale):
        scaled = np.clip(scale * plan, low, high).reshape(problem.shape)
        return counterfactual.planned(scaled, by).total_spend / problem.budget - 1.0

    if problem.has_target and over(1.0) <= 0:
        return plan
    ends = 0.5, 2.0
    if over(ends[0]) >= 0 or over(ends[1]) <= 0:
        return plan  # bounds are in the way
    scale = brentq(over, *ends, xtol=1e-7)
    return np.clip(scale * plan, low, high)


def _merit(problem, worth, outcome, spend):
    """Return what is maximised."""
    return worth(outcome) - (problem.target_mroi or 0.0) * spend


def _climb(curves, problem, start, weigh, worth, reach=np.inf):
    """Return the best plan within reach of a start, and the number of programmes."""
    plan, radius = start, np.inf
    ends = (
        np.maximum(problem.low, start - reach),
        np.minimum(problem.high, start + reach),
    )
    outcome, spend = curves.totals(plan)
    feasible = False  # today's plan may not be
    for n_rounds in range(1, _MOST_ROUNDS + 1):
        weight = weigh(outcome)
        if np.isfinite(radius):
            found, _ = _programme(curves, problem, _points(*ends, plan, radius), weight)
        else:
            found = _over_dents(curves, problem, *ends, weight)
        if found is None:
            return (plan, n_rounds) if feasible else (None, n_rounds)
        new_outcome, new_spend = curves.totals(found)
        before = _merit(problem, worth, outcome, spend)
        gain = _merit(problem, worth, new_outcome, new_spend) - before
        moved = np.abs(found - plan).max()
        if feasible and gain < 0:
            moved = 0.0
        else:
            plan, outcome, spend = found, new_outcome, new_spend
        if not np.isfinite(radius):
            radius = 2 * _SPACING
        elif moved < radius / 2:
            radius /= _FINE / 2
        feasible = True
        if radius < _SETTLED:
            break
    return plan, n_rounds


@dataclass(frozen=True, eq=False)
class _Branch:
    """Plans between two ends, and the best of them on the envelopes.

    Attributes
    ----------
    low, high, plan : ndarray of shape (C,)
    merit, promised : ndarray of shape (C,)
        What is maximised, by cell: of the plan, and on the envelopes, where it is
        highest of all plans between the ends.
    """

    low: np.ndarray
    high: np.ndarray
    plan: np.ndarray
    merit: np.ndarray
    promised: np.ndarray

    def halves(self):
        """Return ends on either side of the plan in the cell that keeps least."""
        one = np.arange(len(self.plan)) == np.argmax(self.promised - self.merit)
        yield self.low, np.where(one, self.plan, self.high)
        yield np.where(one, self.plan, self.low), self.high


def _over_dents(curves, problem, low, high, weight):
    """Return the best plan between two ends, (C,), also over dents of curves."""

    def branch(low, high):
        points = _even_points(low, high)
        plan, promised = _programme(curves, problem, points, weight)
        if plan is None:
            return None
        worth, cost = curves.at(plan[None])
        merit = worth[0] @ weight - (problem.target_mroi or 0.0) * cost[0]
        return _Branch(low, high, plan, merit, promised)

    best = branch(low, high)
    if best is None:
        return None
    size = abs(curves.outcome @ weight)
    waiting, order = [(-best.promised.sum(), 0, best)], count(1)
    for _ in range(min(_MOST_BRANCHES, _MOST_CELLS // len(low))):
        promised, _, one = heappop(waiting)  # that which promises most
        if -promised <= best.merit.sum() + _NO_BETTER * size:
            break
        found = [half for half in starmap(branch, one.halves()) if half is not None]
        best = max(best, *found, key=lambda half: half.merit.sum())
        for half in found:
            heappush(waiting, (-half.promised.sum(), next(order), half))
        if not waiting:
            break
    return best.plan


def _points(low, high, plan, radius):
    """Return multiples around a plan between which curves count as straight."""
    steps = np.linspace(-radius, radius, _FINE + 1)[:, None]
    return np.clip(plan + steps, low, high)


def _even_points(low, high):
    """Return multiples from end to end between which curves count as straight."""
    n_pieces = int(np.ceil((high - low).max() / _SPACING))
    share = np.linspace(0.0, 1.0, np.clip(n_pieces, _FINE, _MOST_NODES - 1) + 1)
    return low + share[:, None] * (high - low)


def _programme(curves, problem, points, weight):
    """Return the plan that solves the linear programme, (C,), and what it promises.

    That is what is maximised, by cell, on the envelopes. None and None if the
    constraints contradict each other.
    """
    worth, cost = curves.at(points)
    worth = worth @ weight  # (N, C)
    merit = worth - (problem.target_mroi or 0.0) * cost
    cell, start, end = _envelopes(points, merit)
    width = points[end, cell] - points[start, cell]
    gain = (worth[end, cell] - worth[start, cell]) / width
    price = (cost[end, cell] - cost[start, cell]) / width
    first = points[0]
    spent = curves.spend + cost[0].sum()
    # Rows of what is at most, and exactly, a number.
    upper: list[tuple[np.ndarray, float]] = []
    equal: list[tuple[np.ndarray, float]] = []
    for row, least, most in zip(problem.rows, problem.least, problem.most, strict=True):
        slack = row @ first
        upper += [(row[cell], most - slack), (-row[cell], slack - least)]
    for follower in np.flatnonzero(problem.leader != np.arange(len(first))):
        leader = problem.leader[follower]
        row = (cell == follower) * 1.0 - (cell == leader)
        equal.append((row, first[leader] - first[follower]))
    if problem.budget is not None:
        limit = (price, problem.budget - spent)
        (upper if problem.has_target else equal).append(limit)
    if problem.target_roi is not None:
        target, point = problem.target_roi, curves.point or curves
        at_mode = point.at(points)[0].mean(axis=2)  # (N, C), of one draw
        slope = (at_mode[end, cell] - at_mode[start, cell]) / width
        earned = point.outcome.mean() + at_mode[0].sum()
        upper.append((target * price - slope, earned - target * spent))
    upper = [limit for limit in upper if np.isfinite(limit[1])]
    if not len(cell):  # nothing may move
        slack = _NO_BETTER * abs(spent)
        kept = all(limit >= -slack for _, limit in upper)
        kept = kept and all(abs(limit) <= slack for _, limit in equal)
        return (first, merit[0]) if kept else (None, None)
    result = linprog(
        -_scaled(gain - (problem.target_mroi or 0.0) * price),
        **_rows("ub", upper),
        **_rows("eq", equal),
        bounds=np.column_stack([np.zeros(len(width)), width]),
        method="highs",
    )
    if result.x is None:
        return None, None
    plan = first + np.bincount(cell, result.x, minlength=len(first))
    rise = (merit[end, cell] - merit[start, cell]) / width
    promised = merit[0] + np.bincount(cell, rise * result.x, minlength=len(first))
    return np.clip(plan, points[0], points[-1]), promised


def _rows(kind, limits):
    """Return limits as linprog takes them, each in units of its largest entry."""
    if not limits:
        return {}
    scales = [max(np.abs(row).max(initial=0.0), 1e-300) for row, _ in limits]
    return {
        f"A_{kind}": np.array(
            [r / s for (r, _), s in zip(limits, scales, strict=True)]
        ),
        f"b_{kind}": np.array(
            [b / s for (_, b), s in zip(limits, scales, strict=True)]
        ),
    }


def _scaled(values):
    return values / max(np.abs(values).max(initial=0.0), 1e-300)


def _envelopes(points, worth):
    """Return cell, start and end of the pieces of concave envelopes, (n_pieces,) each.

    Points, (N, C), increase along the first axis; start and end are two of them.
    """
    pieces = []
    for c in range(points.shape[1]):
        x, y = points[:, c], worth[:, c]
        hull = [0]
        for n in range(1, len(x)):
            if x[n] - x[hull[-1]] <= 1e-12:
                continue
            while len(hull) > 1:
                i, j = hull[-2:]
                if (y[j] - y[i]) * (x[n] - x[j]) > (y[n] - y[j]) * (x[j] - x[i]):
                    break
                hull.pop()
            hull.append(n)
        pieces += [(c, i, j) for i, j in pairwise(hull)]
    return np.array(pieces, dtype=np.int64).reshape(-1, 3).T
