"""The report: numbers and settings in words, and panels out of the ordinary."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from pages import read
from skmmm import DeepCausalMMMRegressor
from skmmm.metrics import weighted_mape

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.graph import StructuralVAR
from skmmm.report import make_report
from skmmm.report._content import read_content
from skmmm.report._payload import numbers, to_json
from skmmm.report._phrases import aligned
from skmmm.report._settings import in_words, parameters_in_words
from skmmm.report._words import media_caused, missing_rows, pays, why_open

pytestmark = pytest.mark.usefixtures("short_chains")


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


def test_a_short_series_is_planned_as_far_as_it_reaches(series, tmp_path):
    X = series.X.drop(columns="region").assign(week=range(len(series.X)))[25:34]
    y = series.y[25:34]
    model = DeepCausalMMMRegressor(
        media=series.media[1:], time="week", max_lag=2, n_draws=0, max_iter=5
    ).fit(X[["week", series.media[1]]], y)
    _, payload = read(
        make_report(model, X[["week", series.media[1]]], y, tmp_path / "r")
    )
    assert payload["plan"]["times"] == list(range(34, 43))
    assert payload["plan"]["unchanged"].startswith("as in the last periods")


def test_refuses_rows_without_time(series, tmp_path):
    model = DeepCausalMMMRegressor(media=series.media, n_draws=0, max_iter=5)
    model.fit(series.X[series.media], series.y)
    with pytest.raises(ValueError, match="this one has time=None"):
        make_report(model, series.X, series.y, tmp_path / "report.html")


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


def test_hidden_demand_is_told_where_there_is_one(chased, fitted, panel, tmp_path):
    X = chased.effects().frame
    path = make_report(chased, X, panel.y, tmp_path / "chased.html")
    _, payload = read(path)
    loading = chased.hidden_demand().attrs["loading"]
    assert_allclose(payload["demand"]["local"], list(loading["local"].values()), 1e-4)
    text = path.read_text(encoding="utf-8")
    assert 'id="chart-demand"' in text
    assert "is what spend does beyond it" in text
    assert "Demand that no column shows" in text  # on the first page
    path = make_report(fitted, panel.X, panel.y, tmp_path / "none.html")
    assert read(path)[1]["demand"] is None
    text = path.read_text(encoding="utf-8")
    assert 'id="chart-demand"' not in text
    assert "Demand that no column shows" not in text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([19e6, 6.34e6, 12.3e6], ["19.0 M", "6.3 M", "12.3 M"]),
        ([2.0, 0.879, 1.5], ["2.00", "0.88", "1.50"]),
        ([0.0, np.nan, 25.0], ["0.0", "–", "25.0"]),
        ([999_600.0, 1e4], ["1.000 M", "0.010 M"]),
        ([1e6, 1.0], ["1 M", "1"]),
        ([np.nan], ["–"]),
    ],
)
def test_numbers_of_a_column_stand_below_each_other(values, texts):
    write = aligned(values)
    found = [write(value).replace("\u2009", " ") for value in values]
    assert found == texts


@pytest.mark.parametrize(
    ("verdicts", "n_groups", "told"),
    [
        (["data-driven", "not identified"], 0, True),
        (["not identified", "not identified"], 1, True),
        (["not identified", "prior-driven"], 0, False),
        ([None, None], 0, True),
    ],
)
def test_a_total_of_which_nothing_is_known_is_no_headline(verdicts, n_groups, told):
    content = Bunch(
        media=(14.0, 1.0, 41.0),
        predicted=100.0,
        kpi="sales",
        level=0.9,
        summary=pd.DataFrame({"verdict": pd.Series(verdicts, dtype=object)}),
        groups=pd.DataFrame(index=range(n_groups)),
    )
    said = media_caused(content)
    assert "with 90% probability it is 1.0% to 41%" in said
    assert said.startswith("Of 100 sales, media caused 14, or 14%") == told
    assert ("the data do not tell" in said) != told


def test_missing_rows_are_counted():
    content = Bunch(n_missing=1, regional=False, period="week")
    said = missing_rows(content)
    assert said == "Between the first and the last week, 1 row is missing."
    many = missing_rows(Bunch(**content | {"n_missing": 1200, "regional": True}))
    assert many.endswith("1,200 rows are missing (one row is one region and period).")
    assert missing_rows(Bunch(**content | {"n_missing": 0})).startswith("No row is")


@pytest.mark.parametrize(
    ("low", "high", "priced", "open_"),
    [
        (0.8, 1.2, True, True),
        (1.1, 1.5, True, False),
        (0.1, 0.9, True, False),
        (0.8, 1.2, False, False),
        (np.nan, np.nan, True, False),
    ],
)
def test_roi_around_break_even_is_said(low, high, priced, open_):
    said = pays(Bunch(roi_low=low, roi_high=high), Bunch(priced=priced))
    assert (
        "if the KPI is money, the data do not tell whether it earned" in said
    ) is open_


@pytest.mark.parametrize(
    ("found", "reverse", "n_regions", "why"),
    [
        (0.0, 0.1, 12, "the reverse is found in 10%"),
        (0.3, 0.0, 12, "found too often to rule out"),
        (0.0, 0.0, 12, "too few rows"),
        (0.0, 0.0, 1, "with one region"),
    ],
)
def test_why_a_pair_is_open(found, reverse, n_regions, why):
    names = ["tv", "search"]
    table = pd.DataFrame([[0.0, found], [reverse, 0.0]], names, names)
    verdict = pd.DataFrame([["", "undecided"], ["undecided", ""]], names, names)
    graph = Bunch(probability=table, verdict=verdict, n_regions=n_regions)
    assert why_open(graph, "tv", "search").startswith(why)


def test_settings_of_the_graph_are_told():
    graph = StructuralVAR(n_bootstraps=4, tiers=[["tv"], ["search"]])
    said = dict(
        parameters_in_words({"graph": graph, "max_lag": 13}, DeepCausalMMMRegressor())
    )
    assert said["graph"] == "StructuralVAR"
    assert said["graph__n_bootstraps"] == "4"
    assert said["graph__tiers"] == "((tv), (search))"
    assert said["graph__max_lag"] == "2 (default)"
    assert said["max_lag"] == "13 (default)"
    usual = parameters_in_words({"graph": "svar"}, DeepCausalMMMRegressor())
    assert usual == [("graph", "svar (default)")]


def test_settings_are_the_same_text_in_every_run():
    assert in_words(np.random.RandomState(3)) == "RandomState"
    priors = {"tv": {"roi": (2.0, np.float64(3.5))}}
    assert in_words(priors) == "tv: roi: (2, 3.5)"
    assert in_words({}) == "none"


def test_channels_and_controls_called_like_our_labels(series, tmp_path):
    media = ["baseline and controls", "predicted"]
    controls = ["level", "total"]
    names = dict(
        zip([*series.media, *series.controls], [*media, *controls], strict=True)
    )
    X = series.X.rename(columns=names)
    model = DeepCausalMMMRegressor(
        media=media,
        controls=controls,
        region="region",
        time="week",
        max_lag=3,
        n_draws=4,
        max_iter=8,
        random_state=0,
    ).fit(X, series.y)
    _, payload = read(make_report(model, X, series.y, tmp_path / "report.html"))
    assert payload["names"] == media
    assert len(set(payload["baseNames"])) == len(payload["baseNames"])
    assert payload["waterfall"]["total"] == "predicted (model)"


def test_rows_that_fit_left_out_are_no_errors(panel):
    first = panel.X["region"] == panel.X["region"].iloc[0]
    weeks = panel.X["week"].rank(method="dense")
    closed = (first & weeks.between(10, 22)).to_numpy()
    X, y = panel.X.copy(), panel.y.mask(closed, 0.0)
    X.loc[closed, panel.media] = 0.0
    model = DeepCausalMMMRegressor(
        media=panel.media, region="region", time="week", max_lag=3, n_draws=0
    )
    with pytest.warns(UserWarning, match="close to zero"):
        model.set_params(max_iter=30, graph=None, random_state=0).fit(X, y)
    content = read_content(
        model, X, y, None, None, skill=None, level=0.9, tell=lambda step: None
    )
    learned = y[~closed], model.predict(X)[~closed]
    assert_allclose(content.scores.loc["fitted", "wmape"], weighted_mape(*learned))
    assert len(content.residuals) == len(y) - closed.sum()
    assert len(content.cells) == len(y)
