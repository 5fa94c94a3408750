"""Design of tests: what is promised is held, constraints hold, costs add up."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from helpers import refuses_from
from skmmm.datasets import make_mmm_panel
from skmmm.experiments import design_experiment, design_flights
from skmmm.experiments._candidates import (
    _luck_of_the_best,
    draw_candidates,
    score_designs,
)
from skmmm.experiments._synthetic_control import (
    PooledVariance,
    analyse,
    draw_sets,
    placebos,
    settings_for,
)

FEW = {"n_candidates": 30, "n_designs": 6}
ROLES = {"region": "region", "time": "week"}


@pytest.fixture(scope="module")
def panel():
    return make_mmm_panel(12, 80, n_media=2, random_state=3)


def design(panel, **options):
    options = {"n_regions": 3, "n_periods": 4, "lift": 0.1, **FEW} | options
    return design_experiment(panel.X, panel.y, random_state=0, **ROLES, **options)


@pytest.fixture(scope="module")
def designs(panel):
    return design(panel, media="media_1", change=0.0)


def test_numbers_belong_together(panel, designs):
    assert len(designs) == 6
    first = designs.iloc[0]
    treated = panel.X["region"].isin(first["regions"])
    # Of the last year.
    recent = panel.X["week"] >= np.sort(panel.X["week"].unique())[-52]
    mean = panel.y[treated & recent].sum() / 52
    assert first["kpi_at_risk"] == pytest.approx(4 * mean)
    assert first["share"] == pytest.approx(mean * 52 / panel.y[recent].sum())
    spent = panel.X.loc[treated & recent, "media_1"].sum() / 52
    assert first["spend_change"] == pytest.approx(-4 * spent)
    assert_allclose(designs["mde_lift"], designs["mde"] / designs["kpi_at_risk"])
    assert_allclose(designs["mde_roi"], designs["mde"] / -designs["spend_change"])
    assert_allclose(designs["effect"], 0.1 * designs["kpi_at_risk"])
    reach = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert (designs["mde"] / designs["std_error"]).between(reach, 1.2 * reach).all()


def test_effect_of_the_size_of_mde_has_the_power(panel, designs):
    at_mde = design(panel, lift=float(designs["mde_lift"].iloc[0]))
    same = at_mde["regions"].map(tuple) == tuple(designs["regions"].iloc[0])
    assert at_mde.loc[same, "power"].item() == pytest.approx(0.8, abs=0.01)


def test_best_first(designs):
    enough = designs["power"] >= 0.8
    assert enough.tolist() == sorted(enough, reverse=True)
    cost = designs.loc[enough, "spend_change"].abs()
    assert cost.is_monotonic_increasing
    assert designs.loc[~enough, "power"].is_monotonic_decreasing


def test_reason_says_what_the_row_says(designs):
    for _, row in designs.iterrows():
        reason = row["reason"]
        verb = "Finds" if row["power"] >= 0.8 else "Misses"
        assert reason.startswith(f"{verb} the effect with power {row['power']:.2f};")
        assert f"{row['mde_lift']:.1%} of its KPI" in reason
        assert "less spent" in reason


def test_constraints(panel):
    found = design(
        panel,
        n_regions=[2, 4],
        force=["region_05"],
        exclude=["region_01", "region_02"],
        max_share=0.35,
        n_candidates=8,
        n_designs=1000,
    )
    assert set(found["n_regions"]) == {2, 4}
    assert (found["share"] <= 0.36).all()  # of all periods, and of the last year
    for regions in found["regions"]:
        assert "region_05" in regions
        assert not {"region_01", "region_02"} & set(regions)
    assert not found["regions"].map(tuple).duplicated().any()
    assert not found["reason"].str.contains("region_01|region_02").any()


def test_same_at_every_call_and_in_any_order(panel, designs):
    X = panel.X.sample(frac=1.0, random_state=1)
    again = design_experiment(
        X,
        panel.y[X.index],
        n_regions=3,
        n_periods=4,
        lift=0.1,
        media="media_1",
        change=0.0,
        random_state=0,
        **ROLES,
        **FEW,
    )
    pd.testing.assert_frame_equal(again, designs)


def test_expected_return_is_an_effect(panel):
    found = design(panel, lift=None, roi=2.0, media=["media_1", "media_2"], change=1.5)
    assert (found["spend_change"] > 0).all()
    assert_allclose(found["effect"], 2.0 * found["spend_change"])


def test_windows_are_out_of_sample():
    """A set of two regions that nobody can tell apart from controls until a break."""
    rng = np.random.default_rng(0)
    common = np.cumsum(rng.standard_normal(60))
    kpi = 100 + common[:, None] + 0.01 * rng.standard_normal((60, 8))
    kpi[40:, 0] += 5 * np.sin(np.arange(20))  # what came after the weights were chosen
    found = score_designs(
        kpi,
        np.array([[0, 1], [2, 3]]),
        4,
        settings_for("synthetic_control", 60),
        n_placebos=50,
        rng=np.random.RandomState(0),
    )
    assert found.std_error[0] > 1.5 * found.std_error[1]
    assert found.r2[1] > 0.99


@pytest.mark.parametrize("prior_df", [1.0, 50.0])
def test_the_best_of_sets_that_are_alike_were_lucky(prior_df):
    rng, sizes = np.random.default_rng(0), np.ones(200)
    pooled = PooledVariance(1.0, 2.0, prior_df)
    effects = rng.normal(size=(16, 200))
    alike = _luck_of_the_best(effects, pooled, sizes)
    assert (alike > 1.2) == (prior_df == 1.0)
    # Of sets that truly differ the best hardly needed any luck.
    effects *= np.exp(rng.normal(size=200))
    assert _luck_of_the_best(effects, pooled, sizes) < alike + 0.05 < 1.7
    assert _luck_of_the_best(effects[:3], pooled, sizes) == 1.0


def test_strata_spread_over_sizes():
    rng = np.random.RandomState(0)
    kpi = np.arange(1.0, 13.0) * rng.uniform(0.9, 1.1, (50, 12))
    sets = draw_candidates(rng, kpi, 3, 60, np.array([4]), 0.5)
    assert (sets == 4).any(axis=1).all()
    assert len(np.unique(sets, axis=0)) == len(sets)
    share = kpi.mean(axis=0)[sets].sum(axis=1) / kpi.mean(axis=0).sum()
    assert (share <= 0.5).all()


def test_promised_power_is_held():
    """The least detectable effect is found about as often as promised."""
    n_regions, n_periods, length = 12, 64, 4
    settings = settings_for("difference", n_periods - length)
    significant = []
    for seed in range(50):
        rng = np.random.RandomState(seed)
        common = np.cumsum(0.02 * rng.standard_normal((n_periods, 1)), axis=0)
        noise = 0.05 * rng.standard_normal((n_periods, n_regions))
        kpi = 1000 * np.exp(common + noise)
        before = n_periods - length
        sets = draw_sets(rng, n_regions - 3, 3, 40)
        target, controls = kpi[:, :3].sum(axis=1), kpi[:, 3:]
        promise = placebos(
            controls[:before], target[:before], sets, before, length, settings
        )
        t = stats.t(promise.df)
        mde = promise.std_error * (t.ppf(0.95) + t.ppf(0.8))
        target[before:] += mde / length
        found = analyse(controls, target, sets, before, settings)
        z = found.estimate / found.placebos.std_error
        significant.append(z > stats.t.ppf(0.95, found.placebos.df))
    # A share of .8 has a standard deviation of .057.
    assert 0.65 < np.mean(significant) < 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lift": 12.0},
            "lift=12 is more than the whole KPI. It is a share",
        ),
        ({"lift": None}, "Name the effect to find: either lift or roi."),
        ({"media": "media_1"}, "media and change go together: name both or neither."),
        ({"media": "media_1", "change": 1.0}, "change=1 changes nothing"),
        ({"lift": None, "roi": 2.0}, "roi needs media and change"),
        ({"media": "tv", "change": 0.0}, "media='tv' is not a column of X."),
        ({"force": ["x"]}, "force names the region 'x', which is not in X."),
        ({"exclude": ["x"]}, "exclude names the region 'x', which is not in X."),
        ({"force": [f"region_{i:02d}" for i in range(1, 5)]}, "n_regions=3, but force"),
        ({"n_regions": 11}, "n_regions=11 of 12 regions leaves 1 controls; at least"),
        ({"max_share": 0.01}, "No set of 3 regions was found with a share of at most"),
        ({"n_periods": 41}, "X has 80 periods; a test of 41 (cooldown included) needs"),
    ],
)
def test_bad_parameters(panel, options, message):
    with refuses_from(message):
        design(panel, **options)


# --- one series ---------------------------------------------------------------------


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"week": pd.date_range("2022-01-03", periods=96, freq="7D")})
    return X, 100 + np.cumsum(0.3 * rng.standard_normal(96)) + rng.standard_normal(96)


def test_flights_are_paired_and_follow_the_data(series):
    X, y = series
    plan = design_flights(
        X, y, time="week", n_pairs=6, block_length=4, levels=(0.0, 2.0), random_state=0
    )
    table = plan.schedule
    assert table["start"].iloc[0] == X["week"].iloc[-1] + pd.Timedelta(days=7)
    assert (table["end"] - table["start"] == pd.Timedelta(days=21)).all()
    assert_array_equal(table.groupby("pair")["level"].sum(), 2.0)
    first = table["level"].to_numpy()[::2]
    assert 0 < (first == 2.0).sum() < 6


def test_error_of_flights_is_that_of_pairs_in_the_past(series):
    X, y = series
    plan = design_flights(X, y, time="week", n_pairs=4, block_length=4, washout=1)
    block = y.reshape(12, 2, 4)[..., 1:].sum(axis=-1)
    error = np.sqrt(((block[:, 1] - block[:, 0]) ** 2).mean() / 4)
    assert plan.std_error == pytest.approx(error)
    assert plan.mde_lift == pytest.approx(plan.mde / block.mean())
    more = design_flights(X, y, time="week", n_pairs=16, block_length=4, washout=1)
    assert more.std_error == pytest.approx(error / 2)


def test_bad_flights(series):
    X, y = series
    options = {"time": "week", "n_pairs": 4}
    with refuses_from("washout=4 leaves nothing of blocks of 4 periods."):
        design_flights(X, y, block_length=4, washout=4, **options)
    with refuses_from("X has 96 periods; two pairs of blocks of 30 periods need 120."):
        design_flights(X, y, block_length=30, **options)
    with refuses_from("levels=(1.5, 0.5) must be two factors, the lower one first"):
        design_flights(X, y, block_length=4, levels=(1.5, 0.5), **options)
