"""Delivery in one column, its money in another."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import refuses_from
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import channel_summary
from skmmm.inspection._predictions import counterfactual_of

pytestmark = pytest.mark.usefixtures("short_chains")
COST = {"media_1": "paid", "media_2": 1.0}
RETURNS = ["spend", "roi", "mroi"]
NUMBERS = ["spend", "contribution", "roi", "mroi"]


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(2, 60, n_media=3, random_state=0)


@pytest.fixture(scope="module")
def X(world):
    """Units of media_1 cost more in one region, and what they cost moves."""
    price = np.random.default_rng(0).uniform(0.5, 1.5, len(world.X))
    price *= np.where(world.X["region"] == "region_1", 3.0, 1.0)
    return world.X.assign(paid=price * world.X["media_1"])


def fit(X, world, **options):
    arguments = {
        "region": "region",
        "time": "week",
        "controls": world.controls,
        "media_cost": COST,
        "max_lag": 4,
        "n_draws": 8,
        "max_iter": 15,
        "graph": None,
        "random_state": 0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DeepCausalMMMRegressor(**arguments | options).fit(X, world.y)


@pytest.fixture(scope="module")
def model(X, world):
    return fit(X, world)


@pytest.fixture(scope="module")
def mean(model, world):
    """The same at one price for all rows."""
    return fit(world.X, world, media_cost=model.media_cost_)


@pytest.fixture(scope="module")
def last(X):
    return X[X["week"] >= np.unique(X["week"])[-8]]


# --- what it means --------------------------------------------------------------------


def test_a_unit_costs_the_mean_price(model, mean, X, world):
    price = X["paid"].sum() / X["media_1"].sum()
    assert model.media_ == world.media
    assert model.media_cost_ == {"media_1": pytest.approx(price), "media_2": 1.0}
    # What is learned depends on that price only.
    assert_array_equal(model.predict(X), mean.predict(world.X))
    assert_array_equal(model.predict(world.X), mean.predict(world.X))


def test_returns_are_per_money_of_the_rows(model, mean, X, last):
    for rows, asked in ((X, None), (X, X), (last, last)):
        found = model.channel_summary(asked, by="region")
        same = asked if asked is None else asked.drop(columns="paid")
        at_mean = mean.channel_summary(same, by="region")
        paid = rows.groupby("region")["paid"].sum()
        assert_allclose(found.loc["media_1", "spend"], paid)
        assert abs(at_mean.loc["media_1", "spend"] / paid - 1.0).min() > 0.1
        others = found.index.get_level_values("channel") != "media_1"
        pd.testing.assert_frame_equal(found[others][NUMBERS], at_mean[others][NUMBERS])
        assert_array_equal(found["mroi"], at_mean["mroi"])
        assert_allclose(
            found["roi"] * found["spend"], at_mean["roi"] * at_mean["spend"]
        )
    total = model.channel_summary()
    assert_allclose(total[RETURNS], mean.channel_summary()[RETURNS], rtol=1e-12)
    assert total["spend"]["media_1"] == pytest.approx(X["paid"].sum())


def test_rows_without_the_column_cost_the_mean_price(model, mean, last):
    rows = last.drop(columns="paid")
    pd.testing.assert_frame_equal(
        model.channel_summary(rows), mean.channel_summary(rows)
    )
    assert list(model.make_future_frame(3, control_values="last_year")) == list(rows)


def test_plans_count_at_the_mean_price(model, mean, last):
    rows = last.drop(columns="paid")
    plan, same = model.optimize_budget(X=last), mean.optimize_budget(X=rows)
    pd.testing.assert_frame_equal(plan.allocation, same.allocation)
    pd.testing.assert_frame_equal(plan.X, same.X)  # no money that was another plan's
    assert_array_equal(
        model.response_curve("media_1", last).spend,
        mean.response_curve("media_1", rows).spend,
    )
    review = plan.review(plan.X, model.predict(plan.X))
    assert review.actual == pytest.approx(review.expected)


def test_plans_say_where_another_price_was_paid(model, mean, last):
    said = model.optimize_budget(X=last, by="region").message
    assert "mean price of the training rows" in said
    assert "['media_1']" in said or "media_1 cost in these rows" in said
    assert "mean price" not in mean.optimize_budget(X=last.drop(columns="paid")).message


def test_effects_read_once_and_the_money_of_rows(model, X, last):
    effects = model.effects(last)
    expected = model.channel_summary(last, by="period")
    pd.testing.assert_frame_equal(effects.channel_summary(by="period"), expected)
    for rows, asked in ((X, None), (last, last)):
        counterfactual = counterfactual_of(model, asked)
        money = rows[["paid", "media_2", "media_3"]]
        assert_allclose(counterfactual.paid_spend, money)


def test_total_effects_share_out_what_was_paid(world, X):
    model = fit(X, world, graph="svar", max_iter=5)
    found = model.channel_summary(by="region", effect="total")
    paid = X.groupby("region")[["paid", "media_2"]].sum().sum(axis=1)
    money = found.loc[["media_1", "media_2"], "spend"].groupby("region").sum()
    assert_allclose(money, paid)


def test_groups_keep_it_apart(world, X, last):
    table = pd.concat([X.assign(brand="a"), X.assign(brand="b", paid=2.0 * X["paid"])])
    table = table.reset_index(drop=True)
    y = np.tile(world.y, 2)
    model = DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=world.controls,
        media_cost=COST,
        max_lag=4,
        n_draws=0,
        max_iter=5,
        graph=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grouped = GroupedRegressor(model, "brand").fit(table, y)
    paid = table.groupby("brand")["paid"].sum()
    for asked in (None, table):
        spend = grouped.channel_summary(asked)["spend"].loc[:, "media_1"]
        assert_allclose(spend, paid)
    plan = grouped.optimize_budget(X=table)
    assert "paid" not in plan.X
    assert len(grouped.predict(plan.X)) == len(table)


def test_a_file_and_a_pickle_keep_it(model, last, tmp_path):
    model.save(tmp_path / "model.skmmm")
    for again in (
        DeepCausalMMMRegressor.load(tmp_path / "model.skmmm"),
        pickle.loads(pickle.dumps(model)),
    ):
        for asked in (None, last):
            pd.testing.assert_frame_equal(
                again.channel_summary(asked, by="region"),
                model.channel_summary(asked, by="region"),
            )


# --- what makes no sense --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"media": ["media_1", "media_2", "paid"]},
            "The column 'paid' is the money of a channel in media_cost, and also named",
        ),
        ({"controls": ["paid"]}, "The column 'paid' is the money of a channel"),
        (
            {"media_cost": {"media_1": "spent"}},
            "media_cost of 'media_1'='spent' is not a column of X.",
        ),
        (
            {"media_cost": {"media_1": "paid", "media_2": "paid"}},
            "media_cost names the column 'paid' as the money of two channels",
        ),
        (
            {"media_cost": {"price": "paid"}},
            "media_cost names 'price', which is not one of the media columns",
        ),
    ],
)
def test_roles_that_make_no_sense_are_refused(options, message, X, world):
    with refuses_from(message):
        fit(X, world, **options)


def test_money_that_makes_no_sense_is_refused(model, X, world, last):
    week = "region 'region_1', time 2021-01-04"
    for value, message in (
        (-1.0, f"The money of 'media_1' in column 'paid' is -1 at {week}"),
        (np.nan, f"Input X contains NaN: column 'paid' at {week}"),
    ):
        wrong = X.copy()
        wrong.loc[0, "paid"] = value
        with refuses_from(message):
            fit(wrong, world)
        with refuses_from(message):
            model.channel_summary(wrong)
    with refuses_from("The column 'paid' has no total in the training rows"):
        fit(X.assign(paid=0.0), world)
    with refuses_from("media_cost of 'media_1' is 'paid'; it must be a positive"):
        linear = make_linear_mmm(media=world.media, region="region", time="week")
        channel_summary(linear.fit(X, world.y), X, media_cost={"media_1": "paid"})


def test_rows_with_one_of_both_are_named(X, world):
    odd = X.copy()
    used = odd.index[odd["media_1"] > 0]
    odd.loc[used[0], "media_1"] = 0.0
    odd.loc[used[[1, 2]], "paid"] = 0.0
    model = DeepCausalMMMRegressor(
        region="region", time="week", controls=world.controls, media_cost=COST
    )
    rows = odd.loc[used[:2], ["region", "week"]].astype({"week": str})
    paid, free = (f"region {r!r}, time {w}" for r, w in rows.itertuples(index=False))
    with (
        pytest.warns(
            UserWarning, match=f"'paid' is above zero .* at {paid}. It counts"
        ),
        pytest.warns(
            UserWarning, match=f"at {free} and 1 other row. It counts as free"
        ),
    ):
        copy.copy(model)._read_training(odd, world.y)
