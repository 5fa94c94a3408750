"""What channels cause, by themselves or with other channels answering to them.

A channel's *direct* effect is what its own spend does to the KPI. Its *total* effect
counts what others spend because of it: contributions then go to the channels in which
spend originates, and a change of spend moves its children before the KPI is asked.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Effects:
    """Effects and the spend they are set against, draws (E) first, in groups of rows.

    Attributes
    ----------
    contribution : ndarray of shape (E, n_groups, n_media)
        In KPI units.
    own : ndarray of shape (E, n_groups, n_media)
        The part of it that comes from spend of the rows, not from earlier spend.
    spend : ndarray of shape (E, n_groups, n_media)
    gain : ndarray of shape (E, n_groups, n_media)
        KPI units per 100 % more spend of a channel, seen from one percent more.
    charge : ndarray of shape (E, n_groups, n_media)
        What the 100 % more cost, with what others spend on account of it.
    """

    contribution: np.ndarray
    own: np.ndarray
    spend: np.ndarray
    gain: np.ndarray
    charge: np.ndarray

    @property
    def roi(self):
        """KPI units per unit of spend; nan without spend."""
        return _per(self.own, self.spend)

    @property
    def mroi(self):
        """KPI units per unit of the next spend; nan without spend."""
        return _per(self.gain, self.charge)


def direct_effects(model, panel, cost, grouped, *, draws):
    """Return the `Effects` of every channel's own spend.

    Parameters
    ----------
    model : OutcomeModel
    panel : Panel
    cost : ndarray of shape (n_media,)
        Of one unit of the columns; nan where it is unknown.
    grouped : callable
        Sums rows, the last axis but one, to groups.
    draws : bool
    """

    def media(panel):
        return grouped(model.components(panel, draws=draws).media)

    step = 0.01
    now = media(panel)
    spend = grouped(spend_rows(panel) * np.where(np.isfinite(cost), cost, 1.0))
    spend = np.broadcast_to(spend, now.shape)
    return Effects(
        contribution=now,
        own=now - media(replace(panel, media=scaled(panel, 0.0))),
        spend=spend,
        gain=(media(replace(panel, media=scaled(panel, 1.0 + step))) - now) / step,
        charge=spend,
    )


def total_effects(model, equations, panel, cost, grouped, *, draws):
    """Return the `Effects` of every channel with others answering to it.

    Same parameters as `direct_effects`, and `equations`, the `SpendEquations` with one
    entry per draw.
    """
    none = replace(panel, media=scaled(panel, 0.0))
    contribution = by_origin(model, equations, panel, draws=draws)
    own = contribution - by_origin(model, equations, none, draws=draws)
    gain, charge = _gains(model, equations, panel, cost, draws=draws)
    return Effects(
        contribution=grouped(contribution),
        own=grouped(own),
        spend=grouped(_spend_by_origin(equations, panel, cost)),
        gain=grouped(gain),
        charge=grouped(charge),
    )


def by_origin(model, equations, panel, *, draws):
    """Return contributions by the channel where spend originates, (E, n_rows, M)."""
    shares = equations.each_origin_shares(panel.media)
    return model.media_by_origin(panel, shares, draws=draws)


def curve_effects(model, equations, panel, channel, factors, *, draws):
    """Return what media cause if the spend of a channel's rows is scaled.

    Parameters
    ----------
    equations : SpendEquations or None
        None: other channels spend what they did.
    channel : int
    factors : ndarray of shape (n_points,)

    Returns
    -------
    totals : ndarray of shape (n_points, E)
        In KPI units, summed over rows and over the channels that change.
    """
    alternatives = (scaled(panel, factor)[..., channel] for factor in factors)
    if equations is None:
        moving = [channel]
        spends = (alternative[..., None] for alternative in alternatives)
    else:
        moving = _moving(equations, channel)
        spends = (
            equations.react(panel.media, alternative, channel)[..., moving]
            for alternative in alternatives
        )
    effects = model.effects_under(panel, moving, spends, draws=draws)
    return np.stack([rows.sum(axis=1) for rows in effects])


def scaled(panel, factor):
    """Return the media grid with the spend of the panel's rows scaled."""
    region, column = np.divmod(panel.cell, panel.shape[1])
    media = panel.media.copy()
    media[region, column] *= factor
    return media


def spend_rows(panel):
    """Return the media of the panel's rows, shape (n_rows, n_media)."""
    return panel.rows(np.moveaxis(panel.media, 2, 0)).T


def _gains(model, equations, panel, cost, *, draws):
    """Return gain and charge of every channel per 100 % more, (E, n_rows, M)."""
    step = 0.01
    n_rows, n_media = len(panel.cell), panel.media.shape[2]
    gain = np.empty((equations.n_draws, n_rows, n_media))
    charge = np.empty_like(gain)
    more = scaled(panel, 1.0 + step)
    price = np.where(np.isfinite(cost), cost, 1.0)
    for channel in range(n_media):
        moving = _moving(equations, channel)
        changed = equations.react(panel.media, more[..., channel], channel)
        effects = list(
            model.effects_under(
                panel,
                moving,
                [panel.media[..., moving], changed[..., moving]],
                draws=draws,
            )
        )
        gain[..., channel] = (effects[1] - effects[0]) / step
        charged = price * _charged(cost)[channel]
        extra = np.moveaxis(changed - panel.media, 3, 1)  # (E, M, R, T)
        rows = panel.rows(extra)  # (E, M, n_rows)
        charge[..., channel] = np.einsum("emn,m->en", rows, charged) / step
    return gain, charge


def _spend_by_origin(equations, panel, cost):
    """Return spend by the channel in which it originates, (E, n_rows, M)."""
    region, column = np.divmod(panel.cell, panel.shape[1])
    spend = spend_rows(panel) * np.where(np.isfinite(cost), cost, 1.0)
    charged = _charged(cost)
    answer = []
    for share in equations.each_origin_shares(panel.media):
        moved = share[region, column] * charged  # (n_rows, from, M)
        stays = 1.0 - moved.sum(axis=1)  # not in the same units as its origin
        answer.append(np.einsum("nkj,nj->nk", moved, spend) + stays * spend)
    return np.stack(answer)


def _charged(cost):
    """Return whether spend of j is charged to i, ``[i, j]``: both money or neither."""
    money = np.isfinite(cost)
    return money[:, None] == money


def _moving(equations, channel):
    return [channel, *np.flatnonzero(equations.descendants()[channel])]


def _per(effect, spend):
    return effect / np.where(spend > 0, spend, np.nan)
