"""Where the next unit of spend should go: plans for a budget, of any estimator."""

from copy import copy
from dataclasses import replace
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeResult
from sklearn.utils import Bunch

from skmmm._planning.flights import best_flights
from skmmm._planning.problem import (
    ALIKE,
    DEFAULT_BOUNDS,
    GROUPS,
    make_problem,
    read_risk,
)
from skmmm._planning.separable import best_multiples, tabulate
from skmmm._unwrapping import unwrap
from skmmm.inspection._intervals import bounds as quantiles
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import counterfactual_of

__all__ = ["budget_path", "optimize_budget"]

_ROUNDING = 1e-9  # of the outcome: what counts as the same
_N_BUDGETS = 11  # of a path
_CLOSE = 1e-3  # of the multiples: what counts as at a bound


def optimize_budget(
    estimator,
    budget=None,
    *,
    X=None,
    horizon=None,
    bounds=DEFAULT_BOUNDS,
    money_bounds=None,
    by="channel",
    target_roi=None,
    target_mroi=None,
    fixed=None,
    constraints=None,
    risk=None,
    effect="direct",
    allow_extrapolation=False,
    confidence_level=0.9,
    media=None,
    region=None,
    time=None,
    media_cost=None,
):
    """Find the spend that causes most.

    What is planned are multiples of the spend of X: of whole channels, of channels by
    region, or of channels by period. Within these the pattern of X over regions and
    periods is kept.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    budget : float, default=None
        Total spend over the rows of X, in money where the cost of channels is known,
        else in the units of X. None: what X spends. With a target, the most that may be
        spent (None: no limit but the bounds).
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers.
    horizon : int, default=None
        In place of X: so many coming periods, spend and controls as one year before,
        or as in the last periods if there is no year. For other plans pass
        `make_future_frame(...)` as X.
    bounds : (float, float) or mapping, default=(0.5, 2.0)
        Least and most multiples of current spend. A mapping from channels, or from
        (channel, region or period), bounds these, the narrower key before the wider;
        others have the default. Here and below, channels are names or positions.
    money_bounds : mapping or None, default=None
        Least and most money of channels, or of (channel, region or period), in place
        of `bounds`: ``{"paid_search": (0, 900_000)}``. Of a channel that is planned by
        region or period, its money over all of these, beside `bounds`.
    by : {"channel", "region", "period"}, default="channel"
    target_roi, target_mroi : float, default=None
        Spend as much as keeps the ROI of all spend (at the mode), or the ROI of the
        last unit of every channel that bounds do not hold, at the target, in KPI units
        per unit of spend.
    fixed : list or mapping, default=None
        Channels, or (channel, region or period), whose spend stays, or is set to so
        much money, also beyond observed data. A mapping names a channel or its cells,
        not both.
    constraints : list of (channels, least, most), default=None
        Limits on the planned spend of several channels together, in money; None: no
        limit. `channels` may be a mapping to weights.
    risk : None, ("cvar", share) or ("sd", k), default=None
        What is maximised: the outcome at the posterior mode; over posterior draws, its
        mean over the worst share of them, or its mean minus k standard deviations.
    effect : {"direct", "total"}, default="direct"
        Total: what is planned is what channels spend by themselves; others answer as
        the channel graph says, and what they then spend is part of the budget.
    allow_extrapolation : bool, default=False
        Whether plans may go beyond ``observed_until`` of `response_curve`.
    confidence_level : float in (0, 1), default=0.9
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region, time : str or int, default=None
        Columns to plan by. None: what the estimator says.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the columns. `DeepCausalMMMRegressor` knows its own.

    Returns
    -------
    result : OptimizeResult
        - ``allocation``: DataFrame indexed by channel, or by channel and region or
          period, with ``spend``, ``current_spend`` and ``change`` (relative),
          ``contribution`` (what the planned spend causes, KPI units), ``roi``,
          ``mroi`` (one percent more spend), and ``reason`` for where
          the plan stopped: "equal marginal return", "at lower bound", "at upper
          bound", "beyond observed spend", "fixed", "group limit", "target ROI" (which
          is met at the mode), "no spend to scale", "no cost: as today" (media without a
          cost beside others that have one stay as they are; their spend, change and
          returns are nan), "no cost: own spend as today, answers others" (with total
          effects), "as today"; "beyond observed data" is added where that is
          allowed. ``factor`` is the multiple of what the channel spends by itself,
          which for total effects is not all of its spend. With total effects,
          ``spend`` is what each channel spends in all, as in ``X``, and a further
          column, ``origin_spend``, what it spends by itself and makes others spend:
          that is what it is charged with, so that ``roi`` is ``contribution`` /
          ``origin_spend``. Both add up to the budget.
        - ``outcome``, ``outcome_low``, ``outcome_high``, ``current_outcome``: KPI that
          all spend of X causes, in its rows and later (see `channel_summary`), as it
          is maximised: at the mode or, with `risk`, what that makes of the draws.
        - ``probability_better``: share of draws in which the plan causes more than
          current spend; bounds and this are nan without draws.
        - ``success``, ``message``, ``nit``; ``x``: multiples; ``X``: the planned rows.

        If no plan can keep budget, bounds, constraints and target, ``success`` is False
        and the allocation that of today.

    Raises
    ------
    ValueError
        If an argument makes no sense: unknown channels, NaN, bounds that start beyond
        observed data, multiples above 100, a channel or cell that is bounded twice.

    Notes
    -----
    Spend (for total effects, ``origin_spend``), contributions, ROI and outcomes are at
    the mode, and the same that `channel_summary` says of the planned rows: with
    ``by="channel"`` and ``"region"`` cell by cell, with ``"period"`` for each channel
    over all periods. With `risk`, outcomes and ``mroi`` are what is maximised instead.
    ``outcome`` is below ``current_outcome`` only where today's spend is not allowed, or
    where a target asks for less spend.

    Where cells act side by side the plan is the solution of a linear programme over
    their curves, refined until it stands still, and no local optimum [1]_. Over periods
    carry-over joins the cells: there L-BFGS-B inside an augmented Lagrangian [2]_
    climbs from several starts with the gradient of the model. If nothing better than
    current spend is found and current spend is allowed, that is what is returned, and
    ``message`` says so.

    Of estimators other than `DeepCausalMMMRegressor` the KPI of the rows of X counts,
    not that of later periods; there are no draws, so that `risk` changes nothing; and a
    plan by period takes one prediction for each channel and period in every step.

    References
    ----------
    .. [1] Dantzig (1963). Linear Programming and Extensions, chapter 24 (separable
       programmes). Princeton.
    .. [2] Nocedal, Wright (2006). Numerical Optimization, section 17.4. Springer.
    .. [3] Rockafellar, Uryasev (2000). Optimization of Conditional Value-at-Risk.
       Journal of Risk 2.

    Examples
    --------
    >>> from skmmm.allocation import optimize_budget
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> data = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> plan = optimize_budget(model.fit(data.X, data.y), X=data.X)
    >>> plan.outcome > plan.current_outcome
    True
    >>> bool(abs(plan.allocation["change"]).max() <= 1.0 + 1e-9)
    True
    """
    report = _prepare(
        estimator,
        X=X,
        horizon=horizon,
        by=by,
        risk=risk,
        effect=effect,
        confidence_level=confidence_level,
        roles={
            "media": media,
            "region": region,
            "time": time,
            "media_cost": media_cost,
        },
        budget=budget,
        bounds=bounds,
        money_bounds=money_bounds,
        fixed=fixed,
        constraints=constraints,
        target_roi=target_roi,
        target_mroi=target_mroi,
        allow_extrapolation=allow_extrapolation,
    )
    return _best_plan(report)


def budget_path(
    estimator,
    budgets=None,
    *,
    X=None,
    horizon=None,
    bounds=DEFAULT_BOUNDS,
    money_bounds=None,
    fixed=None,
    constraints=None,
    risk=None,
    effect="direct",
    allow_extrapolation=False,
    confidence_level=0.9,
    media=None,
    region=None,
    time=None,
    media_cost=None,
):
    """Find the best plan for each of several budgets.

    Each is the plan by channel that `optimize_budget` finds for that budget. Where
    channels act side by side their curves are computed once for all budgets.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    budgets : array-like of shape (n_budgets,), default=None
        Total spend over the rows of X, in the units of `optimize_budget`. None: eleven
        from half to one and a half times what X spends, as far as bounds and observed
        data allow.
    X, horizon, bounds, money_bounds, fixed, constraints, risk, effect, \
allow_extrapolation, confidence_level, media, region, time, media_cost
        As of `optimize_budget`.

    Returns
    -------
    result : Bunch
        - ``table``: DataFrame with a row per budget, in rising order: ``budget``,
          ``outcome``, ``outcome_low`` and ``outcome_high`` (KPI that the plan causes),
          ``as_today`` (KPI if every channel is scaled alike to that budget, also
          beyond bounds and data) and ``mroi`` (KPI units per unit of money of the
          budget from this row to the next; the last row repeats). Outcomes of budgets
          for which there is no plan are nan.
        - ``plans``: list of OptimizeResult, one per row, as of `optimize_budget`.
        - ``current_budget``, ``current_outcome``: what X spends and what that causes.

    Raises
    ------
    ValueError
        As of `optimize_budget`, or if a budget is no positive number.

    Examples
    --------
    >>> from skmmm.allocation import budget_path
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> data = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> path = budget_path(model.fit(data.X, data.y), X=data.X)
    >>> bool((path.table["outcome"] >= path.table["as_today"]).all())
    True
    """
    report = _prepare(
        estimator,
        X=X,
        horizon=horizon,
        by="channel",
        risk=risk,
        effect=effect,
        confidence_level=confidence_level,
        roles={
            "media": media,
            "region": region,
            "time": time,
            "media_cost": media_cost,
        },
        budget=None,
        bounds=bounds,
        money_bounds=money_bounds,
        fixed=fixed,
        constraints=constraints,
        target_roi=None,
        target_mroi=None,
        allow_extrapolation=allow_extrapolation,
    )
    current = report.problem.current.sum()
    if budgets is None:
        budgets = _around(report.problem)
    budgets = np.unique(np.asarray(budgets, dtype=np.float64))
    if not (np.isfinite(budgets) & (budgets > 0)).all():
        raise ValueError(f"budgets must be positive numbers, got {budgets.tolist()}.")
    report.tabulate()
    plans = [_best_plan(report.for_budget(budget)) for budget in budgets]
    return Bunch(
        table=_path_table(report, budgets, plans),
        plans=plans,
        current_budget=float(current),
        current_outcome=float(report.current.outcome),
    )


def _around(problem):
    """Return budgets around today's that bounds allow."""
    current = problem.current.sum()
    least, most = (problem.current * problem.low).sum(), problem.current @ problem.high
    ends = max(0.5 * current, least), min(1.5 * current, most)
    half = (_N_BUDGETS + 1) // 2
    middle = np.clip(current, *ends)  # today's is one of them where it may be
    return np.append(
        np.linspace(ends[0], middle, half), np.linspace(middle, ends[1], half)[1:]
    )


def _path_table(report, budgets, plans):
    """Return what each budget causes, planned and scaled."""
    found = np.array([plan.success for plan in plans])
    outcomes = {
        name: np.where(found, [plan[name] for plan in plans], np.nan)
        for name in ("outcome", "outcome_low", "outcome_high")
    }
    scaled = [report.scaled_outcome(budget) for budget in budgets]
    table = pd.DataFrame({"budget": budgets, **outcomes, "as_today": scaled})
    between = np.diff(table["outcome"]) / np.diff(budgets)
    last = between[-1:] if len(between) else [np.nan]
    return table.assign(mroi=np.append(between, last))


def _prepare(
    estimator, *, X, horizon, by, risk, effect, confidence_level, roles, **limits
):
    """Read the question, and return the report that answers it."""
    if not isinstance(by, str) or by not in GROUPS:
        raise ValueError(f"by={by!r} must be one of {sorted(GROUPS)}.")
    tail = tail_probability(confidence_level)
    read_risk(risk)
    what_if = counterfactual_of(
        estimator,
        X if horizon is None else _coming(estimator, X, horizon),
        effect=effect,
        **roles,
    )
    _check_period(what_if, by)
    what_if, costless = _in_money(what_if)
    problem = make_problem(what_if, by, costless=costless, **limits)
    return _Report(what_if, problem, by, risk, tail, costless)


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


def _best_plan(report):
    """Return the result of the search for the best plan."""
    problem = report.problem
    reason = problem.infeasible(answered=report.what_if.answers)
    if reason is not None:
        return report.today(reason, success=False, nit=0)
    if not problem.free.any():
        return report.of(problem.low, nit=0)
    plan, nit = report.search()
    if plan is None:
        return report.today(_why_none(problem, report), success=False, nit=nit)
    return report.of(plan, nit)


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


def _why_none(problem, report):
    if problem.target_roi is not None:
        return (
            f"No plan: with these bounds and constraints, no spend has an ROI of "
            f"{problem.target_roi:.6g} (today's has {report.current_roi:.6g}). Lower "
            "target_roi or the lower bounds."
        )
    return (
        "No plan was found that keeps bounds, budget and constraints together. Widen "
        "one of them."
    )


class _Report:
    """Says of plans what they cost and cause.

    The `outcome` of a plan is the one number that is maximised, compared with today's
    and reported: at the mode, or what `risk` makes of the draws.
    """

    def __init__(self, what_if, problem, by, risk, tail, costless):
        self.what_if, self.problem, self.by, self.tail = what_if, problem, by, tail
        self.costless = costless  # channels
        self.weigh, self.worth = read_risk(risk)
        self.risk = risk if what_if.has_draws else None
        self.outcomes = None  # of plans, as the search knows them
        self.current = self._effects(np.ones(len(problem.current)))

    def for_budget(self, budget):
        """Return the report on the same problem with another budget."""
        other = copy(self)
        other.problem = replace(self.problem, budget=float(budget))
        return other

    def tabulate(self):
        """Compute the curves that all searches share, where channels allow it."""
        if self.what_if.additive:
            one, draws = np.ones(len(self.problem.current)), self.risk is not None
            self.outcomes = tabulate(
                self.what_if, self.problem, self._group, one, draws=draws
            )

    def search(self):
        """Return the best plan, None if there is none, and the rounds that took."""
        what_if, problem, draws = self.what_if, self.problem, self.risk is not None
        if self.by == "period":
            plan, nit, self.outcomes = best_flights(
                what_if, problem, self.weigh, self.worth, draws=draws
            )
        else:
            plan, nit, self.outcomes = best_multiples(
                what_if,
                problem,
                self._group,
                self.weigh,
                self.worth,
                draws=draws,
                curves=self.outcomes,
            )
        return plan, nit

    def scaled_outcome(self, budget):
        """Return what a budget causes if every channel is scaled alike."""
        share = budget / self.problem.current.sum()
        alike = np.where(self._without_cost, 1.0, share)
        alike = alike.reshape(self.problem.shape)
        draws = self.risk is not None
        return float(self.worth(self.what_if.outcome(alike, self._group, draws=draws)))

    @property
    def current_roi(self):
        """Of all spend today, at the mode."""
        spend = self.what_if.spend.sum()
        return self.current.at_mode / spend if spend else np.nan

    def of(self, plan, nit):
        """Return the result for a plan, or for today if that is better."""
        problem = self.problem
        found = self._effects(plan)
        better = self._merit(found) > self._merit(self.current)
        if self._allows_today() and not better:
            return self.today(
                "Nothing better than current spend was found.", success=True, nit=nit
            )
        unreached = _unreached(problem, plan, self._marginal(plan, found))
        unreached = unreached or _unspent(problem, found)
        result = self._result(plan, found, self._reasons(plan), nit)
        result.success = unreached is None
        result.message = unreached or _in_words(
            gain=_relative(found.outcome, self.current.outcome),
            money=_relative(found.spend.sum(), problem.current.sum()),
            probability=result.probability_better,
            counted=_risk_in_words(self.risk),
            worse=not better and not problem.has_target,
            costless=self._costless_in_words(result.X),
        )
        return result

    def today(self, message, *, success, nit):
        """Return the result of leaving everything as it is."""
        plan = np.ones(len(self.problem.current))
        reasons = np.full(len(plan), "as today", dtype=object)
        result = self._result(plan, self.current, reasons, nit)
        result.success, result.message = success, message
        return result

    def _result(self, plan, found, reasons, nit):
        problem, groups = self.problem, self.problem.groups
        low, high, better, costless = np.nan, np.nan, np.nan, self._without_cost
        if found.draws is not None:
            low, high = quantiles(found.draws, self.tail, found.outcome)
            more = found.draws - self.current.draws
            tie = np.abs(more) <= _ROUNDING * np.abs(self.current.draws).max()
            better = float(np.where(tie, 0.5, more > 0).mean())
        if self.by == "channel":
            index = pd.Index(problem.labels, name="channel")
        else:
            index = pd.MultiIndex.from_product(
                [problem.labels, groups], names=["channel", self.by]
            )
        planned = self.what_if.planned_rows(plan.reshape(problem.shape), self._group)
        with np.errstate(divide="ignore", invalid="ignore"):
            allocation = pd.DataFrame(
                {
                    "spend": np.where(costless, np.nan, found.spend),
                    "current_spend": np.where(costless, np.nan, problem.current),
                    "change": found.spend / problem.current - 1.0,
                    "contribution": found.contribution,
                    "roi": found.roi,
                    "mroi": np.where(costless, np.nan, self._marginal(plan, found)),
                    "reason": self._idle(reasons, self._answering(planned)),
                    "factor": plan,
                },
                index=index,
            )
        if self.what_if.answers:
            origin = np.where(costless, np.nan, found.origin_spend)
            allocation.insert(3, "origin_spend", origin)
        return OptimizeResult(
            allocation=allocation,
            outcome=float(found.outcome),
            outcome_low=float(low),
            outcome_high=float(high),
            current_outcome=float(self.current.outcome),
            probability_better=better,
            x=plan,
            X=planned,
            nit=nit,
        )

    @property
    def _group(self):
        return GROUPS[self.by]

    def _effects(self, plan):
        """Return what a plan causes: by cell at the mode, by draw, and its outcome."""
        plan, group = plan.reshape(self.problem.shape), self._group
        found = self.what_if.plan_effects(plan, group)
        found.at_mode, found.draws = found.outcome, None
        if self.what_if.has_draws:
            found.draws = self.what_if.outcome(plan, group, draws=True)
        if self.risk is not None:
            found.outcome = self.worth(found.draws)
        return found

    def _marginal(self, plan, found):
        """Return the return of the last unit of every cell, in what is maximised."""
        known = self.outcomes is not None and self.outcomes.covers(plan)
        if self.risk is None or not known:
            return found.mroi
        return self.outcomes.marginal(plan, self.weigh)

    def _merit(self, found):
        """Return what is maximised."""
        return found.outcome - (self.problem.target_mroi or 0.0) * found.spend.sum()

    def _allows_today(self):
        p, one = self.problem, np.ones(len(self.problem.current))
        if ((p.low > 1) | (p.high < 1)).any():
            return False
        together = p.rows @ one
        if ((together < p.least) | (together > p.most)).any():
            return False
        if p.budget is not None:
            over = _relative(p.current.sum(), p.budget)
            if over > _CLOSE or (over < -_CLOSE and not p.has_target):
                return False
        return p.target_roi is None or self.current_roi >= p.target_roi

    def _reasons(self, plan):
        """Return why each cell stops where it does."""
        p = self.problem
        inside = "equal marginal return" if p.target_roi is None else "target ROI"
        reasons = np.full(len(plan), inside, dtype=object)
        together = p.rows @ plan
        slack = _CLOSE * p.current.sum()
        for row, total, least, most in zip(
            p.rows, together, p.least, p.most, strict=True
        ):
            if min(total - least, most - total) < slack:
                reasons[row != 0] = "group limit"
        reasons[plan <= p.low + _CLOSE] = "at lower bound"
        at_end = plan >= p.high - _CLOSE
        reasons[at_end] = "at upper bound"
        reasons[at_end & p.refused] = "beyond observed spend"
        reasons[~p.free & ~p.refused] = "fixed"
        beyond = plan > np.maximum(p.until, 1.0) + _CLOSE
        reasons[beyond] = reasons[beyond] + "; beyond observed data"
        return reasons

    @property
    def _without_cost(self):
        """Which cells have no cost beside others that have one, shape (C,)."""
        problem = self.problem
        costless = [label in self.costless for label in problem.labels]
        return np.repeat(costless, len(problem.groups))

    def _answering(self, planned):
        """Which cells without a cost answer what others spend in a plan, (C,)."""
        answering = np.zeros(self.problem.shape, dtype=bool)
        if self.what_if.answers and self.costless:
            group, _ = self.what_if.groups(self._group)
            today = self.what_if.frame
            for label in self.costless:
                m = self.problem.labels.index(label)
                same = np.isclose(planned[label], today[label], rtol=ALIKE, atol=0.0)
                np.logical_or.at(answering[m], group, ~same)
        return answering.ravel()

    def _costless_in_words(self, planned):
        """Return a sentence on the channels without a cost beside others."""
        answering = self._answering(planned).reshape(self.problem.shape).any(axis=1)
        answer = [c for c, a in zip(self.problem.labels, answering, strict=True) if a]
        still = [label for label in self.costless if label not in answer]
        said = f" Without a cost, as today: {still}." if still else ""
        if answer:
            said += f" Without a cost, own spend as today, answers others: {answer}."
        return said

    def _idle(self, reasons, answering):
        """Say of cells without money why they are not planned."""
        reasons[self.problem.current == 0] = "no spend to scale"
        reasons[self._without_cost] = "no cost: as today"
        reasons[answering] = "no cost: own spend as today, answers others"
        return reasons


def _relative(value, reference):
    return (value - reference) / abs(reference) if reference else 0.0


def _unspent(problem, found):
    """Return why a plan misses the budget, None if it does not."""
    if problem.budget is None:
        return None
    off = _relative(found.spend.sum(), problem.budget)
    if off > _CLOSE or (off < -_CLOSE and not problem.has_target):
        return (
            f"No plan was found that spends the budget once others have answered: this "
            f"one spends {found.spend.sum() / problem.budget:.1%} of it. Widen the "
            "bounds."
        )
    return None


def _unreached(problem, plan, mroi):
    """Return why a target is not reached, None if it is."""
    if problem.target_mroi is None:
        return None
    free, target = problem.free, problem.target_mroi
    lowest = free & (plan <= problem.low + _CLOSE)
    if free.any() and lowest[free].all() and np.nanmax(mroi[free]) < target:
        return (
            f"The target is not reached: with all channels at their lower bounds, the "
            f"last unit earns at most {np.nanmax(mroi[free]):.6g}, less than "
            f"target_mroi={target:.6g}. Lower the target or the bounds."
        )
    return None


def _risk_in_words(risk):
    """Return how the outcome is counted, where it is not at the mode."""
    if risk is None:
        return ""
    kind, amount = risk
    if kind == "cvar":
        return f" by the mean of the worst {amount:.0%} of draws"
    return f" by the mean of the draws minus {amount:g} standard deviations"


def _in_words(*, gain, money, probability, counted, worse, costless):
    """Return a sentence on a plan: relative gain, relative change of spend."""
    spend = "the same spend"
    if abs(money) >= _CLOSE:
        spend = f"{abs(money):.1%} {'more' if money > 0 else 'less'} spend"
    causes = f"{abs(gain):.1%} {'more' if gain >= 0 else 'less'}"
    sure = ""
    if np.isfinite(probability):
        sure = f"; it causes more in {probability:.0%} of draws"
    judged = _doubt(gain, probability, counted)
    if worse and not judged:
        judged = " This is worse than today."
    plan = f"The plan causes {causes} than today{counted}, on {spend}{sure}."
    return plan + judged + costless


def _doubt(gain, probability, counted):
    """Return a sentence where fewer than half of the draws agree with the gain."""
    agree = probability if gain >= 0 else 1.0 - probability
    if np.isnan(agree) or agree >= 0.5:
        return ""
    if counted:
        meant = f"the {'gain' if gain >= 0 else 'loss'} is one by that measure only"
    elif gain >= 0:
        meant = (
            "the gain is within the uncertainty of the model, and no reason to move "
            "money"
        )
    else:
        meant = "the model does not know whether this is worse than today"
    return f" Fewer than half of the draws agree: {meant}."
