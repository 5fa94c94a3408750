"""Processes that torchrun has started fit together, and fail together."""

import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import DataConversionWarning
from torch import distributed

import skmmm.distributed
from skmmm._estimator import ranks

ENVIRONMENT = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
JOB = Path(__file__).with_name("ranks_job.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(arguments, **environment):
    path = os.pathsep.join([str(JOB.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said_by(job):
    """Return what a process prints until it ends, in a minute."""
    try:
        return job.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        job.terminate()  # torchrun ends its ranks
        return f"{job.communicate()[0]}\nIt did not end."


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """What both ranks of a job of torchrun report."""
    folder = tmp_path_factory.mktemp("ranks")
    said = said_by(job := start([*TORCHRUN, JOB, "fit_and_fail", folder]))
    assert job.returncode == 0, said
    return [pickle.loads((folder / f"rank_{rank}").read_bytes()) for rank in (0, 1)]


def test_all_ranks_have_the_fit_of_all_rows(by_two, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    import ranks_job

    world = ranks_job.world
    model = ranks_job.unfitted().fit(world.X, world.y, ranks_job.weights(world.X))
    expected = model.predict(world.X)
    for one in by_two:
        assert_allclose(one["found"], expected, rtol=1e-8)
        assert_array_equal(one["found"], by_two[0]["found"])
        assert_array_equal(one["again"], one["found"])


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [
        (
            "short y",
            "RuntimeError: Rank 1 could not fit. ValueError: y has the shape (119,)",
            "ValueError: y has the shape (119,), and X 120 rows",
        ),
        (
            "other columns",
            "ValueError: X of rank 1 has the columns",
            "RuntimeError: Rank 0 could not fit. ValueError: X of rank 1 has",
        ),
        (
            "weights",
            "ValueError: Of ranks 0 and 1, one has a sample_weight",
            "RuntimeError: Rank 0 could not fit. ValueError: Of ranks 0 and 1",
        ),
        (
            "y is NaN",
            "ValueError: Input y contains NaN",
            "RuntimeError: Rank 0 could not fit. ValueError: Input y contains NaN",
        ),
        (
            "few regions",
            "ValueError: The regions of a panel are shared among 2 processes",
            "RuntimeError: Rank 0 could not fit. ValueError: The regions of a panel",
        ),
        (
            "parameters",
            "ValueError: max_iter is 7 in rank 1, and 6 in rank 0",
            "RuntimeError: Rank 0 could not fit. ValueError: max_iter is 7 in rank 1",
        ),
        (
            "groups",
            "ValueError: GroupedRegressor has groups of its own",
            "ValueError: GroupedRegressor has groups of its own",
        ),
        (
            "partial fit",
            "ValueError: partial_fit takes in the rows of one process",
            "ValueError: partial_fit takes in the rows of one process",
        ),
        (
            "Dask",
            "ValueError: DaskMMMRegressor gathers rows",
            "ValueError: DaskMMMRegressor gathers rows",
        ),
        (
            "failed in 0",
            "ArithmeticError: of all things",
            "RuntimeError: Another rank failed",
        ),
        (
            "failed in 1",
            "RuntimeError: Worker 2 of 2 (rank 1) failed.\nTraceback",
            "ArithmeticError: of all things",
        ),
        (
            "left early",
            "RuntimeError: Rank 0 waited for another, which has ended",
            "LookupError: no rows",
        ),
    ],
)
def test_what_one_rank_raises_reaches_all(by_two, what, first, second):
    told = [one["told"][what] for one in by_two]
    assert told[0].startswith(first)
    assert told[1].startswith(second)


def test_the_example_is_one_of_two_ranks(by_two):
    assert [one["example"] for one in by_two] == [(60,), (60,)]


@pytest.mark.skipif(os.name != "posix", reason="no signal ends for sure")
def test_a_rank_that_dies_is_named(tmp_path):
    # Without torchrun, which would end the others.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "3"}
    begun = time.monotonic()
    jobs = [
        start([JOB, "lose_the_last", tmp_path], RANK=str(rank), **shared)
        for rank in range(3)
    ]
    said = [said_by(job) for job in jobs]
    assert time.monotonic() - begun < 60
    assert [job.returncode for job in jobs] == [0, 0, -9], said
    files = sorted(tmp_path.iterdir())
    first, second = (pickle.loads(file.read_bytes()) for file in files)
    assert first["told"].startswith("RuntimeError: Worker 3 of 3 (rank 2) has ended")
    assert second["told"].startswith("RuntimeError: Another rank failed")
    assert first["left"]
    assert second["left"]


@pytest.mark.parametrize("lacking", [*ENVIRONMENT, "RANK, MASTER_PORT"])
def test_somebody_has_to_start_ranks(monkeypatch, lacking):
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "1")
    for name in lacking.split(", "):
        monkeypatch.delenv(name)
    message = f"lacks {lacking}. Start them so: torchrun --nproc-per-node"
    with pytest.raises(RuntimeError, match=message):
        with skmmm.distributed.ranks():
            pass


@pytest.fixture
def job(monkeypatch):
    """The module of a job, as rank 0 has it."""
    monkeypatch.setenv("RANK", "0")
    import ranks_job

    return ranks_job


def test_ranks_bring_what_a_fit_alone_takes(job):
    model, X, y = job.unfitted(), job.world.X, job.world.y
    with pytest.warns(DataConversionWarning, match="column-vector"):
        found = ranks._brought(model, X, y.to_numpy()[:, None], 2.0)
    assert_array_equal(found.target, y)
    assert_array_equal(found.weight, np.full(len(y), 2.0))
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        ranks._brought(model, X, y, np.ones(3))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        ranks._brought(model, X, y, -1.0)


def test_parameters_are_compared_as_numbers(job):
    first, same, other = (
        ranks._brought(job.unfitted(max_iter=number), job.world.X, job.world.y, None)
        for number in (6, np.int64(6), np.int64(7))
    )
    assert len(ranks._all_rows([first, same])[1]) == 2 * len(job.world.y)
    with pytest.raises(ValueError, match="max_iter is 7 in rank 1, and 6 in rank 0"):
        ranks._all_rows([first, other])


def test_what_metadata_a_fit_takes_is_kept(job):
    X, y = job.world.X, job.world.y

    class OtherRank:
        def together(self, bring, make):
            made = make([bring()])
            assert "_metadata_request" not in made
            return made

    with config_context(enable_metadata_routing=True):
        model = job.unfitted().set_fit_request(sample_weight=True)
        of_rank_0 = job.unfitted().set_fit_request(sample_weight=False)
        with ranks.fits_on(OtherRank()):
            fitted = ranks.fitted_on_ranks(model, lambda *_: of_rank_0, X, y, None)
        requests = fitted.get_metadata_routing().fit.requests
    assert requests == {"sample_weight": True}


def test_one_rank_is_no_other(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MASTER_PORT", str(server.getsockname()[1]))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    import ranks_job

    world = ranks_job.world
    try:
        with skmmm.distributed.ranks():
            model = ranks_job.unfitted().fit(world.X, world.y)
    finally:
        distributed.destroy_process_group()
    alone = ranks_job.unfitted().fit(world.X, world.y)
    assert_array_equal(model.predict(world.X), alone.predict(world.X))
