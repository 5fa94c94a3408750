"""What the own spend of each channel causes, and its share of what pairs add.

Arrays are in the order of the model.
"""

import numpy as np

from skmmm._utils.typing import Array
from skmmm.inspection._protocol import By, ChannelEffects
from skmmm.inspection._support import STEP


def direct_effects(counterfactual, by: By, *, draws: bool) -> ChannelEffects:
    """Return the `ChannelEffects` of all channels, other spend as it is.

    What a channel of a pair causes is its Shapley value: the mean of what its spend
    adds while the spend of others in X's rows is there, and while it is not. The next
    unit of it is spent beside them.

    Parameters
    ----------
    counterfactual : ModelCounterfactual
        Without spend equations.
    """
    group, names = counterfactual.groups(by)
    factors = np.array([0.0, 1.0, 1.0 + STEP])
    if by == "period":
        counted = [counterfactual.in_x]
    else:
        counted = [counterfactual.counted, counterfactual.in_x]
    if np.array_equal(counterfactual.counted, counterfactual.in_x):
        counted = counted[:1]
    # Of all rows and later ones, and of the rows only.
    sums = [counterfactual.scaled(factors, cells, by, draws=draws) for cells in counted]
    none, now, more = np.moveaxis(sums[0], 1, 0)  # (M, E, G)
    contribution, incremental = sums[-1][:, 1], now - none
    if not counterfactual.additive:
        ends = counterfactual.scaled(
            factors[:2], counted[0], by, draws=draws, alone=True
        )
        incremental = 0.5 * (incremental + ends[:, 1] - ends[:, 0])
        contribution = _credited(counterfactual, group, len(names), draws=draws)
    shape = (len(names), len(counterfactual.channels))
    spend, at_cost = np.zeros(shape), np.zeros(shape)
    np.add.at(spend, group, counterfactual.model_paid_spend)
    np.add.at(at_cost, group, counterfactual.model_spend)
    return ChannelEffects(
        contribution=np.moveaxis(contribution, 0, 2),
        incremental=np.moveaxis(incremental, 0, 2),
        spend=np.broadcast_to(spend, (now.shape[1], *shape)),
        gain=np.moveaxis(more - now, 0, 2) / STEP,
        extra_cost=np.broadcast_to(at_cost, (now.shape[1], *shape)),
    )


def _credited(counterfactual, group: np.ndarray, n_groups: int, *, draws: bool):
    """Return contributions with half of what each pair adds, (M, E, n_groups)."""
    model = counterfactual.model
    rows: Array = model.components(counterfactual.panel, draws=draws).media
    total = np.zeros((rows.shape[2], len(rows), n_groups))
    by_channel = np.moveaxis(rows, 2, 0)
    np.add.at(total, (..., group), by_channel)  # type: ignore[arg-type]
    return total
