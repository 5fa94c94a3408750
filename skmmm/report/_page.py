"""The page: sections of text, tables and places for charts, around the payload."""

from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from skmmm import __version__
from skmmm.graph._estimate import RULE_OUT
from skmmm.plotting._style import format_number, shorten
from skmmm.report._payload import make_payload, to_json
from skmmm.report._words import (
    aligned,
    number,
    percent,
    periods,
    planned,
    reported,
    summary_sentences,
    unit_of_spend,
    why_open,
)

_MOST_ERRORS = 50  # listed by date
_MOST_ROWS = 40  # of a table that does not scroll


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


def _card(heading, body, note="", scope=""):
    """Return a card; of scope "region" or "all" it says which regions it is about."""
    note = f'<p class="note">{note}</p>\n' if note else ""
    about = f'<span class="scope {scope}">: all regions</span>' if scope else ""
    return f'<div class="card">\n<h3>{heading}{about}</h3>\n{note}{body}\n</div>'


def _chart(name, heading, note="", scope=""):
    """Return a place for a chart of report.js."""
    place = f'<div class="chart" id="{name}" role="img" aria-label="{heading}"></div>'
    return _card(heading, place, note, scope)


def _scope(content, scope="region"):
    """Return what a card under the list of regions is about."""
    return scope if content.regional and len(content.regions) > 1 else ""


def _pair(*cards):
    return '<div class="pair">\n' + "\n".join(cards) + "\n</div>"


def _table(head, rows, *, name="", kinds=()):
    """Return a table.

    On a narrow screen every row becomes a list of headings and values.

    Parameters
    ----------
    head : list of str
    rows : list of lists of str, (str, str) or (str, str, str)
        Texts; classes and text; or these and a smaller second line.
    name : str
        Its id; tables that are sorted by clicks, or changed by the slider, have one.
    kinds : tuple of int
        Columns of text, which is set to the left.
    """
    cells = "".join(
        f'<th scope="col"{_kind(i, kinds)}>{_escape(text)}</th>'
        for i, text in enumerate(head)
    )
    rows = [list(row) for row in rows]
    body = [
        "".join(
            _cell(i, name, cell, kinds)
            for i, (name, cell) in enumerate(zip(head, row, strict=True))
        )
        for row in rows
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in body)
    identity = f' id="{name}"' if name else ""
    size = " long" if len(rows) > _MOST_ROWS else ""
    return (
        f'<div class="scroll{size}" tabindex="0"><table{identity}>\n'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _kind(i, kinds):
    return ' class="text"' if i in kinds else ""


def _cell(i, name, cell, kinds):
    classes, text, *more = cell if isinstance(cell, tuple) else ("", cell)
    kind = f' class="{classes}"' if classes else _kind(i, kinds)
    second = "".join(f'<span class="doubt">{_escape(line)}</span>' for line in more)
    value = f"<span>{_escape(text)}{second}</span>"
    return f'<td{kind} data-label="{_escape(name)}">{value}</td>'


def _within(table, name):
    """Return cells of a value and, below it, its interval, by row of a table."""
    columns = [table[f"{name}{end}"] for end in ("", "_low", "_high")]
    write = aligned(*columns)
    return [
        ("", write(value), f"{write(low)} to {write(high)}")
        if np.isfinite(low)
        else ("", write(value))
        for value, low, high in zip(*columns, strict=True)
    ]


def _column(values):
    """Return texts of numbers that stand below each other."""
    return list(map(aligned(values), values))


def _percents(values):
    """Return shares in percent that stand below each other."""
    return [f"{value:.1%}" if np.isfinite(value) else "–" for value in values]


def _verdict(channel):
    """Return the cell of a verdict, with an alarm where spend follows the KPI."""
    verdict = channel.verdict or "none"
    alarm = ["follows KPI"] if channel.follows_kpi else []
    return (f"text verdict {verdict.replace(' ', '-')}", verdict, *alarm)


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
            _chart(
                "chart-waterfall",
                f"Where {_escape(content.kpi)} came from",
                "Trend is counted from the first period, season from its lowest, a "
                "control that is zero in some rows (an event) from zero, others from "
                "their average. What is left is the base.",
            ),
            "</div></div>",
        ]
    )


def _doubt(low, high, write):
    if not np.isfinite(low):
        return "no interval without draws"
    return f"{write(low)} to {write(high)}"


def _interval_note(content):
    return (
        f"Bars are {content.level:.0%} intervals. The point is the most probable "
        "value; it lies near one end of its bar where the other side is less certain. "
        "●\u00a0data-driven, ○\u00a0prior-driven, ✕\u00a0not\u00a0identified."
    )


def _fit(content):
    rows = [
        [name, f"{row.wmape:.1%}", _ratio(row.r2_within), *_percents([row.coverage])]
        for name, row in content.scores.iterrows()
    ]
    within = "R² within regions" if content.regional else "R²"
    scores = _table(
        ["Rows", "wMAPE", within, f"inside {content.level:.0%} intervals"],
        rows,
        name="scores-table",
    )
    scope = _scope(content)
    note = (
        "wMAPE is the absolute error as a share of the KPI. The level of the model "
        "follows the KPI, so that a close fit to seen rows is no achievement; neither "
        "that nor a good forecast shows that effects are right."
    )
    parts = [
        _chart(
            "chart-fit",
            f"{_escape(content.kpi)}, observed and predicted",
            f"With {content.level:.0%} interval for one region. That of a sum is not "
            "shown: regions move together."
            if scope
            else f"With {content.level:.0%} interval.",
            scope,
        ),
        _pair(
            _chart(
                "chart-scatter",
                "Observed against predicted",
                "A point per region and period." if scope else "",
                scope,
            ),
            _card("Errors", scores, note, scope),
        ),
        _chart(
            "chart-baseline",
            f"What moves {_escape(content.kpi)} without media",
            "Differences from a constant.",
            scope,
        ),
    ]
    everywhere = _scope(content, "all")
    if content.skill is None:
        parts.append(
            _card(
                "Forecasts",
                "<p>They were not compared with naive ones for this report. Pass the "
                "result of <code>skmmm.metrics.rolling_skill</code> as "
                "<code>skill</code>, or use <code>skmmm report</code>, which does.</p>",
                scope=everywhere,
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
                    everywhere,
                ),
                _card(
                    "Errors of these forecasts",
                    _skill_table(content.skill),
                    scope=everywhere,
                ),
            )
        )
    return "\n".join(parts)


def _ratio(value):
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _skill_table(skill):
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    rows = [
        [name, f"{row.wmape:.1%}", f"{row.skill:+.2f}"] for name, row in mean.iterrows()
    ]
    return _table(["Forecast", "wMAPE", "Skill"], rows)


def _channels(content):
    table = content.summary.sort_values("contribution", ascending=False)
    columns = zip(
        table.index,
        map(_verdict, table.itertuples()),
        _column(table["spend"]),
        _within(table, "contribution"),
        _percents(table["share"]),
        _within(table, "roi"),
        _within(table, "mroi"),
        strict=True,
    )
    scope, regions = _scope(content), ", all regions" if _scope(content) else ""
    head = ["Channel", f"Verdict{regions}", "Spend", "Contribution", "Share"]
    head += ["ROI", "Marginal ROI"]
    note = (
        f"{_escape(reported(content))}. ROI: {_escape(content.kpi)} per "
        f"{unit_of_spend(content)}; marginal: of one percent more of all this spend. "
        "Share: of what is predicted. Second lines are intervals, which hold with "
        f"{content.level:.0%} probability."
    )
    if not content.paid.all():
        note += (
            " Channels without a cost have no ROI, and spend in units of the column."
        )
    cards = [
        _chart(
            "chart-contributions",
            f"What made up {_escape(content.kpi)} over time",
            "Click a name to hide it.",
            scope,
        ),
        _pair(
            _chart(
                "chart-returns",
                _returns_heading(content),
                _interval_note(content),
                scope,
            ),
            _chart("chart-shares", _shares_heading(content), "", scope),
        ),
        _card(
            "All channels",
            _table(head, columns, name="channels-table", kinds=(1,)),
            note,
            scope,
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
    undecided = pairs[pairs["verdict"] == "undecided"]
    order = undecided["probability"].sort_values(ascending=False, kind="stable").index
    undecided = undecided.loc[order]
    open_pairs = [
        [
            pair.parent,
            pair.child,
            percent(pair.probability),
            why_open(graph, pair.parent, pair.child),
        ]
        for pair in undecided.itertuples()
    ]
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
        head = ["Drives?", "Is driven?", "Found in", "Why it is open"]
        table = _table(head, open_pairs, kinds=(1, 3))
        note = (
            "Found in: share of resampled data. More regions, or spend that moves on "
            "its own, would decide them."
        )
        cards.append(_card(f"Undecided: {_pairs(len(open_pairs))}", table, note))
    n_none = int((pairs["verdict"] == "no edge").sum())
    if n_none:
        text = (
            f"<p>Found in at most {RULE_OUT:.0%} of resampled data, in both directions "
            "(or in the other direction as an edge), with rows enough to see an effect "
            "that counts; or excluded when the model was fitted.</p>"
        )
        cards.append(_card(f"No edge: {_pairs(n_none)}", text))
    if graph.cautions:
        items = "".join(f"<li>{_escape(caution)}</li>" for caution in graph.cautions)
        cards.append(_card("Cautions", f"<ul>{items}</ul>"))
    return "\n".join(cards)


def _pairs(count):
    return f"{count} {'pair' if count == 1 else 'pairs'}"


def _plan(content):
    plan = content.plan
    if isinstance(plan, str):
        return _card("No plan", f"<p>{_escape(plan)}</p>")
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
    when = _escape(planned(content))
    note = (
        f"For {when}, which follow the training data. Unchanged: spend and controls "
        f"{plan.unchanged}. For each budget, the split that causes most according to "
        "the model, every channel between half and twice of its unchanged spend and "
        "within what the data have seen."
    )
    about = (
        f"Causes: {_escape(content.kpi)} that the planned spend causes, in these "
        f"{periods(content)} and later. Marginal ROI: of the last unit of their spend; "
        "that on the page Channels is about the past."
    )
    return "\n".join(
        [
            _card("How much, and where", unpriced + slider, note),
            _pair(
                _chart("chart-plan", "Spend unchanged and planned"),
                _chart(
                    "chart-path",
                    "What each budget causes",
                    f"With {content.level:.0%} interval of the best plan.",
                ),
            ),
            _card("The plan", _plan_table(content), about),
            _card("Planned rows", _planned_rows(content), _rows_note(content)),
        ]
    )


def _plan_table(content):
    plan = content.plan
    table = plan.path.plans[plan.nearest].allocation
    table = table.sort_values("current_spend", ascending=False, kind="stable")
    summary = plan.summary.loc[table.index]
    money = aligned(table["current_spend"], table["spend"])
    returns = aligned(summary["mroi"], table["mroi"])
    columns = zip(
        table.index,
        map(_verdict, summary.itertuples()),
        map(money, table["current_spend"]),
        map(money, table["spend"]),
        [f"{v:+.1%}" if np.isfinite(v) else "–" for v in table["change"]],
        _column(table["contribution"]),
        map(returns, summary["mroi"]),
        map(returns, table["mroi"]),
        table["reason"],
        strict=True,
    )
    head = ["Channel", "Verdict", "Unchanged", "Plan", "Change", "Causes"]
    head += ["Marginal ROI unchanged", "Marginal ROI planned", "Stops"]
    return _table(head, columns, name="plan-table", kinds=(1, 8))


def _planned_rows(content):
    """Return planned spend by period, summed over regions."""
    plan = content.plan
    allocation = plan.path.plans[plan.nearest].allocation
    factor = (allocation["spend"] / allocation["current_spend"]).fillna(1.0)
    total = plan.spend.groupby(level="time").sum().reindex(plan.times)
    total = total * factor.reindex(total.columns).fillna(1.0)
    texts = [_column(total.iloc[:, m]) for m in range(total.shape[1])]
    rows = zip([_day(t) for t in plan.times], *texts, strict=True)
    picker = ""
    if _scope(content):
        picker = (
            '<div class="controls"><label for="plan-region">Region</label>'
            '<select id="plan-region"></select></div>'
        )
    head = [periods(content, 1).capitalize(), *shorten(content.channels, 26)]
    return picker + _table(head, rows, name="rows-table")


def _day(time):
    return str(time)[:10]


def _rows_note(content):
    note = "Spend of the plan above by channel"
    return f"{note}, in money." if content.paid.all() and content.priced else f"{note}."


def _regions(content):
    if not content.regional or len(content.regions) < 2:
        return ""
    picker = (
        '<div class="controls"><label for="measure">Measure</label>'
        '<select id="measure"></select></div>'
    )
    table = content.regions
    head = ["Region", content.kpi, "Spend", "Caused by media", "Share"]
    columns = [
        map(str, table.index),
        _column(table["observed"]),
        _column(table["spend"]),
        _column(table["contribution"]),
        _percents(table["share"]),
    ]
    if content.priced:
        head.append("ROI")
        columns.append(_column(table["roi"]))
    rows = zip(*columns, strict=True)
    return "\n".join(
        [
            picker,
            _chart(
                "chart-regions",
                "Regions from the highest to the lowest",
                f"Bars are {content.level:.0%} intervals of all media together.",
            ),
            _card(
                "All regions",
                _table(head, rows, name="regions-table"),
                '<span class="wide">Click a heading to sort.</span>',
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
            _large_errors(content),
            _pair(
                _chart(
                    "chart-histogram",
                    "Size of the errors",
                    "Those beyond four standard deviations are in the outermost bars.",
                ),
                _chart(
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
        return _card(heading, "<p>There are none.</p>")
    shown = errors[:_MOST_ERRORS]
    observed = shown["predicted"] + shown["residual"]
    write = aligned(observed, shown["predicted"])
    head = ["Date" if content.period != "integer" else "Period"]
    columns = [[_day(t) for t in shown.index.get_level_values("time")]]
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
    table = _table(head, zip(*columns, strict=True), kinds=kinds)
    return _card(f"{heading}: {len(errors)}{more}", table, note)


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
            _digits(row.total),
            f"{row.zero:.1%}",
            _digits(row.typical),
            _digits(row.highest),
            ("warn", f"{row.spike:.1f} ×")
            if row.spike > 20
            else f"{row.spike:.1f} ×"
            if np.isfinite(row.spike)
            else "–",
        ]
        for name, row in content.data.iterrows()
    ]
    head = ["Column", "Role", "Total", "Rows at zero", "Typical", "Highest", "Spike"]
    missing = (
        f"{content.n_missing:,} pairs of region and {periods(content, 1)} between the "
        "first and the last have no row."
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
            _card(
                "Settings of the fit",
                _table(["Setting", "Value"], content.settings, kinds=(1,)),
                "The columns of media and controls are listed above.",
            ),
        ]
    )


def _digits(value):
    """Return three digits of a number; columns of data have units of their own."""
    return format_number(value, trim=False) if np.isfinite(value) else "–"


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
        "not cover that the model itself may be wrong. The value beside it is the most "
        "probable one, which is not the middle: it lies near one end where the other "
        "side is less certain.",
    ),
    (
        "ROI and marginal ROI",
        "What all spend of a channel returned per unit, and what one more unit would. "
        "Curves flatten, so that the second is in general smaller. Only the second "
        "says where the next unit should go. It depends on the level and the timing of "
        "spend: on the page Channels it is that of past spend, on the page of the plan "
        "that of the coming periods.",
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
        "The best split by the model within bounds. It keeps the pattern of unchanged "
        "spend over regions and periods. Move in steps and measure.",
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
