"""Fitting again to changed rows: what placebos and stability share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import (
    as_frame,
    check_no_duplicates,
    check_not_empty,
    check_target,
    region_values,
    resolve_column,
)
from skmmm._data.tables import row_namer
from skmmm._unwrapping import rows_of
from skmmm._utils.typing import Array, Column, Table
from skmmm._utils.warnings import warn_user
from skmmm.inspection._predictions import known_roles

# What costs time and moves no point estimate, in an estimator that has both.
_NOT_FOR_POINTS = {"n_draws": 0, "graph": None}


def read_rows(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    region: Column | None,
    time: Column | None,
) -> tuple[pd.DataFrame, Array, np.ndarray, np.ndarray | None, Column | None]:
    """Return X as a frame, y, and the region and period of every row.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    region : ndarray of shape (n_rows,), int
        Position of the region; zero without a region column.
    period : ndarray of shape (n_rows,), int, or None
        Position among the distinct periods of X; None without a time column.
    time : label or None
        Of the time column.
    """
    known = known_roles(estimator, [X])
    frame = as_frame(rows_of(X)).infer_objects()
    check_not_empty(frame)
    region = _role(
        estimator, frame, known.get("region") if region is None else region, "region"
    )
    time = _role(estimator, frame, known.get("time") if time is None else time, "time")
    where = row_namer(frame, region, time)
    kpi: Array = check_target(y, len(frame), where)
    code, values = np.zeros(len(frame), dtype=np.int64), None
    if region is not None:
        values = region_values(frame, region)
        _, code = np.unique(values, return_inverse=True)
    if time is None:
        return frame, kpi, code, None, None
    ordinals = infer_calendar(frame[time], time, values).ordinals(frame[time], time)
    _, period = np.unique(ordinals, return_inverse=True)
    if region is None:
        _check_one_row_each(period, where)
    check_no_duplicates(code, period, where)
    return frame, kpi, code, period, time


def _check_one_row_each(period, where):
    """Raise if periods have several rows and no column tells them apart."""
    _, first = np.unique(period, return_index=True)
    if len(first) < len(period):
        again = np.setdiff1d(np.arange(len(period)), first)[0]
        raise ValueError(
            f"X has several rows for {where(again)}. Name the column that tells them "
            "apart, region=..., or aggregate them."
        )


def last_step(estimator: Any) -> Any:
    """Return what a pipeline ends with, any other estimator as it is."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _role(
    estimator: Any, frame: pd.DataFrame, given: Column | None, role: str
) -> Column | None:
    """Return the label of the region or time column, None if nothing names it."""
    key = getattr(last_step(estimator), role, None) if given is None else given
    return None if key is None else resolve_column(frame, key, role)


def without_extras(estimator: Any, *names: str) -> Any:
    """Return a clone that spends no time on draws, or on the graph of channels."""
    copied = clone(estimator)
    last = last_step(copied)
    if _NOT_FOR_POINTS.keys() <= last.get_params(deep=False).keys():
        last.set_params(**{name: _NOT_FOR_POINTS[name] for name in names})
    return copied


@contextmanager
def warned_once() -> Iterator[None]:
    """Emit each kind of warning of the refits once, with how often it came."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for category in dict.fromkeys(warning.category for warning in caught):
        messages = [w.message for w in caught if w.category is category]
        count = f"(The first of {len(messages)} such warnings of the fits.)"
        warn_user(f"{messages[0]} {count}", category)


def check_integer(value: Any, name: str, minimum: int) -> None:
    """Raise if a number is no integer, or too small."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}: {value!r}.")
