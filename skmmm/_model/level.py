"""The level: a slowly fading random walk under the baseline, seen with noise.

    residual[t] = level[t] + noise[t]
    level[t]    = persistence * level[t - 1] + shock[t]

In the steady state of its Kalman filter two numbers describe it: the persistence and
the gain, the share of a surprise that stays in the level. With innovation variance 1
the noise has variance ``1 - gain`` and the shock ``gain * (1 - persistence ** 2 *
(1 - gain))``.

References
----------
.. [1] Durbin and Koopman (2012). Time Series Analysis by State Space Methods, ch. 4.
"""

from dataclasses import dataclass

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from skmmm._model.adstock import doubled, scan, scan_back
from skmmm._model.blocks import region_blocks
from skmmm._model.draws import few_draws
from skmmm._model.threads import of_each

_BLOCK = 2**20  # media of all draws and periods at once


def innovations(residual, precision, gain, persistence):
    """Return what is left of each residual after the level expected before it.

    Parameters
    ----------
    residual : Tensor of shape (E, R, T)
    precision : Tensor of shape (R, T)
        Of each observation, relative to the usual one: less of a surprise stays in the
        level where it is small, nothing in masked cells, where it is 0.
    gain, persistence : Tensor of shape (E,) or (1,), in (0, 1)
    """
    return _Innovations.apply(
        residual, precision, gain.view(-1, 1, 1), persistence.view(-1, 1, 1)
    )


class _Innovations(torch.autograd.Function):
    """`innovations`; its derivative is a scan too, from the last period back."""

    @staticmethod
    def forward(ctx, residual, precision, gain, persistence):
        arguments = residual, precision, gain, persistence
        ctx.shapes = [argument.shape for argument in arguments]
        precise = gain * precision
        total = precise + (1.0 - gain)
        own = precise / total  # gain of each row
        stays = 1.0 - own
        kept = list(doubled(persistence * stays))
        before = pad(scan(kept, own * residual)[..., :-1], (1, 0))
        innovation = residual - persistence * before
        ctx.save_for_backward(
            precision, total, own, stays, persistence, before, innovation, *kept
        )
        return innovation

    @staticmethod
    @once_differentiable
    def backward(ctx, pull):
        precision, total, own, stays, persistence, before, innovation, *kept = (
            ctx.saved_tensors
        )
        by_level = pad(-persistence * pull[..., 1:], (0, 1))
        by_level = scan_back(kept, by_level)
        by_gain = by_level * innovation * (precision / total.square())
        by_persistence = before * (stays * by_level - pull)
        found = pull + own * by_level, None, by_gain, by_persistence
        return tuple(
            None if part is None else part.sum_to_size(shape)
            for part, shape in zip(found, ctx.shapes, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Level:
    """The level over the training window, given all of it.

    Attributes
    ----------
    mean : Tensor of shape (E, R, T)
        In units of the mean KPI per region.
    variance : Tensor of shape (E, R, T)
    persistence : Tensor of shape (E,)
    shock : Tensor of shape (E, R)
        Variance of the shock in one period.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    persistence: torch.Tensor
    shock: torch.Tensor

    def select(self, some):
        """Return the level of some of the draws."""
        return Level(
            self.mean[some],
            self.variance[some],
            self.persistence[some],
            self.shock[some],
        )

    def extended(self, n_new):
        """Add regions never seen: their level is zero, give or take its long-run sd."""
        shock = self.shock.mean(dim=1, keepdim=True).expand(-1, n_new)
        spread = shock / (1 - self.persistence**2).clamp_min(1e-6)[:, None]
        shape = (-1, -1, self.mean.shape[2])
        return Level(
            torch.cat(
                [self.mean, torch.zeros_like(spread)[..., None].expand(shape)], 1
            ),
            torch.cat([self.variance, spread[..., None].expand(shape)], 1),
            self.persistence,
            torch.cat([self.shock, shock], 1),
        )

    def at(self, periods):
        """Return mean and variance of the level at any periods, shape (E, R, n).

        Outside the training window (0 to T - 1) the level fades from its nearest end
        and its variance grows.

        Parameters
        ----------
        periods : Tensor of shape (n,), int
        """
        inside = periods.clamp(0, self.mean.shape[2] - 1)
        away = (periods - inside).abs()
        fade = self.persistence[:, None] ** away  # (E, n)
        square = (self.persistence**2).clamp_max(1 - 1e-9)[:, None]
        growth = self.shock[:, :, None] * ((1 - square**away) / (1 - square))[:, None]
        mean = fade[:, None] * self.mean[..., inside]
        return mean, fade[:, None] ** 2 * self.variance[..., inside] + growth


def smooth_level(residual, precision, gain, persistence, scale):
    """Estimate the level in every period from the residuals of the whole window.

    Kalman filter forwards, Rauch-Tung-Striebel smoother backwards.

    Parameters
    ----------
    residual : Tensor of shape (E, R, T)
    precision : Tensor of shape (R, T)
        Of each observation, relative to the usual one; 0 in masked cells.
    gain, persistence : Tensor of shape (E,)
    scale : Tensor of shape (E, R)
        Standard deviation of the innovations.

    Returns
    -------
    level : Level
    """
    gain, fade = gain[:, None], persistence[:, None]
    noise = (1.0 - gain) * scale**2
    shock = gain * (1.0 - fade**2 * (1.0 - gain)) * scale**2
    mean = torch.zeros_like(scale)
    variance = shock / (1.0 - fade**2).clamp_min(1e-6)
    before, after = [], []
    for t in range(residual.shape[2]):
        before.append((mean, variance))
        seen = precision[:, t] * variance
        weight = seen / (seen + noise).clamp_min(1e-30)
        mean = mean + weight * (residual[..., t] - mean)
        variance = (1.0 - weight) * variance
        after.append((mean, variance))
        mean, variance = fade * mean, fade**2 * variance + shock
    means, variances = [after[-1][0]], [after[-1][1]]
    for t in range(residual.shape[2] - 2, -1, -1):
        back = fade * after[t][1] / before[t + 1][1].clamp_min(1e-30)
        means.append(after[t][0] + back * (means[-1] - before[t + 1][0]))
        variances.append(after[t][1] + back**2 * (variances[-1] - before[t + 1][1]))
    return Level(
        torch.stack(means[::-1], dim=-1),
        torch.stack(variances[::-1], dim=-1),
        persistence,
        shock,
    )


def fit_level(network, inputs, y, precision):
    """Return the level of every draw of a network over the training window.

    Parameters
    ----------
    network : OutcomeNetwork
    inputs : Inputs
    y, precision : Tensor of shape (R, T)
        As of `Target`.
    """
    n_draws, n_regions = len(network.shared), network.sizes.n_regions
    whole = Level(
        mean=y.new_empty(n_draws, *y.shape),
        variance=y.new_empty(n_draws, *y.shape),
        persistence=y.new_empty(n_draws),
        shock=y.new_empty(n_draws, n_regions),
    )
    for some, twin in few_draws(network):
        gain, whole.persistence[some] = twin.level_parameters(twin.values())

        def fill(own, some=some, twin=twin, gain=gain):
            twin = twin.in_regions(own)
            level = smooth_level(
                y[own] - twin.total(inputs.in_regions(own)),
                precision[own],
                gain,
                whole.persistence[some],
                innovation_scale(twin.values(), twin.sizes.n_regions),
            )
            for name in ("mean", "variance", "shock"):
                getattr(whole, name)[some, own] = getattr(level, name)

        n_cells = len(twin.shared) * inputs.media[0].numel()
        of_each(fill, region_blocks(n_regions, n_cells, _BLOCK))
    return whole


def innovation_scale(values, n_regions):
    """Return the sd of one period's surprise per region, shape (E, R)."""
    variance = torch.exp(2 * values["noise_log"]).expand(-1, n_regions)
    if "common_log" in values:
        variance = variance + torch.exp(2 * values["common_log"])[:, None]
    return variance.sqrt()


def level_of_rows(network, level, panel):
    """Return the level of the panel's rows and the variance of an observation."""
    values = network.values()
    known = network.sizes.n_regions
    variance = innovation_scale(values, known).square()
    n_new = panel.shape[0] - known
    average = variance.mean(dim=1, keepdim=True).expand(-1, n_new)
    variance = torch.cat([variance, average], dim=1)[..., None]
    if level is None:
        grid = variance.expand(-1, -1, panel.shape[1])
        arrays = torch.zeros_like(grid), grid, torch.ones_like(grid)
        return tuple(panel.rows(array.numpy()) for array in arrays)
    gain, _ = network.level_parameters(values)
    mean, spread = level.extended(n_new).at(torch.from_numpy(panel.periods))
    total = spread + (1.0 - gain)[:, None, None] * variance
    arrays = mean, total, (variance / total).clamp_max(1.0)
    return tuple(panel.rows(array.numpy()) for array in arrays)
