"""The benchmark of steps around a plan in miniature: designs, and what they tell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    """The benchmark, importable while these tests run."""
    names = ["bench_policy_steps", "bench_policy", "bench_recovery", "problems"]
    names += ["preset_worlds", "shape_oracle", "world_parts"]
    with benchmark_modules(*names) as modules:
        yield modules.bench_policy_steps


@pytest.fixture
def wave(bench):
    """A plan of thirteen even weeks for six regions and two channels."""
    money = np.random.default_rng(0).uniform(1.0, 3.0, (6, 2))
    X = pd.DataFrame(np.tile(money, (13, 1)), columns=["tv", "search"])
    return bench.Wave(
        None, X, SimpleNamespace(X=X), list(X), 6, np.random.default_rng(1)
    )


def spent(wave, X):
    return X[wave.media].to_numpy().reshape(13, 6, 2)


def test_steps_over_weeks_leave_what_cells_spend(bench, wave):
    stepped = spent(wave, bench.over_weeks(wave, 0.2))
    assert_allclose(stepped.sum(axis=0), wave.spend.sum(axis=0))
    moved = stepped / wave.spend - 1.0
    assert_allclose((moved**2).mean(axis=0), 0.04)
    # Blocks are of three weeks and one of four: nearly orthogonal in each region.
    between = (moved[..., 0] * moved[..., 1]).mean(axis=0) / 0.04
    assert np.abs(between).max() < 0.1


def test_groups_leave_what_channels_spend(bench, wave):
    X, told = bench.groups(wave)
    stepped = spent(wave, X)
    assert_allclose(stepped.sum(axis=(0, 1)), wave.spend.sum(axis=(0, 1)))
    up = (stepped > wave.spend)[0]
    assert (up.sum(axis=0) == 3).all()
    assert 0.1 <= told["step"] < 0.15


def local(bench, covariance):
    """Two cells of one region: curvatures 2 and 8, a unit of each costs the same."""
    price = np.array([1.0, 1.0]) / np.sqrt([2.0, 8.0])
    return bench.Local(
        free=np.arange(2),
        covariance=covariance,
        curvature=np.array([2.0, 8.0]),
        projection=np.eye(2) - np.outer(price, price) / (price @ price),
        noise=np.ones(2),
        region=np.zeros(2, dtype=int),
        outcome=10.0,
    )


def test_expected_regret_is_what_the_best_plan_gains(bench):
    """On the line of plans that cost the same, by hand: 1/2 (g_1 - g_2)^2 / (2 + 8)."""
    one = local(bench, np.diag([3.0, 4.0]))
    assert one.expected == pytest.approx(0.5 * 7.0 / 10.0 / 10.0)


def test_gain_is_the_fall_of_expected_regret(bench):
    covariance = np.array([[3.0, 1.0], [1.0, 4.0]])
    seen, noise = np.array([[0.5, -0.2]]), np.array([0.7])
    one = local(bench, covariance)
    known = np.linalg.inv(np.linalg.inv(covariance) + seen.T @ seen / noise)
    fall = one.expected - local(bench, known).expected
    assert one.gain(seen, noise) == pytest.approx(10.0 * fall)
    assert one.gain(np.zeros((1, 2)), noise) == 0.0
