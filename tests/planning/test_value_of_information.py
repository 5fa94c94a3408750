"""What it is worth to a plan to know more."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from skmmm._planning.information import Tables, expected_curves, value_of_signal

N_DRAWS = 500
MULTIPLES = np.linspace(0.0, 2.0, 21)


def make_problem(n_cells, *, low=0.0, high=2.0, leader=None, budget=None):
    """Return what is read of a `Problem`; every cell spends one today."""
    ends = np.full((2, n_cells), [[low], [high]])
    leader = np.arange(n_cells) if leader is None else np.array(leader)
    budget = float(n_cells) if budget is None else budget
    return SimpleNamespace(low=ends[0], high=ends[1], leader=leader, budget=budget)


def make_tables(worth):
    """Return tables of curves (E, C, N) at MULTIPLES, each channel spending one."""
    n_cells = worth.shape[1]
    grid = np.tile(MULTIPLES, (n_cells, 1))
    return Tables(grid, worth, grid - 1.0, float(n_cells))


def straight(returns):
    """Return tables of channels with constant returns, (E, C)."""
    return make_tables(returns[..., None] * (MULTIPLES - 1.0))


@pytest.fixture(scope="module")
def returns():
    """Draws of the returns of two channels; only the first is doubtful."""
    doubtful = norm.ppf((np.arange(N_DRAWS) + 0.5) / N_DRAWS, loc=1.2, scale=0.5)
    return np.column_stack([doubtful, np.ones(N_DRAWS)])


def expected_gain(mean, sd):
    """Return E|d| of a normal d: all money moves to the better of two channels."""
    return sd * 2 * norm.pdf(mean / sd) + mean * (1 - 2 * norm.cdf(-mean / sd))


@pytest.mark.parametrize("error", [0.0, 0.5, 2.0])
def test_value_is_that_of_normal_theory(returns, error):
    problem, signal = make_problem(2), returns[:, 0]
    found = value_of_signal(straight(returns), signal, error**2, problem, problem)
    sd = 0.5**2 / np.hypot(0.5, error)
    assert_allclose(found.value, expected_gain(0.2, sd) - 0.2, rtol=0.02, atol=2e-4)


def test_price_is_what_the_last_unit_earns(returns):
    signal = returns[:, 0]
    # The first is full at two.
    less, more = make_problem(2, budget=1.5), make_problem(2, budget=2.5)
    prices = [
        value_of_signal(straight(returns), signal, 1.0, one, one).price
        for one in (less, more)
    ]
    assert_allclose(prices, [1.2, 1.0], rtol=1e-3)


def test_nothing_to_decide_is_worth_nothing(returns):
    still = make_problem(2, low=1.0, high=1.0)
    found = value_of_signal(straight(returns), returns[:, 0], 0.0, still, still)
    assert_allclose([found.value, found.error], 0.0, atol=1e-12)


def test_channels_that_move_as_one_leave_nothing_to_decide(returns):
    problem = make_problem(2, leader=[0, 0])
    found = value_of_signal(straight(returns), returns[:, 0], 0.0, problem, problem)
    assert_allclose(found.value, 0.0, atol=1e-9)
    apart = make_problem(2)
    found = value_of_signal(straight(returns), returns[:, 0], 0.0, problem, apart)
    assert found.value > 0.1  # what is learned, and that they may part


def test_chance_is_taken_off():
    """A signal that tells nothing: over samples, what it seems worth is small."""
    rng, problem, values, best = np.random.default_rng(0), make_problem(3), [], []
    for _ in range(25):
        tables = straight(1.0 + 0.3 * rng.normal(size=(32, 3)))
        values.append(
            value_of_signal(tables, rng.normal(size=32), 0.0, problem, problem).value
        )
        signal = tables.worth[:, 0, -1]
        best.append(value_of_signal(tables, signal, 0.0, problem, problem).value)
    assert np.mean(values) < 0.15 * np.mean(best)
    assert np.median(values) < 0.02 * np.mean(best)


def test_curves_of_a_useless_signal_are_the_mean():
    worth = np.random.default_rng(1).normal(size=(8, 2, 3))
    found = expected_curves(worth, np.ones(8), 0.0)
    assert_allclose(found, np.broadcast_to(worth.mean(axis=0), worth.shape))


def test_error_is_that_of_other_draws():
    rng, problem = np.random.default_rng(2), make_problem(2)
    found = []
    for _ in range(60):
        draws = np.column_stack([rng.normal(1.2, 0.5, 32), np.ones(32)])
        found.append(
            value_of_signal(straight(draws), draws[:, 0], 0.1, problem, problem)
        )
    spread = np.std([one.value for one in found])
    assert 0.7 * spread < np.mean([one.error for one in found]) < 1.4 * spread


def test_best_plans_are_those_of_all_plans():
    """Concave curves of two channels: compared with every split of the budget."""
    rng = np.random.default_rng(3)
    size, half = rng.uniform(1, 3, (5, 2)), rng.uniform(0.3, 2, (5, 2))
    at = MULTIPLES / (MULTIPLES + half[..., None])
    worth = size[..., None] * (at - 1 / (1 + half[..., None]))
    plans = make_tables(worth).best(worth, make_problem(2))
    split = (worth[:, 0] + worth[:, 1, ::-1]).max(axis=1)
    assert_allclose(plans.earned(worth), split, rtol=1e-6)
