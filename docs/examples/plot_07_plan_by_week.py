"""
A plan by week
==============

The same budget spread over the coming weeks: carry-over joins them, so that the plan is
found with the gradient of the model. Two channels together get at least a third.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.plotting import AdstockDisplay, BudgetPlanDisplay

data = load_mmm_example()
one = data.X["region"].eq("Vienna").to_numpy()
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(data.X[one], data.y[one])

# %%
# How long spend acts decides how far it can be moved between weeks. With one city the
# intervals are wide.
AdstockDisplay.from_estimator(model)
plt.show()

# %%
future = model.make_future_frame(8, control_values="last_year")
total = future[data.media].to_numpy().sum()
plan = model.optimize_budget(
    X=future,
    by="period",
    constraints=[(["tv", "radio"], total / 3, None)],
)
print(plan.message)
BudgetPlanDisplay.from_plan(plan)
plt.show()
