"""Write the tables of README.md from the committed results.

python benchmarks/readme_tables.py
"""

import re
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
# SRMSE published for the same four tables (pymc-labs/mmm-param-recovery).
PUBLISHED = {
    "small": (0.41, 0.70),
    "growing": (0.44, 0.70),
    "medium": (0.15, 0.59),
    "large": (3.49, float("nan")),
}


FORECAST = """\
Forecasts of a real panel (190 regions, 13 channels of impressions; the next 13 weeks
from four origins): skill against the last observed value, 1 - wMAPE / wMAPE of the last
value. Pooled R² measures mostly the size of regions; published for a hold-out of their
own on this panel: .843 DeepCausalMMM, .903 PyMC-Marketing. The GRU moves nothing here,
so the first rows agree.

"""
RECOVERY = """\
Known truth: error of weekly channel contributions (SRMSE: RMSE over the true mean).
The first four are the tables of the public PyMC-Labs benchmark with its published
figures; the others are simulated. The last column is the share of channel totals
inside skmmm's 90 % interval.

"""


def forecast():
    """Return the table of rolling origins on the real panel."""
    table = pd.read_csv(HERE / "results" / "forecast_dma.csv")
    wide = table.pivot(index="model", columns="origin", values="skill")
    wide["mean"] = wide.mean(axis=1)
    last = table[table["origin"] == table["origin"].max()].set_index("model")
    wide["R2"] = last["pooled_r2"]
    head = [
        *(f"week {week}" for week in wide.columns[:-2]),
        "mean",
        "pooled R² at last",
    ]
    rows = [
        [name, *(f"{value:.2f}" for value in row[:-1]), f"{row.iloc[-1]:.4f}"]
        for name, row in wide.sort_values("mean", ascending=False).iterrows()
    ]
    return FORECAST + markdown(["model", *head], rows)


def recovery():
    """Return the table of recovered contributions."""
    table = pd.read_csv(HERE / "results" / "recovery.csv")
    srmse = table.pivot_table("srmse", "problem", "contender", sort=False)
    coverage = (
        table[table["contender"] == "skmmm"].groupby("problem")["coverage"].mean()
    )
    seeds = table.groupby("problem")["seed"].nunique()
    rows = []
    for problem, row in srmse.iterrows():
        pymc, meridian = PUBLISHED.get(problem, (float("nan"),) * 2)
        rows.append(
            [
                f"{problem} ({seeds[problem]} seeds)"
                if seeds[problem] > 1
                else problem,
                *(f"{row[name]:.2f}" for name in srmse.columns),
                "" if pymc != pymc else f"{pymc:.2f}",
                "failed"
                if problem == "large"
                else f"{meridian:.2f}".replace("nan", ""),
                f"{coverage[problem]:.2f}",
            ]
        )
    head = ["world", *srmse.columns, "PyMC-Marketing", "Meridian", "90 % covers"]
    return RECOVERY + markdown(head, rows)


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main():
    text = README.read_text()
    for name, table in (("forecast", forecast()), ("recovery", recovery())):
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, rf"\g<1>{table}\n\g<2>", text, flags=re.DOTALL)
    README.write_text(text)


if __name__ == "__main__":
    main()
