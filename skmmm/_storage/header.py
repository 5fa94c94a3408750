"""What JSON holds of a fitted estimator: parameters, columns and calendar."""

from dataclasses import asdict

import numpy as np

from skmmm._data.calendar import Calendar
from skmmm._data.checks import Columns
from skmmm._data.periods import UNITS
from skmmm._data.retail import RetailMonths
from skmmm._storage.archive import check_kinds
from skmmm._storage.plain import plain, restored
from skmmm.graph import NOTEARS, StructuralVAR

_HEADER = {
    "version": str,
    "magic": str,
    "format": int,
    "arrays": dict,
    "parameters": dict,
    "labels": list,
    "columns": dict,
    "places": list,
    "named": bool,
    "calendar": (dict, type(None)),
    "periods": list,
    "index": dict,
    "remarks": list,
    "alarms": list,
    "experiments": (dict, type(None)),
    "model": dict,
}
_LABEL = (str, int)
_OPTIONAL_LABEL = (*_LABEL, type(None))
_COLUMNS = {
    "media": list,
    "controls": list,
    "region": _OPTIONAL_LABEL,
    "time": _OPTIONAL_LABEL,
    "population": _OPTIONAL_LABEL,
}
_CALENDAR = {
    "unit": str,
    "origin": int,
    "step": int,
    "periods_per_year": (int, float, type(None)),
}
# Where periods differ in length.
_MONTHS = {"months": {"weeks": list, "longer": list, "n_known": int}}
# What a parameter may be apart from data; a file names no other class.
_ESTIMATORS = {cls.__name__: cls for cls in (NOTEARS, StructuralVAR)}
_ESTIMATOR = {"class": str, "parameters": dict}


def check_header(header):
    """Raise if a header has not the entries of its format."""
    check_kinds(header, _HEADER, "its header")


def pack_parameters(parameters):
    """Return constructor parameters as data."""
    return {name: _packed(name, value) for name, value in parameters.items()}


def _packed(name, value):
    """Return one parameter as data: an estimator as its class and its parameters."""
    if type(value) not in _ESTIMATORS.values():
        return plain(name, value)
    own = value.get_params(deep=False)
    own = {key: plain(f"{name}__{key}", part) for key, part in own.items()}
    return {"estimator": {"class": type(value).__name__, "parameters": own}}


def unpack_parameters(cls, stored):
    """Return constructor parameters; those that an older file has not are left out."""
    _check_names(cls, stored)
    return {name: _unpacked(name, value) for name, value in stored.items()}


def _unpacked(name, value):
    """Return one parameter from what `_packed` made of it."""
    if not (isinstance(value, dict) and value.keys() == {"estimator"}):
        return restored(value)
    stored = value["estimator"]
    check_kinds(stored, _ESTIMATOR, f"parameters.{name}")
    if stored["class"] not in _ESTIMATORS:
        raise ValueError(
            f"parameters.{name} in its header is of the class {stored['class']!r:.80}, "
            f"which is none of {sorted(_ESTIMATORS)}."
        )
    cls, own = _ESTIMATORS[stored["class"]], stored["parameters"]
    _check_names(cls, own, f"{name}__")
    estimator = cls(**{key: restored(part) for key, part in own.items()})
    estimator._validate_params()
    return estimator


def _check_names(cls, stored, prefix=""):
    for name in sorted(stored.keys() - set(cls._get_param_names())):
        raise ValueError(
            f"this version has no parameter {f'{prefix}{name}'!r:.80}. Upgrade skmmm "
            "to load it."
        )


def pack_columns(labels, columns):
    """Return the columns of X with their roles.

    Parameters
    ----------
    labels : list
        Of all columns, in the order of X.
    columns : Columns
    """
    return {
        "labels": list(labels),
        "columns": asdict(columns),
        # The same once more: what is swapped in one of them only is noticed.
        "places": _places(labels, columns),
    }


def unpack_columns(header):
    """Return labels and `Columns` from what `pack_columns` put into a header.

    Raises
    ------
    ValueError
        If a column has no name, two roles or another position.
    """
    labels, stored = header["labels"], header["columns"]
    check_kinds(labels, list, "labels")
    check_kinds(stored, _COLUMNS, "columns")
    for label in (*labels, *stored["media"], *stored["controls"]):
        check_kinds(label, _LABEL, "labels")
    if header["named"] != all(isinstance(label, str) for label in labels):
        raise ValueError(f"its header says {header['named']} of names of columns.")
    columns = Columns(
        tuple(stored["media"]),
        tuple(stored["controls"]),
        stored["region"],
        stored["time"],
        stored["population"],
    )
    for role in (columns.media, columns.controls):
        if list(role) != sorted(
            role, key=lambda label: (isinstance(label, str), label)
        ):
            raise ValueError(f"its columns {list(role)!r:.80} are not in order.")
    used = _used(columns)
    if len(set(labels)) < len(labels) or len(set(used)) < len(used):
        raise ValueError("its header names a column twice.")
    if not set(used) <= set(labels):
        raise ValueError("its header names a column that X has not.")
    places = _places(labels, columns)
    if header["places"] != places:
        raise ValueError("its columns are not where its header says.")
    return labels, columns


def _used(columns):
    """Return all columns that have a role."""
    single = columns.region, columns.time, columns.population
    others = [label for label in single if label is not None]
    return [*columns.media, *columns.controls, *others]


def _places(labels, columns):
    """Return where each column of X is among those that have a role; -1: none."""
    used = _used(columns)
    return [used.index(label) if label in used else -1 for label in labels]


def pack_calendar(calendar, n_periods):
    """Return a calendar, and the first and last of so many periods in words."""
    if calendar is None:
        return {"calendar": None, "periods": []}
    ends = [calendar.label(0), calendar.label(n_periods - 1)]
    packed = asdict(calendar)
    if calendar.months is None:
        del packed["months"]
    return {"calendar": packed, "periods": ends}


def unpack_calendar(header, n_periods):
    """Rebuild the calendar of so many training periods, None if there is none."""
    stored = header["calendar"]
    if stored is None:
        return None
    retail = stored.get("unit") == "retail month"
    check_kinds(stored, _CALENDAR | (_MONTHS if retail else {}), "calendar")
    calendar = Calendar(**stored | _unpack_months(stored))
    year, step = calendar.periods_per_year, calendar.step
    unit = UNITS.get(calendar.unit)
    if unit is None or (calendar.unit != "integer" and unit.step != step):
        raise ValueError(f"its calendar has {calendar.unit!r:.80} of length {step}.")
    if not 0 < step < 2**31 or not (year is None or 1 < year < np.inf):
        raise ValueError(f"its calendar has steps of {step} and {year} in a year.")
    try:
        values = [calendar.value(0), calendar.value(n_periods - 1)]
        ends = [calendar.label(0), calendar.label(n_periods - 1)]
    except (OverflowError, ValueError) as error:
        raise ValueError(f"its calendar starts at no date: {error}.") from error
    if calendar.unit == "integer" and max(map(abs, values)) >= 2**62:
        raise ValueError(f"its calendar starts at {values[0]}.")
    if header["periods"] != ends:
        raise ValueError(f"its calendar is not that of its periods, {ends}.")
    return calendar


def _unpack_months(stored):
    """Rebuild the months of a retail calendar, if it has them."""
    if "months" not in stored:
        return {}
    months = stored["months"]
    weeks, longer = tuple(months["weeks"]), tuple(months["longer"])
    numbers = [*weeks, *longer, months["n_known"]]
    whole = all(type(n) is int and 0 <= n < 2**31 for n in numbers)
    if not whole or sorted(weeks) != [4, 4, 5] or list(longer) != sorted(set(longer)):
        raise ValueError(f"its calendar has months of {weeks} weeks, {longer} longer.")
    return {"months": RetailMonths(weeks, longer, months["n_known"])}


def unpack_regions(arrays, columns):
    """Return the names of the regions, which are in order."""
    regions = arrays.take_any("regions")
    if not len(regions) or not np.array_equal(np.unique(regions), regions):
        raise ValueError("array 'regions' is not in order, or names a region twice.")
    if columns.region is None and regions.tolist() != ["all"]:
        raise ValueError("it has several regions, but no column for them.")
    return regions
