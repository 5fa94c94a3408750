"""One fit per group: the same as a loop of fits, and questions about all of them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from sklearn.utils.fixes import parse_version

from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm.allocation import budget_path, optimize_budget
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.effects import effects_of
from skmmm.graph import StructuralVAR
from skmmm.inspection import channel_summary, contributions, response_curve
from skmmm.inspection._side_by_side import GroupedCounterfactual, paired_draws
from skmmm.plotting import (
    BudgetPlanDisplay,
    ContributionSharesDisplay,
    ReturnsDisplay,
    SpendShareDisplay,
    WaterfallDisplay,
)
from skmmm.scenarios import compare_scenarios

pytestmark = pytest.mark.usefixtures("short_chains")

needs_callbacks = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn has callbacks since 1.9",
)
CELLS = {("a", "n"): 0, ("a", "s"): 1, ("b", "n"): 2}  # brand, market: seed
MEDIA = ["media_1", "media_2"]
QUICK = DeepCausalMMMRegressor(
    media=MEDIA,
    controls=["price", "holiday"],
    time="week",
    graph=None,
    n_draws=8,
    max_iter=20,
    random_state=0,
)
LINEAR = make_linear_mmm(media=MEDIA, controls=["price"], time="week")


def one_world(seed):
    world = make_mmm_panel(1, 60, n_media=2, random_state=seed)
    return world.X.drop(columns="region"), world.y.to_numpy()


@pytest.fixture(scope="module")
def table():
    """Rows of three cells of brand and market, shuffled, and their KPI."""
    frames, kpis = [], []
    for (brand, market), seed in CELLS.items():
        X, y = one_world(seed)
        frames.append(X.assign(brand=brand, market=market))
        kpis.append(y)
    order = np.random.default_rng(0).permutation(60 * len(CELLS))
    X = pd.concat(frames, ignore_index=True).iloc[order]
    return X, np.concatenate(kpis)[order]


@pytest.fixture(scope="module")
def grouped(table, short_chains):
    return GroupedRegressor(QUICK, ["brand", "market"]).fit(*table)


@pytest.fixture(scope="module")
def linear(table):
    return GroupedRegressor(LINEAR, ["brand", "market"]).fit(*table)


def own_rows(X, key):
    """Return which rows are of a group, and what its estimator sees of them."""
    mask = ((X["brand"] == key[0]) & (X["market"] == key[1])).to_numpy()
    return mask, X[mask].drop(columns=["brand", "market"])


def paired(key, draws):
    """Return draws of a group in the order in which they stand beside others."""
    return draws[paired_draws(sorted(CELLS).index(key), len(draws), len(draws))]


# --- fit and predict ----------------------------------------------------------------


def test_is_a_loop_of_single_fits(table, grouped):
    X, y = table
    assert grouped.groups_ == sorted(CELLS) == list(grouped.estimators_)
    assert grouped.failures_ == {}
    predicted, parts = grouped.predict(X), grouped.contributions(X)
    together = grouped.channel_summary(X)
    assert_array_equal(parts.index, X.index)
    assert_allclose(parts.sum(axis=1), predicted)
    for key in CELLS:
        mask, rows = own_rows(X, key)
        alone = clone(QUICK).fit(rows, y[mask])
        assert_array_equal(predicted[mask], alone.predict(rows))
        pd.testing.assert_frame_equal(parts[mask], alone.contributions(rows))
        pd.testing.assert_frame_equal(
            together.loc[key], alone.channel_summary(rows), rtol=1e-12
        )
        curve = grouped.response_curve((*key, "media_2"), X)
        for name, values in alone.response_curve("media_2", rows).items():
            assert_allclose(curve[name], values, rtol=1e-12)


def test_training_rows_are_remembered(table, grouped):
    X, _ = table
    for ask in (channel_summary, contributions):
        pd.testing.assert_frame_equal(ask(grouped), ask(grouped, X), rtol=1e-9)
    with pytest.raises(ValueError, match=r"brand 'a', market 'n': .* pass X"):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(*table).channel_summary()


def test_processes_change_nothing(table, linear):
    X, y = table
    two = GroupedRegressor(LINEAR, ["brand", "market"], n_jobs=2).fit(X, y)
    assert_array_equal(two.predict(X), linear.predict(X))


def test_weights_are_those_of_the_rows(table):
    X, y = table
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(X))
    model = GroupedRegressor(LinearRegression(), "market").fit(
        X[[*MEDIA, "market"]], y, sample_weight=weight
    )
    own = (X["market"] == "s").to_numpy()
    alone = LinearRegression().fit(X.loc[own, MEDIA], y[own], weight[own])
    assert_array_equal(model.estimators_["s"].coef_, alone.coef_)


def test_a_group_may_hold_regions(table):
    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0})
    model.set_params(region="market")
    found = GroupedRegressor(model, "brand").fit(X, y)
    assert found.groups_ == ["a", "b"]
    assert_array_equal(found.estimators_["a"].regions_, ["n", "s"])
    # A column in `by` that the estimator calls its region is shown to it.
    alone = GroupedRegressor(model, ["brand", "market"]).fit(X, y)
    assert_array_equal(alone.estimators_["a", "s"].regions_, ["s"])
    by_region = channel_summary(found, X, by="region")
    assert by_region.index.names == ["brand", "channel", "region"]
    pd.testing.assert_frame_equal(
        by_region.loc["a"],
        channel_summary(
            found.estimators_["a"],
            X[X["brand"] == "a"].drop(columns="brand"),
            by="region",
        ),
        rtol=1e-12,
    )
    assert (by_region.loc["b", :, "s"]["spend"] == 0).all()  # has no such market


def test_arrays(table):
    X, y = table
    values = X[["market", *MEDIA]].assign(market=X["market"] == "s").to_numpy(float)
    model = GroupedRegressor(LinearRegression(), 0).fit(values, y)
    assert model.groups_ == [0.0, 1.0]
    assert not hasattr(model, "feature_names_in_")
    own = values[:, 0] == 1.0
    alone = LinearRegression().fit(values[own, 1:], y[own])
    assert_allclose(model.predict(values)[own], alone.predict(values[own, 1:]))
    assert model.n_features_in_ == 3


def test_unknown_and_missing_groups(table, linear):
    X, y = table
    assert_array_equal(linear.feature_names_in_, X.columns)
    with pytest.raises(ValueError, match="did not see: brand 'c', market 'n'"):
        linear.predict(X.assign(brand="c", market="n"))
    gap = X.assign(market=X["market"].where(np.arange(len(X)) != 7))
    with pytest.raises(ValueError, match="column 'market' is missing in row 7"):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(gap, y)
    mixed = X.assign(brand=[1 if brand == "a" else (2,) for brand in X["brand"]])
    with pytest.raises(ValueError, match="'brand' mixes values"):
        GroupedRegressor(LINEAR, "brand").fit(mixed, y)
    for by, message in ([], "names no column"), ("shop", "by='shop' is not a column"):
        with pytest.raises(ValueError, match=message):
            GroupedRegressor(LINEAR, by).fit(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        GroupedRegressor(LINEAR, "brand").fit(X, None)


def test_failures(table):
    X, y = table
    bad = X.assign(media_1=X["media_1"].where(X["market"] == "n"))
    with pytest.raises(
        ValueError, match=r"^brand 'a', market 's': Input X contains NaN"
    ):
        GroupedRegressor(LINEAR, ["brand", "market"]).fit(bad, y)
    model = GroupedRegressor(LINEAR, ["brand", "market"], error_score=np.nan)
    with pytest.warns(FitFailedWarning, match="1 of 3 fits failed. brand 'a', market"):
        model.fit(bad, y)
    assert list(model.failures_) == [("a", "s")]
    assert "ValueError: Input X contains NaN" in model.failures_["a", "s"]
    assert model.groups_ == sorted(CELLS)
    failed = (X["market"] == "s").to_numpy()
    assert_array_equal(np.isnan(model.predict(X)), failed)
    model.set_params(error_score="raise")  # is of the next fit
    assert_array_equal(np.isnan(model.predict(X)), failed)
    model.set_params(error_score=np.nan)
    with pytest.warns(UserWarning, match="Left out, as their fits failed: brand 'a'"):
        summary = model.channel_summary(X)
    assert list(summary.index.unique("market")) == ["n"]
    with pytest.warns(UserWarning, match="Left out"):
        assert_array_equal(model.contributions(X).index, X.index[~failed])
    with pytest.raises(ValueError, match="fits of all groups of X failed"):
        model.channel_summary(X[failed])
    with pytest.raises(ValueError, match="All 3 of 3 fits failed"):
        model.fit(X.assign(media_1=np.nan), y)


def test_warnings_come_once(table):
    X, y = table
    with pytest.warns() as told:
        GroupedRegressor(QUICK, ["brand", "market"]).fit(X, y)
    (said,) = [w for w in told if w.category is ConvergenceWarning]
    assert "brand 'a', market 'n'; brand 'a', market 's'" in str(said.message)
    assert "3 of 3 groups" in str(said.message)
    assert said.filename == __file__


# --- scikit-learn -------------------------------------------------------------------


class OneGroup(GroupedRegressor):
    """All rows are one group: tables of the common checks have no column for it."""

    def _read_by(self, frame):
        return []

    def _rows_by_group(self, frame):
        return {"all": np.arange(len(frame))}

    def _name(self, group):
        return group


class OnlyFits:
    """Can be fitted, but not cloned."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


@parametrize_with_checks([OneGroup(LinearRegression(), 0)])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_check_estimator_leaves_out(check):
    check("OneGroup", OneGroup(LinearRegression(), 0))


def test_clone_and_pickle(table, grouped):
    X, _ = table
    copy = clone(grouped)
    assert copy.get_params()["estimator__n_draws"] == 8
    with pytest.raises(NotFittedError):
        copy.predict(X)
    with pytest.raises(NotFittedError):
        copy.channel_summary(X)
    restored = pickle.loads(pickle.dumps(grouped))
    assert_array_equal(restored.predict(X), grouped.predict(X))
    with pytest.raises(ValueError, match="The 'n_jobs' parameter"):
        GroupedRegressor(LINEAR, "brand", n_jobs="two").fit(X, X["price"])
    with pytest.raises(ValueError, match="The 'estimator' parameter"):
        GroupedRegressor(OnlyFits(), "brand").fit(X, X["price"])


def test_a_failed_refit_leaves_the_fit_alone(table, linear):
    X, y = table
    model, before = pickle.loads(pickle.dumps(linear)), linear.predict(X)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X.assign(media_1=np.nan), y)
    assert_array_equal(model.predict(X), before)


def test_searches(table):
    X, y = table
    quick = clone(QUICK).set_params(max_iter=3, max_lag=2, gap="mask")
    model = GroupedRegressor(quick, ["brand", "market"])
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"estimator__n_draws": [0, 2]}, cv=folds)
    search.fit(X, y)
    assert set(search.best_estimator_.estimators_) == set(CELLS)
    assert len(channel_summary(search)) == 6
    linear = GroupedRegressor(LinearRegression(), "brand")
    scores = cross_validate(linear, X[["brand", *MEDIA]], y, cv=folds)
    assert np.isfinite(scores["test_score"]).all()


def test_behind_other_steps_media_are_named(table):
    X, y = table
    frame = X[["brand", *MEDIA]].assign(brand=(X["brand"] == "b") * 1.0)
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, GroupedRegressor(LinearRegression(), "brand"))
    with pytest.raises(ValueError, match="which columns are media"):
        channel_summary(model.fit(frame, y), frame)


@needs_callbacks
def test_callbacks_hear_of_groups(table):
    from sklearn.callback import ScoringMonitor

    X, y = table
    monitor = ScoringMonitor(scoring="r2")
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0, "max_iter": 3})
    model.set_params(region="brand").set_callbacks(monitor)
    GroupedRegressor(model, "market").fit(X, y)
    log = monitor.get_logs(select="most_recent").data_as_pandas
    assert (log["task_name"] == "iteration").sum() == 6


@needs_callbacks
def test_progress_bar(table, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0, "max_iter": 3})
    model = GroupedRegressor(model, ["brand", "market"]).set_callbacks(ProgressBar())
    model.fit(X, y)
    assert "GroupedRegressor - fit" in capsys.readouterr().out
    GroupedRegressor(LINEAR, ["brand", "market"], verbose=1).fit(X, y)
    assert "3 out of   3" in "".join(capsys.readouterr())


# --- questions ----------------------------------------------------------------------


def test_sums_over_groups(table, grouped):
    X, _ = table
    each, brand = grouped.channel_summary(X), grouped.channel_summary(X, by="brand")
    everything = grouped.channel_summary(X, by=None)
    assert each.index.names == ["brand", "market", "channel"]
    assert brand.index.names == ["brand", "channel"]
    assert everything.index.tolist() == MEDIA
    for name in ("spend", "contribution"):
        sums = each[name].groupby(["brand", "channel"]).sum()
        assert_allclose(brand[name], sums[brand.index])
        assert_allclose(everything[name], each[name].groupby("channel").sum())
    predicted = pd.Series(grouped.predict(X)).groupby(X["brand"].to_numpy()).sum()
    share = brand["contribution"] / predicted.loc[brand.index.get_level_values(0)].array
    assert_allclose(brand["share"], share)
    assert_allclose(everything["roi"], everything["contribution"] / everything["spend"])
    # A brand in one market is that market.
    names = ["contribution_low", "roi_high", "mroi", "mroi_low", "share"]
    assert_allclose(brand.loc["b", names], each.loc[("b", "n"), names])
    # Groups are independent: their sum is known better than the sum of bounds says.
    width = (each["contribution_high"] - each["contribution_low"]).loc["a"]
    width = width.groupby("channel").sum()
    summed = (brand["contribution_high"] - brand["contribution_low"]).loc["a"]
    assert (summed < width).all()
    for by in ("week", "region"):
        with pytest.raises(
            ValueError, match=f"by='{by}' is none .* For regions or per"
        ):
            grouped.channel_summary(X, by=by)


def test_bounds_are_of_sums_of_draws(table, grouped):
    X, _ = table
    draws = sum(
        paired(
            key,
            grouped.estimators_[key]
            ._counterfactual(own_rows(X, key)[1])
            .effects(draws=True)
            .contribution[:, 0],
        )
        for key in CELLS
    )
    found = grouped.channel_summary(X, by=None, confidence_level=0.5)
    low, high = np.quantile(draws, [0.25, 0.75], axis=0, method="weibull")
    assert_allclose(found["contribution_low"], np.minimum(low, found["contribution"]))
    assert_allclose(found["contribution_high"], np.maximum(high, found["contribution"]))


def test_draws_of_groups_are_independent(short_chains):
    X, y = one_world(0)
    both = pd.concat([X.assign(brand=1), X.assign(brand=2)], ignore_index=True)
    one = clone(QUICK).set_params(n_draws=64)
    model = GroupedRegressor(one, "brand").fit(both, np.append(y, y))
    alone = model.estimators_[1]._draws_of_prediction(X).sum(axis=1)
    known = effects_of(model, both).counterfactual()
    caused = known.effects(draws=True).contribution[:, 0, ::2]  # media_1 of both
    predicted = model._draws_of_prediction(both)
    totals = predicted[:, :60].sum(axis=1), predicted[:, 60:].sum(axis=1)
    for first, second in (caused.T, totals):
        assert_allclose(np.sort(first), np.sort(second), rtol=1e-12)  # the same seed
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
        ratio = np.std(first + second) / np.std(first)
        assert ratio == pytest.approx(np.sqrt(2), rel=0.15)
    assert_allclose(np.sort(totals[0]), np.sort(alone), rtol=1e-12)
    # The same order of draws in all that is asked, and whatever groups X has.
    shape = (len(known.labels), 1)
    summed = known.effects(draws=True).contribution.sum(axis=(1, 2))
    assert_allclose(known.outcome(np.ones(shape), draws=True), summed, rtol=1e-6)
    assert_allclose(known.contributions(draws=True).sum(axis=(1, 2)), summed, rtol=1e-6)
    later = effects_of(model, both[60:]).counterfactual().effects(draws=True)
    assert_array_equal(later.contribution[:, 0, 0], caused[:, 1])
    curve = known.curve(0, np.array([1.0]), draws=True).ravel()
    assert_allclose(curve, caused[:, 0], rtol=1e-6)


def test_slopes_of_flights_are_those_of_paired_draws(table, grouped):
    known = effects_of(grouped, table[0]).counterfactual()
    flights = known.flights(draws=True)
    plan = np.ones((len(known.labels), len(known.groups("period")[1])))
    weight = np.arange(8.0)
    total, slope = flights(plan, lambda outcome: weight)
    assert_allclose(total, known.outcome(draws=True), rtol=1e-6)
    step = 1e-5 * np.random.default_rng(0).normal(size=plan.shape)
    ahead, behind = (flights(plan + d, np.ones_like)[0] for d in (step, -step))
    change = weight @ (ahead - behind) / 2
    assert change == pytest.approx((slope * step).sum(), rel=1e-3)


def caused(model, rows):
    """Return what all spend causes, from predictions with and without it."""
    nothing = rows.assign(**dict.fromkeys(MEDIA, 0.0))
    return model.predict(rows).sum() - model.predict(nothing).sum()


def test_one_budget(table, grouped):
    X, _ = table
    budget = 1.1 * X[MEDIA].to_numpy().sum()
    plan = grouped.optimize_budget(budget, X=X, bounds=(0.7, 1.5))
    assert plan.success
    assert plan.allocation["spend"].sum() == pytest.approx(budget, rel=1e-6)
    assert plan.allocation["factor"].between(0.7, 1.5).all()
    assert_array_equal(plan.X.index, X.index)
    others = [name for name in X if name not in MEDIA]
    pd.testing.assert_frame_equal(plan.X[others], X[others])
    outcome, separate = 0.0, 0.0
    for key in CELLS:
        mask, rows = own_rows(X, key)
        planned = plan.X[mask].drop(columns=["brand", "market"])
        spend = plan.allocation.loc[key, "spend"].to_numpy()
        assert_allclose(planned[MEDIA].sum().to_numpy(), spend)
        alone = grouped.estimators_[key]
        outcome += optimize_budget(
            alone, spend.sum(), X=planned, bounds=(1, 1)
        ).current_outcome
        separate += optimize_budget(
            alone, 1.1 * rows[MEDIA].to_numpy().sum(), X=rows, bounds=(0.7, 1.5)
        ).outcome
    assert plan.outcome == pytest.approx(outcome, rel=1e-6)
    assert plan.outcome >= separate * (1 - 1e-6)
    assert plan.outcome > plan.current_outcome


def test_outcome_is_what_predictions_say(table, linear):
    X, _ = table
    plan = linear.optimize_budget(X=X)
    assert plan.outcome == pytest.approx(caused(linear, plan.X), rel=1e-6)
    assert plan.current_outcome == pytest.approx(caused(linear, X), rel=1e-6)


def test_same_groups_get_the_same_plan(short_chains):
    X, y = one_world(0)
    both = pd.concat([X.assign(brand=1), X.assign(brand=2)])
    model = GroupedRegressor(QUICK, "brand").fit(both, np.append(y, y))
    plan = model.optimize_budget()
    assert_allclose(plan.x[:2], plan.x[2:], atol=2e-3)
    alone = model.estimators_[1].optimize_budget()
    assert plan.outcome == pytest.approx(2 * alone.outcome, rel=1e-4)


def test_limits_of_a_plan(table, grouped):
    X, _ = table
    one, other = ("a", "n", "media_1"), ("b", "n", "media_2")
    now = grouped.channel_summary(X)["spend"]
    plan = grouped.optimize_budget(
        X=X,
        bounds={one: (0.9, 1.1), None: (0.5, 1.5)},
        money_bounds={other: (0.8 * now[other], 0.8 * now[other])},
        constraints=[(("a", "s", "media_2"), None, now["a", "s", "media_2"])],
        fixed=[("a", "s", "media_1")],
    )
    factor = plan.allocation["factor"]
    assert 0.9 - 1e-9 <= factor[one] <= 1.1 + 1e-9
    assert factor[other] == pytest.approx(0.8)
    assert factor["a", "s", "media_1"] == 1.0
    assert factor["a", "s", "media_2"] <= 1.0 + 1e-9
    for wrong in ("media_1", ("a", "media_1"), ("a", "n", "tv")):
        with pytest.raises(ValueError, match="not one of the media columns"):
            grouped.optimize_budget(bounds={wrong: (1, 1)})
        with pytest.raises(ValueError, match="not one of the media columns"):
            grouped.response_curve(wrong)


def test_plans_of_coming_periods_and_money(table, grouped):
    plan = grouped.optimize_budget(horizon=4, risk=("sd", 0.5))
    assert len(plan.X) == 4 * len(CELLS)
    assert list(plan.X) == list(table[0])
    assert len(grouped.predict(plan.X)) == 12
    path = budget_path(grouped, X=plan.X)
    assert path.table["outcome"].is_monotonic_increasing
    assert set(plan.worth_testing().index) == set(plan.allocation.index)


def test_costs(table, linear):
    X, _ = table
    cost = {"media_1": 2.0, "media_2": 0.5}
    found = linear.channel_summary(X, media_cost=cost)
    rows = own_rows(X, ("a", "s"))[1]
    alone = channel_summary(linear.estimators_["a", "s"], rows, media_cost=cost)
    pd.testing.assert_frame_equal(found.loc[("a", "s")], alone)
    plan = linear.optimize_budget(X=X, media_cost={"media_1": 2.0})
    assert (plan.allocation["factor"].loc[:, :, "media_2"] == 1.0).all()
    assert plan.allocation["spend"].loc[:, :, "media_2"].isna().all()


def test_plans_by_period(table, grouped):
    X = table[0]
    some = X[X["week"] >= X["week"].sort_values().unique()[-4]]
    plan = grouped.optimize_budget(X=some, by="period")
    assert plan.allocation["spend"].sum() == pytest.approx(
        some[MEDIA].to_numpy().sum(), rel=1e-6
    )
    assert plan.outcome > plan.current_outcome
    assert plan.allocation.index.names == ["brand", "market", "channel", "period"]


def test_plans_by_region(table):
    X, y = table
    linear = make_linear_mmm(media=MEDIA, region="market", time="week")
    model = GroupedRegressor(linear, "brand").fit(X, y)
    one = ("a", "media_1")
    plan = model.optimize_budget(
        X=X, by="region", bounds={one: (0.5, 1.0), (one, "n"): (0.9, 1.1)}
    )
    assert plan.allocation["spend"].sum() == pytest.approx(X[MEDIA].to_numpy().sum())
    factor = plan.allocation["factor"]
    assert 0.9 - 1e-9 <= factor["a", "media_1", "n"] <= 1.1 + 1e-9
    assert 0.5 - 1e-9 <= factor["a", "media_1", "s"] <= 1.0 + 1e-9
    # The brand is not in this market.
    assert (plan.allocation["reason"].loc["b", :, "s"] == "no spend to scale").all()


def test_total_effects(table):
    X, y = table
    model = DeepCausalMMMRegressor(**QUICK.get_params(deep=False))
    model.set_params(graph=StructuralVAR(max_lag=1, n_bootstraps=4), max_iter=5)
    model.set_params(n_draws=2, media_cost={"media_1": 1.0})
    found = GroupedRegressor(model, ["brand", "market"]).fit(X, y)
    total = found.channel_summary(X, effect="total")
    alone = found.estimators_["a", "s"].channel_summary(
        own_rows(X, ("a", "s"))[1], effect="total"
    )
    pd.testing.assert_frame_equal(total.loc[("a", "s")], alone, rtol=1e-12)
    plan = found.optimize_budget(X=X, effect="total")
    assert plan.outcome >= plan.current_outcome
    assert (plan.allocation["factor"].loc[:, :, "media_2"] == 1.0).all()


def test_nothing_is_rows_times_channels(table, grouped, monkeypatch):
    def refuse(self, **options):
        raise AssertionError("an array of all rows and all channels")

    monkeypatch.setattr(GroupedCounterfactual, "_in_blocks", refuse)
    grouped.optimize_budget(risk=("cvar", 0.5))
    grouped.optimize_budget(target_roi=1.0)
    grouped.channel_summary(table[0], by="brand")
    grouped.response_curve(("a", "n", "media_1"))
    grouped.contributions()


def test_read_once(table, grouped):
    X, _ = table
    effects = effects_of(grouped, X)
    pd.testing.assert_frame_equal(
        effects.channel_summary(), channel_summary(grouped, X)
    )
    now = effects.response_curve(("b", "n", "media_1")).current_spend
    assert now == pytest.approx(X.loc[X["brand"] == "b", "media_1"].sum())
    again = response_curve(grouped, ("b", "n", "media_1"), effects)
    assert again.current_spend == now


def test_experiments_are_asked_of_one_group(grouped):
    with pytest.raises(ValueError, match=r"estimators_\[\('a', 'n'\)\]"):
        effects_of(grouped).counterfactual().experiment_grid  # noqa: B018


@pytest.mark.parametrize(
    "display",
    [ContributionSharesDisplay, ReturnsDisplay, SpendShareDisplay, WaterfallDisplay],
)
def test_pictures_name_group_and_channel(table, grouped, pyplot, display):
    shown = display.from_estimator(grouped, table[0])
    names = [label.get_text() for label in shown.ax_.get_yticklabels()]
    assert "a / n / media_1" in names


def test_pictures_of_plans(table, grouped, pyplot):
    X = table[0]
    shown = BudgetPlanDisplay.from_estimator(grouped, X=X)
    assert len(shown.texts_) == 6
    some = X[X["week"] >= X["week"].sort_values().unique()[-2]]
    shown = BudgetPlanDisplay.from_estimator(grouped, X=some, by="period")
    assert shown.image_.get_array().shape == (6, 2)
    assert shown.ax_.get_yticklabels()[0].get_text() == "a / n / media_1"


def test_scenarios(table, grouped):
    X = table[0]
    more = X.assign(media_1=1.1 * X["media_1"])
    found = compare_scenarios(grouped, {"now": X, "more": more}, media=MEDIA)
    assert found.loc["now", "kpi"] == pytest.approx(grouped.predict(X).sum())

    def total(key, rows):
        model = grouped.estimators_[key]
        return model._draws_of_prediction(own_rows(rows, key)[1]).sum(axis=1)

    draws = sum(paired(key, total(key, more) - total(key, X)) for key in CELLS)
    assert found.loc["more", "probability_better"] == (draws > 0).mean()


@pytest.mark.parametrize("kind", ["categorical", "polars", "dates"])
def test_kinds_of_tables(table, linear, kind):
    X, y = table
    if kind == "categorical":
        X = X.astype({"brand": "category", "market": "category"})
    elif kind == "dates":
        X = X.assign(brand=X["brand"].map({"a": "2020-01-01", "b": "2021-01-01"}))
        X["brand"] = pd.to_datetime(X["brand"])
    else:
        X = pytest.importorskip("polars").from_pandas(X)
    model = GroupedRegressor(LINEAR, ["brand", "market"]).fit(X, y)
    assert_allclose(model.predict(X), linear.predict(table[0]))
    summary = model.channel_summary(X, by="brand")
    assert_allclose(summary, linear.channel_summary(table[0], by="brand"))
    if kind == "dates":  # values of their own kind, also in rows that are made
        quick = DeepCausalMMMRegressor(**QUICK.get_params() | {"n_draws": 0})
        model = GroupedRegressor(quick, ["brand", "market"]).fit(X, y)
        # The group is said, and spend begins after the weeks that are repeated.
        with pytest.warns(UserWarning, match=r"\['media_1'\]: .* \(In brand .*groups"):
            coming = model.optimize_budget(horizon=2, bounds=(1, 1)).X
        assert_array_equal(coming["brand"].unique(), np.sort(X["brand"].unique()))
