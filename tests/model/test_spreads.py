"""Spreads of deviations: drawn given these, which stay what they are."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import kstest

from skmmm._model.priors import Prior, PriorTable
from skmmm._model.spreads import draw_spreads, mean_parameters


class Network:
    """Two kinds of deviations, shared ones and regional ones, and their spreads."""

    shared_priors = PriorTable(
        [
            Prior("level", (), 1.0, 2.0),
            Prior("context", (3,), hierarchical=True),
            Prior("context_spread_log", (), -1.0, 0.5),
            Prior("trend_spread_log", (), -2.0, 0.7),
        ]
    )
    regional_priors = PriorTable(
        [Prior("other", ()), Prior("trend", (2,), hierarchical=True)]
    )


def deviations(shared, regional):
    """Return both kinds in their own units."""
    values = Network.shared_priors.unpack(shared)
    context = torch.exp(values["context_spread_log"])[:, None] * values["context"]
    trend = torch.exp(values["trend_spread_log"])[:, None, None] * regional[..., 1:]
    return context, trend


@pytest.fixture
def drawn():
    """The same parameters many times, with new spreads."""
    generator = torch.Generator().manual_seed(0)
    start = (
        torch.randn(1, 6, generator=generator, dtype=torch.float64).repeat(2000, 1),
        torch.randn(1, 5, 3, generator=generator, dtype=torch.float64).repeat(
            2000, 1, 1
        ),
    )
    return start, draw_spreads(Network, *start, generator)


def test_deviations_and_all_else_stay(drawn):
    before, after = drawn
    for one, other in zip(deviations(*before), deviations(*after), strict=True):
        assert_allclose(one, other, rtol=1e-10)
    assert_allclose(before[0][:, 0], after[0][:, 0])
    assert_allclose(before[1][..., 0], after[1][..., 0])


@pytest.mark.parametrize("kind", [0, 1])
def test_spreads_are_drawn_from_their_density(drawn, kind):
    before, after = drawn
    deviation = deviations(*before)[kind][0].numpy().ravel()
    loc, scale = [(-1.0, 0.5), (-2.0, 0.7)][kind]
    log = np.linspace(-8.0, 4.0, 20_001)
    density = -0.5 * ((log - loc) / scale) ** 2 - len(deviation) * log
    density -= 0.5 * (deviation**2).sum() * np.exp(-2 * log)
    below = np.cumsum(np.exp(density - density.max()))
    found = loc + scale * after[0][:, 4 + kind].numpy()
    assert kstest(found, lambda x: np.interp(x, log, below / below[-1])).pvalue > 1e-3


def test_means_are_those_of_deviations(drawn):
    before, after = drawn
    mean = mean_parameters(Network, *after)
    for one, other in zip(deviations(*before), deviations(*mean), strict=True):
        assert_allclose(one[:1], other, rtol=1e-10)
    assert_allclose(mean[0][0, 4:], after[0][:, 4:].mean(dim=0))
