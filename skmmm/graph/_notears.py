"""Channel graph by continuous optimisation: NOTEARS with lags, for comparison.

No search over orders: one smooth function says how cyclic a weight matrix is, and an
optimiser drives it to zero.
"""

import numpy as np
from scipy.linalg import expm
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from skmmm.graph._search import Structure

# L1 per weight and least weight of an edge, of standardised features: best on average
# over nine simulated panels of 20 regions.
PENALTY = 0.05
THRESHOLD = 0.03
# With few rows: this many standard errors of a correlation.
NOISE = 1.5
# Augmented Lagrangian, as published: rho grows tenfold until h has fallen to a quarter.
PROGRESS = 0.25
RHO_FACTOR = 10.0
RHO_MAX = 1e16
H_TOL = 1e-8
MAX_OUTER = 100
MAX_ITER = 1000
# Directions of the unpenalised features with less of their variance are collinear.
COLLINEAR = 1e-10


def notears_edges(
    gram,
    n_rows,
    same,
    lagged,
    always,
    *,
    allowed,
    penalty=None,
    threshold=THRESHOLD,
):
    """Find which channel drives which with DYNOTEARS.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        Cross-products of features of mean zero, summed over rows.
    n_rows : int
    same : ndarray of shape (n_media,), int
        Columns of this period's values.
    lagged : ndarray of shape (n_media, n_lags), int
        Columns of the lag features of each channel. Its own enter a channel's equation
        unpenalised.
    always : ndarray of shape (n_always,), int
        Columns that enter every equation unpenalised.
    allowed : ndarray of shape (n_media, n_media), bool
        False at ``[i, j]``: i may drive j neither in the same period nor later.
    penalty : float, optional
        L1 per weight, with features of unit variance once `always` is taken out. If
        None, 0.05, or what noise alone asks for with few rows, if that is more.
    threshold : float
        Smaller weights are no edges.

    Returns
    -------
    same_edges, lagged_edges : ndarray of shape (n_media, n_media), bool
        ``[i, j]``: i drives j. `same_edges` has no cycles.
    """
    now, late = notears_weights(
        gram, n_rows, same, lagged, always, allowed=allowed, penalty=penalty
    )
    return edges_of(now, late, threshold)


def edges_of(now, late, threshold=THRESHOLD):
    """Return the edges that weights larger than a threshold stand for, without cycles.

    Of a cycle in the same period, the weakest edge goes.

    Parameters
    ----------
    now, late : ndarrays
        As `notears_weights` returns them.
    threshold : float

    Returns
    -------
    same_edges, lagged_edges : ndarray of shape (n_media, n_media), bool
    """
    now = _without_cycles(np.where(np.abs(now) > threshold, now, 0.0))
    return now != 0, (np.abs(late) > threshold).any(axis=2)


def notears_weights(gram, n_rows, same, lagged, always, *, allowed, penalty=None):
    r"""Return the weights behind `notears_edges`, before the threshold.

    With the features of a row, :math:`x_j` of this period and :math:`z_{il}` of the
    past, and the unpenalised ones regressed out, DYNOTEARS [1]_ solves

    .. math::

        \min_{W, A} \frac1{2n} \sum_j \Bigl\| x_j - \sum_i W_{ij} x_i
            - \sum_{i \neq j, l} A_{ijl} z_{il} \Bigr\|^2
            + \lambda (\|W\|_1 + \|A\|_1)
        \quad \text{subject to} \quad
        h(W) = \operatorname{tr} e^{W \circ W} - M = 0,

    where h is zero only if W is acyclic [2]_. The sum of squares needs nothing but
    cross-products, so its cost does not depend on the number of rows.

    Parameters
    ----------
    gram, n_rows, same, lagged, always, allowed, penalty
        As in `notears_edges`.

    Returns
    -------
    now : ndarray of shape (n_media, n_media)
        W. ``[i, j]``: i drives j in the same period.
    late : ndarray of shape (n_media, n_media, n_lags)
        A. ``[i, j, l]``: i drives j through its lag feature l.

    References
    ----------
    .. [1] Pamfil et al. (2020). DYNOTEARS: Structure Learning from Time-Series Data.
       AISTATS. arXiv 2002.00498.
    .. [2] Zheng et al. (2018). DAGs with NO TEARS: Continuous Optimization for
       Structure Learning. NeurIPS. arXiv 1803.01422.
    """
    if penalty is None:
        penalty = default_penalty(n_rows)
    same, lagged = np.asarray(same), np.asarray(lagged)
    n_media, n_lags = lagged.shape
    moments = _moments(np.asarray(gram) / n_rows, same, lagged, np.asarray(always))
    others = np.asarray(allowed, dtype=bool) & ~np.eye(n_media, dtype=bool)
    free = np.concatenate([others, np.repeat(others, n_lags, axis=0)])  # (P, M)
    weights = _solve(moments, free, penalty)
    now, late = weights[:n_media], weights[n_media:]
    return now, late.reshape(n_media, n_lags, n_media).transpose(0, 2, 1)


def default_penalty(n_rows):
    """Return the L1 per weight: what effects ask for, or noise if that is more."""
    return max(PENALTY, NOISE / np.sqrt(n_rows))


def _moments(moment, same, lagged, always):
    """Return the moments each equation sees, shape (n_media, P, P).

    Columns are this period's channels, then the lags of the first channel, of the
    second, and so on, without what `always` and, in equation j, the lags of j explain.
    """
    columns = np.concatenate([same, lagged.ravel()])
    moment = _take_out(moment, columns, always)
    spread = np.sqrt(np.maximum(np.diag(moment), 0.0))
    spread = np.where(spread > 0, spread, 1.0)
    moment = moment / spread / spread[:, None]
    everything = np.arange(len(columns))
    own = len(same) + np.arange(lagged.size).reshape(lagged.shape)
    return np.stack([_take_out(moment, everything, rows) for rows in own])


def _take_out(moment, columns, known):
    """Return the moments of `columns` once `known` are regressed out."""
    known = np.asarray(known, dtype=int)
    inverse = np.linalg.pinv(
        moment[np.ix_(known, known)], rcond=COLLINEAR, hermitian=True
    )
    cross = moment[np.ix_(known, columns)]
    left = moment[np.ix_(columns, columns)] - cross.T @ inverse @ cross
    # What is explained completely leaves nothing but rounding.
    before = np.diag(moment)[columns]
    gone = np.diag(left) <= COLLINEAR * before
    left[gone] = left[:, gone] = 0.0
    return left


def _solve(moments, free, penalty):
    """Minimise under the constraint by an augmented Lagrangian; returns (P, M)."""
    if not free.any():
        return np.zeros(free.shape)
    parts = np.zeros(2 * int(free.sum()))
    rho, multiplier, h = 1.0, 0.0, np.inf
    for _ in range(MAX_OUTER):
        while True:
            new = _minimise(moments, free, penalty, rho, multiplier, parts)
            h_new = _cyclicity(_weights(new, free)[: len(moments)])[0]
            if h_new <= max(PROGRESS * h, H_TOL) or rho >= RHO_MAX:
                break
            rho *= RHO_FACTOR
        parts, h = new, h_new
        multiplier += rho * h
        if h <= H_TOL or rho >= RHO_MAX:
            break
    return _weights(parts, free)


def _minimise(moments, free, penalty, rho, multiplier, start):
    """Minimise for fixed rho and multiplier over positive and negative parts."""
    n_media = len(moments)

    def objective(parts):
        weights = _weights(parts, free)
        loss, slope = _least_squares(moments, weights)
        h, h_slope = _cyclicity(weights[:n_media])
        slope[:n_media] += (rho * h + multiplier) * h_slope
        value = loss + 0.5 * rho * h**2 + multiplier * h + penalty * parts.sum()
        slope = slope[free]
        return value, np.concatenate([slope, -slope]) + penalty

    return minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(start),
        options={"maxiter": MAX_ITER},
    ).x


def _weights(parts, free):
    weights = np.zeros(free.shape)
    positive, negative = np.split(parts, 2)
    weights[free] = positive - negative
    return weights


def _least_squares(moments, weights):
    """Return half the mean squared error, summed over channels, and its gradient."""
    n_media = len(moments)
    channel = np.arange(n_media)
    target = moments[channel, :, channel]  # (M, P)
    fitted = np.matmul(moments, weights.T[:, :, None])[:, :, 0]  # (M, P)
    loss = target[channel, channel].sum() + ((fitted - 2 * target) * weights.T).sum()
    return 0.5 * loss, (fitted - target).T


def _cyclicity(now):
    """Return h (Zheng et al. 2018) and its gradient."""
    walks = expm(now * now)
    return np.trace(walks) - len(now), walks.T * now * 2


def _without_cycles(now):
    """Drop the weakest weight that lies on a cycle until there is no cycle."""
    now = now.copy()
    while True:
        _, part = connected_components(csr_array(now != 0), connection="strong")
        cyclic = (part[:, None] == part) & (now != 0)
        if not cyclic.any():
            return now
        size = np.where(cyclic, np.abs(now), np.inf)
        now[np.unravel_index(size.argmin(), size.shape)] = 0.0


def search_notears(
    gram, n_rows, layout, rules, candidates, *, penalty=None, threshold=THRESHOLD
):
    """Return the `Structure` that `notears_edges` finds, for `fit_channel_graph`.

    Same parameters as `skmmm.graph._search.search`, and penalty and threshold of
    `notears_edges`; the candidates are not used.
    """
    same, late = notears_edges(
        gram,
        n_rows,
        layout.same,
        layout.late,
        layout.always,
        allowed=rules.allowed,
        penalty=penalty,
        threshold=threshold,
    )
    return Structure(same, late | rules.required)
