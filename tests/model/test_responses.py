"""Effects of all channels summed in blocks, with derivatives by hand; and spikes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import M, R, T, make_problem
from skmmm._model import responses, spikes
from skmmm._model.adstock import carry
from skmmm._model.responses import summed_effects
from skmmm._model.saturation import hill
from skmmm._model.spikes import damped_spikes, find_spikes, take_excess

E, L, H = 2, 3, 2


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture(params=[0, H], ids=["constant", "drifting"])
def curves(request):
    """Arguments of `summed_effects`, some spend nothing, one effect nothing."""
    media = randn(R, M, L + T).clamp_min(0.0)
    media[0, 1] = 0.0
    kernel = torch.softmax(randn(E, M, L + 1), dim=-1)
    size = randn(E, R, M)
    size[..., -1] = 0.0
    drift, states = 0.3 * randn(E, M, request.param), randn(R, request.param, T)
    half, slope = 0.3 * randn(E, R, M), torch.exp(0.3 * randn(E, M))
    return carry(media, kernel), half, slope, size, drift, states


def plainly_summed(adstock, half, slope, size, drift, states):
    """Return the same channel by channel, with derivatives by autograd."""
    response = hill(adstock, half[..., None], slope[:, None, :, None])
    drifted = torch.exp(torch.einsum("emh,rht->ermt", drift, states))
    return (size[..., None] * drifted * response).sum(dim=2)


def with_gradients(function, arguments):
    *free, states = arguments
    free = [part.clone().requires_grad_() for part in free]
    total = function(*free, states)
    pull = randn(*total.shape, seed=1)
    gradients = torch.autograd.grad((total * pull).sum(), free)
    return total.detach(), *gradients


@pytest.mark.parametrize("block", [1, 2**18], ids=["region by region", "at once"])
def test_sum_and_its_derivatives(curves, block, monkeypatch):
    monkeypatch.setattr(responses, "_BLOCK", block)
    found = with_gradients(summed_effects, curves)
    expected = with_gradients(plainly_summed, curves)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_derivatives_can_be_asked_for_twice(curves):
    *free, _ = curves
    free = [part.clone().requires_grad_() for part in free]
    total = summed_effects(*free, curves[-1]).sum()
    first = torch.autograd.grad(total, free, retain_graph=True)
    for once, again in zip(first, torch.autograd.grad(total, free), strict=True):
        assert torch.equal(once, again)


def test_no_spend_has_no_response_however_steep_the_curve_starts(curves):
    adstock, half, slope, *rest = curves
    flat = torch.zeros_like(adstock), half, 0.02 * slope, *rest
    for part in with_gradients(summed_effects, flat):
        assert not part.any()


def test_states_are_constant(curves):
    *others, states = curves
    with pytest.raises(ValueError, match="no derivative by states"):
        summed_effects(*others, states.clone().requires_grad_())


def test_one_value_for_all_regions(curves):
    adstock, half, slope, size, *drift = curves
    same = adstock, half[:, :1], slope, size[:, :1], *drift
    every = adstock, half[:, :1].expand(-1, R, -1), slope, size[:, :1], *drift
    assert_allclose(summed_effects(*same), plainly_summed(*every))


def test_single_precision(curves):
    rough = summed_effects(*(part.to(torch.float32) for part in curves))
    assert rough.dtype == torch.float32
    assert_allclose(rough, summed_effects(*curves), atol=1e-5)


@pytest.mark.parametrize("adstock", ["geometric", "gru"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("ordered", [True, False])
def test_total_is_the_sum_of_parts(adstock, gaps, ordered):
    network, inputs, _ = make_problem(adstock, level=ordered)
    if not gaps:
        inputs = replace(inputs, known=torch.ones_like(inputs.known))
    for scale in (0.1, 10.0):  # many spikes, and few
        inputs = replace(inputs, high=scale * inputs.high)
        shared = torch.cat([network.shared, 0.5 * network.shared])
        twin = network.at(shared, network.regional.expand(2, -1, -1))
        parts = replace(
            twin(inputs), media=twin.visible_media_effects(twin.values(), inputs)
        )
        confounding = twin.confounding(twin.values(), inputs)
        baseline = parts.baseline - (0.0 if confounding is None else confounding)
        expected = baseline + parts.controls.sum(dim=2) + parts.media.sum(dim=2)
        assert_allclose(twin.total(inputs), expected)


# --- spikes -------------------------------------------------------------------------


@pytest.fixture
def spiky():
    """Media with a few spikes, what they stay below, and the share believed."""
    media = randn(R, M, L + T).abs()
    media[0, 0, 0] = media[1, 2, L + 4] = media[2, 1, -1] = 20.0
    high = torch.full((R, M, 1), 4.0, dtype=torch.float64)
    share, kernel = torch.rand(E, M).double(), torch.softmax(randn(E, M, L + 1), -1)
    return media, high, share, kernel


def test_excess_is_what_damping_takes_away(spiky):
    media, high, share, kernel = spiky
    cells = find_spikes(media, high)
    assert len(cells[0]) == 3
    found = take_excess(carry(media, kernel), media, high, share, kernel, cells)
    damped = damped_spikes(media, high, share[:, None, :, None])
    assert_allclose(found, carry(damped, kernel))


def test_excess_has_derivatives(spiky):
    media, high, share, kernel = spiky
    cells = find_spikes(media, high)

    def without(share, kernel):
        return take_excess(carry(media, kernel), media, high, share, kernel, cells)

    free = share.clone().requires_grad_(), kernel.clone().requires_grad_()
    assert torch.autograd.gradcheck(without, free)


def test_many_spikes_are_not_listed(spiky):
    media, high, *_ = spiky
    assert find_spikes(media, 0.0 * high) is None
    assert spikes.MANY < 1.0
    few = find_spikes(media, 100.0 * high)
    assert [len(part) for part in few] == [0, 0, 0]


def test_spike_counts_as_a_power_of_what_is_beyond():
    media = torch.tensor([0.0, 1.0, 2.0, 8.0], dtype=torch.float64)
    counts = damped_spikes(media, torch.tensor(2.0), torch.tensor(0.5))
    assert_allclose(counts, np.array([0.0, 1.0, 2.0, 4.0]))
