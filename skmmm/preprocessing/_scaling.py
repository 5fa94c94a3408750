"""Columns in units of what is typical of their region."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import numeric_block
from skmmm._data.tables import find_columns, read_table, rebuild, row_namer
from skmmm._utils.docs import shared_docs
from skmmm._utils.sklearn import StrOptions
from skmmm._utils.typing import Column, Columns, Table
from skmmm.preprocessing._base import (
    COLUMN,
    COLUMNS,
    FEATURES,
    TableTransformer,
    codes_of,
    learn_regions,
    replace,
)


@shared_docs("", attributes=FEATURES)
class PanelScaler(TableTransformer):
    """Divide columns by a typical value of their region.

    A region ten times as large spends ten times as much; in units of its own typical
    spend, regions share half-saturation and effect.

    Parameters
    ----------
    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to scale, or a function of X that returns
        them. None takes every numeric column of a frame (booleans are not), or every
        column of an array, apart from `region` and `time`.
    region : str or int, default=None
        Name or position of the region column. None: one scale for all rows.
    time : str or int, default=None
        Name or position of the time column, which stays as it is. Only needed when
        `columns` is None and the periods are numbers.
    method : {"mean_nonzero", "max", "standard"}, default="mean_nonzero"
        What to divide by:

        - "mean_nonzero" : the mean of the absolute values that are not zero. One week
          of heavy spend hardly moves it, and neither do weeks off air.
        - "max" : the largest absolute value.
        - "standard" : the standard deviation, after subtracting the mean.
    unseen : {"error", "overall"}, default="error"
        What to do in `transform` with a region that `fit` did not see: raise, or use
        the scale of all rows of `fit` taken together.

    Attributes
    ----------
    scale_ : ndarray of shape (n_regions, n_columns)
        In the units of X, from the rows of `fit` only. Where a column is zero in a
        whole region ("standard": constant), the overall scale stands in; if that is
        zero too, 1.
    center_ : ndarray of shape (n_regions, n_columns)
        What is subtracted before; zeros unless `method` is "standard".
    overall_scale_, overall_center_ : ndarray of shape (n_columns,)
        The same over all rows.
    regions_ : ndarray of shape (n_regions,) or None
        Regions in sorted order, the rows of `scale_`; None if `region` is None.
    columns_ : list
        Labels of the scaled columns, the columns of `scale_`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import PanelScaler
    >>> X = pd.DataFrame({"region": ["A", "A", "B", "B"], "tv": [0.0, 4.0, 30.0, 10.0]})
    >>> PanelScaler(region="region").fit_transform(X)
      region   tv
    0      A  0.0
    1      A  1.0
    2      B  1.5
    3      B  0.5
    """

    _parameter_constraints = {
        "columns": COLUMNS,
        "region": COLUMN,
        "time": COLUMN,
        "method": [StrOptions({"mean_nonzero", "max", "standard"})],
        "unseen": [StrOptions({"error", "overall"})],
    }

    def __init__(
        self,
        *,
        columns: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        method: Literal["mean_nonzero", "max", "standard"] = "mean_nonzero",
        unseen: Literal["error", "overall"] = "error",
    ):
        self.columns = columns
        self.region = region
        self.time = time
        self.method = method
        self.unseen = unseen

    def _learn(self, frame):
        labels, region, time = find_columns(
            frame, self.columns, region=self.region, time=self.time
        )
        block = numeric_block(frame, labels, row_namer(frame, region, time))
        all_rows = np.zeros(len(frame), dtype=np.int64)
        center, scale = _center_and_scale(block, all_rows, self.method)
        self.overall_center_ = center[0]
        self.overall_scale_ = np.where(scale[0] > 0, scale[0], 1.0)
        self.columns_ = labels
        self.regions_, code = learn_regions(frame, region)
        self.center_, scale = _center_and_scale(block, code, self.method)
        self.scale_ = np.where(scale > 0, scale, self.overall_scale_)

    def _rows(self, frame):
        """Return columns_, centre and scale of every row, shape (n_samples, n_columns).

        `n_columns` counts the scaled columns.
        """
        _, region, time = find_columns(frame, [], region=self.region, time=self.time)
        block = numeric_block(frame, self.columns_, row_namer(frame, region, time))
        otherwise = "unseen='overall'" if self.unseen == "error" else None
        code = codes_of(frame, region, self.regions_, otherwise=otherwise)
        # Code -1, an unseen region, picks the last row.
        center = np.vstack([self.center_, self.overall_center_])
        scale = np.vstack([self.scale_, self.overall_scale_])
        return block, center[code], scale[code]

    def _apply(self, frame):
        block, center, scale = self._rows(frame)
        return replace(frame, self.columns_, (block - center) / scale)

    def inverse_transform(self, X: Table) -> Table:
        """Bring scaled columns back to the units of `fit`.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            As `transform` gives it, rows in any order.

        Returns
        -------
        X_original : array-like or dataframe of shape (n_samples, n_features)
            A table of the kind of `X`.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        block, center, scale = self._rows(frame)
        return rebuild(X, frame, replace(frame, self.columns_, block * scale + center))


def _center_and_scale(block, code, method):
    """Return what to subtract and what to divide by, both (n_regions, n_columns).

    `code` is the region of every row of the block; each of 0, 1, ... occurs. The scale
    is 0 where the column does not vary.
    """
    order = np.argsort(code, kind="stable")
    start = np.flatnonzero(np.diff(code[order], prepend=-1))

    def by_region(combine, values):
        return combine.reduceat(values[order], start, axis=0)

    if method == "standard":
        count = np.bincount(code)[:, None]
        center = by_region(np.add, block) / count
        scale = np.sqrt(by_region(np.add, (block - center[code]) ** 2) / count)
        # Rounding errors of a constant column are not a scale.
        rounding = 10 * np.finfo(np.float64).eps * np.abs(center)
        return center, np.where(scale > rounding, scale, 0.0)
    size = np.abs(block)
    if method == "max":
        scale = by_region(np.maximum, size)
    else:
        count = by_region(np.add, (size > 0).astype(np.float64))
        scale = by_region(np.add, size) / np.maximum(count, 1.0)
    return np.zeros_like(scale), scale
