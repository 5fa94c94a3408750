"""How problems and answers travel between environments: folders of CSV files.

One folder per problem, named WORLD_SEED, with X.csv, y.csv, truth.csv and roles.json.
A rival adds NAME.csv, contributions with one column per channel and one row per row of
X, and NAME_totals.csv, one row per channel with the 90 % interval of its total (empty
if the rival has none) and the seconds the fit took.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd


def read_problem(folder):
    """Return X, y and roles; national series get a region column `geo`."""
    roles = json.loads((folder / "roles.json").read_text())
    X = pd.read_csv(folder / "X.csv", parse_dates=[roles["time"]])
    y = pd.read_csv(folder / "y.csv").iloc[:, 0]
    if roles["region"] is None:
        X["geo"] = "nation"
    return X, y, roles | {"region": roles["region"] or "geo"}


def panel(X, roles, values):
    """Arrange values, (rows, ...), as (R, T, ...), regions and weeks sorted."""
    order = np.lexsort((X[roles["time"]], X[roles["region"]]))
    values = np.asarray(values)[order]
    return values.reshape(X[roles["region"]].nunique(), -1, *values.shape[1:])


def rows(X, roles, values):
    """Undo `panel`."""
    order = np.lexsort((X[roles["time"]], X[roles["region"]]))
    values = np.asarray(values)
    return values.reshape(len(X), *values.shape[2:])[np.argsort(order)]


def answer_all(name, fit):
    """Fit every problem under the folder on the command line; write the answers.

    Parameters
    ----------
    name : str
        Of the rival.
    fit : callable
        Takes X, y, roles; returns contributions as an array (rows, channels), and
        draws of their totals as an array (draws, channels) or None.
    """
    for folder in sorted(
        path.parent for path in Path(sys.argv[1]).glob("*/roles.json")
    ):
        X, y, roles = read_problem(folder)
        started = time.perf_counter()
        contributions, draws = fit(X, y, roles)
        seconds = time.perf_counter() - started
        bounds = np.full((2, len(roles["media"])), np.nan)
        if draws is not None:
            bounds = np.quantile(draws, [0.05, 0.95], axis=0)
        totals = pd.DataFrame(
            {
                "contribution_low": bounds[0],
                "contribution_high": bounds[1],
                "seconds": seconds,
            },
            index=pd.Index(roles["media"], name="channel"),
        )
        table = pd.DataFrame(contributions, columns=roles["media"])
        table.to_csv(folder / f"{name}.csv", index=False)
        totals.to_csv(folder / f"{name}_totals.csv")
        print(f"{name}: {folder.name}, {seconds:.0f} s", flush=True)
