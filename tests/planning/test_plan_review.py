"""Reviews of plans add up to what happened."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from helpers import refuses_from as refuses_with
from helpers import split_at
from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import PlanReview, optimize_budget
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._intervals import bounds

pytestmark = pytest.mark.usefixtures("short_chains")

N_WEEKS, SINCE = 52, 44
PARTS = [
    "delivery",
    "confounding",
    "controls",
    "drift",
    "response",
    "level",
    "unexplained",
]


@pytest.fixture(scope="module")
def world():
    """Two regions in which the first channel drives the second."""
    graph = np.zeros((2, 2))
    graph[0, 1] = 0.8
    world = make_mmm_panel(2, 60, n_media=2, graph=graph, random_state=0)
    world.X, _, world.y, _ = split_at(world.X, world.y, N_WEEKS)
    return world


def settings(world, **others):
    return {
        "region": "region",
        "time": "week",
        "media": world.media,
        "controls": world.controls,
        "max_lag": 4,
        "n_draws": 8,
        "max_iter": 40,
        "media_cost": 2.0,
        "random_state": 0,
    } | others


@pytest.fixture(scope="module")
def split(world):
    return split_at(world.X, world.y, SINCE)


@pytest.fixture(scope="module")
def model(world, split):
    past, _, y, _ = split
    return DeepCausalMMMRegressor(**settings(world)).fit(past, y)


@pytest.fixture(scope="module")
def again(world):
    model = DeepCausalMMMRegressor(**settings(world, n_draws=12, random_state=1))
    return model.fit(world.X, world.y)


@pytest.fixture(scope="module")
def plan(model, split):
    return model.optimize_budget(X=split[1])


@pytest.fixture(scope="module")
def came(world, split):
    """What came: another spend of each channel, other controls; and the KPI."""
    X = split[1].copy()
    rng = np.random.default_rng(0)
    X[world.media] *= rng.uniform(0.5, 2.0, (len(X), 2))
    X["price"] += rng.normal(0.0, 0.1, len(X))
    return X, split[3]


def check_adds_up(review):
    """All tables are the same KPI, and their parts are its whole difference."""
    kpi = review.summary["kpi"]
    size = abs(review.actual)
    assert kpi.iloc[:-1].sum() == pytest.approx(review.actual, abs=1e-9 * size)
    assert kpi.iloc[0] == review.expected
    assert kpi.iloc[-1] == review.actual
    for table in (review.by_period, review.by_region):
        if table is None:
            continue
        parts = table["expected"] + table[PARTS].sum(axis=1)
        assert_allclose(parts, table["actual"], rtol=1e-9)
        assert table["actual"].sum() == pytest.approx(review.actual)
        for part in PARTS:
            total = kpi.xs(part, level="part").sum()
            assert table[part].sum() == pytest.approx(total, abs=1e-9 * size)


@pytest.mark.parametrize("effect", ["direct", "total"])
@pytest.mark.parametrize("refitted", [False, True])
def test_parts_add_up(model, again, split, came, effect, refitted):
    plan = model.optimize_budget(X=split[1], effect=effect)
    X, y = came
    review = plan.review(X, y, model=again if refitted else None)
    assert isinstance(review, PlanReview)
    check_adds_up(review)
    assert review.actual == pytest.approx(y.sum())
    assert review.expected == pytest.approx(model.predict(plan.X).sum())
    kpi = review.summary["kpi"]
    delivered = plan.X.assign(**{m: X[m] for m in model.media_})
    moved = model.predict(delivered).sum() - model.predict(plan.X).sum()
    size = abs(review.actual)
    found = kpi["delivery"].sum() + kpi["confounding"].sum()
    assert found == pytest.approx(moved, abs=1e-9 * size)
    moved = model.predict(X).sum() - model.predict(delivered).sum()
    found = kpi["controls"].sum() + kpi["drift"].sum()
    assert found == pytest.approx(moved, abs=1e-9 * size)
    last = again if refitted else model
    moved = last.predict(X).sum() - model.predict(X).sum()
    found = kpi["response"].sum() + kpi["level"].sum()
    assert found == pytest.approx(moved, abs=1e-9 * size)
    assert kpi["unexplained"].sum() == pytest.approx((y - last.predict(X)).sum())
    if not refitted:
        assert (kpi["response"] == 0.0).all()
        assert (kpi["level"] == 0.0).all()
    low, high = review.summary["low"], review.summary["high"]
    assert (low.iloc[:-1] <= kpi.iloc[:-1]).all()
    assert (kpi.iloc[:-1] <= high.iloc[:-1]).all()
    assert ("response" in review.message.split("Given")[0]) == refitted


def test_credit_goes_to_the_origin_of_spend(model, plan, split, came):
    X = plan.X.assign(media_1=2.0 * plan.X["media_1"])
    X["media_2"] *= 1.3
    found = {}
    for effect in ("direct", "total"):
        told = model.optimize_budget(X=split[1], effect=effect)
        told["X"] = plan.X
        found[effect] = told.review(X, came[1]).summary["kpi"]["delivery"]
    assert found["direct"].sum() == pytest.approx(found["total"].sum())
    assert abs(found["direct"] - found["total"]).max() > 0.01 * found["direct"].sum()


def test_one_channel_delivered_twice(model, plan, came):
    X = plan.X.assign(media_1=2.0 * plan.X["media_1"])
    review = plan.review(X, came[1])
    own = model.contributions(X) - model.contributions(plan.X)
    delivery = review.summary.loc["delivery"]
    assert delivery["kpi"]["media_1"] == pytest.approx(own["media_1"].sum())
    assert delivery["kpi"]["media_1"] > 0.0
    assert delivery["kpi"]["media_2"] == 0.0
    assert delivery["low"]["media_1"] < delivery["high"]["media_1"]
    # Paired: the same spend makes no difference in any draw.
    assert (delivery.loc["media_2"] == 0.0).all()
    drawn = [
        model._counterfactual(one).contributions(draws=True) for one in (X, plan.X)
    ]
    change = (drawn[0] - drawn[1])[..., 0].sum(axis=1)
    told = delivery.loc["media_1"]
    assert_allclose(bounds(change, 0.05, told["kpi"]), told[["low", "high"]])
    assert "delivery +" in review.message


def test_nothing_happened(model, plan):
    review = plan.review(plan.X, model.predict(plan.X))
    parts = review.summary["kpi"].iloc[1:-1]
    assert abs(parts).max() <= 1e-9 * review.actual
    assert review.tail_probability > 0.3
    assert review.message.endswith("fitted again.")
    assert len(review.missing) == 0


def test_surprise_grows_with_the_distance(model, plan):
    expected = model.predict(plan.X)
    chances = [
        plan.review(plan.X, factor * expected).tail_probability
        for factor in (1.0, 1.02, 1.05, 1.5)
    ]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.01


def test_noise_of_sums_is_that_of_single_rows(model, plan):
    simulated = model._noise_of_sums(plan.X, lambda rows: rows, 4000)
    which = np.arange(len(simulated)) % 8
    simulated = simulated + model._draws_of_prediction(plan.X)[which]
    low, high = np.quantile(simulated, [0.05, 0.95], axis=0)
    told = model.predict_interval(plan.X, 0.9)
    assert_allclose(high - low, told[:, 1] - told[:, 0], rtol=0.15)


def test_rows_that_have_not_come_yet(model, plan, came):
    X, y = came
    late = X["week"] == X["week"].max()
    review = plan.review(X[~late], y[~late])
    check_adds_up(review)
    assert review.actual == pytest.approx(y[~late].sum())
    assert review.missing["week"].eq(X["week"].max()).all()
    assert len(review.by_period) == N_WEEKS - SINCE - 1
    assert f"no row for it: region 'region_1', time {X['week'].max():%Y-%m-%d}" in (
        review.message
    )
    weeks = sorted(set(X["week"]))
    first = (X["week"] <= weeks[0]).to_numpy()
    said = f"{sum(~first)} rows, time {weeks[1]:%Y-%m-%d} to {weeks[-1]:%Y-%m-%d}."
    assert said in plan.review(X[first], y[first]).message
    # What is left out of the middle has the carry-over that was planned.
    hole = (X["week"] == X["week"].min()) & (X["region"] == "region_1")
    filled = X.copy()
    filled.loc[hole, model.media_] = plan.X.loc[hole, model.media_]
    filled.loc[hole, "price"] = plan.X.loc[hole, "price"]
    review = plan.review(X[~hole], y[~hole])
    whole = plan.review(filled, y)
    assert_allclose(
        review.by_region.loc["region_2"].to_numpy(dtype=float),
        whole.by_region.loc["region_2"].to_numpy(dtype=float),
    )
    table = whole.by_period.iloc[1:]
    assert_allclose(review.by_period[PARTS].iloc[1:], table[PARTS], atol=1e-6)


def test_order_and_index_of_rows_do_not_matter(plan, came):
    X, y = came
    review = plan.review(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    other = plan.review(X.iloc[order].reset_index(drop=True), np.asarray(y)[order])
    pd.testing.assert_frame_equal(review.summary, other.summary)
    assert review.message == other.message


def test_a_plan_of_coming_periods_and_of_training_rows(model, split):
    past = split[0]
    for plan in (
        model.optimize_budget(horizon=4),
        model.optimize_budget(horizon=4, by="region"),
        model.optimize_budget(X=past),
        model.optimize_budget(),
    ):
        review = plan.review(plan.X, 1.1 * model.predict(plan.X))
        check_adds_up(review)
        assert len(review.by_period) == plan.X["week"].nunique()


def test_single_series_without_draws(series, arguments, came):
    past, X, y, y_new = split_at(series.X, series.y, 70)
    model = DeepCausalMMMRegressor(**arguments | {"n_draws": 0, "region": None})
    model = model.fit(past.drop(columns="region"), y)
    plan = model.optimize_budget(X=X.drop(columns="region"))
    review = plan.review(X.drop(columns="region"), y_new)
    check_adds_up(review)
    assert review.by_region is None
    assert review.summary[["low", "high"]].isna().all(axis=None)
    assert np.isnan(review.tail_probability)
    assert "takes draws of the model" in review.message


# --- money ----------------------------------------------------------------------------


def test_money_is_price_and_volume(plan, came):
    X, y = came
    paid = X.assign(paid=3.0 * X["media_1"])
    for cost, rows in (
        ({"media_1": 3.0, "media_2": 1.0}, X),
        ({"media_1": "paid", "media_2": 1.0}, paid),
    ):
        money = plan.review(rows, y, media_cost=cost).money
        assert_allclose(money["volume"] + money["price"], money["difference"])
        assert_allclose(money["actual"] - money["planned"], money["difference"])
        units, planned = X["media_1"].sum(), plan.X["media_1"].sum()
        assert money["planned"]["media_1"] == pytest.approx(2.0 * planned)
        assert money["volume"]["media_1"] == pytest.approx(2.0 * (units - planned))
        assert money["price"]["media_1"] == pytest.approx(units)
    money = plan.review(X, y, media_cost={"media_2": 2.0}).money
    assert list(money.index) == ["media_2"]
    assert money["price"]["media_2"] == pytest.approx(0.0, abs=1e-6)
    assert plan.review(X, y).money is None


def test_money_columns_of_the_fit_are_read_again(world, split, came, tmp_path):
    past, planned, y, _ = split
    paid = past.assign(paid=2.0 * past["media_1"])
    cost = {"media_1": "paid", "media_2": 1.0}
    few = settings(world, media_cost=cost, n_draws=0, max_iter=10, graph=None)
    with pytest.warns(ConvergenceWarning):
        model = DeepCausalMMMRegressor(**few).fit(paid, y)
    model.optimize_budget(X=planned).save(tmp_path / "q.plan.skmmm")
    plan = DeepCausalMMMRegressor.load_plan(tmp_path / "q.plan.skmmm")
    X, kpi = came
    dearer = X.assign(paid=3.0 * X["media_1"])
    money = plan.review(dearer, kpi).money
    assert list(money.index) == ["media_1"]  # nobody says what media_2 cost in fact
    asked = plan.review(dearer, kpi, media_cost={"media_1": "paid"}).money
    pd.testing.assert_frame_equal(money, asked)
    assert money["actual"]["media_1"] == pytest.approx(3.0 * X["media_1"].sum())
    assert money["price"]["media_1"] == pytest.approx(X["media_1"].sum())
    assert plan.review(X, kpi).money is None
    with refuses_with("Input X contains NaN: column 'paid'"):
        plan.review(dearer.assign(paid=np.nan), kpi)


def test_costs_that_cannot_be_read(plan, came):
    X, y = came
    with refuses_with("media_cost of 'media_1' is the column 'paid', which X_actual"):
        plan.review(X, y, media_cost={"media_1": "paid"})
    with pytest.raises(ValueError, match="media_cost of 'media_1' is -1"):
        plan.review(X, y, media_cost={"media_1": -1})
    unpriced = clone(plan._question.estimator).set_params(media_cost=None)
    past = plan._question.estimator._training_rows()
    unpriced.fit(past, np.arange(len(past)) + 100.0)
    told = unpriced.optimize_budget(horizon=2)
    with refuses_with("media_cost says what units cost in fact, but the plan knows no"):
        told.review(told.X, np.ones(len(told.X)), media_cost=1.0)


# --- wrong input ----------------------------------------------------------------------


def test_rows_that_are_not_of_the_plan(plan, came, split):
    X, y = came
    with pytest.raises(ValueError, match="media_2"):
        plan.review(X.drop(columns="media_2"), y)
    with refuses_with("Region 'Atlantis' is not among the 2 regions"):
        plan.review(X.assign(region="Atlantis").iloc[:8], y[:8])
    past, _, y_past, _ = split
    with refuses_with(
        f"X_actual has {len(past)} rows that the plan has not: region 'region_1', time "
    ):
        plan.review(past, y_past)
    first, last = (str(end)[:10] for end in (X["week"].min(), X["week"].max()))
    with pytest.raises(
        ValueError, match=rf"about {first} to {last}\. Leave these rows"
    ):
        plan.review(past, y_past)
    one = X["region"] == "region_1"
    half = plan.model.optimize_budget(X=X[one])
    with pytest.raises(ValueError, match=r"not about region \['region_2'\]\. Leave"):
        half.review(X, y)
    wrong = np.array(y, dtype=float)
    wrong[0] = np.nan
    with pytest.raises(ValueError, match="y contains NaN at region 'region_1'"):
        plan.review(X, wrong)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plan.review(X, y[:-1])
    with refuses_with("confidence_level=2 must be between"):
        plan.review(X, y, confidence_level=2)


def test_models_that_are_not_comparable(world, plan, came):
    X, y = came
    other = settings(world, n_draws=0, max_iter=2, media=["media_1"], graph=None)
    with pytest.warns(match="settled"):
        other = DeepCausalMMMRegressor(**other).fit(world.X, world.y)
    with refuses_with("model has media ('media_1',), that of the plan ('media_1', "):
        plan.review(X, y, model=other)
    linear = make_linear_mmm(media=world.media, region="region", time="week")
    with refuses_with("model must be a DeepCausalMMMRegressor, got "):
        plan.review(X, y, model=linear.fit(world.X, world.y))


def test_plans_of_other_estimators_are_not_reviewed(world, tmp_path):
    linear = make_linear_mmm(media=world.media, region="region", time="week")
    plan = optimize_budget(linear.fit(world.X, world.y), X=world.X)
    with refuses_with("review is for plans of DeepCausalMMMRegressor, and this one is"):
        plan.review(world.X, world.y)
    with refuses_with("save is for plans of DeepCausalMMMRegressor, and this one is"):
        plan.save(tmp_path / "a.skmmm")
    assert not list(tmp_path.iterdir())


def test_a_model_without_time(world):
    rows = world.X.drop(columns=["week", "region"])
    model = settings(world, region=None, time=None, n_draws=0, max_iter=2)
    with pytest.warns(match="settled"):
        model = DeepCausalMMMRegressor(**model).fit(rows, world.y)
    plan = model.optimize_budget()
    with refuses_with("Rows of a plan are found again by region and period"):
        plan.review(rows, world.y)


def test_the_model_is_that_of_the_plan_whatever_is_fitted_later(model, split, came):
    other = copy.copy(model)
    plan = other.optimize_budget(X=split[1])
    X, y = came
    before = plan.review(X, y)
    past, _, y_past, _ = split
    other.set_params(random_state=3, max_iter=30).fit(past, 2.0 * y_past)
    pd.testing.assert_frame_equal(before.summary, plan.review(X, y).summary)


def test_money_of_one_column_is_of_one_channel(plan, came):
    X, y = came
    for cost in ("money", dict.fromkeys(["media_1", "media_2"], "money")):
        with pytest.raises(ValueError, match=r"every channel|another channel"):
            plan.review(X.assign(money=1.0), y, media_cost=cost)


def test_how_sure_a_model_without_draws_is_nobody_knows(world, plan, came):
    X, y = came
    point = DeepCausalMMMRegressor(**settings(world, n_draws=0)).fit(world.X, world.y)
    summary = plan.review(X, y, model=point).summary
    assert summary["kpi"].notna().all()
    assert summary.loc[["response", "level", "unexplained"], "low"].isna().all()
    assert summary.loc[["delivery", "controls"], "low"].notna().all()
