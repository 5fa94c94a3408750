"""Coordinates of chains: they can be gone back, and their volume is told."""

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import GAUSS, entries_of, make_problem
from skmmm._model.coordinates import Coordinates
from skmmm._model.laplace import (
    all_ties,
    information,
    known_parts,
    spread_information,
)
from skmmm._model.spreads import in_units
from skmmm._model.vectors import joined


def coordinates_of(problem, known=None):
    network, inputs, target = problem
    known = known or information(network, inputs, target, GAUSS)
    return Coordinates(network, known, all_ties(network, inputs, target))


def positions(coordinates, n=3, size=0.5):
    """Return random positions, (n, N), some way off the centre."""
    network = coordinates.network
    n_all = network.shared.numel() + network.regional.numel()
    generator = torch.Generator().manual_seed(1)
    return size * torch.randn(n, n_all, generator=generator, dtype=torch.float64)


def flat(parameters):
    return torch.cat([part.flatten(1) for part in parameters], dim=1)


@pytest.fixture
def problem():
    return make_problem()


def test_positions_are_found_again(problem):
    around = coordinates_of(problem)
    at = positions(around)
    assert_allclose(around.position(*around.parameters(at)), at, atol=1e-8)
    centre = around.parameters(torch.zeros_like(at[:1]))
    assert_allclose(centre[0], problem[0].shared, atol=1e-12)
    assert_allclose(centre[1], problem[0].regional, atol=1e-12)


def jacobian(around, at):
    """Return the derivative of the parameters by one position, (N, N)."""
    return torch.autograd.functional.jacobian(
        lambda one: flat(around.parameters(one[None]))[0], at
    )


def test_volume(problem):
    around = coordinates_of(problem)
    at = positions(around)
    sizes = [
        jacobian(around, one).slogdet()[1] for one in (torch.zeros_like(at[0]), *at)
    ]
    found = around.log_volume(around.parameters(at)[0])
    assert_allclose(found, torch.stack(sizes[1:]) - sizes[0], atol=1e-8)
    assert (found.abs() > 1e-3).all()


def test_gradient(problem):
    around = coordinates_of(problem)
    at = positions(around)

    def density(shared, regional):
        return torch.sin(shared).sum(dim=1) + regional.pow(3).flatten(1).sum(dim=1)

    expected = torch.autograd.functional.jacobian(
        lambda all_: (
            density(*around.parameters(all_))
            + around.log_volume(around.parameters(all_)[0])
        ).sum(),
        at,
    )
    shared, regional = around.parameters(at)
    slopes = torch.cos(shared), 3.0 * regional.square()
    assert_allclose(
        around.by_position(shared, regional, *slopes), expected, rtol=1e-7, atol=1e-7
    )


def test_spreads_that_stay_in_a_transition_are_dispersed_where_chains_start(problem):
    network, inputs, target = problem
    known = information(network, inputs, target, GAUSS)
    known = replace(known, cross=0.0 * known.cross, regional=1e9 * known.regional)
    at = entries_of(network, "season_spread_log")
    n_draws = 400
    ties = all_ties(network, inputs, target)
    around = Coordinates(network, known, ties)
    noise = positions(around, n_draws, size=1.0)
    assert around.parameters(noise)[0][:, at].std() < 1e-5
    shared, _ = around.spread_out(noise, known, ties)
    (prior,) = (p for p in network.shared_priors if p.name == "season_spread_log")
    n_deviations = sum(p.size for p in network.regional_priors if p.name == "season")
    # Each deviation that is known adds twice the square of what the log moves by.
    told = 2.0 * prior.scale**2 * len(network.regional[0]) * n_deviations
    expected = (1.0 + told) ** -0.5
    assert shared[:, at].std().item() == pytest.approx(expected, rel=4 / n_draws**0.5)


def moved_with_spread(problem, known, by=0.7):
    """Return by what factor deviations from a season grow where their spread does.

    In each region, (R, n), where nothing but a free spread moves.
    """
    network, *_ = problem
    around = coordinates_of(problem, known)
    shared = torch.zeros_like(network.shared)
    shared[:, entries_of(network, "season_spread_log")] = by
    only = around.approximation.whiten(shared, torch.zeros_like(network.regional))
    after = network.at(*around.parameters(joined(*only)))
    (where,) = (w for p, w in network.regional_priors.positions() if p.name == "season")
    before, after = (
        in_units(one.values(), "season", one.regional[..., where])[0]
        for one in (network, after)
    )
    return after / before


def test_what_rows_know_does_not_move_with_its_spread(problem):
    """Few regions of which rows say much, among many of which they say nothing."""
    network, inputs, target = problem
    known = information(network, inputs, target, GAUSS)
    times = torch.tensor([1e-9, 1e9, 1.0])[:, None, None].double()
    known = replace(known, cross=0.0 * known.cross, regional=times * known.regional)
    factor = moved_with_spread(problem, known)
    (prior,) = (p for p in network.shared_priors if p.name == "season_spread_log")
    wider = torch.tensor(prior.scale * 0.7).double().exp()
    assert_allclose(factor[0], wider, rtol=1e-6)
    assert_allclose(factor[1], 1.0, rtol=1e-6)
    part = known_parts(network, spread_information(network, known))[prior.name][2]
    assert (part > 1e-3).all()
    assert (part < 0.999).all()
    assert_allclose(factor[2], wider ** (1.0 - part), rtol=1e-6)
