"""The KPI: observed, fitted and forecast."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm.plotting._rows import (
    Rows,
    blocks_of,
    count_regions,
    name_regions,
    of_region,
    ordinals_of,
    role_of,
    rows_over_time,
)
from skmmm.plotting._style import (
    BLUE,
    INK,
    SHADE,
    SMALL,
    VERMILLION,
    AxesOrNone,
    Display,
    add_title,
    brief,
    display,
    format_time,
    per_period,
    tidy,
)


@display
class FitDisplay(Display):
    """Observed and predicted KPI over time, in training and holdout.

    Parameters
    ----------
    series : DataFrame of shape (n_periods, 5)
        Indexed by period in rising order: ``observed``, ``predicted``, ``low`` and
        ``high`` in KPI units, the bounds NaN where there is no interval, and
        ``holdout``, bool, where the model has not seen the KPI.
    of : str, default=""
        Region, or number of regions that were added up, for the axis.

    Attributes
    ----------
    observed_ : Line2D
    fitted_, forecast_ : Line2D
        Prediction in the training window and in the holdout; `forecast_` is None
        without a holdout.
    bands_ : list of PolyCollection
        Intervals of training and holdout; empty without bounds.
    holdout_ : Rectangle or None
        The shade behind the holdout.

    See Also
    --------
    ContributionsDisplay : What the prediction is made of.

    Examples
    --------
    >>> from skmmm.baselines import LastValueRegressor
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.plotting import FitDisplay
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> past = X["week"] < "2023-10-01"
    >>> model = LastValueRegressor(region="region", time="week").fit(X[past], y[past])
    >>> display = FitDisplay.from_estimator(
    ...     model, X[past], y[past], X_test=X[~past], y_test=y[~past]
    ... )
    >>> int(display.series["holdout"].sum())
    13
    """

    series: pd.DataFrame
    kpi_name: str = "KPI"
    period: str = "period"
    of: str = ""
    confidence_level: float = 0.9

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows,
        y: npt.ArrayLike,
        *,
        X_test: Rows | None = None,
        y_test: npt.ArrayLike | None = None,
        region: object = None,
        ax: AxesOrNone = None,
        confidence_level: float = 0.9,
    ) -> Self:
        """Predict, add up over regions and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `time` column, or a pipeline or a search that ends with one:
            :class:`~skmmm.DeepCausalMMMRegressor` and the models of
            :mod:`skmmm.baselines`.
        X : DataFrame, array-like of shape (n_rows, n_columns) or Effects
            Training rows.
        y : array-like of shape (n_rows,)
            KPI. The name of a Series names the axis.
        region : object, default=None
            A value of the region column. None: the sum over all regions.
        confidence_level : float in (0, 1), default=0.9
            For the intervals, which are drawn for one region, or for the total of a
            single one, of an estimator with `predict_interval`. Errors of regions are
            correlated, so that bounds of a sum are not sums of bounds.
        """
        blocks = blocks_of(estimator, X, y, X_test, y_test)
        if region is not None:
            blocks = [of_region(estimator, X, y, region) for X, y in blocks]
        n_regions = count_regions(estimator, [X for X, _ in blocks])
        rows = rows_over_time(
            estimator,
            *[part for block in blocks for part in block],
            confidence_level=confidence_level if n_regions == 1 else None,
        )
        _, calendar = ordinals_of(estimator, [X for X, _ in blocks])
        by_period = rows.groupby(level="time")
        series = by_period.sum(min_count=1).assign(holdout=by_period["holdout"].any())
        return cls(
            series=series,
            kpi_name=getattr(y, "name", None) or "KPI",
            period=calendar.unit,
            of=name_regions(role_of(estimator, X, "region")[1], region, n_regions),
            confidence_level=confidence_level,
        ).plot(ax=ax)

    def _draw(self, ax):
        times = self.series.index.to_numpy()
        (self.observed_,) = ax.plot(
            times,
            self.series["observed"],
            color=INK,
            linewidth=0.9,
            marker=".",
            markersize=2.5,
            label="observed",
        )
        self._draw_holdout(ax, times)
        self.bands_: list = []
        holdout = self.series["holdout"].to_numpy()
        self.fitted_ = self._draw_prediction(ax, ~holdout, BLUE, "fitted")
        self.forecast_ = None
        if holdout.any():
            self.forecast_ = self._draw_prediction(
                ax, holdout, VERMILLION, "holdout forecast"
            )
        label = per_period(self.kpi_name, self.period)
        ax.set_ylabel(f"{label}{brief(self.of, 20)}", fontsize=SMALL)
        tidy(ax)
        format_time(ax, times)
        lines = [self.observed_, self.fitted_, self.forecast_]
        handles = [line for line in lines if line is not None] + self.bands_[:1]
        add_title(ax, f"{brief(self.kpi_name)}: observed and predicted", handles)

    def _draw_holdout(self, ax, times):
        self.holdout_ = None
        first = int(np.argmax(self.series["holdout"]))
        if first:
            # Half a period before the first holdout period.
            start = times[first - 1] + (times[first] - times[first - 1]) / 2
            end = times[-1] + (times[-1] - times[-2]) / 2
            self.holdout_ = ax.axvspan(start, end, color=SHADE, zorder=0)

    def _draw_prediction(self, ax, rows, color, label):
        part = self.series[rows]
        times = part.index.to_numpy()
        (line,) = ax.plot(
            times, part["predicted"], color=color, linewidth=1.6, label=label
        )
        if part["low"].notna().any():
            band = ax.fill_between(
                times,
                part["low"],
                part["high"],
                color=color,
                alpha=0.22,
                linewidth=0,
                label=f"{self.confidence_level:.0%} interval",
            )
            self.bands_.append(band)
        return line
