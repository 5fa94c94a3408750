"""Does influence follow the channel graph, in the fitted model and not only in a table?

Graph neural mix models can forecast well and ignore their graph [1]_. Here the model is
fitted to panels of `graph_worlds.py` with a KPI, and asked: if the spend of channel i
is raised by a tenth, how does what every other channel brings move? Influence
``[i, j]`` is the change of j's contribution with effect="total", over that for a tenth
more of j's own spend; `direct_influence` takes what runs through third channels out.

Then the graph is swapped for another, the same with channels renamed at random, and
the question asked again: influence must follow the graph that it is given.

Writes results/influence.csv, one row per world, regions, seed and graph ("own" or
"swapped"):

- area_all, area: area under precision and recall of influence, and of its direct part,
  against the true edges; chance: the share of pairs that are edges
- area_paths: of all influence against pairs that a path of true edges joins
- with_given, with_other: correlation over pairs of direct influence with the weights of
  the graph that the model has, and of the one that it does not have
- n_edges: edges of the graph that the model has

    python benchmarks/bench_influence.py --worlds gauss,hill --seeds 500-504

References
----------
.. [1] arXiv 2606.12687.
"""

import argparse
import copy
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from bench_recovery import read_seeds, write
from graph_worlds import make_graph_world
from sklearn.metrics import average_precision_score

from skmmm import DeepCausalMMMRegressor

RESULTS = Path(__file__).parent / "results"
WORLDS = ("gauss", "hill")
RAISE = 0.1
# KPI without media and its noise; a channel brings at most .2 to 1 (`direct`).
BASE, NOISE = 10.0, 0.2
COLUMNS = [
    *("world", "regions", "seed", "graph", "area_all", "area", "area_paths", "chance"),
    *("with_given", "with_other", "n_edges", "seconds"),
]


def make_table(world):
    """Return a panel of spend with a KPI, and its channels.

    Every channel's spend is brought to the same usual size in every region, so that
    channels can be renamed; its effect on the KPI saturates.
    """
    spend = np.exp(world.log_spend - world.log_spend.mean(axis=1, keepdims=True))
    X, channels = world.frame()
    X[channels] = spend.reshape(-1, len(channels))
    rng = np.random.default_rng([world.seed, *spend.shape])
    media = (spend / (1.0 + spend)) @ world.direct
    kpi = BASE + media + NOISE * rng.standard_normal(media.shape)
    return X, pd.Series(kpi.ravel(), name="kpi"), channels


def influence(model, X):
    """Return how what channels bring answers to others' spend, (n_media, n_media).

    ``[i, j]``: change of j's contribution if i's spend is raised and channels react,
    over that if j's own spend is raised as much; 1 on the diagonal.
    """
    effects = model.effects(X)
    channels = list(model.media_)
    now = effects.contributions()[channels].sum().to_numpy()
    change = np.zeros((len(channels), len(channels)))
    for i in range(len(channels)):
        multiples = np.ones((len(channels), 1))
        multiples[i] += RAISE
        raised = effects.counterfactual("total").planned_rows(multiples)
        change[i] = model.contributions(raised)[channels].sum().to_numpy() - now
    own = np.diag(change)
    found = change / np.where(own > 0, own, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


def direct_influence(influence):
    """Return the part of influence that runs through no third channel.

    If ``B`` holds direct influence, ``I + B + B B + ... = (I - B)^-1`` holds that over
    all paths.

    References
    ----------
    .. [1] Feizi, Marbach, Médard, Kellis (2013). Network Deconvolution as a General
       Method to Distinguish Direct Dependencies in Networks. Nature Biotechnology 31.
    """
    direct = np.eye(len(influence)) - np.linalg.inv(influence)
    np.fill_diagonal(direct, 0.0)
    return direct


def swapped(model, order):
    """Return the model with another graph: channel j takes the place of order[j]."""
    own = model._graph  # the outcome equation is fitted without it
    both = np.ix_(order, order)

    def renamed(equations):
        draws = np.ix_(range(equations.n_draws), order, order)
        return replace(
            equations,
            unit=equations.unit[:, order],
            centre=equations.centre[:, order],
            width=equations.width[order],
            straight=equations.straight[:, order],
            same=equations.same[draws],
            late=equations.late[draws],
            own=equations.own[:, order],
        )

    other = copy.copy(model)
    other._graph = replace(
        own,
        **{
            name: getattr(own, name)[both]
            for name in ("weight", "same", "probability", "verdict")
        },
        absorbed=own.absorbed[order],
        link=own.link[order],
        equations=renamed(own.equations),
        draws=renamed(own.draws),
    )
    return other


def paths(edges):
    """Return which pairs a path of edges joins."""
    reach = edges | np.eye(len(edges), dtype=bool)
    for _ in range(len(edges).bit_length()):
        reach = reach @ reach
    return reach


def scores(model, other, X, edges):
    """Return the scores of a model that does not have the graph of another."""
    total = influence(model, X)
    direct = direct_influence(total)
    given, not_given = (m.channel_graph().weights.to_numpy() for m in (model, other))
    pairs = ~np.eye(len(edges), dtype=bool)

    def area(truth, size):
        return average_precision_score(truth[pairs], np.abs(size[pairs]))

    def agreement(weights):
        both = direct[pairs], weights[pairs]
        return np.corrcoef(*both)[0, 1] if all(map(np.any, both)) else np.nan

    return {
        "area_all": area(edges, total),
        "area": area(edges, direct),
        "area_paths": area(paths(edges), total),
        "chance": edges[pairs].mean(),
        "with_given": agreement(given),
        "with_other": agreement(not_given),
        "n_edges": np.count_nonzero(given),
    }


def run_problem(name, n_regions, seed, sizes=None, **options):
    """Return two rows: the model with its own graph, and with another."""
    world = make_graph_world(name, n_regions, seed, **(sizes or {}))
    X, kpi, channels = make_table(world)
    settings = {"media_cost": 1.0, "n_draws": 0, "random_state": 0} | options
    model = DeepCausalMMMRegressor(
        media=channels, region="region", time="week", **settings
    )
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, kpi)
    seconds = time.perf_counter() - start
    order = np.random.default_rng(seed).permutation(len(channels))
    other = swapped(model, order)
    keys = {"world": name, "regions": n_regions, "seed": seed, "seconds": seconds}
    return [
        keys | {"graph": "own"} | scores(model, other, X, world.edges),
        keys | {"graph": "swapped"} | scores(other, model, X, world.edges),
    ]


def summarise(table):
    """Return means by world, regions and graph."""
    groups = table.groupby(["world", "regions", "graph"], sort=False)
    means = groups[COLUMNS[4:]].mean()
    means.insert(0, "seeds", groups.size())
    means.insert(1, "worst", groups["area"].min())
    return means


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", default=",".join(WORLDS), help="names, by comma")
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--seeds", type=read_seeds, default=range(500, 505))
    parser.add_argument("--out", type=Path, default=RESULTS / "influence.csv")
    options = parser.parse_args()
    rows = []
    for world in options.worlds.split(","):
        for seed in options.seeds:
            rows += run_problem(world, options.regions, seed)
            table = pd.DataFrame(rows, columns=COLUMNS)
            write(table, options.out)
            print(table.tail(2).round(3).to_string(header=seed == options.seeds[0]))
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
