"""From a table to regions, periods and numbers on a grid."""

import copy
from collections import namedtuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skmmm._data import checks
from skmmm._data.calendar import Calendar, check_continuation, infer_calendar
from skmmm._data.costs import (
    costs_per_unit,
    mean_prices,
    money_columns,
    read_money,
    unmatched_money,
)
from skmmm._data.faults import remarks_on
from skmmm._data.frequency import frequency_columns, read_frequency
from skmmm._data.panel import (
    continue_panel,
    exchangeable_periods,
    make_panel,
    missing_periods,
)
from skmmm._data.synergies import check_no_stock, read_pairs
from skmmm._data.tables import (
    BY_PERIOD,
    check_known_regions,
    read_table,
    region_codes,
    row_namer,
)
from skmmm._estimator.state import FittedState
from skmmm._utils.bound import BoundTable
from skmmm._utils.labels import counted, first_few, listed
from skmmm._utils.sklearn import check_sample_weight
from skmmm._utils.warnings import warn_user

_FEW = 3  # rows that a message names
_Rows = namedtuple("_Rows", "frame region period media controls frequency where")


class ReadingMixin(FittedState):
    """How `DeepCausalMMMRegressor` reads tables, in `fit` and afterwards."""

    def _read_training(self, X, y):
        """Find the columns, learn regions and calendar, and return the rows."""
        checks.warn_of_order(X, y)
        frame = read_table(self, X, y, reset=True)
        if len(frame) < 2:
            raise ValueError(
                f"Found array with {len(frame)} sample(s) (shape={frame.shape}) while "
                "a minimum of 2 is required by DeepCausalMMMRegressor."
            )
        self._columns = checks.resolve_columns(
            frame,
            media=self.media,
            controls=self.controls,
            region=self.region,
            time=self.time,
            population=self.population,
            media_cost=self.media_cost,
            frequency=self.frequency,
        )
        columns = self._columns
        self._frequency_columns = self._read_frequency_columns()
        region = None
        self.regions_ = np.array(["all"])
        if columns.region is not None:
            region = checks.region_values(frame, columns.region)
            self.regions_ = np.unique(region)
        self._calendar = None
        if columns.time is not None:
            self._calendar = infer_calendar(
                frame[columns.time], columns.time, region, self.periods_per_year
            )
        # Before anything is computed.
        check_no_stock(self._pairs(), list(columns.media), self._with_stock())
        rows = self._read_rows(frame)
        self._read_costs(rows)
        return rows

    def _read_frequency_columns(self) -> dict:
        """Return the columns with the frequency of channels, by channel."""
        media = list(self._columns.media)
        columns = frequency_columns(self.frequency, media, self._labels)
        if columns and self.adstock == "gru":
            raise ValueError(
                f"{next(iter(columns))!r} has a frequency, which adstock='gru' cannot "
                "carry over: its memory is not linear in reach. Use another adstock."
            )
        return columns

    def _pairs(self) -> list:
        """Return the positions of the channels of pairs that a fit is to learn."""
        return read_pairs(self.synergies, list(self._columns.media), self._labels)

    def _learned_pairs(self) -> list:
        """Return the positions of the channels of pairs that the last fit learned."""
        pairs = self._model.network.channel_priors.pairs
        return [] if pairs is None else pairs.tolist()

    def _usual_frequency(self, channel) -> float:
        """Return what counts as the frequency where nobody was reached."""
        mean = self._model.scales.frequency
        assert mean is not None  # of a channel that has one
        return mean[self._columns.media.index(channel)]

    def _with_frequency(self) -> np.ndarray | None:
        """Return which channels have a frequency, (n_media,); None if none has."""
        if not self._frequency_columns:
            return None
        return np.array([c in self._frequency_columns for c in self._columns.media])

    def _with_stock(self) -> np.ndarray:
        """Return which channels have a slow stock, (n_media,)."""
        media = self._columns.media
        given = () if self.brand_channels is None else self.brand_channels
        empty = pd.DataFrame(columns=self._labels)
        slow = checks.resolve_many(empty, given, "brand_channels")
        for label in slow:
            checks.check_channel(label, media, "brand_channels")
        if slow and self._calendar is None:
            raise ValueError(
                f"brand_channels={slow} needs a time column: what arrives late does so "
                "in later periods. Name the column in `time`, or leave it out."
            )
        return np.array([label in slow for label in media], dtype=bool)

    def _read_costs(self, rows):
        """Learn what a unit of each channel costs, and what was paid in each row."""
        media = list(self._columns.media)
        named = media, self._labels
        self._money_columns = money_columns(self.media_cost, *named)
        told = self._money_columns, media
        self._money = read_money(rows.frame, *told, rows.where)
        prices = mean_prices(self._money, rows.media, *told)
        self._media_cost = costs_per_unit(self.media_cost, *named, prices)
        for text in unmatched_money(self._money, rows.media, *told, rows.where):
            warn_user(text)

    def _paid_in(self, frame):
        """Return the money of rows of X, or of training rows; None where none tell."""
        if frame is None or not self._money_columns:
            return self._money
        where = row_namer(frame, self._columns.region, self._columns.time)
        return read_money(frame, self._money_columns, self._columns.media, where)

    def _read_rows(self, frame):
        """Return region codes, periods and numbers of a frame's rows."""
        columns = self._columns
        where = row_namer(frame, columns.region, columns.time)
        region = np.zeros(len(frame), dtype=np.int64)
        if columns.region is not None:
            values = checks.region_values(frame, columns.region)
            region = self._region_codes(values)
        media = checks.numeric_block(frame, columns.media, where)
        checks.check_non_negative_media(
            media, columns.media, where, type(self).__name__
        )
        controls = checks.numeric_block(frame, columns.controls, where)
        period = None
        if columns.time is not None and self._calendar is not None:
            period = self._calendar.ordinals(frame[columns.time], columns.time)
            checks.check_no_duplicates(region, period, where)
        told = self._frequency_columns, columns.media, media
        frequency = read_frequency(frame, *told, where)
        return _Rows(frame, region, period, media, controls, frequency, where)

    def _read_population(self, rows):
        """Return how many live in each region, None if nobody says."""
        label = self._columns.population
        if label is None:
            return None
        return checks.population_of(
            rows.frame, label, rows.region, self.regions_, rows.where
        )

    def _region_codes(self, values):
        """Return the position of each region; unseen ones count on, or are refused."""
        if self.regions_.dtype.kind == "U":
            values = values.astype(str)
        code = region_codes(values, self.regions_)
        unseen = code < 0
        if self.unseen_region == "error":
            check_known_regions(
                code,
                values,
                self.regions_,
                "Use unseen_region='average' to predict it as an average region. "
                + BY_PERIOD,
            )
        elif unseen.any():
            _, new = np.unique(values[unseen], return_inverse=True)
            code[unseen] = len(self.regions_) + new
        return code

    def _read_target(self, rows, y, sample_weight):
        """Return KPI and weights of the training rows."""
        if y is None:
            raise ValueError(
                "DeepCausalMMMRegressor requires y to be passed, but the target y is "
                "None."
            )
        y = column_or_1d(y, warn=True)
        y = checks.check_target(y, len(rows.frame), rows.where)
        weight = check_sample_weight(
            sample_weight, rows.media, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError(
                "Sample weights must contain at least one non-zero number."
            )
        if weight.max() > checks.HUGE:
            raise ValueError(
                f"A sample weight is {weight.max():g}, too large to compute with."
            )
        return y, weight

    def _arrange_training(self, rows, y, weight):
        """Arrange the training rows on the grid and remember their order."""
        period = rows.period
        if period is None:
            media, others = content_of(rows)
            period = exchangeable_periods(rows.region, media, others, y, weight)
        elif period.max() + 1 <= self.max_lag:
            raise ValueError(
                f"X has {period.max() + 1} periods, but max_lag={self.max_lag} needs "
                f"at least {self.max_lag + 1}. Lower max_lag or add history."
            )
        self._training_index = rows.frame.index
        return make_panel(
            rows.region,
            period,
            rows.media,
            _held(rows.controls, checks.still_value(rows.controls[weight > 0])),
            n_regions=len(self.regions_),
            y=y,
            weight=weight,
            frequency=rows.frequency,
        )

    def _check_training(self, X, y, sample_weight):
        """Raise what `fit` would raise as soon as it has read the rows."""
        reader = copy.copy(self)
        reader._validate_params()
        rows = reader._read_training(X, y)
        reader._read_population(rows)
        reader._arrange_training(rows, *reader._read_target(rows, y, sample_weight))

    def _remark(self, panel, learned, stuck, outliers, known=()):
        """Keep what training rows have against them, and warn of what is not known."""
        told = self._columns, self.regions_, self._calendar
        self.remarks_ = remarks_on(
            panel, learned, stuck, outliers, *told, gaps_known=self.gap == "mask"
        )
        for text in self.remarks_:
            if text not in known:
                warn_user(text)

    def _cells_learned(self) -> np.ndarray:
        """Return which cells of the training grid have a weight, (R, T)."""
        history = self._model.history
        return history.observed if history.weight is None else history.weight > 0

    def _shown_order(self) -> list[int]:
        """Return where the columns of `media_` are inside."""
        return [self._columns.media.index(channel) for channel in self.media_]

    @property
    def _season_length(self):
        return None if self._calendar is None else self._calendar.season_length

    def _training_rows(self):
        """Return the training rows as a frame of the columns that are used."""
        columns, panel = self._columns, self._model.history
        region, column = np.divmod(panel.cell, panel.shape[1])
        values = dict(zip(columns.media, panel.media[region, column].T, strict=True))
        controls = panel.controls[region, column].T
        values |= dict(zip(columns.controls, controls, strict=True))
        if panel.frequency is not None:
            for label, name in self._frequency_columns.items():
                m = columns.media.index(label)
                seen = panel.frequency[region, column, m]
                values[name] = np.where(seen > 0, seen, self._usual_frequency(label))
        if columns.region is not None:
            values[columns.region] = self.regions_[region]
        if columns.time is not None and self._calendar is not None:
            times = [self._calendar.value(o) for o in panel.periods]
            values[columns.time] = pd.Index(times)[column]
        frame = pd.DataFrame(values).set_axis(self._training_index)
        return frame[[label for label in self._labels if label in values]]

    def _read_frame(self, X):
        """Return X as a frame, which need not have columns that the model ignores."""
        columns = self._columns
        used = {*columns.media, *columns.controls, columns.region, columns.time}
        ignored = [label for label in self._labels if label not in used]
        return read_table(self, X, reset=False, optional=ignored)

    def _read(self, X):
        """Return X, its index and its rows on a grid that continues training.

        Of training rows, which are kept as that grid, the frame is None.
        """
        check_is_fitted(self)
        history = self._model.history
        if X is None:
            return None, self._training_index, history
        if isinstance(X, BoundTable):
            X.check_read_by(self)
            read = X.counterfactual()
            return read.frame, read.index, read.panel
        rows = self._read_rows(self._read_frame(X))
        n_regions = max(len(self.regions_), int(rows.region.max()) + 1)
        if rows.period is None:
            period = exchangeable_periods(rows.region, *content_of(rows))
        else:
            period = rows.period
        panel = make_panel(
            rows.region,
            period,
            rows.media,
            self._held_controls(rows),
            n_regions=n_regions,
            frequency=rows.frequency,
        )
        if rows.period is None:
            return rows.frame, rows.frame.index, panel
        joint = continue_panel(history, panel)
        self._check_goes_on(panel, joint)
        return rows.frame, rows.frame.index, joint

    def _held_controls(self, rows):
        """Return controls of rows; those that stood still in training as they were."""
        seen = self._model.history.controls[self._cells_learned()]
        return _held(rows.controls, checks.still_value(seen))

    def _check_goes_on(self, panel, joint):
        """Raise if later rows leave a gap, or come in longer periods."""
        if self.gap != "error" or self._calendar is None:
            return
        _check_gap(missing_periods(self._model.history, panel), self._calendar)
        regions = None if self._columns.region is None else self.regions_
        check_continuation(joint, self._calendar, self._columns.time, regions)

    def _as_it_came(self, planned, X, y):
        """Return planned rows, the same as they came about, and their KPI.

        Rows that X does not have are in both as planned, and have no KPI.
        """
        if self._calendar is None:
            raise ValueError(
                "Rows of a plan are found again by region and period, but the model "
                "has no time column: fit it with time=... and plan once more."
            )
        checks.warn_of_order(X, y)
        frame = self._read_frame(planned)
        rows, came = self._read_rows(frame), self._read_rows(self._read_frame(X))
        y = checks.check_target(column_or_1d(y, warn=True), len(came.frame), came.where)
        at = self._keys(rows).get_indexer(self._keys(came))
        if (at < 0).any():
            raise ValueError(self._not_planned(rows, came, np.flatnonzero(at < 0)))
        frame = frame.reset_index(drop=True)
        actual, kpi = frame.copy(), np.full(len(frame), np.nan)
        kpi[at] = y
        columns = [*self._columns.media, *self._columns.controls]
        values = np.concatenate([came.media, came.controls], axis=1)
        for label, name in self._frequency_columns.items():
            column = came.frequency[:, [self._columns.media.index(label)]]
            columns, values = [*columns, name], np.append(values, column, axis=1)
        for label, new in zip(columns, values.T, strict=True):
            column = frame[label].to_numpy(dtype=np.float64, copy=True)
            column[at] = new
            actual[label] = column
        return frame, actual, kpi

    def _not_planned(self, planned, came, odd):
        """Return which rows that came are not in a plan, and what to do about them."""
        calendar = self._calendar
        assert calendar is not None
        first, last = (
            calendar.label(period)
            for period in (planned.period.min(), planned.period.max())
        )
        known, asked = (self._keys(one).get_level_values(0) for one in (planned, came))
        strange = asked[odd][~asked[odd].isin(known)].unique().tolist()
        without = f", and not about region {listed(strange)}" if strange else ""
        return (
            f"X_actual has {counted(len(odd), 'row')} that the plan has not: "
            f"{first_few([came.where(i) for i in odd], _FEW)}. The plan is about "
            f"{first} to {last}{without}. Leave these rows out; where periods or "
            "regions are only written otherwise (another day of the week, another "
            "spelling), write them as plan.X does."
        )

    def _keys(self, rows):
        """Return region and period of every row as an index."""
        region = np.zeros(len(rows.frame), dtype=np.int64)
        if self._columns.region is not None:
            region = checks.region_values(rows.frame, self._columns.region)
            if self.regions_.dtype.kind == "U":
                region = region.astype(str)
        return pd.MultiIndex.from_arrays([region, rows.period])


def _check_gap(missing: np.ndarray, calendar: Calendar) -> None:
    """Raise if periods between training and X are missing altogether."""
    if len(missing):
        raise ValueError(
            f"X has no row for {counted(len(missing), 'period')} between the training "
            f"data and its other rows, the first is {calendar.label(missing[0])}: "
            "carry-over through them is unknown. Add rows for them, or set gap='mask' "
            "to leave them out of the carry-over."
        )


def content_of(rows):
    """Return media and all else that tells rows apart, (n_rows, ...) each."""
    if rows.frequency is None:
        return rows.media, rows.controls
    return rows.media, np.concatenate([rows.controls, rows.frequency], axis=1)


def _held(controls, still):
    """Return controls with those that did not move in training where they were."""
    return np.where(np.isfinite(still), still, controls)
