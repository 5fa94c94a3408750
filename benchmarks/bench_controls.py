"""Do the intervals of control_summary hold what controls do?

Panels with known truth (`skmmm.datasets.make_mmm_panel`): three regions with four
controls, and one region with two, 104 weeks and three channels each. Every second
control is like a price, the others like events. A row per control: the true effect of
one more unit on the KPI of a row, what control_summary says, and what the prediction
says of five percent less of the control (``drift``: by what share that differs from the
effect, which leaves out what the GRU reads from controls). Writes results/controls.csv.

    python benchmarks/bench_controls.py
"""

import warnings
from pathlib import Path

import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

WORLDS = {"three regions": (3, 4), "one region": (1, 2)}
SEEDS = range(14)
RESULTS = Path(__file__).parent / "results" / "controls.csv"


def run(world, seed):
    """Return the rows of one panel."""
    n_regions, n_controls = WORLDS[world]
    data = make_mmm_panel(
        n_regions, 104, n_media=3, n_controls=n_controls, random_state=seed
    )
    model = DeepCausalMMMRegressor(
        media=data.media,
        controls=data.controls,
        region="region",
        time="week",
        graph=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(data.X, data.y)
    table = model.control_summary()
    effect = data.parameters["control_effect"] * data.parameters["scale"].mean()
    table.insert(0, "truth", effect)
    table["covered"] = table["truth"].between(table["effect_low"], table["effect_high"])
    now = model.predict(data.X)
    for name in table.index:
        less = data.X.assign(**{name: 0.95 * data.X[name]})
        expected = (table["effect"][name] * (less[name] - data.X[name])).sum()
        found = (model.predict(less) - now).sum()
        table.loc[name, "drift"] = found / expected - 1.0
    table.insert(0, "seed", seed)
    table.insert(0, "world", world)
    return table.reset_index()


def main():
    """Run all panels and print what was covered."""
    table = pd.concat([run(world, seed) for world in WORLDS for seed in SEEDS])
    table.to_csv(RESULTS, index=False, float_format="%.5g")
    told = table["verdict"] == "data-driven"
    print(table.groupby("world")["covered"].agg(["sum", "size"]))
    print("covered", table["covered"].sum(), "of", len(table))
    print("data-driven", told.sum(), "covered", table.loc[told, "covered"].sum())
    print(table["drift"].abs().describe())


if __name__ == "__main__":
    main()
