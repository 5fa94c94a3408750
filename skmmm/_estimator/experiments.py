"""From the experiments of a table to contrasts of spend, and what the model says."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

from skmmm._data.experiments import Experiment, read_experiments
from skmmm._model.draws import few_draws
from skmmm._model.experiments import Contrast, Measurements
from skmmm._model.hmc import Trace, sample_on
from skmmm._model.optimise import train
from skmmm._utils.typing import Array

if TYPE_CHECKING:
    from skmmm._model.inputs import Inputs
    from skmmm._model.likelihood import Target
    from skmmm._model.outcome import OutcomeModel

_NEXT_UNIT = 0.01  # share by which spend grows in the return on the next unit
_CONFLICT = 2.0  # standard deviations from which a measurement contradicts the model
_SETTLED = 0.5  # share of the doubt that an experiment removes which answers an alarm
_WIDTH = 3.29  # of a 90 % interval, in standard deviations


@dataclass(frozen=True, eq=False)
class ReportedExperiments:
    """The experiments of a user, and the same as a part of the likelihood.

    Attributes
    ----------
    rows : list of Experiment
    money : list of float
        Between the two spends of each; nan where costs are unknown.
    measurements : Measurements
    """

    rows: list[Experiment]
    money: list[float]
    measurements: Measurements

    def in_measure(self, values: Array) -> Array:
        """Return the model's values, (E, Q), in the units that the user reports."""
        found = values.copy()
        for q, (one, money) in enumerate(zip(self.rows, self.money, strict=True)):
            if one.measure == "cost_per_outcome":
                found[:, q] = money / values[:, q]
        return found


def reported_experiments(
    estimator: Any, model: OutcomeModel
) -> ReportedExperiments | None:
    """Return what the parameter `experiments` says, None if it says nothing.

    Raises
    ------
    ValueError
        If a row cannot be understood, or its change cannot be placed.
    """
    if estimator.experiments is None:
        return None
    rows = read_experiments(
        estimator.experiments,
        media=list(estimator._columns.media),
        regions=estimator.regions_,
        calendar=estimator._calendar,
        grid_length=model.history.shape[1],
    )
    contrasts, measured, errors, moneys = [], [], [], []
    for one in rows:
        contrast, money = _contrast(one, model, estimator._media_cost)
        unit, estimate, errors_of = _in_units(one, money)
        contrasts.append(replace(contrast, weight=contrast.weight / unit))
        measured.append(estimate)
        errors.append(errors_of)
        moneys.append(money)
    measurements = Measurements.with_covariance(
        contrasts,
        torch.tensor(measured, dtype=torch.float64),
        torch.from_numpy(_covariance(rows, np.array(errors))),
    )
    return ReportedExperiments(rows, moneys, measurements)


def learn_from(
    reported: ReportedExperiments,
    model: OutcomeModel,
    target: Target,
    trace: Trace | None,
    generator: torch.Generator,
    *,
    n_draws: int,
    max_iter: int,
    tol: float,
) -> tuple[OutcomeModel, Trace | None, dict[str, Array]]:
    """Return the model after experiments, its trace, and what they told.

    Parameters
    ----------
    reported : ReportedExperiments
    model : OutcomeModel
        Fitted to the rows, with the doubts about channels that ring an alarm.
    target : Target
    trace : Trace or None
        Of the fit to the rows; None without draws.
    generator : torch.Generator
    n_draws, max_iter : int
    tol : float

    Returns
    -------
    model : OutcomeModel
    trace : Trace or None
    told : dict of str to ndarray of shape (Q,) or (2, Q)
        ``before`` and ``after``: median and sd of what the model says of each
        experiment; ``doubt_removed``: share of the variance of what the channels of
        each cause.
    """
    told = replace(target, experiments=reported.measurements)
    if trace is None:
        before = model.network
        network = copy.deepcopy(before)
        train(
            network,
            model.inputs().rounded(),
            told,
            model.loss,
            max_iter=max_iter,
            tol=tol,
            on_iteration=lambda _: False,
        )
        model = replace(model, network=network).at_mode(told)
        after = network
    else:
        before = model.network.at(trace.places.shared, trace.places.regional)
        n_chains = trace.log_density.shape[1]
        last = before.at(before.shared[-n_chains:], before.regional[-n_chains:])
        draws, mean, trace = sample_on(
            model.network, last, model.inputs(), told, model.loss, n_draws, generator
        )
        model = model.with_draws(draws, mean, told)
        after = trace.places
    return model, trace, _told(reported, model, target, before, after)


def _told(reported, model, target, before, after):
    """Return what experiments told, from networks before and after."""
    found, spreads = {}, []
    estimate, error = np.array(
        [(one.estimate, np.hypot(one.std_error, one.bias_sd)) for one in reported.rows]
    ).T
    for name, network in (("before", before), ("after", after)):
        values = [
            reported.measurements.values(twin).detach().numpy()
            for _, twin in few_draws(network)
        ]
        values = reported.in_measure(np.concatenate(values))
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        spread = (high - low) / _WIDTH if len(values) > 1 else np.full_like(low, np.nan)
        found[name] = np.stack([middle, spread])
        if name == "before":
            found["z"] = _surprise((estimate - values) / error)
        with torch.no_grad():
            effects = model.mean_effects_of(network, target)
        spreads.append(
            [effects[:, one.channels].sum(axis=1).std() for one in reported.rows]
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.divide(*np.array(spreads)[::-1])
    return found | {"doubt_removed": 1.0 - ratio**2}


def _surprise(errors: Array) -> Array:
    """Return the normal quantile at which measurements are of what was expected, (Q,).

    Expected is the mixture over draws; its errors are standardised, (E, Q).
    """
    below, above = norm.cdf(errors).mean(axis=0), norm.sf(errors).mean(axis=0)
    return np.where(below < above, norm.ppf(below), -norm.ppf(above))


def experiment_table(
    reported: ReportedExperiments, told: dict[str, Array], estimator: Any
) -> pd.DataFrame:
    """Return `experiments_`."""
    media = list(estimator._columns.media)
    names = ["; ".join(str(media[m]) for m in one.channels) for one in reported.rows]
    estimate = np.array([one.estimate for one in reported.rows])
    error = np.array([np.hypot(one.std_error, one.bias_sd) for one in reported.rows])
    (before, before_sd), (after, after_sd) = told["before"], told["after"]
    z = told["z"]
    conflict = np.abs(z) > _CONFLICT
    label = estimator._calendar.value
    return pd.DataFrame(
        {
            "media": names,
            "start": [label(one.start) for one in reported.rows],
            "end": [label(one.stop - 1) for one in reported.rows],
            "n_regions": [len(one.regions) for one in reported.rows],
            "measure": [one.measure for one in reported.rows],
            "estimate": estimate,
            "std_error": error,
            "before": before,
            "before_sd": before_sd,
            "after": after,
            "after_sd": after_sd,
            "z": z,
            "doubt_removed": told["doubt_removed"],
            "conflict": conflict,
            "finding": [
                _finding(*one)
                for one in zip(names, z, told["doubt_removed"], conflict, strict=True)
            ],
        }
    )


def _finding(names: str, z: float, removed: float, conflict: bool) -> str:
    """Say in one sentence what an experiment did to the model."""
    if conflict:
        side = "more" if z > 0 else "less"
        return (
            f"The experiment on {names} measured {abs(z):.1f} standard deviations "
            f"{side} than the rows say: one of the two is wrong. Check the test's "
            "control regions, and what moved with the spend in the data."
        )
    if np.isnan(removed):
        return f"The experiment on {names} agrees with the rows."
    if removed < 0.1:
        return (
            f"The experiment on {names} agrees with the rows, and is too uncertain to "
            "add to them."
        )
    return (
        f"The experiment on {names} agrees with the rows, and removes {removed:.0%} of "
        "the doubt about what they cause."
    )


def settled(
    reported: ReportedExperiments, told: dict[str, Array], n_media: int
) -> np.ndarray:
    """Return whether experiments on a channel alone settle its effect, (n_media,)."""
    found = np.zeros(n_media, dtype=bool)
    for one, removed in zip(reported.rows, told["doubt_removed"], strict=True):
        if len(one.channels) == 1:
            found[one.channels[0]] |= removed >= _SETTLED
    return found


def _contrast(
    one: Experiment, model: OutcomeModel, cost: Array
) -> tuple[Contrast, float]:
    """Return the two spends, in KPI units so far, and the money between them."""
    inputs, shown, acts = _shown_spend(one, model, cost)
    typical = model.scales.media[np.ix_(one.regions, one.channels)]  # (R', C)
    worth = typical * _worth(one, cost)
    other = shown.copy()
    other[..., acts] = _other_spend(one, shown[..., acts], worth)
    treated, control = (shown, other) if one.treated else (other, shown)
    contrast = Contrast(
        channels=one.channels,
        regions=torch.from_numpy(one.regions),
        inputs=inputs,
        treated=torch.from_numpy(treated),
        control=torch.from_numpy(control),
        weight=torch.from_numpy(model.scales.kpi[one.regions]),
    )
    return contrast, ((treated - control) * worth[..., None]).sum()


def _worth(one: Experiment, cost: Array) -> Array:
    """Return the cost of a unit of each channel, as far as money is spoken of."""
    worth = cost[one.channels]
    if np.isfinite(worth).all():
        return worth
    in_money = one.measure != "outcome" or np.isfinite([one.spend_change, one.spend])
    if np.any(in_money):
        raise ValueError(
            f"{one.name} speaks of money, but what a unit of its media costs is not "
            "known. Say it in media_cost (1 if the column is money)."
        )
    return np.ones(len(worth))


def _shown_spend(
    one: Experiment, model: OutcomeModel, cost: Array
) -> tuple[Inputs, Array, slice]:
    """Return inputs, spend as X shows it, and the columns of it that the test changed.

    Spend is of shape (R', C, L + T'), in typical spend.
    """
    max_lag = model.network.sizes.max_lag
    n_periods = one.stop - one.start
    regions = torch.from_numpy(one.regions)
    if np.isfinite(one.spend):
        return _steady(one, model, cost)
    # A recurrent carry-over remembers more than max_lag periods.
    first = 0 if model.network.adstock == "gru" else one.start
    inputs = model.inputs().within(slice(first, one.stop + one.cooldown))
    inputs = inputs.in_regions(regions)
    begin = max_lag + one.start - first
    shown = inputs.media[:, one.channels].numpy()
    return inputs, shown, slice(begin, begin + n_periods)


def _steady(
    one: Experiment, model: OutcomeModel, cost: Array
) -> tuple[Inputs, Array, slice]:
    """Return the same for a window of which X has no rows.

    Spend per period is what the row says, also before the window, divided among regions
    and channels as it typically is; effectiveness is that of an average period.
    """
    max_lag, typical = model.network.sizes.max_lag, model.scales.media
    n_periods, n_shown = one.stop - one.start, model.history.shape[1]
    n_all = n_periods + one.cooldown
    regions = torch.from_numpy(one.regions)
    per_period = one.spend / n_periods
    worth = typical[np.ix_(one.regions, one.channels)] * _worth(one, cost)
    shape = (len(one.regions), len(one.channels), max_lag + n_all)
    shown = np.full(shape, per_period / worth.sum())
    within = np.resize(np.arange(n_shown), n_all)
    whole = model.inputs().in_regions(regions)
    inputs = replace(
        whole,
        media=torch.zeros(len(regions), typical.shape[1], max_lag + n_all).double(),
        known=torch.ones(len(regions), max_lag + n_all).double(),
        controls=whole.controls[..., within],
        season=whole.season[..., within],
        trend=whole.trend[within],
        states=torch.zeros_like(whole.states[..., within]),
        demand=whole.demand[..., within],
    )
    return inputs, shown, slice(max_lag, max_lag + n_periods)


def _other_spend(one: Experiment, shown: Array, worth: Array) -> Array:
    """Return the spend of the window that X does not show.

    Parameters
    ----------
    shown : ndarray of shape (R', C, n_periods)
    worth : ndarray of shape (R', C)
        Money (or units) of typical spend.
    """
    money = shown * worth[..., None]
    if one.measure == "mroi":
        if not money.any():
            raise ValueError(f"{one.name}: {_NO_SPEND}")
        return shown * (1.0 - _NEXT_UNIT if one.treated else 1.0 + _NEXT_UNIT)
    if np.isfinite(one.change):
        if not money.any():
            raise ValueError(f"{one.name}: {_NO_SPEND} Say the change in spend_change.")
        return shown / one.change if one.treated else shown * one.change
    added = -one.spend_change if one.treated else one.spend_change
    # In proportion to spend; where nothing is spent, to what is typical.
    share = money if money.any() else np.broadcast_to(worth[..., None], shown.shape)
    other = shown + added * share / share.sum() / worth[..., None]
    if (other < -1e-9 * np.abs(added)).any():
        raise ValueError(
            f"{one.name} takes {abs(one.spend_change):g} away, more than the "
            f"{money.sum():g} that X shows in its window and regions. Check "
            "spend_change, and observed: whether X shows the spend with the change."
        )
    return np.maximum(other, 0.0)


_NO_SPEND = "X shows no spend of its media in its window and regions."


def _in_units(one: Experiment, money: float) -> tuple[float, float, tuple]:
    """Return what a value is divided by, the estimate, and its two standard errors.

    A cost per outcome is the money over the outcome, so that the outcome is what is
    compared; its errors follow by the delta method.
    """
    errors = one.std_error, one.bias_sd
    if one.measure == "outcome":
        return 1.0, one.estimate, errors
    if one.measure == "cost_per_outcome":
        outcome = money / one.estimate
        slope = abs(outcome / one.estimate)
        return 1.0, outcome, tuple(slope * error for error in errors)
    return money, one.estimate, errors


def _covariance(experiments: list[Experiment], errors: Array) -> Array:
    """Return the covariance of measurements, (Q, Q), from both errors, (Q, 2).

    Rows that share a control group have correlated errors; biases are independent.
    """
    groups = [one.shared_error for one in experiments]
    correlations = [one.correlation for one in experiments]
    covariance = np.diag((errors**2).sum(axis=1))
    for i, group in enumerate(groups):
        for j in range(i):
            if group is not None and group == groups[j]:
                shared = min(correlations[i], correlations[j])
                covariance[i, j] = shared * errors[i, 0] * errors[j, 0]
                covariance[j, i] = covariance[i, j]
    return covariance
