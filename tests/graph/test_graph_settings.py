"""Rules and settings of the graph of a regressor, and panels that say little."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from channel_worlds import model, off_diagonal, rows_of, svar
from skmmm import DeepCausalMMMRegressor
from skmmm.graph import NOTEARS, StructuralVAR
from skmmm.graph._channel_graph import TAIL_PERIODS
from skmmm.model_selection import PanelTimeSeriesSplit

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The spend of"),
]


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


def test_required_edges(small):
    pair = ("channel_03", "channel_01")
    graph = model(graph=svar(required_edges=[pair])).fit(*small).channel_graph()
    assert graph.verdict.loc[pair] == "edge"
    assert graph.weights.loc[pair] != 0.0


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
    assert len(DeepCausalMMMRegressor().get_params()) <= 32


def test_grid_search(small):
    X, y = small
    cv = PanelTimeSeriesSplit(2, time="week")
    grid = {"graph__min_edge_effect": [0.005, 0.9]}
    start = model(max_iter=2, graph=svar(n_bootstraps=2))
    found = GridSearchCV(start, grid, cv=cv).fit(X, y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    # The graph has no part in the prediction.
    assert len(set(found.cv_results_["mean_test_score"])) == 1
    strict = (
        clone(found.best_estimator_).set_params(graph__min_edge_effect=0.9).fit(X, y)
    )
    assert_array_equal(strict.causal_graph_, 0.0)


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
