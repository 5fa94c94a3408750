"""How many regions do the movements of all regions come to?"""

import numpy as np
import torch

from skmmm._model.priors import NOISE_RATIO

_MIN_REGIONS = 6  # with fewer, groups of regions are not told from chance
_MIN_SPENDING = 26  # periods, of regions that say how alike regions spend
# Pairs of regions observed together for fewer periods say nothing.
_MIN_COMMON = 10
# Regions that are compared with each other: half a million pairs say how alike all are.
_COMPARED = 1_000
# What is left of movements without what all regions share, of their size, below which
# they are the same.
_SAME = 1e-3
# Regions among which groups show: of more, the least likeness makes few.
_GROUPED = 200


def independent_share(moves):
    """Return how many independent regions movements are worth, as a share of all.

    The participation ratio of the correlation matrix of the movements, after the mean
    of each period is removed, corrected for the finite number of periods.

    Parameters
    ----------
    moves : Tensor of shape (R, T)
        NaN where nothing was observed.

    Returns
    -------
    share : float
        Above 0, at most 1. 1 if no two regions were observed together for long.

    References
    ----------
    .. [1] Bretherton et al. (1999). The effective number of spatial degrees of
       freedom of a time-varying field. Journal of Climate 12.
    """
    # The shock that all have in common does not count; what it is, precise regions
    # know best, though none knows it for sure.
    size = moves.abs().nanmedian()
    spread = moves.abs().nanmedian(dim=1, keepdim=True).values
    spread = torch.maximum(spread, NOISE_RATIO * spread.nanmedian()).clamp_min(1e-12)
    precise = torch.where(moves.isnan(), 0.0, spread**-2)
    total = precise.sum(dim=0).clamp_min(1e-12)
    moves = moves - (precise * moves.nan_to_num()).sum(dim=0) / total
    n_regions = len(moves)
    if moves.abs().nanmedian() <= _SAME * size:
        return 1.0 / (n_regions - 1)
    # Winsorise: one outlier must not decide how alike two regions are.
    spread = 1.4826 * moves.abs().nanmedian(dim=1, keepdim=True).values
    moves = (moves / spread.clamp_min(1e-12)).clamp(-4.0, 4.0)
    moves = moves / moves.square().nanmean(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
    known = (~moves.isnan()).to(moves.dtype)
    moves = moves.nan_to_num()
    if n_regions > _COMPARED:
        generator = torch.Generator().manual_seed(0)
        some = torch.randperm(n_regions, generator=generator)[:_COMPARED]
        known, moves = known[some], moves[some]
    n_common = known @ known.T
    # By chance alone the squared correlation of a pair is one over the number of
    # periods in which both were observed.
    pairs = (n_common >= _MIN_COMMON) & ~torch.eye(len(moves), dtype=torch.bool)
    if not pairs.any():
        return 1.0
    alike = (moves @ moves.T / n_common.clamp_min(1.0)).square()
    alike = (alike - 1.0 / n_common.clamp_min(1.0))[pairs].mean()
    # Mean over all pairs, each region with itself included. Independent regions, less
    # their mean, come to 1 / (R - 1).
    alike = (1.0 + (n_regions - 1) * alike) / n_regions
    number = 1.0 / alike.clamp_min(1.0 / (n_regions - 1))
    return float(number / (n_regions - 1))


def share_among_few(share, n_regions):
    """Return a share of independent regions, as if there were at most 200 regions.

    Regions of which pairs are alike by the same little are worth the same number of
    independent ones at most, however many they are. That bounds what all of them say
    together; it makes no groups of them.
    """
    n_few = min(n_regions, _GROUPED)
    if n_few == n_regions:
        return share
    alike = (n_regions / ((n_regions - 1) * share) - 1.0) / (n_regions - 1)
    return n_few / ((n_few - 1) * (1.0 + (n_few - 1) * alike))


def independent_spend(media, seen):
    """Return how many independent regions each channel's spend is worth, as a share.

    Of at most 200 regions, as in `share_among_few`.

    Parameters
    ----------
    media : ndarray of shape (R, T, M)
    seen : ndarray of shape (R, T, 1), bool

    Returns
    -------
    shares : ndarray of shape (M,)
        Of the regions in which it spends for a while; 0 where that are fewer than
        three, 1 where regions are too few for groups.
    """
    if len(media) < _MIN_REGIONS:
        return np.ones(media.shape[2])
    found = np.zeros(media.shape[2])
    for m, spend in enumerate(np.moveaxis(np.where(seen, media, np.nan), 2, 0)):
        spend = spend[(spend > 0).sum(axis=1) >= _MIN_SPENDING]
        if len(spend) > 2:
            moves = np.log1p(spend / np.nanmean(spend, axis=1, keepdims=True))
            moves -= np.nanmean(moves, axis=1, keepdims=True)
            share = independent_share(torch.from_numpy(moves))
            found[m] = share_among_few(share, len(moves))
    return found
