"""Baselines: the optimum of the linear MMM, its recovery, known naive forecasts."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from helpers import split_at
from skmmm.baselines import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)
from skmmm.baselines._linear import _bounded_ridge, _PositiveMediaRidge
from skmmm.datasets import load_mmm_example, make_mmm_panel
from skmmm.metrics import rolling_skill, weighted_mape
from skmmm.model_selection import LeaveRegionsOut, PanelTimeSeriesSplit

ESTIMATORS = [LastValueRegressor(), SeasonalNaiveRegressor(), _PositiveMediaRidge()]
NAIVE = [LastValueRegressor, SeasonalNaiveRegressor]
REAL_PANEL = Path(__file__).parents[2] / "shared" / "data" / "dma_panel.csv.gz"


@parametrize_with_checks(ESTIMATORS)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_checks_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.fixture(scope="module")
def panel():
    """A panel that the linear MMM describes, but for its slight trend."""
    return make_mmm_panel(
        4,
        130,
        n_media=3,
        n_controls=2,
        noise=0.02,
        region_spread=0.0,
        random_state=2,
    )


@pytest.fixture(scope="module")
def X(panel):
    return panel.X.sample(frac=1.0, random_state=0)


@pytest.fixture(scope="module")
def y(panel, X):
    return panel.y[X.index]


def linear_mmm(panel, **params):
    return make_linear_mmm(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        **params,
    )


def true_parameters(panel):
    """Carry-over and saturation as the pipeline counts them."""
    p = panel.parameters
    X = panel.X.set_index("region")[panel.media]
    typical = X.where(X > 0).groupby("region").mean()
    # Half-saturation in units of typical spend instead of the budget.
    half = p["half_saturation"] * (p["media_scale"] / typical).mean()
    return {
        "decay": p["decay"].to_dict(),
        "half_saturation": half.to_dict(),
        "slope": p["slope"].to_dict(),
    }


# --- linear MMM ---------------------------------------------------------------------


def test_linear_mmm_recovers_contributions(panel):
    model = linear_mmm(panel, **true_parameters(panel), alpha=0.01)
    predicted = model.fit(panel.X, panel.y).predict(panel.X)
    assert weighted_mape(panel.expected, predicted) < 0.005
    for channel in panel.media:
        without = model.predict(panel.X.assign(**{channel: 0.0}))
        truth = panel.contributions[channel].sum()
        assert (predicted - without).sum() == pytest.approx(truth, rel=0.06)
    coef, share = model[-1].coef_, panel.parameters["control_effect"]
    assert (np.sign(coef[panel.controls]) == np.sign(share)).all()
    # Controls: share of the region's mean KPI per unit, here against the base only.
    ratio = panel.expected.mean() / panel.parameters["scale"].mean()
    assert_allclose(coef[panel.controls] * ratio, share, rtol=0.05)


def test_linear_mmm_names(panel):
    ridge = linear_mmm(panel).fit(panel.X, panel.y)[-1]
    season = ["sin1", "cos1", "sin2", "cos2"]
    assert list(ridge.coef_.index) == [*panel.media, *panel.controls, *season]
    assert (ridge.coef_[panel.media] >= 0).all()
    assert_allclose(ridge.scale_, panel.y.groupby(panel.X["region"]).mean())
    assert list(ridge.intercept_.index) == [0, 1, 2, 3]


def test_linear_mmm_does_not_pay_for_harm(panel):
    # A channel bought when sales are low.
    harmful = panel.X.assign(media_1=panel.y.max() - panel.y)
    ridge = linear_mmm(panel).fit(harmful, panel.y)[-1]
    assert ridge.coef_["media_1"] == 0.0


def test_linear_mmm_ignores_row_order_and_other_columns(panel, X, y):
    model = linear_mmm(panel)
    expected = model.fit(panel.X, panel.y).predict(X)
    shuffled = X.assign(note="x", clicks=np.arange(len(X)), sin9=1.0)
    shuffled = shuffled[shuffled.columns[::-1]]
    other = linear_mmm(panel).fit(shuffled.drop(columns="sin9"), y)
    assert_allclose(other.predict(shuffled.drop(columns="sin9")), expected, rtol=1e-9)


def test_linear_mmm_continues_after_training(panel, X, y):
    train, test, y_train, y_test = split_at(X, y, 117)
    model = linear_mmm(panel, decay=0.8).fit(train, y_train)
    alone = pd.Series(model.predict(test), test.index)
    together = pd.Series(model.predict(X), X.index)
    assert_allclose(alone, together[test.index], rtol=1e-12)
    naive = LastValueRegressor(region="region", time="week").fit(train, y_train)
    assert weighted_mape(y_test, alone) < 0.8 * weighted_mape(
        y_test, naive.predict(test)
    )


@pytest.mark.parametrize("kind", ["polars", "array", "national array"])
def test_linear_mmm_tables(panel, kind):
    model, X, y = linear_mmm(panel), panel.X, panel.y
    if kind == "national array":
        X, y = X[X["region"] == "region_1"], y[X["region"] == "region_1"]
    expected = model.fit(X, y).predict(X)
    if kind == "polars":
        table = pl.DataFrame({c: X[c].to_numpy() for c in X})
        got = clone(model).fit(table, pl.Series(y.to_numpy())).predict(table)
        assert_allclose(got, expected, rtol=1e-9)
        return
    week = (X["week"] - X["week"].min()).dt.days // 7
    if kind == "array":
        table = X.assign(week=week).to_numpy(dtype=object)
        by_position = make_linear_mmm(
            media=[2, 3, 4], controls=[5, 6], region=0, time=1, season_order=0
        )
    else:
        table = X.assign(week=week).drop(columns="region").to_numpy(dtype=np.float64)
        by_position = make_linear_mmm(
            media=[1, 2, 3], controls=[4, 5], time=0, season_order=0
        )
    # Integers have another phase of the season than dates.
    model.set_params(season__order=0)
    expected = model.fit(X, y).predict(X)
    got = by_position.fit(table, y.to_numpy()).predict(table)
    assert_allclose(got, expected, rtol=1e-9)
    media = by_position[-1].coef_.index[:3]
    assert list(media) == (
        ["x2", "x3", "x4"] if kind == "array" else ["x1", "x2", "x3"]
    )


def test_linear_mmm_without_time(panel, X, y):
    model = make_linear_mmm(media=panel.media, region="region").fit(X, y)
    assert list(model[-1].coef_.index) == panel.media
    row = X.iloc[[5]]
    assert_allclose(model.predict(row), model.predict(X)[[5]], rtol=1e-12)


def test_linear_mmm_grid_search(panel, X, y):
    search = GridSearchCV(
        linear_mmm(panel),
        {
            "adstock__decay": [0.1, 0.5],
            "saturation__half_saturation": [1.0],
            "ridge__alpha": [0.1, 100.0],
            "season__order": [2],
            "scale__method": ["mean_nonzero"],
            "region__unseen": ["error"],
        },
        cv=PanelTimeSeriesSplit(n_splits=3, time="week"),
        scoring="neg_mean_absolute_error",
        n_jobs=2,
    )
    search.fit(X, y)
    assert search.best_params_["ridge__alpha"] == 0.1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_linear_mmm_unseen_region(panel, X, y):
    seen = X["region"] != "region_2"
    model = linear_mmm(panel).fit(X[seen], y[seen])
    with pytest.raises(ValueError, match="Region 'region_2' is not among the 3"):
        model.predict(X)
    model.set_params(scale__unseen="overall", region__unseen="ignore")
    assert_allclose(model.predict(X)[seen], model.predict(X[seen]), rtol=1e-12)
    fold = LeaveRegionsOut(n_splits=2, region="region", random_state=0)
    scores = cross_validate(model, X, y, cv=fold, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()
    # An average region: average scale, average intercept.
    ridge, other = model[-1], X.loc[~seen].iloc[[0]]
    features = model[:-1].transform(other)[ridge.coef_.index].to_numpy()
    expected = ridge.scale_.mean() * (
        ridge.intercept_.mean() + features @ ridge.coef_.to_numpy()
    )
    assert_allclose(model.predict(other), expected)


def test_linear_mmm_pickle(panel, X, y):
    model = linear_mmm(panel).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


def test_linear_mmm_without_media(panel, X, y):
    model = make_linear_mmm(media=[], region="region", time="week").fit(X, y)
    assert list(model[-1].coef_.index) == ["sin1", "cos1", "sin2", "cos2"]


def test_linear_mmm_refuses_a_column_with_two_roles(panel, X, y):
    model = make_linear_mmm(media=panel.media, controls=["media_1"], time="week")
    with pytest.raises(ValueError, match="The column 'media_1' has two roles"):
        model.set_params(adstock__time=None, season__time=None, ridge__time=None).fit(
            X, y
        )


@pytest.mark.parametrize("n_regions", [1, 3])
def test_ridge_without_bounds_is_ridge(n_regions):
    """The regions' deviations are ridge coefficients of one-hot columns."""
    rng = np.random.RandomState(0)
    design, weight = rng.normal(size=(60, 4)), rng.uniform(0.5, 2.0, 60)
    code = np.arange(60) % n_regions
    target = design @ [1.0, -2.0, 0.0, 3.0] + 5.0 + code + rng.normal(size=60)
    free = np.full(4, -np.inf)
    coef, intercept = _bounded_ridge(design, target, weight, code, free, 3.0)
    onehot = np.hstack([design, code[:, None] == np.arange(n_regions)])
    ridge = Ridge(alpha=3.0).fit(onehot, target, sample_weight=weight)
    assert_allclose(coef, ridge.coef_[:4], rtol=1e-9)
    assert_allclose(intercept, ridge.intercept_ + ridge.coef_[4:], rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 100.0])
def test_ridge_with_bounds_is_optimal(alpha):
    rng = np.random.RandomState(1)
    design, weight = rng.normal(size=(80, 6)), rng.uniform(0.0, 2.0, 80)
    code = np.arange(80) % 2
    target = design @ [1.0, -2.0, 0.5, -3.0, 0.1, -0.1] + code + rng.normal(size=80)
    low = np.array([0.0, 0.0, 0.0, -np.inf, -np.inf, -np.inf])
    coef, intercept = _bounded_ridge(design, target, weight, code, low, alpha)
    # Karush-Kuhn-Tucker: no slope where free, none that points inside where bound.
    residual = target - intercept[code] - design @ coef
    slope = -design.T @ (weight * residual) + alpha * coef
    assert (coef[:3] >= 0).all()
    bound = coef == 0.0
    assert bound[1]
    assert (slope[bound] > 0).all()
    assert_allclose(slope[~bound], 0.0, atol=1e-9)
    assert_allclose(weight @ residual, 0.0, atol=1e-9)


def test_ridge_dead_region():
    """A region without sales, or without weight, gets the overall scale."""
    X = pd.DataFrame({"region": [0, 0, 1, 1], "tv": [1.0, 2.0, 1.0, 3.0]})
    model = _PositiveMediaRidge(media=["tv"], region="region")
    model.fit(X, [2.0, 4.0, 0.0, 0.0])
    assert_array_equal(model.scale_, [3.0, 1.5])
    model.fit(X, [2.0, 4.0, 5.0, 5.0], sample_weight=[1.0, 1.0, 0.0, 0.0])
    assert_array_equal(model.scale_, [3.0, 3.0])
    assert np.isfinite(model.predict(X)).all()


# --- naive forecasts ----------------------------------------------------------------


@pytest.fixture
def quarters():
    """Two regions, eight weeks; B lacks the last week."""
    X = pd.DataFrame(
        {"region": ["A"] * 8 + ["B"] * 7, "week": [*range(8), *range(7)], "tv": np.nan}
    )
    y = pd.Series([*range(10, 18), *range(20, 27)], dtype=float)
    order = np.random.RandomState(0).permutation(15)
    return X.iloc[order], y.iloc[order]


def test_last_value_known(quarters):
    model = LastValueRegressor(region="region", time="week").fit(*quarters)
    assert_array_equal(model.regions_, ["A", "B"])
    assert_array_equal(model.last_value_, [17.0, 26.0])
    ahead = pd.DataFrame({"region": ["B", "A", "B"], "week": [8, 9, 30], "tv": "?"})
    assert_array_equal(model.predict(ahead), [26.0, 17.0, 26.0])


def test_last_value_without_order_is_the_mean(quarters):
    X, y = quarters
    model = LastValueRegressor(region="region").fit(X, y)
    assert_array_equal(model.last_value_, [13.5, 23.0])
    assert LastValueRegressor().fit(X, y).predict(X)[0] == pytest.approx(y.mean())


def test_seasonal_naive_known(quarters):
    model = SeasonalNaiveRegressor(region="region", time="week", season_length=4)
    model.fit(*quarters)
    week = [8, 11, 12, 15, 16, 4, 3]
    ahead = pd.DataFrame({"week": week * 2, "region": ["A"] * 7 + ["B"] * 7, "tv": 0})
    ahead = ahead[["region", "week", "tv"]]
    # Week 7 of B is missing and week -1 is before the data: the last value.
    assert_array_equal(
        model.predict(ahead),
        [14, 17, 14, 17, 14, 10, 17, 24, 26, 24, 26, 24, 20, 26],
    )


@pytest.mark.parametrize(("freq", "length"), [("W-MON", 52), ("D", 364), ("MS", 12)])
def test_seasonal_naive_length(freq, length):
    X = pd.DataFrame({"time": pd.date_range("2020-01-01", periods=900, freq=freq)})
    y = np.random.RandomState(0).uniform(size=900)
    model = SeasonalNaiveRegressor(time="time").fit(X[:500], y[:500])
    assert model.season_length_ == length
    assert_array_equal(model.predict(X[500 : 500 + length]), y[500 - length : 500])
    assert_array_equal(model.predict(X[:500])[length:], y[: 500 - length])
    repeated = model.predict(X[500:])
    assert_array_equal(repeated[length:], repeated[: 400 - length])


@pytest.mark.parametrize("Naive", NAIVE)
@pytest.mark.parametrize("time", [None, "week"])
def test_naive_unseen_region(quarters, Naive, time):
    model = Naive(region="region", time=time).fit(*quarters)
    ahead = pd.DataFrame({"region": ["C", "A"], "week": [8, 8], "tv": 0.0})
    message = (
        "Region 'C' is not among the 2 regions of the training data. Leave it out, or "
        "set unseen_region='average'."
    )
    with pytest.raises(ValueError, match=message):
        model.predict(ahead)
    model.set_params(unseen_region="average")
    assert model.predict(ahead)[0] == model.last_value_.mean()
    assert model.predict(ahead)[1] == model.last_value_[0]


@pytest.mark.parametrize("Naive", NAIVE)
def test_naive_refuses(quarters, Naive):
    X, y = quarters
    model = Naive(region="region", time="week")
    with pytest.raises(ValueError, match="Two rows for region 'A', time 0"):
        model.fit(pd.concat([X, X[X["week"] == 0]]), [*y, 0.0, 0.0])
    with pytest.raises(ValueError, match="time='day' is not a column of X"):
        Naive(time="day").fit(X, y)
    with pytest.raises(ValueError, match="Input y contains NaN at row 0"):
        model.fit(X, np.where(np.arange(15) == 0, np.nan, y))


@pytest.mark.parametrize("Naive", NAIVE)
def test_naive_tables(quarters, Naive):
    X, y = quarters
    model = Naive(region="region", time="week")
    expected = model.fit(X, y).predict(X)
    table = pl.DataFrame({c: X[c].to_numpy() for c in X})
    assert_array_equal(clone(model).fit(table, y).predict(table), expected)
    by_position = Naive(region=0, time=1)
    array = X.to_numpy(dtype=object)
    assert_array_equal(by_position.fit(array, y).predict(array), expected)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), expected)


def test_rolling_skill_of_the_example():
    """The linear MMM beats both naive forecasts where its form is right."""
    data = load_mmm_example()
    model = make_linear_mmm(
        media=data.media, controls=data.controls, region="region", time="week"
    )
    scores = rolling_skill(
        {
            "linear": model,
            "seasonal": SeasonalNaiveRegressor(region="region", time="week"),
        },
        data.X,
        data.y,
        cv=PanelTimeSeriesSplit(time="week"),
        naive=LastValueRegressor(region="region", time="week"),
        region="region",
    )
    mean = scores.groupby("estimator")[["skill", "r2"]].mean()
    assert mean.loc["linear", "skill"] > 0.3
    assert mean.loc["linear", "r2"] > 0.5


@pytest.mark.skipif(not REAL_PANEL.exists(), reason="real panel not at hand")
def test_last_value_on_a_real_panel():
    frame = pd.read_csv(REAL_PANEL)
    X, y = frame[["dmacode", "weekid"]], frame["target_visits"]
    model = LastValueRegressor(region="dmacode", time="weekid")
    errors = []
    for origin in (57, 70, 83, 96):
        train = X["weekid"] < origin
        test = (X["weekid"] >= origin) & (X["weekid"] < origin + 13)
        test &= X["dmacode"].isin(X["dmacode"][train])
        model.fit(X[train], y[train])
        errors.append(weighted_mape(y[test], model.predict(X[test])))
    assert_allclose(errors, [0.0967, 0.1066, 0.0948, 0.0532], atol=1e-4)
