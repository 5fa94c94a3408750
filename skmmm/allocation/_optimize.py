"""The best plan for a budget."""

from __future__ import annotations

from typing import Any

from skmmm._utils.docs import documented_by
from skmmm._utils.typing import Column, Columns, MediaCost, Table
from skmmm.allocation._levers import LeversGiven
from skmmm.allocation._plan import BudgetPlan
from skmmm.allocation._prices import PriceElasticity, PriceLevel
from skmmm.allocation._question import (
    DEFAULT_BOUNDS,
    Bounds,
    Constraints,
    Fixed,
    MoneyBounds,
    Risk,
    Split,
    read_question,
)
from skmmm.inspection import channel_summary
from skmmm.inspection._protocol import Effect


@documented_by(channel_summary)
def optimize_budget(
    estimator: Any,
    budget: float | None = None,
    *,
    X: Table | None = None,
    horizon: int | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
    money_bounds: MoneyBounds = None,
    by: Split = "channel",
    target_roi: float | None = None,
    target_mroi: float | None = None,
    fixed: Fixed = None,
    constraints: Constraints = None,
    risk: Risk = None,
    effect: Effect = "direct",
    allow_extrapolation: bool = False,
    price_level: PriceLevel = None,
    price_elasticity: PriceElasticity = None,
    levers: LeversGiven = None,
    confidence_level: float = 0.9,
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
) -> BudgetPlan:
    """Find the spend that causes most.

    What is planned are multiples of the spend of X: of whole channels, of channels by
    region, or of channels by period. Within these the pattern of X over regions and
    periods is kept. Channels of which only the total is known (`channel_groups`) move
    by one factor, unless one of them is named in `bounds`, `money_bounds` or `fixed`.

    Channels that `fit` warns of, because their spend rings an alarm or the data
    contradict their prior, keep the spend of X; ``message`` names them. One that is
    named in `bounds`, `money_bounds` or `fixed` is planned within what these say; a
    key (channel, region or period) is for that cell only.

    Parameters
    ----------
    budget : float, default=None
        Total spend over the rows of X, in money where the cost of channels is known,
        else in the units of X. None: what X spends. With a target, the most that may be
        spent (None: no limit but the bounds).
    horizon : int, default=None
        In place of X: so many coming periods, spend and controls as one year before,
        or as in the last periods if there is no year (`make_future_frame` says what is
        done about gaps and warns of new channels, which have no spend then). For other
        plans pass `make_future_frame(...)` as X.
    bounds : (float, float) or mapping, default=(0.5, 2.0)
        Least and most multiples of current spend. A mapping from channels, or from
        (channel, region or period), bounds these, the narrower key before the wider;
        others have the bounds of the key None, else the default. Here and below,
        channels are names or positions.
    money_bounds : mapping or None, default=None
        Least and most money of channels, or of (channel, region or period), in place
        of `bounds`: ``{"paid_search": (0, 900_000)}``. Of a channel that is planned by
        region or period, its money over all of these, beside `bounds`.
    by : {"channel", "region", "period"}, default="channel"
        What is scaled as a whole: a channel, a channel by region or by period.
    target_roi, target_mroi : float, default=None
        Spend as much as keeps the ROI of all spend (at the point), or the ROI of the
        last unit of every channel that bounds do not hold, at the target, in KPI units
        per unit of spend.
    fixed : list or mapping, default=None
        Channels, or (channel, region or period), whose spend stays, or is set to so
        much money, also beyond observed data. A mapping names a channel or its cells,
        not both.
    constraints : list of (channels, least, most), default=None
        Limits on the planned spend of several channels together, in money; None: no
        limit. `channels` may be a mapping to weights.
    risk : None, ("cvar", share) or ("sd", k), default=None
        What is maximised: the outcome at the point; over posterior draws, its
        mean over the worst share of them, or its mean minus k standard deviations.
    effect : {"direct", "total"}, default="direct"
        Total: what is planned is what channels spend by themselves; others respond as
        the channel graph says, and what they then spend is part of the budget.
    allow_extrapolation : bool, default=False
        Whether plans may go beyond ``observed_until`` of `response_curve`.
    price_level : mapping or None, default=None
        What a unit of delivery costs in the rows of X over `media_cost`, by channel:
        ``{"tv": 1.08}`` for 8 % dearer, or by period, ``{"tv": {"2026-03-02": 1.3}}``
        (others: 1) or one factor per period in their order. The same money, today's as
        well, then buys less. For channels in units of delivery (impressions, GRPs) of
        which `media_cost` is known; of direct effects.
    price_elasticity : mapping or None, default=None
        By how many percent the price of a unit rises with one percent more spend, from
        0 up and below 1, by channel: ``{"paid_search": 0.2}`` (see Notes). The price is
        that of `media_cost` and `price_level` where a region spends in a period what it
        spends on the channel on average in the rows of X that spend any.
    levers : mapping or None, default=None
        Controls that are decided beside media, by name or position, of
        `DeepCausalMMMRegressor` only: ``{"price": Lever(4.5, 5.5, cost=-2000.0)}``.
        Their values in the rows of X are scaled to a mean from low to high. What that
        costs more than X does comes out of the budget. Only controls that are
        "data-driven" in `control_summary`; for plans by channel, of direct effects,
        without target and `risk`.

    Returns
    -------
    result : BudgetPlan
        An OptimizeResult with

        - ``allocation``: DataFrame indexed by channel, or by channel and region or
          period, with ``spend``, ``current_spend`` and ``change`` (relative),
          ``contribution`` (what the planned spend causes, KPI units), ``roi``,
          ``mroi`` (one percent more spend), and ``reason`` for where
          the plan stopped: "equal marginal return", "at lower bound", "at upper
          bound", "beyond observed spend", "fixed", "group limit", "target ROI"
          (which is met at the point), "no spend to scale", "no cost: as today"
          (media without a cost beside others that have one stay as they are; their
          spend, change and returns are nan), "no cost: own spend as today, responds to
          others" (with total effects), "as today"; "beyond observed data" is added
          where that is allowed, "in step with" where channels move by one factor.
          "kept: rings an alarm (...)" and "kept: contradicts its prior" are for
          channels that `fit` warns of, "responds to others" is added where total
          effects move them nevertheless.
          ``verdict`` is how far the data tell what the channel causes, as in
          `channel_summary` (of estimators that say so); ``message`` names channels that
          move by more than one percent and are not data-driven.
          ``factor`` is the multiple of what the channel spends by itself, which for
          total effects is not all of its spend. With total effects, ``spend`` is what
          each channel spends in all, as in ``X``, and a further column,
          ``origin_spend``, what it spends by itself and makes others spend: that is
          what it is charged with, so that ``roi`` is ``contribution`` /
          ``origin_spend``. Both add up to the budget.
        - ``outcome``, ``outcome_low``, ``outcome_high``, ``current_outcome``: KPI that
          all spend of X causes, in its rows and later (see `channel_summary`), as it
          is maximised: at the point or, with `risk`, what that makes of the draws.
        - ``gain_low``, ``gain_high``: the interval of ``outcome - current_outcome``,
          draw by draw: what both have in common cancels.
        - ``probability_better``: share of draws in which the plan causes more than
          current spend; bounds and this are nan without draws.
        - ``success``, ``message``, ``nit``; ``x``: multiples; ``X``: the planned rows.
        - ``unit_prices``, only with another price than `media_cost`: what a unit costs
          on average in each planned row, by channel with such a price, in money; times
          the units in ``X`` that is what the plan spends there.

        - ``levers``, only with levers: DataFrame indexed by control with ``level`` and
          ``current`` (means over the planned rows), ``change`` (relative), ``cost``
          (money beyond what today's level costs; with ``spend`` it adds up to the
          budget), ``contribution``, ``contribution_low`` and ``contribution_high``
          (KPI units beyond today's level, part of ``outcome``), ``kpi_per_money`` (of
          the next unit of money; below zero where more of the KPI frees money) and
          ``reason``: as of channels, "where observed values end", or "budget spent",
          where no channel could give or take money.
        - ``worth_testing()``: a table of what it is worth to this plan to know what
          each channel causes, the channel whose test would pay most first; for plans
          by channel, of direct effects, within a budget and bounds.
        - ``save(path)`` and ``review(X_actual, y_actual)``: the plan as a record, and
          why the KPI is not what it expected; of `DeepCausalMMMRegressor` only.

        If no plan can keep budget, bounds, constraints and target, ``success`` is False
        and the allocation that of today.

    Raises
    ------
    ValueError
        If an argument makes no sense: unknown channels, NaN, bounds that start beyond
        observed data, multiples above 100, a channel or cell that is bounded twice. If
        data do not tell what a lever does.

    See Also
    --------
    skmmm.experiments.recommend_experiment : What a certain test would bring and cost.
    BudgetPolicy : Plan, spend, take in what came of it, and plan again.

    Notes
    -----
    Spend (for total effects, ``origin_spend``), contributions, ROI and outcomes are at
    the mode, and the same that `channel_summary` says of the planned rows: with
    ``by="channel"`` and ``"region"`` cell by cell, with ``"period"`` for each channel
    over all periods. With `risk`, outcomes and ``mroi`` are what is maximised instead.
    ``outcome`` is below ``current_outcome`` only where today's spend is not allowed, or
    where a target asks for less spend.

    Where cells act side by side the plan is the solution of a linear programme over
    their curves, refined until it stands still, and no local optimum [1]_. Over periods
    carry-over joins the cells: there L-BFGS-B inside an augmented Lagrangian [2]_
    climbs from several starts with the gradient of the model. If nothing better than
    current spend is found and current spend is allowed, that is what is returned, and
    ``message`` says so.

    With a price that rises with spend, s money buys ``s**(1 - g) * s_ref**g / p0``
    units in a region and period: `g` is the elasticity, `p0` `media_cost` times
    `price_level`, and `s_ref` the mean spend of the region on the channel over the rows
    of X that spend any, at `media_cost`. The last unit costs ``1 / (1 - g)`` times the
    mean one there, and ``mroi`` is per unit of money with that. Near no spend, where
    the price would fall to nothing, units are a quadratic function of spend with the
    same value and slope; it starts at ``s_ref * (100 * (1 - g) / (1 + g))**(-1 / g)``,
    less than a thousandth of `s_ref` for `g` up to .5 [4]_.

    What a lever brings is a straight line, so that it stops at a bound, or where the
    last unit of media earns what it does: it is a further cell of the linear programme.
    What the GRU reads from controls (see `control_summary`) is not counted.

    What slow stocks (`brand_channels`) bring after the periods that count is in no
    outcome, so that plans of few periods favour what acts at once; ``message`` says how
    much that is.

    Of estimators other than `DeepCausalMMMRegressor` the KPI of the rows of X counts,
    not that of later periods; there are no draws, so that `risk` changes nothing; and a
    plan by period takes one prediction for each channel and period in every step.

    References
    ----------
    .. [1] Dantzig (1963). Linear Programming and Extensions, chapter 24 (separable
       programmes). Princeton.
    .. [2] Nocedal, Wright (2006). Numerical Optimization, section 17.4. Springer.
    .. [3] Rockafellar, Uryasev (2000). Optimization of Conditional Value-at-Risk.
       Journal of Risk 2.
    .. [4] PyMC-Marketing 1.3.0, ``PowerPriceResponse``.

    Examples
    --------
    >>> from skmmm.allocation import optimize_budget
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> data = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> plan = optimize_budget(model.fit(data.X, data.y), X=data.X)
    >>> plan.outcome > plan.current_outcome
    True
    >>> bool(abs(plan.allocation["change"]).max() <= 1.0 + 1e-9)
    True
    """
    results = read_question(
        estimator,
        X,
        horizon,
        by=by,
        risk=risk,
        effect=effect,
        confidence_level=confidence_level,
        media=media,
        region=region,
        time=time,
        media_cost=media_cost,
        budget=budget,
        bounds=bounds,
        money_bounds=money_bounds,
        fixed=fixed,
        constraints=constraints,
        target_roi=target_roi,
        target_mroi=target_mroi,
        allow_extrapolation=allow_extrapolation,
        price_level=price_level,
        price_elasticity=price_elasticity,
        levers=levers,
    )
    return results.best()
