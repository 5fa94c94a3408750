"""Write down what six fits answer, or compare with what they answered before.

    python benchmarks/golden_fits.py write answers.npz
    python benchmarks/golden_fits.py compare answers.npz

Run both on the same machine: answers are compared bit by bit.
"""

import argparse
import hashlib
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import budget_path
from skmmm.datasets import make_mmm_panel
from skmmm.graph import StructuralVAR
from skmmm.inspection import marginal_roi
from skmmm.report import make_report
from skmmm.scenarios import compare_scenarios

ROLES = {"region": "region", "time": "week"}


def fits():
    """Yield name, model and table of each fit."""
    series = make_mmm_panel(1, 80, n_media=3, random_state=1)
    panel = make_mmm_panel(5, 60, n_media=3, random_state=2)
    for name, data, options in (
        ("national", series, {"n_draws": 8}),
        ("panel", panel, {"n_draws": 8, "media_cost": 1.0, "adstock": "delayed"}),
        ("no_time", series, {"n_draws": 8, "time": None}),
        ("no_graph", panel, {"n_draws": 0, "graph": None, "adstock": "gru"}),
        ("draws", series, {"n_draws": 32, "free_sign": ["media_2"]}),
        (
            "total",
            panel,
            {"n_draws": 8, "media_cost": 2.0, "graph": StructuralVAR(n_bootstraps=4)},
        ),
    ):
        settings = ROLES | {"max_lag": 4, "max_iter": 60, "random_state": 3} | options
        model = DeepCausalMMMRegressor(
            media=data.media, controls=data.controls, **settings
        )
        yield name, model.fit(data.X, data.y), data


def answers(name, model, data):
    """Yield what a fitted model answers, by question."""
    effect = "total" if name == "total" else "direct"
    timed = model.time is not None
    X = data.X
    early = X[X["week"] < X["week"].sort_values().iloc[len(X) // 2]]
    yield "predict", model.predict(X)
    yield "score", model.score(X, data.y)
    if model.n_draws:
        yield "interval", model.predict_interval(X)
    for which, rows in (("all", None), ("early", early if timed else X)):
        yield f"contributions {which}", model.contributions(rows)
        yield f"summary {which}", model.channel_summary(rows, effect=effect)
        yield f"marginal {which}", marginal_roi(model, rows, effect=effect)
    for media in data.media:
        yield f"curve {media}", model.response_curve(media, X, effect=effect)
    yield "region summary", model.channel_summary(by="region")
    yield "region marginal", marginal_roi(model, by="region")
    yield "carryover", model.carryover_
    yield "saturation", model.saturation()
    yield "graph", model.causal_graph_
    if model.graph is not None and timed:
        yield "pairs", model.channel_graph().pairs
    for by in ("channel", "region", "period") if timed else ("channel", "region"):
        rows = (
            X if by != "period" else X[X["week"] >= X["week"].sort_values().iloc[-20]]
        )
        some, what = (rows, "direct") if by == "period" else (X, effect)
        plan = model.optimize_budget(X=some, by=by, effect=what)
        yield f"plan {by}", plan.allocation
        yield f"plan {by} outcome", [plan.outcome, plan.outcome_low, plan.outcome_high]
        yield f"plan {by} X", plan.X
    path = budget_path(model, X=X, effect=effect)
    yield "path", path.table
    yield "path plans", [plan.allocation for plan in path.plans]
    if timed:
        coming = model.make_future_frame(
            6, spend="last_periods", control_values="last_periods"
        )
        yield "future", coming
        more = coming.assign(media_1=2.0 * coming["media_1"])
        tables = {"as before": coming, "more": more}
        yield "scenarios", compare_scenarios(model, tables)
        yield "effectiveness", model.effectiveness()
        yield "report", page_of(model, data)
        yield "baseline parts", model.baseline_parts()
    yield "coef", np.concatenate([model.coef_, model.slope_, model.half_saturation_])


def page_of(model, data):
    """Return the bytes of the report as a number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        make_report(model, data.X, data.y, path)
        return [hashlib.sha256(path.read_bytes()).hexdigest()]


def flat(value):
    """Return a value as an array of text that loses no bit."""
    if isinstance(value, tuple | list):
        return np.concatenate([flat(part) for part in value])
    if isinstance(value, pd.Series):
        value = value.to_frame()
    if isinstance(value, pd.DataFrame):
        keys = [str(value.columns.tolist()), str(value.index.tolist())]
        cells = [repr(cell) for cell in value.astype(object).to_numpy().ravel()]
        return np.array(keys + cells)
    if hasattr(value, "__dict__") or isinstance(value, dict):
        parts = value if isinstance(value, dict) else vars(value)
        return np.concatenate([flat(part) for _, part in sorted(parts.items())])
    return np.array([repr(cell) for cell in np.ravel(np.asarray(value, object))])


def collect():
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model, data in fits():
            for question, value in answers(name, model, data):
                found[f"{name}: {question}"] = flat(value)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["write", "compare"])
    parser.add_argument("path")
    options = parser.parse_args()
    found = collect()
    if options.what == "write":
        np.savez_compressed(options.path, **found)
        print(f"{len(found)} answers written")
        return 0
    before = np.load(options.path)
    differ = [
        key
        for key in found
        if key not in before.files or not np.array_equal(found[key], before[key])
    ]
    differ += [key for key in before.files if key not in found]
    print(f"{len(found)} answers, {len(differ)} differ: {differ}")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
