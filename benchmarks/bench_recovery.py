"""Does the model find what each channel caused, in worlds where that is known?

Problems: the worlds of `problems.py`, and the public tables where present.
Contenders: skmmm, skmmm that does not know that the columns are money, skmmm without
its GRU, the linear MMM, and, in `shape_oracle.py`, an oracle that knows all shapes and
learns sizes only, and one that knows only the families of the shapes (in worlds whose
families are written down). Models with another form of carry-over ("skmmm, geometric",
"delayed", "free" and "gru") run when they are asked for; results/adstocks.csv is
theirs. Writes results/recovery.csv, one row per world, seed and contender, anew after
each problem.

- srmse: RMSE of a channel's weekly contribution over its true mean, averaged over
  channels and regions
- total_error, max_error: median and maximum over channels of the relative error of the
  total contribution
- bias: sum of all contributions over the true sum, minus 1
- coverage: share of channel totals inside the 90 % interval; covered, channels: the
  same as numbers
- flagged: 1 if an alarm rang for the channel whose spend follows the KPI, else 0; in
  `exogenous`, where that channel's spend follows another shop's KPI, a false alarm
- alarms: channels for which one rang
- data_driven, prior_driven, not_identified: channels with that verdict
- honest: channels whose interval misses the truth although the verdict is data-driven
  and no alarm rang; zero is what an honest model has

    python benchmarks/bench_recovery.py --worlds clean,small --seeds 0-2
"""

import argparse
import multiprocessing
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl
import torch
from preset_worlds import public_tables
from problems import REPRESENTABLE, WORLDS
from shape_oracle import fit_families, fit_oracle

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm

RESULTS = Path(__file__).parent / "results"
FOLLOWS_SALES = {"endogenous": "pla", "exogenous": "pla"}
FAMILIES = "knows the families"
VERDICTS = ("data-driven", "prior-driven", "not identified")
SCORES = [
    *("srmse", "total_error", "max_error", "bias", "coverage", "covered", "channels"),
    *("flagged", "alarms", "data_driven", "prior_driven", "not_identified", "honest"),
]
COLUMNS = ["world", "seed", "contender", *SCORES, "seconds", "error"]


# --- contenders: a problem in, contributions and a table of channels out -------------


def fit_skmmm(problem, **options):
    """Return contributions by row, and what `channel_summary` says of each channel."""
    model = DeepCausalMMMRegressor(**problem.roles, random_state=0, **options)
    model.fit(problem.X, problem.y)
    contributions = model.contributions()[problem.roles["media"]]
    return contributions, model.channel_summary(confidence_level=0.9)


def fit_linear(problem):
    """Return what the linear MMM's prediction loses without each channel."""
    X, y = problem.X, problem.y
    model = make_linear_mmm(**problem.roles).fit(X, y)
    full = model.predict(X)
    parts = {
        channel: full - model.predict(X.assign(**{channel: 0.0}))
        for channel in problem.roles["media"]
    }
    return pd.DataFrame(parts, index=X.index), None


# The columns of these worlds are money: a unit costs 1.
CONTENDERS = {
    "skmmm": partial(fit_skmmm, media_cost=1.0),
    "skmmm, not money": partial(fit_skmmm, media_cost=None),
    "skmmm, GRU off": partial(fit_skmmm, media_cost=1.0, n_hidden=0),
    "linear MMM": fit_linear,
    "shape oracle": fit_oracle,
    FAMILIES: fit_families,
}
# Carry-over of another form than the default; these run when they are asked for.
ADSTOCKS = {
    f"skmmm, {adstock}": partial(fit_skmmm, media_cost=1.0, adstock=adstock)
    for adstock in ("geometric", "delayed", "free", "gru")
}


# --- scores --------------------------------------------------------------------------


def scores(problem, estimate, channels=None):
    """Compare estimated contributions with the truth.

    Parameters
    ----------
    problem : Problem
    estimate : DataFrame
        One column per channel, one row per row of the problem.
    channels : DataFrame indexed by channel, default=None
        ``contribution_low`` and ``contribution_high``, the 90 % interval of each total;
        if there, ``verdict`` and ``alarm``.

    Returns
    -------
    scores : dict
        One entry per name in SCORES, NaN where it does not apply.
    """
    truth = problem.truth
    region = problem.roles["region"]
    group = np.zeros(len(truth)) if region is None else problem.X[region].to_numpy()
    estimate = estimate[truth.columns].set_axis(truth.index)
    rmse = ((estimate - truth) ** 2).groupby(group).mean() ** 0.5
    size = truth.groupby(group).mean().abs()
    totals = truth.sum()
    errors = (estimate.sum() / totals.where(totals != 0) - 1).abs()
    row = dict.fromkeys(SCORES, np.nan) | {
        "srmse": np.nanmean((rmse / size.where(size > 0)).to_numpy()),
        "total_error": errors.median(),
        "max_error": errors.max(),
        "bias": estimate.sum().sum() / totals.sum() - 1,
        "channels": len(totals),
    }
    if channels is not None:
        row |= _doubt(problem, channels.loc[totals.index], totals)
    return row


def _doubt(problem, channels, totals):
    """Scores of what a model says of its own certainty; {} if it says nothing."""
    low, high = channels["contribution_low"], channels["contribution_high"]
    if low.isna().any():
        return {}
    covered = (low <= totals) & (totals <= high)
    row = {"coverage": covered.mean(), "covered": covered.sum()}
    alarm = pd.Series(False, index=totals.index)
    if "alarm" in channels:
        alarm = channels["alarm"] != ""
        row["alarms"] = alarm.sum()
        if problem.name in FOLLOWS_SALES:
            row["flagged"] = int(alarm[FOLLOWS_SALES[problem.name]])
    if "verdict" in channels:
        verdict = channels["verdict"]
        for name in VERDICTS:
            row[name.replace("-", "_").replace(" ", "_")] = (verdict == name).sum()
        row["honest"] = (~covered & (verdict == VERDICTS[0]) & ~alarm).sum()
    return row


# --- the run -------------------------------------------------------------------------


def make_problem(world, seed):
    """Return one problem; a public table is found by its name."""
    if world in WORLDS:
        return WORLDS[world](seed)
    return next(problem for problem in public_tables() if problem.name == world)


def run_problem(world, seed, contenders):
    """Return one row per contender; a contender that fails gets its error."""
    problem = make_problem(world, seed)
    rows = []
    for contender in contenders:
        if contender == FAMILIES and problem.family is None:
            continue
        row = {"world": world, "seed": seed, "contender": contender}
        started = time.perf_counter()
        try:
            estimate, channels = (CONTENDERS | ADSTOCKS)[contender](problem)
            row["seconds"] = time.perf_counter() - started
            row |= scores(problem, estimate, channels)
        except Exception as error:  # one failure must not end the night's run
            traceback.print_exc()
            row |= {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        rows.append(row)
    return rows


def _single_thread():
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)


def run(tasks, contenders, out, jobs):
    """Run all tasks, pairs of world and seed, and write the table after each."""
    done = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_single_thread) as pool:
        futures = {pool.submit(run_problem, *task, contenders): task for task in tasks}
        for future in as_completed(futures):
            done[futures[future]] = future.result()
            rows = [row for task in tasks for row in done.get(task, [])]
            table = pd.DataFrame(rows, columns=COLUMNS)
            write(table, out)
            world, seed = futures[future]
            print(f"{len(done)} of {len(tasks)}: {world}, seed {seed}", flush=True)
    return table


def write(table, out):
    """Write the table so that an interruption leaves the old or the new one."""
    draft = out.with_name(out.name + ".draft")
    table.round(4).to_csv(draft, index=False)
    draft.replace(out)


def summarise(table):
    """Return means by world and contender, and coverage where it is to be expected.

    Returns
    -------
    means : DataFrame indexed by world and contender
    coverage : Series indexed by contender
        Share of channel totals inside their interval, over all representable worlds.
    """
    keys = ["world", "contender"]
    means = table.groupby(keys, sort=False)[[*SCORES, "seconds"]].mean()
    means.insert(0, "seeds", table.groupby(keys, sort=False).size())
    preset = table["world"].str.removeprefix("public_")
    fair = table[preset.map(REPRESENTABLE).astype(bool) & table["covered"].notna()]
    sums = fair.groupby("contender", sort=False)[["covered", "channels"]].sum()
    return means, (sums["covered"] / sums["channels"]).rename("coverage")


def read_seeds(text):
    """Read "0-7", "3" or "0,2,5-6" as a list of seeds."""
    parts = [part.split("-") for part in text.split(",") if part]
    return [s for part in parts for s in range(int(part[0]), int(part[-1]) + 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", help="names, by comma; all if not given")
    parser.add_argument("--seeds", type=read_seeds, default=range(8), help="as 0-7")
    parser.add_argument("--large-seeds", type=read_seeds, default=range(2))
    parser.add_argument("--contenders", help="names, by semicolon; all if not given")
    parser.add_argument("--out", type=Path, default=RESULTS / "recovery.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()

    public = {problem.name: [problem.seed] for problem in public_tables()}
    seeds = public | dict.fromkeys(WORLDS, options.seeds)
    seeds["large"] = options.large_seeds
    worlds = options.worlds.split(",") if options.worlds else list(seeds)
    contenders = list(CONTENDERS)
    if options.contenders:
        contenders = [name.strip() for name in options.contenders.split(";")]
    if unknown := {*worlds} - {*seeds} | {*contenders} - {*CONTENDERS, *ADSTOCKS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")

    tasks = [(world, seed) for world in worlds for seed in seeds[world]]
    means, coverage = summarise(run(tasks, contenders, options.out, options.jobs))
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(means.round(3).to_string())
    print("\nCoverage of 90 % intervals over representable worlds:")
    print(coverage.round(3).to_string())


if __name__ == "__main__":
    main()
