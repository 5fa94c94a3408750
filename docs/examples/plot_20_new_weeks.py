"""
New weeks
=========

A model of three years takes in a quarter, four weeks at a time, in place of being
fitted again. What moves is what the new weeks say. Then a market in which effects
change.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import MarketEnvironment, load_mmm_example

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

# %%
# Effects that change
# -------------------
# In a simulated market the effects of channels wander, by five percent a week. The
# training rows end at the grey line. A model that knows that effects may wander from
# there (``effect_drift``) follows them; what channels caused before stays as learned.
market = MarketEnvironment(6, 3, n_history=78, n_future=52, drift=0.05, random_state=2)
model = DeepCausalMMMRegressor(
    media=market.media,
    controls=market.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=32,
    effect_drift=0.05,
    random_state=0,
).fit(*market.history())
while market.n_left:
    model.partial_fit(*market.step(market.coming(4)))

# %%
moved = model.effectiveness()
true = market.parameters["drift"].iloc[: market.n_passed]
fig, axes = plt.subplots(1, 3, sharey=True, figsize=(9, 3.2), layout="constrained")
for ax, channel in zip(axes, market.media, strict=True):
    line = moved.loc[channel]
    ax.fill_between(line.index, line["low"], line["high"], alpha=0.25)
    ax.plot(line.index, line["multiple"], label="as learned")
    ax.plot(line.index, true[channel] / true[channel].mean(), "k--", label="true")
    ax.axvline(line.index[78], color="0.7", lw=1)
    ax.set(title=channel)
    ax.tick_params("x", rotation=45)
axes[0].set(ylabel="Effectiveness, multiple of the mean")
axes[0].legend()
plt.show()
