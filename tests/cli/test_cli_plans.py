"""Plans of the command line: what they start from, and what their messages advise."""

import os
import re
import sys
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from command_line import SALES, one_error
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm._cli.advice import for_command_line
from skmmm.allocation import Lever
from skmmm.inspection._placement import SWITCH

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("default"),  # lines on stderr, not errors
]


@pytest.fixture(scope="module")
def launched(tmp_path_factory, series):
    """A saved model of a series in which media_2 began ten weeks ago."""
    frame = series.frame.drop(columns="region")
    frame.loc[frame.index[:-10], "media_2"] = 0.0
    columns = ["media_1", "media_2", "price", "holiday", "week"]
    model = DeepCausalMMMRegressor(
        media=["media_1", "media_2"],
        controls=["price", "holiday"],
        time="week",
        n_draws=0,
        max_iter=5,
        max_lag=3,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(frame[columns], frame["sales"])
    path = tmp_path_factory.mktemp("launched") / "model.skmmm"
    model.save(path)
    return str(path)


# --- what a plan starts from ----------------------------------------------------------


def test_a_new_channel_is_planned_from_its_last_periods(launched, tmp_path, capsys):
    out = tmp_path / "plan.csv"
    asked = ["plan", launched, "--horizon", "6", "--out", str(out)]
    assert main(asked) == 0
    said = capsys.readouterr()
    assert "Plan them otherwise: --spend last_periods, or a table" in said.err
    assert "make_future_frame" not in said.err
    assert re.search(r"^Channel +Year before +Plan", said.out, flags=re.MULTILINE)
    assert "with the spend of the year before" in said.out
    assert pd.read_csv(out, index_col="channel")["spend"]["media_2"] == 0.0
    assert main([*asked, "--spend", "last_periods"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert re.search(r"^Channel +Last periods +Plan", said.out, flags=re.MULTILINE)
    model = DeepCausalMMMRegressor.load(launched)
    last = model.make_future_frame(6, spend="last_periods", control_values="last_year")
    table = pd.read_csv(out, index_col="channel")
    assert table["spend"]["media_2"] > 0.0
    assert table["current_spend"]["media_2"] == pytest.approx(last["media_2"].sum())
    expected = model.optimize_budget(X=last).allocation["spend"]
    np.testing.assert_allclose(table["spend"], expected, rtol=1e-6)


def test_the_default_is_said_as_it_is(launched, tmp_path, capsys):
    table = tmp_path / "plan.csv"
    spends = []
    for more in ([], ["--spend", "last_year"]):
        asked = ["plan", launched, "--horizon", "6", "--out", str(table), "--quiet"]
        assert main([*asked, *more]) == 0
        spends.append(table.read_text())
    assert spends[0] == spends[1]
    assert main(["plan", launched]) == 0
    assert re.search(r"^Channel +Today +Plan", capsys.readouterr().out, re.MULTILINE)


def test_spend_is_for_coming_periods(launched, capsys):
    assert main(["plan", launched, "--spend", "last_year"]) == 2
    assert "--horizon" in one_error(capsys)


def test_a_season_that_is_not_there_is_advised_by_options(regional, capsys):
    asked = ["plan", str(regional / "model.skmmm"), "--horizon", "99"]
    assert main([*asked, "--spend", "last_periods"]) == 1
    said = one_error(capsys)
    assert "--spend last_periods repeats the last 99 periods" in said
    assert "Ask for fewer, or use --data." in said


def test_verdicts_stand_in_the_table(regional, tmp_path, capsys, monkeypatch):
    asked = ["plan", str(regional / "model.skmmm")]
    assert main(asked) == 0
    assert re.search(r"Stops +Verdict$", capsys.readouterr().out, re.MULTILINE)
    told = np.array(["data-driven", "not identified", "prior-driven"], dtype=object)
    monkeypatch.setattr(DeepCausalMMMRegressor, "_verdicts", lambda self: told)
    out = tmp_path / "plan.csv"
    assert main([*asked, "--fix", "media_3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^media_3 .* fixed +prior-driven$", said, re.MULTILINE)
    assert "draws do not, either: --fix media_2 keeps its spend." in said
    assert list(pd.read_csv(out)["verdict"]) == list(told)


# --- folders that are left behind -----------------------------------------------------


@pytest.mark.parametrize("kept", [False, True])
def test_a_fit_that_is_stopped_leaves_no_empty_folder(
    kept, broken, tmp_path, monkeypatch, capsys
):
    def stop(*args, **options):
        assert (tmp_path / "out").is_dir()
        raise KeyboardInterrupt

    if kept:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr("skmmm._cli.commands._fit", stop)
    assert broken(lambda frame: frame) == 130
    assert (tmp_path / "out").exists() == kept
    assert capsys.readouterr().err == "skmmm: stopped\n"


# --- advice ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pictures")
def test_zeros_are_said_once(broken, capsys):
    def close(frame):
        return frame.assign(
            sales=frame["sales"].where(np.arange(len(frame)) % 5 > 0, 0)
        )

    assert broken(close, *SALES, "--origins", "2") == 0
    said = capsys.readouterr().err
    assert said.count("The KPI is exactly zero") == 1
    assert "give these rows" not in said


@pytest.mark.usefixtures("no_pictures")
def test_a_gap_of_all_regions_is_not_advised_in_python(broken, capsys):
    assert broken(lambda frame: frame.drop(index=frame.index[30])) == 0
    (line,) = (
        line for line in capsys.readouterr().err.splitlines() if "no row" in line
    )
    assert line.endswith("Add rows if spend and KPI are known.")


def test_errors_of_the_model_speak_of_options(broken, capsys):
    assert broken(lambda frame: frame.assign(media_1=-1.0)) == 1
    assert "Negative values in data: column 'media_1' is -1" in one_error(capsys)


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        (
            "Stopped after max_iter=5 iterations. Increase max_iter.",
            "Stopped after --max-iter 5 iterations. Increase --max-iter.",
        ),
        ("the column 'max_lag' is empty", "the column 'max_lag' is empty"),
        ("error: fixed names 'x'", "error: --fix names 'x'"),
        ("bounds of 'tv' ask for", "--bounds of 'tv' ask for"),
        (
            "control_values['price']='last_year' repeats week 3, but X has no row for "
            "it. Repeat others, as in make_future_frame(13, spend='last_periods'), "
            "plan numbers, or add the row to X.",
            "the control 'price', as last year, repeats week 3, but X has no row for "
            "it. Add the row to the data and fit again, or give a table of the coming "
            "periods as --data in place of --horizon.",
        ),
        ("It has fixed costs.", "It has fixed costs."),
        (
            "To plan it, give it some in X.",
            "To plan it, give it some in a table of these rows as --data.",
        ),
        (
            "less than target_mroi=0.25. Lower the target.",
            "less than --target-mroi 0.25. Lower the target.",
        ),
        (
            "fixed=['paid search', 'tv'] keeps their spend.",
            "--fix 'paid search' tv keeps their spend.",
        ),
        ("priors['tv']['roi'] must", "--prior of 'tv':roi must"),
        (
            "in others. If regions were closed, media caused nothing there: give these "
            "rows sample_weight 0. Their spend still acts later, and predictions there "
            "are those of open periods.",
            "in others. If regions were closed, media caused nothing there. In Python, "
            "sample_weight 0 leaves these rows out.",
        ),
        (
            "draws of [] move. Fit with n_draws=128, with which chains run longer. Try "
            "another random_state; if that does not help, leave out columns that say "
            "the same as others, or set n_hidden=0. See sampling_diagnostics_.",
            "draws of [] move. Fit with --draws 128, with which chains run longer. Try "
            "another --seed; if that does not help, leave out columns that say the "
            "same as others.",
        ),
        (
            "add that as a control; if it may do harm, name it in free_sign.",
            "add that as a control.",
        ),
        (
            "at least 8 draws: fit with a larger n_draws.",
            "at least 8 draws: fit with more --draws.",
        ),
        (
            "no time column: fit it with time=... and plan once more.",
            "no time column: fit it with --time and plan once more.",
        ),
        (
            "fit with media_cost=..., what they were to cost.",
            "fit with --media-cost, what they were to cost.",
        ),
        ("levers are for plans with", "--lever are for plans with"),
        (
            "is not counted. Plan with effect='total' to count it.",
            "is not counted. In Python, effect='total' counts it.",
        ),
        (
            "better. Its worth_testing() says which channel's test would pay most.",
            "better.",
        ),
    ],
)
def test_python_becomes_options(said, advised):
    assert for_command_line(said) == advised


# --- levers -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(knowing, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmmm"
    knowing.save(path)
    return str(path)


def test_levers_of_a_plan(saved, knowing, tmp_path, capsys):
    asked = ["plan", saved, "--lever", "price=12.9:13.5:-500", "holiday=0:1:2000"]
    record = tmp_path / "a.plan.skmmm"
    assert main([*asked, "--save", str(record)]) == 0
    said = capsys.readouterr().out
    levers = {"price": Lever(12.9, 13.5, -500.0), "holiday": Lever(0, 1, 2000.0)}
    plan = knowing.optimize_budget(levers=levers)
    read = DeepCausalMMMRegressor.load_plan(record)
    pd.testing.assert_frame_equal(read.levers, plan.levers)
    reason = plan.levers["reason"]["price"]
    assert re.search(rf"^price +13\.2 +1\d\.\d .* {reason}$", said, re.MULTILINE)
    assert re.search(r"^Control +Today +Plan +Costs +Brings", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("lever", "message"),
    [
        ("price=1:2", "'price=1:2' is not NAME=LOW:HIGH:COST"),
        ("price=2:1:5", "price=2:1:5 must hold LOW <= HIGH"),
        ("prize=1:2:5", "--lever names 'prize', which is none of the controls price"),
        ("price=1:2:5", "--lever of 'price' ask for 1 to 2, but data reach from"),
    ],
)
def test_levers_that_cannot_be(saved, lever, message, capsys):
    with suppress(SystemExit):
        assert main(["plan", saved, "--lever", lever]) != 0
    said = one_error(capsys)
    assert message in said
    assert "allow_extrapolation" not in said


# --- prices -------------------------------------------------------------------------


def test_prices_of_a_plan(tmp_path, capsys, series):
    model = DeepCausalMMMRegressor(
        media=["media_1", "media_2"],
        controls=["price", "holiday"],
        time="week",
        media_cost=2.0,
        n_draws=0,
        max_iter=5,
        max_lag=3,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(series.frame.drop(columns=["region", "sales"]), series.y)
    path, out = str(tmp_path / "model.skmmm"), tmp_path / "plan.csv"
    model.save(path)
    asked = ["plan", path, "--horizon", "6", "--out", str(out)]
    prices = ["--price-level", "media_1=1.5", "--price-elasticity", "media_2=.2"]
    assert main([*asked, *prices]) == 0
    assert "media_1 costs 1.5 times as much; media_2 gets dearer" in (
        capsys.readouterr().out
    )
    expected = model.optimize_budget(
        horizon=6, price_level={"media_1": 1.5}, price_elasticity={"media_2": 0.2}
    )
    table = pd.read_csv(out, index_col="channel")
    np.testing.assert_allclose(table["spend"], expected.allocation["spend"], rtol=1e-6)
    for option, said in (
        ("tv=1.1", "--price-level names 'tv', which is none of the channels"),
        ("medai_1=1.1", "Did you mean 'media_1'?"),
        ("media_1=0", "--price-level of 'media_1' must be a positive number"),
    ):
        assert main([*asked, "--price-level", option]) != 0
        assert said in one_error(capsys)


@pytest.mark.parametrize("option", ["media_1", "media_1=x", "=2", "media_1=nan"])
def test_prices_that_are_no_numbers(option, capsys):
    with pytest.raises(SystemExit):
        main(["plan", "model.skmmm", "--price-elasticity", option])
    assert f"{option!r} is not NAME=NUMBER" in one_error(capsys)


# --- a plan and its limits ------------------------------------------------------------


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


def test_plans_keep_what_the_fit_warned_of(regional, tmp_path, capsys):
    model = DeepCausalMMMRegressor.load(regional / "model.skmmm")
    model._alarms = ("", SWITCH, SWITCH)
    path = str(tmp_path / "warned.skmmm")
    model.save(path)
    arguments = ["plan", path, "--bounds", "0.7", "1.4", "media_2=0.9:1.1"]
    out = tmp_path / "plan.csv"
    assert main([*arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "kept: rings an alarm (one switch)" in said
    assert "because fit warns of it: media_3 rings an alarm (one switch)." in said
    table = pd.read_csv(out, index_col="channel")
    assert table["factor"]["media_3"] == 1.0
    assert "kept" not in table["reason"]["media_2"]
    assert main(["plan", path, "--budget", "1"]) == 1
    said = capsys.readouterr().err
    assert "media_2 rings an alarm (one switch); media_3 rings" in said
    assert (
        "Once an experiment has told more, bound them by name to let them move." in said
    )


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
