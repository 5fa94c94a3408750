"""Score the answers of rivals as skmmm is scored; writes results/recovery_rivals.csv.

python benchmarks/rivals/score.py FOLDER
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_recovery import COLUMNS, RESULTS, make_problem, scores, summarise, write


def score(folder):
    """Return one row per answer in the folder of one problem."""
    world, seed = folder.name.rsplit("_", 1)
    problem = make_problem(world, int(seed))
    found = []
    for path in sorted(folder.glob("*_totals.csv")):
        rival = path.name.removesuffix("_totals.csv")
        channels = pd.read_csv(path, index_col="channel")
        row = {"world": world, "seed": int(seed), "contender": rival}
        row |= scores(problem, pd.read_csv(folder / f"{rival}.csv"), channels)
        found.append(row | {"seconds": channels["seconds"].iloc[0]})
    return found


def main():
    paths = sorted(Path(sys.argv[1]).glob("*/roles.json"))
    rows = [row for path in paths for row in score(path.parent)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    write(table, RESULTS / "recovery_rivals.csv")
    print(summarise(table)[0].round(3).to_string())


if __name__ == "__main__":
    main()
