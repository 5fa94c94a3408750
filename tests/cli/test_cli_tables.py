"""Command line: what is read from tables and arguments, and what is written where."""

import re
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from command_line import QUICK, SALES, one_error
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm._cli.files import by_row, remove_others, write_csv
from skmmm._cli.parser import parse
from skmmm._cli.paths import check_paths
from skmmm._cli.plans import bounds_of
from skmmm._cli.task import Task, read_rows, read_task
from skmmm._cli.values import UsageError

pytestmark = pytest.mark.usefixtures("short_chains")


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


def test_two_rows_of_one_week_are_named(small):
    text = "geo,week,tv,sales\nA,2024-01-01,1,2\nB,2024-01-01,1,2\n"
    said = "two rows are about time '2024-01-01'; name the column of their region"
    with pytest.raises(ValueError, match=said):
        small(text)
    regional = ["--kpi", "sales", "--media", "tv", "--region", "geo"]
    small(text, *regional)
    with pytest.raises(ValueError, match="about region 'B', time '2024-01-01'; aggre"):
        small(f"{text}B,2024-01-01,1,2\n", *regional)


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
    assert "1 empty cell of tv taken as 0" in task.notes
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
        _money_columns={},
        _frequency_columns={},
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
    both = small(text, *columns, "--media-cost", "2", "--media-cost", "search=col:paid")
    assert both.media_cost == {"tv": 2.0, "search": 0.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--media-cost", "radio=2"], "--media-cost names 'radio'"),
        (["--prior", "radio:roi=1:2"], "--prior names 'radio'"),
        (["--media-cost", "tv=col:tv"], "'tv' is named twice"),
        (["--media-cost", "tv=col:paidd"], "did you mean 'paid'"),
        (["--media-cost", "1", "--media-cost", "tvv=2"], "--media-cost names 'tvv'"),
        (["--media", "tv,paid"], "separate names by spaces: tv paid"),
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


def test_bounds_of_all_name_no_channel():
    model = Bunch(media_=["tv", "press", "radio"])
    asked = ["plan", "m", "--bounds", "tv=1:2"]
    assert bounds_of(parse(asked), model) == {"tv": (1.0, 2.0)}
    both = parse([*asked, "0", "3"])
    assert bounds_of(both, model) == {None: (0.0, 3.0), "tv": (1.0, 2.0)}


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
        _money_columns={},
        _frequency_columns={},
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


# --- the size of regions --------------------------------------------------------------


def test_population_is_read_and_fitted_with(tmp_path, panel, monkeypatch):
    monkeypatch.setattr("skmmm._cli.commands.write_pictures", lambda *args: [])
    size = 1 + panel.frame["region"].astype("category").cat.codes
    panel.frame.assign(people=size).to_csv(tmp_path / "p.csv", index=False)
    columns = ["--kpi", "sales", "--media", *panel.media, "--population", "people"]
    keys = ["--region", "region", "--time", "week", "--origins", "0", *QUICK]
    arguments = ["fit", str(tmp_path / "p.csv"), *columns, *keys, "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    model = DeepCausalMMMRegressor.load(tmp_path / "out" / "model.skmmm")
    assert model.population == "people"
    assert model.controls_ == []
    assert np.ptp(model._model.scales.intensity) > 0.1
