"""Calls side by side, whose warnings come home."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain, repeat
from typing import Any, TypeAlias, TypeVar

from sklearn.utils.parallel import Parallel, delayed

from skmmm._utils.warnings import warn_user

_TOLD = "_warned_of_before"  # brings the notes of a call that raised from its process
_Result = TypeVar("_Result")
Note: TypeAlias = tuple[Warning | str, type[Warning]]

# Threads share what is done with warnings; each call has its own list.
_notes: ContextVar[list[Note] | None] = ContextVar("notes", default=None)


def call_each(
    function: Callable[..., _Result],
    calls: Iterable[tuple[Any, ...]],
    n_jobs: int | None = None,
) -> list[_Result]:
    """Return what a function returns for each tuple of arguments, in their order.

    What the calls warn of is given when all are done, in the order of calls, for the
    line of the user: the same warnings for any `n_jobs`, from processes and threads.
    """
    found = call_each_noting(function, calls, n_jobs)
    for _, notes in found:
        _warn_of(notes)
    return [result for result, _ in found]


def call_each_noting(
    function: Callable[..., _Result],
    calls: Iterable[tuple[Any, ...]],
    n_jobs: int | None = None,
    verbose: bool | int = False,
    names: Iterable[str] = (),
) -> list[tuple[_Result, list[Note]]]:
    """Return what a function returns, and what it warns of, for each call, in order.

    If a call raises, warnings are given before that: those of all calls in this
    process, or those of the call that raised in another. They begin with the name of
    the call, if there are names.
    """
    home = os.getpid()
    heard: list[tuple[str, list[Note]]] = []

    def tasks():
        for name, arguments in zip(chain(names, repeat("")), calls, strict=False):
            heard.append((name, []))
            yield delayed(_call)(home, *heard[-1], function, arguments)

    try:
        with _noting():
            return Parallel(n_jobs=n_jobs, verbose=verbose)(tasks())
    except Exception as error:
        afar = vars(error).pop(_TOLD, ("", []))
        for name, notes in (*heard, afar):
            _warn_of(notes, name)
        raise


def _warn_of(notes: Iterable[Note], name: str = "") -> None:
    """Give the warnings of a call."""
    for message, category in notes:
        warn_user(f"{name}: {message}" if name else message, category)


def _call(
    home: int,
    name: str,
    notes: list[Note],
    function: Callable[..., _Result],
    arguments: tuple[Any, ...],
) -> tuple[_Result, list[Note]]:
    """Return what a function returns, and what it warns of, which goes into a list."""
    token = _notes.set(notes)
    try:
        if os.getpid() == home:
            return function(*arguments), notes
        with _noting():
            return function(*arguments), notes
    except Exception as error:
        if os.getpid() != home:
            vars(error)[_TOLD] = name, notes
        raise
    finally:
        _notes.reset(token)


class _Noter:
    """Stands in for `warnings.showwarning`: notes what calls warn of."""

    def __init__(self, shown: Callable[..., None]) -> None:
        self.shown = shown

    def __call__(self, message, category, *where, **how):
        notes = _notes.get()
        if notes is None:
            self.shown(message, category, *where, **how)
        else:
            notes.append((message, category))


@contextmanager
def _noting() -> Iterator[None]:
    """Note what calls in this process warn of, as far as filters let it through."""
    if isinstance(warnings.showwarning, _Noter):  # of calls that these are part of
        yield
        return
    with warnings.catch_warnings():
        warnings.showwarning = _Noter(warnings.showwarning)
        yield
