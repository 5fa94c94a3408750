"""How often those who are reached should see a channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Array, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._verdicts import ENOUGH, MIN_DRAWS, VERDICTS

# Standard deviation of frequency within regions, by its mean, below which nothing is
# learned of how effects depend on it.
LEAST_VARIATION = 0.1


@documented_by(channel_summary)
def optimal_frequency(
    estimator: Any,
    X: Table | None = None,
    *,
    grid: npt.ArrayLike | None = None,
    confidence_level: float = 0.9,
) -> pd.DataFrame:
    """Return how often people should see each channel that has a frequency.

    Impressions, and with them money, stay what they are in every row of X; who sees
    them changes: at the frequency f reach is impressions / f. The optimum is where the
    effect is highest, the mean over draws [1]_.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        Fitted, with a `frequency`.
    grid : array-like of shape (n_points,), default=None
        Frequencies to compare, at least 1. None: from 1 to the highest of the training
        rows in steps of a tenth, or of several tenths beyond 200 points.

    Returns
    -------
    frequency : DataFrame indexed by channel
        - ``frequency``: impressions / reach of the rows of X; NaN, as the optimum, if
          they reach nobody;
        - ``optimum``, with ``optimum_low`` and ``optimum_high``: quantiles of the
          optima of the draws on the grid (NaN without draws). One at the end of the
          grid says that it may lie beyond;
        - ``reach_times``: how many times the reach of the rows the optimum takes;
        - ``contribution``: what the rows cause, in them and later, in KPI units, the
          mean over draws (`channel_summary` has it at the point); ``gain``: how much
          more they would at the optimum, with ``gain_low`` and ``gain_high``;
        - ``variation``: standard deviation of frequency within regions of the training
          rows, by its mean;
        - ``verdict``: "not identified" where ``variation`` is below 0.1, or the optimum
          of the draws spreads more than half as much as before seeing the data (the
          standard deviation of its logarithm, with no upper limit): the optimum then is
          what was expected. Also if the channel rings an alarm or the data contradict
          its prior. Else "data-driven"; None with fewer than eight draws.

    Raises
    ------
    ValueError
        If the estimator has no channel with a frequency, or the grid is none.

    Notes
    -----
    One frequency for all rows, so that a gain may also come from evening out. That
    frequency can be set, and that more people are there to be reached, is assumed: the
    model is a straight line in reach, however far beyond the reach of the training
    rows ``reach_times`` leads.

    References
    ----------
    .. [1] Zhang, Wurm, Wakim, Li, Liu (2023). Bayesian Hierarchical Media Mix Model
       Incorporating Reach and Frequency Data. Google Research.
    """
    tail = tail_probability(confidence_level)
    counterfactual = counterfactual_of(estimator, X)
    curves = counterfactual.frequency_curves(None if grid is None else _checked(grid))
    if not curves:
        raise ValueError(
            f"{type(estimator).__name__} has no channel with a frequency: fit a "
            "DeepCausalMMMRegressor with frequency={channel: column}, and ask the "
            "model itself."
        )
    return table_of(counterfactual, curves, tail)


def table_of(counterfactual: Any, curves: dict, tail: float) -> pd.DataFrame:
    """Return what `optimal_frequency` says of some curves."""
    drawn = counterfactual.has_draws
    doubts = dict(zip(counterfactual.labels, counterfactual.doubted(), strict=True))
    rows = [
        _row(curve, tail, drawn=drawn) | {"verdict": _verdict(curve, doubts[label])}
        for label, curve in curves.items()
    ]
    table = pd.DataFrame(rows, index=pd.Index(list(curves), name="channel"))
    return table.astype({"verdict": object})


def points_of(counterfactual: Any, curves: dict, tail: float) -> pd.DataFrame:
    """Return what the same impressions cause at each frequency.

    A DataFrame indexed by channel and frequency: ``contribution`` in KPI units, the
    mean over draws, ``low`` and ``high``, which are NaN without draws. Channels whose
    rows reach nobody are left out.
    """
    parts = {}
    for label, curve in curves.items():
        if not np.isfinite(curve.present):
            continue
        mean = curve.effects.mean(axis=0)
        ends = np.full((2, len(mean)), np.nan)
        if counterfactual.has_draws:
            ends = bounds(curve.effects, tail, mean)
        values = {"contribution": mean, "low": ends[0], "high": ends[1]}
        parts[label] = pd.DataFrame(values, pd.Index(curve.grid, name="frequency"))
    if not parts:
        names = ["channel", "frequency"]
        index = pd.MultiIndex.from_arrays([[], []], names=names)
        return pd.DataFrame(columns=["contribution", "low", "high"], index=index)
    return pd.concat(parts, names=["channel"])


def _checked(grid: npt.ArrayLike) -> Array:
    """Return the grid, or raise if it is none."""
    points = np.unique(np.asarray(grid, dtype=np.float64).ravel())
    if not len(points) or not np.isfinite(points).all() or points[0] < 1.0:
        raise ValueError(
            "grid must have frequencies of at least 1: who is reached sees it once."
        )
    return points


def _row(curve, tail, *, drawn):
    """Return what the table says of one channel."""
    best = int(curve.effects.mean(axis=0).argmax())
    optimum, gain = curve.grid[best], curve.effects[:, best] - curve.now
    ends = np.full((2, 2), np.nan)
    reached = np.isfinite(curve.present)
    if drawn and reached:
        first, last = curve.grid[0], curve.grid[-1]
        own = curve.grid[curve.effects.argmax(axis=1)]
        # Of a draw without an effect, what its curve says.
        own = np.where(curve.effects.any(axis=1), own, curve.best.clip(first, last))
        ends[0] = bounds(own, tail, optimum, least=first, most=last)
        ends[1] = bounds(gain, tail, gain.mean())
    return {
        "frequency": curve.present,
        "optimum": optimum if reached else np.nan,
        "optimum_low": ends[0, 0],
        "optimum_high": ends[0, 1],
        "reach_times": curve.present / optimum,
        "contribution": curve.now.mean(),
        "gain": gain.mean(),
        "gain_low": ends[1, 0],
        "gain_high": ends[1, 1],
        "variation": curve.variation,
    }


def _verdict(curve, doubt):
    """Return whether the data tell the optimum; None with too few draws."""
    if len(curve.best) < MIN_DRAWS:
        return None
    if doubt or curve.variation < LEAST_VARIATION:
        return VERDICTS[2]
    spread, before = (np.log(v).std() for v in (curve.best, curve.expected_best))
    return VERDICTS[0] if spread**2 <= (1.0 - ENOUGH) * before**2 else VERDICTS[2]
