"""One file of arrays and JSON: nothing in it is executed on loading.

A zip archive with ``header.json`` (constructor parameters, names, sizes and a SHA-256
of every array), ``digest`` (SHA-256 of the header) and one ``.npy`` member per array,
read with ``allow_pickle=False``.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

FORMAT = 3
_MAGIC = "skmmm model"


def write_model(path, header, arrays):
    """Write a header and named arrays to one file.

    Parameters
    ----------
    path : str or path-like
    header : dict
        Must be representable in JSON.
    arrays : dict of str to ndarray
    """
    members = {name: _npy(array) for name, array in arrays.items()}
    header = header | {
        "magic": _MAGIC,
        "format": FORMAT,
        "arrays": {name: _sha256(member) for name, member in members.items()},
    }
    text = json.dumps(header, indent=1, allow_nan=False).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", text)
        archive.writestr("digest", _sha256(text))
        for name, member in members.items():
            archive.writestr(f"{name}.npy", member)


def read_model(path):
    """Read what `write_model` wrote, or say what is wrong with the file.

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is not a model, was cut short or changed, or is of a newer format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ValueError(
            f"{path} is not a skmmm model, or was cut short or damaged: {error}."
        ) from error
    header = _checked_header(path, members)
    arrays = {}
    for name, digest in header["arrays"].items():
        member = members.get(f"{name}.npy", b"")
        if _sha256(member) != digest:
            raise ValueError(
                f"{path} was changed after it was saved: array {name!r} is not the one "
                "that was written."
            )
        arrays[name] = np.load(io.BytesIO(member), allow_pickle=False)
    return header, arrays


def _checked_header(path, members):
    text = members.get("header.json", b"")
    try:
        header = json.loads(text)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("magic") != _MAGIC:
        raise ValueError(f"{path} is not a skmmm model: it has no header of one.")
    file_format = header.get("format")
    if not isinstance(file_format, int):
        raise ValueError(f"{path} is not a skmmm model: its header names no format.")
    if file_format > FORMAT:
        raise ValueError(
            f"{path} was written by skmmm {header.get('version')} in file format "
            f"{file_format}; this version reads formats up to {FORMAT}. Upgrade "
            "skmmm to load it."
        )
    if file_format < FORMAT:
        raise ValueError(
            f"{path} was written by skmmm {header.get('version')} in file format "
            f"{file_format}, which this version no longer reads: the model has "
            "changed. Fit and save it again."
        )
    if members.get("digest", b"").decode(errors="replace") != _sha256(text):
        raise ValueError(f"{path} was changed after it was saved: header.json differs.")
    return header


def _npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def plain_parameters(params):
    """Return constructor parameters as JSON can hold them.

    Raises
    ------
    ValueError
        If one is a callable or a random generator, which cannot be stored as data.
    """
    return {name: _plain(name, value) for name, value in params.items()}


def _plain(name, value):
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):  # whose keys may be positions
        return {"mapping": [_plain(name, pair) for pair in value.items()]}
    if isinstance(value, list | tuple | np.ndarray | pd.Index):
        return [_plain(name, item) for item in value]
    raise ValueError(
        f"{name}={value!r} cannot be saved as data. Use names, positions or numbers, "
        "or pickle the estimator."
    )


def restored(value):
    """Return a parameter as it was before `plain_parameters`; tuples become lists."""
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value["mapping"]}
    return value


def pack_index(index):
    """Return a frame's index as scalars and arrays."""
    name = _plain("the name of the index", index.name)
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": name}, {}
    values = index.to_numpy()
    if values.dtype == object and all(isinstance(value, str) for value in values):
        values = values.astype(str)
    if values.dtype == object or isinstance(index, pd.MultiIndex):
        raise ValueError(
            f"The index of the training frame ({type(index).__name__}) cannot be saved "
            "as data. Fit on X.reset_index(drop=True), or pickle the estimator."
        )
    return {"name": name}, {"index": values}


def unpack_index(scalars, arrays):
    """Rebuild the index that `pack_index` split."""
    if "range" in scalars:
        return pd.RangeIndex(*scalars["range"], name=scalars["name"])
    return pd.Index(arrays["index"], name=scalars["name"])
