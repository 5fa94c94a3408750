"""The benchmark of prices in miniature: who knows them finds the best plan."""

import numpy as np
import pandas as pd
import pytest

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    """The benchmark, importable while these tests run."""
    names = ["bench_price", "bench_recovery", "plan_worlds", "problems"]
    with benchmark_modules(*names, "world_parts") as modules:
        yield modules.bench_price


def test_who_knows_the_prices_finds_the_best_plan(bench, monkeypatch):
    class Same:
        def optimize_budget(self, *, bounds, price_elasticity):
            index = pd.Index([f"media_{m}" for m in range(1, 6)])
            return pd.Series({"allocation": pd.DataFrame({"factor": 1.0}, index=index)})

    monkeypatch.setattr(bench, "fitted", lambda problem: Same())
    monkeypatch.setattr(bench, "ELASTICITIES", (0.3,))
    rows = pd.DataFrame(bench.run_world("national", 301)).set_index("contender")
    assert rows.loc["truth, prices known", "regret"] == pytest.approx(0.0, abs=1e-3)
    assert rows.loc["truth, prices ignored", "regret"] > 0.01
    assert rows.loc["fitted, prices known", "regret"] == pytest.approx(1.0)
    np.testing.assert_allclose(rows["lost"], rows["regret"] * rows["available"])


def test_today_delivers_less_where_spend_varies(bench):
    world = bench.make_plan_world("national", 3)
    media = world.problem.roles["media"]
    one = np.ones(len(media))
    same = bench.respond_at(world, np.zeros(len(media)))
    np.testing.assert_allclose(same(one).sum(), world.today)
    dear = bench.respond_at(world, np.full(len(media), 0.3))
    assert (dear(2.0 * one) < same(2.0 * one)).all()
