"""Plans are the best there are, and keep their limits."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from helpers import refuses_from as refuses
from known_curves import MEDIA, SIZE, WIDE, Interacting, Known, best_by_roots, steady
from skmmm.allocation import budget_path, optimize_budget
from skmmm.allocation._words import _less_money_in_words

pytestmark = pytest.mark.usefixtures("short_chains")


# --- plans whose optimum is known ----------------------------------------------------


@pytest.mark.parametrize("share", [0.6, 1.0, 1.7])
def test_best_plan_of_concave_curves(X, share):
    budget = share * X.sum().sum()
    expected, earned, spent = best_by_roots(X, budget)
    assert (expected > WIDE[0]).all()
    assert (expected < WIDE[1]).all()
    plan = optimize_budget(
        Known().fit(), budget, X=X, bounds=WIDE, allow_extrapolation=True
    )
    assert plan.success
    assert plan.allocation.index.name == "channel"
    assert_allclose(plan.x, expected, rtol=0.02)
    assert_allclose(plan.allocation["factor"], plan.x)
    assert_allclose(plan.allocation["spend"], plan.x * spent)
    assert_allclose(plan.allocation["current_spend"], spent)
    assert_allclose(plan.allocation["change"], plan.x - 1.0)
    assert_allclose(plan.allocation["spend"].sum(), budget, rtol=1e-6)
    assert_allclose(plan.allocation["contribution"], earned * np.sqrt(plan.x))
    assert plan.outcome == pytest.approx((earned * np.sqrt(expected)).sum(), rel=1e-5)
    assert plan.current_outcome == pytest.approx(earned.sum())
    marginal = plan.allocation["mroi"]
    assert_allclose(marginal, marginal.mean(), rtol=0.02)
    assert plan.allocation["reason"].str.startswith("equal marginal return").all(), (
        plan.allocation
    )
    assert np.isnan(
        [plan.outcome_low, plan.outcome_high, plan.probability_better]
    ).all()


def test_best_plan_between_bounds(X):
    spent = X.sum().to_numpy()

    def hill(x, channel):
        half = {"tv": 100.0, "search": 10.0, "radio": 400.0}[channel]
        return SIZE[channel] * x / (x + half)

    def lost(f):
        return -sum(hill(a * X[m], m).sum() for a, m in zip(f, MEDIA, strict=True))

    own = minimize(
        lost,
        np.ones(3),
        bounds=[(0.5, 2.0)] * 3,
        constraints={"type": "eq", "fun": lambda f: (f @ spent) / spent.sum() - 1.0},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    plan = optimize_budget(Known(hill).fit(), X=X)
    assert plan.outcome == pytest.approx(-own.fun, rel=1e-6)
    assert plan.outcome > plan.current_outcome
    assert_allclose(plan.x, own.x, atol=0.01)
    assert plan.allocation["spend"].sum() == pytest.approx(spent.sum(), rel=1e-6)
    assert (plan.x >= 0.5).all()
    assert (plan.x <= 2.0).all()
    # What hits a bound says so.
    for multiple, reason in zip(plan.x, plan.allocation["reason"], strict=True):
        ends = {0.5: "at lower bound", 2.0: "at upper bound"}
        assert reason == ends.get(round(multiple, 3), "equal marginal return")
    assert set(plan.allocation["reason"]) & {"at lower bound", "at upper bound"}


def test_threshold_that_a_climb_does_not_pass():
    # Television is past its threshold; radio would earn more, but far away.
    def s_shaped(x, channel):
        size, half, slope = {"tv": (1.0, 1.5, 2.0), "radio": (3.0, 2.5, 6.0)}[channel]
        power = (x / half) ** slope
        return size * power / (1.0 + power)

    X = steady(tv=3.0, radio=1.0)

    def earned(f):
        return 12 * (s_shaped(3.0 * f[0], "tv") + s_shaped(f[1], "radio"))

    climb = minimize(
        lambda f: -earned(f),
        np.ones(2),
        bounds=[(0.0, 4.0)] * 2,
        constraints={"type": "eq", "fun": lambda f: 3.0 * f[0] + f[1] - 4.0},
        method="SLSQP",
    )
    shares = np.linspace(0.0, 4.0, 4001)
    best = max(earned(((4.0 - radio) / 3.0, radio)) for radio in shares)
    assert -climb.fun < 0.5 * best
    plan = optimize_budget(
        Known(s_shaped, media=["tv", "radio"]).fit(),
        X=X,
        bounds=(0.0, 4.0),
        allow_extrapolation=True,
    )
    assert plan.outcome > 0.999 * best
    assert plan.outcome <= best * (1 + 1e-6)
    assert plan.allocation["spend"].sum() == pytest.approx(48.0, rel=1e-6)
    assert "beyond observed data" in plan.allocation["reason"]["radio"]


def test_regions_are_planned_as_by_hand(X):
    X = X.assign(region=["A", "B"] * 15)
    cells = X.groupby("region")[MEDIA]
    spent = cells.sum().to_numpy().T  # channel, region
    roots = cells.agg(lambda x: np.sqrt(x).sum()).to_numpy().T
    earned = np.array([SIZE[m] for m in MEDIA])[:, None] * roots * [1.0, 1.5]
    multiple = (earned / spent) ** 2
    multiple *= spent.sum() / (multiple * spent).sum()
    arguments = {"X": X, "bounds": (0.2, 6.0), "allow_extrapolation": True}
    model = Known(region="region").fit()
    plan = optimize_budget(model, by="region", **arguments)
    assert plan.allocation.index.names == ["channel", "region"]
    assert list(plan.allocation.index[:2]) == [("tv", "A"), ("tv", "B")]
    assert_allclose(plan.x.reshape(3, 2), multiple, rtol=0.02)
    assert plan.outcome == pytest.approx((earned * np.sqrt(multiple)).sum(), rel=1e-5)
    whole = optimize_budget(model, **arguments)
    assert whole.current_outcome == pytest.approx(plan.current_outcome)
    assert whole.outcome < plan.outcome * 0.99
    # The planned rows are X with these multiples.
    for m, channel in enumerate(MEDIA):
        by_row = np.where(X["region"] == "A", *plan.x.reshape(3, 2)[m])
        assert_allclose(plan.X[channel], X[channel] * by_row)
    gain = (model.predict(plan.X) - model.predict(X)).sum()
    assert gain == pytest.approx(plan.outcome - plan.current_outcome)


def test_current_plan_is_kept_where_it_is_best(X):
    expected, _, _ = best_by_roots(X, X.sum().sum())
    best = X * expected
    plan = optimize_budget(Known().fit(), X=best)
    assert plan.success
    assert plan.outcome >= plan.current_outcome * (1 - 1e-12)
    assert plan.outcome == pytest.approx(plan.current_outcome, rel=1e-6)
    assert_allclose(plan.x, 1.0, atol=2e-3)


def test_half_the_budget_says_what_less_money_costs_and_the_split_makes_up(X):
    """KPI grows with the square root: half of the money costs 29.3 % by itself."""
    plan = optimize_budget(Known().fit(), X.sum().sum() / 2, X=X, bounds=(0.0, 1.0))
    assert plan.success
    assert plan.outcome < plan.current_outcome
    assert plan.message.startswith("Under the plan, media cause ")
    said = "today (of what media cause, not of the whole KPI), on 50.0% less spend"
    assert said in plan.message
    assert "worse" not in plan.message
    gain = plan.outcome / plan.current_outcome - 1.0
    assert gain > np.sqrt(0.5) - 1.0
    points = 100 * (gain - np.sqrt(0.5) + 1.0)
    assert (
        " Today's mix on that spend would cause 29.3% less than today; the split of "
        f"the plan makes up {points:.1f} percentage points of that."
    ) in plan.message
    assert "Today's mix" not in optimize_budget(Known().fit(), X=X).message


def test_a_split_that_bounds_make_worse_than_todays_mix_is_said_to(X):
    spend = X.sum()
    best = spend.index[0]
    bounds = {name: (1.0, 1.0) if name != best else (0.0, 1.0) for name in spend.index}
    plan = optimize_budget(
        Known().fit(), spend.sum() - 0.9 * spend[best], X=X, bounds=bounds
    )
    assert plan.success
    assert "the split of the plan takes away " in plan.message


@pytest.mark.parametrize(
    ("gain", "as_today", "said"),
    [
        (-0.01, -0.03, "3.0% less than today; the split of the plan makes up 2.0"),
        (0.02, -0.03, "3.0% less than today; the split of the plan adds 5.0"),
        (-0.05, -0.03, "3.0% less than today; the split of the plan takes away 2.0"),
        (0.03, 0.01, "1.0% more than today; the split of the plan adds 2.0"),
        (-0.02, 0.01, "1.0% more than today; the split of the plan takes away 3.0"),
        (-0.03, -0.03, "the split of the plan changes nothing, and bounds may leave"),
    ],
)
def test_what_the_split_does_to_less_money_in_words(gain, as_today, said):
    text = _less_money_in_words(gain, as_today)
    assert said in text
    assert text.endswith("of that.") == (as_today < gain < 0)


def test_the_same_spend_can_be_worse_than_today(X):
    spend = X.sum()
    first, second = spend.index[:2]
    given = {first: 0.1 * spend[first], second: spend[second] + 0.9 * spend[first]}
    rest = [name for name in spend.index if name not in given]
    plan = optimize_budget(
        Known().fit(), X=X, fixed=given | {name: spend[name] for name in rest}
    )
    assert plan.outcome < plan.current_outcome
    assert "This is worse than today." in plan.message


# --- limits --------------------------------------------------------------------------


def test_fixed_channels(X):
    free = optimize_budget(Known().fit(), X=X)
    plan = optimize_budget(Known().fit(), X=X, fixed=["search"])
    assert plan.x[1] == pytest.approx(1.0)
    assert plan.allocation["reason"]["search"] == "fixed"
    assert free.x[1] != pytest.approx(1.0, abs=0.05)
    assert plan.allocation["spend"].sum() == pytest.approx(X.sum().sum(), rel=1e-6)
    assert plan.current_outcome < plan.outcome < free.outcome
    plan = optimize_budget(Known().fit(), X=X, fixed={"search": 700.0})
    assert plan.allocation["spend"]["search"] == pytest.approx(700.0)
    assert plan.allocation["spend"].sum() == pytest.approx(X.sum().sum(), rel=1e-6)


def test_fixed_cell_and_bounds_of_a_cell(X):
    X = X.assign(region=["A", "B"] * 15)
    now = X[X["region"] == "B"]["tv"].sum()
    plan = optimize_budget(
        Known(region="region").fit(),
        X=X,
        by="region",
        fixed={("tv", "B"): 0.8 * now},
        bounds={("radio", "A"): (0.9, 1.1), "radio": (0.7, 1.3)},
    )
    table = plan.allocation
    assert table.loc[("tv", "B"), "spend"] == pytest.approx(0.8 * now)
    assert table.loc[("tv", "B"), "reason"] == "fixed"
    assert table.loc[("tv", "A"), "reason"] != "fixed"
    assert 0.9 <= table.loc[("radio", "A"), "factor"] <= 1.1
    assert 0.7 <= table.loc[("radio", "B"), "factor"] <= 1.3
    assert table["spend"].sum() == pytest.approx(X[MEDIA].sum().sum(), rel=1e-6)


WEEK = pd.Timestamp("2024-01-08")
WEEKLY = {("tv", WEEK): (0.9, 1.0), ("tv", "2024-01-08"): (0.5, 0.6)}


@pytest.mark.parametrize(
    ("by", "arguments", "message"),
    [
        (
            "region",
            {"fixed": {("tv", "A"): 100.0, "tv": 900.0}},
            "fixed sets 'tv' as a whole and 'tv' in region A.",
        ),
        (
            "period",
            {"fixed": {("tv", WEEK): 1.0, ("tv", "2024-01-08"): 2.0}},
            "fixed of 'tv' in period 2024-01-08 00:00:00 is given twice, as 1.0 and",
        ),
        (
            "period",
            {"bounds": WEEKLY},
            "bounds of 'tv' in period 2024-01-08 00:00:00 is given twice, as (0.9,",
        ),
        (
            "period",
            {"money_bounds": WEEKLY},
            "money_bounds of 'tv' in period 2024-01-08 00:00:00 is given twice, as",
        ),
        (
            "channel",
            {"bounds": {"tv": (0.5, 1.0), 0: (1.0, 2.0)}},
            "bounds of 'tv' is given twice, as (0.5, 1.0) and as (1.0, 2.0).",
        ),
        (
            "channel",
            {"constraints": [({"tv": 1.0, 0: 2.0}, None, 9.0)]},
            "constraint 0 weighs 'tv' twice. Leave one out.",
        ),
    ],
)
def test_one_cell_has_one_limit(by, arguments, message):
    """In whatever order two keys that name the same cell are written."""
    X = steady(tv=10.0, search=5.0, radio=5.0).assign(
        region=["A", "B"] * 6,
        week=np.repeat(pd.date_range("2024-01-01", periods=6, freq="7D"), 2),
    )
    model = Known(region="region", time="week").fit()
    with refuses(message):
        optimize_budget(model, X=X, by=by, **arguments)
    for name in {*arguments} - {"constraints"}:
        turned = dict(reversed(arguments[name].items()))
        with refuses(message.partition(", as")[0]):
            optimize_budget(model, X=X, by=by, **{name: turned})


def test_the_same_limit_may_be_written_twice():
    X = steady(tv=10.0, search=5.0, radio=5.0).assign(
        week=pd.date_range("2024-01-01", periods=12, freq="7D")
    )
    twice = {("tv", WEEK): (0.9, 1.0), ("tv", "2024-01-08"): [0.9, 1.0]}
    model = Known(time="week").fit()
    plan = optimize_budget(model, X=X, by="period", bounds=twice)
    assert 0.9 <= plan.allocation.loc[("tv", WEEK), "factor"] <= 1.0


def test_limits_name_channels_by_position(X):
    model, now = Known().fit(), X.sum()
    plan = optimize_budget(
        model,
        X=X,
        bounds={0: (0.9, 1.1)},
        fixed=[-1],
        constraints=[([0, 1], None, 0.99 * now[["tv", "search"]].sum())],
        budget=0.98 * now.sum(),
    )
    same = optimize_budget(
        model,
        X=X,
        bounds={"tv": (0.9, 1.1)},
        fixed=["radio"],
        constraints=[(["tv", "search"], None, 0.99 * now[["tv", "search"]].sum())],
        budget=0.98 * now.sum(),
    )
    assert_array_equal(plan.x, same.x)
    assert plan.message == same.message
    money = optimize_budget(model, X=X, money_bounds={0: (0.0, 0.9 * now["tv"])})
    assert money.x[0] <= 0.9 + 1e-9
    with refuses(
        "fixed names 7, which is not one of the media columns ['tv', 'search', "
        "'radio']."
    ):
        optimize_budget(model, X=X, fixed=[7])


def test_limit_of_a_group_binds(X):
    free = optimize_budget(Known().fit(), X=X)
    together = free.allocation["spend"][["tv", "search"]].sum()
    most = 0.9 * together
    plan = optimize_budget(
        Known().fit(), X=X, constraints=[(["tv", "search"], None, most)]
    )
    assert plan.success
    spend = plan.allocation["spend"]
    assert spend[["tv", "search"]].sum() == pytest.approx(most, rel=1e-6)
    assert spend.sum() == pytest.approx(X.sum().sum(), rel=1e-6)
    assert plan.outcome < free.outcome
    assert plan.allocation["reason"]["search"] in ("group limit", "at upper bound")
    # Weights: television may be at most so many times radio.
    plan = optimize_budget(
        Known().fit(), X=X, constraints=[({"tv": 1.0, "radio": -0.8}, None, 0.0)]
    )
    spend = plan.allocation["spend"]
    assert spend["tv"] <= 0.8 * spend["radio"] * (1 + 1e-6)


def test_plans_end_where_data_do(X):
    X = X.assign(tv=np.linspace(90.0, 110.0, 30))  # nearly always the same

    def earned(x, channel):
        return x if channel == "tv" else 1e-3 * x

    until = np.quantile(X["tv"], 0.99) / X["tv"].mean()
    plan = optimize_budget(Known(earned).fit(), X=X, bounds=(0.5, 3.0))
    assert plan.x[0] == pytest.approx(until, rel=1e-6)
    assert plan.allocation["reason"]["tv"] == "beyond observed spend"
    plan = optimize_budget(
        Known(earned).fit(), X=X, bounds=(0.5, 1.5), allow_extrapolation=True
    )
    assert plan.x[0] == pytest.approx(1.5, abs=1e-3)
    assert plan.allocation["reason"]["tv"] == "at upper bound; beyond observed data"
    with refuses("bounds of 'tv' ask for at least 1.4 times its spend, but data end"):
        optimize_budget(Known(earned).fit(), X=X, bounds={"tv": (1.4, 2.0)})
    # No bound is needed where data set it.
    plan = optimize_budget(Known(earned).fit(), X=X, bounds=(0.5, np.inf))
    assert plan.x[0] == pytest.approx(until, rel=1e-6)


def test_channel_that_spends_nothing(X):
    X = X.assign(radio=0.0)
    plan = optimize_budget(Known().fit(), X=X)
    assert plan.success
    assert plan.allocation["reason"]["radio"] == "no spend to scale"
    said = " No spend in these rows, so nothing to plan: ['radio']. To plan it, give it"
    assert plan.message.count(said) == 1
    others = optimize_budget(Known().fit(), X=X.assign(radio=1.0))
    assert "No spend" not in others.message
    assert plan.allocation["spend"]["radio"] == 0.0
    assert plan.allocation["spend"].sum() == pytest.approx(X.sum().sum(), rel=1e-6)
    with refuses("fixed asks to spend 10.0 on 'radio', which spends nothing in X"):
        optimize_budget(Known().fit(), X=X, fixed={"radio": 10.0})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 1.0}, "No plan: the budget allows 1, but the bounds ask for"),
        ({"budget": 1e5}, "No plan: the budget asks for 100,000, but the bounds"),
        ({"bounds": (1.2, 1.3)}, "No plan: the budget allows"),
        ({"constraints": [("tv", 1e7, None)]}, "No plan: constraint 0 asks for"),
        (
            {
                "bounds": (0.5, 1.5),
                "constraints": [("tv", 2500.0, None), ("tv", None, 2400.0)],
            },
            "No plan was found that keeps bounds, budget and constraints together",
        ),
    ],
)
def test_limits_that_contradict_each_other(arguments, message):
    X = steady(tv=200.0, search=100.0, radio=50.0)
    plan = optimize_budget(Known().fit(), X=X, allow_extrapolation=True, **arguments)
    assert not plan.success
    assert plan.message.startswith(message)
    assert_allclose(plan.x, 1.0)
    assert plan.outcome == plan.current_outcome


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "week"}, "by='week' must be one of ['channel', 'period', 'region']."),
        ({"by": "region"}, "by='region' needs the region column"),
        ({"bounds": (np.nan, 2.0)}, "bounds must be two numbers (low, high)"),
        ({"bounds": (2.0, 0.5)}, "bounds must hold 0 <= low <= high"),
        ({"bounds": (-1.0, 0.5)}, "bounds must hold 0 <= low <= high"),
        ({"bounds": {"tv": 2.0}}, "bounds of 'tv' must be two numbers"),
        ({"bounds": {"TV": (1, 2)}}, "bounds names 'TV', which is not one of"),
        ({"bounds": {("tv", "A"): (1, 2)}}, "bounds names ('tv', 'A'); with"),
        (
            {"bounds": (0.5, np.inf), "allow_extrapolation": True},
            "The upper bound of 'tv' is infinite",
        ),
        ({"fixed": ["TV"]}, "fixed names 'TV', which is not one of"),
        ({"fixed": "tv"}, "fixed must be a list or a mapping, got 'tv'."),
        ({"fixed": {"tv": np.nan}}, "fixed spend of 'tv' must be a number from 0 up"),
        ({"fixed": {"tv": -1.0}}, "fixed spend of 'tv' must be a number from 0 up"),
        ({"constraints": [("TV", 0, 1)]}, "constraint 0 names 'TV', which is not"),
        ({"constraints": [("tv", 2, 1)]}, "constraint 0 must hold least <= most"),
        ({"constraints": [("tv", np.nan, 1)]}, "constraint 0 must hold least <= most"),
        ({"constraints": [("tv", 1)]}, "constraint 0 must be (channels, least, most)"),
        ({"constraints": {"tv": 1}}, "constraints must be a list of (channels, least"),
        ({"constraints": [({"tv": np.inf}, 0, 1)]}, "constraint 0 weighs 'tv' with"),
        ({"budget": np.nan}, "budget must be a positive number, got nan."),
        ({"budget": -1.0}, "budget must be a positive number, got -1.0."),
        ({"target_roi": 0.0}, "target_roi must be a positive number, got 0.0."),
        (
            {"target_roi": 1.0, "target_mroi": 1.0},
            "Give target_roi or target_mroi, not both.",
        ),
        ({"risk": "cvar"}, "risk must be None (the mode)"),
        ({"risk": ("var", 0.1)}, "risk must be None (the mode)"),
        ({"risk": ("cvar", 0.0)}, "The share of ('cvar', share) is 0.0"),
        ({"risk": ("cvar", 1.5)}, "The share of ('cvar', share) is 1.5"),
        ({"risk": ("sd", -1.0)}, "The k of ('sd', k) is -1.0"),
        ({"horizon": 4}, "Give X or horizon, not both."),
        ({"horizon": 4, "X": None}, "horizon needs an estimator that remembers"),
        ({"X": None}, "Known does not remember its training rows: pass X."),
        ({"bounds": {"tv": (0, 900_000)}}, "bounds of 'tv' ask for 900,000 times"),
        ({"bounds": (0, 101)}, "bounds ask for 101 times current spend. If they are"),
        ({"bounds": (200, np.inf)}, "bounds ask for 200 times current spend."),
        (
            {"bounds": {"tv": (0, 2)}, "fixed": ["tv"]},
            "bounds and fixed both limit 'tv'. Leave it out of one of them.",
        ),
        (
            {"money_bounds": {"tv": (0, 2)}, "fixed": {"tv": 1.0}},
            "money_bounds and fixed both limit 'tv'.",
        ),
        (
            {"money_bounds": {"tv": (0, 2)}, "bounds": {"tv": (0, 2)}},
            "bounds and money_bounds both limit 'tv'.",
        ),
        ({"money_bounds": (0, 9)}, "money_bounds must map channels to (least, most)"),
        ({"money_bounds": {"TV": (0, 9)}}, "money_bounds names 'TV', which is not"),
        ({"money_bounds": {"tv": 9}}, "money_bounds of 'tv' must be two numbers (low,"),
        ({"money_bounds": {"tv": (9, 0)}}, "money_bounds of 'tv' must hold 0 <= low"),
        (
            {"media_cost": {"tv": 2.0}, "money_bounds": {"radio": (0, 9)}},
            "money_bounds limits 'radio', which has no cost beside channels that have",
        ),
        (
            {"media_cost": {"tv": 2.0}, "bounds": {"radio": (2, 3)}},
            "bounds limits 'radio', which has no cost beside channels that have",
        ),
        (
            {"media_cost": {"tv": 2.0}, "fixed": {"radio": 5.0}},
            "fixed limits 'radio', which has no cost beside channels that have",
        ),
        (
            {"media_cost": {"tv": 2.0}, "constraints": [("radio", None, 5.0)]},
            "constraint 0 limits 'radio', which has no cost beside channels that",
        ),
        ({"effect": "total"}, "effect='total' needs a channel graph"),
        ({"confidence_level": 1.0}, "confidence_level=1.0 must be"),
    ],
)
def test_what_makes_no_sense_is_refused(X, arguments, message):
    with refuses(message):
        optimize_budget(Known().fit(), **{"X": X} | arguments)


def test_rows_in_place_of_a_budget_are_not_printed(X):
    model = Known().fit()
    said = "budget is a number, got a DataFrame; pass rows as X=..."
    for arguments in ({}, {"X": X}):
        with refuses(said):
            optimize_budget(model, X, **arguments)
    with refuses("budget is a number, got a ndarray; pass rows as X=..."):
        optimize_budget(model, X.to_numpy())
    wrong = [{"target_roi": X}, {"bounds": X}, {"constraints": [X]}, {"risk": X}]
    for arguments in ({"horizon": X}, *({"X": X} | one for one in wrong)):
        with pytest.raises(ValueError, match=r"got a DataFrame of shape \(30, 3\)"):
            optimize_budget(model, **arguments)


def test_money(X):
    cost = {"tv": 2.0, "search": 0.5, "radio": 1.0}
    money = X * pd.Series(cost)
    plan = optimize_budget(Known().fit(), X=X, media_cost=cost)
    assert_allclose(plan.allocation["current_spend"], money.sum())
    assert plan.allocation["spend"].sum() == pytest.approx(money.sum().sum(), rel=1e-6)
    assert_allclose(plan.X[MEDIA].sum() * pd.Series(cost), plan.allocation["spend"])


def test_bounds_in_money(X):
    now = X["tv"].sum()
    money = {"tv": (0.9 * now, 1.05 * now)}
    plan = optimize_budget(Known().fit(), X=X, money_bounds=money)
    same = optimize_budget(Known().fit(), X=X, bounds={"tv": (0.9, 1.05)})
    assert_allclose(plan.x, same.x)
    # By region, a channel's money is counted over all regions.
    X = X.assign(region=["A", "B"] * 15)
    model = Known(region="region").fit()
    plan = optimize_budget(model, X=X, by="region", money_bounds={"tv": (0, 0.8 * now)})
    assert plan.allocation.loc["tv", "spend"].sum() <= 0.8 * now * (1 + 1e-6)
    assert (plan.allocation.loc["tv", "reason"] == "group limit").any()
    own = X.loc[X["region"] == "B", "tv"].sum()
    cell = {("tv", "B"): (0.0, 0.7 * own)}
    plan = optimize_budget(model, X=X, by="region", money_bounds=cell)
    assert plan.allocation.loc[("tv", "B"), "factor"] <= 0.7 + 1e-9
    plan = optimize_budget(model, X=X, by="region", money_bounds={"tv": (0, 1.0)})
    assert plan.message.startswith("No plan: money_bounds of 'tv' allows 1, but")


@pytest.mark.parametrize("by", ["channel", "region"])
def test_media_without_a_cost_stay_as_they_are(X, by):
    X = X.assign(region=["A", "B"] * 15)
    model = Known(region="region").fit()
    cost = {"tv": 2.0, "search": 0.5}
    for fixed in (None, ["radio"]):
        plan = optimize_budget(model, X=X, by=by, media_cost=cost, fixed=fixed)
        assert plan.success
        assert plan.message.endswith("Without a cost, as today: ['radio'].")
        assert plan.outcome > plan.current_outcome
        radio = plan.allocation.loc[["radio"]]
        assert (radio["reason"] == "no cost: as today").all()
        assert (radio["factor"] == 1.0).all()
        assert (radio["contribution"] > 0).all()
        assert radio[["spend", "current_spend", "roi", "mroi"]].isna().all(axis=None)
        assert_allclose(plan.X["radio"], X["radio"])
        money = (X[["tv", "search"]] * pd.Series(cost)).sum().sum()
        assert plan.allocation["spend"].sum() == pytest.approx(money, rel=1e-6)
    path = budget_path(model, [money], X=X, media_cost=cost)
    assert path.table["as_today"].iloc[0] == pytest.approx(path.current_outcome)


def test_channels_that_interact_are_told_what_bounds_allow(X):
    def together(x, channel):
        return np.sqrt(x)

    model = Interacting(together).fit()
    plan = optimize_budget(model, 1e6, X=X)
    assert plan.message.startswith("No plan: the budget asks for 1,000,000, but the")


def test_a_channel_that_is_held_never_helps():
    """Also where curves are S-shaped, so that there are many local optima."""
    media = [f"m{i}" for i in range(6)]
    for seed, channel in ((7, "m2"), (13, "m5")):  # found by trying 40 worlds
        rng = np.random.default_rng(seed)
        rng.integers(2, 7)
        spend = rng.lognormal(0, 0.3, (6, 6)) * rng.lognormal(0, 1, 6)
        X = pd.DataFrame(spend, columns=media)
        size = dict(zip(media, rng.lognormal(0, 1, 6), strict=True))
        half = dict(zip(media, X.mean() * rng.lognormal(0.3, 0.7, 6), strict=True))
        slope = dict(zip(media, rng.uniform(0.7, 5, 6), strict=True))

        def hill(x, m, size=size, half=half, slope=slope):
            power = (x / half[m]) ** slope[m]
            return size[m] * power / (1.0 + power)

        asked = {"X": X, "bounds": (0.0, 3.0), "allow_extrapolation": True}
        model = Known(hill, media=media).fit()
        free = optimize_budget(model, **asked)
        held = optimize_budget(model, fixed=[channel], **asked)
        assert held.outcome <= free.outcome * (1 + 1e-7)
