"""Saving and loading: exact, whatever parameters, labels and graphs a model has."""

import copy
import dataclasses
import datetime
import json
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils import Bunch

from skmmm import DeepCausalMMMRegressor
from skmmm._model import ADSTOCKS
from skmmm._model.storage import pack_model
from skmmm._storage.archive import StoredArrays
from skmmm._storage.index import pack_index, unpack_index
from skmmm.graph import NOTEARS, StructuralVAR
from skmmm.inspection._placement import ADVICE

pytestmark = pytest.mark.usefixtures("short_chains")


def test_loaded_model_answers_exactly_as_the_saved_one(fitted, saved, panel):
    loaded = DeepCausalMMMRegressor.load(saved)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict(panel.X), fitted.predict(panel.X))
    np.testing.assert_array_equal(
        loaded.predict_interval(panel.X), fitted.predict_interval(panel.X)
    )
    pd.testing.assert_frame_equal(loaded.contributions(), fitted.contributions())
    pd.testing.assert_frame_equal(loaded.channel_summary(), fitted.channel_summary())
    pd.testing.assert_frame_equal(
        loaded.sampling_diagnostics_, fitted.sampling_diagnostics_
    )
    for name in (
        "carryover_share_",
        "half_saturation_",
        "slope_",
        "coef_",
        "loss_curve_",
    ):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(fitted, name))
    assert loaded.period_ == fitted.period_ == "week"
    assert list(loaded.feature_names_in_) == list(fitted.feature_names_in_)


def test_levels_of_draws_are_computed_where_they_are_asked_for(fitted, panel, tmp_path):
    expected = fitted.predict_interval(panel.X)
    _, arrays = pack_model(fitted._model)
    assert arrays["precision"].shape == (len(fitted.regions_), 60)
    assert not [name for name in arrays if name.startswith("level_draws")]
    level = fitted._model._level_of_draws()
    assert level is fitted._model._level_of_draws()  # once
    earlier = copy.copy(fitted)  # as earlier versions kept them
    earlier._model = dataclasses.replace(
        fitted._model, level_draws=level, precision=None
    )
    earlier.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    np.testing.assert_array_equal(loaded.predict_interval(panel.X), expected)
    smaller = len(pickle.dumps(earlier)) - len(pickle.dumps(fitted))
    assert (
        smaller
        > level.mean.nbytes + level.variance.nbytes - 8 * level.mean[0].numel() - 1000
    )


def test_alarms_are_kept(fitted, tmp_path):
    model = copy.copy(fitted)
    model._alarms = ("", *list(ADVICE)[:2])
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    summary = loaded.channel_summary()
    assert list(summary["alarm"]) == ["", *list(ADVICE)[:2]]
    assert list(summary["verdict"][1:]) == ["not identified"] * 2


def test_array_without_order_or_draws(tmp_path):
    X = np.random.default_rng(0).gamma(2.0, size=(40, 3))
    model = DeepCausalMMMRegressor(n_draws=0, max_iter=20, random_state=0)
    model.fit(X, X.sum(axis=1))
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.sampling_diagnostics_ is model.sampling_diagnostics_ is None


def test_callable_parameter_is_refused(panel, fast, tmp_path):
    def by_dtype(frame):
        return [c for c in frame if c.startswith("media")]

    model = DeepCausalMMMRegressor(media=by_dtype, **fast).fit(panel.X, panel.y)
    with pytest.raises(ValueError, match=r"cannot be saved as data\. Use names"):
        model.save(tmp_path / "model.skmmm")


def test_pickle_and_joblib(fitted, panel, tmp_path):
    expected = fitted.predict(panel.X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(panel.X), expected)
    joblib.dump(fitted, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.predict(panel.X), expected)


def test_costs_by_position_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.exponential(size=(30, 2)), rng.normal(5.0, 1.0, 30)
    model = DeepCausalMMMRegressor(media_cost={0: 2.0}, n_draws=2, max_iter=4).fit(X, y)
    model.set_params(media_cost=None).save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    spend = loaded.channel_summary()["spend"]
    assert spend[0] == pytest.approx(2.0 * X[:, 0].sum())
    assert spend[1] == pytest.approx(X[:, 1].sum())
    model.set_params(media_cost={0: 2.0}).save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert loaded.media_cost == {0: 2.0}


def test_cautions_of_the_graph_read_the_same_after_loading(fitted, tmp_path):
    model = copy.copy(fitted)
    model._graph = dataclasses.replace(fitted._graph, n_factors=4, hidden_demand=True)
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert loaded.channel_graph().cautions == model.channel_graph().cautions
    assert "4 common movements" in " ".join(loaded.channel_graph().cautions)


def small(n_rows=40):
    X = np.random.default_rng(0).gamma(2.0, size=(n_rows, 2))
    return X, X.sum(axis=1)


def quick(series, **parameters):
    """Fit a series of 30 weeks; the numbers do not matter."""
    usual = {"region": "region", "time": "week", "controls": ["price", "holiday"]}
    usual |= {"max_lag": 2, "n_draws": 2, "max_iter": 1}
    usual |= {"graph": StructuralVAR(n_bootstraps=1)}
    model = DeepCausalMMMRegressor(**{**usual, "random_state": 0, **parameters})
    return model.fit(series.X.head(30), series.y.head(30))


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_every_adstock_comes_back(series, tmp_path, adstock):
    model = quick(series, adstock=adstock, graph=None)
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    np.testing.assert_array_equal(loaded.predict(series.X), model.predict(series.X))


def test_what_fit_said_of_the_data_is_saved(series, tmp_path):
    y = series.y.copy()
    y.iloc[7] *= 1e4
    with pytest.warns(UserWarning, match="can hardly be right"):
        model = quick(Bunch(X=series.X, y=y))
    model.save(tmp_path / "a.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "a.skmmm")
    assert loaded.remarks_ == model.remarks_ != []


@pytest.mark.filterwarnings("ignore:'media_1'. no spend")
def test_a_channel_of_either_sign_without_spend_can_be_saved(series, tmp_path):
    data = Bunch(X=series.X.assign(media_1=0.0), y=series.y)
    model = quick(data, free_sign=["media_1"], n_draws=4)
    assert np.isfinite(model._model.contraction).all()
    model.save(tmp_path / "a.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "a.skmmm")
    np.testing.assert_array_equal(loaded.predict(data.X), model.predict(data.X))


def test_equal_fits_write_equal_bytes(series, tmp_path):
    for name in ("a", "b"):
        quick(series).save(tmp_path / name)
    DeepCausalMMMRegressor.load(tmp_path / "a").save(tmp_path / "c")
    first, *others = [(tmp_path / name).read_bytes() for name in "abc"]
    assert others == [first, first]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left")])
def test_a_save_that_is_stopped_leaves_the_file_that_was_there(
    fitted, saved, monkeypatch, stop
):
    def interrupted(*args):
        raise stop

    before = saved.read_bytes()
    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(type(stop) if isinstance(stop, OSError) else stop):
        fitted.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["model.skmmm"]


def test_numbers_of_numpy_in_every_parameter(series, tmp_path):
    parameters = {
        "media": np.array(["media_1", "media_2"]),
        "controls": pd.Index(["price", "holiday"]),
        "region": np.str_("region"),
        "time": "week",
        "max_lag": np.int64(3),
        "free_sign": ("media_2",),
        "media_share": np.float32(0.3),
        "media_cost": {np.str_("media_1"): np.float32(2.0)},
        "priors": {"media_1": {"decay": (np.float32(0.2), np.float64(0.6))}},
        "n_harmonics": np.uint8(1),
        "periods_per_year": np.float32(52.0),
        "n_hidden": np.int8(2),
        "time_varying": np.bool_(True),
        "huber_delta": np.float64(1.5),
        "n_draws": np.int64(2),
        "max_iter": np.int32(1),
        "tol": np.float32(1e-6),
        "verbose": np.int64(0),
        "random_state": np.int64(3),
    }
    of_graph = {
        "media": ("media_1", "media_2"),
        "region": np.str_("region"),
        "forbidden_edges": [(np.str_("media_1"), "media_2")],
        "tiers": (np.array(["media_1"]), ["media_2"]),
        "min_edge_effect": np.float16(0.01),
        "max_lag": np.int64(1),
        "n_bootstraps": np.int64(1),
        "lambda1": np.float32(0.5),
        "threshold": np.float64(0.125),
        "random_state": np.int64(5),
    }
    model = quick(series, graph=NOTEARS(**of_graph), **parameters)
    model.save(tmp_path / "model")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(series.X), model.predict(series.X))
    expected = parameters | {
        "media": ["media_1", "media_2"],
        "controls": ["price", "holiday"],
        **{f"graph__{name}": value for name, value in of_graph.items()},
        "graph__tiers": (["media_1"], ["media_2"]),
    }
    assert {name: loaded.get_params()[name] for name in expected} == expected
    assert type(loaded.graph) is NOTEARS


def test_a_graph_with_its_settings_is_saved(series, tmp_path):
    graph = StructuralVAR(n_bootstraps=2, tiers=[["media_2"], ["media_1"]])
    model = quick(series, graph=graph)
    model.set_params(graph__n_bootstraps=9)  # after the fit
    model.save(tmp_path / "a")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "a")
    kept = graph.get_params() | {"n_bootstraps": 2}
    assert loaded.graph.get_params() == kept
    np.testing.assert_array_equal(loaded.causal_graph_, model.causal_graph_)
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class OwnGraph(StructuralVAR):
    """Not one of those that a file may name."""


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (StructuralVAR(controls=lambda X: ["price", "holiday"]), "graph__controls=<"),
        (StructuralVAR(random_state=np.random.RandomState(0)), "graph__random_state="),
        (OwnGraph(n_bootstraps=1), "graph=OwnGraph"),
    ],
)
def test_graphs_that_are_no_data_are_refused(series, tmp_path, graph, message):
    model = quick(series, graph=graph)
    with pytest.raises(ValueError, match=f"{message}.* cannot be saved as data"):
        model.save(tmp_path / "model")


def test_best_of_a_grid_of_numpy_numbers(tmp_path):
    X, y = small()
    search = GridSearchCV(
        DeepCausalMMMRegressor(max_iter=2, n_draws=0),
        {"max_lag": np.arange(3, 5)},
        cv=KFold(2),
    ).fit(X, y)
    search.best_estimator_.save(tmp_path / "model")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))


@pytest.mark.parametrize(
    "labels",
    [
        [2020, 2021],
        pd.Index([np.int64(7), np.int64(3)], dtype=object),
        ["=tv", "söcial, €"],
    ],
)
def test_labels_of_columns_are_kept(tmp_path, labels):
    X, y = small()
    X = pd.DataFrame(X, columns=labels)
    model = DeepCausalMMMRegressor(max_iter=1, n_draws=0).fit(X, y)
    model.save(tmp_path / "model")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    pd.testing.assert_frame_equal(loaded.channel_summary(), model.channel_summary())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (pd.MultiIndex.from_tuples([("tv", "a"), ("tv", "b")]), "have 2 levels. Join"),
        (pd.Index([("tv", "a"), ("tv", "b")], tupleize_cols=False), r"\('tv', 'a'\)"),
        (pd.to_datetime(["2021-01-04", "2021-01-11"]), "Timestamp"),
        ([np.nan, 1.0], "nan"),
    ],
)
def test_labels_that_no_table_can_show_are_refused_by_fit(columns, message):
    X, y = small()
    X = pd.DataFrame(X).set_axis(columns, axis=1)
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor(max_iter=2, n_draws=0).fit(X, y)


WEEKS = pd.date_range("2021-01-04", periods=4, freq="W-MON")


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3, 11, 2, name=np.int64(4)),
        pd.Index([3, 1, 2], dtype=np.int8, name=("a", 1)),
        pd.Index([0.5, np.nan]),
        pd.Index(["a", "b\0", None]),
        pd.Index(["a", "b"], dtype=object),
        pd.Index(["a", None], dtype="string"),
        pd.Index([1, None], dtype="Int64"),
        pd.Index([1, "a", None, (2, 3.5)], tupleize_cols=False),
        pd.Index([datetime.date(2021, 1, 4)]),
        pd.Index([True, False]),
        WEEKS,
        WEEKS[::-1].tz_localize("Europe/Berlin"),
        WEEKS.tz_localize("UTC")[[0, 2, 3]],
        WEEKS.tz_localize(datetime.timezone(datetime.timedelta(hours=-3))),
        pd.DatetimeIndex(["2021-01-04", pd.NaT]).as_unit("ns"),
        WEEKS.to_period("W"),
        WEEKS - WEEKS[0],
        pd.interval_range(0, 3, closed="left"),
        pd.CategoricalIndex(["b", None, "a"], categories=["b", "a"], ordered=True),
        pd.MultiIndex.from_product([["a", "b"], WEEKS], names=["region", "week"]),
        pd.MultiIndex.from_arrays([[1, 1, np.nan], WEEKS.to_period("M")[:3]]),
    ],
    ids=lambda index: f"{type(index).__name__}-{index.dtype}",
)
def test_index_comes_back_as_it_was(index):
    scalars, arrays = pack_index(index)
    again = unpack_index(
        json.loads(json.dumps(scalars)), StoredArrays(arrays), len(index)
    )
    pd.testing.assert_index_equal(again, index, exact=True)
    assert getattr(again, "freq", None) == getattr(index, "freq", None)


def test_index_of_objects_is_refused():
    mixed = ["a", 1j]
    with pytest.raises(ValueError, match=r"cannot be saved as data\. Fit on X\.reset"):
        pack_index(pd.Index(mixed, dtype=object))


def test_frame_with_several_index_levels(series, tmp_path):
    series = copy.copy(series)
    series.X = series.X.set_index(["region", "week"], drop=False)
    model = quick(series, n_draws=0, graph=None)
    model.save(tmp_path / "model")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.contributions(), model.contributions())


def test_models_are_compared_and_hashed(fitted):
    for part in (fitted._model, fitted._model.scales, fitted._graph):
        assert part == part
        assert part != dataclasses.replace(part)
        assert hash(part) == hash(part)
