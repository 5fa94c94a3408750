"""What rows say of deviations of regions changes with the level."""

import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import GAUSS, entries_of, make_problem
from skmmm._model import deviations
from skmmm._model.deviations import DeviationInformation
from skmmm._model.laplace import information, spread_information


def informed(network, inputs, target):
    known = information(network, inputs, target, GAUSS)
    return DeviationInformation(network, inputs, target, GAUSS, known)


def with_level(network, gain, persistence):
    """Return a twin whose level has other parameters, each moved by so much."""
    shared = network.shared.clone()
    shared[:, entries_of(network, "level_gain_logit")] += gain
    shared[:, entries_of(network, "level_persistence_logit")] += persistence
    return network.at(shared, network.regional)


def test_information_is_that_of_any_level():
    network, inputs, target = make_problem(n_regions=5)
    told = informed(network, inputs, target)
    assert told.at(network).keys() == told.told.keys()
    for name, size in told.at(network).items():
        assert_allclose(size, told.told[name], rtol=1e-12)
    before = told.told["trend_spread_log"].sum()
    for gain, persistence in ((1.0, 0.0), (0.0, 2.0), (-0.5, 1.0)):
        moved = with_level(network, gain, persistence)
        known = information(moved, inputs, target, GAUSS)
        expected, found = spread_information(moved, known), told.at(moved)
        # What is left of an error, and with it the weight of a row, moves a little too.
        for name in ("intercept", "trend", "season", "control"):
            key = f"{name}_spread_log"
            assert found[key].sum().item() == pytest.approx(
                expected[key].sum().item(), rel=0.02
            )
    assert told.at(with_level(network, 1.0, 2.0))["trend_spread_log"].sum() < before


def test_a_few_regions_speak_for_all(monkeypatch):
    network, inputs, target = make_problem(n_regions=9)
    moved = with_level(network, 0.7, 1.0)
    everyone = informed(network, inputs, target).at(moved)
    monkeypatch.setattr(deviations, "_REGIONS", 4)
    few = informed(network, inputs, target)
    assert few._changes.shape[1] == 3
    for name, size in few.at(moved).items():
        assert_allclose(size, everyone[name], rtol=0.25)


@pytest.mark.parametrize("settings", [{"n_regions": 1}, {"level": False}])
def test_nothing_follows_a_level_that_is_not_there(settings):
    network, inputs, target = make_problem(**settings)
    told = informed(network, inputs, target)
    assert told.at(network) is told.told


def test_the_level_has_a_slope():
    network, inputs, target = make_problem(n_regions=5)
    told, name = informed(network, inputs, target), "intercept_spread_log"

    def size(by):
        return told.at(with_level(network, by, by))[name].sum()

    shared = network.shared.clone().requires_grad_()
    total = told.at(network.at(shared, network.regional))[name].sum()
    (slope,) = torch.autograd.grad(total, shared)
    both = ("level_gain_logit", "level_persistence_logit")
    found = sum(slope[0, entries_of(network, one)].sum() for one in both)
    expected = (size(1e-5) - size(-1e-5)) / 2e-5
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.isfinite(slope).all()
