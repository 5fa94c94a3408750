"""Worlds in which two channels cause something together, and what is measured there."""

import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    names = "world_parts", "bench_recovery", "bench_per_head", "bench_synergy"
    with benchmark_modules(*names) as found:
        yield found.bench_synergy


def test_worlds_differ_by_what_the_pair_adds(bench):
    worlds = {name: bench.make_world(name, 0) for name in bench.WORLDS}
    plain = worlds["none"]
    assert plain.X.attrs["pair"] == 0.0
    for name, world in worlds.items():
        added = world.X.attrs["pair"]
        assert_allclose(world.y.sum() - plain.y.sum(), added, atol=1e-6)
        more = world.truth.sum() - plain.truth.sum()
        assert_allclose(more[bench.PAIR], 0.5 * added, atol=1e-6)
        assert_allclose(more.drop(bench.PAIR), 0.0)
        assert (added < 0) == (name == "negative")


@pytest.mark.usefixtures("short_chains")
def test_a_row_of_results(bench):
    options = {"n_draws": 8, "max_iter": 5, "n_hidden": 0, "max_lag": 2}
    told, not_told = (
        bench.run_problem("positive", 0, model, **options)
        for model in ("pair", "additive")
    )
    assert 0.0 < told["error_pair_channels"] < 2.0
    assert told["pair_low"] <= told["pair"] <= told["pair_high"]
    assert told["pair_holds"] in (0, 1)
    assert "pair" not in not_told
