"""What any fitted estimator predicts if the spend of X's rows were otherwise."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
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
from skmmm._data.tables import BoundTable, row_namer
from skmmm._unwrapping import bare, unwrap
from skmmm.inspection._protocol import ChannelEffects, Counterfactual
from skmmm.inspection._support import STEP, support_factors

_EXACT = 12  # channels up to which all coalitions are asked
_ALIKE = 1e-9  # relative to the prediction: what counts as no interaction


def counterfactual_of(
    estimator,
    X=None,
    *,
    effect="direct",
    media=None,
    region=None,
    time=None,
    media_cost=None,
    n_permutations=256,
    random_state=0,
):
    """Return the `Counterfactual` of an estimator on the rows of X.

    An estimator may bring its own, by a method ``_counterfactual(X)``, alone, as the
    best estimator of a search, or behind steps that leave media as they are or rescale
    them; of any other, predictions are compared.
    """
    given = {"media": media, "region": region, "time": time, "media_cost": media_cost}
    if isinstance(X, BoundTable):
        X.check_read_by(estimator)
        _check_known(given, "The table was read with its columns and costs")
        return X.counterfactual(effect)
    check_is_fitted(estimator)
    inside = unwrap(estimator)
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


def _check_known(given, why):
    """Raise if columns or costs are given that are known already."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{why}: leave out {name}, and set it on the estimator.")


def _own_counterfactual(inside, X):
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
    unit = inside.media_scale(X, model._columns.media, keys)
    if unit is None:
        return None
    frame = inside.frame(X)
    found = model._counterfactual(inside.rows(X))
    return replace(found, unit=unit, index=frame.index, read_frame=frame.copy)


def _media(inside, frame, media, name):
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


def _role(inside, frame, given, role):
    """Return the label of the region or time column, None if nothing names it."""
    if given is None:
        return inside.role(frame, role)
    return resolve_column(frame, given, role)


@dataclass(frozen=True, eq=False)
class PredictedCounterfactual(Counterfactual):
    """Rows of X, and what is predicted for them under other spend.

    The KPI of the rows of X alone counts: that of later rows is not known to be
    predictable.

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
    """

    estimator: object
    X: object
    frame: pd.DataFrame
    labels: list
    region: object
    time: object
    media_cost: np.ndarray
    n_permutations: int
    random_state: object

    has_draws = False
    saturates = True

    @property
    def names(self):
        """Labels of all columns of X."""
        return labels_of(self.frame)

    @property
    def columns(self):
        """Columns of the table of contributions after the baseline."""
        return self.labels

    @property
    def index(self):
        """Of X."""
        return self.frame.index

    @property
    def is_money(self):
        """Whether the cost of a channel is known, shape (n_media,)."""
        return np.isfinite(self.media_cost)

    @cached_property
    def _units(self):
        where = row_namer(self.frame, self.region, self.time)
        values = numeric_block(self.frame, self.labels, where)
        check_non_negative_media(
            values, self.labels, where, type(self.estimator).__name__
        )
        return values

    @property
    def spend(self):
        """Spend of X's rows, (n_rows, n_media), money where its cost is known."""
        return self._units * self.media_cost_or_unit

    def groups(self, by):
        """Return the group of every row of X and the names of the groups."""
        if by is None:
            return np.zeros(len(self.frame), dtype=np.int64), [None]
        if by not in ("region", "period"):
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

    def predicted(self):
        """Return the prediction for the rows of X, shape (n_rows,)."""
        return self._predict(np.ones(len(self.labels)))

    def without_media(self):
        """Return what is predicted without any spend."""
        nothing = self._predict(np.zeros(len(self.labels)))
        return pd.DataFrame({"baseline": nothing}, index=self.index)

    def for_effect(self, effect):
        """Return the counterfactual itself: predictions know direct effects only."""
        if effect != "direct":
            raise ValueError(
                f"effect={effect!r} needs a channel graph, which "
                f"{type(self.estimator).__name__} has not. Use effect='direct'."
            )
        return self

    def _as_given(self, frame):
        """Return a frame as the estimator takes it: with names, if X has any."""
        return frame if hasattr(self.X, "columns") else frame.to_numpy()

    def _predict(self, factors):
        """Predict with the spend of each channel multiplied.

        Parameters
        ----------
        factors : ndarray of shape (n_media,) or (n_media, n_rows)
        """
        frame = self.frame.copy()
        for label, units, factor in zip(
            self.labels, self._units.T, factors, strict=True
        ):
            if np.ndim(factor) or factor != 1.0:
                frame[label] = units * factor
        asked = self._as_given(frame)
        predicted = np.asarray(self.estimator.predict(asked), dtype=np.float64)
        if predicted.shape != (len(frame),):
            raise ValueError(
                f"{type(self.estimator).__name__} predicts an array of shape "
                f"{predicted.shape}; one KPI per row is needed."
            )
        return predicted

    def contributions(self, *, draws=False):
        """Return what channels contribute to the rows, (1, n_rows, n_media)."""
        return self._shapley[0][None]

    def standard_error(self):
        """Return that of each channel's total, None where nothing was drawn."""
        return self._shapley[1]

    answers = False

    @property
    def has_periods(self):
        """Whether the time column is known."""
        return self.time is not None

    @property
    def additive(self):
        """Whether channels act side by side, as far as can be seen."""
        return self._alone is not None

    def _coalition(self, coalition):
        return self._predict(coalition.astype(np.float64))

    @cached_property
    def _alone(self):
        return without_interaction(
            self._coalition, len(self.labels), check_random_state(self.random_state)
        )

    @cached_property
    def _shapley(self):
        if self._alone is not None:
            return self._alone, None
        return shapley_values(
            self._coalition,
            len(self.labels),
            n_permutations=self.n_permutations,
            rng=check_random_state(self.random_state),
        )

    def effects(self, by=None, *, draws=False):
        """Return the `ChannelEffects` of all channels by group."""
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
            charge=spend,
        )

    def curve(self, channel, factors, by=None, *, draws=False):
        """Return what spend of one channel causes if it is scaled.

        Parameters
        ----------
        channel : int
        factors : ndarray of shape (n_factors,)
        by : {"region"} or None

        Returns
        -------
        incremental : ndarray of shape (n_factors, 1, n_groups)
            Against no spend of the channel, the others unchanged.
        """
        group, names = self.groups(by)

        def total(factor):
            all_factors = np.ones(len(self.labels))
            all_factors[channel] = factor
            predicted = self._predict(all_factors)
            return np.bincount(group, predicted, minlength=len(names))

        nothing = total(0.0)
        return np.stack([total(factor) - nothing for factor in factors])[:, None]

    def spend_curve(self, channel, factors, by=None):
        """Return what all spend costs if that of one channel is scaled, (K, G)."""
        group, names = self.groups(by)
        others = np.delete(self.spend, channel, axis=1).sum(axis=1)
        own = self.spend[:, channel]
        return np.stack(
            [
                np.bincount(group, others + factor * own, minlength=len(names))
                for factor in factors
            ]
        )

    def planned(self, multiples, by=None):
        """Return the counterfactual in which X's rows spend as planned.

        Parameters
        ----------
        multiples : ndarray of shape (n_media, n_groups)
            Of what X spends.
        by : {"region", "period"} or None
        """
        frame = self.frame.copy()
        group, _ = self.groups(by)
        for label, units, multiple in zip(
            self.labels, self._units.T, multiples, strict=True
        ):
            frame[label] = units * multiple[group]
        asked = self._as_given(frame)
        return replace(self, X=asked, frame=frame)

    def planned_rows(self, multiples, by=None):
        """Return the rows of X under a plan."""
        return self.planned(multiples, by).frame

    def plan_effects(self, multiples, by=None):
        """Return spend, contribution and returns of every cell of a plan, (M * G,)."""
        planned = self.planned(multiples, by)
        effects = planned.effects(by)
        names = ("spend", "contribution", "roi", "mroi")
        cells = {name: getattr(effects, name)[0].T.ravel() for name in names}
        return Bunch(**cells, outcome=planned.outcome()[0])

    def outcome(self, multiples=None, by=None, *, draws=False):
        """Return what all spend causes under a plan, shape (1,)."""
        planned = self if multiples is None else self.planned(multiples, by)
        nothing = self._predict(np.zeros(len(self.labels)))
        return np.array([planned.predicted().sum() - nothing.sum()])

    def flights(self, *, draws=False):
        """Return what is predicted as a function of a plan by period.

        Returns
        -------
        asked : callable
            From multiples of shape (n_media, n_periods) to the predicted total, shape
            (1,), and its gradient, by one prediction for each entry.
        """

        def asked(multiples, weigh):
            now = self.planned(multiples, "period").predicted().sum()
            gradient = np.empty_like(multiples)
            for cell in np.ndindex(multiples.shape):
                more = multiples.copy()
                more[cell] += STEP
                gradient[cell] = self.planned(more, "period").predicted().sum() - now
            return np.array([now]), gradient / STEP

        return asked

    def observed_until(self, by=None):
        """Return up to which multiple of its spend each channel was seen, (M, G)."""
        group, names = self.groups(by)
        if self.region is None:
            region = np.zeros(len(self.frame), dtype=np.int64)
        else:
            region, _ = self.groups("region")
        return support_factors(
            self._units, region, self._units, region, group, len(names)
        )


def shapley_values(value, n_players, *, n_permutations, rng):
    """Return what each player adds to the value of all, and its standard error.

    Parameters
    ----------
    value : callable
        From a coalition, ndarray of shape (n_players,) of bool, to an ndarray of shape
        (n_rows,).
    n_players : int
    n_permutations : int
    rng : RandomState

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


def without_interaction(value, n_players, rng):
    """Return what each player adds if that is always the same, else None.

    Asked are each player alone, each player last, and eight random coalitions.

    Parameters
    ----------
    value, n_players, rng
        As in `shapley_values`.
    """
    itself, known = np.eye(n_players, dtype=bool), {}

    def worth(coalition):
        key = coalition.tobytes()
        if key not in known:
            known[key] = value(coalition)
        return known[key]

    nothing, everything = worth(itself[0] & False), worth(itself[0] | True)
    size = _ALIKE * max(np.abs(everything).max(), np.abs(nothing).max(), 1e-300)
    alone = np.stack([worth(one) - nothing for one in itself], axis=1)
    last = np.stack([everything - worth(~one) for one in itself], axis=1)
    if np.abs(alone - last).max() > size:
        return None
    for _ in range(8):
        coalition = rng.random_sample(n_players) < 0.5
        expected = nothing + alone[:, coalition].sum(axis=1)
        if np.abs(worth(coalition) - expected).max() > size:
            return None
    return alone


def _all_coalitions(value, n_players):
    """Return exact Shapley values, from all coalitions."""
    shares = 0.0
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


def _some_orders(value, n_players, n_permutations, rng):
    """Return Shapley values from random orders, each with its reverse."""
    n_pairs = max(1, n_permutations // 2)
    mean, totals = 0.0, []
    for _ in range(n_pairs):
        order = rng.permutation(n_players)
        added = (_along(value, order) + _along(value, order[::-1])) / 2
        mean = mean + added / n_pairs
        totals.append(added.sum(axis=0))
    error = np.full(n_players, np.nan)
    if n_pairs > 1:
        error = np.std(totals, axis=0, ddof=1) / np.sqrt(n_pairs)
    return mean, error


def _along(value, order):
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
