"""What do two processes bring where many series are fitted, one by one?

`GroupedRegressor` of brands x markets, each a series of 156 weeks with 6 channels, all
defaults; one thread per process. Seconds with one process and with two, and whether
both say the same. Writes results/groups.csv.

    OMP_NUM_THREADS=1 python benchmarks/bench_groups.py --groups 200
"""

import argparse
import time
from pathlib import Path

import pandas as pd

from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results" / "groups.csv"
N_MARKETS = 10


def make_series(n_groups):
    """Return X, y, and the media and control columns of all series."""
    worlds = [
        make_mmm_panel(1, 156, n_media=6, random_state=s) for s in range(n_groups)
    ]
    frames = [
        world.X.drop(columns="region").assign(
            brand=s // N_MARKETS, market=s % N_MARKETS
        )
        for s, world in enumerate(worlds)
    ]
    X = pd.concat(frames, ignore_index=True)
    y = pd.concat([world.y for world in worlds], ignore_index=True)
    return X, y, worlds[0].media, worlds[0].controls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=200)
    n_groups = parser.parse_args().groups
    X, y, media, controls = make_series(n_groups)
    one = DeepCausalMMMRegressor(
        media=media, controls=controls, time="week", random_state=0
    )
    rows, summaries = [], []
    for n_jobs in (1, 2):
        model = GroupedRegressor(one, by=["brand", "market"], n_jobs=n_jobs)
        started = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - started
        summaries.append(model.channel_summary()["contribution"])
        same = summaries[0].equals(summaries[-1])
        rows.append(
            {"groups": n_groups, "n_jobs": n_jobs, "seconds": seconds, "same": same}
        )
        print(rows[-1], flush=True)
    pd.DataFrame(rows).round(2).to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
