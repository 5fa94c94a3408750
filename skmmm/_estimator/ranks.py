"""Fits to rows that several processes bring, each its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from skmmm._data.checks import as_frame
from skmmm._unwrapping import rows_of
from skmmm._utils.sklearn import check_sample_weight

_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
_MAY_DIFFER = {"verbose"}
_ranks: ContextVar[Any] = ContextVar("ranks", default=None)


class _Brought(NamedTuple):
    """What one rank brings to a fit."""

    frame: pd.DataFrame
    target: pd.Series
    weight: np.ndarray | None
    settings: dict[str, str]


@contextmanager
def fits_on(ranks: Any) -> Iterator[None]:
    """Let all fits in the block be fits of these ranks; None: of this process."""
    token = _ranks.set(ranks)
    try:
        yield
    finally:
        _ranks.reset(token)


def refuse_ranks(why: str, what_to_do: str) -> None:
    """Raise if fits in this block are fits of all ranks.

    Parameters
    ----------
    why : str
        What is asked for, and what it has or does that ranks cannot.
    what_to_do : str
        Instead.
    """
    if _ranks.get() is not None:
        raise ValueError(
            f"{why}, and inside of ranks() every fit is one of the rows of all ranks. "
            f"{what_to_do}"
        )


def fitted_on_ranks(
    estimator: Any, fitted_here: Callable, X: Any, y: Any, sample_weight: Any
) -> Any:
    """Return a fitted copy of an estimator, to the rows of all ranks if there are any.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
    fitted_here : callable
        Returns a copy that is fitted in this process, from X, y and weights.
    X, y, sample_weight
        As of `fit`.
    """
    ranks = _ranks.get()
    if ranks is None:
        return fitted_here(X, y, sample_weight)

    def make(brought):
        with fits_on(None):
            fitted = fitted_here(*_all_rows(brought))
        own = _own(fitted)
        return {name: v for name, v in vars(fitted).items() if name not in own}

    state = ranks.together(lambda: _brought(estimator, X, y, sample_weight), make)
    fitted = copy.copy(estimator)
    fitted.__dict__ = _own(estimator) | state
    return fitted


def _own(estimator):
    """Return what an estimator has before any fit."""
    parameters = estimator.get_params(deep=False)
    return {
        name: value
        for name, value in vars(estimator).items()
        if name in {*parameters, "_metadata_request"} or name.startswith("_skl")
    }


def _brought(estimator, X, y, sample_weight):
    """Return what this rank brings, or raise."""
    estimator._validate_params()
    frame = as_frame(rows_of(X))
    target, weight = column_or_1d(y, warn=True), None
    if target.shape != (len(frame),):
        raise ValueError(
            f"y has the shape {target.shape}, and X {len(frame)} rows. Pass one number "
            "per row."
        )
    if sample_weight is not None:
        weight = check_sample_weight(
            sample_weight, frame, dtype=np.float64, ensure_non_negative=True
        )
    parameters = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in estimator.get_params(deep=False).items()
    }
    settings = {
        name: repr(value)
        for name, value in parameters.items()
        if isinstance(value, _PLAIN) and name not in _MAY_DIFFER
    }
    return _Brought(frame, pd.Series(target, frame.index), weight, settings)


def _all_rows(brought):
    """Return X, y and weights of all ranks, or raise if they do not go together."""
    first = brought[0]
    for rank, one in enumerate(brought):
        if list(one.frame.columns) != list(first.frame.columns):
            raise ValueError(
                f"X of rank {rank} has the columns {list(one.frame.columns)}, and that "
                f"of rank 0 {list(first.frame.columns)}. Bring the same in all ranks."
            )
        if (one.weight is None) != (first.weight is None):
            raise ValueError(
                f"Of ranks 0 and {rank}, one has a sample_weight and one has none. "
                "Pass it in all ranks, or in none."
            )
        for name in {**first.settings, **one.settings}:
            said = [settings.get(name) for settings in (first.settings, one.settings)]
            if said[0] != said[1]:
                raise ValueError(
                    f"{name} is {said[1]} in rank {rank}, and {said[0]} in rank 0. "
                    "Give the estimator the same parameters in all ranks."
                )
    weight = None
    if first.weight is not None:
        weight = np.concatenate([one.weight for one in brought])
    return (
        pd.concat([one.frame for one in brought]),
        pd.concat([one.target for one in brought]),
        weight,
    )
