"""Descriptions that stand in a text, filled in where a docstring lacks them."""

import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any, TypeVar

from skmmm._docs import _describe, _entries, _sections

_T = TypeVar("_T", bound=Callable)


def shared_docs(
    parameters: str, *, attributes: str = "", returns: str = "", intro: str = ""
) -> Callable[[_T], _T]:
    """Return a decorator that completes the docstring of a function or class.

    Parameters
    ----------
    parameters : str
        Entries of a Parameters section. Those of the signature that the docstring does
        not describe itself are filled in, in the order of the signature.
    attributes, returns : str
        Entries that come last in these sections.
    intro : str
        Paragraph that follows the text before the first section.
    """

    def complete(documented: _T) -> _T:
        if documented.__doc__ is None:  # python -OO
            return documented
        own = _sections(inspect.cleandoc(documented.__doc__))
        described = _entries(dedent(parameters).strip())
        described |= _entries(own.get("Parameters", ""))
        given = inspect.signature(documented).parameters
        names = [n for name in given for n in (name, f"**{name}") if n in described]
        first = {
            "": _joined("\n\n", own[""], intro),
            "Parameters": _describe(names, described),
            "Attributes": _joined("\n", own.get("Attributes", ""), attributes),
            "Returns": _joined("\n", own.get("Returns", ""), returns),
        }
        documented.__doc__ = "\n\n".join(
            f"{title}\n{'-' * len(title)}\n{text}" if title else text
            for title, text in (first | own | first).items()
            if text
        )
        return documented

    return complete


def section(documented: Any, name: str = "Parameters") -> str:
    """Return a section of a docstring, empty if there is none."""
    return _sections(inspect.getdoc(documented)).get(name, "")


def _joined(separator, *parts):
    cleaned = (dedent(part).strip() for part in parts)
    return separator.join(part for part in cleaned if part)
