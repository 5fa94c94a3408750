"""
Robyn's weekly sample
=====================

The simulated national series that tutorials of marketing mix modelling use: 208 weeks,
five paid channels, an organic one, a competitor, events. It is part of Robyn (MIT
licence) and not of this package; put ``robyn_weekly.csv.gz`` beside the repository into
``shared/data``, or name its folder in the environment variable ``SKMMM_DATA``.
"""

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.plotting import (
    FitDisplay,
    ReturnsDisplay,
    VerdictsDisplay,
)

folder = Path(os.environ.get("SKMMM_DATA", "../../../shared/data"))
path = folder / "robyn_weekly.csv.gz"
model = None
if not path.exists():
    print(f"{path.name} is not here: nothing to show.")
else:
    data = pd.read_csv(path)
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
if model is not None:
    VerdictsDisplay.from_estimator(model)
    plt.show()

# %%
if model is not None:
    FitDisplay.from_estimator(model, X, data["revenue"])
    plt.show()

# %%
if model is not None:
    ReturnsDisplay.from_estimator(model, kpi_name="revenue")
    plt.show()
