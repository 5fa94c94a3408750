"""
New weeks
=========

A model of three years takes in a quarter, four weeks at a time, in place of being
fitted again. What moves is what the new weeks say.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
X, y = data.X[some], data.y[some]
weeks = X["week"].sort_values().unique()
past = X["week"] < weeks[-12]
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=32,
    random_state=0,
).fit(X[past], y[past])

# %%
# Returns on the spend of the rows that were there from the start, after each refresh.
told = {weeks[-13]: model.channel_summary(X[past])}
for first in (-12, -8, -4):
    new = X["week"].isin(weeks[first:][:4])
    model.partial_fit(X[new], y[new])
    told[weeks[first:][3]] = model.channel_summary(X[past])
roi = pd.DataFrame({week: summary["roi"] for week, summary in told.items()})
print(roi.round(2).to_string())

# %%
fig, ax = plt.subplots(layout="constrained")
for place, channel in enumerate(data.media):
    line = pd.DataFrame({week: one.loc[channel] for week, one in told.items()}).T
    where = [step + 0.08 * (place - 2.5) for step in range(len(line))]
    ends = line["roi"] - line["roi_low"], line["roi_high"] - line["roi"]
    ax.errorbar(where, line["roi"], yerr=ends, marker="o", capsize=2, label=channel)
ax.set_xticks(range(len(told)), [str(week)[:10] for week in told])
ax.set(xlabel="Weeks known until", ylabel="ROI with 90 % interval", ylim=(0, None))
ax.legend(ncols=3)
plt.show()
