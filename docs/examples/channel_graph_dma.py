"""Which channel drives which on a real panel, and what that does to returns.

The panel of the DeepCausalMMM repository: 190 regions, 109 weeks, 13 channels of
impressions. It is not part of this package. Run::

    python docs/examples/channel_graph_dma.py PANEL.csv.gz
"""

import sys

import pandas as pd

from skmmm import DeepCausalMMMRegressor


def fit(data, **parameters):
    """Fit the panel, with short names for its channels."""
    short = {c: "_".join(c.split("_")[1:3]).lower() for c in data if "Channel" in c}
    data = data.rename(columns=short)
    model = DeepCausalMMMRegressor(
        media=list(short.values()),
        controls=[c for c in data if c.startswith("control")],
        region="dmacode",
        time="weekid",
        random_state=0,
        **parameters,
    )
    return model.fit(data.drop(columns="target_visits"), data["target_visits"])


def main(path):
    """Print graph, undecided pairs and direct beside total returns."""
    model = fit(pd.read_csv(path))
    graph = model.channel_graph()
    print(graph)
    pairs = graph.pairs
    print("\nundecided:")
    undecided = pairs[pairs["verdict"] == "undecided"]
    columns = ["parent", "child", "probability"]
    print(undecided[columns].to_string(index=False))
    direct = model.channel_summary()
    total = model.channel_summary(effect="total")
    print("\nKPI units per thousand impressions, direct and total:")
    table = 1000 * pd.DataFrame(
        {
            "direct": direct["roi"],
            "direct_low": direct["roi_low"],
            "direct_high": direct["roi_high"],
            "total": total["roi"],
            "total_low": total["roi_low"],
            "total_high": total["roi_high"],
        }
    )
    print(table.assign(verdict=direct["verdict"]).to_string(float_format="%.3g"))


if __name__ == "__main__":
    main(sys.argv[1])
