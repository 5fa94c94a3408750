"""Processes that fit one panel together, each some of its regions.

The calling process is the first of them. It sends each worker a function and its block
of regions, and all run it at once; `skmmm._model.sums` is how they come together.
Commands and results pass through pipes, which end when either side ends: a worker whose
caller has died stops, and a caller notices a worker that has died.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as distributed
from threadpoolctl import threadpool_limits

from skmmm._model.sums import PeerLostError, Ranks, among
from skmmm._model.threads import share_of_threads, threads_for_blocks

# How long to wait for a process that is there but says nothing. One that dies is
# noticed at once; others may have to wait for memory.
_PATIENCE = timedelta(minutes=10)
_GRACE = 5.0  # seconds in which a process ends by itself
_SERVE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from skmmm._model.workers import serve; serve()"
)


class _Failure(NamedTuple):
    """What a worker says before it gives up."""

    told: str
    lost: bool


class _Pickler(pickle.Pickler):
    """Writes tensors as arrays: only the part that is asked for, and no copy of it."""

    def reducer_override(self, thing):
        if type(thing) is torch.Tensor:
            return torch.from_numpy, (np.asarray(thing.detach(), order="C"),)
        if type(thing) is torch.Generator:
            return _generator_at, (thing.get_state(),)
        return NotImplemented


def _generator_at(state):
    """Return random numbers that go on from a state."""
    generator = torch.Generator()
    generator.set_state(state)
    return generator


def _send(stream, thing):
    try:
        _Pickler(stream, protocol=5).dump(thing)
        stream.flush()
    except OSError as error:
        raise PeerLostError(str(error)) from error


def _receive(stream):
    try:
        return pickle.load(stream)
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise PeerLostError(str(error)) from error


def _connected(place, rank, size):
    """Return the group of processes that meet at a file, on this machine only."""
    options = distributed.ProcessGroupGloo._Options()
    options._timeout = _PATIENCE
    options._devices = [
        distributed.ProcessGroupGloo.create_device(hostname="127.0.0.1")
    ]
    store = distributed.FileStore(place, size)
    return distributed.ProcessGroupGloo(store, rank, size, options)


class Workers:
    """Processes that compute with this one, which is one of `size`."""

    def __init__(self, size):
        self.size, self.pid = size, os.getpid()
        self._processes = []
        self._group = None
        self._failures = {}  # that were read already, by process
        self._lock = threading.Lock()

    def start(self):
        """Start the processes, and meet them."""
        for _ in range(self.size - 1):
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", _SERVE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            except OSError as error:
                self._kill()
                raise RuntimeError(f"A worker cannot be started: {error}") from error
            self._processes.append(process)
        with self._stopping_on_failure(), tempfile.TemporaryDirectory() as folder:
            place = str(Path(folder) / "meeting")
            for rank, process in enumerate(self._processes, 1):
                _send(process.stdin, sys.path)
                _send(process.stdin, (place, rank, self.size))
            for process in self._processes:
                _receive(process.stdout)
            self._group = _connected(place, 0, self.size)
            for process in self._processes:
                _receive(process.stdout)

    def stop(self):
        """End the processes; harmless where there are none."""
        self._group = None
        for process in self._processes:
            _close(process.stdin)
        for process in self._processes:
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process.stdout)
        self._processes = []

    def run(self, function, n_regions, block, *arguments, here=()):
        """Call a function in all processes, each with its own block of regions.

        Parameters
        ----------
        function : callable
            Of a module. Called with what `block` returns and the arguments.
        n_regions : int
        block : callable
            From a slice of the regions to what the function needs to know of them.
        arguments : sequence
            The same in all processes.
        here : sequence
            Further arguments in this process only.

        Returns
        -------
        found : list
            What the function returned in each process.
        """
        if n_regions < self.size:
            raise ValueError(
                f"region_workers({self.size}) shares the regions of a panel among "
                f"{self.size} processes, and this one has {n_regions}. Ask for at most "
                f"{n_regions} processes, or fit without workers."
            )
        mine, *others = _blocks(n_regions, self.size)
        with (
            self._lock,  # a thread may have a copy of the context
            self._stopping_on_failure(),
            _shared_by(None),
            share_of_threads(self.size) as n_threads,
        ):
            if not self._processes:
                self.start()
            for process, own in zip(self._processes, others, strict=True):
                task = n_regions, n_threads, function, (*block(own), *arguments)
                _send(process.stdin, task)
            del task  # its memory is for what follows
            with among(Ranks(self._group, 0, self.size, n_regions, self._decide)):
                found = [function(*block(mine), *arguments, *here)]
            for process in self._processes:
                answer = _receive(process.stdout)
                if isinstance(answer, _Failure):
                    self._failures[process.pid] = answer
                    raise PeerLostError(answer.told)
                found.append(answer)
        return found

    def _decide(self, choose):
        """Return what this process chooses, and tell all others."""
        with among(None):
            chosen = choose()
        for process in self._processes:
            _send(process.stdin, chosen)
        return chosen

    @contextmanager
    def _stopping_on_failure(self):
        """Stop all processes where something fails: they wait for each other."""
        try:
            yield
        except PeerLostError as error:
            message = self._what_happened()
            self._kill()
            raise RuntimeError(message) from error
        except BaseException:
            self._kill()
            raise

    def _kill(self):
        for process in self._processes:
            process.kill()
        self.stop()

    def _what_happened(self):
        """Return which worker failed first, and why as far as it can be said."""
        found: dict[int, str] = {}
        for rank, process in enumerate(self._processes, 1):
            name = f"Worker {rank + 1} of {self.size} (process {process.pid})"
            fate, severity = _fate(process, self._failures.get(process.pid))
            found.setdefault(severity, f"{name} {fate}")
        return f"{found[min(found)]} All were stopped; the next fit starts new ones."


def _fate(process, failure):
    """Return what became of a worker, and its place among likely causes."""
    try:
        code = process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        return "does not answer.", 2
    while failure is None:
        try:
            said = _receive(process.stdout)
        except PeerLostError:
            why = " Often that is for want of memory." if code == -9 else ""
            return f"has died (exit code {code}).{why}", 0
        failure = said if isinstance(said, _Failure) else None
    return f"failed.\n{failure.told}", 3 if failure.lost else 1


def _close(stream):
    """Close a pipe, whatever is left in it."""
    try:
        stream.close()
    except OSError:
        pass


def _blocks(n_regions, n_blocks):
    """Return slices of regions, as even as can be."""
    ends = [n_regions * k // n_blocks for k in range(n_blocks + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def serve():
    """Do what the calling process asks for, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process decides
    hear, tell = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no answer
    try:
        _serve(hear, tell)
    except PeerLostError:
        pass
    # Without waiting for threads of lost connections.
    os._exit(0)


def _serve(hear, tell):
    place, rank, size = _receive(hear)
    _send(tell, "here")
    group = _connected(place, rank, size)
    _send(tell, "connected")
    while True:
        n_regions, n_threads, function, arguments = _receive(hear)
        ranks = Ranks(group, rank, size, n_regions, lambda choose: _receive(hear))
        torch.set_num_threads(n_threads)
        try:
            with (
                threads_for_blocks(),
                threadpool_limits(1, user_api="blas"),
                among(ranks),
            ):
                answer = function(*arguments)
        except Exception as error:
            lost = isinstance(error, PeerLostError)
            _send(tell, _Failure(traceback.format_exc(), lost))
            os._exit(1)
        _send(tell, answer)
        del function, arguments, answer  # their memory is for the next


_workers: ContextVar[Workers | None] = ContextVar("workers", default=None)


@contextmanager
def _shared_by(workers):
    """Let `workers_for` return these."""
    token = _workers.set(workers)
    try:
        yield
    finally:
        _workers.reset(token)


@contextmanager
def processes(size):
    """Fit on so many processes, this one among them, until the end of the block."""
    if size == 1:
        with _shared_by(None):
            yield
        return
    if not distributed.is_available() or not distributed.is_gloo_available():
        raise RuntimeError(
            "This build of PyTorch cannot connect processes: it has no "
            "torch.distributed with Gloo. Fit without workers."
        )
    workers = Workers(size)
    try:
        workers.start()
        with _shared_by(workers):
            yield
    finally:
        workers.stop()


def blocks_of(network, inputs, target):
    """Return a function from a slice of the regions to these parts of them."""
    return lambda own: (
        network.in_regions(own),
        inputs.in_regions(own),
        target.part(own),
    )


def workers_for(target):
    """Return the `Workers` that share the regions of a target, None for no others.

    There are none where there are experiments, which concern regions of any block, and
    none inside of what they compute, nor in a copy of the process (fork).
    """
    workers = _workers.get()
    if target.experiments is not None or workers is None or workers.pid != os.getpid():
        return None
    return workers
