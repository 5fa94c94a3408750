"""Data validation: one function per rule, errors that name column, region or week."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_scalar
from sklearn.utils import check_array

from skmmm._utils.labels import listed
from skmmm._utils.warnings import warn_user

# A channel whose spend varies less, relative to its mean, is part of the baseline.
_STEADY = 0.01
# One over the square of a smaller number is none.
TINY = 1e-150
HUGE = 1e150
# Of the mean of equal numbers, relative to them.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Columns:
    """Which column of `X` plays which role; labels as they stand in the frame."""

    media: tuple
    controls: tuple
    region: object = None
    time: object = None
    population: object = None


def as_frame(X):
    """Return `X` as a pandas DataFrame; positions label the columns of an array.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_rows, n_columns)
        A pandas or Polars frame, or anything :func:`numpy.asarray` understands.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)
    """
    if isinstance(X, pd.DataFrame):
        of_numpy = any(isinstance(label, np.generic) for label in X.columns)
        return X.set_axis(labels_of(X), axis=1) if of_numpy else X
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        return pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    return pd.DataFrame(np.asarray(X))


def check_not_empty(frame):
    """Raise if the frame has no rows or no columns, in scikit-learn's words."""
    if frame.shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 "
            "is required. X has no rows."
        )
    if frame.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={frame.shape}) while a minimum of 1 "
            "is required. X has no columns."
        )


def check_labels(frame):
    """Raise if a column has a label that is neither text nor an integer."""
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"The columns of X have {frame.columns.nlevels} levels. Join them to one "
            "name each: X.columns = ['_'.join(map(str, c)) for c in X.columns]."
        )
    for label in frame.columns:
        if not _is_name(label) and not _is_integer(label):
            raise ValueError(
                f"X has a column labelled {plain_label(label)!r} "
                f"({type(label).__name__}). Call it by a text or an integer."
            )


def check_once(frame):
    """Raise if two columns have one label."""
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(
            f"X has two columns called {plain_label(repeated[0])!r}; rename one."
        )


def _is_name(key):
    return isinstance(key, str)


def _is_integer(key):
    return isinstance(key, Integral) and not isinstance(key, bool)


def plain_label(label):
    """Return a label as a value of Python where it is one of numpy."""
    return label.item() if isinstance(label, np.generic) else label


def labels_of(frame):
    """Return the labels of all columns, as values of Python."""
    return [plain_label(label) for label in frame.columns]


def resolve_column(frame, key, role):
    """Return the label of one column given by name or by position.

    What this returns is not to be resolved again: a label that is an integer would be
    taken for a position.
    """
    key = plain_label(key)
    if _is_name(key):
        if key in frame.columns:
            return key
        raise ValueError(
            f"{role}={key!r} is not a column of X. Columns: {labels_of(frame)}."
            f"{did_you_mean(key, frame.columns)}"
        )
    if not _is_integer(key):
        raise ValueError(
            f"{role}={key!r} is neither the name nor the position of a column."
        )
    if not -frame.shape[1] <= key < frame.shape[1]:
        raise ValueError(
            f"{role}={key!r} is not a column of X, which has {frame.shape[1]} columns."
        )
    return plain_label(frame.columns[key])


def resolve_many(frame, keys, role):
    """Return the labels of several columns given by names, positions or a callable."""
    if callable(keys):
        keys = list(keys(frame))
    if isinstance(keys, str | int | np.integer):
        keys = [keys]
    labels = [resolve_column(frame, key, role) for key in keys]
    twice = sorted({str(label) for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"{role} names the column {twice[0]!r} twice.")
    return labels


def check_channel(label, media, role, *, key=None, failed=()):
    """Raise a ValueError if a label is none of the media's.

    Parameters
    ----------
    label : str or int
    media : list
        Labels of the channels.
    role : str
        What names it, for the message.
    key : object, default=None
        What the user wrote, if not the label.
    failed : sequence of tuple, default=()
        Groups whose fits failed, where channels are tuples of group and channel.
    """
    if label in media:
        return
    named, media = label if key is None else key, list(media)
    if isinstance(label, tuple) and label[:-1] in failed:
        raise ValueError(
            f"{role} names {named!r}, but the fit of its group failed (failures_), so "
            "that nothing is known of it. Leave it out, or repair its rows."
        )
    known = listed(media)
    if media and isinstance(media[0], tuple):
        known = f"of the groups, {len(media)} tuples such as {media[0]}"
    raise ValueError(
        f"{role} names {named!r}, which is not one of the media columns {known}."
        f"{did_you_mean(named, media)}"
    )


def resolve_channel(channel, media, names, role, failed=()):
    """Return the label of a channel given by its label, or by its column's position.

    Parameters
    ----------
    channel : str or int
        An integer that is the label of a channel is no position.
    media, names : list
        Labels of the channels, and of all columns.
    role : str
    failed : sequence of tuple, default=()
        As of `check_channel`.
    """
    label = plain_label(channel)
    if label not in media and not isinstance(label, str | tuple):
        label = resolve_column(pd.DataFrame(columns=names), label, role)
    check_channel(label, media, role, key=channel, failed=failed)
    return label


def resolve_columns(
    frame,
    *,
    media,
    controls,
    region,
    time,
    population=None,
    media_cost=None,
    frequency=None,
):
    """Give every column of the frame one role.

    Parameters
    ----------
    frame : DataFrame
    media, controls : list of str or int, callable, or None
        `media=None` takes every column that is not named otherwise;
        `controls=None` means no controls.
    region, time, population : str, int or None
    media_cost : float, mapping or None
        Texts in it are columns with the money of a channel.
    frequency : mapping or None
        Its values are columns with the frequency of a channel.

    Returns
    -------
    columns : Columns
        Media and controls in canonical order (sorted by name), so that the order of
        the columns in `X` changes nothing.
    """
    check_once(frame)
    if "baseline" in frame.columns:
        raise ValueError(
            "X has a column called 'baseline', which is the name of what is left in "
            "contributions; rename it."
        )
    region = None if region is None else resolve_column(frame, region, "region")
    time = None if time is None else resolve_column(frame, time, "time")
    if population is not None:
        population = resolve_column(frame, population, "population")
        if region is None:
            raise ValueError(
                f"population={population!r} is the size of regions, but region is "
                "None: one series has nothing to compare. Leave it out, or name the "
                "region."
            )
    controls = [] if controls is None else resolve_many(frame, controls, "controls")
    beside = _beside_media(frame, media_cost, frequency)
    if media is None:
        taken = {region, time, population, *controls, *beside} - {None}
        media = [label for label in labels_of(frame) if label not in taken]
    else:
        media = resolve_many(frame, media, "media")
    columns = assign_roles(media, controls, region, time, population)
    named = [*media, *controls, region, time, population]
    for label, role in beside.items():
        if label in named:
            raise ValueError(
                f"The column {label!r} is the {role}, and "
                "also named among media, controls, region, time and population; it "
                "has no other role, so leave it out there."
            )
    return columns


def _beside_media(frame, media_cost, frequency):
    """Return the columns with money or frequency of channels, and what they are."""
    money = _money_labels(frame, media_cost)
    roles = dict.fromkeys(money, "money of a channel in media_cost")
    for key, name in (frequency or {}).items():
        label = resolve_column(frame, name, f"frequency of {key!r}")
        if label in money:
            raise ValueError(
                f"The column {label!r} is the money of a channel in media_cost, and "
                f"the frequency of {key!r}; it cannot be both."
            )
        if label in roles:
            raise ValueError(
                f"frequency names the column {label!r} for two channels; give each a "
                "column of its own."
            )
        roles[label] = "frequency of a channel"
    return roles


def _money_labels(frame, media_cost):
    """Return the columns that hold money of channels, or raise if two share one."""
    if not isinstance(media_cost, Mapping):
        return []
    named = {key: name for key, name in media_cost.items() if _is_name(name)}
    found = [
        resolve_column(frame, name, f"media_cost of {key!r}")
        for key, name in named.items()
    ]
    for label in found:
        if found.count(label) > 1:
            raise ValueError(
                f"media_cost names the column {label!r} as the money of two channels; "
                "split it, a column for each."
            )
    return found


def assign_roles(media, controls, region, time, population=None):
    """Return the `Columns` of resolved labels, or raise if one has two roles."""
    single = [label for label in (region, time, population) if label is not None]
    roles = [*media, *controls, *single]
    for label in roles:
        if roles.count(label) > 1:
            raise ValueError(
                f"The column {label!r} has two roles; name it only once among media, "
                "controls, region, time and population."
            )
    return Columns(
        tuple(sorted(media, key=_by_name)),
        tuple(sorted(controls, key=_by_name)),
        region,
        time,
        population,
    )


def _by_name(label):
    return (isinstance(label, str), label)


def numeric_block(frame, labels, where):
    """Return the columns `labels` as float64, or raise naming the first bad cell.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    labels : sequence of column labels
    where : callable
        `where(position)` describes a row in words, e.g. "region 'A', week 2021-01-04".

    Returns
    -------
    block : ndarray of shape (n_rows, len(labels)), float64
    """
    block = np.empty((len(frame), len(labels)))
    for j, label in enumerate(labels):
        block[:, j] = numeric_column(frame[label], label, where)
    return block


def numeric_column(column, label, where):
    """Return one column as float64, or raise naming the column and the row."""
    # An array arrives as columns of one dtype: leave its errors to scikit-learn.
    if column.dtype == object and not isinstance(label, str):
        values = check_array(
            column.to_numpy()[:, None], dtype=np.float64, ensure_all_finite=False
        )[:, 0]
    elif np.issubdtype(getattr(column.dtype, "type", object), np.complexfloating):
        raise ValueError(
            f"Complex data not supported: column {label!r} has dtype {column.dtype}."
        )
    elif is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        raise ValueError(
            f"Column {label!r} is not numeric (dtype {column.dtype})"
            f"{_first_text(column, where)}. Media and controls must be numbers; name "
            "the column as region or time, drop it, or convert it."
        )
    tiny = np.flatnonzero((values != 0) & (np.abs(values) < TINY))
    if len(tiny):
        raise ValueError(
            f"Column {label!r} is {values[tiny[0]]:g} at {where(tiny[0])}, too small "
            "to compute with. Write 0 there, or express the column in smaller units."
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        kind = "NaN" if np.isnan(values[bad[0]]) else "infinity"
        raise ValueError(
            f"Input X contains {kind}: column {label!r} at {where(bad[0])}. Fill or "
            "drop these rows."
        )
    return values


def _first_text(values, where):
    """Return where the first value is that is no number, "" without one."""
    for i, value in enumerate(values):
        try:
            float(value)
        except (TypeError, ValueError):
            return f": it has {str(value)!r:.60} at {where(i)}"
    return ""


def check_non_negative_media(block, labels, where, estimator_name):
    """Raise if a media value is negative (text as in sklearn's check_non_negative)."""
    bad = np.argwhere(block < 0)
    if len(bad):
        i, j = bad[0]
        raise ValueError(
            f"Negative values in data passed to {estimator_name}: column "
            f"{labels[j]!r} is {block[i, j]:g} at {where(i)}. Media are spend or "
            "delivery, which cannot be negative; correct it, leave out a scaler before "
            "the model (it scales by itself), or list the column under controls."
        )


def why_not_learned(media, counts):
    """Say which channels have an effect that their spend cannot teach.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
    counts : ndarray of shape (n_regions, n_periods), bool
        Cells with a row of positive weight.

    Returns
    -------
    reason : ndarray of shape (n_media,), of str
        ``"zero"``: no spend. ``"steady"``: within regions spend moves by less than one
        percent of its mean, so that its effect is part of the baseline. Else empty.
    """
    counts = counts[..., None]
    n_rows = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = (media * counts).sum(axis=1, keepdims=True) / n_rows  # (R, 1, M)
    relative = (media - mean) / np.where(mean > 0, mean, 1.0)
    spends = counts & (mean > 0)
    moves = np.sqrt((relative**2 * spends).sum(axis=(0, 1)) / counts.sum())
    steady = np.where(moves < _STEADY, "steady", "")
    return np.where(spends.any(axis=(0, 1)), steady, "zero")


def still_value(controls):
    """Return the value of each control that never moves, NaN for the others.

    Parameters
    ----------
    controls : ndarray of shape (n_rows, n_controls)
        Of the training rows of positive weight.

    Returns
    -------
    value : ndarray of shape (n_controls,)
    """
    still = np.ptp(controls, axis=0) <= _ROUNDING * np.abs(controls).max(axis=0)
    return np.where(still, controls[0], np.nan)


def in_words(labels):
    """Return the names of columns in a list, as far as it is short."""
    more = f" and {len(labels) - 10} more" if len(labels) > 10 else ""
    return ", ".join(map(repr, labels[:10])) + more


def closest(name, known):
    """Return the name, as text, that is most like another one; None if none is."""
    texts = {str(label).casefold(): str(label) for label in known}
    found = difflib.get_close_matches(str(name).casefold(), texts, n=1)
    return texts[found[0]] if found else None


def did_you_mean(name, known):
    """Return a sentence for the end of a message, "" if no name is like this one."""
    if isinstance(name, tuple):
        found = closest(name, [label for label in known if _alike(name, label)])
        return "" if found is None else f" Did you mean {found}?"
    found = closest(name, known)
    return "" if found is None else f" Did you mean {found!r}?"


def _alike(name, label):
    """Return whether a label is a tuple whose values are each like those of a name."""
    if not isinstance(label, tuple) or len(label) != len(name):
        return False
    pairs = zip(name, label, strict=True)
    return all(one == other or closest(one, [other]) for one, other in pairs)


def warn_of_order(X, y):
    """Warn if X and y have the same labels of rows in another order."""
    index, other = getattr(X, "index", None), getattr(y, "index", None)
    if not (isinstance(index, pd.Index) and isinstance(other, pd.Index)):
        return
    if (len(index), index.nlevels) != (len(other), other.nlevels):
        return
    if not index.equals(other) and index.is_unique and index.isin(other).all():
        warn_user(
            "X and y have the same index labels, in another order, and rows are "
            "matched by position, as scikit-learn does. Pass y.loc[X.index] to match "
            "them by label; if positions are right, reset the index of both."
        )


def check_target(y, n_rows, where):
    """Return the KPI as float64 of shape (n_rows,), or raise naming the bad row."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y must be one-dimensional, got an array of shape {y.shape}.")
    if np.iscomplexobj(y):
        raise ValueError("Complex data not supported: y is complex.")
    if y.dtype.kind in "mMUS" or any(isinstance(v, str) for v in y.ravel()[:1]):
        raise ValueError(
            f"y must be numeric, but holds values such as {y.ravel()[0]!s}, which are "
            f"{'dates' if y.dtype.kind in 'mM' else 'text'}. Convert it first."
        )
    if len(y) != n_rows:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"[{n_rows}, {len(y)}]. X and y must have one entry per row."
        )
    try:
        y = y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must be numeric{_first_text(y, where)}.") from error
    tiny = np.flatnonzero((y != 0) & (np.abs(y) < TINY))
    if len(tiny):
        raise ValueError(
            f"The KPI is {y[tiny[0]]:g} at {where(tiny[0])}, too small to compute "
            "with. Write 0 there, or express the KPI in smaller units."
        )
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        kind = "NaN" if np.isnan(y[bad[0]]) else "infinity"
        raise ValueError(
            f"Input y contains {kind} at {where(bad[0])}. Drop these rows; missing "
            "region-weeks are masked."
        )
    return y


def region_values(frame, label):
    """Return the region of every row, or raise if one is missing."""
    column = frame[label]
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"The region column {label!r} is missing in row {missing[0]}. Every row "
            "needs a region."
        )
    values = column.to_numpy()
    if values.dtype != object:
        return values
    for row, value in enumerate(values):
        if not is_scalar(value):
            raise ValueError(
                f"The region column {label!r} has {value!r} in row {row}, which is no "
                "single value. Write the region as one text, such as 'A, 1'."
            )
    return values.astype(str)


def population_of(frame, label, code, regions, where):
    """Return how many live in each region, or raise if it is no size of the region.

    Parameters
    ----------
    frame : DataFrame
    label : str or int
    code : ndarray of shape (n_rows,), int
    regions : ndarray of shape (n_regions,)
    where : callable
        As `row_namer` returns it.

    Returns
    -------
    population : ndarray of shape (n_regions,)
    """
    values = numeric_block(frame, [label], where)[:, 0]
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise ValueError(
            f"The population {label!r} is {values[bad[0]]:g} in {where(bad[0])}. It "
            "has to be above zero."
        )
    population = np.ones(len(regions))
    population[code] = values
    bad = np.flatnonzero(values != population[code])
    if len(bad):
        name, one = plain_label(regions[code[bad[0]]]), values[bad[0]]
        raise ValueError(
            f"The population {label!r} of region {name!r} is {one:.15g} in one row "
            f"({where(bad[0])}) and {population[code[bad[0]]]:.15g} in another. Write "
            "one number in all rows of a region, such as its mean."
        )
    return population


def check_no_duplicates(region, period, where):
    """Raise if two rows are about the same region and period."""
    order = np.lexsort((period, region))
    same = (np.diff(region[order]) == 0) & (np.diff(period[order]) == 0)
    if same.any():
        first = order[np.flatnonzero(same)[0]]
        hint = "If they are of several regions, name their column (region=...). "
        raise ValueError(
            f"Two rows for {where(first)}. {'' if np.ptp(region) else hint}"
            "Aggregate them to one row per region and period."
        )
