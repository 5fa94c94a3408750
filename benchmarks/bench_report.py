"""Seconds and size of reports, and how long a browser takes to open them.

Run as ``python benchmarks/bench_report.py``. Writes ``results/report.csv`` and, from
the bundled example, the picture ``docs/images/report.png``. The panel of DeepCausalMMM
and Robyn's sample are read from ``../shared/data`` and left out without it. Opening
needs Chromium, its driver and selenium.
"""

import shutil
import tempfile
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pandas as pd
from selenium import webdriver
from threadpoolctl import threadpool_limits

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import LastValueRegressor, SeasonalNaiveRegressor, make_linear_mmm
from skmmm.datasets import load_mmm_example
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.report import make_report

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data"
PICTURE = HERE.parent / "docs" / "images" / "report.png"
N_TIMES = 5  # that a page is opened; the median counts
SIZE = (1280, 940)


def example():
    """Return rows, KPI and roles of the bundled example."""
    data = load_mmm_example()
    roles = {"media": data.media, "controls": data.controls, "media_cost": 1.0}
    return data.X, data.y, {**roles, "region": "region", "time": "week"}


def robyn():
    """Return those of Robyn's weekly sample."""
    data = pd.read_csv(DATA / "robyn_weekly.csv.gz")
    events = pd.get_dummies(data["events"], dtype=float).drop(columns="na")
    roles = {
        "media": ["tv_S", "ooh_S", "print_S", "facebook_S", "search_S"],
        "controls": ["competitor_sales_B", "newsletter", *events],
        "time": "DATE",
        "media_cost": 1.0,
    }
    return pd.concat([data, events], axis=1), data["revenue"], roles


def dma():
    """Return those of the panel of 190 regions."""
    data = pd.read_csv(DATA / "dma_panel.csv.gz")
    roles = {
        "media": [c for c in data if c.startswith("impressions")],
        "controls": [c for c in data if c.startswith("control")],
        "region": "dmacode",
        "time": "weekid",
    }
    return data.drop(columns="target_visits"), data["target_visits"], roles


def open_browser():
    """Return headless Chromium."""
    options = webdriver.ChromeOptions()
    for option in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{option}")
    options.add_argument("--disable-background-networking")
    # Named, so that selenium does not look for one on the network.
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def seconds_to_open(path):
    """Return the median time until the first charts are there."""
    found = []
    for _ in range(N_TIMES):
        browser = open_browser()
        try:
            start = perf_counter()
            browser.get(path.as_uri())
            while not browser.find_elements("css selector", ".main-svg"):
                sleep(0.02)
            found.append(perf_counter() - start)
        finally:
            browser.quit()
    return float(np.median(found))


def draw(path):
    """Write the picture of the documentation."""
    browser = open_browser()
    try:
        width, height = SIZE
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(path.as_uri())
        sleep(1.5)
        browser.save_screenshot(str(PICTURE))
    finally:
        browser.quit()


def skill_of(X, y, roles):
    """Return forecasts of the example beside naive ones, for its picture."""
    keys = {"region": "region", "time": "week"}
    columns = {k: v for k, v in roles.items() if k != "media_cost"}
    model = DeepCausalMMMRegressor(**roles, n_draws=0, graph=None, random_state=0)
    scores = rolling_skill(
        {
            "DeepCausalMMM": model,
            "linear MMM": make_linear_mmm(**columns),
            "seasonal naive": SeasonalNaiveRegressor(**keys),
            "last value": LastValueRegressor(**keys),
        },
        X,
        y,
        cv=PanelTimeSeriesSplit(4, test_size=13, time="week"),
        naive=LastValueRegressor(**keys),
    )
    return scores.assign(origin=scores["split"] + 1)


def main():
    """Measure and write."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        for make in (example, robyn, dma):
            if make is not example and not DATA.exists():
                continue
            X, y, roles = make()
            start = perf_counter()
            model = DeepCausalMMMRegressor(**roles, random_state=0).fit(X, y)
            fitted = perf_counter()
            skill = skill_of(X, y, roles) if make is example else None
            path = Path(folder) / f"{make.__name__}.html"
            before = perf_counter()
            make_report(model, X, y, path, skill=skill)
            written = perf_counter()
            if make is example:
                draw(path)
            rows.append(
                {
                    "data": make.__name__,
                    "rows": len(X),
                    "regions": 1 if model.region is None else len(model.regions_),
                    "channels": len(model.media_),
                    "fit_seconds": round(fitted - start, 1),
                    "report_seconds": round(written - before, 1),
                    "megabytes": round(path.stat().st_size / 1e6, 1),
                    "open_seconds": round(seconds_to_open(path), 2),
                }
            )
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(HERE / "results" / "report.csv", index=False)


if __name__ == "__main__":
    main()
