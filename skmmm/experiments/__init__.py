"""Geo tests: analyse one that was run, design the next."""

from skmmm.experiments._analysis import GeoLiftRegressor
from skmmm.experiments._design import design_experiment
from skmmm.experiments._flights import design_flights

__all__ = ["GeoLiftRegressor", "design_experiment", "design_flights"]
