"""Do regions that spend more per head than others teach what a curve looks like?

The worlds `per_head` (spend in all weeks) and `per_head_flights` (weeks without any) of
`cause_worlds.py`: 20 regions, 104 weeks, 4 channels, one curve in spend per head.
Writes results/per_head.csv, one row per world, seed and answer to whether the model
knows the population:

- error: of the totals of channels, sum of absolute errors by the sum of true totals
- holds: channels of four whose 90 % interval holds the truth
- exponent: what the model found for "one curve in spend per head", which is 1
- least_squares: error of who knows every true shape, and has the sizes of effects to
  find, by least squares with effects of regions and weeks
- least_squares_ar: the same with errors that follow an AR(1)
- knows_families: the same of who knows the families of the shapes, and learns their
  parameters (`shape_oracle.py`)

    python benchmarks/bench_per_head.py --seeds 0-2,120-123
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds
from cause_worlds import WORLDS
from joblib import Parallel, delayed
from shape_oracle import autoregressive_least_squares, learn_shapes

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"


def run_problem(world, seed, known, **options):
    """Return one row; `known` says whether the model knows the population."""
    problem = WORLDS[world](seed)
    roles = problem.roles if known else problem.roles | {"population": None}
    model = DeepCausalMMMRegressor(
        **roles, media_cost=1.0, graph=None, random_state=0, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(problem.X, problem.y).channel_summary()
    truth = problem.truth.sum()
    inside = truth.between(found["contribution_low"], found["contribution_high"])
    plain, related, learned = least_squares(problem)
    return {
        "world": world,
        "seed": seed,
        "population": int(known),
        "error": error_of_totals(found["contribution"], truth),
        "holds": inside.sum(),
        "exponent": model.per_head_exponent_,
        "least_squares": plain,
        "least_squares_ar": related,
        "knows_families": learned,
    }


def error_of_totals(found, truth):
    return (found - truth).abs().sum() / truth.sum()


def least_squares(problem):
    """Return errors of who knows the shapes, with independent and with AR(1) errors.

    And of who knows the families of the shapes only, with AR(1) errors.
    """
    n_regions = problem.X[problem.roles["region"]].nunique()
    truth, y = problem.truth, np.asarray(problem.y).reshape(n_regions, -1)
    size = y.mean(axis=1)
    kpi = _within(y / size[:, None]).ravel()

    def within(media):
        effects = media.reshape(*y.shape, -1) / size[:, None, None]
        return _within(effects).reshape(y.size, -1)

    design = within(truth.to_numpy())
    follows = np.tile(np.arange(y.shape[1]) > 0, n_regions)
    plain, *_ = np.linalg.lstsq(design, kpi, rcond=None)
    related, persistence, innovation = autoregressive_least_squares(
        design, kpi, follows
    )

    def fit(curves):
        return autoregressive_least_squares(within(curves), kpi, follows, persistence)

    learned = learn_shapes(problem.family, fit, innovation.std())
    totals = truth.sum()
    found = totals * plain, totals * related, learned.sum(axis=0)
    return [error_of_totals(one, totals) for one in found]


def _within(values):
    """Return what is left within regions and weeks, (R, T, ...)."""
    values = values - values.mean(axis=0)
    return values - values.mean(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(5), help="as 0-4")
    parser.add_argument("--out", type=Path, default=RESULTS / "per_head.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    tasks = [
        (world, seed, known)
        for world in ("per_head", "per_head_flights")
        for seed in options.seeds
        for known in (True, False)
    ]
    found = Parallel(options.jobs)(delayed(run_problem)(*task) for task in tasks)
    table = pd.DataFrame(found)
    table.to_csv(options.out, index=False, float_format="%.4g", lineterminator="\n")
    means = table.groupby(["world", "population"]).mean().drop(columns="seed")
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
