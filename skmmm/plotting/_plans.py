"""Budget plans, budgets of other size, scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import OptimizeResult
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skmmm import allocation, scenarios
from skmmm._utils.typing import Table
from skmmm.plotting._rows import Rows, spend_name, units_of
from skmmm.plotting._style import (
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
    display,
    draw_band,
    draw_colorbar,
    draw_dots,
    format_number,
    name_rows,
    plain_text,
    row_height,
    shorten,
    shorten_ticks,
    tidy,
    tidy_rows,
    wrap,
)

_REASON_WIDTH = 46  # of a line, in letters


@display
class BudgetPlanDisplay(Display):
    """Planned spend against today's: by channel, or change by region or period.

    Parameters
    ----------
    allocation : DataFrame indexed by channel, or channel and region or period
        ``spend``, ``current_spend``, ``change`` and ``reason``, as in the result of
        :func:`skmmm.allocation.optimize_budget`.
    levers : DataFrame indexed by control, default=None
        ``level``, ``current``, ``cost`` and ``reason``, as in the same result: what
        each costs beyond today, below the channels.

    Attributes
    ----------
    today_, planned_ : Line2D or None
        By channel only; levers after channels.
    texts_ : list of Text
        Change in percent, and why it is not larger; of levers, the levels.
    image_ : AxesImage or None
        By region or period only: change of spend.

    See Also
    --------
    BudgetPathDisplay : What larger and smaller budgets would cause.

    Examples
    --------
    >>> from skmmm.allocation import optimize_budget
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import BudgetPlanDisplay
    >>> data = make_mmm_panel(1, 30, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> plan = optimize_budget(model.fit(data.X, data.y), X=data.X)
    >>> display = BudgetPlanDisplay.from_plan(plan)
    >>> len(display.texts_)
    2
    """

    allocation: pd.DataFrame
    spend_name: str = "spend"
    levers: pd.DataFrame | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        budget: float | None = None,
        *,
        X: Rows | None = None,
        ax: AxesOrNone = None,
        **options: Any,
    ) -> Self:
        """Plan and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for :func:`skmmm.allocation.optimize_budget`.
        budget : float, default=None
            Total spend. None: what X spends.
        **options : dict
            Passed to :func:`skmmm.allocation.optimize_budget`.
        """
        plan = allocation.optimize_budget(estimator, budget, X=X, **options)
        return cls.from_plan(plan, spend_name=_name(estimator, X), ax=ax)

    @classmethod
    def from_plan(
        cls, plan: OptimizeResult, *, spend_name: str = "spend", ax: AxesOrNone = None
    ) -> Self:
        """Plot an existing plan.

        Parameters
        ----------
        plan : OptimizeResult
            As returned by :func:`skmmm.allocation.optimize_budget`.
        """
        return cls(
            allocation=plan.allocation,
            spend_name=spend_name,
            levers=plan.get("levers"),
        ).plot(ax=ax)

    @property
    def _by_group(self):
        return self.allocation.index.names[-1] != "channel"

    @property
    def _channels(self):
        index = self.allocation.index
        return index.droplevel(-1).unique() if self._by_group else index

    def _figure_size(self):
        n_channels = len(self._channels)
        if self._by_group:
            return (WIDTH, 1.5 + 0.27 * max(n_channels, 3))
        n_levers = 0 if self.levers is None else len(self.levers)
        return (WIDTH, row_height(1.2 * (n_channels + n_levers)))

    def _draw(self, ax):
        self.today_ = self.planned_ = self.image_ = None
        self.texts_ = []
        if self._by_group:
            self._draw_changes(ax)
        else:
            self._draw_channels(ax)

    def _draw_channels(self, ax):
        table = self._money()
        rows = np.arange(len(table))
        now, planned = table["current_spend"], table["spend"]
        ax.hlines(rows, now, planned, color=OTHERS, linewidth=2.0, alpha=0.6)
        (self.today_,) = ax.plot(now, rows, "o", color=OTHERS, ms=6, label="today")
        (self.planned_,) = ax.plot(planned, rows, "D", color=BLUE, ms=5.5, label="plan")
        # What has no cost is not planned: its row says so, and holds no point.
        right = np.maximum(now, planned).fillna(0.0)
        for row, at, text in zip(rows, right, table["text"], strict=True):
            label = ax.annotate(
                wrap(text, _REASON_WIDTH),
                (at, row),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=TINY,
                color=INK,
            )
            self.texts_.append(label)
        name_rows(ax, table.index, width=26)
        low = min(0.0, planned.fillna(0.0).min())  # below zero: what levers free
        high = 1.75 * max(right.max(), np.finfo(float).tiny)
        if low < 0.0:
            low -= 0.03 * (high - low)  # room for the point
            ax.axvline(0.0, color=INK, linewidth=0.6)
        ax.set_xlim(low, high)
        tidy_rows(ax)
        word = "" if self.levers is None else "; of controls, beyond today's"
        ax.set_xlabel(f"{self.spend_name}{word}", fontsize=SMALL)
        add_title(ax, "Spend today and planned", [self.today_, self.planned_])

    def _money(self):
        """Return spend today and planned, and a text, of channels and levers."""
        table = self.allocation[["current_spend", "spend"]].assign(
            text=[
                reason if np.isnan(change) else f"{change:+.0%}, {reason}"
                for change, reason in self.allocation[["change", "reason"]].to_numpy()
            ]
        )
        table = table.sort_values("current_spend", kind="stable")
        if self.levers is None:
            return table
        levers = pd.DataFrame(
            {
                "current_spend": 0.0,
                "spend": self.levers["cost"],
                "text": [
                    f"{lever.current:.4g} to {lever.level:.4g}, {lever.reason}"
                    for lever in self.levers.itertuples()
                ],
            }
        )
        return pd.concat([levers, table])

    def _draw_changes(self, ax):
        by = self.allocation.index.names[-1]
        table = self.allocation["change"].unstack(by)
        order = self._channels
        spend = self.allocation["current_spend"].unstack(by).loc[order]
        table = table.loc[order]
        if by == "region":  # the largest first
            table = table[spend.sum().sort_values(ascending=False, kind="stable").index]
        self.image_ = ax.imshow(
            table.to_numpy(dtype=float),
            cmap=_changes(),
            vmin=-1.0,
            vmax=1.0,
            aspect="auto",
            interpolation="nearest",
        )
        names = [plain_text(name) for name in shorten(list(table.index), 26)]
        ax.set_yticks(np.arange(len(names)), names)
        step = max(1, -(-table.shape[1] // 12))
        shown = np.arange(0, table.shape[1], step)
        labels = [str(table.columns[i]).removesuffix(" 00:00:00") for i in shown]
        labels = [plain_text(name) for name in shorten(labels, 14)]
        ax.set_xticks(shown, labels, rotation=40, ha="right", rotation_mode="anchor")
        ax.tick_params(labelsize=TINY, length=0)
        ax.spines[:].set_visible(False)
        word = f"{by}s, the largest first" if by == "region" else by
        ax.set_xlabel(word, fontsize=SMALL)
        bar = draw_colorbar(
            ax, self.image_, "change of spend", shrink=0.9, aspect=20, pad=0.02
        )
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:+.0%}")
        add_title(ax, f"Change of spend by channel and {by}")


@display
class BudgetPathDisplay(Display):
    """KPI caused by the best plan for each budget.

    Parameters
    ----------
    path : Bunch
        As returned by :func:`skmmm.allocation.budget_path`.

    Attributes
    ----------
    planned_, scaled_ : Line2D
        Of the best plan, and of scaling all channels by one factor.
    band_ : PolyCollection or None
    today_ : Line2D

    See Also
    --------
    BudgetPlanDisplay : Where one of the budgets goes.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import BudgetPathDisplay
    >>> data = make_mmm_panel(1, 30, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> model = model.fit(data.X, data.y)
    >>> now = data.X[data.media].to_numpy().sum()
    >>> budgets = [0.9 * now, now, 1.1 * now]
    >>> display = BudgetPathDisplay.from_estimator(model, budgets, X=data.X)
    >>> len(display.path.table)
    3
    """

    path: Bunch
    kpi_name: str = "KPI"
    spend_name: str = "spend"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        budgets: npt.ArrayLike | None = None,
        *,
        X: Rows | None = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
        kpi_name: str = "KPI",
        **options: Any,
    ) -> Self:
        """Plan each budget and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for :func:`skmmm.allocation.budget_path`.
        budgets : array-like of shape (n_budgets,), default=None
            None: eleven around today's.
        **options : dict
            Passed to :func:`skmmm.allocation.budget_path`.
        """
        path = allocation.budget_path(
            estimator, budgets, X=X, confidence_level=confidence_level, **options
        )
        return cls(
            path=path,
            kpi_name=kpi_name,
            spend_name=_name(estimator, X),
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        table = self.path.table
        budget = table["budget"].to_numpy()
        low, high = (table[f"outcome_{end}"].to_numpy(float) for end in ("low", "high"))
        self.band_ = draw_band(ax, budget, low, high)
        (self.planned_,) = ax.plot(
            budget, table["outcome"], color=BLUE, label="best plan"
        )
        (self.scaled_,) = ax.plot(
            budget, table["as_today"], ":", color=INK, lw=1.2, label="scaled alike"
        )
        (self.today_,) = ax.plot(
            self.path.current_budget,
            self.path.current_outcome,
            "o",
            color=VERMILLION,
            label="today",
        )
        tidy(ax)
        shorten_ticks(ax.xaxis)
        if np.nanmin(np.append(low, table["as_today"]), initial=0.0) >= 0.0:
            ax.set_ylim(bottom=0.0)
        ax.set_xlabel(f"total {self.spend_name}", fontsize=SMALL)
        ax.set_ylabel(f"{brief(self.kpi_name)} caused", fontsize=SMALL)
        handles = [self.planned_, self.scaled_, self.today_]
        if self.band_ is not None:
            self.band_.set_label(f"{self.confidence_level:.0%} interval")
            handles.append(self.band_)
        add_title(ax, "What each budget causes", handles)


@display
class ScenariosDisplay(DotsDisplay):
    """Difference of each scenario to a baseline scenario.

    Parameters
    ----------
    comparison : DataFrame indexed by scenario
        As returned by :func:`skmmm.scenarios.compare_scenarios`.
    baseline : str, default=None
        The scenario to which the others are compared. None: the first.

    Attributes
    ----------
    texts_ : list of Text
        Change of spend, and how probable it is that the scenario is better.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import ScenariosDisplay
    >>> data = make_mmm_panel(1, 30, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> model = model.fit(data.X, data.y)
    >>> more = data.X.assign(media_1=1.2 * data.X["media_1"])
    >>> tables = {"as it was": data.X, "more": more}
    >>> display = ScenariosDisplay.from_estimator(model, tables)
    >>> list(display.comparison.index)
    ['as it was', 'more']
    """

    comparison: pd.DataFrame
    baseline: str | None = None
    kpi_name: str = "KPI"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        tables: Mapping[str, Table],
        *,
        baseline: str | None = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
        kpi_name: str = "KPI",
        **options: Any,
    ) -> Self:
        """Compare scenarios and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for :func:`skmmm.scenarios.compare_scenarios`.
        tables : mapping of str to DataFrame
            Scenarios with the same regions and periods.
        **options : dict
            Passed to :func:`skmmm.scenarios.compare_scenarios`: prices, and `levers`,
            whose money is then part of spend.
        """
        comparison = scenarios.compare_scenarios(
            estimator,
            tables,
            baseline=baseline,
            confidence_level=confidence_level,
            **options,
        )
        return cls(
            comparison=comparison,
            baseline=baseline,
            kpi_name=kpi_name,
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, row_height(1.3 * len(self.comparison)))

    def _draw(self, ax):
        table = self.comparison[::-1]
        point, low, high = (
            table[f"difference{end}"].to_numpy(dtype=float)
            for end in ("", "_low", "_high")
        )
        rows = np.arange(len(table))
        self.points_, self.intervals_ = draw_dots(ax, rows, point, low, high)
        ax.axvline(0.0, color=INK, linewidth=0.8, linestyle=":")
        name_rows(ax, table.index)
        ax.set_ylim(-0.6, len(table) - 0.2)
        self.texts_ = []
        for row, scenario in enumerate(table.itertuples()):
            self.texts_.append(
                ax.annotate(
                    _describe(scenario),
                    (scenario.difference, row),
                    xytext=(0, 6),
                    textcoords="offset points",
                    fontsize=TINY,
                    ha="center",
                )
            )
        ax.margins(x=0.35)
        tidy_rows(ax)
        baseline = self.comparison.index[0] if self.baseline is None else self.baseline
        (short,) = shorten([baseline], 24)
        word = f"{brief(self.kpi_name)} beyond “{plain_text(short)}”"
        self._label(ax, word, "What each scenario would bring")


def _name(estimator, X):
    """Return how the axis of what is planned is called: money, if any has a cost."""
    units = units_of(estimator, X).values()
    return "spend" if "spend" in units else spend_name(units)


def _changes():
    """Return colours of changes, grey where there is no spend to change."""
    from matplotlib import colormaps

    return colormaps["PuOr_r"].with_extremes(bad="#E2E2E2")


def _describe(scenario):
    """Return the change of spend, and the probability that a scenario is better."""
    spend = scenario.difference_spend
    parts = ["same spend" if spend == 0 else f"spend {_signed(spend)}"]
    better = scenario.probability_better
    if np.isfinite(better) and scenario.difference != 0:
        parts.append(f"better in {better:.0%} of draws")
    return ", ".join(parts)


def _signed(value):
    text = format_number(value).replace("\u2009", " ")
    return text if value < 0 else f"+{text}"
