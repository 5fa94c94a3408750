"""Analysis of a geo test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import region_values, resolve_column
from skmmm._data.tables import (
    check_known_regions,
    read_table,
    region_codes,
    row_namer,
)
from skmmm._utils.labels import counted
from skmmm._utils.sklearn import Interval, StrOptions
from skmmm._utils.typing import Array, Column, Seed, Table
from skmmm.experiments._panel import (
    check_share,
    find_cells,
    find_period,
    find_regions,
    read_kpi,
)
from skmmm.experiments._synthetic_control import analyse, draw_sets, settings_for

EXPERIMENT_COLUMNS = [
    "media",
    "start",
    "end",
    "regions",
    "change",
    "spend_change",
    "estimate",
    "std_error",
    "measure",
    "cooldown",
    "bias_sd",
    "observed",
]


class GeoLiftRegressor(RegressorMixin, BaseEstimator):
    """Effect of a test in some regions, from what the others say would have been.

    The KPI of the treated regions without the test is a synthetic control [1]_: a
    weighted sum of regions without it, and a level. What is observed above it in the
    window is the effect. How far off such an effect is where there is none, in earlier
    windows and in other regions, gives its standard error.

    Parameters
    ----------
    treated : list of region labels, str, or dict of cell to these
        Regions with the test, a str for a single one; a dict for several treatments at
        the same time.
    start, end : datetime, Period, str or int
        First and last period of the test, as the time column has them; `end` may be any
        day of the last one.
    region, time : str or int
        Name or position of the column.
    cooldown : int, default=0
        Periods after `end` that the effect includes: carry-over.
    method : {"synthetic_control", "difference"}, default="synthetic_control"
        - "synthetic_control": weights by ridge regression with a sum of one, pulled
          towards those of "difference" as far as placebo windows advise [2]_;
        - "difference": each control counts as its share in the KPI, so that region and
          period effects are taken off. For few periods before the test.
    exclude : list of region labels or str, default=()
        Regions that are no controls, such as those next to the treated ones.
    n_placebos : int, default=500
        Sets of controls, each of the number of treated regions, that are taken for
        treated; fewer if there are not as many.
    confidence_level : float, default=0.9
        Of the intervals in `effect_`.
    random_state : int, RandomState instance or None, default=None
        Draws the sets. Pass an int for the same result at every call.

    Attributes
    ----------
    effect_ : DataFrame indexed by cell
        In KPI units, in total over the treated regions, the window and `cooldown`:
        ``estimate``, ``std_error``, ``low`` and ``high`` (interval), ``expected`` (KPI
        without the test). ``per_period`` is the estimate by period,
        ``per_region_period`` by region and period (the ATT), ``lift`` as a share of
        ``expected`` (.12 is 12 %); ``p_value`` of no effect, two-sided; ``df``, the
        degrees of freedom of `std_error`.
    placebo_ : DataFrame
        Effects found where there is none, one row per placebo: ``cell``, ``kind``
        ("treated": the treated regions in a window before the test; "control": a set
        of controls), ``regions``, ``start``, ``estimate`` in KPI units and
        ``z``, the estimate in standard errors of the kind of placebo.
    weights_ : DataFrame of shape (n_controls, n_cells)
        What a unit of KPI of each control says of the KPI of the cell.
    fit_ : DataFrame indexed by cell
        Before the test: ``r2`` and ``wmape`` of the synthetic control, and
        ``placebo_error``, the root mean square of the cell's placebo effects as a share
        of its KPI. ``n_controls``, ``n_periods`` before the test, ``n_windows`` of
        placebos before it; ``penalty`` and ``memory`` that were chosen, see Notes.
    cells_ : dict of cell to list of region labels
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names.

    See Also
    --------
    design_experiment : Choose regions for a test.

    Notes
    -----
    **Counterfactual.** With the KPI :math:`y_t` of a cell, that of the controls
    :math:`c_{jt}`, and the last period before the test :math:`T`,

    .. math::

        \\hat y_t = a + \\sum_j w_j c_{jt}, \\qquad
        a = \\frac1m \\sum_{t=T-m+1}^{T} \\Big(y_t - \\sum_j w_j c_{jt}\\Big)

    The memory :math:`m` is between first differences (1) and difference in differences
    (all periods): regions that wander apart want a short one. It and the ridge penalty
    are those with the least error in sets of controls, in windows that neither has
    seen.

    **Standard error.** Every placebo is out of sample: weights and level come from
    periods before its window. Windows of the length of the test lie side by side in
    the last two thirds of the periods before it; sets of controls are also tried in the
    window of the test. The mean square of the treated regions' own placebos, of few
    windows, is moderated by that of the sets, with degrees of freedom by how alike
    these are [4]_; intervals and p-values are those of a t distribution. Conformal
    p-values [3]_ of residuals of the fit itself are smaller, as its weights were chosen
    to make those small.

    **Totals.** Other software reports effects per region and period; one region and
    period of `estimate` is ``per_region_period``. `to_experiments` gives totals.

    References
    ----------
    .. [1] Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods
       for comparative case studies. Journal of the American Statistical Association
       105, 493-505.
    .. [2] Ben-Michael, E., Feller, A. and Rothstein, J. (2021). The augmented synthetic
       control method. Journal of the American Statistical Association 116, 1789-1803.
    .. [3] Chernozhukov, V., Wüthrich, K. and Zhu, Y. (2021). An exact and robust
       conformal inference method for counterfactual and synthetic controls. Journal of
       the American Statistical Association 116, 1849-1864.
    .. [4] Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing
       differential expression in microarray experiments. Statistical Applications in
       Genetics and Molecular Biology 3, article 3.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.experiments import GeoLiftRegressor
    >>> panel = make_mmm_panel(12, 104, random_state=0)
    >>> tested = panel.X["region"].isin(["region_03", "region_07"])
    >>> tested &= panel.X["week"].between("2022-11-07", "2022-12-05")
    >>> y = panel.y.where(~tested, 1.2 * panel.y)
    >>> model = GeoLiftRegressor(
    ...     ["region_03", "region_07"], start="2022-11-07", end="2022-12-05",
    ...     region="region", time="week", random_state=0,
    ... ).fit(panel.X, y)
    >>> effect = model.effect_.loc["treated"]
    >>> bool(effect["low"] < 0.2 * panel.y[tested].sum() < effect["high"])
    True
    """

    _parameter_constraints = {
        "treated": ["array-like", str, Mapping],
        "region": [str, Integral],
        "time": [str, Integral],
        "cooldown": [Interval(Integral, 0, None, closed="left")],
        "method": [StrOptions({"synthetic_control", "difference"})],
        "exclude": ["array-like", str],
        "n_placebos": [Interval(Integral, 10, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        treated: Sequence[Any] | str | Mapping[Any, Sequence[Any] | str],
        *,
        start: Any,
        end: Any,
        region: Column,
        time: Column,
        cooldown: int = 0,
        method: Literal["synthetic_control", "difference"] = "synthetic_control",
        exclude: Sequence[Any] | str = (),
        n_placebos: int = 500,
        confidence_level: float = 0.9,
        random_state: Seed = None,
    ):
        self.treated = treated
        self.start = start
        self.end = end
        self.region = region
        self.time = time
        self.cooldown = cooldown
        self.method = method
        self.exclude = exclude
        self.n_placebos = n_placebos
        self.confidence_level = confidence_level
        self.random_state = random_state

    def fit(self, X: Table, y: npt.ArrayLike) -> Self:
        """Estimate the effect.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table with one row per region and period, in any order; columns other
            than region and time are ignored.
        y : array-like of shape (n_samples,)
            KPI, with the test.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a column, region or period is not there, a region has no row for a
            period, no control is left, or too few periods come before the test.
        """
        self._validate_params()
        frame = read_table(self, X, y, reset=True)
        kpi, self._calendar = read_kpi(frame, y, self.region, self.time, self.exclude)
        self.cells_ = find_cells(self.treated, kpi.columns)
        treated = [label for regions in self.cells_.values() for label in regions]
        excluded = find_regions(self.exclude, kpi.columns, "exclude")
        both = [label for label in treated if label in excluded]
        if both:
            raise ValueError(f"The region {both[0]!r} is both in treated and exclude.")
        self._kpi, self._window = kpi, self._find_window(len(kpi))
        controls = kpi.drop(columns=[*treated, *excluded])
        self._check_controls(controls)
        rng = check_random_state(self.random_state)
        analyses = {
            cell: self._analyse(kpi[regions], controls, rng)
            for cell, regions in self.cells_.items()
        }
        self._read_results(analyses, controls)
        return self

    def _find_window(self, n_periods):
        """Return first period of the test, and the first after its effect."""
        start, end = (
            find_period(getattr(self, role), role, self._calendar, n_periods, self.time)
            for role in ("start", "end")
        )
        if end < start:
            raise ValueError(f"end={self.end!r} is before start={self.start!r}.")
        if end + self.cooldown >= n_periods:
            raise ValueError(
                f"cooldown={self.cooldown} reaches beyond the data, which end "
                f"{counted(n_periods - 1 - end, 'period')} after end={self.end!r}."
            )
        return start, end + self.cooldown + 1

    def _check_controls(self, controls):
        start, stop = self._window
        length = stop - start
        if controls.shape[1] < 2:
            raise ValueError(
                "Neither in treated nor in exclude: "
                f"{counted(controls.shape[1], 'region')} of column {self.region!r}. At "
                "least two are needed as controls."
            )
        needed = max(2 * length, length + 4)
        if start < needed:
            raise ValueError(
                f"{start} periods come before start={self.start!r}, but a window of "
                f"{length} periods (cooldown included) needs {needed}: placebos of its "
                "length are taken from them."
            )

    def _analyse(self, treated, controls, rng):
        """Return the `Analysis` of the total KPI of some regions."""
        start, stop = self._window
        size = min(treated.shape[1], controls.shape[1] // 2)
        return analyse(
            controls.to_numpy()[:stop],
            treated.to_numpy()[:stop].sum(axis=1),
            draw_sets(rng, controls.shape[1], size, self.n_placebos),
            start,
            settings_for(self.method, start, self._calendar.week),
        )

    def _read_results(self, analyses, controls):
        """Write the fitted tables."""
        named = analyses.items()
        self.weights_ = pd.DataFrame({cell: a.weights for cell, a in named})
        self.weights_.index = pd.Index(controls.columns, name=self.region)
        self.effect_ = pd.DataFrame({c: self._effect_row(c, a) for c, a in named}).T
        self.fit_ = pd.DataFrame({cell: fit_row(a) for cell, a in named}).T
        for table in (self.effect_, self.fit_):
            table.index.name = "cell"
        whole = ["n_controls", "n_periods", "n_windows", "memory"]
        self.fit_ = self.fit_.astype(dict.fromkeys(whole, int))
        self.placebo_ = pd.concat(
            [self._placebo_rows(cell, a, controls.columns) for cell, a in named],
            ignore_index=True,
        )
        self._expected = self._without_test(analyses, controls.to_numpy())

    def _effect_row(self, cell, analysis):
        length = len(analysis.target) - analysis.start
        found, estimate = analysis.placebos, analysis.estimate
        std_error, df = found.std_error, found.df
        reach = std_error * stats.t.ppf((1 + self.confidence_level) / 2, df)
        return {
            "estimate": estimate,
            "std_error": std_error,
            "low": estimate - reach,
            "high": estimate + reach,
            "expected": analysis.total_expected,
            "per_period": estimate / length,
            "per_region_period": estimate / length / len(self.cells_[cell]),
            "lift": estimate / analysis.total_expected,
            "p_value": 2 * stats.t.sf(abs(estimate) / std_error, df),
            "df": df,
        }

    def _placebo_rows(self, cell, analysis, controls):
        """Return the placebos of a cell, those of the treated regions first."""
        found = analysis.placebos
        own, others = found.own, found.others
        windows = [*found.windows, analysis.start]
        sets = [[controls[j] for j in chosen] for chosen in found.sets]
        start = [self._calendar.value(period) for period in windows]
        scale = np.sqrt((others**2).mean(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        return pd.DataFrame(
            {
                "cell": [cell] * (len(own) + others.size),
                "kind": ["treated"] * len(own) + ["control"] * others.size,
                "regions": [self.cells_[cell]] * len(own) + sets * len(windows),
                "start": start[:-1] + list(np.repeat(start, len(sets))),
                "estimate": [*own, *others.ravel()],
                "z": [*(own / found.std_error), *(others / scale).ravel()],
            }
        )

    def _without_test(self, analyses, controls):
        """Return the KPI without the test, by period and region.

        A cell's is divided among its regions like their KPI before the test.
        """
        expected = self._kpi.astype(np.float64)
        for cell, analysis in analyses.items():
            start, regions = analysis.start, self.cells_[cell]
            late = self._kpi[regions].iloc[start - analysis.placebos.memory : start]
            share = late.to_numpy().sum(axis=0)
            share = share if share.sum() > 0 else np.ones(len(regions))
            explained = controls @ analysis.weights
            level = analysis.expected[0] - explained[0]
            expected[regions] = np.outer(level + explained, share / share.sum())
        return expected

    def predict(self, X: Table) -> Array:
        """Predict the KPI without the test.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Rows of regions and periods seen in `fit`, in any order.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            In KPI units. In treated regions, before, during and after the test, their
            part of the synthetic control of the cell, by their KPI in the periods
            before the test that set its level; elsewhere what was observed.

        Raises
        ------
        ValueError
            If a region or period is not in the training data.
        """
        check_is_fitted(self)
        frame = read_table(self, X, reset=False)
        region = resolve_column(frame, self.region, "region")
        time = resolve_column(frame, self.time, "time")
        values = region_values(frame, region)
        code = region_codes(values, self._expected.columns)
        check_known_regions(code, values, self._expected.columns, "Leave it out.")
        period = self._calendar.ordinals(frame[time], time)
        beyond = np.flatnonzero((period < 0) | (period >= len(self._expected)))
        if len(beyond):
            raise ValueError(
                f"{row_namer(frame, region, time)(beyond[0])}: this period of column "
                f"{time!r} is not in the training data, so that no control says what "
                "would have been."
            )
        return self._expected.to_numpy()[period, code]

    def power(self, effect_sizes: npt.ArrayLike, alpha: float = 0.1) -> pd.DataFrame:
        """Return how often a test like this finds effects of some size.

        Parameters
        ----------
        effect_sizes : array-like of shape (n_sizes,)
            Lifts as a share: .05 is five percent of the KPI without the test.
        alpha : float, default=0.1
            Two-sided significance level.

        Returns
        -------
        table : DataFrame
            One row per cell and size: ``cell``, ``effect_size``, ``effect`` in KPI
            units (total), ``power``, the share of placebos that are significant once
            the effect is added to them.
        """
        check_is_fitted(self)
        if not 0 < alpha < 1:
            raise ValueError(f"alpha={alpha!r} must be between 0 and 1.")
        sizes = np.atleast_1d(np.asarray(effect_sizes, dtype=np.float64))
        for size in sizes:
            check_share(size, "effect_sizes")
        rows = []
        for cell, effect in self.effect_.iterrows():
            z = self.placebo_.loc[self.placebo_["cell"] == cell, "z"].to_numpy()
            critical = stats.t.ppf(1 - alpha / 2, effect["df"])
            for size in sizes:
                added = size * effect["expected"] / effect["std_error"]
                power = (np.abs(z + added) > critical).mean()
                rows.append((cell, size, size * effect["expected"], power))
        return pd.DataFrame(rows, columns=["cell", "effect_size", "effect", "power"])

    def to_experiments(
        self,
        media: Any,
        *,
        change: float | Mapping[Any, float] | None = None,
        spend_change: float | Mapping[Any, float] | None = None,
    ) -> pd.DataFrame:
        """Return the test as rows of a table of experiments, one per cell.

        Parameters
        ----------
        media : str, tuple of str, or dict of cell to these
            The media that were changed. Any label is taken: the model that gets the
            table checks it against its own.
        change : float or dict of cell to float, default=None
            Factor on spend that led to the spend in X: 1.3 = 30 % more.
        spend_change : float or dict of cell to float, default=None
            Money spent more (negative: less) in total; instead of `change`, and of what
            was off: X does not show what would have been spent.

        Returns
        -------
        table : DataFrame
            With columns ``media``, ``start``, ``end``, ``regions``, ``change``,
            ``spend_change``, ``estimate``, ``std_error``, ``measure``, ``cooldown``,
            ``bias_sd`` and ``observed``; estimates are totals in KPI units.
        """
        check_is_fitted(self)
        if (change is None) == (spend_change is None):
            raise ValueError("Name either change or spend_change.")
        factors = change.values() if isinstance(change, Mapping) else [change]
        if 0 in factors:
            raise ValueError(
                "change=0 does not say what would have been spent, and X shows spend "
                "with the test. Name spend_change, the money that was not spent."
            )
        first, stop = self._window
        rows = []
        for cell, effect in self.effect_.iterrows():
            rows.append(
                {
                    "media": self._of_cell(media, cell, "media"),
                    "start": self._calendar.value(first),
                    "end": self._calendar.value(stop - self.cooldown - 1),
                    "regions": list(self.cells_[cell]),
                    "change": self._of_cell(change, cell, "change"),
                    "spend_change": self._of_cell(spend_change, cell, "spend_change"),
                    "estimate": effect["estimate"],
                    "std_error": effect["std_error"],
                    "measure": "outcome",
                    "cooldown": self.cooldown,
                    "bias_sd": 0.0,
                    "observed": "treated",
                }
            )
        table = pd.DataFrame(rows, columns=EXPERIMENT_COLUMNS)
        numbers = {"change": np.float64, "spend_change": np.float64}
        return table.astype(numbers)

    def _of_cell(self, value, cell, role):
        if not isinstance(value, Mapping):
            return value
        if cell not in value:
            raise ValueError(f"{role} has no entry for the cell {cell!r}.")
        return value[cell]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Other columns are not read.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def fit_row(analysis):
    """Return how well a synthetic control describes the periods before the test."""
    start, found = analysis.start, analysis.placebos
    before, expected = analysis.target[:start], analysis.expected[:start]
    error = before - expected
    length = len(analysis.target) - start
    spread = ((before - before.mean()) ** 2).sum()
    return {
        "r2": 1 - (error**2).sum() / spread if spread else np.nan,
        "wmape": np.abs(error).sum() / np.abs(before).sum(),
        "placebo_error": np.sqrt((found.own**2).mean()) / (length * found.size),
        "n_controls": len(analysis.weights),
        "n_periods": start,
        "n_windows": len(found.own),
        "penalty": found.penalty,
        "memory": found.memory,
    }
