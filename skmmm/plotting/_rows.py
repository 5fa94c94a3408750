"""Regions and periods of the rows of a table, as an estimator sees them."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TypeAlias

import numpy as np
import pandas as pd

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import check_channel, region_values
from skmmm._unwrapping import parameter_of, unwrap
from skmmm._utils.bound import BoundTable
from skmmm._utils.sklearn import num_samples, safe_indexing
from skmmm._utils.typing import Table
from skmmm.inspection import channel_summary, response_curve
from skmmm.inspection._predictions import counterfactual_of

Rows: TypeAlias = Table | BoundTable

# Of today's spend: dense near zero, where curves bend most.
_MULTIPLES = 2.0 * np.linspace(0.0, 1.0, 41) ** 3
FEWEST = 10  # rows in which two columns have a value, to say how alike they are


def role_of(estimator, X, role):
    """Return X as a frame, and the label of its "region" or "time" column or None."""
    inside = unwrap(estimator)
    frame = X.frame if isinstance(X, BoundTable) else inside.frame(X)
    return frame, inside.role(frame, role)


def blocks_of(estimator, X, y, X_test=None, y_test=None):
    """Return the pairs of rows and KPI that there are, or raise if lengths differ.

    Rows of `Effects` become a frame where the estimator cannot read them otherwise.
    """
    if (X_test is None) != (y_test is None):
        raise ValueError("Pass X_test and y_test together.")
    blocks = {("X", "y"): (X, y), ("X_test", "y_test"): (X_test, y_test)}
    given = {names: block for names, block in blocks.items() if block[0] is not None}
    for (of_rows, of_target), (rows, target) in given.items():
        if isinstance(rows, BoundTable):
            rows.check_read_by(estimator)
        n_rows, n_values = num_samples(rows), len(np.ravel(target))
        if n_rows != n_values:
            raise ValueError(
                f"{of_rows} has {n_rows} rows, but {of_target} has {n_values}. Pass "
                "the KPI of the same rows."
            )
    if hasattr(estimator, "effects"):
        return list(given.values())
    return [(_plain(rows), target) for rows, target in given.values()]


def _plain(X):
    return X.frame if isinstance(X, BoundTable) else X


def of_region(estimator, X, y, region):
    """Return the rows of one region."""
    values = regions_of(estimator, X)
    rows = np.flatnonzero(values == region)
    if not len(rows):
        raise ValueError(
            f"region={region!r} is not in the data, which have "
            f"{', '.join(map(repr, np.unique(values)[:10].tolist()))}."
        )
    return safe_indexing(_plain(X), rows), safe_indexing(y, rows)


def regions_of(estimator, X):
    """Return the region of every row, one for all if there is no region column."""
    frame, label = role_of(estimator, X, "region")
    if label is None:
        return np.full(len(frame), "all")
    return region_values(frame, label)


def count_regions(estimator, tables):
    return len(np.unique(np.concatenate([regions_of(estimator, X) for X in tables])))


def name_regions(column, region, n_regions):
    if region is not None:
        return f", {column if isinstance(column, str) else 'region'} {region}"
    return f", {n_regions} regions" if n_regions > 1 else ""


def ordinals_of(estimator, tables):
    """Return the period of every row of each table, and their common calendar."""
    columns = []
    for X in tables:
        frame, label = role_of(estimator, X, "time")
        if label is None:
            raise ValueError(
                "A picture over time needs an estimator with a time column; this one "
                "has time=None."
            )
        columns.append(frame[label])
    regions = np.concatenate([regions_of(estimator, X) for X in tables])
    calendar = infer_calendar(pd.concat(columns), label, regions)
    return [calendar.ordinals(column, label) for column in columns], calendar


def channels_by_size(estimator, X):
    """Return the channels that spend in X, the largest contribution first."""
    summary = channel_summary(estimator, X)
    summary = summary[summary["spend"] > 0]
    return list(summary["contribution"].sort_values(ascending=False).index)


def paid_channels(counterfactual):
    """Return the channels whose spend adds up, (n_media,), bool.

    Those that cost money; all, in the units of X, where no cost is known.
    """
    money = counterfactual.is_money
    return money if money.any() else np.ones(len(money), dtype=bool)


def curves_of(estimator, X, channels, confidence_level):
    """Return a `response_curve` without kinks for each channel.

    Curves reach from no spend to twice the spend of X.
    """
    counterfactual = counterfactual_of(estimator, X)
    spend = counterfactual.spend_in(None)[0]
    places = {
        channel: counterfactual.position(channel, "channels") for channel in channels
    }
    return {
        channel: response_curve(
            estimator,
            channel,
            X=X,
            grid=_MULTIPLES * spend[place],
            confidence_level=confidence_level,
        )
        for channel, place in places.items()
    }


def chosen_of(known, channels):
    """Return the channels that are asked for, each once, or raise.

    `known` are those that there are.
    """
    if isinstance(channels, str) or not np.iterable(channels):
        raise ValueError(f"channels must be a list of channels, got {channels!r}.")
    for channel in channels:
        check_channel(channel, known, "channels")
    return list(dict.fromkeys(channels))


def units_of(estimator, X):
    """Return how axes call what is spent on each channel.

    A dict by channel: "spend" where it is money, else "reach" of channels with a
    frequency, else "units of X".
    """
    counterfactual = counterfactual_of(estimator, X)
    seen = getattr(unwrap(estimator).model, "_frequency_columns", {})
    return {
        channel: "spend" if money else "reach" if channel in seen else "units of X"
        for channel, money in zip(
            counterfactual.labels, counterfactual.is_money, strict=True
        )
    }


def spend_name(units):
    """Return how one axis calls spend of channels with these names, in one order."""
    found = [name for name in ("spend", "reach", "units of X") if name in units]
    return "spend, units of X" if found == ["units of X"] else ", or ".join(found)


def correlation_within(table, region):
    """Return how alike columns move within regions: correlations, NaN of still ones.

    Of two columns that lack values it is of the rows in which both have one, NaN where
    these are fewer than `FEWEST`.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
    region : array-like of shape (n_rows,)
    """
    region = np.asarray(region)
    patterns, kind = np.unique(table.notna(), axis=1, return_inverse=True)
    kind, found = kind.ravel(), np.full((len(kind), len(kind)), np.nan)
    # Columns that lack the same values are looked at together.
    for p, q in combinations_with_replacement(range(patterns.shape[1]), 2):
        rows = patterns[:, p] & patterns[:, q]
        first, second = np.flatnonzero(kind == p), np.flatnonzero(kind == q)
        at = np.unique([*first, *second])
        alike = _correlation(table.iloc[rows, at], region[rows])
        if rows.sum() < min(FEWEST, len(table)):
            alike = np.where(np.eye(len(at), dtype=bool), alike, np.nan)
        own = np.isin(at, first)[:, None] & np.isin(at, second)
        block = np.ix_(at, at)
        found[block] = np.where(own | own.T, alike, found[block])
    return pd.DataFrame(found, table.columns, table.columns)


def _correlation(table, region):
    """Return correlations within regions of columns without a missing value."""
    centred = (table - table.groupby(region).transform("mean")).to_numpy()
    # What moves by rounding only does not move.
    moves = np.abs(centred).max(axis=0, initial=0.0) > 1e-9 * table.abs().max(axis=0)
    centred = np.where(moves, centred, 0.0)
    size = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = centred / size
    return unit.T @ unit


def rows_over_time(estimator, X, y, X_test=None, y_test=None, *, confidence_level=None):
    """Return observed and predicted KPI of training rows and of later ones.

    Returns
    -------
    rows : DataFrame indexed by (region, time)
        ``observed``, ``predicted``, ``low`` and ``high`` in KPI units, the bounds NaN
        without a `confidence_level`, and ``holdout``, bool.
    """
    blocks = blocks_of(estimator, X, y, X_test, y_test)
    ordinals, calendar = ordinals_of(estimator, [rows for rows, _ in blocks])
    if len(ordinals) == 2 and ordinals[1].min() <= ordinals[0].max():
        raise ValueError(
            f"X_test begins at {calendar.label(ordinals[1].min())}, but X ends at "
            f"{calendar.label(ordinals[0].max())}. The holdout must come after X."
        )
    parts: list[pd.DataFrame] = []
    for (rows, target), ordinal in zip(blocks, ordinals, strict=True):
        times = [calendar.value(t) for t in ordinal]
        index = pd.MultiIndex.from_arrays(
            [regions_of(estimator, rows), times], names=["region", "time"]
        )
        low, high = _interval(estimator, rows, len(index), confidence_level)
        values = {
            "observed": np.ravel(target).astype(float),
            "predicted": np.ravel(estimator.predict(rows)),
            "low": low,
            "high": high,
            "holdout": bool(parts),
        }
        parts.append(pd.DataFrame(values, index))
    return pd.concat(parts)


def _interval(estimator, X, n_rows, confidence_level):
    """Return bounds of the prediction of every row, nan if there are none."""
    inside = unwrap(estimator)
    drawn = hasattr(inside.model, "predict_interval") and parameter_of(
        inside.model, "n_draws"
    )
    if confidence_level is None or not drawn:
        return np.full((2, n_rows), np.nan)
    rows = inside.rows(X)
    return inside.model.predict_interval(rows, confidence_level=confidence_level).T
