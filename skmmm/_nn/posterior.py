"""What the data say about each parameter, and draws around the mode."""

from dataclasses import dataclass

import torch

from skmmm._nn.likelihood import errors, split_common
from skmmm._nn.priors import unpack

_STEP = 1e-4  # of the finite differences, in prior standard deviations
_CHUNK = 8  # parameters moved at once: bounds the memory


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


def jacobian(network, inputs, target, part, where=slice(None)):
    """Return how the errors answer to each parameter, by central differences.

    Parameters
    ----------
    part : {"shared", "regional"}
        Regional parameters are moved in all regions at once: each moves the errors of
        its own region only.
    where : slice
        Entries of that part.

    Returns
    -------
    answer : Tensor of shape (n_parameters, R, T)
        Masked cells are zero.
    """
    entries = range(getattr(network, part).shape[-1])[where]
    answers = [network.shared.new_zeros(0, *target.y.shape)]
    with torch.no_grad():
        for start in range(0, len(entries), _CHUNK):
            moved = entries[start : start + _CHUNK]
            ahead, behind = (
                errors(_moved(network, part, moved, step), inputs, target)
                for step in (_STEP, -_STEP)
            )
            answers.append((ahead - behind) / (2 * _STEP) * target.observed)
    return torch.cat(answers)


def _moved(network, part, entries, step):
    """Return a twin with one draw per entry, in which that parameter is moved."""
    points = {
        name: getattr(network, name).detach().repeat_interleave(len(entries), dim=0)
        for name in ("shared", "regional")
    }
    for draw, entry in enumerate(entries):
        points[part][draw, ..., entry] += step
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
    for part, priors in (
        ("shared", network.shared_priors),
        ("regional", network.regional_priors),
    ):
        start = 0
        for prior in priors:
            where = slice(start, start + prior.size)
            start = where.stop
            if not prior.deviates:
                continue
            name = f"{prior.name}_spread_log"
            if prior.name == "noise_log":  # Fisher information about a log scale
                known[name] = 2.0 * target.independent * target.weight.sum(dim=1)
                continue
            answer = jacobian(network, inputs, target, part, where)
            spread = torch.exp(unpack(network.shared, network.shared_priors)[name])
            if part == "shared":
                informs = _shared_information(network, target, answer, precision)
                known[name] = torch.diagonal(informs) / spread.detach() ** 2
            else:
                informs = torch.einsum("prt,rt->rp", answer**2, precision)
                known[name] = informs / spread.detach() ** 2
    return known


def _shared_information(network, target, answer, precision):
    """Return the information of rows about shared parameters, given their answer.

    A common shock hides what moves all regions alike: the mean over regions counts
    with the variance of the shock, the rest with that of each region.
    """
    values = network.values()
    if "common_log" not in values:
        return torch.einsum("prt,qrt,rt->pq", answer, answer, precision)
    with torch.no_grad():
        _, variance, total = split_common(network, target.y[None], target, values)
        weight = target.observed * torch.exp(-2 * values["noise_log"][0])[:, None]
        mean = torch.einsum("prt,rt->pt", answer, weight) / total.clamp_min(1e-300)
        rest = (answer - mean[:, None]) * target.observed
        within = torch.einsum("prt,qrt,rt->pq", rest, rest, precision)
        return within + torch.einsum("pt,qt,t->pq", mean, mean, 1 / variance[0])


def information(network, inputs, target, loss):
    """Return the Gauss-Newton `Information` about all parameters.

    Scales and spreads count as known: the errors do not answer to them.
    """
    shared = jacobian(network, inputs, target, "shared")
    regional = jacobian(network, inputs, target, "regional")
    precision = row_precision(network, inputs, target, loss)
    return Information(
        shared=_shared_information(network, target, shared, precision),
        cross=torch.einsum("krt,prt,rt->rkp", regional, shared, precision),
        regional=torch.einsum("krt,jrt,rt->rkj", regional, regional, precision),
    )


def draw_around_mode(network, known, n_draws, generator):
    """Draw parameters from the Gaussian approximation at the mode (Laplace).

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
    return network.shared.detach() + shared, network.regional.detach() + regional
