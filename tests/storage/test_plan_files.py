"""Plans as files: bit for bit what was saved, or an error that says why not."""

import copy

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from archives import rewritten, with_array, with_header
from helpers import refuses
from helpers import refuses_from as refuses_with
from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import BudgetPlan


@pytest.fixture(scope="module")
def plan(fitted):
    return fitted.optimize_budget(horizon=4)


@pytest.fixture(scope="module")
def came(plan, fitted):
    X = plan.X.assign(media_1=2.0 * plan.X["media_1"])
    return X, 0.9 * fitted.predict(X)


@pytest.fixture
def saved(plan, tmp_path):
    path = tmp_path / "quarter.plan.skmmm"
    plan.save(path)
    return path


def test_a_loaded_plan_is_the_plan(plan, saved, came, tmp_path):
    loaded = DeepCausalMMMRegressor.load_plan(saved)
    assert isinstance(loaded, BudgetPlan)
    assert list(loaded) == list(plan)
    for name, value in plan.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(loaded[name], value, check_exact=True)
        else:
            assert_array_equal(loaded[name], value)
            assert type(loaded[name]) is type(value)
    assert loaded.settings == plan.settings
    assert plan.settings["bounds"] == (0.5, 2.0)
    X, y = came
    first, second = plan.review(X, y), loaded.review(X, y)
    for name in ("summary", "by_period", "by_region"):
        one, other = getattr(first, name), getattr(second, name)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert first.message == second.message
    loaded.save(tmp_path / "again.skmmm")
    assert (tmp_path / "again.skmmm").read_bytes() == saved.read_bytes()
    with refuses_with("A plan that was loaded does not know"):
        loaded.worth_testing()
    assert copy.deepcopy(loaded).review(X, y).message == first.message


@pytest.mark.parametrize("by", ["region", "period"])
def test_plans_by_cell_are_stored(fitted, tmp_path, by):
    fixed = [("media_1", "region_1")] if by == "region" else ["media_1"]
    plan = fitted.optimize_budget(horizon=2, by=by, fixed=fixed, risk=("sd", 1.0))
    plan.save(tmp_path / "a.skmmm")
    loaded = DeepCausalMMMRegressor.load_plan(tmp_path / "a.skmmm")
    pd.testing.assert_frame_equal(loaded.allocation, plan.allocation, check_exact=True)
    assert loaded.settings == plan.settings
    assert loaded.settings["fixed"] == fixed


def test_wrong_files(fitted, saved, tmp_path):
    path = tmp_path / "model.skmmm"
    fitted.save(path)
    load = DeepCausalMMMRegressor.load_plan
    with refuses(f"{path} cannot be loaded: it is a skmmm model, not a skmmm plan."):
        load(path)
    with refuses(f"{saved} cannot be loaded: it is a skmmm plan, not a skmmm model."):
        DeepCausalMMMRegressor.load(saved)
    path.write_text("no archive")
    with refuses_with(f"{path} cannot be loaded: it is not a skmmm plan, or was cut"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.skmmm")
    saved.write_bytes(saved.read_bytes()[:-100])
    with refuses_with(f"{saved} cannot be loaded: it is not a skmmm plan, or was cut"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h.update(format=2), "reads formats up to 1. Upgrade skmmm"),
        (lambda h: h.update(format=0), "no longer reads: plans are stored otherwise"),
        (lambda h: h["items"].pop("allocation"), "it lacks a part of the plan"),
        (lambda h: h["items"]["X"].pop("index"), "its X cannot be read"),
        (lambda h: h.update(items=[]), "items in its header is"),
        (lambda h: h.pop("settings"), "must have"),
        (lambda h: h["model"].update(format=10), "no longer reads: the model has"),
        (lambda h: h["model"].update(magic="else"), "it is not a skmmm model"),
        (lambda h: h["model"].pop("columns"), "must have"),
    ],
)
def test_headers_that_are_no_plan(saved, change, said):
    with pytest.raises(ValueError, match=said):
        DeepCausalMMMRegressor.load_plan(with_header(saved, change))


def test_a_plan_of_another_model_is_noticed(saved):
    with_array(saved, "expected", lambda expected: 1.01 * expected)
    with pytest.raises(ValueError, match="it expects otherwise"):
        DeepCausalMMMRegressor.load_plan(saved)


def test_a_damaged_model_in_a_plan_is_noticed(saved):
    def spoil(members):
        content = bytearray(members["model.shared.npy"])
        content[-1] ^= 1
        members["model.shared.npy"] = bytes(content)

    rewritten(saved, spoil)
    with pytest.raises(ValueError, match=r"array 'model\.shared' is not"):
        DeepCausalMMMRegressor.load_plan(saved)
