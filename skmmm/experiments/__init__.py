"""Geo tests: analyse one that was run, design the next."""

from skmmm.experiments._analysis import GeoLiftRegressor

__all__ = ["GeoLiftRegressor"]
