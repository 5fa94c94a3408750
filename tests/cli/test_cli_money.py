"""Money of delivery in a column of its own, at the command line."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from command_line import QUICK, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm._cli.parser import parse
from skmmm._cli.task import read_rows, read_task
from skmmm.datasets import make_mmm_panel

pytestmark = pytest.mark.usefixtures("short_chains")


def test_a_name_is_the_column_of_money(tmp_path, capsys):
    world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    price = np.random.default_rng(0).uniform(0.5, 1.5, len(world.X))
    X = world.X.assign(paid=price * world.X["media_1"])
    path, out = tmp_path / "data.csv", tmp_path / "out"
    to_csv(X.assign(sales=world.y), path)
    asked = ["fit", str(path), "--kpi", "sales", "--media", "media_1", "media_2"]
    asked += ["--region", "region", "--time", "week", *QUICK, "--origins", "0"]
    asked += ["--media-cost", "1", "media_1=paid", "--out", str(out)]
    task = read_task(parse(asked))
    assert task.media_cost == {"media_1": "paid", "media_2": 1.0}
    assert_allclose(task.X["paid"], X["paid"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(asked) == 0
    assert "the money of media_1 is paid, row by row" in capsys.readouterr().out
    channels = pd.read_csv(out / "channels.csv", index_col="channel")
    assert channels["spend"]["media_1"] == pytest.approx(X["paid"].sum())
    model = DeepCausalMMMRegressor.load(out / "model.skmmm")
    plan = ["plan", str(out / "model.skmmm"), "--data", str(path)]
    rows, _ = read_rows(parse(plan), model)
    assert_allclose(rows["paid"], X["paid"])
    to_csv(world.X, path)
    assert "paid" not in read_rows(parse(plan), model)[0]
    assert main([*plan, "--quiet"]) == 0
