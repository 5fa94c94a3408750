"""Hidden local demand: what moves several budgets of a region in the same period.

Planners react to demand that only they see. It makes their budgets move together and
looks like edges. Where one hidden movement per region drives many channels, it can be
told from edges: it leaves a common pattern in the innovations of all channels, in all
regions, that no sparse set of edges explains as well.
"""

from dataclasses import dataclass

import numpy as np

from skmmm.graph._features import with_column
from skmmm.graph._search import edge_penalties, find_candidates, fit_equation

N_ROUNDS = 30
# Least noise, of unit variance: what does not move has no say.
LEAST_NOISE = 1e-9
# EM has settled when no loading moves by more.
TOLERANCE = 1e-3
N_FACTOR_STEPS = 200
MAX_PERSISTENCE = 0.95
# With fewer channels a common cause cannot be told from edges.
MIN_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class Explanation:
    """A graph, with or without hidden demand, and how well it explains spend.

    Attributes
    ----------
    features : Features
        With a column for hidden demand if there is one.
    extra : ndarray of shape (n_columns,)
        To be added to the diagonal of the cross-products: what is unknown of demand.
    structure : Structure
    score : float
        The lower, the better.
    loading : ndarray of shape (n_media,) or None
        Standard deviations of spend's innovation per one of hidden demand.
    """

    features: object
    extra: np.ndarray
    structure: object
    score: float
    loading: np.ndarray | None

    @property
    def gram(self):
        """Cross-products of all rows."""
        return total_gram(self.features) + np.diag(self.extra)


def explain(features, rules, find):
    """Return the better `Explanation`: without hidden demand, or with it.

    Parameters
    ----------
    features : Features
    rules : Rules
    find : callable
        Searches a structure, like `skmmm.graph._search.search`.

    Returns
    -------
    explanations : list of Explanation
        The better one; with one region both, the better one first: hidden demand and
        edges are then hard to tell apart, and what is believed must hold in both.
    """
    plain = _without_demand(features, rules, find)
    if features.layout.n_media < MIN_CHANNELS:
        return [plain]
    hidden = _with_demand(features, rules, find)
    both = sorted([plain, hidden], key=lambda found: found.score)
    return both if features.rows.any(axis=1).sum() == 1 else both[:1]


def total_gram(features):
    """Return the cross-products of all rows that count."""
    rows = features.values.reshape(-1, features.values.shape[2])
    return rows.T @ rows


def _without_demand(features, rules, find):
    layout, n_rows = features.layout, features.n_rows
    gram = total_gram(features)
    structure = _searched(gram, features, rules, find)
    score = _edge_cost(structure, features, rules)
    for j in range(layout.n_media):
        _, _, rss = fit_equation(gram, layout, structure, j)
        noise = max(rss / features.rows.sum(), LEAST_NOISE)
        score += n_rows * (np.log(noise) + 1.0)
    return Explanation(features, np.zeros(len(gram)), structure, score, None)


def _with_demand(features, rules, find):
    r"""Return the explanation with one hidden demand, by structural EM [1]_.

    Innovations of spend are :math:`e_{rtj} = \lambda_j g_{rt} + \varepsilon_{rtj}` with
    :math:`g_{rt} = \phi g_{r,t-1} + \eta_{rt}`. Given edges and loadings, the mean and
    variance of g follow from all channels and neighbouring periods; given them, g is
    one more column of every equation, its cross-product with itself raised by what is
    unknown of it, and edges are searched as before.

    References
    ----------
    .. [1] Friedman (1998). The Bayesian Structural EM Algorithm. UAI. On graphs with
       hidden causes of many variables: Chandrasekaran, Parrilo, Willsky (2012), Latent
       Variable Graphical Model Selection via Convex Optimization, Annals of Statistics
       40.
    """
    layout, n_cells = features.layout, int(features.rows.sum())
    innovations = _reduced_form(features)
    loading, noise = _factor(_covariance(innovations, n_cells))
    persistence, spend = 0.3, total_gram(features)
    extended = with_column(features, np.zeros(features.rows.shape))
    for _ in range(N_ROUNDS):
        demand, unknown, persistence = _expect(
            innovations, loading, noise, persistence, features.rows
        )
        extra = np.zeros(len(spend) + 1)
        extra[-1] = n_cells * unknown
        gram = _bordered(spend, features, demand) + np.diag(extra)
        structure = _searched(gram, extended, rules, find)
        before = loading
        innovations, loading, noise = _maximise(extended, gram, structure)
        if np.abs(loading - before).max() < TOLERANCE:
            break
    extended.values[..., -1] = demand
    score = _edge_cost(structure, features, rules)
    # A loading costs what an edge costs.
    score += layout.n_media * edge_penalties(features.n_rows, layout, rules)[0]
    common = np.outer(loading, loading) + np.diag(noise)
    seen = _covariance(innovations, n_cells)
    score += features.n_rows * (
        np.linalg.slogdet(common)[1] + np.trace(np.linalg.solve(common, seen))
    )
    worth = _persistence_gain(innovations, loading, noise, persistence, features.rows)
    score += worth * features.n_rows / n_cells
    return Explanation(extended, extra, structure, score, loading)


def _bordered(gram, features, demand):
    """Return cross-products with those of demand, the last column."""
    flat = features.values.reshape(-1, len(gram))
    products = np.append(flat.T @ demand.ravel(), (demand**2).sum())
    return np.block([[gram, products[:-1, None]], [products]])


def _searched(gram, features, rules, find):
    layout, n_rows = features.layout, features.n_rows
    candidates = find_candidates(gram, n_rows, layout, rules)
    return find(gram, n_rows, layout, rules, candidates)


def _edge_cost(structure, features, rules):
    one, several = edge_penalties(features.n_rows, features.layout, rules)
    return one * structure.same.sum() + several * structure.late.sum()


def _reduced_form(features):
    """Return what the past of all channels does not explain, (R, T, n_media)."""
    layout, values = features.layout, features.values
    rest = np.concatenate([layout.late.ravel(), layout.always])
    gram = total_gram(features)
    coef = np.linalg.pinv(gram[np.ix_(rest, rest)], hermitian=True)
    coef = coef @ gram[np.ix_(rest, layout.same)]
    return values[..., layout.same] - values[..., rest] @ coef


def _covariance(innovations, n_cells):
    flat = innovations.reshape(-1, innovations.shape[2])
    return flat.T @ flat / n_cells


def _factor(covariance):
    """Return loadings and noise of one factor by EM (Rubin, Thayer 1982)."""
    size = np.maximum(np.diag(covariance), 1e-12)
    variance, direction = np.linalg.eigh(covariance)
    loading = direction[:, -1] * np.sqrt(0.5 * max(variance[-1], 0.0))
    noise = np.maximum(size - loading**2, 0.05 * size)
    for _ in range(N_FACTOR_STEPS):
        weight = loading / noise
        unknown = 1.0 / (1.0 + weight @ loading)
        seen = covariance @ (weight * unknown)
        loading = seen / (unknown + unknown * weight @ seen)
        noise = np.maximum(size - loading * seen, 1e-3 * size)
    return loading, noise


def _expect(innovations, loading, noise, persistence, rows):
    """Return mean, variance and persistence of demand given all innovations.

    Demand has unit variance; the weighted mean of a cell's innovations is what the cell
    tells of it, and neighbouring periods of the region help (Kalman smoothing, here as
    one matrix for all regions).
    """
    weight = loading / noise
    precision = max(float(weight @ loading), 1e-12)
    periods = rows.any(axis=0)
    told = (innovations @ weight / precision)[:, periods]
    n_periods = told.shape[1]
    apart = np.abs(np.subtract.outer(np.arange(n_periods), np.arange(n_periods)))
    prior = persistence**apart
    gain = np.linalg.solve(prior + np.eye(n_periods) / precision, prior)
    # Of the posterior covariance, prior - prior @ gain, the diagonal and the next one.
    variance = np.diag(prior) - (prior * gain).sum(axis=0)
    beside = np.diag(prior, 1) - (prior[:, :-1] * gain[:, 1:]).sum(axis=0)
    demand = np.zeros(rows.shape)
    demand[:, periods] = told @ gain
    demand = demand * rows
    unknown = float(variance.mean())
    square = (demand**2).sum() / max(int(rows.sum()), 1) + unknown
    n_pairs = max(int((rows[:, 1:] & rows[:, :-1]).sum()), 1)
    product = (demand[:, 1:] * demand[:, :-1]).sum() / n_pairs
    product += float(beside.mean())
    persistence = float(np.clip(product / square, 0.0, MAX_PERSISTENCE))
    size = np.sqrt(square)
    return demand / size, unknown / square, persistence


def _persistence_gain(innovations, loading, noise, persistence, rows):
    """Return what demand's persistence does to the score, beside none.

    All that periods say of each other is in the weighted means of their innovations.
    """
    weight = loading / noise
    precision = max(float(weight @ loading), 1e-12)
    periods = rows.any(axis=0)
    told = (innovations @ weight / precision)[:, periods]
    n_regions, n_periods = int(rows.any(axis=1).sum()), told.shape[1]
    apart = np.abs(np.subtract.outer(np.arange(n_periods), np.arange(n_periods)))
    alone = 1.0 + 1.0 / precision
    joint = persistence**apart + np.eye(n_periods) / precision
    misfit = np.trace(np.linalg.solve(joint, told.T @ told)) - (told**2).sum() / alone
    size = np.linalg.slogdet(joint)[1] - n_periods * np.log(alone)
    return misfit + n_regions * size


def _maximise(features, gram, structure):
    """Return innovations with demand left in, its loadings and the noise."""
    layout = features.layout
    left, noise = np.zeros((len(gram), layout.n_media)), np.empty(layout.n_media)
    for j in range(layout.n_media):
        columns, coef, rss = fit_equation(gram, layout, structure, j)
        left[columns, j] = -coef
        left[layout.same[j], j] = 1.0
        noise[j] = rss / features.rows.sum()
    loading = -left[-1]
    left[-1] = 0.0
    return features.values @ left, loading, np.maximum(noise, LEAST_NOISE)
