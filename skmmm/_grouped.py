"""GroupedRegressor: one fit per brand, market, or other group of rows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from itertools import chain, pairwise
from numbers import Integral, Real
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skmmm._data.checks import Columns as RolesOfColumns
from skmmm._data.checks import check_target, in_words, resolve_many
from skmmm._data.tables import read_table, row_namer
from skmmm._estimator.ranks import refuse_ranks
from skmmm._fitted_groups import (
    check_estimator,
    check_models,
    check_roles,
    columns_of,
    in_order,
    read_by,
)
from skmmm._group_fits import (
    FEW,
    check_no_media,
    coming_of_one,
    failed_fit,
    fit_one,
    levels_of,
    named,
    named_as,
    raise_refusals,
    refusal,
    warn_of_failures,
    warn_once_each,
)
from skmmm._grouped_questions import GroupQuestions
from skmmm._unwrapping import bare, rows_of, unwrap
from skmmm._utils.callbacks import (
    CallbackSupportMixin,
    group_tasks,
    with_callbacks,
)
from skmmm._utils.labels import first_few
from skmmm._utils.parallel import call_each_noting
from skmmm._utils.sklearn import HasMethods, StrOptions, check_sample_weight
from skmmm._utils.typing import Array, Column, Labels, Table
from skmmm._utils.warnings import warn_user
from skmmm.inspection._protocol import Counterfactual
from skmmm.inspection._side_by_side import GroupedCounterfactual, paired_draws

# A value of the grouping column, or a tuple of one value per grouping column.
Group: TypeAlias = Any
# From an estimator and its rows to the counterfactual.
OfOne: TypeAlias = Callable[[Any, Any], Counterfactual]


class GroupedRegressor(
    GroupQuestions,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    BaseEstimator,
):
    """One fit of an estimator per group of rows: per brand, market, or both.

    Groups share no parameters. What they share is the table, and questions: one
    summary, and one plan of a budget over the channels of all groups.

    Parameters
    ----------
    estimator : object
        With `fit` and `predict`; a clone is fitted to each group. An integer
        `random_state` of it is the same in every group.
    by : str, int or list of str or int
        Columns of X that tell groups apart, by name or position. The estimator does not
        see them (positions in its parameters count without them), but for one that it
        names itself as its `region`.
    n_jobs : int or None, default=None
        How many groups are fitted at once, as in joblib.
    error_score : "raise" or float, default="raise"
        What to do if the fit of a group fails: raise, or go on without the group and
        predict this number for its rows. `score` and searches need a finite one.
    verbose : bool or int, default=False
        How much joblib tells of the progress over groups. scikit-learn 1.9 callbacks
        (``set_callbacks(ProgressBar())``) are supported too.

    Attributes
    ----------
    groups_ : list
        Groups in sorted order: values of the column in `by`, or tuples of values of
        several columns.
    estimators_ : dict
        From groups to fitted estimators.
    failures_ : dict
        From groups whose fit failed to what went wrong.
    n_features_in_ : int
        Columns of X in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if the columns of X have names.

    See Also
    --------
    DeepCausalMMMRegressor : With `region`, regions learn from each other.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm import GroupedRegressor
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> worlds = {b: make_mmm_panel(1, 60, n_media=2, random_state=b) for b in (0, 1)}
    >>> X = pd.concat([world.X.assign(brand=b) for b, world in worlds.items()])
    >>> y = pd.concat([world.y for world in worlds.values()])
    >>> linear = make_linear_mmm(media=["media_1", "media_2"], time="week")
    >>> model = GroupedRegressor(linear, by="brand").fit(X, y)
    >>> model.groups_
    [0, 1]
    >>> plan = model.optimize_budget(X=X)
    >>> plan.allocation.index.tolist()
    [(0, 'media_1'), (0, 'media_2'), (1, 'media_1'), (1, 'media_2')]
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict", "get_params"])],
        "by": [str, Integral, "array-like"],
        "n_jobs": [Integral, None],
        "error_score": [StrOptions({"raise"}), Real],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any,
        by: Column | Labels,
        *,
        n_jobs: int | None = None,
        error_score: Literal["raise"] | float = "raise",
        verbose: bool | int = False,
    ) -> None:
        self.estimator = estimator
        self.by = by
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.verbose = verbose

    def fit(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit a clone of the estimator to each group.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Rows of all groups, in any order.
        y : array-like of shape (n_rows,)
            KPI.
        sample_weight : array-like of shape (n_rows,), default=None
            Passed on to the estimator.

        Warns
        -----
        FitFailedWarning
            If fits failed and `error_score` is a number.
        UserWarning
            Of what the fits warn of: each kind once, with the groups it came from.

        Returns
        -------
        self : GroupedRegressor
            The fitted estimator. A fit that raises leaves it as it was.

        Raises
        ------
        ValueError
            If a grouping column has missing values, or every fit failed. With
            ``error_score="raise"`` also what the first failed fit raises, the group
            before its message.
        """
        check_estimator(self.estimator)
        refuse_ranks(
            f"{type(self).__name__} has groups of its own",
            "Fit groups outside of it, each rank its own.",
        )
        self._validate_params()
        fitted = copy.copy(self)
        fitted._fit(rows_of(X), y, sample_weight)
        self.__dict__ = fitted.__dict__
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight):
        """Set all fitted attributes."""
        frame = read_table(self, X, y, reset=True)
        if y is None:
            raise ValueError(
                "GroupedRegressor requires y to be passed, but the target y is None."
            )
        y = check_target(column_or_1d(y, warn=True), len(frame), row_namer(frame))
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, y[:, None], dtype=np.float64)
        self._by_labels = self._read_by(frame)
        self._error_score = self.error_score
        hidden = set(self._by_labels) - named_as(self.estimator, "region")
        shown = [label for label in self._labels if label not in hidden]
        self._training_index = frame.index
        self._training_rows = self._rows_by_group(frame)
        self._shown = dict.fromkeys(self._training_rows, shown)
        found, notes = self._fit_groups(frame[shown], y, weight)
        self.groups_ = list(found)
        self.estimators_ = {
            group: one.estimator for group, one in found.items() if one.error is None
        }
        self.failures_ = {
            group: one.error for group, one in found.items() if one.error is not None
        }
        by_name = {self._name(group): one for group, one in found.items()}
        warn_of_failures(by_name, self.error_score)
        warn_once_each(notes)

    def _fit_groups(self, X, y, weight):
        """Return what came of the fit of each group, and by name what it warned of."""
        groups, fits = dict(self._training_rows), {}
        for group, error in self._refusals(X, y, weight).items():
            fits[group] = failed_fit(error)
            del groups[group]
        names = [self._name(group) for group in groups]
        with group_tasks(self, X, y, len(groups)) as tasks:
            calls = (
                (
                    None if task is None else (task, self),
                    clone(self.estimator),
                    X.iloc[rows],
                    y[rows],
                    None if weight is None else weight[rows],
                    name,
                    self.error_score != "raise",
                )
                for rows, name, task in zip(groups.values(), names, tasks, strict=True)
            )
            found = call_each_noting(fit_one, calls, self.n_jobs, self.verbose, names)
        fits |= {group: fit for group, (fit, _) in zip(groups, found, strict=True)}
        notes = {name: own for name, (_, own) in zip(names, found, strict=True)}
        return {group: fits[group] for group in self._training_rows}, notes

    @classmethod
    def from_fitted(cls, estimators: Mapping[Group, Any], by: Column | Labels) -> Self:
        """Put models side by side that were fitted apart, one per group.

        They may have other settings, channels, controls and columns, and be of
        different kinds: nothing is fitted again. Rows of all groups then stand in one
        table, with the columns of all models and those in `by`; a row needs what its
        own model reads, and may lack the rest or have NaN there.

        Parameters
        ----------
        estimators : mapping
            From groups, values of the column in `by` or tuples of values of several
            columns, to estimators that were fitted to DataFrames.
        by : str or list of str
            Columns of X that tell groups apart, which the models need not have seen.

        Returns
        -------
        model : GroupedRegressor
            Fitted. Its `estimator` is None: to fit it again, fit the models. Its
            training rows are those of the models, one after the other.

        Raises
        ------
        ValueError
            If an estimator is not fitted or knows no names of columns, a group has not
            as many values as there are columns in `by`, or a column is media of one
            model and region, period or group of another.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmmm import GroupedRegressor
        >>> from skmmm.baselines import make_linear_mmm
        >>> from skmmm.datasets import make_mmm_panel
        >>> worlds = {
        ...     brand: make_mmm_panel(1, 60, n_media=n_media, random_state=0)
        ...     for brand, n_media in [("a", 1), ("b", 2)]
        ... }
        >>> fits = {
        ...     brand: make_linear_mmm(media=w.media, time="week").fit(w.X, w.y)
        ...     for brand, w in worlds.items()
        ... }
        >>> model = GroupedRegressor.from_fitted(fits, by="brand")
        >>> X = pd.concat([w.X.assign(brand=brand) for brand, w in worlds.items()])
        >>> model.optimize_budget(X=X, kpi_value=1.0).allocation.index.tolist()
        [('a', 'media_1'), ('b', 'media_1'), ('b', 'media_2')]
        """
        labels = read_by(by)
        check_models(estimators, labels)
        model = cls(None, by)
        model._by_labels, model._error_score = labels, "raise"
        keys = [group if len(labels) > 1 else (group,) for group in estimators]
        model._training_rows = model._rows_by_group(pd.DataFrame(keys, columns=labels))
        model._training_index = None  # that of each model
        model.groups_ = list(model._training_rows)
        model.estimators_ = {group: estimators[group] for group in model.groups_}
        model.failures_ = {}
        names = [model._name(group) for group in model.groups_]
        fits = list(model.estimators_.values())
        columns = [columns_of(*one) for one in zip(fits, names, strict=True)]
        check_roles(dict(zip(names, fits, strict=True)), labels)
        model._shown = dict(zip(model.groups_, columns, strict=True))
        model._labels = list(dict.fromkeys([*labels, *chain.from_iterable(columns)]))
        model.feature_names_in_ = np.array(model._labels, dtype=object)
        model.n_features_in_ = len(model._labels)
        return model

    def _refusals(self, X, y, weight):
        """Return why groups cannot be fitted, as far as their rows say so at once."""
        found = {}
        for group, rows in self._training_rows.items():
            own = None if weight is None else weight[rows]
            name = self._name(group)
            error = refusal(self.estimator, X.iloc[rows], y[rows], own, name)
            if error is not None:
                found[group] = error
        if self.error_score == "raise":
            raise_refusals({self._name(group): error for group, error in found.items()})
        return found

    def _read_by(self, frame):
        """Return the labels of the grouping columns."""
        labels = resolve_many(frame, self.by, "by")
        if not labels:
            raise ValueError(
                "by=[] names no column: name what tells groups apart, or fit the "
                "estimator itself."
            )
        check_no_media(labels, self.estimator)
        return labels

    def _rows_by_group(self, frame):
        """Return the positions of the rows of each group, groups in sorted order."""
        codes, values = [], []
        for label in self._by_labels:
            code, levels = levels_of(frame[label], label)
            codes.append(code)
            values.append(levels)
        cells, group = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(group.ravel()))[:-1]
        keys = [tuple(v[i] for v, i in zip(values, c, strict=True)) for c in cells]
        if len(values) == 1:
            keys = [key for (key,) in keys]
        return dict(zip(keys, np.split(order, ends), strict=True))

    def _key(self, group):
        """Return a group as a tuple of one value per grouping column."""
        return group if len(self._by_labels) > 1 else (group,)

    def _name(self, group):
        """Return what a group is called in messages."""
        pairs = zip(self._by_labels, self._key(group), strict=True)
        return ", ".join(f"{label} {value!r}" for label, value in pairs)

    def _positions(self):
        """Return the position of each group in `groups_`."""
        return {group: i for i, group in enumerate(self.groups_)}

    def _names(self, groups):
        """Return what several groups are called in messages."""
        return first_few([self._name(group) for group in groups], FEW)

    def predict(self, X: Table) -> Array:
        """Predict the KPI of each row by the fit of its group.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)

        Returns
        -------
        y_pred : ndarray of shape (n_rows,)
            In the order of X; `error_score`, as of `fit`, in rows of groups whose fit
            failed.

        Raises
        ------
        ValueError
            If X has a group that `fit` did not see.
        """
        check_is_fitted(self)
        frame, by_group = self._read(rows_of(X))
        predicted = np.empty(len(frame))
        for group, rows in by_group.items():
            if group in self.failures_:
                predicted[rows] = self._error_score
                continue
            with named(self._name(group)):
                found = self.estimators_[group].predict(
                    self._rows_of(frame, group, rows)
                )
            predicted[rows] = np.asarray(found, dtype=np.float64).reshape(len(rows))
        return predicted

    def score(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the coefficient of determination of `predict`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,)
            KPI.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            As `predict`, and if X has groups whose fit failed and `error_score`, as of
            `fit`, is not finite.
        """
        check_is_fitted(self)
        if self.failures_ and not np.isfinite(self._error_score):
            _, by_group = self._read(rows_of(X))
            failed = [group for group in by_group if group in self.failures_]
            if failed:
                raise ValueError(
                    f"The fits of some groups failed: {self._names(failed)}. Their "
                    f"rows, predicted as {self._error_score}, have no score. Leave "
                    "them out, or fit with a finite error_score."
                )
        return super().score(X, y, sample_weight)

    def _read(self, X):
        """Return X as a frame, and the positions of the rows of its groups."""
        if self._fitted_apart:
            X = in_order(X, self._labels, self._by_labels)
        frame = read_table(self, X, reset=False, optional=self._ignored())
        by_group = self._rows_by_group(frame)
        unknown = [group for group in by_group if group not in self._training_rows]
        if unknown:
            raise ValueError(
                f"X has groups that fit did not see: {self._names(unknown)}. Known are "
                f"{len(self.groups_)}: {in_words(self.groups_)}."
            )
        return frame, by_group

    def _ignored(self):
        """Return the columns of `fit` that all fits can do without in X."""
        if self._fitted_apart:  # each asks for its own
            return [label for label in self._labels if label not in self._by_labels]
        ignored = dict.fromkeys(self._labels)
        for estimator in self.estimators_.values():
            inside = unwrap(estimator)
            columns = getattr(inside.model, "_columns", None)
            if inside.steps or not isinstance(columns, RolesOfColumns):
                return []
            used = {*columns.media, *columns.controls, columns.region, columns.time}
            ignored = {c: None for c in ignored if c not in used | set(self._by_labels)}
        return list(ignored)

    def _counterfactual_by_group(self, X, of_one: OfOne) -> GroupedCounterfactual:
        """Put the counterfactuals of the groups that were fitted side by side.

        None for X: each estimator is asked for that of its training rows.
        """
        frame, by_group, index = None, self._training_rows, self._training_index
        if X is not None:
            frame, by_group = self._read(X)
            index = frame.index
        fitted = [group for group in by_group if group in self.estimators_]
        self._check_left_out(by_group, fitted)
        parts = []
        for group in fitted:
            own = None
            if frame is not None:
                own = self._rows_of(frame, group, by_group[group])
            with named(self._name(group)):
                parts.append(of_one(self.estimators_[group], own))
        if index is None:
            by_group = _one_after_the_other(parts, fitted)
            index = parts[0].index.append([part.index for part in parts[1:]])
        kept = np.sort(np.concatenate([by_group[group] for group in fitted]))
        rows = [np.searchsorted(kept, by_group[group]) for group in fitted]

        def read_frame():
            if frame is not None:
                return frame.iloc[kept]
            return self._joined(
                [part.frame for part in parts], fitted, rows, index[kept]
            )

        keys = [self._key(group) for group in fitted]
        positions = self._positions()
        return GroupedCounterfactual(
            parts,
            keys,
            [positions[group] for group in fitted],
            rows,
            self._by_labels,
            index[kept],
            read_frame,
            [self._key(group) for group in self.failures_],
        )

    def _rows_of(self, frame, group, rows):
        """Return rows of a group as its estimator takes them."""
        shown = [label for label in self._shown[group] if label in frame]
        own = frame[shown].iloc[rows]
        # Beside groups that lack a column, or write it otherwise, kinds are lost.
        return own.infer_objects() if self._fitted_apart else own

    def _check_left_out(self, groups, fitted):
        """Warn of groups whose fit failed, raise if there are no others."""
        failed = [group for group in groups if group in self.failures_]
        if failed and not fitted:
            raise ValueError(
                f"The fits of all groups of X failed: {self._names(failed)}."
            )
        if failed:
            warn_user(f"Left out, as their fits failed: {self._names(failed)}.")

    def _joined(self, frames, groups, rows, index):
        """Return frames of groups as one, with grouping columns."""
        joined = pd.concat(list(frames), ignore_index=True)
        lengths = [len(frame) for frame in frames]
        for label, values in zip(
            self._by_labels, zip(*map(self._key, groups), strict=True), strict=True
        ):
            joined[label] = pd.Index(values).repeat(lengths)
        order = np.argsort(np.concatenate(rows), kind="stable")
        columns = [label for label in self._labels if label in joined]
        return joined[columns].iloc[order].set_axis(index)

    def _draws_of_prediction(self, X):
        """Return the expected KPI of every row by draw, None without draws."""
        check_is_fitted(self)
        frame, by_group = self._read(rows_of(X))
        found = []
        for group, rows in by_group.items():
            model = bare(self.estimators_.get(group))
            draws_of = getattr(model, "_draws_of_prediction", None)
            draws = (
                None
                if draws_of is None
                else draws_of(self._rows_of(frame, group, rows))
            )
            if draws is None:
                return None
            found.append(draws)
        n_draws, positions = max(map(len, found)), self._positions()
        drawn = np.empty((n_draws, len(frame)))
        for draws, (group, rows) in zip(found, by_group.items(), strict=True):
            order = paired_draws(positions[group], n_draws, len(draws))
            drawn[:, rows] = draws[order]
        return drawn

    def _coming_periods(self, periods):
        """Return the coming periods of all groups, one group after the other."""
        check_is_fitted(self)
        calls = [
            (estimator, periods, self._name(group))
            for group, estimator in self.estimators_.items()
        ]
        found = call_each_noting(coming_of_one, calls, n_jobs=1)
        frames = [frame for frame, _ in found]
        warn_once_each({c[-1]: own for c, (_, own) in zip(calls, found, strict=True)})
        self._check_left_out(self.groups_, frames)
        ends = np.cumsum([len(frame) for frame in frames])
        rows = np.split(np.arange(ends[-1]), ends[:-1])
        index = pd.RangeIndex(ends[-1])
        return self._joined(frames, list(self.estimators_), rows, index)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")


def _one_after_the_other(parts, groups):
    """Return the positions of the rows of each group among those of all."""
    ends = np.cumsum([0, *(len(part.index) for part in parts)])
    rows = [np.arange(start, end) for start, end in pairwise(ends)]
    return dict(zip(groups, rows, strict=True))
