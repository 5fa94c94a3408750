"""Worlds of known reach and frequency, and what is measured on them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def modules():
    with benchmark_modules(
        "world_parts", "reach_worlds", "bench_recovery", "bench_per_head", "bench_reach"
    ) as found:
        yield found


@pytest.mark.parametrize("name", ["reach_series", "reach_panel", "reach_steady"])
def test_delivery_is_reach_times_frequency(modules, name):
    problem = modules.reach_worlds.WORLDS[name](0)
    seen = problem.X[modules.reach_worlds.FREQUENCY["video"]]
    reach = problem.X["video"]
    assert (seen[reach > 0] >= 1.0).all()
    assert seen[reach == 0].isna().all()
    spread = seen.std() / seen.mean()
    assert spread < 0.03 if name == "reach_steady" else spread > 0.3
    assert (problem.truth.sum() > 0).all()
    again = modules.reach_worlds.WORLDS[name](0)
    assert_allclose(again.y, problem.y)


def test_best_frequency_is_the_highest_of_effects_per_impression(modules):
    grid = np.linspace(1.0, 12.0, 2201)
    for half, slope in ((3.0, 2.0), (2.0, 1.2), (1.5, 3.0)):
        per_impression = grid ** (slope - 1.0) / (grid**slope + half**slope)
        found = modules.reach_worlds.best_frequency(half, slope)
        assert_allclose(found, grid[per_impression.argmax()], atol=0.01)


@pytest.mark.usefixtures("short_chains")
def test_a_row_of_results(modules):
    options = {"n_draws": 8, "max_iter": 20, "n_hidden": 0, "max_lag": 2}
    told, not_told = (
        modules.bench_reach.run_problem("reach_series", 0, what, **options)
        for what in modules.bench_reach.TOLD
    )
    assert 0.0 < told["error"] < 2.0
    assert 0 <= told["data_driven_hold"] <= told["data_driven"] <= 2
    assert told["optimum_error"] > 0.0
    assert told["told"] == "reach"
    assert "optimum_error" not in not_told
