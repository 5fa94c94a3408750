"""From reported experiments to the two spends that each compares."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from skmmm._data.changes import in_units, other_spend, worth_of
from skmmm._model.draws import few_draws
from skmmm._model.experiments import Contrast, Measurements
from skmmm._model.synergies import partners


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

    rows: list
    money: list
    measurements: Measurements

    def values(self, network):
        """Return what a network says that was measured, (E, Q)."""
        with torch.no_grad():
            found = [self.measurements.values(twin) for _, twin in few_draws(network)]
        return torch.cat(found).numpy()

    def in_measure(self, values):
        """Return the model's values, (E, Q), in the units that the user reports."""
        found = values.copy()
        for q, (one, money) in enumerate(zip(self.rows, self.money, strict=True)):
            if one.measure == "cost_per_outcome":
                found[:, q] = money / values[:, q]
        return found


def reported_experiments(rows, model, cost):
    """Return experiments as a part of the likelihood of a model.

    Parameters
    ----------
    rows : list of Experiment
    model : OutcomeModel
        Trained or not.
    cost : ndarray of shape (n_media,)
        Of one unit of each channel; NaN where it is unknown.

    Returns
    -------
    reported : ReportedExperiments

    Raises
    ------
    ValueError
        If a change cannot be placed in the spend that X shows.
    """
    contrasts, measured, errors, moneys = [], [], [], []
    for one in rows:
        contrast, money = _contrast(one, model, cost)
        unit, estimate, errors_of = in_units(one, money)
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


def experiment_values(rows, model, cost, *, draws):
    """Return what a model says of experiments, and what these measured.

    Parameters
    ----------
    rows : list of Experiment
    model : OutcomeModel
    cost : ndarray of shape (n_media,)
    draws : bool
        False: at the point, with one draw.

    Returns
    -------
    values : ndarray of shape (n_draws, Q)
        In the units in which both are compared.
    measured, std_error : ndarray of shape (Q,)
        Biases are in the standard error.
    """
    reported = reported_experiments(rows, model, cost)
    values = reported.values(model.network_of(draws=draws))
    measured = reported.measurements
    return values, measured.measured.numpy(), measured.std_error


def _contrast(one, model, cost):
    """Return the two spends, in KPI units so far, and the money between them."""
    inputs, shown, acts = _shown_spend(one, model, cost)
    typical = model.scales.media[np.ix_(one.regions, one.channels)]  # (R', C)
    worth = typical * worth_of(one, cost)
    other = shown.copy()
    other[..., acts] = other_spend(one, shown[..., acts], worth)
    treated, control = (shown, other) if one.treated else (other, shown)
    contrast = Contrast(
        channels=one.channels,
        regions=torch.from_numpy(one.regions),
        inputs=inputs,
        treated=torch.from_numpy(treated),
        control=torch.from_numpy(control),
        weight=torch.from_numpy(model.scales.kpi[one.regions]),
    )
    money = ((treated - control) * worth[..., None]).sum()
    return _beside_partners(one, contrast, model.network.channel_priors.pairs), money


def _beside_partners(one, contrast, pairs):
    """Return a contrast that knows what partners of its channels spent all the time."""
    others = partners(pairs, contrast.channels)
    if not others:
        return contrast
    if np.isfinite(one.spend):
        raise ValueError(
            f"{one.name} is of a window of which X has no rows, and says nothing of "
            "the channels that form synergies with those it tested. Add the rows of "
            "the window to X, or fit without this pair in synergies."
        )
    media = contrast.inputs.media[:, others]
    return replace(
        contrast,
        channels=[*contrast.channels, *others],
        treated=torch.cat([contrast.treated, media], dim=1),
        control=torch.cat([contrast.control, media], dim=1),
    )


def _shown_spend(one, model, cost):
    """Return inputs, spend as X shows it, and the columns of it that the test changed.

    Spend is of shape (R', C, L + T'), in typical spend.
    """
    max_lag = model.network.sizes.max_lag
    n_periods = one.stop - one.start
    regions = torch.from_numpy(one.regions)
    if np.isfinite(one.spend):
        return _steady(one, model, cost)
    # A recurrent carry-over remembers more than max_lag periods; what is in a stock
    # before the change is the same with and without it.
    first = 0 if model.network.adstock == "gru" else one.start
    inputs = model.inputs().within(slice(first, one.stop + one.cooldown))
    inputs = inputs.in_regions(regions)
    begin = max_lag + one.start - first
    shown = inputs.media[:, one.channels].numpy()
    return inputs, shown, slice(begin, begin + n_periods)


def _steady(one, model, cost):
    """Return the same for a window of which X has no rows.

    Spend per period is what the row says, also before the window, divided among regions
    and channels as it typically is; effectiveness is that of an average period.
    """
    max_lag, typical = model.network.sizes.max_lag, model.scales.media
    n_periods, n_shown = one.stop - one.start, model.history.shape[1]
    n_all = n_periods + one.cooldown
    regions = torch.from_numpy(one.regions)
    per_period = one.spend / n_periods
    worth = typical[np.ix_(one.regions, one.channels)] * worth_of(one, cost)
    shape = (len(one.regions), len(one.channels), max_lag + n_all)
    shown = np.full(shape, per_period / worth.sum())
    within = np.resize(np.arange(n_shown), n_all)
    whole = model.inputs().in_regions(regions)
    nothing = torch.zeros(len(regions), typical.shape[1], max_lag + n_all).double()
    inputs = replace(
        whole,
        media=nothing,
        frequency=None if whole.frequency is None else nothing,  # its mean
        known=torch.ones(len(regions), max_lag + n_all).double(),
        controls=whole.controls[..., within],
        season=whole.season[..., within],
        trend=whole.trend[within],
        states=torch.zeros_like(whole.states[..., within]),
        demand=whole.demand[..., within],
        steps=None if whole.steps is None else 0.0 * whole.steps[:, within],
        age=None,
    )
    return inputs, shown, slice(max_lag, max_lag + n_periods)


def _covariance(experiments, errors):
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
