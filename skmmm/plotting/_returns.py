"""What channels return."""

import numpy as np

from skmmm.plotting._style import BLUE, SMALL, WIDTH, Display, plain_text, shorten, tidy


class ReturnsDisplay(Display):
    """Return of each channel with its interval, the highest on top.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    summary : DataFrame indexed by channel
        With ``roi``, ``roi_low``, ``roi_high`` and the same of ``mroi``, as returned
        by ``channel_summary``.

    kpi_name : str, default="KPI"
        For the axis.

    confidence_level : float, default=0.9
        Of the bounds.

    returns : {"roi", "mroi"}, default="roi"
        Of all spend, or of the next unit.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : Line2D
    intervals_ : LineCollection or None

    See Also
    --------
    ResponseCurvesDisplay : What other levels of spend would return.
    """

    def __init__(self, *, summary, kpi_name="KPI", confidence_level=0.9, returns="roi"):
        self.summary = summary
        self.kpi_name = kpi_name
        self.confidence_level = confidence_level
        self.returns = returns

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        returns="roi",
        ax=None,
        confidence_level=0.9,
        kpi_name="KPI",
    ):
        """Summarise the channels and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.

        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        returns : {"roi", "mroi"}, default="roi"
            Of all spend, or of the next unit.

        ax : Axes, default=None
            None: a new figure.

        confidence_level : float in (0, 1), default=0.9

        kpi_name : str, default="KPI"
            For the axis.

        Returns
        -------
        display : ReturnsDisplay
        """
        summary = estimator.channel_summary(X, confidence_level=confidence_level)
        display = cls(
            summary=summary,
            kpi_name=kpi_name,
            confidence_level=confidence_level,
            returns=returns,
        )
        return display.plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 0.9 + 0.28 * max(len(self.summary), 3))

    def plot(self, ax=None, *, log_scale="auto"):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            None: a new figure.

        log_scale : bool or "auto", default="auto"
            "auto": if no bound is negative and the largest return is more than thirty
            times the smallest. An interval that reaches down to zero then runs out of
            the picture.

        Returns
        -------
        display : ReturnsDisplay
            The display, with the artists as attributes.
        """
        returns = self.returns
        if returns not in ("roi", "mroi"):
            raise ValueError(f"returns={returns!r} must be 'roi' or 'mroi'.")
        ax = self._axes(ax)
        table = self.summary.sort_values(returns, na_position="first")
        values = table[[returns, f"{returns}_low", f"{returns}_high"]].to_numpy()
        point, low, high = values.T
        height = np.arange(len(table))
        self.intervals_ = None
        if np.isfinite(low).any():
            self.intervals_ = ax.hlines(
                height, low, high, color=BLUE, alpha=0.45, linewidth=3.0
            )
        (self.points_,) = ax.plot(point, height, "o", color=BLUE, markersize=5.5)
        names = [plain_text(name) for name in shorten(list(table.index), 30)]
        ax.set_yticks(height, names)
        ax.set_ylim(-0.6, len(table) - 0.4)
        word = {"roi": "ROI", "mroi": "Marginal ROI"}[returns]
        if self.intervals_ is not None:
            word = f"{word} with {self.confidence_level:.0%} interval"
        ax.set_xlabel(
            f"{word}, {plain_text(self.kpi_name)} units per unit of spend",
            fontsize=SMALL,
        )
        self._scale(ax, values, log_scale)
        tidy(ax, values="x")
        ax.tick_params(axis="y", length=0)
        return self

    def _scale(self, ax, values, log_scale):
        point, low, high = values[np.isfinite(values[:, 0])].T
        if not point.size:
            return
        smallest = np.nanmin([point, low, high])
        if log_scale == "auto":
            log_scale = smallest >= 0.0 < point.min() < point.max() / 30.0
        if log_scale:
            self._log_scale(ax, point, high)
        elif smallest >= 0.0:
            ax.set_xlim(left=0.0)

    def _log_scale(self, ax, point, high):
        from matplotlib.ticker import LogLocator

        left = point[point > 0].min() / 10.0
        right = 1.5 * np.nanmax([point, high])
        ax.set_xscale("log", nonpositive="clip")
        ax.set_xlim(left, right)
        subs = (1.0, 3.0) if right < 1000.0 * left else (1.0,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))
