"""Intervals from posterior draws."""

import numpy as np


def bounds(draws, tail):
    """Return quantiles over draws, the first axis, that cover what they promise.

    The k-th of n draws has the share k / (n + 1) of the distribution below it.
    """
    return np.quantile(draws, [tail, 1.0 - tail], axis=0, method="weibull")


def tail_of(confidence_level):
    """Return the probability on either side of an interval."""
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level={confidence_level!r} must be between 0 and 1."
        )
    return (1.0 - confidence_level) / 2
