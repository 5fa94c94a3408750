"""Say what rivals credit to each channel; writes results/causes_rivals.csv.

For the worlds of `cause_worlds.py`; columns as in results/causes.csv, and the rival.

python benchmarks/rivals/score_causes.py FOLDER
"""

import json
import sys
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parents[1] / "results"


def score(folder):
    """Return one row per answer in the folder of one problem, and channel."""
    world, seed = folder.name.rsplit("_", 1)
    media = json.loads((folder / "roles.json").read_text())["media"]
    truth = pd.read_csv(folder / "truth.csv").sum()
    kpi = pd.read_csv(folder / "y.csv").iloc[:, 0].sum()
    found = []
    for path in sorted(folder.glob("*_totals.csv")):
        rival = path.name.removesuffix("_totals.csv")
        contribution = pd.read_csv(folder / f"{rival}.csv").sum()
        totals = pd.read_csv(path, index_col="channel")
        for channel in media:
            row = {
                "world": world,
                "seed": int(seed),
                "contender": rival,
                "channel": channel,
                "truth": truth[channel],
                "contribution": contribution[channel],
                "low": totals.loc[channel, "contribution_low"],
                "high": totals.loc[channel, "contribution_high"],
                "kpi": kpi,
                "idle": int(truth[channel] <= 0),
                "seconds": totals.loc[channel, "seconds"],
            }
            found.append(row)
    return found


def summarise(table):
    """Return shares of the KPI and intervals that hold, by world, seed and rival."""
    share = table[["truth", "contribution"]].div(table["kpi"], axis=0)
    table = table.assign(
        true=share["truth"],
        credited=share["contribution"],
        idle_credited=share["contribution"].where(table["idle"] == 1),
        inside=table["truth"].between(table["low"], table["high"]),
    )
    by = table.groupby(["world", "seed", "contender"], sort=False)
    sums = by[["true", "credited", "idle_credited", "inside"]].sum()
    return sums.assign(channels=by.size(), seconds=by["seconds"].first())


def main():
    paths = sorted(Path(sys.argv[1]).glob("*/roles.json"))
    table = pd.DataFrame([row for path in paths for row in score(path.parent)])
    out = RESULTS / "causes_rivals.csv"
    table.to_csv(out, index=False, float_format="%.6g", lineterminator="\n")
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
