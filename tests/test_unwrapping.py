"""Searches and pipelines are asked as the model inside, as it was fitted."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmmm import DeepCausalMMMRegressor
from skmmm._unwrapping import unwrap
from skmmm.allocation import optimize_budget
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import channel_summary
from skmmm.plotting import (
    AdstockDisplay,
    BaselineDisplay,
    ContributionsDisplay,
    EffectivenessDisplay,
    ExperimentsDisplay,
    FitDisplay,
    HiddenDemandDisplay,
    HoldoutDisplay,
    PaybackDisplay,
    ResidualsDisplay,
    SaturationDisplay,
    WaterfallDisplay,
)
from skmmm.plotting._rows import rows_over_time
from skmmm.report import make_report
from skmmm.report._content import read_content

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("short_chains"),
]


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(1, 60, n_media=2, random_state=0)


@pytest.fixture(scope="module")
def model(world):
    """Region and time by position; not to be changed."""
    places = {name: i for i, name in enumerate(world.X)}
    assert places["region"] == 0
    model = DeepCausalMMMRegressor(
        region=0,
        time=places["week"],
        controls=world.controls,
        media_cost={"media_1": 12.5, "media_2": 2.0},
        max_lag=3,
        n_draws=4,
        max_iter=5,
        graph=None,
        random_state=0,
    )
    return model.fit(world.X, world.y)


@pytest.fixture(scope="module")
def search(model):
    search = GridSearchCV(model, {"max_lag": [3]})
    search.best_estimator_ = model
    return search


def wrapped(model, search):
    pipeline = make_pipeline("passthrough", model)
    return [
        search,
        make_pipeline(model),
        pipeline,
        make_pipeline("passthrough", search),
    ]


def test_what_is_inside():
    model = LinearRegression()
    search = GridSearchCV(make_pipeline("passthrough", model), {})
    assert unwrap(model).model is model
    assert unwrap(search).model is search  # not fitted
    search.best_estimator_ = search.estimator
    outer = make_pipeline("passthrough", make_pipeline(search))
    inside = unwrap(outer)
    assert inside.model is model
    assert len(inside.steps) == 2
    assert inside.rows("X") == "X"


def test_pictures_over_time(model, search, world, pyplot):
    X, y = world.X, world.y
    early, late = slice(0, 50), slice(50, None)
    for asked in wrapped(model, search):
        rows = rows_over_time(asked, X, y, confidence_level=0.9)
        assert_frame_equal(rows, rows_over_time(model, X, y, confidence_level=0.9))
        assert rows["low"].notna().all()
        series = FitDisplay.from_estimator(asked, X, y).series
        assert_frame_equal(series, FitDisplay.from_estimator(model, X, y).series)
        ResidualsDisplay.from_estimator(asked, X, y)
        HoldoutDisplay.from_estimator(
            asked, X[early], y[early], X_test=X[late], y_test=y[late]
        )
        pyplot.close("all")


def test_other_pictures_of_a_search(search, pyplot):
    for display in (
        AdstockDisplay,
        BaselineDisplay,
        ContributionsDisplay,
        EffectivenessDisplay,
        ExperimentsDisplay,
        HiddenDemandDisplay,
        PaybackDisplay,
        SaturationDisplay,
        WaterfallDisplay,
    ):
        display.from_estimator(search)
        pyplot.close("all")


def test_plans_for_coming_periods(model, search):
    expected = optimize_budget(model, horizon=4)
    for asked in (search, make_pipeline(model)):
        assert_frame_equal(channel_summary(asked), channel_summary(model))
        plan = optimize_budget(asked, horizon=4)
        assert_frame_equal(plan.allocation, expected.allocation)
    with pytest.raises(ValueError, match="which Pipeline does not: pass X="):
        optimize_budget(make_pipeline("passthrough", model), horizon=4)


# --- parameters that are set after the fit -------------------------------------------


@pytest.fixture
def changed(model):
    changed = copy.copy(model)
    return changed.set_params(
        media=["price"],
        controls=None,
        region=None,
        time="media_1",
        max_lag=7,
        media_cost=99.0,
        n_draws=0,
        graph="svar",
    )


def test_reports_are_about_the_fit(model, changed, world, tmp_path):
    pytest.importorskip("plotly")
    pages = [
        make_report(asked, world.X, world.y, tmp_path / "page").read_bytes()
        for asked in (model, changed)
    ]
    assert pages[0] == pages[1]
    told = {"skill": None, "level": 0.9, "tell": lambda step: None}
    content = read_content(changed, world.X, world.y, None, None, **told)
    assert content.graph is None
    settings = dict(content.settings)
    assert settings["max_lag"] == "3"
    assert " in 1 region, " in settings["Training rows"]


def test_questions_are_about_the_fit(model, changed, world):
    scenarios = {"as it was": world.X, "more": world.X.assign(media_1=9.0)}
    assert_frame_equal(
        changed.compare_scenarios(scenarios), model.compare_scenarios(scenarios)
    )
    rows = [
        rows_over_time(asked, world.X, world.y, confidence_level=0.9)
        for asked in (model, changed)
    ]
    assert_frame_equal(*rows)


def test_files_hold_the_fit(model, changed, world, tmp_path):
    paths = [tmp_path / "model", tmp_path / "changed"]
    for asked, path in zip((model, changed), paths, strict=True):
        asked.save(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    loaded = DeepCausalMMMRegressor.load(paths[1])
    assert loaded.get_params() == model.get_params()
    loaded.set_params(max_lag=9, unseen_region="average").save(paths[1])
    again = DeepCausalMMMRegressor.load(paths[1])
    assert (again.max_lag, again.unseen_region) == (3, "average")
    assert_allclose(again.predict(world.X), model.predict(world.X))


def test_the_next_fit_has_the_parameters_that_were_set(world, tmp_path):
    costs = {"media_1": 2.0}
    model = DeepCausalMMMRegressor(
        controls=world.controls,
        region="region",
        time="week",
        media_cost=costs,
        max_lag=2,
        n_draws=0,
        max_iter=1,
        graph=None,
    ).fit(world.X, world.y)
    costs["media_1"] = 3.0
    model.save(tmp_path / "model")
    load = DeepCausalMMMRegressor.load
    assert load(tmp_path / "model").media_cost == {"media_1": 2.0}
    model.set_params(max_lag=3).fit(world.X, world.y).save(tmp_path / "model")
    assert load(tmp_path / "model").max_lag == 3
    assert load(tmp_path / "model").media_cost == {"media_1": 3.0}


# --- lengths -------------------------------------------------------------------------


def test_rows_and_kpi_must_be_as_many(model, world, tmp_path, pyplot):
    pytest.importorskip("plotly")
    X, y = world.X, np.asarray(world.y)
    message = "X has 60 rows, but y has 59"
    with pytest.raises(ValueError, match=message):
        make_report(model, X, y[:-1], tmp_path / "page")
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(model, X, y[:-1], region="region_1")
    with pytest.raises(ValueError, match="X_test has 10 rows, but y_test has 60"):
        HoldoutDisplay.from_estimator(model, X[:50], y[:50], X_test=X[50:], y_test=y)
