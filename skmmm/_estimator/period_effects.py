"""What cells of channels and periods cause, where carry-over joins them."""

import numpy as np
from sklearn.utils import Bunch

_PATH_NODES = 12


def period_effects(counterfactual) -> Bunch:
    """Return spend, contribution and returns of every channel and period, (M * P,).

    What a channel causes is divided among its cells by their Aumann-Shapley values
    along the path on which the spend of all channels grows from nothing together [1]_.
    Where effects add up that is the path of each channel alone; what a pair adds or
    takes away belongs to the cells in which both act.

    Parameters
    ----------
    counterfactual : ModelCounterfactual

    References
    ----------
    .. [1] Aumann and Shapley (1974). Values of Non-Atomic Games. Princeton.
    """
    group, names = counterfactual.groups("period")
    one = np.ones((len(counterfactual.channels), len(names)))
    spend = np.zeros_like(one)
    np.add.at(spend.T, group, counterfactual.spend)
    outcome = counterfactual.flights()
    _, slope = outcome(one, np.ones_like)
    nodes, weights = np.polynomial.legendre.leggauss(_PATH_NODES)
    earned = np.zeros_like(one)
    for node, weight in zip(nodes, weights, strict=True):
        earned += weight / 2.0 * outcome((1.0 + node) / 2.0 * one, np.ones_like)[1]
    # What cells must sum to, (M, 1).
    caused = counterfactual.effects().incremental[0].T
    found = earned.sum(axis=1, keepdims=True)
    earned *= np.where(found == 0, 1.0, caused / np.where(found == 0, 1.0, found))
    spent = np.where(spend > 0, spend, np.nan)
    return Bunch(
        spend=spend.ravel(),
        contribution=earned.ravel(),
        roi=(earned / spent).ravel(),
        mroi=(slope / spent).ravel(),
        outcome=caused.sum(),
    )
