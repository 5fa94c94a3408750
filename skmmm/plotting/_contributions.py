"""What the prediction is made of."""

import numpy as np

from skmmm.plotting._rows import period_of_rows
from skmmm.plotting._style import (
    BASELINE,
    CHANNEL_COLORS,
    INK,
    OTHERS,
    SMALL,
    Display,
    format_time,
    per_period,
    plain_text,
    shorten,
    tidy,
)


class ContributionsDisplay(Display):
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
        period, times = period_of_rows(estimator, X)
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
            (self.total_,) = ax.plot(times, total, color=INK, linewidth=1.2)
            ax.axhline(0.0, color=INK, linewidth=0.6)
        ax.set_ylabel(per_period(self.kpi_name, self.period), fontsize=SMALL)
        tidy(ax)
        format_time(ax, times)
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
        colors = [CHANNEL_COLORS[j % len(CHANNEL_COLORS)] for j in range(n_named)]
        return [BASELINE, *colors, OTHERS][:n_areas]

    def _draw_legend(self, ax):
        """Name the areas beside the picture, in the order of the stack."""
        handles = [areas[0] for areas in self.areas_.values()]
        labels = [plain_text(name) for name in shorten(list(self.areas_), 24)]
        handles, labels = handles[::-1], labels[::-1]
        if self.total_ is not None:
            handles, labels = [self.total_, *handles], ["prediction", *labels]
        ax.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            fontsize=SMALL,
            handlelength=1.0,
            borderaxespad=0.3,
        )
