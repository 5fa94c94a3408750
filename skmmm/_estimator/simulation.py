"""A fitted model as the author of data: what simulation-based calibration fits."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.random import RandomState
from sklearn.utils.validation import check_is_fitted

from skmmm._estimator.reading import ReadingMixin
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


class SimulationMixin(ReadingMixin):
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

    def _noise_of_sums(self, X, add_up, n_simulations: int) -> Array:
        """Draw by how much sums over rows of X miss what is expected of them.

        The function `add_up` takes rows, (E, n_rows), to sums, (E, n_sums). Returned
        is an ndarray of shape (n, n_sums), n at least `n_simulations`, in which the
        draws of the parameters come one after the other, again and again.
        """
        from skmmm._model import simulate  # torch takes seconds to import

        _, _, panel = self._read(X)
        self._check_draws("review")
        model, random = self._model, RandomState(0)
        n_times = -(-n_simulations // len(model.network_of(draws=True).shared))
        with one_thread():
            found = [
                add_up(simulate.noise_of_rows(model, panel, random))
                for _ in range(n_times)
            ]
        return np.concatenate(found)
