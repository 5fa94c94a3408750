"""What other levels of spend would cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skmmm._utils.typing import Column
from skmmm.plotting._rows import (
    Rows,
    channels_by_size,
    curves_of,
    spend_name,
    units_of,
)
from skmmm.plotting._style import (
    BLUE,
    OTHERS,
    VERMILLION,
    AxesOrNone,
    ChannelPanels,
    brief,
    display,
    draw_band,
    tidy_panel,
)


@display
class ResponseCurvesDisplay(ChannelPanels):
    """Incremental KPI against spend, one panel per channel.

    Parameters
    ----------
    curves : dict of str to Bunch
        By channel, as returned by ``response_curve``.
    units : dict of str to str, default=None
        By channel, how its axis calls spend where not all do alike: "spend" for money,
        "reach" of channels with a frequency, "units of X".

    Attributes
    ----------
    lines_ : list of (Line2D or None, Line2D or None, Line2D or None)
        Per channel: where spend was observed, beyond, and below.
    bands_ : list of PolyCollection or None
    points_ : list of Line2D
        The current spend.
    halves_ : list of Line2D or None
        Where half of the effect is reached that ever more spend approaches, if the
        panel shows it.

    See Also
    --------
    ReturnsDisplay : Returns at the current spend.

    Notes
    -----
    The curve is dashed below ``observed_from`` and beyond ``observed_until``: there the
    model extrapolates. Each panel has its own axes, wide enough for the whole interval.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import ResponseCurvesDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, time="week", region="region", graph=None, n_draws=0,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = ResponseCurvesDisplay.from_estimator(model, channels=["media_1"])
    >>> len(display.points_)
    1
    """

    _title = "What other levels of spend would cause"

    curves: dict[Column, Bunch]
    kpi_name: str = "KPI"
    spend_name: str = "spend"
    units: dict[Column, str] | None = None
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
        """Compute the curves and plot."""
        if channels is None:
            channels = channels_by_size(estimator, X)
        curves = curves_of(estimator, X, channels, confidence_level)
        units = units_of(estimator, X)
        units = {channel: units[channel] for channel in curves}
        return cls(
            curves=curves,
            kpi_name=kpi_name,
            spend_name=spend_name(units.values()),
            units=units if len(set(units.values())) > 1 else None,
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _channels(self):
        return list(self.curves)

    def _draw(self, ax):
        self.lines_, self.bands_, self.points_, self.halves_ = [], [], [], []
        for panel, curve in zip(self.axes_, self.curves.values(), strict=True):
            self._draw_curve(panel, curve)
        if self.curves:
            names = [self.spend_name] * len(self.curves)
            if self.units is not None:
                names = [self.units[channel] for channel in self.curves]
            self._label_panels(names, f"incremental\n{brief(self.kpi_name, 22)}")
            self._name_artists()

    def _name_artists(self):
        within, beyond, below = (
            next(filter(None, lines), None) for lines in zip(*self.lines_, strict=True)
        )
        self._draw_legend(
            {
                "response": within,
                "outside the data": beyond or below,
                "today": self.points_[0],
                "half of the most it can cause": next(filter(None, self.halves_), None),
                f"{self.confidence_level:.0%} interval": next(
                    filter(None, self.bands_), None
                ),
            }
        )

    def _draw_curve(self, ax, curve):
        spend, incremental = np.asarray(curve.spend), np.asarray(curve.incremental)
        self.bands_.append(draw_band(ax, spend, curve.low, curve.high))
        now = (curve.current_spend, curve.current_incremental)
        ends = (curve.observed_from, curve.observed_until)
        start, end = (float(np.ravel(value)[0]) for value in ends)
        order = np.argsort(spend)
        # Neighbouring parts meet where the data begin and end.
        inside = [x for x in (start, end) if spend.min() < x < spend.max()]
        x = np.unique([*spend, *inside])
        y = np.interp(x, spend[order], incremental[order])
        lines: list = []
        parts = ((start, end, "-"), (end, np.inf, "--"), (-np.inf, start, "--"))
        for low, high, style in parts:
            part = (x >= low) & (x <= high)
            if part.sum() < 2:
                lines.append(None)
                continue
            lines += ax.plot(x[part], y[part], style, color=BLUE, linewidth=1.5)
        self.lines_.append(tuple(lines))
        half, line = float(np.ravel(curve.half_saturation_spend)[0]), None
        if spend[0] < half < spend[-1]:
            line = ax.axvline(half, color=OTHERS, linewidth=0.9, linestyle=":")
        self.halves_.append(line)
        self.points_ += ax.plot(*now, "o", color=VERMILLION, markersize=4.5)
        tidy_panel(ax)
        ax.set_xlim(left=min(0.0, spend[0]))
        if min(np.min(incremental), np.nanmin([0.0, *curve.low])) >= 0.0:
            ax.set_ylim(bottom=0.0)
