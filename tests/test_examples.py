"""The gallery: there are enough examples, and they do without data that are not here.

That each of them runs is tested by building the documentation.
"""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
# The build runs those that begin with plot, and only shows the others.
SHOWN = sorted((DOCS / "examples").glob("show_*.py"))
EXAMPLES = [*sorted((DOCS / "examples").glob("plot_*.py")), *SHOWN]


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


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
def test_examples_on_optional_data_show_committed_pictures(path):
    text = path.read_text(encoding="utf-8")
    pictures = re.findall(r"\.\. image:: /(images/\w+\.png)", text)
    assert len(pictures) == text.count("plt.show()")
    for picture in [*pictures, *re.findall(r"thumbnail_path = '(.*)'", text)]:
        assert (DOCS / picture).stat().st_size > 5_000
    assert "nothing to show" not in text
