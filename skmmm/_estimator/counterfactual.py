"""What the regressor's model says would have happened under other spend.

Everything that is reported of channels (contributions, returns, response curves, plans)
comes from here, so that one cannot disagree with another.

A channel's *direct* effect is what its own spend does to the KPI. Its *total* effect
counts what others spend because of it: contributions then go to the channels in which
spend originates, and a change of spend moves its children before the KPI is computed.

What spend of X's rows causes is counted in these rows and in the later periods that its
carry-over reaches: in training data as far as these go; where X lies beyond them, in
`max_lag` periods after it. A slow stock reaches all later periods of training data;
what it brings after the periods that count is `to_come`.

One rule says what is spent outside of X's rows, for summaries, curves and plans alike:
it is the same whatever X spends. In training data it is what was spent. After X every
region goes on as on average in the last year of training data (a region without rows in
that year, as on average in all its rows; a region that training did not see, as the
average region). Other channels respond in X's rows only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._data.calendar import Calendar
from skmmm._data.experiment_grid import ExperimentGrid
from skmmm._data.experiments import Experiment
from skmmm._data.panel import Panel
from skmmm._estimator.controls import control_effects
from skmmm._estimator.direct_effects import direct_effects
from skmmm._estimator.frequencies import frequency_curves
from skmmm._estimator.late_effects import LateEffects
from skmmm._estimator.origins import (
    contributions_by_origin,
    moving_with,
    total_curve,
    total_effects,
    total_outcome,
)
from skmmm._estimator.period_effects import period_effects
from skmmm._model.threads import one_thread, threads_for_blocks
from skmmm._utils.typing import Array
from skmmm.graph._equations import SpendEquations
from skmmm.inspection._protocol import (
    By,
    ChannelEffects,
    ControlEffects,
    Effect,
    ExperimentValues,
    Flights,
)
from skmmm.inspection._support import support_factors

if TYPE_CHECKING:
    from skmmm._model.outcome import OutcomeModel


@dataclass(frozen=True, eq=False)
class ModelCounterfactual(LateEffects):
    """The counterfactual of a fitted model; channels inside are in its own order.

    Attributes
    ----------
    model : OutcomeModel
    equations, drawn_equations : SpendEquations or None
        At the point, and one per draw. None: other channels spend what they did.
    panel : Panel
        The rows of X on a grid that holds training data and, where X lies beyond them,
        the periods that its carry-over reaches.
    media_cost : ndarray of shape (n_media,)
        Money per unit of the columns, nan where it is unknown.
    channels : list
        Labels, in the order of the model.
    shown : ndarray of shape (n_media,)
        Positions of the channels in the order of X.
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    index : Index
        Of X.
    controls : list
        Labels, in the order of the model.
    names : list
        Labels of all columns of X.
    media_scale : ndarray of shape (n_media,)
        Units of X per unit of the model's columns: 1 unless steps before the model
        rescale them.
    read_frame : callable
        Returns the rows of X as a frame.
    judge : callable
        Returns what is known of the channels as such, a dict of str to ndarray of
        shape (n_media,), in the order of X.
    doubt : callable
        Returns what `doubted` does.
    equations_of : callable
        Returns `equations` and `drawn_equations` of an effect.
    paid : ndarray of shape (n_rows, n_media) or None
        Money that was paid in X's rows, in the order of the model, nan where no column
        tells it; there spend is units times cost, as in plans.
    money_columns : tuple
        Labels of the columns of X that tell it.
    """

    model: "OutcomeModel"
    equations: SpendEquations | None
    drawn_equations: SpendEquations | None
    panel: Panel
    media_cost: Array
    channels: list
    shown: np.ndarray
    regions: np.ndarray
    calendar: Calendar | None
    index: pd.Index
    controls: list
    names: list
    media_scale: Array
    read_frame: Callable[[], pd.DataFrame]
    judge: Callable[[], dict[str, np.ndarray]]
    doubt: Callable[[], np.ndarray]
    equations_of: Callable[
        [Effect], tuple[SpendEquations | None, SpendEquations | None]
    ]
    paid: Array | None
    money_columns: tuple

    def with_costs(self, media_cost: Array) -> Self:
        return replace(self, media_cost=media_cost)

    def for_effect(self, effect: Effect) -> Self:
        equations, drawn = self.equations_of(effect)
        return replace(self, equations=equations, drawn_equations=drawn)

    @cached_property
    def frame(self):
        return self.read_frame()

    @cached_property
    def n_draws(self):
        return 0 if self.model.draws is None else len(self.model.draws.shared)

    @cached_property
    def least_effect(self) -> Array:
        free = self.model.network.free_sign.numpy()[self.shown]
        return np.where(free | self.responds, -np.inf, 0.0)

    @cached_property
    def has_periods(self):
        return self.calendar is not None

    @cached_property
    def responds(self):
        return self.equations is not None

    @cached_property
    def additive(self):
        return self.equations is None and not self._has_pairs

    @property
    def _has_pairs(self):
        return self.model.network.channel_priors.pairs is not None

    @cached_property
    def labels(self):
        return [self.channels[m] for m in self.shown]

    @cached_property
    def columns(self):
        return [c for c in self.names if c in {*self.controls, *self.channels}]

    def judgements(self) -> dict[str, np.ndarray]:
        return self.judge()

    def known_together(self) -> list[np.ndarray]:
        together = self.model.together
        if together is None:
            return []
        numbers = together[self.shown]
        groups = [np.flatnonzero(numbers == n) for n in range(len(numbers))]
        return sorted((g for g in groups if len(g) > 1), key=lambda g: g[0])

    def doubted(self) -> np.ndarray:
        return self.doubt()

    def control_effects(self) -> ControlEffects:
        return control_effects(self)

    @cached_property
    def media_cost_or_unit(self) -> Array:
        """What a unit of a column costs, or is in units of X, shape (n_media,)."""
        return np.where(np.isfinite(self.media_cost), self.media_cost, self.media_scale)

    @cached_property
    def is_money(self):
        return np.isfinite(self.media_cost[self.shown])

    @property
    def unit_cost(self):
        return (self.media_cost / self.media_scale)[self.shown]

    @property
    def region_codes(self):
        return self.panel.cell // self.panel.shape[1]

    @cached_property
    def spend(self):
        return self.model_spend[:, self.shown]

    @cached_property
    def _units(self):
        return self.panel.rows(np.moveaxis(self.panel.media, 2, 0)).T

    @property
    def model_spend(self):
        """As `spend`, in the order of the model."""
        return self._units * self.media_cost_or_unit

    @cached_property
    def paid_spend(self):
        return self.model_paid_spend[:, self.shown]

    @property
    def model_paid_spend(self):
        """As `paid_spend`, in the order of the model."""
        if self.paid is None:
            return self.model_spend
        return np.where(np.isfinite(self.paid), self.paid, self.model_spend)

    @cached_property
    def in_x(self):
        """Cells of X's rows, shape (R, T), bool."""
        in_x = np.zeros(self.panel.shape, dtype=bool)
        in_x.ravel()[self.panel.cell] = True
        return in_x

    @cached_property
    def _split(self):
        """What the network reads around the counted cells."""
        return self.model.split(self.panel, self.counted)

    @cached_property
    def reached(self):
        """The panel with all counted cells as rows."""
        return replace(self.panel, cell=np.flatnonzero(self.counted))

    def groups(self, by: By) -> tuple[np.ndarray, list]:
        region, column = np.divmod(self.panel.cell, self.panel.shape[1])
        if by is None:
            return np.zeros(len(region), dtype=np.int64), [None]
        if by == "region":
            present, group = np.unique(region, return_inverse=True)
            if present[-1] >= len(self.regions):
                raise ValueError("by='region' needs regions seen in training.")
            return group, list(self.regions[present])
        if by == "period" and self.calendar is not None:
            present, group = np.unique(column, return_inverse=True)
            ordinals = self.panel.first_period + present
            return group, [self.calendar.value(ordinal) for ordinal in ordinals]
        raise ValueError(
            f"by={by!r} must be None, 'region' or, in a model with a time column, "
            "'period'."
        )

    @cached_property
    def _components(self):
        """The parts of the prediction at the point."""
        with one_thread():
            return self.model.components(self.panel)

    def predicted(self) -> Array:
        return self._components.total[0]

    def without_media(self) -> pd.DataFrame:
        parts = self._components
        columns = ["baseline", *self.controls]
        values = np.column_stack([parts.baseline[0], parts.controls[0]])
        return pd.DataFrame(values, index=self.index, columns=columns)

    def observed_at(self, share: float, by: By = None) -> Array:
        history = self.model.history
        group, names = self.groups(by)
        seen = history.rows(np.moveaxis(history.media, 2, 0)).T
        factors = support_factors(
            seen,
            history.cell // history.shape[1],
            self._units,
            self.region_codes,
            group,
            len(names),
            share,
        )
        return factors[self.shown]

    @cached_property
    def _found(self):
        """The `ChannelEffects` computed so far, by group and draws."""
        return {}

    def effects(self, by: By = None, *, draws: bool = False) -> ChannelEffects:
        if (by, draws) not in self._found:
            self._found[by, draws] = self._effects(by, draws=draws)
        return self._found[by, draws]

    @threads_for_blocks()
    def _effects(self, by, *, draws):
        if self.equations is None:
            found = direct_effects(self, by, draws=draws)
        else:
            found = total_effects(self, by, draws=draws)
        parts = vars(found).items()
        return ChannelEffects(**{name: part[..., self.shown] for name, part in parts})

    def scaled(self, factors, counted, by, *, draws, alone=False):
        """Return effects by channel, factor, draw and group, (M, K, E, G).

        `alone`: as if other channels spent nothing in X's rows.
        """
        by_period = by == "period"
        whole = counted is self.counted
        split = self._split if whole else self.model.split(self.panel, counted)
        if alone:
            split = split._replace(inputs=replace(split.inputs, media=split.rest))
        sums = self.model.scaled_effects(
            split,
            range(len(self.channels)),
            factors,
            by="period" if by_period else "region",
            draws=draws,
        )
        n_draws = len(self.model.network_of(draws=draws).shared)
        n_groups = self.panel.shape[1 if by_period else 0]
        found = np.empty((len(self.channels), len(factors), n_draws, n_groups))
        for channel, effects in enumerate(sums):
            found[channel] = effects
        return self._grouped(found, by)

    def _grouped(self, effects, by):
        """Sum effects by region or period to groups, (..., R or T) -> (..., G)."""
        if by is None:
            return effects.sum(axis=-1, keepdims=True)
        region, column = np.divmod(self.panel.cell, self.panel.shape[1])
        return effects[..., np.unique(column if by == "period" else region)]

    @threads_for_blocks()
    def curve(
        self, channel: int, factors: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        channel = self.shown[channel]
        factors = np.append(factors, 0.0)
        if self.equations is None or self._moves_by_itself(channel):
            (effects,) = self.model.scaled_effects(
                self._split, [channel], factors, by="region", draws=draws
            )
        else:
            effects = total_curve(self, self._split, channel, factors, draws=draws)
        effects = self._grouped(effects, by)
        return effects[:-1] - effects[-1]

    @threads_for_blocks()
    def curve_of_rows(
        self, channel: int, multiples: Array, by: By = None, *, draws: bool = False
    ) -> Array:
        channel, model = self.shown[channel], self.model
        region, column = np.divmod(self.panel.cell, self.panel.shape[1])
        spend = np.repeat(self.panel.media[None, ..., channel], len(multiples) + 1, 0)
        spend[:-1, region, column] *= multiples
        spend[-1, region, column] = 0.0
        same = np.zeros(len(model.network_of(draws=draws).shared), dtype=np.int64)
        effects = model.response_effects(self._split, channel, same, draws=draws)
        found = effects(slice(None), spend[None, ..., self._split.window])
        found = self._grouped(found, by)
        return found[:-1] - found[-1]

    def _moves_by_itself(self, channel):
        """Return whether no other channel responds to one, in any draw."""
        both = self.equations, self.drawn_equations
        return all(e is None or len(moving_with(e, channel)) == 1 for e in both)

    def by_region(self, rows):
        """Sum rows of counted cells to regions, (..., n) -> (..., R)."""
        region = self.reached.cell // self.panel.shape[1]
        total = np.zeros((*rows.shape[:-1], self.panel.shape[0]))
        np.add.at(total, (..., region), rows)  # type: ignore[arg-type]
        return total

    def equations_for(self, *, draws):
        """Return the equations of the draws, or those at the point."""
        return self.drawn_equations if draws else self.equations

    def media_scaled(self, factor):
        """Return the media grid with the spend of X's rows scaled."""
        return np.where(self.in_x[..., None], factor, 1.0) * self.panel.media

    def in_rows(self, media):
        """Return a media grid, (..., R, T, M), that differs in X's rows only."""
        return np.where(self.in_x[..., None], media, self.panel.media)

    @threads_for_blocks()
    def spend_curve(self, channel: int, factors: Array, by: By = None) -> Array:
        channel = self.shown[channel]
        group, names = self.groups(by)
        own = np.bincount(group, self.model_spend[:, channel], minlength=len(names))
        now = np.bincount(group, self.model_spend.sum(axis=1), minlength=len(names))
        alone = now + (np.asarray(factors)[:, None] - 1.0) * own
        if self.equations is None or self._moves_by_itself(channel):
            return alone
        changed = np.stack(
            [one[..., channel] for one in map(self.media_scaled, factors)]
        )
        others, spend = self.equations.responses(self.panel.media, changed, channel)
        more = self.panel.rows(spend[:, 0]) - self._units.T[others, None]  # (C, K, n)
        more = np.tensordot(self.media_cost_or_unit[others], more, axes=1)
        alone += np.stack(
            [np.bincount(group, one, minlength=len(names)) for one in more]
        )
        return alone

    def planned(self, multiples: Array, by: By = None) -> Self:
        """See `Counterfactual`; with total effects others respond, at the point.

        A plan is paid at `media_cost`, whatever rows paid before.
        """
        planned = self.delivering(multiples[:, self.groups(by)[0]].T)
        if self.equations is None:
            return planned
        media = self.equations.follow(self.panel.media, planned.panel.media)[0]
        return replace(planned, panel=replace(self.panel, media=self.in_rows(media)))

    def delivering(self, multiples: Array) -> Self:
        region, column = np.divmod(self.panel.cell, self.panel.shape[1])
        media = self.panel.media.copy()
        media[region[:, None], column[:, None], self.shown] *= multiples
        return replace(self, panel=replace(self.panel, media=media), paid=None)

    @threads_for_blocks()
    def outcome(
        self, multiples: Array | None = None, by: By = None, *, draws: bool = False
    ) -> Array:
        if multiples is None and not self._has_pairs:
            ends = np.array([0.0, 1.0])
            found = self.scaled(ends, self.counted, None, draws=draws)
            return (found[:, 1] - found[:, 0]).sum(axis=(0, 2))
        planned = self.panel.media
        if multiples is not None:
            planned = self.delivering(multiples[:, self.groups(by)[0]].T).panel.media
        if self.equations is not None:
            total = total_outcome(self, self._split, planned, draws=draws)
            if self._split.rest.any():
                none = self.scaled(np.zeros(1), self.counted, None, draws=draws)
                total -= none.sum(axis=(0, 1, 3))
            return total
        planned, none = self.model.effects_under(
            self.reached,
            np.arange(len(self.channels)),
            [planned, self.media_scaled(0.0)],
            draws=draws,
        )
        return planned.sum(axis=1) - none.sum(axis=1)

    def planned_rows(self, multiples: Array, by: By = None) -> pd.DataFrame:
        media = self.planned(multiples, by).panel
        rows = media.rows(np.moveaxis(media.media, 2, 0))
        frame = self.frame.drop(columns=list(self.money_columns), errors="ignore")
        for label, units in zip(
            self.channels, rows * self.media_scale[:, None], strict=True
        ):
            frame[label] = units
        return frame

    @threads_for_blocks()
    def plan_effects(self, multiples: Array, by: By = None) -> Bunch:
        """Return spend, contribution and returns of every cell of a plan, (M * G,).

        With total effects also `origin_spend`, which the returns are per unit of. By
        period as `period_effects` divides them.
        """
        planned = self.planned(multiples, by)
        if by == "period":
            return period_effects(planned)
        effects = planned.effects(by)
        cells = {
            "spend": effects.spend,
            "contribution": effects.incremental,
            "roi": effects.roi,
            "mroi": effects.mroi,
        }
        outcome = effects.incremental[0].sum()
        if self.equations is not None:
            outcome = self.outcome(multiples, by)[0]
            # Of each channel its own spend and what others induced in it.
            group, names = self.groups(by)
            spend = np.zeros((1, len(names), len(self.channels)))
            np.add.at(spend[0], group, planned.spend)
            cells |= {"spend": spend, "origin_spend": effects.spend}
        return Bunch(
            **{name: values[0].T.ravel() for name, values in cells.items()},
            outcome=outcome,
        )

    def flights(self, *, draws: bool = False) -> Flights:
        """See `Counterfactual`; outcomes hold what earlier spend carries into X."""
        column = self.panel.cell % self.panel.shape[1]
        shown, columns = self.shown[:, None], np.unique(column)
        flights = self.model.flights(self._split, draws=draws)

        @one_thread()
        def outcome(multiples, weigh):
            grid = np.ones((len(multiples), self.panel.shape[1]))
            grid[shown, columns] = multiples
            total, gradient = flights(grid, weigh)
            return total, gradient[shown, columns]

        return outcome

    @threads_for_blocks()
    def contributions(self, *, draws: bool = False) -> Array:
        """Return what channels contribute to the rows, (E, n_rows, M), order of X."""
        if self.equations is None and not draws:
            media = self._components.media
        elif self.equations is None:
            media = self.model.components(self.panel, draws=True).media
        else:
            media = contributions_by_origin(self, self.panel, draws=draws)
        return media[..., self.shown]

    def parts(self, *, draws: bool = False) -> Array:
        """Return baseline, controls and channels, (E, n_rows, 1 + K + M), order of X.

        Controls are in the order of the model.
        """
        found = self._components
        if draws:
            with one_thread():
                found = self.model.components(self.panel, draws=True)
        media = found.media[..., self.shown]
        if self.responds:
            media = self.contributions(draws=draws)
        return np.concatenate(
            [found.baseline[..., None], found.controls, media], axis=2
        )

    @cached_property
    def experiment_grid(self):
        regions, first = self.regions, self.panel.first_period
        inside = self.in_x[: len(regions)]
        return ExperimentGrid(self.channels, regions, self.calendar, first, inside)

    @one_thread()
    def frequency_curves(self, grid: Array | None) -> dict:
        return frequency_curves(self, self._split, grid)

    def answers(self, experiment: Experiment) -> bool:
        """Return whether X has its rows, or it says itself what was spent elsewhere."""
        grid = self.experiment_grid
        elsewhere = np.isfinite(experiment.spend) and not grid.covers(experiment)
        return elsewhere or grid.holds(experiment)

    @one_thread()
    def experiment_values(self, experiments: list[Experiment]) -> ExperimentValues:
        """See `Counterfactual`; by the code with which `fit` learns from them."""
        from skmmm._model.contrasts import experiment_values  # needs torch

        model = replace(self.model, history=self.panel)
        return ExperimentValues(
            *experiment_values(
                experiments, model, self.media_cost, draws=self.has_draws
            )
        )
