"""
Curves, and where the next euro goes
====================================

Response curves say what other levels of spend would cause; the plan puts the budget
where the last euro earns the same everywhere, within what the data have seen.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.plotting import (
    BudgetPathDisplay,
    BudgetPlanDisplay,
    ResponseCurvesDisplay,
    ScenariosDisplay,
)

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(data.X[some], data.y[some])

# %%
# Solid where spend was observed, dashed on either side; the dot is today.
ResponseCurvesDisplay.from_estimator(model, kpi_name="sales")
plt.show()

# %%
# The coming quarter with the spend of a year before, better placed. Each label says
# where the plan stopped and why. Radio must stay.
plan = model.optimize_budget(horizon=13, fixed=["radio"])
print(plan.message)
BudgetPlanDisplay.from_plan(plan)
plt.show()

# %%
# What would more money cause, and what less? The best plan for each total.
BudgetPathDisplay.from_estimator(model, kpi_name="sales")
plt.show()

# %%
# Differences between plans come from common draws, so that they are surer than the
# totals.
future = model.make_future_frame(13, control_values="last_year")
tables = {
    "as last year": future,
    "tv +20 %": future.assign(tv=1.2 * future["tv"]),
    "planned": plan.X,
}
ScenariosDisplay.from_estimator(model, tables, kpi_name="sales")
plt.show()
