"""What is expected of a network before any row."""

import torch


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
        In mean KPI.
    """
    mean_to_typical = _mean_to_typical(network, inputs, share)
    guessed = network.prior_guess(n_draws)
    values, priors = guessed.values(), network.channel_priors
    own = torch.exp(priors.effect_log + priors.effect_spread * values["effect"])
    pooled = guessed.typical_effects(values) * mean_to_typical
    return torch.where(priors.pooled, pooled, own)


def _mean_to_typical(network, inputs, share):
    """Return mean effects over rows by effects at typical spend, (1, M)."""
    shared = network.shared.clone()
    for prior, where in network.shared_priors.positions():
        if prior.name in ("effect", "effect_mean"):
            shared[:, where] = 1.0  # of no channel nothing
    twin = network.at(shared, network.regional)
    mean = twin.mean_effects(range(network.sizes.n_media), inputs, share)
    return mean / twin.typical_effects(twin.values())
