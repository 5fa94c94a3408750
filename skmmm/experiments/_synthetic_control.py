"""Synthetic controls of sets of regions, and their errors where nothing happened.

Arrays over periods (T), control regions (J) and target series (P), each the total KPI
of a set of regions. A window of H periods is explained from the periods before it:

    target_t  ~  level + sum_j weight_j * control_jt

where the weights minimise the squared error over all earlier periods, and the level is
the mean gap over the last of them ("memory").
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import polygamma

# Candidates of the ridge penalty, in units of the mean variance of a control. The last
# leaves the weights at the share of each control in the KPI: difference in differences.
PENALTIES = (0.01, 0.1, 1.0, np.inf)
# A control whose KPI is smaller than this share of the usual one counts as that large.
_SMALLEST = 0.01
# Periods before the first placebo window, as a share of those before the test.
_FIRST = 1 / 3
_MOST_WINDOWS = 40
# Of targets without a region among the controls.
NO_BAR = np.empty((1, 0), dtype=int)
# More prior degrees of freedom than this and fewer than this are not told apart.
_PRIOR_DF = (1.0, 100.0)


@dataclass(frozen=True, eq=False)
class Settings:
    """Candidates among which placebo windows choose.

    Attributes
    ----------
    penalties : tuple of float, of length L
    memories : tuple of int, of length M
        Periods before a window whose mean gap is its level.
    """

    penalties: tuple
    memories: tuple


def settings_for(method, n_periods, cycle=1):
    """Return the candidates of a method: memories of 1, 4, 16... cycles, and all."""
    memories = [cycle * 4**k for k in range(20) if cycle * 4**k < n_periods]
    penalties = (np.inf,) if method == "difference" else PENALTIES
    return Settings(penalties, (*memories, n_periods))


def window_starts(n_periods, length):
    """Return where placebo windows begin, side by side, backwards from the last.

    The first third of the periods is only learned from.
    """
    first = max(int(np.ceil(_FIRST * n_periods)), 2)
    return np.arange(n_periods - length, first - 1, -length)[:_MOST_WINDOWS]


def fit_weights(controls, targets, barred, penalties):
    """Fit the weights of the controls by ridge regression, their sum fixed.

    In units of the root mean square of each series, the weights of a target add up to
    one and are pulled towards shares p in the KPI of all its controls,

        min_w  |b - Z w|^2 / T  +  penalty * v * |w - p|^2,    sum w = 1,

    with centred series b, Z and v the mean variance of the columns of Z.

    Parameters
    ----------
    controls : ndarray of shape (T, J)
    targets : ndarray of shape (P, T)
    barred : ndarray of shape (P, K), int
        Controls that are part of the target, whose weights are zero.
    penalties : sequence of float, of length L

    Returns
    -------
    weights : ndarray of shape (L, P, J)
        In units of the KPI: the target is explained by ``weights @ controls``.
    """
    n_periods, n_controls = controls.shape
    scale = np.sqrt((controls**2).mean(axis=0))
    scale = np.maximum(scale, _SMALLEST * np.median(scale))
    target_scale = np.sqrt((targets**2).mean(axis=1, keepdims=True))
    Z, b = controls / scale, targets / np.where(target_scale > 0, target_scale, 1.0)
    Z, b = Z - Z.mean(axis=0), b - b.mean(axis=1, keepdims=True)
    gram, moment = Z.T @ Z / n_periods, b @ Z / n_periods
    variance = max(np.trace(gram) / n_controls, 1e-12)
    share = np.tile(scale, (len(targets), 1))
    np.put_along_axis(share, barred, 0.0, axis=1)
    share /= share.sum(axis=1, keepdims=True)
    weights = []
    for penalty in penalties:
        if np.isinf(penalty):
            weights.append(share)
            continue
        ridge = penalty * variance
        inverse = np.linalg.inv(gram + ridge * np.eye(n_controls))
        weights.append(
            _constrained((moment + ridge * share) @ inverse, inverse, barred)
        )
    return np.stack(weights) * target_scale / scale


def _constrained(free, inverse, barred):
    """Move unconstrained weights to a sum of one and zeros where barred."""
    total = np.broadcast_to(inverse.sum(axis=0), (len(barred), 1, len(inverse)))
    rows = np.concatenate([inverse[barred], total], axis=1)  # (P, K + 1, J)
    picked = np.take_along_axis(rows, barred[:, None, :], axis=2)
    system = np.concatenate([picked, rows.sum(axis=2, keepdims=True)], axis=2)
    excess = np.concatenate(
        [
            np.take_along_axis(free, barred, axis=1),
            free.sum(axis=1, keepdims=True) - 1.0,
        ],
        axis=1,
    )
    multiplier = np.linalg.solve(system, excess[..., None])
    weights = free - (multiplier * rows).sum(axis=1)
    np.put_along_axis(weights, barred, 0.0, axis=1)
    return weights


def window_effects(controls, targets, barred, start, length, settings):
    """Return target minus synthetic control, in total over a window.

    Parameters
    ----------
    controls : ndarray of shape (T, J)
    targets : ndarray of shape (P, T)
    barred : ndarray of shape (P, K), int
    start, length : int
        Periods of the window; only those before it are learned from.
    settings : Settings

    Returns
    -------
    effects : ndarray of shape (L, M, P)
    """
    weights = fit_weights(
        controls[:start], targets[:, :start], barred, settings.penalties
    )
    gap = targets - weights @ controls.T  # (L, P, T)
    total = gap[..., start : start + length].sum(axis=-1)
    level = [
        gap[..., max(start - memory, 0) : start].mean(axis=-1)
        for memory in settings.memories
    ]
    return total[:, None] - length * np.stack(level, axis=1)


def draw_sets(rng, n_regions, size, n_sets):
    """Draw different sets of regions.

    Returns
    -------
    sets : ndarray of shape (at most n_sets, size), int
        Each sorted; about all there are, if a few.
    """
    drawn = [np.sort(rng.permutation(n_regions)[:size]) for _ in range(4 * n_sets)]
    return rng.permutation(np.unique(drawn, axis=0))[:n_sets]


@dataclass(frozen=True, eq=False)
class PlaceboErrors:
    """Effects found where there are none, by settings (L, M) first.

    Attributes
    ----------
    own : ndarray of shape (L, M, W)
        Of the treated regions in windows before the test.
    others : ndarray of shape (L, M, V, P)
        Of sets of controls in the same windows and that of the test.
    size : ndarray of shape (P,)
        Mean KPI of these sets.
    own_size : float
        That of the treated regions.
    n_disjoint : float
        Number of sets that the controls could be divided into.
    """

    own: np.ndarray
    others: np.ndarray
    size: np.ndarray
    own_size: float
    n_disjoint: float

    def at(self, penalty, memory):
        """Return the errors of one setting, given by positions."""
        at = slice(penalty, penalty + 1), slice(memory, memory + 1)
        return replace(self, own=self.own[at], others=self.others[at])


def placebo_errors(controls, target, sets, starts, test, length, settings):
    """Return the errors of the treated regions and of sets of controls.

    Parameters
    ----------
    controls : ndarray of shape (T, J)
    target : ndarray of shape (T,)
        KPI of the treated regions; what follows `test` is not read.
    sets : ndarray of shape (P, K), int
    starts : ndarray of shape (W,), int
        Windows before the test.
    test : int or None
        First period of the test; None: there was none.
    length : int
    settings : Settings

    Returns
    -------
    errors : PlaceboErrors
    """
    totals = controls.T[sets].sum(axis=1)
    own = [
        window_effects(controls, target[None], NO_BAR, s, length, settings)[..., 0]
        for s in starts
    ]
    windows = starts if test is None else np.append(starts, test)
    others = [
        window_effects(controls, totals, sets, s, length, settings) for s in windows
    ]
    before = len(target) if test is None else test
    return PlaceboErrors(
        np.stack(own, axis=-1),
        np.stack(others, axis=2),
        np.abs(totals[:, :before]).mean(axis=1),
        float(np.abs(target[:before]).mean()),
        controls.shape[1] / sets.shape[1],
    )


@dataclass(frozen=True, eq=False)
class PooledVariance:
    """Variance of placebo effects over many sets of regions, a prior for that of one.

    Attributes
    ----------
    unit : ndarray of shape (L, M)
        Of a set of size 1.
    power : ndarray of shape (L, M)
        Of size, that the variance goes with.
    df : ndarray of shape (L, M)
        How many windows of its own it is worth to a set.
    """

    unit: np.ndarray
    power: np.ndarray
    df: np.ndarray

    def moderate(self, own, size):
        """Return variance and degrees of freedom of a set.

        Parameters
        ----------
        own : ndarray of shape (L, M, W) or, of many sets, (L, M, W, P)
            Its placebo effects.
        size : float or ndarray of shape (P,)
        """
        shape = (..., *[None] * (own.ndim - 3))
        unit, power, df = self.unit[shape], self.power[shape], self.df[shape]
        square = (own**2).sum(axis=2)
        df_own = own.shape[2]
        return (df * unit * size**power + square) / (df + df_own), df + df_own


def pooled_variance(effects, size, n_disjoint):
    """Estimate the variance of placebo effects, and how alike sets are.

    The mean square of the treated regions' own placebos, of few windows, is moderated
    by that of sets of controls, which is known better but of other regions: the prior
    of an inverse chi-square distribution, whose degrees of freedom tell how alike the
    sets are (Smyth 2004). Between sets, variance goes with a power of size.

    Parameters
    ----------
    effects : ndarray of shape (L, M, W, P)
    size : ndarray of shape (P,)
    n_disjoint : float

    Returns
    -------
    pooled : PooledVariance
    """
    square = np.maximum((effects**2).mean(axis=2), 1e-300)  # (L, M, P)
    power = _power_of_size(np.log(square), np.log(size))
    alike = square / size ** power[..., None]
    df = _prior_df(np.log(alike), effects.shape[2], n_disjoint)
    return PooledVariance(alike.mean(axis=-1), power, df)


def _power_of_size(log_square, log_size):
    """Return the power of size that variance goes with, between 1 and 2."""
    centred = log_size - log_size.mean()
    spread = (centred**2).sum()
    if spread < 1e-6:
        return np.full(log_square.shape[:-1], 2.0)
    return np.clip((log_square * centred).sum(axis=-1) / spread, 1.0, 2.0)


def _prior_df(log_square, n_windows, n_disjoint):
    """Return how many windows of its own the variance of other sets is worth.

    How far sets differ follows from the spread of their log variances, by moments.
    Sets overlap, so that they differ less than disjoint ones, of which there are
    `n_disjoint`; the mean over so many sets and windows is itself an estimate.
    """
    few, many = _PRIOR_DF
    if log_square.shape[-1] < 3:
        return np.full(log_square.shape[:-1], few)
    candidates = np.geomspace(few, many, 60)
    spread = log_square.var(axis=-1, ddof=1) / (1.0 - 1.0 / n_disjoint)
    excess = spread - polygamma(1, n_windows / 2)
    between = np.interp(
        -excess, -polygamma(1, candidates / 2), candidates, left=few, right=many
    )
    inverse = (1.0 + 1.0 / n_disjoint) / between + 1.0 / (n_windows * n_disjoint)
    return 1.0 / inverse


def choose(effects, size):
    """Return the positions of the setting with the least placebo effects.

    What the treated regions' own windows say has no vote, so that their mean square is
    not the least of several.

    Parameters
    ----------
    effects : ndarray of shape (L, M, W, P)
        Of other sets.
    size : ndarray of shape (P,)
    """
    square = ((effects / size) ** 2).mean(axis=(2, 3))
    return np.unravel_index(np.argmin(square), square.shape)


@dataclass(frozen=True, eq=False)
class Analysis:
    """A synthetic control of the treated regions, and its placebos.

    Attributes
    ----------
    target : ndarray of shape (T,)
        KPI of the treated regions, up to the end of the window.
    expected : ndarray of shape (T,)
        KPI without the test.
    start : int
        First period of the test.
    weights : ndarray of shape (J,)
    penalty : float
    memory : int
    std_error : float
        Of the total effect.
    df : float
    sets : ndarray of shape (P, K), int
    windows : ndarray of shape (W,), int
        Where those before the test begin.
    errors : PlaceboErrors
        Of the chosen setting.
    """

    target: np.ndarray
    expected: np.ndarray
    start: int
    weights: np.ndarray
    penalty: float
    memory: int
    std_error: float
    df: float
    sets: np.ndarray
    windows: np.ndarray
    errors: PlaceboErrors

    @property
    def total_expected(self):
        """KPI without the test in the window."""
        return float(self.expected[self.start :].sum())

    @property
    def estimate(self):
        """Effect in total over the window."""
        return float(self.target[self.start :].sum()) - self.total_expected


def analyse(controls, target, sets, start, settings):
    """Estimate the effect on a target of a test that lasts to the end of the arrays.

    Parameters
    ----------
    controls : ndarray of shape (T, J)
    target : ndarray of shape (T,)
    sets : ndarray of shape (P, K), int
        Controls taken for treated.
    start : int
    settings : Settings

    Returns
    -------
    analysis : Analysis
    """
    length = len(target) - start
    windows = window_starts(start, length)
    errors = placebo_errors(controls, target, sets, windows, start, length, settings)
    at = choose(errors.others, errors.size)
    penalty, memory = settings.penalties[at[0]], settings.memories[at[1]]
    errors = errors.at(*at)
    pooled = pooled_variance(errors.others, errors.size, errors.n_disjoint)
    variance, df = pooled.moderate(errors.own, errors.own_size)
    weights = fit_weights(controls[:start], target[None, :start], NO_BAR, [penalty])
    weights = weights[0, 0]
    explained = controls @ weights
    level = (target - explained)[start - memory : start].mean()
    return Analysis(
        target,
        level + explained,
        start,
        weights,
        penalty,
        memory,
        float(np.sqrt(variance[0, 0])),
        float(df[0, 0]),
        sets,
        windows,
        errors,
    )
