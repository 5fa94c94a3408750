"""Regions from the highest to the lowest."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._utils.labels import counted
from skmmm.inspection import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows, paid_channels
from skmmm.plotting._style import (
    OTHERS,
    SMALL,
    TINY,
    WIDTH,
    AxesOrNone,
    DotsDisplay,
    brief,
    display,
    percent_ticks,
    row_height,
)

_MEASURES = {
    "share": "share of predicted {kpi} caused by media",
    "contribution": "{kpi} caused by media",
    "roi": "{kpi} caused by media, per unit of spend",
    "predicted": "predicted {kpi}",
}


def media_by_region(estimator, X=None, *, confidence_level=0.9):
    """Return what all media together cause in each region.

    Returns
    -------
    regions : DataFrame indexed by region
        ``predicted`` KPI, ``spend``; ``contribution`` of all media to the rows, its
        ``share`` of the prediction, and ``roi``, each with ``_low`` and ``_high``.
        Spend and ROI are of channels that cost money, if any do.
    """
    tail = tail_probability(confidence_level)
    counterfactual = counterfactual_of(estimator, X)
    group, names = counterfactual.groups("region")
    paid = paid_channels(counterfactual)
    table = channel_summary(
        estimator, X, confidence_level=confidence_level, by="region"
    )
    counted = np.repeat(paid, len(names))
    table["spend"] = table["spend"].where(counted, 0.0)
    sums = table[["spend", "contribution"]].groupby(level="region").sum()
    returned = (table["roi"] * table["spend"]).groupby(level="region").sum()
    sums = sums.reindex(names)
    sums.index.name = "region"
    predicted = np.bincount(group, counterfactual.predicted(), len(names))
    sums.insert(0, "predicted", predicted)
    spend = sums["spend"].where(sums["spend"] > 0)
    sums["share"] = sums["contribution"] / predicted
    sums["roi"] = returned.reindex(names) / spend
    drawn = {}
    if counterfactual.has_draws:
        effects = counterfactual.effects("region", draws=True)
        contribution = effects.contribution.sum(axis=2)
        returns = effects.incremental[..., paid].sum(axis=2)
        drawn["contribution"] = contribution
        drawn["roi"] = returns / spend.to_numpy()
        drawn["share"] = contribution / predicted
    for name in ("contribution", "roi", "share"):
        low, high = np.nan, np.nan
        if name in drawn:
            least = counterfactual.least_effect.min(initial=0.0)
            low, high = bounds(drawn[name], tail, sums[name], least=least)
        sums[f"{name}_low"], sums[f"{name}_high"] = low, high
    return sums


@display
class RegionRankingDisplay(DotsDisplay):
    """Regions ranked by the effect of media, the highest on top.

    Parameters
    ----------
    regions : DataFrame indexed by region
        ``share``, ``contribution``, ``roi``, with ``_low`` and ``_high``, and
        ``predicted``.
    by : {"share", "contribution", "roi", "predicted"}, default="share"
        What is shown.

    Attributes
    ----------
    gap_ : Text or None
        Says how many regions are left out between the highest and the lowest.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.plotting import RegionRankingDisplay
    >>> data = load_mmm_example()
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> model = model.fit(data.X, data.y)
    >>> display = RegionRankingDisplay.from_estimator(model, data.X)
    >>> len(display.regions)
    12
    """

    regions: pd.DataFrame
    by: Literal["share", "contribution", "roi", "predicted"] = "share"
    kpi_name: str = "KPI"
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows | None = None,
        *,
        by: Literal["share", "contribution", "roi", "predicted"] = "share",
        max_regions: int = 30,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
        kpi_name: str = "KPI",
    ) -> Self:
        """Summarise the regions and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `region` column: :class:`~skmmm.DeepCausalMMMRegressor`, or
            any that :func:`skmmm.inspection.channel_summary` accepts, with X.
        """
        return cls(
            regions=media_by_region(estimator, X, confidence_level=confidence_level),
            by=by,
            kpi_name=kpi_name,
            confidence_level=confidence_level,
        ).plot(ax=ax, max_regions=max_regions)

    def _figure_size(self):
        return (WIDTH, 0.7 * row_height(min(len(self.regions), 30)) + 0.4)

    def plot(self, ax: AxesOrNone = None, *, max_regions: int = 30) -> Self:
        """Draw.

        Parameters
        ----------
        max_regions : int, default=30
            If there are more, two thirds of so many are the highest, one third the
            lowest.
        """
        if self.by not in _MEASURES:
            raise ValueError(f"by={self.by!r} must be one of {list(_MEASURES)}.")
        ax = self._axes(ax)
        table = self.regions.sort_values(self.by, na_position="first", kind="stable")
        n_low = max_regions // 3
        left_out = len(table) - max_regions
        if left_out > 0:
            table = pd.concat([table[:n_low], table[-(max_regions - n_low) :]])
        point = table[self.by].to_numpy(dtype=float)
        low, high = (
            table.get(f"{self.by}_{end}", pd.Series(np.nan, table.index)).to_numpy(
                float
            )
            for end in ("low", "high")
        )
        self._draw_dots(ax, table.index, point, low, high)
        ax.tick_params(axis="y", labelsize=TINY if len(table) > 15 else SMALL)
        self._mark_gap(ax, n_low, left_out)
        if self.by == "share":
            percent_ticks(ax.xaxis)
        word = _MEASURES[self.by].format(kpi=brief(self.kpi_name))
        self._label(ax, word, "Regions from the highest to the lowest")
        return self

    def _mark_gap(self, ax, n_low, left_out):
        self.gap_ = None
        if left_out > 0:
            ax.axhline(n_low - 0.5, color=OTHERS, linewidth=0.8, linestyle=":")
            self.gap_ = ax.text(
                0.99,
                n_low - 0.5,
                f"{counted(left_out, 'region')} between",
                transform=ax.get_yaxis_transform(),
                ha="right",
                va="bottom",
                fontsize=TINY,
                color="#666666",
                bbox={"fc": "white", "ec": "none", "pad": 0.8},
            )
