"""Dask DataFrames on their way into a fit, and rows to predict where they are."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skmmm._data import checks
from skmmm._data.costs import is_number
from skmmm._data.tables import row_namer
from skmmm._data.times import read_times

_NEEDS_DASK = 'DaskMMMRegressor needs Dask: pip install "skmmm[dask]".'
# Parameters that name columns, also those of an instance in `graph`.
_NAMING = {
    "media",
    "controls",
    "region",
    "time",
    "population",
    "free_sign",
    "synergies",
    "brand_channels",
    "media_cost",
    "priors",
    "forbidden_edges",
    "required_edges",
    "tiers",
}
PREDICTION = "prediction"


def running_client(client: Any) -> Any:
    """Return the Dask client, or the one that is running."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(_NEEDS_DASK) from error
    if client is None:
        try:
            client = Client.current()
        except ValueError as error:
            raise ValueError(
                "DaskMMMRegressor found no Dask client. Start one first, client = "
                "distributed.Client() on this machine or distributed.Client("
                "'tcp://scheduler:8786') on a cluster, or pass client=..."
            ) from error
    if not isinstance(client, Client):
        raise TypeError(
            f"client must be a distributed.Client, got {type(client).__name__}."
        )
    if client.asynchronous:
        raise ValueError(
            "DaskMMMRegressor needs a client that waits: distributed.Client("
            "asynchronous=False)."
        )
    return client


def is_dask_frame(X: Any) -> bool:
    """Return whether a table is a Dask DataFrame."""
    return isinstance(X, _frames().DataFrame)


def _frames():
    """Return the module of Dask DataFrames."""
    try:
        import dask.dataframe
    except ImportError as error:
        raise ImportError(_NEEDS_DASK) from error
    return dask.dataframe


def check_fit_tables(X: Any, y: Any) -> None:
    """Raise if X is no Dask DataFrame, or y neither one of its columns nor a Series."""
    frames = _frames()
    if not isinstance(X, frames.DataFrame):
        raise TypeError(
            f"X must be a Dask DataFrame, got {type(X).__name__}. Tables that are in "
            "memory need no cluster: fit a DeepCausalMMMRegressor."
        )
    checks.check_once(X._meta)
    odd = [label for label in X.columns if not isinstance(label, str)]
    if odd:
        raise ValueError(
            f"X has a column labelled {odd[0]!r}. Call all columns by texts: "
            "X.rename(columns=str)."
        )
    if isinstance(y, str):
        if y not in X.columns:
            raise ValueError(
                f"y={y!r} is not a column of X. Columns: {list(X.columns)}."
            )
    elif not isinstance(y, frames.Series):
        raise TypeError(
            "y must be the name of the KPI in X or a Dask Series with the partitions "
            f"of X, got {type(y).__name__}."
        )
    elif y.npartitions != X.npartitions:
        raise ValueError(
            f"y has {y.npartitions} partitions and X {X.npartitions}. Make y a column "
            "of X and pass its name."
        )


def check_named(estimator: Any) -> None:
    """Raise if an estimator names columns by position, which count otherwise here."""
    for name, value in estimator.get_params(deep=True).items():
        own = name.split("__")[-1]
        if own not in _NAMING or (own == "media_cost" and is_number(value)):
            continue
        for key in _integers(value):
            raise ValueError(
                f"{name} names column {key} by its position, which is another one once "
                "columns that the model does not use are gone. Name it by its label."
            )


def _integers(value: Any) -> list:
    """Return the integers in a parameter that names columns."""
    if isinstance(value, Integral):
        return [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        return []
    return [key for one in value for key in _integers(one)]


def gathered(
    client: Any, X: Any, y: Any, used: list[str]
) -> tuple[pd.DataFrame, pd.Series]:
    """Return columns of all partitions, and the KPI, in this process.

    Parameters
    ----------
    client : distributed.Client
    X : dask.dataframe.DataFrame
    y : str or dask.dataframe.Series
    used : list of str
        Columns to keep.

    Returns
    -------
    frame : DataFrame of shape (n_rows, len(used))
    target : Series of shape (n_rows,)
    """
    if isinstance(y, str):
        label, rows = y, X[[*used, y]]
    else:
        label = "y"
        while label in used:
            label += "_"
        meta = X._meta[used].assign(**{label: y._meta})
        rows = X[used].map_partitions(
            _with_kpi, y, label, meta=meta, align_dataframes=False
        )
    frame = _joined(client.gather(client.compute(list(rows.to_delayed()))))
    return frame, frame.pop(label)


def _with_kpi(rows, kpi, label):
    """Return a partition of X with its KPI as the last column."""
    said = "Make y a column of X and pass its name."
    if not rows.index.equals(kpi.index):
        raise ValueError(
            f"y is not aligned with X: the index of a partition differs. {said}"
        )
    if not rows.index.is_unique:
        # Rows that were shuffled twice may come in another order.
        odd = rows.index[rows.index.duplicated()][0]
        raise ValueError(
            "y cannot be aligned with X: the index of a partition has "
            f"{checks.plain_label(odd)!r} twice. {said}"
        )
    return pd.concat([rows, kpi.rename(label)], axis=1)


def _joined(parts):
    """Return partitions as one frame, those without rows left out if others have."""
    full = [part for part in parts if len(part)]
    return pd.concat(full or parts[:1], ignore_index=True)


def in_canonical_order(
    frame: pd.DataFrame, target: pd.Series, columns: checks.Columns
) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows sorted by region and period, by their content without a time column.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    target : Series of shape (n_rows,)
    columns : Columns
    """
    checks.check_not_empty(frame)
    if columns.time is not None:
        keys = [read_times(frame[columns.time], columns.time)]
    else:
        labels = [*columns.media, *columns.controls]
        block = checks.numeric_block(frame, labels, row_namer(frame))
        keys = [target.to_numpy(), *block.T]
    if columns.region is not None:
        keys.append(checks.region_values(frame, columns.region))
    order = np.lexsort(keys)
    return (
        frame.iloc[order].reset_index(drop=True),
        target.iloc[order].reset_index(drop=True),
    )


def columns_to_predict(model: Any, X: Any) -> list[str]:
    """Return the columns that a fitted model predicts from, or raise if X lacks one."""
    columns = model._columns
    roles = {*columns.media, *columns.controls, columns.region, columns.time}
    used = [label for label in model._labels if label in roles]
    missing = [label for label in used if label not in X.columns]
    if missing:
        raise ValueError(
            f"X has no column {missing[0]!r}, which the model was fitted with. "
            f"Columns: {list(X.columns)}."
        )
    return used


def predicted_lazily(model: Any, X: Any) -> Any:
    """Return the predictions of a Dask DataFrame, partition by partition."""
    import dask

    rows = X[columns_to_predict(model, X)]
    sent = dask.delayed(model)
    checked = None
    if model._calendar is not None:
        keys = [model._columns.region, model._columns.time]
        keys = rows[[label for label in keys if label is not None]]
        checked = dask.delayed(_check_all_rows)(sent, list(keys.to_delayed()))
    return rows.map_partitions(
        _predict_part, sent, checked, meta=(PREDICTION, np.float64)
    )


def _predict_part(rows, model, checked):
    """Predict the rows of one partition, whose periods were checked with all others."""
    if not len(rows):
        return pd.Series(np.empty(0), rows.index, name=PREDICTION)
    if checked:
        model = copy.copy(model)
        model.gap = "mask"  # other partitions may have what is missing in this
    return pd.Series(model.predict(rows), rows.index, name=PREDICTION)


def _check_all_rows(model, parts):
    """Raise what region and period of all rows have against them; return True.

    Parameters
    ----------
    model : DeepCausalMMMRegressor
    parts : list of DataFrame
        Columns of region and period of each partition.
    """
    keys = _joined(parts)
    if not len(keys):
        return True
    _check_together(keys, model._columns.region, [len(part) for part in parts])
    reader = copy.copy(model)
    reader._columns = replace(model._columns, media=(), controls=())
    reader._labels = list(keys)
    reader.n_features_in_ = len(reader._labels)
    reader.feature_names_in_ = np.array(reader._labels, dtype=object)
    history = model._model.history
    history = replace(
        history, media=history.media[..., :0], controls=history.controls[..., :0]
    )
    reader._model = replace(model._model, history=history)
    reader._read(keys)
    return True


def _check_together(keys, label, n_rows):
    """Raise if a region is spread over partitions, which its carry-over crosses."""
    part = np.repeat(np.arange(len(n_rows)), n_rows)
    regions = np.zeros(len(keys), int) if label is None else keys[label].to_numpy()
    ends = pd.Series(part).groupby(regions).agg(["min", "max"])
    spread = ends[ends["min"] < ends["max"]]
    if not len(spread):
        return
    first, last = spread.iloc[0]
    who, what = "The series", "X.repartition(npartitions=1)"
    if label is not None:
        name = checks.plain_label(spread.index[0])
        who, what = f"Region {name!r}", f"X.shuffle(on={label!r})"
    raise ValueError(
        f"{who} has rows in partitions {first} and {last} of X, and what was spent in "
        f"one acts in the other. Put the rows of a region together: X = {what}."
    )
