"""What is expected of each channel: from costs, and from what the user knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from skmmm._data.costs import by_channel, is_number
from skmmm._data.panel import Panel
from skmmm._data.scales import Scales
from skmmm._model.independence import independent_spend
from skmmm._model.priors import (
    CARRYOVER,
    HALF_FREQUENCY_LOG,
    ChannelPriors,
    channel_priors,
)
from skmmm._utils.typing import Array

_QUANTITIES = ("roi", "decay", "half_saturation")
_DARK = 0.05  # share of rows without spend from which a channel is dark at times
_SPIKE = 3.0  # times what nearly all periods stay below
_REACH = norm.ppf(0.95)  # of a 90 % interval, in standard deviations


def make_channel_priors(
    priors: Mapping | None,
    cost: Array,
    *,
    adstock: str,
    media_share: float,
    shown: np.ndarray,
    panel: Panel,
    scales: Scales,
    media: list,
    labels: list,
) -> ChannelPriors:
    """Return the `ChannelPriors` of a training panel.

    Columns that are money are expected to earn the same return on it, give or take,
    the others to have the same effect.

    Parameters are those of the regressor, the cost as `costs_per_unit` returned it,
    shape (n_media,), which channels the KPI shows, and the labels of the
    media columns and of all columns.

    Raises
    ------
    ValueError
        If `priors` names an unknown column or quantity, or an interval is none.
    """
    weight = panel.observed if panel.weight is None else panel.weight
    seen = (weight > 0)[..., None]
    own = _read(priors, media, labels, adstock)
    money = np.isfinite(cost) & (panel.media * seen).any(axis=(0, 1))
    expected = np.full(len(media), media_share / max(len(media), 1))
    if money.any():
        spend = (panel.media * seen).sum(axis=(0, 1))[money] * cost[money]
        active = ((panel.media > 0) & seen).sum(axis=(0, 1))[money] / seen.sum()
        # Effects are those of periods with spend: rare ones must earn it all.
        expected[money] *= len(spend) * spend / spend.sum() / np.maximum(active, 1e-3)
    total, kpi = panel.media.sum(axis=(0, 1)), (panel.observed.T * scales.kpi).sum()
    effect, carry, half = (np.full((2, len(media)), np.nan) for _ in range(3))
    unit, by_frequency = scales.saturation_unit.mean(axis=0), None
    if scales.frequency is not None:
        by_frequency = np.isfinite(scales.frequency)
        half[0, by_frequency] = HALF_FREQUENCY_LOG[0] - np.log(unit[by_frequency])
        half[1, by_frequency] = HALF_FREQUENCY_LOG[1]
    for m, quantities in own.items():
        if "roi" in quantities:
            # Of all spend, the mean effect of a row in mean KPI; without any, of
            # typical spend.
            spent = total[m] or (panel.observed.T * scales.media[:, m]).sum()
            worth = spent * (cost[m] if np.isfinite(cost[m]) else 1.0) / kpi
            effect[:, m] = _normal(np.log(np.array(quantities["roi"]) * worth))
        if "decay" in quantities:
            decay = np.array(quantities["decay"])
            if adstock == "weibull":  # of shape one: exp(-lag / scale)
                carry[:, m] = _normal(np.log(-1.0 / np.log(decay)))
            else:
                carry[:, m] = _normal(logit(decay))
        if "half_saturation" in quantities:
            relative = np.array(quantities["half_saturation"]) / unit[m]
            half[:, m] = _normal(np.log(relative))
    spiked = (panel.media * seen > _SPIKE * scales.media_high[:, None]).any(axis=(0, 1))
    apart = independent_spend(panel.media, seen)
    given = effect, carry, half, spiked, apart, _least(panel, seen, scales), shown
    return channel_priors(np.log(expected), money, *given, adstock, by_frequency)


def _least(panel: Panel, seen: np.ndarray, scales: Scales) -> Array:
    """Return what nearly all rows spend at least, by typical spend, (n_media,)."""
    known = seen[..., 0].any(axis=1)  # a region without rows says nothing
    spend = np.where(seen, panel.media, np.nan)[known]
    return (np.nanquantile(spend, _DARK, axis=1) / scales.media[known]).mean(axis=0)


def _normal(interval: Array) -> tuple[float, float]:
    """Return mean and sd of the normal with this 90 % interval."""
    low, high = interval
    return (low + high) / 2, (high - low) / (2 * _REACH)


def _read(
    priors: Mapping | None, media: list, labels: list, adstock: str
) -> dict[int, dict[str, Any]]:
    """Check the mapping of priors and key it by the position of the channel."""
    if priors is None:
        return {}
    own: dict[int, dict[str, Any]] = {}
    for label, quantities in by_channel("priors", priors, media, labels).items():
        if not isinstance(quantities, Mapping):
            raise ValueError(
                f"priors[{label!r}] must map some of {list(_QUANTITIES)} to intervals "
                f"(low, high), got {quantities!r}."
            )
        for name, interval in quantities.items():
            _check_interval(label, name, interval)
        if "decay" in quantities and adstock not in CARRYOVER:
            raise ValueError(
                f"priors[{label!r}] sets a decay, but adstock={adstock!r} has none. "
                f"Use one of {', '.join(CARRYOVER)}."
            )
        own[media.index(label)] = dict(quantities)
    return own


def _check_interval(label: Any, name: str, interval: Any) -> None:
    """Raise if this is no interval of the quantity."""
    if name not in _QUANTITIES:
        raise ValueError(
            f"priors[{label!r}] has {name!r}, which is none of {list(_QUANTITIES)}."
        )
    ends = list(interval) if isinstance(interval, tuple | list | np.ndarray) else []
    if len(ends) != 2 or not all(is_number(end) for end in ends):
        raise ValueError(
            f"priors[{label!r}][{name!r}] must be two numbers (low, high), the 90 % "
            f"interval before seeing the data, got {interval!r}."
        )
    low, high = ends
    limit = 1.0 if name == "decay" else np.inf
    if not 0 < low < high < limit:
        below = " < 1" if name == "decay" else ""
        raise ValueError(
            f"priors[{label!r}][{name!r}] must hold 0 < low < high{below}, got "
            f"({low}, {high})."
        )
