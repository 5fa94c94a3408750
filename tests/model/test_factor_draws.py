"""Draws of a short vector by chains."""

import pytest
import torch
from numpy.testing import assert_allclose

from skmmm._model.factor_draws import explore


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_normal_distribution_is_drawn_as_it_is():
    covariance = torch.tensor([[1.0, 0.8], [0.8, 2.0]], dtype=torch.float64)
    precision, mean = covariance.inverse(), vector(3.0, -1.0)

    def log_density(vectors):
        away = vectors - mean
        return -0.5 * (away @ precision * away).sum(dim=-1)

    draws = torch.cat([explore(log_density, mean, generator(k)) for k in range(20)])
    assert_allclose(draws.mean(dim=0), mean, atol=0.15)
    assert_allclose(torch.cov(draws.T), covariance, atol=0.2)


def test_a_bent_ridge_is_walked_along():
    # The curvature at the mode sees nothing of how it bends.
    def log_density(vectors):
        x, y = vectors.unbind(dim=-1)
        return -0.5 * (x.square() + ((y - x.square()) / 0.5).square())

    mode = vector(0.0, 0.0)
    x, y = torch.cat([explore(log_density, mode, generator(k)) for k in range(20)]).T
    assert_allclose(x.std(), 1.0, rtol=0.2)
    assert_allclose((y - x.square()).std(), 0.5, rtol=0.2)
    assert y.mean() > 0.6


def test_flat_directions_do_not_end_in_nothing():
    def log_density(vectors):
        return -0.5 * vectors[..., 0].square()

    draws = explore(log_density, vector(0.0, 0.0), generator())
    assert torch.isfinite(draws).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_same_draws(seed):
    def log_density(vectors):
        return -vectors.square().square().sum(dim=-1)

    first, again = (
        explore(log_density, vector(0.1, 0.1), generator(seed)) for _ in range(2)
    )
    assert (first == again).all()
    assert len(torch.unique(first[:, 0])) > len(first) // 2
