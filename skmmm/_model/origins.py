"""In which channel the spend originates that causes an effect."""

import torch

from skmmm._model.adstock import carry_known, recurrent_carry
from skmmm._model.stock import arriving


def origin_fractions(network, origins, channels, inputs, shares):
    """Return which part of the effects of some channels is owed to which origin.

    A response to adstocked spend along the path that scales all spend together
    owes each part of that spend its part of the sum, whatever its curve (Aumann,
    Shapley 1974, Values of Non-Atomic Games).

    Parameters
    ----------
    network : OutcomeNetwork
        With one draw.
    origins : ndarray of shape (K,), int
        All in which their spend originates.
    channels : ndarray of shape (C,), int
    inputs : Inputs
    shares : Tensor of shape (K, R, C, T)
        ``[k, :, j]``: of channel j's spend, from origin k; sums to one over k.

    Returns
    -------
    fractions : Tensor of shape (K, R, C, T)
        ``[k, :, j]``, of one draw; sums to one over k. Where nothing is carried
        over, all belongs to the channel itself.
    """
    twin, values = network.among(channels)
    inputs = inputs.among(channels, inputs.media[:, channels])
    media = twin.acting(values, inputs).reshape(inputs.media.shape)
    itself = torch.from_numpy(1.0 * (origins[:, None, None, None] == channels))
    itself = itself.transpose(2, 3)
    before = itself.expand(-1, len(media), -1, network.sizes.max_lag)
    parts = torch.cat([before, shares], dim=-1) * media
    carried = _adstocked_parts(twin, values, media, inputs.known, parts)
    total = carried.sum(dim=0)
    fractions = torch.where(total > 0, carried / total, itself)
    if twin.channel_priors.stock is None:
        return fractions
    # Of what comes out of a stock each origin has its part of what went in.
    effects = twin.effects_before_stock(values, inputs)
    each = [
        arriving(twin.channel_priors, values, fraction * effects)[0]
        for fraction in fractions
    ]
    carried = torch.stack(each)
    total = carried.sum(dim=0)
    return torch.where(total != 0, carried / total, itself)


def _adstocked_parts(network, values, media, known, parts):
    """Return parts of media after the carry-over of one draw, (n, R, M, T)."""
    max_lag = network.sizes.max_lag
    if not max_lag:
        return parts
    if network.adstock == "gru":
        gates = network.gates(values)
        return recurrent_carry(media, known, *gates, part=parts)[..., max_lag:]
    return carry_known(parts, known, network.kernel(values).expand(len(parts), -1, -1))
