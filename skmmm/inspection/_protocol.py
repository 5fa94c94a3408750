"""What every counterfactual answers, whoever made it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np


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
    charge : ndarray of shape (E, n_groups, n_media)
        Cost of 100 % more of a channel, with what other channels then spend more.
    """

    contribution: np.ndarray
    incremental: np.ndarray
    spend: np.ndarray
    gain: np.ndarray
    charge: np.ndarray

    @property
    def roi(self):
        """KPI units per unit of spend; nan without spend."""
        return _per(self.incremental, self.spend)

    @property
    def mroi(self):
        """KPI units per unit of the next spend; nan without spend."""
        return _per(self.gain, self.charge)


def _per(effect, spend):
    """Divide, nan where nothing is spent."""
    return effect / np.where(spend > 0, spend, np.nan)


class Counterfactual(ABC):
    """The rows of a table, and what their KPI would be under other spend.

    Summaries, curves, plans, pictures and the report ask these questions and no
    others. Channels are in the order of the table, spend is money where its cost is
    known, and groups of rows are all rows (``by=None``), regions or periods.

    Attributes
    ----------
    labels : list of n_media
        Channels.
    names : list
        Labels of all columns of the table.
    columns : list
        Columns of the table of contributions after the baseline.
    index : Index of shape (n_rows,)
    frame : DataFrame of shape (n_rows, n_columns)
        The rows of the table.
    media_cost : ndarray of shape (n_media,)
        Money per unit of the columns, nan where it is unknown.
    spend : ndarray of shape (n_rows, n_media)
    is_money : ndarray of shape (n_media,), bool
        Whether the cost of a channel is known.
    has_draws, has_periods : bool
        Whether there are posterior draws; whether the period of rows is known.
    answers : bool
        Whether channels answer to the spend of others.
    additive : bool
        Whether channels act side by side.
    """

    @cached_property
    def media_cost_or_unit(self):
        """What a unit costs, 1 where it is unknown, shape (n_media,)."""
        return np.where(np.isfinite(self.media_cost), self.media_cost, 1.0)

    @property
    def least_effect(self):
        """What the effect of a channel cannot be below, shape (n_media,)."""
        return np.full(len(self.labels), -np.inf)

    def judgements(self):
        """Return what else is known of the channels, arrays of shape (n_media,)."""
        return {}

    def standard_error(self):
        """Return that of each channel's total from sampled orders, None if exact."""
        return None

    @abstractmethod
    def for_effect(self, effect):
        """Return the counterfactual of ``"direct"`` or ``"total"`` effects."""

    @abstractmethod
    def groups(self, by):
        """Return the group of every row, (n_rows,), and the names of the groups."""

    @abstractmethod
    def predicted(self):
        """Return the prediction for the rows, shape (n_rows,)."""

    @abstractmethod
    def without_media(self):
        """Return what is predicted without any spend, a frame of its parts."""

    @abstractmethod
    def contributions(self, *, draws=False):
        """Return what channels contribute to the rows, (E, n_rows, n_media)."""

    @abstractmethod
    def effects(self, by=None, *, draws=False):
        """Return the `ChannelEffects` of all channels by group."""

    @abstractmethod
    def curve(self, channel, factors, by=None, *, draws=False):
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

    @abstractmethod
    def spend_curve(self, channel, factors, by=None):
        """Return what all spend costs if that of one channel is scaled.

        Returns
        -------
        cost : ndarray of shape (n_factors, n_groups)
        """

    @abstractmethod
    def planned(self, multiples, by=None):
        """Return the counterfactual in which the rows spend as planned.

        Parameters
        ----------
        multiples : ndarray of shape (n_media, n_groups)
            Of what the channels spend by themselves.
        by : {"region", "period"} or None
        """

    @abstractmethod
    def planned_rows(self, multiples, by=None):
        """Return the rows under a plan, as a frame."""

    @abstractmethod
    def plan_effects(self, multiples, by=None):
        """Return spend, contribution and returns of every cell of a plan, (M * G,)."""

    @abstractmethod
    def outcome(self, multiples=None, by=None, *, draws=False):
        """Return what all spend causes, under a plan or as it is, shape (E,)."""

    @abstractmethod
    def flights(self, *, draws=False):
        """Return what all spend causes as a function of a plan by period.

        Returns
        -------
        asked : callable
            From multiples of shape (n_media, n_periods), and a function from outcomes
            of the draws to their weights, to outcomes, (E,), and the gradient of
            their weighted sum.
        """

    @abstractmethod
    def observed_until(self, by=None):
        """Return up to which multiple of its spend each channel was seen, (M, G)."""
