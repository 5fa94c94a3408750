"""What the pictures share: colours, names, numbers, axes."""

import re

import numpy as np

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
SMALL, TINY = 8.5, 7.5  # points


def format_number(value, digits=3, *, trim=True):
    """Return a number as people write it: 1.25 M, 340 k, 0.012.

    Parameters
    ----------
    value : float
    digits : int, default=3
        Significant digits.
    trim : bool, default=True
        Whether to leave out zeros at the end.

    Returns
    -------
    text : str
        With a thin space before the suffix.
    """
    if not np.isfinite(value):
        return str(float(value))
    for size, suffix in ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k")):
        # 999 600 with three digits is 1 M, not 1000 k.
        if abs(float(f"{value:.{digits}g}")) >= size:
            return f"{_plain(value / size, digits, trim)}\u2009{suffix}"
    return _plain(value, digits, trim)


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

    Parameters
    ----------
    names : list of str
    width : int

    Returns
    -------
    short : list of str
        Cut at the end; where that makes names equal, in the middle; where that does
        not help, numbered.
    """
    names = [" ".join(str(name).split()) for name in names]
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
    """What the pictures share: a figure where none is given, and saving."""

    def _figure_size(self):
        return (WIDTH, 3.4)

    def _axes(self, ax):
        if ax is None:
            from matplotlib import pyplot as plt

            figure = plt.figure(figsize=self._figure_size(), layout="constrained")
            ax = figure.add_subplot()
        self.ax_ = ax
        self.figure_ = ax.figure
        return ax

    def save(self, path, *, dpi=150, **options):
        """Draw on a figure of its own, without a window, and write it to a file.

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
        from matplotlib.figure import Figure

        figure = Figure(figsize=self._figure_size(), layout="constrained")
        self.plot(ax=figure.add_subplot(), **options)
        figure.savefig(path, dpi=dpi)
        return self


def tidy(ax, *, values="y"):
    """Take away what is not needed, and write values the short way."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    axis = ax.yaxis if values == "y" else ax.xaxis
    shorten_ticks(axis)
    axis.grid(True, color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)


def shorten_ticks(axis):
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 4)))


def format_time(ax, times):
    """Give the horizontal axis dates, or whole numbers."""
    from matplotlib import dates, ticker

    if np.issubdtype(times.dtype, np.datetime64):
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
        ax.set_xlabel("period", fontsize=SMALL)
    ax.margins(x=0.01)


def width_of(ax):
    """Return the width of axes in inches, about, before the layout is known."""
    return ax.get_position().width * ax.figure.get_figwidth()


def legend_above(ax, handles):
    return ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        # An entry takes up to 1.2 inches.
        ncols=min(len(handles), max(2, int(width_of(ax) / 1.2))),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.4,
    )


def per_period(kpi_name, period):
    return f"{plain_text(kpi_name)} per {'period' if period == 'integer' else period}"
