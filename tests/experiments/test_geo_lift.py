"""Analysis of a geo test: known effects, honest intervals, errors that say where."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import clone

from helpers import benchmark_modules, refuses_from
from skmmm.datasets import make_mmm_panel
from skmmm.experiments import GeoLiftRegressor
from skmmm.experiments._synthetic_control import (
    analyse,
    draw_sets,
    fit_weights,
    settings_for,
    window_effects,
    window_starts,
)

START, END = "2022-10-03", "2022-11-07"  # six weeks
TREATED = ["region_03", "region_07"]


@pytest.fixture(scope="module")
def panel():
    return make_mmm_panel(12, 104, n_media=2, random_state=3)


def lifted(panel, lift=0.2, regions=TREATED, start=START, end=END):
    tested = panel.X["region"].isin(regions) & panel.X["week"].between(start, end)
    return panel.y.where(~tested, (1 + lift) * panel.y)


def model(treated=TREATED, **options):
    options = {"start": START, "end": END, "n_placebos": 50} | options
    return GeoLiftRegressor(
        treated, region="region", time="week", random_state=0, **options
    )


@pytest.fixture(scope="module")
def fitted(panel):
    return model().fit(panel.X, lifted(panel))


# --- arrays -------------------------------------------------------------------------


def test_weights_solve_the_penalised_problem():
    rng = np.random.default_rng(0)
    controls = 50 + rng.standard_normal((40, 6)) * [1, 2, 3, 1, 2, 3]
    target = controls[:, [1, 4]].sum(axis=1)[None] + rng.standard_normal((1, 40))
    weights = fit_weights(controls, target, np.array([[1, 4]]), [0.5])[0, 0]
    assert (weights[[1, 4]] == 0).all()
    scale = np.sqrt((controls**2).mean(axis=0))
    target_scale = np.sqrt((target**2).mean())
    Z, b = controls / scale, target[0] / target_scale
    Z, b = Z - Z.mean(axis=0), b - b.mean()
    share = np.where(np.isin(np.arange(6), [1, 4]), 0, scale)
    share /= share.sum()
    variance = Z.var(axis=0).mean()

    def loss(w):
        return ((b - Z @ w) ** 2).mean() + 0.5 * variance * ((w - share) ** 2).sum()

    relative = weights * scale / target_scale
    assert relative.sum() == pytest.approx(1.0)
    for _ in range(20):
        step = np.where(share > 0, rng.standard_normal(6), 0)
        step[share > 0] -= step[share > 0].mean()
        assert loss(relative + 1e-3 * step) > loss(relative)


def test_difference_is_difference_in_differences():
    rng = np.random.default_rng(1)
    controls, target = rng.uniform(5, 9, (20, 4)), rng.uniform(5, 9, 20)
    settings = settings_for("difference", 16)
    assert settings.memories == (1, 4, 16)
    no_bar = np.empty((1, 0), dtype=int)
    effect = window_effects(controls, target[None], no_bar, 16, 4, settings)[0, :, 0]
    ratio = np.sqrt((target[:16] ** 2).mean())
    scale = np.sqrt((controls[:16] ** 2).mean(axis=0))
    gap = target - controls.sum(axis=1) * ratio / scale.sum()
    expected = [gap[16:].sum() - 4 * gap[16 - m : 16].mean() for m in (1, 4, 16)]
    assert_allclose(effect, expected)


def test_placebos_do_not_see_their_window():
    rng = np.random.default_rng(2)
    controls, target = rng.uniform(5, 9, (30, 5)), rng.uniform(5, 9, (1, 30))
    settings, no_bar = settings_for("synthetic_control", 24), np.empty((1, 0), int)
    before = window_effects(controls, target, no_bar, 20, 4, settings)
    target[0, 20:24] += 3.0  # weights and level stay: the effect is 12 more
    target[0, 24:] = 1e6
    after = window_effects(controls, target, no_bar, 20, 4, settings)
    assert_allclose(after - before, 12.0)


def test_windows_and_sets():
    assert window_starts(90, 15).tolist() == [75, 60, 45, 30]
    sets = draw_sets(np.random.default_rng(0), 5, 2, 100)
    assert len(sets) == 10  # all pairs
    assert len(np.unique(sets, axis=0)) == 10


# --- effects ------------------------------------------------------------------------


def test_effect_is_the_total(panel, fitted):
    effect = fitted.effect_.loc["treated"]
    truth = (lifted(panel) - panel.y).sum()
    assert effect["low"] < truth < effect["high"]
    assert effect["per_period"] == pytest.approx(effect["estimate"] / 6)
    assert effect["per_region_period"] == pytest.approx(effect["estimate"] / 12)
    shown = lifted(panel)[
        panel.X["region"].isin(TREATED) & panel.X["week"].between(START, END)
    ]
    assert effect["expected"] == pytest.approx(shown.sum() - effect["estimate"])
    assert effect["lift"] == pytest.approx(effect["estimate"] / effect["expected"])


@pytest.mark.parametrize("method", ["synthetic_control", "difference"])
def test_added_kpi_is_found_to_the_unit(panel, method):
    # Placebos and weights come from periods before, so that nothing else moves.
    plain = model(method=method).fit(panel.X, panel.y).effect_
    y = lifted(panel)
    found = model(method=method).fit(panel.X, y).effect_
    added = (y - panel.y).sum()
    assert_allclose(found["estimate"] - plain["estimate"], added)
    assert_allclose(found["std_error"], plain["std_error"])


def test_predict_is_the_kpi_without_the_test(panel, fitted):
    expected = pd.Series(fitted.predict(panel.X), panel.X.index)
    tested = panel.X["region"].isin(TREATED)
    window = tested & panel.X["week"].between(START, END)
    assert expected[window].sum() == pytest.approx(
        fitted.effect_.loc["treated", "expected"]
    )
    assert (expected[~tested] == panel.y[~tested]).all()
    some = panel.X.sample(30, random_state=0)
    assert_allclose(fitted.predict(some), expected[some.index])


def test_cooldown_and_rows_after_the_test(panel):
    y = lifted(panel, end="2022-11-21")
    with_it = model(cooldown=2).fit(panel.X, y)
    effect = with_it.effect_.loc["treated"]
    assert effect["per_period"] == pytest.approx(effect["estimate"] / 8)
    early = panel.X["week"] <= "2022-11-21"
    again = model(cooldown=2).fit(panel.X[early], y[early])
    assert_allclose(again.effect_, with_it.effect_)


def test_cells_are_no_controls_of_each_other(panel):
    cells = {"tv": TREATED, "search": ["region_01", "region_05", "region_10"]}
    both = model(cells).fit(panel.X, lifted(panel))
    assert list(both.effect_.index) == ["tv", "search"]
    others = set(both.weights_.index)
    assert not others & {*cells["tv"], *cells["search"]}
    alone = model(cells["search"], exclude=TREATED).fit(panel.X, lifted(panel))
    assert_allclose(
        both.effect_.loc["search", "estimate"],
        alone.effect_.loc["treated", "estimate"],
        rtol=0.2,
    )
    table = both.to_experiments(
        {"tv": "tv", "search": ("search", "video")}, change={"tv": 0.5, "search": 1.3}
    )
    assert table["media"].tolist() == ["tv", ("search", "video")]
    assert table["change"].tolist() == [0.5, 1.3]


def test_exclude_may_have_gaps(panel):
    gap = (panel.X["region"] == "region_02") & (panel.X["week"] == "2021-03-01")
    X, y = panel.X[~gap], lifted(panel)[~gap]
    with refuses_from("Region 'region_02' has no row for 2021-03-01."):
        model().fit(X, y)
    found = model(exclude=["region_02"]).fit(X, y)
    assert "region_02" not in found.weights_.index


def test_placebos(fitted):
    placebo = fitted.placebo_
    own = placebo[placebo["kind"] == "treated"]
    assert len(own) == fitted.fit_.loc["treated", "n_windows"] > 5
    assert (own["start"] < pd.Timestamp(START)).all()
    others = placebo.loc[placebo["kind"] == "control", "regions"]
    assert not {label for regions in others for label in regions} & set(TREATED)
    assert (others.str.len() == 2).all()
    table = fitted.power([0.0, 0.05, 0.5])
    assert table["power"].iloc[0] < 0.25
    assert table["power"].is_monotonic_increasing
    assert table["power"].iloc[2] == 1.0


def test_rows_of_experiments(fitted):
    table = fitted.to_experiments("tv", spend_change=-5000.0)
    assert list(table.columns) == [
        *("media", "start", "end", "regions", "change", "spend_change", "estimate"),
        *("std_error", "measure", "cooldown", "bias_sd", "observed"),
    ]
    row = table.iloc[0]
    assert row["start"] == pd.Timestamp(START)
    assert row["end"] == pd.Timestamp(END)
    assert row["regions"] == TREATED
    assert np.isnan(row["change"])
    assert row["estimate"] == fitted.effect_.loc["treated", "estimate"]
    with refuses_from("Name either change or spend_change."):
        fitted.to_experiments("tv", change=0.5, spend_change=1.0)
    with refuses_from("change=0 does not say what would have been spent"):
        fitted.to_experiments("tv", change=0.0)
    with refuses_from("media has no entry for the cell 'treated'."):
        fitted.to_experiments({"tv": "tv"}, change=0.5)


def test_clone_pickle_polars_row_order(panel, fitted):
    y = lifted(panel)
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    X = panel.X.sample(frac=1.0, random_state=0)
    assert_allclose(again.fit(X, y[X.index]).effect_, fitted.effect_)
    other = clone(fitted).fit(pl.from_pandas(panel.X), y.to_numpy())
    assert_allclose(other.effect_, fitted.effect_)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_allclose(loaded.predict(panel.X), fitted.predict(panel.X))


def test_one_region_and_any_day_of_the_last_period(panel):
    y = lifted(panel, regions=["region_03"])
    expected = model(["region_03"], exclude=["region_02"]).fit(panel.X, y)
    options = {"exclude": "region_02", "end": pd.Timestamp(END) + pd.Timedelta(days=6)}
    found = model("region_03", **options).fit(panel.X, y)
    assert found.cells_ == {"treated": ["region_03"]}
    assert_allclose(found.effect_, expected.effect_)
    assert found.to_experiments("tv", change=0.5)["end"].iloc[0] == pd.Timestamp(END)


def test_integers_for_regions_and_periods(panel):
    X = pd.DataFrame(
        {
            "dma": panel.X["region"].str[-2:].astype(int),
            "t": panel.X["week"].rank(method="dense").astype(int),
        }
    )
    found = GeoLiftRegressor(
        [3, 7], start=92, end=97, region="dma", time="t", n_placebos=50, random_state=0
    ).fit(X, lifted(panel))
    expected = model().fit(panel.X, lifted(panel))
    assert_allclose(found.effect_, expected.effect_)


# --- statistics ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["synthetic_control", "difference"])
def test_few_false_positives_and_honest_intervals(method):
    """Regions that wander apart, and nothing done to them."""
    n_regions, n_periods, start = 14, 70, 66
    settings = settings_for(method, start)
    significant, z = [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        common = np.cumsum(0.02 * rng.standard_normal((n_periods, 1)), axis=0)
        local = np.cumsum(0.01 * rng.standard_normal((n_periods, n_regions)), axis=0)
        noise = 0.05 * rng.standard_normal(local.shape)
        kpi = rng.uniform(500, 2000, n_regions) * np.exp(common + local + noise)
        target, controls = kpi[:, :3].sum(axis=1), kpi[:, 3:]
        sets = draw_sets(rng, 11, 3, 40)
        found = analyse(controls, target, sets, start, settings)
        z.append(found.estimate / found.placebos.std_error)
        significant.append(2 * stats.t.sf(abs(z[-1]), found.placebos.df) < 0.1)
    # A share of .1 has a standard deviation of .034.
    assert 0.02 < np.mean(significant) < 0.18
    assert 0.8 < np.sqrt(np.mean(np.square(z))) < 1.2


def test_geolift_walkthrough():
    """40 cities, two of them treated for 15 days; GeoLift says 155.6 per city and day.

    The data come with causal-marketing 0.1.0 (MIT licence): have it installed, or its
    wheel on the path.
    """
    with benchmark_modules("bench_recovery", "bench_geo_tests") as modules:
        test = modules.bench_geo_tests.fit_walkthrough()
    if test is None:
        pytest.skip("causal-marketing is not installed")
    effect = test.effect_.loc["treated"]
    assert effect["low"] / 30 < 155.6 < effect["high"] / 30
    assert effect["p_value"] < 0.1
    # Out of sample the treated regions' own errors are a third of the effect.
    assert test.fit_.loc["treated", "placebo_error"] < effect["lift"] / 3


# --- bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"treated": ["Atlantis"]}, "treated names the region 'Atlantis', which is"),
        ({"treated": "Region3"}, "treated names the region 'Region3', which is not in"),
        ({"treated": []}, "The cell 'treated' of treated has no region."),
        ({"treated": {}}, "treated has no cell"),
        ({"treated": ["region_03"] * 2}, "treated names the region 'region_03' twice."),
        (
            {"treated": {"a": ["region_03"], "b": ["region_03"]}},
            "The region 'region_03' is in two cells of treated",
        ),
        ({"exclude": ["region_03"]}, "The region 'region_03' is both in treated and"),
        ({"exclude": ["x"]}, "exclude names the region 'x', which is not in X."),
        ({"start": "soon"}, "start='soon' is not a period of the time column 'week'"),
        ({"start": "2022-10-04"}, "start='2022-10-04' is not a period of the time"),
        ({"start": 5}, "start=5 is not a period of the time column 'week'"),
        ({"end": "2031-01-06"}, "end='2031-01-06' is outside the data: the time"),
        ({"end": "2022-09-05"}, "end='2022-09-05' is before start='2022-10-03'."),
        ({"cooldown": 20}, "cooldown=20 reaches beyond the data, which end 7 periods"),
        ({"start": "2021-02-01"}, "4 periods come before start='2021-02-01', but a"),
        (
            {"treated": [f"region_{i:02d}" for i in range(1, 12)]},
            "Neither in treated nor in exclude: 1 region of column 'region'. At least",
        ),
    ],
)
def test_bad_parameters(panel, options, message):
    with refuses_from(message):
        model(**options).fit(panel.X, panel.y)


def test_bad_tables(panel, fitted):
    twice = pd.concat([panel.X, panel.X.iloc[[5]]])
    with refuses_from("Two rows for region 'region_06', time 2021-01-04."):
        model().fit(twice, [*panel.y, 1.0])
    text = panel.X.assign(week="week " + panel.X["week"].astype(str))
    with refuses_from("The time column 'week' has 'week 2021-01-04' in row 0"):
        model().fit(text, panel.y)
    with refuses_from("region='city' is not a column of X."):
        model().set_params(region="city").fit(panel.X, panel.y)
    with refuses_from("Input y contains NaN at region 'region_01', time 2021-01-04."):
        model().fit(panel.X, panel.y.where(panel.y.index > 0))
    silent = panel.y.where(panel.X["region"] != "region_01", 0.0)
    with refuses_from("The KPI of region 'region_01' is 0 in all periods."):
        model().fit(panel.X, silent)
    later = panel.X.iloc[[0]].assign(week=pd.Timestamp("2031-01-06"))
    with refuses_from("region 'region_01', time 2031-01-06: this period of column"):
        fitted.predict(later)
    with refuses_from("Region 'x' is not among the 12 regions"):
        fitted.predict(panel.X.iloc[[0]].assign(region="x"))
    with refuses_from("effect_sizes=5 is more than the whole KPI. It is a share"):
        fitted.power([0.1, 5])
    with refuses_from("alpha=1.5 must be between 0 and 1."):
        fitted.power([0.1], alpha=1.5)
