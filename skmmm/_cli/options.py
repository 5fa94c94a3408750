"""Options that several commands share, or that are many."""

from skmmm._cli.values import (
    mark,
    positive,
    separator,
    two_names,
    whole_number,
)
from skmmm._estimator.defaults import ADSTOCK, MAX_ITER, MAX_LAG, N_DRAWS
from skmmm._model import ADSTOCKS


def add_planned(plan):
    """Add which rows are planned, and what gets a spend of its own."""
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
    what.add_argument(
        "--regions",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="plan these regions only (default: all); what others spend stays",
    )
    what.add_argument(
        "--from",
        dest="first",
        metavar="PERIOD",
        help="plan only rows (of the fit or of --data) of periods that begin on this "
        "day or later: 2024-01-29; spend of others stays, and is carried over",
    )
    what.add_argument(
        "--until",
        dest="last",
        metavar="PERIOD",
        help="the same, on this day or earlier",
    )


def add_limits(plan):
    """Add the limits of a plan."""
    limits = plan.add_argument_group("limits")
    limits.add_argument(
        "--budget",
        metavar="MONEY",
        type=positive,
        help="total spend (default: that of the rows that are planned; with a target, "
        "no limit)",
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
        "--limit",
        metavar="NAME+NAME=LOW:HIGH",
        nargs="+",
        action="extend",
        help="least and most money of several channels together; LOW or HIGH may be "
        "left out: tv+video=:900000",
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


def add_levers(plan):
    """Add controls that are decided beside media."""
    plan.add_argument_group("controls").add_argument(
        "--lever",
        metavar="NAME=LOW:HIGH:COST",
        nargs="+",
        action="extend",
        help="controls that the plan decides: least and most mean over the planned "
        "rows, and the money that one more unit takes in every row, below 0 where a "
        "lower level takes money: price=8.5:9.5:-10000. What they cost beyond today "
        "comes out of the budget",
    )


def add_prices(plan):
    """Add what media will cost."""
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


def add_columns(parser):
    """Add a table and the roles of its columns."""
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
    columns.add_argument(
        "--frequency",
        metavar="NAME=COLUMN",
        nargs="+",
        action="extend",
        help="channels that are reach, with the column of how often those reached saw "
        "them in the period, 1 or more: video=video_frequency",
    )
    add_reading(parser, "DATA")


def add_reading(parser, source):
    """Add how a table is written."""
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


def add_experiments(parser):
    """Add lift tests."""
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


def add_settings(parser):
    """Add what a fit is told of channels, and how much it computes."""
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
        "with a cost are expected to earn similar returns (default: unknown; 1 in the "
        "demo)",
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


def add_shapes(parser):
    """Add channels that act slowly, and pairs that act together."""
    shapes = parser.add_argument_group("channels that act slowly, or together")
    either = shapes.add_mutually_exclusive_group()
    either.add_argument(
        "--brand",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="channels of which a share of what they cause comes over months",
    )
    either.add_argument(
        "--synergy",
        metavar="NAME:NAME",
        type=two_names,
        nargs="+",
        action="extend",
        help="pairs of channels that may cause more, or less, together than each by "
        "itself: tv:search",
    )


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
        help="fits of --origins and --previous at the same time, each in a process of "
        "its own, with the same numbers (default: %(default)s)",
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
