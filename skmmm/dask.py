"""One huge panel, held as a Dask DataFrame, fitted on a Dask cluster."""

from __future__ import annotations

from functools import partial
from numbers import Integral
from typing import Any, Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from skmmm._dask_hosting import host
from skmmm._dask_tables import (
    check_fit_tables,
    check_named,
    columns_to_predict,
    gathered,
    in_canonical_order,
    is_dask_frame,
    predicted_lazily,
    running_client,
)
from skmmm._data.checks import resolve_columns
from skmmm._data.costs import money_columns
from skmmm._estimator.ranks import refuse_ranks
from skmmm._regressor import DeepCausalMMMRegressor
from skmmm._utils.labels import counted
from skmmm._utils.sklearn import HasMethods, Interval
from skmmm._version import __version__

__all__ = ["DaskMMMRegressor"]


class DaskMMMRegressor(MetaEstimatorMixin, BaseEstimator):
    """Fit a panel that is held as a Dask DataFrame, on the workers of its cluster.

    Workers of Dask drop the columns that the model does not use; the calling process
    gathers the others, and shares training and draws with processes that run beside
    the Dask workers, as :func:`~skmmm.distributed.region_workers` does on one machine.
    What does not have to fit in memory is the wide table. What has to, in the calling
    process, is one number of 8 bytes per region, period and used column, twice for a
    moment, and what a fit needs besides.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor or None, default=None
        A clone of it is fitted. It names columns by their labels, as positions count
        otherwise once columns are gone; a callable is first called with a frame of all
        columns without rows. None: one with its defaults.
    client : distributed.Client or None, default=None
        None: the client that is running. Clones share it, pickles leave it out.
    n_workers : int or None, default=None
        Processes that compute, the calling one among them: one less is started, each
        beside another Dask worker. 1: the calling process alone. None: one beside each
        Dask worker, as far as there are regions. Results differ in rounding, and hence
        in draws, with their number.

    Attributes
    ----------
    estimator_ : DeepCausalMMMRegressor
        The fitted model, in this process, which answers all questions. Its training
        rows are sorted by region and period; its columns are those that were used.

    See Also
    --------
    skmmm.distributed.region_workers : The same on one machine.

    Notes
    -----
    The processes beside Dask workers have memory of their own, which limits of Dask do
    not count. They reach the calling process and each other by TCP, on ports that the
    system chooses and addresses of IPv4 that the cluster uses, and prove to it that
    they know a secret which came with the task. Nothing is encrypted, and where they
    add up sums nobody has to prove anything: use networks that you trust. Weights of
    rows are not taken.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> from distributed import Client
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.dask import DaskMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> data = make_mmm_panel(3, 60, n_media=2, random_state=0)
    >>> X = dd.from_pandas(data.X.assign(sales=data.y), npartitions=2)
    >>> one = DeepCausalMMMRegressor(
    ...     media=data.media, region="region", time="week", n_draws=0, graph=None
    ... )
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     model = DaskMMMRegressor(one, client=client, n_workers=1).fit(X, "sales")
    >>> model.predict(data.X).shape
    (180,)
    >>> list(model.to_local().channel_summary().index)
    ['media_1', 'media_2']
    """

    _parameter_constraints = {
        "estimator": [DeepCausalMMMRegressor, None],
        "client": [HasMethods(["submit", "gather"]), None],
        "n_workers": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        estimator: DeepCausalMMMRegressor | None = None,
        *,
        client: Any = None,
        n_workers: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.client = client
        self.n_workers = n_workers

    def fit(self, X: Any, y: Any) -> Self:
        """Fit a clone of the estimator.

        Parameters
        ----------
        X : dask.dataframe.DataFrame of shape (n_rows, n_columns)
            One row per region and period, in any order and any partitions, which do
            not change the result.
        y : str or dask.dataframe.Series of shape (n_rows,)
            KPI: the name of its column in X, which then is no medium, or a Series with
            the partitions and the index of X, which has no value twice in a partition.

        Warns
        -----
        UserWarning, ConvergenceWarning
            As :meth:`DeepCausalMMMRegressor.fit`.

        Returns
        -------
        self : DaskMMMRegressor
            The fitted estimator. A fit that raises leaves it as it was.

        Raises
        ------
        ImportError
            Without Dask, which ``pip install "skmmm[dask]"`` brings.
        TypeError
            If X is no Dask DataFrame, or y neither a text nor a Dask Series.
        ValueError
            If there is no client, X lacks a column, `y` is not aligned with X, or
            `n_workers` is more than there are Dask workers and this process, or
            regions; and inside of :func:`skmmm.distributed.ranks`.
        RuntimeError
            If a Dask worker cannot be reached by IPv4, or a process cannot be started
            beside it, or dies or fails, or its Dask worker does: it says which and why,
            and all processes end.
        """
        self._validate_params()
        refuse_ranks(
            f"{type(self).__name__} gathers rows and finds processes by itself",
            "Fit it outside, in one process.",
        )
        self.estimator_ = self._fitted(X, y)
        return self

    def _fitted(self, X, y):
        """Return the fitted model."""
        client = running_client(self.client)
        check_fit_tables(X, y)
        model = DeepCausalMMMRegressor()
        if self.estimator is not None:
            model = clone(self.estimator)
        check_named(model)
        columns, used = _columns_used(model, X._meta, y)
        addresses = _dask_workers(client, self.n_workers)
        frame, target = in_canonical_order(*gathered(client, X, y, used), columns)
        n_regions = 1
        if columns.region is not None:
            n_regions = frame[columns.region].nunique()
        addresses = _share(addresses, self.n_workers, n_regions)
        # torch takes seconds to import
        from skmmm._model.dask_machines import dask_processes

        with dask_processes(client, addresses, partial(host, __version__)):
            return model.fit(frame, target)

    def predict(self, X: Any) -> Any:
        """Predict the KPI.

        Parameters
        ----------
        X : dask.dataframe.DataFrame or DataFrame of shape (n_rows, n_columns)
            With the columns that the model uses; others are ignored. Carry-over reads
            the training rows and the rows of X of the same region, so that a Dask
            DataFrame needs all rows of a region in one partition:
            ``X.shuffle(on="region")`` puts them there.

        Returns
        -------
        y_pred : dask.dataframe.Series or ndarray of shape (n_rows,)
            In KPI units. Of a Dask DataFrame a Series of its partitions and index,
            which nothing has computed yet: every partition is predicted where it is,
            after the columns of region and time of all partitions were checked.

        Raises
        ------
        TypeError
            If X is no table of Dask or pandas.
        ValueError
            If X lacks a column. When the predictions of a Dask DataFrame are computed,
            what `DeepCausalMMMRegressor.predict` raises of all of its rows, and if a
            region is spread over partitions.
        """
        check_is_fitted(self)
        if is_dask_frame(X):
            return predicted_lazily(self.estimator_, X)
        if not hasattr(X, "columns"):
            raise TypeError(
                "X must be a Dask DataFrame or a pandas DataFrame, got "
                f"{type(X).__name__}."
            )
        return self.estimator_.predict(X[columns_to_predict(self.estimator_, X)])

    def to_local(self) -> DeepCausalMMMRegressor:
        """Return the fitted model, which needs neither Dask nor a cluster.

        Returns
        -------
        model : DeepCausalMMMRegressor
            `estimator_`: summaries, intervals, plans, reports and files.
        """
        check_is_fitted(self)
        return self.estimator_

    def __sklearn_clone__(self):
        # A client has no copy.
        estimator = clone(self.estimator, safe=False)
        return type(self)(estimator, client=self.client, n_workers=self.n_workers)

    def __getstate__(self):
        return super().__getstate__() | {"client": None}


def _columns_used(model, meta, y):
    """Return the roles of columns, and all that are used, in the order of X."""
    if model.frequency is not None:
        raise ValueError(
            "DaskMMMRegressor does not read the columns of `frequency` yet. Fit a "
            "DeepCausalMMMRegressor to a pandas frame."
        )
    if isinstance(y, str):
        meta = meta.drop(columns=y)
    roles = ("media", "controls", "region", "time", "population", "media_cost")
    columns = resolve_columns(meta, **{role: getattr(model, role) for role in roles})
    media = list(columns.media)
    money = money_columns(model.media_cost, media, list(meta.columns)).values()
    single = columns.region, columns.time, columns.population
    named = {*media, *columns.controls, *single, *money}
    return columns, [label for label in meta.columns if label in named]


def _dask_workers(client, n_workers):
    """Return the addresses of Dask workers that processes may run beside."""
    found = sorted(client.nthreads())
    if not found:
        raise ValueError("The cluster of the client has no workers. Start some first.")
    if n_workers == 1:
        return []
    if n_workers is not None and n_workers > len(found) + 1:
        raise ValueError(
            f"n_workers={n_workers} needs {n_workers - 1} Dask workers beside this "
            f"process, and the cluster has {len(found)}. Ask for at most "
            f"{len(found) + 1}, or start more."
        )
    if client.scheduler.address.startswith("tls:"):
        raise ValueError(
            "This cluster encrypts what passes between machines, and the processes of "
            "a fit do not. Pass n_workers=1: this process alone computes."
        )
    return found


def _share(addresses, n_workers, n_regions):
    """Return the Dask workers that a fit uses: no process without a region."""
    if n_workers is None:
        return addresses[: n_regions - 1]
    if n_workers > n_regions:
        raise ValueError(
            f"n_workers={n_workers} shares the regions of a panel, and this one has "
            f"{counted(n_regions, 'region')}. Ask for at most {n_regions}."
        )
    return addresses[: n_workers - 1]
