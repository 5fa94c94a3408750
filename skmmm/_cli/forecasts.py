"""Forecasts from earlier origins, beside what they have to beat."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skmmm._cli.console import one_line
from skmmm._cli.task import Task, name_all
from skmmm._data.periods import several
from skmmm._utils.parallel import call_each
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit

MODEL = "DeepCausalMMM"
_HORIZON = 13


@dataclass(frozen=True, eq=False)
class _Origin:
    """A point in time to forecast from, and the task as it was known then.

    Attributes
    ----------
    number, horizon : int
        Periods are forecast up to the horizon.
    label : str
    task : Task
        Without controls that have not moved yet.
    said : str
        What is left out, or not known.
    train, test : ndarray of int
        Positions of rows.
    """

    number: int
    horizon: int
    label: str
    task: Task
    said: str
    train: np.ndarray
    test: np.ndarray


def compare(task, model, console, n_origins, n_jobs):
    """Forecast from earlier origins with the model and with what it has to beat.

    Parameters
    ----------
    task : Task
    model : DeepCausalMMMRegressor
    console : Console
    n_origins : int
    n_jobs : int
        Origins at the same time.

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
    unit = several(calendar.unit)
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
    starts = [calendar.label(periods[(i - n_origins) * size]) for i in range(n_origins)]
    origins = _origins(task, size, starts)
    scores, held_out = [], None
    for first in range(0, n_origins, n_jobs):
        batch = origins[first : first + n_jobs]
        where = "; ".join(f"from {origin.label}{origin.said}" for origin in batch)
        found = _forecast_batch(refit, batch, f"{size} {unit} {where}", console)
        for origin, (fitted, score, error) in zip(batch, found, strict=True):
            if error is None:
                scores.append(score)
                held_out = fitted, origin.train, origin.test
            else:
                console.say(f"Left out: {one_line(error)}")
    skill = pd.concat(scores, ignore_index=True) if scores else None
    return skill, held_out


def _origins(task, size, starts):
    """Return the origins before the last blocks of the table."""
    cv = PanelTimeSeriesSplit(
        len(starts), test_size=size, region=task.region, time=task.time
    )
    origins = []
    for i, (train, test) in enumerate(cv.split(task.X)):
        X = task.X.iloc[train]
        # A control that has not moved yet teaches nothing; an event to come.
        still = [name for name in task.controls if X[name].nunique() < 2]
        known = replace(task, controls=[c for c in task.controls if c not in still])
        without = f" without {name_all(still)}" if still else ""
        unspent = [name for name in task.media if not X[name].any()]
        at_prior = f" with {name_all(unspent)} as expected" if unspent else ""
        said = f"{without}{at_prior}"
        origins.append(_Origin(i, size, starts[i], known, said, train, test))
    return origins


def _forecast_batch(model, batch, what, console):
    """Return what `_forecast` does of each origin, side by side."""
    alone = len(batch) == 1  # then there is a progress bar
    fit = console.fit if alone else type(model).fit
    calls = [
        (fit, clone(model).set_params(controls=origin.task.controls), origin)
        for origin in batch
    ]
    with (
        console.stage(f"Forecasting {what}", fits=alone),
        warnings.catch_warnings(),
    ):
        # Said in the stage, or of the fit to all rows.
        warnings.filterwarnings("ignore", ".*: no spend in any training row")
        warnings.filterwarnings("ignore", "There are only .* training rows")
        warnings.filterwarnings("ignore", "The KPI is ")
        # Alarms of a part of the rows are none of the model.
        warnings.filterwarnings("ignore", "The spend of ")
        return call_each(_forecast, calls, len(batch))


def _forecast(fit, model, origin):
    """Return the fitted model and its scores, or the error that it cannot be."""
    task = origin.task
    try:
        fitted = fit(model, task.X.iloc[origin.train], task.y.iloc[origin.train])
        score = _score(task, fitted, origin.train, origin.test)
    except ValueError as error:
        return None, None, error
    named = {"split": origin.number, "origin": origin.label, "horizon": origin.horizon}
    return fitted, score.assign(**named), None


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
