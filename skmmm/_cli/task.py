"""A table, and which role each of its columns has."""

import re
import shlex
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd

from skmmm._cli.experiments import read_tests
from skmmm._cli.tables import (
    Notation,
    as_text,
    count_empty,
    holds_text,
    read_labels,
    read_numbers,
    read_numbers_or_missing,
    read_table,
    read_times,
)
from skmmm._cli.values import TOTAL_ONLY, UsageError, costs_by_channel
from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import closest, region_values
from skmmm._data.periods import several
from skmmm._data.tables import row_namer
from skmmm._utils.labels import counted
from skmmm.datasets import load_mmm_example
from skmmm.plotting._style import shorten

_MOST_VALUES = 20  # of a control that holds text


@dataclass(frozen=True, eq=False)
class Task:
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
    notes : list of str
        What was done to the table.
    truth : DataFrame of shape (n_rows, n_media) or None
        What every channel really caused, where that is known.
    media_cost : float, dict of str to float or str, or None
        Cost of one unit of the media columns, or the column of X with the money.
    population : str or None
        Column with the size of the region.
    experiments : DataFrame or None
        Lift tests.
    frequency : dict of str to str or None
        Column with the frequency of each channel that is reach.
    brand : list of str or None
        Channels with a slow stock.
    pairs : list of (str, str) or None
        Channels that may cause something together.
    """

    source: str
    X: pd.DataFrame
    y: pd.Series
    media: list
    controls: list
    region: str | None
    time: str
    notes: tuple = ()
    truth: pd.DataFrame | None = None
    media_cost: float | dict | None = None
    population: str | None = None
    experiments: pd.DataFrame | None = None
    frequency: dict | None = None
    brand: list | None = None
    pairs: list | None = None

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
        region = None
        if self.region is not None:
            region = region_values(self.X, self.region)
        calendar = infer_calendar(self.X[self.time], self.time, region)
        return calendar, np.unique(calendar.ordinals(self.X[self.time], self.time))


def demo_task(media_cost=1.0):
    """Return the bundled example, whose channels are euros, with its truth."""
    data = load_mmm_example()
    if isinstance(media_cost, dict):
        media_cost = costs_by_channel(media_cost, data.media)
    return Task(
        "bundled example",
        data.X,
        data.y,
        data.media,
        data.controls,
        "region",
        "week",
        truth=data.contributions[data.media],
        media_cost=media_cost,
    )


def read_task(args):
    """Read the table and give every column its role."""
    if args.time is None:
        raise UsageError(
            "--time is needed: the command line forecasts and draws over time (in "
            "Python, DeepCausalMMMRegressor(time=None) takes rows without an order)"
        )
    frame = read_table(args.data, args.sep)
    named = [args.kpi, args.time, *args.controls]
    named += [name for name in (args.region, args.population) if name is not None]
    if args.media is None:
        _check_columns(frame, named, args.data)
        raise UsageError(_ask_for_media(frame, named, args.data))
    spend, heard = _spend_columns(args), [*(args.frequency or {}).values()]
    beside = [*spend.values(), *heard]
    _check_columns(frame, [*named, *args.media, *beside], args.data)
    _check_names(args)
    _check_filled(args, [args.kpi, *args.media, *args.controls, *beside])
    notation = notation_of(args)
    keys, where = _read_keys(frame, args.region, args.time, notation)
    _check_once(keys, args, where)
    columns: dict[str, pd.Series] = {}
    notes = []
    for name in args.media:
        columns[name] = _read_channel(frame[name], name, notation, where)
    for name in args.controls:
        made, note = _read_control(frame, name, notation, where)
        columns |= made
        notes += note
    controls = [name for name in columns if name not in args.media]
    if args.population is not None:
        heads = read_numbers(frame[args.population], args.population, notation, where)
        columns[args.population] = heads
    y = read_numbers(frame[args.kpi], args.kpi, notation, where)
    cost, said = _read_cost(args, frame, columns, spend, notation, where)
    if isinstance(cost, dict):  # money that stays beside delivery
        paid = [name for name in cost.values() if isinstance(name, str)]
        columns |= {n: read_numbers(frame[n], n, notation, where) for n in paid}
    columns |= {n: _read_frequency(frame[n], n, notation, where) for n in heard}
    used = [*named, *args.media, *beside]
    if unused := [name for name in frame if name not in used]:
        notes.append(f"not used: {name_all(unused)}")
    task = Task(
        args.data,
        keys.assign(**columns),
        y,
        args.media,
        controls,
        args.region,
        args.time,
        (*_filled(frame, notation), *said, *notes),
        media_cost=cost,
        population=args.population,
        frequency=args.frequency,
        brand=args.brand,
        pairs=_read_pairs(args),
    )
    if args.experiments is None:
        return task
    tests = read_tests(args.experiments, task, args.sep, notation)
    return replace(task, experiments=tests)


def notation_of(args):
    """Return how the cells of a table are written."""
    return Notation(
        args.decimal, args.thousands, args.date_format, tuple(args.fill_zero)
    )


def read_rows(args, model, more=()):
    """Read the table that a fitted model is to see.

    `more` are further columns of numbers.

    Returns
    -------
    X : DataFrame
        The columns of the model.
    y : Series or None
        Its KPI, where `args.kpi` names it.
    """
    if not hasattr(model, "feature_names_in_"):
        raise ValueError(
            "the model was fitted on columns without names; use it in Python"
        )
    frame = read_table(args.data, args.sep)
    kpi, paid = getattr(args, "kpi", None), [*model._money_columns.values()]
    all_names = list(model.feature_names_in_)
    heard = [*model._frequency_columns.values()]
    read = (*model.media_, *model.controls_, *paid, *heard)
    names = [name for name in all_names if name in frame or name not in paid]
    if kpi not in read:  # a table with the KPI may have been fitted as it was
        names = [name for name in names if name != kpi]
    of_text = [name for name in names if name not in frame and values_of(name)]
    texts = dict.fromkeys(values_of(name)[0] for name in of_text)
    plain = [name for name in names if name not in of_text]
    more = [name for name in more if name not in plain]
    known = [*plain, *texts, *more, *([] if kpi is None else [kpi])]
    _check_columns(frame, known, args.data)
    notation = notation_of(args)
    region, time = (
        all_names[key] if isinstance(key, int) else key
        for key in (model.region, model.time)
    )
    keys, where = _read_keys(frame, region, time, notation)
    if region is not None and model.regions_.dtype.kind in "iuf":
        keys[region] = read_numbers(frame[region], region, notation, where)
    columns: dict[str, pd.Series] = {}
    for name in texts:
        columns |= _known_text(frame[name], name, of_text, where)
    numbers = [*(name for name in plain if name in read), *more]
    _check_filled(args, numbers if kpi is None else [*numbers, kpi])
    for name in (*plain, *more):
        if name in heard:
            columns[name] = _read_frequency(frame[name], name, notation, where)
        elif name in numbers:
            columns[name] = read_numbers(frame[name], name, notation, where)
        elif name not in keys:  # the model does not use it
            columns[name] = frame[name]
    y = None if kpi is None else read_numbers(frame[kpi], kpi, notation, where)
    return keys.assign(**columns)[[*names, *more]], y


def _read_keys(frame, region, time, notation):
    """Return region and time of every row, and a function that says which row it is."""
    keys = {}
    if region is not None:
        keys[region] = read_labels(frame[region], region)
    if time is not None:
        keys[time] = read_times(frame[time], time, notation)
    keys = pd.DataFrame(keys, index=frame.index)
    return keys, row_namer(keys, region, time)


def _check_once(keys, args, where):
    """Raise if two rows are about the same region and period."""
    again = np.flatnonzero(keys.duplicated())
    if len(again):
        hint = (
            "" if args.region else "name the column of their region with --region, or "
        )
        raise ValueError(
            f"two rows are about {where(again[0])}; {hint}aggregate them to one row"
        )


def _check_columns(frame, names, source):
    """Raise if a column is not there, or is named twice."""
    for name in names:
        if name not in frame:
            raise UsageError(f"{source} has no column {name!r}; {_hint(name, frame)}")
        if names.count(name) > 1:
            raise UsageError(f"the column {name!r} is named twice; give it one role")


def _hint(name, frame):
    """Return what may have been meant by a column that is not there."""
    parts = [part for part in map(str.strip, name.split(",")) if part]
    if len(parts) > 1 and any(part in frame for part in parts):
        return f"separate names by spaces: {shlex.join(parts)}"
    close = closest(name, frame)
    if close:
        return f"did you mean {close!r}?"
    return f"it has {', '.join(frame.columns[:20])}"


def _ask_for_media(frame, named, source):
    """Say which columns could be channels."""
    rest = [name for name in frame if name not in named]
    return (
        "--media is needed: which columns are channels, with their spend or delivery? "
        f"Apart from those named, {source} has {name_all(rest)}. For example: --media "
        f"{' '.join(rest[:2])}"
    )


def _spend_columns(args):
    """Return the columns that hold the spend of channels, by channel."""
    costs = args.media_cost if isinstance(args.media_cost, dict) else {}
    return {
        name: cost.removeprefix(TOTAL_ONLY)
        for name, cost in costs.items()
        if isinstance(cost, str)
    }


def _read_pairs(args):
    """Return the channels of each NAME:NAME, None without any."""
    if args.synergy is None:
        return None
    return [_split_pair(text, args.media) for text in args.synergy]


def _split_pair(text, media):
    """Return the two channels of a text, where a name may hold a : itself."""
    parts = text.split(":")
    ways = [(":".join(parts[:n]), ":".join(parts[n:])) for n in range(1, len(parts))]
    return next((pair for pair in ways if {*pair} <= {*media}), ways[0])


def _check_names(args):
    """Raise if an option names a channel that is none."""
    costs = args.media_cost if isinstance(args.media_cost, dict) else {}
    for option, names in (
        ("--media-cost", costs),
        ("--prior", args.prior or {}),
        ("--frequency", args.frequency or {}),
        ("--brand", args.brand or ()),
        ("--synergy", chain.from_iterable(_read_pairs(args) or ())),
    ):
        for name in names:
            if name is not None and name not in args.media:
                close = closest(name, args.media)
                hint = "" if close is None else f"; did you mean {close!r}?"
                raise UsageError(
                    f"{option} names {name!r}, which is not in --media{hint}"
                )


def _check_filled(args, numbers):
    """Raise if --fill-zero names a column that does not hold numbers."""
    for name in args.fill_zero:
        if name not in numbers:
            raise UsageError(
                f"--fill-zero names {name!r}, which is no KPI, media, control, "
                "spend or frequency"
            )


def _read_channel(column, name, notation, where):
    if holds_text(column, notation):
        first = as_text(column).str.strip()
        first = first[first != ""].iloc[0]
        raise ValueError(
            f"the channel {name!r} holds text, such as {first!r}; a channel is spend "
            "or delivery, text such as names of events belongs in --controls"
        )
    return read_numbers(column, name, notation, where)


def _read_frequency(column, name, notation, where):
    """Return a column that may be empty where nobody was reached: the model checks."""
    if name in notation.fill_zero:
        return read_numbers(column, name, notation, where)
    return read_numbers_or_missing(column, name, notation, where)


def _read_cost(args, frame, columns, spend, notation, where):
    """Return the cost of a unit, by channel where it differs, and what to say of it."""
    if not isinstance(args.media_cost, dict):
        return args.media_cost, []
    costs, said = costs_by_channel(args.media_cost, args.media), []
    for channel, name in spend.items():
        if costs[channel] == name:
            said.append(f"the money of {channel} is {name}, row by row")
            continue
        paid = read_numbers(frame[name], name, notation, where)
        if (paid < 0).any():
            raise ValueError(
                f"the spend {name!r} is negative at {where(int(np.argmax(paid < 0)))}"
            )
        money, units = float(paid.sum()), float(columns[channel].sum())
        if money <= 0 or units <= 0:
            empty = name if money <= 0 else channel
            raise ValueError(
                f"the column {empty!r} has no total, so a unit of {channel!r} has no "
                "cost; give the cost as a number"
            )
        costs[channel] = money / units
        said.append(
            f"a unit of {channel} costs {costs[channel]:.6g}: total {name} / total "
            f"{channel} over the {len(frame):,} rows"
        )
    return costs, said


def _filled(frame, notation):
    """Say how many empty cells are taken as 0."""
    counts = {name: count_empty(frame[name]) for name in notation.fill_zero}
    return [
        f"{counted(n, 'empty cell')} of {name} taken as 0" for name, n in counts.items()
    ]


def _read_control(frame, name, notation, where):
    """Return the columns that a control becomes, and what to say of it.

    Text becomes a 0/1 column for each value but the commonest.
    """
    if not holds_text(frame[name], notation):
        return {name: read_numbers(frame[name], name, notation, where)}, []
    text = _complete_text(frame[name], name, where)
    counts = text.value_counts()
    usual, *others = sorted(counts.index, key=lambda value: (-counts[value], value))
    if len(others) >= _MOST_VALUES:
        raise ValueError(
            f"the control {name!r} holds text with {len(others) + 1} different "
            f"values, more than {_MOST_VALUES}; turn what matters into columns of "
            "numbers"
        )
    made = {}
    for value in sorted(others):
        for taken in (label_of(name, value, usual), f"{name}: {value}"):
            if taken in frame:
                raise ValueError(
                    f"the value {value!r} of the control {name!r} becomes a column "
                    f"like {taken!r}, which the table has already; rename one"
                )
        label = label_of(name, value, usual)
        if values_of(label) != (name, value, usual):
            raise ValueError(
                f"the text {value!r} or {usual!r} of the control {name!r} looks like "
                "names of our own, 'event: fair (not none)'; rename it"
            )
        made[label] = (text == value).astype("float64")
    note = f"{name} holds text: a 0/1 column for each of {', '.join(sorted(others))}"
    return made, [f"{note}, none for {usual}"]


def label_of(control, value, usual):
    """Return the name of the 0/1 column of a text value."""
    return f"{control}: {value} (not {usual})"


def values_of(label):
    """Return control, value and commonest value of a 0/1 column, None if it is none."""
    found = re.fullmatch(r"(.+?): (.+) \(not (.+)\)", label, flags=re.DOTALL)
    return None if found is None else found.groups()


def _complete_text(column, name, where):
    """Return the text of a control, or raise if some is missing."""
    text = as_text(column).str.strip()
    missing = np.flatnonzero(text == "")
    if len(missing):
        raise ValueError(
            f"the control {name!r} holds text and is empty at {where(missing[0])}; "
            "write a word there, such as none"
        )
    return text


def _known_text(column, name, labels, where):
    """Return the 0/1 columns of a control as they were made for the fit."""
    made = {label: values_of(label) for label in labels}
    made = {label: own for label, own in made.items() if own[0] == name}
    text = _complete_text(column, name, where)
    usual = {own[2] for own in made.values()}
    known = sorted(usual | {own[1] for own in made.values()})
    new = np.flatnonzero(~text.isin(known))
    if len(new):
        value = text.iloc[new[0]]
        close = closest(value, known)
        hint = f"did you mean {close!r}? The" if close else "the"
        raise ValueError(
            f"the control {name!r} has {value!r} at {where(new[0])}, which the fit has "
            f"not seen; {hint} model knows {name_all(known)}"
        )
    return {label: (text == own[1]).astype("float64") for label, own in made.items()}


def describe(task):
    """Say what was read."""
    calendar, periods = task.calendar()
    unit = several(calendar.unit)
    first, last = calendar.label(periods[0]), calendar.label(periods[-1])
    regions = "" if task.region is None else f", {counted(task.n_regions, 'region')}"
    lines = [
        f"Data      {task.source}: {counted(len(task.X), 'row')}{regions}, "
        f"{len(periods)} {unit} from {first} to {last}"
    ]
    missing = task.n_regions * len(periods) - len(task.X)
    if missing > 0:
        lines.append(f"          {counted(missing, 'row')} missing (region and period)")
    lines.append(f"KPI       {task.y.name}")
    lines.append(f"Media     {name_all(task.media)}")
    lines.append(f"Controls  {name_all(task.controls)}")
    for channel, name in (task.frequency or {}).items():
        lines.append(f"Reach     {channel}, seen as often as {name} says")
    if task.brand:
        lines.append(f"Brand     {name_all(task.brand)}")
    if task.pairs:
        named = [" and ".join(pair) for pair in task.pairs]
        lines.append(f"Pairs     {name_all(named)}")
    if task.experiments is not None:
        media = task.experiments["media"]
        tested = [one if isinstance(one, str) else ";".join(one) for one in media]
        lines.append(f"Tests     {len(media)}, of {name_all(dict.fromkeys(tested))}")
    lines += [f"Note      {note}" for note in task.notes]
    return "\n".join(lines)


def name_all(names):
    """Return names in a line, as far as it is long."""
    text = ", ".join(shorten(names, 30)) or "none"
    return text if len(text) <= 300 else f"{len(names)} columns: {text[:280]}…"
