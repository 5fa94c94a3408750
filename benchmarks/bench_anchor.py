"""What do priors from an older model bring to a short series?

Panels of `make_mmm_panel`, 5 regions x 156 weeks x 3 channels; new are the last 60
weeks of the fifth region. They are fitted without priors, and with `priors_from` of
models of

- earlier: the first 96 weeks of the same region, weight 1 and .25
- market: the other four regions, weight 1 and .25. Carry-over and saturation are the
  same there, but regions sell and spend otherwise, so that returns differ (logs of the
  true ROI by about .6). Also without "roi".

Writes results/anchor.csv, one row per seed, priors and channel:

- log_error: log of the estimated by the true contribution to the new rows
- width: of the 90 % interval, over the true contribution
- holds: 1 if the interval holds the truth
- anchored: 1 if the channel got priors

    python benchmarks/bench_anchor.py --seeds 1-2
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import priors_from

RESULTS = Path(__file__).parent / "results"
N_NEW = 60
SCORES = ["contribution", "contribution_low", "contribution_high"]


def make_markets(seed, n_regions=5, n_weeks=156, n_media=3):
    """Return a panel, and which rows are new, earlier, and of other markets."""
    panel = make_mmm_panel(n_regions, n_weeks, n_media=n_media, random_state=seed)
    last = (panel.X["region"] == panel.X["region"].max()).to_numpy()
    late = (panel.X["week"] >= panel.X["week"].unique()[-N_NEW]).to_numpy()
    return panel, last & late, last & ~late, ~last


def fitted(panel, rows, **options):
    """Return a model of some rows of a panel."""
    model = DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        media_cost=1.0,
        graph=None,
        random_state=0,
        **options,
    )
    return model.fit(panel.X[rows], panel.y[rows])


def run_seed(seed, sizes=(5, 156, 3), **options):
    """Return one row per priors and channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel, new, before, others = make_markets(seed, *sizes)
        earlier, market = (fitted(panel, rows, **options) for rows in (before, others))
        spend = panel.X[panel.media].to_numpy()
        size = spend[new].mean() / spend[others].mean()
        shape = {"quantities": ["decay", "half_saturation"], "size": size}
        priors = {
            "none": {},
            "earlier": priors_from(earlier),
            "earlier, .25": priors_from(earlier, 0.25),
            "market": priors_from(market, size=size),
            "market, .25": priors_from(market, 0.25, size=size),
            "market without roi": priors_from(market, **shape),
        }
        tables = []
        for name, given in priors.items():
            found = fitted(panel, new, priors=given or None, **options)
            tables.append(scored(found, panel, new, given).assign(priors=name))
    return pd.concat(tables).assign(seed=seed)


def scored(model, panel, new, given):
    """Return errors of the totals of a model, one row per channel."""
    truth = panel.contributions.loc[new, panel.media].sum()
    found = model.channel_summary(confidence_level=0.9)
    point, low, high = (found.loc[panel.media, name] for name in SCORES)
    table = pd.DataFrame(
        {
            "log_error": np.log(point / truth),
            "width": (high - low) / truth,
            "holds": ((low <= truth) & (truth <= high)).astype(int),
            "anchored": [int(label in given) for label in panel.media],
        }
    )
    table.index.name = "channel"
    return table.reset_index()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(1, 9), help="as 1-8")
    parser.add_argument("--out", type=Path, default=RESULTS / "anchor.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tables = Parallel(options.jobs, verbose=5)(
        delayed(run_seed)(seed) for seed in options.seeds
    )
    table = pd.concat(tables, ignore_index=True)
    first = ["priors", "seed", "channel"]
    table = table[[*first, *table.columns.difference(first, sort=False)]]
    table.round(4).to_csv(options.out, index=False)
    found = table.groupby("priors", sort=False).agg(
        channels=("holds", "size"),
        anchored=("anchored", "mean"),
        error=("log_error", lambda e: e.abs().median()),
        rms=("log_error", lambda e: (e**2).mean() ** 0.5),
        width=("width", "median"),
        holds=("holds", "mean"),
    )
    print(found.round(3).to_string())


if __name__ == "__main__":
    main()
