"""Spend on the scale on which channels respond to each other.

Channels are linked in ``u = log1p(spend / unit)``. A small unit makes that a logarithm
(links are elasticities), a large one a straight line (links are in money). Which of the
two fits is seen from the data, channel by channel.
"""

import numpy as np

from skmmm._utils.regions import some_regions
from skmmm.graph._features import complete_rows, filled, lagged, partial_out

# Units tried, in medians of spend: from nearly logarithmic to nearly linear. The
# smallest only where spend never stops: beside them, nothing would be worlds apart.
ALWAYS_ON = (1e-8, 1e-5)
UNITS = (*ALWAYS_ON, 0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
N_LAGS = 2
RIDGE = 1e-6


def spend_units(media, observed, terms):
    r"""Return the unit of every channel by maximum likelihood.

    As in Box and Cox [1]_: with :math:`u_c = \log(1 + x / c)` regressed on the past of
    all channels and on what the others spend in the same period, the log density of
    spend is

    .. math::

        -\frac n2 \log \hat\sigma^2(c) - \sum_{rt} \log(x_{rt} + c)

    over the cells with spend, as :math:`du_c / dx = 1 / (x + c)`. Of many regions, over
    those of `some_regions`.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
    observed : ndarray of shape (n_regions, n_periods), bool
    terms : ndarray of shape (n_periods, n_terms)
        What each region is adjusted for.

    Returns
    -------
    unit : ndarray of shape (n_regions, n_media)
        In the units of X; the median of the region's spend times one of UNITS.

    References
    ----------
    .. [1] Box, Cox (1964). An Analysis of Transformations. Journal of the Royal
       Statistical Society B 26.
    """
    typical = _typical(media, observed)
    some = some_regions(*media.shape)
    scores = _log_density(media[some], observed[some], typical[some], terms)
    stops = (observed[..., None] & (media <= 0)).any(axis=(0, 1))
    scores[: len(ALWAYS_ON), stops] = -np.inf
    return typical * np.array(UNITS)[scores.argmax(axis=0)]


def _log_density(media, observed, typical, terms):
    """Return the log density of spend with each unit, (n_units, n_media)."""
    rows = complete_rows(observed, N_LAGS)
    usual = filled(np.log1p(media / typical[:, None]), observed)
    now_and_before = np.concatenate([usual[..., None], lagged(usual, N_LAGS)], axis=3)
    others = _adjusted(now_and_before, rows, terms)  # (n_cells, n_media * n_columns)
    gram = others.T @ others
    of_channel = np.repeat(np.arange(media.shape[2]), others.shape[1] // media.shape[2])
    scores = np.empty((len(UNITS), media.shape[2]))
    for k, unit in enumerate(UNITS):
        u = filled(np.log1p(media / (unit * typical[:, None])), observed)
        own = _adjusted(lagged(u, N_LAGS), rows, terms)
        now = _adjusted(u[..., None], rows, terms)
        cross = others.T @ np.concatenate([own, now], axis=1)
        for j in range(media.shape[2]):
            past = slice(j * (N_LAGS + 1), (j + 1) * (N_LAGS + 1))
            error = _residual(
                (others, gram, cross[:, past], cross[:, own.shape[1] + j]),
                of_channel != j,
                own[:, past],
                now[:, j],
            )
            spending = (rows & (media[:, :, j] > 0)).ravel()
            spread = max(float((error[spending] ** 2).sum()), np.finfo(float).tiny)
            shifted = media[:, :, j] + unit * typical[:, None, j]
            n_cells = max(int(spending.sum()), 1)
            scores[k, j] = -n_cells / 2 * np.log(spread / n_cells)
            scores[k, j] -= np.log(shifted.ravel()[spending]).sum()
    return scores


def _typical(media, observed):
    """Return the median spend per region of the periods with spend."""
    spending = observed[..., None] & (media > 0)
    values = np.where(spending, media, np.nan)
    usual = _median(values.reshape(-1, media.shape[2]), axis=0)
    typical = _median(values, axis=1)
    return np.where(np.isfinite(typical), typical, np.where(usual > 0, usual, 1.0))


def _median(values, axis):
    """Median of the numbers; nan where there is none."""
    ordered = np.sort(values, axis=axis)  # nan last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    middle = np.maximum(count - 1, 0) // 2
    return np.take_along_axis(ordered, middle, axis=axis).squeeze(axis)


def _adjusted(values, rows, terms):
    """Return adjusted values, one row per cell."""
    flat = values.reshape(*values.shape[:2], -1)
    return partial_out(flat, rows, terms).reshape(rows.size, -1)


def _residual(shared, others, own, now):
    """Return what other channels and the own past do not explain, (n_cells,).

    Parameters
    ----------
    shared : tuple
        Columns of all channels, their cross-products among each other, with the own
        past and with now.
    others : ndarray of bool
        Which of these columns are other channels'.
    own : ndarray of shape (n_cells, n_own)
    now : ndarray of shape (n_cells,)
    """
    columns, gram, with_own, with_now = shared
    inner = np.block(
        [
            [gram[np.ix_(others, others)], with_own[others]],
            [with_own[others].T, own.T @ own],
        ]
    )
    ridge = RIDGE * np.trace(inner) / len(inner) + np.finfo(float).tiny
    target = np.concatenate([with_now[others], own.T @ now])
    coef = np.linalg.solve(inner + ridge * np.eye(len(inner)), target)
    of_others = np.zeros(len(others))
    of_others[others] = coef[: others.sum()]
    return now - columns @ of_others - own @ coef[others.sum() :]
