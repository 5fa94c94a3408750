"""The page: sections of text, tables and places for charts, around the payload."""

from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from skmmm import __version__
from skmmm.report._payload import make_payload, to_json
from skmmm.report._words import (
    interval,
    number,
    percent,
    periods,
    summary_sentences,
    unit_of_spend,
)


def make_page(content, *, title, plotly):
    """Return the HTML of a report.

    Parameters
    ----------
    content : Content
    title : str or None
    plotly : str
        Source of plotly.js.

    Returns
    -------
    html : str
    """
    title = title or f"Marketing mix report: {content.kpi}"
    made = [(key, name, make(content)) for key, name, make in _SECTIONS]
    made = [section for section in made if section[2]]
    tabs = [
        f'<a role="tab" id="tab-{key}" href="#{key}" aria-controls="{key}">{name}</a>'
        for key, name, _ in made
    ]
    sections = [
        f'<section id="{key}" role="tabpanel" aria-labelledby="tab-{key}">\n'
        f"<h2>{name}</h2>\n{body}\n</section>"
        for key, name, body in made
    ]
    folder = files("skmmm.report") / "templates"
    read = {
        name: (folder / file).read_text(encoding="utf-8")
        for name, file in (("style", "style.css"), ("script", "report.js"))
    }
    page = Template((folder / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=_escape(title),
        facts=_facts(content),
        tabs="\n".join(tabs),
        sections="\n".join(sections),
        payload=to_json(make_payload(content)),
        plotly=plotly.replace("</script", "<\\/script"),
        version=__version__,
        **read,
    )


# --- pieces --------------------------------------------------------------------------


def _escape(text):
    """Return text that is no HTML, whatever it holds."""
    text = str(text).encode("utf-8", "replace").decode("utf-8")
    return escape(text)


def _card(heading, body, note=""):
    note = f'<p class="note">{note}</p>\n' if note else ""
    return f'<div class="card">\n<h3>{heading}</h3>\n{note}{body}\n</div>'


def _chart(name, heading, note=""):
    """Return a place for a chart of report.js."""
    place = f'<div class="chart" id="{name}" role="img" aria-label="{heading}"></div>'
    return _card(heading, place, note)


def _pair(*cards):
    return '<div class="pair">\n' + "\n".join(cards) + "\n</div>"


def _table(head, rows, *, name="", kinds=()):
    """Return a table; cells that are pairs hold a class and a text.

    Parameters
    ----------
    head : list of str
    rows : list of lists of str or (str, str)
    name : str
        Its id; tables that are sorted by clicks, or changed by the slider, have one.
    kinds : tuple of int
        Columns of text, which is set to the left.
    """
    cells = "".join(
        f'<th scope="col"{_kind(i, kinds)}>{_escape(text)}</th>'
        for i, text in enumerate(head)
    )
    lines = [f"<tr>{cells}</tr>"]
    body = [
        "".join(_cell(i, cell, kinds) for i, cell in enumerate(row)) for row in rows
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in body)
    identity = f' id="{name}"' if name else ""
    return (
        f'<div class="scroll" tabindex="0"><table{identity}><thead>{lines[0]}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _kind(i, kinds):
    return ' class="text"' if i in kinds else ""


def _cell(i, cell, kinds):
    if isinstance(cell, tuple):
        classes, text = cell
        return f'<td class="{classes}">{_escape(text)}</td>'
    return f"<td{_kind(i, kinds)}>{_escape(cell)}</td>"


def _verdict(channel):
    """Return the cell of a verdict, with an alarm where spend follows the KPI."""
    verdict = channel.verdict or "none"
    alarm = ", follows KPI" if channel.follows_kpi else ""
    return f"text verdict {verdict.replace(' ', '-')}", verdict + alarm


# --- sections ------------------------------------------------------------------------


def _facts(content):
    times = content.times
    regions = f"{len(content.regions)} regions · " if content.regional else ""
    first, last = (str(t)[:10] for t in (times[0], times[-1]))
    held_out = content.cells["holdout"]
    later = ""
    if held_out.any():
        n_later = content.cells[held_out].index.unique("time").size
        later = f" · the last {n_later} {periods(content, n_later)} held out"
    return _escape(
        f"{content.kpi} · {regions}{len(times)} {periods(content)} from {first} to "
        f"{last} · {len(content.channels)} channels{later}"
    )


def _summary(content):
    predicted = content.parts.to_numpy().sum()
    total, low, high = content.media
    tiles = [
        (
            "caused by media",
            percent(total / predicted),
            _doubt(low / predicted, high / predicted, percent),
        ),
        (f"{content.kpi} caused by media", number(total), _doubt(low, high, number)),
    ]
    if content.money.all():
        value, *ends = content.returned
        name = f"{content.kpi} per unit of money, all media"
        tiles.append((name, number(value), _doubt(*ends, number)))
    told = (content.summary["verdict"] == "data-driven").sum()
    tiles.append(
        (
            "channels that the data tell",
            f"{told} of {len(content.channels)}",
            "what the others did is an assumption"
            if told < len(content.channels)
            else "none rests on assumptions alone",
        )
    )
    tiles = "\n".join(
        f'<div class="card tile"><div class="name">{_escape(name)}</div>'
        f'<div class="value">{_escape(value)}</div>'
        f'<div class="doubt">{_escape(doubt)}</div></div>'
        for name, value, doubt in tiles
    )
    findings = "\n".join(
        f"<h3>{_escape(heading)}</h3>\n<p>{_escape(text)}</p>"
        for heading, text in summary_sentences(content)
    )
    return "\n".join(
        [
            f'<div class="tiles">{tiles}</div>',
            '<div class="split">',
            f'<div class="card findings">{findings}</div>',
            "<div>",
            _chart(
                "chart-effects", "What each channel caused", _interval_note(content)
            ),
            _chart("chart-waterfall", f"Where {_escape(content.kpi)} came from"),
            "</div></div>",
        ]
    )


def _doubt(low, high, write):
    if not np.isfinite(low):
        return "no interval without draws"
    return f"{write(low)} to {write(high)}"


def _interval_note(content):
    return (
        f"Bars are {content.level:.0%} intervals. ● data-driven, ○ prior-driven, "
        "✕ not identified."
    )


def _fit(content):
    rows = [
        [name, percent(row.wmape), number(row.r2_within), percent(row.coverage)]
        for name, row in content.scores.iterrows()
    ]
    within = "R² within regions" if content.regional else "R²"
    scores = _table(
        ["Rows", "wMAPE", within, f"inside {content.level:.0%} intervals"], rows
    )
    note = (
        "wMAPE is the absolute error as a share of the KPI. The level of the model "
        "follows the KPI, so that a close fit to seen rows is no achievement; neither "
        "that nor a good forecast shows that effects are right."
    )
    parts = [
        _chart(
            "chart-fit",
            f"{_escape(content.kpi)}, observed and predicted",
            "Bounds of a sum over regions are not shown: regions move together."
            if content.band is None
            else f"With {content.level:.0%} interval.",
        ),
        _pair(
            _chart("chart-scatter", "Observed against predicted"),
            _card("Errors", scores, note),
        ),
        _chart(
            "chart-baseline",
            f"What moves {_escape(content.kpi)} without media",
            "Differences from a constant"
            + (", summed over regions." if content.regional else "."),
        ),
    ]
    if content.skill is None:
        parts.append(
            _card(
                "Forecasts",
                "<p>They were not compared with naive ones for this report. Pass the "
                "result of <code>skmmm.metrics.rolling_skill</code> as "
                "<code>skill</code>, or use <code>skmmm report</code>, which does.</p>",
            )
        )
    else:
        parts.append(
            _pair(
                _chart(
                    "chart-skill",
                    "Skill of forecasts from earlier origins",
                    "Share of the naive forecast's error that is avoided; below zero "
                    "is worse than naive.",
                ),
                _card("Errors of these forecasts", _skill_table(content.skill)),
            )
        )
    return "\n".join(parts)


def _skill_table(skill):
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    rows = [
        [name, percent(row.wmape), f"{row.skill:+.2f}"] for name, row in mean.iterrows()
    ]
    return _table(["Forecast", "wMAPE", "Skill"], rows)


def _channels(content):
    table = content.summary
    rows = [
        [
            channel.Index,
            number(channel.spend),
            number(channel.contribution),
            interval(channel.contribution_low, channel.contribution_high),
            percent(channel.share),
            number(channel.roi),
            interval(channel.roi_low, channel.roi_high),
            number(channel.mroi),
            interval(channel.mroi_low, channel.mroi_high),
            _verdict(channel),
        ]
        for channel in table.sort_values("contribution", ascending=False).itertuples()
    ]
    head = ["Channel", "Spend", "Contribution", "interval", "Share"]
    head += ["ROI", "interval", "Marginal ROI", "interval", "Verdict"]
    note = (
        f"ROI: {_escape(content.kpi)} per {unit_of_spend(content)}. Share: of what is "
        f"predicted. Intervals hold with {content.level:.0%} probability."
    )
    cards = [
        _chart(
            "chart-contributions",
            f"What made up {_escape(content.kpi)} over time",
            "Click a name to hide it.",
        ),
        _pair(
            _chart("chart-returns", _returns_heading(content), _interval_note(content)),
            _chart("chart-shares", "Share of spend against share of effect")
            if content.money.all()
            else _chart("chart-shares", "Share of what media caused"),
        ),
        _card(
            "All channels", _table(head, rows, name="channels-table", kinds=(9,)), note
        ),
    ]
    return "\n".join(cards)


def _returns_heading(content):
    if content.money.all():
        return "Return of all spend and of the next unit"
    return "Effect per unit of the column, all and next unit"


def _response(content):
    if not content.curves:
        return ""
    picker = (
        '<div class="controls"><label for="channel">Channel</label>'
        '<select id="channel"></select></div>'
    )
    return "\n".join(
        [
            picker,
            _chart(
                "chart-curve",
                "What other levels of spend would cause",
                "The shade is what the data have seen; beyond it the curve is a guess. "
                f"With {content.level:.0%} interval.",
            ),
            _pair(
                _chart(
                    "chart-adstock",
                    "Carry-over: when the effect comes",
                    f"Share of the effect by {periods(content)} after the spend.",
                ),
                _chart(
                    "chart-saturation",
                    "Saturation: how much more is left",
                    "Share of the highest effect, by spend of a row after carry-over. "
                    "Shade: the middle 80% of the rows.",
                ),
            ),
            _chart(
                "chart-effectiveness",
                "Effectiveness over time",
                "What the same spend causes, as a multiple of the mean. A flat line: "
                "the data show no change.",
            ),
            _chart("chart-curves", "All channels", "Each on axes of its own."),
        ]
    )


def _channel_graph(content):
    if content.graph is None:
        return ""
    graph = content.graph
    edges = [
        [
            edge.parent,
            edge.child,
            f"{edge.weight:+.2f}",
            f"{edge.same_period:+.2f}",
            percent(edge.probability),
        ]
        for edge in graph.edges.itertuples()
    ]
    pairs = graph.pairs
    undecided = pairs[pairs["verdict"] == "undecided"].nlargest(20, "probability")
    open_pairs = [
        [pair.parent, pair.child, percent(pair.probability)]
        for pair in undecided.itertuples()
    ]
    n_open = int((pairs["verdict"] == "undecided").sum())
    cards = [
        _card(
            "Which channel drives which",
            '<div id="graph-drawing" class="scroll"></div>',
            "From spend alone: how one budget moves another. Wide: strong; dark: sure; "
            "dashed: undecided. A candidate to test, not a proof.",
        )
    ]
    if edges:
        head = ["Drives", "Is driven", "Weight", "of it, same period", "Probability"]
        note = (
            "Weight: change of the second, in its standard deviations, per standard "
            "deviation of the first."
        )
        cards.append(_card("Edges", _table(head, edges, kinds=(1,)), note))
    cards.append(
        _chart(
            "chart-graph",
            "Probability of every pair",
            "Rows drive columns. Share of resampled data in which the edge is found.",
        )
    )
    if open_pairs:
        more = f", the likeliest {len(open_pairs)}" if n_open > len(open_pairs) else ""
        table = _table(["Drives?", "Is driven?", "Probability"], open_pairs, kinds=(1,))
        note = "More regions, or spend that moves on its own, would decide them."
        cards.append(_card(f"Undecided: {n_open} pairs{more}", table, note))
    if graph.cautions:
        items = "".join(f"<li>{_escape(caution)}</li>" for caution in graph.cautions)
        cards.append(_card("Cautions", f"<ul>{items}</ul>"))
    return "\n".join(cards)


def _plan(content):
    if content.path is None:
        return ""
    unit = "" if content.money.all() else " (units of the columns, added up)"
    slider = (
        '<div class="controls"><label for="budget">Total spend'
        f'{unit}</label><input type="range" id="budget" min="0" step="1">'
        '<output id="budget-text" for="budget"></output></div>'
        '<p id="plan-text" aria-live="polite"></p>'
    )
    head = ["Channel", "Today", "Plan", "Change", "Causes", "Marginal ROI", "Stops"]
    unpriced = (
        ""
        if content.money.all()
        else '<p class="warning">The cost of a unit is not known, so that this plan '
        "takes a unit of every column to cost the same. Name costs in media_cost.</p>"
    )
    note = (
        "For each budget, the split that causes most according to the model, every "
        "channel between half and twice of today and within what the data have seen."
    )
    return "\n".join(
        [
            _card("How much, and where", unpriced + slider, note),
            _pair(
                _chart("chart-plan", "Spend today and planned"),
                _chart(
                    "chart-path",
                    "What each budget causes",
                    f"With {content.level:.0%} interval of the best plan.",
                ),
            ),
            _card("The plan", _table(head, [], name="plan-table", kinds=(6,))),
        ]
    )


def _regions(content):
    if not content.regional or len(content.regions) < 2:
        return ""
    picker = (
        '<div class="controls"><label for="measure">Measure</label>'
        '<select id="measure"></select></div>'
    )
    head = ["Region", content.kpi, "Spend", "Caused by media", "Share"]
    head += ["ROI"] if content.money.all() else []
    return "\n".join(
        [
            picker,
            _chart("chart-regions", "Regions from the highest to the lowest"),
            _card(
                "All regions",
                _table(head, [], name="regions-table"),
                "Click a heading to sort.",
            ),
        ]
    )


def _diagnostics(content):
    rows = [
        [channel.Index, _verdict(channel), ("wrap", _advice(channel, content))]
        for channel in content.summary.itertuples()
    ]
    return "\n".join(
        [
            _card(
                "How far to believe each channel",
                _table(["Channel", "Verdict", "What to do"], rows, kinds=(1, 2)),
            ),
            _chart("chart-residuals", "Errors over time"),
            _pair(
                _chart("chart-histogram", "Size of the errors"),
                _chart(
                    "chart-acf",
                    "Errors of one period and of later ones",
                    "Correlation by distance; between the lines it may be chance. "
                    "Where the level follows the KPI, what is left alternates.",
                ),
            ),
        ]
    )


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


def _data(content):
    rows = [
        [
            name,
            row.role,
            number(row.total),
            percent(row.zero),
            number(row.typical),
            number(row.highest),
            ("warn" if row.spike > 20 else "", f"{number(row.spike)} ×"),
        ]
        for name, row in content.data.iterrows()
    ]
    head = ["Column", "Role", "Total", "Rows at zero", "Typical", "Highest", "Spike"]
    missing = (
        f"{content.n_missing:,} of {content.cells.index.unique('region').size:,} × "
        f"{len(content.times):,} pairs of region and {periods(content, 1)} have no row."
        if content.n_missing
        else "Every region has a row for every period."
    )
    return "\n".join(
        [
            _card(
                "Columns",
                _table(head, rows, kinds=(1,)),
                f"{missing} Typical: median of what is not zero. Spike: highest by "
                "typical; far above ten, look for errors of data.",
            ),
            _chart("chart-spend", "Spend over time"),
            _chart(
                "chart-correlation",
                "Which channels move together",
                "Correlation of spend within regions. What always moves together "
                "cannot be told apart.",
            )
            if len(content.channels) > 1
            else "",
        ]
    )


_TERMS = (
    (
        "Contribution",
        "What is predicted with the spend of a channel, minus what is predicted "
        "without it. An estimate of what the channel caused, as far as its verdict "
        "allows.",
    ),
    (
        "Interval",
        "Where the value lies with the stated probability, given the model. It does "
        "not cover that the model itself may be wrong.",
    ),
    (
        "ROI and marginal ROI",
        "What all spend of a channel returned per unit, and what one more unit would. "
        "Curves flatten, so that the second is in general smaller. Only the second "
        "says where the next unit should go.",
    ),
    (
        "Verdict",
        "Data-driven: the data narrowed the estimate to less than half of its prior "
        "range. Prior-driven: they say too little, and the number is an assumption. "
        "Not identified: they cannot tell the channel from something else.",
    ),
    (
        "Follows KPI",
        "Spend of the channel rose after sales rose. Its effect may be overstated, and "
        "no model of sales can see by how much: test it.",
    ),
    (
        "Baseline",
        "What would have come without media: level, trend, season. Controls are what "
        "moves the KPI besides, such as prices and holidays.",
    ),
    (
        "Carry-over and saturation",
        "Spend acts in later periods too, and each further unit adds less. Both are "
        "learned from the data per channel.",
    ),
    (
        "Skill",
        "Share of the naive forecast's error that is avoided: one is perfect, zero as "
        "good as repeating the last value. It shows whether the model knows the KPI, "
        "not whether it knows what caused it.",
    ),
    (
        "Plan",
        "The best split by the model within bounds. It keeps the pattern over regions "
        "and periods of today. Move in steps and measure.",
    ),
)


def _reading(content):
    terms = "\n".join(
        f"<dt>{_escape(term)}</dt><dd>{_escape(text)}</dd>" for term, text in _TERMS
    )
    return f'<div class="card"><dl>{terms}</dl></div>'


_SECTIONS = (
    ("summary", "Summary", _summary),
    ("fit", "Fit and forecast", _fit),
    ("channels", "Channels", _channels),
    ("response", "Response", _response),
    ("graph", "Channel graph", _channel_graph),
    ("plan", "Budget plan", _plan),
    ("regions", "Regions", _regions),
    ("diagnostics", "Diagnostics", _diagnostics),
    ("data", "Data", _data),
    ("reading", "How to read this", _reading),
)
