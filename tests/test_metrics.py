"""Metrics: known values, invariances, what they refuse, use as scorers."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)

from skmmm.metrics import (
    interval_coverage,
    make_coverage_scorer,
    make_within_region_r2_scorer,
    naive_skill,
    rolling_skill,
    trimmed_rmse,
    trimmed_rmse_scorer,
    weighted_mape,
    weighted_mape_scorer,
    within_region_r2,
)

POINT_METRICS = {
    "weighted_mape": weighted_mape,
    "trimmed_rmse": lambda y, p, **kw: trimmed_rmse(y, p, trim=0.22, **kw),
    "naive_skill": lambda y, p, **kw: naive_skill(y, p, np.roll(y, 1), **kw),
    "within_region_r2": lambda y, p, **kw: within_region_r2(
        y, p, np.arange(len(y)) % 3, **kw
    ),
    "interval_coverage": lambda y, p, **kw: interval_coverage(
        y, np.asarray(p) - 0.5, np.asarray(p) + 0.5, **kw
    ),
}


class IntervalRegressor(RegressorMixin, BaseEstimator):
    """Predicts the first column, with an interval of the asked level around it."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]

    def predict_interval(self, X, *, confidence_level):
        centre = self.predict(X)
        return np.column_stack([centre - confidence_level, centre + confidence_level])


@pytest.fixture
def predictions():
    rng = np.random.RandomState(0)
    y_true = rng.uniform(1.0, 5.0, 30)
    return y_true, y_true + rng.normal(0.0, 0.7, 30)


@pytest.fixture
def long_table():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(
        {
            "size": np.tile([10.0, 1000.0], 30),
            "spend": rng.uniform(0.0, 5.0, 60),
        }
    )
    y = X["size"] + 3.0 * X["spend"] + rng.normal(0.0, 0.5, 60)
    return X, y


def test_weighted_mape_known_value():
    assert weighted_mape([100.0, 300.0], [110.0, 270.0]) == pytest.approx(0.1)
    assert weighted_mape([-1.0, 1.0], [1.0, 1.0]) == pytest.approx(1.0)
    weighted = weighted_mape([1.0, 2.0], [2.0, 2.0], sample_weight=[3.0, 1.0])
    assert weighted == pytest.approx(3.0 / 5.0)


def test_weighted_mape_does_not_depend_on_the_unit(predictions):
    y_true, y_pred = predictions
    assert_allclose(
        weighted_mape(1e6 * y_true, 1e6 * y_pred), weighted_mape(y_true, y_pred)
    )


@pytest.mark.parametrize("weight", [None, [1.0, 0.0]])
def test_weighted_mape_of_a_zero_kpi(weight):
    with pytest.raises(ValueError, match="all y_true with positive weight are zero"):
        weighted_mape(
            [0.0, 0.0 if weight is None else 1.0], [1.0, 1.0], sample_weight=weight
        )


@pytest.mark.parametrize("trim", [0.0, 0.05, 0.1, 1.0 / 3.0, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_trimmed_rmse_is_that_of_what_is_left(predictions, trim, weighted):
    y_true, y_pred = predictions
    y_true[3] += 100.0
    weight = np.arange(1, 31) % 4 if weighted else np.ones(30, dtype=int)
    # Each row as often as its weight says, in 60 copies: what is left are whole rows.
    squared = sorted(np.repeat((y_true - y_pred) ** 2, 60 * weight))
    kept = squared[: round((1.0 - trim) * len(squared))]
    assert_allclose(
        trimmed_rmse(y_true, y_pred, trim=trim, sample_weight=weight),
        np.sqrt(np.mean(kept)),
        rtol=1e-12,
    )


def test_trimmed_rmse_without_the_outlier(predictions):
    y_true, y_pred = predictions
    expected = trimmed_rmse(y_true[1:], y_pred[1:], trim=0.0)
    y_pred[0] += 1e6
    assert_allclose(trimmed_rmse(y_true, y_pred, trim=1.0 / 30.0), expected)
    assert trimmed_rmse(y_true, y_pred, trim=0.0) > 1e5


@pytest.mark.parametrize("outlier", [1e9, 1e150])
def test_rounding_lets_no_outlier_in(outlier):
    for n in range(2, 60):
        for left_out in range(1, n):
            y_pred = np.repeat([0.0, outlier], [n - left_out, left_out])
            assert trimmed_rmse(np.zeros(n), y_pred, trim=left_out / n) == 0.0
    # What is small in weight, but not left over by a sum, counts as ever.
    found = trimmed_rmse([0.0, 3.0], [0.0, 0.0], trim=0.0, sample_weight=[1.0, 1e-13])
    assert_allclose(found, np.sqrt(9e-13), rtol=0.01)
    assert trimmed_rmse(np.zeros(3), [2.0, 2.0, 7.0], trim=1.0 - 1e-13) == 2.0


@pytest.mark.parametrize("trim", [-0.1, 1.0, 5, np.nan, "0.1", None])
def test_trimmed_rmse_refuses_what_is_no_share(trim):
    with pytest.raises(ValueError, match="trim is the share of the largest errors"):
        trimmed_rmse([1.0, 2.0], [1.0, 2.0], trim=trim)


def test_naive_skill_is_one_minus_the_ratio_of_errors(predictions):
    y_true, y_pred = predictions
    y_naive = np.roll(y_true, 1)
    weight = np.arange(30.0)
    expected = 1.0 - weighted_mape(
        y_true, y_pred, sample_weight=weight
    ) / weighted_mape(y_true, y_naive, sample_weight=weight)
    assert_allclose(
        naive_skill(y_true, y_pred, y_naive, sample_weight=weight), expected
    )
    assert naive_skill(y_true, y_true, y_naive) == 1.0
    assert naive_skill(y_true, y_naive, y_naive) == 0.0


def test_naive_skill_against_a_perfect_forecast():
    with pytest.raises(ValueError, match="y_naive has no error"):
        naive_skill([1.0, 2.0], [1.0, 1.0], [1.0, 2.0])


def test_within_region_r2_of_the_region_means_is_zero(predictions):
    y_true, _ = predictions
    region = np.array(list("abc") * 10)
    means = pd.Series(y_true).groupby(region).transform("mean")
    assert_allclose(within_region_r2(y_true, means, region), 0.0, atol=1e-12)
    assert within_region_r2(y_true, y_true, region) == 1.0


def test_within_region_r2_with_one_region_is_r2(predictions):
    weight = np.arange(30.0)
    for sample_weight in (None, weight):
        assert_allclose(
            within_region_r2(*predictions, np.zeros(30), sample_weight=sample_weight),
            r2_score(*predictions, sample_weight=sample_weight),
        )


def test_within_region_r2_ignores_the_size_of_regions(predictions):
    y_true, y_pred = predictions
    region = np.array(list("abc") * 10)
    size = np.tile([0.0, 1e3, 1e5], 10)
    expected = within_region_r2(y_true, y_pred, region)
    assert_allclose(
        within_region_r2(y_true + size, y_pred + size, region), expected, rtol=1e-6
    )
    assert r2_score(y_true + size, y_pred + size) > 0.999


def test_within_region_r2_skips_a_region_without_weight():
    value = within_region_r2(
        [1.0, 3.0, 7.0], [1.0, 2.0, 0.0], ["a", "a", "b"], sample_weight=[1, 1, 0]
    )
    assert value == pytest.approx(0.5)


def test_within_region_r2_errors():
    with pytest.raises(ValueError, match="constant within every region"):
        within_region_r2([1.0, 2.0], [1.0, 1.0], ["a", "b"])
    with pytest.raises(ValueError, match="region is missing in row 1"):
        within_region_r2([1.0, 2.0], [1.0, 1.0], ["a", None])
    with pytest.raises(ValueError, match="region must have one dimension"):
        within_region_r2([1.0, 2.0], [1.0, 1.0], [["a", "b"], ["a", "b"]])


def test_interval_coverage_counts_the_bounds_as_inside():
    assert interval_coverage([1.0, 2.0, 3.0], [1.0, 0.0, 4.0], [2.0, 2.0, 5.0]) == (
        pytest.approx(2.0 / 3.0)
    )
    assert interval_coverage([1.0], [-np.inf], [np.inf]) == 1.0


def test_interval_coverage_of_normal_quantiles():
    y = np.random.RandomState(0).normal(size=20_000)
    low, high = np.full_like(y, -1.645), np.full_like(y, 1.645)
    assert interval_coverage(y, low, high) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("bound", [3.0, np.nan])
def test_interval_coverage_refuses_what_is_no_interval(bound):
    with pytest.raises(ValueError, match="Bounds of row 1 are no interval"):
        interval_coverage([1.0, 1.0], [0.0, bound], [2.0, 2.0])


@pytest.mark.parametrize("name", POINT_METRICS)
def test_weights_act_as_repetition(name, predictions):
    y_true, y_pred = predictions
    weight = np.arange(30) % 3

    def repeat(values):
        return np.repeat(values, weight)

    if name == "naive_skill":
        y_naive = np.roll(y_true, 1)
        weighted = naive_skill(y_true, y_pred, y_naive, sample_weight=weight)
        repeated = naive_skill(repeat(y_true), repeat(y_pred), repeat(y_naive))
    elif name == "within_region_r2":
        region = np.arange(30) // 10
        weighted = within_region_r2(y_true, y_pred, region, sample_weight=weight)
        repeated = within_region_r2(repeat(y_true), repeat(y_pred), repeat(region))
    else:
        metric = POINT_METRICS[name]
        weighted = metric(y_true, y_pred, sample_weight=weight)
        repeated = metric(repeat(y_true), repeat(y_pred))
    assert_allclose(weighted, repeated)


@pytest.mark.parametrize("name", POINT_METRICS)
def test_metrics_take_lists_series_and_columns(name, predictions):
    metric, (y_true, y_pred) = POINT_METRICS[name], predictions
    expected = metric(y_true, y_pred)
    assert isinstance(expected, float)
    assert metric(y_true.tolist(), y_pred.tolist()) == expected
    shuffled = np.arange(30)[::-1]
    assert metric(pd.Series(y_true, index=shuffled), pd.Series(y_pred)) == expected
    if name in ("weighted_mape", "trimmed_rmse"):
        assert metric(y_true[:, None], y_pred[:, None]) == expected


@pytest.mark.parametrize("name", POINT_METRICS)
def test_metrics_refuse_bad_input(name, predictions):
    metric, (y_true, y_pred) = POINT_METRICS[name], predictions
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(y_true, y_pred[1:])
    with pytest.raises(ValueError, match="y_true contains NaN"):
        metric(np.where(y_true > 2.0, np.nan, y_true), y_pred)
    with pytest.raises(ValueError, match="y_true must have one dimension"):
        metric(y_true.reshape(15, 2), y_pred)
    with pytest.raises(ValueError, match=r"[Nn]egative values in data"):
        metric(y_true, y_pred, sample_weight=-np.ones(30))


def test_weighted_mape_scorer_is_negative(long_table):
    X, y = long_table
    scores = cross_val_score(Ridge(), X, y, scoring=weighted_mape_scorer, cv=3)
    model = Ridge().fit(X[20:], y[20:])
    assert_allclose(scores[0], -weighted_mape(y[:20], model.predict(X[:20])))


def test_trimmed_rmse_scorer_is_negative(long_table):
    X, y = long_table
    model = Ridge().fit(X, y)
    expected = -trimmed_rmse(y, model.predict(X))
    assert_allclose(trimmed_rmse_scorer(model, X, y), expected)


@pytest.mark.parametrize("column", ["size", 0])
def test_within_region_r2_scorer_finds_its_column(long_table, column):
    X, y = long_table
    model = Ridge().fit(X, y)
    expected = within_region_r2(y, model.predict(X), X["size"])
    scorer = make_within_region_r2_scorer(region=column)
    assert scorer(model, X, y) == expected
    if column == 0:
        model.fit(X.to_numpy(), y)
        assert_allclose(scorer(model, X.to_numpy(), y), expected)


def test_scorers_work_in_searches_and_several_at_once(long_table):
    X, y = long_table
    X = X.rename(columns={"size": "region"})
    scoring = {
        "wmape": weighted_mape_scorer,
        "within": make_within_region_r2_scorer(region="region"),
    }
    search = GridSearchCV(
        Ridge(), {"alpha": [1e-3, 1e3]}, scoring=scoring, refit="within", cv=3
    ).fit(X, y)
    assert search.best_params_ == {"alpha": 1e-3}
    results = cross_validate(
        IntervalRegressor(), X, y, scoring={"c": make_coverage_scorer()}, cv=3
    )
    assert results["test_c"].shape == (3,)


def test_coverage_scorer_passes_the_level_on():
    X, y = np.zeros((4, 1)), np.array([0.1, 0.3, 0.5, 0.7])
    model = IntervalRegressor().fit(X, y)
    assert make_coverage_scorer(confidence_level=0.4)(model, X, y) == 0.5
    assert make_coverage_scorer()(model, X, y) == 1.0


def test_coverage_scorer_errors():
    with pytest.raises(ValueError, match="between 0 and 1, got 90"):
        make_coverage_scorer(confidence_level=90)
    X, y = np.zeros((4, 1)), np.zeros(4)
    model = IntervalRegressor().fit(X, y)
    model.predict_interval = lambda X, confidence_level: np.zeros((2, len(X)))
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\), got shape \(2, 4\)"):
        make_coverage_scorer()(model, X, y)


@pytest.mark.parametrize(
    "scorer",
    [
        weighted_mape_scorer,
        trimmed_rmse_scorer,
        make_within_region_r2_scorer(region="size"),
        make_coverage_scorer(confidence_level=0.8),
    ],
)
def test_scorers_pickle(scorer):
    assert repr(pickle.loads(pickle.dumps(scorer))) == repr(scorer)


def test_rolling_skill_agrees_with_fits_by_hand(long_table):
    X, y = long_table
    cv = TimeSeriesSplit(n_splits=3)
    estimators = {"linear": LinearRegression(), "ridge": Ridge(alpha=100.0)}
    scores = rolling_skill(estimators, X, y, cv=cv, naive=DummyRegressor())
    assert list(scores) == [
        "split",
        "estimator",
        "n_train",
        "n_test",
        "wmape",
        "skill",
        "r2",
    ]
    assert list(scores["estimator"]) == ["linear", "ridge"] * 3
    assert list(scores["split"]) == [0, 0, 1, 1, 2, 2]
    ridge = scores[scores["estimator"] == "ridge"]
    for (_, row), (train, test) in zip(ridge.iterrows(), cv.split(X), strict=True):
        y_test = y.iloc[test]
        y_pred = (
            Ridge(alpha=100.0).fit(X.iloc[train], y.iloc[train]).predict(X.iloc[test])
        )
        assert (row["n_train"], row["n_test"]) == (len(train), len(test))
        assert_allclose(row["wmape"], weighted_mape(y_test, y_pred))
        y_naive = np.full(len(test), y.iloc[train].mean())
        assert_allclose(row["skill"], naive_skill(y_test, y_pred, y_naive))
        assert_allclose(row["r2"], r2_score(y_test, y_pred))


def test_rolling_skill_of_the_naive_forecast_is_zero(long_table):
    scores = rolling_skill(
        {"naive": DummyRegressor()},
        *long_table,
        cv=TimeSeriesSplit(n_splits=2),
        naive=DummyRegressor(),
    )
    assert (scores["skill"] == 0.0).all()


def test_rolling_skill_within_regions(long_table):
    X, y = long_table
    settings = {"cv": TimeSeriesSplit(n_splits=2), "naive": DummyRegressor()}
    size = {"size": LinearRegression()}
    pooled = rolling_skill(size, X[["size"]], y, **settings)
    within = rolling_skill(size, X[["size"]], y, region="size", **settings)
    assert (pooled["r2"] > 0.99).all()
    assert (within["r2"] < 0.1).all()


def test_rolling_skill_leaves_its_estimators_unfitted(long_table):
    X, y = long_table
    model, naive = Ridge(), DummyRegressor()
    rolling_skill(
        {"m": model}, X.to_numpy(), y.tolist(), cv=KFold(2).split(X), naive=naive
    )
    assert not hasattr(model, "coef_")
    assert not hasattr(naive, "constant_")


def test_rolling_skill_with_one_test_row_has_no_r2(long_table):
    X, y = long_table
    scores = rolling_skill(
        {"m": Ridge()}, X, y, cv=[(list(range(50)), [50])], naive=DummyRegressor()
    )
    assert scores["r2"].isna().all()
    assert scores["skill"].notna().all()


def test_rolling_skill_errors(long_table):
    X, y = long_table
    with pytest.raises(ValueError, match="cv=5 stands for KFold"):
        rolling_skill({"m": Ridge()}, X, y, cv=5, naive=DummyRegressor())
    for estimators in (Ridge(), {}):
        with pytest.raises(ValueError, match="non-empty dict of name to estimator"):
            rolling_skill(
                estimators, X, y, cv=TimeSeriesSplit(), naive=DummyRegressor()
            )
