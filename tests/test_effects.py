"""One object answers all questions about a table, and reads it once."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from skmmm import DeepCausalMMMRegressor, allocation, inspection
from skmmm._data.calendar import Calendar
from skmmm._model import outcome
from skmmm.baselines import make_linear_mmm
from skmmm.effects import Effects, effects_of
from skmmm.graph import StructuralVAR
from skmmm.inspection import block_stability, placebo_channel
from skmmm.inspection._protocol import ChannelEffects, Counterfactual
from skmmm.model_selection import PanelTimeSeriesSplit
from skmmm.scenarios import compare_scenarios, make_future_frame

pytestmark = pytest.mark.usefixtures("short_chains")
N_DRAWS = 8


def ours(panel, **options):
    settings = {
        "max_lag": 3,
        "max_iter": 8,
        "n_draws": N_DRAWS,
        "graph": StructuralVAR(n_bootstraps=2),
    }
    return DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        random_state=0,
        **(settings | options),
    )


@pytest.fixture(scope="module")
def fitted(panel, request):
    request.getfixturevalue("short_chains")
    return ours(panel).fit(panel.X, panel.y)


@pytest.fixture(scope="module")
def linear(panel):
    model = make_linear_mmm(
        media=panel.media, controls=panel.controls, region="region", time="week"
    )
    return model.fit(panel.X, panel.y)


@pytest.fixture(scope="module", params=["model", "predictions"])
def effects(request, fitted, linear, panel):
    return effects_of({"model": fitted, "predictions": linear}[request.param], panel.X)


def test_both_makers_keep_the_contract(effects, panel):
    asked = effects.counterfactual()
    assert isinstance(asked, Counterfactual)
    n_rows, n_media, n_regions = len(panel.X), len(panel.media), 3
    n_draws = N_DRAWS if asked.has_draws else 1
    assert asked.labels == panel.media
    assert list(asked.frame.columns) == list(panel.X.columns) == asked.names
    assert_allclose(asked.spend, panel.X[panel.media])
    assert asked.is_money.shape == asked.least_effect.shape == (n_media,)
    nothing = asked.without_media().sum(axis=1)
    parts = asked.contributions()
    assert parts.shape == (1, n_rows, n_media)
    assert_allclose(nothing + parts[0].sum(axis=1), asked.predicted(), rtol=1e-8)
    for by, n_groups in ((None, 1), ("region", n_regions), ("period", 60)):
        group, names = asked.groups(by)
        assert group.shape == (n_rows,)
        assert len(names) == n_groups
        found = asked.effects(by, draws=asked.has_draws)
        assert isinstance(found, ChannelEffects)
        assert found.contribution.shape == (n_draws, n_groups, n_media)
        assert found.roi.shape == found.mroi.shape == found.contribution.shape
    curve = asked.curve(0, np.array([0.0, 1.0, 2.0]), "region")
    assert curve.shape == (3, 1, n_regions)
    assert_allclose(curve[0], 0.0, atol=1e-6)
    assert_allclose(curve[1, 0], asked.effects("region").incremental[0, :, 0])
    cost = asked.spend_curve(0, np.array([0.0, 1.0]), "region")
    assert_allclose(cost[1] - cost[0], asked.effects("region").spend[0, :, 0])
    assert asked.observed_until("region").shape == (n_media, n_regions)


def test_plans_of_both_makers_keep_the_contract(effects, panel):
    asked = effects.counterfactual()
    assert asked.doubted().tolist() == [""] * len(panel.media)
    twice = np.full((len(panel.media), 1), 2.0)
    assert_allclose(asked.planned(twice).spend, 2.0 * asked.spend)
    rows = asked.planned_rows(twice)
    assert_allclose(rows[panel.media], 2.0 * panel.X[panel.media])
    cells = asked.plan_effects(twice)
    assert_allclose(cells.spend, 2.0 * asked.spend.sum(axis=0))
    assert_allclose(cells.outcome, asked.outcome(twice)[0])
    total, gradient = asked.flights()(np.ones((len(panel.media), 60)), np.ones_like)
    assert total.shape == (1,)
    assert gradient.shape == (len(panel.media), 60)


def test_functions_and_methods_say_the_same(effects, panel):
    estimator = effects.estimator
    assert_frame_equal(
        effects.channel_summary(by="region"),
        inspection.channel_summary(estimator, panel.X, by="region"),
    )
    assert_frame_equal(
        effects.contributions(), inspection.contributions(estimator, panel.X)
    )
    assert_frame_equal(
        effects.marginal_roi(), inspection.marginal_roi(estimator, panel.X)
    )
    channel = panel.media[0]
    assert_allclose(
        effects.response_curve(channel).incremental,
        inspection.response_curve(estimator, channel, panel.X).incremental,
    )
    assert_frame_equal(
        effects.optimize_budget().allocation,
        allocation.optimize_budget(estimator, X=panel.X).allocation,
    )
    budget = panel.X[panel.media].to_numpy().sum()
    path = effects.budget_path([budget])
    assert_allclose(path.table["budget"], budget)
    more = panel.X.assign(**{channel: 2.0 * panel.X[channel]})
    table = effects.compare_scenarios({"more": more})
    assert list(table.index) == ["as it is", "more"]


def test_the_method_asks_training_rows_unless_told(fitted, panel):
    assert_frame_equal(
        fitted.effects().channel_summary(), fitted.channel_summary(panel.X)
    )
    total = fitted.effects(panel.X).channel_summary(effect="total")
    assert_frame_equal(total, fitted.channel_summary(panel.X, effect="total"))


def test_a_table_of_another_model_is_refused(fitted, linear, panel):
    effects = fitted.effects(panel.X)
    with pytest.raises(ValueError, match="X was read by another DeepCausalMMM"):
        inspection.channel_summary(linear, effects)
    with pytest.raises(ValueError, match="leave out media"):
        inspection.channel_summary(fitted, effects, media=panel.media)


def test_a_table_that_was_read_before_a_refit_is_refused(panel):
    model = ours(panel, n_draws=0, graph=None).fit(panel.X, panel.y)
    effects = model.effects(panel.X)
    model.fit(panel.X, 2.0 * panel.y)
    for ask in (effects.channel_summary, lambda: model.predict(effects)):
        with pytest.raises(ValueError, match="was fitted again: call effects_of"):
            ask()


@pytest.fixture
def count(monkeypatch):
    """Count how often tables are read, inputs built, seasons computed."""
    seen = {"rows": [], "inputs": [], "fourier": []}
    read, build = DeepCausalMMMRegressor._read_rows, outcome.build_inputs
    fourier = Calendar.fourier

    def reading(self, frame):
        seen["rows"].append(len(frame))
        return read(self, frame)

    def building(panel, *rest):
        seen["inputs"].append(panel)
        return build(panel, *rest)

    def waves(self, ordinals, n_harmonics):
        seen["fourier"].append(len(ordinals))
        return fourier(self, ordinals, n_harmonics)

    monkeypatch.setattr(DeepCausalMMMRegressor, "_read_rows", reading)
    monkeypatch.setattr(outcome, "build_inputs", building)
    monkeypatch.setattr(Calendar, "fourier", waves)
    return seen


def test_fit_reads_once(panel, count):
    ours(panel, n_draws=4).fit(panel.X, panel.y)
    assert {name: len(calls) for name, calls in count.items()} == {
        "rows": 1,
        "inputs": 1,
        "fourier": 1,
    }


def test_a_summary_reads_once(fitted, panel, count):
    fitted.channel_summary(panel.X)
    assert len(count["rows"]) == 1
    assert len(count["fourier"]) == 1


def test_a_report_reads_once(fitted, panel, tmp_path, count):
    pytest.importorskip("plotly", reason="the report needs plotly")
    from skmmm.report import make_report

    make_report(fitted, panel.X, panel.y, tmp_path / "report.html")
    n_coming = 13 * 3
    assert sorted(count["rows"]) == [n_coming, len(panel.X)]


def test_nothing_that_was_read_is_kept_in_copies(fitted, panel):
    fitted.predict(panel.X)
    copied = pickle.loads(pickle.dumps(fitted))
    assert not len(copied._model._inputs)
    assert_allclose(copied.predict(panel.X), fitted.predict(panel.X), rtol=1e-12)


def same(X):
    return X


def with_month(X):
    return X.assign(month=X["week"].dt.month.astype(float))


def in_thousands(X):
    return X.assign(**{name: X[name] / 1000.0 for name in X if "media" in name})


@pytest.mark.parametrize("step", [same, with_month, in_thousands])
def test_behind_steps_a_model_says_what_it_says_alone(step, panel):
    bare = ours(panel).fit(step(panel.X), panel.y)
    piped = make_pipeline(FunctionTransformer(step), ours(panel)).fit(panel.X, panel.y)
    later = panel.X[panel.X["week"] >= panel.X["week"].sort_values().iloc[-30]]
    found = effects_of(piped, later)
    expected = bare.effects(step(later))
    summary, alone = found.channel_summary(), expected.channel_summary()
    unit = 1000.0 if step is in_thousands else 1.0
    assert list(summary["verdict"]) == list(alone["verdict"])
    for name in ("contribution", "contribution_low", "contribution_high", "share"):
        assert_allclose(summary[name], alone[name], rtol=1e-9)
    assert_allclose(summary["spend"], unit * alone["spend"])
    assert_allclose(summary["roi_high"], alone["roi_high"] / unit)
    assert_allclose(summary["spend"], later[panel.media].sum())
    plan, other = found.optimize_budget(), expected.optimize_budget()
    assert_allclose(plan.outcome_low, other.outcome_low)
    assert_allclose(plan.allocation["change"], other.allocation["change"], atol=1e-9)
    assert_allclose(plan.X[panel.media], unit * other.X[panel.media])
    assert list(plan.X.columns) == list(panel.X.columns)


@pytest.mark.filterwarnings("ignore:The spend of")
def test_behind_steps_that_mix_channels_predictions_are_compared(panel):
    def mixed(X):
        first, second = panel.media[:2]
        return X.assign(**{first: X[first] + X[second]})

    piped = make_pipeline(FunctionTransformer(mixed), ours(panel, n_draws=0))
    summary = effects_of(piped.fit(panel.X, panel.y), panel.X).channel_summary()
    assert "verdict" not in summary
    assert summary["contribution_low"].isna().all()


def flat(panel):
    return panel.X.assign(**{name: panel.X[name].mean() for name in panel.media})


def logarithms(X):
    return X.assign(**{name: np.log1p(X[name]) for name in X if "media" in name})


def with_sum(X):
    return X.assign(total=X["media_1"] + X["media_2"])


@pytest.mark.parametrize("step", [logarithms, with_sum])
@pytest.mark.parametrize("n_rows", [1, None])
def test_steps_are_not_judged_by_the_values_in_the_table(step, n_rows, panel):
    # Of a flat table every function is a multiple.
    controls = [*panel.controls, *(["total"] if step is with_sum else [])]
    model = ours(panel, n_draws=0, graph=None).set_params(controls=controls)
    piped = make_pipeline(FunctionTransformer(step), model).fit(panel.X, panel.y)
    X = flat(panel).iloc[:n_rows]
    effects = effects_of(piped, X)
    assert "verdict" not in effects.channel_summary()
    now = piped.predict(X).sum()
    assert_allclose(effects.counterfactual().predicted().sum(), now)
    curve = effects.response_curve("media_1", grid=[0.0, X["media_1"].sum()])
    without = piped.predict(X.assign(media_1=0.0)).sum()
    assert_allclose(curve.incremental[1], now - without, rtol=1e-6)


def test_columns_that_steps_move_are_not_taken_by_position(panel):
    X = panel.X[[*panel.controls, *panel.media, "region", "week"]]
    rest = [*panel.controls, "region", "week"]
    moved = ColumnTransformer(
        [("media", MaxAbsScaler(), panel.media), ("rest", "passthrough", rest)]
    )
    model = DeepCausalMMMRegressor(
        media=[0, 1, 2], controls=[3, 4], region=5, time=6, max_lag=3, max_iter=5
    ).set_params(n_draws=0, graph=None)
    piped = make_pipeline(moved, model).fit(X, panel.y)
    with pytest.raises(ValueError, match="The steps before the model move columns"):
        inspection.channel_summary(piped, X)


def test_training_rows_behind_steps_are_not_those_of_the_user(panel):
    model = ours(panel, n_draws=0, graph=None)
    piped = make_pipeline(FunctionTransformer(in_thousands), model)
    with pytest.raises(ValueError, match="does not remember its training rows: pass X"):
        effects_of(piped.fit(panel.X, panel.y))


def test_another_fit_of_any_estimator_is_noticed(panel):
    roles = {"media": panel.media, "region": "region", "time": "week"}
    model = make_linear_mmm(**roles).fit(panel.X, panel.y)
    effects = effects_of(model, panel.X)
    assert repr(effects).startswith("Effects of Pipeline on 180 rows: media_1")
    model.fit(panel.X, 10.0 * panel.y)
    with pytest.raises(ValueError, match="was fitted again"):
        effects.channel_summary()


def test_effects_can_be_pickled(fitted, panel):
    for X in (None, panel.X):
        effects = fitted.effects(X)
        copied = pickle.loads(pickle.dumps(effects))
        assert_frame_equal(
            copied.counterfactual().frame, effects.counterfactual().frame
        )
        assert_frame_equal(copied.contributions(), effects.contributions())


def test_what_effects_refuse(fitted, panel):
    effects = fitted.effects(panel.X)
    with pytest.raises(ValueError, match="horizon is about coming periods"):
        effects.optimize_budget(horizon=4)
    with pytest.raises(ValueError, match="'as it is' is the name of this table"):
        effects.compare_scenarios({"as it is": panel.X})


def test_a_search_is_asked_for_its_best(panel):
    cv = PanelTimeSeriesSplit(2, test_size=8, time="week")
    search = GridSearchCV(ours(panel), {"max_lag": [2, 3]}, cv=cv)
    search.fit(panel.X, panel.y)
    effects = effects_of(search)
    assert isinstance(effects, Effects)
    assert_frame_equal(
        effects.channel_summary(), search.best_estimator_.channel_summary()
    )
    assert isinstance(effects.frame, pd.DataFrame)


def test_effects_are_scenarios_too(fitted, linear, panel):
    more = panel.X.assign(media_1=2.0 * panel.X["media_1"])
    for model in (fitted, linear):
        expected = compare_scenarios(model, {"now": panel.X, "more": more})
        read = {"now": effects_of(model, panel.X), "more": effects_of(model, more)}
        assert_frame_equal(compare_scenarios(model, read), expected)
    with pytest.raises(ValueError, match="X was read by another Pipeline"):
        compare_scenarios(fitted, read)


def test_media_of_effects_are_those_of_scenarios(panel):
    X = panel.X[[*panel.media, "week"]]
    model = LinearRegression().fit(panel.X[panel.media], panel.y)
    piped = make_pipeline(FunctionTransformer(lambda X: X[panel.media]), model)
    effects = effects_of(piped, X, media=panel.media, time="week")
    table = effects.compare_scenarios({"none": X.assign(media_1=0.0)})
    assert_allclose(table.loc["none", "difference_spend"], -X["media_1"].sum())


def test_effects_stand_for_the_rows_that_are_fitted_again(fitted, linear, panel):
    asked = {"channels": ["media_1"], "n_repeats": 1, "random_state": 0}
    asked |= {"media": panel.media, "region": "region", "time": "week"}
    tables = [
        inspection.placebo_channel(linear, X, panel.y, **asked)
        for X in (panel.X, effects_of(linear, panel.X))
    ]
    assert_frame_equal(*tables)
    roles = {"media": panel.media, "controls": panel.controls}
    roles |= {"region": "region", "time": "week", "control_values": "last_year"}
    frames = [
        make_future_frame(X, 2, **roles) for X in (panel.X, fitted.effects(panel.X))
    ]
    assert_frame_equal(*frames)


def test_orders_of_channels_may_be_set(linear, panel):
    asked = effects_of(linear, panel.X, n_permutations=4, random_state=1)
    assert asked.counterfactual().n_permutations == 4
    assert asked.counterfactual().random_state == 1


def test_a_search_without_a_model_says_so(panel):
    search = GridSearchCV(LinearRegression(), {}, cv=2, refit=False)
    search.fit(panel.X[panel.media], panel.y)
    for ask in (
        lambda: effects_of(search, panel.X, media=panel.media),
        lambda: allocation.optimize_budget(search, X=panel.X),
        lambda: compare_scenarios(search, {"now": panel.X}),
    ):
        with pytest.raises(ValueError, match=r"GridSearchCV\(refit=False\) keeps no"):
            ask()


def test_money_of_scenarios_is_that_of_the_summary(panel):
    model = ours(panel, n_draws=0, graph=None, media_cost=3.0)
    piped = make_pipeline(FunctionTransformer(in_thousands), model)
    piped.fit(panel.X, panel.y)
    table = compare_scenarios(piped, {"now": panel.X})
    summary = inspection.channel_summary(piped, panel.X)
    assert_allclose(table["spend"], summary["spend"].sum())


def test_a_verdict_that_is_missing_says_why(panel):
    model = ours(panel, n_draws=0, graph=None).fit(panel.X, panel.y)
    summary = model.channel_summary(by="region")
    assert summary["verdict"].isna().all()
    assert summary.attrs["verdict"].startswith("None: a verdict needs at least 8 draws")


def test_refits_know_with_which_columns_a_table_was_read(panel):
    columns = [*panel.media, *panel.controls]
    model = make_pipeline(
        make_column_transformer(("passthrough", columns)), LinearRegression()
    ).fit(panel.X, panel.y)
    roles = {"region": "region", "time": "week"}
    effects = effects_of(model, panel.X, media=panel.media, **roles)
    options = {"n_repeats": 2, "random_state": 0}
    assert_frame_equal(
        placebo_channel(model, effects, panel.y, **options),
        placebo_channel(model, panel.X, panel.y, media=panel.media, **roles, **options),
    )
    per_unit = block_stability(model, effects, panel.y, n_blocks=2)
    paid = effects_of(model, panel.X, media=panel.media, media_cost=10.0, **roles)
    per_money = block_stability(model, paid, panel.y, n_blocks=2)
    assert_allclose(per_money["roi"], per_unit["roi"] / 10.0)


def test_scenarios_are_in_the_costs_of_the_table(panel):
    model = make_linear_mmm(media=panel.media, region="region", time="week")
    effects = effects_of(model.fit(panel.X, panel.y), panel.X, media_cost=10.0)
    first = panel.media[0]
    more = panel.X.assign(**{first: 1.1 * panel.X[first]})
    table = effects.compare_scenarios({"more": more})
    spend = effects.channel_summary()["spend"].sum()
    assert table.loc["as it is", "spend"] == pytest.approx(spend)
    with pytest.raises(ValueError, match="scenarios must map names to tables"):
        effects.compare_scenarios([more])
