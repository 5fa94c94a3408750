"""Which tabs a report has, and the rows of their tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from skmmm._utils.labels import called, counted
from skmmm.graph._channel_graph import ChannelGraph
from skmmm.inspection._placement import ADVICE
from skmmm.plotting._experiments import SHOWN
from skmmm.plotting._style import format_number
from skmmm.report._content import PARTS, Content
from skmmm.report._phrases import aligned, interval, number, percent, reach_of
from skmmm.report._words import pays, why_open

_MOST_ERRORS = 50  # listed by date

# A text; or classes of the cell, its text and smaller second lines.
Cell = str | tuple[str, ...]
Row = list[Cell] | tuple[Cell, ...]


def tabs(content: Content) -> list[tuple[str, str]]:
    """Return keys and names of the tabs that have something to show."""
    found = {
        "summary": "Summary",
        "changes": "" if content.changes is None else "What changed",
        "fit": "Fit and forecast",
        "channels": "Channels",
        "response": "Response" if content.curves else "",
        "experiments": "" if content.experiments is None else "Experiments",
        "graph": "" if content.graph is None else "Channel graph",
        "plan": "Budget plan",
        "regions": "Regions" if content.has_regions else "",
        "diagnostics": "Diagnostics",
        "data": "Data",
        "reading": "How to read this",
    }
    return [(key, name) for key, name in found.items() if name]


def tiles(content: Content) -> list[tuple[str, str, str]]:
    """Return names, values and intervals of the numbers on top."""
    predicted = content.predicted
    total, low, high = content.media
    share = _doubt(low / predicted, high / predicted, percent)
    found = [
        ("caused by media", percent(total / predicted), share),
        (f"{content.kpi} caused by media", number(total), _doubt(low, high, number)),
    ]
    if content.priced:
        value, low, high = content.returned
        all_media = "all media" if content.paid.all() else "all paid media"
        name = f"{content.kpi} per unit of money, {all_media}"
        found.append((name, number(value), _doubt(low, high, number)))
    told = (content.summary["verdict"] == "data-driven").sum()
    n_channels = len(content.channels)
    others = "none rests on assumptions alone"
    if told < n_channels:
        others = "what the others did is an assumption"
    return [*found, ("identified channels", f"{told} of {n_channels}", others)]


def _doubt(low, high, write):
    if not np.isfinite(low):
        return "no interval without draws"
    return f"{write(low)} to {write(high)}"


def scores(content: Content) -> list[Row]:
    """Return the errors in rows that were seen and held out."""
    return [
        [
            str(name),
            f"{row.wmape:.1%}",
            f"{row.r2_within:.3f}" if np.isfinite(row.r2_within) else "–",
            *_percents([row.coverage]),
        ]
        for name, row in content.scores.iterrows()
    ]


def forecasts(skill: pd.DataFrame) -> list[Row]:
    """Return the mean errors of forecasts from earlier origins."""
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    return [
        [name, f"{row.wmape:.1%}", f"{row.skill:+.2f}"] for name, row in mean.iterrows()
    ]


def channels(content: Content) -> Iterator[Row]:
    """Return contributions and returns, the largest contribution first."""
    found = content.summary.sort_values("contribution", ascending=False)
    return zip(
        found.index,
        map(_verdict, found.itertuples()),
        _column(found["spend"]),
        _within(found, "contribution"),
        _percents(found["share"]),
        _within(found, "roi"),
        _within(found, "mroi"),
        strict=True,
    )


def changes(content: Content) -> Iterator[Row]:
    """Return how the return of each channel has changed since an earlier model."""
    found = content.changes
    assert found is not None  # there is no such tab without
    before, low, high = (found[f"roi_old{end}"] for end in ("", "_low", "_high"))
    returns = aligned(before, found["roi_new"])
    signed = [
        [_signed(value, returns) for value in found[name]]
        for name in ("change", *PARTS)
    ]
    return zip(
        map(called, found.index),
        [
            ("", returns(v), f"{returns(a)} to {returns(b)}")
            if np.isfinite(a)
            else ("", returns(v))
            for v, a, b in zip(before, low, high, strict=True)
        ],
        [
            ("warn" if row.outside else "", returns(row.roi_new))
            for row in found.itertuples()
        ],
        *signed,
        map(returns, found["seed_noise"]),
        map(_verdicts_of, found.itertuples()),
        strict=True,
    )


def _signed(value, write):
    """Return a change as text with its sign."""
    text = write(value)
    if not text.strip("-0."):
        return text.removeprefix("-")
    return f"+{text}" if value > 0 else text


def _verdicts_of(row):
    """Return the cell of the verdict of the new model, with what was before."""
    told = (row.verdict_old, row.verdict_new, row.alarm_old, row.alarm_new)
    before, now, rang, rings = (one if isinstance(one, str) else "" for one in told)
    doubts = [rings] if rings else []
    doubts += [f"was: {before}"] if before and before != now else []
    doubts += [f"was: {rang}"] if rang and rang != rings else []
    return (f"text verdict {now.replace(' ', '-')}", now or "none", *doubts)


def controls(content: Content) -> Iterator[Row]:
    """Return what one more unit of each control does to the KPI of a row."""
    found = content.controls
    assert found is not None  # there is no such card without
    effects = ["effect", "effect_low", "effect_high"]
    return zip(
        map(called, found.index),
        map(_verdict, found.assign(alarm="").itertuples()),
        [_of_unit(*row) for row in found[effects].to_numpy(dtype=float)],
        map(_digits, found["mean"]),
        _percents(found["share"]),
        strict=True,
    )


def _of_unit(effect, low, high):
    """Return the cell of an effect per unit, which each control has its own of."""
    text = number(effect) if effect <= 0 else f"+{number(effect)}"
    return ("", text, interval(low, high)) if np.isfinite(low) else ("", text)


def brand(content: Content) -> Iterator[Row]:
    """Return what channels with a slow stock brought at once and late."""
    found = content.brand
    assert found is not None  # there is no such card without
    return zip(
        map(called, found.index),
        map(_verdict, found.assign(alarm="").itertuples()),
        *(_within(found, name) for name in ("short", "long", "to_come", "share")),
        strict=True,
    )


def payback(content: Content) -> Iterator[Row]:
    """Return after how many periods half and nine tenths of effects have arrived."""
    found = content.payback
    return zip(
        found.index,
        _within(found, "t50"),
        _within(found, "t90"),
        map(_verdict, found.assign(alarm="").itertuples()),
        [
            ("warn" if row.truncated else "", f"{row.cut_off:.1%}")
            if np.isfinite(row.cut_off)
            else "–"
            for row in found.itertuples()
        ],
        strict=True,
    )


def synergies(content: Content) -> Iterator[Row]:
    """Return what pairs of channels cause beyond each by itself."""
    found = content.synergies
    assert found is not None  # there is no such card without
    return zip(
        (" and ".join(map(called, pair)) for pair in found.index),
        map(_verdict, found.rename(columns={"note": "alarm"}).itertuples()),
        _within(found, "contribution"),
        _percents(found["share"]),
        _within(found, "theta"),
        strict=True,
    )


def halves(content: Content) -> Iterator[Row]:
    """Return the spend at which channels reach half of the most that they can cause."""
    found, name = content.halves, "half_saturation"
    ends = found[f"{name}_prior_low"], found[f"{name}_prior_high"]
    return zip(
        map(called, found.index),
        map(_verdict, found.assign(alarm="").itertuples()),
        _within(found, name),
        [interval(low, high) for low, high in zip(*ends, strict=True)],
        [
            "times seen" if unit == "frequency" else f"{called(channel)} per row"
            for channel, unit in found["unit"].items()
        ],
        [
            ("warn" if share == 1.0 else "", f"{share:.0%}")
            for share in found["observed"]
        ],
        strict=True,
    )


def frequency(content: Content) -> Iterator[Row]:
    """Return how often people see each channel, and how often they should."""
    found = content.frequency
    assert found is not None  # there is no such card without
    return zip(
        found.index,
        map(_verdict, found.assign(alarm="").itertuples()),
        [f"{v:.1f}" if np.isfinite(v) else "–" for v in found["frequency"]],
        [
            (
                "",
                f"{row.optimum:.1f}",
                f"{row.optimum_low:.1f} to {row.optimum_high:.1f}",
            )
            if np.isfinite(row.optimum_low)
            else ("", f"{row.optimum:.1f}" if np.isfinite(row.optimum) else "–")
            for row in found.itertuples()
        ],
        [f"{v:.2f} ×" if np.isfinite(v) else "–" for v in found["reach_times"]],
        _column(found["contribution"]),
        _within(found, "gain"),
        strict=True,
    )


def experiments(content: Content) -> Iterator[Row]:
    """Return what experiments measured, and what the model said before and after."""
    found = content.experiments
    reach = reach_of(content.level)
    values = [
        [_spread(*pair) for pair in zip(found[value], reach * found[sd], strict=True)]
        for value, sd, *_ in SHOWN.values()
    ]
    return zip(
        (_tested(content, row) for row in found.itertuples()),
        found["measure"].str.replace("_", " "),
        *values,
        [f"{z:+.1f}" if np.isfinite(z) else "–" for z in found["z"]],
        _percents(found["doubt_removed"]),
        strict=True,
    )


def findings(content: Content) -> list[Row]:
    """Return what each experiment found, in a sentence."""
    return [
        [_tested(content, row), ("wrap", row.finding)]
        for row in content.experiments.itertuples()
    ]


def _tested(content, row):
    """Return the cell of what an experiment changed, when and where."""
    first, last = day(row.start), day(row.end)
    when = first if first == last else f"{first} to {last}"
    n_regions = counted(row.n_regions, "region")
    where = [n_regions] if content.has_regions else []
    kind, said = ("text warn", ["conflict"]) if row.conflict else ("text", [])
    return (kind, row.media, when, *where, *said)


def _spread(value, reach):
    """Return the cell of a value of any size and, below it, its interval."""
    if not np.isfinite(reach):
        return ("", number(value))
    return ("", number(value), interval(value - reach, value + reach))


def edges(graph: ChannelGraph) -> list[Row]:
    """Return the edges of the channel graph."""
    return [
        [
            edge.parent,
            edge.child,
            f"{edge.weight:+.2f}",
            f"{edge.same_period:+.2f}",
            percent(edge.probability),
        ]
        for edge in graph.edges.itertuples()
    ]


def undecided(graph: ChannelGraph) -> list[Row]:
    """Return pairs of channels that data leave open, the likeliest first."""
    found = graph.pairs[graph.pairs["verdict"] == "undecided"]
    order = found["probability"].sort_values(ascending=False, kind="stable").index
    return [
        [
            pair.parent,
            pair.child,
            percent(pair.probability),
            why_open(graph, pair.parent, pair.child),
        ]
        for pair in found.loc[order].itertuples()
    ]


def pairs(count: int) -> str:
    """Return a number of pairs in words."""
    return f"{count} {'pair' if count == 1 else 'pairs'}"


def plan(content: Content) -> Iterator[Row]:
    """Return the best split of the budget closest to unchanged spend."""
    plan = content.plan
    cells = plan.path.plans[plan.nearest].allocation
    cells = cells.sort_values("current_spend", ascending=False, kind="stable")
    summary = plan.summary.loc[cells.index]
    money = aligned(cells["current_spend"], cells["spend"])
    returns = aligned(summary["mroi"], cells["mroi"])
    return zip(
        cells.index,
        map(_verdict, summary.itertuples()),
        map(money, cells["current_spend"]),
        map(money, cells["spend"]),
        [f"{v:+.1%}" if np.isfinite(v) else "–" for v in cells["change"]],
        _column(cells["contribution"]),
        map(returns, summary["mroi"]),
        map(returns, cells["mroi"]),
        cells["reason"],
        strict=True,
    )


def planned_rows(content: Content) -> Iterator[Row]:
    """Return planned spend by period, summed over regions."""
    plan = content.plan
    allocation = plan.path.plans[plan.nearest].allocation
    factor = (allocation["spend"] / allocation["current_spend"]).fillna(1.0)
    total = plan.spend.groupby(level="time").sum().reindex(plan.times)
    total = total * factor.reindex(total.columns).fillna(1.0)
    texts = [_column(total.iloc[:, m]) for m in range(total.shape[1])]
    return zip(map(day, plan.times), *texts, strict=True)


def regions(content: Content) -> Iterator[Row]:
    """Return what media caused in each region."""
    found = content.regions
    money = ["roi"] if content.priced else []
    return zip(
        map(str, found.index),
        *(_column(found[name]) for name in ("observed", "spend", "contribution")),
        _percents(found["share"]),
        *(_column(found[name]) for name in money),
        strict=True,
    )


def verdicts(content: Content) -> list[Row]:
    """Return how far to believe each channel, and what to do."""
    return [
        [channel.Index, _verdict(channel), ("wrap", _advice(channel, content))]
        for channel in content.summary.itertuples()
    ]


def _advice(channel, content):
    """Return what an alarm, or else a verdict, asks for."""
    if channel.alarm:
        return f"Its spend {ADVICE[channel.alarm]}"
    return {
        "data-driven": "The data narrowed the estimate to less than half of what was "
        "expected beforehand. Use it with its interval." + pays(channel, content),
        "prior-driven": "The channel spends too little or too evenly to tell. The "
        "estimate is what was expected beforehand: vary its spend, or bring in what an "
        "experiment found (priors).",
        "not identified": "The data leave room from little or nothing to much: it "
        "moves together with other channels or the baseline, or causes too little to "
        "be seen. Move its spend on its own, as a test does.",
    }.get(channel.verdict, "Fit with n_draws=64 (--draws 64) for a verdict.")


def large_errors(content: Content) -> Iterator[Row]:
    """Return the largest errors beyond four standard deviations."""
    shown = content.large_errors[:_MOST_ERRORS]
    observed = shown["predicted"] + shown["residual"]
    write = aligned(observed, shown["predicted"])
    regional = ["region"] if content.regional else []
    return zip(
        map(day, shown.index.get_level_values("time")),
        *(map(str, shown.index.get_level_values(name)) for name in regional),
        map(write, observed),
        map(write, shown["predicted"]),
        [f"{value:+.1f}" for value in shown["standardised"]],
        strict=True,
    )


def columns(content: Content) -> list[Row]:
    """Return what the columns of media and controls hold."""
    return [
        [
            name,
            row.role,
            _digits(row.total),
            f"{row.zero:.1%}",
            _digits(row.typical),
            _digits(row.highest),
            ("warn" if row.spike > 20 else "", f"{row.spike:.1f} ×")
            if np.isfinite(row.spike)
            else "–",
        ]
        for name, row in content.data.iterrows()
    ]


def day(time: Any) -> str:
    """Return the date of a time."""
    return str(time)[:10]


def _within(table: pd.DataFrame, name: str) -> list[Cell]:
    """Return cells of a value and, below it, its interval, by row of a table."""
    ends = [table[f"{name}{end}"] for end in ("", "_low", "_high")]
    write = aligned(*ends)
    return [
        ("", write(value), f"{write(low)} to {write(high)}")
        if np.isfinite(low)
        else ("", write(value))
        for value, low, high in zip(*ends, strict=True)
    ]


def _column(values):
    """Return texts of numbers that stand below each other."""
    return list(map(aligned(values), values))


def _percents(values):
    """Return shares in percent that stand below each other."""
    return [f"{value:.1%}" if np.isfinite(value) else "–" for value in values]


def _verdict(channel):
    """Return the cell of a verdict, with the alarm if one rang."""
    found = channel.verdict or "none"
    alarm = [channel.alarm] if channel.alarm else []
    return (f"text verdict {found.replace(' ', '-')}", found, *alarm)


def _digits(value):
    """Return three digits of a number; columns of data have units of their own."""
    return format_number(value, trim=False) if np.isfinite(value) else "–"
