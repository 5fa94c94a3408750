"""The level: what a filter says of it, by dense matrices."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from network_problems import tensor
from skmmm._model.level import innovations, smooth_level

# --- level --------------------------------------------------------------------------


def dense_level(residual, observed, persistence, noise, shock):
    """Return mean and covariance of a level given residuals, by dense matrices."""
    times = np.arange(len(residual))
    prior = persistence ** np.abs(times[:, None] - times) * shock / (1 - persistence**2)
    seen = np.flatnonzero(observed)
    among = prior[np.ix_(seen, seen)] + noise * np.eye(len(seen))
    pull = np.linalg.solve(among, prior[seen]).T
    return pull @ residual[seen], prior - pull @ prior[seen]


def steady(gain, persistence, scale=1.0):
    """Return the variances of noise and shock, from the steady-state Kalman gain."""
    # P = persistence^2 (1 - gain) P + shock and gain = P / (P + noise), P + noise = 1.
    before = gain * scale**2
    return scale**2 - before, before - persistence**2 * (1 - gain) * before


def test_level_given_all_residuals(rng):
    gain, persistence = np.array([0.3, 0.8]), np.array([0.95, 0.6])
    scale = rng.uniform(0.5, 2.0, (2, 3))
    residual = rng.normal(size=(2, 3, 12))
    observed = (rng.uniform(size=(3, 12)) > 0.3).astype(float)
    observed[1, :3] = observed[2, -2:] = 0.0
    level = smooth_level(
        tensor(residual), tensor(observed), *map(tensor, (gain, persistence, scale))
    )
    # Four periods before and five after the window, of which nothing was seen.
    beyond = torch.arange(-4, 17)
    mean, variance = level.at(beyond)
    for e, r in np.ndindex(2, 3):
        noise, shock = steady(gain[e], persistence[e], scale[e, r])
        expected, covariance = dense_level(
            np.pad(residual[e, r], (4, 5)),
            np.pad(observed[r], (4, 5)),
            persistence[e],
            noise,
            shock,
        )
        assert_allclose(mean[e, r], expected, atol=1e-10)
        assert_allclose(variance[e, r], np.diag(covariance), atol=1e-10)


def test_innovations_are_those_of_the_filter_once_settled(rng):
    gain, persistence = 0.35, 0.9
    noise, shock = steady(gain, persistence)
    residual = rng.normal(size=60)
    got = innovations(
        tensor(residual)[None, None],
        torch.ones(1, 60, dtype=torch.float64),
        tensor([gain]),
        tensor([persistence]),
    )[0, 0]
    for t in range(48, 60):
        past = np.arange(60) < t
        mean, covariance = dense_level(residual, past, persistence, noise, shock)
        assert got[t].item() == pytest.approx(residual[t] - mean[t], abs=1e-8)
        assert covariance[t, t] + noise == pytest.approx(1.0, abs=1e-8)


def test_innovations_skip_masked_cells(rng):
    gain, persistence = rng.uniform(0.1, 0.9, (2, 2))
    residual = rng.normal(size=(2, 3, 12))
    observed = (rng.uniform(size=(3, 12)) > 0.3).astype(float)
    level, expected = np.zeros((2, 3)), np.empty_like(residual)
    for t in range(12):
        level = persistence[:, None] * level
        expected[..., t] = residual[..., t] - level
        level = level + gain[:, None] * observed[:, t] * expected[..., t]
    got = innovations(
        tensor(residual), tensor(observed), tensor(gain), tensor(persistence)
    )
    assert_allclose(got, expected, atol=1e-12)
    # Whatever stands in a masked cell does not matter elsewhere.
    wild = np.where(observed, residual, 1e6)
    again = innovations(
        tensor(wild), tensor(observed), tensor(gain), tensor(persistence)
    )
    seen = np.broadcast_to(observed == 1, got.shape)
    assert_allclose(again.numpy()[seen], expected[seen], atol=1e-9)


@pytest.mark.parametrize("n_draws", [1, 2])
def test_innovations_have_derivatives(rng, n_draws):
    # One gain for several residuals, or one each; rows that count less or not at all.
    precision = tensor(rng.uniform(0.2, 2.0, (3, 7)))
    precision[0, 2] = precision[1, :2] = precision[2, -1] = 0.0
    residual = tensor(rng.normal(size=(2, 3, 7))).requires_grad_()
    gain, persistence = (
        tensor(rng.uniform(0.1, 0.9, n_draws)).requires_grad_() for _ in range(2)
    )

    def left(residual, gain, persistence):
        return innovations(residual, precision, gain, persistence)

    assert torch.autograd.gradcheck(left, (residual, gain, persistence))


def test_level_of_a_region_never_seen(rng):
    scale = tensor(rng.uniform(0.5, 2.0, (1, 3)))
    level = smooth_level(
        tensor(rng.normal(size=(1, 3, 12))),
        torch.ones(3, 12, dtype=torch.float64),
        tensor([0.3]),
        tensor([0.95]),
        scale,
    ).extended(2)
    mean, variance = level.at(torch.arange(20))
    assert_array_equal(mean[:, 3:], 0.0)
    long_run = level.shock[0, :3].mean() / (1 - 0.95**2)
    assert_allclose(variance[:, 3:], long_run, rtol=1e-9)
