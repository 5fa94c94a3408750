"""How far to believe the model, and its errors."""

from skmmm.report._cells import day, verdict
from skmmm.report._html import card, chart, pair, table
from skmmm.report._words import aligned

_MOST_ERRORS = 50  # listed by date


def diagnostics(content):
    """Return the tab of verdicts and errors."""
    rows = [
        [channel.Index, verdict(channel), ("wrap", _advice(channel, content))]
        for channel in content.summary.itertuples()
    ]
    return "\n".join(
        [
            card(
                "How far to believe each channel",
                table(["Channel", "Verdict", "What to do"], rows, kinds=(1, 2)),
            ),
            chart("chart-residuals", "Errors over time"),
            _large_errors(content),
            pair(
                chart(
                    "chart-histogram",
                    "Size of the errors",
                    "Those beyond four standard deviations are in the outermost bars.",
                ),
                chart(
                    "chart-acf",
                    "Errors of one period and of later ones",
                    "Correlation by distance; between the lines it may be chance. "
                    "Where the level follows the KPI, what is left alternates.",
                ),
            ),
        ]
    )


def _large_errors(content):
    """Return errors beyond four standard deviations by region and date."""
    errors = content.large_errors
    heading = "Errors beyond four standard deviations"
    if errors.empty:
        return card(heading, "<p>There are none.</p>")
    shown = errors[:_MOST_ERRORS]
    observed = shown["predicted"] + shown["residual"]
    write = aligned(observed, shown["predicted"])
    head = ["Date" if content.period != "integer" else "Period"]
    columns = [[day(t) for t in shown.index.get_level_values("time")]]
    if content.regional:
        head.append("Region")
        columns.append(list(map(str, shown.index.get_level_values("region"))))
    head += ["Observed", "Predicted", "Standard deviations"]
    columns += [
        list(map(write, observed)),
        list(map(write, shown["predicted"])),
        [f"{value:+.1f}" for value in shown["standardised"]],
    ]
    more = f", the largest {len(shown)}" if len(errors) > len(shown) else ""
    note = (
        "Look what happened there: an error of the data, or an event that the model "
        "does not know and that a control would tell it. Standard deviations are those "
        "of the errors of the region."
    )
    kinds = (1,) if content.regional else ()
    listed = table(head, zip(*columns, strict=True), kinds=kinds)
    return card(f"{heading}: {len(errors)}{more}", listed, note)


def _advice(channel, content):
    """Return what a verdict asks for."""
    if channel.follows_kpi:
        return (
            f"Its spend follows past {content.kpi}. Part of the estimate may be demand "
            "that moves the budget. Test it with an experiment."
        )
    return {
        "data-driven": "The data narrowed the estimate to less than half of what was "
        "expected beforehand. Use it with its interval.",
        "prior-driven": "The channel spends too little or too evenly to tell. The "
        "estimate is what was expected beforehand: vary its spend, or bring in what an "
        "experiment found (priors).",
        "not identified": "It moves together with other channels or the baseline, so "
        "that the data cannot say which of them it was. Move its spend on its own.",
    }.get(channel.verdict, "Fit with n_draws=32 for a verdict.")
