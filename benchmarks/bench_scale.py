"""How do seconds and memory of one fit grow with regions, and what do cores bring?

Fits of `bench_fit.py`, each in a process of its own, on one thread and on all: default
settings, intervals and graph included. Adds to results/scale.csv: the panel, threads,
processes (`skmmm.distributed.region_workers`), seconds, those of all cores together
(`cpu_seconds`, of the calling process), peak memory and iterations;
prints, of this run alone, seconds on one thread by seconds on all, and the growth
exponent of seconds against rows. Only ratios within one run mean anything elsewhere.

    python benchmarks/bench_scale.py --shapes 1x156x6,dma,200x156x20
    python benchmarks/bench_scale.py --shapes 400x104x10 --threads 1 --workers 1,2
    python benchmarks/bench_scale.py --shapes 10000x156x20 --threads 2
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from bench_fit import PANEL

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scale.csv"
# Regions x weeks x channels, and the real panel. Those with ten channels are for the
# exponent: 5,000 to 208,000 rows.
SHAPES = [
    *("1x156x6", "20x104x6", "dma", "200x156x20"),
    *("48x104x10", "192x104x10", "768x104x10", "2000x104x10"),
]


def run(shape, n_threads, n_workers):
    """Return one row: a fit on so many threads and processes."""
    asked = shape if shape == "dma" else [int(size) for size in shape.split("x")]
    command = [sys.executable, str(HERE / "bench_fit.py"), json.dumps(asked)]
    command.append(str(n_workers))
    limit = {"OMP_NUM_THREADS": str(n_threads)}
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | limit
    )
    found = json.loads(output.stdout.splitlines()[-1])
    return {"shape": shape, "threads": n_threads, "workers": n_workers} | found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--threads", default=f"1,{os.cpu_count()}")
    parser.add_argument("--workers", default="1")
    arguments = parser.parse_args()
    shapes = [s for s in arguments.shapes.split(",") if s != "dma" or PANEL.exists()]
    threads, workers = (
        sorted({int(n) for n in given.split(",")})
        for given in (arguments.threads, arguments.workers)
    )
    rows = []
    for shape in shapes:
        for n_threads, n_workers in product(threads, workers):
            rows.append(run(shape, n_threads, n_workers))
            print(rows[-1], flush=True)
    how, table = ["threads", "workers"], pd.DataFrame(rows)
    kept = table
    if RESULTS.exists():  # what was measured before stays
        kept = pd.concat([pd.read_csv(RESULTS), table])
        kept = kept.drop_duplicates(["shape", *how], keep="last")
    kept.to_csv(RESULTS, index=False)
    seconds = table.pivot(index="shape", columns=how, values="seconds")
    gain = (seconds.iloc[:, 0] / seconds.iloc[:, -1]).round(2)
    first, last = (tuple(map(int, seconds.columns[at])) for at in (0, -1))
    print(gain.rename(f"gain, {how} from {first} to {last}"))
    grown = table[table["shape"].str.endswith("x104x10")]
    for used, some in grown.groupby(how):
        if len(some) > 1:
            logs = np.log(some["rows"]), np.log(some["seconds"])
            print(f"exponent on {how} {used}: {np.polyfit(*logs, 1)[0]:.2f}")


if __name__ == "__main__":
    main()
