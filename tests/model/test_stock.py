"""Slow stocks: when effects arrive, and what they leave."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import (
    LAG,
    M,
    R,
    T,
    answer_by_differences,
    entries_of,
    gradient_of,
    make_problem,
)
from skmmm._model import ADSTOCKS
from skmmm._model.jacobian import jacobian
from skmmm._model.likelihood import errors
from skmmm._model.network import OutcomeNetwork
from skmmm._model.origins import origin_fractions
from skmmm._model.scaling import ScaledChannel
from skmmm._model.stock import arriving, fade, kept, remains, shares, split_in_time

SLOW = torch.tensor([6.0, 0.0, 6.0]).double()


def slow_problem(adstock="geometric", **options):
    """Return a problem two of whose channels have a stock, at random parameters."""
    network, inputs, target = make_problem(adstock, **options)
    usual = torch.tensor([0.9, 0.5, 0.7]).double()
    channels = replace(network.channel_priors, stock=SLOW, usual=usual)
    slow = OutcomeNetwork(
        network.sizes,
        adstock=adstock,
        free_sign=network.free_sign,
        channel_priors=channels,
        level=True,
    )
    chance = torch.Generator().manual_seed(5)
    shared = 0.5 * torch.randn(slow.shared.shape, generator=chance).double()
    slow = slow.at(shared, network.regional)
    age = torch.arange(T, dtype=torch.float64).expand(R, T)
    return slow, replace(inputs, age=age), target


def by_hand(effects, share, keep):
    """Return effects, (T,), as they arrive, week by week."""
    found, late = [], 0.0
    for one in effects:
        late = keep * late + (1.0 - keep) * share * one
        found.append((1.0 - share) * one + late)
    return found


def test_effects_arrive_as_the_recursion_says():
    network, inputs, _ = slow_problem()
    values = network.values()
    before = network.effects_before_stock(values, inputs)
    found = network.media_effects(values, inputs)
    share, keep = shares(network.channel_priors, values)[0], kept(values).item()
    assert share[1] == 0.0
    assert_allclose(found[:, :, 1], before[:, :, 1])
    for r in range(R):
        for m in (0, 2):
            expected = by_hand(before[0, r, m].tolist(), share[m].item(), keep)
            assert_allclose(found[0, r, m], expected, rtol=1e-10)


def test_steady_effects_come_to_the_same_with_a_stock_and_nothing_is_lost():
    keep = torch.tensor([0.8]).double()
    steady = fade(torch.ones(1, 200).double(), keep)
    assert_allclose(steady[0, -1], 1.0)
    pulse = torch.zeros(1, 200).double()
    pulse[0, 3] = 2.0
    late = fade(pulse, keep)
    assert_allclose(late.sum(), 2.0)
    left = late[0, 9] * 0.8 / 0.2  # what the stock still holds after some period
    assert_allclose(late[0, 10:].sum(), left)


def test_half_of_a_stock_has_come_out_after_a_half_life():
    values = {"stock_life_log": torch.tensor([np.log(26.0)])}
    assert_allclose(kept(values).item() ** 26, 0.5)


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_sum_of_channels_is_that_of_single_ones(adstock):
    network, inputs, _ = slow_problem(adstock)
    values = network.values()
    found = network.visible_media_effects(values, inputs).sum(dim=2)
    assert_allclose(network.visible_total(values, inputs), found, rtol=1e-9)
    at_once, late = split_in_time(
        network.channel_priors, values, network.effects_before_stock(values, inputs)
    )
    assert_allclose(at_once + late, network.media_effects(values, inputs))


@pytest.mark.parametrize("name", ["stock_share_logit", "stock_life_log", "stock_start"])
def test_derivatives_by_parameters_of_stocks(name):
    network, inputs, target = slow_problem()
    where = entries_of(network, name)
    (prior,) = (p for p in network.shared_priors if p.name == name)
    got = jacobian(network, inputs, target, "shared", [(prior, where)])
    for k, entry in enumerate(range(where.start, where.stop)):
        expected = answer_by_differences(network, inputs, target, "shared", entry)
        assert_allclose(got[k], expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", ["effect", "context_effect", "slope_log"])
def test_derivatives_of_others_know_the_stock(name):
    network, inputs, target = slow_problem()
    where = entries_of(network, name)
    (prior,) = (p for p in network.shared_priors if p.name == name)
    got = jacobian(network, inputs, target, "shared", [(prior, where)])
    expected = answer_by_differences(network, inputs, target, "shared", where.start)
    assert_allclose(got[0], expected, rtol=1e-4, atol=1e-8)


def test_regional_effects_know_the_stock():
    network, inputs, target = slow_problem()
    (where,) = (
        w for p, w in network.regional_priors.positions() if p.name == "effect_log"
    )
    (prior,) = (p for p in network.regional_priors if p.name == "effect_log")
    got = jacobian(network, inputs, target, "regional", [(prior, where)])
    expected = answer_by_differences(network, inputs, target, "regional", where.start)
    assert_allclose(got[0], expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", ["stock_share_logit", "stock_life_log", "stock_start"])
def test_gradient_is_that_of_differences(name):
    network, inputs, target = slow_problem()

    def loss(twin):
        return errors(twin, inputs, target).square().sum()

    gradient, where = gradient_of(loss, network)[0][0], entries_of(network, name)
    for entry in range(where.start, where.stop):
        ends = []
        for step in (1e-5, -1e-5):
            shared = network.shared.clone()
            shared[0, entry] += step
            ends.append(loss(network.at(shared, network.regional)).item())
        expected = (ends[0] - ends[1]) / 2e-5
        assert_allclose(gradient[entry], expected, rtol=1e-5, atol=1e-8)


def test_what_stood_there_first_fades_and_belongs_to_the_baseline():
    network, inputs, _ = slow_problem()
    values = network.values()
    found = remains(network, values, inputs)
    keep = kept(values).item()
    assert_allclose(found[0, :, 0, 1:] / found[0, :, 0, :-1], keep)
    assert (found[0, :, 1] == 0.0).all()
    parts = network.baseline_parts(values, inputs)
    assert_allclose(parts["earlier media"], found.sum(dim=2))
    silent = replace(inputs, media=torch.zeros_like(inputs.media))
    assert_allclose(remains(network, values, silent), found)
    assert (network.media_effects(values, silent) == 0.0).all()


@pytest.mark.parametrize("factor", [0.0, 0.7, 2.0])
def test_scaled_channels_have_their_stock(factor):
    network, inputs, _ = slow_problem("weibull")
    own = inputs.media.clone()
    own[..., : LAG + 5] = 0.0
    weight = torch.rand(R, T, generator=torch.Generator().manual_seed(0)).double()
    values = network.values()
    media = inputs.media + (factor - 1.0) * own
    expected = (
        network.media_effects(values, replace(inputs, media=media)) * weight[:, None]
    )
    for channel in range(M):
        moves, rest = own[:, [channel]], (inputs.media - own)[:, [channel]]
        one = ScaledChannel(network, channel, inputs, moves, rest, weight)
        assert_allclose(one.effects(factor), expected[:, :, channel], rtol=1e-7)
        some = one.in_regions(slice(1, 3))
        assert_allclose(some.effects(factor), expected[:, 1:3, channel], rtol=1e-7)


def test_channels_by_themselves_are_those_of_all():
    network, inputs, _ = slow_problem()
    every = network.media_effects(network.values(), inputs)
    for channels in ([0], [1], [2, 1]):
        found = network.channel_effects(channels, inputs, inputs.media[:, channels])
        assert_allclose(found, every[:, :, channels])


def test_origins_share_what_comes_out_of_a_stock_as_it_went_in():
    network, inputs, _ = slow_problem()
    generator = torch.Generator().manual_seed(1)
    share = torch.rand(R, 1, T, generator=generator).double()
    shares_of = torch.stack([share, 1.0 - share])  # of channel 0: from 0 and 1
    origins, driven = np.array([0, 1]), np.array([0])
    found = origin_fractions(network, origins, driven, inputs, shares_of)
    assert_allclose(found.sum(dim=0), 1.0)
    none = replace(network.channel_priors, stock=None, usual=None)
    fast = network.at(network.shared, network.regional)
    fast.channel_priors = none
    before = origin_fractions(fast, origins, driven, inputs, shares_of)
    twin, values = network.among(driven)
    own = inputs.among(driven, inputs.media[:, driven])
    effects = twin.effects_before_stock(values, own)
    one = arriving(twin.channel_priors, values, effects * before[0])
    total = arriving(twin.channel_priors, values, effects)
    assert_allclose(found[0], (one / total)[0])
