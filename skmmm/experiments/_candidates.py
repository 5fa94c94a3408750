"""Sets of regions that a test could treat, and their placebo effects.

Arrays over periods (T) and regions (R); every set of K regions is explained by all the
others.
"""

from dataclasses import dataclass

import numpy as np

from skmmm._utils.parallel import call_each
from skmmm.experiments._synthetic_control import (
    Settings,
    choose,
    draw_sets,
    fit_weights,
    placebos,
    pooled_variance,
    window_effects,
    window_starts,
)

# Sets explained at a time, which bounds memory.
_BATCH = 1000
# Share of sets that are the best, and windows from which their luck can be told.
_BEST, _FEWEST_WINDOWS = 0.025, 4
# Draws by which a candidate is looked for before there are taken to be no more.
_MOST_DRAWS = 20


@dataclass(frozen=True, eq=False)
class Designs:
    """Candidates and what a test of them would be like.

    Attributes
    ----------
    sets : ndarray of shape (P, K), int
    std_error, df : ndarray of shape (P,)
        Of the total effect, and its degrees of freedom.
    r2 : ndarray of shape (P,)
        Share of the squared placebo effects of the level alone that controls take off.
    imbalance : ndarray of shape (P,)
        Root mean square of what the weights leave of the KPI, relative to what shares
        in the KPI leave.
    weights : ndarray of shape (P, R)
    n_windows : int
    luck : float
        By how much errors of the best sets are larger than they seem.
    """

    sets: np.ndarray
    std_error: np.ndarray
    df: np.ndarray
    r2: np.ndarray
    imbalance: np.ndarray
    weights: np.ndarray
    n_windows: int
    luck: float


def draw_candidates(rng, kpi, size, n_candidates, forced, max_share):
    """Draw sets of regions: at random, and from strata by size and by correlation.

    A stratified set has one region of each of as many strata as it has regions: equally
    many regions with a similar mean KPI, or a similar correlation with the total.

    Parameters
    ----------
    rng : RandomState
    kpi : ndarray of shape (T, R)
    size : int
    n_candidates : int
    forced : ndarray of shape (n_forced,), int
        Regions of every set.
    max_share : float
        Largest share of a set in the KPI.

    Returns
    -------
    sets : ndarray of shape (at most n_candidates, size), int
    """
    n_regions = kpi.shape[1]
    free = np.setdiff1d(np.arange(n_regions), forced)
    mean, total = kpi.mean(axis=0), kpi.sum(axis=1, keepdims=True)
    n_free = size - len(forced)
    orders = [None, mean[free], _correlation(kpi, total)[free]]
    found: dict[tuple[int, ...], np.ndarray] = {}
    for draw in range(_MOST_DRAWS * n_candidates):
        if len(found) == n_candidates:
            break
        chosen = free[_one_set(rng, orders[draw % 3], len(free), n_free)]
        chosen = np.sort(np.append(forced, chosen)).astype(int)
        if mean[chosen].sum() <= max_share * mean.sum():
            found[tuple(chosen)] = chosen
    return np.array(list(found.values()), dtype=int).reshape(-1, size)


def _one_set(rng, order, n_regions, size):
    if order is None:
        return rng.permutation(n_regions)[:size]
    strata = np.array_split(np.argsort(order), size) if size else []
    return np.array([rng.choice(stratum) for stratum in strata], dtype=int)


def _correlation(kpi, total):
    """Return the correlation of each region with the total of the others."""
    rest = total - kpi
    a, b = kpi - kpi.mean(axis=0), rest - rest.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (a * b).sum(axis=0) / np.where(scale > 0, scale, 1.0)


def score_designs(kpi, sets, length, settings, *, n_placebos, rng, n_jobs=None):
    """Say what a test of each set right after the data would be like.

    Penalty and memory are chosen, and variances moderated, by sets drawn at random,
    whether they could be treated or not.

    Parameters
    ----------
    kpi : ndarray of shape (T, R)
    sets : ndarray of shape (P, K), int
    length : int
        Periods of the test and its cooldown.
    settings : Settings
    n_placebos : int
    rng : RandomState
    n_jobs : int, default=None

    Returns
    -------
    designs : Designs
    """
    starts = window_starts(len(kpi), length)
    pool = draw_sets(rng, kpi.shape[1], sets.shape[1], n_placebos)
    sizes = _sizes(kpi, pool)
    effects = _effects(kpi, pool, starts, length, [settings] * len(starts), n_jobs)
    choice = choose(effects, sizes)
    chosen = [settings.at(position) for position in choice.by_window]
    by_window = [Settings((penalty,), (memory,)) for penalty, memory in chosen]
    own = _effects(kpi, sets, starts, length, by_window, n_jobs)[0, 0]
    n_disjoint = kpi.shape[1] / sets.shape[1]
    pooled = pooled_variance(choice.of_windows(effects), sizes, n_disjoint)
    own_sizes = _sizes(kpi, sets)
    variance, df = pooled.moderate(own, own_sizes)
    penalty, memory = settings.at(choice.setting)
    level = _level_effects(_totals(kpi, sets), starts, length, memory)
    weights, imbalance = _whole_fit(kpi, sets, penalty)
    return Designs(
        sets,
        np.sqrt(variance),
        np.full(len(sets), df),
        1.0 - (own**2).sum(axis=0) / np.maximum((level**2).sum(axis=0), 1e-300),
        imbalance,
        weights,
        len(starts),
        _luck_of_the_best(own / own_sizes, pooled, own_sizes),
    )


def _luck_of_the_best(effects, pooled, sizes):
    """Return by how much errors of the best sets are larger than they seem.

    The best of many sets were lucky in the windows that chose them. The best by half of
    the windows are looked at in the other half, and compared with what all sets do
    there; twice as many windows choose better, and luck falls with their root.

    Parameters
    ----------
    effects : ndarray of shape (W, P)
        Placebo effects, by the size of the set.
    pooled : PooledVariance
    sizes : ndarray of shape (P,)
    """
    n_best = max(round(_BEST * effects.shape[1]), 1)
    if len(effects) < _FEWEST_WINDOWS:
        return 1.0
    halves, logs = (effects[::2], effects[1::2]), []
    for chosen_by, later in (halves, halves[::-1]):
        expected = pooled.moderate(chosen_by * sizes, sizes)[0] / sizes**2
        seen = (later**2).mean(axis=0)
        best = np.argsort(expected)[:n_best]
        held, promised = (
            errors[best].mean() / errors.mean() for errors in (seen, expected)
        )
        logs.append(np.log(held / promised))
    return float(np.exp(max(np.mean(logs), 0.0) / 2**1.5))


def rescore_designs(kpi, sets, length, settings, *, n_placebos, rng, n_jobs=None):
    """Return standard errors of sets and their degrees of freedom, as analysed.

    The best of many sets was lucky in its windows, and its controls were not; the
    analysis will choose and moderate by these.

    Parameters
    ----------
    kpi : ndarray of shape (T, R)
    sets : ndarray of shape (P, K), int
    length, settings, n_placebos, rng, n_jobs
        As in `score_designs`.

    Returns
    -------
    std_error, df : ndarray of shape (P,)
    """
    n_controls = kpi.shape[1] - sets.shape[1]
    pool = draw_sets(rng, n_controls, min(sets.shape[1], n_controls // 2), n_placebos)
    found = call_each(
        placebos,
        (
            (
                np.delete(kpi, treated, axis=1),
                kpi[:, treated].sum(axis=1),
                pool,
                len(kpi),
                length,
                settings,
            )
            for treated in sets
        ),
        n_jobs,
    )
    return np.array([one.std_error for one in found]), np.array(
        [one.df for one in found]
    )


def _totals(kpi, sets):
    return kpi.T[sets].sum(axis=1)  # (P, T)


def _sizes(kpi, sets):
    return np.abs(_totals(kpi, sets)).mean(axis=1)


def _effects(kpi, sets, starts, length, settings, n_jobs):
    """Return placebo effects of sets, (L, M, W, P), by the settings of each window."""
    batches = [sets[i : i + _BATCH] for i in range(0, len(sets), _BATCH)]
    totals = [_totals(kpi, batch) for batch in batches]
    found = call_each(
        window_effects,
        (
            (kpi, total, batch, start, length, by_window)
            for batch, total in zip(batches, totals, strict=True)
            for start, by_window in zip(starts, settings, strict=True)
        ),
        n_jobs,
    )
    n_windows = len(starts)
    rows = [
        np.stack(found[i : i + n_windows], axis=2)
        for i in range(0, len(found), n_windows)
    ]
    return np.concatenate(rows, axis=3)


def _level_effects(totals, starts, length, memory):
    """Return placebo effects against the level alone, (W, P)."""
    return np.stack(
        [
            totals[:, s : s + length].sum(axis=1)
            - length * totals[:, max(s - memory, 0) : s].mean(axis=1)
            for s in starts
        ]
    )


def _whole_fit(kpi, sets, penalty):
    """Return weights (P, R) from all periods, and the imbalance that they leave."""
    totals = _totals(kpi, sets)
    weights = fit_weights(kpi, totals, sets, [penalty, np.inf])
    gap = totals - weights @ kpi.T
    gap -= gap.mean(axis=-1, keepdims=True)
    left, shares = np.sqrt((gap**2).mean(axis=-1))
    return weights[0], left / np.maximum(shares, 1e-300)
