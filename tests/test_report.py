"""The report: self-contained, escaped, and in agreement with the model."""

import json
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import LastValueRegressor
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.report import make_report
from skmmm.report._payload import numbers, to_json
from skmmm.report._words import percent

HOSTILE = [
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "'\"&amp; 🎯 $x_1$ " + "very " * 40 + "long\u2028name \\",
]


class Reader(HTMLParser):
    """Collects tags, references and what stands in script elements."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references, self.scripts = [], [], []
        self.text, self._inside = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = tag
        self.references += [v for k, v in attrs if k in ("src", "href", "action")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)


def read(path):
    reader = Reader(path.read_text(encoding="utf-8"))
    return reader, json.loads(reader.scripts[0])


@pytest.fixture(scope="module")
def world(panel):
    """Model, rows and KPI with names that are up to no good."""
    names = dict(zip(panel.media, HOSTILE, strict=True))
    X = panel.X.rename(columns=names)
    regions = {name: f"<b>{name}</b> & Söhne" for name in X["region"].unique()}
    X["region"] = X["region"].map(regions)
    model = DeepCausalMMMRegressor(
        media=HOSTILE,
        controls=panel.controls,
        region="region",
        time="week",
        media_cost=1.0,
        max_lag=5,
        n_draws=8,
        max_iter=60,
        random_state=0,
    )
    y = panel.y.rename("<!-- sales")
    return model.fit(X, y), X, y


@pytest.fixture(scope="module")
def page(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert make_report(*world, path) == path
    return path


@pytest.fixture(scope="module")
def national(series):
    model = DeepCausalMMMRegressor(
        media=series.media,
        controls=series.controls,
        time="week",
        max_lag=5,
        n_draws=0,
        max_iter=40,
        random_state=0,
    )
    X = series.X.drop(columns="region")
    return model.fit(X, series.y), X, series.y


def test_one_file_needs_nothing_else(page):
    reader, _ = read(page)
    assert all(ref.startswith(("#", "data:,")) for ref in reader.references)
    assert page.stat().st_size < 8e6
    assert page.read_text(encoding="utf-8").count("plotly.js v") == 1


def test_names_are_text(page):
    reader, payload = read(page)
    assert len(reader.scripts) == 3
    assert "img" not in reader.tags
    assert "b" not in reader.tags
    assert payload["names"][:2] == HOSTILE[:2]
    assert HOSTILE[0] in reader.text


def test_json_in_a_script_element_stays_there():
    text = to_json({"name": "</script><!-- & \u2028 \ud800", "value": None})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["name"].startswith("</script><!-- & \u2028")


def test_numbers_keep_five_digits():
    assert numbers([1.0, 2.5, np.nan, 123456.0, -np.inf]) == [
        1,
        2.5,
        None,
        123460.0,
        None,
    ]


def test_payload_is_what_the_model_says(world, page):
    model, X, y = world
    _, payload = read(page)
    total = payload["series"][0]
    week = X["week"].to_numpy()
    assert_allclose(total["observed"], y.groupby(week).sum(), rtol=1e-4)
    predicted = pd.Series(model.predict(X)).groupby(week).sum()
    assert_allclose(total["predicted"], predicted, rtol=1e-4)
    made = np.sum(total["parts"], axis=0) + total["baseline"]
    assert_allclose(made, predicted, rtol=1e-3)
    summary = model.channel_summary()
    for name in ("contribution", "roi_low", "mroi"):
        assert_allclose(payload["summary"][name], summary[name], rtol=1e-4)
    assert len(payload["regions"]) == len(payload["series"]) == 4


def test_regions_add_up_to_the_total(page):
    _, payload = read(page)
    parts = np.sum([block["parts"] for block in payload["series"][1:]], axis=0)
    assert_allclose(parts, payload["series"][0]["parts"], rtol=1e-3, atol=1e-6)


def test_plans_spend_their_budgets(world, page):
    model, _, _ = world
    _, payload = read(page)
    plan = payload["plan"]
    assert_allclose(np.sum(plan["spend"], axis=1), plan["budget"], rtol=2e-3)
    middle = len(plan["budget"]) // 2
    alone = model.optimize_budget(plan["budget"][middle])
    assert plan["outcome"][middle] == pytest.approx(alone.outcome, rel=1e-3)
    assert plan["current"] == pytest.approx(model.channel_summary()["spend"].sum())


def test_summary_says_how_much_media_caused(world, page):
    model, X, _ = world
    reader, _ = read(page)
    share = model.channel_summary()["contribution"].sum() / model.predict(X).sum()
    said = " ".join(reader.text)
    assert f"or {percent(share)}; with 90% probability it is" in said


def test_holdout_and_skill_are_shown(world, tmp_path):
    model, X, y = world
    last = X["week"] >= np.unique(X["week"])[-10]
    held_out = clone(model).set_params(n_draws=0, graph=None).fit(X[~last], y[~last])
    keys = {"region": "region", "time": "week"}
    skill = rolling_skill(
        {"seasonal": LastValueRegressor(**keys), "<b>last": LastValueRegressor(**keys)},
        X,
        y,
        cv=PanelTimeSeriesSplit(2, test_size=8, time="week"),
        naive=LastValueRegressor(**keys),
    )
    path = make_report(
        held_out,
        X[~last],
        y[~last],
        tmp_path / "report.html",
        X_test=X[last],
        y_test=y[last],
        skill=skill.assign(origin=skill["split"].map({0: "May", 1: "June"})),
    )
    reader, payload = read(path)
    assert len(payload["times"]) == payload["nFitted"] + 10 == 60
    assert payload["series"][0]["parts"][0][-1] is None
    assert payload["skill"]["origins"] == ["May", "June"]
    assert payload["skill"]["contenders"] == ["seasonal", "<b>last"]
    assert "b" not in reader.tags
    assert "holdout" in reader.text
    assert payload["graph"] is None


def test_one_series_without_draws(national, tmp_path):
    reader, payload = read(make_report(*national, tmp_path / "report.html"))
    said = " ".join(reader.text)
    assert "no interval without draws" in said
    assert "Fit again with n_draws=32" in said
    assert "cost of a unit is not known" in said
    assert payload["band"] is None
    assert payload["ranking"] is None
    assert payload["money"] is False
    assert len(payload["series"]) == 1


def test_costs_of_some_channels_only_make_no_plan(series, tmp_path):
    model = DeepCausalMMMRegressor(
        time="week",
        media=series.media,
        media_cost={series.media[0]: 2.0},
        n_draws=0,
        max_lag=5,
        max_iter=10,
        graph=None,
        random_state=0,
    )
    model.fit(series.X, series.y)
    reader, payload = read(
        make_report(model, series.X, series.y, tmp_path / "report.html")
    )
    assert payload["plan"] is None
    assert "#plan" not in reader.references


def test_same_model_same_bytes(national, tmp_path):
    first, second = (
        make_report(*national, tmp_path / name).read_bytes() for name in ("a", "b")
    )
    assert first == second


def test_title_and_callback(national, tmp_path):
    said = []
    path = make_report(
        *national, tmp_path / "report.html", title="Q3 <review>", callback=said.append
    )
    assert "<title>Q3 &lt;review&gt;</title>" in path.read_text(encoding="utf-8")
    assert said == ["fit", "contributions", "response curves", "plans"]


def test_many_regions_keep_the_file_small(world, tmp_path, monkeypatch):
    monkeypatch.setattr("skmmm.report._payload._MOST_NUMBERS", 60 * 6 * 2)
    _, payload = read(make_report(*world, tmp_path / "report.html"))
    assert len(payload["series"]) == len(payload["regions"]) == 3
    assert payload["regionsLeftOut"] == 1
    _, X, y = world
    size = y.groupby(X["region"].to_numpy()).sum().sort_values(ascending=False)
    assert payload["regions"][1:] == list(size.index[:2])


def test_refuses_other_estimators(national, tmp_path):
    _, X, y = national
    with pytest.raises(TypeError, match="needs a DeepCausalMMMRegressor, got Ridge"):
        make_report(Ridge(), X, y, tmp_path / "report.html")


def test_refuses_what_is_not_fitted(national, tmp_path):
    model, X, y = national
    with pytest.raises(NotFittedError):
        make_report(clone(model), X, y, tmp_path / "report.html")


def test_refuses_rows_without_time(series, tmp_path):
    model = DeepCausalMMMRegressor(media=series.media, n_draws=0, max_iter=5)
    model.fit(series.X[series.media], series.y)
    with pytest.raises(ValueError, match="this one has time=None"):
        make_report(model, series.X, series.y, tmp_path / "report.html")


def test_refuses_a_model_without_media(national, tmp_path):
    model, X, y = national
    model = clone(model).set_params(media=[]).fit(X, y)
    with pytest.raises(ValueError, match="the model has no media"):
        make_report(model, X, y, tmp_path / "report.html")


def test_rows_without_spend_are_reported_too(series, national, tmp_path):
    model, X, y = national
    none = X[-12:].assign(**dict.fromkeys(series.media, 0.0))
    reader, payload = read(make_report(model, none, y[-12:], tmp_path / "report.html"))
    assert payload["curves"] == [None, None]
    assert payload["plan"] is None
    assert "#response" not in reader.references


def test_arrays_and_polars_are_reported_too(series, tmp_path):
    polars = pytest.importorskip("polars")
    X = series.X.drop(columns="region").assign(week=range(len(series.X)))
    model = DeepCausalMMMRegressor(time=0, n_draws=0, max_iter=5, max_lag=3, graph=None)
    model.fit(X.to_numpy(), series.y.to_numpy())
    path = make_report(model, X.to_numpy(), series.y.to_numpy(), tmp_path / "a.html")
    assert read(path)[1]["names"] == ["1", "2", "3", "4"]
    frame = polars.DataFrame({name: X[name].to_numpy() for name in X})
    model.set_params(time="week").fit(frame, series.y.to_numpy())
    path = make_report(model, frame, series.y.to_numpy(), tmp_path / "b.html")
    assert read(path)[1]["names"] == [*series.media, *series.controls]


def test_refuses_half_a_holdout(national, tmp_path):
    model, X, y = national
    with pytest.raises(ValueError, match="Pass X_test and y_test together"):
        make_report(model, X, y, tmp_path / "report.html", X_test=X)


def test_refuses_a_holdout_that_comes_before(national, tmp_path):
    model, X, y = national
    with pytest.raises(ValueError, match="The holdout must come after X"):
        make_report(model, X, y, tmp_path / "report.html", X_test=X, y_test=y)


def test_says_what_is_missing_without_plotly(national, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=r"pip install 'skmmm\[report\]'"):
        make_report(*national, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
