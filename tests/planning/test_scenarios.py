"""Scenarios are compared by common draws."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmmm.baselines import make_linear_mmm
from skmmm.scenarios import compare_scenarios, make_future_frame

# The comparison.


class Doubtful(RegressorMixin, BaseEstimator):
    """KPI 3 per unit of tv; in draws a level that all share, and 1 to 5 per unit."""

    def __init__(self, media=("tv",), region="region", time="week", media_cost=None):
        self.media = media
        self.region = region
        self.time = time
        self.media_cost = media_cost

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    @property
    def media_cost_(self):
        cost = self.media_cost
        return cost if isinstance(cost, dict) else {c: cost for c in self.media if cost}

    def predict(self, X):
        return 3.0 * X["tv"].to_numpy()

    def _draws_of_prediction(self, X):
        levels = np.array([-1000.0, 500.0, 0.0, 1000.0, -500.0])
        return levels[:, None] + np.outer(np.arange(1.0, 6.0), X["tv"])


class NoDraws(Doubtful):
    def _draws_of_prediction(self, X):
        return None


@pytest.fixture
def two():
    """Two regions and two weeks: as it was, and with 10 more in every row."""
    table = pd.DataFrame(
        {
            "region": ["A", "A", "B", "B"],
            "week": ["2021-01-04", "2021-01-11"] * 2,
            "tv": [10.0, 20.0, 30.0, 40.0],
            "radio": 1.0,
        }
    )
    return {"same": table, "more": table.assign(tv=table["tv"] + 10.0)}


def test_comparison_of_known_draws(two):
    table = compare_scenarios(Doubtful(), two, confidence_level=2 / 3)
    assert table.index.name == "scenario"
    assert list(table.index) == ["same", "more"]
    assert list(table["kpi"]) == [300.0, 420.0]
    assert list(table["difference"]) == [0.0, 120.0]
    # The sixths are the lowest and the highest of five draws.
    assert_allclose(table["kpi_low"], [-3900.0, -3860.0])
    assert_allclose(table["kpi_high"], [4400.0, 4560.0])
    assert_allclose(table["difference_low"], [0.0, 40.0])
    assert_allclose(table["difference_high"], [0.0, 200.0])
    assert list(table["probability_better"]) == [0.5, 1.0]
    assert list(table["spend"]) == [100.0, 140.0]
    assert list(table["difference_spend"]) == [0.0, 40.0]
    assert_array_equal(table["marginal_roi"], [np.nan, 3.0])


def test_baseline_may_be_chosen(two):
    table = compare_scenarios(Doubtful(), two, baseline="more")
    assert list(table["difference"]) == [-120.0, 0.0]
    assert list(table["probability_better"]) == [0.0, 0.5]
    assert_array_equal(table["marginal_roi"], [3.0, np.nan])


def test_share_of_draws_in_which_it_is_better(two):
    class Unsure(Doubtful):
        def _draws_of_prediction(self, X):
            return np.outer([-1.0, 0.0, 2.0, 1.0], X["tv"])

    table = compare_scenarios(Unsure(), two)
    assert table.loc["more", "probability_better"] == (0 + 0.5 + 1 + 1) / 4


def test_without_draws_bounds_are_missing(two):
    fitted = make_pipeline(NoDraws()).fit(two["same"], np.arange(4.0))
    for estimator in (NoDraws(), fitted):
        table = compare_scenarios(estimator, two)
        missing = table.columns[table.isna().all()]
        assert list(missing) == [
            "kpi_low",
            "kpi_high",
            "difference_low",
            "difference_high",
            "probability_better",
        ]
        assert list(table["difference"]) == [0.0, 120.0]


def test_rows_in_any_order_and_any_table(two):
    pl = pytest.importorskip("polars")
    expected = compare_scenarios(Doubtful(), two)
    shuffled = two | {"more": two["more"][::-1]}
    pd.testing.assert_frame_equal(compare_scenarios(Doubtful(), shuffled), expected)
    polars = {name: pl.from_pandas(table) for name, table in two.items()}
    pd.testing.assert_frame_equal(compare_scenarios(Doubtful(), polars), expected)


def test_spend_is_money_where_costs_are_known(two):
    two["radio"] = two["same"].assign(radio=5.0)
    both = ("tv", "radio")
    spend = {
        cost if not isinstance(cost, dict) else tuple(cost): compare_scenarios(
            Doubtful(media=both, media_cost=cost), two
        )
        for cost in (None, 2.0, {"tv": 2.0}, {})
    }
    assert list(spend[None]["spend"]) == [104.0, 144.0, 120.0]
    assert list(spend[()]["spend"]) == [104.0, 144.0, 120.0]
    assert list(spend[2.0]["spend"]) == [208.0, 288.0, 240.0]
    assert list(spend[("tv",)]["spend"]) == [200.0, 280.0, 200.0]


def test_no_return_where_something_without_a_price_changed_too(two):
    two["both"] = two["more"].assign(radio=5.0)
    estimator = Doubtful(media=("tv", "radio"), media_cost={"tv": 2.0})
    table = compare_scenarios(estimator, two)
    assert list(table["difference_spend"]) == [0.0, 80.0, 80.0]
    assert_array_equal(table["marginal_roi"], [np.nan, 1.5, np.nan])


def test_rounding_is_no_extra_spend(two):
    one = two["same"].assign(tv=[0.1, 0.2, 0.3, 0.0])
    other = two["same"].assign(tv=[0.3, 0.2, 0.1, 0.0])
    assert one["tv"].sum() != other["tv"].sum()
    table = compare_scenarios(Doubtful(), {"one": one, "other": other})
    assert list(table["difference_spend"]) == [0.0, 0.0]
    assert table["marginal_roi"].isna().all()


def test_pipelines_and_searches(two):
    def double(X):
        return X.assign(tv=2.0 * X["tv"])

    expected = compare_scenarios(Doubtful(), two)
    pipeline = make_pipeline(FunctionTransformer(double), Doubtful(media_cost=7.0))
    search = GridSearchCV(pipeline, {"doubtful__media_cost": [7.0]}, cv=2)
    search.fit(two["same"], np.arange(4.0))
    pipeline.fit(two["same"], np.arange(4.0))
    for estimator in (pipeline, search):
        table = compare_scenarios(estimator, two)
        columns = ["difference", "difference_low", "difference_high"]
        pd.testing.assert_frame_equal(table[columns], 2.0 * expected[columns])
        # A cost of 7 is that of a unit behind the step.
        assert_allclose(table["spend"], [2.0 * 7.0 * 100.0, 2.0 * 7.0 * 140.0])
        assert_allclose(table["marginal_roi"].iloc[1], 3.0 / 7.0)
    in_units = make_pipeline(FunctionTransformer(double), Doubtful()).fit(
        two["same"], None
    )
    assert list(compare_scenarios(in_units, two)["spend"]) == [100.0, 140.0]


def test_costs_are_unknown_behind_steps_that_change_media_otherwise(two):
    def logarithm(X):
        return X.assign(tv=np.log1p(X["tv"]))

    model = make_pipeline(FunctionTransformer(logarithm), Doubtful(media_cost=7.0))
    table = compare_scenarios(model.fit(two["same"], np.arange(4.0)), two)
    money = table[["spend", "difference_spend", "marginal_roi"]]
    assert money.isna().all(axis=None)


def test_costs_count_behind_steps_that_leave_media_alone(two):
    def scale_control(X):
        return X.assign(radio=2.0 * X["radio"])

    model = Doubtful(media_cost={"tv": 7.0}).fit(None, None)
    expected = compare_scenarios(model, two)
    assert list(expected["difference_spend"]) == [0.0, 280.0]
    for step in ("passthrough", FunctionTransformer(scale_control)):
        pipeline = make_pipeline(step, model)
        search = GridSearchCV(pipeline, {})
        search.best_estimator_ = pipeline
        for asked in (pipeline, search, make_pipeline("passthrough", search)):
            pd.testing.assert_frame_equal(compare_scenarios(asked, two), expected)


def test_other_estimators_need_to_be_told_the_media(two):
    model = LinearRegression().fit(two["same"][["tv"]], [1.0, 2.0, 3.0, 4.0])
    numbers = {name: table[["tv"]] for name, table in two.items()}
    table = compare_scenarios(model, numbers, media="tv")
    assert_allclose(table["difference"], [0.0, 4.0])
    with pytest.raises(ValueError, match=r"LinearRegression does not say .*media=\["):
        compare_scenarios(model, numbers)
    numbers["more"] = numbers["more"][1:]
    match = "'more' has 3 rows for any region and time, but 'same' has 4"
    with pytest.raises(ValueError, match=match):
        compare_scenarios(model, numbers, media="tv")


def test_columns_that_must_agree_may_be_named(two):
    two["more"] = two["more"].assign(region=["A", "A", "A", "B"])
    blind = Doubtful(region=None)
    compare_scenarios(blind, two)
    with pytest.raises(ValueError, match="'more' has 2 rows for region 'A', time 2021"):
        compare_scenarios(blind, two, region="region")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t[1:],
            r"'more' has 0 rows for region 'A', time 2021-01-04, but 'same' has 1 \(3 "
            r"against 4 rows in all\)",
        ),
        (
            lambda t: pd.concat([t, t[2:3]]),
            "has 2 rows for region 'B', time 2021-01-04",
        ),
        (
            lambda t: t.assign(week=["2021-01-04", "2021-01-18"] * 2),
            r"has 0 rows for region 'A', time 2021-01-11, .*\(4 against 4 rows",
        ),
        (
            lambda t: t.assign(region=["A", "A", "C", "C"]),
            "0 rows for region 'B', time",
        ),
        (lambda t: t.drop(columns="tv"), "Scenario 'more' has no column 'tv'"),
        (lambda t: t.drop(columns="week"), "Scenario 'more' has no column 'week'"),
        (lambda t: t[:0], "X has no rows"),
        (
            lambda t: t.assign(tv=[1.0, np.nan, 1.0, 1.0]),
            "NaN: column 'tv' at scenario 'more', region 'A', time '2021-01-11'",
        ),
        (
            lambda t: t.assign(tv=[1.0, 1.0, -2.0, 1.0]),
            "'tv' is -2 at scenario 'more', region 'B', time '2021-01-04'",
        ),
    ],
)
def test_scenarios_that_cannot_be_compared(two, change, message):
    two["more"] = change(two["more"])
    with pytest.raises(ValueError, match=message):
        compare_scenarios(Doubtful(), two)


def test_what_compares_nothing(two):
    for nothing in ({}, [two["same"]], two["same"]):
        with pytest.raises(ValueError, match="scenarios must map names to tables"):
            compare_scenarios(Doubtful(), nothing)
    with pytest.raises(
        ValueError, match=r"'less' is not one of the scenarios \['same'"
    ):
        compare_scenarios(Doubtful(), two, baseline="less")
    for level in (0.0, 1.0, 90, "a", None, [0.9]):
        with pytest.raises(ValueError, match="must be between 0 and 1"):
            compare_scenarios(Doubtful(), two, confidence_level=level)


# Both with the models of the package.


@pytest.fixture
def plans(panel):
    """Thirteen coming weeks of `panel`: as last year, and twice as much."""
    roles = {"media": panel.media, "controls": panel.controls}
    roles |= {"region": "region", "time": "week", "control_values": "last_year"}
    same = make_future_frame(panel.X, 13, **roles)
    total = same.groupby("week")[panel.media].sum()
    twice = make_future_frame(panel.X, 13, **roles, spend=2.0 * total)
    return {"same": same, "twice": twice}


def test_twice_the_spend_brings_more(fitted, plans, panel):
    table = compare_scenarios(fitted, plans)
    twice = table.loc["twice"]
    assert twice["difference"] > 0
    assert twice["probability_better"] == 1.0
    assert_allclose(table["spend"], table["spend"]["same"] * np.array([1.0, 2.0]))
    assert_allclose(
        table["kpi"], [fitted.predict(X).sum() for X in plans.values()], rtol=1e-12
    )
    assert twice["difference_low"] < twice["difference"] < twice["difference_high"]
    # Twice the spend is far from twice the contribution.
    caused = fitted.contributions(plans["same"])[panel.media].to_numpy().sum()
    assert twice["difference"] < caused


def test_common_draws_are_surer_than_independent_ones(fitted, plans):
    table = compare_scenarios(fitted, plans)
    low, high = table["kpi_low"], table["kpi_high"]
    common = table["difference_high"]["twice"] - table["difference_low"]["twice"]
    independent = np.hypot(*(high - low))
    # Eight draws, and twice the spend is known less well itself.
    assert 0 < common < 0.9 * independent


def test_linear_pipeline(panel, plans):
    model = make_linear_mmm(
        media=panel.media, controls=panel.controls, region="region", time="week"
    ).fit(panel.X, panel.y)
    table = compare_scenarios(model, plans)
    assert table.loc["twice", "difference"] > 0
    assert table["difference_low"].isna().all()
    assert table.loc["twice", "marginal_roi"] > 0
