"""Holidays as columns: the share of the days of a period that are one."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import numpy.typing as npt
import pandas as pd

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import closest, did_you_mean, in_words, region_values
from skmmm._data.tables import find_columns, row_namer
from skmmm._utils.docs import shared_docs
from skmmm._utils.labels import listed
from skmmm._utils.sklearn import Interval
from skmmm._utils.typing import Column, Frame
from skmmm._utils.warnings import warn_user
from skmmm.preprocessing._base import COLUMN, FEATURES, ColumnMaker, check_new_names
from skmmm.preprocessing._holiday_dates import (
    check_code,
    dates_of_country,
    dates_of_table,
    read_dates,
)

_DAYS = [Interval(Integral, 0, 366, closed="both")]
# What returns every year, if not always on the same day, is missing after so long.
_LATEST = pd.Timedelta(days=386)


@shared_docs("", attributes=FEATURES)
class HolidayEncoder(ColumnMaker):
    """Add holidays as columns: the share of the days of a period that are one.

    In weekly data a holiday of one day is 1 / 7 of its week, in daily data it is 0 or
    1. The columns come last; all other columns stay as they are. Dates of coming
    periods are known, so that forecasts and plans have their holidays.

    A date in the time column is the first day of its period, also of weeks and retail
    months; calendar months may be written as any of their days, quarters as their first
    or last.

    Parameters
    ----------
    region : str or int, default=None
        Name or position of the region column. None: one series, or regions with the
        same holidays.
    time : str or int, default=None
        Name or position of the time column, which holds dates. None, without `country`
        and `dates`: no column is added.
    country : str, mapping or None, default=None
        Whose public holidays: a code of ISO 3166 ("DE", or "DE-BY" for a part of a
        country), the name of a column of X that holds such codes, or a mapping from
        every region to its code. Dates come from the package holidays, which
        ``pip install 'skmmm[holidays]'`` brings.
    dates : DataFrame or None, default=None
        Own dates, in place of those of a country or beside them: a row for each day
        with the columns ``date`` and ``name``, and ``region`` if regions differ.
    names : list of str or None, default=None
        Which holidays; with those of countries, in English where the package knows the
        English name. None: all that fall in the rows of `fit`, or, pooled, all.
    pooled : bool, default=False
        Whether all holidays make one column, in place of one each.
    lead, lag : int, default=0
        Days before and after a holiday that count as well, at most 366.

    Attributes
    ----------
    holidays_ : list of str
        Names of the holidays, sorted.
    period_ : str or None
        Length of a period of the data, as in `DeepCausalMMMRegressor`; None if `time`
        is None.

    Raises
    ------
    ImportError
        If `country` is given and the package holidays is missing.

    Warns
    -----
    UserWarning
        If holidays that are in `dates` in more than one year have no date for more than
        a year before rows of X.

    See Also
    --------
    FourierSeason : The time of the year as columns.

    Notes
    -----
    Columns are called ``holiday_<name>``, or ``holiday`` if they are pooled; name them
    as controls of the model. Where a holiday is kept on another day ("observed"), both
    days count.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.preprocessing import HolidayEncoder
    >>> dates = pd.DataFrame({
    ...     "date": ["2021-11-26", "2021-12-25", "2021-12-26", "2022-11-25"],
    ...     "name": ["Black Friday", "Christmas", "Christmas", "Black Friday"],
    ... })
    >>> encoder = HolidayEncoder(time="week", dates=dates)
    >>> weeks = pd.date_range("2021-11-22", periods=6, freq="7D")
    >>> X = encoder.fit_transform(pd.DataFrame({"week": weeks}))
    >>> X.set_index("week").round(3)
                holiday_Black Friday  holiday_Christmas
    week
    2021-11-22                 0.143              0.000
    2021-11-29                 0.000              0.000
    2021-12-06                 0.000              0.000
    2021-12-13                 0.000              0.000
    2021-12-20                 0.000              0.286
    2021-12-27                 0.000              0.000

    In a pipeline, what is made is a control of the model:

    >>> world = make_mmm_panel(1, 104, n_media=2, n_controls=1, random_state=0)
    >>> model = make_pipeline(
    ...     HolidayEncoder(time="week", dates=dates, pooled=True, lead=6),
    ...     make_linear_mmm(
    ...         media=world.media, controls=["price", "holiday"], time="week"
    ...     ),
    ... )
    >>> model.fit(world.X, world.y).predict(world.X).shape
    (104,)
    """

    _parameter_constraints = {
        "region": COLUMN,
        "time": COLUMN,
        "country": [str, Mapping, None],
        "dates": "no_validation",
        "names": ["array-like", None],
        "pooled": ["boolean"],
        "lead": _DAYS,
        "lag": _DAYS,
    }

    def __init__(
        self,
        *,
        region: Column | None = None,
        time: Column | None = None,
        country: str | Mapping[Column, str] | None = None,
        dates: Frame | None = None,
        names: npt.ArrayLike | None = None,
        pooled: bool = False,
        lead: int = 0,
        lag: int = 0,
    ):
        self.region = region
        self.time = time
        self.country = country
        self.dates = dates
        self.names = names
        self.pooled = pooled
        self.lead = lead
        self.lag = lag

    def _learn(self, frame):
        self.period_, self.holidays_ = None, []
        if self.time is None and self.country is None and self.dates is None:
            return
        if self.time is None:
            raise ValueError(
                "HolidayEncoder has holidays, but time=None: name the column of X that "
                "holds the dates of rows."
            )
        if self.country is None and self.dates is None:
            raise ValueError(
                "HolidayEncoder knows no holidays: set country, as 'DE', or dates, a "
                "DataFrame with the columns 'date' and 'name'."
            )
        _, region, time = find_columns(frame, [], region=self.region, time=self.time)
        self._columns = region, time
        self._table = None
        if self.dates is not None:
            self._table = read_dates(self.dates, self.region)
        values = None if region is None else region_values(frame, region)
        if values is not None and self._table is not None:
            _check_regions(self._table, values)
        self._calendar = infer_calendar(frame[time], time, values)
        self.period_ = self._calendar.unit
        if self.period_ == "integer":
            raise ValueError(
                f"The time column {time!r} holds integers, but holidays need dates. "
                "Convert it with pd.to_datetime."
            )
        shares = self._shares(frame)
        self.holidays_ = self._chosen(frame, shares)
        check_new_names(frame.columns, self._names(), "holiday column")

    def _chosen(self, frame, shares):
        """Return the holidays that are asked for, or those that fall in the rows."""
        if self.names is None:
            chosen = sorted(name for name, share in shares.items() if share.any())
            if not chosen and not self.pooled:
                raise ValueError(
                    f"No holiday falls in the rows of X, {self._window(frame)}, so "
                    "there is no column to make. Use more rows, or pooled=True."
                )
            return chosen
        chosen = [str(name) for name in np.asarray(self.names).ravel()]
        for name in chosen:
            if name not in shares:
                like = closest(name, shares)
                hint = f"Did you mean {like!r}? " if like else ""
                raise ValueError(
                    f"names has {name!r}, which is no holiday of X, "
                    f"{self._window(frame)}. {hint}Known: {listed(sorted(shares))}."
                )
        return sorted(set(chosen))

    def _window(self, frame):
        """Say from when to when the rows go."""
        _, time = self._columns
        period = self._calendar.ordinals(frame[time], time)
        first, last = (self._calendar.label(p) for p in (period.min(), period.max()))
        return f"{first} to {last}"

    def _names(self):
        if self.time is None:
            return []
        if self.pooled:
            return ["holiday"]
        return [f"holiday_{name}" for name in self.holidays_]

    def _names_out(self, names):
        return [*names, *self._names()]

    def _apply(self, frame):
        columns = dict.fromkeys(frame.columns)
        if self.time is None:
            return columns
        self._warn_ended(frame)
        shares = self._shares(frame, pooled=self.pooled)
        none = np.zeros(len(frame))
        made = ["holiday"] if self.pooled else self.holidays_
        values = [shares.get(name, none) for name in made]
        return columns | dict(zip(self._names(), values, strict=True))

    def _shares(self, frame, pooled=False):
        """Return the share of holidays in each row, (n_rows,), by their name.

        With `pooled`, of all that count as one, which is called "holiday".
        """
        _, time = self._columns
        first, n_days = self._calendar.days(frame[time], time)
        reach = np.arange(-self.lead, self.lag + 1)
        shares: dict = {}
        for rows, dates in self._dates(frame, first, first + n_days - 1):
            begin, length = first[rows], n_days[rows]
            if pooled:
                counted = [d for name, d in dates.items() if self._counts(name)]
                dates = {"holiday": np.unique(np.concatenate([[], *counted]))}
            for name, days in dates.items():
                near = np.unique(days[:, None] + reach)
                n_near = np.searchsorted(near, begin + length)
                n_near -= np.searchsorted(near, begin)
                share = shares.setdefault(name, np.zeros(len(frame)))
                share[rows] = n_near / length
        return shares

    def _counts(self, name):
        """Say whether a holiday is part of the pooled column."""
        return self.names is None or name in self.holidays_

    def _dates(self, frame, first, last):
        """Yield rows with the same holidays, and the dates of these by name."""
        region, _ = self._columns
        codes, regions = np.array(""), np.array("")
        if self.country is not None:
            codes = self._codes(frame)
        if self._table is not None and "region" in self._table:
            regions = region_values(frame, region)
        keys = pd.DataFrame({"code": codes, "region": regions}, index=range(len(frame)))
        for (code, of), rows in keys.groupby(["code", "region"]).indices.items():
            dates: dict = {}
            if code:
                dates = dates_of_country(code, first[rows].min(), last[rows].max())
            if self._table is not None:
                for name, days in dates_of_table(self._table, of).items():
                    dates[name] = np.union1d(dates.get(name, days), days)
            yield rows, dates

    def _codes(self, frame):
        """Return the code of the country of every row, shape (n_rows,)."""
        region, time = self._columns
        where = row_namer(frame, region, time)
        if isinstance(self.country, str) and self.country not in frame.columns:
            check_code(self.country, "country, which is no column of X")
            return np.full(len(frame), self.country)
        if isinstance(self.country, str):
            column = frame[self.country]
            missing = np.flatnonzero(column.isna().to_numpy())
            if len(missing):
                raise ValueError(
                    f"The column {self.country!r} has no country for "
                    f"{where(missing[0])}. Every row needs one."
                )
            codes, of = column.astype(str).to_numpy(), f"The column {self.country!r}, "
        else:
            codes, of = _codes_of_regions(self.country, frame, region), "country, "
        for code, row in zip(*np.unique(codes, return_index=True), strict=True):
            check_code(code, f"{of}{where(row)}")
        return codes

    def _warn_ended(self, frame):
        """Warn of own dates that returned every year and lack in the latest rows."""
        if self._table is None:
            return
        _, time = self._columns
        first, _ = self._calendar.days(frame[time], time)
        latest = first.max().astype("datetime64[D]")
        table = self._table[self._table["name"].isin(self.holidays_)]
        ended = [
            name
            for name, days in table.groupby("name")["day"]
            if days.dt.year.nunique() > 1 and latest - days.max() > _LATEST
        ]
        if ended:
            last = table.loc[table["name"].isin(ended), "day"].max()
            warn_user(
                f"The table of dates has no day of {in_words(ended)} after "
                f"{last.date()}, but X goes to {latest}. If they return, add their "
                "days and fit again."
            )


def _check_regions(table, values):
    """Raise if own dates are of regions that X does not have."""
    if "region" not in table:
        return
    known = np.unique(values)
    foreign = [name for name in table["region"].unique() if name not in set(known)]
    if foreign:
        raise ValueError(
            f"The table of dates has the region {foreign[0]!r}, which X has not. It "
            f"has {in_words(known.tolist())}."
            f"{did_you_mean(str(foreign[0]), [str(name) for name in known])}"
        )


def _codes_of_regions(country, frame, region):
    """Return the code that a mapping has for the region of every row."""
    if region is None:
        raise ValueError(
            "country maps regions to codes, but region=None. Name the region column, "
            "or pass one code."
        )
    names, place = np.unique(region_values(frame, region), return_inverse=True)
    lacks = [name for name in names.tolist() if name not in country]
    if lacks:
        raise ValueError(
            f"country has no code for the region{'s' if len(lacks) > 1 else ''} "
            f"{in_words(lacks)} of X. It has those of {in_words([*country])}."
        )
    return np.array([str(country[name]) for name in names.tolist()])[place]
