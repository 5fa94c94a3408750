"""How near a graph is to the true one.

``[i, j]``: i drives j; the diagonal is ignored.
"""

import numpy as np
from scipy.stats import rankdata


def f1(edges, truth):
    """Return the F1 score of directed edges; 1 if neither graph has any.

    Parameters
    ----------
    edges, truth : ndarray of shape (n_channels, n_channels), bool
    """
    edges, truth = _off_diagonal(edges), _off_diagonal(truth)
    total = edges.sum() + truth.sum()
    return float(2 * (edges & truth).sum() / total) if total else 1.0


def shd(edges, truth):
    """Return the structural Hamming distance: pairs that differ from the truth.

    A pair whose edge is missing, reversed or too many counts once.

    Parameters
    ----------
    edges, truth : ndarray of shape (n_channels, n_channels), bool
    """
    wrong = np.asarray(edges, dtype=bool) != np.asarray(truth, dtype=bool)
    return int(np.triu(wrong | wrong.T, 1).sum())


def auroc(scores, truth):
    """Return the chance that a true edge scores above a false one; ties count half.

    Parameters
    ----------
    scores : ndarray of shape (n_channels, n_channels)
    truth : ndarray of shape (n_channels, n_channels), bool

    Returns
    -------
    auroc : float
        nan if no pair is an edge, or every pair.
    """
    scores, truth = _off_diagonal(scores), _off_diagonal(truth).astype(bool)
    n_true, n_false = truth.sum(), (~truth).sum()
    if not n_true or not n_false:
        return float("nan")
    ranks = rankdata(scores)[truth].sum()
    return float((ranks - n_true * (n_true + 1) / 2) / (n_true * n_false))


def _off_diagonal(matrix):
    matrix = np.asarray(matrix)
    return matrix[~np.eye(len(matrix), dtype=bool)]
