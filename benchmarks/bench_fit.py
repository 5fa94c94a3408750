"""How do seconds and memory of one fit grow with rows and channels?

Every fit (all defaults, intervals included) runs in a process of its own on a simulated
panel. Writes results/fit.csv and prints the growth exponent of time against rows.

    python benchmarks/bench_fit.py
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
PANEL = HERE.parents[1] / "shared" / "data" / "dma_panel.csv.gz"
# regions, weeks, channels
SHAPES = [
    (1, 100, 6),
    (1, 156, 6),
    (4, 156, 6),
    (10, 156, 6),
    (32, 156, 6),
    (64, 156, 6),
    (200, 156, 6),
    (640, 156, 6),
    (32, 156, 12),
    (32, 156, 25),
    (32, 156, 50),
]


def one(shape, n_workers=1):
    """Fit one panel and print seconds, peak memory and iterations as JSON.

    On so many processes; `peak_gb` and `cpu_seconds` are of this one, `worker_peak_gb`
    of the largest of the others.
    """
    from skmmm import DeepCausalMMMRegressor
    from skmmm.datasets import make_mmm_panel
    from skmmm.distributed import region_workers

    if shape == "dma":
        data = pd.read_csv(PANEL)
        media = [c for c in data if c.startswith("impressions")]
        controls = [c for c in data if c.startswith("control")]
        X, y = data.drop(columns="target_visits"), data["target_visits"]
        roles = {"region": "dmacode", "time": "weekid"}
    else:
        n_regions, n_periods, n_media = shape
        world = make_mmm_panel(n_regions, n_periods, n_media=n_media, random_state=0)
        X, y, media, controls = world.X, world.y, world.media, world.controls
        roles = {"region": "region", "time": "week"}
    estimator = DeepCausalMMMRegressor(
        media=media, controls=controls, random_state=0, **roles
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with region_workers(n_workers):
        started, computed = time.perf_counter(), time.process_time()
        estimator.fit(X, y)
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - computed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker_peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result = {
        "panel": "dma" if shape == "dma" else "simulated",
        "rows": len(X),
        "regions": len(estimator.regions_),
        "channels": len(media),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "iterations": estimator.n_iter_,
        "peak_gb": round(peak / 1e6, 2),
        "gb_before_fit": round(before / 1e6, 2),
        "worker_peak_gb": round(worker_peak / 1e6, 2),
    }
    print(json.dumps(result))


def main():
    shapes = [*SHAPES, "dma"] if PANEL.exists() else SHAPES
    rows = []
    for shape in shapes:
        command = [sys.executable, __file__, json.dumps(shape)]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(output.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(HERE / "results" / "fit.csv", index=False)
    growing = table[(table["channels"] == 6) & (table["rows"] >= 1000)]
    per_iteration = growing["seconds"] / growing["iterations"]
    for name, values in (("fit", growing["seconds"]), ("iteration", per_iteration)):
        exponent = np.polyfit(np.log(growing["rows"]), np.log(values), 1)[0]
        print(f"seconds per {name} grow as rows ** {exponent:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(*map(json.loads, sys.argv[1:]))
    else:
        main()
