"""Saturation: the more is spent in a period, the less the next unit adds."""

import torch

# How far log slopes may be from what is expected in files of earlier versions.
_EARLIER_REACH = 1.2
# Width of the bend in which an effect becomes nothing, and where one as large as
# expected lies beyond it, in expected effects.
BEND = 0.2
EXPECTED = 1.0 + BEND / 2.0


def hill(adstock, log_half_saturation, slope):
    """Hill curve ``x ** slope / (x ** slope + half_saturation ** slope)``.

    Parameters
    ----------
    adstock : Tensor of shape (...), non-negative
    log_half_saturation : Tensor broadcastable to (...)
        Logarithm of the level at which half of the maximum effect is reached.
    slope : Tensor broadcastable to (...), positive
        At most 1: concave; above 1: S-shaped.

    Returns
    -------
    response : Tensor of shape (...), in [0, 1)

    References
    ----------
    .. [1] Jin, Wang, Sun, Chan, Koehler (2017). Bayesian Methods for Media Mix
       Modeling with Carryover and Shape Effects. Google Research, eq. 4.
    """
    odds_log = _odds_log(adstock, log_half_saturation, slope)
    return torch.where(adstock > 0, torch.sigmoid(odds_log), 0.0)


def hill_odds(adstock, log_half_saturation, slope):
    """Odds of the Hill curve, ``(x / half_saturation) ** slope``.

    Parameters
    ----------
    adstock, log_half_saturation, slope : Tensor
        As of `hill`, which is ``odds / (1 + odds)``.

    Returns
    -------
    odds : Tensor of shape (...)
    """
    odds_log = _odds_log(adstock, log_half_saturation, slope)
    return torch.where(adstock > 0, torch.exp(odds_log), 0.0)


def curves_alike(values, channels):
    """Return half saturations and slopes with what curves have in common, (E, M) each.

    Logarithms. Slopes stay within reach of what is expected, whatever the data say.

    Parameters
    ----------
    values : dict of str to Tensor
    channels : ChannelPriors
    """
    half, slope = (
        values[f"{name}_log"] + channels.alike * values[f"{name}_mean"][:, None]
        for name in ("half_saturation", "slope")
    )
    centre, reach = channels.slope_centre, channels.slope_reach
    reach = _EARLIER_REACH if reach is None else reach
    away = reach * torch.tanh((slope - centre) / reach)
    bent = (centre + away).to(slope.dtype)
    return {"half_saturation_log": half, "slope_log": bent}


def half_saturations(values, intensity):
    """Return the log of half saturation in typical spend of each region, (E, R, M).

    As far as regions are on one curve in spend per head, one that spends more per head
    is further up on it.

    Parameters
    ----------
    values : dict of str to Tensor
    intensity : Tensor of shape (R, M)
    """
    half = values["half_saturation_log"]
    if "per_head" not in values:
        return half
    return half - per_head_exponent(values)[:, None, None] * intensity


def per_head_exponent(values):
    """Return how far regions are on one curve in spend per head, 0 to 1, (E,)."""
    return torch.special.ndtr(values["per_head"])


def _odds_log(adstock, log_half_saturation, slope):
    """Return ``slope * log(x / half_saturation)``."""
    # The smallest number keeps the gradient at zero spend finite.
    tiny = torch.finfo(adstock.dtype).tiny
    return slope * (torch.log(adstock.clamp_min(tiny)) - log_half_saturation)


def none_or_more(values):
    """Return zero where values are negative, values where they are well above zero.

    Between zero and `BEND` a parabola joins the two, half a bend below the values. A
    normal prior on the argument expects an effect around its mean, has a share for no
    effect at all, and leaves effects beyond the KPI as unlikely as they are.
    """
    bent = values.clamp(0.0, BEND)
    return bent * bent / (2.0 * BEND) + (values - BEND).clamp_min(0.0)
