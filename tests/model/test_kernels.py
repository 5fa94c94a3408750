"""Kernels of carry-over, recurrences and saturation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from network_problems import tensor
from skmmm._model import ADSTOCKS
from skmmm._model.adstock import (
    carry,
    carry_known,
    delayed_kernel,
    free_kernel,
    geometric_kernel,
    linear_scan,
    recurrent_carry,
    weibull_kernel,
)
from skmmm._model.saturation import hill

# --- kernels ------------------------------------------------------------------------


def kernels(rng, max_lag):
    """Return each kernel for two draws of three channels, with a plain definition."""
    decay = rng.uniform(0.02, 0.98, (2, 3))
    delay = rng.uniform(0.0, 5.0, (2, 3))
    shape, scale = rng.uniform(0.5, 4.0, (2, 2, 3))
    steps = rng.normal(size=(2, 3, max_lag))

    def at(weight):
        return np.array([weight(lag) for lag in range(max_lag + 1)]).transpose(1, 2, 0)

    return {
        "geometric": (
            geometric_kernel(tensor(decay), max_lag),
            at(lambda lag: decay**lag),
        ),
        "delayed": (
            delayed_kernel(tensor(decay), tensor(delay), max_lag),
            at(lambda lag: decay ** ((lag - delay) ** 2)),
        ),
        "weibull": (
            weibull_kernel(tensor(shape), tensor(scale), max_lag),
            at(lambda lag: stats.weibull_min.pdf(lag + 0.5, shape, scale=scale)),
        ),
        "free": (
            free_kernel(tensor(steps)),
            at(lambda lag: np.exp(steps[..., :lag].sum(axis=-1))),
        ),
    }


@pytest.mark.parametrize("max_lag", [0, 1, 13])
@pytest.mark.parametrize("name", [name for name in ADSTOCKS if name != "gru"])
def test_kernel(rng, name, max_lag):
    kernel, weight = kernels(rng, max_lag)[name]
    assert kernel.shape == (2, 3, max_lag + 1)
    assert_allclose(kernel.sum(dim=-1), 1.0, rtol=1e-14)
    assert_allclose(kernel, weight / weight.sum(axis=-1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize(
    "kernel",
    [
        geometric_kernel(tensor([1e-300, 1 - 1e-16]), 8),
        delayed_kernel(tensor([1e-300, 1 - 1e-16]), tensor([7.3, 0.0]), 8),
        weibull_kernel(tensor([0.01, 50.0]), tensor([1e-3, 500.0]), 8),
        free_kernel(tensor([[300.0] * 8, [-300.0] * 8])),
    ],
)
def test_kernel_at_its_limits(kernel):
    assert torch.isfinite(kernel).all()
    assert_allclose(kernel.sum(dim=-1), 1.0, rtol=1e-14)


def loop_carry(media, kernel, known=None):
    """Carry over cell by cell, averaging over known lags."""
    n_draws, n_media, n_lags = kernel.shape
    n_regions, _, n_history = media.shape
    known = np.ones((n_regions, n_history)) if known is None else known
    out = np.empty((n_draws, n_regions, n_media, n_history - n_lags + 1))
    for e, r, m, t in np.ndindex(*out.shape):
        past = slice(t, t + n_lags)
        weight = kernel[e, m, ::-1] * known[r, past]
        out[e, r, m, t] = (weight * media[r, m, past]).sum() / weight.sum()
    return out


def test_carry(rng):
    media = rng.exponential(size=(3, 2, 17))
    kernel = rng.dirichlet(np.ones(5), size=(4, 2))
    got = carry(tensor(media), tensor(kernel))
    assert_allclose(got, loop_carry(media, kernel), rtol=1e-12)
    everything = torch.ones(3, 17, dtype=torch.float64)
    assert_array_equal(carry_known(tensor(media), everything, tensor(kernel)), got)


def test_carry_of_media_that_differ_between_draws(rng):
    media = tensor(rng.exponential(size=(4, 3, 2, 17)))
    known = tensor(rng.uniform(size=(3, 17)) > 0.3)
    kernel = tensor(rng.dirichlet(np.ones(5), size=(4, 2)))
    together = carry(media, kernel), carry_known(media, known, kernel)
    for e in range(4):
        one = slice(e, e + 1)
        assert_allclose(together[0][one], carry(media[e], kernel[one]), rtol=1e-12)
        alone = carry_known(media[e], known, kernel[one])
        assert_allclose(together[1][one], alone, rtol=1e-12)


def test_carry_over_masked_cells(rng):
    known = (rng.uniform(size=(3, 17)) > 0.3).astype(float)
    known[0] = 1.0
    known[:, 4:9] = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    media = rng.exponential(size=(3, 2, 17)) * known[:, None]
    kernel = rng.dirichlet(np.ones(5), size=(4, 2))
    got = carry_known(tensor(media), tensor(known), tensor(kernel))
    seen = np.array([[known[r, t : t + 5].any() for t in range(13)] for r in range(3)])
    expected = loop_carry(media, kernel, np.where(known, known, 1e-12))
    cells = np.broadcast_to(seen[:, None], expected.shape[1:])
    assert_allclose(got.numpy()[:, cells], expected[:, cells], rtol=1e-9)


def test_masked_cells_keep_steady_spend_steady():
    known = torch.ones(1, 20, dtype=torch.float64)
    known[0, 10:12] = 0.0
    kernel = geometric_kernel(tensor([[0.6]]), 5)
    carried = carry_known(7.0 * known[:, None], known, kernel)
    assert_allclose(carried, 7.0, rtol=1e-12)


# --- recurrences --------------------------------------------------------------------


@pytest.mark.parametrize("n_periods", [1, 2, 3, 8, 33])
def test_linear_scan(rng, n_periods):
    keep = rng.uniform(0.0, 1.0, (2, 3, n_periods))
    add = rng.normal(size=(2, 3, n_periods))
    state, expected = np.zeros((2, 3)), []
    for t in range(n_periods):
        state = keep[..., t] * state + add[..., t]
        expected.append(state)
    got = linear_scan(tensor(keep), tensor(add))
    assert_allclose(got, np.stack(expected, axis=-1), rtol=1e-12, atol=1e-14)


def test_linear_scan_broadcasts(rng):
    keep, add = tensor(rng.uniform(size=(4, 1, 1))), tensor(rng.normal(size=(3, 9)))
    full = linear_scan(keep.expand(4, 3, 9), add.expand(4, 3, 9))
    assert_array_equal(linear_scan(keep, add), full)


def test_recurrent_carry(rng):
    media = rng.exponential(size=(3, 2, 15))
    known = (rng.uniform(size=(3, 15)) > 0.2).astype(float)
    media *= known[:, None]
    gates = rng.uniform(0.05, 0.95, (4, 5, 2))
    keep, refresh, mix, late_keep = gates[:, :, None]  # (E, 1, M)
    expected = np.empty((5, 3, 2, 15))
    state = late = np.zeros((5, 3, 2))
    for t in range(15):
        x = media[None, ..., t]
        seen = known[None, :, None, t]
        forget = keep + refresh * (1 - keep) * x / (1 + x)
        state = np.where(seen, forget * state + (1 - keep) * x, state)
        late = late_keep * late + (1 - late_keep) * state
        expected[..., t] = (1 - mix) * state + mix * late
    got = recurrent_carry(tensor(media), tensor(known), *tensor(gates))
    assert_allclose(got, expected, rtol=1e-12)


def test_recurrent_carry_increases_with_spend_of_every_period(rng):
    media = tensor(rng.exponential(size=(1, 1, 12))).requires_grad_()
    gates = tensor(rng.uniform(0.05, 0.95, (4, 1, 1)))
    carried = recurrent_carry(media, torch.ones(1, 12, dtype=torch.float64), *gates)
    for t in range(12):
        (slope,) = torch.autograd.grad(carried[..., t].sum(), media, retain_graph=True)
        assert (slope[..., : t + 1] > 0).all()
        assert (slope[..., t + 1 :] == 0).all()


# --- saturation ---------------------------------------------------------------------


def test_hill(rng):
    x = rng.exponential(size=50)
    half, slope = 0.7, 1.6
    got = hill(tensor(x), tensor(np.log(half)), tensor(slope))
    assert_allclose(got, x**slope / (x**slope + half**slope), rtol=1e-10)
    middle = hill(tensor(half), tensor(np.log(half)), tensor(slope))
    assert middle == pytest.approx(0.5)


@pytest.mark.parametrize("slope", [0.4, 1.0, 3.0])
def test_hill_at_no_and_much_spend(slope):
    x = tensor([0.0, 1e-300, 1e-30, 1e30, 1e300]).requires_grad_()
    response = hill(x, tensor(0.0), tensor(slope))
    assert response[0] < 1e-18
    assert (response.diff() >= 0).all()
    assert response[-1].item() == pytest.approx(1.0)
    response.sum().backward()
    assert torch.isfinite(x.grad).all()
