"""Does spend of the next period go with the KPI of this one, which it cannot cause?

Something that lasts, as demand does, may move a budget and the KPI of the same period.
Where it moves one budget only, or moves several unlike a factor that `hidden_demand`
finds, no other channel tells of it. But it lasts: what moves the budget of the next
period was there before, and has moved the KPI of this one.
"""

import numpy as np
from scipy.signal import lfilter
from scipy.stats import t as t_distribution

from skmmm._utils.typing import Array
from skmmm.inspection._endogeneity import (
    _is_used,
    _lag,
    _mean,
    _relative_kpi,
    _relative_spend,
    _time_terms,
)

# Fewer regions are one series each, whose errors are too much alike from one period to
# the next for a test; and fewest cells per term of the regression.
MIN_REGIONS, MIN_PERIODS, MIN_CELLS = 4, 52, 5
# Decays of the carried-over spend, and of its logarithm, that stand for effects.
DECAYS = (0.0, 0.3, 0.6, 0.8)
# Periods before which the KPI is no term, and powers of time.
N_LAGS, N_POWERS = 2, 4
# Largest p-value of a flagged channel, and least partial correlation with the spend to
# come, as a share of that with the spend of the same period.
ALPHA, MATERIAL = 0.01, 0.1


def leads_kpi(
    media: Array, kpi: Array, observed: np.ndarray, controls: Array, season: Array
) -> np.ndarray:
    r"""Return channels whose spend of the next period goes with the KPI of this one.

    With :math:`Z` all spend until now (as it is, its square, carried over, on both
    scales), KPI of the two periods before, controls of three periods, season and trend,
    and tildes for residuals of a regression on :math:`Z` within regions, spend
    :math:`u` on the log scale is flagged if

    .. math::

        \sum_{rt} \tilde u_{r,t+1,m} \, \tilde k_{rt}

    is significantly off zero [1]_ [2]_: below, where what moves both lasts less than
    the spend. Weeks are the observations: what all regions
    have in common in one is a single one [3]_. In a large panel, next to nothing is
    significant: the partial correlation must be a tenth of that of the KPI with the
    spend of the same period, of which what lasts moves at least as large a share.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
    kpi : ndarray of shape (n_regions, n_periods)
    observed : ndarray of shape (n_regions, n_periods), bool
    controls : ndarray of shape (n_regions, n_periods, n_controls)
        Hidden demand that the model knows of among them.
    season : ndarray of shape (n_terms, n_periods)

    Returns
    -------
    found : ndarray of shape (n_media,), bool
        No channel where regions, periods or cells are too few.

    Notes
    -----
    What moves budget and KPI without lasting into the next period is not seen.

    References
    ----------
    .. [1] Sims (1972). Money, Income, and Causality. American Economic Review 62.
    .. [2] Robinson (1988), doi:10.2307/1912705
    .. [3] Driscoll and Kraay (1998), doi:10.1162/003465398557825
    """
    nothing = np.zeros(media.shape[2], dtype=bool)
    observed = np.asarray(observed).astype(bool) & np.isfinite(kpi)
    use = _with_neighbours(observed)
    periods = np.nonzero(use)[1]
    if use.any(axis=1).sum() < MIN_REGIONS or len(np.unique(periods)) < MIN_PERIODS:
        return nothing
    media = np.where(observed[..., None], media, 0.0)
    controls = np.where(observed[..., None], controls, 0.0)
    table = _table(media, kpi, observed, controls, season)
    columns = {name: (x - _mean(x, use))[use] for name, x in table.items()}
    n_media, n_cells = media.shape[2], use.sum()
    given = [columns["now"], columns["past"], columns["frame"]]
    n_terms = sum(part.shape[1] for part in given) + use.any(axis=1).sum()
    if n_cells < MIN_CELLS * n_terms:
        return nothing

    both = np.concatenate([columns["kpi"], columns["later"]], axis=1)
    left = _left_over(np.concatenate(given, axis=1), both)
    pulls = left[:, [0]] * left[:, 1:]  # (n_cells, n_media)
    weeks = np.zeros((observed.shape[1], n_media))
    np.add.at(weeks, periods, pulls)
    noise = np.sqrt((weeks**2).sum(axis=0)).clip(1e-300)
    statistic = pulls.sum(axis=0) / noise * np.sqrt(1.0 - n_terms / n_cells)
    df = len(np.unique(periods)) - 1
    p_value = 2.0 * t_distribution.sf(np.abs(statistic), df)
    later = _correlations(left)
    found = (p_value < ALPHA) & _is_used(media, use)
    for m in np.flatnonzero(found):
        others = columns["now"].reshape(n_cells, -1, n_media)
        given[0] = np.delete(others, m, axis=2).reshape(n_cells, -1)
        both = np.stack([columns["kpi"][:, 0], others[:, 0, m]], axis=1)
        now = _correlations(_left_over(np.concatenate(given, axis=1), both))
        found[m] = abs(later[m]) >= MATERIAL * abs(now[0])
    return found


def _with_neighbours(observed: np.ndarray) -> np.ndarray:
    """Whether a cell, those of the periods before it and the next are known, (R, T)."""
    known = [_lag(observed, lag) for lag in range(N_LAGS + 1)]
    return np.logical_and.reduce([*known, _next(observed)])


def _next(values: np.ndarray) -> np.ndarray:
    """Return the values of the next period, zeros at the end."""
    return _lag(values[:, ::-1], 1)[:, ::-1]


def _table(media, kpi, observed, controls, season):
    """Return blocks of columns by name, (R, T, n) each.

    Those of channels have blocks of n_media columns, the first of ``now`` on the log
    scale.
    """
    spend, kpi = _relative_spend(media, observed), _relative_kpi(kpi, observed)
    usual = _mean(np.abs(media), observed)
    plain = media / np.where(usual > 0, usual, 1.0)
    carried = [
        lfilter([1 - d], [1, -d], scale, axis=1)
        for scale in (spend, plain)
        for d in DECAYS
    ]
    time = np.linspace(-1.0, 1.0, observed.shape[1])
    powers = np.stack([time**k for k in range(3, N_POWERS + 1)], axis=1)
    powers = np.broadcast_to(powers, (*observed.shape, powers.shape[1]))
    lags = [_lag(kpi, lag) for lag in range(1, N_LAGS + 1)]
    nearby = [controls, _lag(controls, 1), _next(controls)]
    frame = [_time_terms(season, observed.shape), powers, *nearby, *lags]
    now = [spend, plain, spend**2, plain**2, 1.0 * (media != 0)]
    return {
        "kpi": kpi,
        "now": np.concatenate(now, axis=-1),
        "past": np.concatenate([_lag(part, 1) for part in carried], axis=-1),
        "frame": np.concatenate(frame, axis=-1),
        "later": _next(spend),
    }


def _left_over(terms: Array, targets: Array) -> Array:
    """Return what a regression on terms (n, K) leaves of targets (n, L)."""
    size = np.sqrt((terms**2).mean(axis=0))
    terms = terms[:, size > 1e-9] / size[size > 1e-9]
    # Of a Gram matrix: many cells, few terms, some of them alike.
    coef = np.linalg.pinv(terms.T @ terms, rcond=1e-10, hermitian=True)
    return targets - terms @ (coef @ (terms.T @ targets))


def _correlations(left: Array) -> Array:
    """Return those of the first column with each of the others."""
    size = np.sqrt((left**2).sum(axis=0)).clip(1e-300)
    return left[:, 0] @ left[:, 1:] / size[0] / size[1:]
