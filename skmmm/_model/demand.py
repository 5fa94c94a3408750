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
from scipy.special import logsumexp
from scipy.stats import norm

from skmmm._model.demand_factor import LASTS, FactorPosterior, ar_spectrum
from skmmm._model.independence import independent_spend
from skmmm._utils.regions import some_regions

SHIFTS = (-1, 0, 1)  # weeks by which demand in budgets may lead demand in the KPI
MIN_PERIODS = 40
MIN_SEEN = 0.2  # of cells with spend, in a channel that can tell of demand
FAR = 4.0  # standard deviations beyond which log spend is not believed
# Share of shifts of channels against each other after which they look as much alike (in
# what regions have in common, a single series, less), number of these, and how far
# shifts are, in windows.
BY_CHANCE, BY_CHANCE_IN_SERIES, N_SHIFTS, APART = 0.05, 0.01, 999, 0.1
# Directions in which demand may differ: no more of each kind, and none that is less, in
# its standard deviations.
MOST_UNSURE, LEAST_UNSURE = 4, 0.03
N_ROUNDS = 3  # of filling in what was not seen and fitting
MOVES = 0.2  # loading from which a channel moves with demand
ONE_CHANNEL = 0.95  # from which demand is little else than the spend of that channel
# Correlation of log spend from which two budgets are nearly one, if they are seen
# together in so many of the cells in which one is; and from which a third moves, too.
COPIES, BESIDE, A_THIRD = 0.9, 0.5, 0.5
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
    unsure : ndarray of shape (n_unsure, R, T)
        By what demand may differ from it, as loadings are not known: principal
        components of draws, each as large as one standard deviation of them.
    loading : ndarray of shape (P, n_media)
        Standard deviations of log spend per one of demand, around which those of
        regions are; 0 for channels that cannot tell.
    persistence : ndarray of shape (P,)
        From one period to the next.
    known : ndarray of shape (P,)
        Share of the variance of demand that spend tells.
    national : ndarray of shape (P,), bool
    """

    mean: np.ndarray
    unsure: np.ndarray
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

    @property
    def n_columns(self):
        """Terms of the outcome equation, each with a coefficient."""
        return len(SHIFTS) * len(self.mean) + len(self.unsure)

    def told(self):
        """Return channels whose effect is told from demand that moves them, (M,), bool.

        In enough regions, and if it moves them apart from each other.
        """
        if self.mean.shape[1] < FEW_REGIONS:
            return np.zeros(self.loading.shape[1], dtype=bool)
        local = np.abs(self.loading[~self.national]) >= MOVES
        return local.any(axis=0) & ~self.moving_together()

    def moves_kpi(self, draws):
        r"""Return whether it is likelier than not that demand moves the KPI.

        Both are as likely before, and if it does, it does so in one of the weeks alone,
        each as likely. Given that all other coefficients of demand are zero, it is by
        the Savage-Dickey density ratio [1]_ as many times likelier after that this one
        is zero, too, as zero is denser in a normal distribution like the draws than in
        the prior.

        Parameters
        ----------
        draws : OutcomeNetwork
            Of a model with this demand, with one entry per draw.

        References
        ----------
        .. [1] Dickey (1971). The weighted likelihood ratio, linear hypotheses on normal
           location parameters. Annals of Mathematical Statistics 42.
        """
        places = {prior.name: at for prior, at in draws.shared_priors.positions()}
        found = draws.shared[:, places["demand"]].detach().numpy()  # in prior sd
        if len(np.unique(found, axis=0)) <= 2 * found.shape[1]:
            return True  # too few to tell
        precision = np.linalg.inv(np.cov(found.T))
        own = np.diag(precision)
        after = norm.logpdf(0.0, precision @ found.mean(axis=0) / own, own**-0.5)
        weeks = norm.logpdf(0.0) - after[: len(SHIFTS) * len(self.mean)]
        return bool(logsumexp(weeks, b=1.0 / len(weeks)) > 0.0)

    def columns(self, periods, n_regions):
        """Return demand of neighbouring periods, and by what this period's may differ.

        Of shape (n_regions, P * n_shifts + n_unsure, n).

        Outside the training window it fades from the nearest end, whatever is spent
        there; regions that were not trained have no local demand.
        """
        periods = np.asarray(periods)
        moved = [self.now(periods - k, n_regions) for k in SHIFTS]
        found = np.stack(moved, axis=1)  # (P, n_shifts, R, n)
        found = found.reshape(-1, *found.shape[2:])
        inside = np.clip(periods, 0, self.mean.shape[2] - 1)
        unsure = np.where(inside == periods, self.unsure[..., inside], 0.0)
        new = n_regions - unsure.shape[1]
        unsure = np.pad(unsure, ((0, 0), (0, new), (0, 0)))
        return np.concatenate([found, unsure]).swapaxes(0, 1)

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
    second = _second_copies(np.where(shown, spend, 0.0), seen & shown)
    together, apart = _split(spend, seen & shown & ~second)
    found, usual = [], None
    # Budgets that move in groups of regions tell nothing of local demand.
    alone = independent_spend(panel.media, panel.observed[..., None]) >= LOCAL
    apart = apart[0], apart[1] & alone
    if n_regions > 1:
        local = _factor_of(*apart, n_free=n_regions - 1, generator=generator)
        if local is not None:
            found.append((False, *local))
            usual = local[2]
    national = _factor_of(*together, n_free=1, generator=generator, usual=usual)
    if national is not None:
        found.append((True, *national))
    if not found:
        return None
    national, mean, unsure, loading, persistence, known = zip(*found, strict=True)
    shape = n_regions, n_periods
    return Demand(
        np.stack([np.broadcast_to(m, shape) for m in mean]),
        np.concatenate([np.broadcast_to(u, (len(u), *shape)) for u in unsure]),
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
        n_new = longer.shape[2] - demand.unsure.shape[2]
        unsure = np.pad(demand.unsure, ((0, 0), (0, 0), (0, n_new)))
        return replace(demand, mean=longer, unsure=unsure)
    before = demand.mean.shape[2]
    sign = np.where((found.mean[..., :before] * demand.mean).sum((1, 2)) < 0, -1.0, 1.0)
    # The same directions, as far as they are found again: regressed on the new ones.
    new = found.unsure[..., :before]
    alike = np.einsum("irt,jrt->ij", demand.unsure, new)
    same = alike @ np.linalg.pinv(np.einsum("irt,jrt->ij", new, new))
    return replace(
        found,
        mean=found.mean * sign[:, None, None],
        unsure=np.einsum("ij,jrt->irt", same, found.unsure),
        loading=found.loading * sign[:, None],
    )


def with_suspects(media, observed, controls, season, suspects):
    """Return channels that rise and fall with some suspects, (M,), bool.

    More than by chance. What moves the budget of a suspect may move theirs, too; from
    an effect that moves the KPI, and by it the suspect, that cannot be told.

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
    if media.shape[1] < MIN_PERIODS or not suspects.any():
        return np.zeros(len(suspects), dtype=bool)
    spend, seen = _log_spend(media, observed, controls, season)
    spend = _standardised(spend, seen)
    alike, _ = _correlations(spend, seen)
    limit = norm.isf(WITH_SUSPECTS / suspects.sum())  # the chance of any of them
    found = (_scores(spend, seen)[0] >= limit) & (alike >= LEAST_CORRELATION)
    return found[:, suspects].any(axis=1) & ~suspects


def _standardised(spend, seen):
    """Return log spend in its standard deviations, (R, T, M)."""
    size = np.sqrt((spend**2).sum(axis=(0, 1)) / seen.sum(axis=(0, 1)).clip(1))
    return np.clip(spend / np.where(size > 0, size, 1.0), -FAR, FAR)


def _correlations(spend, seen):
    """Return correlations of standardised spend, and in how many cells, (M, M)."""
    both = np.einsum("rti,rtj->ij", 1.0 * seen, 1.0 * seen)
    return np.einsum("rti,rtj->ij", spend, spend) / both.clip(1.0), both


def _second_copies(spend, seen):
    """Return channels of which another is nearly a copy, and is looked at, (M,), bool.

    What two such budgets have in common is one budget as much as demand, and nothing
    tells which. Where a third moves with them, demand is the likelier reason; so it is
    where there are no others.
    """
    alike, both = _correlations(_standardised(spend, seen), seen)
    cells = both.diagonal()
    beside = both >= BESIDE * np.maximum(cells, cells[:, None]).clip(1.0)
    apart = ~np.eye(len(alike), dtype=bool)
    copies = (alike >= COPIES) & beside & apart
    paired = ((alike >= A_THIRD) & apart).sum(axis=0) == 1
    second = np.triu(copies & paired & paired[:, None]).any(axis=0)
    return second & (len(second) > 2)


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
    chance = BY_CHANCE if n_free > 1 else BY_CHANCE_IN_SERIES
    if usual is None and not _move_together(spend, seen, chance, generator):
        return None
    shape = *spend.shape[:2], 1 + len(chosen)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
    expected = np.zeros(len(chosen)), LOADING
    if usual is not None:
        expected = usual[chosen], LOADING_LIKE_LOCAL
    posterior = FactorPosterior(spend, n_free, expected)
    factor = posterior.mode()
    if not seen.all():
        for _ in range(N_ROUNDS):
            filled = factor.filled(spend, seen, noise)
            posterior = FactorPosterior(filled, n_free, expected)
            factor = posterior.mode(start=factor)
        spend = factor.filled(spend, seen)
    apart = np.zeros(len(chosen))
    if n_free > 1:
        apart = factor.by_region(spend) - factor.loading
    draws = posterior.draws(factor, generator)
    loading = np.zeros(n_media)
    loading[chosen] = np.mean([one.loading for one in draws], axis=0)
    persistence = np.mean([one.persistence for one in draws])
    mean, unsure, open_to = _told(draws, spend, apart)
    known = np.mean([one.known(one.loading + apart) for one in draws]) - open_to
    return mean, unsure, loading, persistence, known


def _told(draws, spend, apart):
    """Return demand given spend, (R, T), what it may be beside it, and its variance.

    Of draws of the factor the mean, and the principal components of the differences
    from it, (n, R, T), each as large as one standard deviation.

    Parameters
    ----------
    draws : list of Factor
    spend : ndarray of shape (R, T, M)
    apart : ndarray of shape (R, M) or (M,)
        What loadings of regions are above those that all have in common.
    """

    def smoothed(regions):
        own = apart if apart.ndim == 1 else apart[regions]
        found = [one.smooth(spend[regions], one.loading + own) for one in draws]
        mean = np.mean(found, axis=0)
        return mean, (np.stack(found) - mean) / np.sqrt(len(draws))

    some = some_regions(len(spend), spend.shape[1], len(draws))
    mean, off = smoothed(some)
    flat = off.reshape(len(draws), -1)
    variance, axes = np.linalg.eigh(flat @ flat.T / flat.shape[1])
    large = np.sqrt(variance[::-1].clip(0.0)) >= LEAST_UNSURE
    axes = axes[:, ::-1][:, large][:, :MOST_UNSURE]
    if len(some) == len(spend):
        return mean, np.einsum("di,drt->irt", axes, off), variance.sum()
    mean = np.zeros(spend.shape[:2])
    unsure = np.zeros((axes.shape[1], *mean.shape))
    for regions in np.array_split(np.arange(len(spend)), len(spend) // len(some)):
        mean[regions], off = smoothed(regions)
        unsure[:, regions] = np.einsum("di,drt->irt", axes, off)
    return mean, unsure, variance.sum()


def _move_together(spend, seen, chance, generator):
    """Return whether channels move together more than they would by chance.

    Shifted against each other in time, around the end, channels keep all that each has
    by itself, and lose what they have in common. The covariance of a pair, weighted as
    demand lasts and by the cells in which both were seen, is therefore set against
    what it is under all shifts [1]_. The largest eigenvalue of these standard scores
    belongs to the likeliest loadings; the largest score to a demand that moves two.

    Parameters
    ----------
    spend : ndarray of shape (R, T, M)
    seen : ndarray of shape (R, T, M), bool
    chance : float
        With which it happens to channels that do not.
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
    chance = chance / 2.0  # of either
    together = np.linalg.eigvalsh(shifted)[:, -1], shifted.max(axis=(1, 2))
    found = np.linalg.eigvalsh(scores[0])[-1], scores[0].max()
    # Two channels have few shifts that differ; the score of one pair is normal.
    limits = [max(np.quantile(s, 1.0 - chance), norm.isf(chance / 2)) for s in together]
    return any(f > limit for f, limit in zip(found, limits, strict=True))


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
