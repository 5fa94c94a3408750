"""The report of a model of reach and frequency."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pages import read
from small_models import fitted_shortly

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.report import make_report
from skmmm.report._content import read_content
from skmmm.report._page import make_page
from skmmm.report._phrases import number
from skmmm.report._tables import frequency
from skmmm.report._words import how_often, summary_sentences

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def told(series, short_chains):
    rng = np.random.default_rng(0)
    X = series.X.drop(columns="region")
    X = X.assign(seen=1.0 + rng.gamma(2.0, 1.0, len(X)).round(1))
    return fitted_shortly(series, X, frequency={"media_1": "seen"})


@pytest.fixture(scope="module")
def content(told):
    return read_content(*told, None, None, skill=None, level=0.9, tell=id)


def test_the_page_shows_the_curve_and_the_optimum(told, tmp_path):
    reader, payload = read(make_report(*told, tmp_path / "report.html"))
    row = told[0].optimal_frequency().loc["media_1"]
    (shown,) = payload["frequencies"]
    assert payload["names"][shown["channel"]] == "media_1"
    for key, name in (
        ("now", "frequency"),
        ("best", "optimum"),
        ("from", "optimum_low"),
        ("until", "optimum_high"),
    ):
        assert shown[key] == pytest.approx(row[name], rel=1e-4)
    best = int(np.argmax(shown["contribution"]))
    assert_allclose(shown["frequency"][best], row["optimum"])
    expected = row["contribution"] + row["gain"]
    assert shown["contribution"][best] == pytest.approx(expected, rel=1e-4)
    assert payload["shapes"][0]["byFrequency"] is True
    text = " ".join(reader.text)
    assert "How often people should see it" in text
    assert f"{row['optimum_low']:.1f} to {row['optimum_high']:.1f}" in text


def test_says_how_often_as_far_as_data_tell(content):
    table = content.frequency.assign(
        frequency=3.0, optimum=2.0, optimum_low=1.5, optimum_high=2.5, gain=100.0
    ).assign(gain_low=50.0, gain_high=np.pi * 50, verdict="data-driven")
    known = content.summary.assign(verdict="data-driven")
    content = replace(content, frequency=table, summary=known)
    said = how_often(content)
    assert said == (
        "“media_1” is seen 3.0 times by those it reaches; 2.0 times (1.5 to 2.5), in "
        "all rows, would do most: the same impressions would bring 100 more sales (50 "
        f"to {number(np.pi * 50)})."
    )
    lost = replace(content, summary=known.assign(verdict="not identified"))
    assert how_often(lost) == (
        f"{said} The effect of “media_1” is not identified, so that what this gains is "
        "an assumption."
    )
    unsure = table.assign(verdict="not identified")
    said = how_often(replace(content, frequency=unsure))
    assert said.startswith("How often “media_1” should be seen the data do not tell")
    assert "would do most" not in said
    (row,) = frequency(replace(content, frequency=table))
    assert row[2:5] == ("3.0", ("", "2.0", "1.5 to 2.5"), row[4])
    assert row[1][1] == "data-driven"


def test_no_card_without_frequencies(content):
    empty = content.by_frequency.iloc[:0]
    without = replace(content, frequency=None, by_frequency=empty)
    assert how_often(without) == ""
    assert "How often people should see it" not in dict(summary_sentences(without))
    page = make_page(without, title=None, plotly="")
    assert 'id="chart-frequency"' not in page
    assert '"frequencies":' not in page
