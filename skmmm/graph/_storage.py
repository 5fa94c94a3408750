"""A fitted channel graph as named arrays, and back."""

from dataclasses import fields
from typing import Any

import numpy as np

from skmmm.graph._equations import SpendEquations, reached
from skmmm.graph._estimate import LINKS, VERDICTS, FittedGraph

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


def unpack_graph(arrays, *, n_regions, n_media):
    """Take the arrays of a graph out of `arrays`; None if there are none.

    Parameters
    ----------
    arrays : StoredArrays
    n_regions, n_media : int

    Raises
    ------
    ValueError
        If they are not those of a graph of so many regions and channels.
    """
    if _key("weight", "") not in arrays:
        return None
    pairs = (n_media, n_media)
    finite: dict[str, Any] = {"above": -np.inf}
    return FittedGraph(
        weight=arrays.take("graph.weight", pairs, **finite),
        same=arrays.take("graph.same", pairs, **finite),
        probability=arrays.take("graph.probability", pairs, least=0.0),
        verdict=_words(arrays, "graph.verdict", pairs, (*VERDICTS, "")),
        equations=_equations(arrays, "equations", 1, n_regions, n_media),
        draws=_equations(arrays, "draws", None, n_regions, n_media),
        n_rows=_scalar(arrays, "graph.n_rows", "int64"),
        n_regions=_scalar(arrays, "graph.n_regions", "int64"),
        n_factors=_scalar(arrays, "graph.n_factors", "int64"),
        absorbed=arrays.take("graph.absorbed", (n_media,), **finite),
        hidden_demand=_scalar(arrays, "graph.hidden_demand", "bool"),
        link=_words(arrays, "graph.link", (n_media,), LINKS),
    )


def _equations(arrays, field, n_draws, R, M):
    """Return the equations of so many draws; None: as many as there are."""

    def take(part, shape, **bounds):
        return arrays.take(_key(field, part), shape, **bounds)

    own = take("own", (n_draws, M, None), above=-np.inf)
    n_draws, _, n_lags = own.shape
    found = SpendEquations(
        unit=take("unit", (R, M), above=0.0),
        centre=take("centre", (R, M), above=-np.inf),
        width=take("width", (M,)),
        straight=take("straight", (R, M)),
        same=take("same", (n_draws, M, M), above=-np.inf),
        late=take("late", (n_draws, M, M, n_lags), above=-np.inf),
        own=own,
        tail_decay=_scalar(arrays, _key(field, "tail_decay"), "float64"),
    )
    _check_equations(found, field)
    return found


def _check_equations(equations, field):
    """Raise if the equations cannot be solved."""
    straight = equations.straight
    sound = {
        "own": equations.own.size > 0,
        "width": (equations.width > 0).all(),  # or infinite
        "straight": (np.isnan(straight) | np.isfinite(straight)).all(),
        "tail_decay": equations.tail_decay < 1,
        "same": not _cyclic(equations.same != 0).any(),
    }
    for part, fine in sound.items():
        if not fine:
            raise ValueError(f"array {_key(field, part)!r} is none of a graph.")


def _cyclic(edges):
    """Return which pairs reach each other, (..., M, M) -> (..., M, M), bool."""
    reach = reached(edges)
    itself = np.eye(edges.shape[-1], dtype=bool)
    return (reach & reach.swapaxes(-1, -2) & ~itself) | (edges & itself)


def _words(arrays, name, shape, allowed):
    """Return an array of words as objects."""
    words = arrays.take(name, shape, "str")
    if not np.isin(words, allowed).all():
        raise ValueError(f"array {name!r} has words that are none of {allowed}.")
    return words.astype(object)


def _scalar(arrays, name, dtype):
    return arrays.take(name, (), dtype, least=0).item()


def _key(field, part):
    return f"graph.{field}.{part}" if part else f"graph.{field}"
