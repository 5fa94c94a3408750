"""Draws from the posterior: Hamiltonian Monte Carlo around the mode."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from skmmm._model.draws import few_draws
from skmmm._model.laplace import (
    LaplaceApproximation,
    all_ties,
    approximate,
    information,
    spread_information,
    with_spreads,
)
from skmmm._model.likelihood import log_likelihood, log_prior
from skmmm._model.network import OutcomeNetwork
from skmmm._model.priors import fields_in_dtype
from skmmm._model.spreads import draw_spreads, mean_parameters, slopes_after
from skmmm._model.sums import agreed, all_regions, all_sum, is_first, replicated
from skmmm._model.vectors import joined, of_all_regions, split_like
from skmmm._model.workers import blocks_of, workers_for

N_MOVES = 2  # times that chains look for a better place to measure distances from
N_WARMUP = 7  # transitions in which the step size is found, after every move
N_AFTER = 8  # transitions of each chain after that, if it gives no more draws
_N_STEPS_OF_TESTS = 4  # in which chains are moved by experiments
_N_NEWTON = 8  # steps to a point that says of what was tested what draws do
_SIZES_OF_STEPS = 1.0, 0.5, 0.25, 0.1, 0.03  # the first that leads closer
_DAMPING = 0.01  # of these, in variances of a measurement
_LEAST_DOUBT = 1e-3  # about a mean effect, in mean KPI
N_STEPS = 8  # leapfrog steps of a transition
_ACCEPT = 0.8  # mean acceptance aimed at
_CELLS = 2**17  # region-period-channels of all chains together: bounds the memory
_MIN_CHAINS = 8
_FIRST_CHAINS = 32  # of which each gives two draws before there are more chains
_CHANNELS = 2**18  # of all regions of the chains that move at once


@dataclass(frozen=True, eq=False)
class Trace:
    """What chains did after their last warm-up.

    Attributes
    ----------
    start : OutcomeNetwork
        Where chains were before their first transition of all, one entry per chain.
    places : OutcomeNetwork
        After each transition, with n_transitions * n_chains entries, chains fastest.
    log_density : Tensor of shape (n_transitions + 1, n_chains)
        Log posterior, less a constant: at the start, then after each transition.
    log_acceptance : Tensor of shape (n_transitions, n_chains)
        Energy lost on the way, which is zero without error of integration; not finite
        where the proposal has no density.
    """

    start: OutcomeNetwork
    places: OutcomeNetwork
    log_density: torch.Tensor
    log_acceptance: torch.Tensor


def sample(network, inputs, target, loss, known, n_draws, generator):
    """Draw the parameters from their posterior.

    Chains start from draws of the Gaussian approximation at the mode and move, all at
    once, in the coordinates in which it is round. What follows from the scale of the
    data is then a matter of few, long steps. The mode need not be where most of the
    posterior is: after a while distances are measured from the mean of all chains,
    in coordinates in which the Gaussian approximation there is round. Spreads of
    deviations stay where they are in such a transition, and are drawn given the
    deviations after each.

    Parameters
    ----------
    network : OutcomeNetwork
        At the mode.
    inputs : Inputs
    target : Target
    loss : Loss
    known : Information
        About the parameters, at the mode.
    n_draws : int
    generator : torch.Generator

    Returns
    -------
    draws : OutcomeNetwork
        With one entry per draw.
    mean : OutcomeNetwork
        At the mean of all places where chains were after their last warm-up.
    trace : Trace

    References
    ----------
    .. [1] Neal (2011). MCMC using Hamiltonian dynamics. Handbook of Markov Chain
       Monte Carlo, ch. 5.
    .. [2] Hoffman and Gelman (2014). The No-U-Turn Sampler. JMLR 15, sec. 3.2 (step
       size by dual averaging).
    """
    workers = workers_for(target)
    if workers is None:
        return _sample(network, inputs, target, loss, known, n_draws, generator)
    rows = blocks_of(network, inputs, target)
    found = workers.run(
        _sample_block,
        network.sizes.n_regions,
        lambda own: (*rows(own), known.in_regions(own)),
        *(loss, n_draws, generator),
    )
    (draws, mean, trace), *_ = found
    draws, mean, start, places = (
        network.at(first.shared, torch.cat([first.regional, *others], dim=1))
        for first, *others in zip(
            (draws, mean, trace.start, trace.places), *found[1:], strict=True
        )
    )
    return draws, mean, replace(trace, start=start, places=places)


def _sample_block(network, inputs, target, known, loss, n_draws, generator):
    """Draw with others that have the other regions.

    Returns
    -------
    draws, mean, trace
        In the first process; in others the regional parameters of draws, mean, start
        and places.
    """
    found = _sample(network, inputs, target, loss, known, n_draws, generator)
    if is_first():
        return found
    draws, mean, trace = found
    return [one.regional for one in (draws, mean, trace.start, trace.places)]


def _sample(network, inputs, target, loss, known, n_draws, generator):
    """Draw the parameters of the regions that this process has."""
    most = max(_FIRST_CHAINS, n_draws // 2)
    n_chains = min(n_draws, most, most_chains(inputs))
    approximation = approximate(network, known, inputs, target)
    posterior = _Posterior(network, inputs, target, loss, approximation)

    noise = _normals(network, n_chains, generator)
    start = _spread_out(network, known, inputs, target, noise)
    state = posterior.state(start.shared, start.regional)
    return _explore(posterior, state, start, N_MOVES, n_draws, generator)


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
    before = approximate(network, known, inputs, replace(target, experiments=None))
    start = _assimilated(places, before, target.experiments, generator)
    chosen = _not_refuted(target.experiments.log_density(start).detach(), generator)
    start = network.at(start.shared[chosen], start.regional[chosen])
    approximation = approximate(network, known, inputs, target)
    posterior = _Posterior(network, inputs, target, loss, approximation)
    posterior, state = posterior.moved(posterior.state(start.shared, start.regional))
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
        shared, regional = posterior.approximation.unwhiten(
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
        return joined(*self.posterior.approximation.unwhiten_vjp(*both))


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
    places, changes, densities = [], [], [state.density]
    for move in range(n_moves + 1):
        step = _StepSize(1.0 / n_coordinates**0.25)
        last = move == n_moves
        n_transitions = N_WARMUP + (max(N_AFTER, n_each) if last else 0)
        for transition in range(n_transitions):
            jitter = 0.8 + 0.4 * torch.rand((), generator=generator).item()
            accept_draw = torch.rand(n_chains, generator=generator, dtype=torch.float64)
            momentum = _normals(network, n_chains, generator)
            state, change = _transition(
                posterior, state, momentum, jitter * step.now, N_STEPS, accept_draw
            )
            state = posterior.with_new_spreads(state, generator)
            if transition < N_WARMUP:
                step.learn(_acceptance(change).mean().item())
            else:
                places.append(posterior.parameters(state.position))
                densities.append(state.density)
                changes.append(change)
        if not last:
            posterior, state = posterior.moved(state)
    apart = (n_transitions - N_WARMUP) // n_each
    chosen = places[-1 - apart * (n_each - 1) :: apart]
    draws = [torch.cat(part)[:n_draws] for part in zip(*chosen, strict=True)]
    seen = [torch.cat(part) for part in zip(*places, strict=True)]
    mean = mean_parameters(network, *seen, tested=tested)
    trace = Trace(
        start, network.at(*seen), torch.stack(densities), torch.stack(changes)
    )
    return network.at(*draws), network.at(*mean), trace


def _spread_out(network, known, inputs, target, noise):
    """Turn noise into draws of the Gaussian approximation, with spreads unknown."""
    told = spread_information(network, known)
    approximation = LaplaceApproximation(
        with_spreads(network, known, told), all_ties(network, inputs, target)
    )
    parts = split_like(noise, (network.shared, network.regional))
    shared, regional = approximation.unwhiten(*parts)
    return network.at(network.shared + shared, network.regional + regional)


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


class _State(NamedTuple):
    """Places of all chains with their log posterior and what pulls them on.

    The gradient is by position, slopes are by shared and regional parameters.
    """

    position: torch.Tensor
    density: torch.Tensor
    gradient: torch.Tensor
    shared_slope: torch.Tensor
    regional_slope: torch.Tensor

    def where(self, chosen, other):
        """Return this state in the chosen chains, the other one elsewhere."""
        return _State(
            *(
                torch.where(chosen.reshape(-1, *[1] * (own.ndim - 1)), own, its)
                for own, its in zip(self, other, strict=True)
            )
        )


class _Posterior:
    """The log posterior as a function of standardised coordinates."""

    def __init__(self, network, inputs, target, loss, approximation):
        self.approximation, self.inputs, self.target, self.loss = (
            approximation,
            inputs,
            target,
            loss,
        )
        self.network = network
        self._rough = (
            network.to(torch.float32),
            fields_in_dtype(inputs, torch.float32),
            target.in_dtype(torch.float32),
        )

    def parameters(self, position):
        """Return shared and regional parameters at positions."""
        parts = split_like(position, (self.network.shared, self.network.regional))
        shared, regional = self.approximation.unwhiten(*parts)
        return self.network.shared + shared, self.network.regional + regional

    def moved(self, state):
        """Return the posterior in coordinates around the mean of all chains."""
        shared, regional = self.parameters(state.position)
        centre = self.network.at(
            *mean_parameters(self.network, shared, regional, tested=self.target.tested)
        )
        known = information(centre, self.inputs, self.target, self.loss)
        approximation = approximate(centre, known, self.inputs, self.target)
        moved = _Posterior(centre, self.inputs, self.target, self.loss, approximation)
        return moved, moved.state(shared, regional)

    def with_new_spreads(self, state, generator):
        """Return the state after spreads were drawn given the deviations.

        What rows say of deviations stays as it is: the density changes by the prior.
        """
        shared, regional = self.parameters(state.position)
        before = agreed(shared), regional
        after = draw_spreads(self.network, before[0], before[1], generator)
        slopes = slopes_after(
            self.network, before, after, (state.shared_slope, state.regional_slope)
        )
        shared, regional = (
            (new.square() - old.square()).flatten(1).sum(dim=1)
            for old, new in zip(before, after, strict=True)
        )
        lost = shared + all_sum(regional)
        density = state.density - 0.5 * lost
        return _State(
            self._position(*after), density, self._by_position(*slopes), *slopes
        )

    def state(self, shared, regional):
        """Return the `_State` of parameters."""
        return self.at(self._position(shared, regional))

    def at(self, position):
        """Return the `_State` at a position, shape (n_chains, n_coordinates)."""
        return _State(position, self.density(position), *self.gradient(position))

    def _position(self, shared, regional):
        parts = self.approximation.whiten(
            shared - self.network.shared, regional - self.network.regional
        )
        return joined(*parts)

    def _by_position(self, *slopes):
        return joined(*self.approximation.unwhiten_vjp(*slopes))

    def density(self, position):
        """Return the log posterior, shape (n_chains,)."""
        twin = self.network.at(*self.parameters(position))
        with torch.no_grad():
            found = [
                self._density(few, self.inputs, self.target)
                for _, few in few_draws(twin, len(position), _CHANNELS)
            ]
        return all_sum(torch.cat(found))

    def gradient(self, position):
        """Return its gradient, (n_chains, n_coordinates), and slopes by parameters.

        In single precision. A trajectory may follow any force that depends on the
        position alone: it keeps volume and can be reversed, and what is accepted is
        decided by the density. After new spreads the force follows from that before,
        which rounded at another place: by less than one part in ten thousand.
        """
        network, inputs, target = self._rough
        twin = network.at(*(p.to(torch.float32) for p in self.parameters(position)))
        found = []
        for _, few in few_draws(twin, len(position), _CHANNELS):
            parts = few.shared.requires_grad_(), few.regional.requires_grad_()
            density = self._density(few, inputs, target).sum()
            found.append(torch.autograd.grad(density, parts))
        shared, regional = (
            torch.cat(part).to(position.dtype) for part in zip(*found, strict=True)
        )
        slopes = all_sum(shared), regional
        return self._by_position(*slopes), *slopes

    def _density(self, network, inputs, target):
        likelihood = log_likelihood(network, inputs, target, self.loss)
        return likelihood + log_prior(network, inputs, target)


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
    new = _State(position, posterior.density(position), gradient, *slopes)
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
