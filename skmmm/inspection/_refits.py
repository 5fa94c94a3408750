"""Fitting again to changed rows: what placebos and stability share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, NamedTuple

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
from skmmm._utils.typing import Array, Column, Columns, Table
from skmmm._utils.warnings import warn_user
from skmmm.inspection._predictions import known_roles

# What costs time and moves no point estimate, in an estimator that has both.
_EXTRAS = {"n_draws": 0, "graph": None, "experiments": None}


class RefitRows(NamedTuple):
    """What is fitted again.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    region : ndarray of shape (n_rows,), int
        Position of the region; zero without a region column.
    period : ndarray of shape (n_rows,), int, or None
        Position among the distinct periods of X; None without a time column.
    time : label or None
        Of the time column.
    roles : dict
        Media columns and what they cost, as `channel_summary` takes them.
    """

    frame: pd.DataFrame
    y: Array
    region: np.ndarray
    period: np.ndarray | None
    time: Column | None
    roles: dict[str, Any]


def read_rows(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    media: Columns,
    region: Column | None,
    time: Column | None,
) -> RefitRows:
    """Return X as a frame, y, and the region and period of every row."""
    known = known_roles(estimator, [X])
    roles = {"media": known.get("media") if media is None else media}
    roles["media_cost"] = known.get("media_cost") or None
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
        return RefitRows(frame, kpi, code, None, None, roles)
    ordinals = infer_calendar(frame[time], time, values).ordinals(frame[time], time)
    _, period = np.unique(ordinals, return_inverse=True)
    if region is None:
        _check_one_row_each(period, where)
    check_no_duplicates(code, period, where)
    return RefitRows(frame, kpi, code, period, time, roles)


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
    """Return a clone without draws, the graph of channels, or experiments.

    The last are of the rows as they are, not of some of them or of other rows. Without
    draws its points are at the mode of the posterior instead of the mean.
    """
    copied = clone(estimator)
    last = last_step(copied)
    if _EXTRAS.keys() <= last.get_params(deep=False).keys():
        last.set_params(**{name: _EXTRAS[name] for name in names})
    return copied


def to_refit(model: Any, *extras: str, **parameters: Any) -> Any:
    """Return an unfitted copy without these extras, with some parameters, silent."""
    copied = without_extras(model, *extras)
    copied.set_params(verbose=0, **parameters)
    if hasattr(copied, "set_callbacks"):  # scikit-learn 1.9
        copied.set_callbacks()
    return copied


@contextmanager
def warned_once() -> Iterator[None]:
    """Emit each kind of warning of the refits once, with how often it came."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for category in dict.fromkeys(warning.category for warning in caught):
            messages = [w.message for w in caught if w.category is category]
            count = f"(The first of {len(messages)} such warnings of the fits.)"
            warn_user(f"{messages[0]} {count}", category)


def check_integer(value: Any, name: str, minimum: int) -> None:
    """Raise if a number is no integer, or too small."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}: {value!r}.")
