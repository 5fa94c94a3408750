"""How a model is fitted: build it, train it, draw from it, check it."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from skmmm._data import checks
from skmmm._data.costs import by_channel
from skmmm._data.experiments import read_experiments
from skmmm._data.faults import loss_regions
from skmmm._data.scales import fit_scales
from skmmm._data.synergies import check_pairs
from skmmm._estimator.alarms import (
    alarms_of_spend,
    placement_alarms,
    warn_of_alarms,
    with_those_of_fit,
)
from skmmm._estimator.channel_priors import make_channel_priors
from skmmm._estimator.experiments import (
    Told,
    alarms_after,
    experiment_table,
)
from skmmm._model.context import draw_context
from skmmm._model.contrasts import reported_experiments
from skmmm._model.demand import (
    extend_demand,
    fit_demand,
)
from skmmm._model.hmc import most_chains, sample, sample_on
from skmmm._model.inputs import Seasons, context_columns
from skmmm._model.likelihood import Loss, make_target
from skmmm._model.network import OutcomeNetwork
from skmmm._model.optimise import train
from skmmm._model.outcome import OutcomeModel
from skmmm._model.priors import Sizes, with_stocks
from skmmm._model.refresh import refresh
from skmmm._model.threads import threads_for_blocks
from skmmm._utils.callbacks import fit_progress
from skmmm._utils.warnings import warn_user
from skmmm.inspection._placement import (
    CONSEQUENCES,
    LEAVE_ESTIMATES,
    LEAVE_IN_SERIES,
    SURPRISED,
    UNTRUSTED,
)
from skmmm.inspection._sampling import (
    LOG_POSTERIOR,
    diagnose,
    is_untrusted,
    sampling_problem,
)
from skmmm.inspection._verdicts import (
    contraction,
    doubt_removed,
    find_twins,
    is_known,
    is_narrow,
    known_together,
)

_SURPRISING = 0.99  # share of expected rows that are likelier than new ones
_CONTRADICTS = 2.576  # prior sds beyond which an estimate is in 1 % of cases


def fit_model(estimator, panel, stuck, outliers, population, graph, X, y, before=None):
    """Fit what a regressor has arranged.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        With its columns, regions and calendar.
    panel : Panel
        The training rows that count.
    stuck : ndarray of shape (n_regions, n_periods), bool
        Cells in which the KPI stands still.
    outliers : ndarray of shape (n_regions, n_periods)
        Robust standard deviations by which the KPI cannot be right.
    population : ndarray of shape (n_regions,) or None
    graph : StructuralVAR, NOTEARS or None
    X, y
        As of `fit`, for callbacks.
    before : LastFit or None
        Where training starts; None: where all fits start.

    Returns
    -------
    state : dict
        Private attributes of the fitted regressor.
    losses : list of float
        Of each iteration.
    """
    generator = _generator(estimator)
    experiments = None
    tests = _read_experiments(estimator, panel.shape[1])
    # L-BFGS works on vectors so short that BLAS threads only wait for each other.
    with (
        threads_for_blocks(),
        threadpool_limits(1, user_api="blas"),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        model, target, alarms = _start(
            estimator, panel, stuck, outliers, population, generator
        )
        if before is not None:
            before.move(model.network, estimator.regions_)
        reported = None
        if tests is not None:
            reported = reported_experiments(tests, model, estimator._media_cost)
        losses = _train(estimator, model, target, X, y, started=before is not None)
        contradicted = _check_priors(estimator, model, target)
        model, trace = _with_draws(estimator, model, target, generator)
        alarms = placement_alarms(
            model, target, alarms, None if trace is None else trace.places
        )
        if reported is not None:
            model, trace, experiments = _with_experiments(
                estimator, reported, model, target, trace, alarms, generator
            )
        sampling, untrusted = _check_sampling(estimator, model, trace)
        model = _doubting(model, alarms)
        if reported is not None:
            alarms = alarms_after(alarms, reported, experiments)
        doubted = model.network.channel_priors.doubted.numpy()
        warn_of_alarms(estimator, alarms, doubted)
        alarms[untrusted & (alarms == "")] = UNTRUSTED  # of which it was warned
        judged = alarms != "", contradicted, untrusted
        model = _judged(model, target, *judged, _effects_in(trace, model))
        state = {
            "_sampling": sampling,
            "experiments_": experiments,
            "_contradicted": contradicted,
            "_alarms": tuple(alarms),
            "_graph": estimator._fit_graph(model, graph, generator.initial_seed()),
        }
    return {"_model": model, **state}, losses


def refresh_model(estimator, panel, outliers):
    """Let a fitted model take in later rows.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        As it was fitted.
    panel : Panel
        All rows, those of training first.
    outliers : ndarray of shape (n_regions, n_periods)
        As of `fit_model`.

    Returns
    -------
    state : dict
        Private attributes of the fitted regressor.
    """
    model = estimator._model
    n_periods, ordered = panel.shape[1], estimator._calendar is not None
    n_new = n_periods - model.history.shape[1]
    generator = _generator(estimator)
    seed = generator.initial_seed()
    with (
        threads_for_blocks(),
        threadpool_limits(1, user_api="blas"),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        season = model.seasons.fourier(panel)
        alarms = alarms_of_spend(estimator, panel, season)
        shown = ~np.isin(alarms, CONSEQUENCES)
        demand = extend_demand(model.demand, panel, season, shown, generator)
        model = replace(model, history=panel, demand=demand)
        target = make_target(panel, model.scales, outliers, ordered=ordered)
        tests, reported = _read_experiments(estimator, n_periods), None
        if tests is not None:
            reported = reported_experiments(tests, model, estimator._media_cost)
            target = replace(target, experiments=reported.measurements)
        # Not the same errors again at every call.
        model, surprise = refresh(
            model,
            target,
            n_new,
            estimator.effect_drift if ordered else 0.0,
            generator.manual_seed(seed + n_periods),
        )
        known = estimator._contradicted
        contradicted = _check_priors(estimator, model, target, known)
        alarms = placement_alarms(model, target, alarms, model.draws)
        if reported is not None:
            alarms = alarms_after(alarms, reported, estimator.experiments_)
        alarms = with_those_of_fit(estimator, alarms)
        if surprise >= _SURPRISING:
            _warn_of_surprise(surprise)
            alarms[alarms == ""] = SURPRISED
        untrusted = np.zeros(len(alarms), dtype=bool)
        if estimator._sampling is not None:
            untrusted = is_untrusted(estimator._sampling)[:-1]
        return {
            "_model": _judged(model, target, alarms != "", contradicted, untrusted),
            "_contradicted": contradicted,
            "_alarms": tuple(alarms),
        }


def _warn_of_surprise(surprise):
    """Warn that new rows are less likely than nearly all that was expected."""
    warn_user(
        f"Of rows such as the model expected, {surprise:.0%} are likelier than the new "
        "ones: something has changed that it does not know, as a break, another unit "
        "or an error in the data. No channel is called data-driven until the next fit. "
        "Look at the rows, and fit again with all of them."
    )


def _generator(estimator):
    """Return torch's random numbers, seeded without touching global state."""
    seed = check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max)
    return torch.Generator().manual_seed(int(seed))


def _start(estimator, panel, stuck, outliers, population, generator):
    """Return an untrained model, its target, and alarms of how spend was placed."""
    ordered = estimator._calendar is not None
    cost = estimator._media_cost
    by_frequency = estimator._with_frequency()
    scales = fit_scales(panel, outliers, stuck, cost, population, by_frequency)
    _check_finite(scales, estimator._columns)
    seasons = Seasons(estimator._calendar, estimator.n_harmonics, panel.shape[1])
    season = seasons.fourier(panel)
    alarms = alarms_of_spend(estimator, panel, season)
    shown = ~np.isin(alarms, CONSEQUENCES)
    demand = fit_demand(panel, season, shown, generator) if ordered else None
    sizes = Sizes(
        n_regions=len(estimator.regions_),
        n_media=len(estimator._columns.media),
        n_controls=len(estimator._columns.controls),
        n_season=len(season),
        n_hidden=estimator.n_hidden if ordered else 0,
        max_lag=estimator.max_lag if ordered else 0,
        time_varying=bool(estimator.time_varying),
        negative_kpi=bool(loss_regions(panel).any()),
        n_demand=0 if demand is None else demand.n_columns,
        per_head=population is not None and len(population) > 1,
    )
    context = None
    if sizes.n_hidden:
        columns = context_columns(panel, scales, seasons)
        context = draw_context(
            sizes.n_hidden, sizes.n_season, sizes.n_controls, sizes.n_regions, generator
        ).centred(columns, torch.from_numpy(panel.weight > 0))
    free_sign = _free_sign(estimator, sizes.negative_kpi)
    network = OutcomeNetwork(
        sizes,
        adstock=estimator.adstock,
        free_sign=free_sign,
        channel_priors=_channel_priors(estimator, panel, scales, shown, free_sign),
        level=ordered,
    )
    target = make_target(panel, scales, outliers, ordered=ordered)
    shape = (
        estimator.huber_delta
        if estimator.loss == "huber"
        else estimator.degrees_of_freedom
    )
    loss = Loss(estimator.loss, float(shape))
    model = OutcomeModel(
        network, None, None, None, scales, seasons, context, demand, panel, loss
    )
    return model, target, alarms


def _channel_priors(estimator, panel, scales, shown, free_sign):
    """Return what is expected of each channel."""
    media = list(estimator._columns.media)
    channels = make_channel_priors(
        estimator.priors,
        estimator._media_cost,
        adstock=estimator.adstock,
        media_share=estimator.media_share,
        shown=shown,
        panel=panel,
        scales=scales,
        media=media,
        labels=estimator._labels,
    )
    slow, pairs = estimator._with_stock(), estimator._pairs()
    half_a_year = (estimator._season_length or 0) / 2.0  # with a time column
    usual = (panel.media / scales.media[:, None])[panel.observed].mean(axis=0)
    channels = with_stocks(channels, slow, max(half_a_year, 1.0), usual)
    if not pairs:
        return channels
    check_pairs(pairs, media, free_sign.numpy(), ~channels.pooled.numpy())
    return replace(channels, pairs=torch.tensor(pairs))


def _free_sign(estimator, negative_kpi):
    """Return which channels may have a negative effect, shape (n_media,)."""
    media = estimator._columns.media
    frame = pd.DataFrame(columns=estimator._labels)
    given = () if estimator.free_sign is None else estimator.free_sign
    free = checks.resolve_many(frame, given, "free_sign")
    priors = by_channel("priors", estimator.priors or {}, media, estimator._labels)
    for label in free:
        checks.check_channel(label, media, "free_sign")
        if _has_return(priors.get(label)):
            raise ValueError(
                f"{label!r} is in free_sign, but priors[{label!r}]['roi'] makes "
                "its effect positive. Leave out one of them."
            )
    either = [
        label in free or (negative_kpi and not _has_return(priors.get(label)))
        for label in media
    ]
    return torch.tensor(either, dtype=torch.bool)


def _train(estimator, model, target, X, y, *, started):
    """Move the network to the mode; `started` as of `train`."""
    losses: list[float] = []
    with fit_progress(
        estimator, X, y, lambda: _state_now(estimator, model, target, losses)
    ) as report:

        def on_iteration(loss):
            losses.append(loss)
            return report(loss)

        settled = _move_to_mode(estimator, model, target, on_iteration, started=started)
    _warn_unless(settled, estimator)
    return losses


def _warn_unless(settled, estimator):
    """Warn if training did not settle."""
    if not settled:
        warn_user(
            f"Training stopped after max_iter={estimator.max_iter} iterations before "
            "it had settled. Increase max_iter.",
            ConvergenceWarning,
        )


def _move_to_mode(estimator, model, target, on_iteration, *, started=False):
    """Train the network in place; return whether it settled."""
    return train(
        model.network,
        model.inputs().rounded(),
        target,
        model.loss,
        max_iter=estimator.max_iter,
        tol=estimator.tol,
        on_iteration=on_iteration,
        started=started,
    )


def _state_now(estimator, model, target, losses):
    """Return the fitted attributes as if training had stopped now."""
    copied = replace(model, network=copy.deepcopy(model.network))
    model = copied.at_mode(target)
    return {"_model": model, **estimator._public_state(model, losses)}


def _with_draws(estimator, model, target, generator):
    """Add draws of parameters and level to a trained model; go to their mean.

    Without draws the model stays at the mode. Also return the `Trace`, or None.
    """
    if not estimator.n_draws:
        return model.at_mode(target), None
    draws, mean, trace, found = sample(
        model.network, model.inputs(), target, model.loss, estimator.n_draws, generator
    )
    model = replace(model, conditional_contraction=found)
    return model.with_draws(draws, mean, target), trace


def _effects_in(trace, model):
    """Return the mean effects of draws if a trace has them, (n_draws, n_media)."""
    if trace is None or model.draws.regional is not trace.places.regional:
        return None  # not all places are draws
    doubted = model.draws.channel_priors.doubted
    if not torch.equal(doubted, trace.places.channel_priors.doubted):
        return None
    return trace.effects.numpy()


def _judged(model, target, alarmed, contradicted, untrusted, effects=None):
    """Return the model with what it knows of each channel.

    Those that ring an alarm, whose data contradict their prior, or whose draws cannot
    be trusted, are in no group of which only the sum is known. These are of shape
    (n_media,), bool; `effects` as `known` of `OutcomeModel.mean_effects`.
    """
    if model.draws is None:
        return model
    with torch.no_grad():
        effects, prior = model.mean_effects(target, effects)
    twins = find_twins(prior, model.history.media, model.history.observed)
    learned = contraction(effects, prior)
    narrow = is_narrow(effects) & ~twins.any(axis=1) & ~untrusted
    if model.refreshed:  # known as it is by now; over all rows it may not be
        narrow &= is_narrow(model.mean_effects_of(model.draws, target))
    unknown = ~is_known(learned, narrow) & ~alarmed & ~contradicted & ~untrusted
    return replace(
        model,
        contraction=learned,
        narrow=narrow,
        together=known_together(effects, prior, unknown, twins),
    )


def _read_experiments(estimator, grid_length):
    """Return the rows of the parameter `experiments`, None if it says nothing."""
    if estimator.experiments is None:
        return None
    return read_experiments(
        estimator.experiments,
        media=list(estimator._columns.media),
        regions=estimator.regions_,
        calendar=estimator._calendar,
        grid_length=grid_length,
    )


def _with_experiments(estimator, reported, model, target, trace, alarms, generator):
    """Return model and trace after experiments, and `experiments_`."""
    model = _doubting(model, alarms)
    more = replace(target, experiments=reported.measurements)
    if trace is None:
        before = model.network
        model = replace(model, network=copy.deepcopy(before))
        try:
            settled_again = _move_to_mode(estimator, model, more, lambda loss: False)
        except FloatingPointError as error:
            raise ValueError(
                "The experiments are so far from the rows, by their std_error, that no "
                "fit to both can be computed. Check estimate, std_error and units."
            ) from error
        _warn_unless(settled_again, estimator)
        model, after = model.at_mode(more), model.network
    else:
        before = model.network.at(trace.places.shared, trace.places.regional)
        n_chains = trace.log_density.shape[1]
        last = before.at(before.shared[-n_chains:], before.regional[-n_chains:])
        draws, mean, trace = sample_on(
            model.network,
            last,
            model.inputs(),
            more,
            model.loss,
            estimator.n_draws,
            generator,
        )
        model, after = model.with_draws(draws, mean, more), trace.places
    told = _told(reported, model, target, before, after)
    media, calendar = list(estimator._columns.media), estimator._calendar
    table = experiment_table(reported, told, media, calendar)
    for finding in table.loc[table["conflict"], "finding"]:
        warn_user(finding)
    return model, trace, table


def _doubting(model, alarms):
    """Return the model in which a part of what moves with channels is no effect."""
    leave = LEAVE_ESTIMATES if len(model.history.media) > 1 else LEAVE_IN_SERIES
    return model.doubting(~np.isin(alarms, ("", *leave)))


def _told(reported, model, target, before, after):
    """Return the `Told` of networks before and after."""
    values = [reported.values(network) for network in (before, after)]
    effects = model.mean_effects_of(before, target)
    caused = np.stack([effects[:, q.channels].sum(axis=1) for q in reported.rows], 1)
    removed = doubt_removed(values[0], caused, reported.measurements.std_error)
    before, after = map(reported.in_measure, values)
    return Told(before=before, after=after, doubt_removed=removed)


def _check_sampling(estimator, model, trace):
    """Check the draws, and warn.

    Returns
    -------
    found : ndarray of shape (n_media + 1, n_columns)
        Diagnostics of each channel's effect and of the log posterior; None without
        draws.
    untrusted : ndarray of shape (n_media,), bool
        Channels whose draws cannot be trusted.
    """
    if trace is None:
        return None, np.zeros(len(estimator._columns.media), dtype=bool)
    start, after = trace.first_effects.numpy(), trace.effects.numpy()
    density = trace.log_density.numpy()
    after = after.reshape(*trace.log_acceptance.shape, -1)
    found = diagnose(
        np.concatenate([after, density[1:, :, None]], axis=2),
        np.concatenate([start, density[0][:, None]], axis=1),
        trace.log_acceptance.numpy(),
    )
    problem = sampling_problem(
        found,
        [*estimator._columns.media, LOG_POSTERIOR],
        2 * len(after) * most_chains(model.inputs()),
    )
    if problem:
        warn_user(problem, ConvergenceWarning)
    return found, is_untrusted(found)[:-1]


def _check_priors(estimator, model, target, known=False):
    """Return which channels' data contradict their prior; warn of those not known."""
    contradicted = np.zeros(len(estimator._columns.media), dtype=bool)
    own = model.network.with_own_prior(model.inputs())
    if len(own):
        with torch.no_grad():
            away = model.network.surprises(model.inputs(), target.share)[0]
        contradicted[own] = np.abs(away.numpy()) > _CONTRADICTS
    media, new = estimator._columns.media, contradicted & ~np.asarray(known)
    names = [c for c, far in zip(media, new, strict=True) if far]
    if names:
        warn_user(
            f"The data contradict the prior on the ROI of {names}: the estimate is "
            "a compromise that neither supports. Find out which of the two is "
            "wrong; widen the prior if it is less certain than it says.",
        )
    return contradicted


def _check_finite(scales, columns):
    """Raise if a column or the KPI is too large for its square to be a number."""
    with np.errstate(over="ignore"):
        sizes = {"y": scales.kpi**2}
        sizes |= dict(zip(columns.media, scales.media.T**2, strict=True))
        sizes |= dict(zip(columns.controls, scales.control_scale**2, strict=True))
    for label, size in sizes.items():
        if not np.isfinite(size).all():
            raise ValueError(
                f"{label!r} has values too large to compute with. Express it in larger "
                "units."
            )


def _has_return(prior):
    """Return whether a prior of a channel is about its return."""
    return isinstance(prior, Mapping) and "roi" in prior
