"""What channels cause in total: effects by the channel in which spend originates.

All functions are asked of a `ModelCounterfactual` with spend equations. Arrays are in
the order of the model.
"""

from dataclasses import replace

import numpy as np

from skmmm.inspection._protocol import ChannelEffects
from skmmm.inspection._support import STEP


def total_effects(what_if, by, *, draws):
    """Return the `ChannelEffects` of all channels by origin."""
    reached = what_if.panel
    spend: list[np.ndarray] = []
    contribution = contributions_by_origin(
        what_if, what_if.panel, draws=draws, spend=spend
    )
    incremental = contribution
    if by != "period" and what_if.counted.sum() > len(what_if.panel.cell):
        reached = what_if.reached
        incremental = contributions_by_origin(what_if, reached, draws=draws)
    none = replace(reached, media=what_if.media_scaled(0.0))
    if none.media.any():  # spend of other rows, which X's rows do not cause
        incremental = incremental - contributions_by_origin(what_if, none, draws=draws)
    gain, charge = _gains(what_if, reached, draws=draws)
    here, there = _summing(what_if.panel, by), _summing(reached, by)
    return ChannelEffects(
        contribution=here(contribution),
        incremental=there(incremental),
        spend=here(np.stack(spend)),
        gain=there(gain),
        charge=here(charge),
    )


def total_curve(what_if, channel, factors, *, draws):
    """Return effects of a channel and all that it moves, (K, E, R)."""
    equations = what_if.equations_for(draws=draws)
    moving = moving_with(equations, channel)
    reactions = (
        what_if.in_rows(
            equations.react(what_if.panel.media, scaled[..., channel], channel)
        )
        for scaled in map(what_if.media_scaled, factors)
    )
    effects = what_if.model.effects_under(
        what_if.reached,
        moving,
        (spend[..., moving] for spend in reactions),
        draws=draws,
    )
    return np.stack([what_if.by_region(rows) for rows in effects])


def contributions_by_origin(what_if, panel, *, draws, spend=None):
    """Return contributions by the channel where spend originates, (E, n, M).

    A list `spend` receives the spend of X's rows by origin, draw by draw.
    """

    def shares():
        for share in what_if.equations_for(draws=draws).each_origin_shares(panel.media):
            if spend is not None:
                spend.append(_spend_by_origin(what_if, share))
            yield share

    return what_if.model.media_by_origin(panel, shares(), draws=draws)


def _spend_by_origin(what_if, share):
    """Return spend of X's rows by the channel where it originates, (n_rows, M)."""
    region, column = np.divmod(what_if.panel.cell, what_if.panel.shape[1])
    moved = share[region, column] * _charged(what_if.media_cost)  # (n_rows, from, M)
    stays = 1.0 - moved.sum(axis=1)  # not in the same units as its origin
    spend = what_if.model_spend
    return np.einsum("nkj,nj->nk", moved, spend) + stays * spend


def _gains(what_if, reached, *, draws):
    """Return gain and charge of every channel per 100 % more.

    Returns
    -------
    gain : ndarray of shape (E, n_reached, M)
    charge : ndarray of shape (E, n_rows, M)
    """
    equations = what_if.equations_for(draws=draws)
    panel, n_media = what_if.panel, len(what_if.channels)
    gain = np.empty((equations.n_draws, len(reached.cell), n_media))
    charge = np.empty((equations.n_draws, len(panel.cell), n_media))
    more = what_if.media_scaled(1.0 + STEP)
    for channel in range(n_media):
        moving = moving_with(equations, channel)
        changed = what_if.in_rows(
            equations.react(panel.media, more[..., channel], channel)
        )
        effects = list(
            what_if.model.effects_under(
                reached,
                moving,
                [panel.media[..., moving], changed[..., moving]],
                draws=draws,
            )
        )
        gain[..., channel] = (effects[1] - effects[0]) / STEP
        charged = what_if.media_cost_or_unit * _charged(what_if.media_cost)[channel]
        extra = np.moveaxis(changed - panel.media, 3, 1)  # (E, M, R, T)
        charge[..., channel] = np.einsum("emn,m->en", panel.rows(extra), charged) / STEP
    return gain, charge


def _summing(panel, by):
    """Return a function that sums rows of a panel to groups, (..., n, M)."""
    region, column = np.divmod(panel.cell, panel.shape[1])
    key = {None: 0 * region, "region": region, "period": column}[by]
    names, group = np.unique(key, return_inverse=True)

    def summed(rows):
        total = np.zeros((*rows.shape[:-2], len(names), rows.shape[-1]))
        np.add.at(total, (..., group, slice(None)), rows)  # type: ignore[arg-type]
        return total

    return summed


def _charged(media_cost):
    """Return whether spend of j is charged to i, ``[i, j]``: both money or neither.

    A price of zero stands for a channel that is no money in a plan.
    """
    money = media_cost > 0
    return money[:, None] == money


def moving_with(equations, channel):
    """Return a channel and all that answer to it."""
    return [channel, *np.flatnonzero(equations.descendants()[channel])]
