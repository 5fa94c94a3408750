"""Write docs/scorecard.rst and the table of README.md from the committed results.

python benchmarks/scorecard.py

With names of tables (summary, forecast, recovery, faults, plan, ...), print these
instead.
"""

import sys
from math import isnan
from pathlib import Path

import pandas as pd
from bench_faults import summarise as summarise_faults
from bench_recovery import summarise

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PAGE = HERE.parent / "docs" / "scorecard.rst"
CONTENDERS = {
    "skmmm": "skmmm",
    "skmmm, not money": "not money",
    "linear MMM": "linear MMM",
}
GRAPH_CONTENDERS = {
    "skmmm": "skmmm",
    "skmmm notears": "skmmm, NOTEARS",
    "pcmci_plus": "PCMCI+",
    "dynotears": "DYNOTEARS",
    "dagma": "DAGMA",
    "varlingam": "VAR-LiNGAM",
    "deepcausalmmm": "DeepCausalMMM",
    "sortnregress": "sortnregress",
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
PANELS = ("public_", "small", "growing", "medium", "large", "national_", "panel_")

SUMMARY = """\
Recovery of known truth, honesty of intervals, forecasts and plans; losses stay in. The
real panel of 190 regions and 13 channels is fitted in {seconds} s on one thread.

"""
SUMMARY_HEAD = ["what is measured", "skmmm", "beside it"]
FORECAST = """\
Forecasts of a real panel (190 regions, 13 channels of impressions; the next 13 weeks
from four origins): skill against the last observed value, 1 - wMAPE / wMAPE of the last
value. Pooled R² measures mostly the size of regions; published for a hold-out of their
own on this panel: .843 DeepCausalMMM, .903 PyMC-Marketing. The GRU moves nothing here,
so the first rows agree.

"""
WEEKLY = """\
Known truth, presets and panels: error of weekly channel contributions (SRMSE: RMSE over
the true mean). The first are the tables of the public PyMC-Labs benchmark with its
published figures; the others are drawn anew per seed. "Not money": without the
knowledge that a column is spend. "90 % covers": share of channel totals inside skmmm's
90 % interval.

"""
TOTALS = """\
Known truth, stress worlds (clean data, variants that break one assumption each, spend
that follows sales, a funnel): median error of the channel totals. Beside it what
mmm-framework (NUTS) published for its worlds, which ours restate; one seed, so that
"it covers" is out of four channels.

"""

PLAN = """\
Plans where the best one is known: a panel's or series' total spend split anew, each
channel between half and twice of today. Regret: share of the possible gain that is
missed under the truth, median over {seeds} seeds (0: the best plan; 1: as good as
today). In brackets: seeds in which the plan is worse than today, or the solver gave up.
"SLSQP" as PyMC-Marketing and "grid" as Meridian go about it, restated, on the curves of
the same skmmm model; on these problems the optimum of a model is easily found and
regret is the model's. In the funnels television drives search: "total" plans with that,
and "direct known" is the best plan of who knows all responses but not that. Seconds:
of planning, median over all worlds.

"""
PLANNERS = {
    "skmmm": "skmmm",
    "skmmm, total effects": "skmmm, total",
    "SLSQP": "SLSQP",
    "grid": "grid",
    "linear MMM": "linear MMM",
    "direct effects known": "direct known",
}
REPORT = """\
The report: seconds to fit (with draws and channel graph) and to write it, on one
thread; its size; and until headless Chromium shows the first charts (median of five).
Plans for eleven budgets are in it.

"""
GRAPH = """\
Channel graphs where the truth is known (13 channels, 20 edges, none in ``null``;
104 weeks): F1 of directed edges / pairs of channels that are wrong (SHD), mean over
{most} seeds, or as many as brackets say. What ``sortnregress`` finds, the simulation
gives away.

"""
DOUBT = """\
What skmmm says of its own graph, per fit, and how much of it is true: edges returned;
pairs found in 80 % of resamples or more, and in 20 to 80 %; pairs on which it does not
decide; pairs it rules out, and true edges among them. Last, relative error of what
raising a channel brings in total, with direct effects estimated from a noisy KPI, with
direct effects known, and if reactions of other channels are ignored.

"""
DOUBT_HEAD = [
    *("world", "regions", "edges", "true", "p ≥ .8", "true", "p .2 to .8", "true"),
    *("undecided", "no edge", "missed", "total effect", "direct known", "direct only"),
]


def forecast():
    """Return the table of rolling origins on the real panel."""
    table = pd.read_csv(HERE / "results" / "forecast_dma.csv")
    wide = table.pivot(index="model", columns="origin", values="skill")
    wide["mean"] = wide.mean(axis=1)
    last = table[table["origin"] == table["origin"].max()].set_index("model")
    wide["R2"] = last["pooled_r2"]
    head = [
        *(f"week {week}" for week in wide.columns[:-2]),
        "mean",
        "pooled R² at last",
    ]
    rows = [
        [name, *(f"{value:.2f}" for value in row[:-1]), f"{row.iloc[-1]:.4f}"]
        for name, row in wide.sort_values("mean", ascending=False).iterrows()
    ]
    return FORECAST + csv_table(["model", *head], rows)


def recovery(path=HERE / "results" / "recovery.csv"):
    """Return the scorecard of recovered contributions, two tables."""
    table = pd.read_csv(path)
    weekly = table["world"].str.startswith(PANELS)
    head = ["world", "seeds", *CONTENDERS.values()]

    def percent(share):
        return f"{100 * share:.0f} %"

    scorecards = [
        WEEKLY
        + csv_table(
            [*head, "PyMC-Marketing", "Meridian", "90 % covers"],
            scorecard(table[weekly], "srmse", "{:.2f}".format, SRMSE_PUBLISHED),
        ),
        TOTALS
        + csv_table(
            [*head, "mmm-framework", "it covers", "90 % covers"],
            scorecard(table[~weekly], "total_error", percent, STRESS_PUBLISHED),
        ),
    ]
    return "\n\n".join([*scorecards, trust(table), *chasing(table)])


def scorecard(table, score, form, published):
    """Return one row of text per world, in the order of the results."""
    rows = []
    for world, group in table.groupby("world", sort=False):
        means = group.groupby("contender")[score].mean()
        ours = group[(group["contender"] == "skmmm") & group["covered"].notna()]
        rows.append(
            [
                world.replace("_", " "),
                str(group["seed"].nunique()),
                *("failed" if isnan(means[c]) else form(means[c]) for c in CONTENDERS),
                *published.get(world, ("", "")),
                f"{ours['covered'].sum() / ours['channels'].sum():.2f}",
            ]
        )
    return rows


def trust(table):
    """Return how far the intervals and verdicts of skmmm can be trusted."""
    coverage = summarise(table)[1]["skmmm"]
    ours = table[(table["contender"] == "skmmm") & table["honest"].notna()]
    text = f"""\
In the worlds in which the model could be right, its 90 % intervals cover
{100 * coverage:.0f} % of the channel totals."""
    if ours.empty:
        return text
    misses, channels = ours["honest"].sum(), ours["channels"].sum()
    return f"""\
{text} In all worlds, {misses:.0f} of {channels:.0f} channels are missed although the
verdict is data-driven and no alarm rings."""


def chasing(table):
    """Return what the alarm said where spend follows sales, if there is an alarm."""
    ours = table[table["contender"] == "skmmm"].set_index("world")["flagged"].dropna()
    if not {"endogenous", "exogenous"} <= set(ours.index):
        return []
    rang, falsely = (
        f"{ours.loc[[world]].sum():.0f} of {len(ours.loc[[world]])} seeds"
        for world in ("endogenous", "exogenous")
    )
    text = f"""\
Where spend follows past sales (endogenous), Meridian published a return of
{CHASING_MERIDIAN} where {CHASING_TRUTH} is true. The alarm of skmmm rings for that
channel in {rang}; falsely, in the exogenous twin, in {falsely}."""
    return [text]


def plan(path=HERE / "results" / "plan.csv"):
    """Return the scorecard of plans, and what questions to a large model take."""
    table = pd.read_csv(path)
    rows = []
    for world, group in table.groupby("world", sort=False):
        parts = dict(list(group.groupby("contender")))
        cells = [regret(parts[c]) if c in parts else "" for c in PLANNERS]
        available = 100 * group.loc[group["contender"] == "skmmm", "available"].median()
        rows.append([world.replace("_", " "), f"{available:.1f} %", *cells])
    seconds = table.groupby("contender")["seconds"].median()
    rows.append(["seconds", "", *(f"{seconds[c]:.2f}" for c in PLANNERS)])
    asked = pd.read_csv(path.with_name("plan_seconds.csv")).set_index("question")
    times = ", ".join(
        f"{question} {row.seconds:.1f}" for question, row in asked.iterrows()
    )
    return (
        PLAN.format(seeds=table.groupby("world")["seed"].nunique().max())
        + csv_table(["world", "possible gain", *PLANNERS.values()], rows)
        + "\n\nSeconds of questions to a model of the real panel (190 regions, 109 "
        + f"weeks, 13 channels,\n32 draws), on one thread: {times}."
    )


def report(path=HERE / "results" / "report.csv"):
    """Return what a report takes."""
    names = {
        "example": "bundled example",
        "robyn": "Robyn's weekly sample",
        "dma": "panel of DeepCausalMMM",
    }
    rows = [
        [
            names[row.data],
            f"{row.regions}",
            f"{row.channels}",
            f"{row.fit_seconds:.1f}",
            f"{row.report_seconds:.1f}",
            f"{row.megabytes:.1f}",
            f"{row.open_seconds:.1f}",
        ]
        for row in pd.read_csv(path).itertuples()
    ]
    head = ["data", "regions", "channels", "fit, s", "report, s", "MB", "opens in, s"]
    return REPORT + csv_table(head, rows)


def regret(rows):
    """Return the median regret of one contender as text, and its failures."""
    worse = (rows["better_than_today"] == 0).sum() + rows["error"].notna().sum()
    text = f"{rows['regret'].median():.2f}"
    return f"{text} ({worse})" if worse else text


def graph(path=HERE / "results" / "graph.csv"):
    """Return the scorecard of channel graphs, two tables."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    contenders = [c for c in GRAPH_CONTENDERS if c in set(table["contender"])]
    most = table.groupby(["world", "regions", "contender"]).size().max()
    nearness, doubt = [], []
    for (world, regions), group in table.groupby(["world", "regions"], sort=False):
        parts = dict(list(group.groupby("contender")))
        cells = [near(parts[c], most) if c in parts else "" for c in contenders]
        nearness.append([world, str(regions), *cells])
        if "skmmm" in parts:
            doubt.append([world, str(regions), *doubts(parts["skmmm"])])
    head = ["world", "regions", *(GRAPH_CONTENDERS[c] for c in contenders)]
    scorecards = [
        GRAPH.format(most=most) + csv_table(head, nearness),
        DOUBT + csv_table(DOUBT_HEAD, doubt),
    ]
    return "\n\n".join(scorecards)


def near(rows, most):
    """Return F1 and SHD of one contender as text, and seeds where there are fewer."""
    if rows["f1"].isna().all():
        return "failed"
    text = f"{rows['f1'].mean():.2f} / {rows['shd'].mean():.1f}"
    return text if len(rows) == most else f"{text} ({len(rows)})"


ERRORS = ("total_error", "graph_error", "direct_error")


def doubts(rows):
    """Return what skmmm says per fit, and shares of it that are true, as text."""

    def share(true, n):
        return f"{true / n:.2f}" if n else ""

    sums = rows.sum(numeric_only=True)
    found = (rows["true_share"] * rows["n_edges"]).sum()
    counts = [
        (sums["n_edges"], found),
        (sums["n_probable"], sums["probable_true"]),
        (sums["n_possible"], sums["possible_true"]),
    ]
    pairs = [text for n, true in counts for text in (per(rows, n), share(true, n))]
    verdicts = ("n_undecided", "n_no_edge", "missed_as_no_edge")
    errors = [rows[name].mean() for name in ERRORS]
    return [
        *pairs,
        *(per(rows, sums[name]) for name in verdicts),
        *("" if isnan(error) else f"{error:.2f}" for error in errors),
    ]


FAULTS = """\
Panels and series with one fault each (two channels; ``clean`` has none): share of
channel totals inside the 90 % interval; in brackets silent misses, which miss although
the verdict is data-driven, of so many channels; and the share of fits that say
something or refuse. {seeds} seeds, with 0.1.0 {before}. In ``prior_wrong`` "true" is
what the user insists on; in ``weights`` two regions of 40 weeks are all there is."""


def faults():
    """Return what one fault in a table does, before and after the repairs."""
    tables = [
        pd.read_csv(HERE / "results" / f"{name}.csv")
        for name in ("faults", "faults_0_1_0")
    ]
    seeds, seeds_before = (table["seed"].nunique() for table in tables)
    now, before = map(summarise_faults, tables)
    head = ["fault", "skmmm", "says so", "skmmm 0.1.0", "says so"]
    rows = [
        [fault.replace("_", " "), *_held(row), *_held(before.loc[fault])]
        for fault, row in now.iterrows()
    ]
    text = FAULTS.format(seeds=seeds, before=seeds_before)
    return text + "\n\n" + csv_table(head, rows)


def _held(row):
    fits = row["channels"] / 2 + row["refused"]
    told = (row["warned"] * row["channels"] / 2 + row["refused"]) / fits
    if not row["channels"] > 0:
        return "refused", f"{told:.2f}"
    held = f"{row['coverage']:.2f} ({row['silent']:.0f} of {row['channels']:.0f})"
    return held, f"{told:.2f}"


def per(rows, total):
    return f"{total / len(rows):.1f}"


def csv_table(head, rows):
    """Return a table of text in reStructuredText."""
    lines = (", ".join(f'"{cell}"' for cell in line) for line in [head, *rows])
    return ".. csv-table::\n   :header-rows: 1\n\n" + "\n".join(
        f"   {line}" for line in lines
    )


def markdown(head, rows):
    """Return a table of text in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary():
    """Return the one table of README: wins, losses, and what they are set against."""
    results = HERE / "results"
    recovered = pd.read_csv(results / "recovery.csv")
    means = recovered.groupby(["world", "contender"])[["srmse", "total_error"]].mean()
    ours = recovered[recovered["contender"] == "skmmm"].dropna(subset=["covered"])
    rows = [
        [
            f"SRMSE, {world.replace('_', ' ')} table",
            f"{means.loc[(world, 'skmmm'), 'srmse']:.2f}",
            "PyMC-Marketing {}, Meridian {}".format(*published),
        ]
        for world, published in SRMSE_PUBLISHED.items()
    ]
    drifting, broken = (
        [means.loc[(world, c), score] for c in ("skmmm", "linear MMM")]
        for world, score in (
            ("panel_drifting", "srmse"),
            ("kitchen_sink", "total_error"),
        )
    )
    covered = ours.groupby("world")[["covered", "channels"]].sum()
    share = covered["covered"] / covered["channels"]
    silent, channels = ours["honest"].sum(), ours["channels"].sum()
    now, before = (
        summarise_faults(pd.read_csv(results / f"{name}.csv"))
        for name in ("faults", "faults_0_1_0")
    )
    rows += [
        [
            "SRMSE, panels with drifting effects",
            f"{drifting[0]:.2f}",
            f"linear MMM {drifting[1]:.2f}",
        ],
        [
            "error of totals, several breaks at once",
            f"{100 * broken[0]:.0f} %",
            f"linear MMM {100 * broken[1]:.0f} %",
        ],
        [
            "90 % intervals that hold, worlds it can represent",
            f"{100 * summarise(recovered)[1]['skmmm']:.0f} %",
            f"90 % would be right; {100 * share['panel_drifting']:.0f} % on drifting "
            "panels",
        ],
        [
            "silent misses, all worlds",
            f"{silent:.0f} of {channels:.0f}",
            f"{channels / 10:.0f} would be chance",
        ],
        [
            "silent misses, one fault in the table",
            _silent(now),
            f"version 0.1.0: {_silent(before)}",
        ],
        forecast_in_short(),
        *plans_in_short(),
    ]
    report = pd.read_csv(results / "report.csv").set_index("data")
    seconds = f"{report.loc['dma', 'fit_seconds']:.0f}"
    return SUMMARY.format(seconds=seconds) + markdown(SUMMARY_HEAD, rows)


def _silent(faults):
    return f"{faults['silent'].sum():.0f} of {faults['channels'].sum():.0f}"


def forecast_in_short():
    """Return the row of README on the real panel."""
    table = pd.read_csv(HERE / "results" / "forecast_dma.csv")
    skill = table.groupby("model")["skill"].mean()
    return [
        "forecast skill against the last value, real panel",
        f"{skill['skmmm']:.2f}",
        f"last value 0, linear MMM {skill['linear MMM']:.2f}",
    ]


def plans_in_short():
    """Return the rows of README on plans whose best is known."""
    table = pd.read_csv(HERE / "results" / "plan.csv").set_index(["world", "contender"])

    def regrets(world):
        return {c: table.loc[(world, c)] for c in ("skmmm", "linear MMM")}

    panel, funnel = regrets("panel"), regrets("funnel")
    worse = (funnel["skmmm"]["better_than_today"] == 0).sum()
    return [
        [
            "regret of plans, panels (0: the best plan, 1: as today)",
            f"{panel['skmmm']['regret'].median():.2f}",
            f"linear MMM {panel['linear MMM']['regret'].median():.2f}",
        ],
        [
            "regret of plans, television drives search",
            f"{funnel['skmmm']['regret'].median():.2f}",
            f"worse than today in {worse} of {len(funnel['skmmm'])} seeds; linear MMM "
            f"{funnel['linear MMM']['regret'].median():.2f}",
        ],
    ]


TABLES = {
    "forecast": forecast,
    "recovery": recovery,
    "faults": faults,
    "plan": plan,
    "report": report,
    "graph": graph,
}


def main():
    if names := sys.argv[1:]:
        print("\n\n".join({**TABLES, "summary": summary}[name]() for name in names))
        return
    _fill(README, "<!-- table: {} -->\n", "<!-- end -->", {"summary": summary})
    _fill(PAGE, ".. table: {}\n\n", "\n.. end", TABLES)


def _fill(path, start, end, tables):
    """Write tables between the marks of a file."""
    text = path.read_text()
    for name, table in tables.items():
        mark = start.format(name)
        before, rest = text.split(mark)
        text = before + mark + table() + "\n" + end + rest.split(end, 1)[1]
    path.write_text(text)


if __name__ == "__main__":
    main()
