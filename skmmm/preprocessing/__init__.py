"""Steps before a model: region codes, scales, carry-over, season, holidays.

Every transformer takes a table and gives back the same kind of table (pandas, Polars
or ndarray) with the columns it does not work on as they were.
"""

from skmmm.preprocessing._adstock import (
    DelayedAdstock,
    GeometricAdstock,
    WeibullAdstock,
)
from skmmm.preprocessing._holidays import HolidayEncoder
from skmmm.preprocessing._regions import RegionEncoder
from skmmm.preprocessing._saturation import HillSaturation
from skmmm.preprocessing._scaling import PanelScaler
from skmmm.preprocessing._season import FourierSeason

__all__ = [
    "DelayedAdstock",
    "FourierSeason",
    "GeometricAdstock",
    "HillSaturation",
    "HolidayEncoder",
    "PanelScaler",
    "RegionEncoder",
    "WeibullAdstock",
]
