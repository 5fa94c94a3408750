"""Simulated marketing panels whose true effects are known.

Arrays are laid out (n_periods, n_regions, n_media), abbreviated (T, R, M), so that
reshaping the first two axes into one gives the rows of a frame sorted by week, then
region. C counts the controls, L the lags.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from numbers import Integral, Real
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter
from sklearn.utils import Bunch, check_random_state

from skmmm._utils.sklearn import Interval, StrOptions, validate_params
from skmmm._utils.typing import Seed
from skmmm.datasets._response import REGION, WEEK, PanelResponse

KPI, BASELINE = "sales", "baseline"

# KPI units sold per period in a region of average size, before media and controls.
_KPI_PER_PERIOD = 100_000.0
# Media budget of an average region as a share of those sales.
_BUDGET_SHARE = 0.2


def _autoregression(rng, shape, persistence):
    """Stationary AR(1) paths of unit variance along the first axis."""
    shocks = rng.standard_normal(shape)
    shocks[1:] *= np.sqrt(1.0 - persistence**2)
    return lfilter([1.0], [1.0, -persistence], shocks, axis=0)


def _shared_paths(rng, shape, persistence):
    """Unit-variance AR(1) paths, half of whose variance the regions have in common."""
    n_periods, n_regions, n_columns = shape
    common = _autoregression(rng, (n_periods, 1, n_columns), persistence)
    local = _autoregression(rng, (n_periods, n_regions, n_columns), persistence)
    return np.sqrt(0.5) * (common + local)


def _seasonal_wave(years, phase):
    """Yearly wave in [-1, 1] that peaks at phase, both in years."""
    return np.cos(2.0 * np.pi * (years - phase))


def _name_columns(names, n_names, default, what):
    if names is None:
        return default
    names = [str(name) for name in names]
    if len(names) != n_names:
        raise ValueError(f"{what} has {len(names)} entries, expected {n_names}.")
    return names


def _make_periods(start, n_periods, frequency):
    """Return when periods begin, and in years also when the last one ends."""
    bounds = pd.date_range(start, periods=n_periods + 1, freq=frequency)
    return bounds[:-1], np.asarray((bounds - bounds[0]) / pd.Timedelta(days=365.25))


def _resolve_names(counts, region_names, media_names, control_names):
    """Names of regions (sorted), media and controls; all columns distinct."""
    n_regions, n_media, n_controls = counts
    width = len(str(n_regions))
    regions = [f"region_{r + 1:0{width}d}" for r in range(n_regions)]
    media = [f"media_{m + 1}" for m in range(n_media)]
    controls = [
        ("price", "holiday")[c % 2] + (f"_{c // 2 + 1}" if c > 1 else "")
        for c in range(n_controls)
    ]
    regions = sorted(_name_columns(region_names, n_regions, regions, "region_names"))
    media = _name_columns(media_names, n_media, media, "media_names")
    controls = _name_columns(control_names, n_controls, controls, "control_names")
    columns = [REGION, WEEK, KPI, BASELINE, *media, *controls]
    for names in (regions, columns):
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"The names {repeated} are used more than once.")
    return regions, media, controls


def _draw_demand(rng, years, weeks, regions, *, level, peak):
    """Scale of each region and the course of its demand without marketing."""
    scale = _KPI_PER_PERIOD * np.exp(0.5 * rng.standard_normal(len(regions)))
    growth = rng.uniform(-0.02, 0.06)
    amplitude = rng.uniform(0.08, 0.16)
    paths = _shared_paths(rng, (len(weeks), len(regions), 1), 0.97)[..., 0]
    return {
        "scale": pd.Series(scale, index=regions),
        "trend": pd.Series(growth * years, index=weeks),
        "season": pd.Series(amplitude * _seasonal_wave(years, peak), index=weeks),
        "level": pd.DataFrame(level * paths, index=weeks, columns=regions),
    }


def _draw_control_effects(rng, controls):
    """Effect of one unit of each control: even positions price-like, odd event-like."""
    is_event = np.arange(len(controls)) % 2 == 1
    reference = np.where(is_event, 0.0, rng.uniform(5.0, 20.0, len(controls)))
    elasticity = -rng.uniform(0.5, 1.5, len(controls))
    uplift = rng.uniform(0.05, 0.15, len(controls))
    per_unit = elasticity / np.where(is_event, 1.0, reference)
    return {
        "control_effect": pd.Series(np.where(is_event, uplift, per_unit), controls),
        "control_reference": pd.Series(reference, controls),
    }


def _draw_controls(rng, years, reference, n_regions):
    """Control values of shape (T, R, C); years has one entry more than periods."""
    n_periods, n_controls = len(years) - 1, len(reference)
    paths = _shared_paths(rng, (n_periods, n_regions, n_controls), 0.8)
    prices = reference * np.exp(0.06 * paths)
    # Five dates in the year per event control; a region observes most of them.
    dates = rng.uniform(size=(n_controls, 5))
    observed = rng.uniform(size=(n_regions, n_controls, 5)) < 0.8
    passed = np.floor(years[:, None, None] - dates)  # (T + 1, C, 5)
    falls_in_period = np.diff(passed, axis=0) > 0
    events = (falls_in_period[:, None] & observed).any(axis=-1)
    return np.where(np.arange(n_controls) % 2 == 1, events, prices)


def _draw_kernel(rng, media, *, adstock, max_lag):
    """Carry-over kernels of shape (M, L), each summing to one, and their parameters."""
    n_media, lag = len(media), np.arange(max_lag + 1)
    if adstock == "weibull":
        shape = rng.uniform(0.8, 2.5, n_media)
        scale = rng.uniform(1.5, 4.0, n_media)
        drawn = {"weibull_shape": shape, "weibull_scale": scale}
        age = (lag + 0.5) / scale[:, None]
        weight = age ** (shape[:, None] - 1.0) * np.exp(-(age ** shape[:, None]))
    else:
        decay = rng.uniform(0.2, 0.75, n_media)
        peak = np.minimum(rng.uniform(0.5, 3.5, n_media), max_lag)
        if adstock == "geometric":
            drawn = {"decay": decay}
            weight = decay[:, None] ** lag
        else:
            drawn = {"decay": decay, "peak": peak}
            weight = decay[:, None] ** (lag - peak[:, None]) ** 2
    kernel = weight / weight.sum(axis=1, keepdims=True)
    return {
        **{name: pd.Series(values, index=media) for name, values in drawn.items()},
        "kernel": pd.DataFrame(kernel, index=media, columns=lag),
    }


def _draw_media_effects(rng, weeks, regions, media, *, region_spread, effect_drift):
    """Budgets, shape of the response and effectiveness; effects not yet scaled."""
    n_media, shape = len(media), (len(regions), len(media))
    budget = np.exp(0.5 * rng.standard_normal(n_media))
    budget *= _BUDGET_SHARE * _KPI_PER_PERIOD / budget.sum()
    mix = np.exp(0.2 * rng.standard_normal(shape))
    half_saturation = rng.uniform(0.5, 2.0, n_media)
    slope = rng.uniform(0.8, 2.0, n_media)
    effect = budget**0.7 * np.exp(0.4 * rng.standard_normal(n_media))
    deviation = np.exp(region_spread * rng.standard_normal(shape))
    change = effect_drift * rng.standard_normal(n_media)
    # From -1/2 in the first period to 1/2 in the last, flat at both ends.
    progress = -0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, len(weeks)))
    drift = np.exp(progress[:, None] * change)
    return {
        "half_saturation": pd.Series(half_saturation, index=media),
        "slope": pd.Series(slope, index=media),
        "effect": pd.DataFrame(effect * deviation, index=regions, columns=media),
        "media_scale": pd.DataFrame(budget * mix, index=regions, columns=media),
        "drift": pd.DataFrame(drift, index=weeks, columns=media),
    }


def _draw_patterns(rng, years, shape, peak):
    """Course of spend relative to budget, of shape (T, R, M), about one on average.

    Channels take turns: flights of a few periods, seasonal, always on.
    """
    timing = _shared_paths(rng, shape, 0.8)
    jitter = np.exp(0.2 * rng.standard_normal(shape))
    lead = 0.1 * rng.standard_normal(shape[-1])
    # The best moment of each region is always a flight, so no channel is silent.
    on_air = timing >= np.minimum(0.25, timing.max(axis=0))
    flights = 2.5 * on_air * jitter
    wave = 1.0 + 0.8 * _seasonal_wave(years[:, None], peak + lead)  # (T, M)
    seasonal = wave[:, None] * np.exp(0.25 * timing) * jitter
    always_on = np.exp(0.35 * timing) * jitter
    turn = np.arange(shape[-1]) % 3
    return np.choose(turn, [flights, seasonal, always_on])


def _draw_graph(rng, graph, n_media):
    """Weights of shape (M, M), [i, j] for i driving j, and an order, parents first."""
    if isinstance(graph, Integral):
        most = n_media * (n_media - 1) // 2
        if graph > most:
            raise ValueError(
                f"graph={graph} edges requested, but {n_media} media allow at most "
                f"{most} without a cycle."
            )
        order = rng.permutation(n_media)
        first, second = np.triu_indices(n_media, k=1)
        chosen = rng.permutation(most)[:graph]
        weights = np.zeros((n_media, n_media))
        parents, children = order[first[chosen]], order[second[chosen]]
        weights[parents, children] = rng.uniform(0.2, 0.5, graph)
        return weights, order
    weights = np.zeros((n_media, n_media)) if graph is None else np.array(graph, float)
    if weights.shape != (n_media, n_media) or not np.isfinite(weights).all():
        raise ValueError(
            f"graph must be a finite array of shape ({n_media}, {n_media}), got shape "
            f"{weights.shape}."
        )
    return weights, _parents_first(weights)


def _parents_first(weights):
    """Order of the channels in which every parent precedes its children."""
    order, waiting = [], list(range(len(weights)))
    while waiting:
        free = [j for j in waiting if not weights[waiting, j].any()]
        if not free:
            raise ValueError(f"graph has a cycle among the media {waiting}.")
        order += free
        waiting = [j for j in waiting if j not in free]
    return order


def _follow_parents(spend, media_scale, weights, order):
    """Multiply each channel's spend by its response to the channels driving it.

    With d[i, t] the log spend of channel i, log(1 + spend / media_scale), standardised
    over time in its region, and nothing unusual before the first period:

        spend[j, t] *= exp(sum_i weights[i, j] * (d[i, t] + d[i, t - 1]) / 2)
    """
    spend, deviation = spend.copy(), np.zeros_like(spend)
    for j in order:
        lagged = np.zeros_like(deviation)
        lagged[1:] = deviation[:-1]
        spend[..., j] *= np.exp((deviation + lagged) / 2.0 @ weights[:, j])
        log_spend = np.log1p(spend[..., j] / media_scale[:, j])
        centred = log_spend - log_spend.mean(axis=0)
        deviation[..., j] = centred / np.maximum(centred.std(axis=0), 1e-12)
    return spend


def _fix_media_share(response, spend, controls, media_share):
    """Scale the effects so that media cause the given share of the KPI."""
    other = response.baseline().sum() + response.controls(controls).sum()
    if other <= 0:
        raise ValueError(
            "The KPI without media is not positive in total. Choose a smaller level."
        )
    share_of_other = response.media(spend).sum() / other
    effect = response.parameters["effect"]
    response.parameters["effect"] = (
        effect * media_share / (1.0 - media_share) / share_of_other
    )


def _pack_panel(response, spend, controls, noise):
    """Arrays over (T, R) as aligned long frames."""
    p = response.parameters
    weeks, regions = p["level"].index, list(p["level"].columns)
    media, control_names = list(p["effect"]), list(p["control_effect"].index)
    parts = [
        response.baseline()[..., None],
        response.controls(controls),
        response.media(spend),
    ]
    contributions = pd.DataFrame(
        np.concatenate(parts, axis=-1).reshape(len(weeks) * len(regions), -1),
        columns=[BASELINE, *control_names, *media],
    )
    expected = contributions.sum(axis=1).rename("expected")
    values = np.concatenate([spend, controls], axis=-1)
    X = pd.DataFrame(
        values.reshape(len(contributions), -1), columns=[*media, *control_names]
    )
    X.insert(0, REGION, np.tile(np.array(regions), len(weeks)))
    X.insert(1, WEEK, np.repeat(weeks, len(regions)))
    y = (expected + noise.ravel()).rename(KPI)
    roi = (contributions[media].sum() / X[media].sum()).rename("roi")
    return Bunch(
        frame=X.assign(**{KPI: y}),
        X=X,
        y=y,
        media=media,
        controls=control_names,
        contributions=contributions,
        expected=expected,
        roi=roi,
    )


@validate_params(
    {
        "n_regions": [Interval(Integral, 1, None, closed="left")],
        "n_periods": [Interval(Integral, 2, None, closed="left")],
        "n_media": [Interval(Integral, 1, None, closed="left")],
        "n_controls": [Interval(Integral, 0, None, closed="left")],
        "adstock": [StrOptions({"geometric", "delayed", "weibull"})],
        "saturation": [StrOptions({"hill", "exponential"})],
        "max_lag": [Interval(Integral, 0, None, closed="left")],
        "media_share": [Interval(Real, 0, 1, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "level": [Interval(Real, 0, None, closed="left")],
        "region_spread": [Interval(Real, 0, None, closed="left")],
        "effect_drift": [Interval(Real, 0, None, closed="left")],
        "graph": [None, Interval(Integral, 0, None, closed="left"), "array-like"],
        "media_names": [None, "array-like"],
        "control_names": [None, "array-like"],
        "region_names": [None, "array-like"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_mmm_panel(
    n_regions: int = 1,
    n_periods: int = 156,
    *,
    n_media: int = 4,
    n_controls: int = 2,
    adstock: Literal["geometric", "delayed", "weibull"] = "geometric",
    saturation: Literal["hill", "exponential"] = "hill",
    max_lag: int = 13,
    media_share: float = 0.3,
    noise: float = 0.05,
    level: float = 0.0,
    region_spread: float = 0.2,
    effect_drift: float = 0.0,
    graph: int | npt.ArrayLike | None = None,
    frequency: str = "W-MON",
    start: str | date = "2021-01-04",
    media_names: Sequence[str] | None = None,
    control_names: Sequence[str] | None = None,
    region_names: Sequence[str] | None = None,
    random_state: Seed = None,
) -> Bunch:
    """Simulate a marketing panel and return it with its truth.

    With scale :math:`s_r` of region r, media spend :math:`x_{rtm}` and controls
    :math:`z_{rtc}`, the KPI is

    .. math::

        y_{rt} = s_r \\Big(1 + trend_t + season_t + level_{rt}
            + \\sum_c \\gamma_c (z_{rtc} - \\bar z_c)
            + \\sum_m \\beta_{rm} \\, drift_{tm} \\,
              S_m\\big(\\sum_l w_{ml} x_{r,t-l,m} / b_{rm}\\big)
            + \\varepsilon_{rt}\\Big)

    with carry-over weights :math:`w_{ml}` summing to one over the lags 0 to
    ``max_lag`` and nothing spent before the first period. Channels take turns in how
    they are bought: in flights of a few periods, with the season, always on. Controls
    take turns too: price-like (continuous, by region), event-like (0 or 1).

    Parameters
    ----------
    n_regions : int, default=1
        Number of regions.
    n_periods : int, default=156
        Number of periods; at least 2.
    n_media : int, default=4
        Number of media channels.
    n_controls : int, default=2
        Number of controls: the first price-like, the second event-like, and so on.
    adstock : {"geometric", "delayed", "weibull"}, default="geometric"
        Carry-over weight at lag l before normalisation: ``decay ** l``,
        ``decay ** (l - peak) ** 2`` [1]_, or the Weibull density at ``l + 0.5``, the
        middle of the period.
    saturation : {"hill", "exponential"}, default="hill"
        Response to carried-over spend x, with half the response at
        ``half_saturation`` k: ``x**slope / (x**slope + k**slope)`` [1]_, or
        ``1 - exp(-log(2) * x / k)``.
    max_lag : int, default=13
        Last period in which spend acts, counted from the period of spending.
    media_share : float, default=0.3
        Share of the noiseless KPI, totalled over the panel, that media cause; in
        [0, 1).
    noise : float, default=0.05
        Standard deviation of the noise, as a share of the region's scale. The KPI is
        not clipped at zero.
    level : float, default=0.0
        Standard deviation of a slowly wandering level (autoregression 0.97 per period,
        half of the variance common to all regions), as a share of the region's scale.
    region_spread : float, default=0.2
        Standard deviation of log effects between regions.
    effect_drift : float, default=0.0
        Standard deviation, over channels, of the change in log effectiveness from the
        first to the last period. The change is smooth.
    graph : int or array-like of shape (n_media, n_media), default=None
        Which channels drive the spend of which; ``[i, j]`` is the weight of i driving
        j and the graph has no cycle. An integer draws that many edges, with weights
        between 0.2 and 0.5, along a random order of the channels. Spend of j is
        multiplied by ``exp(sum_i graph[i, j] * (d[i, t] + d[i, t - 1]) / 2)``, with
        ``d`` the parent's ``log(1 + spend / media_scale)`` standardised over time.
    frequency : str, default="W-MON"
        Period, as a pandas offset alias.
    start : str or datetime-like, default="2021-01-04"
        First day of the first period.
    media_names : array-like of str of shape (n_media,), default=None
        Column names of the media, ``media_1`` and so on if None.
    control_names : array-like of str of shape (n_controls,), default=None
        Column names of the controls, ``price``, ``holiday``, ``price_2`` and so on if
        None.
    region_names : array-like of str of shape (n_regions,), default=None
        Names of the regions, ``region_1`` and so on if None. They are sorted.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible output. With the same seed, ``noise``, ``level``,
        ``media_share``, ``region_spread``, ``effect_drift`` and ``graph`` leave all
        other random draws as they were.

    Returns
    -------
    panel : :class:`~sklearn.utils.Bunch`
        With the following attributes, rows sorted by week, then region, and
        ``n_samples = n_periods * n_regions``.

        frame : DataFrame of shape (n_samples, n_media + n_controls + 3)
            ``region``, ``week``, spend per channel (currency per period), controls
            and ``sales`` (KPI units).
        X : DataFrame of shape (n_samples, n_media + n_controls + 2)
            ``frame`` without ``sales``.
        y : Series of shape (n_samples,)
            ``sales``.
        media, controls : list of str
            Column names.
        contributions : DataFrame of shape (n_samples, 1 + n_controls + n_media)
            KPI units due to ``baseline``, each control (against its reference) and
            each channel (against no spend). Rows add up to ``expected``.
        expected : Series of shape (n_samples,)
            KPI without noise.
        roi : Series of shape (n_media,)
            True contribution over spend of each channel, in KPI units per currency.
        graph : ndarray of shape (n_media, n_media)
            Weight of channel i driving the spend of channel j at ``[i, j]``.
        response : callable
            ``response(X)`` is the noiseless KPI, ndarray of shape (n_samples,), if
            media and controls take the values in X: a frame with the same
            region-weeks, in any order.
        parameters : dict
            The truth behind the equation:

            - ``scale`` : Series (n_regions,), KPI units per period.
            - ``trend``, ``season`` : Series (n_periods,); ``level`` : DataFrame
              (n_periods, n_regions). Shares of ``scale``.
            - ``control_effect`` : Series (n_controls,), share of ``scale`` per unit of
              the control; ``control_reference`` : Series (n_controls,), in units of
              the control.
            - ``effect`` : DataFrame (n_regions, n_media), share of ``scale`` at full
              saturation.
            - ``drift`` : DataFrame (n_periods, n_media), factor on ``effect``.
            - ``media_scale`` : DataFrame (n_regions, n_media), budget in currency per
              period.
            - ``half_saturation`` : Series (n_media,), in multiples of ``media_scale``.
            - ``slope`` : Series (n_media,); absent if saturation is exponential.
            - ``kernel`` : DataFrame (n_media, max_lag + 1), carry-over weights.
            - ``decay`` : Series (n_media,), per period, and ``peak``, in periods; or
              ``weibull_shape`` and ``weibull_scale``, the latter in periods. Those of
              the chosen ``adstock``.

    See Also
    --------
    load_mmm_example : One such panel, shipped with the package.

    References
    ----------
    .. [1] Jin, Y., Wang, Y., Sun, Y., Chan, D. and Koehler, J. (2017). Bayesian methods
       for media mix modeling with carryover and shape effects. Google Inc.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> panel = make_mmm_panel(3, 104, n_media=2, random_state=0)
    >>> panel.frame.shape
    (312, 7)
    >>> share = panel.contributions[panel.media].sum().sum() / panel.expected.sum()
    >>> round(float(share), 6)
    0.3
    >>> no_tv = panel.X.assign(media_1=0.0)
    >>> lost = panel.expected.sum() - panel.response(no_tv).sum()
    >>> bool(abs(lost - panel.contributions["media_1"].sum()) < 1e-3)
    True
    """
    rng = check_random_state(random_state)
    regions, media, control_names = _resolve_names(
        (n_regions, n_media, n_controls), region_names, media_names, control_names
    )
    weeks, years = _make_periods(start, n_periods, frequency)
    peak = rng.uniform()

    parameters = {
        **_draw_demand(rng, years[:-1], weeks, regions, level=level, peak=peak),
        **_draw_control_effects(rng, control_names),
        **_draw_media_effects(
            rng,
            weeks,
            regions,
            media,
            region_spread=region_spread,
            effect_drift=effect_drift,
        ),
        **_draw_kernel(rng, media, adstock=adstock, max_lag=max_lag),
    }
    if saturation == "exponential":
        del parameters["slope"]
    media_scale = parameters["media_scale"].to_numpy()
    reference = parameters["control_reference"].to_numpy()
    shape = (n_periods, n_regions, n_media)
    patterns = _draw_patterns(rng, years[:-1], shape, peak)
    controls = _draw_controls(rng, years, reference, n_regions)
    shocks = rng.standard_normal((n_periods, n_regions))
    weights, order = _draw_graph(rng, graph, n_media)
    spend = _follow_parents(media_scale * patterns, media_scale, weights, order)

    response = PanelResponse(parameters=parameters, saturation=saturation)
    _fix_media_share(response, spend, controls, media_share)
    shocks *= noise * parameters["scale"].to_numpy()
    panel = _pack_panel(response, spend, controls, shocks)
    panel.update(parameters=parameters, response=response, graph=weights)
    return panel
