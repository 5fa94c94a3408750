"""What scikit-learn asks of every estimator, and the tools around one."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version

from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm.graph import StructuralVAR, _demand
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.preprocessing import PanelScaler, RegionEncoder

pytestmark = pytest.mark.usefixtures("short_chains", "short_search")

EXCHANGEABLE = [
    DeepCausalMMMRegressor(n_draws=2, max_iter=20),
    DeepCausalMMMRegressor(loss="student_t", adstock="weibull", n_draws=0, max_iter=8),
    DeepCausalMMMRegressor(adstock="free", n_draws=2, max_iter=4),
    DeepCausalMMMRegressor(adstock="gru", n_draws=2, max_iter=4),
]


class OrderedRows(DeepCausalMMMRegressor):
    """Takes rows for periods: the data of the common checks have no time column."""

    def _read_training(self, X, y):
        rows = super()._read_training(X, y)
        self._calendar = infer_calendar(pd.Series(rows.period), "position")
        return rows

    def _read_rows(self, frame):
        return super()._read_rows(frame)._replace(period=np.arange(len(frame)))


ORDERED = [
    OrderedRows(
        max_lag=3,
        n_draws=2,
        max_iter=2,
        graph=StructuralVAR(max_lag=1, n_bootstraps=1),
    ),
]
_ORDER_MATTERS = {
    "check_methods_subset_invariance": "a batch lacks the spend of the rows before it",
    "check_methods_sample_order_invariance": "spend carries over to the rows after it",
    "check_fit_score_takes_y": "partial_fit does not take rows of periods twice",
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight zero still has spend that carries over, and a repeated row is "
        "another period of spend"
    ),
}


@pytest.fixture(scope="module")
def short_search():
    """A graph costs little; which one it is does not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_demand, "N_ROUNDS", 3)
        yield


@parametrize_with_checks(EXCHANGEABLE)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:The spend of")  # tables of noise
@parametrize_with_checks(
    ORDERED, expected_failed_checks=lambda estimator: _ORDER_MATTERS
)
def test_common_checks_with_carry_over(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [check_param_validation, check_dataframe_column_names_consistency],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("estimator", [EXCHANGEABLE[1], ORDERED[0]], ids=repr)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, estimator)


def test_no_transformer():
    # The other checks that check_estimator leaves out are about these.
    for name in ("transform", "set_output", "get_feature_names_out"):
        assert not hasattr(DeepCausalMMMRegressor(), name)


# --- parameters and copies ----------------------------------------------------------


def test_parameters(fast):
    model = DeepCausalMMMRegressor(**fast)
    assert model.get_params() == DeepCausalMMMRegressor().get_params() | fast
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert model.set_params(adstock="delayed", max_lag=3) is model
    assert (model.adstock, model.max_lag) == ("delayed", 3)
    with pytest.raises(ValueError, match="Invalid parameter 'lag' for estimator"):
        model.set_params(lag=3)


def test_fit_leaves_parameters_alone(panel, fast):
    model = DeepCausalMMMRegressor(**fast)
    before = {name: id(value) for name, value in model.get_params().items()}
    assert model.fit(panel.X, panel.y) is model
    assert {name: id(value) for name, value in model.get_params().items()} == before


def test_repr():
    assert repr(DeepCausalMMMRegressor()) == "DeepCausalMMMRegressor()"
    model = DeepCausalMMMRegressor(time="week", region="geo", max_lag=8)
    assert repr(model) == "DeepCausalMMMRegressor(max_lag=8, region='geo', time='week')"
    assert "max_lag" in model._repr_html_()


@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_persistence(panel, fitted, how):
    if how == "pickle":
        restored = pickle.loads(pickle.dumps(fitted))
    else:
        buffer = io.BytesIO()
        joblib.dump(fitted, buffer)
        buffer.seek(0)
        restored = joblib.load(buffer)
    for method in ("predict", "predict_interval", "contributions", "channel_summary"):
        assert_array_equal(
            getattr(restored, method)(panel.X), getattr(fitted, method)(panel.X)
        )


def test_tags():
    tags = get_tags(DeepCausalMMMRegressor())
    assert is_regressor(DeepCausalMMMRegressor())
    assert tags.target_tags.required
    assert not tags.non_deterministic
    assert not tags.input_tags.allow_nan
    # Media cannot be negative, controls can.
    assert tags.input_tags.positive_only
    controls = DeepCausalMMMRegressor(controls=["price"])
    assert not get_tags(controls).input_tags.positive_only


def test_feature_names(panel, fitted):
    assert_array_equal(fitted.feature_names_in_, panel.X.columns)
    assert fitted.n_features_in_ == panel.X.shape[1]
    array = panel.X[panel.media].to_numpy()
    model = DeepCausalMMMRegressor(n_draws=0, max_iter=2).fit(array, panel.y)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == len(panel.media)


# --- pipelines, metadata and searches -----------------------------------------------


def test_pipeline_of_scaler_and_encoder_changes_nothing(panel, fast):
    # Scales are learned inside `fit`, so scaling before it is undone.
    bare = DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    pipeline = make_pipeline(
        PanelScaler(columns=panel.media, region="region", time="week"),
        RegionEncoder(region="region"),
        DeepCausalMMMRegressor(**fast),
    ).fit(panel.X, panel.y)
    assert_allclose(pipeline.predict(panel.X), bare.predict(panel.X), rtol=1e-6)
    assert pipeline.score(panel.X, panel.y) == pytest.approx(
        bare.score(panel.X, panel.y), rel=1e-6
    )


def test_sample_weight_is_routed(panel, fast):
    X, y = panel.X, panel.y
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(X))
    alone = DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=weight)
    unweighted = DeepCausalMMMRegressor(**fast).fit(X, y)
    assert not np.allclose(unweighted.predict(X), alone.predict(X))
    with sklearn.config_context(enable_metadata_routing=True):
        model = DeepCausalMMMRegressor(**fast).set_fit_request(sample_weight=True)
        encoder = RegionEncoder(region="region")
        pipeline = make_pipeline(encoder, model).fit(X, y, sample_weight=weight)
        assert_allclose(pipeline.predict(X), alone.predict(X), rtol=1e-9)
        model.set_score_request(sample_weight=True)
        pipeline = make_pipeline(encoder, model).fit(X, y, sample_weight=weight)
        assert pipeline.score(X, y, sample_weight=weight) == pytest.approx(
            alone.score(X, y, sample_weight=weight)
        )


def test_grid_search_in_two_processes(panel, fast):
    search = GridSearchCV(
        DeepCausalMMMRegressor(**fast | {"n_draws": 0}),
        {"max_lag": [0, 5]},
        cv=PanelTimeSeriesSplit(2, test_size=6, time="week"),
        n_jobs=2,
        scoring="neg_mean_absolute_error",
    ).fit(panel.X, panel.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    alone = DeepCausalMMMRegressor(**fast | search.best_params_ | {"n_draws": 0})
    assert_allclose(
        search.predict(panel.X), alone.fit(panel.X, panel.y).predict(panel.X)
    )


def test_cross_validation_that_splits_a_week(panel, fast):
    # Rows are sorted by week; 50 is no multiple of 3 regions.
    cv = TimeSeriesSplit(2, test_size=50)
    train, test = next(cv.split(panel.X))
    assert panel.X["week"].iloc[train[-1]] == panel.X["week"].iloc[test[0]]
    scores = cross_validate(
        DeepCausalMMMRegressor(**fast),
        panel.X,
        panel.y,
        cv=cv,
        scoring="neg_mean_absolute_percentage_error",
        error_score="raise",
    )
    assert (scores["test_score"] > -0.5).all()


# --- progress -----------------------------------------------------------------------


def test_verbose_prints_the_loss(panel, fast, capsys):
    DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    assert capsys.readouterr().out == ""
    model = DeepCausalMMMRegressor(**fast, verbose=5).fit(panel.X, panel.y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ // 10
    assert lines[0] == f"iteration 10: loss {model.loss_curve_[9]:.6f}"


needs_callbacks = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn has callbacks since 1.9",
)


@needs_callbacks
def test_scoring_monitor(panel, fast):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="r2")
    point = fast | {"n_draws": 0}  # what callbacks see is the mode
    model = DeepCausalMMMRegressor(**point).set_callbacks(monitor)
    model.fit(panel.X, panel.y)
    plain = DeepCausalMMMRegressor(**point).fit(panel.X, panel.y)
    assert_array_equal(model.predict(panel.X), plain.predict(panel.X))
    log = monitor.get_logs(select="most_recent").data_as_pandas
    by_iteration = log[log["task_name"] == "iteration"].sort_values("task_id")
    assert len(by_iteration) == model.n_iter_
    assert by_iteration["r2"].nunique() > 1
    whole = log[log["task_name"] == "fit"]["r2"].item()
    assert whole == pytest.approx(model.score(panel.X, panel.y), rel=1e-6)


@needs_callbacks
def test_progress_bar(panel, fast, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    model = DeepCausalMMMRegressor(**fast).set_callbacks(ProgressBar())
    model.fit(panel.X, panel.y)
    assert "DeepCausalMMMRegressor - fit" in capsys.readouterr().out


@needs_callbacks
def test_callback_stops_the_fit(panel, fast):
    class StopEarly:
        def setup(self, estimator, context):
            self.n_done = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            self.n_done += context.task_name == "iteration"
            return self.n_done == 7

    model = DeepCausalMMMRegressor(**fast).set_callbacks(StopEarly())
    model.fit(panel.X, panel.y)
    assert model.n_iter_ == len(model.loss_curve_) == 7
    assert np.isfinite(model.predict(panel.X)).all()
