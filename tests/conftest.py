"""Fixtures that several test files share."""

import os
import warnings
from pathlib import Path

# Threads only wait for each other on arrays as small as those of a test. Read when
# NumPy and PyTorch load, here and in the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import pytest

from skmmm import DeepCausalMMMRegressor
from skmmm._model import hmc
from skmmm.datasets import make_mmm_panel

# A helper that asserts, and says as much as a test where that fails.
pytest.register_assert_rewrite("command_line")

# How far draws move; a short fit spends three quarters of its time on them.
IN_FULL = {
    name: getattr(hmc, name)
    for name in ("N_MOVES", "N_WARMUP", "N_AFTER", "N_STEPS", "N_ALL_STEPS")
}
SHORT = dict.fromkeys(IN_FULL, 1) | {"N_MOVES": 0}
REAL_PANEL = Path(__file__).parents[2] / "shared" / "data" / "dma_panel.csv.gz"


@pytest.fixture(scope="session")
def panel():
    """Three regions, sixty weeks, three channels, two controls, with the truth."""
    return make_mmm_panel(3, 60, n_media=3, random_state=0)


@pytest.fixture(scope="session")
def series():
    """One region, eighty weeks, two channels, two controls, with the truth."""
    return make_mmm_panel(1, 80, n_media=2, random_state=0)


@pytest.fixture(scope="session")
def arguments():
    """Arguments for `panel` and `series` of a fit that stops early; not changed."""
    return {
        "region": "region",
        "time": "week",
        "controls": ["price", "holiday"],
        "max_lag": 5,
        "n_draws": 4,
        "max_iter": 30,
        "random_state": 0,
    }


def pytest_runtest_setup():
    """A model without `random_state` takes its seed from here: the same in each run."""
    np.random.seed(0)  # noqa: NPY002, as scikit-learn draws from it


def set_chains(patch, numbers):
    for name, value in numbers.items():
        patch.setattr(hmc, name, value)


@pytest.fixture
def fast(arguments, monkeypatch):
    """The same where the numbers do not matter: few iterations and draws, no graph."""
    set_chains(monkeypatch, SHORT)
    return arguments | {"max_iter": 10, "graph": None}


@pytest.fixture(scope="module")
def short_chains():
    """Draws cost little in all tests of a module; their numbers do not matter."""
    with pytest.MonkeyPatch.context() as patch:
        set_chains(patch, SHORT)
        yield


def fitted_to(panel, random_state):
    model = DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=panel.controls,
        max_lag=5,
        n_draws=8,
        max_iter=100,
        random_state=random_state,
    )
    with pytest.MonkeyPatch.context() as patch:
        set_chains(patch, IN_FULL)
        return model.fit(panel.X, panel.y)


@pytest.fixture(scope="session")
def fitted(panel):
    """A regressor that has seen all of `panel`; not to be changed."""
    return fitted_to(panel, random_state=2)


@pytest.fixture(scope="session")
def knowing(panel):
    """The same, by chance sure of both controls."""
    return fitted_to(panel, random_state=0)


@pytest.fixture(scope="session")
def chased(panel):
    """A regressor whose budgets all follow a demand that is no column."""
    demand = np.random.default_rng(0).normal(size=(3, 60))
    demand[:, 1:] += demand[:, :-1]
    spend = panel.X[panel.media] * np.exp(2.0 * demand.reshape(-1, 1))
    model = DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=panel.controls,
        max_lag=3,
        n_draws=0,
        max_iter=10,
        graph=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        # Of a short fit, and of spend that moves with the KPI by chance.
        warnings.simplefilter("ignore")
        return model.fit(panel.X.assign(**spend), panel.y)


@pytest.fixture
def pyplot():
    """Matplotlib without a window; figures are closed afterwards."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="session")
def dma_panel():
    """Real panel of 190 regions and 109 weeks, which is not part of the package."""
    if not REAL_PANEL.exists():
        pytest.skip("the real panel of 190 regions is not on this machine")
    frame = pd.read_csv(REAL_PANEL)
    media = [c for c in frame if c.startswith("impressions")]
    controls = [c for c in frame if c.startswith("control")]
    numbers = dict.fromkeys([*media, *controls], np.float64)
    return frame.astype(numbers), media, controls
