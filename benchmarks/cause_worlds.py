"""Worlds in which what moves with the KPI is not what causes it.

Each name in WORLDS is a function of a seed and returns a `Problem`. Every world has
channels that work, whose truth is known, and something that a model could take for an
effect: hidden demand, a copy of a channel, spend that never moves, spend that follows,
anticipates or equals the KPI, a break, a hidden promotion, a channel that harms, or
nothing but noise. `per_head` has none of this: one curve in spend per head for all
regions, with spend in all weeks or (`per_head_flights`) with weeks without any.

The common base: a KPI of one per region on average, with a season of a tenth, a slow
walk and noise, and channels that are pulsed (log-normal, autocorrelated), carried over
geometrically and saturated by a Hill curve.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
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
)

N_LAGS = 13


class _World:
    """Random numbers, sizes of regions and a baseline, to which effects are added.

    Parameters
    ----------
    seed : int
    n_regions, n_periods, n_media : int
    low, high : float
        Effects of channels at their mean spend, as shares of the mean KPI.
    """

    def __init__(self, seed, n_regions, n_periods, n_media, *, low=0.03, high=0.12):
        self.rng = rng = np.random.default_rng([seed, n_regions, n_periods, n_media])
        self.shape = n_regions, n_periods
        self.effect = rng.uniform(low, high, n_media)
        self.half, self.slope = rng.uniform(0.5, 1.5, (2, n_media))
        self.slope += 0.2
        self.decay = rng.uniform(0.1, 0.7, n_media)
        self.size = 1e4 * rng.lognormal(0.0, 0.8, n_regions)
        week = np.arange(n_periods) + rng.uniform(0, 52)
        season = 0.1 * np.sin(2 * np.pi * week / 52)
        walk = rng.normal(0.0, 0.008, self.shape).cumsum(axis=1)
        noise = rng.normal(0.0, 0.04, self.shape)
        self.baseline = 1.0 + season + walk + noise  # (R, T)

    def log_spend(self, sd=0.5, persistence=0.4):
        """Return what channels do by themselves, on the log scale, (R, T, M)."""
        return np.stack(
            [
                [self.autoregression(persistence, sd) for _ in self.effect]
                for _ in self.size
            ]
        ).transpose(0, 2, 1)

    def autoregression(self, coefficient, sd):
        return autoregression(self.rng, coefficient, sd, self.shape[1])

    def effects(self, relative):
        """Return the effect of every channel, in mean KPI, (R, T, M).

        Parameters
        ----------
        relative : ndarray of shape (R, T, M)
            Spend over its mean in the region.
        """
        kernels = geometric(self.decay, N_LAGS)
        carried = np.stack([carry_over(one, kernels) for one in relative])
        return self.effect * hill(carried, half=self.half, slope=self.slope)

    def family(self, relative):
        """Return the `Family` of the effects of relative spend, (R, T, M)."""
        size, n_media = self.size[:, None, None], len(self.effect)

        def curves(parameters):
            decay, half, slope = np.split(parameters, 3)
            kernels = geometric(expit(decay), N_LAGS)
            carried = np.stack([carry_over(one, kernels) for one in relative])
            found = hill(carried, half=np.exp(half), slope=np.exp(slope))
            return (size * found).reshape(-1, n_media)

        truth = np.r_[logit(self.decay), np.log(self.half), np.log(self.slope)]
        kinds = np.repeat(["logit decay", "log half", "log slope"], n_media)
        return Family(curves, truth, list(kinds))

    def problem(self, name, seed, spend, effects, y=None, controls=None):
        """Pack spend (R, T, M) and effects (R, T, M) in mean KPI into a `Problem`."""
        n_regions, n_periods = self.shape
        media = [f"media_{m + 1}" for m in range(spend.shape[2])]
        effects = effects * self.size[:, None, None]
        if y is None:
            y = self.baseline * self.size[:, None] + effects.sum(axis=2)
        weeks = pd.date_range("2021-01-04", periods=n_periods, freq="W-MON")
        frame = pd.DataFrame(
            {
                REGION: np.repeat([f"geo_{r:02}" for r in range(n_regions)], n_periods),
                WEEK: np.tile(weeks, n_regions),
            }
        )
        flat = pd.DataFrame(spend.reshape(-1, len(media)), columns=media)
        X = frame.join(flat)
        for control, values in (controls or {}).items():
            X[control] = np.ravel(values)
        mean = spend.mean(axis=1, keepdims=True)

        def respond(money):
            relative = money.reshape(spend.shape) / mean
            found = self.effects(relative) * self.size[:, None, None]
            return found.reshape(money.shape)

        one_scale = (
            len(media) == len(self.effect)
            and bool(mean.all())
            and np.allclose(respond(flat.to_numpy()), effects.reshape(flat.shape))
        )
        region = REGION if n_regions > 1 else None
        roles = {"media": media, "controls": list(controls or {}), "time": WEEK}
        return Problem(
            name,
            seed,
            X if region else X.drop(columns=REGION),
            pd.Series(y.ravel(), name="sales"),
            pd.DataFrame(effects.reshape(-1, len(media)), columns=media),
            roles | {"region": region},
            respond=respond if one_scale else None,
        )


def grouped(seed, *, n_groups=4, sizes=(24, 104, 4), name):
    """Groups of regions share demand, which moves the first channel and the KPI."""
    world = _World(seed, *sizes)
    of_group = np.stack([world.autoregression(0.9, 1.0) for _ in range(n_groups)])
    demand = of_group[np.arange(sizes[0]) % n_groups]
    log_spend = world.log_spend()
    log_spend[..., 0] += 0.5 * demand
    spend = np.exp(log_spend)
    world.baseline += 0.12 * demand
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, world.effects(_relative(spend)))


def _relative(spend):
    return spend / spend.mean(axis=1, keepdims=True)


def chased(
    seed,
    *,
    strength=1.0,
    spread=0.0,
    lead=0,
    untouched=0,
    observed=False,
    sizes=(30, 104, 6),
    name=None,
):
    """Local demand that nobody observes moves budgets and the KPI of the same week.

    The last channel does nothing.

    Parameters
    ----------
    strength : float
        Of demand in budgets and in the KPI; 0: there is none.
    spread : float
        How far regions differ in how demand moves their budgets.
    lead : int
        Weeks by which budgets move before the KPI does.
    untouched : int
        Channels whose budgets do not react to demand.
    observed : bool
        Whether demand is a control: what is then lost is no fault of its being hidden.
    """
    world = _World(seed, *sizes)
    rng, n_media = world.rng, sizes[2]
    world.effect[-1] = 0.0
    demand = np.stack(
        [autoregression(rng, 0.7, 0.7, sizes[1] + lead) for _ in range(sizes[0])]
    )
    loading = 0.5 * rng.uniform(0.3, 1.2, n_media)
    loading[:untouched] = 0.0
    by_region = loading * (1.0 + spread * rng.normal(size=(sizes[0], 1, n_media)))
    seen = demand[:, lead:, None]
    spend = np.exp(strength * by_region * seen + world.log_spend())
    effects = world.effects(_relative(spend))
    demand = demand[:, : sizes[1]]
    world.baseline += 0.12 * strength * demand
    money = spend * world.size[:, None, None] * 0.01
    controls = {"demand": demand} if observed else None
    return world.problem(name, seed, money, effects, controls=controls)


def per_head(seed, *, flights=False, name):
    """One curve in spend per head for all regions, which spend differently per head.

    With flights every channel is dark for weeks, in every region at its own time.
    """
    sizes = 20, 104, 4
    world = _World(seed, *sizes, low=0.05, high=0.15)
    intensity = world.rng.lognormal(0.0, 0.6, (sizes[0], 1, sizes[2]))
    pulse = np.exp(world.log_spend())
    if flights:
        pulse = pulse * _flights(world.rng, pulse.shape)
    pulse = _relative(pulse)
    effects = world.effects(intensity * pulse)
    family = world.family(intensity * pulse)
    national = world.rng.normal(0.0, 0.01, sizes[1]).cumsum()
    world.baseline += national
    money = intensity * pulse * world.size[:, None, None] * 0.01
    problem = world.problem(name, seed, money, effects)
    people = np.repeat(world.size, sizes[1])
    return replace(
        problem,
        X=problem.X.assign(population=people),
        family=family,
        roles=problem.roles | {"population": "population"},
    )


def _flights(rng, shape, on=6, off=4):
    """Return where channels are on air, (R, T, M): so many weeks at a time or so."""
    change = rng.random(shape)
    state = rng.random((shape[0], shape[2])) < on / (on + off)
    on_air = np.zeros(shape, dtype=bool)
    for week in range(shape[1]):
        state = np.where(state, change[:, week] > 1 / on, change[:, week] < 1 / off)
        on_air[:, week] = state
    return on_air


def twins(seed, *, name):
    """The last column repeats the first, which alone works."""
    world = _World(seed, 12, 104, 4)
    spend = _relative(np.exp(world.log_spend()))
    effects = world.effects(spend)
    spend = np.concatenate([spend, spend[:, :, :1]], axis=2)
    effects = np.concatenate([effects, np.zeros_like(effects[:, :, :1])], axis=2)
    return world.problem(name, seed, spend * world.size[:, None, None] * 0.01, effects)


def alike(seed, *, name):
    """The last two channels work, and their spend moves alike (correlation .99)."""
    world = _World(seed, 12, 104, 4)
    log_spend = world.log_spend()
    own = 0.08 * world.rng.normal(size=log_spend.shape[:2])
    log_spend[..., -1] = log_spend[..., -2] + own
    spend = np.exp(log_spend)
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, world.effects(_relative(spend)))


def still(seed, *, noise=0.02, rows=None, name):
    """The last channel's spend hardly moves, or it has spend in a few rows only."""
    world = _World(seed, 16, 104, 3)
    spend = _relative(np.exp(world.log_spend()))
    wobble = np.exp(noise * world.rng.normal(size=spend.shape[:2]))
    spend[:, :, -1] = wobble
    if rows is not None:
        spend[:, :, -1] = 0.0
        cells = world.rng.choice(spend[:, :, -1].size, rows, replace=False)
        spend[np.unravel_index(cells, spend.shape[:2])] += [0.0, 0.0, 1.0]
    effects = world.effects(spend)
    return world.problem(name, seed, spend * world.size[:, None, None] * 0.01, effects)


def nothing(seed, *, sizes, name):
    """Media do nothing at all; the KPI is noise around a constant."""
    world = _World(seed, *sizes)
    world.effect[:] = 0.0
    world.baseline = 1.0 + 0.1 * world.rng.normal(size=sizes[:2])
    spend = _relative(np.exp(world.log_spend()))
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, world.effects(spend))


def idle(seed, *, sizes, n_idle, name):
    """The last channels do nothing beside others that work."""
    world = _World(seed, *sizes)
    world.effect[-n_idle:] = 0.0
    spend = _relative(np.exp(world.log_spend()))
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, world.effects(spend))


def harmful(seed, *, sizes, name):
    """The last channel lowers the KPI."""
    world = _World(seed, *sizes)
    world.effect[-1] *= -1.0
    spend = _relative(np.exp(world.log_spend()))
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, world.effects(spend))


def tied(seed, *, how, sizes, name):
    """The last channel does nothing, but its spend is tied to the KPI.

    Parameters
    ----------
    how : {"equals", "reacts", "anticipates", "break", "promotion"}
        Spend is a hundredth of the KPI; a budget of that of the same week; of that of
        the week to come; starts when the KPI jumps for another reason; is doubled in
        weeks of a promotion that nobody recorded.
    """
    world = _World(seed, *sizes)
    rng, n_periods = world.rng, sizes[1]
    world.effect[-1] = 0.0
    spend = _relative(np.exp(world.log_spend()))
    if how == "promotion":
        weeks = rng.random(n_periods) < 0.15
        world.baseline += 0.2 * weeks
        spend[:, :, -1] *= 1.0 + weeks
    if how == "break":
        after = np.arange(n_periods) >= n_periods * 6 // 10
        world.baseline += 0.15 * after
        spend[:, :, -1] *= after
    effects = world.effects(_relative(spend))
    kpi = world.baseline + effects.sum(axis=2)
    own = np.exp(0.1 * rng.normal(size=kpi.shape))
    if how == "equals":
        spend[:, :, -1] = kpi
    if how == "reacts":
        spend[:, :, -1] = kpi**3 * own
    if how == "anticipates":
        spend[:, :, -1] = np.roll(kpi, -1, axis=1) ** 3 * own
    money = spend * world.size[:, None, None] * 0.01
    return world.problem(name, seed, money, effects)


_PANEL, _SERIES = (8, 104, 4), (1, 156, 4)
_KINDS = {
    "chased": chased,
    "chased_none": partial(chased, strength=0.0),
    "chased_twice": partial(chased, strength=2.0),
    "chased_by_region": partial(chased, spread=0.4),
    "chased_lead": partial(chased, lead=1),
    "chased_half": partial(chased, untouched=3),
    "chased_few": partial(chased, sizes=(6, 104, 4)),
    "chased_few_half": partial(chased, sizes=(6, 104, 4), untouched=2),
    "chased_two": partial(chased, sizes=(20, 104, 4), untouched=2),
    "chased_observed": partial(chased, observed=True),
    "chased_by_region_observed": partial(chased, spread=0.4, observed=True),
    "chased_lead_observed": partial(chased, lead=1, observed=True),
    "chased_half_observed": partial(chased, untouched=3, observed=True),
    "chased_series": partial(chased, sizes=(1, 156, 6)),
    "chased_series_half": partial(chased, sizes=(1, 156, 6), untouched=3),
    "grouped": grouped,
    "per_head": per_head,
    "per_head_flights": partial(per_head, flights=True),
    "twins": twins,
    "alike": alike,
    "still": still,
    "one_row": partial(still, rows=1),
    "noise_panel": partial(nothing, sizes=(4, 80, 4)),
    "noise_series": partial(nothing, sizes=(1, 104, 4)),
    "idle_panel": partial(idle, sizes=(8, 104, 6), n_idle=2),
    "idle_series": partial(idle, sizes=(1, 156, 6), n_idle=2),
    "harmful_panel": partial(harmful, sizes=_PANEL),
    "harmful_series": partial(harmful, sizes=_SERIES),
}
for _how in ("equals", "reacts", "anticipates", "break", "promotion"):
    _KINDS[f"{_how}_panel"] = partial(tied, how=_how, sizes=_PANEL)
    _KINDS[f"{_how}_series"] = partial(tied, how=_how, sizes=_SERIES)
WORLDS = {name: partial(kind, name=name) for name, kind in _KINDS.items()}
