"""The benchmark of brand channels: its truth adds up to the KPI it makes."""

import numpy as np
import pytest

from helpers import benchmark_modules
from skmmm.datasets import make_mmm_panel


@pytest.fixture(scope="module")
def bench():
    """The benchmark, importable while these tests run."""
    with benchmark_modules("bench_brand", "bench_recovery") as modules:
        yield modules.bench_brand


def test_a_stock_loses_nothing(bench):
    inflow = np.zeros((400, 2))
    inflow[:3] = 2.0
    np.testing.assert_allclose(bench.fade(inflow, 0.9).sum(axis=0), 6.0)


def test_short_effects_are_those_of_the_panel(bench):
    X, y, roles, brand, truth, _ = bench.make_world(0.0, 0)
    whole = make_mmm_panel(8, 260, n_media=4, random_state=0)
    np.testing.assert_allclose(y, whole.y[-len(X) :])
    late = whole.contributions[-len(X) :]
    for channel in roles["media"]:
        np.testing.assert_allclose(truth[channel]["short"], late[channel].sum())
        assert truth[channel]["long"] == 0.0
    assert set(brand) < set(roles["media"])


def test_what_goes_in_comes_out_or_is_to_come(bench):
    short, *_ = bench.make_world(0.0, 0)[4:]
    half, *_ = bench.make_world(0.5, 0)[4:]
    for channel in ("media_1", "media_3"):
        parts = half[channel]["long"] + half[channel]["to_come"]
        np.testing.assert_allclose(parts, half[channel]["short"])
        np.testing.assert_allclose(2 * half[channel]["short"], short[channel]["short"])
    assert half["media_2"] == short["media_2"]
