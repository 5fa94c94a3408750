"""
Trying to refute it
===================

A channel that works should earn less when its spend is given to the wrong weeks, and
its return should not hang on single months.
"""

# %%
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import block_stability, placebo_channel
from skmmm.plotting import ResidualsDisplay

world = make_mmm_panel(1, 104, n_media=2, random_state=2)
model = DeepCausalMMMRegressor(
    media=world.media,
    controls=world.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=8,
    random_state=0,
).fit(world.X, world.y)

# %%
# The same spend at the wrong time, fitted again.
placebo_channel(model, world.X, world.y, n_repeats=1, random_state=0)

# %%
# Leave out one block of weeks after the other.
block_stability(model, world.X, world.y, n_blocks=2)

# %%
# What is left over: errors that grow, drift or repeat would say that something is
# missing.
ResidualsDisplay.from_estimator(model, world.X, world.y)
plt.show()
