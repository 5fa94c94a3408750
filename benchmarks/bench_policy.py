"""Do budgets that learn beat a static plan, greedy refits and random trials?

Simulated markets (`MarketEnvironment`) of two channels with Hill curves and carry-over
in six regions, with two years of history. A policy splits what the market would spend
in the coming wave between all channels of all regions, the market answers, and the
policy takes in the rows. Worlds:

- stationary: four waves of 13 weeks, and nothing changes
- drift: six waves of 8 weeks; the log effect of each channel is a random walk, in
  history as well, with a standard deviation of .3 over a year

Contenders, all within the same bounds, from the same first model:

- static: `BudgetPolicy(explore="none")`, shares of the first plan for ever
- greedy: `explore="greedy"`, the best plan at the point after `partial_fit`
- refit: the same, fitted again to all rows before each wave
- epsilon: greedy, but a tenth of the budget is split at random (Dirichlet) each wave
- thompson: `BudgetPolicy` with its defaults

Models of the drift world forget (`forgetting_factor`) in `partial_fit`; a refit does
not know how. Two markets with the same seed differ by what is spent in them only.

Writes results/policy.csv, one row per world, seed, contender and wave:

- regret: KPI that the best split of the same money would have caused beyond the plan
- optimum: what that split causes; gap: regret / optimum
- gap_today: that of the market's own budgets
- gap_point: of the plan at the point of the same model, which is what would be done
  if nobody had to learn any more
- seconds: of learning and planning, on one thread

    python benchmarks/bench_policy.py --seeds 0-9
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import BudgetPolicy
from skmmm.datasets import MarketEnvironment

RESULTS = Path(__file__).parent / "results"
SIZE = {"n_regions": 6, "n_media": 2, "n_history": 78, "n_future": 52}
WAVES = {"stationary": (4, 13), "drift": (6, 8)}  # number, weeks
DRIFT = {"stationary": 0.0, "drift": 0.3 / 52**0.5}  # per week
MEMORY = {"stationary": 1.0, "drift": 0.98}  # forgetting_factor
BOUNDS = (0.02, 10.0)  # the best split is inside, or next to it
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
        forgetting_factor=MEMORY[world],
        random_state=0,
    )


def make_policy(model, market, explore, seed, **changed):
    """Return a policy whose bounds are the same for every contender."""
    return BudgetPolicy(
        model,
        explore=explore,
        # By name, so that warnings of the fit keep no channel from being planned.
        bounds=dict.fromkeys(market.media, BOUNDS),
        allow_extrapolation=True,
        random_state=seed,
        **changed,
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
    X = X.copy()
    by_cell = X.groupby("region")[media].transform("sum")
    cells = X.groupby("region")[media].sum()
    share = rng.dirichlet(np.ones(cells.size)).reshape(cells.shape)
    tried = TRIED * cells.to_numpy().sum() * share
    factor = 1.0 - TRIED + tried / cells.to_numpy()
    times = pd.DataFrame(factor, cells.index, media).loc[X["region"]]
    X[media] = X[media].where(by_cell == 0, X[media] * times.to_numpy())
    return X


def run_market(world, seed, contenders):
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
    rng = np.random.default_rng(seed)
    explore = {"static": "none", "thompson": "thompson"}.get(contender, "greedy")
    policy = make_policy(first, market, explore, seed)
    n_waves, n_weeks = WAVES[world]
    rows = []
    for wave in range(1, n_waves + 1):
        usual, started = market.coming(n_weeks), time.perf_counter()
        spend = policy.propose(X=usual).X
        seconds = time.perf_counter() - started
        if contender == "epsilon":
            spend = tried_out(spend, market.media, rng)
        point = make_policy(policy.model, market, "greedy", seed).propose(X=usual)
        optimum = market.optimal(usual[market.media].to_numpy().sum(), usual)
        optimum = optimum.response.sum()
        told = {
            "wave": wave,
            "regret": market.regret(spend),
            "optimum": optimum,
            "gap": market.regret(spend) / optimum,
            "gap_today": market.regret(usual) / optimum,
            "gap_point": market.regret(point.X) / optimum,
        }
        X_new, y_new = market.step(spend)
        started = time.perf_counter()
        if contender == "refit":
            model = make_model(market, world).fit(*market.history())
            policy = make_policy(model, market, explore, seed)
        else:
            policy.update(X_new, y_new)
        seconds += time.perf_counter() - started
        rows.append(told | {"seconds": seconds})
    given = {"world": world, "seed": seed, "contender": contender}
    table = pd.DataFrame(rows)
    return pd.DataFrame(given, table.index).join(table)
