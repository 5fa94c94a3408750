"""Fitting: the mode of the posterior, with spreads by empirical Bayes.

Nothing here knows pandas, scikit-learn or the estimator: tensors and a callback.
"""

from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from skmmm._nn.likelihood import effective_regions, log_likelihood, log_prior
from skmmm._nn.posterior import spread_information
from skmmm._nn.priors import unpack

# Spreads and independence depend on the fit and the fit on them; they settle in three
# or four rounds.
N_ROUNDS = 4


def train(network, inputs, target, loss, *, max_iter, tol, on_iteration):
    """Fit the network and return its loss curve.

    Alternates the mode of all parameters with the two things it depends on: how
    much the data say about each regional deviation (which decides how far their
    spread shrinks) and how many independent regions the errors are worth.

    Parameters
    ----------
    network : OutcomeNetwork
        Moved to the mode in place.
    inputs : Inputs
    target : Target
    loss : Loss
    max_iter : int
        Iterations over all rounds together.
    tol : float
        A round ends when the loss per row falls by less, relative to its size.
    on_iteration : callable
        Called with the loss after each iteration; returning True stops the fit.

    Returns
    -------
    losses : list of float
        Negative log posterior per row after each iteration.
    target : Target
        With the effective share of independent regions that was used last.
    """
    losses, stopped = [], False

    def record(loss_value):
        nonlocal stopped
        losses.append(loss_value)
        stopped = bool(on_iteration(loss_value))
        return stopped

    rounds = N_ROUNDS if network.regional.numel() or network.context else 1
    for k in range(rounds):
        left = max_iter - len(losses)
        if stopped or left < 1:
            break
        budget = max(1, left // (rounds - k))
        network.centre_context(inputs, target.observed)
        target = replace(target, independent=effective_regions(network, inputs, target))
        network.independent = target.independent
        known = spread_information(network, inputs, target, loss)
        find_mode(network, inputs, target, loss, known, budget, tol, record)
    network.centre_context(inputs, target.observed)
    return losses, target


def find_mode(network, inputs, target, loss, known, max_iter, tol, record):
    """Move the network to the mode of its posterior (L-BFGS).

    Parameters
    ----------
    known : dict of str to Tensor
        Information about the deviations that each spread governs.

    References
    ----------
    .. [1] Byrd, Lu, Nocedal, Zhu (1995). A Limited Memory Algorithm for Bound
       Constrained Optimization. SIAM J. Sci. Comput. 16.
    """
    parameters = [p for p in network.parameters() if p.numel()]
    n_rows = float(target.weight.sum())
    device = network.shared.device

    def objective(vector):
        vector_to_parameters(torch.from_numpy(vector).to(device), parameters)
        network.zero_grad()
        value = -penalised_posterior(network, inputs, target, loss, known) / n_rows
        value.backward()
        gradient = [
            torch.zeros_like(p) if p.grad is None else p.grad for p in parameters
        ]
        return value.item(), parameters_to_vector(gradient).cpu().numpy()

    def callback(intermediate_result):
        if record(float(intermediate_result.fun)):
            raise StopIteration

    start = parameters_to_vector(parameters).detach().cpu().numpy().copy()
    if not all(np.isfinite(part).all() for part in objective(start)):
        raise FloatingPointError(
            "The loss or its gradient is not finite where training starts. Check X and "
            "y for values of extreme size."
        )
    result = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={"maxiter": max_iter, "ftol": tol, "gtol": 1e-8, "maxcor": 30},
    )
    best = torch.from_numpy(np.asarray(result.x)).to(device)
    vector_to_parameters(best, parameters)


def penalised_posterior(network, inputs, target, loss, known):
    """Return the log posterior, with deviations integrated out of their spreads.

    At the joint mode the spread of the deviations would grow without their being
    seen (they are divided by it). Laplace's approximation of the integral over a
    deviation with information I adds ``-log(1 + spread^2 I) / 2``.

    References
    ----------
    .. [1] MacKay (1992). Bayesian Interpolation. Neural Computation 4.
    """
    posterior = log_likelihood(network, inputs, target, loss) + log_prior(network)
    if network.context is not None:
        for weight in network.context.parameters():
            posterior = posterior - 0.5 * weight.square().sum()
    values = unpack(network.shared, network.shared_priors)
    for name, information in known.items():
        spread = torch.exp(values[name])
        posterior = posterior - 0.5 * torch.log1p(spread**2 * information).sum()
    return posterior.sum()
