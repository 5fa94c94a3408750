"""Retail months: four, four and five weeks in any order, and a 53rd week at times."""

from dataclasses import dataclass

import numpy as np

_ORDERS = ((4, 4, 5), (4, 5, 4), (5, 4, 4))
_QUARTER = 13  # weeks
# Years of 53 weeks are five or six years apart.
_APART = 48  # months
_MOST_LATER = 3  # weeks; beyond them, orders can be mistaken for each other


@dataclass(frozen=True)
class RetailMonths:
    """Months of whole weeks, in a pattern that returns every quarter.

    Attributes
    ----------
    weeks : tuple of int, of length 3
        Of the first months.
    longer : tuple of int
        Ordinals of the known months that have one week more.
    n_known : int
        Months of the training data: weeks are added to later ones only.
    """

    weeks: tuple
    longer: tuple
    n_known: int

    def start(self, ordinal):
        """Return weeks from the beginning of month 0 to that of others."""
        quarter, place = np.divmod(np.asarray(ordinal, dtype=np.int64), 3)
        before = np.searchsorted(self.longer, ordinal)
        return _QUARTER * quarter + _begins(self.weeks)[place] + before

    def month_of(self, week):
        """Return the month that holds each week, counted from month 0."""
        week = np.asarray(week, dtype=np.int64)
        # One before and three after what months of a mean length would be.
        near = week[..., None] * 3 // _QUARTER + np.arange(-2 - len(self.longer), 3)
        begun = self.start(near) <= week[..., None]
        return near[..., 0] + begun.sum(axis=-1) - 1

    def month_that_begins(self, week):
        """Return the month that begins with each week, and which weeks begin none.

        After the known months, all may begin one week later from some month on, for a
        53rd week that was not known.

        Returns
        -------
        ordinal : ndarray of shape (n,), int
        off : ndarray of shape (n,), bool
        """
        ordinal = self.month_of(week)
        late = week - self.start(ordinal)
        off = late > 0
        coming = off & (week >= self.start(self.n_known)) & (late <= _MOST_LATER)
        later = week >= self.start(self.n_known)
        order = np.argsort(week[later], kind="stable")
        steps = np.diff(late[later][order])
        if not ((steps == 0) | (steps == 1)).all():
            return ordinal, off
        return ordinal, off & ~coming


def read_retail_months(days):
    """Return the retail months that begin on these days, None if there are none such.

    Parameters
    ----------
    days : ndarray of shape (n,), int
        First days of months, distinct and sorted; some may be missing.

    Returns
    -------
    months : RetailMonths or None
        Of the orders that are possible, the one with the fewest 53rd weeks.
    """
    gaps = np.diff(days)
    if (gaps % 7).any() or gaps.min() != 28 or 35 not in gaps:
        return None
    weeks = (days - days[0]) // 7
    read = [_read_order(weeks, order) for order in _ORDERS]
    found = [months for months in read if months is not None]
    return min(found, key=lambda months: len(months.longer), default=None)


def _read_order(weeks, order):
    """Return the retail months of an order, None if they are not such."""
    begins = _begins(order)
    ordinal, late = np.empty((2, len(weeks)), dtype=np.int64)
    added = 0
    for i, week in enumerate(weeks):
        for more in (0, 1):
            quarter, rest = divmod(int(week) - added - more, _QUARTER)
            if rest in begins:
                break
        else:
            return None
        added += more
        ordinal[i], late[i] = 3 * quarter + np.searchsorted(begins, rest), added
    # A week is added to the last month before months begin later.
    longer = ordinal[1:][np.diff(late) > 0] - 1
    if (np.diff(longer) < _APART).any():
        return None
    return RetailMonths(order, tuple(longer.tolist()), int(ordinal[-1]) + 1)


def _begins(order):
    return np.array([0, order[0], order[0] + order[1]])
