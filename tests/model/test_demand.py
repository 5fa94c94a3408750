"""Hidden demand: found where it is, nowhere else, and left as it was by plans."""

import copy
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

from skmmm import DeepCausalMMMRegressor
from skmmm._data.panel import Panel
from skmmm._model.demand import (
    SHIFTS,
    Demand,
    extend_demand,
    fit_demand,
    with_suspects,
)
from skmmm._model.demand_factor import Factor, FactorPosterior
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._placement import ACCOMPANIES, TOGETHER

pytestmark = pytest.mark.filterwarnings("ignore:The spend of")

LOADING = np.array([0.6, 0.5, 0.4, 0.0])


def autoregression(rng, coefficient, shape):
    """Return AR(1) series of unit variance along the second axis."""
    moves = rng.normal(size=shape)
    for t in range(1, shape[1]):
        fresh = (1.0 - coefficient**2) ** 0.5 * moves[:, t]
        moves[:, t] = coefficient * moves[:, t - 1] + fresh
    return moves


def make_panel(
    strength=1.0, n_regions=16, n_periods=120, seed=0, together=0.0, loading=LOADING
):
    """Return a panel whose log spend follows demand, and demand, (R, T).

    Each region as strongly, or as strengths of shape (n_regions, 1, n_media) say.
    """
    rng = np.random.default_rng(seed)
    shape = n_regions, n_periods
    demand = autoregression(rng, 0.7, shape)
    demand = demand + together * autoregression(rng, 0.7, (1, n_periods))
    own = np.stack([autoregression(rng, 0.4, shape) for _ in loading], axis=2)
    loading = strength * loading
    logs = loading * demand[..., None] + (1.0 - loading**2) ** 0.5 * own
    size = 10.0 ** rng.uniform(1, 5, (n_regions, 1, own.shape[2]))
    panel = Panel(
        media=size * np.exp(logs),
        controls=np.zeros((*shape, 0)),
        observed=np.ones(shape, dtype=bool),
        first_period=0,
        cell=np.arange(n_regions * n_periods),
    )
    return panel, demand


def found(panel):
    season = np.zeros((0, panel.shape[1]))
    shown = np.ones(panel.media.shape[2], dtype=bool)
    return fit_demand(panel, season, shown, torch.Generator().manual_seed(0))


def local(values):
    """Return what regions have apart from each other."""
    values = values - values.mean(axis=1, keepdims=True)
    return values - values.mean(axis=0)


def alike(first, second):
    return np.corrcoef(local(first).ravel(), local(second).ravel())[0, 1]


def test_loadings_persistence_and_demand_are_found():
    panel, truth = make_panel()
    demand = found(panel)
    assert not demand.national[0]
    assert_allclose(demand.loading[0], LOADING, atol=0.1)
    assert demand.persistence[0] == pytest.approx(0.7, abs=0.1)
    # What spend tells of the variance is the squared correlation with the truth.
    correlation = alike(demand.mean[0], truth)
    assert correlation > 0.7
    assert demand.known[0] == pytest.approx(correlation**2, abs=0.1)


def test_regions_follow_demand_more_or_less(monkeypatch):
    strength = 1.0 + 0.6 * np.random.default_rng(0).normal(size=(30, 1, 8))
    strength = 0.55 * np.clip(strength, -1.7, 1.7)
    panel, truth = make_panel(strength, 30, loading=np.ones(8))
    own = found(panel).mean[0]
    monkeypatch.setattr(Factor, "by_region", lambda factor, spend: factor.loading)
    common = found(panel).mean[0]
    assert alike(own, truth) > alike(common, truth) + 0.02


def test_demand_of_all_regions_is_found_apart():
    panel, truth = make_panel(together=1.0)
    demand = found(panel)
    assert_array_equal(demand.national, [False, True])
    assert_array_equal(demand.mean[1], np.broadcast_to(demand.mean[1, 0], truth.shape))
    assert np.corrcoef(demand.mean[1, 0], truth.mean(axis=0))[0, 1] > 0.7


@pytest.mark.parametrize("n_regions", [1, 8])
@pytest.mark.parametrize("seed", range(3))
def test_channels_of_their_own_have_no_demand(n_regions, seed):
    assert found(make_panel(0.0, n_regions, seed=seed)[0]) is None


def test_what_one_channel_does_by_itself_is_no_demand():
    def of_its_own(seed):
        panel, _ = make_panel(0.0, 8, seed=seed)
        rng = np.random.default_rng(100 + seed)
        media = panel.media.copy()
        # Slow and fast moves in one budget: no AR(1), but nobody else's.
        media[..., 0] *= np.exp(1.5 * autoregression(rng, 0.95, media.shape[:2]))
        return found(replace(panel, media=media))

    assert sum(of_its_own(seed) is not None for seed in range(20)) <= 4


@pytest.mark.parametrize("n_regions", [1, 8])
def test_gaps_that_channels_share_are_no_demand(n_regions):
    def with_gaps(seed):
        panel, _ = make_panel(0.0, n_regions, seed=seed)
        dark = np.zeros(panel.media.shape, dtype=bool)
        dark[: max(n_regions * 3 // 4, 1), : panel.shape[1] // 2] = True
        return found(replace(panel, media=np.where(dark, 0.0, panel.media)))

    assert sum(with_gaps(seed) is not None for seed in range(20)) <= 4


def test_two_channels_of_a_short_series_have_no_demand():
    def short(seed):
        panel, _ = make_panel(0.0, 1, 52, seed=seed)
        return found(replace(panel, media=panel.media[..., :2]))

    assert sum(short(seed) is not None for seed in range(30)) <= 5


def test_one_series_tells_too():
    panel, truth = make_panel(1.4, 1, 200, seed=3)
    demand = found(panel)
    assert_array_equal(demand.national, [True])
    assert np.corrcoef(demand.mean[0, 0], truth[0])[0, 1] > 0.7


def test_units_of_spend_do_not_matter():
    panel, _ = make_panel()
    moved = replace(panel, media=panel.media * [1e-6, 1e6, 3.0, 1.0])
    # Chains may take another turn at the last digit of a spend.
    assert_allclose(found(moved).mean, found(panel).mean, atol=0.1)


def test_dark_weeks_are_filled_in_not_taken_for_low_demand():
    panel, truth = make_panel()
    dark = np.random.default_rng(1).random(panel.media.shape) < 0.4
    demand = found(replace(panel, media=np.where(dark, 0.0, panel.media)))
    assert_allclose(demand.loading[0], LOADING, atol=0.2)
    assert alike(demand.mean[0], truth) > 0.6
    again = found(replace(panel, media=np.where(dark, 0.0, panel.media)))
    assert_array_equal(again.mean, demand.mean)


def test_too_few_periods_or_channels_tell_nothing():
    panel, _ = make_panel(n_periods=30)
    assert found(panel) is None
    panel, _ = make_panel()
    assert found(replace(panel, media=panel.media[..., :1])) is None
    steady = np.broadcast_to(panel.media[:, :1], panel.media.shape)
    assert found(replace(panel, media=steady)) is None


def test_demand_fades_after_training_and_new_regions_have_the_national_one():
    mean = np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [5.0, 6.0]]])
    national = np.array([False, True])
    unsure, loading = 10.0 + mean[:1], np.zeros((2, 3))
    persistence = np.array([0.5, 0.9])
    demand = Demand(mean, unsure, loading, persistence, national, national)
    now = demand.now(np.array([-1, 0, 1, 2, 3]), 3)
    assert_allclose(now[0, 0], [0.5, 1.0, 2.0, 1.0, 0.5])
    assert_allclose(now[1, 1], [4.5, 5.0, 6.0, 5.4, 4.86])
    assert_allclose(now[:, 2], [[0.0] * 5, [4.5, 5.0, 6.0, 5.4, 4.86]])
    columns = demand.columns(np.array([0, 1]), 3)
    assert columns.shape == (3, 2 * len(SHIFTS) + 1, 2) == (3, demand.n_columns, 2)
    # A shift of one is demand of the period before.
    assert_allclose(columns[0, SHIFTS.index(1)], [0.5, 1.0])
    assert_allclose(columns[0, SHIFTS.index(-1)], [2.0, 1.0])
    # By what it may differ is not known elsewhere.
    later = demand.columns(np.array([1, 2]), 3)
    assert_allclose(later[:, -1], [[12.0, 0.0], [14.0, 0.0], [0.0, 0.0]])


@pytest.fixture(scope="module")
def chased():
    """A table in which demand moves spend and KPI, and media do nothing."""
    panel, demand = make_panel(1.2, 10, 80, seed=5)
    data = make_mmm_panel(10, 80, n_media=4, random_state=0)
    rows = data.X.groupby("region", sort=False).cumcount().to_numpy()
    region = data.X.groupby("region", sort=False).ngroup().to_numpy()
    X = data.X[["region", "week"]].copy()
    X[data.media] = panel.media[region, rows]
    rng = np.random.default_rng(0)
    y = 100.0 * (1.0 + 0.1 * demand + 0.03 * rng.normal(size=demand.shape))
    return X, y[region, rows], data.media


def test_two_budgets_leave_open_whose_moves_demand_is():
    loading = np.array([0.7, 0.6, 0.0, 0.0])
    two = found(make_panel(n_regions=20, loading=loading)[0])
    four = found(make_panel(n_regions=20, loading=np.full(4, 0.65))[0])
    open_to = [np.sqrt((d.unsure**2).mean(axis=(1, 2))).max() for d in (two, four)]
    assert open_to[0] > 1.5 * open_to[1]
    # Demand as it was is within what is said to be possible.
    truth = local(make_panel(n_regions=20, loading=loading)[1]).ravel()
    terms = np.stack([two.mean[0], *two.unsure]).reshape(-1, len(truth)).T
    left = [np.linalg.lstsq(t, truth, rcond=None)[1][0] for t in (terms[:, :1], terms)]
    other = found(make_panel(n_regions=20, loading=loading, seed=1)[0])
    terms[:, 1:] = other.unsure[: len(two.unsure)].reshape(len(two.unsure), -1).T
    left.append(np.linalg.lstsq(terms, truth, rcond=None)[1][0])
    assert left[0] - left[1] > 3.0 * (left[0] - left[2])  # than by so many terms


def test_channels_are_told_from_demand_whichever_sign_it_has():
    def told(loading, n_regions=16):
        mean, one = np.zeros((1, n_regions, 4)), np.ones(1)
        local = np.array([False])
        return Demand(mean, mean[:0], np.array([loading]), one, one, local).told()

    assert_array_equal(told([0.6, -0.5, 0.1]), [True, True, False])
    assert_array_equal(told([-0.6, 0.5, -0.1]), [True, True, False])
    assert not told([0.6, 0.5, 0.1], n_regions=6).any()
    assert not told([0.97, 0.5, 0.1]).any()  # little else than the first


def test_identical_columns_leave_the_factor_bounded():
    panel, _ = make_panel(0.0, n_regions=12)
    logs = np.log(panel.media[..., :2])
    logs[..., 1] = logs[..., 0]
    spend = logs - logs.mean(axis=1, keepdims=True)
    spend /= spend.std(axis=(0, 1))
    posterior = FactorPosterior(spend, 11, (np.zeros(2), 0.6))
    mode = torch.from_numpy(posterior.mode().vector()).requires_grad_()
    (gradient,) = torch.autograd.grad(posterior.log_density(mode), mode)
    assert gradient.abs().max() < 1.0
    draws = posterior.draws(posterior.mode(), torch.Generator().manual_seed(0))
    vectors = torch.from_numpy(np.stack([one.vector() for one in draws]))
    assert torch.isfinite(posterior.log_density(vectors)).all()


@pytest.mark.parametrize("n_regions", [1, 12])
def test_two_budgets_that_are_nearly_one_are_no_demand(n_regions):
    panel, _ = make_panel(0.0, n_regions=n_regions)  # none follows demand
    noise = np.random.default_rng(1).normal(0.0, 0.1, panel.media.shape[:2])
    first, n_media = panel.media[..., 0], panel.media.shape[2]
    assert n_media > 3
    media = panel.media.copy()
    media[..., 1] = 0.4 * first * np.exp(noise)
    assert found(replace(panel, media=media)) is None
    # A third that is as near leaves demand as the likelier reason, as do two alone.
    media[..., 2] = 0.3 * first * np.exp(noise[:, ::-1])
    demand = found(replace(panel, media=media))
    assert (abs(demand.loading[0, :3]) > 0.8).all()
    assert found(replace(panel, media=media[..., :2])) is not None


def test_one_week_of_lasting_demand_is_enough():
    """Coefficients of neighbouring weeks take from each other what each may have."""
    rng = np.random.default_rng(0)
    demand = autoregression(rng, 0.95, (1, 400))[0]
    weeks = np.stack([demand[1 + k : 399 + k] for k in SHIFTS], axis=1)
    flat, local = np.zeros((1, 1, 1)), np.array([True])
    mean = Demand(flat, flat[:0], np.zeros((1, 2)), local, local, local)

    def rings(effect):
        noise = rng.normal(size=len(weeks))
        precision = np.eye(3) + 0.01 * weeks.T @ weeks / 0.1**2
        at = np.linalg.solve(
            precision, 0.1 * weeks.T @ (effect * weeks[:, 1] + 0.1 * noise) / 0.1**2
        )
        drawn = rng.multivariate_normal(at, np.linalg.inv(precision), 400)
        draws = SimpleNamespace(
            shared=torch.from_numpy(drawn),
            shared_priors=SimpleNamespace(
                positions=lambda: [(SimpleNamespace(name="demand"), slice(0, 3))]
            ),
        )
        return mean.moves_kpi(draws)

    assert np.mean([rings(0.05) for _ in range(40)]) > 0.9
    assert np.mean([rings(0.0) for _ in range(40)]) < 0.15


def test_draws_of_a_weak_factor_have_one_sign():
    panel, _ = make_panel(0.3, n_regions=4)
    logs = np.log(panel.media)
    spend = logs - logs.mean(axis=1, keepdims=True)
    spend /= spend.std(axis=(0, 1))
    posterior = FactorPosterior(spend, 4, (np.zeros(4), 0.6))
    mode = posterior.mode()
    draws = posterior.draws(mode, torch.Generator().manual_seed(0))
    assert all(one.loading @ mode.loading >= 0.0 for one in draws)
    # The posterior is the same on both sides.
    both = [replace(mode, loading=sign * mode.loading) for sign in (1.0, -1.0)]
    found = [posterior.log_density(torch.from_numpy(f.vector())) for f in both]
    assert_allclose(*found)


def test_later_rows_mean_the_same_directions():
    panel, _ = make_panel(n_regions=6, loading=np.array([0.7, 0.6, 0.0, 0.0]))
    season = np.zeros((0, panel.shape[1]))
    shown = np.ones(4, dtype=bool)
    before = found(_first(panel, 100))
    generator = torch.Generator().manual_seed(5)
    after = extend_demand(before, panel, season, shown, generator)
    assert after.unsure.shape == (len(before.unsure), *panel.shape)
    size = np.sqrt((before.unsure**2).sum(axis=(1, 2)))
    inner = (before.unsure * after.unsure[..., :100]).sum(axis=(1, 2)) / size**2
    assert inner[0] > 0.5  # the largest points where it did
    rng = np.random.default_rng(0)
    strange = replace(before, unsure=rng.normal(size=before.unsure.shape))
    found_again = extend_demand(strange, panel, season, shown, generator).unsure
    assert (found_again**2).mean() < 0.1  # of one, as they were
    nothing = replace(before, unsure=before.unsure[:0])
    assert len(extend_demand(nothing, panel, season, shown, generator).unsure) == 0
    other = replace(before, national=~before.national)
    faded = extend_demand(other, panel, season, shown, generator)
    assert_array_equal(faded.unsure[..., 100:], 0.0)


def _first(panel, n_periods):
    """Return the first periods of a panel."""
    names = "media", "controls", "observed"
    grids = {name: getattr(panel, name)[:, :n_periods] for name in names}
    return replace(panel, **grids, cell=np.arange(len(panel.media) * n_periods))


def test_channels_that_move_in_groups_do_not_tell_of_local_demand():
    panel, _ = make_panel()
    assert (found(panel).loading[0, :3] != 0.0).all()
    media = panel.media.copy()
    media[..., 1] = media[np.arange(len(media)) % 4, :, 1]
    assert found(replace(panel, media=media)).loading[0, 1] == 0.0


def test_one_series_leaves_open_what_moves_what():
    one, few, many = (found(make_panel(n_regions=n)[0]) for n in (1, 6, 16))
    assert one.moving_together()[:3].any()
    assert few.moving_together()[:3].all()
    assert_array_equal(one.moving_together(), np.abs(one.loading[0]) >= 0.2)
    assert not many.moving_together().any()


def test_demand_that_is_the_spend_of_one_channel_leaves_it_open_too():
    panel, _ = make_panel(loading=np.array([1.0, 0.5, 0.4, 0.0]))
    demand = found(panel)
    assert np.abs(demand.loading[0]).max() > 0.95
    assert_array_equal(demand.moving_together(), [True, True, True, False])


@pytest.mark.parametrize("moved", [True, False])
def test_budgets_of_one_series_ring_where_the_kpi_moves_with_them(moved):
    panel, demand = make_panel(1.5, n_regions=1, n_periods=104, seed=4)
    data = make_mmm_panel(1, 104, n_media=4, random_state=0)
    X = data.X[["week"]].assign(**dict(zip(data.media, panel.media[0].T, strict=True)))
    rng = np.random.default_rng(1)
    y = 100.0 * (1.0 + 0.15 * moved * demand[0] + 0.03 * rng.normal(size=104))
    model = DeepCausalMMMRegressor(
        media=data.media, time="week", max_lag=2, graph=None, random_state=0
    ).fit(X, y)
    alarms = model.channel_summary()["alarm"]
    assert model.hidden_demand().attrs  # budgets move together in either case
    assert alarms.iloc[:3].isin([TOGETHER, ACCOMPANIES]).any() == moved


def reacting(seed, loading=0.45):
    """Return X and y of a series in which demand moves two of four budgets."""
    rng = np.random.default_rng(seed)
    demand = autoregression(rng, 0.5, (1, 130))[0]
    own = rng.gamma(3.0, 1.0 / 3.0, (130, 4))
    follows = np.exp(loading * demand[:, None] * [1, 1, 0, 0])
    X = np.column_stack([np.arange(130), own * follows * [12, 8, 5, 3]])
    adstock = sum(lfilter([0.6], [1, -0.4], x) / (x.mean() + x) for x in X.T[1:])
    kpi = 100.0 * (1.0 + 0.15 * demand + 0.03 * rng.normal(size=130)) + 10.0 * adstock
    return X, kpi


def test_what_moves_with_a_budget_that_reacts_rings_too():
    alarms = []
    for seed in range(6):
        X, kpi = reacting(seed)
        model = DeepCausalMMMRegressor(
            media=[1, 2, 3, 4], time=0, periods_per_year=52, n_draws=0, max_iter=2
        ).fit(X, kpi)
        alarms.append(model.channel_summary()["alarm"])
    rings = np.array(alarms) != ""
    both = rings[:, :2].all(axis=1)
    assert (rings[:, :2].any(axis=1) == both).all()  # of two that demand moves, both
    assert both.sum() >= 5
    assert (np.array(alarms) == ACCOMPANIES).any()
    assert rings[:, 2:].sum() <= 2


@pytest.mark.parametrize("still", ["dark", "constant", "one period"])
def test_a_channel_that_stands_still_moves_with_nobody(still):
    X, _ = reacting(0)
    X[:, 4] = 5.0 if still == "constant" else 0.0
    if still == "one period":
        X[60, 4] = 7.0
    season, nobody = np.zeros((0, 130)), np.zeros((1, 130, 0))
    suspects = np.array([False, True, False, False])
    table = X[None, :, 1:], np.ones((1, 130), dtype=bool), nobody, season
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = with_suspects(*table, suspects)
    assert found[0]
    assert not found[3]


def test_many_suspects_are_no_reason_to_suspect_more():
    rings = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        media = np.exp(autoregression(rng, 0.4, (8, 130))).T[None]
        suspects = np.arange(8) < 3
        table = media, np.ones((1, 130), dtype=bool), np.zeros((1, 130, 0))
        rings.append(with_suspects(*table, np.zeros((0, 130)), suspects)[3:])
    assert np.mean(rings) < 0.12


def test_nothing_moves_with_nothing():
    panel, _ = make_panel(n_regions=1)
    season = np.zeros((0, panel.shape[1]))
    table = panel.media, panel.observed, panel.controls, season
    nobody, everybody = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    assert not with_suspects(*table, nobody).any()
    assert not with_suspects(*table, everybody).any()
    first = everybody.cumsum() == 1
    assert_array_equal(with_suspects(*table, first), [False, True, True, False])
    several, _ = make_panel(n_regions=6)
    table = several.media, several.observed, several.controls, season
    assert_array_equal(with_suspects(*table, first), [False, True, True, False])


@pytest.mark.parametrize("n_unsure", [0, 2])
def test_what_is_not_known_of_demand_is_saved(chased, model, tmp_path, n_unsure):
    X, y, _ = chased
    demand = model._model.demand
    known = replace(demand, unsure=demand.unsure[:n_unsure])
    twin = DeepCausalMMMRegressor(**model.get_params())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skmmm._estimator.fitting.fit_demand", lambda *_: known)
        twin.fit(X, y)
    twin.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert_array_equal(loaded.predict(X), twin.predict(X))
    assert_array_equal(loaded._model.demand.unsure, known.unsure)


def test_few_draws_leave_open_whether_demand_moves_the_kpi(model):
    assert model._model.demand.moves_kpi(model._model.draws)
    shared = model._model.draws.shared
    assert model._model.demand.moves_kpi(model._model.draws.at(shared[:2], None))
    assert model._model.demand.moves_kpi(
        model._model.draws.at(shared[:1].repeat(20, 1), None)
    )


@pytest.fixture(scope="module")
def model(chased):
    X, y, media = chased
    return DeepCausalMMMRegressor(
        media=media, region="region", time="week", max_lag=2, n_draws=8, random_state=1
    ).fit(X, y)


@pytest.mark.usefixtures("fast")
def test_demand_is_not_credited_to_media(chased, model, monkeypatch):
    X, y, media = chased
    credited = model.contributions()[media].sum().sum()
    monkeypatch.setattr("skmmm._estimator.fitting.fit_demand", lambda *_: None)
    blind = DeepCausalMMMRegressor(**model.get_params()).fit(X, y)
    assert credited < 0.4 * blind.contributions()[media].sum().sum()


def test_table_of_hidden_demand(chased, model):
    X, _, media = chased
    table = model.hidden_demand()
    assert table.index.equals(X.index)
    assert_allclose(table["contribution"], model.baseline_parts()["hidden demand"])
    assert (table["contribution_low"] <= table["contribution"]).all()
    assert list(table.attrs["loading"]["local"]) == media
    # Plans and scenarios leave it as it was.
    assert model.hidden_demand(X.assign(**{media[0]: 0.0})).equals(table)
    coming = model.hidden_demand(model.make_future_frame(30))
    assert coming["local"].abs().iloc[-1] < 0.01


def test_regions_without_training_rows_have_hidden_demand_too(chased, model):
    X, *_ = chased
    both = pd.concat([X, X[X["region"] == X["region"].iloc[0]].assign(region="new")])
    average = copy.copy(model).set_params(unseen_region="average")
    told = average.hidden_demand(both)
    pd.testing.assert_frame_equal(told.iloc[: len(X)], model.hidden_demand(X))
    assert np.isfinite(told).all(axis=None)
    parts = average.baseline_parts(both)["hidden demand"]
    assert_allclose(told["contribution"], parts)


def test_without_hidden_demand_the_table_says_so(series, arguments):
    model = DeepCausalMMMRegressor(**arguments).fit(series.X, series.y)
    table = model.hidden_demand()
    assert table[["local", "national"]].isna().all(axis=None)
    assert_array_equal(table["contribution"], 0.0)
    assert table.attrs == {}
