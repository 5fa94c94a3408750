"""Plans are the best there are, keep their limits, and deliver what they promise."""

import re
from copy import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime, brentq, minimize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning

from skmmm import DeepCausalMMMRegressor
from skmmm._counterfactual import ModelCounterfactual
from skmmm._data.panel import as_usual
from skmmm._planning.problem import read_risk
from skmmm.allocation import _in_words, budget_path, optimize_budget
from skmmm.datasets import make_mmm_panel
from skmmm.scenarios import make_future_frame

pytestmark = pytest.mark.usefixtures("one_thread", "short_chains")

MEDIA = ["tv", "search", "radio"]
SIZE = {"tv": 10.0, "search": 8.0, "radio": 10.0}
WIDE = (0.3, 4.0)


def refuses(message):
    return pytest.raises(ValueError, match="^" + re.escape(message))


def root(x, channel):
    return SIZE[channel] * np.sqrt(x)


class Known(RegressorMixin, BaseEstimator):
    """A KPI that is a known function of the spend of every row."""

    def __init__(self, curve=root, media=MEDIA, region=None, time=None):
        self.curve = curve
        self.media = media
        self.region = region
        self.time = time

    def fit(self, X=None, y=None):
        self.media_ = list(self.media)
        return self

    def predict(self, X):
        size = 1.0 if self.region is None else X[self.region].map({"A": 1.0, "B": 1.5})
        total = sum(self.curve(X[m].to_numpy(), m) for m in self.media)
        return np.asarray(1000.0 + size * total, dtype=float)


class Interacting(Known):
    """The same, but channels add to each other."""

    def predict(self, X):
        return super().predict(X) + np.sqrt(X["tv"] * X["radio"]).to_numpy()


@pytest.fixture(scope="module")
def X():
    """Thirty rows whose spend varies widely, so that data hardly end."""
    spend = np.random.default_rng(0).lognormal(3.0, 1.2, (30, 3))
    return pd.DataFrame(spend * [3.0, 1.0, 2.0], columns=MEDIA)


def steady(**spend):
    """Twelve rows that spend the same."""
    return pd.DataFrame({m: np.full(12, float(x)) for m, x in spend.items()})


def best_by_roots(X, budget, sizes=SIZE):
    """Multiples of the best plan for square roots, whose marginal returns are equal."""
    earned = np.array([sizes[m] * np.sqrt(X[m]).sum() for m in X])
    spent = X.sum().to_numpy()
    multiple = (earned / spent) ** 2
    return multiple * budget / (multiple @ spent), earned, spent


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


def test_half_the_budget_is_worse_than_today(X):
    plan = optimize_budget(Known().fit(), X.sum().sum() / 2, X=X, bounds=(0.0, 1.0))
    assert plan.success
    assert plan.outcome < plan.current_outcome
    assert "This is worse than today." in plan.message
    assert "50.0% less spend" in plan.message
    assert "worse" not in optimize_budget(Known().fit(), X=X).message


# --- targets -------------------------------------------------------------------------


def test_target_roi_is_what_all_spend_returns(X):
    _, earned, spent = best_by_roots(X, 1.0)
    today = earned.sum() / spent.sum()
    target = 0.9 * today
    arguments = {"X": X, "bounds": WIDE, "allow_extrapolation": True}
    plan = optimize_budget(Known().fit(), target_roi=target, **arguments)
    assert plan.success
    assert plan.outcome / plan.allocation["spend"].sum() == pytest.approx(
        target, rel=1e-4
    )
    # Of plans with that spend it is the best.
    budget = plan.allocation["spend"].sum()
    same = optimize_budget(Known().fit(), budget, **arguments)
    assert plan.outcome == pytest.approx(same.outcome, rel=1e-4)
    assert budget > spent.sum()
    # A budget is a limit then, not to be spent.
    limited = optimize_budget(
        Known().fit(), 0.9 * budget, target_roi=target, **arguments
    )
    assert limited.allocation["spend"].sum() == pytest.approx(0.9 * budget, rel=1e-5)
    assert limited.outcome / (0.9 * budget) > target


def test_target_mroi_is_what_the_last_unit_returns(X):
    _, earned, spent = best_by_roots(X, 1.0)
    target = 0.45 * earned.sum() / spent.sum()
    multiples = (earned / (2.0 * spent * target)) ** 2
    bounds = {"tv": (0.2, 6.0), "search": (0.2, 6.0), "radio": (0.5, 0.6)}
    limits = np.array([bounds[m][1] for m in MEDIA])
    least = np.array([bounds[m][0] for m in MEDIA])
    plan = optimize_budget(
        Known().fit(), X=X, target_mroi=target, bounds=bounds, allow_extrapolation=True
    )
    assert_allclose(plan.x, np.clip(multiples, least, limits), rtol=5e-3)
    free = (plan.x > least + 0.01) & (plan.x < limits - 0.01)
    assert free.sum() == 2
    assert_allclose(plan.allocation["mroi"][free], target, rtol=0.01)
    assert plan.success


def test_target_that_no_plan_reaches(X):
    plan = optimize_budget(Known().fit(), X=X, target_roi=1e6)
    assert not plan.success
    assert plan.message.startswith("No plan:")
    assert "target_roi" in plan.message
    assert_allclose(plan.x, 1.0)
    assert set(plan.allocation["reason"]) == {"as today"}
    plan = optimize_budget(Known().fit(), X=X, target_mroi=1e6)
    assert not plan.success
    assert plan.message.startswith("The target is not reached")


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


def test_media_without_a_cost_of_the_regressor(funnel):
    data, model = funnel
    model = clone(model).set_params(media_cost={"media_1": 2.0}, max_iter=10)
    with pytest.warns(ConvergenceWarning):
        model.fit(data.X, data.y)
    summary = model.channel_summary()
    assert summary.loc["media_2", ["roi", "mroi"]].isna().all()
    assert summary.loc["media_1", ["roi", "mroi"]].notna().all()
    for effect in ("direct", "total"):
        half = {"media_1": data.X["media_1"].sum()}  # a unit costs 2
        plan = model.optimize_budget(sum(half.values()), fixed=half, effect=effect)
        assert plan.success, plan.message
        assert plan.allocation.loc["media_2", "factor"] == 1.0
        assert plan.allocation["spend"].sum() == pytest.approx(half["media_1"])
        answers = effect == "total"
        assert (plan.X["media_2"].sum() < 0.99 * data.X["media_2"].sum()) == answers
        said = "own spend as today, answers others" if answers else "as today"
        assert plan.allocation["reason"]["media_2"] == f"no cost: {said}"
        assert plan.message.endswith(f"Without a cost, {said}: ['media_2'].")


@pytest.mark.parametrize("paid", [["media_1"], ["media_2"], ["media_1", "media_2"]])
def test_returns_of_total_effects_are_per_unit_of_what_they_are_charged(funnel, paid):
    data, model = funnel
    model = clone(model).set_params(media_cost=dict.fromkeys(paid, 2.0), max_iter=10)
    with pytest.warns(ConvergenceWarning):
        model.fit(data.X, data.y)
    asked = {"effect": "total", "allow_extrapolation": True}
    half = {c: data.X[c].sum() for c in paid}
    plan = model.optimize_budget(sum(half.values()), fixed=half, **asked)
    table = plan.allocation
    roi = (table["contribution"] / table["origin_spend"]).loc[paid]
    assert_allclose(table["roi"].loc[paid], roi)
    assert_allclose(2.0 * plan.X[paid].sum(), table["spend"].loc[paid])
    assert table["origin_spend"].sum() == pytest.approx(table["spend"].sum())
    summary = model.channel_summary(plan.X, effect="total").loc[paid]
    assert_allclose(table["origin_spend"].loc[paid], summary["spend"])
    for name in ("roi", "mroi"):
        assert_allclose(table[name].loc[paid], summary[name])
    rest = table.drop(index=paid)[["spend", "origin_spend", "roi", "mroi"]]
    assert rest.isna().all(axis=None)
    assert "origin_spend" not in model.optimize_budget(fixed=paid).allocation


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


# --- risk ----------------------------------------------------------------------------


@pytest.mark.parametrize("risk", [None, ("cvar", 0.3), ("cvar", 1.0), ("sd", 1.5)])
def test_weights_are_the_gradient_of_what_is_maximised(risk):
    weigh, worth = read_risk(risk)
    outcome = np.random.default_rng(0).normal(10.0, 3.0, 17)
    assert_allclose(weigh(outcome), approx_fprime(outcome, worth, 1e-6), atol=1e-6)


def test_worth_by_hand():
    outcome = np.array([4.0, 1.0, 3.0, 2.0])
    assert read_risk(("cvar", 0.5))[1](outcome) == pytest.approx(1.5)
    assert read_risk(("cvar", 0.375))[1](outcome) == pytest.approx(
        (1.0 + 0.5 * 2) / 1.5
    )
    assert read_risk(("sd", 2.0))[1](outcome) == pytest.approx(
        2.5 - 2.0 * np.sqrt(1.25)
    )


# --- periods -------------------------------------------------------------------------


def test_bursts_pass_a_threshold_that_even_spend_does_not():
    def s_shaped(x, channel):
        power = (x / 2.0) ** 4
        return 100.0 * power / (1.0 + power)

    X = steady(tv=1.0).assign(week=pd.date_range("2024-01-01", periods=12, freq="7D"))
    plan = optimize_budget(
        Known(s_shaped, media=["tv"], time="week").fit(),
        X=X,
        by="period",
        bounds=(0.0, 4.0),
        allow_extrapolation=True,
    )
    assert plan.allocation.index.names == ["channel", "period"]
    assert plan.allocation["spend"].sum() == pytest.approx(12.0, rel=1e-3)
    assert plan.current_outcome == pytest.approx(12 * s_shaped(1.0, "tv"))
    # The best is to spend where the average return is highest.
    spend = np.linspace(0.1, 4.0, 1000)
    bound = 12.0 * (s_shaped(spend, "tv") / spend).max()
    assert 0.95 * bound < plan.outcome <= bound * (1 + 1e-6)
    predicted = Known(s_shaped, media=["tv"]).fit().predict(plan.X)
    assert predicted.sum() - 12_000.0 == pytest.approx(plan.outcome)


def test_gradient_by_period(fitted):
    what_if = fitted._counterfactual()
    _, names = what_if.groups("period")
    rng = np.random.default_rng(0)
    plan = rng.uniform(0.5, 2.0, (3, len(names)))
    for draws in (False, True):
        asked = what_if.flights(draws=draws)
        n_draws = len(asked(plan, np.ones_like)[0])
        weight = rng.uniform(0.0, 1.0, n_draws)
        _, gradient = asked(plan, lambda outcome, weight=weight: weight)
        for cell in [(0, 0), (1, 30), (2, len(names) - 1), (0, 57)]:
            more, less = plan.copy(), plan.copy()
            more[cell] += 1e-4
            less[cell] -= 1e-4
            slope = (asked(more, np.ones_like)[0] - asked(less, np.ones_like)[0]) / 2e-4
            assert gradient[cell] == pytest.approx(slope @ weight, rel=1e-5)


def test_periods_of_the_regressor(panel, fitted):
    last = panel.X[panel.X["week"] > np.sort(panel.X["week"].unique())[-9]]
    plan = fitted.optimize_budget(X=last, by="period")
    assert plan.success, plan.message
    budget = last[panel.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-3)
    assert plan.outcome > plan.current_outcome
    assert plan.probability_better > 0.5
    assert plan.allocation["contribution"].sum() == pytest.approx(plan.outcome)
    assert (plan.x >= 0.5).all()
    assert (plan.x <= 2.0).all()


# --- plans of the regressor ----------------------------------------------------------


def test_regressor_delivers_what_it_promises(panel, fitted):
    X, before = panel.X.copy(), panel.X.copy()
    plan = fitted.optimize_budget(X=X)
    pd.testing.assert_frame_equal(X, before)
    assert plan.success
    budget = panel.X[panel.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-6)
    planned = X.assign(**{m: plan.X[m] for m in panel.media})
    gain = (fitted.predict(planned) - fitted.predict(X)).sum()
    assert gain == pytest.approx(plan.outcome - plan.current_outcome, rel=1e-6)
    assert plan.outcome_low < plan.outcome < plan.outcome_high
    summary = fitted.channel_summary(planned)
    assert_allclose(plan.allocation["contribution"], summary["contribution"])
    assert_allclose(plan.allocation["roi"], summary["roi"])
    # Better in so many draws.
    difference = fitted._draws_of_prediction(planned) - fitted._draws_of_prediction(X)
    better = (difference.sum(axis=1) > 0).mean()
    assert plan.probability_better == pytest.approx(better)
    # None is the training rows, and all of it repeats.
    again = fitted.optimize_budget()
    assert again.x.tobytes() == plan.x.tobytes()
    pd.testing.assert_frame_equal(again.allocation, plan.allocation)
    assert (again.message, again.outcome) == (plan.message, plan.outcome)


def test_no_worse_than_many_other_plans(panel, fitted):
    plan = fitted.optimize_budget(allow_extrapolation=True)
    what_if = fitted._counterfactual()
    spent = panel.X[panel.media].sum().to_numpy()
    assert what_if.outcome(plan.x[:, None])[0] == pytest.approx(plan.outcome)
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(60):
        other = rng.uniform(0.5, 2.0, 3)
        other[0] = (spent.sum() - other[1:] @ spent[1:]) / spent[0]
        if 0.5 <= other[0] <= 2.0:
            tried += 1
            assert what_if.outcome(other[:, None])[0] <= plan.outcome * (1 + 1e-7)
    assert tried > 10


def test_risk_of_the_regressor(panel, fitted):
    what_if = fitted._counterfactual()
    plans = {
        risk: fitted.optimize_budget(risk=risk, allow_extrapolation=True)
        for risk in (None, ("cvar", 0.25), ("sd", 2.0))
    }
    for risk, plan in plans.items():
        worth, draws = read_risk(risk)[1], risk is not None
        today = worth(what_if.outcome(draws=draws))
        assert plan.current_outcome == pytest.approx(today)
        reached = worth(what_if.outcome(plan.x[:, None], draws=draws))
        assert plan.outcome == pytest.approx(reached)
        for other in plans.values():
            rival = worth(what_if.outcome(other.x[:, None], draws=draws))
            assert reached >= rival * (1 - 1e-6)
    assert " by the mean of the worst 25% of draws," in plans["cvar", 0.25].message


@pytest.mark.parametrize(
    ("spent", "share", "message"),
    [
        (1.0, 0.9, "the gain is within the uncertainty of the model, and no reason to"),
        (1.0, 1.1, None),
        (0.7, 1.1, "the model does not know whether this is worse than today."),
    ],
)
def test_draws_that_contradict_the_gain_are_told(
    panel, fitted, monkeypatch, spent, share, message
):
    """Draws are made to cause a share of what they cause today, whatever is planned."""
    outcome = ModelCounterfactual.outcome

    def other(self, multiples=None, by=None, *, draws=False):
        if not draws or multiples is None or (multiples == 1.0).all():
            return outcome(self, multiples, by, draws=draws)
        return share * outcome(self, draws=True)

    monkeypatch.setattr(ModelCounterfactual, "outcome", other)
    plan = fitted.optimize_budget(spent * panel.X[panel.media].sum().sum())
    assert plan.success
    assert plan.probability_better == (share > 1)
    _, doubt, said = plan.message.partition(" Fewer than half of the draws agree: ")
    assert bool(doubt) == (message is not None)
    assert said.startswith(message or "")
    assert "This is worse than today" not in plan.message


@pytest.mark.parametrize("gain", [0.057, -0.032])
def test_risk_is_one_measure_of_the_draws(gain):
    said = _in_words(
        gain=gain,
        money=0.0,
        probability=0.38 if gain > 0 else 1.0,
        counted=" by the mean of the worst 20% of draws",
        worse=gain < 0,
        costless="",
    )
    word = "gain" if gain > 0 else "loss"
    assert said.endswith(f"draws agree: the {word} is one by that measure only.")


def test_regions_are_no_worse_than_channels(fitted):
    whole = fitted.optimize_budget()
    parts = fitted.optimize_budget(by="region")
    assert parts.success
    assert len(parts.allocation) == 9
    assert parts.outcome > whole.outcome


def test_target_roi_of_the_regressor(fitted):
    today = fitted.optimize_budget()
    spent = today.allocation["current_spend"].sum()
    target = 0.95 * today.current_outcome / spent
    plan = fitted.optimize_budget(target_roi=target, allow_extrapolation=True)
    assert plan.success
    returned = plan.outcome / plan.allocation["spend"].sum()
    assert returned == pytest.approx(target, rel=1e-4)


def test_carry_over_into_weeks_after_X_counts(panel, fitted):
    coming = fitted.make_future_frame(4, control_values="last_year")
    plan = fitted.optimize_budget(X=coming)
    assert plan.success
    longer = make_future_frame(
        panel.X,
        9,
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        control_values="last_year",
    )
    rows = longer["week"].isin(coming["week"])
    columns = panel.media + panel.controls
    last_year = panel.X[panel.X["week"] > np.unique(panel.X["week"])[-53]]
    mean = last_year.groupby("region")[columns].mean()
    after = mean.loc[longer.loc[~rows, "region"]].to_numpy()
    longer[columns] = longer[columns].astype(float)
    longer.loc[~rows, columns] = after

    def caused(frame):
        longer.loc[rows, panel.media] = frame[panel.media].to_numpy()
        return fitted.contributions(longer)[panel.media].sum().sum()

    nothing = caused(coming.assign(**dict.fromkeys(panel.media, 0.0)))
    assert plan.current_outcome == pytest.approx(caused(coming) - nothing, rel=1e-6)
    assert plan.outcome == pytest.approx(caused(plan.X) - nothing, rel=1e-6)


def test_horizon(fitted):
    plan = fitted.optimize_budget(horizon=4)
    coming = fitted.make_future_frame(4, control_values="last_year")
    other = fitted.optimize_budget(X=coming)
    assert_array_equal(plan.x, other.x)
    assert plan.outcome == other.outcome
    with refuses("Give X or horizon, not both."):
        fitted.optimize_budget(X=coming, horizon=4)
    with refuses("horizon must be an integer from 1 up, got True."):
        fitted.optimize_budget(horizon=True)


def test_regressor_knows_its_columns(panel, fitted):
    with refuses("DeepCausalMMMRegressor knows its columns and costs: leave out media"):
        optimize_budget(fitted, X=panel.X, media=panel.media)
    with refuses("by='period' plans direct effects only"):
        fitted.optimize_budget(by="period", effect="total")


@pytest.fixture(scope="module")
def funnel():
    """A regressor that knows that media_1 moves media_2; without draws."""
    graph = np.zeros((2, 2))
    graph[0, 1] = 0.8
    data = make_mmm_panel(2, 60, n_media=2, graph=graph, random_state=0)
    model = DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=data.controls,
        max_lag=4,
        n_draws=0,
        max_iter=40,
        random_state=0,
    )
    return data, model.fit(data.X, data.y)


def test_plan_without_draws(funnel):
    _, model = funnel
    plan = model.optimize_budget()
    assert np.isnan(
        [plan.outcome_low, plan.outcome_high, plan.probability_better]
    ).all()
    assert plan.outcome >= plan.current_outcome
    assert "draws" not in plan.message


def test_total_effects_are_planned_with_what_they_cost(funnel):
    data, model = funnel
    assert model._equations("total").descendants()[0, 1]
    plan = model.optimize_budget(effect="total", allow_extrapolation=True)
    assert plan.success, plan.message
    assert plan.outcome >= plan.current_outcome
    # The planned rows hold what others answer; with them the KPI is as promised.
    planned = data.X.assign(**{m: plan.X[m] for m in data.media})
    gain = (model.predict(planned) - model.predict(data.X)).sum()
    assert gain == pytest.approx(plan.outcome - plan.current_outcome, rel=1e-6, abs=1.0)
    assert_allclose(plan.X[data.media].sum(), plan.allocation["spend"], rtol=1e-6)
    budget = data.X[data.media].sum().sum()
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-3)
    own = data.X["media_2"].sum() * plan.x[1]
    if abs(plan.x[0] - 1.0) > 0.01:
        assert plan.allocation["spend"]["media_2"] != pytest.approx(own, rel=1e-3)


def test_total_effects_are_planned_to_the_end(funnel):
    data, model = funnel
    plan = model.optimize_budget(effect="total", allow_extrapolation=True)
    what_if = model.effects().counterfactual("total")
    budget = data.X[data.media].sum().sum()
    reached = []
    for first in np.linspace(0.5, 1.5, 21):

        def over(second, first=first):
            multiples = np.array([[first], [second]])
            return what_if.planned(multiples).spend.sum() - budget

        second = brentq(over, 0.01, 6.0)
        if 0.5 <= second <= 2.0:
            reached.append(what_if.outcome(np.array([[first], [second]]))[0])
    assert plan.outcome > max(reached) * (1 - 1e-3)


# --- plans, summaries and curves say the same ----------------------------------------


@pytest.fixture(scope="module")
def funnel_with_draws(funnel):
    data, model = funnel
    model = clone(model).set_params(n_draws=4, max_iter=20, random_state=1)
    return data, model.fit(data.X, data.y)


def check_agreement(model, X, multiples, effect, by=None):
    """What a plan says of its cells is what summary and curves say of its rows."""
    what_if = model.effects(X).counterfactual(effect)
    told = what_if.plan_effects(multiples, by)
    planned = what_if.planned_rows(multiples, by)
    summary = model.channel_summary(planned, by=by, effect=effect)
    assert_allclose(told.roi, summary["roi"], rtol=1e-6)
    assert_allclose(told.mroi, summary["mroi"], rtol=1e-6)
    assert told.contribution.sum() == pytest.approx(told.outcome, rel=1e-6)
    assert what_if.outcome(multiples, by)[0] == pytest.approx(told.outcome, rel=1e-6)
    cells = told.contribution.reshape(multiples.shape)
    for m, channel in enumerate(model.media_):
        if effect == "total" or not told.spend.reshape(cells.shape)[m].any():
            continue
        at_plan = model.response_curve(channel, planned, by=by)
        own = cells[m] if by else cells[m, 0]
        assert_allclose(at_plan.current_incremental, own, rtol=1e-6, atol=1e-9)
        if by is None:
            asked = multiples[m] * what_if.spend[:, m].sum()
            today = model.response_curve(channel, X, grid=asked)
            assert_allclose(today.incremental[0], own, rtol=1e-6)


@pytest.mark.parametrize("effect", ["direct", "total"])
@pytest.mark.parametrize("by", [None, "region"])
def test_plans_of_coming_weeks_agree_with_summaries(funnel_with_draws, effect, by):
    _, model = funnel_with_draws
    rng = np.random.default_rng(0)
    for n_weeks in (1, 2, 13):
        X = model.make_future_frame(n_weeks, control_values="last_year")
        multiples = rng.uniform(0.2, 2.0, (2, 1 if by is None else 2))
        for off in (None, 0, 1):
            plan = multiples.copy()
            if off is not None:
                plan[off] = 0.0
            check_agreement(model, X, plan, effect, by)


@pytest.mark.parametrize("effect", ["direct", "total"])
def test_plans_of_past_weeks_agree_with_summaries(funnel_with_draws, effect):
    data, model = funnel_with_draws
    weeks = np.unique(data.X["week"])
    for first, last in ((20, 23), (57, 60), (0, 60)):
        X = data.X[data.X["week"].isin(weeks[first:last])]
        plan = np.random.default_rng(first).uniform(0.0, 2.0, (2, 1))
        check_agreement(model, X, plan, effect)


def test_plans_by_period_agree_with_summaries(funnel_with_draws):
    _, model = funnel_with_draws
    rng = np.random.default_rng(0)
    for n_weeks in (1, 2, 6):
        X = model.make_future_frame(n_weeks, control_values="last_year")
        plan = rng.uniform(0.0, 2.0, (2, n_weeks))
        plan[0, 0] = 0.0
        what_if = model._counterfactual(X)
        told = what_if.plan_effects(plan, "period")
        summary = model.channel_summary(what_if.planned_rows(plan, "period"))
        caused = told.contribution.reshape(2, -1).sum(axis=1)
        assert_allclose(caused, summary["roi"].fillna(0) * summary["spend"], rtol=1e-6)
        assert told.outcome == pytest.approx(caused.sum(), rel=1e-6)


@pytest.mark.parametrize("effect", ["direct", "total"])
def test_best_plan_agrees_with_the_summary_of_its_rows(funnel_with_draws, effect):
    _, model = funnel_with_draws
    plan = model.optimize_budget(horizon=3, effect=effect)
    summary = model.channel_summary(plan.X, effect=effect)
    for name in ("roi", "mroi"):
        assert_allclose(plan.allocation[name], summary[name], rtol=1e-6)
    caused = (summary["roi"] * summary["spend"]).sum()
    assert plan.outcome == pytest.approx(caused, rel=1e-6)
    again = model.optimize_budget(X=plan.X, effect=effect)
    assert again.current_outcome == pytest.approx(plan.outcome, rel=1e-6)


def test_spend_after_X_does_not_depend_on_X(fitted, panel):
    """A region that training did not see goes on as the average region."""
    history = fitted._model.history
    media, _ = as_usual(history, 52)
    last = panel.X[panel.X["week"] > np.unique(panel.X["week"])[-53]]
    mean = last.groupby("region")[panel.media].mean()[list(fitted._columns.media)]
    assert_allclose(media, mean)
    X = fitted.make_future_frame(2, control_values="last_year")
    model = copy(fitted).set_params(unseen_region="average")
    new = X[X["region"] == "region_1"].assign(region="new")
    for frame in (X, new, X.assign(**dict.fromkeys(panel.media, 0.0))):
        grid = model._counterfactual(frame).panel
        after = grid.media[np.unique(grid.cell // grid.shape[1]), -1]
        usual = media.mean(axis=0)[None] if frame is new else media
        assert_allclose(after, usual)
