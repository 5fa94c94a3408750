"""Diagnostics of draws: silent over good chains, and they name what is wrong."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skmmm import DeepCausalMMMRegressor
from skmmm._estimator import fitting
from skmmm._model import hmc
from skmmm.inspection._placement import UNTRUSTED
from skmmm.inspection._sampling import (
    COLUMNS,
    diagnose,
    is_untrusted,
    sampling_problem,
)

NAMES = ["tv", "search"]


def chains(n_transitions=8, n_chains=32, memory=0.4, seed=0):
    """Return stationary autoregressions, their starts, and moves that are accepted."""
    rng = np.random.default_rng(seed)
    now = start = rng.normal(size=(n_chains, len(NAMES)))
    values = []
    for _ in range(3 * n_transitions):
        fresh = rng.normal(size=now.shape)
        now = memory * now + (1.0 - memory**2) ** 0.5 * fresh
        values.append(now)
    accepted = np.full((n_transitions, n_chains), np.log(0.8))
    return np.array(values[-n_transitions:]), start, accepted


def diagnosed(*chains):
    return dict(zip(COLUMNS, diagnose(*chains).T, strict=True))


def problem(*chains):
    return sampling_problem(diagnose(*chains), NAMES, n_longer=500)


@pytest.mark.parametrize("n_chains", [8, 32])
def test_good_chains_are_silent(n_chains):
    for seed in range(20):
        assert problem(*chains(n_chains=n_chains, memory=0.5, seed=seed)) == ""


def test_only_the_channel_that_drifts_is_not_trusted():
    values, start, accepted = chains()
    assert not is_untrusted(diagnose(values, start, accepted)).any()
    values[..., 1] += np.linspace(0.0, 8.0, len(values))[:, None]
    assert_array_equal(is_untrusted(diagnose(values, start, accepted)), [False, True])
    refused = np.full_like(accepted, np.log(0.1))
    assert is_untrusted(diagnose(values, start, refused)).all()


def test_channels_whose_draws_cannot_be_trusted_are_not_data_driven(panel, monkeypatch):
    roles = {"media": panel.media, "controls": panel.controls}
    roles |= {"region": "region", "time": "week", "media_cost": 1.0}
    model = DeepCausalMMMRegressor(**roles, graph=None, random_state=0)
    told = model.fit(panel.X, panel.y).channel_summary()["verdict"]
    assert "data-driven" in list(told)

    def all_but_the_last(found):
        return np.arange(len(found)) < len(found) - 2

    monkeypatch.setattr(fitting, "is_untrusted", all_but_the_last)
    summary = model.fit(panel.X, panel.y).channel_summary()
    doubted, alarm = summary["verdict"], summary["alarm"]
    assert "data-driven" not in list(doubted[:-1])
    assert doubted.iloc[-1] == told.iloc[-1]
    assert set(alarm[:-1]) == {UNTRUSTED}
    assert alarm.iloc[-1] == ""
    # Plans leave them where they are.
    reasons = model.optimize_budget().allocation["reason"]
    assert reasons[:-1].str.contains(UNTRUSTED).all()


@pytest.mark.filterwarnings("ignore:.*the same values")
def test_of_channels_whose_draws_cannot_be_trusted_no_sum_is_known(panel, monkeypatch):
    X = panel.X.assign(twin=panel.X["media_1"])
    roles = {"media": [*panel.media, "twin"], "controls": panel.controls}
    roles |= {"region": "region", "time": "week", "media_cost": 1.0}
    model = DeepCausalMMMRegressor(**roles, graph=None, random_state=0)
    assert len(model.fit(X, panel.y).channel_groups()) == 1
    monkeypatch.setattr(
        fitting, "is_untrusted", lambda found: np.ones(len(found), dtype=bool)
    )
    assert not len(model.fit(X, panel.y).channel_groups())


def test_a_posterior_that_drifts_alone_says_nothing_against_channels():
    values, start, accepted = chains()
    values[..., 1] += np.linspace(0.0, 8.0, len(values))[:, None]
    found = diagnose(values, start, accepted)
    said = sampling_problem(found, ["tv", "log posterior"], n_longer=500)
    assert "the effects of channels look settled" in said
    assert "data-driven" not in said


def test_numbers_of_good_chains():
    told = diagnosed(*chains(n_transitions=60, n_chains=400))
    assert told["r_hat"] == pytest.approx(1.0, abs=0.03)
    assert told["nested_r_hat"] == pytest.approx(1.0, abs=0.02)
    assert told["drift"] == pytest.approx(0.0, abs=0.1)
    # Of an autoregression, (1 - memory) / (1 + memory) of all draws.
    assert told["ess_bulk"] == pytest.approx(24_000 * 0.6 / 1.4, rel=0.3)
    assert told["acceptance"] == pytest.approx(0.8)
    assert_array_equal(told["divergences"], 0)
    assert np.isnan(diagnosed(*chains())["r_hat"]).all()


def test_tails_and_monotone_changes_do_not_matter():
    values, start, accepted = chains()
    plain = diagnose(values, start, accepted)
    bent = diagnose(np.exp(3 * values), np.exp(3 * start), accepted)
    np.testing.assert_allclose(bent, plain)


@pytest.mark.parametrize("n_chains", [8, 32])
def test_chains_that_remember_their_start_are_named(n_chains):
    values, start, accepted = chains(n_chains=n_chains)
    values[..., 1] = 3.0 * start[:, 1] + 0.1 * values[..., 1]
    found = problem(values, start, accepted)
    assert "draws of ['search']" in found
    assert "n_draws=500" in found


def test_chains_that_are_still_on_their_way_are_named():
    values, start, accepted = chains()
    values[..., 0] += np.arange(8)[:, None]
    assert "draws of ['tv']" in problem(values, start, accepted)


@pytest.mark.parametrize("change", [-5000.0, np.nan, -np.inf, -3.0])
def test_moves_that_are_lost_are_counted(change):
    values, start, accepted = chains()
    accepted[:, ::2] = change
    found = diagnosed(values, start, accepted)
    lost = 0 if change == -3.0 else accepted.size // 2
    assert_array_equal(found["divergences"], lost)
    if lost:
        assert found["acceptance"] == pytest.approx(0.4)
        assert "128 of 256 diverged" in problem(values, start, accepted)


@pytest.mark.parametrize(("n_chains", "n_transitions"), [(7, 8), (32, 3)])
def test_nothing_is_said_of_few(n_chains, n_transitions):
    values, start, accepted = chains(n_transitions, n_chains)
    assert problem(0.0 * values + start, start, accepted - 9.0) == ""


def test_a_channel_without_effect_has_no_numbers():
    values, start, accepted = chains()
    values[..., 0] = start[:, 0] = 0.0
    assert np.isnan(diagnosed(values, start, accepted)["nested_r_hat"][0])
    assert problem(values, start, accepted) == ""


def test_fit_warns_of_a_step_that_is_far_too_large(series, arguments, monkeypatch):
    class FarTooLarge(hmc._StepSize):
        def learn(self, accepted):
            self.now = 20.0

    monkeypatch.setattr(hmc, "_StepSize", FarTooLarge)
    for name, value in {"N_MOVES": 0, "N_WARMUP": 1, "N_AFTER": 4}.items():
        monkeypatch.setattr(hmc, name, value)
    settings = arguments | {"max_iter": 10, "n_draws": 8, "graph": None}
    model = DeepCausalMMMRegressor(**settings)
    with pytest.warns(ConvergenceWarning, match="accepted 0% of its moves, and 32 of"):
        model.fit(series.X, series.y)
    table = model.sampling_diagnostics_
    assert list(table.index) == [*series.media, "log posterior"]
    assert (table["divergences"] == 32).all()
