"""What does `warm_start` save when four weeks are new?

Panels of `make_mmm_panel`. Each is fitted to all weeks from the usual start, and from
where a fit to all but the last four weeks ended. Writes results/warm_start.csv, one row
per panel:

- n_iter, n_iter_warm: iterations of training
- seconds, seconds_warm: of the whole fit, with 64 draws
- loss, loss_warm: where training ended, per row
- moved: largest relative difference between contributions of the two

    python benchmarks/bench_warm_start.py --seeds 1-2
"""

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd
from bench_recovery import read_seeds

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"
SIZES = ((1, 156, 4), (6, 104, 3), (12, 156, 4))  # regions, weeks, channels
N_NEW = 4


def run_panel(seed, sizes, **options):
    """Return what both fits of a panel took and found."""
    n_regions, n_weeks, n_media = sizes
    panel = make_mmm_panel(n_regions, n_weeks, n_media=n_media, random_state=seed)
    past = (panel.X["week"] < panel.X["week"].unique()[-N_NEW]).to_numpy()
    row = {"n_regions": n_regions, "n_weeks": n_weeks, "n_media": n_media, "seed": seed}
    found = {}
    for suffix in ("", "_warm"):
        model = DeepCausalMMMRegressor(
            media=panel.media,
            controls=panel.controls,
            region="region",
            time="week",
            media_cost=1.0,
            graph=None,
            warm_start=bool(suffix),
            random_state=0,
            **options,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if suffix:
                model.fit(panel.X[past], panel.y[past])
            start = time.perf_counter()
            model.fit(panel.X, panel.y)
        row |= {
            f"n_iter{suffix}": model.n_iter_,
            f"seconds{suffix}": time.perf_counter() - start,
            f"loss{suffix}": model.loss_curve_[-1],
        }
        found[suffix] = model.channel_summary()["contribution"]
    row["moved"] = abs(found["_warm"] / found[""] - 1.0).max()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(1, 5), help="as 1-4")
    parser.add_argument("--out", type=Path, default=RESULTS / "warm_start.csv")
    options = parser.parse_args()
    rows = [run_panel(seed, sizes) for sizes in SIZES for seed in options.seeds]
    table = pd.DataFrame(rows).round(4)
    table.to_csv(options.out, index=False)
    print(table.groupby("n_regions").mean().round(3).to_string())
    saved = 1.0 - table["n_iter_warm"].sum() / table["n_iter"].sum()
    print(f"{saved:.0%} fewer iterations")


if __name__ == "__main__":
    main()
