"""How much of the possible gain does a plan realise, where the best plan is known?

Problems: the worlds of `plan_worlds.py`. A plan splits today's total spend anew, each
channel between half and twice of today. Contenders:

- skmmm: `optimize_budget`; in the funnels, of one series or of 12 regions, also for
  total effects, where search answers to television
- careful: the same for the mean of the worst fifth of draws (``risk=("cvar", 0.2)``),
  in the funnels for total effects
- SLSQP and grid: restated rivals, on the response curves of the same fitted model,
  mean over its draws. SLSQP as PyMC-Marketing [1] has it: from an equal split, ftol of
  1e-9, in money and KPI units, where the solver may give up; "SLSQP, scaled" in factors
  and shares of today. Grid as Meridian [2]: from the lower bounds up in steps of about
  a ten thousandth of the budget, always to where the next money brings most.
- linear MMM: `make_linear_mmm` and `skmmm.allocation.optimize_budget`
- direct effects known: in the funnels, the best plan of who knows the true responses
  but takes search for independent of television; what is missed here is missed for
  that reason alone

Writes results/plan.csv, one row per world, seed and contender, anew after each problem.

- regret: share of the possible gain that is missed under the truth; 0 is the best
  plan, 1 is today, more is worse than today
- better_than_today: whether the plan causes more than today, under the truth
- gain, available: what the plan and the best plan gain, as a share of what media cause
  today
- promised: what the model says that the plan gains (of a plan for total effects: with
  search answering), as the same share
- spent: what the plan costs in the truth, over today; all of the above are computed
  after scaling it to today's total
- model_outcome: KPI that the model predicts for the plan as it is, nothing answering
- probability_better: as the plan itself says
- seconds: of planning; fit_seconds: of fitting, on one thread

`--timing` writes results/plan_seconds.csv instead: seconds of questions to a model of
the real panel (190 regions, 109 weeks, 13 channels).

    python benchmarks/bench_plan.py --worlds national,funnel --seeds 300-301

References
----------
.. [1] PyMC-Marketing 1.3.0, pymc_marketing/mmm/budget_optimizer.py
.. [2] Meridian 2.1.0, meridian/analysis/optimizer.py
"""

import argparse
import math
import multiprocessing
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl
import torch
from bench_recovery import read_seeds, write
from plan_worlds import BOUNDS, FUNNELS, WORLDS, best_split, make_plan_world
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.graph import StructuralVAR

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PANEL = HERE.parents[1] / "shared" / "data" / "dma_panel.csv.gz"
SCORES = [
    *("regret", "better_than_today", "gain", "available", "promised", "spent"),
    *("model_outcome", "probability_better", "seconds", "fit_seconds"),
]
COLUMNS = ["world", "seed", "contender", *SCORES, "error"]


@dataclass
class Task:
    """A world and the models fitted to it, each when it is first asked for."""

    world: object
    fit_seconds: dict = field(default_factory=dict)

    @property
    def problem(self):
        """The `Problem`, with X, y and the roles of the columns."""
        return self.world.problem

    @property
    def media(self):
        """Names of the channels."""
        return self.problem.roles["media"]

    @property
    def spend(self):
        """Today's spend of the channels, shape (n_media,)."""
        return self.problem.X[self.media].sum().to_numpy()

    @cached_property
    def skmmm(self):
        """Fitted model; in the funnels television is upstream of search."""
        funnel = self.problem.name in FUNNELS
        graph = StructuralVAR(tiers=[["tv"], ["search"]]) if funnel else None
        model = DeepCausalMMMRegressor(
            **self.problem.roles, media_cost=1.0, graph=graph, random_state=0
        )
        return self._fit("skmmm", model)

    @cached_property
    def linear(self):
        """Fitted linear MMM."""
        return self._fit("linear", make_linear_mmm(**self.problem.roles))

    def _fit(self, name, model):
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.fit(self.problem.X, self.problem.y)
        self.fit_seconds[name] = time.perf_counter() - started
        return model

    def predicted(self, name, factors):
        """KPI that a model predicts for a plan, others not answering."""
        X = self.problem.X.copy()
        X[self.media] = X[self.media] * factors
        return getattr(self, name).predict(X).sum()


# --- contenders: a task in, factors on today's spend and what is said of them out ----


def plan_skmmm(task):
    """Plan with the model's own method."""
    plan = task.skmmm.optimize_budget(bounds=BOUNDS)
    return _factors(plan, task), {"probability_better": plan.probability_better}


def plan_total(task, risk=None):
    """The same, with search answering to television."""
    plan = task.skmmm.optimize_budget(bounds=BOUNDS, effect="total", risk=risk)
    return plan.allocation["factor"].loc[task.media].to_numpy(), {
        "probability_better": plan.probability_better,
        "promised": (plan.outcome - plan.current_outcome) / task.world.today,
    }


def plan_careful(task):
    """Plan for the mean of the worst fifth of draws."""
    risk = "cvar", 0.2
    if task.problem.name in FUNNELS:
        return plan_total(task, risk)
    plan = task.skmmm.optimize_budget(bounds=BOUNDS, risk=risk)
    return _factors(plan, task), {"probability_better": plan.probability_better}


def plan_linear(task):
    """Plan with the linear MMM."""
    from skmmm.allocation import optimize_budget

    plan = optimize_budget(
        task.linear, X=task.problem.X, media=task.media, bounds=BOUNDS
    )
    return _factors(plan, task), {}


def _factors(plan, task):
    table = plan.allocation.loc[task.media]
    return (table["spend"] / table["current_spend"]).to_numpy()


def plan_known(task):
    """Plan with true responses, as if no channel answered to another."""
    return best_split(task.world.known, task.spend), {}


def plan_slsqp(task, scaled=False):
    """Plan as PyMC-Marketing does, on mean curves of the same model.

    Budgets are money per week and the response is the KPI of all weeks; if scaled,
    both are multiples of today's. A failure of the solver is a failure.
    """
    curves = mean_curves(task.skmmm)
    n_weeks = task.problem.X[task.problem.roles["time"]].nunique()
    weekly, response = task.spend / n_weeks, 1.0
    if scaled:
        weekly = task.spend / task.spend.sum()
        response = curves(np.ones(len(weekly))).sum()
    budget = weekly.sum()
    found = minimize(
        lambda x: -curves(x / weekly).sum() / response,
        np.full(len(weekly), budget / len(weekly)),
        jac=lambda x: -curves(x / weekly, 1) / weekly / response,
        bounds=[(low, high) for low, high in np.outer(weekly, BOUNDS)],
        constraints={
            "type": "eq",
            "fun": lambda x: budget - x.sum(),
            "jac": lambda x: -np.ones(len(x)),
        },
        method="SLSQP",
        options={"ftol": 1e-9, "maxiter": 1000},
    )
    if not found.success:
        raise RuntimeError(found.message)
    return found.x / weekly, {}


def plan_grid(task, gtol=1e-4):
    """Plan as Meridian does, on mean curves of the same model.

    Where the average return from here to a point further up is higher than that of the
    next step, the channel jumps there; the first step that exceeds the budget ends the
    search, so that a little of the budget may be left.
    """
    curves, spend = mean_curves(task.skmmm), task.spend
    budget = spend.sum()
    step = 10.0 ** int(math.log10(gtol * budget))
    low, high = (np.round(np.outer(BOUNDS, spend) / step)).astype(int)
    grids = [step * np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    points = np.full((max(map(len, grids)), len(spend)), np.nan)
    for m, grid in enumerate(grids):
        points[: len(grid), m] = grid
    responses = curves(points / spend)

    def next_step(m):
        """Return the best average return of channel m from here on, and where."""
        here = position[m]
        rise = responses[here + 1 : len(grids[m]), m] - responses[here, m]
        if not len(rise):
            return -np.inf, here
        average = np.round(rise / (step * np.arange(1, len(rise) + 1)), 8)
        return average.max(), here + 1 + int(average.argmax())

    position = [0] * len(spend)
    steps = [next_step(m) for m in range(len(spend))]
    money = step * low.sum()
    while True:
        m = max(range(len(spend)), key=lambda m: steps[m][0])
        best, target = steps[m]
        money += step * (target - position[m])
        if best == -np.inf or money > budget:
            break
        position[m] = target
        steps[m] = next_step(m)
    return points[position, range(len(spend))] / spend, {}


def mean_curves(model, n_points=31):
    """Return the response of every channel to its factor, mean over the draws.

    Parameters
    ----------
    model : fitted DeepCausalMMMRegressor
    n_points : int
        Factors between BOUNDS at which the model is asked; a spline in between.

    Returns
    -------
    curves : callable
        Factors of shape (..., n_media) to KPI units of the same shape; a second
        argument of 1 asks for the derivative.
    """
    from skmmm.inspection._predictions import counterfactual_of

    what_if, factors = counterfactual_of(model), np.linspace(*BOUNDS, n_points)
    splines = []
    for m in range(len(model.media_)):
        draws = what_if.curve(m, factors, draws=True)  # (n_points, n_draws, 1)
        splines.append(CubicSpline(factors, draws.mean(axis=(1, 2))))

    def curves(x, order=0):
        columns = zip(splines, np.moveaxis(x, -1, 0), strict=True)
        return np.stack([spline(column, order) for spline, column in columns], axis=-1)

    return curves


# Who plans, and whose prediction is the plan's promise.
CONTENDERS = {
    "skmmm": (plan_skmmm, "skmmm"),
    "skmmm, total effects": (plan_total, "skmmm"),
    "skmmm, careful": (plan_careful, "skmmm"),
    "SLSQP": (plan_slsqp, "skmmm"),
    "SLSQP, scaled": (partial(plan_slsqp, scaled=True), "skmmm"),
    "grid": (plan_grid, "skmmm"),
    "linear MMM": (plan_linear, "linear"),
    "direct effects known": (plan_known, None),
}
FUNNELS_ONLY = "skmmm, total effects", "direct effects known"


# --- the run -------------------------------------------------------------------------


def run_contender(contender, task):
    """Return the scores of one contender, or its error."""
    plan, name = CONTENDERS[contender]
    row = {}
    try:
        if name is not None:
            now = task.predicted(name, np.ones(len(task.media)))  # fits at first
            row["fit_seconds"] = task.fit_seconds[name]
        started = time.perf_counter()
        factors, said = plan(task)
        row["seconds"] = time.perf_counter() - started
        row |= scores(task.world, factors)
        if name is not None:
            row["model_outcome"] = task.predicted(name, factors)
            row["promised"] = (row["model_outcome"] - now) / task.world.today
        row |= said
    except Exception as error:  # one failure must not end the night's run
        traceback.print_exc()
        row |= {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    return row


def scores(world, factors):
    """Return what becomes of a plan under the truth."""
    gain = world.gain(factors)
    return {
        "regret": world.regret(factors),
        "better_than_today": int(gain > 0),
        "gain": gain,
        "available": world.available,
        "spent": world.spent(factors),
    }


def run_problem(world, seed, contenders):
    """Return one row per contender that applies to the world."""
    task = Task(make_plan_world(world, seed))
    return [
        {"world": world, "seed": seed, "contender": contender}
        | run_contender(contender, task)
        for contender in contenders
        if world in FUNNELS or contender not in FUNNELS_ONLY
    ]


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


def summarise(table):
    """Return medians by world and contender, and the share better than today.

    Returns
    -------
    summary : DataFrame indexed by world and contender
        Numbers of ``seeds`` and of ``failed`` ones, ``better`` and the medians of what
        a plan is scored by.
    """
    groups = table.groupby(["world", "contender"], sort=False)
    summary = groups[[c for c in SCORES if c != "better_than_today"]].median()
    summary.insert(0, "better", groups["better_than_today"].mean())
    summary.insert(0, "failed", groups["error"].count())
    summary.insert(0, "seeds", groups.size())
    return summary


# --- seconds -------------------------------------------------------------------------


def time_questions(out):
    """Time a fit of the real panel and questions to the model.

    Its columns are impressions, of unknown price: to plan money, each channel is given
    a price at which all have cost the same.
    """
    data = pd.read_csv(PANEL)
    media = [c for c in data if c.startswith("impressions")]
    X, y = data.drop(columns="target_visits"), data["target_visits"]
    model = DeepCausalMMMRegressor(
        media=media,
        controls=[c for c in data if c.startswith("control")],
        media_cost={c: 1e6 / data[c].sum() for c in media if data[c].sum() > 0},
        region="dmacode",
        time="weekid",
        random_state=0,
    )
    weeks = np.sort(X["weekid"].unique())[-13:]
    quarter = X[X["weekid"].isin(weeks)]
    questions = {
        "fit": lambda: model.fit(X, y),
        "channel_summary": model.channel_summary,
        "channel_summary, total": lambda: model.channel_summary(effect="total"),
        "all response curves": lambda: [model.response_curve(c) for c in media],
        "plan, channels": lambda: model.optimize_budget(),
        "plan, channels, total": lambda: model.optimize_budget(effect="total"),
        "plan, regions x channels": lambda: model.optimize_budget(by="region"),
        "plan, 13 weeks x channels": lambda: model.optimize_budget(
            X=quarter, by="period"
        ),
    }
    rows = []
    for question, ask in questions.items():
        row = {"question": question}
        started = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                ask()
            row["seconds"] = round(time.perf_counter() - started, 2)
        except Exception as error:  # the others still count
            traceback.print_exc()
            row["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
        rows.append(row)
        print(row, flush=True)
        write(pd.DataFrame(rows, columns=["question", "seconds", "error"]), out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", help="names, by comma; all if not given")
    parser.add_argument("--seeds", type=read_seeds, default=range(300, 308))
    parser.add_argument("--contenders", help="names, by semicolon; all if not given")
    parser.add_argument("--out", type=Path, default=RESULTS / "plan.csv")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--timing", action="store_true", help="seconds only")
    options = parser.parse_args()
    if options.timing:
        _single_thread()
        time_questions(RESULTS / "plan_seconds.csv")
        return

    worlds = options.worlds.split(",") if options.worlds else list(WORLDS)
    contenders = list(CONTENDERS)
    if options.contenders:
        contenders = [name.strip() for name in options.contenders.split(";")]
    if unknown := {*worlds} - {*WORLDS} | {*contenders} - {*CONTENDERS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    tasks = [(world, seed) for world in worlds for seed in options.seeds]
    summary = summarise(run(tasks, contenders, options.out, options.jobs))
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
