"""Labels of columns that are integers are labels, and positions are positions."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline

from skmmm import DeepCausalMMMRegressor
from skmmm.inspection import channel_summary
from skmmm.plotting import FitDisplay, ResponseCurvesDisplay
from skmmm.scenarios import compare_scenarios, make_future_frame

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("short_chains"),
]
FAST = {"max_lag": 2, "n_draws": 2, "max_iter": 3, "graph": None, "random_state": 0}


@pytest.fixture(scope="module")
def frame():
    """Media, control and time; the labels are not the positions."""
    rng = np.random.default_rng(0)
    values = {1: rng.exponential(size=40), 0: rng.normal(size=40), 2: np.arange(40)}
    return pd.DataFrame(values)


@pytest.fixture(scope="module")
def kpi():
    return np.random.default_rng(1).normal(5.0, 1.0, 40)


@pytest.fixture(scope="module")
def model(frame, kpi):
    model = DeepCausalMMMRegressor(media=[0], controls=[1], time=2, **FAST)
    return model.fit(frame, kpi)


def test_labels_are_values_of_python(model):
    labels = (*model.media_, *model.controls_, model._columns.time)
    assert labels == (1, 0, 2)
    assert {type(label) for label in labels} == {int}


@pytest.mark.parametrize("ask", ["method", "function", "pipeline"])
def test_spend_of_scenarios_is_that_of_the_media(model, frame, ask):
    scenarios = {"a": frame, "b": frame.copy()}
    scenarios["b"][0] = 2.0 * frame[0]
    if ask == "method":
        table = model.compare_scenarios(scenarios)
    else:
        asked = model if ask == "function" else make_pipeline("passthrough", model)
        table = compare_scenarios(asked, scenarios)
    assert_allclose(table["spend"], frame[1].sum())
    assert_allclose(table["difference_spend"], 0.0)
    assert table.loc["b", "difference"] != 0.0


def test_scenarios_that_are_arrays_are_read_by_position(model, frame):
    table = model.compare_scenarios({"a": frame.to_numpy()})
    assert_allclose(table["spend"], frame[1].sum())


def test_coming_periods_are_planned_by_label(model, frame):
    made = model.make_future_frame(2, spend={1: 111.0}, control_values={0: 3.0})
    assert list(made) == [1, 0, 2]
    assert made.to_numpy().tolist() == [[111.0, 3.0, 40.0], [111.0, 3.0, 41.0]]
    with pytest.raises(ValueError, match=r"what channel 1 will .*spend=\{1: "):
        model.make_future_frame(2, spend={0: 111.0}, control_values={0: 3.0})


def test_coming_periods_of_a_table_are_planned_by_label(frame):
    roles = {"media": [0], "controls": [1], "time": 2}
    plan = {"spend": {1: 111.0}, "control_values": {0: 3.0}}
    made = make_future_frame(frame, 1, **roles, **plan)
    assert made.to_numpy().tolist() == [[111.0, 3.0, 40.0]]


def test_periods_of_a_plan_may_be_an_index(model):
    spend = pd.DataFrame({1: [111.0, 222.0]}, index=pd.Index([41, 40]))
    for plan in (spend, spend.rename_axis(2), {1: spend[1]}):
        made = model.make_future_frame(2, spend=plan, control_values={0: 3.0})
        assert made[1].tolist() == [222.0, 111.0]


def test_plans_for_coming_periods(model, frame):
    plan = model.optimize_budget(horizon=2)
    assert list(plan.allocation.index) == [1]
    assert_allclose(plan.allocation["current_spend"], frame[1][-2:].sum())


def test_arrays_with_a_column_that_is_not_used(kpi):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.exponential(size=(40, 5)), np.arange(40)])
    model = DeepCausalMMMRegressor(media=[0, 1], controls=[2], time=5, **FAST)
    model.fit(X, kpi)
    spend = model.optimize_budget(horizon=2).allocation["current_spend"]
    assert_allclose(spend, X[-2:, :2].sum(axis=0))
    controls = {"control_values": "last_periods"}
    made = model.make_future_frame(2, spend="last_periods", **controls)
    assert list(made) == [0, 1, 2, 5]
    assert_allclose(made[[0, 1, 2]], X[-2:, :3])
    assert np.isfinite(model.predict(made)).all()


@pytest.mark.parametrize("channel", [1, np.int64(1), 0])
def test_a_channel_is_a_label_or_else_a_position(model, frame, channel):
    curve = model.response_curve(channel)
    assert_allclose(curve.current_spend, frame[1].sum())
    with pytest.raises(ValueError, match=r"channel names 2, .* media columns \[1\]\."):
        model.response_curve(2)


@pytest.mark.filterwarnings("ignore:The figure layout has changed")
def test_displays_find_columns_by_label(model, frame, kpi, pyplot):
    series = FitDisplay.from_estimator(model, frame, kpi).series
    assert list(series.index) == list(range(40))
    curves = ResponseCurvesDisplay.from_estimator(model).curves
    assert_allclose(curves[1].current_spend, frame[1].sum())
    array = FitDisplay.from_estimator(model, frame.to_numpy(), kpi).series
    pd.testing.assert_frame_equal(array, series)


def test_a_pipeline_is_asked_by_label(model, frame):
    pipeline = make_pipeline("passthrough", model)
    assert_allclose(channel_summary(pipeline, frame)["spend"], [frame[1].sum()])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0.5, 1.5, 2.5], r"0\.5 \(float\)"),
        ([True, False, 2], r"True \(bool\)"),
        (pd.Index([np.float32(1), 0, 2], dtype=object), r"1\.0 \(float\)"),
    ],
)
def test_labels_are_texts_or_integers(frame, kpi, labels, said):
    X = frame.set_axis(labels, axis=1)
    model = DeepCausalMMMRegressor(media=[0], time=2, **FAST)
    with pytest.raises(ValueError, match=f"labelled {said}. Call it by a text or an"):
        model.fit(X, kpi)
    with pytest.raises(ValueError, match=f"labelled {said}. Call it by a text or an"):
        make_future_frame(X, 1, media=[0], controls=[1], time=2)


@pytest.mark.parametrize("labels", [[np.str_("tv"), "x", "t"], [np.int64(7), 3, 1]])
def test_labels_of_numpy_are_taken(frame, kpi, labels, tmp_path):
    X = frame.set_axis(pd.Index(labels, dtype=object), axis=1)
    model = DeepCausalMMMRegressor(media=[0], time=2, **FAST).fit(X, kpi)
    assert {type(label) for label in model._labels} == {type(labels[1])}
    model.save(tmp_path / "model")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.channel_summary(), model.channel_summary())


@pytest.mark.parametrize("key", [0.0, True, None])
def test_columns_are_named_by_name_or_position(frame, kpi, key):
    model = DeepCausalMMMRegressor(media=[key], time=2, **FAST)
    with pytest.raises(ValueError, match=f"media={key} is neither the name nor the po"):
        model.fit(frame, kpi)
