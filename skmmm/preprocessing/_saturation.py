"""Response to spend that levels off."""

from __future__ import annotations

import numpy as np

from skmmm._data.checks import numeric_block
from skmmm._data.tables import find_columns, row_namer
from skmmm._utils.curves import hill
from skmmm._utils.docs import shared_docs
from skmmm._utils.typing import Columns
from skmmm.preprocessing._base import (
    COLUMNS,
    FEATURES,
    POSITIVE,
    PerColumn,
    TableTransformer,
    per_column,
    replace,
)


@shared_docs("", attributes=FEATURES)
class HillSaturation(TableTransformer):
    """Let the response to spend level off.

    .. math::

        \\frac{x^s}{x^s + k^s}

    with slope :math:`s` and half-saturation :math:`k`, the spend at which half of the
    full response is reached [1]_. Each row is transformed on its own.

    Parameters
    ----------
    half_saturation : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive, in the units of X: one number, or one per column, or a dict of column
        to number. After :class:`PanelScaler` 1.0 is the region's typical spend.
    slope : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive, given like `half_saturation`. Up to 1 the response is concave, above
        1 it is S-shaped.
    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to saturate, or a function of X that returns
        them. None takes every numeric column of a frame (booleans are not), or every
        column of an array; name them if X has numbers that are no spend, such as an
        integer week.

    Attributes
    ----------
    half_saturation_, slope_ : ndarray of shape (n_columns,)
        Parameters of each column.
    columns_ : list
        Labels of the columns.

    See Also
    --------
    PanelScaler : Put spend in units of the region's typical spend first.
    GeometricAdstock : Carry spend over first.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 4.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import HillSaturation
    >>> X = pd.DataFrame({"tv": [0.0, 1.0, 3.0], "radio": [0.0, 2.0, 6.0]})
    >>> HillSaturation(half_saturation={"tv": 1.0, "radio": 2.0}).fit_transform(X)
         tv  radio
    0  0.00   0.00
    1  0.50   0.50
    2  0.75   0.75
    """

    _parameter_constraints = {
        "half_saturation": POSITIVE,
        "slope": POSITIVE,
        "columns": COLUMNS,
    }

    def __init__(
        self,
        *,
        half_saturation: PerColumn = 1.0,
        slope: PerColumn = 1.0,
        columns: Columns = None,
    ):
        self.half_saturation = half_saturation
        self.slope = slope
        self.columns = columns

    def _learn(self, frame):
        labels = find_columns(frame, self.columns)[0]
        self.half_saturation_ = per_column(
            self.half_saturation, labels, "half_saturation", above=0.0
        )
        self.slope_ = per_column(self.slope, labels, "slope", above=0.0)
        self.columns_ = labels
        self._spend(frame)

    def _spend(self, frame):
        """Return the columns as numbers, or raise if one is negative."""
        where = row_namer(frame)
        spend = numeric_block(frame, self.columns_, where)
        negative = np.argwhere(spend < 0)
        if len(negative):
            i, j = negative[0]
            raise ValueError(
                f"Negative values in data passed to HillSaturation: column "
                f"{self.columns_[j]!r} is {spend[i, j]:g} at {where(i)}. Spend or "
                "delivery cannot be negative; correct it, or leave the column out of "
                "columns."
            )
        return spend

    def _apply(self, frame):
        response = hill(self._spend(frame), self.half_saturation_, self.slope_)
        return replace(frame, self.columns_, response)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
