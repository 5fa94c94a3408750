"""The calibration benchmark in miniature: a table by hand, a run of one world."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules

pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.fixture(scope="module")
def bench():
    names = "bench_calibration", "cause_worlds", "problems", "preset_worlds"
    with benchmark_modules(*names, "world_parts") as modules:
        yield modules.bench_calibration


def test_summary(bench):
    # Of nine draws; the truth is below all, in the middle twice, and above all.
    table = pd.DataFrame(
        {
            "world": "clean",
            "seed": 0,
            "source": "prior",
            "simulation": [0, 0, 1, 1],
            "holds": [1, 1, 1, 0],
            "rank": [0, 4, 5, 9],
            "n_draws": 9,
            "z_score": [-1.0, 0.0, 0.0, 3.0],
            "reach": [0.5, 0.1, 0.2, 1.4],
            "seconds": 2.0,
            "error": np.nan,
        }
    )
    row = bench.summarise(table).loc["clean", "prior"]
    assert row["rows"] == 4
    assert row["coverage"] == 0.75
    assert row["standard error"] == pytest.approx(0.25)
    assert_allclose(row[["lowest ranks", "highest ranks"]], 0.25)
    assert row["mean z"] == 0.5
    assert row["rms z"] == pytest.approx(2.5**0.5)
    assert row["widen by"] == 1.4


def test_run(bench, monkeypatch, tmp_path, capsys):
    world = bench.WORLDS["clean"]
    monkeypatch.setitem(bench.WORLDS, "clean", lambda seed: shortened(world(seed)))
    fast = {"max_iter": 5, "n_draws": 4, "max_lag": 4}
    model = partial(bench.DeepCausalMMMRegressor, **fast)
    monkeypatch.setattr(bench, "DeepCausalMMMRegressor", model)
    out = tmp_path / "calibration.csv"
    options = [
        "--worlds",
        "clean",
        "--simulations",
        "2",
        "--sources",
        "prior",
        "--out",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", ["bench_calibration", *options, "--jobs", "1"])
    bench.main()
    table = pd.read_csv(out)
    assert list(table.columns) == bench.COLUMNS
    assert len(table) == 2 * 4
    assert table["error"].isna().all()
    inside = table["truth"].between(table.contribution_low, table.contribution_high)
    assert (inside == table["holds"]).all()
    assert "rms z" in capsys.readouterr().out


def shortened(problem):
    """Return a problem with its first sixty weeks."""
    return replace(problem, X=problem.X[:60], y=problem.y[:60])


def test_a_fit_that_refuses_is_a_row(bench):
    table = bench.run_problem("clean", 0, "prior", 1, n_draws=0, max_iter=1)
    assert list(table.columns) == bench.COLUMNS
    assert (
        table["error"].item().startswith("ValueError: calibrate_intervals needs draws")
    )


def test_unknown_worlds(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_calibration", "--worlds", "clean,moon"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "unknown: moon" in capsys.readouterr().err
