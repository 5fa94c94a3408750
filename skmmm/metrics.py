"""Errors, skill against a naive forecast, coverage of intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import check_array, indexable
from sklearn.utils.validation import check_consistent_length

from skmmm._utils.docs import shared_docs
from skmmm._utils.parallel import call_each
from skmmm._utils.sklearn import check_sample_weight, safe_indexing
from skmmm._utils.typing import Column, Table

__all__ = [
    "interval_coverage",
    "make_coverage_scorer",
    "make_within_region_r2_scorer",
    "naive_skill",
    "rolling_skill",
    "trimmed_rmse",
    "trimmed_rmse_scorer",
    "weighted_mape",
    "weighted_mape_scorer",
    "within_region_r2",
]


def _one_dimensional(values, name):
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {values.shape}.")
    return values


def _check_numbers(values, name, *, finite=True):
    """Float array of shape (n_samples,)."""
    return check_array(
        _one_dimensional(values, name),
        ensure_2d=False,
        dtype=np.float64,
        ensure_all_finite=finite,
        input_name=name,
    )


def _aligned(sample_weight, **columns):
    """Return the columns and the weights as floats of one length; bounds may be inf."""
    arrays = [
        _check_numbers(values, name, finite=name not in ("low", "high"))
        for name, values in columns.items()
    ]
    check_consistent_length(*arrays, sample_weight)
    weight = check_sample_weight(
        sample_weight, arrays[0], dtype=np.float64, ensure_non_negative=True
    )
    return *arrays, weight


_ROUNDING = 1e-12  # of all weight: what sums of weights leave over
_PARAMETERS = """
y_true : array-like of shape (n_samples,)
    Observed KPI.
y_pred : array-like of shape (n_samples,)
    Predicted KPI, in the units of ``y_true``.
sample_weight : array-like of shape (n_samples,), default=None
    Non-negative weights.
"""


@shared_docs(_PARAMETERS)
def weighted_mape(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Total absolute error as a share of the total KPI, wMAPE.

    .. math::

        \\text{wMAPE} = \\frac{\\sum_i w_i |y_i - \\hat y_i|}{\\sum_i w_i |y_i|}

    Unlike the mean absolute percentage error it is defined when some values are zero,
    and a small region counts by its sales, not by its number of rows [1]_ [2]_.

    Returns
    -------
    error : float
        Share of the total KPI, without unit; 0 is best, 0.1 means 10 %.

    References
    ----------
    .. [1] Kolassa, S. and Schuetz, W. (2007). Advantages of the MAD/Mean ratio over the
       MAPE. Foresight 6, 40-43.
    .. [2] Hyndman, R. J. and Koehler, A. B. (2006). Another look at measures of
       forecast accuracy. International Journal of Forecasting 22, 679-688.

    Examples
    --------
    >>> from skmmm.metrics import weighted_mape
    >>> weighted_mape([100.0, 0.0, 300.0], [110.0, 10.0, 280.0])
    0.1
    """
    true, predicted, weight = _aligned(sample_weight, y_true=y_true, y_pred=y_pred)
    total = np.sum(weight * np.abs(true))
    if total == 0.0:
        raise ValueError(
            "wMAPE is a share of the total of y_true, and all y_true with positive "
            "weight are zero. Use sklearn.metrics.mean_absolute_error instead."
        )
    return float(np.sum(weight * np.abs(true - predicted)) / total)


@shared_docs(_PARAMETERS)
def trimmed_rmse(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    trim: float = 0.05,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Root mean squared error without the largest absolute errors.

    .. math::

        \\sqrt{\\frac{\\sum_i v_{(i)} e_{(i)}^2}{\\sum_i v_{(i)}}}, \\qquad
        v_{(i)} = \\min\\Bigl(w_{(i)}, \\max\\bigl(0, (1 - \\tau) W -
            \\sum_{j < i} w_{(j)}\\bigr)\\Bigr)

    with errors :math:`e = y - \\hat y` in the order of their absolute values, their
    weights :math:`w` and the sum of these, :math:`W`. Left out is the share
    :math:`\\tau` of the weight, that of the largest errors; an error at the boundary
    counts in part. The sum of the smallest squared errors is what least trimmed squares
    minimises [1]_. A promotion or a strike that no model knows of dominates the
    ordinary root mean squared error; here it is left out, so report both.

    Parameters
    ----------
    trim : float in [0, 1), default=0.05
        Share of the weight, without `sample_weight` of the rows, that is left out. 0 is
        the ordinary root mean squared error.

    Returns
    -------
    error : float
        In KPI units; 0 is best.

    References
    ----------
    .. [1] Rousseeuw, P. J. (1984). Least median of squares regression. Journal of the
       American Statistical Association 79, 871-880.

    Examples
    --------
    >>> from skmmm.metrics import trimmed_rmse
    >>> y_true, y_pred = [10.0, 10.0, 10.0, 10.0], [7.0, 13.0, 7.0, 110.0]
    >>> trimmed_rmse(y_true, y_pred, trim=0.25)
    3.0
    """
    if not (isinstance(trim, Real) and 0.0 <= trim < 1.0):
        raise ValueError(
            f"trim is the share of the largest errors to leave out, at least 0 and "
            f"below 1, got {trim!r}."
        )
    true, predicted, weight = _aligned(sample_weight, y_true=y_true, y_pred=y_pred)
    error = np.abs(true - predicted)
    order = np.argsort(error, kind="stable")
    error, weight = error[order], weight[order]
    before, total = np.cumsum(weight) - weight, weight.sum()
    room = (1.0 - trim) * total - before
    if trim:
        room[(room < _ROUNDING * total) & (before > 0.0)] = 0.0
    kept = np.clip(room, 0.0, weight)
    return float(np.sqrt(np.average(error**2, weights=kept)))


@shared_docs(_PARAMETERS)
def naive_skill(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    y_naive: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Share of a naive forecast's error that a prediction avoids.

    One minus the ratio of the two total absolute errors, which is the ratio of the two
    wMAPE. It is the relative absolute error of [1]_, turned so that more is better.

    Parameters
    ----------
    y_pred, y_naive : array-like of shape (n_samples,)
        Predicted KPI and its naive forecast, in the units of ``y_true``.

    Returns
    -------
    skill : float
        1 is a perfect prediction, 0 is as good as the naive forecast, below 0 worse.

    See Also
    --------
    rolling_skill : Skill of estimators over the splits of a panel.

    References
    ----------
    .. [1] Hyndman, R. J. and Koehler, A. B. (2006). Another look at measures of
       forecast accuracy. International Journal of Forecasting 22, 679-688.

    Examples
    --------
    >>> from skmmm.metrics import naive_skill
    >>> naive_skill([3.0, 5.0], y_pred=[3.0, 4.0], y_naive=[1.0, 3.0])
    0.75
    """
    true, predicted, naive, weight = _aligned(
        sample_weight, y_true=y_true, y_pred=y_pred, y_naive=y_naive
    )
    naive_error = np.sum(weight * np.abs(true - naive))
    if naive_error == 0.0:
        raise ValueError(
            "The naive forecast y_naive has no error, so skill relative to it is "
            "undefined."
        )
    return float(1.0 - np.sum(weight * np.abs(true - predicted)) / naive_error)


@shared_docs(_PARAMETERS)
def within_region_r2(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    region: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Share of the variation within regions that a prediction explains.

    .. math::

        R^2_{\\text{within}} = 1 -
            \\frac{\\sum_i w_i (y_i - \\hat y_i)^2}
                 {\\sum_i w_i (y_i - \\bar y_{r(i)})^2}

    with :math:`\\bar y_r` the weighted mean of region r. The ordinary R2 of a panel
    compares with one mean of all rows; where regions differ in size it is close to 1
    for any model that knows how large each region is. The denominator is that of the
    within (fixed effects) transformation [1]_.

    Parameters
    ----------
    region : array-like of shape (n_samples,)
        Region of each row: strings or integers.

    Returns
    -------
    r2 : float
        1 is perfect, 0 is as good as knowing the mean of each region over these rows.

    References
    ----------
    .. [1] Wooldridge, J. M. (2010). Econometric Analysis of Cross Section and Panel
       Data, 2nd edition, chapter 10. MIT Press.

    Examples
    --------
    >>> from skmmm.metrics import within_region_r2
    >>> y_true = [1.0, 3.0, 101.0, 103.0]
    >>> y_pred = [2.0, 2.0, 102.0, 102.0]
    >>> within_region_r2(y_true, y_pred, ["small", "small", "large", "large"])
    0.0
    """
    true, predicted, weight = _aligned(sample_weight, y_true=y_true, y_pred=y_pred)
    regions = _one_dimensional(region, "region")
    check_consistent_length(true, regions)
    code, names = pd.factorize(regions)
    if (code < 0).any():
        raise ValueError(f"region is missing in row {np.argmax(code < 0)}.")
    size = np.bincount(code, weight, len(names))
    total = np.bincount(code, weight * true, len(names))
    # A region without weight has no mean, and its rows count for nothing.
    mean = np.divide(total, size, out=np.zeros_like(total), where=size > 0)
    variation = np.sum(weight * (true - mean[code]) ** 2)
    if variation == 0.0:
        raise ValueError(
            "y_true is constant within every region, so there is no variation to "
            "explain."
        )
    return float(1.0 - np.sum(weight * (true - predicted) ** 2) / variation)


@shared_docs(_PARAMETERS)
def interval_coverage(
    y_true: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Share of observations inside their prediction intervals, bounds included.

    Intervals at confidence level 0.9 are calibrated if about 0.9 of the observations
    fall inside [1]_. Higher is not better.

    Parameters
    ----------
    low, high : array-like of shape (n_samples,)
        Bounds of the intervals, in the units of ``y_true``. They may be infinite.

    Returns
    -------
    coverage : float
        Share in [0, 1].

    References
    ----------
    .. [1] Gneiting, T., Balabdaoui, F. and Raftery, A. E. (2007). Probabilistic
       forecasts, calibration and sharpness. Journal of the Royal Statistical Society B
       69, 243-268.

    Examples
    --------
    >>> from skmmm.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 5], [1, 3, 4, 6])
    0.75
    """
    true, lower, upper, weight = _aligned(
        sample_weight, y_true=y_true, low=low, high=high
    )
    # Not `lower > upper`: a missing bound must not pass.
    invalid = ~(lower <= upper)
    if invalid.any():
        row = np.argmax(invalid)
        raise ValueError(
            f"Bounds of row {row} are no interval: low={lower[row]}, high={upper[row]}."
        )
    inside = (lower <= true) & (true <= upper)
    return float(np.average(inside, weights=weight))


weighted_mape_scorer = make_scorer(weighted_mape, greater_is_better=False)
trimmed_rmse_scorer = make_scorer(trimmed_rmse, greater_is_better=False)


class _WithinRegionR2Scorer:
    def __init__(self, region):
        self.region = region

    def __call__(self, estimator, X, y, sample_weight=None):
        region = safe_indexing(X, self.region, axis=1)
        y_pred = estimator.predict(X)
        return within_region_r2(y, y_pred, region, sample_weight=sample_weight)

    def __repr__(self):
        return f"make_within_region_r2_scorer(region={self.region!r})"


class _CoverageScorer:
    def __init__(self, confidence_level):
        self.confidence_level = confidence_level

    def __call__(self, estimator, X, y, sample_weight=None):
        interval = np.asarray(
            estimator.predict_interval(X, confidence_level=self.confidence_level)
        )
        if interval.ndim != 2 or interval.shape[1] != 2:
            raise ValueError(
                "predict_interval must return shape (n_samples, 2), got shape "
                f"{interval.shape}."
            )
        low, high = interval.T
        return interval_coverage(y, low, high, sample_weight=sample_weight)

    def __repr__(self):
        return f"make_coverage_scorer(confidence_level={self.confidence_level!r})"


def make_within_region_r2_scorer(*, region: Column) -> Callable[..., float]:
    """Make a scorer of :func:`within_region_r2` that finds the regions in X.

    Parameters
    ----------
    region : str or int
        Name or position of the region column in X.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for the ``scoring`` of
        :func:`~sklearn.model_selection.cross_validate` and searches.

    Examples
    --------
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import TimeSeriesSplit, cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.metrics import make_within_region_r2_scorer
    >>> X, y = load_mmm_example(return_X_y=True)
    >>> columns = make_column_transformer(
    ...     (OneHotEncoder(), ["region"]), ("passthrough", ["tv", "paid_search"])
    ... )
    >>> model = make_pipeline(columns, Ridge())
    >>> scorer = make_within_region_r2_scorer(region="region")
    >>> cv = TimeSeriesSplit(3)  # rows are sorted by week
    >>> cross_val_score(model, X, y, cv=cv).round(2)
    array([0.63, 0.38, 0.32])
    >>> cross_val_score(model, X, y, cv=cv, scoring=scorer).round(2)
    array([ -9.83, -23.31, -17.72])
    """
    return _WithinRegionR2Scorer(region)


def make_coverage_scorer(*, confidence_level: float = 0.9) -> Callable[..., float]:
    """Make a scorer of :func:`interval_coverage` for estimators with intervals.

    Meant for reading in :func:`~sklearn.model_selection.cross_validate`: coverage
    should be close to ``confidence_level``, so that a search, which picks the highest
    score, should not select by it.

    Parameters
    ----------
    confidence_level : float, default=0.9
        Passed to ``estimator.predict_interval(X, confidence_level=...)``, which returns
        an ndarray of shape (n_samples, 2).

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, the share of rows inside their intervals.

    Examples
    --------
    >>> from skmmm.metrics import make_coverage_scorer
    >>> make_coverage_scorer(confidence_level=0.8)
    make_coverage_scorer(confidence_level=0.8)
    """
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level must be between 0 and 1, got {confidence_level}."
        )
    return _CoverageScorer(confidence_level)


def _check_splitter(cv):
    if cv is None or isinstance(cv, Integral):
        raise ValueError(
            f"cv={cv!r} stands for KFold, which trains on weeks later than those it "
            "tests. Pass a splitter that goes forward in time, such as "
            "TimeSeriesSplit, or an iterable of (train, test) positions."
        )
    return check_cv(cv)


def _r2(y_true, y_pred, region):
    if region is not None:
        return within_region_r2(y_true, y_pred, region)
    return r2_score(y_true, y_pred) if len(y_true) > 1 else np.nan


def rolling_skill(
    estimators: Mapping[str, BaseEstimator],
    X: Table,
    y: npt.ArrayLike,
    *,
    cv: BaseCrossValidator | Iterable,
    naive: BaseEstimator,
    region: Column | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Fit estimators and a naive forecast on the same splits and compare their errors.

    A scorer sees test rows only, so it cannot fit a naive forecast to the training
    rows. This function does, split by split.

    Parameters
    ----------
    estimators : dict of str to estimator
        Regressors by name. They are cloned.
    X : array-like of shape (n_samples, n_features)
        Features, with region and time where the estimators need them.
    y : array-like of shape (n_samples,)
        KPI.
    cv : cross-validation splitter or iterable
        Splits that go forward in time; iterables yield ``(train, test)`` positions.
    naive : estimator
        The forecast to beat, with ``fit`` and ``predict``. It is cloned.
    region : str or int, default=None
        Name or position of the region column in X. If given, ``r2`` is
        :func:`within_region_r2`, else the ordinary R2 of the test rows.
    n_jobs : int or None, default=None
        Fits at the same time, each in a process of its own unless
        :class:`joblib.parallel_config` says otherwise; None: one, -1: one per
        processor. Scores do not depend on it if estimators have seeds.

    Returns
    -------
    scores : DataFrame of shape (n_splits * n_estimators, 7)
        One row per split and estimator:

        - ``split`` : int, from 0.
        - ``estimator`` : str, the name.
        - ``n_train``, ``n_test`` : int, rows.
        - ``wmape`` : float, :func:`weighted_mape` on the test rows.
        - ``skill`` : float, :func:`naive_skill` on the test rows.
        - ``r2`` : float.

    See Also
    --------
    naive_skill : The skill of one prediction.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import TimeSeriesSplit
    >>> from skmmm.metrics import rolling_skill
    >>> X = np.arange(12.0).reshape(-1, 1)
    >>> y = 100.0 + 5.0 * X[:, 0]
    >>> scores = rolling_skill(
    ...     {"trend": LinearRegression()},
    ...     X,
    ...     y,
    ...     cv=TimeSeriesSplit(n_splits=2),
    ...     naive=DummyRegressor(),
    ... )
    >>> scores.round(2)
       split estimator  n_train  n_test  wmape  skill   r2
    0      0     trend        4       4    0.0    1.0  1.0
    1      1     trend        8       4    0.0    1.0  1.0
    """
    if not isinstance(estimators, dict) or not estimators:
        raise ValueError(
            f"estimators must be a non-empty dict of name to estimator, got "
            f"{estimators!r}."
        )
    X, y = indexable(X, y)
    splits = list(_check_splitter(cv).split(X, y))
    found = call_each(
        _forecast,
        [
            (clone(estimator), X, y, train, test)
            for train, test in splits
            for estimator in (naive, *estimators.values())
        ],
        n_jobs,
    )
    forecasts, rows = iter(found), []
    for split, (train, test) in enumerate(splits):
        X_test, y_test = safe_indexing(X, test), safe_indexing(y, test)
        regions = None if region is None else safe_indexing(X_test, region, axis=1)
        y_naive = next(forecasts)
        for name in estimators:
            y_pred = next(forecasts)
            rows.append(
                {
                    "split": split,
                    "estimator": name,
                    "n_train": len(safe_indexing(y, train)),
                    "n_test": len(y_test),
                    "wmape": weighted_mape(y_test, y_pred),
                    "skill": naive_skill(y_test, y_pred, y_naive),
                    "r2": _r2(y_test, y_pred, regions),
                }
            )
    return pd.DataFrame(rows)


def _forecast(estimator, X, y, train, test):
    """Fit to the training rows and predict the test rows."""
    estimator.fit(safe_indexing(X, train), safe_indexing(y, train))
    return estimator.predict(safe_indexing(X, test))
