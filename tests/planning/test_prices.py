"""Prices in plans: what money buys, the best plan for it, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from helpers import refuses_from as refuses
from known_curves import MEDIA, WIDE, Interacting, Known, root, steady
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.allocation import budget_path, optimize_budget
from skmmm.effects import effects_of
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._prices import at_prices, delivery, delivery_slope, spend_for
from skmmm.scenarios import compare_scenarios

pytestmark = pytest.mark.usefixtures("short_chains")

COST = {"tv": 2.0, "search": 3.0, "radio": 1.5}
ELASTICITIES = [0.05, 0.2, 0.3, 0.5, 0.8, 0.95]


def units_by_hand(spend, elasticity, reference, price):
    """What one cell buys, as PyMC-Marketing 1.3 has it."""
    g, most = elasticity, 100.0
    start = reference * max((most * (1 - g) / (1 + g)) ** (-1 / g), 1e-12)
    if spend >= start:
        return spend ** (1 - g) * reference**g / price
    a = (1 + g) * reference**g * start**-g
    b = -g * reference**g * start ** (-g - 1)
    return (a * spend + b * spend**2) / price


# --- what money buys -----------------------------------------------------------------


@pytest.mark.parametrize("g", ELASTICITIES)
def test_closed_form(g):
    start = (100 * (1 - g) / (1 + g)) ** (-1 / g)
    spend = np.r_[0.0, np.geomspace(1e-3 * start, 10.0, 300), start, 1.0]
    expected = [units_by_hand(1e3 * s, g, 1e3, 1.0) / 1e3 for s in spend]
    assert_allclose(delivery(spend, np.array(g)), expected, rtol=1e-9)
    assert_allclose(spend_for(np.array(expected), np.array(g)), spend, rtol=1e-7)


@pytest.mark.parametrize("g", ELASTICITIES)
def test_last_unit_costs_more_than_the_mean_one(g):
    start = max((100 * (1 - g) / (1 + g)) ** (-1 / g), 1e-12)
    spend = np.geomspace(max(start, 1e-6), 10.0, 100)
    mean_price = spend / delivery(spend, np.array(g))
    assert_allclose(mean_price, spend**g)
    assert_allclose(1.0 / delivery_slope(spend, np.array(g)), mean_price / (1 - g))


@pytest.mark.parametrize("g", ELASTICITIES)
def test_delivery_is_smooth_and_concave(g):
    start = max((100 * (1 - g) / (1 + g)) ** (-1 / g), 1e-12)
    spend = start * np.geomspace(1e-3, 1e3, 2001)
    slope, step = delivery_slope(spend, np.array(g)), 1e-6 * spend
    assert (np.diff(slope) < 0).all()
    above, below = (delivery(spend + s, np.array(g)) for s in (step, -step))
    assert_allclose(slope, (above - below) / (2 * step), rtol=1e-5)
    first = delivery_slope(np.zeros(1), np.array(g))
    if start > 1e-12:
        assert first == pytest.approx(100 * (1 - g))


# --- what a plan delivers ------------------------------------------------------------


def seen(X):
    """Rows of two regions in fifteen periods, one of them off air."""
    week = np.repeat(pd.date_range("2026-01-05", periods=15, freq="7D"), 2)
    X = X.assign(region=["A", "B"] * 15, week=week)
    X.loc[X["week"] == week[0], "search"] = 0.0
    return X


REGIONAL = {"region": "region", "time": "week", "media_cost": COST}


@pytest.mark.parametrize("by", ["channel", "region", "period"])
def test_planned_rows_are_what_money_buys(X, by):
    X = seen(X)[: 10 if by == "period" else 30]
    periods = pd.date_range("2026-01-05", periods=5, freq="7D")
    level = {"tv": 1.3, "search": {str(periods[3].date()): 2.0, periods[4]: 0.5}}
    elasticity = {"search": 0.3, "radio": 0.6}
    plan = optimize_budget(
        Known(region="region", time="week").fit(),
        X=X,
        by=by,
        bounds=(0.2, 3.0),
        allow_extrapolation=True,
        price_level=level,
        price_elasticity=elasticity,
        **REGIONAL,
    )
    factor = plan.allocation["factor"]
    assert plan.allocation["spend"].sum() == pytest.approx(
        sum(COST[m] * X[m].sum() for m in MEDIA), rel=1e-6
    )
    keys = {"channel": lambda row: (), "region": lambda row: (row["region"],)}
    keys["period"] = lambda row: (row["week"],)
    for i, row in X.iterrows():
        for m in MEDIA:
            key = (m, *keys[by](row))
            spend = COST[m] * row[m] * factor[key if len(key) > 1 else m]
            money = COST[m] * X.loc[X["region"] == row["region"], m]
            price = COST[m] * {"tv": 1.3}.get(m, 1.0)
            if m == "search":
                price *= {periods[3]: 2.0, periods[4]: 0.5}.get(row["week"], 1.0)
            reference = money[money > 0].mean()
            units = spend / price
            if m in elasticity:
                units = units_by_hand(spend, elasticity[m], reference, price)
            assert plan.X.loc[i, m] == pytest.approx(units, rel=1e-9)
            if m in plan.unit_prices:
                paid = plan.unit_prices.loc[i, m] * plan.X.loc[i, m]
                assert paid == pytest.approx(spend, rel=1e-9)
    assert set(plan.unit_prices) == set(MEDIA)


def test_prices_as_in_the_past_change_nothing(X):
    asked = {"X": X, "bounds": WIDE, "media_cost": COST}
    plan = optimize_budget(Known().fit(), **asked)
    same = optimize_budget(
        Known().fit(),
        price_level={"tv": 1.0, "radio": 1},
        price_elasticity={"search": 0.0},
        **asked,
    )
    assert list(same) == list(plan)
    pd.testing.assert_frame_equal(same.allocation, plan.allocation, check_exact=True)
    pd.testing.assert_frame_equal(same.X, plan.X, check_exact=True)
    for name in ("outcome", "current_outcome", "message", "nit"):
        assert same[name] == plan[name]
    assert_array_equal(same.x, plan.x)


def test_today_buys_less_at_a_higher_level(X):
    plan = optimize_budget(
        Known().fit(), X=X, media_cost=COST, price_level={"tv": 1.44}
    )
    earned = sum(root(X[m], m).sum() / (1.2 if m == "tv" else 1.0) for m in MEDIA)
    assert plan.current_outcome == pytest.approx(earned)
    assert_allclose(
        plan.allocation["current_spend"], [COST[m] * X[m].sum() for m in MEDIA]
    )
    assert "tv costs 1.44 times as much." in plan.message


# --- the best plan -------------------------------------------------------------------


def best_of_two(X, curve, level, elasticity):
    """Share of the budget for the first channel that earns most, by a fine grid."""
    tv, radio = (COST[m] * X[m].iloc[0] for m in ("tv", "radio"))
    shares = np.linspace(0.02, 0.98, 4001)

    def units(m, money, now):
        price = COST[m] * level.get(m, 1.0)
        g = elasticity.get(m)
        if g is None:
            return money / price
        return np.array([units_by_hand(s, g, now, price) for s in money])

    budget = tv + radio
    earned = curve(units("tv", shares * budget, tv), "tv")
    earned = earned + curve(units("radio", (1 - shares) * budget, radio), "radio")
    return shares[earned.argmax()], len(X) * earned.max()


def saturating(x, channel):
    """Three of four units are enough, so that dear ones are worth their money."""
    return {"tv": 12.0, "radio": 10.0}[channel] * (1.0 - np.exp(-x / 2.0))


TWO = steady(tv=6.0, radio=8.0)  # 12 each in money


def planned_share(curve, **prices):
    plan = optimize_budget(
        Known(curve, media=["tv", "radio"]).fit(),
        X=TWO,
        media_cost={m: COST[m] for m in ("tv", "radio")},
        bounds=(0.04, 1.96),
        allow_extrapolation=True,
        **prices,
    )
    spend = plan.allocation["spend"]
    assert spend.sum() == pytest.approx(12 * 24.0, rel=1e-9)
    return spend["tv"] / spend.sum(), plan.outcome


@pytest.mark.parametrize(("curve", "moves"), [(root, -1), (saturating, 1)])
def test_dearer_channel_against_a_grid(curve, moves):
    dear = {"price_level": {"tv": 1.5}}
    share, outcome = planned_share(curve, **dear)
    best, earned = best_of_two(TWO, curve, dear["price_level"], {})
    assert share == pytest.approx(best, abs=1e-3)
    assert outcome == pytest.approx(earned, rel=1e-6)
    assert moves * (share - planned_share(curve)[0]) > 0.02


@pytest.mark.parametrize("g", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("curve", [root, saturating])
def test_elasticity_against_a_grid(curve, g):
    prices = {"price_elasticity": {"tv": g}, "price_level": {"tv": 1.2}}
    share, outcome = planned_share(curve, **prices)
    best, earned = best_of_two(TWO, curve, {"tv": 1.2}, {"tv": g})
    assert share == pytest.approx(best, abs=2e-3)
    assert outcome == pytest.approx(earned, rel=1e-5)


@pytest.mark.parametrize(("g", "low"), [(0.3, 0.0), (0.8, 0.0), (0.8, 0.3)])
def test_spend_that_varies_widely_against_a_climb(X, g, low):
    elasticity, spent = {"search": g, "tv": 0.2}, [COST[m] * X[m].sum() for m in MEDIA]
    today = sum(root(X[m], m).sum() for m in MEDIA)

    def lost(factors):
        total = 0.0
        for factor, m in zip(factors, MEDIA, strict=True):
            money = COST[m] * X[m].to_numpy()
            units = factor * X[m]
            if m in elasticity:
                own = elasticity[m], money.mean(), COST[m]
                units = np.array([units_by_hand(factor * s, *own) for s in money])
            total += root(units, m).sum()
        return -total / today

    own = minimize(
        lost,
        [1.0, 0.5, 1.5],
        bounds=[(low, 4.0)] * 3,
        constraints={"type": "eq", "fun": lambda f: f @ spent / sum(spent) - 1.0},
        method="SLSQP",
        options={"ftol": 1e-13},
    )
    plan = optimize_budget(
        Known().fit(),
        X=X,
        media_cost=COST,
        bounds=(low, 4.0),
        allow_extrapolation=True,
        price_elasticity=elasticity,
    )
    assert plan.outcome == pytest.approx(-lost(plan.x) * today, rel=1e-9)
    assert plan.outcome == pytest.approx(-own.fun * today, rel=1e-5)
    assert_allclose(plan.x, own.x, atol=0.01)


def test_channels_that_interact_against_a_grid():
    X = steady(tv=6.0, radio=8.0)
    plan = optimize_budget(
        Interacting(media=["tv", "radio"]).fit(),
        X=X,
        media_cost={m: COST[m] for m in X},
        bounds=(0.1, 1.9),
        allow_extrapolation=True,
        price_elasticity={"tv": 0.4},
    )
    factors = np.linspace(0.1, 1.9, 2001)
    tv = np.array([units_by_hand(12 * f, 0.4, 12.0, 2.0) for f in factors])
    rows = pd.DataFrame({"tv": tv, "radio": 8.0 * (2.0 - factors)})
    earned = Interacting(media=["tv", "radio"]).fit().predict(rows) - 1000.0
    assert plan.outcome == pytest.approx(12 * earned.max(), rel=1e-5)


@pytest.mark.parametrize("by", ["channel", "region"])
def test_marginal_return_is_of_one_percent_more_money(X, by):
    X = seen(X)
    prices = {"price_level": {"tv": 1.3}, "price_elasticity": {"search": 0.4}}
    now = {**prices, "X": X, "by": by, **REGIONAL}
    model = Known(region="region", time="week").fit()
    plan = optimize_budget(model, bounds=(1.0, 1.0), **now)
    for key, cell in plan.allocation.iterrows():
        more = {key: 1.01 * cell["spend"]}
        then = optimize_budget(
            model,
            plan.allocation["spend"].sum() + 0.01 * cell["spend"],
            fixed={k: s for k, s in plan.allocation["spend"].items()} | more,
            **now,
        )
        gain = then.outcome - plan.outcome
        assert cell["mroi"] == pytest.approx(gain / (0.01 * cell["spend"]), rel=1e-2)


def test_data_end_where_delivery_was_seen(X):
    for prices in (
        {},
        {"price_level": {"tv": 1.5}},
        {"price_level": {"tv": 0.8}, "price_elasticity": {"tv": 0.5}},
    ):
        plan = optimize_budget(
            Known().fit(),
            X=X,
            bounds=(0.5, 90.0),
            target_mroi=1e-9,
            media_cost=COST,
            **prices,
        )
        assert plan.allocation.loc["tv", "reason"] == "beyond observed spend"
        assert plan.X["tv"].mean() == pytest.approx(X["tv"].quantile(0.99), rel=1e-6)


def test_budgets_share_their_curves(X):
    asked = {"X": X, "media_cost": COST, "price_elasticity": {"search": 0.3}}
    now = sum(COST[m] * X[m].sum() for m in MEDIA)
    path = budget_path(Known().fit(), [0.8 * now, now], **asked)
    for budget, plan in zip([0.8 * now, now], path.plans, strict=True):
        alone = optimize_budget(Known().fit(), budget, **asked)
        assert plan.outcome == pytest.approx(alone.outcome, rel=1e-9)
        assert plan.settings["price_elasticity"] == {"search": 0.3}
    assert (path.table["outcome"] >= path.table["as_today"] * (1 - 1e-9)).all()


# --- plans of the regressor ----------------------------------------------------------


@pytest.fixture(scope="module")
def priced(panel):
    """A quick fit of columns of which a unit costs something."""
    model = DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        media_cost={"media_1": 2.0, "media_2": 0.01, "media_3": 5.0},
        max_lag=4,
        n_draws=8,
        max_iter=15,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        return model.fit(panel.X, panel.y)


PRICES = {
    "price_level": {"media_1": 1.2, "media_2": [1.0, 1.1, 1.2, 1.3]},
    "price_elasticity": {"media_3": 0.3},
}


@pytest.mark.parametrize("by", ["channel", "region", "period"])
def test_plan_of_the_regressor_delivers_what_it_promises(priced, by):
    plan = priced.optimize_budget(horizon=4, by=by, bounds=(0.3, 3), **PRICES)
    assert plan.success, plan.message
    assert plan.outcome > plan.current_outcome
    table = plan.allocation
    assert table["spend"].sum() == pytest.approx(table["current_spend"].sum())
    assert_allclose(
        table["spend"].groupby("channel", sort=False).sum(),
        (plan.X[priced.media_] * plan.unit_prices).sum(),
    )
    # The rows cause as much at any price.
    summary = priced.optimize_budget(X=plan.X, bounds=(1, 1))
    assert summary.outcome == pytest.approx(plan.outcome, rel=1e-6)
    assert_allclose(
        table["contribution"].groupby("channel", sort=False).sum(),
        summary.allocation["contribution"],
    )
    assert_allclose(table["roi"], table["contribution"] / table["spend"])


@pytest.mark.parametrize("draws", [False, True])
def test_curves_and_gradients_are_of_spend(priced, draws):
    X = priced.make_future_frame(4, control_values="last_year")
    table = counterfactual_of(priced, X)
    elasticity = np.array([0.0, 0.3, 0.9])
    level = np.full((len(X), 3), 1.3)
    table = at_prices(table, level, elasticity)
    for m in range(3):
        for region in (None, "region"):
            n = 1 if region is None else 3
            for k in (0.02, 0.6, 1.7):
                plan = np.ones((3, n))
                plan[m] = k
                one = np.array([k])
                caused = table.curve(m, one, region, draws=draws)[0].sum(axis=1)
                off = np.ones((3, n))
                off[m] = 0.0
                own = table.outcome(plan, region, draws=draws)
                own = own - table.outcome(off, region, draws=draws)
                assert_allclose(caused, own, rtol=1e-7)
    outcome = table.flights(draws=draws)
    plan = np.random.default_rng(0).uniform(0.3, 2.0, (3, 4))
    total, slope = outcome(plan, np.ones_like)
    assert len(total) == (8 if draws else 1)
    for cell in np.ndindex(plan.shape):
        more, less = plan.copy(), plan.copy()
        more[cell] += 1e-5
        less[cell] -= 1e-5
        change = (outcome(more, np.ones_like)[0] - outcome(less, np.ones_like)[0]).sum()
        assert slope[cell] == pytest.approx(change / 2e-5, rel=1e-4)


def test_last_euros_earn_the_same_under_risk(priced):
    asked = {"bounds": (0.0, 9.0), "allow_extrapolation": True, "risk": ("sd", 0.5)}
    plan = priced.optimize_budget(horizon=4, price_elasticity={"media_3": 0.4}, **asked)
    inside = plan.allocation["reason"].str.startswith("equal marginal return")
    assert inside.sum() > 1
    marginal = plan.allocation.loc[inside, "mroi"]
    assert_allclose(marginal, marginal.mean(), rtol=0.02)
    assert plan.outcome > plan.current_outcome


def test_effects_and_tests_know_the_prices(priced, panel):
    level = {"media_1": 1.2}
    plan = priced.optimize_budget(price_level=level)
    read = effects_of(priced).optimize_budget(price_level=level)
    assert_array_equal(read.x, plan.x)
    worth = plan.worth_testing()["plan_value"]
    usual = priced.optimize_budget().worth_testing()["plan_value"]
    assert (worth.sort_index() != usual.sort_index()).any()
    assert plan.settings["price_level"] == level


def test_a_plan_with_prices_is_stored_and_reviewed(priced, tmp_path):
    plan = priced.optimize_budget(horizon=4, **PRICES)
    plan.save(tmp_path / "a.plan.skmmm")
    loaded = DeepCausalMMMRegressor.load_plan(tmp_path / "a.plan.skmmm")
    assert list(loaded) == list(plan)
    for name in ("allocation", "X", "unit_prices"):
        pd.testing.assert_frame_equal(loaded[name], plan[name], check_exact=True)
    assert loaded.settings == plan.settings
    # Paid is what the plan reckoned with, but for one channel.
    X, media = plan.X.iloc[:-3], plan.X[priced.media_].iloc[:-3]
    money = media * plan.unit_prices.iloc[:-3]
    X = X.assign(**{f"{m}_paid": money[m] for m in media})
    X["media_1_paid"] *= 1.5
    cost = {m: f"{m}_paid" for m in media}
    review = loaded.review(X, priced.predict(plan.X)[:-3], media_cost=cost)
    assert_allclose(review.money["planned"], money.sum())
    assert_allclose(review.money["volume"], 0.0, atol=1e-6)
    assert_allclose(
        review.money["price"], [0.5 * money["media_1"].sum(), 0.0, 0.0], atol=1e-6
    )


def test_scenarios_cost_what_the_plan_spends(priced):
    future = priced.make_future_frame(4, control_values="last_year")
    plan = priced.optimize_budget(X=future, **PRICES)
    again = plan.X.iloc[::-1]
    tables = {"as last year": future, "planned": plan.X, "the same": again}
    usual = priced.compare_scenarios(tables)
    table = priced.compare_scenarios(tables, **PRICES)
    budget = plan.allocation["spend"].sum()
    assert_allclose(table.loc[["planned", "the same"], "spend"], budget)
    assert usual.loc["planned", "spend"] < budget
    # Last year's delivery has become dearer, and is more than the budget buys.
    assert table.loc["as last year", "spend"] > 1.01 * budget
    for name in ("kpi", "difference", "kpi_low"):
        assert_array_equal(table[name], usual[name])
    ratio = table["difference"] / table["difference_spend"]
    assert_allclose(table["marginal_roi"].iloc[1:], ratio.iloc[1:])
    same = priced.compare_scenarios(tables, price_level={"media_1": 1.0})
    pd.testing.assert_frame_equal(same, usual, check_exact=True)
    read = effects_of(priced, future).compare_scenarios(
        {"planned": plan.X}, price_level={"media_1": 1.2}
    )
    paid = plan.X["media_1"].sum() * 2.0 * 0.2
    plain = effects_of(priced, future).compare_scenarios({"planned": plan.X})
    more = read.loc["planned", "spend"] - plain.loc["planned", "spend"]
    assert more == pytest.approx(paid)


def test_groups_share_a_budget_at_their_prices(panel):
    own = (panel.X["region"] == "region_1").to_numpy()
    one = panel.X[own].drop(columns="region")
    X = pd.concat([one.assign(brand=b) for b in "ab"], ignore_index=True)
    y = np.tile(panel.y[own], 2)
    model = DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        time="week",
        max_lag=3,
        media_cost=2.0,
        graph=None,
        n_draws=0,
        max_iter=10,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        model = GroupedRegressor(model, "brand").fit(X, y)
    usual = model.optimize_budget(X=X)
    dear = ("a", "media_1")
    plan = model.optimize_budget(
        X=X, price_level={dear: 1.6}, price_elasticity={("b", "media_2"): 0.3}
    )
    spend = plan.allocation["spend"]
    assert spend.sum() == pytest.approx(usual.allocation["spend"].sum())
    assert (plan.x != usual.x).any()
    own = (X["brand"] == "a").to_numpy()
    assert 3.2 * plan.X.loc[own, "media_1"].sum() == pytest.approx(spend[dear])
    paid = (plan.unit_prices * plan.X[list(plan.unit_prices)])[~own].sum()
    assert paid["media_2"] == pytest.approx(spend["b", "media_2"])
    late = X.groupby("brand").tail(20)
    asked = {"media": panel.media, "time": "week", "price_level": {dear: 1.6}}
    with refuses("price_level and price_elasticity of scenarios are for the rows of o"):
        compare_scenarios(model, {"a": X, "b": X}, **asked)
    again = model.optimize_budget(X=late, by="period", price_level={dear: 1.6})
    assert again.outcome > again.current_outcome


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"price_level": 1.08}, "price_level must map channels to numbers, got 1.08."),
        ({"price_level": {"tvv": 1.1}}, "price_level names 'tvv', which is not one of"),
        ({"price_level": {"tv": 0.0}}, "price_level of 'tv' must be a positive number"),
        ({"price_level": {"tv": np.nan}}, "price_level of 'tv' must be a positive"),
        ({"price_level": {"tv": "1"}}, "price_level of 'tv' must be a positive number"),
        ({"price_level": {"tv": True}}, "price_level of 'tv' must be a positive"),
        (
            {"price_level": {"tv": {"2026-01-12": -1.0}}},
            "price_level of 'tv' in period 2026-01-12 must be a positive number",
        ),
        (
            {"price_level": {"tv": {"2031-01-12": 1.0}}},
            "price_level of 'tv' names '2031-01-12', but X has no period '2031-01-12'",
        ),
        (
            {"price_level": {"tv": [1.0, 2.0]}},
            "price_level of 'tv' has 2 factors, but X has 15 periods.",
        ),
        (
            {"price_level": {"tv": pd.Series([1.0] * 15)}},
            "price_level of 'tv' is a Series: pass .to_dict()",
        ),
        (
            {"price_level": {"tv": 1.1, 0: 1.1}},
            "price_level of 'tv' is given twice. Leave one out.",
        ),
        (
            {"price_elasticity": {"search": 1.0}},
            "price_elasticity of 'search' must be a number from 0 up and below 1",
        ),
        (
            {"price_elasticity": {"search": -0.1}},
            "price_elasticity of 'search' must be a number from 0 up and below 1",
        ),
        (
            {"price_elasticity": {"radio": 0.1}},
            "price_elasticity of 'radio' needs to know what money buys, but its "
            "media_cost is 1: a column of money has what the price did in it already.",
        ),
    ],
)
def test_prices_that_make_no_sense_are_refused(X, prices, message):
    with refuses(message):
        optimize_budget(
            Known(time="week").fit(),
            X=seen(X),
            time="week",
            media_cost=COST | {"radio": 1.0},
            **prices,
        )


def test_what_prices_need(X, priced):
    with refuses(
        "price_level of 'tv' needs to know what money buys, but its media_cos"
    ):
        optimize_budget(Known().fit(), X=X, price_level={"tv": 1.1})
    with refuses("price_level of 'tv' needs to know what money buys, but its media"):
        optimize_budget(
            Known().fit(), X=X, media_cost={"radio": 2.0}, price_level={"tv": 1.1}
        )
    with refuses("price_level of 'tv' is given by period, but periods are not known"):
        optimize_budget(
            Known().fit(), X=X, media_cost=COST, price_level={"tv": {3: 1.1}}
        )
    with refuses("price_level and price_elasticity are for effect='direct'"):
        priced.optimize_budget(effect="total", price_level={"media_1": 1.1})
