"""Geo tests: analyse one that was run, say which to run next, and design it."""

from skmmm.experiments._analysis import GeoLiftRegressor
from skmmm.experiments._design import design_experiment
from skmmm.experiments._flights import design_flights
from skmmm.experiments._recommend import recommend_experiment

__all__ = [
    "GeoLiftRegressor",
    "design_experiment",
    "design_flights",
    "recommend_experiment",
]
