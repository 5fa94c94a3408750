"""
Channels that drive each other
==============================

Television makes people search; search is seen last and takes the credit. In this
simulated funnel the graph is known.
"""

# %%
# Three channels in twelve regions: the first raises the second, the second the third.
import matplotlib.pyplot as plt
import numpy as np

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.plotting import (
    ChannelGraphDisplay,
    ChannelGraphHeatmapDisplay,
    ContributionSharesDisplay,
)

graph = np.zeros((3, 3))
graph[0, 1], graph[1, 2] = 0.8, 0.5
names = {"media_1": "television", "media_2": "search", "media_3": "shop"}
world = make_mmm_panel(12, 104, n_media=3, graph=graph, random_state=1)
X = world.X.rename(columns=names)
model = DeepCausalMMMRegressor(
    media=list(names.values()),
    controls=world.controls,
    region="region",
    time="week",
    media_cost=1.0,
    random_state=0,
).fit(X, world.y)

# %%
# What is drawn comes from spend alone. An arrow is a candidate to test: hold the
# parent back in some regions before money moves because of it.
ChannelGraphDisplay.from_estimator(model)
plt.show()

# %%
ChannelGraphHeatmapDisplay.from_estimator(model)
plt.show()

# %%
# Direct effects leave credit with the channel whose spend acts; total effects give it
# to where spend originates. The sum is the same.
direct = model.channel_summary()["contribution"]
total = model.channel_summary(effect="total")["contribution"]
print(direct.to_frame("direct").assign(total=total).round(-3))

# %%
ContributionSharesDisplay.from_estimator(model, kpi_name="sales")
plt.show()
