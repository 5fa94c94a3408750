"""Which spend was observed: where response curves extrapolate."""

import numpy as np

from skmmm._utils.typing import Array

STEP = 0.01  # of current spend: what "the next unit" of a marginal return is
RARE = 0.01  # share of training rows beyond either end of what counts as observed


def support_factors(
    seen: Array,
    seen_region: np.ndarray,
    spend: Array,
    region: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    share: float,
) -> Array:
    """Return the multiple of its spend at an end of what was observed, (M, G).

    The multiple at which the average row of a group spends what a share of the rows did
    not exceed in training, in units of the average training row of the same region, so
    that large regions stand for small ones; nan without spend. Spend of training rows,
    and of those that are scaled, has the shape (n_rows, n_media). Codes of regions
    are the same; regions without training spend count as average ones.
    """
    n_regions = max(seen_region.max(), region.max()) + 1
    size = _sums(seen, seen_region, n_regions)
    count = np.bincount(seen_region, minlength=n_regions)[:, None]
    typical = size / np.maximum(count, 1)
    average = seen.mean(axis=0)
    typical = np.where(typical > 0, typical, average)
    typical = np.where(typical > 0, typical, np.nan)
    end = np.quantile(seen / typical[seen_region], share, axis=0)
    relative = _sums(spend / typical[region], group, n_groups)
    rows = np.bincount(group, minlength=n_groups)[:, None]
    return (end * rows / np.where(relative > 0, relative, np.nan)).T


def _sums(rows: Array, group: np.ndarray, n_groups: int) -> Array:
    total = np.zeros((n_groups, rows.shape[1]))
    np.add.at(total, group, rows)
    return total
