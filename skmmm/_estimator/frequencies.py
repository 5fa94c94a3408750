"""How the effect of channels with a frequency depends on it."""

from typing import Any

import numpy as np

from skmmm._utils.typing import Array
from skmmm.inspection._protocol import FrequencyCurve

_MOST_POINTS = 200


def frequency_curves(counterfactual, split, grid: Array | None):
    """Return the `FrequencyCurve` of each channel with a frequency, by label."""
    from skmmm._model.frequency_curves import (  # torch takes seconds to import
        best_frequencies,
        effects_by_frequency,
        expected_best_frequencies,
    )

    model = counterfactual.model
    found: dict[Any, FrequencyCurve] = {}
    mean = model.scales.frequency
    if mean is None:
        return found
    panel, draws = counterfactual.panel, counterfactual.has_draws
    for m in counterfactual.shown[np.isfinite(mean[counterfactual.shown])]:
        reach, seen = (
            panel.rows(part[..., m]) for part in (panel.media, panel.frequency)
        )
        own = _grid(model.history.frequency[..., m]) if grid is None else grid
        now, effects = effects_by_frequency(model, split, m, own, draws=draws)
        network = model.network_of(draws=draws)
        found[counterfactual.channels[m]] = FrequencyCurve(
            grid=own,
            now=now,
            effects=effects,
            present=(reach * seen).sum() / reach.sum() if reach.any() else np.nan,
            variation=_variation(model.history, m) / mean[m],
            best=best_frequencies(network, mean[m], m),
            expected_best=expected_best_frequencies(model.network, mean[m], m),
        )
    return found


def _grid(seen):
    """Return frequencies in tenths, or few of them, from one to the highest seen."""
    tenths = max(np.ceil(10.0 * (seen.max() - 1.0)), 1.0)
    return 1.0 + np.arange(0.0, tenths + 0.5, np.ceil(tenths / _MOST_POINTS)) / 10.0


def _variation(history, channel):
    """Return the standard deviation of frequency within regions, weighted by reach."""
    weight = history.media[..., channel] * history.weight
    seen = history.frequency[..., channel]
    total = weight.sum(axis=1, keepdims=True)
    mean = (weight * seen).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    # Regions count alike: each has reach in units of its own.
    share = weight / np.where(total > 0, total, 1.0) / max((total > 0).sum(), 1)
    return np.sqrt((share * (seen - mean) ** 2).sum())


def usual_frequency(model, n_periods):
    """Return impressions / reach of regions in the last periods of training, (R, M).

    Of a region that was not reached in them, that of all rows.
    """
    history = model.history
    late = history.media[:, -n_periods:]
    reach = late.sum(axis=1)
    impressions = (late * history.frequency[:, -n_periods:]).sum(axis=1)
    mean = np.where(reach > 0, impressions / np.where(reach > 0, reach, 1.0), 0.0)
    return np.where(mean > 0, mean, model.scales.frequency)
