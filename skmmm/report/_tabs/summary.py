"""What was found, in short."""

import numpy as np

from skmmm.report._html import chart, escape
from skmmm.report._words import interval_note, number, percent, summary_sentences


def summary(content):
    """Return the tab of what was found, in short."""
    findings = "\n".join(
        f"<h3>{escape(heading)}</h3>\n<p>{escape(text)}</p>"
        for heading, text in summary_sentences(content)
    )
    return "\n".join(
        [
            f'<div class="tiles">{_tiles(content)}</div>',
            '<div class="split">',
            f'<div class="card findings">{findings}</div>',
            "<div>",
            chart("chart-effects", "What each channel caused", interval_note(content)),
            chart(
                "chart-waterfall",
                f"Where {escape(content.kpi)} came from",
                "Trend is counted from the first period, season from its lowest, a "
                "control that is zero in some rows (an event) from zero, others from "
                "their average. What is left is the base.",
            ),
            "</div></div>",
        ]
    )


def _tiles(content):
    """Return the numbers on top."""
    predicted = content.predicted
    total, low, high = content.media
    tiles = [
        (
            "caused by media",
            percent(total / predicted),
            _doubt(low / predicted, high / predicted, percent),
        ),
        (f"{content.kpi} caused by media", number(total), _doubt(low, high, number)),
    ]
    if content.priced:
        value, *ends = content.returned
        all_media = "all media" if content.paid.all() else "all paid media"
        name = f"{content.kpi} per unit of money, {all_media}"
        tiles.append((name, number(value), _doubt(*ends, number)))
    told = (content.summary["verdict"] == "data-driven").sum()
    tiles.append(
        (
            "identified channels",
            f"{told} of {len(content.channels)}",
            "what the others did is an assumption"
            if told < len(content.channels)
            else "none rests on assumptions alone",
        )
    )
    return "\n".join(
        f'<div class="card tile"><div class="name">{escape(name)}</div>'
        f'<div class="value">{escape(value)}</div>'
        f'<div class="doubt">{escape(doubt)}</div></div>'
        for name, value, doubt in tiles
    )


def _doubt(low, high, write):
    if not np.isfinite(low):
        return "no interval without draws"
    return f"{write(low)} to {write(high)}"
