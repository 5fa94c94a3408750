"""
Does it forecast better than nothing?
=====================================

R² over a panel mostly measures that large cities are large. What counts is the error of
forecasts, from more than one point in time, beside forecasts that need no model at all,
and beside a linear MMM on the same splits.
"""

# %%
# Everything is a scikit-learn estimator with the same columns, so that all contenders
# go through the same splits. Each forecasts 13 weeks that it has not seen.
import matplotlib.pyplot as plt

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.datasets import load_mmm_example
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.plotting import FitDisplay, HoldoutDisplay, SkillDisplay

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich"]).to_numpy()
X, y = data.X[some], data.y[some]
keys = {"region": "region", "time": "week"}
roles = {"media": data.media, "controls": data.controls, **keys}
model = DeepCausalMMMRegressor(
    **roles, media_cost=1.0, graph=None, n_draws=0, random_state=0
)

SkillDisplay.from_estimators(
    {
        "skmmm": model,
        "linear MMM": make_linear_mmm(**roles),
        "seasonal naive": SeasonalNaiveRegressor(**keys),
        "last value": LastValueRegressor(**keys),
    },
    X,
    y,
    cv=PanelTimeSeriesSplit(2, test_size=13, time="week"),
    naive=LastValueRegressor(**keys),
)
plt.show()

# %%
# Skill of one would be perfect, of zero as good as repeating the last value. Media
# and controls of the weeks that are forecast are known to all of them.
#
# The last of these forecasts over time, summed over the cities:
past = (X["week"] < "2023-10-02").to_numpy()
model.fit(X[past], y[past])
later = {"X_test": X[~past], "y_test": y[~past]}
FitDisplay.from_estimator(model, X[past], y[past], **later)
plt.show()

# %%
# Row by row. The title says how different the pooled R² and the one within cities
# are.
HoldoutDisplay.from_estimator(model, X[past], y[past], **later)
plt.show()
