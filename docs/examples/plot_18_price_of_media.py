"""
When media get dearer
=====================

Clicks are bought at auctions: who buys more of them pays more for each. A plan that
takes their price as constant buys too many.
"""

# %%
# Columns of delivery, and what a unit costs: a click .80, a thousand contacts of
# television 12.
import matplotlib.pyplot as plt
import numpy as np

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
X, y = data.X[some].copy(), data.y[some]
cost = dict.fromkeys(data.media, 1.0) | {"paid_search": 0.8, "tv": 12.0}
X[data.media] = X[data.media] / [cost[m] for m in data.media]
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=cost,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(X, y)

# %%
# The coming quarter, in which television is 8 % dearer, and clicks get dearer by .2 %
# with every percent more that is spent on them.
plan = model.optimize_budget(
    horizon=13,
    bounds=(0.4, 4.0),
    price_level={"tv": 1.08},
    price_elasticity={"paid_search": 0.2},
)
print(plan.message)
print(plan.unit_prices.describe().round(2))

# %%
# How much of the budget search gets hangs on a number that is rarely known: try
# several.
elasticities = np.linspace(0.0, 0.5, 11)
spend, clicks = [], []
for elasticity in elasticities:
    tried = model.optimize_budget(
        horizon=13,
        bounds=(0.4, 4.0),
        price_elasticity={"paid_search": elasticity},
    )
    spend.append(tried.allocation.loc["paid_search", "spend"])
    clicks.append(tried.X["paid_search"].sum())

relative = np.linspace(0.2, 2.5, 100)
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for elasticity, style in ((0.2, "--"), (0.4, "-")):
    price = 0.8 * relative**elasticity
    left.plot(relative, price, f"C0{style}", label=f"mean click, {elasticity}")
    last = price / (1 - elasticity)
    left.plot(relative, last, f"C1{style}", label=f"last click, {elasticity}")
left.set(xlabel="Spend over its mean", ylabel="Price of a click", ylim=(0, 2.7))
left.legend(ncols=2, title="Elasticity")
now = tried.allocation.loc["paid_search", "current_spend"]
right.plot(elasticities, np.array(spend) / now, "o-", label="money")
right.plot(elasticities, np.array(clicks) * 0.8 / now, "o-", label="clicks")
right.axhline(1.0, color="0.7", zorder=0)
right.set(xlabel="Elasticity of the price of clicks", ylabel="Plan over today")
right.legend()
plt.show()
