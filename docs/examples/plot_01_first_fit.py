"""
First fit: what each channel caused
===================================

Four cities of the bundled example, a simulated retailer: fit, look at what each channel
returned, and compare with the truth, which is known here and nowhere else.
"""

# %%
# The table has one row per city and week: six channels in euros, two controls, sales.
# Column names go to the constructor; ``media_cost=1.0`` says that channels are money.
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.plotting import ReturnsDisplay, VerdictsDisplay, WaterfallDisplay

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich", "Cologne"]).to_numpy()
X, y = data.X[some], data.y[some]

model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    random_state=0,
).fit(X, y)

# %%
# Most sales would have come without media. The bars add up from the baseline to what
# the model predicts.
WaterfallDisplay.from_estimator(model, kpi_name="sales (euros)")
plt.show()

# %%
# Return on all spend, and on the next euro. Where the second is lower, the channel is
# saturated: what it earned so far is not what more of it would earn.
ReturnsDisplay.from_estimator(model, returns="both", kpi_name="euros of sales")
plt.show()

# %%
# Each estimate comes with a verdict. Where it is not data-driven, the number is what
# was expected beforehand and should not move money.
VerdictsDisplay.from_estimator(model)
plt.show()

# %%
# Here the truth is known. The 90 % intervals should hold it nine times in ten.
truth = data.contributions.loc[some, data.media].sum()
summary = model.channel_summary()
table = summary[["contribution", "contribution_low", "contribution_high"]]
table.assign(truth=truth).round(-3)
