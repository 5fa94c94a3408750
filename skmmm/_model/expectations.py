"""What is expected of a network before any row."""

import torch

from skmmm._model.rows import mean_effects


def prior_effects(network, n_draws, inputs, share):
    """Return draws from the prior of the mean effect of each channel.

    Parameters
    ----------
    n_draws : int
    inputs : Inputs
    share : Tensor of shape (R, T)
        Of each row in the mean KPI; sums to one.

    Returns
    -------
    effects : Tensor of shape (n_draws, M)
        In mean KPI. Channels of a pair have their half of it, with theta from its
        prior, beside a partner whose effect is as much larger or smaller than expected.
    """
    guessed = network.prior_guess(n_draws)
    mean_to_typical = _mean_to_typical(network, guessed, inputs, share)
    values, priors = guessed.values(), network.channel_priors
    own = torch.exp(priors.effect_log + priors.effect_spread * values["effect"])
    pooled = guessed.typical_effects(values) * mean_to_typical
    return torch.where(priors.pooled, pooled, own)


def _mean_to_typical(network, guessed, inputs, share):
    """Return mean effects over rows by effects at typical spend, (1 or n_draws, M)."""
    shared, pairs = network.shared.clone(), None
    for prior, where in network.shared_priors.positions():
        if prior.name in ("effect", "effect_mean"):
            shared[:, where] = 1.0  # of no channel nothing
        elif prior.name == "synergy_log":
            shared[:, where], pairs = 0.0, where
    twin = network.at(shared, network.regional)
    mean = mean_effects(twin, inputs, share)
    if pairs is None:
        return mean / twin.typical_effects(twin.values())
    strength, own = guessed.values()["synergy"], mean
    for p, place in enumerate(range(pairs.start, pairs.stop)):
        one = shared.clone()
        one[:, place] = 1.0
        paired = network.at(one, network.regional)
        told = paired.values()["synergy"][:, p]
        gain = (mean_effects(paired, inputs, share) - own) / told
        mean = mean + strength[:, [p]] * gain  # effects are linear in theta
    return mean / twin.typical_effects(twin.values())
