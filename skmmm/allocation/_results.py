"""What a plan costs and causes, and where it stopped."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skmmm._planning.flights import Outcomes, best_flights
from skmmm._planning.problem import ALIKE, GROUPS, Problem, read_risk
from skmmm._planning.separable import Curves, best_multiples, tabulate
from skmmm._unwrapping import bare
from skmmm._utils.labels import called
from skmmm._utils.typing import Array
from skmmm.allocation._asked import Question
from skmmm.allocation._information import can_know
from skmmm.allocation._levers import Levers, Moved
from skmmm.allocation._plan import BudgetPlan
from skmmm.allocation._prices import Prices
from skmmm.allocation._words import (
    CLOSE,
    costless_in_words,
    doubt_in_words,
    driven_in_words,
    idle_in_words,
    in_words,
    infeasible,
    joined_in_words,
    kept_in_words,
    later_in_words,
    price_in_words,
    relative,
    risk_in_words,
    unreached,
    unspent,
    untold_in_words,
    why_none,
)
from skmmm.inspection._intervals import bounds as quantiles
from skmmm.inspection._protocol import Counterfactual

_EQUAL = "equal marginal return"  # why cells stop that no bound holds
_ROUNDING = 1e-9  # of the outcome: what counts as the same


def graph_weights(estimator: Any, labels: list) -> Array:
    """Return how channels drive each other by the graphs of models, zero without one.

    ``[i, j]``: how i drives j. Channels of groups drive those of the same group.
    """
    groups = getattr(estimator, "estimators_", None)
    if not isinstance(groups, Mapping):
        groups = {(): estimator}
    weights = pd.DataFrame(0.0, range(len(labels)), range(len(labels)))
    at = {label: i for i, label in enumerate(labels)}
    for group, own in groups.items():
        model = bare(own)
        if getattr(model, "causal_graph_", None) is None:
            continue
        key = group if isinstance(group, tuple) else (group,)
        of_group = [(*key, label) if key else label for label in model.media_]
        known = np.array([label in at for label in of_group])
        places = [at[label] for label in of_group if label in at]
        weights.loc[places, places] = model.causal_graph_[np.ix_(known, known)]
    return weights.to_numpy()


class PlanResults:
    """Finds plans, and says what they cost and cause.

    The `outcome` of a plan is the one number that is maximised, compared with today's
    and reported: at the point, or what `risk` makes of the draws.
    """

    def __init__(
        self,
        counterfactual: Counterfactual,
        problem: Problem,
        by: str,
        risk: Any,
        tail: float,
        costless: list,
        apart: Callable[..., Problem],
        question: Question,
        prices: Prices | None,
        levers: Levers | None = None,
    ):
        self.counterfactual, self.problem, self.by, self.tail = (
            counterfactual,
            problem,
            by,
            tail,
        )
        self.costless = costless  # channels
        self._apart = apart
        self.question, self.prices = question, prices
        self.levers = levers  # that are still to be decided
        self.moved: Moved | None = None  # those that were
        self.weigh, self.worth = read_risk(risk)
        self.risk = risk if counterfactual.has_draws else None
        self.curves: Curves | None = None  # that all searches share
        # Of plans, as the search knows them.
        self.outcomes: Curves | Outcomes | None = None
        self.current = self._effects(np.ones(len(problem.current)))

    @property
    def n_draws(self):
        """Number of posterior draws."""
        return 0 if self.current.draws is None else len(self.current.draws)

    def apart(self, *channels):
        """Return the problem in which channels may move by themselves."""
        return replace(self._apart(*channels), budget=self.problem.budget)

    def for_budget(self, budget):
        """Return the results of the same problem with another budget."""
        other = copy(self)
        other.problem = replace(self.problem, budget=float(budget))
        settings = self.question.settings | {"budget": float(budget)}
        other.question = replace(self.question, settings=settings)
        return other

    def tabulate(self):
        """Compute the curves that all searches share, where channels allow it."""
        if self.counterfactual.additive:
            one, draws = np.ones(len(self.problem.current)), self.risk is not None
            self.curves = tabulate(
                self.counterfactual, self.problem, self._group, one, draws=draws
            )

    def search(self):
        """Return the best plan, None if there is none, and the rounds that took."""
        counterfactual, problem = self.counterfactual, self.problem
        draws = self.risk is not None
        if self.by == "period":
            plan, nit, self.outcomes = best_flights(
                counterfactual, problem, self.weigh, self.worth, draws=draws
            )
        else:
            plan, nit, self.outcomes = best_multiples(
                counterfactual,
                problem,
                self._group,
                self.weigh,
                self.worth,
                draws=draws,
                curves=self.curves,
            )
        return plan, nit

    def best_for(self, weights):
        """Return the best plan where each region has its own mean over draws.

        Parameters
        ----------
        weights : ndarray of shape (n_regions, n_draws)
            One row per region of the plan, each summing to one.
        """
        if not self.counterfactual.additive:
            raise ValueError(
                "explore='thompson' plans under draws of channels whose effects add "
                "up, and those of this model have synergies. Use explore='greedy', or "
                "fit with synergies=None."
            )
        problem, one = self.problem, np.ones(len(self.problem.current))
        known = tabulate(self.counterfactual, problem, self._group, one, draws=True)
        plan, nit, _ = best_multiples(
            self.counterfactual,
            problem,
            self._group,
            self.weigh,
            self.worth,
            draws=True,
            curves=known.mixed(weights),
        )
        if plan is None:
            return self.today(why_none(problem, np.nan), success=False, nit=nit)
        return self.chosen(plan, nit, f"{_EQUAL} under its draws")

    def chosen(self, plan, nit, inside):
        """Return the result for a plan, also if today is better at the point.

        `inside` is why cells stop that no bound holds.
        """
        found = self._effects(plan)
        better = self._merit(found) > self._merit(self.current)
        reasons = self._reasons(plan, inside)
        return self._described(plan, found, reasons, nit, better=better)

    def _with_levers(self, levers):
        """Return the results that plan media for what levers leave of the budget.

        None if no plan can spend it.
        """
        other, lines = copy(self), levers.lines
        n_media = len(self.problem.current)
        curves = self.curves
        if curves is None:
            one = np.ones(n_media)
            curves = tabulate(
                self.counterfactual, self.problem, self._group, one, draws=False
            )
        plan, _, _ = best_multiples(
            self.counterfactual,
            lines.in_problem(self.problem),
            self._group,
            self.weigh,
            self.worth,
            draws=False,
            curves=lines.in_curves(curves),
        )
        if plan is None:
            return None
        inside = self._why_levers_stop(plan[:n_media])
        other.levers, other.moved = None, levers.at(plan[n_media:], inside)
        other.curves = curves
        rest = self.problem.budget - other.moved.money.sum()
        other.problem = replace(self.problem, budget=rest)
        return other

    def _why_levers_stop(self, plan):
        """Return why levers stop between their ends, beside a plan of media."""
        reasons = self._reasons(plan, _EQUAL)
        inside = any(reason.startswith(_EQUAL) for reason in reasons)
        return _EQUAL if inside else "budget spent"

    def _best_with_levers(self, levers):
        """Return the result of the search for the best plan of media and levers."""
        found = self._with_levers(levers)
        if found is not None:
            return found.best()
        other = copy(self)
        other.levers, other.moved = None, levers.as_today()
        reason = levers.infeasible(self.problem)
        reason = reason or why_none(self.problem, self.current_roi)
        return other.today(reason, success=False, nit=0)

    def scaled_outcome(self, budget):
        """Return what a budget causes if every channel is scaled alike."""
        share = budget / self.problem.current.sum()
        alike = np.where(self._without_cost, 1.0, share)
        alike = alike.reshape(self.problem.shape)
        draws = self.risk is not None
        return float(
            self.worth(self.counterfactual.outcome(alike, self._group, draws=draws))
        )

    @property
    def current_roi(self):
        """Of all spend today, at the point."""
        spend = self.counterfactual.total_spend
        return self.current.at_mode / spend if spend else np.nan

    def best(self):
        """Return the result of the search for the best plan."""
        if self.levers is not None:
            return self._best_with_levers(self.levers)
        problem = self.problem
        reason = infeasible(problem, responds=self.counterfactual.responds)
        if reason is not None:
            return self.today(reason, success=False, nit=0)
        plan, nit = self.search() if problem.free.any() else (self._only_plan(), 0)
        if plan is None:
            reason = why_none(problem, self.current_roi)
            return self.today(reason, success=False, nit=nit)
        return self.result_for(plan, nit)

    def _only_plan(self):
        """Return the plan where no cell may move, None if it misses `target_roi`."""
        plan, target = self.problem.low, self.problem.target_roi
        if target is not None:
            found = self._effects(plan)
            if found.at_mode < (1.0 - _ROUNDING) * target * found.spend.sum():
                return None
        return plan

    def result_for(self, plan, nit):
        """Return the result for a plan, or for today if that is better."""
        problem = self.problem
        found = self._effects(plan)
        better = self._merit(found) > self._merit(self.current)
        if self._allows_today() and not better:
            message = "Nothing better than current spend was found."
            spends = problem.current > 0
            if spends.any() and (problem.kept != "")[spends].all():
                message = "Every channel keeps its spend: there is nothing to plan."
            message += kept_in_words(problem) + self._price_in_words()
            message += idle_in_words(problem, self.costless)
            message += self._later_in_words(np.ones(len(problem.current)))
            if self.moved is not None:
                message += " Levers stay as they are."
            return self.today(message, success=True, nit=nit)
        inside = _EQUAL if problem.target_roi is None else "target ROI"
        reasons = self._reasons(plan, inside)
        return self._described(plan, found, reasons, nit, better=better)

    def _described(self, plan, found, reasons, nit, *, better):
        """Return the result for a plan of which effects and reasons are known."""
        problem = self.problem
        missed = unreached(problem, plan, self._marginal(plan, found))
        missed = missed or unspent(problem, found)
        result = self._result(plan, found, reasons, nit, self.moved)
        result.success = missed is None
        result.message = missed or in_words(
            gain=relative(found.outcome, self.current.outcome),
            money=relative(
                found.spend.sum() + self._lever_money, problem.current.sum()
            ),
            probability=result.probability_better,
            counted=risk_in_words(self.risk),
            causes="media" if self.moved is None else "media and levers together",
            media=relative(found.spend.sum(), problem.current.sum()),
            worse=not better and not problem.has_target,
            as_today=self._gain_of_todays_mix(found),
            notes=("" if self.moved is None else self.moved.in_words())
            + kept_in_words(problem)
            + joined_in_words(problem)
            + untold_in_words(
                problem, plan, self._verdicts, self.counterfactual.doubted()
            )
            + self._driven_in_words(plan)
            + self._costless_in_words(result.X)
            + self._price_in_words()
            + (doubt_in_words(result.probability_better) if can_know(self) else "")
            + idle_in_words(problem, self.costless)
            + self._later_in_words(plan),
        )
        return result

    def _gain_of_todays_mix(self, found):
        """Return the relative gain of today's mix on the spend of a smaller plan.

        None if that is no less than today's spend, levers take money, too, or others
        respond, so that another spend comes of it.
        """
        share = 1.0 + relative(found.spend.sum(), self.problem.current.sum())
        if share >= 1.0 - CLOSE or self.moved is not None:
            return None
        mix = self._effects(np.full(len(self.problem.current), share))
        if abs(relative(mix.spend.sum(), found.spend.sum())) > CLOSE:
            return None
        return relative(mix.outcome, self.current.outcome)

    def _driven_in_words(self, plan):
        """Say which channels are cut although they drive others, in direct effects."""
        problem = self.problem
        weights = graph_weights(self.question.estimator, problem.labels)
        if not weights.any() or self.counterfactual.responds:
            return ""
        today, then = (
            (cells * problem.current).reshape(problem.shape).sum(axis=1)
            for cells in (1.0, plan)
        )
        change = np.where(today > 0, then / np.where(today > 0, today, 1.0) - 1.0, 0.0)
        advice = " Plan with effect='total' to count it."
        if not self.counterfactual.additive:
            advice = ""  # of pairs there are no total effects
        return driven_in_words(problem.labels, change, weights, advice)

    def _later_in_words(self, plan):
        """Say what the spend of a plan brings after the periods that count."""
        if not self.counterfactual.has_stock:
            return ""
        later, today = (
            self.counterfactual.planned(cells, self._group).to_come()[0]
            for cells in (plan.reshape(self.problem.shape), np.ones(self.problem.shape))
        )
        valued = "kpi_value" in self.question.settings
        unit = "money" if valued else "units of the KPI"
        return later_in_words(self.problem.labels, later, today, unit)

    def _price_in_words(self):
        """Say which prices are assumed, and where these rows paid another one."""
        table, group = self.counterfactual, self._group
        paid, at_mean = table.paid_in(group), table.spend_in(group)
        assumed = "" if self.prices is None else self.prices.in_words()
        return assumed + price_in_words(table.labels, paid.T, at_mean.T)

    def today(self, message, *, success, nit):
        """Return the result of leaving everything as it is."""
        plan = np.ones(len(self.problem.current))
        reasons = np.full(len(plan), "as today", dtype=object)
        still = None if self.moved is None else self.moved.levers.as_today()
        result = self._result(plan, self.current, reasons, nit, still)
        result.success, result.message = success, message
        return result

    def _result(self, plan, found, reasons, nit, moved):
        problem = self.problem
        ends, better, costless = np.full((2, 2), np.nan), np.nan, self._without_cost
        if found.draws is not None:
            gain = found.draws - self.current.draws
            rise = found.outcome - self.current.outcome
            ends[0] = quantiles(found.draws, self.tail, found.outcome)
            ends[1] = quantiles(gain, self.tail, rise)
            tie = np.abs(gain) <= _ROUNDING * np.abs(self.current.draws).max()
            better = float(np.where(tie, 0.5, gain > 0).mean())
        cells = plan.reshape(problem.shape), self._group
        planned = self.counterfactual.planned_rows(*cells)
        more = {}
        if moved is not None:
            planned = moved.in_rows(planned)
            more["levers"] = moved.table(self.tail)
        if self.prices is not None:
            more["unit_prices"] = self.counterfactual.planned(*cells).unit_prices()
        with np.errstate(divide="ignore", invalid="ignore"):
            allocation = pd.DataFrame(
                {
                    "spend": np.where(costless, np.nan, found.spend),
                    "current_spend": np.where(costless, np.nan, problem.current),
                    "change": found.spend / problem.current - 1.0,
                    "contribution": found.contribution,
                    "roi": found.roi,
                    "mroi": np.where(costless, np.nan, self._marginal(plan, found)),
                    "reason": self._idle(reasons, self._responding(planned)),
                    "factor": plan,
                },
                index=self.counterfactual.cells_index(self._group),
            )
        if self.counterfactual.responds:
            origin = np.where(costless, np.nan, found.origin_spend)
            allocation.insert(3, "origin_spend", origin)
        if self._verdicts is not None:
            allocation["verdict"] = np.repeat(self._verdicts, len(problem.groups))
        return BudgetPlan(
            self.question,
            self,
            allocation=allocation,
            outcome=float(found.outcome),
            outcome_low=float(ends[0, 0]),
            outcome_high=float(ends[0, 1]),
            current_outcome=float(self.current.outcome),
            gain_low=float(ends[1, 0]),
            gain_high=float(ends[1, 1]),
            probability_better=better,
            x=plan,
            X=planned,
            nit=nit,
            **more,
        )

    @property
    def _group(self):
        return GROUPS[self.by]

    @cached_property
    def _verdicts(self):
        """The verdict on each channel, (M,); None of estimators that give none."""
        return self.counterfactual.judgements().get("verdict")

    def _effects(self, plan):
        """Return what a plan causes: by cell at the point, by draw, and its outcome."""
        plan, group = plan.reshape(self.problem.shape), self._group
        found = self.counterfactual.plan_effects(plan, group)
        found.at_mode, found.draws = found.outcome, None
        if self.counterfactual.has_draws:
            found.draws = self.counterfactual.outcome(plan, group, draws=True)
        if self.risk is not None:
            found.outcome = self.worth(found.draws)
        if self.moved is not None:
            found.outcome = found.outcome + self.moved.contribution.sum()
            found.draws = found.draws + self.moved.drawn.sum(axis=1)
        return found

    @property
    def _lever_money(self):
        """What levers take from the budget."""
        return 0.0 if self.moved is None else self.moved.money.sum()

    def _marginal(self, plan, found):
        """Return the return of the last unit of every cell, in what is maximised."""
        if self.risk is None or self.outcomes is None or not self.outcomes.covers(plan):
            return found.mroi
        return self.outcomes.marginal(plan, self.weigh)

    def _merit(self, found):
        """Return what is maximised."""
        return found.outcome - (self.problem.target_mroi or 0.0) * found.spend.sum()

    def _allows_today(self):
        p, one = self.problem, np.ones(len(self.problem.current))
        if ((p.low > 1) | (p.high < 1)).any():
            return False
        if self.moved is not None and not self.moved.levers.allow_today:
            return False
        totals = p.rows @ one
        if ((totals < p.least) | (totals > p.most)).any():
            return False
        if p.budget is not None:
            over = relative(p.current.sum(), p.budget + self._lever_money)
            if over > CLOSE or (over < -CLOSE and not p.has_target):
                return False
        return p.target_roi is None or self.current_roi >= p.target_roi

    def _reasons(self, plan, inside):
        """Return why each cell stops where it does; `inside` if nothing holds it."""
        p = self.problem
        reasons = np.full(len(plan), inside, dtype=object)
        totals = p.rows @ plan
        slack = CLOSE * p.current.sum()
        for row, total, least, most in zip(
            p.rows, totals, p.least, p.most, strict=True
        ):
            if min(total - least, most - total) < slack:
                reasons[row != 0] = "group limit"
        reasons[plan <= p.low + CLOSE] = "at lower bound"
        at_end = plan >= p.high - CLOSE
        reasons[at_end] = "at upper bound"
        reasons[at_end & p.refused] = "beyond observed spend"
        reasons[~p.free & ~p.refused] = "fixed"
        beyond = plan > np.maximum(p.until, 1.0) + CLOSE
        reasons[beyond] = reasons[beyond] + "; beyond observed data"
        for cell in range(len(plan)):
            company = p.company(cell)
            if company:
                reasons[cell] += f"; in step with {', '.join(map(called, company))}"
        return reasons

    @property
    def _without_cost(self):
        """Which cells have no cost beside others that have one, shape (C,)."""
        problem = self.problem
        costless = [label in self.costless for label in problem.labels]
        return np.repeat(costless, len(problem.groups))

    def _responding(self, planned):
        """Which cells respond to what others spend in a plan, shape (C,).

        Of channels that plans leave as they are: without a cost, or with a kept cell.
        """
        problem = self.problem
        still = (self._without_cost | (problem.kept != "")).reshape(problem.shape)
        responding = np.zeros(problem.shape, dtype=bool)
        if self.counterfactual.responds and still.any():
            responding = self.counterfactual.changed_cells(planned, self._group, ALIKE)
        return (responding & still).ravel()

    def _costless_in_words(self, planned):
        """Return a sentence on the channels without a cost beside others."""
        responding = self._responding(planned).reshape(self.problem.shape).any(axis=1)
        moves = dict(zip(self.problem.labels, responding, strict=True))
        moved = [label for label in self.costless if moves[label]]
        still = [label for label in self.costless if not moves[label]]
        return costless_in_words(still, moved)

    def _idle(self, reasons, responding):
        """Say of cells that keep their spend, or have no money, why it is so."""
        kept, costless = self.problem.kept, self._without_cost
        reasons[kept != ""] = "kept: " + kept[kept != ""]
        reasons[self.problem.current == 0] = "no spend to scale"
        reasons[costless] = "no cost: as today"
        reasons[costless & responding] = "no cost: own spend as today"
        reasons[responding] = reasons[responding] + ", responds to others"
        return reasons
