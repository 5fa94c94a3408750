"""What data say of parameters, by differences and by dense matrices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from network_problems import (
    GAUSS,
    LOSSES,
    R,
    T,
    answer_by_differences,
    dense,
    dense_answers,
    entries_of,
    gradient_of,
    make_problem,
    of_noise,
    tensor,
)
from skmmm._model import ADSTOCKS
from skmmm._model.jacobian import jacobian, responses
from skmmm._model.laplace import (
    information,
    row_precision,
)
from skmmm._model.level import innovations, smooth_level
from skmmm._model.likelihood import (
    error_precision,
    errors,
    log_likelihood,
)
from skmmm._model.priors import (
    NOISE_FLOOR,
    NOISE_RATIO,
)


@pytest.mark.parametrize("level", [True, False])
@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_jacobian(adstock, level):
    network, inputs, target = make_problem(adstock, level=level)
    for part in ("shared", "regional"):
        priors = getattr(network, f"{part}_priors")
        for prior, where in priors.positions():
            got = jacobian(network, inputs, target, part, [(prior, where)])
            assert got.shape == (prior.size, R, T)
            for answer, entry in zip(got, range(where.start, where.stop), strict=True):
                if prior.acts == "scale":
                    assert (answer == 0).all()
                    continue
                expected = answer_by_differences(network, inputs, target, part, entry)
                assert_allclose(answer, expected, atol=1e-6, err_msg=prior.name)


@pytest.mark.parametrize("n_regions", [1, R])
def test_answers_of_spreads(n_regions):
    network, inputs, target = make_problem(n_regions=n_regions)
    shared = responses(network, inputs, target)[0]
    spreads = [p.name for p in network.shared_priors if p.name.endswith("_spread_log")]
    assert spreads
    for name in spreads:
        (entry,) = range(*entries_of(network, name).indices(len(shared)))
        # What errors do when deviations grow; a scale of the noise moves none.
        expected = answer_by_differences(network, inputs, target, "shared", entry)
        assert_allclose(shared[entry], expected, atol=1e-6, err_msg=name)


def test_information_of_gaussian_noise():
    network, inputs, target = make_problem()
    answers = dense_answers(network, inputs, target)
    noise = torch.exp(network.values()["noise_log"][0]).numpy()
    weighted = answers / noise[:, None] ** 2
    expected = np.einsum("prt,qrt->pq", answers, weighted)
    known = information(network, inputs, target, GAUSS)
    got = dense(known)
    # Errors say nothing about the scale of their noise; another test looks at it.
    other = ~of_noise(network)
    assert_allclose(
        got[np.ix_(other, other)],
        expected[np.ix_(other, other)],
        atol=1e-8 * np.abs(expected).max(),
    )
    assert_array_equal(got[np.ix_(other, ~other)], 0.0)


def test_information_without_shock():
    network, inputs, target = make_problem()
    shared = responses(network, inputs, target)[0].numpy()
    noise = torch.exp(network.values()["noise_log"][0]).numpy()
    common = torch.exp(network.values()["common_log"]).item()
    expected = 0.0
    for t in range(T):
        seen = target.observed[:, t].numpy() == 1
        covariance = np.diag(noise[seen] ** 2) + common**2
        answer = shared[:, seen, t]
        expected = expected + answer @ np.linalg.solve(covariance, answer.T)
    known = information(network, inputs, target, GAUSS)
    left = known.without_shock()
    (entry,) = np.flatnonzero(of_noise(network)[: len(shared)])
    expected[entry, entry] = left[entry, entry]
    assert_allclose(left, expected, atol=1e-8 * np.abs(expected).max())


def test_information_about_the_scale_of_noise():
    # Fisher's information about a log scale is two for every row.
    network, inputs, target = make_problem()
    where = of_noise(network)
    answers = []
    for region in range(network.sizes.n_regions):
        gradient = gradient_of(
            lambda twin, r=region: twin.values()["noise_log"][0, r], network
        )
        answers.append(torch.cat([part.ravel() for part in gradient]))
    answers = torch.stack(answers, dim=1).numpy()[where[:-T]]
    rows = target.observed.sum(dim=1).numpy()
    got = dense(information(network, inputs, target, GAUSS))[np.ix_(where, where)]
    assert_allclose(got, 2.0 * (answers * rows) @ answers.T, rtol=1e-10)


@pytest.mark.parametrize("shock", [0.0, 3.0])
def test_data_never_unsettle_the_prior(shock):
    # Information is positive, so what is left of it for shared parameters and shocks,
    # once the regional ones are free, adds to the prior's precision of one.
    network, inputs, target = make_problem()
    network.shared[:, entries_of(network, "common_log")] = shock
    known = information(network, inputs, target, GAUSS)
    precision = dense(known) + np.eye(len(dense(known)))
    n_shared, n_regional = len(known.shared), known.regional[..., 0].numel()
    regional = np.zeros(len(precision), dtype=bool)
    regional[n_shared : n_shared + n_regional] = True
    cross = precision[np.ix_(~regional, regional)]
    pull = np.linalg.solve(precision[np.ix_(regional, regional)], cross.T)
    left = precision[np.ix_(~regional, ~regional)] - cross @ pull
    assert np.linalg.eigvalsh(left)[0] > 1.0 - 1e-8


@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[4]], ids=str)
def test_outliers_and_weights_in_the_information(loss):
    network, inputs, target = make_problem(n_regions=1)
    noise = torch.exp(network.values()["noise_log"]).item()
    error = errors(network, inputs, target)[0]
    weight = torch.rand(1, T, generator=torch.Generator().manual_seed(0)).double()
    heavy = replace(target, count=target.count * weight)
    got = row_precision(network, inputs, heavy, loss)
    expected = heavy.count * loss.weight(error / noise) / noise**2
    assert_allclose(got, expected, rtol=1e-10)


def test_the_noise_of_a_row_has_the_variance_over_its_precision():
    # Without a level errors are noise alone.
    network, inputs, target = make_problem(level=False)
    precision = 0.5 + torch.rand(R, T, generator=torch.Generator().manual_seed(0))
    uneven = replace(target, precision=target.precision * precision)
    noise = torch.exp(network.values()["noise_log"])[..., None] / precision.sqrt()
    error = errors(network, inputs, uneven)
    expected = stats.norm.logpdf(error, scale=noise)
    got = log_likelihood(network, inputs, uneven, GAUSS)
    assert got.item() == pytest.approx((expected * target.count.numpy()).sum())


def test_equal_precision_is_the_usual_one():
    network, _, target = make_problem()
    values = network.values()
    assert_allclose(error_precision(network, target, values)[0], target.observed)


def test_an_imprecise_row_hardly_moves_the_level(rng):
    residual = tensor(rng.normal(0, 0.1, (1, 1, 30)))
    residual[..., 10] = 1e3
    precision = torch.ones(1, 30, dtype=torch.float64)
    precision[:, 10] = 1e-12
    gain, persistence = tensor([0.3]), tensor([0.95])
    found = innovations(residual, precision, gain, persistence)
    without = innovations(residual, (precision > 0.5).double(), gain, persistence)
    others = torch.arange(30) != 10
    assert_allclose(found[..., others], without[..., others], atol=1e-6)
    arguments = gain, persistence, torch.ones(1, 1, dtype=torch.float64)
    level = smooth_level(residual, precision, *arguments)
    unseen = smooth_level(residual, (precision > 0.5).double(), *arguments)
    assert_allclose(level.mean, unseen.mean, atol=1e-6)


def test_noise_has_a_floor():
    network = make_problem()[0]
    (shared,) = (
        w for p, w in network.shared_priors.positions() if p.name == "noise_log"
    )
    network.shared[:, shared] = -1e3
    (own,) = (
        w for p, w in network.regional_priors.positions() if p.name == "noise_log"
    )
    network.regional[:, 0, own] = -1e4
    noise = torch.exp(network.values()["noise_log"][0])
    assert (noise >= 0.999 * NOISE_FLOOR * NOISE_RATIO).all()
    network.shared[:, shared] = 0.0
    noise = torch.exp(network.values()["noise_log"][0])
    assert noise[0].item() == pytest.approx(0.1 * NOISE_RATIO, rel=1e-3)
