"""Pairs of channels that may cause something together, as a user names them."""

import pandas as pd

from skmmm._data.checks import check_channel, in_words, resolve_column
from skmmm._utils.labels import shown


def read_pairs(synergies, media, labels):
    """Return the positions of pairs of channels, in order.

    Parameters
    ----------
    synergies : sequence of pairs of str or int, or None
        As of the regressor.
    media : list
        Labels of the media columns.
    labels : list
        Labels of all columns.

    Returns
    -------
    pairs : list of (int, int)
        Positions in `media`, the lower one first.

    Raises
    ------
    ValueError
        If an entry is no pair of two channels, or is there twice.
    """
    frame, found = pd.DataFrame(columns=labels), []
    for given in () if synergies is None else synergies:
        if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != 2:
            raise ValueError(
                f"synergies has {shown(given)}, which is no pair of media columns. "
                "Give pairs, [('tv', 'search')]."
            )
        named = [resolve_column(frame, one, "synergies") for one in given]
        for label, key in zip(named, given, strict=True):
            check_channel(label, media, "synergies", key=key)
        if named[0] == named[1]:
            raise ValueError(
                f"synergies pairs {named[0]!r} with itself: its Hill curve says "
                "already how more of it adds to it. Name two channels."
            )
        pair = tuple(sorted(media.index(one) for one in named))
        if pair in found:
            raise ValueError(
                f"synergies names {named[0]!r} and {named[1]!r} twice. Leave out one, "
                "whatever their order."
            )
        found.append(pair)
    return sorted(found)


def check_no_stock(pairs, media, slow):
    """Raise if there are pairs of channels, and channels with a slow stock.

    Parameters
    ----------
    pairs : list of (int, int)
        As `read_pairs` returned them.
    media : list
        Labels of the media columns.
    slow : ndarray of shape (n_media,), bool
        Channels with a slow stock.
    """
    if pairs and slow.any():
        named = in_words([(media[i], media[j]) for i, j in pairs])
        stocks = in_words([media[m] for m in slow.nonzero()[0]])
        raise ValueError(
            f"synergies names {named}, and brand_channels {stocks}. What pairs add to "
            "a slow stock is not modelled: the two are not given together, whichever "
            "channels they name. Leave out one of them."
        )


def check_pairs(pairs, media, free, own):
    """Raise if channels of pairs may lower the KPI, or have a return that is known.

    Parameters
    ----------
    pairs : list of (int, int)
        As `read_pairs` returned them.
    media : list
        Labels of the media columns.
    free, own : ndarray of shape (n_media,), bool
        Channels whose effect may be negative, and those with a prior of their own.
    """
    for pair in pairs:
        for m in pair:
            if free[m]:
                raise ValueError(
                    f"{media[m]!r} is in synergies, but its effect may be negative "
                    "(free_sign, or a KPI that is negative nearly throughout): what "
                    "adds to an effect has no meaning then. Leave out its pairs."
                )
            if own[m]:
                raise ValueError(
                    f"{media[m]!r} is in synergies, but its prior has a 'roi': that is "
                    "of all that it causes, and how much of it comes from pairs is "
                    "not known before. Leave out the 'roi', or its pairs; a lift test "
                    "in experiments says the same of both."
                )
