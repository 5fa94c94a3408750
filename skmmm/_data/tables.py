"""Tables in, tables out: pandas, Polars or arrays, columns found by role."""

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skmmm._data.checks import (
    as_frame,
    check_labels,
    check_not_empty,
    check_once,
    labels_of,
    resolve_column,
    resolve_many,
)
from skmmm._utils.labels import counted


def read_table(estimator, X, y="no_validation", *, reset, optional=()):
    """Return `X` as a pandas frame and record its columns, or compare with fit's.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_`.
    X : array-like or dataframe of shape (n_rows, n_columns)
    y : array-like of shape (n_rows,), or "no_validation"
        Only asked whether it is there.
    reset : bool
        True in `fit`.
    optional : sequence of column labels
        That a frame need not have again after `fit`, as nothing is read from them.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)
        Columns are called as in `fit`; positions label the columns of an array.
    """
    if not hasattr(X, "columns"):
        # dtype=None: an array may hold the names of regions.
        X = check_array(
            X,
            dtype=None,
            ensure_all_finite=False,
            estimator=estimator,
            input_name="X",
        )
    # An array of objects may hold numbers beside the names of regions.
    frame = as_frame(X).infer_objects()
    check_not_empty(frame)
    if reset:
        check_labels(frame)
    check_once(frame)
    missing = [label for label in optional if label not in frame]
    if missing and set(estimator._labels) == {*frame.columns, *missing}:
        return frame  # by name; scikit-learn would ask for all columns of fit
    # Not X: scikit-learn 1.7 and 1.8 do not see the names in recent Polars frames.
    validate_data(estimator, frame, y, skip_check_array=True, reset=reset)
    if reset:
        estimator._labels = labels_of(frame)
    elif list(frame.columns) != estimator._labels:
        # Names were compared above; what is left is an array after a frame, or a
        # frame after an array, whose columns are matched by position.
        frame = frame.set_axis(estimator._labels, axis=1)
    return frame


def rebuild(X, frame, columns):
    """Return a table of the kind of `X`: pandas, Polars or ndarray.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_rows, n_columns)
        As the user passed it.
    frame : DataFrame of shape (n_rows, n_columns)
        `X` as `read_table` returned it.
    columns : dict of label to ndarray of shape (n_rows,), or to None
        The new table; None keeps a column of X as it is.

    Returns
    -------
    table : DataFrame, polars.DataFrame or ndarray of shape (n_rows, len(columns))
    """
    position = {label: j for j, label in enumerate(frame.columns)}
    if not hasattr(X, "columns"):
        X = np.asarray(X)
        table = np.column_stack(
            [X[:, position[c]] if v is None else v for c, v in columns.items()]
        )
        if table.dtype == object:
            # Once its strings are encoded, a table of objects may be one of numbers.
            table = pd.DataFrame(table).infer_objects().to_numpy()
        return table
    # Fitted on an array, asked about a frame: call the columns as
    # `get_feature_names_out` does.
    renamed = list(frame.columns) != list(X.columns)
    new = {}
    for label, values in columns.items():
        name = f"x{label}" if renamed and label in position else label
        new[name] = _column(X, position[label]) if values is None else values
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(new, index=X.index)
    return type(X)(new)


def _column(X, j):
    """Return one column of a frame as it is, without its index."""
    return X.iloc[:, j].array if isinstance(X, pd.DataFrame) else X[X.columns[j]]


def find_columns(frame, columns, *, region=None, time=None):
    """Return the labels of the columns to work on, of the region and of the time.

    Parameters
    ----------
    frame : DataFrame
    columns : list of str or int, callable, or None
        None takes every numeric column of a frame (booleans are not), or every column
        of an array, apart from region and time.
    region, time : str, int or None

    Returns
    -------
    labels : list
    region, time : label or None
    """
    region = None if region is None else resolve_column(frame, region, "region")
    time = None if time is None else resolve_column(frame, time, "time")
    if columns is None:
        # `region` may be 0, so compare with None.
        named = [label for label in (region, time) if label is not None]
        labels = [c for c in frame if c not in named and _is_number(frame[c], c)]
        return labels, region, time
    labels = resolve_many(frame, columns, "columns")
    for label in labels:
        for role, other in (("region", region), ("time", time)):
            if other is not None and label == other:
                raise ValueError(
                    f"The column {label!r} is the {role}, so it cannot be one of "
                    "columns."
                )
    return labels, region, time


def _is_number(column, label):
    if not isinstance(label, str):
        return True
    return is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def row_namer(frame, region=None, time=None):
    """Return a function that says which row a position is, for error messages."""

    def where(position):
        said = [
            f"{role} {_in_words(frame[label].iloc[position])}"
            for role, label in (("region", region), ("time", time))
            if label is not None
        ]
        if time is None:  # the region alone does not say which row
            said.insert(0, f"row {position}")
        return ", ".join(said)

    return where


def _in_words(value):
    if isinstance(value, pd.Timestamp):
        return str(value.date())
    return repr(value) if isinstance(value, str) else str(value)


def region_codes(values, regions):
    """Return the position of each value in `regions`, -1 if it is not there."""
    return pd.Index(regions).get_indexer(pd.Index(values))


BY_PERIOD = (
    "If rows were split by their order, as KFold and TimeSeriesSplit do, split by "
    "period: skmmm.model_selection.PanelTimeSeriesSplit."
)


def check_known_regions(code, values, regions, advice):
    """Raise if a region has the code -1."""
    if (code < 0).any():
        name = _in_words(values[np.argmin(code)].item())
        raise ValueError(
            f"Region {name} is not among the {counted(len(regions), 'region')} of the "
            f"training data. {advice}"
        )
