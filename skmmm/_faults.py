"""What training rows as a whole have against them.

A KPI that is stuck, typing errors, a minus sign, channels and controls that teach
nothing: the user decides about each, so each is a warning, which says what the fit does
with it.
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
_CLOSE = 0.05  # of what is usual: a step, or a range, that is none
_CHANCE = 0.01  # of a stretch as long, by chance, above which it says nothing


def without_stuck_rows(y, weight, region, period, regions, calendar):
    """Return the weights with those of rows at zero where the KPI is stuck.

    It is where it stands still, or at zero, for so long that chance explains it less
    than once in a hundred tables, given how often it does so in the other rows of its
    region. A region that was closed, or not yet tracked, teaches the model otherwise
    that its channels cause everything.

    Parameters
    ----------
    y, weight : ndarray of shape (n_rows,)
    region : ndarray of shape (n_rows,), int
    period : ndarray of shape (n_rows,), int, or None
        Without periods rows have no order, and only whole regions can be stuck.
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None

    Raises
    ------
    ValueError
        If no row is left.
    """
    order = np.lexsort((y if period is None else period, region))
    order = order[weight[order] > 0]
    codes, starts = np.unique(region[order], return_index=True)
    rows_of = dict(zip(codes, np.split(order, starts[1:]), strict=True))
    usual = _usual_range(y, rows_of)
    left, names = weight.copy(), []
    for code, rows in rows_of.items():
        for start, stop in _stuck_stretches(y[rows], usual):
            if period is None and stop - start < len(rows):
                continue
            stretch = rows[start:stop]
            left[stretch] = 0.0
            ends = None if period is None else period[stretch[[0, -1]]]
            place = _place(regions, code, calendar, ends)
            names.append(f"at {y[stretch[-1]]:g}{place}")
    if not names:
        return weight
    if not left.any():
        raise ValueError(
            f"The KPI is stuck in all training rows, {_listed(names)}, so there is "
            "nothing that media could have changed. Check its column."
        )
    warnings.warn(
        f"The KPI is stuck {_listed(names)}. Nothing is learned from these "
        f"{int((weight > 0).sum() - (left > 0).sum())} rows. Correct them, or leave "
        "them out if a region was closed or not tracked then.",
        UserWarning,
        stacklevel=6,
    )
    return left


def _usual_range(y, rows_of):
    """Return the interquartile range of the KPI over its size, of a typical region."""
    ranges = []
    for rows in rows_of.values():
        low, high = np.quantile(y[rows], [0.25, 0.75])
        if high > low:
            ranges.append((high - low) / np.abs(y[rows]).mean())
    return np.median(ranges) if ranges else 0.0


def _stuck_stretches(y, usual):
    """Return first and one past last row of the stretches in which a KPI is stuck.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Of one region, in order of time.
    usual : float
        Interquartile range over size in a typical region.
    """
    if len(y) < _FEW:
        return []
    step, size = np.abs(np.diff(y)), np.abs(y)
    if np.ptp(y) <= max(_VARIES, _CLOSE * usual) * size.mean():
        return [(0, len(y))]
    moves = step[step > _VARIES * size.mean()]
    close = _CLOSE * np.median(moves) if len(moves) else 0.0
    zero = size <= 0.02 * np.quantile(size, 0.75)
    still = (step <= close) | (zero[1:] & zero[:-1])
    edges = np.flatnonzero(np.diff(np.pad(still.astype(int), 1)))
    found = []
    for first, last in edges.reshape(-1, 2):
        if last - first < _FEW - 1:
            continue
        near = np.abs(y - np.median(y[first : last + 1])) <= close
        near[first : last + 1] = True
        chance = max(
            _expected_runs(len(step), still.sum(), last - first),
            _expected_runs(len(y), near.sum(), last - first + 1),
        )
        if chance < _CHANCE:
            found.append((first, last + 1))
    return found


def _expected_runs(n, n_still, length):
    """Return how many runs of `length` a random order of `n_still` of `n` has."""
    i = np.arange(length)
    return (n - n_still + 1) * np.prod((n_still - i) / (n - i))


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
        place = _place(regions, region, calendar, panel.periods[[period]])
        names.append(f"{panel.y[region, period]:g}{place}")
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


def _place(regions, region, calendar, periods):
    """Return " (region north, 2024-01-01 to 2024-03-04)", as far as there are such."""
    told = [f"region {regions[region]}"] if len(regions) > 1 else []
    if calendar is not None:
        told.append(" to ".join(calendar.label(period) for period in periods))
    return f" ({', '.join(told)})" if told else ""


def _listed(names):
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
