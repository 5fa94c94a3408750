"""Demand that nobody observed, as far as budgets tell of it.

Budgets that follow local demand move together. With spend on the log scale,
standardised and with controls, season and what all regions have in common taken out::

    log_spend[r, t, m] = loading[r, m] * u[r, t] + own[r, t, m]

where demand u is an AR(1) of unit variance and what a channel does by itself another.
Loadings of regions are normal around those that all have in common. In the frequency
domain that is one small matrix per frequency, so that estimation and smoothing cost a
Fourier transform (Whittle's likelihood). What regions have in common has a demand of
its own.

What spend tells of demand, ``E[u | all spend]``, enters the outcome equation in the
same week and its neighbours: given it, what is left of demand is unrelated to spend,
and effects can be told from demand (control function).

References
----------
.. [1] Whittle (1953). Estimation and information in stationary time series. Arkiv foer
   Matematik 2.
.. [2] Geweke (1977). The dynamic factor analysis of economic time series.
.. [3] Wooldridge (2015). Control function methods in applied econometrics. Journal of
   Human Resources 50.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import multivariate_normal, norm

from skmmm._model.demand_factor import LASTS, ar_spectrum, fit_factor
from skmmm._model.independence import independent_spend

SHIFTS = (-1, 0, 1)  # weeks by which demand in budgets may lead demand in the KPI
MIN_PERIODS = 40
MIN_SEEN = 0.2  # of cells with spend, in a channel that can tell of demand
FAR = 4.0  # standard deviations beyond which log spend is not believed
# Share of shifts of channels against each other after which they look as much alike,
# number of these, and how far shifts are, in windows.
BY_CHANCE, N_SHIFTS, APART = 0.005, 999, 0.1
N_ROUNDS = 3  # of filling in what was not seen and fitting
MOVES = 0.2  # loading from which a channel moves with demand
ONE_CHANNEL = 0.95  # from which demand is little else than the spend of that channel
FEW_REGIONS = 10  # below which loadings are as uncertain as in one series
# Chance at which a channel seems to move with suspects, and least correlation with one.
WITH_SUSPECTS, LEAST_CORRELATION = 0.05, 0.1
LOCAL = 0.5  # share of independent regions in the spend of channels that move locally
# Prior sd of loadings, in standard deviations of log spend; and around local ones.
LOADING, LOADING_LIKE_LOCAL = 0.6, 0.2


@dataclass(frozen=True, eq=False)
class Demand:
    """Demand that nobody observed, given all spend of the training window.

    Local demand moves regions apart from each other, national demand all alike. Each
    is there if spend tells of it: P is one or two.

    Attributes
    ----------
    mean : ndarray of shape (P, R, T)
        In its standard deviations.
    loading : ndarray of shape (P, n_media)
        Correlation of log spend with demand, around which those of regions are; 0 for
        channels that cannot tell.
    persistence : ndarray of shape (P,)
        From one period to the next.
    known : ndarray of shape (P,)
        Share of the variance of demand that spend tells.
    national : ndarray of shape (P,), bool
    """

    mean: np.ndarray
    loading: np.ndarray
    persistence: np.ndarray
    known: np.ndarray
    national: np.ndarray

    def moving_together(self):
        """Return channels that move with demand, where it is known poorly, (M,), bool.

        In one series, or a few, loadings are too uncertain to tell what moves a budget
        from what the budget moves, if demand moves the KPI at all; in more regions, if
        demand as it is found is little else than what one channel spends.
        """
        loading = np.abs(self.loading)
        if self.mean.shape[1] >= FEW_REGIONS:
            loading = loading[(loading.max(axis=1) >= ONE_CHANNEL) & ~self.national]
        return (loading >= MOVES).any(axis=0)

    def columns(self, periods, n_regions):
        """Return demand of neighbouring periods, (n_regions, P * n_shifts, n).

        Outside the training window it fades from the nearest end, whatever is spent
        there; regions that were not trained have no local demand.
        """
        moved = [self.now(np.asarray(periods) - k, n_regions) for k in SHIFTS]
        found = np.stack(moved, axis=2).swapaxes(0, 1)  # (R, P, n_shifts, n)
        return found.reshape(n_regions, -1, found.shape[-1])

    def now(self, periods, n_regions):
        """Return demand in some periods, (P, n_regions, n), as `columns` does."""
        inside = np.clip(periods, 0, self.mean.shape[2] - 1)
        fade = self.persistence[:, None] ** np.abs(periods - inside)
        found = self.mean[..., inside] * fade[:, None]
        average = np.where(self.national[:, None], found[:, 0], 0.0)
        new = np.repeat(average[:, None], n_regions - found.shape[1], axis=1)
        return np.concatenate([found, new], axis=1)


def fit_demand(panel, season, shown, generator):
    """Estimate hidden demand from the spend of a training panel.

    Parameters
    ----------
    panel : Panel
    season : ndarray of shape (S, T)
        Fourier terms.
    shown : ndarray of shape (M,), bool
        Channels whose spend is no consequence of the KPI: the others are not looked at.
    generator : torch.Generator
        For the spend of cells in which a channel is dark.

    Returns
    -------
    demand : Demand or None
        None where budgets do not move together more than by chance, or data are too
        few to tell.
    """
    n_regions, n_periods = panel.shape
    if n_periods < MIN_PERIODS or panel.media.shape[2] < 2:
        return None
    spend, seen = _log_spend(panel.media, panel.observed, panel.controls, season)
    together, apart = _split(spend, seen & shown)
    found, usual = [], None
    # Budgets that move in groups of regions tell nothing of local demand.
    alone = independent_spend(panel.media, panel.observed[..., None]) >= LOCAL
    apart = apart[0], apart[1] & alone
    if n_regions > 1:
        local = _factor_of(*apart, n_free=n_regions - 1, generator=generator)
        if local is not None:
            found.append((False, *local))
            usual = local[1]
    national = _factor_of(*together, n_free=1, generator=generator, usual=usual)
    if national is not None:
        found.append((True, *national))
    if not found:
        return None
    national, mean, loading, persistence, known = zip(*found, strict=True)
    return Demand(
        np.stack([np.broadcast_to(m, (n_regions, n_periods)) for m in mean]),
        np.stack(loading),
        np.array(persistence),
        np.array(known),
        np.array(national),
    )


def extend_demand(demand, panel, season, shown, generator):
    """Return demand estimated again from more rows, as the one before is meant.

    Parameters
    ----------
    demand : Demand or None
        Of the first periods of the panel.
    panel, season, shown, generator
        As of `fit_demand`.

    Returns
    -------
    demand : Demand or None
        The one before, which fades, if other demand is found than there was.
    """
    if demand is None:
        return None
    found = fit_demand(panel, season, shown, generator)
    if found is None or not np.array_equal(found.national, demand.national):
        longer = demand.now(panel.periods, panel.shape[0])
        return replace(demand, mean=longer)
    both = (found.mean[..., : demand.mean.shape[2]] * demand.mean).sum(axis=(1, 2))
    sign = np.where(both < 0, -1.0, 1.0)
    return replace(
        found,
        mean=found.mean * sign[:, None, None],
        loading=found.loading * sign[:, None],
    )


def moving_with(media, observed, controls, season, suspects):
    """Return channels of one series that rise and fall with some suspects, (M,), bool.

    More than by chance. What moves the budget of a suspect may move theirs, too; from
    an effect that moves the KPI, and by it the suspect, that cannot be told. Of several
    regions none: there hidden demand is told from effects.

    Parameters
    ----------
    media : ndarray of shape (R, T, M)
    observed : ndarray of shape (R, T), bool
    controls : ndarray of shape (R, T, K)
    season : ndarray of shape (S, T)
    suspects : ndarray of shape (M,), bool

    Returns
    -------
    found : ndarray of shape (M,), bool
        Suspects are not among them.
    """
    n_regions, n_periods, _ = media.shape
    if n_regions > 1 or n_periods < MIN_PERIODS or not suspects.any():
        return np.zeros(len(suspects), dtype=bool)
    spend, seen = _log_spend(media, observed, controls, season)
    size = np.sqrt((spend**2).sum(axis=1) / seen.sum(axis=1).clip(1))
    spend = np.clip(spend / np.where(size > 0, size, 1.0), -FAR, FAR)
    both = np.einsum("rti,rtj->ij", 1.0 * seen, 1.0 * seen).clip(1.0)
    alike = np.einsum("rti,rtj->ij", spend, spend) / both
    limit = norm.isf(WITH_SUSPECTS / suspects.sum())  # the chance of any of them
    found = (_scores(spend, seen)[0] >= limit) & (alike >= LEAST_CORRELATION)
    return found[:, suspects].any(axis=1) & ~suspects


def moves_kpi(draws):
    r"""Return whether it is likelier than not that hidden demand moves the KPI.

    Both are as likely before. That the coefficients of demand are zero is then, by the
    Savage-Dickey density ratio [1]_, as many times likelier after as zero is denser
    in a normal distribution like their draws than in their prior.

    Parameters
    ----------
    draws : OutcomeNetwork
        Of a model with hidden demand, with one entry per draw.

    References
    ----------
    .. [1] Dickey (1971). The weighted likelihood ratio, linear hypotheses on normal
       location parameters. Annals of Mathematical Statistics 42.
    """
    [where] = [at for p, at in draws.shared_priors.positions() if p.name == "demand"]
    found = draws.shared[:, where].detach().numpy()  # in prior standard deviations
    n_terms = found.shape[1]
    if len(np.unique(found, axis=0)) <= 2 * n_terms:
        return True  # too few to tell
    after = multivariate_normal(found.mean(axis=0), np.cov(found.T))
    before = multivariate_normal(np.zeros(n_terms))
    return bool(after.logpdf(np.zeros(n_terms)) < before.logpdf(np.zeros(n_terms)))


def _factor_of(spend, seen, *, n_free, generator, usual=None):
    """Return demand, loadings, persistence and what is known of it, or None.

    Parameters
    ----------
    spend : ndarray of shape (R, T, M)
    seen : ndarray of shape (R, T, M), bool
    n_free : int
        Regions that are free of each other.
    generator : torch.Generator
    usual : ndarray of shape (M,), default=None
        Loadings of local demand, which national demand is expected to share. Without
        them budgets must move together more than by chance.
    """
    chosen = np.flatnonzero((seen.mean(axis=(0, 1)) >= MIN_SEEN) & spend.any((0, 1)))
    if len(chosen) < 2:
        return None
    n_media = spend.shape[2]
    spend, seen = spend[..., chosen], seen[..., chosen]
    spend = spend / np.sqrt((spend**2).sum(axis=(0, 1)) / seen.sum(axis=(0, 1)))
    spend = np.clip(spend, -FAR, FAR)
    if usual is None and not _move_together(spend, seen, generator):
        return None
    shape = *spend.shape[:2], 1 + len(chosen)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
    expected = np.zeros(len(chosen)), LOADING
    if usual is not None:
        expected = usual[chosen], LOADING_LIKE_LOCAL
    factor = fit_factor(spend, n_free, expected)
    if not seen.all():
        for _ in range(N_ROUNDS):
            filled = factor.filled(spend, seen, noise)
            factor = fit_factor(filled, n_free, expected, start=factor)
        spend = factor.filled(spend, seen)
    loading = np.zeros(n_media)
    loading[chosen] = factor.loading
    by_region = factor.by_region(spend) if n_free > 1 else factor.loading
    mean, known = factor.smooth(spend, by_region), factor.known(by_region)
    return mean, loading, factor.persistence, known


def _move_together(spend, seen, generator):
    """Return whether channels move together more than they would by chance.

    Shifted against each other in time, around the end, channels keep all that each has
    by itself, and lose what they have in common. The covariance of a pair, weighted as
    demand lasts and by the cells in which both were seen, is therefore set against
    what it is under all shifts [1]_. The largest eigenvalue of these standard scores
    belongs to the likeliest loadings.

    Parameters
    ----------
    spend : ndarray of shape (R, T, M)
    seen : ndarray of shape (R, T, M), bool
    generator : torch.Generator

    References
    ----------
    .. [1] Dutilleul (1993). Modifying the t Test for Assessing the Correlation Between
       Two Spatial Processes. Biometrics 49.
    """
    n_periods, n_media = spend.shape[1:]
    scores = _scores(spend, seen)
    # Every channel has a part of the window for its own, at least half a part apart.
    part, within = torch.rand(
        (2, N_SHIFTS, n_media), generator=generator, dtype=torch.float64
    ).numpy()
    shifts = (part.argsort(axis=1) + 0.5 * within) * n_periods / n_media
    shifts = shifts.round().astype(int)
    lags = (shifts[:, :, None] - shifts[:, None]) % n_periods
    rows, columns = np.indices((n_media, n_media))
    shifted = scores[lags, rows, columns]
    # Two channels have few shifts that differ; the score of one pair is normal.
    limit = max(
        np.quantile(np.linalg.eigvalsh(shifted)[:, -1], 1.0 - BY_CHANCE),
        norm.isf(BY_CHANCE / 2),
    )
    return np.linalg.eigvalsh(scores[0])[-1] > limit


def _scores(spend, seen):
    """Return how much channels move together, in standard scores, (T, M, M).

    First as they are, then as one is shifted against the other, period by period. The
    scores of a pair are those of all shifts that are far; nothing on the diagonal.
    """
    spend = np.where(seen, spend, 0.0)
    n_periods, n_media = spend.shape[1:]
    angle = 2.0 * np.pi * np.arange(n_periods // 2 + 1) / n_periods
    moved = np.fft.rfft(spend, axis=1)[:, 1:]  # means were taken out
    own = (np.abs(moved) ** 2).sum(axis=0)
    power = own.sum(axis=0).clip(1e-300)  # of a channel that stands still, nothing
    lasts = (own * np.cos(angle[1:, None])).sum(axis=0) / power
    moved = moved / ar_spectrum(lasts, angle[1:, None])
    cross = np.einsum("rki,rkj->kij", moved, moved.conj())
    cross = cross * ar_spectrum(LASTS, angle[1:, None, None])
    masks = np.fft.rfft(seen.astype(float), axis=1)
    together = np.einsum("rki,rkj->kij", masks, masks.conj())
    alike = np.fft.irfft(np.pad(cross, ((1, 0), (0, 0), (0, 0))), n_periods, axis=0)
    together = np.fft.irfft(together, n_periods, axis=0).round().clip(1.0)
    scores = alike / np.sqrt(together)  # (T, M, M), by how far channels are shifted
    lags = np.arange(n_periods)
    far = np.minimum(lags, n_periods - lags) >= APART * n_periods
    scores = scores / np.sqrt((scores[far] ** 2).mean(axis=0)).clip(1e-300)
    scores[:, range(n_media), range(n_media)] = 0.0
    return scores


def _log_spend(media, observed, controls, season):
    """Return log spend without region means, season, trend and controls, and a mask.

    Both of shape (R, T, M); zero where a channel is dark.
    """
    seen = (media > 0) & observed[..., None]
    logs = np.log(np.where(seen, media, 1.0))
    n_regions, n_periods = observed.shape
    time = np.linspace(-1.0, 1.0, n_periods)
    terms = np.concatenate([season, [time, time**2]])
    terms = np.broadcast_to(terms.T, (n_regions, n_periods, len(terms)))
    terms = np.concatenate([terms, controls], axis=2)
    found = np.zeros_like(logs)
    for m in range(logs.shape[2]):
        use = seen[..., m]
        if use.sum() > 2 * terms.shape[2] + 10:
            found[..., m] = _left_over(logs[..., m], terms, use)
    return found, seen & (found != 0.0)


def _left_over(values, terms, use):
    """Return what a regression within regions leaves of values (R, T); 0 elsewhere."""
    columns = np.concatenate([values[..., None], terms], axis=2)
    total = np.maximum(use.sum(axis=1), 1)[:, None, None]
    mean = (columns * use[..., None]).sum(axis=1, keepdims=True) / total
    columns = (columns - mean)[use]
    design = columns[:, 1:]
    size = np.sqrt((design**2).mean(axis=0))
    design = design[:, size > 1e-9] / size[size > 1e-9]
    coef, *_ = np.linalg.lstsq(design, columns[:, 0], rcond=None)
    left = columns[:, 0] - design @ coef
    found = np.zeros(values.shape)
    if left.std() > 1e-6:
        found[use] = left
    return found


def _split(spend, seen):
    """Return what regions have in common, (1, T, M), and what each has apart."""
    total = seen.sum(axis=0, keepdims=True)
    mean = (spend * seen).sum(axis=0, keepdims=True) / np.maximum(total, 1)
    known = total >= max(1, 0.5 * len(seen))
    return (mean * known, known), ((spend - mean) * seen, seen)
