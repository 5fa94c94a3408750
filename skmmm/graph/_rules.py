"""What is known of the channel graph before the data speak."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Rules:
    """Which edges are allowed, required and large enough; `[i, j]` is i drives j.

    Attributes
    ----------
    allowed : ndarray of shape (n_media, n_media), bool
    required : ndarray of shape (n_media, n_media), bool
    min_effect : float
        Share of a child's otherwise unexplained variance below which an edge does not
        count.
    """

    allowed: np.ndarray
    required: np.ndarray
    min_effect: float


def make_rules(media, position, *, forbidden, required, tiers, min_effect):
    """Turn the parameters of an estimator into rules.

    Parameters
    ----------
    media : sequence
        Labels of the channels.
    position : callable
        ``position(key, role)`` is the position of a channel, or raises.
    forbidden, required : list of pairs (parent, child), or None
    tiers : list of lists of channels, or None
        Upper funnel first; an edge from a later into an earlier tier is forbidden.
    min_effect : float

    Returns
    -------
    rules : Rules
    """
    d = len(media)
    allowed = ~np.eye(d, dtype=bool)
    for i, j in _pairs(forbidden, position, "forbidden_edges"):
        allowed[i, j] = False
    tier = _tiers(tiers, position, d)
    allowed &= ~(tier[:, None] > tier)  # nan compares as False
    must = np.zeros((d, d), dtype=bool)
    for i, j in _pairs(required, position, "required_edges"):
        if not allowed[i, j]:
            raise ValueError(
                f"required_edges has ({media[i]!r}, {media[j]!r}), which "
                "forbidden_edges or tiers rule out. Leave out one of them."
            )
        must[i, j] = True
    return Rules(allowed, must, min_effect)


def _pairs(pairs, position, role):
    """Return pairs of channels as pairs of positions."""
    found = []
    for pair in [] if pairs is None else pairs:
        if not isinstance(pair, list | tuple | np.ndarray) or len(pair) != 2:
            raise ValueError(
                f"{role} has {pair!r}, which is not a pair (parent, child) of columns."
            )
        i, j = (position(key, role) for key in pair)
        if i == j:
            raise ValueError(f"{role} has {pair!r}: a channel cannot drive itself.")
        found.append((i, j))
    return found


def _tiers(tiers, position, d):
    """Return the tier of every channel, nan where it has none."""
    tier = np.full(d, np.nan)
    if isinstance(tiers, str) or hasattr(tiers, "keys"):
        raise ValueError(
            f"tiers={tiers!r} must be a list of lists of media columns, the upper "
            "funnel first."
        )
    for level, members in enumerate([] if tiers is None else tiers):
        if isinstance(members, str) or not hasattr(members, "__iter__"):
            members = [members]
        for key in members:
            j = position(key, "tiers")
            if not np.isnan(tier[j]):
                raise ValueError(f"tiers names the column {key!r} twice.")
            tier[j] = level
    return tier
