"""
Channels that work better together
==================================

Who has seen the spot searches, and clicks: television and search may cause more in the
same weeks than each by itself. A model that is told the pair learns how much.
"""

# %%
# A simulated market in which they do. Four regions, two years; each channel pauses in
# some weeks, without which nobody could tell.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor

rng = np.random.default_rng(5)
n_regions, n_weeks, media = 4, 104, ["tv", "search", "radio"]
shape = n_regions, n_weeks, len(media)
spend = rng.gamma(4.0, 0.25, shape) * (rng.random(shape) < 0.7)
carried = spend.copy()
for week in range(1, n_weeks):
    carried[:, week] = 0.6 * spend[:, week] + 0.4 * carried[:, week - 1]
effects = np.array([0.25, 0.2, 0.15]) * carried / (carried + 1.0)
tv, search = effects[..., 0], effects[..., 1]
pair = 1.5 * tv * search / (tv + search)
season = 0.1 * np.sin(2.0 * np.pi * np.arange(n_weeks) / 52.0)
noise = 0.03 * rng.normal(size=shape[:2])
y = 1000.0 * (1.0 + season + effects.sum(axis=2) + pair + noise).ravel()
X = pd.DataFrame(100.0 * spend.reshape(-1, 3), columns=media)
X["region"] = np.repeat([f"region {r}" for r in range(n_regions)], n_weeks)
X["week"] = np.tile(pd.date_range("2023-01-02", periods=n_weeks, freq="W-MON"), 4)

# %%
# One model in which effects add up, and one that is told the pair. What it adds is
# known within an interval, and whether data say so is its verdict.
settings = {
    "media": media,
    "region": "region",
    "time": "week",
    "graph": None,
    "random_state": 0,
}
plain = DeepCausalMMMRegressor(**settings).fit(X, y)
model = DeepCausalMMMRegressor(**settings, synergies=[("tv", "search")]).fit(X, y)
print(model.synergy_summary().round(2).T)
print(f"in truth: {1000.0 * pair.sum():,.0f}, theta 1.5")

# %%
# Half of what the pair adds belongs to each of the two (their Shapley values), so that
# contributions add up. The curve of a channel is of its own spend while others stay as
# they are: without search, television causes less.
truth = 1000.0 * effects.sum(axis=(0, 1)) + 500.0 * pair.sum() * np.array([1, 1, 0])
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
place = np.arange(len(media))
left.bar(place, truth / 1e3, width=0.8, color="0.85", label="truth")
for shift, one, name in (
    (-0.2, plain, "effects add up"),
    (0.2, model, "with the pair"),
):
    found = one.channel_summary().loc[media]
    middle = found["contribution"]
    ends = middle - found["contribution_low"], found["contribution_high"] - middle
    left.errorbar(
        place + shift,
        middle / 1e3,
        np.array(ends) / 1e3,
        fmt="o",
        capsize=3,
        label=name,
    )
left.set(xticks=place, xticklabels=media, ylabel="Contribution (thousands)")
left.legend()
for asked, name in ((X, "search as it was"), (X.assign(search=0.0), "without search")):
    curve = model.response_curve("tv", asked)
    (line,) = right.plot(curve.spend / 1e3, curve.incremental / 1e3, label=name)
    right.fill_between(
        curve.spend / 1e3,
        curve.low / 1e3,
        curve.high / 1e3,
        color=line.get_color(),
        alpha=0.15,
    )
right.set(xlabel="Spend on TV (thousands)", ylabel="Caused by TV (thousands)")
right.set_ylim(bottom=0.0)
right.legend()
plt.show()

# %%
# Plans count pairs: the budget moves until nothing more is to be gained from there. It
# goes from radio to television, which search supports.
plan = model.optimize_budget(bounds=(0.5, 1.5))
print(plan.message)
print(plan.allocation[["current_spend", "spend", "change"]].round(2))
