"""What transformers of tables share: how they read X and what they give back."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import region_values
from skmmm._data.tables import (
    BY_PERIOD,
    check_known_regions,
    read_table,
    rebuild,
    region_codes,
)
from skmmm._utils.sklearn import Interval
from skmmm._utils.typing import Column, Table

# Constraints of parameters: one column, several, a positive number for each.
COLUMN = [str, Integral, None]
COLUMNS = ["array-like", str, Integral, callable, None]
POSITIVE = [Interval(Real, 0, None, closed="neither"), "array-like", dict]


FEATURES = """\
n_features_in_ : int
    Number of columns seen in `fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns, if X has names.
"""
# One number, or one per column.
PerColumn: TypeAlias = float | npt.ArrayLike | Mapping[Column, float]


class TableTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Reads X as a frame and gives back a table of the same kind.

    Subclasses write `_learn(frame)` and `_apply(frame)`; the latter returns the new
    table as a dict of label to values, None for a column that stays as it is.
    """

    def fit(self, X: Table, y: npt.ArrayLike | None = None) -> Self:
        """Learn from the rows of X.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table, rows in any order.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a column is not there or not numeric, a value is missing or infinite, or
            two rows are about the same region and period; the message names the column
            and the row.
        """
        self._validate_params()
        self._learn(read_table(self, X, reset=True))
        return self

    def transform(self, X: Table) -> Table:
        """Transform the rows of X.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table with the columns seen in `fit`, rows in any order.

        Returns
        -------
        X_new : array-like or dataframe of shape (n_samples, n_features_out)
            pandas for pandas, Polars for Polars, otherwise ndarray, unless
            `set_output` says otherwise; rows in the order of `X`.

        Raises
        ------
        ValueError
            As in `fit`; also for a region that `fit` did not see or for missing
            periods, if the transformer is set to raise.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        return rebuild(X, frame, self._apply(frame))


class ColumnMaker(TableTransformer):
    """Makes new columns from one of X and looks at no other.

    Subclasses also write `_names_out(names)`, which returns the names of the columns
    that `transform` gives, from those of the columns it takes.
    """

    def get_feature_names_out(
        self, input_features: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.object_]:
        """Return the names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the columns of an X without names; ``x0`` and so on if None.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
        """
        names = super().get_feature_names_out(input_features)
        return np.array(self._names_out(names), dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Other columns are not read.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def check_new_names(columns, names, what):
    """Raise if one of the columns to be made has the name of one that is there."""
    twice = {str(column) for column in columns}.intersection(names)
    if twice:
        raise ValueError(
            f"X already has a column {min(twice)!r}, the name of a {what}. Rename it."
        )


def learn_regions(frame, label):
    """Return the sorted regions, None without a column, and the code of each row."""
    if label is None:
        return None, np.zeros(len(frame), dtype=np.int64)
    return np.unique(region_values(frame, label), return_inverse=True)


def codes_of(frame, label, regions, *, otherwise=None):
    """Return the position of each row's region in `regions`, -1 if it is not there.

    Without a region column all rows have the code 0. If the setting `otherwise` is
    named, raise where a region is not there, and offer it.
    """
    if label is None:
        return np.zeros(len(frame), dtype=np.int64)
    values = region_values(frame, label)
    code = region_codes(values, regions)
    if otherwise is not None:
        advice = f"Leave it out, or set {otherwise}. {BY_PERIOD}"
        check_known_regions(code, values, regions, advice)
    return code


def replace(frame, labels, block):
    """Return the columns of the frame with `labels` replaced by those of `block`."""
    return {**dict.fromkeys(frame.columns), **dict(zip(labels, block.T, strict=True))}


def per_column(value, labels, name, *, above, below=np.inf, closed=False):
    """Return a parameter of the user as one number per column, or raise.

    Numbers have to be above `above` (or equal, if `closed`) and below `below`.
    """
    if isinstance(value, dict):
        value = _in_order(value, labels, name)
    values = np.asarray(value, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(len(labels), values)
    if values.shape != (len(labels),):
        raise ValueError(
            f"{name} has shape {values.shape}; expected one number, or one for each of "
            f"the {len(labels)} columns {labels}."
        )
    inside = (values < below) & ((values >= above) if closed else (values > above))
    if not inside.all():
        j = int(np.argmin(inside))
        bracket = "[" if closed else "("
        raise ValueError(
            f"{name} of column {labels[j]!r} is {values[j]:g}, outside "
            f"{bracket}{above:g}, {below:g})."
        )
    return values


def _in_order(values, labels, name):
    """Return the entries of a dict, one per column, in the order of the columns."""
    missing = [label for label in labels if label not in values]
    unknown = [key for key in values if key not in labels]
    if missing or unknown:
        which = "has no entry for" if missing else "has an entry for the unknown"
        raise ValueError(
            f"{name} {which} column {(missing or unknown)[0]!r}. Columns: {labels}."
        )
    return [values[label] for label in labels]
