"""The benchmark worlds: reproducible, honest about their truth, like their sources."""

import importlib
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal

PATH = Path(__file__).parents[2] / "benchmarks" / "problems.py"
if not PATH.exists():
    pytest.skip(
        "benchmarks are not part of the source distribution", allow_module_level=True
    )
sys.path.insert(0, str(PATH.parent))
problems, preset_worlds = map(importlib.import_module, ("problems", "preset_worlds"))
sys.path.remove(str(PATH.parent))

NAMES = list(problems.WORLDS)
PUBLIC = {problem.name: problem for problem in preset_worlds.public_tables()}
# The stress worlds that are sums over channels, with Gaussian noise around a baseline
# of trend, one wave a year and price.
ADDITIVE = ["clean", "collinear", "slow_weibull", "exponential_s", "drifting_effect"]


@cache
def world(name, seed=0):
    return problems.WORLDS[name](seed)


def residual_of(target, columns):
    """What least squares on the columns and a constant leaves of the target."""
    design = np.column_stack([np.ones(len(target)), *columns])
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    return target - design @ solution, solution[1:]


def waves(n_weeks, harmonics):
    angle = 2 * np.pi * np.arange(n_weeks) / 52
    return [f(h * angle) for h in range(1, harmonics + 1) for f in (np.sin, np.cos)]


def test_every_world_is_marked():
    assert set(problems.REPRESENTABLE) == set(NAMES)
    assert set(NAMES) >= problems.MISSPECIFIED
    assert problems.REPRESENTABLE["clean"]
    assert not problems.REPRESENTABLE["endogenous"]


@pytest.mark.parametrize("name", NAMES)
def test_has_the_columns_its_roles_name(name):
    problem = world(name)
    roles = problem.roles
    region = [] if roles["region"] is None else [roles["region"]]
    columns = [roles["time"], *region, *roles["media"], *roles["controls"]]
    assert sorted(problem.X) == sorted(columns)
    assert list(problem.truth) == roles["media"]
    assert not problem.X.isna().any(axis=None)
    assert np.isfinite(problem.y).all()
    assert np.isfinite(problem.truth).all(axis=None)
    assert problem.truth.index.equals(problem.X.index)
    assert problem.y.index.equals(problem.X.index)
    assert (problem.X[roles["media"]] >= 0).all(axis=None)
    assert not problem.X.duplicated([roles["time"], *region]).any()
    assert (problem.name, problem.seed) == (name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_world(name):
    once, again = world(name), problems.WORLDS[name](0)
    assert_frame_equal(once.X, again.X, check_exact=True)
    assert_series_equal(once.y, again.y, check_exact=True)
    assert_frame_equal(once.truth, again.truth, check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_other_seed_other_world(name):
    one, other = world(name), world(name, 1)
    assert list(one.X) == list(other.X)
    assert not np.isclose(one.y, other.y).all()
    media = one.roles["media"]
    for channel in media:
        assert not np.isclose(one.X[channel], other.X[channel]).all()


@pytest.mark.parametrize("name", NAMES)
def test_truth_is_zero_before_money_was_spent(name):
    problem = world(name)
    assert (problem.truth >= 0).all(axis=None)
    assert (problem.truth.sum() > 0).all()
    region = problem.roles["region"]
    spend = problem.X[problem.roles["media"]]
    keys = np.zeros(len(spend)) if region is None else problem.X[region]
    so_far = spend.groupby(keys).cumsum()
    assert (problem.truth.where(so_far == 0, 0.0) == 0).all(axis=None)


def test_truth_is_zero_where_nothing_was_ever_spent():
    spend = np.ones((20, 3)) * [1.0, 0.0, 2.0]
    lost = problems.without_each(lambda x: (x.sum(axis=1)) ** 2, spend)
    assert_allclose(lost, np.ones((20, 3)) * [5.0, 0.0, 8.0])


# --- presets -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*problems.PRESETS, "large"])
def test_presets_resemble_the_public_tables(name):
    if f"public_{name}" not in PUBLIC:
        pytest.skip("the public tables are not here")
    public, ours = PUBLIC[f"public_{name}"], [world(name, seed) for seed in range(2)]
    assert all(len(p.X) == len(public.X) for p in ours)
    assert all(p.truth.shape == public.truth.shape for p in ours)
    assert all(len(p.roles["controls"]) == len(public.roles["controls"]) for p in ours)

    def facts(problem):
        spend = problem.X[problem.roles["media"]].to_numpy()
        return [
            problem.y.mean(),
            problem.y.std(),
            spend.sum(axis=1).mean(),
            (spend == 0).mean(),
            problem.truth.to_numpy().sum() / problem.y.sum(),
        ]

    assert_allclose(np.mean([facts(p) for p in ours], axis=0), facts(public), rtol=0.3)
    if name != "large":  # whose parameters are drawn
        shares = [(p.truth.sum() / p.y.sum()).to_numpy() for p in ours]
        expected = (public.truth.sum() / public.y.sum()).to_numpy()
        assert_allclose(np.mean(shares, axis=0), expected, atol=0.06)


@pytest.mark.parametrize("name", problems.PRESETS)
def test_presets_are_sums_of_their_parts(name):
    """What is left without media and controls is season with noise of a tenth."""
    problem = world(name)
    controls = problem.X[problem.roles["controls"]]
    rest = problem.y - problem.truth.sum(axis=1)
    for _, rows in problem.X.groupby("region").groups.items():
        columns = [*waves(len(rows), 1), *controls.loc[rows].to_numpy().T]
        rate = problems.PRESETS[name]["rate"]
        left, _ = residual_of(rest[rows].to_numpy(), columns)
        assert 0.075 < left.std() / rate < 0.125


# --- stress worlds -------------------------------------------------------------------


@pytest.mark.parametrize("name", ADDITIVE)
def test_stress_worlds_are_sums_of_their_parts(name):
    """Averaged over seeds, as a price that hardly moves has an uncertain effect."""
    found = []
    for seed in range(8):
        problem = world(name, seed)
        rest = (problem.y - problem.truth.sum(axis=1)).to_numpy()
        share = np.arange(len(rest)) / len(rest)
        columns = [problem.X["price"], share, *waves(len(rest), 1)]
        left, effects = residual_of(rest, columns)
        found.append([left.std(), *effects])
    noise, *effects = np.mean(found, axis=0)
    assert_allclose(noise, problems.NOISE, rtol=0.1)
    assert_allclose(effects, [-28, 60, 35, 22], atol=6)


def test_outliers_change_only_what_was_recorded():
    clean, outliers = world("clean"), world("outliers")
    assert_series_equal(clean.y, outliers.y)
    assert_frame_equal(clean.truth, outliers.truth)
    media = clean.roles["media"]
    assert_frame_equal(clean.X.drop(columns=media), outliers.X.drop(columns=media))
    changed = clean.X[media] != outliers.X[media]
    assert (changed.sum() == 1).all()
    assert_allclose(outliers.X[media].max(), 15 * clean.X[media].max())


def test_synergy_is_in_the_truth_of_both():
    gain = world("synergy").truth - world("clean").truth
    assert (gain[["tv", "search"]] > 0).all(axis=None)
    assert_allclose(gain["tv"], gain["search"])
    assert_allclose(gain[["social", "display"]], 0.0, atol=1e-9)


def test_effects_drift_by_forty_percent():
    factor = world("drifting_effect").truth / world("clean").truth
    assert_allclose(factor["tv"].iloc[[0, -1]], [1.4, 0.6])
    assert_allclose(factor["search"].iloc[[0, -1]], [0.6, 1.4])
    assert factor.min(axis=None) > 0.599
    assert factor.max(axis=None) < 1.401
    assert factor.diff().abs().max(axis=None) < 0.02


def test_collinear_channels_move_together():
    spend = world("collinear").X[problems.CHANNELS]
    assert spend.corr().to_numpy().min() > 0.98
    assert (
        world("clean").X[problems.CHANNELS].corr().abs().to_numpy()[0, 1:].max() < 0.5
    )


def test_confounded_budgets_follow_hidden_demand():
    """Averaged over seeds, as a season may hide it in one."""
    correlations = []
    for seed in range(5):
        problem = world("confounded", seed)
        rest = problem.y - problem.truth.sum(axis=1)
        correlations.append(problem.X[problems.CHANNELS].corrwith(rest))
    mean = pd.DataFrame(correlations).mean()
    assert mean[["search", "social"]].min() > mean[["tv", "display"]].max()


# --- spend that follows sales, and the funnel ----------------------------------------


def auction_coefficient(name, seed):
    """Return of pla by regression on the carried-over spend of each channel."""
    problem = world(name, seed)
    kernels = problems.geometric(problems.AUCTION_DECAY, problems.AUCTION_LAGS)
    spend = problem.X[problem.roles["media"]].to_numpy()
    carried = problems.carry_over(spend, kernels)
    columns = [*carried.T, np.arange(len(spend)), *waves(len(spend), 2)]
    return residual_of(problem.y.to_numpy(), columns)[1][0]


def test_chasing_biases_a_regression_upward():
    seeds = range(4)
    chased = np.mean([auction_coefficient("endogenous", seed) for seed in seeds])
    fair = np.mean([auction_coefficient("exogenous", seed) for seed in seeds])
    assert chased > 3 * 4.3
    assert abs(fair - 4.3) < 6.0


@pytest.mark.parametrize("name", ["endogenous", "exogenous"])
def test_true_return_of_the_auction(name):
    problem = world(name)
    spend = problem.X[problem.roles["media"]]
    assert_allclose(problem.truth.sum() / spend.sum(), problems.AUCTION_RETURN)


def test_endogenous_spend_follows_last_weeks_sales():
    def follows(name):
        found = []
        for seed in range(4):
            problem = world(name, seed)
            sales, spend = problem.y.to_numpy(), problem.X["pla"].to_numpy()
            usual = problem.y.rolling(10, min_periods=1).mean().to_numpy()
            found.append(np.corrcoef((sales / usual)[:-1], spend[1:])[0, 1])
        return np.array(found)

    assert follows("endogenous").min() > 0.6
    assert follows("exogenous").mean() < 0.4


def test_a_third_of_television_runs_through_search():
    problem = world("funnel")
    direct, total = problem.truth.sum(), problem.total_truth.sum()
    assert_allclose(direct["tv"] / total["tv"], 2 / 3)
    assert_allclose(problem.truth["search"], problem.total_truth["search"])
    assert (problem.total_truth >= problem.truth).all(axis=None)
    assert problem.X["search"].corr(problem.X["tv"]) > 0.5


@pytest.mark.parametrize("name", ["clean", "dense_controls", "small", "medium"])
def test_family_at_its_true_parameters_is_the_truth_but_for_a_factor(name):
    problem = world(name, 3)
    curves = problem.family.curves(problem.family.truth)
    assert len(problem.family.kinds) == len(problem.family.truth)
    for curve, (_, truth) in zip(curves.T, problem.truth.items(), strict=True):
        assert np.corrcoef(curve, truth)[0, 1] > 0.998  # decays of 0 count as .02
