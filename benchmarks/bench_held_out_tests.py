"""Do held-out experiments choose better settings than forecasts do?

Worlds of `cause_worlds.chased` with six regions, 78 weeks and four channels, the last
of which does nothing: with hidden demand that moves budgets and the KPI ("chased"), and
without ("plain"). The other three channels are tested: each goes dark for eight weeks
in half of the regions, with a standard error of a tenth of what that brings. The rows
do not show the tests. Two models choose among some settings each:

- skmmm: carry-over (geometric, weibull) and media_share (.1, .4); without its GRU, 16
  draws, a carry-over of eight weeks at most
- linear MMM: decay (.2, .5, .8) and half_saturation (.5, 2)

by the scores of the held-out tests (`LeaveExperimentsOut`: log_score, z,
relative_error) and by the forecast (wMAPE of the last 13 weeks). Settings are compared
by the truth: the error of contributions, summed over channels, by the sum of true ones.

Writes results/held_out_tests.csv, one row per world, seed, model and setting:

- log_score, z, relative_error, wmape: scores, greater is better
- error: of contributions, what is to be small

    python benchmarks/bench_held_out_tests.py --seeds 500-509
"""

import argparse
import warnings
from pathlib import Path

import pandas as pd
from bench_experiments import TENTH, make_test
from bench_recovery import read_seeds
from cause_worlds import chased
from numpy.random import default_rng
from sklearn.model_selection import GridSearchCV

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.metrics import weighted_mape_scorer
from skmmm.model_selection import (
    LeaveExperimentsOut,
    PanelTimeSeriesSplit,
    make_experiment_scorer,
)

RESULTS = Path(__file__).parent / "results"
SIZES = (6, 78, 4)
STRENGTH = {"plain": 0.0, "chased": 1.0}
KINDS = ("log_score", "z", "relative_error")
CRITERIA = (*KINDS, "wmape")
GRIDS = {
    "skmmm": {
        "adstock": ["geometric", "weibull"],
        "media_share": [0.1, 0.4],
    },
    "linear MMM": {
        "adstock__decay": [0.2, 0.5, 0.8],
        "saturation__half_saturation": [0.5, 2.0],
    },
}


def make_case(world, seed):
    """Return a problem and the table of its three tests."""
    problem = chased(seed, strength=STRENGTH[world], sizes=SIZES, name=world)
    noise = default_rng([seed, 11])
    tests = [
        make_test(
            problem, m, weeks=8, share=0.5, error=TENTH, noise=noise, later=12 * (m - 1)
        )
        for m in range(SIZES[2] - 1)
    ]
    return problem, pd.concat(tests, ignore_index=True)


def make_models(problem, **options):
    """Return the models, with what is the same in all settings."""
    fixed = {"media_cost": 1.0, "graph": None, "random_state": 0}
    fixed |= {"n_hidden": 0, "max_lag": 8, "n_draws": 16}  # seconds, not minutes
    return {
        "skmmm": DeepCausalMMMRegressor(**problem.roles, **fixed | options),
        "linear MMM": make_linear_mmm(**problem.roles),
    }


class Truth:
    """Score of a fitted model: minus the error of its contributions to all rows."""

    def __init__(self, problem):
        self.problem = problem

    def __call__(self, estimator, X, y=None):
        return -self.error(estimator)

    def error(self, estimator):
        X, media = self.problem.X, self.problem.roles["media"]
        if isinstance(estimator, DeepCausalMMMRegressor):
            found = estimator.channel_summary()["contribution"]
        else:
            full = estimator.predict(X).sum()
            lost = {
                m: full - estimator.predict(X.assign(**{m: 0.0})).sum() for m in media
            }
            found = pd.Series(lost)
        true = self.problem.truth.sum()
        return (found - true).abs().sum() / true.sum()


def run_case(world, seed, name, **options):
    """Return the table of one world, seed and model."""
    problem, tests = make_case(world, seed)
    model = make_models(problem, **options)[name]
    columns = {role: problem.roles[role] for role in ("region", "time")}
    by_tests = {kind: make_experiment_scorer(tests, kind=kind) for kind in KINDS}
    searches = [
        (
            {**by_tests, "truth": Truth(problem)},
            LeaveExperimentsOut(tests, n_splits=1, **columns),
        ),
        (
            {"wmape": weighted_mape_scorer},
            PanelTimeSeriesSplit(1, test_size=13, **columns),
        ),
    ]
    table = pd.DataFrame()
    for scoring, cv in searches:
        search = GridSearchCV(
            model, GRIDS[name], scoring=scoring, cv=cv, refit=False, error_score="raise"
        ).fit(problem.X, problem.y)
        for score in scoring:
            table[score] = search.cv_results_[f"mean_test_{score}"]
    table["setting"] = [
        " ".join(map(str, chosen.values())) for chosen in search.cv_results_["params"]
    ]
    table["error"] = -table.pop("truth")
    return table.assign(world=world, seed=seed, model=name)


def summarise(table):
    """Return, by world, model and criterion, the error of what was chosen.

    error: mean over seeds; best, mean: of the best setting and the mean one; better,
    worse: seeds in which the choice is better and worse than that of the forecast.
    """
    rows = []
    for (world, model), group in table.groupby(["world", "model"], sort=False):
        seeds = group.groupby("seed")
        errors = pd.DataFrame(
            {
                name: seeds.apply(lambda t, n=name: t.loc[t[n].idxmax(), "error"])
                for name in CRITERIA
            }
        )
        for name in CRITERIA:
            rows.append(
                {
                    "world": world,
                    "model": model,
                    "chosen by": name,
                    "n": len(errors),
                    "error": errors[name].mean(),
                    "better": (errors[name] < errors["wmape"]).sum(),
                    "worse": (errors[name] > errors["wmape"]).sum(),
                    "best": seeds["error"].min().mean(),
                    "mean": group["error"].mean(),
                }
            )
    return pd.DataFrame(rows).set_index(["world", "model", "chosen by"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", default="chased")
    parser.add_argument("--models", default=",".join(GRIDS))
    parser.add_argument("--seeds", type=read_seeds, default=range(500, 510))
    parser.add_argument("--out", type=Path, default=RESULTS / "held_out_tests.csv")
    options = parser.parse_args()
    columns = ["world", "seed", "model", "setting", *CRITERIA, "error"]
    tables = []
    for name in options.models.split(","):
        for world in options.worlds.split(","):
            for seed in options.seeds:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tables.append(run_case(world, seed, name)[columns])
                table = pd.concat(tables)
                table.to_csv(
                    options.out, index=False, float_format="%.5g", lineterminator="\n"
                )
    print(summarise(table).round(3).to_string())


if __name__ == "__main__":
    main()
