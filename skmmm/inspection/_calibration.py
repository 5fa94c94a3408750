"""Simulation-based calibration: do intervals hold, if the model is true?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.random import RandomState
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, check_random_state

from skmmm._unwrapping import rows_of, unwrap
from skmmm._utils.parallel import call_each
from skmmm._utils.typing import Array, Seed, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._refits import (
    check_integer,
    to_refit,
    warned_once,
    without_extras,
)

_SOURCES = ("posterior", "prior")
_SEEDS = 2**31 - 1


def calibrate_intervals(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    *,
    source: Literal["posterior", "prior"] = "posterior",
    n_simulations: int = 20,
    confidence_level: float = 0.9,
    sample_weight: npt.ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
) -> Bunch:
    """Fit to data that the model made, and see how often its intervals hold.

    The model is fitted to X and y. Then, again and again, one draw of its parameters is
    taken for the truth, a KPI is simulated from it on the user's own X, and the model
    is fitted to that KPI. What each channel caused is known there, and with it whether
    the interval of `channel_summary` holds it [1]_.

    It tests the computation (mode, draws, intervals) and what priors do to it, **given
    that the model is true**. It does not test whether the model is true: hidden demand,
    spend that follows the KPI, or another shape of response are in no simulation.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor, or a Pipeline or search that ends with one
        Cloned and fitted to X and y. Steps before the model, and a search, are fitted
        only this once; the model is fitted ``n_simulations`` times more, with the
        parameters that it had, without its channel graph and callbacks, which move no
        contribution.
    X : DataFrame, array-like of shape (n_rows, n_columns) or Effects
        Rows in any order.
    y : array-like of shape (n_rows,)
        KPI.
    source : {"posterior", "prior"}, default="posterior"
        Where the truths come from. Posterior: draws of the fit to y, worlds like the
        one that the data describe. Prior: worlds that were expected before y was seen.
    n_simulations : int, default=20
    confidence_level : float in (0, 1), default=0.9
        Of the intervals.
    sample_weight : array-like of shape (n_rows,), default=None
        As in `fit`. Rows from which the fit to y learned nothing are left out of the
        others, too.
    n_jobs : int or None, default=None
        Refits at the same time, as in `placebo_channel`.
    random_state : int, RandomState instance or None, default=None
        Draws truths and noise, and seeds the fits to them. The fit to y has the
        ``random_state`` of the estimator.

    Returns
    -------
    result : Bunch
        - ``coverage`` : DataFrame indexed by channel: ``coverage``, the share of
          simulations in which the interval holds the truth, and its
          ``standard_error`` [3]_; ``width``, mean width of the interval in KPI units;
          ``error``, median distance of the contribution from the truth, relative to the
          truth; ``widen_by``, the factor by which both sides of all intervals, as seen
          from the median of the draws, would have to be longer for a share of
          `confidence_level` to hold, 1 if they do.
        - ``overall`` : Series, the same over all channels. Channels of one simulation
          share a fit: the standard error is that of the mean over simulations, NaN if
          there is only one.
        - ``ranks`` : ndarray of shape (n_simulations, n_channels), int: how many draws
          of a contribution are below the truth, from 0 to n_draws. All ranks are
          equally likely if draws are right; a heap at both ends means that they are too
          narrow, a hump in the middle that they are too wide, a slope that they are off
          to one side.
        - ``n_draws`` : int, of each fit.
        - ``draws`` : DataFrame, one row per simulation and channel: ``truth``,
          ``contribution``, ``contribution_low`` and ``contribution_high`` in KPI units;
          ``holds``, whether the truth is inside; ``rank``; ``z_score``, truth minus
          mean of the draws, in their standard deviations, NaN if all are the same;
          ``reach``, distance of the truth from the median of the draws over that of the
          bound on its side, at most 1 if it is inside.

    Raises
    ------
    ValueError
        If the estimator does not end with a `DeepCausalMMMRegressor`, has no draws or
        no media, or a parameter is out of range.

    See Also
    --------
    placebo_channel : Whether spend at the wrong time earns anything.
    skmmm.metrics : How often intervals of the KPI hold.

    Notes
    -----
    The KPI is the structural part of the draw, a level that moves with its persistence
    and gain, the shock that is common to regions, and noise, both with the tails of the
    `loss`; a row of twice the weight has noise of half the variance.

    With truths from the prior, ranks are uniform if the computation is exact, but for
    this: the model is in units of the mean KPI, so truths are those of 64 draws each
    whose mean KPI is nearest to the one observed, and what regions have in common
    beyond one shock is in no simulation. With truths from the posterior that holds on
    average over all y that the model could have made, not for each y; an exact test
    for one y fits to y and the simulated KPI together [2]_. Where prior and data weigh
    about the same, intervals may then hold somewhat more or fewer truths than
    `confidence_level` though nothing is wrong.

    Coverage of 20 simulations is known to about .07: 16 to 20 truths inside a 90 %
    interval are no surprise. Of each kind of warning that the fits to simulated data
    give, the first is passed on, with their number.

    References
    ----------
    .. [1] Talts, Betancourt, Simpson, Vehtari, Gelman (2018). Validating Bayesian
       Inference Algorithms with Simulation-Based Calibration. arXiv 1804.06788.
    .. [2] Säilynoja, Schmitt, Bürkner, Vehtari (2025). Posterior SBC: Simulation-Based
       Calibration Checking Conditional on Data. arXiv 2502.03279.
    .. [3] Agresti, Coull (1998). Approximate Is Better than "Exact" for Interval
       Estimation of Binomial Proportions. The American Statistician 52.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import calibrate_intervals
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, controls=world.controls, time="week", region="region",
    ...     graph=None, n_draws=8, max_iter=20, random_state=0,
    ... )
    >>> result = calibrate_intervals(
    ...     model, world.X, world.y, n_simulations=2, random_state=0
    ... )
    >>> result.ranks.shape
    (2, 2)
    >>> list(result.coverage.columns)
    ['coverage', 'standard_error', 'width', 'error', 'widen_by']
    """
    check_integer(n_simulations, "n_simulations", 1)
    tail_probability(confidence_level)
    if source not in _SOURCES:
        raise ValueError(f"source={source!r} must be 'posterior' or 'prior'.")
    random = check_random_state(random_state)
    model, rows = _fitted_model(estimator, X, y, sample_weight)
    kpi, caused, weight = model._simulated(n_simulations, source, random)
    refits = [
        (
            to_refit(model, "graph", "experiments", random_state=int(seed)),
            rows,
            kpi[s],
            weight,
            caused[s],
            confidence_level,
        )
        for s, seed in enumerate(random.randint(_SEEDS, size=n_simulations))
    ]
    with warned_once():
        found = call_each(_simulation, refits, n_jobs)
    tables = {s: table for s, (table, _) in enumerate(found)}
    draws = pd.concat(tables, names=["simulation", "channel"]).reset_index()
    by_channel = draws.groupby("channel", sort=False)
    ranks = draws["rank"].to_numpy().reshape(n_simulations, -1)
    return Bunch(
        coverage=pd.DataFrame(
            {name: _coverage(part, confidence_level) for name, part in by_channel}
        ).T.rename_axis("channel"),
        overall=_overall(draws, confidence_level),
        ranks=ranks,
        n_draws=found[0][1],
        draws=draws,
    )


def _fitted_model(
    estimator: Any, X: Table, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[Any, Any]:
    """Fit a clone; return the model at its end, and the rows that reach it."""
    X, fitted = rows_of(X), without_extras(estimator, "graph", "experiments")
    parameters = {}
    if sample_weight is not None:
        last = fitted.steps[-1][0] + "__" if isinstance(fitted, Pipeline) else ""
        parameters[f"{last}sample_weight"] = sample_weight
    inside = unwrap(fitted.fit(X, y, **parameters))
    model = inside.model
    if not hasattr(model, "_simulated"):
        raise ValueError(
            "calibrate_intervals simulates a KPI from the model, which "
            f"{type(model).__name__} cannot do. Pass a DeepCausalMMMRegressor, or a "
            "pipeline or search that ends with one."
        )
    model._check_draws("calibrate_intervals")
    if not model.media_:
        raise ValueError("calibrate_intervals needs media, but the model has none.")
    return model, inside.rows(X)


def _simulation(
    model: Any,
    rows: Any,
    kpi: Array,
    weight: Array,
    truth: Array,
    confidence_level: float,
) -> tuple[pd.DataFrame, int]:
    """Fit to one simulated KPI; return a table by channel, and the number of draws."""
    model.fit(rows, kpi, sample_weight=weight)
    summary = channel_summary(model, confidence_level=confidence_level)
    drawn = counterfactual_of(model).effects(None, draws=True).contribution[:, 0]
    table = _compare(summary, drawn, truth, check_random_state(model.random_state))
    return table, len(drawn)


def _compare(
    summary: pd.DataFrame, drawn: Array, truth: Array, random: RandomState
) -> pd.DataFrame:
    """Return how the draws (n_draws, n_channels) of each channel lie to the truth."""
    estimates = ["contribution", "contribution_low", "contribution_high"]
    table = summary[estimates].copy()
    table.insert(0, "truth", truth)
    _, low, high = (table[name].to_numpy() for name in estimates)
    middle, spread = np.median(drawn, axis=0), drawn.std(axis=0, ddof=1)
    bound = np.where(truth > middle, high, low)
    # A channel without spend causes nothing, in truth and in every draw.
    ties = (drawn == truth).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return table.assign(
            holds=(low <= truth) & (truth <= high),
            rank=(drawn < truth).sum(axis=0) + random.randint(ties + 1),
            z_score=(truth - drawn.mean(axis=0)) / np.where(spread > 0, spread, np.nan),
            reach=np.where(
                truth == middle, 0.0, np.abs((truth - middle) / (bound - middle))
            ),
        )


def _coverage(part: pd.DataFrame, confidence_level: float) -> pd.Series:
    """Summarise the rows of one channel, or of all."""
    n_rows, n_inside = len(part), part["holds"].sum()
    share = (n_inside + 2.0) / (n_rows + 4.0)
    error = (part["contribution"] - part["truth"]) / part["truth"].replace(0, np.nan)
    needed = np.quantile(part["reach"], confidence_level, method="inverted_cdf")
    return pd.Series(
        {
            "coverage": n_inside / n_rows,
            "standard_error": np.sqrt(share * (1.0 - share) / (n_rows + 4.0)),
            "width": (part["contribution_high"] - part["contribution_low"]).mean(),
            "error": error.abs().median(),
            "widen_by": max(1.0, needed),
        }
    )


def _overall(draws: pd.DataFrame, confidence_level: float) -> pd.Series:
    """Summarise all rows; what simulations have in common makes its error larger."""
    each = draws.groupby("simulation")["holds"].mean()
    summary = _coverage(draws, confidence_level)
    summary["standard_error"] = each.std(ddof=1) / np.sqrt(len(each))
    return summary
