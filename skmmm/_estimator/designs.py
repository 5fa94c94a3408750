"""What a fitted model expects of experiments that could be run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from skmmm._data.designs import read_designs
from skmmm._data.experiments import Experiment
from skmmm._estimator.experiments import SETTLED
from skmmm._estimator.state import FittedState
from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array


class Expected(NamedTuple):
    """Designs and what a model expects of them.

    Attributes
    ----------
    rows : list of Experiment
    media : list of list
        Labels of the channels of each.
    regions : list of list
    windows : list of (start, end)
    cost : ndarray of shape (Q,)
        Money beside the spend that moves.
    spend_change : ndarray of shape (Q,)
        Money, nan without a cost beside channels that have one; units of X where no
        cost is known.
    values : ndarray of shape (E, Q)
        By draw, in the units of each measure.
    brought : ndarray of shape (Q,)
        KPI units, the mean over draws.
    """

    rows: list[Experiment]
    media: list[list]
    regions: list[list]
    windows: list[tuple]
    cost: Array
    spend_change: Array
    values: Array
    brought: Array


class DesignsMixin(FittedState):
    """How `DeepCausalMMMRegressor` values experiments before they are run."""

    # Share of the doubt whose removal answers an alarm.
    _settled_from = SETTLED

    def _expected(self, designs: pd.DataFrame) -> Expected:
        """Return what the model expects of the designs of a table."""
        from skmmm._model.contrasts import reported_experiments  # imports torch

        media, calendar = list(self._columns.media), self._calendar
        assert calendar is not None  # as who asks has checked
        rows, cost = read_designs(
            designs,
            media=media,
            regions=self.regions_,
            calendar=calendar,
            spend=self._model.history.media,
        )
        try:
            reported = reported_experiments(rows, self._model, self._media_cost)
        except ValueError as error:
            raise ValueError(str(error).replace("experiment ", "design ")) from None
        with one_thread():
            values = reported.values(self._model.network_of(draws=True))
        money = np.array(reported.money)
        known = np.isfinite(self._media_cost)
        if known.any():  # beside channels in money, others have none
            paid = [known[one.channels].all() for one in rows]
            money = np.where(paid, money, np.nan)
        as_return = np.array([one.measure == "roi" for one in rows])
        return Expected(
            rows=rows,
            media=[[media[c] for c in one.channels] for one in rows],
            regions=[self.regions_[one.regions].tolist() for one in rows],
            windows=[
                (calendar.value(one.start), calendar.value(one.stop - 1))
                for one in rows
            ],
            cost=cost,
            spend_change=money,
            values=values,
            brought=values.mean(axis=0) * np.where(as_return, money, 1.0),
        )

    def _contradicted_channels(self) -> dict:
        """Return whether the data contradict the prior of each channel, by label."""
        return dict(zip(self._columns.media, self._contradicted, strict=True))
