"""Do small steps around the plan pay, for budgets that learn?

The markets, bounds and first models of `bench_policy.py`, where greedy plans beat
posterior draws. Here every wave has the greedy plan s, and tries something close to it:
cell c (a channel in a region) spends (1 + d_c h_ct) s_c in week t. A step d costs

    loss(d) = 1/2 sum_c curvature_c d_c^2

of the second order, and shows marginal returns: if an observation tells g'd of the
gradient g (per relative step) with error variance v, the covariance S of g becomes

    S_d = S - S d d'S / (d'S d + v),

and the expected regret of the best plan, 1/2 tr(P H^-1/2 S H^-1/2 P), falls by
`gain(d)`. H is the diagonal of curvatures, and P projects on plans that cost the same.
S is that of the posterior draws and curvature that of their mean, both from differences
over 15 % of spend; v is that of the noise that the model expects of a contrast.

Contenders, all with the same budget in every wave:

- greedy: no steps
- mean: the plan that is best on average over draws, no steps
- groups: 10 % more or less, by regions in random groups that balance spend and are
  orthogonal between channels
- weeks: 10 % more or less, by blocks of weeks in the order of Walsh functions, another
  one for each channel of a region, with random signs; each cell has its planned total
- weeks_by_value: the same, with the step from 0 to 30 % that maximises
  4 gain(d) - loss(d), as if four more waves had the gain
- direction_by_value: the same rule for one direction of all cells at once, of the three
  in which the draws expect most regret, with no cell over 50 %; in two of four blocks,
  and the other way round in the rest

With groups, channels have their planned totals, and cells at a bound step over it; with
the last three, cells have their planned totals as well. Values are of cells between
their bounds. Regret is over the best split whose weeks are even, so that steps over
weeks are paid for.

Writes results/policy_steps.csv anew after each market, one row per world, seed,
contender and wave: regret, optimum and gap as in `bench_policy.py`; gap_point: gap of
the greedy plan of the same model; step: the largest of the wave; expected: share of the
optimum that the greedy plan misses by the model's own draws, nan where not asked.

    python benchmarks/bench_policy_steps.py --seeds 0-9
"""

import argparse
import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from bench_policy import (
    BOUNDS,
    DRIFT,
    SIZE,
    WAVES,
    evenly,
    make_policy,
    mean_spend,
    run_market,
)
from bench_recovery import read_seeds, write
from scipy.linalg import hadamard

from skmmm._planning.separable import tabulate
from skmmm.datasets import MarketEnvironment

RESULTS = Path(__file__).parent / "results"
STEP = 0.1  # of groups and weeks
DIFFERENCE = 0.15  # of spend, for gradient and curvature
AHEAD = 4  # waves in which a gain counts
SEEN = 0.7  # of a step, as carry-over blurs blocks of weeks
N_BLOCKS = 4
N_CONTRASTS = 512  # draws of noise
STEPS = np.arange(0.02, 0.31, 0.02)
SIZES = np.arange(0.05, 0.51, 0.05)  # of a direction, in its largest cell
N_DIRECTIONS = 3


@dataclass(frozen=True, eq=False)
class Wave:
    """A greedy plan, and what may be tried around it. R regions, M media, T weeks.

    Cells are in the order of plans: all regions of a channel, then the next channel.
    """

    policy: object
    even: pd.DataFrame
    plan: object
    media: list
    n_regions: int
    rng: np.random.Generator

    @property
    def spend(self):
        """Spend of the greedy plan, (T, R, M)."""
        values = self.plan.X[self.media].to_numpy()
        return values.reshape(-1, self.n_regions, len(self.media))

    def rows(self, spend):
        """Return the rows of a spend, (T, R, M), scaled to cost what the plan does."""
        spend = spend * (self.spend.sum() / spend.sum())
        return self.plan.X.assign(
            **dict(zip(self.media, spend.reshape(-1, len(self.media)).T, strict=True))
        )

    def results(self):
        """Return the question that the policy asks of these rows."""
        return self.policy._ask(self.even, None, None, **self.policy._limits)


@dataclass(frozen=True, eq=False)
class Local:
    """What draws say around a plan. C cells, F of them free to move.

    Attributes
    ----------
    free : ndarray of shape (F,), int
    covariance : ndarray of shape (F, F)
        Of the gradient per relative step.
    curvature : ndarray of shape (F,)
    projection : ndarray of shape (F, F)
        On steps that cost nothing in all, in units in which curvature is one.
    noise : ndarray of shape (F,)
        Variance of a contrast over weeks of the cell's region.
    region : ndarray of shape (F,), int
    outcome : float
    """

    free: np.ndarray
    covariance: np.ndarray
    curvature: np.ndarray
    projection: np.ndarray
    noise: np.ndarray
    region: np.ndarray
    outcome: float

    @classmethod
    def of(cls, wave, contrast):
        """Return what draws say around the plan of a wave; contrast is (T,)."""
        results, x = wave.results(), wave.plan.x
        curves = tabulate(
            results.counterfactual,
            results.problem,
            "region",
            np.ones(len(x)),
            draws=True,
        )
        points = x * (1.0 + DIFFERENCE * np.array([[-1.0], [0.0], [1.0]]))
        worth, cost = curves.at(points)  # (3, C, E), (3, C)
        gradient = (worth[2] - worth[0]) / (2.0 * DIFFERENCE)
        bend = -np.diff(worth, 2, axis=0)[0].mean(axis=1) / DIFFERENCE**2
        money = (cost[2] - cost[0]) / (2.0 * DIFFERENCE)
        inside = (x > 1.3 * BOUNDS[0]) & (x < BOUNDS[1] / 1.3)
        free = inside & (bend > 1e-3 * np.abs(gradient.mean(axis=1)))
        price = money[free] / bend[free] ** 0.5
        region = (np.arange(len(x)) % wave.n_regions)[free]
        return cls(
            free=np.flatnonzero(free),
            covariance=np.cov(gradient[free]),
            curvature=bend[free],
            projection=np.eye(len(price)) - np.outer(price, price) / (price @ price),
            noise=noise_of_contrast(wave, contrast)[region],
            region=region,
            outcome=curves.outcome.mean() + worth[1].mean(axis=1).sum(),
        )

    def regret(self, covariance):
        """Return the matrix whose trace is twice the expected regret."""
        root = self.curvature**-0.5
        return self.projection @ (root[:, None] * covariance * root) @ self.projection

    def gain(self, seen, noise):
        """Return the fall of expected regret by observations `seen` of g, (K, F)."""
        told = seen @ self.covariance
        learned = told.T @ np.linalg.solve(told @ seen.T + np.diag(noise), told)
        return np.trace(self.regret(learned)) / 2.0

    @property
    def expected(self):
        """Share of the outcome that the plan misses, by the draws."""
        return np.trace(self.regret(self.covariance)) / 2.0 / self.outcome


def noise_of_contrast(wave, contrast):
    """Return the variance of the noise of a contrast over weeks by region, (R,)."""
    weights = contrast[:, None, None] * np.eye(wave.n_regions)
    weights = weights.reshape(-1, wave.n_regions)
    drawn = wave.policy.model._noise_of_sums(
        wave.even, lambda rows: rows @ weights, N_CONTRASTS
    )
    return drawn.var(axis=0)


def walsh(n_weeks):
    """Return contrasts over blocks of weeks that sum to zero, (N_BLOCKS - 1, T)."""
    block = np.searchsorted(
        np.linspace(0, n_weeks, N_BLOCKS + 1).round()[1:], np.arange(n_weeks), "right"
    )
    signs = hadamard(N_BLOCKS)[1:, block]
    up, down = (signs > 0).sum(axis=1), (signs < 0).sum(axis=1)
    even = np.sqrt(up * down)
    return np.where(signs > 0, (even / up)[:, None], -(even / down)[:, None])


def over_weeks(wave, step):
    """Return rows in which each cell has steps of its own Walsh function."""
    contrasts = walsh(len(wave.spend))
    times = np.zeros_like(wave.spend)
    for r in range(wave.n_regions):
        chosen = wave.rng.permutation(len(contrasts))[: len(wave.media)]
        signs = wave.rng.choice([-1.0, 1.0], len(wave.media))
        times[:, r] = contrasts[chosen].T * signs
    return wave.rows(wave.spend * (1.0 + step * times))


def greedy(wave):
    return wave.plan.X, {"step": 0.0}


def mean(wave):
    results = wave.results()
    weights = np.full((wave.n_regions, results.n_draws), 1.0 / results.n_draws)
    return results.best_for(weights).X, {"step": 0.0}


def groups(wave):
    """Return the most balanced of 300 random designs of regions."""
    money = wave.spend.sum(axis=0)  # (R, M)
    half = np.where(np.arange(len(money)) < len(money) // 2, 1.0, -1.0)[:, None]
    best = None
    for _ in range(300):
        signs = wave.rng.permuted(np.repeat(half, money.shape[1], axis=1), axis=0)
        balance = np.abs((signs * money).sum(axis=0)) / money.sum(axis=0)
        alike = np.abs(signs.T @ signs / len(signs) - np.eye(money.shape[1]))
        odd = balance.max() + alike.max()
        if best is None or odd < best[0]:
            best = odd, signs
    up = best[1] > 0
    # Each channel spends what was planned: sides with less money move farther.
    rich, poor = (np.where(side, money, 0.0).sum(axis=0) for side in (up, ~up))
    even = STEP * np.sqrt(rich * poor)
    step = np.clip(np.where(up, even / rich, -even / poor), -0.9, 2.0)
    return wave.rows(wave.spend * (1.0 + step)), {"step": np.abs(step).max()}


def weeks(wave):
    return over_weeks(wave, STEP), {"step": STEP}


def weeks_by_value(wave):
    local = Local.of(wave, walsh(len(wave.spend))[0])

    def net(step):
        seen = SEEN * step * np.eye(len(local.free))
        loss = 0.5 * step**2 * local.curvature.sum()
        return AHEAD * local.gain(seen, local.noise) - loss

    step = max([0.0, *STEPS], key=net)
    told = {"step": step, "expected": local.expected}
    return (over_weeks(wave, step) if step else wave.plan.X), told


def direction_by_value(wave):
    contrast = walsh(len(wave.spend))[-1]  # of the blocks, the outer or the inner ones
    local = Local.of(wave, contrast)
    _, found = np.linalg.eigh(local.regret(local.covariance))
    regions = np.arange(wave.n_regions)[:, None] == local.region
    own = regions.any(axis=1)
    noise = np.array([local.noise[mine][0] for mine in regions[own]])

    def net(step):
        gain = local.gain(SEEN * regions[own] * step, noise)
        return AHEAD * gain - 0.5 * step**2 @ local.curvature

    tried = [np.zeros(len(local.free))]
    for one in found.T[-N_DIRECTIONS:]:
        one = one * local.curvature**-0.5
        tried += [size * one / np.abs(one).max() for size in SIZES]
    best = max(tried, key=net) * wave.rng.choice([-1.0, 1.0])
    step = np.zeros(len(wave.plan.x))
    step[local.free] = best
    times = contrast[:, None, None] * step.reshape(len(wave.media), -1).T
    told = {"step": np.abs(step).max(), "expected": local.expected}
    return wave.rows(wave.spend * (1.0 + times)), told


CONTENDERS = {
    tried.__name__: tried
    for tried in (greedy, mean, groups, weeks, weeks_by_value, direction_by_value)
}


def run_contender(world, seed, contender, first):
    """Return one row per wave."""
    market = MarketEnvironment(**SIZE, drift=DRIFT[world], random_state=seed)
    usual, rng = mean_spend(market), np.random.default_rng(seed)
    policy = make_policy(first, market, "greedy", seed)
    make_wave = partial(
        Wave, policy, media=market.media, n_regions=SIZE["n_regions"], rng=rng
    )
    n_waves, n_weeks = WAVES[world]
    rows = []
    for number in range(1, n_waves + 1):
        even = evenly(market, n_weeks, usual)
        plan = policy.propose(X=even)
        spend, told = CONTENDERS[contender](make_wave(even=even, plan=plan))
        best = market.optimal(even[market.media].to_numpy().sum(), even)
        optimum = best.response.sum()
        missed = [optimum - market.true_response(X).sum() for X in (spend, plan.X)]
        rows.append(
            {
                "world": world,
                "seed": seed,
                "contender": contender,
                "wave": number,
                "regret": missed[0],
                "optimum": optimum,
                "gap": missed[0] / optimum,
                "gap_point": missed[1] / optimum,
                "step": told["step"],
                "expected": told.get("expected", np.nan),
            }
        )
        policy.update(*market.step(spend))
    return pd.DataFrame(rows)


def summarise(table):
    """Return what is missed in all waves and by the last plan, in percent."""
    keys = ["world", "contender"]
    sums = table.groupby([*keys, "seed"])[["regret", "optimum"]].sum()
    missed = (sums["regret"] / sums["optimum"]).unstack()
    least = missed.xs("greedy", level="contender").reindex(missed.index, level="world")
    last = table[table["wave"] == table["world"].map(lambda name: WAVES[name][0])]
    by_contender = table.assign(tried=table["step"] > 0).groupby(keys)
    return pd.DataFrame(
        {
            "all waves": 100.0 * missed.mean(axis=1),
            "less than greedy": missed.lt(least).sum(axis=1),
            "more than greedy": missed.gt(least).sum(axis=1),
            "last plan": 100.0 * last.groupby(keys)["gap_point"].mean(),
            "expected": 100.0 * by_contender["expected"].mean(),
            "waves with a step": by_contender["step"].agg(
                lambda step: (step > 0).mean()
            ),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=range(10), help="as 0-9")
    parser.add_argument("--worlds", default=",".join(WAVES), help="by comma")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="by comma")
    parser.add_argument("--out", type=Path, default=RESULTS / "policy_steps.csv")
    options = parser.parse_args()
    tables = []
    for world, seed in itertools.product(options.worlds.split(","), options.seeds):
        contenders = options.contenders.split(",")
        found = run_market(run_contender, world, seed, contenders)
        tables.append(found)
        write(pd.concat(tables, ignore_index=True), options.out)
        print(found.pivot_table(index="contender", columns="wave", values="gap"))
    print(summarise(pd.concat(tables)).round(2).to_string())


if __name__ == "__main__":
    main()
