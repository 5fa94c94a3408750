"""How many threads torch computes on."""

from contextlib import contextmanager


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
