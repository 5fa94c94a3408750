"""One panel on a Dask cluster: the same model, and no process left behind."""

import doctest
import os
import pickle
import signal
import socket
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import skmmm.dask
from helpers import AfterIterations
from skmmm import DeepCausalMMMRegressor
from skmmm._model import dask_machines, workers
from skmmm._model import door as doors
from skmmm._model.door import Door
from skmmm.dask import DaskMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.distributed import region_workers

distributed = pytest.importorskip("distributed")
dd = pytest.importorskip("dask.dataframe")
N_TRAINED = 40  # weeks


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(5, N_TRAINED + 6, n_media=2, random_state=0)


@pytest.fixture(scope="module")
def trained(world):
    """Which rows models are fitted to: all but the last six weeks."""
    return world.X["week"].isin(world.X["week"].unique()[:N_TRAINED])


@pytest.fixture(scope="module")
def wide(world, trained):
    """Rows in any order, beside columns that no model uses."""
    frame = world.X.assign(sales=world.y, note="x", more=1.0)[trained]
    return frame.sample(frac=1.0, random_state=0)


@pytest.fixture(scope="module")
def settings(world):
    return {
        "media": world.media,
        "controls": world.controls,
        "region": "region",
        "time": "week",
        "max_lag": 3,
        "max_iter": 8,
        "n_draws": 0,
        "graph": None,
        "random_state": 0,
    }


@pytest.fixture
def one(settings):
    return DeepCausalMMMRegressor(**settings)


def in_partitions(frame, n):
    return dd.from_pandas(frame, npartitions=n, sort=False)


@pytest.fixture(scope="module")
def fitted(client, wide, settings):
    one = DeepCausalMMMRegressor(**settings)
    model = DaskMMMRegressor(one, client=client, n_workers=2)
    return model.fit(in_partitions(wide, 3), "sales")


def test_the_fit_is_that_of_as_many_processes(world, trained, fitted, one):
    with region_workers(2):
        one.fit(world.X[trained], world.y[trained])
    model = fitted.to_local()
    assert_array_equal(model.loss_curve_, one.loss_curve_)
    assert_array_equal(model.predict(world.X), one.predict(world.X))
    assert model.feature_names_in_.tolist() == list(world.X)


@pytest.mark.usefixtures("client")
def test_partitions_change_nothing(world, trained, wide, one):
    # In another order, some of them empty, and y beside X.
    empty = in_partitions(wide, 1).query("more < 0")
    X = dd.concat([in_partitions(wide[::-1], 2), empty])
    assert not X.known_divisions
    model = DaskMMMRegressor(one, n_workers=1).fit(X.drop(columns="more"), X["sales"])
    model = model.to_local()
    one.fit(world.X[trained], world.y[trained])
    assert_array_equal(model.loss_curve_, one.loss_curve_)
    assert_array_equal(model.predict(world.X), one.predict(world.X))


@pytest.mark.usefixtures("client")
def test_brand_channels_are_columns_of_the_frame(world, trained, wide, one):
    one.set_params(brand_channels=["media_2"])
    model = DaskMMMRegressor(one, n_workers=1).fit(in_partitions(wide, 2), "sales")
    slow = model.to_local().brand_effects()
    one.fit(world.X[trained], world.y[trained])
    assert_allclose(slow["long"], one.brand_effects()["long"], rtol=1e-9)


def by_region(frame):
    """Return rows with a partition for each of the five regions."""
    parts = [rows for _, rows in frame.groupby("region")]
    assert len(parts) == 5
    return dd.concat([in_partitions(part, 1) for part in parts])


@pytest.mark.parametrize("missing", [None, 0])
def test_predictions_are_those_of_all_rows(world, trained, fitted, missing):
    coming = world.X[~trained].sort_values(["region", "week"]).assign(note="x")
    if missing is not None:  # a week in one region
        coming = coming.drop(index=coming.index[missing])
    X = by_region(coming)
    found = fitted.predict(X)
    assert isinstance(found, dd.Series)
    assert found.npartitions == X.npartitions
    found = found.compute(scheduler="synchronous")
    expected = fitted.predict(coming)
    assert isinstance(expected, np.ndarray)
    assert_array_equal(found.index, coming.index)
    assert_allclose(found, expected, rtol=1e-12)
    assert_array_equal(expected, fitted.to_local().predict(coming.drop(columns="note")))


def test_partitions_that_part_a_region_are_refused(world, trained, fitted):
    X = in_partitions(world.X[~trained], 4)
    found = fitted.predict(X)
    with pytest.raises(
        ValueError, match=r"partitions 0 and 3 .*shuffle\(on='region'\)"
    ):
        found.compute(scheduler="synchronous")
    found = fitted.predict(X.shuffle(on="region")).compute()  # on the cluster
    expected = pd.Series(fitted.predict(world.X[~trained]), world.X.index[~trained])
    assert_allclose(found.sort_index(), expected, rtol=1e-12)


def test_periods_that_no_partition_has_are_missed(world, fitted):
    weeks = world.X["week"].unique()[N_TRAINED + 1 :]
    X = by_region(world.X[world.X["week"].isin(weeks)])
    with pytest.raises(ValueError, match="no row for 1 period between"):
        fitted.predict(X).compute(scheduler="synchronous")
    with pytest.raises(ValueError, match="no column 'week'"):
        fitted.predict(X.drop(columns="week"))


def test_copies_share_the_client_and_pickles_leave_it_out(fitted, client, world):
    copied = clone(fitted)
    assert copied.client is client
    assert not hasattr(copied, "estimator_")
    stored = pickle.loads(pickle.dumps(fitted))
    assert stored.client is None
    assert_array_equal(stored.predict(world.X), fitted.predict(world.X))


def test_another_version_is_told(client, wide, one, monkeypatch):
    monkeypatch.setattr(skmmm.dask, "__version__", "0.0.1")
    with pytest.raises(RuntimeError, match=r"this Dask worker has skmmm .*0\.0\.1"):
        DaskMMMRegressor(one, n_workers=2).fit(in_partitions(wide, 1), "sales")


def children():
    """Return the processes that a Dask worker has started."""
    import psutil

    return [child.pid for child in psutil.Process().children()]


def gone(pid):
    """Return whether a process ends within some seconds."""
    import psutil

    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def ports():
    """Return the ports at which this process listens."""
    psutil = pytest.importorskip("psutil", "6.0")
    found = psutil.Process().net_connections("tcp4")
    return {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}


@pytest.mark.usefixtures("client")
def test_strangers_find_one_door_and_hold_nobody_up(wide, one, monkeypatch):
    before, opened, strangers = ports(), [], []

    def meet(*arguments):
        opened.extend(ports() - before)
        return connected(*arguments)

    class CrowdedDoor(Door):
        def __init__(self, host):
            super().__init__(host)
            strangers.append(socket.create_connection(self.address))

    connected = workers._connected
    monkeypatch.setattr(workers, "_connected", meet)
    monkeypatch.setattr(dask_machines, "Door", CrowdedDoor)
    one.set_params(max_iter=1)
    start = time.monotonic()
    DaskMMMRegressor(one, n_workers=2).fit(in_partitions(wide, 1), "sales")
    assert time.monotonic() - start < 0.9 * doors._DEADLINE
    (stranger,) = strangers
    assert opened == [stranger.getpeername()[1]]
    stranger.close()


def test_hosts_without_ipv4_are_named():
    from skmmm._model.dask_machines import host_of, own_host_towards

    with pytest.raises(RuntimeError, match=r"'::1' by IPv4 .* Pass n_workers=1"):
        own_host_towards([host_of("tcp://[::1]:8786")])


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("changed", "y", "message"),
    [
        ({}, "sale", "y='sale' is not a column of X"),
        ({"media": ["tv"]}, "sales", "media='tv' is not a column of X"),
        ({"media": [0, 1]}, "sales", "media names column 0 by its position"),
        ({"synergies": [(0, 1)]}, "sales", "synergies names column 0 by its position"),
        ({"media_cost": {0: 1.0}}, "sales", "media_cost names column 0"),
        ({"region": None}, "sales", "Ask for at most 1"),
    ],
)
def test_bad_columns_are_named(wide, one, changed, y, message):
    one.set_params(**changed)
    model = DaskMMMRegressor(one, n_workers=2)
    with pytest.raises(ValueError, match=message):
        model.fit(in_partitions(wide, 2), y)
    assert not hasattr(model, "estimator_")


@pytest.mark.usefixtures("client")
def test_bad_tables_are_named(wide, one):
    model = DaskMMMRegressor(one, n_workers=2)
    X = in_partitions(wide, 2)
    with pytest.raises(TypeError, match="X must be a Dask DataFrame, got DataFrame"):
        model.fit(wide, "sales")
    with pytest.raises(TypeError, match="y must be the name"):
        model.fit(X, wide["sales"])
    with pytest.raises(ValueError, match="y has 3 partitions and X 2"):
        model.fit(X, in_partitions(wide["sales"], 3))
    with pytest.raises(ValueError, match="the index of a partition differs"):
        model.fit(X, in_partitions(wide["sales"][::-1], 2))
    alike = in_partitions(wide.set_axis([7] * len(wide)), 2)
    with pytest.raises(ValueError, match="index of a partition has 7 twice"):
        model.fit(alike, alike["sales"])
    with pytest.raises(ValueError, match=r"Found array with 0 sample"):
        model.fit(X.query("more < 0"), "sales")
    with pytest.raises(ValueError, match="n_workers=4 needs 3 Dask workers"):
        DaskMMMRegressor(one, n_workers=4).fit(X, "sales")
    with pytest.raises(ValueError, match="labelled 7"):
        model.fit(X.rename(columns={"note": 7}), "sales")


class ClusterOf:
    """As much of a client as is asked before anything is sent."""

    def __init__(self, address, n_workers):
        self.scheduler, self.n_workers = SimpleNamespace(address=address), n_workers

    def nthreads(self):
        return {f"{self.scheduler.address}{k}": 1 for k in range(self.n_workers)}


def test_data_of_encrypted_clusters_stay_there():
    cluster = ClusterOf("tls://a:1", 2)
    with pytest.raises(ValueError, match=r"encrypts .* Pass n_workers=1"):
        skmmm.dask._dask_workers(cluster, None)
    assert skmmm.dask._dask_workers(cluster, 1) == []
    with pytest.raises(ValueError, match="no workers"):
        skmmm.dask._dask_workers(ClusterOf("tcp://a:1", 0), None)


def test_somebody_has_to_start_a_client(wide, one, monkeypatch):
    def nobody():
        raise ValueError("no clients")

    monkeypatch.setattr(distributed.Client, "current", nobody)
    with pytest.raises(ValueError, match=r"Start one first, client = distributed"):
        DaskMMMRegressor(one).fit(in_partitions(wide, 2), "sales")
    client = type("Other", (), {"submit": print, "gather": print})()
    with pytest.raises(TypeError, match=r"must be a distributed\.Client"):
        DaskMMMRegressor(one, client=client).fit(in_partitions(wide, 2), "sales")


def test_example_in_docstring():
    result = doctest.testmod(skmmm.dask)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("missing", ["distributed", "dask.dataframe"])
def test_what_to_install_is_told(fitted, wide, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    call = fitted.predict if missing == "dask.dataframe" else clone(fitted).fit
    arguments = (wide,) if missing == "dask.dataframe" else (wide, "sales")
    with pytest.raises(ImportError, match=r'pip install "skmmm\[dask\]"'):
        call(*arguments)


def test_a_dask_worker_that_dies_is_named(client, wide, fitted, one):
    pytest.importorskip("sklearn.callback")
    started = []

    def act():
        found = {address: own for address, own in client.run(children).items() if own}
        ((address, started[:]),) = found.items()
        os.kill(client.run(os.getpid)[address], signal.SIGKILL)

    one.set_callbacks(AfterIterations(2, act))
    model = DaskMMMRegressor(one, n_workers=2)
    model.estimator_ = fitted.estimator_
    before = dict(vars(model))
    start = time.monotonic()
    message = r"Worker 2 of 2 \(at Dask worker tcp://\S+\) is gone"
    with pytest.raises(RuntimeError, match=message):
        model.fit(in_partitions(wide, 2), "sales")
    assert time.monotonic() - start < 60
    assert vars(model) == before
    assert gone(*started)
