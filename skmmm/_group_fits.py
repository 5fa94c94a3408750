"""What tells groups apart, the fit of one, and what is said of the fits of all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.exceptions import FitFailedWarning

from skmmm._data.checks import in_words, resolve_many
from skmmm._unwrapping import bare
from skmmm._utils.callbacks import fit_group
from skmmm._utils.labels import first_few
from skmmm._utils.parallel import Note
from skmmm._utils.typing import Array, Column, Labels
from skmmm._utils.warnings import warn_user
from skmmm.allocation._question import coming_rows

# Numbers, which differ between like warnings, and names in quotes, which stay.
_NUMBER_OR_NAME = re.compile(r"(?<!\w)('[^']*')|(?<!\w)\d[\d.,:%-]*(?:e[+-]?\d+)?")
FEW = 3  # groups that a message names


class GroupFit(NamedTuple):
    """What came of the fit of one group, in whichever process it was.

    Attributes
    ----------
    estimator : object or None
        None if the fit failed.
    error : str or None
        Why it failed.
    """

    estimator: Any
    error: str | None


def fit_one(
    task: Any,
    estimator: Any,
    X: pd.DataFrame,
    y: Array,
    weight: Array | None,
    name: str,
    keep_error: bool,
) -> GroupFit:
    """Fit one group; say why it failed if that is kept."""
    options = {} if weight is None else {"sample_weight": weight}
    try:
        with named(name):
            fit_group(task, estimator, X, y, **options)
    except Exception as failure:
        if not keep_error:
            raise
        return failed_fit(failure)
    return GroupFit(estimator, None)


def failed_fit(failure: Exception) -> GroupFit:
    """Return what came of a fit that raised, the name of the group left out."""
    cause = failure.__cause__ or failure
    return GroupFit(None, f"{type(cause).__name__}: {cause}")


def refusal(
    estimator: Any, X: pd.DataFrame, y: Array, weight: Array | None, name: str
) -> Exception | None:
    """Return why a group cannot be fitted, if the estimator sees that at once."""
    check = getattr(bare(estimator), "_check_training", None)
    if check is None:
        return None
    try:
        with warnings.catch_warnings(), named(name):
            warnings.simplefilter("ignore")  # `fit` warns again
            check(X, y, weight)
    except Exception as error:
        return error
    return None


def raise_refusals(refused: Mapping[str, Exception]) -> None:
    """Raise the first of the reasons why groups cannot be fitted; name all groups."""
    if not refused:
        return
    (_, first), *others = refused.items()
    more = first_few([name for name, _ in others], FEW)
    also = f" (Nor can be fitted: {more}.)" if others else ""
    raise type(first)(f"{first}{also}") from first.__cause__


def coming_of_one(estimator: Any, periods: Any, name: str) -> pd.DataFrame:
    """Return the coming rows of one group."""
    with named(name):
        return coming_rows(estimator, periods)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of a group before the message of what is raised."""
    try:
        yield
    except Exception as error:
        kinds = (TypeError, ValueError)
        kind = next((k for k in kinds if isinstance(error, k)), RuntimeError)
        raise kind(f"{name}: {error}") from error


def warn_of_failures(fits: Mapping[str, GroupFit], error_score: Any) -> None:
    """Warn of failed fits, by the names of the groups; raise if there are no others."""
    failed = [f"{name}: {one.error}" for name, one in fits.items() if one.error]
    if not failed:
        return
    why = first_few([one.rstrip(".") for one in failed], FEW)
    said = f"{len(failed)} of {len(fits)} fits failed. {why}."
    if len(failed) == len(fits):
        raise ValueError(f"All {said}")
    warn_user(
        f"{said} See failures_. Rows of these groups are predicted as {error_score}.",
        FitFailedWarning,
    )


def warn_once_each(notes: Mapping[str, Sequence[Note]]) -> None:
    """Warn of each kind of what groups warned of, with the groups it came from.

    Warnings that differ in numbers only are of one kind.
    """
    kinds: dict[tuple, tuple[str, dict]] = {}
    for name, own in notes.items():
        for message, category in own:
            kind = category, _NUMBER_OR_NAME.sub(r"\1", str(message))
            kinds.setdefault(kind, (str(message), {}))[1][name] = None
    for (category, _), (text, names) in kinds.items():
        where = f"{first_few(list(names), FEW)}; {len(names)} of {len(notes)} groups"
        warn_user(f"{text} (In {where}.)", category)


def levels_of(column: pd.Series, label: Column) -> tuple[np.ndarray, Sequence]:
    """Return the code of each row and the values in sorted order, as of Python."""
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"The grouping column {label!r} is missing in row {missing[0]}. Every row "
            "needs a group."
        )
    try:
        code, found = pd.factorize(column, sort=True)
    except TypeError as error:
        raise ValueError(
            f"The grouping column {label!r} mixes values that cannot be sorted. Write "
            "all of them as text."
        ) from error
    levels = pd.Index(found).tolist()
    _check_spaces(levels, label)
    return code, levels


def _check_spaces(levels, label):
    """Raise if two values of a grouping column differ in spaces only."""
    seen: dict[str, str] = {}
    for level in levels:
        if isinstance(level, str):
            other = seen.setdefault(" ".join(level.split()), level)
            if other != level:
                raise ValueError(
                    f"The grouping column {label!r} has {other!r} and {level!r}, which "
                    "differ in spaces only. Write them alike."
                )


def named_as(estimator: Any, role: str) -> set[str]:
    """Return the columns that an estimator, or a part of it, calls its region, say."""
    found: set[str] = set()
    for name, value in estimator.get_params(deep=True).items():
        if name.split("__")[-1] == role:
            several = [value] if isinstance(value, str) else value
            if isinstance(several, Iterable):
                found |= {label for label in several if isinstance(label, str)}
    return found


def check_no_media(grouping: Labels, estimator: Any) -> None:
    """Raise if a grouping column is one of the media of the estimator."""
    for label in grouping:
        if label in named_as(estimator, "media"):
            raise ValueError(
                f"by names a media column, {label!r}. Name columns that tell groups "
                "apart, such as the brand or the market."
            )


def kept_apart(by: Column | Labels | None, grouping: Labels, labels: Labels) -> list:
    """Return the labels of some of the grouping columns, of all that fit saw."""
    if by is None:
        return []
    split = isinstance(by, str) and by in ("region", "period") and by not in labels
    kept = [by] if split else resolve_many(pd.DataFrame(columns=labels), by, "by")
    for label in kept:
        if label not in grouping:
            raise ValueError(
                f"by={label!r} is none of the grouping columns: {in_words(grouping)}. "
                "For regions or periods ask "
                'skmmm.inspection.channel_summary(model, by="region").'
            )
    return kept
