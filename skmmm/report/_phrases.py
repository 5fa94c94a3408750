"""Numbers and names as people write them."""

import numpy as np
from scipy.stats import norm

from skmmm.plotting._style import format_number, unit_of

NAMES = 4  # named in a sentence; the others are counted
_MOST_DECIMALS = 4  # in a table
_SMALLEST = 5e-4  # share that rounds to a tenth of a percent


def number(value):
    """Return a number as people write it, with a dash for none."""
    if not np.isfinite(value):
        return "–"
    return format_number(value) if abs(value) >= 1e-4 or value == 0 else f"{value:.3g}"


def aligned(*values):
    """Return a function that writes the numbers of a column, below each other.

    All get the same unit and the same decimals, at least three digits of the largest
    number and two of the smallest, unless they are too far apart for that.

    Parameters
    ----------
    *values : array-like
        All numbers that the column will hold.

    Returns
    -------
    write : callable
        From a number to a text.
    """
    sizes = np.abs(np.concatenate([np.ravel(v).astype(float) for v in values]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not sizes.size:
        return number
    unit, suffix = unit_of(sizes.max())
    digits = [
        int(np.floor(np.log10(size / unit))) for size in (sizes.max(), sizes.min())
    ]
    decimals = max(0, 2 - digits[0], 1 - digits[1])
    if decimals > _MOST_DECIMALS:
        return number
    return lambda v: f"{v / unit:.{decimals}f}{suffix}" if np.isfinite(v) else "–"


def interval(low, high):
    """Return bounds as people write them, a dash without."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "–"
    return f"{number(low)} to {number(high)}"


def reach_of(level):
    """Return half the width of an interval, in standard deviations."""
    return norm.ppf((1.0 + level) / 2)


def percent(value):
    """Return a share in percent."""
    if not np.isfinite(value):
        return "–"
    if 0 < abs(value) < _SMALLEST:
        return f"< {_SMALLEST:.1%}"
    return f"{value:.0%}" if abs(value) >= 0.095 else f"{value:.1%}"


def name_some(content, names):
    """Return names of channels, quoted, the first few of them."""
    return listed([quote(content, name) for name in names])


def listed(names):
    """Return texts as a list in a sentence, the first few of them."""
    if len(names) > NAMES + 1:
        names = [*names[:NAMES], f"{len(names) - NAMES} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def quote(content, name):
    """Return the name of a channel in quotation marks, at a bearable length."""
    return f"“{content.brief[name]}”"


def unit_of_spend(content):
    """Return what one unit of spend is."""
    return "unit of money" if content.priced else "unit of the column"
