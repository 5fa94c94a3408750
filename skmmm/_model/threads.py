"""How many threads torch computes on."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

_helpers: ContextVar[ThreadPoolExecutor | None] = ContextVar("helpers", default=None)


@contextmanager
def one_thread():
    """Compute on one thread: repeatable to the bit, and no waiting for others."""
    import torch  # takes seconds, and is not needed until there is a model

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
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
    import torch

    n_threads = min(torch.get_num_threads(), n_processors())
    with one_thread():
        if n_threads == 1:
            yield
            return
        # Its threads compute what they are asked for without asking others.
        with ThreadPoolExecutor(
            n_threads, initializer=_helpers.set, initargs=(None,)
        ) as pool:
            token = _helpers.set(pool)
            try:
                yield
            finally:
                _helpers.reset(token)


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
