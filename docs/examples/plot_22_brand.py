"""
Effects that come over months
=============================

Half of what two channels cause comes at once, half out of a slow stock: what a model
finds of that, over the years that were seen and after the last week.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

# %%
# A simulated market of eight regions and five years, of which the last three are seen.
# ``media_1`` runs in flights, ``media_3`` is always on.
N_REGIONS, N_BEFORE, N_WEEKS, HALF_LIFE, SHARE = 8, 104, 260, 30.0, 0.5
world = make_mmm_panel(N_REGIONS, N_WEEKS, n_media=4, random_state=707)
brand, keep = ["media_1", "media_3"], 0.5 ** (1.0 / HALF_LIFE)


def out_of_stock(inflow):
    """Return what comes out of a stock that is empty at first, (T, R)."""
    late, found = 0.0, []
    for one in inflow:
        late = keep * late + (1.0 - keep) * one
        found.append(late)
    return np.array(found)


seen = np.repeat(np.arange(N_WEEKS) >= N_BEFORE, N_REGIONS)
y, truth = world.y.copy(), {}
for channel in brand:
    effects = world.contributions[channel].to_numpy().reshape(N_WEEKS, N_REGIONS)
    y += (out_of_stock(SHARE * effects) - SHARE * effects).ravel()
    after = np.where(np.arange(N_WEEKS)[:, None] >= N_BEFORE, effects, 0.0)
    truth[channel] = pd.DataFrame(
        {
            "short": (1.0 - SHARE) * after.sum(axis=1),
            "long": out_of_stock(SHARE * after).sum(axis=1),
        }
    )[N_BEFORE:]
X, y = world.X[seen], y[seen]

# %%
# Both are named in ``brand_channels``; the share of each that is slow is learned.
model = DeepCausalMMMRegressor(
    media=world.media,
    controls=world.controls,
    region="region",
    time="week",
    media_cost=1.0,
    brand_channels=brand,
    graph=None,
    random_state=0,
).fit(X, y)
table = model.brand_effects()
columns = ["short", "long", "to_come"]
print(table[columns].assign(verdict=table["verdict"]).round(-3).to_string())
print(pd.DataFrame({name: own.sum() for name, own in truth.items()}).T.round(-3))
parts = ["share", "share_low", "share_high", "half_life", "half_life_low"]
print(table[[*parts, "half_life_high"]].round(2).to_string())

# %%
# Dashed: the truth. The stock is empty of what these weeks spent at first, and fills.
# What stood in it before belongs to the baseline. Of ``media_3``, which never pauses,
# the rows cannot tell short effects from long ones, and the prior keeps it short.
weekly = model.brand_effects(by="period")
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, channel in zip(axes, brand, strict=True):
    line = weekly.loc[channel]
    for name, color in (("short", "C0"), ("long", "C1")):
        ends = line[f"{name}_low"], line[f"{name}_high"]
        ax.fill_between(line.index, *ends, color=color, alpha=0.25)
        ax.plot(line.index, line[name], color=color, label=name)
        ax.plot(line.index, truth[channel][name], color="k", ls="--", lw=0.8)
    ax.set(title=f"{channel}: {table.loc[channel, 'verdict']}", ylim=(0, None))
    ax.tick_params("x", rotation=45)
axes[0].set(ylabel="Contribution per week")
axes[0].legend()
plt.show()

# %%
# Two years in which nothing is spent: what is still to come.
silent = model.make_future_frame(
    104,
    spend=dict.fromkeys(world.media, 0.0),
    control_values=dict.fromkeys(world.controls, 0.0),
)
later = model.brand_effects(silent, by="period").loc["media_1"]
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.fill_between(later.index, later["long_low"], later["long_high"], alpha=0.25)
ax.plot(later.index, later["long"], label="as learned")
left = truth["media_1"]["long"].iloc[-1] * keep ** np.arange(1, 105)
ax.plot(later.index, left, "k--", lw=0.8, label="true")
ax.set(ylabel="media_1, per week", ylim=(0, None))
ax.tick_params("x", rotation=45)
ax.legend()
plt.show()

# %%
# A plan counts what comes within its weeks and the carry-over after them, and says what
# comes later.
coming = model.make_future_frame(13, control_values="last_year")
plan = model.optimize_budget(X=coming)
print(plan.message)
