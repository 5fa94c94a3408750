"""The benchmark of counts, closed regions and differences in miniature."""

import numpy as np
import pytest

from helpers import benchmark_modules

SIZES = (2, 60, 2)


@pytest.fixture(scope="module")
def modules():
    names = "bench_counts", "bench_recovery", "problems", "preset_worlds", "world_parts"
    with benchmark_modules(*names) as modules:
        yield modules


def test_what_is_counted_closed_and_taken_off(modules):
    make = modules.bench_counts.make_counts
    panel, y, caused, is_open = make(0, 5.0, 0.0, 0.0, SIZES)
    assert is_open.all()
    assert (y % 1 == 0).all()
    assert y.mean() == pytest.approx(5.0, rel=0.15)
    whole = panel.contributions[panel.media].to_numpy()
    assert np.allclose(caused * panel.y.mean(), whole * 5.0)
    _, y, caused, is_open = make(0, np.nan, 0.3, 0.0, SIZES)
    assert 0.15 < (~is_open).mean() < 0.45
    assert not y[~is_open].any()
    assert not caused[~is_open].any()
    panel, y, caused, _ = make(0, np.nan, 0.0, 0.2, SIZES)
    assert np.allclose(caused, whole)
    assert (y < 0).mean() == pytest.approx(0.2, abs=0.02)


def test_rows_of_a_small_panel(modules):
    quick = {"graph": None, "max_iter": 3, "n_draws": 8}
    table = modules.bench_counts.run_panel(0, np.nan, 0.3, 0.0, 1, SIZES, **quick)
    assert table["channel"].tolist() == ["media_1", "media_2"]
    assert (table["zeros"] > 0.15).all()
    assert np.isfinite(table["log_error"]).all()
