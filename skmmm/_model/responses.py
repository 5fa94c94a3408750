"""What all channels add to the KPI, summed: the part of a fit that takes the time.

Regions pass through the cache block by block, once forwards and once backwards, with
derivatives by hand: a logarithm and two exponentials for each cell, and nothing of the
size of all cells is kept in between, unless all are one block.
"""

import math

import torch
from torch.autograd.function import once_differentiable

from skmmm._model.blocks import region_blocks
from skmmm._model.threads import of_each

_BLOCK = 2**17  # cells of all draws and channels at once
# Least adstock that has a response; and the logarithm of less, whose is nothing.
_LEAST, _LOG_OF_LESS = 1e-20, -1e6


def summed_effects(adstock, log_half_saturation, slope, size, drift, states):
    """Return ``sum_m size[m] * exp(drift[m] . states[t]) * hill(adstock[m, t])``.

    Parameters
    ----------
    adstock : Tensor of shape (E, R, M, T)
        What is not above zero has no response.
    log_half_saturation : Tensor of shape (E, R or 1, M)
    slope : Tensor of shape (E, M), positive
    size : Tensor of shape (E, R or 1, M)
        Effect at full saturation.
    drift : Tensor of shape (E, M, H)
        H = 0: none.
    states : Tensor of shape (R, H, T)
        Constant: there is no derivative by it.

    Returns
    -------
    effects : Tensor of shape (E, R, T)
    """
    if states.requires_grad:
        raise ValueError("summed_effects has no derivative by states.")
    half, size = (
        part.expand(adstock.shape[:3]) for part in (log_half_saturation, size)
    )
    return _SummedEffects.apply(adstock, half, slope, size, drift, states)


class _SummedEffects(torch.autograd.Function):
    """`summed_effects`; inside, channels come first and draws second."""

    @staticmethod
    def forward(ctx, *arguments):
        ctx.save_for_backward(*arguments)
        adstock = arguments[0]
        total = adstock[:, :, 0].new_empty(*adstock.shape[:2], adstock.shape[3])
        blocks = list(_blocks(adstock))

        def add_up(block):
            size, *_, unit = found = _response(block, *arguments)
            if len(blocks) > 1:
                found = None  # and computed again
                unit.mul_(size)
            else:
                unit = unit * size
            torch.sum(unit, dim=0, out=total[:, block])
            return found

        (ctx.found, *_) = of_each(add_up, blocks)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, pull):
        adstock, half, slope, _, drift, states = ctx.saved_tensors
        by_adstock = torch.empty_like(adstock)
        by_half, by_size = half.new_empty(2, *half.permute(2, 0, 1).shape)
        found, ctx.found = ctx.found, None  # is overwritten

        def pull_back(block):
            large, seen, ratio, response, unit = found or _response(
                block, *ctx.saved_tensors
            )
            pulled = unit.mul_(pull[:, block])
            by_size[..., block] = pulled.sum(dim=-1)
            pulled.mul_(large)
            by_drift = pulled.flatten(2) @ _cells(states, block).T
            pulled.addcmul_(pulled, response, value=-1.0)  # by the log odds
            by_half[..., block] = pulled.sum(dim=-1)
            by_slope = ratio.mul_(pulled).sum(dim=(2, 3))
            pulled = pulled.mul_(slope.T[..., None, None]).div_(seen)
            by_adstock[:, block] = pulled.permute(1, 2, 0, 3)
            return by_drift, by_slope

        by_drift, by_slope = (
            sum(parts, torch.zeros_like(like))
            for parts, like in zip(
                zip(*of_each(pull_back, _blocks(adstock)), strict=True),
                (drift.transpose(0, 1), slope.T),
                strict=True,
            )
        )
        return (
            by_adstock,
            by_half.permute(1, 2, 0) * -slope[:, None],
            by_slope.T,
            by_size.permute(1, 2, 0),
            by_drift.transpose(0, 1),
            None,
        )


def _response(block, adstock, half, slope, size, drift, states):
    """Return what makes up the effects of a block of regions.

    Size, (M, E, regions, 1); adstock, its log by half saturation, response, and that
    times drift, each a new tensor of shape (M, E, regions, T).
    """
    adstock, half, size = (
        part[:, block].movedim(2, 0) for part in (adstock, half, size)
    )
    adstock = adstock.clamp_min(_LEAST)
    log = torch.threshold_(adstock.log(), math.log(_LEAST) + 1e-3, _LOG_OF_LESS)
    ratio = log.sub_(half[..., None])
    response = (ratio * slope.T[..., None, None]).sigmoid_()
    drifted = (drift.transpose(0, 1) @ _cells(states, block)).exp_()
    unit = drifted.view_as(response).mul_(response)
    return size[..., None], adstock, ratio, response, unit


def _blocks(adstock):
    """Yield slices of regions of adstock."""
    n_draws, n_regions, n_media, n_periods = adstock.shape
    return region_blocks(n_regions, n_draws * n_media * n_periods, _BLOCK)


def _cells(states, block):
    """Return the states of a block of regions, (H, regions * T)."""
    return states[block].transpose(0, 1).flatten(1)
