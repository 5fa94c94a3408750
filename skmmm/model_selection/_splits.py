"""Splits of a panel forward in time and across regions, whatever the row order."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import as_frame, region_values, resolve_column
from skmmm._utils.typing import Column, Seed, Table

Positions: TypeAlias = npt.NDArray[np.int64]


class _PanelSplit(BaseCrossValidator):
    """Splits by a column of X, or by groups if no column is named.

    Subclasses write `_splits(X, groups)`.
    """

    # With metadata routing, groups reach `split` where the user passes them.
    __metadata_request__split = {"groups": True}

    def _column(self, X, groups, role):
        """Return the column that decides, as a Series, and its name."""
        key = getattr(self, role)
        if key is not None:
            frame = as_frame(X)
            label = resolve_column(frame, key, role)
            return frame[label], label
        if groups is None:
            raise ValueError(
                f"{type(self).__name__} needs the {role} of every row: name its column "
                f"in X ({role}=...), or pass groups."
            )
        if not isinstance(groups, pd.Series):
            groups = pd.Series(column_or_1d(np.asarray(groups)))
        return groups, "groups"

    def split(
        self, X: Table, y: object = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Generate positions of training and test rows.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table, rows in any order.
        y : array-like of shape (n_samples,), default=None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Period (:class:`PanelTimeSeriesSplit`) or region (:class:`LeaveRegionsOut`)
            of each row; ignored if a column is named.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Positions of the training rows, increasing.
        test : ndarray of shape (n_test,)
            Positions of the test rows, increasing.

        Raises
        ------
        ValueError
            If X has too few periods or regions, or nothing says which one a row is
            about.
        """
        yield from self._splits(X, groups)

    def get_n_splits(
        self, X: object = None, y: object = None, groups: object = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits


def check_integer(value, name, minimum):
    """Return a value, or raise if it is not an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}: {value!r}.")
    return value


class PanelTimeSeriesSplit(_PanelSplit):
    """Train on the first periods of a panel and test on those that follow.

    Where :class:`~sklearn.model_selection.TimeSeriesSplit` counts rows, this counts
    periods: all regions of a week are on the same side, whatever the order of the rows.
    The training window grows from split to split, the last test block ends with the
    last period, and blocks do not overlap. This is evaluation over rolling forecast
    origins [1]_.

    Parameters
    ----------
    n_splits : int, default=4
        Number of splits.
    test_size : int, default=13
        Periods per test block.
    gap : int, default=0
        Periods left out between training and test. Models that carry spend over do not
        know what was spent in them, and may refuse.
    max_train_size : int, default=None
        Most periods in a training window, the latest ones; None for all.
    region : str or int, default=None
        Name or position of the region column in X, within which the length of a period
        is read. None: one series, or regions with the same periods.
    time : str or int, default=None
        Name or position of the time column in X. None: the periods are passed as
        `groups`.

    See Also
    --------
    LeaveRegionsOut : Test on regions that training has not seen.
    skmmm.metrics.rolling_skill : Compare models with a naive forecast over such splits.

    Notes
    -----
    Periods are the distinct times in X, which follow a weekly, daily or monthly grid or
    are integers.

    References
    ----------
    .. [1] Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy: an
       analysis and review. International Journal of Forecasting 16, 437-450.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.model_selection import PanelTimeSeriesSplit
    >>> X = pd.DataFrame(
    ...     {"region": ["A"] * 4 + ["B"] * 4, "week": [1, 2, 3, 4, 1, 2, 3, 4]}
    ... )
    >>> cv = PanelTimeSeriesSplit(n_splits=2, test_size=1, time="week")
    >>> for train, test in cv.split(X):
    ...     print(train, test)
    [0 1 4 5] [2 6]
    [0 1 2 4 5 6] [3 7]
    """

    def __init__(
        self,
        n_splits: int = 4,
        *,
        test_size: int = 13,
        gap: int = 0,
        max_train_size: int | None = None,
        region: Column | None = None,
        time: Column | None = None,
    ):
        self.n_splits = check_integer(n_splits, "n_splits", 1)
        self.test_size = check_integer(test_size, "test_size", 1)
        self.gap = check_integer(gap, "gap", 0)
        if max_train_size is not None:
            check_integer(max_train_size, "max_train_size", 1)
        self.max_train_size = max_train_size
        self.region = region
        self.time = time

    def _splits(self, X, groups):
        column, label = self._column(X, groups, "time")
        region = None
        if self.region is not None:
            frame = as_frame(X)
            region = region_values(frame, resolve_column(frame, self.region, "region"))
        ordinal = infer_calendar(column, label, region).ordinals(column, label)
        distinct, period = np.unique(ordinal, return_inverse=True)
        needed = self.n_splits * self.test_size + self.gap + 1
        if len(distinct) < needed:
            raise ValueError(
                f"X has {len(distinct)} periods, but {self.n_splits} test blocks of "
                f"{self.test_size} periods, a gap of {self.gap} and one period to "
                f"train on need {needed}."
            )
        for blocks_left in range(self.n_splits, 0, -1):
            start = len(distinct) - blocks_left * self.test_size
            end = start - self.gap
            begin = 0 if self.max_train_size is None else end - self.max_train_size
            train = (period >= begin) & (period < end)
            test = (period >= start) & (period < start + self.test_size)
            yield np.flatnonzero(train), np.flatnonzero(test)


class LeaveRegionsOut(_PanelSplit):
    """Test on whole regions that training has not seen.

    Every region is in one test set. Measures how well a model predicts a new
    region, which is not how well it forecasts [1]_.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits; at most the number of regions, which leaves out one at a time.
    region : str or int, default=None
        Name or position of the region column in X. None: the regions are passed as
        `groups`.
    shuffle : bool, default=True
        Whether to assign regions to splits at random, or in sorted order.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same splits at every call. Only used if `shuffle` is True.

    See Also
    --------
    PanelTimeSeriesSplit : Test on later periods.

    References
    ----------
    .. [1] Roberts, D. R. et al. (2017). Cross-validation strategies for data with
       temporal, spatial, hierarchical, or phylogenetic structure. Ecography 40,
       913-929.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.model_selection import LeaveRegionsOut
    >>> X = pd.DataFrame({"region": ["A", "B", "C", "A", "B", "C"]})
    >>> cv = LeaveRegionsOut(n_splits=3, region="region", shuffle=False)
    >>> for train, test in cv.split(X):
    ...     print(train, test)
    [1 2 4 5] [0 3]
    [0 2 3 5] [1 4]
    [0 1 3 4] [2 5]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        region: Column | None = None,
        shuffle: bool = True,
        random_state: Seed = None,
    ):
        self.n_splits = check_integer(n_splits, "n_splits", 2)
        self.region = region
        self.shuffle = shuffle
        self.random_state = random_state

    def _splits(self, X, groups):
        column, label = self._column(X, groups, "region")
        values = region_values(column.to_frame(label), label)
        regions, code = np.unique(values, return_inverse=True)
        if len(regions) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} needs at least as many regions, but X has "
                f"{len(regions)}."
            )
        order = np.arange(len(regions))
        if self.shuffle:
            order = check_random_state(self.random_state).permutation(order)
        for left_out in np.array_split(order, self.n_splits):
            test = np.isin(code, left_out)
            yield np.flatnonzero(~test), np.flatnonzero(test)
