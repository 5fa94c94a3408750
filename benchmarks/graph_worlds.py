"""Panels of spend in which it is known which channel drives which.

Logarithms of spend follow a structural vector autoregression::

    x[r, t, j] = a[j] x[r, t-1, j] + loading[j] demand[t] + parents + eps[r, t, j]

with 20 edges over a random order of 13 channels: half act in the same week, half from
the week after through a geometric adstock. All budgets load on one shared demand
factor; regions differ in size. Every channel's x is divided by its standard deviation
within regions, so that its scale betrays nothing, and spend is ``exp(x + region
effect)``.

WORLDS: `gauss` is the world as written; in `flight` eps is skewed and bursty; in `hill`
children answer to a Hill curve of their parents' spend; in `hetero` loadings and edge
weights differ by region; in `localconf` a hidden local demand moves all budgets of a
region in the same week; `null` has no edges. In `hetero wide` and `hetero shared`
loadings and weights differ by region too, x is not divided by its standard deviation,
and in the latter all weights of a region are scaled by the same draw.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# New worlds at the end: the place seeds the draws.
WORLDS = (
    *("gauss", "flight", "hill", "hetero", "localconf", "null"),
    *("hetero wide", "hetero shared"),
)
BURN_IN = 60
HILL_SLOPE = 1.5
# Standard deviations of loadings and of edge weights between regions, over the mean.
HETERO = {
    "hetero": (0.35, 0.35),
    "hetero wide": (0.4, 0.3),
    "hetero shared": (0.4, 0.3),
}
OWN_SCALE = "hetero wide", "hetero shared"
PROXY_CORRELATION = 0.9


@dataclass(frozen=True)
class GraphWorld:
    """A panel with its graph.

    Attributes
    ----------
    name : str
    seed : int
    log_spend : ndarray of shape (n_regions, n_weeks, n_channels)
    edges : ndarray of shape (n_channels, n_channels), bool
        ``[i, j]``: i drives j, in the same week or later.
    same_week, lagged : ndarray of shape (n_channels, n_channels)
        Weights, before x is divided by its standard deviation.
    decay : ndarray of shape (n_channels, n_channels)
        Of lagged edges.
    direct : ndarray of shape (n_channels,)
        KPI units per unit of log spend.
    total : ndarray of shape (n_channels,)
        KPI units per week, on average over regions, that a lasting rise of a
        channel's log spend by 0.1 would bring with children reacting, divided by 0.1.
    proxy : ndarray of shape (n_regions, n_weeks)
        Observed measure of the hidden local demand; zeros where there is none.
    """

    name: str
    seed: int
    log_spend: np.ndarray
    edges: np.ndarray
    same_week: np.ndarray
    lagged: np.ndarray
    decay: np.ndarray
    direct: np.ndarray
    total: np.ndarray
    proxy: np.ndarray

    @property
    def spend(self):
        """Spend, shape (n_regions, n_weeks, n_channels)."""
        return np.exp(self.log_spend)

    def frame(self, proxy=False):
        """Return the panel as a long table, and the names of its channels."""
        n_regions, n_weeks, n_channels = self.log_spend.shape
        channels = [f"channel_{j:02d}" for j in range(n_channels)]
        weeks = pd.date_range("2024-01-01", periods=n_weeks, freq="7D")
        index = pd.MultiIndex.from_product(
            [[f"region_{r:03d}" for r in range(n_regions)], weeks],
            names=["region", "week"],
        )
        spend = self.spend.reshape(-1, n_channels)
        frame = pd.DataFrame(spend, index=index, columns=channels).reset_index()
        if proxy:
            frame["demand_proxy"] = self.proxy.ravel()
        return frame, channels


def make_graph_world(name, n_regions, seed, *, n_channels=13, n_weeks=104, n_edges=20):
    """Simulate a world of WORLDS.

    Parameters
    ----------
    name : str
    n_regions, seed : int
    n_channels, n_weeks, n_edges : int

    Returns
    -------
    world : GraphWorld
    """
    rng = np.random.default_rng([WORLDS.index(name), n_regions, seed])
    same, late, decay = _draw_edges(rng, n_channels, 0 if name == "null" else n_edges)
    persistence = rng.uniform(0.2, 0.6, n_channels)
    loading = rng.uniform(0.5, 1.2, n_channels)
    scale = rng.uniform(0.7, 1.3, n_channels)
    length = BURN_IN + n_weeks
    demand = _demand(rng, length)
    shape = (n_regions, length, n_channels)
    if name == "flight":
        eps = (rng.gamma(0.6, size=shape) - 0.6) / np.sqrt(0.6)
    else:
        eps = rng.standard_normal(shape)
    eps = eps * scale
    local = np.zeros((n_regions, length))
    if name == "localconf":
        local = _ar(rng.standard_normal((n_regions, length)), 0.6)
        local /= local.std()
        eps = eps + local[..., None] * 0.5 * loading
    by_region = np.ones((n_regions, 1, 1))
    loadings = np.broadcast_to(loading, (n_regions, n_channels))
    if name in HETERO:
        of_loadings, of_weights = HETERO[name]
        of_region = 1 if name == "hetero shared" else n_channels
        by_region = 1 + of_weights * rng.standard_normal(
            (n_regions, of_region, of_region)
        )
        spread = of_loadings * rng.standard_normal((n_regions, n_channels))
        loadings = loading * (1 + spread)
    drive = eps + loadings[:, None] * demand[:, None]
    link = _hill_link if name == "hill" else _identity
    equations = (same * by_region, late * by_region, decay, persistence, link)
    x = _simulate(drive, *equations)
    direct = rng.uniform(0.2, 1.0, n_channels)
    spread = np.ones(n_channels)
    if name not in OWN_SCALE:
        spread = x[:, BURN_IN:].std(axis=1).mean(axis=0)
    total = _total_effects(drive, x, equations, direct / spread, 0.1 * spread)
    x = x / spread
    size = rng.normal(0, 1.5, (n_regions, 1)) + rng.normal(
        0, 1, (n_regions, n_channels)
    )
    proxy = _proxy(rng, local)
    return GraphWorld(
        name,
        seed,
        (x + size[:, None])[:, BURN_IN:],
        (same != 0) | (late != 0),
        same,
        late,
        decay,
        direct,
        total,
        proxy[:, BURN_IN:],
    )


def _draw_edges(rng, n_channels, n_edges):
    order = rng.permutation(n_channels)
    pairs = np.array(np.triu_indices(n_channels, 1)).T
    chosen = pairs[rng.choice(len(pairs), n_edges, replace=False)]
    same, late, decay = np.zeros((3, n_channels, n_channels))
    for e, (a, b) in enumerate(chosen):
        i, j = order[a], order[b]
        sign = -1 if rng.random() < 0.15 else 1
        if e % 2:
            same[i, j] = sign * rng.uniform(0.2, 0.45)
        else:
            late[i, j] = sign * rng.uniform(0.3, 0.6)
            decay[i, j] = rng.uniform(0.3, 0.6)
    return same, late, decay


def _demand(rng, length):
    week = np.arange(length)
    noise = _ar(rng.standard_normal((1, length)), 0.6)[0]
    season = sum(
        rng.normal() * np.sin(2 * np.pi * k * week / 52 + rng.uniform(0, 2 * np.pi))
        for k in (1, 2)
    )
    demand = noise + season + 2.0 * (week % 52 >= 48)
    return (demand - demand.mean()) / demand.std()


def _ar(noise, persistence):
    series = noise.copy()
    for t in range(1, noise.shape[1]):
        series[:, t] += persistence * series[:, t - 1]
    return series


def _identity(x):
    return x


def _hill_link(x):
    """Hill of spend: a logistic curve of its logarithm, of slope 1 where steepest."""
    return 4 / HILL_SLOPE * (1 / (1 + np.exp(-HILL_SLOPE * x)) - 0.5)


def _simulate(drive, same, late, decay, persistence, link, held=None, values=None):
    """Run the equations; channel `held` follows `values` instead."""
    n_channels = drive.shape[2]
    order = _order(same)
    x = np.zeros_like(drive)
    stock = np.zeros((len(drive), n_channels, n_channels))
    for t in range(drive.shape[1]):
        if t:
            # A geometric adstock from lag one on, of weights that sum to one.
            stock = decay * stock + (1 - decay) * link(x[:, t - 1])[:, :, None]
        now = drive[:, t] + (late * stock).sum(axis=1)
        if t:
            now = now + persistence * x[:, t - 1]
        for j in order:
            x[:, t, j] = now[:, j] + (same[:, :, j] * link(x[:, t])).sum(axis=1)
            if j == held:
                x[:, t, j] = values[:, t]
    return x


def _order(same):
    """Return the channels, parents first."""
    linked = (same != 0).any(axis=0)
    order = []
    while len(order) < len(linked):
        order += [
            j
            for j in range(len(linked))
            if j not in order and all(i in order for i in np.flatnonzero(linked[:, j]))
        ]
    return order


def _total_effects(drive, x, equations, direct, steps):
    """Return what a lasting rise of each channel by a step brings, over 0.1.

    From week 20 after the rise on, or from the middle of a shorter panel.
    """
    total, start = [], BURN_IN + min(20, (x.shape[1] - BURN_IN) // 2)
    for i, step in enumerate(steps):
        values = x[:, :, i].copy()
        values[:, BURN_IN:] += step
        raised = _simulate(drive, *equations, held=i, values=values)
        change = (raised - x)[:, start:].mean(axis=(0, 1))
        total.append(change @ direct / 0.1)
    return np.array(total)


def _proxy(rng, local):
    noise = rng.standard_normal(local.shape)
    share = PROXY_CORRELATION
    return share * local + np.sqrt(1 - share**2) * noise
