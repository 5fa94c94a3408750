"""
Which test to run next
======================

A test is worth what the plan after it earns more, less what it costs while it runs.
Much of what could be learned changes no plan.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.experiments import recommend_experiment

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    random_state=0,
).fit(data.X[some], data.y[some])

# %%
# What would it be worth to this year's plan to know what each channel causes? No test
# of a channel can bring more.
plan = model.optimize_budget(horizon=52)
print(plan.worth_testing()[["plan_value", "plan_value_error"]].round())
print(f"The plan gains {plan.outcome - plan.current_outcome:,.0f}.")

# %%
# Tests that could be run: every channel goes dark, or spends half as much again, for
# six weeks in two of the four regions.
tests = recommend_experiment(model, horizon=52)
print(tests.iloc[0]["reason"])

# %%
# To the right what the plan earns more, with two Monte Carlo errors of the draws; to
# the left what the test costs while it runs.
shown = tests[::-1]
labels = [
    f"{media}, {'dark' if change == 0 else '+50 %'}"
    for media, change in zip(shown["media"], shown["change"], strict=True)
]
figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
error = 2 * shown["plan_value_error"]
axes.barh(labels, shown["plan_value"], xerr=error, label="better plan")
axes.barh(labels, -shown["cost"], label="cost of the test")
axes.axvline(0.0, color="black", linewidth=0.8)
axes.set_xlabel("sales of a year")
axes.legend(loc="lower right")
plt.show()
