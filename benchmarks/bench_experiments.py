"""What does one experiment teach, of the channel that was tested and of the others?

Worlds in which rows alone mislead or cannot tell, and one test in each, whose estimate
is what the change truly brought plus an error. Default settings, columns as money:

- endogenous: spend of product listing ads follows past sales; they go dark for eight
  weeks; standard error a tenth of what that brings
- endogenous_two: the same with a second test, twelve weeks later, at twice the spend
- chased: hidden local demand moves budgets and sales; the first channel goes dark for
  four weeks in a third of the regions; standard error a tenth
- alike: the last two channels move alike (correlation .99); the third goes dark for
  eight weeks in half of the regions; standard error a tenth
- biased_0, biased_2, biased_5: as chased without demand; an estimate that is so many
  standard errors off, a quarter of what the test brings

Writes results/experiments.csv, one row per world, seed, fit ("rows" or "tested"),
channel and quantity:

- quantity: "contribution" over all rows, KPI units, or "mroi"
- truth, estimate, low, high: 90 % interval
- tested: 1 if the channel was
- conflict: 1 if the test was flagged

    python benchmarks/bench_experiments.py --seeds 0-9
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from cause_worlds import WORLDS as CAUSES
from joblib import Parallel, delayed
from problems import WORLDS as SERIES

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"
TENTH, QUARTER = 0.1, 0.25
LITTLE = 0.01  # share by which spend grows for the true return on the next unit


def make_test(
    problem, channel, *, weeks, share, error, off=0.0, noise=None, change=0.0, later=0
):
    """Return the table of one test, and what it brought.

    Parameters
    ----------
    problem : Problem
    channel : int
    weeks : int
        From the middle of the series.
    share : float
        Of the regions in which spend changes.
    error : float
        Standard error, by what the test brings.
    off : float
        Standard errors by which the estimate is wrong.
    noise : Generator or None
        Of the error; None: there is none but `off`.
    change : float
        Factor on spend.
    later : int
        Weeks after the middle of the series.
    """
    X, roles = problem.X, problem.roles
    times = np.unique(X[roles["time"]])
    window = times[len(times) // 2 + later :][:weeks]
    tested, regions = X[roles["time"]].isin(window).to_numpy(copy=True), None
    if roles["region"] is not None:
        all_regions = np.unique(X[roles["region"]])
        regions = all_regions[:: round(1 / share)].tolist()
        tested &= X[roles["region"]].isin(regions).to_numpy()
    spend = X[roles["media"]].to_numpy()
    changed = spend.copy()
    changed[tested, channel] *= change
    # In the window alone: no cooldown.
    brought = (problem.respond(changed) - problem.respond(spend))[tested].sum()
    std_error = error * abs(brought)
    drawn = 0.0 if noise is None else noise.normal()
    return pd.DataFrame(
        {
            "media": [roles["media"][channel]],
            "start": [window[0]],
            "end": [window[-1]],
            "regions": [regions],
            "change": [change],
            "estimate": [brought + (off + drawn) * std_error],
            "std_error": [std_error],
        }
    )


def make_case(world, seed):
    """Return a problem, the tested channel and the table of its test."""
    noise = np.random.default_rng([seed, 7])
    if world in ("endogenous", "endogenous_two"):
        problem, channel = SERIES["endogenous"](seed), 0
        kind = {"weeks": 8, "share": 1.0, "error": TENTH, "noise": noise}
        if world == "endogenous_two":
            first = make_test(problem, channel, **kind)
            second = make_test(problem, channel, **kind, change=2.0, later=20)
            return problem, channel, pd.concat([first, second], ignore_index=True)
    elif world == "chased":
        problem, channel = CAUSES[world](seed), 0
        kind = {"weeks": 4, "share": 1 / 3, "error": TENTH, "noise": noise}
    elif world == "alike":
        problem, channel = CAUSES[world](seed), 2
        kind = {"weeks": 8, "share": 0.5, "error": TENTH, "noise": noise}
    else:
        problem, channel = CAUSES["chased_none"](seed), 0
        off = float(world.removeprefix("biased_"))
        kind = {"weeks": 4, "share": 1 / 3, "error": QUARTER, "off": off}
    return problem, channel, make_test(problem, channel, **kind)


def true_returns(problem):
    """Return what the next unit of money of each channel truly brings, (n_media,)."""
    spend = problem.X[problem.roles["media"]].to_numpy()
    now, found = problem.respond(spend).sum(), []
    for channel in range(spend.shape[1]):
        more = spend.copy()
        more[:, channel] *= 1.0 + LITTLE
        brought = problem.respond(more).sum() - now
        found.append(brought / (LITTLE * spend[:, channel].sum()))
    return np.array(found)


def run_case(world, seed, **options):
    """Return the table of one world and seed, before and after its test."""
    problem, channel, test = make_case(world, seed)
    tables: list[pd.DataFrame] = []
    truth = {
        "contribution": problem.truth.sum().to_numpy(),
        "mroi": true_returns(problem),
    }
    fits = {"rows": None, "tested": test}
    if world not in ("endogenous", "chased", "alike"):  # fitted to the same rows
        del fits["rows"]
    for fit, experiments in fits.items():
        model = DeepCausalMMMRegressor(
            **problem.roles,
            media_cost=1.0,
            graph=None,
            random_state=0,
            experiments=experiments,
            **options,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(problem.X, problem.y).channel_summary()
        told = model.experiments_
        conflict = told is not None and told["conflict"].any()
        for quantity, true in truth.items():
            bounds = found[[quantity, f"{quantity}_low", f"{quantity}_high"]]
            table = bounds.set_axis(["estimate", "low", "high"], axis=1)
            table.insert(0, "truth", true)
            table.insert(0, "tested", [int(m == channel) for m in range(len(true))])
            table["verdict"] = found["verdict"]
            table["alarm"] = (found["alarm"] != "").astype(int)
            table["conflict"] = int(conflict)
            table = table.reset_index().assign(quantity=quantity, fit=fit)
            tables.append(table.assign(world=world, seed=seed))
    return pd.concat(tables)


def summarise(table):
    """Return errors and coverage by world, fit and whether the channel was tested.

    error: of the mean channel, by its truth where it is not zero.
    """
    table = table.assign(
        inside=table["truth"].between(table["low"], table["high"]),
        error=(table["estimate"] / table["truth"].where(table["truth"] != 0) - 1).abs(),
        off=(table["estimate"] - table["truth"]).abs(),
        told=table["verdict"] == "data-driven",
    )
    silent = table["told"] & (table["alarm"] == 0) & ~table["inside"]
    by = table.assign(silent=silent).groupby(
        ["world", "quantity", "tested", "fit"], sort=False
    )
    return by.agg(
        n=("seed", "size"),
        error=("error", "mean"),
        median_error=("error", "median"),
        off=("off", "mean"),
        coverage=("inside", "mean"),
        data_driven=("told", "mean"),
        silent=("silent", "sum"),
        conflict=("conflict", "mean"),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--worlds",
        default="endogenous,endogenous_two,chased,alike,biased_0,biased_2,biased_5",
    )
    parser.add_argument("--seeds", type=read_seeds, default=range(10), help="as 0-9")
    parser.add_argument("--out", type=Path, default=RESULTS / "experiments.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    tasks = [(w, s) for w in options.worlds.split(",") for s in options.seeds]
    found = Parallel(options.jobs)(delayed(run_case)(*task) for task in tasks)
    table = pd.concat(found)
    table.to_csv(options.out, index=False, float_format="%.5g", lineterminator="\n")
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
