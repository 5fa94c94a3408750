"""Panels in which channels drive each other, for the tests of the graph."""

import pytest

from channel_worlds import rows_of
from helpers import benchmark_modules


@pytest.fixture(scope="module")
def worlds():
    """The module of simulated panels, importable while these tests run."""
    with benchmark_modules("graph_worlds") as modules:
        yield modules.graph_worlds


@pytest.fixture(scope="module")
def world(worlds):
    """Five channels in twenty regions; 0 -> 2 and 0 -> 4 later, 2 -> 4, 0 -> 1 now."""
    return worlds.make_graph_world("gauss", 20, 0, n_channels=5, n_weeks=60, n_edges=4)


@pytest.fixture(scope="module")
def data(world):
    return rows_of(world)


@pytest.fixture(scope="module")
def small(worlds):
    """Fewer regions, for what does not depend on finding the truth."""
    return rows_of(
        worlds.make_graph_world("gauss", 10, 0, n_channels=5, n_weeks=50, n_edges=4)
    )
