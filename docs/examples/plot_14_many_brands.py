"""
Two brands in two markets, one budget
=====================================

Brands share no curves, but they share a budget. Each is fitted by itself, and the plan
moves money to where the last euro earns most, across brands and markets.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.plotting import BudgetPlanDisplay, ReturnsDisplay

worlds = {
    ("Alpina", "north"): make_mmm_panel(1, 104, n_media=2, random_state=0),
    ("Alpina", "south"): make_mmm_panel(1, 104, n_media=2, random_state=1),
    ("Borea", "north"): make_mmm_panel(1, 104, n_media=2, random_state=2),
}
X = pd.concat(
    [world.X.assign(brand=b, market=m) for (b, m), world in worlds.items()],
    ignore_index=True,
).drop(columns="region")
y = pd.concat([world.y for world in worlds.values()], ignore_index=True)

one = DeepCausalMMMRegressor(
    media=["media_1", "media_2"],
    controls=["price", "holiday"],
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
)
model = GroupedRegressor(one, by=["brand", "market"]).fit(X, y)

# %%
# Every channel of every group, and sums over the markets of a brand.
ReturnsDisplay.from_estimator(model)
plt.show()
model.channel_summary(by="brand")[["spend", "contribution", "roi_low", "roi_high"]]

# %%
# The budget of all, for the coming quarter.
plan = model.optimize_budget(horizon=13)
print(plan.message)
BudgetPlanDisplay.from_plan(plan)
plt.show()

# %%
# What moves between brands:
plan.allocation[["current_spend", "spend"]].groupby("brand").sum()

# %%
# Where the KPIs of brands are in different units, say what a unit is worth. Here one of
# Borea pays half:
valued = model.optimize_budget(horizon=13, kpi_value={"Alpina": 1.0, "Borea": 0.5})
valued.allocation[["current_spend", "spend"]].groupby("brand").sum()
