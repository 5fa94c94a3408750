"""The benchmark of misfit in miniature."""

import pytest

from helpers import benchmark_modules
from skmmm._model.priors import MISFIT


@pytest.fixture(scope="module")
def modules():
    names = "bench_misfit", "bench_recovery", "problems", "preset_worlds", "world_parts"
    with benchmark_modules(*names) as modules:
        yield modules


def test_no_interval_is_surer_than_the_equations(modules):
    table = modules.bench_misfit.run_panel(
        *(0, (2, 80, 2)), options={"graph": None, "max_iter": 60}
    )
    assert table["channel"].tolist() == ["media_1", "media_2"]
    # Of 32 draws a standard deviation of .05 is seldom below .035.
    assert (table["log_sd"] > 0.7 * MISFIT).all()
    assert table["log_error"].abs().max() < 0.5
    assert table["dark"].between(0.0, 1.0).all()
