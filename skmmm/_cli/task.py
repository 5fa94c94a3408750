"""A table, and which role each of its columns has."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skmmm._calendar import infer_calendar
from skmmm._checks import region_values
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
    truth : Series or None
        What every channel really caused, where that is known.
    """

    source: str
    X: pd.DataFrame
    y: pd.Series
    media: list
    controls: list
    region: str | None
    time: str
    notes: tuple = ()
    truth: pd.Series | None = None

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


def demo_task():
    """Return the bundled example with its truth."""
    data = load_mmm_example()
    return Task(
        "bundled example",
        data.X,
        data.y,
        data.media,
        data.controls,
        "region",
        "week",
        truth=data.contributions[data.media].sum(),
    )


def read_task(args):
    """Read the table and give every column its role."""
    frame = read_table(Path(args.data))
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
    frame, controls, notes = _without_text(frame, args.controls)
    _check_no_text(frame, media)
    keys = [name for name in (args.region, args.time) if name is not None]
    return Task(
        args.data,
        frame[[*keys, *media, *controls]],
        frame[args.kpi],
        media,
        controls,
        args.region,
        args.time,
        notes,
    )


def read_rows(args, model):
    """Read the table that a fitted model is to see.

    Returns
    -------
    X : DataFrame
        The columns of the model.
    y : Series or None
        Its KPI, where `args.kpi` names it.
    """
    frame = read_table(Path(args.data))
    for name in model.feature_names_in_:
        # What `_without_text` made of a control when the model was fitted.
        column, _, value = name.partition(": ")
        if name not in frame and column in frame:
            frame[name] = (frame[column].astype(str) == value).astype(float)
    kpi = getattr(args, "kpi", None)
    _check_columns(
        frame, [*model.feature_names_in_, *([kpi] if kpi else [])], args.data
    )
    return frame[list(model.feature_names_in_)], None if kpi is None else frame[kpi]


def read_table(path):
    """Return the table of a file."""
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


def _is_text(column):
    return not (
        pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    )


def _without_text(frame, controls):
    """Turn controls that hold text into 0/1 columns, one per value but the commonest.

    Returns
    -------
    frame : DataFrame
    controls : list of str
    notes : tuple of str
    """
    numeric, notes = [], []
    for name in controls:
        column = frame[name]
        if not _is_text(column):
            numeric.append(name)
            continue
        missing = np.flatnonzero(column.isna())
        if len(missing):
            raise ValueError(
                f"the control {name!r} holds text and is missing in row {missing[0]}; "
                "write a word there, such as none"
            )
        usual, *others = column.astype(str).value_counts().index
        if len(others) >= _MOST_VALUES:
            raise ValueError(
                f"the control {name!r} holds text with {len(others) + 1} different "
                f"values, more than {_MOST_VALUES}; turn what matters into columns of "
                "numbers"
            )
        made = {f"{name}: {v}": (column.astype(str) == v) for v in sorted(others)}
        frame = frame.assign(**{key: flag.astype(float) for key, flag in made.items()})
        numeric += list(made)
        notes.append(
            f"{name} holds text: a 0/1 column for each of {', '.join(sorted(others))}, "
            f"none for {usual}"
        )
    return frame, numeric, tuple(notes)


def _check_no_text(frame, media):
    """Raise if a channel holds text, and say what to do."""
    for name in media:
        if _is_text(frame[name]):
            raise ValueError(
                f"the column {name!r} holds text, so it is no media; name it in "
                "--controls, or name the channels with --media"
            )


def describe(task):
    """Say what was read."""
    calendar, periods = task.calendar()
    unit = plural(calendar.unit)
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
    lines.append(f"Media     {name_all(task.media)}")
    lines.append(f"Controls  {name_all(task.controls)}")
    lines += [f"Note      {note}" for note in task.notes]
    return "\n".join(lines)


def plural(unit):
    """Return the word for several periods."""
    return "periods" if unit == "integer" else f"{unit}s"


def name_all(names):
    """Return names in a line, as far as it is long."""
    text = ", ".join(shorten(names, 30)) or "none"
    return text if len(text) <= 300 else f"{len(names)} columns: {text[:280]}…"
