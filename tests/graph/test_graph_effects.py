"""Effects of channels that react, and credit by the origin of spend."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmmm import DeepCausalMMMRegressor
from skmmm._model import ADSTOCKS
from skmmm.graph._equations import SpendEquations

N_DRAWS = 9  # more than fit into one pass

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:Column 'media_2' can hardly"),  # the spike
]


def fit(data, *, spike=60.0, **arguments):
    """A model whose numbers do not matter, with gaps and a spike in its rows."""
    X = data.X.copy()
    X.loc[X.index[20], "media_2"] *= spike
    rows = np.delete(np.arange(len(X)), [30, 31, 75])
    defaults = {"max_lag": 4, "max_iter": 10, "n_draws": N_DRAWS, "random_state": 0}
    model = DeepCausalMMMRegressor(
        region="region", time="week", controls=data.controls, **(defaults | arguments)
    )
    return model.fit(X.iloc[rows], data.y[rows])._model


@pytest.fixture(scope="module", params=ADSTOCKS)
def model(panel, request):
    return fit(panel, adstock=request.param)


@pytest.fixture(scope="module")
def weibull(panel):
    return fit(panel)


def draw_shares(panel, n_draws, seed=0):
    """Shares of origin, some negative, that sum to one over origins."""
    rng = np.random.default_rng(seed)
    n_media = panel.media.shape[2]
    shares = rng.uniform(-0.2, 1.0, (n_draws, *panel.media.shape, n_media))
    shares = shares.transpose(0, 1, 2, 4, 3)
    return shares / shares.sum(axis=3, keepdims=True)


def equations_for(panel, n_draws):
    """0 drives 1 in the same period, 1 drives 2 later; more in later draws."""
    n_regions, _, n_media = panel.media.shape
    size = np.linspace(0.2, 0.6, n_draws)
    same = np.zeros((n_draws, n_media, n_media))
    late = np.zeros((n_draws, n_media, n_media, 3))
    same[:, 0, 1] = size
    late[:, 1, 2, 0] = size
    return SpendEquations(
        unit=np.tile(panel.media.mean(axis=(0, 1)), (n_regions, 1)),
        centre=np.zeros((n_regions, n_media)),
        width=np.full(n_media, np.inf),
        straight=np.full((n_regions, n_media), np.nan),
        same=same,
        late=late,
        own=np.zeros((n_draws, n_media, 3)),
        tail_decay=0.6,
    )


def itself(panel, n_draws):
    shares = np.eye(panel.media.shape[2])
    return np.broadcast_to(shares, (n_draws, *panel.media.shape, len(shares)))


def rows_ahead(panel, n_new):
    """The panel with average regions appended, asked about all cells."""
    shape = (panel.shape[0] + n_new, panel.shape[1])

    def exp_linear(values):
        return np.concatenate([values, values[:n_new]])

    return replace(
        panel,
        media=exp_linear(panel.media),
        controls=exp_linear(panel.controls),
        observed=np.ones(shape, dtype=bool),
        cell=np.arange(shape[0] * shape[1]),
        y=None,
        weight=None,
    )


# --- credit by origin ---------------------------------------------------------------


@pytest.mark.parametrize("draws", [False, True])
def test_origins_sum_to_what_media_contribute(model, draws):
    panel = model.history
    media = model.components(panel, draws=draws).media
    shares = draw_shares(panel, len(media))
    origins = model.media_by_origin(panel, shares, draws=draws)
    assert origins.shape == media.shape
    scale = np.abs(media).max()
    assert_allclose(origins.sum(axis=2), media.sum(axis=2), atol=1e-12 * scale)


def test_spend_that_originates_in_its_own_channel(model):
    panel = model.history
    media = model.components(panel, draws=True).media
    origins = model.media_by_origin(panel, itself(panel, N_DRAWS), draws=True)
    assert_allclose(origins, media, rtol=1e-12, atol=1e-12 * np.abs(media).max())


def test_spend_that_originates_all_in_one_channel(model):
    panel = model.history
    shares = np.zeros_like(draw_shares(panel, 1))
    shares[:, :, :, 1] = 1.0
    origins = model.media_by_origin(panel, shares)
    media = model.components(panel).media
    assert_allclose(origins[..., 1], media.sum(axis=2))
    assert_allclose(origins[..., [0, 2]], 0.0, atol=1e-12 * media.max())


def test_credit_follows_adstocked_spend(panel):
    model = fit(panel, spike=1.0)
    everything = np.ones(model.history.shape, dtype=bool)
    panel = replace(model.history, observed=everything)
    shares = draw_shares(panel, 1)
    kernel = model.summary()["carryover"][0]
    media = model.components(panel).media[0]
    expected = np.zeros_like(media)
    for row, cell in enumerate(panel.cell):
        r, t = divmod(cell, panel.shape[1])
        for j, weights in enumerate(kernel):
            lags = np.arange(min(t + 1, len(weights)))
            weight = weights[lags] * panel.media[r, t - lags, j]
            share = np.eye(len(kernel))[j]
            if weight.any():
                share = weight @ shares[0, r, t - lags, :, j] / weight.sum()
            expected[row] += share * media[row, j]
    got = model.media_by_origin(panel, shares)[0]
    assert_allclose(got, expected, atol=1e-12 * media.max())


def test_shares_may_come_one_by_one_and_must_be_as_many_as_draws(weibull):
    panel = weibull.history
    shares = draw_shares(panel, N_DRAWS)
    together = weibull.media_by_origin(panel, shares, draws=True)
    assert_array_equal(
        weibull.media_by_origin(panel, iter(shares), draws=True), together
    )
    with pytest.raises(ValueError, match="zip"):
        weibull.media_by_origin(panel, shares[1:], draws=True)


def test_regions_never_seen(weibull):
    panel = rows_ahead(weibull.history, 2)
    media = weibull.components(panel, draws=True).media
    equations = equations_for(weibull.history, N_DRAWS)
    shares = equations.each_origin_shares(panel.media)
    origins = weibull.media_by_origin(panel, shares, draws=True)
    assert_allclose(origins.sum(axis=2), media.sum(axis=2), rtol=1e-10)


def test_a_parent_is_credited_with_what_it_induces(weibull):
    panel = weibull.history
    media = weibull.components(panel).media[0]
    shares = equations_for(panel, 1).each_origin_shares(panel.media)
    origins = weibull.media_by_origin(panel, shares)[0]
    assert origins[:, 0].sum() > media[:, 0].sum()
    assert origins[:, 2].sum() < media[:, 2].sum()
    assert (origins >= -1e-9 * media.max()).all()


@pytest.mark.parametrize("adstock", ["weibull", "gru"])
def test_without_lags(panel, adstock):
    model = fit(panel, max_lag=0, adstock=adstock)
    media = model.components(model.history).media[0]
    shares = draw_shares(model.history, 1)
    origins = model.media_by_origin(model.history, shares)[0]
    rows = np.moveaxis(shares[0].reshape(-1, 3, 3)[model.history.cell], 0, -1)
    expected = np.einsum("kjn,nj->nk", rows, media)
    spent = model.history.media.reshape(-1, 3)[model.history.cell] > 0
    assert_allclose(origins[spent.all(axis=1)], expected[spent.all(axis=1)])
    assert_allclose(origins.sum(axis=1), media.sum(axis=1))


# --- effects under other spend ------------------------------------------------------


@pytest.mark.parametrize("draws", [False, True])
def test_effects_under_the_spend_there_was(model, draws):
    panel = model.history
    media = model.components(panel, draws=draws).media
    channels = [0, 2]
    (got,) = model.effects_under(
        panel, channels, [panel.media[..., channels]], draws=draws
    )
    assert_allclose(got, media[..., channels].sum(axis=2))


def test_effects_under_spend_that_differs_by_draw(model):
    panel = model.history
    factors = np.linspace(0.5, 2.0, N_DRAWS)
    spend = factors[:, None, None, None] * panel.media
    (got,) = model.effects_under(panel, [0, 1, 2], [spend], draws=True)
    for e, factor in enumerate(factors):
        scaled = replace(panel, media=factor * panel.media)
        expected = model.components(scaled, draws=True).media[e].sum(axis=1)
        assert_allclose(got[e], expected)


def test_total_effect_of_a_change_goes_through_what_reacts(weibull):
    panel = weibull.history
    equations = equations_for(panel, N_DRAWS)
    more = 1.1 * panel.media[..., 0]
    reaction = equations.react(panel.media, more, 0)
    (got,) = weibull.effects_under(panel, [0, 1, 2], [reaction], draws=True)
    now = weibull.components(panel, draws=True).media.sum(axis=2)
    direct = replace(panel, media=panel.media * [1.1, 1.0, 1.0])
    direct = weibull.components(direct, draws=True).media.sum(axis=2)
    gain, direct_gain = (got - now).sum(axis=1), (direct - now).sum(axis=1)
    assert (direct_gain > 0).all()
    assert (gain > direct_gain).all()
    for e in range(N_DRAWS):
        media = weibull.components(replace(panel, media=reaction[e]), draws=True).media
        assert_allclose(got[e], media[e].sum(axis=1))


def test_effects_in_regions_never_seen(weibull):
    panel = rows_ahead(weibull.history, 2)
    spend = 1.3 * panel.media
    expected = weibull.components(replace(panel, media=spend), draws=True).media
    (got,) = weibull.effects_under(panel, [0, 1, 2], [spend], draws=True)
    assert_allclose(got, expected.sum(axis=2))
