"""Equations of spend made by hand, and what a simulation says of them."""

from dataclasses import replace

import numpy as np

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
