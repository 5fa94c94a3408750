"""The network: parts add up, and the context does as it is told."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from network_problems import (
    FREE_SIGN,
    LAG,
    POOLED,
    K,
    M,
    R,
    S,
    T,
    entries_of,
    make_problem,
    tensor,
)
from skmmm._model import ADSTOCKS
from skmmm._model.context import draw_context
from skmmm._model.expectations import prior_effects
from skmmm._model.inputs import Inputs
from skmmm._model.priors import MISFIT, MISFIT_ALWAYS_ON
from skmmm._model.saturation import BEND, EXPECTED, none_or_more
from skmmm._model.spikes import find_spikes


def test_parts_add_up():
    network, inputs, _ = make_problem()
    parts = network(inputs)
    assert parts.media.shape == (1, R, M, T)
    assert parts.controls.shape == (1, R, K, T)
    expected = parts.baseline + parts.controls.sum(dim=2) + parts.media.sum(dim=2)
    assert_array_equal(parts.total, expected)


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_effect_is_that_of_a_channels_own_spend(adstock):
    network, inputs, _ = make_problem(adstock)
    media = inputs.media.clone().requires_grad_()
    moved = Inputs(**{**vars(inputs), "media": media})
    effects = network(moved).media[0]  # (R, M, T)
    for m in range(M):
        (slope,) = torch.autograd.grad(effects[:, m].sum(), media, retain_graph=True)
        others = [other for other in range(M) if other != m]
        assert (slope[:, others] == 0).all()
        if not FREE_SIGN[m]:
            assert (effects[:, m] >= 0).all()
            assert (slope[:, m][inputs.known == 1] >= 0).all()
    silent = Inputs(**{**vars(inputs), "media": torch.zeros_like(inputs.media)})
    assert_allclose(network(silent).media, 0.0, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("level", [1.0, 0.1], ids=["few", "many"])
def test_spikes_count_as_far_as_they_are_believed(share, gaps, level):
    network, inputs, _ = make_problem()
    inputs = replace(inputs, high=level * inputs.high)
    if not gaps:
        inputs = replace(inputs, known=torch.ones_like(inputs.known))
    of_spiked = torch.where(network.channel_priors.spiked[:, None], 1.0, 0.0)
    cells = find_spikes(inputs.media * of_spiked, inputs.high)
    assert (cells is None) == (level < 1.0)
    values = network.values()
    values["spike_logit"] = torch.logit(tensor([[share] * M]))
    media, high = inputs.media.numpy(), inputs.high.numpy()
    believed = np.where(media > high, high * (media / high) ** share, media)
    # Only the second channel has spikes.
    believed = np.where(np.arange(M)[:, None] == 1, believed, media)
    assert np.allclose(believed, media) == (share == 1.0)
    expected = network.adstocked(values, tensor(believed), inputs.known)
    got = network.carried_over(values, inputs)
    assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_impulse_response_sums_to_one(adstock):
    network, _, _ = make_problem(adstock)
    response = network.impulse_response(network.values())
    assert response.shape == (1, M, LAG + 1)
    assert (response >= 0).all()
    assert_allclose(response.sum(dim=-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("channel", range(M))
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_one_channel_alone_does_what_it_does_among_others(adstock, channel, share):
    network, inputs, _ = make_problem(adstock)
    network.independent_share = share
    together = network(inputs).media
    own = inputs.media[:, channel : channel + 1]
    alone = network.channel_effects([channel], inputs, own)
    assert_allclose(alone[:, :, 0], together[:, :, channel], rtol=1e-12)
    twice = Inputs(**{**vars(inputs), "media": 2.0 * inputs.media})
    double = network.channel_effects([channel], inputs, 2.0 * own)
    expected = network(twice).media[:, :, channel]
    assert_allclose(double[:, :, 0], expected, rtol=1e-12)


def without_misfit(network):
    shared = network.shared.clone()
    shared[:, entries_of(network, "misfit")] = 0.0
    return network.at(shared, network.regional)


def test_misfit_moves_effects_and_no_row():
    network, inputs, target = make_problem()
    shared = network.shared.clone()
    shared[:, entries_of(network, "misfit")] = 2.0
    other = network.at(shared, network.regional)
    exact = without_misfit(network)
    assert_array_equal(other.total(inputs), exact.total(inputs))
    assert_allclose(other(inputs).total, exact(inputs).total, rtol=1e-12)
    spread = network.channel_priors.misfit_spread
    expected = torch.exp(2.0 * spread)[:, None] * exact(inputs).media
    assert_allclose(other(inputs).media, expected, rtol=1e-12, atol=1e-15)
    assert_allclose(
        other.surprises(inputs, target.share), exact.surprises(inputs, target.share)
    )


def test_regions_on_one_curve_in_spend_per_head():
    network, inputs, _ = make_problem()
    network.channel_priors = replace(
        network.channel_priors, spiked=torch.zeros(M, dtype=torch.bool)
    )
    shared = network.shared.clone()
    found = {}
    for sign in (-1.0, 1.0):
        shared[:, entries_of(network, "per_head")] = sign * 40.0
        found[sign] = network.at(shared.clone(), network.regional)
    per_head = inputs.media * torch.exp(inputs.intensity)[..., None]
    assert inputs.intensity.abs().min() > 1e-3
    assert_allclose(
        found[1.0](inputs).media,
        found[-1.0](replace(inputs, media=per_head)).media,
        rtol=1e-9,
    )


def test_misfit_is_wide_where_spend_never_stops_and_narrow_beside_a_users_prior():
    priors = make_problem()[0].channel_priors
    # Least spend of 0, .15 and .3; the last has a prior of its own, .3 wide.
    always_on = math.hypot(MISFIT, MISFIT_ALWAYS_ON)
    assert_allclose(priors.misfit_spread, [MISFIT, always_on, 0.3 / 4.0])


def test_masked_effects_move_no_row():
    network, inputs, _ = make_problem()
    network = without_misfit(network)
    assert (network.visible_share == 1.0).all()
    assert network.confounding(network.values(), inputs) is None
    all_shown = network(inputs)
    assert_allclose(network.total(inputs), all_shown.total, rtol=1e-12)
    network.independent_share = 0.3
    assert (network.visible_share < 1.0).all()
    one = network(inputs)
    assert_allclose(network.total(inputs), one.total, rtol=1e-12)
    shared = network.shared.clone()
    shared[:, entries_of(network, "masked")] += 1.0
    other = network.at(shared, network.regional)
    assert_array_equal(other.total(inputs), network.total(inputs))
    moved = other(inputs).media - one.media
    own = ~torch.tensor(POOLED)
    assert_array_equal(moved[:, :, own], 0.0)
    assert (moved[:, :, ~own].abs().amax(dim=(0, 1, 3)) > 0.0).all()
    assert_allclose(other(inputs).total, one.total, rtol=1e-12)


def test_a_doubted_effect_is_anything_from_nothing_to_what_it_seems():
    network, inputs, _ = make_problem()
    seems = network(inputs)
    network = network.doubting(torch.tensor([True, False, True]))
    found = {}
    for genuine in (-9.0, 0.0, 9.0):
        shared = network.shared.clone()
        shared[:, entries_of(network, "genuine")] = genuine
        parts = network.at(shared, network.regional)(inputs)
        assert_allclose(parts.total, seems.total, rtol=1e-12)
        assert_array_equal(parts.media[:, :, 1:], seems.media[:, :, 1:])
        found[genuine] = parts.media[:, :, 0]
    assert_allclose(found[-9.0], 0.0, atol=1e-15)
    assert_allclose(found[0.0], 0.5 * seems.media[:, :, 0], rtol=1e-12)
    assert_allclose(found[9.0], seems.media[:, :, 0], rtol=1e-12)
    assert_array_equal(network.trusting()(inputs).media, seems.media)


def test_of_a_consequence_of_the_kpi_no_row_shows_an_effect():
    network, inputs, _ = make_problem()
    first = torch.arange(M) == 0
    priors = replace(network.channel_priors, shown=~first)
    network.channel_priors = priors
    expected = network(inputs)
    assert_array_equal(network.visible_share, (~first).to(torch.float64))
    spend = torch.where(first[:, None], 3.0 * inputs.media, inputs.media)
    assert_array_equal(
        network.total(replace(inputs, media=spend)), network.total(inputs)
    )
    assert (expected.media[:, :, 0] > 0).any()
    assert_allclose(network.total(inputs), expected.total, rtol=1e-12)
    shared = network.shared.clone()
    shared[:, entries_of(network, "genuine")] = -9.0
    doubting = network.at(shared, network.regional).doubting(first)
    assert_allclose(doubting(inputs).media[:, :, 0], 0.0, atol=1e-15)
    assert_array_equal(doubting(inputs).media[:, :, 1:], expected.media[:, :, 1:])
    shared[:, entries_of(network, "genuine")] = 9.0
    doubting = network.at(shared, network.regional).doubting(first)
    assert_allclose(doubting(inputs).media, expected.media, rtol=1e-12)


def test_prior_of_an_effect_is_the_same_whatever_part_of_it_shows():
    network, inputs, target = make_problem()
    found = {}
    for share in (1.0, 1e-3):
        network.independent_share = share
        effects = prior_effects(network, 4000, inputs, target.share)
        found[share] = torch.quantile(effects, tensor([0.05, 0.5, 0.95]), dim=0)
    pooled = torch.tensor(POOLED)
    assert_allclose(found[1.0][:, pooled], found[1e-3][:, pooled], rtol=0.1, atol=5e-3)
    assert_array_equal(found[1.0][:, ~pooled], found[1e-3][:, ~pooled])


def test_effects_are_none_or_more():
    below, above = torch.linspace(-9.0, 0.0, 19), torch.linspace(BEND, 9.0, 19)
    assert_array_equal(none_or_more(below.double()), 0.0)
    assert_allclose(none_or_more(above.double()), above - BEND / 2.0, rtol=1e-6)
    assert none_or_more(tensor(EXPECTED)).item() == pytest.approx(1.0)
    # Value and slope agree where the pieces meet.
    for place, slope in ((1e-9, 0.0), (BEND - 1e-9, 1.0)):
        at = tensor(place).requires_grad_()
        (found,) = torch.autograd.grad(none_or_more(at), at)
        assert found.item() == pytest.approx(slope, abs=1e-6)
        ends = none_or_more(tensor([place - 1e-6, place + 1e-6]))
        assert_allclose(ends.diff(), slope * 2e-6, atol=1e-11)


# --- context ------------------------------------------------------------------------

N_UNITS = 4  # two that watch time alone, two that mix all columns


def make_context(n_regions=R, n_controls=K, seed=0):
    """Return drawn weights with columns and observed cells to read."""
    generator = torch.Generator().manual_seed(seed)
    context = draw_context(N_UNITS, S, n_controls, n_regions, generator)
    columns = torch.randn(
        n_regions, S + 1 + n_controls, T, generator=generator, dtype=torch.float64
    )
    observed = torch.ones(n_regions, T, dtype=torch.float64)
    observed[0, 5] = observed[-1, 9:11] = 0.0
    return context, columns, observed


def test_states_are_those_of_a_gated_unit():
    context, columns, _ = make_context()
    gate_weight, candidate_weight = context.weight.numpy()
    gate_bias, candidate_bias = context.bias.numpy()
    state, expected = np.zeros((R, N_UNITS)), []
    for seen in np.moveaxis(columns.numpy(), 2, 0):
        gate = 1.0 / (1.0 + np.exp(-(seen @ gate_weight.T + gate_bias)))
        candidate = np.tanh(seen @ candidate_weight.T + candidate_bias)
        state = (1.0 - gate) * state + gate * candidate
        expected.append(state)
    expected = np.stack(expected, axis=-1)
    assert_allclose(context.states(columns), expected, rtol=1e-10, atol=1e-14)


def test_states_have_mean_zero_over_observed_cells():
    context, columns, observed = make_context()
    before = context.states(columns)
    centred = context.centred(columns, observed)
    states = centred.states(columns)
    assert_allclose((states * observed[:, None]).sum(dim=2), 0.0, atol=1e-12)
    # Masked cells are moved as the others are, but do not count.
    moved = (before - states).numpy()
    assert_allclose(moved, np.broadcast_to(moved[..., :1], moved.shape), atol=1e-14)
    again = centred.centred(columns, observed)
    assert_allclose(again.mean, centred.mean, atol=1e-14)


def test_region_without_observed_cells_keeps_its_states():
    context, columns, observed = make_context()
    observed[1] = 0.0
    states = context.centred(columns, observed).states(columns)
    assert_array_equal(states[1], context.states(columns)[1])


def test_order_of_controls_does_not_matter_to_the_states():
    context, columns, _ = make_context(n_controls=3)
    order = [*range(S + 1), S + 3, S + 1, S + 2]
    got = context.states(columns[:, order])
    assert_allclose(got, context.states(columns), rtol=1e-12, atol=1e-14)


def test_every_other_unit_watches_time_alone():
    context, columns, _ = make_context()
    other = torch.randn_like(columns)
    other[:, S] = columns[:, S]
    same, changed = context.states(columns), context.states(other)
    assert_array_equal(same[:, ::2], changed[:, ::2])
    assert (same[:, 1::2] != changed[:, 1::2]).all()


def test_states_of_regions_beyond_training():
    context, columns, observed = make_context()
    context = context.centred(columns, observed)
    more = torch.cat([columns, columns[:2]])
    states = context.states(more)
    assert_array_equal(states[:R], context.states(columns))
    # The columns of the first region, less the mean of all.
    expected = states[0] + (context.mean[0] - context.mean.mean(dim=0))[:, None]
    assert_allclose(states[R], expected, atol=1e-14)


@pytest.mark.parametrize("n_controls", [0, K])
def test_context_repeats_with_its_generator(n_controls):
    first, second, other = (
        make_context(n_controls=n_controls, seed=seed)[0] for seed in (3, 3, 4)
    )
    assert_array_equal(first.weight, second.weight)
    assert_array_equal(first.bias, second.bias)
    assert not torch.equal(first.weight, other.weight)


# --- parameters ---------------------------------------------------------------------


def test_regions_never_seen_deviate_from_none():
    network, _, _ = make_problem()
    values = network.extended(2).values()
    own = network.values()
    for name in ("intercept", "noise_log", "season", "half_saturation_log"):
        alone = values[name][:, R:]
        average = network.at(network.shared, 0.0 * network.regional).values()[name]
        assert_allclose(alone, average[:, :2], rtol=1e-12)
        assert_array_equal(values[name][:, :R], own[name])
