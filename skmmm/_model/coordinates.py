"""Coordinates in which the posterior is nearly round."""

import torch

from skmmm._model.jacobian import parts_of
from skmmm._model.laplace import (
    LaplaceApproximation,
    known_parts,
    spread_information,
    with_known_spreads_held,
    with_spreads,
)
from skmmm._model.sums import all_sum
from skmmm._model.vectors import joined, split_like


class Coordinates:
    """The Gaussian approximation around a network, with funnels opened.

    Deviations are parameters in units of their spread. Where rows say little of them
    they hardly depend on it in these units; where rows say much they hardly depend on
    it in their own, and in others they are the neck of a funnel [1]_. Here a deviation
    d of spread s, of whose variance rows take away the part p, stands as
    ``d / (s ** (1 - p) * s_0 ** p)``, with s_0 the spread at the centre: it is partly
    non-centred [2]_. The spread itself has no other place where deviations are well
    known on average: given them it can be drawn as it is.

    Parameters
    ----------
    network : OutcomeNetwork
        The centre, with one entry.
    known : Information
        There; what it has of each region may be lost.
    ties : Ties

    Attributes
    ----------
    network : OutcomeNetwork
    approximation : LaplaceApproximation

    References
    ----------
    .. [1] Betancourt, Girolami (2015). Hamiltonian Monte Carlo for Hierarchical
       Models. Current Trends in Bayesian Methodology with Applications, ch. 4.
    .. [2] Papaspiliopoulos, Roberts, Skold (2007). A General Framework for the
       Parametrization of Hierarchical Models. Statistical Science 22.
    """

    def __init__(self, network, known, ties):
        self.network = network
        parts = known_parts(network, spread_information(network, known))
        (self._at, self._weight), (self._each_at, self._each_weight) = (
            _under_spreads(network, priors, parts, getattr(network, name)[0])
            for name, priors in parts_of(network)
        )
        self._volume = self._by_spread(self._weight[None], self._each_weight[None])[0]
        self.approximation = LaplaceApproximation(
            with_known_spreads_held(network, known), ties, overwrite=True
        )

    def spread_out(self, noise, known, ties):
        """Return parameters of draws where no spread stays in its place.

        Parameters
        ----------
        noise : Tensor of shape (E, N)
            Standard normals.
        known, ties
            As the approximation was made of them.
        """
        told = spread_information(self.network, known)
        free = with_spreads(self.network, known, told)
        return self._around(self.approximation.with_shared(free, ties), noise)

    def parameters(self, position):
        """Return shared and regional parameters at positions, (E, N)."""
        return self._around(self.approximation, position)

    def _around(self, approximation, position):
        """Return parameters at positions in the coordinates of an approximation."""
        parts = split_like(position, (self.network.shared, self.network.regional))
        shared, regional = approximation.unwhiten(*parts)
        shared = self.network.shared + shared
        regional = self.network.regional + regional
        log, each_log = self._log_stretch(shared)
        return shared * torch.exp(-log), regional * torch.exp(-each_log)

    def position(self, shared, regional):
        """Return the positions of parameters; inverts `parameters`."""
        log, each_log = self._log_stretch(shared)
        parts = self.approximation.whiten(
            shared * torch.exp(log) - self.network.shared,
            regional * torch.exp(each_log) - self.network.regional,
        )
        return joined(*parts)

    def log_volume(self, shared):
        """Return the log volume of parameters per volume of positions, (E,).

        Less a constant.
        """
        return (self.network.shared - shared) @ self._volume

    def by_position(self, shared, regional, shared_slope, regional_slope):
        """Turn the gradient of a log density of parameters into that of positions.

        Parameters
        ----------
        shared, regional : Tensor
            Parameters of several draws.
        shared_slope, regional_slope : Tensor
            The gradient by these, there.

        Returns
        -------
        gradient : Tensor of shape (E, N)
            By position, of the log density of positions.
        """
        log, each_log = self._log_stretch(shared)
        pull = self._by_spread(
            shared * shared_slope * self._weight,
            regional * regional_slope * self._each_weight,
        )
        slopes = self.approximation.unwhiten_vjp(
            shared_slope * torch.exp(-log) - pull - self._volume,
            regional_slope * torch.exp(-each_log),
        )
        return joined(*slopes)

    def _log_stretch(self, shared):
        """Return by how much deviations here are longer than those of parameters, log.

        Shapes (E, n_shared) and (E, R, n_regional): zero for all other parameters.
        """
        wider = shared - self.network.shared
        each = self._each_weight * wider[:, None, self._each_at]
        return self._weight * wider[:, self._at], each

    def _by_spread(self, shared, regional):
        """Sum what is of deviations by their spread, (E, n_shared), in all regions."""
        found = torch.zeros_like(shared).index_add(1, self._at, shared)
        each = torch.zeros_like(shared)
        return found + all_sum(each.index_add(1, self._each_at, regional.sum(dim=1)))


def _under_spreads(network, priors, parts, like):
    """Return where the spread of each parameter is, and how its log goes with that.

    Returns
    -------
    at : Tensor of shape (n,), int
        Among shared parameters; 0 for all that are no deviations.
    weight : Tensor of shape (n,) or (R, n)
        Log of the spread per unit of its parameter, times the part that is known;
        0 for all that are no deviations.
    """
    at, weight = torch.zeros(like.shape[-1], dtype=torch.long), torch.zeros_like(like)
    spreads = {p.name: (p.scale, own) for p, own in network.shared_priors.positions()}
    for prior, where in priors.positions():
        if prior.hierarchical:
            name = f"{prior.name}_spread_log"
            scale, own = spreads[name]
            at[where] = own.start
            weight[..., where] = scale * parts[name]
    return at, weight
