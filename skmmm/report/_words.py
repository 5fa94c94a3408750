"""What a report says in sentences: numbers, and how far to believe them."""

import numpy as np

from skmmm.plotting._style import format_number

_NAMES = 4  # named in a sentence; the others are counted
_SMALLEST = 5e-4  # share that rounds to a tenth of a percent
_CLEAR = 0.9  # share of draws from which a plan is called better without a reserve


def number(value):
    """Return a number as people write it, with a dash for none."""
    if not np.isfinite(value):
        return "–"
    return format_number(value) if abs(value) >= 1e-4 or value == 0 else f"{value:.3g}"


def interval(low, high):
    """Return bounds as people write them, a dash without."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "–"
    return f"{number(low)} to {number(high)}"


def percent(value):
    """Return a share in percent."""
    if not np.isfinite(value):
        return "–"
    if 0 < abs(value) < _SMALLEST:
        return f"< {_SMALLEST:.1%}"
    return f"{value:.0%}" if abs(value) >= 0.095 else f"{value:.1%}"


def name_some(content, names):
    """Return names of channels, quoted, the first few of them."""
    return _listed([quote(content, name) for name in names])


def _listed(names):
    """Return texts as a list in a sentence, the first few of them."""
    if len(names) > _NAMES + 1:
        names = [*names[:_NAMES], f"{len(names) - _NAMES} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def quote(content, name):
    """Return the name of a channel in quotation marks, at a bearable length."""
    return f"“{content.brief[name]}”"


def periods(content, count=2):
    """Return the word for periods: weeks, days, months or periods."""
    word = "period" if content.period == "integer" else content.period
    return word if count == 1 else f"{word}s"


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
        ("What media caused", _media(content)),
        ("How sure that is", _sureness(content)),
        ("What spend returned", _returns(content)),
        ("Where the next unit of spend goes furthest", _next_unit(content)),
        ("A better split of the same budget", _plan(content)),
        ("Channels that drive each other", _graph(content)),
        ("How good the forecasts are", _forecasts(content)),
    ]
    return [(heading, text) for heading, text in found if text]


def _media(content):
    total, low, high = content.media
    predicted = content.parts.to_numpy().sum()
    text = (
        f"Of {number(predicted)} {content.kpi}, media caused {number(total)}, or "
        f"{percent(total / predicted)}"
    )
    if np.isfinite(low):
        shares = f"{percent(low / predicted)} to {percent(high / predicted)}"
        text += f"; with {content.level:.0%} probability it is {shares}"
    return f"{text}. The rest would have come without them: baseline and controls."


def _sureness(content):
    """Return how many estimates the data made, and which they did not."""
    verdict = content.summary["verdict"]
    if verdict.isna().all():
        return (
            "The model was fitted without draws (or with fewer than eight), so that "
            "there are no verdicts on what the data can tell. Fit again with "
            "n_draws=32."
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
            f" {name_some(content, lost)} cannot be told apart from the baseline or "
            "from other channels: only an experiment will."
        )
    follows = content.summary.index[content.summary["follows_kpi"].astype(bool)]
    if len(follows):
        text += (
            f" Spend of {name_some(content, follows)} follows past {content.kpi}, so "
            "that part of its effect may be the other way round."
        )
    return text


def _spending(content):
    return content.summary[content.summary["spend"] > 0]


def unit_of_spend(content):
    """Return what one unit of spend is."""
    return "unit of money" if content.money.all() else "unit of the column"


def _returns(content):
    table = _spending(content).sort_values("roi", ascending=False)
    if len(table) < 2:
        return ""
    unit = unit_of_spend(content)
    if not content.money.all():
        return (
            "The cost of a unit is not known for all channels, so that returns are "
            f"{content.kpi} per {unit} and cannot be compared between channels. Name "
            "it in media_cost."
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
    return text


def _within(low, high):
    return f" ({interval(low, high)})" if np.isfinite(low) else ""


def _next_unit(content):
    if not content.money.all() or len(_spending(content)) < 2:
        return ""
    table = _spending(content).sort_values("mroi", ascending=False)
    best, worst = table.iloc[0], table.iloc[-1]
    return (
        f"One more unit would bring {number(best.mroi)} {content.kpi} in "
        f"{quote(content, table.index[0])}{_within(best.mroi_low, best.mroi_high)} and "
        f"{number(worst.mroi)} in {quote(content, table.index[-1])}"
        f"{_within(worst.mroi_low, worst.mroi_high)}. What the last unit returns, not "
        "the average, says where to move money."
    )


def _plan(content):
    path = content.path
    if path is None or not content.money.all():
        return ""
    table = path.table
    nearest = int(np.argmin(np.abs(table["budget"] - path.current_budget)))
    plan = path.plans[nearest]
    close = abs(table["budget"][nearest] / path.current_budget - 1.0) < 1e-6
    if not (plan.success and close):
        return ""
    more_caused, today = plan.outcome - path.current_outcome, path.current_outcome
    if not more_caused > 5e-4 * abs(today):
        return "Within the bounds no better split of the same budget was found."
    gain = percent(more_caused / today) if today > 0 else number(more_caused)
    change = plan.allocation["change"].sort_values()
    more = change.index[change > 0.05][::-1]
    less = change.index[change < -0.05]
    text = f"A better split would cause {gain} more at the same spend"
    if np.isfinite(plan.probability_better):
        text += f"; it does better in {plan.probability_better:.0%} of draws"
    moves = [
        f"{word} for {name_some(content, names)}"
        for word, names in (("more", more), ("less", less))
        if len(names)
    ]
    text += f": {', '.join(moves)}." if moves else "."
    if plan.probability_better < _CLEAR:
        text += " That is not certain enough to move everything at once: test it first."
    return text


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
    if undecided:
        text += f". {undecided} of {len(pairs)} directed pairs cannot be decided"
    return f"{text}."


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
        text += f"; {_listed(list(better.index))} did better"
    return f"{text}. A good forecast does not prove that effects are right."
