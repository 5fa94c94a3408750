"""What does a plan lose that does not know that prices rise with spend?

Problems: worlds of `plan_worlds.py` with known truth, whose media columns are taken
for delivery of which a unit costs 2. In the rows that are planned, every second channel
gets dearer with spend, with the same elasticity g: s money buys ``s**(1 - g) *
s_ref**g / 2`` units in a week and region, where `s_ref` is what the region spends on
average in weeks on air. (Spend so low that this would not hold is not reached.) A plan
splits today's money anew, each channel between half and twice of today. Contenders are
told the elasticity or take prices as constant:

- fitted: `optimize_budget` of a model that is fitted to the columns
- truth: `optimize_budget` of the true responses, so that nothing is lost for another
  reason than prices

The best plan is searched for on a grid of money (`best_split`).

Writes results/price.csv, one row per world, seed, elasticity and contender:

- regret: share of the possible gain that is missed; 0 is the best plan, 1 is today
- lost: KPI that is missed, as a share of what media cause today
- available: what the best plan gains, as the same share

    python benchmarks/bench_price.py --worlds national --seeds 300-301

"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_recovery import read_seeds, write
from plan_worlds import BOUNDS, PANELS, best_split, make_plan_world
from sklearn.base import BaseEstimator, RegressorMixin

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import optimize_budget

OUT = Path(__file__).parent / "results" / "price.csv"
COST = 2.0  # of a unit
ELASTICITIES = (0.2, 0.3)


def respond_at(world, elasticity):
    """Return what channels cause, (n_media,), as a function of factors on their money.

    Parameters
    ----------
    world : PlanWorld
    elasticity : ndarray of shape (n_media,)
    """
    problem = world.problem
    money = COST * problem.X[problem.roles["media"]]
    region = problem.X[problem.roles["region"]]
    reference = money.where(money > 0).groupby(region).transform("mean")
    money, reference = money.to_numpy(), reference.to_numpy()

    def response(factors):
        spend = money * factors
        units = spend ** (1 - elasticity) * reference**elasticity / COST
        return problem.respond(units).sum(axis=0)

    return response


class Truth(RegressorMixin, BaseEstimator):
    """Predicts what the channels of a problem cause."""

    def __init__(self, problem=None):
        self.problem = problem

    def fit(self, X=None, y=None):
        self.media_ = list(self.problem.roles["media"])
        return self

    def predict(self, X):
        return self.problem.respond(X[self.media_].to_numpy()).sum(axis=1)


def fitted(problem):
    """Return a model of the columns, as delivery that costs something."""
    model = DeepCausalMMMRegressor(
        **problem.roles, media_cost=COST, graph=None, n_draws=16, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(problem.X, problem.y)


def run_world(name, seed):
    """Yield one row per elasticity and contender."""
    world = make_plan_world(name, seed)
    media = world.problem.roles["media"]
    spend = COST * world.problem.X[media].sum().to_numpy()
    ask = planners(world.problem)
    dear = np.arange(len(media)) % 2 == 0
    for elasticity in ELASTICITIES:
        response = respond_at(world, elasticity * dear)
        today = response(np.ones(len(media))).sum()
        best = response(best_split(response, spend)).sum() / today - 1
        known = dict.fromkeys(np.array(media)[dear].tolist(), elasticity)
        for who, plan in ask.items():
            for how, told in (("known", known), ("ignored", None)):
                factor = plan(told).allocation.loc[media, "factor"].to_numpy()
                gain = response(factor).sum() / today - 1
                yield {
                    "world": name,
                    "seed": seed,
                    "elasticity": elasticity,
                    "contender": f"{who}, prices {how}",
                    "regret": 1 - gain / best,
                    "lost": best - gain,
                    "available": best,
                }


def planners(problem):
    """Return by name who plans: a function of price_elasticity."""
    model, truth = fitted(problem), Truth(problem).fit()
    roles = {role: problem.roles[role] for role in ("region", "time")}

    def plan_truth(told):
        return optimize_budget(
            truth,
            X=problem.X,
            bounds=BOUNDS,
            allow_extrapolation=True,
            media_cost=COST,
            price_elasticity=told,
            **roles,
        )

    def plan_fitted(told):
        return model.optimize_budget(bounds=BOUNDS, price_elasticity=told)

    return {"fitted": plan_fitted, "truth": plan_truth}


def summarise(table):
    """Return means by world, elasticity and contender."""
    groups = table.groupby(["world", "elasticity", "contender"], sort=False)
    return groups[["regret", "lost", "available"]].mean()


def main():
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--worlds", default="national,panel", help=", ".join(PANELS))
    parser.add_argument("--seeds", type=read_seeds, default="300-309")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in args.worlds.split(","):
        for seed in args.seeds:
            rows += run_world(name, seed)
            write(pd.DataFrame(rows), args.out)
            print(f"{name}, seed {seed}", flush=True)
    print(summarise(pd.DataFrame(rows)).round(4).to_string())


if __name__ == "__main__":
    main()
