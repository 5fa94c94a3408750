"""Does any small table end in something other than numbers or a clear refusal?

Random panels and series (few rows, gaps, zeros, constants, spikes, tiny and huge
numbers, KPIs of every kind) with random parameters go through fit, predict, interval,
contributions, summary, curve, plan, save and load. Writes results/fuzz.csv, one row per
seed: how far it came, and

- outcome: "answered"; "refused", a ValueError; "failed", anything else
- said: the refusal or the failure
- broken: which of the promises below did not hold, by semicolon

Promises: all numbers are finite where they are defined; no numpy warning; a point lies
inside its own interval; contributions sum to the prediction; a plan that succeeds is
never below today; a loaded model predicts the same.

    python benchmarks/bench_fuzz.py --seeds 0-499
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds, write
from joblib import Parallel, delayed

from skmmm import DeepCausalMMMRegressor
from skmmm.graph import StructuralVAR

RESULTS = Path(__file__).parent / "results"
COLUMNS = ["seed", "outcome", "step", "said", "broken"]


def make_table(rng):
    """Return X, y and parameters of a regressor for them."""
    n_regions, n_periods = int(rng.integers(1, 5)), int(rng.integers(6, 45))
    starts = pd.Timestamp("2022-01-03")
    frequency = rng.choice(["W-MON", "D", "MS"])
    times = pd.date_range(starts, periods=n_periods, freq=frequency)
    X = pd.DataFrame(
        {
            "region": np.repeat([f"r{r}" for r in range(n_regions)], n_periods),
            "week": np.tile(times, n_regions),
        }
    )
    n_rows, media = len(X), [f"m{m}" for m in range(rng.integers(1, 5))]
    for channel in media:
        X[channel] = _spend(rng, n_rows)
    controls = [f"c{c}" for c in range(rng.integers(0, 3))]
    for control in controls:
        kinds = (rng.normal(0, 1, n_rows), rng.random(n_rows) < 0.1, np.ones(n_rows))
        X[control] = np.asarray(kinds[rng.integers(3)], dtype=float)
    y = _kpi(rng, X, media)
    if rng.random() < 0.3:  # gaps
        kept = rng.random(n_rows) < 0.9
        X, y = X[kept], y[kept]
    order = rng.permutation(len(X)) if rng.random() < 0.3 else np.arange(len(X))
    return X.iloc[order], y.iloc[order], _parameters(rng, media, controls)


def _spend(rng, n_rows):
    usual = rng.gamma(1.0, 10.0 ** rng.integers(-3, 7), n_rows)
    one = np.zeros(n_rows)
    one[rng.integers(n_rows)] = 5.0
    kinds = [
        usual,
        usual * (rng.random(n_rows) < 0.3),
        np.full(n_rows, 3.0),
        one,
        usual * np.where(rng.random(n_rows) < 0.03, 1e3, 1.0),
    ]
    return kinds[rng.choice(5, p=[0.4, 0.3, 0.1, 0.1, 0.1])]


def _kpi(rng, X, media):
    size = 10.0 ** rng.integers(-4, 9)
    base = 1.0 + 0.1 * rng.normal(size=len(X))
    for channel in media:
        base = base + 0.1 * X[channel] / (X[channel] + X[channel].mean() + 1e-9)
    spiked = np.where(np.arange(len(X)) == rng.integers(len(X)), 1e3, 1.0)
    kinds = [
        size * base,
        rng.poisson(2.0, len(X)).astype(float),
        np.where(rng.random(len(X)) < 0.8, 0.0, size * base),
        -size * base,
        size * (base - 1.0),
        size * base * spiked,
        np.where(X["region"] == "r0", 0.0, size * base),
        np.full(len(X), size),
    ]
    kind = rng.choice(8, p=[0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.07, 0.03])
    return pd.Series(np.asarray(kinds[kind]), index=X.index, name="kpi")


def _parameters(rng, media, controls):
    ordered = rng.random() < 0.9
    return {
        "media": media,
        "controls": controls,
        "region": "region",
        "time": "week" if ordered else None,
        "max_lag": int(rng.integers(0, 6)),
        "adstock": str(rng.choice(["geometric", "delayed", "weibull", "free", "gru"])),
        "media_cost": [None, 1.0, {media[0]: 0.5}][rng.integers(3)],
        "free_sign": [None, media[:1]][rng.integers(2)],
        "loss": str(rng.choice(["huber", "student_t"])),
        "n_harmonics": int(rng.integers(0, 4)),
        "n_hidden": int(rng.integers(0, 4)),
        "n_draws": int(rng.choice([0, 4, 8])),
        "graph": StructuralVAR(n_bootstraps=2),
        "max_iter": 40,
        "random_state": int(rng.integers(100)),
    }


def run_table(seed):
    """Return the row of one table."""
    X, y, parameters = make_table(np.random.default_rng(seed))
    if parameters["time"] is None:
        X = X.drop(columns="week")
    row, broken = {"seed": seed, "outcome": "answered", "step": "load"}, set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in (RuntimeWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("error", kind)
        steps = _steps(X, y, parameters, broken)
        step = "fit"
        try:
            for step in steps:
                row["step"] = step
        except ValueError as error:
            row |= {"outcome": "refused", "said": str(error)[:300]}
        except Exception as error:  # what this benchmark is looking for
            row |= {
                "outcome": "failed",
                "said": f"{type(error).__name__}: {error}"[:300],
            }
    return row | {"broken": ";".join(sorted(broken))}


def _steps(X, y, parameters, broken):
    """Yield the name of each step before it is taken."""

    def check(name, values):
        if not np.isfinite(np.asarray(values, dtype=float)).all():
            broken.add(name)

    yield "fit"
    model = DeepCausalMMMRegressor(**parameters).fit(X, y)
    drawn, ordered = parameters["n_draws"] > 0, parameters["time"] is not None
    yield "predict"
    predicted = model.predict(X)
    check("prediction", predicted)
    yield "interval"
    if drawn:
        check("interval", model.predict_interval(X))
    yield "contributions"
    parts = model.contributions(X)
    check("contributions", parts)
    if not np.allclose(parts.sum(axis=1), predicted, atol=1e-7 * np.abs(y).max()):
        broken.add("sum")
    yield "summary"
    summary = model.channel_summary()
    check("contribution", summary["contribution"])
    for name in ("contribution", "roi", "mroi"):
        low, value, high = (summary[f"{name}{end}"] for end in ("_low", "", "_high"))
        if drawn and not ((low <= value) & (value <= high) | value.isna()).all():
            broken.add(f"{name} outside its interval")
    yield "curve"
    curve = model.response_curve(parameters["media"][-1])
    check("curve", curve.incremental)
    if (
        drawn
        and not (
            (curve.low <= curve.incremental) & (curve.incremental <= curve.high)
        ).all()
    ):
        broken.add("curve outside its interval")
    yield "plan"
    _check_plan(model.optimize_budget(), broken)
    if ordered:
        yield "plan of coming periods"
        _check_plan(model.optimize_budget(horizon=3), broken)
    yield "load"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skmmm"
        model.save(path)
        if not np.array_equal(DeepCausalMMMRegressor.load(path).predict(X), predicted):
            broken.add("loaded")


def _check_plan(plan, broken):
    if plan.success and not np.isfinite(plan.outcome):
        broken.add("plan")
    rounding = 1e-9 * abs(plan.current_outcome)
    if plan.success and plan.outcome < plan.current_outcome - rounding:
        broken.add("plan below today")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(500), help="as 0-499")
    parser.add_argument("--out", type=Path, default=RESULTS / "fuzz.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    rows = Parallel(options.jobs)(delayed(run_table)(seed) for seed in options.seeds)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write(table, options.out)
    print(table["outcome"].value_counts().to_string())
    wrong = table[(table["outcome"] == "failed") | (table["broken"] != "")]
    with pd.option_context("display.width", 200, "display.max_colwidth", 120):
        print(wrong.to_string() if len(wrong) else "no promise was broken")
        refused = table.loc[table["outcome"] == "refused", "said"].astype(str)
        print(refused.str[:110].value_counts().to_string())


if __name__ == "__main__":
    main()
