"""A plan as a file: what was decided, and the model that it was decided with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from skmmm._storage.archive import (
    PLAN,
    StoredArrays,
    check_kinds,
    loading,
    read_archive,
    write_archive,
)
from skmmm._storage.index import pack_frame, unpack_frame
from skmmm._storage.plain import plain, restored
from skmmm.allocation._asked import Question

_HEADER = {
    "version": str,
    "magic": str,
    "format": int,
    "arrays": dict,
    "settings": dict,
    "items": dict,
    "model": dict,
}
_FRAMES = ("allocation", "X")
_MAY_BE_FRAMES = ("groups", "levers", "unit_prices")


def write_plan(
    path: str | PathLike[str], question: Question, plan: Mapping[str, Any]
) -> None:
    """Write a plan, its settings and the file of its model to one file."""
    model = question.reviewer("save")
    inside, own = model._as_parts()
    arrays = {f"model.{name}": array for name, array in own.items()}
    arrays["expected"] = model.predict(plan["X"])
    items: dict[str, Any] = {}
    for name, value in plan.items():
        if isinstance(value, pd.DataFrame):
            items[name], own = pack_frame(value, name)
            arrays |= own
        elif name == "x":
            items[name], arrays["x"] = None, value
        else:
            items[name] = plain(name, value)
    settings = plain("settings", question.settings)
    header = {"settings": settings, "items": items, "model": inside}
    write_archive(path, header, arrays, PLAN)


def read_plan(
    path: str | PathLike[str], model_of: Callable[[Any, dict, StoredArrays], Any]
) -> tuple[Question, dict[str, Any]]:
    """Read what `write_plan` wrote; a function makes a model of its parts.

    Raises
    ------
    ValueError
        If the file is no plan, is damaged, or its plan is not one of its model.
    """
    with loading(path):
        header, arrays = read_archive(path, PLAN)
        check_kinds(header, _HEADER, "the header")
    model = model_of(path, header["model"], arrays.part("model."))
    with loading(f"{path}, written by skmmm {header['version']:.20},"):
        found = _items(header["items"], arrays)
        expected = arrays.take("expected", (len(found["X"]),))
        arrays.check_empty()
        near = 1e-9 * np.abs(expected).max(initial=0.0)
        if not np.allclose(model.predict(found["X"]), expected, rtol=1e-6, atol=near):
            raise ValueError("its parts do not belong together: it expects otherwise.")
        return Question(model, restored(header["settings"])), found


def _items(stored: dict[str, Any], arrays: StoredArrays) -> dict[str, Any]:
    """Return what a plan shows, in the order in which it was saved."""
    if not {*_FRAMES, "x", "message"} <= stored.keys():
        raise ValueError("it lacks a part of the plan.")
    found: dict[str, Any] = {}
    for name, value in stored.items():
        framed = name in (*_FRAMES, *_MAY_BE_FRAMES)
        found[name] = unpack_frame(value, arrays, name) if framed else restored(value)
    found["x"] = arrays.take("x", (None,))
    return found
