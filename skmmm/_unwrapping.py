"""The model inside a search or a pipeline, and what it was fitted with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from skmmm._data.checks import as_frame, resolve_column, resolve_columns, resolve_many
from skmmm._utils.bound import BoundTable
from skmmm._utils.typing import Array, Column, Table


def unwrap(estimator: Any) -> Inside:
    """Return the model at the end of searches and pipelines, nested in any way."""
    steps: list[Pipeline] = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                steps.append(estimator[:-1])
            estimator = estimator[-1]
        elif hasattr(estimator, "cv_results_"):
            raise ValueError(
                f"{type(estimator).__name__}(refit=False) keeps no fitted model. Set "
                "refit=True, or fit its estimator with best_params_."
            )
        else:
            return Inside(steps, estimator)


def bare(estimator: Any) -> Any:
    """Return the model itself if X reaches it as it is, else the estimator."""
    inside = unwrap(estimator)
    return estimator if inside.steps else inside.model


def rows_of(X: Any) -> Any:
    """Return the rows of `Effects`, any other table as it is."""
    return X.frame if isinstance(X, BoundTable) else X


@dataclass(frozen=True, eq=False)
class Inside:
    """A model and the steps before it.

    Attributes
    ----------
    steps : list of Pipeline
        What rows pass through before they reach the model.
    model : object
        Neither a search nor a pipeline.
    """

    steps: list[Pipeline]
    model: Any

    def learned(self, name: str) -> Any:
        """Return an attribute that the model or a step has set in `fit`, or None."""
        fitted = [self.model, *(step for pipe in self.steps for step in pipe)]
        values = (getattr(one, name, None) for one in fitted)
        return next((value for value in values if value is not None), None)

    def rows(self, X: Any) -> Any:
        """Return X as it reaches the model."""
        for step in self.steps:
            X = step.transform(X)
        return X

    def frame(self, X: Table) -> pd.DataFrame:
        """Return X as a frame whose columns are called as in `fit` of the model.

        Where the table of `fit` or X has no names, columns are matched by position, as
        in `predict`; with steps before the model they keep the labels of X.
        """
        frame, labels = as_frame(X), getattr(self.model, "_labels", None)
        if self.steps or labels is None or len(labels) != frame.shape[1]:
            return frame
        if hasattr(self.model, "feature_names_in_") and _has_names(frame):
            return frame
        return frame.set_axis(labels, axis=1)

    def media_scale(
        self, X: Table, media: Sequence[Column], same: Sequence[Column] = ()
    ) -> Array | None:
        """Return how many units of X make one behind the steps, (n_media,).

        None if the steps do anything else to these columns than to multiply them by a
        factor, or change columns that have to stay the same. Each column is replaced by
        random amounts. What comes out has to be these times one factor, and no other
        column may change. The values in X prove nothing: of a constant, every function
        is a multiple.
        """
        before, after = self.frame(X), self._behind(X)
        needed = [*media, *same]
        if len(after) != len(before) or any(
            label not in before or label not in after for label in needed
        ):
            return None
        if not all(np.array_equal(before[label], after[label]) for label in same):
            return None
        scales = []
        for label in media:
            amounts, changed = self._with_other_amounts(X, label)
            scale = _factor(amounts, changed[label])
            if scale is None or not np.allclose(
                before[label].astype(float), scale * after[label].astype(float)
            ):
                return None
            if not changed.drop(columns=label).equals(after.drop(columns=label)):
                return None
            scales.append(scale)
        return np.array(scales)

    def _behind(self, X: Table) -> pd.DataFrame:
        """Return what X is behind the steps, with labels."""
        before, after = self.frame(X), as_frame(self.rows(X))
        if not _has_names(after) and after.shape[1] == before.shape[1]:
            return after.set_axis(before.columns, axis=1)
        return after

    def _with_other_amounts(
        self, X: Table, label: Column
    ) -> tuple[Array, pd.DataFrame]:
        """Return random amounts, and what X with these in a column is behind."""
        frame = self.frame(X).copy()
        size = np.abs(frame[label].to_numpy(dtype=np.float64)).max(initial=0.0) or 1.0
        amounts = size * np.random.default_rng(0).uniform(0.1, 1.0, len(frame))
        frame[label] = amounts
        return amounts, self._behind(
            frame if hasattr(X, "columns") else frame.to_numpy()
        )

    def media(self, frame: pd.DataFrame) -> list | None:
        """Return the labels of the media columns, None if the model names none."""
        labels, given = getattr(self.model, "media_", None), self._parameters()
        if labels is None:
            named = hasattr(self.model, "media")
            return list(resolve_columns(frame, **given).media) if named else None
        if all(label in frame for label in labels):
            return list(labels)
        # Behind the steps columns may be called otherwise than in X.
        keys = given["media"]
        by_label = keys is None or callable(keys)
        found = resolve_many(frame, labels if by_label else keys, "media")
        if self.steps and not by_label:
            self._check_in_place(frame, found)
        return found

    def _check_in_place(self, frame: pd.DataFrame, media: list) -> None:
        """Raise if positions behind the steps are other columns in X."""
        after = self._behind(frame)
        for label in media:
            _, changed = self._with_other_amounts(frame, label)
            if label in after and changed[label].equals(after[label]):
                raise ValueError(
                    f"The steps before the model move columns: what it calls column "
                    f"{list(frame).index(label)} is not {label!r} of X. Pass "
                    "media=[...] with names of X."
                )

    def _parameters(self) -> dict[str, Any]:
        """Return what the parameters say of columns."""
        roles = ("media", "controls", "region", "time", "population", "media_cost")
        return {role: parameter_of(self.model, role) for role in roles}

    def controls(self) -> list | None:
        """Return the labels of the controls in X, None if the model does not say."""
        columns = None if self.steps else getattr(self.model, "_columns", None)
        return None if columns is None else list(columns.controls)

    def role(self, frame: pd.DataFrame, role: str) -> Column | None:
        """Return the label of the "region" or "time" column, None if there is none."""
        label = getattr(getattr(self.model, "_columns", None), role, None)
        if label is not None and label in frame:
            return label
        key = parameter_of(self.model, role)
        return None if key is None else resolve_column(frame, key, role)


def _factor(before: npt.ArrayLike, after: npt.ArrayLike) -> float | None:
    """Return what one column has to be multiplied with to be another, or None."""
    before, after = (np.asarray(v, dtype=np.float64) for v in (before, after))
    used = np.flatnonzero(after)
    if not len(used):
        return None if before.any() else 1.0
    factor = before[used[0]] / after[used[0]]
    same = np.allclose(before, factor * after, rtol=1e-9, atol=0.0)
    return float(factor) if same and factor > 0 else None


def _has_names(frame: pd.DataFrame) -> bool:
    return all(isinstance(label, str) for label in frame.columns)


def parameters_of(model: Any) -> dict[str, Any]:
    """Return the parameters with which a model was fitted, whatever was set since.

    Those of models that do not keep them are as they are now.
    """
    fitted = getattr(model, "_fitted_parameters", None)
    return model.get_params(deep=False) if fitted is None else fitted


def parameter_of(model: Any, name: str) -> Any:
    """Return a parameter with which a model was fitted, None if it has no such."""
    fitted = getattr(model, "_fitted_parameters", None)
    return getattr(model, name, None) if fitted is None else fitted.get(name)
