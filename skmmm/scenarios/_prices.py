"""What scenarios cost at other prices than in the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skmmm._utils.typing import Array, Table
from skmmm.allocation._prices import PriceElasticity, PriceLevel, read_prices
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import TableCounterfactual


def more_money(
    estimator: Any,
    tables: Sequence[Table],
    base: int,
    level: PriceLevel,
    elasticity: PriceElasticity,
) -> Array:
    """Return what tables cost beyond their spend at `media_cost`, (n_scenarios,).

    Parameters
    ----------
    base : int
        Position of the table whose mean spend on air is where elastic prices are as
        their level says.
    """
    if level is None and elasticity is None:
        return np.zeros(len(tables))
    # Costs are known to models that know their columns, and to tables that were read.
    read = [counterfactual_of(estimator, X) for X in tables]
    found = [one for one in read if isinstance(one, TableCounterfactual)]
    if len(found) < len(read):
        raise ValueError(
            "price_level and price_elasticity of scenarios are for the rows of one "
            "model: compare the scenarios of each group, with its estimator."
        )
    usual = found[base]
    prices = read_prices(usual, level, elasticity)
    if prices is None:
        return np.zeros(len(found))
    money = [prices.money_for(one, usual) - one.spend for one in found]
    return np.array([more.sum() for more in money])
