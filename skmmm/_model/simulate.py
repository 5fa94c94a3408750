"""A KPI as the model would have it: parameters drawn, and a KPI for each of them.

In the innovations form of the level, which is what the likelihood is about. With gain
g, persistence and relative precision p of a row, per region r and period t::

    kpi[r, t]   = structure[r, t] + persistence * level[r, t - 1] + error[r, t]
    level[r, t] = persistence * level[r, t - 1] + g[r, t] * error[r, t]
    error[r, t] = common[t] + noise[r, t]
    g[r, t]     = g * p / (g * p + 1 - g)

where common and noise have the tails of the loss. Regions are independent given what
they have in common.
"""

from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import pad

from skmmm._model.adstock import linear_scan
from skmmm._model.draws import few_draws, select
from skmmm._model.likelihood import Target, error_precision, make_target
from skmmm._model.priors import EFFECT_DF

N_GUESSES = 64  # draws of the prior from which one with the mean KPI is chosen


def simulate(model, network, random):
    """Return a KPI for every draw of a network, and what each channel caused of it.

    Parameters
    ----------
    model : OutcomeModel
    network : OutcomeNetwork
        With E draws: the truths.
    random : RandomState

    Returns
    -------
    kpi : ndarray of shape (E, n_rows)
        Of the training rows, in KPI units.
    caused : ndarray of shape (E, n_media)
        Over all training rows, in KPI units.
    """
    inputs, panel, target = model.inputs(), model.history, training_target(model)
    kpi = []
    with torch.no_grad():
        for _, twin in few_draws(network):
            structure = twin(inputs).total
            moved = structure + residuals(twin, target, model.loss, random)
            kpi.append(panel.rows((moved * _tensor(model.scales.kpi)[:, None]).numpy()))
    truths = replace(model, draws=network, level_draws=None, precision=None)
    caused = truths.components(panel, draws=True).media.sum(axis=1)
    return np.concatenate(kpi), caused


def residuals(network, target, loss, random):
    """Return level and noise as a draw of the model has them, shape (E, R, T).

    Parameters
    ----------
    network : OutcomeNetwork
    target : Target
        Whose precision counts. Where it is zero there is a level and no noise.
    loss : Loss
    random : RandomState
    """
    error = errors(network, target, loss, random)
    if not network.level:
        return error
    gain, persistence = (
        value[:, None, None] for value in network.level_parameters(network.values())
    )
    stays = gain * target.precision / (gain * target.precision + (1.0 - gain))
    level = linear_scan(persistence.expand(error.shape), stays * error)
    return error + pad(persistence * level[..., :-1], (1, 0))


def errors(network, target, loss, random):
    """Return what one period adds by chance, shape (E, R, T), as `residuals`."""
    values = network.values()
    shape = len(network.shared), *target.precision.shape

    def standard(*shape):
        probability = random.uniform(1e-12, 1.0 - 1e-12, shape)
        return _tensor(loss.quantiles(probability))

    precision = error_precision(network, target, values)
    spread = torch.where(precision > 0, precision.clamp_min(1e-30) ** -0.5, 0.0)
    error = standard(*shape) * torch.exp(values["noise_log"])[..., None] * spread
    if "common_log" in values:
        common = standard(shape[0], 1, shape[2])
        error = error + common * torch.exp(values["common_log"])[:, None, None]
    return error


def noise_of_rows(model, panel, random):
    """Return by how much new observations miss what each draw predicts, (E, n_rows).

    In KPI units. After training the level moves as well; inside it only the noise of
    the rows counts. The unknown level of regions never seen is left out.

    Parameters
    ----------
    model : OutcomeModel
        With draws.
    panel : Panel
        On a grid that continues the history.
    random : RandomState
    """
    n_new = panel.shape[0] - len(model.scales.kpi)
    network = model.draws.extended(n_new)
    after = panel.periods > model.history.periods[-1]
    asked = np.zeros(panel.shape[1], dtype=bool)
    asked[panel.cell % panel.shape[1]] = True
    noise = np.zeros((len(network.shared), *panel.shape))
    with torch.no_grad():
        for chosen, drawn in ((asked & ~after, errors), (after, residuals)):
            if chosen.any():
                one = torch.ones(panel.shape[0], int(chosen.sum()), dtype=torch.float64)
                target = Target(one, one, one, one)
                noise[..., chosen] = drawn(network, target, model.loss, random).numpy()
    unit = model.scales.extended(n_new).kpi[panel.cell // panel.shape[1]]
    return panel.rows(noise) * unit


def from_posterior(model, n_draws, random):
    """Return a network with some draws of a model, none twice if there are enough."""
    n_known = len(model.draws.shared)
    chosen = random.choice(n_known, n_draws, replace=n_draws > n_known)
    return select(model.draws.trusting(), torch.from_numpy(chosen))


def from_prior(model, n_draws, random):
    """Return a network with draws of the prior under which the KPI has its mean.

    The model is in units of the mean KPI, so that a draw with another mean would be
    another draw in the units of a fit to it. Each is the one of `N_GUESSES` whose mean
    is the nearest.
    """
    inputs, target = model.inputs(), training_target(model)
    seen = target.observed
    usual = (target.y * seen).sum() / seen.sum()
    found = []
    with torch.no_grad():
        for _ in range(n_draws):
            guesses = prior_draws(
                model.network.trusting(), inputs, target, N_GUESSES, random
            )
            means = [
                (twin(inputs).total * seen).sum(dim=(1, 2)) / seen.sum()
                for _, twin in few_draws(guesses)
            ]
            best = int((torch.cat(means) - usual).abs().argmin())
            found.append(select(guesses, slice(best, best + 1)))
    return model.network.trusting().at(
        torch.cat([network.shared for network in found]),
        torch.cat([network.regional for network in found]),
    )


def prior_draws(network, inputs, target, n_draws, random):
    """Return a twin of a network with draws of `likelihood.log_prior`."""
    shared = _tensor(random.standard_normal((n_draws, network.shared.shape[1])))
    regional = random.standard_normal((n_draws, *network.regional.shape[1:]))
    twin = network.at(shared, _tensor(regional))
    for prior, where in network.shared_priors.positions():
        if prior.name == "effect":
            effect = shared[:, where]  # a view
            # Effects of pooled channels are Student's t together.
            ratio = random.chisquare(EFFECT_DF, (n_draws, 1)) / EFFECT_DF
            effect[:, network.channel_priors.pooled] *= _tensor(ratio) ** -0.5
            # Of the others the mean effect over rows has the prior; its log moves one
            # for one with the parameter, both in units of the prior.
            own = network.with_own_prior(inputs)
            if len(own):
                away = [t.surprises(inputs, target.share) for _, t in few_draws(twin)]
                effect[:, own] += effect[:, own] - torch.cat(away)
    return twin


def training_target(model):
    """Return the `Target` of the training rows, outliers as good as any row."""
    panel = model.history
    nowhere = np.zeros(panel.shape)
    return make_target(panel, model.scales, nowhere, ordered=model.network.level)


def _tensor(values):
    return torch.tensor(values, dtype=torch.float64)
