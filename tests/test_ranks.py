"""Processes that torchrun has started fit together, and fail together."""

import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skmmm.distributed
from skmmm import DeepCausalMMMRegressor

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


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """What both ranks of a job of torchrun report."""
    folder = tmp_path_factory.mktemp("ranks")
    job = start([*TORCHRUN, JOB, "fit_and_fail", folder])
    said, _ = job.communicate(timeout=120)
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
            "failed in 0",
            "ArithmeticError: of all things",
            "RuntimeError: Another rank failed",
        ),
        (
            "failed in 1",
            "RuntimeError: Worker 2 of 2 (rank 1) failed.\nTraceback",
            "ArithmeticError: of all things",
        ),
    ],
)
def test_what_one_rank_raises_reaches_all(by_two, what, first, second):
    told = [one["told"][what] for one in by_two]
    assert told[0].startswith(first)
    assert told[1].startswith(second)


@pytest.mark.skipif(os.name != "posix", reason="no signal ends for sure")
def test_a_rank_that_dies_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    whole = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "3"}
    begun = time.monotonic()
    jobs = [
        start([JOB, "lose_the_last", tmp_path], RANK=str(rank), **whole)
        for rank in range(3)
    ]
    said = [job.communicate(timeout=60)[0] for job in jobs]
    assert time.monotonic() - begun < 60
    assert [job.returncode for job in jobs] == [0, 0, -9], said
    told = [pickle.loads((tmp_path / f"rank_{rank}").read_bytes()) for rank in (0, 1)]
    assert told[0]["told"].startswith("RuntimeError: Worker 3 of 3 (rank 2) has ended")
    assert told[1]["told"].startswith("RuntimeError: Another rank failed")
    assert all(one["left"] for one in told)


def test_somebody_has_to_start_ranks(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(RuntimeError, match="torchrun --nproc-per-node"):
        with skmmm.distributed.ranks():
            pass


def test_one_rank_is_no_other(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MASTER_PORT", str(server.getsockname()[1]))
    for name, value in {
        "MASTER_ADDR": "127.0.0.1",
        "RANK": "0",
        "WORLD_SIZE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    import ranks_job

    world = ranks_job.world
    with skmmm.distributed.ranks():
        model = ranks_job.unfitted().fit(world.X, world.y)
    assert isinstance(model, DeepCausalMMMRegressor)
    alone = ranks_job.unfitted().fit(world.X, world.y)
    assert_array_equal(model.predict(world.X), alone.predict(world.X))
