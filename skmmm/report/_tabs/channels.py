"""What the channels caused and returned."""

from skmmm.report._cells import column, percents, verdict, within
from skmmm.report._html import card, chart, escape, pair, scope, table
from skmmm.report._words import interval_note, reported, unit_of_spend


def channels(content):
    """Return the tab of contributions and returns."""
    found = content.summary.sort_values("contribution", ascending=False)
    columns = zip(
        found.index,
        map(verdict, found.itertuples()),
        column(found["spend"]),
        within(found, "contribution"),
        percents(found["share"]),
        within(found, "roi"),
        within(found, "mroi"),
        strict=True,
    )
    about = scope(content)
    regions = ", all regions" if about else ""
    head = ["Channel", f"Verdict{regions}", "Spend", "Contribution", "Share"]
    head += ["ROI", "Marginal ROI"]
    note = (
        f"{escape(reported(content))}. ROI: {escape(content.kpi)} per "
        f"{unit_of_spend(content)}; marginal: of one percent more of all this spend. "
        "Share: of what is predicted. Second lines are intervals, which hold with "
        f"{content.level:.0%} probability."
    )
    if not content.paid.all():
        note += (
            " Channels without a cost have no ROI, and spend in units of the column."
        )
    cards = [
        chart(
            "chart-contributions",
            f"What made up {escape(content.kpi)} over time",
            "Click a name to hide it.",
            about,
        ),
        pair(
            chart(
                "chart-returns",
                _returns_heading(content),
                interval_note(content),
                about,
            ),
            chart("chart-shares", _shares_heading(content), "", about),
        ),
        card(
            "All channels",
            table(head, columns, name="channels-table", kinds=(1,)),
            note,
            about,
        ),
    ]
    return "\n".join(cards)


def _shares_heading(content):
    if content.priced:
        return "Share of spend against share of effect"
    return "Share of what media caused"


def _returns_heading(content):
    if content.priced:
        return "Return of all spend and of the next unit"
    return "Effect per unit of the column, all and next unit"
