"""What all displays share: colours, names, numbers, axes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, dataclass_transform

import numpy as np

from skmmm._data.periods import one_of
from skmmm._storage.files import replacing
from skmmm._utils.docs import section, shared_docs
from skmmm._utils.labels import called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesOrNone: TypeAlias = Axes | None
else:
    AxesOrNone = Any  # matplotlib is imported when something is drawn

# Colours that people with colour vision deficiency can tell apart (Okabe and Ito,
# 2008, Color Universal Design), in an order where neighbours differ in lightness.
CHANNEL_COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
)
BLUE, VERMILLION, INK = "#0072B2", "#D55E00", "#333333"
BASELINE, OTHERS, SHADE = "#D5D5D5", "#8C8C8C", "#F3F3F3"
WIDTH = 6.4  # inches; text of 8 points stays readable at 600 pixels
TITLE, SMALL, TINY = 10.0, 8.5, 7.5  # points


def channel_colors(n_channels):
    """Return a colour such as "#0072B2" for each channel, by its position in the data.

    All displays and the report use this function, so that a channel has one colour.
    After the first round the colours come darker, then lighter, then darker still.
    """
    return [_channel_color(m) for m in range(n_channels)]


def _channel_color(m):
    turn, place = divmod(m, len(CHANNEL_COLORS))
    color = CHANNEL_COLORS[place]
    kept = 0.62 ** ((turn + 1) // 2)  # of its distance from black or white
    end = 0 if turn % 2 else 255
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(end + kept * (c - end)):02X}" for c in parts)


_Class = TypeVar("_Class", bound="type[Display]")
_PARAMETERS = """
estimator : estimator
    Fitted: :class:`~skmmm.DeepCausalMMMRegressor`, or any that :mod:`skmmm.inspection`
    accepts, with X.
X : DataFrame, array-like of shape (n_rows, n_columns) or Effects, default=None
    None: the training rows.
X_test, y_test : as `X` and `y`, default=None
    Later rows, which the model has not seen.
channels : list of str or int, default=None
    None: all channels with spend, the largest contribution first.
ax : Axes, default=None
    Where to draw; panels take the place of a subplot. None: a new figure.
confidence_level : float in (0, 1), default=0.9
    Of the intervals.
kpi_name : str, default="KPI"
    For the axes.
spend_name : str, default="spend"
    For the axes.
period : str, default="period"
    Length of a period, for the axes.
"""
_RETURNS = """
display : object
    The display, with the artists as attributes.
"""


@dataclass_transform(kw_only_default=True, eq_default=False)
def display(cls: _Class) -> _Class:
    """Make a class a dataclass of what it shows, and complete its docstrings."""
    dataclass(kw_only=True, eq=False, repr=False)(cls)
    makers = " or ".join(f":meth:`{m}`" for m in vars(cls) if m.startswith("from_"))
    intro = f"Usually made by {makers}. All parameters are stored as attributes."
    known = f"{_PARAMETERS}{section(cls.plot)}\n{section(cls)}"
    shared_docs(_PARAMETERS, attributes=cls._attributes, intro=intro)(cls)
    for name, member in vars(cls).items():
        if name == "plot" or name.startswith("from_"):
            function = getattr(member, "__func__", member)
            shared_docs(known, returns=_RETURNS)(function)
    return cls


def own_name(name, names):
    """Return a name that no column in `names` has, such as "level (model)"."""
    taken = {str(other) for other in names}
    while name in taken:
        name = f"{name} (model)"
    return name


def format_number(value, digits=3, *, trim=True):
    """Return a number as people write it: 1.25 M, 340 k, 0.012.

    `digits` counts significant digits, `trim` leaves out zeros at the end. A thin space
    stands before the suffix.
    """
    if not np.isfinite(value):
        return str(float(value))
    unit, suffix = unit_of(value, digits)
    return _plain(value / unit, digits, trim) + suffix


def unit_of(value, digits=3):
    """Return the unit in which people write a number, and its letters."""
    for unit, suffix in ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k")):
        # 999 600 with three digits is 1 M, not 1000 k.
        if abs(float(f"{value:.{digits}g}")) >= unit:
            return unit, f"\u2009{suffix}"
    return 1.0, ""


def _plain(value, digits, trim):
    """Return digits without exponent."""
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0.0:
        return "0"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(rounded)))))
    text = f"{rounded:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if trim and "." in text else text


def shorten(names, width):
    """Return names of at most `width` characters that stay different.

    They are cut at the end; where that makes names equal, in the middle; where that
    does not help, they are numbered.
    """
    names = [" ".join(called(name).split()) for name in names]
    for cut in (_cut_end, _cut_middle):
        short = [cut(name, width) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return [_cut_end(f"{i}: {name}", width) for i, name in enumerate(names, 1)]


def _cut_end(name, width):
    return name if len(name) <= width else name[: width - 1].rstrip("_ .-") + "…"


def _cut_middle(name, width):
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"


def wrap(name, width, n_lines=2):
    """Return a name on at most `n_lines` lines, broken after separators."""
    lines = [""]
    # Pieces end with a separator; a piece longer than a line is cut hard.
    for piece in re.findall(rf"[^\s_.-]{{1,{width - 1}}}[\s_.-]?|[\s_.-]", name):
        if len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    if len(lines) > n_lines:
        last = "".join(lines[n_lines - 1 :])
        lines = [*lines[: n_lines - 1], _cut_end(last, width)]
    return "\n".join(line.strip() for line in lines)


def plain_text(name):
    """Return a name that matplotlib prints as it is."""
    name = str(name).replace("$", r"\$")
    # Labels with a leading underscore stay out of legends.
    return f" {name}" if name.startswith("_") else name


class Display:
    """Base class of displays: makes a figure where no axes are given, and saves it.

    Subclasses write `_draw(ax)`.
    """

    _attributes = """
    ax_ : Axes
    figure_ : Figure
    """

    def _figure_size(self):
        return (WIDTH, 3.4)

    @shared_docs(_PARAMETERS, returns=_RETURNS)
    def plot(self, ax: AxesOrNone = None) -> Self:
        """Draw."""
        self._draw(self._axes(ax))
        return self

    def _draw(self, ax):
        raise NotImplementedError

    def _axes(self, ax):
        if ax is None:
            from matplotlib import pyplot as plt

            figure = plt.figure(figsize=self._figure_size(), layout="constrained")
            ax = figure.add_subplot()
        self.ax_ = ax
        self.figure_ = ax.figure
        return ax

    def save(self, path: str | Path, *, dpi: float = 150, **options: Any) -> Self:
        """Draw on a new figure, without a window, and save it to a file.

        An existing file is replaced completely, or not at all if saving fails.

        Parameters
        ----------
        path : str or path-like
            The ending names the format: png, svg, pdf.
        dpi : float, default=150
            Pixels per inch; pictures are 6.4 inches wide.
        **options : dict
            Passed to `plot`.

        Returns
        -------
        display : object
            The display itself.
        """
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        figure = Figure(figsize=self._figure_size(), layout="constrained")
        self.plot(ax=figure.add_subplot(), **options)
        # Equal pictures are equal files: without a date, without random names.
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "skmmm"}):
            figure.savefig(temporary, dpi=dpi, metadata=_no_date(temporary))
        return self


def _no_date(path):
    """Return metadata that leave out when a file was written."""
    names = {".svg": "Date", ".pdf": "CreationDate"}
    name = names.get(path.suffix.lower())
    return None if name is None else {name: None}


def tidy(ax, *, values="y"):
    """Remove the frame at the top and right, and shorten tick labels."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    axis = ax.yaxis if values == "y" else ax.xaxis
    shorten_ticks(axis)
    axis.grid(True, color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)


def tidy_rows(ax):
    """Tidy a picture with one row per name."""
    tidy(ax, values="x")
    ax.tick_params(axis="y", length=0)


def draw_colorbar(ax, artist, label, **options):
    bar = ax.figure.colorbar(artist, ax=ax, **options)
    bar.set_label(label, fontsize=TINY)
    bar.ax.tick_params(labelsize=TINY)
    bar.outline.set_visible(False)
    return bar


def shorten_ticks(axis):
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 4)))


def format_time(ax, times, n_ticks=8):
    """Format the horizontal axis as dates or whole numbers."""
    from matplotlib import dates, ticker

    if np.issubdtype(times.dtype, np.datetime64):
        locator = dates.AutoDateLocator(minticks=2, maxticks=n_ticks)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(ticker.MaxNLocator(n_ticks, integer=True))
        ax.set_xlabel("period", fontsize=SMALL)
    ax.margins(x=0.01)


def width_of(ax):
    """Return the width of axes in inches, about, before the layout is known."""
    return ax.get_position().width * ax.figure.get_figwidth()


def _n_columns(ax, handles):
    """Return how many entries of a legend fit beside each other, 1.2 inches each."""
    return min(len(handles), max(2, int(width_of(ax) / 1.2)))


def legend_above(ax, handles):
    """Draw a legend above the axes, with larger markers for scatter plots."""
    clouds = any(type(handle).__name__ == "PathCollection" for handle in handles)
    return ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=_n_columns(ax, handles),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.4,
        markerscale=1.5 if clouds else 1.0,
    )


def add_title(ax, title, handles=(), *, note=""):
    """Write a title at the left, and below it a note or a legend."""
    room = 5.0
    if note:
        ax.annotate(
            note,
            (0.0, 1.0),
            xycoords="axes fraction",
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=TINY,
            color="#555555",
        )
        room += 1.5 * TINY
    if handles:
        legend_above(ax, handles)
        n_rows = -(-len(handles) // _n_columns(ax, handles))
        room += 1.5 * SMALL * n_rows
    ax.set_title(plain_text(title), fontsize=TITLE, loc="left", pad=room)


def brief(kpi_name, width=36):
    """Return the name of a KPI at a length that fits beside an axis."""
    return plain_text(shorten([kpi_name], width)[0])


def per_period(kpi_name, period):
    return f"{brief(kpi_name, 24)} per {one_of(period)}"


class DotsDisplay(Display):
    """One row per name with a point, and an interval where there are draws."""

    _attributes = f"""{Display._attributes.rstrip()}
    points_ : Line2D
    intervals_ : LineCollection or None
    """
    confidence_level: float

    def _draw_dots(self, ax, names, point, low, high):
        self.points_, self.intervals_ = draw_dots(
            ax, np.arange(len(names)), point, low, high
        )
        name_rows(ax, names)
        show_all(ax, point, low, high)
        tidy_rows(ax)

    def _label(self, ax, word, title):
        """Name the values, with their interval if there is one, and the picture."""
        if self.intervals_ is not None:
            word = f"{word}, with {self.confidence_level:.0%} interval"
        ax.set_xlabel(word, fontsize=SMALL)
        add_title(ax, title)


class Panels(Display):
    """Small panels beside each other, in place of the given axes."""

    _attributes = """
    bounding_ax_ : Axes
        The axes whose place the panels take.
    figure_ : Figure
    """
    _row_height = 1.55  # inches

    def _n_panels(self):
        raise NotImplementedError

    def _n_columns(self):
        n = self._n_panels()
        return max(1, min(n, 3 if n <= 9 else 4))

    def _figure_size(self):
        n_rows = -(-self._n_panels() // self._n_columns())
        return (WIDTH, 0.8 + self._row_height * max(n_rows, 1))

    def _make_panels(self, ax, names, title, n_columns=None):
        """Set up `axes_`, one per name, the legend above them, and the title."""
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        self.bounding_ax_ = ax
        ax.set_axis_off()
        n_columns = n_columns or self._n_columns()
        n_rows = max(1, -(-len(names) // n_columns))
        # The first row, a seventh of the others, is for the legend.
        grid = GridSpecFromSubplotSpec(
            n_rows + 1,
            n_columns,
            subplot_spec=ax.get_subplotspec(),
            height_ratios=[1 / 7, *[1] * n_rows],
        )
        self.axes_ = np.empty(len(names), dtype=object)
        size = SMALL if n_columns < 3 else TINY
        width = 64 // n_columns
        for i, name in enumerate(shorten(list(names), 2 * width - 6)):
            row, column = divmod(i, n_columns)
            panel = self.axes_[i] = self.figure_.add_subplot(grid[row + 1, column])
            wrapped = plain_text(wrap(name, width))
            panel.set_title(wrapped, fontsize=size, loc="left")
        self._legend_ax = self.figure_.add_subplot(grid[0, :])
        self._legend_ax.set_axis_off()
        add_title(self._legend_ax, title)
        # Panels in the last row and in the first column are labelled.
        self._lowest = range(len(names) - n_columns, len(names))
        self._leftmost = range(0, len(names), n_columns)

    def _label_panels(self, x=None, y=None):
        """Name the axes once per row and column.

        If `x` is a list of names that differ, each panel gets its own.
        """
        own = x if isinstance(x, list) else [x] * len(self.axes_)
        differ = len(set(own)) > 1
        for i, panel in enumerate(self.axes_):
            if own[i] is not None and (differ or i in self._lowest):
                panel.set_xlabel(plain_text(own[i]), fontsize=TINY)
            if y is not None and i in self._leftmost:
                panel.set_ylabel(plain_text(y), fontsize=TINY)

    def _draw_legend(self, handles):
        """Name artists above the panels; those that are None were not drawn."""
        handles = {k: v for k, v in handles.items() if v is not None}
        for label, handle in handles.items():
            handle.set_label(label)
        legend = self._legend_ax.legend(
            handles=list(handles.values()),
            loc="center left",
            ncols=len(handles),
            frameon=False,
            fontsize=TINY,
            borderpad=0.0,
            handlelength=1.4,
            columnspacing=1.0,
        )
        # In a narrow subplot it may stick out, but must not squeeze the panels.
        legend.set_in_layout(False)


class ChannelPanels(Panels):
    """One panel per channel.

    Subclasses write `_channels()`, and a `_draw(ax)` that draws on `axes_`.
    """

    _attributes = f"""{Panels._attributes.rstrip()}
    axes_ : ndarray of shape (n_channels,) of Axes
    """

    _title: str

    def _channels(self):
        raise NotImplementedError

    def _n_panels(self):
        return len(self._channels())

    @shared_docs(_PARAMETERS, returns=_RETURNS)
    def plot(self, ax: AxesOrNone = None, *, n_columns: int | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        n_columns : int, default=None
            Panels beside each other. None: three, or four from ten channels on.
        """
        ax = self._axes(ax)
        self._make_panels(ax, self._channels(), self._title, n_columns)
        self._draw(ax)
        return self


def tidy_panel(ax):
    """Keep a small panel readable: few ticks, small numbers."""
    from matplotlib.ticker import MaxNLocator

    tidy(ax)
    shorten_ticks(ax.xaxis)
    ax.tick_params(labelsize=TINY)
    steps = [1, 2, 3, 4, 5, 6, 8, 10]
    n_ticks = int(np.clip(width_of(ax) / 0.4, 2, 4))
    ax.xaxis.set_major_locator(MaxNLocator(n_ticks, steps=steps))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=steps))


def percent_ticks(axis):
    """Write shares in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g}%"))


def draw_band(ax, x, low, high, color=BLUE):
    """Draw an interval around a line; None if there is none."""
    if not np.isfinite(low).any():
        return None
    return ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


def draw_dots(ax, height, point, low, high, *, color=BLUE, marker="o"):
    """Draw points with intervals beside each other, and return both.

    Without bounds the intervals, a LineCollection, are None.
    """
    intervals = None
    if np.isfinite(low).any():
        intervals = ax.hlines(height, low, high, color=color, alpha=0.4, linewidth=3.0)
    (points,) = ax.plot(point, height, marker, color=color, markersize=5.5)
    return points, intervals


def name_rows(ax, names, width=30):
    """Put names at the left, the first at the bottom."""
    short = [plain_text(name) for name in shorten(list(names), width)]
    ax.set_yticks(np.arange(len(short)), short)
    ax.set_ylim(-0.6, len(short) - 0.4)
    ax.tick_params(axis="y", length=0)


def show_all(ax, *values):
    """Extend the horizontal axis from zero to all finite values."""
    shown = np.concatenate([np.ravel(v) for v in values])
    shown = shown[np.isfinite(shown)]
    if not np.any(shown):
        return
    low, high = min(0.0, shown.min()), max(0.0, shown.max())
    room = 0.05 * (high - low)
    ax.set_xlim(low - room * (low < 0), high + room * (high > 0))


def row_height(n_rows):
    """Return the height of a figure with one row per name, in inches."""
    return 0.9 + 0.28 * max(n_rows, 3)
