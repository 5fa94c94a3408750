"""What looks wrong in the training rows.

Too few rows, periods without any, a KPI that is stuck, typing errors, a minus sign,
channels and controls that teach nothing: the user decides about each, so each is a
remark, which says what the fit does with it.
"""

from dataclasses import replace

import numpy as np

from skmmm._data import checks
from skmmm._data.kpi_kinds import on_kind
from skmmm._data.scales import gross_outliers
from skmmm._data.tables import BY_PERIOD
from skmmm._utils.labels import counted

_NO_SPEND = (
    "no spend in any training row. The effect stays what was expected beforehand, at "
    "spend as usual in the other channels. Leave such channels out of media, or tell "
    "what is known of them with the parameter priors."
)
_STEADY_SPEND = (
    "spend that hardly moves in any region. The effect cannot be told from the "
    "baseline. Leave such channels out of media, or tell what is known of them with "
    "the parameter priors."
)
_STILL = (
    "the same value in every training row. Such controls teach nothing and are left "
    "out: they contribute nothing, also where they move later."
)
_NAMED = 5  # examples in a message
_FEW = 8  # rows of a region below which they may be the same by chance
_LOSS = 0.9  # share of rows below zero from which a KPI is one of losses
_SAME = 1e-9  # of the largest value: columns that differ by less are the same
_VARIES = 1e-6  # of its size: a KPI that varies by less is constant
_CLOSE = 0.05  # of what is usual: a step, or a range, that is none
_CHANCE = 0.01  # of a stretch as long, by chance, above which it says nothing


def stuck_cells(panel, season_length):
    """Return the training cells in which the KPI is stuck.

    A KPI is stuck where it stands still, or stays close to zero without any spend, for
    eight or more periods in a row, if chance explains a run that long less than once
    in a hundred tables, given how often the KPI of the region stands still elsewhere,
    and if it does not happen again one season before or after. In a region that was
    closed, spend and KPI are zero together, as if media caused everything.

    Parameters
    ----------
    panel : Panel
    season_length : int or None
        Periods of a season. None: rows have no order, and only whole regions can be
        stuck.

    Returns
    -------
    stuck : ndarray of shape (n_regions, n_periods), bool
    """
    stuck = np.zeros(panel.shape, dtype=bool)
    usual = _usual_range(panel)
    for region, counts in enumerate(panel.weight > 0):
        cells = np.flatnonzero(counts)
        y = panel.y[region, cells]
        if len(cells) < _FEW:
            continue
        if np.ptp(y) <= max(_VARIES, _CLOSE * usual) * np.abs(y).mean():
            stuck[region, cells] = True
        elif season_length is not None:
            idle = ~panel.media[region, cells].any(axis=1)
            still, runs = _still_runs(y, idle)
            for first, last in runs:
                run = slice(first, last + 1)
                others = still.copy()
                others[run] = False  # a run of two years is no season of its own
                seasonal = _recurs(cells, others, panel.shape[1], season_length)
                if seasonal[run].mean() < 0.5:
                    stuck[region, cells[run]] = True
    return stuck


def _usual_range(panel):
    """Return the interquartile range of the KPI over its size, of a typical region."""
    ranges = []
    for y, counts in zip(panel.y, panel.weight > 0, strict=True):
        low, high = np.quantile(y[counts], [0.25, 0.75]) if counts.any() else (0, 0)
        if high > low:
            ranges.append((high - low) / np.abs(y[counts]).mean())
    return np.median(ranges) if ranges else 0.0


def _still_runs(y, idle):
    """Return rows of runs of four or more, and runs that chance does not explain.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Of one region, in order of time.
    idle : ndarray of shape (n_rows,), bool
        Rows without any spend.

    Returns
    -------
    still : ndarray of shape (n_rows,), bool
    runs : list of (int, int)
        First and last row.
    """
    step, size = np.abs(np.diff(y)), np.abs(y)
    tiny = _VARIES * size.mean()
    relative = step / np.maximum(np.maximum(size[1:], size[:-1]), tiny)
    moves = relative[step > tiny]
    if not len(moves):  # a drift, step by step too small to see
        return np.zeros(len(y), dtype=bool), []
    close = _CLOSE * np.median(moves)
    closed = idle & (size <= 0.02 * np.median(size))
    steps = (step <= tiny) | (relative <= close) | (closed[1:] & closed[:-1])
    still, runs = np.zeros(len(y), dtype=bool), []
    for first, last in _stretches(steps):
        run = slice(first, last + 1)
        still[run] = last - first >= 3
        level = np.median(y[run])
        about = max(tiny, close * np.abs(level))
        drifts = np.ptp(y[run]) > 2.0 * about and not closed[run].all()
        if last - first < _FEW - 1 or drifts:
            continue
        near = np.abs(y - level) <= about
        near[run] = True
        chance = max(
            _expected_runs(len(step), steps.sum(), last - first),
            _expected_runs(len(y), near.sum(), last - first + 1),
        )
        if chance < _CHANCE:
            runs.append((first, last))
    return still, runs


def _stretches(flags):
    """Return first and one past last position of each run of flags, (n_runs, 2)."""
    return np.flatnonzero(np.diff(np.pad(flags.astype(int), 1))).reshape(-1, 2)


def _recurs(cells, flags, n_periods, season_length):
    """Return for which flags there is another about one season before or after."""
    width = min(2, season_length // 6)
    flagged = np.zeros(n_periods + 2 * (season_length + width), dtype=bool)
    start = season_length + width
    for shift in range(-width, width + 1):
        flagged[start + shift + cells[flags]] = True
    return (
        flagged[start + cells - season_length] | flagged[start + cells + season_length]
    )


def _expected_runs(n, n_still, length):
    """Return how many runs of `length` a random order of `n_still` of `n` has."""
    i = np.arange(length)
    return (n - n_still + 1) * np.prod((n_still - i) / (n - i))


def on_stuck(stuck, panel, regions, calendar):
    """Return what to say of cells in which the KPI is stuck, "" without any.

    Parameters
    ----------
    stuck : ndarray of shape (n_regions, n_periods)
        As `stuck_cells` returned them.
    panel : Panel
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None

    Raises
    ------
    ValueError
        If no training row is left.
    """
    names = []
    for region, own in enumerate(stuck):
        seen = np.flatnonzero(panel.weight[region] > 0)
        for first, past in _stretches(own[seen]):
            ends = seen[[first, past - 1]]
            place = _place(regions, region, calendar, panel.periods[ends])
            names.append(f"{panel.y[region, ends[1]]:g}{place}")
    if not names:
        return ""
    if stuck[panel.weight > 0].all():
        raise ValueError(
            f"The KPI stands still in all training rows, at {_listed(names)}, so there "
            "is nothing that media could have changed. Check its column."
        )
    return (
        "The KPI stands still, or close to zero without spend, in "
        f"{counted(stuck.sum(), 'row')}: at {_listed(names)}. Nothing is learned from "
        "them, and predictions there are those of usual periods. Correct them, or "
        "leave them out if a region was closed or not tracked then."
    )


def kpi_outliers(panel, season_length):
    """Return how far KPIs that can hardly be right are from what is usual.

    Peaks that come again about one season before or after are none of these.

    Parameters
    ----------
    panel : Panel
    season_length : int or None
        Periods of a season.

    Returns
    -------
    distance : ndarray of shape (n_regions, n_periods)
        As of `skmmm._data.scales.gross_outliers`.
    """
    outliers = gross_outliers(panel.y, panel.weight > 0)
    if season_length is None:
        return outliers
    cells = np.arange(panel.shape[1])
    for own in outliers:
        own[_recurs(cells, own > 0, len(own), season_length)] = 0.0
    return outliers


def on_outliers(outliers, panel, regions, calendar):
    """Return what to say of KPIs that can hardly be right, "" without any.

    Parameters
    ----------
    outliers : ndarray of shape (n_regions, n_periods)
        As `kpi_outliers` returned them.
    panel : Panel
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    """
    if not outliers.any():
        return ""
    order = np.argsort(-outliers, axis=None, kind="stable")[: (outliers > 0).sum()]
    names = []
    for region, period in np.transpose(np.unravel_index(order, outliers.shape)):
        place = _place(regions, region, calendar, panel.periods[[period]])
        names.append(f"{panel.y[region, period]:g}{place}")
    return (
        f"The KPI can hardly be right in {counted(len(names), 'row')}: "
        f"{_listed(names)}. They count for little in the fit. Correct them or leave "
        "them out; if they are right, add a control that says what happened then."
    )


def isolated_values(values, counts, season_length):
    """Return which values of a column of X are far above all others.

    These are thirty times the median of their region, and ten times what nine in ten
    values stay below (zeros left out) and the two values on either side; they do not
    come again one season before or after.

    Parameters
    ----------
    values : ndarray of shape (n_regions, n_periods)
    counts : ndarray of shape (n_regions, n_periods), bool
        Training rows.
    season_length : int or None
        None: rows have no order.

    Returns
    -------
    isolated : ndarray of shape (n_regions, n_periods), bool
    """
    size = np.where(counts, np.abs(values), 0.0)
    isolated = np.zeros(size.shape, dtype=bool)
    for own, found in zip(size, isolated, strict=True):
        some = own[own > 0]
        if len(some) < _FEW:
            continue
        high = np.quantile(some, 0.9, method="lower")  # never the largest itself
        found[:] = own > max(30.0 * np.median(some), 10.0 * high)
        if season_length is not None and found.any():
            cells = np.arange(len(own))
            padded = np.pad(own, 2)
            beside = [padded[2 + shift + cells] for shift in (-2, -1, 1, 2)]
            found &= own > 10.0 * np.max(beside, axis=0)
            found &= ~_recurs(cells, found, len(own), season_length)
    return isolated


def on_isolated(label, values, isolated, panel, regions, calendar):
    """Return what to say of isolated values of a column, "" without any.

    Parameters
    ----------
    label : str or int
        Name of the column.
    values, isolated : ndarray of shape (n_regions, n_periods)
        As of `isolated_values`.
    panel : Panel
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    """
    names = [
        f"{values[region, period]:g}"
        f"{_place(regions, region, calendar, panel.periods[[period]])}"
        for region, period in np.argwhere(isolated)
    ]
    if not names:
        return ""
    return (
        f"Column {label!r} can hardly be right in {counted(len(names), 'row')}: "
        f"{_listed(names)}. What is learned of it depends on them. Correct them; if "
        "they are right, a control that says what happened then may help."
    )


def loss_regions(panel):
    """Return in which regions the KPI is negative nearly throughout, (n_regions,)."""
    weight = panel.weight.sum(axis=1)
    below = (panel.weight * (panel.y < 0)).sum(axis=1)
    return (weight > 0) & (below > _LOSS * weight)


def on_losses(panel, regions):
    """Return what to say of regions with a negative KPI, "" without any."""
    below = loss_regions(panel)
    if not below.any():
        return ""
    where = ""
    if not below[panel.weight.any(axis=1)].all():
        names = [str(region) for region in regions[below]]
        where = f" in {_listed(names)} and positive elsewhere"
    return (
        f"The KPI is negative nearly throughout{where}, so it is open whether media "
        "raise or lower it: the effect of every channel may have either sign. If less "
        "is better, change the sign of the KPI; if it is profit, fit revenue instead."
    )


def on_not_learned(panel, columns):
    """Return what to say of columns from which training rows teach nothing, a list."""
    counts = panel.weight > 0
    # What reach and frequency make together does not stand still if one moves.
    often = np.zeros(()) if panel.frequency is None else panel.frequency
    often = np.where(often > 0, often, 1.0)
    reason = checks.why_not_learned(panel.media * often, counts)
    still = np.isfinite(checks.still_value(panel.controls[counts]))
    said = []
    for labels, which, consequence in (
        (columns.media, reason == "zero", _NO_SPEND),
        (columns.media, reason == "steady", _STEADY_SPEND),
        (columns.controls, still, _STILL),
    ):
        if which.any():
            names = [c for c, w in zip(labels, which, strict=True) if w]
            said.append(f"{checks.in_words(names)}: {consequence}")
    return said


def on_twins(panel, columns):
    """Return what to say of media columns that are the same, a list."""
    counts = panel.weight > 0
    # A frequency of its own tells two channels of the same reach apart.
    grids = [panel.media] if panel.frequency is None else [panel.media, panel.frequency]

    def shares_of(m):
        """Return what a channel has in each row, as shares of the largest."""
        return [_of_largest(np.nan_to_num(grid[..., m][counts])) for grid in grids]

    n_media = len(columns.media)  # one at a time: panels may be large
    ends = [
        (own.min(), own.mean(), own.max()) for own, *_ in map(shares_of, range(n_media))
    ]

    def same(i, j):
        """Return whether two columns are the same, but for their unit."""
        return np.allclose(ends[i], ends[j], rtol=_SAME, atol=0.0) and all(
            np.abs(own - other).max() <= _SAME
            for own, other in zip(shares_of(i), shares_of(j), strict=True)
        )

    said, left = [], [m for m, (low, _, high) in enumerate(ends) if low < high]
    while left:
        first = left.pop(0)
        twins = [k for k in left if same(first, k)]
        left = [k for k in left if k not in twins]
        if twins:
            names = [columns.media[k] for k in (first, *twins)]
            said.append(
                f"{checks.in_words(names)}: the same values, but for their unit. Rows "
                "tell what these columns cause together, not which of them causes it. "
                "Leave out all but one, or say what is known of each with priors or "
                "experiments."
            )
    return said


def _of_largest(values):
    """Return values of a column as shares of the largest."""
    largest = values.max(initial=0.0)
    return values / (largest if largest > 0 else 1.0)


def on_missing_periods(panel, calendar):
    """Return what to say of periods without a row in any region, "" without any."""
    if calendar is None:
        return ""
    missing = panel.periods[~panel.observed.any(axis=0)]
    if not len(missing):
        return ""
    return (
        f"{counted(len(missing), 'period')} between the first and the last "
        f"{'has' if len(missing) == 1 else 'have'} no row in any region: "
        f"{_listed([calendar.label(period) for period in missing])}. Nothing is "
        "learned there, and spend there counts as unknown, not as zero. Add rows if "
        f"spend and KPI are known, or set gap='mask' if they are not. {BY_PERIOD}"
    )


def on_few_rows(panel, columns, calendar):
    """Return what to say of training rows that are too few, "" if there are enough.

    Enough are two rows for each parameter of channels (effect, carry-over, saturation)
    and controls, and in one series a season, which repeats nowhere else.
    """
    if calendar is None:
        return ""
    n_rows = int((panel.weight > 0).sum())
    enough = 2 * (3 * len(columns.media) + len(columns.controls))
    if panel.shape[0] == 1:
        enough = max(enough, calendar.season_length)
    if n_rows >= enough:
        return ""
    season = ", and no less than one season" if panel.shape[0] == 1 else ""
    return (
        f"There are only {n_rows} training rows. To tell channels apart from each "
        f"other, from season and from trend, take at least {enough}: two for each "
        f"parameter of channels and controls{season}. Most effects stay what was "
        "expected beforehand. Add history or regions, use fewer channels, or tell "
        "what is known of them with the parameter priors."
    )


def remarks_on(
    panel, learned, stuck, outliers, columns, regions, calendar, *, gaps_known
):
    """Return all remarks on the training rows, a list of str.

    Parameters
    ----------
    panel, learned : Panel
        With the weights of the user, and `without` stuck cells.
    stuck : ndarray of shape (n_regions, n_periods), bool
    outliers : ndarray of shape (n_regions, n_periods)
    columns : Columns
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    gaps_known : bool
        Whether the user has said what to do with periods without rows.

    Raises
    ------
    ValueError
        If the KPI is stuck in all training rows.
    """
    season_length = None if calendar is None else calendar.season_length
    told = regions, calendar
    said = [
        on_few_rows(learned, columns, calendar),
        "" if gaps_known else on_missing_periods(panel, calendar),
        on_stuck(stuck, panel, *told),
        on_outliers(outliers, learned, *told),
        on_losses(learned, regions),
        *on_kind(learned, regions, calendar),
    ]
    for labels, block in (
        (columns.media, learned.media),
        (columns.controls, learned.controls),
    ):
        for label, values in zip(labels, np.moveaxis(block, 2, 0), strict=True):
            isolated = isolated_values(values, learned.weight > 0, season_length)
            said.append(on_isolated(label, values, isolated, learned, *told))
    said += [*on_twins(learned, columns), *on_not_learned(learned, columns)]
    return [text for text in said if text]


def without(panel, stuck):
    """Return the panel with stuck cells at weight zero."""
    return replace(panel, weight=np.where(stuck, 0.0, panel.weight))


def _place(regions, region, calendar, periods):
    """Return " (region north, 2024-01-01 to 2024-03-04)", as far as there are such."""
    told = [f"region {regions[region]}"] if len(regions) > 1 else []
    if calendar is not None:
        told.append(" to ".join(calendar.label(period) for period in periods))
    return f" ({', '.join(told)})" if told else ""


def _listed(names):
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
