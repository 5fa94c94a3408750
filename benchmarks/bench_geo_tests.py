"""Are geo tests as sure as they say?

Simulated panels in which nothing happens (AA), or an effect of the size that
`design_experiment` says it finds with power .8. Writes results/geo_tests.csv, one row
per question, world and method:

- false_positives: share of AA tests with p < .1; bar .12
- coverage: share of the 90 % intervals that hold the truth (AA and with the effect)
- power: share of tests with p < .1 of an effect with promised power .8, in the design
  that is listed first; bar .75 to .85
- walkthrough: GeoLift's example, 40 cities, two of them treated for 15 days, per city
  and day; GeoLift says 155.6, p .013. The data come with causal-marketing 0.1.0 (MIT):
  have it installed, or its wheel on the path.

    python benchmarks/bench_geo_tests.py --tests 200

Rows of other questions, worlds and methods stay as they are in the file.
"""

import argparse
import itertools
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.signal import lfilter

from skmmm.datasets import make_mmm_panel
from skmmm.experiments import GeoLiftRegressor, design_experiment

RESULTS = Path(__file__).parent / "results"
METHODS = ("synthetic_control", "difference")
# Of AA tests: world, regions, periods, of them in the test, treated regions.
PANELS = [
    ("mmm", 20, 104, 6, 4),
    ("mmm", 10, 78, 4, 2),
    ("walk", 20, 104, 6, 4),
    ("walk", 8, 60, 4, 1),
    ("factor", 20, 104, 6, 4),
    ("factor", 40, 104, 4, 8),
    ("clusters", 20, 104, 6, 4),
]
DESIGNED = [
    ("mmm", 20, 104, 6, 4),
    ("walk", 20, 104, 6, 4),
    ("clusters", 20, 104, 6, 4),
]
KEYS = ["question", "world", "n_regions", "n_periods", "length", "n_treated", "method"]
ROLES = {"region": "region", "time": "week"}


def make_kpi(world, seed, n_regions, n_periods):
    """Return the KPI of a panel, (n_periods, n_regions).

    - mmm: `make_mmm_panel`, trend, season, prices, media, levels that wander;
    - walk: regions that wander apart, with different slopes against a common walk;
    - factor: four persistent factors with loadings, noise less in large regions;
    - clusters: regions of four kinds, each with a walk in common.
    """
    rng = np.random.default_rng(seed)
    shape = n_periods, n_regions
    if world == "mmm":
        panel = make_mmm_panel(*shape[::-1], n_media=3, noise=0.05, random_state=seed)
        return panel.y.to_numpy().reshape(shape)
    size = 1000 * np.exp(0.8 * rng.standard_normal(n_regions))
    noise = 0.05 * rng.standard_normal(shape)
    if world == "walk":
        common = np.cumsum(0.02 * rng.standard_normal((n_periods, 1)), axis=0)
        slope = 1 + 0.3 * rng.standard_normal(n_regions)
        local = np.cumsum(0.01 * rng.standard_normal(shape), axis=0)
        return size * np.exp(common * slope + local + noise)
    if world == "factor":
        shocks = 0.6 * rng.standard_normal((n_periods, 4))
        factors = lfilter([1], [1, -0.8], shocks, axis=0)
        loadings = 0.08 * rng.standard_normal((4, n_regions))
        return size * (1 + factors @ loadings + noise / np.sqrt(size / 1000))
    walks = np.cumsum(0.03 * rng.standard_normal((n_periods, 4)), axis=0)
    return size * np.exp(walks[:, rng.integers(4, size=n_regions)] + noise)


def as_rows(kpi):
    """Return a long table and its KPI."""
    n_periods, n_regions = kpi.shape
    X = pd.DataFrame(
        {
            "region": np.tile(np.arange(n_regions), n_periods),
            "week": np.repeat(np.arange(n_periods), n_regions),
        }
    )
    return X, kpi.ravel()


def analyse(kpi, treated, length, method, effect=0.0):
    """Return whether a test is significant, its interval holds the truth, and its z."""
    X, y = as_rows(kpi)
    n_periods = len(kpi)
    test = GeoLiftRegressor(
        treated,
        start=n_periods - length,
        end=n_periods - 1,
        method=method,
        n_placebos=200,
        random_state=0,
        **ROLES,
    )
    found = test.fit(X, y).effect_.iloc[0]
    return {
        "significant": found["p_value"] < 0.1,
        "holds": found["low"] <= effect <= found["high"],
        "z": (found["estimate"] - effect) / found["std_error"],
    }


def run_aa(seed, world, n_regions, n_periods, length, n_treated, method):
    """Return the analysis of a test in which nothing happens."""
    kpi = make_kpi(world, seed, n_regions, n_periods)
    treated = np.random.default_rng(1000 + seed).permutation(n_regions)[:n_treated]
    return analyse(kpi, treated, length, method)


def run_designed(seed, world, n_regions, n_periods, length, n_treated, method):
    """Return the analysis of a test as designed, of the effect that it should find."""
    kpi = make_kpi(world, seed, n_regions, n_periods).copy()
    X, y = as_rows(kpi[:-length])
    designs = design_experiment(
        X,
        y,
        n_regions=n_treated,
        n_periods=length,
        lift=0.05,
        method=method,
        n_candidates=200,
        random_state=seed,
        **ROLES,
    )
    best = designs.iloc[0]
    before = kpi[-length:, best["regions"]].sum()
    kpi[-length:, best["regions"]] *= 1 + best["mde"] / before
    return analyse(kpi, best["regions"], length, method, effect=best["mde"])


def fit_walkthrough():
    """Return the fitted analysis of GeoLift's example, or None without the data."""
    package = find_spec("causal_marketing")
    if package is None:
        return None
    path = Path(package.origin).parent / "datasets" / "geolift_test.csv"
    data = pd.read_csv(BytesIO(package.loader.get_data(str(path))))
    return GeoLiftRegressor(
        ["chicago", "portland"],
        start="2021-04-01",
        end="2021-04-15",
        region="location",
        time="date",
        random_state=0,
    ).fit(data[["location", "date"]], data["Y"])


def walkthrough():
    """Return its effect per city and day, or None without the data."""
    test = fit_walkthrough()
    if test is None:
        return None
    effect = test.effect_.loc["treated"]
    per_day = effect[["estimate", "std_error", "low", "high"]] / 30
    return per_day.to_dict() | {"p_value": effect["p_value"]}


def score(run, panel, method, n_tests, n_jobs):
    """Return shares over many tests."""
    found = Parallel(n_jobs=n_jobs)(
        delayed(run)(seed, *panel, method) for seed in range(n_tests)
    )
    table = pd.DataFrame(found)
    return {
        "significant": table["significant"].mean(),
        "coverage": table["holds"].mean(),
        "rms_z": np.sqrt((table["z"] ** 2).mean()),
    }


QUESTIONS = {"false_positives": (run_aa, PANELS), "power": (run_designed, DESIGNED)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=200, help="per world and method")
    parser.add_argument("--questions", nargs="+", default=[*QUESTIONS, "walkthrough"])
    parser.add_argument("--worlds", nargs="+", default=sorted({p[0] for p in PANELS}))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--out", type=Path, default=RESULTS / "geo_tests.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    rows = []
    for question in QUESTIONS:
        run, panels = QUESTIONS[question]
        for panel, method in itertools.product(panels, options.methods):
            if question in options.questions and panel[0] in options.worlds:
                shares = score(run, panel, method, options.tests, options.jobs)
                key = dict(zip(KEYS, (question, *panel, method), strict=True))
                rows.append(key | {"n_tests": options.tests} | shares)
                print(rows[-1], flush=True)
    if "walkthrough" in options.questions and (found := walkthrough()) is not None:
        key = dict(zip(KEYS, ("walkthrough", "geolift", 40, 105, 15, 2), strict=False))
        rows.append(key | {"method": METHODS[0], "n_tests": 1} | found)
    table = pd.DataFrame(rows).round(4)
    if options.out.exists():
        table = pd.concat([pd.read_csv(options.out), table])
    table = table.drop_duplicates(KEYS, keep="last").sort_values(KEYS)
    table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
