"""Units in which the network works, learned from training rows only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Scales:
    """Divisors that bring KPI, media and controls to about one.

    Attributes
    ----------
    kpi : ndarray of shape (n_regions,)
        Mean absolute KPI of each region.
    media : ndarray of shape (n_regions, n_media)
        Mean of the non-zero periods. Unlike the maximum, one outlier week hardly
        moves it; unlike a share of the week's total, it keeps the size of the budget
        visible.
    media_high : ndarray of shape (n_regions, n_media)
        Spend that 98 % of the non-zero periods stay below.
    control_centre : ndarray of shape (n_regions, n_controls)
    control_scale : ndarray of shape (n_controls,)
        Standard deviation within regions, or over all rows if a control only differs
        between regions.
    """

    kpi: np.ndarray
    media: np.ndarray
    media_high: np.ndarray
    control_centre: np.ndarray
    control_scale: np.ndarray

    def extended(self, n_new):
        """Add regions never seen: each is an average of the training regions."""

        def extend(values):
            average = np.broadcast_to(values.mean(axis=0), (n_new, *values.shape[1:]))
            return np.concatenate([values, average])

        return Scales(
            extend(self.kpi),
            extend(self.media),
            extend(self.media_high),
            extend(self.control_centre),
            self.control_scale,
        )


def fit_scales(panel):
    """Learn the scales from a training panel, counting rows by their weight."""
    kpi = _mean(np.abs(panel.y), panel.weight, axis=1)
    usual = _mean(np.abs(panel.y), panel.weight, axis=(0, 1))
    kpi = np.where(kpi > 0, kpi, usual if usual > 0 else 1.0)
    weight = panel.weight[..., None]
    centre, scale = _control_scales(panel.controls, weight)
    media = _media_scales(panel.media, weight, kpi)
    return Scales(kpi, media, _media_highs(panel.media, weight, media), centre, scale)


def _media_scales(media, weight, kpi):
    spending = weight * (media > 0)
    scale = _mean(media, spending, axis=1)
    # A region that never spends on a channel: what others spend per unit of KPI.
    relative = _mean(media / kpi[:, None, None], spending, axis=(0, 1))
    scale = np.where(scale > 0, scale, relative * kpi[:, None])
    return np.where(scale > 0, scale, 1.0)


def _media_highs(media, weight, scale):
    spending = (weight > 0) & (media > 0)
    ordered = np.sort(np.where(spending, media, 0.0), axis=1)
    # From the top: the 98 % quantile of the periods with spend, at least the second
    # largest, so that one period alone is never its own measure.
    beyond = np.maximum(1, np.ceil(0.02 * spending.sum(axis=1)).astype(int))
    place = np.maximum(media.shape[1] - 1 - beyond, 0)
    high = np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
    return np.where(high > 0, high, scale)


def _control_scales(controls, weight):
    overall = _mean(controls, weight, axis=(0, 1))
    total = np.sqrt(_mean((controls - overall) ** 2, weight, axis=(0, 1)))
    seen = weight.sum(axis=1) > 0
    centre = np.where(seen, _mean(controls, weight, axis=1), overall)
    spread = (controls - centre[:, None]) ** 2
    within = np.sqrt(_mean(spread, weight, axis=(0, 1)))
    constant = within <= 1e-9 * total
    centre = np.where(constant, overall, centre)
    scale = np.where(constant, total, within)
    return centre, np.where(scale > 0, scale, 1.0)


def _mean(values, weight, axis):
    """Weighted mean; 0 where all weights are."""
    weight = np.broadcast_to(weight, values.shape)
    total = weight.sum(axis=axis)
    return (weight * values).sum(axis=axis) / np.where(total > 0, total, 1.0)
