"""Command line: a saved model takes in new periods."""

import re

import numpy as np
import pandas as pd
import pytest

from command_line import one_error, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main

pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.fixture
def table(regional, tmp_path):
    """The rows of the fit and four more weeks, as a file."""
    model = DeepCausalMMMRegressor.load(regional / "model.skmmm")
    more = model._coming_periods(4, "last_periods")
    X = pd.concat([model._training_rows(), more], ignore_index=True)
    path = tmp_path / "all.csv"
    to_csv(X.assign(sales=model.predict(X)), path)
    return path


def test_a_model_takes_in_new_periods(regional, table, tmp_path, capsys):
    model, new = regional / "model.skmmm", tmp_path / "new.skmmm"
    arguments = ["update", str(model), str(table), "--kpi", "sales"]
    out = tmp_path / "returns.csv"
    assert main([*arguments, "--save", str(new), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    before, after = (DeepCausalMMMRegressor.load(path) for path in (model, new))
    n_known = len(before.contributions())
    assert f"Left out: {n_known} rows of periods that the model knows." in said
    assert re.search(r"^media_1 +[\d.]+", said, flags=re.MULTILINE)
    assert "ROI is of all rows that each model knows." in said
    assert f"Saved to {new}" in said
    n_regions = len(before.regions_)
    assert len(after.contributions()) == n_known + 4 * n_regions
    pd.testing.assert_series_equal(
        pd.read_csv(out, index_col="channel")["roi"],
        after.channel_summary()["roi"],
        check_exact=False,
        rtol=1e-6,
    )
    save = ["--save", str(tmp_path / "x.skmmm")]
    assert main([*arguments, *save, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    save = ["--save", str(tmp_path / "y.skmmm"), "--effect-drift", "0.1"]
    assert main([*arguments, *save, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "ROI is of the last 4 periods that each model knows.\n" in said
    drifted = DeepCausalMMMRegressor.load(tmp_path / "y.skmmm")
    late = pd.read_csv(table).drop(columns="sales").tail(4 * n_regions)
    found = pd.read_csv(out, index_col="channel")["contribution"]
    expected = drifted.channel_summary(late)["contribution"]
    pd.testing.assert_series_equal(found, expected, check_exact=False, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The spend of")  # by chance
def test_frequency_may_be_empty_and_the_kpi_a_column_of_the_fit(
    panel, fast, tmp_path, capsys
):
    X, sales = panel.X.copy(), panel.y.to_numpy()
    X["often"] = np.where(X["media_1"] > 0, 2.0 + np.sin(np.arange(len(X))), np.nan)
    X["sales"], settings = sales, fast | {"n_draws": 4, "max_lag": 3}
    old = (X["week"] < X["week"].sort_values().iloc[-10]).to_numpy()
    model = DeepCausalMMMRegressor(
        media=panel.media, **settings, frequency={"media_1": "often"}
    ).fit(X[old], sales[old])
    model.save(tmp_path / "m.skmmm")
    to_csv(X[~old], tmp_path / "new.csv")
    arguments = [str(tmp_path / "m.skmmm"), str(tmp_path / "new.csv")]
    save = ["--kpi", "sales", "--save", str(tmp_path / "n.skmmm"), "--quiet"]
    assert main(["update", *arguments, *save]) == 0
    found = DeepCausalMMMRegressor.load(tmp_path / "n.skmmm")
    assert len(found.contributions()) == len(X)


def test_errors_of_updates(regional, table, tmp_path, capsys):
    model = regional / "model.skmmm"
    arguments = ["update", str(model), str(table), "--kpi", "sales"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "required: --save" in one_error(capsys)
    assert main([*arguments, "--save", str(model)]) == 2
    assert "--save would replace" in one_error(capsys)
    save = ["--save", str(tmp_path / "new.skmmm")]
    with pytest.raises(SystemExit):
        main([*arguments, *save, "--effect-drift", "1"])
    assert "'1' is no number from 0 and below 1" in one_error(capsys)
    old = tmp_path / "old.csv"
    pd.read_csv(table).head(6).to_csv(old, index=False)
    assert main(["update", str(model), str(old), "--kpi", "sales", *save]) == 1
    assert "no row after those that the model knows" in one_error(capsys)
