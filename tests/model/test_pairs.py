"""What pairs of channels add: derivatives, credit, and networks of some channels."""

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import M, R, T, answer_by_differences, make_problem
from skmmm._model import ADSTOCKS
from skmmm._model.jacobian import jacobian
from skmmm._model.network import OutcomeNetwork
from skmmm._model.synergies import (
    among,
    credited,
    most_pairs,
    pair_terms,
    partners,
    slopes,
    strengths,
    together,
)

PAIRS = torch.tensor([[0, 1], [0, 2]])


def paired_problem(adstock="geometric", **others):
    """Return a problem in which channels form pairs, none of any sign."""
    network, inputs, target = make_problem(adstock, **others)
    paired = OutcomeNetwork(
        network.sizes,
        adstock=adstock,
        free_sign=torch.zeros(M, dtype=torch.bool),
        channel_priors=replace(network.channel_priors, pairs=PAIRS),
        level=network.level,
    )
    generator = torch.Generator().manual_seed(1)
    shape = paired.shared.shape
    paired.shared += 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    paired.regional = network.regional
    return paired, inputs, target


@pytest.fixture(scope="module")
def effects():
    generator = torch.Generator().manual_seed(0)
    shape = 2, R, M, T
    found = torch.rand(shape, generator=generator, dtype=torch.float64)
    found[..., 3:6] = 0.0
    found[:, :, 0, 7:9] = 0.0
    return found


STRENGTH = torch.tensor([[0.7, -0.5], [-0.4, 1.2]], dtype=torch.float64)


@pytest.mark.parametrize("level", [True, False])
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_jacobian(adstock, level):
    network, inputs, target = paired_problem(adstock, level=level)
    seen = set()
    for part in ("shared", "regional"):
        for prior, where in getattr(network, f"{part}_priors").positions():
            got = jacobian(network, inputs, target, part, [(prior, where)])
            if prior.acts == "scale":
                continue
            seen.add(prior.name)
            for answer, entry in zip(got, range(where.start, where.stop), strict=True):
                expected = answer_by_differences(network, inputs, target, part, entry)
                assert_allclose(answer, expected, atol=1e-6, err_msg=prior.name)
    assert "synergy_log" in seen


def test_credit_adds_up(effects):
    found = credited(effects, PAIRS, STRENGTH)
    added = STRENGTH[:, None, :, None] * pair_terms(effects, PAIRS)
    assert_allclose(found.sum(dim=2), effects.sum(dim=2) + added.sum(dim=2))
    assert_allclose(found[:, :, 1] - effects[:, :, 1], 0.5 * added[:, :, 0])
    assert credited(effects, None, None) is effects


def test_credit_is_the_shapley_value(effects):
    """Over both orders in which the channels of a pair can be switched on."""
    theta = STRENGTH[:, 1, None, None]
    first, second = effects[:, :, 0], effects[:, :, 2]
    both = first + second + theta * together(first, second)
    expected = 0.5 * (first + (both - second))
    assert_allclose(
        credited(effects, PAIRS[1:], STRENGTH[:, 1:])[:, :, 0], expected, atol=1e-15
    )


def test_slopes_are_derivatives(effects):
    moved = (effects + 0.1).requires_grad_()
    credited(moved, PAIRS, STRENGTH).sum().backward()
    assert_allclose(slopes(moved.detach(), PAIRS, STRENGTH), moved.grad, atol=1e-12)


def test_nothing_together_where_one_does_nothing(effects):
    dark = effects.clone()
    dark[:, :, 0] = 0.0
    assert_allclose(credited(dark, PAIRS, STRENGTH), dark)


def test_no_channel_causes_less_than_nothing(effects):
    """However far channels replace each other: of all pairs at once."""
    most = strengths(torch.full((2, 2), -50.0, dtype=torch.float64), PAIRS)
    assert_allclose(most, -0.5)
    assert (credited(effects, PAIRS, most) >= 0).all()
    assert (slopes(effects, PAIRS, most) >= 0).all()
    added = most[:, None, :, None] * pair_terms(effects, PAIRS)
    total = effects.sum(dim=2) + added.sum(dim=2)
    without = effects[:, :, 1:].sum(dim=2)
    assert (total - without >= -1e-12).all()


def test_beside_a_far_larger_partner():
    one, other = torch.tensor(1e-9).double(), torch.tensor(1.0).double()
    assert_allclose(together(one, other), one, rtol=1e-6)
    assert_allclose(together(other, other), 0.5)


def test_pairs_among_some_channels():
    kept, pairs = among(PAIRS, [2, 0])
    assert kept.tolist() == [False, True]
    assert pairs.tolist() == [[1, 0]]
    assert among(PAIRS, [1, 2])[1] is None
    assert most_pairs(PAIRS).tolist() == [2, 2]
    assert most_pairs(torch.tensor([[0, 1], [2, 3]])).tolist() == [1, 1]
    assert partners(PAIRS, [0]) == [1, 2]
    assert partners(PAIRS, [1]) == [0]
    assert partners(None, [1]) == []


def test_some_channels_know_their_pairs():
    network, inputs, _ = paired_problem()
    values = network.values()
    own = network.own_effects(values, inputs)
    found = network.channel_effects([2, 0], inputs, inputs.media[:, [2, 0]])
    theta = values["synergy"][:, 1:, None, None]
    half = 0.5 * theta[:, :, 0] * together(own[:, :, 0], own[:, :, 2])
    assert_allclose(found[:, :, 0], own[:, :, 2] + half)
    alone = network.channel_effects([1], inputs, inputs.media[:, [1]])
    assert_allclose(alone[:, :, 0], own[:, :, 1])


def test_prediction_is_what_the_rows_see():
    """Also where what the KPI shows of effects is not all that they are."""
    network, inputs, _ = paired_problem()
    network.independent_share = 0.3
    assert network.confounding(network.values(), inputs) is not None
    assert_allclose(network(inputs).total, network.total(inputs))
