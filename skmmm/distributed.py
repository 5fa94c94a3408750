"""One panel on several processes of one machine, each with some of its regions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

__all__ = ["region_workers"]


@contextmanager
def region_workers(n_workers: int) -> Iterator[None]:
    """Fit on several processes, each with some of the regions of the panel.

    For panels of so many regions that training and draws take minutes: each process
    trains and draws for its own regions, and the processes add up what all regions say
    of what they share. It is the same fit, but for rounding, which draws
    make larger as any other change of rounding does; with the same number of processes
    it is the same to the bit.

    Parameters
    ----------
    n_workers : int
        Processes that compute, the calling one among them: one less is started. They
        share the threads that a fit uses otherwise. At most as many as there are
        regions.

    Yields
    ------
    None
        Every `fit` of :class:`~skmmm.DeepCausalMMMRegressor` in the block, and in the
        same thread, uses the processes. They end with the block, and with the calling
        process however it ends.

    Raises
    ------
    TypeError, ValueError
        If `n_workers` is no positive integer. A `fit` raises ValueError if it has fewer
        regions than there are processes.
    RuntimeError
        If PyTorch was built without Gloo, or a process cannot be started, or dies or
        fails during `fit`: it says which and why, leaves the estimator as it was, and
        the next `fit` starts new processes.

    Notes
    -----
    Training and draws are shared out. The calling process alone reads the table, does
    all that comes after the draws, and takes in `experiments`: its peak of memory is
    that of a fit without workers. Fits in processes of joblib use none.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.distributed import region_workers
    >>> data = make_mmm_panel(6, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=data.media, region="region", time="week", n_draws=0, graph=None
    ... )
    >>> with region_workers(2):
    ...     model = model.fit(data.X, data.y)
    >>> model.predict(data.X).shape
    (360,)
    """
    if not isinstance(n_workers, Integral) or isinstance(n_workers, bool):
        raise TypeError(f"n_workers must be an integer, got {n_workers!r}.")
    if n_workers < 1:
        raise ValueError(f"n_workers must be at least 1, got {n_workers}.")
    # torch takes seconds to import
    from skmmm._model.workers import ThisMachine, processes

    with processes(int(n_workers), ThisMachine()):
        yield
