"""Pairs of channels that cause something together."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from helpers import refuses_from
from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm._estimator.fitting import _read_experiments
from skmmm._model.contrasts import reported_experiments
from skmmm._model.expectations import prior_effects
from skmmm._storage.archive import MODEL, write_archive
from skmmm.allocation import BudgetPolicy, Lever
from skmmm.datasets import make_mmm_panel
from skmmm.experiments import recommend_experiment
from skmmm.inspection import priors_from

pytestmark = pytest.mark.usefixtures("short_chains")

PAIR = ("media_1", "media_3")
FEW = {
    "region": "region",
    "time": "week",
    "controls": ["price", "holiday"],
    "max_lag": 4,
    "n_draws": 8,
    "max_iter": 30,
    "graph": None,
    "random_state": 0,
}


def fit(world, **others):
    return DeepCausalMMMRegressor(**FEW | others).fit(world.X, world.y)


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(2, 60, n_media=3, random_state=0)


@pytest.fixture(scope="module")
def model(world):
    return strong(fit(world, synergies=[PAIR], media_cost=1.0))


def strong(model, sizes=2.0):
    """Return the model with a pair that adds much, in all draws."""
    for network in (model._model.network, model._model.draws):
        if network is not None:
            places = {p.name: where for p, where in network.shared_priors.positions()}
            own = sizes if len(network.shared) > 1 else np.mean(sizes)
            network.shared[:, places["synergy_log"]] = torch.as_tensor(own)
    return model


@pytest.fixture(scope="module")
def plain_model(world):
    return fit(world, media_cost=1.0)


def without(X, *channels):
    return X.assign(**dict.fromkeys(channels, 0.0))


def test_no_pairs_are_as_none(world, plain_model):
    empty = fit(world, media_cost=1.0, synergies=[])
    assert_array_equal(empty.predict(world.X), plain_model.predict(world.X))
    with refuses_from("synergy_summary is about pairs of channels"):
        plain_model.synergy_summary()


def test_contributions_add_up_to_the_prediction(world, model):
    found = model.contributions(world.X)
    assert_allclose(found.sum(axis=1), model.predict(world.X))
    summary = model.channel_summary()
    assert_allclose(summary["contribution"], found[world.media].sum())
    by_region = model.channel_summary(by="region")["contribution"]
    assert_allclose(by_region.groupby("channel").sum(), summary["contribution"])


def test_half_of_a_pair_belongs_to_each(world, model):
    """By what is predicted without them: the Shapley value of two players."""
    one, other = PAIR
    kpi = {
        off: model.predict(without(world.X, *off)).sum()
        for off in [(), (one,), (other,), PAIR]
    }
    own = model.channel_summary()["contribution"]
    shapley = 0.5 * (kpi[()] - kpi[one,] + kpi[other,] - kpi[PAIR])
    assert_allclose(own[one], shapley)
    added = kpi[()] - kpi[one,] - kpi[other,] + kpi[PAIR]
    table = model.synergy_summary()
    assert table.index.to_list() == [PAIR]
    assert_allclose(table["contribution"], added)
    assert added > 0.02 * kpi[()]
    assert_allclose(table["share"], added / kpi[()])


def test_the_summary_holds_its_intervals(world, model):
    table = model.synergy_summary(world.X.iloc[:50]).iloc[0]
    for name in ("contribution", "theta"):
        assert table[f"{name}_low"] <= table[name] <= table[f"{name}_high"]
    assert table["verdict"] in ("data-driven", "prior-driven", "not identified")


@pytest.mark.parametrize(
    ("middle", "spread", "verdict"),
    [
        (2.0, 0.1, "data-driven"),
        (-2.0, 0.1, "data-driven"),
        (0.05, 0.1, "not identified"),
        (2.0, 1.0, "prior-driven"),
    ],
)
def test_verdicts(model, middle, spread, verdict):
    drawn = middle + spread * np.linspace(-1.4, 1.4, 8)
    told = strong(copy.deepcopy(model), drawn[:, None])
    told._alarms = ("",) * 3
    told._contradicted = np.zeros(3, dtype=bool)
    assert told.synergy_summary()["verdict"].item() == verdict
    told._contradicted[2] = True
    assert told.synergy_summary()["verdict"].item() == "not identified"


def test_a_pair_that_is_known_to_add_little_says_so(model):
    told = strong(copy.deepcopy(model), 2e-3 * np.linspace(-1.0, 2.0, 8)[:, None])
    told._alarms = ("",) * 3
    told._contradicted = np.zeros(3, dtype=bool)
    table = told.synergy_summary()
    assert table["verdict"].item() == "not identified"
    assert table["note"].item() == "about nothing"
    told._contradicted[2] = True  # then the interval says nothing
    assert told.synergy_summary()["note"].item() == ""
    wide = strong(told, np.linspace(-1.0, 2.0, 8)[:, None])  # as the prior
    wide._contradicted[2] = False
    assert wide.synergy_summary()["note"].item() == ""
    large = strong(wide, 2.0 + 0.1 * np.linspace(-1.4, 1.4, 8)[:, None])
    assert large.synergy_summary()["note"].item() == ""


def test_the_prior_of_effects_has_theta_as_before_the_data(model):
    """And not as fitted, or a channel would be known because its pair is strong."""
    inputs, pairs = model._model.inputs(), model._learned_pairs()
    share = torch.full((2, 60), 1.0 / 120.0, dtype=torch.float64)
    weak = strong(copy.deepcopy(model), -2.0)._model.network
    expected = prior_effects(model._model.network, 200, inputs, share)
    assert_allclose(prior_effects(weak, 200, inputs, share), expected)
    guessed = weak.prior_guess(200)
    values = guessed.values()
    typical = guessed.typical_effects(values)
    ratio = torch.where(typical > 0, expected / typical, torch.nan)
    theta = values["synergy"][:, 0]
    for m in range(3):
        told = typical[:, m] > 0
        by_theta = ratio[told, m][theta[told].argsort()].diff()
        assert (by_theta > 0).all() == (m in pairs[0])


def test_a_curve_is_of_one_channel_while_others_stay(world, model):
    now = model.predict(world.X).sum()
    curve = model.response_curve(PAIR[0], grid=[0.0, 1e4])
    off = now - model.predict(without(world.X, PAIR[0])).sum()
    assert_allclose(curve.current_incremental, off)
    more = world.X.assign(**{PAIR[0]: 1.01 * world.X[PAIR[0]]})
    gain = model.predict(more).sum() - now
    assert_allclose(curve.current_marginal_roi, gain / (0.01 * curve.current_spend))
    summary = model.channel_summary().loc[PAIR[0]]
    assert_allclose(summary["mroi"], curve.current_marginal_roi)
    assert summary["roi"] * summary["spend"] < off


@pytest.mark.parametrize(
    "others",
    [
        {"adstock": "gru"},
        {"frequency": {"media_1": "seen"}},
        {"time": None, "media": ["media_1", "media_2", "media_3"]},
    ],
)
def test_other_equations_have_pairs_too(world, others):
    seen = 1.0 + np.random.default_rng(0).gamma(2.0, 1.0, len(world.X))
    X = world.X.assign(seen=seen)
    few = {"media": world.media, "synergies": [PAIR], "max_iter": 5, "n_draws": 0}
    model = DeepCausalMMMRegressor(**FEW | few | others).fit(X, world.y)
    model = strong(model)
    assert_allclose(model.contributions().sum(axis=1), model.predict(X))
    late = model._counterfactual(X.iloc[40:60])
    assert_allclose(late.effects().incremental.sum(), late.outcome())
    off = model.predict(X) - model.predict(without(X, PAIR[1]))
    assert_allclose(model.response_curve(PAIR[1]).current_incremental, off.sum())


@pytest.mark.parametrize("by", [None, "region", "period"])
def test_what_spend_of_some_rows_causes_adds_up(world, model, by):
    """Of a window that earlier spend reaches: the mean over both orders."""
    late = world.X["week"] >= np.sort(world.X["week"].unique())[40]
    X = world.X[late]
    counterfactual = model._counterfactual(X)
    effects = counterfactual.effects(by)
    if by == "period":
        return assert_allclose(
            effects.contribution.sum(axis=1),
            counterfactual.effects().contribution[:, 0],
        )
    total = counterfactual.outcome()
    assert_allclose(effects.incremental.sum(axis=(1, 2)), total)
    dark = without(X, *world.media)
    both = pd.concat([world.X[~late], dark])
    lost = model.predict(world.X).sum() - model.predict(both).sum()
    assert_allclose(total, lost)


def test_draws_and_the_point_answer_alike(model):
    counterfactual = model._counterfactual()
    found = counterfactual.effects(draws=True)
    assert_allclose(
        found.incremental.sum(axis=(1, 2)), counterfactual.outcome(draws=True)
    )
    rows = counterfactual.contributions(draws=True).sum(axis=1)
    assert_allclose(found.contribution[:, 0], rows)


@pytest.mark.parametrize("by", ["channel", "region", "period"])
def test_plans_are_of_the_model_with_pairs(world, model, by):
    X = world.X[world.X["week"] >= np.sort(world.X["week"].unique())[50]]
    plan = model.optimize_budget(X=X, by=by, bounds=(0.5, 2.0))
    gain = model.predict(plan.X).sum() - model.predict(X).sum()
    assert plan.success
    assert plan.outcome >= plan.current_outcome
    assert plan.allocation["spend"].sum() == pytest.approx(
        X[world.media].sum().sum(), rel=1e-3
    )
    assert gain > 0  # all of it: training ends where these rows do
    assert_allclose(plan.outcome - plan.current_outcome, gain)


def test_a_plan_is_not_worse_than_plans_around_it(world, model):
    plan = model.optimize_budget(bounds=(0.5, 2.0))
    counterfactual = model._counterfactual()
    spend = counterfactual.spend_in(None)[0]
    rng = np.random.default_rng(0)
    for _ in range(40):
        tried = np.clip(plan.x * np.exp(0.2 * rng.normal(size=3)), 0.5, 2.0)
        if tried @ spend <= spend.sum():
            outcome = counterfactual.outcome(tried[:, None])[0]
            assert outcome <= plan.outcome * (1.0 + 1e-4)


def test_questions_that_need_effects_to_add_up_are_refused(world, model):
    graphed = fit(world, synergies=[PAIR], graph="svar", n_draws=0, max_iter=3)
    with refuses_from("effect='total' adds up what channels cause one by one"):
        graphed.channel_summary(effect="total")
    policy = BudgetPolicy(model, explore="thompson", random_state=0)
    with refuses_from("explore='thompson' plans under draws"):
        policy.propose(horizon=4)
    with refuses_from("levers share a budget with channels whose effects add up"):
        model.optimize_budget(levers={"price": Lever(0.9, 1.1, cost=0.0)})
    with refuses_from("What a test is worth to a plan is not known: it needs channels"):
        recommend_experiment(model)


def test_priors_for_the_next_model_are_those_that_it_takes(world, model):
    with pytest.warns(UserWarning, match="No 'roi' from 'media_1': half of what"):
        priors = priors_from(model, channels=["media_1", "media_2"])
    assert "roi" not in priors["media_1"]
    assert "roi" in priors["media_2"]
    fit(world, synergies=[PAIR], priors=priors, n_draws=0, max_iter=3)


def test_greedy_policies_plan(model):
    assert BudgetPolicy(model, random_state=0).propose(horizon=4).success


def switched_off(weeks, **others):
    """A test in which the first channel of the pair went dark for eleven weeks."""
    told = {
        "media": PAIR[0],
        "start": weeks[20],
        "end": weeks[30],
        "change": 0.0,
        "observed": "control",
        "estimate": -100.0,
        "std_error": 1e3,
        "cooldown": 4,
    }
    return pd.DataFrame([told | others])


def reported(model, table):
    """What a model, fitted without them, says of experiments."""
    told = copy.copy(model).set_params(experiments=table)
    rows = _read_experiments(told, 60)
    return reported_experiments(rows, model._model, model._media_cost)


def lost_while_off(world, model):
    """What is predicted to be lost by the test of `switched_off`."""
    weeks = np.sort(world.X["week"].unique())
    inside = world.X["week"].between(weeks[20], weeks[30])
    off = world.X.assign(**{PAIR[0]: world.X[PAIR[0]].where(~inside, 0.0)})
    counted = world.X["week"].between(weeks[20], weeks[34]).to_numpy()
    return (model.predict(world.X) - model.predict(off))[counted].sum()


def test_experiments_are_of_a_channel_beside_its_partner(world, model):
    """Of spend that was switched off in a window, and of what was predicted then."""
    found = reported(model, switched_off(np.sort(world.X["week"].unique())))
    assert found.measurements.tested == {0, 2}
    lost = lost_while_off(world, model)
    assert_allclose(found.values(model._model.network)[0, 0], -lost)


def test_fits_learn_from_experiments(world):
    weeks, told = np.sort(world.X["week"].unique()), {"synergies": [PAIR]}
    usual = lost_while_off(world, fit(world, **told, n_draws=0))
    test = switched_off(weeks, estimate=-0.7 * usual, std_error=0.01 * usual)
    fitted = fit(world, **told, experiments=test)
    assert_allclose(lost_while_off(world, fitted), 0.7 * usual, rtol=0.1)
    found = fitted.experiments_.iloc[0]
    assert found["after_sd"] < 0.5 * found["before_sd"]


def test_experiments_without_rows_do_not_tell_of_the_partner(world, model):
    early = world.X["week"].min() - pd.Timedelta(weeks=20)
    window = {"start": early, "end": early + pd.Timedelta(weeks=3), "spend": 1e3}
    weeks = np.sort(world.X["week"].unique())
    with refuses_from("experiment 0 is of a window of which X has no rows"):
        reported(model, switched_off(weeks, **window))


def test_files_hold_pairs(world, model, tmp_path):
    path = tmp_path / "model.skmmm"
    model.save(path)
    loaded = DeepCausalMMMRegressor.load(path)
    assert loaded.synergies == [PAIR]
    assert_array_equal(loaded.predict(world.X), model.predict(world.X))
    pd.testing.assert_frame_equal(loaded.synergy_summary(), model.synergy_summary())


def test_files_of_models_without_pairs_do_not_speak_of_them(plain_model):
    header, arrays = plain_model._as_parts()
    assert "synergies" not in header["parameters"]
    assert "channel_priors.pairs" not in arrays


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 1]], "array 'channel_priors.pairs' is not that of the parameter."),
        ([[2, 0]], "array 'channel_priors.pairs' has no pairs of channels in their"),
        ([[0, 3]], "array 'channel_priors.pairs' has no pairs of channels in their"),
    ],
)
def test_files_that_contradict_themselves(model, tmp_path, pairs, message):
    header, arrays = model._as_parts()
    path = tmp_path / "changed.skmmm"
    changed = arrays | {"channel_priors.pairs": np.array(pairs)}
    write_archive(path, header, changed, MODEL)
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor.load(path)


def test_models_pickled_before_there_were_pairs(world, plain_model):
    old = pickle.loads(pickle.dumps(plain_model))
    del old.__dict__["synergies"], old._fitted_parameters["synergies"]
    for network in (old._model.network, old._model.draws):
        network.channel_priors.__dict__.pop("pairs")
    assert_array_equal(old.predict(world.X), plain_model.predict(world.X))
    assert old._learned_pairs() == []


def test_later_rows_are_taken_in(world):
    early = world.X["week"] < np.sort(world.X["week"].unique())[54]
    model = DeepCausalMMMRegressor(**FEW, synergies=[PAIR], effect_drift=0.05)
    model.fit(world.X[early], world.y[early])
    before = model.synergy_summary()["theta"]
    after = model.partial_fit(world.X[~early], world.y[~early])
    assert np.isfinite(after.synergy_summary().iloc[0]["theta"])
    assert after.synergy_summary()["theta"].iloc[0] != before.iloc[0]
    found = after.contributions()
    assert_allclose(found.sum(axis=1), after.predict(world.X))


def test_groups_and_positions(world):
    X = pd.concat([world.X.assign(brand=b) for b in "ab"], ignore_index=True)
    y = np.tile(world.y, 2)
    one = DeepCausalMMMRegressor(
        **FEW | {"n_draws": 0, "max_iter": 3, "media": world.media},
        synergies=[PAIR],
        media_cost=1.0,
    )
    grouped = GroupedRegressor(one, by="brand").fit(X, y)
    found = grouped.contributions(X)
    assert_allclose(found.sum(axis=1), grouped.predict(X))
    plan = grouped.optimize_budget(bounds=(0.5, 2.0))
    assert plan.outcome >= plan.current_outcome
    places = [world.X.columns.get_loc(name) for name in PAIR]
    by_place = fit(world, synergies=[places], media_cost=1.0, n_draws=0)
    assert by_place._learned_pairs() == [[0, 2]]


def test_integers_are_positions_even_where_labels_are_integers(world):
    """As in `media`; a refit names the columns as the fit did."""
    order = ["week", "region", "price", "holiday", *world.media]
    X = world.X[order].set_axis(range(1, 8), axis=1)
    asked = {"time": 0, "region": 1, "controls": [2, 3], "media": [4, 5, 6]}
    few = {"synergies": [(4, 6)], "n_draws": 0, "max_iter": 3}
    model = DeepCausalMMMRegressor(**FEW | few | asked).fit(X, world.y)
    assert model._learned_pairs() == [[0, 2]]
    assert model._settings()["synergies"] == [(5, 7)]  # labels


@pytest.mark.parametrize(
    ("synergies", "others", "message"),
    [
        (["media_1"], {}, "synergies has 'media_1', which is no pair"),
        ([("media_1",)], {}, "synergies has ('media_1',), which is no pair"),
        ([("media_1", "tv")], {}, "synergies='tv' is not a column of X"),
        ([("media_1", "price")], {}, "synergies names 'price', which is not one"),
        ([("media_1", "media_1")], {}, "synergies pairs 'media_1' with itself"),
        ([PAIR, PAIR[::-1]], {}, "synergies names 'media_3' and 'media_1' twice"),
        ([PAIR], {"free_sign": ["media_3"]}, "'media_3' is in synergies, but its eff"),
        (
            [PAIR],
            {"priors": {"media_1": {"roi": (0.5, 2.0)}}},
            "'media_1' is in synergies, but its prior has a 'roi'",
        ),
    ],
)
def test_what_is_no_pair_is_refused(world, synergies, others, message):
    with refuses_from(message):
        fit(world, synergies=synergies, **others)


def test_pairs_and_slow_stocks_are_refused_as_rows_are_read(world):
    both = {"synergies": [PAIR], "brand_channels": ["media_2"]}
    with refuses_from(
        "synergies names ('media_1', 'media_3'), and brand_channels 'media_2'"
    ):
        DeepCausalMMMRegressor(**FEW | both)._check_training(world.X, world.y, None)
