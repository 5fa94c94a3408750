"""The numbers behind a report's charts, as JSON."""

import json

import numpy as np
import pandas as pd

from skmmm.plotting._diagnostics import autocorrelation, errors_over_time
from skmmm.plotting._graph import drawn_pairs, layered
from skmmm.plotting._style import CHANNEL_COLORS, shorten

_DIGITS = 5  # significant
_COARSE = 4  # of single regions; still finer than a pixel
# Numbers of single regions that a page holds: less than 3 MB.
_MOST_NUMBERS = 450_000
_BASELINE = "baseline and controls"


def to_json(payload):
    """Return JSON that may stand in a script element, whatever its strings hold.

    Parameters
    ----------
    payload : dict
        Of dicts, lists, strings, numbers and None; nan becomes null.

    Returns
    -------
    text : str
    """
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=",:")
    # Neither "</script>" nor "<!--" may appear; the other two end lines in old
    # versions of JavaScript.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Half of a surrogate pair is no text, and cannot be written.
    return text.encode("utf-8", "replace").decode("utf-8")


def numbers(values, digits=_DIGITS):
    """Return a list of numbers with few digits, None where there is none."""
    values = np.asarray(values, dtype=np.float64).ravel()
    return [
        None if not np.isfinite(v) else int(v) if v == int(v) and abs(v) < 1e5 else v
        for v in (float(f"{value:.{digits}g}") for value in values)
    ]


def make_payload(content):
    """Return what the charts of a report need.

    Parameters
    ----------
    content : Content

    Returns
    -------
    payload : dict
    """
    names = [str(channel) for channel in content.channels]
    return {
        "kpi": content.kpi,
        "period": content.period,
        "level": content.level,
        "money": bool(content.money.all()),
        "names": names,
        "short": shorten(names, 26),
        "colors": [CHANNEL_COLORS[m % len(CHANNEL_COLORS)] for m in range(len(names))],
        "times": [_time(t) for t in content.times],
        **_regions(content),
        "band": _band(content),
        "summary": _table(content.summary),
        "curves": _curves(content),
        "shapes": _shapes(content),
        "fittedTimes": [_time(t) for t in content.baseline.index],
        "parts": _baseline(content),
        "residuals": _residuals(content),
        "plan": _plans(content),
        "skill": _skill(content.skill),
        "ranking": _ranking(content),
        "graph": _graph(content),
        "spend": [
            numbers(column)
            for _, column in _by_time(content.spend, content.times).items()
        ],
        "correlation": _correlation(content.spend),
    }


def _time(value):
    """Return a date as text, a whole number as it is."""
    return str(value)[:10] if not isinstance(value, int | np.integer) else int(value)


def _table(frame):
    """Return the columns of a table: numbers, or what they are."""
    table = {}
    for name, column in frame.items():
        numeric = pd.api.types.is_numeric_dtype(column) and column.dtype != bool
        table[name] = numbers(column) if numeric else column.tolist()
    return table


def _regions(content):
    """Return series by region, after the total over all of them."""
    parts = content.parts
    baseline = parts.drop(columns=content.channels).sum(axis=1)
    series = pd.concat(
        [content.cells[["observed", "predicted"]], baseline.rename(_BASELINE)],
        axis=1,
    ).join(parts[content.channels].set_axis(range(len(content.channels)), axis=1))
    times = content.times
    held_out = content.cells.groupby(level="time", sort=True)["holdout"].any()
    shown = ["All regions" if content.regional else content.kpi]
    blocks = [_series(series, times)]
    regions = list(content.regions.index) if content.regional else []
    most = _MOST_NUMBERS // (len(times) * (3 + len(content.channels)))
    left_out, regions = regions[most:], regions[:most]
    if len(regions) > 1:
        level = series.index.get_level_values("region")
        rows = pd.Series(np.arange(len(level))).groupby(level).indices
        for region in regions:
            blocks.append(_series(series.iloc[rows[region]], times, _COARSE))
            shown.append(str(region))
    return {
        "regions": shown,
        "regionsLeftOut": len(left_out),
        "series": blocks,
        "nFitted": int(held_out.size - held_out.sum()),
    }


def _series(series, times, digits=_DIGITS):
    """Return sums over regions by period."""
    sums = _by_time(series, times)
    return {
        "observed": numbers(sums["observed"], digits),
        "predicted": numbers(sums["predicted"], digits),
        "baseline": numbers(sums[_BASELINE], digits),
        "parts": [numbers(sums.iloc[:, m], digits) for m in range(3, sums.shape[1])],
    }


def _by_time(table, times):
    time = table.index.get_level_values("time")
    return table.groupby(time).sum(min_count=1).reindex(times)


def _band(content):
    if content.band is None:
        return None
    return {name: numbers(content.band[name]) for name in ("low", "high")}


def _curves(content):
    """Return response curves, by position of the channel."""
    curves = []
    for channel in content.channels:
        curve = content.curves.get(channel)
        if curve is None:
            curves.append(None)
            continue
        found = {
            name: numbers(curve[name])
            for name in ("spend", "incremental", "low", "high")
        }
        for name, key in (
            ("current_spend", "now"),
            ("current_incremental", "causes"),
            ("current_marginal_roi", "mroi"),
            ("half_saturation_spend", "half"),
            ("observed_until", "until"),
        ):
            found[key] = numbers(np.ravel(curve[name])[:1])[0]
        curves.append(found)
    return curves


def _plans(content):
    """Return the path over budgets, and the split of each."""
    path = content.path
    if path is None:
        return None
    table = path.table
    found = [plan.success for plan in path.plans]
    return {
        "current": float(path.current_budget),
        "currentOutcome": float(path.current_outcome),
        "today": numbers(path.plans[0].allocation["current_spend"]),
        **{name: numbers(table[name]) for name in table},
        "better": numbers([plan.probability_better for plan in path.plans]),
        "found": found,
        "message": [plan.message for plan in path.plans],
        "spend": [numbers(plan.allocation["spend"]) for plan in path.plans],
        "causes": [numbers(plan.allocation["contribution"]) for plan in path.plans],
        "mrois": [numbers(plan.allocation["mroi"]) for plan in path.plans],
        "reason": [plan.allocation["reason"].tolist() for plan in path.plans],
    }


def _skill(skill):
    """Return skill by contender and origin."""
    if skill is None:
        return None
    origin = "origin" if "origin" in skill else "split"
    contenders = list(dict.fromkeys(skill["estimator"]))
    origins = list(dict.fromkeys(skill[origin]))
    tables = {
        name: skill.pivot(index="estimator", columns=origin, values=name)
        for name in ("wmape", "skill")
    }
    return {
        "contenders": contenders,
        "origins": [str(value) for value in origins],
        **{
            name: [numbers(table.loc[contender, origins]) for contender in contenders]
            for name, table in tables.items()
        },
    }


def _ranking(content):
    """Return what media do in each region, the largest first."""
    table = content.regions
    if len(table) < 2:
        return None
    names = [str(region) for region in table.index]
    measures = ("observed", "spend", "contribution", "share", "roi")
    ends = [f"{m}_{end}" for m in measures[2:] for end in ("low", "high")]
    return {
        "regions": names,
        "short": shorten(names, 26),
        **{name: numbers(table[name]) for name in (*measures, *ends)},
    }


def _shapes(content):
    """Return how each channel acts, by position of the channel."""
    tables = (content.carryover, content.saturation, content.effectiveness)
    return [
        {
            name: {key: numbers(column) for key, column in table.loc[channel].items()}
            for name, table in zip(
                ("adstock", "saturation", "effectiveness"), tables, strict=True
            )
        }
        for channel in content.channels
    ]


def _baseline(content):
    """Return what moves the KPI without media, over time."""
    parts = content.baseline.reindex(content.times)
    return {name: numbers(column) for name, column in parts.items()}


def _residuals(content):
    """Return errors over time, their distribution and their correlations."""
    over_time = errors_over_time(content.residuals)
    values = np.clip(content.residuals["standardised"], -4.0, 4.0)
    density, edges = np.histogram(values, np.linspace(-4.0, 4.0, 33), density=True)
    correlation = autocorrelation(content.residuals)
    return {
        "times": [_time(t) for t in over_time.index],
        **{name: numbers(column) for name, column in over_time.items()},
        "middles": numbers((edges[1:] + edges[:-1]) / 2),
        "density": numbers(density),
        "lags": correlation.index.tolist(),
        "correlation": numbers(correlation),
        "chance": 1.96 / len(over_time) ** 0.5,
    }


def _graph(content):
    """Return places of the channels and pairs, channels by their position."""
    if content.graph is None:
        return None
    position = {channel: m for m, channel in enumerate(content.channels)}
    places = layered(content.graph)
    drawn = drawn_pairs(content.graph)
    return {
        "layer": numbers(places["layer"]),
        "row": numbers(places["row"]),
        "parent": [position[channel] for channel in drawn["parent"]],
        "child": [position[channel] for channel in drawn["child"]],
        **_table(drawn[["weight", "probability", "verdict"]]),
        "probabilities": [numbers(row) for row in content.graph.probability.to_numpy()],
        "verdicts": content.graph.verdict.to_numpy().tolist(),
    }


def _correlation(spend):
    """Return how alike channels move within regions: correlations of spend."""
    centred = spend - spend.groupby(level="region").transform("mean")
    values = centred.to_numpy()
    size = np.sqrt((values**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = values / size
    table = unit.T @ unit
    return [numbers(row) for row in table]
