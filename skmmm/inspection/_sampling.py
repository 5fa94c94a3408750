"""How far the draws of many short chains can be trusted."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from skmmm._utils.typing import Array, Column
from skmmm.inspection._verdicts import MIN_DRAWS

# What `diagnose` returns for every quantity.
COUNTS = ("divergences", "n_chains", "n_transitions")
COLUMNS = ("r_hat", "nested_r_hat", "drift", "ess_bulk", "acceptance", *COUNTS)
LOG_POSTERIOR = "log posterior"
_LOST = 1000.0  # energy lost on a trajectory that has left the posterior
_LONG = 40  # transitions from which the halves of one chain can be compared
# Beyond these `sampling_problem` speaks up.
_FEWEST = 4  # transitions of which anything can be said
_ACCEPTED = 0.4
_DIVERGENT = 0.1
# Never less than the first; by chance as much as the second over sqrt(n_chains).
_NESTED = 0.5, 2.8  # above 1
_DRIFT = 0.5, 3.5
_MANY = 1000  # draws that nobody is told to ask for
_WHAT_TO_DO = (
    "Try another random_state; if that does not help, leave out columns that say the "
    "same as others, or set n_hidden=0. See sampling_diagnostics_."
)


def diagnose(values: Array, start: Array, log_acceptance: Array) -> Array:
    """Return the diagnostics of some quantities, (n_quantities, n_columns).

    Values are replaced by normal scores of their ranks [1]_, so that heavy tails and
    monotone transformations change nothing.

    Parameters
    ----------
    values : ndarray of shape (n_transitions, n_chains, n_quantities)
        After each transition.
    start : ndarray of shape (n_chains, n_quantities)
        Before the first transition of all, warm-up included.
    log_acceptance : ndarray of shape (n_transitions, n_chains)
        Not finite where a proposal has no density.

    References
    ----------
    .. [1] Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021). Rank-normalization,
       folding, and localization: an improved R-hat. Bayesian Analysis 16.
    .. [2] Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari, Gelman (2024). Nested
       R-hat: assessing the convergence of Markov chain Monte Carlo when running many
       short chains. Bayesian Analysis.
    """
    n_transitions, n_chains = log_acceptance.shape
    lost = ~(log_acceptance > -_LOST)  # also where it is no number
    chance = np.exp(np.minimum(np.where(lost, -np.inf, log_acceptance), 0.0))
    of_sampler = chance.mean(), lost.sum(), n_chains, n_transitions
    rows = []
    for q in range(values.shape[2]):
        score = _normal_scores(values[:, :, q])
        own = np.full(4, np.nan)
        if np.ptp(score) > 0.0:
            folded = _normal_scores(abs(score - np.median(score)))
            own[:] = (
                max(_split_r_hat(score), _split_r_hat(folded)),
                _nested_r_hat(score, start[:, q]),
                _drift(score),
                _effective_size(score),
            )
        rows.append([*own, *of_sampler])
    return np.array(rows).reshape(-1, len(COLUMNS))


def _normal_scores(values):
    ranks = stats.rankdata(values).reshape(values.shape)
    return stats.norm.ppf((ranks - 0.375) / (values.size + 0.25))


def _split_r_hat(score):
    """Return R-hat of the halves of chains, nan for short ones."""
    half = len(score) // 2
    if len(score) < _LONG:
        return np.nan
    halves = np.concatenate([score[:half], score[-half:]], axis=1)
    within = halves.var(axis=0, ddof=1).mean()
    between = halves.mean(axis=0).var(ddof=1)
    return ((half - 1.0) / half + between / within) ** 0.5 if within > 0.0 else np.inf


def _nested_r_hat(score, start):
    """Return R-hat of groups of chains that started next to each other."""
    n_each = max(2, round((len(start) / 2) ** 0.5))
    n_groups = len(start) // n_each
    if n_groups < 2:
        return np.nan
    groups = np.array_split(np.argsort(start, kind="stable"), n_groups)
    means, inside = score.mean(axis=0), np.zeros(score.shape[1])
    if len(score) > 1:
        inside = score.var(axis=0, ddof=1)
    within = np.mean([means[g].var(ddof=1) + inside[g].mean() for g in groups])
    between = np.var([means[g].mean() for g in groups], ddof=1)
    return (1.0 + between / within) ** 0.5 if within > 0.0 else np.inf


def _drift(score):
    """Return how far the mean of all chains moves between halves, in sds."""
    half = len(score) // 2
    if not half:
        return np.nan
    return (score[-half:].mean() - score[:half].mean()) / score.std(ddof=1)


def _effective_size(score):
    """Return how many independent draws know the mean as well as all of these do."""
    n_chains, spread = score.shape[1], score.mean(axis=0).std(ddof=1)
    if n_chains < 2:
        return np.nan
    size = n_chains * (score.std(ddof=1) / max(spread, 1e-12)) ** 2
    return min(size, float(score.size))


def limits(n_chains: float) -> tuple[float, float]:
    """Return nested R-hat and drift beyond which draws are not trusted."""
    highest, most = (
        max(least, chance / n_chains**0.5) for least, chance in (_NESTED, _DRIFT)
    )
    return 1.0 + highest, most


def is_untrusted(found: Array) -> np.ndarray:
    """Return the quantities whose draws cannot be trusted, (n_quantities,), bool.

    All where moves are lost. Of fewer than 8 chains, or of chains of fewer than 4
    transitions, nothing is said.

    Parameters
    ----------
    found : ndarray of shape (n_quantities, n_columns)
        As `diagnose` returned it.
    """
    told = dict(zip(COLUMNS, found.T, strict=True))
    n_chains = told["n_chains"][0]
    if n_chains < MIN_DRAWS or told["n_transitions"][0] < _FEWEST:
        return np.zeros(len(found), dtype=bool)
    highest, most = limits(n_chains)
    bad = (told["nested_r_hat"] > highest) | (abs(told["drift"]) > most)
    return bad | _moves_are_lost(told)


def _moves_are_lost(told):
    """Return whether chains hardly move, or leave the posterior."""
    n_moves = told["n_chains"][0] * told["n_transitions"][0]
    refused = told["acceptance"][0] < _ACCEPTED
    return refused or told["divergences"][0] > _DIVERGENT * n_moves


def sampling_problem(found: Array, names: Sequence[Column], n_longer: int) -> str:
    """Return what is wrong with draws and what to do, "" if nothing is seen.

    Parameters
    ----------
    found : ndarray of shape (n_quantities, n_columns)
        As `diagnose` returned it.
    names : sequence of str or int
        Of the quantities.
    n_longer : int
        Draws with which chains run at least twice as long.
    """
    bad = is_untrusted(found)
    if not bad.any():
        return ""
    told = dict(zip(COLUMNS, found.T, strict=True))
    if _moves_are_lost(told):
        n_moves = told["n_chains"][0] * told["n_transitions"][0]
        return (
            f"The sampler accepted {told['acceptance'][0]:.0%} of its moves, and "
            f"{told['divergences'][0]:.0f} of {n_moves:.0f} diverged: its draws are "
            "not those of the posterior, no interval can be trusted, and no channel "
            f"is called data-driven. {_WHAT_TO_DO}"
        )
    which = [name for name, is_bad in zip(names, bad, strict=True) if is_bad]
    longer = f"Fit with n_draws={n_longer}, with which chains run longer. "
    meant = "their intervals cannot be trusted, and none of them is called data-driven"
    if which == [LOG_POSTERIOR]:
        meant = "the effects of channels look settled, but something else is not"
    return (
        f"The draws of {which} still depend on where the chains started, or still "
        f"move in one direction: {meant}. {longer if n_longer <= _MANY else ''}"
        f"{_WHAT_TO_DO}"
    )
