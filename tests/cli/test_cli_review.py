"""Command line: a saved plan is compared with what came."""

import re

import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from command_line import one_error, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main

pytestmark = pytest.mark.usefixtures("short_chains")


def test_a_saved_plan_is_reviewed(regional, tmp_path, capsys):
    saved, model = tmp_path / "q.plan.skmmm", str(regional / "model.skmmm")
    arguments = ["plan", model, "--horizon", "3", "--save", str(saved)]
    assert main(arguments) == 0
    assert f"Saved to {saved}, for skmmm review" in capsys.readouterr().out
    plan = DeepCausalMMMRegressor.load_plan(saved)
    came = plan.X.assign(sales=1.1 * plan.model.predict(plan.X))
    came["media_1"] *= 2.0
    data, out = tmp_path / "came.csv", tmp_path / "parts.csv"
    to_csv(came, data)
    arguments = ["review", str(saved), str(data), "--kpi", "sales"]
    assert main([*arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^delivery +media_1 +[\d.]+", said, flags=re.MULTILINE)
    assert "10.0%) more than the plan expected" in said
    parts = pd.read_csv(out, keep_default_na=False)["kpi"]
    assert parts.iloc[:-1].sum() == pytest.approx(parts.iloc[-1], rel=1e-6)
    assert main([*arguments, "--model", model, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_money_of_a_review(tmp_path, capsys, series):
    frame = series.frame.drop(columns="region")
    frame["paid"] = 2.0 * frame["media_1"]
    model = DeepCausalMMMRegressor(
        media=series.media,
        controls=series.controls,
        time="week",
        media_cost={"media_1": "paid", "media_2": 1.5},
        n_draws=0,
        max_iter=5,
        max_lag=3,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(frame.drop(columns="sales"), frame["sales"])
    plan, saved = model.optimize_budget(horizon=3), str(tmp_path / "q.plan.skmmm")
    plan.save(saved)
    came = plan.X.assign(sales=1.0, media_1=4.0, paid=12.0, bill=9.0)
    data = tmp_path / "came.csv"
    to_csv(came, data)
    asked = ["review", saved, str(data), "--kpi", "sales"]

    def money(*cost):
        assert main([*asked, *cost]) == 0
        _, table = capsys.readouterr().out.split("Money of")
        lines = [line.split() for line in table.splitlines() if "media_" in line]
        return {channel: numbers for channel, *numbers in lines}

    # Planned, actual, difference, and what of it is other units, or another price.
    assert plan.X["media_1"].sum() == 0
    first = ["0", "36.0", "36.0", "24.0", "12.0"]
    assert money()["media_1"] == first
    assert "media_2" not in money()
    both = money("--media-cost", "2", "media_1=paid", "media_2=bill")
    assert both["media_1"] == first
    assert "27.0" in both["media_2"]  # after what was planned, "2.63 k"
    for cost, code, message in (
        ("tv=1", 2, "--media-cost names 'tv', which is none of the channels"),
        ("media_1=bil", 2, "has no column 'bil'; did you mean 'bill'?"),
    ):
        assert main([*asked, "--media-cost", cost]) == code
        assert message in one_error(capsys)


def test_errors_of_reviews(regional, tmp_path, capsys):
    model, data = str(regional / "model.skmmm"), tmp_path / "came.csv"
    data.write_text("week,region,sales\n2024-01-01,a,1\n")
    arguments = ["review", model, str(data), "--kpi", "sales"]
    assert main(arguments) == 1
    assert "is a skmmm model, not a skmmm plan" in one_error(capsys)
    assert main([*arguments, "--out", model]) == 2
    assert "--out would replace" in one_error(capsys)
    same = ["--out", f"{tmp_path}/a", "--save", f"{tmp_path}/a"]
    assert main(["plan", model, *same]) == 2
    assert "--out and --save are the same file" in one_error(capsys)
    assert main(["plan", model, "--save", model]) == 2
    assert "--save would replace" in one_error(capsys)
