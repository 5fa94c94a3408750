"""Small counts, closed regions and differences are named; other KPIs are not."""

from types import SimpleNamespace

import numpy as np
import pytest

from skmmm import DeepCausalMMMRegressor
from skmmm._data.kpi_kinds import on_kind
from skmmm._data.panel import make_panel
from skmmm.datasets import make_mmm_panel

REGIONS = np.array(["east", "north", "west"])
WEEKS, DAYS = SimpleNamespace(week=1), SimpleNamespace(week=7)


def remarks(y, weight=None, calendar=WEEKS):
    """Return what is said of a KPI of shape (n_regions, n_periods)."""
    n_regions, n_periods = y.shape
    panel = make_panel(
        np.repeat(np.arange(n_regions), n_periods),
        np.tile(np.arange(n_periods), n_regions),
        np.ones((y.size, 1)),
        np.ones((y.size, 0)),
        n_regions=n_regions,
        y=y.ravel(),
        weight=np.ones(y.size) if weight is None else weight.ravel(),
    )
    return on_kind(panel, REGIONS[:n_regions], calendar)


def sales(rng, shape=(3, 104)):
    return 1000.0 * rng.lognormal(0.0, 0.3, shape)


@pytest.mark.parametrize("mean", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_small_counts_are_named(mean, seed):
    (said,) = remarks(np.random.default_rng(seed).poisson(mean, (3, 104)) * 1.0)
    assert said.startswith("The KPI is small whole numbers, ")


@pytest.mark.parametrize("mean", [10.0, 30.0, 100.0])
@pytest.mark.parametrize("seed", range(5))
def test_larger_counts_are_left_alone(mean, seed):
    assert remarks(np.random.default_rng(seed).poisson(mean, (3, 104)) * 1.0) == []


def test_what_is_no_count():
    y = np.random.default_rng(0).poisson(3.0, (2, 60)) * 1.0
    assert remarks(y)
    y[0, 7] = 2.5  # millions, say
    assert not any("small whole" in said for said in remarks(y))


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_closed_regions_are_named(share, seed):
    rng = np.random.default_rng(seed)
    y = sales(rng)
    y[1] *= rng.uniform(size=104) >= share
    (said,) = remarks(y)
    assert said.startswith(
        f"The KPI is exactly zero in {(y == 0).sum()} rows of region north, and well"
    )
    assert remarks(y, weight=(y > 0) * 1.0) == []
    assert remarks(y, calendar=None) == []


def test_zeros_of_a_region_with_small_counts_are_left_alone():
    rng = np.random.default_rng(0)
    y = rng.poisson(np.array([[1.5], [30.0], [30.0]]), (3, 104)) * 1.0
    assert (y[0] == 0).mean() > 0.1
    assert remarks(y) == []


@pytest.mark.parametrize("seed", range(5))
def test_few_zeros_are_left_alone(seed):
    rng = np.random.default_rng(seed)
    y = sales(rng)
    y[:, rng.choice(104, 6, replace=False)] = 0.0
    assert remarks(y) == []


def test_zeros_among_small_values_are_left_alone():
    rng = np.random.default_rng(0)
    y = sales(rng) * rng.uniform(size=(3, 104)) ** 4
    y[y < np.quantile(y, 0.1)] = 0.0
    assert remarks(y) == []


def test_days_on_which_nobody_sells():
    y = sales(np.random.default_rng(0), (3, 182))
    y[:, 6::7] = 0.0
    assert remarks(y, calendar=DAYS) == []
    (said,) = remarks(y, calendar=WEEKS)
    assert "zero in 78 rows, and well" in said
    y[2, ::7] = y[2, 1:30] = 0.0
    (said,) = remarks(y, calendar=DAYS)
    assert "rows of region west, and" in said


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_differences_are_named(share, seed):
    y = sales(np.random.default_rng(seed))
    y[:2] -= np.quantile(y[:2], share, axis=1, keepdims=True)
    (said,) = remarks(y)
    below = (y < 0).sum()
    assert said.startswith(
        f"The KPI is below zero in {below} rows of regions east, north. Effects"
    )


@pytest.mark.parametrize("amount", [1e-9, 1.0, 20.0])
def test_slight_negatives_are_left_alone(amount):
    y = sales(np.random.default_rng(0))
    y[:, [3, 40, 77]] = -amount
    assert remarks(y) == []
    y[1, [3, 40, 77]] = -300.0
    (said,) = remarks(y)
    assert said.startswith("The KPI is below zero in 3 rows of region north.")


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_returns_on_days_on_which_nobody_sells(share):
    rng = np.random.default_rng(0)
    y = sales(rng, (3, 182))
    returned = rng.uniform(size=(3, 26)) < share
    y[:, 6::7] = -100.0 * returned
    assert remarks(y, calendar=DAYS) == []
    (said,) = remarks(y, calendar=WEEKS)
    assert said.startswith("The KPI is below zero")


def test_one_remark_does_not_hide_another():
    rng = np.random.default_rng(0)
    y = sales(rng)
    y[0] -= np.quantile(y[0], 0.2)
    y[1, rng.uniform(size=104) < 0.3] = 0.0
    negative, zero = remarks(y)
    assert "below zero in 21 rows of region east." in negative
    assert f"zero in {(y[1] == 0).sum()} rows of region north, and" in zero
    y[0, rng.uniform(size=104) < 0.3] = 0.0  # named already
    assert remarks(y)[1] == zero


def test_few_negative_cells_and_losses_are_left_alone():
    y = sales(np.random.default_rng(0))
    y[0, :2] = -100.0
    assert remarks(y) == []
    assert remarks(-y) == []  # said of losses elsewhere


def test_fit_says_it(fast):
    world = make_mmm_panel(2, 52, n_media=1, random_state=0)
    y = np.random.default_rng(0).poisson(3.0 * world.y / world.y.mean())
    model = DeepCausalMMMRegressor(**fast | {"n_draws": 0, "max_iter": 1})
    with pytest.warns(UserWarning, match="The KPI is small whole numbers"):
        model.fit(world.X, y)
    assert any("small whole" in said for said in model.remarks_)
