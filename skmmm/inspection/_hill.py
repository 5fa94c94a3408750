"""The Hill curve through points of a response curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import least_squares
from sklearn.isotonic import isotonic_regression
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skmmm._utils.curves import hill
from skmmm._utils.typing import Array, Column
from skmmm._utils.warnings import warn_user

_FEWEST = 4  # levels of spend above zero, for three unknowns
_HALVES = (1e-3, 1e3)  # of the largest spend: where half saturation is looked for
_SLOPES = (0.1, 20.0)
_N_STARTS = 3  # of the points of a grid, those that fit best
_AT_ZERO = 0.05  # of the largest response: more is none of spend
_FALLING = 0.1  # of the largest response: more is no noise around a rising curve
_DROP = 0.05, 2.0  # of the largest response, and of the misfit: a fall at the end
_FAR = 0.25  # of the largest response, reached at the least spend


def fit_hill(
    spend: npt.ArrayLike,
    response: npt.ArrayLike,
    channel: Column | npt.ArrayLike,
) -> pd.DataFrame:
    """Fit a Hill curve to points of a response curve, channel by channel.

    The points may come from `response_curve`, from another tool or from an agency.
    What is fitted, by least squares, is

    .. math::

        m \\frac{x^s}{x^s + k^s}

    with `maximum` m, `half_saturation` k and `slope` s [1]_. Units of spend and
    response do not matter.

    Parameters
    ----------
    spend : array-like of shape (n_points,)
        Not negative.
    response : array-like of shape (n_points,)
        What that spend causes, against no spend: without a baseline.
    channel : str, int or array-like of shape (n_points,)
        Channel of all points, or of each.

    Returns
    -------
    curves : DataFrame indexed by channel, in the order of their first points
        - ``maximum``: response that is approached, in the units of `response`;
        - ``half_saturation``: spend at which half of it is reached; ``slope``, without
          unit: up to 1 the curve is concave, above 1 S-shaped;
        - ``observed_until``: largest spend of the points. If these were drawn beyond
          what was observed, as those of `response_curve` are by default, put its
          ``observed_until`` here;
        - ``max_misfit``, ``rms_misfit``: largest and root mean squared difference
          between curve and points, as shares of the largest response;
        - ``note``: what the points do not tell, else "". "half saturation beyond the
          data" and "half saturation below the data": within the points the curve is as
          good as its misfits say, but half saturation and maximum are extrapolated.
          "no saturation in the data" and "slope at the end of the search": these
          parameters could be anything beyond. "no points near zero spend": there are
          none without spend, and at the least spend a quarter of the largest response
          is reached, so that a baseline in the points would pass for effect; a point
          without spend tells. "response falls at the end", by more than a twentieth of
          the largest and twice the root mean squared misfit: the curve goes on
          level where the points fall. Several are joined by "; ".

    Warns
    -----
    UserWarning
        If there is a note; it names the channels.

    Raises
    ------
    ValueError
        If a channel has fewer than four levels of spend above zero, points without
        spend whose mean response is more than a twentieth of the largest, or a response
        that falls with spend (its points are a tenth of the largest away from any
        rising curve, root mean square), or if a number is missing.

    See Also
    --------
    skmmm.allocation.GivenCurves : Plan a budget with such curves.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skmmm.inspection import fit_hill
    >>> spend = np.array([0.0, 1e5, 2e5, 4e5, 8e5])
    >>> curves = fit_hill(spend, 3e6 * spend / (spend + 2e5), channel="tv")
    >>> curves[["maximum", "half_saturation", "slope", "note"]].round(3)
             maximum  half_saturation  slope note
    channel
    tv     3000000.0         200000.0    1.0
    """
    points, names = _read_points(spend, response, channel)
    rows = [_fit_one(name, *points[code]) for code, name in enumerate(names)]
    curves = pd.DataFrame(rows, index=pd.Index(names, name="channel"))
    for note, noted in curves[curves["note"] != ""].groupby("note", sort=False):
        warn_user(
            f"fit_hill: {note}, of {list(noted.index)}. Their curves hold within the "
            "points given, up to observed_until; give points of more (or less) spend "
            "to know more."
        )
    return curves


def _read_points(spend, response, channel):
    """Return spend and response of each channel, and the channels."""
    x, y = (
        check_array(
            column_or_1d(values), ensure_2d=False, dtype=np.float64, input_name=name
        )
        for name, values in (("spend", spend), ("response", response))
    )
    of_all = np.ndim(channel) == 0
    labels = np.full(len(x), channel) if of_all else np.asarray(channel)
    check_consistent_length(x, y, labels)
    code, names = pd.factorize(column_or_1d(labels))
    if (code < 0).any():
        raise ValueError(f"channel is missing in row {np.argmax(code < 0)}.")
    names = names.tolist()
    negative = np.flatnonzero(x < 0)
    if len(negative):
        i = negative[0]
        raise ValueError(f"spend of channel {names[code[i]]!r} is negative: {x[i]:g}.")
    return [(x[code == c], y[code == c]) for c in range(len(names))], names


def _fit_one(name: Any, spend: Array, response: Array) -> dict[str, Any]:
    """Return the curve of one channel, a row of the table."""
    _check_levels(name, spend)
    largest, top = spend.max(), np.abs(response).max()
    if not response.max() > 0:
        raise ValueError(f"No response of channel {name!r} is above zero.")
    x, y = spend / largest, response / top
    _check_rising(name, x, y)

    def level(parameters):
        share = hill(x, *np.exp(parameters))
        return share, (share @ y) / (share @ share)

    def misfit(parameters):
        share, maximum = level(parameters)
        return maximum * share - y

    ends = np.log(np.column_stack([_HALVES, _SLOPES]))
    starts = [
        np.log([half, slope])
        for half in np.geomspace(1e-2, 1e2, 9)
        for slope in (0.5, 1.0, 2.0, 4.0, 8.0)
    ]
    starts.sort(key=lambda start: np.sum(misfit(start) ** 2))
    exact = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14, "jac": "3-point"}
    found = [least_squares(misfit, s, bounds=ends, **exact) for s in starts[:_N_STARTS]]
    best = min(found, key=lambda one: one.cost)
    off = np.abs(best.fun)
    if 2.0 * best.cost >= (1.0 - 1e-6) * np.sum((y - y.mean()) ** 2):
        raise ValueError(
            f"The response of channel {name!r} does not rise with spend: a constant "
            "fits its points as well as a curve. Give points of less spend."
        )
    half, slope = np.exp(best.x)
    rms = np.sqrt(np.mean(off**2))
    notes = [_note(half, slope, x[x > 0].min()), *_notes_of_points(x, y, rms)]
    return {
        "maximum": level(best.x)[1] * top,
        "half_saturation": half * largest,
        "slope": slope,
        "observed_until": largest,
        "max_misfit": off.max(),
        "rms_misfit": rms,
        "note": "; ".join(note for note in notes if note),
    }


def _check_levels(name, spend):
    """Raise if there are too few different levels of spend above zero."""
    n_levels = len(np.unique(spend[spend > 0]))
    if n_levels < _FEWEST:
        raise ValueError(
            f"Channel {name!r} has {n_levels} levels of spend above zero; a Hill curve "
            f"takes at least {_FEWEST}."
        )


def _check_rising(name, x, y):
    """Raise if a curve, in shares of its largest values, does not rise from zero."""
    at_zero = y[x == 0]
    share = at_zero.mean() if len(at_zero) else 0.0
    if np.abs(share) > _AT_ZERO:
        raise ValueError(
            f"The response of channel {name!r} without spend is {share:.0%} of the "
            "largest on average. A Hill curve starts at zero: subtract what is there "
            "without spend."
        )
    in_order = y[np.lexsort((y, x))]
    fall = np.sqrt(np.mean((in_order - isotonic_regression(in_order)) ** 2))
    if fall > _FALLING:
        raise ValueError(
            f"The response of channel {name!r} falls with spend: its points are "
            f"{fall:.0%} of the largest away from any rising curve (root mean "
            "square). A Hill curve only rises."
        )


def _notes_of_points(x, y, rms):
    """Return what is odd of points, in shares of their largest values."""
    notes = []
    if (x > 0).all() and y[x == x.min()].mean() > _FAR:
        notes.append("no points near zero spend")
    if _drop(x, y) > max(_DROP[0], _DROP[1] * rms):
        notes.append("response falls at the end")
    return notes


def _drop(x, y):
    """Return by how much the last points that no rising curve tells apart fall."""
    in_order = y[np.lexsort((y, x))]
    level = isotonic_regression(in_order)
    last = in_order[level == level[-1]]
    half = len(last) // 2
    return last[:half].mean() - last[-half:].mean() if half else 0.0


def _note(half, slope, least):
    """Return what points up to 1 do not tell, "" if they tell all."""
    if half > 0.99 * _HALVES[1]:
        return "no saturation in the data"
    if half > 1.0:
        return "half saturation beyond the data"
    if half < least:
        return "half saturation below the data"
    if not 1.01 * _SLOPES[0] < slope < 0.99 * _SLOPES[1]:
        return "slope at the end of the search"
    return ""
