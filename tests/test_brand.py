"""Channels with a slow stock: what a fitted model says of them, everywhere."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.pipeline import make_pipeline

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm._model import stock
from skmmm._model.network import OutcomeNetwork
from skmmm._model.stock import kept, shares
from skmmm.allocation._words import in_money
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import brand_effects
from skmmm.inspection._payback import cut_off
from skmmm.plotting import AdstockDisplay, PaybackDisplay
from skmmm.report import make_report

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:max_lag cuts off"),
]
BRAND = ["media_1", "media_3"]


@pytest.fixture(scope="module")
def slow_arguments(arguments):
    return arguments | {"graph": None, "brand_channels": BRAND, "n_draws": 8}


@pytest.fixture(scope="module")
def slow(panel, slow_arguments, short_chains):
    return DeepCausalMMMRegressor(**slow_arguments).fit(panel.X, panel.y)


def parameters(model, *, draws=False):
    """Return shares of BRAND and the half-life of a model."""
    network = model._model.network_of(draws=draws)
    values = network.values()
    share = 1.0 / (1.0 + np.exp(-values["stock_share_logit"].numpy()))
    return share[:, [0, 2]], np.exp(values["stock_life_log"].numpy())


def without_spend(model, n_periods):
    """Return coming weeks in which no channel spends."""
    media, controls = (
        dict.fromkeys(names, 0.0) for names in (model.media_, model.controls_)
    )
    return model.make_future_frame(n_periods, spend=media, control_values=controls)


def left_before(model):
    """Return what stocks bring at the first row of an average region, (1, n_media)."""
    network = model._model.network
    values = network.values()
    usual = shares(network.channel_priors, values) * network.channel_priors.usual
    usual = usual * network.visible_effects(values)
    return (values["stock_start"] * kept(values) * usual).numpy()


# --- what it says ---------------------------------------------------------------------


def test_short_and_long_are_the_contribution(slow):
    table, summary = slow.brand_effects(), slow.channel_summary()
    assert list(table.index) == BRAND
    total = table["short"] + table["long"]
    assert_allclose(total, summary.loc[BRAND, "contribution"], rtol=1e-8)
    assert (table[["short", "long", "to_come"]] > 0).all(axis=None)
    for name in ("short", "long", "to_come", "share", "half_life"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert table["share_prior_low"].max() < 0.02 < 0.6 < table["share_prior_high"].min()
    assert set(table["verdict"]) <= {"data-driven", "prior-driven", "not identified"}
    rows = slow.contributions()
    assert_allclose(rows.sum(axis=1), slow.predict(slow._training_rows()))


def test_groups_of_rows_sum_to_all(slow):
    whole = slow.brand_effects()
    for by in ("region", "period"):
        table = slow.brand_effects(by=by)
        assert table.index.names == ["channel", by]
        sums = table[["short", "long"]].groupby(level="channel").sum()
        assert_frame_equal(sums.loc[BRAND], whole[["short", "long"]], check_names=False)


def test_what_is_still_to_come_is_what_later_weeks_would_bring(slow, panel):
    """A long future without spend of the brand channels gets all that is left."""
    silent = without_spend(slow, 500)
    later = slow.brand_effects(silent)
    found = slow.brand_effects()["to_come"]
    # What carry-over brings from the last rows goes through the stock as well.
    assert (later["long"] >= 0.99 * found).all()
    assert (later["long"] <= 1.1 * found).all()
    assert (later["to_come"] < 1e-3 * found).all()


def test_effects_fade_over_the_half_life_after_spend_ends(slow):
    silent = without_spend(slow, 90)
    by = slow.brand_effects(silent, by="period").loc["media_1", "long"].to_numpy()
    _, life = parameters(slow)
    late = by[slow.max_lag + 1 :]
    assert_allclose(late[1:] / late[:-1], 0.5 ** (1.0 / life[0]), rtol=1e-6)


def test_payback_includes_the_stock(slow, panel, arguments):
    table = slow.payback()
    share, life = parameters(slow)
    kernel = slow.carryover()["share"].unstack().loc["media_1"].to_numpy()
    keep = 0.5 ** (1.0 / life[0])
    late, found, n = 0.0, [], 2000
    for one in np.pad(kernel, (0, n - len(kernel))):
        late = keep * late + (1.0 - keep) * share[0, 0] * one
        found.append((1.0 - share[0, 0]) * one + late)
    total = np.concatenate([[0.0], np.cumsum(found)])
    expected = np.interp(0.9, total, np.arange(n + 1))
    assert table.loc["media_1", "t90"] == pytest.approx(expected, rel=0.01)
    assert table.loc["media_1", "t90_prior_high"] > slow.max_lag + 1
    assert table.loc["media_2", "t90"] <= slow.max_lag + 1


def test_the_picture_of_carry_over_says_what_it_leaves_out(slow, fitted):
    display = AdstockDisplay.from_estimator(slow, channels=slow.media_)
    share = slow.brand_effects()["share"]
    assert [note.axes.get_title(loc="left") for note in display.notes_] == BRAND
    for note, left_out in zip(display.notes_, share, strict=True):
        assert f"not shown: {left_out:.0%}," in note.get_text()
    assert AdstockDisplay.from_estimator(fitted).notes_ == []


def test_max_lag_that_cuts_off_brand_channels_is_told(slow):
    kernels = slow.carryover()["share"].unstack().loc[["media_1", "media_2", "media_3"]]
    table = slow.payback()
    assert_allclose(table["cut_off"], cut_off(kernels.to_numpy()))
    assert list(table["truncated"]) == [True, False, True]


def test_a_stock_alone_is_no_verdict_on_payback(slow):
    """Draws of the prior, but without its months, have learned nothing."""
    model, draws = copy.copy(slow), slow._model.network.prior_guess(200)
    for prior, where in draws.shared_priors.positions():
        if prior.name == "stock_share_logit":
            draws.shared[:, where] = -5.0
    model._model = replace(slow._model, draws=draws)
    table = model.payback()
    assert (table["contraction"].abs() < 0.4).all()
    assert (table["verdict"] == "prior-driven").all()


def test_payback_and_brand_effects_take_no_more_memory_than_they_need(
    slow, monkeypatch
):
    """A few draws of slow channels at a time; and the prior is drawn once."""
    scanned, guesses = [], []
    scan, guess = stock.linear_scan, OutcomeNetwork.prior_guess

    def seen_scan(keep, add):
        scanned.append(add.shape)
        return scan(keep, add)

    def seen_guess(network, n_draws):
        guesses.append(n_draws)
        return guess(network, n_draws)

    monkeypatch.setattr(stock, "linear_scan", seen_scan)
    monkeypatch.setattr(OutcomeNetwork, "prior_guess", seen_guess)
    slow.payback()
    assert max(shape[0] * shape[1] for shape in scanned) <= 8 * len(BRAND)
    guesses.clear()
    slow.brand_effects()
    assert len(guesses) == 1


def test_money_back_counts_what_is_to_come(panel, slow_arguments):
    model = DeepCausalMMMRegressor(**slow_arguments, media_cost=1.0)
    model.fit(panel.X, panel.y)
    summary, left = model.channel_summary(), model.brand_effects()["to_come"]
    spend = summary["spend"]
    full = (summary["roi"] * spend).loc[BRAND] + left
    worth = float((spend.loc[BRAND] / full).max())  # all earn back at this value
    table = model.payback(value=1.001 * worth)
    assert np.isfinite(table.loc[BRAND, "money_back"]).all()


def test_display_of_payback_ends_where_nearly_all_has_arrived(slow, pyplot):
    display = PaybackDisplay.from_estimator(slow)
    point = display.arrived["share"].unstack()
    assert point.iloc[:, -1].min() >= 0.98
    assert point.shape[1] < 300


# --- counterfactuals and plans --------------------------------------------------------


def test_curves_summaries_and_plans_say_the_same(slow, panel):
    late = panel.X["week"] >= panel.X["week"].unique()[30]
    X = panel.X[late]
    summary = slow.channel_summary(X)
    curve = slow.response_curve("media_1", X)
    caused = summary.loc["media_1", "roi"] * summary.loc["media_1", "spend"]
    assert_allclose(curve.current_incremental, caused)
    effects = slow.effects(X)
    found = effects.counterfactual()
    now = found.outcome(np.ones((3, 1)))[0]
    assert_allclose(now, (summary["roi"] * summary["spend"]).sum())
    outcome, _ = found.flights()(np.ones((3, len(np.unique(X["week"])))), np.ones_like)
    none, _ = found.flights()(np.zeros((3, len(np.unique(X["week"])))), np.ones_like)
    assert_allclose(outcome - none, now)


def test_spend_of_old_rows_counts_to_the_end_of_training(slow, panel):
    first = panel.X["week"] < panel.X["week"].unique()[10]
    summary = slow.channel_summary(panel.X[first])
    changed = panel.X.copy()
    changed.loc[first, "media_1"] = 0.0
    without = slow.predict(changed)
    lost = (slow.predict(panel.X) - without).sum()
    row = summary.loc["media_1"]
    assert_allclose(row["roi"] * row["spend"], lost)


def test_gradient_of_flights(slow, panel):
    X = panel.X[panel.X["week"] >= panel.X["week"].unique()[50]]
    found = slow.effects(X).counterfactual().flights()
    one = np.ones((3, 10))
    _, gradient = found(one, np.ones_like)
    more = one.copy()
    more[0, 3] += 1e-4
    less = one.copy()
    less[0, 3] -= 1e-4
    slope = (found(more, np.ones_like)[0] - found(less, np.ones_like)[0]) / 2e-4
    assert_allclose(gradient[0, 3], slope[0], rtol=1e-5)


@pytest.mark.parametrize("by", ["channel", "period"])
def test_plans_say_that_more_comes_after_what_they_count(slow, by):
    usual = {"control_values": "last_periods", "spend": "last_periods"}
    X = slow.make_future_frame(4, **usual)
    plan = slow.optimize_budget(X=X, by=by, allow_extrapolation=True)
    assert "Not counted is what this spend brings later" in plan.message
    assert "media_1" in plan.message
    said = plan.message.split("Not counted")[1]
    assert "media_2" not in said
    assert "in units of the KPI" in said
    today = slow.effects(X).counterfactual().to_come()[0, 2]
    assert f"(today {in_money(today)})" in said


def test_plans_without_stocks_say_nothing_of_them(fitted):
    found = fitted.effects().counterfactual()
    assert (found.to_come() == 0.0).all()
    assert not found.has_stock


def test_total_effects_add_up(panel, slow_arguments):
    world = make_mmm_panel(2, 60, n_media=3, graph=2, random_state=3)
    given = slow_arguments | {"graph": "svar"}
    model = DeepCausalMMMRegressor(**given).fit(world.X, world.y)
    direct, total = (
        model.channel_summary(effect=effect)["contribution"].sum()
        for effect in ("direct", "total")
    )
    assert_allclose(total, direct)


# --- data ----------------------------------------------------------------------------


def test_none_named_is_the_model_without(panel, fast):
    plain = DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    empty = DeepCausalMMMRegressor(**fast, brand_channels=[]).fit(panel.X, panel.y)
    assert (plain.predict(panel.X) == empty.predict(panel.X)).all()
    names = [p.name for p in plain._model.network.shared_priors]
    assert not any(name.startswith("stock") for name in names)


def test_channels_by_position_are_the_same(panel, slow, slow_arguments):
    at = [list(panel.X).index(name) for name in BRAND]
    model = DeepCausalMMMRegressor(**slow_arguments | {"brand_channels": at})
    assert_allclose(model.fit(panel.X, panel.y).predict(panel.X), slow.predict(panel.X))


def test_refusals(panel, series, slow_arguments, fitted, fast):
    wrong = slow_arguments | {"brand_channels": ["media_1", "price"]}
    with refuses_from("brand_channels names 'price', which is not one of the media"):
        DeepCausalMMMRegressor(**wrong).fit(panel.X, panel.y)
    world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    wrong = fast | {"time": None, "region": None, "media": world.media}
    model = DeepCausalMMMRegressor(**wrong, brand_channels=["media_1"])
    with refuses_from("brand_channels=['media_1'] needs a time column"):
        model.fit(world.X, world.y)
    with refuses_from("No channel has a slow stock: name some in brand_channels"):
        fitted.brand_effects()
    X = pd.concat([panel.X.assign(brand=name) for name in "ab"])
    y = pd.concat([panel.y, panel.y])
    one = DeepCausalMMMRegressor(**slow_arguments | {"n_draws": 0, "max_iter": 2})
    both = GroupedRegressor(one, by="brand").fit(X, y)
    with refuses("Slow stocks are of one group: ask its own model, estimators_['a']."):
        brand_effects(both)
    assert both.payback().loc[("a", "media_1"), "t90"] > 0


def test_every_way_to_ask(slow, panel):
    expected = slow.brand_effects()
    assert_frame_equal(brand_effects(make_pipeline(slow)), expected)
    assert_frame_equal(slow.effects().brand_effects(), expected)
    assert_frame_equal(brand_effects(slow, slow.effects()), expected)


def test_few_draws_have_no_verdict(panel, slow_arguments):
    given = slow_arguments | {"n_draws": 0, "max_iter": 2}
    table = DeepCausalMMMRegressor(**given).fit(panel.X, panel.y).brand_effects()
    assert table["verdict"].isna().all()
    assert table["long_low"].isna().all()


def test_files_keep_stocks(slow, panel, tmp_path):
    slow.save(tmp_path / "slow.skmmm")
    again = DeepCausalMMMRegressor.load(tmp_path / "slow.skmmm")
    assert again.brand_channels == BRAND
    assert_frame_equal(again.brand_effects(), slow.brand_effects())
    assert (
        pickle.loads(pickle.dumps(slow)).predict(panel.X) == slow.predict(panel.X)
    ).all()


def test_files_without_stocks_do_not_name_them(fitted, tmp_path):
    fitted.save(tmp_path / "plain.skmmm")
    assert b"brand_channels" not in (tmp_path / "plain.skmmm").read_bytes()


@pytest.mark.filterwarnings("ignore:With the new rows an alarm rings", "ignore:Of rows")
def test_new_weeks_are_taken_in(panel, slow_arguments):
    last = panel.X["week"].unique()[-8]
    early = (panel.X["week"] < last).to_numpy()
    model = DeepCausalMMMRegressor(**slow_arguments, effect_drift=0.02)
    model.fit(panel.X[early], panel.y[early])
    new, y = panel.X[~early].copy(), panel.y[~early]
    new[BRAND] = 0.0
    twice = model.contributions(new)[BRAND].sum(axis=1).to_numpy()
    larger = copy.deepcopy(model).partial_fit(new, y + twice)
    model.partial_fit(new, y)
    # Without new spend all that comes late was in the stock when they began.
    by = model.brand_effects(new, by="period")["long"].unstack("channel").to_numpy()
    late = by[model.max_lag - 1 :]
    assert (late > 0).all()
    assert_allclose(late[1:] / late[:-1], 0.5 ** (1.0 / parameters(model)[1][0]))
    # And what they show moves what brand channels are said to cause in them.
    found, more = (one.brand_effects(new) for one in (model, larger))
    assert (more[["short", "long"]] > found[["short", "long"]]).all(axis=None)
    after, summary = model.brand_effects(), model.channel_summary()
    total = after["short"] + after["long"]
    assert_allclose(total, summary.loc[BRAND, "contribution"])
    model.brand_channels = ["media_1"]
    with refuses_from("brand_channels is another one than in fit"):
        model.partial_fit(new, y)


@pytest.mark.parametrize("adstock", ["gru", "free"])
def test_all_carry_overs_have_stocks(adstock, series, slow_arguments):
    given = slow_arguments | {
        "adstock": adstock,
        "max_iter": 3,
        "brand_channels": ["media_2"],
    }
    model = DeepCausalMMMRegressor(**given).fit(series.X, series.y)
    total = model.brand_effects()[["short", "long"]].sum(axis=1)
    assert_allclose(total, model.channel_summary().loc[["media_2"], "contribution"])


def test_experiments_on_brand_channels(panel, slow_arguments):
    spent = panel.X.groupby("week")["media_1"].sum()
    start, end = spent.index[spent > 0][[2, 6]]
    test = pd.DataFrame(
        {
            "media": ["media_1"],
            "start": [start],
            "end": [end],
            "estimate": [-3e5],
            "std_error": [3e5],
            "change": [0.0],
        }
    )
    given = slow_arguments | {"max_iter": 5, "n_draws": 0, "experiments": test}
    model = DeepCausalMMMRegressor(**given).fit(panel.X, panel.y)
    changed = panel.X.copy()
    off = changed["week"].between(start, end)
    changed.loc[off, "media_1"] = 0.0
    lost = (model.predict(panel.X) - model.predict(changed))[off.to_numpy()].sum()
    assert_allclose(model.experiments_["after"], -lost, rtol=1e-6)


def test_report_has_a_card_on_slow_effects(slow, panel, tmp_path):
    page = make_report(slow, panel.X, panel.y, tmp_path / "report.html").read_text()
    assert "Slow effects: at once, late, and still to come" in page
    assert "without what goes into a slow stock" in page


def test_draws_for_arviz_have_shares_and_half_life(slow):
    pytest.importorskip("arviz")
    posterior = slow.to_inference_data()["posterior"]
    share, life = parameters(slow, draws=True)
    assert_allclose(posterior["stock_share"].sel(channel=BRAND)[0], share)
    assert (posterior["stock_share"].sel(channel="media_2") == 0.0).all()
    assert_allclose(posterior["stock_half_life"][0], life)


def test_reach_has_stocks(panel, slow_arguments):
    """Channels that saturate by frequency and others, each with a stock."""
    seen = 1.0 + np.random.default_rng(0).gamma(2.0, 1.0, len(panel.X))
    X = panel.X.assign(seen=seen)
    media = {"media": panel.media, "frequency": {"media_1": "seen"}}
    given = slow_arguments | media | {"max_iter": 5}
    model = DeepCausalMMMRegressor(**given).fit(X, panel.y)
    late = X[X["week"] >= X["week"].unique()[30]]
    dark = X.copy()
    dark.loc[late.index, "media_1"] = 0.0
    row = model.channel_summary(late).loc["media_1"]
    lost = (model.predict(X) - model.predict(dark)).sum()
    assert_allclose(row["roi"] * row["spend"], lost)
    summary, slow = model.channel_summary(), model.brand_effects()
    total = slow["short"] + slow["long"]
    assert_allclose(total, summary.loc[BRAND, "contribution"])


def test_gaps_and_regions_never_seen(panel, slow_arguments):
    seen = ~panel.X["week"].isin(panel.X["week"].unique()[[20, 21]])
    given = {"max_iter": 5, "gap": "mask", "unseen_region": "average"}
    model = DeepCausalMMMRegressor(**slow_arguments | given)
    model.fit(panel.X[seen], panel.y[seen])
    coming = without_spend(model, 6)
    new = coming[coming["region"] == "region_1"].assign(region="elsewhere")
    both = pd.concat([coming, new])
    known = model.brand_effects(coming, by="region")
    found = model.brand_effects(both)
    # No spend of a region that was never seen is known, but its stock is not empty.
    sums = known[["short", "long"]].groupby(level="channel").sum()
    assert_allclose(found[["short", "long"]], sums.loc[BRAND])
    earlier = model.baseline_parts(both)["earlier media"].to_numpy()[-len(new) :]
    size = model._model.scales.extended(1).kpi[-1]
    assert_allclose(earlier[0] / size, left_before(model)[0].sum())


def test_regions_that_begin_later_have_a_stock_at_their_first_row(
    panel, slow_arguments
):
    weeks = panel.X["week"].unique()
    late = (panel.X["region"] == "region_2") & (panel.X["week"] < weeks[25])
    model = DeepCausalMMMRegressor(**slow_arguments | {"max_iter": 5, "n_draws": 0})
    model.fit(panel.X[~late], panel.y[~late])
    earlier = model.baseline_parts(panel.X[~late])["earlier media"].to_numpy()
    deviation = np.exp(model._model.network.values()["effect_log"][0].numpy())
    before, size = left_before(model), model._model.scales.kpi
    for r, own in enumerate(["region_1", "region_2"]):
        rows = earlier[(panel.X["region"][~late] == own).to_numpy()]
        expected = size[r] * (before * deviation[r]).sum()
        assert_allclose(rows[0], expected)
        keep = 0.5 ** (1.0 / parameters(model)[1])
        assert_allclose(rows[1:] / rows[:-1], keep[0])


def test_stocks_do_not_run_empty_in_gaps(panel, slow_arguments):
    """After the gap stands what spend as usual put there, from `max_lag` weeks on."""
    weeks = panel.X["week"].unique()
    early = (panel.X["week"] < weeks[20]).to_numpy()
    given = {"max_iter": 5, "n_draws": 0, "gap": "mask", "max_lag": 4}
    given |= {"media": panel.media, "controls": ["price"]}
    model = DeepCausalMMMRegressor(**slow_arguments | given)
    model.fit(panel.X[early], panel.y[early])
    network, scales = model._model.network, model._model.scales
    values = network.values()
    keep = kept(values).item()
    size = np.exp(values["effect_log"][0].numpy()) * scales.kpi[:, None]
    start = size * left_before(model)  # (n_regions, n_media)
    steady = start / (values["stock_start"] * keep).numpy()
    for n_missing in (model.max_lag, 30):
        X = panel.X[panel.X["week"] >= weeks[20 + n_missing]]
        earlier = model.baseline_parts(X)["earlier media"].to_numpy()
        n_unheard = n_missing - model.max_lag
        expected = start * keep ** (20 + n_missing)
        expected = expected + steady * keep * (1.0 - keep**n_unheard)
        first = (X["week"] == X["week"].min()).to_numpy()
        assert_allclose(earlier[first], expected.sum(axis=1))


def test_channels_that_ring_an_alarm(slow):
    model = copy.copy(slow)
    model._model = slow._model.doubting(np.array([True, False, False]))
    model._alarms = ("one switch", "", "")
    table = model.brand_effects()
    assert table.loc["media_1", "verdict"] == "not identified"
    total = table["short"] + table["long"]
    summary = model.channel_summary()
    assert_allclose(total, summary.loc[BRAND, "contribution"])
    rows = model.contributions()
    assert_allclose(rows.sum(axis=1), model.predict(model._training_rows()))


def test_files_whose_stocks_are_of_other_channels_are_refused(slow, tmp_path):
    model = copy.copy(slow)
    model._fitted_parameters = slow._fitted_parameters | {"brand_channels": ["media_2"]}
    model.save(tmp_path / "swapped.skmmm")
    with pytest.raises(ValueError, match="stock' is not that of the parameter"):
        DeepCausalMMMRegressor.load(tmp_path / "swapped.skmmm")
