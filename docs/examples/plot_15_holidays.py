"""
Holidays that move, in weekly data
==================================

Easter is in another week every year, so neither the season nor the value of a year
before knows where it is. Its dates are known for years to come: they become a control.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.pipeline import make_pipeline

from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.metrics import weighted_mape
from skmmm.plotting import FitDisplay
from skmmm.preprocessing import HolidayEncoder

easter = ["2021-04-02", "2022-04-15", "2023-04-07", "2024-03-29"]
sale = ["2021-11-26", "2022-11-25", "2023-11-24", "2024-11-29"]
dates = pd.DataFrame(
    {"date": [*easter, *sale], "name": ["Good Friday"] * 4 + ["Black Friday"] * 4}
)
world = make_mmm_panel(1, 208, n_media=2, n_controls=1, random_state=0)
X = world.X

# %%
# With ``lead=6`` the six days before a holiday count as well. The columns say which
# share of the days of a week that is. For the public holidays of a country, write
# ``country="DE"`` in place of ``dates``.
encoder = HolidayEncoder(time="week", dates=dates, lead=6)
shares = encoder.fit_transform(X).set_index("week").filter(like="holiday_")
shares[shares.sum(axis=1) > 0].round(2).head(6)

# %%
# Simulated sales: on such days they are 40 % higher before Good Friday, and 80 % before
# Black Friday. The last year is held out.
lift = shares["holiday_Good Friday"] * 0.4 + shares["holiday_Black Friday"] * 0.8
y = world.y * (1 + lift.to_numpy())
past = X["week"] < "2024-01-01"

later = {"X_test": X[~past], "y_test": y[~past]}

plain = make_linear_mmm(media=world.media, controls=["price"], time="week")
plain.fit(X[past], y[past])
FitDisplay.from_estimator(plain, X[past], y[past], **later)
plt.show()

# %%
# The same model behind the encoder:
controls = ["price", "holiday_Black Friday", "holiday_Good Friday"]
informed = make_pipeline(
    encoder, make_linear_mmm(media=world.media, controls=controls, time="week")
)
informed.fit(X[past], y[past])
FitDisplay.from_estimator(informed, X[past], y[past], **later)
plt.show()

# %%
# Errors of the held-out year, as a share of sales. Tables of coming periods go through
# the same pipeline, so that plans have their holidays, too.
{
    "without holidays": weighted_mape(y[~past], plain.predict(X[~past])),
    "with holidays": weighted_mape(y[~past], informed.predict(X[~past])),
}
