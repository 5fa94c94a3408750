"""How many times longer do PyMC-Marketing and Meridian take, and do they cover better?

One series and twenty regions (`make_mmm_panel`: six channels, geometric adstock and
Hill curves in which no package is misspecified but by its own defaults). Each problem
is fitted by all three after one another, so that seconds are of one machine in one
state: compare within one run only. PyMC-Marketing with four chains of 1000 draws after
1000 by numpyro; Meridian with ten of 1000 after 2500, as its getting-started page has
it, and with two of 1000 after 1000. Seconds are of the fit and of what it takes to ask
for contributions, without the start of Python and imports. Writes ../results/race.csv
anew after each problem; rows of other sizes stay.

    python race.py --pymc env-pmm/bin/python --meridian env-mer/bin/python
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_recovery import RESULTS, read_seeds, scores
from world_parts import Problem

from skmmm.datasets import make_mmm_panel

HERE = Path(__file__).parent
SHAPES = {"1x156x6": (1, 156, 6), "20x104x6": (20, 104, 6)}
COLUMNS = [
    *("shape", "seed", "contender", "seconds"),
    *("covered", "channels", "total_error", "max_error"),
]


def make_problem(shape, seed):
    """Return one problem of a size."""
    n_regions, n_periods, n_media = SHAPES[shape]
    world = make_mmm_panel(n_regions, n_periods, n_media=n_media, random_state=seed)
    roles = {
        "media": world.media,
        "controls": world.controls,
        "region": "region",
        "time": "week",
    }
    truth = world.contributions[world.media]
    return Problem(shape, seed, world.X, world.y, truth, roles)


def export(problem, folder):
    """Write one problem into a folder, where `exchange` finds it."""
    folder.mkdir(parents=True)
    problem.X.to_csv(folder / "X.csv", index=False)
    problem.y.to_csv(folder / "y.csv", index=False)
    (folder / "roles.json").write_text(json.dumps(problem.roles))


def race(shape, seed, runners):
    """Return one row per contender; runners are commands and the names that answer."""
    problem, rows = make_problem(shape, seed), []
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / f"{shape}_{seed}"
        export(problem, folder)
        for (python, script, *flags), names in runners:
            subprocess.run([python, script, root, *flags], check=True, cwd=HERE)
            for name in names:
                told = pd.read_csv(folder / f"{name}_totals.csv", index_col="channel")
                found = scores(problem, pd.read_csv(folder / f"{name}.csv"), told)
                row = {"shape": shape, "seed": seed, "contender": name}
                rows.append(row | found | {"seconds": told["seconds"].iloc[0]})
                print({c: rows[-1][c] for c in COLUMNS}, flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--seeds", type=read_seeds, default=range(3), help="as 0-2")
    parser.add_argument("--pymc", required=True, help="Python with pymc-marketing")
    parser.add_argument("--meridian", required=True, help="Python with Meridian")
    options = parser.parse_args()
    of_pymc = options.pymc, "run_pymc_marketing.py", "--numpyro"
    of_meridian = options.meridian, "run_meridian.py", "--race"
    runners = [
        ((sys.executable, "run_skmmm.py"), ["skmmm"]),
        (of_meridian, ["Meridian, 2 chains", "Meridian"]),
        (of_pymc, ["PyMC-Marketing"]),
    ]
    shapes, rows = options.shapes.split(","), []
    kept = pd.DataFrame(columns=COLUMNS)
    if (RESULTS / "race.csv").exists():
        kept = pd.read_csv(RESULTS / "race.csv")
        kept = kept[~kept["shape"].isin(shapes)]
    for shape, seed in itertools.product(shapes, options.seeds):
        rows += race(shape, seed, runners)
        found = pd.DataFrame(rows, columns=COLUMNS).round(4)
        table = pd.concat([kept, found], ignore_index=True)
        table.to_csv(RESULTS / "race.csv", index=False)
    by = table.groupby(["shape", "contender"])
    sums = by[["covered", "channels"]].sum()
    print(by[["seconds", "total_error"]].mean().join(sums).round(3).to_string())


if __name__ == "__main__":
    main()
