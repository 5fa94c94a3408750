"""What controls do to the KPI, and how far the data tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skmmm._unwrapping import unwrap
from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import ControlEffects, Counterfactual
from skmmm.inspection._verdicts import MIN_DRAWS


@documented_by(channel_summary)
def control_summary(
    estimator: Any, X: Table | None = None, *, confidence_level: float = 0.9
) -> pd.DataFrame:
    """Summarise what one more unit of each control does to the KPI.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        Fitted, with `controls`.

    Returns
    -------
    summary : DataFrame indexed by control, in the order of X
        - ``effect``, with ``effect_low`` and ``effect_high`` (NaN without draws): by
          how much the KPI of a row changes if the control is one unit higher in all
          rows of X, in KPI units per unit of the column;
        - ``share``: how much of the KPI moves with the control, up or down from its
          mean in the training rows of the region: the sum of the absolute columns of
          `contributions` over the sum of the predictions;
        - ``mean``: of the control over the rows of X, in its units;
        - ``verdict``: "data-driven" where, over all training rows, the standard
          deviation of the effect shrank to less than half of the prior's, its 90 %
          interval excludes zero, and one bound is at most four times the other; else
          "not identified". None with fewer than eight draws.

    Raises
    ------
    ValueError
        If the estimator is another, there are steps before it, or it has no controls.

    Notes
    -----
    The model is a straight line in each control. What its GRU reads from all controls
    together (``baseline drift`` of `baseline_parts`, and the drift of channels) is not
    in the effect.

    A verdict says that the KPI moves with the control, given everything else that is in
    the model. That the control moves the KPI, and not the other way round, it cannot
    tell: a price that is raised where demand is high looks as if it cost less sales
    than it does.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import control_summary
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, controls=world.controls, time="week", region="region",
    ...     n_draws=8, random_state=0,
    ... ).fit(world.X, world.y)
    >>> list(control_summary(model).index)
    ['price', 'holiday']
    """
    tail = tail_probability(confidence_level)
    counterfactual = counterfactual_of(estimator, X)
    found = effects_of_controls(estimator, counterfactual)
    point, drawn = found.caused_by(np.full_like(found.values, 1 / len(found.values)))
    low, high = np.full((2, len(point)), np.nan)
    if drawn is not None:
        low, high = bounds(drawn, tail, point)
    moved = counterfactual.without_media()[found.labels].abs().sum()
    table = pd.DataFrame(
        {
            "effect": point,
            "effect_low": low,
            "effect_high": high,
            "share": moved.to_numpy() / counterfactual.predicted().sum(),
            "mean": found.values.mean(axis=0),
            "verdict": found.verdict,
        },
        index=pd.Index(found.labels, name="control"),
    )
    if table["verdict"].isna().any():
        table.attrs["verdict"] = (
            f"None: a verdict needs at least {MIN_DRAWS} draws (n_draws)."
        )
    return table


def effects_of_controls(
    estimator: Any, counterfactual: Counterfactual
) -> ControlEffects:
    """Return the `ControlEffects` of the rows, or raise if the estimator has none."""
    inside = unwrap(estimator)
    name = type(inside.model).__name__
    found = None if inside.steps else counterfactual.control_effects()
    if found is None:
        raise ValueError(
            "What controls do is said by a DeepCausalMMMRegressor without steps before "
            f"it, whose columns they are; this is {type(estimator).__name__}. Ask the "
            "model itself, with rows as it reads them."
        )
    if not found.labels:
        raise ValueError(
            f"The {name} has no controls: name them in controls=[...] and fit it again."
        )
    return found
