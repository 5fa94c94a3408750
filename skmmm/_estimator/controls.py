"""What controls do to the KPI of the rows of X, and how far the data tell it."""

from dataclasses import replace
from typing import Any

import numpy as np

from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array
from skmmm.inspection._protocol import ControlEffects
from skmmm.inspection._verdicts import control_verdicts

_N_GUESSES = 4000


@one_thread()
def control_effects(counterfactual: Any) -> ControlEffects:
    """Return the `ControlEffects` of a `ModelCounterfactual`."""
    from skmmm._model.controls import control_slopes  # torch takes seconds to import

    model, history = counterfactual.model, counterfactual.model.history
    labels = counterfactual.controls
    shown = [labels.index(one) for one in counterfactual.names if one in labels]
    n_new = counterfactual.panel.shape[0] - len(model.scales.kpi)
    scales = model.scales.extended(n_new)

    def slopes(network):
        return control_slopes(network.extended(n_new), scales)[..., shown]

    drawn = slopes(model.draws) if counterfactual.has_draws else None
    verdict = np.full(len(shown), None, dtype=object)
    if drawn is not None:
        verdict = control_verdicts(*_over_training(model, drawn, shown, control_slopes))
    return ControlEffects(
        labels=[labels[k] for k in shown],
        values=_rows(counterfactual.panel, shown),
        region=counterfactual.region_codes,
        point=slopes(model.network)[0],
        drawn=drawn,
        verdict=verdict,
        seen=_rows(history, shown),
        seen_region=history.cell // history.shape[1],
    )


def _rows(panel, shown) -> Array:
    """Return controls of the rows of a panel, (n_rows, K)."""
    return panel.rows(np.moveaxis(panel.controls[..., shown], 2, 0)).T


def _over_training(model, drawn, shown, control_slopes) -> tuple[Array, Array]:
    """Return posterior and prior draws of the mean over training rows, (E, K) each."""
    rows = model.history.observed.sum(axis=1)
    weight = rows / rows.sum()
    average = replace(model.scales, kpi=np.array([weight @ model.scales.kpi]))
    guesses = model.network.prior_guess(_N_GUESSES).in_regions([0])
    prior = control_slopes(guesses, average)[:, 0, shown]
    return np.einsum("r,erk->ek", weight, drawn[:, : len(rows)]), prior
