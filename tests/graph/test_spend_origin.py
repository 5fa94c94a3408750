"""Which channel spend comes from: shares that sum to one, by elasticities."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spend_equations import (
    elasticities,
    make_equations,
    plain,
    simulate,
    spend_of,
    with_edge,
    with_link,
)

# --- origin -------------------------------------------------------------------------


def test_shares_sum_to_one():
    equations = make_equations(7)
    media = np.random.default_rng(0).uniform(0.0, 90.0, (2, 30, 5))
    media[0, 3] = media[:, 7, 2] = 0.0
    shares = equations.origin_shares(media)
    assert shares.shape == (3, 2, 30, 5, 5)
    assert_allclose(shares.sum(axis=3), 1.0, rtol=1e-12)
    assert_array_equal(shares[:, :, 7, :, 2], np.broadcast_to(np.eye(5)[2], (3, 2, 5)))


@pytest.mark.parametrize("strength", [0.2, 30.0])
def test_shares_of_either_sign_are_at_most_all_spend(strength):
    equations = make_equations(7)
    sign = np.random.default_rng(1).choice([-1.0, 1.0], equations.same.shape)
    equations = replace(
        equations,
        same=strength * sign * equations.same,
        late=strength * equations.late,
    )
    media = np.random.default_rng(0).uniform(20.0, 90.0, (2, 30, 5))
    shares = equations.origin_shares(media)
    assert_allclose(shares.sum(axis=3), 1.0, rtol=1e-12)
    shares[..., np.arange(5), np.arange(5)] = 0.0
    up = np.maximum(shares, 0.0).sum(axis=3)
    down = np.minimum(shares, 0.0).sum(axis=3)
    assert up.max() <= 1.0 + 1e-12
    assert down.min() >= -1.0 - 1e-12
    assert (up.max() > 1.0 - 1e-12) == (strength > 1)
    assert (down.min() < -1.0 + 1e-12) == (strength > 1)


@pytest.mark.parametrize("weight", [0.3, -0.3])
@pytest.mark.parametrize("name", ["logarithmic", "saturating", "proportional"])
def test_share_of_an_only_parent_is_the_elasticity_of_spend(name, weight):
    equations = with_link(with_edge(plain(3), 0, 1, weight), 0, name)
    for lag in (2, 3):
        equations = with_edge(equations, 0, 1, weight / (lag + 1), lag=lag)
    equations = replace(
        equations,
        unit=np.array([[2.0, 0.5, 1.0]]),
        own=np.random.default_rng(1).uniform(0.05, 0.15, (1, 3, 3)),
    )
    media = np.random.default_rng(0).uniform(5.0, 9.0, (1, 12, 3))
    media[0, 4, 0] = media[0, 7, 1] = 0.0
    share = equations.origin_shares(media)[0, 0]
    expected = elasticities(equations, media, 0)[0, 0, :, 1]
    assert_allclose(share[:, 0, 1], expected, rtol=1e-6)
    spent = np.arange(12) != 7
    assert (np.sign(share[spent, 0, 1]) == np.sign(weight)).all()
    assert_allclose(share[:, 1, 1], 1.0 - share[:, 0, 1])
    assert_array_equal(share[:, 2, 1], 0.0)
    assert_array_equal(share[..., [0, 2]], np.eye(3)[None].repeat(12, 0)[..., [0, 2]])


@pytest.mark.parametrize(
    ("saturating", "proportional"),
    [((), ()), (range(5), ()), ((1, 3), (0, 4)), ((), range(5))],
)
def test_shares_are_elasticities_in_what_originates_in_a_channel(
    saturating, proportional
):
    """Of a channel's spend, its own share changes, the others follow."""
    equations = make_equations(5, saturating=saturating, proportional=proportional)
    rng = np.random.default_rng(1)
    sign = rng.choice([-1.0, 1.0], equations.same.shape)
    equations = replace(
        equations, same=sign * equations.same / 4, late=equations.late / 2
    )
    own_part = rng.uniform(1.0, 2.0, (2, 10, 5))
    step = 1e-5

    def answer(draw, k, factor):
        path = np.log1p(factor * spend[..., k] / equations.unit[:, k, None])
        return spend_of(equations, simulate(equations, draw, own_part, k, path))

    for draw in range(equations.n_draws):
        spend = spend_of(equations, simulate(equations, draw, own_part))
        shares = equations.origin_shares(spend)[draw]
        assert_allclose(shares.sum(axis=2), 1.0)
        assert shares.min() < 0.0
        for k in range(5):
            up = answer(draw, k, 1.0 + step * shares[..., k, k])
            down = answer(draw, k, 1.0 - step * shares[..., k, k])
            expected = (up - down) / (2.0 * step * spend)
            assert_allclose(shares[..., k, :], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("proportional", [(), range(5)])
def test_origin_is_what_the_own_parts_bring(proportional):
    """In a linear world spend is linear in the own parts: turn each on alone."""
    equations = make_equations(3, saturating=(), proportional=proportional)
    equations = replace(
        equations,
        same=equations.same / 2,
        late=abs(equations.late),
        straight=60.0 * equations.straight,  # 0.3 to 1.2
    )
    own_part = 1e-7 * np.random.default_rng(1).uniform(1.0, 2.0, (2, 9, 5))
    itself = np.arange(5)
    for draw in range(equations.n_draws):
        u = simulate(equations, draw, own_part)
        alone = np.stack(
            [simulate(equations, draw, own_part * (itself == k)) for k in itself],
            axis=2,
        )
        expected = np.expm1(alone) / np.expm1(u)[:, :, None]
        assert_allclose(expected.sum(axis=2), 1.0, rtol=1e-5)
        shares = equations.origin_shares(spend_of(equations, u))[draw]
        assert_allclose(shares, expected, rtol=1e-5, atol=1e-9)


def test_share_on_a_straight_line_is_what_the_spend_of_the_parent_brings():
    equations = with_link(with_edge(plain(2), 0, 1, 2e-6), 0, "proportional")
    equations = replace(equations, unit=np.array([[1.0, 1e6]]))
    media = np.random.default_rng(0).uniform(5.0, 9.0, (1, 6, 2))
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    assert_allclose(share, 0.25 * media[0, :, 0] / media[0, :, 1], rtol=1e-4)


def test_share_of_a_logarithmic_parent():
    equations = with_edge(with_edge(plain(2), 0, 1, 0.5), 0, 1, 0.2, lag=1)
    media = np.random.default_rng(0).uniform(5.0, 9.0, (1, 6, 2))
    part = media[0] / (1.0 + media[0])  # change of u per relative change of spend
    before = np.append(0.0, part[:-1, 0])
    share = equations.origin_shares(media)[0, 0]
    assert_allclose(share[:, 0, 1], (0.5 * part[:, 0] + 0.2 * before) / part[:, 1])
    assert_array_equal(share[:, 0, 0], 1.0)
    assert_array_equal(share[:, 1, 0], 0.0)


def test_share_of_a_proportional_parent():
    equations = with_link(with_edge(plain(2), 0, 1, 0.5), 0, "proportional")
    media = np.array([[[6.0, 5.0], [0.0, 5.0], [12.0, 9.0]]])
    parent, child = media[0].T
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    assert_allclose(share, 0.5 * 0.125 * parent * (1.0 + child) / child)


def test_a_saturating_channel_is_credited_for_what_its_next_unit_drives():
    """All of its weight around the centre, nothing where it has saturated."""
    equations = with_link(with_edge(plain(2), 0, 1, 0.5), 0, "saturating")
    spend = np.expm1([1.5, 1.5 + 0.7, 1.5 - 0.7, 15.0, 0.0])
    media = np.stack([spend, np.full(5, 5.0)], axis=1)[None]
    steepness = [1.0, 1.0 / np.cosh(1.0) ** 2, 1.0 / np.cosh(1.0) ** 2, 0.0, 0.0]
    part = spend / (1.0 + spend)
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    expected = 0.5 * part * steepness / (5.0 / 6.0)
    assert_allclose(share, expected, rtol=1e-12, atol=1e-12)


def test_credit_of_a_chain_goes_to_its_start_by_the_product():
    equations = with_edge(with_edge(plain(3), 0, 1, 0.5), 1, 2, 0.4)
    share = equations.origin_shares(np.full((1, 4, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 1], [0.5, 0.5, 0.0])
    assert_allclose(share[:, 2], [0.2, 0.2, 0.6])


@pytest.mark.parametrize("weight", [0.4, -0.4])
@pytest.mark.parametrize("second", ["logarithmic", "saturating", "proportional"])
@pytest.mark.parametrize("first", ["logarithmic", "saturating", "proportional"])
def test_credit_of_a_chain_is_the_product_of_elasticities(first, second, weight):
    equations = with_edge(with_edge(plain(3), 0, 1, 0.3), 1, 2, weight)
    equations = with_link(with_link(equations, 0, first), 1, second)
    equations = replace(equations, unit=np.array([[2.0, 0.9, 0.5]]))
    media = np.random.default_rng(0).uniform(2.0, 6.0, (1, 5, 3))
    a_to_b, a_to_c = elasticities(equations, media, 0)[0, 0, :, 1:].T
    b_to_c = elasticities(equations, media, 1)[0, 0, :, 2]
    share = equations.origin_shares(media)[0, 0]
    assert_allclose(a_to_c, a_to_b * b_to_c, rtol=1e-6)
    assert_allclose(share[:, 0, 2], a_to_b * b_to_c, rtol=1e-6)
    assert_allclose(share[:, 1, 2], (1.0 - a_to_b) * b_to_c, rtol=1e-6)
    assert_allclose(share[:, 2, 2], 1.0 - b_to_c, rtol=1e-6)


def test_paths_add_up_over_lags():
    """From 0 to 2: directly, and through 1 a period later each."""
    equations = with_edge(with_edge(plain(3), 0, 1, 0.5, 1), 1, 2, 0.4, lag=1)
    equations = with_edge(equations, 0, 2, 0.1)
    share = equations.origin_shares(np.full((1, 4, 3), 6.0))[0, 0]
    assert_allclose(share[:, 0, 1], [0.0, 0.5, 0.5, 0.5])
    assert_allclose(share[:, 0, 2], [0.1, 0.1, 0.3, 0.3])
    assert_allclose(share[:, 1, 2], [0.0, 0.4, 0.2, 0.2])


def test_persistence_passes_on_what_is_induced():
    equations = with_edge(plain(2), 0, 1, 0.1)
    equations = replace(equations, own=np.array([[[0.5, 0.0, 0.0], [0.5, 0.0, 0.0]]]))
    media = np.full((1, 30, 2), 6.0)
    share = equations.origin_shares(media)[0, 0]
    assert_allclose(share[[0, 1, 2, -1], 0, 1], [0.1, 0.15, 0.175, 0.2])
    assert_array_equal(share[:, 0, 0], 1.0)


def test_persistence_of_what_is_bounded():
    equations = with_edge(plain(2), 0, 1, 0.6)
    equations = replace(equations, own=np.array([[[0.0] * 3, [0.5, 0.0, 0.0]]]))
    media = np.full((1, 6, 2), 6.0)
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    assert_allclose(share, [0.6, 0.9, 1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize("channels", [[0], [1], [0, 1]])
@pytest.mark.parametrize("name", ["logarithmic", "saturating", "proportional"])
def test_shares_do_not_depend_on_the_unit_of_a_channel_that_is_always_on(
    name, channels
):
    """As long as spend answers as much, in percent per percent."""
    media = np.random.default_rng(0).lognormal(3.0, 0.3, (1, 20, 2))
    median = np.median(media[0], axis=0)

    def shares(small):
        unit = np.where(np.isin([0, 1], channels), small, 1e-3) * median
        equations = with_link(with_edge(plain(2), 0, 1, 0.2), 0, name)
        equations = with_edge(equations, 0, 1, 0.05, lag=1)
        own = np.array([[[0.2, 0.0, 0.05], [0.2, 0.0, 0.05]]])
        # Centre at median spend; there one percent more drives as much throughout.
        centre = np.where(equations.width < np.inf, np.log1p(median / unit), 0.0)
        straight = np.where(equations.straight > 0, unit / median, np.nan)
        equations = replace(
            equations, unit=unit[None], centre=centre[None], straight=straight, own=own
        )
        expected = elasticities(equations, media, 0)[0, 0, :, 1]
        share = equations.origin_shares(media)[0, 0]
        assert_allclose(share[:, 0, 1], expected, rtol=1e-5)
        return share

    large, small = shares(1e-3), shares(1e-8)
    assert large[:, 0, 1].max() > 0.3
    assert_allclose(small, large, atol=4e-3)


def test_no_more_than_all_spend_has_an_origin():
    equations = with_edge(with_edge(plain(3), 0, 2, 2.0), 1, 2, 1.0)
    share = equations.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 2], [2 / 3, 1 / 3, 0.0], atol=1e-15)


def test_a_chain_from_spend_that_is_bounded():
    """None of what the second drives is its own."""
    equations = with_edge(with_edge(plain(3), 0, 1, 2.0), 1, 2, 0.4)
    share = equations.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 1], [1.0, 0.0, 0.0], atol=1e-15)
    assert_allclose(share[:, 2], [0.4, 0.0, 0.6], atol=1e-15)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((-2.0, 0.0), (-1.0, 0.0, 2.0)),
        ((-2.0, -0.5), (-0.8, -0.2, 2.0)),
        ((-2.0, 0.9), (-1.0, 0.9, 1.1)),
        ((-0.9, 2.0), (-0.9, 1.0, 0.9)),
        ((-2.0, 3.0), (-1.0, 1.0, 1.0)),
    ],
)
def test_what_lowers_spend_is_held_to_its_size(weights, expected):
    """Whatever else raises it, which is held to its size by itself."""
    equations = plain(3)
    for parent, weight in enumerate(weights):
        equations = with_edge(equations, parent, 2, weight)
    share = equations.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 2], expected, atol=1e-15)


def test_parents_that_cancel_each_other():
    equations = with_edge(with_edge(plain(3), 0, 2, 0.3), 1, 2, -0.3)
    share = equations.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 2], [0.3, -0.3, 1.0])
