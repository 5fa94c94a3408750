"""The worlds of causes are what they say, and the benchmark scores them."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

PATH = Path(__file__).parents[2] / "benchmarks" / "cause_worlds.py"
if not PATH.exists():
    pytest.skip(
        "benchmarks are not part of the source distribution", allow_module_level=True
    )
sys.path.insert(0, str(PATH.parent))
worlds, bench = map(importlib.import_module, ("cause_worlds", "bench_causes"))
sys.path.remove(str(PATH.parent))

pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_worlds_have_a_truth_and_repeat(name):
    problem, again = worlds.WORLDS[name](3), worlds.WORLDS[name](3)
    media = problem.roles["media"]
    assert problem.name == name
    assert (problem.X[media] >= 0).all(axis=None)
    assert np.isfinite(problem.y).all()
    assert list(problem.truth) == media
    assert problem.truth.index.equals(problem.X.index)
    assert problem.y.equals(again.y)
    assert not problem.y.equals(worlds.WORLDS[name](4).y)


def test_demand_moves_spend_and_kpi_where_there_is_some():
    def correlation(strength):
        problem = worlds.chased(0, strength=strength, sizes=(10, 104, 4), name="x")
        region = problem.X[worlds.REGION]
        spend, kpi = problem.X["media_4"].groupby(region), problem.y.groupby(region)
        return np.corrcoef(spend.rank(), kpi.rank())[0, 1]

    assert abs(correlation(0.0)) < 0.1  # the last channel does nothing
    assert correlation(1.0) > 0.2


def test_twins_are_the_same_and_only_one_works():
    problem = worlds.WORLDS["twins"](0)
    first, *_, last = problem.roles["media"]
    assert problem.X[first].equals(problem.X[last].rename(first))
    assert problem.truth[first].sum() > 0
    assert (problem.truth[last] == 0).all()


def test_idle_and_harmful_channels():
    assert (worlds.WORLDS["idle_series"](0).truth.iloc[:, -2:] == 0).all(axis=None)
    assert (worlds.WORLDS["harmful_series"](0).truth.iloc[:, -1] < 0).all()
    assert (worlds.WORLDS["noise_panel"](0).truth == 0).all(axis=None)


def test_a_world_is_scored():
    rows = bench.run_problem("noise_series", 0, n_draws=8, max_iter=10)
    table = pd.DataFrame(rows, columns=bench.COLUMNS)
    assert len(table) == 4
    assert (table["idle"] == 1).all()
    assert (table["truth"] == 0).all()
    outside = (table["low"] > 0) | (table["high"] < 0)
    told = (table["verdict"] == "data-driven") & (table["alarm"] == 0)
    assert_allclose(table["silent"], outside & told)
    summary = bench.summarise(table)
    assert summary.loc["noise_series", "channels"] == 4
    assert summary.loc["noise_series", "silent"] == table["silent"].sum()
