"""Command line: a saved model takes in new periods."""

import re

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
    assert f"Saved to {new}" in said
    n_regions = len(before.regions_)
    assert len(after.contributions()) == n_known + 4 * n_regions
    pd.testing.assert_series_equal(
        pd.read_csv(out, index_col="channel")["roi"],
        after.channel_summary()["roi"],
        check_exact=False,
        rtol=1e-6,
    )
    save = ["--save", str(tmp_path / "x.skmmm"), "--forgetting-factor", "0.5"]
    assert main([*arguments, *save, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    forgetful = DeepCausalMMMRegressor.load(tmp_path / "x.skmmm")
    assert forgetful._model.memory[0] == 0.5**4


def test_errors_of_updates(regional, table, tmp_path, capsys):
    model = regional / "model.skmmm"
    arguments = ["update", str(model), str(table), "--kpi", "sales"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "required: --save" in one_error(capsys)
    assert main([*arguments, "--save", str(model)]) == 2
    assert "--save would replace" in one_error(capsys)
    save = ["--save", str(tmp_path / "new.skmmm")]
    assert main([*arguments, *save, "--forgetting-factor", "1.5"]) == 1
    assert "forgetting_factor" in one_error(capsys)
    old = tmp_path / "old.csv"
    pd.read_csv(table).head(6).to_csv(old, index=False)
    assert main(["update", str(model), str(old), "--kpi", "sales", *save]) == 1
    assert "no row after those that the model knows" in one_error(capsys)
