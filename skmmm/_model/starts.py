"""Where training starts after another fit."""

import numpy as np
import torch


def start_at(network, last, before):
    """Move a network to where another one is, in place.

    Parameters of another name or shape, and new regions, stay where they are.

    Parameters
    ----------
    network, last : OutcomeNetwork
        Of one draw.
    before : ndarray of shape (n_regions,), int
        Where each region is in `last`, -1 if it is new.
    """
    shared, regional = network.shared.clone(), network.regional.clone()
    for mine, others in _alike(network.shared_priors, last.shared_priors):
        shared[:, mine] = last.shared[:, others]
    known = torch.from_numpy(np.flatnonzero(before >= 0))
    there = torch.from_numpy(before[before >= 0])
    for mine, others in _alike(network.regional_priors, last.regional_priors):
        regional[:, known, mine] = last.regional[:, there, others]
    network.shared, network.regional = shared, regional


def _alike(table, other):
    """Yield the slices of priors that have one name and shape in two tables."""
    places = {prior.name: (prior.shape, where) for prior, where in other.positions()}
    for prior, mine in table.positions():
        shape, others = places.get(prior.name, (None, None))
        if shape == prior.shape:
            yield mine, others
