"""
What a prior on one return does
===============================

One series of 80 weeks says little about each channel. Who knows the return of one of
them from elsewhere gives it as an interval.
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
# The return of the first channel is known, give or take 15 %. This is a prior: an
# interval for what all its spend in these weeks earned per unit, before the data speak.
# It is not a lift test. A test measures what one change of spend did, in some regions
# and weeks; at another level of spend the return is another one. Tests have a parameter
# of their own: :doc:`plot_11_calibrate_with_a_test`.
true = world.contributions["media_1"].sum() / X["media_1"].sum()
known = {"media_1": {"roi": (0.85 * true, 1.15 * true)}}
after = DeepCausalMMMRegressor(**roles, priors=known).fit(X, world.y)

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
