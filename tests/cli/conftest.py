"""A fit of one series whose table is spoilt."""

import pytest

from command_line import QUICK, SALES, to_csv
from skmmm.__main__ import main


@pytest.fixture
def broken(tmp_path, series):
    """Return a function that changes the table of one series and fits it."""

    def run(change, *arguments):
        path = tmp_path / "series.csv"
        to_csv(change(series.frame.drop(columns="region")), path)
        base = ["fit", str(path), "--time", "week", "--out", str(tmp_path / "out")]
        return main([*base, *QUICK, *(arguments or SALES)])

    return run
