"""Search of the channel graph: exact where it says so, and what it is adjusted for."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from channel_worlds import has_cycle
from skmmm.graph import _search as search_module
from skmmm.graph._estimate import fit_channel_graph
from skmmm.graph._features import make_features, partial_out
from skmmm.graph._notears import search_notears
from skmmm.graph._rules import Rules, make_rules
from skmmm.graph._search import (
    _best_order,
    _good_order,
    _solve,
    _Table,
    edge_penalties,
    find_candidates,
    search,
)
from skmmm.graph._spend import spend_units


def free(n_media, min_effect=0.005):
    """Rules that rule out nothing."""
    return Rules(
        ~np.eye(n_media, dtype=bool), np.zeros((n_media, n_media), bool), min_effect
    )


def tangle(seed, n_media=5, n_rows=(6, 50)):
    """Features of channels that move together in many directions."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(n_media) + rng.normal(0.0, 0.25, (n_media, n_media))
    noise = rng.standard_normal((*n_rows, n_media)) @ mixing
    late = rng.normal(0.0, 0.15, (n_media, n_media)) + 0.3 * np.eye(n_media)
    u = np.zeros_like(noise)
    for t in range(1, n_rows[1]):
        u[:, t] = u[:, t - 1] @ late + noise[:, t]
    controls = np.zeros((*n_rows, 0))
    observed = np.ones(n_rows, dtype=bool)
    return make_features([u], controls, observed, np.ones((n_rows[1], 1)), 1)


def problem(features, rules):
    gram = features.gram(np.zeros(features.rows.shape, dtype=int), 1)[0]
    arguments = gram, features.n_rows, features.layout, rules
    return (*arguments, find_candidates(*arguments))


def local_scores(features, rules):
    *arguments, candidates = problem(features, rules)
    return [
        _Table.of(*arguments, j, candidates) for j in range(features.layout.n_media)
    ]


def cost(tables, order):
    """Score of an order: every channel with its best set among those before it."""
    total = 0.0
    for place, j in enumerate(order):
        late = ~np.isin(tables[j].candidates, order[:place])
        possible = ~tables[j].members[:, late].any(axis=1)
        total += tables[j].score[possible].min()
    return total


def fit(media, rules=None, *, observed=None, n_bootstraps=4, **arguments):
    """A channel graph without season or controls."""
    n_regions, n_periods, n_media = media.shape
    return fit_channel_graph(
        media,
        np.zeros((n_regions, n_periods, 0)),
        np.ones((n_regions, n_periods), bool) if observed is None else observed,
        np.zeros((0, n_periods)),
        free(n_media) if rules is None else rules,
        n_lags=2,
        n_bootstraps=n_bootstraps,
        rng=np.random.RandomState(0),
        **arguments,
    )


# --- orders -------------------------------------------------------------------------


@pytest.mark.parametrize("n_media", [4, 5])
@pytest.mark.parametrize("seed", range(4))
def test_exact_order_is_the_best_of_all(seed, n_media):
    tables = local_scores(tangle(seed, n_media), free(n_media))
    scores = [
        cost(tables, np.array(order))
        for order in itertools.permutations(range(n_media))
    ]
    assert max(scores) > min(scores) + 1.0
    assert_allclose(cost(tables, _best_order(tables)), min(scores), rtol=1e-12)


def test_moving_single_channels_mostly_finds_the_best_order_and_never_a_better_one():
    gaps = []
    for seed in range(20):
        tables = local_scores(tangle(seed, 7), free(7))
        best, good = _best_order(tables), _good_order(tables)
        assert sorted(good) == list(range(7))
        gaps.append(cost(tables, good) - cost(tables, best))
    assert min(gaps) > -1e-8
    assert np.mean(np.array(gaps) < 1e-8) >= 0.8


def test_local_scores_are_those_of_regressions():
    features, rules = tangle(0), free(5)
    layout, n_rows = features.layout, features.n_rows
    flat = features.values.reshape(-1, features.values.shape[2])
    one, several = edge_penalties(n_rows, layout, rules)
    n_checked = 0
    for j, table in enumerate(local_scores(features, rules)):
        for members, late, score in zip(
            table.members, table.late, table.score, strict=True
        ):
            columns = [
                *layout.late[j],
                *layout.same[table.candidates[members]],
                *layout.late[table.others[late]].ravel(),
            ]
            target = flat[:, layout.same[j]]
            coef = np.linalg.lstsq(flat[:, columns], target, rcond=None)[0]
            rss = ((target - flat[:, columns] @ coef) ** 2).sum()
            expected = n_rows * np.log(rss) + one * members.sum() + several * late.sum()
            assert_allclose(score, expected, atol=1e-4)
            n_checked += 1
    assert n_checked > 20


@pytest.mark.parametrize("most", [search_module.MAX_EXACT, 2])
def test_structure_is_the_one_of_its_scores(monkeypatch, most):
    monkeypatch.setattr(search_module, "MAX_EXACT", most)
    features, rules = tangle(3), free(5)
    structure = search(*problem(features, rules))
    total = 0.0
    for j, table in enumerate(local_scores(features, rules)):
        members = structure.same[table.candidates, j]
        late = structure.late[table.others, j]
        row = (table.members == members).all(axis=1)
        assert_array_equal(table.late[row], [late])
        assert structure.same[:, j].sum() == members.sum()
        assert structure.late[:, j].sum() == late.sum()
        total += table.score[row][0]
    order = _best_order(local_scores(features, rules))
    assert_allclose(total, cost(local_scores(features, rules), order))


@pytest.mark.parametrize("most", [search_module.MAX_EXACT, 2])
@pytest.mark.parametrize("seed", range(5))
def test_no_cycles_within_the_period(monkeypatch, seed, most):
    monkeypatch.setattr(search_module, "MAX_EXACT", most)
    structure = search(*problem(tangle(seed, 6), free(6)))
    assert structure.same.sum() > 3
    assert not has_cycle(structure.same)


def test_finds_what_drives_what_within_the_period_and_later(worlds):
    world = worlds.make_graph_world("gauss", 30, 0, n_channels=6, n_weeks=60, n_edges=5)
    graph = fit(world.spend)
    assert_array_equal(graph.edges, world.edges)
    assert_array_equal(graph.same != 0, world.same_week != 0)
    right = np.sign(graph.weight) == np.sign(world.same_week + world.lagged)
    assert right.all()


def test_channels_that_do_not_drive_each_other(worlds):
    world = worlds.make_graph_world("null", 30, 0, n_channels=6, n_weeks=60)
    graph = fit(world.spend)
    assert not graph.edges.any()
    assert_array_equal(graph.weight, 0.0)


@pytest.mark.parametrize("name", ["gauss", "hetero", "hill"])
def test_the_order_of_channels_does_not_matter(worlds, name):
    world = worlds.make_graph_world(name, 15, 1, n_channels=6, n_weeks=60, n_edges=6)
    order = np.array([4, 0, 5, 2, 1, 3])
    graph, moved = fit(world.spend), fit(world.spend[..., order])
    assert graph.edges.any()
    both = np.ix_(order, order)
    assert_array_equal(moved.verdict, graph.verdict[both])
    assert_array_equal(moved.link, graph.link[order])
    assert_allclose(moved.probability, graph.probability[both])
    assert_allclose(moved.weight, graph.weight[both], atol=1e-7)
    assert_allclose(moved.absorbed, graph.absorbed[order], atol=1e-9)
    expected = graph.draws.at(slice(None), order)
    for part in ("unit", "centre", "width", "straight", "same", "late", "own"):
        assert_allclose(
            getattr(moved.draws, part), getattr(expected, part), rtol=1e-6, atol=1e-7
        )


def test_the_currency_does_not_matter(worlds):
    world = worlds.make_graph_world("gauss", 8, 1, n_channels=5, n_weeks=80, n_edges=4)
    graph, scaled = fit(world.spend), fit(1000.0 * world.spend)
    assert graph.edges.any()
    assert_array_equal(scaled.verdict, graph.verdict)
    assert_allclose(scaled.weight, graph.weight, atol=1e-8)
    assert_allclose(scaled.equations.unit, 1000.0 * graph.equations.unit)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("link", ["logarithmic", "saturating", "proportional"])
def test_how_a_channel_drives_its_child(link, late):
    """The coefficient is found with the curve, in the same period or the next."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 61, 3))
    for t in range(1, 61):  # who leads within a period is seen from persistence
        x[:, t] += 0.5 * x[:, t - 1]
    if link == "proportional":
        spend = np.exp(0.7 * x[..., 0])
        drive = spend / spend.mean(axis=1, keepdims=True)
        x[..., 0] = np.log(spend)
    elif link == "saturating":
        x[..., 0] *= 2.0
        drive = 2.0 * np.tanh(x[..., 0] / 2.0)
    else:
        drive = x[..., 0]
    x[:, 1:, 1] += 0.6 * (drive[:, :-1] if late else drive[:, 1:])
    graph = fit(np.exp(x))
    assert graph.link[0] == link
    truth = np.zeros((3, 3), dtype=bool)
    truth[0, 1] = True
    assert_array_equal(graph.edges, truth)
    equations = graph.equations
    weight = equations.late[0, 0, 1, 0] if late else equations.same[0, 0, 1]
    assert_allclose(weight, 0.6, atol=0.08)


def test_notears_as_the_search(worlds):
    world = worlds.make_graph_world("gauss", 20, 0, n_channels=5, n_weeks=60, n_edges=4)
    graph = fit(world.spend, n_bootstraps=2, find=search_notears)
    assert not has_cycle(graph.same != 0)
    found = graph.edges[~np.eye(5, dtype=bool)]
    truth = world.edges[~np.eye(5, dtype=bool)]
    assert (found & truth).sum() >= 3
    assert (found & ~truth).sum() <= 2


# --- what channels share ------------------------------------------------------------


def test_partial_out_is_regression_on_dummies():
    rng = np.random.default_rng(0)
    rows = rng.random((9, 12)) < 0.8
    rows[:, 3] = False
    rows[4] = False
    values = rng.standard_normal((9, 12, 2))
    terms = np.column_stack([np.ones(12), np.linspace(-1.0, 1.0, 12)])
    region, period = np.nonzero(rows)
    by_region = np.eye(9)[region][:, :, None] * terms[period][:, None]
    dummies = np.column_stack([by_region.reshape(len(region), -1), np.eye(12)[period]])
    coef = np.linalg.lstsq(dummies, values[rows], rcond=None)[0]
    adjusted = partial_out(values, rows, terms)
    assert_allclose(adjusted[rows], values[rows] - dummies @ coef, atol=1e-7)
    assert_array_equal(adjusted[~rows], 0.0)


def test_a_single_region_keeps_what_moves_it_over_time():
    rng = np.random.default_rng(0)
    rows = np.zeros((3, 20), dtype=bool)
    rows[1] = True
    values = rng.standard_normal((3, 20, 2))
    adjusted = partial_out(values, rows, np.ones((20, 1)))
    assert_allclose(adjusted[1], values[1] - values[1].mean(axis=0), atol=1e-12)
    alone = partial_out(values, np.ones((3, 20), bool), np.ones((20, 1)), weeks=False)
    assert_allclose(alone, values - values.mean(axis=1, keepdims=True), atol=1e-12)


def test_movements_to_which_regions_answer_differently(worlds):
    sizes = {"n_channels": 6, "n_weeks": 60, "n_edges": 5}
    alike = fit(worlds.make_graph_world("gauss", 30, 0, **sizes).spend)
    apart = worlds.make_graph_world("hetero", 30, 0, **sizes)
    graph = fit(apart.spend)
    assert alike.n_factors == 0
    assert graph.n_factors == 1
    assert_array_equal(graph.edges, apart.edges)


def test_hidden_local_demand(worlds):
    sizes = {"n_channels": 10, "n_weeks": 104, "n_edges": 10}
    plain = fit(worlds.make_graph_world("gauss", 30, 1, **sizes).spend, n_bootstraps=2)
    assert not plain.hidden_demand
    world = worlds.make_graph_world("localconf", 30, 1, **sizes)
    graph = fit(world.spend, n_bootstraps=2)
    assert graph.hidden_demand
    assert_array_equal(graph.edges, world.edges)


def test_hidden_local_demand_is_no_edge(worlds):
    world = worlds.make_graph_world(
        "localconf", 30, 0, n_channels=8, n_weeks=60, n_edges=0
    )
    graph = fit(world.spend, n_bootstraps=2)
    assert graph.hidden_demand
    assert not graph.edges.any()


# --- scale of spend -----------------------------------------------------------------


def spending(seed=0, shape=(12, 80, 3)):
    """Innovations with persistence, within regions of different size."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0.0, 1.0, (shape[0], 1, shape[2])))
    noise = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        noise[:, t] += 0.4 * noise[:, t - 1]
    return size, noise


def units(media):
    """Units in medians of spend."""
    observed = np.ones(media.shape[:2], dtype=bool)
    unit = spend_units(media, observed, np.ones((media.shape[1], 1)))
    return unit / np.median(media, axis=1)


def test_spend_that_moves_by_factors_has_a_small_unit():
    size, noise = spending()
    assert (units(size * np.exp(noise)) < 0.02).all()


def test_spend_that_moves_by_sums_has_a_large_unit():
    size, noise = spending()
    assert (units(size * np.maximum(5.0 + noise, 0.01)) > 2.5).all()


def test_units_are_chosen_channel_by_channel():
    size, noise = spending()
    media = size * np.exp(noise)
    media[..., 1] = (size * np.maximum(5.0 + noise, 0.01))[..., 1]
    unit = units(media).mean(axis=0)
    assert unit[0] < 0.02
    assert unit[1] > 2.5
    assert unit[2] < 0.02


def test_units_follow_the_currency_and_are_positive_without_spend():
    size, noise = spending()
    media = size * np.exp(noise)
    media[:, :, 2] = 0.0
    media[3, :, 1] = 0.0
    observed = np.ones(media.shape[:2], dtype=bool)
    terms = np.ones((media.shape[1], 1))
    unit = spend_units(media, observed, terms)
    assert (unit > 0).all()
    assert_allclose(
        spend_units(100.0 * media, observed, terms)[:, :2], 100 * unit[:, :2]
    )


# --- rules --------------------------------------------------------------------------

MEDIA = ["tv", "social", "search"]


def rules_of(**arguments):
    def position(key, role):
        if key not in MEDIA:
            raise ValueError(f"{role} names {key!r}, which is no channel.")
        return MEDIA.index(key)

    nothing = {"forbidden": None, "required": None, "tiers": None, "min_effect": 0.01}
    return make_rules(MEDIA, position, **(nothing | arguments))


def pairs_of(matrix):
    return {(MEDIA[i], MEDIA[j]) for i, j in zip(*np.nonzero(matrix), strict=True)}


def test_without_rules_everything_but_itself_is_allowed():
    rules = rules_of()
    assert_array_equal(rules.allowed, ~np.eye(3, dtype=bool))
    assert not rules.required.any()
    assert rules.min_effect == 0.01


def test_forbidden_and_required():
    rules = rules_of(
        forbidden=[("search", "tv")], required=(("tv", "search"), ["tv", "social"])
    )
    assert pairs_of(~rules.allowed & ~np.eye(3, dtype=bool)) == {("search", "tv")}
    assert pairs_of(rules.required) == {("tv", "search"), ("tv", "social")}


@pytest.mark.parametrize(
    ("tiers", "forbidden"),
    [
        pytest.param(
            [["tv"], ["social"], ["search"]],
            {("social", "tv"), ("search", "tv"), ("search", "social")},
            id="funnel",
        ),
        pytest.param(
            [["tv", "social"], "search"],
            {("search", "tv"), ("search", "social")},
            id="within a tier both ways",
        ),
        pytest.param([["search"], ["tv"]], {("tv", "search")}, id="unnamed anywhere"),
        pytest.param([], set(), id="none"),
    ],
)
def test_later_tiers_do_not_drive_earlier_ones(tiers, forbidden):
    rules = rules_of(tiers=tiers)
    assert pairs_of(~rules.allowed & ~np.eye(3, dtype=bool)) == forbidden


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forbidden": [("tv", "radio")]}, "forbidden_edges names 'radio'"),
        ({"required": [("radio", "tv")]}, "required_edges names 'radio'"),
        ({"tiers": [["tv"], ["radio"]]}, "tiers names 'radio'"),
        ({"forbidden": ["tv"]}, "forbidden_edges has 'tv', which is not a pair"),
        ({"required": [("tv", "social", "search")]}, "required_edges .* not a pair"),
        ({"forbidden": [3]}, "forbidden_edges has 3, which is not a pair"),
        ({"forbidden": [("tv", "tv")]}, "forbidden_edges .* cannot drive itself"),
        ({"required": [("tv", "tv")]}, "required_edges .* cannot drive itself"),
        (
            {"required": [("tv", "search")], "forbidden": [("tv", "search")]},
            r"required_edges has \('tv', 'search'\), which forbidden_edges or tiers",
        ),
        (
            {"required": [("search", "tv")], "tiers": [["tv"], ["search"]]},
            r"required_edges has \('search', 'tv'\), which forbidden_edges or tiers",
        ),
        ({"tiers": [["tv"], ["tv", "search"]]}, "tiers names the column 'tv' twice"),
    ],
)
def test_rules_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        rules_of(**arguments)


def test_rules_are_obeyed(worlds):
    world = worlds.make_graph_world("gauss", 20, 0, n_channels=5, n_weeks=60, n_edges=4)
    parent, child = np.argwhere(world.edges)[0]
    apart = np.argwhere(~(world.edges | world.edges.T | np.eye(5, dtype=bool)))[0]
    rules = free(5)
    rules.allowed[parent, child] = False
    rules.required[tuple(apart)] = True
    graph = fit(world.spend, rules)
    assert graph.verdict[parent, child] == "no edge"
    assert graph.weight[parent, child] == 0.0
    assert graph.verdict[tuple(apart)] == "edge"
    assert graph.weight[tuple(apart)] != 0.0


def test_blocks_that_are_singular_but_for_rounding_are_solved():
    same = [[1.0, 1.0], [1.0, 1.0]]
    noise = [[1e-13, -71.0], [71.0, 1e-13]]
    fine = [[2.0, 0.0], [0.0, 4.0]]
    right = np.array([[[1.0], [1.0]], [[3.0], [5.0]], [[2.0], [4.0]]])
    solved = _solve(np.array([same, noise, fine]), right)
    assert_allclose(solved, [[[0.5], [0.5]], [[0.0], [0.0]], [[1.0], [1.0]]])
