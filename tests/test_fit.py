"""Fits are repeatable and quiet, name what spoils them, and weigh rows as asked."""

import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from skmmm import DeepCausalMMMRegressor
from skmmm._model.outcome import OutcomeModel
from skmmm._model.storage import pack_model
from skmmm.datasets import make_mmm_panel

# --- repeatable, and quiet ----------------------------------------------------------


def test_same_seed_gives_the_same_bytes(panel, fast):
    fast = fast | {"graph": "svar"}
    first, second = (
        DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y) for _ in range(2)
    )
    for method in ("predict", "predict_interval"):
        assert (
            getattr(first, method)(panel.X).tobytes()
            == getattr(second, method)(panel.X).tobytes()
        )
    stored = [pack_model(model._model)[1] for model in (first, second)]
    assert len(stored[0]) > 5
    for name, array in stored[0].items():
        assert array.tobytes() == stored[1][name].tobytes()


@pytest.mark.filterwarnings("ignore:The draws of")  # which are short
@pytest.mark.parametrize("n_draws", [64, 10])
def test_effects_where_all_places_are_draws_are_computed_once(
    panel, fast, monkeypatch, n_draws
):
    """Chains of large panels give eight draws each, from every place."""
    judged = []

    def mean_effects(model, target, known=None):
        judged.append((known, original(model, target)[0]))
        return original(model, target, known)

    original = OutcomeModel.mean_effects
    monkeypatch.setattr(OutcomeModel, "mean_effects", mean_effects)
    monkeypatch.setattr("skmmm._model.hmc._CELLS", 1)
    monkeypatch.setattr("skmmm._model.hmc.N_AFTER", 8)
    fast = fast | {"n_draws": n_draws}
    DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    [(known, found)] = judged
    assert len(found) == n_draws
    if n_draws == 64:
        assert_array_equal(known, found)
    else:
        assert known is None


def test_other_seed_gives_other_draws_but_no_other_answer(panel, fast):
    fast = fast | {"max_iter": 60}
    first = DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    second = DeepCausalMMMRegressor(**fast | {"random_state": 1}).fit(panel.X, panel.y)
    intervals = [model.predict_interval(panel.X) for model in (first, second)]
    assert not np.array_equal(*intervals)
    # The starting weights of the GRU are random; the mode hardly depends on them.
    assert_allclose(first.predict(panel.X), second.predict(panel.X), rtol=0.05)


@pytest.fixture
def three_threads():
    """More threads than a fit takes."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(n_threads)


@pytest.mark.usefixtures("three_threads")
def test_fit_leaves_global_state_alone(panel, fast):
    fast = fast | {"graph": "svar"}
    dtype = torch.get_default_dtype()
    gradients = torch.is_grad_enabled()
    torch_state = torch.get_rng_state().clone()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    model = DeepCausalMMMRegressor(**fast)
    model.fit(panel.X, panel.y).predict_interval(panel.X)
    model.response_curve("media_1")
    assert torch.get_num_threads() == 3
    assert torch.get_default_dtype() == dtype
    assert torch.is_grad_enabled() == gradients
    assert torch.equal(torch.get_rng_state(), torch_state)
    kind_after, keys_after, *rest_after = np.random.get_state()  # noqa: NPY002
    assert (kind_after, rest_after) == (kind, rest)
    assert_array_equal(keys_after, keys)


def test_fits_without_a_random_state_differ(panel, fast):
    fits = [
        DeepCausalMMMRegressor(**fast | {"random_state": None}).fit(panel.X, panel.y)
        for _ in range(2)
    ]
    first, second = (fit.channel_summary()["contribution_low"] for fit in fits)
    assert (first != second).any()


def test_a_refit_that_is_refused_or_interrupted_changes_nothing(panel, fast):
    model = DeepCausalMMMRegressor(**fast | {"graph": "svar"}).fit(panel.X, panel.y)
    before, answer = dict(vars(model)), model.predict(panel.X)
    other = panel.X.assign(region="other " + panel.X["region"].astype(str))

    class Stop:
        calls = 0

        def __call__(self, *_, **__):
            self.calls += 1
            raise KeyboardInterrupt

    for X, y in (
        (other, panel.y.mask(panel.y.index == 5)),
        (other.assign(media_1=-1.0), panel.y),
        (other.assign(week="2021"), panel.y),
        (other.drop(columns="price"), panel.y),
        (other.iloc[:0], panel.y[:0]),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            model.fit(X, y)
        assert vars(model) == before
    fitting = "_estimator.fitting"
    places = [f"{fitting}.{name}" for name in ("train", "sample", "make_target")]
    for place in (*places, "graph._estimators.fit_channel_graph"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"skmmm.{place}", Stop())
            with pytest.raises(KeyboardInterrupt):
                model.fit(other, panel.y)
        assert vars(model) == before
    assert_array_equal(model.predict(panel.X), answer)


def test_questions_are_about_the_costs_that_were_fitted(panel, fast):
    model = DeepCausalMMMRegressor(**fast, media_cost=2.0).fit(panel.X, panel.y)
    before = model.compare_scenarios({"as it was": panel.X})
    summary = model.channel_summary()
    model.set_params(media_cost=5.0)
    assert_frame_equal(model.compare_scenarios({"as it was": panel.X}), before)
    assert_frame_equal(model.channel_summary(), summary)


def test_equal_weights_change_nothing(fast):
    world = make_mmm_panel(2, 40, n_media=2, random_state=0)
    model = DeepCausalMMMRegressor(**fast | {"n_draws": 0})
    plain = model.fit(world.X, world.y).predict(world.X)
    for weight in (0.5, 7.0, 1e6):
        model.fit(world.X, world.y, sample_weight=np.full(len(world.y), weight))
        assert_allclose(model.predict(world.X), plain, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The spend of")
def test_a_weight_counts_in_level_and_common_shock(fast):
    # A row of hardly any weight is hardly observed.
    world = make_mmm_panel(2, 40, n_media=2, random_state=0)
    wrong = world.y.copy()
    wrong.iloc[30] *= 3.0
    weight = np.ones(len(wrong))
    weight[30] = 1e-9
    light = DeepCausalMMMRegressor(**fast).fit(world.X, wrong, sample_weight=weight)
    weight[30] = 0.0
    none = DeepCausalMMMRegressor(**fast).fit(world.X, wrong, sample_weight=weight)
    assert_allclose(light.predict(world.X), none.predict(world.X), rtol=0.02)


@pytest.mark.parametrize("spends", [False, True])
def test_a_dead_region_is_named_and_spoils_nothing(fast, spends):
    world = make_mmm_panel(4, 50, n_media=2, random_state=0)
    dead = world.X["region"] == world.X["region"].iloc[0]
    point = fast | {"n_draws": 0}
    X, y = world.X.copy(), world.y.mask(dead, 0.0)
    if not spends:
        X.loc[dead, world.media] = 0.0
    with pytest.warns(UserWarning, match=r"KPI stands still.* at 0 \(region"):
        found = DeepCausalMMMRegressor(**point).fit(X, y)
    alive = DeepCausalMMMRegressor(**point).fit(X[~dead], y[~dead])
    parts = found.contributions()[world.media]
    assert (parts[dead] == 0.0).all(axis=None)
    assert_array_equal(found.predict(X)[dead], 0.0)
    # Effects may ring an alarm in one of the two, which halves them.
    assert_allclose(found.predict(X)[~dead], alive.predict(X[~dead]), rtol=0.1)


def test_a_kpi_that_never_changes_is_refused(panel, fast):
    with pytest.raises(
        ValueError, match=r"stands still in all training rows, at 1 \(region"
    ):
        DeepCausalMMMRegressor(**fast).fit(panel.X, np.ones(len(panel.y)))


@pytest.mark.parametrize("value", [1e9, -1e6])
def test_a_mistyped_kpi_is_named_and_spoils_nothing(panel, fast, value):
    model = DeepCausalMMMRegressor(**fast | {"n_draws": 0})
    clean = model.fit(panel.X, panel.y).contributions()[panel.media].sum()
    y = panel.y.copy()
    y.iloc[70] = value
    row = panel.X.iloc[70]
    with pytest.warns(UserWarning, match="can hardly be right") as caught:
        spoilt = model.fit(panel.X, y).contributions()[panel.media].sum()
    said = " ".join(str(warning.message) for warning in caught)
    assert str(row["region"]) in said
    assert str(row["week"].date()) in said
    # Training stops early here; such a row used to multiply a region by six to nine.
    assert_allclose(spoilt, clean, rtol=0.4)


@pytest.mark.parametrize("column", ["media_1", "price"])
def test_a_mistyped_value_of_x_is_named(panel, fast, column):
    X = panel.X.copy()
    row = X.loc[X[column].idxmax()]
    X.loc[row.name, column] *= 1e3
    where = f"Column '{column}'.*region {row['region']}, {row['week'].date()}"
    with pytest.warns(UserWarning, match=where):
        DeepCausalMMMRegressor(**fast | {"n_draws": 0}).fit(X, panel.y)


def test_what_nobody_may_look_at_changes_nothing(panel, fast):
    south = (panel.X["region"] == panel.X["region"].iloc[-1]).to_numpy()
    point = fast | {"n_draws": 0}
    said = [
        DeepCausalMMMRegressor(**point).fit(panel.X, y, (~south).astype(float))
        for y in (panel.y, panel.y.mask(south, 7e9), panel.y.mask(south, 0.0))
    ]
    for other in said[1:]:
        assert_array_equal(other.predict(panel.X), said[0].predict(panel.X))


def test_regions_below_zero_are_named(panel, fast):
    north = (panel.X["region"] == panel.X["region"].iloc[0]).to_numpy()
    y = panel.y.where(~north, panel.y - 2.0 * panel.y.max())
    with pytest.warns(UserWarning, match="in region_1 and positive elsewhere"):
        DeepCausalMMMRegressor(**fast | {"n_draws": 0}).fit(panel.X, y)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_effects_of_a_negative_kpi_may_have_either_sign(fast, sign):
    world = make_mmm_panel(1, 80, n_media=2, random_state=0)
    y = -world.y if sign < 0 else world.y - 2.0 * world.y.max()
    with pytest.warns(UserWarning, match="negative nearly throughout"):
        found = DeepCausalMMMRegressor(**fast | {"max_iter": 30}).fit(world.X, y)
    truth = sign * world.contributions[world.media].sum()
    assert_allclose(found.contributions()[world.media].sum(), truth, rtol=0.5)


def test_a_prior_that_the_data_contradict_is_named(arguments):
    world = make_mmm_panel(2, 80, n_media=2, random_state=1)
    roi = 10.0 * world.roi["media_1"]

    def summary(width, n_draws):
        prior = {"media_1": {"roi": (roi / width, roi * width)}}
        options = {"n_draws": n_draws, "graph": None}
        model = DeepCausalMMMRegressor(
            **arguments | options, media_cost=1.0, priors=prior
        )
        return model.fit(world.X, world.y).channel_summary().loc["media_1"]

    with pytest.warns(UserWarning, match="contradict the prior"):
        assert summary(1.1, n_draws=64)["verdict"] != "data-driven"
    # It is believed, as far as it is narrow, in panels of few regions too.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert summary(1.01, n_draws=0)["roi"] == pytest.approx(roi, rel=0.1)


@pytest.mark.usefixtures("three_threads")
def test_failing_fit_gives_threads_back(panel, fast, monkeypatch):
    def fail(*args, **kwargs):
        assert torch.get_num_threads() == 1
        raise RuntimeError("no")

    monkeypatch.setattr("skmmm._estimator.fitting.train", fail)
    with pytest.raises(RuntimeError, match="no"):
        DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    assert torch.get_num_threads() == 3


def test_random_state_none_reads_numpys_global_state(series, fast):
    model = DeepCausalMMMRegressor(**fast | {"random_state": None, "max_iter": 4})
    state = np.random.get_state()  # noqa: NPY002
    try:
        draws = []
        for seed in (0, 0, 1):
            np.random.seed(seed)  # noqa: NPY002
            draws.append(model.fit(series.X, series.y).predict_interval(series.X))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_random_state_instance(series, fast):
    fast = fast | {"max_iter": 4}
    by_number = DeepCausalMMMRegressor(**fast | {"random_state": 5})
    instance = np.random.RandomState(5)
    by_instance = DeepCausalMMMRegressor(**fast | {"random_state": instance})
    assert_array_equal(
        by_number.fit(series.X, series.y).predict_interval(series.X),
        by_instance.fit(series.X, series.y).predict_interval(series.X),
    )


# --- weights ------------------------------------------------------------------------


def test_weight_zero_is_no_row_where_rows_have_no_order(series, fast):
    fast = fast | {"time": None, "max_iter": 100}
    X, y = series.X.drop(columns="week"), series.y
    kept = np.random.default_rng(0).uniform(size=len(X)) > 0.3
    weighted = DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=kept)
    absent = DeepCausalMMMRegressor(**fast).fit(X[kept], y[kept])
    assert_allclose(weighted.predict(X), absent.predict(X), rtol=1e-6)
    assert_allclose(weighted.coef_, absent.coef_, rtol=1e-5)


def test_spend_of_weight_zero_carries_over(series, fast):
    X, y = series.X, series.y
    weight = np.ones(len(X))
    weight[40:44] = 0.0
    weighted = DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=weight)
    # Its KPI does not count ...
    wild = y.where(weight > 0, 1e3 * y)
    again = DeepCausalMMMRegressor(**fast).fit(X, wild, sample_weight=weight)
    assert_allclose(again.predict(X), weighted.predict(X), rtol=1e-9)
    # ... but its spend does.
    changed = X.assign(media_2=X["media_2"].where(weight > 0, 0.0))
    other = DeepCausalMMMRegressor(**fast).fit(changed, y, sample_weight=weight)
    assert not np.allclose(other.predict(X), weighted.predict(X), rtol=1e-9)


def test_warnings_point_at_the_line_of_the_user(panel, fast):
    stuck = panel.y.copy()
    stuck[:] = np.where(np.arange(len(stuck)) < len(stuck) // 2, stuck[0], stuck)
    model = DeepCausalMMMRegressor(**fast)
    with pytest.warns(UserWarning, match="KPI stands still") as caught:
        model.fit(panel.X, stuck)
    assert {warning.filename for warning in caught} == {__file__}


def test_x_and_y_with_the_same_labels_in_another_order_are_named(panel, fast):
    model = DeepCausalMMMRegressor(**fast)
    X, y = panel.X.sample(frac=1.0, random_state=0), panel.y
    with pytest.warns(UserWarning, match=r"in another order.*y\.loc\[X\.index\]"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="X and y have the same index")
        model.fit(X, y.loc[X.index])
        model.fit(X.set_axis(X.index + 1), y)
        model.fit(X, y.to_numpy())
