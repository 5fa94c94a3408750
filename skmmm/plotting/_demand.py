"""Demand that nobody observed: which budgets tell of it, and what it adds."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._unwrapping import bare
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows
from skmmm.plotting._style import (
    BLUE,
    INK,
    SMALL,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    brief,
    display,
    format_time,
    name_rows,
    per_period,
    row_height,
    tidy,
    tidy_rows,
)

_NO_DEMAND = """Spend tells of no hidden demand: budgets do not move together,
or there are too few data to see it."""
_COLORS = {"local": BLUE, "national": VERMILLION}
_BARS = 0.76  # height of the bars of a channel together


@display
class HiddenDemandDisplay(Display):
    """Hidden demand: how it moves the budget of each channel, and the KPI.

    Parameters
    ----------
    loading : DataFrame indexed by channel
        Columns "local" and "national", as far as spend tells of such demand:
        correlation of log spend with it.
    contribution : Series indexed by period in rising order
        What hidden demand adds to the KPI, in its units.

    Attributes
    ----------
    axes_ : ndarray of Axes
        Loadings and contribution; one, with a sentence, if there is no hidden demand.
    bars_ : dict of str to BarContainer
        By "local" and "national"; empty if there is no hidden demand.
    line_ : Line2D or None

    See Also
    --------
    BaselineDisplay : What else moves the KPI without media.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import HiddenDemandDisplay
    >>> loading = pd.DataFrame({"local": [0.6, 0.4, 0.1]}, ["search", "social", "tv"])
    >>> contribution = pd.Series([-120.0, 40.0, 160.0, 90.0])
    >>> display = HiddenDemandDisplay(loading=loading, contribution=contribution)
    >>> list(display.plot().bars_)
    ['local']
    """

    loading: pd.DataFrame
    contribution: pd.Series
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
        """Ask for hidden demand, add up what it adds over regions, and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.
        """
        estimator = bare(estimator)
        group, times = counterfactual_of(estimator, X).groups("period")
        demand = estimator.hidden_demand(X)
        contribution = demand["contribution"].groupby(group).sum()
        return cls(
            loading=loading_table(demand, estimator.media_),
            contribution=contribution.set_axis(pd.Index(times)),
            kpi_name=kpi_name,
            period=estimator.period_,
        ).plot(ax=ax)

    def _figure_size(self):
        if not self.loading.shape[1]:
            return (WIDTH, 1.2)
        return (WIDTH, max(3.4, row_height(len(self.loading))))

    def _draw(self, ax):
        self.bars_, self.line_ = {}, None
        if not self.loading.shape[1]:
            self._draw_none(ax)
            return
        self.bounding_ax_ = ax
        ax.set_axis_off()
        grid = ax.get_subplotspec().subgridspec(1, 2, width_ratios=[2, 3])
        left, right = (self.figure_.add_subplot(grid[column]) for column in range(2))
        self.axes_ = np.array([left, right], dtype=object)
        self._draw_loadings(left)
        self._draw_contribution(right)

    def _draw_none(self, ax):
        self.axes_ = np.array([ax], dtype=object)
        ax.set_axis_off()
        ax.text(
            0.5,
            0.5,
            _NO_DEMAND,
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize=SMALL,
        )
        add_title(ax, "Hidden demand")

    def _draw_loadings(self, ax):
        """Draw a bar per channel and kind of demand, the first channel on top."""
        names = list(self.loading.index)[::-1]
        height = _BARS / self.loading.shape[1]
        for i, (scope, loading) in enumerate(self.loading.items()):
            middle = np.arange(len(names)) + _BARS / 2 - (i + 0.5) * height
            self.bars_[scope] = ax.barh(
                middle,
                loading.to_numpy()[::-1],
                height,
                color=_COLORS[scope],
                label=scope,
            )
        ax.axvline(0.0, color=INK, linewidth=0.8, linestyle="--")
        name_rows(ax, names, width=14)
        tidy_rows(ax)
        ax.set_xlabel("correlation of log spend\nwith demand", fontsize=SMALL)
        add_title(ax, "Hidden demand in budgets", list(self.bars_.values()))

    def _draw_contribution(self, ax):
        times = self.contribution.index.to_numpy()
        ax.axhline(0.0, color=INK, linewidth=0.8, linestyle="--")
        (self.line_,) = ax.plot(times, self.contribution, color=INK, lw=1.3)
        tidy(ax)
        format_time(ax, times, n_ticks=5)
        ax.set_ylabel(per_period(self.kpi_name, self.period), fontsize=SMALL)
        title = f"What it adds to {brief(self.kpi_name, 20)}"
        add_title(ax, title, note="summed over regions")


def loading_table(demand, channels):
    """Return the loadings that `hidden_demand` knows, a column per kind of demand."""
    return pd.DataFrame(demand.attrs.get("loading", {}), index=list(channels))
