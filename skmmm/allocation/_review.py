"""Why the KPI is not what a plan expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import as_frame, numeric_block, region_values
from skmmm._data.costs import by_channel, costs_per_unit
from skmmm._data.tables import row_namer
from skmmm._unwrapping import bare, rows_of
from skmmm._utils.typing import Array, Table
from skmmm.allocation._asked import Question
from skmmm.allocation._words import review_in_words
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._side_by_side import paired_draws

_SIMULATIONS = 1000  # of the KPI, for the plan's interval and its tails
_BY = ("period", "region")
PARTS = (
    "delivery",
    "confounding",
    "controls",
    "drift",
    "response",
    "level",
    "unexplained",
)


@dataclass(frozen=True, eq=False)
class PlanReview:
    """What `BudgetPlan.review` returns: all in KPI units, but for ``money``.

    Made by it only.

    Attributes
    ----------
    summary : DataFrame indexed by part and name
        ``kpi``, ``low`` and ``high``, over all rows. "expected", the parts "delivery"
        (by channel), "confounding", "controls" (by control), "drift", "response" (by
        channel), "level" and "unexplained", and "actual", which is the sum of all
        before. Intervals are what draws of the parameters say, each part in each draw;
        that of "expected" is one of the KPI, with its noise. NaN without draws. Draws
        of `model` are independent of those of the plan's model although both may have
        seen the same rows, so that "response" and "level" are less sure than need be.
    by_period, by_region : DataFrame, or None without regions
        ``expected``, ``expected_low``, ``expected_high``, the parts, ``actual`` and
        ``tail_probability`` of each period and region.
    money : DataFrame indexed by channel, or None where no money is told
        ``planned`` and ``actual`` money, and their difference, which is the sum of
        ``volume`` (other units at the planned cost) and ``price`` (another cost of the
        units delivered). The planned cost is `media_cost`; of a plan with prices of its
        own (``unit_prices``), what its units cost on average with these.
    expected, actual : float
    tail_probability : float
        Two-sided, of the actual KPI under the model of the plan, given the spend and
        controls that came: small is surprising. From 1000 simulated KPI or more, with
        the noise and the moving level of all periods and regions. NaN without draws.
    missing : DataFrame
        Rows of the plan that X_actual does not have.
    message : str
    confidence_level : float
    """

    summary: pd.DataFrame
    by_period: pd.DataFrame
    by_region: pd.DataFrame | None
    money: pd.DataFrame | None
    expected: float
    actual: float
    tail_probability: float
    missing: pd.DataFrame
    message: str
    confidence_level: float


def review_plan(
    question: Question,
    plan: Mapping[str, Any],
    X_actual: Table,
    y_actual: npt.ArrayLike,
    *,
    model: Any,
    media_cost: Any,
    confidence_level: float,
) -> PlanReview:
    """Return the `PlanReview` of a plan; arguments are those of `review`."""
    planned = plan["X"]
    tail = tail_probability(confidence_level)
    first = question.reviewer("review")
    paid = _Paid(first, rows_of(X_actual), media_cost)
    frame, actual, kpi = first._as_it_came(planned, paid.rows, y_actual)
    again = None if model is None else _fitted_again(model, first)
    delivered = frame.copy()
    came = [*first.media_, *first._frequency_columns.values()]
    delivered[came] = actual[came]
    asked = [(first, frame), (first, delivered), (first, actual)]
    asked += [] if again is None else [(again, actual)]
    effect = question.settings["effect"]
    tables = [counterfactual_of(who, X, effect) for who, X in asked]
    groups = _Groups.of(first, tables[0], frame, np.isfinite(kpi))
    gap = _Gap.of(tables, groups, groups.add_up(kpi[None])[0], tail)
    if first._model.draws is not None:
        noise = first._noise_of_sums(actual, groups.add_up, _SIMULATIONS)
        gap = replace(gap, noise=noise)
    by_period, by_region = (gap.by(groups.where[by], by) for by in _BY)
    review = PlanReview(
        summary=gap.summary(),
        by_period=by_period,
        by_region=None if first._columns.region is None else by_region,
        money=paid.compared(
            tables[0], frame, actual, np.isfinite(kpi), plan.get("unit_prices")
        ),
        expected=float(gap.expected[0]),
        actual=float(gap.actual[0]),
        tail_probability=float(gap.surprise[0]),
        missing=planned[~np.isfinite(kpi)],
        message="",
        confidence_level=confidence_level,
    )
    return replace(
        review, message=review_in_words(review, first, refitted=again is not None)
    )


def _fitted_again(model: Any, first: Any) -> Any:
    """Return a model to compare with that of a plan, or raise if it cannot be."""
    check_is_fitted(model)
    model = bare(model)
    if not hasattr(model, "_as_it_came"):
        raise ValueError(
            f"model must be a DeepCausalMMMRegressor, got {type(model).__name__}."
        )
    for role in ("media", "controls", "region", "time"):
        own, before = getattr(model._columns, role), getattr(first._columns, role)
        if own != before:
            raise ValueError(
                f"model has {role} {own!r}, that of the plan {before!r}. Fit it with "
                "the same columns."
            )
    return model


@dataclass(frozen=True, eq=False)
class _Groups:
    """Sums over rows that came: over all (first), by period and by region.

    Attributes
    ----------
    membership : csr_matrix of shape (n_groups, n_rows)
    where : dict of str to (slice, list)
        By "period" and "region", the groups and their names.
    """

    membership: csr_matrix
    where: dict[str, tuple[slice, list]]

    @classmethod
    def of(cls, model: Any, table: Any, frame: pd.DataFrame, came: Array) -> _Groups:
        """Return the groups of the rows of a frame, of which some came."""
        rows = np.flatnonzero(came)
        label = model._columns.region
        region = np.zeros(len(frame)) if label is None else region_values(frame, label)
        period, periods = table.groups("period")
        found, where, n_groups = [np.zeros_like(rows)], {}, 1
        for by, values in (("period", period), ("region", region)):
            names, group = np.unique(values[rows], return_inverse=True)
            where[by] = slice(n_groups, n_groups + len(names)), list(names)
            found.append(n_groups + group)
            n_groups += len(names)
        where["period"] = where["period"][0], [periods[p] for p in where["period"][1]]
        group = np.concatenate(found)
        cells = group, np.tile(rows, len(found))
        shape = (n_groups, len(frame))
        return cls(csr_matrix((np.ones(len(group)), cells), shape), where)

    def add_up(self, rows: Array) -> Array:
        """Sum rows to groups, (E, n_rows) -> (E, n_groups)."""
        return (self.membership @ rows.T).T


@dataclass(frozen=True, eq=False)
class _Gap:
    """Actual against expected KPI of G groups, at the point and in E draws.

    Attributes
    ----------
    names : MultiIndex of length P
        Parts and names.
    parts : ndarray of shape (P, G)
    drawn : ndarray of shape (P, E, G) or None
    expected, actual : ndarray of shape (G,)
    foreseen : tuple of ndarray of shape (E, G), or None
        What draws of the plan's model expect, as planned and as it came.
    tail : float
        Beyond each end of an interval.
    noise : ndarray of shape (S, G) or None
        Of simulated KPI, draws one after the other.
    """

    names: pd.MultiIndex
    parts: Array
    drawn: Array | None
    expected: Array
    actual: Array
    foreseen: tuple[Array, Array] | None
    tail: float
    noise: Array | None = None

    @classmethod
    def of(cls, tables: list, groups: _Groups, actual: Array, tail: float) -> _Gap:
        """Return the gap between what tables say, and the KPI, (G,)."""
        first = tables[0]
        channels, controls = first.labels, first.controls

        def sums(table, draws):
            rows = table.parts(draws=draws and table.has_draws)
            parts = [groups.add_up(part) for part in np.moveaxis(rows, 2, 0)]
            return np.stack(parts)  # (1 + K + M, E, G)

        at_point = [sums(table, draws=False) for table in tables]
        named = [("delivery", m) for m in channels] + [("confounding", "")]
        named += [("controls", k) for k in controls] + [("drift", "")]
        named += [("response", m) for m in channels]
        named += [("level", ""), ("unexplained", "")]
        drawn = foreseen = None
        if first.has_draws:
            in_draws = [sums(table, draws=True) for table in tables]
            foreseen = in_draws[0].sum(axis=0), in_draws[2].sum(axis=0)
            for other in range(3, len(tables)):  # of another fit, with draws of its own
                n_own = in_draws[other].shape[1]
                order = paired_draws(1, first.n_draws, n_own)
                in_draws[other] = in_draws[other][:, order]
                if not tables[other].has_draws:  # how sure it is, nobody knows
                    in_draws[other] = np.full_like(in_draws[other], np.nan)
            drawn = _split(in_draws, actual, len(controls))
        return cls(
            names=pd.MultiIndex.from_tuples(named, names=["part", "name"]),
            parts=_split(at_point, actual, len(controls))[:, 0],
            drawn=drawn,
            expected=at_point[0].sum(axis=0)[0],
            actual=actual,
            foreseen=foreseen,
            tail=tail,
        )

    @cached_property
    def interval(self) -> Array:
        """Return the interval of the KPI that was expected, (2, G)."""
        if self.foreseen is None or self.noise is None:
            return np.full((2, len(self.actual)), np.nan)
        simulated = self._simulated(self.foreseen[0], self.noise)
        return bounds(simulated, self.tail, self.expected)

    @cached_property
    def surprise(self) -> Array:
        """Return the two-sided tail probability of the KPI, as it came, (G,)."""
        if self.foreseen is None or self.noise is None:
            return np.full(len(self.actual), np.nan)
        simulated = self._simulated(self.foreseen[1], self.noise)
        sides = (
            (simulated <= self.actual).sum(axis=0),
            (simulated >= self.actual).sum(axis=0),
        )
        beyond = (np.minimum(*sides) + 1.0) / (len(simulated) + 1.0)
        return np.minimum(2.0 * beyond, 1.0)

    @staticmethod
    def _simulated(expected, noise):
        return expected[np.arange(len(noise)) % len(expected)] + noise

    def summary(self) -> pd.DataFrame:
        """Return expected KPI, parts and actual KPI of all rows."""
        kpi = [self.expected[0], *self.parts[:, 0], self.actual[0]]
        inside = np.full((2, len(self.parts)), np.nan)
        if self.drawn is not None:
            inside = bounds(self.drawn[..., 0].T, self.tail, self.parts[:, 0])
        ends = np.column_stack([self.interval[:, 0], inside, np.full(2, np.nan)])
        index = [("expected", ""), *self.names, ("actual", "")]
        index = pd.MultiIndex.from_tuples(index, names=self.names.names)
        return pd.DataFrame({"kpi": kpi, "low": ends[0], "high": ends[1]}, index)

    def by(self, where: tuple[slice, list], by: str) -> pd.DataFrame:
        """Return expected KPI, parts and actual KPI of some groups."""
        some, names = where
        low, high = self.interval[:, some]
        table = {
            "expected": self.expected[some],
            "expected_low": low,
            "expected_high": high,
        }
        of_part = self.names.get_level_values("part")
        for part in PARTS:
            table[part] = self.parts[of_part == part][:, some].sum(axis=0)
        table |= {
            "actual": self.actual[some],
            "tail_probability": self.surprise[some],
        }
        return pd.DataFrame(table, index=pd.Index(names, name=by))


def _split(sums: list[Array], actual: Array, n_controls: int) -> Array:
    """Return the parts of a gap, (P, E, G), of sums of tables, (1 + K + M, E, G)."""
    planned, delivered, came, after = sums if len(sums) == 4 else [*sums, sums[-1]]
    rest, control, media = (
        slice(n_controls + 1),
        slice(1, n_controls + 1),
        slice(n_controls + 1, None),
    )
    moved, other, refit = delivered - planned, came - delivered, after - came
    found = [
        moved[media],
        moved[rest].sum(axis=0)[None],
        other[control],
        (other[0] + other[media].sum(axis=0))[None],
        refit[media],
        refit[rest].sum(axis=0)[None],
        (actual - after.sum(axis=0))[None],
    ]
    return np.concatenate(found)


def _own_columns(model: Any, X: Table) -> dict[Any, str] | None:
    """Return the columns of money of a fit that X has, None if there are none."""
    if not model._money_columns:
        return None
    frame = as_frame(X)
    return {m: c for m, c in model._money_columns.items() if c in frame} or None


class _Paid:
    """What units cost in fact, and the rows without the columns that say so.

    Parameters
    ----------
    model : DeepCausalMMMRegressor
    X : DataFrame or array-like
    media_cost : float, mapping or None
        Numbers, or names of columns of X with money. None: those of the fit.
    """

    def __init__(self, model: Any, X: Table, media_cost: Any):
        self.rows, self.cost, self.columns = X, None, {}
        if media_cost is None:
            media_cost = _own_columns(model, X)
        if media_cost is None:
            return
        labels, names = model.media_, model._labels
        if isinstance(media_cost, str):
            raise ValueError(
                f"media_cost={media_cost!r} would be the money of every channel. Say "
                f"of which: media_cost={{{labels[0]!r}: {media_cost!r}}}."
            )
        if not isinstance(media_cost, Mapping):
            media_cost = dict.fromkeys(labels, media_cost)
        given = by_channel("media_cost", media_cost, labels, names)
        spent = {m: c for m, c in given.items() if isinstance(c, str)}
        for label, column in spent.items():
            if list(spent.values()).count(column) > 1:
                raise ValueError(
                    f"media_cost names the column {column!r} for {label!r} and for "
                    "another channel. Each needs a column of its own."
                )
        paid = {m: c for m, c in given.items() if m not in spent}
        self.cost = costs_per_unit(paid, labels, names)
        if not spent:
            return
        frame = as_frame(X)
        for label, column in spent.items():
            if column not in frame:
                raise ValueError(
                    f"media_cost of {label!r} is the column {column!r}, which X_actual "
                    "has not. Name a column with the money that was spent, or give "
                    "the cost of a unit."
                )
        where = row_namer(frame, model._columns.region, model._columns.time)
        money = numeric_block(frame, list(spent.values()), where).sum(axis=0)
        self.columns = dict(zip(spent, money, strict=True))
        extra = [c for c in dict.fromkeys(spent.values()) if c not in names]
        self.rows = frame.drop(columns=extra)

    def compared(
        self,
        table: Any,
        frame: pd.DataFrame,
        actual: pd.DataFrame,
        came: Array,
        unit_prices: pd.DataFrame | None,
    ) -> pd.DataFrame | None:
        """Return planned and actual money by channel, None where costs are not told."""
        if self.cost is None:
            return None
        labels, cost = table.labels, table.media_cost[table.shown]
        planned, delivered = (
            rows.loc[came, labels].to_numpy(dtype=np.float64)
            for rows in (frame, actual)
        )
        before, now = planned.sum(axis=0), delivered.sum(axis=0)
        if unit_prices is not None:
            cost = cost.copy()
            for label in unit_prices:
                m = labels.index(label)
                own = unit_prices[label].to_numpy()[came]
                cost[m] = np.average(own, weights=planned[:, m] if before[m] else None)
        paid = self.cost * now
        for label, money in self.columns.items():
            paid[labels.index(label)] = money
        money = pd.DataFrame(
            {
                "planned": cost * before,
                "actual": paid,
                "difference": paid - cost * before,
                "volume": cost * (now - before),
                "price": paid - cost * now,
            },
            index=pd.Index(labels, name="channel"),
        )
        known = np.isfinite(cost) & np.isfinite(paid)
        if not known.any():
            raise ValueError(
                "media_cost says what units cost in fact, but the plan knows no cost "
                "of these channels: fit with media_cost=..., what they were to cost."
            )
        return money[known]
