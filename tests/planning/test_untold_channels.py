"""Plans name channels that they move though data do not tell what these bring."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from known_curves import Known
from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import optimize_budget

pytestmark = pytest.mark.usefixtures("short_chains")
SAID = "The data do not tell what "
MIXED = ["data-driven", "not identified", "prior-driven"]


def judged(model, verdicts):
    """Return a model as if its data told so much of its channels."""
    model = copy.copy(model)
    model._verdicts = lambda: np.array(verdicts, dtype=object)
    return model


@pytest.fixture(scope="module")
def mixed(fitted):
    return judged(fitted, MIXED)


def test_what_moves_and_is_not_told_is_named(fitted, mixed):
    spent = fitted.optimize_budget().allocation["current_spend"].sum()
    less = {"budget": 0.8 * spent}  # which moves all
    free, plan = fitted.optimize_budget(**less), mixed.optimize_budget(**less)
    assert_array_equal(plan.x, free.x)
    told = judged(fitted, [MIXED[0]] * 3).optimize_budget(**less)
    assert SAID not in told.message
    assert (abs(plan.x[1:] - 1.0) > 0.01).all()
    for channel, verdict in (("media_2", MIXED[1]), ("media_3", MIXED[2])):
        assert (
            f"{SAID}['{channel}'] brings ({verdict}), and draws do not, either: "
            f"fixed=['{channel}'] keeps its spend." in plan.message
        )
    both = judged(fitted, [MIXED[0], MIXED[2], MIXED[2]]).optimize_budget(**less)
    assert (
        f"{SAID}['media_2', 'media_3'] bring (prior-driven), and draws do not, either: "
        "fixed=['media_2', 'media_3'] keeps their spend." in both.message
    )


def test_what_stays_is_not_named(mixed):
    near = {"media_2": (0.995, 1.005), "media_3": (0.5, 2.0)}
    plan = mixed.optimize_budget(bounds=near, fixed={"media_1": 1.0})
    assert "media_2" not in plan.message
    assert f"{SAID}['media_3']" in plan.message
    plan = mixed.optimize_budget(fixed=["media_2", "media_3"])
    assert SAID not in plan.message


@pytest.mark.parametrize("by", ["channel", "region", "period"])
def test_verdicts_stand_in_the_last_column(by, mixed, panel):
    last = panel.X[panel.X["week"] >= np.unique(panel.X["week"])[-4]]
    plan = mixed.optimize_budget(X=last, by=by)
    assert list(plan.allocation)[-1] == "verdict"
    of_channel = dict(zip(panel.media, MIXED, strict=True))
    channel = plan.allocation.index.get_level_values("channel")
    assert list(plan.allocation["verdict"]) == [of_channel[c] for c in channel]
    assert (SAID in plan.message) == (abs(plan.x - 1.0) > 0.01).any()


def test_channels_of_which_the_total_is_known_are_said_once(mixed):
    model = copy.copy(mixed)
    model._model = copy.copy(mixed._model)
    object.__setattr__(model._model, "together", np.array([-1, 0, 0]))
    plan = model.optimize_budget()
    assert plan.x[1] == pytest.approx(plan.x[2], rel=1e-12)
    assert plan.x[1] != 1.0
    assert "Moved by one factor" in plan.message
    assert SAID not in plan.message


def test_without_verdicts_alarms_are_named(fitted):
    model = judged(fitted, [None] * 3)
    model._alarms = ("", "follows past KPI", "")
    assert SAID not in model.optimize_budget().message
    plan = model.optimize_budget(bounds={"media_2": (0.5, 0.6)})
    assert (
        f"{SAID}['media_2'] brings (rings an alarm (follows past KPI)), and draws do "
        in plan.message
    )


def test_a_saved_plan_keeps_verdicts(mixed, fitted, tmp_path):
    for model in (mixed, fitted):
        plan = model.optimize_budget()
        plan.save(tmp_path / "a.plan.skmmm")
        again = DeepCausalMMMRegressor.load_plan(tmp_path / "a.plan.skmmm")
        told, read = plan.allocation["verdict"], again.allocation["verdict"]
        assert list(told.fillna("none")) == list(read.fillna("none"))
        assert again.message == plan.message


def test_estimators_without_verdicts_have_no_column(X):
    plan = optimize_budget(Known().fit(), X=X)
    assert "verdict" not in plan.allocation
    assert SAID not in plan.message
