"""What other spend would cause."""

from skmmm.report._html import chart, choice, pair
from skmmm.report._words import periods


def response(content):
    """Return the tab of curves."""
    if not content.curves:
        return ""
    return "\n".join(
        [
            choice("channel", "Channel"),
            chart(
                "chart-curve",
                "What other levels of spend would cause",
                "The shade is what the data have seen; beyond it the curve is a guess. "
                f"With {content.level:.0%} interval.",
            ),
            pair(
                chart(
                    "chart-adstock",
                    "Carry-over: when the effect comes",
                    f"Share of the effect by {periods(content)} after the spend.",
                ),
                chart(
                    "chart-saturation",
                    "Saturation: how much more is left",
                    "Share of the highest effect, by spend of a row after carry-over. "
                    "Shade: the middle 80% of the rows.",
                ),
            ),
            chart(
                "chart-effectiveness",
                "Effectiveness over time",
                "What the same spend causes, as a multiple of the mean. A flat line: "
                "the data show no change.",
            ),
            chart("chart-curves", "All channels", "Each on axes of its own."),
        ]
    )
