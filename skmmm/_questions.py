"""What a fitted model can be asked: effects, returns, plans, and its own parts."""

from warnings import warn

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmmm import allocation, inspection
from skmmm._draws import bounds, tail_probability
from skmmm._nn.threads import one_thread
from skmmm.scenarios import coming_frame, compare_scenarios


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

    def carryover(self, *, confidence_level=0.9):
        """Return how the effect of one period's spend is spread over periods.

        Parameters
        ----------
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        carryover : DataFrame indexed by (channel, lag)
            ``share`` of the effect that comes so many periods later, the same as
            ``carryover_``, with ``low`` and ``high`` (nan without draws).
        """
        check_is_fitted(self)
        tail, order = tail_probability(confidence_level), self._shown_order()
        share = self.carryover_
        ends = np.full((2, *share.shape), np.nan)
        if self._model.draws is not None and order:
            with one_thread():
                drawn = self._model.carryover_draws()[:, order]
                ends = bounds(drawn, tail, share, least=0.0, most=1.0)
        index = pd.MultiIndex.from_product(
            [self.media_, range(share.shape[1])], names=["channel", "lag"]
        )
        columns = {"share": share, "low": ends[0], "high": ends[1]}
        return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index)

    def saturation(self, *, n_points=61, confidence_level=0.9):
        """Return the share of its highest effect that a channel reaches, by spend.

        This is the Hill curve ``x ** slope / (x ** slope + half ** slope)`` of the
        model [1]_, where x is the spend of a row after carry-over: what steady spend of
        x per row comes to. `response_curve` has the effect in KPI units.

        Parameters
        ----------
        n_points : int, default=61
            From zero to the highest spend that was observed.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        saturation : DataFrame indexed by (channel, point)
            ``spend``, adstocked spend per row in the units of X, of an average region;
            ``share`` in [0, 1] with ``low`` and ``high`` (nan without draws);
            ``observed``, the share of training rows with less adstocked spend.

        References
        ----------
        .. [1] Jin, Wang, Sun, Chan, Koehler (2017). Bayesian Methods for Media Mix
           Modeling with Carryover and Shape Effects. Google Research.
        """
        check_is_fitted(self)
        if n_points < 2:
            raise ValueError(f"n_points must be at least 2, got {n_points!r}.")
        tail, order = tail_probability(confidence_level), self._shown_order()
        with one_thread():
            seen = self._model.adstocked()[order]  # (n_media, n_rows)
            half, slope = (v[:, order] for v in self._model.saturation_draws())
        spend = np.linspace(0.0, 1.0, n_points) * seen.max(
            axis=1, keepdims=True, initial=0.0
        )
        share = _hill(spend, self.half_saturation_[:, None], self.slope_[:, None])
        ends = np.full((2, *share.shape), np.nan)
        if self._model.draws is not None and order:
            drawn = _hill(spend, half[..., None], slope[..., None])
            ends = bounds(drawn, tail, share, least=0.0, most=1.0)
        observed = np.empty_like(spend)
        for own, asked, below in zip(seen, spend, observed, strict=True):
            below[:] = np.searchsorted(np.sort(own), asked, "right") / len(own)
        columns = {
            "spend": spend,
            "share": share,
            "low": ends[0],
            "high": ends[1],
            "observed": observed,
        }
        index = pd.MultiIndex.from_product(
            [self.media_, range(n_points)], names=["channel", "point"]
        )
        return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index)

    def effectiveness(self, X=None, *, confidence_level=0.9):
        """Return how the effectiveness of channels moved over time.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        effectiveness : DataFrame indexed by (channel, time)
            ``multiple`` of the mean over the periods of X, averaged over regions, that
            the same spend causes, with ``low`` and ``high`` (nan without draws). One
            throughout if effectiveness is constant: without a GRU, with
            ``time_varying=False``, or where the data show no change.

        Raises
        ------
        ValueError
            If the model has no `time` column.
        """
        check_is_fitted(self)
        tail, order = tail_probability(confidence_level), self._shown_order()
        panel, periods, times = self._periods_of(X, "effectiveness")
        with one_thread():
            found = self._model.drift(panel)[0][periods][:, order]
            found = found / found.mean(axis=0)
            ends = np.full((2, *found.shape), np.nan)
            if self._model.draws is not None and order:
                drawn = self._model.drift(panel, draws=True)[:, periods][:, :, order]
                drawn = drawn / drawn.mean(axis=1, keepdims=True)
                ends = bounds(drawn, tail, found, least=0.0)
        columns = {"multiple": found, "low": ends[0], "high": ends[1]}
        index = pd.MultiIndex.from_product(
            [self.media_, times], names=["channel", "time"]
        )
        return pd.DataFrame({k: v.T.ravel() for k, v in columns.items()}, index)

    def baseline_parts(self, X=None):
        """Split the baseline into what makes it up.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.

        Returns
        -------
        parts : DataFrame of shape (n_rows, n_parts)
            Indexed like X, in KPI units; rows sum to the column ``baseline`` of
            `contributions`. ``constant`` (of the region), ``trend``, ``season``,
            ``baseline drift`` (what the GRU reads from calendar and controls) and
            ``level`` (a slowly fading random walk), as far as the model has them.
        """
        _, index, panel = self._read(X)
        with one_thread():
            parts = self._model.baseline_parts(panel)
        return pd.DataFrame(parts, index=index)

    def _periods_of(self, X, asking):
        """Return the panel of X, its periods' positions, and the periods."""
        _, _, panel = self._read(X)
        if self._calendar is None:
            raise ValueError(
                f"{asking} is over time, so it needs a model with a time column; this "
                "one has time=None."
            )
        periods = np.unique(panel.cell % panel.shape[1])
        times = [self._calendar.value(panel.periods[t]) for t in periods]
        return panel, periods, pd.Index(times)


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


def _hill(spend, half, slope):
    """Return the share of the highest effect."""
    powered = spend**slope
    return powered / (powered + half**slope)
