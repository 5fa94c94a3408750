"""Tables of the past whose spend says which region and week it is of."""

import numpy as np
import pandas as pd

from skmmm.scenarios import make_future_frame

ROLES = {
    "media": ["tv", "search"],
    "controls": ["price", "promo"],
    "region": "region",
    "time": "week",
}
SERIES = {"media": ["tv"], "time": "t"}
COPY = {"control_values": "last_year"}
LAST = "last_periods"


def two_regions():
    """Two regions, sixty weeks; spend says which region and week it is of."""
    week = pd.date_range("2021-01-04", periods=60, freq="7D")
    table = pd.DataFrame({"week": week.repeat(2), "region": ["B", "A"] * 60})
    number = np.arange(60).repeat(2)
    in_b = (table["region"] == "B").to_numpy()
    table["tv"] = 100.0 + number + 1000.0 * in_b
    table["promo"] = number % 2 == 0
    table["search"] = np.where(in_b, 3, 1)
    table["price"] = (10 + number / 8 + in_b).astype(np.float32)
    return table


def series(times):
    """One region; spend counts the periods from 0."""
    return pd.DataFrame({"t": times, "tv": np.arange(float(len(times)))})


def future(X, periods=3, **arguments):
    return make_future_frame(X, periods, **(ROLES | COPY | arguments))
