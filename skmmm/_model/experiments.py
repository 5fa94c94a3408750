"""What experiments measured, as a part of the likelihood.

The model's value of an experiment is a difference of two counterfactuals, each the same
sum of effects as in contributions, over the window of the change and its cooldown::

    value = sum_{r, t} [effect(spend with the change) - effect(spend without)] / unit
    measured = value + error,    error ~ Normal(0, std_error ** 2 + bias_sd ** 2)

with ``unit`` 1 for an outcome and the money that was changed for a return.
"""

from dataclasses import dataclass, replace

import torch

from skmmm._model.inputs import Inputs
from skmmm._model.priors import fields_in_dtype


@dataclass(frozen=True, eq=False)
class Contrast:
    """The two spends that an experiment compares.

    Attributes
    ----------
    channels : list of int
        Whose spend changed.
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

    def value(self, network):
        """Return what the model says that the experiment measures, (E,)."""
        twin, values = network.in_regions(self.regions).among(self.channels)

        def effects(media):
            inputs = self.inputs.among(self.channels, media)
            return twin.media_effects(values, inputs)

        brought = effects(self.treated) - effects(self.control)
        return torch.einsum("ermt,r->e", brought, self.weight)

    def in_dtype(self, dtype):
        """Return the same in numbers of another precision."""
        inputs = fields_in_dtype(self.inputs, dtype)
        return replace(fields_in_dtype(self, dtype), inputs=inputs)


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
        """Channels whose spend changed in some experiment."""
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

    def values(self, network):
        """Return what the model says that was measured, (E, Q)."""
        return torch.stack([one.value(network) for one in self.contrasts], dim=1)

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
        with torch.enable_grad():
            parts = [
                part.clone().requires_grad_()
                for part in (network.shared, network.regional)
            ]
            errors = self.errors(network.at(*parts))[0]
            found = [
                torch.autograd.grad(
                    error,
                    parts,
                    retain_graph=True,
                    allow_unused=True,  # one region has no deviations
                    materialize_grads=True,
                )
                for error in errors
            ]
        return tuple(torch.cat(slope) for slope in zip(*found, strict=True))

    def in_dtype(self, dtype):
        """Return the same in numbers of another precision."""
        contrasts = [one.in_dtype(dtype) for one in self.contrasts]
        return replace(fields_in_dtype(self, dtype), contrasts=contrasts)
