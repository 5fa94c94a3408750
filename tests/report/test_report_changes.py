"""The report of a model that had a predecessor: what changed, and why."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from helpers import split_at
from pages import read
from skmmm import DeepCausalMMMRegressor

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.inspection import compare_models
from skmmm.report import make_report
from skmmm.report._changes import what_changed
from skmmm.report._content import read_content
from skmmm.report._page import make_page
from skmmm.report._tables import changes, tabs

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def settings(panel):
    return {
        "media": panel.media,
        "region": "region",
        "time": "week",
        "media_cost": 1.0,
        "max_lag": 3,
        "n_draws": 8,
        "max_iter": 8,
        "graph": None,
        "random_state": 0,
    }


@pytest.fixture(scope="module")
def models(settings, panel, short_chains):
    before, _, target, _ = split_at(panel.X, panel.y, 56)
    old = DeepCausalMMMRegressor(**settings).fit(before, target)
    return old, DeepCausalMMMRegressor(**settings).fit(panel.X, panel.y)


@pytest.fixture(scope="module")
def table(models):
    return compare_models(*models)


@pytest.fixture(scope="module")
def content(models, panel, table):
    return read_content(
        models[1],
        panel.X,
        panel.y,
        None,
        None,
        skill=None,
        level=0.9,
        tell=id,
        changes=table,
    )


def test_the_page_shows_what_the_comparison_says(models, panel, table, tmp_path):
    steps = []
    reader, payload = read(
        make_report(
            models[1],
            panel.X,
            panel.y,
            tmp_path / "report.html",
            previous=models[0],
            callback=steps.append,
        )
    )
    assert steps[0] == "comparison with the earlier model, 1 fit"
    shown = payload["changes"]
    assert shown["names"] == list(table.index)
    for key, name in (
        ("before", "roi_old"),
        ("low", "roi_old_low"),
        ("high", "roi_old_high"),
        ("now", "roi_new"),
    ):
        assert_allclose(shown[key], table[name], rtol=1e-4)
    text = " ".join(reader.text)
    assert "What changed since the earlier model" in text
    assert "moved most, from" in text


def test_a_table_is_taken_as_it_is(models, panel, table, tmp_path, monkeypatch):
    monkeypatch.setattr(DeepCausalMMMRegressor, "fit", None)
    path = tmp_path / "report.html"
    doubled = table.assign(roi_old=2 * table["roi_old"])
    make_report(models[1], panel.X, panel.y, path, previous=doubled)
    assert_allclose(read(path)[1]["changes"]["before"], doubled["roi_old"], rtol=1e-4)


def test_parts_in_the_table_add_up(content, table):
    rows = list(changes(content))
    assert [row[0] for row in rows] == list(table.index)
    for row, (_, expected) in zip(rows, table.iterrows(), strict=True):
        change, *parts = (float(cell) for cell in row[3:8])
        assert change == pytest.approx(expected["change"], abs=0.006)
        assert sum(parts) == pytest.approx(change, abs=0.025)
        assert float(row[8]) == pytest.approx(expected["seed_noise"], abs=0.006)


def _changes(**columns):
    """Three channels, of which tv moved by 1 on a noise of .1, for the data's sake."""
    table = pd.DataFrame(
        {
            "roi_old": [2.0, 1.0, 3.0],
            "roi_new": [3.0, 1.05, 3.0],
            "change": [1.0, 0.05, 0.0],
            "data": [0.8, 0.05, 0.0],
            "settings": [0.2, 0.0, 0.0],
            "seed": 0.0,
            "refresh": 0.0,
            "seed_noise": [0.1, 0.2, 0.1],
            "roi_old_low": [1.0, 0.0, 2.0],
            "roi_old_high": [2.5, 2.0, 4.0],
            "outside": [True, False, False],
            "verdict_old": "prior-driven",
            "verdict_new": "data-driven",
            "alarm_old": "",
            "alarm_new": "",
        },
        pd.Index(["tv", "radio", "search"], name="channel"),
    )
    return table.assign(**columns)


def test_says_what_moved_most_and_why(content):
    said = what_changed(replace(content, changes=_changes()))
    assert said == (
        "“tv” moved most, from 2 to 3 sales per unit of money, mostly by new, "
        "corrected or other data (+0.8 of +1); the seed alone moves it by 0.1. "
        "Compared are rows that both models know: what came after is not seen. “tv” is "
        "outside of its earlier interval."
    )


def test_parts_that_cancel_are_not_most_of_a_change(content):
    both = _changes(data=[0.9, 0, 0], settings=[-0.8, 0, 0], change=[0.1, 0, 0])
    said = what_changed(replace(content, changes=both.assign(seed_noise=0.0)))
    assert "mostly" not in said
    assert (
        "by new, corrected or other data (+0.9) and other settings (-0.8), +0.1 "
        "together;" in said
    )
    thirds = _changes(data=0.4, settings=0.3, seed=0.3, seed_noise=0.0)
    said = what_changed(replace(content, changes=thirds))
    assert "other settings (+0.3) and another seed, which is chance (+0.3), +1" in said


def test_hedges_what_the_seed_may_have_done(content):
    noisy = _changes(seed_noise=[0.9, 0.2, 0.1])
    said = what_changed(replace(content, changes=noisy))
    assert "but the seed alone moves it by 0.9, so that this may be chance." in said
    assert "(+0.8 of +1), a part no larger than what the seed does;" in said
    chance = _changes(seed_noise=5.0, outside=False)
    said = what_changed(replace(content, changes=chance))
    assert said.startswith("No return moved by more than the seed alone moves it: no")
    assert "mostly" not in said
    assert said.endswith("All returns are within their earlier intervals.")
    drawn = _changes(seed=[1.0, 0.0, 0.0], data=0.0, settings=0.0)
    said = what_changed(replace(content, changes=drawn))
    assert "mostly by another seed, which is chance" in said


def test_a_large_move_within_noise_is_not_the_news(content):
    table = _changes(change=[1.0, 0.05, -2.0], seed_noise=[0.1, 0.2, 3.0])
    said = what_changed(replace(content, changes=table))
    assert said.startswith("“tv” moved most")


def test_says_who_came_who_went_and_where_alarms_differ(content):
    table = _changes(alarm_new=["rings", "", ""])
    gone = ["roi_new", "change", "data", "settings", "seed", "refresh"]
    table.loc["search", gone] = np.nan
    table.loc["shop"] = table.loc["search"]
    table.loc["shop", ["roi_old", "roi_new"]] = np.nan, 1.0
    said = what_changed(replace(content, changes=table))
    assert "An alarm rings for “tv” in one of the models only" in said
    assert said.endswith("“shop” is new. “search” is gone.")
    last = list(changes(replace(content, changes=table)))[-1]
    assert last[1][1] == last[3] == "–"


def test_without_units_of_money_the_largest_share_counts(content):
    table = _changes(change=[0.5, 0.4, 0.0], seed_noise=0.0)
    assert what_changed(replace(content, changes=table)).startswith("“tv” moved most")
    said = what_changed(replace(content, changes=table, priced=False))
    assert said.startswith("“radio” moved most")


def test_no_section_without_an_earlier_model(content):
    without = replace(content, changes=None)
    assert ("changes", "What changed") in tabs(content)
    assert ("changes", "What changed") not in tabs(without)
    assert what_changed(without) == ""
    page = make_page(without, title=None, plotly="")
    assert 'id="chart-changes"' not in page
    assert '"changes":' not in page


def test_refuses_what_is_no_earlier_model(models, panel, table, tmp_path):
    told = (models[1], panel.X, panel.y, tmp_path / "report.html")
    with pytest.raises(ValueError, match=r"without the columns \['seed'"):
        make_report(*told, previous=table.drop(columns=["seed", "outside"]))
    with pytest.raises(TypeError, match=r"^previous must be .*got Ridge\(\)"):
        make_report(*told, previous=Ridge())
    with pytest.raises(TypeError, match=r"^previous must be .*got 'b.skmmm'. A file"):
        make_report(*told, previous="b.skmmm")
    assert not (tmp_path / "report.html").exists()
