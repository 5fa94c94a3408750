"""What a report says of half saturation, and of pairs of channels."""

from dataclasses import replace

import pytest

from pages import read
from small_models import fitted_shortly

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.report import make_report
from skmmm.report._content import read_content
from skmmm.report._page import make_page
from skmmm.report._tables import halves, synergies

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def told(series, short_chains):
    X = series.X.drop(columns="region")
    return fitted_shortly(series, X, synergies=[series.media[:2]])


@pytest.fixture(scope="module")
def content(told):
    return read_content(*told, None, None, skill=None, level=0.9, tell=id)


def test_the_page_has_both_tables(told, tmp_path):
    reader, _ = read(make_report(*told, tmp_path / "report.html"))
    text = " ".join(reader.text)
    assert "Half saturation: the spend that reaches half of the maximum" in text
    assert "Pairs: what channels cause together" in text
    assert "media_1 and media_2" in text
    assert "media_1 per row" in text


def test_half_saturation_has_an_interval_a_unit_and_a_verdict(content):
    table = content.halves.iloc[:2].assign(
        half_saturation=[120.0, 3.25],
        half_saturation_low=[100.0, 2.5],
        half_saturation_high=[150.0, 4.0],
        half_saturation_prior_low=[20.0, 1.0],
        half_saturation_prior_high=[900.0, 5.0],
        unit=["spend per row", "frequency"],
        observed=[0.4, 1.0],
        verdict=["data-driven", "prior-driven"],
    )
    first, second = halves(replace(content, halves=table))
    assert first[1][1] == "data-driven"
    assert first[2:] == (
        ("", "120.0", "100.0 to 150.0"),
        "20 to 900",
        "media_1 per row",
        ("", "40%"),
    )
    assert second[1][1] == "prior-driven"
    assert second[4:] == ("times seen", ("warn", "100%"))


def test_pairs_say_where_they_are_about_nothing(content):
    table = content.synergies.assign(verdict="not identified", note="about nothing")
    (row,) = synergies(replace(content, synergies=table))
    assert row[0] == "media_1 and media_2"
    assert row[1][1:] == ("not identified", "about nothing")
    (row,) = synergies(replace(content, synergies=table.assign(note="")))
    assert row[1][1:] == ("not identified",)


def test_no_table_of_pairs_without_any(content):
    page = make_page(replace(content, synergies=None), title=None, plotly="")
    assert "Pairs: what channels" not in page
    assert 'id="halves-table"' in page
