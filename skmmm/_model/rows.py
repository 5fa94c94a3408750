"""From cells of regions and periods to the rows of a panel."""

import numpy as np
import torch

from skmmm._model.draws import few_draws


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
