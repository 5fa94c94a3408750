"""What a unit of a media column costs."""

import math
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skmmm._data.checks import TINY, check_channel, resolve_column


def costs_per_unit(media_cost, media, labels):
    """Return the cost of one unit of each column, NaN where it is unknown.

    Parameters
    ----------
    media_cost : float, mapping or None
    media : list
        Labels of the media columns.
    labels : list
        Labels of all columns, for costs by position.

    Returns
    -------
    cost : ndarray of shape (n_media,)

    Raises
    ------
    ValueError
        If a cost is not positive or a column is not one of the media.
    """
    if media_cost is None:
        return np.full(len(media), np.nan)
    if not isinstance(media_cost, Mapping):
        media_cost = dict.fromkeys(media, media_cost)
    media_cost = by_channel("media_cost", media_cost, media, labels)
    for label, cost in media_cost.items():
        if not is_number(cost) or cost < TINY:
            raise ValueError(
                f"media_cost of {label!r} is {cost!r}; it must be a positive number, "
                "the cost of one unit of the column (1 if the column is money)."
            )
    return np.array([float(media_cost.get(label, np.nan)) for label in media])


def by_channel(parameter, given, media, labels):
    """Return a mapping of channels keyed by their labels.

    Parameters
    ----------
    parameter : str
        Its name, for messages.
    given : mapping
        Keys are names or positions of media columns.
    media : list
        Labels of the media columns.
    labels : list
        Labels of all columns.

    Raises
    ------
    ValueError
        If a key is none of the media, or two keys are the same channel.
    """
    frame, found = pd.DataFrame(columns=labels), {}
    for key, value in given.items():
        label = key
        if isinstance(key, Integral):
            label = resolve_column(frame, key, parameter)
        check_channel(label, media, parameter, key=key)
        if label in found:
            raise ValueError(f"{parameter} names the column {label!r} twice.")
        found[label] = value
    return found


def is_number(value):
    """Return whether a value is a finite number."""
    return (
        isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    )
