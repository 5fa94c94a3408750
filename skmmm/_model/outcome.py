"""The fitted outcome model: arrays in, KPI units out.

Predictions and contributions come from `OutcomeModel.components`, effects of changed
spend from `effects_under`, `scaled_effects` and `flights`.
"""

from collections import namedtuple
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy import stats

from skmmm._data.panel import Panel
from skmmm._data.scales import Scales
from skmmm._model.context import Context
from skmmm._model.controls import control_slopes
from skmmm._model.demand import Demand
from skmmm._model.draws import few_draws, select
from skmmm._model.expectations import prior_effects
from skmmm._model.inputs import PerPanel, Seasons, build_inputs
from skmmm._model.level import Level, fit_level, level_of_rows
from skmmm._model.likelihood import Loss, relative_kpi
from skmmm._model.network import OutcomeNetwork
from skmmm._model.origins import origin_fractions
from skmmm._model.rows import Components, effect_rows, mean_effects, structure_rows
from skmmm._model.saturation import half_saturations, per_head_exponent
from skmmm._model.scaling import Flights, ScaledChannel, SpendResponses
from skmmm._model.threads import of_each

Split = namedtuple("Split", "window inputs own rest weight n_periods")


@dataclass(frozen=True, eq=False)
class OutcomeModel:
    """A trained network with what is needed to ask it about rows.

    Attributes
    ----------
    network : OutcomeNetwork
        At the point estimate, one draw: the mean of the parameters, or their mode where
        there are no draws.
    draws : OutcomeNetwork or None
        Twin with one entry per draw.
    level : Level or None
        At the point. None where rows have no order.
    level_draws : Level or None
        Of files and pickles that know no `precision`.
    scales : Scales
    seasons : Seasons
    context : Context or None
    demand : Demand or None
        None where spend tells of none.
    history : Panel
        The training rows.
    loss : Loss
    conditional_contraction : ndarray of shape (n_media,) or None
        Share of the prior variance of each channel's log effect that the data would
        remove if all else was known. None without draws.
    contraction : ndarray of shape (n_media,) or None
        Share of the prior variance of each channel's mean effect that the data removed.
        None without draws.
    narrow : ndarray of shape (n_media,), bool, or None
        Whether the interval of each channel's mean effect says of which size it is,
        and no other channel has the same column. None without draws.
    together : ndarray of shape (n_media,), int, or None
        Number of the group of channels of which only the sum is known, -1 for those in
        none. None without draws.
    precision : Tensor of shape (R, T), or None
        Of each training row, as of `Target`. None without draws, or without order.
    """

    network: OutcomeNetwork
    draws: OutcomeNetwork | None
    level: Level | None
    level_draws: Level | None
    scales: Scales
    seasons: Seasons
    context: Context | None
    demand: Demand | None
    history: Panel
    loss: Loss
    conditional_contraction: np.ndarray | None = None
    contraction: np.ndarray | None = None
    narrow: np.ndarray | None = None
    together: np.ndarray | None = None
    precision: torch.Tensor | None = None
    _inputs: PerPanel = field(default_factory=PerPanel, repr=False)  # and levels

    def inputs(self, panel=None):
        """Return the `Inputs` of a panel, by default those of training."""
        panel = self.history if panel is None else panel
        return self._inputs.get_or(panel, lambda: self._build_inputs(panel))

    def _build_inputs(self, panel):
        scales = self.scales.extended(panel.shape[0] - len(self.scales.kpi))
        max_lag = self.network.sizes.max_lag
        steps = self.network.steps
        return build_inputs(
            panel, scales, self.seasons, max_lag, self.context, self.demand, steps
        )

    def components(self, panel, *, draws=False):
        """Return the `Components` of the rows of a panel that continues the history.

        Parameters
        ----------
        panel : Panel
            On a grid that holds training rows and new ones; regions beyond those of
            the training data are taken as average regions.
        draws : bool
            False: at the point, with one draw.
        """
        if not draws:
            return self._evaluate(self.network, self.level, panel)
        return self._evaluate(self.draws, self._level_of_draws(), panel)

    def _evaluate(self, network, level, panel):
        """Return the `Components` of a network with its level."""
        n_new = panel.shape[0] - len(self.scales.kpi)
        scales = self.scales.extended(n_new)
        inputs = self.inputs(panel)
        parts = []
        with torch.no_grad():
            for some, twin in few_draws(network):
                moving = None if level is None else level.select(some)
                parts.append(
                    (
                        *structure_rows(twin.extended(n_new), inputs, panel),
                        *level_of_rows(twin, moving, panel),
                    )
                )
        arrays = [np.concatenate(part) for part in zip(*parts, strict=True)]
        baseline, controls, media, level_mean, variance, fresh = arrays
        unit = scales.kpi[panel.cell // panel.shape[1]]
        return Components(
            baseline=(baseline + level_mean) * unit,
            controls=controls * unit[:, None],
            media=media * unit[:, None],
            variance=variance * unit**2,
            fresh=fresh,
        )

    def noise_quantiles(self, parts, probability):
        """Return quantiles of a new observation around each draw's prediction.

        One period's surprise has the tails of the loss; the sum of many is nearly
        normal, so that the tails thin out with the horizon.

        Parameters
        ----------
        parts : Components
        probability : ndarray of shape (n_quantiles,)

        Returns
        -------
        quantiles : ndarray of shape (n_quantiles, n_draws, n_rows)
        """
        heavy, normal = (
            quantile[:, None, None]
            for quantile in (
                self.loss.quantiles(probability),
                stats.norm.ppf(probability),
            )
        )
        shape = parts.fresh * heavy + (1.0 - parts.fresh) * normal
        return shape * np.sqrt(parts.variance)

    def doubting(self, doubted):
        """Return the model in which what moves with some channels may be no effect.

        Parameters
        ----------
        doubted : ndarray of shape (n_media,), bool
        """
        chosen = torch.from_numpy(doubted)
        draws = None if self.draws is None else self.draws.doubting(chosen)
        return replace(self, network=self.network.doubting(chosen), draws=draws)

    @property
    def refreshed(self):
        """Whether rows of later periods were taken in."""
        return self.history.shape[1] > self.seasons.n_train

    def at_mode(self, target):
        """Return the model with the level that its network leaves over."""
        return replace(self, level=self._level_of(self.network, target))

    def with_draws(self, draws, mean, target):
        """Return the model with draws of its parameters, at their mean.

        Parameters
        ----------
        draws, mean : OutcomeNetwork
            With one entry per draw, and with one.
        """
        return replace(
            self,
            network=mean,
            level=self._level_of(mean, target),
            draws=draws,
            level_draws=None,
            precision=target.precision if draws.level else None,
        )

    def network_of(self, *, draws):
        """Return the network with one entry per draw, or that at the point."""
        return self.draws if draws else self.network

    def _level_of(self, network, target):
        if not network.level:
            return None
        return fit_level(network, self.inputs(), target.y, target.precision)

    def _level_of_draws(self):
        """Return the level of draws, which is large: it is computed when asked for."""
        if self.precision is None:
            return self.level_draws
        rows = relative_kpi(self.history, self.scales), self.precision
        return self._inputs.get_or(
            self.draws, lambda: fit_level(self.draws, self.inputs(), *rows)
        )

    def mean_effects(self, target, known=None, n_prior_draws=4000):
        """Return posterior and prior draws of each channel's mean effect over all rows.

        Parameters
        ----------
        target : Target
        known : ndarray of shape (n_draws, n_media), default=None
            Those of the posterior, where they were computed before.

        Returns
        -------
        effects : ndarray of shape (n_draws, n_media)
            In mean KPI; of effects as they are by now, after all steps.
        prior : ndarray of shape (n_prior_draws, n_media)
            Where the prior is about typical spend, times what the mean row has of that
            at the point estimate.
        """
        if not self.network.sizes.n_media:
            return np.zeros((1, 0)), np.zeros((1, 0))
        now = self.inputs().after_steps()
        if known is None:
            draws = self.network_of(draws=True)
            known = mean_effects(draws, now, target.share).numpy()
        prior = prior_effects(self.network, n_prior_draws, now, target.share)
        return known, prior.numpy()

    def mean_effects_of(self, network, target):
        """Return each channel's mean effect over all rows, in mean KPI, (E, n_media).

        Parameters
        ----------
        network : OutcomeNetwork
            Twin of the model's own, with E entries.
        target : Target
        """
        return mean_effects(network, self.inputs(), target.share).numpy()

    def carryover_of(self, network):
        """Return lag weights of each channel, (E, n_media, max_lag + 1).

        Parameters
        ----------
        network : OutcomeNetwork
            Like the model's own, with E entries.
        """
        with torch.no_grad():
            return network.impulse_response(network.values()).numpy()

    def effects_under(self, panel, channels, alternatives, *, draws=False):
        """Yield the effect of some channels together under each of several spends.

        Parameters
        ----------
        panel : Panel
        channels : sequence of int
        alternatives : iterable of ndarray of shape ([n_draws,] R, T, n_channels)
            Spend of these channels on the grid of the panel, in the units of X; the
            same for all draws, or one for each.
        draws : bool
            False: at the point, with one draw.

        Yields
        ------
        effects : ndarray of shape (n_draws, n_rows)
            Per alternative, in KPI units.
        """
        network = self.network_of(draws=draws)
        inputs = self.inputs(panel)
        scales = self.scales.extended(panel.shape[0] - len(self.scales.kpi))
        unit = scales.kpi[panel.cell // panel.shape[1]]
        typical = scales.media[:, channels, None]
        before = self.network.sizes.max_lag
        for spend in alternatives:
            media = np.swapaxes(spend, -1, -2) / typical
            media = np.pad(media, [*[(0, 0)] * (media.ndim - 1), (before, 0)])
            yield effect_rows(network, channels, inputs, media, panel) * unit

    def scaled_effects(self, split, channels, factors, *, by, draws=False):
        """Yield the effect of one channel after the other if its spend is scaled.

        Parameters
        ----------
        split : Split
            As `split` returned it.
        channels : sequence of int
        factors : ndarray of shape (n_factors,)
            On the spend of the panel's rows; that of all other cells stays.
        by : {"region", "period"}
            What the effects are summed to.
        draws : bool
            False: at the point, with one draw.

        Yields
        ------
        effects : ndarray of shape (n_factors, n_draws, R or T)
            Of all spend of the channel, in KPI units.
        """
        network = self.network_of(draws=draws)
        window, inputs, own, rest, weight, n_periods = split
        n_new = len(weight) - network.sizes.n_regions
        axis, n_groups = (2, len(weight)) if by == "region" else (1, n_periods)
        shown = slice(None) if by == "region" else window
        for channel in channels:
            found = np.zeros((len(factors), len(network.shared), n_groups))
            moves, stays = own[:, [channel]], rest[:, [channel]]

            def scale(draws, channel=channel, found=found, moves=moves, stays=stays):
                some, twin = draws
                twin = twin.extended(n_new)
                scaled = ScaledChannel(twin, channel, inputs, moves, stays, weight)
                for k, factor in enumerate(factors):
                    total = scaled.effects(factor).sum(dim=axis)
                    found[k, some, shown] = total.numpy()

            of_each(scale, few_draws(network))
            yield found

    def response_effects(self, split, channel, draw, *, draws=False):
        """Return the effects of a channel as a function of its spend in some regions.

        Parameters
        ----------
        split : Split
            As `split` returned it.
        channel : int
        draw : ndarray of shape (E,), int
            Which of D spends each draw has; -1: left out.
        draws : bool
            False: at the point, with one draw.

        Returns
        -------
        effects : SpendResponses
        """
        n_new = len(split.weight) - self.network.sizes.n_regions
        network = self.network_of(draws=draws).extended(n_new)
        typical = self.scales.extended(n_new).media[:, channel, None]
        return SpendResponses(network, split, channel, typical, draw)

    def flights(self, split, *, draws=False):
        """Return what media cause as a function of spend period by period.

        Parameters
        ----------
        split : Split
            As `split` returned it.
        draws : bool
            False: at the point, with one draw.

        Returns
        -------
        flights : Flights
        """
        network = self.network_of(draws=draws)
        twin = network.extended(len(split.weight) - network.sizes.n_regions)
        return Flights(twin, *split[:-1])

    def split(self, panel, counted):
        """Return the periods that count, and within them what the network reads.

        Parameters
        ----------
        panel : Panel
        counted : ndarray of shape (R, T), bool
            Cells whose KPI counts.

        Returns
        -------
        window : slice
        inputs : Inputs
        own, rest : Tensor of shape (R, M, L + T)
            Spend of the panel's rows, and of all other cells, in typical spend.
        weight : Tensor of shape (R, T)
            Mean KPI of the region in cells that count, else 0.
        n_periods : int
            Of the grid.
        """
        first, last = np.flatnonzero(counted.any(axis=0))[[0, -1]]
        if self.network.remembers:
            first = 0
        window = slice(first, last + 1)
        inputs = self.inputs(panel).within(window)
        scales = self.scales.extended(panel.shape[0] - len(self.scales.kpi))
        weight = torch.from_numpy(counted[:, window] * scales.kpi[:, None])
        scaled = np.zeros(panel.shape, dtype=bool)
        scaled.ravel()[panel.cell] = True
        scaled = np.pad(scaled, ((0, 0), (self.network.sizes.max_lag, 0)))
        scaled = scaled[:, first : first + inputs.known.shape[1]]
        own = inputs.media * torch.from_numpy(scaled)[:, None]
        rest = inputs.media - own
        return Split(window, inputs, own, rest, weight, panel.shape[1])

    def media_by_origin(self, panel, shares, *, draws=False):
        """Return what media contribute, by the channel in which spend originates.

        The contribution of every channel is divided among origins in proportion to
        their part of its adstocked spend.

        Parameters
        ----------
        panel : Panel
        shares : iterable of ndarray of shape (R, T, n_media, n_media)
            One per draw, on the grid of the panel. ``[..., k, j]``: of channel j's
            spend, from channel k; sums to one over k.
        draws : bool
            False: at the point, with one draw.

        Returns
        -------
        media : ndarray of shape (n_draws, n_rows, n_media)
            In KPI units. The sum over origins is that of `components` over channels.
        """
        network = self.network_of(draws=draws)
        contributions = self.components(panel, draws=draws).media
        inputs = self.inputs(panel)
        n_new = panel.shape[0] - len(self.scales.kpi)
        for e, (effect, share) in enumerate(zip(contributions, shares, strict=True)):
            from_others = share.any(axis=(0, 1)) & ~np.eye(share.shape[3], dtype=bool)
            driven = np.flatnonzero(from_others.any(axis=0))
            if not len(driven):
                continue
            origins = np.union1d(driven, np.flatnonzero(from_others.any(axis=1)))
            twin = select(network, slice(e, e + 1)).extended(n_new)
            share = share[..., origins[:, None], driven].transpose(2, 0, 3, 1)
            with torch.no_grad():
                parts = torch.tensor(share)
                fractions = origin_fractions(twin, origins, driven, inputs, parts)
            rows = panel.rows(fractions.transpose(1, 2).numpy())  # (K, C, rows)
            divided = np.einsum("kcn,nc->nk", rows, effect[:, driven])
            effect[:, driven] = 0.0
            effect[:, origins] += divided
        return contributions

    def adstocked(self):
        """Return spend of the training rows after carry-over, (n_media, n_rows).

        In the units of X for an average region: relative to the region, times the mean
        of what is typical over regions. Of channels with a frequency that of the rows.
        """
        if not self.network.sizes.n_media:
            return np.zeros((0, len(self.history.cell)))
        with torch.no_grad():
            values = self.network.values()
            carried = self.network.carried_over(values, self.inputs())[0]
        rows = self.history.rows(carried.transpose(0, 1).numpy())
        rows = rows * self.scales.media.mean(axis=0)[:, None]
        if self.scales.frequency is None or self.history.frequency is None:
            return rows
        seen = self.history.rows(np.moveaxis(self.history.frequency, 2, 0))
        return np.where(np.isfinite(self.scales.frequency)[:, None], seen, rows)

    def drift(self, panel, *, draws=False):
        """Return the factor on effects that moves over time, mean over regions.

        Parameters
        ----------
        panel : Panel
        draws : bool
            False: at the point, with one draw.

        Returns
        -------
        drift : ndarray of shape (n_draws, T, n_media)
        """
        network = self.network_of(draws=draws)
        shape = (len(network.shared), panel.shape[1], network.sizes.n_media)
        with torch.no_grad():
            values = network.values()
            if not network.sizes.n_media:
                return np.ones(shape)
            found, (weights, states) = [], network.drift(values, self.inputs(panel))
            if not weights.shape[2]:
                return np.ones(shape)
            for own in weights:
                moved = torch.einsum("mh,rht->rtm", own, states)
                found.append(torch.exp(moved).mean(dim=0).numpy())
        return np.stack(found)

    def demand_effects(self, panel, *, draws=False):
        """Return what hidden demand adds to the KPI of a panel's rows.

        Parameters
        ----------
        panel : Panel
        draws : bool
            False: at the point estimate, with one draw.

        Returns
        -------
        effects : ndarray of shape (n_draws, n_rows)
            In KPI units; zero where spend tells of no demand.
        """
        n_new = panel.shape[0] - len(self.scales.kpi)
        network, inputs = self.network_of(draws=draws), self.inputs(panel)
        unit = self.scales.extended(n_new).kpi[panel.cell // panel.shape[1]]
        with torch.no_grad():
            values = network.values()
            if "demand" not in values:
                return np.zeros((len(network.shared), len(panel.cell)))
            found = torch.einsum("ed,rdt->ert", values["demand"], inputs.demand)
        return panel.rows(found.numpy()) * unit

    def baseline_parts(self, panel):
        """Return what makes up the baseline of a panel's rows, at the point.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        parts : dict of str to ndarray of shape (n_rows,)
            In KPI units; they sum to the baseline of `components`.
        """
        n_new = panel.shape[0] - len(self.scales.kpi)
        network, inputs = self.network.extended(n_new), self.inputs(panel)
        unit = self.scales.extended(n_new).kpi[panel.cell // panel.shape[1]]
        with torch.no_grad():
            values = network.values()
            parts = network.baseline_parts(values, inputs)
            confounding = network.confounding(values, inputs)
            if confounding is not None:
                parts["confounding"] = confounding
            if self.level is not None:
                parts["level"] = self.level.extended(n_new).at(
                    torch.from_numpy(panel.periods)
                )[0]
        grid = (1, *panel.shape)
        return {
            name: panel.rows(part.expand(grid).numpy())[0] * unit
            for name, part in parts.items()
        }

    def per_head_exponent(self):
        """Return how far regions are on one curve in spend per head, 0 to 1."""
        values = self.network.values()
        return per_head_exponent(values).item() if "per_head" in values else None

    def summary(self, *, draws=False):
        """Return what the parameters say, in the units of X and the KPI.

        Parameters
        ----------
        draws : bool
            False: at the point, with one draw.

        Returns
        -------
        summary : dict of str to ndarray of shape (n_draws, ...)
            ``carryover_share``, ``half_saturation``, ``slope``, ``coef`` and
            ``control_coef``, one entry per channel or control; ``carryover``, the lag
            weights of shape (n_draws, n_media, max_lag + 1). Averages over regions,
            weighted by their KPI where they are in KPI units.
        """
        network, scales = self.network_of(draws=draws), self.scales
        sizes, n_draws = network.sizes, len(network.shared)
        half = size = np.zeros((n_draws, 1, 0))
        slope, carryover = half[:, 0], np.zeros((n_draws, 0, sizes.max_lag + 1))
        with torch.no_grad():
            values = network.values()
            if sizes.n_media:
                carryover = self.carryover_of(network)
                half = half_saturations(values, torch.from_numpy(scales.intensity))
                half = torch.exp(half).numpy()
                size = network.sizes_of_effects(values).numpy()
                slope = torch.exp(values["slope_log"]).numpy()
        kpi = scales.kpi[:, None]
        return {
            "carryover": carryover,
            "carryover_share": carryover[..., 1:].sum(axis=-1),
            "half_saturation": (half * scales.saturation_unit).mean(axis=1),
            "slope": slope,
            "coef": (size * kpi).mean(axis=1),
            "control_coef": control_slopes(network, scales).mean(axis=1),
        }
