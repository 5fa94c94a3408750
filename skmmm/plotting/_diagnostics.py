"""Model diagnostics: holdout, residuals, skill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score
from sklearn.model_selection import BaseCrossValidator

from skmmm._utils.typing import Column, Table
from skmmm.metrics import rolling_skill, weighted_mape, within_region_r2
from skmmm.plotting._rows import Rows, rows_over_time
from skmmm.plotting._style import (
    BLUE,
    CHANNEL_COLORS,
    INK,
    OTHERS,
    SMALL,
    TINY,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    Panels,
    add_title,
    brief,
    display,
    draw_band,
    format_time,
    name_rows,
    plain_text,
    shorten_ticks,
    tidy,
    tidy_panel,
    tidy_rows,
)

_N_LAGS = 13
_MOST_POINTS = 4000  # more do not make a cloud clearer


def residuals_of(rows):
    """Return errors of rows indexed by (region, time), also relative to their region.

    A DataFrame with ``predicted``; ``residual``, observed minus predicted, in KPI
    units; and ``standardised``, that over its root mean square in the region.
    """
    residual = rows["observed"] - rows["predicted"]
    size = residual.pow(2).groupby(level="region").transform("mean") ** 0.5
    table = rows[["predicted"]].assign(residual=residual)
    return table.assign(standardised=residual / size.where(size > 0, 1.0))


def errors_over_time(residuals):
    """Return the mean of standardised residuals by period, and where most regions are.

    90 % of the regions lie between ``low`` and ``high``, NaN with fewer than ten.
    """
    groups = residuals["standardised"].groupby(level="time")
    table = pd.DataFrame({"mean": groups.mean()})
    many = groups.count().max() >= 10
    for name, share in (("low", 0.05), ("high", 0.95)):
        table[name] = groups.quantile(share) if many else np.nan
    return table


def autocorrelation(residuals, n_lags=_N_LAGS):
    """Return correlations of residuals with those of later periods, within regions.

    A Series indexed by lag, from 1. Pairs with a missing period are left out; NaN if
    there are none.
    """
    grid = residuals["standardised"].unstack("region").sort_index().to_numpy()
    size = np.nanmean(grid**2)
    correlation = {}
    for lag in range(1, min(n_lags, len(grid) - 1) + 1):
        pairs = grid[lag:] * grid[:-lag]
        known = np.isfinite(pairs).any()
        correlation[lag] = np.nanmean(pairs) / size if known and size > 0 else np.nan
    return pd.Series(correlation, name="correlation", dtype=float)


@display
class HoldoutDisplay(Display):
    """Predicted against observed KPI, row by row.

    Parameters
    ----------
    rows : DataFrame indexed by (region, time)
        ``observed``, ``predicted`` and ``holdout``.

    Attributes
    ----------
    fitted_, forecast_ : PathCollection or None
        Training rows and holdout rows.
    diagonal_ : Line2D
    scores : dict of str to float
        ``wmape``, ``r2`` and, with several regions, ``r2_within`` of the holdout, or of
        all rows without one.

    See Also
    --------
    FitDisplay : The same over time.
    SkillDisplay : Whether that is better than a naive forecast.

    Notes
    -----
    Pooled R² of a panel mostly says that large regions are large; R² within regions
    says how much of the movement inside regions is predicted.

    Examples
    --------
    >>> from skmmm.baselines import LastValueRegressor
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.plotting import HoldoutDisplay
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> past = X["week"] < "2023-10-01"
    >>> model = LastValueRegressor(region="region", time="week").fit(X[past], y[past])
    >>> display = HoldoutDisplay.from_estimator(
    ...     model, X[past], y[past], X_test=X[~past], y_test=y[~past]
    ... )
    >>> display.scores["r2"] > display.scores["r2_within"]
    True
    """

    rows: pd.DataFrame
    kpi_name: str = "KPI"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows,
        y: npt.ArrayLike,
        *,
        X_test: Rows | None = None,
        y_test: npt.ArrayLike | None = None,
        ax: AxesOrNone = None,
        log_scale: bool | Literal["auto"] = "auto",
    ) -> Self:
        """Predict and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `time` column, or a pipeline that ends with one.
        X : DataFrame, array-like of shape (n_rows, n_columns) or Effects
            Training rows.
        y : array-like of shape (n_rows,)
            KPI. The name of a Series names the axes.
        """
        rows = rows_over_time(estimator, X, y, X_test, y_test)
        return cls(rows=rows, kpi_name=getattr(y, "name", None) or "KPI").plot(
            ax=ax, log_scale=log_scale
        )

    @property
    def scores(self):
        """Errors of the holdout, or of all rows without one."""
        rows = self.rows[self.rows["holdout"]]
        rows = rows if len(rows) else self.rows
        observed, predicted = rows["observed"], rows["predicted"]
        scores = {"wmape": weighted_mape(observed, predicted)}
        if len(rows) > 1:
            scores["r2"] = r2_score(observed, predicted)
        region = rows.index.get_level_values("region")
        varies = (observed.groupby(level="region").nunique() > 1).any()
        if region.nunique() > 1 and varies:
            scores["r2_within"] = within_region_r2(observed, predicted, region)
        return scores

    def _figure_size(self):
        return (0.75 * WIDTH, 0.7 * WIDTH)

    def plot(
        self, ax: AxesOrNone = None, *, log_scale: bool | Literal["auto"] = "auto"
    ) -> Self:
        """Draw.

        Parameters
        ----------
        log_scale : bool or "auto", default="auto"
            "auto": if all values are positive and span a factor of more than 100.
        """
        ax = self._axes(ax)
        values = self.rows[["observed", "predicted"]].to_numpy()
        low, high = values.min(), values.max()
        if log_scale == "auto":
            log_scale = low > 0 and high > 100 * low
        if log_scale:
            ax.set_xscale("log")
            ax.set_yscale("log")
        held_out = self.rows["holdout"].to_numpy()
        self.fitted_ = self._draw_cloud(ax, values[~held_out], BLUE, "fitted")
        self.forecast_ = self._draw_cloud(ax, values[held_out], VERMILLION, "holdout")
        self.diagonal_ = ax.plot([low, high], [low, high], ":", color=INK, lw=0.9)[0]
        tidy(ax)
        shorten_ticks(ax.xaxis)
        ax.xaxis.grid(True, color="#E5E5E5", linewidth=0.6)
        ax.set_xlabel(f"observed {brief(self.kpi_name)}", fontsize=SMALL)
        ax.set_ylabel(f"predicted {brief(self.kpi_name, 30)}", fontsize=SMALL)
        clouds = [c for c in (self.fitted_, self.forecast_) if c is not None]
        add_title(ax, "Predicted against observed", clouds)
        # The cloud leaves this corner free.
        ax.text(
            0.99,
            0.02,
            self._score_text().replace(": ", ":\n", 1).replace(", ", "\n"),
            transform=ax.transAxes,
            fontsize=TINY,
            ha="right",
            va="bottom",
        )
        return self

    def _draw_cloud(self, ax, values, color, label):
        if not len(values):
            return None
        shown = values[:: max(1, len(values) // _MOST_POINTS)]
        return ax.scatter(*shown.T, s=7, color=color, alpha=0.45, lw=0, label=label)

    def _score_text(self):
        names = {"wmape": "wMAPE", "r2": "R²", "r2_within": "R² within regions"}
        which = "holdout" if self.rows["holdout"].any() else "fit"
        text = ", ".join(
            f"{names[k]} {v:.1%}" if k == "wmape" else f"{names[k]} {v:.3f}"
            for k, v in self.scores.items()
        )
        return f"{which}: {text}"


@display
class ResidualsDisplay(Panels):
    """Residuals over time, their distribution, autocorrelation and size by prediction.

    Parameters
    ----------
    residuals : DataFrame indexed by (region, time)
        ``predicted``, ``residual`` and ``standardised`` (residual over its root mean
        square in the region).

    Attributes
    ----------
    axes_ : ndarray of shape (4,) of Axes
        Over time, distribution, autocorrelation, against the prediction.
    mean_ : Line2D
    band_ : PolyCollection or None
        Where 90 % of the regions are; None with fewer than ten.
    histogram_ : BarContainer
    normal_ : Line2D
    correlations_ : BarContainer
    cloud_ : PathCollection

    See Also
    --------
    HoldoutDisplay : Predicted against observed.

    Notes
    -----
    The dashed lines in the third panel are 1.96 over the root of the number of periods,
    as if all regions had the same errors: a correlation between them may be due to
    chance [1]_. In training rows the level of :class:`~skmmm.DeepCausalMMMRegressor` is
    smoothed with earlier and later rows. Where it moves much, neighbouring residuals
    differ in sign, and a negative first bar is no sign of a bad fit. Pass later rows as
    X to see the errors of forecasts.

    References
    ----------
    .. [1] Box, Jenkins, Reinsel, Ljung (2015). Time Series Analysis, 5th edition,
       section 8.2. Wiley.

    Examples
    --------
    >>> from skmmm.baselines import SeasonalNaiveRegressor
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.plotting import ResidualsDisplay
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> model = SeasonalNaiveRegressor(region="region", time="week").fit(X, y)
    >>> display = ResidualsDisplay.from_estimator(model, X, y)
    >>> len(display.axes_)
    4
    """

    _row_height = 2.1

    residuals: pd.DataFrame
    kpi_name: str = "KPI"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Rows,
        y: npt.ArrayLike,
        *,
        ax: AxesOrNone = None,
    ) -> Self:
        """Predict and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `time` column, or a pipeline that ends with one.
        X : DataFrame, array-like of shape (n_rows, n_columns) or Effects
        y : array-like of shape (n_rows,)
            KPI. The name of a Series names the axis.
        """
        residuals = residuals_of(rows_over_time(estimator, X, y))
        kpi_name = getattr(y, "name", None) or "KPI"
        return cls(residuals=residuals, kpi_name=kpi_name).plot(ax=ax)

    def _n_panels(self):
        return 4

    def _n_columns(self):
        return 2

    def _draw(self, ax):
        names = ["over time", "distribution", "autocorrelation", "by prediction"]
        self._make_panels(ax, names, "Errors")
        time, size, correlation, level = self.axes_
        self._draw_over_time(time)
        self._draw_distribution(size)
        self._draw_correlations(correlation)
        self._draw_levels(level)

    def _draw_over_time(self, ax):
        table = errors_over_time(self.residuals)
        times = table.index.to_numpy()
        self.band_ = draw_band(ax, times, table["low"], table["high"])
        (self.mean_,) = ax.plot(times, table["mean"], color=BLUE, linewidth=1.2)
        ax.axhline(0.0, color=OTHERS, linewidth=0.8)
        tidy_panel(ax)
        format_time(ax, times, n_ticks=5)
        ax.set_xlabel("")
        ax.set_ylabel("standard\ndeviations", fontsize=TINY)
        if self.band_ is not None:
            self._draw_legend({"mean": self.mean_, "90 % of regions": self.band_})

    def _draw_distribution(self, ax):
        values = self.residuals["standardised"].to_numpy()
        inside = np.clip(values, -4.0, 4.0)  # values beyond count at the ends
        heights, _, self.histogram_ = ax.hist(
            inside, np.linspace(-4, 4, 33), density=True, color=BLUE, alpha=0.55
        )
        x = np.linspace(-4.0, 4.0, 161)
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        (self.normal_,) = ax.plot(x, density, color=INK, linewidth=1.0)
        ax.text(1.5, 0.9 * max(density.max(), heights.max()), "normal", fontsize=TINY)
        tidy_panel(ax)
        ax.set_yticks([])
        ax.set_xlabel("standard deviations", fontsize=TINY)

    def _draw_correlations(self, ax):
        correlation = autocorrelation(self.residuals)
        lag = correlation.index.to_numpy()
        self.correlations_ = ax.bar(lag, correlation, color=BLUE, width=0.6)
        n_periods = self.residuals.index.unique("time").size
        for sign in (-1, 1):
            ax.axhline(sign * 1.96 / n_periods**0.5, color=OTHERS, lw=0.9, ls="--")
        ax.axhline(0.0, color=OTHERS, linewidth=0.8)
        tidy_panel(ax)
        limit = max(0.4, 1.1 * np.nanmax(np.abs(correlation), initial=0.0))
        ax.set_ylim(-limit, limit)
        ax.set_xlabel("periods later", fontsize=TINY)

    def _draw_levels(self, ax):
        table = self.residuals.iloc[:: max(1, len(self.residuals) // _MOST_POINTS)]
        self.cloud_ = ax.scatter(
            table["predicted"], table["standardised"], s=5, color=BLUE, alpha=0.4, lw=0
        )
        ax.axhline(0.0, color=OTHERS, linewidth=0.8)
        predicted = self.residuals["predicted"]
        if predicted.min() > 0 and predicted.max() > 100 * predicted.min():
            ax.set_xscale("log")
            tidy(ax)
            ax.tick_params(labelsize=TINY)
        else:
            tidy_panel(ax)
        shorten_ticks(ax.xaxis)
        ax.set_xlabel(f"predicted {brief(self.kpi_name, 26)}", fontsize=TINY)
        ax.set_ylabel("standard\ndeviations", fontsize=TINY)


@display
class SkillDisplay(Display):
    """Skill of forecasts from several origins against a naive forecast.

    Parameters
    ----------
    scores : DataFrame
        As returned by :func:`skmmm.metrics.rolling_skill`: ``estimator``, ``skill`` and
        ``split``, or ``origin`` with the names of the splits.

    Attributes
    ----------
    points_ : dict of str to PathCollection
        Of each origin.
    means_ : LineCollection

    See Also
    --------
    skmmm.metrics.rolling_skill : Makes the table.

    Examples
    --------
    >>> from skmmm.baselines import LastValueRegressor, SeasonalNaiveRegressor
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.model_selection import PanelTimeSeriesSplit
    >>> from skmmm.plotting import SkillDisplay
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> columns = {"region": "region", "time": "week"}
    >>> display = SkillDisplay.from_estimators(
    ...     {"seasonal naive": SeasonalNaiveRegressor(**columns)}, X, y,
    ...     cv=PanelTimeSeriesSplit(2, test_size=13, time="week"),
    ...     naive=LastValueRegressor(**columns),
    ... )
    >>> list(display.scores["estimator"].unique())
    ['seasonal naive']
    """

    scores: pd.DataFrame

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, BaseEstimator],
        X: Table,
        y: npt.ArrayLike,
        *,
        cv: BaseCrossValidator | Iterable,
        naive: BaseEstimator,
        region: Column | None = None,
        n_jobs: int | None = None,
        ax: AxesOrNone = None,
    ) -> Self:
        """Fit on each split, forecast and plot.

        Parameters
        ----------
        estimators : dict of str to estimator
            They are cloned.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        cv : cross-validation splitter or iterable
            Splits that go forward in time.
        naive : estimator
            The forecast to beat.
        region : str or int, default=None
        n_jobs : int or None, default=None
            As of :func:`skmmm.metrics.rolling_skill`.
        """
        scores = rolling_skill(
            estimators, X, y, cv=cv, naive=naive, region=region, n_jobs=n_jobs
        )
        return cls(scores=scores).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 1.1 + 0.4 * max(self.scores["estimator"].nunique(), 3))

    def _draw(self, ax):
        origin = "origin" if "origin" in self.scores else "split"
        mean = self.scores.groupby("estimator")["skill"].mean().sort_values()
        height = {name: row for row, name in enumerate(mean.index)}
        self.points_ = {}
        for i, (when, scores) in enumerate(self.scores.groupby(origin, sort=False)):
            self.points_[when] = ax.scatter(
                scores["skill"],
                scores["estimator"].map(height),
                s=26,
                color=CHANNEL_COLORS[i % len(CHANNEL_COLORS)],
                label=plain_text(when if origin == "origin" else f"split {when}"),
                zorder=3,
            )
        rows = np.arange(len(mean))
        self.means_ = ax.vlines(mean, rows - 0.28, rows + 0.28, color=INK, lw=2.0)
        self.means_.set_label("mean")
        ax.axvline(0.0, color=INK, linewidth=0.8, linestyle=":")
        name_rows(ax, mean.index)
        tidy_rows(ax)
        ax.set_xlabel(
            "skill: share of the naive forecast's error that is avoided", fontsize=SMALL
        )
        ax.set_xlim(left=self.scores["skill"].min() - 0.1, right=1.0)
        add_title(ax, "Skill of forecasts", [*self.points_.values(), self.means_])
