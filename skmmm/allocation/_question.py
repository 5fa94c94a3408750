"""What is asked of a plan, read and checked."""

from dataclasses import replace
from numbers import Integral

import numpy as np

from skmmm._planning.problem import GROUPS, make_problem, read_risk
from skmmm._unwrapping import unwrap
from skmmm.allocation._results import PlanResults
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import counterfactual_of


def read_question(
    estimator,
    *,
    X,
    horizon,
    by,
    risk,
    effect,
    confidence_level,
    media,
    region,
    time,
    media_cost,
    **limits,
):
    """Return the `PlanResults` that answer a question.

    Parameters
    ----------
    estimator, X, horizon, by, risk, effect, confidence_level, media, region, time, \
media_cost
        As of `optimize_budget`.
    **limits
        What else bounds its plans.
    """
    if not isinstance(by, str) or by not in GROUPS:
        raise ValueError(f"by={by!r} must be one of {sorted(GROUPS)}.")
    tail = tail_probability(confidence_level)
    read_risk(risk)
    what_if = counterfactual_of(
        estimator,
        X if horizon is None else _coming(estimator, X, horizon),
        effect=effect,
        media=media,
        region=region,
        time=time,
        media_cost=media_cost,
    )
    _check_period(what_if, by)
    what_if, costless = _in_money(what_if)
    problem = make_problem(what_if, by, costless=costless, **limits)
    return PlanResults(what_if, problem, by, risk, tail, costless)


def _in_money(what_if):
    """Let media without a cost, beside others that have one, cost nothing.

    Returns
    -------
    what_if : Counterfactual
    costless : list
        These media.
    """
    labels, money = np.array(what_if.labels, dtype=object), what_if.is_money
    if money.all() or not money.any():
        return what_if, []
    price = np.nan_to_num(what_if.media_cost, nan=0.0)
    return replace(what_if, media_cost=price), labels[~money].tolist()


def _coming(estimator, X, horizon):
    """Return the frame of the coming periods."""
    if X is not None:
        raise ValueError("Give X or horizon, not both.")
    is_integer = isinstance(horizon, Integral) and not isinstance(horizon, bool)
    if not is_integer or horizon < 1:
        raise ValueError(f"horizon must be an integer from 1 up, got {horizon!r}.")
    inside = unwrap(estimator)
    if inside.steps or not hasattr(inside.model, "make_future_frame"):
        raise ValueError(
            f"horizon needs an estimator that remembers its training rows, which "
            f"{type(estimator).__name__} does not: pass "
            "X=skmmm.scenarios.make_future_frame(...)."
        )
    return inside.model._coming_periods(horizon)


def _check_period(what_if, by):
    if by == "period" and not what_if.has_periods:
        raise ValueError(
            "by='period' needs to know the periods: a model with a time column, or "
            "time=... with its name."
        )
    if by == "period" and what_if.answers:
        raise ValueError(
            "by='period' plans direct effects only: when others answer later, what a "
            "period causes is not in it. Use effect='direct', or plan by channel or "
            "region."
        )
