"""The graph benchmark in miniature: two worlds, scores by hand, merged tables."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def modules():
    """The benchmark's own modules, importable from each other while these tests run."""
    names = [
        *("bench_graph", "bench_recovery", "problems", "scorecard"),
        "scorecard_graph",
        *("preset_worlds", "world_parts"),
        *("graph_rivals", "graph_scores", "graph_worlds"),
    ]
    with benchmark_modules(*names) as modules:
        yield modules


def make_world(modules, name):
    return modules.graph_worlds.make_graph_world(
        name, 12, 200, n_channels=5, n_weeks=60, n_edges=5
    )


@pytest.fixture(scope="module")
def gauss(modules):
    return make_world(modules, "gauss")


@pytest.mark.parametrize("contender", ["skmmm", "skmmm notears"])
def test_a_graph_is_found_where_there_is_one(modules, gauss, contender):
    row = modules.bench_graph.run_contender(contender, gauss)
    assert "error" not in row
    assert row["f1"] >= 0.8
    assert row["auroc"] >= 0.9
    if contender == "skmmm":
        assert row["total_error"] < row["direct_error"]
    # Every pair has one verdict.
    assert row["n_edges"] + row["n_undecided"] + row["n_no_edge"] == 5 * 4


def test_no_graph_is_found_where_there_is_none(modules):
    row = modules.bench_graph.run_contender("skmmm", make_world(modules, "null"))
    assert (row["n_edges"], row["f1"], row["shd"]) == (0, 1.0, 0)
    assert np.isnan(row["auroc"])
    assert np.isnan(row["true_share"])
    assert np.isnan(row["total_error"])


def test_a_rival_is_scored_without_doubt(modules, gauss):
    row = modules.bench_graph.run_contender("sortnregress", gauss)
    assert 0 < row["f1"] <= 1
    assert row["seconds"] > 0
    assert np.isnan(row["n_probable"])


def test_a_failure_is_a_row(modules, gauss, monkeypatch):
    def fail(log_spend, proxy, seed):
        raise ValueError("no fit\nno details")

    monkeypatch.setitem(modules.bench_graph.CONTENDERS, "skmmm", fail)
    row = modules.bench_graph.run_contender("skmmm", gauss)
    assert row == {"error": "ValueError: no fit"}


def test_doubt_by_hand(modules):
    truth = np.zeros((3, 3), dtype=bool)
    truth[0, 1] = truth[1, 2] = truth[0, 2] = True
    graph = SimpleNamespace(
        probability=np.array([[1.0, 0.9, 0.0], [0.8, 0.0, 0.5], [0.2, 0.1, 0.0]]),
        verdict=np.array(
            [
                ["", "edge", "no edge"],
                ["undecided", "", "undecided"],
                ["no edge", "no edge", ""],
            ]
        ),
    )
    world = SimpleNamespace(name="flight", edges=truth)
    edges = graph.verdict == "edge"
    row = modules.bench_graph.scores(world, edges, graph.probability, graph)
    assert list(row) == modules.bench_graph.SCORES
    assert (row["n_edges"], row["true_share"], row["shd"]) == (1, 1.0, 2)
    assert (row["n_probable"], row["probable_true"]) == (2, 1)
    assert (row["n_possible"], row["possible_true"]) == (2, 1)
    verdicts = row["n_undecided"], row["n_no_edge"], row["missed_as_no_edge"]
    assert verdicts == (2, 3, 1)
    assert np.isnan(row["total_error"])


def test_direct_effects_are_exact_without_noise(modules, gauss, monkeypatch):
    monkeypatch.setattr(modules.bench_graph, "NOISE", 0.0)
    assert_allclose(modules.bench_graph.estimate_direct(gauss), gauss.direct)
    monkeypatch.setattr(modules.bench_graph, "NOISE", 0.5)
    noisy = modules.bench_graph.estimate_direct(gauss)
    assert 0.01 < np.abs(noisy - gauss.direct).max() < 0.5


def test_total_effects_without_edges_are_direct(modules, gauss):
    # Channels that do not react: what is raised is raised by as much as was asked.
    def react(spend, changed, channel):
        answer = spend.copy()
        answer[:, :, channel] = changed
        return answer[None]

    total = modules.bench_graph.total_effects(
        gauss.spend, SimpleNamespace(react=react), gauss.direct
    )
    assert_allclose(total, gauss.direct)


def test_a_proxy_is_regressed_out(modules):
    rng = np.random.default_rng(0)
    noise = modules.graph_rivals.demeaned(rng.standard_normal((15, 80, 2)))
    proxy = rng.standard_normal((15, 80))
    driven = noise.copy()
    driven[:, 1:, 0] += 3 * proxy[:, :-1]
    left = modules.bench_graph.without(driven, proxy)
    assert abs(np.corrcoef(left[:, 1:, 0].ravel(), proxy[:, :-1].ravel())[0, 1]) < 0.01
    assert np.corrcoef(left[..., 0].ravel(), noise[..., 0].ravel())[0, 1] > 0.97
    assert np.corrcoef(left[..., 1].ravel(), noise[..., 1].ravel())[0, 1] > 0.97


def test_only_contenders_that_can_take_a_proxy_get_one(modules, gauss, monkeypatch):
    bench, seen = modules.bench_graph, []
    monkeypatch.setattr(bench, "make_graph_world", lambda *args: gauss)
    monkeypatch.setattr(
        bench,
        "run_contender",
        lambda contender, world, proxy: seen.append(proxy is None) or {"f1": 1.0},
    )
    both = ["skmmm", "deepcausalmmm"]
    rows = bench.run_problem("localconf with proxy", 12, 200, both)
    assert [row["contender"] for row in rows] == ["skmmm"]
    rows += bench.run_problem("localconf", 12, 200, both)
    assert len(rows) == 3
    assert seen == [False, True, True]


def make_row(world, regions, seed, contender, **scores):
    keys = {"world": world, "regions": regions, "seed": seed, "contender": contender}
    return keys | scores


def test_tables_merge(modules, tmp_path):
    bench, path = modules.bench_graph, tmp_path / "graph.csv"
    first = [
        make_row("null", 20, 200, "skmmm", f1=1.0, n_edges=0),
        make_row("gauss", 20, 201, "dagma", f1=0.5, n_edges=9),
        make_row("gauss", 190, 200, "skmmm", f1=0.75, n_edges=21),
        make_row("gauss", 20, 201, "skmmm", error="ValueError: no fit"),
    ]
    bench.merge(path, first)
    bench.merge(path, [make_row("gauss", 20, 201, "skmmm", f1=0.9, n_edges=19)])
    table = bench.read(path)
    assert list(table) == bench.COLUMNS
    found = table[[*bench.KEYS, "f1", "n_edges"]].to_numpy().tolist()
    assert found == [
        ["gauss", 20, 201, "skmmm", 0.9, 19],
        ["gauss", 20, 201, "dagma", 0.5, 9],
        ["gauss", 190, 200, "skmmm", 0.75, 21],
        ["null", 20, 200, "skmmm", 1.0, 0],
    ]
    assert table["error"].isna().all()

    # Whatever came first, the file is the same.
    other = tmp_path / "other.csv"
    bench.merge(other, table.iloc[2:])
    bench.merge(other, bench.read(path).iloc[:2])
    assert other.read_text() == path.read_text()
    assert {p.name for p in tmp_path.iterdir()} == {"graph.csv", "other.csv"}
    means = bench.summarise(bench.read(other))
    assert means.loc[("gauss", 20, "skmmm"), "f1"] == 0.9


def test_scorecards(modules, tmp_path):
    rows = [
        make_row("gauss", 20, seed, "skmmm", f1=f1, shd=shd, **doubt)
        for seed, f1, shd, doubt in [
            (200, 1.0, 0, {"n_edges": 4, "true_share": 1.0, "n_probable": 4}),
            (201, 0.5, 3, {"n_edges": 6, "true_share": 0.5, "n_probable": 0}),
        ]
    ]
    rows[0] |= {"probable_true": 3, "total_error": 0.25}
    rows += [
        make_row("gauss", 20, 200, "sortnregress", f1=0.25, shd=7),
        make_row("null", 20, 200, "sortnregress", error="ValueError: no fit"),
    ]
    modules.bench_graph.merge(tmp_path / "graph.csv", rows)
    nearness = modules.scorecard.graph(tmp_path / "graph.csv")
    assert nearness.head == ["world", "regions", "seeds", "skmmm", "sortnregress"]
    assert nearness.rows == [
        ["gauss", "20", "2", "0.75 / 1.5", "0.25 / 7.0 (1)"],
        ["null", "20", "1", "", "failed"],
    ]
    (doubt,) = modules.scorecard.doubt(tmp_path / "graph.csv").rows
    assert doubt[:8] == ["gauss", "20", "5.0", "0.70", "2.0", "0.75", "0.0", ""]
    assert doubt[-3:] == ["0.25", "", ""]


def test_the_real_panel_is_read(modules):
    bench = modules.bench_graph
    if not bench.PANEL.exists():
        pytest.skip("the real panel is not here")
    media, controls, observed = bench.read_panel(bench.PANEL)
    assert media.shape == (190, 109, 13)
    assert controls.shape == (190, 109, 7)
    assert (~observed).sum() == 340
    assert (media[~observed] == 0).all()
