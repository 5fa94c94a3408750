"""Spend that answers to spend, against a simulation of the same equations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmmm.graph._equations import SpendEquations

DECAY = 0.6


def link(equations, u, region, channel):
    """Value by which a channel drives others."""
    width, centre = equations.width[channel], equations.centre[region, channel]
    straight = equations.straight[region, channel]
    if np.isfinite(width):
        return centre + width * np.tanh((u - centre) / width)
    return u if np.isnan(straight) else straight * (np.exp(u) - 1.0)


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


def make_equations(
    seed=0, *, n_draws=3, n_regions=2, n_media=5, saturating=(1, 3), proportional=(2,)
):
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
    straight = np.full((n_regions, n_media), np.nan)
    some = rng.uniform(0.005, 0.02, (n_regions, len(proportional)))
    straight[:, list(proportional)] = some
    return SpendEquations(
        unit=rng.uniform(1.0, 20.0, (n_regions, n_media)),
        centre=rng.uniform(0.5, 2.0, (n_regions, n_media)),
        width=width,
        straight=straight,
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


def with_link(equations, channel, name):
    """Let a channel drive others by another value than u."""
    width, straight = equations.width.copy(), equations.straight.copy()
    centre = equations.centre.copy()
    if name == "saturating":
        width[channel], centre[:, channel] = 0.7, 1.5
    elif name == "proportional":
        straight[:, channel] = 0.125
    return replace(equations, width=width, straight=straight, centre=centre)


def spend_of(equations, u):
    return equations.unit[:, None] * np.expm1(u)


def elasticities(equations, media, channel, step=1e-5):
    """Relative change of all spend per relative change of a channel's spend."""
    up, down = (
        equations.react(media, (1.0 + sign * step) * media[..., channel], channel)
        for sign in (1.0, -1.0)
    )
    return (up - down) / (2.0 * step * np.where(media > 0, media, 1.0))


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
