"""The interface of counterfactuals, whoever makes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._data.checks import check_channel, resolve_channel
from skmmm._data.experiment_grid import ExperimentGrid
from skmmm._data.experiments import Experiment
from skmmm._utils.typing import Array
from skmmm.inspection._support import RARE

Effect: TypeAlias = Literal["direct", "total"]
By: TypeAlias = Literal["region", "period"] | None
NO_LAGS = (
    "Carry-over is a part of DeepCausalMMMRegressor: the predictions of other "
    "estimators do not tell when an effect comes."
)
NO_STOCK = (
    "No channel has a slow stock: name some in brand_channels when fitting a "
    "DeepCausalMMMRegressor."
)
# From multiples of spend, and a function from outcomes of draws to their weights, to
# outcomes and the gradient of their weighted sum.
Flights: TypeAlias = Callable[[Array, Callable[[Array], Array]], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class ChannelEffects:
    """Effects and the spend they are set against, draws (E) first, in groups of rows.

    Attributes
    ----------
    contribution : ndarray of shape (E, n_groups, n_media)
        To the KPI of the rows, in KPI units.
    incremental : ndarray of shape (E, n_groups, n_media)
        What the spend of the rows causes, in them and later.
    spend : ndarray of shape (E, n_groups, n_media)
    gain : ndarray of shape (E, n_groups, n_media)
        KPI units per 100 % more spend of a channel, seen from one percent more.
    extra_cost : ndarray of shape (E, n_groups, n_media)
        Cost of 100 % more of a channel, with what other channels then spend more.
    """

    contribution: Array
    incremental: Array
    spend: Array
    gain: Array
    extra_cost: Array

    @property
    def roi(self) -> Array:
        """KPI units per unit of spend; nan without spend."""
        return _per(self.incremental, self.spend)

    @property
    def mroi(self) -> Array:
        """KPI units per unit of the next spend; nan without spend."""
        return _per(self.gain, self.extra_cost)


def _per(effect: Array, spend: Array) -> Array:
    """Divide, nan where nothing is spent."""
    return effect / np.where(spend > 0, spend, np.nan)


@dataclass(frozen=True, eq=False)
class FrequencyCurve:
    """What a channel causes if its impressions reach more or fewer people.

    Attributes
    ----------
    grid : ndarray of shape (K,)
        Frequencies.
    now : ndarray of shape (E,)
        What it causes as it is, in KPI units, by draw, or at the point.
    effects : ndarray of shape (E, K)
        What it causes at each frequency.
    present : float
        Impressions / reach of the rows.
    variation : float
        Standard deviation of frequency within regions in training, by its mean.
    best : ndarray of shape (E,)
        Frequency at which an impression adds most, at least 1.
    expected_best : ndarray of shape (n_guesses,)
        The same before seeing the data.
    """

    grid: Array
    now: Array
    effects: Array
    present: float
    variation: float
    best: Array
    expected_best: Array


@dataclass(frozen=True, eq=False)
class BrandEffects:
    """What B channels with a slow stock cause at once and late, draws (E) first.

    Attributes
    ----------
    channels : ndarray of shape (B,), int
        Positions in `labels`.
    short, long : ndarray of shape (E, n_groups, B)
        What arrives in the rows at once, carry-over included, and out of the stock, in
        KPI units.
    to_come : ndarray of shape (E, B)
        What the stock still holds after the last row of each region.
    share : ndarray of shape (E, B)
        Of effects, that goes into the stock.
    half_life : ndarray of shape (E,)
        Of what is in it, in periods.
    expected_share : ndarray of shape (n_guesses, B)
        The same before seeing the data.
    expected_half_life : ndarray of shape (n_guesses,)
    """

    channels: np.ndarray
    short: Array
    long: Array
    to_come: Array
    share: Array
    half_life: Array
    expected_share: Array
    expected_half_life: Array


@dataclass(frozen=True, eq=False)
class ControlEffects:
    """What one more unit of K controls does to the KPI of a row, in R regions.

    Attributes
    ----------
    labels : list of length K
        Controls in the order of X.
    values : ndarray of shape (n_rows, K)
        Controls of the rows of X, in its units.
    region : ndarray of shape (n_rows,), int
    point : ndarray of shape (R, K)
        KPI units per unit of the control.
    drawn : ndarray of shape (E, R, K) or None
        The same by draw; None without draws.
    verdict : ndarray of shape (K,)
        As of `control_summary`.
    seen : ndarray of shape (n_seen, K)
        Controls of the training rows.
    seen_region : ndarray of shape (n_seen,), int
    """

    labels: list
    values: Array
    region: np.ndarray
    point: Array
    drawn: Array | None
    verdict: np.ndarray
    seen: Array
    seen_region: np.ndarray

    def caused_by(self, rows: Array) -> tuple[Array, Array | None]:
        """Return what so many units of controls in rows, (n_rows, K), do to the KPI.

        Of each control at the point, (K,), and by draw, (E, K), None without draws.
        """
        units = np.zeros_like(self.point)
        np.add.at(units, self.region, rows)
        by_draw = None if self.drawn is None else (self.drawn * units).sum(axis=1)
        return (self.point * units).sum(axis=0), by_draw


@dataclass(frozen=True, eq=False)
class ExperimentValues:
    """What an estimator says of Q experiments, and what these measured.

    Attributes
    ----------
    values : ndarray of shape (E, Q)
        One entry per draw, in the units in which both are compared: those of the
        measure; KPI units for a cost per outcome.
    measured : ndarray of shape (Q,)
    std_error : ndarray of shape (Q,)
        Of what was measured, biases included.
    """

    values: Array
    measured: Array
    std_error: Array


class Counterfactual(ABC):
    """The rows of a table, and what their KPI would be under other spend.

    Summaries, curves, plans, pictures and the report ask these questions and no
    others. Channels are in the order of the table, spend is money where its cost is
    known, and groups of rows are all rows (``by=None``), regions or periods.
    """

    media_cost: Array  # per unit of the columns, nan where unknown, (n_media,)
    failed: Sequence[tuple] = ()  # groups that are left out, as their fits failed

    if TYPE_CHECKING:  # fields of one maker are computed by the other

        @property
        @abstractmethod
        def labels(self) -> list:
            """Channels."""

        @property
        @abstractmethod
        def names(self) -> list:
            """Labels of all columns of the table."""

        @property
        @abstractmethod
        def columns(self) -> list:
            """Columns of the table of contributions after the baseline."""

        @property
        @abstractmethod
        def index(self) -> pd.Index:
            """Index of the rows."""

        @property
        @abstractmethod
        def frame(self) -> pd.DataFrame:
            """The rows of the table, (n_rows, n_columns)."""

        @property
        @abstractmethod
        def spend(self) -> Array:
            """Spend of the rows, (n_rows, n_media)."""

        @property
        @abstractmethod
        def is_money(self) -> np.ndarray:
            """Whether the cost of a channel is known, (n_media,)."""

        @property
        @abstractmethod
        def n_draws(self) -> int:
            """Number of posterior draws."""

        @property
        @abstractmethod
        def has_periods(self) -> bool:
            """Whether the period of rows is known."""

        @property
        @abstractmethod
        def responds(self) -> bool:
            """Whether channels respond to others; curves then have no upper limit."""

        @property
        @abstractmethod
        def additive(self) -> bool:
            """Whether channels act side by side."""

        @property
        @abstractmethod
        def experiment_grid(self) -> ExperimentGrid:
            """Regions and periods on which experiments are placed."""

    @property
    def has_draws(self) -> bool:
        """Whether there are posterior draws."""
        return self.n_draws > 0

    @cached_property
    def media_cost_or_unit(self) -> Array:
        """What a unit costs, 1 where it is unknown, shape (n_media,)."""
        return np.where(np.isfinite(self.media_cost), self.media_cost, 1.0)

    @property
    def unit_cost(self) -> Array:
        """What a unit of the columns of X costs, nan where unknown, (n_media,)."""
        return self.media_cost

    @property
    def paid_spend(self) -> Array:
        """As `spend`, but the money that was paid where rows tell it."""
        return self.spend

    @property
    def total_spend(self) -> float:
        """Spend of all rows and channels."""
        return self.spend.sum()

    @property
    def has_stock(self) -> bool:
        """Whether some channel has a slow stock."""
        return False

    def spend_in(self, by: By) -> Array:
        """Return the spend of groups of rows, shape (n_groups, n_media)."""
        return self._sum_in(by, self.spend)

    def paid_in(self, by: By) -> Array:
        """As `spend_in`, but the money that was paid where rows tell it."""
        return self._sum_in(by, self.paid_spend)

    def _sum_in(self, by, rows):
        group, names = self.groups(by)
        total = np.zeros((len(names), len(self.labels)))
        np.add.at(total, group, rows)
        return total

    def kpi_in(self, by: By) -> Array:
        """Return the prediction that channels have a share of, (n_groups, n_media)."""
        group, names = self.groups(by)
        total = np.bincount(group, self.predicted(), minlength=len(names))
        return np.broadcast_to(total[:, None], (len(names), len(self.labels)))

    def cells_index(self, by: By) -> pd.Index:
        """Return the index of tables of channels, or of channels and groups of rows."""
        if by is None:
            return pd.Index(self.labels, name="channel")
        names = self.groups(by)[1]
        return pd.MultiIndex.from_product([self.labels, names], names=["channel", by])

    def changed_cells(self, rows: pd.DataFrame, by: By, rtol: float) -> np.ndarray:
        """Return in which cells spend is another than in other rows, (n_media, G)."""
        group, names = self.groups(by)
        changed = np.zeros((len(self.labels), len(names)), dtype=bool)
        for own, label in zip(changed, self.labels, strict=True):
            same = np.isclose(rows[label], self.frame[label], rtol=rtol, atol=0.0)
            np.logical_or.at(own, group, ~same)
        return changed

    def contribution_table(self) -> pd.DataFrame:
        """Return baseline, controls and channels of the rows, summing to `predicted`.

        Columns are "baseline" and `columns`.
        """
        values = self.contributions()[0]
        media = pd.DataFrame(values, index=self.index, columns=self.labels)
        joined = pd.concat([self.without_media(), media], axis=1)
        return joined[["baseline", *self.columns]]

    @property
    def least_effect(self) -> Array:
        """What the effect of a channel cannot be below, shape (n_media,)."""
        return np.full(len(self.labels), -np.inf)

    def judgements(self) -> dict[str, np.ndarray]:
        """Return what else is known of the channels, arrays of shape (n_media,)."""
        return {}

    def position(self, channel: Any, role: str) -> int:
        """Return the position of a channel that a user names; `role` says where."""
        known = self.labels, self.names, role, self.failed
        return self.labels.index(resolve_channel(channel, *known))

    def check_channel(self, label: Any, role: str, key: Any) -> None:
        """Raise a ValueError if a label, which a user wrote as key, is no channel's."""
        check_channel(label, self.labels, role, key=key, failed=self.failed)

    def known_together(self) -> list[np.ndarray]:
        """Return positions of channels of which only the sum is known, by group."""
        return []

    def doubted(self) -> np.ndarray:
        """Return why not to act on what is said of each channel, (n_media,) of str.

        It ends a sentence that starts with the channel: "rings an alarm (...)"; or "".
        """
        return np.full(len(self.labels), "", dtype=object)

    def lag_weights(self, *, draws: bool = False) -> Array:
        """Return the share of each channel's effect by lag, (E, n_media, n_lags).

        NaN after the last lag of a channel that has fewer than others.
        """
        raise ValueError(NO_LAGS)

    def prior_lag_weights(self) -> Array:
        """Return prior draws of `lag_weights`."""
        raise ValueError(NO_LAGS)

    def carryover_weights(self, *, draws: bool = False) -> Array:
        """Return `lag_weights` without slow stocks: when effects are caused."""
        return self.lag_weights(draws=draws)

    def prior_carryover_weights(self) -> Array:
        """Return prior draws of `carryover_weights`."""
        return self.prior_lag_weights()

    def to_come(self, *, draws: bool = False) -> Array:
        """Return what spend of the rows brings after the periods that count, (E, M).

        Out of slow stocks, in KPI units; zero for channels without one.
        """
        return np.zeros((self.n_draws if draws else 1, len(self.labels)))

    def brand_effects(self, by: By = None, *, draws: bool = False) -> BrandEffects:
        """Return the `BrandEffects` of channels with a slow stock."""
        raise ValueError(NO_STOCK)

    def frequency_curves(self, grid: Array | None) -> dict[Any, FrequencyCurve]:
        """Return the `FrequencyCurve` of channels with a frequency, by label."""
        return {}

    def control_effects(self) -> ControlEffects | None:
        """Return what controls do to the KPI, None of estimators that do not say."""
        return None

    def standard_error(self) -> Array | None:
        """Return that of each channel's total from sampled orders, None if exact."""
        return None

    def delivered(self, multiples: Array) -> Array:
        """Return delivery by times of spend, (..., M, G); curves are smooth in it."""
        return multiples

    def unit_prices(self) -> pd.DataFrame | None:
        """Return what a unit of channels costs in each row, None if as in the past."""
        return None

    @abstractmethod
    def with_costs(self, media_cost: Array) -> Self:
        """Return the counterfactual with other costs per unit, shape (n_media,)."""

    @abstractmethod
    def for_effect(self, effect: Effect) -> Self:
        """Return the counterfactual of ``"direct"`` or ``"total"`` effects."""

    @abstractmethod
    def groups(self, by: By) -> tuple[np.ndarray, list]:
        """Return the group of every row, (n_rows,), and the names of the groups."""

    @abstractmethod
    def predicted(self) -> Array:
        """Return the prediction for the rows, shape (n_rows,)."""

    @abstractmethod
    def without_media(self) -> pd.DataFrame:
        """Return what is predicted without any spend, a frame of its parts."""

    @abstractmethod
    def contributions(self, *, draws: bool = False) -> Array:
        """Return what channels contribute to the rows, (E, n_rows, n_media)."""

    @abstractmethod
    def effects(self, by: By = None, *, draws: bool = False) -> ChannelEffects:
        """Return the `ChannelEffects` of all channels by group."""

    @abstractmethod
    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        """Return what the spend of one channel causes if it is scaled.

        Parameters
        ----------
        channel : int
            Position in `labels`.
        factors : ndarray of shape (n_factors,)
        by : {"region"} or None
        draws : bool

        Returns
        -------
        incremental : ndarray of shape (n_factors, E, n_groups)
            Against no spend of the channel in these rows, in KPI units.
        """

    def spend_curve(self, channel: int, factors: Array, by: By = None) -> Array:
        """Return what all spend costs if that of one channel is scaled.

        Returns
        -------
        cost : ndarray of shape (n_factors, n_groups)
        """
        group, names = self.groups(by)
        others = np.delete(self.spend, channel, axis=1).sum(axis=1)
        own = self.spend[:, channel]
        return np.stack(
            [
                np.bincount(group, others + factor * own, minlength=len(names))
                for factor in factors
            ]
        )

    @abstractmethod
    def planned(self, multiples: Array, by: By = None) -> Self:
        """Return the counterfactual in which the rows spend as planned.

        Parameters
        ----------
        multiples : ndarray of shape (n_media, n_groups)
            Of what the channels spend by themselves.
        by : {"region", "period"} or None
        """

    @abstractmethod
    def planned_rows(self, multiples: Array, by: By = None) -> pd.DataFrame:
        """Return the rows under a plan, as a frame."""

    @abstractmethod
    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        """Return spend, contribution and returns of every cell of a plan, (M * G,)."""

    @abstractmethod
    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        """Return what all spend causes, under a plan or as it is, shape (E,)."""

    @abstractmethod
    def flights(self, *, draws: bool = False) -> Flights:
        """Return what all spend causes as a function of a plan by period.

        Returns
        -------
        outcome : callable
            From multiples of shape (n_media, n_periods), and a function from outcomes
            of the draws to their weights, to outcomes, (E,), and the gradient of
            their weighted sum.
        """

    @abstractmethod
    def observed_at(self, share: float, by: By = None) -> Array:
        """Return the multiple of spend that a share of rows did not exceed, (M, G)."""

    def observed_from(self, by: By = None) -> Array:
        """Return from which multiple of its spend each channel was seen, (M, G)."""
        return self.observed_at(RARE, by)

    def observed_until(self, by: By = None) -> Array:
        """Return up to which multiple of its spend each channel was seen, (M, G)."""
        return self.observed_at(1.0 - RARE, by)

    @abstractmethod
    def answers(self, experiment: Experiment) -> bool:
        """Return whether these rows can say what an experiment measured."""

    @abstractmethod
    def experiment_values(self, experiments: list[Experiment]) -> ExperimentValues:
        """Return what is said of experiments that the rows answer."""


class TableCounterfactual(Counterfactual):
    """The counterfactual of one table, each row of which may deliver on its own."""

    @property
    @abstractmethod
    def region_codes(self) -> np.ndarray:
        """Region of every row as a number, all alike without regions, (n_rows,)."""

    @abstractmethod
    def delivering(self, multiples: Array) -> Self:
        """Return the counterfactual in which rows deliver so many times what they do.

        Parameters
        ----------
        multiples : ndarray of shape (n_rows, n_media)
        """

    @abstractmethod
    def curve_of_rows(
        self, channel: int, multiples: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        """As `curve`, of direct effects, with factors of shape (n_factors, n_rows)."""


def passed_on_by(part: str) -> Callable[[str], Any]:
    """Return what makes attributes that are those of a part of a counterfactual."""

    def attribute_of(name: str) -> Any:
        return property(attrgetter(f"{part}.{name}"))

    return attribute_of
