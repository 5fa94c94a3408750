"""Do budgets that learn beat a static plan, greedy refits and random trials?

Simulated markets (`MarketEnvironment`) of two channels with Hill curves and carry-over
in six regions, with 78 weeks of history under the market's own flights. From then on
every region spends evenly. A policy splits the mean spend of history between all
channels of all regions for the coming wave, the market answers, and the policy takes in
the rows. Worlds:

- stationary: five waves of 13 weeks, and nothing changes
- drift: six waves of 8 weeks; the log effect of each channel is a random walk, in
  history as well, with a standard deviation of .3 over a year

Contenders, within the same bounds and from the same first model:

- static: `BudgetPolicy(explore="none")`, shares of the first plan for ever
- greedy: `explore="greedy"`, the best plan at the point after `partial_fit`
- refit: the same, fitted again to all rows before each wave
- epsilon: greedy, but a tenth of the budget is split at random (Dirichlet) each wave
- thompson: `explore="thompson"` in every wave, two groups of regions
- once: thompson in the first wave, greedy after it

Models of the drift world know how much effects drift (`effect_drift`) in `partial_fit`;
a refit does not. Two markets with the same seed differ by what is spent in them only.

Writes results/policy.csv anew after each market, one row per world, seed, contender and
wave:

- regret: KPI that the best split of the same money would have caused beyond the plan
- optimum: what that split causes; gap: regret / optimum
- gap_even: that of the mean spend of history
- gap_point: of the plan at the point of the same model, which would be made if nothing
  had to be learned any more
- seconds: of planning, and of learning before it, on one thread

The table holds seeds 100-104 of the stationary world and 100-109 of the other.

    python benchmarks/bench_policy.py --seeds 100-109
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds, write
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import BudgetPolicy
from skmmm.datasets import MarketEnvironment

RESULTS = Path(__file__).parent / "results"
SIZE = {"n_regions": 6, "n_media": 2, "n_history": 78, "n_future": 65}
WAVES = {"stationary": (5, 13), "drift": (6, 8)}  # number, weeks
DRIFT = {"stationary": 0.0, "drift": 0.3 / 52**0.5}  # per week
BOUNDS = (0.02, 10.0)  # the best split is inside, or next to it
CONTENDERS = ("static", "greedy", "refit", "epsilon", "thompson", "once")
EXPLORES = {"static": "none", "thompson": "thompson", "once": "thompson"}
TRIED = 0.1  # share of the budget that epsilon tries out


def make_model(market, world):
    """Return a regressor with the roles of a market's columns."""
    return DeepCausalMMMRegressor(
        media=market.media,
        controls=market.controls,
        region="region",
        time="week",
        media_cost=1.0,
        graph=None,
        effect_drift=DRIFT[world],
        random_state=0,
    )


def make_policy(model, market, explore, seed):
    """Return a policy whose bounds are the same for every contender."""
    return BudgetPolicy(
        model,
        explore=explore,
        # By name, so that warnings of the fit keep no channel from being planned.
        bounds=dict.fromkeys(market.media, BOUNDS),
        allow_extrapolation=True,
        random_state=seed,
    )


def mean_spend(market):
    """Return what each region spends per week on each channel in history."""
    X, _ = market.history()
    return X.groupby("region")[market.media].mean()


def evenly(market, n_weeks, spend):
    """Return the coming rows, which all spend as much."""
    X = market.coming(n_weeks)
    X[market.media] = spend.loc[X["region"]].to_numpy()
    return X


def tried_out(X, media, rng):
    """Return rows of which a share of the money is split at random between cells."""
    cells = X.groupby("region")[media].sum()
    share = rng.dirichlet(np.ones(cells.size)).reshape(cells.shape)
    factor = 1.0 - TRIED + TRIED * cells.to_numpy().sum() * share / cells
    return X.assign(**{m: X[m] * X["region"].map(factor[m]) for m in media})


def run_market(run_contender, world, seed, contenders):
    """Return one row per contender and wave of one market."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        market = MarketEnvironment(**SIZE, drift=DRIFT[world], random_state=seed)
        first = make_model(market, world).fit(*market.history())
        found = [run_contender(world, seed, name, first) for name in contenders]
    return pd.concat(found, ignore_index=True)


def run_contender(world, seed, contender, first):
    """Return one row per wave."""
    market = MarketEnvironment(**SIZE, drift=DRIFT[world], random_state=seed)
    rng, usual = np.random.default_rng(seed), mean_spend(market)
    policy = make_policy(first, market, EXPLORES.get(contender, "greedy"), seed)
    n_waves, n_weeks = WAVES[world]
    rows, new = [], None
    for wave in range(1, n_waves + 1):
        started = time.perf_counter()
        if new is not None and contender == "refit":
            policy.model = make_model(market, world).fit(*market.history())
        elif new is not None:
            policy.update(*new)
        even = evenly(market, n_weeks, usual)
        spend = policy.propose(X=even).X
        seconds = time.perf_counter() - started
        if contender == "epsilon":
            spend = tried_out(spend, market.media, rng)
        if contender == "once":
            policy.explore = "greedy"
        told = judge(market, even, spend, policy.model)
        rows.append({"wave": wave, **told, "seconds": seconds})
        new = market.step(spend)
    given = {"world": world, "seed": seed, "contender": contender}
    table = pd.DataFrame(rows)
    return pd.DataFrame(given, table.index).join(table)


def judge(market, even, spend, model):
    """Return what the truth says of a wave."""
    optimum = market.optimal(even[market.media].to_numpy().sum(), even)
    optimum = optimum.response.sum()
    point = make_policy(model, market, "greedy", 0).propose(X=even).X
    regret = market.regret(spend)
    return {
        "regret": regret,
        "optimum": optimum,
        "gap": regret / optimum,
        "gap_even": market.regret(even) / optimum,
        "gap_point": market.regret(point) / optimum,
    }


def summarise(table):
    """Return gaps by wave, and shares of the optimum that are missed in all."""
    keys = ["world", "contender"]
    by_wave = table.pivot_table(index=keys, columns="wave", values="gap")
    sums = table.groupby([*keys, "seed"])[["regret", "optimum"]].sum()
    missed = (sums["regret"] / sums["optimum"]).unstack()
    by_wave["all waves"] = missed.mean(axis=1)
    if "refit" in table["contender"].to_numpy():
        refits = missed.xs("refit", level="contender")
        less = missed.lt(refits.reindex(missed.index, level="world"))
        by_wave["less than refit"] = less.sum(axis=1)
    return by_wave


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(10), help="as 0-9")
    parser.add_argument("--worlds", default=",".join(WAVES), help="by comma")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="by comma")
    parser.add_argument("--out", type=Path, default=RESULTS / "policy.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    contenders = options.contenders.split(",")
    tasks = itertools.product(options.worlds.split(","), options.seeds)
    parallel = Parallel(options.jobs, return_as="generator_unordered")
    run = delayed(run_market)
    tables = []
    for found in parallel(run(run_contender, *task, contenders) for task in tasks):
        tables.append(found)
        write(pd.concat(tables, ignore_index=True), options.out)
        print(found.pivot_table(index="contender", columns="wave", values="gap"))
    print(summarise(pd.concat(tables)).round(4).to_string())


if __name__ == "__main__":
    main()
