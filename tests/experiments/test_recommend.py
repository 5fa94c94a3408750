"""Which test to run next."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import OptimizeResult
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmmm import DeepCausalMMMRegressor
from skmmm.allocation._information import Knowledge
from skmmm.allocation._words import doubt_in_words
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.experiments import design_experiment, recommend_experiment

pytestmark = pytest.mark.usefixtures("short_chains")

TESTED, OTHER = "media_1", "media_2"
BOUNDS = 0.5, 2.0
PRECISE, VAGUE = 1e-3, 1e9


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(4, 56, n_media=3, random_state=1)


def make_model(world, **options):
    roles = {"media": world.media, "controls": world.controls}
    given = {"region": "region", "time": "week", "max_iter": 10, "n_draws": 8}
    given |= {"max_lag": 4, "graph": None, "random_state": 0, "media_cost": 1.0}
    return DeepCausalMMMRegressor(**roles | given | options)


@pytest.fixture(scope="module")
def model(world):
    return make_model(world).fit(world.X, world.y)


@pytest.fixture(scope="module")
def weeks(world):
    return np.unique(world.X["week"])


def design(**columns):
    row = {"media": TESTED, "n_periods": 8, "regions": None, "change": 0.0}
    return pd.DataFrame([row | {"std_error": 100.0} | columns])


def recommended(model, table, **options):
    return recommend_experiment(model, table, **{"bounds": BOUNDS} | options)


def one(model, **columns):
    """Return what is said of one design for the training rows."""
    return recommended(model, design(**columns), X=model._training_rows()).iloc[0]


@pytest.fixture(scope="module")
def default(model):
    return recommend_experiment(model, bounds=BOUNDS)


def test_of_every_channel_two_tests_are_compared(default, world):
    assert default.groupby("media").size().to_dict() == dict.fromkeys(world.media, 2)
    assert set(default["change"]) == {0.0, 1.5}
    assert set(default["n_regions"]) == {2}
    assert sorted(default.index) == list(range(6))
    assert default["net_value"].is_monotonic_decreasing
    assert_allclose(default["net_value"], default["plan_value"] - default["cost"])
    assert (default["std_error"] > 0).all()
    assert (default.groupby("media")["end"].nunique() == 1).all()
    assert (default["spend_change"] != 0).all()


def test_defaults_can_be_asked_for_by_name(model, default):
    kept = default[["media", "start", "end", "regions", "change", "std_error"]]
    pd.testing.assert_frame_equal(recommended(model, kept), default)


def test_expected_is_the_contribution(model, weeks):
    said = one(model, n_periods=np.nan, start=weeks[0], end=weeks[-1])
    draws = model._counterfactual().contributions(draws=True)[..., 0].sum(axis=1)
    assert_allclose(said["expected"], -draws.mean(), rtol=1e-9)
    assert_allclose(said["expected_sd"], draws.std(ddof=1), rtol=1e-9)
    assert_allclose(
        said["information"], 0.5 * np.log(1 + draws.var(ddof=1) / 100.0**2), rtol=1e-9
    )


def test_n_periods_are_the_last(model, weeks):
    found = one(model, cooldown=2)
    assert (found["start"], found["end"]) == (weeks[-10], weeks[-3])
    named = one(model, n_periods=np.nan, start=weeks[-10], end=weeks[-3], cooldown=2)
    assert_allclose(named["expected"], found["expected"])


def test_a_channel_that_is_dark_is_tested_in_its_last_flight(model, weeks):
    twin, panel = copy.copy(model), model._model.history
    media = panel.media.copy()
    media[0, -20:, 0] = 0.0
    twin._model = replace(model._model, history=replace(panel, media=media))
    found = one(twin, n_periods=3, regions=["region_1"])
    assert found["start"] < weeks[-20]
    assert found["spend_change"] < 0


def test_a_return_is_an_outcome_per_money(model):
    outcome = one(model)
    money = abs(outcome["spend_change"])
    said = one(model, measure="roi", std_error=100.0 / money)
    assert_allclose(said["expected"] * money, -outcome["expected"])
    columns = ["information", "doubt_removed", "plan_value", "cost"]
    for column in columns:
        assert_allclose(said[column], outcome[column], rtol=1e-6, atol=1e-6)


def test_surer_tests_tell_more(model):
    table = pd.concat([design(std_error=error) for error in (PRECISE, 50.0, VAGUE)])
    found = recommended(model, table, horizon=13)
    found = found.sort_values("std_error")
    assert found["information"].is_monotonic_decreasing
    assert found["doubt_removed"].is_monotonic_decreasing
    assert found["doubt_removed"].iloc[0] > 0.5
    assert_allclose(found["doubt_removed"].iloc[-1], 0.0, atol=1e-9)
    value = found["plan_value"].to_numpy()
    assert value[0] >= value[1] - 1e-6
    assert_allclose(value[2], 0.0, atol=1e-3)
    assert "within the error of the draws" in found["reason"].iloc[-1]


def test_a_bias_is_an_error(model):
    assert_allclose(
        one(model, std_error=30.0, bias_sd=40.0)["information"],
        one(model, std_error=50.0)["information"],
    )


def test_cost_is_what_money_earns_elsewhere(model):
    free, paid = (one(model, cost=cost) for cost in (np.nan, 1000.0))
    price = (paid["cost"] - free["cost"]) / 1000.0
    assert price > 0
    loss = price * free["spend_change"] - free["expected"]
    assert_allclose(free["cost"], max(loss, 0.0))
    assert_allclose(paid["net_value"], paid["plan_value"] - paid["cost"])


def test_where_nothing_may_move_nothing_is_gained(model):
    found = recommended(model, design(std_error=PRECISE), bounds=(1.0, 1.0), horizon=8)
    assert_allclose(found["plan_value"], 0.0, atol=1e-6)


def test_a_test_frees_a_channel_that_was_kept(model):
    alarmed = copy.copy(model)
    alarmed._alarms = ("follows past KPI", "", "")
    sure, vague = (
        recommended(
            alarmed, design(std_error=error), horizon=26, bounds={None: (0.5, 2.0)}
        ).iloc[0]
        for error in (PRECISE, VAGUE)
    )
    assert_allclose(vague["plan_value"], 0.0, atol=1e-3)
    freed = recommended(
        model, design(std_error=PRECISE), horizon=26, bounds={None: (0.5, 2.0)}
    ).iloc[0]
    # Today's plan earns less, the plan after the test is the same.
    assert sure["plan_value"] > freed["plan_value"] + 1.0
    contradicted = copy.copy(alarmed)
    contradicted._contradicted = np.array([True, False, False])
    kept = recommended(contradicted, design(std_error=PRECISE), horizon=26).iloc[0]
    assert kept["plan_value"] < sure["plan_value"]


def test_tests_that_tell_two_channels_apart_are_named(model):
    """Of two channels only the total is known: one of them is to be varied alone."""
    twin, media = copy.copy(model), list(model._columns.media)
    numbers = np.array([0, 0, 1])[[media.index(c) for c in sorted(media)]]
    twin._model = replace(model._model, together=numbers)
    pair = f"{TESTED} + {OTHER}"
    table = recommend_experiment(twin, bounds=BOUNDS)
    said = table["reason"].str.contains(f" Of {pair} only the total is", regex=False)
    assert_array_equal(said, table["media"].isin([TESTED, OTHER]))
    best = table["reason"].str.endswith("and of the tests that do, it pays most.")
    assert best.sum() == 1
    assert table.index[best][0] == table.index[said][0]  # in their order
    first = table[table["media"] == TESTED]["reason"].iloc[0]
    assert f"this tells {TESTED} from {OTHER}" in first
    both = recommended(twin, design(media=f"{TESTED}; {OTHER}"))["reason"].iloc[0]
    assert both.endswith("vary one of them alone to tell them apart.")
    for reason in recommended(model, design())["reason"]:
        assert "only the total" not in reason


def test_designs_of_design_experiment(model, world):
    designs = design_experiment(
        world.X, world.y, region="region", time="week", n_regions=1, n_periods=13,
        media=TESTED, change=0.0, lift=0.05, max_share=0.9, random_state=0,
    )  # fmt: skip
    table = designs.assign(media=TESTED, n_periods=13, change=0.0)
    found = recommended(model, table, horizon=13)
    assert len(found) == len(designs)
    assert sorted(found["std_error"]) == sorted(designs["std_error"])
    for position, row in found.iterrows():
        assert row["regions"] == designs.loc[position, "regions"]
    assert (found["spend_change"] < 0).all()


def test_without_four_regions_tests_are_everywhere():
    series = make_mmm_panel(1, 56, n_media=2, random_state=0)
    model = make_model(series).fit(series.X, series.y)
    found = recommend_experiment(model, horizon=13)
    assert set(found["n_regions"]) == {1}
    assert np.isfinite(found["net_value"]).all()


def test_channels_without_a_cost_have_no_money(model):
    twin = copy.copy(model)
    twin._media_cost = np.array([np.nan, 1.0, 1.0])
    found = recommended(twin, design(), horizon=13).iloc[0]
    assert np.isnan(found["spend_change"])
    assert_allclose(found["cost"], max(-found["expected"], 0.0))


BAD = {
    "unknown channel": ({"media": "radio"}, "design 0 names 'radio' as its media"),
    "no error": ({"std_error": 0.0}, "design 0 has a std_error of 0"),
    "no change": ({"change": 1.0}, "design 0 changes nothing"),
    "when": ({"n_periods": None}, "design 0 does not say when it runs"),
    "twice": ({"start": "2022-01-03"}, "n_periods and a start or end"),
    "too long": ({"n_periods": 57}, "at most the 56 of the training rows"),
    "half": ({"n_periods": 2.5}, "n_periods of 2.5"),
    "cost": ({"cost": -1.0}, "design 0 has a cost of -1.0"),
    "measure": ({"measure": "mroi", "change": None}, "design 0 measures mroi"),
    "was run": ({"estimate": 3.0}, "parameter experiments of the model"),
    "typo": ({"chnage": 3.0}, "a column 'chnage' that is none of"),
}


@pytest.mark.parametrize("case", BAD)
def test_designs_that_make_no_sense(model, case):
    columns, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        recommended(model, design(**columns), horizon=4)


def test_designs_that_are_no_table_or_empty(model):
    with pytest.raises(ValueError, match="pandas DataFrame, got list"):
        recommended(model, [TESTED], horizon=4)
    with pytest.raises(ValueError, match="no column 'std_error'"):
        recommended(model, design().drop(columns="std_error"), horizon=4)
    with pytest.raises(ValueError, match="designs has no rows"):
        recommended(model, design().iloc[:0], horizon=4)


def test_models_that_cannot_say(world, model):
    point, timeless = copy.copy(model), copy.copy(model)
    point._model = replace(model._model, draws=None)
    with pytest.raises(ValueError, match="n_draws"):
        recommended(point, design(), horizon=4)
    timeless._calendar = None
    with pytest.raises(ValueError, match="no time column"):
        recommended(timeless, design())
    linear = make_linear_mmm(media=world.media, region="region", time="week")
    with pytest.raises(ValueError, match="needs a DeepCausalMMMRegressor"):
        recommended(linear.fit(world.X, world.y), design())
    steps = make_pipeline(FunctionTransformer(), model)
    with pytest.raises(ValueError, match="reads X as it is"):
        recommended(steps, design())
    with pytest.raises(ValueError, match="the bounds allow at most"):
        recommended(model, design(), horizon=4, budget=1e12)


# --- of plans -------------------------------------------------------------------------


def test_plans_say_whose_test_would_pay_most(model, world):
    plan = model.optimize_budget(bounds=BOUNDS, horizon=13)
    table = plan.worth_testing()
    assert sorted(table.index) == sorted(world.media)
    assert table["plan_value"].is_monotonic_decreasing
    assert (table["plan_value_error"] >= 0).all()
    # A nearly exact test tells little more than what the channel causes today.
    tests = pd.concat([design(media=m, std_error=PRECISE) for m in world.media])
    found = recommended(model, tests, horizon=13).set_index("media")
    most = table["plan_value"] + 2 * table["plan_value_error"]
    assert (found["plan_value"] <= most[found.index] + 1e-6).all()


def test_todays_best_plan_is_that_of_the_planner(model):
    plan = model.optimize_budget(bounds=BOUNDS, horizon=13, risk=("cvar", 1.0))
    knowledge = Knowledge(plan._results)
    mean = knowledge.tables.worth.mean(axis=0, keepdims=True)
    best = knowledge.tables.best(mean, knowledge.today)
    gain = plan.outcome - plan.current_outcome
    assert gain > 0
    assert_allclose(best.earned(mean), gain, rtol=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "region"}, "plan by channel"),
        ({"target_mroi": 0.5}, "without targets and constraints"),
        (
            {"constraints": [([TESTED, OTHER], None, 1e9)]},
            "without targets and constraints",
        ),
    ],
)
def test_plans_that_cannot_say(model, options, message):
    plan = model.optimize_budget(horizon=8, **options)
    with pytest.raises(ValueError, match=message):
        plan.worth_testing()


def test_copies_of_plans_can_be_asked(model):
    plan = model.optimize_budget(bounds=BOUNDS, horizon=13)
    assert "worth_testing" in dir(plan)
    for twin in (copy.copy(plan), copy.deepcopy(plan)):
        assert list(twin) == list(plan)
        assert_array_equal(twin.worth_testing(), plan.worth_testing())


def test_plans_are_written_without_the_model(model):
    plan = model.optimize_budget(horizon=8)
    written = pickle.loads(pickle.dumps(plan))
    assert type(written) is OptimizeResult
    assert written.keys() == plan.keys()
    assert written.outcome == plan.outcome


def test_only_doubtful_plans_speak_of_tests():
    assert doubt_in_words(0.95) == doubt_in_words(np.nan) == ""
    assert "worth_testing()" in doubt_in_words(0.7)
