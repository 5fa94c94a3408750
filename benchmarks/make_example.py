"""Regenerate the panel that `skmmm.datasets.load_mmm_example` reads.

Run as ``python benchmarks/make_example.py``. The files are written with a fixed time
stamp, so that running it again changes nothing.
"""

import gzip
from pathlib import Path

import numpy as np

from skmmm import datasets

MEDIA = ["tv", "radio", "paid_search", "online_video", "display", "social"]
CONTROLS = ["price", "holiday"]
CITIES = [
    "Berlin",
    "Bremen",
    "Cologne",
    "Dresden",
    "Frankfurt",
    "Graz",
    "Hamburg",
    "Leipzig",
    "Linz",
    "Munich",
    "Stuttgart",
    "Vienna",
]
DATA = Path(datasets.__file__).parent / "data"


def make_example():
    """Draw the panel.

    Returns
    -------
    frame : DataFrame of shape (1872, 11)
        Money in whole euros, price in cents.

    truth : DataFrame of shape (1872, 11)
        Region, week and true contributions, in tenths of a euro.
    """
    graph = np.zeros((len(MEDIA), len(MEDIA)))
    graph[MEDIA.index("tv"), MEDIA.index("paid_search")] = 0.3
    graph[MEDIA.index("online_video"), MEDIA.index("social")] = 0.25
    panel = datasets.make_mmm_panel(
        n_regions=len(CITIES),
        n_periods=156,
        n_media=len(MEDIA),
        n_controls=len(CONTROLS),
        media_share=0.3,
        noise=0.04,
        level=0.02,
        graph=graph,
        media_names=MEDIA,
        control_names=CONTROLS,
        region_names=CITIES,
        random_state=58,
    )
    whole = [*MEDIA, "holiday", "sales"]
    frame = panel.frame.round({"price": 2})
    frame[whole] = frame[whole].round().astype(np.int64)
    truth = frame[["region", "week"]].join(panel.contributions.round(1) + 0.0)
    return frame, truth


def write_gzipped_csv(table, path):
    """Write a table as gzipped CSV without a time stamp."""
    text = table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def main():
    """Write both files of the example."""
    frame, truth = make_example()
    write_gzipped_csv(frame, DATA / "mmm_example.csv.gz")
    write_gzipped_csv(truth, DATA / "mmm_example_truth.csv.gz")


if __name__ == "__main__":
    main()
