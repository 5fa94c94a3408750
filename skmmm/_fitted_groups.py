"""Groups whose models were fitted apart: their columns, and what their KPI is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import Columns, as_frame, check_once, in_words
from skmmm._data.costs import is_number
from skmmm._group_fits import named
from skmmm._unwrapping import unwrap
from skmmm._utils.labels import shown


def read_by(by: Any) -> list[str]:
    """Return the names of the grouping columns of models that were fitted apart."""
    labels = [by] if isinstance(by, str) else list(by) if np.iterable(by) else [by]
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(
            f"by={shown(by)} must name what tells groups apart, a text or a list of "
            "texts: models that were fitted apart have no table in which a column has "
            "a position."
        )
    if len(set(labels)) < len(labels):
        raise ValueError(f"by={labels} names a column twice.")
    return labels


def check_models(estimators: Any, labels: list[str]) -> None:
    """Raise if what is given does not map groups to models."""
    if not isinstance(estimators, Mapping) or not estimators:
        raise ValueError(
            "estimators must map groups to fitted models, "
            f'{{"brand_a": model_a, "brand_b": model_b}}, got {shown(estimators)}.'
        )
    for group in estimators:
        if len(labels) == 1 and isinstance(group, tuple):
            raise ValueError(
                f"With by={labels[0]!r} a group is a value of that column, not a "
                f"tuple, got {group!r}."
            )
        if len(labels) > 1 and not (
            isinstance(group, tuple) and len(group) == len(labels)
        ):
            raise ValueError(
                f"With by={labels} a group is a tuple of {len(labels)} values, got "
                f"{group!r}."
            )


def check_estimator(estimator: Any) -> None:
    """Raise if there is none to fit: models were fitted apart."""
    if estimator is None:
        raise ValueError(
            "These groups were put together by from_fitted, so there is no estimator "
            "to fit. Fit the models themselves, and put them together again."
        )


def columns_of(model: Any, name: str) -> list[str]:
    """Return the columns to which a model was fitted; `name` is that of its group."""
    with named(name):
        check_is_fitted(model)
        if hasattr(unwrap(model).model, "_counterfactual_by_group"):
            raise ValueError(
                "its model holds groups itself. Pass the models in its estimators_, "
                "and name the columns of both levels in by."
            )
        labels = getattr(model, "feature_names_in_", None)
        if labels is None:
            raise ValueError(
                "its model was fitted to rows whose columns have no names, so that its "
                "columns cannot be found in a table of all groups. Fit it to a "
                "DataFrame."
            )
        return list(labels)


def check_roles(models: Mapping[str, Any], by: list[str]) -> None:
    """Raise if a column is media of one model and region, period or group of another.

    Parameters
    ----------
    models : mapping
        From names of groups to models.
    by : list of str
        Grouping columns.
    """
    media: dict[Any, str] = {}
    keys: dict[Any, tuple[str, str]] = {}
    for name, model in models.items():
        inside = unwrap(model)
        roles = getattr(inside.model, "_columns", None)
        if inside.steps or not isinstance(roles, Columns):
            continue
        media |= dict.fromkeys(roles.media, name)
        for role in ("region", "time"):
            if getattr(roles, role) is not None:
                keys[getattr(roles, role)] = (name, role)
    for label, name in media.items():
        if label in by:
            raise ValueError(
                f"{name}: its model has {label!r} as a media column, and by names it. "
                "Call the column that tells groups apart otherwise."
            )
        if label in keys:
            other, role = keys[label]
            raise ValueError(
                f"The column {label!r} is media for {name} and {role} for {other}. One "
                "table cannot hold both: fit one of them with another name."
            )


def in_order(X: Any, labels: list, by: list[str]) -> pd.DataFrame:
    """Return rows with columns in the order of all, those that none knows at the end.

    Columns that no group of these rows needs may be missing.
    """
    if not hasattr(X, "columns"):
        raise ValueError(
            "Models that were fitted apart need a table with column names as X."
        )
    frame = as_frame(X)
    check_once(frame)
    for label in by:
        if label not in frame:
            raise ValueError(
                f"X has no column {label!r}, which says of which group a row is."
            )
    known = [label for label in labels if label in frame]
    return frame[known + [label for label in frame if label not in labels]]


def read_kpi_value(
    given: Any, groups: list, by: list[str]
) -> dict[tuple, float] | None:
    """Return what a unit of the KPI of each group is worth, by key; None: as it is.

    A key may name a group, or of groups in several columns the value of the first one.

    Raises
    ------
    ValueError
        If a key is no group, or a value no positive number.
    """
    if given is None:
        return None
    keys = [group if len(by) > 1 else (group,) for group in groups]
    if not isinstance(given, Mapping):
        return dict.fromkeys(keys, _value(given, "kpi_value"))
    wide: dict[tuple, float] = {}
    narrow: dict[tuple, float] = {}
    for group, value in given.items():
        worth = _value(value, f"kpi_value of {group!r}")
        if group in groups:
            narrow[group if len(by) > 1 else (group,)] = worth
            continue
        own = [key for key in keys if len(by) > 1 and key[0] == group]
        if not own:
            raise ValueError(
                f"kpi_value names {group!r}, which is no group. Known are "
                f"{len(groups)}: {in_words(groups)}."
            )
        wide |= dict.fromkeys(own, worth)
    return wide | narrow


def _value(given: Any, role: str) -> float:
    """Return what a unit of a KPI is worth."""
    if not is_number(given) or not 0 < given < np.inf:
        raise ValueError(
            f"{role} must be a positive number, in money per unit of the KPI, got "
            f"{shown(given)}."
        )
    return float(given)
