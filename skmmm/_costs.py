"""What a unit of a media column costs."""

from collections.abc import Mapping
from numbers import Real

import numpy as np


def costs_per_unit(media_cost, media):
    """Return the cost of one unit of each column, NaN where it is unknown.

    Parameters
    ----------
    media_cost : float, mapping or None
    media : list
        Labels of the media columns.

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
    for label, cost in media_cost.items():
        check_channel("media_cost", label, media)
        if not is_number(cost) or cost <= 0:
            raise ValueError(
                f"media_cost of {label!r} is {cost!r}; it must be a positive number, "
                "the cost of one unit of the column (1 if the column is money)."
            )
    return np.array([float(media_cost.get(label, np.nan)) for label in media])


def check_channel(parameter, label, media):
    """Raise if a label is none of the media columns."""
    if label not in media:
        raise ValueError(
            f"{parameter} names {label!r}, which is not one of the media columns "
            f"{list(media)}."
        )


def is_number(value):
    """Return whether a value is a finite number."""
    return (
        isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    )
