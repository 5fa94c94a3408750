"""What fits of groups can be asked: effects, sums over groups, one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._fitted_groups import read_kpi_value
from skmmm._group_fits import kept_apart
from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Column, Columns, Labels, MediaCost, Table
from skmmm.allocation._levers import LeversGiven
from skmmm.allocation._prices import PriceElasticity, PriceLevel
from skmmm.allocation._question import (
    DEFAULT_BOUNDS,
    Bounds,
    Constraints,
    Fixed,
    MoneyBounds,
    Risk,
    Split,
    read_question,
)
from skmmm.inspection._effects import summary_of
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._payback import SHARES
from skmmm.inspection._pooled import PooledChannels
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import Effect
from skmmm.inspection._valued import valued, warn_of_units

# Keys are groups, or values of the first grouping column.
KpiValue: TypeAlias = float | Mapping[Any, float] | None


class GroupQuestions:
    """Methods of a fitted `GroupedRegressor` that tell what it found."""

    _by_labels: list
    _labels: list
    groups_: list
    _training_index: pd.Index | None

    @property
    def _fitted_apart(self):
        """Whether models were put together that were fitted to tables of their own."""
        return self._training_index is None

    @documented_by(inspection.contributions)
    def contributions(
        self, X: Table | None = None, *, effect: Effect = "direct"
    ) -> pd.DataFrame:
        """Split the prediction of each row into baseline, controls and channels.

        Returns
        -------
        contributions : DataFrame of shape (n_rows, 1 + n_controls + n_media)
            Indexed like X, in KPI units; rows sum to `predict`. Channels are called as
            in X: the group of a row says whose they are. Without rows of groups whose
            fit failed, in a warning.

        Raises
        ------
        ValueError
            If X has a group that `fit` did not see or only groups whose fits failed, or
            if X is None and an estimator does not remember its training rows.
        """
        return inspection.contributions(self, X, effect=effect)

    @documented_by(inspection.channel_summary)
    def channel_summary(
        self,
        X: Table | None = None,
        *,
        by: Column | Labels | None = "all",
        confidence_level: float = 0.9,
        effect: Effect = "direct",
        media: Columns = None,
        media_cost: MediaCost = None,
        kpi_value: KpiValue = None,
    ) -> pd.DataFrame:
        """Summarise what each channel caused, in each group or summed over groups.

        Parameters
        ----------
        by : "all", str, int, list of str or int, or None, default="all"
            Grouping columns that are kept apart; channels are summed over the others.
            "all": every group by itself. None: sums over all groups. For regions or
            periods ask :func:`skmmm.inspection.channel_summary` (``by="region"``).
        kpi_value : float, mapping or None, default=None
            Money that a unit of the KPI of each group is worth, as of
            `optimize_budget`. Contributions and returns are then in this money. None:
            in units of each KPI; sums over models that were fitted apart
            (`from_fitted`) then warn, which ``1.0`` answers.

        Returns
        -------
        summary : DataFrame indexed by the columns in `by` and channel
            Columns are those of :func:`skmmm.inspection.channel_summary`; `share` is of
            the KPI of the same groups. Intervals of sums are those of sums of draws:
            groups in which the channel is "data-driven" are independent, others are
            wrong alike. Sums have no ``alarm``, but ``data_driven``, the share of the
            contribution that such groups hold, and the best ``verdict`` that, with
            better ones, holds nine tenths of it.

        Raises
        ------
        ValueError
            As `contributions`, if `by` names no grouping column, or if `kpi_value`
            leaves out a group.

        Warns
        -----
        UserWarning
            If KPIs of models that were fitted apart are added up without `kpi_value`.
        """
        tail = tail_probability(confidence_level)
        found: Any = counterfactual_of(
            self, X, effect, media=media, media_cost=media_cost
        )
        values = read_kpi_value(kpi_value, self.groups_, self._by_labels)
        if values is not None:
            found = valued(found, values)
        apart = self._by_labels
        if not (isinstance(by, str) and by == "all" and by not in self._by_labels):
            apart = kept_apart(by, self._by_labels, self._labels)
        if len(apart) < len(self._by_labels):
            pooled = PooledChannels(found, apart)
            if values is None and self._fitted_apart:
                names = [found.group_name(key) for key in pooled.added]
                otherwise = "their sums mean nothing"
                warn_of_units(names, "Sums add up", otherwise, "channel_summary")
            return summary_of(pooled, None, tail)
        order = [*map(self._by_labels.index, apart), len(apart)]
        summary = summary_of(found, None, tail)
        return summary.set_axis(summary.index.reorder_levels(order))

    @documented_by(inspection.payback)
    def payback(
        self,
        X: Table | None = None,
        *,
        shares: Sequence[float] = SHARES,
        value: float | None = None,
        confidence_level: float = 0.9,
    ) -> pd.DataFrame:
        """Return how many periods pass until the effect of a unit of spend arrived.

        Returns
        -------
        payback : DataFrame indexed by the grouping columns and channel
            With the columns of :func:`skmmm.inspection.payback`.

        Raises
        ------
        ValueError
            As `contributions`, and as :func:`skmmm.inspection.payback`.
        """
        return inspection.payback(
            self, X, shares=shares, value=value, confidence_level=confidence_level
        )

    @documented_by(inspection.response_curve)
    def response_curve(
        self,
        channel: tuple,
        X: Table | None = None,
        *,
        grid: npt.ArrayLike | None = None,
        effect: Effect = "direct",
        confidence_level: float = 0.9,
        media: Columns = None,
        media_cost: MediaCost = None,
    ) -> Bunch:
        """Return what a channel of one group would have caused at other spend.

        Parameters
        ----------
        channel : tuple
            The group, one value per grouping column, and the channel.

        Returns
        -------
        curve : Bunch
            That of :func:`skmmm.inspection.response_curve`, of the rows of the group.

        Raises
        ------
        ValueError
            As `contributions`, and if the channel is none of the group or has no spend.
        """
        return inspection.response_curve(
            self,
            channel,  # type: ignore[arg-type]
            X,
            grid=grid,
            effect=effect,
            confidence_level=confidence_level,
            media=media,
            media_cost=media_cost,
        )

    @documented_by(allocation.optimize_budget)
    def optimize_budget(
        self,
        budget: float | None = None,
        *,
        X: Table | None = None,
        horizon: int | None = None,
        bounds: Bounds = DEFAULT_BOUNDS,
        money_bounds: MoneyBounds = None,
        by: Split = "channel",
        target_roi: float | None = None,
        target_mroi: float | None = None,
        fixed: Fixed = None,
        constraints: Constraints = None,
        risk: Risk = None,
        effect: Effect = "direct",
        allow_extrapolation: bool = False,
        price_level: PriceLevel = None,
        price_elasticity: PriceElasticity = None,
        levers: LeversGiven = None,
        kpi_value: KpiValue = None,
        confidence_level: float = 0.9,
        media: Columns = None,
        media_cost: MediaCost = None,
    ) -> allocation.BudgetPlan:
        """Find the spend on the channels of all groups together that causes most.

        One budget is shared by all groups. Channels, in `bounds` and in the result, are
        tuples of the group, one value per grouping column, and the channel.

        Parameters
        ----------
        levers : None
            Controls are decided in the plan of one group, by the `optimize_budget` of
            its estimator: others are refused.
        kpi_value : float, mapping or None, default=None
            Money that a unit of the KPI is worth, of each group, where their KPIs are
            in different units: ``{"brand_a": 12.0, "brand_b": 1.0}``. With several
            grouping columns keys are tuples, or values of the first column that stand
            for all of its groups. Outcomes, contributions, returns and targets of the
            plan are then in this money. None: one each, KPIs are in one unit; of models
            that were fitted apart (`from_fitted`) a warning says so, which ``1.0``
            answers.
        """
        check_is_fitted(self)
        results = read_question(
            self,
            X,
            horizon,
            by=by,
            risk=risk,
            effect=effect,
            confidence_level=confidence_level,
            media=media,
            region=None,
            time=None,
            media_cost=media_cost,
            kpi_value=read_kpi_value(kpi_value, self.groups_, self._by_labels),
            budget=budget,
            bounds=bounds,
            money_bounds=money_bounds,
            fixed=fixed,
            constraints=constraints,
            target_roi=target_roi,
            target_mroi=target_mroi,
            allow_extrapolation=allow_extrapolation,
            price_level=price_level,
            price_elasticity=price_elasticity,
            levers=levers,
        )
        return results.best()
