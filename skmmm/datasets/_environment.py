"""A simulated market that goes on while somebody else sets its budgets.

Arrays are laid out as in `_synthetic`: (T, R, M) for periods, regions and media.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from skmmm._utils.sklearn import Interval, validate_params
from skmmm._utils.typing import Seed
from skmmm.datasets._response import REGION, WEEK
from skmmm.datasets._split import best_split
from skmmm.datasets._synthetic import make_mmm_panel

Spend: TypeAlias = pd.DataFrame | npt.ArrayLike


class MarketEnvironment:
    """A market with known truth, to be stepped through with budgets of one's own.

    It is a panel of :func:`make_mmm_panel`: for `n_history` periods with the market's
    own budgets, then with those that `step` is given. Baseline, controls, noise and
    drift of all periods are drawn when the market is made: two with the same parameters
    and `random_state` differ by what is spent in them and by nothing else, so that
    policies can be compared in pairs.

    Parameters
    ----------
    n_regions, n_media : int, default=1, 4
    n_history : int, default=104
        Periods that have passed at the start.
    n_future : int, default=52
        Periods that can be stepped through. Another number is another market.
    max_lag : int, default=13
        Last period in which spend acts, counted from the period of spending.
    drift : float, default=0.0
        Standard deviation per period of a random walk of each channel's log effect,
        the same in all regions and zero at the last period of history.
    noise : float, default=0.05
        Standard deviation of the noise, as a share of the region's scale.
    random_state : int, RandomState instance or None, default=None
    **panel : dict
        More parameters of :func:`make_mmm_panel`. Only the market's own budgets follow
        each other by its `graph`.

    Attributes
    ----------
    media, controls, regions : list of str
        In the order of arrays.
    n_passed, n_left : int
        Periods that have passed, and that can still be stepped through.
    parameters : dict
        The truth, as of :func:`make_mmm_panel`; ``drift`` holds the random walk.

    Notes
    -----
    What spend causes is counted in its periods and in the `max_lag` periods after them,
    in which the market goes on with its own budgets. Without drift and options, the
    market is ``make_mmm_panel(n_regions, n_history + n_future + max_lag, ...)``.

    Examples
    --------
    >>> from skmmm.datasets import MarketEnvironment
    >>> market = MarketEnvironment(2, 3, random_state=0)
    >>> X, y = market.history()
    >>> usual = market.coming(4)
    >>> best = market.optimal(usual[market.media].to_numpy().sum(), timing=usual)
    >>> bool(market.regret(usual) > market.regret(best.X))
    True
    >>> X_new, y_new = market.step(best.X)
    >>> len(y_new), market.n_left
    (8, 48)
    """

    @validate_params(
        {
            "n_history": [Interval(Integral, 1, None, closed="left")],
            "n_future": [Interval(Integral, 1, None, closed="left")],
            "max_lag": [Interval(Integral, 0, None, closed="left")],
            "drift": [Interval(Real, 0, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        n_regions: int = 1,
        n_media: int = 4,
        *,
        n_history: int = 104,
        n_future: int = 52,
        max_lag: int = 13,
        drift: float = 0.0,
        noise: float = 0.05,
        random_state: Seed = None,
        **panel: Any,
    ):
        rng = check_random_state(random_state)
        made = make_mmm_panel(
            n_regions,
            n_history + n_future + max_lag,
            n_media=n_media,
            max_lag=max_lag,
            noise=noise,
            random_state=rng,
            **panel,
        )
        self.media, self.controls = made.media, made.controls
        self.parameters, self._response = made.parameters, made.response
        self.regions = list(self.parameters["scale"].index)
        constant = self.parameters["drift"]
        walk = np.cumsum(drift * rng.standard_normal(constant.shape), axis=0)
        self.parameters["drift"] = constant * np.exp(walk - walk[n_history - 1])
        self.n_passed, self.n_left = n_history, n_future
        self._max_lag = max_lag
        self._X, self._kpi_name = made.X, made.y.name
        # What nobody's budget changes: baseline, controls and noise, (T, R).
        without = made.y - made.contributions[made.media].sum(axis=1)
        self._without_media = without.to_numpy().reshape(-1, n_regions)
        # Of passed periods what was spent, of others the market's own budgets.
        self._spend = self._grid(made.X)

    def history(self, n_periods: int | None = None) -> tuple[pd.DataFrame, pd.Series]:
        """Return the rows that have passed: of the market's own budgets, then of steps.

        Parameters
        ----------
        n_periods : int, default=None
            The last ones only. None: all.

        Returns
        -------
        X, y : DataFrame and Series of n_periods * n_regions rows
        """
        n_periods = self.n_passed if n_periods is None else n_periods
        _check_count(n_periods, self.n_passed, "have passed")
        return self._rows(self.n_passed - n_periods, self.n_passed)

    def coming(self, n_periods: int) -> pd.DataFrame:
        """Return the coming rows with the market's own budgets and their controls.

        Parameters
        ----------
        n_periods : int

        Returns
        -------
        X : DataFrame of n_periods * n_regions rows
            With other spend in its media columns, it is what `step` takes.
        """
        _check_count(n_periods, self.n_left, "are left")
        return self._rows(self.n_passed, self.n_passed + n_periods)[0]

    def step(self, spend: Spend) -> tuple[pd.DataFrame, pd.Series]:
        """Spend in the coming periods, and return what happens.

        Parameters
        ----------
        spend : DataFrame or array-like
            Currency per period. DataFrame: rows as of `coming`, in any order, with or
            without controls. Array: (n_periods, n_regions, n_media), or one period.

        Returns
        -------
        X_new, y_new : DataFrame and Series of n_periods * n_regions rows
            Those that follow the rows of `history`.

        Raises
        ------
        ValueError
            If spend is negative or no number; if channels, regions or weeks are not
            those that come, controls are changed, or too few periods are left.
        """
        values = self._read(spend)
        self._spend = self._with_coming(values)
        self.n_passed += len(values)
        self.n_left -= len(values)
        return self.history(len(values))

    def true_response(self, spend: Spend) -> pd.Series:
        """Return what spend in the coming periods causes, without noise.

        Parameters
        ----------
        spend : DataFrame or array-like
            As of `step`.

        Returns
        -------
        response : Series of shape (n_media,)
            KPI units, against no spend in these periods, by channel; drift included.
        """
        values = self._read(spend)
        kpi, without = (
            self._response.media(self._with_coming(part))[self._counted(len(values))]
            for part in (values, 0.0 * values)
        )
        total = (kpi - without).sum(axis=(0, 1))
        return pd.Series(total, self.media, name="response")

    def optimal(self, budget: float, timing: int | Spend = 13) -> Bunch:
        """Return the best split of a budget for the coming periods, under the truth.

        It is split between all channels of all regions, the cells; when the money of
        each comes is given.

        Parameters
        ----------
        budget : float
            Total over regions, channels and periods, in currency.
        timing : int, DataFrame or array-like, default=13
            Number of coming periods over which every cell spends evenly; or spend, as
            of `step`, whose course over periods cells keep (evenly where it is zero).

        Returns
        -------
        plan : Bunch
            ``spend`` of each cell, DataFrame (n_regions, n_media); ``X``, the rows for
            `step`; ``response``, as of `true_response`; ``bound``: no split has more.

        Notes
        -----
        It misses ``bound - response.sum()`` at most, up to what curves do between the
        1,000 spends at which they are computed. In twelve markets a gradient search
        went on from there and gained less than 1e-5.
        """
        if not isinstance(budget, Real) or not 0.0 < budget < np.inf:
            raise ValueError(f"budget={budget!r} must be a positive number.")
        if isinstance(timing, Integral):
            _check_count(timing, self.n_left, "are left")
            timing = np.ones((timing, len(self.regions), len(self.media)))
        usual = self._read(timing)
        total = usual.sum(axis=0)
        course = np.where(total > 0, usual, 1.0)
        course /= course.sum(axis=0)
        own, counted = self._with_coming(0.0 * course), self._counted(len(course))
        once = self._with_coming(course) - own
        curves = self._response.cell_curves(own, once, budget, counted)
        cells, bound = best_split(budget, *curves)
        cells = cells.reshape(total.shape)
        plan = self.coming(len(course))
        plan[self.media] = (cells * course).reshape(len(plan), -1)
        return Bunch(
            spend=pd.DataFrame(cells, self.regions, self.media),
            X=plan,
            response=self.true_response(plan),
            bound=bound,
        )

    def regret(self, spend: Spend) -> float:
        """Return what the best split of the same money would cause beyond spend.

        Parameters
        ----------
        spend : DataFrame or array-like
            As of `step`.

        Returns
        -------
        regret : float
            KPI units; the best split has the timing of spend. Zero without spend.
        """
        values = self._read(spend)
        if not values.any():
            return 0.0
        best = self.optimal(values.sum(), values).response.sum()
        return float(best - self.true_response(values).sum())

    def _rows(self, first, last):
        """Return X and y of the periods from first until before last."""
        where = slice(first * len(self.regions), last * len(self.regions))
        X = self._X.iloc[where].copy()
        X[self.media] = self._spend[first:last].reshape(-1, len(self.media))
        kpi = self._without_media + self._response.media(self._spend).sum(axis=-1)
        return X, pd.Series(kpi[first:last].ravel(), X.index, name=self._kpi_name)

    def _grid(self, X):
        """Return the spend of rows sorted by week and region, (T, R, M)."""
        values = X[self.media].to_numpy(dtype=np.float64)
        return values.reshape(-1, len(self.regions), len(self.media))

    def _with_coming(self, values):
        """Return spend of all periods, with values in the coming ones."""
        spend = self._spend.copy()
        spend[self.n_passed : self.n_passed + len(values)] = values
        return spend

    def _counted(self, n_periods):
        """Return the periods in which spend of the coming ones acts."""
        return slice(self.n_passed, self.n_passed + n_periods + self._max_lag)

    def _read(self, spend):
        """Return checked spend of the coming periods, (n_periods, R, M)."""
        if isinstance(spend, pd.DataFrame):
            values = self._read_frame(spend)
        else:
            values = np.asarray(spend, dtype=np.float64)
            values = values[None] if values.ndim == 2 else values
            if values.shape[1:] != (len(self.regions), len(self.media)):
                raise ValueError(
                    f"spend is of shape {np.shape(spend)}, not (n_periods, "
                    f"{len(self.regions)}, {len(self.media)}): for the regions "
                    f"{self.regions} and the channels {self.media}."
                )
            _check_count(len(values), self.n_left, "are left")
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0.0)))
        if len(bad):
            t, r, m = bad[0]
            raise ValueError(
                f"The spend on {self.media[m]!r} in region {self.regions[r]!r}, coming "
                f"period {t + 1}, is {values[t, r, m]}: it must be a number from zero."
            )
        return values

    def _read_frame(self, frame):
        """Return spend of rows of a frame, (n_periods, R, M), in the market's order."""
        unknown = [label for label in frame if label not in self._X]
        missing = [c for c in (REGION, WEEK, *self.media) if c not in frame]
        if unknown:
            raise ValueError(f"{unknown} are none of the channels {self.media}.")
        if missing:
            raise ValueError(f"spend lacks the columns {missing}.")
        text = [c for c in self.media if not pd.api.types.is_numeric_dtype(frame[c])]
        if text:
            raise ValueError(f"Spend in the columns {text} is text, not numbers.")
        coming = self.coming(frame[WEEK].nunique())
        keys = pd.MultiIndex.from_frame(frame[[WEEK, REGION]])
        at = keys.get_indexer_for(pd.MultiIndex.from_frame(coming[[WEEK, REGION]]))
        if len(frame) != len(coming) or (at < 0).any():
            raise ValueError(
                f"spend must hold each of {self.regions} once in each period from "
                f"{coming[WEEK].min()} to {coming[WEEK].max()}."
            )
        frame = frame.iloc[at]
        for name in self.controls:
            if name in frame and (frame[name].to_numpy() != coming[name]).any():
                raise ValueError(f"spend changes {name!r}, a control: leave it out.")
        return self._grid(frame)


def _check_count(n_periods: Any, most: int, words: str) -> None:
    """Raise if a number of periods is not one, or more than there are."""
    if not isinstance(n_periods, Integral) or not 1 <= int(n_periods) <= most:
        raise ValueError(f"{n_periods!r} periods were asked for, but {most} {words}.")
