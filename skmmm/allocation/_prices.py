"""The price of media in the rows of a plan, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from skmmm._data.costs import is_number
from skmmm._planning.problem import MOST_MULTIPLE, position_of, readable
from skmmm._utils.labels import called, first_few, shown
from skmmm._utils.typing import Array
from skmmm.inspection._prices import at_prices, mean_on_air, spend_for
from skmmm.inspection._protocol import Counterfactual, TableCounterfactual

# Keys are channels, and in a mapping of a channel periods.
Level: TypeAlias = float | Mapping[Any, float] | Sequence[float]
PriceLevel: TypeAlias = Mapping[Any, Level] | None
PriceElasticity: TypeAlias = Mapping[Any, float] | None


@dataclass(frozen=True, eq=False)
class Prices:
    """What media cost in the rows of a plan, against `media_cost`.

    Attributes
    ----------
    labels : list of length M
        Channels.
    level : ndarray of shape (M, n_periods)
    period : ndarray of shape (n_rows,), int
        Of every row.
    elasticity : ndarray of shape (M,)
    """

    labels: list
    level: Array
    period: np.ndarray
    elasticity: Array

    def paid_by(self, counterfactual: Counterfactual) -> Counterfactual:
        """Return the counterfactual in which spend of rows buys at these prices."""
        return at_prices(counterfactual, self.level.T[self.period], self.elasticity)

    def money_for(
        self, counterfactual: TableCounterfactual, usual: TableCounterfactual
    ) -> Array:
        """Return what the delivery of rows costs, (n_rows, n_media).

        Rows are of the same regions and periods as the usual ones, whose mean spend on
        air is where elastic prices are as their level says.
        """
        period = self.period
        if counterfactual.has_periods:
            period = counterfactual.groups("period")[0]
        reference = mean_on_air(usual)[counterfactual.region_codes]
        at_level = counterfactual.spend * self.level.T[period] / reference
        return reference * spend_for(at_level, self.elasticity)

    def in_words(self) -> str:
        """Return a sentence on the channels whose price is another."""
        said = []
        for label, level, elasticity in zip(
            self.labels, self.level, self.elasticity, strict=True
        ):
            ends = dict.fromkeys((f"{level.min():.4g}", f"{level.max():.4g}"))
            parts = []
            if (level != 1.0).any():
                parts.append(f"costs {' to '.join(ends)} times as much")
            if elasticity > 0:
                parts.append(f"gets dearer with spend (elasticity {elasticity:.4g})")
            if parts:
                said.append(f"{called(label)} {' and '.join(parts)}")
        return (
            " Prices other than media_cost are assumed, for today's spend as well: "
            f"{first_few(said)}."
        )


def read_prices(
    counterfactual: Counterfactual, level: PriceLevel, elasticity: PriceElasticity
) -> Prices | None:
    """Return the `Prices` that a user gives, None if they are those of the past.

    Raises
    ------
    ValueError
        If a channel or period is unknown, a number makes no sense, or what a unit of a
        channel costs is not known.
    """
    if level is None and elasticity is None:
        return None
    if counterfactual.responds:
        raise ValueError(
            "price_level and price_elasticity are for effect='direct': what channels "
            "make others spend has prices of its own."
        )
    group, periods = np.zeros(len(counterfactual.index), dtype=np.int64), []
    if counterfactual.has_periods:
        group, names = counterfactual.groups("period")
        periods = readable(names)

    def read_level(role, given):
        return _read_level(role, given, periods)

    levels = np.ones((len(counterfactual.labels), max(len(periods), 1)))
    found = _by_channel("price_level", level, counterfactual, read_level)
    for m, own in found.items():
        levels[m] = own
    elasticities = np.zeros(len(levels))
    found = _by_channel("price_elasticity", elasticity, counterfactual, _elasticity)
    for m, own in found.items():
        elasticities[m] = own
    if (levels == 1.0).all() and not elasticities.any():
        return None
    return Prices(counterfactual.labels, levels, group, elasticities)


def _by_channel(
    name: str, given: Any, counterfactual: Counterfactual, read: Callable[..., Any]
) -> dict[int, Any]:
    """Return what is said of channels, by position, of which units are no money."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} must map channels to numbers, got {shown(given)}.")
    cost, found = counterfactual.unit_cost, {}
    for key, value in given.items():
        m = counterfactual.position(key, name)
        role = f"{name} of {counterfactual.labels[m]!r}"
        if m in found:
            raise ValueError(f"{role} is given twice. Leave one out.")
        priced = cost[m] > 0  # 0 stands for no cost beside channels that have one
        if not priced or np.isclose(cost[m], 1.0, rtol=1e-12, atol=0.0):
            known = "1" if priced else "not known"
            raise ValueError(
                f"{role} needs to know what money buys, but its media_cost is {known}: "
                "a column of money has what the price did in it already. Fit with "
                "delivery (impressions, GRPs) in the column and what a unit costs, or "
                "the column with its money, in media_cost."
            )
        found[m] = read(role, value)
    return found


def _read_level(role: str, given: Any, periods: list) -> Array:
    """Return the level of a channel's price in every period, (n_periods,) or ()."""
    if isinstance(given, pd.Series):
        raise ValueError(
            f"{role} is a Series: pass .to_dict(), by period, or .tolist(), one factor "
            "per period in their order."
        )
    if isinstance(given, Mapping):
        _check_periods(role, periods)
        level = np.ones(len(periods))
        for key, one in given.items():
            at = position_of(key, periods, f"{role} names {key!r}", "period")
            level[at] = _factor(f"{role} in period {key}", one)
        return level
    if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str):
        _check_periods(role, periods)
        if len(given) != len(periods):
            raise ValueError(
                f"{role} has {len(given)} factors, but X has {len(periods)} periods. "
                "Give one for each, or a mapping from some periods to factors."
            )
        named = zip(periods, given, strict=True)
        return np.array([_factor(f"{role} in period {p}", one) for p, one in named])
    return np.array(_factor(role, given))


def _check_periods(role, periods):
    if not periods:
        raise ValueError(
            f"{role} is given by period, but periods are not known: use a model with a "
            "time column, or pass time=... with its name. Or give one factor."
        )


def _factor(role: str, value: Any) -> float:
    """Return the level of a price."""
    if not is_number(value) or value <= 0:
        raise ValueError(
            f"{role} must be a positive number, 1.08 for 8 % dearer than media_cost, "
            f"got {shown(value)}."
        )
    if value > MOST_MULTIPLE:
        raise ValueError(
            f"{role} asks for {value:g} times media_cost. If it is percent, write "
            f"{value / 100:g} for {value:g} % of media_cost."
        )
    return float(value)


def _elasticity(role: str, value: Any) -> float:
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(
            f"{role} must be a number from 0 up and below 1, by how many percent the "
            f"price rises with one percent more spend, got {shown(value)}."
        )
    return float(value)
