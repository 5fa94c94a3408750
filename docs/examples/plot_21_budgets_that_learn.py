"""
Budgets that learn
==================

Four quarters in a simulated market of which the best split is known: one policy plans
anew after each, one keeps the shares of its first plan, one lets two groups of regions
try what two draws of the model hold for best before it plans as the first.
"""

# %%
import warnings

import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import BudgetPolicy
from skmmm.datasets import MarketEnvironment


def open_market():
    """Return the market; what is spent in one has no effect on another."""
    return MarketEnvironment(6, 2, n_history=52, noise=0.08, random_state=3)


market = open_market()
X, y = market.history()
model = DeepCausalMMMRegressor(
    media=market.media,
    controls=market.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=32,
    random_state=0,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of channels whose budgets move with demand
    model.fit(X, y)

# %%
# Every quarter has the mean spend of history, evenly over weeks, to split between
# channels and regions. Channels are named in the bounds, so that no warning of the fit
# keeps one as it is.
usual = X.groupby("region")[market.media].mean()
limits = {"bounds": dict.fromkeys(market.media, (0.02, 10.0)), "random_state": 0}


def run_year(explore, then=None):
    """Return the share of the possible effect that each quarter misses."""
    market, missed = open_market(), []
    policy = BudgetPolicy(model, explore=explore, allow_extrapolation=True, **limits)
    for _ in range(4):
        coming = market.coming(13)
        coming[market.media] = usual.loc[coming["region"]].to_numpy()
        plan = policy.propose(X=coming)
        best = market.optimal(coming[market.media].to_numpy().sum(), coming)
        missed.append(market.regret(plan.X) / best.response.sum())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            policy.update(*market.step(plan.X))
        policy.explore = then or explore
    return missed


gaps = pd.DataFrame(
    {
        "first plan for ever": run_year("none"),
        "best plan so far": run_year("greedy"),
        "two groups first": run_year("thompson", then="greedy"),
    },
    index=pd.RangeIndex(1, 5, name="quarter"),
)
print((100 * gaps).round(2).to_string())
print((100 * gaps.mean()).round(2).to_string())

# %%
# What the two groups try is dear, and later quarters know more for it. Over this year
# it does not come back.
ax = (100 * gaps).plot(marker="o", figsize=(6.4, 4.0))
ax.set(
    xticks=gaps.index,
    ylabel="Missed of the possible effect (%)",
    ylim=(0, None),
)
plt.show()
