"""What it is worth to a plan to know more.

A test tells a signal, such as what a channel causes, up to a normal error. Before it is
run its outcome is a random number, and so is the best plan after it. The test is worth
what that plan earns on average more than the best plan of today (expected value of
sample information; without an error, of partial perfect information)::

    EVSI = E_outcome[ max_plan E[earned(plan) | outcome] ] - max_plan E[earned(plan)]

Draws are few, so that they cannot be weighed by an outcome: the nearest of them would
be all that is left, and would tell of all channels at once. Instead the expected curve
of every channel is a linear function of the signal, fitted to the draws [1]_, and the
outcomes are those of the draws, drawn together as far as the error asks [2]_::

    E[curve_c | outcome_e] = mean(curve_c) + k_c b_c sqrt(v) (signal_e - mean(signal)),
    v = var(signal) / (var(signal) + error_variance)

b is the slope of least squares at every point of the curve and k = max(1 - 1 / F, 0),
F that of the regression: what a signal says of a channel by chance is taken off, for
maxima turn chance into gain. How sure the value is says the jackknife over draws.

The value of the best plan is that of the linear programme on the concave envelopes of
curves, by its dual: at a price of money every channel takes the multiple that earns
most, and the price is the one at which all of them spend the budget.

References
----------
.. [1] Strong, Oakley, Brennan (2014). Estimating multiparameter partial expected value
   of perfect information from a probabilistic sensitivity analysis sample. Medical
   Decision Making 34.
.. [2] Heath, Manolopoulou, Baio (2018). Efficient Monte Carlo estimation of the
   expected value of sample information using moment matching. Medical Decision
   Making 38.
"""

from dataclasses import dataclass, replace

import numpy as np

from skmmm._planning.problem import Problem
from skmmm._planning.separable import Curves

_N_MULTIPLES = 65
_ROUNDS = 40  # of bisection
_MOST_GROUPS = 32  # of draws that the jackknife leaves out
FEWEST_DRAWS = 4
_CLOSE = 1e-9  # of the multiples


@dataclass(frozen=True, eq=False)
class Tables:
    """What channels earn and cost at multiples of their spend, today's less.

    Attributes
    ----------
    multiples : ndarray of shape (C, N)
    worth : ndarray of shape (E, C, N)
    cost : ndarray of shape (C, N)
    spend : float
        Today's.
    """

    multiples: np.ndarray
    worth: np.ndarray
    cost: np.ndarray
    spend: float

    @classmethod
    def of(cls, curves: Curves, problems: list[Problem]) -> "Tables":
        """Return the tables of curves around today, at the bounds of some problems."""
        lows = np.array([problem.low for problem in problems])
        highs = np.array([problem.high for problem in problems])
        # Closer towards zero, where curves bend most.
        even = np.linspace(lows.min() ** 0.5, highs.max() ** 0.5, _N_MULTIPLES) ** 2
        points = np.unique(np.concatenate([even, lows.ravel(), highs.ravel(), [1.0]]))
        low, high = lows.min(axis=0), highs.max(axis=0)
        multiples = np.clip(points[:, None], low, high)
        worth, cost = curves.at(multiples)
        return cls(multiples.T, worth.transpose(2, 1, 0), cost.T, curves.spend)

    def best(self, worth: np.ndarray, problem: Problem) -> "BestPlans":
        """Return the best plans of a problem.

        Parameters
        ----------
        worth : ndarray of shape (J, C, N)
            Under each of J curves.
        problem : Problem
            With a budget, and no limits but bounds and leaders.
        """
        low, high = problem.low[:, None], problem.high[:, None]
        barred = (self.multiples < low - _CLOSE) | (self.multiples > high + _CLOSE)
        worth, cost = np.where(barred, -np.inf, worth), self.cost
        leaders, member = np.unique(problem.leader, return_inverse=True)
        if len(leaders) < len(member):  # some move as one
            joined = np.arange(len(leaders))[:, None] == member
            worth = np.stack([worth[:, own].sum(axis=1) for own in joined], axis=1)
            cost = joined @ cost
        assert problem.budget is not None  # as who asks has checked
        budget = problem.budget - self.spend
        price, chosen = _dual(worth, cost, budget)
        chosen = chosen[:, member]
        unspent = budget - _picked(self.cost[None], chosen)
        return BestPlans(price, chosen, price * unspent)


@dataclass(frozen=True, eq=False)
class BestPlans:
    """The best plans under J curves.

    Attributes
    ----------
    price : ndarray of shape (J,)
        What the last unit of money earns.
    chosen : ndarray of shape (J, C), int
        Which multiple of each channel.
    rest : ndarray of shape (J,)
        What the money earns that the grid of multiples leaves over.
    """

    price: np.ndarray
    chosen: np.ndarray
    rest: np.ndarray

    def earned(self, worth: np.ndarray) -> np.ndarray:
        """Return what the plans earn under curves, (J or 1, C, N), more than today."""
        return _picked(worth, self.chosen) + self.rest


def _picked(values, chosen):
    """Sum over channels the values, (J or 1, C, N), at the nodes of plans, (J, C)."""
    channel = np.arange(values.shape[1])
    plan = np.arange(len(chosen))[:, None] % len(values)
    return values[plan, channel, chosen].sum(axis=1)


def _dual(worth, cost, budget):
    """Return the price of money, (J,), and the nodes chosen at it, (J, C).

    Parameters
    ----------
    worth : ndarray of shape (J, C, N)
    cost : ndarray of shape (C, N)
    budget : float
        Of all costs together.
    """
    step = np.diff(cost, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.abs(np.diff(worth, axis=2)) / step
    steepest = slope[np.isfinite(slope)].max(initial=0.0)
    low, high = np.full((2, len(worth)), [[-steepest], [steepest]])
    for _ in range(_ROUNDS):
        price = (low + high) / 2.0
        chosen = (worth - price[:, None, None] * cost).argmax(axis=2)
        over = _picked(cost[None], chosen) > budget
        low, high = np.where(over, price, low), np.where(over, high, price)
    return price, chosen


@dataclass(frozen=True, eq=False)
class Value:
    """What a signal is worth to a plan.

    Attributes
    ----------
    value : float
        More outcome than from the best plan of today.
    error : float
        Monte Carlo standard error.
    price : float
        What the last unit of money earns in the best plan of today.
    """

    value: float
    error: float
    price: float


def value_of_signal(
    tables: Tables,
    signal: np.ndarray,
    error_variance: float,
    today: Problem,
    after: Problem,
) -> Value:
    """Return what a signal is worth.

    Parameters
    ----------
    tables : Tables
    signal : ndarray of shape (E,)
        By draw.
    error_variance : float
        With which a test will tell it.
    today, after : Problem
        What may be planned without the signal, and with it.
    """
    now = tables.best(tables.worth.mean(axis=0, keepdims=True), today)
    outcomes = expected_curves(tables.worth, signal, error_variance)
    then = tables.best(outcomes, after)

    def value(kept):
        """Return the value by some draws; plans stay, as gains at their best do."""
        worth = tables.worth[kept]
        learned = expected_curves(worth, signal[kept], error_variance)
        plans = replace(then, **{k: v[kept] for k, v in vars(then).items()})
        before = now.earned(worth.mean(axis=0, keepdims=True))
        return plans.earned(learned).mean() - before.item()

    n_draws = len(signal)
    return Value(
        value=value(np.arange(n_draws)),
        error=_jackknife(value, n_draws),
        price=now.price.item(),
    )


def _jackknife(statistic, n_draws):
    """Return the standard error of a statistic of draws, left out in groups."""
    n_groups = min(n_draws, _MOST_GROUPS)
    draws = np.arange(n_draws)
    without = [statistic(draws[draws % n_groups != g]) for g in range(n_groups)]
    return np.sqrt((n_groups - 1) * np.var(without))


def expected_curves(
    worth: np.ndarray, signal: np.ndarray, error_variance: float
) -> np.ndarray:
    """Return the curves that are expected after each outcome, (E, C, N).

    Parameters
    ----------
    worth : ndarray of shape (E, C, N)
    signal : ndarray of shape (E,)
    error_variance : float
    """
    n_draws = len(signal)
    away, mean = signal - signal.mean(), worth.mean(axis=0)
    size = away @ away
    if size <= 0:
        return np.broadcast_to(mean, worth.shape)
    slope = np.tensordot(away, worth - mean, 1) / size
    explained = size * (slope**2).sum(axis=1)
    left = ((worth - mean) ** 2).sum(axis=(0, 2)) - explained
    chance = left / (n_draws - 2)  # in `explained` if the signal says nothing
    kept = 1.0 - np.minimum(chance / np.maximum(explained, 1e-300), 1.0)
    variance = size / (n_draws - 1)
    share = variance / (variance + error_variance)
    return mean + np.sqrt(share) * np.multiply.outer(away, kept[:, None] * slope)
