"""Intervals from posterior draws."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from skmmm._data.costs import is_number
from skmmm._utils.typing import Array

_HIGHEST_LEVEL = 0.999999


def bounds(
    draws: Array,
    tail: float,
    point: float | Array,
    *,
    least: float | Array = -np.inf,
    most: float | Array = np.inf,
) -> Array:
    """Return the interval that is reported beside a point.

    A point is the value at the mean of the parameters, which need not lie between
    quantiles of a few draws. An interval that misses it is widened to it, here and
    nowhere else, so that whatever is reported lies inside its own interval.

    The k-th smallest of n draws has the share k / (n + 1) of the distribution below it.
    Further out than the smallest and the largest, bounds are those of the next draw of
    two halves of normal distributions that meet at the median, each with the spread of
    the draws on its side (Student's t): effects are skewed.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, ...)
    tail : float
        Probability on either side.
    point : ndarray of shape (...)
        The same quantity at the point.
    least, most : float or ndarray
        Limits of what the quantity can be.

    Returns
    -------
    interval : ndarray of shape (2, ...)
    """
    first = 1.0 / (len(draws) + 1)
    ends = [max(tail, first), 1.0 - max(tail, first)]
    low, high = np.quantile(draws, ends, axis=0, method="weibull")
    if tail < first:
        beyond = _next_draw(draws, tail)
        low = np.minimum(low, np.maximum(beyond[0], least))
        high = np.maximum(high, np.minimum(beyond[1], most))
    return np.stack([np.minimum(low, point), np.maximum(high, point)])


def _next_draw(draws: Array, tail: float) -> Array:
    """Return the prediction interval of one more draw, shape (2, ...)."""
    n_draws = len(draws)
    if n_draws < 2:
        raise ValueError(
            "An interval needs at least two draws, the model has one: fit it with a "
            "larger n_draws, or n_draws=0 for point estimates only."
        )
    median = np.median(draws, axis=0)
    away = draws - median
    spread = np.stack(
        [
            (side(away, 0.0) ** 2).sum(axis=0) / (n_draws / 2)
            for side in (np.minimum, np.maximum)
        ]
    )
    # The median of n normal draws has the variance pi / 2n.
    unsure = 1.0 + np.pi / (2 * n_draws)
    reach = stats.t.ppf(1.0 - tail, n_draws / 2) * np.sqrt(unsure * spread)
    return median + np.stack([-reach[0], reach[1]])


def mixture_quantiles(
    samples: Array, weight: Array, probability: Sequence[float]
) -> Array:
    """Return quantiles, (n_probabilities, n), of samples, (n_samples, n).

    Each sample has the same weight, its probability, in every column.
    """
    order = np.argsort(samples, axis=0)
    ordered = np.take_along_axis(samples, order, axis=0)
    mass = weight[order]
    below = np.cumsum(mass, axis=0) - 0.5 * mass
    found = []
    for share in probability:
        after = np.clip((below < share).sum(axis=0), 1, len(below) - 1)
        (x0, p0), (x1, p1) = (
            [np.take_along_axis(a, at[None], axis=0)[0] for a in (ordered, below)]
            for at in (after - 1, after)
        )
        found.append(x0 + (x1 - x0) * np.clip((share - p0) / (p1 - p0), 0.0, 1.0))
    return np.stack(found)


def graded_probabilities(tail: float) -> tuple[Array, Array]:
    """Return probabilities, and what each stands for, that are dense in the tails.

    From one to the next the share of the distribution beyond them changes by a third,
    down to a twentieth of `tail`: in a mixture any component may make up the tail. The
    shares that they stand for sum to one.
    """
    n_steps = int(np.ceil(np.log(0.5 / (tail / 20.0)) / np.log(1.5)))
    edges = 0.5 * 1.5 ** -np.arange(n_steps + 1.0)
    edges = np.append(edges, 0.0)
    middle = np.append(np.sqrt(edges[:-2] * edges[1:-1]), edges[-2] / np.e)
    weight = edges[:-1] - edges[1:]
    return (
        np.concatenate([middle[::-1], 1.0 - middle]),
        np.concatenate([weight[::-1], weight]),
    )


def tail_probability(confidence_level: float) -> float:
    """Return the probability on either side of an interval."""
    if not is_number(confidence_level) or not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level={confidence_level!r} must be between 0 and 1."
        )
    if confidence_level > _HIGHEST_LEVEL:
        raise ValueError(
            f"confidence_level={confidence_level!r} is more than draws can tell; the "
            f"highest is {_HIGHEST_LEVEL}."
        )
    return (1.0 - confidence_level) / 2
