"""
A real panel of 190 regions
===========================

The anonymised panel of DeepCausalMMM (MIT licence): 190 US regions, 109 weeks, 13
channels of impressions, a KPI of visits. It is not part of this package; put
``dma_panel.csv.gz`` beside the repository into ``shared/data``, or name its folder in
the environment variable ``SKMMM_DATA``. Here every tenth region, to be quick.
"""

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.plotting import (
    ChannelGraphDisplay,
    FitDisplay,
    RegionRankingDisplay,
    VerdictsDisplay,
)

folder = Path(os.environ.get("SKMMM_DATA", "../../../shared/data"))
path = folder / "dma_panel.csv.gz"


def fit(data, **parameters):
    """Fit the panel, with short names for its channels."""
    short = {c: "_".join(c.split("_")[1:3]).lower() for c in data if "Channel" in c}
    data = data.rename(columns=short)
    model = DeepCausalMMMRegressor(
        media=list(short.values()),
        controls=[c for c in data if c.startswith("control")],
        region="dmacode",
        time="weekid",
        random_state=0,
        **parameters,
    )
    X, y = data.drop(columns="target_visits"), data["target_visits"]
    return model.fit(X, y), X, y


model = None
if not path.exists():
    print(f"{path.name} is not here: nothing to show.")
else:
    data = pd.read_csv(path)
    some = np.unique(data["dmacode"])[::10]
    model, X, y = fit(data[data["dmacode"].isin(some)], n_draws=8)

# %%
# Without costs there is no return on money: ROI is visits per impression. Most
# verdicts say that the numbers are what was expected beforehand. A model that called
# them findings would be more impressive, and wrong.
if model is not None:
    VerdictsDisplay.from_estimator(model)
    plt.show()

# %%
# A close fit is no contradiction: the level of each region follows its visits.
if model is not None:
    FitDisplay.from_estimator(model, X, y)
    plt.show()

# %%
if model is not None:
    RegionRankingDisplay.from_estimator(model, kpi_name="visits")
    plt.show()

# %%
# Which channel drives which. On all regions see the user guide.
if model is not None:
    ChannelGraphDisplay.from_estimator(model)
    plt.show()
