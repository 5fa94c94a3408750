"""What a fitted model can be asked: effects, returns, plans, and its own parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._data import checks
from skmmm._data.panel import as_usual, carried_on
from skmmm._estimator.counterfactual import ModelCounterfactual
from skmmm._estimator.frequencies import usual_frequency
from skmmm._estimator.reading import ReadingMixin
from skmmm._model.threads import one_thread
from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Array, Column, Table
from skmmm._utils.warnings import warn_user
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
)
from skmmm.effects import Effects, effects_of
from skmmm.graph._channel_graph import ChannelGraph, make_channel_graph
from skmmm.graph._equations import SpendEquations
from skmmm.graph._estimate import FittedGraph
from skmmm.graph._experiments import ObservedSpend
from skmmm.inspection._intervals import (
    graded_probabilities,
    mixture_quantiles,
    tail_probability,
)
from skmmm.inspection._payback import SHARES
from skmmm.inspection._protocol import By, Effect
from skmmm.inspection._verdicts import MIN_DRAWS, channel_verdicts
from skmmm.scenarios import compare_scenarios, make_future_frame
from skmmm.scenarios._future import NO_TIME, coming_frame
from skmmm.scenarios._planned import Plan

_ROWS_AT_ONCE = 2000  # bounds the memory of intervals


class QuestionsMixin(ReadingMixin):
    """Methods of a fitted `DeepCausalMMMRegressor` that tell what it found."""

    @documented_by(inspection.contributions)
    def contributions(
        self, X: Table | None = None, *, effect: Effect = "direct"
    ) -> pd.DataFrame:
        """Split the prediction into baseline, controls and media."""
        return inspection.contributions(self, X, effect=effect)

    @documented_by(inspection.channel_summary)
    def channel_summary(
        self,
        X: Table | None = None,
        *,
        confidence_level: float = 0.9,
        by: By = None,
        effect: Effect = "direct",
    ) -> pd.DataFrame:
        """Summarise what each channel caused, and what one more unit would cause."""
        return inspection.channel_summary(
            self, X, confidence_level=confidence_level, by=by, effect=effect
        )

    @documented_by(inspection.channel_groups)
    def channel_groups(
        self, X: Table | None = None, *, confidence_level: float = 0.9
    ) -> pd.DataFrame:
        """Return groups of channels whose total is known although its split is not."""
        return inspection.channel_groups(self, X, confidence_level=confidence_level)

    @documented_by(inspection.control_summary)
    def control_summary(
        self, X: Table | None = None, *, confidence_level: float = 0.9
    ) -> pd.DataFrame:
        """Summarise what one more unit of each control does to the KPI."""
        return inspection.control_summary(self, X, confidence_level=confidence_level)

    @documented_by(inspection.payback)
    def payback(
        self,
        X: Table | None = None,
        *,
        shares: Sequence[float] = SHARES,
        value: float | None = None,
        confidence_level: float = 0.9,
    ) -> pd.DataFrame:
        """Return how many periods pass until the effect of a unit of spend arrived."""
        return inspection.payback(
            self, X, shares=shares, value=value, confidence_level=confidence_level
        )

    @documented_by(inspection.brand_effects)
    def brand_effects(
        self,
        X: Table | None = None,
        *,
        by: By = None,
        confidence_level: float = 0.9,
    ) -> pd.DataFrame:
        """Return what brand channels contribute at once, late, and what is to come."""
        return inspection.brand_effects(
            self, X, by=by, confidence_level=confidence_level
        )

    @documented_by(inspection.response_curve)
    def response_curve(
        self,
        channel: Column,
        X: Table | None = None,
        *,
        grid: npt.ArrayLike | None = None,
        by: Literal["region"] | None = None,
        effect: Effect = "direct",
        confidence_level: float = 0.9,
    ) -> Bunch:
        """Return what a channel would have caused at other levels of its spend."""
        return inspection.response_curve(
            self,
            channel,
            X,
            grid=grid,
            by=by,
            effect=effect,
            confidence_level=confidence_level,
        )

    @documented_by(inspection.optimal_frequency)
    def optimal_frequency(
        self,
        X: Table | None = None,
        *,
        grid: npt.ArrayLike | None = None,
        confidence_level: float = 0.9,
    ) -> pd.DataFrame:
        """Return how often people should see each channel that has a frequency."""
        return inspection.optimal_frequency(
            self, X, grid=grid, confidence_level=confidence_level
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
        confidence_level: float = 0.9,
    ) -> allocation.BudgetPlan:
        """Find the spend that causes most."""
        return allocation.optimize_budget(
            self,
            budget,
            X=X,
            horizon=horizon,
            bounds=bounds,
            money_bounds=money_bounds,
            by=by,
            target_roi=target_roi,
            target_mroi=target_mroi,
            fixed=fixed,
            constraints=constraints,
            risk=risk,
            effect=effect,
            allow_extrapolation=allow_extrapolation,
            price_level=price_level,
            price_elasticity=price_elasticity,
            levers=levers,
            confidence_level=confidence_level,
        )

    @documented_by(make_future_frame)
    def make_future_frame(
        self, periods: int, *, spend: Plan = "last_year", control_values: Plan = None
    ) -> pd.DataFrame:
        """Make the table of the periods after the training data, with planned spend.

        Returns
        -------
        future : DataFrame of shape (n_regions * periods, n_columns)
            For `predict`, `channel_summary`, `optimize_budget` and `compare_scenarios`:
            the columns that the model uses. Times are timestamps, or integers. The
            frequency of channels that have one is that of the region in the last season
            of training data (impressions / reach); write another one there to plan it.

        Raises
        ------
        ValueError
            If the model has no time column, or as `skmmm.scenarios.make_future_frame`.
        """
        check_is_fitted(self)
        calendar = self._calendar
        if calendar is None:
            raise ValueError(NO_TIME)
        beside = list(self._frequency_columns.values())
        future = coming_frame(
            self._training_rows().drop(columns=beside),
            periods,
            columns=self._columns,
            spend=spend,
            control_values=control_values,
            periods_per_year=calendar.periods_per_year,
        )
        return self._with_usual_frequency(future) if beside else future

    def _with_usual_frequency(self, future):
        """Return coming rows with the frequency of their region in the last season."""
        region, columns = np.zeros(len(future), dtype=np.int64), self._columns
        if columns.region is not None:
            region = self._region_codes(checks.region_values(future, columns.region))
        usual = usual_frequency(self._model, self._season_length)[region]
        for label, name in self._frequency_columns.items():
            future[name] = usual[:, columns.media.index(label)]
        return future[[label for label in self._labels if label in future]]

    @documented_by(compare_scenarios)
    def compare_scenarios(
        self,
        scenarios: Mapping[str, Table],
        *,
        baseline: str | None = None,
        price_level: PriceLevel = None,
        price_elasticity: PriceElasticity = None,
        levers: LeversGiven = None,
        confidence_level: float = 0.9,
    ) -> pd.DataFrame:
        """Compare the total KPI that is predicted for several tables."""
        check_is_fitted(self)
        return compare_scenarios(
            self,
            scenarios,
            baseline=baseline,
            price_level=price_level,
            price_elasticity=price_elasticity,
            levers=levers,
            confidence_level=confidence_level,
        )

    def predict_interval(self, X: Table, confidence_level: float = 0.9) -> Array:
        """Predict an interval for the KPI of every row.

        It holds what is unknown about the parameters (as far as the draws show), the
        movement of the level and the noise of a single observation: quantiles of the
        mixture, over draws, of what each of them predicts, widened where necessary to
        what `predict` says.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        interval : ndarray of shape (n_rows, 2)
            Lower and upper bound, in KPI units. The rows are those of X, without names
            as from `predict`: ``pd.DataFrame(interval, X.index, ["low", "high"])`` has
            them. Intervals of channels stand with names in `channel_summary`.
        """
        tail = tail_probability(confidence_level)
        _, _, panel = self._read(X)
        self._check_draws("predict_interval")
        point = self._components(panel).total[0]
        parts = self._components(panel, draws=True)
        probability, weight = graded_probabilities(tail)
        ends = [
            self._predictive(parts.rows(some), probability, weight, (tail, 1.0 - tail))
            for some in np.array_split(
                np.arange(len(panel.cell)), -(-len(panel.cell) // _ROWS_AT_ONCE)
            )
        ]
        low, high = np.concatenate(ends, axis=1)
        return np.column_stack([np.minimum(low, point), np.maximum(high, point)])

    def _predictive(self, parts, probability, weight, ends):
        """Return quantiles of a new observation of some rows, (n_ends, n_rows)."""
        noise = self._model.noise_quantiles(parts, probability)  # (K, E, rows)
        samples = parts.total[None] + noise
        weight = np.repeat(weight, samples.shape[1]) / samples.shape[1]
        return mixture_quantiles(samples.reshape(len(weight), -1), weight, ends)

    def _usual_pattern(self):
        """Return which periods the coming ones repeat if nobody says: "last_year"."""
        n_seen = self._model.history.shape[1]
        if self._calendar is not None and n_seen >= self._calendar.season_length:
            return "last_year"
        return "last_periods"

    def _coming_periods(self, periods, spend=None):
        """Return the coming periods as a year before, or as the last ones."""
        check_is_fitted(self)
        pattern = self._usual_pattern()
        return self.make_future_frame(
            periods,
            spend=pattern if spend is None else spend,
            control_values=pattern if self.controls_ else None,
        )

    def _draws_of_prediction(self, X):
        """Return the expected KPI of every row by draw, None without draws."""
        _, _, panel = self._read(X)
        if self._model.draws is None:
            return None
        return self._components(panel, draws=True).total

    @documented_by(effects_of)
    def effects(self, X: Table | None = None) -> Effects:
        """Read a table once, and return the object that answers questions about it."""
        return effects_of(self, X)

    def _counterfactual(self, X=None, media_scale=None) -> ModelCounterfactual:
        """Return the counterfactual of the rows of X, and warn if media look scaled.

        Steps before the model tell how many units of their X make one of the model.
        """
        frame, index, panel = self._read(X)
        if media_scale is None or (media_scale == 1.0).all():
            self._warn_scaled()
        history = self._model.history
        if self._calendar is not None and panel.periods[-1] > history.periods[-1]:
            usual = as_usual(history, self._calendar.season_length)
            panel = carried_on(panel, self._model.network.sizes.max_lag, *usual)
        order = self._shown_order()
        return ModelCounterfactual(
            model=self._model,
            equations=None,
            drawn_equations=None,
            panel=panel,
            media_cost=self._media_cost,
            channels=list(self._columns.media),
            shown=np.array(order, dtype=np.int64),
            regions=self.regions_,
            calendar=self._calendar,
            index=index,
            controls=list(self._columns.controls),
            names=self._labels,
            media_scale=np.ones(len(order)) if media_scale is None else media_scale,
            read_frame=partial(self._rows_to_plan, frame),
            judge=self._judgements,
            doubt=self._shown_doubts,
            equations_of=self._equations_of,
            paid=self._paid_in(frame),
            money_columns=tuple(self._money_columns.values()),
        )

    def _rows_to_plan(self, frame):
        """Return rows of X, or of training, with a frequency where reach may come."""
        if frame is None:
            return self._training_rows()
        frame = frame.copy()
        for label, name in self._frequency_columns.items():
            reached = frame[label] > 0
            frame[name] = frame[name].where(reached, self._usual_frequency(label))
        return frame

    def _judgements(self):
        """Return what is known of the channels as such, in the order of X."""
        order = self._shown_order()
        return {
            "verdict": self._verdicts()[order],
            "alarm": np.array(self._alarms, dtype=object)[order],
        }

    def _shown_doubts(self):
        """Return why not to act on each channel, "" without, in the order of X."""
        return self._doubts()[self._shown_order()]

    def _doubts(self):
        """Return why not to act on each channel, "" without, in the model's order."""
        said = [
            [f"rings an alarm ({alarm})"] * bool(alarm)
            + ["contradicts its prior"] * bool(contradicted)
            for alarm, contradicted in zip(
                self._alarms, self._contradicted, strict=True
            )
        ]
        return np.array([" and ".join(why) for why in said], dtype=object)

    def _equations_of(
        self, effect: Effect
    ) -> tuple[SpendEquations | None, SpendEquations | None]:
        """Return the equations of spend of an effect, at the point and by draw."""
        if effect == "direct":
            return None, None
        if effect != "total":
            raise ValueError(f"effect={effect!r} must be 'direct' or 'total'.")
        if self._learned_pairs():
            raise ValueError(
                "effect='total' adds up what channels cause one by one, and this model "
                "has synergies of channels. Use effect='direct', or fit with "
                "synergies=None."
            )
        fitted, draws = self._check_graph("effect='total'"), self._model.draws
        if draws is None:
            return fitted.equations, None
        # Draws of effects and of the graph are independent of each other.
        order = np.arange(len(draws.shared)) % fitted.draws.n_draws
        return fitted.equations, fitted.draws.at(order)

    def _verdicts(self):
        """Return the verdict on each channel; None with too few draws for one."""
        model, n_media = self._model, len(self._columns.media)
        few = model.draws is None or len(model.draws.shared) < MIN_DRAWS
        contraction, conditional = model.contraction, model.conditional_contraction
        if few or not n_media or contraction is None or conditional is None:
            return np.full(n_media, None, dtype=object)
        return channel_verdicts(
            contraction,
            conditional,
            np.asarray(model.narrow),
            self._doubts() != "",
            checks.why_not_learned(model.history.media, self._cells_learned()),
        ).astype(object)

    def _components(self, panel, *, draws=False):
        with one_thread():
            return self._model.components(panel, draws=draws)

    def channel_graph(self) -> ChannelGraph:
        """Return which channel drives which, how strongly and with which probability.

        Returns
        -------
        graph : ChannelGraph
            ``weights``, ``same_period``, ``lags``, ``probability`` and ``verdict``
            ("edge", "no edge" or "undecided") as DataFrames, ``edges`` and ``pairs``
            as long tables, ``cautions`` and ``to_networkx()``.

        Raises
        ------
        ValueError
            If there is no graph: `graph` is None, there is no time column, or there
            are fewer than two channels.
        """
        fitted = self._check_graph("channel_graph")
        spend = ObservedSpend(
            media=self._model.history.media,
            equations=fitted.draws,
            channels=list(self._columns.media),
            regions=self.regions_,
            calendar=self._calendar,
        )
        return make_channel_graph(fitted, self.media_, self._shown_order(), spend)

    def _check_graph(self, asking: str) -> FittedGraph:
        """Return the fitted graph; the error names the method that needs it."""
        check_is_fitted(self)
        if self._graph is None:
            raise ValueError(
                f"{asking} needs a channel graph, but the model has none: fit it with "
                "graph='svar', a time column and at least two media columns."
            )
        return self._graph

    def _warn_scaled(self) -> None:
        """Warn if the media of the training rows look like the output of a scaler."""
        history = self._model.history
        rows = history.rows(np.moveaxis(history.media, 2, 0))  # (n_media, n_rows)
        rows = rows[rows.any(axis=1)]
        if not len(rows) or any(len(np.unique(row)) <= 2 for row in rows):
            return
        sizes: dict[str, Callable] = {
            "highest value": np.max,
            "mean": np.mean,
            "standard deviation": np.std,
        }
        for name, size in sizes.items():
            if np.allclose(size(rows, axis=1), 1.0, rtol=1e-9):
                warn_user(
                    f"The {name} of each of the media columns "
                    f"{list(self._columns.media)} is 1: they look scaled, so that "
                    "spend and returns are per unit of the scaled columns. If a "
                    "pipeline scaled them, pass all of it and its X to "
                    "skmmm.inspection.channel_summary."
                )
