"""Channel graph by continuous optimisation: truth, acyclicity, constraints."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import check_grad

from channel_worlds import has_cycle
from skmmm.graph import _notears as notears
from skmmm.graph._notears import notears_edges, notears_weights

N_LAGS = 2


def simulate(same, late, n_rows=4000, scale=1.0):
    """Series with persistence and noise of a given size, standardised."""
    rng = np.random.default_rng(0)
    n_media = len(same)
    noise = rng.standard_normal((n_rows, n_media)) * scale
    onward = np.linalg.inv(np.eye(n_media) - same)
    x = np.zeros((n_rows, n_media))
    for t in range(1, n_rows):
        x[t] = (x[t - 1] @ (0.4 * np.eye(n_media) + late) + noise[t]) @ onward
    return (x - x.mean(axis=0)) / x.std(axis=0)


def features(x, controls=None):
    """Cross-products, number of rows and where the columns are."""
    n_rows, n_media = x.shape
    lags = [x[N_LAGS - lag : n_rows - lag] for lag in range(N_LAGS + 1)]
    columns = np.concatenate(lags, axis=1)
    if controls is not None:
        columns = np.concatenate([columns, controls[N_LAGS:]], axis=1)
    columns = columns - columns.mean(axis=0)
    columns /= columns.std(axis=0)
    same = np.arange(n_media)
    lagged = same[:, None] + n_media * np.arange(1, N_LAGS + 1)
    always = np.arange(n_media * (N_LAGS + 1), columns.shape[1])
    return columns.T @ columns, len(columns), same, lagged, always


def anything(n_media):
    return np.ones((n_media, n_media), dtype=bool)


@pytest.fixture(scope="module")
def chain():
    """0 -> 1 -> 3 in the same week, 0 -> 2 a week later; 4 stands alone."""
    same, late = np.zeros((2, 5, 5))
    same[0, 1], same[1, 3], late[0, 2] = 0.5, -0.6, 0.4
    return same, late, simulate(same, late)


@pytest.fixture(scope="module")
def tangle():
    """Weights of six channels that drive each other in all directions."""
    rng = np.random.default_rng(0)
    return simulate(
        np.triu(rng.uniform(-1, 1, (6, 6)), 1), rng.uniform(-0.2, 0.2, (6, 6))
    )


def test_finds_a_known_graph(chain):
    same, late, x = chain
    now, later = notears_edges(*features(x), allowed=anything(5))
    assert_array_equal(now, same != 0)
    assert_array_equal(later, late != 0)


def test_misses_no_pair_when_noise_is_of_unequal_size(chain):
    # Squared errors of standardised channels do not tell the direction then, and what
    # a wrong direction leaves unexplained brings edges that are not there.
    same, late, _ = chain
    x = simulate(same, late, scale=np.array([1.8, 0.9, 0.6, 0.5, 1.7]))
    now, later = notears_edges(*features(x), allowed=anything(5))
    found, truth = now | later, (same != 0) | (late != 0)
    assert (found | found.T)[truth].all()
    assert not (found | found.T)[4].any()


def test_without_penalty_the_known_graph_has_the_weights_of_least_squares(chain):
    same, _, x = chain
    found = features(x)
    now, later = notears_weights(*found, allowed=same != 0, penalty=0.0)
    gram, _, position, lagged, _ = found
    inputs = [position[1], *lagged[1], *lagged[3]]
    coef = np.linalg.solve(gram[np.ix_(inputs, inputs)], gram[inputs, position[3]])
    assert_allclose([now[1, 3], *later[1, 3]], coef[:3], atol=1e-4)
    # -0.6 times the ratio of the two standard deviations, by which x was divided.
    assert -0.6 < now[1, 3] < -0.3


@pytest.mark.parametrize("seed", range(6))
def test_never_a_cycle(seed):
    rng = np.random.default_rng(seed)
    n_media = int(rng.integers(2, 7))
    x = rng.standard_normal((40, n_media)) @ rng.standard_normal((n_media, n_media))
    now, later = notears_edges(
        *features(x), allowed=anything(n_media), penalty=1e-3, threshold=0.0
    )
    assert not has_cycle(now)
    assert not now.diagonal().any()
    assert not later.diagonal().any()


def test_the_weakest_edge_of_a_cycle_goes():
    now = np.zeros((4, 4))
    now[0, 1], now[1, 2], now[2, 0], now[2, 3] = 0.5, -0.2, 0.4, 0.1
    expected = now.copy()
    expected[1, 2] = 0.0
    assert_array_equal(notears._without_cycles(now), expected)


def test_forbidden_edges_stay_out(tangle):
    allowed = np.random.default_rng(1).random((6, 6)) < 0.5
    now, later = notears_edges(*features(tangle), allowed=allowed, threshold=0.0)
    assert now.any()
    assert later.any()
    assert not now[~allowed].any()
    assert not later[~allowed].any()


def test_nothing_allowed_nothing_found(tangle):
    now, later = notears_edges(*features(tangle), allowed=~anything(6))
    assert not now.any()
    assert not later.any()


def test_repeats_itself(tangle):
    first, second = (
        notears_weights(*features(tangle), allowed=anything(6)) for _ in range(2)
    )
    assert_array_equal(first[0], second[0])
    assert_array_equal(first[1], second[1])


def test_channels_in_another_order(chain):
    _, _, x = chain
    order = np.array([3, 0, 4, 2, 1])
    plain = notears_edges(*features(x), allowed=anything(5))
    turned = notears_edges(*features(x[:, order]), allowed=anything(5))
    for a, b in zip(plain, turned, strict=True):
        assert_array_equal(a[np.ix_(order, order)], b)


def test_twice_the_rows_change_nothing(tangle):
    gram, n_rows, *columns = features(tangle)
    once = notears_weights(gram, n_rows, *columns, allowed=anything(6))
    twice = notears_weights(2 * gram, 2 * n_rows, *columns, allowed=anything(6))
    assert_allclose(once[0], twice[0], atol=1e-10)


def test_a_control_explains_what_two_channels_share():
    rng = np.random.default_rng(0)
    demand = rng.standard_normal((2000, 1))
    x = 0.8 * demand + rng.standard_normal((2000, 3))
    without, _ = notears_edges(*features(x), allowed=anything(3))
    # Twice the same control: collinear, and no harm.
    controls = np.hstack([demand, demand])
    now, later = notears_edges(*features(x, controls), allowed=anything(3))
    assert without.any()
    assert not now.any()
    assert not later.any()


def test_a_channel_that_never_moves_has_no_edges(chain):
    _, _, x = chain
    gram, n_rows, same, lagged, always = features(x)
    still = [same[0], *lagged[0]]
    gram[still] = gram[:, still] = 0.0
    now, later = notears_edges(gram, n_rows, same, lagged, always, allowed=anything(5))
    assert not (now | later)[0].any()
    assert not (now | later)[:, 0].any()
    assert now[1, 3]


def test_gradients(tangle):
    gram, n_rows, same, lagged, always = features(tangle)
    moments = notears._moments(gram / n_rows, same, lagged, always)
    weights = 0.3 * np.random.default_rng(0).standard_normal((18, 6))

    def loss(flat):
        return notears._least_squares(moments, flat.reshape(18, 6))

    def cyclicity(flat):
        return notears._cyclicity(flat.reshape(6, 6))

    for function, at in ((loss, weights), (cyclicity, weights[:6])):
        error = check_grad(
            lambda v, f=function: f(v)[0],
            lambda v, f=function: f(v)[1].ravel(),
            at.ravel(),
        )
        assert error < 1e-5
