"""Units in which the network works, learned from training rows only."""

from dataclasses import dataclass

import numpy as np

FAR = 10.0  # robust standard deviations from which a value can hardly be right


@dataclass(frozen=True, eq=False)
class Scales:
    """Divisors that bring KPI, media and controls to about one.

    Attributes
    ----------
    kpi : ndarray of shape (n_regions,)
        Mean absolute KPI of each region, gross outliers left out; 0 where it is always
        zero, so that nothing is predicted there; the mean of the other regions where
        all rows have weight zero.
    media : ndarray of shape (n_regions, n_media)
        Mean of the non-zero periods. Unlike the maximum, one outlier week hardly
        moves it; unlike a share of the week's total, it keeps the size of the budget
        visible.
    media_high : ndarray of shape (n_regions, n_media)
        Spend that 98 % of the non-zero periods stay below.
    intensity : ndarray of shape (n_regions, n_media)
        Log of typical spend per head, less its mean over regions; 0 where nobody says
        how many heads there are.
    control_centre : ndarray of shape (n_regions, n_controls)
    control_scale : ndarray of shape (n_controls,)
        Standard deviation within regions, gross outliers left out, or over all rows if
        a control only differs between regions.
    frequency : ndarray of shape (n_media,) or None
        Impressions / reach over all rows, nan for channels without a frequency. None if
        no channel has one.
    """

    kpi: np.ndarray
    media: np.ndarray
    media_high: np.ndarray
    intensity: np.ndarray
    control_centre: np.ndarray
    control_scale: np.ndarray
    frequency: np.ndarray | None = None

    @property
    def saturation_unit(self):
        """What half saturation is a multiple of, shape (n_regions, n_media)."""
        if self.frequency is None:
            return self.media
        return np.where(np.isfinite(self.frequency), self.frequency, self.media)

    def extended(self, n_new):
        """Add regions never seen: each is an average of the training regions."""

        alive = self.kpi > 0 if self.kpi.any() else slice(None)

        def extend(values):
            average = values[alive].mean(axis=0)
            average = np.broadcast_to(average, (n_new, *values.shape[1:]))
            return np.concatenate([values, average])

        return Scales(
            extend(self.kpi),
            extend(self.media),
            extend(self.media_high),
            extend(self.intensity),
            extend(self.control_centre),
            self.control_scale,
            self.frequency,
        )


def fit_scales(panel, outliers, stuck, cost, population=None, by_frequency=None):
    """Learn the scales from a training panel, counting rows by their weight.

    Parameters
    ----------
    panel : Panel
    outliers : ndarray of shape (n_regions, n_periods)
        Of the KPI: how far it is from what is usual; 0 elsewhere.
    stuck : ndarray of shape (n_regions, n_periods), bool
        Rows of weight zero because their KPI is stuck.
    cost : ndarray of shape (n_media,)
        Of one unit of each channel; NaN where it is unknown.
    population : ndarray of shape (n_regions,) or None
    by_frequency : ndarray of shape (n_media,), bool, or None
        Channels with a frequency, which saturate by it and not by spend per head.
    """
    # A KPI that is stuck throughout still has a size; one that nobody may look at has
    # that of an average region.
    counted = panel.weight.any(axis=1, keepdims=True)
    rows = np.where(counted, panel.weight, stuck) * (outliers == 0)
    kpi = _mean(np.abs(panel.y), rows, axis=1)
    seen = rows.any(axis=1)
    kpi = np.where(seen, kpi, kpi[seen].mean())
    kpi = kpi if kpi.any() else np.ones_like(kpi)
    weight = panel.weight[..., None]
    centre, scale = _control_scales(panel.controls, weight)
    media = _like_the_others(_media_scales(panel.media, weight, kpi), cost)
    highs = _media_highs(panel.media, weight, media)
    intensity = np.zeros_like(media)
    if population is not None:
        intensity = np.log(media / population[:, None])
        intensity = intensity - intensity.mean(axis=0)
    frequency = None
    if by_frequency is not None:
        intensity = np.where(by_frequency, 0.0, intensity)
        frequency = np.where(by_frequency, _mean_frequency(panel, weight), np.nan)
    return Scales(kpi, media, highs, intensity, centre, scale, frequency)


def gross_outliers(values, rows):
    """Return how far values that can hardly be right are from what is usual.

    A value is one if it is more than `FAR` robust standard deviations (interquartile
    range / 1.349) from the median of its region, and six times as large or, by more
    than half the median, of the other sign: a strong promotion is not, a digit too many
    is.

    Parameters
    ----------
    values : ndarray of shape (n_regions, n_periods, ...)
    rows : ndarray of shape (n_regions, n_periods), bool
        Cells that hold a value.

    Returns
    -------
    distance : ndarray of the shape of `values`
        In robust standard deviations; 0 for all other values, and in regions with
        fewer than eight values or where half of them are the same.
    """
    cells = rows.reshape(*rows.shape, *[1] * (values.ndim - 2))
    enough = rows.sum(axis=1) >= 8
    distance = np.zeros(values.shape)
    if not (enough.any() and values.size):
        return distance
    known = np.where(cells, values, np.nan)[enough]
    low, median, high = np.nanquantile(known, [0.25, 0.5, 0.75], axis=1, keepdims=True)
    spread = np.where(high > low, (high - low) / 1.349, np.inf)
    away = np.nan_to_num(np.abs(known - median))
    size, signed = np.abs(median), np.nan_to_num(known * np.sign(median))
    far = (away > FAR * spread) & ((away > 5.0 * size) | (signed < -0.5 * size))
    distance[enough] = np.where(far, away / spread, 0.0)
    return distance


def _media_scales(media, weight, kpi):
    spending = weight * (media > 0)
    scale = _mean(media, spending, axis=1)
    # A region that never spends on a channel: what others spend per unit of KPI.
    unit = np.where(kpi > 0, kpi, 1.0)[:, None, None]
    relative = _mean(media / unit, spending * (kpi > 0)[:, None, None], axis=(0, 1))
    return np.where(scale > 0, scale, relative * unit[:, :, 0])


def _like_the_others(scale, cost):
    """Take a channel without spend for one that usually spends as the others do."""
    unit = np.where(np.isfinite(cost), cost, 1.0)
    spends = (scale > 0).all(axis=0)
    usual = np.ones((len(scale), 1))
    if spends.any():
        usual = np.median((scale * unit)[:, spends], axis=1, keepdims=True)
    return np.where(scale > 0, scale, usual / unit)


def _media_highs(media, weight, scale):
    spending = (weight > 0) & (media > 0)
    ordered = np.sort(np.where(spending, media, 0.0), axis=1)
    # From the top: the 98 % quantile of the periods with spend, at least the second
    # largest, so that one period alone is never its own measure.
    beyond = np.maximum(1, np.ceil(0.02 * spending.sum(axis=1)).astype(int))
    place = np.maximum(media.shape[1] - 1 - beyond, 0)
    high = np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
    return np.where(high > 0, high, scale)


def _mean_frequency(panel, weight):
    """Return impressions / reach of rows that count; 1 where nobody was reached."""
    mean = _mean(panel.frequency, weight * panel.media, axis=(0, 1))
    return np.where(mean > 0, mean, 1.0)


def _control_scales(controls, weight):
    seen = weight[..., 0].sum(axis=1, keepdims=True) > 0
    weight = weight * (gross_outliers(controls, weight[..., 0] > 0) == 0)
    overall = _mean(controls, weight, axis=(0, 1))
    total = np.sqrt(_mean((controls - overall) ** 2, weight, axis=(0, 1)))
    centre = np.where(seen, _mean(controls, weight, axis=1), overall)
    spread = (controls - centre[:, None]) ** 2
    within = np.sqrt(_mean(spread, weight, axis=(0, 1)))
    constant = within <= 1e-9 * total
    centre = np.where(constant, overall, centre)
    scale = np.where(constant, total, within)
    # What rounding leaves of a constant control is not a scale.
    return centre, np.where(scale > 1e-12 * np.abs(overall), scale, 1.0)


def _mean(values, weight, axis):
    """Weighted mean; 0 where all weights are."""
    weight = np.broadcast_to(weight, values.shape)
    total = weight.sum(axis=axis)
    return (weight * values).sum(axis=axis) / np.where(total > 0, total, 1.0)
