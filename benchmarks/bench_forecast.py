"""How well is the real 190-region panel forecast, and what is each part worth?

Rolling origins: train before week 57, 70, 83 and 96, predict the next 13 weeks with
the media and controls of those weeks known. Rows of regions without any training row
are left out (region 801 at origin 70). Writes results/forecast_dma.csv.

    python benchmarks/bench_forecast.py [PANEL.csv.gz]
"""

import sys
import time
from pathlib import Path

import pandas as pd
from sklearn.metrics import r2_score

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.metrics import (
    interval_coverage,
    naive_skill,
    weighted_mape,
    within_region_r2,
)

HERE = Path(__file__).parent
PANEL = HERE.parents[1] / "shared" / "data" / "dma_panel.csv.gz"
ORIGINS = (57, 70, 83, 96)
HORIZON = 13


def contenders(media, controls):
    roles = {"region": "dmacode", "time": "weekid"}
    deep = {"media": media, "controls": controls, "random_state": 0} | roles
    return {
        "skmmm": DeepCausalMMMRegressor(**deep),
        "skmmm, GRU off": DeepCausalMMMRegressor(**deep, n_hidden=0),
        "skmmm, constant effect": DeepCausalMMMRegressor(**deep, time_varying=False),
        "skmmm, media off": DeepCausalMMMRegressor(**{**deep, "media": []}),
        "linear MMM": make_linear_mmm(media=media, controls=controls, **roles),
        "seasonal naive": SeasonalNaiveRegressor(**roles),
        "last value": LastValueRegressor(**roles),
        "mean of each region": LastValueRegressor(region="dmacode"),
    }


def evaluate(estimator, train, test, columns, naive):
    """Fit on one origin and return the scores of its forecast."""
    started = time.perf_counter()
    estimator.fit(train[columns], train["target_visits"])
    seconds = time.perf_counter() - started
    truth, forecast = test["target_visits"], estimator.predict(test[columns])
    coverage = float("nan")
    if hasattr(estimator, "predict_interval"):
        interval = estimator.predict_interval(test[columns], confidence_level=0.9)
        coverage = interval_coverage(truth, interval[:, 0], interval[:, 1])
    return {
        "wmape": weighted_mape(truth, forecast),
        "skill": naive_skill(truth, forecast, naive),
        "pooled_r2": r2_score(truth, forecast),
        "within_region_r2": within_region_r2(truth, forecast, test["dmacode"]),
        "coverage_90": coverage,
        "fit_seconds": seconds,
    }


def main(path=PANEL):
    data = pd.read_csv(path)
    media = [c for c in data if c.startswith("impressions")]
    controls = [c for c in data if c.startswith("control")]
    rows = []
    for origin in ORIGINS:
        train = data[data["weekid"] < origin]
        test = data[data["weekid"].between(origin, origin + HORIZON - 1)]
        test = test[test["dmacode"].isin(train["dmacode"])]
        columns = ["dmacode", "weekid", *media, *controls]
        last = LastValueRegressor(region="dmacode", time="weekid")
        naive = last.fit(train[columns], train["target_visits"]).predict(test[columns])
        for name, estimator in contenders(media, controls).items():
            used = columns
            if name == "skmmm, media off":
                used = [c for c in columns if c not in media]
            scores = evaluate(estimator, train, test, used, naive)
            rows.append({"model": name, "origin": origin, **scores})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.round(4).to_csv(HERE / "results" / "forecast_dma.csv", index=False)
    wide = table.pivot(index="model", columns="origin", values="skill")
    print(wide.assign(mean=wide.mean(axis=1)).round(3))


if __name__ == "__main__":
    main(*sys.argv[1:])
