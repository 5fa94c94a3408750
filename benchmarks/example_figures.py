"""Regenerate the tables and pictures that pages of the documentation show.

Run as ``python benchmarks/example_figures.py`` after a change of the model or of the
bundled example. Tables go to ``docs/figures``, pictures to ``docs/images``. Those of
the examples whose data are not part of the package are drawn if the data are there
(``../shared/data``, or the folder in the environment variable ``SKMMM_DATA``), and
otherwise left as they are.
"""

import os
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.inspection import block_stability, refresh_stability
from skmmm.plotting import ReturnsDisplay

ROOT = Path(__file__).resolve().parents[1]
TABLES, IMAGES = ROOT / "docs" / "figures", ROOT / "docs" / "images"
OPTIONAL = {
    "show_11_robyn_sample": ("robyn_weekly.csv.gz", ["verdicts", "fit", "returns"]),
    "show_12_dma_panel": ("dma_panel.csv.gz", ["verdicts", "fit", "regions", "graph"]),
}


def fit_example():
    """Fit the bundled example as all pages do."""
    data = load_mmm_example()
    model = DeepCausalMMMRegressor(
        media=data.media,
        controls=data.controls,
        region="region",
        time="week",
        media_cost=1.0,
        random_state=0,
    ).fit(data.X, data.y)
    return data, model


def as_rst(table, formats):
    """A table as reStructuredText, its index first; a format per column."""
    head = [table.index.name, *formats]
    rows = [
        [str(name), *(form.format(row[column]) for column, form in formats.items())]
        for name, row in table.iterrows()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)

    def line(cells):
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]
        return "  ".join(padded).rstrip()

    return "\n".join([rule, line(head), rule, *map(line, rows), rule]) + "\n"


def write(name, text):
    """Write one file of ``docs/figures``."""
    (TABLES / name).write_text(text, encoding="utf-8")


def write_summary(data, model):
    """What the home page and the first steps print."""
    summary = model.channel_summary()
    columns = ["contribution", "roi", "roi_low", "roi_high", "verdict"]
    write("summary.txt", summary[columns].round(2).to_string() + "\n")
    formats = dict.fromkeys(["true ROI", "roi", "roi_low", "roi_high"], "{:.2f}")
    table = summary.assign(**{"true ROI": data.roi})
    write("truth.txt", as_rst(table, {**formats, "verdict": "{}"}))
    returns = dict.fromkeys(["roi", "mroi"], "{:.2f}")
    write("returns.txt", as_rst(summary, returns))


def write_contributions(data, model):
    """What the page on contributions quotes."""
    last = data.X["week"] > data.X["week"].max() - pd.Timedelta(weeks=13)
    quarter = model.channel_summary(data.X[last])
    quarter["caused"] = quarter["roi"] * quarter["spend"]
    names = ["spend", "contribution", "caused"]
    write("quarter.txt", as_rst(quarter, dict.fromkeys(names, "{:,.0f}")))
    summary = model.channel_summary()
    total = model.channel_summary(effect="total")["contribution"]
    both = summary[["contribution"]].set_axis(["direct"], axis=1).assign(total=total)
    write("effects.txt", as_rst(both, dict.fromkeys(both, "{:,.0f}")))
    bounds = summary[["contribution_low", "contribution", "contribution_high"]]
    write("bounds.txt", as_rst(bounds, dict.fromkeys(bounds, "{:,.0f}")))
    curve = model.response_curve("tv", effect="total")
    print(f"tv, total, against no spend: {curve.current_incremental:,.0f}")


def write_stability(data, model):
    """How far returns move without a block of weeks, and as weeks come in."""
    blocks = block_stability(model, data.X, data.y, n_blocks=5)
    refreshes = refresh_stability(model, data.X, data.y, n_refreshes=3)
    print(blocks, refreshes, sep="\n")


def write_plans(model):
    """What the page on planning quotes."""
    plan = model.optimize_budget(horizon=13)
    write("plan_message.txt", plan.message + "\n")
    formats = {"spend": "{:,.0f}"}
    formats |= dict.fromkeys(["change", "roi", "mroi"], "{:.2f}")
    write("plan.txt", as_rst(plan.allocation, {**formats, "reason": "{}"}))
    future = model.make_future_frame(13, control_values="last_year")
    table = model.compare_scenarios(
        {
            "as last year": future,
            "tv +20 %": future.assign(tv=1.2 * future["tv"]),
            "planned": plan.X,
        }
    )
    names = ["difference", "difference_low", "difference_high", "difference_spend"]
    write("scenarios.txt", as_rst(table, dict.fromkeys(names, "{:,.0f}")))


def save_figures(names):
    """Save all open figures in their order, and close them."""
    for number, name in zip(plt.get_fignums(), names, strict=True):
        figure = plt.figure(number)
        figure.savefig(IMAGES / f"{name}.png", dpi=100, metadata={"Software": None})
    plt.close("all")


def draw_optional(folder):
    """Run the examples whose data may be missing, and keep their pictures."""
    for stem, (table, pictures) in OPTIONAL.items():
        if not (folder / table).exists():
            print(f"{table} is not here: its pictures stay as they are.")
            continue
        os.environ["SKMMM_DATA"] = str(folder)
        runpy.run_path(str(ROOT / "docs" / "examples" / f"{stem}.py"))
        prefix = stem.split("_")[2]
        save_figures([f"{prefix}_{picture}" for picture in pictures])


def main():
    """Write everything."""
    matplotlib.use("Agg")
    data, model = fit_example()
    write_summary(data, model)
    ReturnsDisplay.from_estimator(model, returns="both", kpi_name="euros of sales")
    save_figures(["example_returns"])
    write_contributions(data, model)
    write_plans(model)
    write_stability(data, model)
    draw_optional(Path(os.environ.get("SKMMM_DATA", ROOT.parent / "shared" / "data")))


if __name__ == "__main__":
    main()
