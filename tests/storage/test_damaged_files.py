"""Loading is clear about files it cannot trust."""

import io
import json
import pickle
import re

import numpy as np
import pytest

from archives import npy, refusal, rewritten, sealed, set_at, with_array, with_header
from skmmm import DeepCausalMMMRegressor
from skmmm._storage.archive import FORMAT, _sha256

pytestmark = pytest.mark.usefixtures("short_chains")


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
        "model.independent_share",
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
        ("model.n_harmonics", 2),
        ("model.ordered", False),
        ("model.sizes.max_lag", 4),
        ("model.sizes.time_varying", False),
        ("parameters.adstock", "none"),
        ("parameters.media", {"mapping": 5}),
        ("parameters.momentum", 0.9),
        ("named", False),
        ("alarms", {}),
        ("arrays", []),
        ("index", {}),
    ],
)
def test_header_that_contradicts_itself_is_refused(saved, place, value):
    def change(header):
        set_at(header, place, value)

    refusal(with_header(saved, change))


@pytest.mark.parametrize(
    ("alarms", "message"),
    [
        (["", ""], "it has 2 alarms, but 3 channels"),
        (["", "", "", ""], "it has 4 alarms, but 3 channels"),
        (["", "loud", ""], "the unknown alarm 'loud'"),
        (["", "", None], "the unknown alarm None"),
        (["", "", [""]], r"the unknown alarm \[''\]"),
    ],
)
def test_alarms_that_are_none_are_refused(saved, alarms, message):
    path = with_header(saved, lambda header: header.update(alarms=alarms))
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor.load(path)


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
        ("precision", lambda a: a[:-1]),
        ("precision", lambda a: -a),
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
        ("contradicted", lambda a: a.astype(float)),
        ("loss_curve", lambda a: np.nan * a),
        ("contraction", lambda a: a[:-1]),
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
    ("name", "byte"), [("contradicted", b"\x02"), ("regions", b"\xff")]
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


@pytest.mark.parametrize("file_format", [1, 2, 3, 5])
def test_older_format_says_which_version_wrote_it(saved, file_format):
    def change(members):
        header = {"magic": "skmmm model", "format": file_format, "version": "0.0.3"}
        members["header.json"] = json.dumps(header).encode()

    message, _ = refusal(rewritten(saved, change))
    assert f"was written by skmmm 0.0.3 in file format {file_format}" in message
    assert "Fit and save it again" in message


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
        kind = rng.choice(["f4", "i4", "U5", "c16", ">f8", "b1", "f8"])
        with np.errstate(invalid="ignore"):  # nan as a whole number
            array = array.astype(kind)
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
