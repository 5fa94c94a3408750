"""Which test to run next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmmm._planning.problem import DEFAULT_BOUNDS
from skmmm._unwrapping import unwrap
from skmmm._utils.labels import called
from skmmm._utils.typing import Table
from skmmm.allocation._information import Knowledge
from skmmm.allocation._question import Bounds, Fixed, read_question
from skmmm.allocation._words import BEYOND_ERROR, in_money
from skmmm.experiments._candidate_tests import candidate_tests
from skmmm.inspection._verdicts import doubt_removed


def recommend_experiment(
    estimator: Any,
    designs: pd.DataFrame | None = None,
    *,
    horizon: int | None = None,
    X: Table | None = None,
    budget: float | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
    fixed: Fixed = None,
) -> pd.DataFrame:
    """Say which test would pay most: by what it tells, and by the plan it leads to.

    Parameters
    ----------
    estimator : fitted DeepCausalMMMRegressor
        With a time column and draws; also inside a search or pipeline.
    designs : DataFrame, default=None
        One row per test that could be run, in the columns of the parameter
        ``experiments`` without an estimate: ``media``, ``regions``, ``change`` or
        ``spend_change``, ``std_error`` (that is expected of the test, in the units of
        ``measure``: "outcome" or "roi"), ``cooldown``, ``bias_sd``; and when:
        ``start`` and ``end``, or ``n_periods``, which are the last of the training rows
        in which the channels spend. ``cost`` is money that the test takes beside the
        spend that it moves. A table of :func:`design_experiment` needs ``media``,
        ``n_periods`` and ``change`` beside its own columns. None: every channel goes
        dark, or spends half as much again, for six weeks in half of the regions (of
        fewer than four, in all); see Notes.
    horizon : int, default=None
        Coming periods for which the plan is made, as in `optimize_budget`. None: those
        of a year, without X.
    X : array-like or dataframe, default=None
        Rows for which the plan is made, in place of `horizon`.
    budget, bounds, fixed
        Of the plan, as in :func:`~skmmm.allocation.optimize_budget`.

    Returns
    -------
    table : DataFrame
        One row per design, with its index, that of the highest net value first:

        - ``media``, ``start``, ``end``, ``regions``, ``n_regions``, ``change``,
          ``std_error`` (with ``bias_sd``);
        - ``expected``, ``expected_sd``: what the model says that the test will measure,
          mean and standard deviation over draws;
        - ``information``: nats that are expected of the test;
        - ``doubt_removed``: share of the variance of what its channels cause in the
          coming periods that it is expected to take away;
        - ``plan_value``: KPI that the plan after the test is expected to earn more than
          today's best, and ``plan_value_error``, the Monte Carlo standard error of few
          draws;
        - ``spend_change``, money that the test moves; ``cost``, KPI units: what it
          loses while it runs, less what its money earns elsewhere, and what the design
          says. A test that moves money to where it earns more costs nothing: a plan
          does that without a test;
        - ``net_value``: ``plan_value`` less ``cost``;
        - ``reason``, in words; of channels of which only the total is known it says
          which tests tell them apart, and which of these has the highest net value.

    Raises
    ------
    ValueError
        If a design cannot be understood, or the model has no draws, no periods, or
        `synergies`, with which effects do not add up.

    See Also
    --------
    design_experiment : In which regions, and with which standard error.
    skmmm.allocation.optimize_budget : The plan; its ``worth_testing()`` says what it is
        worth to know what each channel causes, whatever the test.

    Notes
    -----
    With :math:`\\tau` what the test measures, a normal error of variance :math:`s^2`,
    and :math:`e(a)` what plan a earns,

    .. math::

        \\text{information} = \\tfrac12 \\log\\left(1 +
        \\frac{\\operatorname{var} \\tau}{s^2}\\right), \\qquad
        \\text{plan value} = \\operatorname{E}_{\\hat\\tau} \\max_a
        \\operatorname{E}[e(a) \\mid \\hat\\tau] - \\max_a \\operatorname{E}[e(a)].

    The second is the expected value of sample information [1]_. Few draws cannot be
    weighed by an outcome: the nearest would be all that is left. Expected responses are
    linear functions of :math:`\\tau` instead, by regression over the draws [2]_, and
    outcomes are moment-matched [3]_. Plans before and after are judged by the same
    draws; a value below two Monte Carlo errors is called none. Draws of another seed
    give another value within that error: more of them (`n_draws`) are surer.

    Without designs, a standard error is that of differences between a window and the
    one before it, in treated less in other regions, of what the model does not explain
    of the KPI of the training rows.

    A channel that `fit` warns of keeps its spend in today's plan; after a test on it
    that is expected to remove half of the doubt, the plan may move it, and
    ``plan_value`` has what that earns. Money is counted at what the last unit earns in
    today's best plan. What is learned counts for the coming periods alone, from their
    first on.

    References
    ----------
    .. [1] Raiffa, Schlaifer (1961). Applied Statistical Decision Theory. Harvard.
    .. [2] Strong, Oakley, Brennan (2014). Estimating multiparameter partial expected
       value of perfect information from a probabilistic sensitivity analysis sample.
       Medical Decision Making 34.
    .. [3] Heath, Manolopoulou, Baio (2018). Efficient Monte Carlo estimation of the
       expected value of sample information using moment matching. Medical Decision
       Making 38.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.experiments import recommend_experiment
    >>> data = make_mmm_panel(4, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=data.media, region="region", time="week", media_cost=1.0, graph=None,
    ...     max_lag=4, n_draws=16, random_state=0,
    ... ).fit(data.X, data.y)
    >>> tests = recommend_experiment(model, horizon=13)
    >>> tests["media"].nunique()
    2
    >>> bool(tests["net_value"].is_monotonic_decreasing)
    True
    """
    model = _model_of(estimator)
    designs = candidate_tests(model) if designs is None else designs
    expected = model._expected(designs)
    if horizon is None and X is None:
        horizon = model._calendar.season_length
    results = read_question(
        estimator,
        X,
        horizon,
        budget=budget,
        bounds=bounds,
        money_bounds=None,
        fixed=fixed,
        constraints=None,
        target_roi=None,
        target_mroi=None,
        allow_extrapolation=False,
    )
    knowledge = Knowledge(results)
    table = _table(expected, model, knowledge)
    table.index = designs.index
    return table.sort_values("net_value", ascending=False, kind="stable")


def _model_of(estimator):
    """Return the model that knows its draws and periods."""
    inside = unwrap(estimator)
    if inside.steps or not hasattr(inside.model, "_expected"):
        raise ValueError(
            "recommend_experiment needs a DeepCausalMMMRegressor that reads X as it "
            f"is, not {type(estimator).__name__}."
        )
    check_is_fitted(inside.model)
    inside.model._check_draws("recommend_experiment")
    if inside.model._calendar is None:
        raise ValueError(
            "Experiments run for some periods, but the model has no time column. Name "
            "it with the parameter time."
        )
    return inside.model


def _table(expected, model, knowledge):
    """Return the table of all designs in their order."""
    rows, values = expected.rows, expected.values
    error = np.array([np.hypot(one.std_error, one.bias_sd) for one in rows])
    variance = values.var(axis=0, ddof=1)
    removed = doubt_removed(values, _caused(knowledge, expected.media), error)
    found = []
    for q, labels in enumerate(expected.media):
        doubt = removed[q]
        settles = len(labels) == 1 and doubt >= model._settled_from
        settles = settles and not model._contradicted_channels()[labels[0]]
        channel = labels[0] if settles else None
        found.append(knowledge.value(values[:, q], error[q] ** 2, channel))
    plan_value = np.array([one.value for one in found])
    plan_error = np.array([one.error for one in found])
    price = found[0].price
    # Where less spend earns more, a plan earns that without a test.
    money = np.nan_to_num(expected.spend_change)
    lost = np.maximum(price * money - expected.brought, 0.0)
    cost = lost + price * expected.cost
    names = ["; ".join(map(str, labels)) for labels in expected.media]
    table = pd.DataFrame(
        {
            "media": names,
            "start": [start for start, _ in expected.windows],
            "end": [end for _, end in expected.windows],
            "regions": expected.regions,
            "n_regions": [len(regions) for regions in expected.regions],
            "change": [one.change for one in rows],
            "std_error": error,
            "expected": values.mean(axis=0),
            "expected_sd": np.sqrt(variance),
            "information": 0.5 * np.log1p(variance / error**2),
            "doubt_removed": removed,
            "plan_value": plan_value,
            "plan_value_error": plan_error,
            "spend_change": expected.spend_change,
            "cost": cost,
            "net_value": plan_value - cost,
        }
    )
    table["reason"] = [_reason(row) for row in table.to_dict("records")]
    table["reason"] += _splits(expected.media, table["net_value"], knowledge.together)
    return table


def _splits(media, net_value, together):
    """Say of each design what it tells of channels of which only a total is known.

    Parameters
    ----------
    media : list of list
        Channels of each design.
    net_value : Series
        Of each design.
    together : list of list
        Channels of which only the total is known, by group.
    """
    said = np.full(len(media), "", dtype=object)
    for group in together:
        known = f" Of {_sum_of(group)} only the total is known: "
        moved = [[label for label in group if label in labels] for labels in media]
        apart = np.array([0 < len(own) < len(group) for own in moved])
        values = net_value.where(apart)
        best = values.argmax() if values.count() > 1 else -1
        for q, own in enumerate(moved):
            others = _sum_of([label for label in group if label not in own])
            pays = ", and of the tests that do, it pays most" if q == best else ""
            if apart[q]:
                said[q] += f"{known}this tells {_sum_of(own)} from {others}{pays}."
            elif own:
                some = "one" if len(group) == 2 else "some"
                said[q] += f"{known}vary {some} of them alone to tell them apart."
    return said


def _sum_of(labels):
    """Return several channels as one."""
    return " + ".join(map(called, labels))


def _caused(knowledge, media):
    """Return what the channels of each design cause, (n_draws, Q)."""
    position = {label: m for m, label in enumerate(knowledge.labels)}
    own = [[position[label] for label in labels] for labels in media]
    return np.stack([knowledge.caused[:, m].sum(axis=1) for m in own], axis=1)


def _reason(row):
    """Say what speaks for a test and against it."""
    share = f"{row['doubt_removed']:.0%}" if row["doubt_removed"] >= 0.01 else "nothing"
    tells = f"It is expected to remove {share} of the doubt about {row['media']}"
    costs = "costs no KPI on balance: the money earns as much elsewhere"
    if row["cost"] > 0:
        costs = f"costs {in_money(row['cost'])} of the KPI"
    if row["plan_value"] < BEYOND_ERROR * row["plan_value_error"]:
        return (
            f"{tells}. It {costs}; what it adds to the plan is within the error of the "
            "draws."
        )
    more = in_money(row["plan_value"])
    return f"{tells}. It {costs}; the plan after it is expected to earn {more} more."
