"""The gallery: there are enough examples, and they do without data that are not here.

That each of them runs is tested by building the documentation.
"""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("plot_*.py"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_a_title_and_an_introduction(path):
    text = path.read_text(encoding="utf-8")
    _, title, rule, blank, introduction = text.split("\n")[:5]
    assert len(rule) == len(title)
    assert set(rule) == {"="}
    assert blank == ""
    assert introduction


@pytest.mark.parametrize("name", ["robyn_sample", "dma_panel"])
def test_examples_say_so_without_their_data(name, tmp_path, monkeypatch, capsys):
    (path,) = [path for path in EXAMPLES if path.stem.endswith(name)]
    monkeypatch.setenv("SKMMM_DATA", str(tmp_path))
    assert runpy.run_path(str(path))["model"] is None
    assert "is not here: nothing to show." in capsys.readouterr().out
