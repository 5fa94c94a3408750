"""What rows say of the deviations of regions, as the level takes more or less."""

import torch

from skmmm._model.laplace import row_precision, spread_information, structural_change
from skmmm._model.level import innovations

_REGIONS = 32  # that say how information changes with the level


class DeviationInformation:
    """Information about the deviations that each spread governs, in their own units.

    The level follows whatever moves slowly, and what it takes no longer tells of
    intercepts, trends and seasons of regions. Some regions say by how much, for any
    level; all else that information depends on stays where it was computed.

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
        self._columns, self._changes = [], None
        if network.level:
            self._follow_level(network, inputs, target, loss)

    def _follow_level(self, network, inputs, target, loss):
        """Keep what deviations change in some regions, before the level takes part."""
        n_regions = network.sizes.n_regions
        some = torch.arange(n_regions)[:: -(-n_regions // _REGIONS)]
        few, inputs, seen = (
            part.in_regions(some) for part in (network, inputs, target)
        )
        changes = []
        for prior, where in network.regional_priors.positions():
            entries = list(range(where.start, where.stop))
            if not prior.hierarchical or prior.acts == "scale" or not entries:
                continue
            with torch.no_grad():
                change = structural_change(few, inputs, "regional", prior, entries)
            changes.append(change)
            self._columns.append((f"{prior.name}_spread_log", len(change)))
        if changes:
            self._changes, self._precision = torch.cat(changes), seen.precision
            self._weight = row_precision(few, inputs, seen, loss)
            with torch.no_grad():
                self._before = self._sizes(network).clamp_min(1e-30)

    def _sizes(self, network):
        """Return the information about each kind of deviation in these regions."""
        values = network.shared_priors.unpack(network.shared)
        level = network.level_parameters(values)
        left = innovations(self._changes, self._precision, *level)
        return (left.square() * self._weight).sum(dim=(1, 2))

    def at(self, network):
        """Return the information with the level of a network, like `told`."""
        if self._changes is None:
            return self.told
        now = dict(self.told)
        ratios = self._sizes(network) / self._before
        sizes = [size for _, size in self._columns]
        for (name, _), ratio in zip(self._columns, ratios.split(sizes), strict=True):
            now[name] = now[name] * ratio
        return now
