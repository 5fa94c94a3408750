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
    if isinstance(value, pd.DataFrame):
        columns = [[plain(name, c), plain(name, value[c])] for c in value]
        return {"table": [columns, plain(name, value.index)]}
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return {"timestamp": value.isoformat()}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _plain_float(float(value))
    if type(value) is datetime.date:
        return {"date": value.isoformat()}
    if isinstance(value, Mapping):  # whose keys may be positions
        return {"mapping": [[plain(name, part) for part in i] for i in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [plain(name, item) for item in value]}
    if isinstance(value, Set):
        value = sorted(value, key=repr)  # equal sets have no equal order
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(name, item) for item in value]
    raise ValueError(
        f"{name}={value!r} cannot be saved as data. Use names, positions or numbers, "
        "or pickle the estimator."
    )


def _plain_float(value):
    return value if math.isfinite(value) else {"number": str(value)}


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
