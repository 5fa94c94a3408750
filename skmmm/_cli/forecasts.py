"""Forecasts from earlier origins, beside what they have to beat."""

import warnings
from dataclasses import replace

import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skmmm._cli.console import one_line
from skmmm._cli.task import name_all, plural
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit

MODEL = "DeepCausalMMM"
_HORIZON = 13


def compare(task, model, console, n_origins):
    """Forecast from earlier origins with the model and with what it has to beat.

    Parameters
    ----------
    task : Task
    model : DeepCausalMMMRegressor
    console : Console
    n_origins : int

    Returns
    -------
    skill : DataFrame or None
        As of `rolling_skill`, with a column ``origin``. None if it is not possible.
    held_out : tuple of estimator, train and test positions, or None
        The model fitted before the last block.
    """
    if n_origins == 0:
        return None, None
    calendar, periods = task.calendar()
    unit = plural(calendar.unit)
    size = _horizon(len(periods), model.max_lag, n_origins)
    if size == 0:
        console.say(f"No forecasts: {len(periods)} {unit} are too few for them.")
        return None, None
    # Intervals of forecasts are drawn for a single series only.
    refit = clone(model).set_params(
        n_draws=model.n_draws if task.n_regions == 1 else 0,
        unseen_region="average",
        # Most of them lie behind an early origin.
        experiments=None,
    )
    cv = PanelTimeSeriesSplit(
        n_origins, test_size=size, region=task.region, time=task.time
    )
    scores, held_out = [], None
    for i, (train, test) in enumerate(cv.split(task.X)):
        origin = calendar.label(periods[(i - n_origins) * size])
        try:
            X, y = task.X.iloc[train], task.y.iloc[train]
            # A control that has not moved yet teaches nothing; an event to come.
            still = [name for name in task.controls if X[name].nunique() < 2]
            known = replace(task, controls=[c for c in task.controls if c not in still])
            without = f" without {name_all(still)}" if still else ""
            unspent = [name for name in task.media if not X[name].any()]
            at_prior = f" with {name_all(unspent)} as expected" if unspent else ""
            stage = f"Forecasting {size} {unit} from {origin}{without}{at_prior}"
            with console.stage(stage, fits=True), warnings.catch_warnings():
                # Said in the stage, or of the fit to all rows.
                warnings.filterwarnings("ignore", ".*: no spend in any training row")
                warnings.filterwarnings("ignore", "There are only .* training rows")
                refit.set_params(controls=known.controls)
                fitted = console.fit(clone(refit), X, y)
                score = _score(known, fitted, train, test)
        except ValueError as error:
            console.say(f"Left out: {one_line(error)}")
            continue
        scores.append(score.assign(split=i, origin=origin, horizon=size))
        held_out = fitted, train, test
    skill = pd.concat(scores, ignore_index=True) if scores else None
    return skill, held_out


def _horizon(n_periods, max_lag, n_origins):
    """Return the periods per forecast; at least half of the data come before all."""
    first = max(-(-n_periods // 2), max_lag + 2)
    return max(0, min(_HORIZON, (n_periods - first) // n_origins))


def _score(task, fitted, train, test):
    """Return the errors of all models on one block."""
    # A region without training rows is an average one for all of them.
    keys = {"region": task.region, "time": task.time, "unseen_region": "average"}
    linear = make_linear_mmm(**task.roles, max_lag=fitted.max_lag)
    linear.set_params(scale__unseen="overall", region__unseen="ignore")
    contenders = {
        MODEL: FrozenEstimator(fitted),
        "linear MMM": linear,
        "seasonal naive": SeasonalNaiveRegressor(**keys),
        "last value": LastValueRegressor(**keys),
    }
    return rolling_skill(
        contenders,
        task.X,
        task.y,
        cv=[(train, test)],
        naive=LastValueRegressor(**keys),
        region=task.region,
    )
