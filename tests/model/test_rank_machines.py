"""Of ranks that fail together, the one is named that failed first."""

import pickle
import socket
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from torch import distributed

from skmmm._model import rank_machines, workers
from skmmm._model.door import Door, enter, files_of
from skmmm._model.rank_machines import JoinedRanks, RankMachines
from skmmm._model.sums import PeerLostError
from skmmm._model.workers import Workers, receive, send


@pytest.fixture
def door(monkeypatch):
    """Where ranks come in, for which nobody waits for long."""
    monkeypatch.setattr(workers, "GRACE", 0.3)
    monkeypatch.setattr(workers, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(rank_machines, "_ARRIVAL", 0.3)
    before = set(threading.enumerate())
    door = Door("127.0.0.1")
    yield door
    door.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(10.0)  # as that which waits for ranks to connect


def arrived(door, size):
    """Return rank 0's side of ranks that have come, and their own."""
    team, others = Workers(size, RankMachines(door)), []
    for rank in range(1, size):
        others.append(enter(door.address, door.secret, rank))
        process = RankMachines(door).start(rank)
        process.introduce()
        team._processes.append(process)
    return team, others


@pytest.mark.parametrize("said", [b"", b"\x80", b"K\x01."], ids=["", "half", "other"])
def test_a_silent_rank_is_not_blamed_for_one_that_ended(door, said):
    team, (silent, dead) = arrived(door, 3)
    with silent:
        silent.sendall(said)
        dead.close()
        assert team._what_happened().startswith("Worker 3 of 3 (rank 2) has ended")
    team._kill()


def test_what_a_rank_said_before_its_end_is_told(door):
    team, (silent, failed) = arrived(door, 3)
    with silent, failed:
        failed.sendall(pickle.dumps(workers._Failure("Traceback", lost=False)))
        failed.close()
        expected = "Worker 3 of 3 (rank 2) failed.\nTraceback"
        assert team._what_happened().startswith(expected)
    team._kill()


def come_and_wait(door, rank):
    """Come in, say so, and wait for more."""
    with enter(door.address, door.secret, rank) as own:
        hear, tell = files_of(own)
        with hear, tell:
            assert receive(hear)[1:] == (rank, 3)
            send(tell, "here")
            own.settimeout(10.0)
            with pytest.raises(PeerLostError):  # rank 0 gives up
                receive(hear)


def come_and_end(door, rank):
    """Come in, say so, and leave."""
    with enter(door.address, door.secret, rank) as own:
        hear, tell = files_of(own)
        with hear, tell:
            receive(hear)
            send(tell, "here")


@contextmanager
def beside(*calls):
    """Run functions in other threads, which end by themselves."""
    others = [threading.Thread(target=call) for call in calls]
    for other in others:
        other.start()
    yield
    for other in others:
        other.join()


def test_a_rank_that_does_not_come_is_named(door):
    team = Workers(3, RankMachines(door))
    with beside(partial(come_and_wait, door, 1)):
        with pytest.raises(RuntimeError, match=r"\(rank 2\) has not come to the fit"):
            team.start()


def test_a_rank_that_ends_while_ranks_connect_is_named(door):
    """Another thread reads what the one before it says, which is nothing."""
    team, begun = Workers(3, RankMachines(door)), time.monotonic()
    with beside(partial(come_and_wait, door, 1), partial(come_and_end, door, 2)):
        with pytest.raises(RuntimeError, match=r"^Worker 3 of 3 \(rank 2\) has ended"):
            team.start()
    assert time.monotonic() - begun < 5.0


class Joined(JoinedRanks):
    """Ranks of which one is played."""

    def __init__(self, rank, size=2):
        self.rank, self.size, self._group = rank, size, None


def said_in_all(monkeypatch, *others):
    """Let ranks say this besides what the one that is played says."""

    def all_gather(said, own, group):
        said[:] = [own, *others]

    monkeypatch.setattr(distributed, "all_gather_object", all_gather)


def test_what_gloo_raises_is_told_as_a_lost_rank(door, monkeypatch):
    def fail(*_):
        raise RuntimeError("Gloo connectFullMesh failed")

    monkeypatch.setattr(rank_machines, "meet", fail)
    joined = Joined(1)
    monkeypatch.setattr(joined, "_tell", lambda _: (door.address, door.secret))
    with pytest.raises(RuntimeError, match=r"^Another rank failed, or no longer"):
        joined._follow(None)


def test_a_rank_says_where_it_does_not_reach_rank_0(door, monkeypatch):
    joined = Joined(1)
    monkeypatch.setattr(joined, "_tell", lambda _: (door.address, door.secret))
    door.close()
    with pytest.raises(RuntimeError, match=r"^Rank 1 cannot reach rank 0 at .*refused"):
        joined._follow(None)


@pytest.mark.parametrize("address", ["a" * 64, "192.0.2.1"])
def test_all_hear_that_rank_0_cannot_listen(address, monkeypatch):
    said_in_all(monkeypatch, (None, "b"))
    monkeypatch.setenv("MASTER_ADDR", address)
    found = Joined(0)._lead(None, None)
    assert found.why.startswith("Rank 0 cannot listen at MASTER_ADDR (")


def test_loopback_is_refused_where_ranks_are_elsewhere(monkeypatch):
    said_in_all(monkeypatch, (None, socket.gethostname()), (None, "elsewhere"))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    found = Joined(0, 3)._lead(None, None)
    assert found.why.startswith("Rank 0 listens at 127.0.0.1, which only")
    assert "and rank 2 is on 'elsewhere'. Set MASTER_ADDR" in found.why


def test_any_other_address_is_taken_wherever_ranks_are():
    place = ("192.0.2.1", 9), b"secret"
    assert rank_machines._reached_from(["here", "elsewhere"], place) is place
    place = ("127.0.0.1", 9), b"secret"
    assert rank_machines._reached_from(["here", "here"], place) is place
