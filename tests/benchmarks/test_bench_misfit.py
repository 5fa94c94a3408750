"""The benchmark of misfit in miniature."""

import pytest

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def modules():
    names = "bench_misfit", "bench_recovery", "problems", "preset_worlds", "world_parts"
    with benchmark_modules(*names) as modules:
        yield modules


def test_rows_of_a_small_panel(modules):
    table = modules.bench_misfit.run_panel(
        *(0, (2, 80, 2)), options={"graph": None, "max_iter": 60}
    )
    assert table["channel"].tolist() == ["media_1", "media_2"]
    assert table["log_error"].abs().max() < 0.5
    inside = (table["log_error"].abs() < 1.645 * table["log_sd"]).to_numpy()
    # The bounds need not lie around the point.
    assert (inside == table["holds"].astype(bool)).mean() >= 0.5
    assert table["dark"].between(0.0, 1.0).all()
