"""The log posterior in coordinates in which it is nearly round."""

import math
from typing import NamedTuple

import torch

from skmmm._model.coordinates import Coordinates
from skmmm._model.draws import few_draws
from skmmm._model.laplace import all_ties, information
from skmmm._model.likelihood import log_likelihood, log_prior
from skmmm._model.priors import fields_in_dtype
from skmmm._model.spreads import draw_spreads, mean_parameters, slopes_after
from skmmm._model.sums import agreed, all_sum, are_several, most_regions
from skmmm._model.threads import of_each

# Of all regions of the chains that move at once: the first bounds the memory, what is
# beyond the second can be computed at the same time.
_CHANNELS, _CELLS = 2**18, 2**19


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
    """The log posterior as a function of coordinates in which it is nearly round.

    Parameters
    ----------
    coordinates : Coordinates
    inputs : Inputs
    target : Target
    loss : Loss
    """

    def __init__(self, coordinates, inputs, target, loss):
        self.coordinates, self.inputs, self.target, self.loss = (
            coordinates,
            inputs,
            target,
            loss,
        )
        self._rough = (
            self.network.to(torch.float32),
            fields_in_dtype(inputs, torch.float32),
            target.in_dtype(torch.float32),
        )

    @property
    def network(self):
        """The network around which the coordinates are."""
        return self.coordinates.network

    def parameters(self, position):
        """Return shared and regional parameters at positions."""
        return self.coordinates.parameters(position)

    def recentre(self, state):
        """Go to coordinates around the mean of all chains; return the state in them."""
        shared, regional = self.parameters(state.position)
        centre = self.network.at(
            *mean_parameters(self.network, shared, regional, tested=self.target.tested)
        )
        del self.coordinates  # its memory is for what follows
        rows = self.inputs, self.target
        known = information(centre, *rows, self.loss)
        self.coordinates = Coordinates(centre, known, all_ties(centre, *rows))
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
        volume = self.coordinates.log_volume
        wider = volume(after[0]) - volume(before[0])
        return State(
            self.coordinates.position(*after),
            state.density - 0.5 * lost + wider,
            self.coordinates.by_position(*after, *slopes),
            *slopes,
        )

    def state(self, shared, regional):
        """Return the `State` of parameters."""
        return self.at(self.coordinates.position(shared, regional))

    def at(self, position):
        """Return the `State` at a position, shape (n_chains, n_coordinates)."""
        return State(position, self.density(position), *self.gradient(position))

    def density(self, position):
        """Return the log posterior density of positions, shape (n_chains,)."""
        parameters = self.parameters(position)
        twin = self.network.at(*parameters)

        def told(few):
            with torch.no_grad():
                return self._density(few, self.inputs, self.target)

        found = _of_few_chains(told, twin, self.inputs)
        return all_sum(torch.cat(found)) + self.coordinates.log_volume(parameters[0])

    def gradient(self, position):
        """Return its gradient, (n_chains, n_coordinates), and slopes by parameters.

        In single precision. A trajectory may follow any force that depends on the
        position alone: it keeps volume and can be reversed, and what is accepted is
        decided by the density. After new spreads the force follows from that before,
        which rounded at another place: by less than one part in ten thousand.
        """
        network, inputs, target = self._rough
        parameters = self.parameters(position)
        twin = network.at(*(part.to(torch.float32) for part in parameters))

        def pulled(few):
            parts = few.shared.requires_grad_(), few.regional.requires_grad_()
            with torch.enable_grad():
                density = self._density(few, inputs, target).sum()
            return torch.autograd.grad(density, parts)

        found = _of_few_chains(pulled, twin, inputs)
        shared, regional = (
            torch.cat(part).to(position.dtype) for part in zip(*found, strict=True)
        )
        slopes = all_sum(shared), regional
        return self.coordinates.by_position(*parameters, *slopes), *slopes

    def _density(self, network, inputs, target):
        likelihood = log_likelihood(network, inputs, target, self.loss)
        return likelihood + log_prior(network, inputs, target)


def _of_few_chains(function, network, inputs):
    """Return what a function makes of few chains each, side by side on threads."""
    n_chains, (_, n_media, n_periods) = len(network.shared), inputs.media.shape
    n_cells = most_regions(network.sizes.n_regions) * max(n_media, 1) * n_periods
    at_once = 2 ** int(math.log2(max(_CELLS // n_cells, 1)))
    chains = few_draws(network, min(at_once, n_chains), _CHANNELS)
    groups = [few for _, few in chains]
    if are_several():  # whose sums are outside of threads
        return [function(few) for few in groups]
    return of_each(function, groups)
