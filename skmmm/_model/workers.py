"""Processes that fit one panel together, each some of its regions.

The calling process is the first of them. It sends each worker a function and its block
of regions, and all run it at once; `skmmm._model.sums` is how they come together.
Commands and results pass through pipes, which end when either side ends: a worker whose
caller has died stops, and a caller notices a worker that has died.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as distributed
from threadpoolctl import threadpool_limits

from skmmm._model.sums import PeerLostError, Ranks, among
from skmmm._model.threads import share_of_threads, threads_for_blocks

# How long to wait for a process that is there but says nothing. One that dies is
# noticed at once; others may have to wait for memory.
PATIENCE = timedelta(minutes=10)
GRACE = 5.0  # seconds in which a process ends by itself
CONNECTED = "connected"
# Some builds of PyTorch have no stores, and start no processes that need one.
_Store: Any = getattr(distributed, "Store", object)
_SERVE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from skmmm._model.workers import serve; serve()"
)


class _Failure(NamedTuple):
    """What a worker says before it gives up."""

    told: str
    lost: bool


class ToldError(Exception):
    """A worker has failed, and the calling process was told why."""


class Task(NamedTuple):
    """What a worker is to compute."""

    n_regions: int
    n_threads: int
    function: Callable
    arguments: tuple


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


def send(stream, thing):
    """Write something to a stream, or raise if nobody reads it."""
    try:
        _Pickler(stream, protocol=5).dump(thing)
        stream.flush()
    except OSError as error:
        raise PeerLostError(str(error)) from error


def receive(stream):
    """Return what a stream says next, or raise if nobody writes to it."""
    try:
        return pickle.load(stream)
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise PeerLostError(str(error)) from error


class _CallersStore(_Store):
    """The store of the calling process, in another one.

    Through it the processes say where they listen for each other. It is asked as the
    other process answers all else, so that nobody else can say so.
    """

    def __init__(self, next_word, tell):
        super().__init__()
        self._next_word, self._tell = next_word, tell

    def _asked(self, name, *arguments):
        send(self._tell, (name, arguments))
        return self._next_word()

    def set(self, key, value):
        self._asked("set", key, value)

    def get(self, key):
        return self._asked("get", key)

    def wait(self, keys, timeout=PATIENCE):
        self._asked("wait", keys, timeout)


def _answer_from(store, process):
    """Let a process use a store until it says that it is connected."""
    while (asked := receive(process.stdout)) != CONNECTED:
        name, arguments = asked
        send(process.stdin, getattr(store, name)(*arguments))


def _connected(store, host, rank, size):
    """Return the group of processes that have a store in common.

    Parameters
    ----------
    store : Store
    host : str
        Where the others reach this process. It listens nowhere else.
    rank, size : int
    """
    options = distributed.ProcessGroupGloo._Options()
    options._timeout = PATIENCE
    options._devices = [distributed.ProcessGroupGloo.create_device(hostname=host)]
    return distributed.ProcessGroupGloo(store, rank, size, options)


class LocalProcess(subprocess.Popen):
    """A worker on this machine, which hears and tells through pipes."""

    host = "127.0.0.1"
    n_threads = None  # its share of those of the calling process

    def __init__(self):
        super().__init__(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def name(self):
        """What messages call it."""
        return f"process {self.pid}"

    def introduce(self):
        """Make it ready to be told where to meet."""
        send(self.stdin, sys.path)

    def hang_up(self):
        """Let it end, as there is no more to do."""
        close_stream(self.stdin)

    def end(self):
        """Wait until it has ended."""
        try:
            self.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()
        close_stream(self.stdout)

    def fate(self):
        """Return in words how it ended, None if it did not."""
        try:
            code = self.wait(GRACE)
        except subprocess.TimeoutExpired:
            return None
        return died(code)


def died(code):
    """Return in words that a process has ended with an exit code."""
    why = " Often that is for want of memory." if code == -9 else ""
    return f"has died (exit code {code}).{why}"


class ThisMachine:
    """Where workers run that the calling process starts itself."""

    host = "127.0.0.1"
    afterwards = "All were stopped; the next fit starts new ones."

    def start(self, rank):
        """Return a new process."""
        return LocalProcess()

    def sharing(self, size):
        """Return how many of all processes share the threads of the calling one."""
        return size


class Workers:
    """Processes that compute with this one, which is one of `size`.

    Parameters
    ----------
    size : int
    machines : ThisMachine, DaskMachines or RankMachines
        Where the others run.
    """

    def __init__(self, size, machines):
        self.size, self.pid = size, os.getpid()
        self._machines = machines
        self._processes = []
        self._ranks: Any = None
        self._failures = {}  # that were read already, by process
        self._lock = threading.Lock()

    def start(self):
        """Start the processes, and meet them."""
        for rank in range(1, self.size):
            try:
                process = self._machines.start(rank)
            except OSError as error:
                self._kill()
                raise RuntimeError(f"A worker cannot be started: {error}") from error
            self._processes.append(process)
        with self._stopping_on_failure():
            for rank, process in enumerate(self._processes, 1):
                process.introduce()
                send(process.stdin, (process.host, rank, self.size))
            for process in self._processes:
                receive(process.stdout)
            self._ranks = self._meet()

    def _meet(self):
        """Return the `Ranks` of all processes, to each of which others were named."""
        store, host = distributed.HashStore(), self._machines.host
        ended: queue.SimpleQueue = queue.SimpleQueue()
        _in_background(lambda: _connected(store, host, 0, self.size), ended.put)
        for process in self._processes:
            _in_background(partial(_answer_from, store, process), ended.put)
        group = None
        for _ in range(self.size):
            # The first to fail, as this process waits for others whatever they do.
            found = ended.get()
            if isinstance(found, Exception):
                raise PeerLostError(str(found)) from found
            group = found or group
        return Ranks(group, 0, self.size, 0, self._decide)

    def stop(self):
        """End the processes; harmless where there are none."""
        if self._ranks is not None:
            self._ranks.leave()
        for process in self._processes:
            process.hang_up()
        for process in self._processes:
            process.end()
        self._processes, self._failures = [], {}

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
                f"The regions of a panel are shared among {self.size} processes, and "
                f"this one has {n_regions}. Use at most {n_regions} processes, or fit "
                "without others."
            )
        mine, *others = _blocks(n_regions, self.size)
        with (
            self._lock,  # a thread may have a copy of the context
            self._stopping_on_failure(),
            _shared_by(None),
            share_of_threads(self._machines.sharing(self.size)) as n_threads,
        ):
            if not self._processes:
                self.start()
            for process, own in zip(self._processes, others, strict=True):
                own_threads = process.n_threads or n_threads
                own_arguments = *block(own), *arguments
                task = Task(n_regions, own_threads, function, own_arguments)
                send(process.stdin, task)
            del task, own_arguments  # their memory is for what follows
            self._ranks.n_regions = n_regions
            with among(self._ranks):
                found = [function(*block(mine), *arguments, *here)]
            for process in self._processes:
                answer = receive(process.stdout)
                if isinstance(answer, _Failure):
                    self._failures[process] = answer
                    raise PeerLostError(answer.told)
                found.append(answer)
        return found

    def hear(self):
        """Return what each of the others says next."""
        with self._stopping_on_failure():
            return [receive(process.stdout) for process in self._processes]

    def tell(self, thing):
        """Say something to all others."""
        with self._stopping_on_failure():
            for process in self._processes:
                send(process.stdin, thing)

    def _decide(self, choose):
        """Return what this process chooses, and tell all others."""
        with among(None):
            chosen = choose()
        for process in self._processes:
            send(process.stdin, chosen)
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
            name = f"Worker {rank + 1} of {self.size} ({process.name})"
            fate, severity = _fate(process, self._failures.get(process))
            found.setdefault(severity, f"{name} {fate}")
            if severity == 0:
                break  # no need to wait for the others
        return f"{found[min(found)]} {self._machines.afterwards}"


def _fate(process, failure):
    """Return what became of a worker, and its place among likely causes."""
    while failure is None:
        fate = process.fate()
        said = None if fate is None else _last_word(process.stdout)
        if said is None:
            return "does not answer.", 2
        if isinstance(said, Exception):
            return fate, 0
        failure = said if isinstance(said, _Failure) else None
    return f"failed.\n{failure.told}", 3 if failure.lost else 1


def _last_word(stream):
    """Return what a stream says next, or raises; None if it is silent.

    Another thread may be reading it, and would keep this one waiting.
    """
    said: queue.SimpleQueue = queue.SimpleQueue()
    _in_background(partial(receive, stream), lambda word: said.put((word,)))
    try:
        (word,) = said.get(timeout=GRACE)
    except queue.Empty:
        return None
    return word


def _in_background(call, then):
    """Call a function in another thread, and another one with what it gives or raises.

    At the end of the process nobody waits for it.
    """

    def run():
        try:
            found = call()
        except Exception as error:
            found = error
        then(found)

    threading.Thread(target=run, daemon=True).start()


def close_stream(stream):
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
    answer(lambda: receive(hear), tell)


def answer(next_word, tell):
    """Compute what the calling process asks for, until it ends.

    Parameters
    ----------
    next_word : callable
        Returns what the calling process says next.
    tell : binary file
        Takes answers to it.
    """
    code = 0
    try:
        compute(next_word, tell, meet(next_word, tell))
    except PeerLostError:
        pass
    except ToldError:
        code = 1
    # Without waiting for threads of lost connections.
    os._exit(code)


def meet(next_word, tell):
    """Return the `Ranks` of a worker, once it is connected to the others."""
    host, rank, size = next_word()
    send(tell, "here")
    store = _CallersStore(next_word, tell)
    group = _connected(store, host, rank, size)
    send(tell, CONNECTED)
    return Ranks(group, rank, size, 0, lambda choose: next_word())


def compute(next_word, tell, ranks):
    """Compute tasks of the calling process; return the first word that is none."""
    while isinstance(task := next_word(), Task):
        ranks.n_regions = task.n_regions
        torch.set_num_threads(task.n_threads)
        try:
            with (
                threads_for_blocks(),
                threadpool_limits(1, user_api="blas"),
                among(ranks),
            ):
                found = task.function(*task.arguments)
        except Exception as error:
            lost = isinstance(error, PeerLostError)
            send(tell, _Failure(traceback.format_exc(), lost))
            raise ToldError from error
        send(tell, found)
        del task, found  # their memory is for the next
    return task


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
def processes(size, machines):
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
    workers = Workers(size, machines)
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
