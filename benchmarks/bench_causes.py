"""Is a channel ever confidently wrong, in worlds that invite it?

The worlds of `cause_worlds.py`, default settings, columns as money. Writes
results/causes.csv, one row per world, seed and channel:

- truth, contribution, low, high: of the KPI that the channel caused, 90 % interval
- idle: 1 if the channel does nothing, or not what a positive effect could be
- verdict, alarm: what the model says of it (alarm 1: its spend rings one)
- silent: 1 if the interval misses the truth, the verdict is data-driven and no alarm
  rang

    python benchmarks/bench_causes.py --worlds chased,per_head --seeds 0-3
"""

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd
from bench_recovery import read_seeds
from cause_worlds import WORLDS
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"
COLUMNS = [
    *("world", "seed", "channel", "truth", "contribution", "low", "high", "kpi"),
    *("idle", "verdict", "alarm", "silent", "seconds", "error"),
]


def run_problem(world, seed, **options):
    """Return one row per channel, or one with the error of a fit that refused."""
    problem = WORLDS[world](seed)
    model = DeepCausalMMMRegressor(
        **problem.roles, media_cost=1.0, graph=None, random_state=0, **options
    )
    row = {"world": world, "seed": seed}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(problem.X, problem.y)
            summary = model.channel_summary()
        except (ValueError, ArithmeticError, RuntimeError) as error:
            return [row | {"error": f"{type(error).__name__}: {error}"[:200]}]
    seconds = time.perf_counter() - start
    truth = problem.truth.sum()
    rows = []
    for channel, said in summary.iterrows():
        inside = said.contribution_low <= truth[channel] <= said.contribution_high
        alarm = said.alarm != ""
        told = said.verdict == "data-driven"
        rows.append(
            row
            | {
                "channel": channel,
                "truth": truth[channel],
                "contribution": said.contribution,
                "low": said.contribution_low,
                "high": said.contribution_high,
                "kpi": problem.y.sum(),
                "idle": int(truth[channel] <= 0),
                "verdict": said.verdict,
                "alarm": int(alarm),
                "silent": int(told and not alarm and not inside),
                "seconds": seconds,
            }
        )
    return rows


def summarise(table):
    """Return coverage, error, verdicts and silent misses by world."""
    fitted = table[table["error"].isna()].copy()
    fitted["inside"] = fitted["truth"].between(fitted["low"], fitted["high"])
    fitted["told"] = fitted["verdict"] == "data-driven"
    sums = fitted.groupby(["world", "seed"], sort=False)[
        ["truth", "contribution"]
    ].sum()
    fitted["idle_told"] = fitted["told"].where(fitted["idle"] == 1)
    by = fitted.groupby("world", sort=False)
    off = (sums["contribution"] - sums["truth"]).abs() / sums["truth"].abs()
    return pd.DataFrame(
        {
            "channels": by.size(),
            "true": by["truth"].sum() / (by["kpi"].mean() * by["seed"].nunique()),
            "credited": by["contribution"].sum()
            / (by["kpi"].mean() * by["seed"].nunique()),
            "error of total": off.groupby("world").median(),
            "coverage": by["inside"].mean(),
            "data-driven": by["told"].mean(),
            "idle data-driven": by["idle_told"].mean(),
            "alarms": by["alarm"].sum(),
            "silent": by["silent"].sum(),
            "seconds": by["seconds"].mean(),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", help="names, by comma; all if not given")
    parser.add_argument("--seeds", type=read_seeds, default=range(5), help="as 0-4")
    parser.add_argument("--out", type=Path, default=RESULTS / "causes.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    worlds = options.worlds.split(",") if options.worlds else list(WORLDS)
    tasks = [(world, seed) for world in worlds for seed in options.seeds]
    found = Parallel(options.jobs)(delayed(run_problem)(*task) for task in tasks)
    table = pd.DataFrame([row for rows in found for row in rows], columns=COLUMNS)
    table.to_csv(options.out, index=False, float_format="%.6g", lineterminator="\n")
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
