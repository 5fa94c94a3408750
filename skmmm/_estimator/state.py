"""What a fitted regressor consists of: the attributes that its mixins share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skmmm._data.calendar import Calendar
from skmmm._data.checks import Columns as Roles
from skmmm._utils.typing import Array, Column, Columns, MediaCost
from skmmm.graph._estimate import FittedGraph

if TYPE_CHECKING:
    from skmmm._model.outcome import OutcomeModel


class FittedState:
    """Attributes of a `DeepCausalMMMRegressor`, declared for its mixins."""

    # Parameters.
    media: Columns
    controls: Columns
    region: Column | None
    time: Column | None
    population: Column | None
    max_lag: int
    adstock: str
    periods_per_year: float | None
    media_cost: MediaCost
    frequency: Mapping | None
    gap: str
    unseen_region: str
    warm_start: bool = False  # of a model that was pickled before, as the next
    effect_drift: float = 0.0
    synergies: Sequence | None = None
    brand_channels: Columns = None

    # Public attributes, described in the docstring of the regressor.
    media_: list
    controls_: list
    regions_: np.ndarray
    carryover_: Array
    half_saturation_: Array
    slope_: Array
    loss_curve_: Array
    remarks_: list[str]
    experiments_: pd.DataFrame | None
    sampling_diagnostics_: pd.DataFrame | None
    n_features_in_: int
    feature_names_in_: np.ndarray

    _model: OutcomeModel
    _columns: Roles  # labels by role, in the order of the model
    _labels: list  # of all columns of X
    _calendar: Calendar | None
    _training_index: pd.Index
    _media_cost: Array  # per unit of the columns, nan where unknown, (n_media,)
    # Columns with the money of channels, and what they say of training rows, NaN where
    # none does, (n_rows, n_media). A model that was pickled before has none.
    _money_columns: Mapping = MappingProxyType({})
    _money: Array | None = None
    # Columns with the frequency of channels.
    _frequency_columns: Mapping = MappingProxyType({})
    _graph: FittedGraph | None
    _alarms: tuple[str, ...]  # which alarm each channel's spend rings, "" without
    # What `diagnose` found; None without draws.
    _sampling: Array | None
    _contradicted: np.ndarray  # whether data contradict the prior, (n_media,)
    _fitted_parameters: dict[str, Any]

    _publish: Callable[[Any], None]
    _validate_params: Callable[[], None]

    def _check_draws(self, method: str) -> None:
        if self._model.draws is None:
            raise ValueError(
                f"{method} needs draws, but the model was fitted with n_draws=0."
            )
