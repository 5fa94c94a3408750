"""
Why sales were not as planned
=============================

A plan is stored with its model. A quarter later it is compared with what came: how much
of the difference is other spend, other controls, or nothing that the model knows.
"""

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.plotting import PlanReviewDisplay

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
X, y = data.X[some], data.y[some]
past = X["week"] < X["week"].unique()[-13]
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(X[past], y[past])

# %%
# The plan for the last quarter of the example, with controls as one year before.
future = model.make_future_frame(13, control_values="last_year")
plan = model.optimize_budget(X=future, bounds=(0.8, 1.2))
path = Path(tempfile.mkdtemp(), "quarter.plan.skmmm")
plan.save(path)

# %%
# What was spent in fact are the rows of the example, which nobody had planned.
plan = DeepCausalMMMRegressor.load_plan(path)
review = plan.review(X[~past], y[~past])
print(review.message)
PlanReviewDisplay.from_review(review, kpi_name="sales")
plt.show()

# %%
# Week by week.
columns = ["expected", "delivery", "controls", "unexplained", "actual"]
print(review.by_period[columns].round(0).to_string())
