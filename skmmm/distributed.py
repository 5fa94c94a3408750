"""One panel on several processes, each with some of its regions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

__all__ = ["ranks", "region_workers"]


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
    Training and draws are shared out, and so is the memory that they take. The calling
    process alone reads the table, does all that comes after the draws, and takes in
    `experiments`: it needs the memory of rows and draws besides. Fits in processes of
    joblib use none.

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


@contextmanager
def ranks() -> Iterator[None]:
    """Fit on processes that torchrun has started, each with rows of its own.

    Every rank reads its regions, and all call `fit` with them. It is the fit of the
    rows of all ranks: rank 0 collects them, and training and draws are shared out
    among the ranks, as :func:`region_workers` does among processes that it starts.

    Yields
    ------
    None
        Every `fit` of :class:`~skmmm.DeepCausalMMMRegressor` in the block, and in the
        same thread, is one of all ranks: each has to call it, with the same parameters
        and columns. Each then has the whole fitted model, which knows all regions.

    Raises
    ------
    RuntimeError
        If the process was not started by torchrun, nor by anything else that sets
        ``RANK``, ``WORLD_SIZE``, ``MASTER_PORT`` and ``MASTER_ADDR``, an address of
        rank 0 that all machines reach, or PyTorch was built without Gloo. A
        `fit` raises it if another rank could not fit, has ended or cannot be reached,
        and says which as far as it knows; the rank that could not raises its own
        error. The estimators are as they were.

    See Also
    --------
    region_workers : Starts the processes itself, on one machine.

    Notes
    -----
    What has to fit in the memory of rank 0 is the panel, as in a fit without others;
    columns that the model does not use are best left out. `experiments` are taken in,
    and warnings and progress told, by rank 0 alone. The process group of PyTorch
    tells where rank 0 listens; if there is none, one with Gloo is made, and stays. A
    step before the model in a pipeline
    learns from the rows of its own rank. `partial_fit` of a fitted model and `fit` of
    GroupedRegressor and DaskMMMRegressor raise ValueError.

    Examples
    --------
    With ``torchrun --nproc-per-node 2 fit.py`` a fit of two regions, one in each rank:

    >>> import os
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.distributed import ranks
    >>> data = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> rank = int(os.environ["RANK"])  # doctest: +SKIP
    >>> own = data.X["region"] == f"region_{rank + 1}"  # doctest: +SKIP
    >>> model = DeepCausalMMMRegressor(
    ...     media=data.media, region="region", time="week", n_draws=0, graph=None
    ... )
    >>> with ranks():  # doctest: +SKIP
    ...     model.fit(data.X[own], data.y[own])
    >>> model.predict(data.X[own]).shape  # doctest: +SKIP
    (60,)
    """
    # torch takes seconds to import
    from skmmm._estimator.ranks import fits_on
    from skmmm._model.rank_machines import joined_ranks

    with joined_ranks() as joined, fits_on(joined):
        yield
