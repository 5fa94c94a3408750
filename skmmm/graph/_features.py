"""What the equations of the channel graph are regressed on."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

# Of the geometric tail that stands for all spend before the lags that enter one by one.
TAIL_DECAY = 0.6
N_SWEEPS = 50
TOLERANCE = 1e-9
# A direction in time that explains this much more than noise would moves all regions.
FACTOR_EDGE = 1.6
MAX_FACTORS = 4
MIN_REGIONS = 4


@dataclass(frozen=True)
class Layout:
    """Which column of the features is what.

    A block has for every channel a column for this period's value, its lags and its
    tail. The first block is u; others hold values by which channels may drive others
    instead. Columns of controls, and of what else enters all equations, follow.

    Attributes
    ----------
    n_media, n_lags, n_always : int
    n_blocks : int
    drives : tuple of int
        The block by which each channel drives others.
    """

    n_media: int
    n_lags: int
    n_always: int
    n_blocks: int
    drives: tuple

    @property
    def width(self):
        """Number of columns of one channel's value: now, lags, tail."""
        return self.n_lags + 2

    @cached_property
    def same(self):
        """Columns of this period's values, shape (n_media,)."""
        return np.arange(self.n_media) * self.width

    @cached_property
    def late(self):
        """Columns of lags and tail, shape (n_media, n_lags + 1)."""
        return self.same[:, None] + np.arange(1, self.width)

    @cached_property
    def _shift(self):
        return np.array(self.drives, dtype=int) * self.n_media * self.width

    @cached_property
    def drive_same(self):
        """Columns of the values by which channels drive others in the same period."""
        return self.same + self._shift

    @cached_property
    def drive_late(self):
        """Columns of the lags and tails of these values."""
        return self.late + self._shift[:, None]

    @cached_property
    def always(self):
        """Columns that enter every equation."""
        before = self.n_blocks * self.n_media * self.width
        return before + np.arange(self.n_always)


@dataclass(frozen=True, eq=False)
class Features:
    """Adjusted features of the rows that have a complete recent past.

    Attributes
    ----------
    values : ndarray of shape (n_regions, n_periods, n_columns)
        Without region and period effects and without what is adjusted for; zero
        outside `rows`. Channels have unit variance.
    rows : ndarray of shape (n_regions, n_periods), bool
    layout : Layout
    n_rows : int
        Rows less degrees of freedom of the adjustment, and of what enters every
        equation: own lags and controls.
    scale : ndarray of shape (n_columns,)
        Standard deviation of the adjusted columns, by which they were divided.
    absorbed : ndarray of shape (n_media,)
        Share of a channel's variance within regions that the adjustment took.
    n_factors : int
        Common movements to which regions respond differently.
    """

    values: np.ndarray
    rows: np.ndarray
    layout: Layout
    n_rows: int
    scale: np.ndarray
    absorbed: np.ndarray
    n_factors: int = 0

    def gram(self, cluster, n_clusters):
        """Return cross-products summed by cluster of cells, (n_clusters, p, p)."""
        p = self.values.shape[2]
        total = np.zeros((n_clusters, p, p))
        for c in range(n_clusters):
            rows = self.values[(cluster == c) & self.rows]
            total[c] = rows.T @ rows
        return total


def make_features(blocks, controls, observed, terms, n_lags):
    """Build and adjust the features.

    Parameters
    ----------
    blocks : list of ndarray of shape (n_regions, n_periods, n_media)
        u, and other values by which channels may drive others.
    controls : ndarray of shape (n_regions, n_periods, n_controls)
    observed : ndarray of shape (n_regions, n_periods), bool
    terms : ndarray of shape (n_periods, n_terms)
        Adjusted for with a coefficient per region; a constant among them.
    n_lags : int

    Returns
    -------
    features : Features
    """
    n_regions, n_periods, n_media = blocks[0].shape
    rows = complete_rows(observed, n_lags)
    with_past = [_with_past(filled(block, observed), n_lags) for block in blocks]
    past = _with_past(filled(controls, observed), n_lags)
    always = past[..., : n_lags + 1].reshape(n_regions, n_periods, -1)
    flat = [block.reshape(n_regions, n_periods, -1) for block in with_past]
    layout = Layout(n_media, n_lags, always.shape[2], len(blocks), (0,) * n_media)
    raw = np.concatenate([*flat, always], axis=2)
    within = _spread(partial_out(raw, rows, terms[:, :1], weeks=False), rows)
    values = partial_out(raw, rows, terms)
    factors = _common_factors(values, rows, layout)
    if factors.shape[1]:
        terms = np.concatenate([terms, factors], axis=1)
        values = partial_out(raw, rows, terms)
    spread = _spread(values, rows)
    moving = spread > 1e-6 * np.maximum(within, np.finfo(float).tiny)
    scale = np.where(moving, spread, 1.0)
    values = np.where(moving, values, 0.0) / scale
    n_regions_used = int(rows.any(axis=1).sum())
    used = n_regions_used * terms.shape[1]
    if n_regions_used > 1:
        used += (factors.shape[1] + 1) * int(rows.any(axis=0).sum()) - 1
    left = (spread / np.where(within > 0, within, 1.0))[layout.same]
    return Features(
        values=values,
        rows=rows,
        layout=layout,
        n_rows=int(rows.sum()) - used - len(layout.always) - n_lags - 1,
        scale=np.where(moving, spread, 1.0),
        absorbed=1.0 - left**2,
        n_factors=factors.shape[1],
    )


def with_column(features, column):
    """Return the features with one more column that enters every equation."""
    values = np.concatenate([features.values, column[..., None]], axis=2)
    layout = replace(features.layout, n_always=features.layout.n_always + 1)
    return replace(features, values=values, layout=layout)


def partial_out(values, rows, terms, *, weeks=True):
    """Take region-specific terms and period means out of the rows that count.

    Within regions and within periods in turn until nothing changes; a complete panel
    needs one turn (Frisch, Waugh 1933). With one region there are no period means.

    Parameters
    ----------
    values : ndarray of shape (n_regions, n_periods, n_columns)
    rows : ndarray of shape (n_regions, n_periods), bool
    terms : ndarray of shape (n_periods, n_terms)

    Returns
    -------
    adjusted : ndarray of the same shape
        Zero outside `rows`.
    """
    weight = rows[..., None].astype(float)
    values = values * weight
    inner = np.einsum("rt,tk,tl->rkl", weight[..., 0], terms, terms)
    inverse = np.linalg.pinv(inner, hermitian=True)
    count = np.maximum(weight.sum(axis=0), 1.0)
    weeks = weeks and rows.any(axis=1).sum() > 1
    size = np.abs(values).max(initial=0.0)
    for _ in range(N_SWEEPS):
        coef = inverse @ (terms.T @ values)
        values = (values - terms @ coef) * weight
        if not weeks:
            break
        mean = values.sum(axis=0) / count
        values = (values - mean) * weight
        if np.abs(mean).max(initial=0.0) <= TOLERANCE * size:
            break
    return values


def complete_rows(observed, n_lags):
    """Return which cells are observed with all their lags, and have a tail."""
    rows = observed.copy()
    rows[:, : n_lags + 1] = False
    for lag in range(1, n_lags + 1):
        rows[:, lag:] &= observed[:, :-lag]
    return rows


def lagged(values, n_lags):
    """Return lags 1 to n_lags and the geometric tail behind them, on a last axis."""
    return _with_past(values, n_lags)[..., 1:]


def _with_past(values, n_lags):
    """Return the values of now, lags and tail, shape (R, T, M, n_lags + 2)."""
    past = np.zeros((*values.shape, n_lags + 2))
    past[..., 0] = values
    for lag in range(1, n_lags + 1):
        past[:, lag:, :, lag] = values[:, :-lag]
    behind = n_lags + 1
    for t in range(behind, values.shape[1]):
        past[:, t, :, behind] = (
            TAIL_DECAY * past[:, t - 1, :, behind] + values[:, t - behind]
        )
    return past


def filled(values, observed):
    """Return deviations from the region's mean, zero where there is no row."""
    weight = observed[..., None].astype(float)
    count = np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    mean = (values * weight).sum(axis=1, keepdims=True) / count
    return (values - mean) * weight


def _spread(values, rows):
    return np.sqrt((values**2).sum(axis=(0, 1)) / max(int(rows.sum()), 1))


def _common_factors(values, rows, layout):
    """Return movements in time to which regions respond differently, (T, n_factors).

    Period means remove what moves all regions alike. If regions respond to it with
    different strength, the residuals of all series, each explained by the past of its
    own region, still have common directions in time: principal components whose
    variance is beyond the edge of that of noise (Bai 2009, Econometrica 77;
    Marchenko, Pastur 1967).
    """
    n_periods = values.shape[1]
    none = np.zeros((n_periods, 0))
    n_regions = int(rows.any(axis=1).sum())
    if n_regions < MIN_REGIONS:
        return none
    rest = np.concatenate([layout.late.ravel(), layout.always])
    error = values[..., layout.same] - values[..., rest] @ _regression(
        values, rest, layout.same
    )
    spread = _spread(error, rows)
    error = error / np.where(spread > 0, spread, 1.0)
    series = error.transpose(0, 2, 1).reshape(-1, n_periods)
    # Period means are out: one region less is free.
    n_series = (n_regions - 1) * len(layout.same)
    variance, direction = np.linalg.eigh(series.T @ series / n_series)
    edge = (1 + np.sqrt(n_periods / n_series)) ** 2
    n_factors = int((variance > FACTOR_EDGE * edge).sum())
    n_factors = min(n_factors, MAX_FACTORS, n_periods // 10)
    return direction[:, ::-1][:, :n_factors] * np.sqrt(n_periods)


def _regression(values, inputs, outputs):
    flat = values.reshape(-1, values.shape[2])
    gram = flat[:, inputs].T @ flat[:, inputs]
    return np.linalg.pinv(gram, hermitian=True) @ (flat[:, inputs].T @ flat[:, outputs])
