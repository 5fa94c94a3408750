"""Contributions, returns and response curves of any fitted estimator."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch, check_array

from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Column, Columns, MediaCost, Seed, Table
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import By, Effect
from skmmm.inspection._support import STEP
from skmmm.inspection._verdicts import MIN_DRAWS

_FAR = 1e12  # times current spend: saturated
_GRID = np.linspace(0.0, 2.0, 21)  # times current spend


def channel_summary(
    estimator: Any,
    X: Table | None = None,
    *,
    confidence_level: float = 0.9,
    by: By = None,
    effect: Effect = "direct",
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
) -> pd.DataFrame:
    """Summarise what each channel caused, and what one more unit of spend would cause.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`: :class:`~skmmm.DeepCausalMMMRegressor`, a linear MMM,
        any pipeline or search.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers, alone or
        in groups.
    confidence_level : float in (0, 1), default=0.9
        Of the intervals.
    by : {"region", "period"} or None, default=None
        Also split by region or period.
    effect : {"direct", "total"}, default="direct"
        Total: contributions and spend of channels that others drive are credited and
        charged to the channels in which they originate, and ``mroi`` lets the others
        respond to one percent more. Spend of a child is charged to a parent if both
        columns are money (have a `media_cost`), or neither has.
    media : list of str or int, default=None
        Media columns of X. None: those of the estimator, or of the last step of a
        pipeline (``media_``).
    region, time : str or int, default=None
        Column with the region, and with the period. None: that of the estimator.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the columns. `DeepCausalMMMRegressor` knows its own.

    Returns
    -------
    summary : DataFrame indexed by channel, or by channel and region or period
        - ``spend``: in money where `media_cost` says what a unit costs, else in the
          units of X; what was paid, where `media_cost` of `DeepCausalMMMRegressor`
          names a column of X with the money (``mroi`` is then at the mean price);
        - ``contribution``: in KPI units; ``share`` of the predicted KPI;
        - ``roi``: KPI units per unit of spend, a return on investment only where the
          column is money; ``mroi``: KPI units per unit of spend if all spend of the
          channel grew by one percent. NaN without spend, and for media without a cost
          beside others that have one;
        - ``contribution_low``, ``contribution_high`` and so on: bounds of these three,
          NaN without draws;
        - ``verdict``: "data-driven", "prior-driven" (as expected before the data) or
          "not identified" (cannot be told from baseline or other channels; see
          `channel_groups`). It says how well the effect is known, not that it pays: the
          interval of ``roi`` of a "data-driven" channel may hold break-even (1, if KPI
          and spend are money). It is about the channel over all training rows, also
          where the table is split; None with fewer than eight draws;
        - ``alarm``: why spend, as it was placed, cannot tell the effect, over all
          training rows; "" without a reason. One of "follows past KPI", "reacts to
          the KPI of the same period", "anticipates the KPI", "one switch", "moves with
          a hidden event", "lowers the KPI", "moves in groups of regions, as the KPI
          does", "moves with other budgets, as demand does", "the KPI goes with it
          before it is spent", "seems to cause more than the whole KPI", "seems to act
          for longer than expected", "moves with a budget that rings an alarm", "says
          another effect than an experiment", "later rows surprised the model" and
          "draws cannot be trusted". The verdict is then "not identified"; the interval
          starts at nothing and the estimate is half of what moves with the channel (of
          what is expected of it, if the KPI moves its spend), unless `priors` say what
          it causes, the reason is only that the KPI goes with it before it is spent,
          that in one series it moves with a budget that rings an alarm, or one of the
          last two, or the alarm did not ring before `partial_fit`.

        The last two only where the estimator has them; predictions do not tell them.
        ``summary.attrs["verdict"]`` says why verdicts are None.

    Warns
    -----
    UserWarning
        If the media columns of a model look scaled, as by a step before it in a
        pipeline: returns are per unit of the scaled columns then. Ask for the summary
        of the whole pipeline and its X instead.

    Notes
    -----
    A contribution is what the KPI of the rows of X owes to the channel, with what
    earlier spend carries into them. ROI and marginal ROI are about the spend of X: what
    it causes in these rows and in later periods, inside training data as far as these
    go, for X in the future until its carry-over has run out (after X, whatever X
    spends, every region goes on as on average in the last year of training data). For
    direct effects they are what `response_curve` says (its marginal ROI is per unit of
    own spend), but that ROI holds half of what a pair in `synergies` adds, and the
    curve all of it. Over all training rows ROI is contribution / spend. By "period",
    the KPI of each period is set against the spend of that period.

    Of estimators other than `DeepCausalMMMRegressor`, only the KPI of the rows of X
    counts. Where their channels interact, contributions are Shapley values (see
    `contributions`) and ROI is contribution / spend.
    """
    given = media, region, time, media_cost
    counterfactual = counterfactual_of(estimator, X, effect, *given)
    tail = tail_probability(confidence_level)
    return summary_of(counterfactual, by, tail)


def summary_of(counterfactual: Any, by: By, tail: float) -> pd.DataFrame:
    """Return what `channel_summary` says of a counterfactual, or of sums of channels.

    Bounds have the probability `tail` on either side.
    """
    point = counterfactual.effects(by)
    spread = (
        counterfactual.effects(by, draws=True) if counterfactual.has_draws else None
    )
    table = {"spend": point.spend[0]}
    for name in ("contribution", "roi", "mroi"):
        table[name] = getattr(point, name)[0]
        low, high = np.full((2, *table[name].shape), np.nan)
        if spread is not None:
            least = counterfactual.least_effect
            low, high = bounds(getattr(spread, name), tail, table[name], least=least)
        if name != "contribution" and counterfactual.is_money.any():
            table[name] = np.where(counterfactual.is_money, table[name], np.nan)
            low, high = (
                np.where(counterfactual.is_money, v, np.nan) for v in (low, high)
            )
        table |= {f"{name}_low": low, f"{name}_high": high}
        if name == "contribution":
            table["share"] = table[name] / counterfactual.kpi_in(by)
    columns = {name: values.T.ravel() for name, values in table.items()}
    for name, values in counterfactual.judgements().items():
        columns[name] = np.repeat(values, len(table["spend"]))
    summary = pd.DataFrame(columns, index=counterfactual.cells_index(by))
    if "verdict" in summary and summary["verdict"].isna().any():
        summary.attrs["verdict"] = (
            f"None: a verdict needs at least {MIN_DRAWS} draws (n_draws)."
        )
    return summary


@documented_by(channel_summary)
def contributions(
    estimator: Any,
    X: Table | None = None,
    *,
    effect: Effect = "direct",
    media: Columns = None,
    n_permutations: int = 256,
    random_state: Seed = 0,
) -> pd.DataFrame:
    """Split the prediction into baseline, controls and channels.

    The contribution of a channel is the prediction minus the prediction without the
    channel's spend, now and in the periods whose carry-over reaches the row. Of what a
    pair in `synergies` of `DeepCausalMMMRegressor` adds, each of the two has half.

    Parameters
    ----------
    effect : {"direct", "total"}, default="direct"
        Whether credit stays with the channel that was seen last, or goes through the
        channel graph to those that drive it.
    n_permutations : int, default=256
        Orders of the channels to draw if they interact and there are more than twelve.
    random_state : int, RandomState instance or None, default=0
        For these orders.

    Returns
    -------
    contributions : DataFrame of shape (n_rows, 1 + n_controls + n_media)
        Indexed like X, in KPI units; rows sum to `predict`. The first column,
        "baseline", is everything that is neither a control nor a channel; controls have
        columns of their own only for `DeepCausalMMMRegressor`. Where orders were drawn,
        ``contributions.attrs["standard_error"]`` holds the standard error of each
        channel's total.

    Notes
    -----
    As a total effect, what a channel contributes through spend that others induced is
    theirs: the contribution of every channel is divided among the channels in which its
    spend originates, in proportion to their part of its adstocked spend (the
    Aumann-Shapley value), so that nothing is counted twice.

    Where channels of another estimator interact, differences of predictions do not sum
    to what all channels cause together. Then each channel gets its Shapley value [1]_,
    the average of what it adds over all orders in which channels can be switched on:
    exactly for up to twelve channels, beyond that over random orders and their reverses
    [2]_. Whether channels interact is tested on the rows of X with random coalitions.

    References
    ----------
    .. [1] Shapley (1953). A Value for n-Person Games. Contributions to the Theory of
       Games 2.
    .. [2] Mitchell, Cooper, Frank, Holmes (2022). Sampling Permutations for Shapley
       Value Estimation. JMLR 23.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import load_mmm_example
    >>> from skmmm.inspection import contributions
    >>> data = load_mmm_example()
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> parts = contributions(model.fit(data.X, data.y), data.X)
    >>> bool(abs(parts.sum(axis=1) - model.predict(data.X)).max() < 1e-6)
    True
    """
    counterfactual = counterfactual_of(
        estimator,
        X,
        effect,
        media,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    joined = counterfactual.contribution_table()
    error = counterfactual.standard_error()
    if error is not None:
        joined.attrs["standard_error"] = dict(
            zip(counterfactual.labels, error.tolist(), strict=True)
        )
    return joined


@documented_by(channel_summary)
def marginal_roi(
    estimator: Any,
    X: Table | None = None,
    *,
    confidence_level: float = 0.9,
    by: By = None,
    effect: Effect = "direct",
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
) -> pd.DataFrame:
    """Return what the next unit of spend on each channel would earn.

    Returns
    -------
    mroi : DataFrame indexed by channel, or by channel and region or period
        ``mroi``, ``mroi_low``, ``mroi_high``: KPI units per unit of spend if all spend
        of the channel in X grew by one percent.
    """
    summary = channel_summary(
        estimator,
        X,
        confidence_level=confidence_level,
        by=by,
        effect=effect,
        media=media,
        region=region,
        time=time,
        media_cost=media_cost,
    )
    return summary[["mroi", "mroi_low", "mroi_high"]]


@documented_by(channel_summary)
def response_curve(
    estimator: Any,
    channel: Column,
    X: Table | None = None,
    *,
    grid: npt.ArrayLike | None = None,
    by: Literal["region"] | None = None,
    effect: Effect = "direct",
    confidence_level: float = 0.9,
    media: Columns = None,
    region: Column | None = None,
    media_cost: MediaCost = None,
) -> Bunch:
    """Return what a channel would have caused at other levels of its spend.

    Its spend over the rows of X is scaled, keeping its pattern over regions and
    periods; everything else stays as it is, or, for total effects, other channels
    respond as the channel graph says. What pairs in `synergies` add beside the others
    as they are is all in the curve: without the channel there is none of it.

    Parameters
    ----------
    channel : str or int
        A media column: its label, or the position of its column.
    grid : array-like of shape (n_points,), default=None
        Total spend, in money where the cost is known, else in the units of X. None: 21
        points from nothing to twice the spend of X.
    by : {"region"} or None, default=None
        One curve per region, in which each region's spend is scaled alike.
    effect : {"direct", "total"}, default="direct"
        Total: what the channels that it drives cause with the spend it induces in them
        counts as well; the spend axis remains that of the channel itself. Far from
        observed spend, and at none above all, their response is extrapolated: read
        changes around the current point.

    Returns
    -------
    curve : Bunch
        - ``spend``, ``incremental``, ``low``, ``high``, ``marginal_roi``: ndarrays of
          shape (n_points,), or (n_points, n_regions); spend as in `grid`, the others
          in KPI units (per unit of spend). ``marginal_roi`` is seen from one percent
          of current spend more. Without draws the bounds are NaN.
        - ``current_spend``, ``current_incremental``, ``current_marginal_roi``: floats,
          or ndarrays of shape (n_regions,), as the next three. Marginal ROI is NaN for
          media without a cost beside others that have one.
        - ``half_saturation_spend``: spend at which half of the most that the channel
          can cause is reached; NaN where that is not finite, or for total effects.
        - ``observed_from``, ``observed_until``: spend at which the average row spends
          as little, and as much, as one row in a hundred did in training. The curve
          below and beyond is extrapolated; ``observed_from`` is 0 for a channel that
          was dark in more rows than that.
        - ``regions``: only with `by`.

    Raises
    ------
    ValueError
        If the channel is no media column or has no spend in X.
    """
    counterfactual = counterfactual_of(
        estimator, X, effect=effect, media=media, region=region, media_cost=media_cost
    )
    if by not in (None, "region"):
        raise ValueError(f"by={by!r} must be None or 'region'.")
    tail = tail_probability(confidence_level)
    m = counterfactual.position(channel, "channel")
    names = counterfactual.groups(by)[1]
    current = counterfactual.spend_in(by)[:, m]
    if current.sum() == 0:
        raise ValueError(
            f"Channel {counterfactual.labels[m]!r} has no spend in X, so its spend "
            "cannot be scaled."
        )
    factors = _factors(grid, current.sum())
    now = np.append(factors, 1.0)
    next_one = np.concatenate([now, now + STEP])
    point = counterfactual.curve(m, next_one, by)[:, 0]
    point, more = point[: len(now)], point[len(now) :]
    low, high = np.full((2, len(factors), len(names)), np.nan)
    if counterfactual.has_draws:
        draws = counterfactual.curve(m, factors, by, draws=True)
        least = counterfactual.least_effect[m]
        low, high = bounds(np.moveaxis(draws, 1, 0), tail, point[:-1], least=least)
    spent = np.where(current > 0, current, np.nan)
    marginal = (more - point) / (STEP * spent)
    if counterfactual.is_money.any() and not counterfactual.is_money[m]:
        marginal = np.full_like(marginal, np.nan)
    half = _half_saturation(counterfactual, m, by) * spent
    curve = Bunch(
        spend=factors[:, None] * current,
        incremental=point[:-1],
        low=low,
        high=high,
        marginal_roi=marginal[:-1],
        current_spend=current,
        current_incremental=point[-1],
        current_marginal_roi=marginal[-1],
        half_saturation_spend=half,
        observed_from=counterfactual.observed_from(by)[m] * spent,
        observed_until=counterfactual.observed_until(by)[m] * spent,
    )
    if by is None:
        return Bunch(**{name: values[..., 0][()] for name, values in curve.items()})
    return Bunch(**curve, regions=names)


def _factors(grid, current):
    """Return the points of a response curve as multiples of current spend."""
    if grid is None:
        return _GRID
    spend = check_array(grid, ensure_2d=False, dtype=np.float64, input_name="grid")
    if spend.ndim != 1 or (spend < 0).any():
        raise ValueError("grid must be a one-dimensional array of non-negative spend.")
    return spend / current


def _half_saturation(counterfactual, channel, by):
    """Return the multiple of current spend at which half of all is reached, (G,)."""
    if counterfactual.responds:
        return np.full(len(counterfactual.groups(by)[1]), np.nan)
    factors = np.append(np.geomspace(1e-3, 1e4, 71), _FAR)
    effects = counterfactual.curve(channel, factors, by)[:, 0]
    share = effects[:-1] / np.where(effects[-1] == 0, np.nan, effects[-1])
    logs = np.log(factors[:-1])
    half = [_crossing(logs, column, 0.5) for column in share.T]
    return np.exp(half)


def _crossing(x, y, level):
    """Return where an increasing curve reaches a level, nan where it does not."""
    above = np.flatnonzero(y >= level)
    if not len(above) or not above[0]:
        return np.nan
    i = above[0]
    return x[i - 1] + (level - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1])
