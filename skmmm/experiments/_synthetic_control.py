"""Synthetic controls of sets of regions, and their errors where nothing happened.

Arrays over periods (T), control regions (J) and target series (P), each the total KPI
of a set of regions. A window of H periods is explained from the periods before it:

    target_t  ~  level + sum_j weight_j * control_jt

where the weights minimise the squared error over all earlier periods, and the level is
the mean gap over the last of them ("memory").
"""

from dataclasses import dataclass

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

    def at(self, position):
        """Return penalty and memory of a setting."""
        penalty, memory = divmod(int(position), len(self.memories))
        return self.penalties[penalty], self.memories[memory]


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
    n_barred = barred.shape[1]
    total = inverse.sum(axis=0)
    system = np.empty((len(barred), n_barred + 1, n_barred + 1))
    system[:, :-1, :-1] = inverse[barred[:, :, None], barred[:, None, :]]
    system[:, :-1, -1] = system[:, -1, :-1] = total[barred]
    system[:, -1, -1] = total.sum()
    excess = np.concatenate(
        [
            np.take_along_axis(free, barred, axis=1),
            free.sum(axis=1, keepdims=True) - 1.0,
        ],
        axis=1,
    )
    multiplier = np.linalg.solve(system, excess[..., None])[..., 0]
    # Spread over all controls, so that no (P, K, J) array is needed.
    of_barred = np.zeros_like(free)
    np.put_along_axis(of_barred, barred, multiplier[:, :-1], axis=1)
    weights = free - of_barred @ inverse - multiplier[:, -1:] * total
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
    # Of the periods whose gaps count, sums are enough: before by memory, then inside.
    count = np.zeros((len(settings.memories), len(controls)))
    for row, memory in zip(count, settings.memories, strict=True):
        row[max(start - memory, 0) : start] = -length / min(memory, start)
    count[:, start : start + length] = 1.0
    observed = count @ targets.T  # (M, P)
    explained = weights @ (count @ controls).T  # (L, P, M)
    return observed - np.moveaxis(explained, -1, 1)


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
class Choice:
    """Which of the settings, in the order of penalties, then memories.

    Attributes
    ----------
    setting : int
        The best over all windows.
    by_window : ndarray of shape (W,), int
        The best over all other windows: that of a window is chosen without it.
    """

    setting: int
    by_window: np.ndarray

    def of_windows(self, effects):
        """Return effects in each window by the setting chosen without it.

        Parameters
        ----------
        effects : ndarray of shape (L, M, V, ...)
            In the first V of the windows.

        Returns
        -------
        effects : ndarray of shape (V, ...)
        """
        flat = effects.reshape(-1, *effects.shape[2:])
        n_windows = flat.shape[1]
        return flat[self.by_window[:n_windows], np.arange(n_windows)]


def choose(effects, size):
    """Choose the setting with the least placebo effects of other sets.

    What the treated regions' own windows say has no vote. The least of several mean
    squares is smaller than what comes after, so that every window is also given the
    setting that the others choose.

    Parameters
    ----------
    effects : ndarray of shape (L, M, W, P)
    size : ndarray of shape (P,)

    Returns
    -------
    choice : Choice
    """
    square = ((effects / size) ** 2).mean(axis=3).reshape(-1, effects.shape[2])
    total = square.sum(axis=1)
    others = total[:, None] - (square if square.shape[1] > 1 else 0.0)
    return Choice(int(np.argmin(total)), np.argmin(others, axis=0))


@dataclass(frozen=True, eq=False)
class PooledVariance:
    """Variance of placebo effects over many sets of regions, a prior for that of one.

    Attributes
    ----------
    unit : float
        Of a set of size 1.
    power : float
        Of size, that the variance goes with.
    df : float
        How many windows of its own it is worth to a set.
    """

    unit: float
    power: float
    df: float

    def moderate(self, own, size):
        """Return variance and degrees of freedom of a set.

        Parameters
        ----------
        own : ndarray of shape (W,) or, of many sets, (W, P)
            Its placebo effects.
        size : float or ndarray of shape (P,)
        """
        df = self.df + len(own)
        prior = self.df * self.unit * size**self.power
        return (prior + (own**2).sum(axis=0)) / df, df


def pooled_variance(effects, size, n_disjoint):
    """Estimate the variance of placebo effects, and how alike sets are.

    The mean square of the treated regions' own placebos, of few windows, is moderated
    by that of sets of controls, which is known better but of other regions: the prior
    of an inverse chi-square distribution, whose degrees of freedom tell how alike the
    sets are (Smyth 2004). Between sets, variance goes with a power of size.

    Parameters
    ----------
    effects : ndarray of shape (W, P)
    size : ndarray of shape (P,)
    n_disjoint : float
        Number of sets that the regions could be divided into.

    Returns
    -------
    pooled : PooledVariance
    """
    square = np.maximum((effects**2).mean(axis=0), 1e-300)
    power = _power_of_size(np.log(square), np.log(size))
    alike = square / size**power
    df = _prior_df(np.log(alike), len(effects), n_disjoint)
    return PooledVariance(float(alike.mean()), power, df)


def _power_of_size(log_square, log_size):
    """Return the power of size that variance goes with, between 1 and 2."""
    centred = log_size - log_size.mean()
    spread = (centred**2).sum()
    if spread < 1e-6:
        return 2.0
    return float(np.clip((log_square * centred).sum() / spread, 1.0, 2.0))


def _prior_df(log_square, n_windows, n_disjoint):
    """Return how many windows of its own the variance of other sets is worth.

    How far sets differ follows from the spread of their log variances, by moments.
    Sets overlap, so that they differ less than disjoint ones, of which there are
    `n_disjoint`; the mean over so many sets and windows is itself an estimate.
    """
    few, many = _PRIOR_DF
    if len(log_square) < 3:
        return few
    candidates = np.geomspace(few, many, 60)
    spread = log_square.var(ddof=1) / (1.0 - 1.0 / n_disjoint)
    excess = spread - polygamma(1, n_windows / 2)
    between = np.interp(
        -excess, -polygamma(1, candidates / 2), candidates, left=few, right=many
    )
    inverse = (1.0 + 1.0 / n_disjoint) / between + 1.0 / (n_windows * n_disjoint)
    return float(1.0 / inverse)


@dataclass(frozen=True, eq=False)
class Placebos:
    """Effects found where there is none, and what they say of that of a test.

    Attributes
    ----------
    penalty : float
    memory : int
        Chosen by the sets of controls.
    std_error : float
        Of the total effect.
    df : float
    sets : ndarray of shape (P, K), int
    windows : ndarray of shape (W,), int
        Where those before the test begin.
    own : ndarray of shape (W,)
        Of the treated regions, by settings chosen without the window.
    others : ndarray of shape (V, P)
        Of sets of controls in these windows, then in that of the test if it has been.
    size : float
        Mean KPI of the treated regions before the test.
    """

    penalty: float
    memory: int
    std_error: float
    df: float
    sets: np.ndarray
    windows: np.ndarray
    own: np.ndarray
    others: np.ndarray
    size: float


def placebos(controls, target, sets, start, length, settings):
    """Return the placebos of a test.

    Parameters
    ----------
    controls : ndarray of shape (T, J)
    target : ndarray of shape (T,)
        Of the treated regions; what follows `start` is not read.
    sets : ndarray of shape (P, K), int
        Controls taken for treated.
    start, length : int
        Of the test; its window counts if the arrays reach to its end.
    settings : Settings

    Returns
    -------
    placebos : Placebos
    """
    windows = window_starts(start, length)
    totals = controls.T[sets].sum(axis=1)
    sizes = np.abs(totals[:, :start]).mean(axis=1)
    size = float(np.abs(target[:start]).mean())
    tested = [start] if len(target) >= start + length else []

    def effects(targets, barred, starts):
        found = [
            window_effects(controls, targets, barred, window, length, settings)
            for window in starts
        ]
        return np.stack(found, axis=2)

    of_sets = effects(totals, sets, [*windows, *tested])
    choice = choose(of_sets, sizes)
    own = choice.of_windows(effects(target[None], NO_BAR, windows))[:, 0]
    others = choice.of_windows(of_sets)
    pooled = pooled_variance(others, sizes, controls.shape[1] / sets.shape[1])
    variance, df = pooled.moderate(own, size)
    penalty, memory = settings.at(choice.setting)
    std_error = float(np.sqrt(variance))
    return Placebos(penalty, memory, std_error, df, sets, windows, own, others, size)


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
    placebos : Placebos
    """

    target: np.ndarray
    expected: np.ndarray
    start: int
    weights: np.ndarray
    placebos: Placebos

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
    found = placebos(controls, target, sets, start, len(target) - start, settings)
    before = controls[:start], target[None, :start]
    weights = fit_weights(*before, NO_BAR, [found.penalty])[0, 0]
    explained = controls @ weights
    level = (target - explained)[start - found.memory : start].mean()
    return Analysis(target, level + explained, start, weights, found)
