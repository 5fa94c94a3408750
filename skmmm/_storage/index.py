"""The index of a frame as scalars and arrays, and back."""

import re

import numpy as np
import pandas as pd

from skmmm._storage.archive import StoredArrays, check_kinds
from skmmm._storage.plain import plain, restored

_ZONE = re.compile(r"(?!dateutil/)[\w+:/-]+")


def pack_index(index):
    """Return the index of a training frame as scalars and arrays.

    Raises
    ------
    ValueError
        If it has entries, such as intervals, that are not stored as data.
    """
    found = _exactly(index, "index")
    if found is None:
        raise ValueError(
            f"The index of the training frame ({type(index).__name__} of "
            f"{index.dtype}) cannot be saved as data. Fit on "
            "X.reset_index(drop=True), or pickle the estimator."
        )
    return found


def _exactly(index, key):
    """Return scalars and arrays that make an index again, None if none do."""
    try:
        scalars, arrays = _pack(index, key)
        again = _unpack(scalars, StoredArrays(arrays), key)
        exact = again.identical(index) and again.dtype == index.dtype
    except (KeyError, TypeError, ValueError):
        exact = False
    return (scalars, arrays) if exact else None


def pack_frame(frame, key):
    """Return a frame as scalars and arrays, each of which is named after a key.

    Raises
    ------
    ValueError
        If a column, or the index, has entries that are not stored as data.
    """
    arrays: dict[str, np.ndarray] = {}

    def packed(values, part, said):
        found = _exactly(values, f"{key}.{part}")
        if found is None:
            raise ValueError(
                f"{said} of {key} ({values.dtype}) cannot be saved as data. Plan with "
                "an X that holds numbers, text and dates only."
            )
        arrays.update(found[1])
        return found[0]

    columns = [
        [
            plain("a column", label),
            packed(pd.Index(frame[label], name=None), f"{j}", f"The column {label!r}"),
        ]
        for j, label in enumerate(frame)
    ]
    return {"index": packed(frame.index, "index", "The index"), "columns": columns}, (
        arrays
    )


def unpack_frame(scalars, arrays, key):
    """Rebuild the frame that `pack_frame` split.

    Raises
    ------
    ValueError
        If it is no frame, or its columns are not equally long.
    """
    try:
        index = _unpack(scalars["index"], arrays, f"{key}.index")
        columns = {
            restored(label): _unpack(column, arrays, f"{key}.{j}")
            for j, (label, column) in enumerate(scalars["columns"])
        }
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"its {key} cannot be read: {error}.") from error
    return pd.DataFrame(columns, index=index)


def _pack(index, key):
    name = {"name": plain("the name of the index", index.name)}
    if isinstance(index, pd.MultiIndex):
        return _pack_levels(index, key)
    if isinstance(index, pd.RangeIndex):
        return name | {"range": [index.start, index.stop, index.step]}, {}
    if isinstance(index, pd.CategoricalIndex):
        scalars, arrays = _pack(index.categories, f"{key}.categories")
        codes = {f"{key}.codes": index.codes.astype(np.int64)}
        return name | {"categories": scalars, "ordered": index.ordered}, arrays | codes
    if isinstance(index, pd.IntervalIndex):
        left, arrays = _pack(index.left, f"{key}.left")
        right, others = _pack(index.right, f"{key}.right")
        ends = {"left": left, "right": right, "closed": index.closed}
        return name | ends, arrays | others
    if isinstance(index, pd.PeriodIndex):
        return name | {"period": index.freqstr}, {key: index.asi8}
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        zone = getattr(index, "tz", None)
        freq = name | {"freq": index.freqstr, "zone": zone and str(zone)}
        stamps = index if zone is None else index.tz_convert(None)
        return freq, {key: stamps.to_numpy()}
    if isinstance(index.dtype, np.dtype) and index.dtype != object:
        return name, {key: index.to_numpy()}
    values = [None if value is pd.NA else plain("index", value) for value in index]
    return name | {"values": values, "dtype": str(index.dtype)}, {}


def _pack_levels(index, key):
    levels: list[dict] = []
    arrays: dict[str, np.ndarray] = {}
    for i, (level, codes) in enumerate(zip(index.levels, index.codes, strict=True)):
        scalars, own = _pack(level, f"{key}.{i}")
        levels.append(scalars)
        arrays |= own | {f"{key}.{i}.codes": np.asarray(codes, dtype=np.int64)}
    return {"levels": levels}, arrays


def unpack_index(scalars, arrays, n_rows):
    """Rebuild the index that `pack_index` split.

    Parameters
    ----------
    scalars : dict
    arrays : StoredArrays
    n_rows : int

    Raises
    ------
    ValueError
        If it is no index of so many rows.
    """
    try:
        index = _unpack(scalars, arrays, "index")
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the index of its rows cannot be read: {error}.") from error
    if len(index) != n_rows:
        raise ValueError(f"it has an index of {len(index)} rows for {n_rows} rows.")
    return index


def _unpack(scalars, arrays, key):
    """Return the index whose kind the keys of `scalars` tell."""
    check_kinds(scalars, dict, key)
    name = restored(scalars.get("name"))
    if "levels" in scalars:
        return _unpack_levels(scalars["levels"], arrays, key)
    if "range" in scalars:
        check_kinds(scalars["range"], list, f"{key}.range")
        return pd.RangeIndex(*scalars["range"], name=name)
    if "categories" in scalars:
        categories = _unpack(scalars["categories"], arrays, f"{key}.categories")
        codes = arrays.take(f"{key}.codes", (None,), "int64")
        kinds = pd.Categorical.from_codes(codes, categories, scalars["ordered"])
        return pd.CategoricalIndex(kinds, name=name)
    if "closed" in scalars:
        ends = [_unpack(scalars[e], arrays, f"{key}.{e}") for e in ("left", "right")]
        return pd.IntervalIndex.from_arrays(*ends, scalars["closed"], name=name)
    if "values" in scalars:
        values, dtype = restored(scalars["values"]), scalars["dtype"]
        return pd.Index(values, dtype=dtype, name=name, tupleize_cols=False)
    if "period" in scalars:
        ordinals = arrays.take(key, (None,), "int64")
        return pd.PeriodIndex.from_ordinals(ordinals, freq=scalars["period"], name=name)
    return _unpack_values(scalars, arrays.take_any(key), name)


def _unpack_values(scalars, values, name):
    """Return an index of numbers, text, dates or differences of dates."""
    index = pd.Index(values, name=name)
    if scalars.get("zone") is not None:
        if not _ZONE.fullmatch(scalars["zone"]):
            raise ValueError(f"its index has the time zone {scalars['zone']!r:.80}.")
        index = index.tz_localize("UTC").tz_convert(scalars["zone"])
    if scalars.get("freq") is not None:
        index = type(index)(index, freq=scalars["freq"])
    return index


def _unpack_levels(levels, arrays, key):
    parts, codes = [], []
    for i, scalars in enumerate(levels):
        parts.append(_unpack(scalars, arrays, f"{key}.{i}"))
        codes.append(arrays.take(f"{key}.{i}.codes", (None,), "int64"))
    return pd.MultiIndex(parts, codes, names=[level.name for level in parts])
