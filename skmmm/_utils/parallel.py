"""Calls side by side, whose warnings come home."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from sklearn.utils.parallel import Parallel, delayed

from skmmm._utils.warnings import warn_user

_Result = TypeVar("_Result")
_Note = tuple[Warning | str, type[Warning]]

# Threads share what is done with warnings; each call has its own list.
_notes: ContextVar[list[_Note] | None] = ContextVar("notes", default=None)


def call_each(
    function: Callable[..., _Result],
    calls: Iterable[tuple[Any, ...]],
    n_jobs: int | None = None,
) -> list[_Result]:
    """Return what a function returns for each tuple of arguments, in their order.

    What the calls warn of is given when all are done, in the order of calls, for the
    line of the user: the same warnings for any `n_jobs`, from processes and threads.
    """
    with _noting():
        found = Parallel(n_jobs=n_jobs)(
            delayed(_call)(os.getpid(), function, arguments) for arguments in calls
        )
    for _, notes in found:
        for message, category in notes:
            warn_user(message, category)
    return [result for result, _ in found]


def _call(
    home: int, function: Callable[..., _Result], arguments: tuple[Any, ...]
) -> tuple[_Result, list[_Note]]:
    """Return what a function returns, and what it warns of."""
    notes: list[_Note] = []
    token = _notes.set(notes)
    try:
        if os.getpid() == home:
            return function(*arguments), notes
        with _noting():
            return function(*arguments), notes
    finally:
        _notes.reset(token)


@contextmanager
def _noting() -> Iterator[None]:
    """Note what calls in this process warn of, as far as filters let it through."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def note(message, category, *where, **how):
            notes = _notes.get()
            if notes is None:
                shown(message, category, *where, **how)
            else:
                notes.append((message, category))

        warnings.showwarning = note
        yield
