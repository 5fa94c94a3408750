"""Counterfactuals of several fits, side by side.

The channels of all are asked about, and planned, as those of one table: a channel is
called by its group and its name, rows are those of all groups in the order of X, and
what is caused is the sum. Whatever belongs to one channel is asked of its own group, so
that nothing is as large as all rows times all channels, but `spend` and `contributions`
where these are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._data.checks import labels_of, plain_label
from skmmm._data.experiments import Experiment
from skmmm._utils.typing import Array
from skmmm.inspection._protocol import (
    By,
    ChannelEffects,
    Counterfactual,
    Effect,
    ExperimentValues,
    Flights,
)


@dataclass(frozen=True, eq=False)
class GroupedCounterfactual(Counterfactual):
    """The counterfactuals of groups that have nothing to do with each other.

    Draws of groups stand side by side in the orders of `paired_draws`.

    Attributes
    ----------
    parts : list of Counterfactual
        One per group.
    keys : list of tuple
        Of the groups: one value per grouping column.
    positions : list of int
        Of the groups, among all that were fitted.
    rows : list of ndarray
        Positions of the rows of each group.
    by : list
        Labels of the grouping columns.
    index : Index
        Of all rows.
    read_frame : callable
        Returns all rows as a frame, grouping columns included.
    failed : sequence of tuple
        Keys of the groups whose fits failed.
    """

    parts: list[Counterfactual]
    keys: list[tuple]
    positions: list[int]
    rows: list[np.ndarray]
    by: list
    index: pd.Index
    read_frame: Callable[[], pd.DataFrame]
    failed: Sequence[tuple] = ()

    @cached_property
    def labels(self):
        return [
            (*key, label)
            for key, part in zip(self.keys, self.parts, strict=True)
            for label in part.labels
        ]

    def group_name(self, key: tuple) -> str:
        """Return what a group is called in messages."""
        pairs = zip(self.by, key, strict=True)
        return ", ".join(f"{label} {value!r}" for label, value in pairs)

    @cached_property
    def frame(self):
        return self.read_frame()

    @cached_property
    def names(self):
        return labels_of(self.frame)

    @cached_property
    def columns(self):
        controls = [
            label
            for part in self.parts
            for label in part.columns
            if label not in part.labels
        ]
        return [*dict.fromkeys(controls), *self.labels]

    @cached_property
    def spend(self):
        return self._in_blocks(part.spend for part in self.parts)

    @cached_property
    def paid_spend(self):
        return self._in_blocks(part.paid_spend for part in self.parts)

    @cached_property
    def media_cost(self):  # type: ignore[override]  # a field of the other makers
        return np.concatenate([part.media_cost for part in self.parts])

    @property
    def unit_cost(self):
        return np.concatenate([part.unit_cost for part in self.parts])

    @cached_property
    def is_money(self):
        return np.concatenate([part.is_money for part in self.parts])

    @cached_property
    def n_draws(self):
        counts = [part.n_draws for part in self.parts]
        return max(counts) if min(counts) else 0

    @property
    def has_periods(self):
        return all(part.has_periods for part in self.parts)

    @property
    def responds(self):
        return any(part.responds for part in self.parts)

    @property
    def additive(self):
        return all(part.additive for part in self.parts)

    @property
    def has_stock(self):
        return any(part.has_stock for part in self.parts)

    @property
    def total_spend(self):
        return sum(part.total_spend for part in self.parts)

    @property
    def least_effect(self):
        return np.concatenate([part.least_effect for part in self.parts])

    # Where channels and groups of rows of the parts are among those of all.

    @cached_property
    def _starts(self):
        """Position of the first channel of each part, and the number of all."""
        return np.cumsum([0, *(len(part.labels) for part in self.parts)])

    def _part_of(self, channel):
        """Return the part of a channel, and the channel's position in it."""
        g = int(np.searchsorted(self._starts, channel, "right")) - 1
        return g, int(channel - self._starts[g])

    def _split(self, values):
        """Return the values of each part's channels, along the first axis."""
        return np.split(values, self._starts[1:-1])

    @cached_property
    def _grouped_rows(self):
        """What `_groups_of` has found, by its argument."""
        return {}

    def _groups_of(self, by):
        """Return names of all groups of rows, and positions of each part's in them."""
        if by not in self._grouped_rows:
            found = [part.groups(by)[1] for part in self.parts]
            plain = [[plain_label(name) for name in names] for names in found]
            if by is None:
                all_names: list[Any] = [None]
            else:
                all_names = self._sorted({n for names in plain for n in names}, by)
            at = {name: i for i, name in enumerate(all_names)}
            own = [np.array([at[name] for name in names]) for names in plain]
            self._grouped_rows[by] = all_names, own
        return self._grouped_rows[by]

    def _sorted(self, names, by):
        """Return names of groups of rows in their order."""
        try:
            return sorted(names)
        except TypeError as error:
            raise ValueError(
                f"The {by}s of groups are of different kinds (dates and numbers, say), "
                f"so that no table by {by} has them in order. Write them alike."
            ) from error

    def _placed(self, values: Sequence[Array], by: By, axis: int, fill: float = 0.0):
        """Return values of the parts with all groups of rows along an axis."""
        names, own = self._groups_of(by)
        placed = []
        for one, at in zip(values, own, strict=True):
            shape = list(one.shape)
            shape[axis] = len(names)
            wide = np.full(shape, fill)
            np.moveaxis(wide, axis, 0)[at] = np.moveaxis(one, axis, 0)
            placed.append(wide)
        return placed

    @cached_property
    def _paired(self):
        """Which draw of each part stands at each place, (n_draws,) per part."""
        return [
            paired_draws(position, self.n_draws, part.n_draws)
            for position, part in zip(self.positions, self.parts, strict=True)
        ]

    def _draws_of(self, values, axis=0):
        """Return values of each part with its draws where they stand among all."""
        if not self.has_draws:
            return list(values)
        return [
            np.take(one, order, axis)
            for one, order in zip(values, self._paired, strict=True)
        ]

    def _in_blocks(self, blocks):
        """Return (..., n_rows, M) from those of the parts, zero elsewhere."""
        blocks = list(blocks)
        shape = (*blocks[0].shape[:-2], len(self.index), self._starts[-1])
        total = np.zeros(shape)
        for block, rows, start in zip(
            blocks, self.rows, self._starts[:-1], strict=True
        ):
            total[..., rows, start : start + block.shape[-1]] = block
        return total

    def _in_order(self, frames):
        """Return frames of the parts as one, rows in the order of X."""
        order = np.argsort(np.concatenate(self.rows), kind="stable")
        joined = pd.concat(list(frames), ignore_index=True).iloc[order]
        return joined.set_axis(self.index)

    # What all rows are, and how tables call channels.

    def groups(self, by: By) -> tuple[np.ndarray, list]:
        names, own = self._groups_of(by)
        group = np.zeros(len(self.index), dtype=np.int64)
        for part, rows, at in zip(self.parts, self.rows, own, strict=True):
            group[rows] = at[part.groups(by)[0]]
        return group, names

    def cells_index(self, by: By) -> pd.Index:
        levels = [*self.by, "channel"]
        if by is None:
            return pd.MultiIndex.from_tuples(self.labels, names=levels)
        cells = [(*c, name) for c in self.labels for name in self._groups_of(by)[0]]
        return pd.MultiIndex.from_tuples(cells, names=[*levels, by])

    def judgements(self) -> dict[str, np.ndarray]:
        found = [part.judgements() for part in self.parts]
        names = [name for name in found[0] if all(name in one for one in found)]
        return {name: np.concatenate([one[name] for one in found]) for name in names}

    def known_together(self) -> list[np.ndarray]:
        return [
            start + np.asarray(members)
            for start, part in zip(self._starts[:-1], self.parts, strict=True)
            for members in part.known_together()
        ]

    def doubted(self) -> np.ndarray:
        return np.concatenate([part.doubted() for part in self.parts])

    def lag_weights(self, *, draws: bool = False) -> Array:
        found = [part.lag_weights(draws=draws) for part in self.parts]
        return _with_all_lags(self._draws_of(found) if draws else found)

    def prior_lag_weights(self) -> Array:
        return _with_all_lags([part.prior_lag_weights() for part in self.parts])

    def carryover_weights(self, *, draws: bool = False) -> Array:
        found = [part.carryover_weights(draws=draws) for part in self.parts]
        return _with_all_lags(self._draws_of(found) if draws else found)

    def prior_carryover_weights(self) -> Array:
        return _with_all_lags([part.prior_carryover_weights() for part in self.parts])

    def to_come(self, *, draws: bool = False) -> Array:
        found = [part.to_come(draws=draws) for part in self.parts]
        return np.concatenate(self._draws_of(found) if draws else found, axis=1)

    def brand_effects(self, by: By = None, *, draws: bool = False) -> NoReturn:
        self._are_of_one("Slow stocks")

    def standard_error(self) -> Array | None:
        found = [part.standard_error() for part in self.parts]
        if all(error is None for error in found):
            return None
        return np.concatenate(
            [
                np.zeros(len(part.labels)) if error is None else error
                for part, error in zip(self.parts, found, strict=True)
            ]
        )

    def with_costs(self, media_cost: Array) -> Self:
        costs = self._split(media_cost)
        return self._of(
            part.with_costs(one) for part, one in zip(self.parts, costs, strict=True)
        )

    def for_effect(self, effect: Effect) -> Self:
        return self._of(part.for_effect(effect) for part in self.parts)

    def of_each(
        self, change: Callable[..., Counterfactual], by_row: Array, by_channel: Array
    ) -> Self:
        """Return the same rows with the counterfactuals that a function makes of each.

        It takes one, and its own part of values of shape (n_rows, n_media) and
        (n_media,).
        """
        parts = zip(self.parts, self.rows, pairwise(self._starts), strict=True)
        return self._of(
            change(part, by_row[rows, a:b], by_channel[a:b])
            for part, rows, (a, b) in parts
        )

    def _of(self, parts):
        """Return the same rows with other counterfactuals of the groups."""
        return replace(self, parts=list(parts))

    # What is predicted for rows.

    def predicted(self) -> Array:
        predicted = np.empty(len(self.index))
        for part, rows in zip(self.parts, self.rows, strict=True):
            predicted[rows] = part.predicted()
        return predicted

    def without_media(self) -> pd.DataFrame:
        rest = self._in_order(part.without_media() for part in self.parts)
        return rest.fillna(0.0)  # controls that a group has not

    def contributions(self, *, draws: bool = False) -> Array:
        found = [part.contributions(draws=draws) for part in self.parts]
        return self._in_blocks(self._draws_of(found) if draws else found)

    def contribution_table(self) -> pd.DataFrame:
        """Return what `Counterfactual` does, channels called as in X.

        The group of a row says whose channels they are.
        """
        table = self._in_order(part.contribution_table() for part in self.parts)
        return table.fillna(0.0)

    def spend_in(self, by: By) -> Array:
        return self._beside([part.spend_in(by) for part in self.parts], by)

    def paid_in(self, by: By) -> Array:
        return self._beside([part.paid_in(by) for part in self.parts], by)

    def _beside(self, sums, by):
        """Put sums of groups, (n, n_media), beside each other."""
        return np.concatenate(self._placed(sums, by, axis=0), axis=1)

    def kpi_in(self, by: By) -> Array:
        """Return the prediction of each channel's own group, (n_groups, n_media)."""
        found = [part.kpi_in(by) for part in self.parts]
        return np.concatenate(self._placed(found, by, axis=0, fill=np.nan), axis=1)

    def changed_cells(self, rows: pd.DataFrame, by: By, rtol: float) -> np.ndarray:
        found = [
            part.changed_cells(rows.iloc[own], by, rtol)
            for part, own in zip(self.parts, self.rows, strict=True)
        ]
        return np.concatenate(self._placed(found, by, axis=1)) > 0

    # What channels cause.

    def effects(self, by: By = None, *, draws: bool = False) -> ChannelEffects:
        found = [part.effects(by, draws=draws) for part in self.parts]

        def joined(name):
            values = [getattr(one, name) for one in found]
            if draws:
                values = self._draws_of(values)
            return np.concatenate(self._placed(values, by, axis=1), axis=2)

        return ChannelEffects(
            **{one.name: joined(one.name) for one in fields(found[0])}
        )

    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        g, own = self._part_of(channel)
        found = self.parts[g].curve(own, factors, by, draws=draws)
        if draws and self.has_draws:
            found = np.take(found, self._paired[g], axis=1)
        return self._among(g, found, by)

    def _among(self, g, values, by):
        """Return values of a part, (..., G), among those of all groups of rows."""
        names, own = self._groups_of(by)
        wide = np.zeros((*values.shape[:-1], len(names)))
        wide[..., own[g]] = values
        return wide

    @cached_property
    def _spent(self):
        """Spend of each part by group of rows, (n_parts, G), by argument."""
        return {}

    def spend_curve(self, channel: int, factors: Array, by: By = None) -> Array:
        if by not in self._spent:
            found = [part.spend_in(by).sum(axis=1) for part in self.parts]
            self._spent[by] = np.stack(self._placed(found, by, axis=0))
        g, own = self._part_of(channel)
        spent = self._spent[by]
        others = spent.sum(axis=0) - spent[g]
        return others + self._among(g, self.parts[g].spend_curve(own, factors, by), by)

    def observed_at(self, share: float, by: By = None) -> Array:
        found = [part.observed_at(share, by) for part in self.parts]
        return np.concatenate(self._placed(found, by, axis=1, fill=np.nan))

    # Plans.

    def delivered(self, multiples: Array) -> Array:
        own = np.split(multiples, self._starts[1:-1], axis=-2)
        each = zip(self.parts, own, strict=True)
        return np.concatenate([part.delivered(one) for part, one in each], axis=-2)

    def unit_prices(self) -> pd.DataFrame | None:
        prices = [part.unit_prices() for part in self.parts]
        found = [one for one in prices if one is not None]
        return self._in_order(found) if len(found) == len(prices) else None

    def _plans(self, multiples, by):
        """Return each part with its own multiples."""
        own = self._groups_of(by)[1]
        each = self._split(multiples)
        return [
            (part, one[:, at])
            for part, one, at in zip(self.parts, each, own, strict=True)
        ]

    def planned(self, multiples: Array, by: By = None) -> Self:
        plans = self._plans(multiples, by)
        planned = self._of(part.planned(own, by) for part, own in plans)
        return replace(planned, read_frame=lambda: self.planned_rows(multiples, by))

    def planned_rows(self, multiples: Array, by: By = None) -> pd.DataFrame:
        plans = self._plans(multiples, by)
        found = [part.planned_rows(own, by) for part, own in plans]
        left_out = {
            label
            for part, planned in zip(self.parts, found, strict=True)
            for label in part.frame
            if label not in planned
        }
        frame = self.frame.drop(columns=list(left_out), errors="ignore")
        for label in dict.fromkeys(name for part in self.parts for name in part.labels):
            values = frame[label].to_numpy(dtype=np.float64, copy=True)
            for part, rows, planned in zip(self.parts, self.rows, found, strict=True):
                if label in part.labels:
                    values[rows] = planned[label]
            frame[label] = values
        return frame

    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        found = [part.plan_effects(own, by) for part, own in self._plans(multiples, by)]
        names = ["spend", "contribution", "roi", "mroi"]
        if any("origin_spend" in one for one in found):
            found = [Bunch(**{"origin_spend": one.spend} | one) for one in found]
            names.append("origin_spend")
        cells = {}
        for name in names:
            values = [
                one[name].reshape(len(part.labels), -1)
                for one, part in zip(found, self.parts, strict=True)
            ]
            fill = np.nan if name in ("roi", "mroi") else 0.0
            placed = self._placed(values, by, axis=1, fill=fill)
            cells[name] = np.concatenate(placed).ravel()
        return Bunch(**cells, outcome=sum(one.outcome for one in found))

    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        if multiples is None:
            found = [part.outcome(draws=draws) for part in self.parts]
        else:
            plans = self._plans(multiples, by)
            found = [part.outcome(own, by, draws=draws) for part, own in plans]
        return sum(self._draws_of(found)) if draws else sum(found)  # type: ignore

    def flights(self, *, draws: bool = False) -> Flights:
        """See `Counterfactual`; weights are those of the outcomes of all groups."""
        found = [part.flights(draws=draws) for part in self.parts]

        def outcome(multiples, weigh):
            plans = [own for _, own in self._plans(multiples, "period")]
            each = [
                f(own, np.ones_like)[0] for f, own in zip(found, plans, strict=True)
            ]
            total = sum(self._draws_of(each)) if draws else sum(each)
            weight = weigh(total)
            weights = self._weights_of(weight, each) if draws else [weight] * len(each)
            slopes = [
                f(own, _always(one))[1]
                for f, own, one in zip(found, plans, weights, strict=True)
            ]
            gradient = np.concatenate(self._placed(slopes, "period", axis=1))
            return total, gradient

        return outcome

    def _weights_of(self, weight, each):
        """Return the weights of the own draws of each part."""
        if not self.has_draws:
            return [weight] * len(each)
        return [
            np.bincount(order, weight, minlength=len(one))
            for order, one in zip(self._paired, each, strict=True)
        ]

    # Experiments are of one group.

    def _are_of_one(self, what: str) -> NoReturn:
        raise ValueError(
            f"{what} are of one group: ask its own model, "
            f"estimators_[{self.keys[0] if len(self.by) > 1 else self.keys[0][0]!r}]."
        )

    @property
    def experiment_grid(self):
        self._are_of_one("Experiments")

    def answers(self, experiment: Experiment) -> bool:
        self._are_of_one("Experiments")

    def experiment_values(self, experiments: list[Experiment]) -> ExperimentValues:
        self._are_of_one("Experiments")


def paired_draws(position: int, n_draws: int, n_own: int) -> np.ndarray:
    """Return which of its own draws a group has at each place among all, (n_draws,).

    In an order of its own: fits that share a seed would else be wrong alike in draws of
    the same number. It is the same for all rows and questions. Draws of a group that
    has fewer than others are repeated.
    """
    return np.random.default_rng(position).permutation(n_draws) % n_own


def _with_all_lags(kernels: list[Array]) -> Array:
    """Put lag weights of the parts beside each other, nan where a part has no lag."""
    most = max(one.shape[-1] for one in kernels)
    padded = [
        np.pad(one, [(0, 0), (0, 0), (0, most - one.shape[-1])], constant_values=np.nan)
        for one in kernels
    ]
    return np.concatenate(padded, axis=1)


def _always(weight: Array) -> Callable[[Array], Array]:
    """Return a function from outcomes to weights that are known already."""
    return lambda _: weight
