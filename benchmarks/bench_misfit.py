"""How far off are effects where the KPI has hardly any noise?

Panels of `make_mmm_panel` with noise of .2 % of the KPI, 12 regions x 156 weeks x 4
channels, whose carry-over and saturation are those of the model or others. What is off
there is hardly noise: the equations fit, and say the wrong thing of no spend at all in
channels that are never dark (`MISFIT_ALWAYS_ON` in `skmmm._model.priors`).
Writes results/misfit.csv, one row per panel and channel:

- log_error: log of the estimated by the true contribution
- log_sd: standard deviation of the log that the 90 % interval implies
- holds: 1 if the interval holds the truth
- dark: share of periods without spend

    python benchmarks/bench_misfit.py --seeds 1-2
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
WORLDS = {
    "adstock": ("geometric", "weibull"),
    "saturation": ("hill", "exponential"),
    "effect_drift": (0.0, 0.5),
}
NORMAL_WIDTH = 3.29  # of a 90 % interval, in standard deviations
SCORES = ["contribution", "contribution_low", "contribution_high"]


def run_panel(seed, sizes=(12, 156, 4), *, options=None, **world):
    """Return one row per channel of a panel of so many regions, weeks and channels."""
    n_regions, n_weeks, n_media = sizes
    panel = make_mmm_panel(
        n_regions, n_weeks, n_media=n_media, noise=0.002, random_state=seed, **world
    )
    model = DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        media_cost=1.0,
        random_state=0,
        **(options or {}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(panel.X, panel.y).channel_summary(confidence_level=0.9)
    truth = panel.contributions[panel.media].sum()
    point, low, high = (found.loc[panel.media, name] for name in SCORES)
    table = pd.DataFrame(
        {
            "log_error": np.log(point / truth),
            "log_sd": np.log(high / low) / NORMAL_WIDTH,
            "holds": ((low <= truth) & (truth <= high)).astype(int),
            "dark": (panel.X[panel.media] == 0).mean(),
        }
    )
    table.index.name = "channel"
    return table.reset_index().assign(seed=seed, **world)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(1, 5), help="as 1-4")
    parser.add_argument("--out", type=Path, default=RESULTS / "misfit.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    worlds = [
        dict(zip(WORLDS, values, strict=True))
        for values in itertools.product(*WORLDS.values())
    ]
    tables = Parallel(options.jobs)(
        delayed(run_panel)(seed, **world) for world in worlds for seed in options.seeds
    )
    table = pd.concat(tables, ignore_index=True)
    first = [*WORLDS, "seed", "channel"]
    table = table[[*first, *table.columns.difference(first, sort=False)]]
    table.round(4).to_csv(options.out, index=False)
    for name, part in table.groupby(np.where(table["dark"] > 0, "dark", "never dark")):
        error = part["log_error"].abs()
        print(
            f"{len(part)} channels that are {name}: error {error.median():.3f} in the "
            f"median, {(error**2).mean() ** 0.5:.3f} in the root of the mean square; "
            f"sd told {part['log_sd'].median():.3f}; {part['holds'].mean():.2f} held"
        )


if __name__ == "__main__":
    main()
