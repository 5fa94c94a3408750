"""Worlds in which the best budget is known and today's is far from it.

- `national*`, `panel*`: `make_mmm_panel`, whose effects are drawn anew, without regard
  to the budgets, until the best plan gains 5 % of what media cause today. Media still
  cause 30 % of the KPI; spend, controls and noise stay what they were. In `panel_s` the
  responses have a threshold (Hill slopes of 2 to 3), so that there are local optima.
- `funnel*`: `make_funnel`, in which television induces a part of search. As it is, its
  budget is so near the best that no plan gains even 1 %; `funnel_much_tv` and
  `funnel_little_tv` start from other budgets, with the same responses. What there is
  to gain is not held to 5 % here. `funnel_regions*` are 12 such series, each with its
  own seed, as one panel: there is as little to gain, but more to estimate it from. A
  plan has one factor per channel for all regions.

A plan multiplies the spend of every channel over the weeks of the panel by a factor
between 0.5 and 2. It is executed in the truth and compared at the same total spend: a
plan that costs more or less than today is scaled, all factors alike, until it costs as
much. That matters in the funnel, where a factor says what a channel would spend if the
others stayed as they are; what television then induces in search, or no longer
induces, comes on top, brings sales and costs money. (Half of the search budget is
induced. A plan for search moves the other half, which cannot fall below zero.)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pandas as pd
from problems import funnel_parts, make_funnel
from scipy.optimize import brentq, minimize, minimize_scalar
from world_parts import REGION, WEEK, Problem

from skmmm.datasets import make_mmm_panel

BOUNDS = 0.5, 2.0
LEAST_GAIN = 0.05
MEDIA_SHARE = 0.3
LEVEL_SPREAD = 0.6  # standard deviation of log effects between channels

NATIONAL = {"n_regions": 1, "n_periods": 156, "n_media": 5}
PANEL = {"n_regions": 8, "n_periods": 104, "n_media": 6}
PANELS = {
    "national": NATIONAL,
    "national_drifting": NATIONAL | {"effect_drift": 0.5},
    "panel": PANEL,
    "panel_drifting": PANEL | {"effect_drift": 0.5},
    "panel_weibull": PANEL | {"adstock": "weibull"},
    "panel_exponential": PANEL | {"saturation": "exponential"},
    "panel_s": PANEL,
}
# Today's television, and what search spends by itself, over those of `make_funnel`.
FUNNELS = {
    "funnel": (1.0, 1.0),
    "funnel_much_tv": (2.5, 0.3),
    "funnel_little_tv": (0.3, 4.0),
    "funnel_regions": (1.0, 1.0),
    "funnel_regions_much_tv": (2.5, 0.3),
}
N_REGIONS = 12  # of the funnels with regions
WORLDS = *PANELS, *FUNNELS


@dataclass(frozen=True)
class PlanWorld:
    """A problem, and what becomes of a plan for its weeks.

    Parameters
    ----------
    problem : Problem
    money : callable
        Factors on the spend of the channels, ndarray of shape (n_media,), to what is
        then spent.
    caused : callable
        The same to the noiseless KPI that media cause.
    known : callable
        The same to what each channel's own spend would cause if no channel answered to
        another, ndarray of shape (n_media,).
    best : ndarray of shape (n_media,)
        Factors that cause most among those that cost what today costs.
    """

    problem: Problem
    money: Callable
    caused: Callable
    known: Callable
    best: np.ndarray

    @property
    def today(self):
        """KPI that media cause today."""
        return self.caused(np.ones(len(self.best)))

    @property
    def available(self):
        """What the best plan gains, as a share of what media cause today."""
        return self.caused(self.best) / self.today - 1

    def spent(self, factors):
        """What a plan costs as it is, over what today costs."""
        return self.money(factors) / self.money(np.ones(len(factors)))

    def executed(self, factors):
        """Scale a plan until it costs what today costs."""
        factors = np.asarray(factors, dtype=float)
        scale = brentq(lambda k: self.spent(k * factors) - 1, 0.1, 10.0, xtol=1e-12)
        return scale * factors

    def gain(self, factors):
        """What a plan gains when executed, as a share of what media cause today."""
        return self.caused(self.executed(factors)) / self.today - 1

    def regret(self, factors):
        """Share of the possible gain that a plan misses; 1 is today, 0 the best."""
        return 1 - self.gain(factors) / self.available


def make_plan_world(name, seed):
    """Return the `PlanWorld` of a name in WORLDS."""
    if name in FUNNELS:
        return _make_funnel(name, seed)
    return _make_panel(name, seed)


# --- the best plan -------------------------------------------------------------------


def best_split(response, spend, *, bounds=BOUNDS, n_steps=1000):
    """Return the factors of most response at today's total spend.

    Exact on a grid of money by dynamic programming, whatever the shape of the
    responses; then improved between the points of the grid.

    Parameters
    ----------
    response : callable
        Factors, ndarray of shape (n_media,), to the response of each channel, which
        depends on its own factor only.
    spend : ndarray of shape (n_media,)
        Today's.
    bounds : tuple of float
        Of the factors, around 1.
    n_steps : int
        Into which what is above the lower bounds is divided.

    Returns
    -------
    factors : ndarray of shape (n_media,)
    """
    low, high = bounds
    step = (1 - low) * spend.sum() / n_steps
    room = np.floor((high - low) * spend / step * (1 + 1e-12)).astype(int)
    points = np.arange(min(room.max(), n_steps) + 1)
    factors = np.minimum(low + step * points[:, None] / spend, high)
    table = np.stack([response(row) for row in factors])
    table[points[:, None] > room] = -np.inf
    chosen = _most(table.T, n_steps)
    return _polished(response, spend, low + step * chosen / spend, bounds)


def _most(values, n_steps):
    """Return how many steps each channel gets so that the sum of values is largest.

    Parameters
    ----------
    values : ndarray of shape (n_media, n_points)
        Of 0, 1, ... steps.
    """
    best = np.full(n_steps + 1, -np.inf)
    best[0] = 0.0
    choices = []
    for value in values:
        before = np.concatenate([np.full(len(value) - 1, -np.inf), best])
        # [j, k]: with k of j steps here and the others spent before
        split = np.lib.stride_tricks.sliding_window_view(before, len(value))[:, ::-1]
        split = split + value
        choices.append(split.argmax(axis=1))
        best = split.max(axis=1)
    left, steps = n_steps, []
    for choice in choices[::-1]:
        steps.append(choice[left])
        left -= choice[left]
    return np.array(steps[::-1])


def _polished(response, spend, start, bounds):
    """Improve a plan by a local search; return the better of the two."""
    share, size = spend / spend.sum(), response(start).sum()
    step = 1e-4

    def slope(factors):
        return (response(factors + step) - response(factors - step)) / (2 * step * size)

    found = minimize(
        lambda factors: -response(factors).sum() / size,
        start,
        jac=lambda factors: -slope(factors),
        bounds=[bounds] * len(start),
        constraints={
            "type": "eq",
            "fun": lambda factors: share @ factors - 1,
            "jac": lambda factors: share,
        },
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    end = np.clip(found.x, *bounds)
    fits = abs(share @ end - 1) < 1e-9
    return end if fits and response(end).sum() > size else start


# --- panels --------------------------------------------------------------------------


def _make_panel(name, seed):
    """A panel whose effects have nothing to do with its budgets."""
    world = make_mmm_panel(**PANELS[name], random_state=seed)
    parameters, respond = world.parameters, world.response
    if name == "panel_s":
        rng = np.random.default_rng([seed, 1])
        slope = rng.uniform(2.0, 3.0, len(world.media))
        parameters["slope"] = pd.Series(slope, index=world.media)
    drawn, noise = parameters["effect"], world.y - world.expected
    spend = world.X[world.media].to_numpy()
    grid = spend.reshape(*parameters["level"].shape, -1)  # (T, R, M)
    other = world.expected.sum() - world.contributions[world.media].sum().sum()

    def known(factors):
        return respond.media(grid * factors).sum(axis=(0, 1))

    for attempt in count():
        rng = np.random.default_rng([seed, 0, attempt])
        level = np.exp(LEVEL_SPREAD * rng.standard_normal(len(world.media)))
        effect = drawn / np.exp(np.log(drawn).mean()) * level
        parameters["effect"] = effect
        share = known(np.ones(len(level))).sum() / other
        parameters["effect"] = effect * MEDIA_SHARE / (1 - MEDIA_SHARE) / share
        best = best_split(known, spend.sum(axis=0))
        if known(best).sum() >= (1 + LEAST_GAIN) * known(np.ones(len(best))).sum():
            break

    def caused_by(money):
        return respond.media(money.reshape(grid.shape)).reshape(spend.shape)

    roles = {"media": world.media, "controls": world.controls}
    roles |= {"region": REGION, "time": WEEK}
    problem = Problem(
        name,
        seed,
        world.X,
        pd.Series(respond(world.X) + noise, name="sales"),
        pd.DataFrame(caused_by(spend), columns=world.media),
        roles,
        respond=caused_by,
    )
    return PlanWorld(
        problem,
        money=lambda factors: spend.sum(axis=0) @ factors,
        caused=lambda factors: known(factors).sum(),
        known=known,
        best=best,
    )


# --- funnels -------------------------------------------------------------------------


def _make_funnel(name, seed):
    """The funnel from a given budget, with what its plans become, over its regions."""
    tv, search = FUNNELS[name]
    n_regions = N_REGIONS if name.startswith("funnel_regions") else 1
    seeds = [seed] if n_regions == 1 else [1000 * seed + r for r in range(n_regions)]
    series = [_one_funnel(each, tv, search) for each in seeds]

    def money(factors):
        return sum(executed(factors).sum() for executed, *_ in series)

    def caused(factors):
        return sum(direct(executed(factors)).sum() for executed, direct, _ in series)

    def known(factors):
        return sum(direct(today * factors).sum(axis=0) for _, direct, today in series)

    problems = [make_funnel(each, tv, search) for each in seeds]
    problem = problems[0] if n_regions == 1 else _joined(problems)
    return PlanWorld(
        replace(problem, name=name, seed=seed),
        money,
        caused,
        known,
        best=_best_funnel(money, caused),
    )


def _one_funnel(seed, tv, search):
    """Return what a plan spends (T, 2) and what spend causes, and today's spend."""
    spend, direct, *_ = funnel_parts(seed)
    today = spend(tv, search)
    induced = spend(tv, 0.0)[:, 1].sum()
    searches = today[:, 1].sum()

    def executed(factors):
        """Spend (T, 2): search is planned as if television stayed as it is."""
        own = (factors[1] * searches - induced) / (searches - induced)
        return spend(tv * factors[0], search * max(own, 0.0))

    return executed, direct, today


def _joined(problems):
    """Make one problem of single series, each a region; rows by week, then region."""
    names = [f"region_{r:02d}" for r in range(len(problems))]
    tables = [
        each.X.assign(**{REGION: name})
        for name, each in zip(names, problems, strict=True)
    ]
    X = pd.concat(tables, ignore_index=True)
    X = X[[WEEK, REGION, *X.columns.drop([WEEK, REGION])]]
    order = X.sort_values([WEEK, REGION]).index

    def join(part):
        rows = pd.concat([getattr(each, part) for each in problems], ignore_index=True)
        return rows.loc[order].reset_index(drop=True)

    return replace(
        problems[0],
        X=X.loc[order].reset_index(drop=True),
        y=join("y"),
        truth=join("truth"),
        roles=problems[0].roles | {"region": REGION},
        total_truth=join("total_truth"),
    )


def _best_funnel(money, caused):
    """Return the factors that cause most at today's total, searched over television."""
    budget = money(np.ones(2))

    def with_rest(tv):
        """Give search what television leaves; None if that is out of bounds."""
        cost = [money(np.array([tv, search])) for search in BOUNDS]
        if not cost[0] <= budget <= cost[1]:
            return None
        rest = brentq(lambda search: money(np.array([tv, search])) - budget, *BOUNDS)
        return np.array([tv, rest])

    def loss(tv):
        factors = with_rest(tv)
        return np.inf if factors is None else -caused(factors)

    grid = np.linspace(*BOUNDS, 151)
    losses = [loss(tv) for tv in grid]
    near = np.argmin(losses)
    around = grid[max(near - 1, 0)], grid[min(near + 1, len(grid) - 1)]
    found = minimize_scalar(loss, bounds=around, method="bounded")
    return with_rest(found.x if found.fun < losses[near] else grid[near])
