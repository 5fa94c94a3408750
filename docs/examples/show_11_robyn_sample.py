"""
Robyn's weekly sample
=====================

The simulated national series that tutorials of marketing mix modelling use: 208 weeks,
five paid channels, an organic one, a competitor, events. It is part of Robyn (MIT
licence) and not of this package; to run this, put ``robyn_weekly.csv.gz`` into a folder
and name that in the environment variable ``SKMMM_DATA``. The pictures were made by
``benchmarks/example_figures.py``.
"""

# %%
# sphinx_gallery_thumbnail_path = 'images/robyn_verdicts.png'
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.plotting import FitDisplay, ReturnsDisplay, VerdictsDisplay

data = pd.read_csv(Path(os.environ["SKMMM_DATA"]) / "robyn_weekly.csv.gz")
# Events are words; each that is not "na" becomes a column of 0 and 1.
events = pd.get_dummies(data["events"], dtype=float).drop(columns="na")
X = pd.concat([data, events], axis=1)
media = ["tv_S", "ooh_S", "print_S", "facebook_S", "search_S"]
model = DeepCausalMMMRegressor(
    media=[*media, "newsletter"],
    controls=["competitor_sales_B", *events],
    time="DATE",
    media_cost=dict.fromkeys(media, 1.0),
    random_state=0,
).fit(X, data["revenue"])

# %%
# With one national series some channels cannot be told, and the model says so.
# The newsletter has no cost: its effect is per unit sent.
VerdictsDisplay.from_estimator(model)
plt.show()

# %%
# .. image:: /images/robyn_verdicts.png
#    :alt: Verdict of each channel
#
# How close the model is to the revenue of each week:
FitDisplay.from_estimator(model, X, data["revenue"])
plt.show()

# %%
# .. image:: /images/robyn_fit.png
#    :alt: Revenue and fit over time
#
# What the channels returned:
ReturnsDisplay.from_estimator(model, kpi_name="revenue")
plt.show()

# %%
# .. image:: /images/robyn_returns.png
#    :alt: Return of each channel
