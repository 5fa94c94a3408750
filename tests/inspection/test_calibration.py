"""Calibration: what is counted, by hand, and what is fitted, in miniature."""

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm.inspection import calibrate_intervals
from skmmm.inspection._calibration import (
    _compare,
    _coverage,
    _overall,
)
from skmmm.inspection._refits import to_refit

SUMMARY = ["contribution", "contribution_low", "contribution_high"]
COVERAGE = ["coverage", "standard_error", "width", "error", "widen_by"]


@pytest.fixture
def model(fast):
    return DeepCausalMMMRegressor(**fast, media=["media_1", "media_2"])


def calibrated(model, world, **arguments):
    """Return the result of two simulations; fits so short warn of anything."""
    arguments = {"n_simulations": 2, "random_state": 0} | arguments
    return calibrate_intervals(model, world.X, world.y, **arguments)


# --- what is counted ----------------------------------------------------------------


def test_where_the_truth_lies_among_draws():
    # Draws 1, 2, 3, 4, 5 of three channels; a fourth without spend.
    drawn = np.repeat(np.arange(1.0, 6.0)[:, None], 4, axis=1)
    drawn[:, 3] = 0.0
    summary = pd.DataFrame(
        [[3.0, 1.5, 4.0], [3.0, 1.5, 4.0], [3.0, 1.5, 4.0], [0.0, 0.0, 0.0]],
        columns=SUMMARY,
        index=["a", "b", "c", "idle"],
    )
    truth = np.array([3.5, 0.0, 5.0, 0.0])
    table = _compare(summary, drawn, truth, np.random.RandomState(0))
    assert_array_equal(table["holds"], [True, False, False, True])
    assert_array_equal(table["rank"][["a", "b"]], [3, 0])
    # Which of equal draws count is drawn.
    assert table.loc["c", "rank"] in (4, 5)
    assert 0 <= table.loc["idle", "rank"] <= 5
    assert_allclose(table["z_score"][:3], np.array([0.5, -3.0, 2.0]) / 2.5**0.5)
    assert np.isnan(table.loc["idle", "z_score"])
    # From the median, 3: half of the way up, twice the way down, twice up.
    assert_allclose(table["reach"], [0.5, 2.0, 2.0, 0.0])


def by_hand():
    """Two rows each of five simulations; the truth is .1 to .9 and 1.5 far out."""
    reach = np.append(np.arange(1, 10) / 10, 1.5)
    return pd.DataFrame(
        {
            "simulation": np.arange(10) // 2,
            "truth": 10.0,
            "contribution": np.linspace(10.0, 19.0, 10),
            "contribution_low": 8.0,
            "contribution_high": 12.0,
            "holds": reach <= 1,
            "reach": reach,
        }
    )


def test_coverage():
    row = _coverage(by_hand(), 0.9)
    share = 11 / 14
    assert list(row.index) == COVERAGE
    assert_allclose(row, [0.9, (share * (1 - share) / 14) ** 0.5, 4.0, 0.45, 1.0])


@pytest.mark.parametrize(("level", "factor"), [(0.5, 1.0), (0.91, 1.5), (0.99, 1.5)])
def test_factor_by_which_intervals_hold_enough_truths(level, factor):
    assert _coverage(by_hand(), level)["widen_by"] == factor


def test_channels_of_a_simulation_are_not_independent():
    row = _overall(by_hand(), 0.9)
    shares = [1.0, 1.0, 1.0, 1.0, 0.5]
    assert row["standard_error"] == pytest.approx(np.std(shares, ddof=1) / 5**0.5)
    assert row["coverage"] == 0.9


# --- what is fitted -----------------------------------------------------------------


@pytest.mark.parametrize("source", ["posterior", "prior"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tables(model, series, source):
    result = calibrated(model, series, source=source)
    channels = ["media_1", "media_2"]
    assert list(result.coverage.index) == channels
    assert list(result.coverage.columns) == COVERAGE
    assert list(result.overall.index) == COVERAGE
    assert result.n_draws == 4
    assert result.ranks.shape == (2, 2)
    assert ((result.ranks >= 0) & (result.ranks <= 4)).all()
    draws = result.draws
    assert_array_equal(draws["simulation"], [0, 0, 1, 1])
    assert_array_equal(draws["channel"], channels * 2)
    assert_array_equal(draws["rank"], result.ranks.ravel())
    assert (draws["truth"] >= 0).all()
    inside = draws["truth"].between(draws.contribution_low, draws.contribution_high)
    assert_array_equal(draws["holds"], inside)
    assert_array_equal(draws["holds"], draws["reach"] <= 1)
    assert result.coverage["coverage"].mean() == pytest.approx(result.overall.coverage)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_same_seed_same_result(model, series):
    first, again, other = (
        calibrated(model, series, n_simulations=1, random_state=seed).draws
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_behind_steps_and_searches(model, series):
    alone = calibrated(model, series, n_simulations=1).draws
    step = FunctionTransformer(lambda X: X.assign(price=X["price"]))
    pipeline = make_pipeline(step, model)
    grid = {f"{pipeline.steps[-1][0]}__max_iter": [10]}
    search = GridSearchCV(pipeline, grid, cv=[(np.arange(60), np.arange(60, 80))])
    for estimator in (pipeline, search):
        found = calibrated(estimator, series, n_simulations=1).draws
        pd.testing.assert_frame_equal(found, alone)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_weights_and_masked_rows(model, panel):
    # Rows of weight zero have whatever KPI, also after steps.
    weight = np.ones(len(panel.y))
    weight[::7] = 0.0
    changed = np.where(weight > 0, panel.y, 3 * panel.y)
    alone = calibrated(model, panel, sample_weight=weight, n_simulations=1)
    pipeline = make_pipeline(FunctionTransformer(), model)
    other = calibrate_intervals(
        pipeline,
        panel.X,
        changed,
        sample_weight=weight,
        n_simulations=1,
        random_state=0,
    )
    pd.testing.assert_frame_equal(alone.draws, other.draws)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_without_order_and_media_in_the_order_of_x(series, fast):
    fast = fast | {"time": None, "max_lag": 0}
    model = DeepCausalMMMRegressor(**fast, media=["media_2", "media_1"])
    result = calibrated(model, series, n_simulations=1)
    assert list(result.coverage.index) == ["media_1", "media_2"]


def test_refits_do_no_more_than_they_have_to(model):
    model.set_params(graph="notears", verbose=2, max_lag=3)
    if hasattr(model, "set_callbacks"):  # scikit-learn 1.9
        from sklearn.callback import ScoringMonitor

        model.set_callbacks(ScoringMonitor(scoring="r2"))
    copied = to_refit(model, "graph", "experiments", random_state=7)
    changed = {"graph": None, "verbose": 0, "random_state": 7}
    assert copied.get_params() == model.get_params() | changed
    assert not getattr(copied, "_skl_callbacks", [])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_side_by_side(model, series):
    alone = calibrated(model, series)
    with joblib.parallel_config("threading"):
        together = calibrated(model, series, n_jobs=2)
    pd.testing.assert_frame_equal(together.draws, alone.draws, check_exact=True)


@pytest.mark.filterwarnings("ignore:The spend of .* seems to act")  # untrained
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_of_the_fits_are_counted(model, series, n_jobs):
    with (
        joblib.parallel_config("threading"),
        pytest.warns(UserWarning, match="The first of 2 such warnings") as told,
    ):
        calibrated(model.set_params(max_iter=1), series, n_jobs=n_jobs)
    (counted,) = (w for w in told if "(The first of 2 such warnings" in str(w.message))
    assert "max_iter=1" in str(counted.message)


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1.5, True])
def test_number_of_simulations(model, series, value):
    with refuses(f"n_simulations must be an integer of at least 1: {value!r}."):
        calibrated(model, series, n_simulations=value)


def test_source_and_level(model, series):
    with refuses("source='data' must be 'posterior' or 'prior'."):
        calibrated(model, series, source="data")
    with refuses("confidence_level=1.0 must be between 0 and 1."):
        calibrated(model, series, confidence_level=1.0)


def test_other_estimators(series):
    drop = FunctionTransformer(lambda X: X[["media_1", "media_2"]])
    message = (
        "calibrate_intervals simulates a KPI from the model, which LinearRegression "
    )
    with refuses_from(message):
        calibrated(make_pipeline(drop, LinearRegression()), series)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_models_without_draws_or_media(model, series):
    with refuses_from("calibrate_intervals needs draws, but the model was fitted with"):
        calibrated(model.set_params(n_draws=0), series)
    with refuses("calibrate_intervals needs media, but the model has none."):
        calibrated(model.set_params(n_draws=4, media=[]), series)
