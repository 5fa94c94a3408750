"""What the data hold, before any fit: columns over time and how they move together."""

from __future__ import annotations

from textwrap import wrap
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import (
    as_frame,
    check_no_duplicates,
    check_not_empty,
    check_target,
    labels_of,
    numeric_column,
    region_values,
    resolve_columns,
)
from skmmm._data.periods import one_of, several
from skmmm._data.tables import row_namer
from skmmm._unwrapping import parameter_of, rows_of, unwrap
from skmmm._utils.labels import counted
from skmmm._utils.typing import Array, Column, Columns, Table
from skmmm.plotting._rows import FEWEST, Rows, correlation_within
from skmmm.plotting._style import (
    INK,
    OTHERS,
    TINY,
    AxesOrNone,
    Panels,
    add_title,
    channel_colors,
    display,
    draw_band,
    draw_colorbar,
    format_time,
    plain_text,
    shorten,
    tidy_panel,
)

ALIKE = 0.8  # correlation beyond which two columns are named
_ROLES = (
    "media",
    "controls",
    "region",
    "time",
    "population",
    "media_cost",
    "frequency",
)
_MOST_PAIRS = 6  # named in the picture
# Behind periods in which regions lack a value: by their share, up to all of them.
_PARTLY, _MISSING = "#F6DF8E", "#F2B79A"
_SHADES = ((0.0, 0.2), (0.05, 0.5), (0.25, 1.0))  # share from, opacity


@display
class InputDataDisplay(Panels):
    """KPI, media and controls over time, what is missing, and what moves together.

    Needs no fitted model: it is the first look at the data.

    Parameters
    ----------
    series : DataFrame indexed by role, column and time
        ``value`` in the units of the data: the sum over regions of the KPI and of
        media, the mean of controls; ``low`` and ``high``: the lowest and the highest
        region; ``known`` and ``present``: share of the regions that have a value, and a
        row. The roles are "kpi", "media" and "control"; every period from the first to
        the last has a row.
    correlation : DataFrame of shape (n_columns, n_columns)
        Of media and controls within regions; NaN of columns that do not move, and of
        two that have fewer than 10 rows in common.
    missing_rows : Series, default=None
        Rows that each region lacks between the first and the last period.

    Attributes
    ----------
    axes_ : ndarray of shape (1 + n_columns,) of Axes
        KPI, media and controls over time.
    lines_ : list of Line2D
    bands_ : list of PolyCollection or None
        From the lowest to the highest region, of controls; None with one region.
    gaps_ : list of list of Rectangle
        Behind periods where all regions, or some, have no value.
    correlation_ax_ : Axes or None
        None with fewer than two columns, as `image_`.
    image_ : AxesImage or None
    note_ : Text
        What stands out, in words.

    See Also
    --------
    FitDisplay : The KPI and what a model makes of it.

    Notes
    -----
    Correlation is of deviations from the mean of a region, over the rows in which both
    columns have a value: what always moves together inside regions cannot be told apart
    by any model. A value that is missing is a gap; the sum over regions then is of
    those that have one, and its background says so.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import InputDataDisplay
    >>> world = make_mmm_panel(3, 60, n_media=2, random_state=0)
    >>> display = InputDataDisplay.from_frame(
    ...     world.X, world.y, media=world.media, controls=world.controls,
    ...     region="region", time="week",
    ... )
    >>> len(display.lines_)
    5
    >>> display.findings()[0]
    'No row is missing.'
    """

    _row_height = 1.3

    series: pd.DataFrame
    correlation: pd.DataFrame
    missing_rows: pd.Series | None = None
    period: str = "period"

    @classmethod
    def from_frame(
        cls,
        X: Table,
        y: npt.ArrayLike,
        *,
        time: Column,
        media: Columns = None,
        controls: Columns = None,
        region: Column | None = None,
        ax: AxesOrNone = None,
    ) -> Self:
        """Read a table and plot; values may be missing (NaN).

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,)
            KPI. The name of a Series names it.
        time : str or int
            Column with the period.
        media : list of str or int, or callable, default=None
            None: every column that is not named otherwise.
        controls : list of str or int, or callable, default=None
        region : str or int, default=None
            None: one series.

        Raises
        ------
        ValueError
            If a column is not there or holds text, a region and period has two rows,
            or times follow no regular grid.
        """
        roles = {"media": media, "controls": controls, "region": region, "time": time}
        return cls(**_read(X, y, roles)).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        y: npt.ArrayLike | None = None,
        *,
        ax: AxesOrNone = None,
    ) -> Self:
        """Read the data of an estimator by the roles of its columns, and plot.

        Parameters
        ----------
        estimator : estimator
            With the parameters ``media``, ``controls``, ``region`` and ``time``; it
            need not be fitted. X is shown as it is before the steps of a pipeline.
        X : DataFrame, array-like of shape (n_rows, n_columns) or Effects, default=None
            None: the training rows of a fitted
            :class:`~skmmm.DeepCausalMMMRegressor`.
        y : array-like of shape (n_rows,), default=None
            Their KPI; None if and only if `X` is.
        """
        if (X is None) != (y is None):
            raise ValueError("Pass X and y together, or none for the training rows.")
        model = unwrap(estimator).model
        if X is not None and y is not None:
            roles = {name: parameter_of(model, name) for name in _ROLES}
            return cls(**_read(rows_of(X), y, roles)).plot(ax=ax)
        if not hasattr(model, "_model"):
            raise ValueError(
                f"{type(model).__name__} keeps no training rows: pass X and y."
            )
        fit = model._fitted_to()
        # There roles are positions, whatever columns are called.
        frame = fit.frame.set_axis([str(label) for label in fit.frame], axis=1)
        roles = {name: fit.roles.get(name) for name in _ROLES}
        return cls(**_read(frame, fit.y, roles)).plot(ax=ax)

    def findings(self) -> list[str]:
        """Say what stands out: what is missing, does not move or moves together.

        Returns
        -------
        sentences : list of str
        """
        return [*self._gaps(), *self._still(), *self._together()]

    def alike(self) -> pd.DataFrame:
        """Return the pairs of columns with a correlation beyond 0.8 either way.

        Returns
        -------
        pairs : DataFrame
            ``first``, ``second`` and ``correlation``, the closest first.
        """
        values = self.correlation.to_numpy(dtype=float)
        i, j = np.nonzero(np.triu(np.abs(values) > ALIKE, 1))
        order = np.argsort(-np.abs(values[i, j]), kind="stable")
        names = self.correlation.columns
        return pd.DataFrame(
            {
                "first": names[i[order]],
                "second": names[j[order]],
                "correlation": values[i[order], j[order]],
            }
        )

    @property
    def _n_regions(self):
        return 1 if self.missing_rows is None else len(self.missing_rows)

    def _gaps(self):
        """Return sentences on missing rows and values."""
        missing, present = self.missing_rows, self.series["present"]
        kpi = present.xs("kpi", level="role")
        n_missing = 0 if missing is None else int(missing.sum())
        said = [] if n_missing else ["No row is missing."]
        empty = kpi.index.get_level_values("time")[kpi.to_numpy() == 0.0]
        if len(empty):
            unit = one_of(self.period) if len(empty) == 1 else several(self.period)
            said.append(
                f"{len(empty):,} {unit} without any row, the first "
                f"{str(empty[0])[:10]}."
            )
        some = n_missing - len(empty) * self._n_regions
        if missing is not None and some > 0:
            worst = missing.idxmax()
            said.append(
                f"{counted(some, 'row')} of single regions missing, most of "
                f"{_short(worst)}."
            )
        lost = (present - self.series["known"]).groupby(["role", "column"], sort=False)
        for (_, column), n_lost in (lost.sum() * self._n_regions).round().items():
            if n_lost:
                values = counted(int(n_lost), "value")
                said.append(f"{_short(column)}: {values} missing.")
        return said

    def _still(self):
        """Return a sentence on columns that never move within a region."""
        values = self.correlation.to_numpy(dtype=float)
        still = self.correlation.columns[np.isnan(np.diag(values))]
        where = " within a region" if self._n_regions > 1 else ""
        return [f"{_short(name)} never moves{where}." for name in still]

    def _together(self):
        """Return sentences on pairs of columns that move together."""
        pairs = self.alike()
        n_compared, apart = self._compared()
        if pairs.empty:
            beyond = f"No two columns are beyond |r| = {ALIKE}."
            return ([beyond] if n_compared else []) + apart
        said = [
            f"{_short(p.first)} and {_short(p.second)} move together: r = "
            f"{p.correlation:+.2f}."
            for p in pairs[:_MOST_PAIRS].itertuples()
        ]
        more = len(pairs) - _MOST_PAIRS
        said += [f"{more} more pairs beyond |r| = {ALIKE}."] if more > 0 else []
        return said + apart

    def _compared(self):
        """Return how many pairs have a correlation, and what to say of the others."""
        values = self.correlation.to_numpy(dtype=float)
        moves = np.isfinite(np.diag(values))
        i, j = np.nonzero(np.triu(moves[:, None] & moves, 1))
        known = np.isfinite(values[i, j])
        if known.all():
            return len(known), []
        names = self.correlation.columns
        first, *others = zip(names[i[~known]], names[j[~known]], strict=True)
        also = f", nor {counted(len(others), 'other pair')}" if others else ""
        return int(known.sum()), [
            f"{_short(first[0])} and {_short(first[1])} cannot be compared{also}: "
            f"fewer than {FEWEST} rows have both values."
        ]

    def _columns(self):
        """Return role and name of each panel."""
        index = self.series.index
        return list(index.droplevel("time").unique())

    def _n_panels(self):
        return len(self._columns())

    def _n_columns(self):
        return 2 if self._n_panels() <= 4 else 3

    def _figure_size(self):
        width, height = super()._figure_size()
        return (width, height + self._height_below())

    def _height_below(self):
        """Return the height of the correlation matrix, in inches."""
        n_columns = len(self.correlation)
        return 0.8 if n_columns < 2 else 1.2 + 0.19 * max(n_columns, 6)

    def _draw(self, ax):
        ax.set_axis_off()
        _, above = super()._figure_size()
        grid = ax.get_subplotspec().subgridspec(
            2, 1, height_ratios=[above, self._height_below()]
        )
        columns = self._columns()
        upper = self.figure_.add_subplot(grid[0])
        title = f"The data per {one_of(self.period)}, each column in its own unit"
        self._make_panels(upper, [name for _, name in columns], title)
        self.bounding_ax_ = ax
        self._draw_series(columns)
        self.correlation_ax_ = self.image_ = None
        place = grid[1]
        if len(self.correlation) > 1:
            left, place = grid[1].subgridspec(1, 2, width_ratios=[1.55, 1.0])
            self.correlation_ax_ = self.figure_.add_subplot(left)
            self._draw_correlation(self.correlation_ax_)
        self._draw_note(self.figure_.add_subplot(place))

    def _draw_series(self, columns):
        self.lines_, self.bands_, self.gaps_ = [], [], []
        by_column = self.series.groupby(["role", "column"], sort=False)
        rows = {key: own.droplevel(["role", "column"]) for key, own in by_column}
        media = channel_colors(sum(role == "media" for role, _ in columns))
        for i, (panel, key) in enumerate(zip(self.axes_, columns, strict=True)):
            color = {"kpi": INK, "control": OTHERS}.get(key[0]) or media[i - 1]
            self._draw_one(panel, rows[key], color, key[0] == "control")
        lowest = len(columns) - self._n_columns()
        for i, panel in enumerate(self.axes_):
            panel.tick_params(labelbottom=i >= lowest)
        if self.period == "integer":
            self._label_panels("period")
        self._name_artists(columns)

    def _draw_one(self, ax, rows, color, is_control):
        times = rows.index.to_numpy()
        self.gaps_.append(_shade_gaps(ax, times, rows["known"].to_numpy()))
        band = None
        if is_control and self._n_regions > 1:
            band = draw_band(ax, times, rows["low"], rows["high"], color)
        self.bands_.append(band)
        value = rows["value"].to_numpy()
        (line,) = ax.plot(times, value, color=color, lw=1.0)
        alone = _stands_alone(value)
        if alone.any():
            line.set(marker=".", markersize=4.0, markevery=np.flatnonzero(alone))
        self.lines_.append(line)
        tidy_panel(ax)
        format_time(ax, times, n_ticks=4)
        ax.set_xlabel("")
        if not is_control and np.nanmin(value, initial=0.0) >= 0.0:
            ax.set_ylim(bottom=0.0)

    def _name_artists(self, columns):
        from matplotlib.patches import Patch

        n, several_regions = self._n_regions, self._n_regions > 1
        found = self.series["known"]
        roles = [role for role, _ in columns]
        handles = {}
        if several_regions:
            handles[f"sum of {n:,} regions"] = self.lines_[0]
            if "control" in roles:
                at = roles.index("control")
                handles["mean"] = self.lines_[at]
                handles["lowest to highest"] = self.bands_[at]
        if (found == 0.0).any():
            handles["no value"] = Patch(color=_MISSING)
        if ((found > 0.0) & (found < 1.0)).any():
            handles["some regions missing"] = Patch(color=_PARTLY)
        if handles:
            self._draw_legend(handles)

    def _draw_correlation(self, ax):
        table = self.correlation.to_numpy(dtype=float)
        size = len(table)
        shown = np.where(np.tri(size, k=-1, dtype=bool), table, np.nan)
        self.image_ = ax.imshow(shown, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
        small = TINY if size <= 8 else 6.0 if size <= 14 else 5.0
        for i, j in np.argwhere(np.tri(size, k=-1) > 0):
            if np.isfinite(table[i, j]) and size <= 20:
                strong = abs(table[i, j]) > ALIKE
                ax.text(
                    j,
                    i,
                    _one_digit(table[i, j]),
                    ha="center",
                    va="center",
                    fontsize=small,
                    weight="bold" if strong else "normal",
                    color="white" if abs(table[i, j]) > 0.7 else INK,
                )
        names = [plain_text(n) for n in shorten(list(self.correlation), 20)]
        # The first has no row, the last no column below the diagonal.
        ax.set_xticks(np.arange(size), names, rotation=40, ha="right")
        ax.xaxis.set_tick_params(rotation_mode="anchor")
        ax.set_yticks(np.arange(size), names)
        ax.tick_params(labelsize=TINY if size <= 12 else 6.0, length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlim(-0.5, size - 1.5)
        ax.set_ylim(size - 0.5, 0.5)
        draw_colorbar(ax, self.image_, "correlation", shrink=0.7, aspect=22, pad=0.02)
        where = ", within regions" if self._n_regions > 1 else ""
        add_title(ax, f"What moves together{where}")

    def _draw_note(self, ax):
        ax.set_axis_off()
        lines = [
            wrap(
                plain_text(text.replace(" = ", "\u00a0=\u00a0")),
                30,
                initial_indent="• ",
                subsequent_indent="   ",
            )
            for text in self.findings()
        ]
        text = "\n".join(line for sentence in lines for line in sentence)
        self.note_ = ax.text(
            0.0, 1.0, text, va="top", fontsize=TINY, transform=ax.transAxes
        )
        self.note_.set_in_layout(False)
        add_title(ax, "What stands out")


def _read(X: Any, y: npt.ArrayLike, roles: dict[str, Any]) -> dict[str, Any]:
    """Return what `InputDataDisplay` holds, or raise."""
    frame = as_frame(X).infer_objects()
    check_not_empty(frame)
    columns = resolve_columns(frame, **roles)
    if columns.time is None:
        raise ValueError(
            "A picture over time needs the column with the period: pass time=..., or "
            "an estimator with a time column."
        )
    where = row_namer(frame, columns.region, columns.time)
    regions, code = np.array(["all"]), np.zeros(len(frame), dtype=np.int64)
    if columns.region is not None:
        named = region_values(frame, columns.region)
        regions, code = np.unique(named, return_inverse=True)
    calendar = infer_calendar(frame[columns.time], columns.time, code)
    period = calendar.ordinals(frame[columns.time], columns.time)
    check_no_duplicates(code, period, where)
    n_periods = int(period.max()) + 1
    times = pd.Index([calendar.value(t) for t in range(n_periods)])
    media, controls = (
        [label for label in labels_of(frame) if label in chosen]
        for chosen in (columns.media, columns.controls)
    )
    role = dict.fromkeys(media, "media") | dict.fromkeys(controls, "control")
    values = {label: _with_gaps(frame[label], label, where) for label in role}

    def on_grid(rows):
        grid = np.full((len(regions), n_periods), np.nan)
        grid[code, period] = rows
        return grid

    name = str(getattr(y, "name", None) or "KPI")
    columns_of = {("kpi", name): _kpi(y, frame, where)}
    columns_of |= {(role[label], label): rows for label, rows in values.items()}
    present = np.isfinite(on_grid(0.0))
    series = {
        key: _over_regions(on_grid(rows), present, key[0])
        for key, rows in columns_of.items()
    }
    return {
        "series": pd.concat(
            {key: table.set_axis(times) for key, table in series.items()},
            names=["role", "column", "time"],
        ),
        "correlation": correlation_within(pd.DataFrame(values), code),
        "missing_rows": pd.Series(
            n_periods - np.bincount(code, minlength=len(regions)),
            pd.Index(regions, name="region"),
        ),
        "period": calendar.unit,
    }


def _kpi(y, frame, where):
    """Return the KPI, NaN where it is missing, or raise."""
    values = pd.Series(np.ravel(np.asarray(y)))
    gone = values.isna().to_numpy()
    filled = check_target(values.mask(gone, 0.0).to_numpy(), len(frame), where)
    return np.where(gone, np.nan, filled)


def _with_gaps(column, label, where):
    """Return a column of numbers, NaN where they are missing, or raise."""
    gone = column.isna().to_numpy()
    filled = column.mask(gone, 0.0) if gone.any() else column
    return np.where(gone, np.nan, numeric_column(filled, label, where))


def _over_regions(grid: Array, present: Array, role: str) -> pd.DataFrame:
    """Return sum or mean over regions, their range, how many have a value, or a row."""
    known = np.isfinite(grid)
    some = known.any(axis=0)
    total = np.where(known, grid, 0.0).sum(axis=0)
    value = total / np.maximum(known.sum(axis=0), 1) if role == "control" else total
    low = np.where(known, grid, np.inf).min(axis=0)
    high = np.where(known, grid, -np.inf).max(axis=0)
    parts = {"value": value, "low": low, "high": high}
    table = pd.DataFrame({name: np.where(some, v, np.nan) for name, v in parts.items()})
    return table.assign(known=known.mean(axis=0), present=present.mean(axis=0))


def _stands_alone(value):
    """Return which values have no neighbour to draw a line to, bool."""
    known = np.pad(np.isfinite(value), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _shade_gaps(ax, times, known):
    """Shade periods where all, or some, have no value; return the shades."""
    shades: list = []
    kind = sum((1.0 - known > share).astype(int) for share, _ in _SHADES)
    kind = np.where(known == 0.0, len(_SHADES) + 1, kind)
    if len(times) < 2:
        return shades
    half = (times[1] - times[0]) / 2
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(kind)], strict=True):
        if kind[start]:
            color, opacity = _MISSING, 1.0
            if kind[start] <= len(_SHADES):
                color, opacity = _PARTLY, _SHADES[kind[start] - 1][1]
            shades.append(
                ax.axvspan(
                    times[start] - half,
                    times[end - 1] + half,
                    color=color,
                    alpha=opacity,
                    lw=0,
                    zorder=0,
                )
            )
    return shades


def _one_digit(value):
    """Return a correlation as text, such as −.3."""
    sign = "\u2212" if round(value, 1) < 0.0 else ""
    return sign + f"{abs(value):.1f}".removeprefix("0")


def _short(name):
    return shorten([name], 26)[0]
