"""Parts of the prediction without media."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._unwrapping import bare
from skmmm.inspection._predictions import counterfactual_of
from skmmm.plotting._rows import Rows
from skmmm.plotting._style import (
    INK,
    SMALL,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    brief,
    channel_colors,
    display,
    format_time,
    own_name,
    per_period,
    plain_text,
    shorten,
    tidy,
)


@display
class BaselineDisplay(Display):
    """Baseline: the predicted KPI without media, and its parts over time.

    Parameters
    ----------
    parts : DataFrame indexed by period in rising order
        In KPI units: first the constant, then what is added to it (season, trend, slow
        change, level, each control).

    Attributes
    ----------
    axes_ : ndarray of shape (2,) of Axes
        The sum, and its parts without the constant.
    baseline_ : Line2D
    lines_ : dict of str to Line2D

    See Also
    --------
    EffectivenessDisplay : How the effectiveness of media moves.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import BaselineDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=0,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = BaselineDisplay.from_estimator(model)
    >>> list(display.lines_)
    ['season', 'trend', 'baseline drift', 'level']
    """

    parts: pd.DataFrame
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
        """Split the baseline, add up over regions and plot.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted, with a `time` column.
        """
        estimator = bare(estimator)
        parts = baseline_over_time(estimator, X)
        return cls(parts=parts, kpi_name=kpi_name, period=estimator.period_).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 4.6)

    def _draw(self, ax):
        self.bounding_ax_ = ax
        ax.set_axis_off()
        grid = ax.get_subplotspec().subgridspec(2, 1)
        upper, lower = (self.figure_.add_subplot(grid[row]) for row in range(2))
        self.axes_ = np.array([upper, lower], dtype=object)
        times = self.parts.index.to_numpy()
        (self.baseline_,) = upper.plot(times, self.parts.sum(axis=1), color=INK, lw=1.3)
        upper.set_ylim(bottom=min(0.0, self.parts.sum(axis=1).min()))
        label = per_period(self.kpi_name, self.period)
        upper.set_ylabel(f"{label}\nwithout media", fontsize=SMALL)
        self.lines_ = {}
        moving = self.parts.iloc[:, 1:]
        colors = channel_colors(moving.shape[1])
        labels = [plain_text(name) for name in shorten(list(moving), 16)]
        for name, label, color in zip(moving, labels, colors, strict=True):
            (self.lines_[name],) = lower.plot(
                times, moving[name], color=color, lw=1.3, label=label
            )
        lower.axhline(0.0, color=INK, linewidth=0.6)
        lower.set_ylabel("from the constant", fontsize=SMALL)
        for panel in self.axes_:
            tidy(panel)
            format_time(panel, times)
        upper.set_xlabel("")
        add_title(upper, f"What moves {brief(self.kpi_name)} without media")
        add_title(lower, "", list(self.lines_.values()))


def baseline_over_time(estimator, X=None):
    """Return the parts of the baseline and all controls, summed over regions.

    A DataFrame indexed by period, in KPI units. The first column is the constant of the
    regions with rows in the period.
    """
    group, times = counterfactual_of(estimator, X).groups("period")
    parts = baseline_and_controls(estimator, X)
    return parts.groupby(group).sum().set_axis(pd.Index(times))


def baseline_and_controls(estimator, X=None, max_controls=8):
    """Return the parts of the baseline, and what each control adds.

    A DataFrame with a row per row of X, in KPI units, the constant first. The
    `max_controls` that move the KPI most have a column each. No two columns have the
    same name, whatever controls are called.
    """
    parts = _parts(estimator, X)
    controls = _effects_of_controls(estimator, X)
    parts.columns = [own_name(name, controls) for name in parts]
    size = (controls - controls.mean()).abs().sum()
    order = size.sort_values(ascending=False, kind="stable").index
    if len(order) > max_controls:
        rest = order[max_controls - 1 :]
        others = controls[rest].sum(axis=1)
        controls = controls[[c for c in controls if c not in set(rest)]].copy()
        controls[own_name(f"{len(rest)} other controls", controls)] = others
    return pd.concat([parts, controls], axis=1)


def _parts(estimator, X):
    """Return the parts of the baseline, in words that need no guide."""
    parts = estimator.baseline_parts(X).reset_index(drop=True)
    return parts.rename(columns={"confounding": "moves with spend"})


def _effects_of_controls(estimator, X):
    """Return what each control adds to the rows of X, in KPI units."""
    rest = counterfactual_of(estimator, X).without_media()
    return rest.iloc[:, 1:].reset_index(drop=True)


def parts_without_media(estimator, X=None, max_controls=12):
    """Return what would have come without media, summed over the rows of X.

    A Series in KPI units: base, trend, season and other parts of the baseline, and each
    control, at most `max_controls` of them. Trend is counted from the first period of a
    region, season from its lowest, controls that are zero in some rows from zero.
    Estimators without `baseline_parts` have one baseline.
    """
    estimator = bare(estimator)
    counterfactual: Any = counterfactual_of(estimator, X)
    if not hasattr(estimator, "baseline_parts"):
        total = counterfactual.without_media().to_numpy().sum()
        return pd.Series([total], [own_name("baseline", counterfactual.labels)])
    region, period = np.divmod(counterfactual.panel.cell, counterfactual.panel.shape[1])
    parts = _parts(estimator, X)
    controls = _effects_of_controls(estimator, X)
    values = counterfactual.frame[list(controls)].reset_index(drop=True)
    start = pd.DataFrame(0.0, parts.index, parts.columns)
    if "trend" in parts:
        ordered = parts["trend"].iloc[np.argsort(period, kind="stable")]
        start["trend"] = ordered.groupby(region[ordered.index]).transform("first")
    if "season" in parts:
        start["season"] = parts["season"].groupby(region).transform("min")
    none = controls.where(values == 0.0).groupby(region).transform("first").fillna(0.0)
    moved = start.sum(axis=1) + none.sum(axis=1)
    base = (parts.pop("constant") + moved).sum()
    parts = (parts - start[list(parts)]).sum()
    first = [name for name in ("trend", "season") if name in parts]
    parts = pd.concat([pd.Series({"base": base}), parts[first], parts.drop(first)])
    controls = largest((controls - none).sum(), max_controls, "controls")
    users = [*counterfactual.names, *controls.index]
    return pd.concat([parts.rename(lambda name: own_name(name, users)), controls])


def largest(sums, n_most, what):
    """Return at most `n_most` sums in falling order; the last may be all others."""
    sums = sums.iloc[np.argsort(-sums.abs(), kind="stable")]
    if len(sums) <= n_most:
        return sums
    rest = sums[n_most - 1 :]
    name = own_name(f"{len(rest)} other {what}", sums.index)
    return pd.concat([sums[: n_most - 1], pd.Series({name: rest.sum()})])
