"""Regions and periods of the rows of a table, as an estimator sees them."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from skmmm._calendar import infer_calendar
from skmmm._checks import as_frame, region_values, resolve_column
from skmmm.inspection import channel_summary, response_curve
from skmmm.inspection._predictions import counterfactual_of

# Of today's spend: dense near zero, where curves bend most.
_MULTIPLES = 2.0 * np.linspace(0.0, 1.0, 41) ** 3


def role_of(estimator, role):
    """Return the region or time parameter of an estimator or of a pipeline's end."""
    final = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return getattr(final, role, None)


def of_region(estimator, X, y, region):
    """Return the rows of one region."""
    values = regions_of(estimator, X)
    rows = np.flatnonzero(values == region)
    if not len(rows):
        raise ValueError(
            f"region={region!r} is not in the data, which have "
            f"{', '.join(map(repr, np.unique(values)[:10].tolist()))}."
        )
    return _safe_indexing(X, rows), _safe_indexing(y, rows)


def regions_of(estimator, X):
    """Return the region of every row, one for all if there is no region column."""
    key = role_of(estimator, "region")
    frame = as_frame(X)
    if key is None:
        return np.full(len(frame), "all")
    return region_values(frame, resolve_column(frame, key, "region"))


def count_regions(estimator, tables):
    return len(np.unique(np.concatenate([regions_of(estimator, X) for X in tables])))


def name_regions(column, region, n_regions):
    if region is not None:
        return f", {column if isinstance(column, str) else 'region'} {region}"
    return f", {n_regions} regions" if n_regions > 1 else ""


def ordinals_of(estimator, tables):
    """Return the period of every row of each table, and their common calendar."""
    key = role_of(estimator, "time")
    if key is None:
        raise ValueError(
            "A picture over time needs an estimator with a time column; this one has "
            "time=None."
        )
    columns = []
    for X in tables:
        frame = as_frame(X)
        columns.append(frame[resolve_column(frame, key, "time")])
    regions = np.concatenate([regions_of(estimator, X) for X in tables])
    calendar = infer_calendar(pd.concat(columns), key, regions)
    return [calendar.ordinals(column, key) for column in columns], calendar


def channels_by_size(estimator, X):
    """Return the channels that spend in X, the largest contribution first."""
    summary = channel_summary(estimator, X)
    summary = summary[summary["spend"] > 0]
    return list(summary["contribution"].sort_values(ascending=False).index)


def paid_channels(what_if):
    """Return the channels whose spend adds up, (n_media,), bool.

    Those that cost money; all, in the units of X, where no cost is known.
    """
    money = what_if.is_money
    return money if money.any() else np.ones(len(money), dtype=bool)


def summary_of(estimator, X=None, confidence_level=0.9, by=None):
    """Return the summary of channels, without returns where there is no cost.

    Where the cost of some channels is known, a return per unit of the others' columns
    would stand beside returns per unit of money: it is nan.
    """
    summary = channel_summary(estimator, X, confidence_level=confidence_level, by=by)
    what_if = counterfactual_of(estimator, X)
    free = np.array(what_if.labels, dtype=object)[~paid_channels(what_if)]
    rows = summary.index.get_level_values("channel").isin(free)
    returns = [name for name in summary if name.startswith(("roi", "mroi"))]
    summary.loc[rows, returns] = np.nan
    return summary


def curves_of(estimator, X, channels, confidence_level):
    """Return response curves that show no kinks, by channel.

    Parameters
    ----------
    estimator : estimator
    X : DataFrame or None
    channels : list of str or int
    confidence_level : float

    Returns
    -------
    curves : dict of Bunch
        As of `response_curve`, from nothing to twice the spend of X.
    """
    what_if = counterfactual_of(estimator, X)
    spend = what_if.spend.sum(axis=0)
    columns = pd.DataFrame(columns=what_if.names)
    places = {
        channel: what_if.labels.index(resolve_column(columns, channel, "channels"))
        for channel in channels
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


def spend_name(estimator, X):
    """Return what one calls spend: money where all costs are known."""
    money = counterfactual_of(estimator, X).is_money
    if money.all():
        return "spend"
    return "spend, or units of X" if money.any() else "spend, units of X"


def rows_over_time(estimator, X, y, X_test=None, y_test=None, *, confidence_level=None):
    """Return observed and predicted KPI of every row.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a `time` column, or a pipeline that ends with one.
    X, y, X_test, y_test
        Rows that the estimator has seen, and later ones that it has not.
    confidence_level : float or None, default=None
        Of intervals; None: none are asked for.

    Returns
    -------
    rows : DataFrame indexed by (region, time)
        ``observed``, ``predicted``, ``low`` and ``high``, nan without intervals, and
        ``holdout``, bool.
    """
    if (X_test is None) != (y_test is None):
        raise ValueError("Pass X_test and y_test together.")
    blocks = [(X, y)] if X_test is None else [(X, y), (X_test, y_test)]
    ordinals, calendar = ordinals_of(estimator, [rows for rows, _ in blocks])
    if len(ordinals) == 2 and ordinals[1].min() <= ordinals[0].max():
        raise ValueError(
            f"X_test begins at {calendar.label(ordinals[1].min())}, but X ends at "
            f"{calendar.label(ordinals[0].max())}. The holdout must come after X."
        )
    parts = []
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
    known = hasattr(estimator, "predict_interval") and estimator.n_draws > 0
    if confidence_level is None or not known:
        return np.full((2, n_rows), np.nan)
    return estimator.predict_interval(X, confidence_level=confidence_level).T
