"""Plans of some regions, of some periods, and with limits of several channels."""

import numpy as np
import pandas as pd
import pytest

from command_line import one_error, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm._cli.parser import parse
from skmmm._cli.plans import limits_of

pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.fixture(scope="module")
def saved(regional):
    return str(regional / "model.skmmm")


@pytest.fixture(scope="module")
def model(saved):
    return DeepCausalMMMRegressor.load(saved)


@pytest.fixture
def plan(saved, tmp_path):
    """Return a function that plans, and returns the table that was written."""

    def run(*arguments):
        out = tmp_path / "plan.csv"
        assert main(["plan", saved, *arguments, "--out", str(out)]) == 0
        return pd.read_csv(out, index_col="channel")

    return run


def test_some_regions(plan, panel, capsys):
    table = plan("--regions", "region_1", "region_3")
    said = capsys.readouterr().out
    assert "from 2021-01-04 to 2022-02-21 in region_1, region_3 (2 of 3 reg" in said
    rows = panel.X[panel.X["region"].isin(["region_1", "region_3"])]
    spent = rows[panel.media].sum()
    np.testing.assert_allclose(table["current_spend"], spent[table.index], rtol=1e-6)
    everywhere = plan("--regions", "region_1", "region_2", "region_3")
    pd.testing.assert_frame_equal(everywhere, plan())


def test_some_regions_of_coming_periods(plan, model):
    for spend, more in (
        ("last_year", []),
        ("last_periods", ["--spend", "last_periods"]),
    ):
        coming = model._coming_periods(4, spend)
        spent = coming[coming["region"] == "region_2"][model.media_].sum()
        table = plan("--horizon", "4", "--regions", "region_2", *more)
        np.testing.assert_allclose(table["current_spend"], spent[table.index])


def test_a_time_range_is_planned_among_the_spend_around_it(
    saved, model, panel, tmp_path, capsys
):
    path = tmp_path / "q.plan.skmmm"
    asked = ["plan", saved, "--from", "2021-06-01", "--until", "2021-08-30"]
    assert main([*asked, "--save", str(path)]) == 0
    said = capsys.readouterr().out
    assert "Plan of 13 weeks from 2021-06-07 to 2021-08-30\n" in said
    plan = DeepCausalMMMRegressor.load_plan(path)
    week = pd.to_datetime(panel.X["week"])
    inside = (week >= "2021-06-01") & (week <= "2021-08-30")
    assert len(plan.X) == inside.sum()
    # What the plan gains is what all rows gain: later ones by what is carried over.
    before = panel.X.assign(week=week).set_index(["region", "week"])
    after = before.copy()
    after.update(plan.X.set_index(["region", "week"])[model.media_])
    gain = model.predict(after.reset_index()) - model.predict(before.reset_index())
    assert plan.outcome - plan.current_outcome == pytest.approx(gain.sum())
    assert np.abs(gain[(week > "2021-08-30").to_numpy()]).max() > 0


def test_a_time_range_of_a_table(plan, model, saved, tmp_path, capsys):
    coming = model._coming_periods(4)
    path = tmp_path / "next.csv"
    to_csv(coming, path)
    first, later = sorted(coming["week"].unique())[:2]
    table = plan("--data", str(path), "--until", str(first)[:10])
    spent = coming[coming["week"] == first][model.media_].sum()
    np.testing.assert_allclose(table["current_spend"], spent[table.index], rtol=1e-6)
    asked = ["plan", saved, "--data", str(path), "--from", str(later)[:10]]
    capsys.readouterr()
    assert main(asked) == 2
    assert f"plan from {str(first)[:10]}" in one_error(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--regions", "region1"], "--regions names 'region1', of which there is no"),
        (["--regions", "x"], "There are region_1, region_2, region_3"),
        (["--from", "2030-01-01"], "leave no row: periods begin from 2021-01-04 to"),
        (["--from", "2021-06-01", "--until", "2021-05-01"], "leave no row"),
        (["--until", "soon"], "--until: 'soon' is not a date like 2024-01-29"),
        (["--until", "12"], "--until: '12' is not a date"),
        (["--until", "1.2.21", "--date-format", "%d.%m"], "a date like %d.%m"),
        (["--horizon", "3", "--from", "2022-03-01"], "--horizon plans the first"),
        (["--limit", "media_1+tv=:9"], "--limit names 'tv', which is none of the"),
    ],
)
def test_rows_and_limits_that_make_no_sense(saved, capsys, arguments, message):
    assert main(["plan", saved, *arguments]) == 2
    assert message in one_error(capsys)


@pytest.mark.filterwarnings("ignore")  # of few iterations without controls
def test_a_model_without_regions_and_with_numbers_as_time(series, tmp_path, capsys):
    frame = series.frame[["week", "media_1", "media_2"]].copy()
    frame["week"] = np.arange(len(frame))
    few = {"n_draws": 0, "max_iter": 3, "max_lag": 3, "graph": None}
    model = DeepCausalMMMRegressor(
        media=["media_1", "media_2"], time="week", random_state=0, **few
    )
    model.fit(frame, series.y)
    path = str(tmp_path / "m.skmmm")
    model.save(path)
    assert main(["plan", path, "--from", "20", "--until", "29"]) == 0
    assert "Plan of 10 " in capsys.readouterr().out
    assert main(["plan", path, "--from", "2024-01-01"]) == 2
    assert "--from: '2024-01-01' is not a whole number" in one_error(capsys)
    assert main(["plan", path, "--regions", "a"]) == 2
    assert "the model has no column of regions" in one_error(capsys)
    timeless = model.set_params(time=None)
    timeless.fit(frame.drop(columns="week"), series.y)
    timeless.save(path)
    assert main(["plan", path, "--from", "3"]) == 2
    assert "the model has no column of time" in one_error(capsys)


def test_limits_of_several_channels(plan, saved, capsys):
    free = plan()["spend"]
    pair = ["media_1", "media_3"]
    most = 0.9 * free[pair].sum()
    table = plan("--limit", f"media_1+media_3=:{most}")
    assert table["spend"][pair].sum() <= most * (1.0 + 1e-6)
    assert table["spend"].sum() == pytest.approx(free.sum())
    capsys.readouterr()
    assert main(["plan", saved, "--limit", "media_1+media_3=9e9:"]) == 1
    said = capsys.readouterr().err
    assert "No plan: --limit media_1+media_3 asks for 9,000,000,000" in said


def test_names_that_hold_a_plus():
    class Named:
        media_ = ("tv+radio", "search", "tv")

    args = parse(["plan", "m.skmmm", "--limit", "tv+radio+search=1:2", "tv+search=1:"])
    limits = limits_of(args, Named)["constraints"]
    assert limits == [(["tv+radio", "search"], 1.0, 2.0), (["tv", "search"], 1.0, None)]
