"""The examples of the documentation run."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PANEL = ROOT.parent / "shared" / "data" / "dma_panel.csv.gz"


def load(name):
    path = ROOT / "docs" / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not PANEL.exists(), reason="the real panel is not here")
def test_graph_of_the_real_panel(tmp_path, capsys, monkeypatch):
    example = load("channel_graph_dma")
    data = pd.read_csv(PANEL)
    some = np.unique(data["dmacode"])[::8]
    small = tmp_path / "some.csv"
    data[data["dmacode"].isin(some)].to_csv(small, index=False)
    fit = example.fit
    monkeypatch.setattr(
        example, "fit", lambda data: fit(data, n_draws=8, max_iter=15, n_hidden=0)
    )
    with pytest.warns():  # it has not settled after 15 iterations
        example.main(small)
    printed = capsys.readouterr().out
    assert "ChannelGraph of 13 channels" in printed
    assert "undecided:" in printed
    assert "total_low" in printed
