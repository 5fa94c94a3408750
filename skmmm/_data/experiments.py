"""Experiments that the user reports: read, checked, and placed on the grid."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from skmmm._data.checks import as_frame, did_you_mean, plain_label

MEASURES = ("outcome", "roi", "mroi", "cost_per_outcome")
OBSERVED = ("treated", "control")
_REQUIRED = ("media", "start", "end", "estimate", "std_error")
_DEFAULTS = {
    "regions": None,
    "change": np.nan,
    "spend_change": np.nan,
    "measure": "outcome",
    "cooldown": 0,
    "bias_sd": 0.0,
    "observed": "control",
    "spend": np.nan,
    "shared_error": None,
    "correlation": 0.5,
    "note": None,  # of the user, not read
}
NUMBERS = ("estimate", "std_error", "bias_sd", "change", "spend_change", "spend")
_OTHER_MARKS = (";", "\t", "|")  # between cells of files that are not read
CONFLICT = 2.0  # standard deviations from which a measurement contradicts a model
_MOST_TIMES = 10.0  # spend: a larger factor is probably in percent
_SEPARATOR = ";"  # between several channels or regions in one cell of a file


@dataclass(frozen=True, eq=False)
class Experiment:
    """One measurement of what a change of spend brought.

    Attributes
    ----------
    name : str
        Of the row, for messages.
    channels : list of int
        Positions in the model.
    regions : ndarray of shape (n,), int
    start, stop : int
        First period, and the one after the last, of the change; ordinals.
    cooldown : int
        Periods after that in which the KPI counts, too.
    change : float
        Factor on spend; NaN if `spend_change` says it.
    spend_change : float
        Money of all periods and regions together, treated less control.
    estimate, std_error, bias_sd : float
        In the units of the measure.
    measure : one of `MEASURES`
    treated : bool
        Whether X shows the spend with the change.
    spend : float
        Money per window where X shows none; NaN otherwise.
    shared_error : str or None
        Rows with the same one have correlated errors.
    correlation : float
    """

    name: str
    channels: list
    regions: np.ndarray
    start: int
    stop: int
    cooldown: int
    change: float
    spend_change: float
    estimate: float
    std_error: float
    bias_sd: float
    measure: str
    treated: bool
    spend: float
    shared_error: str | None
    correlation: float


def read_experiments(experiments, *, media, regions, calendar, grid_length=None):
    """Return the experiments of a table, in its order.

    Parameters
    ----------
    experiments : DataFrame or path of a CSV file
        As the parameter of the regressor.
    media : list
        Labels of the media columns, in the order of the model.
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    grid_length : int or None
        Training periods. None: windows may lie anywhere.

    Returns
    -------
    experiments : list of Experiment

    Raises
    ------
    ValueError
        If a row cannot be understood; it is named, with what to do.
    """
    if calendar is None:
        raise ValueError(
            "experiments have a start and an end, but there is no time column. Name it "
            "with the parameter time."
        )
    table = experiment_frame(experiments)
    found = read_rows(table, media, regions, calendar, grid_length)
    _check_no_duplicates(found)
    return found


def with_regions_of(experiments, regions):
    """Return regions, and after them those that only a table of experiments names."""
    known = regions.tolist()
    for cell in _completed(experiment_frame(experiments))["regions"]:
        labels = [] if is_empty(cell) else _several(cell, known)
        places = _positions(labels, known)
        known += [one for one, place in zip(labels, places, strict=True) if place < 0]
    return np.array(known, dtype=object)


def check_row(table):
    """Raise if a table of one row cannot be understood whatever X it is about."""
    ((_, row),) = _completed(table).iterrows()
    numbers = {column: _number("The row", column, row[column]) for column in NUMBERS}
    _check_numbers("The row", numbers)
    _cooldown("The row", row["cooldown"])
    measure = _one_of("The row", "measure", row["measure"], MEASURES)
    observed = _one_of("The row", "observed", row["observed"], OBSERVED)
    _check_change("The row", numbers, measure, observed)


def read_rows(table, media, regions, calendar, grid_length):
    """Return the rows of a DataFrame as a list of `Experiment`."""
    return [
        _experiment(_namer(position, label), row, media, regions, calendar, grid_length)
        for position, (label, row) in enumerate(_completed(table).iterrows())
    ]


def experiment_frame(experiments):
    """Return the table; of a file, columns of text and numbers as they are."""
    if not isinstance(experiments, str | PathLike):
        return as_frame(experiments)
    text = {"media": str, "regions": str}
    try:
        # "NA" may be a region.
        table = pd.read_csv(
            experiments, dtype=text, keep_default_na=False, na_values=[""]
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no file {str(experiments)!r}, which experiments names. A "
            f"relative path starts at {Path.cwd()}."
        ) from error
    (header, *others) = table.columns
    found = [mark for mark in _OTHER_MARKS if mark in header]
    if found and not others:
        raise ValueError(
            f"{str(experiments)!r} holds a single column, {header[:60]!r}, as if "
            f"{found[0]!r} stood between its cells. Read it yourself: "
            f"experiments=pd.read_csv({str(experiments)!r}, sep={found[0]!r}), with "
            "decimal=',' if its numbers have a comma."
        )
    return table


def _completed(table):
    """Return the table with all columns, in the house's order."""
    missing = [column for column in _REQUIRED if column not in table]
    if missing:
        raise ValueError(
            f"experiments has no column {missing[0]!r}. It needs {list(_REQUIRED)}, "
            "and change or spend_change."
        )
    unknown = [c for c in table if c not in (*_REQUIRED, *_DEFAULTS)]
    if unknown:
        raise ValueError(
            f"experiments has a column {unknown[0]!r} that is none of "
            f"{[*_REQUIRED, *_DEFAULTS]}. Drop or rename it."
            f"{did_you_mean(unknown[0], [*_REQUIRED, *_DEFAULTS])}"
        )
    if not len(table):
        raise ValueError("experiments has no rows. Use None for no experiment.")
    full = pd.DataFrame(index=table.index)
    for column in (*_REQUIRED, *_DEFAULTS):
        default = _DEFAULTS.get(column)
        cells = table[column] if column in table else [None] * len(table)
        full[column] = pd.Series(
            [default if is_empty(cell) else cell for cell in cells],
            index=table.index,
            dtype=object,
        )
    return full


def is_empty(cell):
    """Return whether a cell of a table says nothing."""
    return pd.api.types.is_scalar(cell) and bool(pd.isna(cell))


def _namer(position, label):
    """Return how messages call a row."""
    said = "" if label == position else f" (index {plain_label(label)!r})"
    return f"experiment {position}{said}"


def _experiment(name, row, media, regions, calendar, grid_length):
    """Return one row as an `Experiment`."""
    numbers = {column: _number(name, column, row[column]) for column in NUMBERS}
    _check_numbers(name, numbers)
    start, stop = _window(name, row, calendar)
    cooldown = _cooldown(name, row["cooldown"])
    measure = _one_of(name, "measure", row["measure"], MEASURES)
    observed = _one_of(name, "observed", row["observed"], OBSERVED)
    _check_change(name, numbers, measure, observed)
    if grid_length is not None:
        last = stop + cooldown - 1
        if start >= 0 and last < grid_length:  # X shows what was spent
            numbers["spend"] = np.nan
        elif np.isnan(numbers["spend"]):
            raise ValueError(
                f"{name} runs from {calendar.label(start)} to {calendar.label(last)}, "
                "with cooldown, which is not inside the training rows "
                f"({calendar.label(0)} to {calendar.label(grid_length - 1)}). Say what "
                "was spent in the column spend, or leave the row out."
            )
    return Experiment(
        name=name,
        channels=_channels(name, row["media"], media),
        regions=_regions(name, row["regions"], regions),
        start=start,
        stop=stop,
        cooldown=cooldown,
        measure=measure,
        treated=observed == "treated",
        shared_error=_label(row["shared_error"]),
        correlation=_correlation(name, row["correlation"]),
        **numbers,
    )


def _number(name, column, value):
    """Return a number, NaN where the cell is empty."""
    if is_empty(value):
        return np.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.inf
    if not np.isfinite(number) or isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} has {value!r} as its {column}. Write a number.")
    return number


def _check_numbers(name, numbers):
    """Raise if estimate, error or spend cannot be."""
    for column in ("estimate", "std_error", "bias_sd"):
        if np.isnan(numbers[column]):
            raise ValueError(
                f"{name} has no {column}. Fill it in or leave the row out."
            )
    if numbers["std_error"] <= 0:
        raise ValueError(
            f"{name} has a std_error of {numbers['std_error']:g}. It has to be above "
            "zero: half the width of a 90 % interval over 1.645."
        )
    if numbers["std_error"] < 1e-6 * abs(numbers["estimate"]):
        raise ValueError(
            f"{name} has a std_error of {numbers['std_error']:g}, less than a "
            "millionth of its estimate. Check the units of both."
        )
    if numbers["bias_sd"] < 0:
        raise ValueError(f"{name} has a bias_sd below zero ({numbers['bias_sd']:g}).")
    if numbers["spend"] <= 0:
        raise ValueError(f"{name} has a spend of {numbers['spend']:g}, not above zero.")


def _check_change(name, numbers, measure, observed):
    """Raise unless the change of spend is said exactly once, and is one."""
    change, money = numbers["change"], numbers["spend_change"]
    n_said = int(np.isfinite([change, money]).sum())
    if measure == "mroi":
        if n_said:
            raise ValueError(
                f"{name} measures mroi, the return on the next unit of money, which "
                "has no size of a change. Leave change and spend_change empty, or use "
                "measure 'roi' for the return on all that was changed."
            )
        return
    if n_said != 1:
        both = "both change and" if n_said else "neither change nor"
        raise ValueError(
            f"{name} has {both} spend_change. Say once how spend was changed: as a "
            "factor (0 = off, 1.3 = 30 % more) or in money."
        )
    if change == 1.0 or money == 0.0:
        raise ValueError(
            f"{name} changes nothing ({'change of 1' if change == 1.0 else 'no money'})"
            ". Use 0 for a channel that went dark, 1.3 for 30 % more."
        )
    if change > _MOST_TIMES:
        raise ValueError(
            f"{name} has a change of {change:g}, which is that many times the spend. "
            "Write 1.3 for 30 % more; if it is meant, say the money in spend_change."
        )
    if change < 0.0:
        raise ValueError(f"{name} has a change of {change:g}, a factor below zero.")
    if change == 0.0 and observed == "treated":
        raise ValueError(
            f"{name} went dark, and X shows no spend in its window: what would have "
            "been spent is not known. Say it in spend_change (money, below zero) "
            "instead of change."
        )
    if measure == "cost_per_outcome" and numbers["estimate"] == 0.0:
        raise ValueError(f"{name} has a cost_per_outcome of 0, which is no cost.")


def _window(name, row, calendar):
    """Return the first period of the change and the one after its last."""
    bounds = []
    for column in ("start", "end"):
        try:
            read = calendar.ordinals if column == "start" else calendar.period_of
            bounds.append(int(read(pd.Series([row[column]]), column)[0]))
        except ValueError as error:
            said = str(error).replace("The time column", "the column")
            said = said.replace(" in row 0", "")
            raise ValueError(f"{name}: {said}") from None
    if bounds[1] < bounds[0]:
        raise ValueError(
            f"{name} ends ({row['end']}) before it starts ({row['start']})."
        )
    return bounds[0], bounds[1] + 1


def _cooldown(name, value):
    """Return a number of periods."""
    number = _number(name, "cooldown", value)
    if not (number >= 0 and number == int(number)):
        raise ValueError(
            f"{name} has a cooldown of {value!r}. Write a number of periods, 0 or more."
        )
    return int(number)


def _correlation(name, value):
    number = _number(name, "correlation", value)
    if not 0.0 <= number < 1.0:
        raise ValueError(
            f"{name} has a correlation of {value!r}, not from 0 to below 1."
        )
    return number


def _one_of(name, column, value, options):
    if value not in options:
        raise ValueError(
            f"{name} has {value!r} as its {column}. Use one of {', '.join(options)}."
        )
    return value


def _label(value):
    return None if value is None or pd.isna(value) else str(value)


def _several(value, known):
    """Return the labels that a cell names: one, several, or text from a file."""
    if isinstance(value, str) and value not in known and _SEPARATOR in value:
        return [part.strip() for part in value.split(_SEPARATOR)]
    return list(value) if pd.api.types.is_list_like(value) else [value]


def _positions(labels, known):
    """Return where labels are in `known`, -1 if nowhere; in files all are text."""
    places = {_plain(label): i for i, label in enumerate(known)}
    return [places.get(_plain(label), -1) for label in labels]


def _plain(label):
    """Return a label as text; a whole number that an empty cell made a float, too."""
    if isinstance(label, float | np.floating) and float(label).is_integer():
        label = int(label)
    return str(plain_label(label))


def _channels(name, value, media):
    """Return the positions of the channels whose spend changed."""
    labels = _several(value, media)
    found = _positions(labels, media)
    if -1 in found or not found:
        unknown = labels[found.index(-1)] if found else value
        raise ValueError(
            f"{name} names {unknown!r} as its media, which is none of the media "
            f"columns {[plain_label(label) for label in media]}."
            f"{did_you_mean(unknown, media)}"
        )
    if len(set(found)) < len(found):
        raise ValueError(f"{name} names a channel twice: {labels}.")
    return found


def _regions(name, value, regions):
    """Return the positions of the regions whose spend changed; all of them for None."""
    if is_empty(value):
        return np.arange(len(regions))
    labels = _several(value, regions.tolist())
    found = _positions(labels, regions)
    if -1 in found or not found:
        unknown = plain_label(labels[found.index(-1)]) if found else value
        raise ValueError(
            f"{name} names the region {unknown!r}, which has no training rows. There "
            f"are {len(regions)}, {plain_label(regions[0])!r} first."
            f"{did_you_mean(unknown, regions)}"
        )
    if len(set(found)) < len(found):
        raise ValueError(f"{name} names a region twice: {labels}.")
    return np.sort(found)


def _check_no_duplicates(experiments):
    """Raise if two rows report the same measurement."""
    seen: dict[tuple, str] = {}
    for one in experiments:
        key = (*sorted(one.channels), *one.regions, one.start, one.stop, one.cooldown)
        # As text, in which two that are not a number are the same.
        key = (key, repr((one.measure, one.estimate, one.change, one.spend_change)))
        if key in seen:
            raise ValueError(
                f"{one.name} repeats {seen[key]}: it would count twice. Leave one out."
            )
        seen[key] = one.name
