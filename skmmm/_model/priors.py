"""Every prior in one place, with its reason.

All parameters are standard normal in the space where the network is trained; a prior
says where and how wide a parameter is in its own units. Media are in units of their
typical spend per region (1 = mean of the non-zero periods), the KPI in units of its
mean per region.
"""

import copy
import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from skmmm._model import synergies


@dataclass(frozen=True)
class Sizes:
    """Dimensions of a network."""

    n_regions: int
    n_media: int
    n_controls: int
    n_season: int
    n_hidden: int
    max_lag: int
    time_varying: bool = True
    negative_kpi: bool = False  # nearly throughout
    n_demand: int = 0  # terms of hidden demand: of periods, and what it may be beside
    per_head: bool = False  # whether spend per head is known


@dataclass(frozen=True, eq=False)
class Prior:
    """``parameter = loc + scale * z`` with ``z`` standard normal.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Shape of the parameter, per draw (and per region in the regional table).
    loc, scale : float or Tensor of that shape
        On the scale named by the suffix of the name (log, logit or natural).
    acts : {"baseline", "channel", "media", "level", "scale", "nothing"}
        What it moves: the baseline or controls; one channel each (first axis of the
        shape); all channels; the filter of the level; no prediction, but scales; or
        nothing that rows depend on.
    hierarchical : bool
        Whether the parameter is in units of a spread that is learned too: its log is
        the parameter called ``{name}_spread_log``.
    reach : float
        Distance from `loc` that the parameter stays below, whatever the data say:
        ``loc + reach * tanh(scale * z / reach)``.
    """

    name: str
    shape: tuple
    loc: float | torch.Tensor = 0.0
    scale: float | torch.Tensor = 1.0
    acts: str = "baseline"
    hierarchical: bool = False
    reach: float = math.inf

    def within_reach(self, values):
        """Return ``loc + scale * z`` bent so that it stays within reach."""
        if self.reach == math.inf:
            return values
        loc = in_dtype(self.loc, values.dtype)
        return loc + self.reach * torch.tanh((values - loc) / self.reach)

    @property
    def size(self):
        """Number of entries per draw."""
        return math.prod(self.shape)


class PriorTable:
    """The priors of the entries of a flat vector, in their order.

    Parameters
    ----------
    priors : sequence of Prior

    Attributes
    ----------
    n_parameters : int
        Entries of the vector.
    """

    def __init__(self, priors):
        self._priors = tuple(priors)
        self._sizes = [prior.size for prior in self._priors]
        self.n_parameters = sum(self._sizes)
        self._loc, self._scale = (
            torch.cat(
                [
                    torch.as_tensor(getattr(prior, name), dtype=torch.float64)
                    .expand(prior.shape)
                    .reshape(-1)
                    for prior in self._priors
                ]
                + [torch.zeros(0, dtype=torch.float64)]
            )
            for name in ("loc", "scale")
        )

    def __iter__(self):
        return iter(self._priors)

    def to(self, dtype):
        """Return the same priors in numbers of another precision."""
        twin = copy.copy(self)
        twin._loc, twin._scale = self._loc.to(dtype), self._scale.to(dtype)
        return twin

    def positions(self):
        """Yield every prior with the slice of its entries in the flat vector."""
        start = 0
        for prior, size in zip(self._priors, self._sizes, strict=True):
            yield prior, slice(start, start + size)
            start += size

    def unpack(self, z):
        """Turn standardised parameters into a dict of named tensors.

        Parameters
        ----------
        z : Tensor of shape (..., n_parameters)

        Returns
        -------
        values : dict of str to Tensor of shape (..., *prior.shape)
        """
        parts = torch.split(self._loc + self._scale * z, self._sizes, dim=-1)
        return {
            prior.name: prior.within_reach(
                part
                if len(prior.shape) == 1
                else part.reshape(*z.shape[:-1], *prior.shape)
            )
            for prior, part in zip(self._priors, parts, strict=True)
        }


def in_dtype(value, dtype):
    """Return tensors of floating-point numbers in another precision, all else as is."""
    real = torch.is_tensor(value) and value.is_floating_point()
    return value.to(dtype) if real else value


def fields_in_dtype(record, dtype):
    """Return a dataclass of tensors in another precision."""
    names = [field.name for field in fields(record)]
    return replace(record, **{n: in_dtype(getattr(record, n), dtype) for n in names})


# Noise that no KPI is free of, as a share of its mean; and the noise of the most exact
# region, relative to what regions share: a region that is closed, or whose KPI was
# computed, would otherwise count more than all others together.
NOISE_FLOOR, NOISE_RATIO = 1e-4, 0.1
# How far log effects are from what is expected, all together and each: guesses, the
# second with few degrees of freedom behind it, so that the channels can teach it.
EFFECT_MEAN, EFFECT_DF = 0.6, 3.0
# Shares of independent regions beyond this come from chance.
ALL_INDEPENDENT = 0.8
# Share of an effect that shows below which what does may be no effect either.
GROUPED = 0.9
# The effect of a channel that rings an alarm is nothing, and as it seems, with this
# probability each, or anything between.
NOTHING, ALL = 0.2, 0.2
# How far log effects are from what the equations make of them: of channels that are
# dark at times, and what comes to it, in full from a least spend of `ALWAYS_ON` typical
# ones, where they never are. Nobody has seen then what no spend does, and it follows
# from the shape of the curve alone.
MISFIT, MISFIT_ALWAYS_ON, ALWAYS_ON = 0.025, 0.1, 0.1
# Returns on money are more alike than effects.
EFFECT_SPREAD, EFFECT_SPREAD_OF_MONEY = 0.8, 0.5
# Half of the maximum is reached around typical spend, 90 % in .24 to 3.4; a part of
# that channels have in common, as markets differ in how far up their curves they spend.
HALF_SATURATION_LOG, HALF_SATURATION_MEAN = (-0.1, 0.8), 0.4
# Geometric decay: median .32, 90 % in .08 to .71. Weibull scale: 90 % of .5 to 7.5.
CARRYOVER = {
    "geometric": (-0.75, 1.0),
    "delayed": (-0.75, 1.0),
    "weibull": (math.log(2.0), 0.8),
}
# Of frequency: half of the maximum at 2.1 exposures, 90 % in 1.1 to 4.0, which is what
# .1 + LogNormal(.7, .4) comes to; and one more exposure adds more before it adds less.
HALF_FREQUENCY_LOG, FREQUENCY_SLOPE_LOG = (0.75, 0.38), (0.7, 0.4)
# 90 % of slopes in .60 to 2.8, all in .23 to 7.0, a part in common: concave curves are
# as reachable as thresholds, but steps, which fit any noise, are not. Nor is spend on
# the log scale, which fits as well as other curves, and causes anything: a constant
# more of it is a constant less of the baseline.
SLOPE_LOG, SLOPE_MEAN = (0.25, 0.5), 0.3
SLOPE_REACH = 1.7
# Of channels with a slow stock: half of the share that goes into it is below .12, 5 %
# above .71; 90 % of half-lives are within a factor of 2.1 of what is expected, none
# beyond 4.1; and what was there at first is anything from nothing to twice the usual.
STOCK_SHARE_LOGIT, STOCK_LIFE_SPREAD, STOCK_LIFE_REACH = (-2.0, 1.75), 0.5, 1.4
STOCK_START, STOCK_START_REACH = (1.0, 0.5), 1.0
# Weibull shapes from falling to peaked; about one where the user says how fast the
# effect decays.
WEIBULL_SHAPE_LOG, WEIBULL_SHAPE_LOG_KNOWN = (0.15, 0.35), (0.0, 0.2)


@dataclass(frozen=True, eq=False)
class ChannelPriors:
    """What is expected of each channel, tensors of shape (n_media,).

    Attributes
    ----------
    pooled : Tensor, bool
        Channels whose effect is expected to be like that of the others; those of the
        rest are as the user says.
    effect_log, effect_spread : Tensor
        Log effect in mean KPI, median and sd: at typical spend for pooled channels,
        the mean over all rows for the rest.
    carryover, carryover_spread : Tensor
        Logit of the decay, or log of the Weibull scale.
    weibull_shape, weibull_shape_spread : Tensor
        Log.
    half_saturation, half_saturation_spread : Tensor
        Log.
    spiked : Tensor, bool
        Channels with a period of spend far beyond all others.
    doubted : Tensor, bool
        Pooled channels whose spend rings an alarm: what moves with it may be no effect.
    independent : Tensor
        How many independent regions the spend is worth, as a share of all.
    misfit_spread : Tensor
        How far log effects are from what the equations make of them.
    shown : Tensor, bool
        Channels whose effect the KPI shows. What moves with spend that is a consequence
        of the KPI says nothing of its effect, and would take that of other channels.
    alike : Tensor, bool
        Channels whose Hill curve is expected to be like that of the others, in typical
        spend: half saturations, and slopes, share a mean.
    frequency : Tensor, bool, or None
        Channels that saturate by frequency and not by spend; None: no channel.
    pairs : Tensor of shape (P, 2), int, or None
        Channels that cause something together; None: no pair.
    stock : Tensor or None
        Expected half-life of the slow stock of a channel in periods, the same for all
        that have one, 0 for others; None: no channel has one.
    usual : Tensor or None
        Mean of the rows' spend, in typical spend; None where `stock` is.
    slope_reach : Tensor or None
        How far log slopes may be from `slope_centre`; None: as in earlier versions.
    """

    pooled: torch.Tensor
    effect_log: torch.Tensor
    effect_spread: torch.Tensor
    carryover: torch.Tensor
    carryover_spread: torch.Tensor
    weibull_shape: torch.Tensor
    weibull_shape_spread: torch.Tensor
    half_saturation: torch.Tensor
    half_saturation_spread: torch.Tensor
    spiked: torch.Tensor
    doubted: torch.Tensor
    independent: torch.Tensor
    misfit_spread: torch.Tensor
    shown: torch.Tensor
    alike: torch.Tensor
    frequency: torch.Tensor | None = None
    pairs: torch.Tensor | None = None
    stock: torch.Tensor | None = None
    usual: torch.Tensor | None = None
    slope_reach: torch.Tensor | None = None

    def among(self, channels):
        """Return what is expected of some channels."""
        own = {k: v for k, v in vars(self).items() if v is not None}
        pairs = own.pop("pairs", None)
        own = {k: v[channels] for k, v in own.items()}
        if "frequency" in own and not own["frequency"].any():
            del own["frequency"]
        if pairs is not None:
            own["pairs"] = synergies.among(pairs, channels)[1]
        if "stock" in own and not own["stock"].any():
            del own["stock"], own["usual"]
        return ChannelPriors(**own)

    @property
    def slope(self):
        """Mean and sd of log slopes beside their common mean, (2, n_media)."""
        own, alone, beside = torch.tensor(
            [FREQUENCY_SLOPE_LOG, SLOPE_LOG, _apart(SLOPE_LOG, SLOPE_MEAN)],
            dtype=torch.float64,
        )[..., None]
        slope = torch.where(self.alike, beside, alone)
        return slope if self.frequency is None else slope.where(~self.frequency, own)

    @property
    def slope_centre(self):
        """From which log slopes stay within reach, a float or (n_media,)."""
        return SLOPE_LOG[0] if self.frequency is None else self.slope[0]


def _apart(prior, common):
    """Return mean and sd of what is left of a prior beside a common mean."""
    mean, sd = prior
    return mean, math.sqrt(sd**2 - common**2)


def channel_priors(
    expected_log,
    money,
    effect,
    carryover,
    half_saturation,
    spiked,
    independent,
    least,
    shown,
    adstock,
    by_frequency=None,
):
    """Fill in what the user does not say about the channels.

    Parameters
    ----------
    expected_log : ndarray of shape (n_media,)
        Log of the expected effect at typical spend, in mean KPI.
    money : ndarray of shape (n_media,), bool
        Columns that are money, or have a cost.
    effect, carryover, half_saturation : ndarray of shape (2, n_media)
        Mean and sd on the scales of `ChannelPriors`; NaN where the user says nothing.
    spiked : ndarray of shape (n_media,), bool
    independent : ndarray of shape (n_media,)
    least : ndarray of shape (n_media,)
        What nearly all rows spend at least, in units of typical spend.
    shown : ndarray of shape (n_media,), bool
    adstock : str
    by_frequency : ndarray of shape (n_media,), bool, or None
        Channels that saturate by frequency.
    """

    def filled(own, default):
        known = torch.from_numpy(own)
        return torch.where(known.isnan(), known.new_tensor(default)[:, None], known)

    known_decay = torch.from_numpy(carryover[0]).isfinite()
    shape, known_shape = (
        torch.tensor(pair, dtype=torch.float64)[:, None]
        for pair in (WEIBULL_SHAPE_LOG, WEIBULL_SHAPE_LOG_KNOWN)
    )
    pooled = torch.from_numpy(effect[0]).isnan()
    spread = np.where(money, EFFECT_SPREAD_OF_MONEY, EFFECT_SPREAD)
    spread = np.where(pooled, spread, effect[1])
    misfit = np.hypot(MISFIT, MISFIT_ALWAYS_ON * np.minimum(least / ALWAYS_ON, 1.0))
    carry, carry_spread = filled(carryover, CARRYOVER.get(adstock, (0.0, 1.0)))
    shape, shape_spread = torch.where(known_decay, known_shape, shape)
    half, half_spread = filled(
        half_saturation, _apart(HALF_SATURATION_LOG, HALF_SATURATION_MEAN)
    )
    return ChannelPriors(
        pooled=pooled,
        effect_log=torch.from_numpy(np.where(pooled, expected_log, effect[0])),
        effect_spread=torch.from_numpy(spread),
        carryover=carry,
        carryover_spread=carry_spread,
        weibull_shape=shape,
        weibull_shape_spread=shape_spread,
        half_saturation=half,
        half_saturation_spread=half_spread,
        spiked=torch.from_numpy(spiked),
        doubted=torch.zeros_like(pooled),
        independent=torch.from_numpy(independent),
        # A prior of the user stays as wide as it was.
        misfit_spread=torch.from_numpy(np.minimum(misfit, spread / 4.0)),
        shown=torch.from_numpy(shown),
        alike=torch.from_numpy(half_saturation[0]).isnan(),
        frequency=None if by_frequency is None else torch.from_numpy(by_frequency),
        slope_reach=torch.full_like(half, SLOPE_REACH),
    )


def with_stocks(channels, slow, half_life, usual):
    """Return the `ChannelPriors` in which some channels have a slow stock.

    Parameters
    ----------
    channels : ChannelPriors
    slow : ndarray of shape (n_media,), bool
    half_life : float
        That is expected, in periods.
    usual : ndarray of shape (n_media,)
        Mean of the rows' spend, in typical spend.
    """
    if not slow.any():
        return channels
    stock = torch.from_numpy(np.where(slow, half_life, 0.0))
    return replace(channels, stock=stock, usual=torch.from_numpy(usual))


def carryover_priors(adstock, sizes, channels):
    """Priors of the adstock parameters, one per channel."""
    M = (sizes.n_media,)
    own = channels.carryover, channels.carryover_spread
    decay = Prior("decay_logit", M, *own, "channel")
    shape = channels.weibull_shape, channels.weibull_shape_spread
    return {
        "geometric": [decay],
        "delayed": [
            decay,
            # Peak within about three periods unless the data say otherwise.
            Prior("delay_log", M, 0.0, 0.7, "channel"),
        ],
        "weibull": [
            Prior("shape_log", M, *shape, "channel"),
            Prior("scale_log", M, *own, "channel"),
        ],
        # Log weights fall by .5 a lag (geometric, decay .6) give or take .5: smooth.
        "free": [Prior("steps", (sizes.n_media, sizes.max_lag), -0.5, 0.5, "channel")],
        "gru": [
            Prior("keep_logit", M, -0.75, 1.0, "channel"),
            Prior("refresh_logit", M, -1.5, 1.0, "channel"),
            Prior("mix_logit", M, -1.5, 1.0, "channel"),
            Prior("late_keep_logit", M, 0.0, 1.0, "channel"),
        ],
    }[adstock]


def media_priors(adstock, sizes, channels):
    """Priors of what one channel does, shared by all regions."""
    M = (sizes.n_media,)
    half = channels.half_saturation, channels.half_saturation_spread
    slope, slope_spread = channels.slope
    spikes = []
    if channels.spiked.any():
        # Anything from an error in the data (0) to spend that acted as such (1).
        spikes = [Prior("spike_logit", M, 0.0, 1.5, "channel")]
    return [
        *spikes,
        *carryover_priors(adstock, sizes, channels),
        Prior("half_saturation_log", M, *half, "channel"),
        Prior("half_saturation_mean", (), 0.0, HALF_SATURATION_MEAN, "media"),
        Prior("slope_log", M, slope, slope_spread, "channel"),
        Prior("slope_mean", (), 0.0, SLOPE_MEAN, "media"),
        # How much larger or smaller the effects of all channels are than expected.
        Prior("effect_mean", (), 0.0, EFFECT_MEAN, "media"),
        # In units of the spread of log effects around what all have in common.
        Prior("effect", M, 0.0, 1.0, "channel"),
    ]


def stock_priors(sizes, channels):
    """Priors of the slow stocks of channels, one half-life for all."""
    if channels.stock is None:
        return []
    life = math.log(channels.stock.max().item()), STOCK_LIFE_SPREAD
    share = "stock_share_logit", (sizes.n_media,)
    return [
        Prior(*share, *STOCK_SHARE_LOGIT, "channel"),
        Prior("stock_life_log", (), *life, "media", reach=STOCK_LIFE_REACH),
        Prior("stock_start", (), *STOCK_START, "media", reach=STOCK_START_REACH),
    ]


def unseen_priors(sizes):
    """Priors of what rows cannot say about effects, and nothing else does either.

    No row depends on them, so that their draws are those of the prior.
    """
    # Which part is genuine of an effect whose channel rings an alarm.
    return [
        Prior("genuine", (sizes.n_media,), acts="nothing"),
        # What the KPI does not show, as effects are expected.
        Prior("masked_mean", (), 0.0, EFFECT_MEAN, "nothing"),
        Prior("masked", (sizes.n_media,), acts="nothing"),
        Prior("misfit", (sizes.n_media,), acts="nothing"),
    ]


def level_priors(sizes):
    """Priors of trend and level, which exist where rows have an order."""
    priors = [
        Prior("trend", (), 0.0, 0.3),  # change over the whole training window
        # Share of a surprise that stays in the level, and how slowly it fades.
        Prior("level_gain_logit", (), -1.0, 1.5, "level"),
        Prior("level_persistence_logit", (), 3.0, 1.0, "level"),
    ]
    if sizes.n_regions > 1:
        # A shock that hits all regions in the same period: without it 190 regions
        # would count as 190 independent observations of the same week.
        priors.append(Prior("common_log", (), math.log(0.03), 1.0, "scale"))
    return priors


def context_priors(sizes):
    """Priors of the read-outs of the GRU, in units of their spread."""
    if not sizes.n_hidden:
        return []
    H = sizes.n_hidden
    priors = [Prior("context_baseline", (H,), hierarchical=True)]
    if sizes.time_varying and sizes.n_media:
        shape = (sizes.n_media, H)
        priors.append(Prior("context_effect", shape, acts="channel", hierarchical=True))
    return priors


def shared_priors(adstock, sizes, channels, *, level, steps=None):
    """Priors of the parameters that all regions share.

    Parameters
    ----------
    adstock : str, one of ADSTOCKS
    sizes : Sizes
    channels : ChannelPriors
    level : bool
        Whether rows have an order.
    steps : Steps, default=None
    """
    priors = [
        # Share of the mean KPI that is there without media.
        Prior("intercept", (), -1.0 if sizes.negative_kpi else 1.0, 0.4),
        Prior("noise_log", (), math.log(0.1), 1.0, "scale"),
        Prior("control", (sizes.n_controls,), 0.0, 0.1),
        Prior("season", (sizes.n_season,), 0.0, 0.1),
    ]
    if sizes.n_demand:
        # What a standard deviation of hidden demand adds to the KPI.
        priors.append(Prior("demand", (sizes.n_demand,), 0.0, 0.1))
    if sizes.n_media:
        priors += media_priors(adstock, sizes, channels)
        priors += stock_priors(sizes, channels)
    if level:
        priors += level_priors(sizes)
    if sizes.n_media and sizes.per_head:
        # How far regions are on one curve in spend per head: anything from not at all
        # to fully is as likely (the normal distribution function of this).
        priors.append(Prior("per_head", (), acts="media"))
    if sizes.n_media:
        priors += unseen_priors(sizes)
    if channels.pairs is not None:
        every = (len(channels.pairs),)
        priors.append(Prior("synergy_log", every, 0.0, synergies.SPREAD, "media"))
    deviations = context_priors(sizes)
    spreads = [
        Prior(f"{p.name}_spread_log", (), math.log(_SPREAD[p.name]), 0.7, "scale")
        for p in [*deviations, *regional_priors(sizes, level=level)]
    ]
    later = []
    if steps is not None:
        shape = sizes.n_media, len(steps.sd)
        later = [Prior("effect_step", shape, 0.0, steps.sd, "channel")]
    return PriorTable(priors + deviations + spreads + later)


# Typical deviation from constancy, before the data speak: of one region from the
# shared value, and of one period from the mean over the training window.
_SPREAD = {
    "intercept": 0.1,
    "noise_log": 0.3,
    "effect_log": 0.15,
    "half_saturation_log": 0.15,
    "control": 0.03,
    "season": 0.03,
    "trend": 0.02,
    "context_baseline": 0.01,
    "context_effect": 0.1,
}


def regional_priors(sizes, *, level):
    """Priors of the regional deviations, in units of their spread."""
    if sizes.n_regions == 1:
        return PriorTable([])
    priors = [
        Prior("intercept", (), hierarchical=True),
        Prior("noise_log", (), acts="scale", hierarchical=True),
        Prior("control", (sizes.n_controls,), hierarchical=True),
        Prior("season", (sizes.n_season,), hierarchical=True),
    ]
    for name in ("effect_log", "half_saturation_log"):
        priors.append(Prior(name, (sizes.n_media,), acts="channel", hierarchical=True))
    if level:
        priors.append(Prior("trend", (), hierarchical=True))
    return PriorTable(priors)
