"""The outcome equation as one module with a leading draw axis.

Per region r, period t, channel m and draw e, with the KPI in units of its mean per
region and media in units of their typical spend per region::

    kpi[r, t]       = baseline[r, t] + sum_k control[r, k, t] + sum_m effect[r, m, t]
    baseline[r, t]  = intercept[r] + trend[r] * u[t] + season[r] . f[t]
                      + context_baseline . h[r, t] + demand . d[r, t] + level[r, t]
    effect[r, m, t] = typical[m] * exp(effect_log[r, m]) / hill(1)
                      * exp(context_effect[m] . h[r, t] + effect_step[m] . s[t])
                      * hill(exp(e * intensity[r, m]) * adstock(damped(media[r, m]))[t])

where ``typical`` is the effect at typical spend, ``intensity`` the log of typical spend
per head, less its mean, ``damped`` lowers spikes, ``h`` is a GRU over context, which is
calendar and controls, never media, ``d`` is what all spend tells of hidden demand in
this and the neighbouring periods, and what it may be beside that
(`skmmm._model.demand`), whatever spend is changed to,
``s`` is 1 after steps of the effects in periods that came after training, and ``level``
is what `skmmm._model.level` says. Channels with a frequency respond as
`skmmm._model.frequency` says, pairs of them add what `skmmm._model.synergies` says. Of
channels with a slow stock a part of the effect arrives later, and the baseline has what
the time before the first row left there, as `skmmm._model.stock` says.
"""

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch.nn.functional import pad

from skmmm._model import synergies
from skmmm._model.adstock import carry_known, kernel_of, recurrent_carry
from skmmm._model.frequency import acting_media, saturated, summed_by_kind
from skmmm._model.independence import share_among_few
from skmmm._model.priors import (
    ALL,
    ALL_INDEPENDENT,
    GROUPED,
    NOISE_FLOOR,
    NOISE_RATIO,
    NOTHING,
    fields_in_dtype,
    regional_priors,
    shared_priors,
)
from skmmm._model.responses import summed_effects
from skmmm._model.saturation import (
    EXPECTED,
    curves_alike,
    half_saturations,
    none_or_more,
)
from skmmm._model.spikes import (
    believed_share,
    damped_spikes,
    find_spikes,
    take_excess,
)
from skmmm._model.spreads import in_units
from skmmm._model.stock import arriving, remains, summed_arriving
from skmmm._model.sums import all_any, all_sum

# Parameters with a shared value from which regions may deviate.
BY_REGION = (
    "intercept",
    "noise_log",
    "control",
    "season",
    "trend",
    "half_saturation_log",
)


@dataclass(frozen=True, eq=False)
class Parts:
    """The structural part of the prediction, in units of the mean KPI per region.

    Attributes
    ----------
    baseline : Tensor of shape (E, R, T)
        Without the level.
    controls : Tensor of shape (E, R, K, T)
    media : Tensor of shape (E, R, M, T)
    """

    baseline: torch.Tensor
    controls: torch.Tensor
    media: torch.Tensor

    @cached_property
    def total(self):
        """Sum of all parts, shape (E, R, T)."""
        return self.baseline + self.controls.sum(dim=2) + self.media.sum(dim=2)


class OutcomeNetwork:
    """The outcome equation.

    Attributes
    ----------
    shared : Tensor of shape (E, n_shared)
    regional : Tensor of shape (E, R, n_regional)
        All parameters, in units of their prior.
    independent_share : float
        Effective number of independent regions, as a share of all regions.
    n_compared : int
        Regions of which it is a share.

    Parameters
    ----------
    sizes : Sizes
    adstock : str, one of ADSTOCKS
    free_sign : Tensor of shape (n_media,), bool
        Channels whose effect may be negative.
    channel_priors : ChannelPriors
    level : bool
        Whether rows have an order, so that trend and level exist.
    steps : Steps, default=None
    """

    steps = None  # of those that were pickled before there were any

    def __init__(self, sizes, *, adstock, free_sign, channel_priors, level, steps=None):
        self.sizes = sizes
        self.adstock = adstock
        self.channel_priors = channel_priors
        self.independent_share, self.n_compared = 1.0, sizes.n_regions
        self.free_sign = free_sign
        self.level, self.steps = level, steps
        self.shared_priors = shared_priors(
            adstock, sizes, channel_priors, level=level, steps=steps
        )
        self.regional_priors = regional_priors(sizes, level=level)
        n_shared = self.shared_priors.n_parameters
        self.shared = torch.zeros(1, n_shared, dtype=torch.float64)
        # With carry-over that is too short, slow effects look like none, and training
        # seldom comes back from there.
        for prior, where in self.shared_priors.positions():
            if prior.name in ("decay_logit", "scale_log"):
                self.shared[:, where] = 1.0
        shape = (1, sizes.n_regions, self.regional_priors.n_parameters)
        self.regional = torch.zeros(shape, dtype=torch.float64)

    def at(self, shared, regional):
        """Return a twin with other parameters.

        Parameters
        ----------
        shared : Tensor of shape (E, n_shared)
        regional : Tensor of shape (E, R, n_regional)
        """
        twin = copy.copy(self)
        twin.shared, twin.regional = shared, regional
        return twin

    def to(self, dtype):
        """Return a twin that computes in another precision."""
        twin = self.at(self.shared.to(dtype), self.regional.to(dtype))
        twin.channel_priors = fields_in_dtype(self.channel_priors, dtype)
        twin.shared_priors = self.shared_priors.to(dtype)
        twin.regional_priors = self.regional_priors.to(dtype)
        return twin

    def doubting(self, doubted):
        """Return a twin that doubts what some channels show, (M,) bool."""
        twin = copy.copy(self)
        doubted = doubted & self.channel_priors.pooled
        twin.channel_priors = replace(self.channel_priors, doubted=doubted)
        return twin

    def trusting(self):
        """Return a twin that takes what moves with any channel for its effect."""
        return self.doubting(torch.zeros_like(self.channel_priors.doubted))

    @property
    def grouped(self):
        """Channels that move in groups of regions, as errors do, shape (M,), bool."""
        channels = self.channel_priors
        return channels.pooled & channels.shown & (self.visible_share < GROUPED)

    @property
    def remembers(self):
        """Whether spend acts after more than `max_lag` periods."""
        return self.adstock == "gru" or self.channel_priors.stock is not None

    def extended(self, n_new):
        """Return a twin with regions never seen, which deviate from none."""
        return self.with_regions(pad(self.regional, (0, 0, 0, n_new)))

    def in_regions(self, regions):
        """Return the network of some regions."""
        return self.with_regions(self.regional[:, regions])

    def with_regions(self, regional):
        """Return a twin with as many regions as these parameters are of."""
        twin = self.at(self.shared, regional)
        twin.sizes = replace(self.sizes, n_regions=regional.shape[1])
        return twin

    def values(self):
        """Return all parameters by name, in their own units.

        Returns
        -------
        values : dict of str to Tensor
            Shape (E, ...), or (E, R, ...) for those that may vary by region (with
            R = 1 if there is one region).
        """
        values = self.shared_priors.unpack(self.shared)
        if self.sizes.n_media:
            values |= curves_alike(values, self.channel_priors)
            values["effect_log"] = torch.zeros_like(values["effect"]).unsqueeze(1)
        for prior in self.shared_priors:
            if prior.hierarchical:
                values[prior.name] = in_units(values, prior.name, values[prior.name])
        for name in BY_REGION:
            if name in values:
                values[name] = values[name].unsqueeze(1)
        values["noise_log"] = with_noise_floor(values["noise_log"], NOISE_FLOOR)
        for name, deviation in self.regional_priors.unpack(self.regional).items():
            if name in values:
                deviation = in_units(values, name, deviation)
                if name == "noise_log":
                    deviation = with_noise_floor(deviation, NOISE_RATIO)
                values[name] = values[name] + deviation
        pairs = self.channel_priors.pairs
        if pairs is not None:
            values["synergy"] = synergies.strengths(values["synergy_log"], pairs)
        return values

    @property
    def visible_share(self):
        """Share of the effects of pooled channels that the KPI shows, shape (M,).

        Hidden factors that move regions in groups may move media too and mask them: the
        more of these, the less a correlation, or its absence, says of an effect.
        """
        of_errors = share_among_few(self.independent_share, self.n_compared)
        share = self.channel_priors.independent.clamp_min(of_errors)
        share = (share / ALL_INDEPENDENT).clamp_max(1.0) ** 3
        return share * self.channel_priors.shown

    def typical_effects(self, values):
        """Return the effect of each channel at typical spend, shape (E, M)."""
        visible = self.visible_effects(values)
        unseen = self.unseen_effects(values)
        return visible if unseen is None else visible + unseen

    def log_misfit(self, values):
        """Return how far log effects are from what the equations make of them."""
        return self.channel_priors.misfit_spread * values["misfit"]

    def visible_effects(self, values):
        """Return what the KPI shows of the effects at typical spend, (E, M)."""
        channels = self.channel_priors
        size = self.visible_share * self._pooled_effects(values, "effect")
        if not channels.pooled.all():
            own = torch.exp(channels.effect_spread * values["effect"])
            size = torch.where(channels.pooled, size, own)
        return torch.exp(channels.effect_log) * size

    def unseen_effects(self, values):
        """Return effects less what the KPI shows, (E, M), or None if it shows all.

        Above zero where hidden factors mask an effect, below zero where a channel that
        rings an alarm shows more than it causes, either for what equations do not fit.
        """
        channels = self.channel_priors
        visible_share = self.visible_share
        misfit = self.log_misfit(values)
        as_seen = (visible_share == 1.0).all() and (misfit == 0.0).all()
        if as_seen and not channels.doubted.any():
            return None
        masked = (1.0 - visible_share) * self._pooled_effects(values, "masked")
        masked = torch.exp(channels.effect_log) * masked * channels.pooled
        below = torch.special.ndtr(values["genuine"])
        genuine = ((below - NOTHING) / (1.0 - NOTHING - ALL)).clamp(0.0, 1.0)
        genuine = torch.where(channels.doubted, genuine, 1.0)
        masked = torch.where(channels.shown, masked, genuine * masked)
        return masked + (genuine * misfit.exp() - 1.0) * self.visible_effects(values)

    def _pooled_effects(self, values, name):
        """Return effects in units of what is expected, (E, M)."""
        deviation = self.channel_priors.effect_spread * values[name]
        pooled = none_or_more(EXPECTED + values[f"{name}_mean"][:, None] + deviation)
        if not self.free_sign.any():
            return pooled
        return torch.where(self.free_sign, values[name], pooled)

    def sizes_of_effects(self, values):
        """Return the effect of each channel at full saturation, shape (E, R, M)."""
        return self.typical_effects(values)[:, None] * self._full_by_typical(values)

    def _full_by_typical(self, values):
        """Return effects at full saturation by those at typical spend, (E, R, M).

        The parameter is the effect at typical spend, where the data are: what half
        saturation and slope say elsewhere then hardly moves it.
        """
        slope = torch.exp(values["slope_log"])[:, None]
        # hill(1) = 1 / (1 + half_saturation ** slope)
        full = 1.0 + torch.exp(slope * values["half_saturation_log"])
        return full * torch.exp(values["effect_log"])

    def kernel(self, values):
        """Return the lag weights, shape (E, M, L + 1); not for ``adstock="gru"``."""
        return kernel_of(self.adstock, values, self.sizes.max_lag)

    def impulse_response(self, values):
        """Return the share of one period's typical spend that acts at each lag."""
        if self.adstock != "gru":
            return self.kernel(values)
        n_lags = self.sizes.max_lag + 1
        pulse = self.shared.new_zeros(1, self.sizes.n_media, 2 * n_lags - 1)
        pulse[..., n_lags - 1] = 1.0
        known = pulse.new_ones(1, pulse.shape[-1])
        response = self.adstocked(values, pulse, known)[:, 0]
        return response / response.sum(dim=-1, keepdim=True)

    def carried_over(self, values, inputs):
        """Return media after carry-over, spikes damped; below zero by rounding."""
        cells, media, known = None, inputs.media, inputs.known
        linear = self.adstock != "gru" and self.sizes.max_lag and known.all()
        linear = linear and self.channel_priors.frequency is None
        if linear and media.ndim == 3 and self._spiked(values) is not None:
            spiked = self.channel_priors.spiked[:, None]
            high = torch.where(spiked, inputs.high, torch.inf)
            cells = find_spikes(media, high)
        if cells is None:
            return self.adstocked(values, self.acting(values, inputs), known)
        kernel, share = self.kernel(values), believed_share(values)
        carried = carry_known(media, known, kernel)
        return take_excess(carried, media, high, share, kernel, cells)

    def damped(self, values, inputs):
        """Return media with spikes damped, shape ([E,] R, M, L + T)."""
        spiked = self._spiked(values)
        if spiked is None:
            return inputs.media
        shape = (len(self.shared), *inputs.media.shape[-3:])
        damped = damped_spikes(
            inputs.media[..., spiked, :],
            inputs.high[:, spiked],
            believed_share(values)[:, None, spiked, None],
        )
        return inputs.media.expand(shape).index_copy(2, spiked, damped)

    def acting(self, values, inputs):
        """Return media as they are carried over, ([E,] R, M, L + T)."""
        media = self.damped(values, inputs)
        return acting_media(self.channel_priors.frequency, media, values, inputs)

    def _spiked(self, values):
        """Return the positions of channels with spikes, None if there are none."""
        if "spike_logit" not in values or not self.channel_priors.spiked.any():
            return None
        return torch.nonzero(self.channel_priors.spiked)[:, 0]

    def adstocked(self, values, media, known):
        """Return media after carry-over, ([E,] R, M, L + T) -> (E, R, M, T)."""
        if not self.sizes.max_lag:
            return media.expand(len(self.shared), *media.shape[-3:])
        if self.adstock == "gru":
            carried = recurrent_carry(media, known, *self.gates(values))
            return carried[..., self.sizes.max_lag :]
        return carry_known(media, known, self.kernel(values))

    def gates(self, values):
        """Return what `recurrent_carry` needs to know, each of shape (E, M)."""
        names = ("keep", "refresh", "mix", "late_keep")
        return [torch.sigmoid(values[f"{name}_logit"]) for name in names]

    def media_effects(self, values, inputs):
        """Return the effect of every channel, with half of its pairs, (E, R, M, T)."""
        return self._credited(values, self.own_effects(values, inputs))

    def own_effects(self, values, inputs):
        """Return the effect of every channel by itself, shape (E, R, M, T)."""
        return self._effects(values, inputs, self.typical_effects)

    def _credited(self, values, effects):
        pairs = self.channel_priors.pairs
        return synergies.credited(effects, pairs, values.get("synergy"))

    def visible_media_effects(self, values, inputs):
        """Return what the KPI shows of every channel by itself, (E, R, M, T)."""
        return self._effects(values, inputs, self.visible_effects)

    def _effects(self, values, inputs, at_typical_spend):
        """Return effects as they arrive, (E, R, M, T), from those at typical spend."""
        found = self.effects_before_stock(values, inputs, at_typical_spend)
        return arriving(self.channel_priors, values, found)

    def effects_before_stock(self, values, inputs, at_typical_spend=None):
        """Return effects as they are caused, (E, R, M, T)."""
        at_typical_spend = at_typical_spend or self.typical_effects
        if not self.sizes.n_media:
            shape = (len(self.shared), self.sizes.n_regions, 0, len(inputs.trend))
            return inputs.media.new_zeros(shape)
        adstock, half, slope = self._curves(values, inputs)
        response = saturated(self.channel_priors.frequency, adstock, half, slope)
        size = at_typical_spend(values)[:, None] * self._full_by_typical(values)
        return self._drifted(size[..., None], values, inputs) * response

    def _curves(self, values, inputs):
        """Return adstock, log half saturation and slope, as of `summed_effects`."""
        half = half_saturations(values, inputs.intensity)
        return self.carried_over(values, inputs), half, torch.exp(values["slope_log"])

    def visible_total(self, values, inputs):
        """Return what the KPI shows of all channels together, (E, R, T)."""
        if self.channel_priors.pairs is not None:
            effects = self.visible_media_effects(values, inputs)
            return self._credited(values, effects).sum(dim=2)
        if self.channel_priors.frequency is not None:
            return summed_by_kind(self, values, inputs)
        size = self.visible_effects(values)[:, None] * self._full_by_typical(values)
        adstock, half, slope = self._curves(values, inputs)
        drift = self.drift(values, inputs)
        if self.channel_priors.stock is None:
            return summed_effects(adstock, half, slope, size, *drift)
        curves = adstock, half, slope, size, drift
        return summed_arriving(self.channel_priors, values, *curves)

    def full_effects(self, values, inputs):
        """Return the effect of every channel at full saturation, (E, R, M, T or 1)."""
        return self._drifted(self.sizes_of_effects(values)[..., None], values, inputs)

    def drift(self, values, inputs):
        """Return what log effects follow over time, (E, M, H), and that, (R, H, T)."""
        weights = values.get("context_effect")
        if weights is None:
            weights = values["effect"][..., None][..., :0]  # (E, M, 0): none
        states = inputs.states[:, : weights.shape[2]]
        if self.steps is None:
            return weights, states
        steps = inputs.steps.expand(len(states), *inputs.steps.shape)
        weights = torch.cat([weights, values["effect_step"]], dim=2)
        return weights, torch.cat([states, steps], dim=1)

    def _drifted(self, effects, values, inputs):
        weights, states = self.drift(values, inputs)
        if not weights.shape[2]:
            return effects
        return effects * torch.exp(torch.einsum("emh,rht->ermt", weights, states))

    def channel_effects(self, channels, inputs, media):
        """Return the effects of some channels under other media, (E, R, C, T).

        Parameters
        ----------
        channels : sequence of int
        inputs : Inputs
        media : Tensor of shape ([E,] R, C, L + T)
            Of these channels, in place of what `inputs` says.
        """
        twin, values = self.among(channels)
        return twin.media_effects(values, inputs.among(channels, media))

    def among(self, channels, values=None):
        """Return a twin that knows some channels only, and its values."""
        values = self.values() if values is None else dict(values)
        columns = {
            p.name: len(p.shape) for p in self.shared_priors if p.acts == "channel"
        }
        chosen = torch.as_tensor(channels)
        columns |= dict.fromkeys(("effect_log", "genuine", "masked", "misfit"), 1)
        for name, n_axes in columns.items():
            values[name] = values[name].index_select(-n_axes, chosen)
        if "synergy" in values:
            kept, _ = synergies.among(self.channel_priors.pairs, chosen)
            values["synergy"] = values["synergy"][:, kept]
        twin = copy.copy(self)
        twin.free_sign = self.free_sign[channels]
        twin.channel_priors = self.channel_priors.among(channels)
        return twin, values

    def mean_effects(self, channels, inputs, share):
        """Return the mean effect of some channels over rows, in mean KPI, (E, C).

        Parameters
        ----------
        channels : sequence of int
        inputs : Inputs
        share : Tensor of shape (R, T)
            Of each row in the mean KPI; sums to one.
        """
        effects = self.channel_effects(channels, inputs, inputs.media[:, channels])
        return all_sum(torch.einsum("erct,rt->ec", effects, share))

    def prior_guess(self, n_draws):
        """Return a network of draws from the prior, of a region that does not deviate.

        The same draws in each call.
        """
        random = torch.Generator().manual_seed(0)
        shape = n_draws, self.shared.shape[1]
        guesses = torch.randn(shape, generator=random, dtype=torch.float64)
        nowhere = guesses.new_zeros(n_draws, 1, self.regional.shape[2])
        return self.at(guesses, nowhere)

    def with_own_prior(self, inputs):
        """Return the positions of channels whose mean effect has a prior of its own.

        Without spend there is no mean effect; the prior is that of typical spend then.
        """
        own = ~self.channel_priors.pooled
        if own.any():
            own = own & all_any((inputs.media > 0).any(dim=2).any(dim=0))
        return torch.nonzero(own)[:, 0]

    def surprises(self, inputs, share):
        """Return how far channels with a prior of their own are from it, (E, C).

        In its standard deviations, of the log mean effect over rows.
        """
        priors, chosen = self.channel_priors, self.with_own_prior(inputs)
        found = torch.log(self.mean_effects(chosen, inputs, share))
        found = found - self.log_misfit(self.values())[:, chosen]
        return (found - priors.effect_log[chosen]) / priors.effect_spread[chosen]

    def level_parameters(self, values):
        """Return gain and persistence of the level, each of shape (E,)."""
        gain = torch.sigmoid(values["level_gain_logit"])
        return gain, torch.sigmoid(values["level_persistence_logit"])

    def __call__(self, inputs):
        """Return the structural `Parts` for every draw, region and period."""
        values = self.values()
        baseline = self.baseline(values, inputs)
        media = self.media_effects(values, inputs)
        confounding = self.confounding(values, inputs)
        if confounding is not None:
            baseline = baseline + confounding
        return Parts(baseline, self._controls(values, inputs), media)

    def total(self, inputs, values=None):
        """Return the sum of the structural `Parts`, shape (E, R, T)."""
        values = self.values() if values is None else values
        baseline = self.baseline(values, inputs)
        # Of one region, or of all: (R, E, K) @ (R, K, T)
        controls = values["control"].transpose(0, 1) @ inputs.controls
        total = baseline + controls.transpose(0, 1)
        if not self.sizes.n_media:
            return total
        return total + self.visible_total(values, inputs)

    def _controls(self, values, inputs):
        return values["control"][..., None] * inputs.controls

    def confounding(self, values, inputs):
        """Return what moves with spend and is no effect, (E, R, T), None for nothing.

        Effects have it and the KPI does not, or the other way round: it belongs to the
        baseline.
        """
        unseen = self.unseen_effects(values) if self.sizes.n_media else None
        if unseen is None:
            return None
        if self.channel_priors.pairs is not None:
            media = self.media_effects(values, inputs).sum(dim=2)
            return self.visible_total(values, inputs) - media
        return -self._effects(values, inputs, lambda _: unseen).sum(dim=2)

    def baseline(self, values, inputs):
        """Return intercept, trend, season and slow state, shape (E, R, T)."""
        shape = (-1, self.sizes.n_regions, len(inputs.trend))
        first, *others = self.baseline_parts(values, inputs).values()
        return sum(others, first.expand(shape))

    def baseline_parts(self, values, inputs):
        """Return what the baseline adds up, by name, each (E, R or 1, T or 1)."""
        parts = {"constant": values["intercept"][..., None]}
        parts["season"] = values["season"] @ inputs.season
        if self.level:
            parts["trend"] = values["trend"][..., None] * inputs.trend
        if "context_baseline" in values:
            parts["baseline drift"] = _weighted(
                values["context_baseline"], inputs.states
            )
        if "demand" in values:
            parts["hidden demand"] = _weighted(values["demand"], inputs.demand)
        if self.channel_priors.stock is not None:
            parts["earlier media"] = remains(self, values, inputs).sum(dim=2)
        return parts


def with_noise_floor(log, floor):
    """Return the log of a standard deviation to which one of `floor` is added."""
    return 0.5 * torch.logaddexp(2.0 * log, torch.full_like(log, 2 * math.log(floor)))


def _weighted(weights, columns):
    """Return sums of columns of rows, (R, H, T), by weights of draws, (E, H)."""
    n_regions, _, n_periods = columns.shape
    rows = columns.transpose(0, 1).flatten(1)
    return (weights @ rows).view(len(weights), n_regions, n_periods)
