"""Rows whose media cost another price than in the past, or one that rises with spend.

A unit costs p(s) = p0 (s / s_ref)^g where a region spends s on a channel in a period:
p0 is `media_cost` times the level of the price, g its elasticity, and s_ref what the
region spends on average in the rows that are on air. So s buys s^(1 - g) s_ref^g / p0
units, of which the last one costs p / (1 - g).

Towards no spend that price would fall to nothing. Below s_f, where a unit of money buys
M / (1 + g) times as much as at s_ref, units are (a s + b s^2) / p0 instead, with value
and slope as there [1]_.

References
----------
.. [1] PyMC-Marketing 1.3.0, pymc_marketing/mmm/price_response.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NoReturn, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._utils.typing import Array
from skmmm.inspection._protocol import (
    By,
    Counterfactual,
    Effect,
    Flights,
    TableCounterfactual,
    passed_on_by,
)
from skmmm.inspection._side_by_side import GroupedCounterfactual
from skmmm.inspection._support import STEP

_MOST_RATIO = 100.0  # M: of the slopes at no spend and at the reference
_LEAST_START = 1e-12
_MOST_SPEND = 1e12  # of the reference


def delivery(spend: Array | float, elasticity: Array) -> Array:
    """Return what spend buys; both in units of the reference, at p0."""
    start, power = _start(elasticity), 1.0 - elasticity
    part = np.minimum(spend / start, 1.0)
    small = start**power * part * (1.0 + elasticity - elasticity * part)
    return np.where(spend < start, small, spend**power)


def delivery_slope(spend: Array, elasticity: Array) -> Array:
    """Return the derivative of `delivery`."""
    start, power = _start(elasticity), 1.0 - elasticity
    part = np.minimum(spend / start, 1.0)
    small = start**-elasticity * (1.0 + elasticity - 2.0 * elasticity * part)
    large = power * np.maximum(spend, start) ** -elasticity
    return np.where(spend < start, small, large)


def spend_for(delivered: Array, elasticity: Array) -> Array:
    """Return what a delivery costs, the inverse of `delivery`."""
    start, power = _start(elasticity), 1.0 - elasticity
    part = np.minimum(delivered / start**power, 1.0)
    more = 1.0 + elasticity
    small = 2.0 * part / (more + np.sqrt(more**2 - 4.0 * elasticity * part))
    with np.errstate(over="ignore"):
        large = np.minimum(delivered ** (1.0 / power), _MOST_SPEND)
    return np.where(part < 1.0, start * small, large)


def _start(elasticity):
    """Return from which spend on the price follows its power."""
    steep = np.where(elasticity > 0, elasticity, 0.5)
    start = (_MOST_RATIO * (1.0 - steep) / (1.0 + steep)) ** (-1.0 / steep)
    return np.where(elasticity > 0, np.maximum(start, _LEAST_START), _LEAST_START)


def at_prices(
    counterfactual: Counterfactual, level: Array, elasticity: Array
) -> Counterfactual:
    """Return the counterfactual in which the spend of rows buys what it will buy.

    Parameters
    ----------
    counterfactual : Counterfactual
        Of direct effects, whose delivery cost `media_cost`.
    level : ndarray of shape (n_rows, n_media)
        Price over `media_cost`.
    elasticity : ndarray of shape (n_media,)
        By how many percent the price rises with one percent more spend.
    """
    if isinstance(counterfactual, GroupedCounterfactual):
        return counterfactual.of_each(at_prices, level, elasticity)
    assert isinstance(counterfactual, TableCounterfactual)
    money = counterfactual.spend
    reference = mean_on_air(counterfactual)[counterfactual.region_codes]
    relative = money / reference
    bought = delivery(relative, elasticity) / np.where(money > 0, relative, 1.0) / level
    return PricedCounterfactual(
        bought=counterfactual.delivering(np.where(money > 0, bought, 1.0)),
        money=money,
        paid=counterfactual.paid_spend,
        level=level,
        reference=reference,
        elasticity=elasticity,
    )


def mean_on_air(counterfactual: TableCounterfactual) -> Array:
    """Return the mean spend of regions in rows on air, else 1, (n_regions, n_media)."""
    money, region = counterfactual.spend, counterfactual.region_codes
    total, count = np.zeros((2, region.max() + 1, money.shape[1]))
    np.add.at(total, region, money)
    np.add.at(count, region, money > 0)
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


_asked = passed_on_by("bought")


@dataclass(frozen=True, eq=False)
class PricedCounterfactual(Counterfactual):
    """What rows cause that buy at other prices; multiples are of spend, in money.

    What is said of effects without a plan (`effects`) is per delivery at `media_cost`.

    Attributes
    ----------
    bought : TableCounterfactual
        The rows with the delivery that their spend buys.
    money, level, reference : ndarray of shape (n_rows, n_media)
        Spend, price over `media_cost`, and spend at which the price is that.
    paid : ndarray of shape (n_rows, n_media) or None
        As `paid_spend` of the rows as they were; None: as `money`.
    elasticity : ndarray of shape (n_media,)
    """

    bought: TableCounterfactual
    money: Array
    paid: Array | None
    level: Array
    reference: Array
    elasticity: Array

    labels = _asked("labels")
    names = _asked("names")
    columns = _asked("columns")
    index = _asked("index")
    frame = _asked("frame")
    failed = _asked("failed")
    media_cost = _asked("media_cost")
    unit_cost = _asked("unit_cost")
    is_money = _asked("is_money")
    n_draws = _asked("n_draws")
    has_periods = _asked("has_periods")
    responds = _asked("responds")
    additive = _asked("additive")
    has_stock = _asked("has_stock")
    least_effect = _asked("least_effect")
    groups = _asked("groups")
    judgements = _asked("judgements")
    known_together = _asked("known_together")
    doubted = _asked("doubted")
    control_effects = _asked("control_effects")
    standard_error = _asked("standard_error")
    predicted = _asked("predicted")
    without_media = _asked("without_media")
    contributions = _asked("contributions")
    effects = _asked("effects")
    to_come = _asked("to_come")
    experiment_grid = _asked("experiment_grid")
    answers = _asked("answers")
    experiment_values = _asked("experiment_values")

    @property
    def spend(self):
        return self.money

    @property
    def paid_spend(self):
        if self.paid is None:
            return self.money
        return np.where(self._changed, self.money, self.paid)

    @property
    def _changed(self):
        """Whether a channel has another price than `media_cost`, (n_media,)."""
        return (self.level != 1.0).any(axis=0) | (self.elasticity > 0)

    @cached_property
    def _relative(self):
        return self.money / self.reference

    def unit_prices(self) -> pd.DataFrame:
        changed = self._changed
        bought = delivery(self._relative, self.elasticity)
        over = self._relative / np.where(bought > 0, bought, 1.0)
        price = self.unit_cost * self.level * np.where(bought > 0, over, 1.0)
        labels = [one for one, own in zip(self.labels, changed, strict=True) if own]
        return pd.DataFrame(price[:, changed], index=self.index, columns=labels)

    def with_costs(self, media_cost: Array) -> NoReturn:
        raise ValueError("Prices are levels of costs: give these first.")

    def for_effect(self, effect: Effect) -> Self:
        if effect != "direct":
            raise ValueError("Prices are known for direct effects only.")
        return self

    def delivered(self, multiples: Array) -> Array:
        """See `Counterfactual`; as in a row that spends the reference."""
        elasticity = self.elasticity[:, None]
        return delivery(multiples, elasticity) / delivery(1.0, elasticity)

    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        if self.elasticity[channel] == 0.0:
            return self.bought.curve(channel, factors, by, draws=draws)
        more = self._times(factors[:, None], channel)
        return self.bought.curve_of_rows(channel, more, by, draws=draws)

    def _times(self, multiples, channels=slice(None)):
        """Return by how much delivery of rows grows with spend."""
        spend, elasticity = self._relative[:, channels], self.elasticity[channels]
        now, then = (delivery(one, elasticity) for one in (spend, multiples * spend))
        return np.where(now > 0, then / np.where(now > 0, now, 1.0), 1.0)

    def planned(self, multiples: Array, by: By = None) -> Self:
        own = multiples[:, self.groups(by)[0]].T
        bought = self.bought.delivering(self._times(own))
        return replace(self, bought=bought, money=own * self.money, paid=None)

    def planned_rows(self, multiples: Array, by: By = None) -> pd.DataFrame:
        bought = self.planned(multiples, by).bought
        return bought.planned_rows(np.ones((len(multiples), 1)))

    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        planned = self.planned(multiples, by)
        found = planned.bought.plan_effects(np.ones_like(multiples), by)
        money = planned.spend_in(by).T.ravel()
        gain = planned._gain(found.mroi * found.spend, by)
        spent = np.where(money > 0, money, np.nan)
        return Bunch(
            spend=money,
            contribution=found.contribution,
            roi=found.contribution / spent,
            mroi=gain / spent,
            outcome=found.outcome,
        )

    def _gain(self, gain, by):
        """Return KPI per 100 % more spend of cells, of that per delivery, (M * G,)."""
        cells = np.ones((len(self.labels), len(self.groups(by)[1])))
        if by == "period":
            return gain * self._cells_times(cells, by)[1].ravel()
        gain = gain.reshape(cells.shape)
        more = np.array([1.0, 1.0 + STEP])
        for m in np.flatnonzero(self.elasticity):
            caused = self.curve(int(m), more, by)[:, 0]  # (2, G)
            gain[m] = (caused[1] - caused[0]) / STEP
        return gain.ravel()

    def _cells_times(self, multiples, by):
        """Return by how much delivery of cells grows, and the derivative, (M, G)."""
        own = multiples[:, self.groups(by)[0]].T
        size, then = self.reference / self.level, own * self._relative
        slope = self._relative * delivery_slope(then, self.elasticity)
        now, then, slope = (
            self._sum_in(by, size * one).T
            for one in (
                delivery(self._relative, self.elasticity),
                delivery(then, self.elasticity),
                slope,
            )
        )
        now = np.where(now > 0, now, np.inf)
        return np.where(np.isfinite(now), then / now, multiples), slope / now

    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        planned = self if multiples is None else self.planned(multiples, by)
        return planned.bought.outcome(draws=draws)

    def flights(self, *, draws: bool = False) -> Flights:
        """See `Counterfactual`; gradients are by spend."""
        outcome = self.bought.flights(draws=draws)

        def priced(multiples, weigh):
            delivered, slope = self._cells_times(multiples, "period")
            total, gradient = outcome(delivered, weigh)
            return total, gradient * slope

        return priced

    def observed_at(self, share: float, by: By = None) -> Array:
        elasticity = self.elasticity[:, None]
        at = self.bought.observed_at(share, by)
        return spend_for(at * delivery(1.0, elasticity), elasticity)
