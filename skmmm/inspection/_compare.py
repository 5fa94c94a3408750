"""Why the ROI of a channel is another one in another model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from skmmm._unwrapping import bare, parameter_of
from skmmm._utils.labels import counted, listed
from skmmm._utils.parallel import call_each
from skmmm._utils.typing import Array
from skmmm._utils.warnings import warn_user
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import tail_probability
from skmmm.inspection._predictions import shapley_values
from skmmm.inspection._refits import to_refit, warned_once

_FACTORS = ("data", "settings", "seed")
_SEEDS = 2**32
_RTOL = 1e-9  # of a KPI that went through a text file


class State(NamedTuple):
    """What a model is fitted with.

    Attributes
    ----------
    data, settings : {0, 1}
        Those of the old model or of the new one; 1 also where they are the same.
    seed : int
    """

    data: int
    settings: int
    seed: int


def compare_models(
    old: Any,
    new: Any,
    *,
    confidence_level: float = 0.9,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Say why the ROI of each channel is another one in a newer model.

    The models are fitted again with one thing changed at a time, to the training rows
    that they keep. What the change of ROI owes to each thing is the average over the
    orders in which they can be changed, its Shapley value [1]_.

    Parameters
    ----------
    old, new : DeepCausalMMMRegressor
        Fitted to the same KPI, with a time column and channels in common. They are not
        changed.
    confidence_level : float in (0, 1), default=0.9
        Of the interval of `old`.
    n_jobs : int or None, default=None
        Refits at the same time, as in `placebo_channel`.

    Returns
    -------
    table : DataFrame indexed by channel
        - ``roi_old``, ``roi_new``: KPI units per unit of spend, both of the same rows
          (see Notes), so that another mix of rows does not count as a change;
          ``change``, the latter less the former;
        - ``data``: part of the change that comes from the data: rows that came, went or
          were corrected, with their weights, other columns in them, costs and
          experiments (the parameters ``media``, ``controls``, ``region``, ``time``,
          ``population``, ``media_cost``, ``frequency`` and ``experiments``);
          ``settings``: from all other parameters; ``seed``: from ``random_state``;
          ``refresh``: from `partial_fit` in place of a fit to all rows. They add up to
          ``change``;
        - ``seed_noise``: by how much ROI differs between two fits of `new` that differ
          in the seed alone, without a sign: a part that is no larger is no more than
          noise;
        - ``roi_old_low``, ``roi_old_high``: interval of ``roi_old``, NaN without draws;
          ``outside``: whether it does not hold ``roi_new``, False without an interval;
        - ``verdict_old``, ``verdict_new``, ``alarm_old``, ``alarm_new``: as in
          `channel_summary`. An alarm changes what is reported of a channel: where it
          rings in one model only, ROI jumps by more than the estimate has moved;
        - ``reported_old``, ``reported_new``: ROI that `channel_summary` reports, of all
          rows that each model was fitted to.

        A channel that only one of the models has is a row, too: what would need both is
        NaN, and ``outside`` False.

    Raises
    ------
    NotFittedError
        If a model is not fitted.
    TypeError
        If a model is no `DeepCausalMMMRegressor`.
    ValueError
        If a model has no time column, periods are of different length, no channel or no
        row is known to both, or if the KPI of all rows in common differs.

    Warns
    -----
    UserWarning
        If the KPI of some rows in common differs: they were corrected, and count as new
        data. Of each kind of warning that the fits give, the first is passed on, with
        their number.

    See Also
    --------
    refresh_stability : How far each ROI moves as data come in, before a refresh.
    channel_summary : What one model says.

    Notes
    -----
    Both ROIs are of the region-periods that both models were fitted to: what the KPI
    of these rows owes to the channel, over what was spent in them. Where one model
    knows earlier rows than the other, the first ``max_lag`` periods in common are left
    out, since what was spent before carries over into them. Each model is asked with
    the media that it learned from; corrected media are new data.

    With k of data, settings and seed different, :math:`2^k - 2` models are fitted, and
    one more for ``seed_noise`` unless seeds differ, which must be integers; of a model
    that took in rows by `partial_fit` one more, to all its rows at once: ``refresh`` is
    what it says beyond that one. If only data differ, and none was refreshed, `old` is
    not fitted again. ``seed_noise`` comes from two fits: it says how large noise is,
    not what its largest value may be. Without an integer as ``random_state`` a fit
    cannot be repeated: ``seed`` then holds what its repetition, with another one, does
    not explain. If nothing differs at all, a change comes from the machine or version
    that a model was fitted on, and stands in ``seed``.

    Of `population` a model keeps relative sizes, which fits depend on. Rows whose KPI
    was stuck have weight zero in all fits. A prior or free sign of a channel that the
    data of a fit lack is left out of that fit.

    References
    ----------
    .. [1] Shapley (1953). A Value for n-Person Games. Contributions to the Theory of
       Games 2.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import compare_models
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> settings = {
    ...     "media": world.media, "time": "week", "region": "region", "graph": None,
    ...     "n_draws": 8, "max_iter": 20, "random_state": 0,
    ... }
    >>> before = world.X["week"] < world.X["week"].sort_values().iloc[56]
    >>> old = DeepCausalMMMRegressor(**settings).fit(world.X[before], world.y[before])
    >>> new = DeepCausalMMMRegressor(**settings).fit(world.X, world.y)
    >>> table = compare_models(old, new)
    >>> parts = table[["data", "settings", "seed", "refresh"]]
    >>> bool((parts.sum(axis=1) - table["change"]).abs().max() < 1e-12)
    True
    >>> bool((table["settings"] == 0).all())
    True
    """
    tail_probability(confidence_level)
    models = [_model_of(one, name) for one, name in ((old, "old"), (new, "new"))]
    fits = [model._fitted_to() for model in models]
    channels = _channels(models)
    _check_periods(models)
    common = _rows_in_common(fits)
    asked = [
        _asked(model, one.frame[rows], confidence_level).reindex(channels)
        for model, one, rows in zip(models, fits, common, strict=True)
    ]
    ends, other = _states(models, fits)
    refits = _to_fit_again(ends, other, [one.refreshed for one in fits])
    calls = [_call(models[1], fits, common, state) for state in refits]
    with warned_once():
        found = [one.reindex(channels) for one in call_each(_refitted, calls, n_jobs)]
    roi = dict(zip(refits, found, strict=True))
    # Of fits to all rows at once, which a model is unless it was refreshed.
    at_ends = [
        roi[end] if one.refreshed else answer["roi"]
        for end, one, answer in zip(ends, fits, asked, strict=True)
    ]
    of_other_seed = at_ends[0] if other == ends[0] else roi[other]
    parts = _parts(ends, at_ends, roi)
    noise = (of_other_seed - at_ends[1]).abs()
    return _table(models, asked, parts, at_ends, noise)


def refits_needed(old: Any, new: Any) -> int:
    """Return how many models `compare_models` fits, without draws and graph."""
    models = [_model_of(one, name) for one, name in ((old, "old"), (new, "new"))]
    fits = [model._fitted_to() for model in models]
    ends, other = _states(models, fits)
    return len(_to_fit_again(ends, other, [one.refreshed for one in fits]))


def _model_of(estimator: Any, name: str) -> Any:
    """Return a fitted model, or raise."""
    model = bare(estimator)
    if not hasattr(model, "_fitted_to"):
        raise TypeError(
            f"{name} is a {type(model).__name__}, but compare_models fits again to the "
            "rows that a model keeps, as only a DeepCausalMMMRegressor does. Pass one; "
            "of groups, one of estimators_."
        )
    if not hasattr(model, "_model"):
        raise NotFittedError(f"{name} is not fitted. Call fit before compare_models.")
    return model


def _channels(models: Sequence[Any]) -> pd.Index:
    """Return the channels of both models, those of the old one first, or raise."""
    old, new = (list(model.media_) for model in models)
    if not set(old) & set(new):
        raise ValueError(
            f"No channel is in both models: old has {listed(old)}, new has "
            f"{listed(new)}. Give them the same names."
        )
    names = [*old, *(channel for channel in new if channel not in old)]
    return pd.Index(names, name="channel")


def _check_periods(models: Sequence[Any]) -> None:
    """Raise unless rows of both models have periods of the same length."""
    lengths = [model.period_ for model in models]
    for name, length in zip(("old", "new"), lengths, strict=True):
        if length is None:
            raise ValueError(
                f"{name} has no time column, so its rows cannot be found in the other "
                "model. Fit it with time=..."
            )
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"The period of old is {lengths[0]!r}, that of new {lengths[1]!r}: no row "
            "is in both. Fit both to periods of the same length."
        )


def _rows_in_common(fits: Sequence[Any]) -> list[np.ndarray]:
    """Return which rows of each model are asked about, (n_rows,), bool, or raise."""
    old, new = fits
    shared = old.keys.isin(new.keys)
    if not shared.any():
        raise ValueError(
            "No row is in both models: old was fitted to "
            f"{_extent(old)}, new to {_extent(new)}. Compare models of overlapping "
            "regions and periods, regions called the same."
        )
    _compare_kpi(old, new)
    if _start(old) != _start(new):
        n_lags = max(one.settings["max_lag"] for one in fits)
        first = old.period[shared].min()
        n_periods = old.period[shared].max() - first + 1
        if n_periods <= n_lags:
            raise ValueError(
                f"The models have {counted(n_periods, 'period')} in common, into which "
                f"spend from before carries over, which only one of them knows: more "
                f"than max_lag={n_lags} are needed. Let them overlap more."
            )
        shared &= old.period >= first + n_lags
    return [shared, new.keys.isin(old.keys[shared])]


def _start(fit: Any) -> Any:
    return fit.keys.get_level_values(1).min()


def _extent(fit: Any) -> str:
    """Return regions and periods of rows in words."""
    regions = fit.keys.get_level_values(0).unique()
    last = fit.keys.get_level_values(1).max()
    told = f"{counted(len(regions), 'region')} (the first is {regions[0]})"
    return f"{told} from {_start(fit)} to {last}"


def _compare_kpi(old: Any, new: Any) -> None:
    """Warn of rows in common whose KPI differs; raise if it does in all of them."""
    at = new.keys.get_indexer(old.keys)
    rows = np.flatnonzero(at >= 0)
    before, after = old.y[rows], new.y[at[rows]]
    differ = np.flatnonzero(~np.isclose(before, after, rtol=_RTOL, atol=0.0))
    if not len(differ):
        return
    i = differ[0]
    region, time = old.keys[rows[i]]
    told = (
        f"{len(differ):,} of {counted(len(rows), 'row')} that both models know have "
        f"another KPI, the first is region {region}, time {time}: {before[i]:g} in "
        f"old, {after[i]:g} in new."
    )
    if len(differ) == len(rows):
        raise ValueError(f"{told} Compare models of the same KPI in the same unit.")
    warn_user(f"{told} They count as new data.")


def _asked(model: Any, rows: pd.DataFrame, confidence_level: float) -> pd.DataFrame:
    """Return what spend of rows earned in these rows, with its interval, by channel.

    Not ``roi`` of the summary: it counts later rows as well, which only one may know.
    """
    summary = channel_summary(model, rows, confidence_level=confidence_level)
    spend = summary["spend"].where(summary["roi"].notna())
    names = {"roi": "", "low": "_low", "high": "_high"}
    return pd.DataFrame(
        {name: summary[f"contribution{end}"] / spend for name, end in names.items()}
    )


def _states(models: Sequence[Any], fits: Sequence[Any]) -> tuple[list[State], State]:
    """Return the state of both models, and that of the new one with another seed."""
    old, new = fits
    seeds = [parameter_of(model, "random_state") for model in models]
    known = [isinstance(seed, Integral) for seed in seeds]
    # Others cannot be drawn again: any seed that the other model has not.
    if not known[1]:
        seeds[1] = (seeds[0] + 1) % _SEEDS if known[0] else 0
    if not known[0]:
        seeds[0] = (seeds[1] + 1) % _SEEDS
    before, after = map(int, seeds)
    other = before
    if before == after or not all(known):
        other = (after + 2) % _SEEDS
    same_settings = old.settings == new.settings
    first = State(int(old.same_data(new)), int(same_settings), before)
    return [first, State(1, 1, after)], State(1, 1, other)


def _moved(ends: Sequence[State]) -> list[str]:
    """Return what differs between two states; if nothing does, the seed."""
    old, new = ends
    pairs = zip(_FACTORS, old, new, strict=True)
    return [name for name, a, b in pairs if a != b] or ["seed"]


def _between(ends: Sequence[State], chosen: Iterable[bool]) -> State:
    """Return the old state with some of what differs taken from the new one."""
    old, new = ends
    taken = {
        name: getattr(new, name)
        for name, take in zip(_moved(ends), chosen, strict=True)
        if take
    }
    return old._replace(**taken)


def _to_fit_again(
    ends: Sequence[State], other: State, refreshed: Sequence[bool]
) -> list[State]:
    """Return the states of which there is no model."""
    corners = product((False, True), repeat=len(_moved(ends)))
    wanted = dict.fromkeys([*(_between(ends, one) for one in corners), other])
    for end in ends:
        wanted.pop(end, None)
    unknown = [end for end, more in zip(ends, refreshed, strict=True) if more]
    return [*dict.fromkeys(unknown), *wanted]


def _call(
    model: Any, fits: Sequence[Any], common: Sequence[np.ndarray], state: State
) -> tuple[Any, Any, np.ndarray]:
    """Return an unfitted model, what to fit it to, and the rows to ask about."""
    data, settings = fits[state.data], fits[state.settings].settings
    labels = list(data.frame)
    media = {labels[position]: position for position in data.roles["media"]}
    pairs = [pair for pair in settings["synergies"] or () if media.keys() >= {*pair}]
    told = settings | {
        "priors": {media[k]: v for k, v in settings["priors"].items() if k in media},
        **{
            name: sorted(media[k] for k in settings[name] if k in media)
            for name in ("free_sign", "brand_channels")
        },
        "synergies": [(media[a], media[b]) for a, b in pairs] or None,
        "random_state": state.seed,
    }
    return to_refit(model, "graph", **data.roles, **told), data, common[state.data]


def _refitted(model: Any, data: Any, rows: np.ndarray) -> pd.Series:
    """Fit again; return the ROI of some rows by channel."""
    model.fit(data.frame, data.y, sample_weight=data.weight)
    return _asked(model, data.frame[rows], 0.9)["roi"]


def _parts(
    ends: Sequence[State], at_ends: Sequence[pd.Series], roi: dict[State, pd.Series]
) -> pd.DataFrame:
    """Return what data, settings and seed add to the ROI of each channel."""
    moved = _moved(ends)

    def value(chosen: np.ndarray) -> Array:
        if chosen.all() or not chosen.any():
            return at_ends[int(chosen.all())].to_numpy()
        return roi[_between(ends, chosen)].to_numpy()

    rng = check_random_state(0)  # values are exact
    shares, _ = shapley_values(value, len(moved), n_permutations=1, rng=rng)
    parts = pd.DataFrame(shares, at_ends[0].index, moved)
    nothing = (at_ends[1] - at_ends[0]).abs() * 0.0  # NaN where one has no such channel
    return parts.assign(**{name: nothing for name in _FACTORS if name not in moved})


def _table(
    models: Sequence[Any],
    asked: Sequence[pd.DataFrame],
    parts: pd.DataFrame,
    at_ends: Sequence[pd.Series],
    noise: pd.Series,
) -> pd.DataFrame:
    """Put together what `compare_models` returns."""
    before, after = (answer["roi"] for answer in asked)
    low, high = asked[0]["low"], asked[0]["high"]
    old, new = (channel_summary(model).reindex(parts.index) for model in models)
    return pd.DataFrame(
        {
            "roi_old": before,
            "roi_new": after,
            "change": after - before,
            **parts[list(_FACTORS)],
            "refresh": (after - at_ends[1]) - (before - at_ends[0]),
            "seed_noise": noise,
            "roi_old_low": low,
            "roi_old_high": high,
            "outside": (after < low) | (after > high),
            "verdict_old": old["verdict"],
            "verdict_new": new["verdict"],
            "alarm_old": old["alarm"],
            "alarm_new": new["alarm"],
            "reported_old": old["roi"],
            "reported_new": new["roi"],
        }
    )
