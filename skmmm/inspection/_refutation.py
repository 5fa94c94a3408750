"""Whether effects survive what must destroy them, or what must not move them."""

import warnings
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skmmm._calendar import infer_calendar
from skmmm._checks import (
    as_frame,
    check_no_duplicates,
    check_not_empty,
    check_target,
    region_values,
    resolve_column,
    resolve_many,
)
from skmmm._tables import row_namer
from skmmm.inspection._effects import channel_summary

__all__ = ["block_stability", "placebo_channel", "refresh_stability"]

# What costs time and moves no point estimate, in an estimator that has both.
_NOT_FOR_POINTS = {"n_draws": 0, "graph": None}
# A placebo is shifted by at least this share of the periods, forward or backward.
_NEAREST = 0.125
# Share of placebos that may have too much credit; what is clearly less than a credit,
# and what of an estimate has to be sure. Measured, see the Notes of `placebo_channel`.
_TOLERATED, _HALF = 0.1, 0.5
_ESTIMATES = ["contribution", "contribution_low", "contribution_high"]


def _read_rows(estimator, X, y, region, time):
    """Return X as a frame, y, and the region and period of every row.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    region : ndarray of shape (n_rows,), int
        Position of the region; zero without a region column.
    period : ndarray of shape (n_rows,), int, or None
        Position among the distinct periods of X; None without a time column.
    time : label or None
        Of the time column.
    """
    frame = as_frame(X).infer_objects()
    check_not_empty(frame)
    region = _role(estimator, frame, region, "region")
    time = _role(estimator, frame, time, "time")
    where = row_namer(frame, region, time)
    y = check_target(y, len(frame), where)
    code, values = np.zeros(len(frame), dtype=np.int64), None
    if region is not None:
        values = region_values(frame, region)
        _, code = np.unique(values, return_inverse=True)
    if time is None:
        return frame, y, code, None, None
    ordinals = infer_calendar(frame[time], time, values).ordinals(frame[time], time)
    _, period = np.unique(ordinals, return_inverse=True)
    if region is None:
        _check_one_row_each(period, where)
    check_no_duplicates(code, period, where)
    return frame, y, code, period, time


def _check_one_row_each(period, where):
    """Raise if periods have several rows and no column tells them apart."""
    _, first = np.unique(period, return_index=True)
    if len(first) < len(period):
        again = np.setdiff1d(np.arange(len(period)), first)[0]
        raise ValueError(
            f"X has several rows for {where(again)}. Name the column that tells them "
            "apart, region=..., or aggregate them."
        )


def _last_step(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _role(estimator, frame, given, role):
    """Return the label of the region or time column, None if nothing names it."""
    key = getattr(_last_step(estimator), role, None) if given is None else given
    return None if key is None else resolve_column(frame, key, role)


def _with_column(frame, label, values):
    changed = frame.copy()
    changed[label] = values
    return changed


def _without(estimator, *names):
    """Return a clone that spends no time on draws, or on the graph of channels."""
    copied = clone(estimator)
    last = _last_step(copied)
    if _NOT_FOR_POINTS.keys() <= last.get_params(deep=False).keys():
        last.set_params(**{name: _NOT_FOR_POINTS[name] for name in names})
    return copied


def _fit_rows(estimator, frame, y, kept):
    """Fit to some of the rows: others get weight zero, or are dropped."""
    last = _last_step(estimator)
    if not has_fit_parameter(last, "sample_weight"):
        return estimator.fit(frame[kept], y[kept])
    name = "sample_weight"
    if last is not estimator:
        name = f"{estimator.steps[-1][0]}__{name}"
    return estimator.fit(frame, y, **{name: kept.astype(np.float64)})


@contextmanager
def _told_once():
    """Emit each kind of warning of the refits once, with how often it came."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for category in dict.fromkeys(warning.category for warning in caught):
        messages = [w.message for w in caught if w.category is category]
        warnings.warn(
            f"{messages[0]} (The first of {len(messages)} such warnings of the fits.)",
            category,
            stacklevel=4,
        )


def _check_integer(value, name, minimum):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}: {value!r}.")


def _check_ordered(period, asking):
    """Return the number of periods, or raise if rows have no order."""
    if period is None:
        raise ValueError(
            f"{asking} needs the period of every row: name its column, time=..."
        )
    return int(period.max()) + 1


def placebo_channel(
    estimator,
    X,
    y,
    channels=None,
    *,
    media=None,
    region=None,
    time=None,
    n_repeats=3,
    confidence_level=0.9,
    random_state=None,
):
    """Fit again with one channel's spend at the wrong time, and see what it earns.

    Spend at the wrong time cannot have caused the KPI. A model that credits it with as
    much as the real spend takes its estimate from elsewhere: from what it expected
    beforehand, or from movements of the KPI that it does not know [1]_ [2]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``1 + n_channels * n_repeats`` times.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        Rows in any order.
    y : array-like of shape (n_rows,)
        KPI.
    channels : list of str or int, default=None
        Channels to test. None: all.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region, time : str or int, default=None
        Columns with region and period. None: what the estimator, or the last step,
        says. Without a time column rows have no order.
    n_repeats : int, default=3
        Placebos per channel.
    confidence_level : float in (0, 1), default=0.9
        Of the bounds.
    random_state : int, RandomState instance or None, default=None
        Draws the placebos.

    Returns
    -------
    table : DataFrame indexed by channel
        ``contribution`` of the real spend in KPI units, ``contribution_low`` and
        ``contribution_high`` (missing if the estimator gives no bounds) and ``share``
        of the KPI; ``placebo``, ``placebo_low``, ``placebo_high`` and
        ``placebo_share``, the same of its placebos, averaged over repeats;
        ``placebo_ratio``, the largest credit of a placebo relative to that of the real
        spend; ``verdict``, see Notes.

    Raises
    ------
    ValueError
        If a channel is unknown, if nothing says which columns are media, if there are
        fewer than eight periods, or if two rows are about the same region and period.

    See Also
    --------
    block_stability : How far each ROI moves without a block of periods.

    Notes
    -----
    **The placebo** is the channel's spend shifted in a circle: what is pushed over the
    end starts anew. Each region is shifted by the same share of its periods, by at
    least an eighth in either direction, and repeats are spread over what remains. So
    the placebo keeps the size, the flights, the slow movements and the likeness of
    regions, and with them every chance to go along with something else by accident.
    Periods in random order would keep none of these and acquit nearly any model: after
    carry-over such spend is almost constant. Rows without an order are permuted within
    regions.

    **The verdict** compares the credit of the real spend with that of its placebos.
    Credit is what is contributed at least, in either direction: the bound nearer to
    zero, or zero if that is inside; without bounds, the contribution. An estimate is
    sure if its credit is more than half of it. The estimate itself will not do: where
    effects are positive and media are expected to matter, placebos get what was
    expected beforehand, but not surely.

    - ``"fails"``: more than a tenth of the placebos (one, if fewer than ten) have more
      credit than the real spend, and either of the two estimates is sure.
    - ``"passes"``: the estimate is sure, and at most a tenth of the placebos (none, if
      fewer than ten) have more than half of its credit.
    - ``"cannot tell"``: anything else. The estimate is mostly what was expected
      beforehand, or placebos come close; also where spend never changes, so that the
      placebo is the real spend.

    Measured on `make_mmm_panel`, three channels, 1 region and 156 weeks or 6 regions
    and 104 weeks. `DeepCausalMMMRegressor`, three repeats: of 100 channels that work
    59 passed and 5 failed, of 50 that do nothing none passed and 3 failed; for the
    rest it cannot tell. `make_linear_mmm` with 19 repeats: of 84 that work 60 passed
    and 4 failed, of 56 that do nothing 4 passed and 42 failed. Without season and
    controls, in worlds where no channel works, 2 of 84 passed and 63 failed.

    Passing is no proof. What moves spend and KPI at the same time, such as demand that
    the budget follows, is credited to the real spend and not to one at another time. A
    channel that does nothing has more credit than all its placebos once in
    ``n_repeats + 1`` times by chance: raise `n_repeats` where refits are cheap.

    Refits leave out the channel graph of :class:`~skmmm.DeepCausalMMMRegressor`, which
    moves no contribution. Of each kind of warning that the refits give, the first is
    passed on, with their number.

    References
    ----------
    .. [1] Sharma, A. and Kiciman, E. (2020). DoWhy: An end-to-end library for causal
       inference. arXiv 2011.04216.
    .. [2] Eggers, A. C., Tuñón, G. and Dafoe, A. (2024). Placebo tests for causal
       inference. American Journal of Political Science 68, 1106-1121.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import placebo_channel
    >>> world = make_mmm_panel(2, 104, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = placebo_channel(
    ...     model, world.X, world.y, media=world.media, random_state=0
    ... )
    >>> table.loc["media_1", "verdict"]
    'passes'
    """
    _check_integer(n_repeats, "n_repeats", 1)
    frame, y, code, period, _ = _read_rows(estimator, X, y, region, time)
    _check_shifts(period)
    rng = check_random_state(random_state)
    series = _series(code, period)
    fitted = clone(estimator).fit(frame, y)
    asked = {"media": media, "confidence_level": confidence_level}
    real = channel_summary(fitted, frame, **asked)
    model = _without(estimator, "graph")
    rows = {}
    with _told_once():
        for channel in _choose(frame, channels, list(real.index)):
            placebos = []
            for order in _orders(series, period is not None, n_repeats, rng):
                moved = _with_column(frame, channel, frame[channel].to_numpy()[order])
                summary = channel_summary(clone(model).fit(moved, y), moved, **asked)
                placebos.append(summary.loc[channel, _ESTIMATES])
            rows[channel] = _compare(
                real.loc[channel], pd.DataFrame(placebos).astype(float), y.sum()
            )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("channel")


def _choose(frame, channels, media):
    """Return the labels of the channels to test."""
    if channels is None:
        return media
    chosen = resolve_many(frame, channels, "channels")
    for channel in chosen:
        if channel not in media:
            raise ValueError(
                f"channels names {channel!r}, which is not one of the media columns "
                f"{media}."
            )
    return chosen


def _check_shifts(period):
    """Raise if there are too few periods to shift spend far from where it was."""
    fewest = int(1 / _NEAREST)
    if period is not None and period.max() < fewest - 1:
        raise ValueError(
            f"X has {period.max() + 1} periods; placebo_channel shifts spend in time, "
            f"for which it needs at least {fewest}."
        )


def _series(code, period):
    """Return the positions of the rows of each region, in the order of time."""
    order = np.lexsort((np.arange(len(code)) if period is None else period, code))
    return np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def _orders(series, ordered, n_repeats, rng):
    """Yield, per repeat, the row from which every row gets its spend.

    Rows that have an order are shifted in a circle, all regions by the same share of
    their periods. The shifts of the repeats are spread over what is allowed.
    """
    n_rows = sum(map(len, series))
    for repeat in range(n_repeats):
        order = np.empty(n_rows, dtype=np.int64)
        along = (repeat + rng.uniform()) / n_repeats
        share = _NEAREST + (1.0 - 2.0 * _NEAREST) * along
        for rows in series:
            if ordered:
                order[rows] = np.roll(rows, round(share * len(rows)))
            else:
                order[rows] = rng.permutation(rows)
        yield order


def _compare(real, placebos, total):
    """Return the row of one channel: what it and its placebos were credited with."""
    mean = placebos[_ESTIMATES].mean()
    total = total if total else np.nan
    credit, others = _credit(real), _credit(placebos)
    return {
        **real[_ESTIMATES],
        "share": real["contribution"] / total,
        **mean.rename(lambda name: name.replace("contribution", "placebo")),
        "placebo_share": mean["contribution"] / total,
        "placebo_ratio": others.max() / credit if credit > 0 else np.nan,
        "verdict": _verdict(
            credit,
            others,
            sure=credit > _HALF * np.abs(real["contribution"]),
            others_sure=others > _HALF * placebos["contribution"].abs(),
        ),
    }


def _credit(table):
    """Return what a channel is credited with at least, in either direction.

    The bound of its interval nearer to zero, zero if zero is inside; without bounds,
    its contribution.
    """
    nearer = np.maximum(table["contribution_low"], -table["contribution_high"])
    sure = np.maximum(nearer, 0.0)
    return np.where(np.isnan(nearer), np.abs(table["contribution"]), sure)


def _verdict(credit, others, *, sure, others_sure):
    """Return the verdict on a channel.

    Parameters
    ----------
    credit : float
    others : ndarray of shape (n_repeats,)
        Credit of its placebos.
    sure : bool
        Whether the credit is more than half of the estimate.
    others_sure : ndarray of shape (n_repeats,), bool
    """
    if np.mean((others > credit) & (others_sure | sure)) > _TOLERATED:
        return "fails"
    if sure and np.mean(others > _HALF * credit) <= _TOLERATED:
        return "passes"
    return "cannot tell"


def block_stability(estimator, X, y, *, n_blocks=5, time=None, media=None, region=None):
    """Leave out one block of periods at a time and see how far each ROI moves.

    An ROI that stands on one season or one campaign moves when that is left out [1]_.
    Blocks are consecutive periods, because neighbours resemble each other: leaving out
    single rows would move nothing [2]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``n_blocks + 1`` times.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        Rows in any order.
    y : array-like of shape (n_rows,)
        KPI.
    n_blocks : int, default=5
        Blocks of as nearly as possible the same number of periods; at least 2.
    time : str or int, default=None
        Column with the period: datetimes, Periods, ISO strings or integers. None: what
        the estimator, or the last step, says.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region : str or int, default=None
        Column with the region. None: what the estimator, or the last step, says.

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
    >>> world = make_mmm_panel(2, 104, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = block_stability(model, world.X, world.y, n_blocks=4, media=world.media)
    >>> table.shape
    (8, 5)
    >>> moves = table["change"].abs().groupby("channel").max()
    """
    _check_integer(n_blocks, "n_blocks", 2)
    frame, y, _, period, time = _read_rows(estimator, X, y, region, time)
    n_periods = _check_ordered(period, "block_stability")
    if n_periods < n_blocks:
        raise ValueError(
            f"X has {n_periods} periods, too few for n_blocks={n_blocks}. Lower "
            "n_blocks."
        )
    block = period * n_blocks // n_periods
    model = _without(estimator, "n_draws", "graph")
    tables = []
    with _told_once():
        roi = _roi(model.fit(frame, y), frame, media)
        for b in range(n_blocks):
            without = _fit_rows(clone(model), frame, y, block != b)
            table = _moves(roi, _roi(without, frame, media), "roi", "roi_without")
            tables.append(table.assign(**_span(frame[time], period, block == b)))
    columns = ["start", "end", "roi", "roi_without", "change"]
    return _by_channel(tables, "block")[columns]


def refresh_stability(
    estimator,
    X,
    y,
    *,
    n_periods=4,
    n_refreshes=3,
    time=None,
    media=None,
    region=None,
):
    """Add the last periods step by step and see how far each ROI moves.

    A model that is refitted every month should not change its mind about last year
    [1]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``n_refreshes + 1`` times.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        Rows in any order.
    y : array-like of shape (n_rows,)
        KPI.
    n_periods : int, default=4
        Periods that each refresh adds.
    n_refreshes : int, default=3
        The first fit lacks the last ``n_refreshes * n_periods`` periods, the last fit
        has all.
    time : str or int, default=None
        Column with the period: datetimes, Periods, ISO strings or integers. None: what
        the estimator, or the last step, says.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region : str or int, default=None
        Column with the region. None: what the estimator, or the last step, says.

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
    >>> world = make_mmm_panel(2, 104, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = refresh_stability(model, world.X, world.y, media=world.media)
    >>> table.loc["media_1", "change"].shape
    (3,)
    """
    _check_integer(n_periods, "n_periods", 1)
    _check_integer(n_refreshes, "n_refreshes", 1)
    frame, y, _, period, time = _read_rows(estimator, X, y, region, time)
    last = _check_ordered(period, "refresh_stability")
    ends = last - n_periods * np.arange(n_refreshes + 1)[::-1]
    if ends[0] < 2:
        raise ValueError(
            f"X has {last} periods, of which {n_refreshes} refreshes of {n_periods} "
            f"leave {max(ends[0], 0)} for the first fit. Lower n_periods or "
            "n_refreshes."
        )
    model = _without(estimator, "n_draws", "graph")
    tables = []
    with _told_once():
        # The last fit comes first: it says what the channels are.
        later = clone(model).fit(frame, y)
        channels = _roi(later, frame, media).index
        _check_spend(frame, channels, period < ends[0], frame[time])
        for end in ends[-2::-1]:
            seen, added = period < end, (period >= end) & (period < end + n_periods)
            earlier = clone(model).fit(frame[seen], y[seen])
            before, after = (_roi(m, frame[seen], media) for m in (earlier, later))
            table = _moves(before, after, "roi_before", "roi_after")
            tables.append(table.assign(**_span(frame[time], period, added)))
            later = earlier
    columns = ["start", "end", "roi_before", "roi_after", "change"]
    return _by_channel(tables[::-1], "refresh", first=1)[columns]


def _check_spend(frame, channels, seen, time):
    """Raise if a channel has no spend in the rows of the first fit."""
    for channel in channels:
        if not frame.loc[seen, channel].any():
            raise ValueError(
                f"Channel {channel!r} has no spend before the first refresh, which "
                f"starts at {time[~seen].min()}. Lower n_periods or n_refreshes, or "
                "leave the channel out."
            )


def _roi(fitted, frame, media):
    return channel_summary(fitted, frame, media=media)["roi"]


def _moves(before, after, name_before, name_after):
    """Return both ROIs and the change relative to the former, by channel."""
    change = after / before.where(before != 0) - 1.0
    return pd.DataFrame({name_before: before, name_after: after, "change": change})


def _span(time, period, rows):
    """Return the first and last time of some rows, as they stand in X."""
    inside = np.flatnonzero(rows)
    order = np.argsort(period[inside], kind="stable")
    return {
        "start": time.iloc[inside[order[0]]],
        "end": time.iloc[inside[order[-1]]],
    }


def _by_channel(tables, name, first=0):
    """Join tables of channels, the channel before the number of the table."""
    numbers = range(first, first + len(tables))
    joint = pd.concat(dict(zip(numbers, tables, strict=True)), names=[name, "channel"])
    channels = tables[0].index
    return joint.swaplevel().loc[channels]
