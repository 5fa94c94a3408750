"""Does training settle, and how far is its mode from the truth, as regions grow?

Fits without draws to simulated panels. Adds to results/training.csv: whether
training settled, its iterations, and the mean error of the logarithm of channel totals
(at most 2 each). `training_before.csv` is of the version whose information about
deviations stood still within a round.

    python benchmarks/bench_training.py --shapes 20x104x6 --seeds 0-7
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from sklearn.exceptions import ConvergenceWarning

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"


def run(shape, seed):
    """Return one row."""
    n_regions, n_periods, n_media = map(int, shape.split("x"))
    world = make_mmm_panel(n_regions, n_periods, n_media=n_media, random_state=seed)
    model = DeepCausalMMMRegressor(
        media=world.media,
        controls=world.controls,
        region="region",
        time="week",
        graph=None,
        n_draws=0,
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(world.X, world.y)
    found = model.channel_summary()["contribution"].to_numpy()
    truth = world.contributions[world.media].sum().to_numpy()
    error = np.abs(np.log(np.maximum(found, 1e-9 * truth.sum()) / truth))
    unsettled = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return {
        "shape": shape,
        "seed": seed,
        "settled": int(not unsettled),
        "iterations": model.n_iter_,
        "error": error.clip(max=2.0).mean(),
        "largest_error": error.max(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="4x156x6,20x104x6,50x104x6,400x104x10")
    parser.add_argument("--seeds", type=read_seeds, default=range(8), help="as 0-7")
    parser.add_argument("--out", type=Path, default=RESULTS / "training.csv")
    arguments = parser.parse_args()
    rows = [
        run(s, seed) for s in arguments.shapes.split(",") for seed in arguments.seeds
    ]
    table = pd.DataFrame(rows)
    if arguments.out.exists():  # what was measured before stays
        table = pd.concat([pd.read_csv(arguments.out), table])
        table = table.drop_duplicates(["shape", "seed"], keep="last")
    table.to_csv(arguments.out, index=False, float_format="%.3f")
    print(table.groupby("shape", sort=False).mean(numeric_only=True).round(3))


if __name__ == "__main__":
    main()
