"""
A real panel of 190 regions
===========================

The anonymised panel of DeepCausalMMM (MIT licence): 190 US regions, 109 weeks, 13
channels of impressions, a KPI of visits. It is not part of this package; to run this,
put ``dma_panel.csv.gz`` into a folder and name that in the environment variable
``SKMMM_DATA``. Here every tenth region, to be quick. The pictures were made by
``benchmarks/example_figures.py``.
"""

# %%
# sphinx_gallery_thumbnail_path = 'images/dma_verdicts.png'
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

data = pd.read_csv(Path(os.environ["SKMMM_DATA"]) / "dma_panel.csv.gz")
data = data[data["dmacode"].isin(np.unique(data["dmacode"])[::10])]
# Short names for the channels.
short = {c: "_".join(c.split("_")[1:3]).lower() for c in data if "Channel" in c}
data = data.rename(columns=short)
X, y = data.drop(columns="target_visits"), data["target_visits"]
model = DeepCausalMMMRegressor(
    media=list(short.values()),
    controls=[c for c in data if c.startswith("control")],
    region="dmacode",
    time="weekid",
    random_state=0,
).fit(X, y)

# %%
# Without costs there is no return on money: ROI is visits per impression. Most
# verdicts say that the numbers are what was expected beforehand. A model that called
# them findings would be more impressive, and wrong.
VerdictsDisplay.from_estimator(model)
plt.show()

# %%
# .. image:: /images/dma_verdicts.png
#    :alt: Verdict of each channel
#
# A close fit is no contradiction: the level of each region follows its visits.
FitDisplay.from_estimator(model, X, y)
plt.show()

# %%
# .. image:: /images/dma_fit.png
#    :alt: Visits and fit over time
#
# Where the channels cause most:
RegionRankingDisplay.from_estimator(model, kpi_name="visits")
plt.show()

# %%
# .. image:: /images/dma_regions.png
#    :alt: Regions by what media cause there
#
# Which channel drives which. On all regions see the user guide.
ChannelGraphDisplay.from_estimator(model)
plt.show()

# %%
# .. image:: /images/dma_graph.png
#    :alt: Channels and the arrows between them
