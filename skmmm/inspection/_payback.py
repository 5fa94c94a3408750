"""How many periods pass until the effect of spend has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skmmm._data.costs import is_number
from skmmm._utils.docs import documented_by
from skmmm._utils.labels import called, first_few
from skmmm._utils.typing import Array, Columns, MediaCost, Table
from skmmm._utils.warnings import warn_user
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import Counterfactual
from skmmm.inspection._verdicts import (
    MIN_DRAWS,
    VERDICTS,
    is_known,
    is_narrow,
)

SHARES = (0.5, 0.9)
# Share of the effect beyond the last lag from which arrival is later than reported.
CUT_OFF = 0.05
# Share of effects up to which it is shown when they arrive.
_SHOWN = 0.98
# What comes after the last lag falls by a tenth a period at least.
_SLOWEST = 0.9


@documented_by(channel_summary)
def payback(
    estimator: Any,
    X: Table | None = None,
    *,
    shares: Sequence[float] = SHARES,
    value: float | None = None,
    confidence_level: float = 0.9,
    media: Columns = None,
    media_cost: MediaCost = None,
) -> pd.DataFrame:
    """Return how many periods pass until the effect of a unit of spend has arrived.

    Parameters
    ----------
    estimator : object
        Fitted `DeepCausalMMMRegressor` with a time column, alone, in groups, in a
        pipeline or a search: predictions of others do not tell carry-over.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        The rows whose return `money_back` is about; carry-over is that of the model in
        any case. None: the training rows.
    shares : sequence of float in (0, 1), default=(0.5, 0.9)
        Of the effect. Columns are called after them, in percent.
    value : float, default=None
        Money that one unit of the KPI is worth, such as its margin; 1 where the KPI is
        money. None: no columns about money.

    Returns
    -------
    payback : DataFrame indexed by channel
        - ``t50``, ``t90``: periods from the start of the period of spend until that
          share has arrived, with ``t50_low``, ``t50_high`` and so on, NaN without
          draws;
        - ``t50_prior_low``, ``t50_prior_high`` and so on: the interval of the prior;
        - ``contraction``: share of the prior variance of the logarithm of the first of
          these times that the data removed;
        - ``verdict`` on the first of these times: "data-driven" if `contraction` is
          at least three quarters and the upper bound of its 90 % interval at most four
          times the lower one; else "prior-driven", as expected before the data;
          "not identified" if the data cannot tell what the channel does at all
          (`alarm` of `channel_summary`, or the data contradict its prior). None with
          fewer than eight draws. Of channels with a slow stock both are of carry-over
          alone, before the stock: on their share see `brand_effects`;
        - ``cut_off``: share of the effect that would come after `max_lag`, where the
          model ends it, if it went on falling as between its last two lags (by a tenth
          a period at least); NaN with ``max_lag=0``. ``truncated``: whether it is more
          than 5 %; times are then too early.

        With `value` also, NaN for media without a cost or without spend:

        - ``money_back``: periods until what a unit of money causes is worth one, at the
          ROI of the rows of X; inf if it never is. With ``money_back_low`` and
          ``money_back_high``;
        - ``pays_back``: share of draws in which it ever is.

    Warns
    -----
    UserWarning
        If channels are truncated: fit with a larger `max_lag`.

    Raises
    ------
    ValueError
        If the estimator has no carry-over or no time column; if a share is not between
        0 and 1 or named twice; if `value` is not positive, or no channel has a cost.

    Notes
    -----
    The effect of a period arrives evenly over it: with 60 % in the period of spend
    itself, half has arrived after 0.83 periods. So no time is below the share itself,
    and times below one say no more than that: in the same period. None is above
    ``max_lag + 1``, but of channels with a slow stock (`brand_channels`): there all
    counts that comes out of it, and `money_back` counts what is to come after the rows.

    Shares are those of the method ``carryover``: of a unit more where spend is steady.
    Where it is not, the curve of saturation weighs periods differently.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import payback
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=0,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> table = payback(model)
    >>> bool((table["t50"] < table["t90"]).all())
    True
    """
    tail = tail_probability(confidence_level)
    names = named_shares(shares)
    found = counterfactual_of(estimator, X, media=media, media_cost=media_cost)
    table = payback_of(found, names, tail)
    if value is not None:
        for name, column in _money_back(found, value, tail).items():
            table[name] = column
    if table["truncated"].any():
        warn_user(truncation(table))
    return table


def payback_of(
    found: Counterfactual, shares: dict[str, float], tail: float
) -> pd.DataFrame:
    """Return the table of `payback` without money; shares by name of their column."""
    point = found.lag_weights()[0]  # (n_media, n_lags)
    if not found.has_periods:
        raise ValueError(
            "payback is over periods, so it needs a model with a time column; this one "
            "has time=None."
        )
    prior = found.prior_lag_weights()
    drawn = found.lag_weights(draws=True) if found.has_draws else None
    most = np.isfinite(point).sum(axis=-1)
    table: dict[str, Any] = {}
    for name, share in shares.items():
        ends = np.full((2, len(point)), np.nan)
        table[name] = arrival(point, share)
        if drawn is not None:
            times = arrival(drawn, share)
            ends = bounds(times, tail, table[name], least=0.0, most=most)
        table |= dict(zip((f"{name}_low", f"{name}_high"), ends, strict=True))
        expected = np.quantile(arrival(prior, share), [tail, 1.0 - tail], axis=0)
        names = f"{name}_prior_low", f"{name}_prior_high"
        table |= dict(zip(names, expected, strict=True))
    first = next(iter(shares.values()))
    if found.has_stock:  # whose months would fill the prior, and end what is cut off
        point, prior = found.carryover_weights()[0], found.prior_carryover_weights()
        if drawn is not None:
            drawn = found.carryover_weights(draws=True)
    table |= _judged(found, drawn, prior, first)
    beyond = cut_off(point)
    table |= {"cut_off": beyond, "truncated": beyond > CUT_OFF}
    return pd.DataFrame(table, found.cells_index(None))


def arrived_of(found: Counterfactual, tail: float) -> pd.DataFrame:
    """Return which share of the effect has arrived after each number of periods.

    Returns
    -------
    arrived : DataFrame indexed by (channel, periods)
        ``share``, ``low`` and ``high`` (nan without draws), from zero periods on.
    """
    point = _cumulated(found.lag_weights()[0])
    ends = np.full((2, *point.shape), np.nan)
    if found.has_draws:
        drawn = _cumulated(found.lag_weights(draws=True))
        ends = bounds(drawn, tail, point, least=0.0, most=1.0)
    if found.has_stock:  # which is never quite empty
        n_shown = 1 + int((point < _SHOWN).any(axis=0).sum())
        point, ends = point[:, :n_shown], ends[..., :n_shown]
    index = pd.MultiIndex.from_product(
        [found.labels, range(point.shape[1])], names=["channel", "periods"]
    )
    columns = {"share": point, "low": ends[0], "high": ends[1]}
    return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index)


def arrival(kernel: Array, share: npt.ArrayLike) -> Array:
    """Return after how many periods a share of the effect has arrived, (...).

    Linear within periods; inf for shares beyond one.

    Parameters
    ----------
    kernel : ndarray of shape (..., n_lags)
        Sums to one; nan beyond the last lag of a channel that has fewer than others.
    share : float or ndarray of shape (...)
    """
    total = _cumulated(kernel)
    share = np.broadcast_to(share, total.shape[:-1])
    after = (total < share[..., None]).sum(axis=-1)  # at least 1: share > 0
    at = np.clip(after, 1, total.shape[-1] - 1)[..., None]
    before, then = (np.take_along_axis(total, k, axis=-1)[..., 0] for k in (at - 1, at))
    within = (share - before) / np.where(then > before, then - before, 1.0)
    return np.where(share <= 1.0, at[..., 0] - 1.0 + within, np.inf)


def _cumulated(kernel):
    """Return the share that has arrived after 0, 1, ... periods, (..., n_lags + 1)."""
    total = np.zeros((*kernel.shape[:-1], kernel.shape[-1] + 1))
    arrived = total[..., 1:]
    np.cumsum(np.nan_to_num(kernel), axis=-1, out=arrived)
    arrived /= arrived[..., -1:]
    return total


def cut_off(kernel: Array) -> Array:
    """Return which share of the effect would come after the last lag, (...).

    As it would if it went on falling as between the last two lags, but by a tenth a
    period at least. Exact where carry-over is geometric; for a Weibull shape below one
    the tail is heavier than that. nan with a single lag.

    Parameters
    ----------
    kernel : ndarray of shape (..., n_lags)
        As of `arrival`.
    """
    if kernel.shape[-1] < 2:
        return np.full(kernel.shape[:-1], np.nan)
    end = np.isfinite(kernel).sum(axis=-1)[..., None] - 1
    before, last = (
        np.take_along_axis(kernel, np.maximum(k, 0), axis=-1)[..., 0]
        for k in (end - 1, end)
    )
    pace = np.minimum(last / np.maximum(before, np.finfo(float).tiny), _SLOWEST)
    beyond = last * pace / (1.0 - pace)
    return np.where(end[..., 0] > 0, beyond / (1.0 + beyond), np.nan)


def truncation(table: pd.DataFrame) -> str:
    """Return a sentence on the channels that are truncated, "" without any."""
    share = table["cut_off"][table["truncated"]]
    if not len(share):
        return ""
    each = first_few([f"{called(name)} ({one:.0%})" for name, one in share.items()])
    return (
        f"max_lag cuts off what comes late of {each}: in brackets the share of the "
        "effect that would come after it. Times are too early: raise max_lag."
    )


def _judged(found, drawn, prior, share):
    """Return how far data tell when a share arrives, columns of `payback`."""
    n_media = prior.shape[1]
    if drawn is None or len(drawn) < MIN_DRAWS:
        nothing = np.full(n_media, None, dtype=object)
        return {"contraction": np.full(n_media, np.nan), "verdict": nothing}
    times = arrival(drawn, share)
    # Times are bounded, so that the variance of all draws is no matter of a few.
    posterior, prior = map(_variance_of_log, (times, arrival(prior, share)))
    learned = 1.0 - posterior / prior
    known = is_known(learned, is_narrow(times))
    verdict = np.where(known, VERDICTS[0], VERDICTS[1]).astype(object)
    return {
        "contraction": learned,
        "verdict": np.where(found.doubted() != "", VERDICTS[2], verdict),
    }


def _variance_of_log(times):
    """Return the variance of log times over draws, (n_media,); never zero."""
    return np.maximum(np.log(times).var(axis=0, ddof=1), np.finfo(float).tiny)


def _money_back(found, value, tail):
    """Return after how many periods a unit of money is back, columns of `payback`."""
    if not is_number(value) or not 0.0 < value < np.inf:
        raise ValueError(
            f"value={value!r} must be a positive number: the money that one unit of "
            "the KPI is worth."
        )
    if not found.is_money.any():
        raise ValueError(
            "value is about money, but no channel has a cost: give the estimator "
            "media_cost, or leave out value."
        )
    point = _until_paid(found, value, draws=False)[0]
    ends, pays = np.full((2, len(point)), np.nan), np.full(len(point), np.nan)
    if found.has_draws:
        drawn = _until_paid(found, value, draws=True)
        pays = np.isfinite(drawn).mean(axis=0)
        # On a scale on which never is zero.
        sooner = bounds(1 / (1 + drawn), tail, 1 / (1 + point), least=0.0, most=1.0)
        ends = 1.0 / np.maximum(sooner[::-1], np.finfo(float).tiny) - 1.0
        last = np.isfinite(found.lag_weights()[0]).sum(axis=-1)
        ends = np.where(ends > last, np.inf, ends)
    columns = {"money_back": point, "money_back_low": ends[0]}
    columns |= {"money_back_high": ends[1], "pays_back": pays}
    priced = found.is_money & (found.spend_in(None)[0] > 0.0)
    return {k: np.where(priced, v, np.nan) for k, v in columns.items()}


def _until_paid(found, value, *, draws):
    """Return after how many periods money is back, inf for never, (E, n_media)."""
    effects = found.effects(draws=draws)
    caused = effects.incremental + found.to_come(draws=draws)[:, None]
    earned = value * np.nan_to_num(replace(effects, incremental=caused).roi[:, 0])
    share = 1.0 / np.maximum(earned, np.finfo(float).tiny)
    return arrival(found.lag_weights(draws=draws), share)


def named_shares(shares: Sequence[float]) -> dict[str, float]:
    """Return shares by the name of their column, checked."""
    names: dict[str, float] = {}
    for share in shares:
        if not is_number(share) or not 0.0 < share < 1.0:
            raise ValueError(f"shares: {share!r} must be between 0 and 1.")
        name = f"t{100 * share:g}"
        if name in names:
            raise ValueError(f"shares: {share!r} is named twice.")
        names[name] = float(share)
    if not names:
        raise ValueError("shares must hold at least one share, such as 0.5.")
    return names
