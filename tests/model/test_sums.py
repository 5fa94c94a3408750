"""Blocks of regions that add up what all regions say: the same as all at once.

Blocks are computed in threads here; `tests/test_distributed.py` has processes.
"""

import threading
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta

import pytest
import torch
from numpy.testing import assert_allclose
from torch import distributed

from network_problems import GAUSS, gradient_of, make_problem
from skmmm._model import deviations, hmc, optimise
from skmmm._model.coordinates import Coordinates
from skmmm._model.deviations import DeviationInformation
from skmmm._model.laplace import (
    Information,
    LaplaceApproximation,
    all_ties,
    information,
    prior_ties,
    with_known_spreads_held,
    with_spreads,
)
from skmmm._model.likelihood import effective_regions, log_likelihood, log_prior
from skmmm._model.optimise import penalised_posterior
from skmmm._model.posterior import Posterior
from skmmm._model.rows import mean_effects
from skmmm._model.spreads import draw_spreads
from skmmm._model.sums import Ranks, all_sum, among, are_several, gathered
from skmmm._model.vectors import joined
from skmmm._model.workers import _blocks, blocks_of

SIZES = [2, 3]
N_REGIONS = 7


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def group_of(store, rank, size):
    options = distributed.ProcessGroupGloo._Options()
    options._timeout = timedelta(seconds=20)
    host = distributed.ProcessGroupGloo.create_device(hostname="127.0.0.1")
    options._devices = [host]
    return distributed.ProcessGroupGloo(store, rank, size, options)


def in_blocks(function, problem, size):
    """Call a function with each block of the regions of a problem, at once.

    Returns what it returned in each.
    """
    network, *rows = problem
    store, found, failed = distributed.HashStore(), [None] * size, []

    def compute(rank, own):
        try:
            group = group_of(store, rank, size)
            ranks = Ranks(group, rank, size, network.sizes.n_regions, None)
            with among(ranks):
                found[rank] = function(*blocks_of(network, *rows)(own))
        except Exception as error:
            failed.append(error)

    threads = [
        threading.Thread(target=copy_context().run, args=(compute, rank, own))
        for rank, own in enumerate(_blocks(network.sizes.n_regions, size))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


def assert_same(function, problem, size, *, rtol=1e-8):
    """Assert that all blocks find what is found without."""
    whole, found = function(*problem), in_blocks(function, problem, size)
    for block in found:
        for name, value in whole.items():
            scale = value.abs().max().item() if value.numel() else 1.0
            off = {"rtol": rtol, "atol": rtol * scale, "err_msg": name}
            assert_allclose(block[name], value, **off)
    return found


def told(known):
    """Return the parts of an `Information`, of all regions."""
    one = {name: getattr(known, name) for name in ("shared", "shock", "shared_shock")}
    names = ("cross", "regional", "cross_shock")
    return one | {name: gathered(getattr(known, name)) for name in names}


@pytest.fixture
def few_regions_tell(monkeypatch):
    """The level is followed in three regions: none of some block."""
    monkeypatch.setattr(deviations, "_REGIONS", 3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("adstock", "level"), [("geometric", True), ("gru", True), ("geometric", False)]
)
def test_density_and_gradient(adstock, level, size):
    def density(network, inputs, target):
        def posterior(twin):
            likelihood = log_likelihood(twin, inputs, target, GAUSS)
            return (likelihood + log_prior(twin, inputs, target)).sum()

        shared, regional = gradient_of(posterior, network)
        return {
            "density": all_sum(posterior(network).detach()),
            "shared": all_sum(shared),
            "regional": gathered(regional, dim=1),
        }

    problem = make_problem(adstock, n_regions=N_REGIONS, level=level)
    assert_same(density, problem, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_objective_with_deviations_integrated_out(seed, size, few_regions_tell):
    def objective(network, inputs, target):
        known = information(network, inputs, target, GAUSS)
        deviations = DeviationInformation(network, inputs, target, GAUSS, known)

        def posterior(twin):
            return penalised_posterior(twin, inputs, target, GAUSS, deviations)

        moved = network.at(network.shared + 0.1, network.regional)
        shared, regional = gradient_of(posterior, moved)
        return {
            "value": all_sum(posterior(moved).detach()),
            "shared": all_sum(shared),
            "regional": gathered(regional, dim=1),
        }

    problem = make_problem(n_regions=N_REGIONS, seed=seed)
    assert_same(objective, problem, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [True, False])
def test_information(level, size):
    def about(network, inputs, target):
        known = information(network, inputs, target, GAUSS)
        ties = prior_ties(network, inputs, target)
        assert len(ties.sign) == 2  # a channel has a prior of its own
        return told(known) | {
            "ties": ties.shared,
            "regional_ties": gathered(ties.regional, dim=1),
            "share": torch.tensor(effective_regions(network, inputs, target)),
        }

    assert_same(about, make_problem(n_regions=N_REGIONS, level=level), size)


@pytest.mark.parametrize("size", SIZES)
def test_what_one_block_sees_all_know(size):
    """A channel spends, and a period was observed, in the last region only."""
    network, inputs, target = make_problem(n_regions=N_REGIONS)
    media, count = inputs.media.clone(), target.count.clone()
    media[:-1, 2], count[:-1, 3] = 0.0, 0.0
    problem = network, replace(inputs, media=media), replace(target, count=count)

    def known(network, inputs, target):
        target = target.in_regions(slice(None))
        return {"own": network.with_own_prior(inputs), "seen": target.seen}

    assert known(*problem)["own"].tolist() == [2]
    assert_same(known, problem, size)


def test_information_is_put_together_from_blocks():
    network, inputs, target = make_problem(n_regions=N_REGIONS)
    known = information(network, inputs, target, GAUSS)
    again = Information.of_blocks([known.in_regions(b) for b in _blocks(N_REGIONS, 3)])
    assert all(
        torch.equal(told(known)[name], part) for name, part in told(again).items()
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["unwhiten", "whiten", "unwhiten_vjp"])
@pytest.mark.parametrize("held", [True, False])
def test_approximation(held, how, size):
    def moved(network, inputs, target):
        known = information(network, inputs, target, GAUSS)
        if held:
            approximation = LaplaceApproximation(
                with_known_spreads_held(network, known),
                all_ties(network, inputs, target),
            )
        else:
            deviations = DeviationInformation(network, inputs, target, GAUSS, known)
            approximation = LaplaceApproximation(
                with_spreads(network, known, deviations.told),
                all_ties(network, inputs, target),
            )
        shared = network.shared * torch.ones(2, 1).double()
        regional = network.regional * torch.ones(2, 1, 1).double()
        shared, regional = getattr(approximation, how)(shared, regional)
        return {"shared": shared, "regional": gathered(regional, dim=1)}

    assert_same(moved, make_problem(n_regions=N_REGIONS), size)


@pytest.mark.parametrize("size", SIZES)
def test_spreads_are_drawn_alike(size):
    def drawn(network, inputs, target):
        shared, regional = draw_spreads(
            network, network.shared, network.regional, generator()
        )
        return {"shared": shared, "regional": gathered(regional, dim=1)}

    assert_same(drawn, make_problem(n_regions=N_REGIONS), size)


@pytest.mark.parametrize("size", SIZES)
def test_transitions_take_the_same_way(size):
    """Forces are of single precision, and so is the distance."""

    def walked(network, inputs, target):
        known = information(network, inputs, target, GAUSS)
        around = Coordinates(network, known, all_ties(network, inputs, target))
        posterior = Posterior(around, inputs, target, GAUSS)
        random, n_chains = generator(), 3
        state = posterior.state(
            network.shared.repeat(n_chains, 1), network.regional.repeat(n_chains, 1, 1)
        )
        start = state.density
        for _ in range(2):
            momentum = hmc._normals(network, n_chains, random)
            luck = torch.rand(n_chains, generator=random, dtype=torch.float64)
            state, change = hmc._transition(posterior, state, momentum, 0.05, 4, luck)
            state = posterior.with_new_spreads(state, random)
        shared, regional = posterior.parameters(state.position)
        return {
            "start": start,
            "shared": shared,
            "regional": gathered(regional, dim=1),
            "density": state.density,
            "change": change,
        }

    problem = make_problem(n_regions=N_REGIONS)
    assert_same(walked, problem, size, rtol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_training_starts_from_the_same_samples(size, monkeypatch, few_regions_tell):
    """Samples of two regions: some block has none of them."""
    monkeypatch.setattr(optimise, "MANY_REGIONS", N_REGIONS)
    monkeypatch.setattr(optimise, "SAMPLE", 2)

    def trained(network, inputs, target):
        network = network.at(network.shared.clone(), network.regional.clone())
        losses = []
        how = 8, 1e-8, losses.append
        optimise._train(network, inputs, target, GAUSS, *how)
        flat = joined(network.shared, gathered(network.regional, dim=1))
        share = torch.tensor(network.independent_share)
        return {"losses": torch.tensor(losses), "mode": flat, "share": share}

    # Rounding grows with every iteration.
    problem = make_problem(n_regions=N_REGIONS)
    first, *others = assert_same(trained, problem, size, rtol=1e-6)
    for other in others:
        assert all(torch.equal(other[name], value) for name, value in first.items())


@pytest.mark.parametrize("size", SIZES)
def test_mean_effects_are_sums_over_all_processes(size, monkeypatch):
    monkeypatch.setattr("skmmm._model.rows._BLOCK", 1)  # region by region

    def caused(network, inputs, target):
        return {"effects": mean_effects(network, inputs, target.share)}

    found = assert_same(caused, make_problem(n_regions=N_REGIONS), size)
    assert (found[0]["effects"] != 0.0).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at_most", [3, 30])
@pytest.mark.parametrize("lost", [None, 0, 1])
def test_samples_are_trained_side_by_side_as_in_turn(
    lost, at_most, size, monkeypatch, few_regions_tell
):
    """To the bit, even if one cannot be computed, or the fit is stopped."""
    monkeypatch.setattr(optimise, "SAMPLE", 3)
    problem, samples = make_problem(n_regions=N_REGIONS), optimise._samples(N_REGIONS)
    alternate = optimise._alternate

    def alternated(network, inputs, target, *how):
        settled = alternate(network, inputs, target, *how)
        if lost is not None and torch.equal(target.y, problem[2].y[samples[lost]]):
            raise FloatingPointError
        return settled

    def trained(*rows):
        losses, found = [], []
        record = optimise._Record(
            40, lambda loss: losses.append(loss) or len(losses) == at_most
        )
        how = optimise._trained_together if are_several() else optimise._trained_in_turn
        for some, *parts in how(*rows, samples, GAUSS, 1e-8, record, 5):
            if record.stopped:
                break
            found.append(joined(*parts)[0].sum() + some.sum())
        return {"losses": torch.tensor(losses), "found": torch.stack([*found, zero])}

    zero = torch.zeros(()).double()
    monkeypatch.setattr(optimise, "_alternate", alternated)
    expected = trained(*problem)
    assert len(expected["losses"]) == min(at_most, 10)
    for block in in_blocks(trained, problem, size):
        assert all(torch.equal(block[name], one) for name, one in expected.items())
