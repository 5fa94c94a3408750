"""Scores of estimators by experiments, and the splits that hold these out."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._predictions import PredictedCounterfactual, counterfactual_of
from skmmm.model_selection import LeaveExperimentsOut, make_experiment_scorer

pytestmark = pytest.mark.usefixtures("short_chains")

ROLES = {"region": "region", "time": "week"}
KINDS = ["log_score", "z", "relative_error"]


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(3, 60, n_media=2, random_state=0)


@pytest.fixture(scope="module")
def weeks(world):
    return np.unique(world.X["week"])


@pytest.fixture(scope="module")
def tests(weeks):
    """Return four experiments; the last two overlap in region_3."""
    return pd.DataFrame(
        {
            "media": ["media_1", "media_2", "media_1", ["media_1", "media_2"]],
            "start": weeks[[10, 20, 30, 34]],
            "end": weeks[[14, 27, 36, 39]],
            "regions": [["region_1"], ["region_2"], ["region_3"], None],
            "change": [0.5, 0.0, 1.3, 1.2],
            "estimate": [-60.0, -90.0, 30.0, 80.0],
            "std_error": [6.0, 9.0, 6.0, 8.0],
            "cooldown": [2, 0, 0, 0],
            "observed": ["treated", "control", "treated", "control"],
        }
    )


def deep(world, **options):
    given = {"media": world.media, "controls": world.controls, "max_lag": 4}
    given |= {"max_iter": 15, "n_draws": 8, "graph": None, "random_state": 0}
    return DeepCausalMMMRegressor(**ROLES | given | {"media_cost": 1.0} | options)


def linear(world):
    return make_linear_mmm(media=world.media, controls=world.controls, **ROLES)


@pytest.fixture(scope="module")
def fitted_deep(world):
    return deep(world).fit(world.X, world.y)


@pytest.fixture(scope="module")
def fitted_linear(world):
    return linear(world).fit(world.X, world.y)


def values_of(model, table, X, **given):
    """Return what an estimator says of experiments, by draws."""
    found = counterfactual_of(model, X, **given)
    return found.experiment_values(found.experiment_grid.read(table)).values


def a_tenth(X):
    return X / 10


# --- what is said ---------------------------------------------------------------------


def test_a_linear_model_is_asked_by_its_predictions(world, weeks, fitted_linear, tests):
    X = world.X
    inside = (X["region"] == "region_1") & X["week"].between(weeks[10], weeks[14])
    counted = (X["region"] == "region_1") & X["week"].between(weeks[10], weeks[16])
    less = X.assign(media_1=X["media_1"].where(~inside, X["media_1"] / 2.0))
    brought = fitted_linear.predict(X) - fitted_linear.predict(less)
    expected = brought[counted.to_numpy()].sum()
    assert expected > 0
    doubled = tests.iloc[[0]].assign(change=2.0)
    assert_allclose(values_of(fitted_linear, doubled, X), [[expected]])
    money = (X["media_1"] - less["media_1"]).sum()
    others = [
        ({"measure": "roi"}, expected / money),
        ({"change": None, "spend_change": money}, expected),
        ({"measure": "cost_per_outcome"}, expected),
    ]
    for columns, value in others:
        one = doubled.assign(**columns)
        found = values_of(fitted_linear, one, X, media_cost=1.0)
        assert_allclose(found, [[value]], rtol=1e-10)


def test_both_ways_to_ask_the_regressor_agree(world, tests):
    model = deep(world, n_draws=0).fit(world.X, world.y)
    own = counterfactual_of(model, world.X)
    predicted = PredictedCounterfactual(
        estimator=model,
        X=world.X,
        frame=world.X,
        labels=list(world.media),
        **ROLES,
        media_cost=np.ones(2),
        n_permutations=1,
        random_state=0,
    )
    more = tests.iloc[[1]].assign(change=None, spend_change=500.0, cooldown=3)
    dark = more.assign(spend_change=-500.0, observed="treated", start=tests["start"][0])
    table = pd.concat([tests, more, dark], ignore_index=True)
    table = pd.concat([table, tests.assign(measure="roi")], ignore_index=True)
    first, second = (
        found.experiment_values(found.experiment_grid.read(table))
        for found in (own, predicted)
    )
    assert first.values.shape == (1, 10)
    # Where spend grows by money, each divides it by what it knows of typical spend.
    assert_allclose(first.values, second.values, rtol=1e-6)
    assert_allclose(first.measured, second.measured)
    assert_allclose(first.std_error, second.std_error)


def test_rows_of_the_window_suffice(world, weeks, tests):
    """What was spent before them is known from training."""
    one = tests.iloc[[0]]
    split = LeaveExperimentsOut(one, **ROLES)
    ((train, test),) = split.split(world.X)
    X, y = world.X, world.y
    for model in (linear(world), deep(world, n_draws=0)):
        model.fit(X.iloc[train], y.iloc[train])
        assert_allclose(
            values_of(model, one, X.iloc[test]), values_of(model, one, X), rtol=1e-9
        )


def test_a_step_that_rescales_spend_changes_nothing(world, fitted_deep, tests):
    scale = make_column_transformer(
        (FunctionTransformer(a_tenth), list(world.media)),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    X = world.X.assign(**{m: 10 * world.X[m] for m in world.media})
    piped = make_pipeline(scale, deep(world)).fit(X, world.y)
    assert_allclose(
        values_of(piped, tests, X), values_of(fitted_deep, tests, world.X), rtol=1e-9
    )


def test_experiments_outside_of_all_rows(world, weeks, fitted_deep, fitted_linear):
    later = pd.Timestamp(weeks[-1]) + pd.Timedelta(weeks=30)
    one = pd.DataFrame(
        {
            "media": ["media_1"],
            "start": [later],
            "end": [later + pd.Timedelta(weeks=5)],
            "change": [0.0],
            "spend": [1000.0],
            "estimate": [-50.0],
            "std_error": [10.0],
        }
    )
    scorer = make_experiment_scorer(one, kind="z")
    assert np.isfinite(scorer(fitted_deep, world.X))
    with pytest.raises(ValueError, match="X has the rows of no experiment"):
        scorer(fitted_linear, world.X)


# --- scores ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_as_defined(kind, world, fitted_deep, fitted_linear, tests):
    table = tests.assign(bias_sd=8.0)
    error = np.hypot(tests["std_error"], 8.0)
    for model in (fitted_deep, fitted_linear):
        values = values_of(model, table, world.X)
        off = tests["estimate"].to_numpy() - np.median(values, axis=0)
        if kind == "z":
            expected = -np.sqrt(np.mean((off / error) ** 2))
        elif kind == "relative_error":
            expected = -np.mean(np.abs(off / tests["estimate"]))
        else:
            spread = np.sqrt(error**2 + values.var(axis=0))
            density = norm.logpdf(tests["estimate"], values.mean(axis=0), spread)
            expected = np.mean(density + np.log(error))
        scorer = make_experiment_scorer(table, kind=kind)
        assert_allclose(scorer(model, world.X, world.y), expected)


def test_the_best_is_a_perfect_answer(world, fitted_linear, tests):
    right = tests.assign(estimate=values_of(fitted_linear, tests, world.X)[0])
    other = clone(fitted_linear).set_params(adstock__decay=0.9).fit(world.X, world.y)
    best = {"log_score": norm.logpdf(0.0), "z": 0.0, "relative_error": 0.0}
    for kind in KINDS:
        scorer = make_experiment_scorer(right, kind=kind)
        assert_allclose(scorer(fitted_linear, world.X), best[kind], atol=1e-9)
        assert scorer(other, world.X) < best[kind]


def test_an_estimator_that_does_not_say_what_its_columns_are(world, tests):
    columns = make_column_transformer(("passthrough", list(world.media)))
    model = make_pipeline(columns, LinearRegression()).fit(world.X, world.y)
    one = tests.iloc[[1]].assign(measure="roi")
    said = {"media": list(world.media), **ROLES, "media_cost": 2.0}
    coef = model[-1].coef_[1]
    for n_splits in (1, 2):  # the second without rows of region_1
        scores = cross_val_score(
            model,
            world.X,
            world.y,
            cv=LeaveExperimentsOut(tests, n_splits=n_splits, **ROLES),
            scoring=make_experiment_scorer(tests, **said),
            error_score="raise",
        )
        assert np.isfinite(scores).all()
    assert_allclose(values_of(model, one, world.X, **said), [[coef / 2.0]])
    with pytest.raises(ValueError, match="pass media="):
        make_experiment_scorer(one)(model, world.X)
    with pytest.raises(ValueError, match="pass time="):
        make_experiment_scorer(one, media=list(world.media))(model, world.X)
    with pytest.raises(ValueError, match="what a unit of its media costs is not"):
        make_experiment_scorer(one, **said | {"media_cost": None})(model, world.X)


def test_it_is_pickled_and_says_what_it_is(world, fitted_linear, tests, tmp_path):
    scorer = make_experiment_scorer(tests, kind="z", media_cost=1.0)
    words = "make_experiment_scorer(<4 experiments>, kind='z', media_cost=1.0)"
    assert repr(scorer) == words
    again = pickle.loads(pickle.dumps(scorer))
    assert again(fitted_linear, world.X) == scorer(fitted_linear, world.X)
    joined = [v if isinstance(v, str) else ";".join(v) for v in tests["media"]]
    path = tmp_path / "tests.csv"
    regions = ["region_1", "region_2", "region_3", None]
    tests.assign(media=joined, regions=regions).to_csv(path, index=False)
    by_file = make_experiment_scorer(path, kind="z")
    assert by_file(fitted_linear, world.X) == scorer(fitted_linear, world.X)


# --- leakage --------------------------------------------------------------------------


def test_what_was_learned_is_not_held_out(world, weeks, tests, tmp_path):
    learned = tests.iloc[:1]
    path = tmp_path / "learned.csv"
    learned.assign(regions="region_1").to_csv(path, index=False)
    # Told as a return, and from a file, it is the same experiment.
    as_return = tests.assign(measure="roi")
    for own, scored in ((learned, as_return), (path, tests)):
        model = deep(world, n_draws=0, max_iter=2, experiments=own)
        model.fit(world.X, world.y)
        with pytest.raises(
            ValueError, match=r"experiment 0 of the scorer changed .* not held"
        ):
            make_experiment_scorer(scored)(model, world.X)
    others = make_experiment_scorer(tests.iloc[1:])
    assert np.isfinite(others(model, world.X))
    model.set_params(experiments=None)  # it still is what was fitted
    with pytest.raises(ValueError, match="has learned from"):
        make_experiment_scorer(tests)(model, world.X)


def test_rows_that_an_experiment_moved_are_no_training_rows(world, weeks, tests):
    cv = LeaveExperimentsOut(tests, **ROLES)
    X = world.X.sample(frac=1.0, random_state=0)
    splits = list(cv.split(X))
    assert cv.get_n_splits(X) == len(splits) == 3

    def rows(region, first, last):
        inside = X["week"].between(weeks[first], weeks[last])
        return inside if region is None else inside & (X["region"] == region)

    expected = [
        (rows("region_1", 10, 16),) * 2,  # with cooldown
        (X["week"] < weeks[0], rows("region_2", 20, 27)),
        # The first moved its rows, the second did not; together all are tested.
        (rows("region_3", 30, 36), rows("region_3", 30, 36) | rows(None, 34, 39)),
    ]
    for (train, test), (moved, tested) in zip(splits, expected, strict=True):
        assert_array_equal(train, np.flatnonzero(~moved))
        assert_array_equal(test, np.flatnonzero(tested))


@pytest.mark.parametrize("n_splits", [1, 2])
def test_each_experiment_is_scored_once(n_splits, world, fitted_linear, tests):
    cv = LeaveExperimentsOut(tests, n_splits=n_splits, **ROLES)
    assert cv.get_n_splits() == n_splits
    scored = []
    for _, test in cv.split(world.X):
        found = counterfactual_of(fitted_linear, world.X.iloc[test])
        rows = found.experiment_grid.read(tests)
        scored += [one.name for one in rows if found.answers(one)]
    assert sorted(scored) == [f"experiment {i}" for i in range(4)]


def test_experiments_that_are_linked_by_a_third_share_a_fold(weeks, world, tests):
    chain = tests.iloc[[0, 0, 0]].assign(
        start=weeks[[10, 20, 13]], end=weeks[[14, 24, 22]], estimate=[1.0, 2.0, 3.0]
    )
    cv = LeaveExperimentsOut(chain.reset_index(drop=True), **ROLES)
    assert cv.get_n_splits(world.X) == 1


# --- searches -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routing", "kind"),
    [(False, "log_score"), (True, "z")],
)
def test_a_search_chooses_by_experiments(routing, kind, world, tests):
    truth = linear(world).set_params(adstock__decay=0.9).fit(world.X, world.y)
    told = tests.assign(estimate=values_of(truth, tests, world.X)[0], std_error=3.0)
    cv = LeaveExperimentsOut(told, n_splits=1, **ROLES)
    scoring = {"tests": make_experiment_scorer(told, kind=kind), "r2": "r2"}
    grid = {"adstock__decay": [0.0, 0.9]}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            linear(world), grid, scoring=scoring, cv=cv, refit="tests"
        ).fit(world.X, world.y)
    assert search.best_params_ == {"adstock__decay": 0.9}
    # A fitted search is an estimator as well.
    scorer = scoring["tests"]
    assert scorer(search, world.X) == scorer(search.best_estimator_, world.X)


def test_a_search_of_the_regressor(world, tests):
    cv = LeaveExperimentsOut(tests, n_splits=1, **ROLES)
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), deep(world, n_draws=2, max_iter=5)),
        {"deepcausalmmmregressor__media_share": [0.1, 0.4]},
        scoring=make_experiment_scorer(tests),
        cv=cv,
        error_score="raise",
        refit=False,
    ).fit(world.X, world.y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[0] != scores[1]


@pytest.mark.filterwarnings("ignore:7 periods .* have no row in any region")
def test_weeks_that_all_regions_tested_are_missing_in_training(world, tests):
    national = tests.iloc[[0]].assign(regions=None)
    cv = LeaveExperimentsOut(national, **ROLES)
    models = linear(world), deep(world, n_draws=0, max_iter=5)
    for model in models:
        scores = cross_val_score(
            model,
            world.X,
            world.y,
            cv=cv,
            scoring=make_experiment_scorer(national),
            error_score="raise",
        )
        assert np.isfinite(scores).all()


def test_arrays_and_one_series(world, weeks):
    X = world.X[world.X["region"] == "region_1"]
    table = pd.DataFrame(
        {
            "media": [2],
            "start": [20],
            "end": [39],
            "change": [0.0],
            "estimate": [-20.0],
            "std_error": [5.0],
        }
    )
    array = np.column_stack([np.arange(60), X["media_1"], X["media_2"]])
    model = make_linear_mmm(media=[1, 2], time=0)
    cv = LeaveExperimentsOut(table, time=0)
    scorer = make_experiment_scorer(table)
    scores = cross_val_score(
        model, array, world.y[X.index], cv=cv, scoring=scorer, error_score="raise"
    )
    assert len(scores) == 1


# --- refusals -------------------------------------------------------------------------


def test_scorer_refusals(world, weeks, fitted_linear, fitted_deep, tests):
    with pytest.raises(ValueError, match="kind='mape' must be one of log_score, z"):
        make_experiment_scorer(tests, kind="mape")
    zero = tests.assign(estimate=[0.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="experiment 0 has an estimate of 0, and an e"):
        make_experiment_scorer(zero, kind="relative_error")(fitted_linear, world.X)
    before = world.X[world.X["week"] < weeks[12]]
    with pytest.raises(ValueError, match="X has the rows of no experiment"):
        make_experiment_scorer(tests)(fitted_linear, before)
    radio = tests.assign(media="radio")
    for model in (fitted_linear, fitted_deep):
        with pytest.raises(ValueError, match="experiment 0 names 'radio' as its media"):
            make_experiment_scorer(radio)(model, world.X)
    with pytest.raises(ValueError, match="knows its columns and costs: leave out med"):
        make_experiment_scorer(tests, media_cost=1.0)(fitted_deep, world.X)


def test_splitter_refusals(world, weeks, tests):
    with pytest.raises(
        ValueError, match="n_splits must be an integer of at least 1: 0"
    ):
        LeaveExperimentsOut(tests, n_splits=0, **ROLES)
    with pytest.raises(
        ValueError, match=r"3 groups of experiments .* n_splits=4 needs"
    ):
        next(LeaveExperimentsOut(tests, n_splits=4, **ROLES).split(world.X))
    with pytest.raises(ValueError, match="X decides which experiments share rows"):
        LeaveExperimentsOut(tests, **ROLES).get_n_splits()
    cv = LeaveExperimentsOut(tests, **ROLES)
    with pytest.raises(ValueError, match=r"experiment 2 runs from 2021-08-02 to 2021-"):
        next(cv.split(world.X[world.X["week"] < weeks[33]]))
    with pytest.raises(ValueError, match="names the region 'region_1', which has no"):
        next(cv.split(world.X[world.X["region"] != "region_1"]))
    everything = tests.iloc[[0]].assign(
        start=weeks[0], end=weeks[-1], cooldown=0, regions=None
    )
    with pytest.raises(ValueError, match="nothing is left to train on"):
        next(LeaveExperimentsOut(everything, **ROLES).split(world.X))
    assert "n_splits=None" in repr(cv)


def test_experiments_elsewhere_are_in_no_split(world, weeks, tests):
    outside = pd.Timestamp(weeks[0]) - pd.Timedelta(weeks=20)
    first = tests.iloc[[0]].assign(start=outside, end=outside, spend=1e3)
    table = pd.concat([first, tests.iloc[1:]], ignore_index=True)
    assert LeaveExperimentsOut(table, **ROLES).get_n_splits(world.X) == 2


def test_cells_of_a_grid(world, tests, fitted_linear):
    grid = counterfactual_of(fitted_linear, world.X).experiment_grid
    one = grid.read(tests)[0]
    assert grid.cells(one).sum() == 7
    assert grid.holds(one)
    late = replace(one, start=one.start + 48, stop=one.stop + 48)
    assert not grid.holds(late)
    assert grid.cells(late).sum() == 2


def test_rows_that_are_missing_are_not_summed_over(world, tests, fitted_linear):
    one = tests.iloc[[0]]
    value = values_of(fitted_linear, one, world.X)
    assert np.isfinite(value).all()
    inside = np.flatnonzero(world.X["region"] == "region_1")
    some = world.X.drop(world.X.index[inside[12]])
    with pytest.raises(ValueError, match="experiment 0: X has no row for 1 of"):
        values_of(fitted_linear, one, some)


def test_money_is_not_divided_where_nothing_is_spent(world, weeks, fitted_linear):
    dark = world.X.copy()
    dark.loc[dark["region"] == "region_2", "media_1"] = 0.0
    row = {"media": "media_1", "start": weeks[10], "end": weeks[14]}
    row |= {"estimate": -50.0, "std_error": 9.0, "observed": "treated"}
    table = pd.DataFrame([row | {"spend_change": -100.0}])
    with pytest.raises(ValueError, match="one row per region and channel"):
        values_of(fitted_linear, table, dark, media_cost=1.0)
    value = values_of(fitted_linear, table, world.X, media_cost=1.0)
    assert value.item() < 0


def test_a_part_of_what_was_learned_is_not_held_out(world, tests):
    model = deep(world, n_draws=0, max_iter=2, experiments=tests.iloc[[0]])
    model.fit(world.X, world.y)
    shorter = tests.iloc[[0]].assign(end=tests["start"].iloc[0])
    with pytest.raises(ValueError, match="is not held out"):
        make_experiment_scorer(shorter, kind="z")(model, world.X)
