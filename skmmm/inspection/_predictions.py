"""What any fitted estimator predicts if the spend of X's rows were otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.random import RandomState
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import (
    check_non_negative_media,
    labels_of,
    numeric_block,
    region_values,
    resolve_column,
    resolve_many,
)
from skmmm._data.costs import costs_per_unit
from skmmm._data.experiments import Experiment
from skmmm._data.tables import row_namer
from skmmm._unwrapping import Inside, bare, unwrap
from skmmm._utils.bound import BoundTable
from skmmm._utils.typing import Array, Column, Columns, MediaCost, Seed, Table
from skmmm.inspection._experiments import experiments_in_rows
from skmmm.inspection._protocol import (
    By,
    ChannelEffects,
    Counterfactual,
    Effect,
    ExperimentValues,
    Flights,
    TableCounterfactual,
)
from skmmm.inspection._support import STEP, support_factors

# From a coalition of players, (n_players,) of bool, to values of shape (n_rows,).
Value: TypeAlias = Callable[[np.ndarray], Array]

_EXACT = 12  # channels up to which all coalitions are evaluated
_ALIKE = 1e-9  # relative to the prediction: what counts as no interaction


def counterfactual_of(
    estimator: Any,
    X: Table | BoundTable | None = None,
    effect: Effect = "direct",
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
    n_permutations: int = 256,
    random_state: Seed = 0,
) -> Counterfactual:
    """Return the `Counterfactual` of an estimator on the rows of X.

    An estimator may bring its own, by a method ``_counterfactual(X, media_scale)``, by
    itself, as the best estimator of a search, or behind steps that leave media as they
    are or rescale them; of any other, predictions are compared. One that holds several
    estimators puts their counterfactuals together, in ``_counterfactual_by_group(X,
    of_one)``, where ``of_one(estimator, X)`` is this function.
    """
    given: dict[str, Any] = {
        "media": media,
        "region": region,
        "time": time,
        "media_cost": media_cost,
    }
    if isinstance(X, BoundTable):
        X.check_read_by(estimator)
        _check_known(given, "The table was read with its columns and costs")
        return X.counterfactual(effect)
    check_is_fitted(estimator)
    inside = unwrap(estimator)
    if hasattr(inside.model, "_counterfactual_by_group") and not inside.steps:
        of_one = partial(
            counterfactual_of,
            effect=effect,
            n_permutations=n_permutations,
            random_state=random_state,
            **given,
        )
        return inside.model._counterfactual_by_group(X, of_one)
    own = _own_counterfactual(inside, X)
    if own is not None:
        model = type(inside.model).__name__
        _check_known(given, f"{model} knows its columns and costs")
        return own.for_effect(effect)
    name = type(estimator).__name__
    if X is None:
        raise ValueError(f"{name} does not remember its training rows: pass X.")
    estimator, frame = bare(estimator), inside.frame(X)
    labels = _media(inside, frame, media, name)
    return PredictedCounterfactual(
        estimator=estimator,
        X=X,
        frame=frame,
        labels=labels,
        region=_role(inside, frame, region, "region"),
        time=_role(inside, frame, time, "time"),
        media_cost=costs_per_unit(media_cost, labels, labels_of(frame)),
        n_permutations=n_permutations,
        random_state=random_state,
    ).for_effect(effect)


def _check_known(given: dict[str, Any], why: str) -> None:
    """Raise if columns or costs are given that are known already."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{why}: leave out {name}, and set it on the estimator.")


def _own_counterfactual(inside: Inside, X: Table | None) -> Counterfactual | None:
    """Return the counterfactual that a model brings, None without one.

    Also None where steps before the model change media in other ways than by a factor:
    what the model then says is not about the columns of X.
    """
    model = inside.model
    if not hasattr(model, "_counterfactual"):
        return None
    if not inside.steps:
        return model._counterfactual(X)
    if X is None:  # the training rows are those behind the steps, not those of X
        return None
    keys = [
        label
        for label in (model._columns.region, model._columns.time)
        if label is not None
    ]
    scale = inside.media_scale(X, model._columns.media, keys)
    if scale is None:
        return None
    frame = inside.frame(X)
    found = model._counterfactual(inside.rows(X), scale)
    return replace(found, index=frame.index, read_frame=frame.copy)


def _media(inside: Inside, frame: pd.DataFrame, media: Columns, name: str) -> list:
    """Return the labels of the media columns, in the order of the frame."""
    if media is None:
        chosen = inside.media(frame)
    else:
        chosen = resolve_many(frame, media, "media")
    if chosen is None:
        raise ValueError(
            f"{name} does not say which columns are media: pass media=[...]."
        )
    if not chosen:
        raise ValueError("There are no media columns: pass media=[...].")
    return [label for label in labels_of(frame) if label in chosen]


def _role(
    inside: Inside, frame: pd.DataFrame, given: Column | None, role: str
) -> Column | None:
    """Return the label of the region or time column, None if nothing names it."""
    if given is None:
        return inside.role(frame, role)
    return resolve_column(frame, given, role)


@dataclass(frozen=True, eq=False)
class PredictedCounterfactual(TableCounterfactual):
    """The counterfactual of predictions of any estimator.

    Only the KPI of the rows of X counts: later rows may not be predictable.

    Attributes
    ----------
    estimator : object
    X : DataFrame or array-like
        As the estimator takes it.
    frame : DataFrame
        X with column labels.
    labels : list
        Media columns.
    region, time : label or None
    media_cost : ndarray of shape (n_media,)
        Money per unit of the columns, nan where it is unknown.
    n_permutations : int
    random_state : int, RandomState instance or None
    observed : ndarray of shape (n_rows, n_media) or None
        Media of the rows before they were planned; None: they are as they were.
    """

    estimator: Any
    X: Any
    frame: pd.DataFrame
    labels: list
    region: Column | None
    time: Column | None
    media_cost: Array
    n_permutations: int
    random_state: Seed
    observed: Array | None = None

    n_draws = 0
    responds = False

    @cached_property
    def names(self):
        return labels_of(self.frame)

    @cached_property
    def columns(self):
        return self.labels

    @cached_property
    def index(self):
        return self.frame.index

    @cached_property
    def is_money(self):
        return np.isfinite(self.media_cost)

    @cached_property
    def units(self):
        """Spend of the rows in units of X, (n_rows, n_media)."""
        where = row_namer(self.frame, self.region, self.time)
        values = numeric_block(self.frame, self.labels, where)
        check_non_negative_media(
            values, self.labels, where, type(self.estimator).__name__
        )
        return values

    @cached_property
    def spend(self):
        return self.units * self.media_cost_or_unit

    def groups(self, by: By) -> tuple[np.ndarray, list]:
        if by is None:
            return np.zeros(len(self.frame), dtype=np.int64), [None]
        if not isinstance(by, str) or by not in ("region", "period"):
            raise ValueError(f"by={by!r} must be None, 'region' or 'period'.")
        role = {"region": "region", "period": "time"}[by]
        label = getattr(self, role)
        if label is None:
            raise ValueError(
                f"by={by!r} needs the {role} column: pass {role}=... with its name."
            )
        names, group = np.unique(
            region_values(self.frame, label) if by == "region" else self.frame[label],
            return_inverse=True,
        )
        return group, list(names)

    def predicted(self) -> Array:
        return self._predict(np.ones(len(self.labels)))

    def without_media(self) -> pd.DataFrame:
        nothing = self._predict(np.zeros(len(self.labels)))
        return pd.DataFrame({"baseline": nothing}, index=self.index)

    def with_costs(self, media_cost: Array) -> Self:
        return replace(self, media_cost=media_cost)

    def for_effect(self, effect: Effect) -> Self:
        """Return the counterfactual itself: predictions know direct effects only."""
        if effect != "direct":
            raise ValueError(
                f"effect={effect!r} needs a channel graph, which "
                f"{type(self.estimator).__name__} has not. Use effect='direct'."
            )
        return self

    def _as_given(self, frame: pd.DataFrame) -> Any:
        """Return a frame as the estimator takes it: with names, if X has any."""
        return frame if hasattr(self.X, "columns") else frame.to_numpy()

    def _predict(self, factors: Array | list) -> Array:
        """Predict with spend multiplied, (n_media,) or (n_media, n_rows)."""
        frame = self.frame.copy()
        for label, units, factor in zip(
            self.labels, self.units.T, factors, strict=True
        ):
            if np.ndim(factor) or factor != 1.0:
                frame[label] = units * factor
        return self.predicted_from(frame)

    def predicted_from(self, frame: pd.DataFrame) -> Array:
        """Return the prediction for the rows with other values, (n_rows,)."""
        given = self._as_given(frame)
        predicted = np.asarray(self.estimator.predict(given), dtype=np.float64)
        if predicted.shape != (len(frame),):
            raise ValueError(
                f"{type(self.estimator).__name__} predicts an array of shape "
                f"{predicted.shape}; one KPI per row is needed."
            )
        return predicted

    def contributions(self, *, draws: bool = False) -> Array:
        return self._shapley[0][None]

    def standard_error(self) -> Array | None:
        return self._shapley[1]

    @cached_property
    def has_periods(self):
        return self.time is not None

    @cached_property
    def region_codes(self):
        if self.region is None:
            return np.zeros(len(self.frame), dtype=np.int64)
        return self.groups("region")[0]

    @cached_property
    def additive(self):
        return self._separate is not None

    def _coalition(self, coalition: np.ndarray) -> Array:
        return self._predict(coalition.astype(np.float64))

    @cached_property
    def _separate(self) -> Array | None:
        return without_interaction(
            self._coalition, len(self.labels), check_random_state(self.random_state)
        )

    @cached_property
    def _shapley(self) -> tuple[Array, Array | None]:
        if self._separate is not None:
            return self._separate, None
        return shapley_values(
            self._coalition,
            len(self.labels),
            n_permutations=self.n_permutations,
            rng=check_random_state(self.random_state),
        )

    def effects(self, by: By = None, *, draws: bool = False) -> ChannelEffects:
        group, names = self.groups(by)

        def summed(rows):
            total = np.zeros((len(names), rows.shape[1]))
            np.add.at(total, group, rows)
            return total[None]

        now, ones = self.predicted(), np.ones(len(self.labels))
        more = [self._predict(ones + STEP * unit) - now for unit in np.eye(len(ones))]
        contribution, spend = summed(self.contributions()[0]), summed(self.spend)
        return ChannelEffects(
            contribution=contribution,
            incremental=contribution,
            spend=spend,
            gain=summed(np.stack(more, axis=1)) / STEP,
            extra_cost=spend,
        )

    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        return self._scaled(channel, factors, by)

    def curve_of_rows(
        self, channel: int, multiples: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        return self._scaled(channel, multiples, by)

    def _scaled(self, channel, factors, by):
        """Return what factors of a channel cause, each one or one per row."""
        group, names = self.groups(by)

        def total(factor):
            all_factors = [1.0] * len(self.labels)
            all_factors[channel] = factor
            predicted = self._predict(all_factors)
            return np.bincount(group, predicted, minlength=len(names))

        nothing = total(0.0)
        return np.stack([total(factor) - nothing for factor in factors])[:, None]

    def planned(self, multiples: Array, by: By = None) -> Self:
        return self.delivering(multiples[:, self.groups(by)[0]].T)

    def delivering(self, multiples: Array) -> Self:
        frame = self.frame.copy()
        for label, units in zip(self.labels, (self.units * multiples).T, strict=True):
            frame[label] = units
        given = self._as_given(frame)
        return replace(self, X=given, frame=frame, observed=self._seen)

    def planned_rows(self, multiples: Array, by: By = None) -> pd.DataFrame:
        return self.planned(multiples, by).frame

    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        planned = self.planned(multiples, by)
        effects = planned.effects(by)
        names = ("spend", "contribution", "roi", "mroi")
        cells = {name: getattr(effects, name)[0].T.ravel() for name in names}
        return Bunch(**cells, outcome=planned.outcome()[0])

    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        planned = self if multiples is None else self.planned(multiples, by)
        nothing = self._predict(np.zeros(len(self.labels)))
        return np.array([planned.predicted().sum() - nothing.sum()])

    def flights(self, *, draws: bool = False) -> Flights:
        """See `Counterfactual`; the gradient takes one prediction for each entry."""

        def outcome(multiples, weigh):
            now = self.planned(multiples, "period").predicted().sum()
            gradient = np.empty_like(multiples)
            for cell in np.ndindex(multiples.shape):
                more = multiples.copy()
                more[cell] += STEP
                gradient[cell] = self.planned(more, "period").predicted().sum() - now
            return np.array([now]), gradient / STEP

        return outcome

    @cached_property
    def _experiments(self):
        return experiments_in_rows(self)

    @cached_property
    def experiment_grid(self):
        return self._experiments.grid

    def answers(self, experiment: Experiment) -> bool:
        return self.experiment_grid.holds(experiment)

    def experiment_values(self, experiments: list[Experiment]) -> ExperimentValues:
        found = [self._experiments.value(one) for one in experiments]
        values, measured, errors = np.array(found).T
        return ExperimentValues(values[None], measured, errors)

    def observed_at(self, share: float, by: By = None) -> Array:
        group, names = self.groups(by)
        region = self.region_codes
        return support_factors(
            self._seen, region, self.units, region, group, len(names), share
        )

    @property
    def _seen(self):
        return self.units if self.observed is None else self.observed


def shapley_values(
    value: Value, n_players: int, *, n_permutations: int, rng: RandomState
) -> tuple[Array, Array | None]:
    """Return what each player adds to the value of all, and its standard error.

    Returns
    -------
    shares : ndarray of shape (n_rows, n_players)
        They sum to ``value(all) - value(none)``.
    standard_error : ndarray of shape (n_players,) or None
        Of each player's total; None where the values are exact.
    """
    if n_players <= _EXACT:
        return _all_coalitions(value, n_players), None
    return _some_orders(value, n_players, n_permutations, rng)


def without_interaction(value: Value, n_players: int, rng: RandomState) -> Array | None:
    """Return what each player adds if that is always the same, else None.

    Tried are each player first, each player last, and eight random coalitions.
    """
    single = np.eye(n_players, dtype=bool)
    known: dict[bytes, Array] = {}

    def worth(coalition: np.ndarray) -> Array:
        key = coalition.tobytes()
        if key not in known:
            known[key] = value(coalition)
        return known[key]

    nothing, everything = worth(single[0] & False), worth(single[0] | True)
    size = _ALIKE * max(np.abs(everything).max(), np.abs(nothing).max(), 1e-300)
    first = np.stack([worth(one) - nothing for one in single], axis=1)
    last = np.stack([everything - worth(~one) for one in single], axis=1)
    if np.abs(first - last).max() > size:
        return None
    for _ in range(8):
        coalition = rng.random_sample(n_players) < 0.5
        expected = nothing + first[:, coalition].sum(axis=1)
        if np.abs(worth(coalition) - expected).max() > size:
            return None
    return first


def _all_coalitions(value: Value, n_players: int) -> Array:
    """Return exact Shapley values, from all coalitions."""
    shares = np.zeros(())
    sizes = np.arange(n_players)
    # Of coalitions without a player, by size: 1 / (n * binomial(n - 1, size)).
    weight = np.ones(n_players)
    for size in sizes[1:]:
        weight[size] = weight[size - 1] * size / (n_players - size)
    weight = weight / n_players
    for code in range(2**n_players):
        coalition = (code >> sizes & 1).astype(bool)
        size = coalition.sum()
        factor = np.where(
            coalition, weight[size - 1], -weight[min(size, n_players - 1)]
        )
        shares = shares + value(coalition)[:, None] * factor
    return shares


def _some_orders(
    value: Value, n_players: int, n_permutations: int, rng: RandomState
) -> tuple[Array, Array]:
    """Return Shapley values from random orders, each with its reverse."""
    n_pairs = max(1, n_permutations // 2)
    mean, totals = np.zeros(()), []
    for _ in range(n_pairs):
        order = rng.permutation(n_players)
        added = (_along(value, order) + _along(value, order[::-1])) / 2
        mean = mean + added / n_pairs
        totals.append(added.sum(axis=0))
    error = np.full(n_players, np.nan)
    if n_pairs > 1:
        error = np.std(totals, axis=0, ddof=1) / np.sqrt(n_pairs)
    return mean, error


def _along(value: Value, order: np.ndarray) -> Array:
    """Return what each player adds when they join one after the other."""
    coalition = np.zeros(len(order), dtype=bool)
    values = [value(coalition)]
    for player in order:
        coalition = coalition.copy()
        coalition[player] = True
        values.append(value(coalition))
    added = np.empty((len(values[0]), len(order)))
    for player, (before, after) in zip(order, pairwise(values), strict=True):
        added[:, player] = after - before
    return added


def known_roles(estimator: Any, tables: Iterable[Any]) -> dict[str, Any]:
    """Return with which columns and costs tables were read; check who read them.

    Nothing is known of tables that were not read, or were read by our own regressor,
    which knows its columns itself.
    """
    known: dict[str, Any] = {}
    for X in tables:
        if isinstance(X, BoundTable):
            X.check_read_by(estimator)
            read = X.counterfactual()
            if isinstance(read, PredictedCounterfactual):
                paid = zip(read.labels, read.media_cost, strict=True)
                known = {"media": read.labels, "region": read.region, "time": read.time}
                known["media_cost"] = {k: v for k, v in paid if np.isfinite(v)}
    return known
