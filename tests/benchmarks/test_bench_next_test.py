"""The benchmark of the next test in miniature: what a test brings, what is compared."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    """The benchmark, importable while these tests run."""
    names = ["bench_next_test", "bench_recovery", "plan_worlds", "problems"]
    names += ["preset_worlds", "world_parts"]
    with benchmark_modules(*names) as modules:
        yield modules.bench_next_test


@pytest.mark.parametrize("name", ["national", "panel"])
def test_a_test_over_all_rows_brings_the_contribution(bench, name):
    world = bench.make_plan_world(name, 3)
    X = world.problem.X
    design = {
        "media": "media_2",
        "start": X["week"].min(),
        "end": X["week"].max(),
        "regions": X["region"].unique().tolist(),
        "change": 0.0,
        "std_error": 7.0,
    }
    test, brought = bench.run_test(world, design, noise=2.0)
    assert_allclose(brought, -world.problem.truth["media_2"].sum())
    assert_allclose(test["estimate"], brought + 14.0)
    half = design | {"regions": design["regions"][:1], "end": X["week"].median()}
    _, less = bench.run_test(world, half, noise=0.0)
    assert brought < less < 0


def test_the_recommended_is_compared_with_all_others(bench):
    table = pd.DataFrame(
        {
            "world": "panel",
            "seed": [1, 1, 1, 2, 2, 2],
            "media": ["a", "b", "c"] * 2,
            "rank": [1, 2, 3, 3, 2, 1],
            "value_rank": [2, 1, 3, 3, 2, 1],
            "regret_before": [0.5] * 3 + [0.4] * 3,
            "regret_nothing": [0.6] * 3 + [0.3] * 3,
            "regret_after": [0.1, 0.2, 0.4, 0.1, 0.1, 0.2],
        }
    )
    found = bench.summarise(table)
    assert found["media"].tolist() == ["a", "c"]
    assert_allclose(found["recommended"], [0.1, 0.2])
    assert_allclose(found["most_plan_value"], [0.2, 0.2])
    assert_allclose(found["random"], [0.3, 0.1])
    assert_allclose(found["best_possible"], [0.1, 0.1])
    assert found["better"].tolist() == [True, False]
    assert np.array_equal(found["regret_before"], [0.5, 0.4])
