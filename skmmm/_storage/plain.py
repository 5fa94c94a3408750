"""Parameters and labels as JSON can hold them, and back."""

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Set
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd


def plain(name, value):
    """Return a value as JSON can hold it.

    Numbers of numpy become those of Python, sets, arrays and indexes become lists.
    Tables and timestamps are tables and timestamps again when they are restored.

    Parameters
    ----------
    name : str
        What it is, for messages.
    value : object

    Raises
    ------
    ValueError
        If it is a callable, a random generator or another object that is no data.
    """
    for kind, pack in _PACK:
        if isinstance(value, kind):
            return pack(name, value)
    return _refused(name, value)


def _refused(name, value):
    raise ValueError(
        f"{name}={value!r} cannot be saved as data. Use names, positions or numbers, "
        "or pickle the estimator."
    )


def _packed_table(name, value):
    columns = [[plain(name, label), plain(name, value[label])] for label in value]
    return {"table": [columns, plain(name, value.index)]}


def _packed_mapping(name, value):
    """Return pairs: keys may be positions."""
    return {"mapping": [[plain(name, part) for part in i] for i in value.items()]}


def _packed_list(name, value):
    if isinstance(value, Set):
        value = sorted(value, key=repr)  # equal sets have no equal order
    return [plain(name, item) for item in value]


def _packed_tuple(name, value):
    return {"tuple": [plain(name, item) for item in value]}


def _plain_float(value):
    return value if math.isfinite(value) else {"number": str(value)}


# The first kind that a value is of says how it is packed.
_PACK: tuple[tuple[Any, Callable[[str, Any], Any]], ...] = (
    (pd.DataFrame, _packed_table),
    (type(None) | type(pd.NaT) | type(pd.NA), lambda name, value: None),
    (pd.Timestamp, lambda name, value: {"timestamp": value.isoformat()}),
    (np.generic, lambda name, value: plain(name, value.item())),
    (str | bool, lambda name, value: value),
    (Integral, lambda name, value: int(value)),
    (Real, lambda name, value: _plain_float(float(value))),
    (datetime.datetime | bytes, _refused),
    (datetime.date, lambda name, value: {"date": value.isoformat()}),
    (Mapping, _packed_mapping),
    (tuple, _packed_tuple),
    (Iterable, _packed_list),
)


def restored(value):
    """Return a value as it was before `plain`, or raise a ValueError."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, content),) = value.items()
        return _RESTORE[kind](content)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{value!r:.80} is nothing that is saved.") from error


def _table(content):
    """Return a table from its columns and its index."""
    columns, index = content
    columns = {restored(label): restored(cells) for label, cells in columns}
    return pd.DataFrame(columns, index=restored(index))


_RESTORE: dict[str, Callable[[Any], Any]] = {
    "date": datetime.date.fromisoformat,
    "mapping": lambda pairs: {restored(k): restored(v) for k, v in pairs},
    "number": float,
    "table": _table,
    "timestamp": pd.Timestamp,
    "tuple": lambda items: tuple(restored(items)),
}
