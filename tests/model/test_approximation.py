"""The Gaussian approximation has the covariance of the information."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from network_problems import (
    GAUSS,
    R,
    dense,
    entries_of,
    gradient_of,
    make_problem,
    tensor,
)
from skmmm._model.laplace import (
    Information,
    LaplaceApproximation,
    Ties,
    information,
    prior_ties,
    root_of,
    spread_information,
    with_known_spreads_held,
    with_spreads,
    with_spreads_held,
)


def random_information(n_shared=2, n_regional=3, n_shocks=0):
    """Return an arrow of information about made-up parameters.

    Nine cells per region answer to the shared and its own regional parameters; each
    shock hits one of the cells of every region.
    """
    generator = torch.Generator().manual_seed(0)
    n_cells = 9

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shared, regional = randn(R, n_shared, n_cells), randn(R, n_regional, n_cells)
    size = 1.5
    return Information(
        shared=torch.einsum("rpt,rqt->pq", shared, shared),
        cross=regional @ shared.transpose(1, 2),
        regional=regional @ regional.transpose(1, 2),
        shock=torch.full((n_shocks,), R * size**2, dtype=torch.float64),
        shared_shock=size * shared.sum(dim=0)[:, :n_shocks],
        cross_shock=size * regional[..., :n_shocks],
    )


def displacement(approximation):
    """Return the matrix that unwhitens standard normals."""
    n_shared, (n_regions, n_regional) = (
        len(approximation.shared_root),
        approximation.root.shape[:2],
    )
    size = n_shared + n_regions * n_regional
    basis = torch.eye(size, dtype=torch.float64)
    shared, regional = approximation.unwhiten(
        basis[:, :n_shared], basis[:, n_shared:].reshape(size, n_regions, n_regional)
    )
    return torch.cat([shared, regional.flatten(1)], dim=1).T.numpy()


def test_approximation_has_the_covariance_of_the_information():
    known = random_information()
    root = displacement(LaplaceApproximation(known))
    precision = dense(known) + np.eye(len(root))
    assert_allclose(root @ root.T, np.linalg.inv(precision), atol=1e-12)


def test_ties_between_regions():
    known = random_information()
    generator = torch.Generator().manual_seed(2)
    shape = known.cross.shape
    ties = Ties(
        torch.randn(2, shape[2], generator=generator, dtype=torch.float64),
        torch.randn(2, *shape[:2], generator=generator, dtype=torch.float64),
        tensor([1.0, -0.2]),
    )
    flat = torch.cat([ties.shared, ties.regional.flatten(1)], dim=1).numpy()
    size = flat.shape[1]
    precision = dense(known) + np.eye(size) + flat.T * ties.sign.numpy() @ flat
    root = displacement(LaplaceApproximation(known, ties))
    assert_allclose(root @ root.T, np.linalg.inv(precision), atol=1e-12)


def test_memory_of_information_is_used_again_if_it_may_be():
    known, kept = random_information(n_shocks=4), random_information(n_shocks=4)
    found = LaplaceApproximation(known, overwrite=True)
    assert found.pull.data_ptr() == known.cross.data_ptr()
    expected = LaplaceApproximation(kept)
    assert_array_equal(displacement(found), displacement(expected))
    assert_array_equal(kept.cross, random_information().cross)


def test_approximation_with_other_information_about_shared_parameters():
    known = random_information(n_shocks=4)
    more = replace(known, shared=known.shared + torch.eye(2).double())
    ties = Ties(torch.ones(1, 2).double(), torch.ones(1, R, 3).double(), tensor([1.0]))
    first = LaplaceApproximation(known)
    before = displacement(first)
    found = displacement(first.with_shared(more, ties))
    assert_array_equal(found, displacement(LaplaceApproximation(more, ties)))
    assert_array_equal(displacement(first), before)


def test_prior_on_a_mean_effect_ties_regions():
    # The Gaussian approximation has the curvature of the prior where it is linear.
    network, inputs, target = make_problem()
    ties = prior_ties(network, inputs, target)
    slopes = gradient_of(
        lambda twin: twin.surprises(inputs, target.share).squeeze(), network
    )
    assert_allclose(ties.shared[1], slopes[0][0])
    assert_allclose(ties.regional[1], slopes[1][0])
    own = np.zeros(len(ties.shared[0]))
    own[entries_of(network, "effect").stop - 1] = 1.0
    assert_allclose(ties.shared[0], own)
    assert_allclose(ties.sign, [-1.0, 1.0])


@pytest.mark.parametrize("size", [1e6, 1e12, 1e18])
def test_roots_of_precisions_that_rounding_has_spoilt(rng, size):
    rows = tensor(rng.normal(size=(3, 20)))
    one, other = torch.eye(20, dtype=torch.float64), size * rows.T @ rows
    matrices = torch.stack([one, one + other, other])
    roots = root_of(matrices)
    assert_allclose(roots[0], one)
    for root, matrix in zip(roots, matrices, strict=True):
        assert_allclose(root @ root.T, matrix, atol=1e-12 * size + 1.0 + 1e-9)
        inverse = torch.linalg.solve_triangular(root, one, upper=False)
        # No direction is less certain than the prior.
        assert torch.linalg.matrix_norm(inverse, 2) < 1.0 + 1e-3


def test_approximation_integrates_shocks_out_of_shared_parameters():
    known = random_information(n_shocks=4)
    approximation = LaplaceApproximation(known)
    precision = dense(known) + np.eye(len(dense(known)))
    n_shared = len(known.shared)
    covariance = np.linalg.inv(precision)[:n_shared, :n_shared]
    root = displacement(approximation)
    assert_allclose(root[:n_shared] @ root[:n_shared].T, covariance, atol=1e-12)
    assert_allclose(
        approximation.shared_root @ approximation.shared_root.T, covariance, atol=1e-12
    )


def test_approximation_draws_regions_given_the_shared_parameters():
    known = random_information(n_shocks=4)
    approximation = LaplaceApproximation(known)
    n_shared, n_regional = len(known.shared), known.regional.shape[1]
    root = displacement(approximation)
    for r in range(R):
        own = n_shared + r * n_regional + np.arange(n_regional)
        precision = known.regional[r].numpy() + np.eye(n_regional)
        given = root[np.ix_(own, own)]
        assert_allclose(given @ given.T, np.linalg.inv(precision), atol=1e-12)
        # Where the shared parameters move, the regional ones make up for it.
        pulled = root[own, :n_shared]
        expected = -np.linalg.solve(
            precision, known.cross[r] @ approximation.shared_root
        )
        assert_allclose(pulled, expected, atol=1e-12)
        others = np.setdiff1d(np.arange(n_shared, len(root)), own)
        assert_array_equal(root[np.ix_(own, others)], 0.0)


@pytest.mark.parametrize("n_shocks", [0, 4])
@pytest.mark.parametrize("n_regional", [0, 3])
def test_pulled_back_is_the_transpose_of_displaced(n_regional, n_shocks):
    approximation = LaplaceApproximation(
        random_information(n_regional=n_regional, n_shocks=n_shocks)
    )
    generator = torch.Generator().manual_seed(1)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n_draws, n_shared = 5, len(approximation.shared_root)
    normals, gradients = (
        (randn(n_draws, n_shared), randn(n_draws, R, n_regional)) for _ in range(2)
    )

    def inner(left, right):
        pairs = zip(left, right, strict=True)
        return sum((a * b).flatten(1).sum(dim=1) for a, b in pairs)

    assert_allclose(
        inner(approximation.unwhiten(*normals), gradients),
        inner(normals, approximation.unwhiten_vjp(*gradients)),
        rtol=1e-10,
    )


def test_spreads_that_are_held_do_not_move():
    network, inputs, target = make_problem()
    known = information(network, inputs, target, GAUSS)
    held = np.concatenate(
        [np.full(p.size, p.name.endswith("_spread_log")) for p in network.shared_priors]
    )
    sd = (
        LaplaceApproximation(with_spreads_held(network, known))
        .shared_root.square()
        .sum(dim=1)
        .sqrt()
    )
    # In prior standard deviations.
    assert (sd[held] < 2e-6).all()
    assert (sd[~held] > 1e-2).all()
    # Everything else is as if spreads were no parameters.
    precision = dense(known) + np.eye(len(dense(known)))
    free = np.ones(len(precision), dtype=bool)
    free[: len(held)] = ~held
    expected = np.linalg.inv(precision[np.ix_(free, free)]).diagonal() ** 0.5
    assert_allclose(sd[~held], expected[: (~held).sum()], rtol=1e-6)


def test_spreads_are_held_where_deviations_are_well_known():
    network, inputs, target = make_problem()
    known = information(network, inputs, target, GAUSS)
    spreads = spread_information(network, known)
    share = {}
    for name, told in spreads.items():
        variance = torch.exp(2.0 * network.values()[name])
        share[name] = (variance * told / (1.0 + variance * told)).mean().item()
    held = {name for name in share if share[name] > 0.5}
    assert held
    assert held < set(share)

    def moving(times):
        """Return which spreads move where rows say so many times as much."""
        more = type(known)(**{name: times * told for name, told in vars(known).items()})
        root = LaplaceApproximation(with_known_spreads_held(network, more)).shared_root
        sd = root.square().sum(dim=1).sqrt()
        return {
            prior.name
            for prior, where in network.shared_priors.positions()
            if prior.name in spreads and sd[where].item() > 1e-2
        }

    assert moving(1.0) == set(share) - held
    assert moving(1e-9) == set(share)
    assert moving(1e9) == {name for name in share if not spreads[name].any()}


def test_evidence_about_spreads():
    network, inputs, target = make_problem()
    known = information(network, inputs, target, GAUSS)
    told = spread_information(network, known)
    spreads = {n for n in network.values() if n.endswith("_spread_log")}
    assert set(told) == spreads
    more = with_spreads(network, known, told)
    added = (more.shared - known.shared).numpy()
    assert_allclose(added, np.diag(added.diagonal()), atol=1e-9)
    for prior, where in network.shared_priors.positions():
        if prior.name not in spreads:
            assert_array_equal(added[where, where], 0.0)
            continue
        # Half of -log(1 + s^2 I), summed over deviations, has by log s the expected
        # curvature 2 (s^2 I / (1 + s^2 I))^2 where deviations are as large as s says.
        variance = torch.exp(2.0 * network.values()[prior.name])
        seen = variance * told[prior.name]
        expected = 2.0 * prior.scale**2 * (seen / (1.0 + seen)).square().sum()
        assert added[where, where].item() == pytest.approx(expected.item(), rel=1e-6)
