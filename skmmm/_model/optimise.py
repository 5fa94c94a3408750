"""Fitting: the mode of the posterior, with spreads by empirical Bayes.

Nothing here knows pandas, scikit-learn or the estimator: tensors and a callback.
"""

import numpy as np
import torch
from scipy.optimize import minimize

from skmmm._model.laplace import (
    LaplaceApproximation,
    all_ties,
    information,
    spread_information,
    with_spreads,
)
from skmmm._model.likelihood import effective_regions, log_likelihood, log_prior

# Spreads and independence depend on the fit and the fit on them. They have settled when
# a whole round changes the loss per row by less than this.
ITERATIONS_PER_ROUND = 15
SETTLED = 1e-3
# A round that raises the loss per row by this much has lost its way; with fewer
# fraction of independent regions the loss is another, and may rise by less.
DIVERGENCE_TOLERANCE = 1.0
SMALLEST_STEP = 0.05


def train(network, inputs, target, loss, *, max_iter, tol, on_iteration):
    """Fit the network.

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
        Called with the negative log posterior per row after each iteration; returning
        True stops the fit.

    Returns
    -------
    settled : bool
        False if the iterations did not suffice.
    """
    n_done, stopped, settled = 0, False, False

    def record(loss_value):
        nonlocal n_done, stopped
        n_done += 1
        stopped = bool(on_iteration(loss_value))
        return stopped

    before, step = np.inf, 1.0
    while not (stopped or settled) and n_done < max_iter:
        budget = min(ITERATIONS_PER_ROUND, max_iter - n_done)
        last = network.independent_share, network.shared, network.regional
        fraction = effective_regions(network, inputs, target)
        if step < 1.0:
            fraction = network.independent_share ** (1.0 - step) * fraction**step
        network.independent_share = fraction
        known = information(network, inputs, target, loss)
        deviations = spread_information(network, known)
        approximation = LaplaceApproximation(
            with_spreads(network, known, deviations),
            all_ties(network, inputs, target),
        )
        now = find_mode(
            network,
            inputs,
            target,
            loss,
            deviations,
            approximation,
            budget,
            tol,
            record,
        )
        if np.isfinite(before) and not now < before + DIVERGENCE_TOLERANCE:
            # The new fraction of independent regions made the fit diverge: go back,
            # and on in smaller steps.
            network.independent_share, network.shared, network.regional = last
            step /= 2.0
            settled = step < SMALLEST_STEP
            continue
        settled = abs(before - now) < SETTLED
        before = now
    return settled or stopped


def find_mode(
    network, inputs, target, loss, deviations, approximation, max_iter, tol, record
):
    """Move the network to the mode of its posterior (L-BFGS).

    In coordinates in which the Gaussian approximation of the posterior where it
    starts is round, so that few iterations are needed however alike the channels.

    Parameters
    ----------
    deviations : dict of str to Tensor
        What is known about the deviations that each spread governs.
    approximation : LaplaceApproximation
        Around where the search starts.

    Returns
    -------
    loss : float
        Per row, where the search ended.

    References
    ----------
    .. [1] Byrd, Lu, Nocedal, Zhu (1995). A Limited Memory Algorithm for Bound
       Constrained Optimization. SIAM J. Sci. Comput. 16.
    """
    centre = network.shared, network.regional
    n_rows = float(target.count.sum())

    def position(vector):
        """Return the parameters at a vector of standardised coordinates."""
        parts = split_like(torch.from_numpy(vector), centre)
        shared, regional = approximation.unwhiten(*parts)
        return centre[0] + shared, centre[1] + regional

    def objective(vector):
        parts = [part.requires_grad_() for part in position(vector)]
        twin = network.at(*parts)
        value = -penalised_posterior(twin, inputs, target, loss, deviations) / n_rows
        gradient = approximation.unwhiten_vjp(*torch.autograd.grad(value, parts))
        return value.item(), torch.cat([g.ravel() for g in gradient]).numpy()

    def callback(intermediate_result):
        network.shared, network.regional = position(intermediate_result.x)
        if record(float(intermediate_result.fun)):
            raise StopIteration

    start = np.zeros(sum(part.numel() for part in centre))
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
    network.shared, network.regional = position(result.x)
    return float(result.fun)


def split_like(vector, parts):
    """Cut a flat vector into tensors of the shapes of `parts`."""
    cut = torch.split(vector, [part.numel() for part in parts])
    return [piece.reshape(part.shape) for piece, part in zip(cut, parts, strict=True)]


def penalised_posterior(network, inputs, target, loss, known):
    """Return the log posterior, with deviations integrated out of their spreads.

    At the joint mode the spread of the deviations would grow without their being
    seen (they are divided by it). Laplace's approximation of the integral over a
    deviation with information I adds ``-log(1 + spread^2 I) / 2``.

    References
    ----------
    .. [1] MacKay (1992). Bayesian Interpolation. Neural Computation 4.
    """
    posterior = log_likelihood(network, inputs, target, loss) + log_prior(
        network, inputs, target
    )
    values = network.shared_priors.unpack(network.shared)
    for name, told in known.items():
        spread = torch.exp(values[name])
        posterior = posterior - 0.5 * torch.log1p(spread**2 * told).sum()
    return posterior.sum()
