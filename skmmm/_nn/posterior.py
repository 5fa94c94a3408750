"""What the data say about each parameter, and draws around the mode."""

from dataclasses import dataclass

import torch

from skmmm._nn.likelihood import errors, split_common, whiten
from skmmm._nn.priors import positions, unpack

_STEP = 1e-4  # of the finite differences, in prior standard deviations
_CHUNK = 8  # draws at once: bounds the memory


@dataclass(frozen=True)
class Information:
    """Gauss-Newton information about the parameters at the mode, without the prior.

    Attributes
    ----------
    shared : Tensor of shape (n_shared, n_shared)
    cross : Tensor of shape (R, n_regional, n_shared)
    regional : Tensor of shape (R, n_regional, n_regional)
        Given the shared parameters, regions are independent of each other.
    """

    shared: torch.Tensor
    cross: torch.Tensor
    regional: torch.Tensor


def jacobian(network, inputs, target, part, prior, where):
    """Return how the errors answer to each entry of a parameter.

    By central differences of the additive part that the parameter acts on. Regional
    parameters are moved in all regions at once and those of channels in all channels
    at once: each moves only its own.

    Parameters
    ----------
    part : {"shared", "regional"}
    prior : Prior
    where : slice
        Entries of the parameter in that part.

    Returns
    -------
    answer : Tensor of shape (prior.size, R, T)
        Masked cells are zero.
    """
    entries = list(range(where.start, where.stop))
    nothing = network.shared.new_zeros(prior.size, *target.y.shape)
    if prior.acts == "scale" or not entries:
        return nothing
    with torch.no_grad():
        if prior.acts == "level":
            ahead, behind = (
                errors(
                    _moved(network, part, [[e] for e in entries], step), inputs, target
                )
                for step in (_STEP, -_STEP)
            )
            return (ahead - behind) / (2 * _STEP) * target.observed
        change = _change(network, inputs, part, prior, entries)
        values = network.values()
        answer = [whiten(network, c[None], target, values)[0] for c in change]
        return -torch.stack(answer) * target.observed


def _change(network, inputs, part, prior, entries):
    """Return the derivative of the structural part, shape (prior.size, R, T)."""
    hidden = network.hidden(inputs)

    def moved(groups, step):
        twin = _moved(network, part, groups, step)
        values = twin.values()
        if prior.acts == "channel":
            return twin.media_effects(values, inputs, hidden)
        controls = torch.einsum("erk,rkt->ert", values["control"], inputs.controls)
        return twin.baseline(values, inputs, hidden) + controls

    if prior.acts == "channel":
        # Entries are (channel, column): a draw moves one column of every channel.
        n_columns = prior.size // prior.shape[0]
        groups = [entries[column::n_columns] for column in range(n_columns)]
    else:
        groups = [[entry] for entry in entries]
    changes = [
        (moved(some, _STEP) - moved(some, -_STEP)) / (2 * _STEP)
        for some in (groups[i : i + _CHUNK] for i in range(0, len(groups), _CHUNK))
    ]
    change = torch.cat(changes)
    if prior.acts == "channel":  # (column, R, M, T) -> (M * column, R, T)
        return change.permute(2, 0, 1, 3).flatten(0, 1)
    return change


def _moved(network, part, groups, step):
    """Return a twin with one draw per group of entries, which are moved by `step`."""
    points = {
        name: getattr(network, name).detach().repeat_interleave(len(groups), dim=0)
        for name in ("shared", "regional")
    }
    for draw, entries in enumerate(groups):
        points[part][draw, ..., entries] += step
    return network.at(**points)


def row_precision(network, inputs, target, loss):
    """Return the weight of every cell's squared error in the information, (R, T)."""
    with torch.no_grad():
        values = network.values()
        error = errors(network, inputs, target, values)
        if "common_log" in values:
            error = error - split_common(network, error, target, values)[0][:, None]
        scaled = error * torch.exp(-values["noise_log"])[..., None]
        precision = loss.weight(scaled) * torch.exp(-2 * values["noise_log"])[..., None]
        return target.weight * target.independent * precision[0]


def spread_information(network, inputs, target, loss):
    """Return what the data say about deviations, before any prior pulls them in.

    Returns
    -------
    known : dict of str to Tensor
        For each spread, the information about the deviations that it governs, in
        their own units.
    """
    known = {}
    precision = row_precision(network, inputs, target, loss)
    spreads = unpack(network.shared.detach(), network.shared_priors)
    for part, priors in _parts(network):
        for prior, where in positions(priors):
            if not prior.deviates:
                continue
            name = f"{prior.name}_spread_log"
            if prior.name == "noise_log":  # Fisher information about a log scale
                known[name] = 2.0 * target.independent * target.weight.sum(dim=1)
                continue
            answer = jacobian(network, inputs, target, part, prior, where)
            if part == "regional":
                informs = torch.einsum("prt,prt->rp", answer, answer * precision)
            else:
                informs = _shared_information(network, target, answer, precision)
                informs = torch.diagonal(informs)
            known[name] = informs * torch.exp(-2 * spreads[name])
    return known


def _parts(network):
    """Return the two flat vectors of parameters with their priors."""
    return (
        ("shared", network.shared_priors),
        ("regional", network.regional_priors),
    )


def _shared_information(network, target, answer, precision):
    """Return the information of rows about shared parameters, given their answer.

    A common shock hides what moves all regions alike: the mean over regions counts
    with the variance of the shock, the rest with that of each region.
    """
    values = network.values()
    if "common_log" not in values:
        return torch.einsum("prt,qrt->pq", answer, answer * precision)
    with torch.no_grad():
        _, variance, total = split_common(network, target.y[None], target, values)
        weight = target.observed * torch.exp(-2 * values["noise_log"][0])[:, None]
        mean = torch.einsum("prt,rt->pt", answer, weight) / total
        rest = (answer - mean[:, None]) * target.observed
        seen = target.observed.amax(dim=0)
        within = torch.einsum("prt,qrt->pq", rest, rest * precision)
        return within + (mean * seen / variance[0]) @ mean.T


def information(network, inputs, target, loss):
    """Return the Gauss-Newton `Information` about all parameters.

    Scales and spreads count as known: the errors do not answer to them.
    """
    empty = network.shared.new_zeros(0, *target.y.shape)
    shared, regional = (
        torch.cat(
            [
                empty,
                *(
                    jacobian(network, inputs, target, part, prior, where)
                    for prior, where in positions(priors)
                ),
            ]
        )
        for part, priors in _parts(network)
    )
    precision = row_precision(network, inputs, target, loss)
    weighted = regional * precision
    return Information(
        shared=_shared_information(network, target, shared, precision),
        cross=torch.einsum("krt,prt->rkp", weighted, shared),
        regional=torch.einsum("krt,jrt->rkj", weighted, regional),
    )


def draw_around_mode(known, n_draws, generator):
    """Draw distances from the mode from the Gaussian approximation there (Laplace).

    The precision has the shape of an arrow: a block per region, tied together only
    through the shared parameters. Its Schur complement gives the shared ones, and each
    region follows given them: cost linear in regions.

    Returns
    -------
    shared : Tensor of shape (n_draws, n_shared)
    regional : Tensor of shape (n_draws, R, n_regional)
    """
    n_regions, n_regional = known.regional.shape[:2]
    own = known.regional + torch.eye(n_regional, dtype=torch.float64)
    root = torch.linalg.cholesky(own)
    pull = torch.cholesky_solve(known.cross, root)  # (R, K, P)
    precision = known.shared + torch.eye(len(known.shared), dtype=torch.float64)
    precision = precision - torch.einsum("rkp,rkq->pq", known.cross, pull)
    values, vectors = torch.linalg.eigh((precision + precision.T) / 2)
    shape = (n_draws, len(values))
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    # The data never make a parameter less sure than its prior.
    shared = (noise / values.clamp_min(1.0).sqrt()) @ vectors.T
    noise = torch.randn(
        (n_draws, n_regions, n_regional, 1), generator=generator, dtype=torch.float64
    )
    regional = torch.linalg.solve_triangular(
        root.transpose(-1, -2), noise, upper=True
    ).squeeze(-1)
    regional = regional - torch.einsum("rkp,ep->erk", pull, shared)
    return shared, regional
