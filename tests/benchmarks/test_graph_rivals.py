"""Contenders and scores of the graph benchmark, in miniature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import benchmark_modules

# Contender and the package it needs.
OPTIONAL = [("pcmci_plus", "tigramite"), ("varlingam", "lingam"), ("dagma", "dagma")]


@pytest.fixture(scope="module")
def modules():
    """The benchmark's own modules, importable from each other while these tests run."""
    names = "graph_rivals", "graph_scores", "graph_worlds"
    with benchmark_modules(*names) as modules:
        yield modules


@pytest.fixture(scope="module")
def world(modules):
    return modules.graph_worlds.make_graph_world(
        "gauss", 12, 200, n_channels=4, n_weeks=70, n_edges=3
    )


def edges(*pairs, n=3):
    matrix = np.zeros((n, n), dtype=bool)
    for i, j in pairs:
        matrix[i, j] = True
    return matrix


@pytest.mark.parametrize(
    ("found", "f1", "shd"),
    [
        pytest.param([(0, 1), (1, 2)], 1.0, 0, id="the truth"),
        pytest.param([(0, 1)], 2 / 3, 1, id="missing"),
        pytest.param([(0, 1), (2, 1)], 0.5, 1, id="reversed"),
        pytest.param([(0, 1), (1, 2), (0, 2)], 0.8, 1, id="extra"),
        pytest.param([(0, 1), (1, 2), (2, 1)], 0.8, 1, id="both ways"),
        pytest.param([(0, 1), (1, 2), (2, 2)], 1.0, 0, id="to itself"),
        pytest.param([], 0.0, 2, id="nothing"),
    ],
)
def test_scores_by_hand(modules, found, f1, shd):
    truth = edges((0, 1), (1, 2))
    assert_allclose(modules.graph_scores.f1(edges(*found), truth), f1)
    assert modules.graph_scores.shd(edges(*found), truth) == shd


def test_scores_without_true_edges(modules):
    scores = modules.graph_scores
    assert scores.f1(edges(), edges()) == 1.0
    assert scores.f1(edges((0, 1)), edges()) == 0.0
    assert np.isnan(scores.auroc(np.zeros((3, 3)), edges()))


def test_auroc_by_hand(modules):
    auroc = modules.graph_scores.auroc
    truth = edges((0, 1), (1, 2))
    scores = np.where(truth, 2.0, 1.0)
    np.fill_diagonal(scores, 9.0)
    assert auroc(scores, truth) == 1.0
    assert auroc(-scores, truth) == 0.0
    assert auroc(np.ones((3, 3)), truth) == 0.5
    # One of two true edges above three of four false ones, the other below all.
    scores = np.array([[0, 3.0, 1], [1, 0, 0], [1, 4, 0]])
    assert_allclose(auroc(scores, truth), 3 / 8)


def test_demeaned_panel_has_no_region_and_week_effects(modules):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((5, 30, 2))
    effects = rng.standard_normal((5, 1, 2)) + rng.standard_normal((1, 30, 2))
    panel = modules.graph_rivals.demeaned(noise + 10 * effects)
    assert_allclose(panel.mean(axis=0), 0, atol=1e-12)
    assert_allclose(panel.mean(axis=1), 0, atol=1e-12)
    assert_allclose(panel.std(axis=(0, 1)), 1)
    assert_allclose(panel, modules.graph_rivals.demeaned(noise))


def test_one_region_loses_trend_and_season(modules):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 104, 2))
    week = np.arange(104)
    season = week / 10 + 3 * np.sin(2 * np.pi * 7 * week / 365.25)
    panel = modules.graph_rivals.demeaned(noise + season[None, :, None])
    assert_allclose(panel, modules.graph_rivals.demeaned(noise), atol=1e-10)


def test_the_past_stays_in_its_region(modules):
    panel = np.random.default_rng(0).standard_normal((2, 9, 1))
    rows = modules.graph_rivals.with_past(panel)[:, 0]
    expected = []
    for region in panel[:, :, 0]:
        for t in range(3, 9):
            tail = sum(0.6**k * region[t - 3 - k] for k in range(t - 2))
            expected.append([region[t], region[t - 1], region[t - 2], tail])
    expected = np.array(expected)
    expected = (expected - expected.mean(axis=0)) / expected.std(axis=0)
    assert_allclose(rows, expected)


@pytest.mark.parametrize("name", ["sortnregress", "dynotears"])
def test_contenders_answer(modules, world, name):
    check_answer(modules.graph_rivals.CONTENDERS[name], world)


@pytest.mark.parametrize(("name", "package"), OPTIONAL)
def test_optional_contenders_answer(modules, world, name, package):
    pytest.importorskip(package)
    check_answer(modules.graph_rivals.CONTENDERS[name], world)


def check_answer(contender, world):
    found, scores = contender(world.log_spend)
    assert found.shape == scores.shape == world.edges.shape
    assert found.dtype == bool
    assert not found.diagonal().any()
    assert (scores[found] > 0).all()
    again, _ = contender(world.log_spend)
    assert_array_equal(found, again)


def test_dynotears_finds_the_graph(modules, world):
    found, scores = modules.graph_rivals.dynotears(world.log_spend)
    assert modules.graph_scores.shd(found, world.edges) == 0
    assert modules.graph_scores.auroc(scores, world.edges) == 1.0
