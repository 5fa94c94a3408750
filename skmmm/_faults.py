"""What training rows as a whole have against them.

Constant regions, typing errors, a minus sign, channels and controls that teach nothing:
the user decides about each, so each is a warning, which says what the fit does with it.
"""

import warnings

import numpy as np

from skmmm import _checks

_NO_SPEND = (
    "no spend in any training row. The effect stays what was expected beforehand, at "
    "spend as usual in the other channels. Leave such channels out of media, or tell "
    "what is known of them with the parameter priors."
)
_STEADY_SPEND = (
    "spend that hardly moves in any region. The effect cannot be told from the "
    "baseline. Leave such channels out of media, or tell what is known of them with "
    "the parameter priors."
)
_STILL = (
    "the same value in every training row. Such controls teach nothing and are left "
    "out: they contribute nothing, also where they move later."
)
_NAMED = 5  # examples in a message
_FEW = 8  # rows of a region below which they may be the same by chance
_LOSS = 0.9  # share of rows below zero from which a KPI is one of losses
_VARIES = 1e-6  # of its size: a KPI that varies by less is constant


def without_constant_regions(y, weight, region, regions):
    """Return the weights with those of regions whose KPI never changes at zero.

    Parameters
    ----------
    y, weight : ndarray of shape (n_rows,)
    region : ndarray of shape (n_rows,), int
    regions : ndarray of shape (n_regions,)

    Raises
    ------
    ValueError
        If no region is left.
    """
    constant = {}
    for code in np.unique(region[weight > 0]):
        own = y[(region == code) & (weight > 0)]
        if len(own) >= _FEW and np.ptp(own) <= _VARIES * np.abs(own).max():
            constant[code] = own[0]
    if not constant:
        return weight
    left = np.where(np.isin(region, list(constant)), 0.0, weight)
    if not left.any():
        raise ValueError(
            f"The KPI is the same ({next(iter(constant.values())):g}) in all training "
            "rows, so there is nothing that media could have changed. Check its column."
        )
    names = [f"{regions[code]!s} ({value:g})" for code, value in constant.items()]
    warnings.warn(
        f"The KPI never changes in {_listed(names)}. Nothing is learned from the rows "
        "of such a region. Correct its KPI, or leave the region out.",
        UserWarning,
        stacklevel=6,
    )
    return left


def warn_of_outliers(outliers, panel, regions, calendar):
    """Warn of values that can hardly be right.

    Parameters
    ----------
    outliers : ndarray of shape (n_regions, n_periods)
        As `skmmm._scales.gross_outliers` returned them.
    panel : Panel
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    """
    if not outliers.any():
        return
    order = np.argsort(-outliers, axis=None, kind="stable")[: (outliers > 0).sum()]
    names = []
    for region, period in np.transpose(np.unravel_index(order, outliers.shape)):
        where = f"region {regions[region]}"
        if calendar is not None:
            where += f", {calendar.label(panel.periods[period])}"
        names.append(f"{panel.y[region, period]:g} ({where})")
    warnings.warn(
        f"The KPI can hardly be right in {len(names)} row(s): {_listed(names)}. They "
        "count for little in the fit. Correct them or leave them out; if they are "
        "right, add a control that says what happened then.",
        UserWarning,
        stacklevel=6,
    )


def is_loss(y, weight):
    """Return whether the KPI is negative nearly throughout, and warn if it is."""
    if (weight * (y < 0)).sum() <= _LOSS * weight.sum():
        return False
    warnings.warn(
        "The KPI is negative nearly throughout, so it is open whether media raise or "
        "lower it: the effect of every channel may have either sign. If less is "
        "better, change the sign of the KPI; if it is a profit, fit revenue instead.",
        UserWarning,
        stacklevel=6,
    )
    return True


def warn_of_not_learned(panel, columns):
    """Warn of channels and controls from which training rows teach nothing.

    Parameters
    ----------
    panel : Panel
    columns : Columns
    """
    counts = panel.weight > 0
    reason = _checks.why_not_learned(panel.media, counts)
    still = np.isfinite(_checks.still_value(panel.controls[counts]))
    for labels, which, consequence in (
        (columns.media, reason == "zero", _NO_SPEND),
        (columns.media, reason == "steady", _STEADY_SPEND),
        (columns.controls, still, _STILL),
    ):
        if which.any():
            names = [c for c, w in zip(labels, which, strict=True) if w]
            warnings.warn(
                f"{_checks.in_words(names)}: {consequence}", UserWarning, stacklevel=5
            )


def _listed(names):
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
