"""A fitted model as the author of data: what simulation-based calibration fits."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.random import RandomState
from sklearn.utils.validation import check_is_fitted

from skmmm._estimator.state import FittedState
from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array

Source: TypeAlias = Literal["posterior", "prior"]


class Simulated(NamedTuple):
    """What a model drew for its training rows, in KPI units.

    Attributes
    ----------
    kpi : ndarray of shape (n_simulations, n_rows)
    caused : ndarray of shape (n_simulations, n_media)
        What each channel of ``media_`` caused of it, over all rows.
    weight : ndarray of shape (n_rows,)
        With which rows were fitted: zero where nothing was learned.
    """

    kpi: Array
    caused: Array
    weight: Array


class SimulationMixin(FittedState):
    """How `DeepCausalMMMRegressor` draws a KPI whose causes are known."""

    def _simulated(self, n_simulations: int, source: Source, random: RandomState):
        """Draw parameters, and a KPI of the training rows for each of them."""
        from skmmm._model import simulate  # torch takes seconds to import

        check_is_fitted(self)
        drawn = {"posterior": simulate.from_posterior, "prior": simulate.from_prior}
        model = self._model
        with one_thread():
            network = drawn[source](model, n_simulations, random)
            kpi, caused = simulate.simulate(model, network, random)
        order = [self._columns.media.index(channel) for channel in self.media_]
        history = model.history
        weight = history.observed if history.weight is None else history.weight
        weight = history.rows(weight.astype(np.float64))
        return Simulated(kpi, caused[:, order], weight)
