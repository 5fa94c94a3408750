"""Does spend follow past sales? Then its estimated effect cannot be trusted.

A budget set from last week's sales (performance chasing) rises in weeks in which sales
would have been high anyway, because what moves sales lasts for more than a week. A
regression of sales on spend credits the channel with that. No model of sales can see it
from within; whether past sales predict spend, however, can be tested.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.stats import f as f_distribution

from skmmm._utils.typing import Array

# How far back spend and KPI are looked at, in periods.
N_LAGS = 4
# Decays of the two averages that stand for all spend before that.
DECAYS = (0.5, 0.8)
# With fewer complete periods, or fewer with spend, there is no verdict.
MIN_PERIODS = 32
MIN_SPENDING = 10
# Penalties tried, per cell, and the least share of cells they must leave free.
PENALTIES = 10.0 ** np.arange(-5.0, 1.5, 0.5)
MIN_FREE = 0.3
# A spend of which this share of variance is left is explained completely.
NOTHING_LEFT = 1e-6
# Of numbers of about one.
ROUNDING = 1e-10
# Largest p-value of a flagged channel, and least share of its unexplained spend.
ALPHA = 0.001
MATERIAL = 0.05


@dataclass(frozen=True, eq=False)
class FollowsKpi:
    """Which channels' spend follows the past KPI.

    Attributes
    ----------
    statistic : ndarray of shape (n_media,)
        Wald statistic per tested coefficient; nan where there is no verdict.
    p_value : ndarray of shape (n_media,)
        Of the hypothesis that past KPI does not help to predict spend; nan where there
        is no verdict.
    partial_r2 : ndarray of shape (n_media,)
        Share of the otherwise unexplained spend that the past KPI explains; nan where
        there is no verdict.
    flagged : ndarray of shape (n_media,), bool
        Whether `p_value` is small and `partial_r2` material. False where there is no
        verdict.
    """

    statistic: Array
    p_value: Array
    partial_r2: Array
    flagged: np.ndarray


def follows_kpi(
    media: Array,
    kpi: Array,
    observed: np.ndarray,
    controls: Array,
    season: Array,
    *,
    alpha: float = ALPHA,
    material: float = MATERIAL,
) -> FollowsKpi:
    r"""Test, channel by channel, whether spend follows the KPI of the weeks before.

    This is Granger's question [1]_: do past values of the KPI help to predict spend
    beyond what else predicts it? Two things must not be mistaken for it. Past KPI
    contains what past spend caused, and so repeats the flights; therefore the KPI
    enters only with the part :math:`e` that media, controls, season and trend do not
    explain. And spend has patterns of its own; therefore they are taken out of spend
    and of :math:`e` alike, so that what is missed in only one of them does no harm
    [2]_. With :math:`u = \log(1 + x / \bar x)`, :math:`\bar x` a region's mean of
    the periods with spend, and tildes for residuals of a regression on season,
    quadratic trend, controls (now and one period ago), the past :math:`u` of all
    channels and whether they ran one period ago,

    .. math::

        \tilde u_{rtm} = a_m \tilde e_{r,t-1}
            + b_m \tfrac13 (\tilde e_{r,t-2} + \tilde e_{r,t-3} + \tilde e_{r,t-4})
            + v_{rtm}

    and the hypothesis is :math:`a_m = b_m = 0`. The regressions subtract the mean of
    every region and are ridge regressions, with penalties chosen by generalised cross
    validation [3]_, as a national series has about as many periods as there are terms.

    Regions share their weeks, and a week's shock is one observation, not one per
    region: the covariance of :math:`(a_m, b_m)` sums over regions before it squares
    [4]_, with Bartlett weights over neighbouring periods [5]_. In short series such
    weights make variances too small; the larger p-value, with and without them, counts.
    That :math:`e` is itself estimated does not change the test of a zero coefficient
    [6]_.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
        Spend; units do not matter.
    kpi : ndarray of shape (n_regions, n_periods)
        Cells that are not finite count as not observed.
    observed : ndarray of shape (n_regions, n_periods)
        True, or 1, in cells with data. What stands in other cells is not looked at.
    controls : ndarray of shape (n_regions, n_periods, n_controls)
    season : ndarray of shape (n_terms, n_periods)
        Sines and cosines of the year.
    alpha : float, default=0.001
        Largest p-value of a flagged channel. It counts for one channel, and is exact
        only in long series: with 104 to 156 weeks of one region, about one honest
        channel in two hundred was flagged in simulations.
    material : float, default=0.05
        Least `partial_r2` of a flagged channel. In a large panel much smaller shares
        are significant, but leave nearly all of the spend honest.

    Returns
    -------
    result : FollowsKpi
        Without a verdict for channels with spend in fewer than 10 periods, with
        constant spend, or whose spend season, trend, controls and past spend explain
        completely; and for all channels with fewer than 32 periods for which the eight
        periods before are known.

    Notes
    -----
    Spend that follows the demand of the same week, without a memory, cannot be told
    from an effect by any such test, and little more than a year of weeks of one region
    is too short to detect even strong chasing. A channel that is not flagged may still
    follow the KPI.

    References
    ----------
    .. [1] Granger (1969), doi:10.2307/1912791
    .. [2] Robinson (1988), doi:10.2307/1912705; Chernozhukov et al. (2018),
       doi:10.1111/ectj.12097
    .. [3] Golub, Heath and Wahba (1979), doi:10.1080/00401706.1979.10489751
    .. [4] Driscoll and Kraay (1998), doi:10.1162/003465398557825
    .. [5] Newey and West (1987), doi:10.2307/1913610
    .. [6] Pagan (1984), doi:10.2307/2648877
    """
    observed = np.asarray(observed).astype(bool) & np.isfinite(kpi)
    media = np.where(observed[..., None], media, 0.0)
    controls = np.where(observed[..., None], controls, 0.0)
    found = np.full((3, media.shape[2]), np.nan)  # statistic, p-value, partial R2

    complete = _complete(observed)
    tested = _complete(complete)
    if tested.any(axis=0).sum() < MIN_PERIODS:
        return _verdict(found, alpha, material)

    spend = _relative_spend(media, observed)  # (R, T, M)
    running = (media != 0).astype(np.float64)
    past = np.concatenate([_past_spend(spend), _lag(running, 1)], axis=-1)
    frame = np.concatenate([controls, _time_terms(season, observed.shape)], axis=-1)

    explained = np.concatenate([past, spend, running, frame], axis=-1)
    surprise = np.zeros((*observed.shape, 1))  # (R, T, 1)
    relative = _relative_kpi(kpi, observed)
    surprise[complete], _ = _residuals(explained, relative, complete)

    explained = np.concatenate([past, frame, _lag(controls, 1)], axis=-1)
    targets = np.concatenate([spend, _news(surprise)], axis=-1)
    left, n_terms = _residuals(explained, targets, tested)  # (n, M + 2), (M + 2,)
    spend, news = np.split(left, [media.shape[2]], axis=1)

    alive = _varies(targets, left, tested)
    for m in np.flatnonzero(alive[: media.shape[2]] & _is_used(media, tested)):
        if alive[media.shape[2] :].all():
            n_free = len(left) - n_terms[m]
            found[:, m] = _wald(news, spend[:, m], np.nonzero(tested)[1], n_free)
    return _verdict(found, alpha, material)


def _verdict(found: Array, alpha: float, material: float) -> FollowsKpi:
    statistic, p_value, partial_r2 = found
    # Comparisons with nan are False, without a warning.
    flagged = (p_value < alpha) & (partial_r2 >= material)
    return FollowsKpi(statistic, p_value, partial_r2, flagged)


def _relative_spend(media: Array, observed: np.ndarray) -> Array:
    """Logarithm of one plus spend over its usual value; usual in unobserved cells."""
    spending = media != 0
    total = spending.sum(axis=1, keepdims=True)
    usual = np.abs(media).sum(axis=1, keepdims=True) / np.maximum(total, 1)
    relative = media / np.where(usual > 0, usual, 1.0)
    spend = np.sign(relative) * np.log1p(np.abs(relative))
    spend = np.where(observed[..., None], spend - _mean(spend, observed), 0.0)
    spend[np.abs(spend) < ROUNDING] = 0.0
    return spend


def _relative_kpi(kpi: Array, observed: np.ndarray) -> Array:
    """KPI in units of each region's mean, (R, T, 1)."""
    kpi = np.where(observed, kpi, 0.0)[..., None]
    usual = _mean(np.abs(kpi), observed)
    return kpi / np.where(usual > 0, usual, 1.0)


def _news(surprise: Array) -> Array:
    """Last period's surprise, and the mean of those before it, (R, T, 2)."""
    last, *earlier = (_lag(surprise, lag) for lag in range(1, N_LAGS + 1))
    return np.concatenate([last, sum(earlier) / len(earlier)], axis=-1)


def _past_spend(spend: Array) -> Array:
    """Spend of each of the last periods, and averages that reach back further."""
    averages = [lfilter([1 - d], [1, -d], spend, axis=1) for d in DECAYS]
    recent = [_lag(spend, lag) for lag in range(1, N_LAGS + 1)]
    return np.concatenate([*recent, *(_lag(a, 1) for a in averages)], axis=-1)


def _time_terms(season: Array, shape: tuple[int, int]) -> Array:
    """Season and a quadratic trend, (R, T, n_terms + 2)."""
    trend = np.linspace(-1.0, 1.0, shape[1])
    terms = np.concatenate([np.reshape(season, (-1, shape[1])), [trend, trend**2]])
    return np.broadcast_to(terms.T, (*shape, len(terms)))


def _lag(values: np.ndarray, lag: int) -> np.ndarray:
    """Move values (R, T, K) to `lag` periods later, zeros in front."""
    moved = np.zeros_like(values)
    moved[:, lag:] = values[:, : max(values.shape[1] - lag, 0)]
    return moved


def _complete(known: np.ndarray) -> np.ndarray:
    """Whether a cell and the `N_LAGS` before it are known, (R, T)."""
    lags = [_lag(known, lag) for lag in range(N_LAGS + 1)]
    return np.logical_and.reduce(lags)


def _mean(values: Array, use: np.ndarray) -> Array:
    """Mean of values (R, T, K) over the used periods of each region, (R, 1, K)."""
    total = np.where(use[..., None], values, 0.0).sum(axis=1, keepdims=True)
    return total / np.maximum(use.sum(axis=1), 1)[:, None, None]


def _residuals(
    explained: Array, targets: Array, use: np.ndarray
) -> tuple[Array, Array]:
    """Residuals of ridge regressions within regions, penalties chosen by GCV.

    Terms (R, T, n_terms), targets (R, T, n_targets) and used cells (R, T) give
    residuals (n_used, n_targets) and the effective number of parameters, with one mean
    per region, (n_targets,).
    """
    X = (explained - _mean(explained, use))[use]
    Y = (targets - _mean(targets, use))[use]
    n, n_means = len(X), use.any(axis=1).sum()
    size = np.sqrt((X**2).mean(axis=0))
    level = np.sqrt((explained[use] ** 2).mean(axis=0))
    varies = size > 1e-9 * level
    X = X[:, varies] / size[varies]

    coef, n_terms = _ridge(X.T @ X, X.T @ Y, (Y**2).sum(axis=0), n, n_means)
    return Y - X @ coef, n_terms


def _ridge(
    gram: Array, cross: Array, total: Array, n: int, n_means: int
) -> tuple[Array, Array]:
    """Ridge regressions from sums of products, with penalties chosen by GCV.

    X'X (n_terms, n_terms), X'Y (n_terms, n_targets) and the diagonal of Y'Y give the
    coefficients and the effective number of parameters with `n_means` more.
    """
    # In the eigenvectors of the Gram matrix a ridge regression shrinks each
    # coordinate by itself: X'X = V diag(w) V', shrink = w / (w + n penalty).
    w, V = np.linalg.eigh(gram)
    w = np.maximum(w, 0.0)
    gain = V.T @ cross  # (n_terms, n_targets)
    penalties = n * PENALTIES[:, None]
    inverse = 1.0 / (w + penalties)  # (n_penalties, n_terms)
    n_terms = (w * inverse).sum(axis=1) + n_means  # (n_penalties,)
    fitted = inverse @ gain**2
    # |Y - Xb|^2 = |Y|^2 - 2 b'X'Y + b'X'X b, one row per penalty.
    error = total - 2 * fitted + (inverse**2 * w) @ gain**2
    free = n - n_terms
    score = error / free[:, None] ** 2
    score[free < MIN_FREE * n] = np.inf
    best = score.argmin(axis=0)
    return V @ (inverse[best].T * gain), n_terms[best]


def _varies(targets: Array, left: Array, tested: np.ndarray) -> np.ndarray:
    """Whether a target varies in a way not explained, (n_targets,)."""
    before = ((targets - _mean(targets, tested))[tested] ** 2).mean(axis=0)
    after = (left**2).mean(axis=0)
    return (after > NOTHING_LEFT * before) & (after > ROUNDING**2)


def _is_used(media: Array, tested: np.ndarray) -> np.ndarray:
    """Whether there is spend in enough periods, (n_media,)."""
    spending = (tested[..., None] & (media != 0)).any(axis=0)
    return spending.sum(axis=0) >= MIN_SPENDING


def _wald(
    news: Array, spend: Array, period: np.ndarray, n_free: float
) -> tuple[Array, Array, Array]:
    """Regress spend (n,) on news (n, 2); return F, its p-value and the partial R2."""
    n_tested = news.shape[1]
    coef = np.linalg.lstsq(news, spend, rcond=None)[0]
    error = spend - news @ coef
    n_periods = len(np.unique(period))
    scores = np.zeros((period.max() + 1, n_tested))
    np.add.at(scores, period, news * error[:, None])

    # coef' (A^-1 S A^-1)^-1 coef with A = news'news, and A coef = news'spend.
    pull = news.T @ spend
    bandwidth = int(4 * (n_periods / 100) ** (2 / 9))
    quadratic = [
        pull @ np.linalg.pinv(_long_run(scores, b), hermitian=True) @ pull
        for b in (0, bandwidth)
    ]
    statistic = min(quadratic) * n_free / len(spend) / n_tested
    denominator = max(min(n_free, n_periods) - n_tested, 1.0)
    p_value = f_distribution.sf(statistic, n_tested, denominator)
    partial_r2 = 1 - (error @ error) / (spend @ spend)
    return statistic, p_value, partial_r2


def _long_run(scores: Array, bandwidth: int) -> Array:
    """Sum of squares of scores (T, K) over periods, with Bartlett weights."""
    total = scores.T @ scores
    for lag in range(1, bandwidth + 1):
        cross = scores[lag:].T @ scores[:-lag]
        total += (1 - lag / (bandwidth + 1)) * (cross + cross.T)
    return total
