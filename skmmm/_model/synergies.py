"""What two channels cause together beyond what each causes by itself.

A pair of channels with effects e and f in a region and period adds to the KPI

    theta * e * f / (e + f),    theta = (exp(z) - 1) / n,    z ~ Normal(0, SPREAD ** 2)

where n is the most pairs that one of the two is in. Beside a far larger partner a
channel then works ``1 + theta`` times as well as alone, and two equal ones gain
``theta / 4`` of their sum. The derivative by e is ``theta * (f / (e + f)) ** 2`` and
all pairs of a channel together are above -1: a channel never causes less than nothing,
alone or beside others, and more of it never causes less.

As a game of two players, of which one alone gains nothing more, the term is worth half
of itself to each (Shapley): that is what `credited` adds to their effects.
"""

import numpy as np
import torch

from skmmm._model.draws import few_draws

# Of the log of how well a small channel works beside a large one: 90 % in .44 to 2.3.
SPREAD = 0.5
_LEAST = 1e-30  # sum of effects that can be divided by


def most_pairs(pairs):
    """Return the most pairs that one of the two channels of each is in, (P,)."""
    return torch.bincount(pairs.flatten())[pairs].amax(dim=1)


def strengths(log_factor, pairs):
    """Return theta of pairs, (E, P), of the logs that have a prior."""
    return torch.expm1(log_factor) / most_pairs(pairs)


def among(pairs, channels):
    """Return which pairs have both channels among some, (P,), and where these are.

    Parameters
    ----------
    pairs : Tensor of shape (P, 2), int
    channels : sequence of int

    Returns
    -------
    kept : Tensor of shape (P,), bool
    pairs : Tensor of shape (n_kept, 2), int, or None
        Positions in `channels`; None if there are none.
    """
    place = pairs[..., None] == torch.as_tensor(channels)
    kept = place.any(dim=2).all(dim=1)
    return kept, place[kept].int().argmax(dim=2) if kept.any() else None


def partners(pairs, channels):
    """Return the channels that form pairs with some and are none of them, a list."""
    if pairs is None:
        return []
    known = {int(channel) for channel in channels}
    found = {c for pair in pairs.tolist() if known & {*pair} for c in pair}
    return sorted(found - known)


def together(one, other):
    """Return ``e * f / (e + f)`` of two effects, 0 where both are."""
    one, other = one.clamp_min(0.0), other.clamp_min(0.0)
    return one * (other / (one + other).clamp_min(_LEAST))


def pair_terms(effects, pairs):
    """Return ``e * f / (e + f)`` of each pair, (E, R, M, T) -> (E, R, P, T)."""
    return together(effects[:, :, pairs[:, 0]], effects[:, :, pairs[:, 1]])


def credited(effects, pairs, strength):
    """Return effects with half of what each of their pairs adds, (E, R, M, T).

    Parameters
    ----------
    effects : Tensor of shape (E, R, M, T)
        Of each channel by itself.
    pairs : Tensor of shape (P, 2), int, or None
    strength : Tensor of shape (E, P)
    """
    if pairs is None:
        return effects
    half = 0.5 * strength[:, None, :, None] * pair_terms(effects, pairs)
    for side in pairs.T:
        effects = effects.index_add(2, side, half)
    return effects


def slopes(effects, pairs, strength):
    """Return by how much the KPI moves with the effect of each channel, (E, R, M, T).

    Parameters are those of `credited`.
    """
    sides = [effects[:, :, side].clamp_min(0.0) for side in pairs.T]
    total = (sides[0] + sides[1]).clamp_min(_LEAST)
    moves = torch.ones_like(effects)
    for side, other in zip(pairs.T, reversed(sides), strict=True):
        more = strength[:, None, :, None] * (other / total).square()
        moves = moves.index_add(2, side, more)
    return moves


def pair_rows(model, panel, *, draws):
    """Return what each pair adds in the rows of a panel, and theta.

    Parameters
    ----------
    model : OutcomeModel
    panel : Panel
    draws : bool
        False: at the point, with one draw.

    Returns
    -------
    added : ndarray of shape (E, n_rows, P)
        In KPI units.
    strength : ndarray of shape (E, P)
    """
    network, inputs = model.network_of(draws=draws), model.inputs(panel)
    n_new = panel.shape[0] - network.sizes.n_regions
    unit = model.scales.extended(n_new).kpi[panel.cell // panel.shape[1]]
    pairs, added, strength = network.channel_priors.pairs, [], []
    with torch.no_grad():
        for _, twin in few_draws(network):
            twin = twin.extended(n_new)
            values = twin.values()
            terms = pair_terms(twin.own_effects(values, inputs), pairs)
            terms = values["synergy"][:, None, :, None] * terms
            added.append(panel.rows(terms.transpose(1, 2).numpy()))
            strength.append(values["synergy"].numpy())
    found = np.moveaxis(np.concatenate(added), 1, 2) * unit[:, None]
    return found, np.concatenate(strength)


def standard_draws(draws):
    """Return the logs of pairs that have a prior, in its standard deviations, (E, P).

    Parameters
    ----------
    draws : OutcomeNetwork
        With pairs.
    """
    places = {p.name: where for p, where in draws.shared_priors.positions()}
    return draws.shared[:, places["synergy_log"]].numpy()
