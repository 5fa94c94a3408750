"""Contributions of baseline, controls and channels to the prediction."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm import inspection
from skmmm._unwrapping import bare
from skmmm._utils.labels import counted
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._baseline import largest, parts_without_media
from skmmm.plotting._rows import Rows
from skmmm.plotting._style import (
    BASELINE,
    BLUE,
    INK,
    OTHERS,
    SMALL,
    TINY,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    DotsDisplay,
    add_title,
    brief,
    channel_colors,
    display,
    format_number,
    format_time,
    name_rows,
    own_name,
    per_period,
    percent_ticks,
    plain_text,
    row_height,
    shorten,
    tidy,
    tidy_rows,
)


@display
class ContributionsDisplay(Display):
    """Stacked areas of baseline and channels over time.

    Parameters
    ----------
    contributions : DataFrame of shape (n_periods, 1 + n_media)
        Indexed by period in rising order, in KPI units. The first column is the
        baseline.

    Attributes
    ----------
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

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import ContributionsDisplay
    >>> table = pd.DataFrame({"baseline": [70.0, 72.0], "tv": [20.0, 25.0]})
    >>> display = ContributionsDisplay(contributions=table, kpi_name="sales").plot()
    >>> list(display.areas_)
    ['baseline', 'tv']
    """

    contributions: pd.DataFrame
    kpi_name: str = "KPI"
    period: str = "period"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        ax: AxesOrNone = None,
        kpi_name: str = "KPI",
    ) -> Self:
        """Compute contributions, add up over regions and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.
        """
        estimator = bare(estimator)
        counterfactual = counterfactual_of(estimator, X)
        first = "baseline and controls" if estimator.controls_ else "baseline"
        names = [own_name(first, counterfactual.labels), *counterfactual.labels]
        rest = counterfactual.without_media().sum(axis=1)
        values = np.column_stack([rest, counterfactual.contributions()[0]])
        period, times = counterfactual.groups("period")
        table = pd.DataFrame(values, columns=names).groupby(period).sum()
        table = table.set_axis(pd.Index(times))
        return cls(
            contributions=table, kpi_name=kpi_name, period=estimator.period_
        ).plot(ax=ax)

    def plot(self, ax: AxesOrNone = None, *, max_channels: int = 7) -> Self:
        """Draw.

        Parameters
        ----------
        max_channels : int, default=7
            Number of channels with a separate area, those with the largest
            contributions; the others are added up.
        """
        ax = self._axes(ax)
        table, colors = self._largest(max_channels)
        times, values = table.index.to_numpy(), table.to_numpy()
        self.areas_: dict[str, list] = {}
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
        add_title(ax, f"What made up {brief(self.kpi_name)} over time")
        tidy(ax)
        format_time(ax, times)
        if self.total_ is None:
            ax.set_ylim(bottom=0.0)
        self._draw_legend(ax)
        return self

    def _largest(self, max_channels):
        """Return baseline, the largest channels and the sum of the others, and colours.

        Baseline and others are grey; colours of channels go by their place in
        `contributions`, as in the report.
        """
        table = self.contributions
        colors = channel_colors(table.shape[1] - 1)
        size = table.iloc[:, 1:].abs().sum().sort_values(ascending=False)
        n_shown = len(size) if len(size) <= max_channels else max_channels - 1
        names, rest = list(size.index[:n_shown]), list(size.index[n_shown:])
        shown = table[[table.columns[0], *names]].copy()
        places = table.columns.get_indexer(names) - 1
        colors = [BASELINE, *(colors[place] for place in places)]
        if rest:
            name = own_name(counted(len(rest), "other channel"), table.columns)
            shown[name] = table[rest].sum(axis=1)
            colors.append(OTHERS)
        return shown, colors

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


@display
class WaterfallDisplay(Display):
    """How baseline, controls and channels add up to the prediction.

    Parameters
    ----------
    parts : Series
        Sums over all rows, in KPI units, by name; what would have come without media
        first.

    Attributes
    ----------
    bars_ : BarContainer
        Of the parts and, last, of their sum.

    See Also
    --------
    ContributionSharesDisplay : Shares of the channels with intervals.

    Notes
    -----
    In each region trend is counted from the first period, season from its lowest
    period, and a control that is zero in some rows (an event) from zero; other controls
    are counted from their average, and over all training rows sum to nothing ("sums to
    0"). What is left is the base. Numbers have the share of the sum behind them.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import WaterfallDisplay
    >>> parts = pd.Series({"baseline": 70.0, "tv": 25.0, "price": -5.0})
    >>> display = WaterfallDisplay(parts=parts, kpi_name="sales").plot()
    >>> [round(bar.get_width()) for bar in display.bars_]
    [70, 25, -5, 90]
    """

    parts: pd.Series
    kpi_name: str = "KPI"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        max_channels: int = 12,
        ax: AxesOrNone = None,
        kpi_name: str = "KPI",
    ) -> Self:
        """Compute contributions, add them up and plot.

        Parameters
        ----------
        max_channels : int, default=12
            Number of channels with a separate bar, the largest; the others are added
            up. The same number holds for controls.

        Returns
        -------
        display : WaterfallDisplay
            Of :class:`~skmmm.DeepCausalMMMRegressor` with trend, season and every
            control apart; for these see Notes.
        """
        counterfactual = counterfactual_of(estimator, X)
        sums = counterfactual.contributions()[0].sum(axis=0)
        channels = largest(
            pd.Series(sums, counterfactual.labels), max_channels, "channels"
        )
        parts = pd.concat([parts_without_media(estimator, X, max_channels), channels])
        return cls(parts=parts, kpi_name=kpi_name).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, row_height(len(self.parts) + 1))

    def _draw(self, ax):
        self.bars_ = draw_waterfall(ax, self.parts, "prediction", shares=True)
        self.bars_[0].set_color(BASELINE)
        ax.set_xlabel(brief(self.kpi_name, 60), fontsize=SMALL)
        add_title(ax, f"Where {brief(self.kpi_name)} came from")


def draw_waterfall(ax, parts, total_name, bounds=None, *, shares=False):
    """Draw parts one after the other, and their sum; return the bars.

    Parameters
    ----------
    ax : Axes
    parts : Series of length n
    total_name : str
    bounds : ndarray of shape (2, n), default=None
        Intervals of the parts, in thin lines; NaN for none.
    shares : bool, default=False
        Write the share of the sum behind each part.
    """
    values = parts.to_numpy(dtype=float)
    total = values.sum()
    widths = np.append(values, total)
    starts = np.append(values.cumsum() - values, 0.0)
    heights = np.arange(len(widths))[::-1]
    colors = [BLUE if value >= 0 else VERMILLION for value in values]
    bars = ax.barh(heights, widths, 0.7, left=starts, color=[*colors, OTHERS])
    ends = starts + widths
    ax.vlines(ends[:-1], heights[1:] - 0.35, heights[:-1] + 0.35, INK, lw=0.6)
    reach = np.stack([starts, ends])
    if bounds is not None:
        whiskers = starts[:-1] + bounds
        ax.hlines(heights[:-1], *whiskers, INK, lw=1.2)
        whiskers = np.where(np.isfinite(whiskers), whiskers, starts[:-1])
        reach = np.concatenate([reach, np.pad(whiskers, [(0, 0), (0, 1)])])
    low, high = min(0.0, reach.min()), max(0.0, reach.max())
    high += low == high  # where nothing happened
    low -= 0.03 * (high - low) * (bounds is not None and low < 0.0)
    size = np.abs(widths).max()
    for width, at, height in zip(widths, reach.max(axis=0), heights, strict=True):
        text = format_number(width, trim=False).replace("\u2009", " ")
        if shares and height and total > 0.0:
            text += f" · {round(width / total, 3) + 0.0:.1%}"
        if height and abs(width) < 1e-6 * size:
            text = "sums to 0"  # "price  0" would read as its price
        ax.text(at + 0.01 * (high - low), height, text, va="center", fontsize=TINY)
    name_rows(ax, [*parts.index, own_name(total_name, parts.index)][::-1])
    ax.axvline(0.0, color=INK, linewidth=0.6)
    ax.set_xlim(low, high + (0.24 if shares else 0.14) * (high - low))
    tidy_rows(ax)
    return bars


@display
class ContributionSharesDisplay(DotsDisplay):
    """Share of the predicted KPI that each channel caused, with intervals.

    Parameters
    ----------
    shares : DataFrame indexed by channel
        ``share``, ``low`` and ``high`` of the prediction.

    See Also
    --------
    WaterfallDisplay : How the parts add up.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import ContributionSharesDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=world.media, region="region", time="week")
    >>> model = model.fit(world.X, world.y)
    >>> display = ContributionSharesDisplay.from_estimator(model, world.X)
    >>> list(display.shares.index)
    ['media_1', 'media_2']
    """

    shares: pd.DataFrame
    kpi_name: str = "KPI"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
        kpi_name: str = "KPI",
    ) -> Self:
        """Summarise the channels and plot."""
        summary = inspection.channel_summary(
            estimator, X, confidence_level=confidence_level
        )
        predicted = counterfactual_of(estimator, X).predicted().sum()
        names = {"contribution": "share"}
        names |= {f"contribution_{end}": end for end in ("low", "high")}
        shares = summary[list(names)].rename(columns=names) / predicted
        return cls(
            shares=shares, kpi_name=kpi_name, confidence_level=confidence_level
        ).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, row_height(len(self.shares)))

    def _draw(self, ax):
        table = self.shares.sort_values("share", kind="stable")
        point, low, high = table[["share", "low", "high"]].to_numpy(dtype=float).T
        self._draw_dots(ax, table.index, point, low, high)
        percent_ticks(ax.xaxis)
        word = f"share of predicted {brief(self.kpi_name)}"
        self._label(ax, word, "What each channel caused")
