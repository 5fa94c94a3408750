"""Channels of which reach and frequency are known."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm._estimator.saving import _packed
from skmmm._storage.archive import MODEL, write_archive
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import placebo_channel

pytestmark = pytest.mark.usefixtures("short_chains")

N_WEEKS, HALF, SLOPE = 60, 3.0, 2.0
ROLES = {
    "media": ["video", "tv"],
    "region": "region",
    "time": "week",
    "frequency": {"video": "video_frequency"},
}
FEW = {"max_lag": 4, "n_draws": 4, "max_iter": 40, "graph": None, "random_state": 0}


def hill(x, half, slope):
    return x**slope / (x**slope + half**slope)


def carried(weekly, kernel):
    """Convolve rows of weeks, (R, T), with lag weights."""
    return np.stack([np.convolve(row, kernel)[: len(row)] for row in weekly])


def make_world(n_regions=2, seed=0, noise=0.02):
    """Return X and y of regions with one channel of known reach and frequency."""
    rng = np.random.default_rng(seed)
    shape = n_regions, N_WEEKS
    reach = rng.gamma(3.0, 300.0, shape) * (rng.random(shape) < 0.8)
    frequency = 1.0 + rng.gamma(2.0, 1.2, shape)
    tv = rng.gamma(2.0, 0.5, shape)
    heard = carried(reach / 900.0 * hill(frequency, HALF, SLOPE), [0.6, 0.3, 0.1])
    effect = 0.6 * heard + 0.2 * hill(carried(tv, [0.5, 0.5]), 1.0, 1.0)
    y = 100.0 * (1.0 + effect + noise * rng.normal(size=shape))
    X = pd.DataFrame(
        {
            "region": np.repeat(np.arange(n_regions), N_WEEKS),
            "week": np.tile(np.arange(N_WEEKS), n_regions),
            "video": reach.ravel(),
            "video_frequency": np.where(reach > 0, frequency, np.nan).ravel(),
            "tv": tv.ravel(),
        }
    )
    return X, y.ravel()


def fit(X, y, **others):
    return DeepCausalMMMRegressor(**ROLES | FEW | others).fit(X, y)


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def model(world):
    return fit(*world)


@pytest.fixture(scope="module")
def one_series():
    X, y = make_world(1)
    return X, fit(X, y, n_hidden=0, n_draws=0)


def test_effect_is_carried_over_reach_that_heard(one_series):
    X, model = one_series
    reach, frequency = X["video"].to_numpy(), X["video_frequency"].to_numpy()
    acts = np.where(reach > 0, hill(frequency, *_curve_of(model)), 0.0)
    unit = reach[reach > 0].mean()
    (expected,) = carried([reach / unit * acts], model.carryover_[0])
    found = model.contributions()["video"]
    assert_allclose(found, model.coef_[0] * expected, rtol=1e-9)


def _curve_of(model):
    return model.half_saturation_[0], model.slope_[0]


def test_effect_follows_hill_of_frequency(one_series):
    X, model = one_series
    once, often = (
        model.contributions(X.assign(video_frequency=f))["video"].sum()
        for f in (1.0, 4.0)
    )
    curve = _curve_of(model)
    assert_allclose(often / once, hill(4.0, *curve) / hill(1.0, *curve), rtol=1e-9)


def test_twice_the_reach_is_twice_the_effect(world, model):
    X, _ = world
    now = model.contributions(X)
    twice = model.contributions(X.assign(video=2.0 * X["video"]))
    assert_allclose(twice["video"], 2.0 * now["video"], rtol=1e-9)
    assert_allclose(twice["tv"], now["tv"])
    assert_allclose(now.sum(axis=1), model.predict(X))


def test_all_answers_are_of_one_counterfactual(world, model):
    total = model.contributions()["video"].sum()
    summary = model.channel_summary().loc["video"]
    curve = model.response_curve("video")
    assert_allclose(summary["contribution"], total)
    assert_allclose(curve.current_incremental, total)
    assert_allclose(np.diff(curve.incremental), total / 10, rtol=1e-6)  # a line
    assert_allclose(curve.marginal_roi, total / curve.current_spend, rtol=1e-6)
    assert np.isnan(curve.half_saturation_spend)
    assert summary["contribution_low"] <= total <= summary["contribution_high"]


def test_reach_and_frequency_are_told_apart():
    X, y = make_world(noise=0.005)
    model = fit(X, y, max_iter=80, n_draws=0, n_hidden=0, n_harmonics=1)
    assert_allclose(model.half_saturation_[0], HALF, rtol=0.15)
    assert_allclose(model.slope_[0], SLOPE, rtol=0.15)
    reach, frequency = X["video"], X["video_frequency"].fillna(1.0)
    heard = reach / 900.0 * hill(frequency, HALF, SLOPE)
    assert_allclose(model.contributions()["video"].sum(), 60.0 * heard.sum(), rtol=0.1)


def test_gradient_is_that_of_finite_differences(model):
    """Also that effects of both kinds, summed on their own, are those of channels."""
    network, inputs = model._model.network, model._model.inputs()
    values = network.values()
    total = network.visible_total(values, inputs)
    assert_allclose(total, network.visible_media_effects(values, inputs).sum(dim=2))
    shared = network.shared.clone().requires_grad_()

    def summed(shared):
        twin = network.at(shared, network.regional)
        return twin.visible_total(twin.values(), inputs).square().sum()

    (slope,) = torch.autograd.grad(summed(shared), shared)
    for prior, where in network.shared_priors.positions():
        if prior.name in ("half_saturation_log", "slope_log", "effect", "scale_log"):
            for entry in range(where.start, where.stop):
                step = torch.zeros_like(shared)
                step[0, entry] = 1e-5
                with torch.no_grad():
                    change = summed(shared + step) - summed(shared - step)
                assert_allclose(slope[0, entry], change / 2e-5, rtol=1e-5, atol=1e-6)


def test_prior_is_of_exposures(model):
    priors = {p.name: p for p in model._model.network.shared_priors}
    half, slope = priors["half_saturation_log"], priors["slope_log"]
    video, tv = map(model._columns.media.index, ("video", "tv"))
    mean = model._model.scales.frequency[video]
    assert_allclose(half.loc[video].item() + np.log(mean), 0.75)
    assert_allclose([slope.loc[video].item(), slope.scale[video].item()], [0.7, 0.4])
    assert_allclose([slope.loc[tv].item(), slope.scale[tv].item()], [0.25, 0.4])


def test_prior_of_the_user_is_in_exposures(world):
    told = {"video": {"half_saturation": (4.0, 9.0)}}
    model = fit(*world, priors=told, n_draws=0, max_iter=2)
    video = model._columns.media.index("video")
    half = model._model.network.channel_priors.half_saturation[video].item()
    assert_allclose(np.exp(half) * model._model.scales.frequency[video], 6.0)


def test_rows_without_reach_need_no_frequency(world, model):
    X, _ = world
    dark = X["video"] == 0
    odd = X.assign(video_frequency=X["video_frequency"].mask(dark, -3.0))
    assert_array_equal(model.predict(odd), model.predict(X))
    assert X.loc[dark, "video_frequency"].isna().all()


def test_units_of_reach_do_not_matter(world, model):
    X, y = world
    shares = fit(X.assign(video=X["video"] / 8192.0), y)
    assert_allclose(shares.contributions(), model.contributions(), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            0.5,
            "The frequency of 'video' in column 'video_frequency' is 0.5 at region 1, "
            "time 2. Who was reached saw it once at least: give impressions / reach, "
            "with reach that counts everybody once a period.",
        ),
        (
            -2.0,
            "The frequency of 'video' in column 'video_frequency' is -2 at region 1, "
            "time 2. Who was reached saw it once at least: give impressions / reach, "
            "with reach that counts everybody once a period.",
        ),
        (
            np.nan,
            "Input X contains NaN: column 'video_frequency' at region 1, time 2. Fill "
            "or drop these rows.",
        ),
        (
            np.inf,
            "Input X contains infinity: column 'video_frequency' at region 1, time 2. "
            "Fill or drop these rows.",
        ),
    ],
)
def test_frequency_that_is_none(world, model, value, message):
    X, y = world
    row = X.index[(X["region"] == 1) & (X["week"] == 2)]
    wrong = X.copy()
    wrong.loc[row, ["video", "video_frequency"]] = [100.0, value]
    for asking in (lambda: fit(wrong, y), lambda: model.predict(wrong)):
        with refuses(message):
            asking()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            {"frequency": {"video": "views"}},
            "frequency of 'video'='views' is not a column of X. Columns: ",
        ),
        (
            {"frequency": {"radio": "video_frequency"}},
            "frequency names 'radio', which is not one of the media columns ",
        ),
        (
            {"frequency": {"week": "video_frequency"}},
            "frequency names 'week', which is not one of the media columns ",
        ),
        (
            {"controls": ["video_frequency"]},
            "The column 'video_frequency' is the frequency of a channel, and also ",
        ),
        (
            {"media": ["video", "tv", "video_frequency"]},
            "The column 'video_frequency' is the frequency of a channel, and also ",
        ),
        (
            {"frequency": {"video": "tv"}},
            "The column 'tv' is the frequency of a channel, and also named",
        ),
        (
            {"frequency": {"video": "video_frequency", "tv": "video_frequency"}},
            "frequency names the column 'video_frequency' for two channels; ",
        ),
        (
            {"media_cost": {"video": "video_frequency"}},
            "The column 'video_frequency' is the money of a channel in media_cost, and "
            "the frequency of 'video'; ",
        ),
        (
            {"adstock": "gru"},
            "'video' has a frequency, which adstock='gru' cannot carry over: ",
        ),
    ],
)
def test_roles_that_cannot_be(world, others, message):
    with refuses_from(message):
        fit(*world, **others)


def test_column_of_words(world):
    X, y = world
    with refuses_from("Column 'video_frequency' is not numeric"):
        fit(X.assign(video_frequency="often"), y)


def test_frequency_of_coming_rows_is_asked_for(world, model):
    X, _ = world
    future = model.make_future_frame(2, spend="last_periods")
    assert list(future) == list(X)
    assert len(model.predict(future)) == 4
    with refuses(
        "X has no column 'video_frequency', the frequency of 'video'. Add it: "
        "impressions / reach of each row."
    ):
        model.predict(future.drop(columns="video_frequency"))


def test_coming_rows_have_the_frequency_of_their_region(world, model):
    X, _ = world
    late = X[X["week"] >= N_WEEKS - 52]
    impressions = (late["video"] * late["video_frequency"]).groupby(late["region"])
    usual = impressions.sum() / late["video"].groupby(late["region"]).sum()
    future = model.make_future_frame(3, spend="last_periods")
    found = future.groupby("region")["video_frequency"].unique().explode()
    assert_allclose(found.astype(float), usual)


def test_media_of_unnamed_columns_are_no_frequencies(world):
    X, y = world
    model = fit(X, y, media=None, max_iter=2, n_draws=0)
    assert model.media_ == ["video", "tv"]
    by_position = fit(X.to_numpy(), y, **POSITIONS, max_iter=2, n_draws=0)
    assert_allclose(by_position.predict(X.to_numpy()), model.predict(X))


POSITIONS = {"media": [2, 4], "region": 0, "time": 1, "frequency": {2: 3}}


def test_saved_model_answers_alike(world, model, tmp_path):
    X, _ = world
    model.save(tmp_path / "video.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "video.skmmm")
    assert_array_equal(loaded.predict(X), model.predict(X))
    pd.testing.assert_frame_equal(loaded.optimal_frequency(), model.optimal_frequency())
    pd.testing.assert_frame_equal(loaded.channel_summary(), model.channel_summary())


def test_file_without_frequency_is_as_before(world):
    X, y = world
    roles = {"media": ["video", "tv"], "frequency": None}
    model = fit(X.drop(columns="video_frequency"), y, **roles, max_iter=2)
    _, arrays = model._as_parts()
    assert not [name for name in arrays if "frequency" in name]


def test_plan_scales_reach_and_keeps_frequency(world, model):
    X, _ = world
    plan = model.optimize_budget(X=X, bounds=(0.5, 1.5))
    factor = plan.allocation["factor"]["video"]
    assert_allclose(plan.X["video"], factor * X["video"])
    assert_allclose(plan.X["video_frequency"].mask(X["video"] == 0), X.video_frequency)
    found = model.contributions(plan.X)["video"].sum()
    assert_allclose(found, factor * model.contributions(X)["video"].sum())


def test_review_of_a_plan_counts_frequency_as_delivery(world, model):
    X, y = world
    plan = model.optimize_budget(X=X.assign(video=0.5 * X["video"]), bounds=(1.0, 1.0))
    came = X.assign(video=X["video"] + 1.0, video_frequency=2.5)  # also where planned 0
    parts = plan.review(came, y).summary["kpi"]
    more = (model.contributions(came) - model.contributions(plan.X)).sum()
    assert_allclose(parts["delivery", "video"], more["video"])
    assert_allclose(parts["delivery", "tv"], 0.0, atol=1e-9)


def test_curves_of_saturation_are_of_frequency(world, model):
    X, _ = world
    table = model.saturation(n_points=5)
    assert table.attrs["by_frequency"] == ["video"]
    own = table.loc["video"]
    assert_allclose(own["spend"].max(), X["video_frequency"].max())
    assert_allclose(own["share"], hill(own["spend"], *_curve_of(model)))
    halves = model.saturation_summary()
    assert halves["unit"].loc[["video", "tv"]].to_list() == [
        "frequency",
        "spend per row",
    ]
    low, high = halves.loc[
        "video", ["half_saturation_prior_low", "half_saturation_prior_high"]
    ]
    assert (low, high) == pytest.approx((1.1, 4.0), rel=0.1)  # as the guide says


@pytest.mark.parametrize("adstock", ["geometric", "delayed", "free"])
def test_other_carry_over(world, adstock):
    X, y = world
    model = fit(X, y, adstock=adstock, max_iter=5, n_draws=0)
    total = model.contributions()["video"].sum()
    assert_allclose(model.response_curve("video").current_incremental, total)


def test_rows_without_order(world):
    X, y = world
    plain = X.drop(columns="week")
    model = fit(plain, y, time=None, max_iter=5, n_draws=0)
    order = np.random.default_rng(0).permutation(len(X))
    other = fit(plain.iloc[order], y[order], time=None, max_iter=5, n_draws=0)
    assert_array_equal(model.predict(plain), other.predict(plain))
    assert_allclose(model.predict(plain.iloc[order]), model.predict(plain)[order])


def test_gaps_and_spikes(world):
    X, y = world
    kept = ~((X["region"] == 0) & X["week"].between(20, 22))
    X, y = X[kept].copy(), y[kept]
    X.loc[X.index[40], ["video", "video_frequency"]] = [1e5, 2.0]
    with pytest.warns(UserWarning, match="video"):
        model = fit(X, y, gap="mask", max_iter=5, n_draws=2)
    assert model._model.network.channel_priors.spiked.any()
    total = model.contributions()["video"].sum()
    curve = model.response_curve("video", grid=[0.0, X["video"].sum()])
    assert_allclose(curve.incremental, [0.0, total], rtol=1e-9, atol=1e-9)


def test_spikes_alone(world):
    X, y = world
    X = X.copy()
    X.loc[X.index[40], ["video", "video_frequency"]] = [1e5, 2.0]
    with pytest.warns(UserWarning, match="video"):
        model = fit(X, y, max_iter=5, n_draws=0)
    total = model.contributions()["video"].sum()
    assert_allclose(model.response_curve("video").current_incremental, total)


def test_total_effects_add_up():
    X, y = make_world(3)
    model = fit(X, y, graph="svar", max_iter=5)
    parts = model.contributions(effect="total")
    assert_allclose(parts.sum(axis=1), model.predict(X))
    both = [model.contributions(effect=e)[["video", "tv"]] for e in ("direct", "total")]
    assert_allclose(both[0].sum(axis=1), both[1].sum(axis=1))
    equations = model._graph.equations
    assert equations is not None
    summary = model.channel_summary(effect="total")
    assert_allclose(summary["contribution"], both[1].sum(), rtol=1e-6)
    plan = model.optimize_budget(X=X, effect="total", bounds=(0.8, 1.2))
    assert_allclose(len(model.predict(plan.X)), len(X))


def test_rows_to_plan_have_a_frequency_where_reach_may_come(world, model):
    X, _ = world
    mean = (X["video"] * X["video_frequency"]).sum() / X["video"].sum()
    for rows in (model._counterfactual(X).frame, model._counterfactual().frame):
        filled = X["video_frequency"].fillna(mean)
        assert_allclose(rows["video_frequency"], filled)


def test_placebo_is_seen_as_often_as_the_channel(world):
    X, y = world
    model = DeepCausalMMMRegressor(**ROLES | FEW | {"n_draws": 0, "max_iter": 3})
    table = placebo_channel(model, X, y, channels="video", n_repeats=1, random_state=0)
    assert np.isfinite(table.loc["video", "placebo"])


@pytest.mark.parametrize("start", [30, 200])
def test_experiment_with_reach(world, start):
    X, y = world
    row = {"media": "video", "start": start, "end": start + 9, "change": 0.0}
    row |= {"estimate": -900.0, "std_error": 90.0}
    if start > N_WEEKS:  # of which X has no rows
        row["spend"] = X["video"].sum() / 6.0
    options = {"media_cost": {"video": 1.0}, "n_draws": 0, "max_iter": 20}
    told = fit(X, y, experiments=pd.DataFrame([row]), **options)
    found = told.experiments_.iloc[0]
    assert found["estimate"] < found["after"] < found["before"] < 0.0
    if start < N_WEEKS:
        seen = X["week"].between(start, start + 9)
        dark = X.assign(video=X["video"].mask(seen, 0.0))
        lost = (told.contributions(dark) - told.contributions(X)).loc[seen, "video"]
        assert_allclose(found["after"], lost.sum())


def test_panel_with_population():
    world = make_mmm_panel(3, 40, n_media=2, random_state=0)
    X = world.X.assign(heads=world.X["region"].astype("category").cat.codes + 1.0)
    X["often"] = 1.0 + np.random.default_rng(0).gamma(2.0, 1.0, len(X))
    options = FEW | {"frequency": {"media_1": "often"}, "population": "heads"}
    model = DeepCausalMMMRegressor(
        media=world.media, region="region", time="week", **options
    ).fit(X, world.y)
    assert (model._model.scales.intensity[:, 0] == 0.0).all()
    assert model._model.scales.intensity[:, 1].any()
    assert_allclose(model.contributions().sum(axis=1), model.predict(X))


@pytest.mark.parametrize(
    ("frequency", "message"),
    [
        ([np.nan, 0.5], "array 'scales.frequency' has values below 1, or none."),
        ([2.0, 2.0], "array 'scales.frequency' is not that of the parameter."),
    ],
)
def test_file_that_contradicts_itself(model, tmp_path, frequency, message):
    header, arrays = _packed(model)
    path = tmp_path / "changed.skmmm"
    changed = {"scales.frequency": np.array(frequency)}
    write_archive(path, header, arrays | changed, MODEL)
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor.load(path)


def test_draws_for_arviz_are_of_exposures(model):
    pytest.importorskip("arviz")
    half = model.to_inference_data()["posterior"]["half_saturation"]
    found = half.sel(channel="video").mean()
    assert 0.5 < found / model.half_saturation_[0] < 2.0
