"""The recovery benchmark in miniature: scores by hand, a run of one world, tables."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import BENCHMARKS, benchmark_modules


@pytest.fixture(scope="module")
def modules():
    """The benchmark's own modules, importable from each other while these tests run."""
    names = "bench_recovery", "scorecard", "problems"
    names += "preset_worlds", "world_parts"
    with benchmark_modules(*names) as modules:
        yield modules


@pytest.fixture
def by_hand():
    """Two regions, two weeks, two channels: a problem and an estimate of it."""
    problem = SimpleNamespace(
        name="endogenous",
        X=pd.DataFrame({"region": ["A", "B", "A", "B"]}),
        truth=pd.DataFrame({"pla": [1.0, 2, 3, 2], "tv": [4.0, 0, 4, 0]}),
        roles={"region": "region"},
    )
    # pla: off by 1 in region A (mean 2), exact in B; tv: 2 too low in A (mean 4),
    # without truth in B.
    estimate = pd.DataFrame({"tv": [2.0, 0, 2, 0], "pla": [2.0, 2, 4, 2]})
    channels = pd.DataFrame(
        {
            "contribution_low": [3.0, 7.0],
            "contribution_high": [5.0, 9.0],
            "verdict": ["data-driven", "data-driven"],
            "alarm": ["", "follows past KPI"],
        },
        index=["tv", "pla"],
    )
    return problem, estimate, channels


def test_scores_of_contributions(modules, by_hand):
    problem, estimate, _ = by_hand
    row = modules.bench_recovery.scores(problem, estimate)
    assert list(row) == modules.bench_recovery.SCORES
    assert row["srmse"] == pytest.approx((1 / 2 + 0 + 2 / 4) / 3)
    # Totals: 10 instead of 8, 4 instead of 8.
    assert row["total_error"] == pytest.approx((0.25 + 0.5) / 2)
    assert row["max_error"] == pytest.approx(0.5)
    assert row["bias"] == pytest.approx(14 / 16 - 1)
    assert row["channels"] == 2
    rest = {"coverage", "covered", "flagged", "alarms", "honest"}
    assert all(np.isnan(row[name]) for name in rest)


def test_scores_of_doubt(modules, by_hand):
    problem, estimate, channels = by_hand
    scores = modules.bench_recovery.scores
    row = scores(problem, estimate, channels)
    assert (row["covered"], row["coverage"]) == (1, 0.5)
    assert (row["flagged"], row["alarms"]) == (1, 1)
    assert (row["data_driven"], row["prior_driven"], row["not_identified"]) == (2, 0, 0)
    assert row["honest"] == 1  # tv
    channels["alarm"] = ["one switch", ""]
    row = scores(problem, estimate, channels)
    assert (row["flagged"], row["honest"]) == (0, 0)
    channels["alarm"] = ""
    channels["verdict"] = ["not identified", "prior-driven"]
    row = scores(problem, estimate, channels)
    assert (row["data_driven"], row["prior_driven"], row["not_identified"]) == (0, 1, 1)
    assert row["honest"] == 0


def test_scores_tolerate_a_model_without_verdicts_or_intervals(modules, by_hand):
    problem, estimate, channels = by_hand
    scores = modules.bench_recovery.scores
    row = scores(problem, estimate, channels.drop(columns=["verdict", "alarm"]))
    assert row["covered"] == 1
    assert np.isnan(row["flagged"])
    assert np.isnan(row["honest"])
    channels[["contribution_low", "contribution_high"]] = np.nan
    assert np.isnan(scores(problem, estimate, channels)["coverage"])


def test_seeds_are_read(modules):
    read = modules.bench_recovery.read_seeds
    assert read("0-3") == [0, 1, 2, 3]
    assert read("7") == [7]
    assert read("0,2,5-6") == [0, 2, 5, 6]


def test_run_of_one_world(modules, monkeypatch, tmp_path, capsys):
    bench = modules.bench_recovery

    def fit_truth(problem):
        totals = problem.truth.sum()
        bounds = {"contribution_low": totals - 1, "contribution_high": totals + 1}
        return problem.truth, pd.DataFrame(bounds)

    def fit_nothing(problem):
        raise ValueError("no fit\nno details")

    contenders = {
        "skmmm": fit_truth,
        "linear MMM": bench.fit_linear,
        "skmmm, not money": fit_nothing,
        "shape oracle": bench.fit_oracle,
        bench.FAMILIES: bench.fit_families,
    }
    monkeypatch.setattr(bench, "CONTENDERS", contenders)
    rows = [
        row
        for world in ("clean", "national_constant")
        for row in bench.run_problem(world, 0, list(contenders))
    ]
    path = tmp_path / "recovery.csv"
    bench.write(pd.DataFrame(rows, columns=bench.COLUMNS), path)
    assert [p.name for p in tmp_path.iterdir()] == ["recovery.csv"]
    table = pd.read_csv(path)
    assert list(table) == bench.COLUMNS
    assert table["error"].dropna().unique().tolist() == ["ValueError: no fit"]

    means, coverage = bench.summarise(table)
    assert means.loc[("clean", "skmmm"), "srmse"] == 0
    assert 0 < means.loc[("clean", "linear MMM"), "srmse"] < 2
    # One who knows the shapes is wrong by the noise alone.
    assert 0 < means.loc[("clean", "shape oracle"), "total_error"] < 0.15
    assert 0 < means.loc[("national_constant", "shape oracle"), "total_error"] < 0.15
    # Who has to learn shapes is told nothing else but of which families they are.
    assert ("national_constant", bench.FAMILIES) not in means.index
    learned, known = (
        means.loc[("clean", contender), "srmse"]
        for contender in (bench.FAMILIES, "shape oracle")
    )
    assert known < learned < 0.5
    assert np.isnan(means.loc[("clean", "skmmm, not money"), "srmse"])
    assert coverage.to_dict() == {"skmmm": 1.0}

    (weekly,) = modules.scorecard.weekly(path).rows
    assert weekly[:4] == ["national constant", "1", "0.00", "failed"]
    (totals,) = modules.scorecard.totals(path).rows
    assert totals[:4] == ["clean", "1", "0 %", "failed"]
    assert totals[-3:] == ["7 %", "1.00", "1.00"]
    assert "100 % of the channel totals" in modules.scorecard.trust(path)


def test_skmmm_is_a_contender(modules):
    # Few iterations: what is tested is that the pieces fit together.
    bench = modules.bench_recovery
    problem = modules.problems.WORLDS["clean"](0)
    estimate, channels = bench.fit_skmmm(problem, max_iter=5, n_draws=4)
    row = bench.scores(problem, estimate, channels)
    assert np.isfinite(row["srmse"])
    assert 0 <= row["covered"] <= row["channels"] == 4


def test_coverage_leaves_out_worlds_the_model_cannot_represent(modules):
    bench = modules.bench_recovery
    rows = [
        {"world": world, "contender": "skmmm", "covered": covered, "channels": 4}
        for world, covered in [("clean", 4), ("public_small", 2), ("outliers", 0)]
    ]
    _, coverage = bench.summarise(pd.DataFrame(rows, columns=bench.COLUMNS))
    assert coverage["skmmm"] == 0.75


def test_rows_survive_the_way_to_a_panel_and_back(modules, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "rivals"))
    exchange = importlib.import_module("exchange")
    X = pd.DataFrame({"region": list("BABA"), "week": [2, 1, 1, 2]})
    roles = {"region": "region", "time": "week"}
    values = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40]])
    panel = exchange.panel(X, roles, values)
    assert panel[:, :, 0].tolist() == [[2, 4], [3, 1]]  # [region, week]
    assert exchange.rows(X, roles, panel).tolist() == values.tolist()
    sys.modules.pop("exchange")


def test_rivals_are_scored_like_contenders(modules, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "rivals"))
    exchange, export, score = map(
        importlib.import_module, ("exchange", "export", "score")
    )
    export.export(modules.problems.WORLDS["national_constant"](3), tmp_path)
    monkeypatch.setattr(sys, "argv", ["run", str(tmp_path)])

    def fit(X, y, roles):
        truth = pd.read_csv(tmp_path / "national_constant_3" / "truth.csv")
        return truth.to_numpy(), truth.sum().to_numpy() * np.array([[0.9], [1.1]])

    exchange.answer_all("oracle", fit)
    exchange.answer_all("no intervals", lambda *args: (fit(*args)[0] * 2, None))
    none, oracle = score.score(tmp_path / "national_constant_3")
    assert (oracle["contender"], oracle["srmse"], oracle["coverage"]) == (
        "oracle",
        0,
        1,
    )
    assert none["total_error"] == pytest.approx(1)
    assert np.isnan(none["coverage"])
    for name in ("exchange", "export", "score"):
        sys.modules.pop(name)
