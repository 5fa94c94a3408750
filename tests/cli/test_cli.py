"""Command line: fits, plans and reports, and every error in one line."""

import io
import re
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

import skmmm
from command_line import QUICK, SALES, one_error, to_csv
from skmmm import DeepCausalMMMRegressor, __version__
from skmmm.__main__ import main
from skmmm._cli import commands
from skmmm._cli.commands import COMMANDS
from skmmm._cli.console import Console, progress_bar
from skmmm._cli.parser import parse
from skmmm._cli.task import demo_task, read_task
from skmmm._cli.texts import cut_text
from skmmm._cli.values import UsageError
from skmmm.datasets import load_mmm_example

pytestmark = pytest.mark.usefixtures("short_chains")

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


def test_one_series(tmp_path, capsys, series):
    path, out = tmp_path / "s.csv", tmp_path / "out" / "deep"
    to_csv(series.frame.drop(columns="region"), path)
    columns = ["--kpi", "sales", "--controls", "price", "holiday", "--time", "week"]
    columns += ["--media", *series.media, "--origins", "1"]
    assert main(["fit", str(path), *columns, "--out", str(out), *QUICK]) == 0
    assert {file.name for file in out.iterdir()} == {
        *TABLES,
        *PICTURES,
        "model.skmmm",
        "settings.toml",
    }
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
    channels["alarm"] = channels["alarm"].astype(object).fillna("")
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


@pytest.mark.usefixtures("no_pictures")
def test_origins_side_by_side(tmp_path, capsys, regional, regional_arguments):
    # In threads, which know the short chains of these tests.
    with joblib.parallel_config("threading"):
        assert main([*regional_arguments, "--jobs", "3", "--out", str(tmp_path)]) == 0
    stages = re.findall(r"Forecasting 7 weeks (.*) \.\.\. ", capsys.readouterr().out)
    assert [stage.count("from ") for stage in stages] == [3, 1]
    skill = (tmp_path / "skill.csv").read_text()
    assert skill == (regional / "skill.csv").read_text()


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


def test_the_demo_says_where_its_plan_cuts_what_it_knows_too_little_of():
    channels = ["tv", "radio", "search"]
    plan = Bunch(
        allocation=pd.DataFrame({"change": [-0.2, -0.5, 0.4]}, channels),
        outcome=250.0,
        current_outcome=200.0,
        gain_low=20.0,
        gain_high=70.0,
    )
    bounds = {"contribution_low": [50.0] * 3, "contribution_high": [70.0] * 3}
    summary = pd.DataFrame(bounds, channels)
    said = cut_text(plan, pd.Series([60.0, 90.0, 90.0], channels), summary)
    assert "expects 50.0 more (20.0 to 70.0)" in said
    assert "takes money from tv (-20%), radio (-50%)." in said
    assert said.count("In truth") == 1
    assert "In truth radio caused 90.0, more than the 50.0 to 70.0 of the model" in said
    held = cut_text(plan, pd.Series([60.0, 60.0, 90.0], channels), summary)
    assert "In truth" not in held


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.filterwarnings("ignore:The spend of")
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
    assert "X has 80 periods, but --max-lag 99 needs" in one_error(capsys)


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
        ["demo", "--jobs", "0"],
        ["demo", "--draws", "-1"],
        ["demo", "--max-iter", "0"],
        ["demo", "--media-cost", "tv"],
        ["demo", "--media-cost", "0"],
        ["demo", "--media-cost", "tv=1", "tv=2"],
        ["demo", "--media-cost", "1", "2"],
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
        ["plan", "m.skmmm", "--limit", "tv+radio"],
        ["plan", "m.skmmm", "--limit", "tv+radio=2:1"],
        ["plan", "m.skmmm", "--limit", "tv+radio=:"],
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
        ("plan", ("--money-bounds NAME=LOW:HIGH", "tv=0:900000", "--save")),
        ("review", ("PLAN", "--kpi", "--model", "--out", "example")),
        ("demo", ("--out DIR", "--quiet", "about a minute and a half")),
        ("fit", ("experiments.csv", "std_error", "spend_change", "regions")),
        ("fit", ("measure", "cooldown", "observed", "bias_sd", "shared_error")),
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


def test_report_says_what_changed(regional, regional_arguments, tmp_path, capsys):
    pytest.importorskip("plotly")
    out, model = tmp_path / "report.html", str(regional / "model.skmmm")
    arguments = ["report", regional_arguments[1], "--kpi", "sales", "--out", str(out)]
    arguments += ["--model", model, "--previous"]
    assert main([*arguments, str(tmp_path / "none.skmmm")]) == 1
    assert "--previous: there is no file" in one_error(capsys)
    old = tmp_path / "old.skmmm"
    old.write_bytes(b"old")
    assert main([*arguments, str(old), "--out", str(old)]) == 2
    assert f"--out would replace {old}, which is read" in one_error(capsys)
    assert old.read_bytes() == b"old"
    assert main([*arguments, str(tmp_path)]) == 1
    assert "--previous: there is no file" in one_error(capsys)
    assert not out.exists()
    assert main([*arguments, model]) == 0
    said = capsys.readouterr().out
    assert "Comparing with the earlier model, 1 fit without draws" in said
    page = out.read_text(encoding="utf-8")
    assert "No return moved by more than the seed alone moves it" in page


def test_a_comparison_that_needs_no_fit_names_none(monkeypatch, capsys):
    monkeypatch.setattr(commands, "refits_needed", lambda *models: 0)
    monkeypatch.setattr(commands, "compare_models", lambda *models, **options: "told")
    assert commands._changes(Console(quiet=False), "old", "new", 1) == "told"
    assert capsys.readouterr().out.startswith("Comparing with the earlier model ... ")


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
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["version"],
        ["plan"],
        ["plan", "none.skmmm"],
        ["plan", "--config", "none.toml"],
    ],
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
