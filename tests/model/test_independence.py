"""How many regions movements come to: as many as there are, groups, or one."""

import numpy as np
import pytest
import torch

from skmmm._model.independence import (
    independent_share,
    independent_spend,
    share_among_few,
)

R, T = 24, 400


def moves(n_groups, seed=0):
    """Return movements of regions in groups that move alike, (R, T)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_groups, T))[np.arange(R) % n_groups]


def share(values):
    return independent_share(torch.from_numpy(values))


def test_independent_regions_count_in_full():
    assert share(moves(R)) > 0.9


@pytest.mark.parametrize("n_groups", [3, 6])
def test_groups_count_once_each(n_groups):
    expected = (n_groups - 1) / (R - 1)
    assert share(moves(n_groups)) == pytest.approx(expected, rel=0.1)


def test_one_movement_of_all_counts_once():
    rng = np.random.default_rng(0)
    alike = rng.normal(size=T) * np.ones((R, 1))
    assert share(alike) == pytest.approx(1 / (R - 1))


def test_cells_that_nobody_saw_do_not_count():
    values = moves(4)
    hidden = np.random.default_rng(1).random(values.shape) < 0.2
    assert share(np.where(hidden, np.nan, values)) == pytest.approx(
        share(values), rel=0.1
    )


def test_a_sample_of_many_regions_says_how_alike_they_are(monkeypatch):
    rng = np.random.default_rng(3)
    groups = rng.normal(size=(6, T))[rng.integers(6, size=300)]
    exact = share(groups)
    monkeypatch.setattr("skmmm._model.independence._COMPARED", 100)
    assert share(groups) == pytest.approx(exact, rel=0.15)
    assert share(rng.normal(size=(300, T))) > 0.9


def test_spend_is_compared_in_regions_that_spend():
    apart, groups = np.exp(moves(R)), np.exp(moves(3))
    few = np.where(np.arange(R)[:, None] < 2, apart, 0.0)
    half = np.where(np.arange(R)[:, None] < R // 2, apart, 0.0)
    media = np.stack([apart, groups, few, half], axis=2)
    seen = np.ones((R, T, 1), dtype=bool)
    found = independent_spend(media, seen)
    assert found[0] > 0.9
    assert found[1] < 0.2
    assert found[2] == 0.0
    assert found[3] > 0.9
    assert independent_spend(media[:5], seen[:5]).tolist() == [1.0] * 4


def test_hardly_alike_regions_are_no_groups_however_many():
    for n_regions in (24, 200):
        assert share_among_few(0.3, n_regions) == 0.3
    # Pairs that are alike by two in ten thousand of their variance.
    alike = 2e-4
    shares = {n: n / ((n - 1) * (1.0 + (n - 1) * alike)) for n in (200, 2_000, 100_000)}
    assert shares[100_000] < 0.1
    for n_regions, share in shares.items():
        assert share_among_few(share, n_regions) == pytest.approx(shares[200])
    # Ten groups are ten groups.
    assert share_among_few(10 / 5_000, 5_000) == pytest.approx(10 / 200, rel=0.1)
