"""
What an experiment adds
=======================

One series of 80 weeks says little about each channel. A lift test of one of them enters
as an interval for its return.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.plotting import ReturnsDisplay, VerdictsDisplay

world = make_mmm_panel(1, 80, n_media=4, random_state=3)
roles = {
    "media": world.media,
    "controls": world.controls,
    "time": "week",
    "media_cost": 1.0,
    "random_state": 0,
}
X = world.X.drop(columns="region")
before = DeepCausalMMMRegressor(**roles).fit(X, world.y)

# %%
# Verdicts say which numbers are expectations rather than findings.
VerdictsDisplay.from_estimator(before)
plt.show()

# %%
# An experiment with the first channel found its true return, give or take 15 %.
true = world.contributions["media_1"].sum() / X["media_1"].sum()
tested = {"media_1": {"roi": (0.85 * true, 1.15 * true)}}
after = DeepCausalMMMRegressor(**roles, priors=tested).fit(X, world.y)

figure, axes = plt.subplots(1, 2, figsize=(9.6, 2.8), layout="constrained", sharex=True)
for ax, model, name in zip(axes, (before, after), ("before", "after"), strict=True):
    ReturnsDisplay.from_estimator(model, ax=ax)
    ax.set_title(name, loc="left", fontsize=9)
plt.show()

# %%
# What becomes surer about one channel also tells about the others, as they have to
# share what is left.
print(f"true return of media_1: {true:.2f}")
after.channel_summary()[["roi", "roi_low", "roi_high", "verdict"]].round(2)
