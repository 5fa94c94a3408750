"""With warm_start=True a fit starts where the last one ended."""

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skmmm import DeepCausalMMMRegressor
from skmmm._model import optimise
from skmmm.datasets import make_mmm_panel


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(3, 60, n_media=2, random_state=5)


@pytest.fixture
def model(world):
    return DeepCausalMMMRegressor(
        media=world.media,
        controls=world.controls,
        region="region",
        time="week",
        max_lag=3,
        graph=None,
        n_draws=0,
        warm_start=True,
        random_state=0,
    )


@pytest.fixture
def past(world):
    return (world.X["week"] < world.X["week"].unique()[-4]).to_numpy()


def fit(model, world, rows=slice(None)):
    return model.fit(world.X[rows], world.y[rows])


def test_the_first_fit_and_that_of_a_clone_are_as_ever(model, world, past):
    model.set_params(max_iter=3)
    cold = fit(clone(model).set_params(warm_start=False), world)
    assert_array_equal(fit(model, world).predict(world.X), cold.predict(world.X))
    again = fit(clone(fit(model, world, past)), world)
    assert_array_equal(again.predict(world.X), cold.predict(world.X))
    again = fit(fit(cold, world, past), world)  # warm_start=False
    assert_array_equal(again.loss_curve_, fit(clone(cold), world).loss_curve_)


def test_four_more_weeks_take_fewer_iterations(model, world, past):
    cold = fit(clone(model), world)
    warm = fit(fit(model, world, past), world)
    assert warm.n_iter_ < 0.7 * cold.n_iter_
    assert warm.loss_curve_[0] < cold.loss_curve_[0]
    assert warm.loss_curve_[-1] < cold.loss_curve_[-1] + 0.005
    assert_allclose(warm.predict(world.X), cold.predict(world.X), rtol=0.02)


def test_regions_keep_their_place(model, world):
    model.set_params(max_iter=3)
    names = world.X["region"]
    two = fit(model, world, (names != "region_2").to_numpy())
    before = dict(zip(two.regions_, two._model.network.regional[0], strict=True))
    places = {}

    def start(estimator, model, *args, **options):
        places.update(zip(estimator.regions_, model.network.regional[0], strict=True))
        raise RuntimeError("seen enough")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skmmm._estimator.fitting._train", start)
        with pytest.raises(RuntimeError, match="seen enough"):
            fit(two, world)
    assert torch.equal(places["region_1"], before["region_1"])
    assert torch.equal(places["region_3"], before["region_3"])
    assert not places["region_2"].any()


def test_other_settings_start_what_they_have_in_common(model, world):
    model.set_params(max_iter=30)
    fit(model, world)
    share = model._model.network.values()["half_saturation_log"]
    model.set_params(adstock="geometric", n_harmonics=1, n_hidden=0, max_iter=1)
    cold = fit(clone(model), world)
    warm = fit(model, world)
    assert warm.loss_curve_[0] < cold.loss_curve_[0]
    now = [one._model.network.values()["half_saturation_log"] for one in (warm, cold)]
    assert abs(now[0] - share).max() < abs(now[1] - share).max()


@pytest.mark.parametrize("role", ["media", "controls"])
def test_other_channels_are_refused(model, world, role):
    model.set_params(max_iter=3)
    fit(model, world)
    kept = model.predict(world.X)
    model.set_params(**{role: getattr(world, role)[:1]})
    message = f"warm_start=True needs the {role} of the last fit"
    with pytest.raises(ValueError, match=message):
        fit(model, world)
    assert_array_equal(model.predict(world.X), kept)


def test_a_model_that_was_stored(model, world, past, tmp_path):
    warm = fit(model.set_params(max_iter=3), world, past)
    warm.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert loaded.warm_start
    assert_allclose(fit(loaded, world).loss_curve_, fit(warm, world).loss_curve_)


def test_many_regions_need_no_samples_then(model, world, past, monkeypatch):
    monkeypatch.setattr(optimise, "MANY_REGIONS", 3)
    monkeypatch.setattr(optimise, "SAMPLE", 1)
    asked = []
    samples = optimise._samples
    monkeypatch.setattr(optimise, "_samples", lambda n: asked.append(n) or samples(n))
    fit(fit(model.set_params(max_iter=8), world, past), world)
    assert asked == [3]


def test_with_draws(world, past, model, short_chains):
    """Draws say what those of a cold start do, as both fits have converged."""
    model.set_params(n_draws=8)
    cold = fit(clone(model), world)
    warm = fit(fit(model, world, past), world)
    assert warm.n_iter_ < 0.7 * cold.n_iter_
    assert warm.loss_curve_[0] < cold.loss_curve_[0] - 0.3
    found, same = warm.channel_summary(), cold.channel_summary()
    columns = ["roi", "roi_low", "roi_high"]
    assert_allclose(found[columns], same[columns], rtol=0.02)
    assert list(found["verdict"]) == list(same["verdict"])
    assert (found["roi_low"] < found["roi"]).all()
    assert (found["roi"] < found["roi_high"]).all()
