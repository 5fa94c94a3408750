"""Tables of the scorecard about channel graphs, and what follows from them."""

from pathlib import Path

import pandas as pd
from scorecard_text import Table, number, ratio

RESULTS = Path(__file__).parent / "results"
GRAPH_CONTENDERS = {
    "skmmm": "skmmm",
    "skmmm notears": "skmmm, NOTEARS",
    "pcmci_plus": "PCMCI+",
    "dynotears": "DYNOTEARS",
    "dagma": "DAGMA",
    "varlingam": "VAR-LiNGAM",
    "deepcausalmmm": "DeepCausalMMM",
    "sortnregress": "sortnregress",
}
DOUBT_HEAD = [
    *("world", "regions", "edges", "true", "p ≥ .8", "true", "p .2 to .8", "true"),
    *("undecided", "no edge", "missed", "total effect", "direct known", "direct only"),
]
HAVE_INFLUENCE = "gauss", "hill"


def graph(path=RESULTS / "graph.csv"):
    """Return how near channel graphs are to the true ones."""
    table = read_graph(path)
    contenders = [c for c in GRAPH_CONTENDERS if c in set(table["contender"])]
    keys = ["world", "regions"]
    rows = []
    for (world, regions), group in table.groupby(keys, sort=False):
        parts = dict(list(group.groupby("contender")))
        most = group["seed"].nunique()
        cells = [near(parts[c], most) if c in parts else "" for c in contenders]
        rows.append([world, str(regions), str(most), *cells])
    return Table([*keys, "seeds", *(GRAPH_CONTENDERS[c] for c in contenders)], rows)


def read_graph(path=RESULTS / "graph.csv"):
    """Return the results of channel graphs, in which a world is called `null`."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def near(rows, most):
    """Return F1 and SHD of one contender as text, and seeds where there are fewer."""
    if rows["f1"].isna().all():
        return "failed"
    text = f"{rows['f1'].mean():.2f} / {rows['shd'].mean():.1f}"
    return text if len(rows) == most else f"{text} ({len(rows)})"


def doubt(path=RESULTS / "graph.csv"):
    """Return what skmmm says of its own graphs."""
    table = read_graph(path)
    ours = table[table["contender"] == "skmmm"]
    rows = [
        [world, str(regions), *doubts(group)]
        for (world, regions), group in ours.groupby(["world", "regions"], sort=False)
    ]
    return Table(DOUBT_HEAD, rows)


def doubts(rows):
    """Return what skmmm says per fit, and shares of it that are true, as text."""
    sums = rows.sum(numeric_only=True)
    found = (rows["true_share"] * rows["n_edges"]).sum()
    counts = [
        (sums["n_edges"], found),
        (sums["n_probable"], sums["probable_true"]),
        (sums["n_possible"], sums["possible_true"]),
    ]
    verdicts = ("n_undecided", "n_no_edge", "missed_as_no_edge")
    errors = ("total_error", "graph_error", "direct_error")
    fits = len(rows)
    return [
        *(text for n, true in counts for text in (f"{n / fits:.1f}", ratio(true, n))),
        *(f"{sums[name] / fits:.1f}" for name in verdicts),
        *(number(rows[name].mean()) for name in errors),
    ]


def influence_means(path=RESULTS / "influence.csv"):
    """Return the means of `bench_influence` over seeds, by world and graph."""
    groups = pd.read_csv(path).groupby(["world", "graph"], sort=False)
    means = groups.mean(numeric_only=True)
    means["seeds"], means["worst"] = groups.size(), groups["area"].min()
    return means


def influence(path=RESULTS / "influence.csv"):
    """Return whether what channels bring follows the graph that the model has."""
    scores = ["area", "worst", "area_all", "area_paths", "with_given", "with_other"]
    rows = [
        [world, graph, str(row["seeds"]), *(number(row[name]) for name in scores)]
        for (world, graph), row in influence_means(path)
        .astype({"seeds": object})
        .iterrows()
    ]
    return Table(
        [
            *("world", "graph", "seeds", "direct, edges", "worst seed", "all, edges"),
            *("all, paths", "with the graph given", "with the other"),
        ],
        rows,
    )
