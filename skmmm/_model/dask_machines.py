"""Workers that run beside the workers of a Dask cluster.

A task of Dask starts each of them and waits until it ends. The worker connects to the
calling process, where both prove that they know a secret, and then is a worker as any
other: it ends with the connection, and with its Dask worker.
"""

import io
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from asyncio import CancelledError
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from skmmm._model.door import Door, enter, files_of
from skmmm._model.sums import PeerLostError
from skmmm._model.workers import GRACE, ThisMachine, answer, died, processes, receive

# Seconds in which a process has to come: a Dask worker may be busy, and torch may come
# from a slow disk.
_ARRIVAL = 120.0
_GLANCE = 0.5  # seconds from one look at Dask to the next


class DaskProcess:
    """A worker beside a Dask worker, which hears and tells through a socket.

    Parameters
    ----------
    client : distributed.Client
    address : str
        Of the Dask worker.
    door : Door
    rank : int
    run : callable
        As of `dask_processes`.
    """

    def __init__(self, client, address, door, rank, run):
        self.name = f"at Dask worker {address}"
        self.host = host_of(address)
        self.n_threads = client.nthreads().get(address, 1)
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO()
        self._client, self._address = client, address
        self._door, self._rank = door, rank
        self._socket = None
        self._task = client.submit(
            run,
            door.address,
            door.secret,
            rank,
            workers=[address],
            pure=False,
            retries=0,
        )

    def introduce(self):
        """Wait until it has come."""
        end = time.monotonic() + _ARRIVAL
        while (visitor := self._door.visitor(self._rank, _GLANCE)) is None:
            if self._task.done() or not self._hosted() or time.monotonic() > end:
                raise PeerLostError("a process has not come")
        self._socket = visitor
        self.stdout, self.stdin = files_of(visitor)

    def hang_up(self):
        """Let it end, as there is no more to do."""
        if self._socket is not None:
            with suppress(OSError):  # it may have gone already
                self._socket.shutdown(socket.SHUT_RDWR)

    kill = hang_up  # it ends with the connection, whatever it computes

    def end(self):
        """Wait until it has ended."""
        self.fate()
        with suppress(Exception):  # the client may be closed, or the scheduler gone
            self._task.cancel()
        if self._socket is not None:
            self._socket.close()

    def fate(self):
        """Return in words how it ended, None if it did not."""
        end = time.monotonic() + GRACE
        while not self._task.done():
            if not self._hosted():
                self.hang_up()  # nothing comes any more, not even an end
                return (
                    "is gone, as its Dask worker has died or was closed. Often that is "
                    "for want of memory."
                )
            if time.monotonic() > end:
                return None if self._socket else "was not started: is it busy?"
            time.sleep(_GLANCE / 10)
        try:
            code = self._task.result()
        except (Exception, CancelledError) as error:
            lost = "was lost" if self._socket else "was not started"
            return f"{lost}: {type(error).__name__}: {error}"
        return f"{died(code)} The log of the Dask worker may say why."

    def _hosted(self):
        """Return whether its Dask worker is there, and the scheduler to say so."""
        try:
            return self._address in self._client.nthreads()
        except Exception:  # the client is closed, or the scheduler gone
            return False


class DaskMachines:
    """Where workers run that the workers of a Dask cluster start.

    Parameters
    ----------
    client : distributed.Client
    addresses : list of str
        Of the Dask workers, one for each worker.
    own_host : str
        Where they reach the calling process.
    door : Door
    run : callable
        As of `dask_processes`.
    """

    afterwards = ThisMachine.afterwards

    def __init__(self, client, addresses, own_host, door, run):
        self.host = own_host
        self._client, self._addresses = client, addresses
        self._door, self._run = door, run

    def start(self, rank):
        """Return a new process, which may still be on its way."""
        address = self._addresses[rank - 1]
        return DaskProcess(self._client, address, self._door, rank, self._run)

    def sharing(self, size):
        """Return how many of all processes share the threads of the calling one."""
        return 1 + sum(is_here(host_of(a), self.host) for a in self._addresses)


@contextmanager
def dask_processes(client, addresses, run):
    """Fit on this process and one beside each of some Dask workers, in the block.

    Parameters
    ----------
    client : distributed.Client
    addresses : list of str
        Of the Dask workers.
    run : callable
        Called by them with an address where this process listens, the secret and the
        rank: runs a process that calls `serve`, tells it these, and waits for its end.
    """
    own_host = own_host_towards([host_of(address) for address in addresses])
    door = Door(own_host)
    try:
        machines = DaskMachines(client, addresses, own_host, door, run)
        with processes(1 + len(addresses), machines):
            yield
    finally:
        door.close()


def host_of(address):
    """Return the host of the address of a Dask worker."""
    parts = urlsplit(address)
    return "127.0.0.1" if parts.scheme == "inproc" else parts.hostname


def own_host_towards(hosts):
    """Return the host under which others reach this process, loopback if they can."""
    own = "127.0.0.1"
    for other in hosts:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            try:
                way.connect((other, 1))  # sends nothing
            except OSError as error:
                raise RuntimeError(
                    f"This process finds no way to the Dask worker at {other!r} by "
                    f"IPv4 ({error}), which the processes of a fit need. Pass "
                    "n_workers=1: this process alone computes."
                ) from error
            own = way.getsockname()[0]
        if not own.startswith("127."):
            break
    return own


def is_here(host, own_host):
    """Return whether a host is the machine of this process."""
    return host == own_host or host.startswith("127.")


def serve():
    """Do what the calling process asks for, until it or the Dask worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process decides
    starter = sys.stdin.buffer
    address, secret, rank = pickle.load(starter)
    _in_background(starter.read, lambda _: os._exit(0))
    caller = enter(address, secret, rank)
    hear, tell = files_of(caller)
    heard: queue.SimpleQueue = queue.SimpleQueue()
    # Read at once, so that the end of the connection is noticed while it computes.
    _in_background(lambda: _read_on(hear, heard.put), os._exit)
    answer(heard.get, tell)


def _read_on(hear, tell):
    """Pass on what a stream says; return an exit code once it ends."""
    try:
        while True:
            tell(receive(hear))
    except PeerLostError:
        return 0
    except BaseException:
        traceback.print_exc()
        return 1


def _in_background(call, then):
    """Call a function in another thread, and another one with what it returns."""
    threading.Thread(target=lambda: then(call()), daemon=True).start()
