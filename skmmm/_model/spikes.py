"""Spikes: spend x beyond h, what nearly all periods stay below, counts as less.

It counts as ``h * (x / h) ** share``; the rest is in excess. Adstock is linear in what
counts, so that what the excess of few cells would carry over is taken away again.
"""

import torch

MANY = 0.1  # share of cells in excess from which it is faster to carry all over again


def damped_spikes(media, high, share):
    """Return what media count as.

    Parameters
    ----------
    media : Tensor
    high, share : Tensor
        That can be broadcast with media.
    """
    beyond = (media / high).clamp_min(1.0)
    return media / beyond * beyond**share


def believed_share(values):
    """Return the share of the log of spikes that is believed, (E, M)."""
    return torch.sigmoid(values["spike_logit"])


def find_spikes(media, high):
    """Return region, channel and period of media, (R, C, L + T), beyond `high`.

    Each of shape (n,). None if they are more than `MANY` of all cells.
    """
    beyond = media > high
    if beyond.sum() > MANY * beyond.numel():
        return None
    return torch.nonzero(beyond, as_tuple=True)


def take_excess(adstock, media, high, share, kernel, cells):
    """Return adstock less what the excess of some cells carries over.

    Parameters
    ----------
    adstock : Tensor of shape (E, R, C, T)
        As if all spend was believed. Overwritten where there are no derivatives.
    media : Tensor of shape (R, C, L + T)
    high : Tensor of shape (R, C, 1)
    share : Tensor of shape (E, C)
    kernel : Tensor of shape (E, C, L + 1)
        First entry: lag 0.
    cells : tuple of Tensor
        What `find_spikes` returned.

    Returns
    -------
    adstock : Tensor of shape (E, R, C, T)
        Below zero by rounding at most.
    """
    region, channel, period = cells
    if not len(region):
        return adstock
    spend = media[cells]
    counts = damped_spikes(spend, high[region, channel, 0], share[:, channel])
    excess = spend - counts  # (E, n)
    n_draws, n_regions, n_channels, n_periods = adstock.shape
    n_lags = kernel.shape[2]
    arrives = period[:, None] - (n_lags - 1) + torch.arange(n_lags)
    inside = (arrives >= 0) & (arrives < n_periods)
    late = (excess[..., None] * kernel[:, channel])[:, inside]
    # Channels first, as `carry` lays adstock out: nothing has to be moved.
    flat = adstock.permute(2, 0, 1, 3).reshape(-1)
    draw = torch.arange(n_draws)[:, None, None]
    series = (channel[:, None] * n_draws + draw) * n_regions + region[:, None]
    position = (series * n_periods + arrives)[:, inside]
    less = 0, position.flatten(), late.flatten()
    if flat.requires_grad or late.requires_grad:
        flat = flat.index_add(*less, alpha=-1.0)
    else:
        flat.index_add_(*less, alpha=-1.0)  # it may be large
    shape = n_channels, n_draws, n_regions, n_periods
    return flat.view(shape).permute(1, 2, 0, 3)
