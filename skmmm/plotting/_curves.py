"""What other levels of spend would cause."""

import numpy as np

from skmmm.plotting._style import (
    BLUE,
    SMALL,
    TINY,
    VERMILLION,
    WIDTH,
    Display,
    plain_text,
    shorten_ticks,
    tidy,
    width_of,
    wrap,
)


class ResponseCurvesDisplay(Display):
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
        return (WIDTH, 0.5 + 1.55 * n_rows)

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
        names = [wrap(name, 60 // n_columns) for name in map(str, self.curves)]
        self.axes_ = np.empty(len(self.curves), dtype=object)
        self.lines_, self.bands_, self.points_ = [], [], []
        for i, curve in enumerate(self.curves.values()):
            row, column = divmod(i, n_columns)
            panel = self.axes_[i] = self.figure_.add_subplot(grid[row + 1, column])
            self._draw_curve(panel, curve)
            size = SMALL if n_columns < 4 else TINY
            panel.set_title(plain_text(names[i]), fontsize=size, loc="left")
            if column == 0:
                panel.set_ylabel(
                    plain_text(f"incremental\n{self.kpi_name}"), fontsize=TINY
                )
            if row == n_rows - 1:
                panel.set_xlabel("spend", fontsize=TINY)
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
            fontsize=TINY,
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
                spend, curve.low, curve.high, color=BLUE, alpha=0.2, linewidth=0
            )
        self.bands_.append(band)
        now = (curve.current_spend, curve.current_incremental)
        lines = []
        for part, style in ((spend < now[0], "-"), (spend > now[0], "--")):
            # Both parts meet in the current point.
            at = np.append(spend[part], now[0])
            value = np.append(incremental[part], now[1])
            order = np.argsort(at)
            lines += ax.plot(at[order], value[order], style, color=BLUE, linewidth=1.5)
        self.lines_.append(tuple(lines))
        self.points_ += ax.plot(*now, "o", color=VERMILLION, markersize=4.5)
        tidy(ax)
        shorten_ticks(ax.xaxis)
        ax.tick_params(labelsize=TINY)
        steps = [1, 2, 3, 4, 5, 6, 8, 10]
        n_ticks = int(np.clip(width_of(ax) / 0.4, 2, 4))
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
