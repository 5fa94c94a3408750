"""The budget benchmark in miniature: best plans, regret, rivals on known curves."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from helpers import benchmark_modules
from skmmm.datasets import make_mmm_panel

LOW, HIGH = 0.5, 2.0
PANELS = ["national", "panel_weibull", "panel_s"]
REGIONS = ["funnel_regions", "funnel_regions_much_tv"]
FUNNELS = ["funnel", "funnel_much_tv", "funnel_little_tv", *REGIONS]


@pytest.fixture(scope="module")
def modules():
    """The benchmark's own modules, importable from each other while these tests run."""
    names = ["bench_plan", "bench_recovery", "plan_worlds", "problems"]
    names += ["preset_worlds", "world_parts"]
    with benchmark_modules(*names) as modules:
        yield modules


@pytest.fixture(scope="module")
def world(modules):
    """Make each world once."""
    made = {}

    def get(name, seed=12):
        if (name, seed) not in made:
            made[name, seed] = modules.plan_worlds.make_plan_world(name, seed)
        return made[name, seed]

    return get


# --- the best plan -------------------------------------------------------------------


def test_steps_are_split_as_by_trying_all(modules):
    values = np.random.default_rng(0).normal(size=(3, 6))
    values[1, 4:] = -np.inf  # no more than three steps for this channel
    steps = modules.plan_worlds._most(values, 8)
    ways = [w for w in np.ndindex(6, 6, 6) if sum(w) == 8]
    worth = [values[range(3), w].sum() for w in ways]
    assert tuple(steps) == ways[int(np.argmax(worth))]


@pytest.mark.parametrize("name", PANELS)
def test_no_other_method_finds_a_better_plan(world, name):
    world = world(name)
    spend = world.problem.X[world.problem.roles["media"]].sum().to_numpy()
    share, best = spend / spend.sum(), world.caused(world.best)
    assert_allclose(share @ world.best, 1)
    assert (world.best >= LOW).all()
    assert (world.best <= HIGH).all()

    # From below: local searches from many starts.
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(8):
        found = minimize(
            lambda f: -world.caused(f) / best,
            rng.uniform(LOW, HIGH, len(spend)),
            bounds=[(LOW, HIGH)] * len(spend),
            constraints={"type": "eq", "fun": lambda f: share @ f - 1},
            method="SLSQP",
        )
        if abs(share @ found.x - 1) < 1e-6:
            reached.append(-found.fun)
    assert max(reached) == pytest.approx(1, abs=1e-4)
    assert max(reached) < 1 + 1e-6

    # From above: whatever a unit of money is worth, what is best at that price, plus
    # the worth of the budget, bounds every plan.
    factors = np.linspace(LOW, HIGH, 301)
    table = np.stack([world.known(np.full(len(spend), f)) for f in factors])
    prices = np.linspace(0, 3, 301)[:, None, None] * best / spend.sum()
    profit = table - prices * factors[:, None] * spend
    dual = profit.max(axis=1).sum(axis=1) + prices[:, 0, 0] * spend.sum()
    assert best < dual.min() * (1 + 1e-4)
    if name == "national":
        assert best > dual.min() * 0.999


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_is_far_from_its_best_budget(modules, world, name):
    today, problem = world(name), world(name).problem
    options = modules.plan_worlds.PANELS[name]
    original = make_mmm_panel(**options, random_state=problem.seed)
    pd.testing.assert_frame_equal(problem.X, original.X)
    noise = original.y - original.expected
    media = problem.truth.sum(axis=1)
    other = original.contributions.drop(columns=original.media).sum(axis=1)
    assert_allclose(problem.y, other + media + noise)
    assert_allclose(media.sum() / (other + media).sum(), 0.3)
    assert_allclose(media.sum(), today.today)
    assert today.available >= 0.05
    assert today.regret(today.best) == pytest.approx(0, abs=1e-9)
    assert today.regret(np.ones(len(problem.truth.columns))) == pytest.approx(1)


def test_plans_are_compared_at_the_same_spend(world):
    world = world("national")
    half = np.full(5, 0.5)
    assert world.spent(half) == pytest.approx(0.5)
    assert_allclose(world.executed(half), 1.0)
    assert world.gain(half) == pytest.approx(0, abs=1e-9)
    assert_allclose(world.executed(world.best), world.best)


# --- the funnel ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNNELS)
def test_a_funnel_is_as_it_was_made(modules, world, name):
    world = world(name)
    problem = world.problem
    assert problem.name == name
    ones = np.ones(2)
    assert_allclose(world.money(ones), problem.X[["tv", "search"]].sum().sum())
    assert_allclose(world.caused(ones), problem.truth.sum().sum())
    assert_allclose(world.known(ones), problem.truth.sum())
    if name == "funnel":
        again = modules.problems.make_funnel(12)
        pd.testing.assert_frame_equal(problem.X, again.X)
        assert_allclose(problem.y, again.y)


def test_regions_are_single_funnels(modules, world):
    problem = world("funnel_regions").problem
    X, roles = problem.X, problem.roles
    assert (problem.seed, roles["region"], X["region"].nunique()) == (12, "region", 12)
    assert not X.duplicated(["week", "region"]).any()
    for r, (_, rows) in enumerate(X.groupby("region")):
        single = modules.problems.make_funnel(12_000 + r)
        for column in single.X:
            assert (rows[column].to_numpy() == single.X[column].to_numpy()).all()
        assert_allclose(problem.y[rows.index], single.y)
        assert_allclose(problem.truth.loc[rows.index], single.truth)
        assert_allclose(problem.total_truth.loc[rows.index], single.total_truth)


def test_television_brings_search_and_its_costs(modules, world):
    world = world("funnel")
    tv, search = world.problem.X["tv"].to_numpy(), world.problem.X["search"].sum()
    decay = modules.problems.DECAY[0] ** np.arange(8)
    carried = np.convolve(tv, decay / decay.sum())[: len(tv)].sum()
    # Search is planned as if television stayed; the rest comes on top.
    assert_allclose(world.money(np.array([1.0, 1.2])), tv.sum() + 1.2 * search)
    planned = 1.5 * tv.sum() + 0.8 * search
    assert_allclose(world.money(np.array([1.5, 0.8])), planned + 0.45 * 0.5 * carried)
    # Sales: what television causes without any is its total truth.
    without = world.caused(np.array([0.0, 1.0]))
    lost = world.problem.total_truth["tv"].sum()
    assert_allclose(world.today - without, lost)


@pytest.mark.parametrize("name", FUNNELS)
def test_no_plan_of_the_funnel_is_better(world, name):
    world = world(name)
    assert world.spent(world.best) == pytest.approx(1)
    assert world.available > 0
    # Plans of two channels at the same cost differ by one ratio.
    ratio, tried = world.best[0] / world.best[1], 0
    for change in (0.6, 0.8, 0.9, 0.97, 0.99, 1.01, 1.03, 1.1, 1.25, 1.6):
        factors = np.array([change * ratio, 1.0])
        executed = world.executed(factors)
        if (executed >= LOW).all() and (executed <= HIGH).all():
            assert world.spent(executed) == pytest.approx(1)
            assert world.regret(factors) > -1e-9
            tried += 1
    assert tried >= 5


# --- rivals --------------------------------------------------------------------------


@pytest.fixture
def with_curves(modules, monkeypatch):
    """A task whose model has the given curves; four channels that cost the same."""

    def make(curves):
        monkeypatch.setattr(modules.bench_plan, "mean_curves", lambda model: curves)
        X = pd.DataFrame({"week": np.arange(50)})
        return SimpleNamespace(
            skmmm=None,
            spend=np.full(4, 1e5),
            problem=SimpleNamespace(X=X, roles={"time": "week"}),
        )

    return make


SIZE = np.array([3.0, 3.5, 4.0, 2.5])


def roots(x, order=0):
    return 1e3 * SIZE * (np.sqrt(x) if order == 0 else 0.5 / np.sqrt(x))


def s_curves(x, order=0):
    power = x**4
    if order == 0:
        return 1e3 * SIZE * power / (1 + power)
    return 1e3 * SIZE * 4 * x**3 / (1 + power) ** 2


@pytest.mark.parametrize("scaled", [False, True])
def test_slsqp_finds_the_top_of_concave_curves(modules, with_curves, scaled):
    factors, _ = modules.bench_plan.plan_slsqp(with_curves(roots), scaled=scaled)
    # Marginal returns are equal where spend goes with the square of size.
    assert_allclose(factors, 4 * SIZE**2 / (SIZE**2).sum(), rtol=2e-3)


def test_the_grid_finds_the_top_of_concave_curves(modules, with_curves):
    factors, _ = modules.bench_plan.plan_grid(with_curves(roots))
    assert_allclose(factors, 4 * SIZE**2 / (SIZE**2).sum(), atol=1e-3)
    assert factors.sum() == pytest.approx(4, abs=1e-3)


def test_the_grid_jumps_over_thresholds(modules, with_curves):
    factors, _ = modules.bench_plan.plan_grid(with_curves(s_curves))
    best = modules.plan_worlds.best_split(s_curves, np.full(4, 1e5))
    assert factors.sum() <= 4 + 1e-9
    assert s_curves(factors).sum() <= s_curves(best).sum() * (1 + 1e-9)
    assert factors[2] > 1 > factors[3]


def test_a_solver_that_gives_up_is_an_error(modules, with_curves, monkeypatch):
    failed = SimpleNamespace(success=False, message="no way down")
    monkeypatch.setattr(modules.bench_plan, "minimize", lambda *args, **more: failed)
    with pytest.raises(RuntimeError, match="no way down"):
        modules.bench_plan.plan_slsqp(with_curves(roots))


# --- the run -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(modules, short_chains):
    """A run over a `national` made small, by contender; one model for all."""
    sizes = {"n_regions": 1, "n_periods": 70, "n_media": 2}
    asked = ["skmmm", "SLSQP, scaled", "grid", "linear MMM", "direct effects known"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(modules.plan_worlds.PANELS, "national", sizes)
        rows = modules.bench_plan.run_problem("national", 12, asked)
    assert [row["contender"] for row in rows] == asked[:-1]  # no funnel here
    return {row["contender"]: row for row in rows}


def test_contenders_are_scored(modules, rows):
    for row in rows.values():
        assert "error" not in row
        assert set(row) <= set(modules.bench_plan.COLUMNS)
        assert row["regret"] >= -1e-6
        assert row["gain"] == pytest.approx((1 - row["regret"]) * row["available"])
        assert row["better_than_today"] == (row["gain"] > 0)
        assert row["spent"] == pytest.approx(1, abs=1e-3)
    # Both maximise the same curves.
    scaled, grid = rows["SLSQP, scaled"], rows["grid"]
    assert scaled["promised"] > 0
    assert grid["promised"] > 0
    assert scaled["model_outcome"] == pytest.approx(grid["model_outcome"], rel=1e-4)


def test_our_own_plans_are_scored(rows):
    ours, grid = rows["skmmm"], rows["grid"]
    assert ours["model_outcome"] == pytest.approx(grid["model_outcome"], rel=1e-2)
    assert 0 <= ours["probability_better"] <= 1
    assert rows["linear MMM"]["spent"] == pytest.approx(1)


@pytest.mark.usefixtures("short_chains")
def test_a_funnel_is_planned_for_total_effects(modules):
    ours = ["skmmm", "skmmm, total effects", "direct effects known"]
    rows = modules.bench_plan.run_problem("funnel_much_tv", 12, ours)
    assert not [row["error"] for row in rows if "error" in row]
    assert rows[2]["regret"] > 0.2  # of who knows all but that search follows


def test_a_failure_is_a_row(modules, world, monkeypatch):
    def fail(task):
        raise ValueError("no plan\nno details")

    bench = modules.bench_plan
    monkeypatch.setitem(bench.CONTENDERS, "grid", (fail, None))
    row = bench.run_contender("grid", bench.Task(world("funnel")))
    assert row == {"error": "ValueError: no plan"}


def test_summary_by_hand(modules):
    keys = {"world": "panel", "contender": "grid"}
    rows = [
        keys | {"seed": seed, "regret": regret, "better_than_today": better}
        for seed, regret, better in [(300, 0.1, 1), (301, 0.3, 1), (302, 1.5, 0)]
    ]
    rows.append(keys | {"seed": 303, "error": "RuntimeError: no way down"})
    table = pd.DataFrame(rows, columns=modules.bench_plan.COLUMNS)
    line = modules.bench_plan.summarise(table).loc[("panel", "grid")]
    assert (line["seeds"], line["failed"], line["regret"]) == (4, 1, 0.3)
    assert line["better"] == pytest.approx(2 / 3)
