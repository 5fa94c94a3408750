"""Do 90 % intervals hold what the model itself simulates?

Worlds of `problems.py` and `cause_worlds.py`: one series, a small panel, and both with
channels that do nothing. The default settings are fitted to each, KPIs are simulated
from draws of the posterior or of the prior, and fitted again (`calibrate_intervals`).
Writes results/calibration.csv, one row per world, source, channel and simulation:

- truth, contribution, contribution_low, contribution_high: of the simulated KPI
- holds: 1 if the interval holds the truth
- rank, n_draws: how many of the draws are below the truth
- z_score: truth minus mean of the draws, in their standard deviations
- reach: distance of the truth from the median of the draws, that of the bound being 1
- error: of a fit that refused, in one row without a channel

    python benchmarks/bench_calibration.py --worlds clean,panel_constant --simulations 6
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from cause_worlds import WORLDS as CAUSE_WORLDS
from problems import WORLDS

from skmmm import DeepCausalMMMRegressor
from skmmm.inspection import calibrate_intervals

RESULTS = Path(__file__).parent / "results"
DEFAULT_WORLDS = ("clean", "panel_constant", "idle_series", "idle_panel")
SOURCES = ("posterior", "prior")
LEVEL = 0.9
DRAWS = [
    *("simulation", "channel"),
    *("truth", "contribution", "contribution_low", "contribution_high"),
    *("holds", "rank", "z_score", "reach"),
]
COLUMNS = ["world", "seed", "source", *DRAWS, "n_draws", "seconds", "error"]


def run_problem(world, seed, source, n_simulations, *, n_jobs=None, **options):
    """Return one row per simulation and channel; seconds are those of a simulation."""
    problem = (WORLDS | CAUSE_WORLDS)[world](seed)
    model = DeepCausalMMMRegressor(
        **problem.roles, media_cost=1.0, random_state=0, **options
    )
    row = {"world": world, "seed": seed, "source": source}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = calibrate_intervals(
                model,
                problem.X,
                problem.y,
                source=source,
                n_simulations=n_simulations,
                confidence_level=LEVEL,
                n_jobs=n_jobs,
                random_state=seed,
            )
        except (ValueError, ArithmeticError, RuntimeError) as error:
            row["error"] = f"{type(error).__name__}: {error}"[:200]
            return pd.DataFrame([row], columns=COLUMNS)
    row |= {
        "n_draws": found.n_draws,
        "seconds": (time.perf_counter() - start) / n_simulations,
    }
    table = found.draws.assign(**row).astype({"holds": int})
    return table.reindex(columns=COLUMNS)


def summarise(table):
    """Return coverage and what is wrong with the draws, by world and source.

    Returns
    -------
    summary : DataFrame indexed by world and source
        ``coverage`` and its standard error over simulations; the share of ranks in the
        lower and upper tenth (.1 if draws are right); the mean of z-scores (0) and
        their root mean square (1); by how much intervals would have to widen.
    """
    fitted = table[table["error"].isna()]
    place = (fitted["rank"] + 0.5) / (fitted["n_draws"] + 1)
    fitted = fitted.assign(
        lowest=place < 0.1, highest=place > 0.9, square=fitted["z_score"] ** 2
    )
    keys = ["world", "source"]
    by = fitted.groupby(keys, sort=False)
    each = fitted.groupby([*keys, "seed", "simulation"], sort=False)["holds"].mean()
    needed = by["reach"].agg(np.quantile, LEVEL, method="inverted_cdf")
    return pd.DataFrame(
        {
            "rows": by.size(),
            "coverage": by["holds"].mean(),
            "standard error": each.groupby(keys).sem(),
            "lowest ranks": by["lowest"].mean(),
            "highest ranks": by["highest"].mean(),
            "mean z": by["z_score"].mean(),
            "rms z": by["square"].mean() ** 0.5,
            "widen by": needed.clip(lower=1.0),
            "seconds": by["seconds"].mean(),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", default=",".join(DEFAULT_WORLDS), help="by comma")
    parser.add_argument("--sources", default=",".join(SOURCES), help="by comma")
    parser.add_argument("--seed", type=int, default=0, help="of worlds and simulations")
    parser.add_argument("--simulations", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS / "calibration.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    worlds, sources = options.worlds.split(","), options.sources.split(",")
    if unknown := {*worlds} - {*WORLDS, *CAUSE_WORLDS} | {*sources} - {*SOURCES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    tables = []
    for world in worlds:
        for source in sources:
            number = options.simulations
            found = run_problem(
                world, options.seed, source, number, n_jobs=options.jobs
            )
            tables.append(found)
            table = pd.concat(tables, ignore_index=True)
            table.to_csv(
                options.out, index=False, float_format="%.6g", lineterminator="\n"
            )
            print(f"{world}, {source}: done", flush=True)
    with pd.option_context("display.width", 200, "display.max_columns", None):
        print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
