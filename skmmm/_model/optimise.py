"""Fitting: the mode of the posterior, with spreads by empirical Bayes.

Nothing here knows pandas, scikit-learn or the estimator: tensors and a callback.
"""

import numpy as np
import torch
from scipy.optimize import minimize

from skmmm._model.deviations import DeviationInformation
from skmmm._model.laplace import (
    LaplaceApproximation,
    all_ties,
    information,
    with_shared_held,
    with_spreads,
)
from skmmm._model.likelihood import effective_regions, log_likelihood, log_prior
from skmmm._model.sums import (
    agreed,
    all_regions,
    all_sum,
    among,
    are_several,
    decided,
    gathered,
    own_positions,
    own_regions,
    own_tasks,
    replicated,
)
from skmmm._model.vectors import among_all, of_all_regions, split_like
from skmmm._model.workers import blocks_of, workers_for

# Spreads and independence depend on the fit and the fit on them. They have settled when
# a whole round changes the loss per row by less than the first of these, and of all
# rows by less than the second.
ITERATIONS_PER_ROUND = 15
SETTLED, SETTLED_ROWS = 1e-3, 10.0
# A round that raises the loss per row by this much has lost its way; with fewer
# fraction of independent regions the loss is another, and may rise by less.
DIVERGENCE_TOLERANCE = 1.0
SMALLEST_STEP = 0.05
# From so many regions on, training starts with samples of them: from far away, many
# regions would follow what periods have in common before what regions share.
MANY_REGIONS, SAMPLE, N_SAMPLES = 256, 64, 2
_NOT_FINITE = (
    "The loss or its gradient is not finite where training starts. Check X and y for "
    "values of extreme size."
)


def train(network, inputs, target, loss, *, max_iter, tol, on_iteration, started=False):
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
        Iterations over all rounds together, those of samples among them.
    tol : float
        A round ends when the loss per row falls by less, relative to its size.
    on_iteration : callable
        Called with the negative log posterior per row after each iteration; returning
        True stops the fit.
    started : bool
        Whether the network is where another fit ended: no samples come first.

    Returns
    -------
    settled : bool
        False if the iterations did not suffice.
    """
    workers = workers_for(target)
    if workers is None:
        return _train(
            network, inputs, target, loss, max_iter, tol, on_iteration, started
        )

    def told(block, regional, value):
        _take(network, block, regional)
        return on_iteration(value)

    found = workers.run(
        _train_block,
        network.sizes.n_regions,
        blocks_of(network, inputs, target),
        *(loss, max_iter, tol, started),
        here=[told],
    )
    settled, block = found[0]
    _take(network, block, torch.cat([one.regional for _, one in found], dim=1))
    return settled


def _take(network, block, regional):
    """Take over what a block knows of the mode, and the regions of all blocks."""
    network.shared, network.regional = block.shared, regional
    network.independent_share = block.independent_share
    network.n_compared = block.n_compared


def _train_block(network, inputs, target, loss, max_iter, tol, started, told=None):
    """Train with others that have the other regions; return what was found."""

    def on_iteration(value):
        regional = gathered(network.regional, dim=1)
        return decided(lambda: bool(told(network, regional, value)))

    settled = _train(
        network, inputs, target, loss, max_iter, tol, on_iteration, started
    )
    return settled, network


def _train(network, inputs, target, loss, max_iter, tol, on_iteration, started=False):
    """Train the regions that this process has."""
    record = _Record(max_iter, on_iteration)
    many = all_regions(network.sizes.n_regions) >= MANY_REGIONS
    if many and target.experiments is None and not started:
        _start_from_samples(network, inputs, target, loss, tol, record)
    settled = _alternate(network, inputs, target, loss, tol, record, record.left)
    return settled or record.stopped


class _Record:
    """Counts iterations and passes their losses on."""

    def __init__(self, max_iter, on_iteration):
        self._on_iteration = on_iteration
        self.left, self.stopped = max_iter, False

    def __call__(self, loss):
        """Take in the loss of one iteration; return whether to stop."""
        self.left -= 1
        self.stopped = bool(self._on_iteration(loss))
        return self.stopped


def _start_from_samples(network, inputs, target, loss, tol, record):
    """Move to what the best of some samples of regions makes likely, in place.

    A sample may end where its few regions fit as well as anywhere, and from where no
    slope leads back: all regions decide, each with its deviations from the sample. A
    sample that cannot be computed (a channel with a prior of its own may be dark in it)
    is left out. Half of the iterations remain.
    """
    budget = record.left // (2 * N_SAMPLES)
    for_deviations = min(ITERATIONS_PER_ROUND, budget // 2)
    if not for_deviations:
        return
    own, n_regions = own_regions(network.sizes.n_regions)
    trained = _trained_together if are_several() else _trained_in_turn
    rows, how = (network, inputs, target), (loss, tol, record, budget - for_deviations)
    found = []
    for some, shared, regional in trained(*rows, _samples(n_regions), *how):
        if record.stopped:
            return
        mine = (some >= own.start) & (some < own.stop)
        regional = network.regional.index_copy(
            1, some[mine] - own.start, regional[:, mine]
        )
        whole = network.at(shared, regional)
        try:
            reached = _deviate(whole, inputs, target, loss, tol, record, for_deviations)
        except FloatingPointError:
            continue
        found.append((reached, whole))
    if found:
        _, best = min(found, key=lambda pair: pair[0])
        network.shared, network.regional = best.shared, best.regional


def _trained_in_turn(network, inputs, target, samples, loss, tol, record, max_iter):
    """Yield which regions are in a sample, and shared and regional parameters there."""
    for some in samples:
        sample = network.in_regions(some)
        few = inputs.in_regions(some), target.in_regions(some)
        try:
            _alternate(sample, *few, loss, tol, record, max_iter)
        except FloatingPointError:
            continue
        yield some, sample.shared, sample.regional


def _trained_together(network, inputs, target, samples, loss, tol, record, max_iter):
    """Do what `_trained_in_turn` does, where each process has a sample for its own.

    Iterations are recorded when all are done.
    """
    own, _ = own_regions(network.sizes.n_regions)
    n_shared, n_regional = network.shared.shape[1], network.regional.shape[2]
    told = torch.zeros(len(samples), 2 + max_iter + n_shared + SAMPLE * n_regional)
    told, problems = told.double(), []
    for some in samples:
        mine = own_positions(own, some)
        sample = network.with_regions(gathered(network.regional[:, mine], dim=1))
        few = inputs.in_regions(mine).gathered(), target.part(mine).gathered()
        problems.append((sample, *few))
    for k in own_tasks(len(samples)):
        with among(None):
            found = _trained_alone(problems[k], loss, tol, record.left, max_iter)
        told[k, : len(found)] = found
    for some, found in zip(samples, all_sum(told), strict=True):
        (computed, n_losses), found = found[:2].tolist(), found[2:]
        for value in found[: int(n_losses)].tolist():
            if not record.stopped:
                record(value)
        if computed or record.stopped:
            ends = max_iter, max_iter + n_shared
            _, shared, regional = found.tensor_split(ends)
            regional = regional[: len(some) * n_regional]
            yield some, shared[None], regional.view(1, len(some), n_regional)


def _trained_alone(problem, loss, tol, left, max_iter):
    """Return a row of numbers: whether there is a mode, losses, and parameters."""
    network, inputs, target = problem
    losses: list[float] = []
    record, computed = _Record(left, losses.append), 1.0
    try:
        _alternate(network, inputs, target, loss, tol, record, max_iter)
    except FloatingPointError:
        computed = 0.0
    numbers = [computed, len(losses), *losses, *[0.0] * (max_iter - len(losses))]
    numbers = torch.tensor(numbers, dtype=torch.float64)
    return torch.cat([numbers, network.shared[0], network.regional.flatten()])


def _deviate(network, inputs, target, loss, tol, record, max_iter):
    """Move deviations to their mode given what regions share; return the loss."""
    deviations, around = _surroundings(network, inputs, target, loss, shared_held=True)
    return find_mode(
        network, inputs, target, loss, deviations, around, max_iter, tol, record
    )


def _surroundings(network, inputs, target, loss, *, shared_held=False):
    """Return the `DeviationInformation` and the approximation around a network.

    The information that they are made of is large, and not kept.
    """
    known = information(network, inputs, target, loss)
    deviations = DeviationInformation(network, inputs, target, loss, known)
    if shared_held:
        return deviations, LaplaceApproximation(with_shared_held(known), overwrite=True)
    known = with_spreads(network, known, deviations.told)
    ties = all_ties(network, inputs, target)
    return deviations, LaplaceApproximation(known, ties, overwrite=True)


def _samples(n_regions):
    """Return which regions are in each sample, positions; samples share none."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(n_regions, generator=generator)
    return [some.sort().values for some in order.split(SAMPLE)[:N_SAMPLES]]


def _alternate(network, inputs, target, loss, tol, record, max_iter):
    """Go to and fro between the mode and what it depends on; return if it settled.

    In at most `max_iter` of the iterations that `record` has left.
    """
    settled, step, before = False, 1.0, np.inf
    end = max(record.left - max_iter, 0)
    small = min(SETTLED, SETTLED_ROWS / float(all_sum(target.count.sum())))
    while not (record.stopped or settled) and record.left > end:
        budget = min(ITERATIONS_PER_ROUND, record.left - end)
        last = network.independent_share, network.shared, network.regional
        fraction = effective_regions(network, inputs, target)
        if step < 1.0:
            fraction = network.independent_share ** (1.0 - step) * fraction**step
        network.independent_share = fraction
        network.n_compared = all_regions(network.sizes.n_regions)
        deviations, around = _surroundings(network, inputs, target, loss)
        now = find_mode(
            network, inputs, target, loss, deviations, around, budget, tol, record
        )
        del around  # its memory is for the next
        now = now / fraction  # of rows, whatever they are worth
        if not (np.isfinite(before) or np.isfinite(now)):
            raise FloatingPointError(_NOT_FINITE)  # nowhere to go back to
        if np.isfinite(before) and not now < before + DIVERGENCE_TOLERANCE:
            # The new fraction of independent regions made the fit diverge: go back,
            # and on in smaller steps.
            share, network.shared, network.regional = last
            network.independent_share = share
            step /= 2.0
            settled = step < SMALLEST_STEP
            continue
        settled = abs(before - now) < small * step
        before = now
    return settled


def find_mode(
    network, inputs, target, loss, deviations, approximation, max_iter, tol, record
):
    """Move the network to the mode of its posterior (L-BFGS).

    In coordinates in which the Gaussian approximation of the posterior where it
    starts is round, so that few iterations are needed however alike the channels.

    Parameters
    ----------
    deviations : DeviationInformation
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
    whole, own = of_all_regions(*centre)
    n_rows = float(all_sum(target.count.sum()))

    def position(vector):
        """Return the parameters at a vector of standardised coordinates."""
        shared, regional = split_like(torch.from_numpy(vector)[None], whole)
        shared, regional = approximation.unwhiten(shared, regional[:, own])
        return agreed(centre[0] + shared), centre[1] + regional

    def objective(vector):
        parts = [part.requires_grad_() for part in position(vector)]
        twin = network.at(*parts)
        value = -penalised_posterior(twin, inputs, target, loss, deviations) / n_rows
        shared, regional = torch.autograd.grad(value, parts)
        total = all_sum(torch.cat([shared[0], value.detach()[None]]))
        shared, regional = approximation.unwhiten_vjp(total[None, :-1], regional)
        gradient = among_all(shared, regional, whole, own)[0]
        return total[-1].item(), gradient.numpy()

    def callback(intermediate_result):
        network.shared, network.regional = position(intermediate_result.x)
        if record(float(intermediate_result.fun)):
            raise StopIteration

    start = np.zeros(sum(part.numel() for part in whole))
    if not all(np.isfinite(part).all() for part in objective(start)):
        raise FloatingPointError(_NOT_FINITE)
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


def penalised_posterior(network, inputs, target, loss, deviations):
    """Return the log posterior, with deviations integrated out of their spreads.

    At the joint mode the spread of the deviations would grow without their being
    seen (they are divided by it). Laplace's approximation of the integral over a
    deviation with information I adds ``-log(1 + spread^2 I) / 2``. Of several processes
    it is the part of this one: they sum to it.

    References
    ----------
    .. [1] MacKay (1992). Bayesian Interpolation. Neural Computation 4.
    """
    posterior = log_likelihood(network, inputs, target, loss) + log_prior(
        network, inputs, target
    )
    values = network.shared_priors.unpack(network.shared)
    for name, told in deviations.at(network).items():
        spread = torch.exp(values[name])
        likely = 0.5 * torch.log1p(spread**2 * told).sum()
        of_regions = told.ndim > 1
        posterior = posterior - (likely if of_regions else replicated(likely))
    return posterior.sum()
