"""Training: it settles where rounds would swing, and starts from samples."""

import numpy as np
import pytest
import torch

from network_problems import GAUSS, make_problem
from skmmm._model import optimise
from skmmm._model.laplace import LaplaceApproximation, information, with_shared_held
from skmmm._model.optimise import train


def settle(network, inputs, target, **settings):
    losses = []
    settings = {"max_iter": 200, "tol": 1e-8} | settings
    settled = train(
        network, inputs, target, GAUSS, on_iteration=losses.append, **settings
    )
    return settled, losses


def test_rounds_that_swing_are_damped(monkeypatch):
    """Independence that answers to itself, and overshoots, comes to rest."""
    network, inputs, target = make_problem(n_regions=5)
    shares = []

    def overshooting(network, inputs, target):
        # Its only fixed point is .5, from which undamped steps lead away.
        shares.append(np.clip(0.5 - 1.5 * (network.independent_share - 0.5), 0.1, 0.9))
        return float(shares[-1])

    network.independent_share = 0.55
    monkeypatch.setattr(optimise, "effective_regions", overshooting)
    settled, losses = settle(network, inputs, target, max_iter=600)
    assert settled
    assert len(losses) < 600
    assert network.independent_share == pytest.approx(0.5, abs=0.1)


def test_training_starts_from_the_best_of_some_samples(monkeypatch):
    network, inputs, target = make_problem(n_regions=9)
    network.shared = torch.zeros_like(network.shared)
    network.regional = torch.zeros_like(network.regional)
    start = network.shared, network.regional
    sizes, alternate = [], optimise._alternate

    def watched(some, *given):
        sizes.append(some.sizes.n_regions)
        return alternate(some, *given)

    monkeypatch.setattr(optimise, "_alternate", watched)
    monkeypatch.setattr(optimise, "MANY_REGIONS", 9)
    monkeypatch.setattr(optimise, "SAMPLE", 4)
    settled, losses = settle(network, inputs, target, max_iter=400)
    assert sizes == [4, 4, 4, 9]
    assert settled
    assert np.isfinite(losses).all()
    whole = network.at(*start)
    whole.independent_share = 1.0
    monkeypatch.setattr(optimise, "MANY_REGIONS", 10)
    _, others = settle(whole, inputs, target, max_iter=400)
    # Where all iterations over all rows begin, samples have done most of the work.
    assert losses[0] < others[0]


def test_shared_parameters_that_are_held_stay():
    network, inputs, target = make_problem(n_regions=5)
    known = with_shared_held(information(network, inputs, target, GAUSS))
    held = LaplaceApproximation(known)
    shared, regional = held.unwhiten(
        torch.ones_like(network.shared), torch.ones_like(network.regional)
    )
    assert shared.abs().max() < 1e-5
    assert regional.abs().max() > 0.01


def test_slopes_of_hill_stay_within_reach():
    network, *_ = make_problem()
    places = torch.linspace(-50.0, 50.0, 101, dtype=torch.float64)[:, None]
    network.shared = places.expand(-1, network.shared.shape[1])
    network.regional = network.regional.expand(len(places), -1, -1)
    slopes = network.values()["slope_log"].exp()
    assert slopes.min() == pytest.approx(np.exp(0.2 - 1.2), rel=1e-6)
    assert slopes.max() == pytest.approx(np.exp(0.2 + 1.2), rel=1e-6)
    middle = network.at(places[:1] * 0 + 0 * network.shared[:1], network.regional[:1])
    assert middle.values()["slope_log"].exp()[0, 0] == pytest.approx(np.exp(0.2))
