"""Channels that are reach, with a column of frequency, at the command line."""

import numpy as np
import pandas as pd
import pytest

from command_line import QUICK, one_error, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm.datasets import make_mmm_panel

pytestmark = [
    pytest.mark.usefixtures("short_chains", "no_pictures"),
    pytest.mark.filterwarnings("default"),  # lines on stderr, not errors
]


@pytest.fixture
def seen(tmp_path):
    """Return a function that writes a table with frequencies and fits it."""

    def run(change, *arguments):
        world = make_mmm_panel(1, 60, n_media=2, random_state=0)
        frame = world.frame.drop(columns="region")
        often = np.random.default_rng(0).uniform(1.0, 5.0, len(frame))
        frame["often"] = np.where(frame["media_1"] > 0, often, np.nan)
        path = tmp_path / "reach.csv"
        to_csv(change(frame), path)
        line = ["fit", str(path), "--kpi", "sales", "--media", "media_1", "media_2"]
        line += ["--time", "week", "--origins", "0", "--out", str(tmp_path / "out")]
        return main([*line, *QUICK, *arguments])

    return run


def test_frequency_is_fitted_and_its_optimum_written(seen, tmp_path, capsys):
    assert seen(lambda frame: frame, "--frequency", "media_1=often") == 0
    said = capsys.readouterr().out
    assert "Reach     media_1, seen as often as often says" in said
    assert "not used: price, holiday" in said
    model = DeepCausalMMMRegressor.load(tmp_path / "out" / "model.skmmm")
    assert model.frequency == {"media_1": "often"}
    written = pd.read_csv(tmp_path / "out" / "optimal_frequency.csv")
    best = model.optimal_frequency()
    assert list(written["channel"]) == ["media_1"]
    for name in ("frequency", "optimum", "gain"):
        np.testing.assert_allclose(written[name], best[name], rtol=1e-5)


def test_no_frequency_no_table(seen, tmp_path):
    old = tmp_path / "out" / "optimal_frequency.csv"
    old.parent.mkdir()
    old.write_text("of an earlier fit")
    assert seen(lambda frame: frame) == 0
    assert not old.exists()


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        ("media_1=oftn", 2, "no column 'oftn'; did you mean 'often'?"),
        ("media_3=often", 2, "--frequency names 'media_3', which is not in --media"),
        ("media_1=media_2", 2, "the column 'media_2' is named twice"),
    ],
)
def test_frequencies_that_make_no_sense(seen, capsys, option, code, message):
    assert seen(lambda frame: frame, "--frequency", option) == code
    assert message in one_error(capsys)


def test_frequencies_below_one_and_empty_ones(seen, capsys):
    asked = ["--frequency", "media_1=often"]
    assert seen(lambda frame: frame.assign(often=0.5), *asked) == 1
    assert "in column 'often' is 0.5 at time '2021-03-15'" in one_error(capsys)
    assert seen(lambda frame: frame.assign(often=""), *asked) == 1
    assert "NaN: column 'often' at time '2021-03-15'" in one_error(capsys)
    with pytest.raises(SystemExit):
        seen(lambda frame: frame, "--frequency", "often")
    assert "argument --frequency: 'often' is not NAME=COLUMN" in one_error(capsys)
