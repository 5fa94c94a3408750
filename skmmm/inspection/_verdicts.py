"""How far each channel's effect comes from the data, in one word."""

from collections.abc import Callable

import numpy as np

from skmmm._utils.typing import Array

# Share of the prior variance that data must remove to be called the source of an
# effect.
ENOUGH = 0.75
# Upper over lower bound of a 90 % interval up to which an effect is known at all.
WIDEST = 4.0
# With fewer draws their spread says nothing.
MIN_DRAWS = 8
VERDICTS = ("data-driven", "prior-driven", "not identified")


def channel_verdicts(
    learned: Array,
    learnable: Array,
    narrow: np.ndarray,
    doubted: np.ndarray,
    not_learned: np.ndarray,
) -> np.ndarray:
    """Return the verdict on every channel.

    - ``"data-driven"``: the spread of the effect, or of its logarithm, shrank to less
      than half of the prior's, and the upper bound of its 90 % interval is at most four
      times the lower one.
    - ``"not identified"``: it did not, although the data would have sufficed if
      everything else were known: what the channel does cannot be told from the
      baseline or from other channels. Also if its spend rings an alarm, or the data
      contradict its prior.
    - ``"prior-driven"``: it did not, and the data say too little in any case. The
      estimate is what was expected before.

    Parameters
    ----------
    learned : ndarray of shape (n_media,)
        Share of the prior variance of the mean effect that the data removed, as
        `contraction` returned it.
    learnable : ndarray of shape (n_media,)
        Share of the prior variance of the log effect that the data would remove if
        all other parameters were known.
    narrow : ndarray of shape (n_media,), bool
        As `is_narrow` returned it.
    doubted : ndarray of shape (n_media,), bool
        Whether spend rings an alarm, or the data contradict the prior.
    not_learned : ndarray of shape (n_media,), of str
        As `why_not_learned` returned it: channels that are ``"zero"`` are
        prior-driven, those that are ``"steady"`` are not identified.

    Returns
    -------
    verdicts : ndarray of shape (n_media,), of str

    References
    ----------
    .. [1] Gelman, Hill, Yajima (2012), on shrinkage; here the posterior contraction
       ``1 - sd_posterior ** 2 / sd_prior ** 2`` of Betancourt (2018), Calibrating
       Model-Based Inferences and Decisions. arXiv 1803.08393.
    """
    verdicts = np.where(learnable >= ENOUGH, VERDICTS[2], VERDICTS[1])
    verdicts = np.where((learned >= ENOUGH) & narrow, VERDICTS[0], verdicts)
    verdicts = np.where(not_learned == "zero", VERDICTS[1], verdicts)
    return np.where(doubted | (not_learned == "steady"), VERDICTS[2], verdicts)


def contraction(effects: Array, prior: Array) -> Array:
    """Return the share of the prior variance that the data removed, (n_media,).

    The larger of that of the effect and of its logarithm: an effect near zero is known
    well in KPI units though hardly in relative terms, a large one the other way round.
    Both arguments are draws, (n_draws, n_media), of the mean effect over rows, which is
    the one that is reported.
    """
    shares = []
    transforms: tuple[Callable, ...] = (np.asarray, _log)
    for transform in transforms:
        spread = _spread(transform(effects)) / _spread(transform(prior))
        shares.append(1.0 - spread**2)
    return np.maximum(*shares)


def is_narrow(effects: Array) -> np.ndarray:
    """Return whether 90 % intervals of effects say of which size they are, (n_media,).

    Their bounds have the same sign, and the larger is at most four times the smaller.
    The argument are draws, (n_draws, n_media).
    """
    low, high = np.quantile(effects, [0.05, 0.95], axis=0, method="weibull")
    small, large = np.minimum(abs(low), abs(high)), np.maximum(abs(low), abs(high))
    return (low * high > 0) & (large <= WIDEST * small)


def _log(values: Array) -> Array:
    return np.log(np.maximum(np.abs(values), 1e-12))


def _spread(draws: Array) -> Array:
    """Half the distance between the 16 and 84 % quantiles: the sd of a normal."""
    low, high = np.quantile(draws, [0.16, 0.84], axis=0)
    return np.maximum((high - low) / 2, 1e-12)
