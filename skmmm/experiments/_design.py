"""Design of a geo test: which regions, and what it will be able to tell."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.utils import check_random_state

from skmmm._data.checks import (
    as_frame,
    check_non_negative_media,
    numeric_block,
    resolve_column,
    resolve_many,
)
from skmmm._data.tables import row_namer
from skmmm._utils.sklearn import Interval, StrOptions, validate_params
from skmmm._utils.typing import Array, Column, Columns, Seed, Table
from skmmm.experiments._candidates import (
    draw_candidates,
    rescore_designs,
    score_designs,
)
from skmmm.experiments._panel import check_share, find_regions, read_kpi
from skmmm.experiments._synthetic_control import settings_for

_COUNT = Interval(Integral, 1, None, closed="left")
# So many that the best of the designs is not the one with few and lucky placebos.
_N_PLACEBOS = 500
_SHARE = Interval(Real, 0, 1, closed="neither")


@validate_params(
    {
        "region": [str, Integral],
        "time": [str, Integral],
        "n_regions": [_COUNT, "array-like"],
        "n_periods": [_COUNT],
        "lift": [Interval(Real, 0, None, closed="neither"), None],
        "change": [Interval(Real, 0, None, closed="left"), None],
        "roi": [Interval(Real, 0, None, closed="neither"), None],
        "cooldown": [Interval(Integral, 0, None, closed="left")],
        "method": [StrOptions({"synthetic_control", "difference"})],
        "exclude": ["array-like", str],
        "force": ["array-like", str],
        "max_share": [Interval(Real, 0, 1, closed="right")],
        "alpha": [_SHARE],
        "power": [_SHARE],
        "n_candidates": [_COUNT],
        "n_designs": [_COUNT],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def design_experiment(
    X: Table,
    y: npt.ArrayLike,
    *,
    region: Column,
    time: Column,
    n_regions: int | Sequence[int],
    n_periods: int,
    lift: float | None = None,
    media: Columns = None,
    change: float | None = None,
    roi: float | None = None,
    cooldown: int = 0,
    method: Literal["synthetic_control", "difference"] = "synthetic_control",
    exclude: Sequence[Any] | str = (),
    force: Sequence[Any] | str = (),
    max_share: float = 0.3,
    alpha: float = 0.1,
    power: float = 0.8,
    n_candidates: int = 500,
    n_designs: int = 20,
    random_state: Seed = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Compare sets of regions in which a test could run after the last period of X.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_samples, n_features)
        Long table with one row per region and period, in any order.
    y : array-like of shape (n_samples,)
        KPI, without a test.
    region, time : str or int
        Name or position of the column.
    n_regions : int or list of int
        Treated regions; several numbers to compare.
    n_periods : int
        Periods of the test.
    lift : float, default=None
        Effect to find, as a share of the treated regions' KPI, at most 1: .05 is five
        percent. None: what `change` causes if the return is `roi`.
    media : str, int or list of these, default=None
        Columns with the spend that the test changes, in money. None: the cost is not
        known.
    change : float, default=None
        Factor on spend: 0 = off, 1.3 = 30 % more. Needs `media`.
    roi : float, default=None
        KPI per unit of money that is expected of the change; instead of `lift`.
    cooldown : int, default=0
        Periods after the test that the effect includes.
    method : {"synthetic_control", "difference"}, default="synthetic_control"
        Of the analysis, as in :class:`GeoLiftRegressor`.
    exclude : list of region labels or str, default=()
        Regions that are neither treated nor controls.
    force : list of region labels or str, default=()
        Regions that are treated in any case.
    max_share : float, default=0.3
        Largest share in the KPI of the treated regions together.
    alpha : float, default=0.1
        Two-sided significance level.
    power : float, default=0.8
        Probability with which `mde` is found.
    n_candidates : int, default=500
        Sets compared for each number of regions.
    n_designs : int, default=20
        Sets returned, whose errors are worked out as in the analysis.
    random_state : int, RandomState instance or None, default=None
        Draws the sets. Pass an int for the same result at every call.
    n_jobs : int, default=None
        Processes, as in :class:`joblib.Parallel`.

    Returns
    -------
    designs : DataFrame
        One row per set, best first: of those that find the effect with `power`, the
        cheapest first; then the others by power.

        - ``regions``, a list, and ``n_regions``;
        - ``mde``: least effect that is found with `power`, in KPI units (total), and
          ``mde_lift`` as a share of ``kpi_at_risk``;
        - ``power`` at the effect to find, and this ``effect`` in KPI units;
        - ``std_error`` of the total effect;
        - ``kpi_at_risk``: KPI of the treated regions in a window like this,
          ``share`` of theirs in the KPI of all;
        - ``spend_change``, money spent more (negative: less), and ``mde_roi``, the
          return that is found with `power`; missing without `media` and `change`;
        - ``r2``: share of the movement between windows that controls explain, out of
          sample; ``imbalance``: error of the weights before the test relative to that
          of shares in the KPI;
        - ``reason``, a sentence.

    Raises
    ------
    ValueError
        If a column or region is not there, there are too few periods, no set is within
        `max_share`, or nothing says which effect is to be found.

    See Also
    --------
    GeoLiftRegressor : Analyse the test.
    design_flights : A test without regions.

    Notes
    -----
    **Candidates.** A third of them are drawn at random, a third with one region of each
    stratum by size, a third by correlation with the other regions.

    **Minimum detectable effect.** With the standard error that the analysis will have,

    .. math::

        \\mathrm{MDE} = s \\, (q_{1-\\alpha/2} + q_{\\mathrm{power}}),

    q being quantiles of its t distribution. The standard error comes from placebo
    windows, explained by weights and a level from periods before them, and is moderated
    by that of sets of controls. The best of many candidates was also lucky in its few
    windows: by how much is told by the best of half of the windows in the other half,
    and added. Designs judged by how well they fit promise more than they hold [1]_.

    **Cost.** KPI and spend in a window are those of the last year, or of all periods.

    References
    ----------
    .. [1] Kerman, J., Wang, P. and Vaver, J. (2017). Estimating ad effectiveness using
       geo experiments in a time-based regression framework. Google Inc.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.experiments import design_experiment
    >>> panel = make_mmm_panel(16, 104, random_state=0)
    >>> designs = design_experiment(
    ...     panel.X, panel.y, region="region", time="week", n_regions=[3, 5],
    ...     n_periods=6, media="media_1", change=0.0, lift=0.1, n_candidates=50,
    ...     random_state=0,
    ... )
    >>> regions = designs["regions"].iloc[0]
    >>> bool((designs["share"] <= 0.3).all())
    True
    """
    _check_effect(lift, media, change, roi)
    frame = as_frame(X)
    kpi, calendar = read_kpi(frame, y, region, time, exclude)
    kpi = kpi.drop(columns=find_regions(exclude, kpi.columns, "exclude"))
    forced = kpi.columns.get_indexer(find_regions(force, kpi.columns, "force"))
    length = n_periods + cooldown
    _check_length(len(kpi), length)
    rng = check_random_state(random_state)
    settings = settings_for(method, len(kpi), calendar.week)
    recent = int(min(len(kpi), max(calendar.season_length, length)))
    spend = _spend_per_period(frame, kpi, media, region, time, calendar, recent)
    values, tables = kpi.to_numpy(), []
    scoring = {"n_placebos": _N_PLACEBOS, "rng": rng, "n_jobs": n_jobs}
    for size in np.unique(np.atleast_1d(n_regions)).tolist():
        _check_size(size, len(forced), kpi.shape[1])
        sets = draw_candidates(rng, values, size, n_candidates, forced, max_share)
        if len(sets):
            found = score_designs(values, sets, length, settings, **scoring)
            tables.append(_table(found, kpi, recent, length))
    _check_found(tables, n_regions, max_share)
    table = pd.concat(tables, ignore_index=True)
    money = None if spend is None else spend * n_periods
    table = _with_effect(table, money, lift, change, roi)
    table = _ranked(table, alpha, power).head(n_designs)
    for _, rows in table.groupby("n_regions"):
        sets = np.stack(rows["positions"].to_list())
        error, df = rescore_designs(values, sets, length, settings, **scoring)
        exact = np.column_stack([error * rows["luck"].to_numpy(), df])
        table.loc[rows.index, ["std_error", "df"]] = exact
    table = _ranked(table, alpha, power)
    table["regions"] = [list(kpi.columns[chosen]) for chosen in table["positions"]]
    table["reason"] = [_reason(row, power) for row in table.to_dict("records")]
    return table[_COLUMNS]


def _check_effect(lift, media, change, roi):
    check_share(lift or 0.0, "lift")
    if (change is None) != (media is None):
        raise ValueError("media and change go together: name both or neither.")
    if change == 1:
        raise ValueError("change=1 changes nothing; name another factor.")
    if (lift is None) == (roi is None):
        raise ValueError("Name the effect to find: either lift or roi.")
    if roi is not None and change is None:
        raise ValueError("roi needs media and change, which say how much is spent.")


def _check_length(n_periods, length):
    needed = max(2 * length, length + 4)
    if n_periods < needed:
        raise ValueError(
            f"X has {n_periods} periods; a test of {length} (cooldown included) needs "
            f"{needed}, from which placebos of its length are taken."
        )


def _check_size(size, n_forced, n_known):
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"n_regions={size!r} must be a number of regions.")
    if size < n_forced:
        raise ValueError(f"n_regions={size}, but force names {n_forced} regions.")
    if n_known - size < 2:
        raise ValueError(
            f"n_regions={size} of {n_known} regions leaves {n_known - size} controls; "
            "at least two are needed."
        )


def _check_found(tables, n_regions, max_share):
    if not tables:
        raise ValueError(
            f"No set of {n_regions} regions was found with a share of at most "
            f"max_share={max_share} in the KPI. Raise it, or treat fewer regions."
        )


def _spend_per_period(frame, kpi, media, region, time, calendar, recent):
    """Return the mean spend of each region per period, None without media."""
    if media is None:
        return None
    labels = resolve_many(frame, media, "media")
    region = resolve_column(frame, region, "region")
    time = resolve_column(frame, time, "time")
    where = row_namer(frame, region, time)
    block = numeric_block(frame, labels, where)
    check_non_negative_media(block, labels, where, "design_experiment")
    period = calendar.ordinals(frame[time], time)
    late = period >= len(kpi) - recent
    names = frame[region].to_numpy()
    names = names if kpi.columns.dtype.kind in "iuf" else names.astype(str)
    spent = pd.Series(block.sum(axis=1)[late]).groupby(names[late]).sum() / recent
    return spent.reindex(kpi.columns).to_numpy()


def _table(found, kpi, recent, length):
    """Return what is known of each set, whatever the treatment."""
    mean = kpi.iloc[-recent:].mean().to_numpy()
    total = mean[found.sets].sum(axis=1)
    strongest = np.argsort(-found.weights * mean, axis=1)[:, :2]
    return pd.DataFrame(
        {
            "positions": list(found.sets),
            "n_regions": found.sets.shape[1],
            "std_error": found.std_error * found.luck,
            "luck": found.luck,
            "df": found.df,
            "kpi_at_risk": length * total,
            "share": total / mean.sum(),
            "r2": found.r2,
            "imbalance": found.imbalance,
            "controls": [list(kpi.columns[chosen]) for chosen in strongest],
            "n_windows": found.n_windows,
        }
    )


def _with_effect(table, money, lift, change, roi):
    """Add what the treatment costs, and the effect to be found."""
    spend_change = np.full(len(table), np.nan)
    if money is not None:
        spent = [money[chosen].sum() for chosen in table["positions"]]
        spend_change = (change - 1) * np.array(spent)
    effect = lift * table["kpi_at_risk"] if roi is None else roi * np.abs(spend_change)
    return table.assign(spend_change=spend_change, effect=effect)


def _ranked(table, alpha, power):
    """Add what is found how surely; return designs best first."""
    error, df = table["std_error"], table["df"]
    mde = error * (stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df))
    money = table["spend_change"].abs()
    table = table.assign(
        mde=mde,
        mde_lift=mde / table["kpi_at_risk"],
        mde_roi=mde / money.where(money > 0),
        power=power_of(table["effect"] / error, df, alpha),
    )
    enough = table["power"] >= power
    cost = money.fillna(table["kpi_at_risk"])
    order = np.lexsort((-table["power"], np.where(enough, cost, 0.0), ~enough))
    return table.iloc[order].reset_index(drop=True)


def power_of(z: Array, df: Array, alpha: float) -> Array:
    """Return the probability to find effects of so many standard errors."""
    critical = stats.t.ppf(1 - alpha / 2, df)
    return stats.t.sf(critical - z, df) + stats.t.cdf(-critical - z, df)


_COLUMNS = [
    "regions",
    "n_regions",
    "mde",
    "mde_lift",
    "effect",
    "power",
    "std_error",
    "kpi_at_risk",
    "share",
    "spend_change",
    "mde_roi",
    "r2",
    "imbalance",
    "reason",
]


def _reason(row, power):
    """Say what speaks for a design and against it."""
    finds = "finds" if row["power"] >= power else "misses"
    said = [
        f"{finds.capitalize()} the effect with power {row['power']:.2f}",
        f"least effect found {row['mde_lift']:.1%} of its KPI",
        f"{row['share']:.0%} of the KPI at risk",
    ]
    if np.isfinite(row["spend_change"]):
        more = "more" if row["spend_change"] > 0 else "less"
        said.append(f"{abs(row['spend_change']):,.0f} {more} spent")
    strongest = " and ".join(map(str, row["controls"]))
    explained = max(row["r2"], 0.0)
    said.append(
        f"controls, {strongest} first, explain {explained:.0%} of its movement in "
        f"{row['n_windows']} earlier windows"
    )
    return "; ".join(said) + "."
