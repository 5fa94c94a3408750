"""What the data say about each parameter, and the Gaussian approximation."""

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from skmmm._model.blocks import region_blocks
from skmmm._model.jacobian import parts_of, responses, spreads_of
from skmmm._model.likelihood import error_precision, errors, split_common
from skmmm._model.priors import NOISE_FLOOR, NOISE_RATIO
from skmmm._model.roots import root_of
from skmmm._model.sums import agreed, all_sum, gathered, own_regions, replicated
from skmmm._model.threads import of_each
from skmmm._model.vectors import joined, split_like
from skmmm._model.workers import blocks_of, workers_for

BLOCK = 2**19  # derivatives at once, of all cells of a block of regions
_OF_REGIONS = "cross", "regional", "cross_shock"  # of the information
_EXACT = 1e12  # information about what counts as known
# Share of the variance of deviations that rows take away, on average, from which they
# tell enough of their spread.
_WELL_KNOWN = 0.5


@dataclass(frozen=True, eq=False)
class Information:
    """Gauss-Newton information about the parameters, without the prior.

    The shock that all regions have in common in a period counts as one more shared
    parameter, standard normal like all others: given the shared ones, regions are
    then independent of each other.

    Attributes
    ----------
    shared : Tensor of shape (n_shared, n_shared)
    cross : Tensor of shape (R, n_regional, n_shared)
    regional : Tensor of shape (R, n_regional, n_regional)
    shock : Tensor of shape (T,)
        Diagonal of the block of the shocks; T = 0 if there are none.
    shared_shock : Tensor of shape (n_shared, T)
    cross_shock : Tensor of shape (R, n_regional, T)
    """

    shared: torch.Tensor
    cross: torch.Tensor
    regional: torch.Tensor
    shock: torch.Tensor
    shared_shock: torch.Tensor
    cross_shock: torch.Tensor

    def in_regions(self, regions):
        """Return what is known where only some regions are looked at."""
        return replace(self, **{n: getattr(self, n)[regions] for n in _OF_REGIONS})

    @classmethod
    def of_blocks(cls, several):
        """Return what several blocks of regions have in common, and of each region."""
        rows = {n: torch.cat([getattr(one, n) for one in several]) for n in _OF_REGIONS}
        return replace(several[0], **rows)

    def without_shock(self):
        """Return the information about shared parameters with shocks integrated out."""
        weight = self.shared_shock / (1.0 + self.shock)
        return self.shared - weight @ self.shared_shock.T


def row_precision(network, inputs, target, loss):
    """Return the weight of every cell's squared error in the information, (R, T)."""
    with torch.no_grad():
        values = network.values()
        error = errors(network, inputs, target, values)
        if "common_log" in values:
            error = error - split_common(network, error, target, values)[0][:, None]
        precision = error_precision(network, target, values)
        precision = precision * torch.exp(-2 * values["noise_log"])[..., None]
        precision = loss.weight(error * precision.sqrt()) * precision
        return target.count * network.independent_share * precision[0]


def information(network, inputs, target, loss):
    """Return the `Information` about all parameters.

    The errors do not depend on scales: what is known about a noise scale is its Fisher
    information, and spreads and the size of shocks count as unknown. Regions pass block
    by block: the derivatives of all cells are never there at once.
    """
    workers = workers_for(target)
    if workers is not None:
        block = blocks_of(network, inputs, target)
        found = workers.run(information, network.sizes.n_regions, block, loss)
        return Information.of_blocks(found)
    return informations(network, inputs, target, [target], loss)[0][0]


def informations(network, inputs, target, targets, loss, n_last=0):
    """Return the `Information` of rows that are counted in several ways.

    Parameters
    ----------
    target : Target
        All rows.
    targets : list of Target
        Twins in which rows count otherwise, some not at all.
    n_last : int
        Of how many of the last periods responses are asked for.

    Returns
    -------
    known : list of Information
    shared, regional : Tensor of shape (n_shared or n_regional, R, n_last)
        As of `responses`.
    """
    precision = [row_precision(network, inputs, rows, loss) for rows in targets]
    values, n_periods = network.values(), precision[0].shape[1]
    shock = precision[0].new_zeros(0)
    if "common_log" in values:
        shock = torch.exp(values["common_log"]).expand(n_periods)
    of_regions = [_of_no_region_yet(network, len(shock)) for _ in targets]

    def told_by(block):
        few = network.in_regions(block)
        answers = responses(few, inputs.in_regions(block), target.part(block))
        told = []
        for rows, weight, whole in zip(targets, precision, of_regions, strict=True):
            shared, own = _information_of(
                few, rows.part(block), answers, weight[block], shock
            )
            for name, part in own.items():
                whole[name][block] = part
            told.append(shared)
        return told, [answer[..., n_periods - n_last :].clone() for answer in answers]

    n_parameters = network.shared.shape[1] + network.regional.shape[2]
    blocks = region_blocks(len(precision[0]), n_parameters * n_periods, BLOCK)
    told, last = zip(*of_each(told_by, blocks), strict=True)
    ways = zip(zip(*told, strict=True), of_regions, precision, strict=True)
    known = [_joined(*way, shock) for way in ways]
    return known, *(torch.cat(part, dim=1) for part in zip(*last, strict=True))


def _of_no_region_yet(network, n_shocks):
    """Return room for what is known of each region: it is large, and copied nowhere."""
    n_shared, n_regional = network.shared.shape[1], network.regional.shape[2]
    n_columns = {"cross": n_shared, "regional": n_regional, "cross_shock": n_shocks}
    return {
        name: network.shared.new_empty(network.regional.shape[1], n_regional, n)
        for name, n in n_columns.items()
    }


def _joined(told, of_regions, precision, shock):
    """Return the `Information` of all blocks of regions."""
    shared, shared_shock = zip(*told, strict=True)
    return Information(
        shared=all_sum(sum(shared[1:], shared[0])),
        shock=shock**2 * all_sum(precision.sum(dim=0))[: len(shock)],
        shared_shock=all_sum(sum(shared_shock[1:], shared_shock[0])),
        **of_regions,
    )


def _information_of(network, target, answers, precision, shock):
    """Return what some regions add to the information, or have of it.

    Parameters
    ----------
    network, target
        Of these regions.
    answers : tuple of Tensor
        Their `responses`.
    precision : Tensor of shape (R, T)
        As of `row_precision`.
    shock : Tensor of shape (T,)
        Standard deviation of the common shock; T = 0 if there is none.

    Returns
    -------
    added : tuple of Tensor
        Shared and shared_shock, as far as these regions add to them.
    own : dict of str to Tensor
        Cross, regional and cross_shock of these regions.
    """
    shared, regional = answers
    weighted = regional * precision
    shared_weighted = shared * precision
    noise_shared, noise_cross, noise_regional = noise_information(network, target)
    added = (
        torch.einsum("prt,qrt->pq", shared, shared_weighted) + noise_shared,
        shared_weighted.sum(dim=1)[:, : len(shock)] * shock,
    )
    return added, {
        "cross": torch.einsum("krt,prt->rkp", weighted, shared) + noise_cross,
        "regional": torch.einsum("krt,jrt->rkj", weighted, regional) + noise_regional,
        "cross_shock": weighted.transpose(0, 1)[..., : len(shock)] * shock,
    }


def noise_information(network, target):
    """Return Fisher's information about log noise scales: two for every row."""
    rows = 2.0 * network.independent_share * target.count.sum(dim=1)  # (R,)
    # The response of the log noise of each region to every entry.
    shared, regional = (
        part.new_zeros(len(rows), part.shape[-1])
        for part in (network.shared, network.regional)
    )
    for response, part, priors in (
        (shared, network.shared, network.shared_priors),
        (regional, network.regional, network.regional_priors),
    ):
        for prior, where in priors.positions():
            if prior.name == "noise_log":
                entry = part[0, ..., where]
                response[:, where] = _noise_response(network, prior, entry)
    return (
        torch.einsum("r,rp,rq->pq", rows, shared, shared),
        torch.einsum("r,rk,rp->rkp", rows, regional, shared),
        torch.einsum("r,rk,rj->rkj", rows, regional, regional),
    )


def _noise_response(network, prior, entry):
    """Return the derivative of a log noise scale by its entry: less near its floor."""
    if prior.hierarchical:
        scale, floor = spreads_of(network)["noise_log"], NOISE_RATIO
        log = scale * entry
    else:
        scale, floor = prior.scale, NOISE_FLOOR
        log = prior.loc + scale * entry
    return scale * torch.sigmoid(2.0 * (log - math.log(floor)))


def spread_information(network, known):
    """Return what the data say about deviations, before any prior pulls them in.

    Returns
    -------
    known : dict of str to Tensor
        For each spread, the information about the deviations that it governs, in
        their own units.
    """
    spreads = spreads_of(network)
    diagonals = (
        known.without_shock().diagonal(),
        known.regional.diagonal(dim1=1, dim2=2),
    )
    return {
        f"{prior.name}_spread_log": diagonal[..., where] / spreads[prior.name] ** 2
        for (_, priors), diagonal in zip(parts_of(network), diagonals, strict=True)
        for prior, where in priors.positions()
        if prior.hierarchical
    }


@dataclass(frozen=True, eq=False)
class Ties:
    """Rows ``u`` and signs ``c`` of a sum ``c u u'`` that is added to a precision.

    What is expected of a quantity that depends on all regions ties them together.

    Attributes
    ----------
    shared : Tensor of shape (Q, n_shared)
    regional : Tensor of shape (Q, R, n_regional)
    sign : Tensor of shape (Q,)
        1 where precision is added, -1 where it is taken away.
    """

    shared: torch.Tensor
    regional: torch.Tensor
    sign: torch.Tensor


def prior_ties(network, inputs, target):
    """Return the `Ties` by which the prior differs from independent parameters.

    The mean effect of a channel with a prior of its own is normal in its logarithm
    instead of the parameter that the effect is proportional to.
    """
    chosen = network.with_own_prior(inputs)
    n_shared = network.shared.shape[1]
    own = torch.zeros(len(chosen), n_shared, dtype=torch.float64)
    for prior, where in network.shared_priors.positions():
        if prior.name == "effect":
            own[torch.arange(len(chosen)), where.start + chosen] = 1.0
    parameters = [
        part.clone().requires_grad_() for part in (network.shared, network.regional)
    ]
    twin = network.at(*parameters)
    surprises = twin.surprises(inputs, target.share)[0] if len(chosen) else []
    slopes = [
        torch.autograd.grad(
            replicated(z),
            parameters,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        for z in surprises
    ]
    nothing = torch.zeros(len(own), *twin.regional.shape[1:], dtype=torch.float64)
    shared = torch.cat([own, *(all_sum(slope[0]) for slope in slopes)])
    regional = torch.cat([nothing, *(slope[1] for slope in slopes)])
    sign = torch.ones(len(shared), dtype=torch.float64)
    sign[: len(own)] = -1.0
    return Ties(shared, regional, sign)


def all_ties(network, inputs, target):
    """Return the `Ties` of the prior and of experiments, which touch many regions."""
    ties = prior_ties(network, inputs, target)
    if target.experiments is None:
        return ties
    shared, regional = target.experiments.slopes(network)
    return Ties(
        torch.cat([ties.shared, shared]),
        torch.cat([ties.regional, regional]),
        torch.cat([ties.sign, torch.ones(len(shared), dtype=torch.float64)]),
    )


class LaplaceApproximation:
    """The Gaussian approximation of the posterior around a point (Laplace).

    Its precision has the shape of an arrow: a block per region, tied together only by
    shared parameters. Their Schur complement gives the shared ones, and each region
    follows given them. Ties turn and stretch few directions after that (Woodbury).

    Parameters
    ----------
    known : Information
    ties : Ties, default=None
    overwrite : bool, default=False
        Whether `known.cross`, which is large, may be lost: its memory is used again.
    """

    def __init__(self, known, ties=None, *, overwrite=False):
        n_shared, n_regional = len(known.shared), known.regional.shape[1]
        own = known.regional + torch.eye(n_regional, dtype=torch.float64)
        self.root = root_of(own)
        pull = known.cross if overwrite else own.new_empty(known.cross.shape)
        # One matrix: of all regions after one another.
        self.pull = pull.view(len(own) * n_regional, n_shared)  # (R * K, P)
        del own, pull
        self._taken = all_sum(self._pull_of(known))
        self._learn(known, ties)

    def with_shared(self, known, ties=None):
        """Return the approximation where less or more is known of shared parameters.

        Parameters
        ----------
        known : Information
            That differs from what this one was made of in `shared` alone.
        ties : Ties, default=None
        """
        twin = copy.copy(self)
        twin._learn(known, ties)
        return twin

    def _learn(self, known, ties):
        """Find the roots of what is about shared parameters."""
        n_shared, n_shocks = len(known.shared), len(known.shock)
        precision = torch.eye(n_shocks + n_shared, dtype=torch.float64)
        precision[:n_shocks, :n_shocks] += torch.diag(known.shock)
        precision[n_shocks:, :n_shocks] += known.shared_shock
        precision[:n_shocks, n_shocks:] += known.shared_shock.T
        precision[n_shocks:, n_shocks:] += known.shared
        precision = precision - self._taken
        # Shocks come first: what is left are shared parameters without them.
        root = root_of((precision + precision.T) / 2)[n_shocks:, n_shocks:]
        identity = torch.eye(n_shared, dtype=torch.float64)
        self.shared_root = torch.linalg.solve_triangular(root, identity, upper=False).T
        tied = ties is not None and len(ties.sign)
        self.tied = self._turned(ties) if tied else None

    def _pull_of(self, known):
        """Fill in `pull`; return what it takes from the precision, (T + P, T + P)."""
        n_regions, n_regional, n_shocks = known.cross_shock.shape
        pulls = self.pull.view(n_regions, n_regional, known.cross.shape[2])

        def told_by(block):
            cross = torch.cat([known.cross_shock[block], known.cross[block]], dim=2)
            pull = torch.cholesky_solve(cross, self.root[block])
            pulls[block] = pull[..., n_shocks:]
            return torch.einsum("rkp,rkq->pq", cross, pull)

        n_each = n_regional * (n_shocks + pulls.shape[2])
        found = of_each(told_by, region_blocks(n_regions, n_each, BLOCK))
        return sum(found[1:], found[0])

    def _turned(self, ties):
        """Return directions (N, Q) and how far to stretch along them, (Q,).

        With B a root of the covariance without ties and V = B' U,
        ``(I + V C V')^(-1/2)`` is the identity but for the column space of V.
        """
        moved = self._unwhiten_vjp_without_ties(ties.shared, ties.regional)
        own, _ = own_regions(moved[1].shape[1])
        moved = moved[0], gathered(moved[1], dim=1)
        basis, small = torch.linalg.qr(joined(*moved).T)
        values, vectors = torch.linalg.eigh(small * ties.sign @ small.T)
        shared, regional = split_like((basis @ vectors).T, moved)
        directions = joined(shared, regional[:, own]).T.contiguous()
        return directions, (1.0 + values).clamp_min(1e-8).rsqrt() - 1.0

    def _stretched(self, shared, regional, *, inverse=False):
        """Apply what ties do to standard normals; its own transpose."""
        if self.tied is None:
            return shared, regional
        directions, stretch = self.tied
        if inverse:
            stretch = -stretch / (1.0 + stretch)
        along = all_sum(joined(replicated(shared), regional) @ directions)
        flat = joined(shared, regional) + along * stretch @ directions.T
        return split_like(flat, (shared, regional))

    def unwhiten(self, shared, regional):
        """Turn standard normals into distances from the centre.

        Parameters
        ----------
        shared : Tensor of shape (E, n_shared)
        regional : Tensor of shape (E, R, n_regional)

        Returns
        -------
        shared, regional : Tensors of the same shapes
        """
        shared, regional = self._stretched(shared, regional)
        shared = shared @ self.shared_root.T
        own = torch.linalg.solve_triangular(
            self.root.transpose(-1, -2), regional.permute(1, 2, 0), upper=True
        )
        own = own - (self.pull @ shared.T).view(own.shape)
        return shared, own.permute(2, 0, 1)

    def whiten(self, shared, regional):
        """Turn distances from the centre into standard normals; inverts `unwhiten`."""
        own = regional.permute(1, 2, 0)
        own = own + (self.pull @ shared.T).view(own.shape)
        own = (self.root.transpose(-1, -2) @ own).permute(2, 0, 1)
        shared = torch.linalg.solve_triangular(self.shared_root, shared.T, upper=True)
        return self._stretched(shared.T, own, inverse=True)

    def unwhiten_vjp(self, shared, regional):
        """Turn gradients by distances into gradients by standard normals.

        The transpose of `unwhiten`, with the same shapes.
        """
        return self._stretched(*self._unwhiten_vjp_without_ties(shared, regional))

    def _unwhiten_vjp_without_ties(self, shared, regional):
        own = torch.linalg.solve_triangular(
            self.root, regional.permute(1, 2, 0), upper=False
        )
        shared = shared - all_sum(regional.flatten(1) @ self.pull)
        return shared @ self.shared_root, own.permute(2, 0, 1)


def with_spreads(network, known, deviations):
    """Add what the evidence says about each log spread to the information.

    Parameters
    ----------
    known : Information
    deviations : dict of str to Tensor
        What `spread_information` returned.
    """
    diagonal = known.shared.new_zeros(len(known.shared))
    parts = known_parts(network, deviations)
    for prior, where in network.shared_priors.positions():
        if prior.name in parts:
            squares = _summed(parts[prior.name].square())
            diagonal[where] = prior.scale**2 * 2.0 * squares
    return replace(known, shared=known.shared + torch.diag(diagonal))


def known_parts(network, deviations):
    """Return the part of the variance of deviations that the data take away.

    Parameters
    ----------
    deviations : dict of str to Tensor
        As of `with_spreads`.

    Returns
    -------
    parts : dict of str to Tensor
    """
    spreads = spreads_of(network)
    seen = {
        name: spreads[name.removesuffix("_spread_log")] ** 2 * told
        for name, told in deviations.items()
    }
    return {name: told / (1.0 + told) for name, told in seen.items()}


def _summed(deviations):
    """Return the sum over all deviations that a spread governs, in all regions."""
    total = deviations.sum()
    return all_sum(total) if deviations.ndim > 1 else total


def with_spreads_held(network, known, but=()):
    """Return the information if all spreads but some were known exactly."""
    held = known.shared.new_zeros(len(known.shared))
    for prior, where in network.shared_priors.positions():
        if prior.name.endswith("_spread_log") and prior.name not in but:
            held[where] = _EXACT
    return replace(known, shared=known.shared + torch.diag(held))


def with_known_spreads_held(network, known):
    """Return the information if spreads of well known deviations were known exactly.

    All processes hold the same ones.
    """
    told = spread_information(network, known)
    if not told:
        return known
    beyond = [
        _summed(part - _WELL_KNOWN) for part in known_parts(network, told).values()
    ]
    little = agreed(torch.stack(beyond)) < 0.0
    free = {name: told[name] for name, few in zip(told, little, strict=True) if few}
    return with_spreads_held(network, with_spreads(network, known, free), but=free)


def with_shared_held(known):
    """Return the information if all shared parameters were known exactly."""
    held = torch.full_like(known.shared.diagonal(), _EXACT)
    return replace(known, shared=known.shared + torch.diag(held))


def conditional_contraction(network, known):
    """Return what the data would say about each channel's effect if all else was known.

    Returns
    -------
    share : ndarray of shape (n_media,)
        Of the prior variance that they would remove.
    """
    told = known.without_shock().diagonal()
    for prior, where in network.shared_priors.positions():
        if prior.name == "effect":
            return (told[where] / (1.0 + told[where])).numpy()
    return np.zeros(0)
