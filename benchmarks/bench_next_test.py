"""Does the plan after the recommended test beat the plan after any other?

Worlds of `plan_worlds.py` in which the best plan is known. Every channel could go dark
for eight weeks, everywhere in one series, else in half of the regions; each test is so
large that what the model of the rows expects is found with power .8 (two-sided level
.1): its standard error is a 2.49th of that. `recommend_experiment` says what each is
worth. Each is then run in the truth: what the change truly brings in its window, plus a
normal error of that size; the model is fitted again with the measurement, and plans
again. The error is the same normal number, times the standard error, for all tests of a
world.

Writes results/next_test.csv, a row per world, seed and channel, anew after each world:

- plan_value, plan_value_error, net_value, information, doubt_removed: as recommended
- rank: of the net value, 1 the recommended; value_rank: of the plan value alone
- std_error, brought: of the test, and what it truly brings
- regret_before, regret_after: share of the possible gain that the plan misses under the
  truth, without the test and with it; 0 is the best plan, 1 is today
- regret_nothing: with a test that says nothing, for which chains go on as well
- conflict: 1 if the measurement was flagged
- seconds: of `recommend_experiment`

    python benchmarks/bench_next_test.py --seeds 600-609
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl
import torch
from bench_recovery import read_seeds, write
from plan_worlds import BOUNDS, PANELS, make_plan_world
from scipy.stats import norm

from skmmm import DeepCausalMMMRegressor
from skmmm.experiments import recommend_experiment

RESULTS = Path(__file__).parent / "results"
WEEKS = 8
NOTHING = 1e12  # standard error, KPI units
POWER = norm.ppf(0.95) + norm.ppf(0.8)  # standard errors of the effect to be found
SAID = [
    *("media", "plan_value", "plan_value_error", "net_value", "information"),
    *("doubt_removed", "std_error"),
]


def fit(problem, experiments=None):
    """Return a model of a problem, with default settings and columns as money."""
    model = DeepCausalMMMRegressor(
        **problem.roles,
        media_cost=1.0,
        graph=None,
        random_state=0,
        experiments=experiments,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(problem.X, problem.y)


def regret(world, model):
    """Return the regret of the model's plan for its rows."""
    plan = model.optimize_budget(bounds=BOUNDS)
    factors = plan.allocation["factor"].loc[world.problem.roles["media"]]
    return world.regret(factors.to_numpy())


def recommend(problem, model):
    """Return what is said of a test of every channel, and the seconds that took."""
    regions = None
    if problem.roles["region"] is not None:
        regions = np.unique(problem.X[problem.roles["region"]])[::2].tolist()
    media = problem.roles["media"]
    designs = pd.DataFrame(
        {
            "media": media,
            "n_periods": WEEKS,
            "regions": [regions] * len(media),
            "change": 0.0,
            "std_error": 1.0,
        }
    )
    options = {"X": problem.X, "bounds": BOUNDS}
    expected = recommend_experiment(model, designs, **options)["expected"]
    designs["std_error"] = expected.abs() / POWER
    started = time.perf_counter()
    table = recommend_experiment(model, designs, **options)
    return table, time.perf_counter() - started


def run_test(world, design, noise):
    """Return a test that was run as a table of experiments, and what it brought."""
    problem = world.problem
    region, week = problem.roles["region"], problem.roles["time"]
    tested = problem.X[week].between(design["start"], design["end"])
    if region is not None:
        tested &= problem.X[region].isin(design["regions"])
    spend = problem.X[problem.roles["media"]].copy()
    now = problem.respond(spend.to_numpy())
    spend.loc[tested, design["media"]] *= design["change"]
    brought = (problem.respond(spend.to_numpy()) - now)[tested.to_numpy()].sum()
    kept = ["media", "start", "end", "regions", "change", "std_error"]
    row = {column: design[column] for column in kept}
    row["estimate"] = brought + noise * design["std_error"]
    return pd.DataFrame([row]), brought


def says_nothing(problem):
    """Return a test whose error is so large that the chains only go on."""
    weeks, media = problem.X[problem.roles["time"]], problem.roles["media"]
    row = {"media": media[0], "start": weeks.min(), "end": weeks.max(), "change": 0.0}
    return pd.DataFrame([row | {"estimate": 0.0, "std_error": NOTHING}])


def run_world(name, seed):
    """Return the table of one world."""
    world = make_plan_world(name, seed)
    model = fit(world.problem)
    table, seconds = recommend(world.problem, model)
    before, noise = regret(world, model), np.random.default_rng([seed, 8]).normal()
    nothing = regret(world, fit(world.problem, says_nothing(world.problem)))
    rows = []
    for _, design in table.iterrows():
        test, brought = run_test(world, design, noise)
        refitted = fit(world.problem, test)
        after = {
            "brought": brought,
            "regret_before": before,
            "regret_nothing": nothing,
            "regret_after": regret(world, refitted),
            "conflict": int(refitted.experiments_["conflict"].any()),
        }
        rows.append({"world": name, "seed": seed, **design[SAID], **after})
    found = pd.DataFrame(rows).assign(seconds=seconds)
    for column, value in {"rank": "net_value", "value_rank": "plan_value"}.items():
        found[column] = found[value].rank(ascending=False, method="first").astype(int)
    return found


def summarise(table):
    """Return regret by world: without a test, after the recommended, after a random.

    A random test is the average over all channels but the recommended.
    """
    first = table["rank"] == 1
    by = ["world", "seed"]
    known = ["regret_before", "regret_nothing", "media"]
    summary = table[first].set_index(by)[known]
    summary["recommended"] = table[first].set_index(by)["regret_after"]
    most = table[table["value_rank"] == 1].set_index(by)
    summary["most_plan_value"] = most["regret_after"]
    summary["random"] = table[~first].groupby(by)["regret_after"].mean()
    summary["best_possible"] = table.groupby(by)["regret_after"].min()
    summary["better"] = summary["recommended"] < summary["random"]
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", default="national", help=f"of {', '.join(PANELS)}")
    parser.add_argument("--seeds", type=read_seeds, default=range(600, 610))
    parser.add_argument("--out", type=Path, default=RESULTS / "next_test.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    tables = []
    for world in options.worlds.split(","):
        for seed in options.seeds:
            tables.append(run_world(world, seed))
            table = pd.concat(tables, ignore_index=True)
            write(table, options.out)
            print(summarise(table).tail(1).round(3).to_string(header=False), flush=True)
    summary = summarise(table)
    print(summary.round(3).to_string())
    print(summary.drop(columns="media").mean().round(3).to_string())


if __name__ == "__main__":
    main()
