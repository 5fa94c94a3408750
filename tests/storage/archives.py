"""Files of models that are written again with a change."""

import io
import json
import re
import tracemalloc
import zipfile

import numpy as np
import pytest

from skmmm import DeepCausalMMMRegressor
from skmmm._storage.archive import _sha256


def rewritten(path, change):
    """Write the archive again after `change` has edited its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return path


def sealed(members, header):
    """Put a header into members, with the digests that belong to them."""
    for name in header["arrays"]:
        if f"{name}.npy" in members:
            header["arrays"][name] = _sha256(members[f"{name}.npy"])
    members["header.json"] = json.dumps(header).encode()
    members["digest"] = _sha256(members["header.json"]).encode()


def with_header(path, change):
    """Write the archive again after `change` has edited its header."""

    def edit(members):
        header = json.loads(members["header.json"])
        change(header)
        sealed(members, header)

    return rewritten(path, edit)


def with_array(path, name, change):
    """Write the archive again with one array that `change` has made of the old."""

    def edit(members):
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        members[f"{name}.npy"] = npy(change(array))
        sealed(members, json.loads(members["header.json"]))

    return rewritten(path, edit)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def set_at(header, place, value):
    *path, last = place.split(".")
    for key in path:
        header = header[key]
    header[last] = value


def refusal(path):
    """Return why a file is refused, and the memory that this took, in bytes."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape(str(path))) as found:
        DeepCausalMMMRegressor.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(found.value), peak
