"""Is the channel graph found, and its doubt honest, where the graph is known?

Problems: the worlds of `graph_worlds.py`, and "localconf with proxy", in which skmmm
gets an observed measure of the hidden local demand as a control and the others log
spend that it is regressed out of. Contenders: skmmm, skmmm that searches by continuous
optimisation, and `graph_rivals.py`. Writes one row per world, regions, seed and
contender into results/graph.csv. Rows that are not run again stay, so that contenders
which need an environment of their own (requirements-graph.txt) can be added later, and
so do the rows of another such table, with `--merge`. Do not run two at a time into the
same file.

- f1, shd, auroc: see `graph_scores.py`
- n_edges: edges returned; true_share: how many of them are true
- n_probable, n_possible: pairs with a probability of .8 or more, of .2 to .8;
  probable_true, possible_true: how many of them are edges, as numbers
- n_undecided, n_no_edge: pairs with that verdict; missed_as_no_edge: true edges among
  the latter
- total_error: error of what a lasting rise of a channel's spend brings if its children
  react as the graph says, over the true value; direct_error: the same if they do not
  react. With more than one region, in gauss and hill. The mean is over channels whose
  true value is more than a fifth of the median channel's: where direct effect and
  reactions cancel, a relative error says nothing. graph_error: the part that the graph
  has in it, with direct effects known instead of estimated from a noisy KPI.
- seconds: of the fit alone, with 20 resamples, on one thread

`--timing` writes results/graph_seconds.csv instead.

    python benchmarks/bench_graph.py --worlds gauss,null --regions 20 --seeds 200-201
"""

import argparse
import multiprocessing
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import graph_rivals
import numpy as np
import pandas as pd
import threadpoolctl
import torch
from bench_recovery import read_seeds, write
from graph_scores import auroc, f1, shd
from graph_worlds import WORLDS, make_graph_world

from skmmm.graph._estimate import VERDICTS, fit_channel_graph
from skmmm.graph._notears import search_notears
from skmmm.graph._rules import Rules
from skmmm.graph._search import search

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PANEL = HERE.parents[1] / "shared" / "data" / "dma_panel.csv.gz"
WITH_PROXY = " with proxy"
PROBLEMS = (*WORLDS, "localconf" + WITH_PROXY)
HAVE_TOTALS = "gauss", "hill"
KEYS = ["world", "regions", "seed", "contender"]
SCORES = [
    *("f1", "shd", "auroc", "n_edges", "true_share"),
    *("n_probable", "probable_true", "n_possible", "possible_true"),
    *("n_undecided", "n_no_edge", "missed_as_no_edge"),
    *("total_error", "graph_error", "direct_error"),
]
COLUMNS = [*KEYS, *SCORES, "seconds", "error"]
# Imported before the clock starts; a contender without them cannot run.
PACKAGES = {
    "pcmci_plus": ("tigramite.pcmci", "tigramite.independence_tests.parcorr"),
    "varlingam": ("lingam", "lingam.utils"),
    "dagma": ("dagma.linear",),
    "deepcausalmmm": ("deepcausalmmm.core", "deepcausalmmm.core.trainer"),
}
N_LAGS = 2
N_BOOTSTRAPS = 20
MIN_EFFECT = 0.0075
WEEKS_A_YEAR = 52.18
PROBABLE, POSSIBLE = 0.8, 0.2
RAISE = 0.1
SETTLED = 20
# A KPI's noise over the part of media, both within regions.
NOISE = 0.5


# --- contenders: log spend and perhaps a proxy of demand in, edges, scores and perhaps
# --- a `FittedGraph` out --------------------------------------------------------------


def fit_skmmm(log_spend, proxy, seed, find=search):
    """Return edges, probabilities and the graph."""
    n_regions, n_weeks, _ = log_spend.shape
    if proxy is None:
        controls = np.zeros((n_regions, n_weeks, 0))
    else:
        controls = proxy[..., None]
    observed = np.ones((n_regions, n_weeks), dtype=bool)
    graph = fit_graph(np.exp(log_spend), controls, observed, seed, find)
    return graph.edges, graph.probability, graph


def fit_graph(media, controls, observed, seed, find=search):
    """Return the `FittedGraph` of a weekly panel without prior knowledge."""
    n_weeks, n_channels = media.shape[1:]
    rules = Rules(
        allowed=~np.eye(n_channels, dtype=bool),
        required=np.zeros((n_channels, n_channels), dtype=bool),
        min_effect=MIN_EFFECT,
    )
    angle = 2 * np.pi / WEEKS_A_YEAR * np.arange(1, 4)[:, None] * np.arange(n_weeks)
    season = np.concatenate([np.sin(angle), np.cos(angle)])
    return fit_channel_graph(
        media,
        controls,
        observed,
        season,
        rules,
        n_lags=N_LAGS,
        n_bootstraps=N_BOOTSTRAPS,
        rng=np.random.RandomState(seed),
        find=find,
    )


def fit_rival(rival, log_spend, proxy, seed):
    """Return edges and scores of a contender of `graph_rivals.py`."""
    if proxy is not None:
        log_spend = without(log_spend, proxy)
    return *rival(log_spend), None


def without(log_spend, proxy):
    """Regress a proxy of this week and the two before out of log spend.

    Parameters
    ----------
    log_spend : ndarray of shape (n_regions, n_weeks, n_channels)
    proxy : ndarray of shape (n_regions, n_weeks)

    Returns
    -------
    log_spend : ndarray of shape (n_regions, n_weeks, n_channels)
        Less region and week effects too, which contenders take out anyway.
    """
    centred = proxy - proxy.mean(axis=1, keepdims=True)
    past = np.zeros((*proxy.shape, N_LAGS + 1))
    for lag in range(N_LAGS + 1):
        past[:, lag:, lag] = centred[:, : proxy.shape[1] - lag]
    past, panel = graph_rivals.demeaned(past), graph_rivals.demeaned(log_spend)
    coef, *_ = np.linalg.lstsq(np.vstack(past), np.vstack(panel), rcond=None)
    return panel - past @ coef


CONTENDERS = {
    "skmmm": fit_skmmm,
    "skmmm notears": partial(fit_skmmm, find=search_notears),
    **{
        name: partial(fit_rival, rival)
        for name, rival in graph_rivals.CONTENDERS.items()
    },
}


# --- scores --------------------------------------------------------------------------


def scores(world, edges, likely, graph=None):
    """Compare a graph with the true one.

    Parameters
    ----------
    world : GraphWorld
    edges, likely : ndarray of shape (n_channels, n_channels)
        Edges, and scores by which pairs are ranked.
    graph : FittedGraph, default=None

    Returns
    -------
    scores : dict
        One entry per name in SCORES, NaN where it does not apply.
    """
    truth, n_edges = world.edges, int(edges.sum())
    row = dict.fromkeys(SCORES, np.nan) | {
        "f1": f1(edges, truth),
        "shd": shd(edges, truth),
        "auroc": auroc(likely, truth),
        "n_edges": n_edges,
        "true_share": (edges & truth).sum() / n_edges if n_edges else np.nan,
    }
    if graph is not None:
        row |= _doubt(graph, truth)
        if world.name in HAVE_TOTALS and len(world.log_spend) > 1:
            row |= _effect_errors(world, graph)
    return row


def _doubt(graph, truth):
    """Scores of what a graph says of its own certainty."""
    pairs = ~np.eye(len(truth), dtype=bool)
    probable = pairs & (graph.probability >= PROBABLE)
    possible = pairs & (graph.probability >= POSSIBLE) & ~probable
    _, no_edge, undecided = VERDICTS
    ruled_out = graph.verdict == no_edge
    return {
        "n_probable": probable.sum(),
        "probable_true": (probable & truth).sum(),
        "n_possible": possible.sum(),
        "possible_true": (possible & truth).sum(),
        "n_undecided": (graph.verdict == undecided).sum(),
        "n_no_edge": ruled_out.sum(),
        "missed_as_no_edge": (ruled_out & truth).sum(),
    }


def _effect_errors(world, graph):
    direct = estimate_direct(world)
    total, exact = (
        total_effects(world.spend, graph.equations, effects)
        for effects in (direct, world.direct)
    )
    size = np.abs(world.total)
    clear = size > 0.2 * np.median(size)

    def error(estimate):
        return np.mean((np.abs(estimate - world.total) / size)[clear])

    return {
        "total_error": error(total),
        "graph_error": error(exact),
        "direct_error": error(direct),
    }


def estimate_direct(world):
    """Simulate a KPI and regress it on log spend, with region and week effects.

    The KPI is the sum of direct effects, a region effect, and noise.

    Returns
    -------
    direct : ndarray of shape (n_channels,)
        KPI units per unit of log spend.
    """
    n_regions, _, n_channels = world.log_spend.shape
    rng = np.random.default_rng([world.seed, n_regions])
    part = world.log_spend @ world.direct
    within = (part - part.mean(axis=1, keepdims=True)).std()
    noise = NOISE * within * rng.standard_normal(part.shape)
    kpi = part + within * rng.standard_normal((n_regions, 1)) + noise
    both = np.concatenate([world.log_spend, kpi[..., None]], axis=2)
    both = both - both.mean(axis=1, keepdims=True)
    both = (both - both.mean(axis=0)).reshape(-1, n_channels + 1)
    return np.linalg.lstsq(both[:, :-1], both[:, -1], rcond=None)[0]


def total_effects(spend, equations, direct):
    """Return what a lasting rise of each channel brings if its children react.

    Parameters
    ----------
    spend : ndarray of shape (n_regions, n_weeks, n_channels)
    equations : SpendEquations
        One draw.
    direct : ndarray of shape (n_channels,)
        KPI units per unit of log spend.

    Returns
    -------
    total : ndarray of shape (n_channels,)
        KPI units per week and unit of log spend, as ``GraphWorld.total``.
    """
    total = np.empty(len(direct))
    for i in range(len(direct)):
        raised = equations.react(spend, spend[:, :, i] * np.exp(RAISE), i)[0]
        with np.errstate(divide="ignore"):  # where spend falls to zero
            change = np.log(raised / spend)[:, SETTLED:].mean(axis=(0, 1))
        total[i] = change @ direct / RAISE
    return total


# --- the run -------------------------------------------------------------------------


def run_problem(problem, n_regions, seed, contenders):
    """Return one row per contender that can take the problem."""
    world = make_graph_world(problem.removesuffix(WITH_PROXY), n_regions, seed)
    proxy = world.proxy if problem.endswith(WITH_PROXY) else None
    keys = {"world": problem, "regions": n_regions, "seed": seed}
    return [
        {**keys, "contender": contender, **run_contender(contender, world, proxy)}
        for contender in contenders
        # It takes spend as it is, of which nothing can be regressed out.
        if not (contender == "deepcausalmmm" and proxy is not None)
    ]


def run_contender(contender, world, proxy=None):
    """Return seconds and scores, or the error of a contender that fails."""
    for package in PACKAGES.get(contender, ()):
        import_module(package)
    try:
        with threadpoolctl.threadpool_limits(1):
            started = time.perf_counter()
            found = CONTENDERS[contender](world.log_spend, proxy, world.seed)
            seconds = time.perf_counter() - started
        return scores(world, *found) | {"seconds": seconds}
    except Exception as error:  # one failure must not end the night's run
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


def run(tasks, contenders, out, jobs):
    """Run all tasks, triples of world, regions and seed; merge rows after each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        futures = {pool.submit(run_problem, *task, contenders): task for task in tasks}
        for k, future in enumerate(as_completed(futures), start=1):
            table = merge(out, future.result())
            problem, n_regions, seed = futures[future]
            print(
                f"{k} of {len(tasks)}: {problem}, {n_regions} regions, seed {seed}",
                flush=True,
            )
    return table


def merge(out, rows):
    """Put rows into the table of a file, in place of those with the same keys.

    Parameters
    ----------
    out : Path
    rows : list of dict, or DataFrame

    Returns
    -------
    table : DataFrame
        By world, regions and seed, contenders in the order of CONTENDERS.
    """
    table = pd.DataFrame(rows, columns=COLUMNS)
    if out.exists():
        table = pd.concat([read(out).astype(object), table.astype(object)])
        table = table.drop_duplicates(KEYS, keep="last").infer_objects()
    for key, order in (("world", PROBLEMS), ("contender", CONTENDERS)):
        table[key] = pd.Categorical(table[key], list(order))
    table = table.sort_values(KEYS, ignore_index=True)
    table = table.astype({"world": str, "contender": str})
    write(table, out)
    return table


def read(path):
    """Return a table of results; "null" is a world."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def summarise(table):
    """Return means over seeds by world, regions and contender."""
    groups = table.groupby(["world", "regions", "contender"], sort=False)
    means = groups[[*SCORES, "seconds"]].mean()
    means.insert(0, "seeds", groups.size())
    return means


# --- seconds -------------------------------------------------------------------------


def time_fits(out):
    """Time skmmm on a panel as large as the real one, on that, and on many channels."""
    rows = []
    for name, (media, controls, observed) in panels():
        with threadpoolctl.threadpool_limits(1):
            started = time.perf_counter()
            graph = fit_graph(media, controls, observed, seed=0)
            seconds = time.perf_counter() - started
        sizes = dict(zip(("regions", "weeks", "channels"), media.shape, strict=True))
        row = {"panel": name, **sizes, "controls": controls.shape[2]}
        row |= {"seconds": round(seconds, 2), "n_edges": int(graph.edges.sum())}
        rows.append(row)
        print(row, flush=True)
        write(pd.DataFrame(rows), out)


def panels():
    """Yield names, and media, controls and observed cells, of panels to time."""
    yield "gauss", _simulated(190, n_channels=13, n_edges=20)
    if PANEL.exists():
        yield "dma", read_panel(PANEL)
    yield "gauss", _simulated(50, n_channels=50, n_edges=75)


def _simulated(n_regions, **sizes):
    spend = make_graph_world("gauss", n_regions, 200, **sizes).spend
    return spend, np.zeros((*spend.shape[:2], 0)), np.ones(spend.shape[:2], dtype=bool)


def read_panel(path):
    """Return media, controls and observed cells of the real panel."""
    data = pd.read_csv(path)
    grid = pd.MultiIndex.from_product(
        [np.sort(data["dmacode"].unique()), np.sort(data["weekid"].unique())]
    )
    data = data.set_index(["dmacode", "weekid"]).reindex(grid)
    shape = grid.levshape
    observed = data["target_visits"].notna().to_numpy().reshape(shape)

    def block(prefix):
        columns = [c for c in data if c.startswith(prefix)]
        return data[columns].fillna(0.0).to_numpy().reshape(*shape, -1)

    return block("impressions"), block("control"), observed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", help="names, by comma; all if not given")
    parser.add_argument("--regions", default="1,20,190", help="numbers, by comma")
    parser.add_argument("--seeds", type=read_seeds, default=range(200, 210))
    parser.add_argument(
        "--contenders",
        help="names, by semicolon; those that are installed if not given",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "graph.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--merge", type=Path, help="put in the rows of this table only")
    parser.add_argument("--timing", action="store_true", help="seconds of skmmm only")
    options = parser.parse_args()
    if options.timing:
        time_fits(RESULTS / "graph_seconds.csv")
        return

    if options.merge:
        merge(options.out, read(options.merge))
        return

    worlds = options.worlds.split(",") if options.worlds else PROBLEMS
    contenders = installed = [c for c in CONTENDERS if _installed(c)]
    if options.contenders:
        contenders = [name.strip() for name in options.contenders.split(";")]
    if unknown := {*worlds} - {*PROBLEMS} | {*contenders} - {*installed}:
        parser.error(f"unknown or not installed: {', '.join(sorted(unknown))}")
    tasks = [
        (world, int(n_regions), seed)
        for world in worlds
        for n_regions in options.regions.split(",")
        for seed in options.seeds
    ]
    means = summarise(run(tasks, contenders, options.out, options.jobs))
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(means.round(3).to_string())


def _installed(contender):
    """Whether the packages of a contender are there."""
    packages = PACKAGES.get(contender, ())
    return all(find_spec(package.split(".")[0]) for package in packages)


if __name__ == "__main__":
    main()
