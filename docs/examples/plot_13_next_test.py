"""
Which test to run next
======================

A test is worth what the plan after it earns more, less what it costs while it runs. The
test that tells most need not be the one that pays.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.experiments import recommend_experiment

data = make_mmm_panel(1, 130, n_media=4, random_state=0)
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    random_state=0,
).fit(data.X, data.y)

# %%
# What would it be worth to this year's plan to know what each channel causes?
plan = model.optimize_budget(horizon=52)
print(plan.message)
print(plan.worth_testing()[["plan_value", "plan_value_error"]].round())

# %%
# Tests that could be run: every channel goes dark, or spends half as much again, for
# six weeks.
tests = recommend_experiment(model, horizon=52)
print(tests.iloc[0]["reason"])
labels = [
    f"{media}, {'dark' if change == 0 else '+50 %'}"
    for media, change in zip(tests["media"], tests["change"], strict=True)
]

# %%
# Left: what is learned of the channel. Right: what the plan after it earns more, with
# two Monte Carlo errors of the draws, and what the test costs while it runs.
figure, (told, paid) = plt.subplots(
    1, 2, figsize=(9, 4), sharey=True, layout="constrained"
)
told.barh(labels, tests["doubt_removed"])
told.set(xlabel="share of the doubt removed", xlim=(0, 1))
thousand = tests[["plan_value", "plan_value_error", "cost"]] / 1_000
error = 2 * thousand["plan_value_error"]
paid.barh(labels, thousand["plan_value"], xerr=error, label="better plan")
paid.barh(labels, -thousand["cost"], label="cost of the test")
paid.axvline(0.0, color="black", linewidth=0.8)
paid.set_xlabel("sales of a year, thousands")
paid.invert_yaxis()
paid.legend(loc="upper left")
plt.show()
