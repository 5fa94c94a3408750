"""Rows of a table of experiments from what other software reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import norm

from skmmm._data.experiments import check_row
from skmmm._utils.docs import shared_docs
from skmmm.experiments._panel import check_share

_LOPSIDED = 1.5  # ratio of the longer to the shorter side of an interval worth a word
_AGREES = 0.02  # relative difference of two reports of one number

_PARAMETERS = """
media : str or list of str
    Whose spend was changed.
start, end : datetime, Period, str or int
    First and last period of the change, as the time column of X has them. Of a test of
    days in a table of weeks, those weeks that it fills: one of 15 days that ends on a
    Monday would count as three whole weeks.
regions : list of region labels or None, default=None
    Where it was changed; None: everywhere.
n_periods : int
    Periods over which the estimate is an average, as that software counted them (days,
    if its data are daily); 1 if it is their total.
n_regions : int
    Regions over which the estimate is an average; 1 if it is their total.
std_error : float, default=None
    Of the estimate, in its units. One of `std_error`, `interval` and `p_value` is
    needed.
interval : tuple of float, default=None
    Low and high end of an interval of the estimate. The standard error is half its
    width by that of a standard normal, also where one side is longer.
confidence_level : float, default=0.9
    Of the interval.
p_value : float, default=None
    Two-sided, of no effect. The standard error is that of a normal estimate with this
    p-value.
**columns
    Other columns of the table: ``change`` or ``spend_change``, ``cooldown``,
    ``bias_sd`` and so on; see "Experiments" in the user guide. ``observed`` is
    "treated" here if it is not given: X shows the spend with the change.
"""

_RETURNS = """
table : DataFrame
    Rows for the parameter `experiments` of
    :class:`~skmmm.DeepCausalMMMRegressor`, in total KPI units. The column ``note`` says
    in words what was multiplied with what.
"""


@shared_docs(_PARAMETERS, returns=_RETURNS)
def from_average(
    average: float,
    *,
    media: Any,
    start: Any,
    end: Any,
    regions: Sequence[Any] | None = None,
    n_periods: int,
    n_regions: int,
    std_error: float | None = None,
    interval: Sequence[float] | None = None,
    confidence_level: float = 0.9,
    p_value: float | None = None,
    **columns: Any,
) -> pd.DataFrame:
    """Make a row of experiments from an average effect per region and period.

    A table of experiments has totals: ``average * n_regions * n_periods``, and its
    standard error likewise.

    Parameters
    ----------
    average : float
        Effect per region and period in KPI units: with the change less without it.

    Raises
    ------
    ValueError
        If a number is missing or does not fit the others, or the error is said not
        exactly once.

    See Also
    --------
    from_lift : From a relative lift.
    GeoLiftRegressor : Analyse a geo test here.

    Examples
    --------
    >>> from skmmm.experiments import from_average
    >>> table = from_average(
    ...     155.6, std_error=60.0, n_regions=2, n_periods=15,
    ...     media="tv", start="2021-04-01", end="2021-04-15",
    ...     regions=["chicago", "portland"], change=1.5,
    ... )
    >>> table[["estimate", "std_error"]].to_numpy().tolist()
    [[4668.0, 1800.0]]
    >>> table["note"].item()
    '155.6 per region and period x 2 regions x 15 periods = 4668'
    """
    value = _number("average", average)
    error, how = _error(value, std_error, interval, confidence_level, p_value)
    factor, words = _times(n_regions, n_periods)
    _check_n_regions(n_regions, regions)
    of_each = " per ".join(["", *_averaged_over(n_regions, n_periods)])
    note = f"{value:.10g}{of_each}{words} = {value * factor:.10g}{how}"
    place = {"media": media, "start": start, "end": end, "regions": regions}
    return _row(place, value * factor, error * factor, columns, note)


@shared_docs(_PARAMETERS, returns=_RETURNS)
def from_lift(
    lift: float,
    *,
    counterfactual: float,
    media: Any,
    start: Any,
    end: Any,
    regions: Sequence[Any] | None = None,
    std_error: float | None = None,
    interval: Sequence[float] | None = None,
    confidence_level: float = 0.9,
    p_value: float | None = None,
    **columns: Any,
) -> pd.DataFrame:
    """Make a row of experiments from a relative lift.

    Parameters
    ----------
    lift : float
        Share of the KPI without the change: .054 is 5.4 %. `std_error` and `interval`
        are shares, too.
    counterfactual : float
        KPI without the change, in total over the regions and periods of the test. Of
        what was observed, it is ``observed / (1 + lift)``.

    Raises
    ------
    ValueError
        If a number is missing, does not fit the others, or looks like percent.

    See Also
    --------
    from_average : From an effect in KPI units.

    Examples
    --------
    >>> from skmmm.experiments import from_lift
    >>> table = from_lift(
    ...     0.05, counterfactual=86_400.0, interval=(0.02, 0.08),
    ...     media="tv", start="2021-04-01", end="2021-04-15", change=1.5,
    ... )
    >>> table[["estimate", "std_error"]].round().to_numpy().tolist()
    [[4320.0, 1576.0]]
    """
    share = _number("lift", lift)
    check_share(share, "lift")
    total = _number("counterfactual", counterfactual)
    if total <= 0:
        raise ValueError(
            f"counterfactual={total:g} must be above zero: the KPI without the change, "
            "in total over the regions and periods of the test."
        )
    error, how = _error(share, std_error, interval, confidence_level, p_value)
    check_share(error, "The standard error of lift")
    note = f"{share:.10g} x {total:.10g} without the change = {share * total:.10g}{how}"
    place = {"media": media, "start": start, "end": end, "regions": regions}
    return _row(place, share * total, error * total, columns, note)


@shared_docs(_PARAMETERS, returns=_RETURNS)
def from_geolift(
    result: Any,
    *,
    media: Any,
    start: Any,
    end: Any,
    regions: Sequence[Any],
    n_periods: int,
    confidence_level: float = 0.9,
    stat_test: Literal["Total", "Positive", "Negative"] = "Total",
    **columns: Any,
) -> pd.DataFrame:
    """Make a row of experiments from an analysis by the R package GeoLift.

    Parameters
    ----------
    result : mapping, Series or DataFrame with one row
        ``GeoTest$inference``, say from a file that R wrote: ``ATT``, the average effect
        per location and period, and ``Lower.Conf.Int`` with ``Upper.Conf.Int`` or, if
        these are empty, ``pvalue``. The names of ``summary(GeoTest)`` are read, too:
        ``ATT_est``, ``LowerCI``, ``UpperCI``; and ``incremental``, if there, has to be
        the product.
    regions : list of region labels
        The test locations, as X calls them.
    n_periods : int
        Treatment periods, as GeoLift prints them: "15 treatment periods".
    confidence_level : float, default=0.9
        One less GeoLift's `alpha`.
    stat_test : {"Total", "Positive", "Negative"}, default="Total"
        GeoLift's parameter of that name: p-values of the last two are one-sided.

    Raises
    ------
    ValueError
        If a number is missing or does not fit the others.

    Notes
    -----
    GeoLift's p-value comes from residuals of the fit, which are too small where the
    synthetic control was chosen to make them so. :class:`GeoLiftRegressor` takes the
    error from placebos out of sample.

    Examples
    --------
    >>> from skmmm.experiments import from_geolift
    >>> inference = {"ATT": 155.6, "Perc.Lift": 5.4, "pvalue": 0.013}
    >>> table = from_geolift(
    ...     inference, n_periods=15, regions=["chicago", "portland"],
    ...     media="tv", start="2021-04-01", end="2021-04-15", change=1.5,
    ... )
    >>> table[["estimate", "std_error"]].round().to_numpy().tolist()
    [[4668.0, 1879.0]]
    """
    reported = _one_row(result)
    average = _named(reported, "ATT", "ATT_est")
    if average is None:
        raise ValueError(
            f"result has no 'ATT', only {list(reported)}. Pass GeoTest$inference."
        )
    if isinstance(regions, str) or not len(regions):
        raise ValueError(f"regions={regions!r} must be a list of the test locations.")
    interval = (
        _named(reported, "Lower.Conf.Int", "LowerCI"),
        _named(reported, "Upper.Conf.Int", "UpperCI"),
    )
    if stat_test not in ("Total", "Positive", "Negative"):
        raise ValueError(f"stat_test={stat_test!r}: use Total, Positive or Negative.")
    p_value = _named(reported, "pvalue")
    if p_value is not None and stat_test != "Total":
        p_value = 2 * _number("pvalue", p_value)
    table = from_average(
        average,
        media=media,
        start=start,
        end=end,
        regions=regions,
        n_periods=n_periods,
        n_regions=len(regions),
        interval=None if None in interval else interval,
        confidence_level=confidence_level,
        p_value=p_value if None in interval else None,
        **columns,
    )
    total = _named(reported, "incremental")
    if total is not None and not np.isclose(
        _number("incremental", total), table["estimate"].item(), rtol=_AGREES
    ):
        raise ValueError(
            f"result says {total:g} incremental, but its ATT makes "
            f"{table['note'].item().partition(';')[0]}. Check regions and n_periods."
        )
    return table


@shared_docs(_PARAMETERS, returns=_RETURNS)
def from_causalpy(
    result: Any,
    *,
    media: Any,
    start: Any,
    end: Any,
    regions: Sequence[Any] | None = None,
    n_regions: int,
    n_periods: int | None = None,
    confidence_level: float = 0.95,
    **columns: Any,
) -> pd.DataFrame:
    """Make a row of experiments from an effect summary of CausalPy.

    Parameters
    ----------
    result : DataFrame, or object with a `table`
        ``experiment.effect_summary()``. Its row "cumulative" is the total over periods
        (synthetic control, interrupted time series); without it, "average" or
        "treatment_effect" (difference in differences) is an effect per period. Columns
        ``mean``, ``hdi_lower`` and ``hdi_upper``, or ``ci_lower`` and ``ci_upper``.
    n_regions : int
        Treated regions, if the outcome that was modelled is their mean or that of each;
        1 if it is their sum.
    n_periods : int, default=None
        Periods that the effect lasted; not used with a row "cumulative".
    confidence_level : float, default=0.95
        One less CausalPy's `alpha`.

    Raises
    ------
    ValueError
        If a row or number is missing or does not fit the others.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.experiments import from_causalpy
    >>> summary = pd.DataFrame(
    ...     {"mean": [12.0, 96.0], "hdi_lower": [4.0, 32.0], "hdi_upper": [20.0, 160]},
    ...     index=["average", "cumulative"],
    ... )
    >>> table = from_causalpy(
    ...     summary, n_regions=3, media="tv", start="2023-03-06", end="2023-04-24",
    ...     change=1.5,
    ... )
    >>> table["estimate"].item()
    288.0
    """
    summary = getattr(result, "table", result)
    if not isinstance(summary, pd.DataFrame):
        raise ValueError("result must be effect_summary() of an experiment.")
    rows = ("cumulative", "average", "treatment_effect")
    kind = next((row for row in rows if row in summary.index), None)
    if kind is None:
        raise ValueError(
            f"result has the rows {list(summary.index)}, none of {list(rows)}. Pass "
            "the estimate to from_average."
        )
    if kind == "cumulative":
        n_periods = 1
    elif n_periods is None:
        raise ValueError(
            f"The row {kind!r} is an effect per period. Say in n_periods for how many "
            "periods it lasted."
        )
    reported = summary.loc[kind].to_dict()
    low, high = (_named(reported, f"hdi_{s}", f"ci_{s}") for s in ("lower", "upper"))
    return from_average(
        reported.get("mean"),
        media=media,
        start=start,
        end=end,
        regions=regions,
        n_periods=n_periods,
        n_regions=n_regions,
        interval=None if low is None or high is None else (low, high),
        confidence_level=confidence_level,
        **columns,
    )


@shared_docs(_PARAMETERS, returns=_RETURNS)
def from_geox(
    result: Any,
    *,
    media: Any,
    start: Any = None,
    end: Any = None,
    **columns: Any,
) -> pd.DataFrame:
    """Make rows of experiments from an analysis by Meridian GeoX, one per cell.

    Its lift is a total over regions and periods. For a cell that went dark it is what
    was lost, above zero; here that is a negative estimate.

    Parameters
    ----------
    result : AnalysisResult
        What ``geox.analyze`` returned, of version 1.
    media : str, list of str, or dict of cell to these
        Whose spend was changed.
    start, end : datetime, Period, str or int, default=None
        First and last period of the change, as the time column of X has them. None:
        first and last day of the analysis, which includes a cooldown.
    **columns
        Other columns of the table, a value or a dict of cell to value: ``change`` or
        ``spend_change``, ``cooldown``, ``bias_sd`` and so on; see "Experiments" in the
        user guide. ``observed`` is "treated" here if it is not given.

    Raises
    ------
    ValueError
        If a number is missing or a cell has no value.

    Examples
    --------
    >>> from types import SimpleNamespace as Part
    >>> from skmmm.experiments import from_geox
    >>> cell = Part(treatment_geos=["Berlin", "Hamburg"])
    >>> design = Part(
    ...     designs={"cell_1": cell}, design_config=Part(experiment_types="GO_DARK")
    ... )
    >>> lift = Part(point_estimate=820.0, standard_deviation=160.0)
    >>> result = Part(  # geox.analyze(data, config) has these and more
    ...     results={"cell_1": Part(lift=lift)},
    ...     analysis_config=Part(
    ...         design=design,
    ...         analysis_start_date="2024-03-04",
    ...         analysis_end_date="2024-03-31",
    ...     ),
    ... )
    >>> table = from_geox(result, media="tv", spend_change=-41_000.0)
    >>> table["estimate"].item()
    -820.0
    """
    config = result.analysis_config
    design = config.design
    kinds = design.design_config.experiment_types
    tables = []
    for cell, metrics in result.results.items():
        kind = kinds.get(cell) if isinstance(kinds, Mapping) else kinds
        dark = getattr(kind, "name", kind) == "GO_DARK"
        lift = metrics.lift
        value = _number(f"lift of {cell}", lift.point_estimate) * (-1 if dark else 1)
        place = {
            "media": _of_cell(media, cell, "media"),
            "start": config.analysis_start_date if start is None else start,
            "end": config.analysis_end_date if end is None else end,
            "regions": sorted(design.designs[cell].treatment_geos),
        }
        error = _number(f"standard_deviation of {cell}", lift.standard_deviation)
        note = f"total lift of {cell}"
        if dark:
            note += ", below zero because it went dark"
        own = {name: _of_cell(v, cell, name) for name, v in columns.items()}
        tables.append(_row(place, value, error, own, note))
    return pd.concat(tables, ignore_index=True)


def _row(
    place: dict[str, Any],
    estimate: float,
    std_error: float,
    columns: dict[str, Any],
    note: str,
) -> pd.DataFrame:
    """Return a table of one row, checked as far as that goes without X."""
    row = {k: _in_a_file(v) for k, v in place.items()}
    row |= {"estimate": estimate, "std_error": std_error}
    taken = [name for name in columns if name in (*row, "measure", "note")]
    if taken:
        raise ValueError(f"{taken[0]} follows from what is reported: leave it out.")
    row |= {"observed": "treated"} | columns | {"note": note}
    table = pd.DataFrame({name: [value] for name, value in row.items()})
    check_row(table)
    return table


def _in_a_file(value: Any) -> Any:
    """Return several labels as one text, which a file keeps; others as they are."""
    several = isinstance(value, list | tuple) and all(
        isinstance(label, str) and ";" not in label for label in value
    )
    return "; ".join(value) if several and len(value) else value


def _check_n_regions(n_regions: int, regions: Sequence[Any] | None) -> None:
    """Raise if an average is over other regions than those that are named."""
    if regions is None or isinstance(regions, str):
        return
    if n_regions not in (1, len(regions)):
        raise ValueError(
            f"n_regions={n_regions!r}, but regions names {len(regions)}. Write that, "
            "or 1 if the estimate is their total."
        )


def _number(name: str, value: Any) -> float:
    """Return a finite number, or raise with its name."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{name}={value!r} is no number. Fill it in.")
    return number


def _times(n_regions: int, n_periods: int) -> tuple[float, str]:
    """Return what an average is multiplied with, and that in words."""
    for name, count in (("n_regions", n_regions), ("n_periods", n_periods)):
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name}={count!r} must be a whole number, 1 or more.")
    counts = (("regions", n_regions), ("periods", n_periods))
    words = [f" x {count} {name}" for name, count in counts if count > 1]
    return float(n_regions * n_periods), "".join(words) or " in total"


def _averaged_over(n_regions: int, n_periods: int) -> list[str]:
    """Return what an average is per, nothing or one phrase."""
    counts = (("region", n_regions), ("period", n_periods))
    names = [name for name, count in counts if count > 1]
    return [" and ".join(names)] if names else []


def _error(
    estimate: float,
    std_error: float | None,
    interval: Sequence[float] | None,
    confidence_level: float,
    p_value: float | None,
) -> tuple[float, str]:
    """Return a standard error, and in words how it was found."""
    given = [v is not None for v in (std_error, interval, p_value)]
    if sum(given) != 1:
        raise ValueError(
            "Say how sure the estimate is by one of std_error, interval and p_value; "
            f"{sum(given)} are given."
        )
    if std_error is not None:
        return _number("std_error", std_error), ""
    if interval is not None:
        return _half_width(estimate, interval, confidence_level)
    p = _number("p_value", p_value)
    if not 0 < p < 1:
        raise ValueError(
            f"p_value={p:g} says nothing of a standard error: it has to be between 0 "
            "and 1. Pass an interval."
        )
    if estimate == 0:
        raise ValueError(
            "An estimate of 0 has the p_value 1 whatever its error. Pass an interval."
        )
    return abs(estimate) / norm.isf(p / 2), f"; std_error from p = {p:g}"


def _half_width(
    estimate: float, interval: Sequence[float], confidence_level: float
) -> tuple[float, str]:
    """Return the standard error that an interval stands for, and that in words."""
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level={confidence_level!r} must be between 0 and 1."
        )
    if len(interval) != 2:
        raise ValueError(f"interval={interval!r} must be a low and a high end.")
    low, high = (_number(f"interval[{i}]", end) for i, end in enumerate(interval))
    if low >= high:
        raise ValueError(
            f"The low end of the interval ({low:g}) is not below its high end "
            f"({high:g})."
        )
    if not low <= estimate <= high:
        raise ValueError(
            f"The estimate {estimate:g} is not inside its interval, {low:g} to "
            f"{high:g}. Check that both have the same units and sign."
        )
    z = norm.ppf((1 + confidence_level) / 2)
    words = f"; std_error: half of the {confidence_level:.0%} interval over {z:.3f}"
    sides = sorted([estimate - low, high - estimate])
    if sides[1] > _LOPSIDED * sides[0]:
        words += ", whose sides differ"
    return (high - low) / 2 / z, words


def _one_row(result: Any) -> dict[str, Any]:
    """Return a report as a dict of its names."""
    if isinstance(result, pd.DataFrame):
        if len(result) != 1:
            raise ValueError(f"result has {len(result)} rows. Pass one.")
        return result.iloc[0].to_dict()
    if not isinstance(result, Mapping | pd.Series):
        raise ValueError(
            f"result must be a mapping, Series or DataFrame, got {type(result)}."
        )
    return dict(result)


def _named(reported: dict[str, Any], *names: str) -> Any:
    """Return the first value of these names that is there and not empty."""
    values = (reported.get(name) for name in names)
    return next((v for v in values if v is not None and not pd.isna(v)), None)


def _of_cell(value: Any, cell: str, name: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    if cell not in value:
        raise ValueError(f"{name} has no entry for the cell {cell!r}.")
    return value[cell]
