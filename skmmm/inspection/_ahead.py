"""Does the KPI go with spend that has not been spent yet, and cannot cause it?

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
    NOTHING_LEFT,
    _is_used,
    _lag,
    _mean,
    _past_spend,
    _relative_kpi,
    _relative_spend,
    _time_terms,
)

# Fewer regions are one series each, whose errors are too much alike from one period to
# the next for a test; and fewest cells per term of the regression.
MIN_REGIONS, MIN_PERIODS, MIN_CELLS = 4, 52, 5
# Decays of the carried-over spend that stands for effects; periods in which it matters
# whether a channel ran, as flights have lengths; periods before which the KPI is no
# term, and powers of time.
DECAYS, N_RUNNING, N_LAGS, N_POWERS = (0.3, 0.6, 0.8), 3, 2, 4
# Largest p-value of a flagged channel, and least partial correlation with the spend to
# come, as a share of that with the spend of the same period, if this is not small.
ALPHA, MATERIAL, SMALL = 0.005, 0.1, 0.3


def goes_ahead_of_spend(
    media: Array, kpi: Array, observed: np.ndarray, controls: Array, season: Array
) -> np.ndarray:
    r"""Return channels with whose spend of the next period the KPI of this one goes.

    With :math:`Z` all spend until now (as it is, its logarithm, carried over, squares,
    and whether there was any), KPI of the two periods before, controls of three
    periods, season and trend, and tildes for residuals of a regression on :math:`Z`
    within regions, spend :math:`u` on the log scale is flagged if

    .. math::

        \sum_{rt} \tilde u_{r,t+1,m} \, \tilde k_{rt}

    is significantly above zero [1]_ [2]_. Weeks are the observations: what all regions
    have in common in one is a single one [3]_, and so far as spend to come is alike in
    all regions, the terms of the regression take from their number, and not from that
    of cells. In a large panel, next to nothing is significant: the partial correlation
    must be a tenth of that of the KPI with the spend of the same period, of which what
    lasts moves at least as large a share, and .03.

    The same is seen where a budget follows the KPI of the period before, less clearly
    than `follows_kpi` asks for: that takes spend of the period out of the KPI with what
    it seems to cause, and asks for more, and in one series, too.

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
        No channel where there are fewer than 4 regions, 52 periods, or 5 cells per term
        of the regression.

    Notes
    -----
    What moves budget and KPI without lasting into the next period is not seen.

    References
    ----------
    .. [1] Sims (1972). Money, Income, and Causality. American Economic Review 62.
    .. [2] Robinson (1988), doi:10.2307/1912705
    .. [3] Driscoll and Kraay (1998), doi:10.1162/003465398557825
    """
    n_media = media.shape[2]
    nothing = np.zeros(n_media, dtype=bool)
    observed = np.asarray(observed).astype(bool) & np.isfinite(kpi)
    use = _with_neighbours(observed)
    periods, n_cells = np.nonzero(use)[1], use.sum()
    if use.any(axis=1).sum() < MIN_REGIONS or len(np.unique(periods)) < MIN_PERIODS:
        return nothing
    media = np.where(observed[..., None], media, 0.0)
    controls = np.where(observed[..., None], controls, 0.0)
    columns, now, given = _table(media, kpi, observed, controls, season)
    n_terms = len(given) + use.any(axis=1).sum()
    if n_cells < MIN_CELLS * n_terms:
        return nothing
    columns = (columns - _mean(columns, use))[use]
    size = np.sqrt((columns**2).mean(axis=0))
    columns = np.where(size > 1e-9, columns / np.where(size > 1e-9, size, 1.0), 0.0)
    gram = columns.T @ columns

    targets = np.arange(len(given), columns.shape[1])  # KPI, and spend to come
    coef = np.linalg.pinv(gram[np.ix_(given, given)], rcond=1e-10, hermitian=True)
    left = columns[:, targets] - columns[:, given] @ (
        coef @ gram[np.ix_(given, targets)]
    )
    p_value = _p_values(left[:, 0], left[:, 1:], periods, n_terms)
    later = _correlations(left.T @ left)
    varies = (left**2).mean(axis=0)[1:] > NOTHING_LEFT
    found = (p_value < ALPHA) & varies & _is_used(media, use)
    for m in np.flatnonzero(found):
        others = np.setdiff1d(given, now[:, m])
        pair = np.array([targets[0], now[0, m]])
        same = abs(_correlations(_left_products(gram, others, pair))[0])
        found[m] = later[m] >= MATERIAL * max(same, SMALL)
    return found


def _with_neighbours(observed: np.ndarray) -> np.ndarray:
    """Whether a cell, those of the periods before it and the next are known, (R, T)."""
    known = [_lag(observed, lag) for lag in range(N_LAGS + 1)]
    return np.logical_and.reduce([*known, _next(observed)])


def _next(values: np.ndarray) -> np.ndarray:
    """Return the values of the next period, zeros at the end."""
    return _lag(values[:, ::-1], 1)[:, ::-1]


def _table(media, kpi, observed, controls, season):
    """Return all columns, (R, T, n), and which are spend of the period, and given.

    Spend of the period has the shape (n, n_media), that on the log scale first. What is
    not given, after it, are KPI and spend to come.
    """
    spend, kpi = _relative_spend(media, observed), _relative_kpi(kpi, observed)
    usual = _mean(np.abs(media), observed)
    plain = media / np.where(usual > 0, usual, 1.0)
    carried = [_lag(lfilter([1 - d], [1, -d], plain, axis=1), 1) for d in DECAYS]
    running = 1.0 * (media != 0)
    was_running = [_lag(running, lag) for lag in range(1, N_RUNNING + 1)]
    past = [_past_spend(spend), *was_running, *carried, *(part**2 for part in carried)]
    time = np.linspace(-1.0, 1.0, observed.shape[1])
    powers = np.stack([time**k for k in range(3, N_POWERS + 1)], axis=1)
    powers = np.broadcast_to(powers, (*observed.shape, powers.shape[1]))
    lags = [_lag(kpi, lag) for lag in range(1, N_LAGS + 1)]
    nearby = [controls, _lag(controls, 1), _next(controls)]
    frame = [_time_terms(season, observed.shape), powers, *nearby, *lags]
    current = [spend, plain, spend**2, plain**2, running]
    columns = np.concatenate([*current, *past, *frame, kpi, _next(spend)], axis=-1)
    n_media = media.shape[2]
    now = np.arange(len(current) * n_media).reshape(len(current), n_media)
    return columns, now, np.arange(columns.shape[-1] - 1 - n_media)


def _p_values(kpi: Array, later: Array, periods: np.ndarray, n_terms: int) -> Array:
    """Return p-values, one-sided, of products of what is left, (n_media,).

    Of spend that is alike in all regions there are as many observations as periods.
    """
    weeks = np.zeros((2, periods.max() + 1, later.shape[1]))
    np.add.at(weeks[0], periods, kpi[:, None] * later)
    np.add.at(weeks[1], periods, later)
    n_cells, n_regions = len(kpi), np.bincount(periods)[:, None].clip(1)
    alike = (weeks[1] ** 2 / n_regions).sum(axis=0)
    alike = alike / (later**2).sum(axis=0).clip(1e-300)
    n_periods = len(np.unique(periods))
    n = n_cells / (1.0 + (n_cells / n_periods - 1.0) * alike)
    noise = np.sqrt((weeks[0] ** 2).sum(axis=0)).clip(1e-300)
    statistic = weeks[0].sum(axis=0) / noise * np.sqrt((1.0 - n_terms / n).clip(0.0))
    return t_distribution.sf(statistic, n_periods - 1)


def _left_products(gram: Array, given: np.ndarray, pair: np.ndarray) -> Array:
    """Return products of what a regression on given columns leaves of others."""
    cross = gram[np.ix_(given, pair)]
    inverse = np.linalg.pinv(gram[np.ix_(given, given)], rcond=1e-10, hermitian=True)
    return gram[np.ix_(pair, pair)] - cross.T @ inverse @ cross


def _correlations(products: Array) -> Array:
    """Return those of the first column with each of the others."""
    size = np.sqrt(np.diagonal(products).clip(1e-300))
    return products[0, 1:] / size[0] / size[1:]
