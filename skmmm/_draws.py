"""Intervals from posterior draws."""

import numpy as np


def bounds(draws, tail, point):
    """Return the interval that is reported beside a point.

    A point is the value at the posterior mode, which need not lie between quantiles of
    a few draws. An interval that misses it is widened to it, here and nowhere else, so
    that whatever is reported lies inside its own interval.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, ...)
        The k-th smallest of n has the share k / (n + 1) of the distribution below it.
    tail : float
        Probability on either side.
    point : ndarray of shape (...)
        The same quantity at the mode.

    Returns
    -------
    interval : ndarray of shape (2, ...)
        Lower and upper bound.
    """
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0, method="weibull")
    return np.stack([np.minimum(low, point), np.maximum(high, point)])


def tail_of(confidence_level):
    """Return the probability on either side of an interval."""
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level={confidence_level!r} must be between 0 and 1."
        )
    return (1.0 - confidence_level) / 2
