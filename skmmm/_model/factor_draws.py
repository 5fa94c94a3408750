"""Draws of a short vector from its posterior, by Hamiltonian Monte Carlo."""

import torch

N_CHAINS, N_WARMUP, N_AFTER, N_STEPS = 64, 12, 12, 6
FIRST_STEP, ACCEPT, RATE = 0.3, 0.8, 1.0
LEAST_CURVATURE = 0.1  # of the log density: no direction is wider than this says


def explore(log_density, mode, generator):
    """Return draws of a vector, one per chain, (N_CHAINS, n).

    Chains start from the Gaussian approximation at the mode, and move in coordinates
    in which it is round. The length of steps is found on the way, for all together;
    then chains that have not moved, as they started far off, go on from others.

    Parameters
    ----------
    log_density : callable
        Of vectors (N_CHAINS, n), or of one.
    mode : Tensor of shape (n,)
    generator : torch.Generator
    """
    hessian = torch.autograd.functional.hessian(log_density, mode)
    curvature, axes = torch.linalg.eigh(-hessian)
    axes = axes / curvature.clamp(min=LEAST_CURVATURE).sqrt()
    shape = N_CHAINS, len(mode)

    def normals():
        return torch.randn(shape, generator=generator, dtype=mode.dtype)

    def value_and_slope(place):
        place = place.detach().requires_grad_()
        value = log_density(mode + place @ axes.T)
        (slope,) = torch.autograd.grad(value.sum(), place)
        return value.detach(), slope

    place, step = normals(), FIRST_STEP
    moved = torch.zeros(N_CHAINS, dtype=torch.bool)
    value, slope = value_and_slope(place)
    for k in range(N_WARMUP + N_AFTER):
        momentum = normals()
        energy = value - 0.5 * momentum.square().sum(dim=1)
        new, new_slope = place, slope
        for _ in range(N_STEPS):
            momentum = momentum + 0.5 * step * new_slope
            new = new + step * momentum
            new_value, new_slope = value_and_slope(new)
            momentum = momentum + 0.5 * step * new_slope
        change = new_value - 0.5 * momentum.square().sum(dim=1) - energy
        chance = torch.nan_to_num(change.clamp(max=0.0).exp(), nan=0.0)
        drawn = torch.rand(N_CHAINS, generator=generator, dtype=mode.dtype)
        moves = drawn < chance
        place = torch.where(moves[:, None], new, place)
        slope = torch.where(moves[:, None], new_slope, slope)
        value = torch.where(moves, new_value, value)
        moved |= moves
        if k + 1 == N_WARMUP and moved.any():
            others = torch.nonzero(moved)[:, 0]
            at = torch.arange(N_CHAINS)
            at[~moved] = others[torch.arange(int((~moved).sum())) % len(others)]
            place, value, slope = place[at], value[at], slope[at]
        if k < N_WARMUP:
            step *= float(torch.exp(RATE / (k + 1) ** 0.5 * (chance.mean() - ACCEPT)))
    if not moved.any():  # nothing is known but the mode
        return mode.repeat(N_CHAINS, 1)
    return mode + place @ axes.T
