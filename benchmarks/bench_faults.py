"""Does one fault in a table spoil what is said of all channels?

A clean panel with known truth, and the same panel with one fault in it: a region that
is dead, closed for a while, not tracked or suspiciously exact, weights that say
nothing, a mistyped KPI, weeks that start on different days, a KPI below zero. Writes
results/faults.csv, one row per fault, seed and channel:

- truth, contribution, low, high: totals over all rows, KPI units; 90 % interval
- verdict, and silent: 1 if the interval misses the truth although the verdict is
  data-driven and no alarm rang
- warned: whether fitting said anything; error: the ValueError if it refused

    python benchmarks/bench_faults.py --faults dead_region,weights --seeds 0-19
"""

import argparse
import warnings
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds, write
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

RESULTS = Path(__file__).parent / "results"
COLUMNS = [
    *("fault", "seed", "channel", "truth", "contribution", "low", "high"),
    *("verdict", "silent", "warned", "error"),
]
Table = namedtuple("Table", "X y truth sample_weight media controls options")


def clean(seed, n_regions=8, n_periods=70, **options):
    """Return a panel without a fault; `truth` is by row."""
    world = make_mmm_panel(
        n_regions, n_periods, n_media=2, random_state=seed, max_lag=6
    )
    truth = world.contributions[world.media]
    return Table(world.X, world.y, truth, None, world.media, world.controls, options)


def _in_region(table, rng):
    """Return the rows of a region drawn at random."""
    return (table.X["region"] == rng.choice(table.X["region"].unique())).to_numpy()


def _zeroed(table, rows, spend):
    """Return the table with the KPI, and maybe the spend, of some rows at zero."""
    X = table.X.copy()
    if spend:
        X.loc[rows, table.media] = 0.0
    truth = table.truth.copy()
    truth[rows] = 0.0
    return table._replace(X=X, y=table.y.mask(rows, 0.0), truth=truth)


def dead_region(seed):
    table = clean(seed)
    return _zeroed(table, _in_region(table, np.random.default_rng(seed)), spend=True)


def silent_region(seed):
    """The KPI of a region is zero, but not its spend."""
    table = clean(seed)
    return _zeroed(table, _in_region(table, np.random.default_rng(seed)), spend=False)


def closed_region(seed):
    """A region has neither KPI nor spend before, or after, some week."""
    table, rng = clean(seed), np.random.default_rng(seed)
    weeks = np.sort(table.X["week"].unique())
    turn = table.X["week"] >= weeks[rng.integers(20, 50)]
    rows = _in_region(table, rng) & (turn if seed % 2 else ~turn).to_numpy()
    return _zeroed(table, rows, spend=True)


def closed_stretch(seed):
    """A region, or the only one, is closed for some weeks, but for a remainder."""
    table = clean(seed, **({} if seed % 2 else {"n_regions": 1, "n_periods": 104}))
    rows = _stretch(table, np.random.default_rng(seed))
    closed = _zeroed(table, rows, spend=True)
    return closed._replace(y=table.y.mask(rows, (seed % 3) * 0.005 * table.y))


def untracked_stretch(seed):
    """The KPI of a region was not tracked for some weeks: it is zero, or the last."""
    table = clean(seed)
    rows = _stretch(table, np.random.default_rng(seed))
    return table._replace(y=table.y.mask(rows, table.y[rows].iloc[0] * (seed % 2)))


def _stretch(table, rng):
    """Return the rows of 10 to 25 weeks of a region."""
    weeks = np.sort(table.X["week"].unique())
    start = rng.integers(0, len(weeks) - 25)
    stretch = weeks[start : start + rng.integers(10, 26)]
    return _in_region(table, rng) & table.X["week"].isin(stretch).to_numpy()


def frozen_region(seed):
    """A region reports the same KPI in every week, whatever was sold."""
    table, rng = clean(seed), np.random.default_rng(seed)
    rows = _in_region(table, rng)
    wobble = rng.normal(0, 1e-6, len(rows)) if seed % 2 else 0.0
    y = table.y.mask(rows, table.y[rows].mean() * (1.0 + wobble))
    return table._replace(y=y)


def exact_region(seed):
    """A region without noise: a KPI that was computed, not observed."""
    table, rng = clean(seed), np.random.default_rng(seed)
    world = make_mmm_panel(8, 70, n_media=2, random_state=seed, max_lag=6)
    return table._replace(y=table.y.mask(_in_region(table, rng), world.expected))


def weights(seed):
    """All rows have the same weight."""
    table = clean(seed, n_regions=2, n_periods=40)
    weight = np.random.default_rng(seed).choice([0.01, 0.5, 2.0, 7.0, 1000.0])
    return table._replace(sample_weight=np.full(len(table.y), weight))


def mistyped(seed):
    """One week of one region is a thousand or ten times too large, or negative."""
    table, rng = clean(seed, n_regions=4), np.random.default_rng(seed)
    y, row = table.y.copy(), rng.integers(len(table.y))
    y.iloc[row] = [1e3 * y.iloc[row], -1e6, 10.0 * y.iloc[row]][seed % 3]
    return table._replace(y=y)


def mistyped_series(seed):
    """The same in one national series."""
    table, rng = clean(seed, n_regions=1, n_periods=104), np.random.default_rng(seed)
    y, row = table.y.copy(), rng.integers(len(table.y))
    y.iloc[row] = [1e3 * y.iloc[row], -1e3 * y.iloc[row], 20.0 * y.iloc[row]][seed % 3]
    return table._replace(y=y)


def mistyped_control(seed):
    """One value of a control is a thousand times too large."""
    table, rng = clean(seed, n_regions=4), np.random.default_rng(seed)
    X, row = table.X.copy(), rng.integers(len(table.y))
    X.loc[X.index[row], "price"] *= 1e3
    return table._replace(X=X)


def weekdays(seed):
    """Weeks start on another day in every region."""
    table, rng = clean(seed, n_regions=4), np.random.default_rng(seed)
    days = dict(zip(table.X["region"].unique(), rng.integers(0, 7, 4), strict=True))
    shift = pd.to_timedelta(table.X["region"].map(days).to_numpy(), unit="D")
    return table._replace(X=table.X.assign(week=table.X["week"] + shift))


def loss(seed):
    """A KPI that is always negative, and which media raise."""
    table = clean(seed, n_regions=1 + seed % 4, n_periods=104)
    group = table.X["region"]
    return table._replace(y=table.y - 2.0 * table.y.groupby(group).transform("max"))


def flipped(seed):
    """A KPI that is always negative, and which media lower."""
    table = clean(seed, n_regions=1 + seed % 4, n_periods=104)
    return table._replace(y=-table.y, truth=-table.truth)


def prior_right(seed):
    """One to six regions; the user knows the ROI of a channel."""
    return _with_prior(seed, 1.0)


def prior_wrong(seed):
    """One to six regions; the user insists on three times the ROI."""
    return _with_prior(seed, 3.0)


def _with_prior(seed, multiple):
    table = clean(seed, n_regions=1 + seed % 6)
    roi = table.truth["media_1"].sum() / table.X["media_1"].sum()
    interval = 0.9 * multiple * roi, 1.1 * multiple * roi
    options = {"media_cost": 1.0, "priors": {"media_1": {"roi": interval}}}
    truth = table.truth.assign(media_1=multiple * table.truth["media_1"])
    return table._replace(options=options, truth=truth)


FAULTS = {
    fault.__name__: fault
    for fault in (
        *(clean, dead_region, silent_region, closed_region, closed_stretch),
        *(
            untracked_stretch,
            frozen_region,
            exact_region,
            weights,
            mistyped,
            mistyped_series,
            mistyped_control,
        ),
        *(weekdays, loss, flipped, prior_right, prior_wrong),
    )
}


def run_fault(fault, seed):
    """Return one row per channel, or one with the error of a fit that refused."""
    table = FAULTS[fault](seed)
    model = DeepCausalMMMRegressor(
        media=table.media,
        controls=table.controls,
        region="region",
        time="week",
        max_lag=6,
        random_state=0,
        graph=None,
        **table.options,
    )
    row = {"fault": fault, "seed": seed}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(table.X, table.y, sample_weight=table.sample_weight)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            return [row | {"error": f"{type(error).__name__}: {error}"[:200]}]
    warned = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    summary, truth = model.channel_summary(), table.truth.sum()
    return [
        row
        | {
            "channel": channel,
            "truth": truth[channel],
            "contribution": said.contribution,
            "low": said.contribution_low,
            "high": said.contribution_high,
            "verdict": said.verdict,
            "silent": int(
                said.verdict == "data-driven"
                and not said.alarm
                and not said.contribution_low
                <= truth[channel]
                <= said.contribution_high
            ),
            "warned": int(bool(warned)),
        }
        for channel, said in summary.iterrows()
    ]


def summarise(table):
    """Return fits, refusals, coverage, error and silent misses by fault."""
    fitted = table[table["error"].isna()].copy()
    fitted["inside"] = fitted["truth"].between(fitted["low"], fitted["high"])
    fitted["off"] = (fitted["contribution"] / fitted["truth"] - 1).abs()
    by = fitted.groupby("fault", sort=False)
    summary = pd.DataFrame(
        {
            "channels": by.size(),
            "median error": by["off"].median(),
            "coverage": by["inside"].mean(),
            "data-driven": by["verdict"].agg(lambda v: (v == "data-driven").mean()),
            "silent": by["silent"].sum(),
            "warned": by["warned"].mean(),
        }
    )
    refused = table[table["error"].notna()].groupby("fault").size()
    names = [name for name in FAULTS if name in set(table["fault"])]
    summary = summary.reindex(names).assign(refused=refused)
    return summary.fillna({"refused": 0, "channels": 0, "warned": 0})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", help="names, by comma; all if not given")
    parser.add_argument("--seeds", type=read_seeds, default=range(20), help="as 0-19")
    parser.add_argument("--out", type=Path, default=RESULTS / "faults.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    faults = options.faults.split(",") if options.faults else list(FAULTS)
    tasks = [(fault, seed) for fault in faults for seed in options.seeds]
    found = Parallel(options.jobs)(delayed(run_fault)(*task) for task in tasks)
    table = pd.DataFrame([row for rows in found for row in rows], columns=COLUMNS)
    write(table, options.out)
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
