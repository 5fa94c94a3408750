"""Plans of given curves are the best there are, and those of whom they are from."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from helpers import refuses_from as refuses
from known_curves import MEDIA, Known, steady
from skmmm.allocation import GivenCurves, budget_path, optimize_budget
from skmmm.effects import effects_of
from skmmm.inspection import channel_summary, fit_hill, response_curve

COLUMNS = ["maximum", "half_saturation", "slope", "observed_until"]
TODAY = pd.DataFrame({"tv": [1e6], "search": [4e5], "radio": [6e5]})
CONCAVE = [[9e6, 2e6, 1.0, 4e6], [2e6, 3e5, 0.8, 2e6], [3e6, 9e5, 1.0, 3e6]]
# Radio has to be bought whole or not at all.
S_SHAPED = [[9e6, 2e6, 1.0, 4e6], [2e6, 3e5, 0.8, 2e6], [3e6, 1e6, 4.0, 3e6]]


def table(numbers=CONCAVE, channels=MEDIA):
    return pd.DataFrame(numbers, index=channels, columns=COLUMNS)


def given(numbers=CONCAVE):
    return GivenCurves(table(numbers)).fit(TODAY)


def caused(spend, numbers):
    """What spend, (..., 3), causes."""
    spend, (maximum, half, slope, _) = np.asarray(spend), np.transpose(numbers)
    return (maximum * spend**slope / (spend**slope + half**slope)).sum(axis=-1)


def best_on_a_grid(numbers, budget, low, high, n=801):
    """The best outcome of a grid of plans of three channels, and that plan."""
    spend = TODAY.to_numpy()[0]
    first, second = (
        np.linspace(low * spend[m], high * spend[m], n)[:, None] for m in (0, 1)
    )
    plans = np.stack(np.broadcast_arrays(first, second.T, budget - first - second.T))
    plans = np.moveaxis(plans, 0, -1)
    third = plans[..., 2]
    slack = 1e-9 * budget
    allowed = (third >= low * spend[2] - slack) & (third <= high * spend[2] + slack)
    outcome = np.where(allowed, caused(np.maximum(plans, 0.0), numbers), -np.inf)
    best = np.unravel_index(outcome.argmax(), outcome.shape)
    return outcome[best], plans[best]


@pytest.mark.parametrize("numbers", [CONCAVE, S_SHAPED])
@pytest.mark.parametrize("budget", [1.4e6, 2e6, 3e6])
def test_no_plan_on_a_grid_is_better(numbers, budget):
    bounds = 0.1, 2.5
    plan = optimize_budget(given(numbers), budget, bounds=bounds)
    outcome, spend = best_on_a_grid(numbers, budget, *bounds)
    assert plan.success
    assert plan.allocation["spend"].sum() == pytest.approx(budget)
    assert_allclose(plan.outcome, caused(plan.allocation["spend"], numbers))
    assert plan.outcome >= outcome * (1.0 - 1e-6)
    assert_allclose(plan.allocation["spend"], spend, atol=0.02 * budget)
    assert_allclose(plan.allocation["contribution"].sum(), plan.outcome)


@pytest.mark.parametrize("share", [0.8, 1.0, 1.4])
def test_plans_of_curves_are_those_of_the_model_that_has_them(share):
    half, slope = ({"tv": 40.0, "search": 5.0, "radio": 20.0}, {"radio": 2.0})

    def of_row(x, channel):
        powered, power = x ** slope.get(channel, 1.0), slope.get(channel, 1.0)
        return powered / (powered + half[channel] ** power)

    X = steady(tv=30.0, search=20.0, radio=25.0)
    model, budget = Known(of_row).fit(), share * X.sum().sum()
    points = {channel: response_curve(model, channel, X) for channel in MEDIA}
    curves = pd.concat(fit_hill(p.spend, p.incremental, m) for m, p in points.items())
    one_row = X.sum().to_frame().T
    plan = optimize_budget(GivenCurves(curves).fit(one_row), budget)
    own = optimize_budget(model, budget, X=X, allow_extrapolation=True)
    assert plan.success
    assert own.success
    assert_allclose(plan.x, own.x, atol=1e-4)
    assert_allclose(plan.outcome, own.outcome, rtol=1e-6)
    numbers = ["spend", "current_spend", "change", "contribution", "roi", "mroi"]
    assert_allclose(plan.allocation[numbers], own.allocation[numbers], rtol=2e-3)


def test_plans_of_a_regressor_and_of_hill_curves_through_its_curves(fitted, panel):
    points = {channel: response_curve(fitted, channel) for channel in panel.media}
    curves = pd.concat(
        fit_hill(p.spend, p.incremental, m).assign(observed_until=p.observed_until)
        for m, p in points.items()
    )
    today = pd.DataFrame({m: [p.current_spend] for m, p in points.items()})
    more = 1.4 * sum(p.current_spend for p in points.values())
    plan = optimize_budget(GivenCurves(curves).fit(today), more)
    bounds = dict.fromkeys(panel.media, (0.5, 2.0))
    own = optimize_budget(fitted, more, bounds=bounds)
    assert np.abs(own.x - 1.0).max() > 0.2
    assert_allclose(plan.x, own.x, atol=0.02)
    assert_allclose(plan.outcome, own.outcome, rtol=2e-3)
    gain, own_gain = (p.outcome - p.current_outcome for p in (plan, own))
    assert_allclose(gain, own_gain, rtol=0.05)


def test_limits_and_targets():
    model = given()
    plan = optimize_budget(model, 2.2e6, fixed=["radio"], bounds={"tv": (0.9, 1.05)})
    assert_allclose(plan.allocation["spend"], [1.05e6, 5.5e5, 6e5])
    assert list(plan.allocation["reason"]) == [
        "at upper bound",
        "equal marginal return",
        "fixed",
    ]
    # Of a concave curve with slope 1, m k / (k + x)^2 is the marginal return.
    plan = optimize_budget(model, target_mroi=1.2, bounds=(0.2, 4.0))
    expected = np.sqrt(9e6 * 2e6 / 1.2) - 2e6
    assert plan.allocation.loc["tv", "spend"] == pytest.approx(expected, rel=0.01)
    plan = optimize_budget(model, target_roi=2.6, bounds=(0.2, 4.0))
    assert plan.outcome / plan.allocation["spend"].sum() == pytest.approx(2.6, rel=1e-3)


def test_curves_end_where_they_are_known():
    numbers = np.array(CONCAVE)
    numbers[:, 3] = 1.2e6, 1e5, 2e6  # search spends more than that today
    with pytest.warns(UserWarning, match=r"search 400,000 \(known up to 100,000\)"):
        model = given(numbers)
    plan = optimize_budget(model, 2.4e6)
    assert plan.allocation.loc["tv", "spend"] == pytest.approx(1.2e6)
    assert plan.allocation.loc["search", "spend"] <= 4e5 * (1.0 + 1e-9)
    assert plan.allocation.loc["tv", "reason"] == "beyond observed spend"
    free = optimize_budget(model, 2.4e6, allow_extrapolation=True)
    assert free.outcome > plan.outcome
    assert free.allocation.loc["tv", "reason"].endswith("beyond observed data")
    assert_allclose(free.x, optimize_budget(given(), 2.4e6).x, atol=1e-3)
    curve = response_curve(model, "tv")
    assert (curve.observed_from, curve.observed_until) == (0.0, 1.2e6)


@pytest.mark.parametrize("ask", [GivenCurves.predict, channel_summary, optimize_budget])
def test_spend_beyond_a_curve_is_said(ask):
    model = given()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(model, X=TODAY.assign(tv=4e6))
    with pytest.warns(UserWarning, match="beyond observed_until: tv 4,000,100") as said:
        ask(model, X=TODAY.assign(tv=4.0001e6))
    assert len(said) == 1


def test_there_are_no_intervals():
    plan = optimize_budget(given())
    ends = [plan.outcome_low, plan.outcome_high, plan.probability_better]
    assert np.isnan(ends).all()
    assert "draws" not in plan.message


def test_other_questions():
    model = given()
    path = budget_path(model, [1.8e6, 2.2e6])
    for budget, plan in zip(path.table["budget"], path.plans, strict=True):
        assert_allclose(plan.x, optimize_budget(model, budget).x, atol=1e-3)
    summary = channel_summary(model)
    assert_allclose(summary["contribution"].sum(), model.predict(TODAY)[0])
    assert_allclose(summary["spend"], TODAY.iloc[0])
    more = optimize_budget(model, X=1.5 * TODAY)
    assert_allclose(more.allocation["current_spend"], 1.5 * TODAY.iloc[0])
    again = effects_of(model, TODAY).optimize_budget()
    assert_allclose(again.x, optimize_budget(model).x)


def test_order_of_channels_is_that_of_x():
    model = GivenCurves(table().iloc[::-1].assign(note="")).fit(TODAY)
    assert model.media_ == MEDIA
    assert_allclose(model.predict(TODAY), given().predict(TODAY), rtol=0)
    same = pickle.loads(pickle.dumps(clone(model).fit(TODAY)))
    assert_allclose(same.predict(TODAY), model.predict(TODAY), rtol=0)


def test_nothing_and_everything_are_no_trouble():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Spend beyond observed_until")
        ends = given().predict(pd.concat([0.0 * TODAY, 1e15 * TODAY]))
    assert_allclose(ends, [0.0, 14e6], rtol=1e-6)


def test_what_is_no_table_of_curves_is_refused():
    def fit(curves, X=TODAY):
        return GivenCurves(curves).fit(X)

    with pytest.raises(TypeError, match="curves must be a DataFrame"):
        fit({"tv": 1.0})
    with refuses("curves lacks the columns ['observed_until']. Where nobody knows"):
        fit(table().drop(columns="observed_until"))
    with refuses("curves has two rows of channel 'tv'"):
        fit(table(channels=["tv", "tv", "radio"]))
    with refuses("X has columns without a curve, ['search']: leave them out"):
        fit(table().drop(index="search"))
    with refuses("curves has channels that are no columns of X, ['radio']"):
        fit(table(), TODAY.drop(columns="radio"))
    with refuses("slope of channel 'search' must be above zero, got -1"):
        fit(table().assign(slope=[1.0, -1.0, 1.0]))
    with pytest.raises(ValueError, match="'half_saturation' at channel 'radio'"):
        fit(table().assign(half_saturation=[1.0, 1.0, np.nan]))


def test_what_is_no_spend_is_refused():
    with refuses("GivenCurves take one row"):
        GivenCurves(table()).fit(pd.concat([TODAY, TODAY]))
    with refuses("GivenCurves take one row"):
        optimize_budget(given(), X=pd.concat([TODAY, TODAY]))
    with refuses("Negative values in data passed to GivenCurves: column 'tv'"):
        GivenCurves(table()).fit(TODAY.assign(tv=-1.0))
    with refuses("by='region' splits channels"):
        optimize_budget(given(), by="region")
    with refuses("by='period' splits channels"):
        channel_summary(given(), by="period")
    with refuses("GivenCurves knows its columns and costs: leave out media"):
        optimize_budget(given(), media=["tv"])
