"""Regions in which channels follow more, or less, than elsewhere."""

import numpy as np
import pytest

from skmmm.graph._demand import explain
from skmmm.graph._estimate import fit_channel_graph
from skmmm.graph._features import make_features
from skmmm.graph._rules import Rules
from skmmm.graph._search import search
from skmmm.graph._strength import region_strength

RULES = Rules(~np.eye(3, dtype=bool), np.zeros((3, 3), dtype=bool), 0.0075)


def fork(n_regions, spread, seed=0):
    """Return strengths, and log spend in which channel 0 drives 1 and 2, (R, T, 3)."""
    rng = np.random.default_rng(seed)
    strength = 1 + spread * rng.standard_normal(n_regions)
    u = rng.standard_normal((n_regions, 80, 3))
    u[..., 1:] += strength[:, None, None] * u[..., :1]
    return strength, u


def explained(u):
    observed, controls = np.ones(u.shape[:2], dtype=bool), np.zeros((*u.shape[:2], 0))
    features = make_features([u], controls, observed, np.ones((80, 1)), 1)
    return explain(features, RULES, search)[0]


def test_strength_is_found():
    strength, u = fork(30, 0.4)
    found = region_strength(explained(u))
    assert np.corrcoef(found, strength)[0, 1] > 0.95
    assert found.std() == pytest.approx(strength.std(), rel=0.25)


@pytest.mark.parametrize(("n_regions", "spread"), [(30, 0.0), (8, 0.4)])
def test_regions_are_alike_until_they_clearly_differ(n_regions, spread):
    _, u = fork(n_regions, spread)
    assert (region_strength(explained(u)) == 1).all()


def test_children_of_one_parent_do_not_drive_each_other(monkeypatch):
    def edges(u):
        observed = np.ones(u.shape[:2], dtype=bool)
        graph = fit_channel_graph(
            np.exp(u),
            np.zeros((*u.shape[:2], 0)),
            observed,
            np.zeros((0, 80)),
            RULES,
            n_lags=1,
            n_bootstraps=4,
            rng=np.random.RandomState(0),
        )
        return list(zip(*np.nonzero(graph.edges), strict=True))

    _, u = fork(40, 0.4)
    assert edges(u) == [(0, 1), (0, 2)]
    monkeypatch.setattr(
        "skmmm.graph._estimate.region_strength", lambda explanation: np.ones(40)
    )
    assert edges(u) != [(0, 1), (0, 2)]
