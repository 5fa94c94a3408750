"""Models that were fitted apart under one budget, with KPIs in different units."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from grouped_tables import CELLS, LINEAR, MEDIA, QUICK, own_rows
from skmmm import GroupedRegressor
from skmmm.allocation import budget_path
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel

BY = ["brand", "market"]


def together(world, other):
    """Return the rows of two worlds as brands, in one table."""
    frames = [world.X.assign(brand="a"), other.X.assign(brand="b")]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def apart(short_chains):
    """Two brands with other channels, controls, frequencies and settings."""
    world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    other = make_mmm_panel(2, 60, n_media=3, random_state=1)
    other = other.X.rename(columns={"media_3": "radio", "week": "date"}), other.y
    first = clone(QUICK).fit(world.X.drop(columns="region"), world.y)
    second = clone(QUICK).set_params(
        media=["media_1", "media_2", "radio"],
        controls=["price"],
        time="date",
        region="region",
    )
    second.fit(other[0], other[1])
    return {"a": first, "b": second}, world, other


@pytest.fixture(scope="module")
def mixed(apart):
    fits, world, (X, _) = apart
    rows = [world.X.drop(columns="region").assign(brand="a"), X.assign(brand="b")]
    shuffled = pd.concat(rows, ignore_index=True).sample(frac=1.0, random_state=0)
    return GroupedRegressor.from_fitted(fits, "brand"), shuffled


def test_models_of_one_table_are_what_fit_makes(table, grouped):
    X, _ = table
    given = dict(reversed(grouped.estimators_.items()))
    model = GroupedRegressor.from_fitted(given, BY)
    assert model.groups_ == grouped.groups_
    assert_array_equal(model.predict(X), grouped.predict(X))
    pd.testing.assert_frame_equal(model.channel_summary(X), grouped.channel_summary(X))
    plans = [one.optimize_budget(X=X, kpi_value=1.0) for one in (model, grouped)]
    pd.testing.assert_frame_equal(plans[0].allocation, plans[1].allocation)
    assert plans[0].outcome == plans[1].outcome
    assert plans[0].outcome == grouped.optimize_budget(X=X).outcome
    ahead = [
        one.optimize_budget(horizon=4, kpi_value=1.0).outcome
        for one in (model, grouped)
    ]
    assert ahead[0] == ahead[1]


def test_each_row_is_asked_of_its_own_model(apart, mixed):
    (fits, _, _), (model, X) = apart, mixed
    predicted, parts = model.predict(X), model.contributions(X)
    for brand, fit in fits.items():
        own = (X["brand"] == brand).to_numpy()
        rows = X.loc[own, list(fit.feature_names_in_)]
        assert_allclose(predicted[own], fit.predict(rows))
        summary = model.channel_summary(X).loc[brand]
        pd.testing.assert_frame_equal(summary, fit.channel_summary(rows))
    assert_allclose(parts.sum(axis=1), predicted)
    assert_array_equal(model.predict(X[X["brand"] == "a"][X.columns[::-1]]).shape, 60)


def test_all_questions(mixed):
    model, X = mixed
    assert model.payback(X).index.nlevels == 2
    assert len(model.channel_summary(by=None, kpi_value=1.0)) == 3
    curve = model.response_curve(("b", "radio"), X)
    assert curve.spend.max() > 0
    for options in ({"by": "period"}, {"by": "region"}, {"horizon": 8}):
        rows = {} if "horizon" in options else {"X": X}
        options = options | {"bounds": (0.8, 1.2), "kpi_value": 1.0}
        plan = model.optimize_budget(**rows, **options)
        assert plan.success, plan.message
    assert list(plan.X["brand"].unique()) == ["a", "b"]


def test_training_rows_stand_one_after_the_other(apart, mixed):
    model, _ = mixed
    fits, _, _ = apart
    parts = model.contributions()
    own = [fits[brand].contributions() for brand in "ab"]
    assert_array_equal(parts.index, np.concatenate([one.index for one in own]))
    assert_allclose(parts["media_1"], pd.concat(own)["media_1"])


def test_models_of_several_kinds():
    world, other = (make_mmm_panel(1, 60, n_media=m, random_state=m) for m in (1, 2))
    fits = {
        "a": make_linear_mmm(media=world.media, time="week").fit(world.X, world.y),
        "b": clone(LINEAR).fit(other.X, other.y),
    }
    model = GroupedRegressor.from_fitted(fits, ["brand"])
    X = together(world, other)
    with pytest.warns(UserWarning, match="apart: brand 'a'; brand 'b'. If they are in"):
        plan = model.optimize_budget(X=X)
    with pytest.warns(UserWarning, match="One budget adds up the KPIs of models"):
        path = budget_path(model, [float(plan.allocation["spend"].sum())], X=X)
    assert path.plans[0].outcome == pytest.approx(plan.outcome)
    told = model.optimize_budget(X=X, kpi_value=1.0)
    pd.testing.assert_frame_equal(told.allocation, plan.allocation)
    alone = GroupedRegressor.from_fitted({"a": fits["a"]}, "brand")
    own = X[X["brand"] == "a"].drop(columns="media_2")
    assert alone.optimize_budget(X=own).success
    assert plan.allocation.index.tolist() == [
        ("a", "media_1"),
        ("b", "media_1"),
        ("b", "media_2"),
    ]
    with pytest.raises(ValueError, match="does not remember its training rows"):
        model.optimize_budget()


def test_what_cannot_be_put_together(table, linear):
    X, _ = table
    _, rows = own_rows(X, ("a", "n"))
    fit = linear.estimators_["a", "n"]
    make = GroupedRegressor.from_fitted
    with pytest.raises(ValueError, match="map groups to fitted models"):
        make([fit], "brand")
    with pytest.raises(ValueError, match="by=0 must name"):
        make({"a": fit}, 0)
    with pytest.raises(ValueError, match="a tuple of 2 values, got 'a'"):
        make({"a": fit}, BY)
    with pytest.raises(ValueError, match=r"not a tuple, got \('a',\)"):
        make({("a",): fit}, ["brand"])
    with pytest.raises(ValueError, match=r"brand 'b': .*not fitted"):
        make({"a": fit, "b": clone(QUICK)}, "brand")
    with pytest.raises(ValueError, match="brand 'b': its model holds groups"):
        make({"a": fit, "b": linear}, "brand")
    array = make_linear_mmm(media=[0, 1]).fit(rows[MEDIA].to_numpy(), np.ones(60))
    with pytest.raises(ValueError, match="brand 'a': its model was fitted to rows"):
        make({"a": array}, "brand")


def test_columns_that_models_read_otherwise(apart):
    fits, world, _ = apart
    with pytest.raises(ValueError, match="'media_1' as a media column, and by names"):
        GroupedRegressor.from_fitted(fits, "media_1")
    renamed = world.X.rename(columns={"media_1": "region", "region": "where"})
    other = clone(QUICK).set_params(media=["region", "media_2"], n_draws=0)
    other.fit(renamed.drop(columns="where"), world.y)
    with pytest.raises(ValueError, match="'region' is media for brand 'c' and region"):
        GroupedRegressor.from_fitted(fits | {"c": other}, "brand")


def test_rows_that_cannot_be_read(mixed):
    model, X = mixed
    with pytest.raises(ValueError, match=r"(?s)brand 'b': .*radio"):
        model.predict(X.drop(columns="radio"))
    with pytest.raises(ValueError, match="no column 'brand'"):
        model.predict(X.drop(columns="brand"))
    with pytest.raises(ValueError, match="groups that fit did not see: brand 'c'"):
        model.predict(X.assign(brand="c"))
    with pytest.raises(ValueError, match="other"):
        model.predict(X.assign(other=1.0))
    with pytest.raises(ValueError, match="column names"):
        model.predict(X.to_numpy())
    with pytest.raises(ValueError, match="Fit the models themselves"):
        clone(model).fit(X, np.ones(len(X)))


def test_kpis_of_one_value_change_nothing_but_units(table, grouped):
    X, _ = table
    plain, ones, double = (
        grouped.optimize_budget(X=X, kpi_value=v) for v in (None, 1.0, 2.0)
    )
    pd.testing.assert_frame_equal(plain.allocation, ones.allocation)
    assert plain.outcome == ones.outcome
    assert_allclose(double.x, plain.x, rtol=1e-3)
    assert double.outcome == pytest.approx(2 * plain.outcome, rel=1e-6)
    assert double.outcome_low == pytest.approx(2 * plain.outcome_low, rel=1e-4)
    assert "kpi_value" not in plain.settings
    assert set(double.settings["kpi_value"].values()) == {2.0}


def test_sums_over_models_that_were_fitted_apart_warn(table, grouped):
    X, _ = table
    model = GroupedRegressor.from_fitted(dict(grouped.estimators_), BY)
    said = "^Sums add up the KPIs of models that were fitted apart: brand 'a', market "
    with pytest.warns(UserWarning, match=said) as told:
        sums = model.channel_summary(X, by=None)
    assert "channel_summary(kpi_value={group: money})" in str(told[0].message)
    with pytest.warns(UserWarning, match="market 'n'; brand 'a', market 's'. If they"):
        model.channel_summary(X, by="brand")  # b has one market
    pd.testing.assert_frame_equal(sums, grouped.channel_summary(X, by=None))
    for own in ("brand", "market"):  # nothing is added up
        one = model.estimators_["b", "n"]
        alone = GroupedRegressor.from_fitted({("b", "n"): one}, BY)
        assert len(alone.channel_summary(by=own))
    model.channel_summary(X, by=BY)
    pd.testing.assert_frame_equal(
        model.channel_summary(X, by=None, kpi_value=1.0), sums
    )


def test_sums_in_money_do_not_depend_on_units(table, grouped, thousands):
    X, _ = table
    value = {key: 1000.0 if key == ("b", "n") else 1.0 for key in CELLS}
    for by in (None, "brand", "all"):
        money = grouped.channel_summary(X, by=by)
        units = thousands.channel_summary(X, by=by, kpi_value=value)
        for name in ("contribution", "contribution_low", "share", "roi", "mroi"):
            assert_allclose(units[name], money[name], rtol=0.02)
    with pytest.raises(ValueError, match="unit of the KPI of brand 'b', market 'n' is"):
        thousands.channel_summary(X, by=None, kpi_value={"a": 1.0})


@pytest.fixture(scope="module")
def thousands(table, short_chains):
    """The models of `grouped`, of one group in thousands of units."""
    X, y = table
    mask, _ = own_rows(X, ("b", "n"))
    return GroupedRegressor(QUICK, BY).fit(X, np.where(mask, y / 1000, y))


@pytest.mark.parametrize(
    "options",
    [{}, {"risk": ("cvar", 0.5)}, {"by": "period"}, {"target_mroi": 1.0}],
    ids=str,
)
def test_units_of_a_kpi_do_not_matter(table, grouped, thousands, options):
    X, _ = table
    X = X[X["week"] >= X["week"].sort_values().unique()[-4]]
    value = {key: 1000.0 if key == ("b", "n") else 1.0 for key in CELLS}
    money = grouped.optimize_budget(X=X, bounds=(0.7, 1.4), **options)
    units = thousands.optimize_budget(
        X=X, bounds=(0.7, 1.4), kpi_value=value, **options
    )
    assert units.outcome == pytest.approx(money.outcome, rel=1e-3)
    assert_allclose(units.allocation["spend"], money.allocation["spend"], rtol=0.02)
    assert_allclose(units.allocation["roi"], money.allocation["roi"], rtol=0.02)


def test_without_values_a_small_unit_counts_more(table, grouped, thousands):
    X, _ = table
    money, units = (one.optimize_budget(X=X) for one in (grouped, thousands))
    spend = [plan.allocation.loc[("b", "n"), "spend"].sum() for plan in (money, units)]
    assert spend[1] < 0.9 * spend[0]


def test_a_brand_stands_for_its_products(table, grouped):
    X, _ = table
    keys = {("a", "n"): 3.0, ("a", "s"): 2.0, ("b", "n"): 1.0}
    full = grouped.optimize_budget(X=X, kpi_value=keys)
    short = grouped.optimize_budget(X=X, kpi_value={"a": 2.0, "b": 1, ("a", "n"): 3.0})
    pd.testing.assert_frame_equal(full.allocation, short.allocation)
    assert short.settings["kpi_value"] == keys


def test_values_at_prices(table, grouped):
    X, _ = table
    level = {(*key, "media_1"): 1.2 for key in CELLS}
    model = GroupedRegressor(clone(QUICK).set_params(media_cost=2.0), BY)
    model.fit(*table)
    plans = [
        model.optimize_budget(X=X, price_level=level, kpi_value=v) for v in (None, 2.0)
    ]
    assert plans[1].outcome == pytest.approx(2 * plans[0].outcome, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": 1.0}, "unit of the KPI of brand 'b', market 'n' is worth"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "kpi_value names 'c', which is no group"),
        ({"a": 0.0, "b": 1.0}, "kpi_value of 'a' must be a positive number"),
        (True, "kpi_value must be a positive number"),
        ("much", "kpi_value must be a positive number"),
    ],
)
def test_values_that_make_no_sense(table, linear, value, said):
    with pytest.raises(ValueError, match=said):
        linear.optimize_budget(X=table[0], kpi_value=value)


def test_a_plan_needs_a_fit():
    with pytest.raises(NotFittedError):
        GroupedRegressor(LINEAR, "brand").optimize_budget(kpi_value=1.0)
