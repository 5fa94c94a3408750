"""The four presets of the PyMC Labs recovery benchmark, and their own tables.

What the worlds are and where they come from stands in `problems.py`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.special import expit
from world_parts import REGION, WEEK, Family, Problem, hill, logit

SHARED = Path(__file__).parents[2] / "shared" / "data"
PUBLIC_SEED = 20250715

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


def _carried(relative, decay):
    """Relative spend (T, R) with what is left of earlier weeks."""
    return lfilter(float(decay) ** np.arange(PRESET_LAGS), 1.0, relative, axis=0)


def _family(spend, media):
    """Hill curves after geometric carry-over: decay, half and slope of each channel."""

    def curves(parameters):
        shapes = zip(spend.values(), *np.split(parameters, 3), strict=True)
        return np.column_stack(
            [
                hill(
                    _carried(x / np.maximum(x.max(axis=0), 1e-12), expit(decay)),
                    half=np.exp(half),
                    slope=np.exp(slope),
                ).ravel()
                for x, decay, half, slope in shapes
            ]
        )

    truth = [logit([spec["decay"] for spec in media])]
    truth += [np.log([spec[key] for spec in media]) for key in ("half", "slope")]
    kinds = np.repeat(["logit decay", "log half", "log slope"], len(media))
    return Family(curves, np.concatenate(truth), list(kinds))


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
        carried = _carried(relative, spec["decay"])
        values[spec["name"]] = spend
        contributions[spec["name"]] = (
            rate
            * spec["effect"]
            * hill(carried, half=spec["half"], slope=spec["slope"])
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
    family = None
    if name in PRESETS:  # ninety parameters are too many for `fit_families`
        family = _family({c: values[c] for c in contributions}, preset["media"])
    y = pd.Series(sales.ravel(), name="sales")
    return Problem(name, seed, X, y, truth, roles, family=family)


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
