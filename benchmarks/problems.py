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

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from skmmm.datasets import make_mmm_panel

SHARED = Path(__file__).parents[2] / "shared" / "data"
PUBLIC_SEED = 20250715
WEEK, REGION = "week", "region"

# Presets: kernel of 8 lags, not normalised; regions differ by up to 10 %.
PRESET_LAGS = 8
REGION_SPREAD = 0.1
BASELINE_NOISE = 0.1


def _column(name, pattern, base, volatility, effect, **more):
    """Specification of one media or control column of a preset."""
    return {
        "name": name,
        "pattern": pattern,
        "base": base,
        "volatility": volatility,
        "effect": effect,
        **more,
    }


def _flights(probability, shortest, longest):
    return {"probability": probability, "shortest": shortest, "longest": longest}


def _wave(amplitude, phase):
    return {"amplitude": amplitude, "phase": phase}


def _with_response(columns, decays, slopes, halves):
    """Give each channel its carry-over and saturation; short lists start over."""
    return [
        column
        | {"decay": decays[i % len(decays)]}
        | {"slope": slopes[i % len(slopes)], "half": halves[i % len(halves)]}
        for i, column in enumerate(columns)
    ]


# Patterns: "wandering" (an autoregression with trend), "seasonal" (the same, cut by a
# wave), "delayed" (the same, from a later week on) and "on_off" (flights).
# base and volatility: money per week, and the noise as a share of it. effect: share of
# the region's rate at full saturation; of a control, KPI per unit.
PRESETS = {
    "small": {
        "n_weeks": 104,
        "n_regions": 1,
        "rate": 5_000.0,
        "season": 0.2,
        "media": _with_response(
            [
                _column("search", "wandering", 100, 0.8, 1.5, trend=0.004),
                _column("social", "seasonal", 500, 0.3, 1.2, **_wave(0.4, 0.5)),
                _column("local", "on_off", 500, 0.6, 0.9, **_flights(0.3, 2, 4)),
                _column("email", "on_off", 100, 0.5, 1.2, **_flights(0.2, 1, 1)),
            ],
            decays=[0, 0.2, 0.4, 0.3],
            slopes=[1, 1.5, 1, 2],
            halves=[1, 0.8, 1.5, 0.5],
        ),
        "controls": [
            _column("event", "on_off", 100, 0.5, 0.5, **_flights(0.04, 3, 5)),
            _column("sale", "on_off", 50, 0.5, 0.5, **_flights(0.1, 1, 4)),
        ],
    },
    "growing": {
        "n_weeks": 131,
        "n_regions": 2,
        "rate": 5_000.0,
        "season": 0.2,
        "media": _with_response(
            [
                _column("search", "wandering", 300, 0.7, 0.3, trend=0.002),
                _column("brand_search", "wandering", 100, 0.8, 1.1, trend=0.002),
                _column("video", "delayed", 500, 0.5, 1.4, start=25, ramp=10),
                _column("social", "seasonal", 500, 0.6, 0.7, **_wave(0.4, 0.5)),
                _column("display", "on_off", 500, 0.5, 0.3, **_flights(0.3, 2, 4)),
                _column("email", "on_off", 100, 0.4, 0.4, **_flights(0.2, 1, 1)),
            ],
            decays=[0, 0.2, 0.4, 0.3],
            slopes=[1, 1.5, 0.8, 2, 0.4, 1.5],
            halves=[0.3, 1.5, 0.4, 0.5, 2, 1.25],
        ),
        "controls": [
            _column("event", "on_off", 500, 0.5, 0.5, **_flights(0.04, 3, 5)),
            _column("sale", "on_off", 25, 0.5, 1.5, **_flights(0.1, 1, 4)),
        ],
    },
    "medium": {
        "n_weeks": 156,
        "n_regions": 8,
        "rate": 100_000.0,
        "season": 0.6,
        "media": _with_response(
            [
                _column("search", "wandering", 300, 0.8, 1.1, trend=0.002),
                _column("brand_search", "wandering", 100, 1.1, 1.2, trend=0.002),
                _column("video", "delayed", 500, 0.9, 1.1, start=25, ramp=10),
                _column("video_2", "delayed", 1000, 1.2, 0.9, start=75, ramp=4),
                _column("social", "seasonal", 1000, 1.2, 0.5, **_wave(0.4, 0.5)),
                _column(
                    "social_2", "seasonal", 1000, 0.9, 1.1, **_wave(0.2, np.pi / 4)
                ),
                _column("display", "on_off", 500, 0.7, 0.8, **_flights(0.3, 2, 4)),
                _column("influencer", "on_off", 500, 1.1, 1.3, **_flights(0.1, 2, 6)),
            ],
            decays=[0, 0.2, 0.4, 0.3, 0.2, 0.1, 0.05, 0.1],
            slopes=[1, 1.5, 0.8, 2, 1, 0.8, 0.5, 1.2],
            halves=[1, 0.4, 0.55, 0.7, 0.4, 1.2, 0.5, 0.9],
        ),
        "controls": [
            _column("event_a", "on_off", 500, 0.5, 0.5, **_flights(0.04, 3, 5)),
            _column("event_b", "on_off", 1000, 0.5, 0.2, **_flights(0.2, 1, 8)),
            _column("market", "wandering", 1000, 1.0, 0.8, trend=0.005),
            _column("sale", "on_off", 25, 0.5, 100.0, **_flights(0.1, 1, 4)),
        ],
    },
}

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
}


@dataclass(frozen=True)
class Problem:
    """One simulated data set and what caused its KPI.

    Parameters
    ----------
    name : str
    seed : int
    X : DataFrame
        Week, region (unless there is one series), media and controls.
    y : Series
        KPI.
    truth : DataFrame
        One column per channel: the noiseless KPI of each row minus what it would be
        without that channel's spend, other spend unchanged.
    roles : dict
        Arguments of `DeepCausalMMMRegressor` that name the columns.
    total_truth : DataFrame or None
        As truth, but channels that react to the removed one do react.
    """

    name: str
    seed: int
    X: pd.DataFrame
    y: pd.Series
    truth: pd.DataFrame
    roles: dict
    total_truth: pd.DataFrame | None = None


# --- shared pieces -------------------------------------------------------------------


def _carry_over(spend, kernels):
    """Convolve spend (T, M) with kernels (M, L) along time; nothing before week 0."""
    columns = zip(kernels, spend.T, strict=True)
    return np.stack([lfilter(kernel, 1.0, x) for kernel, x in columns], axis=-1)


def _geometric(decay, n_lags):
    """Geometric kernels (M, L), each with sum 1."""
    weights = np.asarray(decay)[:, None] ** np.arange(n_lags)
    return weights / weights.sum(axis=1, keepdims=True)


def _weibull(shape, scale, n_lags):
    """Weibull density at lags 1 to L, (M, L), each with sum 1."""
    shape, scale = np.array(shape)[:, None], np.array(scale)[:, None]
    lags = np.arange(1, n_lags + 1) / scale
    weights = lags ** (shape - 1) * np.exp(-(lags**shape))
    return weights / weights.sum(axis=1, keepdims=True)


def _hill(x, *, half, slope):
    power = (x / np.asarray(half)) ** np.asarray(slope)
    return power / (1.0 + power)


def _exponential(x):
    return -np.expm1(-RATE * x)


def _autoregression(rng, coefficient, sd, n):
    return lfilter([1.0], [1.0, -coefficient], rng.normal(0.0, sd, n))


def _without_each(response, spend):
    """What response (T,) loses without each channel of spend, (T, M)."""
    full = response(spend)
    keep = 1.0 - np.eye(spend.shape[1])
    return np.stack([full - response(spend * mask) for mask in keep], axis=-1)


def _series(name, seed, *, media, spend, controls, y, truth, total=None):
    """Pack arrays of one weekly series into a Problem."""
    weeks = pd.date_range("2021-01-04", periods=len(y), freq="W-MON", name=WEEK)
    X = pd.DataFrame({WEEK: weeks})
    X = X.join(pd.DataFrame(spend, columns=media)).join(pd.DataFrame(controls))
    roles = {"media": media, "controls": list(controls), "region": None, "time": WEEK}
    return Problem(
        name,
        seed,
        X,
        pd.Series(y, name="sales"),
        pd.DataFrame(truth, columns=media),
        roles,
        None if total is None else pd.DataFrame(total, columns=media),
    )


# --- presets of the recovery benchmark -----------------------------------------------


def _wander(rng, scale, n_weeks):
    """A non-negative AR(2) path per region, (T, R); scale is the noise, (R,)."""
    path = rng.normal(0.0, scale, (n_weeks, len(scale)))
    for t in range(2, n_weeks):
        path[t] = np.maximum(0.6 * path[t - 1] + 0.3 * path[t - 2] + path[t], 0.0)
    return np.maximum(path, 0.0)


def _active_weeks(rng, n_weeks, probability, shortest, longest):
    """Weeks of one region in which flights run, at least one; a gap after each."""
    active = np.zeros(n_weeks, dtype=bool)
    while not active.any():
        week = 0
        while week < n_weeks:
            if rng.random() < probability:
                stop = week + int(rng.integers(shortest, longest + 1))
                active[week:stop] = True
                week = stop
            week += 1
    return active


def _draw_column(rng, spec, weeks, n_regions):
    """Values (T, R) of a media or control column, and its effect by region (R,)."""

    def vary(value):
        return value * (1 + rng.uniform(-REGION_SPREAD, REGION_SPREAD, n_regions))

    n_weeks = len(weeks)
    base, effect = vary(spec["base"]), vary(spec["effect"])
    scale = base * vary(spec["volatility"])
    if spec["pattern"] == "on_off":
        flights = spec["shortest"], spec["longest"]
        chances = vary(spec["probability"])
        on = [_active_weeks(rng, n_weeks, chance, *flights) for chance in chances]
        values = base + rng.normal(0.0, scale, (n_weeks, n_regions))
        return np.maximum(values * np.transpose(on), 0.0), effect
    values = _wander(rng, scale, n_weeks)
    if spec["pattern"] == "wandering":
        values *= 1 + np.linspace(0, n_weeks, n_weeks)[:, None] * vary(spec["trend"])
    elif spec["pattern"] == "delayed":
        ramp = (np.arange(n_weeks) - spec["start"]) / (spec["ramp"] - 1)
        values *= np.clip(ramp, 0.0, 1.0)[:, None]
    else:
        # Two cycles a year, the half below zero cut off: so the source has it.
        angle = 4 * np.pi * weeks.day_of_year.to_numpy() / 365.25
        wave = np.cos(angle[:, None] + vary(spec["phase"]))
        values = np.maximum(values * vary(spec["amplitude"]) * wave, 0.0)
    return values, effect


def _draw_large_preset(rng):
    """Thirty channels and ten controls with drawn parameters, for fifty regions."""

    def column(name, pattern, base, low=0.5, **more):
        volatility, effect = rng.uniform(0.8, 1.2), rng.uniform(low, 2.0)
        return _column(name, pattern, rng.uniform(*base), volatility, effect, **more)

    def on_off(n, chances, longest):
        return {
            "probability": rng.uniform(*chances),
            "shortest": rng.integers(1, n + 2),
            "longest": rng.integers(n + 1, longest + 1),
        }

    def wave(latest):
        return _wave(rng.uniform(0.2, 1.0), rng.uniform(0.0, latest))

    def delay():
        return {"start": rng.integers(10, 104), "ramp": rng.integers(10, 52)}

    wide, narrow = (500.0, 5_000.0), (100.0, 1_000.0)
    media = [
        *(
            column(f"steady_{n}", "wandering", wide, trend=rng.uniform(0.0, 0.04))
            for n in range(10)
        ),
        *(column(f"launch_{n}", "delayed", wide, **delay()) for n in range(5)),
        *(column(f"seasonal_{n}", "seasonal", wide, **wave(np.pi)) for n in range(5)),
        *(
            column(f"flight_{n}", "on_off", wide, 0.1, **on_off(n, (0.05, 0.1), 10))
            for n in range(10)
        ),
    ]
    controls = [
        *(
            column(f"event_{n}", "on_off", narrow, 0.1, **on_off(n, (0.01, 0.1), 8))
            for n in range(6)
        ),
        *(
            column(f"market_{n}", "wandering", narrow, 0.1, trend=rng.uniform(0, 0.01))
            for n in range(3)
        ),
        _column("weather", "seasonal", 1_000.0, 1.0, 0.5, **_wave(0.3, 0.0)),
    ]
    decays, slopes, halves = rng.uniform(0.0, [[0.5], [2.0], [2.0]], (3, len(media)))
    return {
        "n_weeks": 208,
        "n_regions": 50,
        "rate": 10_000.0,
        "season": 0.2,
        "media": _with_response(media, decays, slopes, halves),
        "controls": controls,
    }


def make_preset(name, seed):
    """A preset of the recovery benchmark.

    Each region's spend is divided by its own maximum, carried over and saturated; the
    effect of a channel is the same in all regions, that of a control is not. A flight
    pattern that never starts is drawn again.
    """
    rng = np.random.default_rng(seed)
    preset = PRESETS[name] if name in PRESETS else _draw_large_preset(rng)
    n_weeks, n_regions, rate = preset["n_weeks"], preset["n_regions"], preset["rate"]
    weeks = pd.date_range("2020-01-05", periods=n_weeks, freq="W-SUN")

    values, contributions = {}, {}  # of shape (T, R) each
    for spec in preset["media"]:
        spend, _ = _draw_column(rng, spec, weeks, n_regions)
        relative = spend / np.maximum(spend.max(axis=0), 1e-12)
        kernel = float(spec["decay"]) ** np.arange(PRESET_LAGS)
        carried = lfilter(kernel, 1.0, relative, axis=0)
        values[spec["name"]] = spend
        contributions[spec["name"]] = (
            rate
            * spec["effect"]
            * _hill(carried, half=spec["half"], slope=spec["slope"])
        )
    sales = np.zeros((n_weeks, n_regions))
    for spec in preset["controls"]:
        values[spec["name"]], effect = _draw_column(rng, spec, weeks, n_regions)
        sales += values[spec["name"]] * effect
    size = rate * (1 + rng.uniform(-REGION_SPREAD, REGION_SPREAD, n_regions))
    season = preset["season"] * np.sin(2 * np.pi * np.arange(n_weeks) / 52)
    noise = rng.normal(0.0, BASELINE_NOISE, (n_weeks, n_regions))
    sales += np.maximum(size * (1 + season[:, None] + noise), 0.0)
    sales += sum(contributions.values())

    regions = [f"region_{r + 1:02d}" for r in range(n_regions)]
    keys = pd.MultiIndex.from_product([weeks, regions], names=[WEEK, REGION])
    X = keys.to_frame(index=False).assign(**{c: v.ravel() for c, v in values.items()})
    truth = pd.DataFrame({c: v.ravel() for c, v in contributions.items()})
    roles = {
        "media": list(contributions),
        "controls": [spec["name"] for spec in preset["controls"]],
        "region": REGION,
        "time": WEEK,
    }
    return Problem(name, seed, X, pd.Series(sales.ravel(), name="sales"), truth, roles)


def public_tables():
    """Yield the presets as their authors' own seed makes them, where present."""
    for name in (*PRESETS, "large"):
        path = SHARED / f"recovery_{name}.csv.gz"
        if not path.exists():
            continue
        frame = pd.read_csv(path, parse_dates=["time"])
        truth = pd.read_csv(SHARED / f"recovery_{name}.truth.csv.gz")
        media = [c for c in frame if c.startswith("x")]
        controls = [c for c in frame if c[0] == "c" and c[1:].isdigit()]
        truth = truth[[f"contribution_{c}" for c in media]].set_axis(media, axis=1)
        roles = {"media": media, "controls": controls, "region": "geo", "time": "time"}
        X, y = frame.drop(columns="y"), frame["y"]
        yield Problem(f"public_{name}", PUBLIC_SEED, X, y, truth, roles)


# --- stress worlds -------------------------------------------------------------------


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
    demand += _autoregression(rng, 0.5, sd, N_WEEKS)
    return demand - demand.mean()


def _chase(spend, demand, strength):
    """Spend whose budgets follow demand, by channel strength."""
    return np.maximum(spend * np.maximum(1 + strength * demand[:, None], 0.1), 0.5)


def _media_response(spend, *, kernels=None, saturate=_exponential, factor=1.0):
    """KPI per channel, (T, M), as a function of spend; scaled by today's maxima."""
    kernels = _geometric(DECAY, N_LAGS) if kernels is None else kernels
    maxima = spend.max(axis=0)
    return lambda x: AMPLITUDE * factor * saturate(_carry_over(x / maxima, kernels))


def _stress(name, seed, spend, controls, rest, *, observed=None, synergy=0.0, **media):
    """Pack a stress world: rest (T,) is all that media do not cause, with noise."""
    parts = _media_response(spend, **media)

    def response(x):
        each = parts(x)
        joint = each[:, TV] * each[:, SEARCH] / (AMPLITUDE[TV] * AMPLITUDE[SEARCH])
        return each.sum(axis=1) + synergy * joint

    return _series(
        name,
        seed,
        media=CHANNELS,
        spend=spend if observed is None else observed,
        controls=controls,
        y=np.maximum(response(spend) + rest, 1.0),
        truth=_without_each(response, spend),
    )


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
    return make_clean(seed, "slow_weibull", kernels=_weibull(**WEIBULL))


def make_exponential_s(seed):
    """Responses with a threshold: Hill slopes of 2.5 to 3."""
    return make_clean(seed, "exponential_s", saturate=partial(_hill, **S_CURVE))


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
        kernels=_weibull(**WEIBULL),
        saturate=partial(_hill, **S_CURVE),
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
    rest += _autoregression(rng, 0.8, 120.0, N_WEEKS) + rng.normal(0.0, 40.0, N_WEEKS)
    plan = AUCTION_SPEND * rng.lognormal(0.0, [0.05, 0.25, 0.25], (N_WEEKS, 3))
    week = weeks % 52
    plan[np.isin(week, [47, 48, 49, 50, 51]), 2] *= 15
    plan[np.isin(week, [20, 21, 22]), 2] *= 8
    return rest, plan


def _auction_sales(spend, scale):
    """KPI per channel, (T, M): nearly linear, logistic in spend over its base."""
    kernels = _geometric(AUCTION_DECAY, AUCTION_LAGS)
    carried = _carry_over(spend / AUCTION_SPEND, kernels)
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
    return _series(
        name,
        seed,
        media=AUCTION_CHANNELS,
        spend=spend,
        controls={},
        y=rest + contributions.sum(axis=1),
        truth=contributions,
    )


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
    kernels = _geometric(DECAY[[TV, SEARCH]], N_LAGS)
    wobble = rng.normal(0.0, 5.0, N_WEEKS)

    def spend(tv=1.0, search=1.0):
        shown = tv * flights[:, [TV]]
        induced = 0.45 * _carry_over(shown, kernels[:1])[:, 0]
        searches = np.maximum(search * 25 + induced + search * wobble, 0.0)
        return np.column_stack([shown[:, 0], searches])

    maxima = spend().max(axis=0)

    def shape(spend):
        return -np.expm1(-RATE[[TV, SEARCH]] * _carry_over(spend / maxima, kernels))

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
    return _series(
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
