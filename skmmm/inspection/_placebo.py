"""Placebo tests: what spend at the wrong time is credited with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.random import RandomState
from sklearn.base import clone
from sklearn.utils import check_random_state

from skmmm._data.checks import check_channel, resolve_many
from skmmm._utils.docs import documented_by
from skmmm._utils.parallel import call_each
from skmmm._utils.typing import Array, Column, Columns, Seed, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._refits import (
    check_integer,
    last_step,
    read_rows,
    warned_once,
    without_extras,
)

# A placebo is shifted by at least this share of the periods, forward or backward.
_NEAREST = 0.125
# Share of placebos that may have too much credit; what is clearly less than a credit,
# and what of an estimate has to be sure. Measured, see the Notes of `placebo_channel`.
_TOLERATED, _HALF = 0.1, 0.5
_ESTIMATES = ["contribution", "contribution_low", "contribution_high"]


@documented_by(channel_summary)
def placebo_channel(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    channels: Columns = None,
    *,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    n_repeats: int = 3,
    confidence_level: float = 0.9,
    n_jobs: int | None = None,
    random_state: Seed = None,
) -> pd.DataFrame:
    """Fit again with one channel's spend at the wrong time, and see what it earns.

    Spend at the wrong time cannot have caused the KPI. A model that credits it with as
    much as the real spend takes its estimate from elsewhere: from what it expected
    beforehand, or from movements of the KPI that it does not know [1]_ [2]_.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Cloned and refitted ``1 + n_channels * n_repeats`` times.
    X : DataFrame, array-like of shape (n_rows, n_columns) or Effects
        Rows in any order.
    y : array-like of shape (n_rows,)
        KPI.
    channels : list of str or int, default=None
        Channels to test. None: all.
    time : str or int, default=None
        Column with the period: datetimes, Periods, ISO strings or integers. None: that
        of the estimator, or of the last step. Without one rows have no order.
    n_repeats : int, default=3
        Placebos per channel.
    n_jobs : int or None, default=None
        Refits at the same time, each in a process of its own unless
        :class:`joblib.parallel_config` says otherwise; None: one, -1: one per
        processor. Results do not depend on it if the estimator has a seed.
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
    >>> world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(
    ...     media=world.media, controls=world.controls, region="region", time="week"
    ... )
    >>> table = placebo_channel(
    ...     model, world.X, world.y, media=world.media, random_state=0
    ... )
    >>> table.loc["media_1", "verdict"]
    'passes'
    """
    check_integer(n_repeats, "n_repeats", 1)
    frame, y, code, period, _, roles = read_rows(estimator, X, y, media, region, time)
    _check_shifts(period)
    rng = check_random_state(random_state)
    series = _series(code, period)
    fitted = without_extras(estimator, "experiments").fit(frame, y)
    real = channel_summary(fitted, frame, confidence_level=confidence_level, **roles)
    model = without_extras(estimator, "graph", "experiments")
    asked = {"confidence_level": confidence_level, **roles}
    chosen = _choose(frame, channels, list(real.index))
    frequency = getattr(last_step(fitted), "_frequency_columns", {})
    refits = [
        (clone(model), frame, y, channel, frequency.get(channel), order, asked)
        for channel in chosen
        for order in _orders(series, period is not None, n_repeats, rng)
    ]
    with warned_once():
        found = call_each(_placebo, refits, n_jobs)
    rows = {}
    for c, channel in enumerate(chosen):
        placebos = pd.DataFrame(found[c * n_repeats : (c + 1) * n_repeats])
        rows[channel] = _compare(real.loc[channel], placebos.astype(float), y.sum())
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("channel")


def _placebo(
    model: Any,
    frame: pd.DataFrame,
    y: Array,
    channel: Column,
    frequency: Column | None,
    order: np.ndarray,
    asked: dict[str, Any],
) -> pd.Series:
    """Fit with the spend of a channel in another order; return what it is credited.

    How often those reached saw it moves along.
    """
    moved = frame.copy()
    for label in (channel, *([] if frequency is None else [frequency])):
        moved[label] = frame[label].to_numpy()[order]
    summary = channel_summary(model.fit(moved, y), moved, **asked)
    return summary.loc[channel, _ESTIMATES]


def _choose(frame: pd.DataFrame, channels: Columns, media: list) -> list:
    """Return the labels of the channels to test."""
    if channels is None:
        return media
    chosen = resolve_many(frame, channels, "channels")
    for channel in chosen:
        check_channel(channel, media, "channels")
    return chosen


def _check_shifts(period: np.ndarray | None) -> None:
    """Raise if there are too few periods to shift spend far from where it was."""
    fewest = int(1 / _NEAREST)
    if period is not None and period.max() < fewest - 1:
        raise ValueError(
            f"X has {period.max() + 1} periods; placebo_channel shifts spend in time, "
            f"for which it needs at least {fewest}."
        )


def _series(code: np.ndarray, period: np.ndarray | None) -> list[np.ndarray]:
    """Return the positions of the rows of each region, in the order of time."""
    order = np.lexsort((np.arange(len(code)) if period is None else period, code))
    return np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def _orders(
    series: list[np.ndarray], ordered: bool, n_repeats: int, rng: RandomState
) -> Iterator[np.ndarray]:
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


def _compare(real: pd.Series, placebos: pd.DataFrame, total: float) -> dict[str, Any]:
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
    """Return the verdict from the credit of a channel and of its placebos.

    An estimate is sure if its credit is more than half of it.
    """
    if np.mean((others > credit) & (others_sure | sure)) > _TOLERATED:
        return "fails"
    if sure and np.mean(others > _HALF * credit) <= _TOLERATED:
        return "passes"
    return "cannot tell"
