"""Pictures of fitted models: each holds its data and draws them where it is told."""

import re

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from skmmm._calendar import infer_calendar
from skmmm._checks import as_frame, region_values, resolve_column

__all__ = [
    "ContributionsDisplay",
    "FitDisplay",
    "ResponseCurvesDisplay",
    "ReturnsDisplay",
]

# Colours that people with colour vision deficiency can tell apart (Okabe and Ito,
# 2008, Color Universal Design), in an order where neighbours differ in lightness.
_CHANNEL_COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
)
_BLUE, _VERMILLION, _INK = "#0072B2", "#D55E00", "#333333"
_BASELINE, _OTHERS, _SHADE = "#D5D5D5", "#8C8C8C", "#F3F3F3"
_WIDTH = 6.4  # inches; text of 8 points stays readable at 600 pixels
_SMALL, _TINY = 8.5, 7.5  # points


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


def _wrap(name, width, n_lines=2):
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


def _text(name):
    """Return a name that matplotlib prints as it is."""
    name = str(name).replace("$", r"\$")
    # Labels with a leading underscore stay out of legends.
    return f" {name}" if name.startswith("_") else name


class _Display:
    """What the pictures share: a figure where none is given, and saving."""

    def _figure_size(self):
        return (_WIDTH, 3.4)

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


def _tidy(ax, *, values="y"):
    """Take away what is not needed, and write values the short way."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=_SMALL)
    axis = ax.yaxis if values == "y" else ax.xaxis
    _shorten_ticks(axis)
    axis.grid(True, color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)


def _shorten_ticks(axis):
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 4)))


def _format_time(ax, times):
    """Give the horizontal axis dates, or whole numbers."""
    from matplotlib import dates, ticker

    if np.issubdtype(times.dtype, np.datetime64):
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
        ax.set_xlabel("period", fontsize=_SMALL)
    ax.margins(x=0.01)


def _width(ax):
    """Return the width of axes in inches, about, before the layout is known."""
    return ax.get_position().width * ax.figure.get_figwidth()


def _legend_above(ax, handles):
    return ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        # An entry takes up to 1.2 inches.
        ncols=min(len(handles), max(2, int(_width(ax) / 1.2))),
        frameon=False,
        fontsize=_SMALL,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.4,
    )


def _per_period(kpi_name, period):
    return f"{_text(kpi_name)} per {'period' if period == 'integer' else period}"


def _role(estimator, role):
    """Return the region or time parameter of an estimator or of a pipeline's end."""
    final = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return getattr(final, role, None)


class FitDisplay(_Display):
    """Observed and predicted KPI over time, training and holdout told apart.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    series : DataFrame of shape (n_periods, 5)
        Indexed by period in rising order: ``observed``, ``predicted``, ``low`` and
        ``high`` in KPI units, the bounds NaN where there is no interval, and
        ``holdout``, bool, where the model has not seen the KPI.

    kpi_name : str, default="KPI"
        For the axis.

    period : str, default="period"
        Length of a period, for the axis.

    of : str, default=""
        Region, or number of regions that were added up, for the axis.

    confidence_level : float, default=0.9
        Of the bounds.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    observed_ : Line2D
    fitted_, forecast_ : Line2D
        Prediction in the training window and in the holdout; `forecast_` is None
        without a holdout.
    bands_ : list of PolyCollection
        Intervals of training and holdout; empty without bounds.
    holdout_ : Rectangle or None
        The shade behind the holdout.

    See Also
    --------
    ContributionsDisplay : What the prediction is made of.

    Examples
    --------
    >>> from skmmm.baselines import LastValueRegressor
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.plotting import FitDisplay
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> past = X["week"] < "2023-10-01"
    >>> model = LastValueRegressor(region="region", time="week").fit(X[past], y[past])
    >>> display = FitDisplay.from_estimator(
    ...     model, X[past], y[past], X_test=X[~past], y_test=y[~past]
    ... )
    >>> int(display.series["holdout"].sum())
    13
    """

    def __init__(
        self, *, series, kpi_name="KPI", period="period", of="", confidence_level=0.9
    ):
        self.series = series
        self.kpi_name = kpi_name
        self.period = period
        self.of = of
        self.confidence_level = confidence_level

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        X_test=None,
        y_test=None,
        region=None,
        ax=None,
        confidence_level=0.9,
    ):
        """Predict, add up over regions and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `time` column, or a pipeline that ends with one:
            :class:`~skmmm.DeepCausalMMMRegressor` and the models of
            :mod:`skmmm.baselines`.

        X : DataFrame or array-like of shape (n_rows, n_columns)
            Training rows.

        y : array-like of shape (n_rows,)
            KPI. The name of a Series names the axis.

        X_test, y_test : as `X` and `y`, default=None
            Later rows, which the model has not seen.

        region : object, default=None
            A value of the region column. None: the sum over all regions.

        ax : Axes, default=None
            None: a new figure.

        confidence_level : float in (0, 1), default=0.9
            For the intervals, which are drawn for one region, or for the total of a
            single one, of an estimator with `predict_interval`. Regions move
            together, so that bounds of a sum are not sums of bounds.

        Returns
        -------
        display : FitDisplay
        """
        if (X_test is None) != (y_test is None):
            raise ValueError("Pass X_test and y_test together.")
        blocks = [(X, y)] if X_test is None else [(X, y), (X_test, y_test)]
        if region is not None:
            blocks = [_of_region(estimator, *block, region) for block in blocks]
        n_regions = _count_regions(estimator, [X for X, _ in blocks])
        ordinals, calendar = _ordinals(estimator, [X for X, _ in blocks])
        level = confidence_level if n_regions == 1 else None
        parts = [
            _predict_over_time(estimator, X, y, ordinal, level)
            for (X, y), ordinal in zip(blocks, ordinals, strict=True)
        ]
        display = cls(
            series=_join_holdout(parts, calendar),
            kpi_name=getattr(y, "name", None) or "KPI",
            period=calendar.unit,
            of=_name_regions(_role(estimator, "region"), region, n_regions),
            confidence_level=confidence_level,
        )
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            None: a new figure.

        Returns
        -------
        display : FitDisplay
            The display, with the artists as attributes.
        """
        ax = self._axes(ax)
        times = self.series.index.to_numpy()
        (self.observed_,) = ax.plot(
            times,
            self.series["observed"],
            color=_INK,
            linewidth=0.9,
            marker=".",
            markersize=2.5,
            label="observed",
        )
        self._draw_holdout(ax, times)
        self.bands_ = []
        holdout = self.series["holdout"].to_numpy()
        self.fitted_ = self._draw_prediction(ax, ~holdout, _BLUE, "fitted")
        self.forecast_ = None
        if holdout.any():
            self.forecast_ = self._draw_prediction(
                ax, holdout, _VERMILLION, "holdout forecast"
            )
        label = _per_period(self.kpi_name, self.period)
        ax.set_ylabel(f"{label}{_text(self.of)}", fontsize=_SMALL)
        _tidy(ax)
        _format_time(ax, times)
        lines = [self.observed_, self.fitted_, self.forecast_]
        handles = [line for line in lines if line is not None] + self.bands_[:1]
        _legend_above(ax, handles)
        return self

    def _draw_holdout(self, ax, times):
        self.holdout_ = None
        first = int(np.argmax(self.series["holdout"]))
        if first:
            # Half a period before the first holdout period.
            start = times[first - 1] + (times[first] - times[first - 1]) / 2
            end = times[-1] + (times[-1] - times[-2]) / 2
            self.holdout_ = ax.axvspan(start, end, color=_SHADE, zorder=0)

    def _draw_prediction(self, ax, rows, color, label):
        part = self.series[rows]
        times = part.index.to_numpy()
        (line,) = ax.plot(
            times, part["predicted"], color=color, linewidth=1.6, label=label
        )
        if part["low"].notna().any():
            band = ax.fill_between(
                times,
                part["low"],
                part["high"],
                color=color,
                alpha=0.22,
                linewidth=0,
                label=f"{self.confidence_level:.0%} interval",
            )
            self.bands_.append(band)
        return line


def _of_region(estimator, X, y, region):
    """Return the rows of one region."""
    values = _regions(estimator, X)
    rows = np.flatnonzero(values == region)
    if not len(rows):
        raise ValueError(
            f"region={region!r} is not in the data, which have "
            f"{', '.join(map(repr, np.unique(values)[:10].tolist()))}."
        )
    return _safe_indexing(X, rows), _safe_indexing(y, rows)


def _regions(estimator, X):
    """Return the region of every row, one for all if there is no region column."""
    key = _role(estimator, "region")
    frame = as_frame(X)
    if key is None:
        return np.full(len(frame), "all")
    return region_values(frame, resolve_column(frame, key, "region"))


def _count_regions(estimator, tables):
    return len(np.unique(np.concatenate([_regions(estimator, X) for X in tables])))


def _name_regions(column, region, n_regions):
    if region is not None:
        return f", {column if isinstance(column, str) else 'region'} {region}"
    return f", {n_regions} regions" if n_regions > 1 else ""


def _ordinals(estimator, tables):
    """Return the period of every row of each table, and their common calendar."""
    key = _role(estimator, "time")
    if key is None:
        raise ValueError(
            "A picture over time needs an estimator with a time column; this one has "
            "time=None."
        )
    columns = []
    for X in tables:
        frame = as_frame(X)
        columns.append(frame[resolve_column(frame, key, "time")])
    calendar = infer_calendar(pd.concat(columns), key)
    return [calendar.ordinals(column, key) for column in columns], calendar


def _predict_over_time(estimator, X, y, ordinal, confidence_level):
    """Return observed, predicted and bounds per period; no bounds without a level."""
    rows = pd.DataFrame({"observed": np.ravel(y), "predicted": estimator.predict(X)})
    rows["low"], rows["high"] = np.nan, np.nan
    if confidence_level is not None and _has_intervals(estimator):
        rows[["low", "high"]] = estimator.predict_interval(
            X, confidence_level=confidence_level
        )
    return rows.groupby(ordinal).sum(min_count=1)


def _has_intervals(estimator):
    return hasattr(estimator, "predict_interval") and estimator.n_draws > 0


def _join_holdout(parts, calendar):
    """Return the periods of training and holdout below each other."""
    if len(parts) == 2 and parts[1].index[0] <= parts[0].index[-1]:
        raise ValueError(
            f"X_test begins at {calendar.label(parts[1].index[0])}, but X ends at "
            f"{calendar.label(parts[0].index[-1])}. The holdout must come after the "
            "training data."
        )
    series = pd.concat(parts)
    series["holdout"] = np.arange(len(series)) >= len(parts[0])
    return series.set_axis([calendar.value(ordinal) for ordinal in series.index])


class ContributionsDisplay(_Display):
    """Stacked areas of baseline and channels over time.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    contributions : DataFrame of shape (n_periods, 1 + n_media)
        Indexed by period in rising order, in KPI units. The first column is the
        baseline.

    kpi_name : str, default="KPI"
        For the axis.

    period : str, default="period"
        Length of a period, for the axis.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    areas_ : dict of str to list of PolyCollection
        By name as drawn: the area above zero and, if there is one, that below.
    total_ : Line2D or None
        The prediction, drawn if some part is negative, because the upper edge of the
        stack then is not the total.

    See Also
    --------
    FitDisplay : The sum next to what was observed.

    Notes
    -----
    Positive parts are stacked upwards from zero and negative parts downwards.
    """

    def __init__(self, *, contributions, kpi_name="KPI", period="period"):
        self.contributions = contributions
        self.kpi_name = kpi_name
        self.period = period

    @classmethod
    def from_estimator(cls, estimator, X=None, *, ax=None, kpi_name="KPI"):
        """Compute contributions, add up over regions and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.

        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        ax : Axes, default=None
            None: a new figure.

        kpi_name : str, default="KPI"
            For the axis.

        Returns
        -------
        display : ContributionsDisplay
        """
        parts = estimator.contributions(X)
        media, controls = estimator.media_, estimator.controls_
        first = "baseline and controls" if controls else "baseline"
        table = parts[media].copy()
        table.insert(0, first, parts[["baseline", *controls]].sum(axis=1))
        period, times = _period_of_rows(estimator, X)
        table = table.groupby(period).sum().set_axis(times)
        display = cls(contributions=table, kpi_name=kpi_name, period=estimator.period_)
        return display.plot(ax=ax)

    def plot(self, ax=None, *, max_channels=7):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            None: a new figure.

        max_channels : int, default=7
            Channels with an area of their own, those with the largest contributions;
            the others are added up.

        Returns
        -------
        display : ContributionsDisplay
            The display, with the artists as attributes.
        """
        ax = self._axes(ax)
        table = self._largest(max_channels)
        colors = self._colors(table.shape[1])
        times, values = table.index.to_numpy(), table.to_numpy()
        self.areas_ = {}
        for sign in (1.0, -1.0):
            edges = sign * np.maximum(sign * values, 0.0).cumsum(axis=1)
            edges = np.column_stack([np.zeros(len(values)), edges])
            for j, name in enumerate(table.columns):
                if sign > 0 or (values[:, j] < 0).any():
                    # An edge of its own colour closes the seam to the next area.
                    area = ax.fill_between(
                        times,
                        edges[:, j],
                        edges[:, j + 1],
                        color=colors[j],
                        linewidth=0.3,
                    )
                    self.areas_.setdefault(name, []).append(area)
        self.total_ = None
        if (values < 0).any():
            total = values.sum(axis=1)
            (self.total_,) = ax.plot(times, total, color=_INK, linewidth=1.2)
            ax.axhline(0.0, color=_INK, linewidth=0.6)
        ax.set_ylabel(_per_period(self.kpi_name, self.period), fontsize=_SMALL)
        _tidy(ax)
        _format_time(ax, times)
        if self.total_ is None:
            ax.set_ylim(bottom=0.0)
        self._draw_legend(ax)
        return self

    def _largest(self, max_channels):
        """Return baseline, the largest channels, and the sum of the others."""
        table = self.contributions
        size = table.iloc[:, 1:].abs().sum().sort_values(ascending=False)
        n_shown = len(size) if len(size) <= max_channels else max_channels - 1
        names = list(size.index)
        shown = table[[table.columns[0], *names[:n_shown]]].copy()
        rest = names[n_shown:]
        if rest:
            shown[f"{len(rest)} other channels"] = table[rest].sum(axis=1)
        return shown

    def _colors(self, n_areas):
        """Return grey for the baseline, a colour per channel, grey for the others."""
        n_channels = self.contributions.shape[1] - 1
        n_named = n_areas - 1 if n_areas == n_channels + 1 else n_areas - 2
        colors = [_CHANNEL_COLORS[j % len(_CHANNEL_COLORS)] for j in range(n_named)]
        return [_BASELINE, *colors, _OTHERS][:n_areas]

    def _draw_legend(self, ax):
        """Name the areas beside the picture, in the order of the stack."""
        handles = [areas[0] for areas in self.areas_.values()]
        labels = [_text(name) for name in shorten(list(self.areas_), 24)]
        handles, labels = handles[::-1], labels[::-1]
        if self.total_ is not None:
            handles, labels = [self.total_, *handles], ["prediction", *labels]
        ax.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            fontsize=_SMALL,
            handlelength=1.0,
            borderaxespad=0.3,
        )


def _period_of_rows(estimator, X):
    """Return the position of every row's period, and the periods.

    `contributions` keeps the order of the rows but does not say their periods.
    """
    group, times = estimator._counterfactual(X).groups("time")
    return group, pd.Index(times)


class ResponseCurvesDisplay(_Display):
    """Incremental KPI against spend, one panel per channel.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    curves : dict of str to Bunch
        By channel, as returned by ``response_curve``.

    kpi_name : str, default="KPI"
        For the axis.

    confidence_level : float, default=0.9
        Of the bounds.

    Attributes
    ----------
    bounding_ax_ : Axes
        The axes whose place the panels take.
    axes_ : ndarray of shape (n_channels,) of Axes
    figure_ : Figure
    lines_ : list of (Line2D, Line2D)
        Per channel: up to the current spend, and beyond it.
    bands_ : list of PolyCollection or None
    points_ : list of Line2D
        The current spend.

    See Also
    --------
    ReturnsDisplay : Returns at the current spend.

    Notes
    -----
    The curve is dashed where total spend exceeds that of the data: there the model
    extrapolates. Panels have axes of their own; an interval more than three times as
    high as the curve runs out of its panel.
    """

    def __init__(self, *, curves, kpi_name="KPI", confidence_level=0.9):
        self.curves = curves
        self.kpi_name = kpi_name
        self.confidence_level = confidence_level

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        channels=None,
        ax=None,
        confidence_level=0.9,
        kpi_name="KPI",
    ):
        """Compute the curves and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.

        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        channels : list of str or int, default=None
            None: all channels with spend in X, the largest contribution first.

        ax : Axes, default=None
            Its place is taken by the panels. None: a new figure.

        confidence_level : float in (0, 1), default=0.9

        kpi_name : str, default="KPI"
            For the axis.

        Returns
        -------
        display : ResponseCurvesDisplay
        """
        if channels is None:
            summary = estimator.channel_summary(X)
            summary = summary[summary["spend"] > 0]
            channels = summary["contribution"].sort_values(ascending=False).index
        curves = {
            channel: estimator.response_curve(
                channel, X, confidence_level=confidence_level
            )
            for channel in channels
        }
        display = cls(
            curves=curves, kpi_name=kpi_name, confidence_level=confidence_level
        )
        return display.plot(ax=ax)

    def _figure_size(self):
        n_rows = -(-len(self.curves) // self._n_columns())
        return (_WIDTH, 0.5 + 1.55 * n_rows)

    def _n_columns(self):
        return min(len(self.curves), 3 if len(self.curves) <= 9 else 4)

    def plot(self, ax=None, *, n_columns=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            A subplot; its place is taken by the panels. None: a new figure.

        n_columns : int, default=None
            Panels beside each other. None: three, or four from ten channels on.

        Returns
        -------
        display : ResponseCurvesDisplay
            The display, with the artists as attributes.
        """
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        self.bounding_ax_ = self._axes(ax)
        self.bounding_ax_.set_axis_off()
        n_columns = n_columns or self._n_columns()
        n_rows = -(-len(self.curves) // n_columns)
        # The first row, a seventh of the others, is for the legend.
        grid = GridSpecFromSubplotSpec(
            n_rows + 1,
            n_columns,
            subplot_spec=self.bounding_ax_.get_subplotspec(),
            height_ratios=[1 / 7, *[1] * n_rows],
        )
        names = [_wrap(name, 60 // n_columns) for name in map(str, self.curves)]
        self.axes_ = np.empty(len(self.curves), dtype=object)
        self.lines_, self.bands_, self.points_ = [], [], []
        for i, curve in enumerate(self.curves.values()):
            row, column = divmod(i, n_columns)
            panel = self.axes_[i] = self.figure_.add_subplot(grid[row + 1, column])
            self._draw_curve(panel, curve)
            size = _SMALL if n_columns < 4 else _TINY
            panel.set_title(_text(names[i]), fontsize=size, loc="left")
            if column == 0:
                panel.set_ylabel(_text(f"incremental\n{self.kpi_name}"), fontsize=_TINY)
            if row == n_rows - 1:
                panel.set_xlabel("spend", fontsize=_TINY)
        self._draw_legend(self.figure_.add_subplot(grid[0, :]))
        return self

    def _draw_legend(self, ax):
        (within, beyond), point = self.lines_[0], self.points_[0]
        handles = {"response": within, "beyond the data": beyond, "current": point}
        if self.bands_[0] is not None:
            handles[f"{self.confidence_level:.0%} interval"] = self.bands_[0]
        for label, handle in handles.items():
            handle.set_label(label)
        ax.set_axis_off()
        legend = ax.legend(
            handles=list(handles.values()),
            loc="center left",
            ncols=len(handles),
            frameon=False,
            fontsize=_TINY,
            borderpad=0.0,
            handlelength=1.4,
            columnspacing=1.0,
        )
        # In a narrow subplot it may stick out, but must not squeeze the panels.
        legend.set_in_layout(False)

    def _draw_curve(self, ax, curve):
        from matplotlib.ticker import MaxNLocator

        spend, incremental = np.asarray(curve.spend), np.asarray(curve.incremental)
        band = None
        if np.isfinite(curve.low).all():
            band = ax.fill_between(
                spend, curve.low, curve.high, color=_BLUE, alpha=0.2, linewidth=0
            )
        self.bands_.append(band)
        now = (curve.current_spend, curve.current_incremental)
        lines = []
        for part, style in ((spend < now[0], "-"), (spend > now[0], "--")):
            # Both parts meet in the current point.
            at = np.append(spend[part], now[0])
            value = np.append(incremental[part], now[1])
            order = np.argsort(at)
            lines += ax.plot(at[order], value[order], style, color=_BLUE, linewidth=1.5)
        self.lines_.append(tuple(lines))
        self.points_ += ax.plot(*now, "o", color=_VERMILLION, markersize=4.5)
        _tidy(ax)
        _shorten_ticks(ax.xaxis)
        ax.tick_params(labelsize=_TINY)
        steps = [1, 2, 3, 4, 5, 6, 8, 10]
        n_ticks = int(np.clip(_width(ax) / 0.4, 2, 4))
        ax.xaxis.set_major_locator(MaxNLocator(n_ticks, steps=steps))
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=steps))
        self._limit(ax, curve)

    def _limit(self, ax, curve):
        """Keep the curve readable beside a wide interval."""
        values = np.append(curve.incremental, curve.current_incremental)
        size = 3.0 * max(np.abs(values).max(), np.finfo(float).tiny)
        low, high = ax.get_ylim()
        never_negative = min(values.min(), np.nanmin([0.0, *curve.low])) >= 0.0
        ax.set_ylim(0.0 if never_negative else max(low, -size), min(high, size))


class ReturnsDisplay(_Display):
    """Return of each channel with its interval, the highest on top.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    summary : DataFrame indexed by channel
        With ``roi``, ``roi_low``, ``roi_high`` and the same of ``mroi``, as returned
        by ``channel_summary``.

    kpi_name : str, default="KPI"
        For the axis.

    confidence_level : float, default=0.9
        Of the bounds.

    returns : {"roi", "mroi"}, default="roi"
        Of all spend, or of the next unit.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : Line2D
    intervals_ : LineCollection or None

    See Also
    --------
    ResponseCurvesDisplay : What other levels of spend would return.
    """

    def __init__(self, *, summary, kpi_name="KPI", confidence_level=0.9, returns="roi"):
        self.summary = summary
        self.kpi_name = kpi_name
        self.confidence_level = confidence_level
        self.returns = returns

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        returns="roi",
        ax=None,
        confidence_level=0.9,
        kpi_name="KPI",
    ):
        """Summarise the channels and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.

        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        returns : {"roi", "mroi"}, default="roi"
            Of all spend, or of the next unit.

        ax : Axes, default=None
            None: a new figure.

        confidence_level : float in (0, 1), default=0.9

        kpi_name : str, default="KPI"
            For the axis.

        Returns
        -------
        display : ReturnsDisplay
        """
        summary = estimator.channel_summary(X, confidence_level=confidence_level)
        display = cls(
            summary=summary,
            kpi_name=kpi_name,
            confidence_level=confidence_level,
            returns=returns,
        )
        return display.plot(ax=ax)

    def _figure_size(self):
        return (_WIDTH, 0.9 + 0.28 * max(len(self.summary), 3))

    def plot(self, ax=None, *, log_scale="auto"):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            None: a new figure.

        log_scale : bool or "auto", default="auto"
            "auto": if no bound is negative and the largest return is more than thirty
            times the smallest. An interval that reaches down to zero then runs out of
            the picture.

        Returns
        -------
        display : ReturnsDisplay
            The display, with the artists as attributes.
        """
        returns = self.returns
        if returns not in ("roi", "mroi"):
            raise ValueError(f"returns={returns!r} must be 'roi' or 'mroi'.")
        ax = self._axes(ax)
        table = self.summary.sort_values(returns, na_position="first")
        values = table[[returns, f"{returns}_low", f"{returns}_high"]].to_numpy()
        point, low, high = values.T
        height = np.arange(len(table))
        self.intervals_ = None
        if np.isfinite(low).any():
            self.intervals_ = ax.hlines(
                height, low, high, color=_BLUE, alpha=0.45, linewidth=3.0
            )
        (self.points_,) = ax.plot(point, height, "o", color=_BLUE, markersize=5.5)
        names = [_text(name) for name in shorten(list(table.index), 30)]
        ax.set_yticks(height, names)
        ax.set_ylim(-0.6, len(table) - 0.4)
        word = {"roi": "ROI", "mroi": "Marginal ROI"}[returns]
        if self.intervals_ is not None:
            word = f"{word} with {self.confidence_level:.0%} interval"
        ax.set_xlabel(
            f"{word}, {_text(self.kpi_name)} units per unit of spend", fontsize=_SMALL
        )
        self._scale(ax, values, log_scale)
        _tidy(ax, values="x")
        ax.tick_params(axis="y", length=0)
        return self

    def _scale(self, ax, values, log_scale):
        point, low, high = values[np.isfinite(values[:, 0])].T
        if not point.size:
            return
        smallest = np.nanmin([point, low, high])
        if log_scale == "auto":
            log_scale = smallest >= 0.0 < point.min() < point.max() / 30.0
        if log_scale:
            self._log_scale(ax, point, high)
        elif smallest >= 0.0:
            ax.set_xlim(left=0.0)

    def _log_scale(self, ax, point, high):
        from matplotlib.ticker import LogLocator

        left = point[point > 0].min() / 10.0
        right = 1.5 * np.nanmax([point, high])
        ax.set_xscale("log", nonpositive="clip")
        ax.set_xlim(left, right)
        subs = (1.0, 3.0) if right < 1000.0 * left else (1.0,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))
