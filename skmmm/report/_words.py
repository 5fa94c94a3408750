"""What a report says in sentences: numbers, and how far to believe them."""

import numpy as np

from skmmm._data.periods import one_of, several
from skmmm._utils.labels import counted
from skmmm.allocation._words import MOVED
from skmmm.graph._estimate import RULE_OUT
from skmmm.inspection._payback import truncation
from skmmm.inspection._placement import ADVICE
from skmmm.plotting._style import shorten
from skmmm.report._changes import what_changed
from skmmm.report._phrases import (
    NAMES,
    interval,
    listed,
    name_some,
    number,
    percent,
    quote,
    unit_of_spend,
)

_BRIEF = 42  # characters of what was tested in a sentence
_FINDINGS = 3  # of experiments in the summary; the others are counted
_MOVES = 0.3  # correlation from which a budget is said to move with hidden demand
_CLEAR = 0.9  # share of draws from which a plan is called better without a reserve


def periods(content, count=2):
    """Return the word for periods: weeks, two-week periods, or periods of integers."""
    return one_of(content.period) if count == 1 else several(content.period)


def cut_off(content):
    """Return which effects `max_lag` ends too early, in a sentence, or ""."""
    return truncation(content.payback)


def slow_effects(content):
    """Return how slowly stocks come out, in a sentence."""
    first = content.brand.iloc[0]
    now = interval(first.half_life_low, first.half_life_high)
    expected = interval(first.half_life_prior_low, first.half_life_prior_high)
    return (
        f"Half of what is in a stock has come out after {number(first.half_life)} "
        f"{periods(content)} (interval: {now}; expected beforehand: {expected})."
    )


def missing_rows(content):
    """Return how many rows are missing, in a sentence."""
    n, between = content.n_missing, f"the first and the last {periods(content, 1)}"
    if not n:
        return f"No row is missing between {between}."
    which = " (one row is one region and period)" if content.regional else ""
    verb = "is" if n == 1 else "are"
    return f"Between {between}, {counted(n, 'row')} {verb} missing{which}."


def summary_sentences(content):
    """Return the findings, one sentence or two each.

    Parameters
    ----------
    content : Content

    Returns
    -------
    sentences : list of (str, str)
        A heading of a few words, and what there is to say.
    """
    found = [
        ("Look at the data first", " ".join(content.remarks)),
        ("Experiments that contradict the rows", _conflicts(content)),
        ("What media caused", media_caused(content)),
        ("How sure that is", _sureness(content)),
        ("Demand that no column shows", hidden_demand(content)),
        ("What experiments taught", _lessons(content)),
        ("What spend returned", _returns(content)),
        ("What changed since the earlier model", what_changed(content)),
        ("Where the next unit of spend goes furthest", _next_unit(content)),
        ("How often people should see it", how_often(content)),
        ("A better split of the coming budget", _plan(content)),
        ("Channels that drive each other", _graph(content)),
        ("How good the forecasts are", _forecasts(content)),
    ]
    return [(heading, text) for heading, text in found if text]


def media_caused(content):
    """Return how much of the KPI media caused, or that the data do not tell."""
    total, low, high = content.media
    predicted = content.predicted
    middle = f"{number(total)}, or {percent(total / predicted)}"
    if np.isfinite(low):
        sure = f"with {content.level:.0%} probability it is "
        sure += f"{percent(low / predicted)} to {percent(high / predicted)}"
        if _is_untold(content):
            return (
                f"How much of {number(predicted)} {content.kpi} media caused, the data "
                f"do not tell: {sure}. The middle, {middle}, is no finding."
            )
        middle += f"; {sure}"
    return (
        f"Of {number(predicted)} {content.kpi}, media caused {middle}. The rest would "
        "have come without them: baseline and controls."
    )


def _is_untold(content):
    """Return whether the data tell of no channel, and of no sum of channels."""
    verdict = content.summary["verdict"]
    told = (verdict == "data-driven").any() or len(content.groups)
    return bool(verdict.notna().any()) and not told


def _sureness(content):
    """Return how many estimates the data made, and which they did not."""
    verdict = content.summary["verdict"]
    if verdict.isna().all():
        return (
            "The model was fitted without draws (or with fewer than eight), so that "
            "there are no verdicts on what the data can tell. Fit again with "
            "n_draws=64 (--draws 64)."
        )
    names = {v: verdict.index[verdict == v] for v in verdict.unique()}
    told = names.get("data-driven", [])
    text = (
        f"For {len(told)} of {len(verdict)} channels the estimate comes from the data"
    )
    text += f" ({name_some(content, told)})." if len(told) else "."
    prior = names.get("prior-driven", [])
    if len(prior):
        text += (
            f" For {name_some(content, prior)} the data say too little: the numbers "
            "are what was expected beforehand."
        )
    lost = names.get("not identified", [])
    if len(lost):
        text += (
            f" {name_some(content, lost)} cannot be told apart from nothing, from the "
            "baseline or from other channels by these data: an experiment can tell."
        )
    for group in content.groups.itertuples():
        text += (
            f" {name_some(content, group.channels)} together caused "
            f"{number(group.contribution_low)} to {number(group.contribution_high)} "
            f"{content.kpi}; the split between them is not identified, and plans move "
            "them by one factor."
        )
    alarm = content.summary["alarm"]
    for reason, advice in ADVICE.items():
        alarmed = alarm.index[alarm == reason]
        if len(alarmed):
            text += f" The spend of {name_some(content, alarmed)} {advice}"
    return text


def _conflicts(content):
    """Return which experiments the rows contradict."""
    if content.experiments is None or not content.experiments["conflict"].any():
        return ""
    table = content.experiments[content.experiments["conflict"]]
    names = [
        f"“{name}” ({abs(z):.1f} standard deviations away)"
        for name, z in zip(shorten(table["media"], _BRIEF), table["z"], strict=True)
    ]
    return (
        f"What was measured of {listed(names)} is not what the rows say. One of the "
        "two is wrong, and what the model says of these channels is a compromise: "
        "find out which before you use it. See Experiments."
    )


def _lessons(content):
    """Return what the other experiments found, what taught most first."""
    if content.experiments is None:
        return ""
    table = content.experiments.sort_values(
        "doubt_removed", ascending=False, kind="stable"
    )
    findings = table.loc[~table["conflict"], "finding"].unique()
    text, others = " ".join(findings[:_FINDINGS]), len(findings) - _FINDINGS
    if others > 0:
        text += f" {others} more {'is' if others == 1 else 'are'} under Experiments."
    return text


def _spending(content):
    """Return the channels with a return."""
    return content.summary[(content.summary["spend"] > 0) & content.paid]


def _returns(content):
    table = _spending(content).sort_values("roi", ascending=False)
    if len(table) < 2:
        return ""
    unit = unit_of_spend(content)
    if not content.priced:
        return (
            "The cost of a unit is not known, so that returns are "
            f"{content.kpi} per {unit} and cannot be compared between channels. Name "
            "it in media_cost (--media-cost)."
        )
    best, worst = table.iloc[0], table.iloc[-1]
    text = (
        f"{quote(content, table.index[0])} returned most, {number(best.roi)} "
        f"{content.kpi} per {unit}{_within(best.roi_low, best.roi_high)}, "
        f"{quote(content, table.index[-1])} least, "
        f"{number(worst.roi)}{_within(worst.roi_low, worst.roi_high)}."
    )
    if np.isfinite(best.roi_low) and best.roi_low <= worst.roi_high:
        text += " The intervals overlap, so that even this order is not certain."
    free = content.summary.index[~content.paid]
    if len(free):
        text += f" {name_some(content, free)} without a cost in media_cost: no return."
    return text


def pays(channel, content):
    """Return a sentence if the interval of ROI leaves open whether a channel pays."""
    if not (content.priced and channel.roi_low < 1.0 < channel.roi_high):
        return ""
    return (
        " Its ROI may be below or above 1: if the KPI is money, the data do not tell "
        "whether it earned or lost."
    )


def _within(low, high):
    return f" ({interval(low, high)})" if np.isfinite(low) else ""


def _next_unit(content):
    if not content.priced or len(_spending(content)) < 2:
        return ""
    table = _spending(content).sort_values("mroi", ascending=False)
    best, worst = table.iloc[0], table.iloc[-1]
    return (
        f"{reported(content)}, one more unit would have brought {number(best.mroi)} "
        f"{content.kpi} in {quote(content, table.index[0])}"
        f"{_within(best.mroi_low, best.mroi_high)} and {number(worst.mroi)} in "
        f"{quote(content, table.index[-1])}"
        f"{_within(worst.mroi_low, worst.mroi_high)}. What the last unit returns, not "
        "the average, says where to move money. In the coming "
        f"{periods(content)} it differs, as spend does: see the plan."
    )


def how_often(content):
    """Return how often channels are seen and should be, or "" without frequencies."""
    if content.frequency is None:
        return ""
    table = content.frequency[content.frequency["optimum"].notna()]
    told = table["verdict"] == "data-driven"
    text = " ".join(
        f"{quote(content, row.Index)} is seen {row.frequency:.1f} times by those it "
        f"reaches; {row.optimum:.1f} times{_times(row)}, in all rows, would do "
        f"most: the same impressions would bring {number(row.gain)} more {content.kpi}"
        f"{_within(row.gain_low, row.gain_high)}."
        for row in table[told].head(NAMES).itertuples()
    )
    verdict = content.summary["verdict"].reindex(table.index)
    unsure = table.index[told & (verdict == "not identified")]
    if len(unsure):
        text += (
            f" The effect of {name_some(content, unsure)} is not identified, so that "
            "what this gains is an assumption."
        )
    rest = table.index[~told]
    if len(rest):
        best = "its best frequency is"
        best = best if len(rest) == 1 else "their best frequencies are"
        text += (
            f" How often {name_some(content, rest)} should be seen the data do not "
            f"tell: {best} what was expected beforehand."
        )
    return text.strip()


def _times(row):
    if not np.isfinite(row.optimum_low):
        return ""
    return f" ({row.optimum_low:.1f} to {row.optimum_high:.1f})"


def reported(content):
    """Return the periods of the rows of X in words."""
    n_periods = content.parts.index.unique("time").size
    return f"Over the {n_periods} {periods(content, n_periods)} of the data"


def planned(content):
    """Return the periods of the plan in words."""
    times = content.plan.times
    first, last = (str(t)[:10] for t in (times[0], times[-1]))
    if len(times) == 1:
        return f"the {periods(content, 1)} of {first}"
    return f"the {len(times)} {periods(content)} from {first} to {last}"


def _plan(content):
    """Return what the plan at unchanged spend brings."""
    plan = content.plan
    if isinstance(plan, str) or not content.priced:
        return ""
    path = plan.path
    found = path.plans[plan.nearest]
    close = abs(path.table["budget"][plan.nearest] / path.current_budget - 1.0) < 1e-6
    if not (found.success and close):
        return ""
    gain, when = found.outcome - path.current_outcome, planned(content)
    if not gain > 5e-4 * abs(path.current_outcome):
        return (
            f"For {when} no better split of the same spend was found within bounds."
            + _kept(content)
        )
    text = (
        f"In {when}, a better split of the same spend would bring {number(gain)} more "
        f"{content.kpi}{_within(found.gain_low, found.gain_high)}, "
        f"{percent(gain / plan.predicted)} of the {number(plan.predicted)} predicted "
        f"for them with spend {plan.unchanged}"
    )
    if np.isfinite(found.probability_better):
        text += f"; it does better in {found.probability_better:.0%} of draws"
    change = found.allocation["change"].sort_values()
    moves = [
        f"{word} for {name_some(content, names)}"
        for word, names in (
            ("more", change.index[change > MOVED][::-1]),
            ("less", change.index[change < -MOVED]),
        )
        if len(names)
    ]
    text += (f": {', '.join(moves)}." if moves else ".") + _kept(content)
    text += _driven(content, change.index[change < -MOVED])
    unsure = plan.unsure(plan.nearest)
    if unsure:
        text += (
            f" The effect of {name_some(content, unsure)} is not identified, so that "
            "what the plan gains there is an assumption."
        )
    if cut := plan.cut(plan.nearest):
        text += (
            f" It takes money from {name_some(content, cut)}, whose effect is not "
            "identified: what it loses there, nobody knows."
        )
    if found.probability_better < 0.5:
        text += (
            " Fewer than half of the draws agree: the gain is within the uncertainty "
            "of the model, and no reason to move money."
        )
    else:
        if found.gain_low < 0.0:
            text += " The interval holds a loss, too: by itself no reason to move."
        if found.probability_better < _CLEAR or unsure or cut:
            text += " Do not move everything at once: test it first."
    return text


def _driven(content, cut):
    """Return a sentence on channels with less money that drive others, or ""."""
    if content.graph is None:
        return ""
    edges = content.graph.edges
    edges = edges[edges["parent"].isin(cut)]
    if not len(edges):
        return ""
    drives = [
        f"{quote(content, edge.parent)} drives {quote(content, edge.child)}"
        for edge in edges.itertuples()
    ]
    return (
        f" By the channel graph {listed(drives)}: what less money for the one changes "
        "in the other is not counted."
    )


def _kept(content):
    """Return a sentence on channels whose spend no plan moves, if there are any."""
    kept = content.plan.kept
    if not kept:
        return ""
    its, it = ("its", "it") if len(kept) == 1 else ("their", "them")
    return (
        f" Plans leave {name_some(content, kept)} at {its} spend, because the fit "
        f"warns of {it}."
    )


def _graph(content):
    if content.graph is None:
        return ""
    pairs = content.graph.pairs
    edges = content.graph.edges
    undecided = int((pairs["verdict"] == "undecided").sum())
    text = "No channel was found to drive another"
    if len(edges):
        drives = [
            f"{quote(content, e.parent)} drives {quote(content, e.child)}"
            for e in edges.head(3).itertuples()
        ]
        more = f" and {len(edges) - 3} more" if len(edges) > 3 else ""
        text = f"{'; '.join(drives)}{more}"
    if undecided == len(pairs):
        text = "Which channel drives another, the data cannot say of any pair"
    elif undecided:
        text += f". {undecided} of {len(pairs)} directed pairs cannot be decided"
    text += "."
    if len(edges):
        text += " That is seen in spend alone: one plan for both looks the same."
    if len(edges) and not content.demand_loading.empty:
        text += (
            " Beside that, budgets move together with demand that no column shows: one "
            "that seems to drive another may follow the same demand a little earlier."
        )
    return text


def why_open(graph, parent, child):
    """Return why a pair of channels is undecided.

    Parameters
    ----------
    graph : ChannelGraph
    parent, child : label
    """
    found = graph.probability.loc[parent, child]
    reverse = graph.probability.loc[child, parent]
    if graph.n_regions == 1:
        return "with one region, which of two leads within a period stays open"
    if found > RULE_OUT:
        return "found too often to rule out, too seldom to keep"
    if reverse > RULE_OUT and graph.verdict.loc[child, parent] != "edge":
        return f"the reverse is found in {percent(reverse)}: which leads is open"
    return "too few rows, or too little movement within regions, to rule it out"


def _forecasts(content):
    if content.skill is None:
        return ""
    mean = content.skill.groupby("estimator", sort=False)["skill"].mean()
    model = content.skill["estimator"].iloc[0]
    n_splits = content.skill["split"].nunique()
    verb = "avoid" if mean[model] >= 0 else "add"
    text = (
        f"From {n_splits} earlier starting points, forecasts of {model} {verb} "
        f"{percent(abs(mean[model]))} of the error of the naive forecast"
    )
    others = mean.drop(model)
    better = others[others > mean[model]]
    if len(better):
        text += f"; {listed(list(better.index))} did better"
    return f"{text}. A good forecast does not prove that effects are right."


def hidden_demand(content):
    """Return which budgets move with hidden demand, and how much of the KPI does.

    "" where none was found.
    """
    if content.demand_loading.empty:
        return ""
    size = content.demand_loading.abs().max(axis=1).sort_values(ascending=False)
    moved = list(size.index[size >= _MOVES]) or list(size.index[:1])
    budgets, their = ("budget", "Its") if len(moved) == 1 else ("budgets", "Their")
    verb = "moves" if len(moved) == 1 else "move"
    text = (
        f"The {budgets} of {name_some(content, moved)} {verb} with demand that no "
        f"column shows. {their} effect is what spend does beyond it."
    )
    adds, kpi = content.demand["contribution"], content.cells["observed"]
    share = _movement(adds) / _movement(kpi[~content.cells["holdout"]])
    if np.isfinite(share):
        where = ", within regions," if content.has_regions else ""
        text += (
            f" Over time{where} what this demand adds has {percent(share)} of the "
            f"standard deviation of {content.kpi}."
        )
    return text


def _movement(rows):
    """Return the standard deviation of rows around the mean of their region."""
    return (rows - rows.groupby(level="region").transform("mean")).std()


def interval_note(content):
    """Return what the bars and marks of a chart mean."""
    return (
        f"Bars are {content.level:.0%} intervals. The point is the value at the mean "
        "of the parameters; it lies near one end of its bar where the other side is "
        "less certain. "
        "●\u00a0data-driven, ○\u00a0prior-driven, ✕\u00a0not\u00a0identified."
    )
