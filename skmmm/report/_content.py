"""What a report tells: tables of a fitted model, made once and read by all sections."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skmmm._checks import as_frame
from skmmm._draws import bounds, tail_of
from skmmm.allocation import budget_path
from skmmm.metrics import interval_coverage, weighted_mape, within_region_r2
from skmmm.plotting._contributions import baseline_over_time
from skmmm.plotting._diagnostics import residuals_of
from skmmm.plotting._regions import media_by_region
from skmmm.plotting._rows import rows_over_time
from skmmm.plotting._style import shorten

_BRIEF = 42  # characters of a name in a sentence


@dataclass(frozen=True)
class Content:
    """Tables of a report.

    Attributes
    ----------
    kpi : str
        Name of the KPI.
    period : str
        Length of a period: "week", "day", "month" or "integer".
    level : float
        Confidence level of all intervals.
    regional : bool
        Whether the model has a region column.
    channels : list
        Labels.
    money : ndarray of shape (n_media,), bool
        Whether the cost of a channel is known.
    cells : DataFrame indexed by (region, time)
        As of `rows_over_time`, a row per row of X and X_test.
    parts : DataFrame indexed by (region, time)
        Baseline, controls and channels of the rows of X, in KPI units.
    spend : DataFrame indexed by (region, time)
        Spend of the rows of X by channel, money where the cost is known.
    band : DataFrame indexed by time, or None
        ``low`` and ``high`` of the prediction; None for several regions, which move
        together, and without draws.
    media, returned : tuple of three floats
        What all media contribute to the KPI of X, and what the spend of X returns per
        unit, with bounds.
    summary : DataFrame
        As of `channel_summary`.
    regions : DataFrame indexed by region, the largest KPI first
        As of `media_by_region`, with the ``observed`` KPI of the rows of X.
    curves : dict
        By channel, as of `response_curve`.
    carryover, saturation, effectiveness : DataFrame
        As of the methods of the model.
    baseline : DataFrame indexed by time
        As of `baseline_over_time`.
    residuals : DataFrame indexed by (region, time)
        As of `residuals_of`, of the rows of X.
    path : Bunch or None
        As of `budget_path`; None if costs are known for some channels only.
    graph : ChannelGraph or None
    skill : DataFrame or None
        As of `rolling_skill`.
    scores : DataFrame indexed by "fitted" and, if there is one, "holdout"
        ``wmape``, ``r2_within`` and ``coverage``.
    data : DataFrame indexed by column
        What each column of X holds.
    n_missing : int
        Pairs of region and period without a row.
    """

    kpi: str
    period: str
    level: float
    regional: bool
    channels: list
    money: np.ndarray
    cells: pd.DataFrame
    parts: pd.DataFrame
    spend: pd.DataFrame
    band: pd.DataFrame | None
    media: tuple
    returned: tuple
    summary: pd.DataFrame
    regions: pd.DataFrame
    curves: dict
    carryover: pd.DataFrame
    saturation: pd.DataFrame
    effectiveness: pd.DataFrame
    baseline: pd.DataFrame
    residuals: pd.DataFrame
    path: Any
    graph: Any
    skill: pd.DataFrame | None
    scores: pd.DataFrame
    data: pd.DataFrame
    n_missing: int

    @cached_property
    def brief(self):
        """Names of the channels for sentences, which stay different."""
        names = shorten(self.channels, _BRIEF)
        return dict(zip(self.channels, names, strict=True))

    @property
    def times(self):
        """Periods of all rows in rising order."""
        return self.cells.index.unique("time").sort_values()


def read_content(estimator, X, y, X_test, y_test, *, skill, level, tell):
    """Ask the model everything that a report tells.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        Fitted, with a time column.
    X, y, X_test, y_test
        As of `make_report`.
    skill : DataFrame or None
    level : float
    tell : callable
        Called with the name of each step.

    Returns
    -------
    content : Content
    """
    tell("fit")
    what_if = estimator._counterfactual(X)
    cells = rows_over_time(estimator, X, y, X_test, y_test, confidence_level=level)
    fitted = cells[~cells["holdout"]]
    labels = what_if.labels
    told = {"confidence_level": level}
    tell("contributions")
    summary = estimator.channel_summary(X, **told)
    regions = media_by_region(estimator, X, **told)
    observed = fitted["observed"].groupby(level="region").sum()
    regions.insert(0, "observed", observed.reindex(regions.index))
    tell("response curves")
    spends = summary["spend"] > 0
    curves = {
        channel: estimator.response_curve(channel, X, **told)
        for channel in summary.index[spends]
    }
    tell("plans")
    path = _path(estimator, X, what_if, level)
    media, returned = _all_media(what_if, summary, tail_of(level))
    return Content(
        kpi=str(getattr(y, "name", None) or "KPI"),
        period=estimator.period_,
        level=level,
        regional=estimator.region is not None,
        channels=labels,
        money=what_if.is_money,
        cells=cells,
        parts=estimator.contributions(X).set_axis(fitted.index),
        spend=pd.DataFrame(what_if.spend, fitted.index, labels),
        band=_band(cells),
        media=media,
        returned=returned,
        summary=summary,
        regions=regions.sort_values("observed", ascending=False, kind="stable"),
        curves=curves,
        carryover=estimator.carryover(**told),
        saturation=estimator.saturation(**told),
        effectiveness=estimator.effectiveness(X, **told),
        baseline=baseline_over_time(estimator, X),
        residuals=residuals_of(fitted),
        path=path,
        graph=_graph(estimator),
        skill=skill,
        scores=_scores(cells),
        data=_describe(estimator, X),
        n_missing=_count_missing(cells),
    )


def _band(cells):
    """Return the interval of the prediction over time, for one region."""
    if cells.index.unique("region").size > 1 or cells["low"].isna().all():
        return None
    return cells[["low", "high"]].droplevel("region").sort_index()


def _all_media(what_if, summary, tail):
    """Return what all media contribute, and return per unit, with bounds."""
    spend = summary["spend"].sum()
    unit = spend if spend > 0 else np.nan
    total = float(summary["contribution"].sum())
    caused = float((summary["roi"] * summary["spend"]).sum()) / unit
    if not what_if.has_draws:
        return (total, np.nan, np.nan), (caused, np.nan, np.nan)
    drawn = what_if.effects(draws=True)
    ends = bounds(drawn.contribution.sum(axis=(1, 2)), tail, total)
    returns = bounds(drawn.incremental.sum(axis=(1, 2)) / unit, tail, caused)
    return (total, *map(float, ends)), (caused, *map(float, returns))


def _path(estimator, X, what_if, level):
    """Return plans by budget, unless money and other units would be added up."""
    spends = what_if.spend.sum(axis=0) > 0
    money = what_if.is_money
    if not spends.any() or ((money & spends).any() and (~money & spends).any()):
        return None
    return budget_path(estimator, X=X, confidence_level=level)


def _graph(estimator):
    if estimator.graph is None or len(estimator.media_) < 2:
        return None
    return estimator.channel_graph()


def _scores(cells):
    """Return errors and coverage of fitted and held-out rows."""
    rows = {}
    for later, part in cells.groupby("holdout"):
        observed, predicted = part["observed"], part["predicted"]
        region = part.index.get_level_values("region")
        coverage, r2 = np.nan, np.nan
        if part["low"].notna().all():
            coverage = interval_coverage(observed, part["low"], part["high"])
        if (observed.groupby(region).nunique() > 1).any():
            r2 = within_region_r2(observed, predicted, region)
        rows["holdout" if later else "fitted"] = {
            "wmape": weighted_mape(observed, predicted),
            "r2_within": r2,
            "coverage": coverage,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _describe(estimator, X):
    """Return what the columns of media and controls hold."""
    frame = as_frame(X)
    rows = {}
    for role, names in (("media", estimator.media_), ("control", estimator.controls_)):
        for name in names:
            values = frame[name].to_numpy(dtype=np.float64)
            used = values[values != 0.0]
            typical = np.median(np.abs(used)) if len(used) else np.nan
            rows[name] = {
                "role": role,
                "total": values.sum(),
                "zero": np.mean(values == 0.0),
                "lowest": values.min(),
                "typical": typical,
                "highest": values.max(),
                "spike": np.abs(values).max() / typical if len(used) else np.nan,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _count_missing(cells):
    """Return the pairs of region and period without a row."""
    index = cells.index
    return int(index.unique("region").size * index.unique("time").size - len(index))
