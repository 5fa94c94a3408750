"""
Calibrate with a test
=====================

Two channels that are booked together share one effect, and rows do not tell how. One of
them is switched off for some weeks; what that cost goes into the model.
"""

# %%
# A simulated national series. Spend on video follows that on radio up to a few percent.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.plotting import ExperimentsDisplay

names = ["radio", "video", "search"]
world = make_mmm_panel(1, 104, n_media=3, media_names=names, random_state=6)
X, rng = world.X.copy(), np.random.default_rng(0)
follows = X["radio"] * X["video"].sum() / X["radio"].sum()
X["video"] = follows * np.exp(0.03 * rng.standard_normal(len(X)))
sales = (world.y + world.response(X) - world.response(world.X)).rename("sales")

# %%
# For twelve weeks a geo test had video off in some of the country. Its result, scaled
# to the whole country: sales that were lost in total, give or take 15 %. Here the truth
# is known, and the test measures it with an error.
weeks = X["week"].between("2022-02-28", "2022-05-16")
dark = X.assign(video=X["video"].where(~weeks, 0.0))
brought = (world.response(dark) - world.response(X))[weeks].sum()
tests = pd.DataFrame(
    {
        "media": ["video"],
        "start": ["2022-02-28"],
        "end": ["2022-05-16"],
        "change": [0.0],
        "estimate": [1.05 * brought],
        "std_error": [0.15 * abs(brought)],
    }
)
tests.round(-2)

# %%
# ``fit`` learns from the rows first, then from the test as well, and says what each
# test measured, and the model before and after.
model = DeepCausalMMMRegressor(
    media=names,
    controls=world.controls,
    time="week",
    media_cost=1.0,
    experiments=tests,
    max_lag=6,
    n_hidden=0,
    n_draws=16,
    graph=None,
    random_state=0,
).fit(X.drop(columns="region"), sales)
print(model.experiments_["finding"][0])
ExperimentsDisplay.from_estimator(model)
plt.show()

# %%
# What is known of video tells of radio as well, because their sum was known.
silent = [X.assign(**{name: 0.0}) for name in names]
truth = [(world.response(X) - world.response(other)).sum() for other in silent]
bounds = ["contribution", "contribution_low", "contribution_high"]
model.channel_summary()[bounds].assign(truth=pd.Series(truth, names)).round(-3)
