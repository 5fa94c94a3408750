"""Draws of a network, few at a time."""

_AT_ONCE = 8  # bounds the memory of predictions


def few_draws(network):
    """Yield which draws, a slice, and the twin of a network that has only these."""
    for first in range(0, len(network.shared), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        yield some, select(network, some)


def select(network, draws):
    """Return the twin of a network that has only some draws."""
    return network.at(network.shared[draws], network.regional[draws])
