"""How far each channel's effect comes from the data, in one word."""

import numpy as np

# Share of the prior variance that data must remove to be called the source of an
# effect.
ENOUGH = 0.75
# With fewer draws their spread says nothing.
MIN_DRAWS = 8
VERDICTS = ("data-driven", "prior-driven", "not identified")


def channel_verdicts(together, alone, follows_kpi, not_learned):
    """Return the verdict on every channel.

    - ``"data-driven"``: the spread of the effect, or of its logarithm, shrank to less
      than half of the prior's.
    - ``"not identified"``: it did not, although the data would have sufficed if
      everything else were known: what the channel does cannot be told from the
      baseline or from other channels. Also if its spend follows the past KPI.
    - ``"prior-driven"``: it did not, and the data say too little in any case. The
      estimate is what was expected before.

    Parameters
    ----------
    together : ndarray of shape (n_media,)
        Share of the prior variance of the mean effect that the data removed, as
        `contraction` returned it.
    alone : ndarray of shape (n_media,)
        Share of the prior variance of the log effect that the data would remove if
        all other parameters were known.
    follows_kpi : ndarray of shape (n_media,), bool
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
    verdicts = np.where(alone >= ENOUGH, VERDICTS[2], VERDICTS[1])
    verdicts = np.where(together >= ENOUGH, VERDICTS[0], verdicts)
    verdicts = np.where(not_learned == "zero", VERDICTS[1], verdicts)
    return np.where(follows_kpi | (not_learned == "steady"), VERDICTS[2], verdicts)


def contraction(effects, prior):
    """Return the share of the prior variance that the data removed, (n_media,).

    The larger of that of the effect and of its logarithm: an effect near zero is known
    well in KPI units though hardly in relative terms, a large one the other way round.

    Parameters
    ----------
    effects : ndarray of shape (n_draws, n_media)
        Posterior draws of the mean effect over rows, the one that is reported.
    prior : ndarray of shape (n_draws_of_prior, n_media)
        Draws of the same from the prior.
    """
    shares = []
    for transform in (np.asarray, _log):
        spread = _spread(transform(effects)) / _spread(transform(prior))
        shares.append(1.0 - spread**2)
    return np.maximum(*shares)


def _log(values):
    return np.log(np.maximum(np.abs(values), 1e-12))


def _spread(draws):
    """Half the distance between the 16 and 84 % quantiles: the sd of a normal."""
    low, high = np.quantile(draws, [0.16, 0.84], axis=0)
    return np.maximum((high - low) / 2, 1e-12)
