"""What experiments measured, as a part of the likelihood.

The model's value of an experiment is a difference of two counterfactuals, each the same
sum of effects as in contributions, over the window of the change and its cooldown::

    value = sum_{r, t} [effect(spend with the change) - effect(spend without)] / unit
    measured = value + error,    error ~ Normal(0, std_error ** 2 + bias_sd ** 2)

with ``unit`` 1 for an outcome and the money that was changed for a return.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F

from skmmm._model.inputs import Inputs
from skmmm._model.priors import fields_in_dtype


@dataclass(frozen=True, eq=False)
class Contrast:
    """The two spends that an experiment compares.

    Attributes
    ----------
    channels : list of int
        Whose spend changed, and the others of their pairs.
    regions : Tensor of shape (R',), int
        Where it changed.
    inputs : Inputs
        Of these regions and all channels, in the periods that count.
    treated, control : Tensor of shape (R', C, L + T')
        Spend of the channels with and without the change, in typical spend.
    weight : Tensor of shape (R',)
        Units of the measure in a mean KPI of the region.
    """

    channels: list
    regions: torch.Tensor
    inputs: Inputs
    treated: torch.Tensor
    control: torch.Tensor
    weight: torch.Tensor

    def in_dtype(self, dtype):
        """Return the same in numbers of another precision."""
        inputs = fields_in_dtype(self.inputs, dtype)
        return replace(fields_in_dtype(self, dtype), inputs=inputs)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Contrasts of the same channels as one panel, treated rows above control rows.

    Attributes
    ----------
    channels : list of int
    regions : Tensor of shape (P,), int
        Of each row; one region may have several.
    inputs : Inputs
        Of these rows and channels, as far as effects need them.
    weight : Tensor of shape (P, T')
        Of effects in the value; below zero for control, zero after the end.
    member : Tensor of shape (Q', P)
        1 where a row belongs to a contrast.
    """

    channels: list
    regions: torch.Tensor
    inputs: Inputs
    weight: torch.Tensor
    member: torch.Tensor

    @classmethod
    def of(cls, contrasts):
        """Lay out contrasts of the same channels."""
        channels = contrasts[0].channels
        length = max(one.treated.shape[-1] for one in contrasts)
        rows = [
            (one.inputs.among(channels, media), sign * one.weight, one.regions, q)
            for sign, side in ((1.0, "treated"), (-1.0, "control"))
            for q, one in enumerate(contrasts)
            for media in [getattr(one, side)]
        ]
        inputs = [inputs.padded(length) for inputs, *_ in rows]
        n_periods = len(inputs[0].trend)
        weights = [
            F.pad(
                weight[:, None].expand(-1, len(own.trend)),
                (0, n_periods - len(own.trend)),
            )
            for own, weight, *_ in rows
        ]
        owner = torch.cat([torch.full_like(regions, q) for *_, regions, q in rows])
        member = owner == torch.arange(len(contrasts))[:, None]
        return cls(
            channels,
            torch.cat([regions for *_, regions, _ in rows]),
            Inputs.stacked(inputs),
            torch.cat(weights),
            member.to(weights[0].dtype),
        )

    def values(self, network, values):
        """Return what a network with these values says, (E, Q')."""
        by_region = {*(p.name for p in network.regional_priors), "effect_log"}
        own = {
            name: value.index_select(1, self.regions)
            if name in by_region and value.shape[1] > 1
            else value
            for name, value in values.items()
        }
        twin, own = network.among(self.channels, own)
        effects = twin.media_effects(own, self.inputs)
        return torch.einsum("ermt,rt->er", effects, self.weight) @ self.member.T


@dataclass(frozen=True, eq=False)
class Measurements:
    """Experiments and what they measured.

    Attributes
    ----------
    contrasts : list of Contrast
    measured : Tensor of shape (Q,)
    whitener : Tensor of shape (Q, Q)
        Turns errors into independent standard normals.
    """

    contrasts: list
    measured: torch.Tensor
    whitener: torch.Tensor

    @property
    def tested(self):
        """Channels of which some experiment tells."""
        return {channel for one in self.contrasts for channel in one.channels}

    @property
    def std_error(self):
        """Standard error of each measurement, ndarray of shape (Q,)."""
        return torch.linalg.inv(self.whitener).square().sum(dim=1).sqrt().numpy()

    @classmethod
    def with_covariance(cls, contrasts, measured, covariance):
        """Return measurements whose errors have a covariance, (Q, Q)."""
        root = torch.linalg.cholesky(covariance)
        identity = torch.eye(len(root), dtype=root.dtype)
        whitener = torch.linalg.solve_triangular(root, identity, upper=False)
        return cls(contrasts, measured, whitener)

    @cached_property
    def _batches(self):
        """Contrasts of the same channels at once, and where each is in the table."""
        groups: dict[tuple, list[int]] = {}
        for position, one in enumerate(self.contrasts):
            groups.setdefault(tuple(one.channels), []).append(position)
        batches = [
            _Batch.of([self.contrasts[q] for q in group]) for group in groups.values()
        ]
        order = torch.tensor([q for group in groups.values() for q in group])
        return batches, order.argsort()

    def values(self, network):
        """Return what the model says that was measured, (E, Q)."""
        batches, place = self._batches
        values = network.values()
        return torch.cat([one.values(network, values) for one in batches], 1)[:, place]

    def errors(self, network):
        """Return standardised errors, (E, Q)."""
        return (self.measured - self.values(network)) @ self.whitener.T

    def log_density(self, network):
        """Return the log likelihood, less a constant, (E,)."""
        return -0.5 * self.errors(network).square().sum(dim=1)

    def slopes(self, network):
        """Return the derivatives of the errors of a network with one draw.

        Returns
        -------
        shared : Tensor of shape (Q, n_shared)
        regional : Tensor of shape (Q, R, n_regional)
        """
        batches, place = self._batches
        with torch.enable_grad():
            parts = [
                part.clone().requires_grad_()
                for part in (network.shared, network.regional)
            ]
            twin = network.at(*parts)
            values = twin.values()
            found = [
                torch.autograd.grad(
                    value,
                    parts,
                    retain_graph=True,
                    allow_unused=True,  # one region has no deviations
                    materialize_grads=True,
                )
                for one in batches
                for value in one.values(twin, values)[0]
            ]
        slopes = (torch.cat(slope)[place] for slope in zip(*found, strict=True))
        return tuple(-torch.tensordot(self.whitener, slope, 1) for slope in slopes)

    def in_dtype(self, dtype):
        """Return the same in numbers of another precision."""
        contrasts = [one.in_dtype(dtype) for one in self.contrasts]
        return replace(fields_in_dtype(self, dtype), contrasts=contrasts)
