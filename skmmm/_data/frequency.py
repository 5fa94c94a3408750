"""How often those who were reached saw a channel, in a column of its own."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from skmmm._data.checks import numeric_column, resolve_column
from skmmm._data.costs import by_channel

_ROUNDING = 1e-6  # of impressions / reach where both were rounded


def frequency_columns(frequency, media, labels):
    """Return the columns with the frequency of channels, by channel.

    Parameters
    ----------
    frequency : mapping or None
        As of the regressor.
    media : list
        Labels of the media columns.
    labels : list
        Labels of all columns.

    Raises
    ------
    ValueError
        If a key is none of the media, or a value is no column.
    """
    if not isinstance(frequency, Mapping):
        return {}
    given = by_channel("frequency", frequency, media, labels)
    frame = pd.DataFrame(columns=labels)
    return {
        label: resolve_column(frame, name, f"frequency of {label!r}")
        for label, name in given.items()
    }


def read_frequency(frame, columns, media, reach, where):
    """Return the frequency of each row and channel.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    columns : dict
        As `frequency_columns` returned it.
    media : list
        Labels of the media columns.
    reach : ndarray of shape (n_rows, n_media)
    where : callable
        `where(position)` describes a row in words.

    Returns
    -------
    frequency : ndarray of shape (n_rows, n_media) or None
        At least 1; 0 where nobody was reached, and for other channels. None if there
        are no such columns.

    Raises
    ------
    ValueError
        If a column is missing, or, where somebody was reached, its value is below 1 or
        no finite number.
    """
    if not columns:
        return None
    frequency = np.zeros((len(frame), len(media)))
    for label, name in columns.items():
        if name not in frame:
            raise ValueError(
                f"X has no column {name!r}, the frequency of {label!r}. Add it: "
                "impressions / reach of each row."
            )
        reached = reach[:, list(media).index(label)] > 0
        values = numeric_column(frame[name].where(reached, 1.0), name, where)
        bad = np.flatnonzero(values < 1.0 - _ROUNDING)
        if len(bad):
            raise ValueError(
                f"The frequency of {label!r} in column {name!r} is {values[bad[0]]:g} "
                f"at {where(bad[0])}. Who was reached saw it once at least: give "
                "impressions / reach, with reach that counts everybody once a period."
            )
        values = np.where(reached, np.maximum(values, 1.0), 0.0)
        frequency[:, list(media).index(label)] = values
    return frequency
