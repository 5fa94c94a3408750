"""The influence benchmark in miniature: influence follows the graph that is given."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules
from skmmm.graph import StructuralVAR


@pytest.fixture(scope="module")
def modules():
    names = [
        *("bench_influence", "bench_recovery", "problems", "preset_worlds"),
        *("world_parts", "graph_worlds", "scorecard_graph", "scorecard_text"),
    ]
    with benchmark_modules(*names) as modules:
        yield modules


def test_direct_influence_is_what_paths_are_made_of(modules):
    direct = np.zeros((4, 4))
    direct[0, 1], direct[1, 2], direct[0, 3] = 0.5, -0.4, 0.2
    total = np.linalg.inv(np.eye(4) - direct)
    assert_allclose(total[0, 2], 0.5 * -0.4)
    assert_allclose(modules.bench_influence.direct_influence(total), direct, atol=1e-12)


def test_paths(modules):
    edges = np.zeros((4, 4), dtype=bool)
    edges[0, 1] = edges[1, 2] = edges[2, 3] = True
    found = modules.bench_influence.paths(edges)
    assert_allclose(found, np.triu(np.ones((4, 4))))


def test_influence_follows_the_graph(modules, tmp_path):
    rows = modules.bench_influence.run_problem(
        *("gauss", 10, 201),
        {"n_channels": 4, "n_weeks": 50, "n_edges": 3},
        max_iter=150,
        graph=StructuralVAR(n_bootstraps=3),
    )
    table = pd.DataFrame(rows, columns=modules.bench_influence.COLUMNS)
    own, other = table.set_index("graph").loc[["own", "swapped"]].itertuples()
    assert own.area > 0.9
    assert min(own.with_given, other.with_given) > 0.9
    assert max(own.with_other, other.with_other) < 0.5
    assert other.area < own.area
    assert own.n_edges == other.n_edges
    table.to_csv(tmp_path / "influence.csv", index=False)
    text = modules.scorecard_graph.influence(tmp_path / "influence.csv")
    assert [row[:3] for row in text.rows] == [
        ["gauss", "own", "1"],
        ["gauss", "swapped", "1"],
    ]
