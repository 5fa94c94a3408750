"""Command line: fit a table, print what the channels did, write tables and pictures."""

import argparse
import difflib
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skmmm import DeepCausalMMMRegressor, __version__
from skmmm._calendar import infer_calendar
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.datasets import load_mmm_example
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.plotting import (
    ContributionsDisplay,
    FitDisplay,
    ResponseCurvesDisplay,
    ReturnsDisplay,
)
from skmmm.plotting._style import format_number, shorten

_LEVEL = 0.9
_N_ORIGINS, _HORIZON = 4, 13
_MODEL = "DeepCausalMMM"
_EPILOG = """\
example:
  skmmm fit sales.csv --kpi revenue --media tv search social \\
      --controls price holiday --region city --time week --out results

The table has one row per region and period (week, day or month). The folder given by
--out then holds

  channels.csv         spend, contribution, share, ROI and marginal ROI, with intervals
  contributions.csv    prediction of every row, split into baseline, controls, channels
  channel_graph.csv    which channel drives which: weight, probability, verdict
  skill.csv            forecast errors next to a linear MMM and naive forecasts
  model.skmmm          the model, for DeepCausalMMMRegressor.load
  fit.png, contributions.png, response_curves.png, returns.png
"""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message):
        self.exit(2, f"skmmm: error: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(
        prog="skmmm",
        description="Marketing mix modelling: what each channel contributed, and what "
        "the next unit of spend would return.",
    )
    parser.add_argument(
        "--version",
        action="version",
        help="print the version",
        version=f"skmmm {__version__}",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="fit the bundled example, twelve cities over three years",
        description="Fit the bundled example: a simulated retailer in twelve cities, "
        "156 weeks, six channels. Takes about a minute.",
    )
    demo.add_argument("--out", metavar="DIR", default="skmmm-demo", help=_OUT_HELP)
    fit = commands.add_parser(
        "fit",
        help="fit a table",
        usage="skmmm fit DATA --kpi NAME --time NAME [--region NAME]\n"
        "                 [--media NAME ...] [--controls NAME ...] [--out DIR] ...",
        description="Fit a table and write tables and pictures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_columns(fit)
    fit.add_argument("--out", metavar="DIR", default="skmmm-fit", help=_OUT_HELP)
    for command in (demo, fit):
        _add_settings(command)
    demo.set_defaults(media_cost=1.0)  # its channels are euros
    return parser


_OUT_HELP = "folder for tables and pictures, made if need be (default: %(default)s)"


def _add_columns(parser):
    parser.add_argument("data", metavar="DATA", help="a .csv, .csv.gz or .parquet file")
    columns = parser.add_argument_group("columns of DATA")
    columns.add_argument(
        "--kpi", metavar="NAME", required=True, help="what the media should move"
    )
    columns.add_argument(
        "--media",
        metavar="NAME",
        nargs="+",
        help="spend or delivery per channel (default: all columns not named otherwise)",
    )
    columns.add_argument(
        "--controls",
        metavar="NAME",
        nargs="+",
        default=[],
        help="columns that move the KPI but are no media: price, holidays",
    )
    columns.add_argument(
        "--region", metavar="NAME", help="region of the row (default: one series)"
    )
    columns.add_argument(
        "--time",
        metavar="NAME",
        help="period of the row: dates such as 2024-01-29, or whole numbers",
    )


def _add_settings(parser):
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--draws",
        metavar="N",
        type=int,
        default=32,
        help="draws for the intervals, 0 for none (default: %(default)s)",
    )
    settings.add_argument(
        "--max-lag",
        metavar="N",
        type=int,
        default=13,
        help="periods over which spend may act (default: %(default)s)",
    )
    settings.add_argument(
        "--adstock",
        choices=("weibull", "geometric", "delayed", "free", "gru"),
        default="weibull",
        help="shape of the carry-over (default: %(default)s)",
    )
    settings.add_argument(
        "--media-cost",
        metavar="COST",
        type=float,
        help="cost of one unit of the media columns, 1 if they are money: channels "
        "are then expected to earn similar returns (default: unknown)",
    )
    settings.add_argument(
        "--max-iter",
        metavar="N",
        type=int,
        default=400,
        help="iterations of a fit at most (default: %(default)s)",
    )
    settings.add_argument(
        "--seed", metavar="N", type=int, default=0, help="(default: %(default)s)"
    )
    settings.add_argument("--quiet", action="store_true", help="print errors only")


@dataclass(frozen=True)
class _Task:
    """A table and the role of its columns.

    Attributes
    ----------
    source : str
        Where it came from, in words.
    X : DataFrame of shape (n_rows, n_columns)
    y : Series of shape (n_rows,)
    media, controls : list of str
    region : str or None
    time : str
    """

    source: str
    X: pd.DataFrame
    y: pd.Series
    media: list
    controls: list
    region: str | None
    time: str

    @property
    def roles(self):
        """Column arguments of the models."""
        return {
            "media": self.media,
            "controls": self.controls,
            "region": self.region,
            "time": self.time,
        }

    @property
    def n_regions(self):
        """Number of regions, 1 for one series."""
        return 1 if self.region is None else self.X[self.region].nunique()

    def calendar(self):
        """Return the calendar and the distinct periods, counted from the first."""
        calendar = infer_calendar(self.X[self.time], self.time)
        return calendar, np.unique(calendar.ordinals(self.X[self.time], self.time))


def _demo_task():
    data = load_mmm_example()
    return _Task(
        "bundled example", data.X, data.y, data.media, data.controls, "region", "week"
    )


def _read_task(args):
    """Read the table and give every column its role."""
    frame = _read_table(Path(args.data))
    named = [args.kpi, *args.controls, args.region, args.time]
    named = [name for name in named if name is not None]
    _check_columns(frame, [*named, *(args.media or [])], args.data)
    if args.time is None:
        raise ValueError(
            "--time is needed: the command line forecasts and draws over time (in "
            "Python, DeepCausalMMMRegressor(time=None) takes rows without an order)"
        )
    if args.region is None and frame[args.time].duplicated().any():
        raise ValueError(
            f"several rows have the same {args.time}; name the column of their region "
            "with --region, or aggregate them to one row per period"
        )
    media = args.media
    if media is None:
        # The second: what pandas calls an index that was written without a name.
        media = [
            name
            for name in frame
            if name not in named and not str(name).startswith("Unnamed:")
        ]
    keys = [name for name in (args.region, args.time) if name is not None]
    return _Task(
        args.data,
        frame[[*keys, *media, *args.controls]],
        frame[args.kpi],
        media,
        args.controls,
        args.region,
        args.time,
    )


def _read_table(path):
    readers = {
        ".csv": lambda path: pd.read_csv(path, low_memory=False),
        ".csv.gz": lambda path: pd.read_csv(path, low_memory=False),
        ".parquet": pd.read_parquet,
    }
    ending = next((end for end in readers if path.name.lower().endswith(end)), None)
    if ending is None:
        raise ValueError(f"{path} is not a {', '.join(readers)} file")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        frame = readers[ending](path)
    except Exception as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    if frame.index.names != [None]:
        frame = frame.reset_index()
    return frame.reset_index(drop=True)


def _check_columns(frame, names, source):
    """Raise if a column is not there, or is named twice."""
    for name in names:
        if name not in frame:
            close = difflib.get_close_matches(name, list(map(str, frame)), n=1)
            known = ", ".join(map(str, frame.columns[:20]))
            hint = f"did you mean {close[0]!r}?" if close else f"it has {known}"
            raise ValueError(f"{source} has no column {name!r}; {hint}")
        if names.count(name) > 1:
            raise ValueError(f"the column {name!r} is named twice; give it one role")


class _Console:
    """Prints, unless quiet; on a terminal fits get a progress bar."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.bar = None if quiet or not sys.stdout.isatty() else _progress_bar()

    def say(self, text="", end="\n"):
        """Print, whatever letters the terminal knows."""
        if not self.quiet:
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            text = text.encode(encoding, "replace").decode(encoding)
            print(text, end=end, flush=True)

    @contextmanager
    def stage(self, text, *, fits=False):
        """Print what is done now, and how long it took, which a fit's bar shows."""
        bar = fits and self.bar is not None
        self.say(text, end="\n" if bar else " ... ")
        start = perf_counter()
        done = ""
        try:
            yield
            done = f"{perf_counter() - start:.1f} s"
        finally:
            if not bar:
                self.say(done)

    def fit(self, model, X, y):
        """Fit under the progress bar."""
        if self.bar is None:
            return model.fit(X, y)
        # Take the bar off again: it is no part of the model.
        return model.set_callbacks(self.bar).fit(X, y).set_callbacks()


def _progress_bar():
    """Return scikit-learn's progress bar; None before 1.9 and without rich."""
    try:
        from sklearn.callback import ProgressBar

        return ProgressBar()
    except ImportError:
        return None


def _run(task, args):
    """Fit, compare, print and write."""
    console = _Console(args.quiet)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    console.say(f"skmmm {__version__}\n\n{_describe(task)}\n")
    model = DeepCausalMMMRegressor(
        **task.roles,
        n_draws=args.draws,
        max_lag=args.max_lag,
        adstock=args.adstock,
        media_cost=args.media_cost,
        max_iter=args.max_iter,
        random_state=args.seed,
    )
    with console.stage("Fitting the model", fits=True):
        console.fit(model, task.X, task.y)
    skill, held_out = _compare(task, model, console)
    summary = model.channel_summary(confidence_level=_LEVEL)
    with console.stage("Writing tables"):
        files = _write_tables(task, model, summary, skill, out)
    with console.stage("Drawing pictures"):
        files += _write_pictures(task, model, summary, held_out, out)
    console.say(f"\n{_channel_text(task, model, summary)}")
    if len(task.media) > 1:
        console.say(f"\n{_graph_text(model.channel_graph())}")
    if skill is not None:
        console.say(f"\n{_skill_text(task, skill)}")
    console.say(f"\nWritten to {out}:\n  {'  '.join(files)}")


def _describe(task):
    """Say what was read."""
    calendar, periods = task.calendar()
    unit = _plural(calendar.unit)
    first, last = calendar.label(periods[0]), calendar.label(periods[-1])
    regions = "" if task.region is None else f", {task.n_regions} regions"
    lines = [
        f"Data      {task.source}: {len(task.X):,} rows{regions}, {len(periods)} "
        f"{unit} from {first} to {last}"
    ]
    missing = task.n_regions * len(periods) - len(task.X)
    if missing > 0:
        lines.append(f"          {missing:,} rows missing (region and period)")
    lines.append(f"KPI       {task.y.name}")
    lines.append(f"Media     {_list(task.media)}")
    lines.append(f"Controls  {_list(task.controls)}")
    return "\n".join(lines)


def _plural(unit):
    return "periods" if unit == "integer" else f"{unit}s"


def _list(names):
    text = ", ".join(shorten(names, 30)) or "none"
    return text if len(text) <= 300 else f"{len(names)} columns: {text[:280]}…"


def _compare(task, model, console):
    """Forecast from earlier origins with the model and with what it has to beat.

    Returns
    -------
    skill : DataFrame or None
        As of `rolling_skill`, with a column ``origin``. None if it is not possible.
    held_out : tuple of estimator, train and test positions, or None
        The model fitted before the last block.
    """
    calendar, periods = task.calendar()
    unit = _plural(calendar.unit)
    size = _horizon(len(periods), model.max_lag)
    if size == 0:
        console.say(f"No forecasts: {len(periods)} {unit} are too few for them.")
        return None, None
    # Intervals of forecasts are drawn for a single series only.
    refit = clone(model).set_params(
        n_draws=model.n_draws if task.n_regions == 1 else 0, unseen_region="average"
    )
    cv = PanelTimeSeriesSplit(_N_ORIGINS, test_size=size, time=task.time)
    scores, held_out = [], None
    for i, (train, test) in enumerate(cv.split(task.X)):
        origin = calendar.label(periods[(i - _N_ORIGINS) * size])
        try:
            with console.stage(f"Forecasting {size} {unit} from {origin}", fits=True):
                X, y = task.X.iloc[train], task.y.iloc[train]
                fitted = console.fit(clone(refit), X, y)
                score = _score(task, fitted, train, test)
        except ValueError as error:
            console.say(f"Left out: {_one_line(error)}")
            continue
        scores.append(score.assign(split=i, origin=origin, horizon=size))
        held_out = fitted, train, test
    skill = pd.concat(scores, ignore_index=True) if scores else None
    return skill, held_out


def _horizon(n_periods, max_lag):
    """Return the periods per forecast; at least half of the data come before all."""
    first = max(-(-n_periods // 2), max_lag + 2)
    return max(0, min(_HORIZON, (n_periods - first) // _N_ORIGINS))


def _score(task, fitted, train, test):
    """Return the errors of all models on one block."""
    # A region without training rows is an average one for all of them.
    keys = {"region": task.region, "time": task.time, "unseen_region": "average"}
    linear = make_linear_mmm(**task.roles, max_lag=fitted.max_lag)
    linear.set_params(scale__unseen="overall", region__unseen="ignore")
    contenders = {
        _MODEL: FrozenEstimator(fitted),
        "linear MMM": linear,
        "seasonal naive": SeasonalNaiveRegressor(**keys),
        "last value": LastValueRegressor(**keys),
    }
    return rolling_skill(
        contenders,
        task.X,
        task.y,
        cv=[(train, test)],
        naive=LastValueRegressor(**keys),
        region=task.region,
    )


def _write_tables(task, model, summary, skill, out):
    """Write tables and model, and return the names of the files."""
    summary.to_csv(out / "channels.csv", float_format="%.8g")
    keys = [name for name in (task.region, task.time) if name is not None]
    rows = task.X[keys].join(task.y)
    rows["predicted"] = model.predict(task.X)
    rows = pd.concat([rows, model.contributions()], axis=1)
    rows.to_csv(out / "contributions.csv", index=False, float_format="%.8g")
    model.save(out / "model.skmmm")
    files = ["channels.csv", "contributions.csv", "model.skmmm"]
    if skill is not None:
        skill.to_csv(out / "skill.csv", index=False, float_format="%.6g")
        files.append("skill.csv")
    if len(task.media) > 1:
        pairs = model.channel_graph().pairs
        pairs.to_csv(out / "channel_graph.csv", index=False, float_format="%.6g")
        files.append("channel_graph.csv")
    return files


def _write_pictures(task, model, summary, held_out, out):
    """Draw, and return the names of the files."""
    kpi = str(task.y.name)
    displays = {
        "fit.png": _draw_fit(task, model, held_out),
        "contributions.png": ContributionsDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi
        ),
        "response_curves.png": ResponseCurvesDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi, confidence_level=_LEVEL
        ),
        "returns.png": ReturnsDisplay(
            summary=summary, kpi_name=kpi, confidence_level=_LEVEL
        ),
    }
    for name, display in displays.items():
        display.save(out / name)
    return list(displays)


def _draw_fit(task, model, held_out):
    """Draw the last block as a forecast, if there was one."""
    if held_out is None:
        return FitDisplay.from_estimator(
            model, task.X, task.y, ax=_blank(), confidence_level=_LEVEL
        )
    fitted, train, test = held_out
    return FitDisplay.from_estimator(
        fitted,
        task.X.iloc[train],
        task.y.iloc[train],
        X_test=task.X.iloc[test],
        y_test=task.y.iloc[test],
        ax=_blank(),
        confidence_level=_LEVEL,
    )


def _blank():
    """Return axes that no window knows of."""
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def _channel_text(task, model, summary):
    """Return the table of channels, and what is left for the baseline."""
    summary = summary.sort_values("contribution", ascending=False)
    interval = f"{_LEVEL:.0%} interval"
    head = ["Channel", "Spend", "Contribution", interval, "Share", "ROI", interval]
    rows = [[*head, "mROI", "Verdict"]]
    names = shorten(list(summary.index), 24)
    for name, channel in zip(names, summary.itertuples(), strict=True):
        rows.append(
            [
                name,
                _number(channel.spend),
                _number(channel.contribution),
                _interval(channel.contribution_low, channel.contribution_high),
                f"{channel.share:.1%}",
                _number(channel.roi),
                _interval(channel.roi_low, channel.roi_high),
                _number(channel.mroi),
                (channel.verdict or "none without draws")
                + (", follows KPI" if channel.follows_kpi else ""),
            ]
        )
    parts = model.contributions().sum()
    share = parts / parts.sum()
    kpi = task.y.name
    return (
        f"{_layout(rows)}\n\n"
        f"Media are {share[task.media].sum():.0%} of predicted {kpi}; the rest is "
        f"baseline{' and controls' if task.controls else ''}.\n"
        f"ROI is {kpi} per unit of spend, mROI that of the next unit; they are returns "
        "only where\nthe column is money. Believe the effect of a channel as far as "
        "its verdict says:\nprior-driven and not identified are what was expected "
        "before, not what the data found."
    )


def _graph_text(graph):
    """Return which channel drives which, and how much of it is undecided."""
    edges = [f"{edge.parent} drives {edge.child}" for edge in graph.edges.itertuples()]
    undecided = int((graph.pairs["verdict"] == "undecided").sum())
    return (
        f"Channels that drive others: {', '.join(edges) or 'none found'}. "
        f"{undecided} of {len(graph.pairs)} pairs are undecided."
    )


def _skill_text(task, skill):
    """Return the table of forecasts, in the order of the contenders."""
    origins = skill["origin"].unique()
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    each = skill.pivot(index="estimator", columns="origin", values="wmape")
    rows = [["Forecast", "wMAPE", "Skill", *origins]]
    for name, row in mean.iterrows():
        errors = [f"{each.loc[name, origin]:.1%}" for origin in origins]
        rows.append([name, f"{row.wmape:.1%}", f"{row.skill:+.2f}", *errors])
    calendar, _ = task.calendar()
    horizon = skill["horizon"].iloc[0]
    return (
        f"{_layout(rows)}\n\n"
        f"Errors over the next {horizon} {_plural(calendar.unit)} from {len(origins)} "
        "origins, whose dates head the single\nerrors. Media and controls of the "
        "forecast are given. "
        "wMAPE is the absolute error as a\nshare of the KPI, skill the share of the "
        "last value's error that is avoided."
    )


def _number(value):
    return (
        "-"
        if np.isnan(value)
        else format_number(value, trim=False).replace("\u2009", " ")
    )


def _interval(low, high):
    return "-" if np.isnan(low) else f"{_number(low)} to {_number(high)}"


def _layout(rows):
    """Return rows of text below each other, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [text.rjust(w) for text, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def _one_line(error):
    return " ".join(str(error).split())


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        None: the arguments of the process.

    Returns
    -------
    code : int
        0, or 2 if the input is not usable.
    """
    args = _parser().parse_args(argv)
    try:
        task = _demo_task() if args.command == "demo" else _read_task(args)
        _run(task, args)
    except (ValueError, OSError) as error:
        print(f"skmmm: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
