"""How likely the KPI is, given the outcome equation."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from torch.autograd.function import once_differentiable

from skmmm._model.experiments import Measurements
from skmmm._model.independence import independent_share
from skmmm._model.inputs import tensor_of
from skmmm._model.level import innovations
from skmmm._model.priors import EFFECT_DF, fields_in_dtype
from skmmm._model.sums import (
    all_any,
    all_regions,
    all_sum,
    among,
    gathered,
    replicated,
)


@dataclass(frozen=True, eq=False)
class Target:
    """The KPI in units of its mean per region.

    Attributes
    ----------
    y : Tensor of shape (R, T)
    count : Tensor of shape (R, T)
        Rows that a cell stands for; 0 in masked cells.
    precision : Tensor of shape (R, T)
        Of one observation, relative to the others: its noise has the variance of the
        region over it. 0 in masked cells.
    share : Tensor of shape (R, T)
        Of each row in the mean KPI of all rows; sums to one.
    experiments : Measurements or None
        What experiments measured besides.
    seen : Tensor of shape (T,)
        1 in periods in which some region was observed, here or in another process.
    """

    y: torch.Tensor
    count: torch.Tensor
    precision: torch.Tensor
    share: torch.Tensor
    experiments: Measurements | None = None
    seen: torch.Tensor | None = None

    def __post_init__(self):
        if self.seen is None:
            object.__setattr__(self, "seen", self._seen())

    def _seen(self):
        return all_any((self.count > 0).any(dim=0)).to(self.y.dtype)

    @property
    def tested(self):
        """Channels of which experiments tell."""
        return set() if self.experiments is None else self.experiments.tested

    def in_dtype(self, dtype):
        """Return the same in numbers of another precision."""
        rows = fields_in_dtype(self, dtype)
        if self.experiments is None:
            return rows
        return replace(rows, experiments=self.experiments.in_dtype(dtype))

    def part(self, regions):
        """Return the rows of some regions, with what they are among all."""
        return Target(
            y=self.y[regions],
            count=self.count[regions],
            precision=self.precision[regions],
            share=self.share[regions],
            seen=self.seen,
        )

    def last(self, n_periods):
        """Return the rows of the last periods."""
        assert self.seen is not None  # from the start on
        part = slice(self.y.shape[1] - n_periods, None)
        return Target(
            y=self.y[:, part],
            count=self.count[:, part],
            precision=self.precision[:, part],
            share=self.share[:, part],
            seen=self.seen[part],
        )

    def in_regions(self, regions):
        """Return the same of some regions, without experiments."""
        part = self.part(regions)
        return replace(part, share=part.share / all_sum(part.share.sum()), seen=None)

    def gathered(self):
        """Return the rows of the regions of all processes, without experiments."""
        names = "y", "count", "precision", "share"
        rows = {name: gathered(getattr(self, name)) for name in names}
        with among(None):
            return Target(**rows).in_regions(slice(None))

    @property
    def observed(self):
        """1 where there is something to fit, shape (R, T)."""
        return (self.count > 0).to(self.y.dtype)


def make_target(panel, scales, outliers, *, ordered):
    """Return the `Target` of a training panel.

    Where rows have an order, weights are relative precisions: a second row for the
    same region and period cannot be. Where they have none, a row of weight k is k rows.

    Parameters
    ----------
    panel : Panel
    scales : Scales
    outliers : ndarray of shape (n_regions, n_periods)
        Robust standard deviations by which the KPI cannot be right: such a row counts
        as little as if its noise was as large as that.
    ordered : bool
    """
    observed = (panel.weight > 0).astype(np.float64)
    count, precision = panel.weight, observed
    if ordered:
        count, precision = (
            observed,
            panel.weight * (observed.sum() / panel.weight.sum()),
        )
    share = panel.observed * scales.kpi[:, None]
    return Target(
        y=relative_kpi(panel, scales),
        count=tensor_of(count),
        precision=tensor_of(precision / np.maximum(outliers, 1.0) ** 2),
        share=tensor_of(share / share.sum()),
    )


def relative_kpi(panel, scales):
    """Return the KPI of a training panel in units of its mean per region, (R, T)."""
    return tensor_of(panel.y / np.where(scales.kpi > 0, scales.kpi, 1.0)[:, None])


@dataclass(frozen=True)
class Loss:
    """Negative log density of a standardised error.

    Attributes
    ----------
    kind : {"huber", "student_t"}
    shape : float
        Where Huber's density turns from Gaussian to exponential, in noise scales, or
        Student's degrees of freedom.

    References
    ----------
    .. [1] Huber (1964). Robust Estimation of a Location Parameter. Annals of
       Mathematical Statistics 35.
    .. [2] Lange, Little, Taylor (1989). Robust Statistical Modeling Using the t
       Distribution. JASA 84.
    """

    kind: str
    shape: float

    def __call__(self, error):
        """Return the negative log density of every error."""
        if self.kind == "student_t":
            nu = self.shape
            constant = math.lgamma(nu / 2) - math.lgamma((nu + 1) / 2)
            constant += 0.5 * math.log(nu * math.pi)
            return constant + (nu + 1) / 2 * torch.log1p(error**2 / nu)
        # |e| <= delta: e^2 / 2; beyond: delta |e| - delta^2 / 2
        inside = error.clamp(-self.shape, self.shape)
        rho = inside * (error - inside / 2)
        return math.log(sum(self._huber_mass())) + rho

    def weight(self, error):
        """Return how much the square of an error counts: less, the larger it is."""
        if self.kind == "student_t":
            return (self.shape + 1) / (self.shape + error**2)
        return self.shape / error.abs().clamp_min(self.shape)

    def quantiles(self, probability):
        """Return quantiles of the standardised error, ndarray like `probability`."""
        if self.kind == "student_t":
            return stats.t.ppf(probability, self.shape)
        centre, tails = self._huber_mass()
        delta, total = self.shape, centre + tails
        low = np.minimum(probability, 1 - probability)
        # Beyond -delta the density is exp(delta e + delta^2 / 2) / total.
        outer = np.log(low * delta * total) / delta - delta / 2
        # Inside it is Gaussian, up to its share of the mass.
        inner = stats.norm.ppf(
            stats.norm.cdf(-delta)
            + (low - tails / (2 * total)) * total / math.sqrt(2 * math.pi)
        )
        quantile = np.where(low < tails / (2 * total), outer, inner)
        return np.where(probability <= 0.5, quantile, -quantile)

    def _huber_mass(self):
        """Integral of exp(-rho) inside and outside of +-delta."""
        delta = self.shape
        inside = math.sqrt(2 * math.pi) * math.erf(delta / math.sqrt(2))
        return inside, 2 * math.exp(-(delta**2) / 2) / delta


def errors(network, inputs, target, values=None):
    """Return the KPI minus what the equation and the level expect, shape (E, R, T)."""
    values = network.values() if values is None else values
    return whiten(network, target.y - network.total(inputs, values), target, values)


def whiten(network, residual, target, values):
    """Take the level expected from earlier residuals out of each, shape (E, R, T)."""
    if not network.level:
        return residual
    return innovations(residual, target.precision, *network.level_parameters(values))


def error_precision(network, target, values):
    """Return the precision of the errors in units of their region's, (E or 1, R, T).

    An error holds what moved the level besides the noise of its own row: with gain g
    and relative precision p of the row, its variance is ``g + (1 - g) / p``.
    """
    precision = target.precision[None]
    if not network.level:
        return precision
    gain = network.level_parameters(values)[0][:, None, None]
    return precision / (gain * precision + (1.0 - gain))


def split_common(network, error, target, values):
    """Split errors into the shock common to all regions and the rest.

    A shock ``c[t] ~ (0, common^2)`` that hits every region alike is integrated out:
    only the precision-weighted mean over regions informs about it.

    Returns
    -------
    mean : Tensor of shape (E, T)
    variance : Tensor of shape (E, T)
        Of that mean, given its noise and the common shock.
    precision : Tensor of shape (E, T)
        Of the mean as an estimate of the shock; 1 where no region was observed.
    """
    precise = error_precision(network, target, values)
    precise = precise * torch.exp(-2 * values["noise_log"])[..., None]
    precision, weighted = all_sum(
        torch.stack([precise.sum(dim=1), (precise * error).sum(dim=1)])
    )
    # Where nobody was observed a precision of one keeps gradients finite; nothing
    # there is counted.
    safe = torch.where(precision > 0, precision, 1.0)
    mean = weighted / safe
    variance = torch.exp(2 * values["common_log"])[:, None] + 1 / safe
    return mean, variance, safe


def log_likelihood(network, inputs, target, loss):
    """Return the log likelihood of every draw, shape (E,).

    Of several processes, the part of this one: they sum to it.
    """
    values = network.values()
    error = errors(network, inputs, target, values)
    likelihood = log_density(network, error, target, values, loss)
    if target.experiments is not None:
        likelihood = likelihood + target.experiments.log_density(network)
    return likelihood


def log_density(network, error, target, values, loss):
    """Return the log density of errors, shape (E,), or its part of this process."""
    total = error.new_zeros(len(error))
    if "common_log" in values:
        mean, variance, precision = split_common(network, error, target, values)
        density = loss(mean / variance.sqrt()) + 0.5 * torch.log(variance * precision)
        total = replicated((density * target.seen).sum(dim=1))
        error = error - mean[:, None]
    gain = error.new_zeros(1)
    if network.level:
        gain, _ = network.level_parameters(values)
    return (
        _LogDensity.apply(
            error,
            values["noise_log"][..., None],
            gain.view(-1, 1, 1),
            target.precision,
            target.count * network.independent_share,
            loss,
        )
        - total
    )


class _LogDensity(torch.autograd.Function):
    """Log density of errors, summed over rows, (E,), with its derivative by hand."""

    @staticmethod
    def forward(ctx, error, noise_log, gain, precision, count, loss):
        """Take noise, (E, R or 1, 1), and gain, (E or 1, 1, 1), of each draw."""
        # The precision of errors is p / (g * p + 1 - g), as in `error_precision`.
        variance = gain * precision + (1.0 - gain)
        relative = torch.where(precision > 0, precision, 1.0) / variance
        scale = torch.exp(-noise_log) * relative.sqrt()
        z = error * scale
        density = loss(z) + noise_log - 0.5 * torch.log(relative)
        ctx.save_for_backward(z, scale, variance, precision, count)
        ctx.loss, ctx.shapes = loss, (noise_log.shape, gain.shape)
        return -(count * density).sum(dim=(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx, pull):
        z, scale, variance, precision, count = ctx.saved_tensors
        counted = pull[:, None, None] * count
        by_z = -counted * (ctx.loss.weight(z) * z)
        by_scale_log = by_z * z + counted
        by_gain = 0.5 * by_scale_log * ((1.0 - precision) / variance)
        noise, gain = ctx.shapes
        return (
            by_z * scale,
            -by_scale_log.sum_to_size(noise),
            by_gain.sum_to_size(gain),
            None,
            None,
            None,
        )


def simulated_errors(network, target, values, loss, generator):
    """Return errors as the model expects them, (E, R, T); zero in masked cells."""
    n_draws = len(network.shared)

    def standardised(*shape):
        chance = torch.rand(n_draws, *shape, generator=generator, dtype=torch.float64)
        return torch.from_numpy(loss.quantiles(chance.clamp(1e-12).numpy()))

    precision = error_precision(network, target, values)
    noise = torch.exp(values["noise_log"])[..., None] * target.observed
    noise = noise / torch.where(precision > 0, precision, 1.0).sqrt()
    error = noise * standardised(*target.y.shape)
    if "common_log" in values:
        shock = standardised(1, target.y.shape[1]) * target.observed
        error = error + torch.exp(values["common_log"])[:, None, None] * shock
    return error


def log_prior(network, inputs, target):
    """Return the log prior of every draw, shape (E,), or its part of it.

    All parameters are standard normal, but for the effects of channels: those of
    pooled ones have a spread in common, and of the others it is the mean effect over
    all rows, the one that is reported, whose logarithm is normal.
    """
    squares = network.shared.square()
    own = network.regional.square().sum(dim=(1, 2))
    total = -0.5 * (replicated(squares.sum(dim=1)) + own)
    pooled = network.channel_priors.pooled
    for prior, where in network.shared_priors.positions():
        if prior.name == "effect":
            # With their spread integrated out, the effects of pooled channels are
            # Student's t together.
            effects = squares[:, where]
            size = (effects * pooled).sum(dim=1)
            power = 0.5 * (EFFECT_DF + pooled.sum())
            total = total + replicated(0.5 * size)
            total = total - replicated(power * torch.log1p(size / EFFECT_DF))
            own = network.with_own_prior(inputs)
            if len(own):
                away = network.surprises(inputs, target.share).square()
                away = away - effects[:, own]
                total = total - replicated(0.5 * away.sum(dim=1))
    return total


def effective_regions(network, inputs, target):
    """Return how many independent regions the errors are worth, as a share.

    Regions that move together are not independent observations.
    """
    if not network.level or all_regions(network.sizes.n_regions) < 2:
        return 1.0
    observed = target.observed
    with torch.no_grad():
        values = network.values()
        error = errors(network, inputs, target, values)
        error = (error * error_precision(network, target, values).sqrt())[0]
    moves = torch.where(observed > 0, error, torch.nan)[:, 1:]
    return independent_share(gathered(moves))
