"""How a fitted model takes in rows that came later."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import column_or_1d

from skmmm._data import checks
from skmmm._data.costs import costs_per_unit, mean_prices, unmatched_money
from skmmm._data.faults import kpi_outliers, stuck_cells, without
from skmmm._data.panel import append_panel, exchangeable_periods, make_panel
from skmmm._estimator.ranks import refuse_ranks
from skmmm._estimator.reading import ReadingMixin, content_of
from skmmm._unwrapping import rows_of
from skmmm._utils.labels import listed
from skmmm._utils.typing import Table
from skmmm._utils.warnings import warn_user

# Parameters that may change between `fit` and `partial_fit`.
_OF_A_REFRESH = (
    *("effect_drift", "random_state"),
    *("gap", "unseen_region", "verbose", "warm_start"),
)
_FAR = 20.0  # times the usual value, beyond which it is a question of the unit


class RefreshMixin(ReadingMixin):
    """`partial_fit` of `DeepCausalMMMRegressor`."""

    fit: Callable[..., Any]
    get_params: Callable[..., dict[str, Any]]

    def partial_fit(self, X: Table, y: npt.ArrayLike) -> Self:
        """Take in the rows of new periods, without fitting to the others again.

        The posterior of the parameters is moved by what new rows say beyond what the
        rows before made expected: every row enters once, carry-over and level go on
        where they were, and the scales of columns stay those of `fit`. That takes
        seconds, and does not move what new rows say nothing about, as other draws
        would. With `effect_drift`, effects may change from there.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Rows of periods after the last training period, of known regions. Regions
            without a row in some period are as in `fit`. Without a time column, rows
            that were not among those before.
        y : array-like of shape (n_rows,)
            KPI. Each row weighs as much as those of `fit` on average.

        Returns
        -------
        self : DeepCausalMMMRegressor
            The new rows are training rows from now on. A model that was not fitted is
            fitted. A call that raises leaves the estimator as it was.

        Raises
        ------
        ValueError
            If a row is of a training period, an unknown region, or a period that
            leaves a gap (see `gap`); if another parameter than `effect_drift`,
            `random_state`, `gap`, `unseen_region`, `verbose` or `warm_start` was set
            since `fit`; if effects drift and there is no time column; inside of
            :func:`skmmm.distributed.ranks`, once fitted; and for what `fit` raises.

        Warns
        -----
        UserWarning
            If new rows are less likely than nearly all that the model expected: then
            something has changed that it does not know. If a region has no new row
            that had one in the last period before. And of what `fit` warns, where new
            rows bring it about.

        Notes
        -----
        An ensemble of draws is moved, each by its score and that of errors simulated
        for it, times the covariance of the posterior [1]_, in up to four steps [2]_.
        That is exact where effects are linear in parameters and posteriors normal;
        nothing checks draws after that: `sampling_diagnostics_`, `loss_curve_`,
        `experiments_` and the channel graph are those of `fit`. Hidden demand is
        estimated again, from the spend of all rows. Fit again when there is time for
        it.

        References
        ----------
        .. [1] Evensen (1994). Sequential data assimilation with a nonlinear
           quasi-geostrophic model. Journal of Geophysical Research 99.
        .. [2] Emerick, Reynolds (2013). Ensemble Smoother with Multiple Data
           Assimilation. Computers and Geosciences 55.

        Examples
        --------
        >>> from skmmm import DeepCausalMMMRegressor
        >>> from skmmm.datasets import make_mmm_panel
        >>> data = make_mmm_panel(1, 84, n_media=2, random_state=0)
        >>> late = data.X["week"] >= data.X["week"].sort_values().iloc[80]
        >>> model = DeepCausalMMMRegressor(
        ...     media=data.media, time="week", n_draws=8, graph=None, random_state=0
        ... ).fit(data.X[~late].drop(columns="region"), data.y[~late])
        >>> model = model.partial_fit(data.X[late].drop(columns="region"), data.y[late])
        >>> len(model.contributions())
        84
        """
        if not hasattr(self, "_model"):
            self.fit(X, y)
            return self
        refuse_ranks(
            "partial_fit takes in the rows of one process",
            "Call it outside, with the new rows of all ranks, or fit again with all.",
        )
        self._validate_params()
        self._check_same_settings()
        refreshed = copy.copy(self)
        refreshed._refresh(rows_of(X), y)
        self.__dict__ = refreshed.__dict__
        return self

    def _refresh(self, X, y):
        """Set all fitted attributes anew."""
        checks.warn_of_order(X, y)
        # As average regions they can be read, and refused for what they are here.
        asked, self.unseen_region = self.unseen_region, "average"
        rows = self._read_rows(self._read_frame(X))
        self.unseen_region = asked
        self._check_later(rows)
        y = checks.check_target(column_or_1d(y, warn=True), len(rows.frame), rows.where)
        panel = self._join_training(rows, y)
        stuck = stuck_cells(panel, self._season_length)
        stuck[:, : self._model.history.shape[1]] = False
        learned = without(panel, stuck)
        outliers = kpi_outliers(learned, self._season_length)
        self._remark(panel, learned, stuck, outliers, known=self.remarks_)
        from skmmm._estimator.fitting import refresh_model  # torch takes seconds

        self.__dict__.update(refresh_model(self, learned, outliers))
        self._publish(self.loss_curve_)

    def _check_same_settings(self):
        """Raise if parameters were set since `fit` that only a fit takes in."""
        before = self._fitted_parameters  # of an older pickle without some
        for name, value in self.get_params(deep=False).items():
            if name in _OF_A_REFRESH or _same(value, before.get(name)):
                continue
            raise ValueError(
                f"{name} is another one than in fit, and partial_fit goes on with the "
                "model that was fitted. Set it back, or fit again with all rows."
            )
        if self.effect_drift and self._calendar is None:
            raise ValueError(
                f"effect_drift={self.effect_drift} needs a time column: rows without "
                "an order do not drift. Set it to 0, or name the column in `time` and "
                "fit again."
            )

    def _check_later(self, rows):
        """Raise unless rows are of known regions and later than training rows."""
        if self._calendar is not None and rows.period is not None:
            last = self._model.history.periods[-1]
            early = np.flatnonzero(rows.period <= last)
            if len(early):
                raise ValueError(
                    f"X has a row for {rows.where(early[0])}, which is not after the "
                    f"last training period, {self._calendar.label(last)}. Rows of "
                    "these periods have been learned already: leave them out, or fit "
                    "again with all rows if they were corrected or came late."
                )
        unseen = np.flatnonzero(rows.region >= len(self.regions_))
        if len(unseen):
            raise ValueError(
                f"X has a row for {rows.where(unseen[0])}, a region without training "
                "rows. Fit again with all rows to learn new regions."
            )

    def _join_training(self, rows, y):
        """Return training rows and new ones as one panel, and remember their order."""
        history = self._model.history
        assert history.weight is not None  # training rows have weights
        usual = history.weight[history.weight > 0].mean()
        period = rows.period
        if period is None:  # any order will do
            media, others = content_of(rows)
            found = exchangeable_periods(rows.region, media, others, y)
            period = history.shape[1] + found
        panel = make_panel(
            rows.region,
            period,
            rows.media,
            self._held_controls(rows),
            n_regions=len(self.regions_),
            y=y,
            weight=np.full(len(y), usual),
            frequency=rows.frequency,
        )
        joint = append_panel(history, panel)
        self._check_goes_on(panel, joint)
        self._remark_absent(history, panel)
        self._remark_units(history, panel)
        self._training_index = self._training_index.append(rows.frame.index)
        self._pay_for(rows, joint)
        return joint

    def _remark_absent(self, history, panel):
        """Warn of regions with a row in the last period before and none in new ones."""
        if self._calendar is None:
            return
        absent = history.observed[:, -1] & ~panel.observed.any(axis=1)
        if absent.any():
            names = listed([str(region) for region in self.regions_[absent]])
            warn_user(
                f"No new row is of the regions {names}, which had one in the last "
                "period before. If their rows are only late, start from the model "
                "before and pass all rows together: those of learned periods are not "
                "taken in later."
            )

    def _remark_units(self, history, panel):
        """Warn of columns that may have come in another unit."""
        media = list(self._columns.media)
        spent = _on_air(panel.media) / _on_air(history.media)
        said = dict(zip(media, spent, strict=True))
        if panel.frequency is not None:
            heard = _on_air(panel.frequency) / _on_air(history.frequency)
            said |= {
                name: heard[media.index(label)]
                for label, name in self._frequency_columns.items()
            }
        for label, factor in said.items():
            if factor > _FAR or 0 < factor < 1.0 / _FAR:
                warn_user(
                    f"Column {label!r} is on average {factor:.3g} times what it was "
                    "before, where it is above zero. If it is in another unit, or "
                    "something else is wrong, correct it and start from the model "
                    "before."
                )

    def _pay_for(self, rows, joint):
        """Take in what was paid in new rows."""
        if self._money is None:
            return
        told = self._money_columns, list(self._columns.media)
        for label in self._money_columns.values():
            if label not in rows.frame:
                raise ValueError(
                    f"X has no column {label!r}, which holds money of the training "
                    "rows. Add it."
                )
        paid = self._paid_in(rows.frame)
        for text in unmatched_money(paid, rows.media, *told, rows.where):
            warn_user(text)
        self._money = np.concatenate([self._money, paid])
        media = joint.media.reshape(-1, joint.media.shape[2])[joint.cell]
        prices = mean_prices(self._money, media, *told)
        named = list(self._columns.media), self._labels
        self._media_cost = costs_per_unit(self.media_cost, *named, prices)


def _on_air(grid):
    """Return the mean of values above zero, (M,); NaN where there are none."""
    above = np.nan_to_num(grid).clip(min=0.0)
    n_above = (above > 0).sum(axis=(0, 1))
    return above.sum(axis=(0, 1)) / np.where(n_above > 0, n_above, np.nan)


def _same(value, other):
    """Return whether two parameters say the same."""
    if hasattr(value, "equals"):  # a table
        return value.equals(other)
    return repr(value) == repr(other)
