"""What rows say of the deviations of regions, wherever the other parameters are."""

import torch

from skmmm._model.jacobian import spreads_of, structural_change
from skmmm._model.laplace import row_precision, spread_information
from skmmm._model.likelihood import whiten
from skmmm._model.sums import all_sum, own_positions, own_regions

_REGIONS = 8  # that say how information changes with the other parameters


class DeviationInformation:
    """Information about the deviations that each spread governs, in their own units.

    It depends on the other parameters: a level that follows whatever moves slowly
    leaves little that tells of trends and seasons of regions, and of an effect that is
    larger, or elsewhere on its curve, rows say more. Some regions say by how much, for
    any shared parameters.

    Parameters
    ----------
    network : OutcomeNetwork
        With one entry.
    inputs : Inputs
    target : Target
    loss : Loss
    known : Information
        About the parameters of the network.

    Attributes
    ----------
    told : dict of str to Tensor
        The information where it was computed, by the name of the spread.
    """

    def __init__(self, network, inputs, target, loss, known):
        self.told = spread_information(network, known)
        own, self._n_regions = own_regions(network.sizes.n_regions)
        some = torch.arange(self._n_regions)[:: -(-self._n_regions // _REGIONS)]
        self._some = own_positions(own, some)
        self._inputs, self._target = (
            part.in_regions(self._some) for part in (inputs, target)
        )
        few = network.in_regions(self._some)
        self._weight = row_precision(few, self._inputs, self._target, loss)
        with torch.no_grad():
            self._before = self._sizes(network)

    def _sizes(self, network):
        """Return the information in these regions, by the name of the spread."""
        few, spreads = network.in_regions(self._some), spreads_of(network)
        # As if all deviated alike: few must not gain by what changes for all, nor all
        # by an effect in common of next to nothing, which deviations make up for.
        total = all_sum(network.regional.sum(dim=1, keepdim=True))
        mean = total / self._n_regions
        few = few.at(few.shared, mean.expand_as(few.regional))
        changes = {}
        for prior, where in network.regional_priors.positions():
            entries = list(range(where.start, where.stop))
            if prior.hierarchical and prior.acts != "scale" and entries:
                changes[f"{prior.name}_spread_log"] = (
                    structural_change(few, self._inputs, "regional", prior, entries)
                    / spreads[prior.name]
                )
        if not changes:
            return {}
        change = torch.cat(list(changes.values()))
        left = whiten(few, change, self._target, few.values())
        sizes = all_sum((left.square() * self._weight).sum(dim=(1, 2)))
        counts = [len(change) for change in changes.values()]
        return dict(zip(changes, sizes.split(counts), strict=True))

    def at(self, network):
        """Return the information at the parameters of a network, like `told`."""
        now = dict(self.told)
        for name, size in self._sizes(network).items():
            before = self._before[name]
            ratio = size / torch.where(before > 0.0, before, 1.0)
            now[name] = now[name] * torch.where(before > 0.0, ratio, 1.0)
        return now
