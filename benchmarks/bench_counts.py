"""What if the KPI is a small count, zero where a region was closed, or negative?

Panels of `make_mmm_panel`, 6 regions x 104 weeks x 3 channels: the KPI is divided so
that its mean is a small number and drawn from a Poisson distribution around that; or it
is zero in a share of the rows of every region, drawn at random, in which media cause
nothing; or a region's fixed cost is taken off. The truth is what media cause in the
mean. Writes results/counts.csv, one row per panel and channel:

- mean: of the KPI where regions are open (nan: as `make_mmm_panel` draws it)
- closed: share of rows in which a region is closed
- negative: share of rows of each region with a KPI below zero
- left_out: 1 if closed rows have sample_weight 0
- zeros: share of rows in which the KPI is zero
- typical: smallest median, over regions, of the KPI that is not zero
- log_error: log of the estimated by the true contribution
- width: of the 90 % interval, over the true contribution
- holds: 1 if the interval holds the truth
- stuck: share of rows from which the fit learns nothing, as the KPI stands still

    python benchmarks/bench_counts.py --seeds 1-2
"""

import argparse
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"
# Mean of the KPI, shares of closed and of negative rows, whether closed are left out.
WORLDS = (
    *((mean, 0.0, 0.0, 0) for mean in (np.nan, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)),
    *((np.nan, closed, 0.0, 0) for closed in (0.02, 0.05, 0.1, 0.2, 0.4)),
    *((np.nan, closed, 0.0, 1) for closed in (0.2, 0.4)),
    *((np.nan, 0.0, negative, 0) for negative in (0.05, 0.2, 0.5)),
)
SCORES = ["contribution", "contribution_low", "contribution_high"]


def make_counts(seed, mean, closed, negative, sizes=(6, 104, 3)):
    """Return a panel, its KPI, what channels cause (n_rows, n_media), open rows."""
    n_regions, n_weeks, n_media = sizes
    panel = make_mmm_panel(n_regions, n_weeks, n_media=n_media, random_state=seed)
    rng = np.random.default_rng(seed)
    y = panel.y.to_numpy()
    caused = panel.contributions[panel.media].to_numpy()
    if np.isfinite(mean):
        share = mean / y.mean()
        y, caused = rng.poisson(np.maximum(share * y, 0.0)) * 1.0, share * caused
    if negative:
        sales = pd.Series(y).groupby(panel.X["region"].to_numpy())
        y = y - sales.transform("quantile", negative).to_numpy()
    is_open = rng.uniform(size=len(y)) >= closed
    return panel, y * is_open, caused * is_open[:, None], is_open


def run_panel(
    seed, mean, closed, negative=0.0, left_out=0, sizes=(6, 104, 3), **settings
):
    """Return one row per channel of a panel."""
    panel, y, caused, is_open = make_counts(seed, mean, closed, negative, sizes)
    options = {
        "media": panel.media,
        "controls": panel.controls,
        "region": "region",
        "time": "week",
        "media_cost": 1.0,
        "random_state": 0,
    }
    model = DeepCausalMMMRegressor(**options | settings)
    weight = is_open * 1.0 if left_out else None
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        model.fit(panel.X, y, weight)
        rows = panel.X[is_open] if left_out else None
        found = model.channel_summary(rows, confidence_level=0.9)
    stuck = [
        re.search(r"stands still.* in ([\d,]+) row", str(n.message)) for n in noted
    ]
    rows = sum(int(one[1].replace(",", "")) for one in stuck if one)
    sold = pd.Series(np.where(y > 0, y, np.nan)).groupby(panel.X["region"].to_numpy())
    truth = pd.Series(caused.sum(axis=0), panel.media)
    point, low, high = (found.loc[panel.media, name] for name in SCORES)
    table = pd.DataFrame(
        {
            "zeros": (y == 0).mean(),
            "typical": sold.median().min(),
            "log_error": np.log(point / truth),
            "width": (high - low) / truth,
            "holds": ((low <= truth) & (truth <= high)).astype(int),
            "verdict": found.loc[panel.media, "verdict"],
            "stuck": rows / len(y),
        }
    )
    table.index.name = "channel"
    named = {
        "mean": mean,
        "closed": closed,
        "negative": negative,
        "left_out": left_out,
        "seed": seed,
    }
    return table.reset_index().assign(**named)


def summarise(table):
    """Return errors of totals and what intervals hold, by world."""
    by_world = table.groupby(["mean", "closed", "negative", "left_out"], dropna=False)
    return by_world.agg(
        channels=("holds", "size"),
        zeros=("zeros", "mean"),
        typical=("typical", "median"),
        bias=("log_error", "median"),
        error=("log_error", lambda e: e.abs().median()),
        width=("width", "median"),
        holds=("holds", "mean"),
        data_driven=("verdict", lambda v: (v == "data-driven").mean()),
        stuck=("stuck", "mean"),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(1, 9), help="as 1-8")
    parser.add_argument("--out", type=Path, default=RESULTS / "counts.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tables = Parallel(options.jobs, verbose=5)(
        delayed(run_panel)(seed, *world) for seed in options.seeds for world in WORLDS
    )
    table = pd.concat(tables, ignore_index=True)
    first = ["mean", "closed", "negative", "left_out", "seed", "channel"]
    table = table[[*first, *table.columns.difference(first, sort=False)]]
    table.round(4).to_csv(options.out, index=False)
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
