"""How often people should see a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._utils.typing import Column
from skmmm.inspection import optimal_frequency
from skmmm.inspection._frequency import points_of
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows, chosen_of
from skmmm.plotting._style import (
    BLUE,
    OTHERS,
    TINY,
    VERMILLION,
    AxesOrNone,
    ChannelPanels,
    brief,
    display,
    draw_band,
    tidy_panel,
)


@display
class FrequencyDisplay(ChannelPanels):
    """What the same impressions cause if people see them more or less often.

    Parameters
    ----------
    points : DataFrame indexed by channel and frequency
        ``contribution``, ``low`` and ``high`` in KPI units.
    optimum : DataFrame indexed by channel
        As returned by ``optimal_frequency``.

    Attributes
    ----------
    lines_ : list of Line2D
    bands_ : list of PolyCollection or None
    now_ : list of Line2D
        Frequency of the rows.
    best_ : list of Line2D
        The optimum.
    ranges_ : list of Polygon or None
        Interval of the optimum.
    notes_ : list of Text
        The verdict.

    See Also
    --------
    SaturationDisplay : The share of the highest effect of one person reached.

    Examples
    --------
    >>> import numpy as np
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import FrequencyDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> seen = 1.0 + np.random.default_rng(0).gamma(2.0, 1.0, 60)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, frequency={"media_1": "seen"}, region="region",
    ...     time="week", graph=None, n_draws=8, max_iter=20, random_state=0,
    ... ).fit(world.X.assign(seen=seen), world.y)
    >>> display = FrequencyDisplay.from_estimator(model)
    >>> list(display.optimum.index)
    ['media_1']
    """

    _title = "What the same impressions cause, by frequency"
    _row_height = 2.0

    points: pd.DataFrame
    optimum: pd.DataFrame
    kpi_name: str = "KPI"
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
        kpi_name: str = "KPI",
    ) -> Self:
        """Compute curves and optima, and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `frequency`.
        channels : list of str or int, default=None
            None: all with a frequency.
        """
        optimum = optimal_frequency(estimator, X, confidence_level=confidence_level)
        counterfactual = counterfactual_of(estimator, X)
        points = points_of(
            counterfactual,
            counterfactual.frequency_curves(None),
            tail_probability(confidence_level),
        )
        shown = list(points.index.unique("channel"))
        if channels is not None:
            shown = chosen_of(shown, channels)
        return cls(
            points=points.loc[shown],
            optimum=optimum.loc[shown],
            kpi_name=kpi_name,
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _channels(self):
        return list(self.optimum.index)

    def _draw(self, ax):
        self.lines_: list = []
        self.bands_: list = []
        self.now_: list = []
        self.best_: list = []
        self.ranges_: list = []
        self.notes_: list = []
        for panel, channel in zip(self.axes_, self._channels(), strict=True):
            self._draw_curve(panel, self.points.loc[channel], self.optimum.loc[channel])
        if not len(self.axes_):
            return
        self._label_panels("frequency", f"{brief(self.kpi_name, 22)} caused")
        level = f"{self.confidence_level:.0%} interval"
        self._draw_legend(
            {
                "caused": self.lines_[0],
                level: self.bands_[0],
                "now": self.now_[0],
                "optimum": self.best_[0],
                f"{level} of it": self.ranges_[0],
            }
        )

    def _draw_curve(self, ax, points, best):
        x = points.index.to_numpy(dtype=float)
        low, high = points[["low", "high"]].to_numpy(dtype=float).T
        shade = None
        if np.isfinite(best["optimum_low"]):
            ends = best[["optimum_low", "optimum_high"]]
            shade = ax.axvspan(*ends, color="#EDEDED", zorder=0)
        self.ranges_.append(shade)
        self.bands_.append(draw_band(ax, x, low, high))
        self.lines_ += ax.plot(x, points["contribution"], color=BLUE, linewidth=1.5)
        self.now_.append(ax.axvline(best["frequency"], color=OTHERS, lw=1.0, ls="--"))
        self.best_.append(ax.axvline(best["optimum"], color=VERMILLION, lw=1.0))
        tidy_panel(ax)
        ax.set_ylim(bottom=min(0.0, points["contribution"].min()))
        room = 0.02 * (x[-1] - x[0])
        ax.set_xlim(x[0] - room, x[-1] + room)
        said = best["verdict"] or "no verdict"
        note = ax.text(
            0.98, 0.04, said, ha="right", fontsize=TINY, transform=ax.transAxes
        )
        self.notes_.append(note)
