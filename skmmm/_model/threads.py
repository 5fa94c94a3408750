"""How many threads torch computes on."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

_helpers: ContextVar[ThreadPoolExecutor | None] = ContextVar("helpers", default=None)
_n_threads: ContextVar[int] = ContextVar("n_threads", default=1)


@contextmanager
def one_thread():
    """Compute on one thread: repeatable to the bit, and no waiting for others.

    Yields how many threads torch computed on before.
    """
    import torch  # takes seconds, and is not needed until there is a model

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)


@contextmanager
def threads_for_blocks():
    """Compute each operation on one thread, and blocks of regions side by side.

    On as many threads as torch would use (``OMP_NUM_THREADS``,
    ``torch.set_num_threads``; in processes of joblib their share of the processors),
    and not more than there are processors to run on. What is computed does not depend
    on their number.
    """
    with one_thread() as n_threads, _blocks_on(min(n_threads, n_processors())):
        yield


@contextmanager
def share_of_threads(n_processes):
    """Inside `threads_for_blocks`, use no more than one of many processes may.

    Yields how many threads these are.
    """
    n_threads = max(_n_threads.get() // n_processes, 1)
    with _blocks_on(n_threads):
        yield n_threads


@contextmanager
def _blocks_on(n_threads):
    """Compute blocks of regions on so many threads."""
    with ExitStack() as stack:
        pool = None
        if n_threads > 1:
            # Its threads compute what they are asked for without asking others.
            pool = stack.enter_context(
                ThreadPoolExecutor(
                    n_threads, initializer=_helpers.set, initargs=(None,)
                )
            )
        tokens = _helpers.set(pool), _n_threads.set(n_threads)
        try:
            yield
        finally:
            _helpers.reset(tokens[0])
            _n_threads.reset(tokens[1])


def n_processors():
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def of_each(function, blocks):
    """Return what a function makes of each block, in their order.

    Inside `threads_for_blocks`, side by side. There are no derivatives of it.
    """
    import torch

    def without_derivatives(block):
        with torch.no_grad():
            return function(block)

    pool, blocks = _helpers.get(), list(blocks)
    if pool is None or len(blocks) < 2:
        return [without_derivatives(block) for block in blocks]
    return list(pool.map(without_derivatives, blocks))
