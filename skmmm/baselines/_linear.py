"""A standard linear MMM: a pipeline that ends with a ridge regression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import lsq_linear
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skmmm._data.checks import (
    check_target,
    numeric_block,
    region_values,
    resolve_column,
    resolve_columns,
    resolve_many,
)
from skmmm._data.tables import read_table, region_codes, row_namer
from skmmm._utils.sklearn import Interval, check_sample_weight
from skmmm._utils.typing import Array, Column, Table
from skmmm.preprocessing import (
    FourierSeason,
    GeometricAdstock,
    HillSaturation,
    PanelScaler,
    RegionEncoder,
)
from skmmm.preprocessing._base import COLUMN, PerColumn

# Columns that FourierSeason adds.
_SEASON_COLUMN = re.compile(r"(weekday_)?(sin|cos)\d+")


def make_linear_mmm(
    *,
    media: Sequence[Column],
    controls: Sequence[Column] | None = None,
    region: Column | None = None,
    time: Column | None = None,
    decay: PerColumn = 0.5,
    half_saturation: PerColumn = 1.0,
    slope: PerColumn = 1.0,
    max_lag: int = 13,
    season_order: int = 2,
    alpha: float = 1.0,
) -> Pipeline:
    """Make a standard linear MMM as a pipeline of public steps.

    Per region r and period t, with KPI and media in units of their region's mean
    (media: mean of the weeks with spend),

    .. math::

        y_{rt} = b_r + \\sum_m \\beta_m \\, \\mathrm{Hill}(\\mathrm{adstock}(x_{rm}))_t
            + \\sum_k \\gamma_k z_{rtk} + \\sum_j \\delta_j f_{tj} + \\varepsilon_{rt},
        \\qquad \\beta_m \\ge 0

    with controls :math:`z` and Fourier terms :math:`f` of the season [1]_. Carry-over
    and saturation are parameters to search over, the coefficients are fitted by ridge
    regression.

    Parameters
    ----------
    media : list of str or int
        Names or positions of the media columns: spend or delivery, non-negative.
    controls : list of str or int, default=None
        Names or positions of the control columns. Other columns are ignored.
    region, time : str or int, default=None
        Name or position of the column. `region=None`: one series. `time=None`: rows
        have no order; no carry-over and no season.
    decay : float, array-like of shape (n_media,) or dict, default=0.5
        Share of the effect that remains after one period.
    half_saturation : float, array-like of shape (n_media,) or dict, default=1.0
        In units of the region's mean non-zero spend.
    slope : float, array-like of shape (n_media,) or dict, default=1.0
        Slope of the Hill curve.
    max_lag : int, default=13
        Last period in which spend acts.
    season_order : int, default=2
        Number of yearly harmonics.
    alpha : float, default=1.0
        Ridge penalty, as in :class:`~sklearn.linear_model.Ridge`.

    Returns
    -------
    model : :class:`~sklearn.pipeline.Pipeline`
        With the steps

        - "scale" : :class:`~skmmm.preprocessing.PanelScaler` of the media;
        - "adstock" : :class:`~skmmm.preprocessing.GeometricAdstock`;
        - "saturation" : :class:`~skmmm.preprocessing.HillSaturation`;
        - "season" : :class:`~skmmm.preprocessing.FourierSeason`;
        - "region" : :class:`~skmmm.preprocessing.RegionEncoder`, to integer codes;
        - "ridge" : the regression. ``coef_`` is a Series over media, controls and
          season in shares of the region's mean KPI (controls: per unit),
          ``intercept_`` a Series over region codes, ``scale_`` the mean KPI of each
          region in KPI units.

        X is a long table with rows in any order. Regions not seen in `fit` raise an
        error; with ``set_params(scale__unseen="overall", region__unseen="ignore")``
        they count as an average region.

    See Also
    --------
    skmmm.model_selection.PanelTimeSeriesSplit : Splits to search the parameters with.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import load_mmm_example
    >>> data = load_mmm_example()
    >>> model = make_linear_mmm(
    ...     media=data.media, controls=data.controls, region="region", time="week"
    ... )
    >>> model = model.fit(data.X, data.y)
    >>> bool((model[-1].coef_[data.media] >= 0).all())
    True
    >>> no_tv = model.predict(data.X.assign(tv=0.0))
    >>> tv_sales = model.predict(data.X).sum() - no_tv.sum()
    """
    steps = [
        ("scale", PanelScaler(columns=media, region=region)),
        (
            "adstock",
            GeometricAdstock(
                decay=decay, max_lag=max_lag, columns=media, region=region, time=time
            ),
        ),
        (
            "saturation",
            HillSaturation(half_saturation=half_saturation, slope=slope, columns=media),
        ),
        ("season", FourierSeason(region=region, time=time, order=season_order)),
        ("region", RegionEncoder(region=region)),
        (
            "ridge",
            _PositiveMediaRidge(
                media=media, controls=controls, region=region, time=time, alpha=alpha
            ),
        ),
    ]
    # Frames between the steps, so that the season columns have names even if X is an
    # array; positions of the other columns stay valid, because new columns come last.
    return Pipeline(steps).set_output(transform="pandas")


class _PositiveMediaRidge(RegressorMixin, BaseEstimator):
    """Ridge regression in units of each region's mean KPI, media not negative.

    Minimises ``sum(weight * (y / scale - fit) ** 2) + alpha * sum(coef ** 2)`` where
    fit has an unpenalised intercept, controls are standardised, and the intercepts of
    the regions are penalised deviations from the common one.

    The parameters are those of `make_linear_mmm`. `media=None` takes all columns that
    are not named otherwise; `region` holds integer codes, -1 for an average region;
    without `time` there are no season columns.
    """

    _parameter_constraints = {
        "media": ["array-like", str, Integral, None],
        "controls": ["array-like", str, Integral, None],
        "region": COLUMN,
        "time": COLUMN,
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, *, media=None, controls=None, region=None, time=None, alpha=1.0):
        self.media = media
        self.controls = controls
        self.region = region
        self.time = time
        self.alpha = alpha

    def fit(
        self, X: Table, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Fit the coefficients to the KPI of every row, of shape (n_samples,)."""
        self._validate_params()
        frame = read_table(self, X, y, reset=True)
        y = check_target(column_or_1d(y, warn=True), len(frame), "row {}".format)
        weight = check_sample_weight(
            sample_weight, frame, dtype=np.float64, ensure_non_negative=True
        )
        self._find_columns(frame)
        self.media_ = list(self._media)
        values, regions = self._design(frame)
        codes, code = np.unique(regions, return_inverse=True)

        scale = _region_scale(y, weight, code)
        n_media = len(self._media)
        center, spread = _control_moments(values, weight, n_media, len(self._controls))
        design = (values - center) / spread
        low = np.where(np.arange(design.shape[1]) < n_media, 0.0, -np.inf)
        coef, intercept = _bounded_ridge(
            design, y / scale[code], weight, code, low, self.alpha
        )
        coef = coef / spread
        names = [*self._media, *self._controls, *self._season]
        self.coef_ = pd.Series(coef, index=names)
        self.intercept_ = pd.Series(intercept - center @ coef, index=codes)
        self.scale_ = pd.Series(scale, index=codes)
        return self

    def _find_columns(self, frame):
        columns = resolve_columns(
            frame,
            media=self.media,
            controls=self.controls,
            region=self.region,
            time=self.time,
        )
        self._media, self._controls = columns.media, columns.controls
        if self.media is not None:
            self._media = resolve_many(frame, self.media, "media")
        if self.controls is not None:
            self._controls = resolve_many(frame, self.controls, "controls")
        used = {*self._media, *self._controls}
        self._season = [
            label
            for label in frame
            if self.time is not None
            and label not in used
            and _SEASON_COLUMN.fullmatch(str(label))
        ]

    def _design(self, frame):
        """Return values of shape (n_samples, n_columns) and region codes per row."""
        labels = [*self._media, *self._controls, *self._season]
        values = numeric_block(frame, labels, row_namer(frame))
        if self.region is None:
            return values, np.zeros(len(frame), dtype=np.int64)
        region = resolve_column(frame, self.region, "region")
        return values, region_values(frame, region)

    def predict(self, X: Table) -> Array:
        """Predict the KPI of every row, of shape (n_samples,)."""
        check_is_fitted(self)
        values, regions = self._design(read_table(self, X, reset=False))
        code = region_codes(regions, self.intercept_.index)
        # Code -1, an unseen region, picks the average, which comes last.
        intercept = np.append(self.intercept_, self.intercept_.mean())[code]
        scale = np.append(self.scale_, self.scale_.mean())[code]
        return scale * (intercept + values @ self.coef_.to_numpy())


def _region_scale(y, weight, code):
    """Return the mean absolute KPI of each region; where it is zero, of all rows."""
    total = np.bincount(code, weight * np.abs(y))
    size = np.bincount(code, weight)
    scale = np.divide(total, size, out=np.zeros_like(total), where=size > 0)
    overall = total.sum() / size.sum()
    return np.where(scale > 0, scale, overall if overall > 0 else 1.0)


def _control_moments(values, weight, n_media, n_controls):
    """Return centre and spread of all columns; 0 and 1 for those not controls."""
    center, spread = np.zeros(values.shape[1]), np.ones(values.shape[1])
    controls = slice(n_media, n_media + n_controls)
    block = values[:, controls]
    center[controls] = np.average(block, axis=0, weights=weight)
    variance = np.average((block - center[controls]) ** 2, axis=0, weights=weight)
    # Rounding errors of a constant control are not a spread.
    moves = np.sqrt(variance) > 1e-12 * np.abs(center[controls])
    spread[controls] = np.where(moves, np.sqrt(variance), 1.0)
    return center, spread


def _bounded_ridge(design, target, weight, code, low, alpha):
    """Fit coefficients and an intercept per region, both shrunk by `alpha`.

    Minimises ``sum(weight * (target - b - u[code] - design @ c) ** 2)
    + alpha * (c @ c + u @ u)`` over c >= low, b and u.

    Parameters
    ----------
    design : ndarray of shape (n_samples, n_columns)
    target, weight : ndarray of shape (n_samples,)
    code : ndarray of shape (n_samples,)
        Region of every row; each of 0, 1, ... occurs.
    low : ndarray of shape (n_columns,)
        Lower bounds of the coefficients.
    alpha : float

    Returns
    -------
    coef : ndarray of shape (n_columns,)
        c.
    intercept : ndarray of shape (n_regions,)
        b + u.

    References
    ----------
    .. [1] Wooldridge, J. M. (2010). Econometric Analysis of Cross Section and Panel
       Data, 2nd edition, section 10.4. MIT Press.
    """
    # With e = target - b - design @ c and W[r] the weight of region r, the best u[r] is
    # W / (W + alpha) times the region's mean of e. Putting it in leaves
    #     sum(weight * (e - theta[r] * mean_r(e)) ** 2) + alpha * c @ c,
    #     theta = 1 - sqrt(alpha / (W + alpha)),
    # least squares in quasi-demeaned data [1]_, without a column per region.
    n_columns = design.shape[1]
    size = np.bincount(code, weight)
    share = np.divide(size, size + alpha, out=np.zeros_like(size), where=size > 0)
    theta = 1.0 - np.sqrt(1.0 - share)
    table = np.column_stack([design, np.ones(len(design)), target])
    total = np.column_stack([np.bincount(code, weight * v) for v in table.T])
    mean = total / np.where(size > 0, size, 1.0)[:, None]
    rows = np.sqrt(weight)[:, None] * (table - theta[code, None] * mean[code])
    # The penalty is least squares on extra rows sqrt(alpha) * I with target 0; of all
    # rows, only the triangle R of a QR decomposition matters:
    #     ||A c - t||^2 = ||R c - q||^2 + const
    penalty = np.sqrt(alpha) * np.eye(n_columns, n_columns + 2)
    triangle = np.asarray(np.linalg.qr(np.vstack([rows, penalty]), mode="r"))
    result = lsq_linear(
        triangle[: n_columns + 1, :-1],
        triangle[: n_columns + 1, -1],
        bounds=(np.append(low, -np.inf), np.inf),
        method="bvls",
    )
    coef, common = result.x[:-1], result.x[-1]
    residual = mean[:, -1] - common - mean[:, :n_columns] @ coef
    return coef, common + share * residual
