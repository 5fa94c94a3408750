"""The channel graph of a regressor, and what it answers with it."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from channel_worlds import model, off_diagonal, svar
from skmmm import DeepCausalMMMRegressor
from skmmm.graph import NOTEARS

pytestmark = pytest.mark.usefixtures("short_chains")

VERDICTS = {"edge", "no edge", "undecided"}


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


def test_missing_rows(data, world):
    X, y = data
    rows = np.random.default_rng(0).random(len(X)) < 0.9
    gaps = model().fit(X[rows], y[rows])
    assert_array_equal(gaps.channel_graph().verdict == "edge", world.edges)
    total = gaps.contributions(X[~rows], effect="total").sum(axis=1)
    assert_allclose(total, gaps.predict(X[~rows]))


# --- what is known before -----------------------------------------------------------


def test_forbidden_edges(data, fitted):
    edge = fitted.channel_graph().edges.iloc[0]
    pair = (edge["parent"], edge["child"])
    graph = model(graph=svar(forbidden_edges=[pair])).fit(*data).channel_graph()
    assert graph.verdict.loc[pair] == "no edge"
    assert graph.weights.loc[pair] == 0.0
    assert graph.probability.loc[pair] == 0.0


def test_tiers(data, root, leaves):
    graph = model(graph=svar(tiers=[leaves, [root]])).fit(*data).channel_graph()
    assert (graph.verdict.loc[root, leaves] == "no edge").all()
    assert (graph.weights.loc[root, leaves] == 0.0).all()
    kept = model(graph=svar(tiers=[[root], leaves])).fit(*data).channel_graph()
    assert (kept.verdict.loc[root, leaves] == "edge").all()


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


def test_notears(data, world):
    graph = model(graph=NOTEARS(n_bootstraps=3)).fit(*data).channel_graph()
    found = (graph.verdict == "edge").to_numpy()
    assert (found & world.edges).sum() >= 3
    assert isinstance(graph.weights, pd.DataFrame)
