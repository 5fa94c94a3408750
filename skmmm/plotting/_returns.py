"""Returns of channels, and how reliable they are."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm.inspection import channel_summary
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows, paid_channels
from skmmm.plotting._style import (
    BASELINE,
    BLUE,
    INK,
    SMALL,
    TINY,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    brief,
    display,
    draw_dots,
    format_number,
    name_rows,
    percent_ticks,
    plain_text,
    row_height,
    shorten,
    show_all,
    tidy_rows,
    width_of,
    wrap,
)

_VERDICTS = {
    "data-driven": (BLUE, "●"),
    "prior-driven": ("#666666", "○"),
    "not identified": (VERMILLION, "✕"),
}


@display
class ReturnsDisplay(Display):
    """Return of each channel with its interval, the highest on top.

    Parameters
    ----------
    summary : DataFrame indexed by channel
        With ``roi``, ``roi_low``, ``roi_high`` and the same of ``mroi``, as returned
        by ``channel_summary``. Where it has a ``verdict``, points that are not
        "data-driven" are hollow.
    unit : str, default="unit of spend"
        Of what is spent, for the axis.
    returns : {"roi", "mroi", "both"}, default="roi"
        Of all spend, of the next unit, or both beside each other.

    Attributes
    ----------
    points_ : dict of str to Line2D
    intervals_ : dict of str to LineCollection or None
    hollow_ : list of Line2D
        Over the points of channels that the data do not tell.

    See Also
    --------
    ResponseCurvesDisplay : What other levels of spend would return.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import ReturnsDisplay
    >>> summary = pd.DataFrame(
    ...     {"roi": [2.0, 1.0], "roi_low": [1.5, 0.2], "roi_high": [2.5, 1.9]},
    ...     index=["tv", "radio"],
    ... )
    >>> display = ReturnsDisplay(summary=summary, kpi_name="sales").plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['radio', 'tv']
    """

    summary: pd.DataFrame
    kpi_name: str = "KPI"
    unit: str = "unit of spend"
    confidence_level: float = 0.9
    returns: Literal["roi", "mroi", "both"] = "roi"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        returns: Literal["roi", "mroi", "both"] = "roi",
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
        kpi_name: str = "KPI",
    ) -> Self:
        """Summarise the channels and plot."""
        return cls(
            summary=channel_summary(estimator, X, confidence_level=confidence_level),
            kpi_name=kpi_name,
            unit=_unit(estimator, X),
            confidence_level=confidence_level,
            returns=returns,
        ).plot(ax=ax)

    def _figure_size(self):
        size = 1.3 if self.returns == "both" else 1.0
        return (WIDTH, row_height(size * len(self.summary)))

    def plot(
        self, ax: AxesOrNone = None, *, log_scale: bool | Literal["auto"] = "auto"
    ) -> Self:
        """Draw.

        Parameters
        ----------
        log_scale : bool or "auto", default="auto"
            "auto": if the largest return is more than thirty times the smallest, and
            no bound is smaller than a ten thousandth of it.
        """
        known = {"roi": ["roi"], "mroi": ["mroi"], "both": ["roi", "mroi"]}
        if self.returns not in known:
            raise ValueError(
                f"returns={self.returns!r} must be 'roi', 'mroi' or 'both'."
            )
        kinds = known[self.returns]
        ax = self._axes(ax)
        table = self.summary.sort_values(kinds[0], na_position="first", kind="stable")
        rows = np.arange(len(table))
        self.points_, self.intervals_ = {}, {}
        self.hollow_: list = []
        doubtful = self._doubtful(table)
        everything = []
        for kind in kinds:
            values = table[[kind, f"{kind}_low", f"{kind}_high"]].to_numpy(dtype=float)
            everything.append(values)
            shift = {"roi": 0.17, "mroi": -0.17}[kind] if len(kinds) > 1 else 0.0
            color, marker = {"roi": (BLUE, "o"), "mroi": (VERMILLION, "D")}[kind]
            self.points_[kind], self.intervals_[kind] = draw_dots(
                ax, rows + shift, *values.T, color=color, marker=marker
            )
            at = (rows + shift)[doubtful]
            self.hollow_ += ax.plot(
                values[doubtful, 0], at, marker, color="white", markersize=2.5
            )
        name_rows(ax, table.index)
        self._scale(ax, np.concatenate(everything), log_scale)
        tidy_rows(ax)
        self._label(ax, kinds)
        return self

    @staticmethod
    def _doubtful(table):
        """Whether the data do not tell the return of each channel, as far as known."""
        if "verdict" not in table:
            return np.zeros(len(table), dtype=bool)
        verdict = table["verdict"]
        return np.asarray(verdict.notna() & (verdict != "data-driven"))

    def _label(self, ax, kinds):
        words = {"roi": "ROI", "mroi": "marginal ROI"}
        word = " and ".join(words[kind] for kind in kinds)
        if self.intervals_[kinds[0]] is not None:
            word = f"{word} with {self.confidence_level:.0%} interval"
        units = f"{brief(self.kpi_name)} per {self.unit}"
        if len(word) + len(units) > 13 * width_of(ax):
            word = f"{word}\n"
        ax.set_xlabel(f"{word}, {units}".replace("\n, ", "\n"), fontsize=SMALL)
        handles = []
        if len(kinds) > 1:
            handles = list(self.points_.values())
            for kind in kinds:
                self.points_[kind].set_label(words[kind])
        titles = {"roi": "Return of all spend", "mroi": "Return of the next unit"}
        title = titles[kinds[0]] if len(kinds) == 1 else "Return of all and of the next"
        if any(len(line.get_xdata()) for line in self.hollow_):
            title = f"{title} (hollow: not data-driven)"
        add_title(ax, title, handles)

    def _scale(self, ax, values, log_scale):
        point, low, high = values[np.isfinite(values[:, 0])].T
        if not point.size:
            return
        smallest = np.nanmin([point, low, high])
        if log_scale == "auto":
            most = point.max()
            log_scale = 0.0 < most / 1e4 < smallest and point.min() < most / 30.0
        if log_scale:
            self._log_scale(ax, point, low, high)
        else:
            show_all(ax, point, low, high)

    def _log_scale(self, ax, point, low, high):
        from matplotlib.ticker import LogLocator

        shown = np.concatenate([point, low])
        left = shown[shown > 0].min() / 1.5
        right = 1.5 * np.nanmax([point, high])
        ax.set_xscale("log", nonpositive="clip")
        ax.set_xlim(left, right)
        subs = (1.0, 3.0) if right < 1000.0 * left else (1.0,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))


def _unit(estimator, X):
    """Return what one unit of spend is."""
    money = counterfactual_of(estimator, X).is_money.any()
    return "unit of spend" if money else "unit of X"


@display
class SpendShareDisplay(Display):
    """Share of all spend against share of what all media caused.

    Parameters
    ----------
    summary : DataFrame indexed by channel
        With ``spend``, ``contribution``, ``contribution_low``, ``contribution_high``
        and ``roi``, as returned by ``channel_summary``.

    Attributes
    ----------
    spend_, effect_ : BarContainer
    intervals_ : LineCollection or None
        Of the effect, as a share of what all media caused at the point.

    See Also
    --------
    ReturnsDisplay : The ratio of the two.

    Notes
    -----
    A channel with a larger share of the effect than of spend had a return above
    average, which does not mean that the next unit of spend will.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import SpendShareDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=world.media, region="region", time="week")
    >>> model = model.fit(world.X, world.y)
    >>> display = SpendShareDisplay.from_estimator(model, world.X)
    >>> float(round(sum(bar.get_width() for bar in display.spend_), 6))
    1.0
    """

    summary: pd.DataFrame
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Summarise the channels and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted: :class:`~skmmm.DeepCausalMMMRegressor`, or any that
            :func:`skmmm.inspection.channel_summary` accepts, with X. The shares of
            spend are of money where costs are known, and channels without a cost have
            none; where no cost is known they are of the units of X, which only compare
            where these are alike.
        """
        summary = channel_summary(estimator, X, confidence_level=confidence_level)
        paid = paid_channels(counterfactual_of(estimator, X))
        summary["spend"] = summary["spend"].where(paid)
        return cls(summary=summary, confidence_level=confidence_level).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, row_height(1.4 * len(self.summary)))

    def _draw(self, ax):
        table = self.summary.sort_values("contribution", kind="stable")
        rows = np.arange(len(table))
        total = table["contribution"].sum()
        effect, low, high = (
            table[f"contribution{end}"].to_numpy(dtype=float) / total
            for end in ("", "_low", "_high")
        )
        spend = table["spend"].to_numpy() / table["spend"].sum()
        self.effect_ = ax.barh(rows + 0.18, effect, 0.34, color=BLUE, label="effect")
        self.spend_ = ax.barh(rows - 0.18, spend, 0.34, color=BASELINE, label="spend")
        self.intervals_ = None
        handles = [self.effect_, self.spend_]
        if np.isfinite(low).any():
            self.intervals_ = ax.hlines(rows + 0.18, low, high, color=INK, lw=1.2)
            self.intervals_.set_label(f"{self.confidence_level:.0%} interval")
            handles.append(self.intervals_)
        name_rows(ax, table.index)
        show_all(ax, effect, spend, low, high)
        tidy_rows(ax)
        percent_ticks(ax.xaxis)
        ax.set_xlabel("share of all media", fontsize=SMALL)
        add_title(ax, "Share of spend against share of effect", handles)


@display
class VerdictsDisplay(Display):
    """Table of channels: their return, and how reliable it is.

    Parameters
    ----------
    summary : DataFrame indexed by channel
        With ``roi``, its bounds, ``verdict`` and ``alarm``, as returned by
        ``channel_summary``.

    Attributes
    ----------
    texts_ : dict of str to list of Text
        By channel: name, verdict, ROI with interval, alarm.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import VerdictsDisplay
    >>> summary = pd.DataFrame(
    ...     {"roi": [2.0], "roi_low": [1.5], "roi_high": [2.5],
    ...      "verdict": ["data-driven"], "alarm": [""]},
    ...     index=["tv"],
    ... )
    >>> display = VerdictsDisplay(summary=summary).plot()
    >>> [text.get_text() for text in display.texts_["tv"]]
    ['tv', '● data-driven', '2.00', '1.50 to 2.50', '']
    """

    summary: pd.DataFrame
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Summarise the channels and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.
        """
        summary = channel_summary(estimator, X, confidence_level=confidence_level)
        return cls(summary=summary, confidence_level=confidence_level).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 0.75 + 0.27 * max(len(self.summary), 1))

    def _draw(self, ax):
        ax.set_axis_off()
        order = list(_VERDICTS)
        rank = self.summary["verdict"].map(
            lambda verdict: order.index(verdict) if verdict in order else len(order)
        )
        table = self.summary.iloc[np.argsort(rank, kind="stable")]
        places = (0.0, 0.36, 0.64, 0.66, 0.83)
        head = ("channel", "verdict", "ROI", f"{self.confidence_level:.0%} interval")
        for place, text in zip(places, head, strict=False):
            side = "right" if text == "ROI" else "left"
            ax.text(
                place, 0, text, color="#666666", fontsize=TINY, ha=side, va="center"
            )
        # About so many letters fit into the first column.
        names = shorten(list(table.index), max(8, int(5.7 * width_of(ax))))
        self.texts_ = {}
        for row, (name, channel) in enumerate(
            zip(names, table.itertuples(), strict=True)
        ):
            self.texts_[channel.Index] = self._draw_row(
                ax, places, -row - 1, name, channel
            )
            ax.axhline(-row - 0.5, color="#E5E5E5", linewidth=0.6, zorder=0)
        ax.set_xlim(0.0, 1.0)
        ax.set_ylim(-len(table) - 0.6, 0.6)
        add_title(ax, "What channels return, and how far to believe it")

    def _draw_row(self, ax, places, y, name, channel):
        verdict = channel.verdict if isinstance(channel.verdict, str) else "no verdict"
        color, symbol = _VERDICTS.get(verdict, (INK, "–"))
        bounds = ""
        if np.isfinite(channel.roi_low):
            bounds = f"{_short(channel.roi_low)} to {_short(channel.roi_high)}"
        cells = (
            (plain_text(name), INK, "left"),
            (f"{symbol} {verdict}", color, "left"),
            (_short(channel.roi), INK, "right"),
            (bounds, INK, "left"),
            (wrap(channel.alarm, 18), VERMILLION, "left"),
        )
        wide = width_of(ax) > 4.0
        sizes = [SMALL] * 4 + [TINY] if wide else [TINY - 1.0] * 5
        return [
            ax.text(x, y, text, color=ink, fontsize=size, ha=side, va="center")
            for x, size, (text, ink, side) in zip(places, sizes, cells, strict=True)
        ]


def _short(value):
    if not np.isfinite(value):
        return "–"
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    digits = 2 if abs(value) < 1 else 3
    return format_number(value, digits, trim=False).replace("\u2009", " ")
