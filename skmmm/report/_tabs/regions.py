"""What media caused in each region."""

from skmmm.report._cells import column, percents
from skmmm.report._html import card, chart, choice, table


def regions(content):
    """Return the tab of regions, empty without several."""
    if not content.regional or len(content.regions) < 2:
        return ""
    found = content.regions
    head = ["Region", content.kpi, "Spend", "Caused by media", "Share"]
    columns = [
        map(str, found.index),
        column(found["observed"]),
        column(found["spend"]),
        column(found["contribution"]),
        percents(found["share"]),
    ]
    if content.priced:
        head.append("ROI")
        columns.append(column(found["roi"]))
    rows = zip(*columns, strict=True)
    return "\n".join(
        [
            choice("measure", "Measure"),
            chart(
                "chart-regions",
                "Regions from the highest to the lowest",
                f"Bars are {content.level:.0%} intervals of all media together.",
            ),
            card(
                "All regions",
                table(head, rows, name="regions-table"),
                '<span class="wide">Click a heading to sort.</span>',
            ),
        ]
    )
