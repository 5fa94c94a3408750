"""Docstrings that describe once what several functions share."""

import inspect
import re
from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Documented = TypeVar("_Documented", bound=Callable)


def documented_by(
    *sources: Callable[..., Any], without: tuple[str, ...] = ()
) -> Callable[[_Function], _Function]:
    """Complete a docstring from those of other functions.

    Parameters in the signature that the docstring does not describe are described as
    in the first source that has them. A docstring without other sections takes those of
    the first source, examples apart. ``**options`` in the signature stand for the
    parameters of the first source that are not named in `without`.
    """

    def complete(function: _Function) -> _Function:
        if not all(f.__doc__ for f in (function, *sources)):  # python -OO
            return function
        own, *others = (
            _sections(inspect.getdoc(f) or "") for f in (function, *sources)
        )
        described: dict[str, tuple[str, str]] = {}
        for sections in (*others[::-1], own):
            described |= _entries(sections.get("Parameters", ""))
        names = list(_expand_options(function, sources[0], without))
        parameters = _describe([n for n in names if n != "self"], described)
        if set(own) <= {"", "Parameters"}:
            own |= {k: v for k, v in others[0].items() if k not in ("", "Examples")}
            details = others[0][""].partition("\n\n")[2]
            own[""] = f"{own['']}\n\n{details}".strip()
        own.pop("Parameters", None)
        titled = {"": own.pop(""), "Parameters": parameters} | own
        function.__doc__ = "\n\n".join(
            f"{title}\n{'-' * len(title)}\n{text}" if title else text
            for title, text in titled.items()
        )
        return function

    return complete


def shared_docs(
    parameters: str, *, attributes: str = "", returns: str = "", intro: str = ""
) -> Callable[[_Documented], _Documented]:
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

    def complete(documented: _Documented) -> _Documented:
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
            "Returns": own.get("Returns", dedent(returns).strip()),
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


def _expand_options(
    function: Callable[..., Any], source: Callable[..., Any], without: tuple[str, ...]
) -> Mapping[str, inspect.Parameter]:
    """Put the parameters of the source in place of ``**options``; return all."""
    signature = inspect.signature(function)
    own = dict(signature.parameters)
    if own.pop("options", None) is None:
        return signature.parameters
    given = inspect.signature(source).parameters
    own |= {n: p for n, p in given.items() if n not in own and n not in without}
    signature = signature.replace(parameters=list(own.values()))
    function.__signature__ = signature  # type: ignore[attr-defined]
    return own


def _sections(doc: str | None) -> dict[str, str]:
    """Return the sections of a docstring by title, what comes first under ""."""
    text = doc or ""
    first, *rest = re.split(r"^(\w[\w ]*)\n-{3,}\n", text, flags=re.MULTILINE)
    titled = zip(rest[::2], rest[1::2], strict=True)
    return {"": first.strip()} | {name: body.rstrip() for name, body in titled}


def _entries(text: str) -> dict[str, tuple[str, str]]:
    """Return type and description of each parameter by name."""
    found: dict[str, tuple[str, str]] = {}
    for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
        head, _, body = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        found |= dict.fromkeys(names.split(", "), (kind, body.rstrip()))
    return found


def _describe(names: list[str], described: dict[str, tuple[str, str]]) -> str:
    """Return a section of parameters; neighbours with one description share it."""
    groups: list[tuple[list[str], tuple[str, str]]] = []
    for name in names:
        if groups and groups[-1][1] is described[name]:
            groups[-1][0].append(name)
        else:
            groups.append(([name], described[name]))
    return "\n".join(
        ", ".join(group)
        + (f" : {kind}" if kind else "")
        + (f"\n{body}" if body else "")
        for group, (kind, body) in groups
    )


def _joined(separator, *parts):
    cleaned = (dedent(part).strip() for part in parts)
    return separator.join(part for part in cleaned if part)
