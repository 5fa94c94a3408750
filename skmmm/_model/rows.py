"""From cells of regions and periods to the rows of a panel."""

from dataclasses import dataclass

import numpy as np
import torch

from skmmm._model.blocks import region_blocks
from skmmm._model.draws import few_draws
from skmmm._model.sums import all_sum, among
from skmmm._model.threads import of_each

_BLOCK = 2**20  # media of all draws and periods at once


@dataclass(frozen=True, eq=False)
class Components:
    """Additive parts of the prediction for the rows of a panel, in KPI units.

    Attributes
    ----------
    baseline : ndarray of shape (n_draws, n_rows)
    controls : ndarray of shape (n_draws, n_rows, n_controls)
    media : ndarray of shape (n_draws, n_rows, n_media)
    variance : ndarray of shape (n_draws, n_rows)
        Of a new observation around the sum of the parts.
    fresh : ndarray of shape (n_draws, n_rows)
        Share of that variance that comes from one period's surprise; the rest is
        the sum of many.
    """

    baseline: np.ndarray
    controls: np.ndarray
    media: np.ndarray
    variance: np.ndarray
    fresh: np.ndarray

    @property
    def total(self):
        """The prediction, shape (n_draws, n_rows)."""
        return self.baseline + self.controls.sum(axis=2) + self.media.sum(axis=2)

    def rows(self, chosen):
        """Return the parts of some rows."""
        return Components(*(part[:, chosen] for part in vars(self).values()))


def structure_rows(network, inputs, panel):
    """Return baseline, controls and media of the panel's rows, draws first."""
    parts = network(inputs)
    return (
        panel.rows(parts.baseline.numpy()),
        np.moveaxis(panel.rows(parts.controls.transpose(1, 2).numpy()), 1, 2),
        np.moveaxis(panel.rows(parts.media.transpose(1, 2).numpy()), 1, 2),
    )


def effect_rows(network, channels, inputs, media, panel):
    """Return the effect of channels together, (E, n_rows), in mean KPI.

    Parameters
    ----------
    media : ndarray of shape ([E,] R, C, L + T)
        In units of typical spend.
    """
    media = torch.from_numpy(media)
    n_new = panel.shape[0] - network.sizes.n_regions
    found = []
    with torch.no_grad():
        for some, twin in few_draws(network):
            own = media if media.ndim == 3 else media[some]
            effects = twin.extended(n_new).channel_effects(channels, inputs, own)
            found.append(panel.rows(effects.sum(dim=2).numpy()))
    return np.concatenate(found)


def mean_effects(network, inputs, share):
    """Return each channel's mean effect over all rows, in mean KPI, (E, n_media).

    Block by block of regions, as `share` of shape (R, T) weighs them.
    """
    channels = range(network.sizes.n_media)
    if not channels:
        return network.shared.new_zeros(len(network.shared), 0)
    effects = []
    for _, twin in few_draws(network):

        def caused_in(own, twin=twin):
            rows = inputs.in_regions(own), share[own]
            return twin.in_regions(own).mean_effects(channels, *rows)

        n_cells = len(twin.shared) * inputs.media[0].numel()
        with among(None):
            found = of_each(caused_in, region_blocks(len(share), n_cells, _BLOCK))
        effects.append(sum(found[1:], found[0]))
    return all_sum(torch.cat(effects))
