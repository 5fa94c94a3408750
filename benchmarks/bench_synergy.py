"""Do models find what two channels cause together, and leave alone those that add up?

Worlds of 8 regions, 104 weeks and 4 channels of own carry-over and saturation. The
first two form a pair, which adds to the KPI, with e and f what each of them causes:

- ``none``: nothing
- ``positive``: 1.5 * e * f / (e + f)
- ``negative``: -0.6 * e * f / (e + f)
- ``other_form``: 0.7 * sqrt(e * f), which is no form of the model

Writes results/synergy.csv, one row per world, seed and model, ``additive`` or ``pair``
(which is told the pair, not its size). Truths are Shapley values: half of what the pair
adds goes to each of the two.

- error: of the totals of channels, sum of absolute errors by the sum of true totals
- error_pair_channels: the same of the two channels of the pair
- holds: channels of four whose 90 % interval holds the truth
- data_driven: channels of four with that verdict
- true, pair, pair_low, pair_high: what the pair adds, by the sum of true totals
- pair_holds: whether its 90 % interval holds the truth
- pair_found: whether its 90 % interval leaves out zero
- pair_data_driven: whether its verdict is "data-driven"
- theta: of the model
- untrusted: whether fit warned of its draws
- seconds: of the fit

    python benchmarks/bench_synergy.py --seeds 0-9 --jobs 1
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_per_head import error_of_totals
from bench_recovery import read_seeds
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from world_parts import (
    REGION,
    WEEK,
    Problem,
    autoregression,
    carry_over,
    geometric,
    hill,
)

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"
MEDIA = ["tv", "search", "radio", "social"]
PAIR = MEDIA[:2]
N_REGIONS, N_WEEKS, N_LAGS = 8, 104, 9


def harmonic(theta):
    """Return the term of a pair as the model has it."""
    return lambda e, f: theta * e * f / np.maximum(e + f, 1e-300)


WORLDS = {
    "none": harmonic(0.0),
    "positive": harmonic(1.5),
    "negative": harmonic(-0.6),
    "other_form": lambda e, f: 0.7 * np.sqrt(e * f),
}
MODELS = {"additive": None, "pair": [tuple(PAIR)]}


def make_world(name, seed):
    """Return a `Problem`; `X.attrs["pair"]` is what the pair adds in all rows."""
    rng = np.random.default_rng([seed, 23])
    shape = N_REGIONS, N_WEEKS, len(MEDIA)
    size = np.exp(rng.normal(0.0, 0.8, N_REGIONS))
    moves = np.stack(
        [
            [autoregression(rng, 0.6, 0.4, N_WEEKS) for _ in MEDIA]
            for _ in range(N_REGIONS)
        ]
    ).transpose(0, 2, 1)
    spend = np.exp(moves) * (rng.random(shape) < 0.75)
    kernels = geometric(rng.uniform(0.2, 0.6, len(MEDIA)), N_LAGS)
    carried = np.stack([carry_over(region, kernels) for region in spend])
    acts = hill(
        carried,
        half=rng.uniform(0.6, 1.5, len(MEDIA)),
        slope=rng.uniform(0.8, 1.4, len(MEDIA)),
    )
    share = rng.uniform(0.06, 0.14, len(MEDIA))
    effects = share * acts / acts.mean(axis=(0, 1))
    pair = WORLDS[name](effects[..., 0], effects[..., 1])
    week = np.arange(N_WEEKS)
    season = 0.1 * np.sin(2 * np.pi * (week / 52 + rng.random()))
    level = np.cumsum(rng.normal(0.0, 0.006, shape[:2]), axis=1)
    noise = rng.normal(0.0, 0.04, shape[:2])
    unit = 1e4 * size[:, None]
    kpi = unit * (1.0 + season + level + effects.sum(axis=2) + pair + noise)
    truth = unit[..., None] * effects
    truth[..., :2] += 0.5 * (unit * pair)[..., None]
    columns = (spend * size[:, None, None] * 1e3).reshape(-1, len(MEDIA))
    X = pd.DataFrame(columns, columns=MEDIA)
    X.insert(0, WEEK, np.tile(week, N_REGIONS))
    X.insert(1, REGION, np.repeat([f"r{r}" for r in range(N_REGIONS)], N_WEEKS))
    X.attrs["pair"] = (unit * pair).sum()
    return Problem(
        name=name,
        seed=seed,
        X=X,
        y=pd.Series(kpi.ravel(), name="kpi"),
        truth=pd.DataFrame(truth.reshape(-1, len(MEDIA)), columns=MEDIA),
        roles={"media": MEDIA, "region": REGION, "time": WEEK},
    )


def run_problem(world, seed, model, **options):
    """Return one row."""
    problem = make_world(world, seed)
    estimator = DeepCausalMMMRegressor(
        **problem.roles,
        synergies=MODELS[model],
        graph=None,
        random_state=0,
        **options,
    )
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(problem.X, problem.y)
    seconds = time.perf_counter() - start
    found, truth = estimator.channel_summary(), problem.truth.sum()
    inside = truth.between(found["contribution_low"], found["contribution_high"])
    some = found.loc[PAIR, "contribution"]
    row = {
        "world": world,
        "seed": seed,
        "model": model,
        "error": error_of_totals(found["contribution"], truth),
        "error_pair_channels": error_of_totals(some, truth[PAIR]),
        "holds": inside.sum(),
        "data_driven": (found["verdict"] == "data-driven").sum(),
        "true": problem.X.attrs["pair"] / truth.sum(),
        "untrusted": int(any(w.category is ConvergenceWarning for w in caught)),
        "seconds": seconds,
    }
    if MODELS[model] is None:
        return row
    return row | of_pair(estimator, problem.X.attrs["pair"], truth.sum())


def of_pair(estimator, true, unit):
    """Return what a model says of its pair."""
    found = estimator.synergy_summary().iloc[0]
    low, high = found["contribution_low"], found["contribution_high"]
    return {
        "pair": found["contribution"] / unit,
        "pair_low": low / unit,
        "pair_high": high / unit,
        "pair_holds": int(low <= true <= high),
        "pair_found": int(low > 0 or high < 0),
        "pair_data_driven": int(found["verdict"] == "data-driven"),
        "theta": found["theta"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(10), help="as 0-9")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--out", type=Path, default=RESULTS / "synergy.csv")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tasks = [
        (world, seed, model)
        for world in options.worlds
        for seed in options.seeds
        for model in MODELS
    ]
    found = Parallel(options.jobs)(delayed(run_problem)(*task) for task in tasks)
    table = pd.DataFrame(found)
    table.to_csv(options.out, index=False, float_format="%.4g", lineterminator="\n")
    means = table.groupby(["world", "model"], sort=False).mean().drop(columns="seed")
    print(means.round(3).T.to_string())


if __name__ == "__main__":
    main()
