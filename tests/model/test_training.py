"""Training: it goes back where a round diverges, and starts from samples."""

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


def test_a_round_that_diverges_is_undone(monkeypatch):
    """The fit goes back, and half of the way to the new share of regions."""
    network, inputs, target = make_problem(n_regions=5)
    shares, ends = [], []
    find_mode = optimise.find_mode

    def found(some, *given):
        shares.append(some.independent_share)
        loss = find_mode(some, *given)
        ends.append(some.shared)
        if len(ends) == 2:
            some.shared = some.shared + 1.0
            return loss + 10.0
        if len(ends) == 3:
            assert torch.equal(given_to[2], ends[0])
        return loss

    given_to = []

    def effective(some, *given):
        given_to.append(some.shared)
        return [0.9, 0.1, 0.1, 0.3, 0.3, 0.3][min(len(given_to), 6) - 1]

    monkeypatch.setattr(optimise, "find_mode", found)
    monkeypatch.setattr(optimise, "effective_regions", effective)
    settled, _ = settle(network, inputs, target, max_iter=600)
    assert settled
    assert shares[:3] == pytest.approx([0.9, 0.1, (0.9 * 0.1) ** 0.5])


def test_training_from_nowhere_ends(monkeypatch):
    """Where no step of the first round leads to a finite loss."""
    losses = iter([np.nan, np.nan])
    monkeypatch.setattr(optimise, "find_mode", lambda *given: next(losses))
    with pytest.raises(FloatingPointError, match="values of extreme size"):
        settle(*make_problem(n_regions=5))


@pytest.fixture
def small_samples(monkeypatch):
    monkeypatch.setattr(optimise, "MANY_REGIONS", 9)
    monkeypatch.setattr(optimise, "SAMPLE", 3)


@pytest.mark.usefixtures("small_samples")
def test_training_starts_from_the_best_of_some_samples(monkeypatch):
    network, inputs, target = make_problem(n_regions=9)
    network.shared = torch.zeros_like(network.shared)
    network.regional = torch.zeros_like(network.regional)
    sizes, starts, reached = [], [], []
    alternate, find_mode = optimise._alternate, optimise.find_mode

    def alternated(some, *given):
        sizes.append(some.sizes.n_regions)
        starts.append(some.shared)
        return alternate(some, *given)

    def found(some, *given):
        loss = find_mode(some, *given)
        if some.sizes.n_regions == 9 and len(sizes) < 3:
            reached.append((loss, some.shared))
        return loss

    monkeypatch.setattr(optimise, "_alternate", alternated)
    monkeypatch.setattr(optimise, "find_mode", found)
    _, losses = settle(network, inputs, target, max_iter=90)
    assert sizes == [3, 3, 9]
    assert len(losses) <= 90
    _, best = min(reached, key=lambda pair: pair[0])
    assert len(reached) == 2
    assert torch.equal(starts[2], best)


@pytest.mark.usefixtures("small_samples")
def test_samples_are_part_of_the_iterations():
    network, inputs, target = make_problem(n_regions=9)
    for few in (1, 5, 24):
        _, losses = settle(network, inputs, target, max_iter=few)
        assert len(losses) == few
    told = []

    def stop(loss):
        told.append(loss)
        return True

    assert train(
        network, inputs, target, GAUSS, max_iter=24, tol=0.0, on_iteration=stop
    )
    assert len(told) == 1


def test_samples_share_no_region_and_follow_no_order():
    samples = optimise._samples(381)
    assert len(torch.cat(samples).unique()) == 2 * optimise.SAMPLE
    for some in samples:
        assert (some.diff() > 0).all()
        assert torch.bincount(some % 3, minlength=3).min() > 10


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
    assert slopes.min() == pytest.approx(np.exp(0.25 - 1.7), rel=1e-6)
    assert slopes.max() == pytest.approx(np.exp(0.25 + 1.7), rel=1e-6)
    middle = network.at(places[:1] * 0 + 0 * network.shared[:1], network.regional[:1])
    assert middle.values()["slope_log"].exp()[0, 0] == pytest.approx(np.exp(0.25))
