"""What a fitted model consists of: carry-over, saturation, drift, baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmmm._estimator.inference_data import inference_data
from skmmm._estimator.reading import ReadingMixin
from skmmm._estimator.saturation import half_saturation_table
from skmmm._estimator.synergies import synergy_table
from skmmm._model.threads import one_thread
from skmmm._unwrapping import parameters_of
from skmmm._utils.typing import Array, Table
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._sampling import COLUMNS, COUNTS, LOG_POSTERIOR


class ModelPartsMixin(ReadingMixin):
    """Methods of a fitted `DeepCausalMMMRegressor` that show its parts."""

    def carryover(self, *, confidence_level: float = 0.9) -> pd.DataFrame:
        """Return how the effect of one period's spend is spread over periods.

        Parameters
        ----------
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        carryover : DataFrame indexed by (channel, lag)
            ``share`` of the effect that comes so many periods later, the same as
            ``carryover_``, with ``low`` and ``high`` (nan without draws). Of channels
            with a slow stock, of what does not go into it.
        """
        check_is_fitted(self)
        tail, order = tail_probability(confidence_level), self._shown_order()
        share = self.carryover_
        ends = np.full((2, *share.shape), np.nan)
        if self._model.draws is not None and order:
            with one_thread():
                drawn = self._model.summary(draws=True)["carryover"][:, order]
                ends = bounds(drawn, tail, share, least=0.0, most=1.0)
        index = pd.MultiIndex.from_product(
            [self.media_, range(share.shape[1])], names=["channel", "lag"]
        )
        columns = {"share": share, "low": ends[0], "high": ends[1]}
        return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index)

    def saturation(
        self, *, n_points: int = 61, confidence_level: float = 0.9
    ) -> pd.DataFrame:
        """Return the share of its highest effect that a channel reaches, by spend.

        This is the Hill curve ``x ** slope / (x ** slope + half ** slope)`` of the
        model [1]_, where x is the spend of a row after carry-over: what steady spend of
        x per row comes to. `response_curve` has the effect in KPI units. Of channels
        with a frequency x is the frequency of a row.

        Parameters
        ----------
        n_points : int, default=61
            From zero to the highest spend that was observed.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        saturation : DataFrame indexed by (channel, point)
            ``spend``, adstocked spend per row in the units of X, of an average region,
            or the frequency (of channels in ``saturation.attrs["by_frequency"]``);
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
        spend = np.linspace(0.0, 1.0, n_points) * seen.max(
            axis=1, keepdims=True, initial=0.0
        )
        share = _hill(spend, self.half_saturation_[:, None], self.slope_[:, None])
        ends = np.full((2, *share.shape), np.nan)
        if self._model.draws is not None and order:
            drawn = self._model.summary(draws=True)
            half, slope = drawn["half_saturation"], drawn["slope"]
            drawn = _hill(spend, half[:, order, None], slope[:, order, None])
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
        table = pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index)
        if self._frequency_columns:
            table.attrs["by_frequency"] = list(self._frequency_columns)
        return table

    def saturation_summary(self, *, confidence_level: float = 0.9) -> pd.DataFrame:
        """Return the spend at which each channel reaches half of its highest effect.

        Of the curve that `saturation` returns.

        Parameters
        ----------
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        summary : DataFrame indexed by channel
            - ``half_saturation``: steady spend per row (a region and period) at which
              half of the most that the channel can cause is reached, in the units of
              X, of an average region; of channels with a frequency, that frequency.
              The same as ``half_saturation_``, with ``half_saturation_low`` and
              ``half_saturation_high``, NaN without draws;
            - ``half_saturation_prior_low``, ``half_saturation_prior_high``: the
              interval of the prior;
            - ``observed``: share of training rows with no more adstocked spend (or
              frequency). At 1 half of the maximum was never reached, and the maximum
              is extrapolated;
            - ``unit``: "spend per row" or "frequency";
            - ``verdict``: "data-driven" if data shrank the standard deviation of the
              logarithm to less than half of the prior's and the upper bound of the
              90 % interval is at most four times the lower one; else "prior-driven",
              as expected before the data; "not identified" if the data cannot tell
              what the channel does at all (`alarm` of `channel_summary`, or the data
              contradict its prior). None with fewer than eight draws.

        Examples
        --------
        >>> from skmmm import DeepCausalMMMRegressor
        >>> from skmmm.datasets import make_mmm_panel
        >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
        >>> model = DeepCausalMMMRegressor(
        ...     media=world.media, time="week", n_draws=8, graph=None, random_state=0,
        ... ).fit(world.X.drop(columns="region"), world.y)
        >>> table = model.saturation_summary()
        >>> table["unit"].to_list()
        ['spend per row', 'spend per row']
        """
        check_is_fitted(self)
        return half_saturation_table(self, tail_probability(confidence_level))

    def effectiveness(
        self, X: Table | None = None, *, confidence_level: float = 0.9
    ) -> pd.DataFrame:
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

    def synergy_summary(
        self, X: Table | None = None, *, confidence_level: float = 0.9
    ) -> pd.DataFrame:
        """Summarise what pairs of channels in `synergies` cause together.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        synergies : DataFrame indexed by (channel, partner)
            Bounds come from draws, NaN without.

            - ``contribution``, ``contribution_low``, ``contribution_high``: what the
              pair adds to the KPI of the rows beyond what each of the two causes by
              itself, in KPI units; below zero where they replace each other. Half of it
              is in the contribution of each;
            - ``share`` of the predicted KPI;
            - ``theta``, ``theta_low``, ``theta_high``: beside a far larger partner a
              channel works ``1 + theta`` times as well as alone, and of two equal ones
              the pair adds ``theta / 4`` of their sum;
            - ``verdict``: "prior-driven" (the data say little: the standard deviation
              of the logarithm of that factor did not shrink to less than half of the
              prior's), "data-driven" (it did, and the 90 % interval of theta leaves out
              zero) or "not identified" (it did, but zero is inside, so that the pair
              cannot be told from two channels that add up; or spend of one of the two
              rings an alarm, or contradicts its prior). Over all training rows; None
              with fewer than eight draws;
            - ``note``: "about nothing" where data shrank that spread, nothing speaks
              against the two channels, and the whole interval of the contribution is
              within one percent of the predicted KPI: whether the pair can be told or
              not, it matters little. Else "".

        Raises
        ------
        ValueError
            If the model was fitted without `synergies`.

        Examples
        --------
        >>> from skmmm import DeepCausalMMMRegressor
        >>> from skmmm.datasets import make_mmm_panel
        >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
        >>> model = DeepCausalMMMRegressor(
        ...     media=world.media, time="week", synergies=[("media_1", "media_2")],
        ...     n_draws=8, graph=None, random_state=0,
        ... ).fit(world.X.drop(columns="region"), world.y)
        >>> model.synergy_summary().index.to_list()
        [('media_1', 'media_2')]
        """
        tail = tail_probability(confidence_level)
        _, _, panel = self._read(X)
        if not self._learned_pairs():
            raise ValueError(
                "synergy_summary is about pairs of channels, and this model was fitted "
                "without: fit it with synergies=[(one, other)]."
            )
        return synergy_table(self, panel, tail)

    def _public_state(self, model, losses):
        """Return the public attributes of a model, in the units of X and y."""
        media = [c for c in self._labels if c in self._columns.media]
        controls = [c for c in self._labels if c in self._columns.controls]
        state = {
            "media_": media,
            "controls_": controls,
            "media_cost_": {
                label: float(cost)
                for label, cost in zip(
                    self._columns.media, self._media_cost, strict=True
                )
                if np.isfinite(cost)
            },
            "period_": None if self._calendar is None else self._calendar.unit,
            "loss_curve_": np.array(losses),
            "n_iter_": len(losses),
            "per_head_exponent_": model.per_head_exponent(),
            "causal_graph_": np.zeros((len(media), len(media))),
        }
        for name, value in model.summary().items():
            inside, outside = self._columns.media, media
            if name == "control_coef":
                inside, outside = self._columns.controls, controls
            order = [inside.index(label) for label in outside]
            state[f"{name}_"] = value[0, order]
        return state

    def _anchor_draws(self) -> dict[str, Array]:
        """Return draws of what `priors` may say beside returns, (n_draws, n_media).

        The decay is that of geometric carry-over with the same share in later periods.
        """
        order = self._shown_order()
        with one_thread():
            drawn = self._model.summary(draws=True)
        found = {"half_saturation": drawn["half_saturation"][:, order]}
        share, n_lags = drawn["carryover_share"][:, order], drawn["carryover"].shape[2]
        if n_lags > 1 and parameters_of(self)["adstock"] in ("weibull", "geometric"):
            decay = np.linspace(0.001, 0.999, 999)
            later = decay * (1.0 - decay ** (n_lags - 1)) / (1.0 - decay**n_lags)
            found["decay"] = np.interp(share, later, decay)
        return found

    def _sampling_table(self) -> pd.DataFrame | None:
        """Return `sampling_diagnostics_`."""
        if self._sampling is None:
            return None
        order = [*self._shown_order(), len(self.media_)]
        quantity = pd.Index([*self.media_, LOG_POSTERIOR], name="quantity")
        table = pd.DataFrame(self._sampling[order], quantity, COLUMNS)
        return table.astype(dict.fromkeys(COUNTS, np.int64))

    def baseline_parts(self, X: Table | None = None) -> pd.DataFrame:
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
            ``baseline drift`` (what the GRU reads from calendar and controls),
            ``hidden demand`` (see `hidden_demand`), ``confounding`` (what moves with
            the spend of channels that ring an alarm and is no effect; less what is
            masked of effects where errors move in groups of regions), ``earlier media``
            (what slow stocks still bring of spend before training) and ``level`` (a
            slowly fading random walk), as far as the model has them.
        """
        _, index, panel = self._read(X)
        with one_thread():
            parts = self._model.baseline_parts(panel)
        return pd.DataFrame(parts, index=index)

    def hidden_demand(
        self, X: Table | None = None, *, confidence_level: float = 0.9
    ) -> pd.DataFrame:
        """Return the demand that nobody observed, as far as spend tells of it.

        Budgets that follow demand move together, and demand moves the KPI as well: a
        regression of the KPI on spend credits media with it. From what channels have in
        common the model estimates demand, of each region and of all together, before it
        sees the KPI [1]_, and lets it move the KPI of the same and the neighbouring
        periods: effects are what spend does beyond that (a control function [2]_).

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns), default=None
            None: the training rows. After them demand fades, whatever X spends.
        confidence_level : float in (0, 1), default=0.9

        Returns
        -------
        demand : DataFrame indexed like X
            ``local`` and ``national`` demand in their standard deviations, NaN where
            spend tells of none; ``contribution`` to the KPI in its units (0 without
            demand), with what demand may be beside its mean; part of the baseline, with
            ``contribution_low`` and ``contribution_high`` (nan without draws).
            ``demand.attrs`` has dicts by "local" and "national", as far as
            there is such demand: ``loading`` (standard deviations of log spend per one
            of demand, by channel), ``persistence`` (from one
            period to the next) and ``known`` (share of the variance of demand that
            spend tells).

        Notes
        -----
        One factor stands for demand. What moves a single channel and the KPI, or moves
        spend without other channels, is not seen.

        References
        ----------
        .. [1] Whittle (1953). Estimation and information in stationary time series.
           Arkiv foer Matematik 2.
        .. [2] Wooldridge (2015). Control Function Methods in Applied Econometrics.
           Journal of Human Resources 50.
        """
        tail, order = tail_probability(confidence_level), self._shown_order()
        _, index, panel = self._read(X)
        model, n_rows = self._model, len(panel.cell)
        columns = {name: np.full(n_rows, np.nan) for name in ("local", "national")}
        facts: dict[str, Any] = {}
        if model.demand is not None:
            found = model.demand.now(panel.periods, panel.shape[0])
            scopes = ["national" if n else "local" for n in model.demand.national]
            columns |= dict(zip(scopes, map(panel.rows, found), strict=True))
            loading = pd.DataFrame(
                model.demand.loading[:, order].T, self.media_, scopes
            )
            facts = {
                "loading": loading.to_dict(),
                "persistence": dict(zip(scopes, model.demand.persistence, strict=True)),
                "known": dict(zip(scopes, model.demand.known, strict=True)),
            }
        with one_thread():
            columns["contribution"] = model.demand_effects(panel)[0]
            ends = np.full((2, n_rows), np.nan)
            if model.draws is not None:
                drawn = model.demand_effects(panel, draws=True)
                ends = bounds(drawn, tail, columns["contribution"])
        columns |= {"contribution_low": ends[0], "contribution_high": ends[1]}
        demand = pd.DataFrame(columns, index=index)
        demand.attrs.update(facts)
        return demand

    def to_inference_data(self) -> Any:
        """Return the draws for ArviZ, to plot and compare them with its tools.

        Returns
        -------
        data : arviz.InferenceData, or xarray.DataTree with ArviZ 1
            ``posterior``: ``contribution`` of each channel to the training rows and
            ``expected_kpi`` of each row in KPI units; ``carryover``,
            ``carryover_share``, ``half_saturation``, ``slope``, ``coef`` and
            ``control_coef`` as the attributes of these names; with `brand_channels`
            ``stock_share`` of each channel and ``stock_half_life`` in periods.
            ``observed_data``: ``kpi``. ``constant_data``: ``media``, ``region`` and
            ``time`` of the rows.

        Raises
        ------
        ImportError
            Without ArviZ, which ``pip install 'skmmm[arviz]'`` brings.
        ValueError
            If the model was fitted with ``n_draws=0``.

        Notes
        -----
        Draws are the last states of many short chains, written as one chain:
        statistics of convergence (r_hat, effective sample size) do not apply.
        """
        check_is_fitted(self)
        self._check_draws("to_inference_data")
        return inference_data(self)

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


def _hill(spend, half, slope):
    """Return the share of the highest effect."""
    powered = spend**slope
    return powered / (powered + half**slope)
