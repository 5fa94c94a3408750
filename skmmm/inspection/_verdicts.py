"""How far each channel's effect comes from the data, in one word."""

import numpy as np

from skmmm._utils.typing import Array

# Share of the prior variance that data must remove to be called the source of an
# effect.
ENOUGH = 0.75
# Upper over lower bound of a 90 % interval up to which an effect is known at all.
WIDEST = 4.0
# With fewer draws their spread says nothing.
MIN_DRAWS = 8
# Correlation of a member's draws with those of the rest of its group, at most.
TRADES = -0.5
# Correlation of columns of spend from which they say the same.
ALIKE = 0.99
MOST_MEMBERS = 6  # of a group
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
    - ``"not identified"``: it did neither, although the data would have sufficed if
      everything else were known: what the channel does cannot be told from the
      baseline or from other channels. Also if its spend rings an alarm, or the data
      contradict its prior.
    - ``"prior-driven"``: it did not, and the data say too little in any case, or the
      interval is as narrow as that because of a prior: that prior tells the effect.
      The estimate is what was expected before.

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
    lost = (learnable >= ENOUGH) & ~narrow
    verdicts = np.where(lost, VERDICTS[2], VERDICTS[1])
    verdicts = np.where(is_known(learned, narrow), VERDICTS[0], verdicts)
    verdicts = np.where(not_learned == "zero", VERDICTS[1], verdicts)
    return np.where(doubted | (not_learned == "steady"), VERDICTS[2], verdicts)


def is_known(learned: Array, narrow: np.ndarray) -> np.ndarray:
    """Return whether the data tell each effect, from two of `channel_verdicts`."""
    return (learned >= ENOUGH) & narrow


def contraction(effects: Array, prior: Array) -> Array:
    """Return the share of the prior variance that the data removed, (n_media,).

    The larger of that of the effect and of its logarithm: an effect near zero is known
    well in KPI units though hardly in relative terms, a large one the other way round.
    Both arguments are draws, (n_draws, n_media), of the mean effect over rows, which is
    the one that is reported.
    """
    logs = _removed(_log(effects), _log(prior))
    return np.maximum(_removed(effects, prior), logs)


def control_verdicts(effects: Array, prior: Array) -> np.ndarray:
    """Return the verdict on every control, (n_controls,); None with too few draws.

    ``"data-driven"`` or ``"not identified"`` as for channels, but that the spread of
    the effect itself has to shrink to less than half of the prior's: the prior of
    controls is normal, so that it splits a large effect evenly between two columns that
    say the same, and each would look known by its logarithm.

    Both arguments are draws, (n_draws, n_controls), of the mean effect over rows.
    """
    if len(effects) < MIN_DRAWS:
        return np.full(effects.shape[1], None, dtype=object)
    known = is_known(_removed(effects, prior), is_narrow(effects))
    return np.where(known, VERDICTS[0], VERDICTS[2]).astype(object)


def stock_verdicts(shares: Array, prior: Array, doubted: np.ndarray) -> np.ndarray:
    """Return the verdict on the share of slow stocks, (n,); None with too few draws.

    "data-driven" if the spread of the share itself shrank to less than half of the
    prior's, "not identified" of channels that are `doubted`, else "prior-driven".

    Both arguments are draws, (n_draws, n).
    """
    if len(shares) < MIN_DRAWS:
        return np.full(shares.shape[1], None, dtype=object)
    known = _removed(shares, prior) >= ENOUGH
    verdict = np.where(known, VERDICTS[0], VERDICTS[1])
    return np.where(doubted, VERDICTS[2], verdict).astype(object)


def doubt_removed(expected: Array, caused: Array, error: Array) -> np.ndarray:
    """Return the share of the variance of effects that each test removes, (Q,).

    By Bayes linear adjustment [1]_, ``rho ** 2 v / (v + s ** 2)``: with v the variance
    of what the model expects of the test, rho its correlation with the effect, and s
    the standard error. Draws before the test say it better than a ratio of two
    variances from two sets of draws.

    Parameters
    ----------
    expected : ndarray of shape (n_draws, Q)
        What the model expects of each test.
    caused : ndarray of shape (n_draws, Q)
        What the channels of each cause.
    error : ndarray of shape (Q,)

    References
    ----------
    .. [1] Goldstein, Wooff (2007). Bayes Linear Statistics, ch. 3.
    """
    if len(expected) == 1:
        return np.full(len(error), np.nan)
    away, effect = expected - expected.mean(axis=0), caused - caused.mean(axis=0)
    variance = (away**2).mean(axis=0)
    moved = (away * effect).mean(axis=0) ** 2
    total = (effect**2).mean(axis=0) * (variance + error**2)
    return np.divide(moved, total, out=np.zeros_like(total), where=total > 0)


def is_narrow(effects: Array) -> np.ndarray:
    """Return whether 90 % intervals of effects say of which size they are, (n_media,).

    Their bounds have the same sign, and the larger is at most four times the smaller.
    The argument are draws, (n_draws, n_media).
    """
    low, high = np.quantile(effects, [0.05, 0.95], axis=0, method="weibull")
    small, large = np.minimum(abs(low), abs(high)), np.maximum(abs(low), abs(high))
    return (low * high > 0) & (large <= WIDEST * small)


def known_together(
    effects: Array, prior: Array, unknown: np.ndarray, twins: np.ndarray
) -> np.ndarray:
    """Return groups of channels whose sum is known although no member is.

    The sum meets what `channel_verdicts` asks of a data-driven channel. And its members
    trade with each other: two are twins, or draws in which one has more give the rest
    less, with a correlation of at most -0.5. Groups grow from each channel by the one
    that trades most with them. The smallest count first, then those of the first
    channels; no channel is in two.

    Parameters
    ----------
    effects : ndarray of shape (n_draws, n_media)
        Posterior draws of the mean effect.
    prior : ndarray of shape (n_prior_draws, n_media)
    unknown : ndarray of shape (n_media,), bool
        Channels that are not data-driven and that nothing else speaks against.
    twins : ndarray of shape (n_media, n_media), bool
        As `find_twins` returned it.

    Returns
    -------
    group : ndarray of shape (n_media,), int
        Number of the group, -1 without one.
    """
    group = np.full(effects.shape[1], -1)
    if len(effects) < MIN_DRAWS:
        return group
    for n in range(len(group)):
        free = np.flatnonzero(unknown & (group < 0)).tolist()
        grown = [_grow(m, free, effects, prior, twins) for m in free]
        found = [members for members in grown if members]
        if not found:
            break
        group[min(found, key=lambda members: (len(members), members))] = n
    return group


def _grow(start, free, effects, prior, twins):
    """Return the first group that grows from a channel, None if none does."""
    members = [start]
    while len(members) < min(len(free), MOST_MEMBERS):
        rest = [m for m in free if m not in members]
        members.append(min(rest, key=lambda m: _trade(m, members, effects, twins)))
        total = effects[:, members].sum(axis=1, keepdims=True)
        if is_narrow(total)[0] and all(
            _trade(m, [o for o in members if o != m], effects, twins) <= TRADES
            for m in members
        ):
            expected = prior[:, members].sum(axis=1, keepdims=True)
            if contraction(total, expected)[0] >= ENOUGH:
                return sorted(members)
    return None


def _trade(channel, others, effects, twins):
    """Return the correlation of a channel with the sum of others, -1 with a twin."""
    if twins[channel, others].any():
        return -1.0
    return _correlations(effects[:, [channel]], effects[:, others].sum(axis=1))[0]


def find_twins(prior: Array, media: Array, known: np.ndarray) -> np.ndarray:
    """Return which pairs of channels data cannot tell apart, (n_media, n_media).

    Relative to the mean of their region, their spends have a correlation of at least
    0.99, and no prior says of which size one of them is. Each may look data-driven by
    itself, since their sum is and the prior shares it out.

    Parameters
    ----------
    prior : ndarray of shape (n_prior_draws, n_media)
        Draws of the mean effect.
    media : ndarray of shape (n_regions, n_periods, n_media)
    known : ndarray of shape (n_regions, n_periods), bool
        Cells that count.
    """
    weight = known[:, :, None] / np.maximum(known.sum(axis=1), 1)[:, None, None]
    mean = (weight * media).sum(axis=1, keepdims=True)
    relative = (media / np.where(mean > 0, mean, 1.0))[known]
    same = [_correlations(relative, column) >= ALIKE for column in relative.T]
    told = is_narrow(prior)
    twins = np.array(same, dtype=bool).reshape(len(told), len(told))
    return twins & ~np.eye(len(told), dtype=bool) & ~told & ~told[:, None]


def _correlations(columns, one):
    """Return the correlation of columns with one, 0 where one of them stands still."""
    columns, one = columns - columns.mean(axis=0), one - one.mean()
    size = np.sqrt((columns**2).sum(axis=0) * (one @ one))
    return one @ columns / np.where(size > 0, size, np.inf)


def _removed(effects: Array, prior: Array) -> Array:
    """Return the share of the prior variance that the data removed."""
    return 1.0 - (_spread(effects) / _spread(prior)) ** 2


def _log(values: Array) -> Array:
    return np.log(np.maximum(np.abs(values), 1e-12))


def _spread(draws: Array) -> Array:
    """Half the distance between the 16 and 84 % quantiles: the sd of a normal."""
    low, high = np.quantile(draws, [0.16, 0.84], axis=0)
    return np.maximum((high - low) / 2, 1e-12)
