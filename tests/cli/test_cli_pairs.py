"""Brand channels, and pairs of channels, at the command line."""

import numpy as np
import pandas as pd
import pytest

from command_line import QUICK, SALES, one_error, to_csv
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm._cli.advice import for_command_line
from skmmm._cli.parser import parse
from skmmm.datasets import make_mmm_panel

pytestmark = [
    pytest.mark.usefixtures("short_chains", "no_pictures"),
    pytest.mark.filterwarnings("default"),  # lines on stderr, not errors
]


@pytest.fixture
def run(tmp_path):
    """Return a function that writes a table of two channels and fits it."""

    def fit(*arguments, names=("media_1", "media_2")):
        world = make_mmm_panel(1, 60, n_media=2, random_state=0)
        own = dict(zip(world.media, names, strict=True))
        path = tmp_path / "series.csv"
        to_csv(world.frame.drop(columns="region").rename(columns=own), path)
        line = ["fit", str(path), "--kpi", "sales", "--time", "week", "--media", *names]
        line += ["--origins", "0", "--out", str(tmp_path / "out")]
        return main([*line, *QUICK, *arguments])

    return fit


def saved(tmp_path):
    return DeepCausalMMMRegressor.load(tmp_path / "out" / "model.skmmm")


def again(tmp_path):
    """Return the arguments of the settings that a fit has written."""
    return parse(["fit", "--config", str(tmp_path / "out" / "settings.toml")])


def test_brand_channels_are_fitted_and_told(run, tmp_path, capsys):
    assert run("--brand", "media_2", "--brand", "media_1") == 0
    said = capsys.readouterr().out
    assert "Brand     media_2, media_1" in said
    assert "Slow channel" in said
    model = saved(tmp_path)
    assert model.brand_channels == ["media_2", "media_1"]
    assert model.synergies is None
    written = pd.read_csv(tmp_path / "out" / "brand_effects.csv", index_col=0)
    expected = model.brand_effects()
    assert list(written.index) == list(expected.index)
    np.testing.assert_allclose(written["long"], expected["long"], rtol=1e-5)
    assert again(tmp_path).brand == ["media_2", "media_1"]


def test_pairs_are_fitted_and_told(run, tmp_path, capsys):
    assert run("--synergy", "media_2:media_1") == 0
    said = capsys.readouterr().out
    assert "Pairs     media_2 and media_1" in said
    assert "media_1 and media_2 " in said
    model = saved(tmp_path)
    assert model.synergies == [("media_2", "media_1")]
    written = pd.read_csv(tmp_path / "out" / "synergies.csv")
    assert written[["channel", "partner"]].to_numpy().tolist() == [
        ["media_1", "media_2"]
    ]
    expected = model.synergy_summary()
    np.testing.assert_allclose(written["theta"], expected["theta"], rtol=1e-5)
    assert again(tmp_path).synergy == ["media_2:media_1"]
    assert run() == 0
    assert not (tmp_path / "out" / "synergies.csv").exists()


def test_names_of_a_pair_may_hold_a_colon(run, tmp_path):
    assert run("--synergy", "tv:search:paid", names=("tv", "search:paid")) == 0
    assert saved(tmp_path).synergies == [("tv", "search:paid")]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            ["--brand", "media1"],
            "--brand names 'media1', which is not in --media; did you mean 'media_1'?",
        ),
        (
            ["--synergy", "media_1:medai_2"],
            "--synergy names 'medai_2', which is not in --media; did you mean "
            "'media_2'?",
        ),
        (
            ["--prior", "media2:roi=1:3"],
            "--prior names 'media2', which is not in --media; did you mean 'media_2'?",
        ),
    ],
)
def test_misspelt_channels_get_the_one_that_was_meant(run, capsys, option, message):
    assert run(*option) == 2
    assert one_error(capsys).endswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--synergy", "media_1"], "argument --synergy: 'media_1' is not NAME:NAME"),
        (
            ["--synergy", "media_1:media_2", "--brand", "media_1"],
            "argument --brand: not allowed with argument --synergy",
        ),
    ],
)
def test_what_is_no_pair_and_both_at_once(run, capsys, options, message):
    with pytest.raises(SystemExit):
        run(*options)
    assert message in one_error(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--brand", "media_1", "media_1"], "--brand names the column 'media_1' twice"),
        (["--synergy", "media_1:media_1"], "--synergy pairs 'media_1' with itself"),
        (
            ["--synergy", "media_1:media_2", "--prior", "media_1:roi=1:3"],
            "'media_1' is in --synergy, but its prior has a 'roi'",
        ),
    ],
)
def test_errors_of_the_fit_name_the_options(run, capsys, options, message):
    assert run(*options) == 1
    assert message in one_error(capsys)


def test_levers_and_pairs():
    said = "Plan without levers, or fit with synergies=None."
    assert for_command_line(said) == "Plan without levers, or fit without --synergy."


def test_a_file_names_brand_channels_and_pairs(tmp_path, capsys):
    path = tmp_path / "own.toml"
    for key, value in (("brand", ["media_1"]), ("synergy", ["media_1:media_2"])):
        path.write_text(f"[fit]\n{key} = {value}\n".replace("'", '"'))
        read = parse(["fit", "a.csv", *SALES, "--config", str(path)])
        assert getattr(read, key) == value
    path.write_text('[fit]\nsynergy = [["media_1", "media_2"]]\n')
    assert main(["fit", "a.csv", *SALES, "--config", str(path)]) == 2
    assert "[fit] synergy must be a list of texts" in one_error(capsys)
    path.write_text('[fit]\nbrands = ["media_1"]\n')
    assert main(["fit", "a.csv", *SALES, "--config", str(path)]) == 2
    assert "did you mean brand?" in one_error(capsys)
