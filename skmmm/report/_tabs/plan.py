"""The best plan for each budget."""

import numpy as np

from skmmm.plotting._style import shorten
from skmmm.report._cells import column, day, verdict
from skmmm.report._html import card, chart, choice, escape, pair, scope, table
from skmmm.report._words import aligned, periods, planned


def plan(content):
    """Return the tab of the best plan for each budget."""
    found = content.plan
    if isinstance(found, str):
        return card("No plan", f"<p>{escape(found)}</p>")
    unit = "" if content.priced else " (units of the columns, added up)"
    slider = (
        '<div class="controls"><label for="budget">Total spend'
        f'{unit}</label><input type="range" id="budget" min="0" step="1">'
        '<output id="budget-text" for="budget"></output></div>'
        '<p id="plan-text" aria-live="polite"></p>'
        '<p id="plan-doubt" class="warning" aria-live="polite" hidden></p>'
    )
    unpriced = (
        ""
        if content.priced
        else '<p class="warning">The cost of a unit is not known, so that this plan '
        "takes a unit of every column to cost the same. Name costs in media_cost.</p>"
    )
    when = escape(planned(content))
    note = (
        f"For {when}, which follow the training data. Unchanged: spend and controls "
        f"{found.unchanged}. For each budget, the split that causes most according to "
        "the model, every channel between half and twice of its unchanged spend and "
        "within what the data have seen."
    )
    about = (
        f"Causes: {escape(content.kpi)} that the planned spend causes, in these "
        f"{periods(content)} and later. Marginal ROI: of the last unit of their spend; "
        "that on the page Channels is about the past."
    )
    return "\n".join(
        [
            card("How much, and where", unpriced + slider, note),
            pair(
                chart("chart-plan", "Spend unchanged and planned"),
                chart(
                    "chart-path",
                    "What each budget causes",
                    f"With {content.level:.0%} interval of the best plan.",
                ),
            ),
            card("The plan", _plan_table(content), about),
            card("Planned rows", _planned_rows(content), _rows_note(content)),
        ]
    )


def _plan_table(content):
    plan = content.plan
    cells = plan.path.plans[plan.nearest].allocation
    cells = cells.sort_values("current_spend", ascending=False, kind="stable")
    summary = plan.summary.loc[cells.index]
    money = aligned(cells["current_spend"], cells["spend"])
    returns = aligned(summary["mroi"], cells["mroi"])
    columns = zip(
        cells.index,
        map(verdict, summary.itertuples()),
        map(money, cells["current_spend"]),
        map(money, cells["spend"]),
        [f"{v:+.1%}" if np.isfinite(v) else "–" for v in cells["change"]],
        column(cells["contribution"]),
        map(returns, summary["mroi"]),
        map(returns, cells["mroi"]),
        cells["reason"],
        strict=True,
    )
    head = ["Channel", "Verdict", "Unchanged", "Plan", "Change", "Causes"]
    head += ["Marginal ROI unchanged", "Marginal ROI planned", "Stops"]
    return table(head, columns, name="plan-table", kinds=(1, 8))


def _planned_rows(content):
    """Return planned spend by period, summed over regions."""
    plan = content.plan
    allocation = plan.path.plans[plan.nearest].allocation
    factor = (allocation["spend"] / allocation["current_spend"]).fillna(1.0)
    total = plan.spend.groupby(level="time").sum().reindex(plan.times)
    total = total * factor.reindex(total.columns).fillna(1.0)
    texts = [column(total.iloc[:, m]) for m in range(total.shape[1])]
    rows = zip([day(t) for t in plan.times], *texts, strict=True)
    picker = choice("plan-region", "Region") if scope(content) else ""
    head = [periods(content, 1).capitalize(), *shorten(content.channels, 26)]
    return picker + table(head, rows, name="rows-table")


def _rows_note(content):
    note = "Spend of the plan above by channel"
    return f"{note}, in money." if content.paid.all() and content.priced else f"{note}."
