"""Command line: files, tables, errors in one line."""

import io
import os
import re
import subprocess
import sys
import warnings
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

import skmmm
from skmmm import DeepCausalMMMRegressor, __version__
from skmmm.__main__ import main
from skmmm._cli.commands import COMMANDS, _bounds
from skmmm._cli.console import Console, progress_bar
from skmmm._cli.files import by_row, remove_others, write_csv
from skmmm._cli.parser import UsageError, parse
from skmmm._cli.paths import check_paths
from skmmm._cli.task import Task, demo_task, describe, read_rows, read_task
from skmmm.datasets import load_mmm_example

TABLES = ["channels.csv", "contributions.csv", "skill.csv", "channel_graph.csv"]
PICTURES = [
    f"{name}.png"
    for name in (
        "fit",
        "contributions",
        "waterfall",
        "returns",
        "verdicts",
        "response_curves",
        "channel_graph",
    )
]
SALES = ["--kpi", "sales", "--media", "media_1", "media_2"]
QUICK = ["--max-iter", "5", "--draws", "2", "--max-lag", "3"]

pytestmark = pytest.mark.usefixtures("short_chains")


def to_csv(frame, path):
    frame.to_csv(path, index=False)


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


@pytest.fixture
def broken(tmp_path, series):
    """Return a function that changes the table of one series and fits it."""

    def run(change, *arguments):
        path = tmp_path / "series.csv"
        to_csv(change(series.frame.drop(columns="region")), path)
        base = ["fit", str(path), "--time", "week", "--out", str(tmp_path / "out")]
        return main([*base, *QUICK, *(arguments or SALES)])

    return run


def one_error(capsys):
    """Return the only line on stderr, which has to be an error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skmmm: error: ")
    return lines[0]


def test_one_series(tmp_path, capsys, series):
    path, out = tmp_path / "s.csv", tmp_path / "out" / "deep"
    to_csv(series.frame.drop(columns="region"), path)
    columns = ["--kpi", "sales", "--controls", "price", "holiday", "--time", "week"]
    columns += ["--media", *series.media]
    assert main(["fit", str(path), *columns, "--out", str(out), *QUICK]) == 0
    assert {file.name for file in out.iterdir()} == {*TABLES, *PICTURES, "model.skmmm"}
    said = capsys.readouterr()
    assert said.err == ""
    assert "80 rows, 80 weeks from 2021-01-04 to 2022-07-11" in said.out
    assert "Media     media_1, media_2\n" in said.out
    for words in ("Fitting the model ... ", "DeepCausalMMM", str(out)):
        assert words in said.out


def test_files_of_regions(regional, panel):
    channels = pd.read_csv(regional / "channels.csv", index_col="channel")
    assert list(channels.index) == panel.media
    rows = pd.read_csv(regional / "contributions.csv", parse_dates=["week"])
    keys = ["region", "week", "sales"]
    pd.testing.assert_frame_equal(rows[keys], panel.frame[keys], check_dtype=False)
    parts = ["baseline", *panel.media, *panel.controls]
    assert list(rows.columns) == [*keys, "predicted", *parts]
    assert_allclose(rows[parts].sum(axis=1), rows["predicted"], rtol=1e-6)
    model = DeepCausalMMMRegressor.load(regional / "model.skmmm")
    assert_allclose(model.predict(panel.X), rows["predicted"], rtol=1e-6)
    summary = model.channel_summary()
    assert summary["verdict"].isna().all()  # with draws as few as these
    assert channels["verdict"].isna().all()
    pd.testing.assert_frame_equal(
        summary.drop(columns="verdict"),
        channels.drop(columns="verdict"),
        rtol=1e-6,
        check_dtype=False,
    )


def test_skill_of_regions(regional):
    skill = pd.read_csv(regional / "skill.csv")
    # 60 weeks: half of them before the first of four forecasts.
    assert set(skill["horizon"]) == {7}
    assert set(skill["n_test"]) == {21}
    assert skill["origin"].nunique() == 4
    last = skill.query("estimator == 'last value'")
    assert_allclose(last["skill"], 0.0, atol=1e-12)
    assert set(skill["estimator"]) == {
        "DeepCausalMMM",
        "linear MMM",
        "seasonal naive",
        "last value",
    }


@pytest.mark.usefixtures("no_pictures")
def test_quiet_and_the_same_numbers_again(
    tmp_path, capsys, regional, regional_arguments
):
    assert main([*regional_arguments, "--quiet", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")
    for name in TABLES:
        assert (tmp_path / name).read_text() == (regional / name).read_text()


def test_demo(tmp_path, capsys):
    settings = ["--max-iter", "3", "--draws", "0", "--origins", "1"]
    arguments = ["demo", "--out", str(tmp_path), *settings]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "1,872 rows, 12 regions, 156 weeks" in said
    assert "Forecasting 13 weeks from 2023-10-02" in said
    assert "paid_search" in said
    assert "Truth" in said
    assert "truth is known" in said
    for name in [*TABLES, *PICTURES, "report.html"]:
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.usefixtures("no_pictures")
def test_a_region_that_starts_late_is_forecast_as_an_average_one(
    tmp_path, capsys, panel
):
    frame = panel.frame
    late = (frame["region"] == "region_2") & (frame["week"] < "2022-01-01")
    path = tmp_path / "late.csv"
    to_csv(frame[~late], path)
    columns = ["--kpi", "sales", "--media", *panel.media, "--controls", *panel.controls]
    keys = ["--time", "week", "--region", "region"]
    arguments = ["fit", str(path), *columns, *keys, *QUICK]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "52 rows missing" in said
    assert "Left out" not in said


@pytest.mark.usefixtures("no_pictures")
def test_a_channel_that_starts_late_is_forecast_as_expected(broken, capsys):
    def start_late(frame):
        week = np.arange(len(frame))
        return frame.assign(media_1=np.where(week < 45, 0.0, frame["media_1"]))

    assert broken(start_late) == 0
    said = capsys.readouterr().out
    assert "with media_1 as expected" in said
    assert "Left out" not in said


def test_few_periods_are_not_forecast(broken, capsys, tmp_path):
    arguments = ["--kpi", "sales", "--media", "media_2"]
    assert broken(lambda frame: frame[-6:], *arguments) == 0
    assert "6 weeks are too few" in capsys.readouterr().out
    assert not (tmp_path / "out" / "skill.csv").exists()
    assert (tmp_path / "out" / "fit.png").exists()


@pytest.mark.usefixtures("no_pictures")
def test_progress_bar_on_a_terminal(monkeypatch, tmp_path, capsys, regional_arguments):
    callback = pytest.importorskip("sklearn.callback")
    fits = []

    class Bar(callback.ProgressBar):
        def setup(self, estimator, context):
            fits.append(estimator)
            super().setup(estimator, context)

    monkeypatch.setattr(callback, "ProgressBar", Bar)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    arguments = [*regional_arguments, "--origins", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert len(fits) == 2
    assert "Fitting the model\n" in capsys.readouterr().out


def test_no_bar_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert progress_bar() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kpi", "sale"], "has no column 'sale'; did you mean 'sales'?"),
        (["--kpi", "profit"], "has no column 'profit'; it has week, media_1"),
        (["--kpi", "sales", "--media", "price", "sales"], "'sales' is named twice"),
    ],
)
def test_errors_of_arguments(broken, capsys, arguments, message):
    assert broken(lambda frame: frame, *arguments) == 2
    assert message in one_error(capsys)


def test_a_setting_that_the_data_do_not_allow(broken, capsys):
    assert broken(lambda frame: frame, *SALES, "--max-lag", "99") == 1
    assert "X has 80 periods, but max_lag=99" in one_error(capsys)


def test_errors_of_values(broken, capsys):
    def negative(frame):
        return frame.assign(media_1=-1.0)

    def unreadable_week(frame):
        return frame.assign(week="soon")

    assert broken(negative) == 1
    assert "Negative values in data" in one_error(capsys)
    assert broken(lambda frame: pd.concat([frame, frame])) == 1
    assert "name the column of their region with --region" in one_error(capsys)
    assert broken(lambda frame: frame.assign(sales="many")) == 1
    assert "column 'sales' has 'many' at time '2021-01-04'" in one_error(capsys)
    assert broken(lambda frame: unreadable_week(frame)[:1]) == 1
    assert "which is not a date" in one_error(capsys)


def test_time_is_needed(tmp_path, capsys, series):
    path = tmp_path / "series.csv"
    to_csv(series.frame, path)
    assert main(["fit", str(path), "--kpi", "sales", "--out", str(tmp_path)]) == 2
    assert "--time is needed" in one_error(capsys)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no file"),
        ("table.txt", "x", "is not a .csv, .csv.gz, .xlsx, .parquet file"),
        ("bad.xlsx", "no excel", "cannot read"),
        ("empty.csv", "", "cannot read"),
        ("bad.parquet", "no parquet", "cannot read"),
        ("bad.csv.gz", "no gzip", "cannot read"),
    ],
)
def test_errors_of_files(tmp_path, capsys, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert main(["fit", str(path), *SALES, "--time", "week"]) == 1
    assert message in one_error(capsys)


def test_output_that_cannot_be_written(tmp_path, capsys, regional_arguments):
    path = tmp_path / "file"
    path.write_text("")
    assert main([*regional_arguments, "--out", str(path)]) == 2
    one_error(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["forecast"],
        ["fit", "a.csv"],
        ["demo", "--seed", "one"],
        ["demo", "--origins", "-1"],
        ["demo", "--draws", "-1"],
        ["demo", "--max-iter", "0"],
        ["demo", "--media-cost", "tv"],
        ["demo", "--media-cost", "0"],
        ["demo", "--media-cost", "tv=1", "tv=2"],
        ["demo", "--media-cost", "tv=col:"],
        ["demo", "--prior", "tv:roi=3:1"],
        ["demo", "--prior", "tv:return=1:3"],
        ["demo", "--prior", "tv:decay=0.5:1.5"],
        ["plan", "m.skmmm", "--bounds", "1"],
        ["plan", "m.skmmm", "--bounds", "2", "1"],
        ["plan", "m.skmmm", "--bounds", "tv=2:1"],
        ["plan", "m.skmmm", "--bounds", "tv"],
        ["plan", "m.skmmm", "--money-bounds", "0", "9"],
        ["plan", "m.skmmm", "--money-bounds", "tv=2:1"],
        ["plan", "m.skmmm", "--budget", "nan"],
        ["plan", "m.skmmm", "--horizon", "0"],
        ["plan", "m.skmmm", "--horizon", "4", "--data", "d.csv"],
        ["fit", "a.csv", "--kpi", "b", "--sep", "--"],
        ["fit", "a.csv", "--kpi", "b", "--decimal", "1"],
    ],
)
def test_errors_of_usage(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "--help)" in one_error(capsys)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("fit", ("--kpi", "--media", "--controls", "--region", "--time", *TABLES)),
        ("report", ("--model", "--out FILE", "one HTML file", "example")),
        ("plan", ("--budget", "--horizon", "--bounds", "--fix", "example")),
        ("plan", ("--money-bounds NAME=LOW:HIGH", "tv=0:900000")),
        ("demo", ("--out DIR", "--quiet", "about a minute")),
    ],
)
def test_help_names_everything(capsys, command, words):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for word in words:
        assert word in said


def test_keys_in_the_index_and_unnamed_columns(tmp_path, series):
    frame = series.frame.drop(columns="region")
    frame.set_index("week").to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "b.csv")
    for name in ("a.parquet", "b.csv"):
        task = read_task(parse(["fit", str(tmp_path / name), *SALES, "--time", "week"]))
        assert list(task.X) == ["week", "media_1", "media_2"]
        assert "not used: price, holiday" in task.notes


def test_letters_that_the_terminal_does_not_know(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    Console(quiet=False).say("Umsätze…")
    assert written.getvalue().split() == [b"Ums?tze?"]


def test_the_example_is_what_the_demo_fits():
    task = demo_task()
    pd.testing.assert_frame_equal(task.X, load_mmm_example().X)


def test_version_of_the_module():
    command = [sys.executable, "-m", "skmmm", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"skmmm {__version__}\n"


# --- plans ----------------------------------------------------------------------------


def test_plan_of_a_saved_model(regional, tmp_path, capsys):
    path = tmp_path / "plan.csv"
    model = str(regional / "model.skmmm")
    arguments = ["plan", model, "--fix", "media_1", "--out", str(path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "KPI caused:" in said
    assert "fixed" in said
    assert re.search(r"^Plan of \d+ weeks from \d{4}-\d\d-\d\d to \d{4}-", said)
    table = pd.read_csv(path, index_col="channel")
    expected = DeepCausalMMMRegressor.load(model).optimize_budget(fixed=["media_1"])
    assert_allclose(table["spend"], expected.allocation["spend"], rtol=1e-6)


def test_plan_of_coming_periods_by_period(regional, capsys):
    arguments = ["plan", str(regional / "model.skmmm"), "--horizon", "2"]
    assert main([*arguments, "--by", "period", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_no_plan_is_an_error_of_its_own(regional, capsys):
    arguments = ["plan", str(regional / "model.skmmm"), "--budget", "1"]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("skmmm: No plan: the budget allows")


def test_errors_of_plans(regional, tmp_path, capsys):
    model = str(regional / "model.skmmm")
    assert main(["plan", str(tmp_path / "none.skmmm")]) == 1
    assert "there is no file" in one_error(capsys)
    assert main(["plan", model, "--fix", "radio"]) == 1
    assert "'radio'" in one_error(capsys)


def test_a_reader_that_has_seen_enough_is_no_error(
    regional, tmp_path, capsys, monkeypatch
):
    read, write = os.pipe()
    os.close(read)
    path = tmp_path / "plan.csv"
    with open(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert main(["plan", str(regional / "model.skmmm"), "--out", str(path)]) == 0
        monkeypatch.undo()
    assert capsys.readouterr().err == ""
    assert path.exists()


# --- reports --------------------------------------------------------------------------


def test_report_of_a_saved_model(regional, regional_arguments, tmp_path, capsys):
    pytest.importorskip("plotly")
    out = tmp_path / "deep" / "report.html"
    arguments = ["report", regional_arguments[1], "--kpi", "sales", "--out", str(out)]
    model = ["--model", str(regional / "model.skmmm")]
    assert main([*arguments, *model, "--title", "For the board"]) == 0
    assert f"Open {out} in a browser." in capsys.readouterr().out
    assert "<title>For the board</title>" in out.read_text(encoding="utf-8")
    for more in (["--time", "week"], ["--draws", "4"], ["--media-cost", "1"]):
        assert main([*arguments, *model, *more]) == 2
        assert f"{more[0]} is for a fit" in one_error(capsys)


@pytest.mark.usefixtures("no_pictures")
def test_events_in_words_become_columns(tmp_path, capsys, series):
    """As in a table of weeks with a column of events that are rare."""
    frame = series.frame.drop(columns=["region", "holiday"])
    event = np.full(len(frame), "none", dtype=object)
    event[[20, 70]], event[75] = "fair", "strike"
    path, out = tmp_path / "series.csv", tmp_path / "report.html"
    to_csv(frame.assign(event=event), path)
    columns = [*SALES, "--controls", "price", "event", "--time", "week"]
    arguments = [str(path), *columns, *QUICK, "--origins", "2"]
    assert main(["report", *arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Controls  price, event: fair (not none), event: strike (not none)" in said
    assert "a 0/1 column for each of fair, strike, none for none" in said
    assert "without event: strike (not none)" in said
    assert "Left out" not in said
    assert out.exists()
    folder = tmp_path / "fit"
    quick = [*arguments[:-1], "0", "--quiet"]
    assert main(["fit", *quick, "--out", str(folder)]) == 0
    saved = ["--kpi", "sales", "--model", str(folder / "model.skmmm")]
    assert main(["report", str(path), *saved, "--quiet", "--out", str(out)]) == 0


def test_errors_of_text(tmp_path, capsys, broken):
    def words(frame):
        return frame.assign(note=[f"word {i}" for i in range(len(frame))])

    assert broken(words, *SALES, "--controls", "note") == 1
    assert "text with 80 different values, more than 20" in one_error(capsys)
    assert broken(words, *SALES, "note") == 1
    assert "channel 'note' holds text, such as 'word 0'" in one_error(capsys)

    def gap(frame):
        return frame.assign(note=["a", *[None] * (len(frame) - 1)])

    assert broken(gap, *SALES, "--controls", "note") == 1
    assert "is empty at time '2021-01-11'" in one_error(capsys)


def test_a_report_needs_plotly(regional, regional_arguments, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    arguments = ["report", regional_arguments[1], "--kpi", "sales"]
    assert main([*arguments, "--model", str(regional / "model.skmmm")]) == 1
    assert "pip install 'skmmm[report]'" in one_error(capsys)


# --- how tables are written -----------------------------------------------------------


def task_of(path, *arguments):
    return read_task(parse(["fit", str(path), "--time", "week", *arguments]))


@pytest.fixture
def small(tmp_path):
    """Return a function that writes text to a file and reads it as a task."""

    def read(text, *arguments, name="small.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return task_of(path, *(arguments or ["--kpi", "sales", "--media", "tv"]))

    return read


def test_region_codes_stay_text(small):
    text = "geo,week,tv,sales\nNA,2024-01-01,1,5\n01001,2024-01-01,2,6\n"
    task = small(text, "--kpi", "sales", "--media", "tv", "--region", "geo")
    assert task.X["geo"].tolist() == ["NA", "01001"]
    assert task.X["tv"].tolist() == [1, 2]
    assert task.X["tv"].dtype == "int64"


def test_numbers_and_dates_of_other_countries(small):
    text = "week;tv;sales\n08.01.2024;1.234,5;-3\n15.01.2024;2;1.000.000\n"
    german = ["--sep", ";", "--decimal", ",", "--thousands", "."]
    columns = ["--kpi", "sales", "--media", "tv", "--date-format", "%d.%m.%Y"]
    task = small(text, *columns, *german)
    assert task.X["tv"].tolist() == [1234.5, 2.0]
    assert task.y.tolist() == [-3, 1000000]
    assert task.X["week"].tolist() == [
        pd.Timestamp("2024-01-08"),
        pd.Timestamp("2024-01-15"),
    ]
    tabs = text.replace(";", "\t").replace(".01.", ".").replace("1.234,5", "1")
    columns[-1] = "%d.%Y"
    assert small(tabs, *columns, *german[2:], "--sep", "tab").y.tolist() == [-3, 10**6]


def test_calendar_weeks_are_dates_of_their_monday(small):
    text = "week,tv,sales\n2022-W01,1,5\n2022-W02,2,6\n"
    columns = ["--kpi", "sales", "--media", "tv", "--date-format"]
    task = small(text, *columns, "%G-W%V")
    assert task.X["week"].tolist() == [
        pd.Timestamp("2022-01-03"),
        pd.Timestamp("2022-01-10"),
    ]
    with pytest.raises(ValueError, match=re.escape("formats are written as in %d.%m")):
        small(text, *columns, "yyyy-mm-dd")
    with pytest.raises(ValueError, match="--date-format '%Q' is no format"):
        small(text, *columns, "%Q")


def test_weeks_that_no_region_has_are_named(small):
    days = ("01-01", "01-08", "01-15", "02-05", "02-12", "02-19", "02-26")
    task = small("week,tv,sales\n" + "".join(f"2024-{day},1,2\n" for day in days))
    said = "weeks missing in all regions: 2024-01-22, 2024-01-29"
    assert said in describe(task)


def test_the_model_of_a_folder_is_offered(tmp_path):
    (tmp_path / "model.skmmm").touch()
    with pytest.raises(ValueError, match=r"did you mean .*model\.skmmm"):
        check_paths(parse(["plan", str(tmp_path)]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("week;tv;sales\n2024-01-01;1,5;2\n", 'say --sep ";"'),
        ("week,tv,sales\n2024-01-01,1,5,2\n", "line 2 has 4 cells, the header has 3"),
        ("week,tv,sales\n2024-01-01,1\n", "line 2 has 2 cells, the header has 3"),
        ("week,tv,sales\n", "a header and no rows"),
        ("week,tv,sales,tv\n2024-01-01,1,2,3\n", "two columns called 'tv'"),
        ('week,tv,sales\n2024-01-01,"1,5",2\n', "--decimal and --thousands"),
        ("week,tv,sales\n2024-01-01,,2\n", "say --fill-zero tv"),
        ("week,tv,sales\n2024-01-01,1,\n", "the column 'sales' is empty"),
        ("week,tv,sales\n2024-01-01,1,inf\n", "'sales' has 'inf'"),
        ("week,tv,sales\n2024-01-01,1,1e999\n", "'sales' is infinite"),
        ("week,tv,sales\n01.02.2024,1,2\n", "--date-format"),
        ("week,tv,sales\n20240108,1,2\n20240115,1,2\n", "--date-format %Y%m%d"),
        ("week,tv,sales\n,1,2\n", "the column 'week' is empty in data row 1"),
        ("week,tv,sales\n2024-01-01,1,2\n2024-01-08,x,2\n", "'tv' has 'x'"),
        (
            "week,tv,sales\n2023-12-25,987,1\n"
            + "".join(f"2024-01-{day:02},1{day}.250,2\n" for day in range(1, 30, 3)),
            "as if '.' stood between thousands",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_named(small, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small(text)


def test_one_decimal_sign_is_not_taken_for_the_other(small):
    text = "week;tv;sales\n2024-01-01;1.5;2\n"
    columns = ["--kpi", "sales", "--media", "tv", "--sep", ";", "--decimal", ","]
    with pytest.raises(ValueError, match=r"'tv' has '1\.5'"):
        small(text, *columns)
    with pytest.raises(ValueError, match="'tv' has '1,5'"):
        small("week;tv;sales\n2024-01-01;1,5;2\n", *columns[:6], "--thousands", ",")


def test_empty_cells_are_zero_where_that_is_said(small):
    text = "week,tv,sales\n2024-01-01,,2\n2024-01-08,1.5,3\n"
    columns = ["--kpi", "sales", "--media", "tv", "--fill-zero"]
    task = small(text, *columns, "tv")
    assert task.X["tv"].tolist() == [0.0, 1.5]
    assert "1 empty cells of tv are 0" in task.notes
    with pytest.raises(UsageError, match="--fill-zero names 'radio'"):
        small(text, *columns, "radio")


def test_a_workbook_is_read_like_a_csv_file(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (
        ["geo", "week", "tv", "sales", None],
        ["NA", datetime(2024, 1, 1), 1.5, 3, None],
        [1001, datetime(2024, 1, 8), None, 4.0, None],
        [None] * 5,
    ):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    columns = ["--kpi", "sales", "--media", "tv", "--region", "geo"]
    task = task_of(tmp_path / "book.xlsx", *columns, "--fill-zero", "tv")
    assert task.X["geo"].tolist() == ["NA", "1001"]
    assert task.X["week"].tolist() == ["2024-01-01", "2024-01-08"]
    assert task.X["tv"].tolist() == [1.5, 0.0]
    assert task.y.tolist() == [3, 4]
    assert task.y.name == "sales"


def test_numbers_of_a_workbook_are_not_read_as_text(tmp_path, capsys):
    path = tmp_path / "book.xlsx"
    path.write_text("")
    for option in (["--thousands", ","], ["--sep", ";"], ["--decimal", ","]):
        assert main(["fit", str(path), *SALES, *option]) == 2
        assert "is for .csv files" in one_error(capsys)


def test_regions_of_numbers_are_numbers_for_a_model_of_numbers(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("geo,week,note,tv\n01,1,a,5\n2,1,b,6\n")
    model = Bunch(
        feature_names_in_=np.array(["geo", "week", "note", "tv"]),
        region="geo",
        regions_=np.array([1, 2]),
        time="week",
        media_=["tv"],
        controls_=[],
    )
    plan = ["plan", "m.skmmm", "--data", str(path)]
    X, _ = read_rows(parse(plan), model)
    assert X["geo"].tolist() == [1, 2]
    assert X["note"].tolist() == ["a", "b"]
    with pytest.raises(UsageError, match="--fill-zero names 'note'"):
        read_rows(parse([*plan, "--fill-zero", "note"]), model)


def test_media_are_asked_for(small, tmp_path, capsys):
    text = "week,tv,population,sales\n2024-01-01,1,100,2\n"
    with pytest.raises(UsageError, match=r"small\.csv has tv, population"):
        small(text, "--kpi", "sales")
    assert main(["fit", str(tmp_path / "small.csv"), "--kpi", "sales"]) == 2
    assert "--time is needed" in one_error(capsys)


# --- costs, priors, bounds ------------------------------------------------------------


def test_costs_come_from_numbers_and_from_columns_of_spend(small):
    text = "week,tv,search,paid,sales\n2024-01-01,1,30,5,7\n2024-01-08,2,10,15,9\n"
    columns = ["--kpi", "sales", "--media", "tv", "search"]
    costs = ["--media-cost", "tv=12.5", "search=col:paid"]
    task = small(text, *columns, *costs)
    assert task.media_cost == {"tv": 12.5, "search": 0.5}
    assert list(task.X) == ["week", "tv", "search"]
    said = "a unit of search costs 0.5: total paid / total search over the 2 rows"
    assert said in task.notes
    assert small(text, *columns, "--media-cost", "2").media_cost == 2.0
    assert small(text, *columns).media_cost is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--media-cost", "radio=2"], "--media-cost names 'radio'"),
        (["--prior", "radio:roi=1:2"], "--prior names 'radio'"),
        (["--media-cost", "tv=col:tv"], "'tv' is named twice"),
        (["--media-cost", "tv=col:paidd"], "did you mean 'paid'"),
        (["--media-cost", "tv=col:nothing"], "'nothing' has no total"),
        (["--media-cost", "tv=col:back"], "'back' is negative"),
    ],
)
def test_costs_that_make_no_sense(small, arguments, message):
    text = "week,tv,paid,nothing,back,sales\n2024-01-01,1,30,0,-2,7\n"
    with pytest.raises(ValueError, match=message):
        small(text, "--kpi", "sales", "--media", "tv", *arguments)


def test_priors_and_bounds_by_channel_are_read():
    columns = ["fit", "d.csv", "--kpi", "k"]
    prior = ["--prior", "tv:roi=1:3", "a:b=c:decay=0.1:.5", "--prior", "tv:decay=.2:.4"]
    assert parse([*columns, *prior]).prior == {
        "tv": {"roi": (1.0, 3.0), "decay": (0.2, 0.4)},
        "a:b=c": {"decay": (0.1, 0.5)},
    }
    bounds = ["plan", "m.skmmm", "--bounds"]
    assert parse([*bounds, "0", "3"]).bounds == ((0.0, 3.0), {})
    assert parse([*bounds, "tv=0.5:2"]).bounds == (None, {"tv": (0.5, 2.0)})
    both = parse([*bounds, "0", "3", "tv=1:1"]).bounds
    assert both == ((0.0, 3.0), {"tv": (1.0, 1.0)})
    money = ["plan", "m.skmmm", "--money-bounds", "tv=0:900000", "a=b=1:2"]
    assert parse(money).money_bounds == {"tv": (0.0, 9e5), "a=b": (1.0, 2.0)}


def test_bounds_by_channel_are_kept(regional, tmp_path, capsys):
    out = tmp_path / "plan.csv"
    model = str(regional / "model.skmmm")
    arguments = ["plan", model, "--quiet", "--out", str(out), "--bounds", "0.7", "1.4"]
    assert main([*arguments, "media_1=0.9:1.1", "--fix", "media_3"]) == 0
    change = pd.read_csv(out, index_col="channel")["change"]
    assert abs(change["media_1"]) <= 0.1 + 1e-6
    assert -0.3 - 1e-6 <= change["media_2"] <= 0.4 + 1e-6
    assert change["media_3"] == 0
    assert main([*arguments, "radio=1:2"]) == 2
    assert "--bounds names 'radio'" in one_error(capsys)


def test_bounds_of_all_leave_out_what_has_none():
    model = Bunch(media_=["tv", "press", "radio"], media_cost_={})
    asked = ["plan", "m", "--bounds", "0", "3", "tv=1:2", "--fix", "radio"]
    args = parse(asked)
    assert _bounds(args, model) == {"tv": (1.0, 2.0), "press": (0.0, 3.0)}
    model.media_cost_ = {"tv": 1.0, "radio": 1.0}
    assert _bounds(args, model) == {"tv": (1.0, 2.0)}


def test_bounds_in_money_by_channel(regional, tmp_path, capsys):
    out = tmp_path / "plan.csv"
    model = str(regional / "model.skmmm")
    arguments = ["plan", model, "--quiet", "--out", str(out)]
    assert main([*arguments, "--fix", "media_1"]) == 0
    now = pd.read_csv(out, index_col="channel")["current_spend"]["media_2"]
    money = ["--money-bounds", f"media_2={0.8 * now}:{0.9 * now}"]
    bounds = ["--bounds", "0.7", "1.4", "media_1=0.9:1.1"]
    for by in ("channel", "region"):
        assert main([*arguments, *money, *bounds, "--by", by]) == 0
        spend = pd.read_csv(out).groupby("channel")["spend"].sum()["media_2"]
        assert 0.8 * now * (1 - 1e-6) <= spend <= 0.9 * now * (1 + 1e-6)
    assert main([*arguments, "--money-bounds", "radio=1:2"]) == 2
    assert "--money-bounds names 'radio'" in one_error(capsys)
    for wrong in (["media_1=0:900000"], ["0", "900000"]):
        assert main([*arguments, "--bounds", *wrong]) == 2
        assert "money, use --money-bounds NAME=LOW:HIGH" in one_error(capsys)


# --- text in controls -----------------------------------------------------------------


@pytest.mark.parametrize("kpi", ["event: sale", "event: sale (not none)"])
def test_columns_made_of_text_replace_no_other(small, kpi):
    text = f"week,tv,event,{kpi}\n2024-01-01,1,none,2\n2024-01-08,2,none,4\n"
    text += "2024-01-15,3,sale,3\n"
    columns = ["--kpi", kpi, "--media", "tv", "--controls", "event"]
    with pytest.raises(ValueError, match="like 'event: sale"):
        small(text, *columns)


def test_text_that_the_fit_has_not_seen_is_refused(small, tmp_path):
    text = "week,tv,event,sales\n2024-01-01,1,none,2\n2024-01-08,2,none,4\n"
    text += "2024-01-15,3,sale,3\n"
    columns = ["--kpi", "sales", "--media", "tv", "--controls", "event"]
    X = small(text, *columns).X
    model = Bunch(
        feature_names_in_=np.array(list(X)),
        region=None,
        time=0,
        media_=["tv"],
        controls_=list(X)[2:],
    )

    def rows(text):
        path = tmp_path / "rows.csv"
        path.write_text(text)
        return read_rows(parse(["plan", "m.skmmm", "--data", str(path)]), model)[0]

    pd.testing.assert_frame_equal(rows(text), X)
    for word, message in (
        ("sael", r"has 'sael' at time '2024-01-15', .* did you mean 'sale'\?"),
        ("fair", "has 'fair' at .* the model knows none, sale"),
        ("", "is empty at time '2024-01-15'"),
        ("None", "has 'None'"),
    ):
        with pytest.raises(ValueError, match=message):
            rows(text.replace(",sale,", f",{word},"))


# --- output ---------------------------------------------------------------------------


def test_own_columns_stand_beside_those_of_the_user():
    task = Task(
        "",
        pd.DataFrame({"predicted": ["a", "b"], "week": [1, 2], "tv": [1.0, 2.0]}),
        pd.Series([3.0, 4.0], name="baseline"),
        ["tv"],
        [],
        "predicted",
        "week",
    )
    model = Bunch(
        predict=lambda X: np.array([5.0, 6.0]),
        contributions=lambda: pd.DataFrame({"baseline": [4.0, 5.0], "tv": [1.0, 1.0]}),
    )
    rows = by_row(task, model)
    assert list(rows) == [
        "predicted",
        "week",
        "baseline",
        "predicted (model)",
        "baseline (model)",
        "tv",
    ]
    assert rows["predicted"].tolist() == ["a", "b"]
    assert rows["baseline"].tolist() == [3.0, 4.0]


def test_texts_that_spreadsheets_would_run_are_marked(tmp_path):
    table = pd.DataFrame(
        {"=1+1": ["@tv", "-5", "-5+1", "plain"], "x": [-1.5, 2.0, np.nan, 0.0]}
    )
    write_csv(table, tmp_path / "t.csv", digits=8)
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines() == ["'=1+1,x", "'@tv,-1.5", "-5,2", "'-5+1,", "plain,0"]


def test_tables_and_pictures_of_an_earlier_fit_are_removed(tmp_path):
    for name in ("skill.csv", "channel_graph.png", "notes.txt", "fit.png"):
        (tmp_path / name).write_text("")
    assert remove_others(tmp_path, ["fit.png"]) == ["skill.csv", "channel_graph.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "fit.png"}


def test_an_output_never_replaces_an_input(tmp_path, capsys):
    data, model = tmp_path / "fit.png.csv", tmp_path / "model.skmmm"
    data.write_text("week,tv,sales\n2024-01-01,1,2\n")
    model.write_text("model")
    linked, hard = tmp_path / "link.html", tmp_path / "hard.html"
    linked.symlink_to(data)
    hard.hardlink_to(data)
    inside = tmp_path / "out" / "contributions.csv"
    inside.parent.mkdir()
    inside.write_text(data.read_text())
    columns = [*SALES, "--time", "week"]
    both = ["--model", str(model), "--out"]
    for arguments in (
        ["report", str(data), *columns, "--out", str(data)],
        ["report", str(data), *columns, "--out", str(linked)],
        ["report", str(data), *columns, "--out", str(hard)],
        ["report", str(data), *columns, "--out", f"{tmp_path}/out/../fit.png.csv"],
        ["report", str(data), "--kpi", "k", *both, str(model)],
        ["plan", str(model), "--out", str(model)],
        ["plan", str(model), "--data", str(data), "--out", str(data)],
        ["fit", str(inside), *columns, "--out", str(inside.parent)],
    ):
        assert main(arguments) == 2
        assert "--out would replace" in one_error(capsys)
    assert data.read_text() == inside.read_text()
    assert model.read_text() == "model"


def test_outputs_are_refused_before_the_fit(tmp_path, capsys, broken):
    (tmp_path / "out" / "fit.png").mkdir(parents=True)
    assert broken(lambda frame: frame) == 2
    assert "fit.png is a folder" in one_error(capsys)
    data = str(tmp_path / "series.csv")
    columns = [*SALES, "--time", "week", "--out"]
    assert main(["report", data, *columns, str(tmp_path)]) == 2
    assert "is a folder; name a file" in one_error(capsys)
    assert main(["report", data, *columns, f"{data}/report.html"]) == 1
    assert "series.csv" in one_error(capsys)


# --- one line on stderr ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("a\nb"), 1, "skmmm: error: a b"),
        (FloatingPointError("underflow"), 1, "skmmm: error: underflow"),
        (np.linalg.LinAlgError("singular"), 1, "skmmm: error: singular"),
        (RuntimeError("linalg.cholesky"), 1, "skmmm: error: linalg.cholesky"),
        (MemoryError(), 1, "skmmm: error: MemoryError"),
        (OSError(28, "No space left"), 1, "skmmm: error: [Errno 28] No space left"),
        (UsageError("no"), 2, "skmmm: error: no"),
        (KeyboardInterrupt(), 130, "skmmm: stopped"),
        (BrokenPipeError(), 0, None),
    ],
)
def test_every_error_is_one_line(monkeypatch, capsys, error, code, line):
    def fail(args, console):
        raise error

    monkeypatch.setitem(COMMANDS, "demo", fail)
    assert main(["demo"]) == code
    assert capsys.readouterr().err.splitlines() == ([] if line is None else [line])


def test_warnings_are_lines_between_the_others(capsys):
    console = Console(quiet=False)
    with console.warnings_in_lines():
        warnings.simplefilter("always")
        with console.stage("Working"):
            for _ in range(2):
                warnings.warn("look\nhere", UserWarning, stacklevel=1)
            assert capsys.readouterr().err == ""
        assert capsys.readouterr().err == "skmmm: warning: look here\n"
    with Console(quiet=True).warnings_in_lines():
        warnings.simplefilter("always")
        warnings.warn("look", UserWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "")


def test_closed_streams_are_no_error(monkeypatch, regional):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["plan", str(regional / "model.skmmm")]) == 0
    assert main(["plan", "none.skmmm"]) == 1


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["plan"], ["plan", "none.skmmm"]]
)
def test_torch_and_pandas_are_not_imported_for_help_and_errors(arguments):
    code = (
        "import sys\nfrom skmmm.__main__ import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'pandas', 'numpy', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_package_finds_its_modules():
    assert skmmm.inspection.contributions is not None
    assert "DeepCausalMMMRegressor" in dir(skmmm)
    with pytest.raises(AttributeError, match="no attribute 'mmm'"):
        skmmm.mmm  # noqa: B018
