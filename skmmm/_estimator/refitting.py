"""What a fitted model was fitted to, so that it can be fitted again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skmmm._data import checks
from skmmm._data.costs import by_channel
from skmmm._data.synergies import read_pairs
from skmmm._estimator.reading import ReadingMixin
from skmmm._unwrapping import parameters_of
from skmmm._utils.typing import Array

# Parameters that say what is in the rows, or beside them.
_OF_DATA = (
    "media",
    "controls",
    "region",
    "time",
    "population",
    "media_cost",
    "frequency",
    "experiments",
)
# Parameters that move no point estimate of `fit`, of a clone.
_OF_OTHER_STEPS = (
    *("graph", "gap", "unseen_region", "verbose", "warm_start"),
    "effect_drift",
)


class FittedTo(NamedTuple):
    """Training rows and parameters, ready for another fit.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The columns that the model uses, sorted by region and period.
    y, weight : ndarray of shape (n_rows,)
    keys : Index of shape (n_rows,)
        Region and time of every row.
    period : ndarray of shape (n_rows,), int
        Counted from the first training period.
    roles : dict
        Parameters about the columns, which these are named in by position, costs and
        experiments.
    settings : dict
        All other parameters that move a point estimate, without the seed; channels are
        named by label.
    refreshed : bool
        Whether the last of these rows came by `partial_fit`.
    """

    frame: pd.DataFrame
    y: Array
    weight: Array
    keys: pd.Index
    period: np.ndarray
    roles: dict[str, Any]
    settings: dict[str, Any]
    refreshed: bool

    def same_data(self, other: FittedTo) -> bool:
        """Return whether rows, columns, costs and experiments are the same."""
        mine, others = self.roles.copy(), other.roles.copy()
        tests = mine.pop("experiments"), others.pop("experiments")
        return (
            mine == others
            and _same_table(*tests)
            and self.keys.equals(other.keys)
            and self.frame.equals(other.frame)
            and np.array_equal(self.y, other.y)
            and np.array_equal(self.weight, other.weight)
        )


class RefitMixin(ReadingMixin):
    """How `DeepCausalMMMRegressor` tells what it was fitted to."""

    def _fitted_to(self) -> FittedTo:
        """Return the training rows and the parameters for another fit."""
        columns, panel = self._columns, self._model.history
        frame = self._training_rows()
        for label, name in self._money_columns.items():
            assert self._money is not None  # rows have had such columns
            frame[name] = self._money[:, columns.media.index(label)]
        code, period = np.divmod(panel.cell, panel.shape[1])
        if columns.population is not None:
            frame[columns.population] = self._relative_population()[code]
        weight = panel.observed if panel.weight is None else panel.weight
        order = np.argsort(panel.cell)
        named = [label for label in self._labels if label in frame]
        frame = frame[named].iloc[order].reset_index(drop=True)
        keys = [pd.Index(self.regions_[code[order]])]
        if columns.time is not None:
            keys.append(pd.Index(frame[columns.time]))
        return FittedTo(
            frame,
            panel.rows(panel.y)[order],
            panel.rows(weight.astype(np.float64))[order],
            pd.MultiIndex.from_arrays(keys),
            period[order],
            self._roles_in(named),
            self._settings(),
            self._model.refreshed,
        )

    def _relative_population(self) -> Array:
        """Return how many live in each region, up to a factor that moves no fit."""
        scales, by_frequency = self._model.scales, self._with_frequency()
        sizes = np.asarray(scales.media / np.exp(scales.intensity))
        if by_frequency is not None:  # these are not seen per head
            sizes = sizes[:, ~by_frequency]
        return sizes[:, 0] if sizes.shape[1] else np.ones(len(sizes))

    def _roles_in(self, labels: list) -> dict[str, Any]:
        """Return the parameters about data for a frame with these columns."""
        at = {label: position for position, label in enumerate(labels)}
        columns, given = self._columns, parameters_of(self)
        single = ("region", "time", "population")
        roles: dict[str, Any] = {n: at.get(getattr(columns, n)) for n in single}
        roles["media"] = [at[label] for label in columns.media]
        roles["controls"] = [at[label] for label in columns.controls]
        costs = given["media_cost"]
        if isinstance(costs, Mapping):
            told = by_channel("media_cost", costs, columns.media, self._labels)
            costs = {at[label]: cost for label, cost in told.items()}
        roles["media_cost"] = costs
        by_channels = self._frequency_columns.items()
        seen = {at[label]: at[name] for label, name in by_channels}
        return roles | {"frequency": seen or None, "experiments": given["experiments"]}

    def _settings(self) -> dict[str, Any]:
        """Return the parameters that are not about data, channels by label."""
        left_out = (*_OF_DATA, *_OF_OTHER_STEPS, "random_state")
        given = parameters_of(self)
        settings = {k: v for k, v in given.items() if k not in left_out}
        media, labels = self._columns.media, self._labels
        told = by_channel("priors", settings["priors"] or {}, media, labels)
        settings["priors"] = {
            label: {name: tuple(map(float, pair)) for name, pair in prior.items()}
            for label, prior in told.items()
        }
        empty = pd.DataFrame(columns=labels)
        pairs = read_pairs(settings.get("synergies"), list(media), labels)
        settings["synergies"] = [(media[i], media[j]) for i, j in pairs] or None
        for name in ("free_sign", "brand_channels"):
            named = () if settings.get(name) is None else settings[name]
            settings[name] = set(checks.resolve_many(empty, named, name))
        return settings


def _same_table(one: Any, other: Any) -> bool:
    """Return whether two tables, or paths of tables, are the same."""
    if type(one) is not type(other):
        return False
    return bool(one.equals(other) if hasattr(one, "equals") else one == other)
