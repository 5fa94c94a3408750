"""Models of panels in which channels drive each other."""

import numpy as np

from skmmm import DeepCausalMMMRegressor
from skmmm.graph import StructuralVAR


def rows_of(world):
    """X with a price, and a KPI in which spend has diminishing effects."""
    X, channels = world.frame()
    rng = np.random.default_rng(0)
    X["price"] = rng.normal(10.0, 1.0, len(X))
    spend = X[channels].to_numpy()
    effect = np.sqrt(spend / np.median(spend, axis=0)).sum(axis=1)
    return X, 100.0 + effect - X["price"].to_numpy() + rng.normal(0.0, 1.0, len(X))


def svar(**arguments):
    return StructuralVAR(**({"n_bootstraps": 8} | arguments))


def model(**arguments):
    defaults = {
        "controls": ["price"],
        "region": "region",
        "time": "week",
        "max_lag": 2,
        "n_draws": 0,
        "max_iter": 5,
        "n_hidden": 0,
        "n_harmonics": 1,
        "graph": svar(),
        "random_state": 0,
    }
    return DeepCausalMMMRegressor(**(defaults | arguments))


def off_diagonal(table):
    values = table.to_numpy()
    return values[~np.eye(len(values), dtype=bool)]


def has_cycle(edges):
    walks = np.eye(len(edges), dtype=int)
    for _ in range(len(edges)):
        walks = np.minimum(walks @ edges.astype(int), 1)
    return bool(walks.any())
