"""Tables as text."""

import numpy as np

from skmmm._cli.advice import for_command_line
from skmmm._data.periods import several
from skmmm.plotting._style import format_number, shorten

LEVEL = 0.9


def channel_text(task, model, summary):
    """Return the table of channels, and what is left for the baseline."""
    summary = summary.sort_values("contribution", ascending=False)
    bounds = f"{LEVEL:.0%} interval"
    head = ["Channel", "Spend", "Contribution", bounds, "Share", "ROI", bounds]
    rows = [[*head, "mROI", "Verdict"]]
    names = shorten(list(summary.index), 24)
    for name, channel in zip(names, summary.itertuples(), strict=True):
        rows.append(
            [
                name,
                number(channel.spend),
                number(channel.contribution),
                interval(channel.contribution_low, channel.contribution_high),
                f"{channel.share:.1%}",
                number(channel.roi),
                interval(channel.roi_low, channel.roi_high),
                number(channel.mroi),
                (channel.verdict or "none without draws")
                + (f", {channel.alarm}" if channel.alarm else ""),
            ]
        )
    parts = model.contributions().sum()
    share = parts / parts.sum()
    kpi = task.y.name
    return (
        f"{layout(rows)}\n\n"
        f"Media are {share[task.media].sum():.0%} of predicted {kpi}; the rest is "
        f"baseline{' and controls' if task.controls else ''}.\n"
        f"ROI is {kpi} per unit of spend, mROI that of the next unit; they are returns "
        "only where\nthe column is money. Believe the effect of a channel as far as "
        "its verdict says:\nprior-driven and not identified are what was expected "
        "before, not what the data found."
        + "".join(f"\n{said}" for said in model.channel_groups()["sentence"])
    )


def experiment_text(tests):
    """Return what the test of the demo did, and measured."""
    (test,) = tests.itertuples()
    return (
        f"Test      {test.media}, of which rows know least: off everywhere from "
        f"{str(test.start)[:10]} to {str(test.end)[:10]},\n"
        f"          measured {number(test.estimate)} (standard error "
        f"{number(test.std_error)})"
    )


def truth_text(truth, told):
    """Return what channels really caused, beside the estimates.

    Parameters
    ----------
    truth : Series indexed by channel
    told : dict of str to DataFrame
        As of `channel_summary`, by what is said of the model.
    """
    bounds = f"{LEVEL:.0%} interval"
    rows = [["Channel", "Truth"]]
    rows += [[name, number(truth[name])] for name in next(iter(told.values())).index]
    held = []
    for title, summary in told.items():
        rows[0] += [title, bounds, "holds"]
        inside = summary["contribution_low"] <= truth[summary.index]
        inside &= truth[summary.index] <= summary["contribution_high"]
        for row, channel, holds in zip(
            rows[1:], summary.itertuples(), inside, strict=True
        ):
            low, high = channel.contribution_low, channel.contribution_high
            known = np.isfinite(low)
            row += [number(channel.contribution), interval(low, high)]
            row.append(("yes" if holds else "no") if known else "-")
        held.append(f"{inside.sum()} of {len(inside)}")
    return (
        f"{layout(rows)}\n\nThe example is simulated, so that the truth is known. "
        f"{' and '.join(held)} intervals hold\nit. The scorecard (docs/scorecard.rst) "
        "says how often they do in general."
    )


def cut_text(plan, truth, summary):
    """Return what the truth says of channels from which a plan takes money.

    Parameters
    ----------
    plan : BudgetPlan
    truth : Series indexed by channel
        What channels really caused in the rows of the fit.
    summary : DataFrame
        As of `channel_summary`, of these rows.
    """
    if plan.outcome <= plan.current_outcome:
        return f"The plan: {plan.message}"
    change = plan.allocation["change"]
    cut = change.index[change < -0.05]
    gain = number(plan.outcome - plan.current_outcome)
    named = [f"{name} ({change[name]:+.0%})" for name in cut]
    said = (
        f"The plan for the same spend as a year before expects {gain} more "
        f"({interval(plan.gain_low, plan.gain_high)}).\nIt takes money from "
        f"{', '.join(named) or 'no channel'}."
    )
    for name in cut:
        low, high = summary.loc[name, ["contribution_low", "contribution_high"]]
        if truth[name] > high:
            said += (
                f"\nIn truth {name} caused {number(truth[name])}, more than the "
                f"{interval(low, high)} of the model: that cut\nmay cost more than the "
                "plan expects, and no interval says so. A verdict of data-driven is no "
                "proof:\ntest before you halve a channel."
            )
    return said


def plan_text(plan, before, message):
    """Return a plan by channel, region or period, and what it causes.

    `before` is what the spend is called that the plan starts from.
    """
    table = plan.allocation
    head = ["Channel", *([table.index.names[1]] if table.index.nlevels > 1 else [])]
    judged = "verdict" in table
    rows = [[*head, before, "Plan", "Change", "Causes", "mROI", "Stops"]]
    rows[0] += ["Verdict"] if judged else []
    for key, cell in table.iterrows():
        keys = key if isinstance(key, tuple) else (key,)
        change = cell["change"]
        rows.append(
            [
                *(str(k).removesuffix(" 00:00:00") for k in keys),
                number(cell["current_spend"]),
                number(cell["spend"]),
                "-" if np.isnan(change) else f"{change:+.0%}",
                number(cell["contribution"]),
                number(cell["mroi"]),
                cell["reason"],
                *([cell["verdict"] or "-"] if judged else []),
            ]
        )
    now = "today" if before == "Today" else f"with the spend of the {before.lower()}"
    caused = f"{number(plan.current_outcome)} {now}, {number(plan.outcome)} planned"
    if np.isfinite(plan.outcome_low):
        caused += f" ({interval(plan.outcome_low, plan.outcome_high)}).\n"
        gain = number(plan.outcome - plan.current_outcome)
        caused += f"The difference: {gain} ({interval(plan.gain_low, plan.gain_high)})"
    levers = "" if "levers" not in plan else f"\n\n{_levers_text(plan.levers)}"
    return (
        f"{layout(rows)}{levers}\n\nKPI caused: {caused}.\n{for_command_line(message)}"
    )


def _levers_text(table):
    """Return the levels of controls, what they cost and bring beyond today's."""
    bounds = f"{LEVEL:.0%} interval"
    rows = [["Control", "Today", "Plan", "Costs", "Brings", bounds, "Stops"]]
    for name, own in table.iterrows():
        low, high = own["contribution_low"], own["contribution_high"]
        levels = number(own["current"]), number(own["level"])
        money = number(own["cost"]), number(own["contribution"]), interval(low, high)
        rows.append([str(name), *levels, *money, own["reason"]])
    return layout(rows)


def review_text(review):
    """Return the parts of a review that are not zero, and its message."""
    rows = [["Part", "", "KPI", f"{LEVEL:.0%} interval"]]
    for (part, name), line in review.summary.iterrows():
        if line.any() or part in ("expected", "unexplained", "actual"):
            bounds = interval(line["low"], line["high"])
            rows.append([part, str(name), number(line["kpi"]), bounds])
    said = f"{layout(rows)}\n\n{for_command_line(review.message)}"
    return said if review.money is None else f"{said}\n\n{_money_text(review.money)}"


def _money_text(money):
    """Return planned and actual money, and why they differ."""
    rows = [["Money of", "Planned", "Actual", "Difference", "Volume", "Price"]]
    for name, line in money.iterrows():
        rows.append([str(name), *(number(line[key.lower()]) for key in rows[0][1:])])
    return f"{layout(rows)}\n\nVolume is other units at the planned cost."


def returns_text(before, after, *, whose):
    """Return the returns of two models, as `channel_summary` says them.

    `whose` says of which rows they are.
    """
    bounds = f"{LEVEL:.0%} interval"
    rows = [["Channel", "ROI before", bounds, "ROI now", bounds, "Change", "Verdict"]]
    for name, now in after.iterrows():
        was = before.loc[name]
        rows.append([str(name)])
        for one in (was, now):
            rows[-1] += [number(one["roi"]), interval(one["roi_low"], one["roi_high"])]
        change = now["roi"] / was["roi"] - 1.0 if was["roi"] else np.nan
        rows[-1].append("-" if np.isnan(change) else f"{change:+.0%}")
        rows[-1].append(now["verdict"] or "-")
    return f"{layout(rows)}\n\nROI is of {whose}."


def frequency_text(table):
    """Return how often channels that are reach were seen, and are best seen."""
    bounds = f"{LEVEL:.0%} interval"
    rows = [["Reach of", "Seen", "Best", bounds, "Gain", bounds, "Verdict"]]
    for name, channel in table.iterrows():
        rows.append(
            [
                str(name),
                number(channel["frequency"]),
                number(channel["optimum"]),
                interval(channel["optimum_low"], channel["optimum_high"]),
                number(channel["gain"]),
                interval(channel["gain_low"], channel["gain_high"]),
                channel["verdict"] or "none without draws",
            ]
        )
    return (
        f"{layout(rows)}\n\nSeen and best are times a period, at the same impressions."
    )


def brand_text(table):
    """Return what channels with a slow stock caused at once, late, and will cause."""
    bounds = f"{LEVEL:.0%} interval"
    rows = [["Slow channel", "At once", "Late", bounds, "To come", bounds, "Verdict"]]
    for name, channel in table.iterrows():
        rows.append(
            [
                str(name),
                number(channel["short"]),
                number(channel["long"]),
                interval(channel["long_low"], channel["long_high"]),
                number(channel["to_come"]),
                interval(channel["to_come_low"], channel["to_come_high"]),
                channel["verdict"] or "none without draws",
            ]
        )
    return (
        f"{layout(rows)}\n\nLate is what came of slow stocks in these rows, to come "
        "what they still\nhold. The verdict is on how effects split into at once and "
        "late."
    )


def synergy_text(table):
    """Return what pairs of channels caused beyond each by itself."""
    rows = [["Pair", "Together", f"{LEVEL:.0%} interval", "Share", "Verdict"]]
    for pair, found in table.iterrows():
        low, high = found["contribution_low"], found["contribution_high"]
        rows.append(
            [
                " and ".join(map(str, pair)),
                number(found["contribution"]),
                interval(low, high),
                f"{found['share']:.1%}",
                found["note"] or found["verdict"] or "none without draws",
            ]
        )
    return (
        f"{layout(rows)}\n\nTogether is what a pair caused beyond each by itself; half "
        "of it is in the\ncontribution of each."
    )


def graph_text(graph):
    """Return which channel drives which, and how much of it is undecided."""
    edges = [f"{edge.parent} drives {edge.child}" for edge in graph.edges.itertuples()]
    undecided = int((graph.pairs["verdict"] == "undecided").sum())
    return (
        f"Channels that drive others: {', '.join(edges) or 'none found'}. "
        f"{undecided} of {len(graph.pairs)} pairs are undecided."
    )


def skill_text(task, skill):
    """Return the table of forecasts, in the order of the contenders."""
    origins = skill["origin"].unique()
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    each = skill.pivot(index="estimator", columns="origin", values="wmape")
    rows = [["Forecast", "wMAPE", "Skill", *origins]]
    for name, row in mean.iterrows():
        errors = [f"{each.loc[name, origin]:.1%}" for origin in origins]
        rows.append([name, f"{row.wmape:.1%}", f"{row.skill:+.2f}", *errors])
    calendar, _ = task.calendar()
    horizon = skill["horizon"].iloc[0]
    return (
        f"{layout(rows)}\n\n"
        f"Errors over the next {horizon} {several(calendar.unit)} from {len(origins)} "
        "origins; each\ncolumn is headed by its origin. Media and controls of the "
        "forecast are given. "
        "wMAPE is the absolute error as a\nshare of the KPI, skill the share of the "
        "last value's error that is avoided."
    )


def number(value):
    """Return a number as people write it, a dash for none."""
    return (
        "-"
        if np.isnan(value)
        else format_number(value, trim=False).replace("\u2009", " ")
    )


def interval(low, high):
    """Return bounds, a dash without."""
    return "-" if np.isnan(low) else f"{number(low)} to {number(high)}"


def layout(rows):
    """Return rows of text below each other, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [text.rjust(w) for text, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)
