"""Losses are densities: they integrate to one and know their quantiles."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import integrate, stats

from network_problems import GAUSS, LOSSES, tensor
from skmmm._model.likelihood import (
    Loss,
)

# --- loss ---------------------------------------------------------------------------


def density(loss):
    return lambda error: math.exp(-loss(tensor(error)).item())


def area(loss, low, high):
    delta = loss.shape if loss.kind == "huber" else 3.0
    knots = [low, *(k for k in (-delta, 0.0, delta) if low < k < high), high]
    pieces = itertools.pairwise(knots)
    return sum(integrate.quad(density(loss), *piece)[0] for piece in pieces)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_density_integrates_to_one(loss):
    assert area(loss, -np.inf, np.inf) == pytest.approx(1.0, rel=1e-7)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_quantiles_invert_the_distribution(loss):
    probability = np.array([0.001, 0.05, 0.2, 0.4, 0.5, 0.7, 0.95, 0.999])
    quantiles = loss.quantiles(probability)
    assert (np.diff(quantiles) > 0).all()
    assert_allclose(quantiles[4], 0.0, atol=1e-12)
    reached = [area(loss, -np.inf, quantile) for quantile in quantiles]
    assert_allclose(reached, probability, rtol=1e-6)


def test_known_densities():
    error = torch.linspace(-6.0, 6.0, 25, dtype=torch.float64)
    student = Loss("student_t", 5.0)(error)
    assert_allclose(student, -stats.t.logpdf(error, 5.0), rtol=1e-12)
    assert_allclose(GAUSS(error), -stats.norm.logpdf(error), rtol=1e-12)
    probability = np.array([0.01, 0.3, 0.9])
    quantiles = GAUSS.quantiles(probability)
    assert_allclose(quantiles, stats.norm.ppf(probability), rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_weight_is_the_slope_over_the_error(loss):
    error = tensor([-5.0, -0.7, 0.1, 1.2, 9.0]).requires_grad_()
    (slope,) = torch.autograd.grad(loss(error).sum(), error)
    assert_allclose(loss.weight(error.detach()), slope / error.detach(), rtol=1e-12)
