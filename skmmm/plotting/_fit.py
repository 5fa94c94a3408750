"""The KPI: observed, fitted and forecast."""

import numpy as np

from skmmm.plotting._rows import (
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
    Display,
    brief,
    entitle,
    format_time,
    per_period,
    tidy,
)


class FitDisplay(Display):
    """Observed and predicted KPI over time, training and holdout told apart.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    series : DataFrame of shape (n_periods, 5)
        Indexed by period in rising order: ``observed``, ``predicted``, ``low`` and
        ``high`` in KPI units, the bounds NaN where there is no interval, and
        ``holdout``, bool, where the model has not seen the KPI.

    kpi_name : str, default="KPI"
        For the axis.

    period : str, default="period"
        Length of a period, for the axis.

    of : str, default=""
        Region, or number of regions that were added up, for the axis.

    confidence_level : float, default=0.9
        Of the bounds.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
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

    def __init__(
        self, *, series, kpi_name="KPI", period="period", of="", confidence_level=0.9
    ):
        self.series = series
        self.kpi_name = kpi_name
        self.period = period
        self.of = of
        self.confidence_level = confidence_level

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        X_test=None,
        y_test=None,
        region=None,
        ax=None,
        confidence_level=0.9,
    ):
        """Predict, add up over regions and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `time` column, or a pipeline or a search that ends with one:
            :class:`~skmmm.DeepCausalMMMRegressor` and the models of
            :mod:`skmmm.baselines`.

        X : DataFrame or array-like of shape (n_rows, n_columns)
            Training rows.

        y : array-like of shape (n_rows,)
            KPI. The name of a Series names the axis.

        X_test, y_test : as `X` and `y`, default=None
            Later rows, which the model has not seen.

        region : object, default=None
            A value of the region column. None: the sum over all regions.

        ax : Axes, default=None
            None: a new figure.

        confidence_level : float in (0, 1), default=0.9
            For the intervals, which are drawn for one region, or for the total of a
            single one, of an estimator with `predict_interval`. Regions move
            together, so that bounds of a sum are not sums of bounds.

        Returns
        -------
        display : FitDisplay
        """
        blocks = blocks_of(X, y, X_test, y_test)
        if region is not None:
            blocks = [of_region(estimator, *block, region) for block in blocks]
        n_regions = count_regions(estimator, [X for X, _ in blocks])
        rows = rows_over_time(
            estimator,
            *[part for block in blocks for part in block],
            confidence_level=confidence_level if n_regions == 1 else None,
        )
        _, calendar = ordinals_of(estimator, [X for X, _ in blocks])
        by_period = rows.groupby(level="time")
        series = by_period.sum(min_count=1).assign(holdout=by_period["holdout"].any())
        display = cls(
            series=series,
            kpi_name=getattr(y, "name", None) or "KPI",
            period=calendar.unit,
            of=name_regions(role_of(estimator, X, "region")[1], region, n_regions),
            confidence_level=confidence_level,
        )
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            None: a new figure.

        Returns
        -------
        display : FitDisplay
            The display, with the artists as attributes.
        """
        ax = self._axes(ax)
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
        self.bands_ = []
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
        entitle(ax, f"{brief(self.kpi_name)}: observed and predicted", handles)
        return self

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
