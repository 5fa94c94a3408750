"""Draws of a network, few at a time."""

from skmmm._model.sums import most_regions

# What bounds the memory of predictions: draws, and channels of all their regions.
_AT_ONCE, _CHANNELS = 8, 2**16


def few_draws(network, at_once=_AT_ONCE, channels=_CHANNELS):
    """Yield which draws, a slice, and the twin of a network that has only these.

    At most so many; of panels of many regions as few as memory asks for.
    """
    n_regions = most_regions(network.sizes.n_regions)
    n_channels = n_regions * max(network.sizes.n_media, 1)
    n_each = max(min(at_once, channels // n_channels), 1)
    for first in range(0, len(network.shared), n_each):
        some = slice(first, first + n_each)
        yield some, select(network, some)


def select(network, draws):
    """Return the twin of a network that has only some draws."""
    return network.at(network.shared[draws], network.regional[draws])
