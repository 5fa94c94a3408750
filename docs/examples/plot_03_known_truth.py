"""
Recovering what is known
========================

``make_mmm_panel`` simulates panels with their truth: the only way to find out whether a
model of sales is right about causes. Effectiveness of media drifts in this one.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.plotting import (
    BaselineDisplay,
    ContributionsDisplay,
    EffectivenessDisplay,
    SaturationDisplay,
)

world = make_mmm_panel(4, 104, n_media=3, effect_drift=0.5, random_state=5)
model = DeepCausalMMMRegressor(
    media=world.media,
    controls=world.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(world.X, world.y)

# %%
# The error of weekly contributions relative to their true mean, channel by channel.
estimate = model.contributions()[world.media]
truth = world.contributions[world.media]
error = np.sqrt(((estimate - truth) ** 2).mean()) / truth.mean()
print(error.round(2).to_string())

# %%
ContributionsDisplay.from_estimator(model, kpi_name="sales")
plt.show()

# %%
# Effectiveness that the model found to move, each period as a multiple of the mean.
EffectivenessDisplay.from_estimator(model)
plt.show()

# %%
SaturationDisplay.from_estimator(model)
plt.show()

# %%
BaselineDisplay.from_estimator(model, kpi_name="sales")
plt.show()
