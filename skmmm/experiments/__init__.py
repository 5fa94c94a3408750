"""Geo tests: analyse one, read reports of others, say which to run next, design it."""

from skmmm.experiments._adapters import (
    from_average,
    from_causalpy,
    from_geolift,
    from_geox,
    from_lift,
)
from skmmm.experiments._analysis import GeoLiftRegressor
from skmmm.experiments._design import design_experiment
from skmmm.experiments._flights import design_flights
from skmmm.experiments._recommend import recommend_experiment

__all__ = [
    "GeoLiftRegressor",
    "design_experiment",
    "design_flights",
    "from_average",
    "from_causalpy",
    "from_geolift",
    "from_geox",
    "from_lift",
    "recommend_experiment",
]
