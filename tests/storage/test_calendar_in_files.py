"""Calendars in files: all kinds come back, damaged ones are refused."""

import json

import pandas as pd
import pytest

from skmmm._data.calendar import infer_calendar
from skmmm._storage.header import pack_calendar, unpack_calendar

WEEKS = [0, 4, 8, 13, 17, 21, 26, 30, 34, 40, 44]  # a 53rd week in the ninth month


@pytest.fixture
def packed():
    times = pd.Timestamp("2021-01-31") + pd.to_timedelta(7 * pd.Series(WEEKS), unit="D")
    calendar = infer_calendar(times, "time")
    header = json.loads(json.dumps(pack_calendar(calendar, len(WEEKS))))
    assert unpack_calendar(header, len(WEEKS)) == calendar
    return header


@pytest.mark.parametrize("freq", ["D", "B", "7D", "14D", "28D", "MS", "QS"])
def test_calendars_come_back(freq):
    times = pd.Series(pd.date_range("2021-02-01", periods=40, freq=freq))
    calendar = infer_calendar(times, "time")
    header = json.loads(json.dumps(pack_calendar(calendar, 40)))
    assert set(header["calendar"]) == {"unit", "origin", "step", "periods_per_year"}
    assert unpack_calendar(header, 40) == calendar


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weeks", [4, 4, 6]),
        ("weeks", [4, 4]),
        ("weeks", 13),
        ("longer", []),
        ("longer", [8, 8]),
        ("longer", ["8"]),
        ("longer", [8.0]),
        ("longer", [2**70]),
        ("n_known", -1),
        ("n_known", 2**70),
    ],
)
def test_damaged_retail_months(packed, key, value):
    packed["calendar"]["months"][key] = value
    with pytest.raises(ValueError, match="calendar"):
        unpack_calendar(packed, len(WEEKS))


def test_retail_months_of_other_units(packed):
    packed["calendar"]["unit"] = "week"
    with pytest.raises(ValueError, match="calendar"):
        unpack_calendar(packed, len(WEEKS))
    del packed["calendar"]["months"]
    packed["calendar"]["unit"] = "retail month"
    with pytest.raises(ValueError, match="calendar"):
        unpack_calendar(packed, len(WEEKS))
