"""Worlds in which it is known how many people saw a channel, and how often.

Impressions i of a channel go to a share a of people that differs from week to week, at
random: ``reach = a (1 - exp(-i / a))`` of them see it at least once (each impression
finds anyone of them alike), ``frequency = i / reach`` times on average. Effects are

    share * adstock(reach * hill(frequency; half, slope)) / its mean

of a KPI of one, for two channels; a third one is spend with a curve of its own.

- ``reach_series``: one series of 156 weeks.
- ``reach_panel``: ten regions, 104 weeks.
- ``reach_steady``: as ``reach_panel``, but the share of people follows impressions, so
  that frequency varies by a few percent.

    from reach_worlds import WORLDS
    problem = WORLDS["reach_panel"](seed=0)
"""

from functools import partial

import numpy as np
import pandas as pd
from world_parts import (
    REGION,
    WEEK,
    Problem,
    autoregression,
    carry_over,
    geometric,
    hill,
)

REACHED, PAID = ["video", "social"], "tv"
FREQUENCY = {channel: f"{channel}_frequency" for channel in REACHED}
_LAGS = 9


def best_frequency(half, slope):
    """Return where an impression adds most: ``hill(f) / f`` is highest there."""
    return np.maximum(half * np.maximum(slope - 1.0, 0.0) ** (1.0 / slope), 1.0)


def make_world(seed, *, name, n_regions, n_weeks, steady):
    """Return a `Problem`; `X.attrs["optimum"]` has the best frequencies by channel."""
    rng = np.random.default_rng([seed, n_regions, steady])
    half, slope = rng.uniform(1.5, 3.5, 2), rng.uniform(1.5, 3.0, 2)
    decay, share = rng.uniform(0.2, 0.7, 3), rng.uniform(0.05, 0.15, 3)
    size = np.exp(rng.normal(0.0, 0.8, n_regions))
    kernels = geometric(decay, _LAGS)
    acts = np.empty((n_regions, n_weeks, 3))
    columns = {}
    for m, channel in enumerate(REACHED):
        impressions, people = _delivery(rng, (n_regions, n_weeks), steady)
        reach = people * -np.expm1(-impressions / people)
        frequency = np.where(reach > 0, impressions / np.where(reach > 0, reach, 1), 1)
        frequency = np.maximum(frequency, 1.0)
        acts[..., m] = reach * hill(frequency, half=half[m], slope=slope[m])
        columns[channel] = reach * size[:, None] * 1e5
        columns[FREQUENCY[channel]] = np.where(reach > 0, frequency, np.nan)
    spend, _ = _delivery(rng, (n_regions, n_weeks), steady)
    carried = np.stack([carry_over(region, kernels) for region in acts])
    tv = np.stack([carry_over(region[:, None], kernels[2:])[:, 0] for region in spend])
    carried[..., 2] = hill(tv, half=rng.uniform(0.6, 1.5), slope=rng.uniform(0.8, 1.4))
    columns[PAID] = spend * size[:, None] * 1e3
    effects = share * carried / carried.mean(axis=(0, 1))
    week = np.arange(n_weeks)
    season = 0.1 * np.sin(2 * np.pi * (week / 52 + rng.random()))
    level = np.cumsum(rng.normal(0.0, 0.006, (n_regions, n_weeks)), axis=1)
    noise = rng.normal(0.0, 0.04, (n_regions, n_weeks))
    unit = 1e4 * size[:, None]
    kpi = unit * (1.0 + season + level + effects.sum(axis=2) + noise)
    X = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    X.insert(0, WEEK, np.tile(week, n_regions))
    X.insert(1, REGION, np.repeat([f"r{r:02d}" for r in range(n_regions)], n_weeks))
    X.attrs["optimum"] = dict(zip(REACHED, best_frequency(half, slope), strict=True))
    truth = (unit[..., None] * effects).reshape(-1, 3)
    media = [*REACHED, PAID]
    roles = {"media": media, "region": REGION, "time": WEEK, "frequency": FREQUENCY}
    return Problem(
        name=name,
        seed=seed,
        X=X,
        y=pd.Series(kpi.ravel(), name="kpi"),
        truth=pd.DataFrame(truth, columns=media),
        roles=roles,
    )


def _delivery(rng, shape, steady):
    """Return impressions and the people they go to, per head, each (R, T)."""
    n_regions, n_weeks = shape
    moves = [autoregression(rng, 0.5, 0.5, n_weeks) for _ in range(n_regions)]
    on = rng.random(shape) < 0.8
    impressions = 0.5 * np.exp(np.stack(moves)) * on
    if steady:  # frequency is then 2.5, give or take
        people = impressions / 2.2 * np.exp(rng.normal(0.0, 0.02, shape))
    else:
        people = 0.25 * np.exp(rng.normal(0.0, 0.5, shape))
    return impressions, np.where(on, people, 1.0)


WORLDS = {
    "reach_series": partial(
        make_world, name="reach_series", n_regions=1, n_weeks=156, steady=False
    ),
    "reach_panel": partial(
        make_world, name="reach_panel", n_regions=10, n_weeks=104, steady=False
    ),
    "reach_steady": partial(
        make_world, name="reach_steady", n_regions=10, n_weeks=104, steady=True
    ),
}
