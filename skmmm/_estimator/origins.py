"""What channels cause in total: effects by the channel in which spend originates.

All functions take a `ModelCounterfactual` with spend equations. Arrays are in the
order of the model.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skmmm._data.panel import Panel
from skmmm._model.blocks import region_blocks
from skmmm._model.threads import of_each
from skmmm._utils.typing import Array
from skmmm.graph._equations import SpendEquations
from skmmm.inspection._protocol import By, ChannelEffects
from skmmm.inspection._support import STEP

_AT_ONCE = 2**21  # spends of cells that respond


def total_effects(counterfactual, by: By, *, draws: bool) -> ChannelEffects:
    """Return the `ChannelEffects` of all channels by origin."""
    reached = counterfactual.panel
    spend: list[Array] = []
    contribution = contributions_by_origin(
        counterfactual, counterfactual.panel, draws=draws, spend=spend
    )
    incremental = contribution
    if by != "period" and counterfactual.counted.sum() > len(counterfactual.panel.cell):
        reached = counterfactual.reached
        incremental = contributions_by_origin(counterfactual, reached, draws=draws)
    none = replace(reached, media=counterfactual.media_scaled(0.0))
    if none.media.any():  # spend of other rows, which X's rows do not cause
        incremental = incremental - contributions_by_origin(
            counterfactual, none, draws=draws
        )
    gain, extra_cost = _gains(counterfactual, reached, draws=draws)
    here, there = _summing(counterfactual.panel, by), _summing(reached, by)
    return ChannelEffects(
        contribution=here(contribution),
        incremental=there(incremental),
        spend=here(np.stack(spend)),
        gain=there(gain),
        extra_cost=here(extra_cost),
    )


def total_curve(
    counterfactual, split, channel: int, factors: Array, *, draws: bool
) -> Array:
    """Return effects of a channel and of those that respond to it, (K, E, R).

    Of draws in which they respond. Some regions at a time, so that few responses are
    there at once.
    """
    model = counterfactual.model
    (own,) = model.scaled_effects(split, [channel], factors, by="region", draws=draws)
    equations, draw = counterfactual.equations_for(draws=draws).distinct()
    media = counterfactual.panel.media[:, split.window]
    in_x = counterfactual.in_x[:, split.window]
    reach, equations = equations.reach()[:, channel], equations.extended(len(media))
    effects_of = {
        one: model.response_effects(
            split, one, np.where(reach[draw, one], draw, -1), draws=draws
        )
        for one in np.flatnonzero(equations.descendants()[channel])
    }

    def respond(regions):
        some, rows = media[regions], in_x[regions]
        changed = np.where(rows, factors[:, None, None], 1.0) * some[..., channel]
        others, spend = equations.in_regions(regions).responses(some, changed, channel)
        found = np.zeros((*own.shape[:2], len(some)))
        for one, moved in zip(others, spend, strict=True):
            np.copyto(moved, some[..., one], where=~rows)
            found += effects_of[one](regions, moved)
        return found

    n_channels = len(moving_with(equations, channel))
    n_cells = n_channels * equations.n_draws * len(factors) * media.shape[1]
    blocks = region_blocks(len(media), n_cells, _AT_ONCE)
    return own + np.concatenate(of_each(respond, blocks), axis=2)


def total_outcome(counterfactual, split, planned: Array, *, draws: bool) -> Array:
    """Return what all spend causes if channels by themselves spend as planned, (E,)."""
    model = counterfactual.model
    equations, draw = counterfactual.equations_for(draws=draws).distinct()
    media = equations.follow(counterfactual.panel.media, planned)
    media = counterfactual.in_rows(media)[:, None, :, split.window]  # (D, 1, R, T, M)
    total = np.zeros(len(draw))
    for channel in range(media.shape[-1]):
        effects = model.response_effects(split, channel, draw, draws=draws)
        total += effects(slice(None), media[..., channel]).sum(axis=(0, 2))
    return total


def contributions_by_origin(
    counterfactual,
    panel: Panel,
    *,
    draws: bool,
    spend: list[Array] | None = None,
) -> Array:
    """Return contributions by the channel where spend originates, (E, n, M).

    A list `spend` receives the spend of X's rows by origin, draw by draw.
    """

    equations = counterfactual.equations_for(draws=draws)

    def shares():
        for share in equations.each_origin_shares(panel.media):
            if spend is not None:
                spend.append(_spend_by_origin(counterfactual, share))
            yield share

    return counterfactual.model.media_by_origin(panel, shares(), draws=draws)


def _spend_by_origin(counterfactual, share: Array) -> Array:
    """Return spend of X's rows by the channel where it originates, (n_rows, M)."""
    region, column = np.divmod(counterfactual.panel.cell, counterfactual.panel.shape[1])
    moved = share[region, column] * _charged(counterfactual.media_cost)
    stays = 1.0 - moved.sum(axis=1)  # not in the same units as its origin
    spend = counterfactual.model_paid_spend
    return np.einsum("nkj,nj->nk", moved, spend) + stays * spend


def _gains(counterfactual, reached: Panel, *, draws: bool) -> tuple[Array, Array]:
    """Return gain, (E, n_reached, M), and cost, (E, n_rows, M), of 100 % more."""
    equations, draw = counterfactual.equations_for(draws=draws).distinct()
    panel, n_media = counterfactual.panel, len(counterfactual.channels)
    gain = np.empty((len(draw), len(reached.cell), n_media))
    extra_cost = np.empty((len(draw), len(panel.cell), n_media))
    more = counterfactual.media_scaled(1.0 + STEP)
    for channel in range(n_media):
        others, spend = equations.responses(
            panel.media, more[None, ..., channel], channel
        )
        moving = [channel, *others]
        now = panel.media[..., moving]
        changed = np.empty((equations.n_draws if len(others) else 1, *now.shape))
        changed[..., 0] = more[..., channel]
        changed[..., 1:] = np.moveaxis(spend[:, : len(changed), 0], 0, -1)
        changed = np.where(counterfactual.in_x[..., None], changed, now)
        which = draw if len(others) else 0
        before, after = counterfactual.model.effects_under(
            reached, moving, [now, changed[which]], draws=draws
        )
        gain[..., channel] = (after - before) / STEP
        cost = _charged(counterfactual.media_cost)[channel, moving]
        cost = counterfactual.media_cost_or_unit[moving] * cost
        extra_cost[..., channel] = panel.rows((changed - now) @ cost)[which]
    return gain, extra_cost / STEP


def _summing(panel: Panel, by: By) -> Callable[[Array], Array]:
    """Return a function that sums rows of a panel to groups, (..., n, M)."""
    region, column = np.divmod(panel.cell, panel.shape[1])
    key = {None: 0 * region, "region": region, "period": column}[by]
    names, group = np.unique(key, return_inverse=True)

    def summed(rows):
        total = np.zeros((*rows.shape[:-2], len(names), rows.shape[-1]))
        np.add.at(total, (..., group, slice(None)), rows)  # type: ignore[arg-type]
        return total

    return summed


def _charged(media_cost: Array) -> np.ndarray:
    """Return whether spend of j is charged to i, ``[i, j]``: both money or neither.

    A cost of zero stands for a channel that is no money in a plan.
    """
    money = media_cost > 0
    return money[:, None] == money


def moving_with(equations: SpendEquations, channel: int) -> list[int]:
    """Return a channel and all that respond to it."""
    return [channel, *np.flatnonzero(equations.descendants()[channel])]
