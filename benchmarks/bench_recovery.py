"""Does the model find what each channel caused, where that is known?

Problems: the four presets of the public PyMC-Labs recovery benchmark (one table each,
if present) and simulated panels with and without drifting effectiveness (eight seeds
each).
Contenders: skmmm, skmmm without its GRU, the linear MMM. Writes results/recovery.csv.

- srmse: RMSE of a channel's weekly contribution over its true mean, averaged over
  channels and regions
- total_error: median over channels of the relative error of the total contribution
- coverage: share of channel totals inside the 90 % interval

    python benchmarks/bench_recovery.py
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
PRESETS = ("small", "growing", "medium", "large")
WORLDS = {
    "national, constant": {"n_regions": 1},
    "national, drifting": {"n_regions": 1, "effect_drift": 0.5},
    "8 regions, constant": {"n_regions": 8},
    "8 regions, drifting": {"n_regions": 8, "effect_drift": 0.5},
}


def presets():
    """Yield name, seed, X, y, true contributions and roles of the public tables."""
    for name in PRESETS:
        path = SHARED / f"recovery_{name}.csv.gz"
        if not path.exists():
            continue
        frame = pd.read_csv(path)
        truth = pd.read_csv(SHARED / f"recovery_{name}.truth.csv.gz")
        media = [c for c in frame if c.startswith("x")]
        controls = [c for c in frame if c[0] == "c" and c[1:].isdigit()]
        truth = truth[[f"contribution_{c}" for c in media]].set_axis(media, axis=1)
        roles = {"media": media, "controls": controls, "region": "geo", "time": "time"}
        yield name, 20250715, frame.drop(columns="y"), frame["y"], truth, roles


def simulated(seeds=range(100, 108)):
    """Yield the same for simulated worlds."""
    for name, options in WORLDS.items():
        for seed in seeds:
            world = make_mmm_panel(**options, random_state=seed)
            roles = {
                "media": world.media,
                "controls": world.controls,
                "region": "region",
                "time": "week",
            }
            truth = world.contributions[world.media]
            yield name, seed, world.X, world.y, truth, roles


def fit_skmmm(X, y, roles, **options):
    """Return contributions, and the bounds of their totals."""
    model = DeepCausalMMMRegressor(**roles, random_state=0, **options).fit(X, y)
    summary = model.channel_summary()
    bounds = summary["contribution_low"], summary["contribution_high"]
    return model.contributions()[roles["media"]], bounds


def fit_without_gru(X, y, roles):
    return fit_skmmm(X, y, roles, n_hidden=0)


def fit_linear(X, y, roles):
    """Return what the linear MMM's prediction loses without each channel."""
    model = make_linear_mmm(**roles).fit(X, y)
    full = model.predict(X)
    parts = {c: full - model.predict(X.assign(**{c: 0.0})) for c in roles["media"]}
    return pd.DataFrame(parts, index=X.index), None


CONTENDERS = {
    "skmmm": fit_skmmm,
    "skmmm, GRU off": fit_without_gru,
    "linear MMM": fit_linear,
}


def scores(estimate, bounds, truth, region):
    error = ((estimate - truth) ** 2).groupby(region).mean() ** 0.5
    size = truth.groupby(region).mean().abs()
    ratios = (error / size.where(size > 0)).to_numpy()
    totals = truth.sum()
    coverage = np.nan
    if bounds is not None:
        low, high = (bound[totals.index] for bound in bounds)
        coverage = ((low <= totals) & (totals <= high)).mean()
    return {
        "srmse": np.nanmean(ratios),
        "total_error": (estimate.sum() / totals - 1).abs().median(),
        "coverage": coverage,
    }


def main():
    rows = []
    for problems in (presets(), simulated()):
        for name, seed, X, y, truth, roles in problems:
            region = X[roles["region"]].to_numpy()
            for contender, fit in CONTENDERS.items():
                started = time.perf_counter()
                estimate, bounds = fit(X, y, roles)
                seconds = time.perf_counter() - started
                rows.append(
                    {"problem": name, "seed": seed, "contender": contender}
                    | scores(estimate, bounds, truth, region)
                    | {"seconds": seconds}
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.round(4).to_csv(HERE / "results" / "recovery.csv", index=False)
    keys = ["problem", "contender"]
    means = table.groupby(keys, sort=False).mean(numeric_only=True)
    print(means.drop(columns="seed").round(3))


if __name__ == "__main__":
    main()
