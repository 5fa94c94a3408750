"""Are short and long effects of brand channels told apart?

Simulated panels (`make_mmm_panel`) of 8 regions. Two of four channels, one that runs in
flights and one that is always on, have a slow stock: a share of what they cause, 0
("short only"), .5 ("half") or 1 ("long only"), comes out of it with a half-life drawn
around 26 weeks (LogNormal, sd .4). Five years are simulated and the last three seen, so
that the stock is not empty in the first row; what it brings there is no contribution of
rows that were seen. Contenders name both channels in `brand_channels`, or none. Writes
results/brand.csv, one row per world, seed, contender and channel:

- short, long, to_come with bounds of 90 % intervals, and the truth; long is 0 and the
  contribution short where no channel is named
- spend: "flights" or "always on", "" of channels without a stock
- share and half_life, with bounds and the truth; verdict on the share
- contribution with bounds, of short and long together, and the truth

An interval cannot hold a short or long contribution of exactly nothing: shares are
between 0 and 1. `summarise` says how far from nothing its lower bound is.

    python benchmarks/bench_brand.py --seeds 700-709
"""

import argparse
import itertools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"
N_REGIONS, N_BEFORE, N_SEEN, N_AFTER = 8, 104, 156, 260
WORLDS = {"short only": 0.0, "half": 0.5, "long only": 1.0}
CONTENDERS = ("named", "not named")
SPEND = ("flights", "always on")  # of the two brand channels
ENDS = ("", "_low", "_high")


def fade(inflow, keep):
    """Return what comes out of a stock that is empty at first, (T, ...)."""
    late, found = np.zeros_like(inflow[0]), np.empty_like(inflow)
    for t, one in enumerate(inflow):
        late = keep * late + (1.0 - keep) * one
        found[t] = late
    return found


def make_world(share, seed):
    """Return rows, KPI, roles, brand channels, their truth by channel and half-life."""
    panel = make_mmm_panel(N_REGIONS, N_BEFORE + N_SEEN, n_media=4, random_state=seed)
    half_life = 26.0 * np.exp(0.4 * np.random.default_rng(seed).standard_normal())
    keep = 0.5 ** (1.0 / half_life)
    brand = [panel.media[0], panel.media[2]]
    week = panel.X["week"].rank(method="dense").to_numpy().astype(int) - 1
    seen = week >= N_BEFORE
    shape = N_BEFORE + N_SEEN, N_REGIONS
    y, truth = np.asarray(panel.y, dtype=float).copy(), {}
    for channel in panel.media:
        effects = panel.contributions[channel].to_numpy().reshape(shape)
        inflow = (share if channel in brand else 0.0) * effects
        own = np.where(np.arange(len(inflow))[:, None] < N_BEFORE, 0.0, inflow)
        own = np.concatenate([own, np.zeros((N_AFTER, N_REGIONS))])
        late = fade(own, keep)
        y += (fade(inflow, keep) - inflow).ravel()
        left = late[len(inflow) - 1].sum() * keep / (1.0 - keep)
        truth[channel] = {
            "short": (effects - inflow)[N_BEFORE:].sum(),
            "long": late[: len(inflow)].sum(),
            "to_come": left,
        }
    roles = {"media": panel.media, "controls": panel.controls}
    return panel.X[seen], y[seen], roles, brand, truth, half_life


def run(world, seed, contender):
    """Return one row per channel."""
    share = WORLDS[world]
    X, y, roles, brand, truth, half_life = make_world(share, seed)
    model = DeepCausalMMMRegressor(
        **roles,
        region="region",
        time="week",
        media_cost=1.0,
        graph=None,
        brand_channels=brand if contender == "named" else None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
        summary = model.channel_summary()
        slow = model.brand_effects() if contender == "named" else summary.iloc[:0]
    rows = []
    for channel in roles["media"]:
        true = truth[channel]
        row = {"world": world, "seed": seed, "contender": contender}
        row |= {
            "channel": channel,
            "spend": SPEND[brand.index(channel)] if channel in brand else "",
        }
        for name in ("short", "long", "to_come"):
            row[f"{name}_true"] = true[name]
            told = channel in slow.index
            source = slow.loc[channel] if told else summary.loc[channel]
            for end in ENDS:
                if told:
                    row[name + end] = source[name + end]
                else:
                    row[name + end] = source["contribution" + end] * (name == "short")
        row["contribution_true"] = true["short"] + true["long"]
        row |= {
            f"contribution{end}": summary.loc[channel, f"contribution{end}"]
            for end in ENDS
        }
        if channel in slow.index:
            row |= {"share_true": share, "half_life_true": half_life}
            for name in ("share", "half_life"):
                row |= {name + end: slow.loc[channel, name + end] for end in ENDS}
            row["verdict"] = slow.loc[channel, "verdict"]
        rows.append(row)
    return pd.DataFrame(rows)


def summarise(table):
    """Return errors, as shares of the whole effect, and coverage, by channel."""
    brand = table[table["spend"] != ""]
    size = brand["contribution_true"] + brand["to_come_true"]
    found = brand[["world", "spend", "contender"]].copy()
    for name in ("short", "long", "to_come", "contribution"):
        away = brand[name] - brand[f"{name}_true"]
        low, high = brand[f"{name}_low"], brand[f"{name}_high"]
        found[f"{name} error"] = away.abs() / size
        found[f"{name} holds"] = (low <= brand[f"{name}_true"]) & (
            brand[f"{name}_true"] <= high
        )
    for name in ("short", "long"):
        found[f"{name} lower bound"] = brand[f"{name}_low"] / size
    found["data-driven"] = brand["verdict"] == "data-driven"
    return found.groupby(["world", "spend", "contender"], sort=False).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=read_seeds, default=range(700, 710), help="as 0-9"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "brand.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tasks = itertools.product(WORLDS, options.seeds, CONTENDERS)
    tables = Parallel(options.jobs, verbose=5)(delayed(run)(*t) for t in tasks)
    table = pd.concat(tables, ignore_index=True)
    table.round(4).to_csv(options.out, index=False)
    print(summarise(table).round(2).T.to_string())


if __name__ == "__main__":
    main()
