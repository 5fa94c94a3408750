"""The log posterior in coordinates in which it is nearly round."""

from typing import NamedTuple

import torch

from skmmm._model.draws import few_draws
from skmmm._model.laplace import approximate, information
from skmmm._model.likelihood import log_likelihood, log_prior
from skmmm._model.priors import fields_in_dtype
from skmmm._model.spreads import draw_spreads, mean_parameters, slopes_after
from skmmm._model.sums import agreed, all_sum
from skmmm._model.vectors import joined, split_like

_CHANNELS = 2**18  # of all regions of the chains that move at once


class State(NamedTuple):
    """Places of all chains with their log posterior and what pulls them on.

    The gradient is by position, slopes are by shared and regional parameters.
    """

    position: torch.Tensor
    density: torch.Tensor
    gradient: torch.Tensor
    shared_slope: torch.Tensor
    regional_slope: torch.Tensor

    def where(self, chosen, other):
        """Return this state in the chosen chains, the other one elsewhere."""
        return State(
            *(
                torch.where(chosen.reshape(-1, *[1] * (own.ndim - 1)), own, its)
                for own, its in zip(self, other, strict=True)
            )
        )


class Posterior:
    """The log posterior as a function of standardised coordinates."""

    def __init__(self, network, inputs, target, loss, approximation):
        self.approximation, self.inputs, self.target, self.loss = (
            approximation,
            inputs,
            target,
            loss,
        )
        self.network = network
        self._rough = (
            network.to(torch.float32),
            fields_in_dtype(inputs, torch.float32),
            target.in_dtype(torch.float32),
        )

    def parameters(self, position):
        """Return shared and regional parameters at positions."""
        parts = split_like(position, (self.network.shared, self.network.regional))
        shared, regional = self.approximation.unwhiten(*parts)
        return self.network.shared + shared, self.network.regional + regional

    def recentre(self, state):
        """Go to coordinates around the mean of all chains; return the state in them."""
        shared, regional = self.parameters(state.position)
        centre = self.network.at(
            *mean_parameters(self.network, shared, regional, tested=self.target.tested)
        )
        del self.approximation  # its memory is for what follows
        rows = self.inputs, self.target
        known = information(centre, *rows, self.loss)
        self.approximation = approximate(centre, known, *rows, overwrite=True)
        self.network = centre
        self._rough = centre.to(torch.float32), *self._rough[1:]
        del known
        return self.state(shared, regional)

    def with_new_spreads(self, state, generator):
        """Return the state after spreads were drawn given the deviations.

        What rows say of deviations stays as it is: the density changes by the prior.
        """
        shared, regional = self.parameters(state.position)
        before = agreed(shared), regional
        after = draw_spreads(self.network, before[0], before[1], generator)
        slopes = slopes_after(
            self.network, before, after, (state.shared_slope, state.regional_slope)
        )
        shared, regional = (
            (new.square() - old.square()).flatten(1).sum(dim=1)
            for old, new in zip(before, after, strict=True)
        )
        lost = shared + all_sum(regional)
        density = state.density - 0.5 * lost
        return State(
            self._position(*after), density, self._by_position(*slopes), *slopes
        )

    def state(self, shared, regional):
        """Return the `State` of parameters."""
        return self.at(self._position(shared, regional))

    def at(self, position):
        """Return the `State` at a position, shape (n_chains, n_coordinates)."""
        return State(position, self.density(position), *self.gradient(position))

    def _position(self, shared, regional):
        parts = self.approximation.whiten(
            shared - self.network.shared, regional - self.network.regional
        )
        return joined(*parts)

    def _by_position(self, *slopes):
        return joined(*self.approximation.unwhiten_vjp(*slopes))

    def density(self, position):
        """Return the log posterior, shape (n_chains,)."""
        twin = self.network.at(*self.parameters(position))
        with torch.no_grad():
            found = [
                self._density(few, self.inputs, self.target)
                for _, few in few_draws(twin, len(position), _CHANNELS)
            ]
        return all_sum(torch.cat(found))

    def gradient(self, position):
        """Return its gradient, (n_chains, n_coordinates), and slopes by parameters.

        In single precision. A trajectory may follow any force that depends on the
        position alone: it keeps volume and can be reversed, and what is accepted is
        decided by the density. After new spreads the force follows from that before,
        which rounded at another place: by less than one part in ten thousand.
        """
        network, inputs, target = self._rough
        twin = network.at(*(p.to(torch.float32) for p in self.parameters(position)))
        found = []
        for _, few in few_draws(twin, len(position), _CHANNELS):
            parts = few.shared.requires_grad_(), few.regional.requires_grad_()
            density = self._density(few, inputs, target).sum()
            found.append(torch.autograd.grad(density, parts))
        shared, regional = (
            torch.cat(part).to(position.dtype) for part in zip(*found, strict=True)
        )
        slopes = all_sum(shared), regional
        return self._by_position(*slopes), *slopes

    def _density(self, network, inputs, target):
        likelihood = log_likelihood(network, inputs, target, self.loss)
        return likelihood + log_prior(network, inputs, target)
