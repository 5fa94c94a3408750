"""The question behind a plan, read and checked."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from numbers import Integral
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from skmmm._planning.problem import (
    DEFAULT_BOUNDS,
    GROUPS,
    Problem,
    check_budget,
    make_problem,
    read_risk,
)
from skmmm._unwrapping import bare, unwrap
from skmmm._utils.labels import shown
from skmmm._utils.typing import Column, Columns, MediaCost, Table
from skmmm.allocation._asked import Question
from skmmm.allocation._levers import LeversGiven, check_levers, read_levers
from skmmm.allocation._prices import PriceElasticity, PriceLevel, Prices, read_prices
from skmmm.allocation._results import PlanResults
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import Counterfactual, Effect
from skmmm.inspection._side_by_side import GroupedCounterfactual
from skmmm.inspection._valued import valued, warn_of_units

__all__ = ["DEFAULT_BOUNDS", "read_question"]

# Keys of mappings are channels, or (channel, region or period).
Pair: TypeAlias = tuple[float, float]
Bounds: TypeAlias = Pair | Mapping[Any, Pair]
MoneyBounds: TypeAlias = Mapping[Any, Pair] | None
Fixed: TypeAlias = Sequence[Any] | Mapping[Any, float] | None
Group: TypeAlias = Column | Sequence[Column] | Mapping[Any, float]
Constraints: TypeAlias = Sequence[tuple[Group, float | None, float | None]] | None
Risk: TypeAlias = tuple[Literal["cvar", "sd"], float] | None
Split: TypeAlias = Literal["channel", "region", "period"]


def read_question(
    estimator: Any,
    X: Table | None,
    horizon: int | None,
    *,
    by: Split = "channel",
    risk: Risk = None,
    effect: Effect = "direct",
    confidence_level: float = 0.9,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
    price_level: PriceLevel = None,
    price_elasticity: PriceElasticity = None,
    levers: LeversGiven = None,
    kpi_value: Mapping[tuple, float] | None = None,
    **limits: Any,
) -> PlanResults:
    """Return the `PlanResults` of a question; arguments are those of its function.

    `kpi_value` maps keys of groups to what a unit of their KPI is worth.
    """
    if not isinstance(by, str) or by not in GROUPS:
        raise ValueError(f"by={by!r} must be one of {sorted(GROUPS)}.")
    tail = tail_probability(confidence_level)
    read_risk(risk)
    check_budget(limits.get("budget"))
    check_levers(levers, {"by": by, "effect": effect, "risk": risk} | limits)
    roles = media, region, time, media_cost
    if X is not None and horizon is not None:
        raise ValueError("Give X or horizon, not both.")
    rows = X if horizon is None else coming_rows(estimator, horizon)
    counterfactual = counterfactual_of(estimator, rows, effect, *roles)
    _check_period(counterfactual, by)
    _check_units(estimator, counterfactual, kpi_value)
    counterfactual, costless = _in_money(counterfactual)
    prices = read_prices(counterfactual, price_level, price_elasticity)
    counterfactual = _at(prices, kpi_value, counterfactual)
    problem = make_problem(counterfactual, by, costless=costless, **limits)
    freely = limits["allow_extrapolation"]
    decided = read_levers(estimator, counterfactual, levers, freely=freely)
    apart = partial(_problem_apart, problem, counterfactual, costless, limits)
    settings = {
        "horizon": horizon,
        "by": by,
        "risk": risk,
        "effect": effect,
        "confidence_level": confidence_level,
        "media": media,
        "region": region,
        "time": time,
        "media_cost": media_cost,
        "price_level": price_level,
        "price_elasticity": price_elasticity,
        "levers": None if levers is None else {k: asdict(v) for k, v in levers.items()},
    }
    if kpi_value is not None:
        settings["kpi_value"] = dict(kpi_value)
    # A model that is fitted again is another one, and lists of the user may change.
    question = Question(copy.copy(bare(estimator)), copy.deepcopy(settings | limits))
    asked = question, prices, decided
    return PlanResults(counterfactual, problem, by, risk, tail, costless, apart, *asked)


def _check_units(
    estimator: Any,
    counterfactual: Counterfactual,
    kpi_value: Mapping[tuple, float] | None,
) -> None:
    """Warn if KPIs are added of which nobody says that they are in one unit."""
    if kpi_value is None and getattr(bare(estimator), "_fitted_apart", False):
        assert isinstance(counterfactual, GroupedCounterfactual)
        warn_of_units(
            [counterfactual.group_name(key) for key in counterfactual.keys],
            "One budget adds up",
            "the plan moves money to the smaller unit",
            "optimize_budget",
        )


def _at(
    prices: Prices | None, kpi_value: Mapping[tuple, float] | None, counterfactual: Any
) -> Any:
    """Return the counterfactual at prices, and of groups in units of value."""
    if prices is not None:
        counterfactual = prices.paid_by(counterfactual)
    if kpi_value is not None:
        assert isinstance(counterfactual, GroupedCounterfactual)
        counterfactual = valued(counterfactual, kpi_value)
    return counterfactual


def _problem_apart(
    problem: Problem,
    counterfactual: Counterfactual,
    costless: list,
    limits: dict,
    *labels: Any,
) -> Problem:
    """Return a problem by channel in which some channels may move by themselves.

    Those that the user bounds by name stay as they are.
    """
    general = limits["bounds"]
    given = dict(general) if isinstance(general, Mapping) else {None: general}
    pair = given.get(None, DEFAULT_BOUNDS)
    held = (problem.kept != "") | _joined(problem)
    named = {m: pair for m, own in zip(problem.labels, held, strict=True) if own}
    named = {m: named[m] for m in labels if m in named and m not in costless}
    if not named:
        return problem
    limits = limits | {"bounds": given | named}
    return make_problem(counterfactual, "channel", costless=costless, **limits)


def _joined(problem: Problem) -> Any:
    """Return which cells move with others, (C,)."""
    return np.array([bool(problem.company(c)) for c in range(len(problem.leader))])


def _in_money(counterfactual: Counterfactual) -> tuple[Counterfactual, list]:
    """Let media without a cost, beside others that have one, cost nothing.

    Returns the counterfactual and these media.
    """
    labels, money = counterfactual.labels, counterfactual.is_money
    if money.all() or not money.any():
        return counterfactual, []
    cost = np.nan_to_num(counterfactual.media_cost, nan=0.0)
    costless = [one for one, paid in zip(labels, money, strict=True) if not paid]
    return counterfactual.with_costs(cost), costless


def coming_rows(estimator: Any, horizon: int) -> pd.DataFrame:
    """Return the rows of the coming periods."""
    is_integer = isinstance(horizon, Integral) and not isinstance(horizon, bool)
    if not is_integer or horizon < 1:
        raise ValueError(
            f"horizon must be an integer of at least 1, got {shown(horizon)}."
        )
    inside = unwrap(estimator)
    if inside.steps or not hasattr(inside.model, "_coming_periods"):
        raise ValueError(
            f"horizon needs an estimator that remembers its training rows, which "
            f"{type(estimator).__name__} does not: pass "
            "X=skmmm.scenarios.make_future_frame(...)."
        )
    return inside.model._coming_periods(horizon)


def _check_period(counterfactual: Counterfactual, by: Split) -> None:
    if by == "period" and not counterfactual.has_periods:
        raise ValueError(
            "by='period' needs to know the periods: a model with a time column, or "
            "time=... with its name."
        )
    if by == "period" and counterfactual.responds:
        raise ValueError(
            "by='period' plans direct effects only: other channels may respond in "
            "later periods. Use effect='direct', or plan by channel or region."
        )
