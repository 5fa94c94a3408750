"""What one plan of spend brings against another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from skmmm._data.checks import Columns as Roles
from skmmm._data.checks import (
    assign_roles,
    check_non_negative_media,
    check_not_empty,
    check_once,
    numeric_block,
    region_values,
    resolve_column,
    resolve_many,
)
from skmmm._data.tables import row_namer
from skmmm._unwrapping import Inside, rows_of, unwrap
from skmmm._utils.docs import documented_by
from skmmm._utils.labels import counted
from skmmm._utils.typing import Array, Column, Columns, Table
from skmmm.allocation._levers import LeversGiven
from skmmm.allocation._prices import PriceElasticity, PriceLevel
from skmmm.inspection import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import known_roles
from skmmm.scenarios._levers import money_of_levers
from skmmm.scenarios._prices import more_money


@documented_by(channel_summary)
def compare_scenarios(
    estimator: Any,
    scenarios: Mapping[str, Table],
    *,
    baseline: str | None = None,
    price_level: PriceLevel = None,
    price_elasticity: PriceElasticity = None,
    levers: LeversGiven = None,
    confidence_level: float = 0.9,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
) -> pd.DataFrame:
    """Compare the total KPI that a fitted model predicts for several tables.

    Differences come from common draws: each draw of the parameters predicts all
    scenarios, so that uncertainty which they share cancels. An interval of a difference
    is therefore much narrower than the intervals of the totals suggest.

    Parameters
    ----------
    estimator : fitted estimator
        With `predict`. Bounds need draws as well, which
        :class:`~skmmm.DeepCausalMMMRegressor` has, by itself, as the last step of a
        pipeline or as the best estimator of a search.
    scenarios : mapping of str to DataFrame or Effects
        Tables to predict, such as `make_future_frame` makes, each with the same regions
        and periods, in any order and written alike: spend and controls may differ.
    baseline : str, default=None
        Scenario to compare with. None: the first.
    price_level, price_elasticity : mapping or None, default=None
        What units will cost, by channel, as in
        :func:`~skmmm.allocation.optimize_budget`: they change ``spend``, of the same
        delivery. An elastic price is that of its level where a region spends in a
        period what it spends in the baseline on average, at `media_cost`.
    levers : mapping or None, default=None
        Controls that cost money, as in :func:`~skmmm.allocation.optimize_budget`:
        ``{"price": Lever(8.5, 9.5, cost=-10_000)}``. ``spend`` then holds what those of
        a scenario cost beyond those of the baseline, ``cost`` times the difference of
        each row; ``low`` and ``high`` are not read.
    region, time : str, int or None, default=None
        Columns that must agree between scenarios. None: those of the estimator. Where
        it has none either, only the numbers of rows are compared.

    Returns
    -------
    comparison : DataFrame indexed by scenario
        In the order of `scenarios`, with the columns

        - ``kpi``: sum of `predict` over all rows, in KPI units, with ``kpi_low`` and
          ``kpi_high``;
        - ``difference``: ``kpi`` minus that of the baseline, with ``difference_low``
          and ``difference_high``;
        - ``probability_better``: share of draws in which the KPI is higher than in the
          baseline; ties count half, so that it is .5 for the baseline itself;
        - ``spend``: total of the media columns (and of `levers`), in money if the model
          has a `media_cost`, else in the units of X; channels that `media_cost` does
          not name are not money and do not count. At the mean price of the training
          rows, where a column holds the money, or at the prices that are given. NaN if
          the model has costs, and steps before it do anything else to a media column
          than multiply it by a factor: what a unit of X costs is unknown;
        - ``difference_spend``: ``spend`` minus that of the baseline;
        - ``marginal_roi``: ``difference / difference_spend``, KPI units gained
          per unit of spend added, or lost per unit saved. NaN where spend is equal, and
          where the total of a channel that is not money differs.

        Without draws ``kpi_low``, ``kpi_high``, ``difference_low``, ``difference_high``
        and ``probability_better`` are NaN.

    Raises
    ------
    ValueError
        If scenarios are not about the same regions and periods, `baseline` is none of
        them, media columns are unknown, missing, negative or not finite, or a lever is
        no control.

    See Also
    --------
    make_future_frame : Make tables for coming periods.

    Notes
    -----
    Intervals are about the expected KPI: they hold uncertainty about the parameters and
    about the level so far, not the noise of single periods, so that observed totals
    scatter more widely. Points come from `predict`, at the point, which need not
    be in the middle of the draws. What spend carries into periods after those of X is
    not counted: channels that act late look worse in short scenarios, those in
    `brand_channels` above all (``to_come`` of `brand_effects`).

    Any estimator takes part in the bounds if it has a method
    ``_draws_of_prediction(X)`` that returns the expected KPI of every row under every
    draw, an ndarray of shape (n_draws, n_rows), with the same draws at each call; or
    None without draws.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.scenarios import compare_scenarios, make_future_frame
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> columns = {"media": world.media, "controls": world.controls}
    >>> columns |= {"region": "region", "time": "week"}
    >>> model = DeepCausalMMMRegressor(**columns, n_draws=8, random_state=0)
    >>> model = model.fit(world.X, world.y)
    >>> same = make_future_frame(world.X, 13, **columns, control_values="last_year")
    >>> more = same.assign(media_1=1.2 * same["media_1"])
    >>> table = compare_scenarios(model, {"as last year": same, "more": more})
    >>> bool(table.loc["more", ["difference", "difference_spend"]].gt(0).all())
    True
    """
    tail = tail_probability(confidence_level)
    base = _baseline_position(scenarios, baseline)
    inside = unwrap(estimator)
    known = known_roles(estimator, scenarios.values())
    costs = known.pop("media_cost", None)
    given = {name: rows_of(X) for name, X in scenarios.items()}
    tables = {name: inside.frame(X).infer_objects() for name, X in given.items()}
    roles = {"media": media, "region": region, "time": time}
    roles = {role: known.get(role) if v is None else v for role, v in roles.items()}
    columns = _find_roles(inside, list(tables.values())[base], **roles)
    _check_comparable(tables, columns, base)
    units = np.array([_units(name, tables[name], columns) for name in tables])
    kpi = np.array([np.sum(estimator.predict(X)) for X in given.values()])
    draws = _total_draws(inside, given.values())
    table = _compare_kpi(kpi, draws, base, tail)
    cost = _costs(inside, given.values(), list(columns.media), costs)
    prices = price_level, price_elasticity
    more = more_money(estimator, list(scenarios.values()), base, *prices)
    more = more + money_of_levers(levers, tables, columns, base, inside.controls())
    table |= _compare_spend(units, cost, more, base)
    table["marginal_roi"] = table["difference"] / table.pop("extra_spend")
    return pd.DataFrame(table, index=pd.Index(list(tables), name="scenario"))


def check_scenarios(scenarios: Any) -> None:
    """Raise unless scenarios are tables by name."""
    if not isinstance(scenarios, Mapping) or not scenarios:
        raise ValueError(
            "scenarios must map names to tables, as in {'as last year': X_1, 'more tv':"
            f" X_2}}, not {scenarios!r:.100}."
        )


def _baseline_position(scenarios: Any, baseline: str | None) -> int:
    """Return the position of the scenario to compare with."""
    check_scenarios(scenarios)
    names = list(scenarios)
    if baseline is None:
        return 0
    if baseline not in names:
        raise ValueError(f"baseline={baseline!r} is not one of the scenarios {names}.")
    return names.index(baseline)


def _find_roles(
    inside: Inside, table: pd.DataFrame, media: Any, region: Any, time: Any
) -> Roles:
    """Return the columns of a scenario, from the arguments or from the model."""
    check_once(table)
    if media is None:
        media = inside.media(table)
        if media is None:
            raise ValueError(
                f"{type(inside.model).__name__} does not say which columns are media. "
                "Name them: compare_scenarios(..., media=[...])."
            )
    else:
        media = resolve_many(table, media, "media")
    region, time = (
        inside.role(table, role) if key is None else resolve_column(table, key, role)
        for role, key in (("region", region), ("time", time))
    )
    return assign_roles(media, (), region, time)


def _check_comparable(
    tables: dict[str, pd.DataFrame], columns: Roles, base: int
) -> None:
    """Raise if scenarios are not about the same regions and periods."""
    names = list(tables)
    for name, table in tables.items():
        _check_columns(table, columns, name)
    rows = {name: _rows_in_words(table, columns) for name, table in tables.items()}
    expected = rows[names[base]].value_counts()
    for name in names:
        count = rows[name].value_counts()
        surplus = count.sub(expected, fill_value=0)
        odd = surplus.index[surplus != 0].sort_values()
        if len(odd):
            raise ValueError(
                f"Scenario {name!r} has {counted(count.get(odd[0], 0), 'row')} for "
                f"{odd[0]}, but {names[base]!r} has {expected.get(odd[0], 0)} "
                f"({count.sum()} against {expected.sum()} rows in all). Totals can be "
                "compared only over the same regions and periods."
            )


def _check_columns(table: pd.DataFrame, columns: Roles, name: str) -> None:
    """Raise if a scenario has no rows or lacks a column."""
    check_not_empty(table)
    keys = [key for key in (columns.region, columns.time) if key is not None]
    for label in (*keys, *columns.media):
        if label not in table:
            raise ValueError(f"Scenario {name!r} has no column {label!r}.")


def _rows_in_words(table: pd.DataFrame, columns: Roles) -> pd.Series:
    """Return the region and period of every row as text, as far as they are known."""
    words: list[list[str]] = [[]] * len(table)
    if columns.region is not None:
        regions = region_values(table, columns.region).tolist()
        words = [[f"region {region!r}"] for region in regions]
    if columns.time is not None:
        times = (str(t).removesuffix(" 00:00:00") for t in table[columns.time])
        words = [[*said, f"time {t}"] for said, t in zip(words, times, strict=True)]
    return pd.Series([", ".join(said) or "any region and time" for said in words])


def _units(name: str, table: pd.DataFrame, columns: Roles) -> Array:
    """Return the total of every media column, in its units, shape (n_media,)."""
    row = row_namer(table, columns.region, columns.time)

    def where(position):
        return f"scenario {name!r}, {row(position)}"

    media = numeric_block(table, columns.media, where)
    check_non_negative_media(media, columns.media, where, "compare_scenarios")
    return media.sum(axis=0)


def _costs(inside: Inside, tables: Collection, media: list, costs: Any) -> Array:
    """Return the cost of a unit by column of X: 1 without costs, NaN if unknown."""
    if costs:
        return np.array([costs.get(label, np.nan) for label in media])
    known = getattr(inside.model, "media_cost_", None)
    if not inside.steps and hasattr(inside.model, "_warn_scaled"):
        inside.model._warn_scaled()
    if not known:
        return np.ones(len(media))
    cost = np.array([known.get(label, np.nan) for label in media])
    if not inside.steps:
        return cost
    # A cost is that of a unit of what the steps before the model return.
    scales = [inside.media_scale(X, media) for X in tables]
    first = scales[0]
    if first is None or any(s is None or not np.allclose(s, first) for s in scales):
        return np.full(len(media), np.nan)
    return cost / first


def _total_draws(inside: Inside, tables: Collection) -> Array:
    """Return the total KPI under every draw, shape (n_scenarios, n_draws).

    Draws of NaN stand for none.
    """
    draws_of = getattr(inside.model, "_draws_of_prediction", None)
    totals = []
    for X in tables:
        draws = None if draws_of is None else draws_of(inside.rows(X))
        totals.append([np.nan] * 2 if draws is None else draws.sum(axis=1))
    return np.array(totals)


def _compare_kpi(kpi: Array, draws: Array, base: int, tail: float) -> dict[str, Array]:
    """Return the columns on the KPI, (n_scenarios,); draws: (n_scenarios, n_draws)."""
    low, high = bounds(draws.T, tail, kpi)
    difference = draws - draws[base]  # draw by draw, so that common uncertainty cancels
    more = kpi - kpi[base]
    difference_low, difference_high = bounds(difference.T, tail, more)
    return {
        "kpi": kpi,
        "kpi_low": low,
        "kpi_high": high,
        "difference": more,
        "difference_low": difference_low,
        "difference_high": difference_high,
        "probability_better": np.heaviside(difference, 0.5).mean(axis=1),
    }


def _compare_spend(
    units: Array, cost: Array, more: Array, base: int
) -> dict[str, Array]:
    """Return the columns on spend, and by how much it pays to divide.

    Units of shape (n_scenarios, n_media); costs, (n_media,), are NaN if not money. What
    scenarios cost beyond that has the shape (n_scenarios,).
    """
    money = np.isfinite(cost)
    if not money.any():
        unknown = np.full(len(units), np.nan)
        return dict.fromkeys(("spend", "difference_spend", "extra_spend"), unknown)
    spend = units[:, money] @ cost[money] + more
    difference = np.where(_equal(spend, spend[base]), 0.0, spend - spend[base])
    others_equal = _equal(units, units[base])[:, ~money].all(axis=1)
    known = (difference != 0) & others_equal
    return {
        "spend": spend,
        "difference_spend": difference,
        "extra_spend": np.where(known, difference, np.nan),
    }


def _equal(a, b):
    """Say whether sums are equal up to rounding."""
    return np.isclose(a, b, rtol=1e-9, atol=0.0)
