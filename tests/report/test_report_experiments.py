"""The report of a model that learned from experiments."""

from dataclasses import replace

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from pages import read
from small_models import fitted_shortly

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.report import make_report
from skmmm.report._content import read_content
from skmmm.report._page import make_page
from skmmm.report._phrases import number
from skmmm.report._settings import in_words
from skmmm.report._tables import experiments, findings, tabs
from skmmm.report._words import summary_sentences

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The (spend of|experiment on)"),
]

CONFLICT, TAUGHT = "Experiments that contradict the rows", "What experiments taught"


@pytest.fixture(scope="module")
def tested(series):
    """Model with a wild experiment and one that says nothing, its rows and KPI."""
    weeks = series.X["week"].to_numpy()
    tests = pd.DataFrame(
        {
            "media": series.media,
            "start": weeks[[10, 40]],
            "end": weeks[[19, 40]],
            "change": [0.0, 1.5],
            "estimate": [1e7, 0.0],
            "std_error": [1e5, 1e9],
        }
    )
    return fitted_shortly(series, series.X.drop(columns="region"), experiments=tests)


@pytest.fixture(scope="module")
def content(tested):
    return read_content(*tested, None, None, skill=None, level=0.9, tell=id)


def test_the_page_shows_what_the_model_says(tested, tmp_path):
    reader, payload = read(make_report(*tested, tmp_path / "report.html"))
    table, shown = tested[0].experiments_, payload["experiments"]
    assert shown["names"] == ["media_1, 2021-03-15 (conflict)", "media_2, 2021-10-11"]
    # One that measured nothing is shown by its error.
    assert_allclose(shown["size"], [1e7, 1e9])
    for found, name in zip(
        shown["shown"], ("estimate", "before", "after"), strict=True
    ):
        assert_allclose(found["value"], table[name], rtol=1e-4)
        width = pd.Series(found["high"]) - pd.Series(found["low"])
        sd = table["std_error" if name == "estimate" else f"{name}_sd"]
        assert_allclose(width, 2 * 1.645 * sd, rtol=1e-2)
    text = " ".join(reader.text)
    assert all(finding in text for finding in table["finding"])
    assert "a table of 2 rows" in text


def test_rows_of_the_tables(content):
    wild, dull = experiments(content)
    found = content.experiments.iloc[0]
    assert wild[0] == (
        "text warn",
        "media_1",
        "2021-03-15 to 2021-05-17",
        "conflict",
    )
    assert wild[1] == "outcome"
    assert [cell[1] for cell in wild[2:5]] == [
        number(found[name]) for name in ("estimate", "before", "after")
    ]
    assert dull[0] == ("text", "media_2", "2021-10-11")
    assert findings(content)[1][1] == ("wrap", content.experiments["finding"].iloc[1])


def test_conflicts_are_on_top_of_the_summary(content):
    said = dict(summary_sentences(content))
    assert "“media_1” (" in said[CONFLICT]
    assert "media_2" not in said[CONFLICT]
    assert said[TAUGHT] == content.experiments["finding"].iloc[1]
    order = list(said)
    assert order.index(CONFLICT) < order.index("What media caused")
    calm = replace(content, experiments=content.experiments.iloc[1:])
    assert CONFLICT not in dict(summary_sentences(calm))


def test_many_findings_are_counted(content):
    many = pd.concat([content.experiments.iloc[1:]] * 5, ignore_index=True)
    many["finding"] = [f"Finding {i}." for i in range(5)]
    many["doubt_removed"] = [0.1, 0.2, 0.3, 0.4, 0.5]
    said = dict(summary_sentences(replace(content, experiments=many)))
    expected = "Finding 4. Finding 3. Finding 2. 2 more are under Experiments."
    assert said[TAUGHT] == expected


def test_without_draws_there_is_no_doubt_to_remove(content):
    point = content.experiments.assign(
        z=float("nan"),
        before_sd=float("nan"),
        after_sd=float("nan"),
        doubt_removed=float("nan"),
        conflict=False,
    )
    rows = list(experiments(replace(content, experiments=point)))
    assert rows[0][5:] == ("–", "–")
    assert len(rows[0][3]) == 2  # no interval
    assert len(rows[0][2]) == 3  # what was measured has one


def test_no_section_without_experiments(content):
    without = replace(content, experiments=None)
    assert ("experiments", "Experiments") in tabs(content)
    assert ("experiments", "Experiments") not in tabs(without)
    page = make_page(without, title=None, plotly="")
    assert 'id="chart-experiments"' not in page
    assert "<dt>Experiment</dt>" not in page
    assert not {CONFLICT, TAUGHT} & set(dict(summary_sentences(without)))


def test_a_table_among_the_settings_is_counted():
    assert in_words(pd.DataFrame({"media": ["tv"]})) == "a table of 1 row"
