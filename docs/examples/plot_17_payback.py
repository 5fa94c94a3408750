"""
When spend has paid back
========================

How many weeks pass until half, and nine tenths, of what spend causes has arrived,
whether the data or the prior say so, and when a euro is back.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.base import clone

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.plotting import PaybackDisplay

data = load_mmm_example()
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    graph=None,
    n_draws=16,
    random_state=0,
).fit(data.X, data.y)

# %%
# Points are times, thick lines their intervals, thin ones the intervals of the prior:
# where both are alike, nobody has learned when the effect comes.
PaybackDisplay.from_estimator(model)
plt.show()

# %%
# In money: the KPI are sales, of which a margin of 60 % is left. ``inf`` is never.
table = model.payback(value=0.6)
print(table[["t50", "t90", "verdict", "cut_off"]].round(2))
print(table.filter(like="money_back").join(table["pays_back"]).round(2))

# %%
# One city says less, and with three lags the model ends effects that go on: times are
# too early then.
one = data.X["region"].eq("Vienna").to_numpy()
short = clone(model).set_params(max_lag=3).fit(data.X[one], data.y[one])
PaybackDisplay.from_estimator(short)
plt.show()
