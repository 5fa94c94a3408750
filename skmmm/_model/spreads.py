"""Spreads of deviations, which are in units of them: draws and means."""

import torch

from skmmm._model.sums import all_regions, all_sum

# Log spreads between this many prior standard deviations, in so many steps.
_FAR, _N_STEPS = 6.0, 1200


def in_units(values, name, deviation):
    """Bring deviations from units of their spread to units of the parameter."""
    spread = torch.exp(values[f"{name}_spread_log"])
    return spread.reshape(-1, *[1] * (deviation.ndim - 1)) * deviation


def draw_spreads(network, shared, regional, generator):
    """Return parameters with new spreads and the same deviations (a Gibbs step).

    Given the deviations a spread depends on nothing else. Its density is tabulated:
    n deviations d add ``-n * l - sum(d ** 2) * exp(-2 * l) / 2`` to that of the log
    spread l, which is normal before.

    Parameters
    ----------
    network : OutcomeNetwork
    shared : Tensor of shape (E, n_shared)
    regional : Tensor of shape (E, R, n_regional)
    generator : torch.Generator

    Returns
    -------
    shared, regional : Tensors of the same shapes
    """

    def drawn(deviation, before, prior, shared):
        place = torch.linspace(-_FAR, _FAR, _N_STEPS + 1, dtype=torch.float64)
        log = prior.loc + prior.scale * place
        squares = deviation.square().flatten(1).sum(dim=1, keepdim=True)
        number = deviation[0].numel()
        if not shared:
            squares, number = all_sum(squares), all_regions(number)
        density = -number * log - 0.5 * place**2
        squares = squares * torch.exp(2.0 * before)  # of deviations in their own units
        density = density - 0.5 * squares * torch.exp(-2.0 * log)
        mass = torch.exp(density - density.amax(dim=1, keepdim=True)).cumsum(dim=1)
        chance, within = torch.rand(
            2, len(before), 1, generator=generator, dtype=torch.float64
        )
        at = torch.searchsorted(mass, chance * mass[:, -1:]).clamp_max(_N_STEPS)
        return log[at] + (within - 0.5) * (log[1] - log[0])

    return _with_log_spreads(network, shared, regional, drawn)


def slopes_after(network, before, after, slopes):
    """Return the gradient of the log posterior after new spreads were drawn.

    Deviations are the same, and so is what rows say of them: only the units in which
    deviations are, and the prior, change.

    Parameters
    ----------
    network : OutcomeNetwork
    before, after : tuple of Tensor
        Shared and regional parameters, as `draw_spreads` takes and returns them.
    slopes : tuple of Tensor
        The gradient before, of the same shapes.

    Returns
    -------
    slopes : list of Tensor
    """
    told = [slope + old for slope, old in zip(slopes, before, strict=True)]
    places = {p.name: (p, where) for p, where in network.shared_priors.positions()}
    for part, priors in zip(
        told, (network.shared_priors, network.regional_priors), strict=True
    ):
        for prior, where in priors.positions():
            if prior.hierarchical:
                own, at = places[f"{prior.name}_spread_log"]
                larger = torch.exp(own.scale * (after[0][:, at] - before[0][:, at]))
                part[..., where] *= larger.reshape(-1, *[1] * (part.ndim - 1))
    return [slope - new for slope, new in zip(told, after, strict=True)]


def mean_parameters(network, shared, regional, *, tested=()):
    """Return the mean over draws of log spreads, deviations and all other parameters.

    That of parameters that no row depends on is known, zero, unless experiments tell
    of them.

    Parameters
    ----------
    network, shared, regional
        As of `draw_spreads`.
    tested : collection of int
        Channels of which experiments tell.

    Returns
    -------
    shared, regional : Tensor
        With one entry.
    """

    def mean(deviation, before, prior, shared):
        return before.mean(dim=0, keepdim=True).expand_as(before)

    parts = _with_log_spreads(network, shared, regional, mean)
    shared, regional = (part.mean(dim=0, keepdim=True) for part in parts)
    for prior, where in network.shared_priors.positions():
        if prior.acts == "nothing":
            for at in range(prior.size):
                # One without a shape is of all channels.
                told = at in tested if prior.shape else bool(tested)
                if not told:
                    shared[:, where.start + at] = 0.0
    return shared, regional


def _with_log_spreads(network, shared, regional, new):
    """Return the parameters with log spreads as `new` says and deviations as they were.

    `new` is called with deviations in units of their spread, (E, ...), the log of
    that, (E, 1), its prior, and whether the deviations are shared parameters.
    """
    shared, regional = shared.clone(), regional.clone()
    spreads = {p.name: (p, where) for p, where in network.shared_priors.positions()}
    for part, priors in (
        (shared, network.shared_priors),
        (regional, network.regional_priors),
    ):
        for prior, where in priors.positions():
            if not prior.hierarchical:
                continue
            own, at = spreads[f"{prior.name}_spread_log"]
            deviation = part[..., where]
            before = own.loc + own.scale * shared[:, at]
            after = new(deviation, before, own, part is shared)
            stretch = torch.exp(before - after)
            part[..., where] = deviation * stretch.reshape(-1, *[1] * (part.ndim - 1))
            shared[:, at] = (after - own.loc) / own.scale
    return shared, regional
