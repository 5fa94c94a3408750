"""Draws from the posterior: Hamiltonian Monte Carlo around the mode."""

import math
from dataclasses import dataclass, replace

import torch

from skmmm._model.coordinates import Coordinates
from skmmm._model.draws import few_draws
from skmmm._model.laplace import (
    LaplaceApproximation,
    all_ties,
    conditional_contraction,
    information,
    with_spreads_held,
)
from skmmm._model.network import OutcomeNetwork
from skmmm._model.posterior import Posterior, State
from skmmm._model.rows import mean_effects
from skmmm._model.spreads import mean_parameters
from skmmm._model.sums import all_regions, all_sum, is_first, replicated
from skmmm._model.vectors import joined, of_all_regions, split_like
from skmmm._model.workers import blocks_of, workers_for

N_MOVES = 2  # times that chains look for a better place to measure distances from
N_WARMUP = 4  # transitions in which the step size is found, after every move
N_AFTER = 4  # transitions of each chain after that, if it gives no more draws
_N_STEPS_OF_TESTS = 4  # in which chains are moved by experiments
_N_NEWTON = 8  # steps to a point that says of what was tested what draws do
_SIZES_OF_STEPS = 1.0, 0.5, 0.25, 0.1, 0.03  # the first that leads closer
_DAMPING = 0.01  # of these, in variances of a measurement
_LEAST_DOUBT = 1e-3  # about a mean effect, in mean KPI
# Leapfrog steps of a transition, at least, and of all of them together: few long
# trajectories get further along a ridge than many short ones.
N_STEPS, N_ALL_STEPS = 12, 384
_ACCEPT = 0.9  # mean acceptance aimed at: with less some chains stay where they are
_CELLS = 2**17  # region-period-channels of all chains together: bounds the memory
_MIN_CHAINS = 8
_FIRST_CHAINS = 32  # of which each gives two draws before there are more chains


@dataclass(frozen=True, eq=False)
class Trace:
    """What chains did after their last warm-up.

    Attributes
    ----------
    places : OutcomeNetwork
        After each transition, with n_transitions * n_chains entries, chains fastest.
    effects : Tensor of shape (n_transitions * n_chains, n_media)
        Mean effect of each channel over all rows there, in mean KPI.
    first_effects : Tensor of shape (n_chains, n_media)
        Where chains were before their first transition of all.
    log_density : Tensor of shape (n_transitions + 1, n_chains)
        Log posterior, less a constant: at the start, then after each transition.
    log_acceptance : Tensor of shape (n_transitions, n_chains)
        Energy lost on the way, which is zero without error of integration; not finite
        where the proposal has no density.
    """

    places: OutcomeNetwork
    effects: torch.Tensor
    first_effects: torch.Tensor
    log_density: torch.Tensor
    log_acceptance: torch.Tensor


def sample(network, inputs, target, loss, n_draws, generator):
    """Draw the parameters from their posterior.

    Chains start from draws of the Gaussian approximation at the mode and move, all at
    once, in the coordinates in which it is round. What follows from the scale of the
    data is then a matter of few, long steps. The mode need not be where most of the
    posterior is: after a while distances are measured from the mean of all chains,
    in coordinates in which the Gaussian approximation there is round. Spreads of well
    known deviations stay where they are in such a transition; all are drawn given the
    deviations after each.

    Parameters
    ----------
    network : OutcomeNetwork
        At the mode.
    inputs : Inputs
    target : Target
    loss : Loss
    n_draws : int
    generator : torch.Generator

    Returns
    -------
    draws : OutcomeNetwork
        With one entry per draw.
    mean : OutcomeNetwork
        At the mean of all places where chains were after their last warm-up.
    trace : Trace
        Its places are the draws themselves where every place is a draw.
    contraction : ndarray of shape (n_media,)
        As of `conditional_contraction`, at the mode.

    References
    ----------
    .. [1] Neal (2011). MCMC using Hamiltonian dynamics. Handbook of Markov Chain
       Monte Carlo, ch. 5.
    .. [2] Hoffman and Gelman (2014). The No-U-Turn Sampler. JMLR 15, sec. 3.2 (step
       size by dual averaging).
    """
    workers = workers_for(target)
    if workers is None:
        return _sample(network, inputs, target, loss, n_draws, generator)
    found = workers.run(
        _sample_block,
        network.sizes.n_regions,
        blocks_of(network, inputs, target),
        *(loss, n_draws, generator),
    )
    (draws, mean, trace, contraction), *others = found

    def whole(first, n):
        regional = [first.regional, *(other[n] for other in others)]
        return network.at(first.shared, torch.cat(regional, dim=1))

    all_draws = whole(draws, 0)
    places = all_draws if trace.places is draws else whole(trace.places, 2)
    trace = replace(trace, places=places)
    return all_draws, whole(mean, 1), trace, contraction


def _sample_block(network, inputs, target, loss, n_draws, generator):
    """Draw with others that have the other regions.

    Returns
    -------
    draws, mean, trace, contraction
        In the first process; in others the regional parameters of draws, mean and
        places.
    """
    found = _sample(network, inputs, target, loss, n_draws, generator)
    if is_first():
        return found
    draws, mean, trace, _ = found
    return [one.regional for one in (draws, mean, trace.places)]


def _sample(network, inputs, target, loss, n_draws, generator):
    """Draw the parameters of the regions that this process has."""
    most = max(_FIRST_CHAINS, n_draws // 2)
    n_chains = min(n_draws, most, most_chains(inputs))
    noise = _normals(network, n_chains, generator)
    known = information(network, inputs, target, loss)
    contraction = conditional_contraction(network, known)
    ties = all_ties(network, inputs, target)
    coordinates = Coordinates(network, known, ties)
    start = network.at(*coordinates.spread_out(noise, known, ties))
    posterior = Posterior(coordinates, inputs, target, loss)
    del known, ties, coordinates  # their memory is for what follows
    state = posterior.state(start.shared, start.regional)
    found = _explore(posterior, state, start, N_MOVES, n_draws, generator)
    return *found, contraction


def sample_on(network, places, inputs, target, loss, n_draws, generator):
    """Draw the parameters anew after experiments have told more of them.

    Chains go on from where they are, moved by what experiments tell of each as in a
    Kalman filter, in several steps [1]_, which is all there is to do where the model's
    values of experiments are linear in the parameters.

    Parameters
    ----------
    network : OutcomeNetwork
        At the mean of all places.
    places : OutcomeNetwork
        One entry per chain.
    inputs, loss, n_draws, generator
        As of `sample`.
    target : Target
        With experiments.

    Returns
    -------
    draws, mean, trace
        As of `sample`.

    References
    ----------
    .. [1] Emerick, Reynolds (2013). Ensemble Smoother with Multiple Data Assimilation.
       Computers and Geosciences 55.
    """
    known = information(network, inputs, target, loss)
    untold = replace(target, experiments=None)
    before = LaplaceApproximation(
        with_spreads_held(network, known), all_ties(network, inputs, untold)
    )
    start = _assimilated(places, before, target.experiments, generator)
    chosen = _not_refuted(target.experiments.log_density(start).detach(), generator)
    start = network.at(start.shared[chosen], start.regional[chosen])
    del before  # its memory is for what follows
    around = Coordinates(network, known, all_ties(network, inputs, target))
    posterior = Posterior(around, inputs, target, loss)
    del known, around
    state = posterior.recentre(posterior.state(start.shared, start.regional))
    draws, mean, trace = _explore(posterior, state, start, 1, n_draws, generator)
    return draws, _as_told(mean, trace.places, posterior), trace


def _assimilated(places, before, experiments, generator):
    """Return places moved by experiments, each step as if errors were larger.

    Parameters
    ----------
    places : OutcomeNetwork
        One entry per chain.
    before : LaplaceApproximation
        In whose coordinates the posterior without experiments is round.
    experiments : Measurements
    generator : torch.Generator
    """
    n_shared = places.shared.shape[1]
    seen = torch.zeros(0, n_shared + places.regional[0].numel()).double()

    def told(rows):
        """Apply the covariance after the steps so far."""
        inner = seen @ seen.T + torch.eye(len(seen)).double()
        return rows - torch.linalg.solve(inner, (rows @ seen.T).T).T @ seen

    for _ in range(_N_STEPS_OF_TESTS):
        centre = places.at(
            places.shared.mean(dim=0, keepdim=True),
            places.regional.mean(dim=0, keepdim=True),
        )
        slopes = before.unwhiten_vjp(*experiments.slopes(centre))
        slopes = joined(*slopes)  # (Q, N)
        slopes = slopes / _N_STEPS_OF_TESTS**0.5
        with torch.no_grad():
            errors = experiments.errors(places) / _N_STEPS_OF_TESTS**0.5
        noise = torch.randn(errors.shape, generator=generator, dtype=torch.float64)
        reach = told(slopes)
        gain = reach @ slopes.T + torch.eye(len(slopes)).double()
        moved = -torch.linalg.solve(gain, (errors + noise).T).T @ reach
        shared, regional = before.unwhiten(
            moved[:, :n_shared], moved[:, n_shared:].reshape(places.regional.shape)
        )
        places = places.at(places.shared + shared, places.regional + regional)
        seen = torch.cat([seen, slopes])
    return places


def _as_told(mean, places, posterior):
    """Return the mean of parameters, moved to say of what was tested what draws say.

    Neither values of experiments nor effects are linear in the parameters, so that
    those at the mean are not in the middle of those of draws. It is the least move in
    coordinates in which the posterior is round.
    """
    said = _Said(places, posterior)
    away = said.away(mean)
    for _ in range(_N_NEWTON):
        slopes = said.slopes(mean)
        # Where an effect is nearly nothing hardly anything moves it, and should not.
        products = slopes @ slopes.T + _DAMPING * torch.eye(len(away)).double()
        move = torch.linalg.solve(products, away) @ slopes
        n_shared = mean.shared.shape[1]
        shared, regional = posterior.coordinates.approximation.unwhiten(
            move[None, :n_shared], move[n_shared:].reshape(mean.regional.shape)
        )
        for size in _SIZES_OF_STEPS:
            moved = mean.at(
                mean.shared + size * shared, mean.regional + size * regional
            )
            left = said.away(moved)
            if left.square().sum() < away.square().sum():
                mean, away = moved, left
                break
    return mean


class _Said:
    """What draws say of experiments, and of the mean effects of tested channels.

    Of the first the mean of draws, in standard errors; of the second their median, in
    their standard deviations.
    """

    def __init__(self, places, posterior):
        self.posterior, target = posterior, posterior.target
        self.channels = sorted(target.tested)
        with torch.no_grad():
            effects = torch.cat([self._effects(few) for _, few in few_draws(places)])
            self.unit = effects.std(dim=0) + _LEAST_DOUBT
            errors = target.experiments.errors(places).mean(dim=0)
        middle = effects.median(dim=0).values  # effects have a long tail
        self.aim = torch.cat([errors, middle / self.unit])

    def _effects(self, network):
        posterior = self.posterior
        share = posterior.target.share
        return network.mean_effects(self.channels, posterior.inputs, share)

    def away(self, network):
        """Return how far a network with one entry is from what draws say, (Q + C,)."""
        with torch.no_grad():
            errors = self.posterior.target.experiments.errors(network)[0]
            effects = self._effects(network)[0] / self.unit
        return self.aim - torch.cat([errors, effects])

    def slopes(self, network):
        """Return derivatives by position of what a network says, (Q + C, N)."""
        parts = [
            part.clone().requires_grad_() for part in (network.shared, network.regional)
        ]
        effects = self._effects(network.at(*parts))[0] / self.unit
        found = [
            torch.autograd.grad(
                effect,
                parts,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            for effect in effects
        ]
        both = [
            torch.cat([told, torch.cat(more)])
            for told, more in zip(
                self.posterior.target.experiments.slopes(network),
                zip(*found, strict=True),
                strict=True,
            )
        ]
        approximation = self.posterior.coordinates.approximation
        return joined(*approximation.unwhiten_vjp(*both))


def _not_refuted(log_density, generator):
    """Return which places chains start from, (n_chains,): by what experiments say.

    Where an effect is nothing no force pulls a chain on. Systematic resampling [1]_
    leaves those that agree where they are.

    References
    ----------
    .. [1] Kitagawa (1996). Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear
       State Space Models. JCGS 5.
    """
    n_chains = len(log_density)
    mass = torch.softmax(log_density, dim=0).cumsum(dim=0)
    at = torch.rand((), generator=generator, dtype=torch.float64)
    steps = (torch.arange(n_chains, dtype=torch.float64) + at) / n_chains
    return torch.searchsorted(mass, steps).clamp_max(n_chains - 1)


def _explore(posterior, state, start, n_moves, n_draws, generator):
    """Run chains on, and return draws, mean and trace as `sample` does."""
    network, tested = posterior.network, posterior.target.tested
    n_chains, n_coordinates = len(state.position), _n_coordinates(network)
    n_each = -(-n_draws // n_chains)
    n_kept = max(N_AFTER, n_each)
    n_steps = max(N_STEPS, N_ALL_STEPS // ((n_moves + 1) * N_WARMUP + n_kept))
    places = [
        part.new_empty(n_kept * n_chains, *part.shape[1:])
        for part in (start.shared, start.regional)
    ]
    changes: list[torch.Tensor] = []
    densities = [state.density]
    first_step = 0.5 / n_coordinates**0.25  # of a round normal, and half of that
    for move in range(n_moves + 1):
        step = _StepSize(first_step)
        last = move == n_moves
        for transition in range(N_WARMUP + (n_kept if last else 0)):
            jitter = 0.8 + 0.4 * torch.rand((), generator=generator).item()
            accept_draw = torch.rand(n_chains, generator=generator, dtype=torch.float64)
            momentum = _normals(network, n_chains, generator)
            state, change = _transition(
                posterior, state, momentum, jitter * step.now, n_steps, accept_draw
            )
            state = posterior.with_new_spreads(state, generator)
            if transition < N_WARMUP:
                step.learn(_acceptance(change).mean().item())
            else:
                now = slice(len(changes) * n_chains, (len(changes) + 1) * n_chains)
                for all_places, part in zip(
                    places, posterior.parameters(state.position), strict=True
                ):
                    all_places[now] = part
                densities.append(state.density)
                changes.append(change)
        if not last:
            state, first_step = posterior.recentre(state), step.now
    seen = network.at(*places)
    mean = network.at(*mean_parameters(network, *places, tested=tested))
    rows = posterior.inputs, posterior.target.share
    trace = Trace(
        places=seen,
        effects=mean_effects(seen, *rows),
        first_effects=mean_effects(start, *rows),
        log_density=torch.stack(densities),
        log_acceptance=torch.stack(changes),
    )
    return _chosen_draws(seen, n_kept, n_each, n_draws), mean, trace


def _chosen_draws(places, n_kept, n_each, n_draws):
    """Return so many of all places, at equal distances; all as they are, not copied."""
    apart = n_kept // n_each
    chosen = range(n_kept)[-1 - apart * (n_each - 1) :: apart]
    if len(chosen) == n_kept and len(places.shared) == n_draws:
        return places
    return places.at(
        *(
            torch.cat([part.tensor_split(n_kept)[k] for k in chosen])[:n_draws]
            for part in (places.shared, places.regional)
        )
    )


def most_chains(inputs):
    """Return the number of chains beyond which chains run longer instead."""
    n_regions, *rest = inputs.media.shape
    n_cells = all_regions(n_regions) * math.prod(rest)
    return max(_MIN_CHAINS, _CELLS // max(n_cells, 1))


def _n_coordinates(network):
    """Return how many parameters there are, of all regions."""
    (shared, regional), _ = of_all_regions(network.shared, network.regional)
    return shared.shape[1] + regional[0].numel()


def _normals(network, n_chains, generator):
    """Return a standard normal for every own coordinate, (n_chains, N).

    Of those for the coordinates of all regions, so that each process draws the same.
    """
    whole, own = of_all_regions(network.shared, network.regional)
    size = n_chains, sum(part[0].numel() for part in whole)
    drawn = torch.randn(size, generator=generator, dtype=torch.float64)
    shared, regional = split_like(drawn, whole)
    return joined(shared, regional[:, own])


def _transition(posterior, state, momentum, step, n_steps, accept_draw):
    """Return the next state of every chain and the log of how likely it was accepted.

    The logarithm may be above zero.
    """
    n_shared = state.shared_slope.shape[1]
    energy = _kinetic_energy(momentum, n_shared) - state.density
    position, gradient = state.position, state.gradient
    for _ in range(n_steps):
        momentum = momentum + 0.5 * step * gradient
        position = position + step * momentum
        gradient, *slopes = posterior.gradient(position)
        momentum = momentum + 0.5 * step * gradient
    new = State(position, posterior.density(position), gradient, *slopes)
    change = energy - _kinetic_energy(momentum, n_shared) + new.density
    return new.where(accept_draw < _acceptance(change), state), change


def _kinetic_energy(momentum, n_shared):
    """Return the energy of momenta, (n_chains,), of which the first are shared."""
    squares = momentum.square()
    squares[:, :n_shared] = replicated(squares[:, :n_shared])
    return 0.5 * all_sum(squares.sum(dim=1))


def _acceptance(change):
    """Return the probability of acceptance; none where the energy is no number."""
    return torch.exp(change.clamp_max(0.0)).nan_to_num(0.0)


class _StepSize:
    """Step size that brings the mean acceptance to its aim (dual averaging)."""

    def __init__(self, start):
        self.now, self._aim = start, math.log(start)
        self._count, self._surplus, self._mean_log = 0, 0.0, 0.0

    def learn(self, accepted):
        """Take in the acceptance of one transition; `now` is what to use next."""
        self._count += 1
        share = 1.0 / (self._count + 5)
        self._surplus += share * (_ACCEPT - accepted - self._surplus)
        log = self._aim - 3.0 * math.sqrt(self._count) * self._surplus
        share = self._count**-0.75
        self._mean_log += share * (log - self._mean_log)
        self.now = math.exp(self._mean_log if self._count == N_WARMUP else log)
