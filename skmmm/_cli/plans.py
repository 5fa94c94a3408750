"""What a plan is asked: about which rows, within which limits, at which prices."""

import re

import numpy as np
import pandas as pd

from skmmm._cli.tables import read_times
from skmmm._cli.task import name_all, notation_of, read_rows
from skmmm._cli.values import UsageError
from skmmm._data.checks import did_you_mean
from skmmm._data.periods import several
from skmmm._planning.problem import MOST_MULTIPLE
from skmmm._utils.labels import counted
from skmmm.allocation import Lever


def rows_to_plan(args, model):
    """Return the rows of a plan, and what their spend is called.

    Returns
    -------
    X : DataFrame or None
        None: the rows of the fit, or those of `horizon`.
    horizon : int or None
    before : str
        What the spend is called that the plan starts from.
    """
    X, horizon, before = None, args.horizon, "Today"
    if args.data is not None:
        X, _ = read_rows(args, model)
    if horizon is not None:
        repeats = args.spend or model._usual_pattern()
        before = {"last_year": "Year before", "last_periods": "Last periods"}[repeats]
    if args.spend is not None:
        X, horizon = model._coming_periods(horizon, args.spend), None
    if args.regions is None and args.first is None and args.last is None:
        return X, horizon, before
    if X is None:
        coming = horizon is not None
        X = model._coming_periods(horizon) if coming else model._training_rows()
    if args.regions is not None:
        X = _in_regions(X, args.regions, model)
    if args.first is not None or args.last is not None:
        X = _in_periods(X, args, model)
    return X, None, before


def _in_regions(X, regions, model):
    """Return the rows of some regions."""
    label = model._columns.region
    if label is None:
        raise UsageError("--regions: the model has no column of regions")
    own = X[label].astype(str)
    for name in regions:
        if not (own == name).any():
            raise UsageError(
                f"--regions names {name!r}, of which there is no row."
                + (did_you_mean(name, own.unique()) or f" There are {_some(own)}.")
            )
    return X[own.isin(regions)]


def _some(regions):
    return name_all(list(regions.unique()))


def _in_periods(X, args, model):
    """Return the rows of the periods that begin from --from until --until."""
    if args.horizon is not None:
        raise UsageError(
            "--from and --until are for rows of the fit or of --data; --horizon plans "
            "the first periods after the fit"
        )
    if model._calendar is None:
        raise UsageError("--from and --until: the model has no column of time")
    calendar, label = model._calendar, model._columns.time
    distinct, at = np.unique(calendar.ordinals(X[label], label), return_inverse=True)
    begin = pd.Series([calendar.value(ordinal) for ordinal in distinct])
    inside = pd.Series(True, begin.index)
    if args.first is not None:
        inside &= begin >= _read_end("--from", args.first, args, calendar)
    if args.last is not None:
        inside &= begin <= _read_end("--until", args.last, args, calendar)
    if not inside.any():
        ends = (calendar.label(distinct[end]) for end in (0, -1))
        raise UsageError(
            f"--from and --until leave no row: periods begin from {' to '.join(ends)}"
        )
    before = distinct[: inside.idxmax()]
    skipped = before[before > model._model.history.periods[-1]]
    if len(skipped):
        raise UsageError(
            f"--from {args.first} leaves out periods after those of the fit, of which "
            f"spend is carried over; plan from {calendar.label(skipped[0])}"
        )
    return X[inside.to_numpy()[at]]


def _read_end(option, text, args, calendar):
    """Return one end of a time range, as the calendar says its periods."""
    whole = calendar.unit == "integer"
    try:
        (end,) = read_times(pd.Series([text], dtype=object), option, notation_of(args))
        number = isinstance(end, int | np.integer)
        if whole and number:
            return end
        if not whole and not number:
            return pd.Timestamp(end).tz_localize(None)
    except ValueError:
        pass
    date = f"a date like {args.date_format or '2024-01-29'}"
    raise UsageError(
        f"{option}: {text!r} is not {'a whole number' if whole else date}, as periods "
        "of the model are"
    )


def limits_of(args, model):
    """Return bounds, group limits, prices and levers for `optimize_budget`."""
    limits = {}
    for name in ("money_bounds", "price_level", "price_elasticity"):
        limits[name] = getattr(args, name)
        option = f"--{name.replace('_', '-')}"
        check_channels(option, limits[name] or {}, model)
    if args.bounds is not None:
        limits["bounds"] = bounds_of(args, model)
    if args.limit is not None:
        limits["constraints"] = [
            (_channels_in(text, model), *ends) for text, *ends in args.limit
        ]
    if args.lever is not None:
        _check_controls(args.lever, model)
        limits["levers"] = {name: Lever(*own) for name, own in args.lever.items()}
    return limits


def _check_controls(names, model):
    """Raise if --lever names a control that the model has not."""
    known = [str(name) for name in model.controls_]
    for name in names:
        if name not in known:
            raise UsageError(
                f"--lever names {name!r}, which is none of the controls "
                f"{', '.join(known) or '(there are none)'}"
            )


def bounds_of(args, model):
    """Return bounds for all channels alike, or by name."""
    general, named = args.bounds
    check_channels("--bounds", named, model)
    for ends in (*named.values(), *([] if general is None else [general])):
        if ends[1] > MOST_MULTIPLE:
            raise UsageError(
                f"--bounds asks for {ends[1]:,.6g} times today's spend; if that is "
                "money, use --money-bounds NAME=LOW:HIGH"
            )
    return named if general is None else {None: general} | named


def _channels_in(text, model):
    """Return the channels of NAME+NAME, where a name may hold a + itself."""
    parts, found = text.split("+"), []
    while parts:
        lengths = range(len(parts), 0, -1)
        known = (n for n in lengths if "+".join(parts[:n]) in model.media_)
        length = next(known, 1)
        found.append("+".join(parts[:length]))
        parts = parts[length:]
    check_channels("--limit", found, model)
    return found


def check_channels(option, names, model):
    """Raise if an option names a channel that the model has not."""
    for name in names:
        if name not in model.media_:
            raise UsageError(
                f"{option} names {name!r}, which is none of the channels "
                f"{', '.join(map(str, model.media_))}."
                + did_you_mean(name, model.media_)
            )


def naming_limits(message, args):
    """Return a message with group limits as they were asked for."""

    def asked(found):
        return f"--limit {args.limit[int(found[1])][0]}"

    return re.sub(r"\bconstraint (\d+)\b", asked, message)


def planned_rows(model, plan, regions):
    """Say which rows a plan is about; `regions` are None for all."""
    where = ""
    if regions is not None:
        n_planned = plan.X[model._columns.region].nunique()
        where = f" in {name_all(list(dict.fromkeys(regions)))}"
        where += f" ({n_planned} of {counted(len(model.regions_), 'region')})"
    if model.time is None:
        return f"Plan of {counted(len(plan.X), 'row')}{where}"
    times = plan.X[model.time]
    n_periods = times.nunique()
    unit = several(model.period_) if n_periods > 1 else "period"
    ends = (str(end).removesuffix(" 00:00:00") for end in (times.min(), times.max()))
    return f"Plan of {n_periods} {unit} from {' to '.join(ends)}{where}"
