"""Draws moved by rows that came after those they were drawn for.

Of the rows seen before only what they said is needed. New rows enter once, as in a
Kalman filter.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from skmmm._model.draws import few_draws
from skmmm._model.inputs import Inputs, PerPanel
from skmmm._model.laplace import (
    Information,
    LaplaceApproximation,
    all_ties,
    conditional_contraction,
    informations,
    noise_information,
    with_spreads_held,
)
from skmmm._model.level import innovation_scale
from skmmm._model.likelihood import (
    Loss,
    Target,
    errors,
    log_density,
    simulated_errors,
    split_common,
)
from skmmm._model.network import OutcomeNetwork
from skmmm._model.spreads import draw_spreads
from skmmm._model.steps import later_steps, with_steps
from skmmm._model.threads import of_each

_N_EXPECTED = 200  # errors that new ones are compared with, at least
_LARGE = 4.0  # standard deviations of an error
_MOST_STEPS = 4  # in which new rows enter: effects are not linear in parameters
_NEWS = 1.0  # times what is known already, that rows may tell in one step


def refresh(model, target, n_new, drift, generator):
    """Return a model moved by rows of later periods, and how they surprised it.

    Each draw is moved to where the new rows, and errors such as the model expects of
    them, would have led it: its score, plus that of simulated errors, times the
    covariance of the posterior [1]_. Where rows tell much, in several steps, in which
    they count as often as in all together once [2]_.

    Parameters
    ----------
    model : OutcomeModel
        With all rows in its history.
    target : Target
        All rows, and experiments.
    n_new : int
        How many of its last periods are new.
    drift : float
        Standard deviation per period of a random walk of log effects.
    generator : torch.Generator

    Returns
    -------
    model : OutcomeModel
    surprise : float
        Share of the errors expected of the new rows that are likelier than theirs; 0
        without draws.

    References
    ----------
    .. [1] Evensen (1994). Sequential data assimilation with a nonlinear
       quasi-geostrophic model. Journal of Geophysical Research 99.
    .. [2] Emerick, Reynolds (2013). Ensemble Smoother with Multiple Data Assimilation.
       Computers and Geosciences 55.
    """
    model = _with_later_steps(model, n_new, drift, generator)
    network, inputs = model.network, model.inputs()
    late = np.arange(model.history.shape[1]) >= model.history.shape[1] - n_new
    before, new = _counted(target, ~late), _counted(target, late)
    informed, shared, regional = informations(
        network, inputs, target, [before, new], model.loss, n_new
    )
    known, told, sizes = _with_sizes(network, informed, [before, new])
    ties = all_ties(network, inputs, target)

    def approximation(known):
        return LaplaceApproximation(with_spreads_held(network, known), ties)

    n_steps = _number_of_steps(known, told)
    rows = _NewRows(
        network, inputs, new, model.loss, generator, shared, regional, sizes, n_steps
    )
    places, surprise = network, 0.0
    if model.draws is not None:
        places = network.at(
            torch.cat([network.shared, model.draws.shared]),
            torch.cat([network.regional, model.draws.regional]),
        )
    seen = rows.errors(places)
    if model.draws is not None:
        surprise = rows.surprise(model.draws, seen[1:])
    for step in range(1, n_steps + 1):
        nearer = approximation(_sum((known, 1.0), (told, step / n_steps)))
        slopes = rows.slopes(places, seen)
        shared, regional = nearer.unwhiten(*nearer.unwhiten_vjp(*slopes))
        places = places.at(places.shared + shared, places.regional + regional)
        if step < n_steps:
            seen = rows.errors(places)
    known = _sum((known, 1.0), (told, 1.0))
    _check_holds(network, places)
    return _moved(model, places, target, known, generator), surprise


def _with_later_steps(model, n_new, drift, generator):
    """Return a model whose effects may step in new periods, if they drift."""
    network, draws = model.network, model.draws
    trained, n_media = model.seasons.n_train, network.sizes.n_media
    steps = later_steps(network.steps, trained, model.history, n_new, drift)
    if steps is network.steps or not n_media:
        return model
    n_more = len(steps.start)
    n_more -= 0 if network.steps is None else len(network.steps.start)
    nowhere = torch.zeros(1, n_media, n_more, dtype=torch.float64)
    if draws is not None:
        shape = len(draws.shared), n_media, n_more
        chance = torch.randn(shape, generator=generator, dtype=torch.float64)
        # Around the point, which does not step: of few draws the mean would.
        chance = chance - chance.mean(dim=0)
        chance = chance * (shape[0] / max(shape[0] - 1, 1)) ** 0.5
        draws = with_steps(draws, steps, chance)
    network = with_steps(network, steps, nowhere)
    return replace(model, network=network, draws=draws, _inputs=PerPanel())


def _number_of_steps(known, told):
    """Return in how many steps new rows enter: the more, the more they tell."""
    ratios = [
        (new.diagonal(dim1=-2, dim2=-1) / (1.0 + old.diagonal(dim1=-2, dim2=-1))).max()
        for old, new in ((known.shared, told.shared), (known.regional, told.regional))
        if new.numel()
    ]
    most = max(ratios, default=torch.zeros(())).item()
    return int(np.clip(np.ceil(most / _NEWS), 1, _MOST_STEPS))


def _check_holds(network, places):
    """Raise if places went further than steps along straight lines can lead."""
    before, after = (
        innovation_scale(one.values(), one.sizes.n_regions).mean()
        for one in (network, places)
    )
    if not after < _LARGE * before:  # nor if it is no number
        raise ValueError(
            "The new rows move the model further than partial_fit can follow: its "
            f"errors would be {(after / before).item():.3g} times as large. Look at "
            "the rows, and fit again with all of them."
        )


def _moved(model, places, target, known, generator):
    """Return the model at the first of some places, with the others as draws."""
    network = places.at(places.shared[:1], places.regional[:1])
    if model.draws is None:
        return replace(model, network=network).at_mode(target)
    draws = draw_spreads(network, places.shared[1:], places.regional[1:], generator)
    told = conditional_contraction(network, known)
    model = replace(model, conditional_contraction=told)
    return model.with_draws(network.at(*draws), network, target)


def _counted(target, periods):
    """Return a target of which only rows of some periods count."""
    count = target.count * torch.from_numpy(periods)
    return replace(target, count=count, seen=None, experiments=None)


def _with_sizes(network, informed, targets):
    """Return information that has that about the size of shocks, and the last's sizes.

    These are about shared parameters, both, and regional ones: (P, P), (R, K, P) and
    (R, K, K). Without the size of shocks, which elsewhere counts as unknown, a step of
    the covariance times the score would be one of the score alone, which grows with the
    square of a shock.
    """
    shocks = [torch.diag(_about_shocks(network, target)) for target in targets]
    shared, cross, regional = noise_information(network, targets[-1])
    return (
        *(
            replace(known, shared=known.shared + about)
            for known, about in zip(informed, shocks, strict=True)
        ),
        (shared + shocks[-1], cross, regional),
    )


def _about_shocks(network, target):
    """Return Fisher's information of rows about the size of common shocks, (P,)."""
    diagonal, values = torch.zeros_like(network.shared[0]), network.values()
    if "common_log" not in values:
        return diagonal
    nothing = torch.zeros_like(target.y)[None]
    with torch.no_grad():
        _, variance, _ = split_common(network, nothing, target, values)
        share = torch.exp(2 * values["common_log"])[:, None] / variance
    number = (2.0 * share.square() * target.count.amax(dim=0)).sum()
    for prior, where in network.shared_priors.positions():
        if prior.name == "common_log":
            diagonal[where] = prior.scale**2 * number
    return diagonal


def _sum(*several):
    """Return the sum of information, of each as much as it is multiplied with."""
    return Information(
        **{
            f.name: sum(share * getattr(one, f.name) for one, share in several)
            for f in fields(Information)
        }
    )


@dataclass(frozen=True, eq=False)
class _NewRows:
    """Rows that a model has not seen, with their errors around its point.

    Attributes
    ----------
    network : OutcomeNetwork
        At the point.
    inputs : Inputs
    target : Target
        Of which only new rows count.
    loss : Loss
    generator : torch.Generator
    shared : Tensor of shape (n_shared, R, n_new)
        Derivatives of errors at the point.
    regional : Tensor of shape (n_regional, R, n_new)
    sizes : tuple of Tensor
        As of `_with_sizes`.
    n_steps : int
        In which the rows enter.
    """

    network: OutcomeNetwork
    inputs: Inputs
    target: Target
    loss: Loss
    generator: torch.Generator
    shared: torch.Tensor
    regional: torch.Tensor
    sizes: tuple
    n_steps: int

    @property
    def rows(self):
        """The rows of `target` that are new."""
        return self.target.last(self.shared.shape[2])

    def errors(self, places):
        """Return the errors of each place in new periods, (E, R, n_new)."""
        n_new = self.shared.shape[2]

        def of_few(few):
            return errors(few, self.inputs, self.target)[..., -n_new:].clone()

        return torch.cat(of_each(of_few, [few for _, few in few_draws(places)]))

    def slopes(self, places, seen):
        """Return what moves each place: its score, and by chance that of others.

        Of errors as expected; of the first place, the point, only its score. Errors are
        taken to be linear, so that of errors a place makes what moves it is the same
        for all: else the places at which errors say most would move most.
        """
        found = []
        for some, few in few_draws(places):
            centre, own = self._repeated(len(few.shared)), seen[some]
            with torch.no_grad():
                expected = self._expected(centre)
            share = 1.0 / self.n_steps
            chance = torch.full((len(own),), share**0.5, dtype=torch.float64)
            chance[: 1 if some.start == 0 else 0] = 0.0
            told = self._score(centre, own, seen[:1].expand_as(own))
            simulated = self._score(centre, expected, expected)
            told = self._with_own_sizes(told, few)
            found.append(
                [
                    one / self.n_steps
                    + other * chance.reshape(-1, *[1] * (one.ndim - 1))
                    for one, other in zip(told, simulated, strict=True)
                ]
            )
        return tuple(torch.cat(part) for part in zip(*found, strict=True))

    def _with_own_sizes(self, slopes, places):
        """Return slopes at places whose errors are of other sizes than at the point."""
        shared, cross, regional = self.sizes
        own = places.shared - self.network.shared
        theirs = places.regional - self.network.regional
        return (
            slopes[0] - own @ shared - torch.einsum("erk,rkp->ep", theirs, cross),
            slopes[1]
            - torch.einsum("ep,rkp->erk", own, cross)
            - torch.einsum("erj,rkj->erk", theirs, regional),
        )

    def _score(self, centre, error, of_size):
        """Return the slopes of the density of errors by shared and regional.

        Those by sizes are of other errors: those of draws that are far from the rows
        are large before they are moved. And one error says of the size of all no more
        than one that is large but usual: that slope would grow with it, however far a
        straight line holds.
        """
        usual = innovation_scale(centre.values(), error.shape[1])[..., None]
        within = of_size.clamp(-_LARGE * usual, _LARGE * usual)
        error = error.detach().requires_grad_()
        (pull,) = torch.autograd.grad(self._density(centre, error).sum(), error)
        parts = centre.shared.requires_grad_(), centre.regional.requires_grad_()
        shared, regional = torch.autograd.grad(
            self._density(centre, within).sum(), parts, materialize_grads=True
        )
        return (
            shared + torch.einsum("prt,ert->ep", self.shared, pull),
            regional + torch.einsum("krt,ert->erk", self.regional, pull),
        )

    def surprise(self, draws, seen):
        """Return the share of errors draws expect that are likelier than those seen."""
        likelier, n_each = [], -(-_N_EXPECTED // len(draws.shared))
        with torch.no_grad():
            for some, few in few_draws(draws):
                density = self._density(few, seen[some])
                likelier += [
                    self._density(few, self._expected(few)) > density
                    for _ in range(n_each)
                ]
        return torch.cat(likelier).double().mean().item()

    def _repeated(self, n_places):
        """Return a twin of the point with so many entries."""
        return self.network.at(
            *(
                part.expand(n_places, *part.shape[1:]).clone()
                for part in (self.network.shared, self.network.regional)
            )
        )

    def _expected(self, network):
        values = network.values()
        return simulated_errors(network, self.rows, values, self.loss, self.generator)

    def _density(self, network, error):
        values = network.values()
        return log_density(network, error, self.rows, values, self.loss)
