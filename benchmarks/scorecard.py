"""Write the tables of docs/scorecard.rst and README.md from the committed results.

python benchmarks/scorecard.py

With names of tables (forecast, weekly, totals, plan, ...), print these instead.
"""

import sys
import textwrap
from pathlib import Path

import pandas as pd
from bench_causes import summarise as summarise_causes
from bench_faults import summarise as summarise_faults
from bench_recovery import summarise
from scorecard_graph import (
    HAVE_INFLUENCE,
    doubt,
    graph,
    influence,
    influence_means,
    read_graph,
)
from scorecard_text import (
    Table,
    markdown,
    number,
    percent,
    percent_range,
    ratio,
    rst,
    spaced,
)

HERE = Path(__file__).parent
RESULTS = HERE / "results"
RECOVERY = RESULTS / "recovery.csv"
README = HERE.parent / "README.md"
PAGE = HERE.parent / "docs" / "scorecard.rst"
CONTENDERS = {
    "skmmm": "skmmm",
    "skmmm, not money": "not money",
    "linear MMM": "linear MMM",
    "shape oracle": "knows shapes",
    "knows the families": "knows families",
}
RIVALS = ["PyMC-Marketing", "Meridian", "Meridian, automatic knots", "DeepCausalMMM"]
PLANNERS = {
    "skmmm": "skmmm",
    "skmmm, total effects": "skmmm, total",
    "skmmm, careful": "skmmm, careful",
    "SLSQP": "SLSQP",
    "grid": "grid",
    "linear MMM": "linear MMM",
    "direct effects known": "direct known",
}
# Published SRMSE, PyMC-Marketing 0.15.1 and Meridian 1.1.6, on the same four tables:
# https://github.com/pymc-labs/mmm-param-recovery, commit 8a8468f.
SRMSE_PUBLISHED = {
    "public_small": ("0.41", "0.70"),
    "public_growing": ("0.44", "0.70"),
    "public_medium": ("0.15", "0.59"),
    "public_large": ("3.49", "failed"),
}
# Published median error of channel totals and 90 % coverage (of four channels, one
# seed) of mmm-framework 1.5.0 with NUTS, in the worlds ours restate:
# https://github.com/redam94/mmm-framework, tests/synth/results/stress_matrix.md.
STRESS_PUBLISHED = {
    "clean": ("7 %", "1.00"),
    "collinear": ("39 %", "1.00"),
    "slow_weibull": ("80 %", "0.50"),
    "exponential_s": ("43 %", "0.25"),
    "outliers": ("39 %", "0.00"),
    "confounded": ("23 %", "0.75"),
    "trend_break": ("27 %", "1.00"),
    "season_misspecified": ("37 %", "0.75"),
    "dense_controls": ("16 %", "0.75"),
}
# Published for Meridian 2.0.0 where spend chases sales, return of the first channel:
# https://github.com/TrevorBirba/meridian-autobid-baseline, after arXiv 2608.21130.
CHASING_TRUTH, CHASING_MERIDIAN = 4.3, 37.5
KINDS = ("drifting", "constant")
PANELS = ("public_", "small", "growing", "medium", "large", "national_", "panel_")
FAULTS = {"faults": "skmmm", "faults_0_1_0": "skmmm 0.1.0"}
DATA = {
    "example": "bundled example",
    "robyn": "Robyn's weekly sample",
    "dma": "panel of DeepCausalMMM",
}


# --- tables and sentences of the scorecard -------------------------------------------


def forecast():
    """Return the table of rolling origins on the real panel."""
    table = pd.read_csv(RESULTS / "forecast_dma.csv")
    wide = table.pivot(index="model", columns="origin", values="skill")
    origins = [f"week {week}" for week in wide]
    wide["mean"] = wide.mean(axis=1)
    last = table[table["origin"] == table["origin"].max()].set_index("model")
    rows = [
        [name, *map(number, row), f"{last['pooled_r2'][name]:.4f}"]
        for name, row in wide.sort_values("mean", ascending=False).iterrows()
    ]
    return Table(["model", *origins, "mean", "pooled R² at last"], rows)


def weekly(path=RECOVERY):
    """Return the errors of weekly contributions in presets and panels."""
    table = pd.read_csv(path)
    rows = recovered(
        table[table["world"].str.startswith(PANELS)], "srmse", number, SRMSE_PUBLISHED
    )
    others = ["PyMC-Marketing", "Meridian", "90 % covers"]
    return Table(["world", "seeds", *CONTENDERS.values(), *others], rows)


def totals(path=RECOVERY):
    """Return the errors of channel totals in the stress worlds."""
    table = pd.read_csv(path)
    stress = table[~table["world"].str.startswith(PANELS)]
    rows = recovered(stress, "total_error", percent, STRESS_PUBLISHED)
    others = ["mmm-framework", "it covers", "90 % covers"]
    return Table(["world", "seeds", *CONTENDERS.values(), *others], rows)


def adstocks():
    """Return the errors of channel totals by form of carry-over."""
    table = pd.read_csv(RESULTS / "adstocks.csv")
    forms = list(table["contender"].unique())
    means = table.pivot_table("total_error", "world", "contender", sort=False)
    rows = [
        [spaced(world), *map(percent, row)] for world, row in means[forms].iterrows()
    ]
    by_form = table.groupby("contender")[["covered", "channels", "honest"]].sum()
    sums = by_form.loc[forms]
    held = map(ratio, sums["covered"], sums["channels"])
    rows += [
        ["90 % covers", *held],
        [f"silent, of {sums['channels'].max()}", *sums["honest"].map("{:.0f}".format)],
    ]
    names = [form.removeprefix("skmmm").removeprefix(", ") for form in forms]
    return Table(["world", *(name or "weibull (default)" for name in names)], rows)


def recovered(table, score, form, published):
    """Return one row of text per world, in the order of the results."""
    rows = []
    for world, group in table.groupby("world", sort=False):
        means = group.groupby("contender")[score].mean().map(form, na_action="ignore")
        means = means.fillna("failed").reindex(list(CONTENDERS), fill_value="")
        rows.append(
            [
                spaced(world),
                str(group["seed"].nunique()),
                *means,
                *published.get(world, ("", "")),
                covered(group),
            ]
        )
    return rows


def covered(table):
    """Return the share of channel totals inside the 90 % intervals of skmmm."""
    ours = table[(table["contender"] == "skmmm") & table["covered"].notna()]
    return ratio(ours["covered"].sum(), ours["channels"].sum())


def missed(table):
    """Return how many channels skmmm misses silently, of how many."""
    ours = table[(table["contender"] == "skmmm") & table["honest"].notna()]
    return f"{ours['honest'].sum():.0f} of {ours['channels'].sum():.0f}"


def chance(table):
    """Return how many silent misses data-driven 90 % intervals would be allowed."""
    ours = table[table["contender"] == "skmmm"]
    return f"{0.1 * ours['data_driven'].sum():.0f}"


def trust(path=RECOVERY):
    """Return how far intervals, verdicts and the alarm of skmmm can be trusted."""
    table = pd.read_csv(path)
    coverage = summarise(table)[1]["skmmm"]
    text = f"""\
In the worlds in which the model could be right, its 90 % intervals cover
{percent(coverage)} of the channel totals. In all worlds, {missed(table)} channels are
missed although the verdict is data-driven and no alarm rings."""
    ours = table[table["contender"] == "skmmm"].set_index("world")["flagged"].dropna()
    if not {"endogenous", "exogenous"} <= set(ours.index):
        return text
    rang, falsely = (
        f"{ours.loc[[world]].sum():.0f} of {len(ours.loc[[world]])} seeds"
        for world in ("endogenous", "exogenous")
    )
    return f"""\
{text}

Where spend follows past sales (endogenous), Meridian published a return of
{CHASING_MERIDIAN} where {CHASING_TRUTH} is true. The alarm of skmmm rings for that
channel in {rang}; falsely, in the exogenous twin, in {falsely}."""


def rivals():
    """Return the errors and seconds of other packages, run here once."""
    theirs = pd.read_csv(RESULTS / "recovery_rivals.csv")
    srmse = theirs.pivot(index="world", columns="contender", values="srmse")
    ours = summarise(pd.read_csv(RECOVERY))[0]["srmse"].unstack()["skmmm"]
    rows = [
        [spaced(world), number(ours[world]), *map(number, scores)]
        for world, scores in srmse[RIVALS].iterrows()
    ]
    return Table(["world", "skmmm", *RIVALS], rows)


def hidden():
    """Return what packages credit where demand hides, on the panels of rivals."""
    theirs = pd.read_csv(RESULTS / "causes_rivals.csv")
    ours = pd.read_csv(RESULTS / "causes.csv").merge(
        theirs[["world", "seed"]].drop_duplicates()
    )
    table = pd.concat([ours.assign(contender="skmmm"), theirs])
    table["inside"] = table["truth"].between(table["low"], table["high"])
    rows = []
    for contender, found in table.groupby("contender", sort=False):
        kpi = found.groupby("seed")["kpi"].first().sum()
        idle = found.loc[found["idle"] == 1, "contribution"].sum()
        shares = found["truth"].sum() / kpi, found["contribution"].sum() / kpi
        held = f"{found['inside'].sum()} of {len(found)}"
        rows.append([contender, *map(percent, (*shares, idle / kpi)), held])
    heads = ["package", "media cause", "credited", "idle channel", "intervals hold"]
    return Table(heads, rows)


def losses():
    """Return where intervals are too narrow, and what the GRU is good for."""
    table = pd.read_csv(RECOVERY)
    means = summarise(table)[0]
    ours = means.xs("skmmm", level="contender")
    ours = ours.assign(share=ours["covered"] / ours["channels"])
    panels = ours[ours.index.str.startswith("panel_")]
    large, sink = ours.loc["large"], ours.loc["kitchen_sink"]
    low, high = percent_range(panels["share"])
    near_by, far = percent_range(panels["total_error"])
    unclear = sink["not_identified"] / sink["channels"]
    with_gru, without = (
        [number(means.loc[(f"panel_{kind}", contender), "srmse"]) for kind in KINDS]
        for contender in ("skmmm", "skmmm, GRU off")
    )
    return f"""\
Losses stay in. The 90 % intervals of channel totals cover {low} to {high} on panels,
where they are narrow (errors of {near_by} to {far}), and {percent(large["share"])} on
the preset ``large`` (errors of {percent(large["total_error"])}). With several breaks at
once (``kitchen_sink``) every model fails, and the verdict is "not identified" for only
{percent(unclear)} of the channels. The GRU is on because drift is the case that a
constant model cannot know of: SRMSE {with_gru[0]} with it and {without[0]} without on
drifting panels, {with_gru[1]} and {without[1]} on constant ones."""


def faults():
    """Return what one fault in a table does, before and after the repairs."""
    now, before = fault_tables()
    n_seeds = [
        pd.read_csv(RESULTS / f"{name}.csv")["seed"].nunique() for name in FAULTS
    ]
    rows = [
        [spaced(fault), *told(row), *told(before.loc[fault])]
        for fault, row in now.iterrows()
    ]
    heads = (
        f"{name}, {n} seeds" for name, n in zip(FAULTS.values(), n_seeds, strict=True)
    )
    return Table(
        ["fault", *(cell for head in heads for cell in (head, "says so"))], rows
    )


def causes():
    """Return worlds that invite wrong credit, now and before, on the same seeds."""
    now, before = cause_tables()
    rows = [
        [
            spaced(world),
            *credited(before.loc[world], row),
            *doubted(before.loc[world], row),
        ]
        for world, row in now.iterrows()
    ]
    return Table(
        [
            *("world", "true", "before", "now", "held before", "now"),
            *("silent before", "now", "idle data-driven before", "now"),
        ],
        rows,
    )


def cause_tables():
    """Return the summaries of `bench_causes`, now and before, of the seeds of both."""
    now, before = (
        pd.read_csv(RESULTS / f"{name}.csv") for name in ("causes", "causes_before")
    )
    keys = ["world", "seed"]
    both = now[keys].merge(before[keys]).drop_duplicates()
    return [summarise_causes(table.merge(both)) for table in (now, before)]


def credited(before, now):
    """Return what media caused and are credited with, as shares of the KPI."""
    return [percent(s) for s in (now["true"], before["credited"], now["credited"])]


def doubted(before, now):
    """Return coverage, silent misses and idle channels called data-driven."""

    def of(row, name):
        return f"{row[name]:.0f} of {row['channels']:.0f}"

    return [
        *(number(row["coverage"]) for row in (before, now)),
        *(of(row, "silent") for row in (before, now)),
        *(number(row["idle data-driven"]) for row in (before, now)),
    ]


def fault_tables():
    """Return the summaries of faults, now and with 0.1.0."""
    return [summarise_faults(pd.read_csv(RESULTS / f"{name}.csv")) for name in FAULTS]


def told(row):
    """Return coverage and silent misses, and the share of fits that say something."""
    fits = row["channels"] / 2 + row["refused"]
    share = number((row["warned"] * row["channels"] / 2 + row["refused"]) / fits)
    if not row["channels"] > 0:
        return "refused", share
    held = f"{row['coverage']:.2f} ({row['silent']:.0f} of {row['channels']:.0f})"
    return held, share


def plan():
    """Return the regret of plans by world and contender."""
    table = pd.read_csv(RESULTS / "plan.csv")
    rows = []
    for world, group in table.groupby("world", sort=False):
        parts = dict(list(group.groupby("contender")))
        cells = [regret(parts[c]) if c in parts else "" for c in PLANNERS]
        available = 100 * parts["skmmm"]["available"].median()
        n_seeds = group["seed"].nunique()
        rows.append([spaced(world), str(n_seeds), f"{available:.1f} %", *cells])
    seconds = table.groupby("contender")["seconds"].median()
    rows.append(["seconds", "", "", *(number(seconds[c]) for c in PLANNERS)])
    return Table(["world", "seeds", "possible gain", *PLANNERS.values()], rows)


def regret(rows):
    """Return the median regret of one contender as text, and its failures."""
    text, worse = number(rows["regret"].median()), n_worse(rows)
    return f"{text} ({worse})" if worse else text


def n_worse(rows):
    """Return how many plans are worse than today, or were not found."""
    return (rows["better_than_today"] == 0).sum() + rows["error"].notna().sum()


def plan_seconds():
    """Return how long a model of a large panel thinks about each question."""
    table = pd.read_csv(RESULTS / "plan_seconds.csv")
    rows = [[row.question, f"{row.seconds:.1f}"] for row in table.itertuples()]
    return Table(["question", "seconds"], rows)


def report():
    """Return what a report takes."""
    rows = [
        [
            *(DATA[row.data], f"{row.regions}", f"{row.channels}"),
            *(f"{row.fit_seconds:.1f}", f"{row.report_seconds:.1f}"),
            *(f"{row.megabytes:.1f}", f"{row.open_seconds:.1f}"),
        ]
        for row in pd.read_csv(RESULTS / "report.csv").itertuples()
    ]
    head = ["data", "regions", "channels", "fit, s", "report, s", "MB", "opens in, s"]
    return Table(head, rows)


# --- the table of README -------------------------------------------------------------


def summary():
    """Return what is most telling, losses included."""
    rows = [*summary_of_errors(), *summary_of_trust(), *summary_of_use()]
    return Table(["what is measured", "skmmm", "others"], rows)


def summary_of_errors():
    """Return errors of contributions where the truth is known."""
    table = pd.read_csv(RECOVERY)
    means = summarise(table)[0]
    srmse = [number(means.loc[(w, "skmmm"), "srmse"]) for w in SRMSE_PUBLISHED]
    names = ", ".join(world.removeprefix("public_") for world in SRMSE_PUBLISHED)
    pymc, meridian = map(", ".join, zip(*SRMSE_PUBLISHED.values(), strict=True))
    theirs = pd.read_csv(RESULTS / "recovery_rivals.csv").set_index("world")
    run = theirs.loc["public_small"].set_index("contender")["srmse"]

    def off(world, contender):
        return percent(means.loc[(world, contender), "total_error"])

    return [
        [
            f"error of weekly effects (RMSE / true mean), public tables {names}",
            ", ".join(srmse),
            f"published: PyMC-Marketing {pymc}; Meridian {meridian}",
        ],
        [
            "the same, smallest table, others run by us",
            srmse[0],
            "; ".join(f"{name} {number(run[name])}" for name in RIVALS[:2]),
        ],
        [
            "error of channel totals, clean series",
            off("clean", "skmmm"),
            f"mmm-framework, published: {STRESS_PUBLISHED['clean'][0]}; "
            f"linear MMM {off('clean', 'linear MMM')}",
        ],
        [
            "the same, several assumptions broken at once",
            off("kitchen_sink", "skmmm"),
            f"linear MMM {off('kitchen_sink', 'linear MMM')}",
        ],
    ]


def summary_of_trust():
    """Return coverage and silent misses."""
    table = pd.read_csv(RECOVERY)
    groups = [
        table[table["world"].str.startswith(start)]
        for start in ("national_", "panel_", "large")
    ]
    now, before = (
        f"{table['silent'].sum():.0f} of {table['channels'].sum():.0f}"
        for table in fault_tables()
    )
    return [
        [
            "90 % intervals cover: national series, panels, preset large",
            ", ".join(map(covered, groups)),
            "promised: 0.90",
        ],
        [
            "missed though data-driven and without alarm: channels of all worlds",
            f"{missed(table)} (panels: {missed(groups[1])})",
            f"chance: {chance(table)} (panels: {chance(groups[1])})",
        ],
        ["the same, tables with one fault each", now, f"skmmm 0.1.0: {before}"],
        [
            "the same, worlds that invite wrong credit (hidden demand, twins, noise)",
            *silent_causes(),
        ],
    ]


def silent_causes():
    """Return silent misses over all worlds of causes, now and before, as text."""
    now, before = (
        f"{table['silent'].sum():.0f} of {table['channels'].sum():.0f}"
        for table in cause_tables()
    )
    return [now, f"skmmm before hidden demand: {before}"]


def summary_of_use():
    """Return forecasts, plans, graphs and seconds."""
    skill = pd.read_csv(RESULTS / "forecast_dma.csv").groupby("model")["skill"].mean()
    plans = pd.read_csv(RESULTS / "plan.csv")
    panels, series, funnels = (
        dict(list(plans[plans["world"].str.startswith(start)].groupby("contender")))
        for start in ("panel", "national", "funnel")
    )
    graphs = read_graph()
    gauss = graphs[graphs["world"] == "gauss"]
    f1 = gauss.groupby(["contender", "regions"])["f1"].mean()
    follows = influence_means()
    fits = pd.read_csv(RESULTS / "report.csv")

    def regrets(name):
        return ", ".join(number(g[name]["regret"].median()) for g in (panels, series))

    def worse(name):
        return f"{n_worse(funnels[name])} of {len(funnels[name])}"

    def found(name):
        return ", ".join(number(f1[name, regions]) for regions in (20, 1))

    return [
        [
            "forecasts of a real panel, skill against the last value",
            number(skill["skmmm"]),
            f"last value {number(skill['last value'])}; "
            f"linear MMM {number(skill['linear MMM'])}",
        ],
        [
            "regret of plans, panels and series (0: best plan, 1: today)",
            regrets("skmmm"),
            f"linear MMM {regrets('linear MMM')}",
        ],
        [
            "plans worse than today where television drives search",
            f"{worse('skmmm')} (total effects: {worse('skmmm, total effects')})",
            f"linear MMM {worse('linear MMM')}",
        ],
        [
            "channel graph (F1, world gauss), 20 regions and one series",
            found("skmmm"),
            f"DYNOTEARS {found('dynotears')}",
        ],
        [
            "direct influence on other channels against true edges (area under "
            "precision and recall), gauss and hill",
            ", ".join(number(follows.loc[(w, "own"), "area"]) for w in HAVE_INFLUENCE),
            "the same model, channels of its graph renamed: "
            + ", ".join(
                number(follows.loc[(w, "swapped"), "area"]) for w in HAVE_INFLUENCE
            ),
        ],
        [
            f"seconds to fit: {', '.join(DATA[name] for name in fits['data'])}",
            ", ".join(f"{seconds:.1f}" for seconds in fits["fit_seconds"]),
            "",
        ],
    ]


# --- pages ---------------------------------------------------------------------------

# What stands before and after a table, and how it is written.
PAGES = {
    README: ("<!-- table: {} -->\n", "\n<!-- end -->", markdown),
    PAGE: (".. table: {}\n\n", "\n\n.. end", rst),
}
TABLES = {
    function.__name__: function
    for function in (
        *(summary, forecast, weekly, totals, adstocks, trust, rivals, hidden, losses),
        *(faults, causes),
        *(plan, plan_seconds, report, graph, doubt, influence),
    )
}


def text_of(name, write):
    """Return a table in the markup of a page, or sentences as they are."""
    result = TABLES[name]()
    if isinstance(result, Table):
        return write(result)
    paragraphs = result.split("\n\n")
    return "\n\n".join(textwrap.fill(text, 88) for text in paragraphs)


def renewed(path):
    """Return the text of a page with its tables written anew."""
    start, end, write = PAGES[path]
    text = path.read_text(encoding="utf-8")
    for name in TABLES:
        before, mark, rest = text.partition(start.format(name))
        if mark:
            text = before + mark + text_of(name, write) + rest[rest.index(end) :]
    return text


def main():
    if names := sys.argv[1:]:
        print("\n\n".join(text_of(name, markdown) for name in names))
        return
    for path in PAGES:
        path.write_text(renewed(path), encoding="utf-8")


if __name__ == "__main__":
    main()
