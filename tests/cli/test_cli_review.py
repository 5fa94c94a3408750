"""Command line: a saved plan is compared with what came."""

import re

import pandas as pd
import pytest

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
