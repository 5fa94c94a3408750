"""Command line: files of lift tests, read and checked before anything is fitted."""

import re
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from command_line import QUICK, SALES, one_error, to_csv
from skmmm import DeepCausalMMMRegressor, plotting
from skmmm.__main__ import main
from skmmm._cli import commands, files
from skmmm._cli.experiments import make_test
from skmmm._cli.parser import parse
from skmmm._cli.task import demo_task, describe, read_task

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The experiment on"),
]

HEADER = "media,start,end,change,estimate,std_error\n"
GOOD = HEADER + "media_1,2021-03-01,2021-10-25,0,-60000.5,10000\n"


@pytest.fixture
def arguments(tmp_path, series):
    """Return a function that writes a file of tests, and says how to fit with it."""
    to_csv(series.frame.drop(columns="region"), tmp_path / "series.csv")

    def of(tests, *more):
        path = tmp_path / "tests.csv"
        path.write_text(tests)
        of_table = ["fit", str(tmp_path / "series.csv"), *SALES, "--time", "week"]
        of_tests = ["--experiments", str(path), "--out", str(tmp_path / "out")]
        return [*of_table, *of_tests, *QUICK, "--origins", "0", *more]

    return of


@pytest.mark.filterwarnings("ignore:The spend of")
def test_a_fit_writes_what_tests_taught(arguments, tmp_path, capsys, monkeypatch):
    for name in plotting.__all__:  # the other pictures take most of the time
        if name != "ExperimentsDisplay" and hasattr(files, name):
            monkeypatch.setattr(files, name, Mock())
    assert main(arguments(GOOD)) == 0
    said = capsys.readouterr().out
    assert "Tests     1, of media_1\n" in said
    assert "The experiment on media_1" in said
    written = pd.read_csv(tmp_path / "out" / "experiments.csv", parse_dates=["start"])
    model = DeepCausalMMMRegressor.load(tmp_path / "out" / "model.skmmm")
    assert_allclose(written["after"], model.experiments_["after"], rtol=1e-6)
    assert written["finding"].tolist() == model.experiments_["finding"].tolist()
    assert (tmp_path / "out" / "experiments.png").stat().st_size > 5000
    # A fit without tests removes them.
    removed = files.remove_others(tmp_path / "out", ["channels.csv"])
    assert {"experiments.csv", "experiments.png"} <= set(removed)


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (GOOD.replace("media_1", "media_3"), "experiment 0 names 'media_3'"),
        (GOOD.replace("10000", "0"), "experiment 0 has a std_error of 0"),
        (GOOD.replace("10000", ""), "experiment 0 has no std_error"),
        (GOOD.replace("10000", "low"), "column 'std_error' has 'low' at experiment 0"),
        (GOOD.replace("2021-03-01", "soon"), "'start' has 'soon' in data row 1"),
        (GOOD.replace("2021-10-25", "2031-04-28"), "is not inside the training rows"),
        (GOOD.replace("std_error", "error"), "experiments has no column 'std_error'"),
        (GOOD.replace(",", ";"), "separated by ';', say --sep \";\""),
        (HEADER, "has a header and no rows"),
    ],
)
def test_a_wrong_file_is_refused_before_the_fit(
    arguments, capsys, monkeypatch, tests, message
):
    monkeypatch.setattr(DeepCausalMMMRegressor, "fit", None)
    assert main(arguments(tests)) == 1
    error = one_error(capsys)
    assert message in error
    assert "tests.csv: " in error


def test_a_file_that_is_not_there_or_would_be_replaced(arguments, tmp_path, capsys):
    missing = arguments(GOOD, "--experiments", str(tmp_path / "test.csv"))
    assert main(missing) == 1
    assert "--experiments: there is no file " in one_error(capsys)
    (tmp_path / "out").mkdir()
    own = tmp_path / "out" / "experiments.csv"
    own.write_text(GOOD)
    assert main(arguments(GOOD, "--experiments", str(own))) == 2
    assert "--out would replace" in one_error(capsys)


def test_it_is_written_like_the_table(tmp_path, panel):
    """Semicolons, decimal commas and German dates; several channels and regions."""
    frame = panel.frame.assign(week=panel.frame["week"].dt.strftime("%d.%m.%Y"))
    frame.to_csv(tmp_path / "panel.csv", sep=";", decimal=",", index=False)
    several = '"media_1;media_2";"region_1;region_3"'
    (tmp_path / "tests.csv").write_text(
        "media;regions;start;end;change;estimate;std_error;cooldown;spend_change\n"
        f"{several};01.03.2021;30.04.2021;0,5;-1.000,5;250,25;2;\n"
        "media_3;;03.05.2021;17.05.2021;;40;30;;1.500\n"
    )
    notation = ["--sep", ";", "--decimal", ",", "--thousands", "."]
    arguments = ["fit", str(tmp_path / "panel.csv"), "--kpi", "sales"]
    arguments += ["--media", *panel.media, "--region", "region", "--time", "week"]
    arguments += [*notation, "--date-format", "%d.%m.%Y"]
    tests = read_task(
        parse([*arguments, "--experiments", str(tmp_path / "tests.csv")])
    ).experiments
    assert_allclose(tests["estimate"], [-1000.5, 40.0])
    assert_allclose(tests["std_error"], [250.25, 30.0])
    assert_allclose(tests["change"], [0.5, np.nan])
    assert_allclose(tests["spend_change"], [np.nan, 1500.0])
    assert tests["start"].tolist() == [
        pd.Timestamp("2021-03-01"),
        pd.Timestamp("2021-05-03"),
    ]
    assert tests["regions"].dropna().tolist() == ["region_1;region_3"]


@pytest.fixture
def summary():
    """What a model could say of the example, least exactly of radio."""
    truth = demo_task().truth.sum()
    ends = {"contribution_low": 0.9 * truth, "contribution_high": 1.1 * truth}
    summary = pd.DataFrame({"contribution": truth, **ends})
    summary.loc["radio", ["contribution", "contribution_low"]] *= 0.5
    return summary


def test_the_demo_tests_what_rows_know_least(summary):
    task = demo_task()
    test = make_test(task, summary, seed=0).iloc[0]
    assert test["media"] == "radio"
    # It measures with an error what half a year without it would have cost.
    weeks = task.X["week"].between(test["start"], test["end"])
    assert task.X.loc[weeks, "week"].nunique() == 26
    brought = -task.truth.loc[weeks, "radio"].sum()
    assert test["std_error"] == pytest.approx(0.1 * abs(brought))
    assert 0 < abs(test["estimate"] - brought) < 3 * test["std_error"]


def test_the_demo_fits_without_and_with_the_test(
    tmp_path, capsys, monkeypatch, summary
):
    alone, tested = Mock(), Mock()
    alone.channel_summary.return_value = summary.assign(contribution_high=0.0)
    tested.channel_summary.return_value = summary
    tested.optimize_budget.return_value.success = False
    fitted = []

    def fit_and_write(console, task, args):
        fitted.append(task.experiments)
        return tested, None

    monkeypatch.setattr(commands, "_fit", lambda *args, graph: alone)
    monkeypatch.setattr(commands, "_fit_and_write", fit_and_write)
    monkeypatch.setattr(commands, "_report", Mock())
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert fitted[0]["media"].notna().all()
    said = capsys.readouterr().out
    assert "of which rows know least: off everywhere from 2021-01-04" in said
    assert re.search(r"Truth +Rows alone +90% interval +holds +With the test", said)
    assert re.search(r"radio( +\S+ M){2} .* no( +\S+ M){2} .* yes", said)
    assert "0 of 6 and 6 of 6 intervals hold" in said


def test_parquet_may_hold_lists(tmp_path, panel):
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    panel.frame.to_parquet(tmp_path / "panel.parquet")
    tests = pd.DataFrame({"media": [panel.media[:2]], "regions": [["region_2"]]})
    tests["start"], tests["end"] = panel.X["week"].iloc[0], panel.X["week"].iloc[-1]
    tests = tests.assign(change=0.5, estimate=-10.0, std_error=5.0)
    tests.to_parquet(tmp_path / "tests.parquet")
    arguments = ["fit", str(tmp_path / "panel.parquet"), "--kpi", "sales"]
    arguments += ["--media", *panel.media, "--region", "region", "--time", "week"]
    arguments += ["--experiments", str(tmp_path / "tests.parquet")]
    task = read_task(parse(arguments))
    assert list(task.experiments["media"][0]) == panel.media[:2]
    assert "Tests     1, of media_1;media_2" in describe(task)
