"""Spend that answers to spend, against a simulation of the same equations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmmm._graph.equations import SpendEquations

DECAY = 0.6


def link(equations, u, region, channel):
    """Value by which a channel drives others."""
    width, centre = equations.width[channel], equations.centre[region, channel]
    return u if np.isinf(width) else centre + width * np.tanh((u - centre) / width)


def past(values, t, n_lags):
    """Lags and tail before period t, written out."""
    lags = [values[t - k] if t >= k else 0.0 for k in range(1, n_lags + 1)]
    tail = sum(
        DECAY ** (k - n_lags - 1) * values[t - k] for k in range(n_lags + 1, t + 1)
    )
    return np.array([*lags, tail])


def simulate(equations, draw, own_part, fixed=None, path=None):
    """Solve the equations for u, shape (R, T, M), one number at a time."""
    n_regions, n_periods, n_media = own_part.shape
    n_lags = equations.own.shape[2] - 1
    same, late, own = (v[draw] for v in (equations.same, equations.late, equations.own))
    u, d = np.zeros((2, *own_part.shape))
    for r in range(n_regions):
        for t in range(n_periods):
            waiting = list(range(n_media))
            while waiting:
                j = next(j for j in waiting if not same[waiting, j].any())
                waiting.remove(j)
                value = own_part[r, t, j] + own[j] @ past(u[r, :, j], t, n_lags)
                for i in range(n_media):
                    value += same[i, j] * d[r, t, i]
                    value += late[i, j] @ past(d[r, :, i], t, n_lags)
                u[r, t, j] = path[r, t] if j == fixed else value
                d[r, t, j] = link(equations, u[r, t, j], r, j)
    return u


def make_equations(seed=0, *, n_draws=3, n_regions=2, n_media=5, saturating=(1, 3)):
    """Random equations with edges both ways over time."""
    rng = np.random.default_rng(seed)
    same = np.zeros((n_draws, n_media, n_media))
    for e in range(n_draws):
        order = rng.permutation(n_media)
        weight = np.triu(rng.uniform(0.1, 0.4, (n_media, n_media)), 1)
        same[e][np.ix_(order, order)] = weight * (rng.random(weight.shape) < 0.6)
    late = rng.uniform(-0.05, 0.1, (n_draws, n_media, n_media, 3))
    late *= rng.random((n_draws, n_media, n_media, 1)) < 0.3
    late[:, np.arange(n_media), np.arange(n_media)] = 0.0
    width = np.full(n_media, np.inf)
    width[list(saturating)] = rng.uniform(0.5, 1.0, len(saturating))
    return SpendEquations(
        unit=rng.uniform(1.0, 20.0, (n_regions, n_media)),
        centre=rng.uniform(0.5, 2.0, (n_regions, n_media)),
        width=width,
        straight=np.full((n_regions, n_media), np.nan),
        same=same,
        late=late,
        own=rng.uniform(0.0, 0.2, (n_draws, n_media, 3)),
        tail_decay=DECAY,
    )


def plain(n_media, *, unit=1.0, n_lags=2):
    """Equations of one draw and region without any edge."""
    shape = (1, n_media)
    return SpendEquations(
        unit=np.full(shape, unit),
        centre=np.zeros(shape),
        width=np.full(n_media, np.inf),
        straight=np.full(shape, np.nan),
        same=np.zeros((1, n_media, n_media)),
        late=np.zeros((1, n_media, n_media, n_lags + 1)),
        own=np.zeros((1, n_media, n_lags + 1)),
        tail_decay=DECAY,
    )


def with_edge(equations, i, j, weight, lag=0):
    """Add an edge to all draws; lag beyond the last is the tail."""
    same, late = equations.same.copy(), equations.late.copy()
    if lag:
        late[:, i, j, lag - 1] = weight
    else:
        same[:, i, j] = weight
    return replace(equations, same=same, late=late)


def spend_of(equations, u):
    return equations.unit[:, None] * np.expm1(u)


# --- reaction -----------------------------------------------------------------------


@pytest.mark.parametrize("saturating", [(), (1, 3), range(5)])
@pytest.mark.parametrize("channel", range(5))
def test_reaction_is_what_a_simulation_with_the_same_innovations_does(
    channel, saturating
):
    equations = make_equations(channel, saturating=saturating)
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


def test_regions_never_seen_are_average():
    equations = make_equations(4)
    mean_unit = equations.unit.mean(axis=0)
    mean_centre = equations.centre.mean(axis=0)
    media = np.random.default_rng(0).uniform(1.0, 9.0, (4, 5, 5))
    got = equations.react(media, 2.0 * media[..., 1], 1)
    known = equations.react(media[:2], 2.0 * media[:2, :, 1], 1)
    assert_allclose(got[:, :2], known, rtol=1e-12)
    average = replace(equations, unit=mean_unit[None], centre=mean_centre[None])
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


# --- origin -------------------------------------------------------------------------


def test_shares_sum_to_one():
    equations = make_equations(7)
    media = np.random.default_rng(0).uniform(0.0, 90.0, (2, 30, 5))
    media[0, 3] = media[:, 7, 2] = 0.0
    shares = equations.origin_shares(media)
    assert shares.shape == (3, 2, 30, 5, 5)
    assert_allclose(shares.sum(axis=3), 1.0, rtol=1e-12)
    assert_array_equal(shares[:, :, 7, :, 2], np.broadcast_to(np.eye(5)[2], (3, 2, 5)))


def test_one_parent():
    equations = with_edge(with_edge(plain(2), 0, 1, 0.5), 0, 1, 0.2, lag=1)
    media = np.random.default_rng(0).uniform(5.0, 9.0, (1, 6, 2))
    u = np.log1p(media[0])
    before = np.append(0.0, u[:-1, 0])
    share = equations.origin_shares(media)[0, 0]
    assert_allclose(share[:, 0, 1], (0.5 * u[:, 0] + 0.2 * before) / u[:, 1])
    assert_array_equal(share[:, 0, 0], 1.0)
    assert_array_equal(share[:, 1, 0], 0.0)


def test_credit_of_a_chain_goes_to_its_start_by_the_product():
    equations = with_edge(with_edge(plain(3), 0, 1, 0.5), 1, 2, 0.4)
    media = np.full((1, 4, 3), 6.0)
    share = equations.origin_shares(media)[0, 0, 0]
    assert_allclose(share[:, 2], [0.2, 0.2, 0.6])


def test_persistence_passes_on_what_is_induced():
    equations = with_edge(plain(2), 0, 1, 0.1)
    equations = replace(equations, own=np.array([[[0.0] * 3, [0.5, 0.0, 0.0]]]))
    media = np.full((1, 30, 2), 6.0)
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    assert_allclose(share[:3], [0.1, 0.15, 0.175])
    assert_allclose(share[-1], 0.2)


def test_a_saturating_channel_drives_by_what_it_adds_over_nothing():
    equations = replace(
        with_edge(plain(2), 0, 1, 0.5),
        width=np.array([0.7, np.inf]),
        centre=np.array([[1.5, 0.0]]),
    )
    media = np.array([[[6.0, 5.0], [0.0, 5.0]]])
    u = np.log1p(media[0])
    adds = 0.7 * (np.tanh((u[0, 0] - 1.5) / 0.7) - np.tanh(-1.5 / 0.7))
    share = equations.origin_shares(media)[0, 0, :, 0, 1]
    assert_allclose(share, [0.5 * adds / u[0, 1], 0.0])


def test_origin_is_what_the_own_parts_bring():
    """In linear equations u is linear in the own parts: turn each on alone."""
    equations = make_equations(3, saturating=())
    equations = replace(equations, same=equations.same / 4, late=abs(equations.late))
    own_part = np.random.default_rng(1).uniform(1.0, 2.0, (2, 9, 5))
    for draw in range(equations.n_draws):
        u = simulate(equations, draw, own_part)
        shares = equations.origin_shares(spend_of(equations, u))[draw]
        for k in range(5):
            alone = simulate(equations, draw, own_part * (np.arange(5) == k))
            assert_allclose(shares[:, :, k] * u, alone, rtol=1e-9, atol=1e-12)


def test_no_more_than_all_spend_has_an_origin():
    equations = with_edge(with_edge(plain(3), 0, 2, 2.0), 1, 2, 1.0)
    share = equations.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 2], [2 / 3, 1 / 3, 0.0], atol=1e-15)
    lowered = with_edge(with_edge(plain(3), 0, 2, -2.0), 1, 2, 0.5)
    share = lowered.origin_shares(np.full((1, 2, 3), 6.0))[0, 0, 0]
    assert_allclose(share[:, 2], [-1.0, 0.5, 1.5])


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
