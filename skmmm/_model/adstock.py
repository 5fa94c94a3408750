"""Adstock: how spend in one period acts in later ones.

Every kernel is normalised to sum to one, so that steady spend keeps its level and the
half-saturation stays in units of spend per period.
"""

import torch
from torch.nn.functional import conv1d, pad

from skmmm._model.blocks import region_blocks
from skmmm._model.threads import of_each

_BLOCK = 2**20  # media of all channels and lags at once


def _normalised(log_weight):
    return torch.softmax(log_weight, dim=-1)


def _lags(like, max_lag):
    return torch.arange(max_lag + 1, dtype=like.dtype, device=like.device)


def geometric_kernel(decay, max_lag):
    """Weights proportional to ``decay ** lag``.

    Parameters
    ----------
    decay : Tensor of shape (...), in (0, 1)
        Share of the effect that remains after one period.

    Returns
    -------
    kernel : Tensor of shape (..., max_lag + 1)

    References
    ----------
    .. [1] Jin, Wang, Sun, Chan, Koehler (2017). Bayesian Methods for Media Mix
       Modeling with Carryover and Shape Effects. Google Research, eq. 1-2.
    """
    return _normalised(_lags(decay, max_lag) * torch.log(decay)[..., None])


def delayed_kernel(decay, delay, max_lag):
    """Weights proportional to ``decay ** ((lag - delay) ** 2)``: a later peak.

    Parameters
    ----------
    decay : Tensor of shape (...), in (0, 1)
    delay : Tensor of shape (...), in periods
        Lag of the peak.

    References
    ----------
    .. [1] Jin et al. (2017), eq. 3.
    """
    distance = (_lags(decay, max_lag) - delay[..., None]) ** 2
    return _normalised(distance * torch.log(decay)[..., None])


def weibull_kernel(shape, scale, max_lag):
    """Weights proportional to the Weibull density at the middle of each period.

    Parameters
    ----------
    shape : Tensor of shape (...), positive
        Below 1 the effect falls from the start, above 1 it peaks later.
    scale : Tensor of shape (...), positive, in periods

    References
    ----------
    .. [1] Robyn, "Adstock: Weibull PDF". Meta Marketing Science (2021).
    """
    reach_log = torch.log((_lags(shape, max_lag) + 0.5) / scale[..., None])
    shape = shape[..., None]
    power_log = shape * reach_log
    return _normalised(power_log - reach_log - torch.exp(power_log))


def free_kernel(steps):
    """Weights whose logarithm is a random walk over lags: any smooth shape.

    Parameters
    ----------
    steps : Tensor of shape (..., max_lag)
        Change of the log weight from one lag to the next.
    """
    start = steps.new_zeros(*steps.shape[:-1], 1)
    return _normalised(torch.cat([start, torch.cumsum(steps, dim=-1)], dim=-1))


def kernel_of(adstock, values, max_lag):
    """Return the lag weights, shape (E, M, L + 1); not for ``adstock="gru"``.

    Parameters
    ----------
    adstock : str, one of ADSTOCKS
    values : dict of str to Tensor
        Of an `OutcomeNetwork`.
    max_lag : int
    """
    if adstock == "geometric":
        return geometric_kernel(torch.sigmoid(values["decay_logit"]), max_lag)
    if adstock == "delayed":
        decay = torch.sigmoid(values["decay_logit"])
        return delayed_kernel(decay, torch.exp(values["delay_log"]), max_lag)
    if adstock == "weibull":
        shape, scale = (torch.exp(values[f"{n}_log"]) for n in ("shape", "scale"))
        return weibull_kernel(shape, scale, max_lag)
    if adstock == "free":
        return free_kernel(values["steps"])
    raise ValueError(f"adstock={adstock!r} has no lag weights.")


def carry(media, kernel):
    """Convolve media with one kernel per draw and channel.

    Parameters
    ----------
    media : Tensor of shape ([n_draws,] n_regions, n_media, max_lag + n_periods)
        The same for all draws, or one for each.
    kernel : Tensor of shape (n_draws, n_media, max_lag + 1)
        First entry: lag 0.

    Returns
    -------
    adstock : Tensor of shape (n_draws, n_regions, n_media, n_periods)
    """
    n_draws, n_media, n_lags = kernel.shape
    if media.ndim == 4:
        weight = kernel.flip(-1).reshape(n_draws * n_media, 1, n_lags)
        own = media.transpose(0, 1).flatten(1, 2)  # (R, E * M, L + T)
        out = conv1d(own, weight, groups=n_draws * n_media)
        return out.unflatten(1, (n_draws, n_media)).transpose(0, 1)
    return _Carry.apply(media, kernel)


class _Carry(torch.autograd.Function):
    """`carry` of media that are the same for all draws, region block by block.

    For each channel the product of two matrices: kernels of all draws, and media of
    this and earlier periods, which are never there for all regions at once.
    """

    @staticmethod
    def forward(ctx, media, kernel):
        ctx.save_for_backward(media, kernel)
        (n_draws, n_media, n_lags), n_regions = kernel.shape, len(media)
        n_periods = media.shape[-1] - n_lags + 1
        out = media.new_empty(n_media, n_draws, n_regions, n_periods)
        blocks = list(region_blocks(n_regions, n_media * n_lags * n_periods, _BLOCK))

        def carry_over(block):
            lags = _lagged(media[block], n_lags).flatten(2)
            carried = kernel.transpose(0, 1) @ lags
            out[:, :, block] = carried.unflatten(2, (-1, n_periods))
            return lags if len(blocks) == 1 else None

        (ctx.lags, *_) = of_each(carry_over, blocks)
        return out.permute(1, 2, 0, 3)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, pull):
        media, kernel = ctx.saved_tensors
        (_, n_media, n_lags), (_, n_regions, _, n_periods) = kernel.shape, pull.shape
        n_cells = n_media * n_lags * n_periods
        nothing = torch.zeros_like(kernel.transpose(0, 1))
        by_media = torch.zeros_like(media) if ctx.needs_input_grad[0] else None

        def pull_back(block):
            by_kernel = nothing
            pulled = pull[:, block].permute(2, 0, 1, 3).flatten(2)  # (M, E, cells)
            if ctx.needs_input_grad[1]:
                lags = ctx.lags
                if lags is None:
                    lags = _lagged(media[block], n_lags).flatten(2)
                by_kernel = pulled @ lags.transpose(1, 2)
            if by_media is not None:
                by_lag = (kernel.permute(1, 2, 0) @ pulled).unflatten(
                    2, (-1, n_periods)
                )
                for lag, part in enumerate(by_lag.transpose(0, 1)):
                    first = n_lags - 1 - lag
                    arrives = by_media[block, :, first : first + n_periods]
                    arrives += part.transpose(0, 1)
            return by_kernel

        blocks = region_blocks(n_regions, n_cells, _BLOCK)
        by_kernel = sum(of_each(pull_back, blocks), nothing)
        return by_media, by_kernel.transpose(0, 1)


def _lagged(media, n_lags):
    """Return media of this and earlier periods, (M, n_lags, regions, T)."""
    n_periods = media.shape[-1] - n_lags + 1
    first = range(n_lags - 1, -1, -1)
    by_channel = media.transpose(0, 1)
    return torch.stack([by_channel[..., at : at + n_periods] for at in first], dim=1)


def carry_known(media, known, kernel):
    """Like `carry`, averaging over the lags whose spend is known.

    Parameters
    ----------
    media : Tensor of shape ([n_draws,] n_regions, n_media, max_lag + n_periods)
        Zero where unknown.
    known : Tensor of shape (n_regions, max_lag + n_periods)
        1 where spend is known, 0 in masked cells.
    kernel : Tensor of shape (n_draws, n_media, max_lag + 1)
    """
    adstock = carry(media, kernel)
    gaps = (known == 0).any(dim=1)
    if not gaps.any():
        return adstock
    seen = known[gaps, None, :].expand(-1, media.shape[-2], -1).contiguous()
    share = torch.ones_like(adstock)
    share[:, gaps] = carry(seen, kernel).clamp_min(1e-9)
    return adstock / share


def linear_scan(keep, add):
    """Solve ``h[t] = keep[t] * h[t - 1] + add[t]`` from ``h[-1] = 0``, all t at once.

    Doubling: after step k every entry has absorbed the 2**k entries before it, so the
    number of steps grows with the logarithm of the number of periods.

    Parameters
    ----------
    keep, add : Tensor of shape (..., n_periods)

    Returns
    -------
    state : Tensor of shape (..., n_periods)

    References
    ----------
    .. [1] Hillis and Steele (1986). Data parallel algorithms. CACM 29(12).
    """
    return _LinearScan.apply(*torch.broadcast_tensors(keep, add))


class _LinearScan(torch.autograd.Function):
    """`linear_scan` with a derivative that is a scan too, from the last period back."""

    @staticmethod
    def forward(ctx, keep, add):
        state = scan(doubled(keep), add)
        ctx.save_for_backward(keep, state)
        return state

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        keep, state = ctx.saved_tensors
        pull = scan_back(doubled(keep), gradient)
        return pull * pad(state[..., :-1], (1, 0)), pull


def doubled(keep):
    """Yield what is kept over 1, 2, 4, 8... periods, of all that have so many before.

    Parameters
    ----------
    keep : Tensor of shape (..., n_periods)

    Yields
    ------
    product : Tensor of shape (..., n_periods - 2**k)
    """
    kept, shift = keep[..., 1:], 1
    while kept.shape[-1]:
        yield kept
        kept = kept[..., shift:] * kept[..., :-shift]
        shift *= 2


def scan(products, add):
    """Return the states of `linear_scan`, without what derivatives need.

    Parameters
    ----------
    products : iterable of Tensor
        Of what is kept, as `doubled` yields them.
    add : Tensor of shape (..., n_periods)
    """
    state = add.clone()
    for product in products:
        shift = state.shape[-1] - product.shape[-1]
        state[..., shift:].add_(product * state[..., :-shift])
    return state


def scan_back(products, gradient):
    """Return derivatives by what `linear_scan` adds, from those by its states.

    ``pull[t] = keep[t + 1] * pull[t + 1] + gradient[t]``
    """
    pull = gradient.clone()
    for product in products:
        shift = pull.shape[-1] - product.shape[-1]
        pull[..., :-shift].add_(product * pull[..., shift:])
    return pull


def recurrent_carry(media, known, keep, refresh, mix, late_keep, *, part=None):
    """Run a small gated recurrent cell over each channel's own spend.

    A GRU in which every dependence on spend is increasing::

        forget[t] = keep + refresh * (1 - keep) * x[t] / (1 + x[t])
        h[t] = forget[t] * h[t - 1] + (1 - keep) * x[t]
        l[t] = late_keep * l[t - 1] + (1 - late_keep) * h[t]
        adstock[t] = (1 - mix) * h[t] + mix * l[t]

    The gates see the spend but not the state (as in a minimal GRU), so the recurrence
    is solved for all periods at once; spending refreshes the memory of earlier spend,
    and the second unit, fed by the first, allows a late peak. The output is
    non-negative and increasing in the spend of every period.

    Parameters
    ----------
    media : Tensor of shape ([n_draws,] n_regions, n_media, n_history), non-negative
    known : Tensor of shape (n_regions, n_history)
        In masked cells (0) the state is held.
    keep, refresh, mix, late_keep : Tensor of shape (n_draws, n_media), in (0, 1)
    part : Tensor that media can be broadcast to, default=None
        A part of media to be followed alone, while all of them move the gates; the
        parts of a sum add up. None: all.

    Returns
    -------
    adstock : Tensor of shape (n_draws, n_regions, n_media, n_history)

    References
    ----------
    .. [1] Cho et al. (2014). Learning Phrase Representations using RNN
       Encoder-Decoder. EMNLP.
    .. [2] Feng et al. (2024). Were RNNs All We Needed? arXiv 2410.01201.
    """
    seen = known[:, None, :]
    keep, refresh, mix, late_keep = (
        p[:, None, :, None] for p in (keep, refresh, mix, late_keep)
    )
    forget = keep + refresh * (1.0 - keep) * media / (1.0 + media)
    part = media if part is None else part
    state = linear_scan(seen * forget + (1.0 - seen), seen * (1.0 - keep) * part)
    late = linear_scan(late_keep.expand_as(state), (1.0 - late_keep) * state)
    return (1.0 - mix) * state + mix * late
