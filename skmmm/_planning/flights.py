"""The best plan over periods, in which carry-over joins what is spent when.

The outcome is no sum over periods, and where curves are S-shaped it has many local
optima: bursts may earn what the same money spent evenly does not. So the climb starts
from today's plan, from even spend and from bursts of several lengths, with the model at
its mode; the best of them goes on with all draws.

Limits enter as an augmented Lagrangian [1]_, bounds as bounds of L-BFGS-B.

References
----------
.. [1] Nocedal and Wright (2006). Numerical Optimization, algorithm 17.4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from skmmm._planning.problem import Problem, Weigh, Worth

_BURSTS = ((1, 2), (1, 3), (2, 4), (3, 6), (4, 8))  # periods on, of so many
_BEST_BURSTS = 2
_ROUNDS = 6  # of multipliers
_LAST_ROUNDS = 2  # of these with all draws, which cost most
_STEPS = 12  # of L-BFGS-B per round
_KEPT = 1e-4  # of today's spend: how well limits are kept before the climb ends
_LOOSE = 1e-3  # and how well they must be kept
_GAIN = 1e-6  # of today's outcome: less is no reason to go on


def best_flights(
    counterfactual: Any, problem: Problem, weigh: Weigh, worth: Worth, *, draws: bool
) -> tuple[np.ndarray | None, int, "Outcomes"]:
    """Return the best plan by period, (C,), the iterations it took, and `Outcomes`.

    The plan is None if none was found that keeps all limits.
    """
    search = Outcomes(counterfactual, problem, weigh, worth, draws=False)
    found = [search.climb(start, n_rounds=1) for start in search.starts()]
    best = min(found, key=lambda one: one.loss)
    found.append(search.climb(best.plan, multipliers=best.multipliers))
    if draws:
        search = Outcomes(counterfactual, problem, weigh, worth, draws=True)
        best = found[-1]
        found.append(
            search.climb(best.plan, multipliers=best.multipliers, n_rounds=_LAST_ROUNDS)
        )
    n_iterations = sum(one.n_iterations for one in found)
    plan = search.on_budget(found[-1].plan)
    return (plan if search.keeps(plan) else None), n_iterations, search


@dataclass(frozen=True, eq=False)
class LocalOptimum:
    """Where a climb ended.

    Attributes
    ----------
    plan : ndarray of shape (C,)
    multipliers : ndarray of shape (n_limits,)
        Of the limits, in units of today's outcome and spend.
    loss : float
    n_iterations : int
    """

    plan: np.ndarray
    multipliers: np.ndarray
    loss: float
    n_iterations: int


class Outcomes:
    """What plans earn, and the climb to the best, in units of today."""

    def __init__(self, counterfactual, problem, weigh, worth, *, draws):
        self.problem, self.weigh, self.worth = problem, weigh, worth
        self.outcome = counterfactual.flights(draws=draws)
        self.nothing = 0.0
        self.nothing = self._earned(np.zeros(problem.current.shape))[0]
        today, _ = self._earned(np.ones(problem.current.shape))
        self.size = max(abs(today.mean()), 1e-300)
        self.spend = problem.current.sum()
        # Where target_roi is to be met.
        self.point = self
        if draws and problem.target_roi is not None:
            self.point = Outcomes(counterfactual, problem, weigh, worth, draws=False)
        self.rows, self.limits, self.equal = self._read_limits()

    def _earned(self, plan):
        """Return what the spend of a plan causes, (E,), and the gradient, (C,)."""
        outcome, gradient = self.outcome(
            plan.reshape(self.problem.shape),
            lambda outcome: self.weigh(outcome - self.nothing),
        )
        return outcome - self.nothing, gradient.ravel()

    def covers(self, plan):
        """Return whether a plan can be evaluated: any can."""
        return True

    def totals(self, plan):
        """Return outcome (E,) and spend of a plan, (C,)."""
        return self._earned(plan)[0], plan @ self.problem.current

    def marginal(self, plan, weigh):
        """Return what the last unit of spend earns in what is maximised, (C,)."""
        money = np.where(self.problem.current > 0, self.problem.current, np.nan)
        return self._earned(plan)[1] / money

    def starts(self):
        """Return plans to start from: today's, even spend, the best bursts."""
        p = self.problem
        n_periods = p.shape[1]
        current = p.current.reshape(p.shape)
        mean = current.mean(axis=1, keepdims=True)
        even = mean / np.where(current > 0, current, np.inf)
        waves = [
            np.where(np.arange(n_periods) % of < on, of / on, 0.0)
            for on, of in _BURSTS
            if of <= n_periods
        ]
        starts = [self.on_budget(one) for one in (np.ones(p.shape), even)]
        bursts = [self.on_budget(even * wave) for wave in waves]
        bursts.sort(key=lambda plan: -self._earned(plan)[0].mean())
        return starts + bursts[:_BEST_BURSTS]

    def on_budget(self, plan):
        """Return a plan scaled to the budget as far as the bounds let it."""
        p, plan = self.problem, plan.ravel()
        clipped = np.clip(plan, p.low, p.high)
        if p.budget is None or (p.has_target and clipped @ p.current <= p.budget):
            return clipped
        low, high = 0.0, 1.0
        while np.clip(high * plan, p.low, p.high) @ p.current < p.budget and high < 1e6:
            high *= 2.0
        for _ in range(60):
            middle = (low + high) / 2.0
            short = np.clip(middle * plan, p.low, p.high) @ p.current < p.budget
            low, high = (middle, high) if short else (low, middle)
        return np.clip(high * plan, p.low, p.high)

    def climb(self, plan, *, multipliers=None, n_rounds=_ROUNDS):
        """Return the `LocalOptimum` that is reached from a plan."""
        p, penalty, n_iterations, before = self.problem, 10.0, 0, np.inf
        if multipliers is None:
            multipliers = self._guessed_multipliers(plan)
        leads, follows = np.unique(p.leader, return_inverse=True)

        def lagrangian(leaders):
            plan = leaders[follows]
            value, slope, off, slopes = self._lagrangian_parts(plan)
            active = multipliers + penalty * off
            active = np.where(self.equal, active, np.maximum(active, 0.0))
            value += ((active**2 - multipliers**2) / (2.0 * penalty)).sum()
            return value, np.bincount(follows, slope + active @ slopes)

        for _ in range(n_rounds):
            result = minimize(
                lagrangian,
                plan[leads],
                jac=True,
                method="L-BFGS-B",
                bounds=np.column_stack([p.low, p.high])[leads],
                options={"maxiter": _STEPS, "ftol": _GAIN / 10, "gtol": 1e-7},
            )
            plan, n_iterations = result.x[follows], n_iterations + result.nit
            value, _, off, _ = self._lagrangian_parts(plan)
            broken = np.where(self.equal, np.abs(off), np.maximum(off, 0.0)).max(
                initial=0.0
            )
            multipliers = multipliers + penalty * off
            multipliers = np.where(
                self.equal, multipliers, np.maximum(multipliers, 0.0)
            )
            if broken < _KEPT and abs(before - value) < _GAIN:
                break
            penalty, before = min(3.0 * penalty, 1e4), value
        # Optima that keep limits less well must not look better.
        loss = value + np.abs(multipliers) @ np.where(self.equal, np.abs(off), off)
        return LocalOptimum(plan, multipliers, loss, n_iterations)

    def _guessed_multipliers(self, plan):
        """Return what a unit of today's spend brings on average; 0 of other limits."""
        multipliers = np.zeros(len(self.equal))
        if self.problem.budget is not None:
            _, slope, _, _ = self._lagrangian_parts(plan)
            multipliers[0] = max(-slope.sum() / self.rows[0].sum(), 0.0)
        return multipliers

    def _lagrangian_parts(self, plan):
        """Return loss, gradient (C,), how far limits are broken, and its gradients.

        Positive values, (n_limits,), are broken limits, in units of today's spend or
        outcome.
        """
        p = self.problem
        outcome, gradient = self._earned(plan)
        earned, slope = self.worth(outcome) / self.size, gradient / self.size
        off, slopes = self.rows @ plan - self.limits, self.rows
        if p.target_roi is not None:
            at_mode, steep = self.point._earned(plan)
            needed = p.target_roi * p.current / self.size
            off = np.append(off, needed @ plan - at_mode.mean() / self.size)
            slopes = np.vstack([slopes, needed - steep / self.size])
        price = (p.target_mroi or 0.0) * p.current / self.size
        return price @ plan - earned, price - slope, off, slopes

    def _read_limits(self):
        """Return linear limits as rows, what these may be at most, and which equal."""
        p = self.problem
        limits = []
        if p.budget is not None:
            limits.append((p.current, p.budget, not p.has_target))
        for row, least, most in zip(p.rows, p.least, p.most, strict=True):
            limits += [(row, most, False), (-row, -least, False)]
        limits = [limit for limit in limits if np.isfinite(limit[1])]
        rows = np.array([row for row, _, _ in limits]).reshape(-1, len(p.current))
        most = np.array([most for _, most, _ in limits])
        equal = [equal for _, _, equal in limits]
        if p.target_roi is not None:
            equal.append(False)
        return rows / self.spend, most / self.spend, np.array(equal, dtype=bool)

    def keeps(self, plan):
        """Return whether a plan keeps all limits, nearly."""
        _, _, off, _ = self._lagrangian_parts(plan)
        broken = np.where(self.equal, np.abs(off), off)
        return bool((broken <= _LOOSE).all())
