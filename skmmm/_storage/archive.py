"""One file of arrays and JSON: nothing in it is executed on loading.

A zip archive with ``header.json`` (constructor parameters, names, sizes and a SHA-256
of every array), ``digest`` (SHA-256 of the header) and one ``.npy`` member per array.
The digests find damage. Against a file that somebody made up they are no help: no
member is read that the header does not list or that is larger than such a file can
hold, and every array is checked when it is taken out.
"""

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from skmmm._storage.files import replacing
from skmmm._version import __version__


@dataclass(frozen=True)
class Kind:
    """What a file is, and the format in which this version writes and reads it."""

    name: str
    format: int
    advice: str  # on files of an earlier format


FORMAT = 12
MODEL = Kind(
    "skmmm model",
    FORMAT,
    "the model has changed. Fit and save it again, or load it with the version that "
    "wrote it.",
)
PLAN = Kind(
    "skmmm plan",
    1,
    "plans are stored otherwise now. Load it with the version that wrote it.",
)
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<dtype>[<|][biufcmMU]\d+(?:\[\w+\])?)', "
    rb"'fortran_order': False, 'shape': \((?P<shape>[\d, ]*)\), \} *\n",
    re.DOTALL,
)
# Bytes that are no truth value, and numbers that are no character.
_CODES, _MOST = {"U": "<u4"}, {"b": 1, "U": 0x10FFFF}
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,  # encrypted, or nested too deeply
    ValueError,
)


@contextmanager
def loading(path):
    """Turn all that a file may be wrong with into a ValueError that names it."""
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def write_archive(path, header, arrays, kind):
    """Write a header and named arrays to one file, which is whole or not there.

    The same header and arrays give the same bytes.

    Parameters
    ----------
    path : str or path-like
    header : dict
        Of what JSON knows, and numbers of numpy.
    arrays : dict of str to ndarray
    kind : Kind

    Raises
    ------
    OSError
        If the file cannot be written. The one that was there is as it was.
    """
    members = {name: _npy(array) for name, array in arrays.items()}
    digests = {name: _sha256(member) for name, member in members.items()}
    header = headed(header, kind) | {"arrays": digests}
    text = json.dumps(header, indent=1, allow_nan=False, default=_number).encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _write_member(archive, "header.json", text)
        _write_member(archive, "digest", _sha256(text).encode())
        for name, member in members.items():
            _write_member(archive, f"{name}.npy", member)


def headed(header, kind):
    """Return a header that says what it is of, and which version writes it."""
    return header | {
        "version": __version__,
        "magic": kind.name,
        "format": kind.format,
    }


def _write_member(archive, name, content):
    """Write a member without the time, and as large as it is."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def read_archive(path, kind):
    """Read what `write_archive` wrote, or say what is wrong with it.

    Parameters
    ----------
    path : str or path-like
    kind : Kind

    Returns
    -------
    header : dict
        Not checked beyond the format.
    arrays : StoredArrays

    Raises
    ------
    FileNotFoundError
    ValueError
        If it is of another kind, was cut short or changed, or is of a format that this
        version does not read.
    """
    content = Path(path).read_bytes()
    with _unreadable_is_none(kind):
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = _entries(archive, len(content))
    header = _read_header(archive, entries, kind)
    _check_members(header, entries)
    arrays = {}
    for name, digest in header["arrays"].items():
        with _unreadable_is_none(kind):
            member = _read(archive, entries[f"{name}.npy"])
        if _sha256(member) != digest:
            raise ValueError(
                f"it was changed after it was saved: array {name!r} is not the one "
                "that was written."
            )
        arrays[name] = _array(name, member)
    return header, StoredArrays(arrays)


@contextmanager
def _unreadable_is_none(kind):
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(
            f"it is not a {kind.name}, or was cut short or damaged: {error}."
        ) from error


def _entries(archive, size):
    """Return the entries of an archive by name, none larger than the file can hold."""
    entries = archive.infolist()
    for entry in entries:
        # Format 3 is compressed; its header still says which version wrote it.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{entry.filename!r} is compressed in an unknown way")
        if entry.filename == "header.json" and entry.file_size > 4 * size:
            raise ValueError("its header is larger than the file can hold")
    if sum(entry.file_size for entry in entries) > 100 * size:
        raise ValueError("its members are larger than the file can hold")
    found = {entry.filename: entry for entry in entries}
    if len(found) < len(entries):
        raise ValueError("it has two members of one name")
    return found


def _read(archive, entry):
    """Return a member, which is not asked for more than its entry promises."""
    with archive.open(entry) as stream:
        content = stream.read(entry.file_size)
    if len(content) != entry.file_size:
        raise ValueError(f"{entry.filename!r} ends early")
    return content


def _read_header(archive, entries, kind):
    """Return the header of a format that is read, as it was written."""
    if "header.json" not in entries:
        raise ValueError(f"it is not a {kind.name}: it has no header of one.")
    with _unreadable_is_none(kind):
        text = _read(archive, entries["header.json"])
    try:
        header = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        header = None
    check_kind(header, kind)
    with _unreadable_is_none(kind):
        digest = _read(archive, entries["digest"]) if "digest" in entries else b""
    if digest.decode(errors="replace") != _sha256(text):
        raise ValueError("it was changed after it was saved: header.json differs.")
    return header


def check_kind(header, kind):
    """Raise if a header is not one of a kind and a format that is read."""
    magic = header.get("magic") if isinstance(header, dict) else None
    if magic in (MODEL.name, PLAN.name) and magic != kind.name:
        raise ValueError(f"it is a {magic}, not a {kind.name}.")
    if magic != kind.name:
        raise ValueError(f"it is not a {kind.name}: it has no header of one.")
    file_format, version = header.get("format"), header.get("version")
    if type(file_format) is not int or not isinstance(version, str):
        raise ValueError(
            f"it is not a {kind.name}: its header names no format and version."
        )
    written = f"it was written by skmmm {version:.20} in file format {file_format}"
    if file_format > kind.format:
        raise ValueError(
            f"{written}; this version, {__version__}, reads formats up to "
            f"{kind.format}. Upgrade skmmm to load it."
        )
    if file_format < kind.format:
        raise ValueError(
            f"{written}, which this version, {__version__}, no longer reads: "
            f"{kind.advice}"
        )


def _check_members(header, entries):
    """Raise if the members are not exactly those that the header lists."""
    listed = header.get("arrays")
    if not isinstance(listed, dict):
        raise ValueError("its header lists no arrays.")
    expected = {"header.json", "digest", *(f"{name}.npy" for name in listed)}
    for name in sorted(expected ^ set(entries)):
        problem = "is missing" if name in expected else "is not in its header"
        raise ValueError(f"its member {name!r} {problem}.")


def _array(name, member):
    """Return an array of numbers, dates or text, whose size is that of its member."""
    start = _NPY.match(member)
    if start is None or int.from_bytes(start["length"], "little") + 10 != start.end():
        raise ValueError(f"array {name!r} is none of numbers, dates or text.")
    try:
        dtype = np.dtype(start["dtype"].decode())
        shape = tuple(int(n) for n in start["shape"].split(b",") if n.strip())
        found = np.ndarray(shape, dtype, buffer=member, offset=start.end())
    except (TypeError, ValueError) as error:
        raise ValueError(f"array {name!r} cannot be read: {error}.") from error
    if not dtype.itemsize or found.nbytes != len(member) - start.end():
        raise ValueError(f"array {name!r} is not as long as its shape {shape}.")
    codes = np.frombuffer(member, _CODES.get(dtype.kind, "u1"), offset=start.end())
    if codes.size and codes.max() > _MOST.get(dtype.kind, 255):
        raise ValueError(f"array {name!r} has bytes that are no {dtype}.")
    return found.copy()


class StoredArrays:
    """Arrays of a file, each of which is checked when it is taken out.

    Parameters
    ----------
    arrays : dict of str to ndarray
    """

    def __init__(self, arrays):
        self._arrays = dict(arrays)

    def __contains__(self, name):
        return name in self._arrays

    def shape(self, name):
        """Return the shape of an array that must be there."""
        if name not in self._arrays:
            raise ValueError(f"array {name!r} is missing.")
        return self._arrays[name].shape

    def take_any(self, name):
        """Take out an array of any dtype and length, with one axis."""
        if len(self.shape(name)) != 1:
            raise ValueError(f"array {name!r} has shape {self.shape(name)}.")
        return self._arrays.pop(name)

    def take(self, name, shape, dtype="float64", *, least=None, above=None):
        """Take out an array if it is what it must be, or raise a ValueError.

        Parameters
        ----------
        name : str
        shape : tuple of int or None
            None: any length.
        dtype : {"float64", "int64", "bool", "str"}
        least, above : float, default=None
            What all numbers are at least, or above; they are finite then.
        """
        found = self.shape(name)
        if len(found) != len(shape) or any(
            length not in (n, None) for n, length in zip(found, shape, strict=True)
        ):
            expected = tuple("any" if n is None else n for n in shape)
            raise ValueError(f"array {name!r} has shape {found}, expected {expected}.")
        array = self._arrays.pop(name)
        if dtype != ("str" if array.dtype.kind == "U" else array.dtype.name):
            raise ValueError(f"array {name!r} holds {array.dtype}, not {dtype}.")
        if least is not None and not ((array >= least) & (array < np.inf)).all():
            raise ValueError(f"array {name!r} has values that are not {least} or more.")
        if above is not None and not ((array > above) & (array < np.inf)).all():
            raise ValueError(f"array {name!r} has values that are not above {above}.")
        return array

    def part(self, prefix):
        """Take out all arrays whose names begin with a prefix, and leave it out."""
        names = [name for name in self._arrays if name.startswith(prefix)]
        return StoredArrays(
            {name.removeprefix(prefix): self._arrays.pop(name) for name in names}
        )

    def check_empty(self):
        """Raise if there is an array that nobody has taken."""
        for name in self._arrays:
            raise ValueError(f"array {name!r} is not one of this file.")


def check_kinds(value, kinds, name):
    """Raise if a value of the header is not of the kind that it must be.

    Parameters
    ----------
    value : object
    kinds : type, tuple of types, or dict of key to kinds
        A dict must have exactly these keys.
    name : str
    """
    if not isinstance(kinds, dict):
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        # bool is an int to isinstance
        if type(value) not in allowed:
            raise ValueError(f"{name} in its header is {value!r:.80}.")
        return
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        raise ValueError(f"{name} in its header must have {sorted(kinds)}.")
    for key, kind in kinds.items():
        check_kinds(value[key], kind, f"{name}.{key}")


def _npy(array):
    buffer = io.BytesIO()
    array = np.asarray(array, order="C")
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _number(value):
    """Return a number of numpy or of fractions as JSON knows it."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{value!r} is no number.")


def _refuse(constant):
    raise ValueError(f"{constant} is no number of JSON.")
