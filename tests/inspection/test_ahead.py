"""Alarm where spend of the next period goes with the KPI of this one."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmmm import DeepCausalMMMRegressor
from skmmm._estimator.fitting import _doubting
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._ahead import goes_ahead_of_spend
from skmmm.inspection._placement import ACCOMPANIES, AHEAD, REACTS

R, T, M = 10, 104, 3


def autoregression(rng, coefficient, shape):
    found = rng.normal(size=shape)
    for t in range(1, shape[1]):
        drawn = np.sqrt(1 - coefficient**2) * found[:, t]
        found[:, t] = coefficient * found[:, t - 1] + drawn
    return found


def rows(seed, loading, shape=(R, T), lasts=0.9):
    """Return media and KPI in which demand moves the last channel, which is idle."""
    rng = np.random.default_rng(seed)
    demand = autoregression(rng, lasts, shape)
    log_spend = np.stack([autoregression(rng, 0.5, shape) for _ in range(M)], axis=2)
    log_spend *= 0.6
    log_spend[..., -1] += loading * demand
    media = np.exp(log_spend)
    effects = 0.1 * (media / (1.0 + media))[..., :-1].sum(axis=2)
    noise = 0.03 * rng.normal(size=shape)
    return media, 1.0 + effects + 0.08 * demand + noise, demand


def found(media, kpi, controls=None, observed=None):
    shape = kpi.shape
    controls = np.zeros((*shape, 0)) if controls is None else controls
    observed = np.ones(shape, dtype=bool) if observed is None else observed
    return goes_ahead_of_spend(media, kpi, observed, controls, np.zeros((0, shape[1])))


def test_a_budget_that_demand_moves_is_found():
    for seed in range(5):
        media, kpi, _ = rows(seed, loading=0.5)
        assert_array_equal(found(media, kpi), [False, False, True])


def test_demand_that_is_known_is_no_reason():
    for seed in range(5):
        media, kpi, demand = rows(seed, loading=0.5)
        assert not found(media, kpi, controls=demand[..., None]).any()


def test_spend_that_goes_its_own_way_rings_no_alarm():
    flagged = [found(*rows(seed, loading=0.0)[:2]) for seed in range(60)]
    assert np.mean(flagged) <= 0.04  # .01 expected


def test_cells_that_were_not_observed_are_not_looked_at():
    media, kpi, _ = rows(0, loading=0.5)
    observed = np.random.default_rng(1).random(kpi.shape) > 0.05
    clean = found(media, kpi, observed=observed)
    media, kpi = media.copy(), kpi.copy()
    media[~observed], kpi[~observed] = 1e9, np.nan
    assert_array_equal(found(media, kpi, observed=observed), clean)
    assert clean[-1]


@pytest.mark.parametrize("shape", [(3, 200), (10, 40)])
def test_too_few_regions_or_periods_say_nothing(shape):
    media, kpi, _ = rows(0, loading=1.0, shape=shape)
    assert not found(media, kpi).any()


def test_next_to_nothing_is_no_alarm():
    # Of an effect that is large, demand is a small share.
    media, kpi, demand = rows(0, loading=0.02, shape=(60, 200))
    kpi = kpi - 0.08 * demand + 0.02 * demand + 0.3 * np.log1p(media[..., -1])
    assert not found(media, kpi)[-1]


def test_the_alarm_of_a_fit():
    data = make_mmm_panel(R, T, n_media=M, random_state=0)
    media, kpi, _ = rows(1, loading=0.5)
    X = (
        data.X[["region", "week"]]
        .sort_values(["region", "week"])
        .assign(**dict(zip(data.media, media.reshape(-1, M).T, strict=True)))
    )
    model = DeepCausalMMMRegressor(
        media=data.media, region="region", time="week", graph=None, random_state=0
    )
    with pytest.warns(UserWarning, match="'media_3'.*goes with the KPI of this one"):
        model.fit(X, 1000.0 * kpi.ravel())
    summary = model.channel_summary()
    assert list(summary["alarm"]) == ["", "", AHEAD]
    assert summary["verdict"].iloc[-1] == "not identified"
    assert not model._model.network.channel_priors.doubted.any()  # estimates stay
    doubting = _doubting(
        model._model, np.array(["", ACCOMPANIES, REACTS], dtype=object)
    )
    assert doubting.network.channel_priors.doubted.tolist() == [False, True, True]


def test_national_spend_that_goes_its_own_way_rings_no_alarm():
    # Alike in all regions: weeks are the observations, of which there are few.
    flagged = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, kpi, _ = rows(seed, loading=0.0)
        media = np.exp(0.6 * autoregression(rng, 0.5, (6, T))).T
        kpi = kpi + 0.05 * autoregression(rng, 0.7, (1, T))
        flagged.append(found(np.repeat(media[None], R, axis=0), kpi))
    assert np.mean(flagged) <= 0.04  # a quarter, if cells were the observations


def test_demand_that_the_model_knows_is_no_alarm():
    rng = np.random.default_rng(0)
    demand = autoregression(rng, 0.8, (R, T))
    own = np.stack([autoregression(rng, 0.5, (R, T)) for _ in range(M)], axis=2)
    media = np.exp(0.6 * own + 0.5 * demand[..., None])
    kpi = 1.0 + 0.08 * demand + 0.03 * rng.normal(size=(R, T))
    assert found(media, kpi).any()
    data = make_mmm_panel(R, T, n_media=M, random_state=0)
    X = data.X[["region", "week"]].sort_values(["region", "week"])
    X = X.assign(**dict(zip(data.media, media.reshape(-1, M).T, strict=True)))
    model = DeepCausalMMMRegressor(
        media=data.media, region="region", time="week", graph=None, random_state=0
    ).fit(X, 1000.0 * kpi.ravel())
    assert model.hidden_demand().attrs["loading"]["local"]
    assert AHEAD not in model.channel_summary()["alarm"].tolist()
