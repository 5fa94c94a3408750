"""How far do estimates move if new weeks come in, and do they follow what changed?

Simulated markets (`make_mmm_panel`) with two years of history and a third one that
comes in every four weeks. In the world "stationary" nothing changes; in "drift" the
channel that causes most causes 30 % less from the third year on. A model of the first
two years takes in the new weeks by `partial_fit`, with drift or without, or is
fitted again to all rows. Writes results/refresh.csv, one row per market, contender,
refresh and channel:

- roi: of the first two years, in KPI units per money; roi_before: at the refresh before
- roi_last: of the last 13 weeks, and roi_last_true
- verdict, holds: 1 if the 90 % interval of all training rows holds the truth
- last_holds: the same of the last 13 weeks; width_last: of that interval, as a share of
  the estimate
- seconds: of the refresh, on one thread; compare within one market only

All contenders go on from the same fit: drift is of refreshes only.

    python benchmarks/bench_refresh.py --seeds 0-4
"""

import argparse
import copy
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"
N_HISTORY, N_COMING, N_AT_ONCE, N_LAST = 104, 52, 4, 13
SIZES = {"series": 1, "panel": 6}  # regions
CONTENDERS = {
    "as it is": {},
    "drift 0.03": {"effect_drift": 0.03},
    "drift 0.06": {"effect_drift": 0.06},
    "drift 0.12": {"effect_drift": 0.12},
    "drift 0.24": {"effect_drift": 0.24},
    "drift 0.4": {"effect_drift": 0.4},
    "fit again": None,
}
FALLS = 0.3  # share of its effect that a channel loses
COLUMNS = [
    *("world", "market", "seed", "contender", "weeks", "channel", "moves"),
    *("roi", "roi_before", "roi_last", "roi_last_true", "verdict", "holds"),
    *("last_holds", "width_last", "seconds"),
]


def make_market(world, n_regions, seed):
    """Return rows, KPI, true contributions, roles, and which channel changes."""
    panel = make_mmm_panel(
        n_regions, N_HISTORY + N_COMING, n_media=4, random_state=seed
    )
    caused = panel.contributions[panel.media].to_numpy(copy=True)
    week = panel.X["week"].rank(method="dense").to_numpy().astype(int) - 1
    moves = int(caused.sum(axis=0).argmax())
    y = np.asarray(panel.y, dtype=float).copy()
    if world == "drift":
        lost = FALLS * caused[:, moves] * (week >= N_HISTORY)
        y -= lost
        caused[:, moves] -= lost
    roles = {"media": panel.media, "controls": panel.controls}
    return panel.X, y, week, caused, roles, panel.media[moves]


def run_market(world, size, seed, contenders):
    """Return one row per contender, refresh and channel of one market."""
    X, y, week, caused, roles, moves = make_market(world, SIZES[size], seed)
    model = DeepCausalMMMRegressor(
        **roles,
        region="region",
        time="week",
        media_cost=1.0,
        graph=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[week < N_HISTORY], y[week < N_HISTORY])
        table = pd.concat(
            [
                _run(copy.deepcopy(model), contender, X, y, week, caused)
                for contender in contenders
            ],
            ignore_index=True,
        )
    given = {"world": world, "market": size, "seed": seed}
    table = table.assign(**given, moves=(table["channel"] == moves).astype(int))
    return table[COLUMNS]


def _run(model, contender, X, y, week, caused):
    """Return one row per refresh and channel of one contender."""
    settings = CONTENDERS[contender]
    model.set_params(**(settings or {}))
    history, found, before = week < N_HISTORY, [], np.nan
    for stop in range(N_HISTORY, N_HISTORY + N_COMING + 1, N_AT_ONCE):
        seen, new = week < stop, (week >= stop - N_AT_ONCE) & (week < stop)
        start = time.perf_counter()
        if stop > N_HISTORY and settings is None:
            model = DeepCausalMMMRegressor(**model.get_params())
            model.fit(X[seen], y[seen])
        elif stop > N_HISTORY:
            model.partial_fit(X[new], y[new])
        seconds = time.perf_counter() - start
        last = seen & (week >= stop - N_LAST)
        told = _told(model, X, caused, history, seen, last).assign(roi_before=before)
        before = told["roi"]
        told = told.assign(weeks=stop - N_HISTORY, seconds=seconds)
        found.append(told.reset_index(names="channel"))
    return pd.concat(found, ignore_index=True).assign(contender=contender)


def _told(model, X, caused, history, seen, last):
    """Return what a model says of channels, and the truth."""
    media = list(model.media_)
    early, late = (model.channel_summary(X[rows]) for rows in (history, last))
    whole = model.channel_summary(X[seen])
    true, true_last = (
        pd.Series(caused[rows].sum(axis=0), media) for rows in (seen, last)
    )
    (low, high), (low_last, high_last) = (
        (one["contribution_low"], one["contribution_high"]) for one in (whole, late)
    )
    within = (low_last <= true_last) & (true_last <= high_last)
    table = pd.DataFrame(
        {
            "roi": early["roi"],
            "roi_last": late["roi"],
            "roi_last_true": true_last / X.loc[last, media].sum(),
            "verdict": whole["verdict"],
            "holds": ((low <= true) & (true <= high)).astype(int),
            "last_holds": within.astype(float).where(true_last > 0),
            "width_last": (high_last - low_last) / late["contribution"],
        }
    )
    return table.loc[media]


def summarise(table):
    """Return how far estimates moved, held and followed, by world and contender."""
    change = (table["roi"] / table["roi_before"] - 1.0).abs()
    told = table["verdict"] == "data-driven"
    end = table["weeks"] == table["weeks"].max()
    keys = ["world", "market", "contender"]
    rows = table.assign(change=change, told_change=change.where(told))
    by = rows[rows["weeks"] > 0].groupby(keys)
    found = by[["change", "told_change", "seconds"]].mean()
    found["holds at the end"] = table[end].groupby(keys)["holds"].mean()
    quarter = table[table["weeks"] == 12]
    named = quarter.assign(told=quarter["verdict"] == "data-driven").groupby(keys)
    found["data-driven after 12 weeks"] = named["told"].mean()
    moved = quarter[quarter["moves"] == 1].groupby(keys)
    found["holds where moved, last 13 weeks"] = moved["last_holds"].mean()
    return found.join(_followed(table))


def _followed(table):
    """Return which share of a fall is seen in the ROI of the last 13 weeks.

    Beside the same market without the fall, where ROI moves too: with spend.
    """
    moving = table[(table["moves"] == 1) & table["weeks"].isin([12, 16, 52])]
    logs = moving[["roi_last", "roi_last_true"]].apply(np.log)
    keys = ["market", "contender", "weeks"]
    logs = logs.join(moving[["world", *keys, "seed"]])
    wide = logs.pivot_table(index=[*keys, "seed"], columns="world")
    fall = wide.xs("drift", axis=1, level=1) - wide.xs("stationary", axis=1, level=1)
    means = fall.groupby(keys).mean()
    share = (means["roi_last"] / means["roi_last_true"]).unstack("weeks")
    share.columns = [f"followed after {weeks} weeks" for weeks in share]
    return share


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(5), help="as 0-4")
    parser.add_argument("--contenders", help="by comma (default: all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "refresh.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    contenders = (options.contenders or ",".join(CONTENDERS)).split(",")
    tasks = [
        (*market, contenders)
        for market in itertools.product(("stationary", "drift"), SIZES, options.seeds)
    ]
    tables = Parallel(options.jobs, verbose=5)(delayed(run_market)(*t) for t in tasks)
    table = pd.concat(tables, ignore_index=True)
    table.round(4).to_csv(options.out, index=False)
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
