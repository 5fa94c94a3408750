"""The slow stock of brand channels: a part of what spend causes arrives over months.

With ``e[m, t]`` what a channel causes by saturated, carried-over spend of a period::

    effect[m, t] = (1 - share[m]) * e[m, t] + late[m, t]
    late[m, t]   = keep * late[m, t - 1] + (1 - keep) * share[m] * e[m, t]
    keep         = 0.5 ** (1 / half_life)

over all periods from the first row of a region on. Nothing is lost: steady spend comes
to the same with and without a stock. What is in it before the first row belongs to the
baseline, a multiple ``start`` of what steady spend as usual would have left there. So
does what spend as usual brings in gaps without rows that are longer than carry-over.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import pad

from skmmm._model.adstock import linear_scan
from skmmm._model.draws import few_draws
from skmmm._model.responses import summed_effects

# Expected half-lives after which no more is counted of when an effect arrives; a
# half-life is at most about four of them.
_LIVES = 32


def shares(channels, values):
    """Return which share of effects goes into the stock, (E, M); 0 without one.

    Parameters
    ----------
    channels : ChannelPriors
        Some of which have a stock.
    values : dict of str to Tensor
        Of an `OutcomeNetwork`.
    """
    return torch.sigmoid(values["stock_share_logit"]) * (channels.stock > 0)


def kept(values):
    """Return the share of the stock that is still there a period later, (E,)."""
    return torch.exp(-math.log(2.0) * torch.exp(-values["stock_life_log"]))


def fade(inflow, keep):
    """Return what comes out of a stock that is empty at first, (E, ..., T).

    Parameters
    ----------
    inflow : Tensor of shape (E, ..., T)
    keep : Tensor of shape (E,)
    """
    keep = keep.reshape(-1, *[1] * (inflow.ndim - 1))
    return linear_scan(keep, (1.0 - keep) * inflow)


def split_in_time(channels, values, effects):
    """Return which part of effects arrives at once, and which late, (E, R, M, T)."""
    inflow = shares(channels, values)[:, None, :, None] * effects
    late = torch.zeros_like(effects)
    some = torch.nonzero(channels.stock > 0)[:, 0]
    slow = fade(inflow.index_select(2, some), kept(values))
    return effects - inflow, late.index_copy(2, some, slow)


def arriving(channels, values, effects):
    """Return effects, (E, R, M, T), in the periods in which they arrive."""
    if channels.stock is None:
        return effects
    at_once, late = split_in_time(channels, values, effects)
    return at_once + late


def summed_arriving(channels, values, adstock, half, slope, size, drift):
    """Return the sum of `arriving` over channels, (E, R, T), as `summed_effects`."""
    share = shares(channels, values)[:, None]
    some = torch.nonzero(channels.stock > 0)[:, 0]
    weights, states = drift
    at_once = size * (1.0 - share)
    at_once = summed_effects(adstock, half, slope, at_once, weights, states)
    inflow = summed_effects(
        adstock.index_select(2, some),
        half.index_select(2, some),
        slope.index_select(1, some),
        (size * share).index_select(2, some),
        weights.index_select(1, some),
        states,
    )
    return at_once + fade(inflow, kept(values))


def remains(network, values, inputs):
    """Return what stocks bring of spend that nobody saw, (E, R, M, T).

    Before the first row of a region, and in gaps out of which carry-over tells nothing.
    As the KPI shows it, which is not all that effects are where they are masked.
    """
    channels = network.channel_priors
    typical = network.visible_effects(values)[:, None] * values["effect_log"].exp()
    usual = typical * (shares(channels, values) * channels.usual)[:, None]
    before = values["stock_start"][:, None, None] * usual
    faded = kept(values)[:, None, None] ** (inputs.age + 1.0)  # (E, R, T)
    found = before[..., None] * faded[:, :, None]
    unheard = _unheard(inputs)
    if network.adstock == "gru" or not unheard.any():  # a GRU holds its state in gaps
        return found
    return found + fade(usual[..., None] * unheard[:, None], kept(values))


def _unheard(inputs):
    """Return 1 in cells of which no lag is known, else 0, (R, T)."""
    n_lags = inputs.known.shape[-1] - len(inputs.trend) + 1
    return 1.0 - inputs.known.unfold(-1, n_lags, 1).amax(dim=-1)


def arrival_weights(model, *, draws):
    """Return the share of an effect that arrives at each lag, (E, n_media, n_lags).

    Carry-over and stock together; nan after the last lag of channels without a stock.

    Parameters
    ----------
    model : OutcomeModel
    draws : bool
        False: at the point, with one draw.
    """
    carried = model.summary(draws=draws)["carryover"]
    network = model.network_of(draws=draws)
    channels = network.channel_priors
    if channels.stock is None:
        return carried
    n_longer = int(_LIVES * channels.stock.max())
    none = np.full((*carried.shape[:2], n_longer), np.nan)
    found = np.concatenate([carried, none], axis=2)
    slow = np.flatnonzero(channels.stock.numpy() > 0)
    with torch.no_grad():
        for some, twin in few_draws(network):
            values = twin.values()
            effects = pad(torch.from_numpy(carried[some, slow]), (0, n_longer))
            inflow = shares(channels, values)[:, slow, None] * effects
            late = fade(inflow, kept(values))
            found[some, slow] = (effects - inflow + late).numpy()
    return found


def stock_parameters(network):
    """Return shares, (E, M), and half-life in periods, (E,), of stocks."""
    with torch.no_grad():
        values = network.values()
        share = shares(network.channel_priors, values)
        return share.numpy(), torch.exp(values["stock_life_log"]).numpy()


def short_and_long(model, panel, *, draws):
    """Return what arrives at once and what out of stocks, in the rows of a panel.

    Parameters
    ----------
    model : OutcomeModel
        Some of whose channels have a stock.
    panel : Panel
    draws : bool
        False: at the point, with one draw.

    Returns
    -------
    at_once, late : ndarray of shape (n_draws, n_media, n_rows)
        In KPI units; they sum to what `OutcomeModel.components` says of media.
    """
    unit = _kpi_units(model, panel)[panel.cell // panel.shape[1]]
    parts = [
        [panel.rows(part.transpose(1, 2).numpy()) for part in own]
        for _, own in _each_split(model, panel, panel.media, draws)
    ]
    at_once, late = (np.concatenate(part) * unit for part in zip(*parts, strict=True))
    return at_once, late


def still_to_come(model, panel, media, last, *, draws):
    """Return what stocks bring after the last period that counts, (n_draws, n_media).

    If effects stay as they are. In KPI units; zero for channels without a stock.

    Parameters
    ----------
    model : OutcomeModel
        Some of whose channels have a stock.
    panel : Panel
    media : ndarray of shape (R, T, n_media)
        Spend on the grid of the panel, in the units of X.
    last : ndarray of shape (R,), int
        The last period that counts, -1 in regions that do not count.
    draws : bool
        False: at the point, with one draw.
    """
    regions = np.flatnonzero(last >= 0)
    unit = torch.from_numpy(_kpi_units(model, panel)[regions])
    found = []
    for values, (_, late) in _each_split(model, panel, media, draws):
        at_end = late[:, regions, :, last[regions]]  # (R', E, M)
        keep = kept(values)[:, None]
        found.append(torch.einsum("rem,r->em", at_end, unit) * keep / (1.0 - keep))
    return torch.cat(found).numpy()


def _kpi_units(model, panel):
    """Return the mean KPI of all regions of a panel, (R,)."""
    return model.scales.extended(panel.shape[0] - len(model.scales.kpi)).kpi


def _each_split(model, panel, media, draws):
    """Yield values of a few draws and effects of media `split_in_time`."""
    n_new = panel.shape[0] - len(model.scales.kpi)
    typical = model.scales.extended(n_new).media[:, :, None]
    before = [(0, 0), (0, 0), (model.network.sizes.max_lag, 0)]
    relative = np.pad(np.swapaxes(media, 1, 2) / typical, before)
    inputs = replace(model.inputs(panel), media=torch.from_numpy(relative))
    with torch.no_grad():
        for _, twin in few_draws(model.network_of(draws=draws)):
            twin = twin.extended(n_new)
            values = twin.values()
            effects = twin.effects_before_stock(values, inputs)
            yield values, split_in_time(twin.channel_priors, values, effects)
