"""Counterfactuals whose outcome is money, at a value per unit of the KPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import pandas as pd
from sklearn.utils import Bunch

from skmmm._utils.labels import first_few
from skmmm._utils.typing import Array
from skmmm._utils.warnings import warn_user
from skmmm.inspection._protocol import (
    By,
    ChannelEffects,
    Counterfactual,
    Effect,
    ExperimentValues,
    Flights,
    passed_on_by,
)
from skmmm.inspection._side_by_side import GroupedCounterfactual


def valued(
    counterfactual: GroupedCounterfactual, values: Mapping[tuple, float]
) -> GroupedCounterfactual:
    """Return the counterfactual in which a unit of each group's KPI has a value.

    Parameters
    ----------
    counterfactual : GroupedCounterfactual
    values : mapping
        From keys of groups to what a unit of their KPI is worth.

    Raises
    ------
    ValueError
        If a group has no value.
    """
    missing = [key for key in counterfactual.keys if key not in values]
    if missing:
        raise ValueError(
            "kpi_value does not say what a unit of the KPI of "
            f"{counterfactual.group_name(missing[0])} is worth. Give every group a "
            "value, 1.0 where the KPI is money already."
        )
    parts: list[Counterfactual] = [
        ValuedCounterfactual(part, values[key])
        for key, part in zip(counterfactual.keys, counterfactual.parts, strict=True)
    ]
    return replace(counterfactual, parts=parts)


def warn_of_units(names: list[str], adds: str, otherwise: str, method: str) -> None:
    """Warn that KPIs of models that were fitted apart are added up.

    Nothing says that they are in one unit.

    Parameters
    ----------
    names : list of str
        Of the groups.
    adds, otherwise : str
        What adds them up, and what happens if they are in different units.
    method : str
        Of `GroupedRegressor`, that takes what a unit of each is worth.
    """
    if len(names) < 2:
        return
    warn_user(
        f"{adds} the KPIs of models that were fitted apart: {first_few(names)}. If "
        f"they are in different units (sales and visits), {otherwise}. Say what a unit "
        f"of each is worth, GroupedRegressor.{method}(kpi_value={{group: money}}); or "
        "kpi_value=1.0, that all are in one unit."
    )


_asked = passed_on_by("of")


@dataclass(frozen=True, eq=False)
class ValuedCounterfactual(Counterfactual):
    """What rows cause, in units of value.

    Attributes
    ----------
    of : Counterfactual
        In units of the KPI.
    value : float
        Of one of these units.
    """

    of: Counterfactual
    value: float

    labels = _asked("labels")
    names = _asked("names")
    columns = _asked("columns")
    index = _asked("index")
    frame = _asked("frame")
    failed = _asked("failed")
    spend = _asked("spend")
    paid_spend = _asked("paid_spend")
    total_spend = _asked("total_spend")
    media_cost = _asked("media_cost")
    unit_cost = _asked("unit_cost")
    is_money = _asked("is_money")
    n_draws = _asked("n_draws")
    has_periods = _asked("has_periods")
    responds = _asked("responds")
    additive = _asked("additive")
    has_stock = _asked("has_stock")
    experiment_grid = _asked("experiment_grid")
    groups = _asked("groups")
    spend_in = _asked("spend_in")
    paid_in = _asked("paid_in")
    cells_index = _asked("cells_index")
    changed_cells = _asked("changed_cells")
    judgements = _asked("judgements")
    known_together = _asked("known_together")
    doubted = _asked("doubted")
    lag_weights = _asked("lag_weights")
    prior_lag_weights = _asked("prior_lag_weights")
    carryover_weights = _asked("carryover_weights")
    prior_carryover_weights = _asked("prior_carryover_weights")
    delivered = _asked("delivered")
    unit_prices = _asked("unit_prices")
    spend_curve = _asked("spend_curve")
    planned_rows = _asked("planned_rows")
    observed_at = _asked("observed_at")
    answers = _asked("answers")

    @property
    def least_effect(self):
        return self.value * self.of.least_effect

    def kpi_in(self, by: By) -> Array:
        return self.value * self.of.kpi_in(by)

    def contribution_table(self) -> pd.DataFrame:
        return self.value * self.of.contribution_table()

    def standard_error(self) -> Array | None:
        error = self.of.standard_error()
        return None if error is None else self.value * error

    def with_costs(self, media_cost: Array) -> Self:
        return replace(self, of=self.of.with_costs(media_cost))

    def for_effect(self, effect: Effect) -> Self:
        return replace(self, of=self.of.for_effect(effect))

    def predicted(self) -> Array:
        return self.value * self.of.predicted()

    def without_media(self) -> pd.DataFrame:
        return self.value * self.of.without_media()

    def contributions(self, *, draws: bool = False) -> Array:
        return self.value * self.of.contributions(draws=draws)

    def effects(self, by: By = None, *, draws: bool = False) -> ChannelEffects:
        found = self.of.effects(by, draws=draws)
        return replace(
            found,
            contribution=self.value * found.contribution,
            incremental=self.value * found.incremental,
            gain=self.value * found.gain,
        )

    def to_come(self, *, draws: bool = False) -> Array:
        return self.value * self.of.to_come(draws=draws)

    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        return self.value * self.of.curve(channel, factors, by, draws=draws)

    def planned(self, multiples: Array, by: By = None) -> Self:
        return replace(self, of=self.of.planned(multiples, by))

    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        found = self.of.plan_effects(multiples, by)
        caused = ("contribution", "roi", "mroi", "outcome")
        return Bunch(**{**found, **{name: self.value * found[name] for name in caused}})

    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        return self.value * self.of.outcome(multiples, by, draws=draws)

    def flights(self, *, draws: bool = False) -> Flights:
        outcome = self.of.flights(draws=draws)

        def in_value(multiples, weigh):
            def weigh_units(units):
                return self.value * weigh(self.value * units)

            units, gradient = outcome(multiples, weigh_units)
            return self.value * units, gradient

        return in_value

    def experiment_values(self, experiments: list) -> ExperimentValues:
        return self.of.experiment_values(experiments)
