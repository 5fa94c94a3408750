"""Worlds whose truth is known: each name in WORLDS is a function of a seed.

Every world returns a `Problem`: X, y, the true contribution of each channel in each
row, and the roles of the columns. Five families, restated here in our own code from
their public descriptions, so that any number of seeds can be drawn:

- `small`, `growing`, `medium`, `large`: the four presets of the PyMC Labs recovery
  benchmark [1]. Same parameters, other random numbers; `public_tables` yields the
  tables of its own seed where they are present. In `large` the parameters themselves
  are drawn, here all from the seed.
- `clean` and its variants, each of which breaks one assumption: the stress worlds of
  mmm-framework [2]. `drifting_effect` (smooth) is ours, `time_varying` (with a step)
  is theirs; `kitchen_sink` (several breaks at once) is ours, as theirs is not public
  in the same form.
- `endogenous`: spend follows past sales, after Heusch [3]; `exogenous` is its twin,
  whose spend follows the sales of an unrelated shop. The published description is
  incomplete: amplitudes, noise and demand are ours.
- `funnel`: a third of what television causes runs through search, after Orduz [4].
- `national_*` and `panel_*`: `skmmm.datasets.make_mmm_panel`.

What each world assumes beyond its source stands in its docstring. REPRESENTABLE tells
in which worlds the default model could be right, so that coverage can be averaged over
those alone.

References
----------
.. [1] https://github.com/pymc-labs/mmm-param-recovery
.. [2] https://github.com/redam94/mmm-framework, src/mmm_framework/synth
.. [3] https://arxiv.org/abs/2608.21130
.. [4] Orduz, J. (28 August 2026), https://www.pymc-labs.com/blog-posts
"""

from dataclasses import replace
from functools import partial

import numpy as np
from preset_worlds import PRESETS, make_preset
from scipy.special import expit
from world_parts import (
    REGION,
    WEEK,
    Family,
    Problem,
    autoregression,
    carry_over,
    geometric,
    hill,
    logit,
    one_series,
    weibull,
    without_each,
)

from skmmm.datasets import make_mmm_panel

# Stress worlds: one value per channel.
CHANNELS = ["tv", "search", "social", "display"]
TV, SEARCH, SOCIAL, DISPLAY = range(4)
N_WEEKS = 156
N_LAGS = 8
BASE_SPEND = np.array([100.0, 60.0, 50.0, 40.0])
FLIGHT_WEEKS = np.array([9.0, 7.0, 11.0, 13.0])
DECAY = np.array([0.6, 0.2, 0.4, 0.5])
RATE = np.array([1.6, 1.8, 1.7, 1.5])
AMPLITUDE = np.array([150.0, 100.0, 90.0, 65.0])
NOISE = 22.0
WEIBULL = {"shape": [2.6, 1.8, 2.2, 2.4], "scale": [9.0, 6.0, 7.0, 8.0], "n_lags": 26}
S_CURVE = {"half": [0.45, 0.40, 0.42, 0.45], "slope": [3.0, 2.5, 3.0, 2.8]}
CHASE = {
    "confounded": np.array([0.10, 1.6, 1.2, 0.15]),
    "dense_controls": np.array([2.0, 2.5, 0.0, 0.0]),
}
HOLIDAY_WEEKS = [47, 48, 50, 51]
SYNERGY = 130.0

# Endogenous world: sales follow a base, a season, hidden demand, and media.
BASE_SALES = 2_000.0
AUCTION_CHANNELS = ["pla", "meta", "tv"]
AUCTION_SPEND = np.array([60.0, 40.0, 10.0])
AUCTION_RETURN = np.array([4.3, 2.0, 3.0])
AUCTION_DECAY = np.array([0.2, 0.3, 0.6])
AUCTION_LAGS = 6
CHASING = {"sensitivity": 0.8, "lag": 1, "window": 10, "low": 0.5, "high": 3.0}

# Worlds in which no parameters of the default model reproduce what media cause, or in
# which something unseen moves sales and spend together: intervals need not cover there.
MISSPECIFIED = {
    "slow_weibull",
    "outliers",
    "confounded",
    "trend_break",
    "season_misspecified",
    "synergy",
    "drifting_effect",
    "time_varying",
    "kitchen_sink",
    "endogenous",
    "national_drifting",
    "panel_drifting",
    "panel_weibull",
}

PANELS = {
    "national_constant": {"n_regions": 1},
    "national_drifting": {"n_regions": 1, "effect_drift": 0.5},
    "panel_constant": {"n_regions": 8},
    "panel_drifting": {"n_regions": 8, "effect_drift": 0.5},
    "panel_weibull": {"n_regions": 8, "adstock": "weibull"},
    "panel_exponential": {"n_regions": 8, "saturation": "exponential"},
    "panel_level": {"n_regions": 8, "level": 0.05},
    "panel_unlike": {"n_regions": 8, "region_spread": 0.8},
}


# --- stress worlds -------------------------------------------------------------------


def _exponential(x):
    return -np.expm1(-RATE * x)


def _clean_parts(seed):
    """What the stress worlds of one seed share, drawn in one order.

    Returns the generator for what else a world draws, spend (T, M), prices, baseline
    and standard normal noise, each (T,).
    """
    rng = np.random.default_rng(seed)
    weeks = np.arange(N_WEEKS)
    price = 12 + 0.5 * np.cos(2 * np.pi * weeks / 52)
    price -= 0.8 * (rng.random(N_WEEKS) < 0.15)
    spend = _pulses(rng, FLIGHT_WEEKS, rng.uniform(0, 2 * np.pi, len(CHANNELS)), 0.25)
    noise = rng.standard_normal(N_WEEKS)
    trend = 60 * weeks / N_WEEKS
    baseline = 300 + trend + _year_wave() - 28 * (price - price.mean())
    return rng, spend, price, baseline, noise


def _pulses(rng, period, phase, sigma):
    """Spend (T, M) in flights of a given period, almost dark between them."""
    weeks = np.arange(N_WEEKS)[:, None]
    burst = np.maximum(np.sin(2 * np.pi * weeks / period + phase), 0.0)
    wobble = rng.lognormal(0.0, sigma, (N_WEEKS, len(CHANNELS)))
    return np.maximum(BASE_SPEND * (0.08 + 1.6 * burst) * wobble, 0.5)


def _year_wave():
    angle = 2 * np.pi * np.arange(N_WEEKS) / 52
    return 35 * np.sin(angle) + 22 * np.cos(angle)


def _demand(rng, *, season, growth, sd):
    """Hidden demand (T,): its deviation from its mean."""
    weeks = np.arange(N_WEEKS)
    demand = season * np.cos(2 * np.pi * weeks / 52) + growth * weeks / N_WEEKS
    demand += autoregression(rng, 0.5, sd, N_WEEKS)
    return demand - demand.mean()


def _chase(spend, demand, strength):
    """Spend whose budgets follow demand, by channel strength."""
    return np.maximum(spend * np.maximum(1 + strength * demand[:, None], 0.1), 0.5)


def _media_response(spend, *, kernels=None, saturate=_exponential, factor=1.0):
    """KPI per channel, (T, M), as a function of spend; scaled by today's maxima."""
    kernels = geometric(DECAY, N_LAGS) if kernels is None else kernels
    maxima = spend.max(axis=0)
    return lambda x: AMPLITUDE * factor * saturate(carry_over(x / maxima, kernels))


def _simple_family(spend):
    """Geometric carry-over and exponential saturation, one decay and rate a channel."""
    n_channels = len(CHANNELS)

    def curves(parameters):
        decay, log_rate = np.split(parameters, 2)
        kernels = geometric(expit(decay), N_LAGS)
        carried = carry_over(spend / spend.max(axis=0), kernels)
        return -np.expm1(-np.exp(log_rate) * carried)

    kinds = ["logit decay"] * n_channels + ["log rate"] * n_channels
    return Family(curves, np.r_[logit(DECAY), np.log(RATE)], kinds)


def _stress(name, seed, spend, controls, rest, *, observed=None, synergy=0.0, **media):
    """Pack a stress world: rest (T,) is all that media do not cause, with noise."""
    parts = _media_response(spend, **media)

    def response(x):
        each = parts(x)
        joint = each[:, TV] * each[:, SEARCH] / (AMPLITUDE[TV] * AMPLITUDE[SEARCH])
        return each.sum(axis=1) + synergy * joint

    problem = one_series(
        name,
        seed,
        media=CHANNELS,
        spend=spend if observed is None else observed,
        controls=controls,
        y=np.maximum(response(spend) + rest, 1.0),
        truth=without_each(response, spend),
    )
    simple = observed is None and not synergy and not media
    return replace(problem, family=_simple_family(spend) if simple else None)


def make_clean(seed, name="clean", **media):
    """Flights, geometric carry-over, concave response, Gaussian noise, fair budgets."""
    _, spend, price, baseline, noise = _clean_parts(seed)
    rest = baseline + NOISE * noise
    return _stress(name, seed, spend, {"price": price}, rest, **media)


def make_collinear(seed):
    """All channels run the same flights; 5 % of wobble tells them apart."""
    rng, _, price, baseline, noise = _clean_parts(seed)
    spend = _pulses(rng, FLIGHT_WEEKS[TV], rng.uniform(0, 2 * np.pi), 0.05)
    rest = baseline + NOISE * noise
    return _stress("collinear", seed, spend, {"price": price}, rest)


def make_slow_weibull(seed):
    """Carry-over peaks after weeks and lasts up to half a year."""
    return make_clean(seed, "slow_weibull", kernels=weibull(**WEIBULL))


def make_exponential_s(seed):
    """Responses with a threshold: Hill slopes of 2.5 to 3."""
    return make_clean(seed, "exponential_s", saturate=partial(hill, **S_CURVE))


def make_synergy(seed):
    """Television and search multiply; each channel's truth includes the joint part."""
    return make_clean(seed, "synergy", synergy=SYNERGY)


def make_drifting_effect(seed):
    """Effects move smoothly: 40 % down, 40 % up, two waves of 40 %."""
    weeks = np.linspace(-1, 1, N_WEEKS)
    moves = [-weeks, weeks, np.sin(np.pi * weeks), np.cos(np.pi * weeks)]
    factor = 1 + 0.4 * np.stack(moves, axis=-1)
    return make_clean(seed, "drifting_effect", factor=factor)


def make_time_varying(seed):
    """Television tires, search jumps at half time, social has a season."""
    weeks = np.arange(N_WEEKS)
    factor = np.ones((N_WEEKS, len(CHANNELS)))
    factor[:, TV] = np.linspace(1.4, 0.6, N_WEEKS)
    factor[:, SEARCH] = np.where(weeks < N_WEEKS // 2, 0.6, 1.5)
    factor[:, SOCIAL] += 0.3 * np.sin(2 * np.pi * weeks / 52)
    return make_clean(seed, "time_varying", factor=factor)


def make_outliers(seed):
    """As clean, but one week per channel is recorded as 15 times the maximum."""
    rng, spend, price, baseline, noise = _clean_parts(seed)
    observed = spend.copy()
    weeks = rng.integers(10, N_WEEKS - 10, len(CHANNELS))
    observed[weeks, range(len(CHANNELS))] = 15 * spend.max(axis=0)
    rest = baseline + NOISE * noise
    return _stress("outliers", seed, spend, {"price": price}, rest, observed=observed)


def make_confounded(seed):
    """Hidden demand raises sales and the budgets of search and social."""
    rng, spend, price, baseline, noise = _clean_parts(seed)
    demand = _demand(rng, season=0.35, growth=0.45, sd=0.18)
    spend = _chase(spend, demand, CHASE["confounded"])
    rest = baseline + 90 * demand + NOISE * noise
    return _stress("confounded", seed, spend, {"price": price}, rest)


def make_trend_break(seed):
    """Sales fall by 140 at half time, then recover; tv and display spend 60 % more."""
    _, spend, price, baseline, noise = _clean_parts(seed)
    since = np.arange(N_WEEKS) - N_WEEKS // 2
    spend[since >= 0] *= [1.6, 1.0, 1.0, 1.6]
    rest = baseline + np.where(since < 0, 0.0, 1.45 * since - 140) + NOISE * noise
    return _stress("trend_break", seed, spend, {"price": price}, rest)


def make_season_misspecified(seed):
    """Season grows, holidays peak sharply, and social spends most around them."""
    _, spend, price, baseline, noise = _clean_parts(seed)
    weeks = np.arange(N_WEEKS)
    extra = 0.6 * weeks / N_WEEKS * _year_wave()
    extra += 160 * np.isin(weeks % 52, HOLIDAY_WEEKS)
    spend[weeks % 52 >= 40, SOCIAL] *= 3
    rest = baseline + extra + NOISE * noise
    return _stress("season_misspecified", seed, spend, {"price": price}, rest)


def make_dense_controls(seed):
    """Twenty-five controls, of which three matter.

    `demand` measures, almost exactly, the demand that budgets chase; price and weather
    matter; 18 random walks and four noisy copies of spend do not.
    """
    rng, spend, price, baseline, noise = _clean_parts(seed)
    demand = _demand(rng, season=0.25, growth=0.35, sd=0.16)
    spend = _chase(spend, demand, CHASE["dense_controls"])
    angle = 2 * np.pi * np.arange(N_WEEKS) / 52
    weather = np.sin(angle + 0.5) + rng.normal(0.0, 0.3, N_WEEKS)
    walks = rng.standard_normal((N_WEEKS, 18)).cumsum(axis=0) / np.sqrt(N_WEEKS)
    copies = (spend - spend.mean(axis=0)) / spend.std(axis=0)
    copies += rng.normal(0.0, 0.45, copies.shape)
    controls = {
        "demand": 100 * demand + rng.normal(0.0, 6.0, N_WEEKS),
        "price": price,
        "weather": weather,
        **{f"walk_{i + 1}": walk for i, walk in enumerate(walks.T)},
        **{f"{c}_copy": copy for c, copy in zip(CHANNELS, copies.T, strict=True)},
    }
    rest = baseline + 180 * demand + 14 * weather + 24 * noise
    return _stress("dense_controls", seed, spend, controls, rest)


def make_heavy_tails(seed):
    """Student noise with 3 degrees of freedom that grows with sales; five spikes."""
    rng, spend, price, baseline, _ = _clean_parts(seed)
    mean = baseline + _media_response(spend)(spend).sum(axis=1)
    noise = 14 * mean / mean.mean() * rng.standard_t(3, N_WEEKS)
    spikes = rng.choice(N_WEEKS, 5, replace=False)
    noise[spikes] += rng.uniform(120, 240, 5)
    return _stress("heavy_tails", seed, spend, {"price": price}, baseline + noise)


def make_kitchen_sink(seed):
    """Hidden demand, slow carry-over, thresholds, synergy, sharp holidays at once."""
    rng, spend, price, baseline, noise = _clean_parts(seed)
    demand = _demand(rng, season=0.35, growth=0.45, sd=0.18)
    spend = _chase(spend, demand, CHASE["confounded"])
    holiday = np.isin(np.arange(N_WEEKS) % 52, HOLIDAY_WEEKS)
    rest = baseline + 90 * demand + 160 * holiday + NOISE * noise
    return _stress(
        "kitchen_sink",
        seed,
        spend,
        {"price": price},
        rest,
        synergy=SYNERGY,
        kernels=weibull(**WEIBULL),
        saturate=partial(hill, **S_CURVE),
    )


# --- spend that follows sales --------------------------------------------------------


def _chasing_factor(sales):
    """Factor on this week's budget, given the sales of all weeks before it."""
    last = len(sales) - CHASING["lag"]
    if last < 1:
        return 1.0
    usual = np.mean(sales[max(0, last + 1 - CHASING["window"]) : last + 1])
    factor = 1 + CHASING["sensitivity"] * (sales[last] / usual - 1)
    return np.clip(factor, CHASING["low"], CHASING["high"])


def _auction_shop(rng):
    """Sales without media (T,) and planned spend (T, M) of one shop."""
    weeks = np.arange(N_WEEKS)
    rest = BASE_SALES * (1 + 0.08 * np.sin(2 * np.pi * weeks / 52))
    rest += autoregression(rng, 0.8, 120.0, N_WEEKS) + rng.normal(0.0, 40.0, N_WEEKS)
    plan = AUCTION_SPEND * rng.lognormal(0.0, [0.05, 0.25, 0.25], (N_WEEKS, 3))
    week = weeks % 52
    plan[np.isin(week, [47, 48, 49, 50, 51]), 2] *= 15
    plan[np.isin(week, [20, 21, 22]), 2] *= 8
    return rest, plan


def _auction_sales(spend, scale):
    """KPI per channel, (T, M): nearly linear, logistic in spend over its base."""
    kernels = geometric(AUCTION_DECAY, AUCTION_LAGS)
    carried = carry_over(spend / AUCTION_SPEND, kernels)
    reach = np.array([0.23, 0.23, 0.05])
    return scale * AUCTION_SPEND * AUCTION_RETURN * np.tanh(reach * carried) / reach


def _roll_forward(rest, plan, scale):
    """Spend (T, M) when each week's first budget follows the sales so far."""
    spend, sales = plan.copy(), np.zeros(len(rest))
    for t in range(len(rest)):
        spend[t, 0] *= _chasing_factor(sales[:t])
        recent = spend[max(0, t + 1 - AUCTION_LAGS) : t + 1]
        sales[t] = rest[t] + _auction_sales(recent, scale)[-1].sum()
    return spend


def make_auction(seed, name, chasing):
    """Product listing ads with a true average return of 4.3, bought by past sales.

    This week's budget is multiplied by 1 + 0.8 (last week's sales / mean of ten weeks
    - 1), within 0.5 and 3. Sales have a season and hidden demand, AR(1) with
    coefficient 0.8 and a standard deviation of 10 % of the base. `exogenous` has
    the same kind of budget, but computed from another shop's sales. Only this one of
    the source's four mechanisms is here; the returns of meta and tv, the decays, the
    demand and the noise are ours.
    """
    rng = np.random.default_rng(seed)
    rest, plan = _auction_shop(rng)
    other, _ = _auction_shop(rng)
    scale = np.ones(len(AUCTION_CHANNELS))
    for _ in range(12):  # until average returns are those wanted
        spend = _roll_forward(rest if chasing else other, plan, scale)
        contributions = _auction_sales(spend, scale)
        scale = scale * AUCTION_RETURN * spend.sum(axis=0) / contributions.sum(axis=0)
    problem = one_series(
        name,
        seed,
        media=AUCTION_CHANNELS,
        spend=spend,
        controls={},
        y=rest + contributions.sum(axis=1),
        truth=contributions,
    )
    return replace(problem, respond=lambda money: _auction_sales(money, scale))


# --- funnel --------------------------------------------------------------------------


def funnel_parts(seed):
    """What the funnel world spends and sells, as functions of its budgets.

    Returns
    -------
    spend : callable
        ``spend(tv, search)``, shape (T, 2): television times `tv`, and search, which
        spends `search` times what it would without television, and what television
        induces on top.
    direct : callable
        ``direct(spend)``, shape (T, 2): KPI that each channel's own spend causes.
    price, baseline, noise : ndarray of shape (T,)
    """
    rng, flights, price, baseline, noise = _clean_parts(seed)
    kernels = geometric(DECAY[[TV, SEARCH]], N_LAGS)
    wobble = rng.normal(0.0, 5.0, N_WEEKS)

    def spend(tv=1.0, search=1.0):
        shown = tv * flights[:, [TV]]
        induced = 0.45 * carry_over(shown, kernels[:1])[:, 0]
        searches = np.maximum(search * 25 + induced + search * wobble, 0.0)
        return np.column_stack([shown[:, 0], searches])

    maxima = spend().max(axis=0)

    def shape(spend):
        return -np.expm1(-RATE[[TV, SEARCH]] * carry_over(spend / maxima, kernels))

    now = shape(spend())
    through_search = AMPLITUDE[TV] * (now - shape(spend(tv=0.0)))[:, 1]
    strength = np.array(
        [2 * through_search.sum() / (now * AMPLITUDE[TV])[:, 0].sum(), 1]
    )

    def direct(spend):
        return shape(spend) * AMPLITUDE[TV] * strength

    return spend, direct, price, baseline, NOISE * noise


def make_funnel(seed, tv=1.0, search=1.0):
    """Television causes searches, on which money is then spent; both cause sales.

    Search spend = 25 + 0.45 carried-over television + noise. Television's direct
    effect is scaled so that a third of its total effect runs through search. `truth`
    holds direct effects, `total_truth` those with search reacting. Only the share of a
    third is from the source. `tv` and `search` multiply the budgets, not the responses
    (`funnel_parts`).
    """
    spend, direct, price, baseline, noise = funnel_parts(seed)
    spent = spend(tv, search)
    truth = direct(spent)
    total = truth.copy()
    total[:, 0] += truth[:, 1] - direct(spend(0.0, search))[:, 1]
    return one_series(
        "funnel",
        seed,
        media=["tv", "search"],
        spend=spent,
        controls={"price": price},
        y=baseline + truth.sum(axis=1) + noise,
        truth=truth,
        total=total,
    )


# --- our own panels ------------------------------------------------------------------


def make_panel(name, seed):
    """A world of `make_mmm_panel`, with the options in PANELS."""
    world = make_mmm_panel(
        **PANELS[name],
        media_names=CHANNELS,
        control_names=["price", "holiday"],
        random_state=seed,
    )
    roles = {
        "media": world.media,
        "controls": world.controls,
        "region": REGION,
        "time": WEEK,
    }
    truth = world.contributions[world.media]
    return Problem(name, seed, world.X, world.y, truth, roles)


WORLDS = {
    **{name: partial(make_preset, name) for name in (*PRESETS, "large")},
    "clean": make_clean,
    "collinear": make_collinear,
    "slow_weibull": make_slow_weibull,
    "exponential_s": make_exponential_s,
    "outliers": make_outliers,
    "confounded": make_confounded,
    "trend_break": make_trend_break,
    "season_misspecified": make_season_misspecified,
    "dense_controls": make_dense_controls,
    "heavy_tails": make_heavy_tails,
    "synergy": make_synergy,
    "drifting_effect": make_drifting_effect,
    "time_varying": make_time_varying,
    "kitchen_sink": make_kitchen_sink,
    "exogenous": partial(make_auction, name="exogenous", chasing=False),
    "endogenous": partial(make_auction, name="endogenous", chasing=True),
    "funnel": make_funnel,
    **{name: partial(make_panel, name) for name in PANELS},
}
REPRESENTABLE = {name: name not in MISSPECIFIED for name in WORLDS}
