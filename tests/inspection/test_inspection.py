"""What channels cause: of any estimator, and the same whoever is asked."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from helpers import refuses_from as refuses
from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import optimize_budget
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import (
    channel_summary,
    contributions,
    marginal_roi,
    response_curve,
)


class Known(RegressorMixin, BaseEstimator):
    """A KPI that is a known function of the media of every row, shape (n, M)."""

    def __init__(self, function, media):
        self.function = function
        self.media = media

    def fit(self, X=None, y=None):
        self.media_ = list(self.media)
        return self

    def predict(self, X):
        return self.function(X[list(self.media)].to_numpy(dtype=float))


def rows(n_media, n_rows=6, seed=0):
    spend = np.random.default_rng(seed).uniform(1.0, 4.0, (n_rows, n_media))
    return pd.DataFrame(spend, columns=[f"m{i}" for i in range(n_media)])


def known(function, X):
    return Known(function, list(X)).fit()


@pytest.fixture(scope="module")
def linear(panel):
    model = make_linear_mmm(
        media=panel.media, controls=panel.controls, region="region", time="week"
    )
    return model.fit(panel.X, panel.y)


# --- contributions -------------------------------------------------------------------


def test_contributions_of_a_linear_mmm(panel, linear):
    parts = contributions(linear, panel.X)
    assert list(parts.columns) == ["baseline", *panel.media]
    assert_array_equal(parts.index, panel.X.index)
    assert_allclose(parts.sum(axis=1), linear.predict(panel.X))
    for channel in panel.media:
        without = linear.predict(panel.X.assign(**{channel: 0.0}))
        assert_allclose(parts[channel], linear.predict(panel.X) - without, atol=1e-5)


def test_contributions_of_a_forest(panel):
    features = [*panel.media, *panel.controls]
    forest = RandomForestRegressor(n_estimators=5, random_state=0)
    X = panel.X[features]
    model = make_pipeline(FunctionTransformer(), forest).fit(X, panel.y)
    parts = contributions(model, X, media=panel.media)
    assert_allclose(parts.sum(axis=1), model.predict(X))
    nothing = model.predict(X.assign(**dict.fromkeys(panel.media, 0.0)))
    assert_allclose(parts["baseline"], nothing)
    # Of an array, columns are positions.
    forest = RandomForestRegressor(n_estimators=5, random_state=0)
    forest.fit(X.to_numpy(), panel.y)
    by_position = contributions(forest, X.to_numpy(), media=[0, 1, 2])
    assert list(by_position.columns) == ["baseline", 0, 1, 2]
    assert_allclose(by_position.sum(axis=1), forest.predict(X.to_numpy()))


def interacting(x):
    """Synergy, a threshold and a maximum: nothing adds up."""
    return (
        5.0
        + x[:, 0] * x[:, 1]
        + np.sqrt(x.sum(axis=1))
        + np.maximum(x[:, 1], x[:, -1]) ** 2
        - 0.3 * x[:, 0] * x[:, 1] * x[:, -1]
    )


@pytest.mark.parametrize("n_media", [3, 4])
def test_shapley_values_are_the_average_over_all_orders(n_media):
    X = rows(n_media)
    x = X.to_numpy()
    orders = list(permutations(range(n_media)))
    expected = np.zeros_like(x)
    for order in orders:
        on = np.zeros(n_media)
        for player in order:
            before = interacting(x * on)
            on[player] = 1.0
            expected[:, player] += (interacting(x * on) - before) / len(orders)
    parts = contributions(known(interacting, X), X)
    assert_allclose(parts[list(X)], expected)
    assert_allclose(parts["baseline"], interacting(0.0 * x))
    assert "standard_error" not in parts.attrs


def test_channels_side_by_side_are_differences():
    X = rows(14)

    def roots(x):
        return 7.0 + np.sqrt(x) @ np.arange(1.0, 15.0)

    parts = contributions(known(roots, X), X, n_permutations=2)
    assert_allclose(parts[list(X)], np.sqrt(X) * np.arange(1.0, 15.0))
    assert_allclose(parts["baseline"], 7.0)
    assert "standard_error" not in parts.attrs  # nothing was drawn


def test_many_interacting_channels_are_sampled():
    X = rows(14)
    weight = np.arange(1.0, 15.0)

    # Of a cube of a sum s: E over orders of (before + own)^3 - before^3, where every
    # other one comes before with probability 1/2, two with 1/3.
    def cube(x):
        return (x @ weight) ** 3

    z = X.to_numpy() * weight
    total, squares = z.sum(axis=1, keepdims=True), (z**2).sum(axis=1, keepdims=True)
    rest, rest_squares = total - z, squares - z**2
    before_squared = rest_squares / 2 + (rest**2 - rest_squares) / 3
    expected = 3 * z * before_squared + 3 * z**2 * rest / 2 + z**3
    assert_allclose(expected.sum(axis=1), cube(X.to_numpy()))
    model = known(cube, X)
    parts = contributions(model, X, n_permutations=16, random_state=1)
    error = pd.Series(parts.attrs["standard_error"])
    assert list(error.index) == list(X)
    assert (error > 0).all()
    off = (parts[list(X)].sum() - expected.sum(axis=0)) / error
    assert (off.abs() < 4.0).all()
    assert (off.abs() > 0.01).any()
    assert_allclose(parts.sum(axis=1), cube(X.to_numpy()))
    again = contributions(model, X, n_permutations=16, random_state=1)
    pd.testing.assert_frame_equal(parts, again)
    more = contributions(model, X, n_permutations=64).attrs["standard_error"]
    ratio = pd.Series(more) / error
    assert 0.3 < ratio.mean() < 0.75  # half


# --- the same columns, and the same answers ------------------------------------------


def test_summaries_look_alike(panel, fitted, linear):
    own = channel_summary(fitted)
    other = channel_summary(linear, panel.X)
    judged = ["verdict", "alarm"]
    assert list(own.columns) == [*other.columns, *judged]
    assert_array_equal(own.index, other.index)
    assert own.index.name == other.index.name == "channel"
    assert_allclose(own["spend"], other["spend"])
    bounds = [column for column in other if column.endswith(("_low", "_high"))]
    assert len(bounds) == 6
    assert other[bounds].isna().all(axis=None)
    assert own[bounds].notna().all(axis=None)


def test_summary_of_a_linear_mmm(panel, linear):
    cost = dict.fromkeys(panel.media, 1.0) | {"media_1": 2.0}
    summary = channel_summary(linear, panel.X, media_cost=cost)
    spend = panel.X[panel.media].sum() * [2.0, 1.0, 1.0]
    parts = contributions(linear, panel.X)[panel.media].sum()
    now = linear.predict(panel.X).sum()
    assert_allclose(summary["spend"], spend)
    assert_allclose(summary["contribution"], parts)
    assert_allclose(summary["share"], parts / now)
    assert_allclose(summary["roi"], parts / spend)
    for channel in panel.media:
        more = panel.X.assign(**{channel: 1.01 * panel.X[channel]})
        gain = linear.predict(more).sum() - now
        mroi = summary.loc[channel, "mroi"]
        assert mroi == pytest.approx(gain / (0.01 * spend[channel]), rel=1e-6)
    same = marginal_roi(linear, panel.X, media_cost=cost)
    pd.testing.assert_frame_equal(same, summary[["mroi", "mroi_low", "mroi_high"]])
    # Media without a cost beside others that have one have no returns.
    alone = channel_summary(linear, panel.X, media_cost={"media_1": 2.0})
    assert (
        list(alone["roi"].notna())
        == list(alone["mroi"].notna())
        == [True, False, False]
    )
    pd.testing.assert_series_equal(alone["contribution"], summary["contribution"])
    for channel in panel.media[:2]:
        half = [0.0, 0.5 * panel.X[channel].sum()]
        curve = response_curve(
            linear, channel, panel.X, grid=half, media_cost={"media_1": 2.0}
        )
        known = np.isfinite([curve.current_marginal_roi, *curve.marginal_roi])
        assert known.all() if channel == "media_1" else not known.any()


@pytest.mark.parametrize("by", ["region", "period"])
def test_parts_sum_to_the_whole(panel, linear, by):
    whole = channel_summary(linear, panel.X)
    parts = channel_summary(linear, panel.X, by=by)
    assert parts.index.names == ["channel", by]
    for column in ("spend", "contribution"):
        assert_allclose(parts[column].groupby(level=0).sum(), whole[column])


def asked_about(kind, fitted, linear, panel):
    """Return model, rows and channels; curves of a pipeline take their time."""
    if kind == "regressor":
        return fitted, None, panel.media
    return linear, panel.X, panel.media[1:2]


@pytest.mark.parametrize("kind", ["regressor", "linear"])
def test_curve_summary_and_contributions_agree(panel, fitted, linear, kind):
    model, X, channels = asked_about(kind, fitted, linear, panel)
    summary = channel_summary(model, X)
    parts = contributions(model, X)
    for channel in channels:
        line = summary.loc[channel]
        assert parts[channel].sum() == pytest.approx(line["contribution"], rel=1e-9)
        curve = response_curve(model, channel, X=X)
        assert curve.current_spend == pytest.approx(line["spend"])
        caused = curve.current_incremental
        assert caused == pytest.approx(line["contribution"], rel=1e-6)
        assert curve.current_marginal_roi == pytest.approx(line["mroi"], rel=1e-6)
        assert curve.incremental[10] == pytest.approx(caused, rel=1e-9)
        assert curve.marginal_roi[10] == pytest.approx(line["mroi"], rel=1e-6)
        assert isinstance(curve.current_spend, float)
        by_region = response_curve(model, channel, X=X, by="region")
        assert by_region.incremental.shape == (21, 3)
        assert list(by_region.regions) == ["region_1", "region_2", "region_3"]
        for name in ("spend", "incremental"):
            both = by_region[name].sum(axis=1), curve[name]
            assert_allclose(*both, rtol=1e-6, atol=1e-6 * both[1].max())


@pytest.mark.parametrize("kind", ["regressor", "linear"])
def test_half_saturation(panel, fitted, linear, kind):
    model, X, channels = asked_about(kind, fitted, linear, panel)
    for channel in channels:
        spend = panel.X[channel].sum()
        curve = response_curve(model, channel, X=X, grid=[spend])
        half = curve.half_saturation_spend
        curve = response_curve(model, channel, X=X, grid=[half, 1e9 * spend])
        assert curve.incremental[0] == pytest.approx(curve.incremental[1] / 2, rel=0.01)


def test_curve_in_money_and_by_hand():
    X = rows(2, n_rows=50)

    def hill(x):
        return 3.0 + (x / (x + 2.0)) @ [10.0, 1.0]

    units = X["m0"]
    grid = 5.0 * units.sum() * np.array([0.0, 0.5, 1.0, 3.0])
    cost = {"m0": 5.0}
    curve = response_curve(known(hill, X), "m0", X=X, grid=grid, media_cost=cost)
    assert_allclose(curve.spend, grid)
    assert curve.current_spend == pytest.approx(5.0 * units.sum())
    expected = [10.0 * (f * units / (f * units + 2.0)).sum() for f in (0, 0.5, 1, 3)]
    assert_allclose(curve.incremental, expected, atol=1e-9)
    slope = [(20.0 * units / (f * units + 2.0) ** 2).sum() for f in (0, 0.5, 1, 3)]
    assert_allclose(curve.marginal_roi, slope / curve.current_spend, rtol=0.03)
    assert np.isnan(curve.low).all()
    until = np.quantile(units, 0.99) / units.mean()
    assert curve.observed_until == pytest.approx(until * curve.current_spend)
    start = np.quantile(units, 0.01) / units.mean()
    assert curve.observed_from == pytest.approx(start * curve.current_spend)
    # Without an end there is no half of it.
    straight = response_curve(known(lambda x: x @ [1.0, 1.0], X), "m0", X=X)
    assert straight.half_saturation_spend > 1e3 * units.sum() or np.isnan(
        straight.half_saturation_spend
    )


def test_observed_spend_compares_rows_with_their_region(panel, fitted):
    X = panel.X
    typical = X.groupby("region")["media_1"].transform("mean")
    highest = np.quantile(X["media_1"] / typical, 0.99)
    curve = response_curve(fitted, "media_1")
    expected = highest * X["media_1"].sum()
    assert curve.observed_until == pytest.approx(expected, rel=1e-6)
    parts = response_curve(fitted, "media_1", by="region")
    spend = X.groupby("region")["media_1"].sum()
    assert_allclose(parts.observed_until, highest * spend, rtol=1e-6)
    # One that is dark at times has been seen from nothing on, others have not.
    assert curve.observed_from == 0.0
    steady = panel.X["media_2"] / panel.X.groupby("region")["media_2"].transform("mean")
    curve = response_curve(fitted, "media_2", by="region")
    spend = panel.X.groupby("region")["media_2"].sum()
    lowest = np.quantile(steady, 0.01)
    assert_allclose(curve.observed_from, lowest * spend, rtol=1e-6)
    assert (curve.observed_from > 0).all()
    # Half of the spend in X can be doubled before data end.
    less = response_curve(fitted, "media_1", X=X.assign(media_1=X["media_1"] / 2))
    assert less.observed_until == pytest.approx(expected, rel=1e-6)


# --- scaled channels of the network --------------------------------------------------


@pytest.mark.filterwarnings("ignore:Column 'media_2' can hardly")  # the spike
@pytest.mark.parametrize(
    ("adstock", "late"),
    [
        ("weibull", False),
        ("weibull", True),
        ("geometric", True),
        ("free", True),
        ("gru", False),
        ("gru", True),
    ],
)
@pytest.mark.parametrize(("gaps", "spike"), [(False, 1.0), (True, 60.0)])
def test_scaled_spend_is_as_computed_anew(panel, fast, adstock, late, gaps, spike):
    X = panel.X.copy()
    X.loc[X.index[20], "media_2"] *= spike
    kept = np.delete(np.arange(len(X)), [30, 31, 75] if gaps else [])
    model = DeepCausalMMMRegressor(
        **fast | {"adstock": adstock, "max_lag": 4, "max_iter": 3}
    )
    model.fit(X.iloc[kept], panel.y[kept])
    what_if = model._counterfactual(X.iloc[kept][-40:-9] if late else None)
    factors = np.array([0.0, 0.3, 1.0, 2.5])
    for draws in (False, True):
        found = what_if.model.scaled_effects(
            what_if._split, range(3), factors, by="region", draws=draws
        )
        for channel, effects in enumerate(found):
            alternatives = (what_if.media_scaled(f)[..., [channel]] for f in factors)
            rows = what_if.model.effects_under(
                what_if.reached, [channel], alternatives, draws=draws
            )
            expected = np.stack([what_if.by_region(one) for one in rows])
            assert_allclose(effects, expected, rtol=1e-7, atol=1e-6)


# --- refusals ------------------------------------------------------------------------


def test_what_makes_no_sense_is_refused(panel, fitted, linear):
    X = panel.X
    for function in (contributions, channel_summary, marginal_roi):
        with refuses("Pipeline does not remember its training rows: pass X."):
            function(linear)
        with refuses("effect='total' needs a channel graph, which Pipeline has not."):
            function(linear, X, effect="total")
        with refuses("DeepCausalMMMRegressor knows its columns and costs: leave out"):
            function(fitted, X, media=panel.media)
    with refuses("Pipeline does not remember its training rows: pass X."):
        response_curve(linear, "media_1")
    with pytest.raises(ValueError, match="'tv' is not a column of X"):
        contributions(linear, X, media=["tv"])
    plain = make_pipeline(StandardScaler(), LinearRegression())
    plain.fit(X[panel.media], panel.y)
    with refuses("Pipeline does not say which columns are media: pass media=[...]."):
        contributions(plain, X[panel.media])
    with refuses("by='region' needs the region column: pass region=..."):
        channel_summary(plain, X[panel.media], media=panel.media, by="region")
    with refuses("by='region' needs the region column: pass region=..."):
        response_curve(
            plain, "media_1", X=X[panel.media], media=panel.media, by="region"
        )
    with refuses("by='period' must be None or 'region'."):
        response_curve(linear, "media_1", X=X, by="period")
    with refuses("Channel 'media_1' has no spend in X"):
        response_curve(linear, "media_1", X=X.assign(media_1=0.0))
    with refuses("channel names 'price', which is not one of the media columns"):
        response_curve(linear, "price", X=X)


# --- what the estimator says ---------------------------------------------------------


def test_a_search_is_asked_for_its_best_estimator(fitted, linear, panel):
    search = GridSearchCV(LinearRegression(), {}, cv=2).fit(np.eye(4), np.arange(4.0))
    for best in (fitted, linear):
        search.best_estimator_ = best
        for ask in (channel_summary, marginal_roi, contributions):
            pd.testing.assert_frame_equal(ask(search, panel.X), ask(best, panel.X))
    search.best_estimator_ = fitted
    ours, own = (response_curve(one, "media_1", X=panel.X) for one in (search, fitted))
    assert_array_equal(ours.incremental, own.incremental)
    assert_array_equal(optimize_budget(search).x, fitted.optimize_budget().x)


def test_marginal_roi_by_time_takes_the_column(panel):
    model = LinearRegression().fit(panel.X[panel.media], panel.y)
    X = panel.X[[*panel.media, "week"]]
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[panel.media]), model)
    asked = {"by": "period", "media": panel.media, "time": "week"}
    found = marginal_roi(pipeline, X, **asked)
    assert len(found) == 3 * 60
    assert_allclose(found, channel_summary(pipeline, X, **asked)[list(found)])


def test_a_model_behind_a_scaler_hints_at_its_units(panel, fitted, series, fast):
    X = series.X.copy()
    scalers = {
        "highest value": X[series.media].max(),
        "standard deviation": X[series.media].std(ddof=0),
    }
    for name, scale in scalers.items():
        scaled = X.assign(**{m: X[m] / scale[m] for m in series.media})
        model = DeepCausalMMMRegressor(**fast | {"n_draws": 0, "max_iter": 2})
        with pytest.warns(ConvergenceWarning):
            model.fit(scaled, series.y)
        for ask in (
            model.channel_summary,
            lambda: response_curve(model, "media_1", scaled),  # noqa: B023
            lambda: model.compare_scenarios({"now": scaled}),  # noqa: B023
            model.optimize_budget,
        ):
            match = f"The {name} of each .* look scaled"
            with pytest.warns(UserWarning, match=match) as caught:
                ask()
            assert {warning.filename for warning in caught} == {__file__}
    fitted.channel_summary()  # no warning of money
