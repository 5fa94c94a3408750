"""Fits by the command line: of some regions, and of a series whose table is spoilt."""

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


@pytest.fixture
def no_pictures(monkeypatch):
    """They take half the time of a quick fit, and test_one_series asks for them."""
    monkeypatch.setattr("skmmm._cli.commands.write_pictures", lambda *args: [])


@pytest.fixture(scope="module")
def regional_arguments(tmp_path_factory, panel):
    """Arguments of a quick fit of three regions, but for the output."""
    path = tmp_path_factory.mktemp("data") / "panel.csv.gz"
    to_csv(panel.frame, path)
    columns = ["--kpi", "sales", "--media", *panel.media, "--controls", *panel.controls]
    return ["fit", str(path), *columns, "--region", "region", "--time", "week", *QUICK]


@pytest.fixture(scope="module")
def regional(tmp_path_factory, regional_arguments):
    """The folder that such a fit writes."""
    out = tmp_path_factory.mktemp("out")
    assert main([*regional_arguments, "--quiet", "--out", str(out)]) == 0
    return out
