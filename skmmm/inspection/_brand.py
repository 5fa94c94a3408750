"""What channels with a slow stock cause at once, late, and after the last row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Array, Columns, MediaCost, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import By, Counterfactual
from skmmm.inspection._verdicts import stock_verdicts


@documented_by(channel_summary)
def brand_effects(
    estimator: Any,
    X: Table | None = None,
    *,
    by: By = None,
    confidence_level: float = 0.9,
    media: Columns = None,
    media_cost: MediaCost = None,
) -> pd.DataFrame:
    """Return what brand channels contribute at once, late, and what is to come.

    Parameters
    ----------
    estimator : object
        Fitted `DeepCausalMMMRegressor` with `brand_channels`, alone, in a pipeline or a
        search.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        The rows in which effects arrive. None: the training rows.
    by : {"region", "period"} or None, default=None
        Groups of rows for which `short` and `long` are told apart. None: all rows.

    Returns
    -------
    effects : DataFrame indexed by channel, or by channel and `by`
        Of each channel in `brand_channels`, with bounds ``*_low`` and ``*_high``, NaN
        without draws:

        - ``short``: what arrived in the rows at once, carry-over over `max_lag` periods
          included, in KPI units;
        - ``long``: what arrived in them out of the slow stock. Both sum to the
          ``contribution`` of `channel_summary`.

        Without `by` also

        - ``to_come``: what the stock still holds after the last row of each region, in
          KPI units: what spend up to there brings later, if effects stay as they are;
        - ``share``: share of effects that goes into the stock;
        - ``half_life``: periods until half of what is in it has come out, one for all
          channels;
        - ``share_prior_low``, ``share_prior_high``, ``half_life_prior_low`` and
          ``half_life_prior_high``: the intervals of the priors;
        - ``verdict`` on the share: "data-driven" if data shrank its spread to less than
          half of the prior's; else "prior-driven", and the split between short and long
          is what was expected before the data; "not identified" if the data cannot tell
          what the channel does at all (`alarm` of `channel_summary`, or the data
          contradict its prior). None with fewer than eight draws.

    Raises
    ------
    ValueError
        If no channel has a slow stock, or the estimator is one of several groups, whose
        own models are to be asked.

    Notes
    -----
    `short` and `long` count what arrives in the rows, whenever it was spent in training
    or in them. What spend before the first training row still brings is no contribution
    but a part of the baseline (``earlier media`` of `baseline_parts`). What is still to
    come belongs to no row yet: `roi` and plans leave it out.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import brand_effects
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=0,
    ...     brand_channels=["media_1"], max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> table = brand_effects(model)
    >>> bool(table.loc["media_1", "to_come"] > 0)
    True
    """
    tail = tail_probability(confidence_level)
    found = counterfactual_of(estimator, X, media=media, media_cost=media_cost)
    return brand_effects_of(found, by, tail)


def brand_effects_of(found: Counterfactual, by: By, tail: float) -> pd.DataFrame:
    """Return the table of `brand_effects`."""
    point = found.brand_effects(by)
    drawn = found.brand_effects(by, draws=True) if found.has_draws else None
    index = found.cells_index(by)
    labels = [found.labels[m] for m in point.channels]
    named = index if by is None else index.get_level_values("channel")
    index = index[named.isin(labels)]

    least = found.least_effect[point.channels]

    def told(name: str, least: float | Array, most: float = np.inf) -> dict[str, Array]:
        value = getattr(point, name)[0]
        ends = np.full((2, *value.shape), np.nan)
        if drawn is not None:
            ends = bounds(getattr(drawn, name), tail, value, least=least, most=most)
        parts = zip(("", "_low", "_high"), (value, *ends), strict=True)
        return {f"{name}{end}": np.asarray(part).T.ravel() for end, part in parts}

    table = told("short", least) | told("long", least)
    if by is not None:
        return pd.DataFrame(table, index)
    table |= told("to_come", least) | told("share", 0.0, 1.0)
    life = told("half_life", 0.0)
    table |= {name: np.repeat(part, len(labels)) for name, part in life.items()}
    for name in ("share", "half_life"):
        ends = np.quantile(getattr(point, f"expected_{name}"), [tail, 1.0 - tail], 0)
        for end, part in zip(("low", "high"), ends, strict=True):
            table[f"{name}_prior_{end}"] = np.broadcast_to(part, len(labels))
    doubted = (found.doubted() != "")[point.channels]
    share = point.share if drawn is None else drawn.share
    table["verdict"] = stock_verdicts(share, point.expected_share, doubted)
    return pd.DataFrame(table, index)
