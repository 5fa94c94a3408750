"""The channel graph of a regressor, and what it answers with it."""

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmmm import DeepCausalMMMRegressor
from skmmm.graph import NOTEARS, StructuralVAR
from skmmm.graph._channel_graph import TAIL_PERIODS
from skmmm.model_selection import PanelTimeSeriesSplit

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip(
        "benchmarks are not part of the source distribution", allow_module_level=True
    )

VERDICTS = {"edge", "no edge", "undecided"}

pytestmark = pytest.mark.usefixtures("one_thread", "short_chains")


@pytest.fixture(scope="module")
def worlds():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("graph_worlds")
    sys.path.remove(str(BENCHMARKS))
    sys.modules.pop("graph_worlds", None)


def rows_of(world):
    """X with a price, and a KPI in which spend has diminishing effects."""
    X, channels = world.frame()
    rng = np.random.default_rng(0)
    X["price"] = rng.normal(10.0, 1.0, len(X))
    spend = X[channels].to_numpy()
    effect = np.sqrt(spend / np.median(spend, axis=0)).sum(axis=1)
    return X, 100.0 + effect - X["price"].to_numpy() + rng.normal(0.0, 1.0, len(X))


def svar(**arguments):
    return StructuralVAR(**({"n_bootstraps": 8} | arguments))


def model(**arguments):
    defaults = {
        "controls": ["price"],
        "region": "region",
        "time": "week",
        "max_lag": 2,
        "n_draws": 0,
        "max_iter": 20,
        "n_hidden": 0,
        "n_harmonics": 1,
        "graph": svar(),
        "random_state": 0,
    }
    return DeepCausalMMMRegressor(**(defaults | arguments))


@pytest.fixture(scope="module")
def world(worlds):
    """Five channels in twenty regions; 0 -> 2 and 0 -> 4 later, 2 -> 4, 0 -> 1 now."""
    return worlds.make_graph_world("gauss", 20, 0, n_channels=5, n_weeks=60, n_edges=4)


@pytest.fixture(scope="module")
def data(world):
    return rows_of(world)


@pytest.fixture(scope="module")
def small(worlds):
    """Fewer regions, for what does not depend on finding the truth."""
    return rows_of(
        worlds.make_graph_world("gauss", 10, 0, n_channels=5, n_weeks=50, n_edges=4)
    )


@pytest.fixture(scope="module")
def fitted(data):
    """Not to be changed."""
    return model(n_draws=8).fit(*data)


@pytest.fixture(scope="module")
def root(world):
    return f"channel_{np.argmax(world.edges.sum(axis=1)):02d}"


@pytest.fixture(scope="module")
def leaves(world):
    """Channels that are driven and drive none."""
    last = world.edges.any(axis=0) & ~world.edges.any(axis=1)
    return [f"channel_{j:02d}" for j in np.flatnonzero(last)]


def off_diagonal(table):
    values = table.to_numpy()
    return values[~np.eye(len(values), dtype=bool)]


# --- the graph ----------------------------------------------------------------------


def test_finds_the_known_edges(fitted, world):
    graph = fitted.channel_graph()
    assert_array_equal(graph.verdict == "edge", world.edges)
    assert_array_equal(graph.same_period != 0, world.same_week != 0)
    known = world.same_week + world.lagged
    assert_array_equal(np.sign(graph.weights), np.sign(known))


def test_causal_graph_is_zero_where_there_is_no_edge(fitted):
    graph = fitted.channel_graph()
    assert fitted.causal_graph_.shape == (5, 5)
    assert_array_equal(fitted.causal_graph_, graph.weights)
    assert_array_equal(fitted.causal_graph_ != 0, graph.verdict == "edge")
    assert (fitted.causal_graph_ != 0).any()
    graph.weights.loc["channel_00", "channel_02"] = 7.0
    assert 7.0 not in fitted.channel_graph().weights.to_numpy()


def test_tables(fitted):
    graph = fitted.channel_graph()
    for table in (graph.weights, graph.same_period, graph.probability, graph.verdict):
        assert list(table.index) == list(table.columns) == list(fitted.media_)
    probability = off_diagonal(graph.probability)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert set(off_diagonal(graph.verdict)) <= VERDICTS
    assert set(np.diag(graph.verdict)) == {""}
    assert_array_equal(np.diag(graph.probability), 0.0)
    assert graph.n_regions == 20
    assert 900 < graph.n_rows < 20 * 60


def test_long_tables(fitted):
    graph = fitted.channel_graph()
    assert len(graph.pairs) == 20
    assert (graph.edges["weight"].abs().diff().dropna() <= 0).all()
    for edge in graph.edges.itertuples():
        assert graph.weights.loc[edge.parent, edge.child] == edge.weight
        assert graph.probability.loc[edge.parent, edge.child] == edge.probability
    assert set(graph.lags.index) == set(
        zip(graph.edges["parent"], graph.edges["child"], strict=True)
    )
    now = graph.lags[0] != 0
    for parent, child in graph.lags.index:
        assert now[parent, child] == (graph.same_period.loc[parent, child] != 0)


def test_elasticity_within_the_week(fitted, world):
    lags = fitted.channel_graph().lags[0]
    for i, j in np.argwhere(world.same_week):
        found = lags[f"channel_{i:02d}", f"channel_{j:02d}"]
        assert_allclose(found, world.same_week[i, j], atol=0.1)


def test_repr_names_what_was_found(fitted):
    text = repr(fitted.channel_graph())
    assert text.startswith("ChannelGraph of 5 channels: 4 edges, ")
    for edge in fitted.channel_graph().edges.itertuples():
        assert f"{edge.parent} {edge.child}" in text


def test_networkx(fitted):
    pytest.importorskip("networkx")
    graph = fitted.channel_graph()
    nodes = graph.to_networkx()
    assert list(nodes.nodes) == list(fitted.media_)
    expected = {(e.parent, e.child): e.weight for e in graph.edges.itertuples()}
    found = {(i, j): e["weight"] for i, j, e in nodes.edges(data=True)}
    assert found == expected


def test_without_networkx(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match="pip install networkx"):
        fitted.channel_graph().to_networkx()


def test_more_is_ruled_out_if_only_larger_effects_count(data):
    graph = model(graph=svar(min_edge_effect=0.02)).fit(*data).channel_graph()
    assert (off_diagonal(graph.verdict) == "no edge").sum() >= 8
    assert "undecided" in set(off_diagonal(model().fit(*data).channel_graph().verdict))


# --- panels that say little ---------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_one_region_decides_little_and_nothing_by_the_same_period_alone(worlds, seed):
    X, y = rows_of(
        worlds.make_graph_world("gauss", 1, seed, n_channels=5, n_weeks=104, n_edges=4)
    )
    graph = model().fit(X, y).channel_graph()
    assert (off_diagonal(graph.verdict) == "undecided").sum() >= 14
    assert graph.cautions[0].startswith("One region")
    assert (graph.lags.iloc[:, 1:] != 0).any(axis=1).all()


@pytest.mark.parametrize("region", ["region", None])
def test_too_short_a_panel_decides_nothing(worlds, region):
    X, y = rows_of(
        worlds.make_graph_world("gauss", 1, 0, n_channels=5, n_weeks=60, n_edges=4)
    )
    X, y = X[:20], y[:20]
    X = X if region else X.drop(columns="region")
    short = model(region=region, n_draws=2).fit(X, y)
    graph = short.channel_graph()
    assert set(off_diagonal(graph.verdict)) == {"undecided"}
    assert_array_equal(short.causal_graph_, np.zeros((5, 5)))
    assert graph.edges.empty
    assert_frame_equal(short.contributions(effect="total"), short.contributions())


def test_missing_rows(data, world):
    X, y = data
    rows = np.random.default_rng(0).random(len(X)) < 0.9
    gaps = model().fit(X[rows], y[rows])
    assert_array_equal(gaps.channel_graph().verdict == "edge", world.edges)
    total = gaps.contributions(X[~rows], effect="total").sum(axis=1)
    assert_allclose(total, gaps.predict(X[~rows]))


def spend_of_hardly_any(n_rows):
    spend = np.zeros(n_rows)
    spend[77] = 5.0
    return spend


@pytest.mark.parametrize(
    "spend", [spend_of_hardly_any, lambda n_rows: np.full(n_rows, 3.0)]
)
@pytest.mark.filterwarnings("ignore:'channel_02'. spend that hardly moves")
def test_a_channel_that_hardly_moves_has_no_edges(small, spend):
    X, y = small
    X = X.assign(channel_02=spend(len(X)))
    still = model(n_draws=2).fit(X, y)
    graph = still.channel_graph()
    for pairs in (graph.verdict.loc["channel_02"], graph.verdict["channel_02"]):
        assert "edge" not in set(pairs)
    total = still.contributions(effect="total")
    assert_allclose(total.sum(axis=1), still.predict(X))
    assert np.isfinite(still.channel_summary(effect="total")["contribution"]).all()


# --- what is known before -----------------------------------------------------------


def test_forbidden_edges(data, fitted):
    edge = fitted.channel_graph().edges.iloc[0]
    pair = (edge["parent"], edge["child"])
    graph = model(graph=svar(forbidden_edges=[pair])).fit(*data).channel_graph()
    assert graph.verdict.loc[pair] == "no edge"
    assert graph.weights.loc[pair] == 0.0
    assert graph.probability.loc[pair] == 0.0


def test_required_edges(small):
    pair = ("channel_03", "channel_01")
    graph = model(graph=svar(required_edges=[pair])).fit(*small).channel_graph()
    assert graph.verdict.loc[pair] == "edge"
    assert graph.weights.loc[pair] != 0.0


def test_tiers(data, root, leaves):
    graph = model(graph=svar(tiers=[leaves, [root]])).fit(*data).channel_graph()
    assert (graph.verdict.loc[root, leaves] == "no edge").all()
    assert (graph.weights.loc[root, leaves] == 0.0).all()
    kept = model(graph=svar(tiers=[[root], leaves])).fit(*data).channel_graph()
    assert (kept.verdict.loc[root, leaves] == "edge").all()


def test_columns_by_position(small):
    X, y = small
    forbidden = [("channel_00", "channel_02")]
    by_name = model(graph=svar(forbidden_edges=forbidden)).fit(X, y)
    where = [tuple(list(X.columns).index(c) for c in forbidden[0])]
    by_position = model(graph=svar(forbidden_edges=where)).fit(X, y)
    assert_array_equal(by_position.causal_graph_, by_name.causal_graph_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forbidden_edges": [("channel_00", "tv")]}, "forbidden_edges.*'tv'"),
        ({"required_edges": [("price", "channel_00")]}, "required_edges.*'price'"),
        ({"tiers": [["channel_00"], ["week"]]}, "tiers.*'week'"),
        ({"forbidden_edges": ["channel_00"]}, "forbidden_edges.*not a pair"),
        ({"forbidden_edges": [("channel_00",) * 2]}, "forbidden_edges.*itself"),
        ({"tiers": [["channel_00"], ["channel_00"]]}, "tiers.*twice"),
        (
            {
                "required_edges": [("channel_00", "channel_01")],
                "tiers": [["channel_01"], ["channel_00"]],
            },
            "required_edges.*tiers",
        ),
        ({"min_edge_effect": 0.0}, "min_edge_effect"),
        ({"max_lag": 0}, "max_lag"),
        ({"n_bootstraps": 0}, "n_bootstraps"),
        ({"media": ["channel_00", "price"]}, "graph has media=.*the model around"),
        ({"controls": ["channel_00"]}, "graph has controls=.*'price'"),
        ({"region": "week"}, "graph has region='week'.*'region'.*Leave region of Str"),
        ({"time": "channel_00"}, "graph has time='channel_00'"),
        ({"time": "day"}, "graph__time='day' is not a column"),
        ({"n_harmonics": 2}, "graph has n_harmonics=2.*n_harmonics=1"),
        ({"periods_per_year": 12.0}, "graph has periods_per_year=12.0"),
    ],
)
def test_errors_name_the_parameter(small, arguments, message):
    with pytest.raises(ValueError, match=message):
        model(graph=svar(**arguments)).fit(*small)


@pytest.mark.parametrize("graph", ["pcmci", StructuralVAR, 3])
def test_no_other_graphs(small, graph):
    with pytest.raises(ValueError, match="'graph' parameter of DeepCausalMMMRegressor"):
        model(graph=graph).fit(*small)


# --- without a graph ----------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"graph": None},
        {"time": None, "media": [f"channel_{j:02d}" for j in range(5)]},
        {"media": ["channel_00"]},
    ],
)
def test_without_a_graph(small, arguments):
    X, y = small
    if "time" in arguments:
        X = X.drop(columns="week")
    elif "media" in arguments:
        X = X[["region", "week", "channel_00", "price"]]
    none = model(**arguments).fit(X, y)
    n_media = len(none.media_)
    assert_array_equal(none.causal_graph_, np.zeros((n_media, n_media)))
    asked = [
        none.channel_graph,
        lambda: none.contributions(effect="total"),
        lambda: none.channel_summary(effect="total"),
        lambda: none.response_curve("channel_00", effect="total"),
    ]
    for ask in asked:
        with pytest.raises(ValueError, match="fit it with graph='svar', a time column"):
            ask()


def test_there_are_two_effects(fitted):
    for ask in (
        fitted.contributions,
        fitted.channel_summary,
        lambda effect: fitted.response_curve("channel_00", effect=effect),
    ):
        with pytest.raises(ValueError, match="effect='sideways' must be 'direct'"):
            ask(effect="sideways")


# --- invariance ---------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_the_order_of_columns_does_not_matter(data, fitted, named):
    X, y = data
    media = [f"channel_{j:02d}" for j in (3, 0, 4, 2, 1)]
    moved = X[["price", *media[:2], "week", *media[2:], "region"]]
    other = model(media=sorted(media) if named else None).fit(moved, y)
    assert list(other.media_) == media
    graph, expected = other.channel_graph(), fitted.channel_graph()
    assert_frame_equal(graph.verdict, expected.verdict.loc[media, media])
    for name in ("weights", "same_period", "probability"):
        table = getattr(expected, name).loc[media, media]
        assert_frame_equal(getattr(graph, name), table, atol=1e-7)
    assert_frame_equal(graph.lags, expected.lags.reindex(graph.lags.index), atol=1e-7)
    assert_array_equal(other.causal_graph_, graph.weights)


def test_the_order_of_rows_does_not_matter(data, fitted):
    X, y = data
    order = np.random.default_rng(0).permutation(len(X))
    other = model().fit(X.iloc[order], y[order])
    assert_array_equal(other.causal_graph_, fitted.causal_graph_)


def test_same_random_state_same_graph(small):
    first, second = (model(n_draws=8).fit(*small) for _ in range(2))
    for name in ("weights", "probability", "verdict", "lags"):
        assert_frame_equal(
            getattr(first.channel_graph(), name),
            getattr(second.channel_graph(), name),
            check_exact=True,
        )
    assert_frame_equal(
        first.channel_summary(effect="total"),
        second.channel_summary(effect="total"),
        check_exact=True,
    )


# --- total effects ------------------------------------------------------------------


def test_total_contributions_sum_to_the_prediction(fitted, data):
    total, direct = (fitted.contributions(effect=e) for e in ("total", "direct"))
    assert list(total.columns) == list(direct.columns)
    assert_allclose(total.sum(axis=1), fitted.predict(data[0]))
    unmoved = ["baseline", "price", "channel_03"]
    assert_allclose(total[unmoved], direct[unmoved], atol=1e-10)


def test_children_lose_and_parents_gain(fitted, root, leaves):
    total, direct = (fitted.contributions(effect=e).sum() for e in ("total", "direct"))
    assert total[root] > direct[root]
    assert (total[leaves] < direct[leaves]).all()
    assert (total[leaves] >= 0).all()


COSTS = [
    None,
    1.0,
    {"channel_00": 1.0, "channel_01": 2.0, "channel_04": 0.5},
]


@pytest.fixture(scope="module", params=COSTS, ids=["no cost", "money", "some money"])
def with_cost(request, data):
    return model(n_draws=8, media_cost=request.param).fit(*data), request.param


def test_nothing_is_credited_or_charged_twice(with_cost):
    priced, cost = with_cost
    total, direct = (priced.channel_summary(effect=e) for e in ("total", "direct"))
    for column in ("contribution", "share"):
        assert_allclose(total[column].sum(), direct[column].sum())
    money = total.index.isin(cost if isinstance(cost, dict) else [])
    for group in (money, ~money):
        assert_allclose(total["spend"][group].sum(), direct["spend"][group].sum())
    assert not np.allclose(total["spend"], direct["spend"], rtol=0.05)


def test_total_intervals(with_cost):
    summary = with_cost[0].channel_summary(effect="total")
    numbers = summary.select_dtypes("number")
    # Channels without a cost have no return beside those that have one.
    assert np.isfinite(numbers.filter(like="contribution")).all(axis=None)
    for name in ("contribution", "roi", "mroi"):
        ends = summary[[f"{name}_low", f"{name}_high"]].dropna()
        assert (ends[f"{name}_low"] < ends[f"{name}_high"]).all()


def test_a_channel_beside_the_graph_has_its_direct_effect(fitted):
    total, direct = (
        fitted.channel_summary(effect=e).loc["channel_03"] for e in ("total", "direct")
    )
    for name in ("spend", "contribution", "roi", "mroi"):
        assert_allclose(total[name], direct[name], rtol=1e-9)


@pytest.mark.parametrize("by", ["region", "period"])
def test_groups_add_up(fitted, by):
    whole = fitted.channel_summary(effect="total")
    parts = fitted.channel_summary(by=by, effect="total")
    sums = parts[["spend", "contribution"]].groupby("channel").sum()
    expected = whole[["spend", "contribution"]]
    assert_frame_equal(sums.loc[expected.index], expected, check_names=False)


def test_marginal_return_counts_what_children_bring_and_cost(with_cost):
    """One percent more by the curve, and its cost by the reaction of all channels."""
    priced, cost = with_cost
    channels, step = list(priced.media_), 0.01
    price = np.ones(5)
    charged = np.ones(5, dtype=bool)
    if isinstance(cost, dict):
        price = np.array([cost.get(channel, 1.0) for channel in channels])
        charged = np.isin(channels, list(cost))
    curve = priced.response_curve("channel_00", effect="total")
    more = priced.response_curve(
        "channel_00", grid=[(1 + step) * curve.current_spend], effect="total"
    )
    media = priced._model.history.media
    changed = (1 + step) * media[..., 0]
    extra = priced._graph.equations.react(media, changed, 0)[0] - media
    paid = (price * charged * extra.sum(axis=(0, 1))).sum()
    assert paid > 1.05 * price[0] * extra[..., 0].sum()
    gain = more.incremental[0] - curve.current_incremental
    mroi = priced.channel_summary(effect="total").loc["channel_00", "mroi"]
    assert_allclose(mroi, gain / paid, rtol=1e-6)


def test_curves_of_parents_and_leaves(fitted, root, leaves):
    total, direct = (fitted.response_curve(root, effect=e) for e in ("total", "direct"))
    assert_array_equal(total.spend, direct.spend)
    assert total.current_incremental > direct.current_incremental
    assert (total.incremental[1:] > direct.incremental[1:]).all()
    assert total.incremental[0] == direct.incremental[0] == 0.0
    assert (np.diff(total.incremental) > 0).all()
    assert (total.low[1:] < total.high[1:]).all()
    for leaf in leaves:
        total, direct = (
            fitted.response_curve(leaf, effect=e) for e in ("total", "direct")
        )
        assert_allclose(total.incremental, direct.incremental)


def test_future_rows(data):
    X, y = data
    past = (X["week"] < X["week"].unique()[50]).to_numpy()
    known = model(n_draws=8).fit(X[past], y[past])
    future = X[~past]
    total = known.contributions(future, effect="total")
    assert_allclose(total.sum(axis=1), known.predict(future))
    together = known.contributions(X, effect="total")[~past]
    assert_frame_equal(total, together)
    summary = known.channel_summary(future, effect="total")
    assert_allclose(summary["contribution"], total[known.media_].sum(), rtol=1e-9)
    curve = known.response_curve("channel_00", future, effect="total")
    assert np.isfinite(curve.high[1:]).all()


def test_regions_never_seen(data):
    X, y = data
    seen = X["region"].isin(X["region"].unique()[:15]).to_numpy()
    average = model(unseen_region="average").fit(X[seen], y[seen])
    new = X[~seen]
    total = average.contributions(new, effect="total")
    assert_allclose(total.sum(axis=1), average.predict(new))
    direct = average.contributions(new)
    assert total["channel_00"].sum() > direct["channel_00"].sum()
    assert np.isfinite(average.channel_summary(new, effect="total")["mroi"]).all()


# --- as an estimator ----------------------------------------------------------------


@pytest.mark.parametrize("way", ["save", "pickle"])
def test_graph_and_total_effects_survive_storage(fitted, data, tmp_path, way):
    if way == "save":
        fitted.save(tmp_path / "model.skmmm")
        loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    else:
        loaded = pickle.loads(pickle.dumps(fitted))
    for name in ("weights", "same_period", "lags", "probability", "verdict"):
        assert_frame_equal(
            getattr(loaded.channel_graph(), name),
            getattr(fitted.channel_graph(), name),
            check_exact=True,
        )
    assert loaded.channel_graph().cautions == fitted.channel_graph().cautions
    assert repr(loaded.channel_graph()) == repr(fitted.channel_graph())
    assert_array_equal(loaded.causal_graph_, fitted.causal_graph_)
    assert_frame_equal(
        loaded.channel_summary(data[0], effect="total"),
        fitted.channel_summary(data[0], effect="total"),
        check_exact=True,
    )


def test_a_model_without_a_graph_is_stored(small, tmp_path):
    model(graph=None).fit(*small).save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert_array_equal(loaded.causal_graph_, np.zeros((5, 5)))
    with pytest.raises(ValueError, match="needs a channel graph"):
        loaded.channel_graph()


def test_rules_are_stored_as_parameters(small, tmp_path):
    graph = svar(
        forbidden_edges=[("channel_00", "channel_02")],
        tiers=[["channel_01"], ["channel_03", "channel_04"]],
    )
    ruled = model(graph=graph).fit(*small)
    ruled.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    again = clone(loaded).fit(*small)
    assert_array_equal(again.causal_graph_, ruled.causal_graph_)


def test_clone_keeps_the_rules():
    rules = {
        "forbidden_edges": [("a", "b")],
        "required_edges": [("b", "c")],
        "tiers": [["a"], ["b"]],
        "min_edge_effect": 0.02,
        "max_lag": 3,
        "n_bootstraps": 5,
    }
    graph = NOTEARS(**rules)
    copied = clone(model(graph=graph))
    assert copied.graph is not graph
    assert type(copied.graph) is NOTEARS
    parameters = copied.get_params()
    assert {name: parameters[f"graph__{name}"] for name in rules} == rules


def test_settings_of_the_graph_are_set_through_the_model(small):
    graph = StructuralVAR()
    asked = model(graph=graph).set_params(graph__n_bootstraps=1, graph__max_lag=1)
    assert (graph.n_bootstraps, graph.max_lag) == (1, 1)
    before = asked.get_params()
    asked.fit(*small)
    assert {name: asked.get_params()[name] for name in before} == before
    assert asked.graph is graph
    assert not hasattr(graph, "causal_graph_")  # a copy was fitted
    # Lag 0, one lag, and the tail.
    assert asked.channel_graph().lags.shape[1] == 2 + TAIL_PERIODS


@pytest.mark.parametrize("graph", ["svar", None])
def test_settings_need_an_instance(graph):
    asked = model(graph=graph)
    with pytest.raises(ValueError, match=r"graph__tiers is .* but graph=.* Set graph"):
        asked.set_params(graph__tiers=[["a"]])
    asked.set_params(graph=NOTEARS(), graph__threshold=0.1, max_lag=4)
    assert (asked.graph.threshold, asked.max_lag) == (0.1, 4)


def test_the_settings_of_a_model_are_few():
    assert len(DeepCausalMMMRegressor().get_params()) <= 27


def test_grid_search(small):
    X, y = small
    cv = PanelTimeSeriesSplit(2, time="week")
    grid = {"graph__min_edge_effect": [0.005, 0.9]}
    start = model(max_iter=5, graph=svar(n_bootstraps=2))
    found = GridSearchCV(start, grid, cv=cv).fit(X, y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    # The graph has no part in the prediction.
    assert len(set(found.cv_results_["mean_test_score"])) == 1
    strict = (
        clone(found.best_estimator_).set_params(graph__min_edge_effect=0.9).fit(X, y)
    )
    assert_array_equal(strict.causal_graph_, 0.0)


def test_notears(data, world):
    graph = model(graph=NOTEARS(n_bootstraps=3)).fit(*data).channel_graph()
    found = (graph.verdict == "edge").to_numpy()
    assert (found & world.edges).sum() >= 3
    assert isinstance(graph.weights, pd.DataFrame)


@pytest.mark.parametrize(
    ("name", "cls"), [("svar", StructuralVAR), ("notears", NOTEARS)]
)
def test_a_name_stands_for_the_defaults(small, name, cls):
    X, y = small
    X = X[["region", "week", "price", "channel_00", "channel_01", "channel_02"]]
    by_name, by_instance = (
        model(graph=graph, max_iter=3).fit(X, y).channel_graph()
        for graph in (name, cls())
    )
    for part in ("weights", "probability", "verdict", "lags"):
        assert_frame_equal(
            getattr(by_name, part), getattr(by_instance, part), check_exact=True
        )
