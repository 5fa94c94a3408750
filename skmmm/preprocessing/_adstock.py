"""Steps of a linear MMM: region codes, scales, carry-over, saturation, season.

Every transformer takes a table and gives back the same kind of table (pandas, Polars
or ndarray) with the columns it does not work on as they were.
"""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit, softmax, xlogy
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmmm._calendar import check_continuation, infer_calendar
from skmmm._checks import (
    check_no_duplicates,
    numeric_block,
    region_values,
    resolve_column,
)
from skmmm._panel import continue_panel, make_panel, missing_periods
from skmmm._tables import (
    check_known_regions,
    find_columns,
    read_table,
    rebuild,
    region_codes,
    row_namer,
)

__all__ = [
    "DelayedAdstock",
    "FourierSeason",
    "GeometricAdstock",
    "HillSaturation",
    "PanelScaler",
    "RegionEncoder",
    "WeibullAdstock",
]

_COLUMN = [str, Integral, None]
_COLUMNS = ["array-like", str, Integral, callable, None]
# Harmonics of the week in daily data: three make any pattern of seven days.
_N_WEEKDAY = 3


class _TableTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Reads X as a frame and gives back a table of the same kind.

    Subclasses write `_learn(frame)` and `_apply(frame)`; the latter returns the new
    table as a dict of label to values, None for a column that stays as it is.
    """

    def fit(self, X, y=None):
        """Learn from the rows of X.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table, rows in any order.

        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a column is not there or not numeric, a value is missing or infinite, or
            two rows are about the same region and period; the message names the column
            and the row.
        """
        self._validate_params()
        self._learn(read_table(self, X, reset=True))
        return self

    def transform(self, X):
        """Transform the rows of X.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table with the columns seen in `fit`, rows in any order.

        Returns
        -------
        X_new : array-like or dataframe of shape (n_samples, n_features_out)
            pandas for pandas, Polars for Polars, otherwise ndarray, unless
            `set_output` says otherwise; rows in the order of `X`.

        Raises
        ------
        ValueError
            As in `fit`; also for a region that `fit` did not see or for missing
            periods, where the transformer is told to raise.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        return rebuild(X, frame, self._apply(frame))


def _replace(frame, labels, block):
    """Return the columns of the frame with `labels` replaced by those of `block`."""
    return {**dict.fromkeys(frame.columns), **dict(zip(labels, block.T, strict=True))}


def _per_column(value, labels, name):
    """Return a parameter of the user as one number per column.

    Parameters
    ----------
    value : float, array-like of shape (n_columns,), or dict of column to float
    labels : list of column labels
    name : str
        Of the parameter, for messages.

    Returns
    -------
    values : ndarray of shape (n_columns,)
    """
    if isinstance(value, dict):
        missing = [label for label in labels if label not in value]
        unknown = [key for key in value if key not in labels]
        if missing or unknown:
            which = "has no entry for" if missing else "has an entry for the unknown"
            raise ValueError(
                f"{name} {which} column {(missing or unknown)[0]!r}. Columns: {labels}."
            )
        value = [value[label] for label in labels]
    values = np.asarray(value, dtype=np.float64)
    if values.ndim == 0:
        return np.full(len(labels), values)
    if values.shape != (len(labels),):
        raise ValueError(
            f"{name} has shape {values.shape}; expected one number, or one for each of "
            f"the {len(labels)} columns {labels}."
        )
    return values


def _check_each(values, labels, name, *, above=-np.inf, below=np.inf, closed=False):
    """Raise if a value per column lies outside its interval, naming the column.

    `closed` says whether the lower bound itself is allowed.
    """
    inside = (values < below) & ((values >= above) if closed else (values > above))
    if not inside.all():
        j = int(np.argmin(inside))
        bracket = "[" if closed else "("
        raise ValueError(
            f"{name} of column {labels[j]!r} is {values[j]:g}, outside "
            f"{bracket}{above:g}, {below:g})."
        )


def _position(labels, key):
    """Return the position of a column given by name or position."""
    return labels.index(key) if isinstance(key, str) else key % len(labels)


class RegionEncoder(_TableTransformer):
    """Replace the region column by integer codes or by one column per region.

    All other columns, dates included, stay as they are, where they are.

    Parameters
    ----------
    region : str or int, default=None
        Name or position of the region column. With None there is nothing to encode
        and X passes through.

    encoding : {"ordinal", "onehot"}, default="ordinal"
        "ordinal" puts the position in `regions_` in place of the region, under the
        same name. "onehot" puts one column per region there, 1 where the row is of
        that region and 0 elsewhere, called ``<region column>_<region>``.

    unseen : {"error", "ignore"}, default="error"
        What to do in `transform` with a region that `fit` did not see: raise, or
        encode it as -1 (ordinal) or as zeros in all columns (onehot).

    Attributes
    ----------
    regions_ : ndarray of shape (n_regions,) or None
        Regions in sorted order; None if `region` is None.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    PanelScaler : Scale columns within each region.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import RegionEncoder
    >>> X = pd.DataFrame({"region": ["Bonn", "Aachen"], "tv": [3.0, 7.0]})
    >>> RegionEncoder(region="region").fit_transform(X)
       region   tv
    0       1  3.0
    1       0  7.0
    >>> RegionEncoder(region="region", encoding="onehot").fit_transform(X)
       region_Aachen  region_Bonn   tv
    0            0.0          1.0  3.0
    1            1.0          0.0  7.0
    """

    _parameter_constraints = {
        "region": _COLUMN,
        "encoding": [StrOptions({"ordinal", "onehot"})],
        "unseen": [StrOptions({"error", "ignore"})],
    }

    def __init__(self, *, region=None, encoding="ordinal", unseen="error"):
        self.region = region
        self.encoding = encoding
        self.unseen = unseen

    def _learn(self, frame):
        self.regions_ = None
        if self.region is None:
            return
        label = resolve_column(frame, self.region, "region")
        self.regions_ = np.unique(region_values(frame, label))
        if self.encoding == "onehot":
            taken = {str(c) for c in frame.columns if c != label}
            twice = taken.intersection(self._dummy_names(label))
            if twice:
                raise ValueError(
                    f"X already has a column {min(twice)!r}, the name of a one-hot "
                    "column of the region. Rename it."
                )

    def _dummy_names(self, label):
        return [f"{label}_{region}" for region in self.regions_]

    def _apply(self, frame):
        if self.region is None:
            return dict.fromkeys(frame.columns)
        label = resolve_column(frame, self.region, "region")
        values = region_values(frame, label)
        code = region_codes(values, self.regions_)
        if self.unseen == "error":
            check_known_regions(
                code,
                values,
                self.regions_,
                "Leave it out, or set unseen='ignore'.",
            )
        if self.encoding == "ordinal":
            return _replace(frame, [label], code[:, None])
        dummies = (code[:, None] == np.arange(len(self.regions_))).astype(np.float64)
        out = {}
        for column in frame.columns:
            if column == label:
                out.update(zip(self._dummy_names(label), dummies.T, strict=True))
            else:
                out[column] = None
        return out

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the columns of an X without names; ``x0`` and so on if None.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
        """
        names = super().get_feature_names_out(input_features)
        if self.region is None or self.encoding == "ordinal":
            return names
        j = _position(self._labels, self.region)
        dummies = self._dummy_names(names[j])
        return np.array([*names[:j], *dummies, *names[j + 1 :]], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Other columns are not looked at.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


class PanelScaler(_TableTransformer):
    """Divide columns by a typical value of their region.

    A region ten times as large spends ten times as much; in units of its own typical
    spend, regions share half-saturation and effect.

    Parameters
    ----------
    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to scale, or a function of X that returns
        them. None takes every numeric column of a frame (booleans are not), or every
        column of an array, apart from `region` and `time`.

    region : str or int, default=None
        Name or position of the region column. None: one scale for all rows.

    time : str or int, default=None
        Name or position of the time column, which is left alone. Only needed when
        `columns` is None and the periods are numbers.

    method : {"mean_nonzero", "max", "standard"}, default="mean_nonzero"
        What to divide by:

        - "mean_nonzero" : the mean of the absolute values that are not zero. One week
          of heavy spend hardly moves it, and neither do weeks off air.
        - "max" : the largest absolute value.
        - "standard" : the standard deviation, after subtracting the mean.

    unseen : {"error", "overall"}, default="error"
        What to do in `transform` with a region that `fit` did not see: raise, or use
        the scale of all rows of `fit` taken together.

    Attributes
    ----------
    scale_ : ndarray of shape (n_regions, n_columns)
        In the units of X, from the rows of `fit` only. Where a column is zero in a
        whole region ("standard": constant), the overall scale stands in; if that is
        zero too, 1.

    center_ : ndarray of shape (n_regions, n_columns)
        What is subtracted before; zeros unless `method` is "standard".

    overall_scale_, overall_center_ : ndarray of shape (n_columns,)
        The same over all rows.

    regions_ : ndarray of shape (n_regions,) or None
        Regions in sorted order, the rows of `scale_`; None if `region` is None.

    columns_ : list
        Labels of the scaled columns, the columns of `scale_`.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import PanelScaler
    >>> X = pd.DataFrame({"region": ["A", "A", "B", "B"], "tv": [0.0, 4.0, 30.0, 10.0]})
    >>> PanelScaler(region="region").fit_transform(X)
      region   tv
    0      A  0.0
    1      A  1.0
    2      B  1.5
    3      B  0.5
    """

    _parameter_constraints = {
        "columns": _COLUMNS,
        "region": _COLUMN,
        "time": _COLUMN,
        "method": [StrOptions({"mean_nonzero", "max", "standard"})],
        "unseen": [StrOptions({"error", "overall"})],
    }

    def __init__(
        self,
        *,
        columns=None,
        region=None,
        time=None,
        method="mean_nonzero",
        unseen="error",
    ):
        self.columns = columns
        self.region = region
        self.time = time
        self.method = method
        self.unseen = unseen

    def _learn(self, frame):
        labels, region, time = find_columns(
            frame, self.columns, region=self.region, time=self.time
        )
        block = numeric_block(frame, labels, row_namer(frame, region, time))
        everywhere = np.zeros(len(frame), dtype=np.int64)
        center, scale = _center_and_scale(block, everywhere, self.method)
        self.overall_center_ = center[0]
        self.overall_scale_ = np.where(scale[0] > 0, scale[0], 1.0)
        self.columns_ = labels
        self.regions_ = None
        code = everywhere
        if region is not None:
            self.regions_, code = np.unique(
                region_values(frame, region), return_inverse=True
            )
            center, scale = _center_and_scale(block, code, self.method)
        self.center_ = center
        self.scale_ = np.where(scale > 0, scale, self.overall_scale_)

    def _rows(self, frame):
        """Return columns_, centre and scale of every row, shape (n_samples, n_columns).

        `n_columns` counts the scaled columns.
        """
        region = (
            None
            if self.region is None
            else resolve_column(frame, self.region, "region")
        )
        time = None if self.time is None else resolve_column(frame, self.time, "time")
        block = numeric_block(frame, self.columns_, row_namer(frame, region, time))
        if region is None:
            return block, self.center_[0], self.scale_[0]
        values = region_values(frame, region)
        code = region_codes(values, self.regions_)
        if self.unseen == "error":
            check_known_regions(
                code, values, self.regions_, "Leave it out, or set unseen='overall'."
            )
        # Code -1, an unseen region, picks the last row.
        center = np.vstack([self.center_, self.overall_center_])
        scale = np.vstack([self.scale_, self.overall_scale_])
        return block, center[code], scale[code]

    def _apply(self, frame):
        block, center, scale = self._rows(frame)
        return _replace(frame, self.columns_, (block - center) / scale)

    def inverse_transform(self, X):
        """Bring scaled columns back to the units of `fit`.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            As `transform` gives it, rows in any order.

        Returns
        -------
        X_original : array-like or dataframe of shape (n_samples, n_features)
            A table of the kind of `X`.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        block, center, scale = self._rows(frame)
        return rebuild(X, frame, _replace(frame, self.columns_, block * scale + center))


def _center_and_scale(block, code, method):
    """Return what to subtract and what to divide by, for each region.

    Parameters
    ----------
    block : ndarray of shape (n_samples, n_columns)
    code : ndarray of shape (n_samples,)
        Region of every row; each of 0, 1, ... occurs.
    method : {"mean_nonzero", "max", "standard"}

    Returns
    -------
    center, scale : ndarray of shape (n_regions, n_columns)
        The scale is 0 where the column does not vary.
    """
    order = np.argsort(code, kind="stable")
    start = np.flatnonzero(np.diff(code[order], prepend=-1))

    def by_region(combine, values):
        return combine.reduceat(values[order], start, axis=0)

    if method == "standard":
        count = np.bincount(code)[:, None]
        center = by_region(np.add, block) / count
        scale = np.sqrt(by_region(np.add, (block - center[code]) ** 2) / count)
        # What rounding leaves of a constant column is not a scale.
        rounding = 10 * np.finfo(np.float64).eps * np.abs(center)
        return center, np.where(scale > rounding, scale, 0.0)
    size = np.abs(block)
    if method == "max":
        scale = by_region(np.maximum, size)
    else:
        count = by_region(np.add, (size > 0).astype(np.float64))
        scale = by_region(np.add, size) / np.maximum(count, 1.0)
    return np.zeros_like(scale), scale


class _Adstock(_TableTransformer):
    """Replace spend by a weighted mean of present and past spend.

    Subclasses write `_kernel(labels)`, of shape (n_columns, max_lag + 1).
    """

    _parameter_constraints = {
        "max_lag": [Interval(Integral, 0, None, closed="left")],
        "columns": _COLUMNS,
        "region": _COLUMN,
        "time": _COLUMN,
        "gap": [StrOptions({"error", "mask"})],
    }

    def _learn(self, frame):
        labels, region, time = find_columns(
            frame, self.columns, region=self.region, time=self.time
        )
        media = numeric_block(frame, labels, row_namer(frame, region, time))
        self.columns_ = labels
        self.kernel_ = self._kernel(labels)
        self.regions_ = None
        self.period_ = None
        values = None
        if region is not None:
            values = region_values(frame, region)
            self.regions_ = np.unique(values)
        if time is not None:
            self._calendar = infer_calendar(frame[time], time, values)
            self.period_ = self._calendar.unit
            self._history = self._panel(frame, media, region, time)

    def _panel(self, frame, media, region, time):
        """Arrange rows by region and period; new regions come after `regions_`."""
        code, n_regions = self._codes(frame, region)
        period = self._calendar.ordinals(frame[time], time)
        check_no_duplicates(code, period, row_namer(frame, region, time))
        return make_panel(
            code, period, media, np.empty((len(media), 0)), n_regions=n_regions
        )

    def _codes(self, frame, region):
        if region is None:
            return np.zeros(len(frame), dtype=np.int64), 1
        values = region_values(frame, region)
        code = region_codes(values, self.regions_)
        new, new_code = np.unique(values[code < 0], return_inverse=True)
        code[code < 0] = len(self.regions_) + new_code
        return code, len(self.regions_) + len(new)

    def _apply(self, frame):
        _, region, time = find_columns(frame, [], region=self.region, time=self.time)
        media = numeric_block(frame, self.columns_, row_namer(frame, region, time))
        if time is not None and self.columns_:
            media = self._carry_over(self._panel(frame, media, region, time))
        return _replace(frame, self.columns_, media)

    def _carry_over(self, panel):
        """Return adstock of the rows of `panel`, shape (n_samples, n_columns)."""
        missing = missing_periods(self._history, panel)
        if len(missing) and self.gap == "error":
            raise ValueError(
                f"X has no row for {self._calendar.label(missing[0])}, which lies "
                f"between the training data (until "
                f"{self._calendar.label(self._history.periods[-1])}) and the last row "
                "of X, so that carry-over from it is unknown. Add the missing periods "
                "to X, or set gap='mask' to average over the known ones."
            )
        joint = continue_panel(self._history, panel)
        if self.gap == "error":
            check_continuation(joint, self._calendar, self.time, self.regions_)
        media, known = joint.history(self.max_lag)
        return joint.rows(_carry_known(media, known, self.kernel_).swapaxes(0, 1)).T


def _carry_known(media, known, kernel):
    """Convolve media with one kernel per column, averaging over the known lags.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_columns, max_lag + n_periods)
        Zero where unknown.
    known : ndarray of shape (n_regions, max_lag + n_periods), bool
    kernel : ndarray of shape (n_columns, max_lag + 1)
        First entry: lag 0.

    Returns
    -------
    adstock : ndarray of shape (n_regions, n_columns, n_periods)
    """
    adstock = _convolve(media, kernel)
    gaps = ~known.all(axis=1)
    if gaps.any():
        share = _convolve(known[gaps, None].astype(np.float64), kernel)
        adstock[gaps] /= np.maximum(share, 1e-9)
    return adstock


def _convolve(media, kernel):
    max_lag = kernel.shape[1] - 1
    n_periods = media.shape[2] - max_lag
    adstock = np.zeros((len(media), len(kernel), n_periods))
    for lag in range(max_lag + 1):
        start = max_lag - lag
        adstock += kernel[:, lag, None] * media[..., start : start + n_periods]
    return adstock


class GeometricAdstock(_Adstock):
    """Carry spend over to later periods with weights that fall geometrically.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad w_l = d^l / \\sum_k d^k

    with decay :math:`d` and :math:`L` the `max_lag` [1]_. The weights sum to one, so
    that steady spend keeps its level and its units.

    Parameters
    ----------
    decay : float, array-like of shape (n_columns,) or dict, default=0.5
        Share of the effect that remains after one period, in [0, 1): one number, or
        one per column, or a dict of column to number.

    max_lag : int, default=13
        Last period in which spend acts, counted from the period of spending.

    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to carry over, or a function of X that
        returns them. None takes every numeric column of a frame (booleans are not), or
        every column of an array, apart from `region` and `time`. Negative values are
        allowed.

    region : str or int, default=None
        Name or position of the region column. None: one series.

    time : str or int, default=None
        Name or position of the time column: weeks, days or months, as dates, Periods,
        ISO strings or integers. None: rows have no order, so nothing carries over and
        values stay as they are.

    gap : {"error", "mask"}, default="error"
        What to do in `transform` with whole periods missing between the training data
        and X: raise, or treat their spend as unknown.

    Attributes
    ----------
    decay_ : ndarray of shape (n_columns,)
        Decay of each column.

    kernel_ : ndarray of shape (n_columns, max_lag + 1)
        Weights, first entry lag 0; rows sum to one.

    columns_ : list
        Labels of the columns.

    regions_ : ndarray of shape (n_regions,) or None
        Regions seen in `fit`, sorted; None if `region` is None.

    period_ : {"week", "day", "month", "integer"} or None
        Length of a period; None if `time` is None.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    DelayedAdstock : Weights with a later peak.
    WeibullAdstock : Weights of either form.
    HillSaturation : The step that usually follows.

    Notes
    -----
    The past of a row is read from X itself and, where X has no row, from the rows of
    `fit`: transforming the weeks after training continues from the spend before them,
    and X may hold other values for training weeks, which then count instead. Before
    the first row of a region, which includes all of the past of a region that `fit`
    did not see, nothing was spent. Where a region has no row between two of its rows,
    its spend is unknown, and the weighted mean is taken over the known lags.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 1-2.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import GeometricAdstock
    >>> week = pd.date_range("2024-01-01", periods=4, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [7.0, 0.0, 0.0, 0.0]})
    >>> adstock = GeometricAdstock(decay=0.5, max_lag=2, time="week").fit(X[:2])
    >>> adstock.transform(X[:2])
            week   tv
    0 2024-01-01  4.0
    1 2024-01-08  2.0
    >>> adstock.transform(X[2:])
            week   tv
    2 2024-01-15  1.0
    3 2024-01-22  0.0
    """

    _parameter_constraints = {
        "decay": [Interval(Real, 0, 1, closed="left"), "array-like", dict],
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        decay=0.5,
        max_lag=13,
        columns=None,
        region=None,
        time=None,
        gap="error",
    ):
        self.decay = decay
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.decay_ = _per_column(self.decay, labels, "decay")
        _check_each(self.decay_, labels, "decay", above=0.0, below=1.0, closed=True)
        # xlogy: 0 * log(0) is 0, the weight of lag 0 when nothing remains.
        return softmax(xlogy(np.arange(self.max_lag + 1), self.decay_[:, None]), axis=1)


class DelayedAdstock(_Adstock):
    """Carry spend over with weights that peak some periods after the spending.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad
        w_l = d^{(l - \\theta)^2} / \\sum_k d^{(k - \\theta)^2}

    with decay :math:`d`, delay :math:`\\theta` and :math:`L` the `max_lag` [1]_. The
    weights sum to one, so that steady spend keeps its level and its units.

    Parameters
    ----------
    decay : float, array-like of shape (n_columns,) or dict, default=0.5
        In (0, 1); the closer to 1, the wider the peak. One number, or one per column,
        or a dict of column to number.

    delay : float, array-like of shape (n_columns,) or dict, default=1.0
        Periods from spending to the peak, non-negative, given like `decay`.

    max_lag : int, default=13
        Last period in which spend acts, counted from the period of spending.

    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to carry over, or a function of X that
        returns them. None takes every numeric column of a frame (booleans are not), or
        every column of an array, apart from `region` and `time`. Negative values are
        allowed.

    region : str or int, default=None
        Name or position of the region column. None: one series.

    time : str or int, default=None
        Name or position of the time column: weeks, days or months, as dates, Periods,
        ISO strings or integers. None: rows have no order, so nothing carries over and
        values stay as they are.

    gap : {"error", "mask"}, default="error"
        What to do in `transform` with whole periods missing between the training data
        and X: raise, or treat their spend as unknown.

    Attributes
    ----------
    decay_, delay_ : ndarray of shape (n_columns,)
        Parameters of each column.

    kernel_ : ndarray of shape (n_columns, max_lag + 1)
        Weights, first entry lag 0; rows sum to one.

    columns_ : list
        Labels of the columns.

    regions_ : ndarray of shape (n_regions,) or None
        Regions seen in `fit`, sorted; None if `region` is None.

    period_ : {"week", "day", "month", "integer"} or None
        Length of a period; None if `time` is None.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    GeometricAdstock : Weights that fall from the start; its notes say what is taken as
        the past of a row.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import DelayedAdstock
    >>> week = pd.date_range("2024-01-01", periods=3, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [8.0, 0.0, 0.0]})
    >>> DelayedAdstock(delay=1.0, max_lag=2, time="week").fit_transform(X)
            week   tv
    0 2024-01-01  2.0
    1 2024-01-08  4.0
    2 2024-01-15  2.0
    """

    _parameter_constraints = {
        "decay": [Interval(Real, 0, 1, closed="neither"), "array-like", dict],
        "delay": [Interval(Real, 0, None, closed="left"), "array-like", dict],
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        decay=0.5,
        delay=1.0,
        max_lag=13,
        columns=None,
        region=None,
        time=None,
        gap="error",
    ):
        self.decay = decay
        self.delay = delay
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.decay_ = _per_column(self.decay, labels, "decay")
        self.delay_ = _per_column(self.delay, labels, "delay")
        _check_each(self.decay_, labels, "decay", above=0.0, below=1.0)
        _check_each(self.delay_, labels, "delay", above=0.0, closed=True)
        distance = (np.arange(self.max_lag + 1) - self.delay_[:, None]) ** 2
        return softmax(distance * np.log(self.decay_)[:, None], axis=1)


class WeibullAdstock(_Adstock):
    """Carry spend over with weights proportional to a Weibull density.

    .. math::

        a_{rt} = \\sum_{l=0}^{L} w_l x_{r,t-l}, \\qquad
        w_l \\propto u_l^{k - 1} e^{-u_l^k}, \\qquad u_l = (l + 1/2) / \\lambda

    with shape :math:`k`, scale :math:`\\lambda` and :math:`L` the `max_lag` [1]_. The
    density is taken at the middle of each period. The weights sum to one, so that
    steady spend keeps its level and its units.

    Parameters
    ----------
    shape : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive. Up to 1 the weights fall from the start, above 1 they peak later. One
        number, or one per column, or a dict of column to number.

    scale : float, array-like of shape (n_columns,) or dict, default=2.0
        Positive, in periods, given like `shape`: the larger, the longer spend acts.

    max_lag : int, default=13
        Last period in which spend acts, counted from the period of spending.

    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to carry over, or a function of X that
        returns them. None takes every numeric column of a frame (booleans are not), or
        every column of an array, apart from `region` and `time`. Negative values are
        allowed.

    region : str or int, default=None
        Name or position of the region column. None: one series.

    time : str or int, default=None
        Name or position of the time column: weeks, days or months, as dates, Periods,
        ISO strings or integers. None: rows have no order, so nothing carries over and
        values stay as they are.

    gap : {"error", "mask"}, default="error"
        What to do in `transform` with whole periods missing between the training data
        and X: raise, or treat their spend as unknown.

    Attributes
    ----------
    shape_, scale_ : ndarray of shape (n_columns,)
        Parameters of each column.

    kernel_ : ndarray of shape (n_columns, max_lag + 1)
        Weights, first entry lag 0; rows sum to one.

    columns_ : list
        Labels of the columns.

    regions_ : ndarray of shape (n_regions,) or None
        Regions seen in `fit`, sorted; None if `region` is None.

    period_ : {"week", "day", "month", "integer"} or None
        Length of a period; None if `time` is None.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    GeometricAdstock : Weights that fall geometrically; its notes say what is taken as
        the past of a row.

    References
    ----------
    .. [1] Robyn, "Adstock: Weibull PDF". Meta Marketing Science (2021).

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import WeibullAdstock
    >>> week = pd.date_range("2024-01-01", periods=3, freq="W-MON")
    >>> X = pd.DataFrame({"week": week, "tv": [8.0, 0.0, 0.0]})
    >>> adstock = WeibullAdstock(shape=2.0, max_lag=2, time="week")
    >>> adstock.fit_transform(X)["tv"].round(1).tolist()
    [2.0, 3.7, 2.3]
    """

    _parameter_constraints = {
        "shape": [Interval(Real, 0, None, closed="neither"), "array-like", dict],
        "scale": [Interval(Real, 0, None, closed="neither"), "array-like", dict],
        **_Adstock._parameter_constraints,
    }

    def __init__(
        self,
        *,
        shape=1.0,
        scale=2.0,
        max_lag=13,
        columns=None,
        region=None,
        time=None,
        gap="error",
    ):
        self.shape = shape
        self.scale = scale
        self.max_lag = max_lag
        self.columns = columns
        self.region = region
        self.time = time
        self.gap = gap

    def _kernel(self, labels):
        self.shape_ = _per_column(self.shape, labels, "shape")
        self.scale_ = _per_column(self.scale, labels, "scale")
        _check_each(self.shape_, labels, "shape", above=0.0)
        _check_each(self.scale_, labels, "scale", above=0.0)
        reach = (np.arange(self.max_lag + 1) + 0.5) / self.scale_[:, None]
        shape = self.shape_[:, None]
        return softmax((shape - 1.0) * np.log(reach) - reach**shape, axis=1)


class HillSaturation(_TableTransformer):
    """Let the response to spend level off.

    .. math::

        \\frac{x^s}{x^s + k^s}

    with slope :math:`s` and half-saturation :math:`k`, the spend at which half of the
    full response is reached [1]_. Each row is transformed on its own.

    Parameters
    ----------
    half_saturation : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive, in the units of X: one number, or one per column, or a dict of column
        to number. After :class:`PanelScaler` 1.0 is the region's typical spend.

    slope : float, array-like of shape (n_columns,) or dict, default=1.0
        Positive, given like `half_saturation`. Up to 1 the response is concave, above
        1 it is S-shaped.

    columns : list of str or int, callable, or None, default=None
        Names or positions of the columns to saturate, or a function of X that returns
        them. None takes every numeric column of a frame (booleans are not), or every
        column of an array; name them if X has numbers that are no spend, such as an
        integer week.

    Attributes
    ----------
    half_saturation_, slope_ : ndarray of shape (n_columns,)
        Parameters of each column.

    columns_ : list
        Labels of the columns.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    PanelScaler : Put spend in units of the region's typical spend first.
    GeometricAdstock : Carry spend over first.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc., eq. 4.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import HillSaturation
    >>> X = pd.DataFrame({"tv": [0.0, 1.0, 3.0], "radio": [0.0, 2.0, 6.0]})
    >>> HillSaturation(half_saturation={"tv": 1.0, "radio": 2.0}).fit_transform(X)
         tv  radio
    0  0.00   0.00
    1  0.50   0.50
    2  0.75   0.75
    """

    _parameter_constraints = {
        "half_saturation": [
            Interval(Real, 0, None, closed="neither"),
            "array-like",
            dict,
        ],
        "slope": [Interval(Real, 0, None, closed="neither"), "array-like", dict],
        "columns": _COLUMNS,
    }

    def __init__(self, *, half_saturation=1.0, slope=1.0, columns=None):
        self.half_saturation = half_saturation
        self.slope = slope
        self.columns = columns

    def _learn(self, frame):
        labels = find_columns(frame, self.columns)[0]
        self.half_saturation_ = _per_column(
            self.half_saturation, labels, "half_saturation"
        )
        self.slope_ = _per_column(self.slope, labels, "slope")
        _check_each(self.half_saturation_, labels, "half_saturation", above=0.0)
        _check_each(self.slope_, labels, "slope", above=0.0)
        self.columns_ = labels
        self._spend(frame)

    def _spend(self, frame):
        """Return the columns as numbers, or raise if one is negative."""
        where = row_namer(frame)
        spend = numeric_block(frame, self.columns_, where)
        negative = np.argwhere(spend < 0)
        if len(negative):
            i, j = negative[0]
            raise ValueError(
                f"Negative values in data passed to HillSaturation: column "
                f"{self.columns_[j]!r} is {spend[i, j]:g} at {where(i)}. Spend or "
                "delivery cannot be negative; correct it, or leave the column out of "
                "columns."
            )
        return spend

    def _apply(self, frame):
        # x^s / (x^s + k^s) = expit(s (log x - log k)), which neither overflows for
        # large powers nor divides by zero; log 0 is -inf, the response there 0.
        with np.errstate(divide="ignore"):
            log_spend = np.log(self._spend(frame))
        response = expit(self.slope_ * (log_spend - np.log(self.half_saturation_)))
        return _replace(frame, self.columns_, response)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


class FourierSeason(_TableTransformer):
    """Add sines and cosines of the time of the year as columns.

    The columns ``sin1``, ``cos1``, ``sin2``, ... come last; all other columns stay as
    they are. For daily data the columns ``weekday_sin1`` to ``weekday_cos3``, which
    make any pattern over the days of the week, follow [1]_. The phase depends on the
    date only, so the columns of later rows continue those of the training rows.

    Parameters
    ----------
    region : str or int, default=None
        Name or position of the region column, within which the length of a period is
        read. None: one series, or regions with the same periods.

    time : str or int, default=None
        Name or position of the time column: weeks, days or months, as dates, Periods,
        ISO strings or integers. None: rows have no order and no column is added.

    order : int, default=2
        Number of harmonics, each a sine and a cosine; below half of the periods in a
        season. 0 adds none for the year.

    period : float, default=None
        Length of the season, in periods of the data. None: one year, where integers
        count weeks, and for daily data the week as well.

    Attributes
    ----------
    period_ : {"week", "day", "month", "integer"} or None
        Length of a period of the data; None if `time` is None.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    References
    ----------
    .. [1] Hyndman, R. J. and Athanasopoulos, G. (2021). Forecasting: principles and
       practice, 3rd edition, section 7.4. OTexts.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import FourierSeason
    >>> month = pd.date_range("2024-01-01", periods=4, freq="MS")
    >>> X = pd.DataFrame({"month": month, "price": 9.9})
    >>> X = FourierSeason(time="month", order=1).fit_transform(X)
    >>> X.columns.tolist()
    ['month', 'price', 'sin1', 'cos1']
    >>> X[["sin1", "cos1"]].round(2)
       sin1  cos1
    0  0.00  1.00
    1  0.50  0.87
    2  0.87  0.50
    3  1.00  0.00
    """

    _parameter_constraints = {
        "region": _COLUMN,
        "time": _COLUMN,
        "order": [Interval(Integral, 0, None, closed="left")],
        "period": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(self, *, region=None, time=None, order=2, period=None):
        self.region = region
        self.time = time
        self.order = order
        self.period = period

    def _learn(self, frame):
        self.period_ = None
        self._waves = []
        if self.time is None:
            return
        _, region, label = find_columns(frame, [], region=self.region, time=self.time)
        values = None if region is None else region_values(frame, region)
        self._calendar = infer_calendar(frame[label], label, values)
        self.period_ = self._calendar.unit
        length = self._calendar.year if self.period is None else self.period
        if self.order >= length / 2:
            raise ValueError(
                f"order={self.order} is too high for a season of {length:g} periods: "
                "it must be below half of that."
            )
        self._waves = [("", k, length) for k in range(1, self.order + 1)]
        if self.period is None and self.period_ == "day":
            self._waves += [("weekday_", k, 7.0) for k in range(1, _N_WEEKDAY + 1)]
        twice = {str(column) for column in frame.columns}.intersection(self._names())
        if twice:
            raise ValueError(
                f"X already has a column {min(twice)!r}, the name of a season column. "
                "Rename it."
            )

    def _names(self):
        return [f"{kind}{f}{k}" for kind, k, _ in self._waves for f in ("sin", "cos")]

    def _apply(self, frame):
        columns = dict.fromkeys(frame.columns)
        if not self._waves:
            return columns
        label = resolve_column(frame, self.time, "time")
        # Counted from a fixed date (1970), not from the first training row.
        start = self._calendar.origin / self._calendar.step
        periods = start + self._calendar.ordinals(frame[label], label)
        for kind, k, length in self._waves:
            # Whole turns are taken off first: they would cost digits of the sine.
            angle = 2.0 * np.pi * (k * periods / length % 1.0)
            columns[f"{kind}sin{k}"] = np.sin(angle)
            columns[f"{kind}cos{k}"] = np.cos(angle)
        return columns

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the columns of an X without names; ``x0`` and so on if None.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
        """
        names = super().get_feature_names_out(input_features)
        return np.array([*names, *self._names()], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Other columns are not looked at.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags
