"""What a fitted model tells of its parts agrees with what it predicts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmmm._estimator.saturation import half_saturation_verdicts

pytestmark = pytest.mark.usefixtures("short_chains")


def test_carryover_is_a_share_with_bounds_around_it(fitted):
    table = fitted.carryover()
    assert table.index.names == ["channel", "lag"]
    assert_allclose(table["share"].groupby("channel", sort=False).sum(), 1.0)
    assert_allclose(
        table["share"].to_numpy().reshape(fitted.carryover_.shape), fitted.carryover_
    )
    assert (table["low"] <= table["high"]).all()
    wide = fitted.carryover(confidence_level=0.5)
    assert (wide["high"] - wide["low"]).sum() < (table["high"] - table["low"]).sum()


def test_saturation_is_half_at_half_saturation(fitted):
    table = fitted.saturation(n_points=400)
    for m, channel in enumerate(fitted.media_):
        own = table.loc[channel]
        assert own["share"].iloc[0] == 0.0
        assert own["share"].is_monotonic_increasing
        assert own["observed"].iloc[-1] == 1.0
        half = fitted.half_saturation_[m]
        if half < own["spend"].iloc[-1]:
            assert np.interp(half, own["spend"], own["share"]) == pytest.approx(
                0.5, abs=0.01
            )


def test_the_summary_of_saturation_is_of_the_same_curve(fitted):
    table = fitted.saturation_summary()
    assert list(table.index) == fitted.media_
    assert table["unit"].eq("spend per row").all()
    half = table["half_saturation"]
    assert_allclose(half, fitted.half_saturation_)
    assert (table["half_saturation_low"] <= half).all()
    assert (half <= table["half_saturation_high"]).all()
    curves = fitted.saturation(n_points=4000)
    for channel, found in table.iterrows():
        own = curves.loc[channel]
        below = np.interp(found["half_saturation"], own["spend"], own["observed"])
        assert found["observed"] == pytest.approx(below, abs=0.01)
    wide = fitted.saturation_summary(confidence_level=0.5)
    for end in ("half_saturation", "half_saturation_prior"):
        width = table[f"{end}_high"] - table[f"{end}_low"]
        assert (wide[f"{end}_high"] - wide[f"{end}_low"] < width).all()


def test_the_interval_of_half_saturation_is_that_of_the_prior_as_given(panel, fitted):
    """Two channels have one of their own; of which size a third is, data do not say."""
    unit = fitted.half_saturation_
    told = {"media_1": (0.5 * unit[0], 2.0 * unit[0]), "media_2": (9e5, 1e6)}
    priors = {name: {"half_saturation": ends} for name, ends in told.items()}
    model = clone(fitted).set_params(n_draws=8, max_iter=5, graph=None, priors=priors)
    table = model.fit(panel.X, panel.y).saturation_summary()
    for name, ends in told.items():
        names = ["half_saturation_prior_low", "half_saturation_prior_high"]
        assert_allclose(table.loc[name, names].astype(float), ends, rtol=0.1)
    assert table.loc["media_2", "observed"] == 1.0  # beyond all that was spent
    assert table.loc["media_2", "verdict"] == "prior-driven"


def test_verdicts_on_half_saturation():
    rng = np.random.default_rng(0)
    prior = np.exp(rng.normal(0.0, [0.7, 0.7, 0.7, 3.0], (4000, 4)))
    drawn = np.exp(rng.normal(0.0, [0.2, 0.6, 0.2, 1.0], (64, 4)))
    doubted = np.array([False, False, True, False])
    found = half_saturation_verdicts(drawn, prior, doubted)
    wide = "prior-driven"  # the last one: data say much, but not which size
    assert found.tolist() == ["data-driven", wide, "not identified", wide]
    assert half_saturation_verdicts(drawn[:7], prior, doubted).tolist() == [None] * 4
    assert half_saturation_verdicts(None, prior, doubted).tolist() == [None] * 4


def test_saturation_needs_two_points(fitted):
    with pytest.raises(ValueError, match="n_points must be at least 2, got 1"):
        fitted.saturation(n_points=1)


def test_effectiveness_is_relative_to_its_mean(fitted, panel):
    table = fitted.effectiveness()
    assert len(table) == 3 * 60
    assert_allclose(table["multiple"].groupby("channel").mean(), 1.0)
    last = panel.X[panel.X["week"] >= np.unique(panel.X["week"])[-10]]
    assert len(fitted.effectiveness(last)) == 3 * 10


def test_effectiveness_is_constant_if_it_may_not_move(fitted, panel):
    model = clone(fitted).set_params(
        time_varying=False, n_draws=0, max_iter=5, graph=None
    )
    table = model.fit(panel.X, panel.y).effectiveness()
    assert_allclose(table["multiple"], 1.0, rtol=1e-14)
    assert table["low"].isna().all()


def test_effectiveness_moves_contributions_alike(fitted, panel):
    """The same spend in another week causes the stated multiple."""
    steady = panel.X.copy()
    steady[panel.media] = panel.X[panel.media].mean().to_numpy()
    last = fitted.max_lag + 1
    weeks = np.unique(steady["week"])[last:]
    caused = fitted.contributions(steady)[panel.media].groupby(steady["week"]).sum()
    table = fitted.effectiveness(steady)["multiple"].unstack("channel").loc[weeks]
    ratio = caused.loc[weeks] / table[panel.media]
    assert_allclose(ratio / ratio.mean(), 1.0, rtol=0.02)


def test_baseline_parts_add_up(fitted, panel):
    parts = fitted.baseline_parts()
    assert list(parts) == ["constant", "season", "trend", "baseline drift", "level"]
    assert_allclose(parts.sum(axis=1), fitted.contributions()["baseline"])
    some = panel.X.iloc[5:50]
    assert_allclose(fitted.baseline_parts(some), parts.iloc[5:50])
    constant = parts["constant"].groupby(panel.X["region"]).nunique()
    assert (constant == 1).all()


def test_a_model_without_time_has_a_constant(panel, fitted):
    model = clone(fitted).set_params(
        time=None, region=None, n_draws=0, max_iter=5, graph=None
    )
    X = panel.X.drop(columns=["region", "week"])
    model.fit(X, panel.y)
    parts = model.baseline_parts()
    assert "level" not in parts
    assert_allclose(parts.sum(axis=1), model.contributions()["baseline"])
    assert model.carryover().index.get_level_values("lag").max() == 0
    with pytest.raises(ValueError, match="needs a model with a time column"):
        model.effectiveness()


def test_a_model_without_media_has_nothing_to_say(panel, fitted):
    model = clone(fitted).set_params(media=[], n_draws=2, max_iter=5, graph=None)
    model.fit(panel.X, panel.y)
    for name in ("carryover", "saturation", "saturation_summary", "effectiveness"):
        table = getattr(model, name)()
        assert isinstance(table, pd.DataFrame)
        assert len(table) == 0


@pytest.mark.parametrize(
    "name",
    [
        "carryover",
        "saturation",
        "saturation_summary",
        "effectiveness",
        "baseline_parts",
    ],
)
def test_questions_need_a_fitted_model(fitted, name):
    with pytest.raises(NotFittedError):
        getattr(clone(fitted), name)()


@pytest.mark.parametrize("level", [0.9, 0.99, 0.999])
def test_predict_interval_holds_its_own_predictive(fitted, panel, level):
    rows = panel.X.iloc[::20]
    ends = fitted.predict_interval(rows, level)
    parts = fitted._components(fitted._read(rows)[2], draws=True)
    probability = special.expit(np.linspace(-14.0, 14.0, 2001))
    noise = fitted._model.noise_quantiles(parts, probability)  # (K, E, rows)
    below = [
        [np.interp(end, centre + q, probability) for end in two]
        for shift, draw in zip(parts.total, noise.swapaxes(0, 1), strict=True)
        for centre, q, two in zip(shift, draw.T, ends, strict=True)
    ]
    below = np.reshape(below, (len(parts.total), len(rows), 2)).mean(axis=0)
    assert_allclose(1.0 - (below[:, 1] - below[:, 0]), 1.0 - level, rtol=0.15)


@pytest.fixture(scope="module")
def few_draws(panel, fitted):
    """Two draws, half of which lie on one side of the mode of almost everything."""
    return clone(fitted).set_params(n_draws=2, max_iter=30).fit(panel.X, panel.y)


@pytest.mark.parametrize("level", [0.01, 0.5, 0.9])
def test_points_lie_inside_their_intervals(few_draws, panel, level):
    model, told = few_draws, {"confidence_level": level}
    tables = [model.channel_summary(by=by, **told) for by in (None, "region", "period")]
    tables.append(model.channel_summary(effect="total", **told))
    half = panel.X.assign(media_1=0.5 * panel.X["media_1"])
    tables.append(model.compare_scenarios({"a": panel.X, "b": half}, **told))
    asked = [
        (table[name], table[f"{name}_low"], table[f"{name}_high"])
        for table in tables
        for name in ("contribution", "roi", "mroi", "kpi", "difference")
        if name in table
    ]
    for table, name in (
        (model.carryover(**told), "share"),
        (model.saturation(**told), "share"),
        (model.effectiveness(**told), "multiple"),
    ):
        asked.append((table[name], table["low"], table["high"]))
    for by in (None, "region"):
        curve = model.response_curve("media_1", by=by, **told)
        asked.append((curve.incremental, curve.low, curve.high))
    plan = model.optimize_budget(**told)
    asked.append((plan.outcome, plan.outcome_low, plan.outcome_high))
    for point, low, high in asked:
        point, low, high = (np.asarray(v, dtype=float) for v in (point, low, high))
        known = np.isfinite(point)
        assert known.any()
        assert (low[known] <= point[known]).all()
        assert (point[known] <= high[known]).all()
