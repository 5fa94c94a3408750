"""What the regressor's model says would have happened under other spend.

Everything that is reported of channels (contributions, returns, response curves, plans)
comes from here, so that one cannot disagree with another.

A channel's *direct* effect is what its own spend does to the KPI. Its *total* effect
counts what others spend because of it: contributions then go to the channels in which
spend originates, and a change of spend moves its children before the KPI is asked.

What spend of X's rows causes is counted in these rows and in the later periods that its
carry-over reaches: in training data as far as these go; where X lies beyond them, in
`max_lag` periods after it.

One rule says what is spent outside of X's rows, for summaries, curves and plans alike:
it is the same whatever X spends. In training data it is what was spent. After X every
region goes on as on average in the last year of training data (a region without rows in
that year, as on average in all its rows; a region that training did not see, as the
average region). Other channels answer in X's rows only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._data.panel import Panel
from skmmm._model.threads import one_thread
from skmmm._origins import (
    contributions_by_origin,
    moving_with,
    total_curve,
    total_effects,
)
from skmmm.graph._equations import SpendEquations
from skmmm.inspection._protocol import ChannelEffects, Counterfactual
from skmmm.inspection._support import STEP, support_factors

if TYPE_CHECKING:
    from skmmm._model.outcome import OutcomeModel

_PATH_NODES = 12


@dataclass(frozen=True, eq=False)
class ModelCounterfactual(Counterfactual):
    """The rows of X, and what their KPI would be under other spend.

    Attributes
    ----------
    model : OutcomeModel
    equations, drawn_equations : SpendEquations or None
        At the mode, and one per draw. None: other channels spend what they did.
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
    unit : ndarray of shape (n_media,)
        Units of X per unit of the model's columns: 1 unless steps before the model
        rescale them.
    read_frame : callable
        Returns the rows of X as a frame.
    judge : callable
        Returns what is known of the channels as such, a dict of str to ndarray of
        shape (n_media,), in the order of X.
    equations_of : callable
        Returns `equations` and `drawn_equations` of an effect.
    """

    model: "OutcomeModel"
    equations: SpendEquations | None
    drawn_equations: SpendEquations | None
    panel: Panel
    media_cost: np.ndarray
    channels: list
    shown: np.ndarray
    regions: np.ndarray
    calendar: Any
    index: pd.Index
    controls: list
    names: list
    unit: np.ndarray
    read_frame: Callable
    judge: Callable
    equations_of: Callable

    def for_effect(self, effect):
        """Return the counterfactual of ``"direct"`` or ``"total"`` effects."""
        equations, drawn = self.equations_of(effect)
        return replace(self, equations=equations, drawn_equations=drawn)

    @cached_property
    def frame(self):
        """The rows of X."""
        return self.read_frame()

    @property
    def has_draws(self):
        """Whether there are draws."""
        return self.model.draws is not None

    @cached_property
    def least_effect(self):
        """What the effect of a channel cannot be below, (n_media,), order of X."""
        free = self.model.network.free_sign.numpy()[self.shown]
        return np.where(free | self.answers, -np.inf, 0.0)

    @property
    def has_periods(self):
        """Whether rows have an order."""
        return self.calendar is not None

    @property
    def answers(self):
        """Whether channels answer to the spend of others."""
        return self.equations is not None

    @property
    def additive(self):
        """Whether channels act side by side."""
        return self.equations is None

    @property
    def saturates(self):
        """Whether curves have an end; that of total effects is extrapolated."""
        return self.equations is None

    @property
    def labels(self):
        """Labels of the channels in the order of X."""
        return [self.channels[m] for m in self.shown]

    @property
    def columns(self):
        """Columns of the table of contributions after the baseline."""
        return [c for c in self.names if c in {*self.controls, *self.channels}]

    def judgements(self):
        """Return what else is known of the channels, in the order of X."""
        return self.judge()

    @cached_property
    def media_cost_or_unit(self):
        """What a unit of a column costs, or is in units of X, shape (n_media,)."""
        return np.where(np.isfinite(self.media_cost), self.media_cost, self.unit)

    @property
    def is_money(self):
        """Whether the cost of a channel is known, (n_media,), order of X."""
        return np.isfinite(self.media_cost[self.shown])

    @cached_property
    def spend(self):
        """Spend of X's rows, (n_rows, n_media), money where its cost is known."""
        return self.model_spend[:, self.shown]

    @cached_property
    def _units(self):
        return self.panel.rows(np.moveaxis(self.panel.media, 2, 0)).T

    @property
    def model_spend(self):
        """As `spend`, in the order of the model."""
        return self._units * self.media_cost_or_unit

    @cached_property
    def counted(self):
        """Cells that spend of X's rows reaches, shape (R, T), bool."""
        reached = asked = self._asked
        for lag in range(1, self.model.network.sizes.max_lag + 1):
            reached = reached.copy()
            reached[:, lag:] |= asked[:, :-lag]
        return reached & self.panel.observed

    @cached_property
    def _asked(self):
        asked = np.zeros(self.panel.shape, dtype=bool)
        asked.ravel()[self.panel.cell] = True
        return asked

    @cached_property
    def _split(self):
        """What the network reads around the counted cells."""
        return self.model.split(self.panel, self.counted)

    @cached_property
    def reached(self):
        """The panel with all counted cells as rows."""
        return replace(self.panel, cell=np.flatnonzero(self.counted))

    def groups(self, by):
        """Return the group of every row of X and the names of the groups."""
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
        """The parts of the prediction at the mode."""
        with one_thread():
            return self.model.components(self.panel)

    def predicted(self):
        """Return the prediction for the rows of X, shape (n_rows,)."""
        return self._components.total[0]

    def without_media(self):
        """Return baseline and controls, which with the channels make the prediction."""
        parts = self._components
        columns = ["baseline", *self.controls]
        values = np.column_stack([parts.baseline[0], parts.controls[0]])
        return pd.DataFrame(values, index=self.index, columns=columns)

    def observed_until(self, by=None):
        """Return up to which multiple of its spend each channel was seen, (M, G)."""
        history = self.model.history
        group, names = self.groups(by)
        seen = history.rows(np.moveaxis(history.media, 2, 0)).T
        factors = support_factors(
            seen,
            history.cell // history.shape[1],
            self._units,
            self.panel.cell // self.panel.shape[1],
            group,
            len(names),
        )
        return factors[self.shown]

    @cached_property
    def _found(self):
        """The `ChannelEffects` that were asked for, by group and draws."""
        return {}

    def effects(self, by=None, *, draws=False):
        """Return the `ChannelEffects` of all channels, in the order of X."""
        if (by, draws) not in self._found:
            self._found[by, draws] = self._effects(by, draws=draws)
        return self._found[by, draws]

    @one_thread()
    def _effects(self, by, *, draws):
        if self.equations is None:
            found = self._direct_effects(by, draws=draws)
        else:
            found = total_effects(self, by, draws=draws)
        parts = vars(found).items()
        return ChannelEffects(**{name: part[..., self.shown] for name, part in parts})

    def _direct_effects(self, by, *, draws):
        group, names = self.groups(by)
        factors = np.array([0.0, 1.0, 1.0 + STEP])
        if by == "period":
            counted = [self._asked]
        else:
            counted = [self.counted, self._asked]
        if np.array_equal(self.counted, self._asked):
            counted = counted[:1]
        # Of all rows and later ones, and of the rows alone.
        sums = [self._scaled(factors, cells, by, draws=draws) for cells in counted]
        none, now, more = np.moveaxis(sums[0], 1, 0)  # (M, E, G)
        contribution = sums[-1][:, 1]
        spend = np.zeros((len(names), len(self.channels)))
        np.add.at(spend, group, self.model_spend)
        spend = np.broadcast_to(spend, (now.shape[1], *spend.shape))
        return ChannelEffects(
            contribution=np.moveaxis(contribution, 0, 2),
            incremental=np.moveaxis(now - none, 0, 2),
            spend=spend,
            gain=np.moveaxis(more - now, 0, 2) / STEP,
            charge=spend,
        )

    def _scaled(self, factors, counted, by, *, draws):
        """Return effects by channel, factor, draw and group, (M, K, E, G)."""
        by_period = by == "period"
        whole = counted is self.counted
        sums = self.model.scaled_effects(
            self._split if whole else self.model.split(self.panel, counted),
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

    @one_thread()
    def curve(self, channel, factors, by=None, *, draws=False):
        """Return what spend of X's rows causes if that of one channel is scaled.

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
        channel = self.shown[channel]
        factors = np.append(factors, 0.0)
        if self.equations is None or self._moves_alone(channel):
            (effects,) = self.model.scaled_effects(
                self._split, [channel], factors, by="region", draws=draws
            )
        else:
            effects = total_curve(self, channel, factors, draws=draws)
        effects = self._grouped(effects, by)
        return effects[:-1] - effects[-1]

    def _moves_alone(self, channel):
        """Return whether no other channel answers to one, in any draw."""
        both = self.equations, self.drawn_equations
        return all(e is None or len(moving_with(e, channel)) == 1 for e in both)

    def by_region(self, rows):
        """Sum rows of counted cells to regions, (..., n) -> (..., R)."""
        region = self.reached.cell // self.panel.shape[1]
        total = np.zeros((*rows.shape[:-1], self.panel.shape[0]))
        np.add.at(total, (..., region), rows)  # type: ignore[arg-type]
        return total

    def equations_for(self, *, draws):
        """Return the equations of the draws, or those at the mode."""
        return self.drawn_equations if draws else self.equations

    def media_scaled(self, factor):
        """Return the media grid with the spend of X's rows scaled."""
        return np.where(self._asked[..., None], factor, 1.0) * self.panel.media

    def in_rows(self, media):
        """Return a media grid, (..., R, T, M), that differs in X's rows only."""
        return np.where(self._asked[..., None], media, self.panel.media)

    @one_thread()
    def spend_curve(self, channel, factors, by=None):
        """Return what all spend of X's rows costs if that of one channel is scaled.

        Returns
        -------
        cost : ndarray of shape (n_factors, n_groups)
            In money, with what other channels spend on account of it.
        """
        channel = self.shown[channel]
        if self.equations is None or self._moves_alone(channel):
            group, names = self.groups(by)
            own = np.bincount(group, self.model_spend[:, channel], minlength=len(names))
            now = np.bincount(group, self.model_spend.sum(axis=1), minlength=len(names))
            return now + (np.asarray(factors)[:, None] - 1.0) * own
        answers = (
            self.equations.react(self.panel.media, one[..., channel], channel)[0]
            for one in map(self.media_scaled, factors)
        )
        return np.stack(
            [
                self._cost_by_group(media @ self.media_cost_or_unit, by)
                for media in answers
            ]
        )

    def _cost_by_group(self, cost, by):
        group, names = self.groups(by)
        return np.bincount(group, self.panel.rows(cost), minlength=len(names))

    def planned(self, multiples, by=None):
        """Return the counterfactual in which X's rows spend as planned.

        Parameters
        ----------
        multiples : ndarray of shape (n_media, n_groups)
            Of what the channels spend by themselves, in the order of `labels`; with
            total effects, others answer, at the mode.
        by : {"region", "period"} or None
        """
        media = self._planned_media(multiples, by)
        if self.equations is not None:
            media = self.in_rows(self.equations.follow(self.panel.media, media)[0])
        return replace(self, panel=replace(self.panel, media=media))

    def _planned_media(self, multiples, by):
        group, _ = self.groups(by)
        region, column = np.divmod(self.panel.cell, self.panel.shape[1])
        media = self.panel.media.copy()
        for channel, multiple in zip(self.shown, multiples, strict=True):
            media[region, column, channel] *= multiple[group]
        return media

    @one_thread()
    def outcome(self, multiples=None, by=None, *, draws=False):
        """Return what all spend of X's rows causes under a plan, shape (E,).

        Parameters
        ----------
        multiples, by
            As in `planned`. None: what X spends.
        draws : bool
        """
        media = [self.panel.media, self.media_scaled(0.0)]
        if multiples is not None:
            media[0] = self._planned_media(multiples, by)
            if self.equations is not None:
                equations = self.equations_for(draws=draws)
                media[0] = self.in_rows(equations.follow(self.panel.media, media[0]))
        channels = np.arange(len(self.channels))
        planned, none = self.model.effects_under(
            self.reached, channels, media, draws=draws
        )
        return planned.sum(axis=1) - none.sum(axis=1)

    def planned_rows(self, multiples, by=None):
        """Return the rows of X under a plan."""
        media = self.planned(multiples, by).panel
        rows = media.rows(np.moveaxis(media.media, 2, 0))
        frame = self.frame.copy()
        for label, units in zip(self.channels, rows * self.unit[:, None], strict=True):
            frame[label] = units
        return frame

    @one_thread()
    def plan_effects(self, multiples, by=None):
        """Return spend, contribution and returns of every cell of a plan, (M * G,).

        With total effects also `origin_spend`, which the returns are per unit of.

        By period, what a channel causes is divided among its cells by their
        Aumann-Shapley values along the path on which the channel's spend grows from
        nothing [1]_.

        References
        ----------
        .. [1] Aumann and Shapley (1974). Values of Non-Atomic Games. Princeton.
        """
        planned = self.planned(multiples, by)
        if by == "period":
            return planned._period_effects()
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

    def _period_effects(self):
        group, names = self.groups("period")
        one = np.ones((len(self.channels), len(names)))
        spend = np.zeros_like(one)
        np.add.at(spend.T, group, self.spend)
        asked = self.flights()
        _, slope = asked(one, np.ones_like)
        nodes, weights = np.polynomial.legendre.leggauss(_PATH_NODES)
        earned = np.zeros_like(one)
        for node, weight in zip(nodes, weights, strict=True):
            earned += weight / 2.0 * asked((1.0 + node) / 2.0 * one, np.ones_like)[1]
        caused = self.effects().incremental[0].T  # (M, 1), what cells must sum to
        found = earned.sum(axis=1, keepdims=True)
        earned *= np.where(found == 0, 1.0, caused / np.where(found == 0, 1.0, found))
        spent = np.where(spend > 0, spend, np.nan)
        return Bunch(
            spend=spend.ravel(),
            contribution=earned.ravel(),
            roi=(earned / spent).ravel(),
            mroi=(slope / spent).ravel(),
            outcome=caused.sum(),
        )

    def flights(self, *, draws=False):
        """Return what all spend causes as a function of a plan by period.

        Returns
        -------
        asked : callable
            From multiples of shape (n_media, n_periods of X), and a function from
            outcomes of the draws to their weights, to outcomes, (E,), with what
            earlier spend carries into X, and the gradient of their weighted sum.
        """
        column = self.panel.cell % self.panel.shape[1]
        shown, columns = self.shown[:, None], np.unique(column)
        flights = self.model.flights(self._split, draws=draws)

        @one_thread()
        def asked(multiples, weigh):
            grid = np.ones((len(multiples), self.panel.shape[1]))
            grid[shown, columns] = multiples
            outcome, gradient = flights(grid, weigh)
            return outcome, gradient[shown, columns]

        return asked

    @one_thread()
    def contributions(self, *, draws=False):
        """Return what channels contribute to the rows, (E, n_rows, M), order of X."""
        if self.equations is None and not draws:
            media = self._components.media
        elif self.equations is None:
            media = self.model.components(self.panel, draws=True).media
        else:
            media = contributions_by_origin(self, self.panel, draws=draws)
        return media[..., self.shown]
