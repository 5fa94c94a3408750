"""How far spend was observed: where response curves begin to extrapolate."""

import numpy as np

from skmmm._utils.typing import Array

STEP = 0.01  # of current spend: what "the next unit" of a marginal return is
RARE = 0.99  # share of training rows below what counts as observed


def support_factors(
    seen: Array,
    seen_region: np.ndarray,
    spend: Array,
    region: np.ndarray,
    group: np.ndarray,
    n_groups: int,
) -> Array:
    """Return up to which multiple of its spend each channel was observed, (M, G).

    The multiple at which the average row of a group spends what one row in a hundred
    did in training, in units of the average training row of the same region, so that
    large regions stand for small ones; nan without spend. Spend of training rows, and
    of those that are scaled, has the shape (n_rows, n_media). Codes of their regions
    are the same; regions without training spend count as average ones.
    """
    n_regions = max(seen_region.max(), region.max()) + 1
    size = _sums(seen, seen_region, n_regions)
    count = np.bincount(seen_region, minlength=n_regions)[:, None]
    typical = size / np.maximum(count, 1)
    average = seen.mean(axis=0)
    typical = np.where(typical > 0, typical, average)
    typical = np.where(typical > 0, typical, np.nan)
    highest = np.quantile(seen / typical[seen_region], RARE, axis=0)
    relative = _sums(spend / typical[region], group, n_groups)
    rows = np.bincount(group, minlength=n_groups)[:, None]
    return (highest * rows / np.where(relative > 0, relative, np.nan)).T


def _sums(rows: Array, group: np.ndarray, n_groups: int) -> Array:
    total = np.zeros((n_groups, rows.shape[1]))
    np.add.at(total, group, rows)
    return total
