"""Is television credited with the searches it causes?

The funnel world (`problems.make_funnel`): a third of what television causes runs
through search. Error of television's contribution against what it causes in total, if
search is taken for an ordinary channel and through the learned graph; and of its direct
effect against the direct truth, which is the part the outcome model has in it. Writes
results/funnel.csv.

    python benchmarks/bench_funnel.py
"""

import warnings
from pathlib import Path

import pandas as pd
from problems import WORLDS

from skmmm import DeepCausalMMMRegressor
from skmmm.graph import StructuralVAR

SEEDS = range(100, 110)
RESULTS = Path(__file__).parent / "results" / "funnel.csv"


def run(seed):
    """Return the errors of one seed."""
    world = WORLDS["funnel"](seed)
    model = DeepCausalMMMRegressor(
        **world.roles,
        media_cost=1.0,
        graph=StructuralVAR(tiers=[["tv"], ["search"]]),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(world.X, world.y)
    direct = model.channel_summary().loc["tv"]
    total = model.channel_summary(effect="total").loc["tv"]
    truth = world.total_truth["tv"].sum()
    return {
        "seed": seed,
        "edge": model.channel_graph().verdict.loc["tv", "search"],
        "ordinary_channel": direct["contribution"] / truth - 1,
        "total": total["contribution"] / truth - 1,
        "covered": total["contribution_low"] <= truth <= total["contribution_high"],
        "direct": direct["contribution"] / world.truth["tv"].sum() - 1,
    }


def main():
    """Run all seeds and print the means."""
    table = pd.DataFrame([run(seed) for seed in SEEDS])
    table.to_csv(RESULTS, index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.2f"))
    print(table.mean(numeric_only=True).to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
