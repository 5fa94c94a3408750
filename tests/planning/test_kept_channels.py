"""Plans leave channels alone that fit warns of, unless they are bounded by name."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from helpers import refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm.allocation import budget_path
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._placement import FOLLOWS, REACTS

pytestmark = pytest.mark.usefixtures("short_chains")

ALARM = f"kept: rings an alarm ({FOLLOWS})"
PRIOR = "kept: contradicts its prior"
WIDE = (0.25, 4.0)


def warned_of(model, alarmed=(), contradicted=()):
    """Return a model as if its fit had warned of these channels."""
    model, media = copy.copy(model), model._columns.media
    model._alarms = tuple(FOLLOWS if channel in alarmed else "" for channel in media)
    model._contradicted = np.isin(list(media), list(contradicted))
    return model


@pytest.fixture(scope="module")
def warned(fitted):
    """The spend of media_2 rings an alarm."""
    return warned_of(fitted, ["media_2"])


@pytest.fixture(scope="module")
def lost(fitted):
    """There is something against every channel."""
    return warned_of(fitted, ["media_1", "media_2"], ["media_2", "media_3"])


# --- what keeps its spend -------------------------------------------------------------


def test_what_rings_an_alarm_keeps_its_spend(fitted, warned):
    free = fitted.optimize_budget()
    assert abs(free.allocation["change"]["media_2"]) > 1e-3
    plan = warned.optimize_budget()
    assert (
        plan.allocation["spend"]["media_2"]
        == free.allocation["current_spend"]["media_2"]
    )
    assert plan.allocation["reason"]["media_2"] == ALARM
    assert not plan.allocation["reason"].drop("media_2").str.contains("kept").any()
    assert (
        "Kept at current spend, because fit warns of it: media_2 rings an alarm "
        "(follows past KPI). Once an experiment has told more, bound it by name to let "
        "it move." in plan.message
    )
    assert plan.allocation["spend"].sum() == pytest.approx(
        free.allocation["spend"].sum()
    )
    assert plan.outcome <= free.outcome
    assert "kept" not in free.message.lower()


def test_what_contradicts_its_prior_keeps_its_spend(fitted):
    model = warned_of(fitted, ["media_2"], ["media_1", "media_2"])
    plan = model.optimize_budget(risk=("sd", 0.5))
    assert_array_equal(plan.x[:2], 1.0)
    assert plan.allocation["reason"]["media_1"] == PRIOR
    both = plan.allocation["reason"]["media_2"]
    assert both == f"{ALARM} and contradicts its prior"
    assert "fit warns of them: media_1 contradicts its prior; media_2" in plan.message


@pytest.mark.parametrize("order", [["media_3", "media_1"], ["media_1", "media_3"]])
def test_real_warnings_keep_the_right_channels(order, panel, arguments):
    """One budget is a share of the KPI, the prior of the other is far too high."""
    few = {"max_iter": 60, "graph": None, "media": order, "media_cost": 1.0}
    priors = {"media_1": {"roi": (45.0, 50.0)}}
    model = DeepCausalMMMRegressor(**arguments | few, priors=priors)
    X = panel.X.assign(media_3=0.1 * panel.y)
    X = X[["week", "region", *order, *arguments["controls"]]]
    with (
        pytest.warns(UserWarning, match=r"contradict the prior .* of \['media_1'\]"),
        pytest.warns(UserWarning, match=r"spend of \['media_3'\] reacts"),
        pytest.warns(ConvergenceWarning),
    ):
        model.fit(X, panel.y)
    reason = model.optimize_budget().allocation["reason"]
    assert list(reason.index) == order
    assert reason["media_3"] == f"kept: rings an alarm ({REACTS})"
    assert reason["media_1"] == PRIOR


def test_regions_and_periods_keep_it_too(warned, panel):
    last = panel.X[panel.X["week"] >= np.unique(panel.X["week"])[-8]]
    for by in ("region", "period"):
        plan = warned.optimize_budget(X=last, by=by)
        assert plan.success, plan.message
        kept = plan.allocation.loc["media_2"]
        assert_array_equal(kept["factor"], 1.0)
        said = np.where(kept["current_spend"] > 0, ALARM, "no spend to scale")
        assert_array_equal(kept["reason"], said)
        assert_allclose(plan.X["media_2"], last["media_2"])
        assert (plan.allocation["factor"] != 1.0).any()
        assert "media_2 rings an alarm" in plan.message


def test_every_budget_of_a_path_keeps_it(warned, panel):
    now = panel.X["media_2"].sum()
    path = budget_path(warned)
    assert len(path.plans) == 11
    for plan in path.plans:
        assert plan.success
        assert plan.allocation["spend"]["media_2"] == pytest.approx(now, rel=1e-12)


def test_total_effects_move_it_with_its_parents():
    """media_1 is cut: media_2 is not planned, but spends less because of that."""
    graph = np.zeros((2, 2))
    graph[0, 1] = 0.8
    data = make_mmm_panel(2, 60, n_media=2, graph=graph, random_state=0)
    arguments = {"region": "region", "time": "week", "controls": data.controls}
    model = DeepCausalMMMRegressor(
        **arguments, n_draws=0, max_iter=10, max_lag=4, random_state=0
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(data.X, data.y)
    fixed = {"media_1": 0.5 * data.X["media_1"].sum()}
    asked = {"target_roi": 1e-6, "fixed": fixed}
    model = warned_of(model, ["media_2"])
    plan = model.optimize_budget(effect="total", **asked)
    assert plan.success, plan.message
    assert plan.x[1] == 1.0
    assert plan.allocation["change"]["media_2"] < -0.01
    assert plan.allocation["reason"]["media_2"] == f"{ALARM}, responds to others"
    direct = model.optimize_budget(**asked)
    assert direct.allocation["change"]["media_2"] == 0.0
    assert direct.allocation["reason"]["media_2"] == ALARM


# --- the word of the user -------------------------------------------------------------


@pytest.mark.parametrize("role", ["bounds", "money_bounds", "fixed"])
@pytest.mark.parametrize("key", ["media_2", 3])
def test_a_channel_that_is_bounded_by_name_moves(role, key, fitted, warned, panel):
    assert list(panel.X)[3] == "media_2"
    now = panel.X["media_2"].sum()
    limit = {
        "bounds": {key: (0.5, 0.9)},
        "money_bounds": {key: (0.5 * now, 0.9 * now)},
        "fixed": {key: 0.9 * now},
    }[role]
    plan = warned.optimize_budget(**{role: limit})
    assert_allclose(plan.x, fitted.optimize_budget(**{role: limit}).x)
    assert 0.5 - 1e-6 <= plan.x[1] <= 0.9 + 1e-6
    assert "kept" not in plan.message.lower()
    assert not plan.allocation["reason"].str.contains("kept").any()


def test_what_names_no_channel_lets_none_move(warned, panel):
    for bounds in (WIDE, {None: WIDE}, {None: WIDE, "media_1": (0.9, 1.1)}):
        plan = warned.optimize_budget(bounds=bounds, allow_extrapolation=True)
        assert plan.allocation["reason"]["media_2"] == ALARM
        others = plan.allocation["reason"].drop("media_2")
        assert not others.str.contains("kept").any()
    both = panel.X[["media_1", "media_2"]].sum().sum()
    constraints = [(["media_1", "media_2"], 0.9 * both, 1.1 * both)]
    plan = warned.optimize_budget(constraints=constraints)
    assert plan.allocation["reason"]["media_2"] == ALARM
    more = 1.2 * panel.X[panel.media].sum().sum()
    plan = warned.optimize_budget(more, bounds=(1.1, 2.0), allow_extrapolation=True)
    assert plan.x[1] == 1.0
    assert (np.delete(plan.x, 1) >= 1.1 - 1e-6).all()


def test_the_name_of_a_cell_is_for_that_cell(warned):
    cell = ("media_2", "region_1")
    plan = warned.optimize_budget(by="region", bounds={cell: (0.7, 0.9)})
    reason = plan.allocation["reason"]["media_2"]
    assert 0.7 - 1e-6 <= plan.allocation["factor"][cell] <= 0.9 + 1e-6
    assert "kept" not in reason["region_1"]
    assert (reason.drop("region_1") == ALARM).all()
    whole = warned.optimize_budget(by="region", bounds={"media_2": (0.7, 0.9)})
    assert not whole.allocation["reason"].str.contains("kept").any()
    assert (whole.allocation.loc["media_2", "factor"] <= 0.9 + 1e-6).all()


# --- what cannot be kept, or not be planned -------------------------------------------


def test_limits_that_break_on_kept_channels_name_them(warned, panel):
    now = panel.X[panel.media].sum()
    least = 0.5 * (now["media_1"] + now["media_3"]) + now["media_2"]
    plan = warned.optimize_budget(0.99 * least)
    assert not plan.success
    assert "the budget allows" in plan.message
    assert "media_2 rings an alarm (follows past KPI)" in plan.message
    assert "bound it by name" in plan.message
    assert plan.allocation["reason"]["media_2"] == ALARM
    assert warned.optimize_budget(0.99 * least, bounds={"media_2": (0.0, 1.0)}).success
    limit = [("media_2", None, 0.5 * now["media_2"])]
    plan = warned.optimize_budget(constraints=limit)
    assert not plan.success
    assert "constraint 0 allows" in plan.message
    assert "media_2 rings an alarm" in plan.message
    # It is not to blame for a limit on others.
    plan = warned.optimize_budget(constraints=[("media_1", None, 1.0)])
    assert not plan.success
    assert "alarm" not in plan.message


@pytest.mark.parametrize("target", ["target_roi", "target_mroi"])
def test_targets_that_are_missed_name_what_is_kept(target, warned):
    plan = warned.optimize_budget(**{target: 1e6})
    assert not plan.success
    assert "media_2 rings an alarm (follows past KPI)" in plan.message


def test_if_all_are_kept_the_plan_is_current_spend(lost, panel):
    for asked in ({}, {"by": "region"}, {"by": "period", "horizon": 4}):
        plan = lost.optimize_budget(**asked)
        assert plan.success
        assert_array_equal(plan.x, 1.0)
        assert plan.outcome == plan.current_outcome
        assert plan.message.startswith("Every channel keeps its spend")
        assert "media_1 rings an alarm (follows past KPI); media_2" in plan.message
        spends = plan.allocation["current_spend"] > 0
        assert plan.allocation["reason"][spends].str.startswith("kept: ").all()
    more = lost.optimize_budget(1.1 * panel.X[panel.media].sum().sum())
    assert not more.success
    assert "media_3 contradicts its prior. Once an experiment has" in more.message
    assert "bound them by name" in more.message


@pytest.mark.parametrize("by", ["channel", "period"])
def test_if_nothing_may_move_a_target_is_missed_or_not(by, lost, fitted, panel):
    last = panel.X[panel.X["week"] >= np.unique(panel.X["week"])[-4]]
    asked = {"X": last, "by": by}
    missed = lost.optimize_budget(target_roi=1e6, **asked)
    assert not missed.success
    assert "no spend has an ROI of 1e+06" in missed.message
    assert "media_3 contradicts its prior" in missed.message
    assert lost.optimize_budget(target_roi=1e-6, **asked).success
    # As where the user fixes all of it.
    assert not fitted.optimize_budget(
        target_roi=1e6, fixed=panel.media, **asked
    ).success


def test_a_path_of_kept_channels_is_one_budget(lost, panel):
    path = budget_path(lost)
    assert_allclose(path.table["budget"], [panel.X[panel.media].sum().sum()])
    assert path.plans[0].success
    given = budget_path(lost, [1e6, 1e9])
    assert given.table["outcome"].isna().all()
    assert all("bound them by name" in plan.message for plan in given.plans)


def test_the_key_none_is_for_bounds_only(fitted):
    with refuses_from("fixed names None, which is not one of the media columns"):
        fitted.optimize_budget(fixed={None: 1.0})
    with refuses_from("bounds must hold 0 <= low <= high"):
        fitted.optimize_budget(bounds={None: (2, 1)})
