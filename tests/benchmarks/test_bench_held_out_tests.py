"""The benchmark of held-out tests scores what it says."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "bench_held_out_tests.py"
if not PATH.exists():
    pytest.skip(
        "benchmarks are not part of the source distribution", allow_module_level=True
    )
sys.path.insert(0, str(PATH.parent))
bench = importlib.import_module("bench_held_out_tests")
sys.path.remove(str(PATH.parent))


def test_tests_are_about_the_truth():
    problem, tests = bench.make_case("plain", 3)
    dark = problem.truth["media_1"].where(
        problem.X["week"].between(tests["start"][0], tests["end"][0])
        & problem.X["region"].isin(tests["regions"][0]),
        0.0,
    )
    assert -1.5 * dark.sum() < tests["estimate"][0] < -0.5 * dark.sum()
    assert len(set(tests["start"])) == len(tests) == 3


def test_settings_are_scored(monkeypatch):
    monkeypatch.setitem(bench.GRIDS, "linear MMM", {"adstock__decay": [0.2, 0.8]})
    table = bench.run_case("chased", 3, "linear MMM")
    assert table["setting"].tolist() == ["0.2", "0.8"]
    assert np.isfinite(table[[*bench.CRITERIA, "error"]]).all(axis=None)
    assert (table["error"] > 0).all()
    assert table["error"].nunique() == 2


def test_summary_compares_with_the_forecast():
    by_tests = {name: [0.0, 1.0, 0.0, 1.0] for name in bench.KINDS}
    table = pd.DataFrame(
        {
            "world": "plain",
            "seed": [1, 1, 2, 2],
            "model": "skmmm",
            "setting": ["a", "b", "a", "b"],
            **by_tests,
            "wmape": [1.0, 0.0, 0.0, 1.0],
            "error": [0.4, 0.2, 0.3, 0.1],
        }
    )
    found = bench.summarise(table).loc[("plain", "skmmm")]
    assert found.loc["z", ["n", "better", "worse"]].tolist() == [2, 1, 0]
    assert found["error"].round(3).to_dict()["wmape"] == 0.25
    assert found.loc["z", "error"] == pytest.approx(0.15)
    assert found.loc["z", ["best", "mean"]].tolist() == pytest.approx([0.15, 0.25])
