"""Spend on the scale on which channels answer to each other.

Channels are linked in ``u = log1p(spend / unit)``. A small unit makes that a logarithm
(links are elasticities), a large one a straight line (links are in money). Which of the
two fits is seen from the data, channel by channel.
"""

import numpy as np

from skmmm._graph.features import lagged, partial_out

# Units tried, in medians of spend: from nearly logarithmic to nearly linear.
UNITS = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
N_LAGS = 2
RIDGE = 1e-6


def spend_units(media, observed, terms):
    r"""Return the unit of every channel by maximum likelihood.

    As in Box and Cox [1]_: with :math:`u_c = \log(1 + x / c)` regressed on the past of
    all channels and on what the others spend in the same period, the log density of
    spend is

    .. math::

        -\frac n2 \log \hat\sigma^2(c) - \sum_{rt} \log(x_{rt} + c)

    over the cells with spend, as :math:`du_c / dx = 1 / (x + c)`.

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
    start = N_LAGS + 2
    rows = observed & _settled(observed, start)
    usual = np.log1p(media / typical[:, None])
    others_now_and_before = np.concatenate(
        [usual[..., None], lagged(usual, N_LAGS)], axis=3
    )
    around = _adjusted(others_now_and_before, rows, terms)
    scores = np.empty((len(UNITS), media.shape[2]))
    for k, unit in enumerate(UNITS):
        u = np.log1p(media / (unit * typical[:, None]))
        own = _adjusted(lagged(u, N_LAGS), rows, terms)
        now = _adjusted(u[..., None], rows, terms)
        for j in range(media.shape[2]):
            spending = rows & (media[:, :, j] > 0)
            others = np.delete(around, j, axis=2).reshape(len(rows.ravel()), -1)
            design = np.column_stack([others, own[:, :, j].reshape(len(others), -1)])
            error = _residual(design, now[:, :, j, 0].ravel())[spending.ravel()]
            spread = max(float(error @ error), np.finfo(float).tiny)
            jacobian = np.log(media[:, :, j] + unit * typical[:, None, j])[spending]
            n_cells = max(len(error), 1)
            scores[k, j] = -n_cells / 2 * np.log(spread / n_cells) - jacobian.sum()
    return typical * np.array(UNITS)[scores.argmax(axis=0)]


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


def _settled(observed, start):
    after = np.zeros_like(observed)
    after[:, start:] = True
    return after


def _adjusted(values, rows, terms):
    flat = values.reshape(*values.shape[:2], -1)
    return partial_out(flat, rows, terms).reshape(values.shape)


def _residual(design, target):
    gram = design.T @ design
    ridge = RIDGE * np.trace(gram) / len(gram) + np.finfo(float).tiny
    coef = np.linalg.solve(gram + ridge * np.eye(len(gram)), design.T @ target)
    return target - design @ coef
