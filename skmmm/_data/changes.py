"""How an experiment changed spend, as arrays: what X does not show of it."""

import numpy as np

_NEXT_UNIT = 0.01  # share by which spend grows in the return on the next unit
_NO_SPEND = "X shows no spend of its media in its window and regions."
# By whether the channel went dark.
_WHAT_TO_SAY = {
    False: "Say the change in spend_change.",
    True: "If that is because it was dark, X shows the spend with the change: write "
    'observed="treated" and, instead of change, in spend_change the money that would '
    "have been spent, below zero.",
}


def worth_of(one, cost):
    """Return the cost of a unit of each channel, as far as money is spoken of."""
    worth = cost[one.channels]
    if np.isfinite(worth).all():
        return worth
    in_money = one.measure != "outcome" or np.isfinite([one.spend_change, one.spend])
    if np.any(in_money):
        raise ValueError(
            f"{one.name} speaks of money, but what a unit of its media costs is not "
            "known. Say it in media_cost (1 if the column is money)."
        )
    return np.ones(len(worth))


def other_spend(one, shown, worth):
    """Return the spend of the window that X does not show.

    Parameters
    ----------
    shown : ndarray of shape (R', C, n_periods)
    worth : ndarray of shape (R', C)
        Money (or units) of typical spend.
    """
    money = shown * worth[..., None]
    if one.measure == "mroi":
        if not money.any():
            raise ValueError(f"{one.name}: {_NO_SPEND}")
        return shown * (1.0 - _NEXT_UNIT if one.treated else 1.0 + _NEXT_UNIT)
    if np.isfinite(one.change):
        if not money.any():
            raise ValueError(f"{one.name}: {_NO_SPEND} {_WHAT_TO_SAY[one.change == 0]}")
        return shown / one.change if one.treated else shown * one.change
    added = -one.spend_change if one.treated else one.spend_change
    # Taken away in proportion to what is spent, added to what is typical.
    less = added < 0 and money.any()
    share = money if less else np.broadcast_to(worth[..., None], shown.shape)
    other = shown + added * share / share.sum() / worth[..., None]
    if (other < -1e-9 * np.abs(added)).any():
        raise ValueError(
            f"{one.name} takes {abs(one.spend_change):g} away, more than the "
            f"{money.sum():g} that X shows in its window and regions. Check "
            "spend_change, and observed: whether X shows the spend with the change."
        )
    return np.maximum(other, 0.0)


def in_units(one, money):
    """Return what a value is divided by, the estimate, and its two standard errors.

    A cost per outcome is the money over the outcome, so that the outcome is what is
    compared; its errors follow by the delta method.
    """
    errors = one.std_error, one.bias_sd
    if one.measure == "outcome":
        return 1.0, one.estimate, errors
    if one.measure == "cost_per_outcome":
        outcome = money / one.estimate
        slope = abs(outcome / one.estimate)
        return 1.0, outcome, tuple(slope * error for error in errors)
    return money, one.estimate, errors
