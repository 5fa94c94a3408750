"""What rows say of deviations of regions changes with what regions share."""

import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import GAUSS, entries_of, make_problem
from skmmm import DeepCausalMMMRegressor
from skmmm._model import deviations
from skmmm._model.deviations import DeviationInformation
from skmmm._model.laplace import information, spread_information
from skmmm.datasets import make_mmm_panel


def informed(network, inputs, target):
    known = information(network, inputs, target, GAUSS)
    return DeviationInformation(network, inputs, target, GAUSS, known)


def moved(network, **steps):
    """Return a twin with some shared parameters moved by so much."""
    shared = network.shared.clone()
    for name, step in steps.items():
        shared[:, entries_of(network, name)] += step
    return network.at(shared, network.regional)


@pytest.mark.parametrize(
    "steps",
    [
        {"level_gain_logit": 1.0},
        {"level_persistence_logit": 2.0, "level_gain_logit": -0.5},
        {"effect": 0.5},
        {"half_saturation_log": 0.4, "decay_logit": -0.5},
        {"effect_log_spread_log": 0.5, "trend_spread_log": -0.5},
    ],
)
def test_information_is_that_of_any_shared_parameters(steps):
    network, inputs, target = make_problem(n_regions=5)
    network.regional = 0.1 * network.regional
    told, there = informed(network, inputs, target), moved(network, **steps)
    for name, size in told.at(network).items():
        assert_allclose(size, told.told[name], rtol=1e-12)
    known = information(there, inputs, target, GAUSS)
    expected, found = spread_information(there, known), told.at(there)
    off = 0.0
    for prior in ("intercept", "trend", "season", "control", "effect_log"):
        name = f"{prior}_spread_log"
        # Weights of rows and regions that deviate move a little, too.
        assert_allclose(found[name].sum(0), expected[name].sum(0), rtol=0.05)
        off = max(off, (told.told[name] / expected[name] - 1.0).abs().max())
    assert "effect_log_spread_log" in steps or off > 0.1


def test_a_few_regions_speak_for_all(monkeypatch):
    network, inputs, target = make_problem(n_regions=9)
    there = moved(network, level_gain_logit=0.7, level_persistence_logit=1.0)
    everyone = informed(network, inputs, target).at(there)
    monkeypatch.setattr(deviations, "_REGIONS", 4)
    few = informed(network, inputs, target)
    assert len(few._some) == 3
    for name, size in few.at(there).items():
        assert_allclose(size, everyone[name], rtol=0.25)


def test_the_few_do_not_gain_by_deviating():
    network, inputs, target = make_problem(n_regions=5)
    told = informed(network, inputs, target)
    apart = 3.0 * torch.tensor([1.0, -1.0, 2.0, -2.0, 0.0])[:, None]
    away = network.at(network.shared, network.regional + apart)
    for name, size in told.at(away).items():
        assert_allclose(size, told.told[name], rtol=1e-9)


def test_all_do_not_gain_by_deviating_from_next_to_nothing():
    network, inputs, target = make_problem(n_regions=5)
    network.regional = 0.1 * network.regional
    told = informed(network, inputs, target)
    values = network.values()
    less = moved(network, effect=-0.5)
    first, was = (n.typical_effects(n.values())[0, 0] for n in (less, network))
    assert 0.0 < first < 0.8 * was
    [where] = [
        at for p, at in network.regional_priors.positions() if p.name == "effect_log"
    ]
    regional = network.regional.clone()
    by = torch.log(was / first) / torch.exp(values["effect_log_spread_log"])
    regional[..., where.start] += by
    same = told.at(network.at(less.shared, regional))["effect_log_spread_log"]
    expected = told.told["effect_log_spread_log"]
    assert_allclose(same[..., 0], expected[..., 0], rtol=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_effects_of_regions_that_differ(seed):
    panel = make_mmm_panel(8, 80, n_media=4, region_spread=0.8, random_state=seed)
    model = DeepCausalMMMRegressor(
        media=panel.media,
        controls=panel.controls,
        region="region",
        time="week",
        graph=None,
        n_draws=0,
        random_state=0,
    ).fit(panel.X, panel.y)
    spread = model._model.network.values()["effect_log_spread_log"].exp()
    assert 0.4 < spread < 1.2  # it was 10 and 5


def test_one_region_has_no_deviations():
    network, inputs, target = make_problem(n_regions=1)
    told = informed(network, inputs, target)
    found = told.at(moved(network, effect=1.0, level_gain_logit=1.0))
    assert found.keys() == told.told.keys()
    assert all(torch.equal(found[name], size) for name, size in told.told.items())


def test_rows_without_order_have_no_level():
    network, inputs, target = make_problem(level=False)
    told, name = informed(network, inputs, target), "effect_log_spread_log"
    assert (told.at(moved(network, effect=1.0))[name] > told.told[name]).all()


def test_the_information_has_a_slope():
    network, inputs, target = make_problem(n_regions=5)
    told, name = informed(network, inputs, target), "effect_log_spread_log"
    names = ("level_gain_logit", "level_persistence_logit", "effect")

    def size(by):
        return told.at(moved(network, **dict.fromkeys(names, by)))[name].sum()

    shared = network.shared.clone().requires_grad_()
    total = told.at(network.at(shared, network.regional))[name].sum()
    (slope,) = torch.autograd.grad(total, shared)
    found = sum(slope[0, entries_of(network, one)].sum() for one in names)
    expected = (size(1e-5) - size(-1e-5)) / 2e-5
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
