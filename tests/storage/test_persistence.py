"""Saving and loading: exact, and clear about files it cannot trust."""

import copy
import dataclasses
import datetime
import io
import json
import pickle
import re
import tracemalloc
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils import Bunch

from skmmm import DeepCausalMMMRegressor
from skmmm._storage.archive import FORMAT, StoredArrays, _sha256
from skmmm._storage.index import pack_index, unpack_index
from skmmm.graph import NOTEARS, StructuralVAR

pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.fixture(scope="module")
def content(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmmm"
    fitted.save(path)
    return path.read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "model.skmmm"
    path.write_bytes(content)
    return path


def rewritten(path, change):
    """Write the archive again after `change` has edited its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return path


def sealed(members, header):
    """Put a header into members, with the digests that belong to them."""
    for name in header["arrays"]:
        if f"{name}.npy" in members:
            header["arrays"][name] = _sha256(members[f"{name}.npy"])
    members["header.json"] = json.dumps(header).encode()
    members["digest"] = _sha256(members["header.json"]).encode()


def with_header(path, change):
    """Write the archive again after `change` has edited its header."""

    def edit(members):
        header = json.loads(members["header.json"])
        change(header)
        sealed(members, header)

    return rewritten(path, edit)


def with_array(path, name, change):
    """Write the archive again with one array that `change` has made of the old."""

    def edit(members):
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        members[f"{name}.npy"] = npy(change(array))
        sealed(members, json.loads(members["header.json"]))

    return rewritten(path, edit)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def set_at(header, place, value):
    *path, last = place.split(".")
    for key in path:
        header = header[key]
    header[last] = value


def refusal(path):
    """Return why a file is refused, and the memory that this took, in bytes."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape(str(path))) as found:
        DeepCausalMMMRegressor.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(found.value), peak


def test_loaded_model_answers_exactly_as_the_saved_one(fitted, saved, panel):
    loaded = DeepCausalMMMRegressor.load(saved)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict(panel.X), fitted.predict(panel.X))
    np.testing.assert_array_equal(
        loaded.predict_interval(panel.X), fitted.predict_interval(panel.X)
    )
    pd.testing.assert_frame_equal(loaded.contributions(), fitted.contributions())
    pd.testing.assert_frame_equal(loaded.channel_summary(), fitted.channel_summary())
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


def test_array_without_order_or_draws(tmp_path):
    X = np.random.default_rng(0).gamma(2.0, size=(40, 3))
    model = DeepCausalMMMRegressor(n_draws=0, max_iter=20, random_state=0)
    model.fit(X, X.sum(axis=1))
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_truncated_file(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(ValueError, match="is not a skmmm model, or was cut short"):
        DeepCausalMMMRegressor.load(saved)


def test_flipped_byte(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0xFF
    saved.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"damaged|changed"):
        DeepCausalMMMRegressor.load(saved)


def test_edited_parameter(saved):
    def change(members):
        header = json.loads(members["header.json"])
        header["parameters"]["max_lag"] = 1
        members["header.json"] = json.dumps(header).encode()

    with pytest.raises(ValueError, match="was changed after it was saved: header"):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


def test_edited_array(saved):
    def change(members):
        members["shared.npy"] = members["regional.npy"]

    message = "was changed after it was saved: array 'shared' is not the one"
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


def test_foreign_files(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a model")
    with pytest.raises(ValueError, match="is not a skmmm model"):
        DeepCausalMMMRegressor.load(text)
    archive = tmp_path / "other.npz"
    np.savez(archive, a=np.arange(3))
    with pytest.raises(ValueError, match="is not a skmmm model: it has no header"):
        DeepCausalMMMRegressor.load(archive)
    with pytest.raises(FileNotFoundError):
        DeepCausalMMMRegressor.load(tmp_path / "nothing.skmmm")


def test_newer_format(saved):
    def change(members):
        header = json.loads(members["header.json"]) | {
            "format": FORMAT + 1,
            "version": "9.0",
        }
        members["header.json"] = json.dumps(header).encode()
        members["digest"] = _sha256(members["header.json"]).encode()

    message = f"was written by skmmm 9.0 in file format {FORMAT + 1}"
    with pytest.raises(ValueError, match=re.escape(message)):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


def test_pickled_array_is_not_executed(saved):
    def change(members):
        header = json.loads(members["header.json"])
        members["shared.npy"] = pickle.dumps(print)
        header["arrays"]["shared"] = _sha256(members["shared.npy"])
        members["header.json"] = json.dumps(header).encode()
        members["digest"] = _sha256(members["header.json"]).encode()

    with pytest.raises(ValueError, match="'shared' is none of numbers, dates or text"):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


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
    assert "4 common movement(s)" in " ".join(loaded.channel_graph().cautions)


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


def test_what_fit_said_of_the_data_is_saved(series, tmp_path):
    y = series.y.copy()
    y.iloc[7] *= 1e4
    with pytest.warns(UserWarning, match="can hardly be right"):
        model = quick(Bunch(X=series.X, y=y))
    model.save(tmp_path / "a.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "a.skmmm")
    assert len(loaded.remarks_) == 1
    assert loaded.remarks_ == model.remarks_


@pytest.mark.filterwarnings("ignore:'media_1'. no spend")
def test_a_channel_of_either_sign_without_spend_can_be_saved(series, tmp_path):
    data = Bunch(X=series.X.assign(media_1=0.0), y=series.y)
    model = quick(data, free_sign=["media_1"], n_draws=4)
    assert np.isfinite(model._model.together).all()
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


def test_member_that_is_not_listed_is_not_read(saved):
    path = rewritten(saved, lambda members: members.update(more=bytes(3 * 10**6)))
    assert path.stat().st_size < 10**5
    message, peak = refusal(path)
    assert "its member 'more' is not in its header" in message
    assert peak < 2e6


@pytest.mark.parametrize("name", ["more.npy", "header.json", "shared.npy"])
def test_members_larger_than_the_file_can_hold_are_not_read(saved, name):
    def inflate(members):
        header = json.loads(members["header.json"]) | {"more": " "}
        header["arrays"]["more"] = ""
        members |= {"more.npy": b"", name: bytes(3 * 10**7)}
        if name != "header.json":
            sealed(members, header)

    message, peak = refusal(rewritten(saved, inflate))
    assert "larger than the file can hold" in message
    assert peak < 2e6


@pytest.mark.parametrize("value", [10**7, -1, 10**30, None, "3"])
@pytest.mark.parametrize(
    "place",
    [
        "model.n_harmonics",
        "model.n_train",
        "model.first_period",
        "model.sizes.max_lag",
        "model.sizes.n_regions",
        "model.sizes.n_season",
        "model.sizes.n_hidden",
        "model.independent",
        "model.loss.shape",
        "calendar.origin",
        "calendar.step",
        "index.range",
    ],
)
def test_header_promises_nothing_that_the_arrays_do_not_hold(saved, place, value):
    message, peak = refusal(with_header(saved, lambda h: set_at(h, place, value)))
    assert "written by skmmm" in message
    assert peak < 2e6


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("columns.media", ["media_2", "media_1", "media_3"]),
        ("columns.media", ["media_1", "media_2", "price"]),
        ("columns.media", ["media_1", "media_2", "media_2"]),
        ("columns.media", ["media_1", "media_2"]),
        ("columns.media", ["media_1", "media_2", "media_4"]),
        ("columns.controls", ["price", "holiday"]),
        ("columns.region", "week"),
        ("columns.time", None),
        ("labels", ["region", "week", "media_2", "media_1", "media_3"]),
        ("calendar.step", -7),
        ("calendar.step", 14),
        ("calendar.unit", "day"),
        ("calendar.unit", "fortnight"),
        ("calendar.origin", 18638),
        ("calendar", None),
        ("calendar.periods_per_year", 12),
        ("model.adstock", "geometric"),
        ("model.adstock", "none"),
        ("model.loss.kind", "student_t"),
        ("model.loss.shape", 4.0),
        ("model.independent", 0.5),
        ("model.n_harmonics", 2),
        ("model.ordered", False),
        ("model.sizes.max_lag", 4),
        ("model.sizes.time_varying", False),
        ("parameters.adstock", "none"),
        ("parameters.media", {"mapping": 5}),
        ("parameters.momentum", 0.9),
        ("named", False),
        ("arrays", []),
        ("index", {}),
    ],
)
def test_header_that_contradicts_itself_is_refused(saved, place, value):
    def change(header):
        set_at(header, place, value)

    refusal(with_header(saved, change))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scales.kpi", lambda a: a[:-1]),
        ("scales.kpi", lambda a: -a),
        ("scales.media", lambda a: 0.0 * a),
        ("scales.media", lambda a: a[:, ::-1]),
        ("scales.media_high", lambda a: a[:-1]),
        ("scales.control_scale", lambda a: np.nan * a),
        ("context.mean", lambda a: a[:-1]),
        ("context.weight", lambda a: a[..., :-1]),
        ("shared", lambda a: np.full_like(a, np.nan)),
        ("shared", lambda a: a.astype(np.float32)),
        ("shared", lambda a: a.astype(">f8")),
        ("shared", lambda a: a.astype(complex)),
        ("regional", lambda a: a[:, :-1]),
        ("draws.shared", lambda a: a[:0]),
        ("draws.regional", lambda a: a[:-1]),
        ("level.variance", lambda a: -a),
        ("level_draws.mean", lambda a: a[:-1]),
        ("history.media", lambda a: a - 1e9),
        ("history.media", lambda a: np.full_like(a, np.inf)),
        ("history.cell", lambda a: a + 1),
        ("history.cell", lambda a: 0 * a),
        ("history.observed", lambda a: ~a),
        ("history.weight", lambda a: np.nan * a),
        ("regions", lambda a: a[::-1]),
        ("regions", lambda a: a[:1]),
        ("regions", lambda a: a.astype("M8[s]") if a.dtype.kind == "i" else a[None]),
        ("cost", lambda a: a - a - 1.0 if np.isfinite(a).all() else 0.0 * a[:1]),
        ("follows_kpi", lambda a: a.astype(float)),
        ("loss_curve", lambda a: np.nan * a),
        ("alone", lambda a: a[:-1]),
        ("graph.equations.same", lambda a: np.ones_like(a)),
        ("graph.equations.tail_decay", lambda a: np.array(1.5)),
        ("graph.verdict", lambda a: np.full_like(a, "maybe")),
        ("graph.draws.own", lambda a: a[..., :0]),
        ("answers", lambda a: a * 1.01),
    ],
)
def test_array_that_does_not_fit_is_refused(saved, name, change):
    message, _ = refusal(with_array(saved, name, change))
    assert "written by skmmm" in message or f"array {name!r}" in message


@pytest.mark.parametrize(
    ("name", "byte"), [("follows_kpi", b"\x02"), ("regions", b"\xff")]
)
def test_bytes_that_are_no_truth_or_text_are_refused(saved, name, byte):
    def change(members):
        members[f"{name}.npy"] = members[f"{name}.npy"][:-1] + byte
        sealed(members, json.loads(members["header.json"]))

    assert f"array '{name}' has bytes" in refusal(rewritten(saved, change))[0]


def test_deeply_nested_header_is_refused(saved):
    def nest(members):
        members["header.json"] = b"[" * 30_000

    assert "has no header" in refusal(rewritten(saved, nest))[0]


@pytest.mark.parametrize("file_format", [1, 2, 3])
def test_older_format_says_which_version_wrote_it(saved, file_format):
    def change(members):
        header = {"magic": "skmmm model", "format": file_format, "version": "0.0.3"}
        members["header.json"] = json.dumps(header).encode()

    message, _ = refusal(rewritten(saved, change))
    assert f"was written by skmmm 0.0.3 in file format {file_format}" in message
    assert "Fit and save it again" in message


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


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"class": "OwnGraph"}, r"parameters\.graph .*'OwnGraph', which is none of"),
        ({"class": "os.system"}, r"parameters\.graph .*'os.system', which is none"),
        ({"class": 5}, r"parameters\.graph\.class in its header is 5"),
        ({"parameters": []}, r"parameters\.graph\.parameters in its header is \[\]"),
        ({"more": 1}, r"parameters\.graph in its header must have \['class'"),
        ({"parameters": {"lag": 1}}, "no parameter 'graph__lag'"),
        ({"parameters": {"max_lag": 0}}, "'max_lag' parameter of StructuralVAR"),
        ({"parameters": {"tiers": {"estimator": 1}}}, "is nothing that is saved"),
    ],
)
def test_what_is_no_graph_is_refused_by_name(saved, stored, message):
    good = {"class": "StructuralVAR", "parameters": {}}

    def change(members):
        header = json.loads(members["header.json"])
        header["parameters"]["graph"] = {"estimator": good | stored}
        sealed(members, header)

    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


@pytest.mark.parametrize("name", ["media", "priors", "max_lag", "random_state"])
def test_a_graph_elsewhere_in_a_file_is_refused(saved, name):
    def change(members):
        header = json.loads(members["header.json"])
        stored = {"class": "StructuralVAR", "parameters": {}}
        header["parameters"][name] = {"estimator": stored}
        sealed(members, header)

    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        DeepCausalMMMRegressor.load(rewritten(saved, change))


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
    mixed = [pd.Timestamp("2021", tz="UTC"), pd.Timestamp("2021")]
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


ODD = [None, True, 0, -7, 10**7, 1e300, 0.5, "x", [], {}, [1], {"mapping": 5}, "week"]


def odd_value(value, rng):
    """Return something else than a value of the header, close to it or not."""
    close = []
    if type(value) in (int, float):
        close = [value + 1, -value, 2 * value, str(value)]
    elif isinstance(value, list) and value:
        close = [value[::-1], value[:-1], [*value, "more"], value[:1] * 2]
    elif isinstance(value, dict) and value:
        close = [dict(list(value.items())[1:]), value | {"more": 1}]
    choices = [*ODD, *close * 3]
    return choices[rng.integers(len(choices))]


def places(value, path=()):
    """Yield the path to every part of a header."""
    parts = value.items() if isinstance(value, dict) else ()
    for key, part in parts or enumerate(value if isinstance(value, list) else ()):
        yield (*path, key)
        yield from places(part, (*path, key))


def mutate_header(members, header, rng):
    """Change one value."""
    arrays = header.pop("arrays")
    paths = list(places(header))
    *path, last = paths[rng.integers(len(paths))]
    part = header
    for key in path:
        part = part[key]
    part[last] = odd_value(part[last], rng)
    header["arrays"] = arrays


def mutate_array(members, header, rng):
    """Change shape, type or one value of an array."""
    name = f"{rng.choice(list(header['arrays']))}.npy"
    array = np.load(io.BytesIO(members[name]))
    what = rng.integers(3)
    if what == 0:
        shape = [max(0, n + rng.integers(-1, 3)) for n in array.shape]
        array = np.resize(array, shape) if rng.random() < 0.7 else array[None]
    elif what == 1 and array.dtype.kind != "U":
        array = array.astype(rng.choice(["f4", "i4", "U5", "c16", ">f8", "b1", "f8"]))
    elif array.dtype.kind == "f" and array.size:
        array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
    members[name] = npy(array)


def mutate_members(members, header, rng):
    """Drop, add, rename or swap members, or change a byte of one's head."""
    name, other = (f"{n}.npy" for n in rng.choice(list(header["arrays"]), size=2))
    what = rng.integers(5)
    if what == 0:
        del members[name]
        if rng.random() < 0.5:
            del header["arrays"][name[:-4]]
    elif what == 1:
        members["more.npy"] = members[name]
        header["arrays"] |= {"more": ""} if rng.random() < 0.5 else {}
    elif what == 2:
        members["more.npy"] = members.pop(name)
        header["arrays"]["more"] = header["arrays"].pop(name[:-4])
    elif what == 3:
        members[name], members[other] = members[other], members[name]
    else:
        head = bytearray(members[name])
        head[rng.integers(128)] = rng.integers(256)
        members[name] = bytes(head)


def damage(path, rng):
    """Flip a bit, or cut a file short."""
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    else:
        content = content[: rng.integers(len(content))]
    path.write_bytes(content)


def loaded_or_refused(path):
    try:
        return DeepCausalMMMRegressor.load(path), None
    except ValueError as error:
        return None, str(error)


@pytest.fixture(scope="module")
def answers(fitted, panel):
    X = panel.X.head(30)
    return X, fitted.predict(X), fitted.predict_interval(X)


def test_changed_files_answer_as_before_or_are_refused_by_name(saved, content, answers):
    X, prediction, interval = answers
    kinds = [mutate_header, mutate_header, mutate_array, mutate_members, damage]
    for seed in range(300):
        rng = np.random.default_rng(seed)
        saved.write_bytes(content)
        kind = kinds[seed % len(kinds)]

        def change(members, kind=kind, rng=rng):
            header = json.loads(members["header.json"])
            kind(members, header, rng)
            sealed(members, header)

        damage(saved, rng) if kind is damage else rewritten(saved, change)
        loaded, refused = loaded_or_refused(saved)
        if refused:
            assert str(saved) in refused, seed
            continue
        np.testing.assert_array_equal(loaded.predict(X), prediction, f"seed {seed}")
        np.testing.assert_array_equal(loaded.predict_interval(X), interval)
