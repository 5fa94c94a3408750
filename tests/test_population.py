"""Regions on one curve in spend per head."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

pytestmark = pytest.mark.usefixtures("short_chains")

PEOPLE = {"region_1": 8_000, "region_2": 40_000, "region_3": 2_000}


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(3, 60, n_media=2, random_state=0)


@pytest.fixture(scope="module")
def table(world):
    return world.X.assign(people=world.X["region"].map(PEOPLE))


def make_model(world, **options):
    roles = {"media": world.media, "controls": world.controls}
    given = {"region": "region", "time": "week", "max_iter": 8, "n_draws": 2}
    given |= {"max_lag": 4, "graph": None, "random_state": 0, "population": "people"}
    return DeepCausalMMMRegressor(**roles | given | options)


@pytest.fixture(scope="module")
def model(world, table):
    return make_model(world).fit(table, world.y)


def test_regions_are_compared_by_spend_per_head(world, table, model):
    spend = table.groupby("region")[world.media].agg(lambda x: x[x > 0].mean())
    per_head = np.log(spend.div(table.groupby("region")["people"].first(), axis=0))
    expected = per_head - per_head.mean()
    assert_allclose(model._model.scales.intensity, expected, rtol=1e-9, atol=1e-12)


def test_without_population_each_region_has_a_scale_of_its_own(world, model, table):
    usual = make_model(world, population=None).fit(world.X, world.y)
    assert_array_equal(usual._model.scales.intensity, 0.0)
    assert usual.per_head_exponent_ is None
    assert 0.0 < model.per_head_exponent_ < 1.0
    assert not np.allclose(usual.predict(world.X), model.predict(table), rtol=1e-6)


def test_units_of_population_do_not_matter(world, table, model):
    thousands = table.assign(people=table["people"] / 1000.0)
    other = clone(model).fit(thousands, world.y)
    assert_allclose(other.predict(table), model.predict(table), rtol=1e-4)


def test_population_is_no_channel_and_is_needed_in_fit_alone(world, table, model):
    assert list(model.contributions()) == ["baseline", *world.media, *world.controls]
    assert_array_equal(model.predict(world.X), model.predict(table))
    all_media = table.drop(columns=world.controls)
    found = make_model(world, media=None, controls=None).fit(all_media, world.y)
    assert found.media_ == world.media


def test_a_saved_model_knows_its_population(model, table, tmp_path):
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert loaded.get_params() == model.get_params()
    assert_array_equal(loaded.predict(table), model.predict(table))
    assert_array_equal(loaded.half_saturation_, model.half_saturation_)


def test_a_population_that_is_none(world, table):
    model = make_model(world)
    row = int(np.flatnonzero(table["region"] == "region_2")[3])
    moved = table.copy()
    moved.loc[row, "people"] = 41_000
    week = moved["week"].dt.date[row]
    with refuses(
        "The population 'people' of region 'region_2' is 41000 in one row (region "
        f"'region_2', time {week}) and 40000 in another. Write one number in all rows "
        "of a region, such as its mean."
    ):
        model.fit(moved, world.y)
    moved.loc[row, "people"] = 0
    with refuses(
        f"The population 'people' is 0 in region 'region_2', time {week}. It has to be "
        "above zero."
    ):
        model.fit(moved, world.y)
    with refuses(
        "The column 'people' has two roles; name it only once among media, controls, "
        "region, time and population."
    ):
        make_model(world, controls=["people"]).fit(table, world.y)
    with refuses(
        "population='people' is the size of regions, but region is None: one series "
        "has nothing to compare. Leave it out, or name the region."
    ):
        make_model(world, region=None).fit(table, world.y)
    with refuses_from("population='heads' is not a column of X"):
        make_model(world, population="heads").fit(table, world.y)
