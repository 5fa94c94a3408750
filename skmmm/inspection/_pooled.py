"""Channels summed over groups that were fitted side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skmmm._utils.typing import Array
from skmmm.inspection._protocol import ChannelEffects
from skmmm.inspection._side_by_side import GroupedCounterfactual
from skmmm.inspection._verdicts import VERDICTS

# Share of what a sum causes that groups with a verdict, or a better one, must hold.
_MOST = 0.9


@dataclass(frozen=True, eq=False)
class PooledChannels:
    """Channels summed over groups, in place of a counterfactual of `summary_of`.

    What the data told each group of a channel is independent of what they told others.
    What was expected beforehand is the same in all groups and wrong in all of them
    alike: draws of groups whose verdict is not "data-driven" are added up in the order
    of their size, as if one number decided all of them.

    Attributes
    ----------
    of : GroupedCounterfactual
    by : list
        Grouping columns that stay apart.
    """

    of: GroupedCounterfactual
    by: list

    @cached_property
    def _kept(self):
        """What stays of the key of each group."""
        at = [self.of.by.index(label) for label in self.by]
        return [tuple(key[i] for i in at) for key in self.of.keys]

    @property
    def added(self) -> list:
        """Keys of the groups that are added to others."""
        parts = zip(self.of.keys, self._kept, self.of.parts, strict=True)
        members = [(key, [(*own, c) for c in part.labels]) for key, own, part in parts]
        times = Counter(sum_ for _, sums in members for sum_ in sums)
        return [key for key, sums in members if any(times[one] > 1 for one in sums)]

    @cached_property
    def _sums(self):
        """Labels of the sums, and the position of each channel's sum in them."""
        names = [
            (*key, label)
            for key, part in zip(self._kept, self.of.parts, strict=True)
            for label in part.labels
        ]
        at = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return list(at), np.array([at[name] for name in names], dtype=np.int64)

    def _summed(self, values):
        """Sum channels, the last axis."""
        names, code = self._sums
        total = np.zeros((len(names), *values.shape[:-1]))
        np.add.at(total, code, np.moveaxis(values, -1, 0))
        return np.moveaxis(total, 0, -1)

    @property
    def has_draws(self):
        """Whether there are posterior draws."""
        return self.of.has_draws

    @property
    def least_effect(self):
        """What the effect of a sum cannot be below, (n_sums,)."""
        return self._summed(self.of.least_effect)

    @property
    def is_money(self):
        """Whether the costs of all channels of a sum are known, (n_sums,)."""
        return self._summed(~self.of.is_money * 1.0) == 0

    @cached_property
    def _verdicts(self):
        """Verdicts on the channels of all groups, None without any."""
        return self.of.judgements().get("verdict")

    @cached_property
    def _point(self):
        """Effects of the channels of all groups, without draws."""
        return self.of.effects(None)

    def _held(self, verdicts):
        """Return which share of each sum groups with some verdicts cause, (n_sums,)."""
        size = abs(self._point.contribution[0, 0])
        size = np.where(self._summed(size)[self._sums[1]] > 0, size, 1.0)
        told = np.isin(self._verdicts.astype(str), verdicts)
        return self._summed(size * told) / self._summed(size)

    def judgements(self) -> dict[str, Any]:
        """Return how much of each sum is data-driven, and the verdict on it.

        The verdict is the best one that, with better ones, groups have that cause most
        of the sum. None if a group has none.
        """
        if self._verdicts is None:
            return {}
        held = np.stack([self._held(VERDICTS[: i + 1]) for i in range(len(VERDICTS))])
        judged = held[-1] == 1.0
        verdict = np.array(VERDICTS, dtype=object)[(held >= _MOST).argmax(axis=0)]
        return {
            "data_driven": np.where(judged, held[0], np.nan),
            "verdict": np.where(judged, verdict, None),
        }

    def cells_index(self, by: None) -> pd.Index:
        """Return the index of tables of the sums."""
        names, _ = self._sums
        if not self.by:
            return pd.Index([name for (name,) in names], name="channel")
        return pd.MultiIndex.from_tuples(names, names=[*self.by, "channel"])

    def kpi_in(self, by: None) -> Array:
        """Return the prediction of all groups of a sum, (1, n_sums)."""
        total: dict[tuple, float] = dict.fromkeys(self._kept, 0.0)
        for key, part in zip(self._kept, self.of.parts, strict=True):
            total[key] += part.predicted().sum()
        return np.array([[total[name[:-1]] for name in self._sums[0]]])

    def effects(self, by: None, *, draws: bool = False) -> ChannelEffects:
        """Return the `ChannelEffects` of the sums."""
        if not draws:
            found = vars(self._point)
        else:
            found = self._aligned(vars(self.of.effects(None, draws=True)))
        return ChannelEffects(**{k: self._summed(part) for k, part in found.items()})

    def _aligned(self, drawn):
        """Return draws of effects, by size those of channels that are not known."""
        order = np.argsort(drawn["contribution"], axis=0, kind="stable")
        if self._verdicts is not None:
            as_paired = np.arange(len(order))[:, None, None]
            known = self._verdicts == VERDICTS[0]
            order = np.where(known[None, None], as_paired, order)
        return {k: np.take_along_axis(part, order, 0) for k, part in drawn.items()}
