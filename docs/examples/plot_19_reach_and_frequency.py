"""
How often should people see a channel?
======================================

Video is bought in impressions. Reach says how many people they found, frequency how
often: the same impressions may find many people once, or few of them ten times.
"""

# %%
# Two years of four simulated regions. Half of the effect of seeing video is there at
# three exposures, with a slope of two, so that an impression adds most at three.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor

rng = np.random.default_rng(4)
shape = 4, 104
people = rng.lognormal(4.0, 0.5, shape) * (rng.random(shape) < 0.8)
impressions = people * rng.lognormal(1.3, 0.6, shape)
reach = people * -np.expm1(-impressions / np.maximum(people, 1e-9))
frequency = impressions / np.where(reach > 0, reach, np.nan)
tv = rng.gamma(2.0, 100.0, shape)
heard = reach / 50.0 * np.nan_to_num(frequency**2 / (frequency**2 + 3.0**2))
heard[:, 1:] += 0.5 * heard[:, :-1]
effects = 0.15 * heard, 0.3 * tv / (tv + 200.0)
sales = 1000.0 * (1.0 + sum(effects) + rng.normal(0.0, 0.03, shape))
X = pd.DataFrame(
    {
        "region": np.repeat(["north", "east", "south", "west"], shape[1]),
        "week": np.tile(pd.date_range("2023-01-02", periods=shape[1], freq="W-MON"), 4),
        "video": reach.ravel(),
        "video_frequency": frequency.ravel(),
        "tv": tv.ravel(),
    }
)

# %%
# The column of the channel is reach; ``frequency`` names the other one, which may be
# empty where nobody was reached.
model = DeepCausalMMMRegressor(
    media=["video", "tv"],
    frequency={"video": "video_frequency"},
    region="region",
    time="week",
    max_lag=4,
    graph=None,
    n_draws=32,
    random_state=0,
).fit(X, sales.ravel())
summary = model.channel_summary()
print(summary[["contribution", "contribution_low", "contribution_high", "verdict"]])
print(f"half saturation {model.half_saturation_[0]:.2f} exposures")

# %%
# Impressions held, how often should those who are reached see it?
found = model.optimal_frequency()
print(found.T.to_string())

# %%
# What the same impressions would cause if everybody who is reached saw video so often.
grid = np.arange(1.0, 10.1, 0.5)
tables = [model.optimal_frequency(grid=[f]).loc["video"] for f in grid]
gain, low, high = (
    np.array([table[name] for table in tables]) / 1000.0
    for name in ("gain", "gain_low", "gain_high")
)
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
ax.fill_between(grid, low, high, alpha=0.2, label="90 % interval")
ax.plot(grid, gain, label="same impressions, other frequency")
best = found.loc["video"]
ax.axvspan(best["optimum_low"], best["optimum_high"], color="0.92", zorder=0)
ax.axvline(best["optimum"], color="0.5", linestyle=":", label="optimum")
ax.axvline(best["frequency"], color="tab:red", linewidth=1.0, label="frequency today")
ax.axhline(0.0, color="0.7", linewidth=0.8)
ax.set(xlabel="frequency of those reached", ylabel="sales gained (thousand)")
ax.legend(frameon=False, fontsize=8)
plt.show()
