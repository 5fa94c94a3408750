"""One fit per group: the same as a loop of fits, as scikit-learn expects it."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version

from grouped_tables import CELLS, LINEAR, MEDIA, QUICK, own_rows
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.inspection import channel_summary, contributions

pytestmark = pytest.mark.usefixtures("short_chains")

needs_callbacks = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn has callbacks since 1.9",
)

# --- fit and predict ----------------------------------------------------------------


def test_is_a_loop_of_single_fits(table, grouped):
    X, y = table
    assert grouped.groups_ == sorted(CELLS) == list(grouped.estimators_)
    assert grouped.failures_ == {}
    predicted, parts = grouped.predict(X), grouped.contributions(X)
    together = grouped.channel_summary(X)
    assert_array_equal(parts.index, X.index)
    assert_allclose(parts.sum(axis=1), predicted)
    for key in CELLS:
        mask, rows = own_rows(X, key)
        alone = clone(QUICK).fit(rows, y[mask])
        assert_array_equal(predicted[mask], alone.predict(rows))
        pd.testing.assert_frame_equal(parts[mask], alone.contributions(rows))
        pd.testing.assert_frame_equal(
            together.loc[key], alone.channel_summary(rows), rtol=1e-12
        )
        curve = grouped.response_curve((*key, "media_2"), X)
        for name, values in alone.response_curve("media_2", rows).items():
            assert_allclose(curve[name], values, rtol=1e-12)


def test_training_rows_are_remembered(table, grouped):
    X, _ = table
    for ask in (channel_summary, contributions):
        pd.testing.assert_frame_equal(ask(grouped), ask(grouped, X), rtol=1e-9)
    with pytest.raises(ValueError, match=r"brand 'a', market 'n': .* pass X"):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(*table).channel_summary()


def test_processes_change_nothing(table, linear):
    X, y = table
    two = GroupedRegressor(LINEAR, ["brand", "market"], n_jobs=2).fit(X, y)
    assert_array_equal(two.predict(X), linear.predict(X))


def test_weights_are_those_of_the_rows(table):
    X, y = table
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(X))
    model = GroupedRegressor(LinearRegression(), "market").fit(
        X[[*MEDIA, "market"]], y, sample_weight=weight
    )
    own = (X["market"] == "s").to_numpy()
    alone = LinearRegression().fit(X.loc[own, MEDIA], y[own], weight[own])
    assert_array_equal(model.estimators_["s"].coef_, alone.coef_)


def test_a_group_may_hold_regions(table):
    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0})
    model.set_params(region="market")
    found = GroupedRegressor(model, "brand").fit(X, y)
    assert found.groups_ == ["a", "b"]
    assert_array_equal(found.estimators_["a"].regions_, ["n", "s"])
    # A column in `by` that the estimator calls its region is shown to it.
    alone = GroupedRegressor(model, ["brand", "market"]).fit(X, y)
    assert_array_equal(alone.estimators_["a", "s"].regions_, ["s"])
    by_region = channel_summary(found, X, by="region")
    assert by_region.index.names == ["brand", "channel", "region"]
    pd.testing.assert_frame_equal(
        by_region.loc["a"],
        channel_summary(
            found.estimators_["a"],
            X[X["brand"] == "a"].drop(columns="brand"),
            by="region",
        ),
        rtol=1e-12,
    )
    assert (by_region.loc["b", :, "s"]["spend"] == 0).all()  # has no such market


def test_arrays(table):
    X, y = table
    values = X[["market", *MEDIA]].assign(market=X["market"] == "s").to_numpy(float)
    model = GroupedRegressor(LinearRegression(), 0).fit(values, y)
    assert model.groups_ == [0.0, 1.0]
    assert not hasattr(model, "feature_names_in_")
    own = values[:, 0] == 1.0
    alone = LinearRegression().fit(values[own, 1:], y[own])
    assert_allclose(model.predict(values)[own], alone.predict(values[own, 1:]))
    assert model.n_features_in_ == 3


def test_unknown_and_missing_groups(table, linear):
    X, y = table
    assert_array_equal(linear.feature_names_in_, X.columns)
    with pytest.raises(ValueError, match="did not see: brand 'c', market 'n'"):
        linear.predict(X.assign(brand="c", market="n"))
    gap = X.assign(market=X["market"].where(np.arange(len(X)) != 7))
    with pytest.raises(ValueError, match="column 'market' is missing in row 7"):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(gap, y)
    mixed = X.assign(brand=[1 if brand == "a" else (2,) for brand in X["brand"]])
    with pytest.raises(ValueError, match="'brand' mixes values"):
        GroupedRegressor(LINEAR, "brand").fit(mixed, y)
    for by, message in ([], "names no column"), ("shop", "by='shop' is not a column"):
        with pytest.raises(ValueError, match=message):
            GroupedRegressor(LINEAR, by).fit(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        GroupedRegressor(LINEAR, "brand").fit(X, None)


def test_failures(table):
    X, y = table
    bad = X.assign(media_1=X["media_1"].where(X["market"] == "n"))
    with pytest.raises(
        ValueError, match=r"^brand 'a', market 's': Input X contains NaN"
    ):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(bad, y)
    model = GroupedRegressor(LINEAR, ["brand", "market"], error_score=np.nan)
    with pytest.warns(FitFailedWarning, match="1 of 3 fits failed. brand 'a', market"):
        model.fit(bad, y)
    assert list(model.failures_) == [("a", "s")]
    assert "ValueError: Input X contains NaN" in model.failures_["a", "s"]
    assert model.groups_ == sorted(CELLS)
    failed = (X["market"] == "s").to_numpy()
    assert_array_equal(np.isnan(model.predict(X)), failed)
    model.set_params(error_score="raise")  # is of the next fit
    assert_array_equal(np.isnan(model.predict(X)), failed)
    model.set_params(error_score=np.nan)
    with pytest.warns(UserWarning, match="Left out, as their fits failed: brand 'a'"):
        summary = model.channel_summary(X)
    assert list(summary.index.unique("market")) == ["n"]
    with pytest.warns(UserWarning, match="Left out"):
        assert_array_equal(model.contributions(X).index, X.index[~failed])
    with pytest.raises(ValueError, match="fits of all groups of X failed"):
        model.channel_summary(X[failed])
    with pytest.raises(ValueError, match="All 3 of 3 fits failed"):
        model.fit(X.assign(media_1=np.nan), y)


def test_a_failed_group_has_no_score(table):
    X, y = table
    bad = X.assign(media_1=X["media_1"].where(X["market"] == "n"))
    model = GroupedRegressor(LINEAR, ["brand", "market"], error_score=np.nan)
    with pytest.warns(FitFailedWarning) as told:
        model.fit(bad, y)
    assert re.search(r"\w\. See failures_\. Rows of these", str(told[0].message))
    with pytest.raises(ValueError, match=r"groups failed: brand 'a', market 's'\. T"):
        model.score(bad, y)
    fine = (bad["market"] == "n").to_numpy()
    assert np.isfinite(model.score(bad[fine], y[fine]))
    rows = bad[["market", *MEDIA]]
    linear = GroupedRegressor(LinearRegression(), "market", error_score=np.nan)
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match="finite error_score"),
    ):
        cross_validate(linear, rows, y, cv=2, error_score="raise")
    with pytest.warns(FitFailedWarning):
        model.set_params(error_score=0.0).fit(bad, y)
    assert np.isfinite(model.score(bad, y))


def test_cheap_things_of_all_groups_come_first(table, monkeypatch):
    X, y = table
    fitted = []

    def fit(self, X, y, sample_weight=None):
        fitted.append(len(X))
        raise ValueError("not that far")

    monkeypatch.setattr(DeepCausalMMMRegressor, "fit", fit)
    short = X["week"].rank(method="dense") <= 9
    kept = ((X["brand"] == "a") | short).to_numpy()
    model = GroupedRegressor(QUICK, ["brand", "market"])
    with pytest.raises(ValueError, match=r"^brand 'b', market 'n': X has 9 periods"):
        model.fit(X[kept], y[kept])
    both = ((X["market"] == "n") & (X["brand"] == "a") | short).to_numpy()
    with pytest.raises(ValueError, match=r"'a', market 's': .* \(Nor can be .*'b', m"):
        model.fit(X[both], y[both])
    assert fitted == []
    model.set_params(error_score=np.nan)
    with pytest.raises(ValueError, match=r"All 3 of 3 fits failed.*X has 9 periods"):
        model.fit(X[kept], y[kept])
    assert fitted == [60, 60]  # the others


def test_names_that_differ_in_spaces(table):
    X, y = table
    stray = X.assign(brand=X["brand"].where(np.arange(len(X)) != 7, X["brand"] + " "))
    with pytest.raises(
        ValueError, match=r"'brand' has '(.)' and '. ', which differ in"
    ):
        GroupedRegressor(LINEAR, "brand").fit(stray, y)


@pytest.mark.parametrize("estimator", [LINEAR, QUICK])
def test_a_channel_is_no_group(table, estimator):
    with pytest.raises(ValueError, match="by names a media column, 'media_1'"):
        GroupedRegressor(estimator, ["brand", "media_1"]).fit(*table)


class Telling(LinearRegression):
    """Warns, and cannot be fitted to some rows."""

    def fit(self, X, y):
        warnings.warn("The KPI is odd.", stacklevel=2)
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_warnings_before_an_error_name_the_group(table, n_jobs):
    X, y = table
    bad = X[["market", *MEDIA]]
    bad = bad.assign(media_1=bad["media_1"].where(bad["market"] == "n"))
    with pytest.warns() as told, pytest.raises(ValueError, match=r"^market 's': Input"):
        GroupedRegressor(Telling(), "market", n_jobs=n_jobs).fit(bad, y)
    assert "market 's': The KPI is odd." in [str(w.message) for w in told]


def test_warnings_come_once(table):
    X, y = table
    with pytest.warns() as told:
        GroupedRegressor(QUICK, ["brand", "market"]).fit(X, y)
    (said,) = [w for w in told if w.category is ConvergenceWarning]
    assert "brand 'a', market 'n'; brand 'a', market 's'" in str(said.message)
    assert "3 of 3 groups" in str(said.message)
    assert said.filename == __file__


# --- scikit-learn -------------------------------------------------------------------


class OneGroup(GroupedRegressor):
    """All rows are one group: tables of the common checks have no column for it."""

    def _read_by(self, frame):
        return []

    def _rows_by_group(self, frame):
        return {"all": np.arange(len(frame))}

    def _name(self, group):
        return group


class OnlyFits:
    """Can be fitted, but not cloned."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


@parametrize_with_checks([OneGroup(LinearRegression(), 0)])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_check_estimator_leaves_out(check):
    check("OneGroup", OneGroup(LinearRegression(), 0))


def test_clone_and_pickle(table, grouped):
    X, _ = table
    copy = clone(grouped)
    assert copy.get_params()["estimator__n_draws"] == 8
    with pytest.raises(NotFittedError):
        copy.predict(X)
    with pytest.raises(NotFittedError):
        copy.channel_summary(X)
    restored = pickle.loads(pickle.dumps(grouped))
    assert_array_equal(restored.predict(X), grouped.predict(X))
    with pytest.raises(ValueError, match="The 'n_jobs' parameter"):
        GroupedRegressor(LINEAR, "brand", n_jobs="two").fit(X, X["price"])
    with pytest.raises(ValueError, match="The 'estimator' parameter"):
        GroupedRegressor(OnlyFits(), "brand").fit(X, X["price"])


def test_a_failed_refit_leaves_the_fit_alone(table, linear):
    X, y = table
    model, before = pickle.loads(pickle.dumps(linear)), linear.predict(X)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X.assign(media_1=np.nan), y)
    assert_array_equal(model.predict(X), before)


def test_searches(table):
    X, y = table
    quick = clone(QUICK).set_params(max_iter=3, max_lag=2, gap="mask")
    model = GroupedRegressor(quick, ["brand", "market"])
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"estimator__n_draws": [0, 2]}, cv=folds)
    search.fit(X, y)
    assert set(search.best_estimator_.estimators_) == set(CELLS)
    assert len(channel_summary(search)) == 6
    linear = GroupedRegressor(LinearRegression(), "brand")
    scores = cross_validate(linear, X[["brand", *MEDIA]], y, cv=folds)
    assert np.isfinite(scores["test_score"]).all()


def test_behind_other_steps_media_are_named(table):
    X, y = table
    frame = X[["brand", *MEDIA]].assign(brand=(X["brand"] == "b") * 1.0)
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, GroupedRegressor(LinearRegression(), "brand"))
    with pytest.raises(ValueError, match="which columns are media"):
        channel_summary(model.fit(frame, y), frame)


@needs_callbacks
def test_callbacks_hear_of_groups(table):
    from sklearn.callback import ScoringMonitor

    X, y = table
    monitor = ScoringMonitor(scoring="r2")
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0, "max_iter": 3})
    model.set_params(region="brand").set_callbacks(monitor)
    GroupedRegressor(model, "market").fit(X, y)
    log = monitor.get_logs(select="most_recent").data_as_pandas
    assert (log["task_name"] == "iteration").sum() == 6


@needs_callbacks
def test_progress_bar(table, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0, "max_iter": 3})
    model = GroupedRegressor(model, ["brand", "market"]).set_callbacks(ProgressBar())
    model.fit(X, y)
    assert "GroupedRegressor - fit" in capsys.readouterr().out
    GroupedRegressor(LINEAR, ["brand", "market"], verbose=1).fit(X, y)
    assert "3 out of   3" in "".join(capsys.readouterr())
