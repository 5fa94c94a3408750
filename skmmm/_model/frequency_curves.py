"""What a channel causes if its impressions are spread over more or fewer people."""

from dataclasses import replace

import numpy as np
import torch

from skmmm._model.draws import few_draws
from skmmm._model.scaling import ScaledChannel

_N_GUESSES = 4000  # draws of the prior


def effects_by_frequency(model, split, channel, grid, *, draws):
    """Return what the rows of X cause as they are, and at each frequency.

    All rows have the same frequency then, and as many impressions as they had.

    Parameters
    ----------
    model : OutcomeModel
    split : Split
    channel : int
    grid : ndarray of shape (K,)
    draws : bool
        False: at the point, with one draw.

    Returns
    -------
    now : ndarray of shape (E,)
        In KPI units.
    effects : ndarray of shape (E, K)
    """
    network = model.network_of(draws=draws)
    n_new = len(split.weight) - network.sizes.n_regions
    mean = model.scales.frequency[channel]
    seen = split.inputs.frequency[:, [channel]]
    own, rest = split.own[:, [channel]], split.rest[:, [channel]]
    impressions = own * torch.exp(seen) * mean
    asked = [(own, seen)]
    for frequency in grid:
        same = torch.where(own > 0, float(np.log(frequency / mean)), seen)
        asked.append((impressions / frequency, same))
    found = np.empty((len(network.shared), len(asked)))
    with torch.no_grad():
        for some, twin in few_draws(network):
            twin = twin.extended(n_new)
            for k, (reach, log) in enumerate(asked):
                inputs = replace(split.inputs, frequency=split.inputs.frequency.clone())
                inputs.frequency[:, [channel]] = log
                one = ScaledChannel(twin, channel, inputs, reach, rest, split.weight)
                caused = one.effects(1.0) - one.effects(0.0)
                found[some, k] = caused.sum(dim=(1, 2)).numpy()
    return found[:, 0], found[:, 1:]


def best_frequencies(network, mean, channel):
    """Return the frequency at which an impression adds most, by draw, (E,).

    ``hill(f) / f`` is highest at ``half * (slope - 1) ** (1 / slope)``, and at one if
    that is less.
    """
    with torch.no_grad():
        values = network.values()
        slope = torch.exp(values["slope_log"])[:, channel]
        half = mean * torch.exp(values["half_saturation_log"][..., channel]).mean(dim=1)
        above = (slope - 1.0).clamp_min(0.0)
        return (half * above ** (1.0 / slope)).clamp_min(1.0).numpy()


def expected_best_frequencies(network, mean, channel):
    """Return the same before seeing the data, draws of the prior."""
    return best_frequencies(network.prior_guess(_N_GUESSES), mean, channel)
