"""Do models that know reach and frequency find what channels cause, and how often to?

The worlds of `reach_worlds.py`: two channels of known reach and frequency, one of known
spend. Writes results/reach.csv, one row per world, seed and what the model is told of
the two channels, reach and frequency or impressions alone:

- error: of the totals of channels, sum of absolute errors by the sum of true totals
- holds: channels of three whose 90 % interval holds the truth
- optimum_error: mean distance of the optimal frequency from the true one, exposures
- optimum_relative: the same by the true one
- optimum_holds: channels of two whose 90 % interval of the optimum holds the true one
- data_driven: channels of two whose optimum is called data-driven
- data_driven_hold: those of them whose interval holds the true one
- gain: mean gain at the optimum, by what the channel causes
- error_video, error_social, error_tv: of the total of each, by the true one
- untrusted: whether fit warned of its draws
- seconds: of the fit

    python benchmarks/bench_reach.py --seeds 0-9 --jobs 1
"""

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd
from bench_per_head import error_of_totals
from bench_recovery import read_seeds
from joblib import Parallel, delayed
from reach_worlds import FREQUENCY, REACHED, WORLDS
from sklearn.exceptions import ConvergenceWarning

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"
TOLD = ("reach", "impressions")


def run_problem(world, seed, told, **options):
    """Return one row; `told` says what the model knows."""
    problem = WORLDS[world](seed)
    X, roles = problem.X, problem.roles
    if told == "impressions":
        X, roles = as_impressions(problem)
    model = DeepCausalMMMRegressor(**roles, graph=None, random_state=0, **options)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, problem.y)
    seconds = time.perf_counter() - start
    found, truth = model.channel_summary(), problem.truth.sum()
    inside = truth.between(found["contribution_low"], found["contribution_high"])
    row = {
        "world": world,
        "seed": seed,
        "told": told,
        "error": error_of_totals(found["contribution"], truth),
        "holds": inside.sum(),
        **(found["contribution"] / truth - 1.0).abs().add_prefix("error_").to_dict(),
        "untrusted": int(any(w.category is ConvergenceWarning for w in caught)),
        "seconds": seconds,
    }
    return row | (optima(model, problem) if told == "reach" else {})


def as_impressions(problem):
    """Return X and roles of one who multiplied reach by frequency."""
    seen = {c: (problem.X[c] * problem.X[FREQUENCY[c]]).fillna(0.0) for c in REACHED}
    X = problem.X.drop(columns=list(FREQUENCY.values())).assign(**seen)
    return X, problem.roles | {"frequency": None}


def optima(model, problem):
    """Return how far optimal frequencies are from the true ones."""
    found = model.optimal_frequency()
    truth = pd.Series(problem.X.attrs["optimum"])[found.index]
    away = (found["optimum"] - truth).abs()
    inside = truth.between(found["optimum_low"], found["optimum_high"])
    told = found["verdict"] == "data-driven"
    return {
        "variation": found["variation"].mean(),
        "optimum_error": away.mean(),
        "optimum_relative": (away / truth).mean(),
        "optimum_holds": inside.sum(),
        "data_driven": told.sum(),
        "data_driven_hold": (told & inside).sum(),
        "gain": (found["gain"] / found["contribution"]).mean(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(10), help="as 0-9")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--out", type=Path, default=RESULTS / "reach.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tasks = [
        (world, seed, told)
        for world in options.worlds
        for seed in options.seeds
        for told in TOLD
    ]
    found = Parallel(options.jobs)(delayed(run_problem)(*task) for task in tasks)
    table = pd.DataFrame(found)
    table.to_csv(options.out, index=False, float_format="%.4g", lineterminator="\n")
    means = table.groupby(["world", "told"], sort=False).mean().drop(columns="seed")
    print(means.round(3).T.to_string())


if __name__ == "__main__":
    main()
