"""What many docstrings say of the same parameter is written once and filled in."""

import inspect
import re
from collections.abc import Callable
from textwrap import dedent
from typing import Any, TypeVar

_T = TypeVar("_T", bound=Callable)
_HEADING = re.compile(r"^(\w[\w ]+)\n---+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=[*\w][*\w, ]* : )", re.MULTILINE)


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
        text, *parts = _HEADING.split(inspect.cleandoc(documented.__doc__))
        found = dict(zip(parts[::2], parts[1::2], strict=True))
        described = _entries(parameters) | _entries(found.get("Parameters", ""))
        entries = [described.get(n) for n in inspect.signature(documented).parameters]
        first = {
            "Parameters": _joined("\n", *dict.fromkeys(e for e in entries if e)),
            "Attributes": _joined("\n", found.get("Attributes", ""), attributes),
            "Returns": _joined("\n", found.get("Returns", ""), returns),
        }
        documented.__doc__ = _joined(
            "\n\n",
            text,
            intro,
            *(
                f"{name}\n{'-' * len(name)}\n{body.strip()}"
                for name, body in (first | found | first).items()
                if body
            ),
        )
        return documented

    return complete


def section(documented: Any, name: str = "Parameters") -> str:
    """Return a section of a docstring, empty if there is none."""
    _, *parts = _HEADING.split(inspect.getdoc(documented) or "")
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(name, "").strip()


def _entries(text):
    """Return what a section says of each name; names that share an entry share it."""
    return {
        name.strip().lstrip("*"): entry.strip()
        for entry in _ENTRY.split(dedent(text))
        if entry.strip()
        for name in entry.split(" : ", 1)[0].split(",")
    }


def _joined(separator, *parts):
    cleaned = (dedent(part).strip() for part in parts)
    return separator.join(part for part in cleaned if part)
