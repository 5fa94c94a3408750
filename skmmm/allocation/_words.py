"""What is said of a plan."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skmmm._data.tables import row_namer
from skmmm._planning.problem import ALIKE, Problem
from skmmm._utils.labels import called, counted, first_few, listed
from skmmm._utils.typing import Array
from skmmm.inspection._verdicts import VERDICTS

CLOSE = 1e-3  # of the multiples: what counts as at a bound
_PRICE = 0.05  # away from the mean price: what is said
_SURE = 0.9  # share of draws that agree with a plan, from which no test is spoken of
_NAMED_ROWS = 5  # rows in a message, from which they are counted instead
MOVED = 0.01  # of its spend: from which a channel is said to move, or to be cut
BEYOND_ERROR = 2.0  # Monte Carlo errors from which a value is one


def infeasible(problem: Problem, *, responds: bool) -> str | None:
    """Return why no plan can keep the limits, or None.

    Where other channels respond, the budget is for more than what is planned.
    """
    p = problem
    limits = list(zip(p.limits, p.rows, p.least, p.most, strict=True))
    if p.budget is not None and not responds:
        least = -np.inf if p.has_target else p.budget
        limits.insert(0, ("the budget", p.current, least, p.budget))
    for name, row, least, most in limits:
        ends = row * p.low, row * p.high
        lowest, highest = np.minimum(*ends).sum(), np.maximum(*ends).sum()
        slack = ALIKE * max(abs(lowest), abs(highest))
        if lowest > most + slack:
            return (
                f"No plan: {name} allows {in_money(most)}, but the bounds ask for at "
                f"least {in_money(lowest)}. Raise it, or lower the bounds."
                + kept_in_words(p, row != 0)
            )
        if highest < least - slack:
            data = " (some end where data end)" if p.refused.any() else ""
            return (
                f"No plan: {name} asks for {in_money(least)}, but the bounds allow "
                f"at most {in_money(highest)}{data}. Lower it, or widen the bounds."
                + kept_in_words(p, row != 0)
            )
    return None


def why_none(problem: Problem, current_roi: float) -> str:
    """Return why there is no plan."""
    kept = kept_in_words(problem)
    if problem.target_roi is not None:
        return (
            f"No plan: with these bounds and constraints, no spend has an ROI of "
            f"{problem.target_roi:.6g} (today's has {current_roi:.6g}). Lower "
            f"target_roi or the lower bounds.{kept}"
        )
    return (
        "No plan was found that keeps bounds, budget and constraints together. Widen "
        f"one of them.{kept}{joined_in_words(problem)}"
    )


def relative(value: float, reference: float) -> float:
    """Return a difference as a share of a reference, 0 without one."""
    return (value - reference) / abs(reference) if reference else 0.0


def unspent(problem: Problem, found: Bunch) -> str | None:
    """Return why a plan misses the budget, None if it does not."""
    if problem.budget is None:
        return None
    off = relative(found.spend.sum(), problem.budget)
    if off > CLOSE or (off < -CLOSE and not problem.has_target):
        return (
            f"No plan was found that spends the budget once others have responded: "
            f"this one spends {found.spend.sum() / problem.budget:.1%} of it. Widen "
            f"the bounds.{kept_in_words(problem)}"
        )
    return None


def unreached(problem: Problem, plan: Array, mroi: Array) -> str | None:
    """Return why a target is not reached, None if it is."""
    if problem.target_mroi is None:
        return None
    free, target = problem.free, problem.target_mroi
    lowest = free & (plan <= problem.low + CLOSE)
    if free.any() and lowest[free].all() and np.nanmax(mroi[free]) < target:
        return (
            f"The target is not reached: with all channels at their lower bounds, the "
            f"last unit earns at most {np.nanmax(mroi[free]):.6g}, less than "
            f"target_mroi={target:.6g}. Lower the target or the bounds."
            + kept_in_words(problem)
        )
    return None


def risk_in_words(risk: Any) -> str:
    """Return how the outcome is counted, where it is not at the point."""
    if risk is None:
        return ""
    kind, amount = risk
    if kind == "cvar":
        return f" by the mean of the worst {amount:.0%} of draws"
    return f" by the mean of the draws minus {amount:g} standard deviations"


def in_words(
    *,
    gain: float,
    money: float,
    probability: float,
    counted: str,
    worse: bool,
    notes: str,
    causes: str = "media",
    media: float | None = None,
    as_today: float | None = None,
) -> str:
    """Return a sentence on a plan: relative gain, relative change of spend.

    `media` is the relative change of what media take, where levers take money, too.
    `as_today` is the relative gain of today's mix on the same spend, if that is less
    than today's: what the plan loses by less money, and what its split makes up.
    """
    spend = f"{_more_or_less(money, 'the same')} spend"
    if media is not None and abs(media - money) >= CLOSE:
        taken = _more_or_less(media, "as much")
        spend = f"{_more_or_less(money, 'the same')} money"
        spend += f" (media take {taken} {'than' if '%' in taken else 'as'} today)"
    amount = f"{abs(gain):.1%} {'more' if gain >= 0 else 'less'}"
    sure = ""
    if np.isfinite(probability):
        sure = f"; they cause more in {probability:.0%} of draws"
    judged = _doubt(gain, probability, counted)
    if as_today is not None:
        judged = _less_money_in_words(gain, as_today) + judged
    elif worse and not judged:
        judged = " This is worse than today."
    plan = (
        f"Under the plan, {causes} cause {amount} than today (of what media cause, not "
        f"of the whole KPI){counted}, on {spend}{sure}."
    )
    return plan + judged + notes


def _less_money_in_words(gain: float, as_today: float) -> str:
    """Return a sentence on what less money costs, and what the split makes of it."""
    split = gain - as_today
    points = f"{100 * abs(split):.1f} percentage points"
    if abs(split) < CLOSE:
        made = "changes nothing, and bounds may leave it no room"
    elif as_today < gain < 0:
        made = f"makes up {points} of that"
    else:
        made = f"{'adds' if split >= 0 else 'takes away'} {points}"
    return (
        f" Today's mix on that spend would cause {abs(as_today):.1%} "
        f"{'less' if as_today <= 0 else 'more'} than today; the split of the plan "
        f"{made}."
    )


def _more_or_less(change: float, same: str) -> str:
    """Return how much more or less a relative change is, and what to call none."""
    if abs(change) < CLOSE:
        return same
    return f"{abs(change):.1%} {'more' if change > 0 else 'less'}"


def _doubt(gain: float, probability: float, counted: str) -> str:
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
        meant = "the model does not know whether this is less than today"
    return f" Fewer than half of the draws agree: {meant}."


def doubt_in_words(probability: float) -> str:
    """Return where to look for the test that would pay most, if draws disagree."""
    if np.isnan(probability) or probability >= _SURE:
        return ""
    return " Its worth_testing() says which channel's test would pay most."


def knowledge_in_words(label: Any, value: float, error: float) -> str:
    """Return a sentence on what it is worth to know the effect of a channel."""
    if value < BEYOND_ERROR * error:
        return (
            f"To know what {called(label)} causes would hardly change the plan: its "
            "value is "
            "within the error of the draws."
        )
    return (
        f"To know what {called(label)} causes would let the plan earn "
        f"{in_money(value)} more."
    )


def joined_in_words(problem: Problem) -> str:
    """Return a sentence on channels that move as one, if there are any."""
    n_groups = len(problem.groups)
    joined = {
        (problem.labels[cell // n_groups], *problem.company(cell)): None
        for cell in np.unique(problem.leader)
        if problem.company(cell)
    }
    if not joined:
        return ""
    names = first_few([" + ".join(map(called, one)) for one in joined])
    return (
        f" Moved by one factor, because their total is known and its split is not: "
        f"{names}. Bound one of them by name to plan each by itself."
    )


def kept_in_words(problem: Problem, cells: Array | None = None) -> str:
    """Return a sentence on channels that keep their spend, if any of the cells do."""
    kept = np.where(True if cells is None else cells, problem.kept, "")
    of_channel = np.repeat(np.arange(len(problem.labels)), len(problem.groups))
    why = {of_channel[c]: problem.kept[c] for c in np.flatnonzero(kept != "")}
    if not why:
        return ""
    names = first_few(
        [f"{called(problem.labels[m])} {said}" for m, said in why.items()]
    )
    it = "it" if len(why) == 1 else "them"
    return (
        f" Kept at current spend, because fit warns of {it}: {names}. Once an "
        f"experiment has told more, bound {it} by name to let {it} move."
    )


def untold_in_words(
    problem: Problem, plan: Array, verdicts: Array | None, doubted: Array
) -> str:
    """Return sentences on channels that a plan moves and the data do not tell of.

    Not on those that are set to what the user says, or move by one factor with others,
    of which the total is known. Without a verdict (few draws), on those that are
    doubted, "rings an alarm (...)" for instance.
    """
    if verdicts is None:
        return ""
    told = [
        why if verdict is None else verdict
        for verdict, why in zip(verdicts, doubted, strict=True)
    ]
    alone = np.array([not problem.company(cell) for cell in range(len(plan))])
    moved = (np.abs(plan - 1.0) > MOVED) & problem.free & alone
    moves = moved.reshape(problem.shape).any(axis=1)
    untold: dict[str, list] = {}
    for label, verdict, moving in zip(problem.labels, told, moves, strict=True):
        if moving and verdict not in ("", VERDICTS[0]):
            untold.setdefault(verdict, []).append(label)
    said = ""
    for verdict, labels in untold.items():
        bring, their = ("brings", "its") if len(labels) == 1 else ("bring", "their")
        said += (
            f" The data do not tell what {listed(labels)} {bring} ({verdict}), and "
            f"draws do not, either: fixed={listed(labels)} keeps {their} spend."
        )
    return said


def driven_in_words(labels: list, change: Array, weights: Array, advice: str) -> str:
    """Return a sentence on channels that drive others, and are cut.

    Parameters
    ----------
    labels : list
    change : ndarray of shape (M,)
        Of the spend of each channel, relative.
    weights : ndarray of shape (M, M)
        ``[i, j]``: how i drives j, zero without an edge of the channel graph.
    advice : str
        What to do about it.
    """
    drives = []
    for i in np.flatnonzero((change < -MOVED) & weights.any(axis=1)):
        driven = [called(labels[j]) for j in np.flatnonzero(weights[i])]
        drives.append(f"{called(labels[i])} drives {' and '.join(driven)}")
    if not drives:
        return ""
    it = "it" if len(drives) == 1 else "them"
    return (
        f" By the channel graph {first_few(drives)}: what cutting {it} changes there "
        f"is not counted.{advice}"
    )


def idle_in_words(problem: Problem, costless: list) -> str:
    """Return a sentence on channels without spend to scale, if there are any."""
    spent = problem.current.reshape(problem.shape).sum(axis=1)
    idle = [
        label
        for label, amount in zip(problem.labels, spent, strict=True)
        if amount == 0 and label not in costless
    ]
    if not idle:
        return ""
    it = "it" if len(idle) == 1 else "them"
    return (
        f" No spend in these rows, so nothing to plan: {listed(idle)}. To plan {it}, "
        f"give {it} some in X."
    )


def later_in_words(labels: list, later: Array, today: Array, unit: str) -> str:
    """Return a sentence on what slow stocks bring after what a plan counts.

    Under the plan and today, (M,), in a unit that is named.
    """
    named = [
        f"{called(label)} {in_money(amount)} (today {in_money(now)})"
        for label, amount, now in zip(labels, later, today, strict=True)
        if amount or now
    ]
    if not named:
        return ""
    return (
        f" Not counted is what this spend brings later, out of slow stocks, in {unit}: "
        f"{first_few(named)}."
    )


def price_in_words(labels: list, paid: Array, at_mean: Array) -> str:
    """Return a sentence on channels that paid another price, if there are any.

    Both of shape (n_channels, n_cells), of money: what was, and what is counted.
    """
    counted = np.where(at_mean > 0, at_mean, 1.0)
    away = np.where(at_mean > 0, np.abs(paid / counted - 1.0), 0.0).max(axis=1)
    off = [label for label, far in zip(labels, away, strict=True) if far > _PRICE]
    if not off:
        return ""
    return (
        f" The plan counts at the mean price of the training rows (media_cost_); what "
        f"{listed(off)} cost in these rows is up to {away.max():.0%} away from that."
    )


def costless_in_words(still: list, responding: list) -> str:
    """Return a sentence on channels without a cost beside others, if there are any."""
    said = f" Without a cost, as today: {listed(still)}." if still else ""
    if responding:
        said += (
            " Without a cost, own spend as today, responds to others: "
            f"{listed(responding)}."
        )
    return said


def review_in_words(review: Any, model: Any, *, refitted: bool) -> str:
    """Return sentences on a `PlanReview`."""
    gap, table = review.actual - review.expected, review.by_period
    first, last = (str(end).removesuffix(" 00:00:00") for end in table.index[[0, -1]])
    said = (
        f"From {first} to {last} the KPI was {in_money(review.actual)}: "
        f"{in_money(abs(gap))} ({abs(relative(review.actual, review.expected)):.1%}) "
        f"{'more' if gap >= 0 else 'less'} than the plan expected. Of this, "
    )
    parts = review.summary["kpi"].iloc[1:-1]
    parts = parts.where(parts.abs() > 1e-9 * abs(review.expected), 0.0)
    named = []
    for part, own in parts.groupby(level="part", sort=False):
        if not refitted and part in ("response", "level"):
            continue
        if part in ("confounding", "drift") and not own.any():
            continue
        named.append(f"{part} {_signed(own.sum())}{_largest(own.droplevel('part'))}")
    said += "; ".join(named) + "."
    said += _surprise(review)
    if not refitted:
        said += (
            " Whether channels respond otherwise than when the plan was made is not "
            "asked: pass model=..., fitted again."
        )
    if len(review.missing):
        rows = _missing(review, model)
        said += f" Not reviewed, as X_actual has no row for it: {rows}."
    return said


def _largest(own: Any) -> str:
    """Return the largest of several parts by name, in brackets."""
    own = own[own != 0].sort_values(key=np.abs, ascending=False, kind="stable")
    if len(own) < 2 and "" in own.index:
        return ""
    few = own.iloc[:3]
    more = f", {len(own) - 3} more" if len(own) > 3 else ""
    said = ", ".join(f"{called(name)} {_signed(v)}" for name, v in few.items())
    return f" ({said}{more})" if len(few) else ""


def _signed(amount: float) -> str:
    """Return an amount with its sign."""
    return f"{'-' if amount < 0 else '+'}{in_money(abs(amount))}"


def _surprise(review: Any) -> str:
    """Return a sentence on how unusual the unexplained part is."""
    chance = review.tail_probability
    if np.isnan(chance):
        return " How surprising that is takes draws of the model (n_draws)."
    usual = chance >= 1.0 - review.confidence_level
    where = "inside" if usual else "outside"
    share = "less than 0.1%" if chance < 0.00105 else f"{chance:.1%}"
    return (
        f" Given spend and controls as they came, the KPI is {where} the "
        f"{review.confidence_level:.0%} interval of the plan's model: it goes as far "
        f"by chance in {share} of cases."
    )


def _missing(review: Any, model: Any) -> str:
    """Return the rows of a plan that did not come: few by name, many by period."""
    columns, missing = model._columns, review.missing
    where = row_namer(missing, columns.region, columns.time)
    if len(missing) <= _NAMED_ROWS or columns.time is None:
        return first_few([where(i) for i in range(len(missing))])
    namer = row_namer(missing, time=columns.time)
    order = missing[columns.time].argsort()
    first, last = (namer(order.iloc[end]) for end in (0, -1))
    return f"{counted(len(missing), 'row')}, {first} to {last.removeprefix('time ')}"


def in_money(amount: float) -> str:
    """Return an amount as people write it."""
    return f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:,.4g}"
