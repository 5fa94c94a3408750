"""How channels act: carry-over, saturation, effectiveness over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._data.periods import several
from skmmm._unwrapping import bare
from skmmm._utils.typing import Column
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._payback import SHARES, arrived_of, named_shares, payback_of
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows, channels_by_size, chosen_of
from skmmm.plotting._style import (
    BLUE,
    INK,
    OTHERS,
    TINY,
    VERMILLION,
    AxesOrNone,
    ChannelPanels,
    display,
    draw_band,
    draw_dots,
    format_time,
    percent_ticks,
    tidy_panel,
)

SATURATION_POINTS = 241  # so that a curve that bends early shows no kink


class _TablePanels(ChannelPanels):
    """One panel per channel of a table whose first index level is the channel."""

    _held: str  # name of the table

    def _table(self):
        return getattr(self, self._held)

    def _channels(self):
        return list(self._table().index.unique("channel"))

    def _panels(self):
        """Yield the panel and the rows of every channel."""
        for panel, channel in zip(self.axes_, self._channels(), strict=True):
            yield panel, self._table().loc[channel]


def _chosen(estimator, table, channels):
    """Return the rows of some channels, by default the largest first."""
    if channels is None:
        channels = channels_by_size(estimator, None)
    known = table.index.unique("channel").tolist()
    return table.loc[chosen_of(known, channels)]


@display
class AdstockDisplay(_TablePanels):
    """Share of the effect of one period's spend that comes at each lag.

    Parameters
    ----------
    carryover : DataFrame indexed by (channel, lag)
        ``share``, ``low`` and ``high``, as returned by ``carryover``: of channels with
        a slow stock without what goes into it.
    stocks : mapping of str or int to float, default=None
        Share of the effect that goes into the slow stock of a channel. It comes over
        months, is in none of the bars, and is written beside them.

    Attributes
    ----------
    bars_ : list of BarContainer
    intervals_ : list of LineCollection or None
    notes_ : list of Text
        Of channels with a slow stock.

    See Also
    --------
    SaturationDisplay : How much of the highest effect is reached.
    PaybackDisplay : When all of it has arrived, slow stocks included.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import AdstockDisplay
    >>> index = pd.MultiIndex.from_product(
    ...     [["tv"], [0, 1, 2]], names=["channel", "lag"]
    ... )
    >>> table = pd.DataFrame({"share": [0.6, 0.3, 0.1]}, index)
    >>> display = AdstockDisplay(carryover=table.assign(low=None, high=None)).plot()
    >>> len(display.bars_[0])
    3
    """

    _title, _held = "Carry-over: when the effect comes", "carryover"

    carryover: pd.DataFrame
    stocks: Mapping[Column, float] | None = None
    period: str = "period"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        channels: Sequence[Column] | None = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Plot the carry-over.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.
        """
        estimator = bare(estimator)
        table = estimator.carryover(confidence_level=confidence_level)
        stocks = None
        if estimator._with_stock().any():
            stocks = estimator.brand_effects()["share"].to_dict()
        return cls(
            carryover=_chosen(estimator, table, channels),
            stocks=stocks,
            period=estimator.period_ or "period",
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        self.bars_, self.intervals_ = [], []
        most = self.carryover[["share", "high"]].astype(float).max().max()
        for panel, rows in self._panels():
            lag = rows.index.to_numpy()
            self.bars_.append(panel.bar(lag, rows["share"], color="#7FB8D8", width=0.8))
            low, high = (rows[end].to_numpy(dtype=float) for end in ("low", "high"))
            interval = None
            if np.isfinite(low).any():
                interval = panel.vlines(lag, low, high, color=INK, linewidth=0.9)
            self.intervals_.append(interval)
            tidy_panel(panel)
            panel.set_ylim(0.0, 1.05 * most)
            percent_ticks(panel.yaxis)
        self._note_stocks()
        without = ", without stock" if self.notes_ else ""
        self._label_panels(f"{several(self.period)} later", f"share of effect{without}")
        if self.intervals_ and self.intervals_[0] is not None:
            level = f"{self.confidence_level:.0%} interval"
            self._draw_legend({level: self.intervals_[0]})

    def _note_stocks(self):
        """Write which share of the effect is in none of the bars."""
        self.notes_ = []
        for panel, channel in zip(self.axes_, self._channels(), strict=True):
            share = (self.stocks or {}).get(channel)
            if share is None:
                continue
            note = panel.text(
                0.97,
                0.96,
                f"not shown: {share:.0%},\nwhich come over months",
                transform=panel.transAxes,
                ha="right",
                va="top",
                fontsize=TINY,
                color=VERMILLION,
            )
            self.notes_.append(note)


@display
class PaybackDisplay(_TablePanels):
    """Share of the effect of one period's spend that has arrived, by periods since.

    Parameters
    ----------
    arrived : DataFrame indexed by (channel, periods)
        ``share``, ``low`` and ``high`` after so many periods, from zero on.
    payback : DataFrame indexed by channel
        As returned by :func:`skmmm.inspection.payback`.
    shares : sequence of float in (0, 1), default=(0.5, 0.9)
        Whose times are marked.

    Attributes
    ----------
    lines_ : list of Line2D
    bands_ : list of PolyCollection or None
    points_ : list of Line2D
        When the shares have arrived.
    intervals_ : list of LineCollection or None
    priors_ : list of LineCollection
        Intervals of the priors.
    notes_ : list of Text
        The verdict on the first time, and what `max_lag` cuts off.

    See Also
    --------
    AdstockDisplay : How much arrives at each lag.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import PaybackDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=0,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = PaybackDisplay.from_estimator(model)
    >>> len(display.lines_)
    2
    """

    _title, _held = "Payback: when the effect has arrived", "arrived"

    arrived: pd.DataFrame
    payback: pd.DataFrame
    shares: Sequence[float] = SHARES
    period: str = "period"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        channels: Sequence[Column] | None = None,
        shares: Sequence[float] = SHARES,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Plot the payback.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.
        """
        names, tail = named_shares(shares), tail_probability(confidence_level)
        estimator = bare(estimator)
        found = counterfactual_of(estimator)
        payback = payback_of(found, names, tail)
        arrived = _chosen(estimator, arrived_of(found, tail), channels)
        return cls(
            arrived=arrived,
            payback=payback.loc[list(arrived.index.unique("channel"))],
            shares=tuple(names.values()),
            period=estimator.period_ or "period",
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        self.lines_, self.bands_, self.notes_ = [], [], []
        self.points_, self.intervals_, self.priors_ = [], [], []
        for panel, rows in self._panels():
            after = rows.index.to_numpy()
            low, high = rows[["low", "high"]].to_numpy(dtype=float).T
            self.bands_.append(draw_band(panel, after, low, high))
            self.lines_ += panel.plot(after, rows["share"], color=BLUE, linewidth=1.5)
            tidy_panel(panel)
            panel.set_xlim(0.0, after[-1])
            panel.set_ylim(0.0, 1.04)
            percent_ticks(panel.yaxis)
        for panel, row in zip(self.axes_, self.payback.itertuples(), strict=True):
            self._mark(panel, row)
        self._label_panels(f"{several(self.period)} since spend", "of the effect")
        if self.lines_:
            self._name_artists()

    def _mark(self, panel, row):
        """Mark when the shares have arrived, and how far to believe it."""
        names, height = list(named_shares(self.shares)), np.array(self.shares)
        point, low, high, first, last = (
            np.array([getattr(row, f"{name}{end}") for name in names], dtype=float)
            for end in ("", "_low", "_high", "_prior_low", "_prior_high")
        )
        lines = panel.hlines(height - 0.05, first, last, color=OTHERS, linewidth=1.0)
        self.priors_.append(lines)
        points, intervals = draw_dots(panel, height, point, low, high, color=INK)
        points.set_markersize(3.5)
        self.points_.append(points)
        self.intervals_.append(intervals)
        said = [row.verdict] if row.verdict else []
        said += [f"max_lag cuts off {row.cut_off:.0%}"] if row.truncated else []
        note = panel.text(
            0.97,
            0.04,
            "\n".join(said),
            transform=panel.transAxes,
            ha="right",
            va="bottom",
            fontsize=TINY,
            color=VERMILLION if row.truncated else INK,
        )
        self.notes_.append(note)

    def _name_artists(self):
        shares = " and ".join(f"{100 * share:.3g} %" for share in self.shares)
        self._draw_legend(
            {
                "has arrived": self.lines_[0],
                f"{shares} of it": self.points_[0],
                f"{self.confidence_level:.0%} interval": self.intervals_[0],
                "prior": self.priors_[0],
            }
        )


@display
class SaturationDisplay(_TablePanels):
    """Share of its highest effect that a channel reaches, by spend after carry-over.

    Parameters
    ----------
    saturation : DataFrame indexed by (channel, point)
        ``spend``, ``share``, ``low``, ``high`` and ``observed``, as returned by
        ``saturation``: of channels with a frequency by that.

    Attributes
    ----------
    lines_ : list of Line2D
    bands_ : list of PolyCollection or None
    ranges_ : list of Polygon
        Where the middle 80 % of the rows are.
    medians_ : list of Line2D
        The median row that spends.
    halves_ : list of Line2D or None
        The half saturation: where half of the highest effect is reached, if the panel
        shows it.

    See Also
    --------
    ResponseCurvesDisplay : The same in KPI units, against total spend.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import SaturationDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=0,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = SaturationDisplay.from_estimator(model)
    >>> len(display.lines_)
    2
    """

    _title, _held = "Saturation: how much more is left", "saturation"

    saturation: pd.DataFrame
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        channels: Sequence[Column] | None = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Plot the saturation.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.
        """
        estimator = bare(estimator)
        table = estimator.saturation(
            n_points=SATURATION_POINTS, confidence_level=confidence_level
        )
        return cls(
            saturation=_chosen(estimator, table, channels),
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        self.lines_, self.bands_, self.ranges_, self.medians_ = [], [], [], []
        self.halves_: list = []
        for panel, rows in self._panels():
            spend = rows["spend"].to_numpy()
            self.bands_.append(
                draw_band(panel, spend, *rows[["low", "high"]].to_numpy(dtype=float).T)
            )
            self.lines_ += panel.plot(spend, rows["share"], color=BLUE, linewidth=1.5)
            lowest, median, highest = np.interp(
                [0.1, 0.5, 0.9], rows["observed"], spend, left=0.0
            )
            shade = panel.axvspan(lowest, highest, color="#EDEDED", zorder=0)
            self.ranges_.append(shade)
            line = panel.axvline(median, color=VERMILLION, linewidth=1.0)
            self.medians_.append(line)
            self.halves_.append(self._mark_half(panel, spend, rows["share"].to_numpy()))
            tidy_panel(panel)
            panel.set_ylim(0.0, 1.0)
            panel.set_xlim(0.0, max(spend[-1], np.finfo(float).tiny))
            percent_ticks(panel.yaxis)
        seen = self.saturation.attrs.get("by_frequency", ())
        names = ["spend after carry-over,\nper row", "frequency of a row"]
        of_rows = [names[channel in seen] for channel in self._channels()]
        self._label_panels(of_rows, "of highest effect")
        if self.lines_:
            self._name_artists()

    def _name_artists(self):
        self._draw_legend(
            {
                "saturation": self.lines_[0],
                f"{self.confidence_level:.0%} interval": self.bands_[0],
                "middle 80 % of rows": self.ranges_[0],
                "median row": self.medians_[0],
                "half saturation": next(filter(None, self.halves_), None),
            }
        )

    def _mark_half(self, panel, spend, share):
        """Mark the spend at which half of the highest effect is reached, if shown."""
        if not share.min() < 0.5 < share.max():
            return None
        half = np.interp(0.5, share, spend)
        return panel.axvline(half, color=OTHERS, linewidth=0.9, linestyle=":")


@display
class EffectivenessDisplay(_TablePanels):
    """What the same spend causes in each period, as a multiple of the mean.

    Parameters
    ----------
    effectiveness : DataFrame indexed by (channel, time)
        ``multiple``, ``low`` and ``high``, as returned by ``effectiveness``.

    Attributes
    ----------
    lines_ : list of Line2D
    bands_ : list of PolyCollection or None
    note_ : Text or None
        Says that effectiveness is constant, if it is.

    See Also
    --------
    BaselineDisplay : What else moves over time.

    Notes
    -----
    All panels share one axis that shows at least half to one and a half, so that small
    movements look small.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import EffectivenessDisplay
    >>> index = pd.MultiIndex.from_product(
    ...     [["tv"], [0, 1, 2]], names=["channel", "time"]
    ... )
    >>> table = pd.DataFrame({"multiple": 1.0, "low": None, "high": None}, index)
    >>> display = EffectivenessDisplay(effectiveness=table).plot()
    >>> display.note_.get_text()
    'effectiveness is constant in this model'
    """

    _title, _held = "Effectiveness over time", "effectiveness"
    _row_height = 1.3

    effectiveness: pd.DataFrame
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        channels: Sequence[Column] | None = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Plot the effectiveness.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.
        """
        estimator = bare(estimator)
        table = estimator.effectiveness(X, confidence_level=confidence_level)
        return cls(
            effectiveness=_chosen(estimator, table, channels),
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        from matplotlib.ticker import MaxNLocator

        self.lines_, self.bands_, self.note_ = [], [], None
        table = self.effectiveness.astype(float)
        least = min(0.5, np.nanmin(table.to_numpy()))
        most = max(1.5, np.nanmax(table.to_numpy()))
        for panel, rows in self._panels():
            times = rows.index.to_numpy()
            low, high = rows[["low", "high"]].to_numpy(dtype=float).T
            self.bands_.append(draw_band(panel, times, low, high))
            panel.axhline(1.0, color=OTHERS, linewidth=0.8, linestyle=":")
            self.lines_ += panel.plot(
                times, rows["multiple"], color=BLUE, linewidth=1.5
            )
            tidy_panel(panel)
            format_time(panel, times, n_ticks=5)
            panel.set_xlabel("")
            panel.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            panel.set_ylim(max(0.0, least), most)
        self._label_panels(None, "multiple\nof mean")
        self._name_artists(table)

    def _name_artists(self, table):
        if np.allclose(table["multiple"], 1.0, atol=1e-9):
            self.note_ = self._legend_ax.text(
                0.0, 0.5, "effectiveness is constant in this model", fontsize=8.0
            )
            return
        level = f"{self.confidence_level:.0%} interval"
        self._draw_legend({"effectiveness": self.lines_[0], level: self.bands_[0]})
