"""What ArviZ is given is what the model says of itself."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel


@pytest.fixture(scope="module")
def fitted():
    world = make_mmm_panel(2, 40, n_media=2, random_state=0)
    roles = {"media": world.media[::-1], "controls": world.controls, "time": "week"}
    model = DeepCausalMMMRegressor(
        region="region", max_lag=3, max_iter=20, n_draws=8, random_state=0, **roles
    )
    return model.fit(world.X, world.y), world


def test_draws_are_those_of_the_model(fitted):
    arviz = pytest.importorskip("arviz")
    model, world = fitted
    data = model.to_inference_data()
    posterior = data["posterior"]
    assert dict(posterior.sizes)["draw"] == 8
    summary = model.channel_summary()
    assert list(posterior["channel"].values) == list(summary.index)
    assert_allclose(data["observed_data"]["kpi"], world.y)
    assert_allclose(
        data["constant_data"]["media"].T, world.X[list(summary.index)].to_numpy()
    )
    assert (data["constant_data"]["region"].values == world.X["region"]).all()
    # The point estimate is the mode: draws lie around it.
    total = posterior["contribution"].values[0]
    low, high = total.min(axis=0), total.max(axis=0)
    assert (low < summary["contribution"]).all()
    assert (summary["contribution"] < high).all()
    parts = model.contributions()
    assert posterior["expected_kpi"].shape == (1, 8, len(parts))
    assert_allclose(posterior["carryover"].sum("lag"), 1.0)
    table = arviz.summary(data, var_names=["contribution"], kind="stats")
    assert len(table) == 2


def test_mode_and_draws_are_summarised_alike(fitted):
    model, _ = fitted
    twin = model._model
    at_mode = twin.summary()
    drawn = twin.summary(draws=True)
    for name, value in at_mode.items():
        assert drawn[name].shape == (8, *value.shape[1:])
        assert not np.array_equal(drawn[name][0], value[0])


def test_without_draws_or_arviz(fitted, monkeypatch):
    model, world = fitted
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ImportError, match=r"pip install 'skmmm\[arviz\]'"):
        model.to_inference_data()
    bare = DeepCausalMMMRegressor(
        media=world.media, region="region", time="week", max_iter=2, n_draws=0
    ).fit(world.X.drop(columns=list(world.controls)), world.y)
    with pytest.raises(ValueError, match="needs draws, but the model was fitted with"):
        bare.to_inference_data()
