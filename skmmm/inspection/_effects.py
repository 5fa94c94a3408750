"""Contributions, returns and response curves of any fitted estimator."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_array

from skmmm._data.checks import resolve_channel
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._support import STEP

_FAR = 1e12  # times current spend: saturated
_GRID = np.linspace(0.0, 2.0, 21)  # times current spend


def contributions(
    estimator,
    X=None,
    *,
    effect="direct",
    media=None,
    n_permutations=256,
    random_state=0,
):
    """Split the prediction of any estimator into baseline and channels.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`: `DeepCausalMMMRegressor`, a linear MMM, any pipeline.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers.
    effect : {"direct", "total"}, default="direct"
        See `DeepCausalMMMRegressor.contributions`.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator, or the last step of a pipeline,
        says (``media_``).
    n_permutations : int, default=256
        Orders of the channels to draw if they interact and there are more than twelve.
    random_state : int, RandomState instance or None, default=0
        For these orders.

    Returns
    -------
    contributions : DataFrame of shape (n_rows, 1 + n_media)
        Indexed like X, in KPI units; rows sum to `predict`. The first column,
        "baseline", is the prediction without any spend; of `DeepCausalMMMRegressor`
        controls have columns of their own. Where orders were drawn,
        ``contributions.attrs["standard_error"]`` holds the standard error of each
        channel's total.

    Notes
    -----
    What a channel contributes is the prediction minus the prediction without its
    spend. Where channels interact, these differences do not sum to what all cause
    together; then each gets its Shapley value [1]_, the average of what it adds over
    all orders in which channels can be switched on: exactly for up to twelve channels,
    beyond that over random orders and their reverses [2]_. Whether channels interact
    is tested on the rows of X with coalitions drawn at random.

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
    what_if = counterfactual_of(
        estimator,
        X,
        effect=effect,
        media=media,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    media = what_if.contributions()[0]
    table = pd.DataFrame(media, index=what_if.index, columns=what_if.labels)
    rest = what_if.without_media()
    joined = pd.concat([rest, table], axis=1)[["baseline", *what_if.columns]]
    error = what_if.standard_error()
    if error is not None:
        joined.attrs["standard_error"] = dict(
            zip(what_if.labels, error.tolist(), strict=True)
        )
    return joined


def channel_summary(
    estimator,
    X=None,
    *,
    confidence_level=0.9,
    by=None,
    effect="direct",
    media=None,
    region=None,
    time=None,
    media_cost=None,
):
    """Summarise what each channel did and what the next unit would do.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers.
    confidence_level : float in (0, 1), default=0.9
    by : {"region", "period"} or None, default=None
        Also split by region or period.
    effect : {"direct", "total"}, default="direct"
        See `DeepCausalMMMRegressor.channel_summary`.
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region, time : str or int, default=None
        Columns to split by. None: what the estimator says.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the columns. `DeepCausalMMMRegressor` knows its own.

    Returns
    -------
    summary : DataFrame indexed by channel, or by channel and region or period
        ``spend`` in money where `media_cost` says what a unit costs, else in the units
        of X; ``contribution`` in KPI units, ``share`` of the predicted KPI, ``roi``
        and ``mroi`` (one percent more spend) in KPI units per unit of spend, each but
        ``spend`` and ``share`` with ``_low`` and ``_high``, missing without draws.
        Media without a cost beside others that have one have no returns.
        ``verdict`` and ``follows_kpi`` where the estimator has them.

    Notes
    -----
    Where channels of another estimator interact, contributions are Shapley values (see
    `contributions`) and ROI is contribution / spend.
    """
    what_if = counterfactual_of(
        estimator,
        X,
        effect=effect,
        media=media,
        region=region,
        time=time,
        media_cost=media_cost,
    )
    tail = tail_probability(confidence_level)
    group, names = what_if.groups(by)
    total = np.bincount(group, what_if.predicted(), minlength=len(names))
    point = what_if.effects(by)
    spread = what_if.effects(by, draws=True) if what_if.has_draws else None
    table = {"spend": point.spend[0]}
    for name in ("contribution", "roi", "mroi"):
        table[name] = getattr(point, name)[0]
        low, high = np.full((2, *table[name].shape), np.nan)
        if spread is not None:
            least = what_if.least_effect
            low, high = bounds(getattr(spread, name), tail, table[name], least=least)
        if name != "contribution" and what_if.is_money.any():
            table[name] = np.where(what_if.is_money, table[name], np.nan)
            low, high = (np.where(what_if.is_money, v, np.nan) for v in (low, high))
        table |= {f"{name}_low": low, f"{name}_high": high}
        if name == "contribution":
            table["share"] = table[name] / total[:, None]
    channels = what_if.labels
    if by is None:
        index = pd.Index(channels, name="channel")
    else:
        index = pd.MultiIndex.from_product([channels, names], names=["channel", by])
    columns = {name: values.T.ravel() for name, values in table.items()}
    for name, values in what_if.judgements().items():
        columns[name] = np.repeat(values, len(names))
    return pd.DataFrame(columns, index=index)


def marginal_roi(
    estimator,
    X=None,
    *,
    confidence_level=0.9,
    by=None,
    effect="direct",
    media=None,
    region=None,
    time=None,
    media_cost=None,
):
    """Return what the next unit of spend on each channel would earn.

    Parameters
    ----------
    estimator, X, confidence_level, by, effect, media, region, time, media_cost
        As in `channel_summary`.

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


def response_curve(
    estimator,
    channel,
    X=None,
    *,
    grid=None,
    by=None,
    effect="direct",
    confidence_level=0.9,
    media=None,
    region=None,
    media_cost=None,
):
    """Return what a channel would have caused at other levels of its spend.

    Its spend over the rows of X is scaled, keeping its pattern over regions and
    periods; everything else stays as it is, or, for total effects, other channels
    answer as the channel graph says.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    channel : str or int
        A media column: its label, or the position of its column.
    X : DataFrame or array-like of shape (n_rows, n_columns), default=None
        None: the training rows, which only `DeepCausalMMMRegressor` remembers.
    grid : array-like of shape (n_points,), default=None
        Total spend, in money where the cost is known, else in the units of X. None: 21
        points from nothing to twice the spend of X.
    by : {"region"} or None, default=None
        One curve per region, in which each region's spend is scaled alike.
    effect : {"direct", "total"}, default="direct"
        See `DeepCausalMMMRegressor.response_curve`.
    confidence_level : float in (0, 1), default=0.9
    media : list of str or int, default=None
        Media columns of X. None: what the estimator says (``media_``).
    region : str or int, default=None
        Column to split by. None: what the estimator says.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the columns. `DeepCausalMMMRegressor` knows its own.

    Returns
    -------
    curve : Bunch
        ``spend``, ``incremental``, ``low``, ``high``, ``marginal_roi``: ndarrays of
        shape (n_points,), or (n_points, n_regions); spend as in `grid`, the others in
        KPI units (per unit of spend). ``marginal_roi`` is seen from one percent of
        current spend more; nan, as ``current_marginal_roi``, of media without a cost
        beside others that have one. ``current_spend``, ``current_incremental``,
        ``current_marginal_roi``, ``half_saturation_spend`` (at which half of the most
        that the channel can cause is reached; nan where that is not finite, or for
        total effects) and ``observed_until`` (where the average row spends what one
        row in a hundred did in training: the curve beyond is extrapolated): floats, or
        ndarrays of shape (n_regions,). ``regions``, with `by`. Without draws the bounds
        are nan.

    Raises
    ------
    ValueError
        If the channel is no media column or has no spend in X.
    """
    what_if = counterfactual_of(
        estimator, X, effect=effect, media=media, region=region, media_cost=media_cost
    )
    if by not in (None, "region"):
        raise ValueError(f"by={by!r} must be None or 'region'.")
    tail = tail_probability(confidence_level)
    m = _position(what_if, channel)
    group, names = what_if.groups(by)
    current = np.bincount(group, what_if.spend[:, m], minlength=len(names))
    if current.sum() == 0:
        raise ValueError(
            f"Channel {what_if.labels[m]!r} has no spend in X, so its spend cannot be "
            "scaled."
        )
    factors = _factors(grid, current.sum())
    now = np.append(factors, 1.0)
    next_one = np.concatenate([now, now + STEP])
    point = what_if.curve(m, next_one, by)[:, 0]
    point, more = point[: len(now)], point[len(now) :]
    low, high = np.full((2, len(factors), len(names)), np.nan)
    if what_if.has_draws:
        draws = what_if.curve(m, factors, by, draws=True)
        least = what_if.least_effect[m]
        low, high = bounds(np.moveaxis(draws, 1, 0), tail, point[:-1], least=least)
    spent = np.where(current > 0, current, np.nan)
    marginal = (more - point) / (STEP * spent)
    if what_if.is_money.any() and not what_if.is_money[m]:
        marginal = np.full_like(marginal, np.nan)
    half = _half_saturation(what_if, m, by) * spent
    until = what_if.observed_until(by)[m] * spent
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
        observed_until=until,
    )
    if by is None:
        return Bunch(**{name: values[..., 0][()] for name, values in curve.items()})
    return Bunch(**curve, regions=names)


def _position(what_if, channel):
    """Return the position of a channel among the labels."""
    labels = what_if.labels
    return labels.index(resolve_channel(channel, labels, what_if.names, "channel"))


def _factors(grid, current):
    """Return the points of a response curve as multiples of current spend."""
    if grid is None:
        return _GRID
    spend = check_array(grid, ensure_2d=False, dtype=np.float64, input_name="grid")
    if spend.ndim != 1 or (spend < 0).any():
        raise ValueError("grid must be a one-dimensional array of non-negative spend.")
    return spend / current


def _half_saturation(what_if, channel, by):
    """Return the multiple of current spend at which half of all is reached, (G,)."""
    if not what_if.saturates:
        return np.full(len(what_if.groups(by)[1]), np.nan)
    factors = np.append(np.geomspace(1e-3, 1e4, 71), _FAR)
    effects = what_if.curve(channel, factors, by)[:, 0]
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
