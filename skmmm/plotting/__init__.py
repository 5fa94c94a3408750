"""Pictures of fitted models: each holds its data and draws them where it is told."""

from skmmm.plotting._contributions import ContributionsDisplay
from skmmm.plotting._curves import ResponseCurvesDisplay
from skmmm.plotting._fit import FitDisplay
from skmmm.plotting._returns import ReturnsDisplay

__all__ = [
    "ContributionsDisplay",
    "FitDisplay",
    "ResponseCurvesDisplay",
    "ReturnsDisplay",
]
