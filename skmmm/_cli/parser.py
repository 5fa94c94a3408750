"""The arguments of every command."""

import argparse
import sys
from itertools import chain

from skmmm._cli.epilogs import (
    FIT_EPILOG,
    PLAN_EPILOG,
    REPORT_EPILOG,
    REVIEW_EPILOG,
    UPDATE_EPILOG,
)
from skmmm._cli.options import (
    add_columns,
    add_experiments,
    add_levers,
    add_limits,
    add_planned,
    add_prices,
    add_reading,
    add_settings,
    add_shapes,
)
from skmmm._cli.settings import key_of, keys_of, read_settings
from skmmm._cli.values import (
    UsageError,
    from_zero_below_one,
    read_bounds,
    read_columns,
    read_costs,
    read_intervals,
    read_levers,
    read_limits,
    read_numbers,
    read_priors,
)
from skmmm._version import __version__

_OUT_HELP = "folder for tables and pictures, made if need be (default: %(default)s)"
# An option of a file that means nothing without another one.
_NEEDS = {"spend": "horizon"}
# Options whose values are read together, and how.
_TOGETHER = {
    "media_cost": read_costs,
    "prior": read_priors,
    "frequency": read_columns,
    "bounds": read_bounds,
    "money_bounds": read_intervals,
    "limit": read_limits,
    "lever": read_levers,
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
        Options of several values as `skmmm._cli.values` reads them.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser, commands = _make_parsers()
    path = _config_of(argv)
    if path is None:
        args = parser.parse_args(argv)
    else:
        settings = read_settings(path, argv[0], commands)
        args = _parse_with_file(commands[argv[0]], argv, settings)
    _read_together(args, commands[args.command].error)
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
    names = (text.partition("=")[0] for text in argv)
    # It may be abbreviated.
    if any(len(name) > 2 and "--config".startswith(name) for name in names):
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
    taken |= {
        name for name, other in _NEEDS.items() if other in taken and said[other] is None
    }
    keys, options = keys_of(parser), []

    def wrong(message):
        raise UsageError(f"{said['config']}: [{command}] {message}")

    said_there = (texts for found, texts in settings.items() if found.option_strings)
    _said([command, *chain.from_iterable(said_there)], wrong)
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
    add_settings(demo)
    _add_fit(commands)
    _add_report(commands)
    _add_plan(commands)
    _add_review(commands)
    _add_update(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--config",
            metavar="FILE",
            help="options in a TOML file (skmmm fit --help ends with one); those given "
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
        "                 [--region NAME] [--controls NAME ...] [--out DIR] ...\n"
        "       skmmm fit --config FILE ...",
        description="Fit a table and write tables and pictures.",
        epilog=FIT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_columns(fit)
    fit.add_argument("--out", metavar="DIR", default="skmmm-fit", help=_OUT_HELP)
    add_experiments(fit)
    add_shapes(fit)
    add_settings(fit)


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
    add_columns(report)
    report.add_argument(
        "--model", metavar="FILE", help="a model that skmmm fit has saved"
    )
    report.add_argument(
        "--out",
        metavar="FILE",
        default="report.html",
        help="the report (default: %(default)s)",
    )
    report.add_argument(
        "--previous",
        metavar="FILE",
        help="an earlier model that skmmm fit has saved: the report says which returns "
        "have changed since and why, which takes a few fits without draws",
    )
    report.add_argument("--title", metavar="TEXT", help="heading of the report")
    add_experiments(report)
    add_shapes(report)
    add_settings(report)


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
    add_planned(plan)
    add_limits(plan)
    add_levers(plan)
    add_prices(plan)
    add_reading(plan, "--data")
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
    review.add_argument(
        "--media-cost",
        metavar="COST",
        nargs="+",
        action="extend",
        help="what a unit of the media columns cost in fact, as for skmmm fit: 1.2, or "
        "by channel, tv=13 search=search_spend (default: the columns of money that the "
        "fit names, where DATA has them)",
    )
    add_reading(review, "DATA")
    review.add_argument("--out", metavar="FILE", help="write parts to this .csv file")
    review.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )


def _add_update(commands):
    update = commands.add_parser(
        "update",
        help="let a model take in new periods",
        usage="skmmm update MODEL DATA --kpi NAME --save FILE\n"
        "                    [--effect-drift NUMBER] ...",
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
        "--effect-drift",
        metavar="NUMBER",
        type=from_zero_below_one,
        help="by how much effects may change per new period, as a standard deviation "
        "of their logarithm: 0.05 is 18%% in a quarter of weeks; returns are then "
        "shown of as many periods, before and now (default: as the model says)",
    )
    add_reading(update, "DATA")
    update.add_argument("--out", metavar="FILE", help="write returns to this .csv file")
    update.add_argument(
        "--quiet", action="store_true", help="print errors only, no warnings"
    )
