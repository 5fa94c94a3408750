"""What spend answers when a channel is set: as a simulation says."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spend_equations import (
    DECAY,
    make_equations,
    plain,
    simulate,
    spend_of,
    with_edge,
    with_link,
)

# --- reaction -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saturating", "proportional"),
    [((), ()), ((1, 3), ()), (range(5), ()), ((1, 3), (0, 4)), ((), range(5))],
)
@pytest.mark.parametrize("channel", range(5))
def test_reaction_is_what_a_simulation_with_the_same_innovations_does(
    channel, saturating, proportional
):
    equations = make_equations(
        channel, saturating=saturating, proportional=proportional
    )
    rng = np.random.default_rng(1)
    own_part = rng.uniform(1.0, 2.0, (2, 12, 5))
    more = rng.uniform(0.5, 1.5, (2, 12)) * (np.arange(12) >= 3)
    for draw in range(equations.n_draws):
        u = simulate(equations, draw, own_part)
        path = u[..., channel] + more
        expected = simulate(equations, draw, own_part, channel, path)
        assert expected.min() > 0
        media = spend_of(equations, u)
        changed = equations.unit[:, channel, None] * np.expm1(path)
        got = equations.react(media, changed, channel)[draw]
        assert_allclose(got, spend_of(equations, expected), rtol=1e-9)
        assert_array_equal(got[:, :3], media[:, :3])


def test_alternatives_at_once_are_those_one_by_one():
    equations = make_equations(4)
    media = np.random.default_rng(2).uniform(5.0, 50.0, (2, 9, 5))
    factors = np.array([[0.0, 0.5, 1.0], [1.1, 2.0, 3.0]])
    changed = factors[..., None, None] * media[..., 2]
    got = equations.react(media, changed, 2)
    assert got.shape == (2, 3, 3, 2, 9, 5)
    for i in np.ndindex(2, 3):
        assert_allclose(got[i], equations.react(media, changed[i], 2), rtol=1e-12)
    unchanged = np.broadcast_to(media, got[0, 2].shape)
    assert_array_equal(got[0, 2], unchanged)


def test_some_draws_alone():
    equations = make_equations(4)
    media = np.random.default_rng(2).uniform(5.0, 50.0, (2, 9, 5))
    together = equations.react(media, 2.0 * media[..., 2], 2)
    alone = equations.at([1]).react(media, 2.0 * media[..., 2], 2)
    assert_allclose(alone[0], together[1], rtol=1e-12)
    shares = equations.at([1]).origin_shares(media)
    assert_allclose(shares[0], equations.origin_shares(media)[1], rtol=1e-12)


def test_persistence_and_feedback_do_not_reach_what_is_set():
    equations = with_edge(with_edge(plain(2), 0, 1, 0.5), 1, 0, 0.4, lag=1)
    equations = replace(equations, own=np.full((1, 2, 3), 0.1))
    media = np.full((1, 6, 2), 4.0)
    changed = media[..., 0] + 3.0 * (np.arange(6) == 2)
    got = equations.react(media, changed, 0)[0]
    assert_array_equal(got[..., 0], changed)
    moved = np.log1p(got[0, :, 1]) - np.log1p(4.0)
    step = 0.5 * (np.log(8.0) - np.log(5.0))
    assert_allclose(moved[:5], step * np.array([0, 0, 1, 0.1, 0.1 + 0.1**2]))


def test_tail_is_felt_beyond_the_lags_and_thins_out():
    equations = with_edge(plain(2), 0, 1, 0.5, lag=3)
    media = np.full((1, 7, 2), 4.0)
    changed = media[..., 0] + 3.0 * (np.arange(7) == 1)
    moved = np.log1p(equations.react(media, changed, 0)[0, 0, :, 1]) - np.log1p(4.0)
    step = 0.5 * (np.log(8.0) - np.log(5.0))
    expected = step * np.array([0, 0, 0, 0, 1, DECAY, DECAY**2])
    assert_allclose(moved, expected, atol=1e-15)


def test_no_lags_at_all():
    equations = with_edge(plain(2, n_lags=0), 0, 1, 0.5, lag=1)
    media = np.full((1, 4, 2), 4.0)
    changed = media[..., 0] + 3.0 * (np.arange(4) == 0)
    moved = np.log1p(equations.react(media, changed, 0)[0, 0, :, 1]) - np.log1p(4.0)
    step = 0.5 * (np.log(8.0) - np.log(5.0))
    assert_allclose(moved, step * np.array([0, 1, DECAY, DECAY**2]), atol=1e-15)


def test_a_proportional_driver_moves_its_child_by_its_spend():
    """A child's u moves by the same for every euro more of its parent."""
    equations = with_link(with_edge(plain(2), 0, 1, 0.5), 0, "proportional")
    media = np.array([[[4.0, 4.0], [90.0, 4.0], [0.0, 4.0]]])
    for more in (-4.0, 0.0, 8.0):
        changed = np.maximum(media[..., 0] + more, 0.0)
        moved = equations.react(media, changed, 0)[0, 0, :, 1]
        step = 0.5 * 0.125 * (changed[0] - media[0, :, 0])
        assert_allclose(moved, 5.0 * np.exp(step) - 1.0, rtol=1e-12)


def test_a_driver_and_its_child_on_a_straight_line():
    """With a large unit of the child it is money per money."""
    equations = with_link(with_edge(plain(2), 0, 1, 2e-6), 0, "proportional")
    equations = replace(equations, unit=np.array([[1.0, 1e6]]))
    media = np.random.default_rng(0).uniform(5.0, 9.0, (1, 6, 2))
    got = equations.react(media, 3.0 * media[..., 0], 0)[0]
    assert_allclose(got[..., 1], media[..., 1] + 0.25 * 2.0 * media[..., 0], rtol=1e-4)


def test_a_proportional_link_may_stand_in_some_regions_only():
    straight = np.array([[np.nan, np.nan], [0.125, np.nan]])
    equations = replace(
        with_edge(plain(2), 0, 1, 0.5),
        unit=np.ones((2, 2)),
        centre=np.zeros((2, 2)),
        straight=straight,
    )
    media = np.full((2, 3, 2), 4.0)
    got = equations.react(media, 3.0 * media[..., 0], 0)[0, ..., 1]
    assert_allclose(got[0], 5.0 * np.sqrt(13.0 / 5.0) - 1.0)
    assert_allclose(got[1], 5.0 * np.exp(0.5) - 1.0)


def test_channels_that_are_off_stay_off_and_spend_stays_above_zero():
    equations = with_edge(plain(2), 0, 1, 2.0)
    media = np.full((1, 4, 2), 4.0)
    media[0, 1, 1] = 0.0
    for factor in (0.0, 3.0):
        got = equations.react(media, factor * media[..., 0], 0)[0, 0]
        assert got[1, 1] == 0.0
        assert (got >= 0.0).all()
    assert_array_equal(equations.react(media, 0.0 * media[..., 0], 0)[..., 1], 0.0)
    # What is set may spend where it did not.
    off = media[..., ::-1].copy()
    got = equations.react(off, off[..., 0] + 1.0, 0)[0, 0]
    assert_allclose(got[1, 1], np.expm1(np.log(5.0) + 2.0 * np.log(2.0)))


def test_without_edges_only_the_channel_changes():
    media = np.random.default_rng(0).uniform(0.0, 9.0, (1, 5, 3))
    got = plain(3).react(media, 2.0 * media[..., 1], 1)[0]
    assert_array_equal(got, media * [1.0, 2.0, 1.0])
    shares = plain(3).origin_shares(media)
    assert_array_equal(shares, np.broadcast_to(np.eye(3), shares.shape))


def test_draws_without_edges_do_not_react():
    equations = make_equations(4)
    same, late = equations.same.copy(), equations.late.copy()
    same[1], late[1] = 0.0, 0.0
    equations = replace(equations, same=same, late=late)
    media = np.random.default_rng(0).uniform(1.0, 9.0, (2, 5, 5))
    changed = 2.0 * media[..., 1]
    got = equations.react(media, changed, 1)
    assert_array_equal(np.delete(got[1], 1, axis=2), np.delete(media, 1, axis=2))
    assert_allclose(got[2], equations.at([2]).react(media, changed, 1)[0], rtol=1e-12)


def test_a_channel_that_drives_none_moves_none():
    equations = with_edge(plain(3), 0, 1, 0.5)
    media = np.random.default_rng(0).uniform(1.0, 9.0, (1, 5, 3))
    for channel in (1, 2):
        got = equations.react(media, 2.0 * media[..., channel], channel)[0]
        factor = np.where(np.arange(3) == channel, 2.0, 1.0)
        assert_array_equal(got, media * factor)


def overflowing():
    """0 drives 1 and 1 drives 2, all in proportion to spend."""
    equations = with_edge(with_edge(plain(3), 0, 1, 0.5), 1, 2, 0.5, lag=1)
    for channel in range(3):
        equations = with_link(equations, channel, "proportional")
    return equations


@pytest.mark.parametrize("spend", [2e4, 1e300])
def test_a_reaction_beyond_all_numbers_is_refused(spend):
    media = np.full((1, 5, 3), 4.0)
    changed = np.where(np.arange(5) == 2, spend, media[..., 0])
    with pytest.raises(ValueError, match="closer to what was observed"):
        overflowing().react(media, changed, 0)
    alternatives = np.stack([media[..., 0], changed])
    with pytest.raises(ValueError, match="effect='direct'"):
        overflowing().react(media, alternatives, 0)


def test_a_reaction_of_one_draw_beyond_all_numbers_is_refused():
    media = np.full((1, 5, 3), 4.0)
    calm = replace(overflowing(), same=np.zeros((1, 3, 3)))
    both = replace(
        calm,
        **{
            name: np.concatenate([getattr(e, name) for e in (calm, overflowing())])
            for name in ("same", "late", "own")
        },
    )
    changed = np.full((1, 5), 2e4)
    assert_array_equal(both.at([0]).react(media, changed, 0)[..., 1:], 4.0)
    with pytest.raises(ValueError, match="beyond what can be computed"):
        both.react(media, changed, 0)


def test_a_reaction_that_is_no_number_is_refused():
    """What a channel drives overflows before its spend does."""
    equations = with_edge(with_edge(plain(3), 0, 1, 0.5), 1, 2, -0.5)
    straight = np.array([[0.125, 1e3, np.nan]])
    media = np.full((1, 4, 3), 4.0)
    changed = np.where(np.arange(4) == 1, 4.0 + 705.0 / (0.5 * 0.125), 4.0)[None]
    with pytest.raises(ValueError, match="beyond what can be computed"):
        replace(equations, straight=straight).react(media, changed, 0)


def test_a_child_of_which_nothing_is_left_is_no_overflow():
    equations = with_link(with_edge(plain(2), 0, 1, -0.5), 0, "proportional")
    media = np.full((1, 3, 2), 4.0)
    got = equations.react(media, np.full((1, 3), 1e300), 0)
    assert_array_equal(got[..., 1], 0.0)


def test_regions_never_seen_are_average():
    equations = make_equations(4)
    mean_unit = equations.unit.mean(axis=0)
    mean_centre = equations.centre.mean(axis=0)
    mean_straight = equations.straight.mean(axis=0)
    media = np.random.default_rng(0).uniform(1.0, 9.0, (4, 5, 5))
    got = equations.react(media, 2.0 * media[..., 1], 1)
    known = equations.react(media[:2], 2.0 * media[:2, :, 1], 1)
    assert_allclose(got[:, :2], known, rtol=1e-12)
    average = replace(
        equations,
        unit=mean_unit[None],
        centre=mean_centre[None],
        straight=mean_straight[None],
    )
    for r in (2, 3):
        one = media[r : r + 1]
        alone = average.react(one, 2.0 * one[..., 1], 1)
        assert_allclose(got[:, r : r + 1], alone, rtol=1e-12)
        alone = average.origin_shares(one)
        assert_allclose(equations.origin_shares(media)[:, r : r + 1], alone, rtol=1e-12)


def test_a_cycle_within_a_period_is_refused():
    equations = with_edge(with_edge(plain(2), 0, 1, 0.5), 1, 0, 0.5)
    with pytest.raises(ValueError, match="in a cycle"):
        equations.origin_shares(np.ones((1, 3, 2)))


# --- structure ----------------------------------------------------------------------


def test_descendants_through_any_path_of_one_draw():
    equations = with_edge(with_edge(plain(5), 0, 1, 0.1), 1, 2, 0.1, lag=2)
    other = with_edge(with_edge(plain(5), 2, 3, 0.1), 4, 0, 0.1, lag=3)
    both = replace(
        equations,
        **{
            name: np.concatenate([getattr(e, name) for e in (equations, other)])
            for name in ("same", "late", "own")
        },
    )
    expected = np.zeros((5, 5), dtype=bool)
    for i, j in [(0, 1), (0, 2), (1, 2), (2, 3), (4, 0)]:
        expected[i, j] = True
    assert_array_equal(both.descendants(), expected)


def test_a_long_chain_is_followed_to_its_end():
    equations = plain(9)
    for i in range(8):
        equations = with_edge(equations, i, i + 1, 0.1)
    assert_array_equal(equations.descendants(), np.triu(np.ones((9, 9), bool), 1))


def test_the_order_of_channels_does_not_matter():
    equations = make_equations(6)
    media = np.random.default_rng(0).uniform(1.0, 90.0, (2, 12, 5))
    order = np.array([3, 0, 4, 2, 1])
    moved = equations.at(slice(None), order)
    got = moved.react(media[..., order], 2.0 * media[..., 0], 1)
    expected = equations.react(media, 2.0 * media[..., 0], 0)
    assert_allclose(got, expected[..., order], rtol=1e-10)
    shares = equations.origin_shares(media)[..., order, :][..., order]
    assert_allclose(moved.origin_shares(media[..., order]), shares, atol=1e-12)
