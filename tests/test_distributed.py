"""Fits on several processes: the same model, and no process left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import AfterIterations
from skmmm import DeepCausalMMMRegressor
from skmmm._model import hmc, workers
from skmmm.datasets import make_mmm_panel
from skmmm.distributed import region_workers

SHORT = {"N_MOVES": 1, "N_WARMUP": 1, "N_AFTER": 2, "N_STEPS": 2, "N_ALL_STEPS": 1}


@pytest.fixture(scope="module")
def helpers():
    """Two processes for all tests of this file; gone afterwards."""
    with region_workers(2):
        team = workers._workers.get()
        with workers._shared_by(None):
            yield team
        team.run(
            set_chains, team.size, lambda own: ({},)
        )  # they start anew if they must
        started = list(team._processes)
    assert started
    assert all(process.poll() is not None for process in started)


@pytest.fixture
def shared_out(helpers):
    """Fits of a test use the two processes."""
    with workers._shared_by(helpers):
        yield helpers


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(5, 40, n_media=2, random_state=0)


def unfitted(world, **parameters):
    settings = {"max_lag": 3, "n_draws": 0, "max_iter": 12, "graph": None}
    return DeepCausalMMMRegressor(
        media=world.media,
        controls=world.controls,
        region="region",
        time="week",
        random_state=0,
        **settings | parameters,
    )


@pytest.fixture(scope="module")
def alone(world):
    return unfitted(world).fit(world.X, world.y)


def test_the_mode_is_that_of_one_process(world, alone, shared_out):
    model = unfitted(world).fit(world.X, world.y)
    assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-8)
    assert_allclose(model.predict(world.X), alone.predict(world.X), rtol=1e-8)
    assert_allclose(
        model.channel_summary()["contribution"],
        alone.channel_summary()["contribution"],
        rtol=1e-7,
    )
    again = unfitted(world).fit(world.X, world.y)
    assert_array_equal(again.predict(world.X), model.predict(world.X))


def unlike_regions():
    """Return seven regions of other sizes, rows and channels than each other."""
    world = make_mmm_panel(7, 40, n_media=2, random_state=0)
    X, y, week = world.X.copy(), world.y.copy(), world.X["week"].rank(method="dense")
    y *= 4.0 ** world.X["region"].str[-1].astype(int).sub(3)
    X.loc[X["region"].isin(["region_4", "region_5"]), world.media[1]] = 0.0
    X.loc[X["region"] == "region_6", world.media] = 0.0
    some = np.random.default_rng(0).random(len(X)) > 0.15
    some &= (X["region"] != "region_2") | (week > 28)  # comes late
    some |= week.isin([1, 40]) & (X["region"] == "region_1")
    return world, X[some], y[some]


def test_six_processes_share_unlike_regions():
    """One of them has two regions."""
    world, X, y = unlike_regions()
    model = unfitted(world, max_iter=4)
    with region_workers(6):
        started = list(workers._workers.get()._processes)
        found, again = (model.fit(X, y).predict(X) for _ in range(2))
    assert len(started) == 5
    assert all(process.poll() is not None for process in started)
    assert_array_equal(found, again)
    assert_allclose(found, model.fit(X, y).predict(X), rtol=1e-8)


def test_pairs_are_those_of_one_process(world, shared_out):
    pair = [tuple(world.media)]
    model = unfitted(world, synergies=pair).fit(world.X, world.y)
    with workers._shared_by(None):
        alone = unfitted(world, synergies=pair).fit(world.X, world.y)
    assert_allclose(model.predict(world.X), alone.predict(world.X), rtol=1e-8)
    assert_allclose(
        model.synergy_summary()["contribution"],
        alone.synergy_summary()["contribution"],
        rtol=1e-6,
    )


def test_slow_stocks_are_those_of_one_process(world, shared_out):
    model = unfitted(world, brand_channels=["media_2"])
    several = model.fit(world.X, world.y).brand_effects()
    with workers._shared_by(None):
        one = model.fit(world.X, world.y).brand_effects()
    names = ["short", "long", "to_come", "share", "half_life"]
    assert_allclose(several[names], one[names], rtol=1e-6)


def set_in_all(team, numbers):
    """Let chains go so far in all processes."""
    team.run(set_chains, 2, lambda own: (numbers,))


def set_chains(numbers):
    for name, value in numbers.items():
        setattr(hmc, name, value)


@pytest.fixture
def short_chains(shared_out):
    """Chains that go so short a way that rounding stays small."""
    before = {name: getattr(hmc, name) for name in SHORT}
    set_in_all(shared_out, SHORT)
    yield
    set_in_all(shared_out, before)


@pytest.mark.usefixtures("short_chains")
def test_draws_are_those_of_one_process(world):
    model = unfitted(world, n_draws=4)
    first = model.fit(world.X, world.y).predict_interval(world.X)
    assert_array_equal(model.fit(world.X, world.y).predict_interval(world.X), first)
    table = model.sampling_diagnostics_
    with workers._shared_by(None):
        whole = model.fit(world.X, world.y).predict_interval(world.X)
    assert_allclose(first, whole, rtol=1e-4)  # forces are of single precision
    # What four short chains say of themselves moves with rounding.
    assert_allclose(table, model.sampling_diagnostics_, atol=0.5)


@pytest.mark.usefixtures("short_chains")
@pytest.mark.parametrize("n_draws", [0, 4])
def test_experiments_are_taken_in(world, alone, n_draws):
    weeks = world.X["week"].unique()
    caused = alone.channel_summary()["contribution"]["media_1"]
    test = pd.DataFrame(
        {
            "media": ["media_1"],
            "start": weeks[0],
            "end": weeks[39],
            "change": 0.5,
            "estimate": -0.5 * caused,
            "std_error": 0.2 * caused,
        }
    )
    model = unfitted(world, experiments=test, n_draws=n_draws)
    found = model.fit(world.X, world.y).predict(world.X)
    with workers._shared_by(None):
        alone = model.fit(world.X, world.y).predict(world.X)
    assert_allclose(found, alone, rtol=1e-4 if n_draws else 1e-6)


def test_a_callback_may_fit_and_stop(world, alone, shared_out):
    pytest.importorskip("sklearn.callback")
    inside = []

    def act():
        # While the processes wait for this one.
        inside.append(unfitted(world).fit(world.X, world.y))
        return True

    model = unfitted(world).set_callbacks(AfterIterations(3, act))
    model.fit(world.X, world.y)
    assert model.n_iter_ == 3
    assert_allclose(model.loss_curve_, alone.loss_curve_[:3], rtol=1e-8)
    assert_array_equal(inside[0].predict(world.X), alone.predict(world.X))


def test_a_worker_that_dies_is_named(world, alone, shared_out, tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (process,) = shared_out._processes
    model = unfitted(world).fit(world.X, world.y)
    # While it computes, with thousands of iterations to come.
    killer = threading.Timer(0.05, process.kill)
    model.set_params(max_iter=10_000, tol=0.0)
    model.set_callbacks(AfterIterations(2, killer.start))
    before = dict(vars(model))
    start = time.monotonic()
    message = rf"Worker 2 of 2 \(process {process.pid}\) has died"
    with pytest.raises(RuntimeError, match=message):
        model.fit(world.X, world.y)
    assert time.monotonic() - start < 60
    assert vars(model) == before
    assert process.poll() is not None
    assert shared_out._processes == []
    assert not any(tmp_path.iterdir())
    # The next fit starts another.
    again = unfitted(world).fit(world.X, world.y)
    assert_allclose(again.predict(world.X), alone.predict(world.X), rtol=1e-8)


def test_a_worker_that_dies_before_it_is_connected_is_named(monkeypatch):
    def answer_a_dying(store, process):
        process.kill()
        answer(store, process)

    answer = workers._answer_from
    monkeypatch.setattr(workers, "_answer_from", answer_a_dying)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"Worker 2 of 2 .* has died"):
        with region_workers(2):
            pass
    assert time.monotonic() - start < 60


def fail_in_the_second(first):
    """Fail in one process; it is called in all."""
    if not first:
        raise ValueError("of all things")


def test_processes_listen_on_this_machine_only(shared_out):
    psutil = pytest.importorskip("psutil", "6.0")
    started = [psutil.Process(process.pid) for process in shared_out._processes]
    found = [one for process in started for one in process.net_connections()]
    hosts = {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}
    assert hosts == {"127.0.0.1"}


def test_what_a_worker_raises_is_told(shared_out):
    with pytest.raises(RuntimeError, match=r"(?s)Worker 2 of 2 .*of all things"):
        shared_out.run(fail_in_the_second, 2, lambda own: (own.start == 0,))
    assert shared_out._processes == []


def test_every_process_needs_a_region(shared_out):
    world = make_mmm_panel(1, 40, n_media=1, random_state=0)
    with pytest.raises(ValueError, match=r"2 processes, and this one has 1"):
        unfitted(world).fit(world.X, world.y)


@pytest.mark.parametrize(
    ("number", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError)]
)
def test_number_of_workers_is_a_positive_integer(number, error):
    with pytest.raises(error, match="n_workers"), region_workers(number):
        pass


@pytest.mark.usefixtures("shared_out")
def test_one_worker_is_no_other(world, alone):
    with region_workers(1):
        model = unfitted(world).fit(world.X, world.y)
    assert_array_equal(model.predict(world.X), alone.predict(world.X))


KILLED_IN_A_FIT = """
import os, signal
from skmmm._model.workers import Workers
from skmmm.distributed import region_workers
from test_distributed import make_mmm_panel, unfitted

Workers._decide = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # at iteration 1
world = make_mmm_panel(3, 40, n_media=2, random_state=0)
with region_workers(3):
    unfitted(world).fit(world.X, world.y)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal ends for sure")
def test_workers_do_not_outlive_the_caller(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_IN_A_FIT],
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    )
    # Workers hold the same pipe: it ends when all of them have ended.
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert said == b""
    assert not any(tmp_path.iterdir())
