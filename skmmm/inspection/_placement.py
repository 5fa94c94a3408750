"""Was spend placed so that its effect cannot be told from something else?

Spend that follows past sales is found by `follows_kpi`. Here are the other ways in
which a channel moves with the KPI without being its cause, or without the data being
able to say so: its budget reacts to the KPI of the same period or anticipates that of
the next, it was switched once, it runs when something that nobody recorded happens; or
it lowers the KPI, which the model takes for impossible.
"""

from functools import cached_property

import numpy as np
from scipy.signal import lfilter
from scipy.stats import chi2
from scipy.stats import t as t_distribution

from skmmm._utils.typing import Array
from skmmm.inspection._endogeneity import (
    N_LAGS,
    _complete,
    _is_used,
    _lag,
    _long_run,
    _mean,
    _past_spend,
    _relative_kpi,
    _relative_spend,
    _ridge,
    _time_terms,
    follows_kpi,
)

FOLLOWS = "follows past KPI"
REACTS = "reacts to the KPI of the same period"
ANTICIPATES = "anticipates the KPI"
SWITCH = "one switch"
EVENT = "moves with a hidden event"
LOWERS = "lowers the KPI"
GROUPS = "moves in groups of regions, as the KPI does"
TOGETHER = "moves with other budgets, as demand does"
AHEAD = "the KPI goes with it before it is spent"
ACCOMPANIES = "moves with a budget that rings an alarm"
DISPUTED = "says another effect than an experiment"
WHOLE = "seems to cause more than the whole KPI"
LASTS = "seems to act for longer than expected"
SURPRISED = "later rows surprised the model"
UNTRUSTED = "draws cannot be trusted"

_DO = (
    "Do not act on it without an experiment; add {} as a control, or tell what is "
    "known with the parameter priors."
)
# What a warning says of channels, after "The spend of [...] ".
ADVICE = {
    FOLLOWS: "follows the KPI of earlier periods, so that its estimated effect holds "
    "what moved the KPI before. " + _DO.format("what the budget reacts to"),
    REACTS: "reacts to the KPI of the same period, or something unseen moves both: "
    "what moves with it is left out of the model, unless priors say what it returns, "
    "and its effect is an assumption. Do not act on it without an experiment; add what "
    "the budget reacts to as a control.",
    ANTICIPATES: "anticipates the KPI of the next period: what moves with it is left "
    "out of the model, unless priors say what it returns, and its effect is an "
    "assumption. Do not act on it without an experiment; add the forecast that the "
    "budget is planned with as a control.",
    SWITCH: "was switched once, in all regions at the same time, and says little "
    "otherwise: its effect cannot be told from a break in level or trend. "
    "Do not act on it without an experiment; vary the spend, by region or by period, "
    "or tell what is known with the parameter priors.",
    EVENT: "is higher in periods in which the KPI jumps, and without them has no "
    "effect, as if an unrecorded event (a promotion, a holiday) were behind both. "
    + _DO.format("the event"),
    LOWERS: "goes with a lower KPI, but the model only allows that it raises it. Find "
    "out whether it is spent when the KPI falls for another reason, and add that as a "
    "control; if it may do harm, name it in free_sign.",
    GROUPS: "moves in groups of regions, and so does what the model leaves of the KPI, "
    "as if something unseen moved both. " + _DO.format("what moves these regions"),
    TOGETHER: "moves with that of other channels, as budgets do that follow the same "
    "demand, and that demand may move the KPI, too: the data cannot tell it from an "
    "effect (hidden_demand says what was found). "
    + _DO.format("what moves the budgets"),
    WHOLE: "seems to cause more than the whole KPI, which is hardly so: where a "
    "channel is never dark, no row says what no spend does, and what moves the KPI "
    "otherwise may decide. " + _DO.format("what moves the KPI of all regions"),
    LASTS: "seems to act for longer than expected: something else that is as slow may "
    "be taken for its carry-over. Do not act on it without an experiment; if it does "
    "act for so long, say so with priors (decay) and a longer max_lag, or name it in "
    "brand_channels.",
    ACCOMPANIES: "moves with that of a channel which reacts to the KPI, anticipates it "
    "or follows it: what moves that budget may move this one and the KPI, and its "
    "estimated effect may include that. " + _DO.format("what moves the budgets"),
    AHEAD: "of the next period goes with the KPI of this one, which it cannot cause: "
    "something that lasts moves both, or the budget follows the KPI, and its estimated "
    "effect may include that. " + _DO.format("what moves the budget"),
    DISPUTED: "says another effect than an experiment measured: one of the two is "
    "wrong, and the estimate is a compromise that neither supports. Find out which "
    "(experiments_ says what each found), and leave it out.",
    SURPRISED: "is judged by a model that rows of later periods surprised: something "
    "has changed that it does not know, as a break, another unit or an error in the "
    "data. Look at these rows, and fit again with all of them.",
    UNTRUSTED: "has an interval from draws that are not those of the posterior "
    "(sampling_diagnostics_). Fit again with more draws, or another random_state.",
}

# What a warning adds of channels of whose estimate not all is called their effect.
HALVED = (
    " Until then half of what moves with {} is called the effect, and intervals start "
    "at nothing."
)
# Spend that is a consequence of the KPI, or of what moves it.
CONSEQUENCES = REACTS, ANTICIPATES
# Of channels that mostly turn out innocent: only the verdict falls. In one series more
# move with others by chance than in a panel.
LEAVE_ESTIMATES = (AHEAD,)
LEAVE_IN_SERIES = *LEAVE_ESTIMATES, ACCOMPANIES
# With whom others may be moved by the same thing.
SUSPECTS = FOLLOWS, *CONSEQUENCES

# Weeks without which nothing is looked for but spend that follows the past KPI.
MIN_PERIODS = 52
# A reaction: least correlation of spend and KPI given all else, least gain in
# log-likelihood over an effect, and least p-value of all else given the KPI.
MIN_CORRELATION = 0.35
MIN_GAIN = 5.0
MIN_P_REACTION = 1e-4
# Spend is the KPI if their ratio has at most this share of the KPI's variance.
SAME = 0.05
# A switch: fewest periods without spend, largest share of dark cells while it is on,
# and regions that may differ from the others by more than `NEAR` periods.
MIN_DARK = 13
MAX_DARK_ON = 0.1
NEAR, MAX_ELSEWHERE = 2, 0.1
# Significance of its step or turn, and of pulses without which they say nothing.
MIN_STEP, MIN_PULSES = 2.75, 2.7
# An event: least significance of the effect that it feigns; least gain in
# log-likelihood of two levels over one in what all channels leave of the KPI, and in
# what the others leave, with the levels at least so many standard deviations apart;
# least significance of the levels in spend, and that of an effect within them.
MIN_FEIGNED = 2.5
MIN_LEVELS_GAIN, MIN_EVENT_GAIN, MIN_DISTANCE = 2.0, 9.0, 2.8
MIN_EVENT, MIN_EFFECT = 3.0, 3.0
# With less than that, errors independent, neither is looked for.
MIN_ROUGH = 2.0
# Shares of the upper level that EM starts from, its steps, and bins of values.
RARE, N_EM, N_BINS = (0.2, 0.1), 60, 1_000
# Decays of the carried-over spend that stands for an effect.
EFFECT_DECAYS = (0.0, 0.3, 0.6)
# Largest p-values of a lowered KPI, one-sided, of the second and the third decay: an
# effect that comes late can look like harm at first.
ALPHA_LOWERS, ALPHA_LASTING = 0.0005, 0.005


def spend_alarms(
    media: Array, kpi: Array, observed: np.ndarray, controls: Array, season: Array
) -> tuple[str, ...]:
    r"""Return why the effect of a channel cannot be learned from its spend.

    The arguments are those of `follows_kpi`. With :math:`u` the logarithm of a
    channel's relative spend, :math:`k` the KPI, :math:`F` the channel's own past (and,
    in a first of two variants, controls, season and trend) and :math:`Z` all else
    (other channels, now and carried over, and past KPI):

    - *reacts to the KPI of the same period*: what else moves the KPI moves a budget
      that reacts to the KPI, but not one that only causes it. In the factorisation
      :math:`p(u \mid F)\, p(k \mid u, F, Z)` of an effect and :math:`p(u \mid F, k)\,
      p(k \mid F, Z)` of a reaction, the logarithms of the likelihoods differ by

      .. math::

          \frac n2 \log \frac{1 - \rho^2_{uk \mid FZ}}{1 - \rho^2_{uk \mid F}},

      which must be above 3 in favour of the reaction [1]_; the partial correlation
      must be above 0.35; and given the KPI, :math:`Z` must not help to predict spend
      (likelihood ratio, p-value above 0.0001), as it would if channels were only
      planned together. Spend that is proportional to the KPI reacts to it, too.
    - *anticipates the KPI*: the same with the KPI of the next period. Carry-over,
      delayed or not, is an effect, so that the direction tells them apart.
    - *one switch*: spend starts or stops once, in all regions at the same time, the
      KPI steps there, or begins to rise or fall, and the pulses of spend while it is on
      have no effect that could tell this from a break in level or trend [2]_.
    - *moves with a hidden event*: what spend and controls do not explain of the KPI
      has two levels (a mixture of two normal distributions [3]_), the upper one is
      where the channel spends more, and within the levels the channel has no effect.
    - *lowers the KPI*: its coefficient is below zero in a regression without
      constraints (p-value, one-sided, below 0.005, and below 0.025 if carried over
      for longer).

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
    kpi : ndarray of shape (n_regions, n_periods)
    observed : ndarray of shape (n_regions, n_periods)
    controls : ndarray of shape (n_regions, n_periods, n_controls)
    season : ndarray of shape (n_terms, n_periods)

    Returns
    -------
    alarms : tuple of str, of length n_media
        The first reason of each channel, or ``""``.

    Notes
    -----
    No alarm is no proof. A reaction that leaves much of the spend to chance, an event
    that is no jump, and a channel that lowers the KPI a little are not seen. A hidden
    cause that moves both, fast and by much, looks like a reaction.

    References
    ----------
    .. [1] Pearl (2009), Causality, on exclusion: what is a cause of one variable only
       tells the direction; Reichenbach (1956), The Direction of Time.
    .. [2] Perron (1989), doi:10.2307/1913712
    .. [3] Dempster, Laird and Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x
    """
    follows = follows_kpi(media, kpi, observed, controls, season).flagged
    alarms = np.where(follows, FOLLOWS, "").astype(object)
    observed = np.asarray(observed).astype(bool) & np.isfinite(kpi)
    media = np.where(observed[..., None], media, 0.0)
    controls = np.where(observed[..., None], controls, 0.0)
    used = _is_used(media, observed)
    if _complete(observed).any(axis=0).sum() < MIN_PERIODS or not used.any():
        return tuple(alarms)

    now = _Placement(media, kpi, observed, controls, season)
    ahead = _Placement(media, kpi, observed, controls, season, lead=1)
    for m in np.flatnonzero(used & (alarms == "")):
        if is_kpi(media[..., m], kpi, observed) or now.reacts(m):
            alarms[m] = REACTS
        elif ahead.reacts(m):
            alarms[m] = ANTICIPATES
        else:
            alarms[m] = SWITCH if now.is_one_switch(m) else now.effect(m)
    return tuple(alarms)


class _Placement:
    """Spend, KPI and all that could explain them, as columns of one table.

    With `lead` the KPI, and what else could explain it, are those of later periods.
    """

    def __init__(self, media, kpi, observed, controls, season, lead=0):
        self.media, self.observed = media, observed
        self.shape = media.shape
        spend = _relative_spend(media, observed)
        running = (media != 0).astype(np.float64)
        kpi = _relative_kpi(kpi, observed)
        kpi = np.where(observed[..., None], kpi - _mean(kpi, observed), 0.0)
        later = _lead(kpi, lead)
        time = _time_terms(season, observed.shape)
        carried = [lfilter([1 - d], [1, -d], spend, axis=1) for d in EFFECT_DECAYS]
        earlier = [_lag(kpi, lag) for lag in range(2, N_LAGS + 1)]
        blocks = {
            "time": time,
            "controls": controls,
            "controls_next": _lead(controls, 1) if lead else _lag(controls, 1),
            "kpi": np.concatenate([later, later**2], axis=-1),
            "past_kpi": np.concatenate(
                [_lag(kpi, 1), sum(earlier) / len(earlier), *([kpi] if lead else [])],
                axis=-1,
            ),
            # Blocks of which every channel has its columns.
            "spend": spend,
            "running": running,
            "was_running": _lag(running, 1),
            "past": _past_spend(spend),
            "carried": np.concatenate(carried, axis=-1),
            "next": np.concatenate([_lead(spend, lead), _lead(running, lead)], -1),
        }
        self.use = _complete(observed) & (_lead(observed, lead) if lead else True)
        self.period = np.nonzero(self.use)[1]
        self.lead = lead
        ends = np.cumsum([block.shape[-1] for block in blocks.values()])
        self.columns = {
            name: np.arange(end - block.shape[-1], end)
            for (name, block), end in zip(blocks.items(), ends, strict=True)
        }
        self.table = _Table(np.concatenate(list(blocks.values()), -1), self.use)

    def _of(self, m, *names, pieces=None):
        """Return the columns of channel m in blocks, and those of all others."""
        own, others = [], []
        n_media = self.shape[2]
        for name in names:
            columns = self.columns[name].reshape(-1, n_media)
            columns = columns if pieces is None else columns[pieces]
            own.append(columns[:, m])
            others.append(np.delete(columns, m, axis=1).ravel())
        return np.concatenate(own), np.concatenate(others)

    def reacts(self, m):
        """Whether spend of channel m reacts to the KPI, beyond what it could cause."""
        own, _ = self._of(m, "past", "was_running")
        recent = self._of(m, "past", pieces=[0, 4, 5])[1]
        others = np.concatenate(
            [self._of(m, "spend", "running")[1], recent, self.columns["past_kpi"]]
        )
        if self.lead:
            others = np.concatenate([others, self._of(m, "next")[1]])
        frame = np.concatenate(
            [self.columns[name] for name in ("time", "controls", "controls_next")]
        )
        kpi = self.columns["kpi"]
        pair = np.append(self._of(m, "spend")[0], kpi[0])
        n = len(self.period)

        everything = np.concatenate([own, frame, others])
        given_all = _correlation(self.table.products(everything, pair)[0])
        if not given_all > MIN_CORRELATION:
            return False
        wide, n_wide = self.table.products(np.append(everything, kpi), pair[:1])
        for given in (np.append(own, frame), own):
            given_own = _correlation(self.table.products(given, pair)[0])
            gain = np.log((1 - given_all**2) / (1 - given_own**2)) * n / 2
            narrow, n_narrow = self.table.products(np.append(given, kpi), pair[:1])
            ratio = n * np.log(narrow[0, 0] / max(wide[0, 0], 1e-300))
            n_more = max(n_wide[0] - n_narrow[0], 1.0)
            if gain > MIN_GAIN and chi2.sf(ratio, n_more) > MIN_P_REACTION:
                return True
        return False

    def _confounders(self, m):
        """Columns of all that explains the KPI but channel m."""
        names = ("time", "controls", "controls_next", "past_kpi")
        parts = [self.columns[name] for name in names]
        return np.concatenate([*parts, self._of(m, "carried", "running")[1]])

    def effect(self, m):
        """What a regression without constraints says against the effect of channel m.

        Returns LOWERS if the KPI is significantly lower where it spends, EVENT if it
        spends more where the KPI is on its upper level, "" otherwise.
        """
        own = self._of(m, "carried")[0]
        kpi = self.columns["kpi"][0]
        confounders = self._confounders(m)
        rough, n_terms = self.table.products(confounders, np.append(kpi, own))
        n, n_free = len(self.period), len(self.period) - n_terms[0]
        rough = [_correlation(rough[np.ix_([0, j], [0, j])]) for j in range(1, 4)]
        if max(map(abs, rough)) * np.sqrt(n) < MIN_ROUGH:
            return ""
        left, _ = self.table.left(confounders, self.table.X[:, np.append(kpi, own)])
        effects = [_t(x, left[:, 0], self.period) for x in left.T[1:]]
        df = max(min(n_free, len(np.unique(self.period))) - 1, 1.0)
        p_values = t_distribution.cdf(np.array(effects) * np.sqrt(n_free / n), df)
        if p_values[1] < ALPHA_LOWERS and p_values[2] < ALPHA_LASTING:
            return LOWERS
        seen = max(effects) >= MIN_FEIGNED and self._event_gain > MIN_LEVELS_GAIN
        return EVENT if seen and self._has_event(confounders, left) else ""

    def _has_event(self, confounders, left):
        """Whether KPI and spend that were left have their upper levels together."""
        gain, distance, upper = _two_levels(left[:, 0])
        if gain <= MIN_EVENT_GAIN or distance < MIN_DISTANCE:
            return False
        upper = self.table.left(confounders, self.table.centred(upper[:, None]))[0]
        if _t(upper[:, 0], left[:, 1], self.period) < MIN_EVENT:
            return False
        left = left - upper @ np.linalg.lstsq(upper, left, rcond=None)[0]
        return max(_t(x, left[:, 0], self.period) for x in left.T[1:]) < MIN_EFFECT

    @cached_property
    def _event_gain(self):
        """Gain of two levels in what everything leaves of the KPI."""
        given = np.concatenate(
            [self._confounders(0), *self._of(0, "carried", "running")[:1]]
        )
        kpi = self.table.X[:, self.columns["kpi"][:1]]
        return _two_levels(self.table.left(given, kpi)[0][:, 0])[0]

    def is_one_switch(self, m):
        """Whether channel m was switched once, where the KPI turns, and no more."""
        running = self.media[..., m] != 0
        on = _one_switch(running, self.observed)
        if on is None:
            return False
        spend = _relative_spend(self.media[..., [m]], running)  # 0 while it is off
        pulses = [lfilter([1 - d], [1, -d], spend, axis=1) for d in EFFECT_DECAYS]
        since = on.cumsum() if on[-1] else -(~on).cumsum()
        turns = np.broadcast_to(np.stack([on, since], -1), (*running.shape, 2))
        extra = np.concatenate([turns, *pulses], axis=-1).astype(np.float64)
        values = np.concatenate(
            [
                self.table.X[:, self.columns["kpi"][:1]],
                self.table.centred(extra[self.use]),
            ],
            axis=1,
        )
        confounders = np.setdiff1d(self._confounders(m), self.columns["past_kpi"])
        left, _ = self.table.left(confounders, values)
        if max(_t(x, left[:, 0], self.period) for x in left.T[1:3]) < MIN_STEP:
            return False
        left, _ = self.table.left(self._confounders(m), values)
        turns = left[:, 1:3]
        left = left - turns @ np.linalg.lstsq(turns, left, rcond=None)[0]
        return max(_t(x, left[:, 0], self.period) for x in left.T[3:]) < MIN_PULSES


class _Table:
    """Columns of used cells, without the means of their regions."""

    def __init__(self, columns, use):
        self.use = use
        self.n_means = use.any(axis=1).sum()
        X = (columns - _mean(columns, use))[use]
        size = np.sqrt((X**2).mean(axis=0))
        varies = size > 1e-9 * np.sqrt((columns[use] ** 2).mean(axis=0))
        self.X = np.where(varies, X / np.where(varies, size, 1.0), 0.0)
        self.gram = self.X.T @ self.X

    def centred(self, values):
        """Values (n, K) of used cells without the means of their regions."""
        grid = np.zeros((*self.use.shape, values.shape[1]))
        grid[self.use] = values
        return (grid - _mean(grid, self.use))[self.use]

    def products(self, given, columns):
        """Return products of what given columns leave of others, and parameters."""
        square = self.gram[np.ix_(given, given)]
        cross = self.gram[np.ix_(given, columns)]
        total = self.gram[np.ix_(columns, columns)]
        n = len(self.X)
        coef, n_terms = _ridge(square, cross, total.diagonal(), n, self.n_means)
        both = coef.T @ cross
        return total - both - both.T + coef.T @ square @ coef, n_terms

    def left(self, given, values):
        """Return what columns leave of values (n, K), and numbers of parameters."""
        cross = (self.X.T @ values)[given]
        coef, n_terms = _ridge(
            self.gram[np.ix_(given, given)],
            cross,
            (values**2).sum(axis=0),
            len(values),
            self.n_means,
        )
        full = np.zeros((self.X.shape[1], values.shape[1]))
        full[given] = coef
        return values - self.X @ full, n_terms


def _lead(values, lead):
    """Move values (R, T, K) to `lead` periods earlier, zeros behind."""
    return _lag(values[:, ::-1], lead)[:, ::-1]


def is_kpi(spend, kpi, observed):
    """Whether spend (R, T) is proportional to the KPI wherever both are positive."""
    use = observed & (spend > 0) & (np.where(observed, kpi, 0.0) > 0)
    if use.sum() < 0.9 * observed.sum():
        return False
    log_kpi = np.log(np.where(use, kpi, 1.0))[..., None]
    ratio = np.log(np.where(use, spend, 1.0))[..., None] - log_kpi
    own, other = (((x - _mean(x, use))[use] ** 2).sum() for x in (ratio, log_kpi))
    return own < SAME * other


def _correlation(product):
    """Correlation from products (2, 2), away from 1; 0 if a column is zero."""
    size = np.sqrt(product[0, 0] * product[1, 1])
    return np.clip(product[0, 1] / size, -0.999999, 0.999999) if size > 0 else 0.0


def _t(x, y, period):
    """Statistic of the slope of y (n,) on x (n,), errors of a period correlated.

    The smaller one, with and without Bartlett weights, as in `follows_kpi`.
    """
    power = x @ x
    if power < 1e-12 * len(x):
        return 0.0
    slope = x @ y / power
    n_periods = len(np.unique(period))
    scores = np.zeros((period.max() + 1, 1))
    np.add.at(scores, period, (x * (y - slope * x))[:, None])
    bandwidth = int(4 * (n_periods / 100) ** (2 / 9))
    variance = max(_long_run(scores, b)[0, 0] for b in (0, bandwidth))
    return x @ y / np.sqrt(max(variance, 1e-300))


def _one_switch(running, observed):
    """Return when a channel is on (T,) if it was switched once everywhere, or None."""
    n_periods = running.shape[1]
    ever = running.any(axis=1)
    starts = np.where(ever, running.argmax(axis=1), n_periods)
    ends = np.where(ever, n_periods - running[:, ::-1].argmax(axis=1), 0)
    periods = np.arange(n_periods)
    for at, is_start in ((starts, True), (ends, False)):
        switch = int(np.median(at))
        on = (periods >= switch) == is_start
        dark = (observed & ~running)[:, on].sum() / max(observed[:, on].sum(), 1)
        elsewhere = (np.abs(at - switch) > NEAR).mean()
        if (
            (~on).sum() >= MIN_DARK
            and dark <= MAX_DARK_ON
            and elsewhere <= MAX_ELSEWHERE
        ):
            return on
    return None


def _two_levels(values):
    """Mixture of two normals of one variance, by EM from two starts.

    Returns the gain in log-likelihood over one normal, the distance of the means in
    standard deviations and each value's probability of the upper one. Values are
    rounded to `N_BINS` of equal width, which makes large panels cheap.
    """
    scale = values.std()
    if scale == 0:
        return 0.0, 0.0, np.zeros_like(values)
    edges = np.linspace(values.min(), values.max(), N_BINS + 1)
    where = np.clip(np.searchsorted(edges, values) - 1, 0, N_BINS - 1)
    count = np.bincount(where, minlength=N_BINS)
    x = (edges[1:] + edges[:-1]) / 2 / scale
    found = []
    for share in RARE:
        upper = (x > np.quantile(values / scale, 1 - share)).astype(np.float64)
        for _ in range(N_EM):
            size = np.array([(1 - upper) @ count, upper @ count])
            size = np.maximum(size, 1e-4 * len(values))
            means = np.array([(count - count * upper) @ x, (count * upper) @ x]) / size
            away = (x[:, None] - means) ** 2  # (N_BINS, 2)
            parts = np.column_stack([1 - upper, upper]) * away
            variance = max(count @ parts.sum(axis=1) / len(values), 1e-12)
            log = np.log(size / len(values)) - away / (2 * variance)
            both = np.logaddexp(*log.T)
            upper = np.exp(log[:, 1] - both)
        gain = count @ both - len(values) * (np.log(variance) - 1) / 2
        found.append((gain, (means[1] - means[0]) / np.sqrt(variance), upper[where]))
    return max(found, key=lambda one: one[0])
