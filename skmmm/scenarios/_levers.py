"""What controls of scenarios cost, where a plan may decide them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from skmmm._data.checks import Columns, numeric_block, resolve_column
from skmmm._data.tables import row_namer
from skmmm._utils.typing import Array
from skmmm.allocation._levers import LeversGiven, check_are_levers


def money_of_levers(
    levers: LeversGiven,
    tables: Mapping[str, pd.DataFrame],
    columns: Columns,
    base: int,
    controls: list | None,
) -> Array:
    """Return what controls of tables cost beyond those of one, (n_scenarios,).

    Parameters
    ----------
    levers : mapping or None
        As of `optimize_budget`.
    tables : mapping of str to DataFrame
        Scenarios, of the same regions and periods.
    columns : Columns
        Media, region and time of them.
    base : int
        Position of the scenario to compare with.
    controls : list or None
        Labels of the controls of the model, None if it does not say.
    """
    if levers is None:
        return np.zeros(len(tables))
    check_are_levers(levers)
    usual = list(tables.values())[base]
    costs: dict = {}
    for key, lever in levers.items():
        label = resolve_column(usual, key, "levers")
        if label in (*columns.media, columns.region, columns.time):
            raise ValueError(
                f"levers name {key!r}, which is no control: what media cost is counted "
                "without them. Leave it out."
            )
        if controls is not None and label not in controls:
            known = [label for label in usual if label in controls]
            raise ValueError(
                f"levers name {key!r}, which is no control. Controls: {known}."
            )
        if label in costs:
            raise ValueError(f"levers of {key!r} are given twice. Leave one out.")
        costs[label] = float(lever.cost)
    totals = np.array([_totals(*one, list(costs), columns) for one in tables.items()])
    return (totals - totals[base]) @ np.array(list(costs.values()))


def _totals(name: str, table: pd.DataFrame, labels: list, columns: Columns) -> Array:
    """Return the sum of controls over the rows of a scenario, (n_levers,)."""
    missing = [label for label in labels if label not in table]
    if missing:
        raise ValueError(
            f"Scenario {name!r} has no column {missing[0]!r}, which levers name."
        )
    row = row_namer(table, columns.region, columns.time)
    where = f"scenario {name!r}, "
    return numeric_block(table, labels, lambda i: where + row(i)).sum(axis=0)
