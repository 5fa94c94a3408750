"""Small problems with random parameters, for tests of the mathematics."""

import numpy as np
import torch

from skmmm._model.context import draw_context
from skmmm._model.inputs import Inputs
from skmmm._model.jacobian import responses
from skmmm._model.likelihood import (
    Loss,
    Target,
    errors,
)
from skmmm._model.network import OutcomeNetwork
from skmmm._model.priors import (
    Sizes,
    channel_priors,
)

LOSSES = [
    Loss("huber", 0.5),
    Loss("huber", 1.345),
    Loss("huber", 3.0),
    Loss("student_t", 2.0),
    Loss("student_t", 4.0),
    Loss("student_t", 30.0),
]
# Huber's density with bounds that no error reaches is Gaussian.
GAUSS = Loss("huber", 30.0)


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


# --- network ------------------------------------------------------------------------

R, T, M, K, S, H, LAG = 3, 14, 3, 2, 2, 2, 3
# Channels: positive, of any sign, and one whose effect is as the user says.
FREE_SIGN, POOLED = [False, True, False], [True, True, False]


def make_channel_priors(adstock, n_media=M):
    """Return priors of channels: money, impressions, and as the user says."""
    effect, carryover, half_saturation = np.full((3, 2, n_media), np.nan)
    if n_media == M:
        effect[:, -1] = np.log(0.1), 0.3
        carryover[:, -1] = -0.2, 0.4
        half_saturation[:, -1] = 0.1, 0.2
    expected = np.full(n_media, np.log(0.15))
    money, spiked = np.arange(n_media) == 0, np.arange(n_media) == 1
    given = effect, carryover, half_saturation
    apart, shown = np.linspace(0.0, 0.2, n_media), np.ones(n_media, dtype=bool)
    least = np.linspace(0.0, 0.3, n_media)
    given = *given, spiked, apart, least, shown
    return channel_priors(expected, money, *given, adstock)


def context_columns(season, trend, controls):
    """Return what the GRU reads, shape (R, S + 1 + K, T)."""
    calendar = torch.cat([season, trend[None]]).expand(len(controls), -1, -1)
    return torch.cat([calendar, controls], dim=1)


def make_problem(adstock="geometric", *, n_regions=R, level=True, seed=0):
    """Return a network at random parameters with inputs and a target."""
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    sizes = Sizes(
        n_regions=n_regions,
        n_media=M,
        n_controls=K,
        n_season=S,
        n_hidden=H if level else 0,
        max_lag=LAG if level else 0,
        per_head=True,
    )
    network = OutcomeNetwork(
        sizes,
        adstock=adstock,
        free_sign=torch.tensor(FREE_SIGN),
        channel_priors=make_channel_priors(adstock),
        level=level,
    )
    observed = torch.ones(n_regions, T, dtype=torch.float64)
    observed[0, 5] = observed[-1, 9:11] = 0.0
    known = torch.nn.functional.pad(observed, (sizes.max_lag, 0), value=1.0)
    controls = randn(n_regions, K, T)
    season, trend = randn(S, T), torch.linspace(-0.5, 0.5, T, dtype=torch.float64)
    states = torch.zeros(n_regions, 0, T, dtype=torch.float64)
    if level:
        columns = context_columns(season, trend, controls)
        context = draw_context(H, S, K, n_regions, generator)
        states = context.centred(columns, observed).states(columns)
    media = randn(n_regions, M, sizes.max_lag + T).exp() * known[:, None]
    inputs = Inputs(
        media=media,
        high=0.4 * media.amax(dim=2, keepdim=True),
        intensity=0.5 * randn(n_regions, M),
        known=known,
        controls=controls,
        season=season,
        trend=trend,
        states=states,
        demand=randn(n_regions, sizes.n_demand, T),
    )
    for parameter in (network.shared, network.regional):
        parameter += 0.4 * randn(*parameter.shape)
    y = (1.0 + 0.2 * randn(n_regions, T)) * observed
    share = observed / observed.sum()
    return network, inputs, Target(y, observed, observed, share)


def entries_of(network, name):
    """Return the slice of a shared parameter."""
    (where,) = (w for p, w in network.shared_priors.positions() if p.name == name)
    return where


def gradient_of(function, network):
    """Return the gradient of a function of a network by shared and regional."""
    parts = [p.clone().requires_grad_() for p in (network.shared, network.regional)]
    value = function(network.at(*parts))
    return torch.autograd.grad(value, parts, allow_unused=True, materialize_grads=True)


# --- posterior ----------------------------------------------------------------------


def answer_by_differences(network, inputs, target, part, entry, step=1e-5):
    """Return how errors answer to one entry, in all regions at once, (R, T)."""
    answer = []
    for sign in (1.0, -1.0):
        points = {
            name: getattr(network, name).clone() for name in ("shared", "regional")
        }
        points[part][..., entry] += sign * step
        answer.append(errors(network.at(**points), inputs, target)[0])
    return (answer[0] - answer[1]) / (2 * step) * target.observed


def dense_answers(network, inputs, target):
    """Return how all cells answer to all shared, regional and shock parameters.

    Returns
    -------
    answers : ndarray of shape (n_shared + R * n_regional + T, R, T)
    """
    shared, regional = responses(network, inputs, target)
    n_regions, n_regional = len(target.y), len(regional)
    own = torch.zeros(n_regions, n_regional, *target.y.shape, dtype=torch.float64)
    for r in range(n_regions):
        own[r, :, r] = regional[:, r]
    common = torch.exp(network.values()["common_log"])
    shock = torch.eye(T, dtype=torch.float64)[:, None] * target.observed * common
    return torch.cat([shared, own.flatten(0, 1), shock]).numpy()


def dense(known):
    """Return an `Information` as one matrix of shared, regional and shock."""
    n_shared, (n_regions, n_regional) = len(known.shared), known.regional.shape[:2]
    n_own = n_shared + n_regions * n_regional
    matrix = np.zeros((n_own + len(known.shock),) * 2)
    matrix[:n_shared, :n_shared] = known.shared
    matrix[n_own:, n_own:] = np.diag(known.shock)
    matrix[:n_shared, n_own:] = known.shared_shock
    for r in range(n_regions):
        where = slice(n_shared + r * n_regional, n_shared + (r + 1) * n_regional)
        matrix[where, where] = known.regional[r]
        matrix[where, :n_shared] = known.cross[r]
        matrix[where, n_own:] = known.cross_shock[r]
        matrix[:n_shared, where] = known.cross[r].T
    upper = np.triu(np.ones_like(matrix), 1).astype(bool)
    upper[:, :n_own] = False
    matrix.T[upper] = matrix[upper]
    return matrix


def of_noise(network):
    """Return which entries of `dense` are scales of the noise."""
    parts = [
        np.concatenate(
            [np.full(prior.size, prior.name == "noise_log") for prior in priors]
        )
        for priors in (network.shared_priors, network.regional_priors)
    ]
    n_regions = network.sizes.n_regions
    return np.concatenate([parts[0], np.tile(parts[1], n_regions), np.full(T, False)])
