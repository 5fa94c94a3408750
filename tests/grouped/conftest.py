"""Three cells of brand and market, and their fits."""

import numpy as np
import pandas as pd
import pytest

from grouped_tables import CELLS, LINEAR, QUICK, one_world
from skmmm import GroupedRegressor


@pytest.fixture(scope="module")
def table():
    """Rows of three cells of brand and market, shuffled, and their KPI."""
    frames, kpis = [], []
    for (brand, market), seed in CELLS.items():
        X, y = one_world(seed)
        frames.append(X.assign(brand=brand, market=market))
        kpis.append(y)
    order = np.random.default_rng(0).permutation(60 * len(CELLS))
    X = pd.concat(frames, ignore_index=True).iloc[order]
    return X, np.concatenate(kpis)[order]


@pytest.fixture(scope="module")
def grouped(table, short_chains):
    return GroupedRegressor(QUICK, ["brand", "market"]).fit(*table)


@pytest.fixture(scope="module")
def linear(table):
    return GroupedRegressor(LINEAR, ["brand", "market"]).fit(*table)
