"""Options of a file, defaults, and what `skmmm version` says."""

import inspect
import tomllib
from importlib.metadata import version

import pytest

from command_line import one_error
from skmmm import DeepCausalMMMRegressor, __version__
from skmmm.__main__ import main
from skmmm._cli.parser import parse
from skmmm._cli.paths import check_paths
from skmmm._cli.settings import is_own, settings_text
from skmmm._cli.values import UsageError

pytestmark = pytest.mark.usefixtures("short_chains")

FIT = """\
[fit]
data = "a.csv"
kpi = "sales"
media = ["tv", "search"]
media_cost = {tv = 12.5, search = "spend"}
prior = {tv = {roi = [1, 3], decay = [0.3, 0.6]}}
time = "week"
max-lag = 3
quiet = true
"""
ON_THE_LINE = [
    *("fit", "a.csv", "--kpi", "sales", "--media", "tv", "search", "--time", "week"),
    *("--media-cost", "tv=12.5", "search=spend", "--max-lag", "3", "--quiet"),
    *("--prior", "tv:roi=1:3", "tv:decay=0.3:0.6"),
]
PLAN = """\
[plan]
model = "m.skmmm"
horizon = 13
bounds = [0, 3]
money-bounds = {tv = [0, 900_000]}
target-mroi = 1.5
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of settings and returns its path."""

    def to_file(text):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to_file


def without_config(args):
    return {name: value for name, value in vars(args).items() if name != "config"}


def test_a_file_says_what_the_command_line_would(write):
    read = parse(["fit", "--config", write(FIT)])
    assert without_config(read) == without_config(parse(ON_THE_LINE))
    read = parse(["plan", f"--conf={write(PLAN)}"])
    line = ["plan", "m.skmmm", "--horizon", "13", "--bounds", "0", "3"]
    line += ["--money-bounds", "tv=0:900000", "--target-mroi", "1.5"]
    assert without_config(read) == without_config(parse(line))


def test_dates_and_tables_of_a_file(write):
    text = '[plan]\nmodel = "m"\nfrom = 2024-01-29\nlimit = {"tv+radio" = [1, 2]}\n'
    read = parse(["plan", "--config", write(text)])
    assert (read.first, read.limit) == ("2024-01-29", [("tv+radio", 1.0, 2.0)])
    text = '[plan]\nmodel = "m"\nlever = {price = [8.5, 9.5, -10_000]}\n'
    read = parse(["plan", "--config", write(text)])
    assert read.lever == {"price": (8.5, 9.5, -10000.0)}
    text = '[fit]\ndata = "a"\nkpi = "b"\nfrequency = {video = "often"}\n'
    assert parse(["fit", "--config", write(text)]).frequency == {"video": "often"}


def test_the_command_line_counts_before_the_file(write):
    path = write(FIT)
    args = parse(["fit", "--config", path, "b.csv", "--media", "radio", "--seed", "3"])
    assert (args.data, args.media, args.seed, args.max_lag) == (
        "b.csv",
        ["radio"],
        3,
        3,
    )
    assert parse(["fit", "--media", "radio", "tv", "--config", path]).media == [
        "radio",
        "tv",
    ]
    path = write(f'{PLAN}spend = "last_periods"\n')
    args = parse(["plan", "--config", path, "--data", "next.csv"])
    assert (args.data, args.horizon, args.spend) == ("next.csv", None, None)
    args = parse(["plan", "--config", path, "--horizon", "4"])
    assert (args.horizon, args.spend) == (4, "last_periods")


def test_names_may_be_whole_numbers(write):
    text = '[plan]\nmodel = "m"\nregions = [1, 2]\nfrom = 12\n'
    read = parse(["plan", "--config", write(text)])
    assert (read.regions, read.first) == (["1", "2"], "12")


def test_a_file_may_begin_with_a_byte_order_mark(write, tmp_path):
    path = write("\ufeff" + FIT)
    assert parse(["fit", "--config", path]).data == "a.csv"
    settings = tmp_path / "settings.toml"
    settings.write_text("\ufeff# Written by skmmm\n", encoding="utf-8")
    assert is_own(settings)


def test_two_files_of_a_review_and_one_from_the_settings(write):
    path = write('[review]\ndata = "came.csv"\nkpi = "sales"\n')
    args = parse(["review", "q.plan.skmmm", "--config", path])
    assert (args.plan, args.data, args.kpi) == ("q.plan.skmmm", "came.csv", "sales")
    args = parse(["review", "q.plan.skmmm", "--config", path, "other.csv"])
    assert (args.plan, args.data) == ("q.plan.skmmm", "other.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max-lag", "max-lags", "'max-lags' is no option of skmmm fit; did you mean"),
        ("[fit]", "[fitt]", "[fitt] is no command; did you mean [fit]?"),
        ("[fit]", "", "'data' stands outside of a table; write it below [fit]"),
        ("[fit]", "[plan]", "is no option of skmmm plan"),
        ("[fit]\n", "[plan]\n[fit]\nmax_lag = 2\n", "[fit] max-lag is there twice"),
        ('"sales"', "3.5", "[fit] kpi must be text in quotes, got a number"),
        (
            '["tv", "search"]',
            '[["tv"]]',
            "a list of texts, got a list in it",
        ),
        ('["tv", "search"]', "[]", "media is an empty list"),
        ('["tv", "search"]', "{tv = 1}", "media must be a list of texts, got a table"),
        ("12.5", "true", "media-cost.tv must be a number or text, got true or false"),
        ("12.5", "[1, 3]", "media-cost.tv must be a number or text, got a list"),
        ("12.5", "-1", "argument --media-cost: '-1' is no number above zero"),
        ("[1, 3]", "[1, 2, 3]", "prior.tv.roi must be a number, text or a list of two"),
        ("[1, 3]", "[3, 1]", "argument --prior: 3 and 1 are not two numbers"),
        ("= 3", "= 2.5", "argument --max-lag: '2.5' is no whole number"),
        ("= 3", "= [3]", "max-lag must be a number or text, got a list"),
        ("true", '"yes"', "quiet must be true or false, got text"),
        ("true", "", "cannot read"),
    ],
)
def test_errors_of_a_file_name_it_and_the_key(write, capsys, old, new, message):
    path = write(FIT.replace(old, new, 1))
    assert main(["fit", "--config", path]) == 2
    said = one_error(capsys)
    assert message in said
    assert path in said


def test_a_file_that_is_not_there_or_is_about_something_else(write, capsys):
    assert main(["fit", "--config", "none.toml"]) == 1
    assert "--config: there is no file none.toml" in one_error(capsys)
    assert main(["plan", "--config", write(FIT)]) == 2
    assert "has no table [plan]" in one_error(capsys)
    with pytest.raises(SystemExit):
        main(["fit", "--config", write('[fit]\ndata = "a.csv"\n')])
    assert "are required: --kpi" in one_error(capsys)


def test_settings_are_written_as_they_are_read(write):
    line = [*ON_THE_LINE[:-4], "--media-cost", "1", "--sep", "tab", "--out", 'ä "b"']
    dashed = ["fit", "--kpi", "sales", "--", "-a.csv"]
    for argv in (line, ON_THE_LINE, dashed):
        args = parse(argv)
        text = settings_text(args, "out dir/settings.toml")
        assert "skmmm fit --config 'out dir/settings.toml'" in text.splitlines()[0]
        assert "quiet" not in tomllib.loads(text)["fit"]
        again = parse(["fit", "--config", write(text), "--quiet"])
        quiet = parse(["fit", "--quiet", *argv[1:]])
        assert without_config(again) == without_config(quiet)


@pytest.mark.usefixtures("no_pictures")
def test_a_fit_is_repeated(regional, tmp_path):
    settings = str(regional / "settings.toml")
    assert main(["fit", "--config", settings, "--out", str(tmp_path), "--quiet"]) == 0
    for name in ("channels.csv", "contributions.csv", "skill.csv"):
        assert (tmp_path / name).read_text() == (regional / name).read_text()


def test_only_settings_of_a_fit_are_replaced(tmp_path):
    data, path = tmp_path / "a.csv", tmp_path / "settings.toml"
    data.write_text("week\n")
    text = FIT.replace("a.csv", str(data)) + f'out = "{tmp_path}"\n'
    path.write_text(f"# Written by skmmm\n{text}")
    check_paths(parse(["fit", "--config", str(path)]))
    path.write_text(f"# Mine\n{text}")
    with pytest.raises(UsageError, match=r"--out would replace .*settings.toml"):
        check_paths(parse(["fit", "--config", str(path)]))
    arguments = ["fit", str(data), "--kpi", "b", "--out", str(tmp_path)]
    with pytest.raises(UsageError, match="which skmmm has not written; rename"):
        check_paths(parse(arguments))
    assert path.read_text().startswith("# Mine")


def test_names_that_settings_cannot_hold_are_refused_before_a_fit(tmp_path):
    bad = f"{tmp_path}/\udcff"
    with pytest.raises(UsageError, match=r"^out has a name that is no UTF-8"):
        check_paths(parse(["demo", "--out", bad]))
    data = tmp_path / "a.csv"
    data.write_text("week\n")
    arguments = ["fit", str(data), "--out", str(tmp_path), "--kpi"]
    with pytest.raises(UsageError, match=r"^kpi has a name that is no UTF-8"):
        check_paths(parse([*arguments, "\udcff"]))


def test_defaults_are_those_of_the_regressor(capsys):
    args = vars(parse(["fit", "a.csv", "--kpi", "b"]))
    known = inspect.signature(DeepCausalMMMRegressor).parameters
    for name in ("max_lag", "adstock", "max_iter"):
        assert args[name] == known[name].default
    assert args["draws"] == known["n_draws"].default
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"0 for none (default: {known['n_draws'].default})" in said


def test_versions(capsys):
    assert main(["version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = dict(line.split(maxsplit=1) for line in lines)
    assert said["skmmm"] == __version__
    assert said["torch"] == version("torch")
    assert {"Python", "platform", "cores", "scikit-learn", "plotly"} <= set(said)
