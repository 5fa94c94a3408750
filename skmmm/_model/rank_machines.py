"""Processes that were started together, as by torchrun, and bring rows of their own.

Rank 0 is the calling process: it collects what all bring and says what to compute. The
others are workers that come in by its `Door`, and go on with what it has made.
"""

import io
import os
import socket
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import distributed

from skmmm._model import workers
from skmmm._model.door import Door, enter, files_of
from skmmm._model.sums import PeerLostError
from skmmm._model.workers import ToldError, compute, meet, processes, receive

_ARRIVAL = 60.0  # seconds in which a rank has to come once it knows where to
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LOST = (
    "Another rank failed, or no longer answers: what rank 0 raises, or what they "
    "printed, says why."
)


class _Failed(NamedTuple):
    """Why a rank cannot go on."""

    why: str


class _Made(NamedTuple):
    """What rank 0 has made for all."""

    result: Any


class RankProcess:
    """Another rank, which hears and tells through a socket.

    Parameters
    ----------
    door : Door
    rank : int
    """

    n_threads = None  # as many as rank 0 has

    def __init__(self, door, rank):
        self.name, self.host = f"rank {rank}", None
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO()
        self._door, self._rank = door, rank
        self._socket = None

    def introduce(self):
        """Wait until it has come."""
        self._socket = self._door.visitor(self._rank, _ARRIVAL)
        if self._socket is None:
            raise PeerLostError("a rank has not come")
        self.host = self._socket.getpeername()[0]
        self.stdout, self.stdin = files_of(self._socket)

    def hang_up(self):
        """Let it go on, as there is no more to compute."""
        if self._socket is not None:
            with suppress(OSError):  # it may have gone already
                self._socket.shutdown(socket.SHUT_RDWR)

    kill = hang_up  # it is not ours to end

    def end(self):
        """Forget it."""
        for stream in (self.stdin, self.stdout):
            workers.close_stream(stream)
        if self._socket is not None:
            self._socket.close()

    def fate(self):
        """Return in words what became of it if its stream has ended."""
        if self._socket is None:
            return "has not come to the fit."
        return "has ended: what it printed may say why."


class RankMachines:
    """Where ranks are that others have started.

    Parameters
    ----------
    door : Door
    """

    afterwards = "The fit ends on all ranks."

    def __init__(self, door):
        self.host = door.address[0]
        self._door = door

    def start(self, rank):
        """Return a rank, which may still be on its way."""
        return RankProcess(self._door, rank)

    def sharing(self, size):
        """Return how many of all processes share the threads of rank 0."""
        return 1


class JoinedRanks:
    """Ranks that make something together.

    Parameters
    ----------
    group : ProcessGroup
        Of PyTorch, on processors. It tells all ranks where rank 0 is to be found.
    """

    def __init__(self, group):
        self.rank, self.size = distributed.get_rank(group), group.size()
        self._group = group

    def together(self, bring: Callable, make: Callable) -> Any:
        """Return what rank 0 makes of what all bring; all have to call this.

        Parameters
        ----------
        bring : callable
            Returns what this rank brings.
        make : callable
            Of a list of what all bring; called in rank 0, where functions of many
            regions are computed by all ranks.
        """
        own, error = None, None
        try:
            own = bring()
        except Exception as raised:  # the others wait: they are told
            own, error = _Failed(f"{type(raised).__name__}: {raised}"), raised
        made = self._lead(own, make) if self.rank == 0 else self._follow(own)
        if error is not None:
            raise error
        if isinstance(made, _Failed):
            raise RuntimeError(made.why)
        return made.result

    def _tell(self, place):
        """Return in all ranks where rank 0 listens, once all have come.

        Parameters
        ----------
        place : tuple of (address, secret), _Failed or None
            Of rank 0; None in the others.
        """
        said = [None] * self.size
        try:
            # No broadcast, which goes on where those who listen have ended.
            own = place, socket.gethostname()
            distributed.all_gather_object(said, own, group=self._group)
        except RuntimeError as error:
            raise RuntimeError(
                f"Rank {self.rank} waited for another, which has ended or did not call "
                "fit: what it printed may say why."
            ) from error
        places, hosts = zip(*said, strict=True)
        return _reached_from(hosts, places[0])

    def _lead(self, own, make):
        try:
            door = Door(socket.gethostbyname(os.environ["MASTER_ADDR"]))
        except Exception as error:  # whatever it is: the others wait
            return self._tell(
                _Failed(
                    f"Rank 0 cannot listen at MASTER_ADDR ({error!r}). Set it to an "
                    "address of IPv4 of its machine."
                )
            )
        try:
            place = self._tell((door.address, door.secret))
            if isinstance(place, _Failed):
                return place
            with processes(self.size, RankMachines(door)):
                return _made_of([own], make, workers._workers.get())
        finally:
            door.close()

    def _follow(self, own):
        place = self._tell(None)
        if isinstance(place, _Failed):
            return place
        (address, secret), n_threads, ranks = place, torch.get_num_threads(), None
        try:
            with (
                self._entered(address, secret) as leader,
                torch.inference_mode(False),
                torch.enable_grad(),
            ):
                hear, tell = files_of(leader)
                ranks = _met(hear, tell)
                workers.send(tell, own)
                return compute(lambda: receive(hear), tell, ranks)
        except ToldError as told:
            if isinstance(told.__cause__, PeerLostError):
                raise RuntimeError(_LOST) from told
            raise told.__cause__ from None  # type: ignore[misc]  # there is one
        except (PeerLostError, OSError) as error:
            raise RuntimeError(_LOST) from error
        finally:
            torch.set_num_threads(n_threads)
            if ranks is not None:
                ranks.leave()

    def _entered(self, address, secret):
        """Return the socket of this rank at the door of rank 0."""
        try:
            return enter(address, secret, self.rank)
        except PeerLostError as error:
            raise RuntimeError(
                f"Rank {self.rank} cannot reach rank 0 at {address} ({error}). If rank "
                "0 has not ended, set MASTER_ADDR to an address of rank 0 that all "
                "machines reach."
            ) from error


def _reached_from(hosts, place):
    """Return where rank 0 listens, or why others cannot reach it there.

    Parameters
    ----------
    hosts : sequence of str
        The names of the machines of all ranks.
    place : tuple of (address, secret) or _Failed
    """
    if isinstance(place, _Failed):
        return place
    (address, _), _ = place
    away = [rank for rank, host in enumerate(hosts) if host != hosts[0]]
    if not away or not address.startswith("127."):
        return place
    return _Failed(
        f"Rank 0 listens at {address}, which only its own machine {hosts[0]!r} "
        f"reaches, and rank {away[0]} is on {hosts[away[0]]!r}. Set MASTER_ADDR to an "
        "address of rank 0 that all machines reach: a name of its machine may stand "
        "for this one in /etc/hosts."
    )


def _met(hear, tell):
    """Return the `Ranks` of this process, once it is connected to the others."""
    try:
        return meet(lambda: receive(hear), tell)
    except RuntimeError as error:  # of Gloo
        raise PeerLostError(str(error)) from error


def _made_of(brought, make, team):
    """Return what rank 0 has made, or why it could not, and tell all others."""
    brought = [*brought, *team.hear()]
    for rank, one in enumerate(brought):
        if isinstance(one, _Failed):
            failed = _Failed(f"Rank {rank} could not fit. {one.why}")
            team.tell(failed)
            return failed
    try:
        made = _Made(make(brought))
    except Exception as error:
        # Those that were lost have ended, and there is nobody to tell.
        team.tell(_Failed(f"Rank 0 could not fit. {type(error).__name__}: {error}"))
        raise
    team.tell(made)
    return made


@contextmanager
def joined_ranks():
    """Yield the `JoinedRanks` of this job, None if it has one rank."""
    if not distributed.is_available() or not distributed.is_gloo_available():
        raise RuntimeError(
            "This build of PyTorch cannot connect processes: it has no "
            "torch.distributed with Gloo. Fit without ranks()."
        )
    is_initialized = distributed.is_initialized()
    needed = ("MASTER_ADDR",) if is_initialized else _ENVIRONMENT
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise RuntimeError(
            "ranks() is for processes that were started together, and the environment "
            f"lacks {', '.join(missing)}. Start them so: torchrun --nproc-per-node 2 "
            "fit.py"
        )
    if not is_initialized:
        # It stays: a second one would meet where torchrun keeps what the first said.
        distributed.init_process_group("gloo")
    group = distributed.new_group(backend="gloo")
    try:
        yield JoinedRanks(group) if group.size() > 1 else None
    finally:
        distributed.destroy_process_group(group)
