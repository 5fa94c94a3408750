"""
A linear MMM in the same cross-validation
=========================================

Transformers for carry-over and saturation, a ridge regression, a grid search: an
ordinary scikit-learn pipeline, asked the same questions as the deep model.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV, cross_validate

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import load_mmm_example
from skmmm.metrics import weighted_mape_scorer
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.plotting import ReturnsDisplay, WaterfallDisplay

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Hamburg", "Munich"]).to_numpy()
X, y = data.X[some], data.y[some]
roles = {
    "media": data.media,
    "controls": data.controls,
    "region": "region",
    "time": "week",
}
cv = PanelTimeSeriesSplit(2, test_size=13, time="week")

# %%
# The linear model fixes decay and half saturation; a search over them is one line.
linear = make_linear_mmm(**roles)
search = GridSearchCV(
    linear,
    {"adstock__decay": [0.2, 0.5, 0.8], "saturation__half_saturation": [0.5, 1.0]},
    scoring=weighted_mape_scorer,
    cv=cv,
).fit(X, y)
print(search.best_params_)

# %%
deep = DeepCausalMMMRegressor(
    **roles, media_cost=1.0, graph=None, n_draws=0, random_state=0
)
for name, estimator in {"linear": search.best_estimator_, "skmmm": deep}.items():
    scores = cross_validate(estimator, X, y, cv=cv, scoring=weighted_mape_scorer)
    print(f"{name:8s} wMAPE {-scores['test_score'].mean():.1%}")

# %%
# Displays of effects take any estimator. The linear model has no intervals.
WaterfallDisplay.from_estimator(search.best_estimator_, X, kpi_name="sales")
plt.show()

# %%
ReturnsDisplay.from_estimator(search.best_estimator_, X, returns="both")
plt.show()

# %%
# The truth, known here: forecasts do not say which of two models is right about
# causes.
data.roi.round(2)
