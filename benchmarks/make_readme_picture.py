"""Regenerate the picture of the README from the bundled example.

Run as ``python benchmarks/make_readme_picture.py``. On the left the last quarter is
forecast by a model that has not seen it, on the right are the response curves of a
model of all weeks.
"""

from pathlib import Path

from matplotlib.figure import Figure
from sklearn.base import clone

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.plotting import FitDisplay, ResponseCurvesDisplay

PATH = Path(__file__).parents[1] / "docs" / "images" / "readme.png"
REGION = "Berlin"


def main():
    """Fit both models and draw."""
    data = load_mmm_example()
    X, y = data.X, data.y
    model = DeepCausalMMMRegressor(
        media=data.media,
        controls=data.controls,
        region="region",
        time="week",
        media_cost=1.0,
        random_state=0,
    ).fit(X, y)
    ((train, test),) = PanelTimeSeriesSplit(1, time="week").split(X)
    before = clone(model).fit(X.iloc[train], y.iloc[train])

    figure = Figure(figsize=(9.0, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.25])
    FitDisplay.from_estimator(
        before,
        X.iloc[train],
        y.iloc[train],
        X_test=X.iloc[test],
        y_test=y.iloc[test],
        region=REGION,
        ax=left,
    )
    ResponseCurvesDisplay.from_estimator(model, kpi_name="sales", ax=right)
    PATH.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PATH, dpi=120)


if __name__ == "__main__":
    main()
