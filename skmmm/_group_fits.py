"""The fit of one group, and what is said of the fits of all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
from sklearn.exceptions import FitFailedWarning

from skmmm._utils.callbacks import fit_group
from skmmm._utils.typing import Array
from skmmm._utils.warnings import warn_user

_VARIABLE = re.compile(r"'[^']*'|\d[\d.,:%-]*")  # what differs between like warnings
_FEW = 3  # groups that a message names


class GroupFit(NamedTuple):
    """What came of the fit of one group, in whichever process it was.

    Attributes
    ----------
    estimator : object or None
        None if the fit failed.
    error : str or None
        Why it failed.
    warnings : list of (category, str)
    """

    estimator: Any
    error: str | None
    warnings: list[tuple[type[Warning], str]]


def fit_one(
    task: Any,
    estimator: Any,
    X: pd.DataFrame,
    y: Array,
    weight: Array | None,
    name: str,
    *,
    keep_error: bool,
) -> GroupFit:
    """Fit one group; say what it warned of, and why it failed if that is kept."""
    options = {} if weight is None else {"sample_weight": weight}
    error = None
    with warnings.catch_warnings(record=True) as caught:
        try:
            with named(name):
                fit_group(task, estimator, X, y, **options)
        except Exception as failure:
            if not keep_error:
                raise
            cause = failure.__cause__ or failure
            error = f"{type(cause).__name__}: {cause}"
    return GroupFit(None if error else estimator, error, told(caught))


def told(caught: Sequence[warnings.WarningMessage]) -> list[tuple[type[Warning], str]]:
    """Return category and text of recorded warnings."""
    return [(one.category, str(one.message)) for one in caught]


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of a group before the message of what is raised."""
    try:
        yield
    except Exception as error:
        kinds = (TypeError, ValueError)
        kind = next((k for k in kinds if isinstance(error, k)), RuntimeError)
        raise kind(f"{name}: {error}") from error


def some_names(names: Sequence[str]) -> str:
    """Return the first names in a list, and how many there are beyond them."""
    more = len(names) - _FEW
    return "; ".join(names[:_FEW]) + (f"; and {more} more" if more > 0 else "")


def warn_of_failures(fits: Mapping[str, GroupFit], error_score: Any) -> None:
    """Warn of failed fits, by the names of the groups; raise if there are no others."""
    failed = [f"{name}: {one.error}" for name, one in fits.items() if one.error]
    if not failed:
        return
    said = f"{len(failed)} of {len(fits)} fits failed. {some_names(failed)}"
    if len(failed) == len(fits):
        raise ValueError(f"All {said}")
    warn_user(
        f"{said} (failures_). Their rows are predicted as {error_score}.",
        FitFailedWarning,
    )


def warn_once_each(fits: Mapping[str, GroupFit]) -> None:
    """Warn of each kind of what the fits warned of, with the groups it came from.

    Warnings that differ in numbers and names only are of one kind.
    """
    kinds: dict[tuple, tuple[str, dict]] = {}
    for name, one in fits.items():
        for category, text in one.warnings:
            kind = category, _VARIABLE.sub("", text)
            kinds.setdefault(kind, (text, {}))[1][name] = None
    for (category, _), (text, names) in kinds.items():
        where = f"{some_names(list(names))}; {len(names)} of {len(fits)} groups"
        warn_user(f"{text} (In {where}.)", category)
