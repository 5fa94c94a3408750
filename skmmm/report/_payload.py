"""The numbers behind a report's charts, as JSON."""

import json
from typing import Any

import numpy as np
import pandas as pd

from skmmm._data.periods import one_of, several
from skmmm._utils.labels import called
from skmmm.plotting._diagnostics import autocorrelation, errors_over_time
from skmmm.plotting._experiments import SHOWN, names_of, size_of
from skmmm.plotting._graph import drawn_pairs, layered
from skmmm.plotting._rows import correlation_within
from skmmm.plotting._style import channel_colors, own_name, shorten
from skmmm.report._phrases import reach_of
from skmmm.report._words import planned

_DIGITS = 5  # significant
_COARSE = 4  # of single regions; still finer than a pixel
# Numbers of single regions that a page holds: less than 3 MB.
_MOST_NUMBERS = 450_000
_SHORT, _TINY = 26, 14  # characters of a name beside a chart; on a narrow screen
_LONG = 40  # of an experiment, with its date
_N_COLORS = 24  # of lines that are no channels


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
    text = json.dumps(
        payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
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
    some = {} if content.changes is None else {"changes": _changes(content.changes)}
    if content.frequency is not None:
        some["frequencies"] = _frequencies(content)
    return some | {
        "kpi": content.kpi,
        "period": one_of(content.period),
        "periods": several(content.period),
        "level": content.level,
        "priced": content.priced,
        "paid": content.paid.tolist(),
        "names": names,
        "short": shorten(names, _SHORT),
        "tiny": shorten(names, _TINY),
        "colors": channel_colors(len(names)),
        "palette": channel_colors(_N_COLORS),
        "times": [_time(t) for t in content.times],
        **_regions(content),
        "summary": _table(content.summary),
        "waterfall": _waterfall(content),
        "curves": _curves(content),
        "shapes": _shapes(content),
        "fittedTimes": [
            _time(t) for t in content.base.index.unique("time").sort_values()
        ],
        "demand": _demand(content),
        "residuals": _residuals(content),
        "plan": _plan(content),
        "experiments": _experiments(content),
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
    """Return series and tables by region, after those of all regions."""
    times = content.times
    held_out = content.cells.groupby(level="time", sort=True)["holdout"].any()
    n_regions = len(content.regions)
    shown = ["All regions" if content.regional else content.kpi]
    tables = content.cells, content.base, content.parts
    blocks = [_series(tables, times, band=n_regions == 1)]
    returns = [_returns(content.summary)]
    scores = [_scores(content.scores)]
    regions = list(content.regions.index) if content.regional else []
    per_period = 4 + content.base.shape[1] + content.parts.shape[1]
    most = _MOST_NUMBERS // (len(times) * per_period)
    left_out, regions = regions[most:], regions[:most]
    if len(regions) > 1:
        rows = [_rows_of_regions(table) for table in tables]
        by_region = content.by_region
        for region in regions:
            own = [
                table.iloc[found.get(region, [])]
                for table, found in zip(tables, rows, strict=True)
            ]
            blocks.append(_series(own, times, band=True, digits=_COARSE))
            own = by_region.xs(region, level="region").reindex(content.channels)
            returns.append(_returns(own))
            scores.append(_scores(content.scores_by_region[region]))
            shown.append(str(region))
    return {
        "regions": shown,
        "regionsLeftOut": len(left_out),
        "series": blocks,
        "returns": returns,
        "scores": scores,
        "baseNames": shorten([str(name) for name in content.base], _SHORT),
        "nFitted": int(held_out.size - held_out.sum()),
    }


def _rows_of_regions(table):
    region = table.index.get_level_values("region")
    return pd.Series(np.arange(len(region))).groupby(region).indices


def _series(tables, times, *, band, digits=_DIGITS):
    """Return sums over regions by period."""
    cells, base, parts = (_by_time(table, times) for table in tables)
    names = ("observed", "predicted", "low", "high")
    series = {name: numbers(cells[name], digits) for name in names}
    if not band or cells["low"].isna().all():
        series |= {"low": None, "high": None}
    for name, table in (("base", base), ("parts", parts)):
        columns = range(table.shape[1])
        series[name] = [numbers(table.iloc[:, j], digits) for j in columns]
    return series


def _returns(table):
    """Return the numbers of a summary of channels."""
    return _table(table.select_dtypes("number"))


def _scores(table):
    """Return errors as rows of a name and three numbers."""
    return [
        [name, *numbers(row)]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]


def _waterfall(content):
    """Return what would have come without media, and the name of the sum."""
    names = [str(name) for name in content.without_media.index]
    values = content.without_media.to_numpy()
    # What cancels but for rounding is nothing.
    values = np.where(np.abs(values) < 1e-9 * np.abs(values).max(), 0.0, values)
    return {
        "names": names,
        "short": shorten(names, _SHORT),
        "tiny": shorten(names, _TINY),
        "values": numbers(values),
        "total": own_name("predicted", [*names, *content.channels]),
    }


def _by_time(table, times):
    time = table.index.get_level_values("time")
    return table.groupby(time).sum(min_count=1).reindex(times)


def _curves(content):
    """Return response curves, by position of the channel."""
    curves: list[dict[str, Any] | None] = []
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
            ("observed_from", "from"),
            ("observed_until", "until"),
        ):
            found[key] = numbers(np.ravel(curve[name])[:1])[0]
        curves.append(found)
    return curves


def _frequencies(content):
    """Return what the same impressions cause at each frequency, by channel."""
    found = []
    for channel, points in content.by_frequency.groupby("channel", sort=False):
        best = content.frequency.loc[channel]
        found.append(
            {
                "channel": content.channels.index(channel),
                "frequency": numbers(points.index.get_level_values("frequency")),
                **{name: numbers(values) for name, values in points.items()},
                "now": numbers([best["frequency"]])[0],
                "best": numbers([best["optimum"]])[0],
                "from": numbers([best["optimum_low"]])[0],
                "until": numbers([best["optimum_high"]])[0],
            }
        )
    return found


def _plan(content):
    """Return the path over budgets, the split of each, and the rows to scale."""
    plan = content.plan
    if isinstance(plan, str):
        return None
    path = plan.path
    # The table of a plan may leave out what costs nothing; that stays as it is.
    tables = [
        own.allocation.reindex(content.channels).assign(
            reason=lambda table: table["reason"].fillna("not planned: no cost")
        )
        for own in path.plans
    ]
    return {
        "when": planned(content),
        "unchanged": plan.unchanged,
        "predicted": plan.predicted,
        "current": float(path.current_budget),
        "currentOutcome": numbers([path.current_outcome])[0],  # as exact as "outcome"
        "nearest": plan.nearest,
        "today": numbers(tables[0]["current_spend"]),
        "mrois_now": numbers(plan.summary["mroi"]),
        **{name: numbers(path.table[name]) for name in path.table},
        "better": numbers([own.probability_better for own in path.plans]),
        "found": [own.success for own in path.plans],
        "message": [own.message for own in path.plans],
        "spend": [numbers(table["spend"]) for table in tables],
        "causes": [numbers(table["contribution"]) for table in tables],
        "mrois": [numbers(table["mroi"]) for table in tables],
        "reason": [table["reason"].tolist() for table in tables],
        **{
            key: [
                [content.channels.index(channel) for channel in which(k)]
                for k in range(len(path.plans))
            ]
            for key, which in (("unsure", plan.unsure), ("cut", plan.cut))
        },
        "kept": [content.channels.index(channel) for channel in plan.kept],
        "times": [_time(t) for t in plan.times],
        "rows": _planned_rows(content),
    }


def _planned_rows(content):
    """Return unchanged spend by region (all first), channel and coming period."""
    spend, times = content.plan.spend, content.plan.times
    blocks = [spend]
    if content.regional and len(content.regions) > 1:
        blocks += [
            spend[spend.index.get_level_values("region") == region]
            for region in content.regions.index
        ]
    return [
        [numbers(column) for _, column in _by_time(block, times).items()]
        for block in blocks
    ]


def _changes(table):
    """Return what returned before, and what returns now, of channels in either."""
    names = [called(channel) for channel in table.index]
    return {
        "names": names,
        "short": shorten(names, _SHORT),
        "tiny": shorten(names, _TINY),
        "before": numbers(table["roi_old"]),
        "low": numbers(table["roi_old_low"]),
        "high": numbers(table["roi_old_high"]),
        "now": numbers(table["roi_new"]),
    }


def _experiments(content):
    """Return what was measured, and said before and after; None without experiments."""
    table = content.experiments
    if table is None:
        return None
    names = names_of(table)
    reach = reach_of(content.level)
    return {
        "names": names,
        "short": shorten(names, _LONG),
        "tiny": shorten(names, _SHORT),
        "size": numbers(size_of(table)),
        "shown": [
            {
                "name": label,
                "color": color,
                "value": numbers(table[value]),
                "low": numbers(table[value] - reach * table[sd]),
                "high": numbers(table[value] + reach * table[sd]),
            }
            for value, sd, label, color in SHOWN.values()
        ],
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
        "short": shorten(names, _SHORT),
        "tiny": shorten(names, _TINY),
        **{name: numbers(table[name]) for name in (*measures, *ends)},
    }


def _shapes(content):
    """Return how each channel acts, by position of the channel."""
    tables = (content.carryover, content.saturation, content.effectiveness)
    by_frequency = content.saturation.attrs.get("by_frequency", [])
    return [
        {"byFrequency": channel in by_frequency}
        | {
            name: {key: numbers(column) for key, column in table.loc[channel].items()}
            for name, table in zip(
                ("adstock", "saturation", "effectiveness"), tables, strict=True
            )
        }
        for channel in content.channels
    ]


def _demand(content):
    """Return loadings on hidden demand by kind; None if there is none."""
    loading = content.demand_loading
    return {kind: numbers(column) for kind, column in loading.items()} or None


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
    table = correlation_within(spend, spend.index.get_level_values("region"))
    return [numbers(row) for row in table.to_numpy()]
