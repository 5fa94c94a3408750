"""KPIs for which the errors of the model are no good description.

Its errors are those of a quantity that moves around a mean well above zero. Small
counts, zeros of regions that were closed, and differences around zero are none. From
where each does harm is measured in ``benchmarks/bench_counts.py``.
"""

import numpy as np

from skmmm._utils.labels import counted

_SMALL = 6.0  # median of cells that are not zero, of counts that are too small
_CLOSED = 0.08  # share of zeros in the rows of a region
_APART = 0.2  # of the median: what nearly all other rows are above
_NEGATIVE = 0.02, 0.9  # share of rows below zero; beyond, it is a KPI of losses
_WELL = 0.05, 0.01  # of the median: so far below zero; in more than this share of rows
_WEEKDAY = 0.8  # share of zeros on a day of the week on which a region is never open
_NAMED = 5  # regions in a message


def on_kind(panel, regions, calendar):
    """Return what to say of the kind of KPI, a list of str.

    Parameters
    ----------
    panel : Panel
        Training rows without those in which the KPI is stuck.
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
        None: rows have no order, and nothing is said.
    """
    if calendar is None:
        return []
    counts = panel.weight > 0
    below = _often_below(panel, counts, calendar.week)
    said = (
        _on_small_counts(panel.y[counts]),
        _on_negative(panel.y, counts, regions, below),
        _on_zeros(panel, counts & ~below[:, None], regions, calendar),
    )
    return [text for text in said if text]


def _on_small_counts(y):
    """Return what to say of a KPI that counts few things, "" of others."""
    if not _are_small_counts(y):
        return ""
    some = y[y != 0]
    return (
        f"The KPI is small whole numbers, {np.median(some):g} in the median of the "
        f"{counted(len(some), 'row')} that are not zero. If it counts events, so few "
        "tell little: effects come out low and near to what was expected beforehand. "
        "Then add up regions or periods, or take a KPI with more events (visits, "
        "leads, revenue). If it is money in thousands or millions, or a mean, give it "
        "with decimals."
    )


def _are_small_counts(y):
    """Return whether values are whole numbers that are small where they are not 0."""
    some = y[y != 0]
    whole = len(some) > 0 and (y >= 0).all() and (y % 1 == 0).all()
    return bool(whole and np.median(some) < _SMALL)


def _on_zeros(panel, counts, regions, calendar):
    """Return what to say of zeros of regions that seem closed, "" of others."""
    names, n_rows = [], 0
    for name, y, seen in zip(regions, panel.y, counts, strict=True):
        zero = seen & (y == 0) & ~_never_open(y, seen, calendar.week)
        some = np.abs(y[seen & (y != 0)])
        few = not len(some) or zero.sum() <= _CLOSED * seen.sum()
        if few or _are_small_counts(y[seen]):  # these may be zero by chance
            continue
        if np.quantile(some, 0.1) > _APART * np.median(some):
            names.append(str(name))
            n_rows += int(zero.sum())
    if not names:
        return ""
    return (
        f"The KPI is exactly zero in {counted(n_rows, 'row')}{_of(names, regions)}, "
        "and well above in others. If regions were closed or not tracked then, media "
        "caused nothing there, which blurs what they cause elsewhere: give these rows "
        "sample_weight 0. Their spend still acts later, and predictions there are "
        "those of open periods."
    )


def _never_open(y, seen, week):
    """Return the periods of a region on whose day of the week it is closed."""
    if week == 1:
        return np.zeros(len(y), dtype=bool)
    # It may still book a few returns.
    closed = seen & (np.abs(y) <= _APART * _typical(y[seen]))
    day = np.arange(len(y)) % week
    n_closed, n_rows = (np.bincount(day[one], minlength=week) for one in (closed, seen))
    return (n_closed >= _WEEKDAY * np.maximum(n_rows, 1))[day]


def _typical(y):
    """Return the median size of values that are not zero, 0 without any."""
    some = np.abs(y[y != 0])
    return float(np.median(some)) if len(some) else 0.0


def _often_below(panel, counts, week):
    """Return the regions whose KPI is well below zero at times, bool."""
    often = np.zeros(len(panel.y), dtype=bool)
    for i, (y, seen) in enumerate(zip(panel.y, counts, strict=True)):
        below = seen & (y < 0)
        low, high = np.asarray(_NEGATIVE) * seen.sum()
        is_loss = below.sum() > high
        below &= ~_never_open(y, seen, week)
        well = below & (y < -_WELL[0] * _typical(y[seen]))
        some = below.sum() > max(low, 2) and well.sum() > _WELL[1] * seen.sum()
        often[i] = some and not is_loss
    return often


def _on_negative(y, counts, regions, often):
    """Return what to say of regions that are `often` below zero, "" without any."""
    if not often.any():
        return ""
    names = [str(region) for region in regions[often]]
    n_below = int((counts & (y < 0))[often].sum())
    return (
        f"The KPI is below zero in {counted(n_below, 'row')}"
        f"{_of(names, regions)}. Effects are expected as shares of its mean, which is "
        "small where something was taken off: they come out low, and intervals hold "
        "less often than they say. If it is profit, or net of returns or costs, fit "
        "what there was before these."
    )


def _of(names, regions):
    """Return " of region north", or "" with one region or all."""
    if len(regions) == 1 or len(names) == len(regions):
        return ""
    more = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f" of region{'s' if len(names) > 1 else ''} {listed}"
