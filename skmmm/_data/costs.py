"""What a unit of a media column costs."""

import math
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skmmm._data.checks import TINY, check_channel, numeric_column, resolve_column
from skmmm._utils.labels import counted


def costs_per_unit(media_cost, media, labels, prices=None):
    """Return the cost of one unit of each column, NaN where it is unknown.

    Parameters
    ----------
    media_cost : float, mapping or None
    media : list
        Labels of the media columns.
    labels : list
        Labels of all columns, for costs by position.
    prices : mapping, default=None
        Of channels whose money is in a column. None: there may be none.

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
    media_cost = by_channel("media_cost", media_cost, media, labels) | (prices or {})
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


def money_columns(media_cost, media, labels):
    """Return the columns that hold the money of channels, by channel."""
    if not isinstance(media_cost, Mapping):
        return {}
    given = by_channel("media_cost", media_cost, media, labels)
    return {label: name for label, name in given.items() if isinstance(name, str)}


def read_money(frame, columns, media, where):
    """Return the money of each row and channel, NaN where no column tells it.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Columns of money may be missing.
    columns : dict
        As `money_columns` returned it.
    media : list
        Labels of the media columns.
    where : callable
        `where(position)` describes a row in words.

    Returns
    -------
    money : ndarray of shape (n_rows, n_media) or None
        None if there are no such columns.

    Raises
    ------
    ValueError
        If money is negative, missing in some row, or no number.
    """
    present = {label: name for label, name in columns.items() if name in frame}
    if not present:
        return None
    money = np.full((len(frame), len(media)), np.nan)
    for label, name in present.items():
        paid = numeric_column(frame[name], name, where)
        if (paid < 0).any():
            i = int(np.argmax(paid < 0))
            raise ValueError(
                f"The money of {label!r} in column {name!r} is {paid[i]:g} at "
                f"{where(i)}; money cannot be negative. Correct it."
            )
        money[:, list(media).index(label)] = paid
    return money


def mean_prices(money, units, columns, media):
    """Return total money / total delivery of channels, by channel.

    Parameters
    ----------
    money, units : ndarray of shape (n_rows, n_media)
    columns : dict
        As `money_columns` returned it.
    media : list

    Raises
    ------
    ValueError
        If a channel has no money, or no delivery, in any row.
    """
    prices = {}
    for label, name in columns.items():
        m = list(media).index(label)
        paid, delivered = money[:, m].sum(), units[:, m].sum()
        if paid <= 0 or delivered <= 0:
            empty = name if paid <= 0 else label
            raise ValueError(
                f"The column {empty!r} has no total in the training rows, so a unit of "
                f"{label!r} has no price in media_cost. Give its cost as a number, or "
                "leave it out."
            )
        prices[label] = paid / delivered
    return prices


def unmatched_money(money, units, columns, media, where):
    """Return what to say of rows in which only one of money and delivery is there."""
    said = []
    for label, name in columns.items():
        m = list(media).index(label)
        paid, delivered = money[:, m] > 0, units[:, m] > 0
        for odd, has, lacks, counts in (
            (paid & ~delivered, name, label, "It counts as spend that causes nothing."),
            (delivered & ~paid, label, name, "It counts as free."),
        ):
            rows = np.flatnonzero(odd)
            if len(rows):
                more = f" and {counted(len(rows) - 1, 'other row')}"
                said.append(
                    f"Column {has!r} is above zero and {lacks!r} zero at "
                    f"{where(rows[0])}{more if len(rows) > 1 else ''}. {counts}"
                )
    return said


def is_number(value):
    """Return whether a value is a finite number."""
    return (
        isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    )
