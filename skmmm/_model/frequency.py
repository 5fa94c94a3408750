"""Channels of which it is known how many were reached, and how often.

The more often somebody sees a channel the less one more time adds, and twice as many
people are twice the effect [1]_: the Hill curve is one of frequency, reach multiplies
it, and what comes out is carried over,

    effect[r, m, t] = typical[m] * exp(effect_log[r, m]) / hill(1)
                      * adstock(reach[r, m] * hill(frequency[r, m]))[t]

with reach in units of what is typical in the region, and frequency in units of its
mean, which is where effects are as at typical spend of other channels.

References
----------
.. [1] Zhang, Wurm, Wakim, Li, Liu (2023). Bayesian Hierarchical Media Mix Model
   Incorporating Reach and Frequency Data. Google Research.
"""

import torch

from skmmm._model.saturation import half_saturations, hill


def acting_media(by_frequency, media, values, inputs):
    """Return reach times the Hill curve of frequency, and other media as they are.

    Parameters
    ----------
    by_frequency : Tensor of shape (M,), bool, or None
    media : Tensor of shape ([E,] R, M, L + T)
    values : dict of str to Tensor
    inputs : Inputs
    """
    if by_frequency is None:
        return media
    half = half_saturations(values, inputs.intensity)
    response = heard(inputs.frequency, half, torch.exp(values["slope_log"])[:, None])
    return media * torch.where(by_frequency[:, None], response, 1.0)


def saturated(by_frequency, adstock, log_half_saturation, slope):
    """Return the Hill curve of adstocked spend, and what reach carries over as it is.

    Parameters
    ----------
    by_frequency : Tensor of shape (M,), bool, or None
    adstock : Tensor of shape (E, R, M, T)
    log_half_saturation : Tensor of shape (E, R or 1, M)
    slope : Tensor of shape (E, M)
    """
    if by_frequency is not None and by_frequency.all():
        return adstock
    response = hill(adstock, log_half_saturation[..., None], slope[:, None, :, None])
    if by_frequency is None:
        return response
    return torch.where(by_frequency[:, None], adstock, response)


def heard(frequency, log_half_saturation, slope):
    """Return the Hill curve of a log frequency, (E, R, M, L + T).

    Parameters
    ----------
    frequency : Tensor of shape (R, M, L + T)
    log_half_saturation : Tensor of shape (E, R or 1, M)
    slope : Tensor of shape (E, 1, M)
    """
    away = frequency - log_half_saturation[..., None]
    return torch.sigmoid(slope[..., None] * away)


def summed_by_kind(network, values, inputs):
    """Return the effects of channels with a frequency and of others, summed, (E, R, T).

    Those of others pass through the cache as where no channel has a frequency.
    """
    by_frequency = network.channel_priors.frequency
    kinds = by_frequency, ~by_frequency
    parts = []
    for channels in (torch.nonzero(kind)[:, 0] for kind in kinds if kind.any()):
        twin, own = network.among(channels, values)
        own_inputs = inputs.among(channels, inputs.media[..., channels, :])
        if twin.channel_priors.frequency is None:
            parts.append(twin.visible_total(own, own_inputs))
        else:
            parts.append(twin.visible_media_effects(own, own_inputs).sum(dim=2))
    return sum(parts[1:], parts[0])
