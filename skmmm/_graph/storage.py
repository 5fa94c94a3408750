"""A fitted channel graph as named arrays, and back."""

from dataclasses import fields
from typing import Any

import numpy as np

from skmmm._graph.equations import SpendEquations
from skmmm._graph.estimate import FittedGraph

_EQUATIONS = ("equations", "draws")


def pack_graph(graph):
    """Return the arrays of a graph, by name."""
    arrays = {}
    for field in fields(graph):
        value = getattr(graph, field.name)
        if field.name in _EQUATIONS:
            parts = {part.name: getattr(value, part.name) for part in fields(value)}
        else:
            parts = {"": value}
        for name, part in parts.items():
            array = np.asarray(part)
            if array.dtype == object:
                array = array.astype(str)
            arrays[_key(field.name, name)] = array
    return arrays


def unpack_graph(arrays):
    """Take the arrays of a graph out of `arrays`; None if there are none."""
    if _key("weight", "") not in arrays:
        return None
    values: dict[str, Any] = {}
    for field in fields(FittedGraph):
        if field.name in _EQUATIONS:
            parts = {
                part.name: _value(arrays.pop(_key(field.name, part.name)))
                for part in fields(SpendEquations)
            }
            values[field.name] = SpendEquations(**parts)
        else:
            values[field.name] = _value(arrays.pop(_key(field.name, "")))
    return FittedGraph(**values)


def _key(field, part):
    return f"graph.{field}.{part}" if part else f"graph.{field}"


def _value(array):
    if array.ndim == 0:
        return array.item()
    return array.astype(object) if array.dtype.kind == "U" else array
