"""The arguments of every command."""

import argparse
import sys

from skmmm._cli.epilogs import (
    FIT_EPILOG,
    PLAN_EPILOG,
    REPORT_EPILOG,
    REVIEW_EPILOG,
    UPDATE_EPILOG,
)
from skmmm._cli.settings import key_of, keys_of, read_settings
from skmmm._cli.values import (
    UsageError,
    mark,
    positive,
    read_bounds,
    read_costs,
    read_intervals,
    read_numbers,
    read_priors,
    separator,
    share,
    whole_number,
)
from skmmm._estimator.defaults import ADSTOCK, MAX_ITER, MAX_LAG, N_DRAWS
from skmmm._model import ADSTOCKS
from skmmm._version import __version__

_OUT_HELP = "folder for tables and pictures, made if need be (default: %(default)s)"
# Options whose values are read together, and how.
_TOGETHER = {
    "media_cost": read_costs,
    "prior": read_priors,
    "bounds": read_bounds,
    "money_bounds": read_intervals,
    "price_level": read_numbers,
    "price_elasticity": read_numbers,
}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message):
        self.exit(2, f"skmmm: error: {message} (see {self.prog} --help)\n")


def parse(argv=None):
    """Return the arguments of the command line.

    Parameters
    ----------
    argv : list of str, default=None
        None: those of the process.

    Returns
    -------
    args : Namespace
        `media_cost`, `prior`, `bounds`, `money_bounds`, `price_level` and
        `price_elasticity` as `skmmm._cli.values` reads them.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser, commands = _make_parsers()
    path = _config_of(argv)
    if path is None:
        args = parser.parse_args(argv)
    else:
        parser = commands[argv[0]]
        args = _parse_with_file(parser, argv, read_settings(path, argv[0], commands))
    _read_together(args, parser.error)
    return args


def _read_together(args, error):
    """Read, in place, options whose values belong together."""
    for name, read in _TOGETHER.items():
        texts = getattr(args, name, None)
        if texts is None:
            continue
        try:
            setattr(args, name, read(texts))
        except argparse.ArgumentTypeError as found:
            error(f"argument --{name.replace('_', '-')}: {found}")


def _config_of(argv):
    """Return the file that --config names, None without."""
    if any(text.startswith("--c") for text in argv):  # it may be abbreviated
        said = _said(argv)
        return None if said is None else said.config
    return None


def _said(argv, error=None):
    """Return what arguments say by themselves, None for all else.

    None if there is no command. `error` takes what is wrong with them.
    """
    _, commands = _make_parsers()
    parser = commands.get(argv[0])
    if parser is None:
        return None
    if error is not None:
        parser.error = error
    for action in parser._actions:
        action.required = False
        if not action.option_strings:
            action.nargs = "?"
    nothing = argparse.Namespace(**{action.dest: None for action in parser._actions})
    nothing.command = argv[0]
    said = parser.parse_intermixed_args(argv[1:], nothing)
    if error is not None:
        _read_together(said, error)
    return said


def _parse_with_file(parser, argv, settings):
    """Return the arguments of a command line, and of a file where it says nothing."""
    command, *own = argv
    said = vars(_said(argv))
    taken = {name for name, value in said.items() if value is not None}
    for group in parser._mutually_exclusive_groups:
        names = {action.dest for action in group._group_actions}
        taken |= names if names & taken else set()
    keys, options = keys_of(parser), []

    def wrong(message):
        raise UsageError(f"{said['config']}: [{command}] {message}")

    _said([command, *(t for texts in settings.values() for t in texts)], wrong)
    for found, texts in settings.items():
        action = keys[key_of(found)]
        if action.dest in taken:
            continue
        if action.option_strings:
            options += texts
        else:
            action.nargs, action.default = "?", texts[0]
    args = parser.parse_intermixed_args([*options, *own])
    args.command = command
    return args


def _make_parsers():
    """Return the parser of the command line, and those of its commands."""
    parser = Parser(
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
        description="Fit the bundled example, a simulated retailer in twelve cities, "
        "156 weeks, six channels, without and with a test of the channel that is known "
        "least, and compare with the truth. Takes about a minute and a half.",
    )
    demo.add_argument("--out", metavar="DIR", default="skmmm-demo", help=_OUT_HELP)
    _add_settings(demo)
    _add_fit(commands)
    _add_report(commands)
    _add_plan(commands)
    _add_review(commands)
    _add_update(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--config",
            metavar="FILE",
            help="options in a TOML file, such as settings.toml of a fit; those given "
            "here count before them",
        )
    commands.add_parser(
        "version",
        help="print versions and cores, for a report of a bug",
        description="Print the versions of skmmm and of what it stands on, and how "
        "many cores there are: what a report of a bug needs.",
    )
    return parser, commands.choices


def _add_fit(commands):
    fit = commands.add_parser(
        "fit",
        help="fit a table",
        usage="skmmm fit DATA --kpi NAME --time NAME --media NAME ...\n"
        "                 [--region NAME] [--controls NAME ...] [--out DIR] ...",
        description="Fit a table and write tables and pictures.",
        epilog=FIT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_columns(fit)
    fit.add_argument("--out", metavar="DIR", default="skmmm-fit", help=_OUT_HELP)
    _add_experiments(fit)
    _add_settings(fit)


def _add_report(commands):
    report = commands.add_parser(
        "report",
        help="write one web page about a model",
        usage="skmmm report DATA --kpi NAME\n"
        "                    (--time NAME --media NAME ... | --model FILE)\n"
        "                    [--out FILE] ...",
        description="Fit a table, or take a fitted model, and write a report as one "
        "HTML file.",
        epilog=REPORT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_columns(report)
    report.add_argument(
        "--model", metavar="FILE", help="a model that skmmm fit has saved"
    )
    report.add_argument(
        "--out",
        metavar="FILE",
        default="report.html",
        help="the report (default: %(default)s)",
    )
    report.add_argument("--title", metavar="TEXT", help="heading of the report")
    _add_experiments(report)
    _add_settings(report)


def _add_plan(commands):
    plan = commands.add_parser(
        "plan",
        help="find the best split of a budget",
        usage="skmmm plan MODEL [--horizon N] [--budget MONEY] [--out FILE] ...",
        description="Find the spend that causes most, with a model that skmmm fit has "
        "saved.",
        epilog=PLAN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plan.add_argument("model", metavar="MODEL", help="a .skmmm file")
    what = plan.add_argument_group("what is planned")
    rows = what.add_mutually_exclusive_group()
    rows.add_argument(
        "--horizon",
        metavar="N",
        type=whole_number(1),
        help="so many coming periods",
    )
    rows.add_argument(
        "--data", metavar="DATA", help="instead: a table of the rows to plan"
    )
    what.add_argument(
        "--spend",
        choices=("last_year", "last_periods"),
        help="what channels spend before the plan moves it, with --horizon: as one "
        "year before, or as in the last so many periods (default: last_year, if the "
        "fit has a year); controls are as by default",
    )
    what.add_argument(
        "--by",
        choices=("channel", "region", "period"),
        default="channel",
        help="what gets a spend of its own (default: %(default)s)",
    )
    _add_limits(plan)
    _add_prices(plan)
    _add_reading(plan, "--data")
    plan.add_argument("--out", metavar="FILE", help="write the plan to this .csv file")
    plan.add_argument(
        "--save",
        metavar="FILE",
        help="write plan and model to this file, for skmmm review",
    )
    plan.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )


def _add_review(commands):
    review = commands.add_parser(
        "review",
        help="say why the KPI is not what a plan expected",
        usage="skmmm review PLAN DATA --kpi NAME [--model FILE] [--out FILE] ...",
        description="Split the difference between the KPI and what a plan expected "
        "into delivery, controls, response and what is unexplained.",
        epilog=REVIEW_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    review.add_argument("plan", metavar="PLAN", help="a file of skmmm plan --save")
    review.add_argument("data", metavar="DATA", help="a table of what came")
    review.add_argument(
        "--kpi", metavar="NAME", required=True, help="column with the KPI"
    )
    review.add_argument(
        "--model",
        metavar="FILE",
        help="a model fitted again since, to tell changed response",
    )
    _add_reading(review, "DATA")
    review.add_argument("--out", metavar="FILE", help="write parts to this .csv file")
    review.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )


def _add_update(commands):
    update = commands.add_parser(
        "update",
        help="let a model take in new periods",
        usage="skmmm update MODEL DATA --kpi NAME --save FILE\n"
        "                    [--forgetting-factor SHARE] ...",
        description="Let a model that skmmm fit has saved take in the rows of new "
        "periods, in seconds, and say how returns have changed.",
        epilog=UPDATE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    update.add_argument("model", metavar="MODEL", help="a .skmmm file")
    update.add_argument("data", metavar="DATA", help="a table with new periods")
    update.add_argument(
        "--kpi", metavar="NAME", required=True, help="column with the KPI"
    )
    update.add_argument(
        "--save", metavar="FILE", required=True, help="write the new model to this file"
    )
    update.add_argument(
        "--forgetting-factor",
        metavar="SHARE",
        type=share,
        help="what rows learned before still count for after each new period, above 0 "
        "and at most 1 (default: as the model says)",
    )
    _add_reading(update, "DATA")
    update.add_argument("--out", metavar="FILE", help="write returns to this .csv file")
    update.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )


def _add_limits(plan):
    limits = plan.add_argument_group("limits")
    limits.add_argument(
        "--budget",
        metavar="MONEY",
        type=positive,
        help="total spend (default: today's)",
    )
    limits.add_argument(
        "--bounds",
        metavar="LOW HIGH | NAME=LOW:HIGH",
        nargs="+",
        action="extend",
        help="least and most multiples of today's spend, of all channels or by name: "
        "0 3 tv=0.8:1.2 (default: 0.5 2); channels that the fit warned of only move if "
        "they are named",
    )
    limits.add_argument(
        "--money-bounds",
        metavar="NAME=LOW:HIGH",
        nargs="+",
        action="extend",
        help="least and most money of channels, in place of multiples: tv=0:900000",
    )
    limits.add_argument(
        "--fix",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="channels whose spend stays",
    )
    limits.add_argument(
        "--target-roi",
        metavar="ROI",
        type=positive,
        help="spend as much as keeps the return of all spend at this",
    )
    limits.add_argument(
        "--target-mroi",
        metavar="ROI",
        type=positive,
        help="spend as much as keeps the return of the last unit at this",
    )


def _add_prices(plan):
    prices = plan.add_argument_group(
        "prices, of channels in units of delivery with a --media-cost"
    )
    prices.add_argument(
        "--price-level",
        metavar="NAME=FACTOR",
        nargs="+",
        action="extend",
        help="what a unit costs in these periods over --media-cost: tv=1.08",
    )
    prices.add_argument(
        "--price-elasticity",
        metavar="NAME=NUMBER",
        nargs="+",
        action="extend",
        help="by how many percent a unit gets dearer with one percent more spend, "
        "below 1: search=0.2",
    )


def _add_columns(parser):
    parser.add_argument(
        "data", metavar="DATA", help="a .csv, .csv.gz, .xlsx or .parquet file"
    )
    columns = parser.add_argument_group("columns of DATA")
    columns.add_argument(
        "--kpi", metavar="NAME", required=True, help="what the media should move"
    )
    columns.add_argument(
        "--media",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="spend or delivery per channel; needed for a fit",
    )
    columns.add_argument(
        "--controls",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="columns that move the KPI but are no media: price, holidays, events",
    )
    columns.add_argument(
        "--region", metavar="NAME", help="region of the row (default: one series)"
    )
    columns.add_argument(
        "--population",
        metavar="NAME",
        help="size of the region, the same in all its rows: regions are then on one "
        "curve in spend per head as far as the data say",
    )
    columns.add_argument(
        "--time",
        metavar="NAME",
        help="period of the row: dates such as 2024-01-29, or whole numbers",
    )
    _add_reading(parser, "DATA")


def _add_reading(parser, source):
    reading = parser.add_argument_group(f"how {source} is written")
    reading.add_argument(
        "--sep",
        metavar="CHAR",
        type=separator,
        default=",",
        help="between the cells of a .csv file; tab for a tab (default: %(default)s)",
    )
    reading.add_argument(
        "--decimal",
        metavar="CHAR",
        type=mark,
        default=".",
        help="before the decimals of a number (default: %(default)s)",
    )
    reading.add_argument(
        "--thousands",
        metavar="CHAR",
        type=mark,
        help="between groups of three digits (default: none)",
    )
    reading.add_argument(
        "--date-format",
        metavar="FORMAT",
        help="of dates that are not like 2024-01-29: %%d.%%m.%%Y for 29.01.2024",
    )
    reading.add_argument(
        "--fill-zero",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="columns of numbers whose empty cells mean 0",
    )


def _add_experiments(parser):
    parser.add_argument_group("experiments").add_argument(
        "--experiments",
        metavar="FILE",
        help="lift tests, a row each, in a file that is written like DATA. Needed are "
        "the columns media, start, end, estimate (a total over window and regions), "
        "std_error, and change (a factor: 0 is off) or spend_change (money). Others: "
        "regions (empty: all), measure (outcome, roi, mroi or cost_per_outcome), "
        "cooldown (periods after end that the estimate includes), observed (control or "
        "treated: the spend that DATA shows), bias_sd, spend (money of a window that "
        "DATA has no rows of), shared_error and correlation. Media and regions of one "
        "test are apart by ;",
    )


def _add_settings(parser):
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--draws",
        metavar="N",
        type=whole_number(0),
        default=N_DRAWS,
        help="draws for the intervals, 0 for none (default: %(default)s)",
    )
    settings.add_argument(
        "--max-lag",
        metavar="N",
        type=whole_number(0),
        default=MAX_LAG,
        help="periods over which spend may act (default: %(default)s)",
    )
    settings.add_argument(
        "--adstock",
        choices=ADSTOCKS,
        default=ADSTOCK,
        help="shape of the carry-over (default: %(default)s)",
    )
    settings.add_argument(
        "--media-cost",
        metavar="COST",
        nargs="+",
        action="extend",
        help="cost of one unit of the media columns, 1 if they are money; or, also "
        "beside it, by channel, tv=12.5 search=search_spend: the money of each row is "
        "the column search_spend, and a unit costs its total / that of search over the "
        "rows of DATA (search=col:search_spend: at that cost in every row). Channels "
        "with a cost are expected to earn similar returns (default: unknown)",
    )
    settings.add_argument(
        "--prior",
        metavar="NAME:QUANTITY=LOW:HIGH",
        nargs="+",
        action="extend",
        help="what is known of a channel, as a 90%% interval: tv:roi=1:3. Quantities "
        "are roi, decay and half_saturation",
    )
    _add_effort(settings)


def _add_effort(settings):
    """Add how much is computed and printed."""
    settings.add_argument(
        "--origins",
        metavar="N",
        type=whole_number(0),
        default=4,
        help="points in time from which forecasts are compared with naive ones, each a "
        "fit of its own; 0 for none (default: %(default)s)",
    )
    settings.add_argument(
        "--jobs",
        metavar="N",
        type=whole_number(1),
        default=1,
        help="fits of --origins at the same time, each in a process of its own, with "
        "the same numbers (default: %(default)s)",
    )
    settings.add_argument(
        "--max-iter",
        metavar="N",
        type=whole_number(1),
        default=MAX_ITER,
        help="iterations of a fit at most (default: %(default)s)",
    )
    settings.add_argument(
        "--seed",
        metavar="N",
        type=whole_number(0),
        default=0,
        help="of all that is random (default: %(default)s)",
    )
    settings.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )
