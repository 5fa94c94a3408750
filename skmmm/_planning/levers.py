"""Controls as cells of a plan: what they earn and cost are straight lines.

Beside the curves of channels the linear programme of `separable` then also decides how
much of the budget goes to controls: in the best plan a control is at an end of its
range, or earns what the last unit of media does.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from skmmm._planning.problem import Problem
from skmmm._planning.separable import Curves

_NODES = np.linspace(0.0, 1.0, 5)  # on a straight line any few would do


@dataclass(frozen=True, eq=False)
class Lines:
    """What K levers earn and cost beyond today, from the low to the high end.

    Attributes
    ----------
    labels : list of length K
    earned : ndarray of shape (2, E, K)
        At both ends, in KPI units.
    spent : ndarray of shape (2, K)
        At both ends, in money.
    """

    labels: list
    earned: np.ndarray
    spent: np.ndarray

    def in_problem(self, problem: Problem) -> Problem:
        """Return a problem by channel with levers after its cells: 0 low, 1 high."""
        n_cells, n_levers = len(problem.current), len(self.labels)
        moves = (np.ptp(self.earned, axis=0) > 0).any(axis=0)
        moves |= np.ptp(self.spent, axis=0) > 0

        def longer(cells, more):
            return np.append(cells, np.full(n_levers, more, dtype=cells.dtype))

        return replace(
            problem,
            labels=[*problem.labels, *self.labels],
            current=longer(problem.current, 0.0),
            low=longer(problem.low, 0.0),
            high=np.append(problem.high, moves),
            until=longer(problem.until, 1.0),
            refused=longer(problem.refused, False),
            rows=np.pad(problem.rows, ((0, 0), (0, n_levers))),
            leader=np.append(problem.leader, n_cells + np.arange(n_levers)),
            kept=longer(problem.kept, ""),
        )

    def in_curves(self, curves: Curves) -> Curves:
        """Return the curves of a plan with those of levers after them."""
        n_levers = len(self.labels)

        def delivered(times):
            media, own = np.split(times, [times.shape[-1] - n_levers], axis=-1)
            return np.concatenate([curves.delivered(media), own], axis=-1)

        def line(ends):
            """Return the spline of a cell, (2, ...) at its ends."""
            first, last = ends[:, None]
            share = _NODES.reshape(-1, *[1] * first.ndim)
            return CubicSpline(_NODES, first + share * (last - first))

        return replace(
            curves,
            base=np.append(curves.base, np.ones(n_levers)),
            worth=[*curves.worth, *map(line, np.moveaxis(self.earned, 2, 0))],
            cost=[*curves.cost, *map(line, self.spent.T)],
            delivered=delivered,
        )
