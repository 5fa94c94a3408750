"""Saving and loading: exact, and clear about files it cannot trust."""

import copy
import dataclasses
import json
import pickle
import re
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest

from skmmm import DeepCausalMMMRegressor
from skmmm._persistence import FORMAT, _sha256


@pytest.fixture
def saved(fitted, tmp_path):
    path = tmp_path / "model.skmmm"
    fitted.save(path)
    return path


def rewritten(path, change):
    """Write the archive again after `change` has edited its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return path


def test_loaded_model_answers_exactly_as_the_saved_one(fitted, saved, panel):
    loaded = DeepCausalMMMRegressor.load(saved)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict(panel.X), fitted.predict(panel.X))
    np.testing.assert_array_equal(
        loaded.predict_interval(panel.X), fitted.predict_interval(panel.X)
    )
    pd.testing.assert_frame_equal(loaded.contributions(), fitted.contributions())
    pd.testing.assert_frame_equal(loaded.channel_summary(), fitted.channel_summary())
    for name in ("decay_", "half_saturation_", "slope_", "coef_", "loss_curve_"):
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

    with pytest.raises(ValueError, match="pickle"):
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
