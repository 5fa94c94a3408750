"""The model inside a search or a pipeline, and what it was fitted with."""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from skmmm._data.checks import as_frame, resolve_column, resolve_columns, resolve_many


def unwrap(estimator):
    """Return the model at the end of searches and pipelines, nested in any way.

    Returns
    -------
    inside : Inside
    """
    steps = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                steps.append(estimator[:-1])
            estimator = estimator[-1]
        else:
            return Inside(steps, estimator)


def bare(estimator):
    """Return the model itself if X reaches it as it is, else the estimator."""
    inside = unwrap(estimator)
    return estimator if inside.steps else inside.model


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

    steps: list
    model: object

    def rows(self, X):
        """Return X as it reaches the model."""
        for step in self.steps:
            X = step.transform(X)
        return X

    def frame(self, X):
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

    def changed(self, X, labels):
        """Return those columns that are not the same in X and behind the steps."""
        if not self.steps:
            return []
        before, after = as_frame(X), as_frame(self.rows(X))
        return [
            label
            for label in labels
            if label not in before
            or label not in after
            or not np.array_equal(before[label], after[label])
        ]

    def units(self, X, labels):
        """Return how many units of X make one behind the steps, by column.

        Returns
        -------
        unit : ndarray of shape (n_labels,) or None
            None if a column is not the same in X and behind the steps but for a
            positive factor.
        """
        before, after = self.frame(X), as_frame(self.rows(X))
        if len(after) != len(before):
            return None
        if not _has_names(after) and after.shape[1] == len(self.model._labels):
            after = after.set_axis(self.model._labels, axis=1)
        if any(label not in before or label not in after for label in labels):
            return None
        units = [_factor(before[label], after[label]) for label in labels]
        return None if None in units else np.array(units, dtype=np.float64)

    def media(self, frame):
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
        return resolve_many(frame, labels if by_label else keys, "media")

    def _parameters(self):
        """Return what the parameters say of columns."""
        roles = ("media", "controls", "region", "time")
        return {role: parameter_of(self.model, role) for role in roles}

    def role(self, frame, role):
        """Return the label of the "region" or "time" column, None if there is none."""
        label = getattr(getattr(self.model, "_columns", None), role, None)
        if label is not None and label in frame:
            return label
        key = parameter_of(self.model, role)
        return None if key is None else resolve_column(frame, key, role)


def _factor(before, after):
    """Return what one column has to be multiplied with to be another, or None."""
    before, after = (np.asarray(v, dtype=np.float64) for v in (before, after))
    used = np.flatnonzero(after)
    if not len(used):
        return None if before.any() else 1.0
    factor = before[used[0]] / after[used[0]]
    same = np.allclose(before, factor * after, rtol=1e-9, atol=0.0)
    return float(factor) if same and factor > 0 else None


def _has_names(frame):
    return all(isinstance(label, str) for label in frame.columns)


def parameters_of(model):
    """Return the parameters with which a model was fitted, whatever was set since.

    Those of models that do not keep them are as they are now.
    """
    fitted = getattr(model, "_fitted_parameters", None)
    return model.get_params(deep=False) if fitted is None else fitted


def parameter_of(model, name):
    """Return a parameter with which a model was fitted, None if it has no such."""
    fitted = getattr(model, "_fitted_parameters", None)
    return getattr(model, name, None) if fitted is None else fitted.get(name)
