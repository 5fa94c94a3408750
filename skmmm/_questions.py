"""What a fitted model can be asked: effects, returns, plans, and its own parts."""

from warnings import warn

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._counterfactual import ModelCounterfactual
from skmmm._data import checks
from skmmm._data.panel import as_usual, carried_on
from skmmm._model.threads import one_thread
from skmmm.effects import effects_of
from skmmm.graph._channel_graph import make_channel_graph
from skmmm.inspection._intervals import (
    graded_probabilities,
    mixture_quantiles,
    tail_probability,
)
from skmmm.inspection._verdicts import MIN_DRAWS, channel_verdicts
from skmmm.scenarios import compare_scenarios
from skmmm.scenarios._future import coming_frame

_ROWS_AT_ONCE = 2000  # bounds the memory of intervals


class QuestionsMixin:
    """Methods of a fitted `DeepCausalMMMRegressor` that tell what it found."""

    def contributions(self, X=None, *, effect="direct"):
        """Split the prediction into baseline, controls and media.

        The contribution of a channel is the prediction minus the prediction without
        the channel's spend, now and in the periods whose carry-over reaches the row.
        As a total effect, what a channel contributes through spend that others induced
        is theirs: the contribution of every channel is divided among the channels in
        which its spend originates, in proportion to their part of its adstocked spend
        (the Aumann-Shapley value), so that nothing is counted twice.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        effect : {"direct", "total"}, default="direct"
            Whether credit stays with the channel that was seen last, or goes through
            the channel graph to those that drive it.

        Returns
        -------
        contributions : DataFrame of shape (n_rows, 1 + n_controls + n_media)
            Indexed like X, in KPI units; rows sum to `predict`. The first column is
            "baseline": everything that is neither a control nor a channel.
        """
        return inspection.contributions(self, X, effect=effect)

    def channel_summary(
        self, X=None, *, confidence_level=0.9, by=None, effect="direct"
    ):
        """Summarise what each channel did and what the next unit would do.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        confidence_level : float in (0, 1), default=0.9
        by : {"region", "period"} or None, default=None
            Also split by region or period.
        effect : {"direct", "total"}, default="direct"
            Total: contributions and spend of channels that others drive are credited
            and charged to the channels in which they originate, and ``mroi`` lets the
            others answer to one percent more. Spend of a child is charged to a parent
            if both columns are money (have a `media_cost`), or neither has.

        Returns
        -------
        summary : DataFrame indexed by channel, or by channel and region or period
            ``spend`` in money where `media_cost` says what a unit costs, else in the
            units of X; ``contribution`` in KPI units with
            ``contribution_low`` and ``contribution_high``; ``share`` of the predicted
            KPI; ``roi``, KPI units per unit of spend; ``mroi``, KPI units per unit of
            spend if all spend of the channel grew by one percent. ROI is a return on
            investment only where the column is money. ``verdict`` is "data-driven",
            "prior-driven" (what was expected before the data) or "not identified" (it
            cannot be told from baseline or other channels), on the channel over all
            training rows; ``follows_kpi`` whether its spend follows the KPI of earlier
            periods. Without draws bounds are missing, with fewer than eight the verdict
            is, without spend the returns are, as for media without a cost beside
            others that have one.

        Warns
        -----
        UserWarning
            If the media columns look scaled, as by a step before the model in a
            pipeline: returns are per unit of the scaled columns then. Ask
            `skmmm.inspection.channel_summary` of the whole pipeline for its X.

        Notes
        -----
        A contribution is what the KPI of the rows of X owes to the channel, with what
        earlier spend carries into them. ROI and marginal ROI are about the spend of X:
        what it causes in these rows and in later periods, inside training data as far
        as these go, for X in the future until its carry-over has run out (after X,
        whatever X spends, every region goes on as on average in the last year of
        training data). For direct effects they are what
        `response_curve` says (its marginal ROI is per unit of own spend). Over all
        training rows ROI is contribution / spend. By "period", the KPI of each period
        is set against the spend of that period.
        """
        check_is_fitted(self)
        if X is None:
            _warn_scaled(self._model.history, self._columns.media)
        return inspection.channel_summary(
            self, X, confidence_level=confidence_level, by=by, effect=effect
        )

    def response_curve(
        self,
        channel,
        X=None,
        *,
        grid=None,
        by=None,
        effect="direct",
        confidence_level=0.9,
    ):
        """Return what a channel would have caused at other levels of its spend.

        Its spend over the rows of X is scaled, keeping its pattern over regions and
        periods; everything else stays as it is, or, for total effects, other channels
        answer as the channel graph says.

        Parameters
        ----------
        channel : str or int
            A media column: its label, or the position of its column.
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        grid : array-like of shape (n_points,), default=None
            Total spend, in money where `media_cost` says what a unit costs, else in the
            units of X. None: 21 points from nothing to twice the spend of X.
        by : {"region"} or None, default=None
            One curve per region, in which each region's spend is scaled alike.
        effect : {"direct", "total"}, default="direct"
            Total: what the channels that it drives cause with the spend it induces in
            them counts as well; the spend axis remains that of the channel alone. Far
            from observed spend, and at none above all, what they would answer is
            extrapolated: read changes around the current point.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        curve : Bunch
            As in `skmmm.inspection.response_curve`: ``spend``, ``incremental``,
            ``low``, ``high``, ``marginal_roi``, ``current_spend``,
            ``current_incremental``, ``current_marginal_roi``,
            ``half_saturation_spend``, ``observed_until``.
        """
        return inspection.response_curve(
            self,
            channel,
            X=X,
            grid=grid,
            by=by,
            effect=effect,
            confidence_level=confidence_level,
        )

    def optimize_budget(
        self,
        budget=None,
        *,
        X=None,
        horizon=None,
        bounds=(0.5, 2.0),
        money_bounds=None,
        by="channel",
        target_roi=None,
        target_mroi=None,
        fixed=None,
        constraints=None,
        risk=None,
        effect="direct",
        allow_extrapolation=False,
        confidence_level=0.9,
    ):
        """Find the spend that causes most.

        Parameters
        ----------
        budget : float, default=None
            Total spend over the rows of X. None: what X spends. With a target, the most
            that may be spent.
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        horizon : int, default=None
            In place of X: so many coming periods, spend and controls as one year
            before, or as in the last periods if there is no year.
        bounds : (float, float) or mapping, default=(0.5, 2.0)
            Multiples of current spend, of all or by channel, or by (channel, region or
            period).
        money_bounds : mapping or None, default=None
            In place of multiples, least and most money:
            ``{"paid_search": (0, 900_000)}``.
        by : {"channel", "region", "period"}, default="channel"
            What is scaled as a whole.
        target_roi, target_mroi : float, default=None
            Spend as much as keeps the ROI of all, or of the last unit, at the target.
        fixed : list or mapping, default=None
            What stays, or is set to so much money.
        constraints : list of (channels, least, most), default=None
            Money of several channels together.
        risk : None, ("cvar", share) or ("sd", k), default=None
            Maximise the outcome at the mode, its mean over the worst draws, or its mean
            over draws minus k standard deviations.
        effect : {"direct", "total"}, default="direct"
            Total: other channels answer as the channel graph says, at cost.
        allow_extrapolation : bool, default=False
            Whether plans may go beyond observed spend.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        result : OptimizeResult
            ``allocation``, ``outcome``, ``outcome_low``, ``outcome_high``,
            ``current_outcome``, ``probability_better``, ``success``, ``message``,
            ``nit``, ``x``, ``X``: see `skmmm.allocation.optimize_budget`.

        Raises
        ------
        ValueError
            If an argument makes no sense. If it does, but no plan can keep all limits,
            ``success`` is False.
        """
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
            confidence_level=confidence_level,
        )

    def make_future_frame(self, periods, *, spend="last_year", control_values=None):
        """Make the table of the periods after the training data, with planned spend.

        Parameters
        ----------
        periods : int
            Number of coming periods.
        spend : str, mapping or DataFrame, default="last_year"
            "last_year", "last_periods", or spend per period of every channel, in the
            units of X: see `skmmm.scenarios.make_future_frame`.
        control_values : str, mapping, DataFrame or None, default=None
            Values of the controls, required if there are any.

        Returns
        -------
        future : DataFrame of shape (n_regions * periods, n_columns)
            For `predict`, `channel_summary`, `optimize_budget` and `compare_scenarios`:
            the columns that the model uses. Times are timestamps, or integers.

        Raises
        ------
        ValueError
            If the model has no time column.
        """
        check_is_fitted(self)
        calendar = self._calendar
        if calendar is None:
            raise ValueError(
                "make_future_frame needs a time column: rows without an order have no "
                "coming periods."
            )
        return coming_frame(
            self._training_rows(),
            periods,
            columns=self._columns,
            spend=spend,
            control_values=control_values,
            periods_per_year=calendar.periods_per_year,
        )

    def compare_scenarios(self, scenarios, *, baseline=None, confidence_level=0.9):
        """Compare the total KPI that is predicted for several tables.

        Parameters
        ----------
        scenarios : mapping of str to DataFrame
            Tables with the same regions and periods, such as `make_future_frame` makes.
        baseline : str, default=None
            The scenario to which the others are compared. None: the first.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        comparison : DataFrame indexed by scenario
            See `skmmm.scenarios.compare_scenarios`; differences come from common draws.
        """
        check_is_fitted(self)
        return compare_scenarios(
            self,
            scenarios,
            baseline=baseline,
            confidence_level=confidence_level,
        )

    def predict_interval(self, X, confidence_level=0.9):
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
            Lower and upper bound, in KPI units.
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

    def _coming_periods(self, periods):
        """Return the coming periods as a year before, or as the last ones."""
        check_is_fitted(self)
        n_seen, pattern = self._model.history.shape[1], "last_periods"
        if self._calendar is not None and n_seen >= self._calendar.season_length:
            pattern = "last_year"
        return self.make_future_frame(
            periods, spend=pattern, control_values=pattern if self.controls_ else None
        )

    def _draws_of_prediction(self, X):
        """Return the expected KPI of every row by draw, None without draws."""
        _, _, panel = self._read(X)
        if self._model.draws is None:
            return None
        return self._components(panel, draws=True).total

    def effects(self, X=None):
        """Read a table once, and return what can be asked of it.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        Returns
        -------
        effects : Effects
            With `contributions`, `channel_summary`, `response_curve`, `marginal_roi`,
            `optimize_budget`, `budget_path` and `compare_scenarios`. It also stands for
            X in methods of this estimator.
        """
        return effects_of(self, X)

    def _counterfactual(self, X=None):
        """Return the `ModelCounterfactual` behind all that is said of channels."""
        frame, index, panel = self._read(X)
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
            unit=np.ones(len(order)),
            read_frame=self._training_rows if frame is None else frame.copy,
            judge=self._judgements,
            equations_of=self._equations_of,
        )

    def _judgements(self):
        """Return what is known of the channels as such, in the order of X."""
        order = self._shown_order()
        return {
            "verdict": self._verdicts()[order],
            "follows_kpi": self._follows_kpi[order],
        }

    def _equations_of(self, effect):
        """Return the equations of spend of an effect, at the mode and by draw."""
        drawn = None
        if self._model.draws is not None:
            drawn = self._equations(effect, draws=True)
        return self._equations(effect), drawn

    def _verdicts(self):
        """Return the verdict on each channel; None with too few draws for one."""
        draws, n_media = self._model.draws, len(self._columns.media)
        if draws is None or len(draws.shared) < MIN_DRAWS or not n_media:
            return np.full(n_media, None, dtype=object)
        model, history = self._model, self._model.history
        return channel_verdicts(
            model.contraction,
            model.conditional_contraction,
            self._follows_kpi | self._contradicted,
            checks.why_not_learned(history.media, history.weight > 0),
        ).astype(object)

    def _components(self, panel, *, draws=False):
        with one_thread():
            return self._model.components(panel, draws=draws)

    def _check_draws(self, method):
        if self._model.draws is None:
            raise ValueError(
                f"{method} needs draws, but the model was fitted with n_draws=0."
            )

    def channel_graph(self):
        """Return which channel drives which, how strongly and how surely.

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
        return make_channel_graph(fitted, self.media_, self._shown_order())

    def _check_graph(self, asking):
        """Return the fitted graph; the error names the method that needs it."""
        check_is_fitted(self)
        if self._graph is None:
            raise ValueError(
                f"{asking} needs a channel graph, but the model has none: fit it with "
                "graph='svar', a time column and at least two media columns."
            )
        return self._graph

    def _shown_order(self):
        """Return where the columns of `media_` are inside."""
        return [self._columns.media.index(channel) for channel in self.media_]

    def _equations(self, effect, *, draws=False):
        """Return the equations of spend that an effect needs, None if direct."""
        if effect == "direct":
            return None
        if effect != "total":
            raise ValueError(f"effect={effect!r} must be 'direct' or 'total'.")
        fitted = self._check_graph("effect='total'")
        if not draws:
            return fitted.equations
        # Draws of effects and of the graph are independent of each other.
        n_draws = len(self._model.draws.shared)
        return fitted.draws.at(np.arange(n_draws) % fitted.draws.n_draws)


def _warn_scaled(history, media):
    """Warn if the media of the training rows look like the output of a scaler."""
    rows = history.rows(np.moveaxis(history.media, 2, 0))  # (M, n_rows)
    rows = rows[rows.any(axis=1)]
    amounts = len(rows) and all(len(np.unique(row)) > 2 for row in rows)
    sizes = {"highest value": np.max, "mean": np.mean, "standard deviation": np.std}
    for name, size in sizes.items():
        if amounts and np.allclose(size(rows, axis=1), 1.0, rtol=1e-9):
            warn(
                f"The {name} of each of the media columns {list(media)} is 1: they "
                "look scaled, so that spend and returns are per unit of the scaled "
                "columns. If a pipeline scaled them, pass all of it and its X to "
                "skmmm.inspection.channel_summary.",
                UserWarning,
                stacklevel=3,
            )
