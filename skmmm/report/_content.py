"""What a report tells: tables of a fitted model, made once and read by all sections."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skmmm._data.periods import UNITS
from skmmm.allocation._words import MOVED
from skmmm.inspection._brand import brand_effects_of
from skmmm.inspection._frequency import points_of, table_of
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._payback import SHARES, named_shares, payback_of
from skmmm.metrics import interval_coverage, weighted_mape, within_region_r2
from skmmm.plotting._baseline import baseline_and_controls, parts_without_media
from skmmm.plotting._demand import loading_table
from skmmm.plotting._diagnostics import residuals_of
from skmmm.plotting._regions import media_by_region
from skmmm.plotting._rows import curves_of, paid_channels, rows_over_time
from skmmm.plotting._shapes import SATURATION_POINTS
from skmmm.plotting._style import shorten
from skmmm.report._settings import settings_of

# Of the table of `compare_models`: parts of a change, and all that a report reads.
PARTS = ("data", "settings", "seed", "refresh")
CHANGE = (
    "roi_old",
    "roi_new",
    "change",
    *PARTS,
    "seed_noise",
    "roi_old_low",
    "roi_old_high",
    "outside",
    "verdict_old",
    "verdict_new",
    "alarm_old",
    "alarm_new",
)
_BRIEF = 42  # characters of a name in a sentence
_LARGE = 4.0  # standard deviations of an error that is listed by date


@dataclass(frozen=True, eq=False)
class Content:
    """Tables of a report.

    Attributes
    ----------
    kpi : str
        Name of the KPI.
    period : str
        Length of a period, as in ``period_``.
    level : float
        Confidence level of all intervals.
    regional : bool
        Whether the model has a region column.
    channels : list
        Labels.
    priced : bool
        Whether the cost of some channel is known. Spend then means money.
    paid : ndarray of shape (n_media,), bool
        Channels whose spend adds up: those with a cost, all if none has one.
    cells : DataFrame indexed by (region, time)
        As of `rows_over_time`, a row per row of X and X_test.
    base : DataFrame indexed by (region, time)
        As of `baseline_and_controls`, of the rows of X.
    demand : DataFrame indexed by (region, time)
        As of the method `hidden_demand`, of the rows of X.
    parts : DataFrame indexed by (region, time)
        What each channel contributes to the rows of X, in KPI units.
    without_media : Series
        As of `parts_without_media`.
    spend : DataFrame indexed by (region, time)
        Spend of the rows of X by channel, money where the cost is known.
    media, returned : tuple of three floats
        What all media contribute to the KPI of X, and what the spend of X returns per
        unit, with bounds.
    summary : DataFrame
        As of `channel_summary`.
    groups : DataFrame
        As of `channel_groups`.
    by_region : DataFrame indexed by channel and region
        As of `channel_summary`.
    regions : DataFrame indexed by region, the largest KPI first
        As of `media_by_region`, with the ``observed`` KPI of the rows of X.
    curves : dict
        By channel, as of `response_curve`.
    carryover, saturation, effectiveness : DataFrame
        As of the methods of the model.
    payback : DataFrame
        As of :func:`skmmm.inspection.payback`.
    residuals : DataFrame indexed by (region, time)
        As of `residuals_of`, of the rows of X that `fit` learned from.
    frequency : DataFrame or None
        As of `optimal_frequency`; None without a channel that has one.
    controls : DataFrame or None
        As of `control_summary`; None without controls.
    brand : DataFrame or None
        As of `brand_effects`; None without a channel with a slow stock.
    synergies : DataFrame or None
        As of `synergy_summary`; None without pairs.
    halves : DataFrame
        As of `saturation_summary`.
    by_frequency : DataFrame indexed by channel and frequency
        As of `points_of`; empty without.
    plan : Plan or str
        Plans for the coming periods, or why there is none.
    graph : ChannelGraph or None
    experiments : DataFrame or None
        As the attribute `experiments_` of the model.
    skill : DataFrame or None
        As of `rolling_skill`.
    scores : DataFrame indexed by "fitted" and, if there is one, "holdout"
        ``wmape``, ``r2_within`` and ``coverage``.
    scores_by_region : dict of DataFrame
        The same of each region.
    data : DataFrame indexed by column
        What each column of X holds.
    remarks : list of str
        What `fit` said about the data.
    n_missing : int
        Pairs of region and period without a row.
    settings : list of (str, str)
        Parameters of the fit, and what they were.
    changes : DataFrame or None
        As of :func:`skmmm.inspection.compare_models`, since an earlier model.
    """

    kpi: str
    period: str
    level: float
    regional: bool
    channels: list
    priced: bool
    paid: np.ndarray
    cells: pd.DataFrame
    base: pd.DataFrame
    demand: pd.DataFrame
    parts: pd.DataFrame
    without_media: pd.Series
    spend: pd.DataFrame
    media: tuple
    returned: tuple
    summary: pd.DataFrame
    groups: pd.DataFrame
    by_region: pd.DataFrame
    regions: pd.DataFrame
    curves: dict
    carryover: pd.DataFrame
    saturation: pd.DataFrame
    effectiveness: pd.DataFrame
    payback: pd.DataFrame
    residuals: pd.DataFrame
    frequency: pd.DataFrame | None
    controls: pd.DataFrame | None
    brand: pd.DataFrame | None
    synergies: pd.DataFrame | None
    halves: pd.DataFrame
    by_frequency: pd.DataFrame
    plan: Any
    graph: Any
    experiments: Any
    skill: pd.DataFrame | None
    scores: pd.DataFrame
    scores_by_region: dict
    data: pd.DataFrame
    remarks: list
    n_missing: int
    settings: list
    changes: pd.DataFrame | None = None

    @cached_property
    def brief(self):
        """Names of the channels for sentences, which stay different."""
        names = shorten(self.channels, _BRIEF)
        return dict(zip(self.channels, names, strict=True))

    @property
    def demand_loading(self):
        """Loadings on hidden demand by channel; without columns if there is none."""
        return loading_table(self.demand, self.channels)

    @property
    def has_regions(self):
        """Whether there are several regions."""
        return self.regional and len(self.regions) > 1

    @property
    def times(self):
        """Periods of all rows in rising order."""
        return self.cells.index.unique("time").sort_values()

    @property
    def predicted(self):
        """Sum over the rows of X."""
        return self.base.to_numpy().sum() + self.parts.to_numpy().sum()

    @property
    def large_errors(self):
        """Residuals beyond four standard deviations, the largest first."""
        size = self.residuals["standardised"].abs()
        order = size[size > _LARGE].sort_values(ascending=False, kind="stable").index
        return self.residuals.loc[order]


@dataclass(frozen=True, eq=False)
class Plan:
    """Plans for the periods that follow the training data.

    Attributes
    ----------
    path : Bunch
        As of `budget_path`.
    times : Index
        The coming periods.
    unchanged : str
        In words, what spend and controls are taken to be without a plan.
    predicted : float
        KPI of the coming periods with unchanged spend.
    summary : DataFrame
        As of `channel_summary`, of the coming periods with unchanged spend.
    spend : DataFrame indexed by (region, time)
        Unchanged spend by channel.
    nearest : int
        Position in the path of the budget closest to unchanged spend.
    """

    path: Any
    times: pd.Index
    unchanged: str
    predicted: float
    summary: pd.DataFrame
    spend: pd.DataFrame
    nearest: int

    def unsure(self, position):
        """Return channels with more money whose effect the data do not tell."""
        change = self._change_of_untold(position)
        return list(change.index[change > MOVED])

    def cut(self, position):
        """Return channels with less money whose effect the data do not tell."""
        change = self._change_of_untold(position)
        return list(change.index[change < -MOVED])

    def _change_of_untold(self, position):
        """Return the change of channels that are not identified, or ring an alarm."""
        change = self.path.plans[position].allocation["change"]
        own = self.summary.reindex(change.index)
        alarm = own["alarm"].fillna("") != ""
        return change[(own["verdict"] == "not identified") | alarm]

    @property
    def kept(self):
        """Channels whose spend all plans keep, because fit warns of them."""
        reasons = self.path.plans[self.nearest].allocation["reason"]
        return list(reasons.index[reasons.str.startswith("kept: ")])


def _regions(estimator, X, fitted, told):
    """Return KPI and what media did by region, the largest first."""
    regions = media_by_region(estimator, X, **told)
    observed = fitted["observed"].groupby(level="region").sum()
    regions.insert(0, "observed", observed.reindex(regions.index))
    return regions.sort_values("observed", ascending=False, kind="stable")


def read_content(estimator, X, y, X_test, y_test, *, skill, level, tell, changes=None):
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
    changes : DataFrame or None

    Returns
    -------
    content : Content
    """
    tell("fit")
    X = estimator.effects(X)
    counterfactual = X.counterfactual()
    cells = rows_over_time(estimator, X, y, X_test, y_test, confidence_level=level)
    fitted, judged = cells[~cells["holdout"]], cells[_are_judged(estimator, cells)]
    labels = counterfactual.labels
    told, tail = {"confidence_level": level}, tail_probability(level)
    tell("contributions")
    summary = X.channel_summary(confidence_level=level)
    tell("response curves")
    spending = list(summary.index[summary["spend"] > 0])
    curves = curves_of(estimator, X, spending, level)
    seen = counterfactual.frequency_curves(None)
    tell("plans")
    media, returned = _all_media(counterfactual, summary, tail)
    return Content(
        kpi=str(getattr(y, "name", None) or "KPI"),
        period=estimator.period_,
        level=level,
        regional=estimator._columns.region is not None,
        channels=labels,
        priced=bool(counterfactual.is_money.any()),
        paid=paid_channels(counterfactual),
        cells=cells,
        base=baseline_and_controls(estimator, X).set_axis(fitted.index),
        demand=estimator.hidden_demand(X, **told).set_axis(fitted.index),
        parts=pd.DataFrame(counterfactual.contributions()[0], fitted.index, labels),
        without_media=parts_without_media(estimator, X),
        spend=pd.DataFrame(counterfactual.paid_spend, fitted.index, labels),
        media=media,
        returned=returned,
        summary=summary,
        groups=X.channel_groups(confidence_level=level),
        by_region=X.channel_summary(confidence_level=level, by="region"),
        regions=_regions(estimator, X, fitted, told),
        curves=curves,
        carryover=estimator.carryover(**told),
        saturation=estimator.saturation(n_points=SATURATION_POINTS, **told),
        effectiveness=estimator.effectiveness(X, **told),
        payback=payback_of(counterfactual, named_shares(SHARES), tail),
        residuals=residuals_of(judged[~judged["holdout"]]),
        frequency=table_of(counterfactual, seen, tail) if seen else None,
        controls=_controls(estimator, X, told),
        brand=_brand(counterfactual, tail),
        synergies=_synergies(estimator, X, told),
        halves=estimator.saturation_summary(**told),
        by_frequency=points_of(counterfactual, seen, tail),
        plan=_plan(estimator, level),
        graph=_graph(estimator),
        experiments=estimator.experiments_,
        skill=skill,
        scores=_scores(judged),
        scores_by_region=_scores_by_region(judged),
        data=_describe(estimator, X.frame),
        remarks=estimator.remarks_,
        n_missing=_count_missing(cells, estimator._calendar),
        settings=settings_of(estimator),
        changes=changes,
    )


def _controls(estimator, X, told):
    """Return what one more unit of each control does, None without any."""
    if not len(estimator.controls_):
        return None
    return X.control_summary(**told)


def _brand(counterfactual, tail):
    """Return what brand channels cause at once and late, None without any."""
    if not counterfactual.has_stock:
        return None
    return brand_effects_of(counterfactual, None, tail)


def _synergies(estimator, X, told):
    """Return what pairs cause together, None without any."""
    if not estimator._learned_pairs():
        return None
    return estimator.synergy_summary(X, **told)


def _scores_by_region(judged):
    """Return the scores of each region."""
    by_region = judged.groupby(level="region")
    return {region: _scores(own) for region, own in by_region}


def _all_media(counterfactual, summary, tail):
    """Return what all media contribute, and paid ones return per unit, with bounds."""
    paid = paid_channels(counterfactual)
    spend = summary["spend"][paid].sum()
    unit = spend if spend > 0 else np.nan
    total = float(summary["contribution"].sum())
    caused = float((summary["roi"] * summary["spend"])[paid].sum()) / unit
    if not counterfactual.has_draws:
        return (total, np.nan, np.nan), (caused, np.nan, np.nan)
    drawn = counterfactual.effects(draws=True)
    least = counterfactual.least_effect.min(initial=0.0)
    ends = bounds(drawn.contribution.sum(axis=(1, 2)), tail, total, least=least)
    earned = drawn.incremental[..., paid].sum(axis=(1, 2)) / unit
    returns = bounds(earned, tail, caused, least=least)
    return (total, *map(float, ends)), (caused, *map(float, returns))


def _plan(estimator, level):
    """Return plans for the coming quarter, as far as the data reach, or why not."""
    n_seen = estimator._model.history.shape[1]
    n_periods = min(UNITS[estimator.period_].quarter, n_seen)
    try:
        coming = estimator.effects(estimator._coming_periods(n_periods))
        counterfactual = coming.counterfactual()
        if not counterfactual.spend[:, paid_channels(counterfactual)].any():
            return "No channel spends in the periods of which the plan would be."
        path = coming.budget_path(confidence_level=level)
    except ValueError as error:
        return str(error)
    group, names = counterfactual.groups("region")
    period, times = counterfactual.groups("period")
    index = pd.MultiIndex.from_arrays(
        [np.array(names, dtype=object)[group], pd.Index(times)[period]],
        names=["region", "time"],
    )
    far = np.abs(path.table["budget"] - path.current_budget)
    return Plan(
        path=path,
        times=pd.Index(times),
        unchanged="as one year before"
        if n_seen >= estimator._calendar.season_length
        else "as in the last periods of the training data",
        predicted=float(counterfactual.predicted().sum()),
        summary=coming.channel_summary(confidence_level=level),
        spend=pd.DataFrame(counterfactual.spend, index, counterfactual.labels),
        nearest=int(np.argmin(far)),
    )


def _graph(estimator):
    return None if estimator._graph is None else estimator.channel_graph()


def _are_judged(estimator, cells):
    """Return which rows say how well the model fits, (n_rows,), bool.

    Not those that `fit` left out, unless a region has no others.
    """
    history, columns = estimator._model.history, estimator._columns
    region = np.zeros(len(cells), dtype=np.int64)
    if columns.region is not None:
        names = cells.index.get_level_values("region")
        region = pd.Index(estimator.regions_).get_indexer(names)
    times = cells.index.get_level_values("time").to_series()
    period = estimator._calendar.ordinals(times, columns.time)
    inside = (region >= 0) & (period >= 0) & (period < history.shape[1])
    seen = np.ones(len(cells), dtype=bool)
    seen[inside] = history.weight[region[inside], period[inside]] > 0
    some = pd.Series(seen, cells.index).groupby(level="region").transform("any")
    return seen | ~some.to_numpy()


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


def _describe(estimator, frame):
    """Return what the columns of media and controls hold."""
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


def _count_missing(cells, calendar):
    """Return the pairs of region and period without a row, from first to last."""
    periods = calendar.ordinals(cells.index.unique("time").to_series(), "time")
    n_periods = int(np.ptp(periods)) + 1
    return cells.index.unique("region").size * n_periods - len(cells)
