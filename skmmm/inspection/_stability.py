"""How far ROI moves without a block of periods, and as periods come in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from skmmm._utils.docs import documented_by
from skmmm._utils.parallel import call_each
from skmmm._utils.typing import Array, Column, Columns, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._placebo import placebo_channel
from skmmm.inspection._refits import (
    check_integer,
    last_step,
    read_rows,
    warned_once,
    without_extras,
)


@documented_by(placebo_channel)
def block_stability(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    *,
    n_blocks: int = 5,
    time: Column | None = None,
    media: Columns = None,
    region: Column | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Leave out one block of periods at a time and see how far each ROI moves.

    An ROI that stands on one season or one campaign moves when that is left out [1]_.
    Blocks are consecutive periods, because neighbours resemble each other: leaving out
    single rows would move nothing [2]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``n_blocks + 1`` times.
    n_blocks : int, default=5
        Blocks of as nearly as possible the same number of periods; at least 2.

    Returns
    -------
    table : DataFrame indexed by channel and block
        ``start`` and ``end``, first and last period of the block; ``roi``, KPI units
        per unit of spend, of the fit to all rows; ``roi_without``, of the fit without
        the block; ``change``, the latter relative to the former minus one, NaN where
        ``roi`` is zero or missing.

    Raises
    ------
    ValueError
        If no time column is known, if there are fewer periods than blocks, or if two
        rows are about the same region and period.

    See Also
    --------
    refresh_stability : How far each ROI moves as data come in.
    placebo_channel : Whether spend at the wrong time earns anything.

    Notes
    -----
    Both ROIs are of all rows of X, so that only what was learned differs. Where `fit`
    of the estimator, or of the last step, takes ``sample_weight``, rows of the block
    get weight zero: carry-over runs through them, and earlier steps see them. Where it
    does not, they are dropped, and carry-over breaks off at the gap.

    An ROI that hardly moves may come from the prior: see the ``verdict`` of
    `channel_summary`. Draws and channel graph of
    :class:`~skmmm.DeepCausalMMMRegressor`, which move no ROI, are left out. Of each
    kind of warning that the fits give, the first is passed on, with their number.

    References
    ----------
    .. [1] Cook, R. D. (1977). Detection of influential observation in linear
       regression. Technometrics 19, 15-18.
    .. [2] Roberts, D. R. et al. (2017). Cross-validation strategies for data with
       temporal, spatial, hierarchical, or phylogenetic structure. Ecography 40,
       913-929.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import block_stability
    >>> world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = block_stability(model, world.X, world.y, n_blocks=2, media=world.media)
    >>> table.shape
    (4, 5)
    >>> moves = table["change"].abs().groupby("channel").max()
    """
    check_integer(n_blocks, "n_blocks", 2)
    frame, y, _, known, time, roles = read_rows(estimator, X, y, media, region, time)
    period = _check_ordered(known, "block_stability")
    n_periods = int(period.max()) + 1
    if n_periods < n_blocks:
        raise ValueError(
            f"X has {n_periods} periods, too few for n_blocks={n_blocks}. Lower "
            "n_blocks."
        )
    block = period * n_blocks // n_periods
    model = without_extras(estimator, "n_draws", "graph", "experiments")
    kept = [None, *(block != b for b in range(n_blocks))]
    with warned_once():
        roi, *without = call_each(
            _roi_without,
            [(clone(model), frame, y, rows, roles) for rows in kept],
            n_jobs,
        )
    tables = [
        _moves(roi, other, "roi", "roi_without").assign(
            **_span(frame[time], period, block == b)
        )
        for b, other in enumerate(without)
    ]
    columns = ["start", "end", "roi", "roi_without", "change"]
    return _by_channel(tables, "block")[columns]


@documented_by(placebo_channel)
def refresh_stability(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    *,
    n_periods: int = 4,
    n_refreshes: int = 3,
    time: Column | None = None,
    media: Columns = None,
    region: Column | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Add the last periods step by step and see how far each ROI moves.

    A model that is refitted every month should not revise last year's ROI much [1]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``n_refreshes + 1`` times.
    n_periods : int, default=4
        Periods that each refresh adds.
    n_refreshes : int, default=3
        The first fit lacks the last ``n_refreshes * n_periods`` periods, the last fit
        has all.

    Returns
    -------
    table : DataFrame indexed by channel and refresh
        Refreshes count from 1. ``start`` and ``end``, first and last period that the
        refresh added; ``roi_before`` and ``roi_after``, KPI units per unit of spend,
        both of the rows that both fits saw; ``change``, the latter relative to the
        former minus one, NaN where ``roi_before`` is zero or missing.

    Raises
    ------
    ValueError
        If no time column is known, if there are too few periods, if a channel had no
        spend before a refresh, or if two rows are about the same region and period.

    See Also
    --------
    block_stability : How far each ROI moves without a block of periods.
    skmmm.metrics.rolling_skill : How good forecasts are as data come in.

    Notes
    -----
    Later periods are dropped, not weighted, because a refresh would not have seen their
    spend either. The scales of spend and the season therefore come from fewer rows.

    An ROI that hardly moves may come from the prior: see the ``verdict`` of
    `channel_summary`. Draws and channel graph of
    :class:`~skmmm.DeepCausalMMMRegressor`, which move no ROI, are left out. Of each
    kind of warning that the fits give, the first is passed on, with their number.

    References
    ----------
    .. [1] Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy: an
       analysis and review. International Journal of Forecasting 16, 437-450.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import refresh_stability
    >>> world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = refresh_stability(model, world.X, world.y, media=world.media)
    >>> table.loc["media_1", "change"].shape
    (3,)
    """
    check_integer(n_periods, "n_periods", 1)
    check_integer(n_refreshes, "n_refreshes", 1)
    frame, y, _, known, time, roles = read_rows(estimator, X, y, media, region, time)
    period = _check_ordered(known, "refresh_stability")
    last = int(period.max()) + 1
    ends = last - n_periods * np.arange(n_refreshes + 1)[::-1]
    if ends[0] < 2:
        raise ValueError(
            f"X has {last} periods, of which {n_refreshes} refreshes of {n_periods} "
            f"leave {max(ends[0], 0)} for the first fit. Lower n_periods or "
            "n_refreshes."
        )
    model = without_extras(estimator, "n_draws", "graph", "experiments")
    seen = [period < end for end in ends]
    # ROI of the rows that the fit before saw, and of its own: these, for the fit after.
    parts = [seen[:1], *pairwise(seen[:-1]), seen[-2:-1]]
    refits = [
        (clone(model), frame, y, rows, of_rows, roles)
        for rows, of_rows in zip(seen, parts, strict=True)
    ]
    with warned_once():
        (last_roi,) = call_each(_roi_of_seen, refits[-1:], n_jobs)
        # Before the other fits: only a fit says which columns are channels.
        _check_spend(frame, last_roi[0].index, seen[0], frame[time])
        rois = [*call_each(_roi_of_seen, refits[-2::-1], n_jobs)[::-1], last_roi]
    tables = []
    for e in range(n_refreshes):
        table = _moves(rois[e][-1], rois[e + 1][0], "roi_before", "roi_after")
        added = seen[e + 1] & ~seen[e]
        tables.append(table.assign(**_span(frame[time], period, added)))
    columns = ["start", "end", "roi_before", "roi_after", "change"]
    return _by_channel(tables, "refresh", first=1)[columns]


def _check_ordered(period: np.ndarray | None, asking: str) -> np.ndarray:
    """Return the period of every row, or raise if rows have no order."""
    if period is None:
        raise ValueError(
            f"{asking} needs the period of every row: name its column, time=..."
        )
    return period


def _check_spend(
    frame: pd.DataFrame, channels: pd.Index, seen: np.ndarray, time: pd.Series
) -> None:
    """Raise if a channel has no spend in the rows of the first fit."""
    for channel in channels:
        if not frame.loc[seen, channel].any():
            raise ValueError(
                f"Channel {channel!r} has no spend before the first refresh, which "
                f"starts at {time[~seen].min()}. Lower n_periods or n_refreshes, or "
                "leave the channel out."
            )


def _roi_without(
    model: Any,
    frame: pd.DataFrame,
    y: Array,
    kept: np.ndarray | None,
    roles: dict[str, Any],
) -> pd.Series:
    """Fit to some rows, None for all; return the ROI of all rows by channel."""
    fitted = model.fit(frame, y) if kept is None else _fit_rows(model, frame, y, kept)
    return _roi(fitted, frame, roles)


def _roi_of_seen(
    model: Any,
    frame: pd.DataFrame,
    y: Array,
    seen: np.ndarray,
    parts: Sequence[np.ndarray],
    roles: dict[str, Any],
) -> list[pd.Series]:
    """Fit to the rows seen by then; return the ROI of parts of them by channel."""
    fitted = model.fit(frame[seen], y[seen])
    return [_roi(fitted, frame[part], roles) for part in parts]


def _fit_rows(estimator: Any, frame: pd.DataFrame, y: Array, kept: np.ndarray) -> Any:
    """Fit to some of the rows: others get weight zero, or are dropped."""
    last = last_step(estimator)
    if not has_fit_parameter(last, "sample_weight"):
        return estimator.fit(frame[kept], y[kept])
    name = "sample_weight"
    if last is not estimator:
        name = f"{estimator.steps[-1][0]}__{name}"
    return estimator.fit(frame, y, **{name: kept.astype(np.float64)})


def _roi(fitted: Any, frame: pd.DataFrame, roles: dict[str, Any]) -> pd.Series:
    return channel_summary(fitted, frame, **roles)["roi"]


def _moves(
    before: pd.Series, after: pd.Series, name_before: str, name_after: str
) -> pd.DataFrame:
    """Return both ROIs and the change relative to the former, by channel."""
    change = after / before.where(before != 0) - 1.0
    return pd.DataFrame({name_before: before, name_after: after, "change": change})


def _span(time: pd.Series, period: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """Return the first and last time of some rows, as they stand in X."""
    inside = np.flatnonzero(rows)
    order = np.argsort(period[inside], kind="stable")
    return {
        "start": time.iloc[inside[order[0]]],
        "end": time.iloc[inside[order[-1]]],
    }


def _by_channel(tables: list[pd.DataFrame], name: str, first: int = 0) -> pd.DataFrame:
    """Join tables of channels, the channel before the number of the table."""
    numbers = range(first, first + len(tables))
    joint = pd.concat(dict(zip(numbers, tables, strict=True)), names=[name, "channel"])
    channels = tables[0].index
    return joint.swaplevel().loc[channels]
